"""Which column is what, and the kind of a table: by the table of formats, else by synonyms; asked where in doubt."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from rlsignal.data.cells import COMMA, LETTERS, WORDS, hashable, listed, missing, number, part, share, verdict, verdicts
from rlsignal.data.formats import Format, bare, pattern, reach, shape
from rlsignal.data.names import (
    COUNTED,
    HINTS,
    IN_LOGS_ONLY,
    KEYS,
    LOG_STEPS,
    NEVER_REWARDS,
    NOT_BY_NAME,
    NOT_KEYS,
    OF_ROLLOUTS_ONLY,
    OF_SEVERAL,
    RESPONSES,
    ROLLOUTS,
    SAMPLE_STEMS,
    SYNONYMS,
    TOTALS,
    UNIT,
    WEAK_KEYS,
)
from rlsignal.data.records import Note
from rlsignal.data.tables import Columns, NotRows, Table, Wanted, offers, some


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
        raise ValueError(f"{idea}={name!r} is no column of {self.table.name}; it has {some(self.offered())}.")

    def offered(self) -> list[str]:
        """Names worth telling: those of a row's own columns."""
        return self.top

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


KINDS = ("evaluation", "counts", "rates", "rollouts", "log")


def recognise(table: Table, rows: Sequence[tuple[int, Any]], wanted: Wanted, known: Format | None) -> Columns:
    """The kind of a table and its columns, from its first rows."""
    head = Head(table, _without_totals(rows) if table.header is not None else rows)
    table.comma = table.comma or _decimal_comma(head)
    columns = dict(wanted.columns)
    if known is not None and f"{columns.get('reward')} = " in f" | {known.reward}":
        wanted = replace(wanted, scorer=columns.pop("reward"))
    found = {idea: head.named(idea, name) for idea, name in columns.items() if "*" not in name}
    globs = {idea: name for idea, name in wanted.columns.items() if "*" in name}
    if known is not None and known.kind == "log" and wanted.kind in ("", "log"):
        return _log(head, wanted, found, known)
    if known is not None and wanted.kind not in ("log", "counts", "rates"):
        return _known(head, wanted, found, known)
    return _by_synonyms(head, wanted, found, globs)


def _without_totals(rows: Sequence[tuple[int, Any]]) -> Sequence[tuple[int, Any]]:
    """Rows without last ones that sum up the others, which say nothing of the columns."""
    last = len(rows)
    while last > 2 and any(isinstance(x, str) and x.strip().rstrip(":").lower() in TOTALS for x in rows[last - 1][1]):
        last -= 1
    return rows[:last]


