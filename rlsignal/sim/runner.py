"""How long work is run: where its blocks are computed, where finished ones are kept, how wide they are, whom to tell.

A block is `width` cells that run together on one device. Its numbers depend on the cells in it and on nothing else: not
on how many devices or workers share the work, nor on which attempt ran it. So blocks can be computed anywhere and in
any order.
"""

import os
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from rlsignal import _validate

LIBRARIES = ("rlsignal", "jax")
"""What workers must have in the same version."""

Experiment = Callable[..., Any]
"""(*cell) -> pytree of arrays; pure, and hashable by value (a frozen dataclass), so that equal ones compile once."""


Results = Generator[tuple[int, list[np.ndarray]], None, None]
"""(index, leaves) of blocks, as they finish."""


class Blocks(Protocol):
    """Where the finished blocks of one sweep are kept: one of `rlsignal.store.BlockFolder`, or anything with these."""

    def get(self, index: int) -> list[np.ndarray] | None:
        """The arrays of a finished block; None where there is none, or only a damaged one."""

    def put(self, index: int, arrays: list[np.ndarray]) -> None:
        """Keep a finished block, whole or not at all."""


@dataclass(frozen=True)
class Runner:
    """How sweeps are run; every experiment of `sim` takes one.

    Parameters
    ----------
    executor : any `concurrent.futures.Executor` that runs the blocks: Dask's `Client.get_executor(pure=False)`, MPI's,
        a process pool that spawns. Default the devices of this process.
    store : (label, fingerprint) -> Blocks, such as `rlsignal.store.BlockFolder(folder)`. Blocks are looked for there
        before they are run and kept there as they finish, so that an interrupted run goes on.
    width : cells of a block; default `width_for` of the sweep. Peak memory goes with it and not with the sweep. Another
        width may move the last bit of a result; another executor or number of devices does not.
    progress : called as progress(label, cells done, cells in all) when blocks finish.
    devices : of this process, default all; not with an executor, whose workers use their own first device.

    Raises
    ------
    ValueError : a width below 1, devices beside an executor.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from rlsignal.sim import Runner
    >>> from rlsignal.sim import sweep
    >>> calls = []
    >>> runner = Runner(width=2, progress=lambda *call: calls.append(call))
    >>> found = sweep(jnp.sin, (jnp.zeros(3),), label="sines", runner=runner)
    >>> calls[-1]
    ('sines', 3, 3)
    """

    executor: Executor | None = None
    store: Callable[[str, dict[str, str]], Blocks] | None = None
    width: int | None = None
    progress: Callable[[str, int, int], None] | None = None
    devices: Sequence[jax.Device] | None = None

    def __post_init__(self) -> None:
        if self.width is not None:
            _validate.whole("width", self.width, 1, 1_000_000)
        if self.executor is not None and self.devices is not None:
            raise ValueError("devices must be None beside an executor, got both. Its workers use their own.")

    def run(self, experiment: Experiment, cells: "Cells", indices: list[int]) -> Results:
        """The leaves of the experiment's results for these blocks, each as it finishes.

        Raises
        ------
        RuntimeError : a block that failed in a worker, with its cells.
        """
        if self.executor is None:
            mesh = _mesh(self.own_devices)
            for at in range(0, len(indices), mesh.size):
                yield from _together(experiment, cells, indices[at : at + mesh.size], mesh)
            return
        futures = {self.executor.submit(_alone, experiment, *cells.block(index)): index for index in indices}
        try:
            for future in as_completed(futures):
                index = futures.pop(future)  # a result that nobody holds is not computed again when its worker dies
                try:
                    arrays = future.result()
                except Exception as error:
                    raise RuntimeError(f"{cells.named(index)} failed in a worker: {error!r}.") from error
                yield index, arrays
        finally:
            for future in futures:
                future.cancel()  # what has not begun

    @property
    def own_devices(self) -> Sequence[jax.Device]:
        """Of this process, those that it computes with."""
        return self.devices if self.devices is not None else jax.local_devices()

    @property
    def hardware(self) -> str:
        """What kind of device computes the blocks: platform, kind, instruction set and XLA's flags move last bits.

        Raises
        ------
        ValueError : workers without this library, or with other versions than here.
        """
        here = _worker()
        if self.executor is None:
            return here["hardware"]
        wanted = ", ".join(f"{name} {here[name]}" for name in LIBRARIES)
        try:
            there = self.executor.submit(_worker).result()
        except Exception as error:
            raise ValueError(f"executor must reach workers that have {wanted}, got {error!r}.") from error
        if any(there[name] != here[name] for name in LIBRARIES):
            found = ", ".join(f"{name} {there[name]}" for name in LIBRARIES)
            raise ValueError(f"executor must reach workers that have {wanted}, got {found}. Install the same there.")
        return str(there["hardware"])


