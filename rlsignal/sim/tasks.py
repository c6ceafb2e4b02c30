"""Binary-reward tasks for policies that generalise: demonstrations to imitate, prompts to train on, prompts unseen.

A task is drawn from a key: which responses are correct, and three sets of prompts that share none. Its sizes are
static; the label noise is a number, so it can be swept.
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from rlsignal import _validate
from rlsignal.sim.policies import Network, Policy, Prompts, log_probabilities, responses, spelled

_SHARP = 0.01
"""Temperature of a teacher: an untrained policy is nearly even, and even, the shortest response is the likeliest."""


class Demonstrations(NamedTuple):
    """What SFT imitates: features [demonstrations, ...], tokens [demonstrations, tokens], some of them incorrect."""

    features: Array
    tokens: Array


class Task(NamedTuple):
    """Three sets of prompts, none in two of them: imitated, trained on by RL, and seen by neither."""

    demonstrations: Demonstrations
    train: Prompts
    fresh: Prompts


@dataclass(frozen=True)
class Teacher:
    """Prompts x ~ N(0, 1); correct are the responses that a random teacher finds most likely.

    Parameters
    ----------
    policy : the teacher: a `Network` gives answers whose tokens are independent given x, a `Sequence` token sequences,
        of several lengths if it ends them.
    demonstrations, prompts : how many to imitate; and how many to train on, with as many fresh ones.
    correct : correct responses per prompt: the teacher's most likely ones.
    rarity : a demonstration shows the next likely correct response this many times less often, so the last are rare.

    Raises
    ------
    ValueError : sizes that are not whole or leave no incorrect response, a rarity below 1.

    Examples
    --------
    >>> import jax
    >>> from rlsignal.sim import Teacher
    >>> task = Teacher(demonstrations=256, prompts=512)(jax.random.key(0), 0.3)
    >>> task.demonstrations.tokens.shape, task.fresh.answers.shape
    ((256, 2), (512, 1))
    """

    policy: Policy = Network(widths=(32,))  # noqa: RUF009
    features: int = 16
    demonstrations: int = 256
    prompts: int = 512
    correct: int = 1
    rarity: float = 3.0

    def __post_init__(self) -> None:
        _validate.whole("demonstrations", self.demonstrations, 1)
        _validate.whole("prompts", self.prompts, 1)
        _validate.whole(
            "correct", self.correct, 1, responses(self.policy) - 1, way_out="A incorrect response is needed."
        )
        _validate.within("rarity", self.rarity, 1, 1e6)

    def __call__(self, key: Array, noise: Array | float = 0.0) -> Task:
        """The task of this key; each demonstrated token is replaced by another one with chance `noise`."""
        teacher_key, prompt_key, demonstration_key = jax.random.split(key, 3)
        total = self.demonstrations + 2 * self.prompts
        features = jax.random.normal(prompt_key, (total, self.features))
        log_pi = log_probabilities(self.policy, self.policy.init(teacher_key), features, _SHARP)
        prompts = Prompts(features, jax.lax.top_k(log_pi, self.correct)[1])
        shares = self.rarity ** -jnp.arange(self.correct, dtype=jnp.float32)
        return _split(demonstration_key, self.policy, prompts, self.demonstrations, self.prompts, shares, noise)


@dataclass(frozen=True)
class ModularAddition:
    """(a + b) mod `modulus`: one-hot features of a and b, one token. A trap, kept to show what a ladder must control.

    What is imitated does not transfer: pairs that were not shown are answered worse than by an untrained network, so
    deep checkpoints give RL no signal whatever their entropy, and what RL learns does not transfer. Pass@1 on unseen
    prompts and the untrained checkpoint show that such a ladder says nothing of over-training.
    """

    modulus: int = 23
    demonstrations: int = 211
    prompts: int = 159

    def __post_init__(self) -> None:
        pairs = _validate.whole("modulus", self.modulus, 2) ** 2
        _validate.whole("demonstrations", self.demonstrations, 1)
        _validate.whole(
            "prompts", self.prompts, 1, (pairs - self.demonstrations) // 2, way_out="No pair is in two sets."
        )

    def __call__(self, key: Array, noise: Array | float = 0.0) -> Task:
        """The task of this key: which pairs are demonstrated, trained on and fresh."""
        order_key, demonstration_key = jax.random.split(key)
        pairs = jax.random.permutation(order_key, self.modulus**2)[: self.demonstrations + 2 * self.prompts]
        a, b = pairs // self.modulus, pairs % self.modulus
        features = jnp.concatenate([jax.nn.one_hot(x, self.modulus) for x in (a, b)], -1)
        prompts = Prompts(features, ((a + b) % self.modulus)[:, None])
        policy = Network(features=2 * self.modulus, tokens=1, choices=self.modulus)
        return _split(demonstration_key, policy, prompts, self.demonstrations, self.prompts, jnp.ones(1), noise)


def _split(
    key: Array, policy: Policy, prompts: Prompts, demonstrations: int, size: int, shares: Array, noise: Array | float
) -> Task:
    """Demonstrations on the first prompts, drawn by `shares` and spoiled by `noise`; then two sets of prompts."""
    shown_key, spoil_key, token_key = jax.random.split(key, 3)
    sets = (slice(demonstrations), slice(demonstrations, demonstrations + size), slice(demonstrations + size, None))
    imitated, train, fresh = (Prompts(*(x[s] for x in prompts)) for s in sets)
    which = jax.random.categorical(shown_key, jnp.log(shares), shape=(demonstrations, 1))
    tokens = spelled(policy, jnp.take_along_axis(imitated.answers, which, -1)[:, 0])
    other = (tokens + jax.random.randint(token_key, tokens.shape, 1, policy.choices)) % policy.choices
    tokens = jnp.where(jax.random.uniform(spoil_key, tokens.shape) < noise, other, tokens)
    return Task(Demonstrations(imitated.features, tokens), train, fresh)
