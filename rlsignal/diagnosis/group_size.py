"""Which group size, for a budget of rollouts: the sizes that the data does not tell apart, and one of them."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal.data.read import as_data
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.diagnosis.advice import FLAT, GroupSizeAdvice, GroupSizeLine
from rlsignal.diagnosis.diagnose import counted
from rlsignal.diagnosis.prompts import one_checkpoint
from rlsignal.diagnosis.reasons import EVEN, HARD, UNDETERMINED, dynamic_sampling, hard, over_the_run, reasons
from rlsignal.diagnosis.track import track
from rlsignal.inference.anchored import anchored_estimate
from rlsignal.inference.evaluation import Evaluation, monotone
from rlsignal.inference.intervals import Estimate, per_prompt_estimate
from rlsignal.inference.paired import Score, score_difference
from rlsignal.inference.population import log_estimate
from rlsignal.theory.distributions import PassRate, pass_rate
from rlsignal.theory.efficiency import Scores, best_group_size
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import informative_probability

LEVEL = 0.02
"""A rise of the informative share that is about none: the table of sizes ends with it."""


def recommend_group_size(
    p: "ArrayLike | PassRate | Rollouts | TrainingLog | str | os.PathLike[str] | Mapping[str, Any]",
    *,
    rollouts: int = 512,
    prompts: int = 8,
    estimator: Estimator = GRPO,
    scores: Scores | None = None,
    between: float | None = None,
    largest: int = 64,
    tokens: tuple[float, float] | None = None,
    rollout_seconds: float | None = None,
    batch: int = 64,
    draws: int = 10,
    steps: int | None = None,
    pool: int | None = None,
    logged_at: int | None = None,
    groups: int | None = None,
) -> GroupSizeAdvice:
    """A group size for a budget of rollouts per step, with the sizes that are as good, its reasons and its doubts.

    The score of a size is the number of informative groups in a step over the noise of their baselines, g/(g-1). The
    size with the highest score is recommended. Sizes whose score is at least 0.9 of that, or which the samples do not
    show to be below it, are `similar`. With the gradient noise given, `best_group_size` decides instead.

    Parameters
    ----------
    p : a pass rate, a distribution, a `Recorded` evaluation, or data: what `read` returned, or a path or mapping that
        it takes; rollouts of one checkpoint, or a training log, of which the last 50 rows' mean and degenerate share
        are used.
    rollouts : per step, shared out over prompts.
    prompts : that a step must have at least.
    estimator : whose weights of hard and even prompts are shown.
    scores, between : the gradient noise of the prompts and the variance of their gradients, as for `best_group_size`.
        Both or neither.
    largest : the largest group looked at, at least 2.
    tokens : of a prompt and of a completion; a prompt is read once for its group, so that small groups cost more.
    rollout_seconds : GPU seconds of one rollout, for informative groups per GPU hour of sampling.
    batch, draws : groups that dynamic sampling keeps, and batches that it may draw for them.
    steps : of the whole run, for what its budget reaches and the size that ends highest by learning rate (F8).
    pool : prompts in the data set, where `p` does not count them.
    logged_at, groups : of a log, its group size and the groups behind a row, where it does not state them.

    Returns
    -------
    GroupSizeAdvice.

    Raises
    ------
    ValueError : out of range; a budget below two groups of two; only one of `scores` and `between`; data in which no
        group is informative, or that has one sample of each prompt.

    Source: docs/diagnosis.md.

    Examples
    --------
    >>> from rlsignal import Beta, recommend_group_size
    >>> advice = recommend_group_size(Beta(0.28, 0.54), rollouts=512)
    >>> advice.group_size, advice.range
    (4, (4, 4))
    >>> print(advice.reasons[0])
    At g = 4 a step has 128 prompts and 43.2 informative groups, worth 32.4 with a perfect baseline: the most of all
    sizes.
    """
    rollouts = _validate.whole("rollouts", rollouts, 4, 10**9)
    least = _validate.whole("prompts", prompts, 1)
    largest = _validate.whole("largest", largest, 2, 4096)
    batch, draws = _validate.whole("batch", batch, 1, 10**5), _validate.whole("draws", draws, 1, 10**4)
    if steps is not None:
        _validate.whole("steps", steps, 1, 10**9)
    if pool is not None:
        _validate.whole("pool", pool, 1, 10**9)
    if rollout_seconds is not None:
        seconds = _validate.within("rollout_seconds", rollout_seconds, 0, np.inf, open_ends=True)
        rollout_seconds = _validate.scalar("rollout_seconds", seconds)
    if isinstance(p, str | os.PathLike | Mapping):  # what no number or distribution is
        p = as_data(p, {})
    for name, value in (("logged_at", logged_at), ("groups", groups)):
        if value is not None and not isinstance(p, TrainingLog):
            raise ValueError(f"{name} must be left out, got {_validate.shown(value)}: it is of a log, which p is not.")
    if steps is None and pool is not None:
        raise ValueError("steps must be given with `pool`, got none. How long is the run?")
    if (scores is None) != (between is None):
        raise ValueError("scores and between must be given together, got one of them. See best_group_size().")
    step = _Step(rollouts, reading=0.0 if tokens is None else _reading(tokens))
    sizes = [g for g in (2**i for i in range(1, largest.bit_length())) if step.prompts(g) >= 2]
    if not sizes:
        raise ValueError(
            f"rollouts must buy two groups of two at these tokens of a prompt and a completion, at least "
            f"{step.least_rollouts}, got {rollouts}. Raise them, or leave `tokens` out."
        )
    least_noise = bought = None
    if scores is not None and between is not None:
        least_noise = best_group_size(scores, between)
        bought = min(least_noise, step.largest)
        sizes = sorted({*sizes, bought})
    shares, apart, population, notes, read_as = _source(p, sizes, logged_at, groups)
    allowed = [g for g in sizes if step.prompts(g) >= min(least, step.prompts(sizes[0]))]
    known_sizes = [g for g in allowed if shares[g].value > 0]  # with a value: below four times the samples
    within = [shares[g].value for g in allowed if shares[g].how == "samples"]
    if not known_sizes or (within and max(within) == 0):
        raise ValueError(f"p must {_missing(p)}")
    score = {g: shares[g].value * step.factor(g) for g in sizes}
    best = max(known_sizes, key=lambda g: score[g])
    close = [g for g in known_sizes if score[g] >= (1 - FLAT) * score[best]]
    possible = [g for g in allowed if g not in close and shares[g].high > 0]
    unsure = [g for g in possible if not apart(best, g, step.factor(best) * (1 - FLAT), step.factor(g))]
    chosen = bought or best
    similar = (chosen,) if bought else tuple(sorted(close + unsure))
    lines = tuple(
        GroupSizeLine(
            group_size=g,
            informative=shares[g],
            prompts=step.prompts(g),
            informative_groups=step.prompts(g) * shares[g].value,
            noise=g / (g - 1),
            score=score[g],
            hard=hard(estimator, g),
            per_hour=None if rollout_seconds is None else _scaled(shares[g], 3600 / rollout_seconds / step.cost(g)),
        )
        for g in _worth_showing(sizes, shares, similar[-1])
    )
    return GroupSizeAdvice(
        group_size=chosen,
        similar=similar,
        range=(similar[0], similar[-1]),
        rollouts=rollouts,
        estimator=estimator.name,
        lines=lines,
        reasons=tuple(reasons(chosen, lines, rollouts, tokens is not None, least, close, unsure, least_noise)),
        doubts=(
            *(() if bought else (UNDETERMINED,)),
            f"Under {estimator.name} g also changes what is optimised: at g = {chosen} a prompt at p = {HARD:g} weighs "
            f"{hard(estimator, chosen):.2f} of one at {EVEN:g}. Compare sizes at a learning rate tuned for each.",
            "At equal steps larger groups look better, at equal rollouts they rarely do: say which one you compare.",
        ),
        sampling=tuple(dynamic_sampling(shares[chosen], chosen, batch, draws)),
        run=() if steps is None else tuple(over_the_run(population(2), estimator, rollouts, steps, pool, largest)),
        notes=notes,
        read_as=read_as,
    )


def _reading(tokens: Any) -> float:
    """Of a prompt, in units of a rollout."""
    both = _validate.within("tokens", tokens, 0, np.inf, open_ends=True)
    if both.shape != (2,):
        raise ValueError(
            f"tokens must be two numbers, of a prompt and of a completion, got {_validate.shown(tokens)}. Give them as "
            "(200, 800)."
        )
    return float(both[0] / both[1])


@dataclass(frozen=True)
class _Step:
    """What the rollouts of a step buy at each group size, where a prompt is read once for its whole group.

    reading : of a prompt, in units of a rollout; the budget is what the rollouts cost in groups of 8.
    """

    rollouts: int
    reading: float

    def cost(self, g: int) -> float:
        """Of a group, in rollouts."""
        return g + self.reading

    def prompts(self, g: int) -> int:
        """In a step, whatever the rounding."""
        return int(self._budget / self.cost(g) + 1e-9)

    def factor(self, g: int) -> float:
        """Of the informative share, in the score: prompts over the noise of a baseline from g rollouts."""
        return self.prompts(g) * (g - 1) / g

    @property
    def largest(self) -> int:
        """The largest group that it buys."""
        return int(self._budget - self.reading)

    @property
    def least_rollouts(self) -> int:
        """That buy two groups of two."""
        return ceil(2 * self.cost(2) / self._dearer)

    @property
    def _dearer(self) -> float:
        """What a rollout in a group of 8 costs."""
        return 1 + self.reading / 8

    @property
    def _budget(self) -> float:
        return self.rollouts * self._dearer


def _worth_showing(sizes: list[int], shares: dict[int, Estimate], largest: int) -> list[int]:
    """The sizes up to the first beyond the range at which the informative share cannot rise by as much as `LEVEL`."""
    shown = []
    for g in sizes:
        shown.append(g)
        if g > largest and (np.isnan(shares[g].value) or shares[g].value - shares[shown[-2]].value < LEVEL):
            break
    return shown


def _scaled(share: Estimate, factor: float) -> Estimate:
    return Estimate(factor * share.value, factor * share.low, factor * share.high, share.how, share.warning)


def _missing(p: Any) -> str:
    """What a source lacks of which no group is informative, and the way out."""
    if isinstance(p, TrainingLog):
        return "have informative groups, got none in its last rows. Use other prompts, or another checkpoint."
    if not isinstance(p, Rollouts | Recorded):
        return f"leave groups that are informative, got {pass_rate(p)}, under which none is. Nothing is to be chosen."
    correct, samples = np.asarray(p.correct), np.broadcast_to(p.samples, np.shape(p.correct))
    drawn, prompts = f"{samples.sum():,} over {len(samples):,} prompts", f"{len(samples):,} prompts"
    if correct.sum() == 0:
        return f"have a correct sample, got none of {drawn}. Sample more, or take easier prompts or another checkpoint."
    if (correct == samples).all():
        return f"have an incorrect sample, got none of {drawn}. Sample more, or take harder prompts."
    if (samples < 2).sum() * 2 > len(samples):
        return f"have two samples of at least half of its {prompts}, got fewer. Sample more of each."
    return f"have a prompt with both correct and incorrect samples, got none of {prompts}. Sample more of each."


Apart = Callable[[int, int, float, float], bool]
"""(g, h, factor of g, factor of h): whether the samples show that the first share's product is the larger one."""


