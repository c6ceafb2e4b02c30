"""Rank inversion: which of two starts ends higher, and when the difference is more than noise."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from rlsignal import _validate
from rlsignal._validate import Floats

LEAST_LOSS = 0.02
"""A start that was ahead counts as overtaken only if it ends this much lower, in pass rate."""


class Inversions(NamedTuple):
    """Pairs of starts whose order turned.

    inverted : [cells, cells], True at (A, B) where A was ahead before and is behind after.
    share : inverted pairs over all pairs with an order before.
    noise_floor : the largest half-width of a paired difference's 95% interval among those pairs.
    """

    inverted: np.ndarray
    share: float
    noise_floor: float


def inversions(before: ArrayLike, after: ArrayLike, *, least: float = LEAST_LOSS) -> Inversions:
    """Which pairs of starts are inverted (R1): ahead before, behind after by more than noise and by more than `least`.

    Parameters
    ----------
    before : [cells], the starts' pass@1.
    after : [cells, draws], outcomes; every draw of prompts and keys is shared by all cells, so that differences are
        paired. Cells with NaN are left out.
    least : smallest loss that counts, in pass rate.

    Returns
    -------
    Inversions. A share depends on the grid of starts that was asked about, so it is never quoted without it.

    Raises
    ------
    ValueError : shapes that do not match, or fewer than two draws.

    Source: defined in docs/theory.md (R1).

    Examples
    --------
    >>> inversions([0.1, 0.3], [[0.8, 0.9], [0.5, 0.6]]).share
    1.0
    """
    start, outcome = _validate.numbers("before", before), _validate.numbers("after", after)
    if start.ndim != 1 or outcome.ndim != 2 or len(start) != len(outcome) or outcome.shape[1] < 2:
        raise ValueError(
            f"before and after must have shapes [cells] and [cells, draws] with at least 2 draws, got {start.shape} "
            f"and {outcome.shape}. One draw says nothing of the noise."
        )
    loss = outcome[None, :, :] - outcome[:, None, :]  # (A, B): how far B ends above A
    draws = outcome.shape[1]
    noise = stdtrit(draws - 1, 0.975) * loss.std(-1, ddof=1) / np.sqrt(draws)
    with np.errstate(invalid="ignore"):
        ahead = (start[:, None] > start[None, :]) & np.isfinite(noise)
        inverted = ahead & (loss.mean(-1) > np.maximum(noise, least))
    pairs = int(ahead.sum())
    return Inversions(
        inverted,
        float(inverted.sum() / pairs) if pairs else float("nan"),
        float(noise[ahead].max()) if pairs else float("nan"),
    )


def paired_interval(differences: ArrayLike, *, level: float = 0.95) -> tuple[float, float]:
    """Student's interval for the mean of paired differences, one per draw (R2).

    Parameters
    ----------
    differences : [draws], at least 2.
    level : coverage in (0, 1).

    Returns
    -------
    (low, high).

    Raises
    ------
    ValueError : fewer than two differences, level out of range.

    Source: textbook; docs/theory.md (R2).

    Examples
    --------
    >>> low, high = paired_interval([0.1, 0.2, 0.3])
    >>> round(low, 3), round(high, 3)
    (-0.048, 0.448)
    """
    values = _validate.numbers("differences", differences)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"differences must be at least 2 numbers on one axis, got shape {values.shape}.")
    half = stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def variance_explained(outcome: ArrayLike, *predictors: ArrayLike) -> float:
    """R^2 of the least-squares quadratic in the predictors (R3): how much of the outcome they can know at best.

    Parameters
    ----------
    outcome : [cells].
    predictors : each [cells].

    Returns
    -------
    float in [0, 1].

    Raises
    ------
    ValueError : lengths that differ, too few cells, a constant outcome or NaN.

    Source: textbook; docs/theory.md (R3).

    Examples
    --------
    >>> x = np.linspace(-1, 1, 9)
    >>> round(variance_explained(x**2, x), 12)
    1.0
    """
    y = _validate.numbers("outcome", outcome)
    columns: list[Floats] = [np.ones_like(y), *(_validate.numbers("predictors", x) for x in predictors)]
    if any(column.shape != y.shape or y.ndim != 1 for column in columns):
        raise ValueError(f"outcome and predictors must be [cells] alike, got {[c.shape for c in (y, *columns[1:])]}.")
    design = np.stack([a * b for i, a in enumerate(columns) for b in columns[i:]], axis=1)
    if len(y) <= design.shape[1] or not np.all(np.isfinite(design)) or not np.ptp(y) > 0:
        raise ValueError(
            f"outcome must be finite, vary, and have more than {design.shape[1]} cells "
            f"for {len(predictors)} predictors, got {len(y)} cells. Leave NaN out, or add cells."
        )
    residual = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    return float(1 - residual.var() / y.var())
