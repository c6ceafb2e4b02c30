"""The group size under a budget: what is left of a run's rollouts when larger groups mean fewer of them (F8).

Each visit to a prompt draws a group, and its log-odds jump by an amount that depends on the number of successes alone.
So what a prompt becomes is a Markov chain in one number, and the mean over all that may be drawn is a power of its
matrix: the flow of `dynamics` with its noise.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betaincinv, expit, logit, roots_legendre

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.distributions import Beta, Fixed, Mixture, PassRate, pass_rate
from rlsignal.theory.dynamics import checked_collision
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import known
from rlsignal.theory.pmf import answer
from rlsignal.theory.recorded import Recorded

_SPACING = 1 / 8
_LOG_ODDS = np.arange(-24, 20 + _SPACING / 2, _SPACING)
"""Where the chain is known; below, a prompt stays impossible, and above, it is solved."""

_POINTS = 16
"""Of the polynomial between them, which leaves 1e-13 of a sigmoid."""

_SLOPE = ((1, 4 / 5), (2, -1 / 5), (3, 4 / 105), (4, -1 / 280))
"""Differences of points so far apart, and their shares in the slope (eighth order)."""

_ALIKE = 1e-8
"""Below this dispersion all prompts are one."""

_LARGEST = 512


def pass_rate_after(
    p: ArrayLike | PassRate, g: int, estimator: Estimator, *, visits: int, step: float, collision: float = 1.0
) -> float | Floats:
    """pass@1 after so many visits to each prompt, a group of g each, sampling noise included (F8).

    At a visit a prompt's log-odds jump by step collision K A+(K) / g, K successes being drawn. For a softmax over one
    correct and one incorrect response (collision 2) this is exact; for more responses it holds to first order in the
    step, with the collisions of the start. `forecast` is its limit of many small steps.

    Parameters
    ----------
    p : pass rate(s) or a distribution; a `Recorded` is read as by `forecast`.
    g : group size in [2, 512].
    estimator : an Estimator whose groups sum to zero, such as GRPO or RLOO.
    visits : groups drawn of each prompt, at least 0.
    step : what the mean over a group's rollouts is multiplied by: the learning rate, over the prompts in a step where
        the loss is a mean over them; in (0, 100].
    collision : kappa_C + kappa_I, as for `learning_speed`.

    Returns
    -------
    float, or an array of p's shape; to 1e-5 for steps of 1/4 and more, to 1e-4 for smaller ones.

    Raises
    ------
    ValueError : arguments out of range; an estimator that is not centred, or pays for failure.

    Source: derived in docs/theory.md (F8).

    Examples
    --------
    The same 256 rollouts of a prompt, in groups of 2 and of 8, and without noise:

    >>> from rlsignal import RLOO
    >>> from rlsignal.theory import forecast, pass_rate_after
    >>> [round(pass_rate_after(0.05, g, RLOO, visits=256 // g, step=1), 3) for g in (2, 8)]
    [0.989, 0.726]
    >>> [round(forecast(0.05, g, RLOO, budget=256 // g), 3) for g in (2, 8)]
    [0.989, 0.815]
    """
    g, visits = _validate.whole("g", g, 2, _LARGEST), _validate.whole("visits", visits, 0, 2**30)
    after = np.linalg.matrix_power(_visit(g, estimator, step, collision), visits) @ expit(_LOG_ODDS)
    return _mean(pass_rate(p), after)


class BudgetedSizes(NamedTuple):
    """Group sizes under one budget of rollouts, and where each ends.

    best : the size that ends highest.
    sizes, pass_rates : [sizes], and pass@1 after the budget.
    """

    best: int
    sizes: NDArray[np.int64]
    pass_rates: Floats


def group_size_for_budget(
    p: ArrayLike | PassRate,
    estimator: Estimator,
    *,
    rollouts: int,
    step: float,
    scaling: float = 0.5,
    collision: float = 1.0,
    largest: int = 128,
) -> BudgetedSizes:
    """The group size that ends highest after a budget of rollouts of each prompt (F8).

    Prompts per step do not enter: a prompt is visited rollouts/g times, in whichever steps.

    Parameters
    ----------
    p : a pass rate or a distribution.
    estimator : as for `pass_rate_after`.
    rollouts : of each prompt in the whole run, at least 2.
    step : as for `pass_rate_after`, at groups of 8.
    scaling : how the step grows with the group, as (g/8)^scaling: 0 for one learning rate, 0.5 for the square-root
        rule, 1 for a rate in proportion; in [0, 1].
    collision : as for `learning_speed`.
    largest : the largest power of two that is tried, in [2, 512].

    Returns
    -------
    BudgetedSizes(best, sizes, pass_rates); sizes are the powers of two that the budget has room for.

    Raises
    ------
    ValueError : arguments out of range, an array of pass rates.

    Source: derived in docs/theory.md (F8).

    Examples
    --------
    The square-root rule makes GRPO's best group grow with the budget, RLOO's never:

    >>> from rlsignal import GRPO, RLOO, Beta
    >>> from rlsignal.theory import group_size_for_budget
    >>> data = Beta(0.2, 0.3)
    >>> for estimator in (GRPO, RLOO):
    ...     print([group_size_for_budget(data, estimator, rollouts=n, step=1).best for n in (64, 512, 4096)])
    [4, 8, 16]
    [2, 2, 2]
    >>> group_size_for_budget(data, GRPO, rollouts=4096, step=1, scaling=0).best
    2
    """
    rollouts = _validate.whole("rollouts", rollouts, 2, 2**30)
    largest = _validate.whole("largest", largest, 2, _LARGEST)
    scaling = _validate.scalar("scaling", _validate.within("scaling", scaling, 0, 1))
    sizes = 2 ** np.arange(1, min(largest, rollouts).bit_length())
    ends = np.asarray(
        [
            pass_rate_after(p, g, estimator, visits=rollouts // g, step=step * (g / 8) ** scaling, collision=collision)
            for g in sizes.tolist()
        ],
        np.float64,
    )
    if ends.ndim > 1:
        raise ValueError(f"p must be one pass rate or distribution, got an array of shape {ends.shape[1:]}.")
    return BudgetedSizes(int(sizes[ends.argmax()]), sizes, ends)


def _visit(g: int, estimator: Estimator, step: float, collision: float) -> Floats:
    """The matrix of one visit: from a function of the log-odds on the grid to its mean after a group."""
    k, (incorrect, correct) = np.arange(g + 1), known(estimator).table(g)
    step = _validate.scalar("step", _validate.within("step", step, 0, 100))
    push = k * correct
    if np.abs(push + (g - k) * incorrect).max() > 1e-9 * np.abs(push).max() or push.min() < 0:
        raise ValueError(
            f"estimator must sum to zero in every group and not pay for failure, got {estimator.name!r}. Without that "
            "its noise depends on more than the pass rate."
        )
    chances = np.asarray(Fixed(expit(_LOG_ODDS)).pmf(g))  # [grid, g+1]
    whole, shares = _between(push / g * step * checked_collision(collision) / _SPACING)
    n, points = len(_LOG_ODDS), np.arange(_POINTS)
    to = np.clip(np.arange(n)[:, None, None] + whole[:, None] + points, 0, n - 1)  # flat beyond the ends
    cells = np.arange(n)[:, None, None] * n + to
    weights = chances[..., None] * shares
    return np.asarray(np.bincount(cells.ravel(), weights.ravel(), n * n).reshape(n, n), np.float64)


def _between(at: Floats) -> tuple[NDArray[np.int64], Floats]:
    """The first of the points around each place on the grid [n], and the points' shares in its value, [n, points]."""
    first = np.floor(at).astype(np.int64) - _POINTS // 2 + 1
    j = np.arange(_POINTS)
    spans = (j[:, None] - j).astype(np.float64)
    own = np.eye(_POINTS, dtype=bool)
    apart = (at - first)[:, None, None] - j
    return first, np.asarray(np.where(own, 1.0, apart / np.where(own, 1.0, spans)).prod(-1))  # Lagrange


def _mean(what: PassRate, after: Floats) -> float | Floats:
    """The mean over prompts of what is known on the grid of their log-odds at the start."""
    if isinstance(what, Mixture):
        return what.average(lambda part: _mean(part, after))
    if isinstance(what, Fixed):
        p = np.asarray(what.mean)
        inside = (p > expit(_LOG_ODDS[0])) & (p < expit(_LOG_ODDS[-1]))
        first, shares = _between((logit(np.where(inside, p, 0.5).ravel()) - _LOG_ODDS[0]) / _SPACING)
        at = np.clip(first[:, None] + np.arange(_POINTS), 0, len(after) - 1)
        return answer(np.where(inside, (after[at] * shares).sum(-1).reshape(p.shape), p))
    if isinstance(what, Recorded):
        what = Beta(what.mean, np.nan_to_num(what.dispersion))
    means, dispersions = np.broadcast_arrays(what.mean, what.dispersion)
    each = [_mean_of_beta(m, rho, after) for m, rho in zip(means.flat, dispersions.flat, strict=True)]
    return answer(np.reshape(each, means.shape))


def _mean_of_beta(mean: float, rho: float, after: Floats) -> float:
    """E f = f(lowest) + the integral of f' times the chance to start above, as a sum over the grid."""
    if rho == 1 or mean in (0, 1):
        return mean
    if rho < _ALIKE:
        return float(np.asarray(_mean(Fixed(mean), after)))
    a, b = mean * (1 - rho) / rho, (1 - mean) * (1 - rho) / rho
    if rho < 4 * _SPACING**2 * mean * (1 - mean):  # too narrow for the grid: by quantiles
        nodes, shares = roots_legendre(64)
        return float(shares @ np.asarray(_mean(Fixed(betaincinv(a, b, (1 + nodes) / 2)), after)) / 2)
    above = np.where(_LOG_ODDS < 0, betaincc(a, b, expit(_LOG_ODDS)), betainc(b, a, expit(-_LOG_ODDS)))
    padded = np.pad(after, 4, mode="edge")
    rises = sum(c * (padded[4 + i : len(padded) - 4 + i] - padded[4 - i : len(padded) - 4 - i]) for i, c in _SLOPE)
    return float(after[0] + rises @ above)
