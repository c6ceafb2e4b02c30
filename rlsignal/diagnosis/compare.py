"""Which checkpoint to start RL from: the same prompts, a decision by paired tests, and how sure it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, plain
from rlsignal.data.read import as_data
from rlsignal.data.records import Readable, Rollouts, TrainingLog
from rlsignal.diagnosis.decision import Decision, decide
from rlsignal.diagnosis.diagnosed import Finding, noted, numbered, read_line
from rlsignal.inference.intervals import Estimate, Statistic, group_estimate, per_prompt_estimate, signed
from rlsignal.inference.paired import Score, score_difference, score_ratio
from rlsignal.inference.ranking import disagreement_probability
from rlsignal.theory.clock import forecast
from rlsignal.theory.frameworks import GRPO
from rlsignal.theory.passk import pass_at_k
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import informative_probability


@dataclass(frozen=True, repr=False)
class Comparison(Result):
    """Checkpoints on the same prompts, by four predictors of what RL makes of them. `print` it for the findings.

    checkpoints : names, in the order given.
    group_size, prompts : how they were asked; how many prompts all of them share.
    pass_at_1, informative, pass_at_g : one Estimate each.
    budgets, forecasts : learning rate times steps, and [budget][checkpoint], pass@1 after it by the mean field; NaN
        where it is not known, for want of a correct sample.
    disagree : (first, second, probability) for every pair: that informative fraction and pass@1 order them
        differently, given the noise of both.
    entropy : of each checkpoint in the data's own unit, NaN where missing.
    best : by each predictor, the checkpoint it would start from, of those that it knows; empty where none is ahead.
    decision : by the end points, with multiplicity over checkpoints and budgets.
    gains : (k, [checkpoint] of differences of pass@k to the first checkpoint), for k up to the samples; the band holds
        for all k and checkpoints at once.
    coverage : [checkpoint], pass@k over the first checkpoint's at the largest k.
    findings : what to know, the weightiest first.
    read_as, notes : what the data was taken for, and what is unusual in it, from `read`; a note that does not concern
        all checkpoints begins with their names.
    """

    checkpoints: tuple[str, ...]
    group_size: int
    prompts: int
    pass_at_1: tuple[Estimate, ...]
    informative: tuple[Estimate, ...]
    pass_at_g: tuple[Estimate, ...]
    budgets: tuple[float, ...]
    forecasts: tuple[tuple[float, ...], ...]
    disagree: tuple[tuple[str, str, float], ...]
    entropy: tuple[float, ...]
    best: dict[str, str]
    decision: Decision
    gains: tuple[tuple[int, tuple[Estimate, ...]], ...]
    coverage: tuple[Estimate, ...]
    findings: tuple[Finding, ...]
    read_as: str = ""
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        named = {"pass_at_1": self.pass_at_1, "informative": self.informative, "pass_at_g": self.pass_at_g}
        return {
            "read_as": self.read_as,
            "checkpoints": list(self.checkpoints),
            "group_size": self.group_size,
            "prompts": self.prompts,
            **{
                name: {x: answer.summary for x, answer in zip(self.checkpoints, answers, strict=True)}
                for name, answers in named.items()
            },
            "forecast": {
                f"{budget:g}": dict(zip(self.checkpoints, map(plain, row), strict=True))
                for budget, row in zip(self.budgets, self.forecasts, strict=True)
            },
            "entropy": {name: plain(x) for name, x in zip(self.checkpoints, self.entropy, strict=True)},
            "disagree": [{"first": a, "second": b, "probability": x} for a, b, x in self.disagree],
            "best": dict(self.best),
            "decision": self.decision.summary,
            "pass_at_k_gain": {
                str(k): {name: x.summary for name, x in zip(self.checkpoints[1:], row, strict=True)}
                for k, row in self.gains
            },
            "coverage_ratio": {name: x.summary for name, x in zip(self.checkpoints[1:], self.coverage, strict=True)},
            "findings": [finding.summary for finding in self.findings],
            "notes": list(self.notes),
        }

    def _parts(self) -> Iterable[Part]:
        yield from read_line(self.read_as)
        yield f"{len(self.checkpoints)} checkpoints, {self.prompts} shared prompts, g = {self.group_size}"
        yield ""
        yield from self.decision._parts()
        yield ""
        if self.findings:
            yield from numbered(self.findings)
            yield ""
        yield Table(
            ("checkpoint", "pass@1", "informative", f"pass@{self.group_size}"),
            [
                (name, *(str(x[i]) for x in (self.pass_at_1, self.informative, self.pass_at_g)))
                for i, name in enumerate(self.checkpoints)
            ],
        )
        yield ""
        yield Table(
            ("forecast of pass@1", *(f"at {x:g}" for x in self.budgets)),
            [(name, *(_end(row[i]) for row in self.forecasts)) for i, name in enumerate(self.checkpoints)],
        )
        if np.isnan(self.forecasts).any():
            yield "not known: none of its samples is correct, so all of its prompts may be within reach of RL, or none."
        yield (
            "at: learning rate times steps of the model, independent softmax tables by their mean field. "
            "No network's optimizer has this scale: which column is yours is not known."
        )
        by_name = {name: [by for by, x in self.best.items() if x == name] for name in self.best.values()}
        best = (f"{', '.join(by)}: {name or 'none is ahead'}" for name, by in by_name.items())
        yield f"best by {'; by '.join(best)}."
        yield ""
        first, others = self.checkpoints[0], self.checkpoints[1:]
        for i in range(0, len(others), 3):
            rows = [(str(k), *(signed(x) for x in row[i : i + 3])) for k, row in self.gains]
            k = self.gains[-1][0]
            rows.append((f"pass@{k} ratio", *map(str, self.coverage[i : i + 3])))
            yield Table((f"pass@k less {first}", *others[i : i + 3]), rows)
        yield "The band of pass@k holds for all k and checkpoints at once."
        yield from noted(self.notes)


def compare(
    checkpoints: "Mapping[str, Readable] | Readable",
    group_size: int | None = None,
    *,
    budgets: Iterable[float] = (30.0, 300.0, 3000.0),
    **reading: Any,
) -> Comparison:
    """Which checkpoint to start RL from: the same prompts, decided by paired tests of the end points.

    An end point is the forecast after a budget. Differences are paired by prompt, their level is shared out over pairs
    and budgets, and those below 0.02 do not matter. The early signal, the informative fraction, is shown and does not
    decide.

    Parameters
    ----------
    checkpoints : {name: whatever `read` takes}, or one data set with a column of checkpoints. Prompts are matched by
        their ids; those that some checkpoint lacks are left out.
    group_size : g, at least 2; default 8. Prompts with fewer samples are left out where at least half have as many.
    budgets : learning rate times steps of the forecasts; which one is yours is not known, so what matters is whether
        the order depends on it.
    reading : options of `read`.

    Returns
    -------
    Comparison. What RL learns from one prompt for another is not in it.

    Raises
    ------
    ValueError : fewer than two checkpoints, no shared prompts, g above the samples; no budgets, one that is no number
        of at least 0 and finite, or two that print alike.

    Source: docs/diagnosis.md.

    Examples
    --------
    A deeper checkpoint with more pass@1 and fewer informative groups:

    >>> from rlsignal import compare
    >>> shallow = {"prompt": range(90), "n": [16] * 90, "c": [1, 2, 3, 4, 6, 8] * 15}
    >>> deep = {"prompt": range(90), "n": [16] * 90, "c": [0, 0, 0, 4, 14, 16] * 15}
    >>> found = compare({"shallow": shallow, "deep": deep})
    >>> found.best["pass@1"], found.best["informative"], found.decision.verdict, found.decision.checkpoint
    ('deep', 'shallow', 'start from', 'shallow')
    """
    g, budgets = _validate.group_size(8 if group_size is None else group_size), _budgets(budgets)
    named = _named(checkpoints, reading)
    if len(named) < 2:
        raise ValueError(
            f"checkpoints must be at least two, got {', '.join(named) or 'one evaluation'}. Give another evaluation, "
            "name the column of checkpoints with checkpoint=, or see one alone with diagnose."
        )
    shared = shared_prompts(named)
    counts = {name: on_prompts(shared, rollouts) for name, rollouts in named.items()}
    fewest = np.min([x.samples for x in counts.values()], axis=0)
    enough, common = fewest >= g, int(np.sort(fewest)[len(fewest) // 2])
    if g > common:
        raise ValueError(
            f"group_size must be at most {common}, the samples that half of the shared prompts have, got "
            f"{'the default ' if group_size is None else ''}{g}. "
            + (f"Compare at {common}, or sample more." if common > 1 else "Sample more.")
        )
    short, shared = int((~enough).sum()), [prompt for prompt, kept in zip(shared, enough, strict=True) if kept]
    counts = {name: on_prompts(shared, rollouts) for name, rollouts in named.items()}
    scores: dict[str, tuple[Statistic, int]] = {
        "pass@1": (pass_at_k, 1),
        "informative": (informative_probability, g),
        f"pass@{g}": (pass_at_k, g),
    }
    answers = {
        by: tuple(group_estimate(statistic, x, size) for x in counts.values())
        for by, (statistic, size) in scores.items()
    }
    ends = [[_end_point(x, g, budget) for x in counts.values()] for budget in budgets]
    forecasts = tuple(tuple(score.value if score.known else float("nan") for score in row) for row in ends)
    names = list(counts)
    each = {
        by: {name: per_prompt_estimate(*scores[by][:1], x, scores[by][1]) for name, x in counts.items()}
        for by in ("pass@1", "informative")
    }
    disagree = tuple(
        (a, b, disagreement_probability(*(each[by][a] - each[by][b] for by in ("pass@1", "informative"))))
        for i, a in enumerate(names)
        for b in names[i + 1 :]
    )
    best = {by: _best(names, [x.value for x in answers[by]]) for by in answers}
    best |= {f"forecast at {budget:g}": _best(names, row) for budget, row in zip(budgets, forecasts, strict=True)}
    ks = sorted({*(2**i for i in range(int(fewest[enough].min()).bit_length())), int(fewest[enough].min())})
    entropy = tuple(
        float(np.nanmean(x.entropy)) if x.entropy is not None and np.isfinite(x.entropy).any() else float("nan")
        for x in named.values()
    )
    return Comparison(
        checkpoints=tuple(names),
        group_size=g,
        prompts=len(shared),
        pass_at_1=answers["pass@1"],
        informative=answers["informative"],
        pass_at_g=answers[f"pass@{g}"],
        budgets=budgets,
        forecasts=forecasts,
        disagree=disagree,
        entropy=entropy,
        best=best,
        decision=decide(names, list(counts.values()), budgets, ends),
        gains=tuple((k, _gains(list(counts.values()), k, len(ks) * (len(names) - 1))) for k in ks),
        coverage=tuple(_ratio(x, next(iter(counts.values())), ks[-1]) for x in list(counts.values())[1:]),
        findings=_compared(names, answers, disagree, best, entropy, g, dropped(named, shared) - short, short),
        read_as="; and ".join(dict.fromkeys(x.read_as for x in named.values() if x.read_as)),
        notes=_notes(named),
    )


def _budgets(budgets: Any) -> tuple[float, ...]:
    """What was given, as numbers of at least 0."""
    try:
        found = _validate.within("budgets", list(budgets), 0, np.inf)
    except TypeError:
        raise ValueError(
            f"budgets must be a list of numbers, got {_validate.shown(budgets)}. Give one as [30]."
        ) from None
    if not found.size:
        raise ValueError("budgets must be at least one, got none. The forecast is made at each.")
    if np.isinf(found).any():
        raise ValueError("budgets must be finite, got inf. Give a large number.")
    if found.ndim > 1:
        raise ValueError(f"budgets must be a list of numbers, got an array of shape {found.shape}.")
    printed = [f"{budget:g}" for budget in found]
    if len(set(printed)) < len(printed):
        alike = next(text for text in printed if printed.count(text) > 1)
        raise ValueError(
            f"budgets must differ in six digits, which name them, got two that are {alike}. Leave one out."
        )
    return tuple(found.tolist())


def _end(forecast: float) -> str:
    return "not known" if np.isnan(forecast) else f"{forecast:.3f}"


def _best(names: Sequence[str], values: Sequence[float]) -> str:
    """The one with the largest value that is known, if it is one."""
    top = [name for name, value in zip(names, values, strict=True) if value > np.nanmax([*values, -1]) - 1e-12]
    return top[0] if len(top) == 1 else ""


def _end_point(data: Recorded, g: int, budget: float) -> Score:
    return Score.of_population(data, lambda p: np.asarray(forecast(p, g, GRPO, budget=budget)))


def _gains(counts: Sequence[Recorded], k: int, comparisons: int) -> tuple[Estimate, ...]:
    """pass@k less that of the first checkpoint, in a band that holds for all comparisons at once."""
    scores = [Score.of_mean(per_prompt_estimate(pass_at_k, x, k)) for x in counts]
    level = 0.95 ** (1 / comparisons)  # Sidak; differences at several k are positively related
    return tuple(score_difference(score, scores[0], level=level) for score in scores[1:])


def _ratio(data: Recorded, base: Recorded, k: int) -> Estimate:
    """pass@k over the base's."""
    return score_ratio(*(Score.of_mean(per_prompt_estimate(pass_at_k, x, k)) for x in (data, base)))


