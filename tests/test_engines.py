"""Engines that run the blocks of a map elsewhere: a process pool, Dask, MPI. The map is the same, bit for bit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

from rlsignal import load
from rlsignal.__main__ import main

ROOT = Path(__file__).resolve().parent.parent
SIZES = ("--prompts", "16", "--steps", "10", "--draws", "2", "--group-sizes", "4", "--rollouts", "40", "--width", "8")

MPI = """
import sys
from mpi4py.futures import MPIPoolExecutor
from rlsignal import save, sim

if __name__ == "__main__":
    with MPIPoolExecutor(1) as executor:
        runner = sim.Runner(executor=executor, width=8)
        recipe = sim.Recipe(prompts=16, steps=10)
        save(sim.inversion_map(recipe, group_sizes=(4,), rollouts=40, draws=2, runner=runner), sys.argv[1])
"""


def mapped(folder, *options):
    """The map of a new process with one device."""
    command = [sys.executable, "-m", "rlsignal", "map", *SIZES, "--json", "--output", str(folder), *options]
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=1"
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "XLA_FLAGS": flags}, stdout=subprocess.DEVNULL)
    return load(folder / "inversion-map.npz")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    return mapped(tmp_path_factory.mktemp("here"))


def same(one, other):
    assert one.summary == other.summary
    for face in ("sharpening", "dispersion"):
        for name in ("outcome", "outcome_at_k", "sampled", "entropy"):
            np.testing.assert_array_equal(getattr(getattr(one, face), name), getattr(getattr(other, face), name))


@pytest.mark.slow
class TestTheSameMap:
    def test_on_two_workers_of_dask(self, request, tmp_path):
        pytest.importorskip("distributed", reason="Dask is missing: pip install 'rlsignal[dask]'")
        same(mapped(tmp_path, "--dask", "local:2"), request.getfixturevalue("here"))

    def test_on_mpi(self, request, tmp_path):
        pytest.importorskip("mpi4py", reason="mpi4py is missing: pip install mpi4py mpich")
        if not shutil.which("mpiexec"):
            pytest.skip("mpiexec is missing: install an MPI, such as mpich")
        (tmp_path / "mapped.py").write_text(MPI)
        command = ["mpiexec", "-n", "2", sys.executable, "-m", "mpi4py.futures", "mapped.py", "map.npz"]
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=1"
        environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, check=True, cwd=tmp_path, env=environment, timeout=300)
        same(load(tmp_path / "map.npz"), request.getfixturevalue("here"))


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "tcp://no.such.host.invalid:8786", "nonsense"])
def test_an_address_that_nobody_answers_is_told_soon(tmp_path, capsys, address):
    pytest.importorskip("distributed", reason="Dask is missing: pip install 'rlsignal[dask]'")
    tick = perf_counter()
    assert main(["map", "--quick", "--dask", address, "--output", str(tmp_path)]) == 2
    assert perf_counter() - tick < 30  # eight seconds by themselves; the rest is for machines that are busy
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"--dask must be the address of a Dask scheduler that answers, or local:N, got '{address}'" in said
