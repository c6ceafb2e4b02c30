"""Rank inversion: which of two starts ends higher, and when the difference is more than noise."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import permutations
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, owens_t, stdtr, stdtrit

from rlsignal import _validate
from rlsignal._show import Part, Result, signed_figure
from rlsignal._validate import Floats
from rlsignal.inference.intervals import Estimate

Orders = NDArray[np.int64]
"""[n, n], the sign of each difference: who is ahead of whom."""

LEAST_LOSS = 0.02
"""A start that was ahead counts as overtaken only if it ends this much lower, in pass rate."""

MOST_ENUMERATED = 8
"""Up to so many units a p-value counts every order (40,320 of 8); beyond, it is an approximation."""


@dataclass(frozen=True, eq=False, repr=False)
class Inversions(Result):
    """Pairs of starts whose order turned.

    inverted : [cells, cells], True at (A, B) where A was ahead before and is behind after.
    share : inverted pairs over all pairs with an order before.
    noise_floor : the largest half-width of a paired difference's 95% interval among those pairs.
    """

    inverted: np.ndarray
    share: float
    noise_floor: float

    def _parts(self) -> Iterable[Part]:
        yield f"{self.share:.0%} of the pairs inverted; outcomes within {self.noise_floor:.3f} may be noise"


def inversions(before: ArrayLike, after: ArrayLike, *, least: float = LEAST_LOSS) -> Inversions:
    """Which pairs of starts are inverted (R1): ahead before, behind after by more than noise and by more than `least`.

    Parameters
    ----------
    before : [cells], the starts' pass@1.
    after : [cells, draws], outcomes; every draw of prompts and keys is shared by all cells, so that differences are
        paired. Cells with NaN are left out.
    least : smallest loss that counts, in pass rate, at least 0.

    Returns
    -------
    Inversions. A share depends on the grid of starts that was asked about, so it is never quoted without it.

    Raises
    ------
    ValueError : shapes that do not match, fewer than two draws, `least` not one number in [0, 1].

    Source: defined in docs/theory.md (R1).

    Examples
    --------
    >>> from rlsignal.inference import inversions
    >>> print(inversions([0.1, 0.3], [[0.8, 0.9], [0.5, 0.6]]))
    100% of the pairs inverted; outcomes within 0.000 may be noise
    """
    start, outcome = _validate.numbers("before", before), _validate.numbers("after", after)
    if start.ndim != 1 or outcome.ndim != 2 or len(start) != len(outcome) or outcome.shape[1] < 2:
        raise ValueError(
            f"before and after must have shapes [cells] and [cells, draws] with at least 2 draws, got {start.shape} "
            f"and {outcome.shape}. One draw does not show the noise."
        )
    least = _validate.scalar("least", _validate.probability("least", least))
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


@dataclass(frozen=True, repr=False)
class RankCorrelation(Result):
    """How far two orders agree, and how often chance alone would make them agree or disagree as much.

    spearman, kendall : rho and tau-b, in [-1, 1]; nan where one side is constant.
    spearman_p, kendall_p : two-sided p-values; nan with them.
    inverted : share of the pairs with an order in the predictor that have the opposite one in the outcome.
    units : what was ranked: entries, or clusters.
    exact : whether the p-values count every order of the units.
    """

    spearman: float
    spearman_p: float
    kendall: float
    kendall_p: float
    inverted: float
    units: int
    exact: bool

    def _parts(self) -> Iterable[Part]:
        yield (
            f"Spearman {signed_figure(self.spearman, 2)} (p = {self.spearman_p:.2g}), Kendall "
            f"{signed_figure(self.kendall, 2)} (p = {self.kendall_p:.2g}), {self.inverted:.0%} of the pairs inverted; "
            f"{self.units} units, {'exact' if self.exact else 'approximate'}"
        )


def rank_correlation(predictor: ArrayLike, outcome: ArrayLike, *, clusters: ArrayLike | None = None) -> RankCorrelation:
    """Spearman's rho and Kendall's tau-b (R4), with p-values that hold for a handful of checkpoints (R5).

    Parameters
    ----------
    predictor, outcome : [units] alike, such as pass@1 before RL and pass@10 after it. Ties are allowed.
    clusters : [units], one label per entry, when entries are not independent: three seeds of five depths are five
        clusters. Each cluster counts once, by its means (R6).

    Returns
    -------
    RankCorrelation. No p-value of n units is below 2/n!.

    Raises
    ------
    ValueError : lengths that differ, NaN or infinities, fewer than two units or clusters.

    Notes
    -----
    Up to 8 units all orders of the outcome are counted, ties included. Beyond, Student's t with n-2 degrees of
    freedom stands for rho, and for tau-b a normal with the exact variance and a correction for continuity.

    Source: textbook; docs/theory.md (R4, R5, R6).

    Examples
    --------
    >>> from rlsignal.inference import rank_correlation
    >>> print(rank_correlation([1, 2, 3, 4, 5], [0.5, 0.7, 0.6, 0.3, 0.2]))
    Spearman -0.70 (p = 0.23), Kendall -0.60 (p = 0.23), 80% of the pairs inverted; 5 units, exact
    """
    x, y = (
        _validate.within(name, value, -np.inf, np.inf, open_ends=True, way_out="Leave units without a number out.")
        for name, value in (("predictor", predictor), ("outcome", outcome))
    )
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"predictor and outcome must be [units] alike, got shapes {x.shape} and {y.shape}.")
    if clusters is not None:
        x, y = _cluster_means(x, clusters), _cluster_means(y, clusters)
    n = len(x)
    if n < 2:
        raise ValueError(f"predictor must have at least 2 units, got {n}. One alone has no order.")
    a, b = (np.sign(v[:, None] - v).astype(np.int64) for v in (x, y))  # [n, n]: who is ahead of whom
    exact = n <= MOST_ENUMERATED
    with np.errstate(invalid="ignore", divide="ignore"):
        rho, tau = _cosine(a.sum(1), b.sum(1)), _cosine(a, b)
        chances = _enumerated(a, b) if exact else _approximated(a, b, rho)
        rho_p, tau_p = chances if np.isfinite(rho) else (np.nan, np.nan)
        inverted = np.float64((a * b < 0).sum()) / (a * a).sum()
    return RankCorrelation(float(rho), float(rho_p), float(tau), float(tau_p), float(inverted), n, exact)


def paired_estimate(differences: ArrayLike, *, level: float = 0.95) -> Estimate:
    """The mean of paired differences, one per draw, with Student's interval (R2).

    Parameters
    ----------
    differences : [draws], at least 2.
    level : coverage in (0, 1).

    Returns
    -------
    Estimate.

    Raises
    ------
    ValueError : fewer than two differences, level out of range.

    Source: textbook; docs/theory.md (R2).

    Examples
    --------
    >>> from rlsignal.inference import paired_estimate
    >>> print(paired_estimate([0.1, 0.2, 0.3]))
    0.200 [-0.048, 0.448]
    """
    values = _validate.numbers("differences", differences)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(f"differences must be at least 2 numbers on one axis, got shape {values.shape}.")
    mean, error = float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
    half = float(stdtrit(len(values) - 1, (1 + level) / 2)) * error
    return Estimate(mean, mean - half, mean + half, "paired", "", error)


def disagreement_probability(first: ArrayLike, second: ArrayLike) -> float:
    """The probability that two scores order a pair of checkpoints differently (R7).

    Parameters
    ----------
    first, second : [prompts], at least 2: on each prompt the difference of two checkpoints by one score and by another,
        such as c/n and the informative fraction of `per_prompt_estimate`.

    Returns
    -------
    float in [0, 1]: the chance that the two mean differences have opposite signs, given the noise of
        these prompts. Near 0 the scores agree, near 1 they disagree, near 1/2 the data does not decide.

    Raises
    ------
    ValueError : lengths that differ, fewer than two prompts.

    Source: derived in docs/theory.md (R7).

    Examples
    --------
    One checkpoint is ahead on every prompt by the first score, and as clearly behind by the second:

    >>> import numpy as np
    >>> from rlsignal.inference import disagreement_probability
    >>> ahead = np.array([0.1, 0.2, 0.3, 0.2, 0.1, 0.2])
    >>> round(disagreement_probability(ahead, -ahead), 3), round(disagreement_probability(ahead, ahead), 3)
    (1.0, 0.0)
    """
    x, y = (_validate.numbers(name, value) for name, value in (("first", first), ("second", second)))
    if x.ndim != 1 or x.shape != y.shape or len(x) < 2:
        raise ValueError(f"first and second must be [prompts] with at least 2, got shapes {x.shape} and {y.shape}.")
    (a, b), noise = (x.mean(), y.mean()), np.cov(x, y) / len(x)
    certain = noise.diagonal() <= 1e-24 * np.maximum(np.square([x, y]).mean(1), 1)  # all alike, but for rounding
    if certain.any():
        signs = [
            np.heaviside(mean if abs(mean) > 1e-12 else 0.0, 0.5) if known else ndtr(mean / np.sqrt(variance))
            for mean, variance, known in zip((a, b), noise.diagonal(), certain, strict=True)
        ]
        return float(signs[0] * (1 - signs[1]) + (1 - signs[0]) * signs[1])
    h, k = a / np.sqrt(noise[0, 0]), b / np.sqrt(noise[1, 1])
    r = float(np.clip(noise[0, 1] / np.sqrt(noise[0, 0] * noise[1, 1]), -1, 1))
    return float(np.clip(_opposite(h, k, r), 0, 1))


def _opposite(h: float, k: float, r: float) -> float:
    """P(X and Y have opposite signs), X ~ N(h, 1) and Y ~ N(k, 1) with correlation r, by Owen's T (R7)."""
    if r > 1 - 1e-12:  # Y - k is X - h
        return float(abs(ndtr(h) - ndtr(k)))
    if r < -1 + 1e-12:  # its negative
        return float(1 - abs(ndtr(h) - ndtr(-k)))
    root = np.sqrt(1 - r * r)
    h, k = (x if x else 1e-150 for x in (h, k))  # T is continuous there; only the ratio needs care
    apart = h * k < 0
    return 2 * float(owens_t(h, (k / h - r) / root) + owens_t(k, (h / k - r) / root)) + float(apart)