def _named(checkpoints: Any, reading: Mapping[str, Any]) -> dict[str, Rollouts]:
    """Rollouts by checkpoint, in the order given."""
    if isinstance(checkpoints, Mapping) and not any(map(_is_column, checkpoints.values())):
        sources = {str(name): as_data(x, reading) for name, x in checkpoints.items()}
    else:
        whole = as_data(checkpoints, reading)
        if isinstance(whole, TrainingLog):
            raise ValueError(
                "checkpoints must be evaluations, got a training log, without counts per prompt. See it with track."
            )
        sources = {str(name): whole.at(checkpoint=name) for name in whole.checkpoints}
    return evaluations(sources)


def evaluations(sources: Mapping[str, Rollouts | TrainingLog]) -> dict[str, Rollouts]:
    """These, if each is an evaluation that holds each prompt once."""
    found: dict[str, Rollouts] = {}
    for name, x in sources.items():
        if isinstance(x, TrainingLog):
            raise ValueError(f"checkpoints must be evaluations, got a training log for {name!r}. See it with track.")
        if len(set(x.prompt)) < len(x.prompt):
            raise ValueError(f"a checkpoint must hold each prompt once, got repetitions in {name!r}. Pool them first.")
        found[name] = x
    return found


def shared_prompts(named: Mapping[str, Rollouts]) -> list[Any]:
    """The prompts that all of these hold, in one order; at least two."""
    shared = sorted(set.intersection(*(set(x.prompt) for x in named.values())), key=str)
    if len(shared) < 2:
        raise ValueError(
            f"checkpoints must share at least two prompts, got {len(shared)} in common. Prompts are matched by their "
            "ids; name the column with prompt=."
        )
    return shared


