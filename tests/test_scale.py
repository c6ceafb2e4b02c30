"""One sweep, however it is run: on any number of devices and processes, killed or not, its numbers are the same."""

import errno
import gc
import importlib.util
import multiprocessing
import os
import random
import stat
import subprocess
import sys
import weakref
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlsignal import sim
from rlsignal import store as keeping
from rlsignal.sim.inversion import Build, Train
from rlsignal.store import BlockFolder, BlockStore

ROOT = Path(__file__).resolve().parent.parent

SWEEP = """
import hashlib, jax, jax.numpy as jnp, numpy as np
from rlsignal import sim
from rlsignal.sim.inversion import Build, Train

recipe = sim.Recipe(prompts=32, responses=16, steps=30)
keys, rate, entropy = sim.cross(jax.random.split(jax.random.key(0), 3), jnp.linspace(0.1, 0.5, 7), jnp.full(7, 0.8))
build = Build(recipe, "sharpened")
runner = sim.Runner(width=4)
starts = sim.sweep(build, (keys, rate, entropy), runner=runner)
settings = jax.tree.map(lambda x: jnp.broadcast_to(x, (21, *x.shape)), recipe.setting())
for way in ("sampled", "jumping", "mean field"):
    experiment, cells = Train(recipe, way), (keys, starts.logits, settings)
    metrics = sim.sweep(experiment, cells, runner=runner)
    print(len(jax.devices()), hashlib.sha256(b"".join(np.asarray(x).tobytes() for x in metrics)).hexdigest())
"""


def swept(devices):
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", SWEEP]
    return subprocess.Popen(command, env={**os.environ, **flags}, stdout=subprocess.PIPE, text=True)


def answer(process, devices):
    lines = process.communicate(timeout=200)[0].split("\n")[:3]
    assert process.returncode == 0
    assert [line.split()[0] for line in lines] == [str(devices)] * 3
    return [line.split()[1] for line in lines]


def test_devices_do_not_move_a_bit():
    """6 blocks of 21 cells, on 1, 2 and 4 devices."""
    runs = [(devices, swept(devices)) for devices in (1, 2, 4)]
    answers = [answer(process, devices) for devices, process in runs]
    assert answers == [answers[0]] * 3


def test_killed_runs_resume_and_end_equal(tmp_path):
    spec = importlib.util.spec_from_file_location("soak", ROOT / "benchmarks" / "soak.py")
    soak = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(soak)
    counts = soak.killed("map", tmp_path, 3, random.Random(1))
    assert counts["killed"] == 3
    assert counts["runs equal to the uninterrupted one"] > 0


def draw(key, scale):
    return {"normal": scale * jax.random.normal(key, (3,)), "scale": scale}


CELLS = sim.cross(jax.random.split(jax.random.key(0), 5), jnp.arange(2.0))


@pytest.fixture
def store(tmp_path):
    return BlockStore(tmp_path / "blocks", sim.fingerprint(draw, CELLS, 2))


def run(store=None, width=2, progress=None):
    """The sweep of this page; with this store's blocks."""
    kept = None if store is None else lambda label, recipe: store
    return sim.sweep(draw, CELLS, label="draws", runner=sim.Runner(store=kept, width=width, progress=progress))


def same(one, two):
    return all(np.array_equal(one[name], two[name]) for name in one | two)


class Counted:
    """A store that counts the blocks it is given."""

    def __init__(self, store):
        self.store, self.put_blocks = store, []

    def get(self, index):
        return self.store.get(index)

    def put(self, index, arrays):
        self.put_blocks.append(index)
        self.store.put(index, arrays)


def test_finished_blocks_are_not_run_again(store):
    first = Counted(store)
    whole = run(first)
    assert first.put_blocks == [0, 1, 2, 3, 4]
    again = Counted(store)
    assert same(run(again), whole)
    assert again.put_blocks == []


@pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped", "foreign"])
def test_a_damaged_block_is_run_again(store, damage):
    whole = run(store)
    path = store.folder / "block-000003.npz"
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        at = content.index(b"\x93NUMPY") + 130  # inside the first array's numbers
        content[at] ^= 1
    path.write_bytes({"truncated": content[:-40], "emptied": b"", "foreign": b"PK no zip"}.get(damage, content))
    assert store.get(3) is None
    mended = Counted(store)
    assert same(run(mended), whole)
    assert mended.put_blocks == [3]