Shares = dict[int, Estimate]
"""Of informative groups, by group size."""


def _source(
    p: Any, sizes: Sequence[int], logged_at: int | None, groups: int | None
) -> tuple[Shares, Apart, Callable[[int], PassRate], tuple[str, ...], str]:
    """The informative share at each size, whether two sizes differ, and a distribution that answers at a size."""
    if isinstance(p, TrainingLog):
        rows = int(np.isfinite(p.latest.reward).sum())
        trend = track(p, logged_at, window=max(min(50, rows), 1), groups=groups)
        mean, degenerate = float(trend.reward[-1]), float(trend.degenerate[-1])
        if np.isnan(degenerate):
            raise ValueError(
                "p must count degenerate groups where it is a log, got mean rewards only. Log their share."
            )
        independent = max(int(trend.independent[-1]), 2)
        fit = log_estimate(mean, max(degenerate, float(trend.from_the_mean[-1])), trend.group_size, independent)
        drawn = trend.groups * trend.window
        note = f"The last {trend.window} rows: mean reward {mean:.3f}, {degenerate:.0%} of {drawn} groups degenerate."
        shares = _rising(sizes, lambda g: fit.predict(informative_probability, g))
        return shares, _by_intervals(shares), lambda g: fit.distribution, (*trend.notes, note), p.read_as
    if isinstance(p, Rollouts):
        data, labels = counted(one_checkpoint("p", p))
        return *_of_samples(Evaluation(data, labels), sizes), tuple(note.sentence for note in p.notes), p.read_as
    what = pass_rate(p)
    if isinstance(what, Recorded):
        return *_of_samples(Evaluation(what), sizes), (), ""

    def exact(g: int) -> Estimate:
        value = float(np.mean(np.asarray(informative_probability(what, g))))
        return Estimate(value, value, value, "known")

    return {g: exact(g) for g in sizes}, lambda g, h, a, b: True, lambda g: what, (), ""


