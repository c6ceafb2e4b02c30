"""How much signal a group carries: the advantage variance, dead groups, thresholds, group sizes.

`p` is a pass rate, an array of them (one answer per entry), or a pass-rate object (one answer for its population).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.distributions import Beta, Fixed, PassRate, Recorded, answer, group, pass_rate
from rlsignal.theory.estimators import Estimator, known


def advantage_variance(p: ArrayLike | PassRate, g: int, estimator: Estimator | None = None) -> float | Floats:
    """Expected variance of the advantages inside a group (V1): E[p(1-p)] (g-1)/g.

    The variance (ddof 0) of g binary rewards around their own mean: v = K(g-K)/g^2. That is what mean-centred
    estimators keep (DR_GRPO). Any other has its own, E[v (A+(K) - A-(K))^2] (V4); name it to get it.

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object. Since E[p(1-p)] needs only two samples per prompt, a `Recorded` answers
        for every g, also above its n.
    g : group size, at least 2, in rollouts; with an estimator at most 4096.
    estimator : None for the rewards' own variance, else an Estimator such as GRPO.

    Returns
    -------
    float, or an array of p's shape; squared advantage units (squared rewards, so at most 1/4, without an estimator).

    Raises
    ------
    ValueError : p outside [0, 1], g not a whole number of at least 2, not an estimator.

    Source: arXiv 2606.18487, Proposition 1; derived in docs/theory.md (V1, V4).

    Examples
    --------
    >>> advantage_variance(0.02, 8), round(advantage_variance(0.02, 8, GRPO), 4)
    (0.01715, 0.1492)
    """
    if estimator is None:
        g = _validate.group_size(g)
        return answer(pass_rate(p).reward_variance * (g - 1) / g)
    what, g = group(p, g, summed=True)
    k, (wrong, correct) = np.arange(g + 1), known(estimator).table(g)
    return answer(what.pmf(g) @ (k * (g - k) / g**2 * (correct - wrong) ** 2))


def advantage_variance_distribution(p: ArrayLike | PassRate, g: int) -> tuple[Floats, Floats]:
    """The full distribution of v = K(g-K)/g^2 (V3): its values [floor(g/2)+1] and their probabilities.

    K and g-K give the same v, so P(v = k(g-k)/g^2) = P(K = k) + P(K = g-k) for k < g/2, and P(K = g/2) at the middle.

    Parameters
    ----------
    p : pass rate(s) [...] or a pass-rate object.
    g : group size in [2, 4096].

    Returns
    -------
    values [floor(g/2)+1] rising from 0, probabilities [..., floor(g/2)+1].

    Raises
    ------
    ValueError : p outside [0, 1], g outside [2, 4096].

    Source: derived in docs/theory.md (V3).

    Examples
    --------
    >>> values, chances = advantage_variance_distribution(0.5, 4)
    >>> values, chances
    (array([0.    , 0.1875, 0.25  ]), array([0.125, 0.5  , 0.375]))
    """
    what, g = group(p, g, summed=True)
    law = what.pmf(g)
    k = np.arange(g // 2 + 1)
    folded = law[..., : len(k)] + np.where(k < g - k, law[..., ::-1][..., : len(k)], 0)
    return k * (g - k) / g**2, folded


def variance_of_advantage_variance(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Variance of v = K(g-K)/g^2 over groups (V2): (g-1)/g^3 pq [(g-1)(1-2p)^2 + 2pq] for one prompt.

    For a population it includes the spread between prompts, and is summed over the law of K.

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object.
    g : group size, at least 2 (at most 4096 for a population).

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], g not a whole number of at least 2.

    Source: derived in docs/theory.md (V2).

    Examples
    --------
    At g = 2 every mixed group has v = 1/4, so v is a coin: here with chance 1/2.

    >>> variance_of_advantage_variance(0.5, 2)
    0.015625
    """
    what, g = group(p, g)
    if isinstance(what, Fixed):
        pq = what.reward_variance
        return answer((g - 1) / g**3 * pq * ((g - 1) * (1 - 2 * what.mean) ** 2 + 2 * pq))
    values, chances = advantage_variance_distribution(what, g)
    mean = (chances * values).sum(-1)
    return answer((chances * (values - mean[..., None]) ** 2).sum(-1))


