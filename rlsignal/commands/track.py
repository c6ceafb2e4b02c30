"""`rlsignal track`: degenerate groups over the steps of a run, and whether to worry."""

import argparse
from dataclasses import replace
from typing import Any

import rlsignal
from rlsignal import store
from rlsignal.commands.data import add_data, add_page, as_options, given, read, show, write_page
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
    add_page(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print the trend."""
    store.check_outputs({"--html": chosen.html}, [chosen.data])
    return tracked(chosen, read(chosen, chosen.data), **given(chosen, "group_size", "window", "groups"))


def tracked(chosen: argparse.Namespace, data: Any, **options: int) -> int:
    """Print, and write where a page was asked for."""
    trend = rlsignal.track(data, **options)
    trend = replace(trend, notes=tuple(as_options(note, group_size="group-size") for note in trend.notes))
    show(chosen, trend, trend.summary, write_page(chosen.html, [trend], chosen.data))
    return 0
