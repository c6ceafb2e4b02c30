"""What commands that read data share: the file, how it is read, and which options can act on what it holds."""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import rlsignal
from rlsignal import store
from rlsignal._show import Result, visible
from rlsignal.commands.terminal import number, whole
from rlsignal.data.columns import KINDS

COLUMNS = {
    "prompt": "prompts or their ids",
    "repeat": "what tells the rollouts of a prompt apart, such as an epoch",
    "dataset": "names of data sets, whose equal ids are different prompts",
    "reward": "the reward of one rollout, or the mean of a log",
    "group": "ids of groups",
    "step": "training steps",
    "checkpoint": "names of checkpoints",
    "correct": "counts of correct samples",
    "samples": "counts of samples, or the number itself",
    "rate": "shares of correct samples",
}
NUMBERS = {
    "rollouts-per-group": (whole, "N", "consecutive rows that are one group; of a log, rollouts per prompt"),
    "groups": (whole, "N", "groups behind each row of a log"),
    "threshold": (number, "X", "rewards above X count as correct"),
    "missing": (number, "X", "the reward that stands for none"),
}
CHOICES = {
    "scorer": "which of several verdicts of each response",
    "filter": "which of several filters, runs or sections",
}
READING = (*COLUMNS, *(x.replace("-", "_") for x in NUMBERS), *CHOICES, "kind", "explain", "share")


def add_data(parser: argparse.ArgumentParser, files: str | None = None, *, logs: bool = True) -> None:
    """The file and the options of `rlsignal.read`; `files` is argparse's nargs, `logs` whether logs are of use."""
    parser.add_argument(
        "data",
        nargs=files,
        metavar="FILE",
        help="an evaluation, a dump of rollouts or a training log; a file or a folder",
    )
    options = parser.add_argument_group("reading", "only where the data leaves a choice")
    options.add_argument("--kind", choices=KINDS, help="what the rows are")
    for idea, what in COLUMNS.items():
        options.add_argument(f"--{idea}", metavar="COLUMN", help=f"name of the column that holds {what}")
    parser.set_defaults(share=None)
    if logs:
        options.add_argument(
            "--degenerate", dest="share", metavar="COLUMN", help="name of a log's column of degenerate groups"
        )
    for name, what in CHOICES.items():
        options.add_argument(f"--{name}", metavar="NAME", help=what)
    for name, (kind, metavar, what) in NUMBERS.items():
        options.add_argument(f"--{name}", type=kind, metavar=metavar, help=what)
    options.add_argument(
        "--explain", action="store_true", default=None, help="print the call that leaves nothing to guess"
    )


def read(chosen: argparse.Namespace, path: str) -> Any:
    """One file, with the options of `rlsignal.read` that were given."""
    names = {"rollouts_per_group": "group_size", "share": "degenerate"}
    options = {names.get(name, name): value for name, value in given(chosen, *READING).items() if name != "explain"}
    try:
        data = rlsignal.read(path, **options)
    except ValueError as error:
        raise ValueError(as_options(str(error), group_size="rollouts-per-group")) from error
    data = replace(
        data,
        notes=tuple(replace(note, text=as_options(note.text, group_size="rollouts-per-group")) for note in data.notes),
    )
    if chosen.explain:
        print(f"rlsignal.{data.call.replace('source', repr(path), 1)}", file=sys.stderr if chosen.json else sys.stdout)
    return data


def as_options(message: str, **renamed: str) -> str:
    """Messages name arguments of Python, reward='accuracy'; here they are options, --reward accuracy.

    renamed : the options of arguments that have another name: for the reader and for a question `group_size` is not
        the same.
    """
    names = "|".join((*COLUMNS, *CHOICES, *NUMBERS, "kind", "degenerate", "group_size"))

    def option(found: re.Match[str]) -> str:
        name = renamed.get(found[1], found[1])
        value = found[2]
        if value and value[0] in "'\"":
            value = shlex.quote(value[1:-1])
        return f"--{name}" + (f" {value}" if value else "")

    return re.sub(rf"\b({names})=('[^']*'|\"[^\"]*\"|-?\d[\d.]*\d|-?\d|(?=[\s,.;)]))", option, message)


ARGUMENTS = {
    "g": ("group_size", "group_sizes", "rollouts_per_group", "logged_at"),
    "group_size": ("group_size", "group_sizes", "logged_at"),
    "rollouts": ("budget", "rollouts"),
    "budget": ("budgets",),
}
"""The options behind arguments of the library that have another name."""


def as_typed(message: str, chosen: argparse.Namespace) -> str:
    """An error that begins with an argument, "g must be at least 2, got 1", names the option that has this value.

    A way out, "group_size=8", is an option that this command has. What stands for the data names the file, or the
    number that was given in its place; an argument in backticks is its option too.
    """
    asked = next((name for name in ARGUMENTS["group_size"] if hasattr(chosen, name)), "rollouts_per_group")
    message = as_options(message, group_size=asked.replace("_", "-"))
    message = re.sub(r"`(\w+)`", lambda x: f"--{x[1].replace('_', '-')}" if hasattr(chosen, x[1]) else x[0], message)
    found = re.match(r"(\w+) (must|needs) ", message)
    if found is None:
        return message
    file = getattr(chosen, "data", None)
    if found[1] in ("p", "data"):
        source = repr(file) if isinstance(file, str) else "--mean" if getattr(chosen, "mean", None) is not None else ""
        return (source or found[1]) + message[found.end(1) :]
    value = re.search(r", got ([^\s,]*[^\s,.])", message)
    names = [name for name in ARGUMENTS.get(found[1], (found[1],)) if hasattr(chosen, name)]
    typed = [name for name in names if value and value[1] in _shown(getattr(chosen, name))]
    alone = names if len(names) == 1 and names[0] not in COLUMNS else []
    return f"--{name.replace('_', '-')}{message[found.end(1) :]}" if (name := (*typed, *alone, "")[0]) else message


def _shown(values: Any) -> list[str]:
    """The values of an option, as errors show them."""
    several = values if isinstance(values, list | tuple) else [values]
    return [f"{x:g}" if isinstance(x, float) else str(x) for x in several if x is not None]


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


def add_page(parser: argparse.ArgumentParser) -> None:
    """The option --html."""
    parser.add_argument("--html", metavar="PATH", help="write a page that needs no network")


def show(chosen: argparse.Namespace, text: Any, summary: Mapping[str, Any], written: Sequence[Path]) -> None:
    """Print what was found, and for people what was written too."""
    print(json.dumps(summary) if chosen.json else text)
    if written and not chosen.json:
        print(f"\nWrote {visible(', '.join(map(str, written)))}.")


def write_page(path: str | None, results: Iterable[Result], source: str) -> list[Path]:
    """An HTML page of the results, where one was asked for."""
    if path is None:
        return []
    from rlsignal.plots import page

    place, text = Path(path), page.html(*results, source=Path(source).name)
    store.writable_folder(place.parent)
    store.write_atomically(place, lambda file: file.write(text.encode()))
    return [place]


def short_names(paths: Sequence[str]) -> list[str]:
    """The shortest names that tell the files apart: their stems, else their paths."""
    if len(set(map(str, map(Path, paths)))) < len(paths):
        raise ValueError(f"FILE must name different files, got {', '.join(paths)}.")
    stems = [Path(path).stem for path in paths]
    return stems if len(set(stems)) == len(stems) else list(paths)
