"""How long the flow of `dynamics` takes, and where it leads: escape times and forecasts.

All prompts of one estimator and collision follow one curve of p over time, each from its own place. So one clock, the
time at which the curve passes each p, answers for all of them, forwards and backwards.
"""

from collections.abc import Callable

import numpy as np
from numpy.polynomial import legendre
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, betaincc, betaincinv, expit, logit, roots_legendre

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.distributions import Beta, Fixed, Mixture, PassRate, pass_rate
from rlsignal.theory.dynamics import checked_collision
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import DR_GRPO, GRPO, MAXRL, RLOO, known
from rlsignal.theory.pmf import answer
from rlsignal.theory.recorded import Recorded


def escape_time(
    start: float,
    g: int | None,
    estimator: Estimator,
    *,
    end: float = 0.5,
    collision: float = 1.0,
    natural: bool = False,
) -> float:
    """The time that one prompt takes from pass rate start to end (F2): the integral of dp / (dp/dt).

    Parameters
    ----------
    start, end : pass rates in (0, 1), start <= end.
    g : group size in [2, 4096]; None for the limit of large groups, in closed form: RLOO, DR_GRPO, GRPO and MAXRL.
    estimator : an Estimator such as GRPO.
    collision, natural : as for `learning_speed`; collision positive.

    Returns
    -------
    float, in learning rate times steps.

    Raises
    ------
    ValueError : arguments out of range; an estimator that rewards failure in some group, or without that limit.

    Source: derived in docs/theory.md (F2).

    Examples
    --------
    From 1% to a half, at 8 rollouts and in the limit:

    >>> from rlsignal import GRPO, MAXRL, RLOO
    >>> from rlsignal.theory import escape_time
    >>> [round(escape_time(0.01, g, estimator), 1) for g in (8, None) for estimator in (RLOO, GRPO, MAXRL)]
    [108.2, 43.6, 18.4, 108.2, 19.7, 5.6]
    """
    low, high = (
        _validate.scalar(name, _validate.within(name, value, 0, 1, open_ends=True))
        for name, value in (("start", start), ("end", end))
    )
    _validate.within("end - start", high - low, 0, 1, way_out="Pass rates rise in this flow.")
    rate = 1.0 if natural else checked_collision(collision)
    if rate == 0:
        raise ValueError("collision must be positive, got 0. Mass divided over so many responses never moves.")
    if g is None:
        clock = _large_group_clock(estimator, natural)
        return float(clock(high) - clock(low)) / rate
    _rewarding(estimator, g)
    x = logit([low, high])
    return float(np.diff(_Clock(x[0], g, estimator, natural).time(x))[0]) / rate


def forecast(
    p: ArrayLike | PassRate,
    g: int,
    estimator: Estimator,
    *,
    budget: float,
    collision: float = 1.0,
    natural: bool = False,
    k: int = 1,
) -> float | Floats:
    """pass@k after training, by following every prompt's own flow for the budget (F5).

    The mean field of independent prompts: no noise, no shared parameters, a frozen collision, plain ascent. What it
    leaves out can decide a run; as a ranking of starts it is to be checked against runs, not trusted.

    Parameters
    ----------
    p : pass rate(s), each forecast by itself; a Beta or Mixture, averaged over its prompts; a `Recorded`, by the Beta
        that has its pass@1 and its dispersion by moments. (c/n in the place of p would freeze every prompt with c = 0.)
    g : group size in [2, 4096].
    estimator : an Estimator such as GRPO.
    budget : learning rate times steps, at least 0.
    collision, natural : as for `learning_speed`.
    k : attempts, at least 1.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : arguments out of range; an estimator that rewards failure in some group.

    Source: derived in docs/theory.md (F5).

    Examples
    --------
    At equal pass@1, prompts that differ end lower:

    >>> from rlsignal import GRPO, Beta
    >>> from rlsignal.theory import forecast
    >>> [round(forecast(p, 8, GRPO, budget=100), 3) for p in (0.1, Beta(0.1, 0.3), Beta(0.1, 0.6))]
    [0.996, 0.651, 0.346]
    """
    _rewarding(estimator, g)
    budget = _validate.scalar("budget", _validate.within("budget", budget, 0, np.inf))
    time = budget if natural else budget * checked_collision(collision)
    k = _validate.whole("k", k, 1)
    what = pass_rate(p)
    if isinstance(what, Mixture):
        return what.average(
            lambda part: forecast(part, g, estimator, budget=budget, collision=collision, natural=natural, k=k)
        )
    if isinstance(what, Fixed):
        x = logit(what.mean)
        clock = _Clock(x.min(initial=0, where=np.isfinite(x)), g, estimator, natural)
        return answer(Fixed(expit(clock.moved(x, time))).any_correct(k))
    if isinstance(what, Recorded):
        what = Beta(
            what.mean, np.nan_to_num(what.dispersion)
        )  # samples that are all correct, or all incorrect, stay where they are
    means, dispersions = np.asarray(what.mean), np.asarray(what.dispersion)
    clock = _Clock(-745.0, g, estimator, natural)
    each = [_mean_after(m, rho, time, k, clock) for m, rho in zip(means.flat, dispersions.flat, strict=True)]
    return answer(np.reshape(each, means.shape))


