"""From a training log's numbers back to the population that explains them."""

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.mixing import BetaEstimate
from rlsignal.theory.passrates import Beta, PassRate, answer, group


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


def log_estimate(mean: float, degenerate: float, g: int, groups: int) -> BetaEstimate:
    """The Beta population behind a training log, and how sure its groups make it (I6).

    Parameters
    ----------
    mean : mean binary reward over the groups, in (0, 1).
    degenerate : fraction of these groups in which all rewards agree.
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
    >>> from rlsignal import degenerate_probability
    >>> run = log_estimate(0.2812, 0.542, 8, groups=512)
    >>> print(run)
    Beta of mean 0.2812 ± 0.015 and dispersion 0.5419 ± 0.022, from 512
    >>> print(run.predict(degenerate_probability, 16))
    0.4453 [0.3971, 0.4945], 95% from 512 clusters
    """
    g, groups = _validate.group_size(g), _validate.whole("groups", groups, 2)
    mean = _validate.scalar("mean", _validate.within("mean", mean, 0, 1, open_ends=True))
    degenerate = _validate.scalar("degenerate", _validate.probability("degenerate", degenerate))
    alike, warning = _degenerate(mean, 0.0, g), ""
    if degenerate < alike and alike - degenerate < 5 * np.sqrt(alike * (1 - alike) / groups):
        warning = f"fewer groups agree than of identical prompts ({degenerate:.3g} < {alike:.3g}); dispersion set to 0."
        degenerate = alike
    rho = dispersion_for(mean, degenerate, g)
    law = Beta(mean, rho)
    right, dead = float(law.all_correct(g)), _degenerate(mean, rho, g)
    of_mean, of_both = mean * (1 - mean) * (1 + (g - 1) * rho) / g, right - mean * dead
    noise = np.array([[of_mean, of_both], [of_both, dead * (1 - dead)]]) / groups
    by_mean, by_rho = _slopes(mean, rho, g)
    back = np.array([[1.0, 0.0], [-by_mean / by_rho, 1 / by_rho]]) if by_rho > 0 else np.diag([1.0, 0.0])
    return BetaEstimate(mean, rho, back @ noise @ back.T, groups, warning=warning)


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
    return answer(what.law(g) @ np.sqrt(k * (g - k) / (g * (g - 1))))


def _slopes(mean: float, rho: float, g: int) -> tuple[float, float]:
    """Of the degenerate fraction, in mean and dispersion: D3's products times the sums of their factors' slopes."""
    i = np.arange(g)
    scale = 1 - rho + i * rho
    by_mean = by_rho = 0.0
    for m, sign, chance in ((mean, 1, Beta(mean, rho).all_correct(g)), (1 - mean, -1, Beta(mean, rho).all_wrong(g))):
        odds = m * (1 - rho) + i * rho
        by_mean += sign * float(chance * np.sum((1 - rho) / odds)) if rho < 1 else 0.0
        by_rho += float(chance * np.sum(i * (1 - m) / (odds * scale))) if rho < 1 else 0.0
    return by_mean, by_rho


def _degenerate(mean: float, dispersion: float, g: int) -> float:
    what = Beta(mean, dispersion)
    return float(what.all_correct(g) + what.all_wrong(g))
