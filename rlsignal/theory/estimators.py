"""Idea 2, a table says what it is worth: an advantage estimator is two rows of g+1 numbers.

A+(K) is the advantage of a correct rollout when K of g are correct, A-(K) that of a wrong one. Advantages whose
baseline or scale crosses groups (batch normalisation, REINFORCE++) are not tables and are not here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats

Side = Callable[[Any, int], Any]
"""A function of (K, g): the number of correct rollouts as an array, and the group size."""


@dataclass(frozen=True)
class Estimator:
    """An advantage estimator for binary rewards.

    Parameters
    ----------
    name : how it is called in tables and errors.
    correct : (K, g) -> A+(K), the advantage of a correct rollout, used for K = 1..g.
    wrong : (K, g) -> A-(K), the advantage of a wrong rollout, used for K = 0..g-1.

    Source: docs/theory.md (E1).

    Examples
    --------
    Your own in one line, here the reward's sign:

    >>> sign = Estimator("sign", lambda K, g: 1.0, lambda K, g: -1.0)
    >>> sign.table(2)
    array([[-1., -1.,  0.],
           [ 0.,  1.,  1.]])
    """

    name: str
    correct: Side
    wrong: Side

    def __post_init__(self) -> None:
        for side, function in (("correct", self.correct), ("wrong", self.wrong)):
            if not callable(function):
                raise ValueError(
                    f"{side} must be a function of (K, g), got {function!r}. Write a constant as lambda K, g: 1.0."
                )

    def table(self, g: int) -> Floats:
        """The estimator as numbers [2, g+1], indexed [reward, K]; the two cells that cannot happen hold 0.

        Raises
        ------
        ValueError : g not a whole number of at least 2, or a function that gives no finite number for some K.
        """
        g = _validate.group_size(g)
        k = np.arange(g + 1.0)
        with np.errstate(all="ignore"):  # the cells that cannot happen may divide by zero
            rows = [self._row("wrong", self.wrong, k, g), self._row("correct", self.correct, k, g)]
        rows[0][-1] = rows[1][0] = 0.0
        for side, row in zip(("wrong", "correct"), rows, strict=True):
            if not np.all(np.isfinite(row)):
                at = int(np.argmin(np.isfinite(row)))
                raise ValueError(
                    f"estimator {self.name!r} must give a finite advantage to every {side} rollout, got {row[at]} at "
                    f"K = {at} of g = {g}. Return 0 where a group should teach nothing."
                )
        return np.stack(rows) + 0.0  # no -0

    def _row(self, side: str, function: Side, k: Floats, g: int) -> Floats:
        try:
            row = np.asarray(function(k, g))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"estimator {self.name!r} must give every {side} rollout a number, but its function failed: {error}. "
                f"It is called once with the array K = 0..{g} and g; use np.sqrt, np.where and the like."
            ) from error
        if row.dtype.kind not in "biuf" or row.shape not in ((), (g + 1,)):
            raise ValueError(
                f"estimator {self.name!r} must give every {side} rollout one number, or one for each K = 0..{g}, "
                f"got {row.dtype} of shape {row.shape}. Compute it from the array K."
            )
        row = row.astype(np.float64)
        return np.array(np.broadcast_to(row, (g + 1,)))

    def gain(self, g: int) -> Floats:
        """d[j] = A+(j+1) - A-(j), shape [g]: what a rollout's advantage gains by turning right beside j right ones.

        Examples
        --------
        >>> RLOO.gain(4)
        array([1., 1., 1., 1.])
        """
        table = self.table(g)
        return table[1, 1:] - table[0, :-1]


def standardised(name: str, *, ddof: int, epsilon: float) -> Estimator:
    """(r - group mean) / (group s.d. + epsilon), 0 in unanimous groups: the GRPO of most frameworks.

    Parameters
    ----------
    ddof : 0 divides the squares by g (numpy's default), 1 by g - 1 (torch's default).
    epsilon : added to the s.d., at least 0; 0 is the ideal.

    Raises
    ------
    ValueError : ddof other than 0 or 1, a negative epsilon.

    Source: Shao et al. 2024 (2402.03300); docs/theory.md (E1).

    Examples
    --------
    >>> standardised("mine", ddof=0, epsilon=1e-8).table(2)
    array([[ 0.        , -0.99999998,  0.        ],
           [ 0.        ,  0.99999998,  0.        ]])
    """

    ddof = _validate.whole("ddof", ddof, 0, 1)
    epsilon = _validate.scalar("epsilon", _validate.within("epsilon", epsilon, 0, np.inf))

    def scaled(numerator: Floats, k: Floats, g: int) -> Floats:
        deviation = np.sqrt(k * (g - k) / (g * (g - ddof))) + epsilon
        return np.divide(numerator, deviation, out=np.zeros_like(k), where=(k > 0) & (k < g))

    return Estimator(name, lambda K, g: scaled(1 - K / g, K, g), lambda K, g: scaled(-K / g, K, g))


def _leave_one_out(reward: int) -> Side:
    """NeMo's advantage: mean and s.d. (ddof 1) of the others, plus 1e-6; no division where the others all agree."""

    def advantage(k: Floats, g: int) -> Floats:
        others = (k - reward) / (g - 1)
        deviation = np.sqrt(np.maximum(others * (1 - others), 0) * (g - 1) / max(g - 2, 1))
        return (reward - others) / np.where(deviation > 0, deviation + 1e-6, 1.0)

    return advantage


