"""Sampled GRPO that jumps over degenerate groups: the law of `train_tabular`, at the cost of its informative groups.

Where the estimator is silent in a degenerate group and the optimizer is plain ascent, the logits stand still until the
next informative group. So its wait is geometric with 1 - p^g - q^g, its number of correct responses K is binomial given
1 <= K <= g - 1, and the responses are drawn given their verdicts: the same distribution of runs, other random numbers.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from rlsignal.sim.lanes import run_lanes
from rlsignal.sim.meanfield import check_no_kl, check_plain_ascent
from rlsignal.sim.tabular import Measure, Recipe, Setting, ascent, check, measure_tabular, open_uniform, unnormalised

LARGEST = 64
"""The largest g: beyond it nearly every group of an undecided prompt is informative, and nothing is jumped over."""

WORTH = 100
"""Learning rate times steps from which jumping is the faster sampler: a prompt meets some 10 to 25 informative groups
between hopeless and solved, over the learning rate, and an informative group costs what one to four plain ones do."""


def jumps(recipe: Recipe, setting: Setting) -> bool:
    """Whether `jump` applies to this run, of one setting with numbers in it, and is faster than `train_tabular`.

    Examples
    --------
    >>> from rlsignal.sim import Recipe
    >>> from rlsignal.sim.jumping import jumps
    >>> recipe = Recipe(steps=400)
    >>> jumps(recipe, recipe.setting()), jumps(recipe, recipe.setting(learning_rate=0.01))
    (True, False)
    """
    setting = jax.tree.map(np.asarray, setting)  # nothing to compile for a question
    able = recipe.plain and recipe.group_size <= LARGEST and setting.kl is None
    return bool(able and not _speaks(setting) and setting.learning_rate * recipe.steps >= WORTH)


def _speaks(setting: Setting) -> Array:
    """Whether the estimator moves a policy in a degenerate group."""
    return (setting.table[0, 0] != 0) | (setting.table[1, -1] != 0)


class _Lane(NamedTuple):
    logits: Array  # [responses]
    clock: Array  # steps that are settled
    events: Array  # informative groups so far; each draws from fold_in(key, events)


def jump(
    key: Array, logits: Array, recipe: Recipe, setting: Setting, *, measure: Measure = measure_tabular
) -> tuple[Array, Any]:
    """`train_tabular` in distribution, by jumping from one informative group of a prompt to its next.

    Parameters
    ----------
    key : PRNG key; prompt i draws from fold_in(key, i), so neither `record_every` nor a longer run changes a draw.
    logits : [prompts, responses], correct responses first.
    recipe, setting : as for `train_tabular`; plain ascent, an estimator that is silent in degenerate groups, g <= 64.
    measure : what is recorded; default Metrics.

    Returns
    -------
    final logits [prompts, responses], and what was measured with a leading axis [records].

    Raises
    ------
    ValueError : another optimizer, a larger group, an estimator that speaks in degenerate groups (under jit, where its
        table is not known, NaN logits), logits of another shape than the recipe's; a KL term.

    Notes
    -----
    A prompt whose chance of any informative group in the whole run is below 1e-7 never meets one.

    Source: docs/theory.md (D1, W1).

    Examples
    --------
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Recipe, jump
    >>> recipe = Recipe(prompts=8, responses=4, correct=1, steps=50)
    >>> final, metrics = jump(jax.random.key(0), jnp.zeros((8, 4)), recipe, recipe.setting())
    >>> bool(metrics.pass_at_1[-1] > metrics.pass_at_1[0])
    True
    """
    check(logits, recipe, setting)
    check_plain_ascent(recipe)
    check_no_kl(setting, "train_tabular")
    speaks = _speaks(setting)
    if recipe.group_size > LARGEST:
        raise ValueError(f"group_size must be at most {LARGEST} to jump, got {recipe.group_size}. Use train_tabular.")
    if not isinstance(speaks, jax.core.Tracer) and speaks:
        raise ValueError("setting must hold an estimator that is 0 in degenerate groups to jump. Use train_tabular.")

    keys = jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(recipe.prompts))
    each = jax.tree.map(lambda x: jnp.broadcast_to(x, (recipe.prompts, *x.shape)), setting)

    def turn(fixed: tuple[Array, Array, Setting], lane: _Lane) -> tuple[_Lane, Array]:
        return _to_next_group(*fixed, lane, recipe)

    def until_next_record(lanes: _Lane, end: Array) -> tuple[_Lane, Any]:
        lanes = run_lanes(turn, (keys, jnp.broadcast_to(end, recipe.prompts), each), lanes, lanes.clock >= end)
        return lanes, measure(lanes.logits, recipe, setting.temperature)

    start = jnp.where(speaks, jnp.nan, logits)
    none = jnp.zeros(recipe.prompts, jnp.int32)
    ends = jnp.arange(0, recipe.steps + 1, recipe.interval)
    lanes, metrics = lax.scan(until_next_record, _Lane(start, none, none), ends)
    return lanes.logits, metrics


def _to_next_group(key: Array, end: Array, setting: Setting, lane: _Lane, recipe: Recipe) -> tuple[_Lane, Array]:
    """The next informative group of a prompt, if it comes before step `end`; else the lane as it is, for now."""
    g, c = recipe.group_size, recipe.correct
    shares = unnormalised(lane.logits, setting.temperature)
    correct, incorrect = shares[:c].sum(), shares[c:].sum()
    rarer, other = jnp.minimum(correct, incorrect), jnp.maximum(correct, incorrect)
    odds = rarer / other
    log_q = -jnp.log1p(odds)  # of the other verdict; p^g and q^g below are in units of q^g
    p_to_g = odds**g
    u = open_uniform(jax.random.fold_in(key, lane.events), (g + 2,))

    degenerate = g * log_q + jnp.log1p(p_to_g)  # its log probability
    wait = jnp.floor(jnp.log(u[0]) / jnp.minimum(degenerate, -jnp.finfo(jnp.float32).tiny))
    comes = wait < (end - lane.clock).astype(wait.dtype)
    clock = lane.clock + jnp.where(comes, wait, 0).astype(jnp.int32) + 1

    few, goal = jnp.int32(1), u[1] * (jnp.expm1(-g * log_q) - p_to_g)  # how many of the rarer verdict, by inversion
    term, below = g * odds, jnp.zeros_like(odds)
    for k in range(1, g - 1):
        below += term
        few += (goal >= below).astype(jnp.int32)
        term *= (g - k) / (k + 1) * odds
    successes = jnp.where(correct <= incorrect, few, g - few)

    # each class on a scale of its own, so that neither rounds the other away: correct in (-1, 0), incorrect in (0, 1)
    earns = np.arange(recipe.responses) < c
    sums = jnp.dot(shares, jnp.triu(earns[:, None] == earns).astype(shares.dtype), precision="highest")
    sums = jnp.where(earns, sums / sums[c - 1] - 1, sums / sums[-1])  # ends exactly at 0 and at 1
    is_correct = jnp.arange(g) < successes
    drawn = jnp.where(is_correct, u[2:] - 1, u[2:])
    advantages = jnp.where(is_correct, setting.table[1, successes], setting.table[0, successes])
    drawn, advantages, sums = lax.optimization_barrier((drawn, advantages, sums))  # else computed for every response
    gradient = ascent(drawn, advantages, sums, shares, (correct + incorrect)[None], recipe, setting)
    moved = _Lane(lane.logits + setting.learning_rate * gradient, clock, lane.events + 1)
    return jax.tree.map(lambda new, old: jnp.where(comes, new, old), moved, lane), ~comes
