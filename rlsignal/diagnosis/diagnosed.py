"""What `diagnose` hands back, and what the results of diagnosis share: findings, and how they are listed."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from rlsignal._show import Part, Result, Table, figure, plain
from rlsignal.diagnosis.breakdown import Move, Slice
from rlsignal.inference.intervals import Estimate


@dataclass(frozen=True, repr=False)
class GroupSize(Result):
    """What groups of one size give on these prompts.

    degenerate : share of degenerate groups; the informative share is the rest.
    from_the_mean : the degenerate share if all prompts had the mean pass rate.
    batch, informative, informative_sd : groups in a batch, and the mean and standard deviation of the number of
        informative ones among them.
    rollouts : drawn for each informative group.
    """

    group_size: int
    degenerate: Estimate
    from_the_mean: float
    batch: int
    informative: float
    informative_sd: float
    rollouts: float


@dataclass(frozen=True, repr=False)
class Finding(Result):
    """One finding, with its evidence and what to do about it.

    name : a few words for machines.
    text : a sentence with its evidence.
    action : what to do about it; empty where nothing needs doing.
    weight : share of the rollouts at stake, or size of the error one would make; findings are ranked by it.
    """

    name: str
    text: str
    action: str = ""
    weight: float = 0.0

    @property
    def summary(self) -> dict[str, Any]:
        """For machines; JSON-ready."""
        return {"name": self.name, "text": self.text, "action": self.action, "weight": self.weight}

    def _parts(self) -> Iterable[Part]:
        yield f"{self.text} {self.action}".strip()


@dataclass(frozen=True, repr=False)
class Diagnosis(Result):
    """How much signal an evaluation holds for groups of each size. `print` it for the findings.

    source, checkpoint : what was diagnosed; checkpoint is empty where the data has none.
    prompts, samples, fewest : how many prompts, the samples that at least half of them have, and the fewest of one.
    group_size : the one that was asked for.
    pass_at_1, pass_at_g : of the policy.
    signal : E[p(1-p)] over prompts; times (g-1)/g it is the variance of mean-centred advantages.
    dispersion : Var(p) / (mean (1 - mean)) of the pass rates.
    never, always : share of prompts with no sample correct, and with every one correct.
    informative_of_never, informative_of_always : share of informative groups on these prompts, by the anchored fit.
    goodness_of_fit_p : p-value of "the pass rates are a Beta"; NaN where the samples do not allow a test.
    sizes : one GroupSize for each group size looked at.
    slices : degenerate groups and their cost by data set, difficulty, and epoch or third of a run.
    move : how far the policy of a dump moved; None where nothing tells.
    findings : what to know, the weightiest first.
    notes : what is unusual in the data, from `read`.
    read_as : what the data was taken for, from `read`.
    """

    source: str
    checkpoint: str
    prompts: int
    samples: int
    fewest: int
    group_size: int
    pass_at_1: Estimate
    pass_at_g: Estimate
    signal: Estimate
    dispersion: Estimate
    never: float
    always: float
    informative_of_never: float
    informative_of_always: float
    goodness_of_fit_p: float
    sizes: tuple[GroupSize, ...]
    slices: tuple[Slice, ...]
    move: Move | None
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    read_as: str = ""

    @property
    def chosen(self) -> GroupSize:
        """At the group size that was asked for."""
        return next(size for size in self.sizes if size.group_size == self.group_size)

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "read_as": self.read_as,
            "source": self.source,
            "checkpoint": self.checkpoint,
            "prompts": self.prompts,
            "samples": self.samples,
            "fewest": self.fewest,
            "group_size": self.group_size,
            "pass_at_1": self.pass_at_1.summary,
            "pass_at_g": self.pass_at_g.summary,
            "signal": self.signal.summary,
            "dispersion": self.dispersion.summary,
            "never": self.never,
            "always": self.always,
            "informative_of_never": plain(self.informative_of_never),
            "informative_of_always": plain(self.informative_of_always),
            "goodness_of_fit_p": plain(self.goodness_of_fit_p),
            "degenerate": {str(size.group_size): size.degenerate.summary for size in self.sizes},
            "from_the_mean": {str(size.group_size): size.from_the_mean for size in self.sizes},
            "informative_per_batch": {
                str(size.group_size): {
                    "batch": size.batch,
                    "mean": plain(size.informative),
                    "sd": plain(size.informative_sd),
                }
                for size in self.sizes
            },
            "rollouts_per_informative_group": {str(size.group_size): plain(size.rollouts) for size in self.sizes},
            "slices": [x.summary for x in self.slices],
            "moved": None if self.move is None else self.move.summary,
            "findings": [finding.summary for finding in self.findings],
            "notes": list(self.notes),
        }

    def _parts(self) -> Iterable[Part]:
        checkpoint = f", checkpoint {self.checkpoint}" if self.checkpoint else ""
        what = "groups" if self.source == "training log" else "prompts"
        yield from read_line(self.read_as)
        fewest = f" (fewest {self.fewest})" if self.fewest < self.samples else ""
        yield f"{self.source}{checkpoint}: {self.prompts} {what} x {self.samples} samples{fewest}"
        yield ""
        yield from numbered(self.findings)
        yield ""
        numbers = (
            ("pass@1", self.pass_at_1),
            (f"pass@{self.group_size}", self.pass_at_g),
            ("signal E[p(1-p)]", self.signal),
            ("dispersion", self.dispersion),
        )
        yield Table(("policy", "estimate", "95%"), [(name, *value_and_interval(x)) for name, x in numbers])
        if self.samples > 1:
            yield f"{self.never:.0%} of the prompts have no correct sample, {self.always:.0%} have only correct ones."
        yield ""
        yield Table(
            ("g", "degenerate", "95%", "at the mean", f"informative of {self.chosen.batch}", "rollouts each", "from"),
            [
                (
                    str(x.group_size),
                    *value_and_interval(x.degenerate),
                    figure(x.from_the_mean),
                    "-" if np.isnan(x.informative) else f"{x.informative:.0f} ± {x.informative_sd:.0f}",
                    "-" if np.isnan(x.rollouts) else f"{x.rollouts:.1f}",
                    "bounds" if np.isnan(x.degenerate.value) else _FROM[x.degenerate.how],
                )
                for x in self.sizes
            ],
            marked=[x.group_size for x in self.sizes].index(self.group_size),
        )
        if self.sizes[-1].group_size > self.samples:
            yield (
                "anchored fit: its value; the interval holds what every distribution of pass rates allows that agrees "
                "with the samples. bounds: that alone."
            )
        for by, parts in groupby(self.slices, lambda x: x.by):
            yield ""
            yield _sliced(by, list(parts), self.group_size)
            if by == "correct samples":
                yield "expected of fresh groups, by the anchored fit: prompts are sorted by these samples."
        yield from noted(self.notes)


def _sliced(by: str, parts: list[Slice], g: int) -> Table:
    """A breakdown; the interval's column only where there are intervals."""
    known = not all(np.isnan(x.degenerate.low) for x in parts)
    head = (by, "prompts", "of a batch", f"degenerate at g = {g}", *["95%"] * known, "of all rollouts lost")
    rows = []
    for x in parts:
        value, interval = value_and_interval(x.degenerate)
        cost = "-" if np.isnan(x.cost) else f"{x.cost:.0%}"
        rows.append((x.name, str(x.prompts), f"{x.batch:.0%}", value, *[interval] * known, cost))
    return Table(head, rows)


_FROM = {"samples": "samples", "Beta": "a Beta", "bounds": "anchored fit"}


def numbered(findings: Iterable[Finding]) -> Iterable[str]:
    """Findings as a numbered list."""
    return (f"{i}. {finding.text} {finding.action}".rstrip() for i, finding in enumerate(findings, 1))


def read_line(read_as: str) -> Iterable[str]:
    """What the data was taken for, as a first line."""
    return (f"read as: {read_as}.",) if read_as else ()


def noted(notes: Iterable[str]) -> Iterable[str]:
    """Notes of the reader as a list, under a line of their own."""
    notes = tuple(notes)
    return ("", "Notes on the data:", *(f"- {note}" for note in notes)) if notes else ()


def value_and_interval(estimate: Estimate) -> tuple[str, str]:
    """Two cells of a table."""
    return figure(estimate.value), f"[{figure(estimate.low)}, {figure(estimate.high)}]"
