"""The fast path: what a recipe refuses, what a run records, and metrics against plain float64 formulas."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rlsignal import DR_GRPO, GRPO, RLOO, Fixed, advantage_variance, degenerate_probability, pass_at_k
from rlsignal.estimators import GRPO_NEMO
from rlsignal.sim import Metrics, Recipe, log_pass_rates, measure_tabular, sampled_gradient, train_tabular
from rlsignal.sim.tabular import _per_response, less_kl, open_uniform

KEY = jax.random.key(3)
SMALL = Recipe(prompts=3, responses=5, correct=2, group_size=4, steps=8, record_every=2, attempts=(1, 4))
START = jnp.array([[0.0, -1.0, 0.5, 0.2, 0.1], [-2.0, -3.0, 1.0, 0.0, 0.3], [1.0, 0.7, -0.5, 0.0, -1.0]])
CERTAIN = jnp.array([[1e3, 0, 0, 0, 0], [-1e3, -1e3, 0, 0, 0], [0, 0, -1e3, 1e3, 0]])
"""Correct, incorrect, and one response that is incorrect."""

run = jax.jit(train_tabular, static_argnames="recipe")
measured = jax.jit(measure_tabular, static_argnames="recipe")
sampled = jax.jit(sampled_gradient, static_argnames="recipe")


def shares_of(logits, temperature=1.0):
    """softmax(logits / temperature) in float64."""
    scaled = np.asarray(logits, np.float64) / temperature
    weights = np.exp(scaled - scaled.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


class TestRecipe:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"prompts": 0}, "prompts must be at least 1, got 0."),
            ({"prompts": 1.0}, "prompts must be a whole number of at least 1, got 1.0."),
            ({"responses": 1}, "responses must be at least 2, got 1."),
            (
                {"responses": 4, "correct": 4},
                "correct must be at most 3, got 4. Each prompt needs a correct and an incorrect response; "
                "change `responses` or `correct`.",
            ),
            (
                {"correct": 0},
                "correct must be at least 1, got 0. Each prompt needs a correct and an incorrect response; "
                "change `responses` or `correct`.",
            ),
            ({"group_size": 1}, "group_size must be at least 2, got 1."),
            ({"steps": 0}, "steps must be at least 1, got 0."),
            ({"attempts": (8, 0)}, "attempts must be at least 1, got 0."),
            ({"attempts": ()}, "attempts must be a tuple of at least one k, got (). For pass@8: (8,)."),
            ({"attempts": [8]}, "attempts must be a tuple of at least one k, got [8]. For pass@8: (8,)."),
            ({"record_every": 0}, "record_every must be at least 1, got 0."),
            (
                {"steps": 10, "record_every": 3},
                "record_every must divide steps = 10, got 3. Choose a divisor, such as 2.",
            ),
            (
                {"steps": 10, "record_every": 20},
                "record_every must divide steps = 10, got 20. Choose a divisor, such as 10.",
            ),
        ],
        ids=lambda x: "-".join(x) if isinstance(x, dict) else "",
    )
    def test_impossible_tasks_are_refused(self, arguments, message):
        with pytest.raises(ValueError) as error:
            Recipe(**arguments)
        assert str(error.value) == message

    def test_records(self):
        assert Recipe(steps=10).records == 2
        assert Recipe(steps=10, record_every=5).records == 3
        assert (Recipe(steps=10).interval, Recipe(steps=10, record_every=5).interval) == (10, 5)

    def test_equal_recipes_are_one_static_argument(self):
        assert Recipe(steps=10) == Recipe(steps=10)
        assert hash(Recipe(steps=10)) == hash(Recipe(steps=10))
        assert Recipe(steps=10) != Recipe(steps=20)


class TestSetting:
    def test_is_float32_numbers_and_the_table(self):
        setting = SMALL.setting(RLOO, learning_rate=0.5, temperature=2)
        assert (float(setting.learning_rate), float(setting.temperature)) == (0.5, 2.0)
        assert {x.dtype for x in jax.tree.leaves(setting)} == {jnp.dtype("float32")}
        np.testing.assert_array_equal(setting.table, RLOO.table(4).astype(np.float32))

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"learning_rate": 0}, "learning_rate must be above 0, got 0."),
            (
                {"learning_rate": [0.1, 0.2]},
                "learning_rate must be one number, got an array of shape (2,). Call once per entry.",
            ),
            (
                {"learning_rate": np.inf},
                "learning_rate must lie in [1e-30, 1e+30], got inf. Outside of that float32 overflows or loses it.",
            ),
            ({"temperature": -1}, "temperature must be above 0, got -1."),
            ({"temperature": np.nan}, "temperature must be above 0, got nan."),
            ({"kl": -0.1}, "kl must be at least 0, got -0.1."),
        ],
    )
    def test_bad_numbers_are_refused(self, arguments, message):
        with pytest.raises(ValueError) as error:
            SMALL.setting(**arguments)
        assert str(error.value) == message

    def test_a_name_is_not_an_estimator(self):
        with pytest.raises(ValueError, match="estimator must be an Estimator, got 'GRPO'"):
            SMALL.setting("GRPO")


def by_hand(logits, recipe, temperature=1.0):
    """Metrics by their definitions, in float64."""
    pi, c, g = shares_of(logits, temperature), recipe.correct, recipe.group_size
    p = pi[:, :c].sum(-1)
    q = 1 - p
    inside = [-(s * np.log(s)).sum(-1) for s in (pi[:, :c] / p[:, None], pi[:, c:] / q[:, None])]
    return Metrics(
        pass_at_1=p.mean(),
        pass_at_k=np.array([(1 - q**k).mean() for k in recipe.attempts]),
        entropy=-(pi * np.log(pi)).sum(-1).mean(),
        reward_entropy=-(p * np.log(p) + q * np.log(q)).mean(),
        within_entropy=(p * inside[0] + q * inside[1]).mean(),
        dispersion=p.var() / (p.mean() * q.mean()),
        degenerate=(p**g + q**g).mean(),
        advantage_variance=(p * q).mean() * (g - 1) / g,
    )


class TestMeasure:
    @pytest.mark.parametrize("temperature", [1.0, 0.5, 3.0])
    @pytest.mark.parametrize(("correct", "g"), [(1, 2), (5, 32)])
    def test_metrics_are_their_definitions(self, temperature, correct, g):
        """2e-6: a few roundings of float32 in sums of order 1."""
        recipe = Recipe(prompts=40, responses=6, correct=correct, group_size=g, attempts=(1, 3, 64))
        logits = 2 * jax.random.normal(KEY, (40, 6))
        for name, got, want in zip(
            Metrics._fields, measured(logits, recipe, temperature), by_hand(logits, recipe, temperature), strict=True
        ):
            np.testing.assert_allclose(got, want, rtol=2e-6, atol=1e-6, err_msg=name)

    def test_metrics_are_the_theory_at_these_pass_rates(self):
        p, g = shares_of(START)[:, :2].sum(-1), SMALL.group_size
        metrics = measured(START, SMALL)
        assert metrics.degenerate == pytest.approx(degenerate_probability(Fixed(p), g).mean(), rel=1e-6)
        assert metrics.advantage_variance == pytest.approx(advantage_variance(p, g).mean(), rel=1e-6)
        assert metrics.pass_at_k == pytest.approx([pass_at_k(p, k).mean() for k in SMALL.attempts], rel=1e-6)

    def test_entropy_is_undecidedness_and_what_is_left_inside_the_classes(self):
        metrics = measured(START, SMALL)
        assert metrics.reward_entropy + metrics.within_entropy == pytest.approx(float(metrics.entropy), abs=1e-6)

    @pytest.mark.parametrize("rate", [1e-3, 1e-5, 1e-7, 1e-12, 1e-30])
    def test_rare_successes_are_measured_to_relative_accuracy(self, rate):
        """pass@k of rare successes is k p; log(1-p) must not be lost to the rounding of a sum that is nearly 1."""
        p = np.float64(np.exp(np.float32(np.log(rate))))
        log_odds = np.log(p) - np.log1p(-p)
        recipe = Recipe(prompts=1, responses=3, correct=1, attempts=(1, 8, 1000))
        logits = jnp.array([[log_odds, np.log(0.6), np.log(0.4)]], jnp.float32)
        metrics = measured(logits, recipe)
        relative = 1e-6 + 4 * 2.0**-24 * abs(log_odds)  # a float32 logit, and its log p, know p no better
        assert metrics.pass_at_1 == pytest.approx(p, rel=relative, abs=0)
        assert metrics.pass_at_k == pytest.approx([pass_at_k(p, k) for k in recipe.attempts], rel=relative, abs=0)
        undecided = -p * np.log(p) - (1 - p) * np.log1p(-p)
        assert metrics.reward_entropy == pytest.approx(undecided, rel=relative, abs=0)

    def test_log_pass_rates_stay_finite_where_pass_rates_do_not(self):
        log_p, log_q = log_pass_rates(jnp.array([[1e3, 0, 0], [-1e3, 0, 0]], jnp.float32), 1)
        np.testing.assert_allclose(log_p, [0, -1e3 - np.log(2)], rtol=1e-6)
        np.testing.assert_allclose(log_q, [-1e3 + np.log(2), 0], rtol=1e-6, atol=1e-7)

    @pytest.mark.parametrize("rows", [[0], [1], [2], [0, 1, 2, 3], [0, 0], [1, 1]], ids=str)
    def test_certain_policies_are_measured_without_nan(self, rows):
        """Certainly right, certainly wrong, one incorrect response certain, and even; alone and together."""
        certain = [[1e3, 0, 0, 0], [-1e3, -1e3, 0, 0], [0, 0, -1e3, 1e3], [0, 0, 0, 0]]
        recipe = Recipe(prompts=len(rows), responses=4, correct=2)
        metrics = measured(jnp.array([certain[row] for row in rows], jnp.float32), recipe)
        for name, value in zip(Metrics._fields, metrics, strict=True):
            assert np.all(np.isfinite(value)), name


class TestSampledGradient:
    """That its mean is the right one is shown in test_bridge.py."""

    @pytest.mark.parametrize(("rate", "temperature", "log_groups"), [(0.3, 2.0, 14), (1e-3, 1.0, 16), (1e-5, 1.0, 21)])
    def test_responses_are_drawn_as_often_as_the_policy_says(self, rate, temperature, log_groups):
        """With every advantage 1 the gradient is (counts / g - pi) / T, so chi^2 of the counts can be read off.

        chi^2 has n - 1 degrees of freedom: mean n - 1, variance 2(n - 1), and 1/E more where E is expected rarely.
        """
        recipe = Recipe(prompts=1, responses=6, correct=2, group_size=8)
        pi = np.concatenate([rate * np.array([0.6, 0.4]), (1 - rate) * np.array([0.4, 0.3, 0.2, 0.1])])
        logits = jnp.asarray(temperature * np.log(pi)[None], jnp.float32)
        setting = recipe.setting(temperature=temperature)._replace(table=jnp.ones((2, 9)))
        keys = jax.random.split(KEY, 2**log_groups)
        draw = jax.jit(jax.vmap(lambda key: sampled_gradient(key, logits, recipe, setting)[0][0]))
        groups = [np.asarray(draw(part), np.float64) for part in np.split(keys, max(1, 2 ** (log_groups - 16)))]
        counts = sum(np.rint(8 * (group * temperature + pi)).sum(0) for group in groups)
        drawn = 8 * len(keys)
        assert counts.sum() == drawn
        expected = drawn * pi
        deviation = np.sqrt(2 * 5 + (1 / expected).sum())
        assert ((counts - expected) ** 2 / expected).sum() < 5 + 5 * deviation
        assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected * (1 - pi)))

    def test_each_group_is_a_possible_one(self):
        """Counts are whole and sum to g, and rewards are comparisons with the first `correct` responses."""
        ones = SMALL.setting()._replace(table=jnp.ones((2, 5)))
        gradient, seen = sampled(KEY, START, SMALL, ones)
        counts = 4 * (np.asarray(gradient, np.float64) + shares_of(START))
        np.testing.assert_allclose(counts, np.rint(counts), atol=1e-5)
        np.testing.assert_allclose(counts.sum(-1), 4, atol=1e-5)
        successes = np.rint(counts[:, :2].sum(-1)).astype(int)
        assert float(seen.pass_at_1) == pytest.approx(successes.mean() / 4)
        assert float(seen.degenerate) == pytest.approx(np.isin(successes, (0, 4)).mean())
        assert float(seen.advantage_variance) == pytest.approx((successes * (4 - successes)).mean() / 16)

    @pytest.mark.parametrize("estimator", [GRPO, GRPO_NEMO], ids=lambda x: x.name)
    def test_gradient_is_that_of_the_drawn_group(self, estimator):
        """The same key draws the same responses, so those read off with advantages 1 give the gradient by hand."""
        ones = SMALL.setting()._replace(table=jnp.ones((2, 5)))
        pi = shares_of(START)
        counts = np.rint(4 * (np.asarray(sampled(KEY, START, SMALL, ones)[0]) + pi)).astype(int)
        gradient, seen = sampled(KEY, START, SMALL, SMALL.setting(estimator))
        want = np.zeros_like(pi)
        for x, row in enumerate(counts):
            drawn = np.repeat(np.arange(5), row)
            for y, advantage in zip(drawn, estimator.advantages((drawn < 2).astype(int)), strict=True):
                want[x] += advantage * (np.eye(5)[y] - pi[x]) / 4
        np.testing.assert_allclose(gradient, want, atol=1e-6)
        assert float(seen.gradient_norm) == pytest.approx(np.sqrt((want**2).sum(-1).mean()), rel=1e-6)

    def test_what_a_trainer_logs_has_the_means_that_are_measured(self):
        """Over many groups, within five standard errors."""
        many = jax.jit(jax.vmap(lambda key: sampled_gradient(key, START, SMALL, SMALL.setting())[1]))
        seen, metrics = many(jax.random.split(KEY, 2**15)), measure_tabular(START, SMALL)
        for name in ("pass_at_1", "degenerate", "advantage_variance"):
            drawn = np.asarray(getattr(seen, name), np.float64)
            assert abs(drawn.mean() - float(getattr(metrics, name))) < 5 * drawn.std() / np.sqrt(len(drawn)), name

    @pytest.mark.parametrize("other", [2, 8])
    def test_a_table_for_another_group_size_is_refused(self, other):
        """Its columns would be read as those of this one: a wrong estimator, silently."""
        setting = replace(SMALL, group_size=other).setting()
        message = (
            f"setting must have a table [2, 5] for g = 4, got [2, {other + 1}]. "
            "Make it with recipe.setting(...) of the same recipe."
        )
        for procedure in (sampled_gradient, train_tabular):
            with pytest.raises(ValueError) as error:
                procedure(KEY, START, SMALL, setting)
            assert str(error.value) == message

    @pytest.mark.parametrize("natural", [False, True])
    def test_certain_policies_give_finite_gradients(self, natural):
        """All groups are degenerate, so nothing is learned."""
        recipe = replace(SMALL, natural=natural)
        gradient, seen = sampled(KEY, CERTAIN, recipe, recipe.setting())
        np.testing.assert_array_equal(gradient, 0)
        assert float(seen.degenerate) == 1


WARM = SMALL.setting(temperature=1.5)


@pytest.fixture(scope="module")
def finished():
    """(final logits, Metrics, StepMetrics) of the small recipe, at a temperature that is not 1."""
    return run(KEY, START, recipe=SMALL, setting=WARM)


@pytest.mark.parametrize("g", [2, 64, 65, 300])
def test_large_groups_are_counted_in_parts(g):
    """Each rollout adds its advantage to the response that it drew, whatever the size of the group."""
    rng = np.random.default_rng(g)
    edges = np.cumsum(rng.random((3, 5)), 1)
    u, advantages = rng.random((3, g)) * edges[:, -1:], rng.integers(-3, 4, (3, g))
    want = np.zeros((3, 5))
    for prompt in range(3):
        np.add.at(want[prompt], np.searchsorted(edges[prompt], u[prompt], side="right"), advantages[prompt])
    found = _per_response(*(jnp.asarray(x, jnp.float32) for x in (u, advantages, edges)))
    np.testing.assert_array_equal(found, want)


class TestOpenUniform:
    @pytest.mark.parametrize("impl", ["threefry2x32", "rbg"])
    @pytest.mark.parametrize("count", [2**16, 2**16 + 1])
    def test_is_even_and_without_memory(self, impl, count):
        """Moments, and products of draws that are neighbours or a half apart, the two words of one block."""
        keys = jax.random.split(jax.random.key(0, impl=impl), 8)
        u = np.array([open_uniform(key, (count,)) for key in keys], np.float64)
        assert u.shape == (8, count)
        assert 0 < u.min() < 1e-4
        assert 1 - 1e-4 < u.max() < 1
        error = 1 / np.sqrt(u.size)
        assert abs(u.mean() - 1 / 2) < 4 * np.sqrt(1 / 12) * error
        assert abs((u**2).mean() - 1 / 3) < 4 * np.sqrt(4 / 45) * error
        z = (u - 1 / 2) * np.sqrt(12)
        for apart in (1, count // 2, (count + 1) // 2):
            assert abs((z * np.roll(z, apart, axis=1)).mean()) < 4 * error
        assert abs((z[1:] * z[:-1]).mean()) < 4 * error

    def test_every_word_of_a_block_is_used_once(self):
        u = np.asarray(open_uniform(jax.random.key(1), (2**12,)))
        expected = 2**12 * (1 - 2**12 / 2**24)  # that many values fall on 2^23 places
        assert abs(len(np.unique(u)) - expected) < 6


class TestTrain:
    def test_certain_policies_stay_what_they_are(self):
        final, metrics, seen = run(KEY, CERTAIN, recipe=SMALL, setting=SMALL.setting())
        np.testing.assert_array_equal(final, CERTAIN)
        assert all(np.all(np.isfinite(x)) for x in (*metrics, *seen))

    def test_records_the_first_and_last_step_and_every_second_between(self, finished):
        final, metrics, seen = finished
        assert metrics.pass_at_1.shape == seen.degenerate.shape == (5,)
        assert metrics.pass_at_k.shape == (5, 2)
        for at, logits in ((0, START), (-1, final)):
            for got, want in zip(metrics, measured(logits, SMALL, 1.5), strict=True):
                np.testing.assert_allclose(got[at], want, rtol=1e-6, atol=1e-7)

    @pytest.mark.usefixtures("mixed")
    @pytest.mark.parametrize(
        "optimizer",
        [optax.sgd, partial(optax.sgd, momentum=0.9), optax.adam],
        ids=["sgd", "momentum", "adam"],
    )
    def test_is_ascent_step_by_step(self, optimizer):
        """Step t draws from fold_in(key, t) and hands the optimizer minus the gradient."""
        setting = SMALL.setting(learning_rate=0.3, temperature=1.5)
        final, _, seen = run(KEY, START, recipe=replace(SMALL, optimizer=optimizer), setting=setting)
        logits, descent = START, optimizer(0.3)
        memory = descent.init(logits)
        for t in range(SMALL.steps):
            gradient, logged = sampled(jax.random.fold_in(KEY, t), logits, SMALL, setting)
            if t % SMALL.interval == 0:
                assert float(seen.gradient_norm[t // SMALL.interval]) == pytest.approx(float(logged[-1]), rel=1e-5)
            updates, memory = descent.update(-gradient, memory, logits)
            logits = logits + updates
        np.testing.assert_allclose(final, logits, rtol=1e-5, atol=1e-6)

    def test_a_longer_run_begins_like_a_shorter_one(self, finished):
        """However often either records."""
        short = replace(SMALL, steps=4, record_every=None)
        _, metrics, seen = run(KEY, START, recipe=short, setting=WARM)
        for longer, shorter in zip((*finished[1], *finished[2]), (*metrics, *seen), strict=True):
            np.testing.assert_allclose(longer[:3:2], shorter, rtol=1e-6, atol=1e-7)

    def test_the_same_key_gives_the_same_bits_and_another_one_others(self, finished):
        again = run(KEY, START, recipe=SMALL, setting=WARM)
        jax.tree.map(np.testing.assert_array_equal, finished, again)
        other = run(jax.random.key(4), START, recipe=SMALL, setting=WARM)
        assert not np.array_equal(finished[0], other[0])

    def test_many_runs_at_once_are_single_runs(self, finished):
        """vmap over keys, logits and every number of a setting."""
        settings = [WARM, SMALL.setting(DR_GRPO, learning_rate=0.5, temperature=2)]
        keys = jnp.stack([KEY, jax.random.key(9)])
        stacked = jax.tree.map(lambda *x: jnp.stack(x), *settings)
        together = jax.jit(jax.vmap(lambda key, logits, setting: train_tabular(key, logits, SMALL, setting)))
        both = together(keys, jnp.stack([START, -START]), stacked)
        alone = run(keys[1], -START, recipe=SMALL, setting=settings[1])
        for i, single in enumerate((finished, alone)):
            jax.tree.map(
                lambda many, one, i=i: np.testing.assert_allclose(many[i], one, rtol=1e-5, atol=1e-6), both, single
            )

    def test_it_learns(self, finished):
        assert finished[1].pass_at_1[-1] > finished[1].pass_at_1[0] + 0.1

    @pytest.mark.parametrize(
        ("logits", "message"),
        [
            (
                START[:2],
                "logits must have shape [prompts, responses] = [3, 5], got [2, 5]. Change the recipe or the start.",
            ),
            (START.astype(int), "logits must be floating-point, got int32. Use logits.astype(float)."),
        ],
        ids=["shape", "type"],
    )
    def test_other_logits_are_refused(self, logits, message):
        for procedure in (
            lambda: train_tabular(KEY, logits, SMALL, SMALL.setting()),
            lambda: sampled_gradient(KEY, logits, SMALL, SMALL.setting()),
            lambda: measure_tabular(logits, SMALL),
        ):
            with pytest.raises(ValueError) as error:
                procedure()
            assert str(error.value) == message

    @pytest.mark.usefixtures("mixed")
    def test_float64(self):
        """The same code in double precision agrees with the definitions to twelve digits."""
        with jax.enable_x64(True):
            logits = jnp.asarray(np.asarray(START, np.float64))
            for name, got, want in zip(Metrics._fields, measured(logits, SMALL), by_hand(START, SMALL), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-12, err_msg=name)
            gradient, _ = sampled(KEY, logits, SMALL, SMALL.setting(RLOO))
            assert gradient.dtype == jnp.float64
            np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-15)


@pytest.mark.parametrize("natural", [False, True])
@pytest.mark.parametrize("start", [0.0, -np.inf])
def test_a_response_that_is_never_given_has_no_pull_and_the_others_have_theirs(natural, start):
    """p log p goes to 0: what is far below and what is at -inf are pulled alike, the others as if it were not there."""
    recipe = replace(SMALL, prompts=1, responses=3, correct=1, natural=natural)
    setting = recipe.setting(kl=0.7, temperature=1.3)
    pull = less_kl(jnp.zeros(3), jnp.array([-jnp.inf, 1.0, 0.0]), jnp.array([start, 0.2, 0.4]), recipe, setting)
    without = less_kl(jnp.zeros(2), jnp.array([1.0, 0.0]), jnp.array([0.2, 0.4]), recipe, setting)
    assert pull[0] == 0
    np.testing.assert_allclose(pull[1:], without, rtol=1e-6)
    assert np.abs(without).min() > 0.01
