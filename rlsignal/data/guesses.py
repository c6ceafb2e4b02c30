"""The columns of a table of no known format, by their names; asked about where they leave a choice."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rlsignal.data.cells import LETTERS, WORDS, hashable, listed, missing, number, part, share, verdict, verdicts
from rlsignal.data.courses import is_course, log_columns, made_of
from rlsignal.data.formats import bare, pattern
from rlsignal.data.head import Head, all_differ, constant, in_unit, numbers_in, without_key
from rlsignal.data.names import (
    COUNTED,
    HINTS,
    IN_LOGS_ONLY,
    LOG_STEPS,
    OF_ROLLOUTS_ONLY,
    RESPONSES,
    SAMPLE_STEMS,
    SYNONYMS,
    UNIT,
    WEAK_KEYS,
    is_share_name,
)
from rlsignal.data.projection import projected
from rlsignal.data.records import Note
from rlsignal.data.tables import Columns, NotRows, Wanted, offers, some

NEEDS = {"rollouts": ("reward",), "counts": ("correct", "samples"), "rates": ("rate", "samples")}
"""The columns that each kind of rows is counted by."""
OUTCOMES = {"reward", "correct", "rate"}


def by_names(head: Head, wanted: Wanted, given: dict[str, str], globs: Mapping[str, str]) -> Columns:
    """The columns of a table: what each stands for by its name, then the kind of its rows, then what that kind needs.

    given : columns that the caller names, by idea.
    globs : patterns with `*` that the caller names, by idea.
    """
    found = _first_of_each(head, given)
    if wanted.kind == "log" or (not wanted.kind and _is_log(head, wanted, found)):
        return log_columns(head, wanted, given, None)
    if not (given or wanted.group_size or found["prompt"] or found["group"]):
        _refuse_averages(head)
    wide = _wide(head, globs)
    if wide and (globs or (not given.keys() & OUTCOMES and not found["reward"])):
        found["reward"] = found["correct"] = None
    else:
        wide = ()
    kind = _kind(head, wanted, given, found, wide=bool(wide))
    _refuse_open_counts(head, wanted, given, found, kind)
    notes = _keys(head, wanted, given, found, kind)
    words: Mapping[str, int] = WORDS
    each = summed = False
    if kind == "rollouts":
        if not wide:
            _find_reward(head, given, found)
            words = _words(_cells(head, found["reward"]))
        if not (found["prompt"] or found["group"] or wanted.group_size):
            each = bool(wide) or _is_group(head, found["reward"])
            if not each:
                raise without_key(head)
        summed = not wide and _token_rewards(head, found["reward"], found["prompt"])
    found |= dict.fromkeys({*OUTCOMES, "samples"}.difference(NEEDS[kind]))
    if wanted.samples and "samples" not in given:
        found["samples"] = None
    in_name = None
    if kind == "rates" and not found["samples"]:
        in_name = re.fullmatch(r"(?:avg|mean)@(\d+)", bare(found["rate"]))
    used = {idea: x for idea, x in found.items() if x and idea in (*UNIT, *OUTCOMES, "samples", "entropy")}
    reward = used.get("reward")
    return projected(
        head,
        kind,
        used,
        candidates=head.fair_rewards(words, [found[x] for x in UNIT] + [reward]),
        values=numbers_in(head.cells(reward)) if reward else (),
        words=words,
        summed=summed,
        samples=wanted.samples or (int(in_name[1]) if in_name else None),
        alone=all_differ(_cells(head, found["prompt"])),
        apart=_apart(head, found),
        wide=wide,
        each=each,
        notes=tuple(notes),
        ambiguous="repeat" in used and "repeat" not in given,
    )


def _cells(head: Head, name: str | None) -> list[Any]:
    """What a column holds, nothing where there is none."""
    return head.cells(name) if name else []


def _first_of_each(head: Head, given: Mapping[str, str]) -> dict[str, Any]:
    """For every idea the column that is given, or the first of its synonyms; data sets and repeats come later."""
    found: dict[str, Any] = {idea: head.first(names, head.top) for idea, names in SYNONYMS.items()}
    found["dataset"] = found["repeat"] = None
    weak = [x for x in WEAK_KEYS if (name := head.first([x], head.top)) and constant(head.cells(name))]
    if found["prompt"] and bare(found["prompt"]) in weak:  # what encloses all rows is the prompt of none
        found["prompt"] = head.first([x for x in SYNONYMS["prompt"] if x not in weak], head.top)
    for idea in UNIT:  # what the caller names is nothing else
        if found.get(idea) in given.values():
            found[idea] = head.first(SYNONYMS[idea], [x for x in head.top if x not in given.values()])
    return found | dict(given)


def _is_log(head: Head, wanted: Wanted, found: Mapping[str, Any]) -> bool:
    """Whether rows are those of a log: a step and a mean, columns that only logs have, and no key."""
    names = {bare(name) for name in head.top}
    if found["prompt"] or found["group"] or not (found["mean"] or found["degenerate"]) or OF_ROLLOUTS_ONLY & names:
        return False
    step = found["step"] or head.first(LOG_STEPS, head.top)
    if not step and len(head.rows) != 1:
        return False
    counts_groups = any(made_of(head, x, wanted) is not None for x in COUNTED)
    return bool(IN_LOGS_ONLY & names) or counts_groups or bool(step and is_course(head, step, found["mean"]))


def _refuse_averages(head: Head) -> None:
    """Refuse one row of numbers without a key."""
    if len(head.rows) == 1 and not any(isinstance(x, list | tuple) for name in head.top for x in head.cells(name)):
        raise NotRows(
            f"{head.table.name} holds averages only ({some(head.top)}): one number for all prompts. Read the file with "
            "a verdict for every response, or with counts for every prompt."
        )


def _kind(head: Head, wanted: Wanted, given: Mapping[str, str], found: dict[str, Any], *, wide: bool) -> str:
    """What a row is: a rollout, or several of one prompt, its counts, or its share; settles which columns hold them."""
    counting = not given.keys() & OUTCOMES and _counting(head, wanted, found)
    if counting:
        found["correct"] = found["reward"] or found["correct"]
    correct = _cells(head, found["correct"])
    odd = sum(not missing(x) and number(x) is None for x in correct)
    slips = len(correct) // 10 if found["samples"] else 0  # beside a column of samples: refused in their rows
    whole = bool(found["correct"]) and odd <= slips
    answers = _answer_list(head, found) if whole and not found["samples"] else None
    if wanted.kind in ("counts", "rates"):
        kind = wanted.kind
    elif wanted.kind or "reward" in given:
        kind = "rollouts"
    elif given.keys() & {"correct", "rate"}:
        kind = "counts" if "correct" in given else "rates"
    elif wide:
        kind = "rollouts"
    elif counting or (whole and _counted(head, wanted, found, answers)):
        kind = "counts"
    else:
        share_name = _share_column(head, wanted, given, found)
        kind, found["rate"] = ("rates", share_name) if share_name else ("rollouts", found["rate"])
    if kind == "counts":
        found["samples"] = found["samples"] or answers
    elif kind == "rates":
        found["rate"] = found["rate"] or found["reward"]
    return kind


def _counted(head: Head, wanted: Wanted, found: Mapping[str, Any], answers: str | None) -> bool:
    """Whether whole numbers of correct samples are counts, of a known number, and not verdicts beside it."""
    correct, reward = _cells(head, found["correct"]), found["reward"]
    if found["correct"] == found["samples"] or any(isinstance(x, bool) or listed(x) is not None for x in correct):
        return False
    if found["samples"]:
        return True
    above_1 = any((number(x) or 0) > 1 for x in correct)
    another = reward and reward != found["correct"] and verdicts(head.cells(reward))
    return bool(answers or (wanted.samples and above_1)) and not another


def _share_column(head: Head, wanted: Wanted, given: Mapping[str, str], found: Mapping[str, Any]) -> str | None:
    """The column of shares of correct samples, if no other is the reward."""
    rate, reward = found["rate"], found["reward"]
    if rate and reward in (None, rate):
        return str(rate)
    k_of_n = next((x for x in head.top if _parts(head.cells(x)) and x not in given.values()), None)
    if k_of_n and reward in (None, k_of_n):
        return k_of_n
    lists = all(listed(x) is not None for x in _cells(head, found["samples"]))
    stated = wanted.samples or found["samples"]
    several = stated and not (found["samples"] and lists)
    return reward if reward and several and any(share(x) for x in head.cells(reward)) else None


def _counting(head: Head, wanted: Wanted, found: Mapping[str, Any]) -> bool:
    """Whether the reward is a count: whole numbers, some above 1, beside prompts that stand once."""
    amount = found["reward"] or found["correct"]
    numbers = [number(x) for x in _cells(head, amount)]
    return (
        not found["samples"]
        and all(x is not None and x.is_integer() and x >= 0 for x in numbers)
        and 1 < max((x or 0 for x in numbers), default=0) <= (wanted.samples or 64)
        and len(set(numbers)) > 2
        and not any(verdicts(head.cells(x)) for x in head.top if bare(x) in SYNONYMS["reward"] and x != amount)
        and all_differ(_cells(head, found["prompt"]))
    )


def _refuse_open_counts(
    head: Head, wanted: Wanted, given: Mapping[str, str], found: Mapping[str, Any], kind: str
) -> None:
    """Refuse counts and shares of which a column is missing, or of which there are several."""
    table = head.table
    if kind == "counts" and not found["correct"]:
        raise ValueError(
            f"{table.name} has no column of correct samples; it has {some(head.top)}. Name it with correct=."
        )
    if kind == "rates" and not found["rate"]:
        raise ValueError(f"{table.name} has no column of shares; it has {some(head.top)}. Name it with rate=.")
    if kind == "rates" and not given.keys() & OUTCOMES:
        shares = [x for x in head.top if is_share_name(x)]
        if len(shares) > 1 and found["rate"] in shares:
            raise ValueError(f"{table.name} has several shares of correct samples. Name one: {offers('rate', shares)}.")
    if kind == "counts" and not found["samples"] and not wanted.samples:
        most = max((number(x) or 0 for x in head.cells(found["correct"])), default=8)
        raise ValueError(
            f"{table.name} counts correct samples in {found['correct']!r} and does not say of how many. Give "
            f"samples={most:g} if there are {most:g} of each prompt, or the number, or the column that holds it."
        )


def _words(cells: Sequence[Any]) -> Mapping[str, int]:
    """What words say of verdicts; single letters only where nothing else is written."""
    written = {str(x).strip().lower() for x in cells if isinstance(x, str)}
    return {**WORDS, **LETTERS} if "i" in written and written <= {"c", "i", "n", "p", ""} else WORDS


def _is_group(head: Head, reward: str) -> bool:
    """Whether each of several rows lists the rewards of a group."""
    lists = len(head.rows) != 1 and any(listed(x) is not None for x in head.cells(reward))
    return lists and not _token_rewards(head, reward, None)


def _apart(head: Head, found: Mapping[str, Any]) -> tuple[str, ...]:
    """Columns that tell rows of one prompt apart."""
    if not found["prompt"] or isinstance(found["dataset"], tuple):
        return ()
    prompts = [hashable(x) for x in head.cells(found["prompt"])]
    used = {str(x) for x in found.values() if x}
    fair = []
    for name in head.top:
        cells = [hashable(x) for x in head.cells(name)]
        few = len(set(cells)) <= max(2, len(cells) // 2) and not any(isinstance(x, float) for x in cells)
        if name not in used and few and len(cells) == len(prompts) == len(set(zip(prompts, cells, strict=True))):
            fair.append(name)
    return tuple(fair)


def _keys(head: Head, wanted: Wanted, given: Mapping[str, str], found: dict[str, Any], kind: str) -> list[Note]:
    """What tells prompts apart: id or text, data set, group, repeat, step; and what to say of it."""
    notes = []
    names = [x for x in head.top if x not in (found["reward"], found["correct"], found["rate"], found["samples"])]
    if (
        "prompt" not in given
        and found["prompt"]
        and found["prompt"] in (found["reward"], found["rate"], found["correct"])
    ):
        found["prompt"] = head.first(SYNONYMS["prompt"], names)
    if (
        "group" not in given
        and found["group"]
        and found["prompt"]
        and all_differ(head.cells(found["group"]))
        and len({hashable(x) for x in head.cells(found["prompt"])}) < len(head.rows)
    ):
        text = f"Column {found['group']!r} differs in every row, so it is no group; prompts are grouped by "
        notes.append(Note("group", f"{text}{found['prompt']!r}."))
        found["group"] = None
    if "prompt" not in given and found["prompt"]:
        _better_prompt(head, found, kind)
    if not found["prompt"] and not found["group"]:  # ids of samples, which another column repeats
        ids = head.first(("sample_id", "sample_idx", "sample_index", "sample"), names)
        again = head.first([x for x in SYNONYMS["repeat"] if not x.startswith("sample")], names)
        if ids and again and len({hashable(x) for x in head.cells(ids)}) < len(head.rows):
            found["prompt"] = ids
    if "repeat" not in given:
        repeat = head.first(
            SYNONYMS["repeat"], [x for x in names if x not in (found["prompt"], found["step"], found["group"])]
        )
        differs = repeat is not None and len({hashable(x) for x in head.cells(repeat)}) > 1
        fair = differs and kind == "rollouts" and (found["prompt"] or found["group"])
        found["repeat"] = repeat if fair else None
    if "dataset" not in given and found["prompt"]:
        sets = [x for x in names if bare(x) in SYNONYMS["dataset"] and x != found["prompt"] and x not in given.values()]
        sets = [x for x in sets if all(not isinstance(c, list | dict | float) for c in head.cells(x))]
        several = [x for x in sets if len({hashable(c) for c in head.cells(x)}) > 1]
        found["dataset"] = tuple(several or sets[:1]) or None
        if found["dataset"] is not None and len(found["dataset"]) == 1:
            found["dataset"] = found["dataset"][0]
    if wanted.kind == "evaluation" and "step" not in given:
        found["step"] = None
    if wanted.kind == "evaluation" and found["repeat"]:
        notes.append(Note("repeat", f"Column {found['repeat']!r} is taken for the repeat of a prompt, as kind says."))
    return notes


def _better_prompt(head: Head, found: dict[str, Any], kind: str) -> None:
    """An id that is no prompt's: one that differs in every row where a text repeats, or stands beside other texts."""
    ids = head.cells(found["prompt"])
    texts = ("prompt", "question", "problem", "input", "input_prompt", "query", "instruction")
    text = head.first(texts, head.top)
    if text == found["prompt"] and text is not None and all_differ(ids) and kind == "rollouts":
        again = head.first(("id", "idx", "index", "uuid", "example", "item"), head.top)
        if again and 1 < len({hashable(x) for x in head.cells(again)}) < len(head.rows):
            raise ValueError(
                f"every {text!r} of {head.table.name} differs, and {again!r} repeats. Say which tells prompts apart: "
                f"{offers('prompt', [again, text])}."
            )
    used = {found[x] for x in ("reward", "rate", "correct", "samples", "step")}
    if text is None or text == found["prompt"] or text in used or len(head.cells(text)) < len(head.rows):
        return
    by_id: dict[Any, set[Any]] = {}
    spoken = [hashable(x) for x in head.cells(text)]
    if any(missing(x) for x in spoken) or not any(isinstance(x, str) for x in spoken):
        return
    if all_differ(ids):
        if len(set(spoken)) < len(spoken) and kind == "rollouts":
            found["prompt"] = text
        return
    sets = [x for x in head.top if bare(x) in SYNONYMS["dataset"] and x not in (found["prompt"], text)]
    whole = [x for x in sets if len(head.cells(x)) == len(head.rows)]
    keys = zip(*(map(hashable, head.cells(x)) for x in whole), map(hashable, ids), strict=False)
    if len(ids) != len(spoken):
        return
    for key, one in zip(keys, spoken, strict=False):
        by_id.setdefault(key, set()).add(one)
    if any(len(x) > 1 for x in by_id.values()) and len(set(spoken)) < len(spoken):
        raise ValueError(
            f"{found['prompt']!r} of {head.table.name} stands beside several texts in {text!r}, so equal values are "
            f"not one prompt. Say what is: {offers('prompt', [text, found['prompt']])}."
        )
    if any(len(x) > 1 for x in by_id.values()):
        raise ValueError(
            f"{found['prompt']!r} of {head.table.name} stands beside several texts in {text!r}. Say which tells "
            f"prompts apart: {offers('prompt', [found['prompt'], text])}."
        )


