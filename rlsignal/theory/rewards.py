"""Rewards of more than two levels, and of two channels: what dividing by the group's s.d. does to them.

A response has one of a few rewards, level l with chance pi_l. A group is described by how many of its rollouts have
each level, which is multinomial; an estimator is any function from the rewards of a group to its advantages.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from rlsignal import _validate
from rlsignal._show import Part, Shown, Table, figure
from rlsignal._validate import Floats

Rule = Callable[[Floats], Floats]
"""The rewards of groups [..., g] to their advantages [..., g]."""

MOST_GROUPS = 200_000
"""Different groups that are listed: 8 rollouts of 12 levels, 64 of 4."""


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Levels(Shown):
    """One prompt whose responses have one of a few rewards (M1).

    Parameters
    ----------
    values : the rewards, [levels], all different.
    chances : of each, [levels], at least 0, adding up to 1.

    Raises
    ------
    ValueError : values that are not finite or not different; chances that are negative, do not add up to 1 to 1e-9, or
        are not one for each value.

    Source: docs/theory.md (M1).

    Examples
    --------
    >>> from rlsignal.theory import Levels
    >>> partial = Levels([0, 0.5, 1], [0.7, 0.2, 0.1])
    >>> round(partial.mean, 12), round(partial.variance, 12), round(partial.degenerate(8), 4)
    (0.2, 0.11, 0.0577)
    """

    values: Floats
    chances: Floats

    def __init__(self, values: ArrayLike, chances: ArrayLike) -> None:
        levels = np.atleast_1d(_validate.within("values", values, -1e150, 1e150))
        shares = np.atleast_1d(_validate.within("chances", chances, 0, 1))
        if levels.ndim > 1 or levels.shape != shares.shape or abs(float(shares.sum()) - 1) > 1e-9:
            raise ValueError(
                f"chances must be one number for each value, adding up to 1, got shape {shares.shape} adding up to "
                f"{float(shares.sum()):.6g} for values of shape {levels.shape}. Divide by the sum."
            )
        if len(np.unique(levels)) < len(levels):
            raise ValueError(
                f"values must all be different, got {levels.tolist()!r:.60}. Add up the chances of equal ones."
            )
        object.__setattr__(self, "values", levels)
        object.__setattr__(self, "chances", shares / shares.sum())

    @property
    def mean(self) -> float:
        """E[r]."""
        return float(self.chances @ self.values)

    @property
    def variance(self) -> float:
        """Var(r) of one reward; the expected variance (ddof 0) inside a group is (g-1)/g of it."""
        return float(self.chances @ (self.values - self.mean) ** 2)

    def degenerate(self, g: int) -> float:
        """Chance that all g rewards are the same, sum pi_l^g: the group has no variance."""
        return float((self.chances ** _validate.group_size(g)).sum())

    def _parts(self) -> Iterator[Part]:
        yield f"{len(self.values)} levels, mean {figure(self.mean)}, standard deviation {figure(self.variance**0.5)}"
        rows = [(f"{value:g}", figure(chance)) for value, chance in zip(self.values, self.chances, strict=True)]
        yield Table(("reward", "chance"), rows[:12])


def standardise(rewards: Floats, *, ddof: int = 0, epsilon: float = 0.0) -> Floats:
    """GRPO on any rewards [..., g]: less the group's mean, over its s.d. + epsilon; 0 in degenerate groups.

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.theory.rewards import standardise
    >>> standardise(np.array([0.0, 0.5, 1.0])).round(3)
    array([-1.225,  0.   ,  1.225])
    """
    centred = rewards - rewards[..., :1]  # exact where all rewards are the same
    centred = centred - centred.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).sum(-1, keepdims=True) / (rewards.shape[-1] - ddof)) + epsilon
    same = np.ptp(rewards, -1, keepdims=True) == 0
    return np.asarray(np.divide(centred, deviation, out=np.zeros_like(centred), where=~same))


def leave_one_out(rewards: Floats) -> Floats:
    """RLOO on any rewards [..., g]: less the mean of the others.

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.theory.rewards import leave_one_out
    >>> leave_one_out(np.array([0.0, 0.5, 1.0]))
    array([-0.75,  0.  ,  0.75])
    """
    g = rewards.shape[-1]
    return np.asarray((rewards - rewards.mean(-1, keepdims=True)) * (g / (g - 1)))


def level_weights(levels: Levels, g: int, rule: Rule = standardise) -> Floats:
    """w_l, the factors before grad pi_l in the expected update (M1): E[A_l(N + e_l)], N multinomial of g-1.

    A_l(N + e_l) is the advantage of a rollout of level l beside g-1 others with counts N. Since the chances add up to 1
    only differences of the w_l matter; of two levels 0 and 1 the difference is w_g(p) of W1.

    Parameters
    ----------
    levels : the rewards and their chances.
    g : group size, at least 2, in rollouts; with few enough different groups (200,000) to list them.
    rule : the estimator, from rewards [..., g] to advantages [..., g]; it must not depend on the order of the others.

    Returns
    -------
    [levels]. Where two rewards nearly coincide, as accurate as their difference is as floats.

    Raises
    ------
    ValueError : not Levels, g too large for so many levels, a rule that gives another shape or no finite numbers.

    Source: derived in docs/theory.md (M1).

    Examples
    --------
    Dividing by the s.d. raises partial credit, here from a half of full credit to two thirds:

    >>> from rlsignal.theory import Levels, level_weights
    >>> from rlsignal.theory.rewards import leave_one_out, standardise
    >>> partial = Levels([0, 0.5, 1], [0.7, 0.2, 0.1])
    >>> for rule in (leave_one_out, standardise):
    ...     w = level_weights(partial, 8, rule)
    ...     print((w - w[0]).round(3))
    [0.  0.5 1. ]
    [0.    1.611 2.405]
    """
    if not isinstance(levels, Levels):
        raise ValueError(f"levels must be Levels(values, chances), got {levels!r:.60}.")
    g, size = _validate.group_size(g), len(levels.values)
    groups = np.exp(gammaln(g + size - 1) - gammaln(g) - gammaln(size))
    if groups > MOST_GROUPS:
        raise ValueError(f"g must be smaller for {size} levels, got {g}: {groups:.3g} different groups. Merge levels.")
    others = np.array(list(combinations_with_replacement(range(size), g - 1)))
    counts = (others[:, :, None] == np.arange(size)).sum(1)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(counts > 0, counts * np.log(levels.chances), 0.0).sum(-1)
    chances = np.exp(gammaln(g) - gammaln(counts + 1).sum(-1) + logs)
    weights = np.empty(size)
    for level, value in enumerate(levels.values):
        rewards = np.concatenate([np.full((len(others), 1), value), levels.values[others]], -1)
        advantages = np.asarray(rule(rewards))
        if advantages.shape != rewards.shape or not np.all(np.isfinite(advantages)):
            raise ValueError(
                f"rule must give every rollout a finite advantage, [..., g] from [..., g], got {advantages.shape} from "
                f"{rewards.shape}. Return 0 where a group should not count."
            )
        weights[level] = chances @ advantages[:, 0]
    return weights + 0.0


class ChannelWeights(NamedTuple):
    """Factors before grad p_correct and grad p_bonus in the expected update."""

    correct: float
    bonus: float


def channel_weights(correct: float, bonus: float, g: int, *, size: float, rule: Rule = standardise) -> ChannelWeights:
    """What a second, small reward is worth to the update (M2): r = correct + size * bonus, the two independent.

    A format reward, say. Without division the weights are (1, size) for RLOO. Divided by the group's s.d., the bonus
    keeps the weight D_g(p_correct) w_g(p_bonus) however small it is: where all rollouts are correct, or all incorrect,
    it is all the variance that the group has, and its s.d. cancels its size.

    Parameters
    ----------
    correct, bonus : the chances of either, in [0, 1].
    g : group size, at least 2; at most 104 (the groups of four levels are listed).
    size : reward of the bonus, positive and not 1.
    rule : as for `level_weights`.

    Returns
    -------
    ChannelWeights(correct, bonus).

    Raises
    ------
    ValueError : arguments out of range, g too large.

    Source: derived in docs/theory.md (M2).

    Examples
    --------
    On a hard prompt the format is trained half as hard as the answer, whatever its reward:

    >>> from rlsignal.theory import channel_weights
    >>> from rlsignal.theory.rewards import leave_one_out
    >>> for size in (1e-2, 1e-6):
    ...     print([round(w, 2) for w in channel_weights(0.02, 0.5, 8, size=size)])
    [2.57, 1.58]
    [2.57, 1.58]
    >>> [round(w, 6) for w in channel_weights(0.02, 0.5, 8, size=1e-6, rule=leave_one_out)]
    [1.0, 1e-06]
    """
    c = _validate.scalar("correct", _validate.probability("correct", correct))
    f = _validate.scalar("bonus", _validate.probability("bonus", bonus))
    e = _validate.scalar("size", _validate.within("size", size, 0, 1e150, open_ends=True))
    joint = np.outer([1 - c, c], [1 - f, f])
    w = level_weights(Levels([0, e, 1, 1 + e], joint.ravel()), g, rule).reshape(2, 2)
    return ChannelWeights(float((w[1] - w[0]) @ [1 - f, f]), float([1 - c, c] @ (w[:, 1] - w[:, 0])))
