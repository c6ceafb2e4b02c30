"""The estimators that ship: those of the frameworks, those of papers, and one group as each of them sees it.

Advantages whose baseline or scale crosses groups (batch normalisation, REINFORCE++) are not tables; what they tend to
in a large batch of known mean is one (`batch_standardised`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, figure
from rlsignal._validate import Floats
from rlsignal.theory.estimators import Estimator, Side


def standardised(name: str, *, ddof: int, epsilon: float) -> Estimator:
    """(r - group mean) / (group s.d. + epsilon), 0 in degenerate groups: the GRPO of most frameworks.

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
    >>> from rlsignal.estimators import standardised
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
    """NeMo's advantage: mean and s.d. (ddof 1) of the others, plus 1e-6; no division where theirs is 0."""

    def advantage(k: Floats, g: int) -> Floats:
        others = (k - reward) / (g - 1)
        deviation = np.sqrt(np.maximum(others * (1 - others), 0) * (g - 1) / max(g - 2, 1))
        return (reward - others) / np.where(deviation > 0, deviation + 1e-6, 1.0)

    return advantage


def pass_at_k_training(k: int) -> Estimator:
    """GRPO whose reward is that of k rollouts together: correct if any of them is (E4).

    All C(g, k) subsets of a group are rewarded, the rewards are standardised (ddof 0) over them, and a rollout's
    advantage is the mean over the subsets it is in. With F = C(g-K, k)/C(g, k), the share of subsets without success,
    A+ = sqrt(F / (1-F)) and A- = -K/(g-K) A+. At k = 1 it is GRPO; at k = g there is one subset, and no signal.

    Parameters
    ----------
    k : attempts, at least 1. Groups must have at least k rollouts.

    Raises
    ------
    ValueError : k not a whole number of at least 1; later, a group smaller than k.

    Source: Chen et al. 2025 (2508.10751); derived in docs/theory.md (E4).

    Examples
    --------
    Of the pairs of 4 rollouts, 1 of them correct, half hold the correct one:

    >>> from rlsignal.estimators import pass_at_k_training
    >>> pass_at_k_training(2).table(4)[:, 1].round(4)
    array([-0.3333,  1.    ])
    """
    k = _validate.whole("k", k, 1)

    def correct(K: Floats, g: int) -> Floats:
        log_incorrect = np.append(0.0, np.cumsum(np.log1p(-np.minimum(k / (g - np.arange(g)), 1))))[K.astype(int)]
        root, left = np.exp(log_incorrect / 2), np.sqrt(-np.expm1(log_incorrect))
        return np.asarray(np.divide(root, left, out=np.zeros_like(K), where=K > 0))

    def incorrect(K: Floats, g: int) -> Floats:
        return -K / (g - K) * correct(K, g)

    return Estimator(f"pass_at_k_training({k})", correct, incorrect, smallest=max(k, 2))


def pass_at_k_gradient(k: int) -> Estimator:
    """The unbiased gradient of pass@k from groups of g >= k rollouts (E5): its weight is k (1-p)^(k-1) exactly.

    A correct rollout earns k; an incorrect one k times the chance that k - 1 of the others, drawn at random, include a
    correct one: A- = k (1 - C(g-1-K, k-1)/C(g-1, k-1)). It is not centred, and no advantage is negative.

    Parameters
    ----------
    k : attempts, at least 1. Groups must have at least k rollouts.

    Raises
    ------
    ValueError : k not a whole number of at least 1; later, a group smaller than k.

    Source: PKPO (2505.15201), times g for the mean over rollouts; derived in docs/theory.md (E5).

    Examples
    --------
    >>> from rlsignal.estimators import pass_at_k_gradient
    >>> pass_at_k_gradient(2).table(4)
    array([[0.        , 0.66666667, 1.33333333, 2.        , 0.        ],
           [0.        , 2.        , 2.        , 2.        , 2.        ]])
    """
    k = _validate.whole("k", k, 1)

    def incorrect(K: Floats, g: int) -> Floats:
        others = g - 1 - np.arange(g - 1.0)
        log_incorrect = np.cumsum(np.log1p(-np.minimum((k - 1) / others, 1)))
        return np.asarray(-k * np.expm1(np.concatenate([[0.0], log_incorrect, [-np.inf]])[K.astype(int)]))

    return Estimator(f"pass_at_k_gradient({k})", lambda K, g: float(k), incorrect, smallest=max(k, 2))


def batch_standardised(mean: float) -> Estimator:
    """(r - mean) / sqrt(mean (1-mean)): what standardising over a large batch tends to, its mean being known (E6).

    REINFORCE++ in the limit. Every prompt has the same weight 1/sqrt(mean (1-mean)): no difficulty bias, whatever g.
    It is not centred, so degenerate groups count too. (TRL's scale_rewards="batch" takes off the group's mean instead:
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
    >>> from rlsignal.estimators import batch_standardised
    >>> batch_standardised(0.2).table(2)
    array([[-0.5, -0.5,  0. ],
           [ 0. ,  2. ,  2. ]])
    """
    mean = _validate.scalar("mean", _validate.within("mean", mean, 0, 1, open_ends=True))
    odds = (1 - mean) / mean
    name = f"batch_standardised({mean:g})"
    return Estimator(name, lambda K, g: np.sqrt(odds), lambda K, g: -1 / np.sqrt(odds))


