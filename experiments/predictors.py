"""Which number, taken before RL, tells which checkpoint to start from? Random ladders, split into tuning and test.

A random ladder is a task, label noise, a number of different demonstrations, an SFT rate and an RL rate. Every
predictor ranks its six checkpoints before RL, from exact pass rates and again from 16 samples of each prompt.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy.stats import rankdata

from experiments.alignment import alignment, first_speed, pulls
from rlsignal import _validate
from rlsignal._show import Part, Result, Table
from rlsignal.inference.intervals import Estimate, signed
from rlsignal.inference.ranking import paired_estimate, rank_correlation
from rlsignal.sim.grpo import GRPORecipe, GRPOSetting, train_policy
from rlsignal.sim.policies import Measured, Network, Prompts
from rlsignal.sim.runner import Runner
from rlsignal.sim.sft import SFTRecipe, SFTSetting, finetune
from rlsignal.sim.sweep import alike, sweep
from rlsignal.sim.tasks import Teacher
from rlsignal.theory.clock import forecast
from rlsignal.theory.distributions import Fixed, PassRate
from rlsignal.theory.frameworks import GRPO
from rlsignal.theory.passk import pass_at_k
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.signal import informative_probability

SAMPLES = 16
"""Of each prompt, where a predictor is not given its pass rates."""

BUDGETS = tuple(10.0**x for x in range(6))
"""Time scales of the forecast, of which the tuning ladders choose one."""

LOW_ENTROPY, ENTROPY_LOSS = 0.18, 0.5
"""The paper's two thresholds, from two models: nats per token before RL, and the share lost early in RL."""

LOSS = 0.02
"""A choice that ends this much below the best checkpoint is a mistake."""

OUTCOMES = ("trained", "fresh", "trained pass@k", "fresh pass@1")
"""On what RL trains on, final pass@1 and final pass@k; on fresh prompts, peak pass@k and final pass@1."""


@dataclass(frozen=True)
class Kind:
    """A task with the policy that learns it; what a ladder compiles for.

    name : of the task.
    task : its demonstrations are repeated, so that fewer of them are different.
    sft, grpo : the two stages.
    """

    name: str
    task: Teacher
    sft: SFTRecipe
    grpo: GRPORecipe


def _kind(name: str, choices: int, correct: int) -> Kind:
    policy = Network(widths=(128, 128), choices=choices)
    task = Teacher(Network(widths=(32,), choices=choices), demonstrations=1024, prompts=256, correct=correct)
    sft = SFTRecipe(policy, depths=(0, 30, 100, 300, 1000, 3000))
    return Kind(name, task, sft, GRPORecipe(policy, steps=600, record_every=50))


KINDS = (
    _kind("one answer of 256", 16, 1),
    _kind("one answer of 64", 8, 1),
    _kind("four answers of 256", 16, 4),
)
"""What random ladders are drawn from, in turn."""


@dataclass(frozen=True, repr=False)
class PredictorScore(Result):
    """One predictor over the test ladders, by outcome of `OUTCOMES`.

    correlation : mean over ladders of Spearman's rho within a ladder, 95% with ladders as the units.
    loss : how far below the best checkpoint the one that it would choose ends.
    mistaken : share of ladders in which that is more than 0.02.
    by_depth : its mean over ladders at each checkpoint.
    """

    name: str
    correlation: dict[str, Estimate]
    loss: dict[str, Estimate]
    mistaken: dict[str, float]
    by_depth: tuple[float, ...]

    def _parts(self) -> Iterable[Part]:
        parts = (f"{signed(x)} ({outcome})" for outcome, x in self.correlation.items())
        yield f"{self.name}: rank correlation {', '.join(parts)}."


