"""Rows inside nested values: reports, mappings from prompts to lists, frames written column by column."""

from collections.abc import Iterator, Mapping
from itertools import chain, islice
from typing import Any

from rlsignal.data.formats import SYNONYMS, UNIT, bare
from rlsignal.data.tables import Table, Wanted, binary, is_share

PEEK = 256  # rows from which a table is recognised


def peek(table: Table, wanted: Wanted) -> tuple[list[tuple[int, Any]], Iterator[tuple[int, Any]]]:
    """The first rows, and all rows. Values without columns of their own are unfolded into rows."""
    items = table.items
    head = list(islice(items, PEEK))
    own = [value for _, value in head if is_row(value, wanted)]
    columnwise = len(head) == len(own) == 1 and len(list(islice(_columnwise(own[0], wanted), 2))) > 1
    if head and table.header is None and (not own or columnwise or _sums_up(own, wanted)):
        values = chain(head, items)
        items = ((place, row) for place, value in values for row in unfold(value, wanted, {}, place, bool(own)))
        if len(head) == 1:  # one report: its rows are what has places
            table.unit, items = "record", enumerate((row for _, row in items), 1)
        head = list(islice(items, PEEK))
        if not head:
            raise ValueError(
                f"{table.name} has no rows that are recognised: a reward column such as "
                f"{', '.join(SYNONYMS['reward'][:6])}, or lists of 0 and 1 per prompt. If its columns have other "
                "names, give them: prompt=, reward=."
            )
    return head, chain(head, items)


def unfold(
    value: Any, wanted: Wanted, outer: Mapping[str, Any], key: Any = None, deep: bool = False
) -> Iterator[dict[str, Any]]:
    """The rows inside a nested value, each with the plain fields of what encloses it; `deep` prefers inner rows.

    >>> list(unfold({"a": [True, False]}, Wanted(), {}))
    [{'prompt': 'a', 'reward': [True, False]}]
    """
    if isinstance(value, list):
        rows = [item for item in value if is_row(item, wanted)]
        sums = _sums_up(rows, wanted)
        if is_numbers(value):
            yield {**outer, "prompt": key, "reward": value}
        elif rows and not sums:
            yield from ({**outer, **item} for item in value if isinstance(item, dict))
        else:
            for place, item in enumerate(value):
                yield from unfold(item, wanted, outer, place, sums)
    elif isinstance(value, dict):
        if is_row(value, wanted) and not (_has_inner(value, wanted) if deep else _sums_up([value], wanted)):
            yield from _columnwise({**outer, **value}, wanted)
        elif value and all(map(is_numbers, value.values())):
            shares = any(is_share(x) for samples in value.values() for x in samples)
            for name, samples in value.items():
                if shares:  # k/n each, one for each visit of the prompt
                    for visit, share in enumerate(samples, 1):
                        yield {**outer, "prompt": name, "visit": visit, "pass_rate": share}
                else:
                    yield {**outer, "prompt": name, "reward": samples}
        else:
            plain = {name: x for name, x in value.items() if not isinstance(x, dict | list)}
            inside = {name: x for name, x in value.items() if isinstance(x, dict | list) and not is_numbers(x)}
            by_name = len(inside) == len(value) > 1
            for name, item in inside.items():
                yield from unfold(item, wanted, {**outer, **plain, **({"key": name} if by_name else {})}, name)


def _has_inner(row: Mapping[str, Any], wanted: Wanted) -> bool:
    """Whether rows are nested in a row."""
    inside = [x for x in row.values() if isinstance(x, dict | list) and not is_numbers(x)]
    return any(next(unfold(x, wanted, {}), None) is not None for x in inside)


def _sums_up(rows: list[Any], wanted: Wanted) -> bool:
    """Whether rows are summaries of the rows nested in them: they name no prompt, or their rewards are means."""

    def is_summary(row: Mapping[str, Any]) -> bool:
        told = [x for name, x in row.items() if bare(name) in SYNONYMS["reward"] or bare(name) in SYNONYMS["rate"]]
        keyed = any(bare(name) in (*SYNONYMS["prompt"], *SYNONYMS["group"]) for name in row)
        return not keyed or not binary(told)

    return any(is_summary(row) and _has_inner(row, wanted) for row in rows[:PEEK])


def _columnwise(row: dict[str, Any], wanted: Wanted) -> Iterator[dict[str, Any]]:
    """One row, or many where each column is a list of the same length: a frame written column by column."""
    lists = {name: x for name, x in row.items() if isinstance(x, list)}
    keys = {wanted.columns.get(idea) for idea in UNIT} | {name for idea in UNIT for name in SYNONYMS[idea]}
    sizes = {len(x) for name, x in lists.items()}
    if len(sizes) == 1 and any(bare(name) in keys or name in keys for name in lists):
        yield from (dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True))
    else:
        yield row


def is_row(value: Any, wanted: Wanted) -> bool:
    """Whether it has a column that says how rollouts went."""
    if not isinstance(value, Mapping):
        return False
    telling = {wanted.columns.get(idea) for idea in ("reward", "correct", "rate")}
    ideas = ("reward", "correct", "rate", "mean")
    names = {bare(name) for name in value}
    if names & {"completion", "advantage", "advantages"} and names.intersection(SYNONYMS["prompt"]):
        return True  # its reward has a name of its own
    return any(
        (name in telling or any(bare(name) in SYNONYMS[idea] for idea in ideas))
        and (not isinstance(cell, dict | list) or (isinstance(cell, list) and is_numbers(cell)))
        for name, cell in value.items()
    )


def is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(x is None or isinstance(x, int | float) for x in value)