def _is_column(value: Any) -> bool:
    """Whether this is a column of cells, and not a data set of its own: any name may be that of a checkpoint."""
    if isinstance(value, str | Mapping | Rollouts | TrainingLog) or not hasattr(value, "__iter__"):
        return False
    if len(getattr(value, "shape", ())) > 1:
        return False
    first = next(iter(value), None)
    return isinstance(first, str | int | float | bool | np.generic)


def on_prompts(prompts: list[Any], rollouts: Rollouts) -> Recorded:
    """The counts of these prompts, in this order."""
    place = {prompt: i for i, prompt in enumerate(rollouts.prompt)}
    which = [place[prompt] for prompt in prompts]
    return Recorded(rollouts.correct[which], rollouts.samples[which])


def dropped(named: Mapping[str, Rollouts], shared: list[Any]) -> int:
    """How many prompts some checkpoint lacks."""
    return len(set.union(*(set(x.prompt) for x in named.values()))) - len(shared)


def left_out(prompts: int) -> str:
    """A sentence on them."""
    what, are = ("1 prompt", "is") if prompts == 1 else (f"{prompts} prompts", "are")
    return f"{what} that some checkpoint lacks, or has no counts of, {are} left out."


def _notes(named: Mapping[str, Rollouts]) -> tuple[str, ...]:
    """What is unusual in the data, each said once."""
    concerned: dict[str, list[str]] = {}
    for name, rollouts in named.items():
        for note in rollouts.notes:
            concerned.setdefault(note.sentence, []).append(name)
    return tuple(
        text if len(names) == len(named) else f"{', '.join(names)}: {text}" for text, names in concerned.items()
    )