@pytest.mark.parametrize(
    ("experiment", "cells", "width", "differs"),
    [
        (draw, sim.cross(jax.random.split(jax.random.key(1), 5), jnp.arange(2.0)), 2, "cells"),
        (draw, sim.cross(jax.random.split(jax.random.key(0), 5), jnp.arange(2.0) + 1e-6), 2, "cells"),
        (draw, CELLS, 3, "width"),
        (Train(sim.Recipe(), "sampled"), CELLS, 2, "experiment"),
    ],
    ids=["key", "setting", "width", "experiment"],
)
def test_blocks_of_another_recipe_are_refused(store, experiment, cells, width, differs):
    message = rf"holds blocks of another recipe \({differs} differ\)\. Choose another folder, or delete this one"
    with pytest.raises(ValueError, match=message):
        BlockStore(store.folder, sim.fingerprint(experiment, cells, width))


def test_blocks_of_another_version_are_refused(store, monkeypatch):
    monkeypatch.setattr(keeping, "version", lambda name: "0.0.1" if name == "jax" else "1")
    with pytest.raises(ValueError, match=r"version of jax.* differ"):
        BlockStore(store.folder, sim.fingerprint(draw, CELLS, 2))


def test_what_moves_numbers_is_in_the_fingerprint_and_what_does_not_is_not(monkeypatch):
    def hardware():
        return sim.fingerprint(draw, CELLS, 2)["hardware"]

    plain = hardware()
    with jax.enable_x64(True):
        assert "x64" in hardware().split()
    with jax.default_matmul_precision("highest"):
        assert "matmul=highest" in hardware()
    flags = os.environ.get("XLA_FLAGS", "")
    monkeypatch.setenv("XLA_FLAGS", f"{flags} --xla_cpu_enable_fast_math=true")
    assert "--xla_cpu_enable_fast_math=true" in hardware()
    monkeypatch.setenv("XLA_FLAGS", f"{flags} --xla_force_host_platform_device_count=7")
    assert hardware() == plain


def test_a_fingerprint_tells_recipes_apart_and_processes_alike():
    """Of an optimizer it keeps the name and the keywords, not an address in memory."""
    from functools import partial

    import optax

    def name(**changes):
        return sim.fingerprint(Train(sim.Recipe(**changes), "sampled"), CELLS, 2)["experiment"]

    slow, fast = partial(optax.adamw, b1=0.9), partial(optax.adamw, b1=0.5)
    names = {name(), name(steps=10), name(optimizer=optax.adam), name(optimizer=slow), name(optimizer=fast)}
    assert len(names) == 5
    assert not any("0x" in one for one in names)


def test_a_full_disk_is_reported_and_keeps_what_is_done(store, monkeypatch):
    sync, left = os.fsync, iter([True, True])

    def full(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) or next(left, False):
            return sync(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"block 2 could not be written to .*No space left.* run the same command"):
            run(store)
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "block-000000.npz",
        "block-000001.npz",
        "recipe.json",
    ]
    rest = Counted(store)
    assert same(run(rest), run())
    assert rest.put_blocks == [2, 3, 4]


def test_interrupting_keeps_what_is_done(store):
    def stop(label, done, total):
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(store, progress=stop)
    assert store.get(1) is not None
    rest = Counted(store)
    run(rest)
    assert rest.put_blocks == [2, 3, 4]


def test_progress_counts_cells(store):
    calls = []
    run(store, width=4, progress=lambda *call: calls.append(call))
    assert calls == [("draws", 4, 10), ("draws", 8, 10), ("draws", 10, 10)]