def _find_reward(head: Head, given: Mapping[str, str], found: dict[str, Any]) -> None:
    """The column of the reward, or a question."""
    table = head.table
    taken = (
        [found[idea] for idea in UNIT]
        if not isinstance(found["dataset"], tuple)
        else [*found["dataset"], *(found[x] for x in UNIT if x != "dataset")]
    )
    if "reward" not in given and found["reward"] in taken:
        found["reward"] = head.first(SYNONYMS["reward"], [x for x in head.top if x not in taken])
    if found["reward"] and any(isinstance(x, dict) for x in head.cells(found["reward"])):
        inner = [x for x in head.fair_rewards(WORDS, taken) if x.startswith(f"{found['reward']}.")]
        raise ValueError(
            f"{found['reward']!r} of {table.name} holds several values. "
            + (f"Name one: {offers('reward', inner)}." if inner else "Name the column of the reward with reward=.")
        )
    if found["reward"] and "reward" not in given:
        _of_one_mind(head, found["reward"], taken)
    if found["reward"] and "reward" not in given and not verdicts(head.cells(found["reward"]), {**WORDS, **LETTERS}):
        others = head.first(
            SYNONYMS["reward"],
            [x for x in head.top if x not in taken and verdicts(head.cells(x))],
        )
        texts = [x for x in head.cells(found["reward"]) if not missing(x)]
        if others and texts and all(isinstance(x, str) and number(x) is None for x in texts):
            found["reward"] = others  # a column of words beside one of verdicts
    if found["reward"] is None:
        candidates = head.fair_rewards({**WORDS, **LETTERS}, taken)
        shares = [x for x in head.top if any(h in bare(x) for h in HINTS) and all(in_unit(c) for c in head.cells(x))]
        several = [text for text, names in _numbered(head).items() if set(names) & set(candidates)]
        candidates = (*several, *(x for x in candidates if not several))
        way = f"Name it: {offers('reward', candidates)}." if candidates else "Name the column with reward=."
        if not candidates and shares:
            way = f"If it has a prompt's share of correct samples, name it: {offers('rate', shares)}."
        raise NotRows(f"no column of {table.name} is known as a reward; it has {some(head.top)}. {way}")


