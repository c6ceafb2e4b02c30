"""Training logs: rows kept in the order in which they were written, and what restarts superseded."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rlsignal.data.counts import smallest_count
from rlsignal.data.records import Note, TrainingLog
from rlsignal.data.tables import Collector, Columns, Table, Wanted, has, listed, not_binary, shown, to_float


class Log(Collector):
    """The rows of a training log, in the order in which they were written."""

    IDEAS = ("step", "mean", "degenerate", "reward_std", "group_std", "entropy", "samples", "group_size")

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.rows: list[list[float]] = []
        self.where: list[str] = []

    def add(self, table: Table, rows: Iterator[tuple[int, Any]], columns: Columns) -> None:
        """Keep the rows of one table that have a mean reward."""
        self.table, self.columns = table, columns
        if self.wanted.threshold is not None:
            raise ValueError(f"threshold needs single rewards, and {table.name} has means only. Leave it out.")
        for place, row in rows:
            where = table.at(place)
            if table.header is None and not isinstance(row, Mapping):
                raise ValueError(f"a row must be an object with columns, got {shown(row)} in {where}.")
            keys = [columns.key.get(idea) for idea in self.IDEAS]
            cells = [row[key] if has(row, key) else None for key in keys]
            named = [columns.names.get(idea, idea) for idea in self.IDEAS]
            values = [to_float(name, cell, where) for name, cell in zip(named, cells, strict=True)]
            if math.isnan(values[1]):
                self.meet("no reward", where)
                continue
            if math.isnan(values[0]):
                raise ValueError(f"{columns.names['step']} is missing in {where}. Name another column with step=.")
            for i, value in enumerate(values[1:], 1):
                if value == -1:
                    self.meet("marked missing", where)
                    values[i] = math.nan
            if math.isnan(values[1]):
                continue
            if not -1e-6 <= values[1] <= 1 + 1e-6:
                raise ValueError(not_binary(columns.names["mean"], values[1], where, columns.candidates, means=True))
            values[1] = min(max(values[1], 0.0), 1.0)
            if not (math.isnan(values[2]) or 0 <= values[2] <= 1):
                raise ValueError(f"{named[2]} must lie in [0, 1], got {values[2]:g} in {where}.")
            for i in (3, 4):
                if values[i] < 0:
                    raise ValueError(f"{named[i]} must be at least 0, got {values[i]:g} in {where}.")
            self.rows.append(values)
            self.where.append(where)

    def result(self, notes: list[Note]) -> TrainingLog:
        """The columns, with what restarts superseded marked."""
        if not self.rows:
            raise ValueError(f"{self.table.name} has no row with a mean reward.")
        notes = self.noted(notes)
        step, reward, degenerate, reward_std, group_std, entropy, samples, sizes = np.array(self.rows).T
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
            notes.append(
                Note(
                    "superseded",
                    f"{superseded.sum()} of {len(step)} rows are superseded by later ones.",
                    self.where[int(np.argmax(superseded))],
                    int(superseded.sum()),
                )
            )
        known = ~np.isnan(samples)
        whole = known & (samples >= 1) & (samples == np.floor(samples)) & (samples < 50_000)
        n = np.where(whole, samples, 0).astype(np.int64)
        if not known.any():
            inferred = smallest_count(reward)
            if inferred and inferred > 1:
                n[:] = inferred
                text = (
                    f"Rollouts per row are not stated; {inferred} is the smallest that makes every mean a whole count."
                )
                notes.append(Note("inferred", text))
            else:
                notes.append(Note("binary", "Means alone do not tell whether the reward is binary."))
        off = (known & ~whole) | (n > 0) & (np.abs(reward - np.rint(reward * n) / np.maximum(n, 1)) > 1e-6)
        if off.any():
            at = int(np.argmax(off))
            text = f"{off.sum()} means are no whole number of their rollouts, as with a reward that is not binary."
            notes.append(Note("not whole", text, self.where[at], int(off.sum())))
            n[off] = 0
        if self.columns.about:
            spreads = [
                self.columns.names[x] for x in ("degenerate", "reward_std", "group_std") if x in self.columns.names
            ]
            if spreads:
                other, chosen = self.columns.about, self.columns.names["mean"]
                text = f"{listed(spreads)} speak of {other!r}, not of {chosen!r}, and are left out."
                notes.append(Note("other reward", text))
            degenerate, reward_std, group_std = (np.full_like(step, math.nan) for _ in range(3))
        std_of = "groups"
        if np.isnan(group_std).all():
            group_std, std_of = reward_std, _what_spread(reward_std, reward)
        stated = np.unique(sizes[~np.isnan(sizes)])
        size = self.wanted.group_size or (int(stated[0]) if len(stated) == 1 and stated[0] >= 2 else None)
        return TrainingLog(step, reward, n, degenerate, group_std, std_of, entropy, superseded, size, tuple(notes))


def _what_spread(std: np.ndarray, mean: np.ndarray) -> str:
    """Whose s.d. a log prints. A batch's squares to at least m(1-m) with 0/1 rewards, groups' to less on average."""
    there = ~np.isnan(std)
    of_all = (mean * (1 - mean))[there].sum()
    if not there.any() or of_all == 0:
        return ""
    return "batch" if (std[there] ** 2).sum() >= of_all * (1 - 1e-3) else "groups"
