"""Which group size, for a budget of rollouts.

As in `diagnose`, every number is a call of `rlsignal.theory`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, figure, plain
from rlsignal.inference.population import beta_estimate
from rlsignal.theory.distributions import PassRate, pass_rate
from rlsignal.theory.efficiency import Scores, best_group_size
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO, known
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import informative_probability
from rlsignal.theory.thresholds import group_size_for


@dataclass(frozen=True, repr=False)
class GroupSizeAdvice(Result):
    """Which group size, and why. `print` it for the reasons.

    group_size : the recommendation.
    rollouts : per step, the budget that is shared out.
    estimator : whose weights are shown.
    lines : one GroupSizeLine for each group size.
    reasons : why this one.
    doubts : what would change it, and what counts do not determine.
    """

    group_size: int
    rollouts: int
    estimator: str
    lines: tuple["GroupSizeLine", ...]
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "group_size": self.group_size,
            "rollouts": self.rollouts,
            "estimator": self.estimator,
            "informative": {str(x.group_size): x.informative for x in self.lines},
            "prompts_per_step": {str(x.group_size): x.prompts for x in self.lines},
            "informative_groups_per_step": {str(x.group_size): x.informative_groups for x in self.lines},
            "relative_noise": {str(x.group_size): x.noise for x in self.lines},
            "hard_over_even": {str(x.group_size): x.hard for x in self.lines},
            "lines": [line.summary for line in self.lines],
            "reasons": list(self.reasons),
            "doubts": list(self.doubts),
        }

    def _parts(self) -> Iterable[Part]:
        yield f"g = {self.group_size}, for {self.rollouts} rollouts a step under {self.estimator}."
        yield from (f"- {reason}" for reason in self.reasons)
        yield ""
        yield Table(
            ("g", "informative", "by doubling", "prompts", "informative groups", "noise", "hard prompts weigh"),
            [
                (
                    str(x.group_size),
                    figure(x.informative),
                    f"{x.gain:+.3f}" if np.isfinite(x.gain) else "-",
                    str(x.prompts),
                    f"{x.informative_groups:.1f}",
                    f"{x.noise:.2f}",
                    f"{x.hard:.2f}",
                )
                for x in self.lines
            ],
            marked=[x.group_size for x in self.lines].index(self.group_size),
        )
        yield ""
        yield "informative: their share; by doubling: what twice g adds to it."
        yield "prompts, informative groups: in a step, at equal rollouts."
        yield "noise: g/(g-1), variance of an update at equal rollouts where noise dominates; 1: a perfect baseline."
        yield "hard prompts weigh: weight of a prompt at p = 0.05 over that of one at p = 0.5."
        yield ""
        yield "What would change it:"
        yield from (f"- {doubt}" for doubt in self.doubts)


@dataclass(frozen=True, repr=False)
class GroupSizeLine(Result):
    """One group size of a GroupSizeAdvice.

    informative : share of informative groups; gain : what doubling g adds to it, NaN for the largest.
    prompts, informative_groups : per step, at equal rollouts.
    noise : g/(g-1), variance of an update at equal rollouts where noise dominates, over that with a perfect baseline.
    hard : the estimator's weight of a prompt at p = 0.05 over that of one at p = 0.5.
    """

    group_size: int
    informative: float
    gain: float
    prompts: int
    informative_groups: float
    noise: float
    hard: float

    @property
    def summary(self) -> dict[str, Any]:
        """For machines; JSON-ready."""
        return {
            "group_size": self.group_size,
            "informative": self.informative,
            "gain": plain(self.gain),
            "prompts": self.prompts,
            "informative_groups": self.informative_groups,
            "noise": self.noise,
            "hard_over_even": self.hard,
        }


LEAST_GROUPS = 16
"""Informative groups that a step should keep: fewer, and one prompt has a large say in an update."""

SMALLEST = 8
"""From here on a larger group takes at most 1/7 off the variance that finding the baseline adds."""

HARD, EVEN = 0.05, 0.5
"""The pass rates whose weights are compared."""


def recommend_group_size(
    p: ArrayLike | PassRate,
    *,
    rollouts: int = 512,
    informative: float = 0.5,
    estimator: Estimator = GRPO,
    scores: Scores | None = None,
    between: float | None = None,
    largest: int = 64,
) -> GroupSizeAdvice:
    """A group size for a budget of rollouts per step, with its reasons and what they hang on.

    From g = 8, where the baseline is found well enough, g is doubled while fewer than `informative` of the groups
    are informative and a step still keeps 16 that are. With the gradient noise given, `best_group_size` decides.

    Parameters
    ----------
    p : a pass rate, a `Beta`, or a `Recorded` evaluation (groups beyond its samples by the fitted Beta).
    rollouts : per step, shared out over prompts.
    informative : share of groups that should be informative, in (0, 1).
    estimator : whose weights of hard and even prompts are shown.
    scores, between : the gradient noise of the prompts and the variance of their gradients, as for `best_group_size`.
        Both or neither.
    largest : the largest group looked at, a power of two of at least 8.

    Returns
    -------
    GroupSizeAdvice.

    Raises
    ------
    ValueError : out of range; `rollouts` below two groups of the smallest size; only one of `scores` and `between`.

    Source: docs/diagnosis.md.

    Examples
    --------
    >>> advice = recommend_group_size(Beta(0.28, 0.54), rollouts=512)
    >>> advice.group_size, advice.reasons[0]
    (16, 'At g = 16, 56% of the groups are informative; at 8 it is 46%.')
    """
    what = pass_rate(p)
    rollouts = _validate.whole("rollouts", rollouts, 2 * SMALLEST)
    target = _validate.scalar("informative", _validate.within("informative", informative, 0, 1, open_ends=True))
    largest = _validate.whole("largest", largest, SMALLEST, 4096)
    if (scores is None) != (between is None):
        raise ValueError("scores and between must be given together, got one of them. See best_group_size().")
    sizes = [2**i for i in range(1, largest.bit_length()) if 2**i <= rollouts]
    shares = {g: _informative(what, g) for g in sizes}
    groups = {g: rollouts // g * shares[g] for g in sizes}
    chosen, reasons = SMALLEST, []
    while shares[chosen] < target and 2 * chosen in shares and groups[2 * chosen] >= LEAST_GROUPS:
        chosen *= 2
    if scores is not None and between is not None:
        chosen = min(best_group_size(scores, between), rollouts)
        if chosen not in shares:
            sizes = sorted([*sizes, chosen])
            shares[chosen] = _informative(what, chosen)
            groups[chosen] = rollouts // chosen * shares[chosen]
        reasons.append(f"The gradient noise that you gave is least at g = {chosen}, whatever the budget.")
    here = shares[chosen]
    below = [g for g in sizes if g < chosen]
    reasons.append(
        f"At g = {chosen}, {here:.0%} of the groups are informative"
        + (f"; at {below[-1]} it is {shares[below[-1]]:.0%}." if below else ".")
    )
    if 2 * chosen in shares:
        reasons.append(
            f"g = {2 * chosen} would make it {shares[2 * chosen]:.0%} and halve the prompts of a step: "
            f"{groups[2 * chosen]:.0f} informative groups instead of {groups[chosen]:.0f}."
        )
    reasons.append(
        f"Finding the baseline from {chosen - 1} others adds {1 / (chosen - 1):.0%} to the variance of an update; a "
        f"perfect one would add none."
    )
    if here < target:
        reasons.append(
            f"That is short of the {target:.0%} asked for, which takes {_size_for(what, target)}. Other prompts, or "
            "dynamic sampling, may be cheaper."
        )
    hard = known(estimator).weight(HARD, chosen) / estimator.weight(EVEN, chosen)
    doubts = (
        "Counts alone do not fix the best g: where noise dominates, the variance at fixed rollouts is g/(g-1) for any "
        "data. Give the gradient noise (scores=, between=) and it is computed.",
        f"Under {estimator.name} g also changes what is optimised: at g = {chosen} a prompt at p = {HARD:g} weighs "
        f"{hard:.2f} of one at {EVEN:g}. Compare group sizes at a learning rate tuned for each.",
        "At equal steps larger groups look better, at equal rollouts they rarely do: say which one you compare.",
        "Dynamic sampling replaces degenerate groups by more rollouts: "
        f"{chosen / here:.0f} for each group kept at g = {chosen}."
        if here
        else "Dynamic sampling finds no group to keep.",
    )
    lines = tuple(
        GroupSizeLine(
            group_size=g,
            informative=shares[g],
            gain=shares[2 * g] - shares[g] if 2 * g in shares else float("nan"),
            prompts=rollouts // g,
            informative_groups=groups[g],
            noise=g / (g - 1),
            hard=float(estimator.weight(HARD, g) / estimator.weight(EVEN, g)),
        )
        for g in sizes
    )
    return GroupSizeAdvice(chosen, rollouts, estimator.name, lines, tuple(reasons), doubts)


def _size_for(what: PassRate, target: float) -> str:
    try:
        return f"g = {group_size_for(_population(what), informative=target)}"
    except ValueError:
        return "groups of more than 4096"


def _population(what: PassRate) -> PassRate:
    """What answers for any g: of an evaluation, its fitted Beta."""
    return beta_estimate(what).distribution if isinstance(what, Recorded) else what


def _informative(what: PassRate, g: int) -> float:
    """Share of informative groups; beyond the samples of an evaluation by its fitted Beta."""
    if isinstance(what, Recorded) and g > np.min(what.samples):
        what = _population(what)
    return float(np.mean(np.asarray(informative_probability(what, g))))
