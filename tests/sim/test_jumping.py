"""Jumping past degenerate groups: runs are distributed as the plain sampler's; wrong laws are rejected."""

from dataclasses import replace
from functools import partial
from math import sqrt

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rlsignal import GRPO, MAXRL, RLOO, Estimator
from rlsignal.sim import (
    Recipe,
    expected_gradient,
    flow,
    jump,
    lanes,
    leap,
    measure_tabular,
    prompts_pass_rates,
    sampled_gradient,
    sweep,
    train_tabular,
)
from rlsignal.sim.jumping import jumps

KEY = jax.random.key(4)


def alike(p, recipe):
    """Logits of prompts that all have pass rate p, with uneven shares inside both classes."""
    shares = np.linspace(1, 2, recipe.responses)
    c = recipe.correct
    shares = np.r_[shares[:c] / shares[:c].sum() * p, shares[c:] / shares[c:].sum() * (1 - p)]
    return jnp.broadcast_to(jnp.asarray(np.log(shares), jnp.float32), (recipe.prompts, recipe.responses))


def moved(p, recipe, estimator=GRPO):
    """Which prompts met an informative group by the end, and their moves [prompts, responses] over the rate.

    The rate is so small that a group does not change the chance of the next, and large enough for float32.
    """
    start, rate = alike(p, recipe), 2.0**-10
    final, _ = jax.jit(jump, static_argnums=2)(KEY, start, recipe, recipe.setting(estimator, learning_rate=rate))
    move = np.asarray(final - start, np.float64) / rate
    return (move != 0).any(-1), move


def z(found, want, count):
    return abs(found.mean() - want) / sqrt(want * (1 - want) / count)


class TestWait:
    @pytest.mark.parametrize(("p", "g", "steps"), [(0.02, 4, 7), (0.3, 8, 1), (0.999, 16, 3), (0.5, 2, 3)])
    def test_is_geometric(self, p, g, steps):
        recipe = Recipe(prompts=2**15, responses=4, correct=1, group_size=g, steps=steps)
        degenerate = p**g + (1 - p) ** g
        met, _ = moved(p, recipe)
        assert z(met, 1 - degenerate**steps, recipe.prompts) < 4
        for wrong in (degenerate ** (steps + 1), ((1 - p) ** g) ** steps if p > 0.3 else degenerate ** (2 * steps)):
            assert z(met, 1 - min(max(wrong, 1e-9), 1 - 1e-9), recipe.prompts) > 6

    def test_has_no_floor(self):
        """A correct response of chance 3e-8 is never drawn from a uniform of 24 bits; the wait for it is."""
        p, recipe = 3e-8, Recipe(prompts=2**16, responses=4, correct=1, group_size=8, steps=4000)
        met, _ = moved(p, recipe)
        assert z(met, 8 * p * recipe.steps, recipe.prompts) < 4


class TestGroup:
    @pytest.mark.parametrize("estimator", [GRPO, RLOO, MAXRL], ids=lambda x: x.name)
    @pytest.mark.parametrize(("p", "g"), [(0.01, 8), (0.4, 3), (0.4, 16), (0.98, 8)])
    def test_one_step_has_the_mean_and_second_moment_of_a_sampled_one(self, estimator, p, g):
        """The mean is exact; K drawn without the condition, or always 1 of the rarer verdict, is more than 8 off."""
        recipe = Recipe(prompts=2**16, responses=5, correct=2, group_size=g, steps=1)
        _, move = moved(p, recipe, estimator)
        setting = recipe.setting(estimator)
        want = np.asarray(
            expected_gradient(alike(p, replace(recipe, prompts=1)), replace(recipe, prompts=1), setting)[0]
        )
        error = move.std(0) / sqrt(recipe.prompts)
        assert (abs(move.mean(0) - want) < 5 * error + 1e-3 * abs(want)).all()
        plain, _ = sampled_gradient(KEY, alike(p, recipe), recipe, setting)
        squares, plain_squares = move**2, np.asarray(plain, np.float64) ** 2
        error = np.hypot(squares.std(0), plain_squares.std(0)) / sqrt(recipe.prompts)
        assert (abs(squares.mean(0) - plain_squares.mean(0)) < 5 * error).all()
        if g == 16:
            k = np.arange(1, g)  # any K alike
            wrong = np.mean(k * estimator.table(g)[1, 1:-1]) / g * (1 - (p**g + (1 - p) ** g))
            assert abs(move[:, :2].sum(-1).mean() - wrong * (1 - p)) > 8 * move[:, :2].sum(-1).std() / sqrt(len(move))


