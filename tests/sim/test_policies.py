"""Policies: one interface, so that sampling, scoring, decoding and enumeration tell the same story."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rlsignal.sim import policies, tabular
from rlsignal.sim.policies import Network, Prompts, Sequence, Tabular, number, responses, spelled

decode = jax.jit(policies.decode, static_argnums=0)
log_probabilities = jax.jit(policies.log_probabilities, static_argnums=0)
measure_policy = jax.jit(policies.measure_policy, static_argnums=0, static_argnames=("group_size", "attempts"))
sample = jax.jit(policies.sample, static_argnums=(1, 4))
score = jax.jit(policies.score, static_argnums=0)

KEY = jax.random.key(5)
POLICIES = (
    Tabular(prompts=4, choices=6),
    Network(features=3, widths=(5,), tokens=3, choices=4),
    Sequence(features=3, width=5, tokens=3, choices=4),
)
every_policy = pytest.mark.parametrize("policy", POLICIES, ids=str)


def features_for(policy, count=4):
    return jnp.arange(count) if isinstance(policy, Tabular) else jax.random.normal(jax.random.key(1), (count, 3))


@cache
def decided(policy):
    """Parameters of a policy with opinions: every one is moved."""
    leaves, structure = jax.tree.flatten(policy.init(KEY))
    keys = jax.random.split(jax.random.key(2), len(leaves))
    moved = [x + jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(structure, moved)


def enumerated(policy, temperature=1.0):
    return np.asarray(log_probabilities(policy, decided(policy), features_for(policy), temperature), np.float64)


@cache
def lengths(policy):
    """Tokens up to the end token, by looping; 0 for what cannot be said."""
    found = []
    for tokens in np.ndindex(*[policy.choices] * policy.tokens):
        end = policy.choices - 1
        at = tokens.index(end) if policy.ends and end in tokens else None
        possible = at is None or all(token == end for token in tokens[at:])
        found.append((policy.tokens if at is None else at + 1) if possible else 0)
    return np.array(found)


@every_policy
class TestEveryPolicy:
    def test_responses_share_out_all_probability(self, policy):
        log_pi = enumerated(policy)
        assert log_pi.shape == (4, responses(policy))
        np.testing.assert_allclose(np.exp(log_pi).sum(-1), 1, rtol=1e-5)
        np.testing.assert_array_equal(log_pi == -np.inf, np.broadcast_to(lengths(policy) == 0, log_pi.shape))

    def test_numbers_and_spellings_undo_each_other(self, policy):
        every = jnp.arange(responses(policy))
        np.testing.assert_array_equal(number(policy, spelled(policy, every)), every)

    @pytest.mark.parametrize("temperature", [1.0, 0.5])
    def test_enumeration_is_the_scored_tokens_one_after_the_other(self, policy, temperature):
        tokens = spelled(policy, jnp.broadcast_to(jnp.arange(responses(policy)), (4, responses(policy))))
        scored = score(policy, decided(policy), features_for(policy), tokens, temperature)
        possible = lengths(policy) > 0
        np.testing.assert_allclose(
            np.asarray(scored.log_probs).sum(-1)[:, possible], enumerated(policy, temperature)[:, possible], atol=1e-5
        )
        np.testing.assert_array_equal(np.asarray(scored.mask).sum(-1)[:, possible], [lengths(policy)[possible]] * 4)

    def test_samples_are_as_frequent_as_enumeration_says(self, policy):
        """Each count within five standard errors, or less than six of what is expected hardly ever."""
        drawn, temperature = 2**15, 1.5
        rollouts = sample(KEY, policy, decided(policy), features_for(policy), drawn, temperature)
        pi = np.exp(enumerated(policy, temperature))
        for shares, row in zip(pi, np.asarray(number(policy, rollouts.tokens)), strict=True):
            counts = np.bincount(row, minlength=responses(policy))
            assert np.all(np.abs(counts - drawn * shares) < 5 * np.sqrt(drawn * shares * (1 - shares)) + 6)
            assert np.all(counts[shares == 0] == 0)
        scored = score(policy, decided(policy), features_for(policy), rollouts.tokens, temperature)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), rollouts, scored)

    def test_entropies_of_sampled_tokens_add_up_to_that_of_the_response(self, policy):
        """On average: the chain rule, which makes the entropy of a response measurable from its tokens."""
        rollouts = sample(KEY, policy, decided(policy), features_for(policy), 2**15, 1.0)
        each = np.asarray(rollouts.entropy, np.float64).sum(-1)
        log_pi = np.where(np.isinf(enumerated(policy)), 0, enumerated(policy))
        want = -(np.exp(enumerated(policy)) * log_pi).sum(-1)
        assert np.all(np.abs(each.mean(-1) - want) < 5 * each.std(-1) / 2**7.5 + 1e-5)

    def test_decoding_takes_the_likeliest_token_each_time(self, policy):
        parameters, features = decided(policy), features_for(policy)
        tokens = np.asarray(decode(policy, parameters, features))
        for x in range(4):
            state, ended = policy.read(parameters, features[x : x + 1]), False
            for t in range(policy.tokens):
                best = policy.choices - 1 if ended else int(policy.logits(parameters, state, t).argmax())
                assert tokens[x, t] == best
                ended = ended or (policy.ends and best == policy.choices - 1)
                state = policy.advance(parameters, state, jnp.array([best]))

    def test_metrics_are_their_definitions(self, policy):
        answers = np.array([[0, 1], [2, 5], [3, 0], [1, 2]])
        answers = np.flatnonzero(lengths(policy))[answers]  # possible ones
        prompts = Prompts(features_for(policy), jnp.asarray(answers))
        found = measure_policy(policy, decided(policy), prompts, group_size=8, attempts=(1, 10))
        log_pi = enumerated(policy)
        pi = np.exp(log_pi)
        p = np.take_along_axis(pi, answers, -1).sum(-1)
        assert float(found.metrics.pass_at_1) == pytest.approx(p.mean(), rel=1e-5)
        np.testing.assert_allclose(found.metrics.pass_at_k, [p.mean(), (1 - (1 - p) ** 10).mean()], rtol=1e-5)
        assert float(found.metrics.degenerate) == pytest.approx((p**8 + (1 - p) ** 8).mean(), rel=1e-5)
        assert float(found.metrics.dispersion) == pytest.approx(p.var() / p.mean() / (1 - p.mean()), rel=1e-4)
        entropy = -(pi * np.where(np.isinf(log_pi), 0, log_pi)).sum(-1).mean()
        assert float(found.metrics.entropy) == pytest.approx(entropy, rel=1e-5)
        assert float(found.token_entropy) == pytest.approx(entropy / (pi @ lengths(policy)).mean(), rel=1e-5)
        greedy = number(policy, decode(policy, decided(policy), features_for(policy)))
        assert float(found.greedy) == np.mean([y in row for y, row in zip(np.asarray(greedy), answers, strict=True)])

    def test_parameters_that_are_not_numbers_measure_as_none(self, policy):
        prompts = Prompts(features_for(policy), jnp.zeros((4, 1), int))
        broken = jax.tree.map(lambda x: x * jnp.nan, decided(policy))
        found = measure_policy(policy, broken, prompts, group_size=8, attempts=(1, 10))
        assert all(np.isnan(x).all() for x in jax.tree.leaves(found))

    def test_an_untrained_policy_is_nearly_even(self, policy):
        prompts = Prompts(features_for(policy), jnp.zeros((4, 1), int))
        found = measure_policy(policy, policy.init(KEY), prompts, group_size=8, attempts=(1, 10))
        assert np.log(policy.choices) - 0.05 < float(found.token_entropy) <= np.log(policy.choices) + 1e-6


class TestTabular:
    """Behind the interface it is the fast path."""

    policy, recipe = POLICIES[0], tabular.Recipe(prompts=4, responses=6, correct=2, attempts=(8,))
    prompts = Prompts(jnp.arange(4), jnp.tile(jnp.arange(2), (4, 1)))  # correct responses first

    def test_metrics_are_those_of_the_fast_path(self):
        logits = decided(self.policy)
        found = measure_policy(self.policy, logits, self.prompts, group_size=8, attempts=(8,))
        want = tabular.measure_tabular(logits, self.recipe)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), found.metrics, want)


def test_a_network_does_not_see_its_tokens_and_a_sequence_does():
    """The network's response distribution is the product of its tokens'; the sequence's is not."""
    for policy, independent in ((POLICIES[1], True), (POLICIES[2], False)):
        joint = np.exp(enumerated(policy)).reshape(4, 4, 4, 4)
        first, second = joint.sum((2, 3)), joint.sum((1, 3))
        gap = np.abs(joint.sum(3) - first[:, :, None] * second[:, None]).max()
        assert (gap < 1e-6) == independent


@every_policy
def test_tempering_meets_an_entropy_by_scaling_logits(policy):
    """And so keeps the order of next tokens: greedy decoding does not change."""
    parameters, features = decided(policy), features_for(policy)
    now = float(policies.entropy(log_probabilities(policy, parameters, features, 1.0)))
    cooler = jax.jit(policies.tempered, static_argnums=0)(policy, parameters, features, 0.5 * now)
    reached = policies.entropy(log_probabilities(policy, cooler, features, 1.0))
    assert float(reached) == pytest.approx(0.5 * now, abs=1e-4)
    np.testing.assert_array_equal(decode(policy, cooler, features), decode(policy, parameters, features))
    ratio = np.asarray(policy.logits(cooler, policy.read(cooler, features), 0))
    ratio = ratio / np.asarray(policy.logits(parameters, policy.read(parameters, features), 0))
    np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-3)
