"""Copies of checkpoints, changed in one respect."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import nn

from experiments.what_decides import (
    CASES,
    STARTS,
    Trainer,
    changed,
    distilled,
    log_parts,
    nearest,
    what_decides,
)
from rlsignal import RLOO
from rlsignal.sim import Network, Sequence, Teacher
from rlsignal.sim.policies import log_probabilities

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


@pytest.mark.slow
def test_the_study_on_small_sizes():
    teacher = Network(widths=(24,), tokens=1, choices=8)
    task = Teacher(Network(widths=(8,), tokens=1, choices=8), demonstrations=64, prompts=64)  # 64 is a batch of RL
    student = Network(features=160, widths=(), tokens=1, choices=8)
    starts = (1, 2, 3, 4, 5, 7)
    small = replace(CASES[0], task=task, teacher=teacher, student=student, starts=starts)
    trainers = replace(CASES[0].trainers[0], rate=5.0), Trainer("2 epochs", 5.0, optax.sgd, RLOO, epochs=2)
    small = replace(small, trainers=trainers)
    found = what_decides((small,), depths=(30, 300), steps=60, seeds=2)
    json.dumps(found)
    first, other = found["cases"]
    assert (first["trainer"], other["trainer"]) == ("", "2 epochs")
    for a, b in zip(first["starts"], other["starts"], strict=True):  # one student, trained in two ways
        assert (a["pass_at_1"], a["entropy"]) == (b["pass_at_1"], b["entropy"])
        assert a["after"] != b["after"]
        assert a["alignment"] != b["alignment"]
    rows = {(x["start"], x["deep"]): x for x in first["starts"]}
    for name in (STARTS[3], STARTS[4], STARTS[5]):
        assert rows[name, True]["pass_at_1"] == pytest.approx(rows[STARTS[1], True]["pass_at_1"], abs=2e-3)
    swapped, copy = rows[STARTS[2], False], rows[STARTS[1], True]
    assert swapped["pass_at_1"] == pytest.approx(copy["pass_at_1"], abs=2e-3)
    assert swapped["dispersion"] == pytest.approx(copy["dispersion"], abs=2e-3)
    for deep in (0, 1):  # one error for all is aligned, the nearest prompt's answer is not: it shows in the outcome
        assert rows[STARTS[5], bool(deep)]["alignment"][0] > rows[STARTS[7], bool(deep)]["alignment"][0]
        assert first["one_or_nearest"][0][deep]["estimate"] > 0


@pytest.mark.parametrize("kind", ["network", pytest.param("recurrent", marks=pytest.mark.slow)])
def test_a_policy_is_distilled(policies, kind):
    """What the linear students of the small study leave out: the way to a copy."""
    if kind == "network":
        policy, wanted = Network(features=3, widths=(48,), tokens=2, choices=CHOICES), policies[0]
    else:
        policy, wanted = Sequence(features=3, width=32, tokens=2, choices=3, ends=False), policies[0].reshape(-1, 1, 12)
        wanted = wanted[..., :9] / wanted[..., :9].sum(-1, keepdims=True)
    features = jax.random.normal(KEY, (PROMPTS, 3))
    found = jax.jit(distilled, static_argnums=(0, 4))(policy, policy.init(KEY), features, wanted, 800)
    assert np.abs(jnp.exp(log_parts(policy, found, features)) - wanted).mean() < 0.01


@pytest.mark.slow
def test_what_is_independent_given_the_prompt():
    """Of a network the tokens, of a recurrent policy the response; in both, together, the policy."""
    features = jax.random.normal(KEY, (PROMPTS, 4))
    for policy, shape in (
        (Network(features=4, widths=(5,), tokens=2, choices=3), (PROMPTS, 2, 3)),
        (Sequence(features=4, width=5, tokens=2, choices=3, ends=False), (PROMPTS, 1, 9)),
    ):
        parameters = jax.tree.map(lambda x: 3 * x + 0.2, policy.init(KEY))
        parts = log_parts(policy, parameters, features)
        assert parts.shape == shape
        first, last = parts[:, 0], parts[:, -1]
        both = (first[:, :, None] + last[:, None]).reshape(PROMPTS, -1) if shape[1] > 1 else first
        np.testing.assert_allclose(both, log_probabilities(policy, parameters, features), atol=1e-5)
