"""What a rollout buys: the noise of an update, and the group sizes and allocations that lower it.

COUNTS OF SUCCESSES DO NOT DECIDE THE BEST GROUP SIZE. At a fixed number of rollouts, where noise dominates, RLOO's
relative variance is g/(g-1) whatever the pass rate (exactly so where correct and incorrect scores have one variance),
while the share of degenerate groups falls and the number of informative groups may fall too. What decides is how much
the gradients of prompts differ against how much those of one prompt vary (S4), and no log of rewards holds either.
"""

import heapq
from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rlsignal import _validate
from rlsignal._show import Shown
from rlsignal._validate import Floats
from rlsignal.theory.distributions import group
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import known
from rlsignal.theory.pmf import answer


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Scores(Shown):
    """What the noise of an update knows of a prompt's scores s = grad log pi (S1), and nothing else of the policy.

    Parameters
    ----------
    p : pass rate in (0, 1).
    slope_squared : |grad p|^2. At 0, its default, the regime in which noise dominates.
    variance_correct, variance_incorrect : tr Cov(s | correct) and tr Cov(s | incorrect), in the units of slope_squared.
        Numbers or arrays that broadcast, one entry per prompt.

    Raises
    ------
    ValueError : p outside (0, 1), a negative number, shapes that do not broadcast.

    Source: derived in docs/theory.md (S1).
    """

    p: Floats
    slope_squared: Floats
    variance_correct: Floats
    variance_incorrect: Floats

    def __init__(
        self,
        p: ArrayLike,
        slope_squared: ArrayLike = 0.0,
        variance_correct: ArrayLike = 1.0,
        variance_incorrect: ArrayLike = 1.0,
    ) -> None:
        others = {
            "slope_squared": slope_squared,
            "variance_correct": variance_correct,
            "variance_incorrect": variance_incorrect,
        }
        values = [_inside("p", p), *(_validate.within(name, value, 0, np.inf) for name, value in others.items())]
        try:
            together = np.broadcast_arrays(*values)
        except ValueError:
            shapes = ", ".join(str(value.shape) for value in values)
            raise ValueError(f"p, {', '.join(others)} must have shapes that broadcast, got {shapes}.") from None
        for name, value in zip(("p", *others), together, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def tabular(cls, p: ArrayLike, collision_correct: ArrayLike, collision_incorrect: ArrayLike) -> "Scores":
        """Those of a softmax with a logit for each response: variances 1 - kappa, slope^2 (pq)^2 (kappa_C + kappa_I).

        Parameters
        ----------
        p : pass rate in (0, 1).
        collision_correct, collision_incorrect : kappa_C and kappa_I, the chances that two correct responses are the
            same one, and two incorrect ones; in [0, 1].

        Source: derived in docs/theory.md (S1).

        Examples
        --------
        >>> from rlsignal.theory import Scores
        >>> Scores.tabular(0.5, 1, 1).slope_squared  # two responses
        array(0.125)
        """
        p = _inside("p", p)
        correct = _validate.probability("collision_correct", collision_correct)
        incorrect = _validate.probability("collision_incorrect", collision_incorrect)
        return cls(p, (p * (1 - p)) ** 2 * (correct + incorrect), 1 - correct, 1 - incorrect)

    @property
    def oracle_noise(self) -> Floats:
        """Variance of one rollout's update (r - p) s, the baseline being p itself: 4 zeta_1 (S2)."""
        p, slope, correct, incorrect = self._values
        q = 1 - p
        return p * q * (q * correct + p * incorrect) + slope * (q - p) ** 2 / (p * q)

    @property
    def baseline_noise(self) -> Floats:
        """What finding the baseline from the other rollouts adds, times g-1: 2 zeta_2 - 4 zeta_1 (S2)."""
        p, slope, correct, incorrect = self._values
        return p * (1 - p) * (p * correct + (1 - p) * incorrect) + 2 * slope

    @property
    def _values(self) -> tuple[Floats, Floats, Floats, Floats]:
        """p, |grad p|^2 and both variances."""
        return self.p, self.slope_squared, self.variance_correct, self.variance_incorrect


def update_variance(scores: Scores, g: int, estimator: Estimator | None = None) -> float | Floats:
    """Total variance tr Var(U) of one group's update U = (1/g) sum_i A_i s_i, exactly.

    RLOO (S2): [oracle_noise + baseline_noise / (g-1)] / g, the variance of a U-statistic. Any other table (S1):
    E[K A+^2 S+ + (g-K) A-^2 S-] / g^2 + |grad p|^2 Var[K A+/(gp) - (g-K) A-/(gq)].

    Parameters
    ----------
    scores : the prompt's Scores, or those of several prompts.
    g : group size, at least 2; with an estimator at most 4096.
    estimator : None for RLOO in closed form, else an Estimator such as GRPO.

    Returns
    -------
    float, or one entry per prompt; in the units of slope_squared.

    Raises
    ------
    ValueError : g not a whole number of at least 2, not an estimator.

    Source: derived in docs/theory.md (S1, S2).

    Examples
    --------
    >>> from rlsignal import GRPO, RLOO
    >>> from rlsignal.theory import Scores, update_variance
    >>> scores = Scores.tabular(0.05, 0.1, 0.01)
    >>> [round(update_variance(scores, 8, estimator), 6) for estimator in (None, RLOO, GRPO)]
    [0.006744, 0.006744, 0.041482]
    """
    p, slope, correct, incorrect = _checked(scores)._values
    if estimator is None:
        g = _validate.group_size(g)
        return answer((scores.oracle_noise + scores.baseline_noise / (g - 1)) / g)
    what, g = group(p, g, summed=True)
    k, (minus, plus), pmf = np.arange(g + 1), known(estimator).table(g), what.pmf(g)
    within = correct * (pmf @ (k * plus**2)) + incorrect * (pmf @ ((g - k) * minus**2))
    pull = k * plus * (1 - p)[..., None] - (g - k) * minus * p[..., None]  # along grad p, times g p q
    between = (pmf * (pull - (pmf * pull).sum(-1, keepdims=True)) ** 2).sum(-1)
    pq = p * (1 - p)
    return answer((within + slope / pq * (between / pq)) / g**2)


def signal_to_noise(
    scores: Scores, g: int, estimator: Estimator | None = None, *, rollouts: float | None = None
) -> float | Floats:
    """|E U|^2 / tr Var(U), the squared signal-to-noise ratio of the update (S3): w_g^2 |grad p|^2 / variance.

    Parameters
    ----------
    scores, g, estimator : as `update_variance`; slope_squared must be positive.
    rollouts : a budget, spent on rollouts/g groups of the prompt whose updates are averaged; None for one group, 1
        for the ratio per rollout.

    Returns
    -------
    float, or one entry per prompt.

    Raises
    ------
    ValueError : as `update_variance`; a slope_squared of 0, a budget that is not positive.

    Source: derived in docs/theory.md (S3).

    Examples
    --------
    At equal rollouts larger groups are better, but there is not much to gain beyond 8:

    >>> from rlsignal.theory import Scores, signal_to_noise
    >>> scores = Scores.tabular(0.05, 0.1, 0.01)
    >>> [round(signal_to_noise(scores, g, rollouts=64), 3) for g in (2, 8, 64)]
    [0.168, 0.294, 0.331]
    """
    p, slope, *_ = _checked(scores)._values
    if np.any(slope == 0):
        raise ValueError(
            "slope_squared must be positive, got 0. Without a slope there is no signal to compare noise with."
        )
    weight = 1.0 if estimator is None else known(estimator).weight(p, g)
    noise = np.asarray(update_variance(scores, g, estimator))
    groups = 1.0 if rollouts is None else _positive("rollouts", rollouts) / g
    with np.errstate(divide="ignore"):  # some tables leave a two-response policy no noise at all
        return answer(groups * weight**2 * slope / noise)


def signal_to_noise_cap(p: ArrayLike, g: int) -> float | Floats:
    """The most that `signal_to_noise` of one RLOO group can be (S3): g / (1/(pq) - 4 + 2/(g-1)), for any policy.

    A policy with one correct and one incorrect response attains it.

    Parameters
    ----------
    p : pass rate(s) in (0, 1).
    g : group size, at least 2.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside (0, 1), g not a whole number of at least 2.

    Source: derived in docs/theory.md (S3).

    Examples
    --------
    >>> from rlsignal.theory import signal_to_noise_cap
    >>> [round(signal_to_noise_cap(p, 8), 2) for p in (0.02, 0.094, 0.5)]
    [0.17, 1.0, 28.0]
    """
    return signal_to_noise(Scores(p, 1.0, 0.0, 0.0), g)


def best_group_size(scores: Scores, between: float) -> int:
    """The group size with the least RLOO noise at a fixed number of rollouts (S4): about 1 + sqrt(c / between).

    c is the mean `baseline_noise` of the prompts. A larger group spends fewer rollouts on finding baselines, and sees
    fewer prompts. The budget cancels. The whole number is the least g with g(g-1) >= c / between.

    Parameters
    ----------
    scores : Scores of the prompts, all of equal weight. THESE ARE NOT IN ANY LOG OF REWARDS: pass rates alone do not
        decide the best group size, since c / between may be anything at the same pass rates.
    between : tr Var_x(grad p_x), the variance of the gradients between prompts, in the units of slope_squared. Where a
        run may take more steps instead, add to it prompts per step times the squared norm of their mean gradient (S9).

    Returns
    -------
    int, at least 2.

    Raises
    ------
    ValueError : `between` not positive, or so small that no group is large enough.

    Source: derived in docs/theory.md (S4); that the best size does not depend on the budget also in the abstract of
    arXiv 2603.01162.

    Examples
    --------
    The same pass rates, and prompts that differ less or more:

    >>> from rlsignal.theory import Scores, best_group_size
    >>> [best_group_size(Scores([0.05, 0.3], 0.001), between) for between in (0.1, 0.01, 0.001)]
    [2, 5, 12]
    """
    cost = float(np.mean(_checked(scores).baseline_noise))
    way_out = "Where all prompts have the same gradient, the largest group is best."
    between = _validate.scalar(
        "between", _validate.within("between", between, cost * 1e-18, np.inf, open_ends=True, way_out=way_out)
    )
    return max(2, ceil((1 + sqrt(1 + 4 * cost / between)) / 2))


def allocate_rollouts(scores: Scores, rollouts: int) -> NDArray[np.int64]:
    """How many rollouts each prompt should get for the least RLOO noise in the sum of their updates (S6).

    With p alone, n_x is about 1 + (rollouts - prompts) sqrt(a_x) / sum sqrt(a), a = p(1-p). The whole numbers are
    optimal: each rollout goes where it lowers the variance most, and each lowers it less than the one before.

    Parameters
    ----------
    scores : Scores [prompts]; Scores(p) where only pass rates are known.
    rollouts : to be shared out, from 2 per prompt to 10 million.

    Returns
    -------
    [prompts] whole numbers of at least 2 that add up to `rollouts`.

    Raises
    ------
    ValueError : scores of one prompt only, too few or too many rollouts.

    Source: Neyman's allocation; derived in docs/theory.md (S6).

    Examples
    --------
    >>> from rlsignal.theory import Scores, allocate_rollouts
    >>> allocate_rollouts(Scores([0.03, 0.1, 0.3, 0.5, 0.9]), 40)
    array([ 5,  7, 10, 11,  7])
    """
    oracle_noise, baseline_noise = _checked(scores).oracle_noise, scores.baseline_noise
    if oracle_noise.ndim != 1 or not oracle_noise.size:
        raise ValueError(f"scores must have one entry per prompt [prompts], got shape {oracle_noise.shape}.")
    oracle, baseline = oracle_noise.tolist(), baseline_noise.tolist()
    prompts = len(oracle)
    budget = _validate.whole("rollouts", rollouts, 2 * prompts, 10**7, way_out="Each prompt needs at least 2.")

    def entry(at: int, n: int) -> tuple[float, int, int]:  # what rollout n + 1 adds to the variance, least first
        return -(oracle[at] + 2 * baseline[at] / (n - 1)) / (n * (n + 1)), at, n

    queue = [entry(at, 2) for at in range(prompts)]
    heapq.heapify(queue)
    for _ in range(budget - 2 * prompts):
        _, at, n = queue[0]
        heapq.heapreplace(queue, entry(at, n + 1))
    return np.array([n for _, _, n in sorted(queue, key=lambda entry: entry[1])])


def relative_efficiency(p: ArrayLike, g: int, estimator: Estimator) -> float | Floats:
    """Signal-to-noise ratio, squared, over that of RLOO where noise dominates (S5): w^2 pq g / ((g-1) E[A^2]).

    What an estimator's normalising costs in rollouts: at 0.95, 100 rollouts are worth 95 of RLOO's. At most 1 for an
    estimator that is centred in every group, at most g/(g-1) for any other. It says nothing of w_g(p) itself: how
    prompts are weighted against each other.

    Parameters
    ----------
    p : pass rate(s) in (0, 1), one prompt each.
    g : group size in [2, 4096].
    estimator : an Estimator such as GRPO.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside (0, 1), g not a whole number in [2, 4096], not an estimator.

    Source: derived in docs/theory.md (S5).

    Examples
    --------
    >>> from rlsignal import GRPO
    >>> from rlsignal.theory import relative_efficiency
    >>> [round(relative_efficiency(0.05, g, GRPO), 3) for g in (2, 3, 8, 64)]
    [1.0, 1.0, 0.986, 0.943]
    """
    p = _inside("p", p)
    rloo = p * (1 - p) * g / (_validate.group_size(g) - 1)
    return answer(known(estimator).weight(p, g) ** 2 * (rloo / estimator.second_moment(p, g)))


def _checked(scores: Any) -> Scores:
    if not isinstance(scores, Scores):
        raise ValueError(f"scores must be Scores, got {scores!r}. Where only pass rates are known: Scores(p).")
    return scores


def _inside(name: str, p: ArrayLike) -> Floats:
    return _validate.within(name, p, 0, 1, open_ends=True)


def _positive(name: str, value: float) -> float:
    return _validate.scalar(name, _validate.within(name, value, 0, np.inf, open_ends=True))
