"""Which group size, for a budget of rollouts: the sizes that the data does not tell apart, and one of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, figure, plain
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.diagnosis.diagnose import counted
from rlsignal.diagnosis.diagnosed import noted, read_line
from rlsignal.diagnosis.track import track
from rlsignal.inference.anchored import anchored_estimate
from rlsignal.inference.evaluation import Evaluation, monotone
from rlsignal.inference.intervals import Estimate, per_prompt_estimate
from rlsignal.inference.paired import Score, score_difference
from rlsignal.inference.population import log_estimate
from rlsignal.theory.budget import group_size_for_budget
from rlsignal.theory.distributions import PassRate, pass_rate
from rlsignal.theory.dynamics import discoverable_pass_rate
from rlsignal.theory.efficiency import Scores, best_group_size
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.filters import shortfall_probability
from rlsignal.theory.frameworks import GRPO, known
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import informative_probability


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
        span = f" ({_listed(self.similar)} are not distinguished)" if len(self.similar) > 1 else ""
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


FLAT = 0.1
"""Scores within this share of the best are as good: so little of a budget is nothing to choose by."""

UNDETERMINED = (
    "Counts alone do not fix the best g: the noise g/(g-1) is that of rollouts whose correct and incorrect scores vary "
    "alike. Give the gradient noise (scores=, between=) and the best g is computed."
)

LEVEL = 0.02
"""A rise of the informative share that is about none: the table of sizes ends with it."""

FEW = 8
"""With fewer informative groups than this, single prompts decide an update."""

HARD, EVEN = 0.05, 0.5
"""The pass rates whose weights are compared."""

CLOSE = 0.01
"""Sizes that end so close together are named together."""

SURE = 0.01
"""How rarely dynamic sampling should give up."""


def recommend_group_size(
    p: "ArrayLike | PassRate | Rollouts | TrainingLog",
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
    p : a pass rate, a distribution, a `Recorded` evaluation, or what `read` returned: rollouts of one checkpoint, or a
        training log, of which the last 50 rows' mean and degenerate share are used.
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
    if tokens is not None:
        _validate.within("tokens", tokens, 0, np.inf, open_ends=True)
    if rollout_seconds is not None:
        _validate.within("rollout_seconds", rollout_seconds, 0, np.inf, open_ends=True)
    if steps is None and pool is not None:
        raise ValueError("steps must be given with `pool`, got none. How long is the run?")
    per_prompt = 0.0 if tokens is None else tokens[0] / tokens[1]
    if (scores is None) != (between is None):
        raise ValueError("scores and between must be given together, got one of them. See best_group_size().")
    cost = {g: g + per_prompt for g in (2**i for i in range(1, largest.bit_length()))}
    budget = rollouts * (1 + per_prompt / 8)  # what the budget costs in groups of 8
    sizes = [g for g in cost if budget / cost[g] >= 2]
    if not sizes:
        enough = ceil(2 * cost[2] / (1 + per_prompt / 8))
        raise ValueError(
            f"rollouts must buy two groups of two at these tokens of a prompt and a completion, at least {enough}, got "
            f"{rollouts}. Raise them, or leave `tokens` out."
        )
    least_noise = bought = None
    if scores is not None and between is not None:
        least_noise = best_group_size(scores, between)
        bought = min(least_noise, int(budget - per_prompt))
        sizes, cost[bought] = sorted({*sizes, bought}), bought + per_prompt
    shares, apart, population, notes, read_as = _source(p, sizes, logged_at, groups)
    held = {g: int(budget / cost[g] + 1e-9) for g in sizes}  # prompts in a step, whatever the rounding
    factor = {g: held[g] * (g - 1) / g for g in sizes}  # of the share, in the score
    allowed = [g for g in sizes if held[g] >= min(least, held[sizes[0]])]
    known_sizes = [g for g in allowed if shares[g].value > 0]  # with a value: below four times the samples
    within = [shares[g].value for g in allowed if shares[g].how == "samples"]
    if not known_sizes or (within and max(within) == 0):
        raise ValueError(f"p must {_missing(p)}")
    score = {g: shares[g].value * factor[g] for g in sizes}
    best = max(known_sizes, key=lambda g: score[g])
    close = [g for g in known_sizes if score[g] >= (1 - FLAT) * score[best]]
    possible = [g for g in allowed if g not in close and shares[g].high > 0]
    unsure = [g for g in possible if not apart(best, g, factor[best] * (1 - FLAT), factor[g])]
    chosen = bought or best
    similar = (chosen,) if bought else tuple(sorted(close + unsure))
    lines = tuple(
        GroupSizeLine(
            group_size=g,
            informative=shares[g],
            prompts=held[g],
            informative_groups=held[g] * shares[g].value,
            noise=g / (g - 1),
            score=score[g],
            hard=_hard(estimator, g),
            per_hour=None if rollout_seconds is None else _scaled(shares[g], 3600 / rollout_seconds / cost[g]),
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
        reasons=tuple(_reasons(chosen, lines, rollouts, tokens is not None, least, close, unsure, least_noise)),
        doubts=(
            *(() if bought else (UNDETERMINED,)),
            f"Under {estimator.name} g also changes what is optimised: at g = {chosen} a prompt at p = {HARD:g} weighs "
            f"{_hard(estimator, chosen):.2f} of one at {EVEN:g}. Compare sizes at a learning rate tuned for each.",
            "At equal steps larger groups look better, at equal rollouts they rarely do: say which one you compare.",
        ),
        sampling=tuple(_sampling(shares[chosen], population(chosen), chosen, batch, draws)),
        run=() if steps is None else tuple(_run(population(2), estimator, rollouts, steps, pool)),
        notes=notes,
        read_as=read_as,
    )


def _worth_showing(sizes: list[int], shares: dict[int, Estimate], largest: int) -> list[int]:
    """The sizes up to the first beyond the range at which the informative share cannot rise by as much as `LEVEL`."""
    shown = []
    for g in sizes:
        shown.append(g)
        if g > largest and (np.isnan(shares[g].value) or shares[g].value - shares[shown[-2]].value < LEVEL):
            break
    return shown


def _hourly(groups: Estimate | None) -> str:
    if groups is None:
        return ""
    value = "" if np.isnan(groups.value) else f"{groups.value:,.0f} "
    return f"{value}[{groups.low:,.0f}, {groups.high:,.0f}]"


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
        if len(p.checkpoints) > 1:
            names = ", ".join(map(str, p.checkpoints))
            raise ValueError(f"p must hold one checkpoint, got {names}. Choose one with at(checkpoint=).")
        data, labels = counted(p)
        return *_of_samples(Evaluation(data, labels), sizes), tuple(map(str, p.notes)), p.read_as
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


def _hard(estimator: Estimator, g: int) -> float:
    at = [float(np.asarray(known(estimator).weight(p, g))) for p in (HARD, EVEN)]
    return at[0] / at[1]


def _reasons(
    chosen: int,
    lines: tuple[GroupSizeLine, ...],
    rollouts: int,
    with_tokens: bool,
    least: int,
    close: Sequence[int],
    unsure: Sequence[int],
    least_noise: int | None,
) -> Iterable[str]:
    """Why this size: what it has, which are not distinguished from it, and what the budget does to it."""
    by_size = {line.group_size: line for line in lines}
    here = by_size[chosen]
    if least_noise is not None:
        end = ", whatever the budget." if chosen == least_noise else f"; g = {chosen} is the largest that it buys."
        yield f"The gradient noise that you gave is least at g = {least_noise}{end}"
    yield _worth(here, "" if least_noise is not None else _most(here, lines, least))
    if here.informative.how == "bounds":
        fitted = "" if np.isnan(here.score) else "; the value is that of a fit to them"
        yield f"Most prompts have fewer than {chosen} samples: the interval is what the samples allow{fitted}."
    others = [g for g in close if g != chosen]
    if others and least_noise is None:
        yield f"{_sizes(others)} within {FLAT:.0%} of that, too little to choose by."
    if unsure and least_noise is None:
        yield f"{_sizes(unsure)} not shown by these samples to be worth {FLAT:.0%} less: more of them would decide."
    for g in (chosen // 2, 2 * chosen):
        if g in by_size and np.isfinite([by_size[g].score, here.score]).all():
            other = by_size[g]
            change = f"{other.score / here.score - 1:+.0%}"
            yield (
                f"g = {g} would have {other.prompts} and {other.informative_groups:.1f}, worth "
                + (f"{other.score:.1f}: {change}." if change[1:] != "0%" else "as much.")
            )
    if with_tokens:
        yield f"With these tokens the budget is what {rollouts} rollouts cost in groups of 8."
    elif rollouts % chosen:
        yield f"{rollouts} rollouts do not divide by {chosen}: {rollouts % chosen} of them are left over."
    if lines[0].prompts < least:
        yield f"The budget is below {least} prompts of two rollouts; a step has {_counted(here.prompts)}."
    elif here.prompts < least:
        yield f"A step has {_counted(here.prompts)}, fewer than {least}. Raise the budget, or take smaller groups."
    elif here.informative_groups < FEW:
        yield f"Fewer than {FEW} informative groups a step: single prompts decide an update. Raise the budget first."


def _worth(here: GroupSizeLine, most: str) -> str:
    start = f"At g = {here.group_size} a step has {_counted(here.prompts)}"
    if np.isnan(here.score):
        low, high = (here.prompts * x for x in (here.informative.low, here.informative.high))
        return f"{start} and between {low:.1f} and {high:.1f} informative groups: the samples do not say how many."
    worth = f"worth {here.score:.1f} with a perfect baseline{f': the most of {most}' if most else ''}"
    return f"{start} and {here.informative_groups:.1f} informative groups, {worth}."


def _most(here: GroupSizeLine, lines: tuple[GroupSizeLine, ...], least: int) -> str:
    """Of which sizes the best score is the most: a size without a value may have more."""
    if here.prompts < least:
        return ""
    could = [
        x for x in lines if here.score < (x.informative.high * x.prompts / x.noise if np.isnan(x.score) else x.score)
    ]
    which = "the sizes with an estimate" if any(x.prompts >= least for x in could) else "all sizes"
    return which + (f" that leave {least} prompts" if any(x.prompts < least for x in could) else "")


def _counted(prompts: int) -> str:
    return f"{prompts} prompt{'s' * (prompts != 1)}"


def _listed(sizes: Sequence[int]) -> str:
    *first, last = map(str, sizes)
    return f"{', '.join(first)} and {last}" if first else last


def _sizes(sizes: Sequence[int]) -> str:
    return f"g = {_listed(sizes)} {'are' if len(sizes) > 1 else 'is'}"


def _sampling(share: Estimate, population: PassRate, g: int, batch: int, draws: int) -> Iterable[str]:
    """What dynamic sampling costs, and how often it gives up."""
    value, low, high = (g / x if x else np.inf for x in (share.value, share.high, share.low))

    def drawn(n: int) -> str:
        if np.isnan(value):
            return f"{n * low:,.0f} to {n * high:,.0f}" if high < np.inf else f"at least {n * low:,.0f}"
        return f"{n * value:,.0f}" + (f" [{n * low:,.0f}, {n * high:,.0f}]" if low < high else "")

    yield f"it draws {drawn(1)} rollouts for each group of {g} that it keeps, {drawn(batch)} for a batch of {batch}."
    if np.isnan(value):
        yield f"how often it gives up is not known: the samples do not show groups of {g}."
        return

    def gives_up(n: int) -> float:
        return float(np.mean(np.asarray(shortfall_probability(population, g, kept=batch, sampled=n * batch))))

    chance = gives_up(draws)
    enough = next((n for n in range(1, 1001) if gives_up(n) <= SURE), None)
    more = f"{enough} are enough 99 times of 100" if enough else "1,000 are not enough"
    often = f"{chance:.1%}" if chance >= 0.001 else "less than 0.1%"
    yield f"with at most {draws} batches of {batch} it gives up {often} of the time; {more}."


def _run(population: PassRate, estimator: Estimator, rollouts: int, steps: int, pool: int | None) -> Iterable[str]:
    """What a budget of steps reaches, and which size ends highest for each way to set the learning rate."""
    if pool is None and not isinstance(population, Recorded):
        raise ValueError("pool must be given with `steps`, got none. It is the number of prompts in the data set.")
    prompts = len(np.atleast_1d(population.correct)) if isinstance(population, Recorded) else 0
    prompts = prompts if pool is None else pool
    each = steps * rollouts // prompts
    if each < 4:
        raise ValueError(f"steps must be enough for 4 rollouts of each of {prompts} prompts, got {steps}. Run longer.")
    shown = float(np.asarray(discoverable_pass_rate(each)))
    yield (
        f"{steps:,} steps of {rollouts:,} rollouts are {each:,} of each of {prompts:,} prompts, whatever g; a prompt "
        f"above p = {figure(shown)} shows a success with 95% confidence."
    )
    double = 8 * np.log(2) / estimator.table(8)[1, 1]  # a lone success of 8 doubles the odds
    ends = []
    for scaling, rule in ((0.0, "is one for all sizes"), (0.5, "grows as the root of g"), (1.0, "grows as g")):
        try:
            found = group_size_for_budget(population, estimator, rollouts=each, step=double, scaling=scaling)
        except ValueError as error:
            yield f"which size ends highest is not computed for {estimator.name}: {error}"
            return
        near = found.sizes[found.pass_rates >= found.pass_rates.max() - CLOSE]
        span = f" ({near.min()} to {near.max()} end within {CLOSE:g})" if len(near) > 1 else ""
        ends.append(f"g = {found.best}{span} where the learning rate {rule}")
    yield f"with a step by which a lone success of 8 doubles a prompt's odds, pass@1 ends highest at {'; '.join(ends)}."
