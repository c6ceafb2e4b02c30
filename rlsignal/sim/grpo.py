"""GRPO for any policy, as frameworks run it: sampled prompts, inner epochs with clipped ratios, KL to the start.

The estimator is its table [2, g+1], as on the fast path; with one token per response, every prompt in the batch and
plain ascent, this is the fast path, divided by the number of prompts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from rlsignal import _validate
from rlsignal.sim.policies import Measured, Parameters, Policy, Prompts, Rollouts, measure_policy, number, sample, score
from rlsignal.sim.schedule import Schedule, run_steps
from rlsignal.sim.sft import batch, cross_entropy
from rlsignal.sim.tabular import StepMetrics, check_table
from rlsignal.sim.tasks import Demonstrations, Task
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO, known

Normalisation = Literal["sequence", "token", "constant"]


class GRPOSetting(NamedTuple):
    """What may change without compiling again; built by `GRPORecipe.setting`.

    learning_rate : per step.
    temperature : of the softmax that is sampled and trained; metrics are measured at temperature 1.
    table : [2, g+1] advantages indexed [reward, K].
    clip_low, clip_high : the ratio to the policy that sampled is clipped to [1 - clip_low, 1 + clip_high].
    kl : weight of the k3 estimate of the KL divergence to the start, per token.
    entropy : weight of the entropy bonus, per token, nats.
    imitation : weight of the cross-entropy on demonstrations.
    """

    learning_rate: Array
    temperature: Array
    table: Array
    clip_low: Array
    clip_high: Array
    kl: Array
    entropy: Array
    imitation: Array


@dataclass(frozen=True)
class GRPORecipe(Schedule):
    """What a run is compiled for.

    Parameters
    ----------
    policy : what is trained.
    batch : prompts per step, drawn without replacement from the task's.
    group_size : rollouts per prompt and step.
    steps : of sampling; each makes `epochs` optimizer updates. Metrics are recorded at step 0 and every `record_every`.
    attempts : the k of the recorded pass@k.
    epochs : updates on the same rollouts; from the second on, ratios differ from 1 and may be clipped.
    normalisation : of a token's weight: "sequence", mean over tokens of a response, then over responses (GRPO);
        "token", mean over all tokens of the batch (DAPO); "constant", by the longest length there is (Dr. GRPO).
    candidates : prompts sampled for each that is trained on. Beyond 1 this is dynamic sampling: degenerate groups are
        dropped, and the mean is over the informative ones, at most `batch` of them.
    reference : whether the start is kept to compute the KL term; costs a forward pass.
    demonstrations : per step, to mix into the loss; 0 for none.
    optimizer : learning_rate -> optax transformation.

    Raises
    ------
    ValueError : sizes that are not whole, an unknown normalisation, steps that `record_every` does not divide.

    Examples
    --------
    >>> from rlsignal.sim import GRPORecipe
    >>> from rlsignal.sim.policies import Network
    >>> GRPORecipe(Network(), steps=10, record_every=5).records
    3
    """

    policy: Policy
    batch: int = 64
    group_size: int = 8
    steps: int = 1000
    record_every: int | None = None
    attempts: tuple[int, ...] = (10,)
    epochs: int = 1
    normalisation: Normalisation = "sequence"
    candidates: int = 1
    reference: bool = False
    demonstrations: int = 0
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.adamw

    def __post_init__(self) -> None:
        for name in ("batch", "epochs", "candidates"):
            _validate.whole(name, getattr(self, name), 1)
        _validate.whole("group_size", self.group_size, 2)
        _validate.whole("demonstrations", self.demonstrations, 0)
        if self.normalisation not in ("sequence", "token", "constant"):
            raise ValueError(f"normalisation must be 'sequence', 'token' or 'constant', got {self.normalisation!r}.")
        self.check_schedule()

    def setting(
        self,
        estimator: Estimator = GRPO,
        *,
        learning_rate: float = 3e-4,
        temperature: float = 1.0,
        clip: tuple[float, float] = (0.2, 0.2),
        kl: float = 0.0,
        entropy: float = 0.0,
        imitation: float = 0.0,
    ) -> GRPOSetting:
        """The numbers of one cell, checked; clip is (low, high), as in DAPO's (0.2, 0.28).

        Raises
        ------
        ValueError : not an estimator, numbers out of range, a weight for a term that the recipe leaves out.

        Examples
        --------
        >>> from rlsignal.sim import GRPORecipe
        >>> from rlsignal.sim.policies import Network
        >>> GRPORecipe(Network(), group_size=4).setting(clip=(0.2, 0.28)).table.shape
        (2, 5)
        """
        for name, weight, needed in (
            ("kl", kl, "reference=True" if not self.reference else ""),
            ("imitation", imitation, "demonstrations=..." if not self.demonstrations else ""),
        ):
            if weight and needed:
                raise ValueError(
                    f"{name} must be 0 where the recipe leaves its term out, got {weight:g}. Add {needed}."
                )
        low, high = clip
        ranges = {
            "learning_rate": (learning_rate, 1e-30, 1e30),
            "temperature": (temperature, 1e-30, 1e30),
            "clip_low": (low, 0.0, 1.0),
            "clip_high": (high, 0.0, 1e30),
            "kl": (kl, 0.0, 1e30),
            "entropy": (entropy, -1e30, 1e30),
            "imitation": (imitation, 0.0, 1e30),
        }
        checked = {name: _validate.scalar(name, _validate.within(name, *limits)) for name, limits in ranges.items()}
        table = known(estimator).table(self.group_size)
        return GRPOSetting(table=jnp.asarray(table, jnp.float32), **{k: jnp.float32(x) for k, x in checked.items()})


class Experience(NamedTuple):
    """One step's groups, as the policy that sampled them left them."""

    prompts: Prompts
    rollouts: Rollouts
    rewards: Array  # [prompts, g], 0 or 1
    reference: Array | float  # the start's log-probabilities of the tokens [prompts, g, tokens]; 0 without
    kept: Array  # [prompts], 1 where the group trains


