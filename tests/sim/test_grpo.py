"""GRPO: sampled gradients average to those of enumeration, clipping and KL included; on one token it is the fast path.

Four prompts, seven responses of several lengths, and parameters away from those that sampled, so that ratios are
clipped on both sides.
"""

from dataclasses import replace
from functools import cache, partial
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from rlsignal import DR_GRPO, GRPO, RLOO, Estimator
from rlsignal.estimators import GRPO_NEMO
from rlsignal.sim import grpo, tabular
from rlsignal.sim.grpo import GRPORecipe
from rlsignal.sim.policies import (
    Prompts,
    Sequence,
    Tabular,
    log_probabilities,
    measure_policy,
    responses,
    score,
    spelled,
)
from rlsignal.sim.tasks import Demonstrations, Task

pytestmark = pytest.mark.usefixtures("mixed")

KEY = jax.random.key(8)
SIZE = 4
POLICY = Sequence(features=3, width=3, tokens=2, choices=3)
PROMPTS = Prompts(jax.random.normal(jax.random.key(1), (4, 3)), jnp.array([[0, 4], [1, 8], [3, 0], [4, 8]]))
SHOWN = Demonstrations(PROMPTS.features + 1, jnp.array([[0, 1], [2, 2], [1, 1], [1, 0]]))
TASK = Task(SHOWN, PROMPTS, Prompts(-PROMPTS.features, PROMPTS.answers))
RECIPE = GRPORecipe(POLICY, batch=4, group_size=SIZE, steps=6, record_every=2, reference=True, attempts=(1, 10))
WEIGHTS = {"clip": (0.1, 0.15), "kl": 0.3, "entropy": 0.2, "temperature": 1.3}

run = jax.jit(grpo.train_policy, static_argnames="recipe")
loss = jax.jit(grpo.loss, static_argnums=3)
experience = jax.jit(grpo.experience, static_argnums=4)


def perturbed(seed, size=0.4):
    flat, unravel = ravel_pytree(POLICY.init(KEY))
    return unravel(flat + size * jax.random.normal(jax.random.key(seed), flat.shape))


FIRST, SAMPLER = perturbed(1), perturbed(2, 0.6)
NOW = jax.tree.map(lambda x, y: x + 0.3 * y, SAMPLER, perturbed(3))


def drawn(key, recipe, setting):
    return experience(key, SAMPLER, FIRST, PROMPTS, recipe, setting)


def exact_loss(parameters, recipe, setting, clip=True, estimate="k3"):
    """The mean of the loss over all groups: responses enumerated, the others' successes binomial. Nothing is sampled.

    Written for what it means: sums over responses y and over the successes J of the other rollouts.
    """
    count, t, others = responses(POLICY), setting.temperature, SIZE - 1
    tokens = spelled(POLICY, jnp.broadcast_to(jnp.arange(count), (4, count)))
    pi = jnp.exp(log_probabilities(POLICY, SAMPLER, PROMPTS.features, t))
    now, then, start = (score(POLICY, x, PROMPTS.features, tokens, t) for x in (parameters, SAMPLER, FIRST))
    correct = PROMPTS.rewards(jnp.broadcast_to(jnp.arange(count), (4, count))).astype(int)
    p = (pi * correct).sum(-1)
    length = then.mask.sum(-1) if recipe.normalisation == "sequence" else POLICY.tokens
    ratio = jnp.exp(now.log_probs - then.log_probs)
    bounded = jnp.clip(ratio, 1 - setting.clip_low, 1 + setting.clip_high) if clip else ratio
    total = 0.0
    for j in range(SIZE):
        chance = comb(others, j) * p**j * (1 - p) ** (others - j)
        advantage = setting.table[correct, j + correct][..., None]
        surrogate = jnp.minimum(ratio * advantage, bounded * advantage) * then.mask
        total += (chance[:, None] * pi * surrogate.sum(-1) / length).sum(-1)
    gap = start.log_probs - now.log_probs
    kl = {"k3": jnp.exp(gap) - 1 - gap, "k1": -gap, "k2": gap**2 / 2}[estimate] * then.mask
    per_token = setting.entropy * now.entropy - setting.kl * kl
    return -(total + (pi * per_token.sum(-1) / length).sum(-1)).mean()


