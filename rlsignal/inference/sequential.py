"""Watching a run while it goes: a test that is rarely wrong however long one watches (an e-process)."""

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats


def log_e_process(informative: ArrayLike, groups: ArrayLike, *, level: float = 0.1, spacing: int = 1) -> Floats:
    """Log of an e-process, row after row, for informative groups having become rarer than `level` (I10).

    A mixture of likelihood ratios, each of half the level against the level from some row on. As long as at least
    `level` of the groups are informative, in every row and given the past, and groups of a row are independent, the
    chance that it ever reaches log(1/a) is at most a, however long the run. Rows whose groups go together count as
    fewer: `overdispersion` says how many fewer.

    Parameters
    ----------
    informative : [..., rows], share of informative groups in each row, in time order.
    groups : in each row, one number or [..., rows], which may depend on earlier rows. A number below the true one is
        safe, and slower.
    level : the share that is asked for, in (0, 1).
    spacing : rows from one moment at which the fall may have begun to the next.

    Returns
    -------
    [..., rows].

    Raises
    ------
    ValueError : shares outside [0, 1], a level outside (0, 1), groups that are not positive, spacing below 1.

    Source: derived in docs/theory.md (I10).

    Examples
    --------
    >>> from rlsignal.inference import log_e_process
    >>> log_e_process([0.5, 0.5, 0.0, 0.0, 0.0], groups=64).round(1)
    array([-21.1, -22.2,   1. ,   4.5,   7.9])
    """
    share = _validate.rows("informative", informative)
    groups = _validate.within("groups", groups, 0, np.inf, open_ends=True)
    if groups.shape[-1:] not in ((), (1,), share.shape[-1:]):
        raise ValueError(
            f"groups must be one number or one for each of {share.shape[-1]} rows, got {groups.shape[-1]}."
        )
    spacing = _validate.whole("spacing", spacing, 1)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    other = level / 2
    gain: Floats = groups * (share * np.log(other / level) + (1 - share) * np.log((1 - other) / (1 - level)))
    total = np.cumsum(gain, -1)
    row = np.arange(gain.shape[-1])
    start = row // spacing + 1
    weight = np.where(row % spacing == 0, -np.log(start * (start + 1.0)), -np.inf)  # of a fall from this row; sum 1
    return np.asarray(total + np.logaddexp.accumulate(weight - (total - gain), axis=-1), np.float64)


FIRST_ROWS = 10
"""So many rows weigh as much as what is assumed before the first."""


def overdispersion(informative: ArrayLike, groups: int, *, level: float = 0.1) -> Floats:
    """How much more the shares of a run vary than independent groups would, row by row, from the rows before (I10).

    Prompts of a row may be alike, and the policy moves from row to row. The variance is that of successive differences,
    so that a trend does not count. Before the first row, shares are assumed to differ by half of the level.

    Parameters
    ----------
    informative : [..., rows], share of informative groups in each row, in time order.
    groups : in each row.
    level : as for `log_e_process`, which takes groups / overdispersion.

    Returns
    -------
    [..., rows], at least 1. The false alarms that `log_e_process` then has are simulated in docs/logs.md.

    Raises
    ------
    ValueError : as `log_e_process`.

    Source: docs/theory.md (I10).

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.inference import overdispersion
    >>> steady, jumping = np.full(40, 0.2), np.tile([0.1, 0.3], 20)
    >>> [round(float(overdispersion(share, 64)[-1]), 1) for share in (steady, jumping)]
    [1.0, 7.0]
    """
    share = _validate.rows("informative", informative)
    groups = _validate.whole("groups", groups, 1)
    level = _validate.scalar("level", _validate.within("level", level, 0, 1, open_ends=True))
    noise = level * (1 - level) / groups
    assumed = 1 + (level / 2) ** 2 / noise
    found: Floats = np.full(share.shape, assumed)
    if share.shape[-1] > 2:
        differences = np.arange(1, share.shape[-1])
        squares = np.cumsum(np.diff(share, axis=-1) ** 2 / 2, -1)
        mean = np.cumsum(share, -1)[..., 1:] / (differences + 1)
        expected = np.maximum(mean * (1 - mean) / groups, noise / 2)
        after = (FIRST_ROWS * assumed + squares / expected) / (FIRST_ROWS + differences)
        found[..., 2:] = np.maximum(after, 1.0)[..., :-1]
    return found