@dataclass(frozen=True, repr=False)
class PredictorTable(Result):
    """Predictors of which checkpoint to start RL from. `print` it for the reading.

    ladders, tuning : tested on, and used to set the time scale of the forecast alone.
    failed : of all, with a run that diverged.
    samples : of each prompt, for the rows that say so.
    time_scale : learning rate times steps at which the forecast ranked the tuning ladders best.
    inverted : by outcome, share of test ladders whose checkpoint of best pass@1 ends more than 0.02 below another.
    scores : one for each predictor.
    entropy_given_informative, informative_given_entropy : by outcome, mean partial rank correlation within a ladder
        and its 95% interval: what one of them knows once the other is known.
    alignment_given_informative, alignment_given_pass_rates, speed_given_informative, speed_given_pass_rates : the same
        of the alignment number and of the first speed of pass@1, on the trained prompts, once the informative fraction,
        or that and pass@1, are known.
    by_rate : mean rank correlation of the informative fraction with "trained" at slow and at fast RL rates.
    after : by outcome, its mean over ladders at each checkpoint.
    entropy_given_larger : as `entropy_given_informative`, of the informative fraction at the first of the further group
        sizes; empty without any.
    """

    ladders: int
    tuning: int
    failed: int
    samples: int
    time_scale: float
    inverted: dict[str, float]
    scores: tuple[PredictorScore, ...]
    entropy_given_informative: dict[str, Estimate]
    informative_given_entropy: dict[str, Estimate]
    alignment_given_informative: dict[str, Estimate]
    alignment_given_pass_rates: dict[str, Estimate]
    speed_given_informative: dict[str, Estimate]
    speed_given_pass_rates: dict[str, Estimate]
    by_rate: tuple[float, ...]
    after: dict[str, tuple[float, ...]]
    entropy_given_larger: dict[str, Estimate]

    @property
    def best(self) -> str:
        """The predictor whose choices lose least on "trained", of those known before RL."""
        before = [score for score in self.scores if "RL steps" not in score.name and "samples" not in score.name]
        return min(before, key=lambda score: score.loss["trained"].value).name

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "ladders": self.ladders,
            "tuning": self.tuning,
            "failed": self.failed,
            "samples": self.samples,
            "time_scale": self.time_scale,
            "inverted": self.inverted,
            "best": self.best,
            "scores": [
                {
                    "name": x.name,
                    "correlation": _summaries(x.correlation),
                    "loss": _summaries(x.loss),
                    "mistaken": x.mistaken,
                    "by_depth": list(x.by_depth),
                }
                for x in self.scores
            ],
            **{name: _summaries(getattr(self, name)) for name in PARTIALS},
            "by_rate": list(self.by_rate),
            "after": {name: list(x) for name, x in self.after.items()},
            "entropy_given_larger": _summaries(self.entropy_given_larger),
        }

    def _parts(self) -> Iterable[Part]:
        yield (
            f"{self.ladders} random ladders. The checkpoint with the best pass@1 is a mistake in "
            f"{self.inverted['trained']:.0%} (pass@1 on trained prompts) and {self.inverted['fresh']:.0%} (peak pass@k "
            "on fresh ones)."
        )
        for outcome in OUTCOMES:
            yield Table(
                (f"known, and its rank correlation: {outcome}", "rho", "loss", "mistaken"),
                [
                    (
                        x.name,
                        signed(x.correlation[outcome]),
                        f"{x.loss[outcome].value:.3f}",
                        f"{x.mistaken[outcome]:.0%}",
                    )
                    for x in self.scores
                ],
            )
        for name, (known, *given) in PARTIALS.items():
            parts = (f"{signed(x)} ({outcome})" for outcome, x in getattr(self, name).items())
            yield f"{known}, given {' and '.join(given)}: partial rank correlation {', '.join(parts)}."


PARTIALS = {
    "entropy_given_informative": ("entropy per token", "informative"),
    "informative_given_entropy": ("informative", "entropy per token"),
    "alignment_given_informative": ("alignment number", "informative"),
    "alignment_given_pass_rates": ("alignment number", "informative", "pass@1"),
    "speed_given_informative": ("first speed of pass@1", "informative"),
    "speed_given_pass_rates": ("first speed of pass@1", "informative", "pass@1"),
}
"""Fields of `PredictorTable`: what is scored, then what is known already."""


def _summaries(named: dict[str, Estimate]) -> dict[str, Any]:
    return {name: x.summary for name, x in named.items()}


class LadderSetting(NamedTuple):
    """A random ladder of its kind."""

    noise: Any  # chance that a demonstrated token is incorrect
    different: Any  # demonstrations, the others being repetitions of them
    sft: SFTSetting
    grpo: GRPOSetting


class TrainedLadder(NamedTuple):
    """One ladder: what each checkpoint shows before RL, and what RL makes of it."""

    pass_rates: Any  # [checkpoints, prompts], of the prompts that RL trains on, before it
    alignment: Any  # [checkpoints, 2], the alignment number of those prompts, and of the fresh ones, before RL
    speed: Any  # [checkpoints, 2], the first speed of pass@1 on them
    token_entropy: Any  # [checkpoints, records], nats per token on them, during RL
    trained: Any  # [checkpoints, records, 2], pass@1 and pass@k on them
    fresh: Any  # [checkpoints, records, 2], the same on prompts that neither stage saw