@partial(jax.jit, static_argnums=0)
def gradients(recipe, setting):
    """Of the loss at NOW, for independent batches from SAMPLER, [batches, parameters]."""

    def one(key):
        seen = drawn(key, recipe, setting)
        return ravel_pytree(jax.grad(lambda p: loss(p, seen, None, recipe, setting)[0])(NOW))[0]

    return jax.vmap(one)(jax.random.split(jax.random.key(9), 2**14))


@partial(jax.jit, static_argnums=0, static_argnames=("clip", "estimate"))
def exact_gradient(recipe, setting, **mistake):
    return ravel_pytree(jax.grad(lambda p: exact_loss(p, recipe, setting, **mistake))(NOW))[0]


@cache
def sampled(estimator, normalisation):
    recipe = replace(RECIPE, normalisation=normalisation)
    return np.asarray(gradients(recipe, recipe.setting(estimator, **WEIGHTS)), np.float64)


def enumerated(estimator, normalisation, numbers=WEIGHTS, **mistake):
    recipe = replace(RECIPE, normalisation=normalisation)
    return exact_gradient(recipe, recipe.setting(estimator, **numbers), **mistake)


def far(estimator, normalisation, want):
    drawn_here = sampled(estimator, normalisation)
    error = drawn_here.std(0) / np.sqrt(len(drawn_here))
    gap = np.abs(drawn_here.mean(0) - np.asarray(want, np.float64))
    return bool((gap > 5 * error + 1e-6).any())


class TestLoss:
    @pytest.mark.parametrize("estimator", [GRPO, GRPO_NEMO, DR_GRPO], ids=lambda x: x.name)
    @pytest.mark.parametrize("normalisation", ["sequence", "constant"])
    def test_sampled_gradient_is_on_average_that_of_enumeration(self, estimator, normalisation):
        assert not far(estimator, normalisation, enumerated(estimator, normalisation))

    @pytest.mark.parametrize(
        "mistake",
        [
            {"clip": False},
            {"estimate": "k1"},
            {"estimate": "k2"},
            {"numbers": WEIGHTS | {"clip": (0.15, 0.1)}},
            {"numbers": WEIGHTS | {"entropy": 0.0}},
            {"numbers": WEIGHTS | {"temperature": 1.0}},
        ],
        ids=str,
    )
    def test_nearest_mistakes_are_rejected(self, mistake):
        assert far(GRPO, "sequence", enumerated(GRPO, "sequence", **mistake))

    def test_ratios_are_clipped_on_both_sides(self):
        """Otherwise the tests above would show nothing of clipping."""
        seen = drawn(KEY, RECIPE, RECIPE.setting(**WEIGHTS))
        ratio = np.exp(
            score(POLICY, NOW, PROMPTS.features, seen.rollouts.tokens, 1.3).log_probs - seen.rollouts.log_probs
        )
        assert (ratio < 0.9).any()
        assert (ratio > 1.15).any()

    @pytest.mark.parametrize("normalisation", ["sequence", "token", "constant"])
    def test_gradient_agrees_with_finite_differences(self, normalisation):
        """Every term at once, in double precision."""
        recipe = replace(RECIPE, normalisation=normalisation, demonstrations=4)
        setting = recipe.setting(**WEIGHTS, imitation=0.5)
        seen = drawn(KEY, recipe, setting)
        with jax.enable_x64(True):
            flat, unravel = ravel_pytree(jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), NOW))
            value = jax.jit(lambda x: loss(unravel(x), seen, SHOWN, recipe, setting)[0])
            gradient = np.asarray(jax.jit(jax.grad(value))(flat))
            for i in np.random.default_rng(1).choice(len(flat), 20, replace=False):
                step = np.eye(1, len(flat), i)[0] * 1e-5
                slope = float(value(flat + step) - value(flat - step)) / 2e-5
                assert gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-9)

    def test_what_a_token_counts(self):
        """With a bonus of one nat per token the loss is minus the mean entropy, by each normalisation's weights."""
        setting = RECIPE.setting(SILENT, entropy=1.0)
        seen = drawn(KEY, RECIPE, setting)
        mask, entropy = (np.asarray(x, np.float64) for x in (seen.rollouts.mask, seen.rollouts.entropy))
        assert 0 < (mask.sum(-1) == 1).mean() < 1  # lengths differ
        wanted = {
            "sequence": (entropy.sum(-1) / mask.sum(-1)).mean(),
            "token": entropy.sum() / mask.sum(),
            "constant": entropy.sum() / mask.size,
        }
        for name, want in wanted.items():
            found = loss(SAMPLER, seen, None, replace(RECIPE, normalisation=name), setting)[0]
            assert float(found) == pytest.approx(-want, rel=1e-5)

    def test_kl_to_itself_is_nothing(self):
        setting = RECIPE.setting(kl=1.0)
        seen = experience(KEY, FIRST, FIRST, PROMPTS, RECIPE, setting)
        assert float(loss(FIRST, seen, None, RECIPE, setting)[1][1]) == pytest.approx(0, abs=1e-9)