class PolicyStepMetrics(NamedTuple):
    """What a trainer would log of one step; each field [...]."""

    groups: StepMetrics  # of all groups that were sampled; the gradient's length is that of the last epoch
    kept: Array  # groups that trained, of `batch`
    clipped: Array  # share of tokens whose ratio was clipped in the last epoch
    kl: Array  # k3 to the start, per token; 0 without a reference


def experience(
    key: Array, parameters: Parameters, start: Parameters, prompts: Prompts, recipe: GRPORecipe, setting: GRPOSetting
) -> Experience:
    """A group for each of these prompts, sampled token by token."""
    rollouts = sample(key, recipe.policy, parameters, prompts.features, recipe.group_size, setting.temperature)
    rewards = prompts.rewards(number(recipe.policy, rollouts.tokens)).astype(jnp.int32)
    reference: Array | float = 0.0
    if recipe.reference:
        scored = score(recipe.policy, start, prompts.features, rollouts.tokens, setting.temperature)
        reference = scored.log_probs
    return Experience(prompts, rollouts, rewards, reference, jnp.ones(len(rewards)))


def loss(
    parameters: Parameters,
    drawn: Experience,
    shown: Demonstrations | None,
    recipe: GRPORecipe,
    setting: GRPOSetting,
) -> tuple[Array, tuple[Array, Array]]:
    """What a step descends: minus the clipped surrogate and the entropy bonus, plus KL and imitation.

    Per token with ratio r = pi / pi_sampled and advantage A: min(r A, clip(r, 1 - low, 1 + high) A); the KL estimate is
    k3 = pi_start/pi - 1 - log(pi_start/pi), differentiated as it stands.

    Returns
    -------
    loss, (share of tokens clipped, KL per token).

    Source: Shao et al. 2024 (2402.03300); clip range and token normalisation, Yu et al. 2025 (2503.14476); constant
    normalisation, Liu et al. 2025 (2503.20783).
    """
    tokens = drawn.rollouts.tokens
    now = score(recipe.policy, parameters, drawn.prompts.features, tokens, setting.temperature)
    advantages = setting.table[drawn.rewards, drawn.rewards.sum(-1, keepdims=True)][..., None]
    ratio = jnp.exp(now.log_probs - drawn.rollouts.log_probs)
    plain = ratio * advantages
    clipped = jnp.clip(ratio, 1 - setting.clip_low, 1 + setting.clip_high) * advantages
    weight = _weights(drawn, recipe)
    gain = jnp.minimum(plain, clipped) + setting.entropy * now.entropy
    kl = jnp.zeros_like(gain)
    if recipe.reference:
        gap = drawn.reference - now.log_probs
        kl = jnp.expm1(gap) - gap
        gain -= setting.kl * kl
    value = -(weight * gain).sum()
    if shown is not None:
        value += setting.imitation * cross_entropy(recipe.policy, parameters, shown)
    share = now.mask / now.mask.sum()
    return value, (jnp.where(clipped < plain, share, 0.0).sum(), (share * kl).sum())


