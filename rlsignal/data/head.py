"""The first rows of a table: what columns there are, and what they hold."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rlsignal.data.cells import COMMA, hashable, is_total, listed, missing, number, verdicts
from rlsignal.data.formats import bare, pattern, reach, shape
from rlsignal.data.names import (
    HINTS,
    KEYS,
    LOG_STEPS,
    NEVER_REWARDS,
    NOT_BY_NAME,
    NOT_KEYS,
    OF_SEVERAL,
    SYNONYMS,
)
from rlsignal.data.tables import Table, offers, some


class Head:
    """The first rows of a table: what columns there are, nested ones with dots, and what they hold."""

    def __init__(self, table: Table, rows: Sequence[tuple[int, Any]]) -> None:
        self.table, self.rows = table, rows
        self.header = table.header
        self.paths: dict[str, tuple[Any, ...]] = {}
        if table.header is not None:
            self.paths = {str(name): (i,) for i, name in reversed(list(enumerate(table.header)))}
            self.paths = dict(reversed(list(self.paths.items())))
        for _, row in rows:
            if table.header is None:
                for name, path in shape(row, lists=False).items():
                    self.paths.setdefault(name, path)
            else:
                for i, cell in enumerate(row):
                    if isinstance(cell, dict):
                        for name, path in shape(cell, lists=False).items():
                            self.paths.setdefault(f"{table.header[i]}.{name}", (i, *path))
        self.top = [name for name, path in self.paths.items() if len(path) == 1]
        self._cells: dict[str, list[Any]] = {}

    def cells(self, name: str) -> list[Any]:
        """What a column holds, as far as it is there."""
        if name not in self._cells:
            path = self.paths[name]
            if len(path) > 1:
                self._cells[name] = [x for _, row in self.rows if (x := reach(row, path)) is not None]
            elif self.header is None:
                self._cells[name] = [row[path[0]] for _, row in self.rows if path[0] in row]
            else:
                self._cells[name] = [row[path[0]] for _, row in self.rows]
        return self._cells[name]

    def first(self, patterns: Sequence[str], names: Sequence[str] | None = None) -> str | None:
        """The first column that any of the patterns names."""
        plain: dict[str, str] = {}
        for name in names if names is not None else self.paths:
            plain.setdefault(bare(name), name)
        for text in patterns:
            if "*" not in text:
                if bare(text) in plain:
                    return plain[bare(text)]
            else:
                found = [name for short, name in plain.items() if pattern(text).fullmatch(short)]
                if found:
                    return found[0]
        return None

    def all(self, text: str) -> dict[str, str]:
        """Columns of the first alternative that is there, by what its `*` stands for, or by their names."""
        for one in text.split(" | "):
            found = {}
            for name in self.paths:
                hit = pattern(one).fullmatch(bare(name))
                if hit:
                    found[hit[1] if hit.groups() else name] = name
            if found:
                return found
        return {}

    def named(self, idea: str, name: str) -> str:
        """The column that a caller names, whole or by its unambiguous end."""
        if name in self.paths:
            return name
        ends = [x for x in self.paths if x.endswith(f".{name}")]
        if len(ends) == 1:
            return ends[0]
        raise ValueError(f"{idea}={name!r} is no column of {self.table.name}; it has {some(self.top)}.")

    def fair_rewards(self, words: Mapping[str, int], but: Sequence[str | None] = ()) -> tuple[str, ...]:
        """Columns that may hold a binary reward, the likeliest first; never keys, answers or settings."""
        fair = []
        for name in self.paths:
            last = bare(name).rpartition(".")[2].rpartition("/")[2]
            if name in but or last in NEVER_REWARDS or last.endswith(NOT_BY_NAME) or last in KEYS:
                continue
            if any(x in bare(name) for x in OF_SEVERAL) or "@" in name or bare(name).startswith("val/"):
                continue
            cells = self.cells(name)
            if verdicts(cells, words):
                constant = len(cells) > 1 and len({str(x) for x in cells}) == 1
                if not constant or any(h in last for h in HINTS):
                    fair.append(name)
        return tuple(
            sorted(fair, key=lambda name: (len(self.paths[name]) > 1, not any(h in bare(name) for h in HINTS)))
        )

    def fair_keys(self) -> list[str]:
        """Columns by which rollouts may be grouped: known names first, then what repeats."""
        fair = []
        for name in self.paths:
            last, cells = bare(name).rpartition(".")[2], self.cells(name)
            if not cells or any(isinstance(x, dict | float | bool) for x in cells) or all(missing(x) for x in cells):
                continue
            if last in SYNONYMS["repeat"] or last in SYNONYMS["step"] or last in SYNONYMS["reward"]:
                continue
            if (
                "groups" in last
                or last.startswith(("num_", "n_", "len_"))
                or last.endswith(NOT_KEYS)
                or last in SYNONYMS["samples"]
            ):
                continue
            different = len({hashable(x) for x in cells})
            known = last in SYNONYMS["prompt"] or last in SYNONYMS["group"]
            if 1 < different < len(cells) and not verdicts(cells):
                fair.append((not known, len(self.paths[name]), name))
        return [x[-1] for x in sorted(fair)]


def without_totals(rows: Sequence[tuple[int, Any]]) -> Sequence[tuple[int, Any]]:
    """Rows without last ones that sum up the others, which say nothing of the columns.

    A column that begins with such a word, as a data set named "all", uses it for something else.
    """
    last = len(rows)
    fair = [i for i, cell in enumerate(rows[0][1]) if not is_total(cell)] if rows else []
    while last > 2 and any(is_total(rows[last - 1][1][i]) for i in fair):
        last -= 1
    return rows[:last]


def without_key(head: Head) -> ValueError:
    fair = head.fair_keys()
    way = (
        f"Name the column that does: {offers('prompt', fair)}, or"
        if fair
        else "Name the column that does with prompt= or group=, or"
    )
    log = (
        ", or kind='log' if each is the mean of a step" if head.first((*SYNONYMS["step"], *LOG_STEPS), head.top) else ""
    )
    return ValueError(
        f"{head.table.name} does not say which rollouts share a prompt; it has {some(head.top)}. {way} give "
        f"group_size= if the rows of a group follow each other{log}."
    )


def getter(path: Sequence[Any]) -> Callable[[Any], Any]:
    if len(path) == 1:
        key = path[0]

        def get(row: Any) -> Any:
            try:
                return row[key]
            except (KeyError, IndexError, TypeError):
                return None

        return get
    return lambda row: reach(row, path)


def numbers_in(cells: Sequence[Any]) -> tuple[float, ...]:
    """The different numbers in a column's first rows, ascending."""
    flat = [x for cell in cells for x in (listed(cell) or [cell])]
    return tuple(sorted({value for x in flat if (value := number(x)) is not None}))


def decimal_comma(head: Head) -> bool:
    """Whether any cell can only be read with a comma as the decimal sign."""
    if head.header is None:
        return False
    for _, row in head.rows[:64]:
        for cell in row:
            if isinstance(cell, str) and COMMA.fullmatch(cell.strip()):
                after = cell.strip().partition(",")
                if after[0].lstrip("+-").startswith("0") or len(after[2]) != 3:
                    return True
    return False


def constant(cells: list[Any]) -> bool:
    """Whether several rows all have the same value."""
    return len(cells) > 1 and len({hashable(x) for x in cells}) == 1


def all_differ(cells: list[Any]) -> bool:
    """Whether every row has a value of its own."""
    return 1 < len(cells) == len({hashable(x) for x in cells})


def in_unit(cell: Any) -> bool:
    """Whether a cell is missing or in [0, 1]."""
    value = number(cell)
    return missing(cell) or (value is not None and 0 <= value <= 1)
