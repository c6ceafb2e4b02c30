"""What a table is, what a caller may say of it, and what its cells say."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rlsignal.data.records import Note

WORDS = {"true": 1, "false": 0, "pass": 1, "fail": 0, "passed": 1, "failed": 0, "correct": 1, "incorrect": 0}
MET = {
    "missing": "{count} rollouts have no reward and are left out.",
    "minus one": "{count} rewards are -1, which is taken for missing; they are left out.",
    "rounded": "{count} rewards are within 1e-6 of 0 or 1 and are taken for them.",
    "scattered": "Rows of one group are not adjacent; they are counted by their key all the same.",
    "no counts": "{count} rows have no counts and are left out.",
    "no reward": "{count} rows have no mean reward, as evaluation rows do, and are left out.",
    "steps back": "Steps go back {count} times, as after a restart; what shares step and prompt is counted together.",
    "marked missing": "{count} entries are -1, which is taken for missing.",
}


@dataclass
class Table:
    """Rows and where they stand: `items` yields (place, row), a row being a mapping, or a sequence under `header`."""

    name: str
    unit: str  # what a place counts: "line", "record" or "row"
    items: Iterator[tuple[int, Any]]
    header: Sequence[str] | None = None
    step: int | None = None  # what the file's name says
    notes: list[Note] = field(default_factory=list)  # filled while the rows pass

    def at(self, place: int) -> str:
        """Such as "line 12 of run.jsonl"."""
        return f"{self.unit} {place} of {self.name}"


@dataclass(frozen=True)
class Wanted:
    """What the caller says of the data.

    columns : names of columns, by the idea they stand for (see `columns.SYNONYMS`).
    group_size : rollouts per prompt; without a key, consecutive rows are grouped by it.
    threshold : rewards above it count as correct.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    group_size: int | None = None
    threshold: float | None = None


@dataclass(frozen=True)
class Columns:
    """Which cell of a row is what: `key` maps an idea of `SYNONYMS` to what a row is indexed with."""

    kind: str  # "rollouts", "counts", "rates" or "log"
    key: Mapping[str, Any]
    names: Mapping[str, str]
    candidates: tuple[str, ...]  # columns that may hold a binary reward
    about: str = ""  # the column of which a log's spreads speak
    notes: tuple[Note, ...] = ()


class Collector:
    """What both kinds share: where something was met first, and how often."""

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.met: dict[str, list[Any]] = {}

    def meet(self, kind: str, where: str) -> None:
        self.met.setdefault(kind, [0, where])[0] += 1

    def noted(self, notes: list[Note]) -> list[Note]:
        """The given notes and those of what was met."""
        return notes + [Note(kind, MET[kind].format(count=n), where, n) for kind, (n, where) in self.met.items()]


def to_float(name: str, cell: Any, where: str) -> float:
    """A cell as a float, NaN where it is missing."""
    if missing(cell):
        return math.nan
    try:
        number = float(cell) if not isinstance(cell, list | dict | bytes) else math.inf
    except (TypeError, ValueError, OverflowError):
        number = math.inf
    if math.isinf(number):
        raise ValueError(f"{name} must be a number, got {shown(cell)} in {where}.")
    return number


def missing(cell: Any) -> bool:
    if isinstance(cell, str):
        return cell.strip().lower() in ("", "nan", "none", "null", "na", "n/a")
    return cell is None or (isinstance(cell, float | np.floating) and math.isnan(cell)) or str(cell) in ("<NA>", "NaT")


def hashable(key: Any) -> Any:
    """The same for equal chat messages, which are lists and cannot be keys themselves."""
    if isinstance(key, tuple):
        return tuple(map(hashable, key))
    try:
        hash(key)
    except TypeError:
        plain = key.tolist() if hasattr(key, "tolist") else key
        return json.dumps(plain, sort_keys=True, default=repr)
    return key


def has(row: Any, key: Any) -> bool:
    return key is not None and (key in row if isinstance(row, Mapping) else isinstance(key, int) and key < len(row))


def is_share(cell: Any) -> bool:
    try:
        return not isinstance(cell, list | dict) and 0 < float(cell) < 1
    except (TypeError, ValueError):
        return False


def is_bool(cell: Any) -> bool:
    return isinstance(cell, bool | np.bool_) or (isinstance(cell, str) and cell.strip().lower() in WORDS)


def binary(cells: list[Any]) -> bool:
    said = {str(x).strip().lower() for x in cells if not missing(x)}
    return bool(said) and said <= {"0", "1", "0.0", "1.0", "true", "false"}


def not_binary(name: str, number: float, where: str, candidates: Sequence[str], means: bool = False) -> str:
    """The refusal of a reward, with the ways out that this table has."""
    ways = [f"{offers(candidates)} may be"] if candidates else []
    ways += ["name one with reward="] if means else ["give threshold=, above which a reward counts as correct"]
    ways += ["or rate= if each is a prompt's share of correct samples"] if 0 < number < 1 and not means else []
    return (
        f"{name} must be {'in [0, 1]' if means else '0 or 1'}, got {number:g} in {where}. rlsignal reads binary "
        f"rewards: {'; '.join(ways)}."
    )


def offers(names: Sequence[str]) -> str:
    return " or ".join(f"reward={name[:40]!r}" for name in names[:6])


def listed(names: Sequence[str]) -> str:
    return ", ".join(str(name)[:40] for name in names[:12]) + (
        f" and {len(names) - 12} more" if len(names) > 12 else ""
    )


def label(parts: Mapping[str, Any]) -> str:
    return ", ".join(f"{idea} {shown(x)}" for idea, x in reversed(list(parts.items())))


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
