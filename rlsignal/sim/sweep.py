"""Many cells at once: blocks of one compiled width, spread over devices and processes, kept in a store as they finish.

A block is `width` cells that run together on one device. Its numbers depend on the cells in it and on nothing else: not
on how many devices share the work, nor on which process or which attempt ran it. So blocks can be computed anywhere,
in any order, and the store's folder is the only thing that processes have in common.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from rlsignal import _validate

Experiment = Callable[..., Any]
"""(*cell) -> pytree of arrays; pure, and hashable by value (a frozen dataclass), so that equal ones compile once."""


class Store(Protocol):
    """Where finished blocks are kept: `rlsignal.files.BlockStore`, or anything with these two."""

    def get(self, index: int) -> list[np.ndarray] | None:
        """The arrays of a finished block; None where there is none, or only a damaged one."""

    def put(self, index: int, arrays: list[np.ndarray]) -> None:
        """Keep a finished block, whole or not at all."""


def sweep(
    experiment: Experiment,
    cells: tuple[Any, ...],
    *,
    width: int | None = None,
    devices: Sequence[jax.Device] | None = None,
    store: Store | None = None,
    share: tuple[int, int] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Run `experiment` once for every cell.

    Parameters
    ----------
    experiment : (*cell) -> pytree of arrays, pure; a function of the module level or a frozen dataclass.
    cells : its arguments, a tuple of pytrees whose leaves have a leading axis [cells]; `cross` makes them.
    width : cells that run together on one device, default `width_for(experiment, cells)`; peak memory goes with it and
        not with the sweep. A last block is padded. Another width may move the last bit of a result; other devices and
        processes do not.
    devices : default all of this process.
    store : where blocks are looked for before they are run, and kept when they are.
    share : (i, n), for process i of n that share a store: it runs blocks i, i+n, i+2n, ... first, then whatever the
        others have not finished. Default what `jax.distributed` knows. Processes wait for nothing and no one, so one
        that dies costs only its time.
    progress : called with (cells done, cells in all) as blocks finish.

    Returns
    -------
    the experiment's pytree as numpy arrays with a leading axis [cells].

    Raises
    ------
    ValueError : leading axes that differ, no cells, width below 1, a share without a store.

    Examples
    --------
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> sweep(jax.random.normal, (keys,)).shape
    (3,)
    """
    count = _count(cells)
    width = width_for(experiment, cells) if width is None else _validate.whole("width", width, 1)
    process, processes = share if share is not None else (jax.process_index(), jax.process_count())
    processes = _validate.whole("share of processes", processes, 1)
    process = _validate.whole("share", process, 0, processes - 1)
    if processes > 1 and store is None:
        raise ValueError(f"store must be given for {processes} processes to meet in, got None.")
    blocks = range(-(-count // width))
    mine = [block for block in blocks if block % processes == process]
    others = [block for block in reversed(blocks) if block % processes != process]  # last first: not where they are now
    mesh = Mesh(np.array(devices if devices is not None else jax.local_devices()), ("cells",))

    waiting, finished = deque(mine + others), dict[int, list[np.ndarray]]()
    while waiting:
        batch: list[int] = []
        while waiting and len(batch) < mesh.size:
            block = waiting.popleft()
            kept = store.get(block) if store is not None else None
            if kept is None:
                batch.append(block)
            else:
                finished[block] = kept
        for block, arrays in zip(batch, _run_blocks(experiment, cells, count, width, batch, mesh), strict=True):
            if store is not None:
                store.put(block, arrays)
            finished[block] = arrays
        if progress is not None:
            progress(min(len(finished) * width, count), count)

    one_cell = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype), cells)
    shape: Any = jax.tree.structure(jax.eval_shape(experiment, *one_cell))
    leaves = (np.concatenate([finished[block][i] for block in blocks])[:count] for i in range(shape.num_leaves))
    return jax.tree.unflatten(shape, leaves)


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
    repeated = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf), len(keys), axis=0), settings)
    return (keys[np.tile(np.arange(len(keys)), count)], *repeated)


