"""Laws fitted to the curves of a run, with their errors: reward over entropy, and reward over compute."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from rlsignal import _validate
from rlsignal._show import Part, Result, figure
from rlsignal._validate import Floats


@dataclass(frozen=True, repr=False)
class ExponentialFit(Result):
    """R = -a exp(H) + b by least squares (N8).

    a, b : the coefficients.
    residual : root mean square of what is left.
    explained : the share of the variance of R that the law explains.
    """

    a: float
    b: float
    residual: float
    explained: float

    def predict(self, entropy: ArrayLike) -> Floats:
        """The law's reward at these entropies, in nats."""
        return np.asarray(self.b - self.a * np.exp(_validate.numbers("entropy", entropy)))

    def _parts(self) -> Iterator[Part]:
        sign = "-" if self.b < 0 else "+"
        yield f"R = {figure(-self.a)} exp(H) {sign} {figure(abs(self.b))}, explains {self.explained:.1%}"


@dataclass(frozen=True, repr=False)
class SigmoidFit(Result):
    """R = start + (ceiling - start) / (1 + (midpoint / C)^exponent) by least squares, C being compute (N9).

    start : the reward at no compute.
    ceiling, exponent, midpoint : where it ends, how steeply, and the compute of half the gain.
    errors : standard errors of the three, as if residuals were independent; infinite where the run does not fix
        them: it has not reached the midpoint, or is flat.
    residual : root mean square of what is left.
    points : that were fitted.
    """

    start: float
    ceiling: float
    exponent: float
    midpoint: float
    errors: tuple[float, float, float]
    residual: float
    points: int

    def predict(self, compute: ArrayLike) -> Floats:
        """The law's reward at these amounts of compute."""
        c = np.log(_validate.within("compute", compute, 0, np.inf, open_ends=True) / self.midpoint)
        return np.asarray(self.start + (self.ceiling - self.start) * expit(self.exponent * c))

    def _parts(self) -> Iterator[Part]:
        named = zip(("ceiling", "exponent", "midpoint"), (self.ceiling, self.exponent, self.midpoint), strict=True)
        parts = [f"{name} {value:.3g} ± {error:.2g}" for (name, value), error in zip(named, self.errors, strict=True)]
        rest = f"residual {self.residual:.2g}, {self.points} points"
        yield f"sigmoid from {figure(self.start)}: {', '.join(parts)}; {rest}"


def exponential_fit(entropy: ArrayLike, reward: ArrayLike) -> ExponentialFit:
    """The law R = -a exp(H) + b fitted to a run's entropies and rewards (N8).

    A good fit says little: over the middle of a run many falling curves look so. N8 says where the law can hold.

    Parameters
    ----------
    entropy, reward : [rows], in nats and in any units; at least 3.

    Raises
    ------
    ValueError : other shapes, one entropy only, NaN or infinities.

    Source: the law is Cui et al., 2505.22617; what it is along a run, docs/theory.md (N8).

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.inference import exponential_fit
    >>> h = np.array([2.0, 1.5, 1.0])
    >>> print(exponential_fit(h, 0.9 - 0.1 * np.exp(h)))
    R = -0.100 exp(H) + 0.900, explains 100.0%
    """
    h, r = _paired("entropy", entropy, reward, 3)
    if np.ptp(h) == 0:
        raise ValueError(f"entropy must take different values, got {h[0]:g} only. One value fits anything.")
    x = np.exp(h)
    slope = float(((x - x.mean()) * (r - r.mean())).sum() / ((x - x.mean()) ** 2).sum())
    level = float(r.mean() - slope * x.mean())
    left = r - level - slope * x
    total = float(((r - r.mean()) ** 2).mean())
    explained = 1 - float((left**2).mean()) / total if total else float("nan")
    return ExponentialFit(-slope, level, float((left**2).mean() ** 0.5), explained)


def sigmoid_fit(compute: ArrayLike, reward: ArrayLike, *, skip: float = 0.0, start: float | None = None) -> SigmoidFit:
    """A sigmoid in the logarithm of compute, fitted to a run (N9), its early part excluded.

    Parameters
    ----------
    compute, reward : [rows]; compute positive and rising, in any unit.
    skip : rows with less compute than this are left out.
    start : the reward before training; None for that of the first row, which then is not fitted.

    Raises
    ------
    ValueError : other shapes; fewer than 4 rows left; NaN or infinities.

    Source: the use of sigmoids is ScaleRL's, 2510.13786; docs/theory.md (N9).

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.inference import sigmoid_fit
    >>> c = np.arange(1.0, 60)
    >>> print(sigmoid_fit(c, 0.2 + 0.6 / (1 + (10 / c) ** 1.5), skip=5, start=0.2))
    sigmoid from 0.200: ceiling 0.8 ± ..., exponent 1.5 ± ..., midpoint 10 ± ...; residual ..., 55 points
    """
    from scipy.optimize import least_squares

    c, r = _paired("compute", compute, reward, 4)
    _validate.within("compute", c, 0, np.inf, open_ends=True)
    first = (
        float(r[0])
        if start is None
        else _validate.scalar("start", _validate.within("start", start, -np.inf, np.inf, open_ends=True))
    )
    kept = c >= _validate.scalar("skip", _validate.within("skip", skip, 0, np.inf))
    kept &= (np.arange(len(c)) > 0) | (start is not None)
    if kept.sum() < 4:
        raise ValueError(f"skip must leave at least 4 rows, got {kept.sum()} with {skip:g}. Fit a longer run.")
    x, y = np.log(c[kept]), r[kept]
    height = max(float(np.ptp(y)), 1e-12)

    def left(parameters: Floats) -> Floats:
        gain, log_exponent, middle = parameters
        return np.asarray(first + gain * expit(np.exp(log_exponent) * (x - middle)) - y)

    tries = [
        least_squares(left, (gain * (y.max() - first + 1e-12), exponent, middle), x_scale=(height, 1, 1))
        for gain in (1.0, 2.0)
        for exponent in (-0.5, 0.5)
        for middle in (x[0], x.mean(), x[-1])
    ]
    best = min(tries, key=lambda found: found.cost)
    gain, exponent, middle = float(best.x[0]), float(np.exp(best.x[1])), float(np.exp(best.x[2]))
    variance = 2 * best.cost / max(len(y) - 3, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(variance * np.diag(np.linalg.pinv(best.jac.T @ best.jac)))
    fixed = np.linalg.matrix_rank(best.jac) == 3 and middle <= c[-1]  # else less than half of the gain was seen
    errors = (root * np.array([1, exponent, middle])).tolist() if fixed else [float("inf")] * 3
    residual = float(np.sqrt(2 * best.cost / len(y)))
    return SigmoidFit(first, first + gain, exponent, middle, tuple(errors), residual, len(y))


def _paired(name: str, x: ArrayLike, y: ArrayLike, least: int) -> tuple[Floats, Floats]:
    first, second = (
        _validate.within(what, z, -np.inf, np.inf, open_ends=True, way_out="Leave out rows without it.")
        for what, z in ((name, x), ("reward", y))
    )
    if first.ndim != 1 or first.shape != second.shape or len(first) < least:
        raise ValueError(
            f"{name} and reward must be one number for each of at least {least} rows, got shapes {first.shape} and "
            f"{second.shape}. Leave out rows that lack either."
        )
    return first, second
