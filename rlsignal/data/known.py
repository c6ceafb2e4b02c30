"""The columns of a known format, with what the caller names in their stead."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rlsignal.data.cells import LETTERS, WORDS, hashable, listed, missing, number, verdicts
from rlsignal.data.formats import Format, bare
from rlsignal.data.head import Head, all_differ, numbers_in, without_key
from rlsignal.data.names import KEYS, NEVER_REWARDS, NOT_BY_NAME, UNIT
from rlsignal.data.projection import projected
from rlsignal.data.tables import Columns, Wanted, offers, some


def known_columns(head: Head, wanted: Wanted, given: dict[str, str], known: Format) -> Columns:
    """The columns of a known format, with what the caller names in their stead."""
    if known.data_set_in_name and (hit := re.fullmatch(known.data_set_in_name, head.table.name)):
        head.table.dataset = hit[1]
    found: dict[str, Any] = {}
    for idea in ("prompt", "repeat", "dataset", "step", "checkpoint", "group", "filter"):
        at = next(iter(head.all(getattr(known, idea)).values()), None) if getattr(known, idea) else None
        if at is not None and not all(missing(x) for x in head.cells(at)):
            found[idea] = at
    if wanted.kind == "evaluation":
        found.pop("step", None)
    found |= given
    kind = known.kind
    if {"correct", "rate"} & given.keys():
        kind = "rates" if "rate" in given else "counts"
    elif "reward" in given:
        kind = "rollouts"
    words, combine = known.words, None
    label = ""
    taken = [found.get(idea) for idea in UNIT]
    if kind == "rollouts":
        label, combine = _reward(head, wanted, given, known, taken)
        found["reward"] = label
    elif known.kind == kind and not {"correct", "rate"} & given.keys():
        for idea in ("wrong", "rate", "samples", "correct"):
            if getattr(known, idea) and idea not in given:
                several = head.all(getattr(known, idea))
                if several:
                    found[idea] = _one_of(several, wanted, head, idea)
    if kind == "rollouts" and not (found.get("prompt") or found.get("group") or known.each or wanted.group_size):
        raise without_key(head)
    ends = combine if combine is not None else (found["reward"],) if kind == "rollouts" else ()
    cells = [x for name in ends for x in head.cells(name)]
    return projected(
        head,
        kind,
        found,
        format=known.name,
        candidates=head.fair_rewards(words, [*taken, *ends]),
        values=numbers_in(cells),
        words=words,
        other=known.other,
        summed=known.summed and any(listed(x) is not None for x in cells),
        alone=bool(found.get("prompt")) and all_differ([hashable(x) for x in head.cells(found["prompt"])]),
        samples=wanted.samples or known.n,
        combine=combine,
        each=known.each,
        ambiguous=False,
    )


def _reward(
    head: Head, wanted: Wanted, given: Mapping[str, str], known: Format, taken: Sequence[str | None]
) -> tuple[str, tuple[str, ...] | None]:
    """What the reward is called, and the columns that must all be correct for it."""
    if " = " in known.reward:
        choices = {}
        for one in known.reward.split(" | "):
            name, _, parts = one.partition(" = ")
            columns = [head.first([x]) for x in parts.split(" & ")]
            if all(columns) and not all(missing(x) for x in head.cells(str(columns[-1]))):
                choices[name] = tuple(map(str, columns))
        if "reward" in given:
            match = next((x for x in choices.items() if x[1][-1] == given["reward"]), None)
            return match if match is not None else (given["reward"], None)
        return (name := _pick(list(choices), wanted, head)), choices[name]
    if "reward" in given:
        return given["reward"], None
    for text in known.reward.split(" | "):
        if text == "@metrics":
            lists = head.cells("metrics") if "metrics" in head.paths else []
            several = {str(x): str(x) for cell in lists for x in listed(cell) or () if str(x) in head.paths}
        elif text == "@known":
            usual = ("exact_match", "acc", "acc_norm", "pass@1", "em", "f1")
            several = {x: x for x in usual if x in head.paths}
        elif text == "@others":
            others = {"step", "prompt", "completion", "advantage", "advantages", "solution", "images", "image", "id"}
            several = {
                x: x
                for x in head.top
                if bare(x) not in others | NEVER_REWARDS | KEYS
                and not bare(x).endswith(NOT_BY_NAME)
                and any(not missing(c) for c in head.cells(x))
                and all(missing(c) or (number(c) is not None and not isinstance(c, str)) for c in head.cells(x))
            }
        else:
            several = head.all(text)
        if several:
            if text == "@others" and len(several) > 1 and wanted.scorer is None:
                binary = [x for x in head.fair_rewards(known.words, taken) if x in several]
                raise ValueError(
                    f"{head.table.name} has {len(several)} reward functions, {some(list(several))}. Name one: "
                    f"{offers('reward', binary or list(several))}."
                )
            return _one_of(several, wanted, head, "reward"), None
    raise ValueError(
        f"{head.table.name} looks like {known.name} and has no reward; it has {some(head.top)}. "
        + (f"Name it: {offers('reward', fair)}." if (fair := head.fair_rewards(known.words, taken)) else "")
    )


def _one_of(several: Mapping[str, str], wanted: Wanted, head: Head, idea: str) -> str:
    if len(several) > 1 and wanted.scorer is None and idea == "reward":
        fair = [name for name, column in several.items() if verdicts(head.cells(column), {**WORDS, **LETTERS})]
        return several[_pick(fair + [x for x in several if x not in fair], wanted, head)]
    return several[_pick(list(several), wanted, head)]


def _pick(names: Sequence[str], wanted: Wanted, head: Head) -> str:
    """The only one, or the one that the caller names."""
    if wanted.scorer is not None:
        if wanted.scorer in names:
            return wanted.scorer
        raise ValueError(f"scorer must be one of {some(names)}, got {wanted.scorer!r}.")
    if len(names) > 1:
        raise ValueError(
            f"{head.table.name} has {len(names)} verdicts of each response: {some(names)}. Name one: "
            f"{offers('scorer', names)}."
        )
    if not names:
        raise ValueError(f"{head.table.name} has no verdicts; it has {some(head.top)}.")
    return names[0]
