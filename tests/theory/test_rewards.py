"""Rewards of more than two levels: against the binary theory, every string of rewards, and shared parameters."""

from itertools import product

import numpy as np
import pytest

from rlsignal import DR_GRPO, GRPO, RLOO, degenerate_probability
from rlsignal.estimators import GRPO_TRL
from rlsignal.theory.rewards import Levels, channel_weights, leave_one_out, level_weights, standardise

PARTIAL = Levels([0, 0.5, 1], [0.7, 0.2, 0.1])


def trl(rewards):
    return standardise(rewards, ddof=1, epsilon=1e-4)


def centre(rewards):
    return rewards - rewards.mean(-1, keepdims=True)


@pytest.mark.parametrize(
    ("rule", "estimator"), [(standardise, GRPO), (leave_one_out, RLOO), (trl, GRPO_TRL), (centre, DR_GRPO)]
)
@pytest.mark.parametrize("p", [1e-6, 0.02, 0.5, 0.97])
@pytest.mark.parametrize("g", [2, 3, 8])
def test_two_levels_are_the_binary_theory(rule, estimator, p, g):
    low, high = level_weights(Levels([0, 1], [1 - p, p]), g, rule)
    assert high - low == pytest.approx(estimator.weight(p, g), rel=1e-9)


@pytest.mark.parametrize("rule", [standardise, leave_one_out, trl])
@pytest.mark.parametrize("g", [2, 3, 5])
def test_every_string_of_three_levels(rule, g):
    """w_l by listing all 3^(g-1) strings of the others."""
    want = np.zeros(3)
    for others in product(range(3), repeat=g - 1):
        chance = PARTIAL.chances[list(others)].prod()
        for level in range(3):
            want[level] += chance * rule(PARTIAL.values[[level, *others]])[0]
    np.testing.assert_allclose(level_weights(PARTIAL, g, rule), want, rtol=1e-11)
    signal = sum(
        PARTIAL.chances[list(group)].prod() * PARTIAL.values[list(group)].var() for group in product(range(3), repeat=g)
    )
    assert signal == pytest.approx((g - 1) / g * PARTIAL.variance, rel=1e-12)


def test_a_policy_with_shared_parameters():
    """Six responses of three levels behind two parameters: the mean drawn update is sum w_l grad pi_l."""
    generator = np.random.default_rng(0)
    features, level = generator.standard_normal((6, 2)), np.array([0, 0, 1, 1, 2, 0])
    policy = np.exp(features @ [0.3, -0.5])
    policy /= policy.sum()
    scores = features - policy @ features
    inside = level == np.arange(3)[:, None]
    chances, slopes = inside @ policy, (inside * policy) @ scores
    weights = level_weights(Levels([0, 0.5, 1], chances), 5)
    want = weights @ slopes
    drawn = generator.choice(6, (200_000, 5), p=policy)
    advantages = standardise(PARTIAL.values[level[drawn]])
    updates = (advantages[..., None] * scores[drawn]).mean(1)
    error = updates.std(0) / np.sqrt(len(updates))
    assert np.all(np.abs(updates.mean(0) - want) < 5 * error)
    as_rewards = (weights[2] - weights[0]) * (PARTIAL.values @ slopes)
    assert np.any(np.abs(updates.mean(0) - as_rewards) > 10 * error)


class TestChannels:
    @pytest.mark.parametrize(("correct", "bonus", "g"), [(0.02, 0.5, 8), (0.3, 0.1, 4), (0.97, 0.8, 8)])
    def test_a_small_bonus_keeps_its_weight(self, correct, bonus, g):
        """Within the order of its size: D_g(p_c) w_g(p_f), and correctness as if alone."""
        found = channel_weights(correct, bonus, g, size=2**-20)
        assert found.bonus == pytest.approx(degenerate_probability(correct, g) * GRPO.weight(bonus, g), rel=1e-5)
        assert found.correct == pytest.approx(GRPO.weight(correct, g), rel=1e-5)

    def test_figures_of_the_page(self):
        for size in (1e-2, 1e-6):
            assert [round(w, 2) for w in channel_weights(0.02, 0.5, 8, size=size)] == [2.57, 1.58]

    def test_without_division_weights_are_rewards(self):
        assert channel_weights(0.02, 0.5, 8, size=0.25, rule=leave_one_out) == pytest.approx((1, 0.25), rel=1e-12)

    def test_an_epsilon_ends_it_only_at_its_own_size(self):
        weights = [channel_weights(0.02, 0.5, 8, size=size, rule=trl).bonus for size in (1e-2, 1e-4, 1e-6)]
        assert weights == pytest.approx([1.4509, 0.4942, 0.0074], abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Levels([0, 1], [0.5, 0.6]), r"^chances must be one number for each value, adding up to 1"),
        (lambda: Levels([0, 1], [1.0]), r"^chances must be one number for each value"),
        (lambda: Levels([1, 1], [0.5, 0.5]), r"^values must all be different"),
        (lambda: level_weights(0.3, 8), r"^levels must be Levels"),
        (lambda: level_weights(Levels(range(20), np.full(20, 0.05)), 16), r"^g must be smaller for 20 levels, got 16"),
        (lambda: level_weights(PARTIAL, 4, lambda r: r[..., 0]), r"^rule must give every rollout a finite advantage"),
        (lambda: channel_weights(0.3, 0.5, 8, size=1.0), r"^values must all be different"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_it_shows_its_levels():
    assert repr(PARTIAL) == "<Levels: 3 levels, mean 0.200, standard deviation 0.332>"
    assert "<td>0.5</td><td>0.200</td>" in PARTIAL._repr_html_()
