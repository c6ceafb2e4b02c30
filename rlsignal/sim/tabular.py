"""The fast path: many independent softmax policies, one per prompt, trained by on-policy GRPO.

A policy is its logits [prompts, responses], correct responses first, so that the mask is one integer and a reward is
one comparison. Rollouts are drawn from uniforms against unnormalised cumulative probabilities, the estimator is its
table [2, g+1], and the gradient is a difference of cumulative sums.

float32: a pass rate is resolved to 6e-8 when sampled, and exactly (in logs) when measured.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax, nn
from jax.extend.random import threefry_2x32

from rlsignal import _validate
from rlsignal.sim.schedule import Schedule, run_steps
from rlsignal.theory.estimators import Estimator, informative_counts
from rlsignal.theory.frameworks import GRPO, known
from rlsignal.theory.modified import filtered

_UNROLLED = 64
"""Rollouts of a group in one fused pass."""


class Setting(NamedTuple):
    """What may change from cell to cell of a sweep without compiling again; built by `Recipe.setting`.

    learning_rate : per step, on the mean over a prompt's rollouts of A grad log pi.
    temperature : of the softmax that is sampled, trained and measured.
    table : [2, g+1] advantages indexed [reward, K].
    kl : weight of the KL divergence to the start, exact and not sampled; None computes none.
    """

    learning_rate: Array
    temperature: Array
    table: Array
    kl: Array | None = None


@dataclass(frozen=True)
class Recipe(Schedule):
    """What a run is compiled for.

    Parameters
    ----------
    prompts, responses, correct : sizes of the task; the first `correct` responses of each prompt earn reward 1.
    group_size : rollouts per prompt and step.
    steps : of the optimizer; metrics are recorded at step 0 and every `record_every` steps (default: at the end).
    attempts : the k of the recorded pass@k.
    optimizer : learning_rate -> optax transformation, such as optax.sgd or a partial of optax.adamw.
    natural : precondition each prompt's gradient with the inverse Fisher matrix of its softmax.
    dynamic_sampling : a step is the mean over its informative groups alone, at equal rollouts: the gradient over their
        share, at least 1/prompts (B3). A KL term is not divided.

    Raises
    ------
    ValueError : sizes that are not whole or leave no incorrect response, steps that `record_every` does not divide.

    Examples
    --------
    >>> from rlsignal.sim import Recipe
    >>> Recipe(prompts=4, responses=6, steps=10, record_every=5).records
    3
    """

    prompts: int = 512
    responses: int = 32
    correct: int = 2
    group_size: int = 8
    steps: int = 400
    record_every: int | None = None
    attempts: tuple[int, ...] = (8,)
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.sgd
    natural: bool = False
    dynamic_sampling: bool = False

    def __post_init__(self) -> None:
        _validate.whole("prompts", self.prompts, 1, 10**9)
        _validate.whole("responses", self.responses, 2, 10**9)
        way_out = "Each prompt needs a correct and an incorrect response; change `responses` or `correct`."
        _validate.whole("correct", self.correct, 1, self.responses - 1, way_out=way_out)
        _validate.whole("group_size", self.group_size, 2)
        self.check_schedule()

    @property
    def plain(self) -> bool:
        """Whether steps are plain ascent on each prompt's own gradient: for these there is a mean field."""
        return self.optimizer is optax.sgd and not self.dynamic_sampling

    @property
    def optimizer_name(self) -> str:
        """Of the optimizer as it was given, the arguments of a partial included."""
        function = self.optimizer.func if isinstance(self.optimizer, partial) else self.optimizer
        given = self.optimizer.keywords.items() if isinstance(self.optimizer, partial) else ()
        name = getattr(function, "__name__", type(function).__name__)
        return name + f"({', '.join(f'{key}={value}' for key, value in given)})" * bool(given)

    def setting(
        self, estimator: Estimator = GRPO, *, learning_rate: float = 1.0, temperature: float = 1.0, kl: float = 0.0
    ) -> Setting:
        """The numbers of one cell, checked.

        Raises
        ------
        ValueError : not an estimator, a rate or temperature outside [1e-30, 1e30], kl outside [0, 1e30].

        Examples
        --------
        >>> from rlsignal.sim import Recipe
        >>> from rlsignal import RLOO
        >>> Recipe(group_size=4).setting(RLOO, learning_rate=0.5).table.shape
        (2, 5)
        """
        numbers = [
            _validate.scalar(name, _validate.single(name, value))
            for name, value in (("learning_rate", learning_rate), ("temperature", temperature))
        ]
        weight = _validate.scalar("kl", _validate.single("kl", kl, zero=True))
        if self.dynamic_sampling:
            estimator = filtered(estimator, informative_counts)
        table = known(estimator).table(self.group_size)
        setting = Setting(*(jnp.asarray(x, jnp.float32) for x in (*numbers, table)))
        return setting._replace(kl=jnp.float32(weight)) if weight else setting


