"""Training logs: rows kept in the order in which they were written, what restarts superseded, and what they count."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rlsignal._validate import shown
from rlsignal.data.cells import decimals, is_total, missing, part
from rlsignal.data.records import Counts, Floats, Note, TrainingLog
from rlsignal.data.shares import smallest_count
from rlsignal.data.tables import Collector, Columns, NotRows, Table, Wanted, has, offers, some, to_float

IDEAS = ("step", "mean", "degenerate", "reward_std", "group_std", "entropy", "samples", "group_size")
ENOUGH = 10  # rows between 0 and 1 before their fractions say how many groups there are


class Log(Collector):
    """The rows of a training log, in the order in which they were written."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.rows: list[list[float]] = []
        self.counted: list[float] = []  # degenerate groups of a row whose number of groups is not stated
        self.where: list[str] = []
        self.graded = ""  # where a mean left [0, 1]

    def add(self, table: Table, rows: Iterator[tuple[int, Any]], columns: Columns) -> None:
        """Keep the rows of one table that have a mean reward or a share of degenerate groups."""
        self.table, self.columns = table, columns
        names = columns.names
        for place, row in rows:
            where = table.at(place)
            if table.header is None and not isinstance(row, Mapping):
                raise ValueError(f"a row must be an object with columns, got {shown(row)} in {where}.")
            cells = {idea: row[key] if has(row, key := columns.key.get(idea)) else None for idea in IDEAS}
            cells["step"] = of[0] if (of := part(cells["step"])) is not None else cells["step"]
            if is_total(cells["step"]):
                self.note("total", where)
                continue
            counted = math.nan
            if isinstance(cells["degenerate"], tuple):
                counted, cells["degenerate"] = cells["degenerate"][1], None
            values = [to_float(names.get(idea, idea), cells[idea], where, comma=table.comma) for idea in IDEAS]
            empty = math.isnan(values[1]) and math.isnan(values[2]) and math.isnan(counted)
            if empty or ("mean" in columns.key and missing(cells["mean"]) and "degenerate" not in columns.key):
                self.note("no reward", where)
                continue
            if math.isnan(values[0]):
                raise ValueError(f"{names.get('step', 'step')} is missing in {where}. Name another column with step=.")
            for i in (3, 4, 5):
                if values[i] == -1:
                    self.note("marked missing", where)
                    values[i] = math.nan
            if not math.isnan(values[1]) and not -1e-6 <= values[1] <= 1 + 1e-6:
                if math.isnan(values[2]) and math.isnan(counted):
                    raise ValueError(self._no_share(values[1], where))
                self.graded = self.graded or f"{values[1]:g} in {where}"
            elif not math.isnan(values[1]):
                values[1] = min(max(values[1], 0.0), 1.0)
            if not (math.isnan(values[2]) or -1e-6 <= values[2] <= 1 + 1e-6):
                raise ValueError(f"{names['degenerate']} must lie in [0, 1], got {values[2]:g} in {where}.")
            values[2] = min(max(values[2], 0.0), 1.0) if not math.isnan(values[2]) else math.nan
            for i in (3, 4):
                if values[i] < 0:
                    raise ValueError(f"{names[IDEAS[i]]} must be at least 0, got {values[i]:g} in {where}.")
            if self.rows and self._completes(values, counted):
                continue
            self.rows.append(values)
            self.counted.append(counted)
            self.where.append(where)

    def _completes(self, values: list[float], counted: float) -> bool:
        """Whether a row has what the one before it, of the same step, lacks: metrics that were written one by one."""
        last = self.rows[-1]
        apart = all(math.isnan(a) or math.isnan(b) for a, b in zip(last[1:], values[1:], strict=True))
        if last[0] != values[0] or not apart or not (math.isnan(counted) or math.isnan(self.counted[-1])):
            return False
        self.rows[-1] = [b if math.isnan(a) else a for a, b in zip(last, values, strict=True)]
        self.counted[-1] = counted if math.isnan(self.counted[-1]) else self.counted[-1]
        return True

    def _no_share(self, value: float, where: str) -> str:
        ways = [f"{offers('reward', self.columns.candidates)} may be"] if self.columns.candidates else []
        ways += ["name one with reward="]
        return (
            f"{self.columns.names['mean']} must be in [0, 1], got {value:g} in {where}. rlsignal reads binary rewards: "
            f"{'; '.join(ways)}."
        )

    def result(self, notes: list[Note]) -> TrainingLog:
        """The columns, with what restarts superseded marked."""
        if not self.rows:
            raise NotRows(f"{self.table.name} has no row with a mean reward.")
        notes = self.noted(notes)
        if len(self.rows) == 1:
            notes.append(Note("one row", "The log has one row, as a summary has: its course is not known."))
        step, reward, degenerate, reward_std, group_std, entropy, samples, sizes = np.array(self.rows).T
        names = self.columns.names
        superseded = self._superseded(step, notes)
        degenerate = self._shares(degenerate, reward, notes)
        n = self._rollouts(samples, reward, degenerate, notes)
        size = self._group_size(sizes, degenerate, n, notes)
        if size and np.isnan(samples).all() and (n > 0).any():
            groups = smallest_count(degenerate[np.isfinite(degenerate)]) if np.isfinite(degenerate).any() else 1
            n = np.where(n > 0, np.lcm(n, size * (groups or 1)), 0)
        of = ""
        if self.columns.about:
            whose = f"of {self.columns.about!r}, and not of {names['mean']!r}, the mean"
            deviations = [names[x] for x in ("reward_std", "group_std") if x in names]
            if np.isfinite(degenerate).any():
                of = self.columns.about
                notes.append(Note("other reward", f"Degenerate groups, {names['degenerate']!r}, are {whose}."))
            elif deviations:
                notes.append(Note("other reward", f"Deviations, {some(deviations)}, are {whose}, and left out."))
        if self.graded and np.isfinite(degenerate).any():
            ways = f" For another mean: {offers('reward', self.columns.candidates)}." if self.columns.candidates else ""
            text = (
                f"{names['mean']!r} is not binary ({self.graded}), and its mean is not used; {names['degenerate']!r}, "
            )
            notes.append(Note("graded", f"{text}which speaks of it, is.{ways}"))
            reward = np.full_like(step, math.nan)
        if np.isnan(degenerate).all() and not self.columns.about and np.isin(reward, (0, 1)).all():
            degenerate = np.ones_like(step)
            text = "Every mean is exactly 0 or 1, so all rollouts of a row agree: every group is degenerate."
            notes.append(Note("all degenerate", text, "", len(step)))
        std_of = "groups"
        if np.isnan(group_std).all():
            group_std, std_of = reward_std, _whose_deviation(reward_std, reward)
        if std_of == "groups" and size and not self.graded and not self.columns.about:
            low = group_std < (1 - degenerate) / math.sqrt(size) * (1 - 1e-3)
            if low.any():
                text = (
                    f"{low.sum()} of the groups' mean standard deviations are below those of binary rewards in groups "
                    f"of {size}, so the reward is graded, or the group size another."
                )
                notes.append(Note("graded", text, self.where[int(np.argmax(low))], int(low.sum())))
        if self.columns.about:
            std_of, group_std = "", np.full_like(step, math.nan)
        groups = self.wanted.groups
        if groups is None and size and (np.isfinite(samples).any() or any(x.kind == "group size" for x in notes)):
            per_row = np.unique(n[n > 0])
            groups = int(per_row[0]) // size if len(per_row) == 1 and per_row[0] % size == 0 else None
        return TrainingLog(
            step,
            reward,
            n,
            degenerate,
            group_std,
            std_of,
            entropy,
            superseded,
            size,
            tuple(notes),
            degenerate_of=of,
            groups=groups,
        )

    def _superseded(self, step: Floats, notes: list[Note]) -> np.ndarray:
        """Rows that a later restart or repetition of their step replaced."""
        later = np.minimum.accumulate(np.append(step, np.inf)[::-1])[::-1][1:]  # the smallest step still to come
        superseded = step >= later
        for i in np.flatnonzero(step[1:] <= step[:-1]) + 1:
            again = step[i] == step[i - 1]
            text = (
                f"Step {step[i]:g} is logged twice; the later row counts."
                if again
                else (f"The run restarts at step {step[i]:g} after step {step[i - 1]:g}, over the rows it repeats.")
            )
            notes.append(Note("duplicate" if again else "restart", text, self.where[i]))
        if superseded.any():
            text = f"{superseded.sum()} of {len(step)} rows are superseded by later ones."
            first = self.where[int(np.argmax(superseded))]
            notes.append(Note("superseded", text, first, int(superseded.sum())))
        return superseded

    def _shares(self, degenerate: Floats, reward: Floats, notes: list[Note]) -> Floats:
        """Shares of degenerate groups, where a log counts groups and does not say of how many."""
        counted = np.array(self.counted)
        there = np.isfinite(counted)
        if not there.any():
            return degenerate
        name = self.columns.names["degenerate"].partition(" / ")[0]
        if (counted[there] <= 1).all() and (counted[there] != np.floor(counted[there])).any():
            return np.where(there, counted, degenerate)  # shares already
        if (reward[there] == 0).all() or (reward[there] == 1).all():
            text = f"{name} counts groups and does not say of how many; with a mean of exactly 0 or 1 they are all."
            notes.append(Note("all degenerate", text, "", int(there.sum())))
            return np.where(there, 1.0, degenerate)
        if self.columns.names["degenerate"].endswith("+ groups"):
            raise ValueError(
                f"{name} of {self.table.name} counts groups that were filtered out, and no column says how many were "
                "kept. Give groups=, the number kept in each step."
            )
        raise ValueError(
            f"{name} of {self.table.name} counts groups, {counted[there].max():g} at most, and no column says of how "
            f"many. Give groups={_round_up(counted[there].max())} if that is their number in each step, or another."
        )

    def _rollouts(self, samples: Floats, reward: Floats, degenerate: Floats, notes: list[Note]) -> Counts:
        """Rollouts behind each mean, as stated or inferred; 0 where unknown."""
        known = ~np.isnan(samples)
        whole = known & (samples >= 1) & (samples == np.floor(samples)) & (samples < 50_000)
        n = np.where(whole, samples, 0).astype(np.int64)
        means = reward[np.isfinite(reward)]
        if not len(means) or self.graded:
            return n
        if not known.any():
            inferred = _fine_count(means)
            if inferred and inferred > 1:
                n[:] = inferred
                text = (
                    f"Rollouts per row are not stated; {inferred} is the smallest that makes every mean a whole count."
                )
                notes.append(Note("inferred", text))
            else:
                notes.append(_no_count(means))
        rough = 10.0 ** -np.array([decimals(x) for x in reward]) * 0.51 if known.any() else 1e-6
        whole_means = np.abs(reward - np.rint(reward * n) / np.maximum(n, 1)) <= np.maximum(rough, 1e-6)
        off = (known & ~whole) | ((n > 0) & np.isfinite(reward) & ~whole_means)
        if off.any():
            at = int(np.argmax(off))
            text = f"{off.sum()} means are no whole number of their rollouts, as with a reward that is not binary."
            notes.append(Note("not whole", text, self.where[at], int(off.sum())))
            if np.isfinite(degenerate).any() and off.sum() > 0.05 * np.isfinite(reward).sum():
                self.graded = f"{reward[at]:g} of {samples[at]:g} rollouts in {self.where[at]}"
            n[off] = 0
        return n

    def _group_size(self, sizes: Floats, degenerate: Floats, n: Counts, notes: list[Note]) -> int | None:
        """Rollouts per prompt: given, stated, or the quotient of what the fractions count."""
        stated = np.unique(sizes[~np.isnan(sizes)])
        if self.wanted.group_size:
            return self.wanted.group_size
        if len(stated) == 1 and stated[0] >= 2 and stated[0] == math.floor(stated[0]):
            return int(stated[0])
        inside = (degenerate > 0) & (degenerate < 1) & (n > 0)
        if self.wanted.groups:
            per_row = np.unique(n[n > 0])
            whole = len(per_row) == 1 and per_row[0] % self.wanted.groups == 0 and per_row[0] > self.wanted.groups
            return int(per_row[0] // self.wanted.groups) if whole else None
        if inside.sum() < ENOUGH or len(np.unique(degenerate[inside])) < 4:
            return None
        largest = int(np.gcd.reduce(n[inside]))
        for size in (x for x in range(largest // 2, 1, -1) if largest % x == 0):
            counted = degenerate[inside] * n[inside] / size
            if np.all(np.abs(counted - np.rint(counted)) < 1e-6 * np.maximum(counted, 1)):
                rows = np.unique(n[inside])
                text = f"Rows of {some(rows.tolist())} rollouts, whose degenerate shares count groups of {size}."
                notes.append(Note("group size", text))
                return size
        return None


def _no_count(means: Floats) -> Note:
    """What to say of means that fit no number of rollouts."""
    distinct = np.unique(means)
    if len(distinct) >= ENOUGH and sorted(map(decimals, distinct))[len(distinct) // 2] >= 9:
        text = "The means are whole counts of no number of rollouts: the reward is graded, or their number varies."
        return Note("not whole", text, "", len(means))
    return Note("binary", "Means alone do not say whether the reward is binary.")


def _fine_count(means: Floats) -> int | None:
    """As `smallest_count`, and further up where enough digits are written."""
    small = smallest_count(means)
    distinct = np.unique(means)
    if small or len(distinct) < ENOUGH or max(map(decimals, distinct)) < 6:
        return small
    for count in range(257, 16385):
        if np.all(np.abs(distinct * count - np.rint(distinct * count)) < 1e-7 * count):
            return count if count * 1e-7 < 0.01 else None
    return None


def _round_up(count: float) -> int:
    """A power of two that is as large."""
    return int(2 ** math.ceil(math.log2(max(count, 2))))


def _whose_deviation(std: Floats, mean: Floats) -> str:
    """Whose s.d. a log prints. A batch's squares to at least m(1-m) with 0/1 rewards, groups' to less on average."""
    there = ~np.isnan(std) & ~np.isnan(mean)
    of_all = (mean * (1 - mean))[there].sum()
    if not there.any() or of_all <= 0:
        return ""
    return "batch" if (std[there] ** 2).sum() >= of_all * (1 - 1e-3) else "groups"
