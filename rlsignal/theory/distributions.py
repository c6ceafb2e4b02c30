"""Idea 1, a law says how often: what is known of the pass rate p, and the law of K.

With binary rewards a group of g rollouts is described by one integer, its number of successes K. A pass-rate object
gives the law of K as g+1 probabilities, and the few expectations that have closed forms of their own. The closed
forms never go through the law, so that each can be a witness for the other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.pmf import beta_binomial_pmf, drawn_alike, drawn_once, hypergeometric_pmf, log1p, log_run_factors

LARGEST_SUMMED = 4096
"""The largest group whose law is summed (accuracy 1e-11); closed forms go on to a million rollouts and more."""


@dataclass(frozen=True, eq=False)
class Fixed:
    """One prompt whose pass rate is known: K is binomial.

    Parameters
    ----------
    p : pass rate in [0, 1], a number or an array [...]; every answer then has one entry per prompt.

    Raises
    ------
    ValueError : p outside [0, 1] or NaN.

    Source: textbook binomial; docs/theory.md (L1).

    Examples
    --------
    >>> Fixed(0.5).pmf(2)
    array([0.25, 0.5 , 0.25])
    """

    p: ArrayLike

    def __post_init__(self) -> None:
        object.__setattr__(self, "p", _validate.probability("p", self.p))

    @property
    def mean(self) -> Floats:
        """E[p], which is pass@1."""
        return np.asarray(self.p, np.float64)

    @property
    def reward_variance(self) -> Floats:
        """E[p(1-p)], the variance of one reward given its prompt."""
        return self.mean * (1 - self.mean)

    def all_incorrect(self, n: int) -> Floats:
        """E[(1-p)^n], the chance that n rollouts of one prompt all fail."""
        return np.exp(_times(n, log1p(-self.mean)))

    def all_correct(self, n: int) -> Floats:
        """E[p^n], the chance that n rollouts of one prompt all succeed."""
        return self.mean**n

    def any_correct(self, n: int) -> Floats:
        """1 - E[(1-p)^n], which is pass@n."""
        return -np.expm1(_times(n, log1p(-self.mean)))

    def informative(self, n: int) -> Floats:
        """1 - E[p^n] - E[(1-p)^n], the chance that n rollouts of one prompt disagree."""
        rarer = np.minimum(self.mean, 1 - self.mean)
        return -np.expm1(_times(n, log1p(-rarer))) - rarer**n

    def pmf(self, g: int) -> Floats:
        """P(K = k) for k = 0..g, shape [..., g+1]."""
        return beta_binomial_pmf(self.mean, np.zeros_like(self.mean), _summed_size(g))


@dataclass(frozen=True, eq=False)
class Beta:
    """A set of prompts whose pass rates differ as a Beta law: K is beta-binomial.

    Parameters
    ----------
    mean : pass@1 over the prompts, in [0, 1].
    dispersion : intra-class correlation rho = Var(p) / (mean (1-mean)) in [0, 1]; 1/(a+b+1) in the Beta's own
        letters. 0: all prompts alike. 1: every prompt always or never solved. Arrays broadcast: one set per entry.

    Raises
    ------
    ValueError : mean or dispersion outside [0, 1] or NaN.

    Notes
    -----
    Everything is written in (mean, rho): the next rollout of a prompt with i successes so far in i tries succeeds
    with probability (mean (1-rho) + i rho) / (1-rho + i rho), so that rho = 0 and rho = 1 need no limits. Laws are
    accurate while mean (1-rho) is above 1e-300.

    Source: beta-binomial as a Pólya urn; docs/theory.md (L2).

    Examples
    --------
    Pass rates spread evenly over [0, 1]:

    >>> Beta(0.5, 1/3).pmf(2)
    array([0.33333333, 0.33333333, 0.33333333])
    """

    mean: ArrayLike
    dispersion: ArrayLike

    def __post_init__(self) -> None:
        mean = _validate.probability("mean", self.mean)
        dispersion = _validate.probability("dispersion", self.dispersion)
        try:
            mean, dispersion = np.broadcast_arrays(mean, dispersion)
        except ValueError:
            raise ValueError(
                f"mean and dispersion must have shapes that broadcast, got {mean.shape} and {dispersion.shape}."
            ) from None
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "dispersion", dispersion)

    @property
    def _parameters(self) -> tuple[Floats, Floats]:
        return np.asarray(self.mean, np.float64), np.asarray(self.dispersion, np.float64)

    @property
    def reward_variance(self) -> Floats:
        """E[p(1-p)] = mean (1-mean) (1-rho), the variance of one reward given its prompt."""
        mean, rho = self._parameters
        return mean * (1 - mean) * (1 - rho)

    def all_incorrect(self, n: int) -> Floats:
        """E[(1-p)^n], the chance that n rollouts of one prompt all fail."""
        mean, rho = self._parameters
        return np.exp(log_run_factors(1 - mean, mean, rho, n).sum(-1))

    def all_correct(self, n: int) -> Floats:
        """E[p^n], the chance that n rollouts of one prompt all succeed."""
        mean, rho = self._parameters
        return np.exp(log_run_factors(mean, 1 - mean, rho, n).sum(-1))

    def any_correct(self, n: int) -> Floats:
        """1 - E[(1-p)^n], which is pass@n."""
        mean, rho = self._parameters
        return -np.expm1(log_run_factors(1 - mean, mean, rho, n).sum(-1))

    def informative(self, n: int) -> Floats:
        """1 - E[p^n] - E[(1-p)^n], the chance that n rollouts of one prompt disagree.

        Summed over the rollout that breaks the agreement first: every term is positive, so nothing cancels however
        close rho is to 1.
        """
        mean, rho = self._parameters
        i, apart = np.arange(1, n), 1 - rho[..., None]
        after_wrong = np.exp(np.cumsum(log_run_factors(1 - mean, mean, rho, n - 1)[..., 1:], -1))
        after_correct = np.exp(np.cumsum(log_run_factors(mean, 1 - mean, rho, n - 1)[..., 1:], -1))
        runs = np.ones((*mean.shape, n - 1))  # of i alike, given the first; its own chance is the pq outside
        runs[..., :1] *= 2
        runs[..., 1:] = after_wrong + after_correct
        surprise = runs * apart / (apart + i * rho[..., None])
        return np.where(rho == 0, Fixed(mean).informative(n), mean * (1 - mean) * surprise.sum(-1))

    def pmf(self, g: int) -> Floats:
        """P(K = k) for k = 0..g over prompts and rollouts together, shape [..., g+1]."""
        mean, rho = self._parameters
        return beta_binomial_pmf(mean, rho, _summed_size(g))


@dataclass(frozen=True, eq=False)
class Recorded:
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
    >>> Recorded([0, 2, 4], 4).pmf(2)
    array([0.38888889, 0.22222222, 0.38888889])
    """

    correct: ArrayLike
    samples: ArrayLike

    def __post_init__(self) -> None:
        correct, samples = _validate.counts(self.correct, self.samples)
        object.__setattr__(self, "correct", correct)
        object.__setattr__(self, "samples", samples)

    @property
    def _counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return np.asarray(self.correct), np.asarray(self.samples)

    @property
    def mean(self) -> Floats:
        """Mean over prompts of c/n, which is pass@1."""
        c, n = self._counts
        return np.asarray(np.mean(c / n))

    @property
    def reward_variance(self) -> Floats:
        """Unbiased E[p(1-p)]: mean over prompts of c(n-c)/(n(n-1))."""
        c, n = self._sampled_twice()
        share = c / n
        return np.asarray(np.mean(share * (1 - share) * n / (n - 1)))

    @property
    def dispersion(self) -> Floats:
        """Var(p) / (mean (1 - mean)) of the pass rates behind the samples, by moments (I9); nan where they tell none."""
        c, _ = self._sampled_twice()
        kinds, _, shares = self._kinds()
        return counted_dispersion(shares * len(c), kinds)

    def all_incorrect(self, n: int) -> Floats:
        """Unbiased E[(1-p)^n] from draws without replacement."""
        return self._averaged(lambda c, samples: drawn_alike(samples - c, samples, self._at_most(n)))

    def all_correct(self, n: int) -> Floats:
        """Unbiased E[p^n] from draws without replacement."""
        return self._averaged(lambda c, samples: drawn_alike(c, samples, self._at_most(n)))

    def any_correct(self, n: int) -> Floats:
        """Unbiased pass@n."""
        return self._averaged(lambda c, samples: drawn_once(c, samples, self._at_most(n)))

    def informative(self, n: int) -> Floats:
        """Unbiased chance that n fresh rollouts of one prompt disagree."""
        size = self._at_most(n)

        def each(c: NDArray[np.int64], samples: NDArray[np.int64]) -> Floats:
            rarer = np.minimum(c, samples - c)
            return drawn_once(rarer, samples, size) - drawn_alike(rarer, samples, size)

        return self._averaged(each)

    def each(self, g: int) -> Floats:
        """P(K = k) for k = 0..g of each prompt by itself, shape [prompts, g+1]."""
        kinds, which, _ = self._kinds()
        return hypergeometric_pmf(kinds[:, 0], kinds[:, 1], self._at_most(_summed_size(g)))[which]

    def pmf(self, g: int) -> Floats:
        """P(K = k) for k = 0..g, averaged over prompts, shape [g+1]."""
        return self._averaged(lambda c, n: hypergeometric_pmf(c, n, self._at_most(_summed_size(g))))

    def _sampled_twice(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The counts, or an error where a prompt has one sample, which tells nothing of p(1-p)."""
        c, n = self._counts
        if np.any(n < 2):
            at = int(np.argmax(n < 2))
            raise ValueError(
                f"samples must be at least 2 to tell p(1-p), got {n[at]} at index {at}. Leave such prompts out."
            )
        return c, n

    def _kinds(self) -> tuple[NDArray[np.int64], NDArray[np.intp], Floats]:
        """The distinct (c, n), which one each prompt has, and their shares: work goes by kinds, not by prompts."""
        pairs = np.stack(self._counts, axis=1)
        kinds, which, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        return kinds, which.reshape(-1), counts / len(pairs)

    def _averaged(self, value: Callable[[NDArray[np.int64], NDArray[np.int64]], Floats]) -> Floats:
        kinds, _, shares = self._kinds()
        return shares @ value(kinds[:, 0], kinds[:, 1])

    def _at_most(self, g: int, name: str = "g", smallest: int = 1) -> int:
        _, n = self._counts
        at = int(np.argmin(n))
        way_out = (
            f"Prompt {at} has only {n[at]} samples, and draws without replacement cannot go beyond them. For larger "
            f"groups fit a law: Beta(data.mean, dispersion_for(data.mean, degenerate_probability(data, {n[at]}), "
            f"{n[at]}))."
        )
        if n[at] < smallest:
            way_out = f"Prompt {at} has only {n[at]} sample; leave such prompts out."
        return _validate.whole(name, g, min(smallest, int(n[at])), int(n[at]), way_out=way_out)


def counted_dispersion(prompts: Floats, kinds: NDArray[np.int64]) -> Floats:
    """The dispersion of the pass rates behind counts, by moments (I9): 1 - E[p(1-p)] / (m (1-m)), both unbiased.

    m (1-m) is the mean's own, plus the mean's variance over prompts: without it a dozen prompts would look less alike
    than they are. All that is told of a dispersion without a fit goes through here.

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
        return np.clip(1 - inside / (mean * (1 - mean) + of_the_mean), 0, 1)


PassRate = Fixed | Beta | Recorded


def pass_rate(p: "ArrayLike | PassRate") -> PassRate:
    """`p` itself if it is a pass-rate object, else `Fixed(p)`: the door of every public function of the theory."""
    return p if isinstance(p, PassRate) else Fixed(p)


def group(
    p: "ArrayLike | PassRate", g: int, *, name: str = "g", smallest: int = 2, summed: bool = False
) -> tuple[PassRate, int]:
    """The pass-rate object and the checked group size that a question is about.

    `summed` questions go through the law of K, so g ends at 4096; a `Recorded` ends at its smallest n.
    """
    what = pass_rate(p)
    g = _summed_size(g, name, smallest) if summed else _validate.whole(name, g, smallest, 10**9)
    return what, what._at_most(g, name, smallest) if isinstance(what, Recorded) else g


def answer(values: Floats) -> "float | Floats":
    """A float for one number, an array otherwise; never -0."""
    values = np.asarray(values) + 0.0
    return float(values) if np.ndim(values) == 0 else values


def _summed_size(g: int, name: str = "g", smallest: int = 1) -> int:
    g = _validate.whole(name, g, smallest)
    return _validate.whole(name, g, smallest, LARGEST_SUMMED, way_out="Sums over the law of K lose accuracy beyond.")


def _times(n: int, logs: Floats) -> Floats:
    return n * logs if n else np.zeros_like(logs)  # 0 * -inf is 0 here: an empty run always happens
