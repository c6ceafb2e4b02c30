"""What every test and docstring example may use: the public names, and one small inversion map."""

import contextlib
import importlib.util
import io
import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest

import rlsignal
from rlsignal.__main__ import main
from rlsignal.results import InversionMap, Ladder

matplotlib.use("Agg")

if importlib.util.find_spec("transformers") is None:  # `make test-trl` has an environment with it
    collect_ignore = ["rlsignal/integrations/trl.py"]


@pytest.fixture(scope="session")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `rlsignal map --json` says of tiny tasks, run once: for what is done with maps, not for what they say."""
    folder = tmp_path_factory.mktemp("map")
    sizes = ["--prompts", "16", "--steps", "10", "--draws", "2", "--group-sizes", "2", "4", "--rollouts", "40"]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main(["map", "--json", "--output", str(folder), *sizes]) == 0
    return json.loads(said.getvalue())


@pytest.fixture(scope="session")
def small_map(mapped: dict[str, Any]) -> InversionMap:
    """The map itself."""
    return rlsignal.load(Path(mapped["files"][0]))


@pytest.fixture(scope="session")
def small_ladder() -> Ladder:
    """A tiny ladder, climbed once: for what is done with ladders, not for what they say."""
    from rlsignal import sim

    policy, teacher = (sim.Network(features=4, widths=(w,), tokens=2, choices=3) for w in (12, 6))
    task = sim.Teacher(teacher, features=4, demonstrations=24, prompts=16)
    sft = sim.SFTRecipe(policy, depths=(0, 5, 40), batch=12)
    grpo = sim.GRPORecipe(policy, batch=8, group_size=4, steps=20, record_every=10, attempts=(3,))
    setting = sft.setting(learning_rate=0.02)
    course = sim.Course("small", task, 0.2)
    return sim.depth_ladder(course, sft, grpo, seeds=2, seed=7, rates=(0.001, 0.01), sft_setting=setting)


@pytest.fixture(autouse=True)
def public_names(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Docstring examples see the public names, as after `from rlsignal import *`; those of plots a small result too."""
    doctest_namespace.update({name: getattr(rlsignal, name) for name in rlsignal.__all__})
    if request.node.name.startswith("rlsignal.plots"):
        for name in ("small_map", "small_ladder"):
            if name in request.node.dtest.docstring:
                doctest_namespace[name] = request.getfixturevalue(name)
