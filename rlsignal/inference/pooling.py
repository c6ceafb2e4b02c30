"""Two visits of the same prompts: may their samples be pooled, or has the policy moved in between?"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc, ndtr

from rlsignal._show import Part, Result, signed_figure
from rlsignal.theory.recorded import Recorded, recorded


@dataclass(frozen=True, repr=False)
class Exchangeability(Result):
    """Whether two visits of the same prompts look like one policy (I4).

    shift : mean of c2/n2 - c1/n1 over prompts.
    shift_p : p-value of no shift, two-sided.
    variance_ratio : squared differences of prompts over what chance explains; 1 for one policy.
    variance_p : p-value of differences no larger than chance, one-sided.
    p_value : of both together, twice the smaller one. Small: do not pool.
    """

    shift: float
    shift_p: float
    variance_ratio: float
    variance_p: float
    p_value: float

    def _parts(self) -> Iterable[Part]:
        yield (
            f"shift {signed_figure(self.shift)} (p = {self.shift_p:.2g}), differences {self.variance_ratio:.2f} times "
            f"what chance explains (p = {self.variance_p:.2g}); together p = {self.p_value:.2g}"
        )


def exchangeability(first: Recorded, second: Recorded) -> Exchangeability:
    """May the samples of two visits be pooled, or has the policy moved in between? (I4)

    Under one policy, the c = c1 + c2 correct ones of a prompt fall on its n1 + n2 samples in any order, so c1 is
    hypergeometric given c, whatever the pass rates. Two things can differ: all prompts move together (shift), or some
    rise and others fall (variance ratio).

    Parameters
    ----------
    first, second : the same prompts in the same order.

    Returns
    -------
    Exchangeability. With one sample per visit the variance ratio is unknown, and without a prompt that varies so is
    the shift: their p-values are 1 then.

    Raises
    ------
    ValueError : different numbers of prompts.

    Source: derived in docs/theory.md (I4).

    Examples
    --------
    >>> from rlsignal import Recorded
    >>> from rlsignal.inference import exchangeability
    >>> before, after = Recorded([0, 4, 8] * 8, 8), Recorded([1, 5, 8] * 8, 8)
    >>> round(exchangeability(before, after).p_value, 3), exchangeability(before, before).p_value
    (0.026, 1.0)
    """
    first = recorded("first", first)
    second = recorded("second", second)
    (c1, n1), (c2, n2) = ((np.asarray(x.correct), np.asarray(x.samples)) for x in (first, second))
    if len(c1) != len(c2):
        raise ValueError(f"first and second must have the same prompts, got {len(c1)} and {len(c2)} of them.")
    gaps = c2 / n2 - c1 / n1
    chance, surplus, noise, skew = 0.0, 0.0, 0.0, 0.0
    for c, n, drawn in np.unique(np.stack([c1 + c2, n1 + n2, n1], 1), axis=0):
        here = (c1 + c2 == c) & (n1 + n2 == n) & (n1 == drawn)
        pmf, k = Recorded([c], [n]).pmf(int(drawn)), np.arange(drawn + 1)
        squares = ((c - k) / (n - drawn) - k / drawn) ** 2
        expected = float(pmf @ squares)
        chance += here.sum() * expected
        surplus += float((gaps[here] ** 2 - expected).sum())
        noise += here.sum() * float(pmf @ (squares - expected) ** 2)
        skew += here.sum() * float(pmf @ (squares - expected) ** 3)
    shift_p = float(2 * ndtr(-abs(gaps.sum()) / chance**0.5)) if chance else 1.0
    variance_p = _upper_tail(surplus, noise, skew) if noise > 1e-20 * len(gaps) else 1.0
    variance_ratio = float(1 + surplus / chance) if chance else float("nan")
    return Exchangeability(
        float(gaps.mean()), shift_p, variance_ratio, variance_p, min(1.0, 2 * min(shift_p, variance_p))
    )


def _upper_tail(surplus: float, variance: float, third: float) -> float:
    """Chance of more, for a sum of mean 0 with these central moments: a shifted gamma's, a normal's without skew.

    Squares are skewed, and a normal would reject too often.
    """
    z = surplus / variance**0.5
    if third < 1e-6 * variance**1.5:
        return float(ndtr(-z))
    shape = 4 * variance**3 / third**2
    return float(gammaincc(shape, max(shape + z * shape**0.5, 0.0)))