def width_for(experiment: Experiment, cells: tuple[Any, ...], *, on_cpu: int = 32, memory: float | None = None) -> int:
    """How many cells to run together on one device.

    Parameters
    ----------
    experiment, cells : of the sweep.
    on_cpu : the answer on a CPU unless `memory` is given: a wider block only leaves the cache.
    memory : bytes that a block may take; default half of what the device has.

    Returns
    -------
    a power of two of at most 1024, so that a large sweep has blocks for many devices: the most cells that fit in
    `memory`, by what the compiler says that one cell needs (arguments, results, temporaries). A sweep that is smaller
    than that is one block.

    Raises
    ------
    ValueError : a memory that holds not even one cell.

    Examples
    --------
    >>> keys = jax.random.split(jax.random.key(0), 1000)
    >>> width_for(partial(jax.random.normal, shape=(2**20,)), (keys,), memory=2**30)
    32
    """
    device, count = jax.local_devices()[0], _count(cells)
    if memory is None and device.platform == "cpu":
        return on_cpu
    if memory is None:
        memory = (device.memory_stats() or {}).get("bytes_limit", 2**33) / 2
    one_cell = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape[1:]), leaf.dtype), cells)
    needs: Any = jax.jit(jax.vmap(experiment)).lower(*one_cell).compile().memory_analysis()
    each = needs.argument_size_in_bytes + needs.output_size_in_bytes + needs.temp_size_in_bytes
    if each > memory:
        raise ValueError(
            f"memory must hold at least one cell of {each} bytes, got {memory:g}. Make the recipe smaller."
        )
    fitting = 1 << (int(memory // each).bit_length() - 1)
    return min(fitting, 1024, 1 << (count - 1).bit_length())


def fingerprint(experiment: Experiment, cells: tuple[Any, ...], width: int) -> dict[str, str]:
    """What a sweep's numbers depend on: the experiment by name and value, every number in its cells, the width.

    Examples
    --------
    >>> sorted(fingerprint(jax.random.normal, (jnp.arange(3),), 32))
    ['cells', 'experiment', 'platform', 'width']
    """
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(cells):
        array = _host(leaf)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    platform = jax.local_devices()[0].platform
    return {"experiment": _name(experiment), "cells": digest.hexdigest(), "width": str(width), "platform": platform}


def _name(value: Any) -> str:
    """A repr that is the same in every process: functions by their names, not their addresses."""
    if isinstance(value, partial):
        keywords = {key: _name(value.keywords[key]) for key in sorted(value.keywords)}
        return f"{_name(value.func)}({[_name(x) for x in value.args]}, {keywords})"
    if is_dataclass(value) and not isinstance(value, type):
        inner = ", ".join(f"{field.name}={_name(getattr(value, field.name))}" for field in fields(value))
        return f"{type(value).__qualname__}({inner})"
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value)


def _count(cells: tuple[Any, ...]) -> int:
    """The number of cells."""
    sizes = {len(leaf) for leaf in jax.tree.leaves(cells)}
    if len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            f"cells must share one non-empty leading axis, got axes {sorted(sizes)}. Make them with cross()."
        )
    return sizes.pop()


def _run_blocks(
    experiment: Experiment, cells: tuple[Any, ...], count: int, width: int, batch: list[int], mesh: Mesh
) -> list[list[np.ndarray]]:
    """One block on each device: the leaves of each block's results. Idle devices repeat the last block."""
    if not batch:
        return []
    blocks = np.array(batch + batch[-1:] * (mesh.size - len(batch)))
    index = np.minimum(blocks[:, None] * width + np.arange(width), count - 1).ravel()
    given, structure = jax.tree.flatten(cells)
    impls = tuple(jax.random.key_impl(leaf) if _is_key(leaf) else None for leaf in given)
    results = _run(experiment, mesh, structure, impls, [_host(leaf)[index] for leaf in given])
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(results)]
    return [[leaf[i * width : (i + 1) * width] for leaf in leaves] for i in range(len(batch))]


@partial(jax.jit, static_argnames=("experiment", "mesh", "structure", "impls"))
def _run(experiment: Experiment, mesh: Mesh, structure: Any, impls: tuple[Any, ...], leaves: list[Any]) -> Any:
    """Every device maps the experiment over its own block; none hears of another. Keys come in as their data."""

    def one(leaves: list[Any]) -> Any:
        keyed = (jax.random.wrap_key_data(x, impl=impl) if impl else x for x, impl in zip(leaves, impls, strict=True))
        return experiment(*jax.tree.unflatten(structure, keyed))

    spec = PartitionSpec("cells")
    return jax.shard_map(jax.vmap(one), mesh=mesh, in_specs=(spec,), out_specs=spec, check_vma=False)(leaves)


def _host(leaf: Any) -> np.ndarray:
    """A leaf as numpy, so that picking blocks compiles nothing."""
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _is_key(leaf: Any) -> bool:
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))
