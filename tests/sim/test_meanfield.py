"""GRPO without sampling: against a plain float64 loop, closed forms of the flow, and sampled training."""

from dataclasses import replace
from functools import partial
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit

from rlsignal import DR_GRPO, GRPO, MAXRL, RLOO, Estimator, Fixed
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO, GRPO_OPENRLHF
from rlsignal.sim import Recipe, expected_gradient, flow, jump, leap, train_tabular
from rlsignal.sim.jumping import jumps
from rlsignal.sim.tabular import less_kl
from rlsignal.theory import accepted_pmf
from rlsignal.theory.regularisation import kl_fixed_points, kl_gradient

KEY = jax.random.key(8)
SMALL = Recipe(prompts=4, responses=6, correct=2, steps=20, record_every=1, attempts=(4,))
START = jnp.array(
    [[0.0, -1.0, 0.5, 0.2, 0.1, 0.4], [-1.0, -2.0, 0.7, 0, 0.3, 0], [1, 0.7, -0.5, 0, -1, 0.2], [-3, -3.5, 0, 0, 1, 0]]
)

followed = jax.jit(flow, static_argnames="recipe")


def softmax(logits):
    weights = np.exp(logits - logits.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def loop(logits, recipe, estimator, rate, temperature=1.0):
    """The mean update written out: pass@1 before every step and after the last, and the final logits."""
    logits, c, g = np.asarray(logits, np.float64), recipe.correct, recipe.group_size
    correct, incorrect = estimator.table(g)[1, 1:], estimator.table(g)[0, :-1]
    history = []
    for _ in range(recipe.steps):
        pi = softmax(logits / temperature)
        p = pi[:, :c].sum(-1)
        history.append(p.mean())
        weight = sum(
            comb(g - 1, j) * p**j * (1 - p) ** (g - 1 - j) * (correct[j] - incorrect[j]) for j in range(g)
        )  # [prompts]
        slope = pi * ((np.arange(recipe.responses) < c) - p[:, None]) / temperature
        if recipe.natural:
            slope = temperature * np.where(np.arange(recipe.responses) < c, 1.0, 0.0) * np.ones_like(pi)
        logits = logits + rate * weight[:, None] * slope
    history.append(softmax(logits / temperature)[:, :c].sum(-1).mean())
    return np.array(history), logits


class TestExpectedGradient:
    """That sampled gradients have this mean is shown in test_bridge.py."""

    @pytest.mark.parametrize("g", [2, 8, 1024])
    def test_weights_are_the_theory_for_any_group_size(self, g):
        """float32 logarithms of binomial coefficients: 2^-24 of g log 2, and a few more roundings."""
        p = np.array([1e-6, 0.01, 0.1, 0.5, 0.97])
        recipe = Recipe(prompts=5, responses=2, correct=1, group_size=g)
        logits = jnp.asarray(np.stack([logit(p), 0 * p], 1), jnp.float32)
        gradient = np.asarray(expected_gradient(logits, recipe, recipe.setting()), np.float64)
        want = GRPO.weight(p, g) * p * (1 - p)
        np.testing.assert_allclose(gradient[:, 0], want, rtol=4e-6 + 2.0**-23 * g)
        np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-7 * want.max())

    @pytest.mark.usefixtures("mixed")
    def test_double_precision_is_kept(self):
        """Under x64 nothing inside may fall back to float32: finite differences would only see its noise."""
        with jax.enable_x64(True):
            recipe = replace(SMALL, group_size=64)
            setting = recipe.setting()._replace(table=jnp.asarray(GRPO.table(64)))
            logits = jnp.asarray(np.asarray(START, np.float64))
            gradient = np.asarray(expected_gradient(logits, recipe, setting))
            pi = softmax(np.asarray(START, np.float64))
        p = pi[:, :2].sum(-1)
        want = (GRPO.weight(p, 64) * p * (1 - p))[:, None]
        np.testing.assert_allclose(gradient[:, :2].sum(-1, keepdims=True), want, rtol=1e-12)

    @pytest.mark.parametrize("natural", [False, True])
    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda x: x.name)
    def test_certain_policies_stand_still_without_nan(self, estimator, natural):
        recipe = replace(SMALL, natural=natural)
        certain = jnp.array([[1e3, 0, 0, 0, 0, 0], [-1e3, -1e3, 0, 0, 0, 0], [0, 0, -1e3, 1e3, 0, 0], [1e3] * 6])
        gradient = np.asarray(expected_gradient(certain, recipe, recipe.setting(estimator)))
        assert np.all(np.isfinite(gradient))
        if not natural:
            np.testing.assert_array_equal(gradient[:3], 0)