class Metrics(NamedTuple):
    """What is known exactly of a policy, at the temperature it samples with; each field [...], means over prompts."""

    pass_at_1: Array
    pass_at_k: Array  # [..., attempts]
    entropy: Array  # of the response, nats
    reward_entropy: Array  # its part E h_b(p): correct or incorrect?
    within_entropy: Array  # its part E[p H_C + (1-p) H_I]: which one of them?
    dispersion: Array  # Var p / (mean p (1 - mean p)); 0 where all prompts are certain and alike
    degenerate: Array  # E[p^g + (1-p)^g]
    advantage_variance: Array  # of mean-centred advantages, E[p(1-p)] (g-1)/g, whatever the estimator


class StepMetrics(NamedTuple):
    """What a trainer would log of one step's groups; each field [...]."""

    pass_at_1: Array
    degenerate: Array
    advantage_variance: Array  # of mean-centred advantages, that is of the rewards inside a group
    gradient_norm: Array  # root mean square over prompts of the length of the gradient, without its KL term

    @classmethod
    def of(cls, successes: Array, group_size: int, gradient_norm: Array) -> "StepMetrics":
        """Of groups with these successes [prompts]."""
        share = successes / group_size
        degenerate = (successes == 0) | (successes == group_size)
        return cls(share.mean(), degenerate.mean(), (share * (1 - share)).mean(), gradient_norm)


def log_pass_rates(logits: Array, correct: int) -> tuple[Array, Array]:
    """log p and log(1-p) of each prompt [...] from logits [..., responses], each as exact as float32 holds it.

    The rarer class is summed; of the other only what it lacks to 1 can be known exactly, and that is the rarer one.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import log_pass_rates
    >>> log_p, log_q = log_pass_rates(jnp.array([[100.0, 0.0]]), 1)
    >>> float(log_q[0])
    -100.0
    """
    log_pi = nn.log_softmax(logits)
    log_p, log_q = nn.logsumexp(log_pi[..., :correct], -1), nn.logsumexp(log_pi[..., correct:], -1)
    p_is_rare, q_is_rare = log_p < -0.7, log_q < -0.7
    return (
        jnp.where(q_is_rare, jnp.log1p(-jnp.exp(jnp.where(q_is_rare, log_q, -1.0))), log_p),
        jnp.where(p_is_rare, jnp.log1p(-jnp.exp(jnp.where(p_is_rare, log_p, -1.0))), log_q),
    )