def degenerate_probability(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Chance that all g rollouts agree, so that centred advantages are all 0 (D1): E[p^g + (1-p)^g].

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object. The mean of a data set is not enough: at equal mean, prompts that differ
        give more dead groups, in public runs often ten times more.
    g : group size, at least 2; at most n for a `Recorded`.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], g not a whole number of at least 2, g above the samples of a `Recorded`.

    Source: arXiv 2606.18487 for one prompt; derived in docs/theory.md (D1), for Beta populations (D3).

    Examples
    --------
    A data set against what its mean alone would say:

    >>> round(degenerate_probability(Beta(0.33, 0.49), 8), 2), round(degenerate_probability(0.33, 8), 2)
    (0.45, 0.04)
    """
    what, g = group(p, g)
    return answer(what.all_correct(g) + what.all_incorrect(g))


def informative_probability(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Chance that a group is mixed, so that its advantages are not all 0 (D2): pass@g - E[p^g].

    Not 1 - `degenerate_probability` in floating point: it keeps its digits down to p = 1e-300.

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object.
    g : group size, at least 2; at most n for a `Recorded`.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : as `degenerate_probability`.

    Source: derived in docs/theory.md (D2).

    Examples
    --------
    >>> informative_probability(1e-300, 8)
    8e-300
    """
    what, g = group(p, g)
    return answer(what.informative(g))


def critical_pass_rate(g: int, *, level: float = 0.5, dispersion: float = 0.0) -> float:
    """The mean pass rate below which more than `level` of the groups are degenerate (D4).

    The low root of degenerate_probability(Beta(p, dispersion), g) = level; the high one is 1 minus it.

    Parameters
    ----------
    g : group size, at least 2.
    level : degenerate fraction in (0, 1).
    dispersion : of the prompts, in [0, 1]; 0 asks about one prompt.

    Returns
    -------
    float in (0, 0.5]; nan where every mean is worse than `level` (see `critical_dispersion`).

    Raises
    ------
    ValueError : g not a whole number of at least 2, level or dispersion out of range.

    Source: arXiv 2606.18487 prints 0.083 for g = 8, dispersion 0; with dispersion derived in docs/theory.md (D4).

    Examples
    --------
    >>> [round(critical_pass_rate(8, dispersion=rho), 3) for rho in (0, 0.3, 0.6)]
    [0.083, 0.172, nan]
    """
    g = _validate.group_size(g)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    dispersion = _validate.scalar("dispersion", _validate.probability("dispersion", dispersion))

    def surplus(mean: float) -> float:
        return _spare(Beta(mean, dispersion) if dispersion else Fixed(mean), g, level)

    best = surplus(0.5)
    if abs(best) <= _rounding(level):  # at g = 2 half of the groups are dead at the very best
        return 0.5
    return _root(surplus, 0.0, 0.5) if best > 0 else float("nan")


def critical_dispersion(g: int, *, level: float = 0.5) -> float:
    """The dispersion above which no mean pass rate keeps the degenerate fraction under `level` (D5).

    Parameters
    ----------
    g : group size, at least 2.
    level : degenerate fraction in (0, 1).

    Returns
    -------
    float in [0, 1); nan where even identical prompts at p = 1/2 are above `level`.

    Raises
    ------
    ValueError : g not a whole number of at least 2, level out of range.

    Source: derived in docs/theory.md (D5).

    Examples
    --------
    >>> round(critical_dispersion(8), 3)
    0.595
    """
    g = _validate.group_size(g)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))

    def surplus(dispersion: float) -> float:
        return _spare(Beta(0.5, dispersion), g, level)

    best = surplus(0.0)
    if abs(best) <= _rounding(level):
        return 0.0
    return _root(surplus, 0.0, 1.0) if best > 0 else float("nan")