class TestFlow:
    @pytest.mark.parametrize(
        ("estimator", "natural", "temperature"),
        [(GRPO, False, 1.0), (GRPO_NEMO, False, 2.0), (MAXRL, False, 0.7), (GRPO, True, 2.0)],
        ids=lambda x: str(getattr(x, "name", x)),
    )
    def test_is_the_loop_written_out(self, estimator, natural, temperature):
        """Every step within 1e-5: twenty steps of float32 roundings, which the flow does not magnify."""
        recipe = replace(SMALL, natural=natural)
        setting = recipe.setting(estimator, learning_rate=0.5, temperature=temperature)
        final, metrics = followed(START, recipe=recipe, setting=setting)
        history, logits = loop(START, recipe, estimator, 0.5, temperature)
        np.testing.assert_allclose(metrics.pass_at_1, history, atol=1e-5)
        np.testing.assert_allclose(final, logits, atol=5e-5)
        assert history[-1] > history[0] + 0.1

    def test_a_longer_flow_begins_like_a_shorter_one(self):
        setting = SMALL.setting()
        rarely = replace(SMALL, steps=10, record_every=None)
        _, longer = followed(START, recipe=SMALL, setting=setting)
        _, shorter = followed(START, recipe=rarely, setting=setting)
        for many, few in zip(longer, shorter, strict=True):
            np.testing.assert_allclose(many[np.array([0, 10])], few, rtol=1e-6, atol=1e-6)

    def test_no_prompt_ever_gets_worse(self):
        """These weights are positive: correct logits rise and incorrect ones fall, whatever the size of the step."""
        recipe = Recipe(prompts=1, responses=6, correct=2, steps=30, record_every=1)
        logits = 3 * jax.random.normal(KEY, (200, 1, 6))
        curves = jax.jit(jax.vmap(lambda x, setting: flow(x, recipe, setting)[1].pass_at_1, (0, None)))
        for estimator in (GRPO, RLOO, DR_GRPO):
            for rate in (1.0, 100.0):
                rates = np.asarray(curves(logits, recipe.setting(estimator, learning_rate=rate)))
                assert np.diff(rates).min() > -3e-7, (estimator.name, rate)  # a float32 pass rate is rounded
                assert rates[:, -1].mean() > rates[:, 0].mean() + 0.1

    @pytest.mark.parametrize("rate", [0.02, 0.005])
    def test_two_responses_take_their_time(self, rate):
        """F1 with RLOO and both collisions 1: t = [F(p) - F(p0)] / 2 with F = -1/p + 1/(1-p) + 2 logit p.

        Euler steps lag by half a step of the flow's own change of pace, |d log(dp/dt)/dp| < 2/p0: under rate times 2.
        The logistic curve, which is natural gradient's, is far from it.
        """
        p0, end = np.array([0.1, 0.3, 0.6]), 8.0
        recipe = Recipe(prompts=3, responses=2, correct=1, steps=round(end / rate))
        logits = jnp.asarray(np.stack([logit(p0), 0 * p0], 1), jnp.float32)
        final, _ = followed(logits, recipe=recipe, setting=recipe.setting(RLOO, learning_rate=rate))
        p = expit(np.asarray(final[:, 0] - final[:, 1], np.float64))

        def f(p):
            return -1 / p + 1 / (1 - p) + 2 * logit(p)

        times = (f(p) - f(p0)) / 2
        np.testing.assert_allclose(times, end, atol=2 * rate + 1e-3)
        assert np.all(np.abs(logit(p) - logit(p0) - end) > 1)

    @pytest.mark.usefixtures("mixed")
    def test_natural_flow_moves_log_odds_by_rate_times_weight_and_freezes_the_classes(self):
        with jax.enable_x64(True):
            recipe = replace(SMALL, natural=True, steps=1)
            logits = jnp.asarray(np.asarray(START, np.float64))
            for _ in range(5):
                final, _ = followed(logits, recipe=recipe, setting=recipe.setting(GRPO, learning_rate=0.25))
                pi, after = softmax(np.asarray(logits)), softmax(np.asarray(final))
                p = pi[:, :2].sum(-1)
                moved = logit(after[:, :2].sum(-1)) - logit(p)
                np.testing.assert_allclose(moved, 0.25 * GRPO.weight(p, 8), rtol=1e-6)  # a float32 table
                for part in (slice(0, 2), slice(2, 6)):
                    shares, later = (x[:, part] / x[:, part].sum(-1, keepdims=True) for x in (pi, after))
                    np.testing.assert_allclose(later, shares, rtol=1e-13)
                logits = final

    def test_natural_flow_does_not_see_the_classes(self):
        """Two starts with the same pass rates and other shares inside the classes: the same pass rates ever after."""
        recipe = replace(SMALL, natural=True)
        p = softmax(np.asarray(START, np.float64))[:, :2].sum(-1)
        even = np.log(np.hstack([np.repeat(p[:, None] / 2, 2, 1), np.repeat((1 - p)[:, None] / 4, 4, 1)]))
        curves = [
            followed(jnp.asarray(logits, jnp.float32), recipe=recipe, setting=recipe.setting(learning_rate=0.3))[1]
            for logits in (START, even)
        ]
        assert abs(float(curves[0].within_entropy[0]) - float(curves[1].within_entropy[0])) > 0.05
        np.testing.assert_allclose(curves[0].pass_at_1, curves[1].pass_at_1, atol=1e-6)
        np.testing.assert_allclose(curves[0].pass_at_k, curves[1].pass_at_k, atol=1e-6)


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        (optax.adam, "adam"),
        (partial(optax.sgd, momentum=0.9), "sgd(momentum=0.9)"),
        (lambda rate: optax.sgd(rate), "<lambda>"),
    ],
)
def test_other_optimizers_are_refused(optimizer, name):
    recipe = replace(SMALL, optimizer=optimizer)
    with pytest.raises(ValueError) as error:
        flow(START, recipe, recipe.setting())
    assert str(error.value).startswith(
        f"optimizer must be optax.sgd, plain ascent, for the mean field, got {name}. "
        "Under other optimizers the mean of the updates is not the update at the mean"
    )


