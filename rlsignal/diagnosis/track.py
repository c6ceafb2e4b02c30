"""From a training log to its degenerate groups over time, and a warning when few or no groups are informative."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtri

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, figure, plain
from rlsignal._validate import Floats
from rlsignal.data.cells import decimals
from rlsignal.data.gather import with_group_size
from rlsignal.data.read import as_data
from rlsignal.data.records import Readable, Rollouts, TrainingLog
from rlsignal.diagnosis.diagnosed import noted, read_line
from rlsignal.inference.intervals import Estimate, bounded_interval
from rlsignal.inference.population import log_estimate
from rlsignal.inference.sequential import log_e_process, overdispersion
from rlsignal.theory.distributions import Beta
from rlsignal.theory.signal import degenerate_probability
from rlsignal.theory.thresholds import dispersion_for


@dataclass(frozen=True, eq=False, repr=False)
class Trend(Result):
    """Degenerate groups of a run, window by window. `print` it for the table.

    group_size, window : rollouts per prompt, and logged rows in a window.
    groups : in a row, as stated or inferred; of a dump in the step that has the fewest; 1 where it is unknown, which
        makes the intervals wide.
    step : [windows], the last step of each.
    reward, degenerate, low, high : [windows], mean reward, share of degenerate groups, and its 95% interval. Rows that
        differ more than independent groups would count as fewer groups.
    independent : [windows], so many independent groups the shares of a window are worth.
    from_the_mean : [windows], that share if all prompts had the mean pass rate.
    expected : [windows], that share if only the mean had moved and the first window's dispersion had stayed.
    dispersion : [windows], of the Beta population that explains both; NaN where the mean is 0 or 1.
    elsewhere : (g, share of degenerate groups) that the last window's population would give other group sizes.
    rule : what warned first: "degenerate", "degenerating", "" for neither; "unknown" where the log does not count
        degenerate groups.
    warned_at : the step at which it did; NaN if never.
    warning : one sentence; empty if there is nothing to warn of.
    notes : what is unusual in the data, from `read`.
    read_as : what the data was taken for, from `read`.
    """

    axes: ClassVar = dict.fromkeys(
        ("step", "reward", "degenerate", "low", "high", "independent", "from_the_mean", "expected", "dispersion"), "W"
    )

    group_size: int
    window: int
    groups: int
    step: np.ndarray
    reward: np.ndarray
    degenerate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    independent: np.ndarray
    from_the_mean: np.ndarray
    expected: np.ndarray
    dispersion: np.ndarray
    elsewhere: tuple[tuple[int, Estimate], ...]
    rule: str
    warned_at: float
    warning: str
    notes: tuple[str, ...]
    read_as: str = ""

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        series = ("step", "reward", "degenerate", "low", "high", "from_the_mean", "expected", "dispersion")
        return {
            "read_as": self.read_as,
            "group_size": self.group_size,
            "window": self.window,
            "groups": self.groups,
            **{name: [plain(x) for x in getattr(self, name)] for name in series},
            "elsewhere": {str(g): answer.summary for g, answer in self.elsewhere},
            "rule": self.rule,
            "warned_at": plain(self.warned_at),
            "warning": self.warning,
            "notes": list(self.notes),
        }

    def _parts(self) -> Iterable[Part]:
        yield from read_line(self.read_as)
        yield self.warning or "Nothing to warn of."
        yield ""
        rows = []
        for i, share in enumerate(self.degenerate):
            bound = f"at least {self.from_the_mean[i]:.3f}"
            interval = f"{figure(share)} [{figure(self.low[i])}, {figure(self.high[i])}]"
            others = (self.from_the_mean[i], self.expected[i], self.dispersion[i])
            cells = (figure(self.reward[i]), bound if np.isnan(share) else interval, *map(figure, others))
            rows.append((f"{self.step[i]:g}", *cells))
        head = ("to step", "reward", "degenerate [95%]", "at the mean", "at first dispersion", "dispersion")
        yield Table(head, rows)
        yield f"windows of {self.window} rows, groups of {self.group_size}, {self.groups} a row."
        if self.elsewhere:
            shares = ", ".join(f"{share} at g = {g}" for g, share in self.elsewhere)
            yield f"By a Beta, the population of the last window has these shares of degenerate groups: {shares}."
        yield from noted(self.notes)


DEGENERATE = 0.9
"""A run in which more groups than this are degenerate pays ten rollouts for the signal of one."""

FALSE_ALARM = 0.05
"""The chance at most that a run of which a tenth of the groups is informative throughout ever warns; half a rule."""

LINES = (2, 4)
"""So many windows lie under the lines that are led on: short ones see a sudden turn, long ones a slow course."""

LOOKS = 4
"""So often in a window the lines are looked at."""


def track(
    data: "Readable", group_size: int | None = None, *, window: int = 20, groups: int | None = None, **reading: Any
) -> Trend:
    """Degenerate groups over the steps of a run, what explains them, and whether to worry.

    A run is called degenerate when it can be ruled out that a tenth of its groups is informative (I10): in every row,
    given the past, and rows differing by no more than half of that. It is called degenerating when it can be ruled out
    that the line through its last two, or four, windows stays below 90% degenerate groups for a window from now. Each
    has a chance of 2.5% of being wrong over the whole run, however often one looks. Rows that differ more than
    independent groups would count as fewer groups. False alarms and lead times of both are measured in docs/logs.md.

    Parameters
    ----------
    data : a training log, at best with the fraction of degenerate groups, or with one group in each row; or a dump
        of rollouts with steps. Whatever `read` takes, or what it returned.
    group_size : rollouts per prompt; default what the data states.
    window : logged rows taken together; of a run that has fewer, all of them.
    groups : in a row; default inferred from the logged fractions.
    reading : options of `read`, such as reward="accuracy".

    Returns
    -------
    Trend. Where a log has mean rewards only, its degenerate groups are NaN: the mean alone bounds them from below, by
    `from_the_mean`, and by nothing from above.

    Raises
    ------
    ValueError : an unknown group size, a dump without steps.

    Source: docs/theory.md (I10); docs/logs.md.

    Examples
    --------
    >>> from rlsignal import track
    >>> rows = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5 + t / 200} for t in range(80)]
    >>> trend = track(rows, 8, groups=64)
    >>> trend.degenerate.round(2), trend.warned_at
    (array([0.55, 0.65, 0.75, 0.85]), 79.0)
    """
    window = _validate.whole("window", window, 1)
    if groups is not None:
        groups = _validate.whole("groups", groups, 1)
    source = as_data(data, reading if isinstance(data, Rollouts | TrainingLog) else {"groups": groups, **reading})
    log = by_step(source) if isinstance(source, Rollouts) else source.latest
    g = _size(log, group_size)
    one_each = (log.samples == g) & (groups in (None, 1))
    logged = np.isfinite(log.degenerate).any()
    share = np.where(one_each & ~logged, (log.correct == 0) | (log.correct == g), log.degenerate)
    counted = np.isfinite(share)
    used = np.flatnonzero(counted if counted.any() else np.isfinite(log.reward))
    window = min(window, len(used))
    stated = log.groups if groups is None else groups
    each = _groups(share[counted], stated, one=bool(one_each[used].all()))
    notes = [
        note.sentence for note in source.notes if note.kind != "inferred" or groups is None
    ]  # of rollouts in a row
    if each == 1 and stated is None and not one_each[used].all() and counted.any():
        notes.append("How many groups stand behind a row is not stated, so each counts as one: groups= says how many.")
    blocks = [used[i : i + window] for i in range(0, len(used), window)]
    if len(blocks) > 1 and len(blocks[-1]) < (window + 1) // 2:
        blocks = [*blocks[:-2], np.concatenate(blocks[-2:])]
    rewarded = [block[np.isfinite(log.reward[block])] for block in blocks]  # a reward may be missing in a row
    reward = np.array([log.reward[rows].mean() if rows.size else np.nan for rows in rewarded])
    degenerate = np.array([share[block].mean() for block in blocks])
    differing = overdispersion(1 - share[counted], each)[-1] if counted.any() else 1.0
    trials = np.array([len(block) * each for block in blocks]) / differing
    low, high = bounded_interval(degenerate, trials, (0.0, 1.0), float(ndtri(0.975)))
    of_one = log.degenerate_of == ""  # else mean and share speak of two rewards, and explain nothing together
    dispersion = np.array([_dispersion(m, d if of_one else np.nan, g) for m, d in zip(reward, degenerate, strict=True)])
    at, rule = first_warning(share[counted], each, window=window)
    return Trend(
        group_size=g,
        window=window,
        groups=each,
        step=np.array([log.step[block[-1]] for block in blocks]),
        reward=reward,
        degenerate=degenerate,
        low=np.asarray(low),
        high=np.asarray(high),
        independent=trials,
        from_the_mean=_at_the_mean(reward, g),
        expected=_expected(reward, dispersion, g),
        dispersion=dispersion,
        elsewhere=_elsewhere(reward[-1], degenerate[-1], g, max(int(trials[-1]), 1)) if of_one else (),
        rule=rule if counted.any() else "unknown",
        warned_at=float(log.step[counted][at]) if rule else float("nan"),
        warning=_sentence(log.step[counted], share[counted], log.reward[counted], each, window, at, rule),
        notes=tuple(notes),
        read_as=with_group_size(source.read_as, g),
    )


def first_warning(share: Floats, groups: int, *, window: int = 20) -> tuple[int, str]:
    """The first row that warns, and by which rule: "degenerate", "degenerating", or -1 and "" for none.

    Parameters
    ----------
    share : [rows], of degenerate groups.
    groups : in a row.
    window : rows taken together, as in `track`.

    Raises
    ------
    ValueError : shares that are none or not of rows, a number of groups or of rows below 1.
    """
    share, groups = _validate.rows("share", share), _validate.whole("groups", groups, 1)
    window = _validate.whole("window", window, 1)
    found = {
        "degenerate": degenerate_rows(share, groups, window),
        "degenerating": degenerating_rows(share, groups, window),
    }
    first = {rule: int(np.argmax(rows)) for rule, rows in found.items() if rows.any()}
    rule = min(first, key=lambda name: first[name], default="")
    return first.get(rule, -1), rule


def degenerate_rows(share: Floats, groups: int, window: int) -> Any:
    """[..., rows], where it is ruled out that a tenth of the groups is informative (I10)."""
    level = 1 - DEGENERATE
    independent = groups / overdispersion(1 - share, groups, level=level)
    return log_e_process(1 - share, independent, level=level, spacing=window) > -np.log(FALSE_ALARM / 2)


def degenerating_rows(share: Floats, groups: int, window: int) -> Any:
    """[..., rows], where a line through the last windows surely leads past 90% within a window from now (I10)."""
    lines = [_leads_past(share, groups, window, n * window, FALSE_ALARM / 2 / len(LINES)) for n in LINES]
    return np.any(lines, axis=0)


def _leads_past(share: Floats, groups: int, window: int, size: int, chance: float) -> Any:
    """[..., rows], where a line through the last `size` rows does; `chance` of being wrong is spent over all looks."""
    warned = np.zeros(share.shape, bool)
    if share.shape[-1] < size:
        return warned
    at = np.arange(size) - (size - 1) / 2
    row = np.arange(share.shape[-1]) - share.shape[-1] / 2  # centred, so that the sums below lose fewer digits
    total, moment = _last(share, size), _last(share * row, size)
    mean, slope = total / size, (moment - (row[size - 1 :] - at[-1]) * total) / (at @ at)
    noise = np.maximum(mean * (1 - mean), 1 / (4 * size * groups)) / groups  # of a row; never 0
    noise = noise * overdispersion(1 - share, groups, level=1 - DEGENERATE)[..., size - 1 :]
    ahead = at[-1] + window
    error = np.sqrt(noise / size + ahead**2 * noise / (at @ at))
    since = np.arange(error.shape[-1])
    part, every = since // window + 1, max(window // LOOKS, 1)
    quantile = -ndtri(chance / (part * (part + 1)) * every / window)
    sure = (mean + slope * ahead - quantile * error > DEGENERATE) & (slope > quantile * np.sqrt(noise / (at @ at)))
    warned[..., size - 1 :] = sure & (since % every == 0)
    return warned


def _last(values: Floats, size: int) -> Floats:
    """[..., rows - size + 1], the sum of the last `size` values in each row from the first that has so many."""
    sums = np.cumsum(values, -1)
    return np.concatenate([sums[..., size - 1 : size], sums[..., size:] - sums[..., :-size]], -1)


def by_step(rollouts: Rollouts) -> TrainingLog:
    """A dump of rollouts as a log: mean reward and degenerate fraction of each step, counted from its groups."""
    if rollouts.step is None:
        raise ValueError("data must have steps, got rollouts without any. Name their column with step=.")
    steps, which = np.unique(rollouts.step, return_inverse=True)
    correct, samples = rollouts.correct, rollouts.samples
    successes, drawn, degenerate = (
        np.bincount(which, x) for x in (correct, samples, (correct == 0) | (correct == samples))
    )
    sizes, groups = set(samples.tolist()), np.bincount(which)
    nothing = np.full(len(steps), np.nan)
    return TrainingLog(
        step=steps,
        reward=successes / drawn,
        samples=drawn.astype(np.int64),
        degenerate=degenerate / groups,
        reward_std=nothing,
        reward_std_of="",
        entropy=nothing,
        superseded=np.zeros(len(steps), bool),
        group_size=sizes.pop() if len(sizes) == 1 else None,
        groups=int(groups.min()),
        notes=rollouts.notes,
        read_as=rollouts.read_as,
    )


def _size(log: TrainingLog, group_size: int | None) -> int:
    """The group size that was given, is stated, or is all that a row holds."""
    if group_size is not None:
        return _validate.group_size(group_size)
    rows = set(log.samples[log.samples > 0].tolist())
    if log.group_size is None and (len(rows) != 1 or np.isfinite(log.degenerate).any()):
        raise ValueError("group_size must be given, for the data does not state it: group_size=8 if it is 8.")
    return _validate.group_size(log.group_size if log.group_size is not None else rows.pop())


def _groups(share: Floats, groups: int | None, *, one: bool) -> int:
    """Groups in a row: as given, one, or the fewest of which all fractions are whole counts."""
    if groups is not None:
        return groups
    if one or not ((share > 0) & (share < 1)).any():
        return 1
    written = max(map(decimals, share.tolist()))
    most = 10**written // 10 if written in (2, 3) else 1024  # two or three decimals are rounded
    for count in range(2, most + 1):
        if np.all(np.abs(share * count - np.rint(share * count)) < 1e-3 * min(1, 100 / count)):
            return count
    return 1


def _at_the_mean(reward: Floats, g: int) -> Floats:
    """The share if all prompts had the mean pass rate; NaN where no mean is known."""
    known = np.isfinite(reward)
    return np.where(known, degenerate_probability(np.where(known, reward, 0.5), g), np.nan)


def _dispersion(mean: float, share: float, g: int) -> float:
    """What explains the two numbers; 0 where fewer are degenerate than of identical prompts, NaN at mean 0 or 1."""
    if not 0 < mean < 1 or np.isnan(share):
        return float("nan")
    alike = float(degenerate_probability(mean, g))
    return dispersion_for(mean, float(np.clip(share, alike, 1.0)), g)


def _expected(reward: Floats, dispersion: Floats, g: int) -> Floats:
    """Degenerate groups if the mean had moved as it did and the first window's dispersion had stayed."""
    known = dispersion[np.isfinite(dispersion)]
    if not known.size:
        return np.full(reward.shape, np.nan)
    return np.array([np.nan if np.isnan(m) else degenerate_probability(Beta(m, known[0]), g) for m in reward])


