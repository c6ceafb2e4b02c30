"""What filters cost and change: groups dropped by their successes or before they are whole, and a noisy verifier."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincc, gammaln

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.distributions import PassRate, group
from rlsignal.theory.estimators import Keep, informative_counts, kept_counts
from rlsignal.theory.pmf import answer
from rlsignal.theory.signal import informative_probability, some_informative


def rollouts_per_accepted_group(
    p: ArrayLike | PassRate, g: int, *, keep: Keep | None = None, first: int | None = None
) -> float | Floats:
    """Rollouts that a filter spends on each group that it keeps (B3, B6): g / P(kept).

    Parameters
    ----------
    p : pass rate(s) or a distribution.
    g : group size, at least 2; at most n for a `Recorded`.
    keep : (K, g) -> whether a group with K correct is kept, or the chance of it; None for the informative ones, as
        dynamic sampling.
    first : rollouts after which a group that will not be kept ends, as where `keep` is `screened(first)`: the others
        cost no more than these.

    Returns
    -------
    float, or an array of p's shape; inf where no group is ever kept.

    Raises
    ------
    ValueError : p outside [0, 1], g not a whole number of at least 2.

    Source: the method is DAPO's, arXiv 2503.14476; derived in docs/theory.md (B3, B6).

    Examples
    --------
    >>> from rlsignal import Beta
    >>> from rlsignal.theory import rollouts_per_accepted_group, screened
    >>> round(rollouts_per_accepted_group(0.02, 8), 1), round(rollouts_per_accepted_group(Beta(0.33, 0.49), 8), 1)
    (53.6, 14.5)
    >>> round(rollouts_per_accepted_group(0.02, 8, keep=lambda k, g: (k >= 0.2 * g) & (k <= 0.8 * g)), 0)
    774.0

    A look at two rollouts first, and six more where they differ:

    >>> round(rollouts_per_accepted_group(Beta(0.33, 0.49), 8, keep=screened(2), first=2), 1)
    14.9
    """
    if keep is None:
        share = np.asarray(informative_probability(p, g))
    else:
        what, g = group(p, g, summed=True)
        share = what.pmf(g) @ kept_counts(keep, g)
    looked = g if first is None else _validate.whole("first", first, 1, g)
    with np.errstate(divide="ignore"):
        return answer(looked / share + (g - looked))


def accepted_pmf(p: ArrayLike | PassRate, g: int, *, keep: Keep | None = None) -> Floats:
    """P(K = k | the group is kept) for k = 0..g, the pmf of K under a filter (B3, B6).

    Its mean over g is the mean reward that is logged of kept groups.

    Parameters
    ----------
    p : pass rate(s) [...] or a distribution.
    g : group size in [2, 4096]; at most n for a `Recorded`.
    keep : as for `rollouts_per_accepted_group`.

    Returns
    -------
    [..., g+1], with 0 where a group is dropped.

    Raises
    ------
    ValueError : as `rollouts_per_accepted_group`; a population of which no group is kept.

    Source: derived in docs/theory.md (B3, B6).

    Examples
    --------
    >>> from rlsignal.theory import accepted_pmf
    >>> accepted_pmf(0.5, 4).round(3)
    array([0.   , 0.286, 0.429, 0.286, 0.   ])
    """
    what, g = group(p, g, summed=True)
    if keep is None:
        some_informative(what, g)
    pmf = what.pmf(g) * kept_counts(keep or informative_counts, g)
    share = pmf.sum(-1, keepdims=True)
    if np.any(share == 0):
        raise ValueError("keep must leave a chance of kept groups, got none. Widen it, or leave such prompts out.")
    return np.asarray(pmf / share)


def screened(first: int) -> Keep:
    """A filter that looks at so many rollouts of a group first and goes on where they differ (B8), by the group's K.

    Of K correct ones among g, the first are a draw without replacement, so a group passes with the chance
    1 - [C(K, first) + C(g-K, first)] / C(g, first). With all g rollouts it is dynamic sampling.

    Parameters
    ----------
    first : rollouts, at least 2.

    Source: SPEED-RL, 2506.09016; derived in docs/theory.md (B8).

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.theory import screened
    >>> screened(2)(np.arange(5), 4).round(3)
    array([0.   , 0.5  , 0.667, 0.5  , 0.   ])
    """
    first = _validate.whole("first", first, 2)

    def keep(k: Floats, g: int) -> Floats:
        _validate.whole("g", g, first, way_out="Look at fewer rollouts first.")
        i = np.arange(first)
        same = [np.maximum(count[..., None] - i, 0) / (g - i) for count in (np.asarray(k), g - np.asarray(k))]
        return np.asarray(1 - same[0].prod(-1) - same[1].prod(-1)).clip(0, 1)

    return keep


def top_variance(p: PassRate, g: int, share: float) -> Keep:
    """A filter that keeps the groups of a large batch whose rewards vary most (B8), as a filter by K.

    Variance is K(g-K)/g^2: the counts nearest to g/2 are kept, whole ones first and the last one with what chance is
    left. Its threshold is that of the population, which a large batch shows.

    Parameters
    ----------
    p : the population of the batch, a distribution.
    g : group size in [2, 4096].
    share : of the groups that is kept, in (0, 1].

    Source: derived in docs/theory.md (B8).

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal import Fixed
    >>> from rlsignal.theory import top_variance
    >>> top_variance(Fixed(0.5), 4, 0.5)(np.arange(5), 4).round(3)
    array([0.  , 0.25, 1.  , 0.25, 0.  ])
    """
    what, g = group(p, g, summed=True)
    share = _validate.scalar("share", _validate.within("share", share, 0, 1))
    pmf, variance = what.pmf(g), np.arange(g + 1) * np.arange(g, -1, -1)
    if pmf.ndim > 1:
        raise ValueError(f"p must be one population, got {pmf.shape[:-1]} of them. Ask for each by itself.")
    more = np.array([pmf[variance > v].sum() for v in variance])
    equal = np.array([pmf[variance == v].sum() for v in variance])
    chances = np.divide(share - more, equal, out=np.zeros(g + 1), where=equal > 0).clip(0, 1)
    return lambda k, size: chances


def degenerate_again_probability(p: ArrayLike | PassRate, g: int) -> float | Floats:
    """Chance that a prompt's next group is degenerate, given that its last one was (B7): E[D^2] / E[D].

    What skipping the prompts of degenerate groups saves, while the policy has not moved.

    Parameters
    ----------
    p : pass rate(s), for which it is D itself, or a distribution.
    g : group size in [2, 2048]; a `Recorded` needs 2g samples.

    Returns
    -------
    float, or an array of p's shape; nan where no group is ever degenerate.

    Raises
    ------
    ValueError : p outside [0, 1], g out of range.

    Source: derived in docs/theory.md (B7).

    Examples
    --------
    >>> from rlsignal import Beta, degenerate_probability
    >>> from rlsignal.theory import degenerate_again_probability
    >>> data = Beta(0.33, 0.49)
    >>> round(degenerate_again_probability(data, 8), 2), round(degenerate_probability(data, 8), 2)
    (0.76, 0.45)
    """
    what, g = group(p, _validate.group_size(g))
    _, both = group(what, 2 * g, name="2 g", summed=True)
    pmf = what.pmf(both)
    twice = pmf[..., 0] + pmf[..., -1] + 2 * pmf[..., g] * np.exp(2 * gammaln(g + 1) - gammaln(2 * g + 1))
    once = np.asarray(what.all_correct(g)) + what.all_incorrect(g)
    with np.errstate(invalid="ignore"):
        return answer(twice / once)


def shortfall_probability(p: ArrayLike | PassRate, g: int, *, kept: int, sampled: int) -> float | Floats:
    """Chance that `sampled` groups hold fewer than `kept` informative ones (B4): P(Binomial(sampled, 1 - D) < kept).

    How often dynamic sampling gives up, when it may generate `sampled` groups for a batch of `kept`.

    Parameters
    ----------
    p : pass rate(s) or a distribution; of a population every group is of a prompt of its own.
    g : group size, at least 2; at most n for a `Recorded`.
    kept : informative groups wanted, at least 1.
    sampled : groups that may be generated: batches allowed times prompts in each, at least 1.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p, g, kept or sampled out of range.

    Source: derived in docs/theory.md (B4).

    Examples
    --------
    10 batches of 64 prompts for one batch of 64, at pass rates of 1 and 2 %:

    >>> from rlsignal.theory import shortfall_probability
    >>> [round(shortfall_probability(p, 8, kept=64, sampled=640), 3) for p in (0.01, 0.02)]
    [0.978, 0.0]
    """
    kept, sampled = _validate.whole("kept", kept, 1, 10**9), _validate.whole("sampled", sampled, 1, 10**9)
    return answer(shortfall(informative_probability(p, g), kept=kept, sampled=sampled))


def shortfall(informative: ArrayLike, *, kept: int, sampled: int) -> Floats:
    """`shortfall_probability` at this share of informative groups (B4)."""
    share = np.asarray(informative, np.float64)
    return np.ones_like(share) if kept > sampled else np.asarray(betaincc(kept, sampled - kept + 1, share))


def rollouts_to_informative(p: ArrayLike) -> float | Floats:
    """Rollouts of one prompt until both a correct and an incorrect one have been seen (B5), on average: 1/p + 1/q - 1.

    Parameters
    ----------
    p : pass rate(s) in (0, 1).

    Returns
    -------
    float of at least 3, or an array of p's shape.

    Raises
    ------
    ValueError : p outside (0, 1).

    Source: derived in docs/theory.md (B5).

    Examples
    --------
    >>> from rlsignal.theory import rollouts_to_informative
    >>> rollouts_to_informative(0.5), round(rollouts_to_informative(0.02), 2)
    (3.0, 50.02)
    """
    p = _validate.within("p", p, 0, 1, open_ends=True)
    return answer(1 / p + p / (1 - p))


def noisy_pass_rate(p: ArrayLike, *, fnr: float, fpr: float) -> float | Floats:
    """The pass rate that a noisy verifier reports (S7): p~ = (1 - FN) p + FP (1-p).

    Give it to what asks of rewards and groups, for what a log will show. What asks of the policy (flows, escape times,
    KL fixed points) takes the true pass rate and `under_noisy_verifier`; `noisy_verifier_efficiency` says what is left.

    Parameters
    ----------
    p : true pass rate(s) in [0, 1].
    fnr, fpr : chances that a correct response is failed (false negative), and an incorrect one passed (false
        positive); together at most 1.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : out of range; rates that add up to more than 1, with which verdicts mean their opposite.

    Source: derived in docs/theory.md (S7).

    Examples
    --------
    A third of the degenerate groups become informative, and not because anything was learned:

    >>> from rlsignal import degenerate_probability
    >>> from rlsignal.theory import noisy_pass_rate
    >>> p = noisy_pass_rate(0.02, fnr=0.1, fpr=0.05)
    >>> round(degenerate_probability(0.02, 8), 2), round(degenerate_probability(p, 8), 2)
    (0.85, 0.57)
    """
    p = _validate.probability("p", p)
    negatives, positives = _error_rates(fnr, fpr)
    return answer((1 - negatives) * p + positives * (1 - p))


def noisy_verifier_efficiency(p: ArrayLike, *, fnr: float, fpr: float) -> float | Floats:
    """Signal-to-noise ratio, squared, that a noisy verifier leaves where noise dominates (S7): J^2 pq / (p~ q~).

    J = 1 - FN - FP is what is left of grad p. The product is the squared correlation of verdict and truth: the share
    of the rollouts that still carries information.

    Parameters
    ----------
    p : true pass rate(s) in (0, 1).
    fnr, fpr : as `noisy_pass_rate`.

    Returns
    -------
    float in [0, 1], or an array of p's shape.

    Raises
    ------
    ValueError : p outside (0, 1), else as `noisy_pass_rate`.

    Source: derived in docs/theory.md (S7).

    Examples
    --------
    >>> from rlsignal.theory import noisy_verifier_efficiency
    >>> round(noisy_verifier_efficiency(0.02, fnr=0.1, fpr=0.05), 2)
    0.23
    """
    p = _validate.within("p", p, 0, 1, open_ends=True)
    negatives, positives = _error_rates(fnr, fpr)
    if negatives + positives == 1:  # a verdict that ignores the response
        return answer(np.zeros_like(p))
    passed = (1 - negatives) * p + positives * (1 - p)
    failed = negatives * p + (1 - positives) * (1 - p)
    return answer((1 - negatives - positives) ** 2 * (p / passed) * ((1 - p) / failed))


def _error_rates(fnr: float, fpr: float) -> tuple[float, float]:
    negatives = _validate.scalar("fnr", _validate.probability("fnr", fnr))
    positives = _validate.scalar("fpr", _validate.probability("fpr", fpr))
    way_out = "Beyond 1 verdicts mean their opposite: swap them."
    _validate.within("fnr + fpr", negatives + positives, 0, 1, way_out=way_out)
    return negatives, positives
