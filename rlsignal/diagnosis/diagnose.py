"""From recorded rollouts to findings: how much signal, at which group size, and how sure that is.

No mathematics is done here: every number is a call of `rlsignal.theory` or `rlsignal.inference`.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from rlsignal import _validate
from rlsignal.data.gather import with_group_size
from rlsignal.data.read import as_data
from rlsignal.data.records import Readable, Rollouts, TrainingLog
from rlsignal.diagnosis.breakdown import moved, slices
from rlsignal.diagnosis.diagnosed import Diagnosis, GroupSize
from rlsignal.diagnosis.findings import findings
from rlsignal.diagnosis.prompts import by_prompt
from rlsignal.inference.evaluation import Evaluation, monotone
from rlsignal.inference.intervals import Estimate, dispersion_estimate
from rlsignal.theory.passk import pass_at_k
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import advantage_variance, degenerate_probability, informative_probability

GROUP_SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
"""Looked at besides the one that is asked for."""


def diagnose(
    data: "Readable",
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
    >>> from rlsignal import diagnose
    >>> found = diagnose({"prompt": range(60), "n": [8] * 60, "c": [0, 0, 0, 1, 5, 8] * 10})
    >>> found.chosen.degenerate.value, round(found.chosen.from_the_mean, 3)
    (0.6666666666666666, 0.063)
    >>> print(found.findings[0])
    67% [54%, 77%] of groups of 8 are degenerate (no gradient): of 64 groups, 21 ± 4 are informative. An informative
    group costs 24 rollouts; `rlsignal group-size` shows what other sizes would change.
    """
    g = _validate.group_size(group_size)
    batch = _validate.whole("batch", batch, 1)
    source = as_data(data, reading)
    rollouts = grouped(source, g) if isinstance(source, TrainingLog) else source
    name, others = "", 0
    if rollouts.checkpoints:
        chosen = rollouts.checkpoints[0] if checkpoint is None else checkpoint
        name, others = str(chosen) or "''", len(rollouts.checkpoints) - 1
        rollouts = rollouts.at(checkpoint=chosen)
    elif checkpoint is not None:
        raise ValueError(f"checkpoint must be left out, got {checkpoint!r}: the data names none.")
    notes = [note.sentence for note in rollouts.notes]
    if others:
        notes.append(f"{others} other checkpoints are left out; compare() ranks them, checkpoint= names one.")
    whole, rollouts = len(rollouts.prompt), with_samples(rollouts, fewest)
    if left_out := whole - len(rollouts.prompt):
        notes.append(f"{left_out} prompts with fewer than {fewest} samples are left out.")
    kind = "training log" if isinstance(source, TrainingLog) else "evaluation"
    if kind == "evaluation" and (len(rollouts.steps) > 1 or rollouts.prompts < len(rollouts.prompt)):
        kind = "training dump"
    diagnosis = _diagnosis(rollouts, g, batch, kind, name, tuple(notes))
    return replace(diagnosis, read_as=with_group_size(source.read_as, g))


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
    >>> from rlsignal import read
    >>> from rlsignal.diagnosis.diagnose import grouped
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


def counted(rollouts: Rollouts) -> tuple[Recorded, np.ndarray | None]:
    """The counts, and cluster labels where prompts come more than once."""
    prompts, labels = by_prompt(rollouts)
    if len(prompts) < 2:
        raise ValueError("data must hold at least two prompts, got one. An interval is over prompts.")
    return Recorded(rollouts.correct, rollouts.samples), labels if len(prompts) < len(labels) else None


def with_samples(rollouts: Rollouts, fewest: int) -> Rollouts:
    """The entries of at least so many samples."""
    keep = rollouts.samples >= _validate.whole("fewest", fewest, 1)
    if not keep.any():
        raise ValueError(f"fewest must leave some prompt, got {fewest} and at most {rollouts.samples.max()} samples.")
    return rollouts.only(keep)


def _diagnosis(rollouts: Rollouts, g: int, batch: int, kind: str, checkpoint: str, notes: tuple[str, ...]) -> Diagnosis:
    data, labels = counted(rollouts)
    correct, samples = np.asarray(data.correct), np.asarray(data.samples)
    seen = Evaluation(data, labels)
    still = seen.of_each_prompt(lambda p: np.asarray(informative_probability(p, g)))
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
        informative_of_never=_mean_of(still, correct == 0),
        informative_of_always=_mean_of(still, correct == samples),
        goodness_of_fit_p=float("nan") if seen.fit is None else seen.fit.goodness_of_fit_p,
        sizes=_at_sizes(seen, sorted({*GROUP_SIZES, g}), batch),
        slices=slices(rollouts, seen, g),
        move=moved(rollouts, seen),
        findings=(),
        notes=notes,
    )
    return replace(diagnosis, findings=findings(diagnosis))


def _dispersion(seen: Evaluation) -> Estimate:
    """Of the prompts with two samples or more."""
    if seen.reach < 2:
        return Estimate(float("nan"), 0.0, 1.0, "samples", "one sample of a prompt does not determine a dispersion.")
    part, labels, enough = seen.with_samples(2)
    if min(enough.sum(), len(np.unique(labels)) if labels is not None else 3) < 3:
        return Estimate(float("nan"), 0.0, 1.0, "samples", "fewer than 3 prompts do not determine a dispersion.")
    return dispersion_estimate(part, clusters=labels)


def _mean_of(values: np.ndarray, which: np.ndarray) -> float:
    return float(values[which].mean()) if which.any() else float("nan")


def _at_sizes(seen: Evaluation, sizes: list[int], batch: int) -> tuple[GroupSize, ...]:
    shares = monotone((seen.estimate(degenerate_probability, g) for g in sizes), min)
    return tuple(
        GroupSize(
            group_size=g,
            degenerate=share,
            from_the_mean=float(degenerate_probability(float(seen.data.mean), g)),
            batch=batch,
            informative=batch * (1 - share.value),
            informative_sd=float(np.sqrt(batch * share.value * (1 - share.value))),
            rollouts=g / (1 - share.value) if share.value != 1 else float("inf"),
        )
        for g, share in zip(sizes, shares, strict=True)
    )