class TestFastPath:
    """One token per response, every prompt in the batch: the tabular simulator, divided by the number of prompts."""

    policy, fast = Tabular(prompts=3, choices=5), tabular.Recipe(prompts=3, responses=5, correct=2, group_size=SIZE)
    prompts = Prompts(jnp.arange(3), jnp.tile(jnp.arange(2), (3, 1)))
    logits = jnp.array([[0.0, -1.0, 0.5, 0.2, 0.1], [-2.0, -3.0, 1.0, 0.0, 0.3], [1.0, 0.7, -0.5, 0.0, -1.0]])
    recipe = GRPORecipe(policy, batch=3, group_size=SIZE, steps=100, attempts=(8,), optimizer=optax.sgd)

    @pytest.mark.parametrize("estimator", [GRPO, GRPO_NEMO], ids=lambda x: x.name)
    @pytest.mark.parametrize(("normalisation", "temperature"), [("sequence", 1.0), ("token", 1.5), ("constant", 0.7)])
    def test_the_same_draws_give_the_same_gradient(self, monkeypatch, estimator, normalisation, temperature):
        monkeypatch.setattr(tabular, "_words", partial(jax.random.bits, dtype=jnp.uint32))  # the draws of networks
        recipe = replace(self.recipe, normalisation=normalisation)
        setting = recipe.setting(estimator, temperature=temperature)
        seen = experience(KEY, self.logits, self.logits, self.prompts, recipe, setting)
        found = jax.grad(lambda x: loss(x, seen, None, recipe, setting)[0])(self.logits)
        fast_setting = self.fast.setting(estimator, temperature=temperature)
        want, _ = tabular.sampled_gradient(jax.random.fold_in(KEY, 0), self.logits, self.fast, fast_setting)
        np.testing.assert_allclose(-3 * found, want, atol=1e-6)

    def test_runs_end_alike(self):
        """Means over 256 keys agree within five standard errors, and those of half the rate do not."""
        keys, task = jax.random.split(KEY, 256), Task(SHOWN, self.prompts, self.prompts)

        def mine(key, rate):
            setting = self.recipe.setting(learning_rate=3 * rate)
            return grpo.train_policy(key, self.logits, task, self.recipe, setting)[1][0].metrics.pass_at_1[-1]

        def theirs(key):
            recipe = replace(self.fast, steps=100)
            return tabular.train_tabular(key, self.logits, recipe, recipe.setting(learning_rate=0.05))[1].pass_at_1[-1]

        full, half, fast = (
            np.asarray(jax.jit(jax.vmap(x))(keys), np.float64)
            for x in (partial(mine, rate=0.05), partial(mine, rate=0.025), theirs)
        )
        error = np.hypot(full.std(), fast.std()) / 16
        assert abs(full.mean() - fast.mean()) < 5 * error
        assert abs(half.mean() - fast.mean()) > 5 * error