def measure_tabular(logits: Array, recipe: Recipe, temperature: Array | float = 1.0) -> Metrics:
    """Exact metrics of the policy with these logits [prompts, responses]; no sampling.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe, measure_tabular
    >>> even = jnp.zeros((1, 4))
    >>> float(measure_tabular(even, Recipe(prompts=1, responses=4, correct=2)).pass_at_1)
    0.5
    """
    check(logits, recipe)
    log_pi = nn.log_softmax(logits / temperature)
    log_p, log_q = log_pass_rates(logits / temperature, recipe.correct)
    p, q, g = jnp.exp(log_p), jnp.exp(log_q), recipe.group_size
    entropy = -jnp.sum(times_log(log_pi), -1)
    undecided = -times_log(log_p) - times_log(log_q)
    mean, pq = p.mean(), p * q
    most = mean * q.mean()  # the variance of pass rates that are all 0 or 1
    metrics = Metrics(
        pass_at_1=mean,
        pass_at_k=jnp.stack([-jnp.expm1(k * log_q).mean() for k in recipe.attempts]),
        entropy=entropy.mean(),
        reward_entropy=undecided.mean(),
        within_entropy=(entropy - undecided).mean(),
        dispersion=jnp.where(most == 0, 0.0, 1 - pq.mean() / jnp.where(most == 0, 1.0, most)),
        degenerate=(jnp.exp(g * log_p) + jnp.exp(g * log_q)).mean(),
        advantage_variance=pq.mean() * (g - 1) / g,
    )
    missing = jnp.isnan(logits).any()  # said here, for XLA's fast exp makes a number of NaN
    return Metrics(*(jnp.where(missing, jnp.nan, value) for value in metrics))


def prompts_pass_rates(logits: Array, recipe: Recipe, temperature: Array | float = 1.0) -> Array:
    """The pass rate of each prompt [prompts]: a `measure` that keeps what the means of `Metrics` hide.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe, prompts_pass_rates
    >>> recipe = Recipe(prompts=2, responses=4, correct=1, steps=10, record_every=5)
    >>> from rlsignal.sim import jump
    >>> _, rates = jump(jax.random.key(0), jnp.zeros((2, 4)), recipe, recipe.setting(), measure=prompts_pass_rates)
    >>> rates.shape  # records, prompts
    (3, 2)
    """
    return jnp.exp(log_pass_rates(logits / temperature, recipe.correct)[0])


def sampled_gradient(key: Array, logits: Array, recipe: Recipe, setting: Setting) -> tuple[Array, StepMetrics]:
    """One group per prompt: the gradient (1/g) sum_i A_i grad log pi(y_i), and what a trainer would log.

    Parameters
    ----------
    key : PRNG key.
    logits : [prompts, responses], correct responses first.
    recipe, setting : group size, number of correct responses; temperature and estimator table.

    Returns
    -------
    gradient [prompts, responses]; with `recipe.natural`, multiplied by the pseudo-inverse of the Fisher matrix
    (up to a constant per prompt, which a softmax does not feel). Its mean is `expected_gradient`.

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe, sampled_gradient
    >>> recipe = Recipe(prompts=2, responses=4, correct=1)
    >>> gradient, seen = sampled_gradient(jax.random.key(0), jnp.zeros((2, 4)), recipe, recipe.setting())
    >>> gradient.shape, bool(abs(gradient.sum()) < 1e-6)  # a softmax feels no constant
    ((2, 4), True)
    """
    check(logits, recipe, setting)
    shares = unnormalised(logits, setting.temperature)
    cumulative = jnp.dot(shares, jnp.triu(jnp.ones(2 * logits.shape[-1:])), precision="highest")
    total = cumulative[:, -1:]
    u = total * open_uniform(key, (len(logits), recipe.group_size))
    rewards = u < cumulative[:, recipe.correct - 1, None]
    successes = rewards.sum(-1)
    incorrect, correct = setting.table[:, successes, None]
    gradient = ascent(u, jnp.where(rewards, correct, incorrect), cumulative, shares, total, recipe, setting)
    norm = jnp.sqrt(jnp.sum(gradient**2, -1).mean())
    return gradient, StepMetrics.of(successes, recipe.group_size, norm)


