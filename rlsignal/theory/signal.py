"""How much signal a group carries: the advantage variance, degenerate groups, the mean reward of the others.

`p` is a pass rate, an array of them (one answer per entry), or a distribution (one answer for its population). A group
is degenerate if its rewards are all the same (zero variance), and informative otherwise.
"""

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.distributions import Fixed, PassRate, group, pass_rate, question
from rlsignal.theory.pmf import answer


@question
def advantage_variance(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Expected variance of mean-centred advantages inside a group (V1): E[p(1-p)] (g-1)/g.

    The variance (ddof 0) of g binary rewards around their own mean: v = K(g-K)/g^2. Estimators that only subtract the
    mean keep it (DR_GRPO); any other has its own, `Estimator.variance`.

    Parameters
    ----------
    p : pass rate(s) or a distribution. Since E[p(1-p)] needs only two samples per prompt, a `Recorded` answers for
        every g, also above its n.
    g : group size, at least 2, in rollouts.

    Returns
    -------
    float, or an array of p's shape; in squared rewards, so at most 1/4.

    Raises
    ------
    ValueError : p outside [0, 1], g not a whole number of at least 2.

    Source: arXiv 2606.18487, Proposition 1; derived in docs/theory.md (V1).

    Examples
    --------
    >>> from rlsignal import GRPO, advantage_variance
    >>> advantage_variance(0.02, 8), round(GRPO.variance(0.02, 8), 4)
    (0.01715, 0.1492)
    """
    g = _validate.group_size(g)
    return answer(pass_rate(p).reward_variance * (g - 1) / g)


def advantage_variance_distribution(p: ArrayLike | PassRate, g: int) -> tuple[Floats, Floats]:
    """The full distribution of v = K(g-K)/g^2 (V3): its values [floor(g/2)+1] and their probabilities.

    K and g-K give the same v, so P(v = k(g-k)/g^2) = P(K = k) + P(K = g-k) for k < g/2, and P(K = g/2) at the middle.

    Parameters
    ----------
    p : pass rate(s) [...] or a distribution.
    g : group size in [2, 4096].

    Returns
    -------
    values [floor(g/2)+1] rising from 0, probabilities [..., floor(g/2)+1].

    Raises
    ------
    ValueError : p outside [0, 1], g outside [2, 4096].

    Source: derived in docs/theory.md (V3).

    Examples
    --------
    >>> from rlsignal.theory import advantage_variance_distribution
    >>> values, chances = advantage_variance_distribution(0.5, 4)
    >>> values, chances
    (array([0.    , 0.1875, 0.25  ]), array([0.125, 0.5  , 0.375]))
    """
    what, g = group(p, g, summed=True)
    pmf = what.pmf(g)
    k = np.arange(g // 2 + 1)
    folded = pmf[..., : len(k)] + np.where(k < g - k, pmf[..., ::-1][..., : len(k)], 0)
    return k * (g - k) / g**2, folded


@question
def variance_of_advantage_variance(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Variance of v = K(g-K)/g^2 over groups (V2): (g-1)/g^3 pq [(g-1)(1-2p)^2 + 2pq] for one prompt.

    For a population it includes the variance between prompts, and is summed over the pmf of K.

    Parameters
    ----------
    p : pass rate(s) or a distribution.
    g : group size, at least 2 (at most 4096 for a population).

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], g not a whole number of at least 2.

    Source: derived in docs/theory.md (V2).

    Examples
    --------
    At g = 2 every informative group has v = 1/4, so v is a coin: here with chance 1/2.

    >>> from rlsignal.theory import variance_of_advantage_variance
    >>> variance_of_advantage_variance(0.5, 2)
    0.015625
    """
    what, g = group(p, g)
    if isinstance(what, Fixed):
        p, pq = np.asarray(what.mean), np.asarray(what.reward_variance)
        return answer((g - 1) / g**3 * pq * ((g - 1) * (1 - 2 * p) ** 2 + 2 * pq))
    values, chances = advantage_variance_distribution(what, g)
    mean = (chances * values).sum(-1)
    return answer((chances * (values - mean[..., None]) ** 2).sum(-1))


@question
def degenerate_probability(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Chance that a group is degenerate, all of its rewards being the same (D1): E[p^g + (1-p)^g].

    Parameters
    ----------
    p : pass rate(s) or a distribution. The mean of a data set is not enough: at equal mean, prompts that differ
        give more degenerate groups, in public runs often ten times more.
    g : group size, at least 2; at most n for a `Recorded`.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], g not a whole number of at least 2, g above the samples of a `Recorded`.

    Source: arXiv 2606.18487 for one prompt; derived in docs/theory.md (D1), for Beta populations (D3).

    Examples
    --------
    A data set against what its mean alone would say:

    >>> from rlsignal import Beta, degenerate_probability
    >>> round(degenerate_probability(Beta(0.33, 0.49), 8), 2), round(degenerate_probability(0.33, 8), 2)
    (0.45, 0.04)
    """
    what, g = group(p, g)
    return answer(what.all_correct(g) + what.all_incorrect(g))


@question
def informative_probability(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Chance that a group is informative, its rewards not being all the same (D2): pass@g - E[p^g].

    Not 1 - `degenerate_probability` in floating point: it keeps its digits down to p = 1e-300.

    Parameters
    ----------
    p : pass rate(s) or a distribution.
    g : group size, at least 2; at most n for a `Recorded`.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : as `degenerate_probability`.

    Source: derived in docs/theory.md (D2).

    Examples
    --------
    >>> from rlsignal import informative_probability
    >>> informative_probability(1e-300, 8)
    8e-300
    """
    what, g = group(p, g)
    return answer(what.informative(g))


@question
def informative_group_bias(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """How far the mean reward of informative groups is from the pass rate (W3): (p q^g - q p^g) / (1 - D), q = 1-p.

    Positive on hard prompts, whose successes are then credited too little, and negative on easy ones. That is what
    selecting informative groups does to a baseline, and no bias of the gradient: over all groups, where degenerate
    ones have no update, the expected update is `Estimator.weight` times grad p, in the direction of grad p.

    Parameters
    ----------
    p : pass rate(s) in (0, 1), or a distribution (then over the informative groups of its prompts together).
    g : group size, at least 2; for a population at most 4095, for a `Recorded` at most n - 1.

    Returns
    -------
    float, or an array of p's shape; it tends to 1/g - p for rare successes.

    Raises
    ------
    ValueError : p outside [0, 1], a population without informative groups, g out of range.

    Source: derived in docs/theory.md (W3); HA-DW (2601.08521) discusses the conditional bias.

    Examples
    --------
    >>> from rlsignal.theory import informative_group_bias
    >>> informative_group_bias([0.05, 0.5, 0.95], 8).round(3)
    array([ 0.099,  0.   , -0.099])
    """
    what, g = group(p, g)
    informative = some_informative(what, g)
    if not isinstance(what, Fixed):  # p q^g is the chance that one given rollout of g+1 is the only correct one
        _, more = group(what, g + 1, name="g + 1", smallest=3, summed=True)
        pmf = what.pmf(more)
        return answer((pmf[..., 1] - pmf[..., -2]) / (more * informative))
    p = np.asarray(what.mean)
    hard = 1 - 2 * p  # exact near 1/2, where the answer changes sign
    rarer = np.minimum(p, 1 - p)
    with np.errstate(divide="ignore"):
        log_odds = np.log1p(-np.abs(hard) / (1 - rarer))
    lone = rarer * np.exp(g * np.log1p(-rarer)) * -np.expm1((g - 1) * log_odds)
    return answer(np.sign(hard) * lone / informative)


@question
def group_deviation(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Mean over groups of the rewards' s.d. inside them, ddof 1 (I6): E sqrt(K(g-K) / (g(g-1))).

    The third number of some logs: TRL's `reward_std` before version 0.27.0. It checks whether a Beta fitted to the
    other two holds. From 0.27.0 that name is the s.d. of the whole batch, which for binary rewards repeats the mean.

    Parameters
    ----------
    p : pass rate(s) or a distribution.
    g : group size in [2, 4096]; at most n for a `Recorded`.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], g out of range.

    Source: derived in docs/theory.md (I6).

    Examples
    --------
    >>> from rlsignal import Beta
    >>> from rlsignal.theory import group_deviation
    >>> round(group_deviation(Beta(0.2812, 0.542), 8), 3), round((0.2812 * 0.7188) ** 0.5, 3)
    (0.203, 0.45)
    """
    what, g = group(p, g, summed=True)
    k = np.arange(g + 1)
    return answer(what.pmf(g) @ np.sqrt(k * (g - k) / (g * (g - 1))))


def some_informative(what: PassRate, g: int) -> Floats:
    """The chance that a group is informative, or an error where it is 0."""
    informative = np.asarray(what.informative(g))
    if np.any(informative == 0):
        raise ValueError(
            "p must leave a chance of informative groups, got rewards that are always the same. Leave such prompts out."
        )
    return informative