def train_policy(
    key: Array, parameters: Parameters, task: Task, recipe: GRPORecipe, setting: GRPOSetting
) -> tuple[Parameters, tuple[Measured, Measured], PolicyStepMetrics]:
    """GRPO on the task's prompts from `parameters`; a pure function that jit and vmap take, with `recipe` static.

    Parameters
    ----------
    key : PRNG key; step t draws from fold_in(key, t), so a longer run begins like a shorter one.
    parameters : of the policy to start from, and to stay near with a KL weight.
    task : prompts to train on, fresh prompts to measure, demonstrations to mix in.
    recipe, setting : what is compiled, and its numbers.

    Returns
    -------
    final parameters; (Measured on the training prompts, Measured on fresh ones) and PolicyStepMetrics, with a leading
    axis [records].

    Raises
    ------
    ValueError : more prompts or demonstrations per step than the task has, another group size's table.

    Examples
    --------
    >>> import jax
    >>> from rlsignal.sim import GRPORecipe, train_policy
    >>> from rlsignal.sim.policies import Network
    >>> from rlsignal.sim.tasks import Teacher
    >>> teacher = Network(widths=(8,), choices=4)
    >>> task = Teacher(teacher, demonstrations=1, prompts=16)(jax.random.key(0))
    >>> recipe = GRPORecipe(Network(widths=(16,), choices=4), batch=16, steps=50)
    >>> start = recipe.policy.init(jax.random.key(1))
    >>> _, (trained, _), _ = train_policy(jax.random.key(2), start, task, recipe, recipe.setting(learning_rate=0.01))
    >>> bool(trained.metrics.pass_at_1[-1] > trained.metrics.pass_at_1[0] + 0.1)
    True
    """
    _check(task, recipe, setting)
    optimizer = recipe.optimizer(setting.learning_rate)
    start = parameters

    def step(state: tuple[Parameters, Any], t: Array) -> tuple[tuple[Parameters, Any], PolicyStepMetrics]:
        keys = jax.random.split(jax.random.fold_in(key, t), 3)
        chosen = batch(keys[0], len(task.train.answers), recipe.batch * recipe.candidates)
        prompts = Prompts(*(x[chosen] for x in task.train))
        drawn = experience(keys[1], state[0], start, prompts, recipe, setting)
        trained = _informative(drawn, recipe)
        shown = None
        if recipe.demonstrations:
            few = batch(keys[2], len(task.demonstrations.tokens), recipe.demonstrations)
            shown = Demonstrations(*(x[few] for x in task.demonstrations))

        def epoch(_: int, carry: tuple[Parameters, Any, Any]) -> tuple[Parameters, Any, Any]:
            parameters, memory, _ = carry
            (_, reported), gradient = jax.value_and_grad(loss, has_aux=True)(
                parameters, trained, shown, recipe, setting
            )
            updates, memory = optimizer.update(gradient, memory, parameters)
            return optax.apply_updates(parameters, updates), memory, (*reported, _length(gradient))

        zeros = (jnp.zeros(()),) * 3
        parameters, memory, (clipped, kl, norm) = lax.fori_loop(0, recipe.epochs, epoch, (*state, zeros))
        groups = StepMetrics.of(drawn.rewards.sum(-1), recipe.group_size, norm)
        return (parameters, memory), PolicyStepMetrics(groups, trained.kept.sum(), clipped, kl)

    def measured(parameters: Parameters) -> tuple[Measured, Measured]:
        sizes: dict[str, Any] = {"group_size": recipe.group_size, "attempts": recipe.attempts}
        return (
            measure_policy(recipe.policy, parameters, task.train, **sizes),
            measure_policy(recipe.policy, parameters, task.fresh, **sizes),
        )

    start_state = parameters, optimizer.init(parameters)
    (parameters, _), (metrics, logged) = run_steps(step, lambda state: measured(state[0]), start_state, recipe)
    return parameters, metrics, logged


def _informative(drawn: Experience, recipe: GRPORecipe) -> Experience:
    """The groups that train: all of them, or by dynamic sampling the first `batch` that are not degenerate."""
    if recipe.candidates == 1:
        return drawn
    successes = drawn.rewards.sum(-1)
    informative = (successes > 0) & (successes < recipe.group_size)
    kept, first = lax.top_k(informative.astype(jnp.float32), recipe.batch)  # of equals the first come first
    prompts, rollouts, rewards = jax.tree.map(lambda x: x[first], (drawn.prompts, drawn.rollouts, drawn.rewards))
    reference = drawn.reference[first] if isinstance(drawn.reference, Array) else drawn.reference
    return Experience(prompts, rollouts, rewards, reference, kept)


def _weights(drawn: Experience, recipe: GRPORecipe) -> Array:
    """What each token counts in the loss, [prompts, g, tokens]; in sum 1, or less under constant normalisation."""
    mask = drawn.rollouts.mask * drawn.kept[:, None, None]
    count = jnp.maximum(drawn.kept.sum(), 1)  # no informative group, no loss
    if recipe.normalisation == "token":
        return mask / jnp.maximum(mask.sum(), 1)
    length = drawn.rollouts.mask.sum(-1, keepdims=True) if recipe.normalisation == "sequence" else recipe.policy.tokens
    return mask / length / (recipe.group_size * count)


def _length(gradient: Parameters) -> Array:
    return jnp.sqrt(sum((jnp.sum(x**2) for x in jax.tree.leaves(gradient)), jnp.zeros(())))


def _check(task: Task, recipe: GRPORecipe, setting: GRPOSetting) -> None:
    check_table(setting.table, recipe.group_size)
    prompts, shown = len(task.train.answers), len(task.demonstrations.tokens)
    way_out = f"The task has {prompts} prompts; lower batch or candidates."
    _validate.whole("batch * candidates", recipe.batch * recipe.candidates, 1, prompts, way_out=way_out)
    way_out = "The task has no more to mix in."
    _validate.whole("demonstrations", recipe.demonstrations, 0, shown, way_out=way_out)
