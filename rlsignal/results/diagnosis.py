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
        lines += _numbered(self.findings)
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


@dataclass(frozen=True)
class Comparison:
    """Checkpoints on the same prompts, by four predictors of what RL makes of them. `print` it for the reading.

    checkpoints : names, in the order given.
    group_size, prompts : how they were asked; how many prompts all of them share.
    pass_at_1, informative, pass_at_g : one Answer each.
    budgets, forecasts : learning rate times steps, and [budget][checkpoint], pass@1 after it by the mean field.
    disagree : (first, second, probability) for every pair: that informative fraction and pass@1 order them
        differently, given the noise of both.
    entropy : of each checkpoint in the data's own unit, NaN where missing.
    best : by each predictor, the checkpoint it would start from.
    findings : what to know, the weightiest first.
    """

    checkpoints: tuple[str, ...]
    group_size: int
    prompts: int
    pass_at_1: tuple[Answer, ...]
    informative: tuple[Answer, ...]
    pass_at_g: tuple[Answer, ...]
    budgets: tuple[float, ...]
    forecasts: tuple[tuple[float, ...], ...]
    disagree: tuple[tuple[str, str, float], ...]
    entropy: tuple[float, ...]
    best: dict[str, str]
    findings: tuple[Finding, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        named = {"pass_at_1": self.pass_at_1, "informative": self.informative, "pass_at_g": self.pass_at_g}
        return {
            "checkpoints": list(self.checkpoints),
            "group_size": self.group_size,
            "prompts": self.prompts,
            **{
                name: {x: answer.summary for x, answer in zip(self.checkpoints, answers, strict=True)}
                for name, answers in named.items()
            },
            "forecast": {
                f"{budget:g}": dict(zip(self.checkpoints, row, strict=True))
                for budget, row in zip(self.budgets, self.forecasts, strict=True)
            },
            "entropy": {name: plain(x) for name, x in zip(self.checkpoints, self.entropy, strict=True)},
            "disagree": [{"first": a, "second": b, "probability": x} for a, b, x in self.disagree],
            "best": dict(self.best),
            "findings": [
                {"kind": x.kind, "text": x.text, "way_out": x.way_out, "weight": x.weight} for x in self.findings
            ],
        }

    def __str__(self) -> str:
        width = max(10, *(len(name) for name in self.checkpoints))
        head = ["pass@1", "informative", f"pass@{self.group_size}"]
        lines = [f"{len(self.checkpoints)} checkpoints, {self.prompts} shared prompts, g = {self.group_size}", ""]
        lines += _numbered(self.findings)
        forecasts = "".join(f"{f'at {x:g}':>9}" for x in self.budgets)
        lines += ["", f"{'':{width}}  " + "".join(f"{name:<24}" for name in head) + forecasts]
        for i, name in enumerate(self.checkpoints):
            answers = "".join(f"{x[i]!s:<24}" for x in (self.pass_at_1, self.informative, self.pass_at_g))
            lines.append(f"{name:{width}}  {answers}" + "".join(f"{row[i]:9.3f}" for row in self.forecasts))
        lines += [
            "",
            f"at {', '.join(f'{x:g}' for x in self.budgets)}: forecast of pass@1 after this learning rate times steps, "
            "by the mean field of independent prompts.",
            f"best by {', by '.join(f'{by}: {name}' for by, name in self.best.items())}.",
        ]
        return "\n".join(lines)


_FROM = {"samples": "its samples", "Beta": "a Beta law", "bounds": "a Beta law, in bounds"}


def plain(number: float) -> float | None:
    """For JSON, which has neither NaN nor infinity: None."""
    return float(number) if np.isfinite(number) else None


def _numbered(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{i}. {finding}" for i, finding in enumerate(findings, 1)]


def _bulleted(sentences: tuple[str, ...]) -> list[str]:
    return [f"- {sentence}" for sentence in sentences]
