"""Gradient noise from gradient norms: what a trainer has to record for the best group size (S8)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._show import Part, Result, figure
from rlsignal._validate import Floats


@dataclass(frozen=True, repr=False)
class GradientNoise(Result):
    """The parts of a batch gradient's squared norm, under RLOO (S8). Squared gradient units.

    slope_squared : |G|^2 of the mean gradient.
    between : tau^2, variance of the gradients between prompts.
    oracle : o, noise of one rollout beside the true baseline; mean over prompts.
    baseline : c, what finding the baseline adds, times g-1; mean over prompts.
    errors : standard errors of these four, from their standard deviation over steps; nan from one step.
    """

    slope_squared: float
    between: float
    oracle: float
    baseline: float
    errors: tuple[float, float, float, float]

    @property
    def best_group_size(self) -> float:
        """The group size of least noise at fixed rollouts (S4); nan unless both of its parts are positive."""
        if not (self.between > 0 and self.baseline > 0):
            return float("nan")
        return float(max(2, ceil((1 + sqrt(1 + 4 * self.baseline / self.between)) / 2)))

    def squared_norm(self, prompts: int, g: int) -> float:
        """E |gradient|^2 of a batch of so many prompts and rollouts of each."""
        return float(_design([(prompts, g)])[0] @ [self.slope_squared, self.between, self.oracle, self.baseline])

    def critical_prompts(self, g: int) -> float:
        """Prompts at which the noise of a batch is as large as its signal; nan without a sign of a signal."""
        noise = self.squared_norm(1, _validate.group_size(g)) - self.slope_squared
        return noise / self.slope_squared if self.slope_squared > 0 else float("nan")

    def _parts(self) -> Iterator[Part]:
        values = self.slope_squared, self.between, self.oracle, self.baseline
        names = "slope squared", "between prompts", "oracle noise", "baseline noise"
        parts = (f"{n} {figure(x)} ± {figure(e)}" for n, x, e in zip(names, values, self.errors, strict=True))
        yield f"{', '.join(parts)}; least noise at g = {self.best_group_size:g}."


def gradient_noise(norms: Mapping[tuple[int, int], ArrayLike]) -> GradientNoise:
    """|G|^2, tau^2, o and c from squared gradient norms of batches of at least four shapes (S8).

    E|G^|^2 = |G|^2 + (1/P) [tau^2 + o/g + c/(g(g-1))] is linear in the four. One batch of P prompts x g rollouts holds
    four shapes: all of it, half of its prompts, half of each group, a quarter of each group.

    Parameters
    ----------
    norms : (prompts, g) -> squared norms of RLOO gradients of batches of that shape, one for each step [steps], or one
        number. Of several sub-batches of a step, their mean.

    Returns
    -------
    GradientNoise. Parts may come out negative where they are small against their errors.

    Raises
    ------
    ValueError : fewer than four shapes, shapes that do not determine the four parts, different numbers of steps.

    Source: derived in docs/theory.md (S8).

    Examples
    --------
    >>> from rlsignal.inference import gradient_noise
    >>> from rlsignal.inference.noise import GradientNoise
    >>> truth = GradientNoise(0.04, 0.5, 3.0, 12.0, (0.0,) * 4)
    >>> shapes = [(64, 16), (32, 16), (64, 8), (64, 4)]
    >>> found = gradient_noise({shape: truth.squared_norm(*shape) for shape in shapes})
    >>> round(found.between, 6), round(found.baseline, 6), found.best_group_size
    (0.5, 12.0, 6.0)
    """
    if not isinstance(norms, Mapping) or not all(isinstance(shape, tuple) and len(shape) == 2 for shape in norms):
        raise ValueError(
            f"norms must be a mapping of (prompts, g) to squared norms, got {_validate.shown(norms)}. Give them as "
            "{(64, 8): [0.1, 0.2]}."
        )
    shapes = [(_validate.whole("prompts", p, 1), _validate.group_size(g)) for p, g in norms]
    rows = [np.atleast_1d(_validate.within("norms", x, 0, np.inf)) for x in norms.values()]
    steps = {row.shape for row in rows}
    if rows and (len(steps) != 1 or rows[0].ndim != 1):
        raise ValueError(
            f"norms must have one value for each step [steps], the same steps for all, got {sorted(steps)}."
        )
    if len(shapes) < 4 or np.linalg.matrix_rank(design := _design(shapes)) < 4:
        raise ValueError(
            f"norms must be of shapes that determine four parts, got {shapes}. Take (P, g), (P/2, g), (P, g/2) and "
            "(P, g/4)."
        )
    each = np.linalg.pinv(design) @ np.stack(rows)  # [4, steps]; linear, so the mean is that of the mean norms
    count = each.shape[1]
    error = each.std(1, ddof=1) / np.sqrt(count) if count > 1 else np.full(4, np.nan)
    slope, between, oracle, baseline = (float(x) for x in each.mean(1))
    first, second, third, fourth = (float(x) for x in error)
    return GradientNoise(slope, between, oracle, baseline, (first, second, third, fourth))


def _design(shapes: list[tuple[int, int]]) -> Floats:
    return np.array([[1, 1 / p, 1 / (p * g), 1 / (p * g * (g - 1))] for p, g in shapes])
