"""The bridge between the theory and the simulator: sampled gradients, averaged, are the weight times grad p.

Every coordinate must lie within five standard errors, and the nearest wrong weight must not. First the simulator's own
tabular policies; then a network with shared parameters, written out here, which has nothing from `sim` in it.
"""

from dataclasses import replace
from functools import cache, partial
from math import sqrt

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import nn, random
from jax.flatten_util import ravel_pytree

from rlsignal import DR_GRPO, GRPO, MAXRL, RLOO, Estimator, Fixed
from rlsignal.estimators import (
    ESTIMATORS,
    GRPO_NEMO,
    GRPO_OPENRLHF,
    GRPO_TRL,
    GRPO_VERL,
    down_sampled,
    filtered,
)
from rlsignal.sim import Recipe, expected_gradient, sampled_gradient
from rlsignal.theory import screened

GROUPS, SIZE, CORRECT = 2**16, 8, 2
STANDARD_ERRORS = 5

ODD = Estimator(
    "odd", lambda K, g: np.cos(3 * K) + K**2 / g, lambda K, g: np.sin(K + g)
)  # neither centred nor monotone
EVERY = (*ESTIMATORS, ODD)
every_estimator = pytest.mark.parametrize("estimator", EVERY, ids=lambda estimator: estimator.name)


def as_if_centred(estimator, p, g):
    """E[K A+(K)] / (g p q): right only where a group's advantages sum to zero."""
    return np.array([Fixed(x).pmf(g) @ (np.arange(g + 1) * estimator.table(g)[1]) for x in p]) / (g * p * (1 - p))


TEMPTING = [
    (GRPO, "1/sqrt(pq)", lambda p, g: 1 / np.sqrt(p * (1 - p))),
    (GRPO, "sqrt(g-1), its limit at p = 0", lambda p, g: sqrt(g - 1) + 0 * p),
    (GRPO, "ddof 1", lambda p, g: GRPO_OPENRLHF.weight(p, g)),
    (GRPO_TRL, "ddof 0", lambda p, g: GRPO.weight(p, g)),
    (GRPO_VERL, "ddof 0", lambda p, g: GRPO.weight(p, g)),
    (GRPO_OPENRLHF, "ddof 0", lambda p, g: GRPO.weight(p, g)),
    (GRPO_NEMO, "as if centred", partial(as_if_centred, GRPO_NEMO)),
    (GRPO_NEMO, "GRPO", lambda p, g: GRPO.weight(p, g)),
    (DR_GRPO, "1", lambda p, g: 1 + 0 * p),
    (RLOO, "(g-1)/g", lambda p, g: (g - 1) / g + 0 * p),
    (MAXRL, "1/p", lambda p, g: 1 / p),
    (MAXRL, "(1 - q^g)/p", lambda p, g: (1 - (1 - p) ** g) / p),
    (ODD, "as if centred", partial(as_if_centred, ODD)),
]
every_mistake = pytest.mark.parametrize(
    ("estimator", "wrong"), [row[::2] for row in TEMPTING], ids=[f"{row[0].name}: {row[1]}" for row in TEMPTING]
)


def z_scores(gradients, want):
    """(mean - want) / standard error of gradients [groups, ...], per coordinate, summed in float64."""
    gradients = np.asarray(gradients, np.float64)
    error = gradients.std(0) / sqrt(len(gradients))
    return (gradients.mean(0) - np.asarray(want, np.float64)) / error


def far(z):
    return np.abs(z).max() > STANDARD_ERRORS


# Tabular policies: four prompts of six responses.

PASS_RATES = np.array([0.05, 0.2, 0.5, 0.9])
INSIDE_RIGHT, INSIDE_WRONG = np.array([0.7, 0.3]), np.array([0.4, 0.3, 0.2, 0.1])
LOGITS = np.log(np.hstack([np.outer(PASS_RATES, INSIDE_RIGHT), np.outer(1 - PASS_RATES, INSIDE_WRONG)]))
LOGITS += [[0], [30], [-7], [0.5]]  # which a softmax does not feel
RECIPE = Recipe(prompts=4, responses=6, correct=CORRECT, group_size=SIZE)