def test_logits_of_another_shape_are_refused():
    with pytest.raises(ValueError) as error:
        flow(START[:, :5], SMALL, SMALL.setting())
    assert str(error.value) == (
        "logits must have shape [prompts, responses] = [4, 6], got [4, 5]. Change the recipe or the start."
    )


@pytest.mark.parametrize("procedure", [flow, expected_gradient], ids=lambda x: x.__name__)
def test_a_table_for_another_group_size_is_refused(procedure):
    """It would be the flow of that other group size, under this one's name."""
    with pytest.raises(ValueError, match=r"^setting must have a table \[2, 9\] for g = 8, got \[2, 5\]\."):
        procedure(START, SMALL, replace(SMALL, group_size=4).setting())


def outcome(logits, rate):
    """pass@1 after twelve steps, in the precision of its arguments."""
    recipe = replace(SMALL, steps=12, record_every=6)
    return flow(logits, recipe, recipe.setting()._replace(learning_rate=rate))[1].pass_at_1[-1]


class TestDerivatives:
    @pytest.mark.usefixtures("mixed")
    def test_reverse_and_forward_mode_agree_with_finite_differences(self):
        """Central differences of 1e-5 in double precision: 1e-10 of truncation, 1e-11 of rounding."""
        with jax.enable_x64(True):
            logits, rate, h = jnp.asarray(np.asarray(START, np.float64)), jnp.float64(0.5), 1e-5
            value = jax.jit(outcome)
            by_logits, by_rate = jax.jit(jax.grad(outcome, (0, 1)))(logits, rate)
            for x, y in [(0, 0), (1, 3), (2, 5), (3, 1)]:
                nudge = h * jnp.zeros_like(logits).at[x, y].set(1)
                difference = (value(logits + nudge, rate) - value(logits - nudge, rate)) / (2 * h)
                assert float(by_logits[x, y]) == pytest.approx(float(difference), abs=1e-9)
            difference = (value(logits, rate + h) - value(logits, rate - h)) / (2 * h)
            assert float(by_rate) == pytest.approx(float(difference), abs=1e-9)
            direction = jnp.ones_like(logits).at[:, 2:].set(0)
            forward = jax.jit(lambda x: jax.jvp(lambda y: outcome(y, rate), (x,), (direction,))[1])(logits)
            assert float(forward) == pytest.approx(float((by_logits * direction).sum()), rel=1e-10)
            assert abs(float(forward)) > 0.1

    def test_prompts_that_are_never_or_always_right_do_not_spoil_the_rest(self):
        """Spread starts hold them: at dispersion 0.93 log-odds of -100 are common, and float32 has exp(-104) = 0."""
        dead = START.at[0, :2].add(-150).at[1, 0].add(150)
        gradient = np.asarray(jax.jit(jax.grad(outcome))(dead, jnp.float32(0.5)))
        assert np.all(np.isfinite(gradient))
        np.testing.assert_allclose(gradient[:2], 0, atol=1e-12)
        assert np.all(np.abs(gradient[2:, :2]).max(-1) > 1e-3)


