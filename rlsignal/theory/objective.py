"""Idea 3, a flow says where it goes: what an estimator really optimises.

Averaged over groups, every estimator that is a table pushes the policy along w_g(p) grad p. So it is stochastic
gradient ascent on the mean over prompts of h_g(p), with h_g' = w_g. On-policy and sequence-mean; token-length
weights are outside, clipping and KL are in `regularisation`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from rlsignal._validate import Floats
from rlsignal.theory.distributions import Fixed, PassRate, answer, group
from rlsignal.theory.estimators import Estimator, known


def gradient_weight(p: ArrayLike | PassRate, g: int, estimator: Estimator) -> float | Floats:
    """w_g(p), the factor before grad p in the expected update (W1): E[A+(J+1) - A-(J)], J ~ Binomial(g-1, p).

    J counts the other rollouts that are right. No division and no quadrature; true for any table, centred or not.

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object (then the mean weight over its prompts).
    g : group size in [2, 4096].
    estimator : an Estimator such as GRPO.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], g not a whole number of at least 2, not an estimator.

    Source: derived in docs/theory.md (W1).

    Examples
    --------
    Std-normalising favours hard prompts, but boundedly, and only from g = 4 on:

    >>> [round(gradient_weight(0.05, g, GRPO), 3) for g in (2, 3, 8)]
    [1.0, 1.414, 2.473]
    """
    what, g = group(p, g, summed=True)
    return answer(what.pmf(g - 1) @ known(estimator).gain(g))


def effective_objective(p: ArrayLike | PassRate, g: int, estimator: Estimator) -> float | Floats:
    """h_g(p), the objective whose stochastic gradient the estimator is (W2): h_g' = w_g and h_g(0) = 0.

    A Bernstein polynomial, E[S(K)] with S the running sum of A+(j+1) - A-(j), over g.

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object (then the mean over its prompts).
    g : group size in [2, 4096].
    estimator : an Estimator such as GRPO.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : as `gradient_weight`.

    Source: derived in docs/theory.md (W2).

    Examples
    --------
    RLOO optimises the pass rate itself:

    >>> round(effective_objective(0.3, 8, RLOO), 12)
    0.3
    """
    what, g = group(p, g, summed=True)
    heights = np.concatenate([[0.0], np.cumsum(known(estimator).gain(g))]) / g
    return answer(what.pmf(g) @ heights)


def advantage_second_moment(p: ArrayLike | PassRate, g: int, estimator: Estimator) -> float | Floats:
    """E[A^2] of one rollout's advantage (E2): E[K A+(K)^2 + (g-K) A-(K)^2] / g.

    For GRPO it is the informative probability, so it says nothing about p beyond that; for DR_GRPO it is V1.

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object.
    g : group size in [2, 4096].
    estimator : an Estimator such as GRPO.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : as `gradient_weight`.

    Source: derived in docs/theory.md (E2).

    Examples
    --------
    >>> round(advantage_second_moment(0.02, 8, GRPO), 4), round(advantage_second_moment(0.02, 8, DR_GRPO), 5)
    (0.1492, 0.01715)
    """
    return _per_rollout(p, g, estimator, np.square)


def advantage_magnitude(p: ArrayLike | PassRate, g: int, estimator: Estimator) -> float | Floats:
    """E|A| of one rollout's advantage (E3), the update mass: E[K |A+(K)| + (g-K) |A-(K)|] / g.

    For estimators that are centred in every group and reward success (A+ >= 0 >= A-) it is 2p(1-p) w_g(p).

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object.
    g : group size in [2, 4096].
    estimator : an Estimator such as GRPO.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : as `gradient_weight`.

    Source: derived in docs/theory.md (E3).

    Examples
    --------
    >>> round(advantage_magnitude(0.5, 8, RLOO), 12)
    0.5
    """
    return _per_rollout(p, g, estimator, np.abs)


def informative_group_bias(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """How far the mean reward of mixed groups is from the pass rate (W3): (p q^g - q p^g) / (1 - D), q = 1-p.

    Positive on hard prompts, whose successes are then credited too little, and negative on easy ones. That is what
    selecting mixed groups does to a baseline, and no bias of the gradient: over all groups, unanimous ones being
    silent, the expected update is `gradient_weight` times grad p, in the direction of grad p.

    Parameters
    ----------
    p : pass rate(s) in (0, 1), or a pass-rate object (then over the mixed groups of its prompts together).
    g : group size, at least 2; for a population at most 4095, for a `Recorded` at most n - 1.

    Returns
    -------
    float, or an array of p's shape; it tends to 1/g - p for rare successes.

    Raises
    ------
    ValueError : p outside [0, 1], a population without mixed groups, g out of range.

    Source: derived in docs/theory.md (W3); HA-DW (2601.08521) discusses the conditional bias.

    Examples
    --------
    >>> informative_group_bias([0.05, 0.5, 0.95], 8).round(3)
    array([ 0.099,  0.   , -0.099])
    """
    what, g = group(p, g)
    mixed = what.informative(g)
    if np.any(mixed == 0):
        raise ValueError(
            "p must leave a chance of mixed groups, got rollouts that always agree. Leave such prompts out."
        )
    if not isinstance(what, Fixed):  # p q^g is the chance that one given rollout of g+1 is the only right one
        _, more = group(what, g + 1, name="g + 1", smallest=3, summed=True)
        law = what.pmf(more)
        return answer((law[..., 1] - law[..., -2]) / (more * mixed))
    hard = 1 - 2 * what.mean  # exact near 1/2, where the answer changes sign
    rarer = np.minimum(what.mean, 1 - what.mean)
    with np.errstate(divide="ignore"):
        log_odds = np.log1p(-np.abs(hard) / (1 - rarer))
    lone = rarer * np.exp(g * np.log1p(-rarer)) * -np.expm1((g - 1) * log_odds)
    return answer(np.sign(hard) * lone / mixed)


def _per_rollout(
    p: ArrayLike | PassRate, g: int, estimator: Estimator, of: Callable[[Floats], Floats]
) -> float | Floats:
    """Mean of a function of one rollout's advantage: over the rollouts of a group, then over the law of K."""
    what, g = group(p, g, summed=True)
    k, (wrong, correct) = np.arange(g + 1), of(known(estimator).table(g))
    return answer(what.pmf(g) @ ((k * correct + (g - k) * wrong) / g))
