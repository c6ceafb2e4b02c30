"""The pass rates behind the counts, as a Beta: fitted, tested, asked for larger groups, filtered by a band."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import chdtrc, ndtri

from rlsignal import _validate
from rlsignal._show import Part, Result
from rlsignal._validate import Floats
from rlsignal.inference.intervals import (
    Estimate,
    Statistic,
    bounded_interval,
    clustered,
    effective_trials,
    group_table,
)
from rlsignal.theory.distributions import Beta
from rlsignal.theory.pmf import LARGEST_SUMMED
from rlsignal.theory.recorded import Recorded, recorded
from rlsignal.theory.signal import degenerate_probability
from rlsignal.theory.thresholds import dispersion_for


@dataclass(frozen=True, eq=False, repr=False)
class BetaEstimate(Result):
    """A Beta population estimated from counts or from a log, and how well it is known (I5, I6).

    mean, dispersion : of the population.
    covariance : [2, 2], of these two.
    units, of : how many independent "prompts", "clusters" or "groups" are behind it.
    goodness_of_fit_p : p-value of "it is a Beta", from the counts; nan where they are too few for a test.
    warning : a reason against using it; empty if none is known.
    """

    mean: float
    dispersion: float
    covariance: Floats
    units: float
    goodness_of_fit_p: float = float("nan")
    warning: str = ""
    of: str = "prompts"

    @property
    def distribution(self) -> Beta:
        """The population, for every question of the library."""
        return Beta(self.mean, self.dispersion)

    @property
    def standard_errors(self) -> tuple[float, float]:
        """Of mean and dispersion."""
        mean, dispersion = np.sqrt(np.diag(self.covariance))
        return float(mean), float(dispersion)

    def predict(self, statistic: Statistic, g: int, *, level: float = 0.95) -> Estimate:
        """A group statistic at any g, also beyond the samples, if the population is a Beta (I5).

        The error is the covariance carried through the statistic's slopes in mean and dispersion. It does not know of
        a wrong shape: that is what `goodness_of_fit_p` and `group_bounds` are for.

        Parameters
        ----------
        statistic : a public function (p, g), such as degenerate_probability.
        g : group size, at most 4096.
        level : nominal coverage of the interval, in (0, 1).

        Examples
        --------
        >>> import numpy as np
        >>> from rlsignal import Recorded
        >>> from rlsignal.inference import beta_estimate
        >>> from rlsignal import degenerate_probability
        >>> fit = beta_estimate(Recorded(np.repeat(np.arange(9), [70, 30, 20, 16, 14, 12, 12, 12, 14]), 8))
        >>> print(fit.predict(degenerate_probability, 32))
        0.232 [0.170, 0.308]
        """
        level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
        table = group_table(statistic, g)

        def at(mean: float, dispersion: float) -> float:
            return float(np.asarray(statistic(Beta(mean, dispersion), g)))

        value, slopes = at(self.mean, self.dispersion), []
        for i, here in enumerate((self.mean, self.dispersion)):
            left, right = max(here - 1e-5, here / 2), min(here + 1e-5, (1 + here) / 2)
            ends = [(x, self.dispersion) if i == 0 else (self.mean, x) for x in (left, right)]
            slopes.append((at(*ends[1]) - at(*ends[0])) / (right - left))
        squared_error = float(np.array(slopes) @ self.covariance @ slopes)
        bounds = float(table.min()), float(table.max())
        trials = effective_trials(value, squared_error, bounds, self.units)
        low, high = bounded_interval(value, trials, bounds, float(ndtri((1 + level) / 2)))
        warning = self.warning
        if self.dispersion < 3 * self.standard_errors[1]:
            warning += f" dispersion {self.dispersion:.2g} may as well be 0, around which errors are not linear."
        return Estimate(value, float(low), float(high), "Beta", warning.strip(), squared_error**0.5)

    def _parts(self) -> Iterable[Part]:
        errors = self.standard_errors
        line = (
            f"Beta of mean {self.mean:.4g} ± {errors[0]:.2g} and dispersion {self.dispersion:.4g} ± {errors[1]:.2g}, "
            f"from {self.units:.4g} {self.of}"
        )
        line += "" if np.isnan(self.goodness_of_fit_p) else f"; goodness-of-fit p = {self.goodness_of_fit_p:.2g}"
        yield f"{line}. Warning: {self.warning}" if self.warning else line


MOST_SAMPLES = 1_000_000
"""Of one prompt: the likelihood is a sum over them."""


def beta_estimate(data: Recorded, *, clusters: ArrayLike | None = None) -> BetaEstimate:
    """The Beta population of greatest likelihood behind recorded counts, and whether it fits them (I5).

    Parameters
    ----------
    data : the samples; their number may differ between prompts.
    clusters : [prompts], as for `group_estimate`; the errors are then those of sums over clusters.

    Returns
    -------
    BetaEstimate. The fit is tested by a chi-square of the counts of c, prompts of equal n together and cells merged
    until each expects five.

    Raises
    ------
    ValueError : no prompt with two samples, or samples that are all correct or all incorrect.

    Source: derived in docs/theory.md (I5).

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal import Recorded
    >>> from rlsignal.inference import beta_estimate
    >>> print(beta_estimate(Recorded(np.repeat(np.arange(9), [70, 30, 20, 16, 14, 12, 12, 12, 14]), 8)))
    Beta of mean 0.3158 ± 0.023 and dispersion 0.4491 ± 0.033, from 200 prompts; goodness-of-fit p = 1
    """
    data = recorded("data", data)
    c, n = np.asarray(data.correct), np.asarray(data.samples)
    if n.max() < 2:
        raise ValueError("samples must be at least 2 on some prompts for a dispersion, got 1 on all.")
    if not 0 < c.sum() < n.sum():
        raise ValueError("correct must hold both correct and incorrect samples for a dispersion, got only one kind.")
    if n.max() > MOST_SAMPLES:
        raise ValueError(
            f"samples must be at most {MOST_SAMPLES:,} of a prompt for a fit, got {n.max()} at index {n.argmax()}. "
            "Count a part of them: a million leave an error of 0.0005."
        )
    likelihood = _Likelihood.of(data)
    mixed = np.any((c > 0) & (c < n))
    rho = _falling_root(lambda rho: likelihood.slopes(likelihood.best_mean(rho), rho)[1]) if mixed else 1.0
    mean = likelihood.best_mean(rho)
    if rho < 1:
        of = _Likelihood.expected(Beta(mean, rho), n) if n.max() <= LARGEST_SUMMED else likelihood
        covariance = np.asarray(np.linalg.inv(of.information(mean, rho)), np.float64)
        each = np.stack(likelihood.each_slope(c, n, mean, rho))
    else:
        covariance = np.array([[mean * (1 - mean) / len(c), 0.0], [0.0, 0.0]])
        each = np.stack([(c / n - mean) / (mean * (1 - mean)), np.zeros(len(c))])
    units = float(len(c))
    if clusters is not None:
        sums = np.stack([clustered(slope, clusters)[1] for slope in each])
        units, _ = clustered(each[0], clusters)
        covariance = np.maximum(1, units / (units - 1)) * covariance @ (sums @ sums.T) @ covariance
    warning = ""
    if rho in (0, 1):
        warning = f"the likeliest dispersion is its end {rho:g}, where standard errors are rough. "
    goodness_of_fit_p = _goodness_of_fit(data, Beta(mean, rho))
    if goodness_of_fit_p < 0.05:
        warning += (
            f"the counts are not those of a Beta (p = {goodness_of_fit_p:.2g}); predictions may miss by more than "
            "their errors."
        )
    of_what = "prompts" if clusters is None else "clusters"
    return BetaEstimate(mean, rho, covariance, units, goodness_of_fit_p, warning.strip(), of_what)


def log_estimate(mean: float, degenerate: float, g: int, groups: int) -> BetaEstimate:
    """The Beta population behind a training log, and how sure its groups make it (I6).

    Parameters
    ----------
    mean : mean binary reward over the groups, in (0, 1).
    degenerate : fraction of these groups that are degenerate, all rewards equal.
    g : group size of the run, at least 2.
    groups : how many groups the two numbers average, each of its own prompt and under one policy: prompts per step
        times steps.

    Returns
    -------
    BetaEstimate; `.predict(degenerate_probability, 16)` answers for another group size. A log holds no third number,
    so nothing is said about the fit; `group_deviation` is one that some logs have.

    Raises
    ------
    ValueError : out of range; a degenerate fraction more than five standard errors below that of identical prompts.

    Source: derived in docs/theory.md (I6).

    Examples
    --------
    >>> from rlsignal.inference import log_estimate
    >>> from rlsignal import degenerate_probability
    >>> run = log_estimate(0.2812, 0.542, 8, groups=512)
    >>> print(run)
    Beta of mean 0.2812 ± 0.015 and dispersion 0.5419 ± 0.022, from 512 groups
    >>> print(run.predict(degenerate_probability, 16))
    0.445 [0.397, 0.495]
    """
    g, groups = _validate.group_size(g), _validate.whole("groups", groups, 2)
    mean = _validate.scalar("mean", _validate.within("mean", mean, 0, 1, open_ends=True))
    degenerate = _validate.scalar("degenerate", _validate.probability("degenerate", degenerate))
    alike, warning = float(degenerate_probability(mean, g)), ""
    if degenerate < alike and alike - degenerate < 5 * np.sqrt(alike * (1 - alike) / groups):
        few = f"{degenerate:.3g} < {alike:.3g}"
        warning = f"fewer groups are degenerate than of identical prompts ({few}); dispersion set to 0."
        degenerate = alike
    rho = dispersion_for(mean, degenerate, g)
    fitted = Beta(mean, rho)
    all_correct, share = float(fitted.all_correct(g)), float(degenerate_probability(fitted, g))
    of_mean, of_both = mean * (1 - mean) * (1 + (g - 1) * rho) / g, all_correct - mean * share
    noise = np.array([[of_mean, of_both], [of_both, share * (1 - share)]]) / groups
    by_mean, by_rho = _slopes(mean, rho, g)
    back = np.array([[1.0, 0.0], [-by_mean / by_rho, 1 / by_rho]]) if by_rho > 0 else np.diag([1.0, 0.0])
    return BetaEstimate(mean, rho, back @ noise @ back.T, groups, warning=warning, of="groups")


def posterior(prior: Beta, correct: ArrayLike, samples: int) -> Beta:
    """What is known of a prompt from a Beta population after c correct of n samples (I7): again a Beta, one per entry.

    Its mean is (m(1-rho) + c rho) / (1 - rho + n rho), its dispersion rho / (1 + n rho).

    Parameters
    ----------
    prior : the population, such as `beta_estimate(data).distribution`.
    correct, samples : correct samples, whole counts in [0, samples].

    Raises
    ------
    ValueError : counts out of range.

    Source: textbook conjugacy; docs/theory.md (I7).

    Examples
    --------
    Eight failures do not make a pass rate of 0:

    >>> from rlsignal import Beta
    >>> from rlsignal.inference import posterior
    >>> posterior(Beta(0.3, 0.3), [0, 8], 8).mean.round(3)
    array([0.068, 0.842])
    """
    _known(prior)
    n = _validate.whole("samples", samples, 1)
    c, _ = _validate.counts(np.atleast_1d(correct), n)
    mean = _validate.scalar("mean", np.asarray(prior.mean, np.float64))
    rho = _validate.scalar("dispersion", np.asarray(prior.dispersion, np.float64))
    after = (mean * (1 - rho) + c * rho) / (1 - rho + n * rho)
    return Beta(after.reshape(np.shape(correct)), rho / (1 + n * rho))


@dataclass(frozen=True, eq=False, repr=False)
class Band(Result):
    """Prompts kept by a filter on their count, as a mixture of posteriors (I7).

    share : of the prompts that are kept.
    filter_mean : their mean c/n on the samples of the filter.
    weights : of each kept c among them.
    means, dispersion : of the pass rates behind each kept c, and the one dispersion of all of these.
    """

    share: float
    filter_mean: float
    weights: Floats
    means: Floats
    dispersion: float

    @property
    def prompts(self) -> Beta:
        """The pass rates of the kept prompts, one Beta per kept c."""
        return Beta(self.means, self.dispersion)

    def _parts(self) -> Iterable[Part]:
        fresh = float(self.weights @ self.means)
        yield (
            f"{self.share:.1%} of the prompts are kept; their mean is {self.filter_mean:.3f} on the samples of the "
            f"filter, {fresh:.3f} on fresh ones"
        )

    def expected(self, statistic: Statistic, g: int) -> float:
        """A group statistic over fresh groups of the kept prompts; g = 1 and pass_at_k give their mean pass rate."""
        return float(self.weights @ np.asarray(statistic(self.prompts, g)))


def band(prior: Beta, samples: int, lowest: int, highest: int) -> Band:
    """What a filter "keep prompts with lowest <= c <= highest correct of n samples" keeps of a Beta population (I7).

    Parameters
    ----------
    prior : the population before the filter.
    samples : n, per prompt.
    lowest, highest : the counts that are kept.

    Returns
    -------
    Band. Kept prompts are not what they seemed: their fresh pass rates have moved toward the population's mean.

    Raises
    ------
    ValueError : counts out of range, or a band that keeps nothing.

    Source: derived in docs/theory.md (I7).

    Examples
    --------
    >>> from rlsignal import Beta
    >>> from rlsignal.inference import band
    >>> from rlsignal import degenerate_probability, pass_at_k
    >>> kept = band(Beta(0.15, 0.4), 16, 1, 14)
    >>> round(kept.share, 3), round(kept.filter_mean, 3), round(kept.expected(pass_at_k, 1), 3)
    (0.465, 0.292, 0.28)
    >>> round(kept.expected(degenerate_probability, 8), 2), round(degenerate_probability(Beta(0.15, 0.4), 8), 2)
    (0.28, 0.62)
    """
    _known(prior)
    n = _validate.whole("samples", samples, 1, LARGEST_SUMMED)
    lowest = _validate.whole("lowest", lowest, 0, n)
    highest = _validate.whole("highest", highest, lowest, n)
    c = np.arange(lowest, highest + 1)
    chances = prior.pmf(n)[c]
    share = float(chances.sum())
    if share == 0:
        raise ValueError(f"lowest and highest must keep some prompts, got [{lowest}, {highest}], which none reach.")
    after = posterior(prior, c, n)
    means, (dispersion, *_) = np.asarray(after.mean), np.ravel(after.dispersion)
    return Band(share, float(chances @ c / share / n), chances / share, means, float(dispersion))


def _known(prior: Any) -> None:
    if not isinstance(prior, Beta):
        raise ValueError(
            f"prior must be a Beta population, got {_validate.shown(prior)}. Fit one: beta_estimate(data).distribution."
        )


class _Likelihood(NamedTuple):
    """The beta-binomial likelihood in (mean, rho), by how many prompts reach each count i = 0, 1, ...

    L2's chances multiply along the samples, so its log is a sum over i of three logs, as often as i is reached:
    correct log(m(1-rho) + i rho) + incorrect log((1-m)(1-rho) + i rho) - both log(1 - rho + i rho).
    """

    correct: Floats
    incorrect: Floats
    both: Floats

    @classmethod
    def of(cls, data: Recorded) -> "_Likelihood":
        c, n = np.asarray(data.correct), np.asarray(data.samples)
        reach = int(n.max())
        at_least = (np.cumsum(np.bincount(x, minlength=reach + 1)[::-1])[::-1] for x in (c, n - c, n))
        return cls(*(counts[1:].astype(np.float64) for counts in at_least))  # x > i is x >= i + 1

    @classmethod
    def expected(cls, fitted: Beta, samples: NDArray[np.int64]) -> "_Likelihood":
        """The mean of the counts under a Beta, which turns the observed information into the expected one."""
        reached = np.zeros((3, samples.max()))
        for n, prompts in zip(*np.unique(samples, return_counts=True), strict=True):
            chances = fitted.pmf(int(n))
            reached[0, :n] += prompts * np.cumsum(chances[:0:-1])[::-1]  # P(c > i)
            reached[1, :n] += prompts * np.cumsum(chances[:-1])[::-1]  # P(n - c > i)
            reached[2, :n] += prompts
        return cls(*reached)

    def slopes(self, mean: float, rho: float) -> tuple[float, float]:
        """Of the log-likelihood, in mean and rho."""
        i, (x, y, z) = np.arange(len(self.both)), self._odds(mean, rho)
        in_mean = (1 - rho) * (self.correct / x - self.incorrect / y)
        in_rho = self.correct * (i - mean) / x + self.incorrect * (i - 1 + mean) / y - self.both * (i - 1) / z
        return float(in_mean.sum()), float(in_rho.sum())

    def each_slope(self, c: NDArray[np.int64], n: NDArray[np.int64], mean: float, rho: float) -> tuple[Floats, Floats]:
        """The same of each prompt by itself: [prompts], [prompts]."""
        i, (x, y, z) = np.arange(len(self.both)), self._odds(mean, rho)

        def up_to(terms: Floats) -> Floats:
            return np.concatenate([[0.0], np.cumsum(terms)])

        in_mean = (1 - rho) * (up_to(1 / x)[c] - up_to(1 / y)[n - c])
        in_rho = up_to((i - mean) / x)[c] + up_to((i - 1 + mean) / y)[n - c] - up_to((i - 1) / z)[n]
        return np.asarray(in_mean), np.asarray(in_rho)

    def best_mean(self, rho: float) -> float:
        """The likeliest mean at this rho: the log-likelihood is concave in it."""
        if rho == 1:  # only first samples count
            return float(self.correct[0] / self.both[0])
        return _falling_root(lambda mean: self.slopes(mean, rho)[0])

    def information(self, mean: float, rho: float) -> Floats:
        """Minus the second slopes, [2, 2]; for rho < 1."""
        i, (x, y, z) = np.arange(len(self.both)), self._odds(mean, rho)
        yes, no, a, b = self.correct / x**2, self.incorrect / y**2, i - mean, i - 1 + mean
        of_both = self.correct / x - self.incorrect / y + (1 - rho) * (yes * a - no * b)
        in_mean, in_rho = (1 - rho) ** 2 * (yes + no), yes * a**2 + no * b**2 - self.both * ((i - 1) / z) ** 2
        return np.array([[in_mean.sum(), of_both.sum()], [of_both.sum(), in_rho.sum()]])

    def _odds(self, mean: float, rho: float) -> tuple[Floats, Floats, Floats]:
        """Of one more correct, one more incorrect, and their sum, after i of that kind."""
        past: Floats = np.arange(len(self.both)) * np.float64(rho)
        return mean * (1 - rho) + past, (1 - mean) * (1 - rho) + past, 1 - rho + past


def _goodness_of_fit(data: Recorded, fitted: Beta) -> float:
    """p-value of the counts under the Beta: Pearson's chi-square, two parameters spent, cells of at least five."""
    c, n = np.asarray(data.correct), np.asarray(data.samples)
    chi_square, freedom = 0.0, -2
    for size in np.unique(n[n <= LARGEST_SUMMED]):
        here = c[n == size]
        expected = len(here) * fitted.pmf(int(size))
        edges = _merged(expected)
        found = np.add.reduceat(np.bincount(here, minlength=size + 1), edges)
        want = np.add.reduceat(expected, edges)
        chi_square += float(((found - want) ** 2 / want).sum())
        freedom += len(edges) - 1
    return float(chdtrc(freedom, chi_square)) if freedom > 0 else float("nan")