class TestSampledTraining:
    def allowed(self, sampled):
        """Five standard errors, and what noise does to a curved pass rate: of order the rate, here under rate / 20."""
        return 5 * sampled.std(0) / np.sqrt(len(sampled)) + RATE / 20

    def test_its_mean_is_the_flow(self, curves):
        sampled, field, _ = curves
        assert np.all(np.abs(sampled.mean(0) - field) < self.allowed(sampled))
        assert field[-1] > field[0] + 0.3

    def test_the_flow_of_ddof_1_is_told_apart(self, curves):
        sampled, _, wrong = curves
        assert np.any(np.abs(sampled.mean(0) - wrong) > self.allowed(sampled))


RATE = 0.05


@pytest.fixture(scope="module")
def curves():
    """pass@1 of 4096 sampled runs [runs, records], of the flow, and of the flow with ddof 1; plain ascent."""
    recipe = replace(SMALL, steps=160, record_every=40)
    many = jax.jit(
        jax.vmap(lambda key: train_tabular(key, START, recipe, recipe.setting(learning_rate=RATE))[1].pass_at_1)
    )
    flows = [
        followed(START, recipe=recipe, setting=recipe.setting(estimator, learning_rate=RATE))[1].pass_at_1
        for estimator in (GRPO, GRPO_OPENRLHF)
    ]
    return tuple(np.asarray(x, np.float64) for x in (many(jax.random.split(KEY, 4096)), *flows))