class TestRun:
    def test_outcomes_are_those_of_the_plain_sampler(self):
        """400 draws of 16 prompts at four depths, over 200 steps: means and variances."""
        recipe = Recipe(prompts=16, responses=8, correct=2, steps=200, record_every=50)
        p = np.repeat([0.003, 0.03, 0.2, 0.6], 4)
        shares = np.linspace(1, 3, 8)
        shares = np.stack(
            [np.r_[shares[:2] / shares[:2].sum() * x, shares[2:] / shares[2:].sum() * (1 - x)] for x in p]
        )
        start, setting = jnp.asarray(np.log(shares), jnp.float32), recipe.setting()
        (keys,) = jax.random.split(KEY, (1, 400))
        jumped, plain = (
            sweep(partial(way, logits=start, recipe=recipe, setting=setting), (keys,)) for way in (jump, train_tabular)
        )
        for name in ("pass_at_1", "pass_at_k", "entropy", "degenerate"):
            a, b = (np.asarray(getattr(found[1], name), np.float64).reshape(400, 5) for found in (jumped, plain))
            error = np.sqrt((a.var(0) + b.var(0)) / 400) + 1e-7
            assert (abs(a.mean(0) - b.mean(0)) < 4 * error).all(), name
            a, b = ((x - b.mean(0)) ** 2 for x in (a, b))
            error = np.sqrt((a.var(0) + b.var(0)) / 400) + 1e-9
            assert (abs(a.mean(0) - b.mean(0)) < 4 * error).all(), f"variance of {name}"
        late = np.asarray(plain[1].pass_at_1)[:, 3]
        assert abs(late.mean() - np.asarray(jumped[1].pass_at_1)[:, 4].mean()) > 6 * late.std() / 20

    def test_neither_records_nor_the_pool_change_a_draw(self, monkeypatch):
        recipe = Recipe(prompts=40, responses=4, correct=2, group_size=3, steps=60)
        start = jax.random.normal(KEY, (40, 4))
        final = jump(KEY, start, recipe, recipe.setting())[0]
        np.testing.assert_array_equal(jump(KEY, start, replace(recipe, record_every=10), recipe.setting())[0], final)
        monkeypatch.setattr(lanes, "TOGETHER", 8)
        np.testing.assert_allclose(jump(KEY, start, recipe, recipe.setting())[0], final, rtol=1e-5)

    def test_a_natural_step_stands_still_inside_the_classes_on_average(self):
        recipe = Recipe(prompts=2**14, responses=4, correct=2, steps=1, natural=True)
        _, move = moved(0.2, recipe)
        weight = GRPO.weight(0.2, 8)
        both = move[:, :2] - move[:, 2:].mean(-1, keepdims=True)  # a softmax feels no constant
        error = both.std(0) / sqrt(len(both))
        assert (abs(both.mean(0) - weight) < 5 * error).all()

    def test_a_start_that_does_not_exist_ends_at_once(self):
        recipe = Recipe(prompts=2, responses=3, correct=1, steps=10)
        start = jnp.array([[0.0, 0, 0], [jnp.nan, 0, 0]])
        assert np.isnan(jump(KEY, start, recipe, recipe.setting())[1].pass_at_1).all()


class TestRefusals:
    START = jnp.zeros((2, 4))
    RECIPE = Recipe(prompts=2, responses=4, correct=1, steps=4)
    SPEAKS = Estimator("not centred", correct=lambda K, g: 1.0, incorrect=lambda K, g: 0.0)

    @pytest.mark.parametrize(
        ("changes", "estimator", "message"),
        [
            ({"group_size": 65}, GRPO, "group_size must be at most 64 to jump, got 65. Use train_tabular"),
            ({"optimizer": optax.adam}, GRPO, "optimizer must be optax.sgd, plain ascent"),
            ({}, SPEAKS, "setting must hold an estimator that is 0 in degenerate groups to jump"),
        ],
    )
    def test_say_what_to_use(self, changes, estimator, message):
        recipe = replace(self.RECIPE, **changes)
        with pytest.raises(ValueError, match=message):
            jump(KEY, self.START, recipe, recipe.setting(estimator))

    def test_an_estimator_that_jit_hides_gives_nan(self):
        setting = self.RECIPE.setting(self.SPEAKS)
        _, metrics = jax.jit(jump, static_argnums=2)(KEY, self.START, self.RECIPE, setting)
        assert np.isnan(metrics.pass_at_1).all()

    def test_a_map_jumps_where_it_may_and_pays(self):
        def taken(estimator=GRPO, rate=1.0, **changes):
            recipe = Recipe(**changes)
            return jumps(recipe, recipe.setting(estimator, learning_rate=rate))

        assert taken()
        assert not any((taken(self.SPEAKS), taken(rate=0.1), taken(group_size=128), taken(optimizer=optax.adam)))


@pytest.mark.parametrize("way", [train_tabular, jump, flow, leap], ids=lambda way: way.__name__)
def test_what_is_recorded_is_the_caller_s(way):
    """Of every prompt, at every record; its mean is what Metrics hold."""
    recipe = Recipe(prompts=3, responses=4, correct=1, group_size=4, steps=6, record_every=2)
    given = (KEY,) if way in (train_tabular, jump) else ()
    start = jnp.array([[0.0, 0, 0, 0], [-3, 0, 0, 0], [2, 0, 0, 0]])
    rates, means = (
        way(*given, start, recipe, recipe.setting(), measure=measure)[1]
        for measure in (prompts_pass_rates, measure_tabular)
    )
    assert rates.shape == (4, 3)
    np.testing.assert_allclose(rates[0], [0.25, 0.0163, 0.7112], atol=1e-4)
    np.testing.assert_allclose(rates.mean(-1), means.pass_at_1, rtol=1e-6)
