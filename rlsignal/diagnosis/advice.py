"""Advice on a group size: what is recommended, the table of sizes, and how it is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlsignal._show import Part, Result, Table, figure, plain
from rlsignal.diagnosis.diagnosed import noted, read_line
from rlsignal.inference.intervals import Estimate

FLAT = 0.1
"""Scores within this share of the best are as good: so little of a budget is nothing to choose by."""


@dataclass(frozen=True, repr=False)
class GroupSizeAdvice(Result):
    """Which group size, and why. `print` it for the reasons.

    group_size : the recommendation.
    similar : the sizes whose scores are not distinguished from the best, itself among them: within a tenth of it, or
        not shown by the samples to be below that.
    range : the smallest and the largest of them; a size between them may be shown to be worth less.
    rollouts : per step, the budget that is shared out.
    estimator : whose weights are shown.
    lines : one GroupSizeLine for each group size.
    reasons : why this one.
    doubts : what would change it, and what counts do not determine.
    sampling : what dynamic sampling costs at this size.
    run : what the whole run says, where its steps are given.
    notes, read_as : what is unusual in the data, and what it was taken for, from `read`.
    """

    group_size: int
    similar: tuple[int, ...]
    range: tuple[int, int]
    rollouts: int
    estimator: str
    lines: tuple["GroupSizeLine", ...]
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    sampling: tuple[str, ...]
    run: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    read_as: str = ""

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "read_as": self.read_as,
            "group_size": self.group_size,
            "similar": list(self.similar),
            "range": list(self.range),
            "rollouts": self.rollouts,
            "estimator": self.estimator,
            "informative": {str(x.group_size): plain(x.informative.value) for x in self.lines},
            "prompts_per_step": {str(x.group_size): x.prompts for x in self.lines},
            "informative_groups_per_step": {str(x.group_size): plain(x.informative_groups) for x in self.lines},
            "relative_noise": {str(x.group_size): x.noise for x in self.lines},
            "hard_over_even": {str(x.group_size): x.hard for x in self.lines},
            "lines": [line.summary for line in self.lines],
            "reasons": list(self.reasons),
            "doubts": list(self.doubts),
            "dynamic_sampling": list(self.sampling),
            "run": list(self.run),
            "notes": list(self.notes),
        }

    def _parts(self) -> Iterable[Part]:
        yield from read_line(self.read_as)
        span = f" ({listed(self.similar)} are not distinguished)" if len(self.similar) > 1 else ""
        yield f"g = {self.group_size}{span}, for {self.rollouts} rollouts a step under {self.estimator}."
        yield from (f"- {reason}" for reason in self.reasons)
        yield ""
        timed = self.lines[0].per_hour is not None
        known_exactly = self.lines[0].informative.how == "known"
        share = "informative" if known_exactly else "informative [95%]"
        head = ["prompts x g", share, "informative groups", "noise", "of full precision", "hard weigh"]
        yield Table(
            (*head, *["in a GPU hour [95%]"] * timed),
            [
                (
                    f"{x.prompts} x {x.group_size}",
                    figure(x.informative.value)
                    + (f" [{figure(x.informative.low)}, {figure(x.informative.high)}]" * (not known_exactly)),
                    "-" if np.isnan(x.informative_groups) else f"{x.informative_groups:.1f}",
                    f"{x.noise:.2f}",
                    "-" if np.isnan(x.score) else f"{x.score:.1f}",
                    f"{x.hard:.2f}",
                    *(_hourly(x.per_hour) for _ in range(timed)),
                )
                for x in self.lines
            ],
            marked=[x.group_size for x in self.lines].index(self.group_size),
        )
        yield ""
        yield "prompts x g, informative groups: in a step, at equal cost."
        yield "noise: g/(g-1), variance of an update at equal rollouts where noise dominates; 1: a perfect baseline."
        yield "of full precision: informative groups over their noise, which the advice makes large."
        yield "hard weigh: weight of a prompt at p = 0.05 over that of one at p = 0.5."
        yield ""
        yield "What would change it:"
        yield from (f"- {doubt}" for doubt in self.doubts)
        yield ""
        yield "Dynamic sampling:"
        yield from (f"- {sentence}" for sentence in self.sampling)
        if self.run:
            yield ""
            yield "Over the run:"
            yield from (f"- {sentence}" for sentence in self.run)
        yield from noted(self.notes)


@dataclass(frozen=True, repr=False)
class GroupSizeLine(Result):
    """One group size of a GroupSizeAdvice.

    informative : share of informative groups.
    prompts, informative_groups : per step, at the cost of the budget.
    noise : g/(g-1), variance of an update at equal rollouts where noise dominates, over that with a perfect baseline.
    score : informative groups over noise: so many groups with a perfect baseline would be worth as much.
    hard : the estimator's weight of a prompt at p = 0.05 over that of one at p = 0.5.
    per_hour : informative groups per GPU hour of sampling; None where the time of a rollout is not given.
    """

    group_size: int
    informative: Estimate
    prompts: int
    informative_groups: float
    noise: float
    score: float
    hard: float
    per_hour: Estimate | None = None

    @property
    def summary(self) -> dict[str, Any]:
        """For machines; JSON-ready."""
        return {
            "group_size": self.group_size,
            "informative": self.informative.summary,
            "prompts": self.prompts,
            "informative_groups": plain(self.informative_groups),
            "noise": self.noise,
            "score": plain(self.score),
            "hard_over_even": self.hard,
            "informative_groups_per_gpu_hour": None if self.per_hour is None else self.per_hour.summary,
        }


def _hourly(groups: Estimate | None) -> str:
    if groups is None:
        return ""
    value = "" if np.isnan(groups.value) else f"{groups.value:,.0f} "
    return f"{value}[{groups.low:,.0f}, {groups.high:,.0f}]"


def listed(sizes: Sequence[int]) -> str:
    """Sizes in words."""
    *first, last = map(str, sizes)
    return f"{', '.join(first)} and {last}" if first else last
