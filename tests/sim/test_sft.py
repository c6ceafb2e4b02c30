"""SFT: the loss by hand and by finite differences; one run whose checkpoints do not depend on each other."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from rlsignal.sim.policies import Network, Sequence, Tabular, log_probabilities
from rlsignal.sim.sft import SFTRecipe, cross_entropy, finetune
from rlsignal.sim.tasks import Demonstrations

pytestmark = pytest.mark.usefixtures("mixed")

KEY = jax.random.key(6)
NETWORK = Network(features=3, widths=(5,), tokens=2, choices=4)
SEQUENCE = Sequence(features=3, width=4, tokens=3, choices=4)
FEATURES = jax.random.normal(jax.random.key(1), (12, 3))
SHOWN = Demonstrations(FEATURES, jax.random.randint(jax.random.key(2), (12, 2), 0, 4))
SEVERAL_LENGTHS = Demonstrations(FEATURES, jax.random.randint(jax.random.key(2), (12, 3), 0, 4))
SMALL = SFTRecipe(NETWORK, depths=(0, 3, 10), batch=5)
START = NETWORK.init(KEY)

run = jax.jit(finetune, static_argnames="recipe")


def at(checkpoints, i):
    return jax.tree.map(lambda x: x[i], checkpoints)


def close(a, b, **tolerance):
    jax.tree.map(partial(np.testing.assert_allclose, **{"rtol": 1e-5, "atol": 1e-6, **tolerance}), a, b)


class TestCrossEntropy:
    def test_is_the_mean_surprise_at_what_is_shown(self):
        log_pi = np.asarray(log_probabilities(NETWORK, START, SHOWN.features), np.float64)
        tokens = np.asarray(SHOWN.tokens)
        want = -log_pi[np.arange(12), 4 * tokens[:, 0] + tokens[:, 1]].mean() / 2
        assert float(cross_entropy(NETWORK, START, SHOWN)) == pytest.approx(want, rel=1e-5)

    def test_smoothing_spreads_a_share_of_each_target_evenly(self):
        logits = jnp.array([[1.0, 0.0, -1.0, 2.0]])
        target = np.array([0.05, 0.05, 0.85, 0.05])
        want = -target @ np.asarray(jax.nn.log_softmax(logits[0]))
        shown = Demonstrations(jnp.array([0]), jnp.array([[2]]))
        found = cross_entropy(Tabular(prompts=1, choices=4), logits, shown, 0.2)
        assert float(found) == pytest.approx(want, rel=1e-6)

    def test_nothing_is_learned_from_after_the_end(self):
        end = SEQUENCE.choices - 1
        endings = [jnp.array([[1, end, filler]]) for filler in (0, 2, end)]
        losses = [cross_entropy(SEQUENCE, SEQUENCE.init(KEY), Demonstrations(FEATURES[:1], x), 0.1) for x in endings]
        assert len({float(x) for x in losses}) == 1

    @pytest.mark.parametrize(
        ("policy", "shown"), [(NETWORK, SHOWN), (SEQUENCE, SEVERAL_LENGTHS)], ids=["network", "sequence"]
    )
    @pytest.mark.parametrize("smoothing", [0.0, 0.2])
    def test_gradient_agrees_with_finite_differences(self, policy, shown, smoothing):
        with jax.enable_x64(True):
            flat, unravel = ravel_pytree(jax.tree.map(lambda x: jnp.asarray(x, jnp.float64), policy.init(KEY)))
            flat = flat + 0.3 * np.random.default_rng(0).normal(size=flat.shape)
            exact = Demonstrations(jnp.asarray(shown.features, jnp.float64), shown.tokens)
            loss = jax.jit(lambda x: cross_entropy(policy, unravel(x), exact, smoothing))
            gradient = np.asarray(jax.grad(loss)(flat))
            for i in np.random.default_rng(1).choice(len(flat), 20, replace=False):
                step = np.eye(1, len(flat), i)[0] * 1e-5
                slope = float(loss(flat + step) - loss(flat - step)) / 2e-5
                assert gradient[i] == pytest.approx(slope, rel=1e-6, abs=1e-9)


class TestFinetune:
    def test_depth_0_is_always_there_and_is_the_start(self):
        assert replace(SMALL, depths=(3, 10)) == SMALL
        close(at(run(KEY, START, SHOWN, recipe=SMALL, setting=SMALL.setting()), 0), START, rtol=0, atol=0)

    def test_a_checkpoint_does_not_depend_on_the_others(self):
        checkpoints = run(KEY, START, SHOWN, recipe=SMALL, setting=SMALL.setting())
        finer = replace(SMALL, depths=(0, 1, 3, 7, 10, 20))
        again = run(KEY, START, SHOWN, recipe=finer, setting=SMALL.setting())
        for i, j in ((1, 2), (2, 4)):
            close(at(checkpoints, i), at(again, j))

    def test_is_descent_step_by_step(self):
        """With every demonstration in the batch."""
        recipe = replace(SMALL, batch=64, optimizer=partial(optax.adamw, weight_decay=0.5))
        parameters, optimizer = START, recipe.optimizer(0.01)
        memory = optimizer.init(parameters)
        gradient = jax.jit(jax.grad(lambda p: cross_entropy(NETWORK, p, SHOWN, 0.1)))
        for _ in range(10):
            updates, memory = optimizer.update(gradient(parameters), memory, parameters)
            parameters = optax.apply_updates(parameters, updates)
        found = run(KEY, START, SHOWN, recipe=recipe, setting=recipe.setting(learning_rate=0.01, smoothing=0.1))
        close(at(found, 2), parameters, atol=1e-5)

    def test_batches_average_to_all_demonstrations(self):
        """One plain step from many keys: the mean update is the whole gradient, within five standard errors."""
        recipe = SFTRecipe(NETWORK, depths=(1,), batch=5, optimizer=optax.sgd)
        keys = jax.random.split(KEY, 4096)
        setting = recipe.setting(learning_rate=1.0)
        ends = jax.jit(jax.vmap(lambda key: ravel_pytree(at(finetune(key, START, SHOWN, recipe, setting), 1))[0]))(keys)
        steps = np.asarray(ends, np.float64) - np.asarray(ravel_pytree(START)[0])
        whole = -ravel_pytree(jax.grad(lambda p: cross_entropy(NETWORK, p, SHOWN))(START))[0]
        assert np.all(np.abs(steps.mean(0) - whole) <= 5 * steps.std(0) / 64 + 1e-6)

    def test_it_learns_by_heart(self):
        recipe = replace(SMALL, depths=(300,), batch=12)
        checkpoints = run(KEY, START, SHOWN, recipe=recipe, setting=recipe.setting(learning_rate=0.03))
        assert float(cross_entropy(NETWORK, at(checkpoints, 1), SHOWN)) < 0.2

    def test_many_runs_compile_once(self):
        """Rates and smoothing are swept."""
        recipe, before = replace(SMALL, depths=(2,)), run._cache_size()
        for rate, smoothing in ((1e-3, 0.0), (1e-2, 0.1), (1e-4, 0.2)):
            run(KEY, START, SHOWN, recipe=recipe, setting=recipe.setting(learning_rate=rate, smoothing=smoothing))
        assert run._cache_size() == before + 1

    @pytest.mark.parametrize(
        ("build", "message"),
        [
            (lambda: SFTRecipe(NETWORK, depths=(3, 3)), "depths must rise, got (3, 3). Sort them, each once."),
            (lambda: SFTRecipe(NETWORK, depths=(-1,)), "depths must be at least 0, got -1."),
            (lambda: SFTRecipe(NETWORK, batch=0), "batch must be at least 1, got 0."),
            (lambda: SMALL.setting(smoothing=1.5), "smoothing must lie in [0, 1], got 1.5."),
            (
                lambda: SMALL.setting(learning_rate=0),
                "learning_rate must be above 0, got 0.",
            ),
        ],
    )
    def test_impossible_runs_are_refused(self, build, message):
        with pytest.raises(ValueError) as error:
            build()
        assert str(error.value) == message
