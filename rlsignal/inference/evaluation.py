"""A group statistic of an evaluation at any group size: from its samples as far as they reach, else a fit in bounds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from rlsignal._validate import Floats
from rlsignal.inference.anchored import anchored_posterior, anchored_value, anchored_weights
from rlsignal.inference.bounds import group_bounds
from rlsignal.inference.intervals import (
    Estimate,
    Statistic,
    bounded_interval,
    clustered,
    common_samples,
    effective_trials,
    group_estimate,
    group_table,
)
from rlsignal.inference.population import BetaEstimate, beta_estimate
from rlsignal.theory.distributions import Fixed
from rlsignal.theory.recorded import Recorded

FITTED = 4
"""From so many times the samples on a fit says what its shape says, and only the bounds are what the samples say."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Samples of prompts, and what they say of groups of any size.

    Parameters
    ----------
    data : the samples; their number may differ between prompts.
    clusters : [prompts], one label per entry, when entries are not independent.

    Examples
    --------
    >>> from rlsignal import Recorded
    >>> from rlsignal.inference.evaluation import Evaluation
    >>> from rlsignal import degenerate_probability
    >>> seen = Evaluation(Recorded([0, 1, 2, 5, 8] * 40, 8))
    >>> print(seen.estimate(degenerate_probability, 8), seen.estimate(degenerate_probability, 16))
    0.400 [0.334, 0.470] 0.294 [0.220, 0.439]
    """

    data: Recorded
    clusters: ArrayLike | None = None

    @property
    def reach(self) -> int:
        """The largest group that at least half of the prompts have samples for."""
        return common_samples(self.data)

    @property
    def alike(self) -> bool:
        """Whether all samples are correct, or all incorrect."""
        correct, samples = np.asarray(self.data.correct).sum(), np.asarray(self.data.samples).sum()
        return bool(correct in (0, samples))

    @cached_property
    def fit(self) -> BetaEstimate | None:
        """The fitted Beta; None where samples that are all alike, or one of each prompt, determine none."""
        if self.alike or self.reach < 2:
            return None
        return beta_estimate(self.data, clusters=self.clusters)

    @cached_property
    def _weights(self) -> Floats:
        assert self.fit is not None
        return anchored_weights(self.data, self.fit)

    def with_samples(self, g: int) -> tuple[Recorded, ArrayLike | None, NDArray[np.bool_]]:
        """The prompts with at least g samples, their labels, and which they are."""
        enough = np.asarray(self.data.samples) >= g
        part = Recorded(np.asarray(self.data.correct)[enough], np.asarray(self.data.samples)[enough])
        return part, None if self.clusters is None else np.asarray(self.clusters)[enough], enough

    def estimate(self, statistic: Statistic, g: int) -> Estimate:
        """A group statistic with its interval.

        Up to `reach` it is the unbiased one of the prompts with at least g samples. Beyond, the interval holds what
        every distribution of pass rates allows that agrees with the samples (I8). Below four times `reach` the value
        is that of `anchored_estimate` (I11), and the interval no narrower than so many prompts leave it within the
        samples; from there on, and where nothing can be fitted, the value is NaN.
        """
        if g > self.reach:
            allowed = group_bounds(statistic, self.data, g, clusters=self.clusters)
            if self.fit is None or g >= FITTED * self.reach:
                return Estimate(np.nan, allowed.low, allowed.high, "bounds", self._unknown)
            value = float(np.clip(anchored_value(statistic, g, self._weights), allowed.low, allowed.high))
            low, high = self._as_within(statistic, value, g)
            return Estimate(value, min(low, allowed.low), max(high, allowed.high), "bounds", self.fit.warning)
        part, labels, enough = self.with_samples(g)
        found = group_estimate(statistic, part, g, clusters=labels)
        if enough.all():
            return found
        rates = np.asarray(self.data.correct) / np.asarray(self.data.samples)
        left_out = (
            f"without the {(~enough).sum()} of {len(enough)} prompts that have fewer than {g} samples (their mean pass "
            f"rate is {rates[~enough].mean():.3f}, that of the others {rates[enough].mean():.3f})."
        )
        numbers = (found.value, found.low, found.high, found.how)
        return Estimate(*numbers, f"{found.warning} {left_out}".strip(), found.standard_error)

    def of_each_prompt(self, function: Callable[[Fixed], Floats]) -> Floats:
        """For each prompt the posterior mean of a function of its pass rate, by the anchored fit; NaN without one."""
        if self.fit is None:
            return np.full(len(np.asarray(self.data.samples)), np.nan)
        return anchored_posterior(function, self.data, self._weights)

    @property
    def _unknown(self) -> str:
        """Why there is no value."""
        if self.fit is not None:
            return f"{self.reach} samples of a prompt do not show groups of {FITTED * self.reach} or more."
        what = "samples that are all alike do" if self.alike else "one sample of a prompt does"
        return f"{what} not show how prompts differ."

    def _as_within(self, statistic: Statistic, value: float, g: int) -> tuple[float, float]:
        """The interval that a value would have with as many effective prompts as at the largest group sampled."""
        part, labels, _ = self.with_samples(self.reach)
        within = group_estimate(statistic, part, self.reach, clusters=labels)
        ends = [group_table(statistic, size) for size in (self.reach, g)]
        bounds, here = ((float(x.min()), float(x.max())) for x in ends)
        units, _ = clustered(np.zeros(len(np.asarray(part.samples))), labels)
        trials = effective_trials(within.value, within.standard_error**2, bounds, units)
        low, high = bounded_interval(value, trials, here, float(stdtrit(units - 1, 0.975)))
        return float(low), float(high)


def monotone(found: Iterable[Estimate], extreme: Callable[[float, float], float]) -> list[Estimate]:
    """Estimates at growing group sizes of what cannot fall (`max`) or cannot rise (`min`) with the size.

    Each value and each end is held to the most, or the least, of the sizes before it. They come from different
    estimators on the two sides of the samples, so that they may be out of order where the truth cannot be. An end that
    bounds a smaller size bounds a larger one on that side too, and the other end only moves outwards.
    """
    held: list[Estimate] = []
    value, low, high = np.nan, -extreme(-np.inf, np.inf), -extreme(-np.inf, np.inf)
    for x in found:
        low, high = extreme(low, x.low), extreme(high, x.high)
        value = value if np.isnan(x.value) else x.value if np.isnan(value) else extreme(value, x.value)
        held.append(replace(x, value=np.nan if np.isnan(x.value) else value, low=low, high=high))
    return held
