"""Copies of checkpoints, changed in one respect; and the law of what one prompt does to another, to first order."""

import json
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import nn

from experiments.what_decides import CASES, STARTS, alignment, changed, distilled, nearest, pulls, solved, what_decides
from rlsignal import GRPO
from rlsignal.sim import GRPORecipe, Network, Teacher
from rlsignal.sim.policies import Prompts, log_probabilities
from rlsignal.theory import transferred_speed

KEY, PROMPTS, CHOICES = jax.random.key(3), 12, 6


@pytest.fixture(scope="module")
def policies():
    """Two checkpoints [prompts, 2 tokens, choices], the correct tokens, and the nearest prompt's."""
    keys = jax.random.split(KEY, 4)
    mine, other = (nn.softmax(2 * jax.random.normal(k, (PROMPTS, 2, CHOICES))) for k in keys[:2])
    tokens = jax.random.randint(keys[2], (PROMPTS, 2), 0, CHOICES)
    return mine, other, nn.one_hot(tokens, CHOICES), nearest(jax.random.normal(keys[3], (PROMPTS, 3)), tokens)


def of_correct(policy, correct):
    return (policy * correct).sum(-1)


def entropies(policy):
    return -(policy * jnp.log(policy)).sum(-1)


@pytest.mark.parametrize("start", range(len(STARTS)), ids=STARTS)
def test_a_start_keeps_what_it_should(policies, start):
    mine, other, correct, near = policies
    found = changed(KEY, jnp.asarray(start), mine, other, correct, near)
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-5)
    kept = other if start == 2 else mine
    np.testing.assert_allclose(of_correct(found, correct), of_correct(kept, correct), rtol=1e-5)
    if start in (0, 1, 3):
        np.testing.assert_allclose(entropies(found), entropies(mine), rtol=1e-4)
    if start == 2:  # the shape inside the incorrect class is this checkpoint's
        ratio = np.where(correct > 0, np.nan, found / mine)
        assert np.nanmax(np.nanstd(ratio, -1)) < 1e-5
    if start == 3:
        assert np.abs(found - mine).max() > 0.1
    if start == 4:
        assert np.all(entropies(found) >= entropies(mine) - 1e-5)


def test_peaked_starts_are_alike_in_all_but_where(policies):
    peaked = [changed(KEY, jnp.asarray(start), *policies) for start in (5, 6, 7)]
    for other in peaked[1:]:
        np.testing.assert_allclose(jnp.sort(other), jnp.sort(peaked[0]), rtol=1e-4)
    assert len(set(np.asarray(peaked[0] * (1 - policies[2])).argmax(-1).ravel().tolist())) <= 2
    assert len(set(np.asarray(peaked[1] * (1 - policies[2])).argmax(-1).ravel().tolist())) > 2


def test_a_sure_checkpoint_is_copied_without_a_nan():
    sure = nn.one_hot(jnp.zeros((4, 1), int), CHOICES)
    found = changed(KEY, jnp.asarray(3), sure, sure, sure, jnp.ones((4, 1), int))
    assert np.isfinite(found).all()


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


def expected(linear, *, half=6, aligned=True):
    """The law's prediction for all prompts where the first half is trained on."""
    recipe, _, prompts, correct, pi = linear
    p = (pi * correct).sum(-1)
    apart = correct - pi * (1 - correct) / (1 - p[:, None])
    phi = np.asarray(prompts.features, float)
    kernel = phi @ phi[:half].T + 1  # the bias is a feature too
    if not aligned:
        kernel, apart = kernel * (apart @ apart[:half].T > 0), correct
    return transferred_speed(p[:half], recipe.group_size, GRPO, kernel=kernel, trained=apart[:half], moved=apart)


def test_the_law_is_the_derivative_along_the_mean_update(linear):
    recipe, parameters, prompts, _, pi = linear
    found, p = pulls(recipe, parameters, jax.tree.map(lambda x: x[:6], prompts), prompts)
    np.testing.assert_allclose(p, pi[np.arange(PROMPTS), prompts.answers[:, 0]], rtol=1e-3)
    np.testing.assert_allclose(found, expected(linear), atol=1e-3)
    assert np.abs(np.asarray(found) - expected(linear, aligned=False)).max() > 0.05  # answers alone are not the law


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
def test_the_study_on_small_sizes():
    teacher = Network(widths=(24,), tokens=1, choices=8)
    task = Teacher(Network(widths=(8,), tokens=1, choices=8), demonstrations=64, prompts=64)  # 64 is a batch of RL
    student = Network(features=160, widths=(), tokens=1, choices=8)
    starts = (1, 2, 3, 4, 5, 7)
    small = replace(CASES[0], task=task, teacher=teacher, student=student, rate=5.0, starts=starts)
    found = what_decides((small,), depths=(30, 300), steps=60, seeds=2)
    json.dumps(found)
    (first,) = found["cases"]
    rows = {(x["start"], x["deep"]): x for x in first["starts"]}
    for name in (STARTS[3], STARTS[4], STARTS[5]):
        assert rows[name, True]["pass_at_1"] == pytest.approx(rows[STARTS[1], True]["pass_at_1"], abs=2e-3)
    swapped, copy = rows[STARTS[2], False], rows[STARTS[1], True]
    assert swapped["pass_at_1"] == pytest.approx(copy["pass_at_1"], abs=2e-3)
    assert swapped["dispersion"] == pytest.approx(copy["dispersion"], abs=2e-3)
    for deep in (0, 1):  # one error for all is aligned, the nearest prompt's answer is not: it shows in the outcome
        assert rows[STARTS[5], bool(deep)]["alignment"][0] > rows[STARTS[7], bool(deep)]["alignment"][0]
        assert first["one_or_nearest"][0][deep]["estimate"] > 0


def test_a_network_is_distilled(policies):
    """What the linear students of the small study leave out: the network's own way to a copy."""
    policy = Network(features=3, widths=(48,), tokens=2, choices=CHOICES)
    features = jax.random.normal(KEY, (PROMPTS, 3))
    found = jax.jit(distilled, static_argnums=(0, 4))(policy, policy.init(KEY), features, policies[0], 1500)
    assert np.abs(nn.softmax(policy.read(found, features)) - policies[0]).mean() < 0.01
