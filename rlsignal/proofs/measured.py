"""What is measured on a group, from its rewards alone: each estimator written out as a framework computes it.

Nothing here knows the library's formulas or tables. Only square roots are irrational; each enters as the float that it
rounds to, which is a rational number, so what follows is exact again.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations
from math import exp, log, sqrt
from typing import Any, TypeVar

from rlsignal.proofs.enumeration import Advantages, Rewards, Statistic, mean, push, variance

Value = TypeVar("Value")


def degenerate(rewards: Rewards) -> bool:
    return len(set(rewards)) == 1


def informative(rewards: Rewards) -> bool:
    return len(set(rewards)) == 2


def centred(rewards: Rewards) -> list[Fraction]:
    """Dr. GRPO: the reward minus the group's mean."""
    centre = mean(rewards)
    return [reward - centre for reward in rewards]


def whitened(*, ddof: int = 0, epsilon: float = 0.0) -> Advantages:
    """GRPO, TRL, verl, OpenRLHF: that over (the group's s.d. + epsilon); 0 for 0/0."""

    def advantages_of(rewards: Rewards) -> list[Fraction]:
        scale = root(variance(rewards, ddof)) + Fraction(epsilon)
        return [a / scale if scale else a for a in centred(rewards)]

    return advantages_of


def per_success(rewards: Rewards) -> list[Fraction]:
    """MaxRL: the reward minus the group's mean, over that mean; 0 for 0/0."""
    return [a / mean(rewards) if any(rewards) else a for a in centred(rewards)]


def against_others(rewards: Rewards) -> list[Fraction]:
    """RLOO: the reward minus the mean of the others."""
    return [reward - mean(others(rewards, i)) for i, reward in enumerate(rewards)]


def whitened_by_others(rewards: Rewards) -> list[Fraction]:
    """NeMo: that over (the others' s.d. + 1e-6), or as it is where theirs is 0."""
    deviations = [root(variance(others(rewards, i), ddof=1)) for i in range(len(rewards))]
    scales = [deviation + Fraction(1e-6) if deviation else 1 for deviation in deviations]
    return [a / scale for a, scale in zip(against_others(rewards), scales, strict=True)]


def without_lone_peers(advantages: Advantages) -> Advantages:
    """NeMo's filter of rows: those whose peers have one reward are dropped, and the rest has its advantages anew."""

    def advantages_of(rewards: Rewards) -> list[Fraction]:
        kept = [i for i in range(len(rewards)) if len(set(others(rewards, i))) > 1]
        again = iter(advantages(tuple(rewards[i] for i in kept)) if len(kept) > 1 else [Fraction(0)] * len(kept))
        return [next(again) if i in kept else Fraction(0) for i in range(len(rewards))]

    return advantages_of


def per_token(advantages: Advantages, correct: int, incorrect: int) -> Advantages:
    """A loss that divides each rollout by its own tokens, so many if it is correct or incorrect."""
    return lambda rewards: [
        a / (correct if r else incorrect) for a, r in zip(advantages(rewards), rewards, strict=True)
    ]


def token_mean(advantages: Advantages, correct: int, incorrect: int) -> Advantages:
    """A loss that divides the group by all its tokens; times g, for the mean over rollouts."""
    return lambda rewards: [
        a * len(rewards) / sum(correct if r else incorrect for r in rewards) for a in advantages(rewards)
    ]


def only_if(condition: Callable[[Rewards], bool], advantages: Advantages) -> Advantages:
    """Groups of which the condition is not true are dropped."""
    return lambda rewards: advantages(rewards) if condition(rewards) else [Fraction(0)] * len(rewards)


def kept_mean(advantages: Advantages, groups: Sequence[Rewards], p: float) -> Fraction:
    """The update of a batch that averages over its informative groups; 0 where there are none."""
    kept = [Fraction(push(advantages, p)(group)) for group in groups if informative(group)]
    return mean(kept) if kept else Fraction(0)


def most_varied(kept: int, advantages: Advantages) -> Advantages:
    """Of all choices of so many rollouts the first with the most variance is trained on, as a group of its own."""

    def advantages_of(rewards: Rewards) -> list[Fraction]:
        def differing(chosen: Sequence[int]) -> int:
            correct = sum(rewards[i] for i in chosen)
            return correct * (kept - correct)

        chosen = max(combinations(range(len(rewards)), kept), key=differing)
        among = dict(zip(chosen, advantages(tuple(rewards[i] for i in chosen)), strict=True))
        return [among.get(i, Fraction(0)) * Fraction(len(rewards), kept) for i in range(len(rewards))]

    return advantages_of