def _elsewhere(mean: float, share: float, g: int, groups: int) -> tuple[tuple[int, Estimate], ...]:
    """What the last window's population would give other group sizes, if it is a Beta (I6)."""
    if not 0 < mean < 1 or not 0 < share < 1 or groups < 2:
        return ()
    alike = float(degenerate_probability(mean, g))
    fit = log_estimate(mean, max(share, alike), g, groups)
    found = {size: fit.predict(degenerate_probability, size) for size in (g // 2, 2 * g, 4 * g) if size > 1}
    return tuple(found.items())


def _sentence(step: Floats, share: Floats, reward: Floats, groups: int, window: int, at: int, rule: str) -> str:
    """The warning, with its evidence."""
    if not share.size:
        return (
            "This log does not count degenerate groups: a mean reward bounds them from below only. Log "
            "frac_reward_zero_std of this reward, or dump the rollouts."
        )
    if not rule:
        so_far = f"Every group of the {share.size} rows so far is degenerate."
        return f"{so_far} {_causes(float(reward.mean()))}" if (share == 1).all() else ""
    rows = slice(max(at + 1 - (window if rule == "degenerate" else 2 * window), 0), at + 1)
    size = len(share[rows])
    mean, degenerate = float(reward[rows].mean()), float(share[rows].mean())
    evidence = (
        f"{degenerate:.0%} of {size * groups} groups are degenerate in the {size} rows up to step {step[at]:g} "
        + (f"(mean reward {mean:.2f}{_mostly(mean, degenerate)})" if mean == mean else "")
    ).rstrip()
    if rule == "degenerate" and at < window:
        return f"The run is degenerate from the start: {evidence}. {_causes(mean)}"
    if rule == "degenerate":
        return (
            f"The run is degenerate: {evidence}; with {1 - DEGENERATE:.0%} informative groups this warning comes in "
            "one run of 20 at most."
        )
    slope = np.polyfit(np.arange(size), share[rows], 1)[0]
    since = share[at + 1 :]
    ended = ""
    if len(since) >= window and since[-window:].mean() < DEGENERATE:
        ended = f" It has left that course: {since[-window:].mean():.0%} are degenerate in the last {window} rows."
    return (
        f"The run is degenerating: {evidence}, rising by {slope * window:.0%} every {window} rows; on this course "
        f"fewer than {1 - DEGENERATE:.0%} are informative within {window} more rows.{ended}"
    )


def _mostly(mean: float, degenerate: float) -> str:
    """Which degenerate groups are the most, where the mean allows one answer: the informative ones, of whatever mean
    between 0 and 1, leave a share of all-correct groups between mean - (1 - degenerate) and the mean.
    """
    if mean - (1 - degenerate) > degenerate / 2:
        return ", mostly all correct"
    return ", mostly all incorrect" if mean < degenerate / 2 else ""


def _causes(mean: float) -> str:
    """The three usual causes of a run without informative groups, the one that the mean reward points to first."""
    causes = {
        "reward": "a reward that never fires (mean about 0): read ten completions and score them by hand",
        "prompts": "prompts that are all out of reach or all solved (mean about 0 or 1): look at pass@k before RL",
        "copies": "rollouts of a prompt that are copies (mean in between): compare their texts, check the temperature",
    }
    first = "reward" if mean < 0.05 else "prompts" if mean > 0.95 else "copies"
    listed = [causes.pop(first), *causes.values()]
    return f"Usual causes, the likeliest first: {'; '.join(listed)}."
