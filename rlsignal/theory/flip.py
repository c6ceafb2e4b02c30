"""When the order of two starts turns: the share of prompts within reach, and the budget at which one overtakes."""

from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import betaincc

from rlsignal.theory.clock import forecast
from rlsignal.theory.distributions import Beta, Fixed, Mixture, PassRate, pass_rate
from rlsignal.theory.dynamics import reachable_pass_rate
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.recorded import Recorded

LARGEST = 1e6
"""The largest budget looked at."""


def reached_share(p: PassRate, g: int, estimator: Estimator, *, budget: float, collision: float = 1.0) -> float:
    """The share of prompts that start above p_c, the reachability law's pass@1 after the budget (F1).

    By the law, the order of two starts turns where the one with the higher pass@1 has fewer prompts above p_c.

    Parameters
    ----------
    p : one Beta, Mixture or Fixed; not counts, which do not say what lies below 1/n.
    g, estimator, budget, collision : as for `reachable_pass_rate`.

    Returns
    -------
    float.

    Raises
    ------
    ValueError : a `Recorded`, arrays of distributions, arguments out of range.

    Source: derived in docs/theory.md (F1); its error on the map is in docs/inversion.md.

    Examples
    --------
    A is ahead, and fewer of its prompts are within reach of 400 steps:

    >>> from rlsignal import Beta
    >>> from rlsignal.theory import reached_share
    >>> from rlsignal import GRPO
    >>> [round(reached_share(p, 8, GRPO, budget=400), 2) for p in (Beta(0.4, 0.8), Beta(0.3, 0.3))]
    [0.69, 0.99]
    """
    critical = float(reachable_pass_rate(g, estimator, budget=budget, collision=collision))
    return _above(_one(p), critical)


def budget_to_flip(first: PassRate, second: PassRate, g: int, estimator: Estimator, *, collision: float = 1.0) -> float:
    """The budget, learning rate times steps, at which the start that is behind overtakes the other (F5).

    Both follow the flow without noise; the order turns where their forecasts cross for the first time.

    Parameters
    ----------
    first, second : one Beta, Mixture or Fixed each, the latter averaged over its pass rates.
    g, estimator, collision : as for `forecast`.

    Returns
    -------
    float; inf where the order holds up to a budget of 1e6.

    Raises
    ------
    ValueError : as `forecast`; equal pass@1, a `Recorded`, arrays of distributions.

    Source: docs/theory.md (F5), against simulation in docs/settings.md.

    Examples
    --------
    >>> from rlsignal import Beta
    >>> from rlsignal.theory import budget_to_flip
    >>> from rlsignal import GRPO
    >>> round(budget_to_flip(Beta(0.4, 0.8), Beta(0.3, 0.3), 8, GRPO), 1)
    2.3
    >>> budget_to_flip(Beta(0.4, 0.3), Beta(0.3, 0.3), 8, GRPO)
    inf
    """
    from scipy.optimize import brentq

    pair = _one(first), _one(second)

    def lead(budget: float) -> float:
        ends = [np.mean(forecast(p, g, estimator, budget=budget, collision=collision)) for p in pair]
        return float(ends[0] - ends[1])

    start = lead(0.0)
    if start == 0:
        raise ValueError(f"first and second must differ in pass@1, got {float(np.mean(pair[0].mean)):g} of both.")
    budgets = np.concatenate([[0.0], np.geomspace(1e-2, LARGEST, 33)])
    for low, high in pairwise(budgets):
        if lead(high) * start < -1e-12:
            return float(brentq(lead, low, high, rtol=1e-6))
    return np.inf


def _one(p: Any) -> Fixed | Beta | Mixture:
    what = pass_rate(p)
    if isinstance(what, Recorded):
        raise ValueError(
            "p must be a distribution, got counts. Use anchored_estimate(data) or beta_estimate(data).distribution."
        )
    if np.ndim(what.mean) and not isinstance(what, Fixed):
        raise ValueError(f"p must be one distribution, got an array of {np.size(what.mean)}. Loop over them.")
    return what


def _above(p: Fixed | Beta | Mixture, critical: float) -> float:
    """P(pass rate > critical)."""
    if isinstance(p, Fixed):
        return float((np.asarray(p.mean) > critical).mean())
    if isinstance(p, Mixture):
        return float(np.dot(p.weights, [_above(part, critical) for part in p.parts]))
    mean, rho = float(p.mean), float(p.dispersion)
    if rho == 0:
        return float(mean > critical)
    if rho == 1 or critical >= 1:
        return mean if critical < 1 else 0.0
    size = (1 - rho) / rho
    return float(betaincc(mean * size, (1 - mean) * size, critical))
