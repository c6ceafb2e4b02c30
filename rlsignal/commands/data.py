"""What commands that read data share: the file, how it is read, and which options can act on what it holds."""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rlsignal
from rlsignal import store
from rlsignal._show import Result

COLUMNS = ("prompt", "reward", "group", "step", "checkpoint", "correct", "samples", "rate")
READING = (*COLUMNS, "rollouts_per_group", "threshold")


def add_data(parser: argparse.ArgumentParser, files: str | None = None) -> None:
    """The file and the options of `rlsignal.read`; `files` is argparse's nargs."""
    parser.add_argument(
        "data",
        nargs=files,
        metavar="FILE",
        help="an evaluation, a dump of rollouts or a training log; a file or a folder",
    )
    options = parser.add_argument_group("reading", "only where the data leaves a choice")
    for idea in COLUMNS:
        options.add_argument(f"--{idea}", metavar="COLUMN", help=f"name of the column that holds {_HELD[idea]}")
    options.add_argument("--rollouts-per-group", type=int, metavar="N", help="consecutive rows that are one group")
    options.add_argument("--threshold", type=float, metavar="X", help="rewards above X count as correct")


_HELD = {
    "prompt": "prompts or their ids",
    "reward": "the reward of one rollout",
    "group": "ids of groups",
    "step": "training steps",
    "checkpoint": "names of checkpoints",
    "correct": "counts of correct samples",
    "samples": "counts of samples",
    "rate": "shares of correct samples",
}


def read(chosen: argparse.Namespace, path: str) -> Any:
    """One file, with the options of `rlsignal.read` that were given."""
    names = {"rollouts_per_group": "group_size"}
    return rlsignal.read(path, **{names.get(name, name): value for name, value in given(chosen, *READING).items()})


def given(chosen: argparse.Namespace, *names: str) -> dict[str, Any]:
    """Those of these options that were given: all of them default to None, and the library knows the default."""
    return {name: value for name in names if (value := getattr(chosen, name)) is not None}


def refuse_idle(chosen: argparse.Namespace, what: str, *acting: str) -> None:
    """An error where an option was given that cannot act on `what`, which was read."""
    fine = {"command", "run", "json", "data", *READING, *acting}
    idle = [
        f"--{name.replace('_', '-')}" for name, value in vars(chosen).items() if value is not None and name not in fine
    ]
    if idle:
        options = [f"--{name.replace('_', '-')}" for name in acting]
        raise ValueError(f"{', '.join(idle)} cannot act on {what}: leave it out. What can: {', '.join(options)}.")


def checkpoint_named(data: Any, name: str | None) -> Any:
    """The checkpoint as it stands in the data, where it may be a number."""
    return {str(x): x for x in data.checkpoints}.get(name, name) if name is not None else None


def write_page(path: str | None, results: Iterable[Result], source: str) -> list[Path]:
    """An HTML page of the results, where one was asked for."""
    if path is None:
        return []
    from rlsignal.plots import page

    place, text = Path(path), page.html(*results, source=Path(source).name)
    store.writable_folder(place.parent)
    store.write_atomically(place, lambda file: file.write(text.encode()))
    return [place]
