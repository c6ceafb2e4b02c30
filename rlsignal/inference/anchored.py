"""The pass rates behind counts where no Beta fits: a likeliest distribution on a grid, anchored in the fitted Beta."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.inference.population import BetaEstimate, beta_estimate
from rlsignal.theory.distributions import Fixed, Mixture
from rlsignal.theory.pmf import LARGEST_SUMMED
from rlsignal.theory.recorded import Recorded, recorded

POINTS = 201
STRENGTH = 0.05
"""The anchor counts as so many prompts for each prompt; chosen by the simulation in docs/theory.md (I11)."""

SWEEPS = 400


def anchored_estimate(data: Recorded, fit: BetaEstimate | None = None, *, strength: float = STRENGTH) -> Mixture:
    """The pass rates of greatest likelihood on a grid, anchored in the fitted Beta (I11).

    Maximised is sum_c h_c log sum_j w_j P(c | p_j) + strength M sum_j b_j log w_j: the first term alone, the NPMLE,
    says whatever the counts allow beyond the samples; b are the fitted Beta's masses on the grid, which decide what the
    counts leave open.

    Parameters
    ----------
    data : the samples; their number may differ between prompts.
    fit : the Beta of the same data, where it is at hand.
    strength : lambda over the number M of prompts, above 0.

    Returns
    -------
    Mixture of 201 pass rates.

    Raises
    ------
    ValueError : as `beta_estimate`; a strength that is not above 0.

    Source: derived and simulated in docs/theory.md (I11).

    Examples
    --------
    Half of the prompts impossible, half even, which no Beta is:

    >>> import numpy as np
    >>> from rlsignal import Recorded, degenerate_probability
    >>> from rlsignal.inference import anchored_estimate, beta_estimate
    >>> rng = np.random.default_rng(0)
    >>> data = Recorded(rng.binomial(8, np.repeat([0.0, 0.5], 200)), 8)
    >>> beta, anchored = beta_estimate(data).distribution, anchored_estimate(data)
    >>> [round(degenerate_probability(p, 32), 2) for p in (beta, anchored)]
    [0.31, 0.43]
    """
    grid = _grid()
    data, strength = recorded("data", data), _validate.scalar("strength", _validate.single("strength", strength))
    if not isinstance(fit, BetaEstimate | None):
        raise ValueError(f"fit must be a BetaEstimate, got {_validate.shown(fit)}. Leave it out, or fit beta_estimate.")
    weights = anchored_weights(data, fit if fit is not None else beta_estimate(data), strength)
    return Mixture([Fixed(p) for p in grid], weights / weights.sum())


def anchored_value(statistic: Any, g: int, weights: Floats) -> float:
    """A group statistic of the distribution that `anchored_weights` found."""
    return float(weights @ np.asarray(statistic(Fixed(_grid()), g)))


def anchored_posterior(function: Callable[[Fixed], Floats], data: Recorded, weights: Floats) -> Floats:
    """For each prompt the mean of a function of its pass rate, given its samples and the fitted weights: [prompts]."""
    chances, _, which = _chances(data)
    return np.asarray(((chances * weights) @ function(Fixed(_grid())) / (chances @ weights))[which])


def anchored_weights(data: Recorded, fit: BetaEstimate, strength: float = STRENGTH) -> Floats:
    """The weights of the grid's pass rates, by expectation and maximisation."""
    anchor, (chances, prompts, _) = _masses(fit), _chances(data)
    total, weights = prompts.sum(), anchor + 1e-12
    for _ in range(SWEEPS):
        counted = (prompts / (chances @ weights)) @ chances * weights
        weights = (counted / total + strength * anchor) / (1 + strength)
    return np.asarray(weights / weights.sum())


@lru_cache(maxsize=1)
def _grid() -> Floats:
    return np.asarray(np.sin(np.linspace(0, np.pi / 2, POINTS)) ** 2)


def _masses(fit: BetaEstimate) -> Floats:
    """The Beta's masses between the middles of the grid."""
    grid = _grid()
    edges = (grid[1:] + grid[:-1]) / 2
    rho = float(np.clip(fit.dispersion, 1e-4, 1 - 1e-9))
    size = (1 - rho) / rho
    below = betainc(max(fit.mean * size, 1e-12), max((1 - fit.mean) * size, 1e-12), edges)
    return np.asarray(np.diff(np.concatenate([[0.0], below, [1.0]])))


def _chances(data: Recorded) -> tuple[Floats, Floats, NDArray[np.intp]]:
    """P(c | p_j) of each kind of prompt (c, n), how many there are of it, and which kind each prompt is."""
    c, n = np.asarray(data.correct), np.asarray(data.samples)
    long = n > LARGEST_SUMMED
    c, n = np.where(long, np.rint(c / n * LARGEST_SUMMED).astype(np.int64), c), np.minimum(n, LARGEST_SUMMED)
    kinds, which, prompts = np.unique(np.stack([c, n], 1), axis=0, return_inverse=True, return_counts=True)
    rows = {int(size): Fixed(_grid()).pmf(int(size)) for size in np.unique(n)}
    chances = np.stack([rows[int(size)][:, count] for count, size in kinds])
    return chances, prompts.astype(np.float64), which.reshape(-1)
