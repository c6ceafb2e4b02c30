"""What is done to an estimator from outside, as a table again: filters, lengths in the loss, a noisy verifier."""

from typing import Literal

import numpy as np

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.distributions import Fixed
from rlsignal.theory.estimators import Estimator, Keep, Side, kept_counts
from rlsignal.theory.frameworks import known


def filtered(estimator: Estimator, keep: Keep) -> Estimator:
    """An estimator whose groups are filtered by their successes (B6): its table, with 0 for groups that are dropped.

    Dropping degenerate groups changes nothing where advantages are 0 there anyway. Any other filter changes what is
    optimised: `weight` and `objective` say to what. Refilling the batch scales all prompts by one factor.

    Parameters
    ----------
    estimator : an Estimator such as GRPO.
    keep : (K, g) -> whether a group with K correct is kept, of the array K = 0..g.

    Raises
    ------
    ValueError : not an estimator; later, a filter that does not say yes or no of each K.

    Source: derived in docs/theory.md (B6).

    Examples
    --------
    NeMo-RL's filter of rows leaves no group with a lone success or failure, so rare successes have no weight:

    >>> from rlsignal.estimators import GRPO_NEMO, filtered
    >>> rows = filtered(GRPO_NEMO, lambda k, g: (k > 1) & (k < g - 1))
    >>> [[round(e.weight(p, 8), 3) for p in (0.01, 0.05, 0.1)] for e in (GRPO_NEMO, rows)]
    [[1.111, 1.469, 1.765], [0.154, 0.674, 1.146]]
    """
    inner = known(estimator)
    if not callable(keep):
        raise ValueError(f"keep must be a function of (K, g), got {keep!r}. Write lambda k, g: (k > 1) & (k < g - 1).")

    def row(reward: int) -> Side:
        return lambda K, g: inner.table(g)[reward] * kept_counts(keep, g)

    return Estimator(f"{inner.name}, filtered", row(1), row(0), smallest=inner.smallest)


