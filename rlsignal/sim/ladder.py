"""The ladder: fine-tune for longer and longer, run GRPO from every checkpoint, and compare the order before and after.

A seed is a task, an untrained policy, an SFT run and an RL key; all checkpoints and rates of a seed share them, so that
differences between checkpoints are paired.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from rlsignal import _validate
from rlsignal.inference.ranking import inversions, rank_correlation
from rlsignal.results import Curves, EntropySwap, Ladder, Reading
from rlsignal.sim.grpo import GRPORecipe, GRPOSetting, train_policy
from rlsignal.sim.policies import Measured, Network, Parameters, Policy, entropy, log_probabilities, tempered
from rlsignal.sim.runner import Runner
from rlsignal.sim.sft import SFTRecipe, SFTSetting, finetune
from rlsignal.sim.sweep import alike, sweep
from rlsignal.sim.tasks import Task, Teacher


@dataclass(frozen=True)
class LadderTask:
    """What a ladder is about: a kind of task, and the label noise of its demonstrations.

    name : how the ladder is called.
    draw : key, noise -> Task; hashable.
    noise : chance that a demonstrated token is incorrect.
    """

    name: str
    draw: Callable[..., Task]
    noise: float = 0.0

    def __post_init__(self) -> None:
        _validate.scalar("noise", _validate.probability("noise", self.noise))


INVERTING = LadderTask("inverting", Teacher(demonstrations=256), 0.3)
"""Few demonstrations, three tokens in ten of them incorrect."""

SAFE = LadderTask("safe control", Teacher(demonstrations=4096))
"""Many demonstrations, all correct."""


class Checkpoints(NamedTuple):
    """What a seed starts RL from."""

    task: Any  # Task
    parameters: Any  # of the checkpoints, with a leading axis [checkpoints]


@dataclass(frozen=True)
class Prepare:
    """The experiment that draws a seed's task and fine-tunes on it. Hashable by value, as `TrainPolicy` is."""

    draw: Callable[..., Task]
    recipe: SFTRecipe

    def __call__(self, key: Array, noise: Array, setting: SFTSetting) -> Checkpoints:
        task_key, start_key, sft_key = (jax.random.fold_in(key, i) for i in range(3))
        task = self.draw(task_key, noise)
        start = self.recipe.policy.init(start_key)
        return Checkpoints(task, finetune(sft_key, start, task.demonstrations, self.recipe, setting))


@dataclass(frozen=True)
class TrainPolicy:
    """The experiment that runs GRPO from one checkpoint; the metrics on trained and on fresh prompts."""

    recipe: GRPORecipe

    def __call__(
        self, key: Array, parameters: Parameters, task: Task, setting: GRPOSetting
    ) -> tuple[Measured, Measured]:
        return train_policy(jax.random.fold_in(key, 3), parameters, task, self.recipe, setting)[1]


@dataclass(frozen=True)
class Swap:
    """The experiment that makes four starts of two checkpoints: each, followed by itself with the other's entropy."""

    policy: Policy

    def __call__(self, checkpoints: Parameters, features: Array) -> Parameters:
        pair = [jax.tree.map(lambda x, i=i: x[i], checkpoints) for i in range(2)]
        entropies = [entropy(log_probabilities(self.policy, x, features)) for x in pair]
        other = [tempered(self.policy, pair[i], features, entropies[1 - i]) for i in range(2)]
        return jax.tree.map(lambda *x: jnp.stack(x), pair[0], other[0], pair[1], other[1])


def depth_ladder(
    task: LadderTask = INVERTING,
    sft: SFTRecipe | None = None,
    grpo: GRPORecipe | None = None,
    *,
    rates: Sequence[float] = (3e-4,),
    seeds: int = 5,
    seed: int = 0,
    sft_setting: SFTSetting | None = None,
    grpo_setting: GRPOSetting | None = None,
    runner: Runner | None = None,
) -> Ladder:
    """SFT checkpoints at every depth x seeds x RL learning rates, and what GRPO makes of each.

    Parameters
    ----------
    task : what is learned. `INVERTING` and `SAFE` are the two that ship.
    sft, grpo : the two stages; both must have the same policy. Default a `Network` of two layers of 256, depths 0 to
        5000, 1000 RL steps of 64 prompts and g = 8, recorded every 50.
    rates : learning rates of RL; AdamW by default.
    seeds : how many, at least 2; they are seed, seed + 1, ...
    sft_setting, grpo_setting : numbers of the two stages, such as label smoothing and KL weight; the latter's learning
        rate is overwritten by `rates`.
    runner : how the ladder's sweeps are run; default `Runner()`.

    Returns
    -------
    Ladder; runs that diverge are NaN in it, and counted.

    Raises
    ------
    ValueError : fewer than 2 seeds, fewer than 2 depths, no rates, policies that differ.

    Examples
    --------
    >>> from rlsignal.sim import GRPORecipe, LadderTask, Network, SFTRecipe, Teacher, depth_ladder
    >>> policy = Network(widths=(16,), choices=4)
    >>> task = LadderTask("small", Teacher(Network(widths=(8,), choices=4), demonstrations=32, prompts=32), 0.3)
    >>> sft, grpo = SFTRecipe(policy, depths=(0, 10)), GRPORecipe(policy, batch=16, steps=20, record_every=10)
    >>> depth_ladder(task, sft, grpo, seeds=2).fresh.pass_at_1.shape  # seeds, checkpoints, rates, records
    (2, 2, 1, 3)
    """
    sft = sft or SFTRecipe(Network())
    grpo = grpo or GRPORecipe(sft.policy, record_every=50)
    if len(sft.depths) < 2:
        raise ValueError(f"depths must be at least two, got {sft.depths}. A ladder compares checkpoints.")
    speeds = _validate.single("rates", rates)
    if speeds.ndim != 1 or not len(speeds):
        raise ValueError(f"rates must be one or more learning rates, got {rates}.")
    this = plan(task, sft, grpo, seeds, seed, sft_setting, grpo_setting, runner)
    trained, fresh = this.trained("RL", this.prepared(), speeds)
    return Ladder(
        name=task.name,
        depths=sft.depths,
        rates=tuple(float(x) for x in speeds),
        seeds=len(this.keys),
        seed=seed,
        group_size=grpo.group_size,
        k=grpo.attempts[0],
        steps=np.arange(grpo.records) * grpo.interval,
        failed=int(np.isnan(trained.pass_at_1[..., -1]).sum()),
        train=trained,
        fresh=fresh,
        readings=readings(trained, fresh, speeds),
    )


