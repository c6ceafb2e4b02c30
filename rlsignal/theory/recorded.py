"""An evaluation as a distribution: the pmf of K in groups drawn from recorded samples, and its unbiased moments."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsignal import _validate
from rlsignal._show import Part, Shown, figure
from rlsignal._validate import Floats
from rlsignal.theory.pmf import all_of_a_kind, any_of_a_kind, hypergeometric_pmf, summed_size

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Recorded(Shown):
    """An evaluation one already has: c correct of n samples for each prompt; K is hypergeometric.

    A group of g is g of the n recorded samples drawn without replacement, so every answer for g <= n is the unbiased
    estimate of what fresh groups of that size would give, averaged over the prompts.

    Parameters
    ----------
    correct : correct samples per prompt, whole counts [prompts].
    samples : samples per prompt, one number for all or [prompts].

    Raises
    ------
    ValueError : counts that are not whole, correct > samples, or no prompts; later, g above the smallest n.

    Source: unbiased for each prompt and g <= n, being a complete sufficient statistic's only choice;
    docs/theory.md (L3). With k in the place of g it is the pass@k estimator of Chen et al. (2107.03374).

    Examples
    --------
    >>> from rlsignal import Recorded
    >>> Recorded([0, 2, 4], 4).pmf(2)
    array([0.38888889, 0.22222222, 0.38888889])
    """

    correct: Counts
    samples: Counts

    def __init__(self, correct: ArrayLike, samples: ArrayLike) -> None:
        c, n = _validate.counts(correct, samples)
        object.__setattr__(self, "correct", c)
        object.__setattr__(self, "samples", n)

    @property
    def mean(self) -> float:
        """Mean over prompts of c/n, which is pass@1."""
        return float(np.mean(self.correct / self.samples))

    @property
    def reward_variance(self) -> float:
        """Unbiased E[p(1-p)]: mean over prompts of c(n-c)/(n(n-1))."""
        c, n = self._sampled_twice()
        share = c / n
        return float(np.mean(share * (1 - share) * n / (n - 1)))

    @property
    def dispersion(self) -> float:
        """Var(p) / (mean (1 - mean)) of the pass rates behind the samples, by moments (I9); nan without an estimate."""
        c, _ = self._sampled_twice()
        kinds, _, shares = self._kinds()
        return float(counted_dispersion(shares * len(c), kinds))

    def all_incorrect(self, n: int) -> float:
        """Unbiased E[(1-p)^n] from draws without replacement."""
        return self._average(lambda c, samples: all_of_a_kind(samples - c, samples, self.at_most(n)))

    def all_correct(self, n: int) -> float:
        """Unbiased E[p^n] from draws without replacement."""
        return self._average(lambda c, samples: all_of_a_kind(c, samples, self.at_most(n)))

    def any_correct(self, n: int) -> float:
        """Unbiased pass@n."""
        return self._average(lambda c, samples: any_of_a_kind(c, samples, self.at_most(n)))

    def informative(self, n: int) -> float:
        """Unbiased chance that the rewards of n fresh rollouts of one prompt differ."""
        size = self.at_most(n)

        def each(c: Counts, samples: Counts) -> Floats:
            rarer = np.minimum(c, samples - c)
            return any_of_a_kind(rarer, samples, size) - all_of_a_kind(rarer, samples, size)

        return self._average(each)

    def each(self, g: int) -> Floats:
        """P(K = k) for k = 0..g of each prompt by itself, shape [prompts, g+1]."""
        kinds, which, _ = self._kinds()
        return hypergeometric_pmf(kinds[:, 0], kinds[:, 1], self.at_most(summed_size(g)))[which]

    def pmf(self, g: int) -> Floats:
        """P(K = k) for k = 0..g, averaged over prompts, shape [g+1]."""
        return self._averaged(lambda c, n: hypergeometric_pmf(c, n, self.at_most(summed_size(g))))

    def _parts(self) -> Iterator[Part]:
        fewest, most = int(self.samples.min()), int(self.samples.max())
        samples = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        dispersion = f", dispersion {figure(self.dispersion)}" if fewest > 1 else ""
        yield f"{len(self.samples)} prompts x {samples} samples, mean {figure(self.mean)}{dispersion}"

    def _sampled_twice(self) -> tuple[Counts, Counts]:
        """The counts, or an error where a prompt has one sample, which says nothing of p(1-p)."""
        n = self.samples
        if np.any(n < 2):
            at = int(np.argmax(n < 2))
            raise ValueError(
                f"samples must be at least 2 to estimate p(1-p), got {n[at]} at index {at}. Leave such prompts out."
            )
        return self.correct, n

    def _kinds(self) -> tuple[Counts, NDArray[np.intp], Floats]:
        """The distinct (c, n), which one each prompt has, and their shares: work goes by kinds, not by prompts."""
        pairs = np.stack([self.correct, self.samples], axis=1)
        kinds, which, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        return kinds, which.reshape(-1), counts / len(pairs)

    def _averaged(self, value: Callable[[Counts, Counts], Floats]) -> Floats:
        kinds, _, shares = self._kinds()
        return np.asarray(shares @ value(kinds[:, 0], kinds[:, 1]))

    def _average(self, value: Callable[[Counts, Counts], Floats]) -> float:
        return float(self._averaged(value)) + 0.0

    def at_most(self, g: int, name: str = "g", smallest: int = 1) -> int:
        """The checked number of rollouts of a question about draws without replacement: at most the smallest n."""
        n = self.samples
        at = int(np.argmin(n))
        way_out = (
            f"Prompt {at} has only {n[at]} samples, and draws without replacement cannot go beyond them. For larger "
            f"groups fit a Beta: Beta(data.mean, dispersion_for(data.mean, degenerate_probability(data, {n[at]}), "
            f"{n[at]}))."
        )
        if n[at] < smallest:
            way_out = f"Prompt {at} has only {n[at]} sample; leave such prompts out."
        return _validate.whole(name, g, min(smallest, int(n[at])), int(n[at]), way_out=way_out)


def counted_dispersion(prompts: Floats, kinds: Counts) -> Floats:
    """The dispersion of the pass rates behind counts, by moments (I9): 1 - E[p(1-p)] / (m (1-m)), both unbiased.

    m (1-m) is the mean's own, plus the mean's variance over prompts: without it the estimate from a dozen prompts would
    be too small. Every dispersion that is estimated without a fit is estimated here.

    Parameters
    ----------
    prompts : [..., kinds], how many prompts there are of each kind.
    kinds : [kinds, 2], their correct samples c and their samples n, which are at least 2.

    Returns
    -------
    [...] in [0, 1]; nan for a single prompt, and where all samples are correct or all incorrect.
    """
    c, n = kinds.T
    count, share = prompts.sum(-1), c / n
    mean = prompts @ share / count
    inside = prompts @ (share * (1 - share) * n / (n - 1)) / count
    with np.errstate(divide="ignore", invalid="ignore"):
        of_the_mean = (prompts * (share - mean[..., None]) ** 2).sum(-1) / (count - 1) / count
        return np.asarray(np.clip(1 - inside / (mean * (1 - mean) + of_the_mean), 0, 1))


def recorded(name: str, value: Any) -> Recorded:
    """`value` if it is the counts of an evaluation, else an error that says how to make one of what it is."""
    if isinstance(value, Recorded):
        return value
    way_out = "Make one: Recorded(correct=[0, 3, 8], samples=8)."
    if hasattr(value, "correct") and hasattr(value, "samples"):
        way_out = "Make one: Recorded(x.correct, x.samples), of one checkpoint."
    elif hasattr(value, "pmf"):
        way_out = "A distribution needs no estimate: ask it itself."
    raise ValueError(f"{name} must be counts of an evaluation, a Recorded, got {_validate.shown(value)}. {way_out}")