def unnormalised(logits: Array, temperature: Array) -> Array:
    """Probabilities of responses up to a factor for each prompt, the largest 1."""
    return jnp.exp((logits - logits.max(-1, keepdims=True)) / temperature)


def open_uniform(key: Array, shape: tuple[int, ...]) -> Array:
    """Uniform in (0, 1): an odd multiple of 2^-24, so never 0 and never 1."""
    return (_words(key, shape) >> 9).astype(jnp.float32) * 2.0**-23 + 2.0**-24


def _words(key: Array, shape: tuple[int, ...]) -> Array:
    """Random uint32. Of Threefry, jax's default, both words of each block, at half the cost of `jax.random.bits`:
    that gives their exclusive or, so that an array can be split between devices, which no array here is.
    """
    if jax.random.key_impl(key) != "threefry2x32":
        return jax.random.bits(key, shape, jnp.uint32)
    return threefry_2x32(jax.random.key_data(key), lax.iota(jnp.uint32, math.prod(shape))).reshape(shape)


def ascent(
    drawn: Array, advantages: Array, cumulative: Array, shares: Array, total: Array, recipe: Recipe, setting: Setting
) -> Array:
    """The gradient (1/g) sum_i A_i grad log pi(y_i) of one group a prompt, [..., responses].

    Parameters
    ----------
    drawn, advantages : [..., g]; rollout i drew response j when drawn_i lies between the cumulative sums j-1 and j.
    cumulative : [..., responses], on the scale of `drawn`.
    shares, total : probabilities up to a factor [..., responses], and that factor [..., 1].
    """
    pulled = _per_response(drawn, advantages, cumulative) / recipe.group_size
    if recipe.natural:
        return jnp.where(pulled == 0, 0.0, pulled * total / shares) * setting.temperature
    return (pulled - shares * (pulled.sum(-1, keepdims=True) / total)) / setting.temperature


def less_kl(gradient: Array, logits: Array, start: Array, recipe: Recipe, setting: Setting) -> Array:
    """The gradient [..., responses] less that of `setting.kl` times KL(policy || start), of each prompt by itself (K2).

    Examples
    --------
    A policy that left an even start is drawn back to it:

    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe
    >>> from rlsignal.sim.tabular import less_kl
    >>> recipe = Recipe(prompts=1, responses=3, correct=1)
    >>> pull = less_kl(jnp.zeros(3), jnp.array([1.0, 0, 0]), jnp.zeros(3), recipe, recipe.setting(kl=1.0))
    >>> [round(float(x), 3) for x in pull]
    [-0.244, 0.122, 0.122]
    """
    if setting.kl is None:
        return gradient
    apart = (logits - start) / setting.temperature  # log ratios, up to a constant that the mean below takes off
    apart = jnp.where(logits == -jnp.inf, 0.0, apart)  # p log p goes to 0: a response that is never given has no pull
    if recipe.natural:
        return gradient - setting.kl * setting.temperature * apart
    shares = nn.softmax(logits / setting.temperature)
    mean = jnp.sum(shares * apart, -1, keepdims=True)
    return gradient - setting.kl / setting.temperature * shares * (apart - mean)


class Measure(Protocol):
    """What a run records: `measure_tabular` (the default), `prompts_pass_rates`, or a pure function like them."""

    def __call__(self, logits: Array, recipe: Recipe, temperature: Array, /) -> Any: ...


