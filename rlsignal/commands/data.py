"""What commands that read data share: the file, and how it is read."""

import argparse
from typing import Any

COLUMNS = ("prompt", "reward", "group", "step", "checkpoint", "correct", "samples", "rate")


def add_data(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """The file and the options of `rlsignal.read`."""
    parser.add_argument(
        "data",
        nargs=None if required else "?",
        metavar="FILE",
        help="an evaluation, a dump of rollouts or a training log; a file or a folder",
    )
    options = parser.add_argument_group("reading", "only where the data leaves a choice")
    for idea in COLUMNS:
        options.add_argument(f"--{idea}", metavar="COLUMN", help=f"the column that holds the {idea}")
    options.add_argument("--rollouts-per-group", type=int, metavar="N", help="consecutive rows that are one group")
    options.add_argument("--threshold", type=float, metavar="X", help="rewards above X count as correct")


def reading(chosen: argparse.Namespace) -> dict[str, Any]:
    """The options of `rlsignal.read` that were given."""
    named = {idea: getattr(chosen, idea) for idea in COLUMNS}
    named |= {"group_size": chosen.rollouts_per_group, "threshold": chosen.threshold}
    return {name: value for name, value in named.items() if value is not None}
