"""`rlsignal compare`: which checkpoint to start RL from."""

import argparse
from pathlib import Path
from typing import Any

import rlsignal
from rlsignal import store
from rlsignal.commands.data import add_data, add_page, given, read, short_names, show, write_page
from rlsignal.commands.terminal import command, number, whole


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "compare",
        run,
        "which of several checkpoints, evaluated on the same prompts, to start RL from",
        example="base.jsonl step200.jsonl --group-size 8",
    )
    add_data(parser, "+")
    parser.add_argument("--group-size", type=whole, metavar="G", help="rollouts per prompt of the run (default 8)")
    parser.add_argument(
        "--budgets",
        type=number,
        nargs="+",
        metavar="X",
        help="learning rate times steps of the model's forecasts (default 30 300 3000), not of your optimizer",
    )
    add_page(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print the comparison: of several files by their names, or of one file with a column of checkpoints."""
    store.check_outputs({"--html": chosen.html}, chosen.data)
    if len(chosen.data) == 1:
        data = read(chosen, chosen.data[0])
    else:
        data = dict(zip(short_names(chosen.data), (read(chosen, path) for path in chosen.data), strict=True))
    options = given(chosen, "group_size", "budgets")
    compared = rlsignal.compare(data, **options)
    written = write_page(chosen.html, [compared], " and ".join(Path(x).name for x in chosen.data))
    show(chosen, compared, compared.summary, written)
    return 0