class TestKL:
    """To the start, exact: the gradient, the fixed points, and that sampling has it too."""

    P = np.array([0.02, 0.1, 0.4])

    @classmethod
    def start(cls):
        shares = np.array([0.3, 0.7, 0.1, 0.2, 0.3, 0.4])
        return jnp.asarray(np.log(np.c_[cls.P[:, None] * shares[:2], (1 - cls.P[:, None]) * shares[2:]]), jnp.float32)

    @pytest.mark.parametrize("temperature", [1.0, 0.5])
    def test_its_gradient_is_that_of_the_policy_s_divergence_from_the_start(self, temperature):
        setting = SMALL.setting(kl=0.3, temperature=temperature)
        pull = less_kl(jnp.zeros_like(START), START[::-1], START, SMALL, setting)
        right, other_way = (
            -0.3 / temperature * kl_gradient(START[::-1] / temperature, START / temperature, k) for k in ("k2", "k3")
        )
        np.testing.assert_allclose(pull, right, atol=1e-6)
        assert np.abs(right - other_way).max() > 0.05

    @pytest.mark.parametrize("natural", [False, True])
    @pytest.mark.parametrize(("estimator", "kl"), [(RLOO, 0.3), (GRPO, 1.0), (GRPO, 4.0)], ids=["0.3", "1", "4"])
    def test_the_flow_ends_at_the_first_fixed_point(self, estimator, kl, natural):
        """Under KL(start || policy) the classes would balance where w p q = kl (p - p0).

        A step below 2^-24 of a logit is lost: the gradient stops at 2.4e-6 of 0, which is 2e-5 of p at kl p = 0.15.
        """
        recipe = Recipe(prompts=3, responses=6, correct=2, steps=20_000, natural=natural)
        setting = recipe.setting(estimator, learning_rate=0.2 / max(1, kl), kl=kl)
        final, _ = followed(self.start(), recipe=recipe, setting=setting)
        p = softmax(np.asarray(final, np.float64))[:, :2].sum(-1)
        np.testing.assert_allclose(p, [kl_fixed_points(p0, 8, estimator, kl_weight=kl)[0] for p0 in self.P], rtol=5e-5)
        grid = np.linspace(0, 1, 10_001)[1:-1]
        surplus = estimator.weight(grid, 8) * grid * (1 - grid) - kl * (grid - self.P[:, None])
        assert np.abs(grid[(surplus < 0).argmax(-1)] - p).max() > 0.01

    def test_sampled_training_has_it_too(self):
        """2000 prompts alike at a small rate: the flow with KL within five standard errors, and not that without."""
        recipe = Recipe(prompts=2000, responses=6, correct=2, steps=200)
        start = jnp.broadcast_to(self.start()[2], (2000, 6))
        setting = recipe.setting(learning_rate=RATE, kl=1.0)
        final, _, _ = jax.jit(train_tabular, static_argnums=2)(KEY, start, recipe, setting)
        p = softmax(np.asarray(final, np.float64))[:, :2].sum(-1)
        one = replace(recipe, prompts=1)
        field, free = (
            float(followed(start[:1], recipe=one, setting=one.setting(learning_rate=RATE, kl=kl))[1].pass_at_1[-1])
            for kl in (1.0, 0.0)
        )
        allowed = 5 * p.std() / np.sqrt(2000) + RATE / 20
        assert abs(p.mean() - field) < allowed
        assert abs(p.mean() - free) > 4 * allowed


class TestDynamicSampling:
    ALIKE = Recipe(prompts=4096, responses=4, correct=1, steps=1)
    run = staticmethod(jax.jit(train_tabular, static_argnums=2))

    def test_a_step_is_the_mean_over_the_accepted_groups(self):
        """The pull on the correct response is E[K A+(K)]/g: over the pmf of accepted groups, and not over all."""
        k, table = np.arange(9), np.nan_to_num(GRPO.table(8)[1])
        right, plain = (pmf @ (k * table) / 8 for pmf in (accepted_pmf(0.1, 8), Fixed(0.1).pmf(8)))
        logits = jnp.broadcast_to(jnp.log(jnp.array([0.1, 0.3, 0.3, 0.3])), (4096, 4))
        recipe = replace(self.ALIKE, dynamic_sampling=True)
        final, _, _ = self.run(KEY, logits, recipe, recipe.setting())
        pulls = (final - logits)[:, 0]
        assert abs(pulls.mean() - right) < 5 * pulls.std() / 64
        assert abs(pulls.mean() - plain) > 20 * pulls.std() / 64

    def test_a_batch_without_informative_groups_stands_still(self):
        certain = jnp.where(jnp.arange(4)[None] < 1, 1e3, 0.0) * jnp.ones((4096, 1))
        recipe = replace(self.ALIKE, dynamic_sampling=True)
        final, _, _ = self.run(KEY, certain, recipe, recipe.setting())
        np.testing.assert_array_equal(final, certain)

    @pytest.mark.slow
    def test_beside_it_kl_keeps_its_weight(self):
        """With two responses w/(1 - p^g - q^g) = kl (logit p - logit p0) where a run stands still, and w_2 = 1.

        Not at w = kl (...), which is the end if KL is divided too, or nothing is.
        """
        start, kl = logit(0.3), 2.0
        recipe = Recipe(prompts=1024, responses=2, correct=1, group_size=2, steps=200, dynamic_sampling=True)
        logits = jnp.broadcast_to(jnp.array([start, 0.0], jnp.float32), (1024, 2))
        final, _, _ = self.run(KEY, logits, recipe, recipe.setting(learning_rate=RATE, kl=kl))
        x = np.asarray(final[:, 0] - final[:, 1], np.float64)
        right = brentq(lambda x: 1 / (2 * expit(x) * expit(-x)) - kl * (x - start), start, 1.0)
        allowed = 5 * x.std() / 32 + RATE / 20
        assert abs(x.mean() - right) < allowed
        assert abs(x.mean() - (start + 1 / kl)) > 4 * allowed

    def test_degenerate_groups_are_dropped_even_where_the_estimator_speaks(self):
        speaks = Estimator("not centred", correct=lambda K, g: 1.0, incorrect=lambda K, g: -1.0)
        table = replace(SMALL, dynamic_sampling=True).setting(speaks).table
        assert (table[0, 0], table[1, -1], table[1, 4]) == (0, 0, 1)


