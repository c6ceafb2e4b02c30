"""What answers a prompt: a table, a network or a sequence model, behind one interface.

A policy is the sizes of its model, static and hashed by jit; its parameters are a plain pytree. It reads prompts and
then says, token by token, the logits of the next one. Everything else here (sampling, scoring, decoding, exact
metrics) is written once for all of them. Responses are numbered as the tokens are written: base `choices`, first token
first, so response sets stay small enough to be enumerated, and every metric is exact while rollouts are sampled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax, nn

from rlsignal.sim import tabular

Parameters = Any
"""A pytree of arrays."""


class Policy(Protocol):
    """Sizes, and the three things that differ between models. Leading axes [...] are free and broadcast."""

    @property
    def choices(self) -> int:
        """Tokens to choose from at each position."""

    @property
    def tokens(self) -> int:
        """Positions of a response, at most."""

    @property
    def ends(self) -> bool:
        """Whether the last choice is an end token, which then fills what is left of the response."""

    def init(self, key: Array) -> Parameters:
        """Parameters of a policy that has learned nothing."""

    def read(self, parameters: Parameters, features: Array) -> Any:
        """The state [...] before the first token, from features [...] of prompts."""

    def logits(self, parameters: Parameters, state: Any, position: int) -> Array:
        """Logits [..., choices] of the token at this position."""

    def advance(self, parameters: Parameters, state: Any, token: Array) -> Any:
        """The state after this token [...]."""

    def scaled(self, parameters: Parameters, factor: Array) -> Parameters:
        """The parameters whose logits are this many times these: a temperature of 1/factor, made permanent."""


@dataclass(frozen=True)
class Tabular:
    """Logits [prompts, responses] of their own for every prompt: the policies of `tabular`. A feature is an index.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Tabular
    >>> from rlsignal.sim.policies import log_probabilities
    >>> policy = Tabular(prompts=3, choices=4)
    >>> log_probabilities(policy, policy.init(jax.random.key(0)), jnp.arange(3)).shape
    (3, 4)
    """

    prompts: int
    choices: int
    tokens: int = 1
    ends: bool = False

    def init(self, key: Array) -> Array:
        """Even logits, whatever the key."""
        return jnp.zeros((self.prompts, self.choices))

    def read(self, parameters: Array, features: Array) -> Array:
        """The prompts' own logits."""
        return parameters[features]

    def logits(self, parameters: Array, state: Array, position: int) -> Array:
        """They are the state."""
        return state

    def advance(self, parameters: Array, state: Array, token: Array) -> Array:
        """Nothing comes after the only token."""
        return state

    def scaled(self, parameters: Array, factor: Array) -> Array:
        """All of them."""
        return factor * parameters


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron: prompt features -> independent logits of every token of the response.

    Parameters
    ----------
    features : numbers in a prompt.
    widths : of the hidden layers, ReLU.
    tokens, choices : of a response.
    ends : whether the last choice ends the response.
    """

    features: int = 16
    widths: tuple[int, ...] = (256, 256)
    tokens: int = 2
    choices: int = 16
    ends: bool = False

    def init(self, key: Array) -> list[dict[str, Array]]:
        """Weights of variance 2/inputs, 0.02/inputs in the last layer: nearly even answers."""
        sizes = (self.features, *self.widths, self.tokens * self.choices)
        keys, gains = jax.random.split(key, len(sizes) - 1), [2.0] * len(self.widths) + [0.02]
        return [
            {"weight": jnp.sqrt(gain / n) * jax.random.normal(k, (n, m)), "bias": jnp.zeros(m)}
            for k, gain, n, m in zip(keys, gains, sizes[:-1], sizes[1:], strict=True)
        ]

    def read(self, parameters: list[dict[str, Array]], features: Array) -> Array:
        """All logits at once, [..., tokens, choices]."""
        *hidden, last = parameters
        for layer in hidden:
            features = nn.relu(_affine(features, layer))
        flat = _affine(features, last)
        return flat.reshape(*flat.shape[:-1], self.tokens, self.choices)

    def logits(self, parameters: list[dict[str, Array]], state: Array, position: int) -> Array:
        """Those of this position."""
        return state[..., position, :]

    def advance(self, parameters: list[dict[str, Array]], state: Array, token: Array) -> Array:
        """No token depends on another."""
        return state

    def scaled(self, parameters: list[dict[str, Array]], factor: Array) -> list[dict[str, Array]]:
        """The last layer."""
        *hidden, last = parameters
        return [*hidden, {name: factor * x for name, x in last.items()}]


@dataclass(frozen=True)
class Sequence:
    """A gated recurrent unit: each token depends on the prompt and on the tokens before it.

    Parameters
    ----------
    features : numbers in a prompt.
    width : of the state.
    tokens, choices : of a response.
    ends : whether the last choice ends the response.

    Source: Cho et al. 2014, with the reset gate after the product, as libraries have it.
    """

    features: int = 16
    width: int = 64
    tokens: int = 4
    choices: int = 6
    ends: bool = True

    def init(self, key: Array) -> dict[str, Array]:
        """Weights of variance 1/inputs, tokens of variance 1, 0.01/inputs in the last layer: nearly even answers."""
        keys = jax.random.split(key, 4)
        n, m = self.features, self.width
        return {
            "prompt": jax.random.normal(keys[0], (n, m)) / jnp.sqrt(n),
            "state": jax.random.normal(keys[1], (m, 3 * m)) / jnp.sqrt(m),
            "token": jax.random.normal(keys[2], (self.choices, 3 * m)),
            "weight": 0.1 * jax.random.normal(keys[3], (m, self.choices)) / jnp.sqrt(m),
            "bias": jnp.zeros(self.choices),
        }

    def read(self, parameters: dict[str, Array], features: Array) -> Array:
        """The first state, [..., width]."""
        return jnp.tanh(features @ parameters["prompt"])

    def logits(self, parameters: dict[str, Array], state: Array, position: int) -> Array:
        """Linear in the state."""
        return _affine(state, parameters)

    def advance(self, parameters: dict[str, Array], state: Array, token: Array) -> Array:
        """One step of the unit."""
        reset, keep, new = jnp.split(state @ parameters["state"], 3, -1)
        reset_by, keep_by, new_by = jnp.split(parameters["token"][token], 3, -1)
        kept = nn.sigmoid(keep + keep_by)
        return kept * state + (1 - kept) * jnp.tanh(new_by + nn.sigmoid(reset + reset_by) * new)

    def scaled(self, parameters: dict[str, Array], factor: Array) -> dict[str, Array]:
        """The last layer."""
        return {**parameters, **{name: factor * parameters[name] for name in ("weight", "bias")}}


class Prompts(NamedTuple):
    """Prompts, and which responses are correct: features [prompts, ...], answers [prompts, correct], all different."""

    features: Array
    answers: Array

    def rewards(self, responses: Array) -> Array:
        """Whether responses [prompts, ...] are correct ones."""
        answers = self.answers.reshape(len(self.answers), *[1] * (responses.ndim - 1), -1)
        return (responses[..., None] == answers).any(-1)


class Rollouts(NamedTuple):
    """Responses to prompts, token by token, each field [prompts, g, tokens]; zeros after the end."""

    tokens: Array
    log_probs: Array  # of the token, given those before it
    entropy: Array  # of the distribution that the token was drawn from, nats
    mean_log_prob: Array  # mean log-probability of all tokens that might have come there: what label smoothing adds
    mask: Array  # 1 up to the end token, itself included


class Measured(NamedTuple):
    """What is known exactly of a policy on some prompts; each field [...], means over prompts."""

    metrics: tabular.Metrics
    greedy: Array  # pass@1 of the most likely token at every position
    token_entropy: Array  # nats per token: that of the response over its expected length


def responses(policy: Policy) -> int:
    """How many different responses there are, the padded ones counted as written."""
    return policy.choices**policy.tokens


def number(policy: Policy, tokens: Array) -> Array:
    """The number of each response [...] with tokens [..., tokens].

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Network
    >>> from rlsignal.sim.policies import number
    >>> int(number(Network(tokens=2, choices=16), jnp.array([1, 2])))
    18
    """
    return tokens @ _places(policy)


def spelled(policy: Policy, response: Array) -> Array:
    """The tokens [..., tokens] of responses [...]; undoes `number`."""
    places = _places(policy).reshape(*[1] * response.ndim, policy.tokens)
    return response[..., None] // places % policy.choices


def log_probabilities(
    policy: Policy, parameters: Parameters, features: Array, temperature: Array | float = 1.0
) -> Array:
    """log pi(y | x) of every response, [prompts, responses], by enumeration; -inf where tokens follow an end.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Sequence
    >>> from rlsignal.sim.policies import log_probabilities
    >>> policy = Sequence(tokens=2, choices=3)
    >>> log_pi = log_probabilities(policy, policy.init(jax.random.key(0)), jnp.ones((1, 16)))
    >>> round(float(jnp.exp(log_pi).sum()), 6), int((log_pi == -jnp.inf).sum())
    (1.0, 2)
    """
    last = np.arange(policy.choices) == policy.choices - 1
    state = jax.tree.map(lambda x: x[:, None], policy.read(parameters, features))
    log_pi, ended = jnp.zeros((len(features), 1)), np.array([False])
    for t in range(policy.tokens):
        step = nn.log_softmax(policy.logits(parameters, state, t) / temperature)
        if policy.ends:
            after_end = jnp.where(last, 0.0, -jnp.inf)[None, None]
            step = jnp.where(ended[None, :, None], after_end, step)
            ended = (ended[:, None] | last).ravel()
        log_pi = (log_pi[..., None] + step).reshape(len(features), -1)
        if t + 1 < policy.tokens:
            branches = jax.tree.map(lambda x: x[:, :, None], state)
            branches = policy.advance(parameters, branches, jnp.arange(policy.choices)[None, None])
            state = jax.tree.map(lambda x: x.reshape(len(x), -1, *x.shape[3:]), branches)
    return log_pi


def sample(
    key: Array,
    policy: Policy,
    parameters: Parameters,
    features: Array,
    group_size: int,
    temperature: Array | float = 1.0,
) -> Rollouts:
    """A group of rollouts for every prompt, token by token; token t draws from fold_in(key, t)."""
    shape = (len(features), group_size)
    upto = jnp.triu(jnp.ones((policy.choices, policy.choices)))

    def drawn(t: int, logits: Array) -> Array:
        shares = jnp.exp(logits - logits.max(-1, keepdims=True))  # unnormalised; one uniform is all that is drawn
        cumulative = jnp.dot(shares, upto, precision="highest")
        u = jax.random.uniform(jax.random.fold_in(key, t), shape, jnp.float32) + 2.0**-24  # never 0, never 1
        return (u[..., None] * cumulative[..., -1:] >= cumulative).sum(-1)

    return _walk(policy, parameters, features, temperature, drawn)


def score(
    policy: Policy, parameters: Parameters, features: Array, tokens: Array, temperature: Array | float = 1.0
) -> Rollouts:
    """Given responses [prompts, g, tokens] under another policy."""
    return _walk(policy, parameters, features, temperature, lambda t, _: tokens[..., t])


def decode(policy: Policy, parameters: Parameters, features: Array) -> Array:
    """The greedy response [prompts, tokens]: the most likely token, one after the other."""
    walked = _walk(policy, parameters, features, 1.0, lambda _, logits: logits.argmax(-1))
    return walked.tokens[:, 0]


def measure_policy(
    policy: Policy, parameters: Parameters, prompts: Prompts, *, group_size: int, attempts: tuple[int, ...]
) -> Measured:
    """Exact metrics on these prompts, at temperature 1; no sampling.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Tabular, measure_policy
    >>> from rlsignal.sim.policies import Prompts
    >>> policy, prompts = Tabular(prompts=1, choices=4), Prompts(jnp.array([0]), jnp.array([[2, 3]]))
    >>> float(measure_policy(policy, jnp.zeros((1, 4)), prompts, group_size=8, attempts=(8,)).metrics.pass_at_1)
    0.5
    """
    log_pi = log_probabilities(policy, parameters, prompts.features)
    correct = jnp.take_along_axis(log_pi, prompts.answers, -1)
    is_correct = prompts.rewards(jnp.broadcast_to(jnp.arange(responses(policy)), log_pi.shape))
    correct_first = jnp.concatenate(
        [correct, jnp.where(is_correct, -jnp.inf, log_pi)], -1
    )  # a response of chance 0 is none
    recipe = tabular.Recipe(
        prompts=len(log_pi),
        responses=correct_first.shape[-1],
        correct=correct.shape[-1],
        group_size=group_size,
        attempts=attempts,
    )
    metrics = tabular.measure_tabular(correct_first, recipe)
    greedy = prompts.rewards(number(policy, decode(policy, parameters, prompts.features)))
    length = (jnp.exp(log_pi) @ _lengths(policy)).mean()
    return Measured(metrics, jnp.where(jnp.isnan(metrics.pass_at_1), jnp.nan, greedy.mean()), metrics.entropy / length)


def entropy(log_pi: Array) -> Array:
    """Of the response, nats, mean over prompts, from log-probabilities [prompts, responses]."""
    return -tabular.times_log(log_pi).sum(-1).mean()


def tempered(policy: Policy, parameters: Parameters, features: Array, target: Array | float) -> Parameters:
    """The policy with its logits scaled until its response entropy (nats, mean over these prompts) is `target`.

    No control: pass rates and their dispersion move with it. Out of reach, the nearest factor in [e^-7, e^7].

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Tabular
    >>> from rlsignal.sim.policies import log_probabilities, tempered
    >>> policy, logits = Tabular(prompts=1, choices=4), jnp.array([[3.0, 1.0, 0.0, 0.0]])
    >>> log_pi = log_probabilities(policy, tempered(policy, logits, jnp.array([0]), 1.0), jnp.array([0]))
    >>> round(float(-(jnp.exp(log_pi) * log_pi).sum()), 3)
    1.0
    """

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = (ends[0] + ends[1]) / 2
        log_pi = log_probabilities(policy, parameters, features, jnp.exp(-middle))
        too_flat = entropy(log_pi) > target
        return jnp.where(too_flat, middle, ends[0]), jnp.where(too_flat, ends[1], middle)

    low, high = lax.fori_loop(0, 24, halve, (jnp.float32(-7), jnp.float32(7)))
    return policy.scaled(parameters, jnp.exp((low + high) / 2))


def _walk(
    policy: Policy,
    parameters: Parameters,
    features: Array,
    temperature: Array | float,
    choose: Callable[[int, Array], Array],
) -> Rollouts:
    """Responses whose token t is choose(t, logits), and what the policy thinks of them."""
    state = jax.tree.map(lambda x: x[:, None], policy.read(parameters, features))
    ended = jnp.asarray(False)
    columns = []
    for t in range(policy.tokens):
        logits = policy.logits(parameters, state, t) / temperature
        token = jnp.where(ended, policy.choices - 1, choose(t, logits))
        log_pi = nn.log_softmax(logits)
        is_token = nn.one_hot(token, policy.choices, dtype=bool)
        mask = jnp.where(ended, 0.0, jnp.ones(token.shape))
        log_prob = jnp.where(is_token, log_pi, 0.0).sum(-1) * mask
        entropy = -(jnp.exp(log_pi) * log_pi).sum(-1) * mask
        columns.append(Rollouts(token, log_prob, entropy, log_pi.mean(-1) * mask, mask))
        if policy.ends:
            ended = ended | (token == policy.choices - 1)
        if t + 1 < policy.tokens:
            state = policy.advance(parameters, state, token)
    return jax.tree.map(lambda *x: jnp.stack(x, -1), *columns)


def _affine(x: Array, layer: dict[str, Array]) -> Array:
    """x W + b for x [..., n]."""
    bias = layer["bias"].reshape(*[1] * (x.ndim - 1), -1)
    return x @ layer["weight"] + bias


def _places(policy: Policy) -> np.ndarray:
    """What a token counts in the number of a response, first token first."""
    return (policy.choices ** np.arange(policy.tokens)[::-1]).astype(np.int32)


def _lengths(policy: Policy) -> np.ndarray:
    """Tokens of each response up to its end token, that included; as floats [responses]."""
    if not policy.ends:
        return np.full(responses(policy), policy.tokens, np.float32)
    tokens = np.arange(responses(policy))[:, None] // policy.choices ** np.arange(policy.tokens)[::-1] % policy.choices
    is_end = tokens == policy.choices - 1
    return np.where(is_end.any(-1), is_end.argmax(-1) + 1, policy.tokens).astype(np.float32)
