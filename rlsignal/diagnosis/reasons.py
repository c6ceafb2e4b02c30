"""Why a group size is recommended, in sentences: what it has, what dynamic sampling costs, what the run reaches."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from rlsignal._show import figure
from rlsignal.diagnosis.advice import FLAT, GroupSizeLine, listed
from rlsignal.inference.intervals import Estimate
from rlsignal.theory.budget import group_size_for_budget
from rlsignal.theory.distributions import PassRate
from rlsignal.theory.dynamics import discoverable_pass_rate
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.filters import shortfall
from rlsignal.theory.frameworks import known
from rlsignal.theory.recorded import Recorded

UNDETERMINED = (
    "Counts alone do not fix the best g: the noise g/(g-1) is that of rollouts whose correct and incorrect scores vary "
    "alike. Give the gradient noise (scores=, between=) and the best g is computed."
)

FEW = 8
"""With fewer informative groups than this, single prompts decide an update."""

HARD, EVEN = 0.05, 0.5
"""The pass rates whose weights are compared."""

CLOSE = 0.01
"""Sizes that end so close together are named together."""

SURE, MOST_BATCHES = 0.01, 1000
"""How rarely dynamic sampling should give up, and up to how many batches it is asked."""


def reasons(
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


def hard(estimator: Estimator, g: int) -> float:
    at = [float(np.asarray(known(estimator).weight(p, g))) for p in (HARD, EVEN)]
    return at[0] / at[1]


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


def _sizes(sizes: Sequence[int]) -> str:
    return f"g = {listed(sizes)} {'are' if len(sizes) > 1 else 'is'}"


def dynamic_sampling(share: Estimate, g: int, batch: int, draws: int) -> Iterable[str]:
    """What dynamic sampling costs, and how often it gives up: at the informative share, and over its interval."""

    def over(answer: Callable[[float], float], show: Callable[[float], str]) -> str:
        low, high = show(answer(share.high)), show(answer(share.low))
        if np.isnan(share.value):
            return low if low == high else f"{low} to {high}"
        return show(answer(share.value)) + (f" [{low}, {high}]" if low != high else "")

    def drawn(groups: int) -> str:
        return over(lambda x: groups * g / x if x else np.inf, lambda x: f"{x:,.0f}" if x < np.inf else "any number")

    def gives_up(batches: float, informative: float) -> float:
        return float(shortfall(informative, kept=batch, sampled=int(batches) * batch))

    def enough(informative: float) -> float:
        return next((n for n in range(1, MOST_BATCHES + 1) if gives_up(n, informative) <= SURE), np.inf)

    often = over(lambda x: gives_up(draws, x), _rarely)
    needed = over(enough, lambda x: f"{x:.0f}" if x < np.inf else f"more than {MOST_BATCHES:,}")
    yield f"it draws {drawn(1)} rollouts for each group of {g} that it keeps, {drawn(batch)} for a batch of {batch}."
    yield (
        f"with at most {draws} batches of {batch} it gives up {often} of the time; with at most {needed} it would fill "
        "99 of 100."
    )


def _rarely(chance: float) -> str:
    return "<0.1%" if chance < 0.001 else ">99.9%" if chance > 0.999 else f"{chance:.1%}"


def over_the_run(
    population: PassRate, estimator: Estimator, rollouts: int, steps: int, pool: int | None, largest: int
) -> Iterable[str]:
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
            found = group_size_for_budget(
                population, estimator, rollouts=each, step=double, scaling=scaling, largest=min(largest, 512)
            )
        except ValueError as error:
            yield f"which size ends highest is not computed for {estimator.name}: {error}"
            return
        near = found.sizes[found.pass_rates >= found.pass_rates.max() - CLOSE]
        span = f" ({near.min()} to {near.max()} end within {CLOSE:g})" if len(near) > 1 else ""
        ends.append(f"g = {found.best}{span} where the learning rate {rule}")
    yield (
        f"with a step by which a lone success of 8 doubles a prompt's odds, of sizes up to {found.sizes[-1]} pass@1 "
        f"ends highest at {'; '.join(ends)}."
    )
