"""Rows counted as they pass: rollouts, counts, or shares of correct samples."""

import contextlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from operator import itemgetter
from typing import Any

import numpy as np

from rlsignal.data.formats import UNIT
from rlsignal.data.records import Note, Rollouts
from rlsignal.data.tables import (
    WORDS,
    Collector,
    Columns,
    Table,
    Wanted,
    has,
    hashable,
    label,
    missing,
    not_binary,
    offers,
    shown,
    to_float,
)

LARGEST_INFERRED = 256  # samples per prompt that are inferred from shares


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
        self.shares: dict[int, float] = {}
        self.entropies: dict[int, list[float]] = {}
        self.texts: dict[Any, Any] = {}

    def add(self, table: Table, rows: Iterator[tuple[int, Any]], columns: Columns) -> None:
        """Count the rows of one table."""
        layout = tuple(idea for idea in UNIT if idea in columns.key)
        self.table, self.columns, self.layout = table, columns, layout
        self.seen: dict[Any, int] = {}  # rows of each step, where groups are told by order only
        keys = [columns.key[idea] for idea in layout]
        self.known = self.units.setdefault((None if "step" in layout else table.step, layout), {})
        if columns.kind == "rollouts":
            grouped = "prompt" in layout or "group" in layout
            with_keys = itemgetter(*keys) if keys else lambda row: None
            self._rollouts(rows, with_keys if grouped else self._consecutive(with_keys))
            self._check_full_groups()
        else:
            for place, row in rows:
                self._counts(place, row, tuple(row[key] if has(row, key) else None for key in keys) or place)

    def _rollouts(self, rows: Iterator[tuple[int, Any]], unit_of: Callable[[Any], Any]) -> None:
        """Where a row becomes a count. Everything unusual leaves this loop through a lookup that fails."""
        reward_key, entropy_key = self.columns.key["reward"], self.columns.key.get("entropy")
        threshold = self.wanted.threshold
        worth = {0: 0, 1: 1, "0": 0, "1": 1, "0.0": 0, "1.0": 1} if threshold is None or 0 <= threshold < 1 else {}
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
            self.meet("scattered", self.table.at(scattered))

    def _counts(self, place: int, row: Any, key: Any) -> None:
        """One prompt's counts, or its share of correct samples."""
        where, value = self.table.at(place), {}
        for idea in ("correct", "samples", "rate"):
            cell = row[self.columns.key[idea]] if has(row, self.columns.key.get(idea)) else None
            value[idea] = to_float(self.columns.names.get(idea, idea), cell, where)
        rates = self.columns.kind == "rates"
        share, n = value["rate"], value["samples"]
        if any(math.isnan(x) or x == -1 for x in ((share,) if rates else (value["correct"], n))) or (
            n == 0 and value["correct"] == 0
        ):
            return self.meet("no counts", where)
        key = hashable(key)
        if key in self.known:
            unit = self.known[key]
            raise ValueError(
                f"{label(self.parts[unit])} has counts twice, in {self.first[unit]} and in {where}. Name the column "
                "that tells them apart with checkpoint= or step=; or, if each row is one rollout, give reward=."
            )
        if rates and not 0 <= share <= 1:
            raise ValueError(f"{self.columns.names['rate']} must lie in [0, 1], got {share:g} in {where}.")
        unit = self._new(key, place)
        self.first[unit] = where
        if rates and math.isnan(n):
            self.shares[unit] = share
            return None
        _check_whole(self.columns.names.get("samples", "samples"), n, 1, where)
        c = round(share * n) if rates else value["correct"]
        if rates and (abs(c / n - share) > (off := _rounding(_digits(share))) or off * n >= 0.5):
            raise ValueError(
                f"{self.columns.names['rate']} must be a whole number of {n:g} samples, got {share!r} in {where}. "
                "If the rewards are not binary, name a column that is; else give more digits."
            )
        _check_whole(self.columns.names.get("correct", "correct"), c, 0, where)
        if c > n:
            raise ValueError(f"correct must be at most samples = {n:g}, got {c:g} in {where}.")
        self.correct[unit], self.samples[unit] = int(c), int(n)
        return self._keep_entropy(unit, row, place) if "entropy" in self.columns.key else None

    def _consecutive(self, outer: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Keys for rows without one: every `group_size` rows of a step are a group."""
        self.layout = (*self.layout, "group")
        one, size = len(self.layout) == 2, int(self.wanted.group_size or 0)

        def unit_of(row: Any) -> Any:
            key = outer(row)
            count = self.seen.get(key, 0)
            self.seen[key] = count + 1
            index = f"{self.table.name}:{count // size}"
            return index if key is None else (key, index) if one else (*key, index)

        return unit_of

    def _check_full_groups(self) -> None:
        for key, count in self.seen.items():
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
        idea = next(idea for idea in self.layout if not has(row, self.columns.key.get(idea)))
        return self._lacking(idea, where)

    def _lacking(self, idea: str, where: str) -> ValueError:
        name = self.columns.names.get(idea, idea)
        return ValueError(f"{name} is missing in {where}. Take the row out, or name another column with {idea}=.")

    def _new(self, key: Any, place: int) -> int:
        """An entry for a key that was not seen before, checked once."""
        cells = key if isinstance(key, tuple) else (key,)
        parts = dict(zip(self.layout, cells, strict=False)) if self.layout else {"prompt": key}
        where = self.table.at(place)
        for idea, cell in parts.items():
            if missing(cell):
                raise self._lacking(idea, where)
        if "step" in parts:
            parts["step"] = to_float("step", parts["step"], where)
            if parts["step"] < self.begun:
                self.meet("steps back", where)
            self.begun = parts["step"]
        elif self.table.step is not None:
            parts["step"] = self.table.step
        if "prompt" in parts:  # one copy of a text, however many steps it stands in
            parts["prompt"] = self.texts.setdefault(parts["prompt"], parts["prompt"])
            shared = tuple(
                parts["prompt"] if idea == "prompt" else x for idea, x in zip(self.layout, cells, strict=False)
            )
            key = key if not self.layout else shared if isinstance(key, tuple) else shared[0]
        unit = self.known[key] = len(self.correct)
        self.parts.append(parts)
        self.correct.append(0)
        self.samples.append(0)
        return unit

    def _judge(self, value: Any, place: int) -> list[int]:
        """0 or 1 for every reward in a cell; none where it is missing."""
        where = self.table.at(place)
        if isinstance(value, str) and value.lstrip().startswith("["):
            with contextlib.suppress(ValueError):
                value = json.loads(value)
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, list | tuple):
            return [one for inner in value for one in self._judge(inner, place)]
        if missing(value):
            self.meet("missing", where)
            return []
        if isinstance(value, str) and value.strip().lower() in WORDS:
            return [WORDS[value.strip().lower()]]
        number = to_float(self.columns.names["reward"], value, where)
        if self.wanted.threshold is not None:
            return [int(number > self.wanted.threshold)]
        if number in (0, 1):
            return [int(number)]
        if number == -1:
            self.meet("minus one", where)
            return []
        if min(abs(number), abs(number - 1)) <= 1e-6:
            self.meet("rounded", where)
            return [round(number)]
        raise ValueError(not_binary(self.columns.names["reward"], number, where, self.columns.candidates))

    def _keep_entropy(self, unit: int, row: Any, place: int) -> None:
        key = self.columns.key["entropy"]
        value = to_float(self.columns.names["entropy"], row[key] if has(row, key) else None, self.table.at(place))
        if value == -1:
            self.meet("marked missing", self.table.at(place))
        elif not math.isnan(value):
            total = self.entropies.setdefault(unit, [0.0, 0])
            total[0] += value
            total[1] += 1

    def result(self, notes: list[Note]) -> Rollouts:
        """The counts, and the notes that only all rows together give rise to."""
        correct, samples = (np.array(x, np.int64) for x in (self.correct, self.samples))
        if self.shares:
            n = _inferred(list(self.shares.values()), self.table.name)
            which = np.fromiter(self.shares, int)
            correct[which], samples[which] = np.rint(np.fromiter(self.shares.values(), float) * n), n
            text = f"The number of samples is not stated; {n} is the smallest that makes every share a whole count."
            notes = [*notes, Note("inferred", text)]
        if "minus one" in self.met and (correct == samples).all():
            name, fair = self.columns.names["reward"], self.columns.candidates
            raise ValueError(
                f"{name} is -1 in {self.met['minus one'][1]}, and 0 nowhere: it may stand for wrong or for missing. "
                "Give threshold=0 if it stands for wrong; take these rows out if for missing"
                + (f"; {offers(fair)} may be binary." if fair else ".")
            )
        keep = np.flatnonzero(samples > 0)
        if not keep.size:
            raise ValueError(f"{self.table.name} holds no rollout with a reward.")
        parts = [self.parts[i] for i in keep]
        notes = self.noted(notes)
        without = len(samples) - keep.size
        if without:
            text = f"{without} prompts have no reward at all and are left out."
            notes.append(Note("no samples", text, label(self.parts[int(np.argmin(samples > 0))]), without))
        correct, samples = correct[keep], samples[keep]
        notes += _about_sizes(samples, parts, self.wanted.group_size)
        entropy = [total[0] / total[1] if (total := self.entropies.get(int(i))) else math.nan for i in keep]
        return Rollouts(
            prompt=tuple(part.get("prompt", part.get("group")) for part in parts),
            correct=correct,
            samples=samples,
            step=np.array([part.get("step", math.nan) for part in parts]) if any("step" in p for p in parts) else None,
            checkpoint=tuple(p.get("checkpoint") for p in parts) if any("checkpoint" in p for p in parts) else None,
            entropy=np.array(entropy) if self.entropies else None,
            notes=tuple(notes),
        )


def _about_sizes(samples: np.ndarray, parts: list[dict[str, Any]], group_size: int | None) -> list[Note]:
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


def _inferred(shares: list[float], name: str) -> int:
    """The smallest n that makes every share a whole count; refused where rounding leaves a choice."""
    n = smallest_count(np.array(shares))
    if n is None:
        raise ValueError(
            f"shares of {name} must be whole counts of some number of samples up to {LARGEST_INFERRED}, and fit none "
            "or, being rounded, several. Give the column of the number of samples with samples=; or, if each value "
            "is one rollout's reward, they are not binary: give threshold=."
        )
    return n


def smallest_count(shares: np.ndarray) -> int | None:
    """The smallest n with every n x share whole; None where there is none, or where rounding leaves a choice."""
    distinct = np.unique(shares)
    written = _rounding(max(map(_digits, distinct.tolist())))
    exact, rounded = (
        next((n for n in range(1, LARGEST_INFERRED + 1) if _fits(distinct, n, tolerance)), None)
        for tolerance in (_rounding(17), written)
    )
    if exact is None and rounded is not None and rounded**2 * written < 0.05:  # far from every other fraction
        return rounded
    return exact if exact == rounded else None


def _fits(shares: np.ndarray, n: int, tolerance: float) -> bool:
    return bool(np.all(np.abs(shares - np.rint(shares * n) / n) <= tolerance))


def _digits(share: float) -> int:
    """Decimals as written."""
    mantissa, _, exponent = repr(float(share)).partition("e")
    return len(mantissa.partition(".")[2].rstrip("0")) - int(exponent or 0)


def _rounding(digits: int) -> float:
    """How far a share may be from what it was rounded from; one digit is taken as exact, 0.3 being three tenths."""
    return (0.5 * 10.0**-digits if 2 <= digits <= 6 else 1e-6) * (1 + 1e-9)


def _check_whole(name: str, number: float, smallest: int, where: str) -> None:
    if not (number == math.floor(number) and smallest <= number <= 2**53):
        raise ValueError(f"{name} must be a whole count of at least {smallest}, got {number:g} in {where}.")