@dataclass(frozen=True)
class Experiment:
    """One random ladder; hashable by value.

    kind : with the training that is run. group_size : of the alignment number, which is of GRPO whatever the trainer.
    """

    kind: Kind
    group_size: int

    def __call__(self, key: Array, setting: LadderSetting) -> TrainedLadder:
        kind, policy = self.kind, self.kind.sft.policy
        task_key, start_key, sft_key, rl_key = (jax.random.fold_in(key, i) for i in range(4))
        task = kind.task(task_key, setting.noise)
        shown = jnp.arange(kind.task.demonstrations) % setting.different
        demonstrations = jax.tree.map(lambda x: x[shown], task.demonstrations)
        checkpoints = finetune(sft_key, policy.init(start_key), demonstrations, kind.sft, setting.sft)

        table = np.asarray(GRPO.table(self.group_size), np.float32)
        both = Prompts(*(jnp.concatenate(x) for x in zip(task.train, task.fresh, strict=True)))

        def halves(values: Array) -> Array:
            return values.reshape(2, -1)

        def attempts(found: Measured) -> Array:
            return jnp.stack([found.metrics.pass_at_1, found.metrics.pass_at_k[..., 0]], -1)

        def trained(parameters: Any) -> TrainedLadder:
            pull, p = map(halves, pulls(policy, parameters, task.train, both, table))
            number, speed = alignment(pull, p, kind.grpo.attempts[0]), first_speed(pull, p)
            trained, fresh = train_policy(rl_key, parameters, task, kind.grpo, setting.grpo)[1]
            return TrainedLadder(p[0], number, speed, trained.token_entropy, attempts(trained), attempts(fresh))

        return lax.map(trained, checkpoints)  # one after the other: a network's products fill a core


def score_predictors(
    ladders: int = 300,
    *,
    tuning: int = 90,
    kinds: tuple[Kind, ...] = KINDS,
    trainer: dict[str, Any] | None = None,
    group_size: int | None = None,
    sizes: tuple[int, ...] = (),
    seed: int = 0,
    runner: Runner | None = None,
) -> PredictorTable:
    """Score what could be known before RL by how it ranks the checkpoints of random ladders.

    Parameters
    ----------
    ladders, tuning : how many in all, and how many of them only set the forecast's time scale.
    kinds : of task, in turn.
    trainer : keywords of `GRPORecipe.setting`, such as the estimator; default plain GRPO. Predictors do not see it.
    group_size : of the training, where it is not the kind's own; predictors keep that one.
    sizes : further ones at which the informative fraction of exact pass rates is scored.
    seed : of everything.
    runner : how the ladders are run; default `Runner()`.

    Returns
    -------
    PredictorTable, over the test ladders.

    Raises
    ------
    ValueError : fewer than two tuning or test ladders, no kinds.

    Source: docs/predictors.md.

    Examples
    --------
    >>> small = Network(widths=(16,), choices=4)
    >>> task = Teacher(Network(widths=(8,), choices=4), demonstrations=32, prompts=32)
    >>> kind = Kind("small", task, SFTRecipe(small, depths=(0, 10, 40)), GRPORecipe(small, batch=16, steps=20, \
record_every=10))
    >>> score_predictors(6, tuning=2, kinds=(kind,)).ladders
    4
    """
    tuning = _validate.whole("tuning", tuning, 2)
    count = _validate.whole("ladders", ladders, tuning + 2, way_out="Two are needed to test on.")
    rng = np.random.default_rng(_validate.whole("seed", seed, 0))
    if not kinds:
        raise ValueError("kinds must be at least one Kind, got none.")
    for kind in kinds:
        way_out = f"Predictors see {SAMPLES} samples of a prompt, and ask for groups no larger than that."
        _validate.whole("group_size", kind.grpo.group_size, 2, SAMPLES, way_out=way_out)
        _validate.whole("attempts", kind.grpo.attempts[0], 1, SAMPLES, way_out=way_out)
    drawn, found = _drawn(rng, count, kinds), []
    for i, kind in enumerate(kinds):
        which, seen = np.arange(i, count, len(kinds)), kind.grpo.group_size
        run = replace(kind, grpo=replace(kind.grpo, group_size=group_size or seen))
        cells = (
            jnp.stack([jax.random.key(seed * 1_000_003 + int(ladder)) for ladder in which]),
            jax.tree.map(lambda x, which=which: x[which], _settings(drawn, run, trainer)),
        )
        label = ", ".join((f"random ladders: {kind.name}", f"g = {run.grpo.group_size}", *(trainer or {})))
        results = sweep(Experiment(run, seen), cells, label=label, runner=runner, on_cpu=1)
        found += [(int(ladder), kind, jax.tree.map(lambda x, j=j: x[j], results)) for j, ladder in enumerate(which)]
    found.sort(key=lambda item: item[0])
    return _table([(kind, trained) for _, kind, trained in found], tuning, rng, drawn["rl_rate"], sizes)