def _known(head: Head, wanted: Wanted, given: dict[str, str], known: Format) -> Columns:
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
        raise _without_key(head)
    ends = combine if combine is not None else (found["reward"],) if kind == "rollouts" else ()
    cells = [x for name in ends for x in head.cells(name)]
    return _columns(
        head,
        kind,
        found,
        format=known.name,
        candidates=head.fair_rewards(words, [*taken, *ends]),
        values=_values(cells),
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
        f"{head.table.name} looks like {known.name} and has no reward; it has {some(head.offered())}. "
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
        raise ValueError(f"{head.table.name} has no verdicts; it has {some(head.offered())}.")
    return names[0]


def _by_synonyms(head: Head, wanted: Wanted, given: dict[str, str], globs: Mapping[str, str]) -> Columns:
    table = head.table
    found: dict[str, Any] = {idea: head.first(names, head.top) for idea, names in SYNONYMS.items()}
    found["dataset"] = found["repeat"] = None
    weak = [x for x in WEAK_KEYS if (name := head.first([x], head.top)) and _constant(head.cells(name))]
    if found["prompt"] and bare(found["prompt"]) in weak:  # what encloses all rows is the prompt of none
        found["prompt"] = head.first([x for x in SYNONYMS["prompt"] if x not in weak], head.top)
    for idea in UNIT:  # what the caller names is nothing else
        if found.get(idea) in given.values():
            found[idea] = head.first(SYNONYMS[idea], [x for x in head.top if x not in given.values()])
    found.update(given)
    notes: list[Note] = []
    plain = {bare(name) for name in head.top}
    single = len(head.rows) == 1

    def cells(idea: str) -> list[Any]:
        return head.cells(found[idea]) if found.get(idea) else []

    # A log: a step and a mean, columns that only logs have, and no key.
    keyed = found["prompt"] or found["group"]
    counts_groups = any(_formula(head, x, wanted) is not None for x in COUNTED)
    step = found["step"] or head.first(LOG_STEPS, head.top)
    lively = bool(IN_LOGS_ONLY & plain) or counts_groups or (step and _is_course(head, step, found["mean"]))
    logged = (found["mean"] or found["degenerate"]) and lively and not OF_ROLLOUTS_ONLY & plain and not keyed
    if wanted.kind == "log" or (not wanted.kind and logged and (step or single)):
        return _log(head, wanted, given, None)

    if single and not keyed and not wanted.group_size and not given:
        cells_of_one = [x for name in head.top for x in head.cells(name)]
        if not any(isinstance(x, list | tuple) for x in cells_of_one):
            raise NotRows(
                f"{table.name} holds averages only ({some(head.top)}): one number for all prompts. Read the file with "
                "a verdict for every response, or with counts for every prompt."
            )

    # One column a sample.
    wide = _wide(head, globs)
    if wide and not given.keys() & {"reward", "correct", "rate"} and not found["reward"]:
        found["reward"] = found["correct"] = None
    else:
        wide = ()

    # What kind of rows.
    if found["rate"] is None or "rate" not in given:
        shares = [
            x
            for x in head.top
            if pattern("*_pass_rate").fullmatch(bare(x)) or pattern("*solve_rate*").fullmatch(bare(x))
        ]
        if len(shares) > 1 and not given.keys() & {"reward", "correct", "rate"} and found["rate"] in shares:
            raise ValueError(f"{table.name} has several shares of correct samples. Name one: {offers('rate', shares)}.")
    parts = next((x for x in head.top if _parts(head.cells(x)) and x not in given.values()), None)
    amount = found["reward"] or found["correct"]
    numbers = [number(x) for x in head.cells(amount)] if amount else []
    counting = (  # whole numbers above 1 beside prompts that stand once are counts
        not given.keys() & {"reward", "correct", "rate"}
        and not found["samples"]
        and all(x is not None and x.is_integer() and x >= 0 for x in numbers)
        and 1 < max((x or 0 for x in numbers), default=0) <= (wanted.samples or 64)
        and len(set(numbers)) > 2
        and bool(found["prompt"])
        and all_differ([hashable(x) for x in cells("prompt")])
    )
    if counting:
        found["correct"] = amount
    bools = any(isinstance(x, bool) or listed(x) is not None for x in cells("correct"))
    whole = found["correct"] and all(missing(x) or number(x) is not None for x in cells("correct"))
    lists = _answer_list(head, found) if whole and not found["samples"] else None
    samples_are_lists = found["samples"] and all(listed(x) is not None for x in cells("samples"))
    n_known = found["samples"] or wanted.samples or lists
    counted = whole and n_known and found["correct"] != found["samples"] and not bools
    if counted and not found["samples"]:
        counted = bool(lists) or "correct" in given or any((number(x) or 0) > 1 for x in cells("correct"))
    if wanted.kind in ("counts", "rates"):
        kind = wanted.kind
    elif wanted.kind in ("evaluation", "rollouts") or "reward" in given:
        kind = "rollouts"
    elif "rate" in given and "correct" not in given:
        kind = "rates"
    elif "correct" in given or (counting and not wide):
        kind = "counts"
    elif wide:
        kind = "rollouts"
    elif counted and not (
        found["reward"]
        and found["reward"] != found["correct"]
        and verdicts(head.cells(found["reward"]))
        and not found["samples"]
    ):
        kind = "counts"
    elif found["rate"] and (not found["reward"] or found["reward"] == found["rate"]):
        kind = "rates"
    elif parts and (not found["reward"] or found["reward"] == parts):
        kind, found["rate"] = "rates", parts
    elif (
        found["reward"]
        and (found["samples"] or wanted.samples)
        and not samples_are_lists
        and any(share(x) for x in cells("reward"))
    ):
        kind, found["rate"] = "rates", found["reward"]
    else:
        kind = "rollouts"
    if kind == "counts" and not found["correct"]:
        raise ValueError(
            f"{table.name} has no column of correct samples; it has {some(head.offered())}. Name it with correct=."
        )
    if kind == "rates" and not found["rate"]:
        if not found["reward"]:
            raise ValueError(
                f"{table.name} has no column of shares; it has {some(head.offered())}. Name it with rate=."
            )
        found["rate"] = found["reward"]
    if kind == "counts" and lists and not found["samples"]:
        found["samples"] = lists
    if kind == "counts" and not found["samples"] and not wanted.samples:
        most = max((number(x) or 0 for x in cells("correct")), default=8)
        raise ValueError(
            f"{table.name} counts correct samples in {found['correct']!r} and does not say of how many. Give "
            f"samples={most:g} if there are {most:g} of each prompt, or the number, or the column that holds it."
        )

    _keys(head, wanted, given, found, kind, notes)

    words = WORDS
    if kind == "rollouts" and not wide:
        _find_reward(head, wanted, given, found, notes, globs)
        kinds_of = {str(x).strip().lower() for x in cells("reward") if isinstance(x, str)}
        if kinds_of and kinds_of <= {"c", "i", "n", "p", ""} and "i" in kinds_of:
            words = {**WORDS, **LETTERS}
    if kind == "rollouts" and not (found["prompt"] or found["group"]) and not wanted.group_size:
        raise _without_key(head)
    summed = False
    if kind == "rollouts" and not wide:
        summed = _token_rewards(head, found["reward"], found["prompt"])
    if kind != "rollouts":
        found["reward"] = None
    if kind == "rollouts":
        for idea in ("correct", "samples", "rate"):
            found[idea] = None
    elif kind == "rates":
        found["correct"] = None
        if samples_are_lists and "samples" not in given:
            found["samples"] = None if wanted.samples else found["samples"]
    elif kind == "counts":
        found["rate"] = None
    if wanted.samples and kind != "rollouts" and "samples" not in given:
        found["samples"] = None
    in_name = (
        re.fullmatch(r"(?:avg|mean)@(\d+)", bare(found["rate"])) if kind == "rates" and not found["samples"] else None
    )
    used = {
        idea: name
        for idea, name in found.items()
        if name and idea in (*UNIT, "reward", "correct", "samples", "rate", "entropy", "wrong")
    }
    reward = used.get("reward")
    return _columns(
        head,
        kind,
        used,
        candidates=head.fair_rewards(words, [found[x] for x in UNIT] + [reward]),
        values=_values(head.cells(reward)) if reward else (),
        words=words,
        summed=summed,
        samples=wanted.samples or (int(in_name[1]) if in_name else None),
        alone=bool(found["prompt"]) and all_differ([hashable(x) for x in cells("prompt")]),
        apart=_apart(head, found),
        wide=wide,
        notes=tuple(notes),
        ambiguous="repeat" in used and "repeat" not in given,
    )


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


def _is_course(head: Head, step: str, mean: str | None) -> bool:
    """Whether each step stands once, with a mean between 0 and 1."""
    if mean is None or len(head.rows) < 3 or not all_differ(head.cells(step)):
        return False
    cells = [x for x in head.cells(mean) if not missing(x)]
    return all(in_unit(x) for x in cells) and any(share(x) for x in cells)


def _keys(
    head: Head, wanted: Wanted, given: Mapping[str, str], found: dict[str, Any], kind: str, notes: list[Note]
) -> None:
    """What tells prompts apart: id or text, data set, group, repeat, step."""
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
        constant = repeat is not None and len({hashable(x) for x in head.cells(repeat)}) < 2
        found["repeat"] = (
            repeat
            if repeat and not constant and kind in ("rollouts",) and (found["prompt"] or found["group"])
            else None
        )
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


def _find_reward(
    head: Head,
    wanted: Wanted,
    given: Mapping[str, str],
    found: dict[str, Any],
    notes: list[Note],
    globs: Mapping[str, str],
) -> None:
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
        way = f"Name it: {offers('reward', candidates)}." if candidates else "Name the column with reward=."
        if not candidates and shares:
            way = f"If it has a prompt's share of correct samples, name it: {offers('rate', shares)}."
        raise NotRows(f"no column of {table.name} is known as a reward; it has {some(head.offered())}. {way}")


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
            raise ValueError(f"reward={globs['reward']!r} names no column; there are {some(head.offered())}.")
        return named
    stems: dict[str, list[str]] = {}
    for name in head.top:
        stem = bare(name).rstrip("0123456789")
        if stem != bare(name):
            stems.setdefault(stem.rstrip("_#@[("), []).append(name)
    for stem, names in stems.items():
        if len(names) > 1 and stem.rpartition("_")[2] in SAMPLE_STEMS and all(verdicts(head.cells(x)) for x in names):
            return tuple(names)
    return ()


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
        if bare(other) in RESPONSES and len(cells) == len(sizes) and all(x is not None for x in texts):
            if sizes != [len(x or ()) for x in texts]:
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


def _without_key(head: Head) -> ValueError:
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
        f"{head.table.name} does not say which rollouts share a prompt; it has {some(head.offered())}. {way} give "
        f"group_size= if the rows of a group follow each other{log}."
    )


