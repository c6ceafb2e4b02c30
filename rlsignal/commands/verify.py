"""`rlsignal verify`: every claim of the theory against its witnesses."""

import argparse
import json
from time import perf_counter
from typing import Any

import rlsignal
from rlsignal.commands.terminal import add_seed, command, whole


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(commands, "verify", run, "check every formula: closed form, exact enumeration, Monte Carlo")
    add_seed(parser)
    parser.add_argument(
        "--groups", type=whole, default=200_000, help="groups drawn for each claim (default %(default)s)"
    )


def run(chosen: argparse.Namespace) -> int:
    """Print the table; status 1 where a claim failed."""
    tick = perf_counter()
    result = rlsignal.verify(seed=chosen.seed, groups=chosen.groups)
    seconds = round(perf_counter() - tick, 2)
    print(json.dumps({**result.summary, "seconds": seconds}) if chosen.json else f"{result} {seconds:.1f} s.")
    return 0 if result.passed else 1