def _of_one_mind(head: Head, reward: str, taken: Sequence[str | None]) -> None:
    """Refuse to choose between verdicts that differ."""
    if not verdicts(head.cells(reward)):
        return
    known = [x for x in head.top if bare(x) in SYNONYMS["reward"] and x not in taken and x != reward]
    fair = [x for x in known if len(head.cells(x)) == len(head.cells(reward)) and verdicts(head.cells(x))]
    own = [_verdict_of(x) for x in head.cells(reward)]
    other = [x for x in fair if [_verdict_of(cell) for cell in head.cells(x)] != own]
    if other:
        raise ValueError(
            f"{head.table.name} has verdicts that differ: {some([reward, *other])}. Name one: "
            f"{offers('reward', [reward, *other])}."
        )


def _verdict_of(cell: Any) -> Any:
    inner = listed(cell)
    return verdict(cell) if inner is None else tuple(map(verdict, inner))


def _wide(head: Head, globs: Mapping[str, str]) -> tuple[str, ...]:
    """Columns that hold one sample each: sample_0, sample_1, ..."""
    if "reward" in globs:
        named = tuple(x for x in head.top if pattern(globs["reward"]).fullmatch(bare(x)))
        if not named:
            raise ValueError(f"reward={globs['reward']!r} names no column; there are {some(head.top)}.")
        return named
    for text, names in _numbered(head).items():
        words = set(re.split(r"[^a-z]+", text))
        if words & SAMPLE_STEMS and "test" not in words:
            return tuple(names)
    return ()


