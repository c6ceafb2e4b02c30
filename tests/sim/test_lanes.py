"""A pool of lanes: every lane ends as it would alone, however many share the pool and under vmap too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlsignal.sim import lanes
from rlsignal.sim.lanes import run_lanes


def halve(step, state):
    """From `value` down by halves of `step` until 1, counting turns."""
    value, turns = state
    done = value <= 1
    return (jnp.where(done, value, value - step / 2), jnp.where(done, turns, turns + 1)), done


def alone(value, step):
    turns = 0
    while value > 1:
        value, turns = value - step / 2, turns + 1
    return value, turns


@pytest.mark.parametrize("count", [1, 3, 100])
@pytest.mark.parametrize(("together", "turns"), [(1, 1), (4, 3), (1024, 2)])
def test_every_lane_ends_as_it_would_alone(monkeypatch, count, together, turns):
    monkeypatch.setattr(lanes, "TOGETHER", together)
    monkeypatch.setattr(lanes, "TURNS", turns)
    values, steps = np.linspace(-3, 50, count, dtype=np.float32), np.linspace(1, 2, count, dtype=np.float32)
    done = np.arange(count) % 5 == 1
    found = run_lanes(halve, jnp.asarray(steps), (jnp.asarray(values), jnp.zeros(count, int)), jnp.asarray(done))
    expected = [(v, 0) if still else alone(v, step) for v, step, still in zip(values, steps, done, strict=True)]
    np.testing.assert_allclose(np.transpose(found), expected, rtol=1e-5)


def test_cells_of_a_vmap_are_one_pool():
    """Twice: batched and unbatched arguments, the second under a vmap of a vmap."""
    start, turns = jnp.arange(24.0).reshape(2, 3, 4), jnp.zeros((2, 3, 4), int)
    steps, none = jnp.linspace(1, 2, 4), jnp.zeros(4, bool)

    def run(steps, state):
        return run_lanes(halve, steps, state, none[: len(steps)])

    together = jax.vmap(jax.vmap(run, in_axes=(None, 0)), in_axes=(None, 0))(steps, (start, turns))
    one_by_one = [[run(steps, (start[i, j], turns[i, j])) for j in range(3)] for i in range(2)]
    for leaf in (0, 1):
        np.testing.assert_array_equal(together[leaf], [[cell[leaf] for cell in row] for row in one_by_one])
    assert run(steps[0][None], (start[0, 0, :1], turns[0, 0, :1]))[1].shape == (1,)