def _compared(
    names: list[str],
    answers: Mapping[str, tuple[Estimate, ...]],
    disagree: tuple[tuple[str, str, float], ...],
    best: Mapping[str, str],
    entropy: tuple[float, ...],
    g: int,
    dropped: int,
    short: int,
) -> tuple[Finding, ...]:
    informative, by_mean = best["informative"], best["pass@1"]
    value = {by: dict(zip(names, (x.value for x in row), strict=True)) for by, row in answers.items()}
    findings = []
    if informative and by_mean and informative != by_mean:
        chance = next(x for a, b, x in disagree if {a, b} == {informative, by_mean})
        findings.append(
            Finding(
                "early signals differ",
                f"{by_mean} has the best pass@1 ({value['pass@1'][by_mean]:.3f}), {informative} the most informative "
                f"groups ({value['informative'][informative]:.0%} against {value['informative'][by_mean]:.0%} at "
                f"g = {g}); with probability {chance:.2f} the two scores really order them differently.",
                "The decision is by the end points, not by these.",
                1.0,
            )
        )
    if np.isfinite(entropy).all():
        findings.append(
            Finding(
                "entropy",
                "Entropy before RL: " + ", ".join(f"{n} {x:.3g}" for n, x in zip(names, entropy, strict=True)) + ".",
                "It is shown for the record: equal pass rates with different entropies end nearly alike in the "
                "simulations, and equal entropies with different pass rates do not.",
                0.1,
            )
        )
    if dropped:
        findings.append(Finding("unpaired", left_out(dropped), "", 0.05))
    if short:
        findings.append(Finding("short", f"{short} prompts with fewer than {g} samples are left out.", "", 0.05))
    return tuple(findings)
