"""What tests may use, one small inversion map and ladder, and how docstring examples run."""

import contextlib
import functools
import importlib.util
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.pyplot as plt
import pytest

import rlsignal
from rlsignal.__main__ import main
from rlsignal.results import InversionMap, Ladder

matplotlib.use("Agg")
# Most of a test is compiling. LLVM's first level does that in four fifths of the time, and what was compiled is kept
# for both workers, for processes that tests start, and for the next run. Set before jax starts.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=1".strip()
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parent / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

if importlib.util.find_spec("transformers") is None:  # `make test-trl` has an environment with it
    collect_ignore = ["rlsignal/integrations/trl.py"]


@pytest.fixture(scope="session")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `rlsignal map --json` says of tiny tasks, run once: for what is done with maps, not for what they say."""

    def make(folder: Path) -> None:
        sizes = ["--prompts", "16", "--steps", "10", "--draws", "2", "--group-sizes", "2", "4", "--rollouts", "40"]
        with contextlib.redirect_stdout(io.StringIO()) as said:
            assert main(["map", "--json", "--output", str(folder), *sizes]) == 0
        (folder / "said.json").write_text(said.getvalue())

    return json.loads((_made_once(tmp_path_factory, "map", make) / "said.json").read_text())


@pytest.fixture(scope="session")
def small_map(mapped: dict[str, Any]) -> InversionMap:
    """The map itself."""
    return rlsignal.load(Path(mapped["files"][0]))


@pytest.fixture(scope="session")
def small_ladder(tmp_path_factory: pytest.TempPathFactory) -> Ladder:
    """A tiny ladder, trained once: for what is done with ladders, not for what they say."""

    def make(folder: Path) -> None:
        from rlsignal import sim

        policy, teacher = (sim.Network(features=4, widths=(w,), tokens=2, choices=3) for w in (12, 6))
        task = sim.Teacher(teacher, features=4, demonstrations=24, prompts=16)
        sft = sim.SFTRecipe(policy, depths=(0, 5, 40), batch=12)
        grpo = sim.GRPORecipe(policy, batch=8, group_size=4, steps=20, record_every=10, attempts=(3,))
        setting = sft.setting(learning_rate=0.02)
        ladder_task = sim.LadderTask("small", task, 0.2)
        found = sim.depth_ladder(ladder_task, sft, grpo, seeds=2, seed=7, rates=(0.001, 0.01), sft_setting=setting)
        rlsignal.save(found, folder / "ladder")

    return rlsignal.load(_made_once(tmp_path_factory, "ladder", make) / "ladder")


def _made_once(tmp_path_factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that the first of the test processes fills and the others wait for."""
    workers = "PYTEST_XDIST_WORKER" in os.environ
    folder = (tmp_path_factory.getbasetemp().parent if workers else tmp_path_factory.getbasetemp()) / f"made-{name}"
    done, failed = folder / "done", folder / "failed"
    try:
        folder.mkdir()
    except FileExistsError:
        while not done.exists():
            assert not failed.exists(), f"the process that makes the {name} failed"
            time.sleep(0.1)
        return folder
    try:
        make(folder)
    except BaseException:
        failed.touch()
        raise
    done.touch()
    return folder


_STUDIES: dict[str, Callable[..., Any]] = {}


@pytest.fixture(autouse=True)
def pasted(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A docstring's example runs as in a fresh interpreter: with the names that it imports itself, and no others.

    A study that several examples simulate alike is simulated once.
    """
    if not isinstance(request.node, pytest.DoctestItem):
        return
    plt.close("all")
    request.node.dtest.globs.clear()
    if request.node.name.startswith(("rlsignal.plots", "rlsignal.sim")):
        from rlsignal import sim

        for name in ("inversion_map", "depth_ladder"):
            monkeypatch.setattr(sim, name, _STUDIES.setdefault(name, functools.cache(getattr(sim, name))))