def _merged(expected: Floats) -> list[int]:
    """Where cells begin once neighbours are merged until each expects five; a short last one joins its neighbour."""
    edges, total = [0], 0.0
    for k, more in enumerate(expected):
        if total >= 5:
            edges.append(k)
            total = 0.0
        total += more
    return edges[:-1] if total < 5 and len(edges) > 1 else edges


def _falling_root(slope: Callable[[float], float]) -> float:
    """Where a slope on [0, 1] turns from rising to falling; an end if it never does."""
    from scipy.optimize import brentq

    tiny = 1e-12
    if slope(tiny) <= 0:
        return 0.0
    if slope(1 - tiny) >= 0:
        return 1.0
    return float(brentq(slope, tiny, 1 - tiny, xtol=1e-300, rtol=1e-14, maxiter=500))


def _slopes(mean: float, rho: float, g: int) -> tuple[float, float]:
    """Of the degenerate fraction, in mean and dispersion: D3's products times the sums of their factors' slopes."""
    i = np.arange(g)
    scale = 1 - rho + i * rho
    by_mean = by_rho = 0.0
    for m, sign, chance in (
        (mean, 1, Beta(mean, rho).all_correct(g)),
        (1 - mean, -1, Beta(mean, rho).all_incorrect(g)),
    ):
        odds = m * (1 - rho) + i * rho
        by_mean += sign * float(chance * np.sum((1 - rho) / odds)) if rho < 1 else 0.0
        by_rho += float(chance * np.sum(i * (1 - m) / (odds * scale))) if rho < 1 else 0.0
    return by_mean, by_rho
