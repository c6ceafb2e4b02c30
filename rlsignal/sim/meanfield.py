"""GRPO without sampling: the expected update, w_g(p) grad p, followed step by step; differentiable.

Plain ascent only. Under Adam the expected update is not the update at the expected gradient, momentum mixes past noise
in, and under dynamic sampling late steps are large and rare; all are refused. What was tried misses pass@1 that is
sampled for 400 steps, from starts of the inversion map. Adam's averages fed with the exact mean and mean square of each
logit's gradient (F7), 42 starts, 64 prompts, 2 draws: by up to 0.005 at rate 0.005, where little is learned, 0.046 at
0.02 and 0.14 at 0.1; with Gaussian noise of the exact variance 0.006, 0.035 and 0.12. Dynamic sampling, the mean
gradient over the mean share of informative groups, 25 starts, 64 prompts, 4 draws: by up to 0.20.

float32: a step that moves a logit by less than its last bit is lost, which stalls prompts below p = 1e-6 after some
2e6 steps.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from rlsignal.sim.lanes import run_lanes
from rlsignal.sim.tabular import Measure, Recipe, Setting, check, less_kl, measure_tabular, unnormalised


def expected_gradient(logits: Array, recipe: Recipe, setting: Setting) -> Array:
    """The mean of `sampled_gradient` over all groups: w_g(p) grad p, [prompts, responses] (W1).

    With `recipe.natural` it is w_g(p) on the correct responses, the inverse Fisher matrix of a softmax times grad p:
    the shares inside a class stay as they are.

    Examples
    --------
    Two responses, of which the first is correct: w_2(p) = 1 for every p, and grad p is p(1-p) and its negative.

    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe, expected_gradient
    >>> recipe = Recipe(prompts=1, responses=2, correct=1, group_size=2)
    >>> expected_gradient(jnp.zeros((1, 2)), recipe, recipe.setting()).round(3)
    Array([[ 0.25, -0.25]], dtype=float32)
    """
    check(logits, recipe, setting)
    return jax.vmap(lambda prompt: _of_prompt(prompt, recipe, setting))(logits)


def _of_prompt(logits: Array, recipe: Recipe, setting: Setting) -> Array:
    """`expected_gradient` of one prompt, [responses]."""
    shares = unnormalised(logits, setting.temperature)  # as when sampling
    correct, incorrect = shares[: recipe.correct].sum(), shares[recipe.correct :].sum()
    total = correct + incorrect
    p, q = correct / total, incorrect / total  # neither as 1 minus the other
    least = jnp.finfo(p.dtype).tiny  # a floor that no sum can see: 0 * log 0 would be NaN, and so would its derivative
    w = weight(jnp.log(jnp.maximum(p, least)), jnp.log(jnp.maximum(q, least)), setting.table)
    is_correct = jnp.arange(recipe.responses) < recipe.correct
    if recipe.natural:
        return jnp.where(is_correct, w, 0.0) * setting.temperature
    pull = w / total / setting.temperature
    return shares * jnp.where(is_correct, pull * q, -(pull * p))


def flow(logits: Array, recipe: Recipe, setting: Setting, *, measure: Measure = measure_tabular) -> tuple[Array, Any]:
    """The training run of `tabular.train_tabular` with every gradient replaced by its mean.

    Parameters
    ----------
    logits : [prompts, responses], correct responses first.
    recipe, setting : as for `tabular.train_tabular`; the optimizer must be optax.sgd itself.
    measure : what is recorded; default Metrics.

    Returns
    -------
    final logits [prompts, responses], and what was measured with a leading axis [records].

    Raises
    ------
    ValueError : an optimizer other than plain ascent, logits of another shape than the recipe's.

    Source: docs/theory.md (W1).

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe, flow
    >>> recipe = Recipe(prompts=8, responses=4, correct=1, steps=50)
    >>> final, metrics = flow(jnp.zeros((8, 4)), recipe, recipe.setting())
    >>> bool(metrics.pass_at_1[-1] > 0.9)
    True
    """
    check(logits, recipe, setting)
    check_plain_ascent(recipe)
    origin = logits

    def step(logits: Array) -> Array:
        gradient = expected_gradient(logits, recipe, setting)
        return logits + setting.learning_rate * less_kl(gradient, logits, origin, recipe, setting)

    def until_next_record(logits: Array, _: None) -> tuple[Array, Any]:
        metrics = measure(logits, recipe, setting.temperature)
        # a scan, not a fori_loop with traced bounds: the flow can be differentiated in both directions
        logits, _ = lax.scan(lambda x, _: (step(x), None), logits, None, length=recipe.interval)
        return logits, metrics

    logits, history = lax.scan(until_next_record, logits, None, length=recipe.records - 1)
    last = measure(logits, recipe, setting.temperature)
    return logits, jax.tree.map(lambda past, end: jnp.concatenate([past, end[None]]), history, last)


def leap(
    logits: Array, recipe: Recipe, setting: Setting, *, reach: float = 0.25, measure: Measure = measure_tabular
) -> tuple[Array, Any]:
    """`flow` by leaps: a prompt whose logits move slowly takes many of its steps at once.

    With k1 the move of a step here and k2 that of one at the end of a leap of m steps, m steps move by
    ((m + 1) k1 + (m - 1) k2) / 2: the step itself at m = 1, second order in m, and exact where moves change in a line.

    Parameters
    ----------
    logits, recipe, setting : as for `flow`.
    reach : how far a leap may move a logit, judged by its first step; a step that goes farther is taken alone.
    measure : what is recorded; default Metrics.

    Returns
    -------
    as `flow`: within 0.003 of its pass@1 on the starts of the inversion map. Not to be differentiated backwards.

    Raises
    ------
    ValueError : as `flow`; a KL term, which moves prompts in every step.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe, flow, leap
    >>> recipe = Recipe(prompts=8, responses=4, correct=1, steps=50)
    >>> slow, quick = (way(jnp.zeros((8, 4)), recipe, recipe.setting())[1].pass_at_1[-1] for way in (flow, leap))
    >>> bool(abs(slow - quick) < 1e-3)
    True
    """
    check(logits, recipe, setting)
    check_plain_ascent(recipe)
    check_no_kl(setting, "flow")

    each = jax.tree.map(lambda x: jnp.broadcast_to(x, (recipe.prompts, *x.shape)), setting)

    def turn(setting: Setting, lane: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        logits, left = lane
        first = setting.learning_rate * _of_prompt(logits, recipe, setting)
        m = jnp.minimum(reach / jnp.maximum(jnp.abs(first).max(), 1e-12), left)
        m = jnp.minimum(jnp.maximum(jnp.floor(m), 1), left)  # whole steps; none where none are left
        last = setting.learning_rate * _of_prompt(logits + m * first, recipe, setting)
        return (logits + jnp.where(m > 0, (m + 1) * first + (m - 1) * last, 0.0) / 2, left - m), ~(
            left > m
        )  # NaN is done

    def until_next_record(logits: Array, steps: Array) -> tuple[Array, Any]:
        left = jnp.broadcast_to(steps, recipe.prompts)
        logits = run_lanes(turn, each, (logits, left), left == 0)[0]
        return logits, measure(logits, recipe, setting.temperature)

    steps = jnp.full(recipe.records, recipe.interval, logits.dtype).at[0].set(0)
    return lax.scan(until_next_record, logits, steps)


def check_plain_ascent(recipe: Recipe) -> None:
    """An error unless the mean field holds for the recipe's steps."""
    if recipe.optimizer is not optax.sgd:
        raise ValueError(
            f"optimizer must be optax.sgd, plain ascent, for the mean field, got {recipe.optimizer_name}. "
            "Under other optimizers the mean of the updates is not the update at the mean; sample with train_tabular."
        )
    if recipe.dynamic_sampling:
        raise ValueError("dynamic_sampling must be False for the mean field, got True. Sample with train_tabular.")


def check_no_kl(setting: Setting, instead: str) -> None:
    """An error if there is a KL term, for ways that pass over steps."""
    if setting.kl is not None:
        raise ValueError(f"kl must be 0 where steps are passed over, got {setting.kl}. Use {instead}.")


def weight(log_p: Array, log_q: Array, table: Array) -> Array:
    """w_g(p) of a prompt, for any g (W1): as a Bernstein sum over J ~ Binomial(g-1, p) times A+(J+1) - A-(J)."""
    others = table.shape[-1] - 2
    j = np.arange(others + 1)
    log_choose = np.concatenate([[0.0], np.cumsum(np.log((others - j[:-1]) / (j[:-1] + 1)))])
    c, i, n_i = (jnp.asarray(x, log_p.dtype) for x in (log_choose, j, others - j))
    pmf = jnp.exp(c + i * log_p + n_i * log_q)
    return (pmf * (table[1, 1:] - table[0, :-1])) @ jnp.ones_like(pmf)  # a sum; XLA's own is serial on a CPU
