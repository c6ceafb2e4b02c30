"""What every test and docstring example may use: the public names, and one small inversion map."""

import matplotlib
import pytest

import rlsignal
from rlsignal.results import InversionMap

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def small_map() -> InversionMap:
    """A map of tiny tasks, simulated once: for what is done with maps, not for what they say."""
    from rlsignal import sim

    return sim.inversion_map(
        sim.Recipe(prompts=32, responses=8, correct=1, steps=20),
        group_sizes=(2, 4),
        rollouts=80,
        pass_rates=(0.2, 0.4),
        entropies=(0.3, 0.6, 1.0),
        dispersions=(0.1, 0.6),
        draws=2,
    )


@pytest.fixture(autouse=True)
def public_names(request: pytest.FixtureRequest, doctest_namespace: dict) -> None:
    """Docstring examples see the public names, as after `from rlsignal import *`."""
    doctest_namespace.update({name: getattr(rlsignal, name) for name in rlsignal.__all__})
    if "plots" in request.node.name:
        doctest_namespace["small_map"] = request.getfixturevalue("small_map")