TRAINED = replace(RECIPE, steps=60, record_every=20, epochs=2, demonstrations=4)
SILENT = Estimator("none", lambda K, g: 0 * K, lambda K, g: 0 * K)


def trained(**numbers):
    """(final parameters, (Measured, Measured), PolicyStepMetrics) of one recipe, whatever the numbers."""
    return run(KEY, SAMPLER, TASK, recipe=TRAINED, setting=TRAINED.setting(**{"learning_rate": 0.03} | numbers))


class TestTrain:
    def test_records_metrics_of_the_policy_at_each_record(self):
        final, (on_trained, on_fresh), seen = trained()
        assert on_trained.metrics.pass_at_k.shape == (4, 2)
        assert seen.groups.degenerate.shape == (4,)
        measured = jax.jit(partial(measure_policy, POLICY, group_size=SIZE, attempts=(1, 10)))
        for at, parameters in ((0, SAMPLER), (-1, final)):
            for found, prompts in ((on_trained, TASK.train), (on_fresh, TASK.fresh)):
                here = jax.tree.map(lambda x, at=at: x[at], found)
                close = partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
                jax.tree.map(close, here, measured(parameters, prompts))

    def test_a_longer_run_begins_like_a_shorter_one(self):
        shorter = replace(TRAINED, steps=40)
        short = run(KEY, SAMPLER, TASK, recipe=shorter, setting=shorter.setting(learning_rate=0.03))
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x[:3], y, rtol=1e-3, atol=1e-4), trained()[1:], short[1:])

    def test_it_learns(self):
        metrics = trained()[1][0].metrics
        assert metrics.pass_at_1[-1] > metrics.pass_at_1[0] + 0.1

    def test_later_epochs_are_clipped(self):
        """Ratios are 1 until the first update."""
        assert trained(clip=(0.01, 0.01))[2].clipped.max() > 0
        setting = RECIPE.setting(clip=(0.01, 0.01))
        assert float(loss(SAMPLER, drawn(KEY, RECIPE, setting), None, RECIPE, setting)[1][0]) == 0

    def test_kl_keeps_the_policy_at_its_start(self):
        free, held = (trained(kl=kl)[2] for kl in (0.0, 1.0))
        assert float(held.kl[-1]) < 0.5 * float(free.kl[-1])

    def test_entropy_bonus_raises_entropy(self):
        low, high = (trained(entropy=weight)[1][0].metrics.entropy[-1] for weight in (0.0, 1.0))
        assert high > low + 0.1

    def test_imitation_alone_is_fine_tuning(self):
        """Without advantages, the demonstrations are learned."""
        final = trained(estimator=SILENT, imitation=1.0)[0]
        shown = [score(POLICY, x, SHOWN.features, SHOWN.tokens[:, None]).log_probs.mean() for x in (SAMPLER, final)]
        assert float(shown[1]) > 0.3 * float(shown[0])

    def test_a_run_that_diverges_says_so(self):
        setting = TRAINED.setting()._replace(learning_rate=jnp.float32(jnp.nan))
        _, measured, _ = run(KEY, SAMPLER, TASK, recipe=TRAINED, setting=setting)
        assert all(np.isnan(np.asarray(x)[-1]).all() for x in jax.tree.leaves(measured))
        assert np.isfinite(measured[0].metrics.pass_at_1[0])

    def test_every_number_of_a_setting_is_swept_in_one_compilation(self):
        trained()
        before = run._cache_size()
        for numbers in ({"learning_rate": 0.1}, WEIGHTS, {"imitation": 0.5, "estimator": RLOO}, {"clip": (0.2, 0.28)}):
            trained(**numbers)
        assert run._cache_size() == before