def _log(head: Head, wanted: Wanted, given: dict[str, str], known: Format | None) -> Columns:
    """The columns of a training log."""
    found: dict[str, Any] = {}
    notes: list[Note] = []
    for idea in ("step", "mean", "reward_std", "group_std", "entropy", "samples", "group_size"):
        text = getattr(known, idea, "") if known is not None else ""
        several = head.all(text) if text else {}
        if several:
            found[idea] = _main(several, wanted)
        if idea == "step" and not several and not text and not head.first(SYNONYMS["step"]):
            found[idea] = head.first(LOG_STEPS)
        elif several:
            pass
        elif not text or idea in ("step", "mean", "entropy", "samples", "group_size"):
            found[idea] = head.first(ROLLOUTS if idea == "samples" else SYNONYMS[idea])
    first_mean = found.get("mean")
    formula = given.get("degenerate") or (known.degenerate if known is not None else "") or ""
    choices = [formula] if "degenerate" in given else formula.split(" | ") if formula else []
    if "degenerate" not in given:
        choices += [x for x in (head.first(SYNONYMS["degenerate"]),) if x] + list(COUNTED)
    about = next((x for x in (_formula(head, text, wanted) for text in choices) if x is not None), None)
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
            f"{head.table.name} is a training log without a mean reward; it has {some(head.offered())}. Name its "
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
    getters: dict[str, Callable[[Any], Any]] = {idea: _getter(head.paths[name]) for idea, name in keys.items()}
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


