"""Exact enumeration: expectations over every possible group, in rational arithmetic.

A population is an urn: the chance that the next rollout is correct, given how many of those seen were. All 2^g strings
of rewards are listed, each is weighted by its exact chance, and a statistic of the rewards is averaged. Nothing is
summed over K and nothing is rounded; a float stands for the rational number that it is.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from itertools import product

from rlsignal import _validate

Number = int | float | Fraction
Rewards = tuple[int, ...]
Urn = Callable[[int, int], Fraction]
"""(successes, seen) -> the chance that the next rollout is correct."""
Statistic = Callable[[Rewards], Fraction | int]
"""What is measured on the rewards of one group; True and False count as 1 and 0."""
Advantages = Callable[[Rewards], Sequence[Fraction]]
"""The rewards of one group to the advantage of each of its rollouts."""

LARGEST_GROUP = 16
"""Beyond this the 2^g strings take minutes."""


def fixed(p: Number) -> Urn:
    """One prompt of pass rate p: every rollout has the same chance (L1).

    Raises
    ------
    ValueError : p outside [0, 1].

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import fixed
    >>> fixed(Fraction(1, 3))(2, 5)
    Fraction(1, 3)
    """
    _validate.probability("p", float(p))
    chance = Fraction(p)
    return lambda successes, seen: chance


def beta(mean: Number, dispersion: Number) -> Urn:
    """A Beta population of prompts, from which one is drawn per group: each success makes the next likelier (L2).

    The mean of p given the rollouts seen: (mean (1-rho) + successes rho) / (1-rho + seen rho), rho the dispersion.

    Raises
    ------
    ValueError : mean or dispersion outside [0, 1].

    Source: Pólya's urn; docs/theory.md (L2).

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import beta
    >>> beta(Fraction(1, 2), Fraction(1, 3))(1, 1)
    Fraction(2, 3)
    """
    _validate.probability("mean", float(mean))
    _validate.probability("dispersion", float(dispersion))
    m, rho = Fraction(mean), Fraction(dispersion)
    return cache(lambda successes, seen: (m * (1 - rho) + successes * rho) / (1 - rho + seen * rho) if seen else m)


def recorded(correct: int, samples: int) -> Urn:
    """One prompt's recorded samples, drawn without replacement (L3).

    Raises
    ------
    ValueError : correct outside [0, samples]; later, a group larger than the samples.

    Examples
    --------
    >>> from rlsignal.proofs.enumeration import recorded
    >>> recorded(1, 4)(0, 2)
    Fraction(1, 2)
    """
    _validate.counts([correct], samples)

    def chance(successes: int, seen: int) -> Fraction:
        _validate.whole("g", seen + 1, 1, samples)
        return Fraction(correct - successes, samples - seen)

    return chance


def mixture(parts: Sequence[Urn], weights: Sequence[Number]) -> Urn:
    """Several urns, of which one is drawn per group: the rollouts seen say which it may be (L4).

    Examples
    --------
    Of a prompt that is impossible or always solved, one rollout says which:

    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import fixed, mixture
    >>> mixture([fixed(0), fixed(1)], [Fraction(1, 2), Fraction(1, 2)])(1, 1)
    Fraction(1, 1)
    """

    def success(successes: int, seen: int) -> Fraction:
        string = (1,) * successes + (0,) * (seen - successes)
        shares = [Fraction(weight) * chance(string, urn) for weight, urn in zip(weights, parts, strict=True)]
        chances = (share * urn(successes, seen) for share, urn in zip(shares, parts, strict=True))
        return sum(chances, Fraction(0)) / sum(shares) if any(shares) else Fraction(0)

    return cache(success)


def every_group(g: int) -> Iterator[Rewards]:
    """All 2^g strings of g rewards, counting up in binary.

    Raises
    ------
    ValueError : g not a whole number in [1, 16].

    Examples
    --------
    >>> from rlsignal.proofs.enumeration import every_group
    >>> list(every_group(2))
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    return product((0, 1), repeat=_validate.whole("g", g, 1, LARGEST_GROUP, way_out="All 2^g groups are listed."))


def chance(rewards: Rewards, urn: Urn) -> Fraction:
    """The chance of exactly this string of rewards, one rollout after the other.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import chance, fixed
    >>> chance((1, 0), fixed(Fraction(1, 3)))
    Fraction(2, 9)
    """
    total, successes = Fraction(1), 0
    for seen, reward in enumerate(rewards):
        success = urn(successes, seen)
        total *= success if reward else 1 - success
        successes += reward
    return total


def expectation(statistic: Statistic, urn: Urn, g: int) -> Fraction:
    """The exact mean of a statistic over every group of g rollouts: sum of chance(r) statistic(r) over all 2^g r.

    Parameters
    ----------
    statistic : a function of the tuple of g rewards, each 0 or 1; what it returns must be rational too.
    urn : `fixed(p)`, `beta(mean, dispersion)`, `mixture(parts, weights)` or `recorded(correct, samples)`.
    g : group size in [1, 16].

    Raises
    ------
    ValueError : g not a whole number in [1, 16].

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import expectation, fixed, variance
    >>> expectation(variance, fixed(Fraction(1, 5)), 8)  # V1: (1/5) (4/5) (7/8)
    Fraction(7, 50)
    """
    return sum((share * value for share, value in cases(statistic, urn, g)), Fraction(0))


