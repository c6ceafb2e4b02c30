"""The columns of a training log, and how its share of degenerate groups is made of them."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any

from rlsignal.data.cells import missing, number, share
from rlsignal.data.formats import Format, bare
from rlsignal.data.head import Head, all_differ, getter, in_unit
from rlsignal.data.names import COUNTED, HINTS, LOG_STEPS, ROLLOUTS, SYNONYMS
from rlsignal.data.records import Note
from rlsignal.data.tables import Columns, NotRows, Wanted, offers, some


def is_course(head: Head, step: str, mean: str | None) -> bool:
    """Whether each step stands once, with a mean between 0 and 1."""
    if mean is None or len(head.rows) < 3 or not all_differ(head.cells(step)):
        return False
    cells = [x for x in head.cells(mean) if not missing(x)]
    return all(in_unit(x) for x in cells) and any(share(x) for x in cells)


def log_columns(head: Head, wanted: Wanted, given: dict[str, str], known: Format | None) -> Columns:
    """The columns of a training log."""
    found: dict[str, Any] = {}
    notes: list[Note] = []
    for idea in ("step", "mean", "reward_std", "group_std", "entropy", "samples", "group_size"):
        text = getattr(known, idea, "") if known is not None else ""
        several = head.all(text) if text else {}
        if several:
            found[idea] = _main(several, wanted, head)
        elif idea == "step" and not text and not head.first(SYNONYMS["step"]):
            found[idea] = head.first(LOG_STEPS)
        elif not text or idea in ("step", "mean", "entropy", "samples", "group_size"):
            found[idea] = head.first(ROLLOUTS if idea == "samples" else SYNONYMS[idea])
    first_mean = found.get("mean")
    formula = given.get("degenerate") or (known.degenerate if known is not None else "") or ""
    choices = [formula] if "degenerate" in given else formula.split(" | ") if formula else []
    if "degenerate" not in given:
        choices += [x for x in (head.first(SYNONYMS["degenerate"]),) if x] + list(COUNTED)
    about = next((x for x in (made_of(head, text, wanted) for text in choices) if x is not None), None)
    functions = head.all("rewards/*/mean | rewards/*")
    functions = {x: y for x, y in functions.items() if not x.endswith(("/std", "/mean")) or y.endswith("/mean")}
    for idea in ("step", "samples", "reward_std", "group_std", "entropy"):
        if idea in given:
            found[idea] = given[idea]
    named = given.get("reward")
    if named:
        found["mean"] = named
    if not found.get("step"):
        notes.append(Note("numbered", "The rows name no step and are numbered in their order."))
    if not found.get("mean") and about is None:
        raise NotRows(
            f"{head.table.name} is a training log without a mean reward; it has {some(head.top)}. Name its "
            "column with reward=."
        )
    summed = len(functions) > 1 and not named and found.get("mean") is not None and bare(found["mean"]) == "reward"
    keys = {idea: name for idea, name in found.items() if name}
    names = dict(keys)
    if summed:
        offered = [x for x in functions.values() if all(in_unit(c) for c in head.cells(x))]
        text = f"{keys['mean']!r} is a sum of {len(functions)} reward functions ({some(list(functions.values()))})"
        if about is None:
            raise ValueError(f"{text}. Name a binary one: {offers('reward', offered or list(functions.values()))}.")
        notes.append(
            Note(
                "several rewards",
                f"{text}, of which {about[0]} speaks; it is kept, and the mean is not used. For the mean of one: "
                f"{offers('reward', offered or list(functions.values()))}.",
            )
        )
        del keys["mean"]
    deviations = ("std", "frac", "rate", "len", "loss", "error", "wrong", "time", "clip", "min", "max", "format")
    candidates = tuple(
        sorted(
            (
                x
                for x in head.top
                if x != found.get("mean")
                and any(h in bare(x) for h in HINTS)
                and not any(s in bare(x) for s in deviations)
                and not bare(x).startswith(("val/", "eval"))
                and all(in_unit(c) for c in head.cells(x))
            ),
            key=lambda x: min(i for i, h in enumerate(HINTS) if h in bare(x)),
        )
    )
    getters: dict[str, Callable[[Any], Any]] = {idea: getter(head.paths[name]) for idea, name in keys.items()}
    if about is not None:
        names["degenerate"], getters["degenerate"] = about

    numbers = count(1)

    def project(place: int, row: Any) -> dict[str, Any]:
        cells = {idea: get(row) for idea, get in getters.items()}
        if "step" not in getters:
            cells["step"] = next(numbers)
        return cells

    return Columns(
        kind="log",
        key={idea: idea for idea in (*getters, "step")},
        names=names,
        format=known.name if known is not None else "",
        candidates=candidates,
        about=first_mean if first_mean and named and first_mean != named else "",
        notes=tuple(notes),
        project=project,
    )


def _main(several: Mapping[str, str], wanted: Wanted, head: Head) -> str:
    """Of several sets, the one that is named, or that stands for all."""
    trained = {name: column for name, column in several.items() if not name.startswith(("eval", "val", "test"))}
    several = trained or several
    if wanted.scorer in several:
        return several[str(wanted.scorer)]
    if "all" in several or len(several) == 1 or all(name == column for name, column in several.items()):
        return several.get("all") or next(iter(several.values()))
    names = [name.strip("/") or name for name in several]
    raise ValueError(
        f"{head.table.name} logs {len(several)} sets, {some(names)}. Name one: {offers('scorer', list(several))}."
    )


def made_of(head: Head, text: str, wanted: Wanted) -> tuple[str, Callable[[Any], Any]] | None:
    """How a log's share of degenerate groups is made of its columns; None where they are not there."""
    one_minus = text.startswith("1 - ")
    top, _, bottom = text.removeprefix("1 - ").partition(" / ")

    def columns(side: str) -> list[Any] | None:
        found: list[Any] = []
        for name in side.split(" + ") if side else []:
            if name == "groups":
                found.append(None)
                continue
            if name in head.paths:
                found.append(getter(head.paths[name]))
                continue
            several = head.all(name)
            if not several:
                return None
            chosen = list(several.values()) if "#" in name else [_main(several, wanted, head)]
            found += [getter(head.paths[x]) for x in chosen]
        return found

    if "+" not in text and "/ " not in text and "#" not in text and text not in head.paths and not one_minus:
        text = _main(several, wanted, head) if (several := head.all(text)) else text
        top = text
    above, below = columns(top), columns(bottom)
    if not above or below is None:
        return None

    def total(parts: Sequence[Any], row: Any) -> float | None:
        cells = [wanted.groups if get is None else get(row) for get in parts]
        values = [number(x) for x in cells]
        return None if any(x is None for x in values) else float(sum(x for x in values if x is not None))

    def share_of(row: Any) -> Any:
        if len(above) == 1 and not bottom and not one_minus:
            return above[0](row)
        up = total(above, row)
        if up is None:
            return None
        if not bottom:
            return 1 - up if one_minus else up
        down = total(below, row)
        if down is None:
            return ("of", up) if None in below and wanted.groups is None else None
        return up / down if down else None

    return text, share_of