def over_subsets(k: int) -> Advantages:
    """Pass@k training: subsets of k rollouts are correct if one of them is, whitened, and a rollout has their mean."""

    def advantages_of(rewards: Rewards) -> list[Fraction]:
        subsets = list(combinations(range(len(rewards)), k))
        worth = whitened()(tuple(max(rewards[i] for i in subset) for subset in subsets))
        return [mean([a for a, s in zip(worth, subsets, strict=True) if i in s]) for i in range(len(rewards))]

    return advantages_of


def correct_subsets(k: int) -> Advantages:
    """PKPO: the share of the subsets of k rollouts that hold this one and a correct one, times the group size."""

    def advantages_of(rewards: Rewards) -> list[Fraction]:
        subsets = list(combinations(range(len(rewards)), k))
        correct = [s for s in subsets if any(rewards[i] for i in s)]
        return [Fraction(len(rewards) * sum(i in s for s in correct), len(subsets)) for i in range(len(rewards))]

    return advantages_of


def against(baseline: Callable[[int, int], Fraction]) -> Advantages:
    """The reward minus a baseline that depends on (correct, seen) of the other rollouts."""

    def advantages_of(rewards: Rewards) -> list[Fraction]:
        rest = [others(rewards, i) for i in range(len(rewards))]
        return [reward - baseline(sum(o), len(o)) for reward, o in zip(rewards, rest, strict=True)]

    return advantages_of


def variance_over_groups(statistic: Statistic) -> Statistic:
    """The variance of a statistic, from the two halves of the rollouts: it needs no known mean."""

    def statistic_of(rewards: Rewards) -> Fraction:
        half = len(rewards) // 2
        gap = Fraction(statistic(rewards[:half])) - statistic(rewards[half:])
        return gap * gap / 2

    return statistic_of


def squared(advantages_of: Advantages) -> Statistic:
    return lambda rewards: mean([a**2 for a in advantages_of(rewards)])


def magnitude(advantages_of: Advantages) -> Statistic:
    return lambda rewards: mean([abs(a) for a in advantages_of(rewards)])


def surprises(rewards: Rewards, p: float) -> list[Fraction]:
    """-ln of the chance of each verdict."""
    return [Fraction(-log(p if reward else 1 - p)) for reward in rewards]


def halves(values: Sequence[Value]) -> tuple[Sequence[Value], Sequence[Value]]:
    """The two coins of every rollout: the first half, and the second."""
    return values[: len(values) // 2], values[len(values) // 2 :]


def three_levels(coins: Rewards) -> tuple[Any, ...]:
    """Rewards of 0, 1/2 and 1: half the sum of a rollout's two coins."""
    return tuple(Fraction(x + y, 2) for x, y in zip(*halves(coins), strict=True))


def with_bonus(coins: Rewards, size: Fraction) -> tuple[Any, ...]:
    """1 for the first coin of a rollout, and a bonus for the second."""
    return tuple(x + size * y for x, y in zip(*halves(coins), strict=True))


def after_a_group(advantages: Advantages, rewards: Rewards, p: float) -> Fraction:
    """The pass rate of a softmax over a correct and an incorrect response after a step of size 1 on this group."""
    each = advantages(rewards)
    correct, incorrect = (sum(a for a, r in zip(each, rewards, strict=True) if r == side) for side in (1, 0))
    log_odds = log(p / (1 - p)) + float((correct - incorrect) / len(rewards))
    return Fraction(1 / (1 + exp(-log_odds)))


def after_two_groups(advantages: Advantages, rewards: Rewards, p: float) -> Fraction:
    """That after two groups, the halves of rollouts at chance p; the second's are reweighted to the pass rate then."""
    first, second = halves(rewards)
    now = after_a_group(advantages, tuple(first), p)
    odds = now / Fraction(p), (1 - now) / (1 - Fraction(p))
    ratio = odds[0] ** sum(second) * odds[1] ** (len(second) - sum(second))
    return ratio * after_a_group(advantages, tuple(second), float(now))


def others(rewards: Rewards, i: int) -> Rewards:
    """The rewards without that of rollout i."""
    return rewards[:i] + rewards[i + 1 :]


def root(square: Fraction) -> Fraction:
    """The float of a square root, as the rational number that it is."""
    return Fraction(sqrt(square))
