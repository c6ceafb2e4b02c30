"""One sweep, however it is run: on any number of devices and processes, killed or not, its numbers are the same."""

import errno
import importlib.util
import os
import stat
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlsignal import sim
from rlsignal import store as keeping
from rlsignal.store import BlockStore

ROOT = Path(__file__).resolve().parent.parent

SWEEP = """
import sys, hashlib, jax, jax.numpy as jnp, numpy as np
from rlsignal import sim
from rlsignal.store import BlockStore
from rlsignal.sim.inversion import Build, Train
from rlsignal.sim.starts import sharpened_logits

folder, share = sys.argv[1], tuple(int(x) for x in sys.argv[2].split("/"))
recipe = sim.Recipe(prompts=32, responses=16, steps=30)
keys, rate, entropy = sim.cross(jax.random.split(jax.random.key(0), 3), jnp.linspace(0.1, 0.5, 7), jnp.full(7, 0.8))
build = Build(recipe, sharpened_logits)
starts = sim.sweep(build, (keys, rate, entropy), width=4)
settings = jax.tree.map(lambda x: jnp.broadcast_to(x, (21, *x.shape)), recipe.setting())
for sampled in (True, False):
    experiment, cells = Train(recipe, sampled), (keys, starts.logits, settings)
    store = BlockStore(f"{folder}/{sampled}", sim.fingerprint(experiment, cells, 4)) if folder else None
    metrics = sim.sweep(experiment, cells, width=4, store=store, share=share)
    print(len(jax.devices()), hashlib.sha256(b"".join(np.asarray(x).tobytes() for x in metrics)).hexdigest())
"""


def swept(*, devices, folder="", share="0/1"):
    flags = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}"}
    command = [sys.executable, "-c", SWEEP, str(folder), share]
    return subprocess.Popen(command, env={**os.environ, **flags}, stdout=subprocess.PIPE, text=True)


def said(process, devices):
    lines = process.communicate(timeout=200)[0].split("\n")[:2]
    assert process.returncode == 0
    assert [line.split()[0] for line in lines] == [str(devices)] * 2
    return [line.split()[1] for line in lines]


def test_devices_and_processes_do_not_move_a_bit(tmp_path):
    """6 blocks of 21 cells: 1, 2 and 4 devices, and 2 processes of 2 devices that meet in a folder."""
    runs = [(devices, swept(devices=devices)) for devices in (1, 2, 4)]
    runs += [(2, swept(devices=2, folder=tmp_path, share=f"{i}/2")) for i in (0, 1)]
    answers = [said(process, devices) for devices, process in runs]
    assert answers == [answers[0]] * 5


def test_killed_runs_resume_and_end_equal():
    spec = importlib.util.spec_from_file_location("soak", ROOT / "benchmarks" / "soak.py")
    soak = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(soak)
    counts = soak.kill_and_resume(3, seed=1)
    assert counts["kills"] == 3
    assert counts["kept"] > 0


def draw(key, scale):
    return {"normal": scale * jax.random.normal(key, (3,)), "scale": scale}


CELLS = sim.cross(jax.random.split(jax.random.key(0), 5), jnp.arange(2.0))


@pytest.fixture
def store(tmp_path):
    return BlockStore(tmp_path / "blocks", sim.fingerprint(draw, CELLS, 2))


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
    whole = sim.sweep(draw, CELLS, width=2, store=first)
    assert first.put_blocks == [0, 1, 2, 3, 4]
    again = Counted(store)
    assert same(sim.sweep(draw, CELLS, width=2, store=again), whole)
    assert again.put_blocks == []


@pytest.mark.parametrize("damage", ["truncated", "emptied", "flipped", "foreign"])
def test_a_damaged_block_is_run_again(store, damage):
    whole = sim.sweep(draw, CELLS, width=2, store=store)
    path = store.folder / "block-000003.npz"
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        at = content.index(b"\x93NUMPY") + 130  # inside the first array's numbers
        content[at] ^= 1
    path.write_bytes({"truncated": content[:-40], "emptied": b"", "foreign": b"PK no zip"}.get(damage, content))
    assert store.get(3) is None
    mended = Counted(store)
    assert same(sim.sweep(draw, CELLS, width=2, store=mended), whole)
    assert mended.put_blocks == [3]


@pytest.mark.parametrize(
    ("experiment", "cells", "width", "differs"),
    [
        (draw, sim.cross(jax.random.split(jax.random.key(1), 5), jnp.arange(2.0)), 2, "cells"),
        (draw, sim.cross(jax.random.split(jax.random.key(0), 5), jnp.arange(2.0) + 1e-6), 2, "cells"),
        (draw, CELLS, 3, "width"),
        (sim.inversion.Train(sim.Recipe(), sampled=True), CELLS, 2, "experiment"),
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


def test_a_fingerprint_tells_recipes_apart_and_processes_alike():
    """Of an optimizer it keeps the name and the keywords, not an address in memory."""
    from functools import partial

    import optax

    def name(**changes):
        return sim.fingerprint(sim.inversion.Train(sim.Recipe(**changes), sampled=True), CELLS, 2)["experiment"]

    slow, fast = partial(optax.adamw, b1=0.9), partial(optax.adamw, b1=0.5)
    names = {name(), name(steps=10), name(optimizer=optax.adam), name(optimizer=slow), name(optimizer=fast)}
    assert len(names) == 5
    assert not any("0x" in one for one in names)


def test_a_full_disk_is_told_and_keeps_what_is_done(store, monkeypatch):
    sync, left = os.fsync, iter([True, True])

    def full(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) or next(left, False):
            return sync(descriptor)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match=r"block 2 could not be written to .*No space left.* run the same command"):
            sim.sweep(draw, CELLS, width=2, store=store)
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "block-000000.npz",
        "block-000001.npz",
        "recipe.json",
    ]
    rest = Counted(store)
    assert same(sim.sweep(draw, CELLS, width=2, store=rest), sim.sweep(draw, CELLS, width=2))
    assert rest.put_blocks == [2, 3, 4]


def test_interrupting_keeps_what_is_done(store):
    def stop(done, total):
        if done >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sim.sweep(draw, CELLS, width=2, store=store, progress=stop)
    assert store.get(1) is not None
    rest = Counted(store)
    sim.sweep(draw, CELLS, width=2, store=rest)
    assert rest.put_blocks == [2, 3, 4]


def test_a_process_makes_up_for_one_that_died(store):
    """Its own blocks first, in order; then the missing ones of the others, from the end."""
    one = Counted(store)
    assert same(sim.sweep(draw, CELLS, width=2, store=one, share=(1, 2)), sim.sweep(draw, CELLS, width=2))
    assert one.put_blocks == [1, 3, 4, 2, 0]


@pytest.mark.parametrize(
    ("share", "message"),
    [
        ((2, 2), "share must be at most 1, got 2"),
        ((-1, 2), "share must be at least 0, got -1"),
        ((0, 0), "share of processes must be at least 1, got 0"),
    ],
)
def test_shares_that_make_no_sense_are_refused(store, share, message):
    with pytest.raises(ValueError, match=message):
        sim.sweep(draw, CELLS, store=store, share=share)


def test_shares_need_a_place_to_meet():
    with pytest.raises(ValueError, match="store must be given for 2 processes to meet in, got None"):
        sim.sweep(draw, CELLS, share=(0, 2))


def test_progress_counts_cells(store):
    told = []
    sim.sweep(draw, CELLS, width=4, store=store, progress=lambda done, total: told.append((done, total)))
    assert told == [(4, 10), (8, 10), (10, 10)]