def cases(statistic: Statistic, urn: Urn, g: int) -> Iterator[tuple[Fraction, Fraction | int]]:
    """The chance of every group and what the statistic says of it, in the order of `every_group`.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import cases, fixed
    >>> [(str(share), value) for share, value in cases(sum, fixed(Fraction(1, 3)), 2)]
    [('4/9', 0), ('2/9', 1), ('2/9', 1), ('1/9', 2)]
    """

    def grown(rewards: Rewards, share: Fraction) -> Iterator[tuple[Rewards, Fraction]]:
        """Every group that starts with these rewards, one rollout after the other: beginnings share their chance."""
        if len(rewards) == g:
            yield rewards, share
        else:
            success = urn(sum(rewards), len(rewards))
            yield from grown((*rewards, 0), share * (1 - success))
            yield from grown((*rewards, 1), share * success)

    every_group(g)  # checks g
    return ((share, statistic(rewards)) for rewards, share in grown((), Fraction(1)))


def pmf(urn: Urn, g: int) -> list[Fraction]:
    """P(K = k) for k = 0..g, found by listing strings.

    Examples
    --------
    >>> from rlsignal.proofs.enumeration import pmf, recorded
    >>> pmf(recorded(2, 4), 2)
    [Fraction(1, 6), Fraction(2, 3), Fraction(1, 6)]
    """
    chances = [Fraction(0)] * (g + 1)
    for rewards in every_group(g):
        chances[sum(rewards)] += chance(rewards, urn)
    return chances


def mean(values: Sequence[int] | Sequence[Fraction]) -> Fraction:
    """The mean of a group's rewards or advantages."""
    return Fraction(sum(values)) / len(values)


def variance(values: Sequence[int] | Sequence[Fraction], ddof: int = 0) -> Fraction:
    """The variance of a group's rewards or advantages around their own mean, its squares divided by g - ddof."""
    centre = mean(values)
    return sum(((value - centre) ** 2 for value in values), Fraction(0)) / (len(values) - ddof)


def score(rewards: Rewards, p: Number) -> list[Fraction]:
    """d/dp log P(r_i) = (r_i - p) / (p (1-p)) of each rollout: all that a policy gradient knows of the policy.

    Raises
    ------
    ValueError : p outside (0, 1).

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import score
    >>> score((1, 0), Fraction(1, 4))
    [Fraction(4, 1), Fraction(-4, 3)]
    """
    _validate.within("p", float(p), 0, 1, open_ends=True)
    p = Fraction(p)
    return [(reward - p) / (p * (1 - p)) for reward in rewards]


def slope(statistic: Statistic, p: Number, g: int) -> Fraction:
    """d/dp of a statistic's mean, exactly: the mean of the statistic times the group's score.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import slope
    >>> slope(any, Fraction(1, 2), 3)  # of pass@3: 3 (1-p)^2
    Fraction(3, 4)
    """
    return expectation(lambda rewards: statistic(rewards) * sum(score(rewards, p)), fixed(p), g)


def push(advantages: Advantages, p: Number) -> Statistic:
    """The update of one group in units of grad p, (1/g) sum_i A_i (r_i - p)/(p(1-p)): its mean is w_g(p) (W1).

    Raises
    ------
    ValueError : p outside (0, 1), when the statistic is taken.

    Examples
    --------
    >>> from fractions import Fraction
    >>> from rlsignal.proofs.enumeration import expectation, fixed, mean, push
    >>> centred = lambda rewards: [reward - mean(rewards) for reward in rewards]
    >>> expectation(push(centred, Fraction(1, 5)), fixed(Fraction(1, 5)), 8)  # Dr. GRPO's (g-1)/g
    Fraction(7, 8)
    """
    return lambda rewards: mean([a * s for a, s in zip(advantages(rewards), score(rewards, p), strict=True)])


def turn(advantages: Advantages) -> Statistic:
    """What a rollout's advantage gains by being correct beside the others, averaged over the group (W1).

    It knows nothing of p, so its mean is w_g(p) averaged over whatever population the group comes from.
    """
    return lambda rewards: mean([_gain(advantages, rewards, i) for i in range(len(rewards))])


def rise(advantages: Advantages) -> Statistic:
    """What the group's advantages gain on its way up, over g: its mean is h_g(p) (W2).

    All rollouts start incorrect; those that end correct become so from left to right, each beside those before it.
    """

    def statistic(rewards: Rewards) -> Fraction:
        g = len(rewards)
        starts = {i: rewards[:i] + (0,) * (g - i) for i, reward in enumerate(rewards) if reward}
        return sum((_gain(advantages, start, i) for i, start in starts.items()), Fraction(0)) / g

    return statistic


def _gain(advantages: Advantages, rewards: Rewards, i: int) -> Fraction:
    """A_i with rollout i correct minus A_i with it incorrect, the others as they are."""
    before, after = rewards[:i], rewards[i + 1 :]
    return advantages((*before, 1, *after))[i] - advantages((*before, 0, *after))[i]
