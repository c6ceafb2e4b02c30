"""Many cells at once, in chunks of one compiled width: peak memory goes with the width, not with the sweep."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlsignal import _validate

Experiment = Callable[..., Any]
"""(*cell) -> pytree of arrays; pure, and hashable by value (a frozen dataclass), so that equal ones compile once."""


def sweep(
    experiment: Experiment,
    cells: tuple[Any, ...],
    *,
    width: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Run `experiment` once for every cell.

    Parameters
    ----------
    experiment : (*cell) -> pytree of arrays, pure; a function of the module level or a frozen dataclass.
    cells : its arguments, a tuple of pytrees whose leaves have a leading axis [cells]; `cross` makes them.
    width : cells that run together; peak memory goes with it. A last chunk is padded.
    progress : called with (cells done, cells in all) after each chunk.

    Returns
    -------
    the experiment's pytree as numpy arrays with a leading axis [cells].

    Raises
    ------
    ValueError : leading axes that differ, no cells, width below 1.

    Examples
    --------
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> sweep(jax.random.normal, (keys,)).shape
    (3,)
    """
    width = _validate.whole("width", width, 1)
    sizes = {len(leaf) for leaf in jax.tree.leaves(cells)}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            f"cells must share one non-empty leading axis, got axes {sorted(sizes)}. Make them with cross()."
        )
    count = sizes.pop()
    width = min(width, count)
    chunks = []
    for first in range(0, count, width):
        index = np.minimum(np.arange(first, first + width), count - 1)
        chunk = jax.tree.map(lambda leaf, at=index: leaf[at], cells)
        chunks.append(jax.tree.map(np.asarray, _run(experiment, chunk)))
        if progress is not None:
            progress(min(first + width, count), count)
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *chunks)


def cross(keys: jax.Array, *settings: Any) -> tuple[Any, ...]:
    """Every setting with every key, flattened to cells (key, *setting); keys vary fastest.

    Parameters
    ----------
    keys : [keys]; every setting sees the same ones, so that settings are compared on the same draws.
    settings : pytrees whose leaves have a leading axis [settings].

    Returns
    -------
    tuple of pytrees with a leading axis [settings * keys]; results reshape to [settings, keys, ...].

    Examples
    --------
    >>> keys, x = cross(jax.random.split(jax.random.key(0), 3), jnp.arange(2))
    >>> [int(i) for i in x]
    [0, 0, 0, 1, 1, 1]
    """
    count = len(jax.tree.leaves(settings)[0])
    repeated = jax.tree.map(lambda leaf: jnp.repeat(leaf, len(keys), axis=0), settings)
    return (keys[jnp.tile(jnp.arange(len(keys)), count)], *repeated)


@partial(jax.jit, static_argnames="experiment")
def _run(experiment: Experiment, chunk: tuple[Any, ...]) -> Any:
    return jax.vmap(experiment)(*chunk)
