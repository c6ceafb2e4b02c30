"""Two checkpoints on the same prompts: differences of a score prompt by prompt, also of a score that is no mean."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from rlsignal._validate import Floats
from rlsignal.inference.intervals import Estimate, dispersion_estimate, group_estimate
from rlsignal.theory.distributions import Beta
from rlsignal.theory.passk import pass_at_k
from rlsignal.theory.recorded import Recorded

Mask = NDArray[np.bool_]

FEWEST_SOLVED = 10
"""Prompts with a correct sample, from which on slopes carry the error of a population's score."""


@dataclass(frozen=True, eq=False)
class Score:
    """A score of a checkpoint, and what each prompt contributes to its error.

    value : of the checkpoint.
    influence : [prompts], of mean 0: how far each prompt moves the value, times the number of prompts. Both the choice
        of prompts and the noise of their samples are in it.
    span : where slopes mislead, the least and the largest value that the data allow instead.
    known : whether the value is more than a place inside the span: without a correct sample all prompts may be within
        reach, or none.
    """

    value: float
    influence: Floats
    span: tuple[float, float] | None = None
    known: bool = True

    def within(self, level: float) -> tuple[float, float]:
        """The score's own interval."""
        found = _difference(self.value, _error(self.influence), len(self.influence), level)
        return self.span or (found.low, found.high)

    @classmethod
    def of_mean(cls, values: Floats) -> "Score":
        """Of a score that is a mean over prompts, such as `per_prompt_estimate` gives."""
        return cls(float(values.mean()), values - values.mean())

    @classmethod
    def of_population(cls, data: Recorded, answer: Callable[[Beta], Floats]) -> "Score":
        """Of a score of the Beta with the data's mean and dispersion, by its slopes in both.

        `answer` takes a Beta with arrays, and gives an array. Samples that are all alike have no dispersion: 0. Where
        fewer than `FEWEST_SOLVED` prompts have a correct sample, two numbers that such counts hardly know decide
        whether all prompts are within reach or none: the score's span is then that over both of their intervals.
        """
        c, n = np.asarray(data.correct), np.asarray(data.samples)
        share = c / n
        mean, rho = float(share.mean()), float(np.nan_to_num(data.dispersion))
        steps = [(max(x - 1e-4, x / 2), min(x + 1e-4, (1 + x) / 2)) for x in (mean, rho)]
        (left, right), (below, above) = steps
        value, *ends = answer(Beta(np.array([mean, left, right, mean, mean]), np.array([rho, rho, rho, below, above])))
        span = _span(data, answer) if (c > 0).sum() < min(FEWEST_SOLVED, len(c)) else None
        if mean in (0, 1):
            return cls(float(value), np.zeros(len(c)), span, known=mean > 0)
        by_mean, by_rho = (ends[1] - ends[0]) / (right - left), (ends[3] - ends[2]) / (above - below)
        inside = share * (1 - share) * n / np.maximum(n - 1, 1)
        of_rho = ((1 - rho) * (1 - 2 * mean) * (share - mean) - (inside - inside.mean())) / (mean * (1 - mean))
        return cls(float(value), np.asarray(by_mean * (share - mean) + by_rho * of_rho), span)


def _span(data: Recorded, answer: Callable[[Beta], Floats]) -> tuple[float, float]:
    """The least and the largest answer of a Beta with mean and dispersion in their intervals."""
    mean = group_estimate(pass_at_k, data, 1)
    rho = dispersion_estimate(data) if len(np.asarray(data.correct)) > 2 else Estimate(np.nan, 0.0, 1.0)
    means = np.linspace(max(mean.low, 1e-9), mean.high, 3)[:, None]
    rhos = np.unique(np.clip([0.0, *np.geomspace(1e-3, 1, 10)], rho.low, rho.high))
    answers = answer(Beta(*np.broadcast_arrays(means, rhos)))
    return float(answers.min()), float(answers.max())


def score_difference(first: Score, second: Score, *, level: float = 0.95) -> Estimate:
    """First minus second, scores in [0, 1], on the same prompts, with Student's interval over prompts (R2)."""
    value, apart = first.value - second.value, first.influence - second.influence
    if first.span or second.span:
        (low, high), (least, most) = first.within(level), second.within(level)
        low, high = max(low - most, -1.0), min(high - least, 1.0)
        return Estimate(value, low, high, "paired", "few prompts have a correct sample.")
    return _difference(value, _error(apart), len(apart), level)


