"""From recorded rollouts to findings: how much signal, at which group size, and how sure that is.

No mathematics is done here: every number is a call of `rlsignal.theory`; what is decided here is what to say.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, figure, plain
from rlsignal.data.read import read
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.inference.evaluation import Evaluation
from rlsignal.inference.intervals import Estimate, dispersion_estimate
from rlsignal.inference.population import posterior
from rlsignal.theory.passk import pass_at_k
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import advantage_variance, degenerate_probability, informative_probability


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
    informative_of_never, informative_of_always : share of informative groups on these prompts, by the fitted Beta.
    goodness_of_fit_p : p-value of "the pass rates are a Beta"; NaN where the samples do not allow a test.
    sizes : one GroupSize for each group size looked at.
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
        yield from noted(self.notes)


_FROM = {"samples": "samples", "Beta": "a Beta", "bounds": "a fit, in bounds"}


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


GROUP_SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
"""Looked at besides the one that is asked for."""


def diagnose(
    data: Any,
    group_size: int = 8,
    *,
    checkpoint: Any = None,
    batch: int = 64,
    fewest: int = 1,
    **reading: Any,
) -> Diagnosis:
    """How much signal does this policy give groups of this size, and what would others give?

    Parameters
    ----------
    data : an evaluation or a dump of rollouts: whatever `read` takes, or what it returned. A training log that says
        how many rollouts of one group stand behind each row is one too: each row is a group.
    group_size : g, at least 2.
    checkpoint : which one, where the data has several; default the first.
    batch : groups in a step, for the number of informative ones.
    fewest : prompts with fewer samples are left out, and the notes say how many.
    reading : options of `read`, such as reward="accuracy".

    Returns
    -------
    Diagnosis. Group sizes up to the samples that at least half of the prompts have are answered without bias, from the
    prompts that have as many; larger ones by a fit, inside bounds that assume no shape. Intervals cluster by
    prompt.

    Raises
    ------
    ValueError : as `read`; a checkpoint that is not there; nothing left to count; a log that counts no groups.

    Source: docs/diagnosis.md.

    Examples
    --------
    >>> found = diagnose({"prompt": range(60), "n": [8] * 60, "c": [0, 0, 0, 1, 5, 8] * 10})
    >>> found.chosen.degenerate.value, round(found.chosen.from_the_mean, 3)
    (0.6666666666666666, 0.063)
    >>> print(found.findings[0])
    67% [54%, 77%] of groups of 8 are degenerate (no gradient): of 64 groups, 21 ± 4 are informative. An informative
    group costs 24 rollouts; `rlsignal group-size` shows what other sizes would change.
    """
    g = _validate.group_size(group_size)
    batch = _validate.whole("batch", batch, 1)
    source = data if isinstance(data, Rollouts | TrainingLog) else read(data, **reading)
    rollouts = grouped(source, g) if isinstance(source, TrainingLog) else source
    name = ""
    if rollouts.checkpoints:
        name = rollouts.checkpoints[0] if checkpoint is None else checkpoint
        others = len(rollouts.checkpoints) - 1
        rollouts = rollouts.at(checkpoint=name)
    elif checkpoint is not None:
        raise ValueError(f"checkpoint must be left out, got {checkpoint!r}: the data names none.")
    notes = [str(note) for note in rollouts.notes]
    if name != "" and others:
        notes.append(f"{others} other checkpoints are left out; compare() ranks them, checkpoint= names one.")
    counts, labels, left_out = counted(rollouts, fewest)
    if left_out:
        notes.append(f"{left_out} prompts with fewer than {fewest} samples are left out.")
    kind = "training log" if isinstance(source, TrainingLog) else "evaluation" if labels is None else "training dump"
    diagnosis = _diagnosis(counts, labels, g, batch, kind, str(name), tuple(notes))
    return replace(diagnosis, read_as=source.read_as.replace("group size not stated", f"groups of {g}, as given"))


def grouped(log: TrainingLog, g: int) -> Rollouts:
    """A log whose every row is one group of g, as rollouts: each row a prompt of its own.

    Parameters
    ----------
    log : from `read`.
    g : group size, which every row must have.

    Returns
    -------
    Rollouts, one entry for each row that no restart superseded.

    Raises
    ------
    ValueError : rows of another or of an unknown number of rollouts.

    Source: docs/diagnosis.md.

    Examples
    --------
    >>> log = read([{"step": t, "reward_mean": t / 8, "loss": 0.0} for t in range(9)])
    >>> grouped(log, 8).correct
    array([0, 1, 2, 3, 4, 5, 6, 7, 8])
    """
    log = log.latest
    if not np.all(log.samples == g):
        known = sorted(set(log.samples[log.samples > 0].tolist()))
        raise ValueError(
            f"the log must count one group of {g} in each row, got rows of {known or 'unknown'} rollouts. A mean over "
            "several groups does not determine how many are degenerate; use track() for logs with that column."
        )
    return Rollouts(tuple(range(len(log.step))), log.correct, log.samples, step=log.step, notes=log.notes)


def counted(rollouts: Rollouts, fewest: int) -> tuple[Recorded, np.ndarray | None, int]:
    """The counts, cluster labels where prompts come more than once, and how many entries were left out."""
    keep = rollouts.samples >= _validate.whole("fewest", fewest, 1)
    if not keep.any():
        raise ValueError(f"fewest must leave some prompt, got {fewest} and at most {rollouts.samples.max()} samples.")
    if len({prompt for prompt, kept in zip(rollouts.prompt, keep, strict=True) if kept}) < 2:
        raise ValueError("data must hold at least two prompts, got one. An interval is over prompts.")
    prompts = [prompt for prompt, kept in zip(rollouts.prompt, keep, strict=True) if kept]
    ids = {prompt: i for i, prompt in enumerate(dict.fromkeys(prompts))}
    labels = np.array([ids[prompt] for prompt in prompts]) if len(ids) < len(prompts) else None
    return Recorded(rollouts.correct[keep], rollouts.samples[keep]), labels, int((~keep).sum())


def _diagnosis(
    data: Recorded, labels: np.ndarray | None, g: int, batch: int, kind: str, checkpoint: str, notes: tuple[str, ...]
) -> Diagnosis:
    correct, samples = np.asarray(data.correct), np.asarray(data.samples)
    seen = Evaluation(data, labels)
    signal = seen.estimate(advantage_variance, 2)
    diagnosis = Diagnosis(
        source=kind,
        checkpoint=checkpoint,
        prompts=len(correct) if labels is None else int(labels.max()) + 1,
        samples=seen.reach,
        fewest=int(samples.min()),
        group_size=g,
        pass_at_1=seen.estimate(pass_at_k, 1),
        pass_at_g=seen.estimate(pass_at_k, g),
        signal=Estimate(2 * signal.value, 2 * signal.low, 2 * signal.high, signal.how, signal.warning),
        dispersion=_dispersion(seen),
        never=float(np.mean(correct == 0)),
        always=float(np.mean(correct == samples)),
        informative_of_never=_still_informative(seen, correct == 0, g),
        informative_of_always=_still_informative(seen, correct == samples, g),
        goodness_of_fit_p=float("nan") if seen.fit is None else seen.fit.goodness_of_fit_p,
        sizes=tuple(_at_size(seen, size, batch) for size in sorted({*GROUP_SIZES, g})),
        findings=(),
        notes=notes,
    )
    return replace(diagnosis, findings=_findings(diagnosis))


def _dispersion(seen: Evaluation) -> Estimate:
    """Of the prompts with two samples or more."""
    if seen.reach < 2:
        return Estimate(float("nan"), 0.0, 1.0, "samples", "one sample of a prompt does not determine a dispersion.")
    part, labels, enough = seen.with_samples(2)
    if min(enough.sum(), len(np.unique(labels)) if labels is not None else 3) < 3:
        return Estimate(float("nan"), 0.0, 1.0, "samples", "fewer than 3 prompts do not determine a dispersion.")
    return dispersion_estimate(part, clusters=labels)


def _still_informative(seen: Evaluation, which: np.ndarray, g: int) -> float:
    """Share of informative groups on prompts that showed only one kind of sample, by the fitted Beta (I7)."""
    if seen.fit is None or not which.any():
        return float("nan")
    correct, samples = np.asarray(seen.data.correct)[which], np.asarray(seen.data.samples)[which]
    total = 0.0
    for (c, n), prompts in zip(*np.unique(np.stack([correct, samples], 1), axis=0, return_counts=True), strict=True):
        total += prompts * float(informative_probability(posterior(seen.fit.distribution, int(c), int(n)), g))
    return float(total / len(correct))


def _at_size(seen: Evaluation, g: int, batch: int) -> GroupSize:
    share = seen.estimate(degenerate_probability, g)
    return GroupSize(
        group_size=g,
        degenerate=share,
        from_the_mean=float(degenerate_probability(float(seen.data.mean), g)),
        batch=batch,
        informative=batch * (1 - share.value),
        informative_sd=float(np.sqrt(batch * share.value * (1 - share.value))),
        rollouts=g / (1 - share.value) if share.value != 1 else float("inf"),
    )


def _findings(found: Diagnosis) -> tuple[Finding, ...]:
    """What a careful colleague would point out, the weightiest first."""
    g, share, at_mean = found.group_size, found.chosen.degenerate, found.chosen.from_the_mean
    findings = [_headline(found)]
    if share.value - at_mean > max(0.02, share.value - share.low):
        findings.append(
            Finding(
                "the mean misleads",
                f"At the mean pass rate {found.pass_at_1.value:.3f} only {at_mean:.1%} of the groups would be "
                f"degenerate: prompts differ (dispersion {found.dispersion.value:.2f}), and thresholds on the mean do "
                "not apply.",
                "Judge by counts per prompt, as here.",
                share.value - at_mean,
            )
        )
    if found.pass_at_1.value in (0, 1):
        findings.append(_one_kind(found))
    elif found.samples > 1:
        findings += _one_sided(found)
    if found.samples < g and np.isfinite(share.value):
        findings.append(
            Finding(
                "few samples",
                f"{found.samples} samples of a prompt do not show groups of {g}: the value is that of a fit, "
                "and the brackets are what every distribution of pass rates allows that agrees with the samples.",
                f"Sample each prompt {g} times to need no fit.",
                share.high - share.low,
            )
        )
    if found.goodness_of_fit_p < 0.05:
        beyond = [size for size in found.sizes if size.degenerate.how == "bounds"]
        findings.append(
            Finding(
                "no Beta",
                f"The pass rates are not those of a Beta (p = {found.goodness_of_fit_p:.2g})"
                + (f"; above g = {found.samples} trust the brackets more than the value." if beyond else "."),
                "",
                0.05,
            )
        )
    if share.warning and share.how == "samples":
        findings.append(Finding("unsure", f"About the brackets: {share.warning}", "", 0.04))
    return tuple(sorted(findings, key=lambda finding: -finding.weight))


def _headline(found: Diagnosis) -> Finding:
    """How many groups are degenerate, or between what and what."""
    g, here, share = found.group_size, found.chosen, found.chosen.degenerate
    if np.isnan(share.value):
        return Finding(
            "degenerate groups",
            f"Between {share.low:.0%} and {share.high:.0%} of groups of {g} are degenerate (no gradient): "
            f"{share.warning}",
            f"Sample each prompt {g} times to know.",
            1.0,
        )
    action = "No group is informative: start from another checkpoint, or use easier or harder prompts."
    if np.isfinite(here.rollouts):
        action = (
            f"An informative group costs {here.rollouts:.0f} rollouts; `rlsignal group-size` shows what other sizes "
            "would change."
        )
    return Finding(
        "degenerate groups",
        f"{share.value:.0%} [{share.low:.0%}, {share.high:.0%}] of groups of {g} are degenerate (no gradient): of "
        f"{here.batch} groups, {here.informative:.0f} ± {here.informative_sd:.0f} are informative.",
        action,
        1.0,
    )


def _one_kind(found: Diagnosis) -> Finding:
    """All samples are correct, or none is."""
    mean = found.pass_at_1
    if mean.value == 0:
        return Finding(
            "all incorrect",
            f"No sample is correct: the mean pass rate may be anything up to {mean.high:.2g}.",
            "Check that the reward can be 1 at all (answer format, parser, time limit), then use easier prompts.",
            0.9,
        )
    return Finding(
        "all correct",
        f"All samples are correct: the mean pass rate may be anything from {mean.low:.2g}.",
        "Check that the reward can be 0 at all, then use harder prompts.",
        0.9,
    )


def _one_sided(found: Diagnosis) -> list[Finding]:
    """Prompts that showed one kind of sample only: whether to leave them out."""
    g, informative = found.group_size, 1 - found.chosen.degenerate.value
    findings = []
    for fraction, left, what, hard in (
        (found.never, found.informative_of_never, "never correct", "hard, not hopeless"),
        (found.always, found.informative_of_always, "always correct", "easy, not certain"),
    ):
        if fraction <= 0.1:
            continue
        text = f"{fraction:.0%} of the prompts are {what} in {found.samples} samples"
        lost = min(fraction * left / informative, 1.0) if informative > 0 else float("nan")
        if not left >= LITTLE:
            action = "They cost rollouts and give next to no gradient: leave them out, or sample them more to be sure."
        else:
            action = f"They are {hard}: leaving them out would lose about {lost:.0%} of the informative groups."
        more = (
            f"; by the fitted Beta {left:.0%} of groups of {g} on them are informative." if np.isfinite(left) else "."
        )
        findings.append(Finding(what, text + more, action, fraction / 2))
    return findings


LITTLE = 0.02
"""Prompts on which fewer groups than this are informative may as well be left out."""
