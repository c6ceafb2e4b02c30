"""From n samples of each prompt to any group statistic, with an interval that is honest about its prompts."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from rlsignal import _validate
from rlsignal._show import Part, Result, figure, plain, signed_figure
from rlsignal._validate import Floats
from rlsignal.theory.distributions import Beta, PassRate
from rlsignal.theory.pmf import LARGEST_SUMMED
from rlsignal.theory.recorded import Recorded, counted_dispersion, recorded

Statistic = Callable[[PassRate, int], float | Floats]
"""A mean over groups, as the library's public functions are: (p, g) -> number. `degenerate_probability` is one."""

CHECKED_CLUSTERS = 100
CHECKED_MEANS = (0.1, 0.9)
CHECKED_DISPERSIONS = (0.05, 0.6)
CHECKED_VALUES = (0.02, 0.98)
"""Where simulation has shown that 95% intervals cover 93 to 97 times of 100; values as shares of their range."""


@dataclass(frozen=True, repr=False)
class Estimate(Result):
    """A number from data, and how sure it is.

    value : the estimate; NaN where the data cannot give one.
    low, high : its 95% interval, or that of the level which was asked for.
    how : "samples" (unbiased, from the samples themselves), "Beta" (a fitted Beta; its own interval), "bounds" (what
        every distribution of pass rates that agrees with the samples allows; its value, if any, is that of
        `anchored_estimate`), "anchored" (a value of that fit alone, without an interval), "paired" (differences, one a
        draw or a prompt), or "known" (of a distribution that was given).
    warning : why the interval may hold the truth less often than that; empty if nothing is known against it.
    standard_error : of the value; NaN where the interval does not come from one.

    Examples
    --------
    >>> from rlsignal import Estimate
    >>> print(Estimate(0.5, 0.4, 0.6))
    0.500 [0.400, 0.600]
    """

    value: float
    low: float
    high: float
    how: str = "samples"
    warning: str = ""
    standard_error: float = float("nan")

    @property
    def summary(self) -> dict[str, Any]:
        """For machines; JSON-ready."""
        numbers = {"estimate": plain(self.value), "low": plain(self.low), "high": plain(self.high)}
        return {**numbers, "how": self.how, "warning": self.warning}

    def _parts(self) -> Iterable[Part]:
        ends = f"[{figure(self.low)}, {figure(self.high)}]"
        yield f"in {ends}" if np.isnan(self.value) else f"{figure(self.value)} {ends}"


def signed(difference: Estimate, digits: int = 3) -> str:
    """A difference in words: value and interval with their signs."""
    return f"{signed_figure(difference.value, digits)} {signed_interval(difference, digits)}"


def signed_interval(difference: Estimate, digits: int = 3) -> str:
    """The interval alone."""
    return f"[{signed_figure(difference.low, digits)}, {signed_figure(difference.high, digits)}]"


def per_prompt_estimate(statistic: Statistic, data: Recorded, g: int) -> Floats:
    """The unbiased estimate of a group statistic for each prompt by itself (I2): sum_k f(k) P(K = k | c).

    Differences of two checkpoints on the same prompts, entry by entry, go to `paired_estimate`.

    Parameters
    ----------
    statistic : a public function (p, g) that is a mean over groups, such as degenerate_probability or pass_at_k; one
        with an estimator is wrapped: lambda p, g: GRPO.weight(p, g).
    data : the samples.
    g : group size, at most the smallest n.

    Returns
    -------
    [prompts]. One prompt's value is noisy, and for curved statistics may be 0 where the truth is not.

    Raises
    ------
    ValueError : g above the samples of a prompt, or a statistic that is not a mean over groups.

    Source: docs/theory.md (I2).

    Examples
    --------
    >>> from rlsignal import Recorded
    >>> from rlsignal.inference import per_prompt_estimate
    >>> from rlsignal import degenerate_probability
    >>> per_prompt_estimate(degenerate_probability, Recorded([0, 2, 4], 4), 2)
    array([1.        , 0.33333333, 1.        ])
    """
    data = recorded("data", data)
    return np.asarray(data.each(g) @ group_table(statistic, g))


