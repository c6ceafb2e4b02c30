"""Where the rollouts go: degenerate groups by data set, by difficulty and by part of a run; and whether a run moved."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsignal._show import Result, plain
from rlsignal._validate import Floats
from rlsignal.data.records import Rollouts
from rlsignal.inference.evaluation import Evaluation
from rlsignal.inference.intervals import Estimate
from rlsignal.inference.paired import Mask, part_difference
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import degenerate_probability


@dataclass(frozen=True, repr=False)
class Slice(Result):
    """A part of the prompts, or of a run, and what it costs.

    by, name : what was divided ("data set", "correct samples", "epoch" or "part of the run"), and which part this is.
    prompts : entries in it: prompts, or groups of a dump.
    batch : its share of a batch that draws all entries alike.
    degenerate : share of degenerate groups in it.
    cost : of all rollouts, the share that goes to degenerate groups of this part.
    """

    by: str
    name: str
    prompts: int
    batch: float
    degenerate: Estimate
    cost: float

    @property
    def summary(self) -> dict[str, Any]:
        """For machines; JSON-ready."""
        numbers = {"prompts": self.prompts, "batch": self.batch, "cost": plain(self.cost)}
        return {"by": self.by, "name": self.name, **numbers, "degenerate": self.degenerate.summary}


@dataclass(frozen=True, repr=False)
class Move(Result):
    """How far the policy of a dump moved between the first and the last third of its steps, at 99%.

    pass_at_1, degenerate : differences, the last third less the first.
    """

    pass_at_1: Estimate
    degenerate: Estimate

    @property
    def summary(self) -> dict[str, Any]:
        """For machines; JSON-ready."""
        return {"pass_at_1": self.pass_at_1.summary, "degenerate": self.degenerate.summary, "sure": self.sure}

    @property
    def sure(self) -> bool:
        """Whether one of the two differs from 0 beyond noise."""
        return any(x.low > 0 or x.high < 0 for x in (self.pass_at_1, self.degenerate))


EIGHTHS = (0, 1, 2, 4, 6, 7, 8)
"""Ends of the difficulty bands, in eighths of the samples that are correct."""

MOST_SETS, MOST_EPOCHS = 20, 6


def slices(rollouts: Rollouts, seen: Evaluation, g: int) -> tuple[Slice, ...]:
    """Every breakdown that the data allows."""
    return (*_by_dataset(rollouts, seen, g), *_by_difficulty(seen, g), *_by_time(rollouts, seen, g))


def moved(rollouts: Rollouts, seen: Evaluation) -> Move | None:
    """Whether the policy moved during a dump; None where there are no three steps, or no three prompts, to compare."""
    thirds = _thirds(rollouts)
    if thirds is None:
        return None
    first, last = thirds == 0, thirds == 2
    labels = _labels(seen)
    if min(len(np.unique(labels[part])) for part in (first, last)) < 3:
        return None
    c, n = np.asarray(seen.data.correct), np.asarray(seen.data.samples)
    alike = ((c == 0) | (c == n)).astype(np.float64)
    return Move(*(part_difference(x, first, last, labels, level=0.99) for x in (c / n, alike)))


def _by_dataset(rollouts: Rollouts, seen: Evaluation, g: int) -> Iterator[Slice]:
    """Where prompts are (data set, id)."""
    if not all(isinstance(prompt, tuple) and len(prompt) == 2 for prompt in rollouts.prompt):
        return
    names = [str(prompt[0]) for prompt in rollouts.prompt]
    known = list(dict.fromkeys(names))
    if 1 < len(known) <= MOST_SETS:
        for name in known:
            yield _measured("data set", name, np.array([x == name for x in names]), seen, g)


def _by_difficulty(seen: Evaluation, g: int) -> Iterator[Slice]:
    """By the share of correct samples. Prompts were sorted by these samples, so fresh groups are asked of the fit."""
    if seen.fit is None:
        return
    share = np.asarray(seen.data.correct) / np.asarray(seen.data.samples)
    expected = seen.of_each_prompt(lambda p: np.asarray(degenerate_probability(p, g)))
    bands = {"none": share == 0}
    bands |= {
        f"({_eighths(low)}, {_eighths(high)}{')' if high == 8 else ']'}": (share > low / 8)
        & (share <= high / 8)
        & (share < 1)
        & (share > 0)
        for low, high in pairwise(EIGHTHS)
    }
    for name, which in (bands | {"all": share == 1}).items():
        if which.any():
            batch, value = float(which.mean()), float(expected[which].mean())
            answer = Estimate(value, np.nan, np.nan, "anchored")
            yield Slice("correct samples", name, int(which.sum()), batch, answer, batch * value)


def _by_time(rollouts: Rollouts, seen: Evaluation, g: int) -> Iterator[Slice]:
    """By epoch where prompts come again, else by thirds of the run."""
    thirds = _thirds(rollouts)
    if thirds is None or rollouts.step is None:
        return
    visit = _visits(rollouts.step, _labels(seen))
    epochs = int(visit.max()) + 1
    if 1 < epochs <= MOST_EPOCHS and (visit == 1).sum() * 2 >= (visit == 0).sum():
        for i in range(epochs):
            yield _measured("epoch", f"{i + 1}", visit == i, seen, g)
        return
    for i in range(3):
        steps = rollouts.step[thirds == i]
        yield _measured("part of the run", f"steps {steps.min():g} to {steps.max():g}", thirds == i, seen, g)


def _measured(by: str, name: str, which: Mask, seen: Evaluation, g: int) -> Slice:
    """A part of its own, with an interval over its prompts."""
    part = Recorded(np.asarray(seen.data.correct)[which], np.asarray(seen.data.samples)[which])
    labels = None if seen.clusters is None else np.asarray(seen.clusters)[which]
    units = len(np.unique(labels)) if labels is not None else int(which.sum())
    if units < 2:
        answer = Estimate(np.nan, 0.0, 1.0, "bounds", "one prompt has no interval.")
    else:
        answer = Evaluation(part, labels).estimate(degenerate_probability, g)
    batch = float(which.mean())
    return Slice(by, name, int(which.sum()), batch, answer, batch * answer.value)


def _labels(seen: Evaluation) -> NDArray[Any]:
    """[entries], which prompt each is of."""
    return np.arange(len(np.asarray(seen.data.correct))) if seen.clusters is None else np.asarray(seen.clusters)


def _thirds(rollouts: Rollouts) -> NDArray[np.int64] | None:
    """[entries], which third of the steps each belongs to; None without three steps."""
    if rollouts.step is None or len(rollouts.steps) < 3:
        return None
    order = np.searchsorted(rollouts.steps, rollouts.step)
    return np.asarray(order * 3 // len(rollouts.steps))


def _visits(step: Floats, labels: NDArray[Any]) -> NDArray[np.int64]:
    """[entries], how many earlier entries of the same label there are."""
    order = np.lexsort((step, labels))
    _, first, times = np.unique(labels[order], return_index=True, return_counts=True)
    visit = np.empty(len(order), np.int64)
    visit[order] = np.arange(len(order)) - np.repeat(first, times)
    return visit


def _eighths(eighths: int) -> str:
    return {0: "0", 2: "1/4", 4: "1/2", 6: "3/4", 8: "1"}.get(eighths, f"{eighths}/8")