class TestExecutor:
    def test_spawned_processes_give_the_same_bits(self):
        """What travels: starts of both families, and training, which compile in each of two workers."""
        recipe = sim.Recipe(prompts=16, responses=8, steps=10)
        keys, rate, entropy = sim.cross(jax.random.split(jax.random.key(0), 3), jnp.linspace(0.1, 0.5, 3), jnp.ones(3))
        settings = jax.tree.map(lambda x: jnp.broadcast_to(x, (9, *x.shape)), recipe.setting())

        def found(runner):
            starts = sim.sweep(Build(recipe, "sharpened"), (keys, rate, entropy), runner=runner)
            return starts, sim.sweep(Train(recipe, "sampled"), (keys, starts.logits, settings), runner=runner)

        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
            away = found(sim.Runner(executor=executor, width=4))
        jax.tree.map(np.testing.assert_array_equal, away, found(sim.Runner(width=4)))

    def test_what_cannot_travel_is_named(self):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
            runner = sim.Runner(executor=executor, width=2)
            with pytest.raises(RuntimeError, match=r"^block 0 \(cells 0 to 1\) failed in a worker: .*[Pp]ickl"):
                sim.sweep(lambda key, scale: scale, CELLS, runner=runner)

    def test_workers_of_another_version_are_refused(self, monkeypatch):
        class Old(Executor):
            def submit(self, work, *arguments):
                future = Future()
                future.set_result({"rlsignal": "0.0.1", "jax": "0.1", "hardware": "cpu"})
                return future

        with pytest.raises(
            ValueError, match=r"workers that have rlsignal .*, got rlsignal 0\.0\.1, jax 0\.1\. Install"
        ):
            sim.sweep(draw, CELLS, runner=sim.Runner(executor=Old()))

    def test_a_worker_without_the_library_is_named(self):
        class Bare(Executor):
            def submit(self, work, *arguments):
                future = Future()
                future.set_exception(ModuleNotFoundError("No module named 'rlsignal'"))
                return future

        with pytest.raises(ValueError, match=r"^executor must reach workers that have rlsignal .*No module named"):
            sim.sweep(draw, CELLS, runner=sim.Runner(executor=Bare()))

    def test_threads_give_the_same_bits_in_any_order(self):
        with ThreadPoolExecutor(3) as executor:
            runner = sim.Runner(executor=executor, width=2)
            assert same(sim.sweep(draw, CELLS, runner=runner), run())

    def test_what_has_been_collected_is_let_go(self):
        """An engine that sees a result held computes it again when the worker that had it dies."""
        submitted, alive = weakref.WeakSet(), []

        class Watched(ThreadPoolExecutor):
            def submit(self, *arguments):
                future = super().submit(*arguments)
                submitted.add(future)
                return future

        def progress(label, done, count):
            gc.collect()
            alive.append(sum(future.done() for future in submitted))

        with Watched(1) as executor:
            sim.sweep(draw, CELLS, runner=sim.Runner(executor=executor, width=2, progress=progress))
        assert len(alive) == 5
        assert alive[-1] <= 1  # the one in hand

    def test_a_block_that_fails_names_its_cells(self, store):
        with ThreadPoolExecutor(1) as executor, pytest.raises(RuntimeError, match=r"^block 2 \(cells 4 to 5\) failed"):
            sim.sweep(draw, CELLS, runner=sim.Runner(executor=Failing(executor, 3), width=2))

    def test_devices_beside_an_executor_are_refused(self):
        with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="devices must be None beside"):
            sim.Runner(executor=executor, devices=jax.devices())

    def test_stopping_cancels_what_has_not_begun(self):
        def stop(*_):
            raise KeyboardInterrupt

        executor = OneBlock()
        with pytest.raises(KeyboardInterrupt):
            sim.sweep(draw, CELLS, runner=sim.Runner(executor=executor, width=2, progress=stop))
        assert [future.cancelled() for future in executor.futures] == [False, False, True, True, True, True]


class OneBlock(Executor):
    """An executor that runs the first block and no other."""

    def __init__(self):
        self.futures = []

    def submit(self, work, *arguments):
        self.futures.append(Future())
        if len(self.futures) <= 2:  # what the worker is, and a block
            self.futures[-1].set_result(work(*arguments))
        return self.futures[-1]


class Failing(Executor):
    """An executor in which one block fails."""

    def __init__(self, executor, block):
        self.executor, self.block, self.submitted = executor, block, 0

    def submit(self, work, *arguments):
        self.submitted += 1
        return self.executor.submit(broken if self.submitted == self.block + 1 else work, *arguments)


def broken(*_):
    raise MemoryError("too much")


def test_a_folder_of_blocks_is_cleared_of_what_it_made_and_nothing_else(tmp_path):
    folder = BlockFolder(tmp_path / "blocks")
    sim.sweep(draw, CELLS, label="two draws", runner=sim.Runner(store=folder, width=2))
    sim.sweep(draw, CELLS, label="other", runner=sim.Runner(store=folder, width=3))
    assert len(list((tmp_path / "blocks" / "two-draws").glob("block-*.npz"))) == 5
    (tmp_path / "blocks" / "other" / "mine.txt").write_text("keep")
    folder.clear()
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["blocks", "blocks/other", "blocks/other/mine.txt"]
