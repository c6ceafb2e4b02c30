"""Which group size, and what estimators make of the same rewards."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Advice:
    """Which group size, and why. `print` it for the reading.

    group_size : the recommendation.
    rollouts : per step, the budget that is shared out.
    estimator : whose weights are shown.
    lines : one AdviceLine for each group size.
    reasons : why this one.
    doubts : what would change it, and what counts cannot tell.
    """

    group_size: int
    rollouts: int
    estimator: str
    lines: tuple["AdviceLine", ...]
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
            "reasons": list(self.reasons),
            "doubts": list(self.doubts),
        }

    def __str__(self) -> str:
        lines = [
            f"g = {self.group_size}, for {self.rollouts} rollouts a step under {self.estimator}.",
            *_bulleted(self.reasons),
            "",
            "   g   informative   gain of doubling   prompts a step   informative groups   noise   hard prompts weigh",
        ]
        for x in self.lines:
            mark = ">" if x.group_size == self.group_size else " "
            gain = f"{x.gain:+.3f}" if np.isfinite(x.gain) else ""
            lines.append(
                f"{mark}{x.group_size:3d}   {x.informative:11.3f}   {gain:>16}   {x.prompts:14d}   "
                f"{x.informative_groups:18.1f}   {x.noise:5.2f}   {x.hard:17.2f}"
            )
        lines += [
            "",
            "informative: share of groups that teach, at equal steps. informative groups: at equal rollouts.",
            "noise: variance of an update at equal rollouts where noise dominates, 1 with a perfect baseline, g/(g-1).",
            "hard prompts weigh: weight of a prompt at p = 0.05 over that of one at p = 0.5.",
            "",
            "What would change it:",
            *_bulleted(self.doubts),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class AdviceLine:
    """One group size of an Advice.

    informative : share of groups that teach; gain : what doubling g adds to it, NaN for the largest.
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


@dataclass(frozen=True)
class SameRewards:
    """What each advantage estimator makes of one group.

    successes, group_size : K and g.
    estimators : names; the rest has one entry for each.
    right, wrong : the advantage of a right and of a wrong rollout; NaN where the group has none.
    total, mean_square : of the group's advantages.
    """

    successes: int
    group_size: int
    estimators: tuple[str, ...]
    right: tuple[float, ...]
    wrong: tuple[float, ...]
    total: tuple[float, ...]
    mean_square: tuple[float, ...]

    def __str__(self) -> str:
        head = f"{self.successes} of {self.group_size} right"
        width = max(len(head), *(len(name) for name in self.estimators))
        lines = [f"{head:{width}}    right    wrong      sum  mean square"]
        for name, *row in zip(self.estimators, self.right, self.wrong, self.total, self.mean_square, strict=True):
            right, wrong, total, square = ("-" if np.isnan(x) else f"{round(x, 3) + 0.0:.3f}" for x in row)
            lines.append(f"{name:{width}} {right:>8} {wrong:>8} {total:>8} {square:>12}")
        return "\n".join(lines)


def _bulleted(sentences: tuple[str, ...]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]