def down_sampled(estimator: Estimator, kept: int) -> Estimator:
    """An estimator on the rollouts of a group that vary most: so many are kept, half of them correct if there are (B8).

    Of K correct ones among g, k' = the number nearest to kept/2 that K and g - K allow is kept, at random among equals,
    and the kept ones get the estimator's advantages for a group of their own. Averaged over which are kept that is a
    table for all g: A+(K) = (g/kept) (k'/K) A+(k') of the small group.

    Parameters
    ----------
    estimator : an Estimator such as GRPO.
    kept : rollouts that are trained on, at least 2; later groups must have at least as many.

    Returns
    -------
    Estimator. Its second moments are those of the averaged table, below those of the run.

    Source: PODS, 2504.13818; derived in docs/theory.md (B8).

    Examples
    --------
    A lone success of 16 is beside 3 failures instead of 15:

    >>> from rlsignal import GRPO
    >>> from rlsignal.estimators import down_sampled
    >>> [round(down_sampled(GRPO, kept).weight(0.01, 16), 2) for kept in (2, 4, 16)]
    [7.5, 6.57, 3.73]
    """
    inner = known(estimator)
    kept = _validate.whole("kept", kept, 2)

    def row(reward: int) -> Side:
        def advantage(K: Floats, g: int) -> Floats:
            correct = np.clip(kept // 2, kept - np.minimum(kept, g - K), np.minimum(K, kept)).astype(int)
            of_side, all_of_side = (correct, K) if reward else (kept - correct, g - K)
            share = np.divide(of_side, all_of_side, out=np.zeros_like(K), where=all_of_side > 0)
            return np.asarray(g / kept * share * inner.table(kept)[reward, correct])

        return advantage

    return Estimator(f"{inner.name}, {kept} kept", row(1), row(0), smallest=max(kept, inner.smallest))


def length_weighted(
    estimator: Estimator, *, correct: float, incorrect: float, loss: Literal["sequence", "token"] = "sequence"
) -> Estimator:
    """An estimator under a loss that weighs rollouts by length, where lengths go with verdicts only (W4).

    "sequence" divides each rollout by its own length, as GRPO's 1/|o| does: A+/T_C and A-/T_I. "token" divides the
    group by all of its tokens, as a mean over tokens does: both by their mean length (K T_C + (g-K) T_I)/g.

    Parameters
    ----------
    estimator : an Estimator such as GRPO.
    correct, incorrect : tokens of a correct and of an incorrect response, positive.
    loss : "sequence" or "token".

    Raises
    ------
    ValueError : not an estimator, lengths that are not positive, another loss.

    Source: derived in docs/theory.md (W4).

    Examples
    --------
    Short correct answers raise the weight of hard prompts, against that of long ones by 5 to 1:

    >>> from rlsignal import GRPO
    >>> from rlsignal.estimators import length_weighted
    >>> [round(length_weighted(GRPO, correct=c, incorrect=500).weight(0.02, 8) * 500, 2) for c in (100, 500)]
    [12.66, 2.57]
    """
    inner = known(estimator)
    each = [
        _validate.scalar(name, _validate.within(name, tokens, 0, np.inf, open_ends=True))
        for name, tokens in (("incorrect", incorrect), ("correct", correct))
    ]
    if loss not in ("sequence", "token"):
        raise ValueError(f"loss must be 'sequence' or 'token', got {loss!r}.")

    def row(reward: int) -> Side:
        def advantage(K: Floats, g: int) -> Floats:
            mean = (K * each[1] + (g - K) * each[0]) / g
            return np.asarray(inner.table(g)[reward] / (each[reward] if loss == "sequence" else mean))

        return advantage

    return Estimator(f"{inner.name}, {loss} mean", row(1), row(0), smallest=inner.smallest)


def under_noisy_verifier(estimator: Estimator, *, fnr: float, fpr: float) -> Estimator:
    """What an estimator does on average when a noisy verifier hands it the rewards (S7), as a table of the true ones.

    A'(r, K) is the mean advantage of a rollout of true reward r when K of the group are truly correct. Its weight is
    J w_g(p~) with J = 1 - FN - FP and p~ the verdicts' pass rate: so its `weight` and `objective`, and the flows,
    escape times, forecasts and KL fixed points of the theory, are those of a run with that verifier.

    Parameters
    ----------
    estimator : an Estimator such as GRPO.
    fnr, fpr : chances that a correct response is failed (false negative), and an incorrect one passed (false
        positive), in [0, 1]. Together above 1, pass rates fall.

    Returns
    -------
    Estimator. Its second moments lack the verdicts' own noise: they are not those of the run.

    Raises
    ------
    ValueError : not an estimator, rates outside [0, 1].

    Source: derived in docs/theory.md (S7).

    Examples
    --------
    >>> from rlsignal import GRPO
    >>> from rlsignal.estimators import under_noisy_verifier
    >>> from rlsignal.theory import noisy_pass_rate
    >>> noisy = under_noisy_verifier(GRPO, fnr=0.1, fpr=0.05)
    >>> round(noisy.weight(0.02, 8), 4), round(0.85 * GRPO.weight(noisy_pass_rate(0.02, fnr=0.1, fpr=0.05), 8), 4)
    (2.0576, 2.0576)
    """
    inner = known(estimator)
    missed, passed = (
        _validate.scalar(name, _validate.probability(name, value)) for name, value in (("fnr", fnr), ("fpr", fpr))
    )

    def verdict(chance: float, n: int) -> Floats:
        return Fixed(chance).pmf(n) if n else np.ones(1)

    def mean(g: int) -> Floats:
        """[2, g], indexed [verdict, correct others]: the mean advantage of a rollout of this verdict."""
        table = inner.table(g)
        beside = np.stack([table[0, :g], table[1, 1:]])
        verdicts = [np.convolve(verdict(1 - missed, j), verdict(passed, g - 1 - j)) for j in range(g)]
        return np.asarray([beside @ pmf for pmf in verdicts]).T

    def correct(K: Floats, g: int) -> Floats:
        no, yes = mean(g)
        return np.append(0.0, missed * no + (1 - missed) * yes)

    def incorrect(K: Floats, g: int) -> Floats:
        no, yes = mean(g)
        return np.append((1 - passed) * no + passed * yes, 0.0)

    name = f"{inner.name}, verifier with fnr {missed:g} and fpr {passed:g}"
    return Estimator(name, correct, incorrect, smallest=inner.smallest)