def _drawn(rng: np.random.Generator, count: int, kinds: tuple[Kind, ...]) -> dict[str, np.ndarray]:
    most = min(kind.task.demonstrations for kind in kinds)
    return {
        "noise": rng.uniform(0, 0.5, count).astype(np.float32),
        "different": np.round(2 ** rng.uniform(np.log2(most) - 5, np.log2(most), count)).astype(np.int32),
        "sft_rate": (10 ** rng.uniform(-3.5, -2.5, count)).astype(np.float32),
        "rl_rate": (10 ** rng.uniform(-4, -3, count)).astype(np.float32),
    }


def _settings(drawn: dict[str, np.ndarray], kind: Kind, trainer: dict[str, Any] | None = None) -> LadderSetting:
    """Every ladder as one of this kind."""
    count = len(drawn["noise"])

    return LadderSetting(
        drawn["noise"],
        drawn["different"],
        alike(kind.sft.setting(), count)._replace(learning_rate=drawn["sft_rate"]),
        alike(kind.grpo.setting(**(trainer or {})), count)._replace(learning_rate=drawn["rl_rate"]),
    )


def _known_before(p: PassRate, g: int, k: int, budgets: tuple[float, ...]) -> dict[str, float]:
    """Predictors of one checkpoint, from its pass rates or its samples; the forecast at every time scale."""
    forecasts = {f"forecast {budget:g}": forecast(p, g, GRPO, budget=budget) for budget in budgets}
    named = {"pass@1": pass_at_k(p, 1), f"pass@{k}": pass_at_k(p, k), "informative": informative_probability(p, g)}
    return {name: float(np.mean(np.asarray(x))) for name, x in {**named, **forecasts}.items()}


def _table(
    found: list[tuple[Kind, TrainedLadder]],
    tuning: int,
    rng: np.random.Generator,
    rl_rates: np.ndarray,
    sizes: tuple[int, ...],
) -> PredictorTable:
    """Scores over the test ladders. Everything that could be tuned has been, on the others."""
    exact, sampled, outcomes, entropies, early, larger = [], [], [], [], [], []
    for kind, trained in found:
        p = np.clip(trained.pass_rates.astype(np.float64), 1e-30, 1 - 1e-7)
        larger.append({f"informative, g = {size}": informative_probability(p, size).mean(-1) for size in sizes})
        g, k = kind.grpo.group_size, kind.grpo.attempts[0]
        counts = rng.binomial(SAMPLES, p)
        exact.append([_known_before(Fixed(x), g, k, BUDGETS) for x in p])
        sampled.append([_known_before(Recorded(c, SAMPLES), g, k, BUDGETS) for c in counts])
        (first, at_k), fresh_first = trained.trained[:, -1].T, trained.fresh[:, -1, 0]
        after = first, trained.fresh[..., 1].max(-1), at_k, fresh_first
        outcomes.append(dict(zip(OUTCOMES, after, strict=True)))
        entropies.append(trained.token_entropy)
        early.append(trained.trained[:, 2, 0])
    names = list(exact[0][0])
    budget = max(
        (name for name in names if name.startswith("forecast")),
        key=lambda name: np.mean(
            [
                _spearman([x[name] for x in checkpoints], out["trained"])
                for checkpoints, out in zip(exact[:tuning], outcomes, strict=False)
            ]
        ),
    )
    scores: dict[str, list[Any]] = {}
    for i in range(tuning, len(found)):
        entropy = entropies[i]
        checkpoints = np.arange(len(entropy))
        by: dict[str, Any] = {
            "SFT depth": checkpoints,
            "entropy per token": entropy[:, 0],
            "the paper's rule": _paper_rule(entropy),
        }
        for name in names:
            if name.startswith("forecast") and name != budget:
                continue
            shown = "forecast" if name == budget else name
            by[shown] = [x[name] for x in exact[i]]
            by[f"{shown}, {SAMPLES} samples"] = [x[name] for x in sampled[i]]
        by |= larger[i]
        for shown, both in (("alignment number", found[i][1].alignment), ("first speed of pass@1", found[i][1].speed)):
            by[shown], by[f"{shown}, fresh prompts"] = both.T
        steps = found[i][0].grpo.interval * 2
        by[f"pass@1 after {steps} RL steps"] = early[i]
        for name, values in by.items():
            scores.setdefault(name, []).append((np.asarray(values, np.float64), outcomes[i]))
    test = outcomes[tuning:]
    first = [scores["entropy per token"], *(scores[name] for name in list(larger[0])[:1])]
    return PredictorTable(
        ladders=len(test),
        tuning=tuning,
        failed=sum(not np.isfinite(list(out.values())).all() for out in outcomes),
        samples=SAMPLES,
        time_scale=float(budget.split()[1]),
        inverted={name: _share_inverted(scores["pass@1"], name) for name in OUTCOMES},
        scores=tuple(_score(name, rows) for name, rows in scores.items()),
        **{
            field: {outcome: _partial([scores[name] for name in names], outcome) for outcome in OUTCOMES}
            for field, names in PARTIALS.items()
        },
        by_rate=_by_rate(scores["informative"], rl_rates[tuning:]),
        after={name: tuple(np.mean([out[name] for out in test], 0).tolist()) for name in OUTCOMES},
        entropy_given_larger={name: _partial(first, name) for name in OUTCOMES} if sizes else {},
    )