def entropy_swap(
    task: LadderTask = INVERTING,
    sft: SFTRecipe | None = None,
    grpo: GRPORecipe | None = None,
    *,
    rate: float = 3e-4,
    seeds: int = 5,
    seed: int = 0,
    sft_setting: SFTSetting | None = None,
    grpo_setting: GRPOSetting | None = None,
    runner: Runner | None = None,
) -> EntropySwap:
    """GRPO from the last two checkpoints of `sft`, and from each with its logits scaled to the other's entropy.

    Parameters
    ----------
    task, grpo, seeds, seed, sft_setting, grpo_setting, runner : as for `depth_ladder`.
    sft : its last two depths are swapped. Default 100 and 5000.
    rate : learning rate of RL.

    Returns
    -------
    EntropySwap. Scaling logits moves pass@1 and dispersion with the entropy: it shows what a temperature can mend, and
    not what entropy alone does.

    Raises
    ------
    ValueError : as for `depth_ladder`.

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.sim import GRPORecipe, LadderTask, Network, SFTRecipe, Teacher, entropy_swap
    >>> policy = Network(widths=(16,), choices=4)
    >>> task = LadderTask("small", Teacher(Network(widths=(8,), choices=4), demonstrations=32, prompts=32), 0.3)
    >>> sft, grpo = SFTRecipe(policy, depths=(5, 100)), GRPORecipe(policy, batch=16, steps=20)
    >>> swap = entropy_swap(task, sft, grpo, seeds=2, sft_setting=sft.setting(learning_rate=0.01))
    >>> bool(np.allclose(swap.entropy[:, 0], swap.entropy[:, 3], atol=1e-3))
    True
    """
    sft = sft or SFTRecipe(Network(), depths=(100, 5000))
    grpo = grpo or GRPORecipe(sft.policy, record_every=50)
    speed = np.array([_validate.scalar("rate", _validate.single("rate", rate))])
    this = plan(task, sft, grpo, seeds, seed, sft_setting, grpo_setting, runner)
    prepared = this.prepared()
    pair = jax.tree.map(lambda x: x[:, -2:], prepared.parameters)
    starts = this.run("swap", Swap(sft.policy), (pair, prepared.task.train.features))
    trained, fresh = this.trained("RL from swapped starts", Checkpoints(prepared.task, starts), speed)
    return EntropySwap(
        name=task.name,
        depths=sft.depths[-2:],
        rate=float(speed[0]),
        k=grpo.attempts[0],
        entropy=trained.entropy[:, :, 0, 0],
        dispersion=trained.dispersion[:, :, 0, 0],
        informative=trained.informative[:, :, 0, 0],
        after=np.stack(outcomes(trained, fresh))[..., 0],
    )


