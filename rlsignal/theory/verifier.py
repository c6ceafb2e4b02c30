"""What a faulty verifier does: the pass rate that it reports, and how little of the signal is behind it."""

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.passrates import answer


def verdict_rate(p: ArrayLike, *, false_negatives: float, false_positives: float) -> float | Floats:
    """The pass rate that a faulty verifier reports (S7): p~ = (1 - FN) p + FP (1-p).

    Give it to any function of this library for what a log will show; `verdict_efficiency` says what it is worth.

    Parameters
    ----------
    p : true pass rate(s) in [0, 1].
    false_negatives, false_positives : chances that a right response is failed, and a wrong one passed; together at
        most 1.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : out of range; rates that add up to more than 1, with which verdicts mean their opposite.

    Source: derived in docs/theory.md (S7).

    Examples
    --------
    A third of the dead groups turn mixed, and not because anything was learned:

    >>> p = verdict_rate(0.02, false_negatives=0.1, false_positives=0.05)
    >>> round(degenerate_probability(0.02, 8), 2), round(degenerate_probability(p, 8), 2)
    (0.85, 0.57)
    """
    p = _validate.probability("p", p)
    negatives, positives = _faults(false_negatives, false_positives)
    return answer((1 - negatives) * p + positives * (1 - p))


def verdict_efficiency(p: ArrayLike, *, false_negatives: float, false_positives: float) -> float | Floats:
    """Signal-to-noise ratio, squared, that a faulty verifier leaves where noise dominates (S7): J^2 pq / (p~ q~).

    J = 1 - FN - FP is what is left of grad p. The product is the squared correlation of verdict and truth: the share
    of the rollouts that is still worth something.

    Parameters
    ----------
    p : true pass rate(s) in (0, 1).
    false_negatives, false_positives : as `verdict_rate`.

    Returns
    -------
    float in [0, 1], or an array of p's shape.

    Raises
    ------
    ValueError : p outside (0, 1), else as `verdict_rate`.

    Source: derived in docs/theory.md (S7).

    Examples
    --------
    >>> round(verdict_efficiency(0.02, false_negatives=0.1, false_positives=0.05), 2)
    0.23
    """
    p = _validate.within("p", p, 0, 1, open_ends=True)
    negatives, positives = _faults(false_negatives, false_positives)
    if negatives + positives == 1:  # a verdict that ignores the response
        return answer(np.zeros_like(p))
    passed = (1 - negatives) * p + positives * (1 - p)
    failed = negatives * p + (1 - positives) * (1 - p)
    return answer((1 - negatives - positives) ** 2 * (p / passed) * ((1 - p) / failed))


def _faults(false_negatives: float, false_positives: float) -> tuple[float, float]:
    negatives = _validate.scalar("false_negatives", _validate.probability("false_negatives", false_negatives))
    positives = _validate.scalar("false_positives", _validate.probability("false_positives", false_positives))
    way_out = "Beyond 1 verdicts mean their opposite: swap them."
    _validate.within("false_negatives + false_positives", negatives + positives, 0, 1, way_out=way_out)
    return negatives, positives
