"""Supervised fine-tuning: one run, with a checkpoint at every depth; depth 0, the untrained policy, is always one."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax

from rlsignal import _validate
from rlsignal.sim.policies import Parameters, Policy, score
from rlsignal.sim.tasks import Demonstrations


class SFTSetting(NamedTuple):
    """What may change without compiling again.

    learning_rate : per step, on the mean over tokens of the cross-entropy.
    smoothing : label smoothing: the share of each target that goes evenly to all tokens.
    """

    learning_rate: Array
    smoothing: Array


@dataclass(frozen=True)
class SFTRecipe:
    """What a run is compiled for.

    Parameters
    ----------
    policy : what is trained.
    depths : steps after which a checkpoint is kept, rising; 0 is put in front if it is missing.
    batch : demonstrations per step, drawn without replacement; all of them if there are fewer.
    optimizer : learning_rate -> optax transformation; weight decay is a keyword of it, as in
        partial(optax.adamw, weight_decay=0.1).

    Raises
    ------
    ValueError : depths that do not rise or are not whole, a batch below 1.

    Examples
    --------
    >>> from rlsignal.sim import SFTRecipe
    >>> from rlsignal.sim.policies import Network
    >>> SFTRecipe(Network(), depths=(10, 100)).depths
    (0, 10, 100)
    """

    policy: Policy
    depths: tuple[int, ...] = (0, 30, 100, 300, 1000, 5000)
    batch: int = 64
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.adamw

    def __post_init__(self) -> None:
        depths = tuple(_validate.whole("depths", depth, 0, 10**9) for depth in self.depths)
        if any(a >= b for a, b in pairwise(depths)):
            raise ValueError(f"depths must rise, got {self.depths}. Sort them, each once.")
        object.__setattr__(self, "depths", depths if depths[:1] == (0,) else (0, *depths))
        _validate.whole("batch", self.batch, 1)

    def setting(self, *, learning_rate: float = 1e-3, smoothing: float = 0.0) -> SFTSetting:
        """The numbers of one run, checked.

        Raises
        ------
        ValueError : a rate outside [1e-30, 1e30], smoothing outside [0, 1].
        """
        rate = _validate.scalar("learning_rate", _validate.single("learning_rate", learning_rate))
        share = _validate.scalar("smoothing", _validate.probability("smoothing", smoothing))
        return SFTSetting(jnp.asarray(rate, jnp.float32), jnp.asarray(share, jnp.float32))


def cross_entropy(
    policy: Policy, parameters: Parameters, demonstrations: Demonstrations, smoothing: Array | float = 0.0
) -> Array:
    """Mean over tokens of -[(1 - s) log pi(token) + s mean log pi(any token)], nats; s is the label smoothing.

    Source: Szegedy et al. 2016 for the smoothing.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim.sft import cross_entropy
    >>> from rlsignal.sim.tasks import Demonstrations
    >>> from rlsignal.sim.policies import Tabular
    >>> shown = Demonstrations(jnp.array([0]), jnp.array([[2]]))
    >>> round(float(cross_entropy(Tabular(prompts=1, choices=4), jnp.zeros((1, 4)), shown)), 4)  # log 4
    1.3863
    """
    scored = score(policy, parameters, demonstrations.features, demonstrations.tokens[:, None])
    given = (1 - smoothing) * scored.log_probs + smoothing * scored.mean_log_prob
    return -given.sum() / scored.mask.sum()


def finetune(
    key: Array, parameters: Parameters, demonstrations: Demonstrations, recipe: SFTRecipe, setting: SFTSetting
) -> Parameters:
    """The checkpoints of one run from `parameters`; a pure function that jit and vmap take, with `recipe` static.

    Parameters
    ----------
    key : PRNG key; step t draws its batch from fold_in(key, t), so a checkpoint does not depend on the other depths.
    parameters : of the policy at depth 0.
    demonstrations : what is imitated.
    recipe, setting : what is compiled, and its numbers.

    Returns
    -------
    the parameters' pytree with a leading axis [depths].

    Examples
    --------
    >>> import jax
    >>> from rlsignal.sim import SFTRecipe, finetune
    >>> from rlsignal.sim.sft import cross_entropy
    >>> from rlsignal.sim.policies import Network
    >>> from rlsignal.sim.tasks import Teacher
    >>> key, recipe = jax.random.key(0), SFTRecipe(Network(widths=(8,)), depths=(0, 5))
    >>> shown = Teacher(demonstrations=16, prompts=1)(key).demonstrations
    >>> checkpoints = finetune(key, recipe.policy.init(key), shown, recipe, recipe.setting())
    >>> before, after = (cross_entropy(recipe.policy, jax.tree.map(lambda x: x[i], checkpoints), shown) for i in (0, 1))
    >>> bool(after < before)
    True
    """
    optimizer, count = recipe.optimizer(setting.learning_rate), len(demonstrations.tokens)

    def step(t: Array, state: tuple[Parameters, Any]) -> tuple[Parameters, Any]:
        parameters, memory = state
        shown = demonstrations
        if recipe.batch < count:
            shown = jax.tree.map(lambda x: x[batch(jax.random.fold_in(key, t), count, recipe.batch)], demonstrations)
        gradient = jax.grad(lambda p: cross_entropy(recipe.policy, p, shown, setting.smoothing))(parameters)
        updates, memory = optimizer.update(gradient, memory, parameters)
        return optax.apply_updates(parameters, updates), memory

    def until(state: tuple[Parameters, Any], span: tuple[Array, Array]) -> tuple[tuple[Parameters, Any], Parameters]:
        state = lax.fori_loop(*span, step, state)
        return state, state[0]

    depths = jnp.asarray(recipe.depths)
    spans = jnp.concatenate([depths[:1], depths[:-1]]), depths
    return lax.scan(until, (parameters, optimizer.init(parameters)), spans)[1]


def batch(key: Array, count: int, size: int) -> Array:
    """Which `size` of `count` items a step sees, drawn without replacement."""
    return lax.top_k(jax.random.uniform(key, (count,)), size)[1]
