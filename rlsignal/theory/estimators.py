"""Idea 2, a table says what it is worth: an advantage estimator is two rows of g+1 numbers.

A+(K) is the advantage of a correct rollout when K of g are correct, A-(K) that of a wrong one. Advantages whose
baseline or scale crosses groups (batch normalisation, REINFORCE++) are not tables; what they tend to in a large batch
of known mean is one (`batch_standardised`).
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
    smallest : the smallest group size it is defined for.

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
    smallest: int = 2

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
        ValueError : g not a whole number of at least `smallest`, or a function that gives no finite number for some K.
        """
        g = _validate.group_size(g)
        _validate.whole("g", g, self.smallest, way_out=f"{self.name} is not defined for smaller groups.")
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


def pass_at_k_training(k: int) -> Estimator:
    """GRPO whose reward is that of k rollouts together: right if any of them is (E4).

    All C(g, k) subsets of a group are rewarded, the rewards are standardised (ddof 0) over them, and a rollout's
    advantage is the mean over the subsets it is in. With F = C(g-K, k)/C(g, k), the share of subsets all wrong,
    A+ = sqrt(F / (1-F)) and A- = -K/(g-K) A+. At k = 1 it is GRPO; at k = g there is one subset, and nothing to learn.

    Parameters
    ----------
    k : attempts, at least 1. Groups must have at least k rollouts.

    Raises
    ------
    ValueError : k not a whole number of at least 1; later, a group smaller than k.

    Source: Chen et al. 2025 (2508.10751); derived in docs/theory.md (E4).

    Examples
    --------
    Of the pairs of 4 rollouts, 1 of them right, half hold the right one:

    >>> pass_at_k_training(2).table(4)[:, 1].round(4)
    array([-0.3333,  1.    ])
    """
    k = _validate.whole("k", k, 1)

    def right(K: Floats, g: int) -> Floats:
        log_wrong = np.append(0.0, np.cumsum(np.log1p(-np.minimum(k / (g - np.arange(g)), 1))))[K.astype(int)]
        return np.divide(np.exp(log_wrong / 2), np.sqrt(-np.expm1(log_wrong)), out=np.zeros_like(K), where=K > 0)

    def wrong(K: Floats, g: int) -> Floats:
        return -K / (g - K) * right(K, g)

    return Estimator(f"pass_at_k_training({k})", right, wrong, smallest=max(k, 2))


def pass_at_k_gradient(k: int) -> Estimator:
    """The unbiased gradient of pass@k from groups of g >= k rollouts (E5): its weight is k (1-p)^(k-1) exactly.

    A right rollout earns k; a wrong one k times the chance that k - 1 of the others, drawn at random, include a right
    one: A- = k (1 - C(g-1-K, k-1)/C(g-1, k-1)). It is not centred, and no advantage is negative.

    Parameters
    ----------
    k : attempts, at least 1. Groups must have at least k rollouts.

    Raises
    ------
    ValueError : k not a whole number of at least 1; later, a group smaller than k.

    Source: PKPO (2505.15201), times g for the mean over rollouts; derived in docs/theory.md (E5).

    Examples
    --------
    >>> pass_at_k_gradient(2).table(4)
    array([[0.        , 0.66666667, 1.33333333, 2.        , 0.        ],
           [0.        , 2.        , 2.        , 2.        , 2.        ]])
    """
    k = _validate.whole("k", k, 1)

    def wrong(K: Floats, g: int) -> Floats:
        others = g - 1 - np.arange(g - 1.0)
        log_wrong = np.cumsum(np.log1p(-np.minimum((k - 1) / others, 1)))
        return -k * np.expm1(np.concatenate([[0.0], log_wrong, [-np.inf]])[K.astype(int)])

    return Estimator(f"pass_at_k_gradient({k})", lambda K, g: float(k), wrong, smallest=max(k, 2))


def batch_standardised(mean: float) -> Estimator:
    """(r - mean) / sqrt(mean (1-mean)): what standardising over a large batch tends to, its mean being known (E6).

    REINFORCE++ in the limit. Every prompt has the same weight 1/sqrt(mean (1-mean)): no difficulty bias, whatever g.
    It is not centred, so unanimous groups teach too. (TRL's scale_rewards="batch" takes off the group's mean instead:
    in the limit it is DR_GRPO over the same s.d.)

    Parameters
    ----------
    mean : pass@1 of the batch, in (0, 1).

    Raises
    ------
    ValueError : mean outside (0, 1).

    Source: REINFORCE++ (2501.03262); derived in docs/theory.md (E6).

    Examples
    --------
    >>> batch_standardised(0.2).table(2)
    array([[-0.5, -0.5,  0. ],
           [ 0. ,  2. ,  2. ]])
    """
    mean = _validate.scalar("mean", _validate.within("mean", mean, 0, 1, open_ends=True))
    odds = (1 - mean) / mean
    name = f"batch_standardised({mean:g})"
    return Estimator(name, lambda K, g: np.sqrt(odds), lambda K, g: -1 / np.sqrt(odds))


def posterior_baseline(mean: float, dispersion: float) -> Estimator:
    """The reward less what the other rollouts and the data set lead one to expect of it (B2), as an Estimator.

    The baseline is the posterior mean (mean (1-rho) + j rho) / (1 + (g-2) rho), j of the g-1 others being right. It
    is RLOO at rho = 1 and a baseline fixed at `mean`, as of a large batch, at rho = 0. It optimises the pass rate
    whatever the numbers (w = 1). If they are the data set's and the scores of all prompts scatter alike, no other
    baseline that is a line in j leaves less noise, and of a Beta none at all that j tells.

    Parameters
    ----------
    mean, dispersion : of the pass rates over prompts, in [0, 1].

    Returns
    -------
    Estimator. It is not centred: unanimous groups teach too.

    Raises
    ------
    ValueError : mean or dispersion outside [0, 1].

    Source: derived in docs/theory.md (B2).

    Examples
    --------
    >>> ours = posterior_baseline(0.3, 0.2)
    >>> [round(advantage_second_moment(Beta(0.3, 0.2), 4, e), 4) for e in (ours, posterior_baseline(0.3, 0), RLOO)]
    [0.192, 0.21, 0.224]
    """
    m = _validate.scalar("mean", _validate.probability("mean", mean))
    rho = _validate.scalar("dispersion", _validate.probability("dispersion", dispersion))
    return Estimator(
        f"posterior_baseline({m:g}, {rho:g})",
        lambda K, g: ((1 - m) * (1 - rho) + (g - K) * rho) / (1 + (g - 2) * rho),
        lambda K, g: -(m * (1 - rho) + K * rho) / (1 + (g - 2) * rho),
    )


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
MAXRL_UNCENTRED = Estimator("MAXRL_UNCENTRED", lambda K, g: g / K, lambda K, g: 0.0)  # the mean score of the successes

ESTIMATORS = (GRPO, GRPO_TRL, GRPO_VERL, GRPO_OPENRLHF, GRPO_NEMO, DR_GRPO, RLOO, MAXRL)
"""The centred and leave-one-out estimators that ship, for loops: silent in unanimous groups, which others are not."""


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