def _numbered(head: Head) -> dict[str, list[str]]:
    """Columns of verdicts that differ by a number only, by their name with `*` for it."""
    found: dict[str, list[str]] = {}
    for name in head.top:
        text, numbers = re.subn(r"\d+", "*", bare(name))
        if numbers == 1 and verdicts(head.cells(name)):
            found.setdefault(text, []).append(name)
    return {text: names for text, names in found.items() if len(names) > 1}


def _parts(cells: Sequence[Any]) -> bool:
    """Whether cells are "k/n"."""
    there = [x for x in cells if not missing(x)]
    found = [part(x) for x in there]
    return len(there) > 0 and all(x is not None and x[0] <= x[1] and x[1] > 0 for x in found)


def _answer_list(head: Head, found: Mapping[str, Any]) -> str | None:
    """A column with a list of all samples' answers, whose length is their number."""
    for name in head.top:
        cells = head.cells(name)
        if name != found["correct"] and cells and all(listed(x) is not None for x in cells):
            counts = [number(x) for x in head.cells(found["correct"])]
            sizes = [len(listed(x) or ()) for x in cells]
            if (
                len(sizes) == len(counts)
                and all(c is None or c <= n for c, n in zip(counts, sizes, strict=True))
                and max(sizes) > 1
            ):
                return name
    return None


