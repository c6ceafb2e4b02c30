"""Which checkpoint to start RL from: the same prompts, by several predictors, and how sure their order is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, plain
from rlsignal.data.read import read
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.diagnosis.diagnose import Finding, numbered, read_line
from rlsignal.inference.intervals import Estimate, Statistic, group_estimate, per_prompt_estimate
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
    budgets, forecasts : learning rate times steps, and [budget][checkpoint], pass@1 after it by the mean field.
    disagree : (first, second, probability) for every pair: that informative fraction and pass@1 order them
        differently, given the noise of both.
    entropy : of each checkpoint in the data's own unit, NaN where missing.
    best : by each predictor, the checkpoint it would start from.
    findings : what to know, the weightiest first.
    read_as : what the data was taken for, from `read`.
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
    findings: tuple[Finding, ...]
    read_as: str = ""

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
                f"{budget:g}": dict(zip(self.checkpoints, row, strict=True))
                for budget, row in zip(self.budgets, self.forecasts, strict=True)
            },
            "entropy": {name: plain(x) for name, x in zip(self.checkpoints, self.entropy, strict=True)},
            "disagree": [{"first": a, "second": b, "probability": x} for a, b, x in self.disagree],
            "best": dict(self.best),
            "findings": [finding.summary for finding in self.findings],
        }

    def _parts(self) -> Iterable[Part]:
        yield from read_line(self.read_as)
        yield f"{len(self.checkpoints)} checkpoints, {self.prompts} shared prompts, g = {self.group_size}"
        yield ""
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
            [(name, *(f"{row[i]:.3f}" for row in self.forecasts)) for i, name in enumerate(self.checkpoints)],
        )
        yield "at: learning rate times steps, by the mean field of independent prompts."
        yield f"best by {', by '.join(f'{by}: {name}' for by, name in self.best.items())}."


def compare(
    checkpoints: Any,
    group_size: int = 8,
    *,
    budgets: tuple[float, ...] = (30.0, 300.0, 3000.0),
    **reading: Any,
) -> Comparison:
    """Which checkpoint to start RL from: the same prompts, by four predictors.

    Parameters
    ----------
    checkpoints : {name: whatever `read` takes}, or one data set with a column of checkpoints. Prompts are matched by
        their ids; those that some checkpoint lacks are left out.
    group_size : g, at least 2 and at most the fewest samples of a prompt.
    budgets : learning rate times steps of the forecasts; which one is yours is not known, so what matters is whether
        the order depends on it.
    reading : options of `read`.

    Returns
    -------
    Comparison. What RL learns from one prompt for another is not in it.

    Raises
    ------
    ValueError : fewer than two checkpoints, no shared prompts, g above the samples.

    Source: docs/diagnosis.md.

    Examples
    --------
    A deeper checkpoint with more pass@1 and fewer informative groups:

    >>> shallow = {"prompt": range(90), "n": [16] * 90, "c": [1, 2, 3, 4, 6, 8] * 15}
    >>> deep = {"prompt": range(90), "n": [16] * 90, "c": [0, 0, 0, 4, 14, 16] * 15}
    >>> found = compare({"shallow": shallow, "deep": deep})
    >>> found.best["pass@1"], found.best["informative"], round(found.disagree[0][2], 2)
    ('deep', 'shallow', 1.0)
    """
    g = _validate.group_size(group_size)
    named = _named(checkpoints, reading)
    if len(named) < 2:
        raise ValueError(f"checkpoints must be at least two, got {list(named)}. For one, use diagnose().")
    shared = sorted(set.intersection(*(set(x.prompt) for x in named.values())), key=str)
    if len(shared) < 2:
        raise ValueError(
            f"checkpoints must share at least two prompts, got {len(shared)} in common. Prompts are matched by their "
            "ids; name the column with prompt=."
        )
    counts = {name: _on(shared, rollouts) for name, rollouts in named.items()}
    fewest = min(int(np.min(x.samples)) for x in counts.values())
    if g > fewest:
        raise ValueError(
            f"group_size must be at most {fewest}, the fewest samples of a shared prompt, got {g}. Compare at "
            f"{fewest}, or sample more."
        )
    scores: dict[str, tuple[Statistic, int]] = {
        "pass@1": (pass_at_k, 1),
        "informative": (informative_probability, g),
        f"pass@{g}": (pass_at_k, g),
    }
    answers = {
        by: tuple(group_estimate(statistic, x, size) for x in counts.values())
        for by, (statistic, size) in scores.items()
    }
    forecasts = tuple(
        tuple(float(np.asarray(forecast(x, g, GRPO, budget=budget))) for x in counts.values()) for budget in budgets
    )
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
    best = {by: names[int(np.argmax([x.value for x in answers[by]]))] for by in answers}
    best |= {
        f"forecast at {budget:g}": names[int(np.argmax(row))] for budget, row in zip(budgets, forecasts, strict=True)
    }
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
        budgets=tuple(float(x) for x in budgets),
        forecasts=forecasts,
        disagree=disagree,
        entropy=entropy,
        best=best,
        findings=_compared(names, answers, disagree, best, entropy, g, _dropped(named, shared)),
        read_as="; and ".join(dict.fromkeys(x.read_as for x in named.values() if x.read_as)),
    )


def _named(checkpoints: Any, reading: Mapping[str, Any]) -> dict[str, Rollouts]:
    """Rollouts by checkpoint, in the order given."""
    if isinstance(checkpoints, Mapping) and not {"prompt", "reward", "c", "correct"} & set(checkpoints):
        sources = {str(name): x if isinstance(x, Rollouts) else read(x, **reading) for name, x in checkpoints.items()}
    else:
        whole = checkpoints if isinstance(checkpoints, Rollouts) else read(checkpoints, **reading)
        if isinstance(whole, TrainingLog):
            raise ValueError("checkpoints must be evaluations, got a training log. It holds no counts per prompt.")
        sources = {str(name): whole.at(checkpoint=name) for name in whole.checkpoints}
    found: dict[str, Rollouts] = {}
    for name, x in sources.items():
        if isinstance(x, TrainingLog):
            raise ValueError(f"checkpoints must be evaluations, got a training log for {name!r}.")
        if len(set(x.prompt)) < len(x.prompt):
            raise ValueError(f"a checkpoint must hold each prompt once, got repetitions in {name!r}. Pool them first.")
        found[name] = x
    return found


def _on(prompts: list[Any], rollouts: Rollouts) -> Recorded:
    """The counts of these prompts, in this order."""
    place = {prompt: i for i, prompt in enumerate(rollouts.prompt)}
    which = [place[prompt] for prompt in prompts]
    return Recorded(rollouts.correct[which], rollouts.samples[which])


def _dropped(named: Mapping[str, Rollouts], shared: list[Any]) -> int:
    return len(set.union(*(set(x.prompt) for x in named.values()))) - len(shared)


def _compared(
    names: list[str],
    answers: Mapping[str, tuple[Estimate, ...]],
    disagree: tuple[tuple[str, str, float], ...],
    best: Mapping[str, str],
    entropy: tuple[float, ...],
    g: int,
    dropped: int,
) -> tuple[Finding, ...]:
    informative, by_mean = best["informative"], best["pass@1"]
    value = {by: dict(zip(names, (x.value for x in row), strict=True)) for by, row in answers.items()}
    findings = []
    if informative != by_mean:
        chance = next(x for a, b, x in disagree if {a, b} == {informative, by_mean})
        findings.append(
            Finding(
                "orders differ",
                f"{by_mean} has the best pass@1 ({value['pass@1'][by_mean]:.3f}), {informative} the most informative "
                f"groups ({value['informative'][informative]:.0%} against {value['informative'][by_mean]:.0%} at "
                f"g = {g}); with probability {chance:.2f} the two scores really order them differently.",
                f"Start from {informative} unless a short RL run from each says otherwise."
                if chance > 0.9
                else "The samples do not settle it: sample more prompts, or run a short RL stage from both.",
                1.0,
            )
        )
    else:
        findings.append(
            Finding(
                "orders agree",
                f"{by_mean} has the best pass@1 ({value['pass@1'][by_mean]:.3f}) and the most informative groups "
                f"({value['informative'][by_mean]:.0%} at g = {g}).",
                f"Start from {by_mean}.",
                1.0,
            )
        )
    forecasts = {name for by, name in best.items() if by.startswith("forecast")}
    if len(forecasts) > 1:
        findings.append(
            Finding(
                "budget decides",
                "Which checkpoint ends highest in the forecast depends on the budget: "
                + ", ".join(f"{name} {by}" for by, name in best.items() if by.startswith("forecast"))
                + ".",
                "A small budget favours pass@1, a large one what is within reach.",
                0.5,
            )
        )
    if np.isfinite(entropy).all() and len(names) > 1:
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
        findings.append(Finding("unpaired", f"{dropped} prompts that some checkpoint lacks are left out.", "", 0.05))
    return tuple(findings)