def train_tabular(
    key: Array, logits: Array, recipe: Recipe, setting: Setting, *, measure: Measure = measure_tabular
) -> tuple[Array, Any, StepMetrics]:
    """Sampled GRPO from `logits`; a pure function that jit and vmap take, with `recipe` static.

    Parameters
    ----------
    key : PRNG key; step t draws from fold_in(key, t), so a longer run begins like a shorter one.
    logits : [prompts, responses], correct responses first.
    recipe, setting : what is compiled, and its numbers.
    measure : what is recorded, a function of (logits, recipe, temperature).

    Returns
    -------
    final logits [prompts, responses], Metrics (or what `measure` returns) and StepMetrics, both with a leading axis
    [records].

    Raises
    ------
    ValueError : logits of another shape than the recipe's.

    Source: Shao et al. 2024 (2402.03300), on-policy, no clipping; docs/theory.md (W1, K2).

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe, train_tabular
    >>> recipe = Recipe(prompts=8, responses=4, correct=1, steps=50)
    >>> final, metrics, seen = train_tabular(jax.random.key(0), jnp.zeros((8, 4)), recipe, recipe.setting())
    >>> bool(metrics.pass_at_1[-1] > metrics.pass_at_1[0])
    True
    """
    check(logits, recipe, setting)
    optimizer, origin = recipe.optimizer(setting.learning_rate), logits

    def step(state: tuple[Array, Any], t: Array) -> tuple[tuple[Array, Any], StepMetrics]:
        logits, memory = state
        gradient, seen = sampled_gradient(jax.random.fold_in(key, t), logits, recipe, setting)
        if recipe.dynamic_sampling:
            gradient /= jnp.maximum(1 - seen.degenerate, 1 / recipe.prompts)
        gradient = less_kl(gradient, logits, origin, recipe, setting)
        updates, memory = optimizer.update(-gradient, memory, logits)  # optax descends
        return (optax.apply_updates(logits, updates), memory), seen

    def measured(state: tuple[Array, Any]) -> Any:
        return measure(state[0], recipe, setting.temperature)

    (logits, _), (metrics, seen) = run_steps(step, measured, (logits, optimizer.init(logits)), recipe)
    return logits, metrics, seen


def check(logits: Array, recipe: Recipe, setting: Setting | None = None) -> None:
    """An error unless logits are floats [prompts, responses], and the setting's table is of the recipe's group size."""
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise ValueError(f"logits must be floating-point, got {logits.dtype}. Use logits.astype(float).")
    if setting is not None:
        check_table(setting.table, recipe.group_size)
    if logits.shape != (recipe.prompts, recipe.responses):
        raise ValueError(
            f"logits must have shape [prompts, responses] = [{recipe.prompts}, {recipe.responses}], "
            f"got {list(logits.shape)}. Change the recipe or the start."
        )


def check_table(table: Array, group_size: int) -> None:
    """An error unless this is an estimator's table of groups of this size."""
    if table.shape != (2, group_size + 1):
        raise ValueError(
            f"setting must have a table [2, {group_size + 1}] for g = {group_size}, "
            f"got {list(table.shape)}. Make it with recipe.setting(...) of the same recipe."
        )


def _per_response(u: Array, advantages: Array, cumulative: Array) -> Array:
    """Sum of advantages over the rollouts that drew each response, [..., responses]."""

    def add(below: Array, drawn: tuple[Array, Array]) -> tuple[Array, None]:
        u, advantages = drawn
        for i in range(u.shape[-1]):  # unrolled: one fused pass over [prompts, responses], no [prompts, g, responses]
            below += jnp.where(u[..., i, None] < cumulative, advantages[..., i, None], 0.0)
        return below, None

    below, looped = jnp.zeros_like(cumulative), u.shape[-1] // _UNROLLED * _UNROLLED if u.shape[-1] > _UNROLLED else 0
    if looped:  # larger groups would take minutes to compile
        parts = [jnp.moveaxis(x[..., :looped].reshape(*x.shape[:-1], -1, _UNROLLED), -2, 0) for x in (u, advantages)]
        below, _ = lax.scan(add, below, (parts[0], parts[1]))
    below, _ = add(below, (u[..., looped:], advantages[..., looped:]))
    return jnp.diff(below, prepend=0.0)


def times_log(log_x: Array) -> Array:
    """x log x, 0 at x = 0; NaN stays NaN."""
    return jnp.where(log_x == -jnp.inf, 0.0, jnp.exp(log_x) * log_x)