def group_size_for(p: float | PassRate, *, informative: float = 0.9, largest: int = 4096) -> int:
    """The smallest group size whose groups are mixed with probability `informative` (D6).

    Parameters
    ----------
    p : one pass rate, or a pass-rate object for one population.
    informative : wanted informative probability, in (0, 1).
    largest : where to stop looking, in rollouts; for a `Recorded` at most its smallest n.

    Returns
    -------
    int in [2, largest].

    Raises
    ------
    ValueError : p or informative out of range; `largest` too small, with what it reaches.

    Source: inverts D2; docs/theory.md (D6).

    Examples
    --------
    >>> group_size_for(0.05, informative=0.9)
    45
    """
    what = pass_rate(p)
    mean = _validate.scalar("p", np.asarray(what.mean, np.float64))
    wanted = _validate.scalar("informative", _validate.within("informative", informative, 0, 1, open_ends=True))
    low, high = 1, _validate.whole("largest", largest, 2)
    way_out = "Raise `largest` or lower `informative`."
    if isinstance(what, Recorded):
        high = min(high, int(np.min(what.samples)))
        way_out = "A Recorded ends at its smallest n: lower `informative`, or fit a Beta."
    reached = float(what.informative(high)) if high > 1 else 0.0
    if reached == 0 and high > 1:
        way_out = "Rollouts that always agree teach nothing at any size."
    if reached < wanted:
        raise ValueError(
            f"largest must allow an informative probability of {wanted:g}, got {high} rollouts, which reach "
            f"{reached:.4g} at mean pass rate {mean:.4g}. {way_out}"
        )
    while high - low > 1:  # the informative probability never falls as g grows
        middle = (low + high) // 2
        low, high = (low, middle) if float(what.informative(middle)) >= wanted else (middle, high)
    return high


def dispersion_for(mean: float, degenerate: float, g: int) -> float:
    """The dispersion at which a Beta population with this mean has this degenerate fraction (I1).

    A training log prints both numbers (mean reward and the fraction of groups with zero s.d.); with the dispersion
    every other group size can be answered. It undoes `degenerate_probability(Beta(mean, dispersion), g)`.

    Parameters
    ----------
    mean : mean binary reward, in (0, 1).
    degenerate : fraction of groups in which all rewards agree.
    g : group size of the run, at least 2.

    Returns
    -------
    float in [0, 1].

    Raises
    ------
    ValueError : out of range; also a degenerate fraction below that of identical prompts, which no spread explains.

    Source: inverts D3; docs/theory.md (I1).

    Examples
    --------
    >>> round(dispersion_for(0.2812, 0.542, 8), 3)
    0.542
    """
    g = _validate.group_size(g)
    mean = _validate.scalar("mean", _validate.within("mean", mean, 0, 1, open_ends=True))
    alike = _degenerate(mean, 0.0, g)
    way_out = (
        f"At mean {mean:g} and g = {g} identical prompts already agree that often, and differing ones more often. "
        "Average over more steps, or check that groups are counted, not batches."
    )
    rounding = 1 - 1e-12
    fraction = _validate.scalar(
        "degenerate", _validate.within("degenerate", degenerate, alike * rounding, 1, way_out=way_out)
    )
    if fraction <= alike:
        return 0.0
    from scipy.optimize import brentq

    return float(
        brentq(lambda rho: _degenerate(mean, rho, g) - fraction, 0.0, 1.0, xtol=1e-300, rtol=1e-15, maxiter=5000)
    )


def group_deviation(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Mean over groups of the rewards' s.d. inside them, ddof 1 (I6): E sqrt(K(g-K) / (g(g-1))).

    The third number of some logs: TRL's `reward_std` before version 0.27.0. It tells whether a Beta fitted to the
    other two holds. From 0.27.0 that name is the s.d. of the whole batch, which for binary rewards repeats the mean.

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object.
    g : group size in [2, 4096]; at most n for a `Recorded`.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], g out of range.

    Source: derived in docs/theory.md (I6).

    Examples
    --------
    >>> round(group_deviation(Beta(0.2812, 0.542), 8), 3), round((0.2812 * 0.7188) ** 0.5, 3)
    (0.203, 0.45)
    """
    what, g = group(p, g, summed=True)
    k = np.arange(g + 1)
    return answer(what.pmf(g) @ np.sqrt(k * (g - k) / (g * (g - 1))))


def _spare(what: PassRate, g: int, level: float) -> float:
    """How far the degenerate fraction stays under `level`, from whichever of it and its complement is small."""
    if level < 0.5:
        return level - float(what.all_correct(g) + what.all_incorrect(g))
    return float(what.informative(g)) - (1 - level)


def _rounding(level: float) -> float:
    return 4 * float(np.finfo(float).eps) * min(level, 1 - level)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-300, rtol=1e-15, maxiter=5000))


def _degenerate(mean: float, dispersion: float, g: int) -> float:
    what = Beta(mean, dispersion)
    return float(what.all_correct(g) + what.all_incorrect(g))