def _of_samples(seen: Evaluation, sizes: Sequence[int]) -> tuple[Shares, Apart, Callable[[int], PassRate]]:
    """Of recorded samples: two sizes that both reach are compared prompt by prompt, others by their intervals."""
    shares = _rising(sizes, lambda g: seen.estimate(informative_probability, g))

    def apart(g: int, h: int, of_g: float, of_h: float) -> bool:
        if max(g, h) > seen.reach or seen.clusters is not None:
            return _by_intervals(shares)(g, h, of_g, of_h)
        part, _, _ = seen.with_samples(max(g, h))
        first, second = (
            Score.of_mean(factor * per_prompt_estimate(informative_probability, part, size))
            for size, factor in ((g, of_g), (h, of_h))
        )
        return score_difference(first, second).low > 0

    def population(g: int) -> PassRate:
        return (
            seen.with_samples(g)[0] if g <= seen.reach or seen.fit is None else anchored_estimate(seen.data, seen.fit)
        )

    return shares, apart, population


def _rising(sizes: Sequence[int], share: Callable[[int], Estimate]) -> Shares:
    return dict(zip(sizes, monotone(map(share, sizes), max), strict=True))


def _by_intervals(shares: Shares) -> Apart:
    return lambda g, h, of_g, of_h: shares[g].low * of_g > shares[h].high * of_h