@pytest.mark.parametrize(("kl", "dynamic"), [(0.5, False), (0.0, True)])
def test_where_steps_are_passed_over_kl_and_dynamic_sampling_are_refused(kl, dynamic):
    recipe = replace(SMALL, steps=400, dynamic_sampling=dynamic)
    setting, why = recipe.setting(kl=kl), "^dynamic_sampling must be False .* got True" if dynamic else "^kl .* got 0.5"
    for way in (leap, partial(jump, KEY), *([flow] if dynamic else [])):
        with pytest.raises(ValueError, match=why):
            way(START, recipe, setting)
    assert jumps(replace(recipe, dynamic_sampling=False), recipe.setting())
    assert not jumps(recipe, setting)


class TestLeap:
    """Against the flow, step by step, from starts of the inversion map's sharpening family."""

    TASK = Recipe(prompts=64, steps=200, record_every=50)
    KNOBS = ((0.5, -1.0), (2.0, 0.0), (5.0, 2.0))  # (s, b): sharper, and with more pass@1

    @classmethod
    def starts(cls):
        z = jax.random.normal(jax.random.key(2), (cls.TASK.prompts, cls.TASK.responses))
        correct = (jnp.arange(cls.TASK.responses) < cls.TASK.correct).astype(z.dtype)[None]
        return jnp.stack([s * z + b * correct for s, b in cls.KNOBS])

    @pytest.mark.parametrize("g", [4, 8, 32])
    def test_it_is_the_flow_at_every_record(self, g):
        recipe = replace(self.TASK, group_size=g)
        slow, quick = (
            jax.jit(jax.vmap(lambda x, way=way: way(x, recipe, recipe.setting())[1].pass_at_1))(self.starts())
            for way in (flow, leap)
        )
        assert quick.shape == (3, 5)
        np.testing.assert_allclose(quick, slow, rtol=0, atol=0.003)
        assert np.ptp(slow[1]) > 0.1

    def test_leaps_of_one_step_are_the_flow(self):
        short = partial(leap, reach=0.0)
        slow, quick = (way(self.starts()[1], self.TASK, self.TASK.setting())[0] for way in (flow, short))
        np.testing.assert_allclose(quick, slow, rtol=1e-5, atol=1e-5)

    def test_it_takes_fewer_evaluations_and_is_of_second_order(self):
        """A start whose gradient grows: leaps at the first step's move alone fall behind, these do not."""
        recipe = Recipe(prompts=1, responses=2, correct=1, group_size=8, steps=64)
        start, setting = jnp.array([[-5.0, 0.0]]), recipe.setting()
        reach = 64.0 * float(jnp.abs(expected_gradient(start, recipe, setting)).max())  # all in one leap
        end, quick = (way(start, recipe, setting)[0] for way in (flow, partial(leap, reach=reach)))
        euler = start + 64 * expected_gradient(start, recipe, setting)
        assert float(jnp.abs(quick - end).max()) < 0.25 * float(jnp.abs(euler - end).max())

    def test_other_optimizers_are_refused(self):
        recipe = replace(SMALL, optimizer=optax.adam)
        with pytest.raises(ValueError, match=r"^optimizer must be optax\.sgd, plain ascent"):
            leap(START, recipe, recipe.setting())
