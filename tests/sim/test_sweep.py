"""Sweeps: chunks of one compiled width give what a plain loop gives, wherever a cell falls."""

import sys
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import monitoring

from rlsignal import DR_GRPO, GRPO, RLOO
from rlsignal.sim import Recipe, Runner, cross, measure_tabular, sampled_gradient, sweep, width_for
from rlsignal.sim.runner import _run
from rlsignal.sim.sweep import memory_for_a_block

RECIPE = Recipe(prompts=3, responses=4, correct=1, group_size=4)


@dataclass(frozen=True)
class Step:
    """One update of an even start, and its metrics."""

    recipe: Recipe

    def __call__(self, key, setting):
        gradient, _ = sampled_gradient(key, jnp.zeros((3, 4)), self.recipe, setting)
        logits = setting.learning_rate * gradient
        return logits, measure_tabular(logits, self.recipe)


def stacked(*settings):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *settings)


SETTINGS = stacked(
    RECIPE.setting(), RECIPE.setting(RLOO, learning_rate=2), RECIPE.setting(DR_GRPO, learning_rate=0.5, temperature=2)
)
KEYS = jax.random.split(jax.random.key(0), 3)
CELLS = cross(KEYS, SETTINGS)  # nine


def cell(i, cells=CELLS):
    return jax.tree.map(lambda leaf: leaf[i], cells)


class TestSweep:
    @pytest.fixture
    def by_four(self):
        return sweep(Step(RECIPE), CELLS, runner=Runner(width=4))

    def test_is_a_plain_loop(self, by_four):
        """To the roundings that another compilation may move."""
        one = jax.jit(Step(RECIPE))
        for i in range(9):
            for got, want in zip(jax.tree.leaves(cell(i, by_four)), jax.tree.leaves(one(*cell(i))), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)

    def test_at_one_width_a_cell_gives_the_same_bits_wherever_it_falls(self, by_four):
        """Also in the last chunk, which is padded: nine cells are two chunks of four and one of one."""
        order = np.array([8, 3, 0, 7, 1, 6, 2, 5, 4])
        shuffled = sweep(Step(RECIPE), cell(order), runner=Runner(width=4))
        for got, want in zip(jax.tree.leaves(shuffled), jax.tree.leaves(by_four), strict=True):
            np.testing.assert_array_equal(got, want[order])

    @pytest.mark.parametrize("width", [1, 100])
    def test_widths_agree(self, by_four, width):
        for got, want in zip(
            jax.tree.leaves(sweep(Step(RECIPE), CELLS, runner=Runner(width=width))),
            jax.tree.leaves(by_four),
            strict=True,
        ):
            assert got.shape == want.shape
            np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6)

    def test_returns_numpy_with_a_leading_axis_of_cells(self, by_four):
        logits, metrics = by_four
        assert type(logits) is type(metrics.entropy) is np.ndarray
        assert logits.shape == (9, 3, 4)
        assert metrics.pass_at_k.shape == (9, 1)

    def test_equal_experiments_compile_once(self):
        """Built anew for every call, as the inversion map does; another recipe or width compiles again."""
        before = _run._cache_size()
        for _ in range(3):
            sweep(Step(Recipe(prompts=3, responses=4, correct=2, group_size=4)), CELLS, runner=Runner(width=4))
        assert _run._cache_size() == before + 1
        sweep(Step(Recipe(prompts=3, responses=4, correct=3, group_size=4)), CELLS, runner=Runner(width=4))
        assert _run._cache_size() == before + 2

    def test_a_bad_cell_is_nan_and_stops_nobody(self):
        rates = SETTINGS.learning_rate.at[1].set(jnp.nan)
        logits, _ = sweep(Step(RECIPE), cross(KEYS, SETTINGS._replace(learning_rate=rates)), runner=Runner(width=4))
        np.testing.assert_array_equal(np.isnan(logits).all((1, 2)), np.repeat([False, True, False], 3))

    def test_progress_counts_cells_not_padding(self):
        calls = []
        runner = Runner(width=4, progress=lambda *done: calls.append(done))
        sweep(jnp.sin, (jnp.arange(10.0),), label="sines", runner=runner)
        assert calls == [("sines", 4, 10), ("sines", 8, 10), ("sines", 10, 10)]

    @pytest.mark.parametrize(
        ("cells", "message"),
        [
            ((jnp.zeros(2), jnp.zeros(3)), "cells must share one non-empty leading axis, got axes [2, 3]. "),
            ((jnp.zeros(0),), "cells must share one non-empty leading axis, got axes [0]. "),
            ((), "cells must share one non-empty leading axis, got axes []. "),
        ],
    )
    def test_cells_that_do_not_match_are_refused(self, cells, message):
        with pytest.raises(ValueError) as error:
            sweep(jnp.add, cells)
        assert str(error.value) == message + "Make them with cross()."

    def test_width_below_one_is_refused(self):
        with pytest.raises(ValueError, match=r"^width must be at least 1, got 0\.$"):
            Runner(width=0)


