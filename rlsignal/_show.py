"""How values show themselves: one list of parts, printed as text within 100 columns and shown as HTML in a notebook.

`Shown` is anything with a face; `Result` is one that the library hands back, and that `rlsignal.save` can keep.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from html import escape
from typing import Any, ClassVar

import numpy as np

COLUMNS = 100
"""The widest printed line."""


@dataclass(frozen=True)
class Table:
    """A part that is a table: cells are text; the first column is left-aligned, the rest right-aligned.

    marked : the row that was asked about, if any.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: int | None = None

    def __str__(self) -> str:
        table = [[visible(cell) for cell in cells] for cells in (self.head, *self.rows)]
        columns = list(zip(*table, strict=True))
        widths = [max(map(len, column)) for column in columns]
        lines = []
        for i, cells in enumerate(table):
            first, *rest = (
                cell.ljust(width) if j == 0 else cell.rjust(width)
                for j, (cell, width) in enumerate(zip(cells, widths, strict=True))
            )
            mark = "" if self.marked is None else "> " if i - 1 == self.marked else "  "
            lines.append("  ".join([mark + first, *rest]).rstrip())
        return "\n".join(lines)

    def html(self) -> str:
        """The same table as HTML."""
        head = "".join(f"<th>{escape(visible(cell))}</th>" for cell in self.head)
        rows = (
            f"<tr{' class=marked style=font-weight:bold' if i == self.marked else ''}>"
            + "".join(f"<td>{escape(visible(cell))}</td>" for cell in row)
            + "</tr>"
            for i, row in enumerate(self.rows)
        )
        return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


Part = str | Table


class Shown:
    """A dataclass with a face: `print` and a notebook show its parts, `repr` its first sentence.

    Subclasses say what to show in `_parts`, and are declared with repr=False. Without `_parts` the fields are listed.
    """

    def _parts(self) -> Iterable[Part]:
        yield Table(("field", "value"), [(name, brief(value)) for name, value in _fields(self)])

    def __str__(self) -> str:
        return "\n".join(str(part) if isinstance(part, Table) else wrapped(part) for part in self._parts())

    def __repr__(self) -> str:
        sentences = (part for part in self._parts() if isinstance(part, str) and part)
        first = next((part for part in sentences if not part.startswith("read as: ")), None)
        if first is None:
            first = ", ".join(f"{name}={brief(value)}" for name, value in _fields(self))
        return f"<{type(self).__name__}: {textwrap.shorten(visible(first), 300)}>"

    def _repr_html_(self) -> str:
        return "\n".join(
            part.html() if isinstance(part, Table) else f"<p>{escape(visible(part))}</p>"
            for part in self._parts()
            if part
        )


class Result(Shown):
    """A result: it shows itself, and `save` keeps it under the name of its class.

    axes : the shapes of its arrays, as letters: {"outcome": "G B Y X D"}. A letter is one length throughout.
    """

    kinds: ClassVar[dict[str, type["Result"]]] = {}
    axes: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        known = Result.kinds.get(cls.__name__)
        if known is not None and known.__module__ != cls.__module__:
            raise TypeError(f"two results are called {cls.__name__}, in {known.__module__} and {cls.__module__}.")
        Result.kinds[cls.__name__] = cls


def wrapped(text: str) -> str:
    """A sentence in lines of 100 columns; what follows the first line of a numbered or listed one is indented."""
    text = visible(text)
    start = text.lstrip(" ")
    indent = " " * (len(text) - len(start))
    label = start.split(" ", 1)[0]
    hanging = indent + " " * (len(label) + 1) if label == "-" or label.removesuffix(".").isdecimal() else indent
    return textwrap.fill(
        text, COLUMNS, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )


def visible(text: str) -> str:
    """Text with what a terminal would obey, or could not write, as escapes: names come from other people's files."""
    return text if text.isprintable() else "".join(x if x.isprintable() else _escaped(x) for x in text)


def _escaped(character: str) -> str:
    return character if character in "\n\u00a0" else character.encode("unicode_escape").decode()


def figure(number: float) -> str:
    """A number in a table: three decimals; a small one keeps two digits."""
    if np.isnan(number):
        return "-"
    if number == 0:
        return "0.000"  # and not -0.000
    return f"{number:.3f}" if abs(number) >= 0.0095 or not np.isfinite(number) else f"{number:.2g}"


def signed_figure(number: float, digits: int = 3) -> str:
    """A difference in a table, with its sign; what rounds to nothing has none."""
    if np.isnan(number):
        return "-"
    return f"{number:+.{digits}f}" if round(number, digits) else f"{0:.{digits}f}"


def _fields(value: Any) -> list[tuple[str, Any]]:
    return [(field.name, getattr(value, field.name)) for field in fields(value)]


def plain(number: float) -> float | None:
    """For JSON, which has neither NaN nor infinity: None."""
    return float(number) if np.isfinite(number) else None


def brief(value: Any) -> str:
    """A value in a few words: arrays by their shape, long ones shortened."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"array {list(value.shape)}"
    if isinstance(value, float | np.floating):
        return f"{value:.6g}"
    if isinstance(value, tuple | list) and len(value) > 3:
        return f"{len(value)} of {type(value[0]).__name__}"
    return textwrap.shorten(str(value), 80)
