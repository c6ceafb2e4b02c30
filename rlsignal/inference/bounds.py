"""What samples say of larger groups without assuming a shape of the pass rates: bounds by linear programming."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.inference.intervals import (
    Estimate,
    Statistic,
    bounded_interval,
    cluster_labels,
    clustered,
    common_samples,
    effective_trials,
    group_table,
)
from rlsignal.inference.population import beta_estimate
from rlsignal.theory.distributions import Beta, Fixed
from rlsignal.theory.pmf import LARGEST_SUMMED
from rlsignal.theory.recorded import Recorded, recorded

LARGEST_PRICED = 128
"""More samples of a prompt are thinned to so many: what they would add is less than the programme's size costs."""


def group_bounds(
    statistic: Statistic,
    p: Recorded | Beta,
    g: int,
    *,
    samples: int = 0,
    clusters: ArrayLike | None = None,
    level: float = 0.95,
) -> Estimate:
    """Bounds of a group statistic beyond the samples, g > n, for pass rates of any distribution at all (I8).

    n samples per prompt show the distribution of pass rates through n+1 chances only, those of c = 0..n correct ones.
    Every distribution with these chances is possible, and the statistic is linear in it, so its extremes are linear
    programmes.

    Parameters
    ----------
    statistic : a public function (p, g), such as degenerate_probability.
    p : recorded counts, whose sampling noise is added; or a Beta, seen through `samples` samples of infinitely many
        prompts. Of recorded counts n is the number of samples that at least half of the prompts have; longer prompts
        are thinned to it, shorter ones count in the fit that the search begins with.
    g : group size, at most 4096.
    samples : n, for a Beta.
    clusters : [prompts], as for `group_estimate`.
    level : coverage of the noise of recorded counts; approximate, as the counts also choose what they bound.

    Returns
    -------
    Estimate without a value: every number in [low, high] is possible. At g <= n that is an interval around the
    unbiased estimate; the further g is beyond n, the more of its width is ignorance that no number of prompts cures.

    Raises
    ------
    ValueError : g or level out of range; one prompt or cluster; labels that do not match the prompts.

    Notes
    -----
    Where all samples are correct or all incorrect, the bounds hold every distribution of pass rates that shows this
    with a chance of at least (1 - level)/2.

    Source: derived in docs/theory.md (I8).

    Examples
    --------
    >>> from rlsignal import Beta
    >>> from rlsignal.inference import group_bounds
    >>> from rlsignal import degenerate_probability
    >>> found = group_bounds(degenerate_probability, Beta(0.2, 1/3), 16, samples=8)
    >>> round(found.low, 4), round(found.high, 4)
    (0.362, 0.3636)
    """
    if not isinstance(p, Beta):
        p = recorded("p", p)
    table = group_table(statistic, g)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    if isinstance(p, Recorded):
        n = min(common_samples(p), LARGEST_PRICED)
        enough = np.asarray(p.samples) >= n
        seen = Recorded(np.asarray(p.correct)[enough], np.asarray(p.samples)[enough])
        labels = None if clusters is None else cluster_labels(clusters, len(enough))[enough]
        units, _ = clustered(np.ones(int(enough.sum())), labels)
        if units < 2:
            raise ValueError(f"p must hold at least 2 prompts or clusters for bounds, got {units:.3g}.")
        rate = np.asarray(seen.correct).sum() / np.asarray(seen.samples).sum()
        if rate in (0, 1):
            low, high = _if_all_alike(statistic, g, n, units, float(rate), level)
            return Estimate(float("nan"), low, high, "bounds")
        counts = seen.each(n)  # of the unbiased pmf of c in n samples; 0 and 1 where a prompt has n
        target = beta_estimate(p).distribution.pmf(n) if n > 1 else counts.mean(0)
        loose = np.sqrt(target * (1 - target) / units)
    else:
        n = _validate.whole("samples", samples, 1, LARGEST_SUMMED)
        counts, target, loose, labels = None, p.pmf(n), np.zeros(n + 1), None
    ends = []
    for sign in (-1, 1):
        prices, slack = _prices(statistic, sign, g, target, loose)
        dearest = float(target @ prices) if counts is None else _upper_end(counts @ prices, prices, level, labels)
        ends.append(dearest + slack)
    low, high = np.clip([-ends[0], ends[1]], table.min(), table.max())
    return Estimate(float("nan"), float(low), float(high), "bounds")


def _prices(statistic: Statistic, sign: int, g: int, target: Floats, loose: Floats) -> tuple[Floats, float]:
    """Prices of c = 0..n, and a slack, with worth(p) <= prices . P(c | p) + slack at every p; worth: sign * statistic.

    Averaged over any distribution of p, this bounds the worth by the mean price of its counts: weak duality. Prices are
    best where they are the dual solution of: most worth, of a distribution on a grid whose chances of c are within
    `loose` of `target`. The slack is read off a grid eight times finer, so that the solver cannot spoil the bound, and
    the grid only by what is left between its points, of second order in their distance.
    """
    from scipy.optimize import linprog

    def worth(p: Floats) -> Floats:
        return sign * np.asarray(statistic(Fixed(p), g))

    n = len(target) - 1
    grid, fine = _grid(n, g), _grid(n, g, finer=8)
    chances = Fixed(grid).pmf(n).T
    solved = linprog(
        -worth(grid),
        A_ub=np.vstack([chances, -chances]),
        b_ub=np.concatenate([target + loose, loose - target]),
        A_eq=np.ones((1, len(grid))),
        b_eq=[1.0],
    )
    upper, lower = np.split(solved.ineqlin.marginals, 2) if solved.status == 0 else np.zeros((2, n + 1))
    prices = lower - upper
    return prices, float(np.max(worth(fine) - Fixed(fine).pmf(n) @ prices))


def _grid(n: int, g: int, finer: int = 1) -> Floats:
    """Pass rates sin^2 t at equal steps of t, in which a pmf of g rollouts is about 1/sqrt(g) wide at any p.

    Prices on the counts of n samples may turn n times, so that many steps are the least.
    """
    steps = max(8 * n, 128, int(64 * g**0.5))
    return np.asarray(np.sin(np.linspace(0, np.pi / 2, finer * steps + 1)) ** 2)


def _if_all_alike(statistic: Statistic, g: int, n: int, units: float, rate: float, level: float) -> tuple[float, float]:
    """Where no sample differs: the extremes over all pass rates that show this at least once in 2/(1 - level) times."""
    from scipy.optimize import linprog

    grid = _grid(n, g, finer=2)
    worth, alike = np.asarray(statistic(Fixed(grid), g)), (grid if rate else 1 - grid) ** n
    likely = ((1 - level) / 2) ** (1 / units)
    ends = [
        sign * linprog(sign * worth, A_ub=-alike[None], b_ub=[-likely], A_eq=np.ones((1, len(grid))), b_eq=[1.0]).fun
        for sign in (1, -1)
    ]
    table = group_table(statistic, g)
    return float(max(ends[0], table.min())), float(min(ends[1], table.max()))


def _upper_end(paid: Floats, prices: Floats, level: float, labels: ArrayLike | None) -> float:
    """Upper end of the interval for the mean price, prompts or clusters being the units."""
    bounds, mean = (float(prices.min()), float(prices.max())), float(paid.mean())
    units, sums = clustered(paid - mean, labels)
    squared_error = units / (units - 1) * float(sums @ sums) / len(paid) ** 2
    trials = effective_trials(mean, squared_error, bounds, units)
    return float(bounded_interval(mean, trials, bounds, float(stdtrit(units - 1, (1 + level) / 2)))[1])