class TestWidth:
    """Cells of 3 float32 in and 3 out: 24 bytes, and whatever the compiler adds."""

    CELLS = (np.zeros((1000, 3), np.float32),)

    def test_is_what_fits(self):
        assert width_for(jnp.sin, self.CELLS, memory=24 * 64) == 64
        assert width_for(jnp.sin, self.CELLS, memory=24 * 64 - 1) == 32

    def test_temporaries_count(self):
        def squares(x):
            return jnp.linalg.inv(x[:, None] * x[None] + jnp.eye(3))[0]

        assert width_for(squares, self.CELLS, memory=24 * 64) < 64

    def test_is_bounded_by_the_cells_and_so_that_devices_share_them(self):
        assert width_for(jnp.sin, self.CELLS, memory=1e9) == 1024
        assert width_for(jnp.sin, (np.zeros((9, 3), np.float32),), memory=1e9) == 16
        assert width_for(jnp.sin, (np.zeros((5000, 3), np.float32),), memory=1e9) == 1024

    def test_on_a_cpu_is_what_stays_in_cache(self):
        runner = Runner(devices=jax.devices("cpu"))
        assert width_for(jnp.sin, self.CELLS, runner=runner) == 32
        assert width_for(jnp.sin, self.CELLS, on_cpu=1, runner=runner) == 1

    def test_on_an_accelerator_is_half_of_its_memory(self):
        class Accelerator:
            platform = "gpu"

            @staticmethod
            def memory_stats():
                return {"bytes_limit": 2 * 24 * 64}

        assert memory_for_a_block(Accelerator) == 24 * 64
        assert memory_for_a_block(jax.devices("cpu")[0]) is None

    def test_what_is_compiled_to_measure_is_what_runs(self, monkeypatch):
        compiled = []

        def heard(event, *_, **__):
            compiled.extend([event] * event.endswith("backend_compile_duration"))

        def cubes(x):
            return x**3

        monkeypatch.setattr(sys.modules["rlsignal.sim.sweep"], "memory_for_a_block", lambda device: 1e9)
        monitoring.register_event_duration_secs_listener(heard)  # for good: jax 0.8 has no way to take it back
        for _ in range(3):
            sweep(cubes, (np.ones((9, 3), np.float32),))
        assert len(compiled) == 1

    def test_no_room_for_one_is_an_error(self):
        message = r"^memory must hold at least one cell of 24 bytes, got 23\. Make the recipe smaller\.$"
        with pytest.raises(ValueError, match=message):
            width_for(jnp.sin, self.CELLS, memory=23)

    @pytest.mark.parametrize("memory", [0, -1.0, np.nan])
    def test_memory_above_0_is_needed(self, memory):
        with pytest.raises(ValueError, match=rf"^memory must be above 0 bytes, got {memory:g}\.$"):
            width_for(jnp.sin, self.CELLS, memory=memory)


class TestCross:
    def test_keys_vary_fastest(self):
        keys, numbers, settings = cross(KEYS, jnp.arange(2), stacked(RECIPE.setting(GRPO), RECIPE.setting(RLOO)))
        np.testing.assert_array_equal(numbers, [0, 0, 0, 1, 1, 1])
        np.testing.assert_array_equal(jax.random.key_data(keys), np.tile(jax.random.key_data(KEYS), (2, 1)))
        np.testing.assert_allclose(settings.table[:3], np.repeat(GRPO.table(4)[None], 3, 0), rtol=1e-6)
        np.testing.assert_allclose(settings.table[3:], np.repeat(RLOO.table(4)[None], 3, 0), rtol=1e-6)

    def test_raw_keys_stay_raw(self):
        raw = jax.random.key_data(KEYS)
        keys, _ = cross(raw, jnp.arange(2))
        assert keys.dtype == raw.dtype
        np.testing.assert_array_equal(keys, np.tile(raw, (2, 1)))

    def test_results_reshape_to_settings_by_keys(self):
        flat = sweep(lambda key, x: x + 0 * jax.random.uniform(key), cross(KEYS, jnp.arange(4.0)))
        np.testing.assert_array_equal(flat.reshape(4, 3), np.repeat(np.arange(4.0)[:, None], 3, 1))
