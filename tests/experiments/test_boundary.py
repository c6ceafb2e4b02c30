"""The law's error over a grid of starts: zero where the simulation is the law, and seen where it is not."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.boundary import law_error, mean_collision
from rlsignal import GRPO, Beta
from rlsignal.sim import Recipe
from rlsignal.theory import reached_share


def test_a_map_that_follows_the_law_has_no_error(small_map):
    face = small_map.dispersion
    ends = [[reached_share(Beta(m, d), 2, GRPO, budget=100) for m in face.pass_rate] for d in face.rows]
    outcome = np.broadcast_to(np.array(ends)[..., None], face.outcome.shape)
    lawful = replace(small_map, dispersion=replace(face, outcome=outcome))
    found = law_error(lawful, 0, 100, 1.0)
    assert (found["rms"], found["largest"], found["wrong"]) == (0, 0, 0)
    assert 0 < found["inverted"] < found["pairs"]
    other = law_error(lawful, 0, 100, 0.1)
    assert other["wrong"] > 0
    assert other["rms"] > 0.05


def test_the_collision_is_that_of_shares_between_even_and_one():
    assert mean_collision(Recipe(prompts=16, responses=8, correct=2)) == pytest.approx(1.2, abs=0.3)