class TestDynamicSampling:
    recipe = replace(RECIPE, batch=2, candidates=2)
    setting = recipe.setting()

    def test_the_first_informative_groups_train_alone(self):
        kept = set()
        value = jax.jit(lambda seen: loss(NOW, seen, None, self.recipe, self.setting)[0])
        for seed in range(8):
            seen = drawn(jax.random.key(seed), self.recipe, self.setting)
            successes = np.asarray(seen.rewards.sum(-1))
            informative = np.flatnonzero((successes > 0) & (successes < SIZE))[:2]
            training = grpo._informative(seen, self.recipe)
            kept.add(int(training.kept.sum()))
            assert int(training.kept.sum()) == len(informative)
            np.testing.assert_array_equal(training.rewards[: len(informative)], seen.rewards[informative])
            if len(informative):
                alone = jax.tree.map(lambda x, some=informative: x[some], seen)
                assert float(value(training)) == pytest.approx(float(value(alone)), abs=1e-6)
        assert kept >= {1, 2}

    def test_where_no_group_is_informative_nothing_is_learned(self):
        certain = PROMPTS._replace(answers=jnp.full((4, 1), 7))  # a token after the end: no response at all
        seen = experience(KEY, SAMPLER, FIRST, certain, self.recipe, self.setting)
        training = grpo._informative(seen, self.recipe)
        gradient = jax.grad(lambda p: loss(p, training, None, self.recipe, self.setting)[0])(NOW)
        assert all(np.all(np.asarray(x) == 0) for x in jax.tree.leaves(gradient))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: replace(RECIPE, batch=0), "batch must be at least 1, got 0."),
        (lambda: replace(RECIPE, group_size=1), "group_size must be at least 2, got 1."),
        (
            lambda: replace(RECIPE, record_every=4),
            "record_every must divide steps = 6, got 4. Choose a divisor, such as 3.",
        ),
        (lambda: replace(RECIPE, attempts=()), "attempts must be a tuple of at least one k, got (). For pass@8: (8,)."),
        (lambda: replace(RECIPE, attempts=8), "attempts must be a tuple of at least one k, got 8. For pass@8: (8,)."),
        (lambda: replace(RECIPE, steps=10**10), "steps must be at most 1000000000, got 10000000000."),
        (
            lambda: replace(RECIPE, normalisation="tokens"),
            "normalisation must be 'sequence', 'token' or 'constant', got 'tokens'.",
        ),
        (
            lambda: replace(RECIPE, reference=False).setting(kl=0.1),
            "kl must be 0 where the recipe leaves its term out, got 0.1. Add reference=True.",
        ),
        (
            lambda: RECIPE.setting(imitation=0.1),
            "imitation must be 0 where the recipe leaves its term out, got 0.1. Add demonstrations=....",
        ),
        (lambda: RECIPE.setting(clip=(1.5, 0.2)), "clip_low must lie in [0, 1], got 1.5."),
        (
            lambda: grpo.train_policy(KEY, SAMPLER, TASK, replace(RECIPE, candidates=2), RECIPE.setting()),
            "batch * candidates must be at most 4, got 8. The task has 4 prompts; lower batch or candidates.",
        ),
        (
            lambda: grpo.train_policy(KEY, SAMPLER, TASK, replace(RECIPE, group_size=8), RECIPE.setting()),
            "setting must have a table [2, 9] for g = 8, got [2, 5]. "
            "Make it with recipe.setting(...) of the same recipe.",
        ),
    ],
)
def test_impossible_runs_are_refused(build, message):
    with pytest.raises(ValueError) as error:
        build()
    assert str(error.value) == message