def group_estimate(
    statistic: Statistic, data: Recorded, g: int, *, clusters: ArrayLike | None = None, level: float = 0.95
) -> Estimate:
    """An unbiased group statistic at any g <= n, with an interval over prompts (I3).

    Parameters
    ----------
    statistic, data, g : as for `per_prompt_estimate`.
    clusters : [prompts], one label per entry, when entries are not independent: the same prompt on several visits, or
        all prompts of one seed. Entries with the same label count as one unit.
    level : nominal coverage, in (0, 1).

    Returns
    -------
    Estimate, with a warning outside the region in which the coverage was simulated.

    Raises
    ------
    ValueError : as `per_prompt_estimate`; fewer than two clusters, labels that do not match the prompts.

    Notes
    -----
    Wilson's interval with Student's quantile, at the effective number of prompts m_eff = v(1-v)/se^2, v being the value
    as a share of the statistic's range. The squared error is that of a Beta population with the data's mean and
    dispersion, which rare counts do not shake, unless the prompts themselves vary significantly more.

    Source: derived and simulated in docs/theory.md (I3).

    Examples
    --------
    >>> from rlsignal import Recorded
    >>> from rlsignal.inference import group_estimate
    >>> from rlsignal import degenerate_probability
    >>> print(group_estimate(degenerate_probability, Recorded([0, 1, 2, 4] * 30, 4), 4))
    0.500 [0.411, 0.589]
    """
    data = recorded("data", data)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    values, table = per_prompt_estimate(statistic, data, g), group_table(statistic, g)
    value, bounds = float(values.mean()), (float(table.min()), float(table.max()))
    units, sums = clustered(values - value, clusters)
    if units < 2:
        raise ValueError(f"clusters must be at least 2 for an interval, got {units:.3g}. One unit has no error bar.")
    if clusters is None:
        trials = float(trials_over_prompts(*_histogram(data), table))
    else:
        trials = float(effective_trials(value, units / (units - 1) * sums @ sums / len(values) ** 2, bounds, units))
    low, high = bounded_interval(value, trials, bounds, float(stdtrit(units - 1, (1 + level) / 2)))
    error = np.sqrt(max((value - bounds[0]) * (bounds[1] - value), 0) / trials)
    warning = _against(data, value, bounds, units)
    return Estimate(value, float(low), float(high), "samples", warning, float(error))


