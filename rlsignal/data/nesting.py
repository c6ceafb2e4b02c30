"""Rows inside nested values: reports, mappings from prompts to lists, frames written column by column."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from typing import Any

from rlsignal._validate import shown
from rlsignal.data.cells import missing, number, share, verdict
from rlsignal.data.formats import Format, bare, inside, match
from rlsignal.data.names import HINTS, SYNONYMS, UNIT, is_share_name
from rlsignal.data.tables import NotRows, Table, Wanted, some

PEEK = 256  # rows from which a table is recognised
DEEPEST = 8  # nested values looked into
KEYED = {*SYNONYMS["prompt"], *SYNONYMS["group"]}
TELLING = {*SYNONYMS["reward"], *SYNONYMS["correct"], *SYNONYMS["mean"]}


def peek(table: Table, wanted: Wanted) -> tuple[list[tuple[int, Any]], Iterator[tuple[int, Any]], Format | None]:
    """The first rows, all rows, and their format. Values without columns of their own are unfolded into rows."""
    items = table.items
    head = list(islice(items, PEEK))
    if not head:
        return head, iter(()), None
    if table.header is None and any(isinstance(value, Mapping) for _, value in head):
        for place, value in head:
            if not isinstance(value, Mapping | list):
                raise ValueError(f"a row must be an object with columns, got {shown(value)} in {table.at(place)}.")
    known = match([value for _, value in head[:16]], table.of) if table.header is None else _of_header(table, head)
    if known is not None and known.refuse:
        raise NotRows(f"{table.name} is {known.name}, which {known.refuse}.")
    if table.header is not None:
        return head, chain(head, items), known
    if known is not None and known.rows:
        steps = known
        return *_flat(table, head, items, lambda place, value: inside(value, steps)), known
    values = [value for _, value in head]
    if any(_table_of(value) is not None for value in values[:1]):
        head, items = _flat(table, head, items, lambda place, value: _table_of(value) or iter(()))
        return head, items, match([value for _, value in head[:16]])
    if all(isinstance(value, dict) and len(_exploded(value, wanted)) != 1 for value in values):
        head, items = _flat(table, head, items, lambda place, value: iter(_exploded(value, wanted)))
        return head, items, match([value for _, value in head[:16]]) or known
    own = [value for value in values if is_row(value, wanted)]
    if known is not None:
        return head, chain(head, items), known
    settled = wanted.threshold is not None or wanted.missing is not None
    if len(values) > 1 and all(map(is_numbers, values)) and (settled or any(map(is_verdicts, values))):
        # a matrix: rows that hold anything but 0 and 1 are asked about, and never passed over
        head, items = _flat(table, head, items, lambda place, value: iter([{"prompt": place, "reward": value}]))
        return head, items, known
    if not own or _Nested(wanted).sum_up(own):
        deep = bool(own)
        if len(values) > 1 and not deep and all(isinstance(value, dict) for value in values):
            inner = [len(list(islice(unfold(value, wanted, {}, depth=1), 2))) for value in values[:16]]
            if max(inner) < 2:  # each is a row of its own, perhaps with nested columns
                return head, chain(head, items), known
        depth = int(len(values) > 1)
        rows_of = partial(unfold, wanted=wanted, outer={}, deep=deep, depth=depth)
        head, items = _flat(table, head, items, lambda place, value: rows_of(value, key=place))
        if not head:
            raise _unknown(table, values)
        known = match([value for _, value in head[:16]]) or known
    return head, chain(head, items) if not isinstance(items, chain) else items, known


def _flat(table: Table, head: list[tuple[int, Any]], items: Any, rows_of: Any) -> tuple[list[tuple[int, Any]], Any]:
    """The rows of nested values, and the first of them."""
    alone = len(head) == 1
    nested = ((place, row) for place, value in chain(head, items) for row in rows_of(place, value))
    if alone:  # one report: its rows are what has places
        table.unit = "record"
    rows = enumerate((row for _, row in nested), 1) if alone else nested
    first = list(islice(rows, PEEK))
    if not first and alone:
        raise _unknown(table, [value for _, value in head])
    return first, chain(first, rows)


def _of_header(table: Table, head: Sequence[tuple[int, Any]]) -> Format | None:
    """The format of a table with a header."""
    rows = [dict(zip(map(str, table.header or ()), row, strict=False)) for _, row in head[:16]]
    return match(rows, table.of)


def _unknown(table: Table, values: Sequence[Any]) -> NotRows:
    """What to say of a file without rows."""
    plain = [f"{key}: {x}" for value in values[:1] if isinstance(value, dict) for key, x in _leaves(value)]
    if plain:
        return NotRows(
            f"{table.name} has no rows that are recognised, only averages or settings such as {some(plain[:4])}. Read "
            "the file with a verdict for every response, or with counts for every prompt."
        )
    return NotRows(
        f"{table.name} has no rows that are recognised: a reward column such as {', '.join(SYNONYMS['reward'][:6])}, "
        "or lists of 0 and 1 per prompt. If its columns have other names, give them: prompt=, reward=."
    )


def _leaves(value: Mapping[str, Any], depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, x in value.items():
        if isinstance(x, int | float) and not isinstance(x, bool):
            yield str(key), x
        elif isinstance(x, dict) and depth < 4:
            yield from _leaves(x, depth + 1)


def _table_of(value: Any) -> Iterator[dict[str, Any]] | None:
    """The rows of a table written as {"columns": names, "data": rows}, or as {column: {index: cell}}."""
    if not isinstance(value, dict):
        return None
    names, data = value.get("columns"), value.get("data")
    if (
        isinstance(names, list)
        and isinstance(data, list)
        and all(isinstance(x, list) and len(x) == len(names) for x in data)
    ):
        return (dict(zip(map(str, names), row, strict=True)) for row in data)
    columns = list(value.values())
    alike = len(columns) > 1 and all(isinstance(x, dict) and x and x.keys() == columns[0].keys() for x in columns)
    if alike and "0" in columns[0] and any(bare(name) in KEYED or _tells(name) for name in value):
        return ({name: cells[index] for name, cells in value.items()} for index in columns[0])
    return None


def _exploded(row: Mapping[str, Any], wanted: Wanted) -> list[dict[str, Any]]:
    """One row, or many where each column is a list of the same length: a frame written column by column."""
    lists = {name: x for name, x in row.items() if isinstance(x, list | tuple) or _is_array(x)}
    keys = {wanted.columns.get(idea) for idea in UNIT} | {*KEYED, *SYNONYMS["step"], *SYNONYMS["repeat"]}
    sizes = {len(x) for x in lists.values()}
    if len(sizes) == 1 and len(lists) > 1:
        by = [x for name, x in lists.items() if bare(name) in keys or name in keys]
        if by and not any(isinstance(one, dict) for x in by for one in x):
            once = {name: x for name, x in row.items() if name not in lists and not isinstance(x, dict)}
            return [once | dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)]
    return [dict(row)]


def _is_array(value: Any) -> bool:
    return hasattr(value, "tolist") and getattr(value, "ndim", 0) > 0


def unfold(
    value: Any, wanted: Wanted, outer: Mapping[str, Any], key: Any = None, *, deep: bool = False, depth: int = 0
) -> Iterator[dict[str, Any]]:
    """The rows inside a nested value, each with the plain fields of what encloses it; `deep` prefers inner rows.

    Lists without a name are rewards only where a mapping from prompts holds nothing else, or where they are the rows of
    a matrix.

    >>> from rlsignal.data.nesting import unfold
    >>> from rlsignal.data.tables import Wanted
    >>> list(unfold({"a": [True, False], "b": [True, True]}, Wanted(), {}))
    [{'prompt': 'a', 'reward': [True, False]}, {'prompt': 'b', 'reward': [True, True]}]
    """
    return _Nested(wanted).rows(value, outer, key, deep=deep, depth=depth)


class _Nested:
    """One nested value. What is inside of its parts is asked again and again, and is remembered: a walk of each level
    for every level above it would take time with a power of the depth.
    """

    def __init__(self, wanted: Wanted) -> None:
        self.wanted = wanted
        self.first: dict[tuple[int, int], dict[str, Any] | None] = {}  # by what and at which depth

    def rows(
        self, value: Any, outer: Mapping[str, Any], key: Any = None, *, deep: bool = False, depth: int = 0
    ) -> Iterator[dict[str, Any]]:
        """See `unfold`."""
        wanted = self.wanted
        if depth > DEEPEST:
            return
        if isinstance(value, list):
            rows = [item for item in value if is_row(item, wanted)]
            sums = self.sum_up(rows)
            if depth < 2 and value and all(is_verdicts(x) for x in value) and _may_be_rewards(key):
                yield from ({**outer, "prompt": i, "reward": x} for i, x in enumerate(value))
            elif depth < 2 and not rows and is_verdicts(value) and not isinstance(key, str):
                yield {**outer, "prompt": key, "reward": value}
            elif rows and not sums:
                yield from ({**outer, **item} for item in value if isinstance(item, dict))
            else:
                for place, item in enumerate(value):
                    if isinstance(item, dict):
                        yield from self.rows(item, outer, place, deep=sums, depth=depth + 1)
        elif isinstance(value, dict):
            if is_row(value, wanted) and not (self.has_inner(value, depth) if deep else self.sum_up([value], depth)):
                yield from ({**outer, **row} for row in _exploded(value, wanted))
            elif _maps_prompts(value):
                yield from _of_prompts(value, outer)
            else:
                plain = {name: x for name, x in value.items() if not isinstance(x, dict | list)}
                inner = {name: x for name, x in value.items() if isinstance(x, dict | list)}
                first = {name: self.first_row(x, depth + 1) for name, x in inner.items()}
                keyed = {name for name, row in first.items() if row and any(bare(column) in KEYED for column in row)}
                if keyed:  # single rows without a key beside them are averages
                    inner = {name: x for name, x in inner.items() if name in keyed or not _is_one_row(x, wanted)}
                several = sum(first[name] is not None for name in inner) > 1
                for name, x in inner.items():
                    by_name = {}
                    if several and first[name] is not None:
                        own = not _is_one_row(x, wanted) and name in keyed
                        by_name = {"section" if own else "key": name}
                    yield from self.rows(x, {**outer, **plain, **by_name}, name, deep=deep, depth=depth + 1)

    def first_row(self, value: Any, depth: int) -> dict[str, Any] | None:
        """The first row inside, if any."""
        at = id(value), depth
        if at not in self.first:
            self.first[at] = next(self.rows(value, {}, depth=depth), None)
        return self.first[at]

    def has_inner(self, row: Mapping[str, Any], depth: int = 0) -> bool:
        """Whether rows are nested in a row."""
        inside = [x for x in row.values() if isinstance(x, dict | list) and not is_numbers(x)]
        return any(self.first_row(x, max(depth + 1, 2)) is not None for x in inside)

    def sum_up(self, rows: list[Any], depth: int = 0) -> bool:
        """Whether rows are summaries of the rows nested in them: they name no prompt, or their rewards are means."""

        def is_summary(row: Mapping[str, Any]) -> bool:
            cells = [x for name, x in row.items() if bare(name) in SYNONYMS["reward"] or is_share_name(name)]
            keyed = any(bare(name) in KEYED for name in row)
            plain = [x for x in cells if not isinstance(x, dict)]
            fair = bool(plain) and all(missing(x) or isinstance(x, list) or verdict(x) is not None for x in plain)
            return not keyed or not fair

        return depth < 6 and any(is_summary(row) and self.has_inner(row, depth) for row in rows[:PEEK])


def _may_be_rewards(key: Any) -> bool:
    """Whether a matrix of 0 and 1 of this name may be of rewards, and not of masks or of failing tests."""
    name = bare(key) if isinstance(key, str) else "results"
    return _tells(name) or name in ("results", "data", "matrix", "outcomes") or any(hint in name for hint in HINTS)


def _is_one_row(value: Any, wanted: Wanted) -> bool:
    return isinstance(value, dict) and is_row(value, wanted) and len(_exploded(value, wanted)) == 1


def _maps_prompts(value: Mapping[str, Any]) -> bool:
    """Whether it maps prompts to lists of 0 and 1 or of shares, or to shares, and is no row."""
    cells = list(value.values())
    if len(cells) < 2 or any(bare(name) in KEYED or _tells(name) for name in value):
        return False
    if all(isinstance(x, list) and x for x in cells):
        return all(is_verdicts(x) for x in cells) or all(in_unit_list(x) for x in cells)
    if len(cells) >= 8 and all(
        not isinstance(x, bool | str) and (share(x) or x in (0, 1)) for x in cells if not isinstance(x, dict | list)
    ):
        return not any(isinstance(x, dict | list) for x in cells) and any(share(x) for x in cells)
    return False


def _of_prompts(value: Mapping[str, Any], outer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    lists = isinstance(next(iter(value.values())), list)
    shares = any(share(x) for cell in value.values() for x in (cell if lists else [cell]))
    for name, cell in value.items():
        if not lists:
            yield {**outer, "prompt": name, "pass_rate": cell}
        elif shares:  # k/n each, one for each visit of the prompt
            yield from ({**outer, "prompt": name, "visit": i, "pass_rate": x} for i, x in enumerate(cell, 1))
        else:
            yield {**outer, "prompt": name, "reward": cell}


def _tells(name: Any) -> bool:
    """Whether a column of this name says how rollouts went."""
    return bare(name) in TELLING or is_share_name(name)


def is_row(value: Any, wanted: Wanted) -> bool:
    """Whether it has a column that says how rollouts went."""
    if not isinstance(value, Mapping):
        return False
    telling = {wanted.columns.get(idea) for idea in ("reward", "correct", "rate")}
    names = {bare(name) for name in value}
    if names & {"completion", "advantage", "advantages"} and names.intersection(SYNONYMS["prompt"]):
        return True  # its reward has a name of its own
    return any(
        (name in telling or _tells(name))
        and (not isinstance(cell, dict | list) or (isinstance(cell, list) and is_numbers(cell)))
        for name, cell in value.items()
    )


def is_numbers(value: Any) -> bool:
    """Whether it is a list of numbers, some perhaps missing."""
    return isinstance(value, list) and all(x is None or isinstance(x, int | float) for x in value)


def is_verdicts(value: Any) -> bool:
    """Whether it is a list of 0 and 1."""
    return is_numbers(value) and bool(value) and all(x is None or number(x) in (0, 1) for x in value)


def in_unit_list(value: Any) -> bool:
    """Whether it is a list of shares."""
    return is_numbers(value) and bool(value) and all(x is None or 0 <= x <= 1 for x in value)