@dataclass(frozen=True)
class Cells:
    """The cells of a sweep on the host, so that picking a block compiles nothing; keys as their data."""

    tree: Any  # numpy arrays [cells, ...]
    impls: tuple[str | None, ...]  # of the keys among its leaves
    count: int
    width: int

    @classmethod
    def of(cls, cells: Any, width: int) -> "Cells":
        """These cells, in blocks of this width."""
        leaves = jax.tree.leaves(cells)
        impls = tuple(str(jax.random.key_impl(x)) if is_key(x) else None for x in leaves)
        return cls(jax.tree.map(on_host, cells), impls, len(leaves[0]), width)

    def block(self, index: int) -> tuple[Any, tuple[str | None, ...]]:
        """The cells of a block, and the implementations of their keys; the last cell fills what is left."""
        at = np.minimum(np.arange(index * self.width, (index + 1) * self.width), self.count - 1)
        return jax.tree.map(lambda x: x[at], self.tree), self.impls

    def on(self, devices: int) -> Any:
        """The shapes of one block on each of so many devices."""
        return jax.tree.map(lambda x: jax.ShapeDtypeStruct((self.width * devices, *x.shape[1:]), x.dtype), self.tree)

    def named(self, index: int) -> str:
        """A block in words."""
        return f"block {index} (cells {index * self.width} to {min((index + 1) * self.width, self.count) - 1})"


def on_host(leaf: Any) -> np.ndarray:
    """A leaf as numpy; a key as its data."""
    return np.asarray(jax.random.key_data(leaf) if is_key(leaf) else leaf)


def take(keys: jax.Array, at: Any) -> jax.Array:
    """Keys [at], picked on the host: indexing an array of keys compiles three programs for each shape."""
    data = on_host(keys)[at]
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(keys)) if is_key(keys) else jnp.asarray(data)


def is_key(leaf: Any) -> bool:
    """Whether these are random keys."""
    return bool(jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key))


def _together(
    experiment: Experiment, cells: Cells, indices: list[int], mesh: Mesh
) -> list[tuple[int, list[np.ndarray]]]:
    """One block on each device of this process; idle devices repeat the last block."""
    blocks = [cells.block(index)[0] for index in indices]
    blocks += blocks[-1:] * (mesh.size - len(blocks))
    results = _run(experiment, mesh, cells.impls, jax.tree.map(lambda *x: np.concatenate(x), *blocks))
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(results)]
    return [
        (index, [leaf[i * cells.width : (i + 1) * cells.width] for leaf in leaves]) for i, index in enumerate(indices)
    ]


def _alone(experiment: Experiment, cells: Any, impls: tuple[str | None, ...]) -> list[np.ndarray]:
    """One block on the first device of a worker."""
    return [np.asarray(x) for x in jax.tree.leaves(_run(experiment, _mesh(jax.local_devices()[:1]), impls, cells))]


@partial(jax.jit, static_argnames=("experiment", "mesh", "impls"))
def _run(experiment: Experiment, mesh: Mesh, impls: tuple[str | None, ...], cells: Any) -> Any:
    """Every device maps the experiment over its own block; none hears of another."""

    def one(cells: Any) -> Any:
        leaves, structure = jax.tree.flatten(cells)
        keyed = (jax.random.wrap_key_data(x, impl=impl) if impl else x for x, impl in zip(leaves, impls, strict=True))
        return experiment(*jax.tree.unflatten(structure, keyed))

    spec = PartitionSpec("cells")
    return jax.shard_map(jax.vmap(one), mesh=mesh, in_specs=(spec,), out_specs=spec, check_vma=False)(cells)


def bytes_of_a_block(experiment: Experiment, cells: Cells, devices: Sequence[jax.Device]) -> int:
    """What a block takes on each device: arguments, results and temporaries. The compiled program is kept and runs."""
    mesh = _mesh(devices)
    needs: Any = _run.lower(experiment, mesh, cells.impls, cells.on(mesh.size)).compile().memory_analysis()
    return int(needs.argument_size_in_bytes + needs.output_size_in_bytes + needs.temp_size_in_bytes)


def structure_of_results(experiment: Experiment, cells: Cells, devices: Sequence[jax.Device]) -> Any:
    """The pytree that the experiment returns, without its leaves; what is traced for it is kept and runs."""
    mesh = _mesh(devices)
    return jax.tree.structure(_run.eval_shape(experiment, mesh, cells.impls, cells.on(mesh.size)))


def device_name() -> str:
    """Of this process's devices: their platform, and their kind where it says more."""
    device = jax.local_devices()[0]
    return " ".join(dict.fromkeys((device.platform, device.device_kind)))


def _mesh(devices: Sequence[jax.Device]) -> Mesh:
    return Mesh(np.array(devices), ("cells",))


def _worker() -> dict[str, str]:
    """The versions and the hardware of this process."""
    return {**{name: version(name) for name in LIBRARIES}, "hardware": _hardware()}


def _hardware() -> str:
    platform = jax.local_devices()[0].platform
    flags = [x for x in os.environ.get("XLA_FLAGS", "").split() if "device_count" not in x]
    simd = np.show_config(mode="dicts")["SIMD Extensions"].get("found", []) if platform == "cpu" else []
    config: Any = jax.config
    precision = config.jax_default_matmul_precision
    numbers = ["x64"] * config.jax_enable_x64 + ([f"matmul={precision}"] if precision else [])
    return " ".join([device_name(), *simd[-1:], *numbers, *sorted(flags)])
