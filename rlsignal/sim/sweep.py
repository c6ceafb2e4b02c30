"""Many cells at once: an experiment run for each of them in blocks of one compiled width."""

import hashlib
from contextlib import closing
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import jax
import numpy as np

from rlsignal import _validate
from rlsignal.sim.runner import Cells, Experiment, Runner, bytes_of_a_block, on_host, structure_of_results, take


def sweep(
    experiment: Experiment,
    cells: tuple[Any, ...],
    *,
    label: str = "sweep",
    runner: Runner | None = None,
    on_cpu: int = 32,
) -> Any:
    """Run `experiment` once for every cell.

    Parameters
    ----------
    experiment : (*cell) -> pytree of arrays, pure; a function of the module level or a frozen dataclass.
    cells : its arguments, a tuple of pytrees whose leaves have a leading axis [cells]; `cross` makes them.
    label : what the runner's store and progress call this sweep.
    runner : how it is run; default `Runner()`.
    on_cpu : cells of a block on a CPU, where the runner does not say; 1 for networks, whose products fill a core.

    Returns
    -------
    the experiment's pytree as numpy arrays with a leading axis [cells].

    Raises
    ------
    ValueError : leading axes that differ, no cells.
    RuntimeError : a block that failed in a worker.

    Examples
    --------
    >>> import jax
    >>> from rlsignal.sim import sweep
    >>> keys = jax.random.split(jax.random.key(0), 3)
    >>> sweep(jax.random.normal, (keys,)).shape
    (3,)
    """
    count, runner = _count(cells), runner or Runner()
    width, hardware = runner.width or width_for(experiment, cells, on_cpu=on_cpu, runner=runner), runner.hardware
    blocks, finished = range(-(-count // width)), dict[int, list[np.ndarray]]()
    kept = runner.store(label, fingerprint(experiment, cells, width, hardware)) if runner.store else None

    def finish(block: int, arrays: list[np.ndarray]) -> None:
        finished[block] = arrays
        if runner.progress is not None:
            runner.progress(label, min(len(finished) * width, count), count)

    for block in blocks:
        if kept is not None and (arrays := kept.get(block)) is not None:
            finish(block, arrays)
    missing = [block for block in blocks if block not in finished]
    of_blocks = Cells.of(cells, width)
    with closing(runner.run(experiment, of_blocks, missing)) as results:
        for block, arrays in results:
            if kept is not None:
                kept.put(block, arrays)
            finish(block, arrays)

    structure = structure_of_results(experiment, of_blocks, runner.own_devices)
    leaves = (np.concatenate([finished[block][i] for block in blocks])[:count] for i in range(structure.num_leaves))
    return jax.tree.unflatten(structure, leaves)


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
    >>> import jax
    >>> import numpy as np
    >>> from rlsignal.sim import cross
    >>> keys, x = cross(jax.random.split(jax.random.key(0), 3), np.arange(2))
    >>> [int(i) for i in x]
    [0, 0, 0, 1, 1, 1]
    """
    count = len(jax.tree.leaves(settings)[0])
    repeated = jax.tree.map(lambda leaf: np.repeat(np.asarray(leaf), len(keys), axis=0), settings)
    return (take(keys, np.tile(np.arange(len(keys)), count)), *repeated)


def alike(setting: Any, count: int) -> Any:
    """The same setting for each of so many cells: a pytree whose leaves have a leading axis [cells].

    Examples
    --------
    >>> from rlsignal.sim import Recipe, alike
    >>> alike(Recipe().setting(), 3).table.shape
    (3, 2, 9)
    """
    return jax.tree.map(lambda x: np.broadcast_to(x, (count, *np.shape(x))), setting)


def width_for(
    experiment: Experiment,
    cells: tuple[Any, ...],
    *,
    on_cpu: int = 32,
    memory: float | None = None,
    runner: Runner | None = None,
) -> int:
    """How many cells to run together on one device.

    Parameters
    ----------
    experiment, cells : of the sweep.
    on_cpu : the answer on a CPU unless `memory` is given: a wider block only leaves the cache.
    memory : bytes that a block may take; default half of what the device has.
    runner : of the sweep; what is compiled to learn what a block takes is then what runs.

    Returns
    -------
    a power of two of at most 1024, so that a large sweep has blocks for many devices: the most cells that fit in
    `memory`, by what the compiler says that a block needs (arguments, results, temporaries). A sweep that is smaller
    than that is one block.

    Raises
    ------
    ValueError : a memory that is not above 0, or holds not even one cell.

    Examples
    --------
    >>> import jax
    >>> from functools import partial
    >>> from rlsignal.sim import width_for
    >>> keys = jax.random.split(jax.random.key(0), 1000)
    >>> width_for(partial(jax.random.normal, shape=(2**20,)), (keys,), memory=2**30)
    32
    """
    count, devices = _count(cells), (runner or Runner()).own_devices
    if memory is None:
        memory = memory_for_a_block(devices[0])
        if memory is None:
            return on_cpu
    memory = _validate.scalar("memory", _validate.numbers("memory", memory))
    if not memory > 0:
        raise ValueError(f"memory must be above 0 bytes, got {memory:g}.")
    width = min(1024, 1 << (count - 1).bit_length())
    while (needs := bytes_of_a_block(experiment, Cells.of(cells, width), devices)) > memory:
        if width == 1:
            raise ValueError(
                f"memory must hold at least one cell of {needs} bytes, got {memory:g}. Make the recipe smaller."
            )
        width = min(width // 2, 1 << (max(1, int(width * memory / needs)).bit_length() - 1))
    return width


def memory_for_a_block(device: Any) -> float | None:
    """Bytes: half of what an accelerator has; None of a CPU, where memory is not what bounds a block."""
    if device.platform == "cpu":
        return None
    return (device.memory_stats() or {}).get("bytes_limit", 2**33) / 2


def fingerprint(
    experiment: Experiment, cells: tuple[Any, ...], width: int, hardware: str | None = None
) -> dict[str, str]:
    """What a sweep's numbers depend on: experiment by name and value, every number in its cells, width, hardware.

    Examples
    --------
    >>> import jax
    >>> import numpy as np
    >>> from rlsignal.sim import fingerprint
    >>> sorted(fingerprint(jax.random.normal, (np.arange(3),), 32))
    ['cells', 'experiment', 'hardware', 'width']
    """
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(cells):
        array = on_host(leaf)
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    hardware = hardware or Runner().hardware
    return {"experiment": _name(experiment), "cells": digest.hexdigest(), "width": str(width), "hardware": hardware}


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