class Plan(NamedTuple):
    """What all parts of one ladder share."""

    task: LadderTask
    sft: SFTRecipe
    grpo: GRPORecipe
    keys: Array  # [seeds]
    sft_setting: SFTSetting
    grpo_setting: GRPOSetting
    runner: Runner | None

    def prepared(self) -> Checkpoints:
        """Every seed's task and checkpoints, with a leading axis [seeds]."""
        count = len(self.keys)
        cells = self.keys, np.full(count, self.task.noise, np.float32), alike(self.sft_setting, count)
        prepared: Checkpoints = self.run("SFT", Prepare(self.task.draw, self.sft), cells)
        return prepared

    def trained(self, what: str, checkpoints: Checkpoints, rates: np.ndarray) -> tuple[Curves, Curves]:
        """RL from every checkpoint at every rate: on the training prompts, and on fresh ones."""
        task = checkpoints.task
        if not self.grpo.demonstrations:  # so that ladders which differ in them alone share one compilation
            task = task._replace(demonstrations=jax.tree.map(lambda x: x[:, :0], task.demonstrations))
        shape = (*jax.tree.leaves(checkpoints.parameters)[0].shape[:2], len(rates))
        seed_of, depth_of, rate_of = (x.ravel() for x in np.indices(shape))
        setting = alike(self.grpo_setting, len(seed_of))
        setting = setting._replace(learning_rate=np.asarray(rates, np.float32)[rate_of])
        starts = jax.tree.map(lambda x: x[seed_of, depth_of], checkpoints.parameters)
        cells = self.keys[seed_of], starts, jax.tree.map(lambda x: x[seed_of], task), setting
        trained, fresh = self.run(what, TrainPolicy(self.grpo), cells)
        return _curves(trained, shape), _curves(fresh, shape)

    def run(self, what: str, experiment: Callable[..., Any], cells: tuple[Any, ...]) -> Any:
        """A sweep; on a CPU one cell at a time, for a network's products fill a core."""
        return sweep(experiment, cells, label=f"{self.task.name}: {what}", runner=self.runner, on_cpu=1)


def plan(
    task: LadderTask,
    sft: SFTRecipe,
    grpo: GRPORecipe,
    seeds: int,
    seed: int,
    sft_setting: SFTSetting | None,
    grpo_setting: GRPOSetting | None,
    runner: Runner | None,
) -> Plan:
    """The checked plan."""
    if sft.policy != grpo.policy:
        raise ValueError(f"sft and grpo must train the same policy, got {sft.policy} and {grpo.policy}.")
    count = _validate.whole("seeds", seeds, 2, way_out="One seed says nothing of the noise.")
    _validate.whole("seeds", count, 2, 10**4)
    first = _validate.seed(seed, reserved=count - 1)
    keys = jnp.stack([jax.random.key(first + i) for i in range(count)])
    settings = sft_setting or sft.setting(), grpo_setting or grpo.setting()
    return Plan(task, sft, grpo, keys, *settings, runner)


def readings(trained: Curves, fresh: Curves, rates: np.ndarray) -> tuple[Reading, ...]:
    """One Reading for each outcome at each rate, then at the best rate of each depth, by the mean over seeds."""
    before = fresh.pass_at_1[:, :, 0, 0]
    found = []
    for outcome, after in zip(Ladder.outcomes, outcomes(trained, fresh), strict=True):
        checkpoints = np.arange(after.shape[1])
        found += [
            _reading(outcome, rate, rates[[i] * len(checkpoints)], before, after[..., i])
            for i, rate in enumerate(rates)
        ]
        best = np.nan_to_num(after.mean(0), nan=-np.inf).argmax(-1)
        found.append(_reading(outcome, np.nan, rates[best], before, after[:, checkpoints, best]))
    return tuple(found)


def outcomes(trained: Curves, fresh: Curves) -> tuple[np.ndarray, ...]:
    """`Ladder.outcomes`, each [seeds, checkpoints, rates]; a NaN stays one."""
    return fresh.pass_at_k.max(-1), fresh.pass_at_1[..., -1], trained.pass_at_1[..., -1]


def _reading(outcome: str, rate: float, best: np.ndarray, before: np.ndarray, after: np.ndarray) -> Reading:
    optimum = int(np.nan_to_num(after.mean(0), nan=-np.inf).argmax())
    turned = inversions(before.mean(0), after.T)
    drop = after[:, optimum] - after[:, -1]
    return Reading(
        outcome=outcome,
        rate=float(rate),
        best=best,
        after=after,
        optimum=optimum,
        spearman=np.array([_ranked(b[optimum:], a[optimum:])[0] for b, a in zip(before, after, strict=True)]),
        p_value=_ranked(before.mean(0)[optimum:], after.mean(0)[optimum:])[1],
        drop=float(drop.mean()),
        error=float(drop.std(ddof=1) / np.sqrt(len(drop))),
        inverted_share=turned.share,
        noise_floor=turned.noise_floor,
    )


def _ranked(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Spearman's rho and its exact p-value; NaN for a single checkpoint, and where one failed."""
    if len(before) < 2 or not np.isfinite([before, after]).all():
        return np.nan, np.nan
    found = rank_correlation(before, after)
    return found.spearman, found.spearman_p


def _curves(found: Measured, shape: tuple[int, ...]) -> Curves:
    """Results of a sweep as float64 arrays [seeds, checkpoints, rates, records]."""
    metrics = found.metrics
    named = {
        "pass_at_1": metrics.pass_at_1,
        "greedy": found.greedy,
        "pass_at_k": metrics.pass_at_k[..., 0],
        "entropy": metrics.entropy,
        "token_entropy": found.token_entropy,
        "dispersion": metrics.dispersion,
        "informative": 1 - metrics.degenerate,
    }
    return Curves(**{name: np.asarray(x, np.float64).reshape(*shape, -1) for name, x in named.items()})