GRPO = Estimator(  # the ideal: group s.d. with ddof 0, no epsilon
    "GRPO",
    lambda K, g: np.sqrt((g - K) / K),
    lambda K, g: -np.sqrt(K / (g - K)),
)
GRPO_TRL = standardised("GRPO_TRL", ddof=1, epsilon=1e-4)
GRPO_VERL = standardised("GRPO_VERL", ddof=1, epsilon=1e-6)
GRPO_OPENRLHF = standardised("GRPO_OPENRLHF", ddof=1, epsilon=1e-9)
GRPO_NEMO = Estimator("GRPO_NEMO", _leave_one_out(1), _leave_one_out(0))  # does not sum to zero over a group
DR_GRPO = Estimator("DR_GRPO", lambda K, g: 1 - K / g, lambda K, g: -K / g)  # Liu et al. 2503.20783
RLOO = Estimator("RLOO", lambda K, g: (g - K) / (g - 1), lambda K, g: -K / (g - 1))  # Ahmadian et al. 2402.14740
MAXRL = Estimator(  # arXiv 2602.02710, centred: (r - mean) / mean
    "MAXRL",
    lambda K, g: (g - K) / K,
    lambda K, g: np.where(K > 0, -1.0, 0.0),
)

ESTIMATORS = (GRPO, GRPO_TRL, GRPO_VERL, GRPO_OPENRLHF, GRPO_NEMO, DR_GRPO, RLOO, MAXRL)
"""The estimators that ship, for loops over all of them."""


def advantages(rewards: ArrayLike, estimator: Estimator) -> Floats:
    """What `estimator` assigns to each rollout of each group.

    Parameters
    ----------
    rewards : [..., g] of 0 and 1, one group on the last axis.
    estimator : an Estimator such as GRPO.

    Returns
    -------
    [..., g] float64.

    Raises
    ------
    ValueError : rewards other than 0 and 1, groups of unequal size or of one rollout, not an estimator.

    Source: docs/theory.md (E1).

    Examples
    --------
    >>> advantages([1, 0, 0, 0], GRPO).round(3)
    array([ 1.732, -0.577, -0.577, -0.577])
    """
    values = _validate.rewards(rewards)
    table = known(estimator).table(values.shape[-1])
    return table[values, values.sum(-1, keepdims=True)]


def known(estimator: Any) -> Estimator:
    """`estimator` if it is one, else an error that names those that ship."""
    if not isinstance(estimator, Estimator):
        names = ", ".join(e.name for e in ESTIMATORS)
        raise ValueError(
            f"estimator must be an Estimator, got {estimator!r}. Pass one of rlsignal's ({names}), or your own: "
            "Estimator(name, correct, wrong)."
        )
    return estimator
