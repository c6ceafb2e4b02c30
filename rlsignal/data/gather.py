"""What rows look like in the wild, and what they count. Opens nothing: tables of rows in, `records` out.

A table is recognised by its columns, through one table of synonyms, from its first rows; then every row is counted as
it passes and forgotten. What a row may be: one rollout, a prompt's counts, a prompt's share of correct samples, or a
line of a training log. Whatever else is met is refused with its place, or noted; nothing is dropped in silence.
"""

from collections.abc import Iterable

from rlsignal.data.counts import Tally
from rlsignal.data.formats import recognise
from rlsignal.data.logs import Log
from rlsignal.data.nesting import peek
from rlsignal.data.records import Note, Rollouts, TrainingLog
from rlsignal.data.tables import Table, Wanted

__all__ = ["Table", "Wanted", "gather"]


def gather(tables: Iterable[Table], wanted: Wanted) -> Rollouts | TrainingLog:
    """Count every row of every table.

    Raises
    ------
    ValueError : what is refused, with its place and the way out.
    """
    collected: Tally | Log | None = None
    notes: list[Note] = []
    empty, files, kind, first = [], 0, "", ""
    for table in tables:
        head, rows = peek(table, wanted)
        if not head:
            empty.append(table.name)
            notes += table.notes
            continue
        columns = recognise(table, head, wanted)
        if collected is None:
            kind, first = columns.kind, table.name
            collected = Log(wanted) if kind == "log" else Tally(wanted)
        elif columns.kind != kind:
            raise ValueError(
                f"{table.name} and what was read before it are of two kinds, {columns.kind} and {kind}. Read them one "
                "at a time."
            )
        files += 1
        collected.add(table, rows, columns)
        notes += [*columns.notes, *table.notes]
    if collected is None:
        raise ValueError(f"{', '.join(empty) or 'the folder'} holds no rows. Check that the run wrote any.")
    notes += [Note("empty", f"{len(empty)} files hold no rows.", empty[0], len(empty))] if empty else []
    notes += [Note("files", f"{files} files are counted together.", first, files)] if files > 1 else []
    return collected.result(notes)
