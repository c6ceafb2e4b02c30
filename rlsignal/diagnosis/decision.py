"""The verdict of a comparison: which checkpoint ends highest, by paired tests, and what more sampling would take."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from rlsignal._show import Part, Result, plain
from rlsignal.inference.intervals import Estimate, signed, signed_interval
from rlsignal.inference.paired import Score, samples_of_a_prompt, score_difference
from rlsignal.theory.recorded import Recorded

LEAST = 0.02
"""A difference of pass@1 at the end point that would matter."""


FEW = 10
"""Fewer prompts than this hardly show how prompts differ."""


@dataclass(frozen=True, repr=False)
class Decision(Result):
    """Which checkpoint to start from, as far as these samples decide it.

    verdict : "start from", "tie" (no difference that matters), "depends on the budget", or "sample more" (the samples
        do not distinguish them).
    checkpoint : to start from; the one that is ahead under "tie" and "sample more"; empty where none is.
    probability : that it ends at least as high as its closest rival, at the budget that separates them most.
    reasons : sentences with the evidence.
    """

    verdict: str
    checkpoint: str
    probability: float
    reasons: tuple[str, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """For machines; JSON-ready."""
        return {
            "verdict": self.verdict,
            "checkpoint": self.checkpoint,
            "probability": plain(self.probability),
            "reasons": list(self.reasons),
        }

    @property
    def sentence(self) -> str:
        """The verdict in words."""
        return {
            "start from": f"Start from {self.checkpoint}.",
            "tie": f"A tie: no end point differs by as much as {LEAST:g}.",
            "depends on the budget": "It depends on the budget.",
            "sample more": f"Sample more: {self.checkpoint} is ahead, but not beyond noise."
            if self.checkpoint
            else "Sample more: none is ahead.",
        }[self.verdict]

    def _parts(self) -> Iterable[Part]:
        yield self.sentence
        yield from (f"- {reason}" for reason in self.reasons)


def decide(
    names: Sequence[str], counts: Sequence[Recorded], budgets: Sequence[float], ends: Sequence[Sequence[Score]]
) -> Decision:
    """The verdict on the end points.

    A checkpoint that ends lower than another at some budget, by more than noise and by more than `LEAST`, is out. What
    is left at every budget may be started from.

    Parameters
    ----------
    names, counts : [checkpoints].
    budgets, ends : [budgets], and [budget][checkpoint].
    """
    level = 1 - 0.05 / (len(names) * (len(names) - 1) // 2) / len(budgets)
    everyone = range(len(names))
    apart = [[[score_difference(a, b, level=level) for b in row] for a in row] for row in ends]

    def beats(a: int, b: int) -> bool:
        return any(table[a][b].low > 0 and table[a][b].value > LEAST for table in apart)

    left = [a for a in everyone if not any(beats(b, a) for b in everyone)]
    if not left:
        return Decision("depends on the budget", "", float("nan"), _by_budget(names, budgets, ends))
    ahead = max(left, key=lambda a: sum(row[a].value for row in ends))
    rivals = [b for b in everyone if b != ahead and not beats(ahead, b)]
    against = rivals or [b for b in everyone if b != ahead]

    def clearest(b: int) -> int:
        """The budget that separates the two most."""
        return int(np.argmax([abs(_z(table[ahead][b])) for table in apart]))

    closest = min(against, key=lambda b: abs(_z(apart[clearest(b)][ahead][b])))
    unsolved = [b for b in rivals if any(table[ahead][b].warning for table in apart)]  # by ends that counts leave open
    measured = [b for b in against if b not in unsolved]
    widest = max(abs(end) for table in apart for b in against for end in (table[ahead][b].low, table[ahead][b].high))
    verdict = "start from" if not rivals else "tie" if widest <= LEAST else "sample more"
    i = clearest(closest)
    if verdict == "sample more":  # the budget that keeps it open
        i = int(np.argmax([max(-table[ahead][closest].low, table[ahead][closest].high) for table in apart]))
    difference = apart[i][ahead][closest]
    reasons = [_apart(budgets[i], [(names[x], ends[i][x]) for x in (ahead, closest)], difference)]
    if verdict == "sample more" and unsolved:
        few = [names[x] for x in (ahead, *unsolved) if any(row[x].span for row in ends)]
        reasons.append(
            f"So few prompts of {' and '.join(few)} have a correct sample that all may be within reach of RL, or none: "
            "sample more prompts, or more of each."
        )
    if verdict == "sample more" and closest in measured:
        tables = [table[ahead][b] for table in apart for b in measured]
        widest = max(abs(end) for difference in tables for end in (difference.low, difference.high))
        reasons.append(_how_many(counts[ahead], counts[closest], max(widest, LEAST), difference))
    out = [names[b] for b in everyone if b not in (ahead, *rivals)]
    if rivals and out:
        reasons.append(f"Out: {', '.join(out)}, which {'ends' if len(out) == 1 else 'end'} lower beyond noise.")
    first = names[ahead] if difference.value else ""
    return Decision(verdict, first, _probability(difference, level), tuple(reasons))


def _apart(budget: float, two: Sequence[tuple[str, Score]], difference: Estimate) -> str:
    """How far apart two end points are; of those that the counts leave open only the interval is known."""
    after, ((name, end), (other, its)) = f"After {budget:g} (learning rate times steps)", two
    if end.known and its.known:
        return (
            f"{after} {name} ends at {end.value:.3f} and {other} at {its.value:.3f} in the forecast, a difference of "
            f"{signed(difference)}."
        )
    known = [f"{name} ends at {end.value:.3f} in the forecast" for name, end in two if end.known]
    unknown = [name for name, end in two if not end.known]
    of = f"the end{'s' * (len(unknown) - 1)} of {' and '.join(unknown)} {'are' if len(unknown) > 1 else 'is'} not known"
    return f"{after} {', and '.join([*known, of])}: the difference lies in {signed_interval(difference)}."


def _probability(difference: Estimate, level: float) -> float:
    """That the difference is positive; without a standard error no surer than its interval."""
    if difference.standard_error > 0:
        return float(ndtr(_z(difference)))
    ends = difference.value - difference.low, difference.high - difference.value
    towards = ends[0] if difference.value > 0 else ends[1]  # the end on the side of 0
    return (
        float(ndtr(difference.value * ndtri((1 + level) / 2) / towards)) if towards > 0 else float(ndtr(_z(difference)))
    )


def _z(difference: Estimate) -> float:
    error = difference.standard_error
    return difference.value / error if error > 0 else float(np.sign(difference.value)) * 1e9


def _by_budget(names: Sequence[str], budgets: Sequence[float], ends: Sequence[Sequence[Score]]) -> tuple[str, ...]:
    best = [int(np.argmax([score.value for score in row])) for row in ends]
    lines = []
    for i, run in groupby(sorted(range(len(budgets)), key=lambda at: budgets[at]), key=lambda at: best[at]):
        at = list(run)
        after, high = (
            f"{first} to {last}" if first != last else first
            for first, last in (
                (f"{budgets[at[0]]:g}", f"{budgets[at[-1]]:g}"),
                (f"{ends[at[0]][i].value:.3f}", f"{ends[at[-1]][i].value:.3f}"),
            )
        )
        lines.append(f"After {after} (learning rate times steps) {names[i]} ends highest in the forecast, at {high}.")
    return tuple(lines)


def _how_many(first: Recorded, second: Recorded, detectable: float, difference: Estimate) -> str:
    """What more sampling would have to be, for a difference that matters."""
    prompts = len(np.asarray(first.correct))
    if not difference.standard_error > 0:
        needed = int(np.ceil(prompts * detectable / LEAST))
        return (
            f"All prompts show the same difference. Prompts unlike these may move it by {detectable:.2g}; to "
            f"exclude more than {LEAST:g} takes about {needed:,} prompts."
        )
    factor = (detectable / LEAST) ** 2
    best = samples_of_a_prompt(first, second)
    if best < 2:  # one sample of a prompt would be least noise at its cost, and shows nothing of how prompts differ
        how = "and more samples of each add little"
    else:
        how = f"about {round(best)} samples of each are best" if np.isfinite(best) else "or more samples of each"
    unsure = (
        f" That is no more than a guess: {prompts} prompts hardly show how prompts differ." if prompts < FEW else ""
    )
    return (
        f"The least difference that these samples detect is {detectable:.2g}; to detect {LEAST:g} takes about "
        f"{int(np.ceil(prompts * factor)):,} prompts like these, {how}.{unsure}"
    )
