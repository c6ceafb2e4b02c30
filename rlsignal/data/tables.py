"""What a table is, what a caller may say of it, and how errors and notes speak of both."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rlsignal._validate import shown
from rlsignal.data.cells import WORDS, missing, number
from rlsignal.data.records import Note

NOTES = {
    "missing": "{count} rollouts have no reward and are left out.",
    "nan": "{count} rewards are NaN, which is no verdict; they are left out.",
    "marked missing": "{count} entries are -1, which is taken for missing.",
    "left out as asked": "{count} rewards have the value that `missing` names and are left out.",
    "rounded": "{count} rewards are within 1e-6 of 0 or 1 and are taken for them.",
    "scattered": "Rows of one group are not adjacent; they are counted by their key all the same.",
    "no counts": "{count} rows have no counts and are left out.",
    "no reward": "{count} rows have no mean reward, as evaluation rows do, and are left out.",
    "steps back": "Steps go back {count} times, as after a restart; what shares step and prompt is counted together.",
    "not asked for": "{count} rows belong to other than the `filter` that was asked for and are left out.",
    "total": "{count} rows are a total or a mean of the others and are left out.",
}


@dataclass
class Table:
    """Rows and where they stand: `items` yields (place, row), a row being a mapping, or a sequence under `header`."""

    name: str
    unit: str  # what a place counts: "line", "record" or "row"
    items: Iterator[tuple[int, Any]]
    header: Sequence[str] | None = None
    step: int | None = None  # what the file's name says
    dataset: str = ""  # what the file's name says
    unended: int = 0  # the place of a last line without a line end
    comma: bool = False  # whether a comma is the decimal sign
    of: str = ""  # what wrote it, where the file itself and not its columns says so
    rounds: bool = False  # whether its parser makes floats of integers above 2^64
    notes: list[Note] = field(default_factory=list)  # filled while the rows pass

    def at(self, place: int) -> str:
        """Such as "line 12 of run.jsonl"."""
        return f"{self.unit} {place} of {self.name}"


@dataclass(frozen=True)
class Wanted:
    """What the caller says of the data.

    columns : names of columns, by the idea they stand for (see `names.SYNONYMS`).
    kind : "evaluation", "counts", "rates", "rollouts" or "log"; empty where the data decides.
    samples : rollouts per prompt, as a number.
    group_size : rollouts per prompt; without a key, consecutive rows are grouped by it.
    groups : groups behind each row of a log.
    threshold : rewards above it count as correct.
    missing : the reward that stands for none.
    scorer, filter : which of several verdicts of a response, and which of several filters, runs or sections.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""
    samples: int | None = None
    group_size: int | None = None
    groups: int | None = None
    threshold: float | None = None
    missing: float | None = None
    scorer: str | None = None
    filter: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What was said, as arguments of `read`."""
        names = ("kind", "samples", "group_size", "groups", "threshold", "missing", "scorer", "filter")
        said = {name: getattr(self, name) for name in names if getattr(self, name) not in (None, "")}
        return {**self.columns, **said}


@dataclass(frozen=True)
class Columns:
    """Which cell of a row is what: `key` maps an idea to what a row is indexed with."""

    kind: str  # "rollouts", "counts", "rates" or "log"
    key: Mapping[str, Any]
    names: Mapping[str, str]
    format: str = ""  # what wrote it, as the table of formats knows it
    candidates: tuple[str, ...] = ()  # columns that may hold a binary reward
    values: tuple[float, ...] = ()  # what the reward holds in the first rows, where it is numbers
    words: Mapping[str, int] = field(default_factory=lambda: WORDS)
    other: int | None = None  # what an unknown word counts as
    alone: bool = False  # whether each prompt stands once in the first rows
    apart: tuple[str, ...] = ()  # columns that tell rows of one prompt apart
    summed: bool = False  # whether a list of rewards is the parts of one rollout
    ambiguous: bool = False  # whether `repeat` was guessed from its name
    samples: int | None = None  # of each prompt, where the format fixes it
    about: str = ""  # the column of which a log's degenerate groups speak, where it is not its mean
    notes: tuple[Note, ...] = ()
    project: Callable[[int, Any], Any] | None = None  # makes a row that `key` indexes, where columns are nested


class Rounded(ValueError):
    """An id that the fastest JSON parser may have rounded: the source is read again by the exact one."""


class NotRows(ValueError):
    """A file that holds no rows of rollouts: refused alone, skipped beside others in a folder."""


class Collector:
    """What both kinds share: where something unusual was first seen, and how often."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.seen: dict[str, list[Any]] = {}

    def note(self, kind: str, where: str) -> None:
        """Count something unusual."""
        self.seen.setdefault(kind, [0, where])[0] += 1

    def noted(self, notes: list[Note]) -> list[Note]:
        """The given notes and those of what was seen."""
        return notes + [Note(kind, NOTES[kind].format(count=n), where, n) for kind, (n, where) in self.seen.items()]


def to_float(name: str, cell: Any, where: str, *, comma: bool = False) -> float:
    """A cell as a float, NaN where it is missing."""
    if missing(cell):
        return float("nan")
    value = number(cell, comma=comma)
    if value is None:
        raise ValueError(f"{name} must be a number, got {shown(cell)} in {where}.")
    return value


def has(row: Any, key: Any) -> bool:
    """Whether a row has a cell."""
    return key is not None and (key in row if isinstance(row, Mapping) else isinstance(key, int) and key < len(row))


def offers(idea: str, names: Sequence[Any]) -> str:
    """Ways out: arguments of `read`, which the command line rewrites as its options."""
    short = [name for name in names if len(str(name)) <= 120] or [str(name)[:120] for name in names[:1]]
    return " or ".join(f"{idea}={name!r}" for name in short[:6])


def some(names: Sequence[Any]) -> str:
    """The first names of many."""
    return ", ".join(str(name)[:40] for name in names[:12]) + (
        f" and {len(names) - 12} more" if len(names) > 12 else ""
    )


def label(parts: Mapping[str, Any]) -> str:
    """An entry in a note: prompt 'p7', step 3."""
    return ", ".join(f"{idea} {shown(x)}" for idea, x in reversed(list(parts.items())))
