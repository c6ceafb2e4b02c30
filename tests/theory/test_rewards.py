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


class TestChannelsThatShareParameters:
    """Four responses, correct or not and in format or not, behind two parameters that move both: every group of 4."""

    CORRECT, FORMAT = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    THETA = np.array([-0.9, 0.6])

    def policy(self, theta, bound):
        """Independent channels at bound = 0; else the format goes with the answer."""
        answer, form = theta[0] + 0.5 * theta[1], 0.3 * theta[0] - theta[1]
        chances = np.exp(answer * self.CORRECT + form * self.FORMAT + bound * self.CORRECT * self.FORMAT)
        return chances / chances.sum()

    def slopes(self, bound, of):
        h = 1e-6
        ends = [of(self.policy(self.THETA + s * step, bound)) for step in h * np.eye(2) for s in (1, -1)]
        return (np.array(ends[::2]) - np.array(ends[1::2])) / (2 * h)

    def update(self, bound, rule):
        policy = self.policy(self.THETA, bound)
        scores = np.stack([self.slopes(bound, lambda chances, y=y: np.log(chances[y])) for y in range(4)])
        total = np.zeros(2)
        for group in map(list, product(range(4), repeat=4)):
            total += policy[group].prod() * rule(group) @ scores[group] / 4
        return total

    def rates(self, bound):
        policy = self.policy(self.THETA, bound)
        return policy @ self.CORRECT, policy @ self.FORMAT

    def test_a_sum_of_independent_channels(self):
        got = self.update(0.0, lambda group: standardise(self.CORRECT[group] + 0.1 * self.FORMAT[group]))
        weights = channel_weights(*self.rates(0.0), 4, size=0.1)
        slopes = [self.slopes(0.0, lambda policy, side=side: policy @ side) for side in (self.CORRECT, self.FORMAT)]
        np.testing.assert_allclose(got, weights.correct * slopes[0] + weights.bonus * slopes[1], rtol=1e-6)
        as_rewards = weights.correct * (slopes[0] + 0.1 * slopes[1])
        assert np.abs(got - as_rewards).max() > 0.05 * np.abs(got).max()

    @pytest.mark.parametrize("bound", [0.0, 2.0])
    def test_channels_by_themselves_whether_they_depend_or_not(self, bound):
        def rule(group):
            return standardise(self.CORRECT[group] * 1.0) + 0.3 * standardise(self.FORMAT[group] * 1.0)

        want = sum(
            factor * GRPO.weight(p, 4) * self.slopes(bound, lambda policy, side=side: policy @ side)
            for factor, p, side in zip((1, 0.3), self.rates(bound), (self.CORRECT, self.FORMAT), strict=True)
        )
        np.testing.assert_allclose(self.update(bound, rule), want, rtol=1e-6)