def _main(several: Mapping[str, str], wanted: Wanted) -> str:
    """Of several sets, the one that is named, or that stands for all."""
    if wanted.scorer in several:
        return several[str(wanted.scorer)]
    return several.get("all") or next(iter(several.values()))


def _formula(head: Head, text: str, wanted: Wanted) -> tuple[str, Callable[[Any], Any]] | None:
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
                found.append(_getter(head.paths[name]))
                continue
            several = head.all(name)
            if not several:
                return None
            chosen = list(several.values()) if "#" in name else [_main(several, wanted)]
            found += [_getter(head.paths[x]) for x in chosen]
        return found

    if "+" not in text and "/ " not in text and "#" not in text and text not in head.paths and not one_minus:
        text = _main(several, wanted) if (several := head.all(text)) else text
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


def _columns(
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
    getters: dict[str, Any] = {idea: _getter(path) for idea, path in paths.items()}
    if several:
        names["dataset"] = " and ".join(several)
        outer = [_getter(head.paths[x]) for x in several]
        getters["dataset"] = lambda row: tuple(hashable(get(row)) for get in outer)
    if wide:
        names["reward"] = f"{wide[0]} to {wide[-1]}"
        samples = [_getter(head.paths[x]) for x in wide]
        getters["reward"] = lambda row: [get(row) for get in samples]
    if combine:
        columns = [_getter(head.paths[x]) for x in combine]
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


def _getter(path: Sequence[Any]) -> Callable[[Any], Any]:
    if len(path) == 1:
        key = path[0]

        def get(row: Any) -> Any:
            try:
                return row[key]
            except (KeyError, IndexError, TypeError):
                return None

        return get
    return lambda row: reach(row, path)


def _values(cells: Sequence[Any]) -> tuple[float, ...]:
    """The different numbers in a column's first rows, ascending."""
    flat = [x for cell in cells for x in (listed(cell) or [cell])]
    return tuple(sorted({value for x in flat if (value := number(x)) is not None}))


def _decimal_comma(head: Head) -> bool:
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


def _constant(cells: list[Any]) -> bool:
    """Whether several rows all have the same value."""
    return len(cells) > 1 and len({hashable(x) for x in cells}) == 1


def all_differ(cells: list[Any]) -> bool:
    """Whether every row has a value of its own."""
    return 1 < len(cells) == len({hashable(x) for x in cells})


def in_unit(cell: Any) -> bool:
    """Whether a cell is missing or in [0, 1]."""
    value = number(cell)
    return missing(cell) or (value is not None and 0 <= value <= 1)
