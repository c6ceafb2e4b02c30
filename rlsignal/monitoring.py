"""From a training log to its dead groups over time, and a warning when the run is dead or about to be."""

from typing import Any

import numpy as np
from scipy.special import ndtri

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.reading import read
from rlsignal.records import Rollouts, TrainingLog
from rlsignal.results import Trend
from rlsignal.theory.estimation import dispersion_for
from rlsignal.theory.intervals import bounded_interval
from rlsignal.theory.passrates import Beta
from rlsignal.theory.signal import degenerate_probability

DEAD = 0.9
"""A run in which more groups than this agree pays ten rollouts for the signal of one."""

CERTAIN = 4.0
"""Standard errors by which dead groups must have risen before a trend is believed."""


def track(
    data: Any, group_size: int | None = None, *, window: int = 20, groups: int | None = None, **reading: Any
) -> Trend:
    """Dead groups over the steps of a run, what explains them, and whether to worry.

    A window warns if its interval lies above 90% dead groups ("dead"), or if dead groups have risen since the first
    window by more than 4 standard errors and as much again would take them past 90% ("dying"). The false alarms and
    lead times of both are measured in docs/diagnosis.md.

    Parameters
    ----------
    data : a training log, at best with the fraction of groups without spread, or with one group in each row; or a dump
        of rollouts with steps. Whatever `read` takes, or what it returned.
    group_size : rollouts per prompt; default what the data states.
    window : logged rows taken together.
    groups : in a row; default inferred from the logged fractions.
    reading : options of `read`, such as reward="accuracy".

    Returns
    -------
    Trend. Where a log has mean rewards only, its dead groups are NaN: the mean alone bounds them from below, by
    `from_the_mean`, and by nothing from above.

    Raises
    ------
    ValueError : an unknown group size, fewer rows than one window, a dump without steps.

    Source: docs/diagnosis.md.

    Examples
    --------
    >>> rows = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5 + t / 200} for t in range(60)]
    >>> trend = track(rows, 8, groups=64)
    >>> trend.degenerate.round(2), trend.warned_at
    (array([0.55, 0.65, 0.75]), 59.0)
    """
    source = data if isinstance(data, Rollouts | TrainingLog) else read(data, **reading)
    log = by_step(source) if isinstance(source, Rollouts) else source.latest
    g = _size(log, group_size)
    window = _validate.whole("window", window, 1)
    one_each = log.samples == g
    dead = np.where(one_each, (log.correct == 0) | (log.correct == g), log.degenerate)
    counted = np.isfinite(dead) & np.isfinite(log.reward)
    told = counted if counted.any() else np.isfinite(log.reward)
    if told.sum() < window:
        raise ValueError(f"window must be at most the rows with a reward, got {window} and {told.sum()} such rows.")
    each = _groups(dead[counted], groups, one=bool(one_each[told].all()))
    blocks = [told.nonzero()[0][i : i + window] for i in range(0, int(told.sum()), window)]
    if len(blocks) > 1 and len(blocks[-1]) < (window + 1) // 2:
        blocks = [*blocks[:-2], np.concatenate(blocks[-2:])]
    reward, share = (np.array([x[block].mean() for block in blocks]) for x in (log.reward, dead))
    trials = np.array([len(block) * each for block in blocks], np.float64)
    low, high = bounded_interval(share, trials, (0.0, 1.0), float(ndtri(0.975)))
    step = np.array([log.step[block[-1]] for block in blocks])
    dispersion = np.array([_dispersion(m, d, g) for m, d in zip(reward, share, strict=True)])
    last = Beta(reward[-1], dispersion[-1]) if np.isfinite(dispersion[-1]) else None
    warned_at, warning = _warning(step, share, low, trials, reward)
    return Trend(
        group_size=g,
        window=window,
        groups=each,
        step=step,
        reward=reward,
        degenerate=share,
        low=np.asarray(low),
        high=np.asarray(high),
        from_the_mean=np.asarray(degenerate_probability(reward, g)),
        dispersion=dispersion,
        elsewhere={}
        if last is None
        else {str(size): float(degenerate_probability(last, size)) for size in (g // 2, 2 * g, 4 * g) if size > 1},
        warned_at=warned_at,
        warning=warning,
        notes=tuple(str(note) for note in source.notes),
    )


def by_step(rollouts: Rollouts) -> TrainingLog:
    """A dump of rollouts as a log: mean reward and dead fraction of each step, counted from its groups."""
    if rollouts.step is None:
        raise ValueError("data must have steps, got rollouts without any. Name their column with step=.")
    steps = rollouts.steps
    entries = [rollouts.step == step for step in steps]
    correct, samples = rollouts.correct, rollouts.samples
    sizes = set(samples.tolist())
    nothing = np.full(len(steps), np.nan)
    return TrainingLog(
        step=steps,
        reward=np.array([correct[x].sum() / samples[x].sum() for x in entries]),
        samples=np.array([samples[x].sum() for x in entries]),
        degenerate=np.array([np.mean((correct[x] == 0) | (correct[x] == samples[x])) for x in entries]),
        reward_std=nothing,
        reward_std_of="",
        entropy=nothing,
        superseded=np.zeros(len(steps), bool),
        group_size=sizes.pop() if len(sizes) == 1 else None,
        notes=rollouts.notes,
    )


def _size(log: TrainingLog, group_size: int | None) -> int:
    """The group size that was given, is stated, or is all that a row holds."""
    if group_size is not None:
        return _validate.group_size(group_size)
    rows = set(log.samples[log.samples > 0].tolist())
    if log.group_size is None and (len(rows) != 1 or np.isfinite(log.degenerate).any()):
        raise ValueError("group_size must be given, for the data does not state it.")
    return _validate.group_size(log.group_size if log.group_size is not None else rows.pop())


def _groups(dead: Floats, groups: int | None, *, one: bool) -> int:
    """Groups in a row: as given, one, or the fewest of which all fractions are whole counts."""
    if groups is not None:
        return _validate.whole("groups", groups, 1)
    if one or not len(dead):
        return 1
    for count in range(2, 1025):
        if np.all(np.abs(dead * count - np.rint(dead * count)) < 1e-3 * min(1, 100 / count)):
            return count
    return 1


def _dispersion(mean: float, dead: float, g: int) -> float:
    """What explains the two numbers; 0 where fewer agree than of identical prompts, NaN where the mean is 0 or 1."""
    if not 0 < mean < 1 or np.isnan(dead):
        return float("nan")
    alike = float(degenerate_probability(mean, g))
    return dispersion_for(mean, float(np.clip(dead, alike, 1.0)), g)


def _warning(step: Floats, dead: Floats, low: Any, trials: Floats, reward: Floats) -> tuple[float, str]:
    """The first window that warns, in one sentence with its evidence."""
    if np.isnan(dead).all():
        return float("nan"), (
            "This log does not tell how many groups agree: a mean reward bounds them from below only. Log "
            "frac_reward_zero_std of this reward, or dump the rollouts."
        )
    noise = dead * (1 - dead) / trials + 1 / (4 * trials**2)  # the second term keeps a window of one kind uncertain
    for i in range(len(dead)):
        side = "right" if reward[i] > 0.5 else "wrong"
        told = f"{dead[i]:.0%} of groups agree up to step {step[i]:g} (mean reward {reward[i]:.2f}, mostly all {side})"
        if low[i] > DEAD:
            return float(step[i]), f"The run is dead: {told}."
        rise = dead[i] - dead[0]
        if i and rise > CERTAIN * np.sqrt(noise[i] + noise[0]) and dead[i] + rise > DEAD:
            return float(step[i]), (
                f"The run is going dead: {told}, {rise:+.0%} since step {step[0]:g}; as much again leaves fewer than "
                f"{1 - DEAD:.0%} that teach."
            )
    return float("nan"), ""
