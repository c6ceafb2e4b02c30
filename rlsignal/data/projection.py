"""Rows as what is counted needs them: columns that are nested, or made of several, are brought to the top."""

from collections.abc import Mapping, Sequence
from typing import Any

from rlsignal.data.cells import hashable, missing, verdict
from rlsignal.data.head import Head, getter
from rlsignal.data.names import SYNONYMS, UNIT
from rlsignal.data.tables import Columns


def projected(
    head: Head,
    kind: str,
    found: Mapping[str, Any],
    *,
    combine: tuple[str, ...] | None = None,
    wide: tuple[str, ...] = (),
    each: bool = False,
    **rest: Any,
) -> Columns:
    """`Columns` of what was found; rows are projected where a column is nested or made of several."""
    sets = found.get("dataset")
    several = sets if isinstance(sets, tuple) else ()
    ideas = (*UNIT, "reward", "correct", "wrong", "samples", "rate", "entropy")
    names = {idea: str(name) for idea, name in found.items() if idea in ideas and name and not isinstance(name, tuple)}
    if kind == "rollouts" and "entropy" not in names:
        entropy = head.first(SYNONYMS["entropy"], [x for x in head.top if x not in names.values()])
        names |= {"entropy": entropy} if entropy else {}
    doubled = [name for name in names.values() if head.header is not None and list(head.header).count(name) > 1]
    if doubled:
        raise ValueError(f"column {doubled[0]!r} stands twice in {head.table.name}. Rename one of them.")
    paths = {idea: head.paths[name] for idea, name in names.items() if name in head.paths}
    if not (combine or wide or each or several) and all(len(path) == 1 for path in paths.values()):
        return Columns(kind, {idea: path[0] for idea, path in paths.items()}, names, **rest)
    getters: dict[str, Any] = {idea: getter(path) for idea, path in paths.items()}
    if several:
        names["dataset"] = " and ".join(several)
        outer = [getter(head.paths[x]) for x in several]
        getters["dataset"] = lambda row: tuple(hashable(get(row)) for get in outer)
    if wide:
        names["reward"] = f"{wide[0]} to {wide[-1]}"
        samples = [getter(head.paths[x]) for x in wide]
        getters["reward"] = lambda row: [get(row) for get in samples]
    if combine:
        columns = [getter(head.paths[x]) for x in combine]
        words, other = rest["words"], rest["other"]
        getters["reward"] = lambda row: _all(columns, row, words, other)
    if each:
        names["group"] = "each row"

    def project(place: int, row: Any) -> Any:
        if not isinstance(row, Mapping | Sequence) or isinstance(row, str):
            return row
        cells = {idea: get(row) for idea, get in getters.items()}
        if each:
            cells["group"] = place
        return cells

    keys = {idea: idea for idea in getters} | ({"group": "group"} if each else {})
    return Columns(kind, keys, names, project=project, **rest)


def _all(columns: Sequence[Any], row: Any, words: Mapping[str, int], other: int | None) -> Any:
    """Correct where all are: None where one is missing, else the first that is not."""
    cells = [get(row) for get in columns]
    if any(missing(x) for x in cells):
        return None
    for cell in cells:
        one = verdict(cell, words)
        if one is None:
            if other is None or not isinstance(cell, str):
                return cell
            one = other
        if not one:
            return 0
    return 1
