"""Prompts that share nothing, as lanes of one pool: a lane that is done makes room for one that is not.

In a loop over all prompts at once everybody waits for the slowest one. Here a fixed number of unfinished lanes goes on
together, from whichever cells of a sweep they come. A lane's numbers depend on its own state alone, so who shares the
pool with it changes nothing.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap

TOGETHER = 512
"""Lanes that go on together, at least: wide enough for vector units, small enough for a core's cache."""

TURNS = 4
"""Turns of a lane before the pool looks again which lanes are unfinished."""


def run_lanes(turn: Callable[[Any, Any], tuple[Any, Array]], fixed: Any, state: Any, done: Array) -> Any:
    """Take turns in every lane until all are done; under vmap, the lanes of all cells are one pool.

    Parameters
    ----------
    turn : (fixed, state) of one lane -> its next state, and whether it is done; of a lane that is done it must return
        the same state. Pure, and without arrays of its own that vmap could have batched: those go into `fixed`.
    fixed, state : pytrees of arrays or keys with a leading axis [lanes].
    done : lanes that take no turn [lanes].

    Returns
    -------
    the state [lanes] when all are done.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim.lanes import run_lanes
    >>> def count_down(step, left):
    ...     return jnp.maximum(left - step, 0), left <= step
    >>> run_lanes(count_down, jnp.array([1, 2]), jnp.array([5, 3]), jnp.array([False, False]))
    Array([0, 0], dtype=int32)
    """
    pool = custom_vmap(partial(_pool, turn))

    @pool.def_vmap
    def cells(count: int, batched: Any, *given: Any) -> tuple[Any, Any]:
        def flat(leaf: Any, has_cells: bool) -> Any:
            whole = leaf if has_cells else jnp.broadcast_to(leaf, (count, *leaf.shape))
            return whole.reshape(-1, *whole.shape[2:])

        ended = run_lanes(turn, *jax.tree.map(flat, given, tuple(batched)))
        per_cell = jax.tree.map(lambda leaf: leaf.reshape(count, -1, *leaf.shape[1:]), ended)
        return per_cell, jax.tree.map(lambda _: True, ended)

    return pool(fixed, state, done)


def _pool(turn: Callable[[Any, Any], tuple[Any, Array]], fixed: Any, state: Any, done: Array) -> Any:
    count = len(done)
    together = min(max(TOGETHER, count // 16), count)  # an accelerator is given more cells, and wants more lanes

    def some(carried: tuple[Any, Array]) -> tuple[Any, Array]:
        state, done = carried
        at = jnp.nonzero(~done, size=together, fill_value=count)[0]
        chosen_fixed, chosen = jax.tree.map(lambda leaf: leaf[jnp.minimum(at, count - 1)], (fixed, state))
        end = jnp.zeros(together, bool)
        chosen, end = lax.fori_loop(0, TURNS, lambda _, now: jax.vmap(turn)(chosen_fixed, now[0]), (chosen, end))
        return jax.tree.map(lambda leaf, new: leaf.at[at].set(new, mode="drop"), (state, done), (chosen, end))

    return lax.while_loop(lambda now: ~now[1].all(), some, (state, done))[0]
