"""The law of what one prompt does to another, to first order, and the numbers that are made of it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import nn

from experiments.alignment import alignment, first_speed, pulls
from experiments.what_decides import solved
from rlsignal import GRPO, MAXRL
from rlsignal.sim import GRPORecipe, Network, Sequence
from rlsignal.sim.policies import Prompts, log_probabilities
from rlsignal.theory import transferred_speed

KEY, PROMPTS, CHOICES = jax.random.key(3), 12, 6


@pytest.fixture(scope="module")
def linear():
    """A linear policy in fixed features, its prompts, and c - d of each."""
    keys = jax.random.split(KEY, 4)
    features = jax.random.normal(keys[0], (PROMPTS, 20)) / np.sqrt(20)
    answers = jax.random.randint(keys[1], (PROMPTS, 1), 0, CHOICES)
    wanted = nn.softmax(1.5 * jax.random.normal(keys[2], (PROMPTS, 1, CHOICES)))
    recipe = GRPORecipe(Network(features=20, widths=(), tokens=1, choices=CHOICES), batch=4, steps=1)
    correct = np.asarray(nn.one_hot(answers[:, 0], CHOICES))
    return recipe, solved(features, wanted), Prompts(features, answers), correct, np.asarray(wanted[:, 0], float)


def expected(linear, g=8, *, half=6, aligned=True):
    """The law's prediction for all prompts where the first half is trained on."""
    _, _, prompts, correct, pi = linear
    p = (pi * correct).sum(-1)
    apart = correct - pi * (1 - correct) / (1 - p[:, None])
    phi = np.asarray(prompts.features, float)
    kernel = phi @ phi[:half].T + 1  # the bias is a feature too
    if not aligned:
        kernel, apart = kernel * (apart @ apart[:half].T > 0), correct
    return transferred_speed(p[:half], g, GRPO, kernel=kernel, trained=apart[:half], moved=apart)


@pytest.mark.parametrize("g", [8, 256])  # C(255, 127) is beyond float32
def test_the_law_is_the_derivative_along_the_mean_update(linear, g):
    recipe, parameters, prompts, _, pi = linear
    found, p = pulls(recipe.policy, parameters, jax.tree.map(lambda x: x[:6], prompts), prompts, GRPO.table(g))
    np.testing.assert_allclose(p, pi[np.arange(PROMPTS), prompts.answers[:, 0]], rtol=1e-3)
    np.testing.assert_allclose(found, expected(linear, g), atol=1e-3)
    assert np.abs(np.asarray(found) - expected(linear, g, aligned=False)).max() > 0.05  # answers alone are not the law


def test_the_pull_of_solved_prompts_is_none(linear):
    """To float32, p is 1: neither a NaN nor a pull is left."""
    recipe, _, prompts, *_ = linear
    sure = jax.tree.map(lambda x: 1e4 * x, solved(prompts.features, nn.one_hot(prompts.answers, CHOICES)))
    found, p = pulls(recipe.policy, sure, prompts, prompts, GRPO.table(256))
    np.testing.assert_array_equal(p, 1)
    np.testing.assert_array_equal(found, 0)


@pytest.mark.slow
def test_sampled_steps_average_to_the_law(linear):
    """4000 steps of GRPO from one policy: the log-odds of every prompt, trained or not."""
    from rlsignal.sim.grpo import experience, loss

    recipe, parameters, prompts, *_ = linear
    trained, setting = jax.tree.map(lambda x: x[:6], prompts), recipe.setting()

    def log_odds(theta):
        log_pi = log_probabilities(recipe.policy, theta, prompts.features)
        at = jnp.take_along_axis(log_pi, prompts.answers, -1)[:, 0]
        return at - jnp.log1p(-jnp.exp(at))

    @jax.jit
    @partial(jax.vmap)
    def moved(key):
        drawn = experience(key, parameters, parameters, trained, recipe, setting)
        gradient = jax.grad(lambda theta: loss(theta, drawn, None, recipe, setting)[0])(parameters)
        return jax.jvp(log_odds, (parameters,), (jax.tree.map(jnp.negative, gradient),))[1]

    each = np.asarray(moved(jax.random.split(KEY, 4000)), float)
    error = each.std(0, ddof=1) / np.sqrt(len(each))
    assert np.abs((each.mean(0) - expected(linear)) / error).max() < 4.5
    assert np.abs((each.mean(0) - expected(linear, aligned=False)) / error).max() > 20


def test_the_alignment_number_is_of_unsolved_prompts():
    pull = np.array([[1.0, -3.0, 5.0]])
    assert alignment(pull, np.array([[0.0, 0.0, 1.0]]))[0] == pytest.approx(-1)
    assert alignment(pull, np.array([[0.5, 0.5, 0.5]]), k=1)[0] == pytest.approx(1)


@pytest.mark.slow
def test_the_pull_is_that_of_any_policy_estimator_and_number_of_correct_responses():
    """A recurrent policy with two correct responses, moved a little along the mean over prompts of w(p) grad p."""
    policy, g, keys = Sequence(features=4, width=8, tokens=2, choices=3), 4, jax.random.split(KEY, 4)
    prompts = Prompts(jax.random.normal(keys[0], (5, 4)), jnp.stack([jnp.arange(5) % 4, jnp.full(5, 4)], -1))
    draw = jax.random.normal(keys[1], (3,))
    parameters = jax.tree.map(lambda x: x + draw[0] / 3, policy.init(keys[2]))

    def rates(theta, answers=slice(None)):
        log_pi = log_probabilities(policy, theta, prompts.features)
        return jnp.exp(jnp.take_along_axis(log_pi, prompts.answers[:, answers], -1)).sum(-1)

    def moved(answers):
        weight = MAXRL.weight(np.asarray(rates(parameters, answers), float), g) / 5
        along = jax.grad(lambda theta: (np.float32(weight) * rates(theta, answers)).sum())(parameters)
        back, onward = (jax.tree.map(lambda x, u, h=h: x + h * u, parameters, along) for h in (-0.02, 0.02))
        return (rates(onward) - rates(back)) / 0.04

    pull, p = pulls(policy, parameters, prompts, prompts, np.asarray(MAXRL.table(g), np.float32))
    np.testing.assert_allclose(p, rates(parameters), rtol=1e-4)
    np.testing.assert_allclose(p * (1 - p) * pull, moved(slice(None)), rtol=0.01, atol=1e-5)
    assert first_speed(pull, p) == pytest.approx(float(moved(slice(None)).mean()), rel=0.01)
    assert np.abs(moved(slice(1)) / moved(slice(None)) - 1).max() > 0.1  # the first of them alone is not the law
