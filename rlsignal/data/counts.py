"""Rows counted as they pass: rollouts, counts, or shares of correct samples."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from rlsignal._validate import shown
from rlsignal.data.cells import hashable, is_nan, is_total, listed, missing, number, part, verdict
from rlsignal.data.formats import bare
from rlsignal.data.names import UNIT, WEAK_SETS
from rlsignal.data.records import Counts, Note, Rollouts
from rlsignal.data.shares import check_shares, infer_samples
from rlsignal.data.tables import Collector, Columns, Rounded, Table, Wanted, has, label, offers, to_float

APART = {"dataset": "data sets", "checkpoint": "policies", "step": "steps"}


class Tally(Collector):
    """Counts per entry, in memory that grows with the entries and not with the rows."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.units: dict[Any, dict[Any, int]] = {}
        self.parts: list[dict[str, Any]] = []
        self.first: dict[int, str] = {}  # where a prompt's counts stand, to name what repeats
        self.begun = -math.inf  # the step last begun
        self.correct: list[int] = []
        self.samples: list[int] = []
        self.shares: dict[int, float] = {}  # of correct samples, of an unknown number
        self.stated: dict[tuple[str, str], dict[int, float]] = {}  # by table and column, where the number is known
        self.entropies: dict[int, list[float]] = {}
        self.texts: dict[Any, Any] = {}
        self.guessed: set[str] = set()  # columns taken for a repeat by their names
        self.others: dict[str, None] = {}  # filters that were not asked for

    def add(self, table: Table, rows: Iterator[tuple[int, Any]], columns: Columns) -> None:
        """Count the rows of one table."""
        layout = tuple(idea for idea in UNIT if idea in columns.key)
        self.table, self.columns, self.layout = table, columns, layout
        if columns.ambiguous:
            self.guessed.add(columns.names["repeat"])
        self.in_step: dict[Any, int] = {}  # rows of each step, where only the order separates groups
        keys = [columns.key[idea] for idea in layout]
        self.known = self.units.setdefault((None if "step" in layout else table.step, layout, table.dataset), {})
        if self.wanted.filter is not None and "filter" in columns.key:
            rows = self._asked_for(rows, columns.key["filter"])
        if table.header is not None and "step" not in columns.key and "prompt" in columns.key:
            rows = self._without_totals(rows, columns.key["prompt"])
        if columns.kind == "rollouts":
            grouped = "prompt" in layout or "group" in layout
            with_keys = itemgetter(*keys) if keys else lambda row: None
            self._rollouts(rows, with_keys if grouped else self._consecutive(with_keys))
            self._check_full_groups()
        else:
            for place, row in rows:
                if table.header is None and not isinstance(row, Mapping):
                    raise self._incomplete(place, row)
                cells = tuple(row[key] if has(row, key) else None for key in keys)
                self._counts(place, row, cells if len(cells) != 1 else cells[0], keyed=bool(keys))

    def _asked_for(self, rows: Iterator[tuple[int, Any]], key: Any) -> Iterator[tuple[int, Any]]:
        """The rows of the filter that the caller names."""
        for place, row in rows:
            name = str(row[key]) if has(row, key) else ""
            if name == self.wanted.filter:
                yield place, row
            else:
                self.others[name] = None
                self.note("not asked for", self.table.at(place))

    def _without_totals(self, rows: Iterator[tuple[int, Any]], key: Any) -> Iterator[tuple[int, Any]]:
        """All rows but the last ones that sum up the others; what the first one is called is no word for that."""
        held: list[tuple[int, Any]] = []
        before, named = 0, False
        for place, row in rows:
            cell = row[key] if has(row, key) else None
            named = named or (not before and is_total(cell))
            if (is_total(cell) and not named) or (missing(cell) and before):
                held.append((place, row))
                continue
            yield from held
            held.clear()
            before += 1
            yield place, row
        if before < 2:
            yield from held
        else:
            for place, _ in held:
                self.note("total", self.table.at(place))

    def _rollouts(self, rows: Iterator[tuple[int, Any]], unit_of: Callable[[Any], Any]) -> None:
        """Where a row becomes a count. Everything unusual leaves this loop through a lookup that fails."""
        reward_key, entropy_key = self.columns.key["reward"], self.columns.key.get("entropy")
        threshold, words = self.wanted.threshold, self.columns.words
        worth: dict[Any, int] = {}
        if self.wanted.missing not in (0, 1) and "0" not in words and (threshold is None or 0 <= threshold < 1):
            worth = {**words, 0: 0, 1: 1, "0": 0, "1": 1, "0.0": 0, "1.0": 1, "True": 1, "False": 0}
        known, correct, samples = self.known, self.correct, self.samples
        last, scattered = -1, 0
        for place, row in rows:
            try:
                key = unit_of(row)
            except (LookupError, TypeError):
                raise self._incomplete(place, row) from None
            try:
                reward = row[reward_key]
            except KeyError:
                reward = None
            except TypeError:
                raise self._incomplete(place, row) from None
            try:
                unit = known.get(key)
            except TypeError:
                key = hashable(key)
                unit = known.get(key)
            if unit is None:
                unit = self._new(key, place)
            elif unit != last:
                scattered = scattered or place
            last = unit
            try:
                correct[unit] += worth[reward]
                samples[unit] += 1
            except (KeyError, TypeError):
                for one in self._judge(reward, place):
                    correct[unit] += one
                    samples[unit] += 1
            if entropy_key is not None:
                self._keep_entropy(unit, row, place)
        if scattered:
            self.note("scattered", self.table.at(scattered))

    def _counts(self, place: int, row: Any, key: Any, *, keyed: bool) -> None:
        """One prompt's counts, or its share of correct samples."""
        where, names = self.table.at(place), self.columns.names
        cells = {
            idea: row[at] if has(row, at := self.columns.key.get(idea)) else None
            for idea in ("correct", "wrong", "samples", "rate")
        }
        if (size := listed(cells["samples"])) is not None:
            cells["samples"] = len(size)
        if (both := part(cells["rate"])) is not None:
            cells["rate"], cells["samples"] = both[0] / both[1] if both[1] else None, both[1]
        value = {idea: to_float(names.get(idea, idea), x, where, comma=self.table.comma) for idea, x in cells.items()}
        rates = self.columns.kind == "rates"
        n = value["samples"] if not math.isnan(value["samples"]) else float(self.columns.samples or math.nan)
        share = value["rate"]
        c = n - value["wrong"] if "wrong" in names else value["correct"]
        if any(math.isnan(x) or x == -1 for x in ((share,) if rates else (c, n))) or (n == 0 and c in (0, share)):
            return self.note("no counts", where)
        key = hashable(key) if keyed else place
        if key in self.known:
            raise ValueError(
                f"{label(self.parts[self.known[key]])} has counts twice, in {self.first[self.known[key]]} and in "
                f"{where}. {self._ways_apart()}"
            )
        if rates and not 0 <= share <= 1:
            raise ValueError(
                f"{names['rate']} must lie in [0, 1], got {share:g} in {where}. Write shares, or percent with a % sign."
            )
        unit = self._new(key, place, keyed=keyed)
        self.first[unit] = where
        if rates and math.isnan(n):
            self.shares[unit] = share
            return None
        _check_whole(names.get("samples", "samples"), n, 1, where)
        if rates:
            c = round(share * n)
            if both is None:
                self.stated.setdefault((self.table.name, names["rate"]), {})[unit] = share
        _check_whole(names.get("correct", names.get("wrong", "correct")), c, 0, where)
        if c > n:
            raise ValueError(
                f"{names.get('correct', 'correct')} must be at most samples = {n:g}, got {c:g} in {where}."
            )
        self.correct[unit], self.samples[unit] = int(c), int(n)
        return self._keep_entropy(unit, row, place) if "entropy" in self.columns.key else None

    def _ways_apart(self) -> str:
        names = self.columns.apart[:1]
        if not names:
            return "Name the column that tells them apart with dataset=, checkpoint= or step=, or take one out."
        ways = [f"{offers(idea, names)} if it names {what}" for idea, what in APART.items()]
        return f"Say what tells them apart: {', '.join(ways)}."

    def _consecutive(self, outer: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Keys for rows without one: every `group_size` rows of a step are a group."""
        self.layout = (*self.layout, "group")
        one, size = len(self.layout) == 2, int(self.wanted.group_size or 0)

        def unit_of(row: Any) -> Any:
            key = outer(row)
            count = self.in_step.get(key, 0)
            self.in_step[key] = count + 1
            index = f"{self.table.name}:{count // size}"
            return index if key is None else (key, index) if one else (*key, index)

        return unit_of

    def _check_full_groups(self) -> None:
        for key, count in self.in_step.items():
            if count % int(self.wanted.group_size or 1):
                within = f" at {self.layout[0]} {key}" if key is not None else ""
                raise ValueError(
                    f"{count} rows{within} do not divide into groups of {self.wanted.group_size} in {self.table.name}. "
                    "Give the run's own group_size=, or name the column that tells groups with prompt= or group=."
                )

    def _incomplete(self, place: int, row: Any) -> ValueError:
        """What to say of a row that is no row, or lacks a key."""
        where = self.table.at(place)
        if not isinstance(row, Mapping):
            return ValueError(f"a row must be an object with columns, got {shown(row)} in {where}.")
        idea = next((idea for idea in self.layout if not has(row, self.columns.key.get(idea))), "prompt")
        return self._lacking(idea, where)

    def _lacking(self, idea: str, where: str) -> ValueError:
        name = self.columns.names.get(idea, idea)
        return ValueError(f"{name} is missing in {where}. Take the row out, or name another column with {idea}=.")

    def _new(self, key: Any, place: int, *, keyed: bool = True) -> int:
        """An entry for a key that was not seen before, checked once."""
        cells = key if isinstance(key, tuple) and len(self.layout) != 1 else (key,)
        parts = dict(zip(self.layout, cells, strict=False)) if self.layout and keyed else {"prompt": key}
        where = self.table.at(place)
        if self.table.rounds and any(isinstance(cell, float) and abs(cell) >= 2.0**53 for cell in parts.values()):
            raise Rounded(f"{where} has an id of more than 19 digits, which may have been rounded. Write ids as text.")
        for idea, cell in parts.items():
            if missing(cell) and idea in ("step", "group", "prompt"):
                raise self._lacking(idea, where)
        if "step" in parts:
            parts["step"] = self._step(parts["step"], where)
            if parts["step"] < self.begun:
                self.note("steps back", where)
            self.begun = parts["step"]
        elif self.table.step is not None:
            parts["step"] = self.table.step
        if self.table.dataset:
            parts["dataset"] = (self.table.dataset, parts["dataset"]) if "dataset" in parts else self.table.dataset
        if "prompt" in parts:  # one copy of a text, however many steps it stands in
            parts["prompt"] = self.texts.setdefault(parts["prompt"], parts["prompt"])
            shared = tuple(
                parts["prompt"] if idea == "prompt" else x for idea, x in zip(self.layout, cells, strict=False)
            )
            key = key if not self.layout or not keyed else shared if len(shared) > 1 else shared[0]
        unit = self.known[key] = len(self.correct)
        self.parts.append(parts)
        self.correct.append(0)
        self.samples.append(0)
        return unit

    def _step(self, cell: Any, where: str) -> float:
        """A step, which may stand as 9/547."""
        if isinstance(cell, int) or (isinstance(cell, str) and cell.isdecimal()):
            return float(cell)
        of = part(cell)
        return float(of[0]) if of else to_float(self.columns.names.get("step", "step"), cell, where)

    def _judge(self, value: Any, place: int) -> list[int]:
        """0 or 1 for every reward in a cell; none where it is missing."""
        where = self.table.at(place)
        inner = listed(value)
        if inner is not None:
            if any(isinstance(x, list | tuple) for x in inner):
                raise ValueError(
                    f"{self.columns.names['reward']} holds lists of lists, got {shown(value)} in {where}. Write one "
                    "value, or one list, of 0 and 1 for each prompt."
                )
            if not inner:
                self.note("missing", where)
                return []
            if not self.columns.summed:
                return [one for x in inner for one in self._judge(x, place)]
            numbers = [number(x) for x in inner]
            if None in numbers:
                raise ValueError(f"{self.columns.names['reward']} must list numbers, got {shown(value)} in {where}.")
            value = math.fsum(x for x in numbers if x is not None)
        words, other = self.columns.words, self.columns.other
        if missing(value):
            self.note("nan" if is_nan(value) else "missing", where)
            return []
        if "0" in words:
            return [words.get(str(value).strip().lower(), other or 0)]
        if "c" in words and isinstance(value, str) and value.strip().lower() == "p":
            if self.wanted.threshold is None:
                name = self.columns.names["reward"]
                raise ValueError(
                    f"{name} is P, partly correct, in {where}, which is not binary. Give threshold=0.75 to count it as "
                    "incorrect, or threshold=0.25 to count it as correct."
                )
            return [int(self.wanted.threshold < 0.5)]
        amount = number(value, comma=self.table.comma)
        if amount is not None and amount == self.wanted.missing:
            self.note("left out as asked", where)
            return []
        if amount is not None and self.wanted.threshold is not None:
            return [int(amount > self.wanted.threshold)]
        one = verdict(value, words)
        if one is not None:
            return [one]
        if amount is None:
            if isinstance(value, str) and other is not None:
                return [other]
            raise ValueError(self._no_verdict(value, where))
        if min(abs(amount), abs(amount - 1)) <= 1e-6:
            self.note("rounded", where)
            return [round(amount)]
        raise ValueError(self._not_binary(amount, where))

    def _no_verdict(self, value: Any, where: str) -> str:
        name, fair = self.columns.names["reward"], self.columns.candidates
        if part(value) is not None:
            way = offers("rate", [name])
            return f"{name} must be 0 or 1, got {value!r} in {where}. If it is k of n samples, give {way}."
        return f"{name} must be a number, got {shown(value)} in {where}." + (
            f" Name a column of verdicts: {offers('reward', fair)}." if fair else ""
        )

    def _not_binary(self, amount: float, where: str) -> str:
        """The refusal of a reward, with the ways out that this table has."""
        name, fair = self.columns.names["reward"], self.columns.candidates
        values = sorted({*self.columns.values, amount})
        if -1 in values and set(values) <= {-1, 0, 1}:
            text = f"{name} is -1 in {where}: it may stand for incorrect or for missing. Give threshold=0 if -1 is "
            text += "incorrect; missing=-1 if it is missing"
            return text + (f"; {offers('reward', fair)} may be binary." if fair and 0 not in values else ".")
        ways = [f"{offers('reward', fair)} may be"] if fair else []
        shares = 0 < amount < 1 and " to " not in name and values[0] >= 0 and values[-1] <= 1
        rate = [f"{offers('rate', [name])} if each is a prompt's share of correct samples"] if shares else []
        ways += rate if self.columns.alone else []
        if self.columns.alone and values[0] >= 0 and 1 < values[-1] <= 100 and any(x % 1 for x in values):
            ways += [
                f"write a % sign and give {offers('rate', [name])} if each is a prompt's percentage of correct samples"
            ]
        if len(values) == 2:
            middle = sum(values) / 2
            ways += [f"give threshold={middle:g} if {values[1]:g} is correct and {values[0]:g} is not"]
        else:
            middle = max(0.5, math.floor(values[-1]) - 0.5) if values[-1] > 1 else 0.5
            ways += [f"give threshold=, above which a reward counts as correct, such as threshold={middle:g}"]
        ways += [f"or {x}" for x in rate if not self.columns.alone]
        return f"{name} must be 0 or 1, got {amount:g} in {where}. rlsignal reads binary rewards: {'; '.join(ways)}."

    def _keep_entropy(self, unit: int, row: Any, place: int) -> None:
        key = self.columns.key["entropy"]
        value = to_float(self.columns.names["entropy"], row[key] if has(row, key) else None, self.table.at(place))
        if value == -1:
            self.note("marked missing", self.table.at(place))
        elif not math.isnan(value):
            total = self.entropies.setdefault(unit, [0.0, 0])
            total[0] += value
            total[1] += 1

    def result(self, notes: list[Note]) -> Rollouts:
        """The counts, and the notes that only all rows together give rise to."""
        for (_, column), of_column in self.stated.items():
            check_shares(column, [(x, self.samples[unit], self.first[unit]) for unit, x in of_column.items()])
        correct, samples = (np.array(x, np.int64) for x in (self.correct, self.samples))
        if self.shares:
            which, shares = np.fromiter(self.shares, int), np.fromiter(self.shares.values(), float)
            checkpoints = [self.parts[unit].get("checkpoint") for unit in self.shares]
            samples[which], text = infer_samples(shares, checkpoints, self.table.name, self.columns.names["rate"])
            correct[which] = np.rint(shares * samples[which])
            notes = [*notes, Note("inferred", text)]
        if self.wanted.filter is not None and not self.correct and self.others:
            raise ValueError(f"filter must be one of {', '.join(map(repr, self.others))}, got {self.wanted.filter!r}.")
        self._one_filter()
        keep = np.flatnonzero(samples > 0)
        if not keep.size:
            raise ValueError(f"{self.table.name} holds no rollout with a reward.")
        notes = self.noted(notes)
        parts, entropy = self.parts, self.entropies
        if any("repeat" in part for part in parts):
            parts, correct, samples, entropy, more = self._over_repeats(correct, samples)
            notes += more
            keep = np.flatnonzero(samples > 0)
        without = len(samples) - keep.size
        if without:
            text = f"{without} prompts have no reward at all and are left out."
            notes.append(Note("no samples", text, label(parts[int(np.argmin(samples > 0))]), without))
        parts, correct, samples = [parts[i] for i in keep], correct[keep], samples[keep]
        notes += self._about_data_sets(parts, samples)
        notes += _about_sizes(samples, parts, self.wanted.group_size)
        means = [total[0] / total[1] if (total := entropy.get(int(i))) else math.nan for i in keep]
        several = len({part.get("dataset") for part in parts}) > 1

        def prompt(part: Mapping[str, Any]) -> Any:
            own = part.get("prompt", part.get("group"))
            return (part.get("dataset"), own) if several else own

        return Rollouts(
            prompt=tuple(map(prompt, parts)),
            correct=correct,
            samples=samples,
            step=np.array([part.get("step", math.nan) for part in parts]) if any("step" in p for p in parts) else None,
            checkpoint=tuple(p.get("checkpoint") for p in parts) if any("checkpoint" in p for p in parts) else None,
            entropy=np.array(means) if self.entropies else None,
            notes=tuple(notes),
        )

    def _one_filter(self) -> None:
        """Refuse several verdicts of one response that would be counted as several responses."""
        if "filter" in self.wanted.columns:
            return
        names = list(dict.fromkeys(str(part["filter"]) for part in self.parts if "filter" in part))
        if len(names) > 1:
            column = self.columns.names["filter"]
            ways = offers("filter", names)
            if column == "section":
                ways += f"; or, if they are policies, {offers('checkpoint', [column])}, if data sets, "
                ways += offers("dataset", [column])
            raise ValueError(
                f"{column} of {self.table.name} is {' and '.join(map(repr, names[:6]))}, each with its own verdicts. "
                f"Name one: {ways}."
            )

    def _over_repeats(self, correct: Counts, samples: Counts) -> tuple[Any, ...]:
        """Entries without their repeat, counted together."""
        column, notes = self.columns.names.get("repeat", "repeat"), []
        often = np.flatnonzero(samples > 1)
        where = label(self.parts[int(often[0])]) if len(often) else ""
        apart = len({tuple((i, x) for i, x in p.items() if i != "repeat") for p in self.parts}) < len(self.parts)
        if len(often) and self.guessed and apart:
            ways = {"epoch": ("step", "repeat"), "iteration": ("step", "repeat"), "run": ("checkpoint", "repeat")}
            first, second = ways.get(column.lower(), ("repeat", "checkpoint"))
            says = {
                "repeat": "counts all rollouts of a prompt together",
                "step": "keeps training steps apart",
                "checkpoint": "keeps policies apart",
            }
            raise ValueError(
                f"{column} of {self.table.name} does not number the rollouts of a prompt: {where} has "
                f"{samples[often[0]]}. {offers(first, [column])} {says[first]}; {offers(second, [column])} "
                f"{says[second]}."
            )
        if len(often) and apart:
            text = f"{len(often)} pairs of a prompt and its {column!r} stand more than once; all are counted."
            notes.append(Note("doubled", text, where, len(often)))
        where_to: dict[Any, int] = {}
        parts: list[dict[str, Any]] = []
        to = np.empty(len(self.parts), np.int64)
        for i, own in enumerate(self.parts):
            rest = {idea: x for idea, x in own.items() if idea != "repeat"}
            key = tuple(rest.items())
            if key not in where_to:
                where_to[key] = len(parts)
                parts.append(rest)
            to[i] = where_to[key]
        total = [np.bincount(to, x, len(parts)).astype(np.int64) for x in (correct, samples)]
        entropy: dict[int, list[float]] = {}
        for unit, (amount, count) in self.entropies.items():
            kept = entropy.setdefault(int(to[unit]), [0.0, 0])
            kept[0] += amount
            kept[1] += count
        return parts, *total, entropy, notes

    def _about_data_sets(self, parts: Sequence[Mapping[str, Any]], samples: Counts) -> list[Note]:
        """Equal ids of several data sets are several prompts; asked where a label of rollouts may look like one."""
        if not any("dataset" in own for own in parts):
            return []
        sets: dict[Any, set[Any]] = {}
        for own in parts:
            sets.setdefault(own.get("prompt", own.get("group")), set()).add(own.get("dataset"))
        shared = [prompt for prompt, names in sets.items() if len(names) > 1]
        if not shared:
            return []
        column = self.columns.names.get("dataset", "dataset")
        if "dataset" not in self.wanted.columns:
            sizes: dict[Any, Counter[int]] = {}
            for own, n in zip(parts, samples.tolist(), strict=True):
                sizes.setdefault(own.get("dataset"), Counter())[n] += 1
            usual = sum(count.most_common(1)[0][1] for count in sizes.values())
            sure = not any(bare(x) in WEAK_SETS for x in column.split(" and "))
            if not sure or usual < 0.9 * len(parts):
                several = column.split(" and ")
                if len(several) > 1:  # the one that differs within a prompt
                    values = zip(*(x for x in sets[shared[0]] if isinstance(x, tuple)), strict=True)
                    column = next((x for x, own in zip(several, values, strict=False) if len(set(own)) > 1), several[0])
                raise ValueError(
                    f"{column} of {self.table.name} differs within {self.columns.names.get('prompt', 'prompt')} "
                    f"{shown(shared[0])}. {offers('repeat', [column])} counts "
                    f"a prompt's rollouts together; {offers('dataset', [column])} takes them for different prompts."
                )
        text = f"{len(shared)} prompts stand in several data sets ({column}) and are counted as different prompts."
        return [Note("data sets", text, shown(shared[0]), len(shared))]


def _about_sizes(samples: Counts, parts: Sequence[Mapping[str, Any]], group_size: int | None) -> list[Note]:
    notes, most = [], int(samples.max())
    fewer = samples < most
    if fewer.any():
        below = f"{fewer.sum()} of {len(samples)} below {most}"
        text = f"Groups are of unequal size: {samples.min()} to {most} samples, {below}."
        notes.append(Note("unequal", text, label(parts[int(np.argmax(fewer))]), int(fewer.sum())))
    if most == 1:
        text = "Every prompt has one sample, so nothing is known of groups; name another column with prompt= or group=."
        notes.append(Note("single", text, "", len(samples)))
    short = samples < (group_size or 0)
    if short.any():
        text = (
            f"{short.sum()} prompts have fewer samples than the group size {group_size}: only fits and bounds reach it."
        )
        notes.append(Note("n < g", text, label(parts[int(np.argmax(short))]), int(short.sum())))
    return notes


def _check_whole(name: str, number: float, smallest: int, where: str) -> None:
    if not (number == math.floor(number) and smallest <= number <= 2**53):
        raise ValueError(f"{name} must be a whole count of at least {smallest}, got {number:g} in {where}.")