def _paper_rule(token_entropy: np.ndarray) -> np.ndarray:
    """After the paper's two stages, as a ranking: checkpoints that neither stage flags come first, deeper ones ahead.

    Stage 1 flags entropies per token below 0.18 nats before RL, stage 2 a loss of more than half by step 150, here from
    step 0 and of the mean over tokens: which tokens the paper's "worst" are is not known.
    """
    before, later = token_entropy[:, 0], token_entropy[:, min(3, token_entropy.shape[1] - 1)]
    flagged = (before < LOW_ENTROPY) | (before - later > ENTROPY_LOSS * before)
    depth = np.arange(len(before))
    return np.where(flagged, depth - len(depth), depth)


def _score(name: str, rows: list[tuple[np.ndarray, dict[str, np.ndarray]]]) -> PredictorScore:
    """Rank correlation within each ladder, loss of the choice it would make; means over ladders, 95% intervals."""
    correlation: dict[str, Estimate] = {}
    loss: dict[str, Estimate] = {}
    mistaken: dict[str, float] = {}
    for outcome in rows[0][1]:
        ranks = np.array([_spearman(values, out[outcome]) for values, out in rows])
        losses = np.array([out[outcome].max() - out[outcome][int(np.argmax(values))] for values, out in rows])
        correlation[outcome] = paired_estimate(ranks[np.isfinite(ranks)])
        loss[outcome] = paired_estimate(losses)
        mistaken[outcome] = float(np.mean(losses > LOSS))
    by_depth = np.mean([values for values, _ in rows], 0)
    return PredictorScore(name, correlation, loss, mistaken, tuple(by_depth.tolist()))


def _share_inverted(rows: list[tuple[np.ndarray, dict[str, np.ndarray]]], outcome: str) -> float:
    """Ladders whose checkpoint of best pass@1 ends more than LOSS below another."""
    return float(np.mean([out[outcome].max() - out[outcome][int(np.argmax(x))] > LOSS for x, out in rows]))


def _partial(rows: list[list[tuple[np.ndarray, dict[str, np.ndarray]]]], outcome: str) -> Estimate:
    """Mean over ladders of the partial rank correlation of the first predictor with the outcome, given the others; 95%.

    Within a ladder: the correlation of what is left of both ranks once a line in the others' ranks is taken off.
    """
    found = []
    for ladder in zip(*rows, strict=True):
        columns = np.array([*(x for x, _ in ladder), ladder[0][1][outcome]], np.float64)
        if not np.isfinite(columns).all():
            continue
        first, *given, after = rankdata(columns, axis=-1) - (columns.shape[1] + 1) / 2
        known = np.array(given).T
        a, b = (x - known @ np.linalg.lstsq(known, x, rcond=None)[0] for x in (first, after))
        room = np.sqrt((a @ a) * (b @ b))
        if room > 1e-9:
            found.append(a @ b / room)
    return paired_estimate(found) if len(found) > 1 else Estimate(np.nan, np.nan, np.nan)


def _by_rate(rows: list[tuple[np.ndarray, dict[str, np.ndarray]]], rates: np.ndarray) -> tuple[float, float]:
    """Mean rank correlation of the informative fraction in the slower and the faster half of RL rates."""
    ranks, middle = np.array([_spearman(x, out["trained"]) for x, out in rows]), np.median(rates)
    return float(np.nanmean(ranks[rates <= middle])), float(np.nanmean(ranks[rates > middle]))


def _spearman(x: Any, y: Any) -> float:
    """NaN where either is constant or failed."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if not np.isfinite([x, y]).all():
        return float("nan")
    return rank_correlation(x, y).spearman
