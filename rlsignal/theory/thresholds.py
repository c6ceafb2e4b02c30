"""How much is enough: the pass rate, dispersion or group size at which a wanted share of groups is informative.

Each function inverts a closed form of `signal`.
"""

from collections.abc import Callable

import numpy as np

from rlsignal import _validate
from rlsignal.theory.distributions import Beta, Fixed, PassRate, pass_rate
from rlsignal.theory.recorded import Recorded


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
    >>> from rlsignal import critical_pass_rate
    >>> [round(critical_pass_rate(8, dispersion=rho), 3) for rho in (0, 0.3, 0.6)]
    [0.083, 0.172, nan]
    """
    g = _validate.group_size(g)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    dispersion = _validate.scalar("dispersion", _validate.probability("dispersion", dispersion))

    def surplus(mean: float) -> float:
        return _spare(Beta(mean, dispersion) if dispersion else Fixed(mean), g, level)

    best = surplus(0.5)
    if abs(best) <= _rounding(level):  # at g = 2 half of the groups are degenerate at the very best
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
    >>> from rlsignal.theory import critical_dispersion
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
    """The smallest group size whose groups are informative with probability `informative` (D6).

    Parameters
    ----------
    p : one pass rate, or a distribution of one population.
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
    >>> from rlsignal import group_size_for
    >>> group_size_for(0.05, informative=0.9)
    45
    """
    what = pass_rate(p)
    mean = _validate.scalar("p", what.mean)
    wanted = _validate.scalar("informative", _validate.within("informative", informative, 0, 1, open_ends=True))
    low, high = 1, _validate.whole("largest", largest, 2)
    way_out = "Raise `largest` or lower `informative`."
    if isinstance(what, Recorded):
        high = min(high, int(np.min(what.samples)))
        way_out = "A Recorded ends at its smallest n: lower `informative`, or fit a Beta."
    reached = float(what.informative(high)) if high > 1 else 0.0
    if reached == 0 and high > 1:
        way_out = "Rewards that are always the same carry no signal at any size."
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
    degenerate : fraction of groups whose rewards are all the same.
    g : group size of the run, at least 2.

    Returns
    -------
    float in [0, 1].

    Raises
    ------
    ValueError : out of range; also a degenerate fraction below that of identical prompts, which no dispersion explains.

    Source: inverts D3; docs/theory.md (I1).

    Examples
    --------
    >>> from rlsignal import dispersion_for
    >>> round(dispersion_for(0.2812, 0.542, 8), 3)
    0.542
    """
    g = _validate.group_size(g)
    mean = _validate.scalar("mean", _validate.within("mean", mean, 0, 1, open_ends=True))
    identical = _degenerate(mean, 0.0, g)
    way_out = (
        f"At mean {mean:g} and g = {g} identical prompts already have that many, and differing ones more. "
        "Average over more steps, or check that groups are counted, not batches."
    )
    rounding = 1 - 1e-12
    fraction = _validate.scalar(
        "degenerate", _validate.within("degenerate", degenerate, identical * rounding, 1, way_out=way_out)
    )
    if fraction <= identical:
        return 0.0
    from scipy.optimize import brentq

    return float(
        brentq(lambda rho: _degenerate(mean, rho, g) - fraction, 0.0, 1.0, xtol=1e-300, rtol=1e-15, maxiter=5000)
    )


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