def common_samples(data: Recorded) -> int:
    """The most samples that at least half of the prompts have: one short prompt does not decide what is known."""
    samples = np.sort(np.asarray(data.samples))
    return int(samples[len(samples) // 2])


def group_table(statistic: Statistic, g: int) -> Floats:
    """The table f(0..g) behind a statistic: its value for a group of g in which k are correct."""
    g = _validate.whole("g", g, 1, LARGEST_SUMMED)
    if not callable(statistic):
        got = _validate.shown(statistic)
        raise ValueError(f"statistic must be a function (p, g), got {got}. Give one such as degenerate_probability.")
    return _table(statistic, g) if isinstance(statistic, Hashable) else _table.__wrapped__(statistic, g)


@lru_cache(maxsize=64)
def _table(statistic: Statistic, g: int) -> Floats:
    table = np.array([float(np.asarray(statistic(Recorded([k], [g]), g))) for k in range(g + 1)])
    table.flags.writeable = False
    if g > 1:
        population = Beta(0.3, 0.3)
        whole, mean = float(np.asarray(statistic(population, g))), float(population.pmf(g) @ table)
        if not np.isclose(whole, mean, rtol=1e-8, atol=1e-12):
            raise ValueError(
                f"statistic must be a mean over groups, got {whole:.6g} of a population and {mean:.6g} as the mean "
                "over its groups. A ratio or a root of means needs its parts one by one."
            )
    return table


def effective_trials(
    value: ArrayLike, squared_error: ArrayLike, bounds: tuple[float, float], otherwise: ArrayLike
) -> Floats:
    """How many coins of the same mean have this squared error: v(1-v)/se^2 (I3); `otherwise` where that is 0/0."""
    value = np.asarray(value, np.float64)
    room, error = np.broadcast_arrays((value - bounds[0]) * (bounds[1] - value), squared_error)
    known = (room > 0) & (error > 0)
    return np.where(known, np.maximum(room / np.where(known, error, 1.0), 1.0), otherwise)


def bounded_interval(
    value: ArrayLike, trials: ArrayLike, bounds: tuple[float, float], quantile: float
) -> tuple[Floats, Floats]:
    """Wilson's interval for a mean within bounds, from its effective number of trials (I3)."""
    bottom, span = bounds[0], bounds[1] - bounds[0]
    v = np.clip((np.asarray(value) - bottom) / (span or 1.0), 0, 1)
    pull = quantile**2 / np.asarray(trials)
    centre, half = v + pull / 2, np.sqrt(pull * (v * (1 - v) + pull / 4))
    low, high = np.maximum((centre - half) / (1 + pull), 0), np.minimum((centre + half) / (1 + pull), 1)
    return np.asarray(bottom + span * low), np.asarray(bottom + span * high)


def dispersion_estimate(data: Recorded, *, clusters: ArrayLike | None = None, level: float = 0.95) -> Estimate:
    """The dispersion of the pass rates behind an evaluation, whatever their distribution (I9).

    Parameters
    ----------
    data : the samples, at least 2 of each prompt.
    clusters, level : as for `group_estimate`.

    Returns
    -------
    Estimate of Var(p) / (mean (1 - mean)); nan where all samples are correct or all incorrect.

    Raises
    ------
    ValueError : a prompt of one sample, fewer than three clusters, labels that do not match the prompts.

    Notes
    -----
    The interval holds every dispersion that a test does not reject. The test's standard error is that of a Beta
    population of the data's mean and the dispersion that is tested, so that identical prompts, whose dispersion is 0,
    are rejected as rarely as any other, and sparse successes do not make the interval too short.

    Source: derived and simulated in docs/theory.md (I9).

    Examples
    --------
    >>> from rlsignal import Recorded
    >>> from rlsignal.inference import dispersion_estimate
    >>> print(dispersion_estimate(Recorded([0, 1, 2, 4] * 30, 4)))
    0.410 [0.309, 0.512]
    """
    data = recorded("data", data)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    c, n = np.asarray(data.correct), np.asarray(data.samples)
    if n.min() < 2:
        raise ValueError(
            f"samples must be at least 2 for a dispersion, got 1 at index {n.argmin()}. Leave such prompts out."
        )
    share = c / n
    units, _ = clustered(share, clusters)
    if units < 3:
        raise ValueError(f"clusters must be at least 3 for the interval of a dispersion, got {units:.3g}.")
    value = float(data.dispersion)
    if np.isnan(value):
        return Estimate(np.nan, 0.0, 1.0, "samples", "samples that are all alike do not determine a dispersion.")
    grid = np.concatenate([[0.0], np.geomspace(1e-5, 0.05, 60), np.linspace(0.06, 1, 95)])
    errors = _dispersion_errors(data, grid)
    if clusters is not None:
        mean, inside = share.mean(), share * (1 - share) * n / (n - 1)
        within = inside.mean() / (mean * (1 - mean))
        deviations = within * (1 - 2 * mean) * (share - mean) - (inside - inside.mean())
        _, sums = clustered(deviations, clusters)
        errors *= max(float(sums @ sums / (deviations @ deviations or 1.0)), 1.0) ** 0.5
    quantile = float(stdtrit(units - 1, (1 + level) / 2))
    low, high = _not_rejected(grid, np.abs(grid - value) - quantile * errors)
    warning = _against(data, value, (0.0, 1.0), units)
    return Estimate(value, low, high, "samples", warning, float(np.interp(value, grid, errors)))


def _dispersion_errors(data: Recorded, dispersions: Floats) -> Floats:
    """Standard error of `data.dispersion` if the pass rates were a Beta of the data's mean and each dispersion (I9).

    An error taken from the data itself is far too small where few prompts carry the dispersion, and is unknown at 0.
    """
    mean, variance = float(data.mean), 0.0
    spare = mean * (1 - mean)
    for size, prompts in zip(*np.unique(np.asarray(data.samples), return_counts=True), strict=True):
        n = min(int(size), LARGEST_SUMMED)
        share = np.arange(n + 1) / n
        chances = Beta(np.full(dispersions.shape, mean), dispersions).pmf(n)
        slope = (1 - dispersions[:, None]) * (1 - 2 * mean) * (share - mean)  # of the whole's variance, in its mean
        influence = (slope - share * (1 - share) * n / (n - 1)) / spare
        moments = [(chances * influence**k).sum(-1) for k in (1, 2)]
        variance = variance + prompts * (moments[1] - moments[0] ** 2)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)) / len(np.asarray(data.samples)))


def _not_rejected(grid: Floats, excess: Floats) -> tuple[float, float]:
    """The ends of the stretch of a grid where an excess is not positive; between two points by a straight line."""
    kept = np.flatnonzero(excess <= 0)
    if not len(kept):
        nearest = float(grid[np.argmin(excess)])
        return nearest, nearest
    ends = []
    for inside, outside in ((kept[0], kept[0] - 1), (kept[-1], kept[-1] + 1)):
        if 0 <= outside < len(grid):
            share = excess[inside] / (excess[inside] - excess[outside])
            ends.append(float(grid[inside] + share * (grid[outside] - grid[inside])))
        else:
            ends.append(float(grid[inside]))
    return ends[0], ends[1]