def score_ratio(first: Score, second: Score, *, level: float = 0.95) -> Estimate:
    """First over second, scores in [0, 1], on the same prompts, with Student's interval of the logarithm (R2)."""
    units = len(first.influence)
    if min(first.value, second.value) == 0:
        return Estimate(float("nan"), 0.0, float("inf"), "paired", "no correct sample in one of the two.")
    ratio = first.value / second.value
    error = float((first.influence / first.value - second.influence / second.value).std(ddof=1) / units**0.5)
    if error > 1e-12:
        factor = float(np.exp(stdtrit(units - 1, (1 + level) / 2) * error))
        return Estimate(ratio, ratio / factor, ratio * factor, "paired", "", ratio * error)
    share = unseen_share(units, level)  # may be all correct by one and all incorrect by the other
    least, most = ((1 - share) * np.array([x.value for x in (first, second)]) + of for of in (0, share))
    return Estimate(ratio, float(least[0] / most[1]), float(most[0] / least[1]), "paired")


def part_difference(values: Floats, first: Mask, last: Mask, labels: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of one part less that of another, such as of the end and the beginning of a run.

    values, first, last, labels : [entries], values in [0, 1]. Entries of one label are one unit, also where both parts
        have some.
    """
    means = values[first].mean(), values[last].mean()
    off = np.where(last, (values - means[1]) / last.sum(), 0.0) - np.where(
        first, (values - means[0]) / first.sum(), 0.0
    )
    _, which = np.unique(np.asarray(labels)[first | last], return_inverse=True)
    sums = np.bincount(which.reshape(-1), off[first | last])
    units = len(sums)
    error = float((units / (units - 1) * sums @ sums) ** 0.5)
    if error > 1e-12:
        return _difference(float(means[1] - means[0]), error, units, level)
    before, after = (unseen_share(len(np.unique(np.asarray(labels)[x])), (1 + level) / 2) for x in (first, last))
    least, most = (1 - after) * means[1] - (1 - before) * means[0] - before, (1 - after) * means[1] + after
    return Estimate(float(means[1] - means[0]), float(least), float(most - (1 - before) * means[0]), "paired")


def unseen_share(units: int, level: float = 0.95) -> float:
    """The largest share of a population that `units` draws may all have missed: (1 - share)^units = (1 - level)/2."""
    return float(-np.expm1(np.log((1 - level) / 2) / units))


def _error(influence: Floats) -> float:
    return float(influence.std(ddof=1) / len(influence) ** 0.5)


def _difference(value: float, error: float, units: int, level: float) -> Estimate:
    """Student's interval; where all units agree, the units that nobody saw may still differ by -1 or by 1 (R2)."""
    if error > 1e-12:
        half = float(stdtrit(units - 1, (1 + level) / 2)) * error
        return Estimate(value, max(value - half, -1.0), min(value + half, 1.0), "paired", "", error)
    share = unseen_share(units, level)
    return Estimate(value, value - share * (1 + value), value + share * (1 - value), "paired")


def samples_of_a_prompt(first: Recorded, second: Recorded, cost: float = 1.0) -> float:
    """The cheapest number of samples of a prompt for telling two pass rates apart: sqrt(cost x within / between).

    cost : of a new prompt, in samples. Infinite where prompts do not differ in the difference: then samples of the same
        prompts do as well as new ones.
    """
    shares = [np.asarray(x.correct) / np.asarray(x.samples) for x in (first, second)]
    counts = [np.asarray(x.samples) for x in (first, second)]
    noise = [s * (1 - s) / np.maximum(n - 1, 1) for s, n in zip(shares, counts, strict=True)]
    within = float(sum((x * n).mean() for x, n in zip(noise, counts, strict=True)))
    between = float(np.var(shares[0] - shares[1], ddof=1) - sum(x.mean() for x in noise))
    return float(np.sqrt(cost * within / between)) if between > 1e-12 else float("inf")