def variance_explained(outcome: ArrayLike, *predictors: ArrayLike) -> float:
    """R^2 of the least-squares quadratic in the predictors (R3): how much of the outcome they can explain at best.

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
    >>> import numpy as np
    >>> from rlsignal.inference import variance_explained
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


def _cluster_means(values: Floats, clusters: ArrayLike) -> Floats:
    """One mean per cluster, in units of the largest and without its last digits, so that rounding breaks no ties."""
    labels = np.asarray(clusters)
    if labels.shape != values.shape:
        raise ValueError(f"clusters must be one label per unit [{len(values)}], got shape {labels.shape}.")
    _, which, size = np.unique(labels, return_inverse=True, return_counts=True)
    means: Floats = np.bincount(which, values) / size
    scale = float(np.abs(means).max(initial=0)) or 1.0
    return np.asarray(np.round(means / scale, 12), np.float64)


def _cosine(a: Orders, b: Orders) -> np.float64:
    """Of the orders themselves it is tau-b; of their row sums, twice the ranks less n + 1, it is Spearman's rho."""
    return np.float64(float((a * b).sum()) / np.sqrt(float((a * a).sum()) * float((b * b).sum())))


def _enumerated(a: Orders, b: Orders) -> tuple[float, float]:
    """The share of all orders of the outcome, the given one first, that agree or disagree as much: rho's, tau's."""
    orders = np.array(list(permutations(range(len(a)))))
    for_rho = np.abs(b.sum(1)[orders] @ a.sum(1))
    for_tau = np.abs((a * b[orders[:, :, None], orders[:, None, :]]).sum((1, 2)))
    return float(np.mean(for_rho >= for_rho[0])), float(np.mean(for_tau >= for_tau[0]))


def _approximated(a: Orders, b: Orders, rho: np.float64) -> tuple[float, float]:
    """The same by Student's t for rho, and for tau by a normal with the exact variance of its numerator."""
    n = len(a)
    t = rho * np.sqrt((n - 2) / np.maximum(1 - rho**2, 0))
    (pairs_a, chains_a), (pairs_b, chains_b) = (
        (float((s * s).sum()), float((s.sum(1) ** 2).sum() - (s * s).sum())) for s in (a, b)
    )
    variance = 4 * chains_a * chains_b / (n * (n - 1) * (n - 2)) + 2 * pairs_a * pairs_b / (n * (n - 1))
    z = max(abs(int((a * b).sum())) - 2, 0) / np.sqrt(variance)  # it moves in steps of 4: half of one for continuity
    least = 2 / factorial(n)
    return max(2 * float(stdtr(n - 2, -abs(t))), least), max(2 * float(ndtr(-z)), least)
