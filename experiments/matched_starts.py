"""Matched starts: network policies that are alike in all but one respect, and what GRPO makes of them.

A ladder moves pass rates, their dispersion and entropy together, and so does tempering. Here a network is distilled
from a policy of chosen pass rates and chosen entropy inside its classes, so that one can be moved and the others held.
Unlike in the map's controls, the parameters are shared: what is learned on one prompt reaches others.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax, nn

from rlsignal import _validate
from rlsignal._show import Part, Result, Table
from rlsignal.inference.intervals import Estimate, signed
from rlsignal.inference.ranking import paired_estimate
from rlsignal.sim import tabular
from rlsignal.sim.grpo import GRPORecipe, GRPOSetting, train_policy
from rlsignal.sim.policies import Measured, Network, Parameters, log_probabilities
from rlsignal.sim.runner import Runner
from rlsignal.sim.starts import beta_log_odds, shaped_logits
from rlsignal.sim.sweep import alike, cross, sweep
from rlsignal.sim.tasks import Task, Teacher


@dataclass(frozen=True, repr=False)
class MatchedStart(Result):
    """One start, means over seeds.

    varied : "entropy" or "dispersion".
    pass_at_1, dispersion, entropy : before RL, on the prompts that it trains on; entropy of the response, nats.
    after, error : pass@1 on them after RL, and its standard error.
    fresh_peak : highest pass@k on fresh prompts.
    """

    varied: str
    pass_at_1: float
    dispersion: float
    entropy: float
    after: float
    error: float
    fresh_peak: float


@dataclass(frozen=True, repr=False)
class MatchedStarts(Result):
    """Starts of different entropy, then of different dispersion, all else held. `print` it for the reading.

    effects : by what is varied, the last start's outcome less the first's; 95%, paired by seed.
    """

    starts: tuple[MatchedStart, ...]
    effects: dict[str, Estimate]
    seeds: int
    steps: int
    group_size: int

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {**asdict(self), "effects": {name: x.summary for name, x in self.effects.items()}}

    def _parts(self) -> Iterable[Part]:
        yield f"{self.seeds} seeds, g = {self.group_size}, {self.steps} steps of RL."
        rows = [
            (
                x.varied,
                f"{x.entropy:.2f}",
                f"{x.dispersion:.2f}",
                f"{x.pass_at_1:.3f}",
                f"{x.after:.3f} ± {x.error:.3f}",
                f"{x.fresh_peak:.3f}",
            )
            for x in self.starts
        ]
        yield Table(("varied", "nats", "dispersion", "pass@1 before", "pass@1 after", "fresh peak pass@k"), rows)
        for name, x in self.effects.items():
            yield f"{name}, from the first to the last: {signed(x)}."


@dataclass(frozen=True)
class Distil:
    """The experiment: a network that imitates a chosen policy on the prompts of RL, then GRPO. Hashable by value.

    task : one token per response.
    grpo : of a policy with one token per response.
    steps : of Adam at rate 3e-3, on the cross-entropy to the chosen policy over all prompts at once.
    """

    task: Teacher
    grpo: GRPORecipe
    steps: int

    def __call__(
        self, key: Array, mean: Array, dispersion: Array, entropy: Array, setting: GRPOSetting
    ) -> tuple[Measured, Measured]:
        task_key, odds_key, shape_key, start_key, rl_key = (jax.random.fold_in(key, i) for i in range(5))
        task, policy = self.task(task_key), self.grpo.policy
        sizes = tabular.Recipe(prompts=self.task.prompts, responses=policy.choices, correct=self.task.correct)
        log_odds = beta_log_odds(odds_key, sizes, mean, dispersion)
        inside = entropy - reward_entropy(log_odds)
        log_pi = placed(nn.log_softmax(shaped_logits(shape_key, sizes, log_odds, inside)), task)

        def miss(parameters: Parameters) -> Array:
            return -(jnp.exp(log_pi) * log_probabilities(policy, parameters, task.train.features)).sum(-1).mean()

        optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, self.steps))

        def step(_: Array, state: tuple[Parameters, Any]) -> tuple[Parameters, Any]:
            updates, memory = optimizer.update(jax.grad(miss)(state[0]), state[1], state[0])
            return optax.apply_updates(state[0], updates), memory

        blank = policy.init(start_key)
        start, _ = lax.fori_loop(0, self.steps, step, (blank, optimizer.init(blank)))
        return train_policy(rl_key, start, task, self.grpo, setting)[1]


def reward_entropy(log_odds: Array) -> Array:
    """E h_b(p), nats, mean over prompts [prompts]."""
    p, q = nn.sigmoid(log_odds), nn.sigmoid(-log_odds)
    return (p * nn.softplus(-log_odds) + q * nn.softplus(log_odds)).mean()


def placed(correct_first: Array, task: Task) -> Array:
    """Log-probabilities [prompts, responses] whose correct ones come first, put where the task's answers are."""
    count, correct = correct_first.shape[-1], task.train.answers.shape[-1]
    is_correct = task.train.rewards(jnp.broadcast_to(jnp.arange(count), correct_first.shape))
    others = jnp.argsort(is_correct, axis=-1, stable=True)[:, : count - correct]  # the incorrect ones, in order
    order = jnp.concatenate([task.train.answers, others], -1)
    return jnp.zeros_like(correct_first).at[jnp.arange(len(order))[:, None], order].set(correct_first)