@partial(jax.jit, static_argnames="recipe")
def drawn(logits, setting, *, recipe):
    """Sampled gradients of independent groups [groups, prompts, responses]; fewer where no near mistake is tried."""
    keys = random.split(random.key(0), GROUPS if recipe == RECIPE else GROUPS // 4)
    return jax.vmap(lambda key: sampled_gradient(key, logits, recipe, setting)[0])(keys)


@cache
def sampled(estimator, recipe=RECIPE, temperature=1.0):
    return drawn(jnp.asarray(LOGITS, jnp.float32), recipe.setting(estimator, temperature=temperature), recipe=recipe)


def pass_rates_of(logits, temperature=1.0):
    return nn.softmax(logits / temperature)[:, :CORRECT].sum(-1)


def theory(weights, temperature=1.0):
    """Weights [prompts] times grad p [prompts, responses], the gradient by automatic differentiation."""
    slope = jax.grad(lambda logits: pass_rates_of(logits, temperature).sum())(jnp.asarray(LOGITS))
    return np.asarray(weights)[:, None] * np.asarray(slope, np.float64)


def expected(estimator, recipe=RECIPE, temperature=1.0):
    setting = recipe.setting(estimator, temperature=temperature)
    return np.asarray(expected_gradient(jnp.asarray(LOGITS, jnp.float32), recipe, setting), np.float64)


class TestTabular:
    @every_estimator
    def test_mean_gradient_is_the_weight_times_the_slope(self, estimator):
        want = theory(estimator.weight(PASS_RATES, SIZE))
        assert not far(z_scores(sampled(estimator), want))
        # float32: logits of 30 are resolved to 2e-6, and so are the pass rates
        np.testing.assert_allclose(expected(estimator), want, rtol=2e-5)

    @every_mistake
    def test_nearest_wrong_weight_is_rejected(self, estimator, wrong):
        assert far(z_scores(sampled(estimator), theory(wrong(PASS_RATES, SIZE))))

    @pytest.mark.parametrize("temperature", [0.5, 2.0])
    def test_temperature(self, temperature):
        """The policy is softmax(logits/T): its pass rates differ, and the slope has a factor 1/T."""
        p = np.asarray(pass_rates_of(jnp.asarray(LOGITS), temperature), np.float64)
        want = theory(GRPO.weight(p, SIZE), temperature)
        assert not far(z_scores(sampled(GRPO, temperature=temperature), want))
        np.testing.assert_allclose(expected(GRPO, temperature=temperature), want, rtol=4e-5)
        assert far(z_scores(sampled(GRPO, temperature=temperature), want * temperature))
        assert far(z_scores(sampled(GRPO, temperature=temperature), theory(GRPO.weight(PASS_RATES, SIZE))))

    @every_estimator
    def test_natural_gradient_is_the_inverse_fisher_matrix_times_it(self, estimator):
        """Up to a constant per prompt, which is taken off both. F = (diag(pi) - pi pi^T) / T^2."""
        recipe, temperature = replace(RECIPE, natural=True), 2.0
        shares = np.asarray(nn.softmax(jnp.asarray(LOGITS) / temperature), np.float64)
        p = shares[:, :CORRECT].sum(-1)
        plain = theory(estimator.weight(p, SIZE), temperature)
        fisher = [(np.diag(pi) - np.outer(pi, pi)) / temperature**2 for pi in shares]
        want = np.stack([np.linalg.pinv(f, rcond=1e-4) @ row for f, row in zip(fisher, plain, strict=True)])

        def centred(x):
            return np.asarray(x, np.float64) - np.asarray(x, np.float64).mean(-1, keepdims=True)

        drawn_here = centred(sampled(estimator, recipe, temperature))
        assert not far(z_scores(drawn_here, want))
        np.testing.assert_allclose(centred(expected(estimator, recipe, temperature)), want, rtol=1e-4)
        assert far(z_scores(drawn_here, centred(plain)))


# A network with shared parameters: four prompts of three features, two layers, six responses.

FEATURES = jnp.array([[1.5, 0.2, -1.0], [0.5, 1.0, 1.0], [-1.0, 0.5, -0.2], [-1.5, -1.0, 0.5]])
PARAMETERS, unravel = ravel_pytree(
    {
        "in": random.normal(random.key(26), (3, 3)),
        "shift": jnp.array([0.3, -0.2, 0.1]),
        "out": random.normal(random.key(27), (3, 6)),
    }
)


def log_policy(parameters):
    """log pi(y | x), [prompts, responses]."""
    layers = unravel(parameters)
    return nn.log_softmax(jnp.tanh(FEATURES @ layers["in"] + layers["shift"][None]) @ layers["out"])


def network_pass_rates(parameters):
    return jnp.exp(log_policy(parameters))[:, :CORRECT].sum(-1)


def group_gradient(key, table):
    """A group for each prompt: the mean over prompts of (1/g) sum_i A_i grad log pi(y_i | x), [parameters]."""
    chosen = random.categorical(key, log_policy(PARAMETERS)[:, None], shape=(len(FEATURES), SIZE))
    rewards = (chosen < CORRECT).astype(int)
    advantages = table[rewards, rewards.sum(-1, keepdims=True)]

    def surrogate(parameters):
        return (advantages * jnp.take_along_axis(log_policy(parameters), chosen, axis=-1)).mean()

    return jax.grad(surrogate)(PARAMETERS)


@jax.jit
def network_gradients(table):
    return jax.vmap(group_gradient, (0, None))(random.split(random.key(1), GROUPS), table)


@cache
def network_sampled(estimator):
    return network_gradients(jnp.asarray(estimator.table(SIZE), jnp.float32))


NETWORK_RATES = np.asarray(network_pass_rates(PARAMETERS), np.float64)


def network_theory(weights):
    """The mean over prompts of weight times grad p, [parameters]."""
    slopes = np.asarray(jax.jacobian(network_pass_rates)(PARAMETERS), np.float64)
    return np.asarray(weights) @ slopes / len(FEATURES)


class TestNetwork:
    def test_prompts_share_every_parameter_and_are_unlike(self):
        """Otherwise the tests below would be the tabular ones again."""
        slopes = np.asarray(jax.jacobian(network_pass_rates)(PARAMETERS))
        assert np.all(np.abs(slopes) > 1e-5)
        assert NETWORK_RATES.min() < 0.15
        assert NETWORK_RATES.max() > 0.8

    @every_estimator
    def test_mean_gradient_is_the_weight_times_the_slope(self, estimator):
        want = network_theory(estimator.weight(NETWORK_RATES, SIZE))
        assert not far(z_scores(network_sampled(estimator), want))

    @every_mistake
    def test_nearest_wrong_weight_is_rejected(self, estimator, wrong):
        assert far(z_scores(network_sampled(estimator), network_theory(wrong(NETWORK_RATES, SIZE))))

    def test_weight_at_the_mean_pass_rate_is_rejected(self):
        """The weight belongs inside the mean over prompts."""
        at_the_mean = GRPO.weight(NETWORK_RATES.mean(), SIZE) * np.ones(len(FEATURES))
        assert far(z_scores(network_sampled(GRPO), network_theory(at_the_mean)))


# What is done to the advantages from outside: lengths in the loss, filters, rewards of two channels.

LENGTHS, FORMAT = jnp.array([1.0, 4.0, 2.0, 5.0, 3.0, 8.0]), jnp.array([1, 0, 1, 1, 0, 0])
"""Tokens of each response, and whether it has the format."""

TABLE, SMALL = (jnp.asarray(GRPO.table(g), jnp.float32) for g in (SIZE, SIZE // 2))


def by_table(rewards):
    return TABLE[rewards, rewards.sum(-1, keepdims=True)]


def by_length(chosen, rewards):
    return by_table(rewards) / LENGTHS[chosen]


def after_a_look(chosen, rewards):
    return jnp.where(rewards[:, :1] != rewards[:, 1:2], by_table(rewards), 0.0)


def most_varied(chosen, rewards):
    """Half of the rollouts, half of these correct if so many are: the first ones of each kind."""
    successes, kept = rewards.sum(-1, keepdims=True), SIZE // 2
    correct = jnp.clip(kept // 2, kept - jnp.minimum(kept, SIZE - successes), jnp.minimum(successes, kept))
    places = jnp.where(rewards == 1, jnp.cumsum(rewards, -1), jnp.cumsum(1 - rewards, -1))
    stays = places <= jnp.where(rewards == 1, correct, kept - correct)
    return jnp.where(stays, 2 * SMALL[rewards, correct], 0.0)


def each_channel(chosen, rewards):
    return by_table(rewards) + 0.3 * by_table(FORMAT[chosen])


def drawn_by(rule):
    """Gradients of independent groups under a rule, [groups, parameters]."""

    def gradient(key):
        chosen = random.categorical(key, log_policy(PARAMETERS)[:, None], shape=(len(FEATURES), SIZE))
        advantages = rule(chosen, (chosen < CORRECT).astype(int))

        def surrogate(parameters):
            return (advantages * jnp.take_along_axis(log_policy(parameters), chosen, axis=-1)).mean()

        return jax.grad(surrogate)(PARAMETERS)

    return jax.jit(jax.vmap(gradient))(random.split(random.key(3), GROUPS // 2))


class TestFromOutside:
    def test_a_loss_by_length_bends_the_mean_gradient(self):
        """W4; without what bends it the mean is rejected."""

        def means(parameters):
            """p, m_C and m_I of each prompt, [3, prompts]."""
            policy, right = jnp.exp(log_policy(parameters)), (jnp.arange(6) < CORRECT)[None]
            sides = [jnp.where(right, policy, 0.0), jnp.where(right, 0.0, policy)]
            inverse = [(side / LENGTHS[None]).sum(-1) / side.sum(-1) for side in sides]
            return jnp.stack([sides[0].sum(-1), *inverse])

        drawn_here = drawn_by(by_length)
        p, short, long = np.asarray(means(PARAMETERS), np.float64)
        rates, shorter, longer = np.asarray(jax.jacobian(means)(PARAMETERS), np.float64)
        weight = GRPO.weight(p, SIZE)
        unbent = (weight * ((1 - p) * short + p * long)) @ rates / len(FEATURES)
        bend = (weight * p * (1 - p)) @ (shorter - longer) / len(FEATURES)
        assert not far(z_scores(drawn_here, unbent + bend))
        assert far(z_scores(drawn_here, unbent))

    @pytest.mark.parametrize(
        ("rule", "estimator"),
        [(after_a_look, filtered(GRPO, screened(2))), (most_varied, down_sampled(GRPO, SIZE // 2))],
        ids=["a look at two", "the half that varies most"],
    )
    def test_filters_are_tables(self, rule, estimator):
        """B8; GRPO's own weight is rejected."""
        drawn_here = drawn_by(rule)
        assert not far(z_scores(drawn_here, network_theory(estimator.weight(NETWORK_RATES, SIZE))))
        assert far(z_scores(drawn_here, network_theory(GRPO.weight(NETWORK_RATES, SIZE))))

    def test_channels_by_themselves(self):
        """M3, of channels that depend on each other; the weights at the same rates of one channel are rejected."""

        def formats(parameters):
            return jnp.exp(log_policy(parameters)) @ FORMAT.astype(jnp.float32)

        p = np.asarray(formats(PARAMETERS), np.float64)
        slopes = np.asarray(jax.jacobian(formats)(PARAMETERS), np.float64)
        correct = network_theory(GRPO.weight(NETWORK_RATES, SIZE))
        drawn_here = drawn_by(each_channel)
        assert not far(z_scores(drawn_here, correct + 0.3 * GRPO.weight(p, SIZE) @ slopes / len(FEATURES)))
        assert far(z_scores(drawn_here, correct + 0.3 * GRPO.weight(NETWORK_RATES, SIZE) @ slopes / len(FEATURES)))