class _Clock:
    """The time at which one prompt's flow passes each log-odds x, 0 at p = 1/2: all prompts follow it, each from its x.

    In log-odds neither end of [0, 1] needs care: dt/dx = 1/w if natural, else 1/(w pq) at collision 1. It is expanded
    in Legendre polynomials on unit panels, where 16 of them leave 1e-15, and integrated term by term.
    """

    def __init__(self, lowest: float, g: int, estimator: Estimator, natural: bool) -> None:
        self.edges = np.arange(np.floor(min(lowest, 0.0)), 41.0)  # at x = 40, p is 1
        nodes, _ = roots_legendre(16)
        x = self.edges[:-1] + (1 + nodes[:, None]) / 2
        bends, which = np.unique(np.clip(x, -40, 40), return_inverse=True)  # beyond, the weight is constant
        weight = np.asarray(estimator.weight(expit(bends), g))[which].reshape(x.shape)
        with np.errstate(divide="ignore", over="ignore"):
            pace = np.minimum(1 / (weight if natural else weight * expit(x) * expit(-x)), 1e305)
        self.paces = np.linalg.solve(legendre.legvander(nodes, 15), pace)
        self.times = legendre.legint(self.paces, lbnd=-1, scl=0.5)
        panels, half = np.asarray(legendre.legval(1.0, self.times)), int(-self.edges[0])
        outwards = -np.cumsum(panels[:half][::-1])[::-1], [0.0], np.cumsum(panels[half:])  # from the middle
        self.passed = np.concatenate(outwards)

    def time(self, x: Floats) -> Floats:
        """When the flow passes x."""
        panel = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self.edges) - 2)
        return self._time(panel, 2 * (x - self.edges[panel]) - 1)

    def moved(self, x: Floats, time: float) -> Floats:
        """Where the flow takes each x in a time, or whence it came where that is negative; p = 0 and p = 1 stay."""
        inside = np.isfinite(x)
        when = self.time(np.where(inside, x, 0.0)) + time
        panel = np.clip(np.searchsorted(self.passed, when, side="right") - 1, 0, len(self.edges) - 2)
        u = np.zeros_like(when)
        for _ in range(8):  # Newton's steps; a panel is one bend
            pace = legendre.legval(u, self.paces[:, panel], tensor=False) / 2
            u = np.clip(u + (when - self._time(panel, u)) / pace, -1, 1)
        return np.where(inside, self.edges[panel] + (1 + u) / 2, x)

    def _time(self, panel: NDArray[np.intp], u: Floats) -> Floats:
        return self.passed[panel] + legendre.legval(u, self.times[:, panel], tensor=False)


def _mean_after(mean: float, rho: float, time: float, k: int, clock: _Clock) -> float:
    """E[1 - (1-p)^k] of a Beta population after a time.

    The mean of f(p_T) is the integral of f'(y) P(p_T > y), and p_T is above y where p_0 is above what flows to y. So
    the flow is followed backwards, where it contracts, and no take-off is too sharp for the nodes.
    """
    if rho == 1 or mean in (0, 1):  # always or never solved
        return mean
    if rho == 0:
        return float(Fixed(expit(clock.moved(logit(np.array(mean)), time))).any_correct(k))
    a, b = mean * (1 - rho) / rho, (1 - mean) * (1 - rho) / rho
    quantiles = logit(betaincinv(a, b, expit(np.arange(-36.0, 37.0, 3.0))))  # cuts only: they need no accuracy
    images = np.nan_to_num(clock.moved(quantiles, time))
    cuts = np.unique(np.clip(np.concatenate([np.arange(-40.0, 41.0, 2.0), images]), -40, 40))
    nodes, weights = roots_legendre(16)
    half = np.diff(cuts)[:, None] / 2
    y, share = (cuts[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()
    before = clock.moved(y, -time)
    above = np.where(before < 0, betaincc(a, b, expit(before)), betainc(b, a, expit(-before)))
    return float(share * k * expit(y) * expit(-y) ** k @ above)


def _rewarding(estimator: Estimator, g: int) -> None:
    """An error unless success pays in some group and costs in none, so that no pass rate falls."""
    gain = known(estimator).gain(g)
    if gain.min() < 0 or gain.max() == 0:
        raise ValueError(
            f"estimator must reward success, A+(j+1) >= A-(j), for pass rates to rise, got {estimator.name!r}, whose "
            f"gains at g = {g} lie in [{gain.min():g}, {gain.max():g}]."
        )


def _large_group_clock(estimator: Estimator, natural: bool) -> Callable[[float], float]:
    """An antiderivative of 1 / (dp/dt) at collision 1, where w_g(p) is 1, 1/sqrt(pq) or 1/p."""
    clocks: dict[Estimator, tuple[Callable[[float], float], Callable[[float], float]]] = {
        RLOO: (lambda p: (2 * p - 1) / p / (1 - p) + 2 * logit(p), logit),
        GRPO: (lambda p: 2 * (2 * p - 1) / np.sqrt(p * (1 - p)), lambda p: 2 * np.arcsin(np.sqrt(p))),
        MAXRL: (lambda p: logit(p) + 1 / (1 - p), lambda p: -np.log1p(-p)),
    }
    clocks[DR_GRPO] = clocks[RLOO]
    if known(estimator) not in clocks:
        names = ", ".join(e.name for e in clocks)
        raise ValueError(f"g may be None for {names}, whose limits have closed forms, got {estimator.name}. Name a g.")
    return clocks[estimator][natural]