def matched_starts(
    *,
    mean: float = 0.2,
    entropies: Sequence[float] = (0.7, 1.5, 2.5),
    dispersions: Sequence[float] = (0.1, 0.3, 0.5, 0.7, 0.85),
    task: Teacher | None = None,
    grpo: GRPORecipe | None = None,
    distillation: int = 3000,
    rate: float = 3e-4,
    seeds: int = 8,
    seed: int = 0,
    runner: Runner | None = None,
) -> MatchedStarts:
    """The same pass rates with different entropies, and the same entropy with different dispersions.

    Parameters
    ----------
    mean : pass@1 of all starts on the prompts that RL trains on.
    entropies : of the response, nats, at the middle dispersion; the pass rates are the same for all.
    dispersions : of the pass rates, at the middle entropy.
    task : responses of one token. Default 256 prompts with one answer of 64.
    grpo : default a `Network` of two layers of 128, 1000 steps.
    distillation : steps that make a network of a chosen policy.
    rate : learning rate of RL.
    seeds, seed, runner : as for `depth_ladder`. Starts of one seed share prompts, draws and keys.

    Returns
    -------
    MatchedStarts. What a start really has is measured, not assumed: distillation is not perfect.

    Raises
    ------
    ValueError : fewer than two of anything that is varied, fewer than two seeds, responses of several tokens.

    Source: docs/inversion.md.

    Examples
    --------
    >>> policy = Network(widths=(16,), tokens=1, choices=8)
    >>> task = Teacher(Network(widths=(8,), tokens=1, choices=8), demonstrations=1, prompts=32)
    >>> grpo = GRPORecipe(policy, batch=16, steps=10)
    >>> sizes = {"task": task, "grpo": grpo, "distillation": 20, "seeds": 2}
    >>> found = matched_starts(entropies=(0.8, 1.2), dispersions=(0.1, 0.5), **sizes)
    >>> [start.varied for start in found.starts]
    ['entropy', 'entropy', 'dispersion', 'dispersion']
    """
    policy = Network(widths=(128, 128), tokens=1, choices=64)
    grpo = grpo or GRPORecipe(policy, record_every=100)
    task = task or Teacher(Network(widths=(32,), tokens=1, choices=64), demonstrations=1, prompts=256)
    if grpo.policy.tokens != 1 or task.policy.tokens != 1:
        raise ValueError("policy and task must have responses of one token, so that a chosen policy can be imitated.")
    if min(len(entropies), len(dispersions)) < 2:
        raise ValueError(f"entropies and dispersions must be at least two each, got {entropies} and {dispersions}.")
    count = _validate.whole("seeds", seeds, 2, way_out="One seed says nothing of the noise.")
    first = _validate.whole("seed", seed, 0)
    middle = sorted(entropies)[len(entropies) // 2], sorted(dispersions)[len(dispersions) // 2]
    starts = [("entropy", x, middle[1]) for x in entropies] + [("dispersion", middle[0], x) for x in dispersions]
    each = np.array([(mean, dispersion, entropy) for _, entropy, dispersion in starts], np.float32).T
    keys = jnp.stack([jax.random.key(first + i) for i in range(count)])
    setting = alike(grpo.setting(learning_rate=rate), len(starts))
    keys, *numbers = cross(keys, *each, setting)
    experiment, cells = Distil(task, grpo, _validate.whole("distillation", distillation, 1)), (keys, *numbers)
    trained, fresh = sweep(experiment, cells, label="matched starts", runner=runner, on_cpu=1)

    def of(values: Any, record: int) -> np.ndarray:
        """[starts, seeds]"""
        return np.asarray(values, np.float64).reshape(len(starts), count, -1)[..., record]

    before = {
        "pass_at_1": of(trained.metrics.pass_at_1, 0),
        "dispersion": of(trained.metrics.dispersion, 0),
        "entropy": of(trained.metrics.entropy, 0),
    }
    after = of(trained.metrics.pass_at_1, -1)
    peak = np.asarray(fresh.metrics.pass_at_k[..., 0], np.float64).reshape(len(starts), count, -1).max(-1)
    effects: dict[str, Estimate] = {}
    for name in ("entropy", "dispersion"):
        which = [i for i, start in enumerate(starts) if start[0] == name]
        difference = after[which[-1]] - after[which[0]]
        effects[name] = paired_estimate(difference)
    return MatchedStarts(
        starts=tuple(
            MatchedStart(
                varied=varied,
                **{name: float(x[i].mean()) for name, x in before.items()},
                after=float(after[i].mean()),
                error=float(after[i].std(ddof=1) / np.sqrt(count)),
                fresh_peak=float(peak[i].mean()),
            )
            for i, (varied, *_) in enumerate(starts)
        ),
        effects=effects,
        seeds=count,
        steps=grpo.steps,
        group_size=grpo.group_size,
    )