def clustered(deviations: Floats, clusters: ArrayLike | None) -> tuple[float, Floats]:
    """How many independent units, and the sum of each. Unequal clusters count as fewer, by Kish's effective number."""
    if clusters is None:
        return len(deviations), deviations
    labels = cluster_labels(clusters, len(deviations))
    _, which, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    units = float(sizes.sum() ** 2 / (sizes @ sizes))
    return units, np.bincount(which.reshape(-1), deviations).astype(np.float64)


def cluster_labels(clusters: ArrayLike, prompts: int) -> NDArray[Any]:
    """[prompts], or an error."""
    labels = np.asarray(clusters)
    if labels.shape != (prompts,):
        raise ValueError(f"clusters must be one label per prompt [{prompts}], got shape {labels.shape}.")
    return labels


def _histogram(data: Recorded) -> tuple[Floats, NDArray[np.int64]]:
    """How many prompts have each count c of n, for all possible c of each n in use: [kinds], and [kinds, 2]."""
    c, n = np.asarray(data.correct), np.asarray(data.samples)
    if n.max() > LARGEST_SUMMED:  # too many for a fit: those that are there
        seen, counts = np.unique(np.stack([c, n], 1), axis=0, return_counts=True)
        return counts.astype(np.float64), seen
    kinds = np.concatenate([np.stack([np.arange(size + 1), np.full(size + 1, size)], 1) for size in np.unique(n)])
    where = np.searchsorted(kinds[:, 1], n) + c
    return np.bincount(where, minlength=len(kinds)).astype(np.float64), kinds


def trials_over_prompts(counts: Floats, kinds: NDArray[np.int64], table: Floats) -> Floats:
    """Effective trials behind a mean over prompts, `counts` [..., kinds] of which have c of n correct (I3).

    A statistic that rare counts carry has a sample variance that is mostly too small, and exactly when its value is.
    The design effect of a fitted Beta, variance over v(1-v), depends on mean and dispersion only, which are well known.
    The sample variance overrules it where it is larger by two of its own standard errors, as the Beta gives them.
    """
    c, n = kinds.T
    prompts, bounds = counts.sum(-1), (float(table.min()), float(table.max()))
    worth = Recorded(c, n).each(len(table) - 1) @ table
    shares = counts / prompts[..., None]
    value, variance = _moments(shares, worth)
    sampled = effective_trials(value, variance / (prompts - 1), bounds, prompts)
    if n.min() < 2 or n.max() > LARGEST_SUMMED:
        return sampled
    fitted = Beta(shares @ (c / n), np.nan_to_num(counted_dispersion(counts, kinds)))
    sizes, starts = np.unique(n, return_index=True)
    of_size = np.add.reduceat(shares, starts, axis=-1)
    chances = np.concatenate([of_size[..., i, None] * fitted.pmf(int(size)) for i, size in enumerate(sizes)], -1)
    mean, expected = _moments(chances, worth)
    noise = np.sqrt(np.maximum((chances * (worth - mean[..., None]) ** 4).sum(-1) - expected**2, 0) / prompts)
    steady = effective_trials(mean, expected / prompts, bounds, prompts)
    overruled = variance * prompts / (prompts - 1) > expected + 2 * noise
    return np.where(overruled, np.minimum(steady, sampled), steady)


def _moments(shares: Floats, worth: Floats) -> tuple[Floats, Floats]:
    mean = np.asarray(shares @ worth)
    return mean, (shares * (worth - mean[..., None]) ** 2).sum(-1)


def _against(data: Recorded, value: float, bounds: tuple[float, float], units: float) -> str:
    """What lies outside of the region that was simulated, in words."""
    span = bounds[1] - bounds[0]
    looked_at = [("mean", float(data.mean), CHECKED_MEANS)]
    if span:
        looked_at.append(("value, as a share of its range,", (value - bounds[0]) / span, CHECKED_VALUES))
    outside = [f"at least {CHECKED_CLUSTERS} independent prompts, here {units:.4g}"] if units < CHECKED_CLUSTERS else []
    if np.min(np.asarray(data.samples)) > 1:
        looked_at.insert(1, ("dispersion", float(np.nan_to_num(data.dispersion)), CHECKED_DISPERSIONS))
    else:
        outside.append("a dispersion, which one sample of a prompt does not determine")
    outside += [
        f"a {name} from {low:g} to {high:g}, here {number:.3g}"
        for name, number, (low, high) in looked_at
        if not low <= number <= high
    ]
    return f"its coverage was simulated for other data: {'; '.join(outside)}." if outside else ""