def posterior_baseline(mean: float, dispersion: float) -> Estimator:
    """The reward minus its expectation given the other rollouts and the data set (B2).

    The baseline is the posterior mean (mean (1-rho) + j rho) / (1 + (g-2) rho), j of the g-1 others being correct. It
    is RLOO at rho = 1 and a baseline fixed at `mean`, as of a large batch, at rho = 0. It optimises the pass rate
    whatever the numbers (w = 1). If they are the data set's and the scores of all prompts have the same
    variance, no other baseline that is linear in j leaves less noise, and for a Beta none at all that depends on j.

    Parameters
    ----------
    mean, dispersion : of the pass rates over prompts, in [0, 1].

    Returns
    -------
    Estimator. It is not centred: degenerate groups count too.

    Raises
    ------
    ValueError : mean or dispersion outside [0, 1].

    Source: derived in docs/theory.md (B2).

    Examples
    --------
    >>> from rlsignal import RLOO, Beta
    >>> from rlsignal.estimators import posterior_baseline
    >>> ours = posterior_baseline(0.3, 0.2)
    >>> [round(e.second_moment(Beta(0.3, 0.2), 4), 4) for e in (ours, posterior_baseline(0.3, 0), RLOO)]
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
"""The centred and leave-one-out estimators that ship, for loops: silent in degenerate groups, which others are not."""


def known(estimator: Any) -> Estimator:
    """`estimator` if it is one, else an error that names those that ship."""
    if not isinstance(estimator, Estimator):
        names = ", ".join(e.name for e in ESTIMATORS)
        raise ValueError(
            f"estimator must be an Estimator, got {estimator!r}. Pass one of rlsignal's ({names}), or your own: "
            "Estimator(name, correct, incorrect)."
        )
    return estimator


@dataclass(frozen=True, repr=False)
class EstimatorTable(Result):
    """What each advantage estimator makes of one group.

    successes, group_size : K and g.
    estimators : names; the rest has one entry for each.
    correct, incorrect : the advantage of a correct and of an incorrect rollout; NaN where the group has none.
    total, mean_square : of the group's advantages.
    """

    successes: int
    group_size: int
    estimators: tuple[str, ...]
    correct: tuple[float, ...]
    incorrect: tuple[float, ...]
    total: tuple[float, ...]
    mean_square: tuple[float, ...]

    def _parts(self) -> Iterator[Part]:
        columns = self.correct, self.incorrect, self.total, self.mean_square
        rows = [
            (name, *(figure(round(x, 3) + 0.0) for x in row))
            for name, *row in zip(self.estimators, *columns, strict=True)
        ]
        head = f"{self.successes} of {self.group_size} correct"
        yield Table((head, "correct", "incorrect", "sum", "mean square"), rows)


def compare_estimators(rewards: ArrayLike, estimators: Sequence[Estimator] = ESTIMATORS) -> EstimatorTable:
    """One group's rewards, and the advantage that each estimator assigns.

    Parameters
    ----------
    rewards : [g] of 0 and 1.
    estimators : default all that ship.

    Returns
    -------
    EstimatorTable; prints as a table.

    Raises
    ------
    ValueError : rewards other than 0 and 1, fewer than two.

    Source: docs/theory.md (E1).

    Examples
    --------
    >>> from rlsignal import GRPO, MAXRL
    >>> from rlsignal.estimators import compare_estimators
    >>> print(compare_estimators([1, 0, 0, 0, 0, 0, 0, 0], (GRPO, MAXRL)))
    1 of 8 correct  correct  incorrect    sum  mean square
    GRPO              2.646     -0.378  0.000        1.000
    MAXRL             7.000     -1.000  0.000        7.000
    """
    rollouts = _validate.rewards(rewards)
    if rollouts.ndim != 1:
        raise ValueError(f"rewards must be one group [g], got shape {rollouts.shape}. Call once per group.")
    each = [known(estimator).advantages(rollouts) for estimator in estimators]
    correct, incorrect = rollouts == 1, rollouts == 0
    return EstimatorTable(
        successes=int(correct.sum()),
        group_size=len(rollouts),
        estimators=tuple(estimator.name for estimator in estimators),
        correct=tuple(float(x[correct][0]) if correct.any() else float("nan") for x in each),
        incorrect=tuple(float(x[incorrect][0]) if incorrect.any() else float("nan") for x in each),
        total=tuple(float(x.sum()) for x in each),
        mean_square=tuple(float((x**2).mean()) for x in each),
    )
