"""Distributions of K as numbers: products of ratios, so that no digit is lost in rare or large groups."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlsignal import _validate
from rlsignal._validate import Floats

LARGEST_SUMMED = 4096
"""The largest group whose pmf is summed (accuracy 1e-11); closed forms go on to a million rollouts and more."""


def summed_size(g: Any, name: str = "g", smallest: int = 1) -> int:
    """The checked number of rollouts of a sum over K."""
    g = _validate.whole(name, g, smallest)
    return _validate.whole(name, g, smallest, LARGEST_SUMMED, way_out="Sums over K lose accuracy beyond.")


def log_run_factors(x: Floats, y: Floats, rho: Floats, n: int) -> Floats:
    """Logs of P(next rollout the same | i the same so far) for i < n, shape [..., n]; x is the first chance, y = 1 - x.

    Given both x and y so that whichever is small is exact, and each log is taken where it is accurate.
    """
    x, y, rho = x[..., None], y[..., None], rho[..., None]
    i = np.arange(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 - rho + i * rho
        lost = np.where(i == 0, y, y * (1 - rho) / scale)
        kept = np.where(i == 0, x, (x * (1 - rho) + i * rho) / scale)
        return np.where(lost < 0.5, np.log1p(-lost), np.log(kept))


def beta_binomial_pmf(mean: Floats, rho: Floats, g: int) -> Floats:
    """Beta-binomial pmf of K, shape [..., g+1]; binomial at rho = 0, all or nothing at rho = 1."""
    m, all_or_nothing = mean[..., None], rho[..., None] == 1
    rho = np.where(all_or_nothing, 0, rho[..., None])  # its ends have no path of ratios between them
    k = np.arange(g)
    rising = (g - k) * (m * (1 - rho) + k * rho)
    falling = (k + 1) * ((1 - m) * (1 - rho) + (g - 1 - k) * rho)
    ends = np.zeros((*mean.shape, g + 1))
    ends[..., :1], ends[..., -1:] = 1 - m, m
    return np.where(all_or_nothing, ends, _pmf_from_ratios(rising, falling))


def hypergeometric_pmf(c: NDArray[np.int64], n: NDArray[np.int64], g: int) -> Floats:
    """The pmf of K when g of n samples, c of them correct, are drawn without replacement, shape [..., g+1]."""
    c, n = c[..., None].astype(np.float64), n[..., None].astype(np.float64)
    k = np.arange(g)
    return _pmf_from_ratios(np.maximum((c - k) * (g - k), 0), np.maximum((k + 1) * (n - c - g + k + 1), 0))


def _pmf_from_ratios(rising: Floats, falling: Floats) -> Floats:
    """The pmf of K from P(k+1)/P(k) = rising/falling, multiplied outward from the mode and normalised.

    Outward, because products of ratios below one lose no digits; gammaln and betaln lose up to half of them.
    """
    with np.errstate(divide="ignore"):
        steps = np.clip(np.log(rising) - np.log(falling), -1e9, 1e9)  # a ratio of 0 or inf bounds the support
    heights = np.concatenate([np.zeros_like(steps[..., :1]), np.cumsum(steps, -1)], -1)
    above = np.arange(rising.shape[-1]) >= np.argmax(heights, -1)[..., None]
    up = np.divide(rising, falling, out=np.ones_like(rising), where=above & (falling > 0))
    down = np.divide(falling, rising, out=np.ones_like(rising), where=~above & (rising > 0))
    one = np.ones_like(up[..., :1])
    pmf = np.concatenate([one, np.cumprod(up, -1)], -1)
    pmf *= np.concatenate([np.cumprod(down[..., ::-1], -1)[..., ::-1], one], -1)
    return np.asarray(pmf / pmf.sum(-1, keepdims=True))


def all_of_a_kind(kind: NDArray[np.int64], n: NDArray[np.int64], g: int) -> Floats:
    """C(kind, g) / C(n, g): the chance that g of n samples drawn without replacement are all of one kind."""
    i = np.arange(g)
    return np.asarray(np.prod(np.maximum(kind[..., None] - i, 0) / (n[..., None] - i), -1))


def any_of_a_kind(kind: NDArray[np.int64], n: NDArray[np.int64], g: int) -> Floats:
    """1 - C(n - kind, g) / C(n, g): the chance that a kind is among g drawn samples, exact however rare it is."""
    missed = np.minimum(kind[..., None] / (n[..., None] - np.arange(g)), 1)
    return np.asarray(-np.expm1(log1p(-missed).sum(-1)))


def log1p(x: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log1p(x)


def answer(values: Any) -> float | Floats:
    """A float for one number, an array otherwise; never -0."""
    values = np.asarray(values, np.float64) + 0.0
    return float(values) if values.ndim == 0 else values
