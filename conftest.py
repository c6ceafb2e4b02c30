"""What every test and docstring example may use: the public names, and one small inversion map."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import matplotlib
import pytest

import rlsignal
from rlsignal.__main__ import main
from rlsignal.results import InversionMap

matplotlib.use("Agg")


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


@pytest.fixture(autouse=True)
def public_names(request: pytest.FixtureRequest, doctest_namespace: dict[str, Any]) -> None:
    """Docstring examples see the public names, as after `from rlsignal import *`; those of plots a map too."""
    doctest_namespace.update({name: getattr(rlsignal, name) for name in rlsignal.__all__})
    if request.node.name.startswith("rlsignal.plots"):
        doctest_namespace["small_map"] = request.getfixturevalue("small_map")
