"""Watching a run while it goes: a test that is rarely wrong however long one watches (an e-process)."""

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats


def log_e_process(informative: ArrayLike, groups: int, *, level: float = 0.1, spacing: int = 1) -> Floats:
    """Log of an e-process, row after row, for informative groups having become rarer than `level` (I10).

    A mixture of likelihood ratios, each of half the level against the level from some row on. As long as at least
    `level` of the groups are informative, the chance that it ever reaches log(1/a) is at most a, however long the run.

    Parameters
    ----------
    informative : [..., rows], share of informative groups in each row, in time order.
    groups : in each row. A number below the true one is safe, and slower.
    level : the share that is asked for, in (0, 1).
    spacing : rows from one moment at which the fall may have begun to the next.

    Returns
    -------
    [..., rows].

    Raises
    ------
    ValueError : shares outside [0, 1], a level outside (0, 1), whole numbers below 1.

    Source: derived in docs/theory.md (I10).

    Examples
    --------
    >>> log_e_process([0.5, 0.5, 0.0, 0.0, 0.0], groups=64).round(1)
    array([-21.1, -22.2,   1. ,   4.5,   7.9])
    """
    share = _validate.probability("informative", informative)
    groups, spacing = _validate.whole("groups", groups, 1), _validate.whole("spacing", spacing, 1)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    other = level / 2
    gain: Floats = groups * (share * np.log(other / level) + (1 - share) * np.log((1 - other) / (1 - level)))
    evidence: Floats = np.empty_like(gain)
    so_far: Floats = np.full(gain.shape[:-1], -np.inf)
    for row in range(gain.shape[-1]):
        if row % spacing == 0:
            start = row // spacing + 1
            so_far = np.logaddexp(so_far, -np.log(start * (start + 1.0)))  # these weights sum to 1
        so_far = so_far + gain[..., row]
        evidence[..., row] = so_far
    return evidence
