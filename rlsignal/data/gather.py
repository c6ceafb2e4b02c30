"""Tables in, `records` out: each recognised from its first rows, then counted row by row. Opens nothing.

Whatever is unusual is refused with its place, or noted; nothing is dropped in silence.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from rlsignal.data.cells import LETTERS
from rlsignal.data.columns import recognise
from rlsignal.data.counts import Tally
from rlsignal.data.logs import Log
from rlsignal.data.names import UNIT
from rlsignal.data.nesting import peek
from rlsignal.data.records import Note, Rollouts, TrainingLog
from rlsignal.data.tables import Columns, NotRows, Table, Wanted


def gather(tables: Iterable[Table], wanted: Wanted, *, several: bool = False) -> Rollouts | TrainingLog:
    """Count every row of every table; of `several`, those that hold no rollouts are named and left out.

    Raises
    ------
    ValueError : what is refused, with its place and the way out.
    """
    collected: Tally | Log | None = None
    notes: list[Note] = []
    empty, files, kind, first = [], 0, "", ""
    read_as: dict[str, Columns] = {}
    foreign: list[tuple[str, ValueError]] = []
    for table in tables:
        try:
            head, rows, known = peek(table, wanted)
            if not head:
                empty.append(table.name)
                notes += table.notes
                continue
            columns = recognise(table, head, wanted, known)
        except NotRows as error:
            if not several:
                raise
            foreign.append((table.name, error))
            continue
        if collected is None:
            kind, first = columns.kind, table.name
            collected = Log(wanted) if kind == "log" else Tally(wanted)
        elif columns.kind != kind and "log" in (columns.kind, kind):
            raise ValueError(
                f"{table.name} and what was read before it are of two kinds, {columns.kind} and {kind}. Read them one "
                "at a time."
            )
        files += 1
        if columns.project is not None:
            rows = _projected(rows, columns.project)
        collected.add(table, rows, columns)
        notes += [*columns.notes, *table.notes]
        if table.unended and table.header and table.header[-1] in columns.names.values():
            text = "The last line has no line end, and may be cut short."
            notes.append(Note("no line end", text, table.at(table.unended)))
        read_as.setdefault(sentence(columns, wanted), columns)
    if collected is None:
        if foreign:
            raise foreign[0][1]
        raise NotRows(f"{', '.join(empty) or 'the folder'} holds no rows. Check that the run wrote any.")
    notes += [Note("empty", f"{len(empty)} files hold no rows.", empty[0], len(empty))] if empty else []
    if foreign:
        text = f"{len(foreign)} files hold no rollouts and are left out."
        notes.append(Note("left out", text, foreign[0][0], len(foreign)))
    notes += [Note("files", f"{files} files are counted together.", first, files)] if files > 1 else []
    _refuse_idle(wanted, list(read_as.values()))
    result = collected.result(notes)
    columns = next(iter(read_as.values()))
    return replace(
        result,
        read_as="; and ".join(read_as) + _size(result, wanted),
        options=tuple(options(columns, wanted, result).items()),
    )


def _projected(rows: Iterator[tuple[int, Any]], project: Callable[[int, Any], Any]) -> Iterator[tuple[int, Any]]:
    return ((place, project(place, row)) for place, row in rows)


IDLE = {
    "rollouts": ("groups", "degenerate"),
    "counts": ("threshold", "missing", "groups", "scorer", "filter", "degenerate"),
    "rates": ("threshold", "missing", "groups", "scorer", "filter", "degenerate"),
    "log": ("threshold", "missing", "prompt", "repeat", "dataset", "group", "checkpoint", "correct", "rate"),
}
"""What of `Wanted` has nothing to act on, by what the rows are."""


def _refuse_idle(wanted: Wanted, read_as: Sequence[Columns]) -> None:
    """An error for an option that did nothing, for whoever gave it expects that it did."""
    said = wanted.options
    acted = {idea for columns in read_as if columns.format or "filter" in columns.key for idea in ("scorer", "filter")}
    for name, value in said.items():
        if name not in acted and all(name in IDLE[columns.kind] for columns in read_as):
            what = " and ".join(dict.fromkeys(TITLES[columns.kind] for columns in read_as))
            raise ValueError(f"{name} must have something to act on, got {value!r} for {what}. Leave it out.")


TITLES = {
    "rollouts": "a row a rollout",
    "counts": "counts per prompt",
    "rates": "shares of correct samples per prompt",
    "log": "training log",
}


def sentence(columns: Columns, wanted: Wanted) -> str:
    """What was read, and which column is what: "Inspect log; prompt `id`, repeat `epoch`, reward `match` (C = 1)"."""
    names = dict(columns.names)
    if columns.kind == "log":
        ideas: tuple[str, ...] = ("step", "mean", "degenerate", "group_std", "samples", "group_size")
    elif columns.kind == "rollouts":
        ideas = (*UNIT, "reward")
    else:
        ideas = (*UNIT, "correct", "wrong", "rate", "samples")
    titles = {"dataset": "data set", "wrong": "incorrect", "rate": "share", "group_std": "s.d. in groups"}
    parts = []
    for idea in ideas:
        if idea not in names:
            continue
        text = f"{titles.get(idea, idea.replace('_', ' '))} `{names[idea]}`"
        if idea == "reward":
            text += _rule(columns, wanted)
        if idea == "mean" and "mean" not in columns.key:
            text += " (a sum; not used)"
        parts.append(text)
    if columns.kind != "log" and "prompt" not in names and "group" not in names:
        of_rows = columns.kind == "rollouts"
        parts.insert(0, f"every {wanted.group_size} rows a group" if of_rows else "every row a prompt")
    if columns.kind in ("counts", "rates") and "samples" not in names and columns.samples:
        parts.append(f"{columns.samples} samples each")
    return f"{columns.format or TITLES[columns.kind]}; {', '.join(parts)}"


def _rule(columns: Columns, wanted: Wanted) -> str:
    """How a cell became 0 or 1, where it was not one."""
    if wanted.threshold is not None:
        return f" (above {wanted.threshold:g} = 1)"
    if columns.summed:
        return " (the sum of a rollout's list)"
    if "0" in columns.words:
        return " (OK = 1)"
    return " (C = 1)" if columns.words.keys() >= LETTERS.keys() else ""


def _size(result: Rollouts | TrainingLog, wanted: Wanted) -> str:
    """The group size of a log and where it comes from."""
    if not isinstance(result, TrainingLog):
        return ""
    if result.group_size is None:
        return f"; {NOT_STATED}"
    known = any(note.kind == "group size" for note in result.notes)
    how = "as given" if wanted.group_size else "inferred from its fractions" if known else "as logged"
    return f"; groups of {result.group_size}, {how}"


NOT_STATED = "group size not stated"


def with_group_size(read_as: str, g: int) -> str:
    """What was read, where the group size that the data does not state is given afterwards."""
    return read_as.replace(NOT_STATED, f"groups of {g}, as given")


def options(columns: Columns, wanted: Wanted, result: Rollouts | TrainingLog) -> dict[str, Any]:
    """Arguments of `read` that leave nothing to guess."""
    said = dict(wanted.options)
    if columns.kind == "log":
        ideas: tuple[str, ...] = ("step", "degenerate") if " " not in columns.names.get("degenerate", "") else ("step",)
        said |= {idea: columns.names[idea] for idea in ideas if idea in columns.names and idea not in said}
        if "mean" in columns.key:
            said.setdefault("reward", columns.names["mean"])
        if isinstance(result, TrainingLog) and result.group_size:
            said["group_size"] = result.group_size
    else:
        for idea in (*UNIT, "reward", "correct", "rate", "samples"):
            name = columns.names.get(idea)
            if name and not (idea == "reward" and " to " in name) and " and " not in name and name != "each row":
                said.setdefault(idea, name)
        equal = isinstance(result, Rollouts) and len(set(result.samples.tolist())) == 1
        if equal and columns.kind == "rates" and not said.get("samples"):
            said["samples"] = int(result.samples[0])
    if not columns.format:
        said.setdefault("kind", columns.kind)
    return said
