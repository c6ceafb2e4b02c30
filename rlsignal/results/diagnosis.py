"""What an evaluation or a log says of a group size, and which checkpoint to start from."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Answer:
    """A number from data, and how sure it is.

    value, low, high : the estimate and its 95% interval.
    how : "samples" (unbiased, from the samples themselves), "Beta" (a fitted law; its own interval), or "bounds" (a
        fitted law, inside what every law that agrees with the samples allows; sampling noise included).
    warning : why the interval may hold less often than that; empty if nothing is known against it.
    """

    value: float
    low: float
    high: float
    how: str = "samples"
    warning: str = ""

    @property
    def summary(self) -> dict[str, Any]:
        """For machines; JSON-ready."""
        numbers = {"estimate": plain(self.value), "low": plain(self.low), "high": plain(self.high)}
        return {**numbers, "how": self.how, "warning": self.warning}

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class GroupSize:
    """What groups of one size give on these prompts.

    degenerate : share of groups without a signal; the informative share is the rest.
    from_the_mean : the degenerate share if all prompts had the mean pass rate.
    batch, informative, spread : groups in a batch, and the mean and standard deviation of the informative ones.
    rollouts : drawn for each informative group.
    """

    group_size: int
    degenerate: Answer
    from_the_mean: float
    batch: int
    informative: float
    spread: float
    rollouts: float


@dataclass(frozen=True)
class Finding:
    """One thing that the data says.

    kind : a word for machines.
    text : a sentence with its evidence.
    way_out : what to do about it; empty where nothing needs doing.
    weight : share of the rollouts at stake, or of how wrong one would be; findings are ranked by it.
    """

    kind: str
    text: str
    way_out: str = ""
    weight: float = 0.0

    def __str__(self) -> str:
        return f"{self.text} {self.way_out}".strip()


@dataclass(frozen=True)
class Diagnosis:
    """How much signal an evaluation promises. `print` it for the reading.

    source, checkpoint : what was diagnosed; checkpoint is empty where the data has none.
    prompts, samples : how many prompts, and the fewest samples of one.
    group_size : the one that was asked for.
    pass_at_1, pass_at_g : of the policy.
    signal : E[p(1-p)] over prompts; times (g-1)/g it is the variance of mean-centred advantages.
    dispersion : Var(p) / (mean (1 - mean)) of the pass rates.
    never, always : share of prompts with no sample right, and with every one.
    misfit_p : p-value of "the pass rates are a Beta"; NaN where the samples cannot tell.
    sizes : one GroupSize for each group size looked at.
    findings : what to know, the weightiest first.
    notes : what was met while reading.
    """

    source: str
    checkpoint: str
    prompts: int
    samples: int
    group_size: int
    pass_at_1: Answer
    pass_at_g: Answer
    signal: Answer
    dispersion: Answer
    never: float
    always: float
    misfit_p: float
    sizes: tuple[GroupSize, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def chosen(self) -> GroupSize:
        """At the group size that was asked for."""
        return next(size for size in self.sizes if size.group_size == self.group_size)

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "source": self.source,
            "checkpoint": self.checkpoint,
            "prompts": self.prompts,
            "samples": self.samples,
            "group_size": self.group_size,
            "pass_at_1": self.pass_at_1.summary,
            "pass_at_g": self.pass_at_g.summary,
            "signal": self.signal.summary,
            "dispersion": self.dispersion.summary,
            "never": self.never,
            "always": self.always,
            "misfit_p": plain(self.misfit_p),
            "degenerate": {str(size.group_size): size.degenerate.summary for size in self.sizes},
            "from_the_mean": {str(size.group_size): size.from_the_mean for size in self.sizes},
            "informative_per_batch": {
                str(size.group_size): {"batch": size.batch, "mean": size.informative, "sd": size.spread}
                for size in self.sizes
            },
            "rollouts_per_informative_group": {str(size.group_size): plain(size.rollouts) for size in self.sizes},
            "findings": [
                {"kind": x.kind, "text": x.text, "way_out": x.way_out, "weight": x.weight} for x in self.findings
            ],
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        checkpoint = f", checkpoint {self.checkpoint}" if self.checkpoint else ""
        batch = self.chosen.batch
        what = "groups" if self.source == "training log" else "prompts"
        lines = [f"{self.source}{checkpoint}: {self.prompts} {what} x {self.samples} samples", ""]
        lines += numbered(self.findings)
        lines += [
            "",
            f"pass@1               {self.pass_at_1}",
            f"{f'pass@{self.group_size}':<20} {self.pass_at_g}",
            f"signal E[p(1-p)]     {self.signal}",
            f"dispersion           {self.dispersion}",
            f"never right          {self.never:.0%} of the prompts in {self.samples} samples; always right "
            f"{self.always:.0%}",
            "",
            f"   g   dead groups [95%]       from the mean   informative of {batch}   rollouts for one   from",
        ]
        for size in self.sizes:
            mark = ">" if size.group_size == self.group_size else " "
            informative = f"{size.informative:.0f} ± {size.spread:.0f}"
            lines.append(
                f"{mark}{size.group_size:3d}   {size.degenerate!s:<23} {size.from_the_mean:10.3f}   "
                f"{informative:>18}   {size.rollouts:16.1f}   {_FROM[size.degenerate.how]}"
            )
        if self.notes:
            lines += ["", "Read with care:", *(f"  {note}" for note in self.notes)]
        return "\n".join(lines)


_FROM = {"samples": "its samples", "Beta": "a Beta law", "bounds": "a Beta law, in bounds"}


def plain(number: float) -> float | None:
    """For JSON, which has neither NaN nor infinity: None."""
    return float(number) if np.isfinite(number) else None


def numbered(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{i}. {finding}" for i, finding in enumerate(findings, 1)]
