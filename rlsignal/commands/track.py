"""`rlsignal track`: degenerate groups over the steps of a run, and whether to worry."""

import argparse
import json
from typing import Any

import rlsignal
from rlsignal import store
from rlsignal._show import visible
from rlsignal.commands.data import add_data, given, read, write_page
from rlsignal.commands.terminal import command, whole


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "track",
        run,
        "degenerate groups over the steps of a run, and whether to worry",
        example="trainer_state.json --group-size 8",
    )
    add_data(parser)
    parser.add_argument(
        "--group-size", type=whole, metavar="G", help="rollouts per prompt (default what the log states)"
    )
    parser.add_argument("--window", type=whole, metavar="N", help="logged rows taken together (default 20)")
    parser.add_argument("--html", metavar="PATH", help="write a page that needs no network")


def run(chosen: argparse.Namespace) -> int:
    """Print the trend."""
    store.check_outputs({"--html": chosen.html}, [chosen.data])
    return tracked(chosen, read(chosen, chosen.data), chosen.group_size, **given(chosen, "window", "groups"))


def tracked(
    chosen: argparse.Namespace, data: Any, group_size: int | None, window: int = 20, groups: int | None = None
) -> int:
    """Print, and write where a page was asked for."""
    trend = rlsignal.track(data, group_size, window=window, groups=groups)
    written = write_page(chosen.html, [trend], chosen.data)
    print(json.dumps(trend.summary) if chosen.json else trend)
    if written and not chosen.json:
        print(f"\nWrote {visible(str(written[0]))}.")
    return 0
