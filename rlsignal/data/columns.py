"""Which column is what, and the kind of a table: by the table of formats, else by the names of its columns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from rlsignal.data.courses import log_columns
from rlsignal.data.formats import Format
from rlsignal.data.guesses import by_names
from rlsignal.data.head import Head, decimal_comma, without_totals
from rlsignal.data.known import known_columns
from rlsignal.data.tables import Columns, Table, Wanted

KINDS = ("evaluation", "counts", "rates", "rollouts", "log")


def recognise(table: Table, rows: Sequence[tuple[int, Any]], wanted: Wanted, known: Format | None) -> Columns:
    """The kind of a table and its columns, from its first rows."""
    head = Head(table, without_totals(rows) if table.header is not None else rows)
    table.comma = table.comma or decimal_comma(head)
    columns = dict(wanted.columns)
    if known is not None and f"{columns.get('reward')} = " in f" | {known.reward}":
        wanted = replace(wanted, scorer=columns.pop("reward"))
    found = {idea: head.named(idea, name) for idea, name in columns.items() if "*" not in name}
    globs = {idea: name for idea, name in wanted.columns.items() if "*" in name}
    if known is not None and known.kind == "log" and wanted.kind in ("", "log"):
        return log_columns(head, wanted, found, known)
    if known is not None and wanted.kind not in ("log", "counts", "rates"):
        return known_columns(head, wanted, found, known)
    return by_names(head, wanted, found, globs)