def _token_rewards(head: Head, name: str, prompt: str | None) -> bool:
    """Whether the reward is a list beside one response: the parts of one rollout, not several."""
    if not any(listed(x) is not None for x in head.cells(name)):
        return False
    sizes = [len(listed(x) or ()) for x in head.cells(name)]
    for other in head.top:
        cells = head.cells(other)
        texts = [listed(x) for x in cells]
        whole = len(cells) == len(sizes) and all(x is not None for x in texts)
        if bare(other) in RESPONSES and whole and sizes != [len(x or ()) for x in texts]:
            raise ValueError(
                f"{name!r} of {head.table.name} does not list one value for each of {other!r}. Write one reward, 0 or "
                "1, for each response."
            )
    for other in head.top:
        if bare(other) in (
            "response",
            "output",
            "completion",
            "output_response",
            "generation",
            "content",
            "trajectory",
        ):
            cells = [x for x in head.cells(other) if not missing(x)]
            if cells and all(isinstance(x, str) for x in cells) and not any(listed(x) is not None for x in cells):
                return True
    if prompt is not None and len(set(sizes)) > 1 and len({hashable(x) for x in head.cells(prompt)}) < len(sizes):
        raise ValueError(
            f"{name!r} of {head.table.name} lists several values in several rows of one prompt, and lists of different "
            "lengths: rewards of rollouts, or of the tokens of one. Write one reward, 0 or 1, for each rollout."
        )
    return False
