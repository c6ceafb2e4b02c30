"""Filters and lengths as tables: against every group of a small policy, and drawn runs of what is no table."""

from itertools import product

import numpy as np
import pytest

from rlsignal import DR_GRPO, GRPO, MAXRL, RLOO, Beta, Fixed, degenerate_probability
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO, down_sampled, filtered, length_weighted
from rlsignal.theory.filters import accepted_pmf, rollouts_per_accepted_group, screened, top_variance

CENTRED = tuple(e for e in ESTIMATORS if e is not GRPO_NEMO)
every_centred = pytest.mark.parametrize("estimator", CENTRED, ids=lambda estimator: estimator.name)

# Five responses, two of them correct, of different lengths, behind two shared parameters.
CORRECT, TOKENS = np.array([1, 0, 0, 1, 0]), np.array([1.0, 2.0, 5.0, 4.0, 3.0])
FEATURES = np.array([[0.3, 1.0], [-0.4, 0.2], [1.1, -0.3], [-1.0, 0.5], [0.2, -0.7]])


def policy_at(theta):
    policy = np.exp(FEATURES @ theta)
    return policy / policy.sum()


THETA = np.array([0.4, -0.8])
POLICY = policy_at(THETA)
SCORES = FEATURES - POLICY @ FEATURES
RATE = POLICY @ CORRECT


def slope(of):
    """The derivative of a function of the policy, by central differences."""
    h = 1e-6
    return np.array([(of(policy_at(THETA + step)) - of(policy_at(THETA - step))) / (2 * h) for step in h * np.eye(2)])


def update(advantages_of, g):
    """The mean over every group of (1/g) sum_i A_i s_i; the rule sees the responses."""
    total = np.zeros(2)
    for group in map(list, product(range(5), repeat=g)):
        total += POLICY[group].prod() * advantages_of(group) @ SCORES[group] / g
    return total


class TestLengths:
    @every_centred
    def test_a_loss_by_length_bends_as_the_page_says(self, estimator):
        g = 4
        got = update(lambda group: estimator.advantages(CORRECT[group]) / TOKENS[group], g)

        def inverse(policy, side):
            chances = policy * side
            return chances @ (1 / TOKENS) / chances.sum()

        short, long = inverse(POLICY, CORRECT), inverse(POLICY, 1 - CORRECT)
        p, q = RATE, 1 - RATE
        rates = slope(lambda policy: policy @ CORRECT)
        bend = slope(lambda policy: inverse(policy, CORRECT)) - slope(lambda policy: inverse(policy, 1 - CORRECT))
        want = estimator.weight(p, g) * ((q * short + p * long) * rates + p * q * bend)
        np.testing.assert_allclose(got, want, rtol=1e-7)
        unbent = estimator.weight(p, g) * (q * short + p * long) * rates
        assert np.abs(got - unbent).max() > 0.05 * np.abs(got).max()

    @pytest.mark.parametrize("loss", ["sequence", "token"])
    @every_centred
    def test_lengths_of_verdicts_are_a_table(self, estimator, loss):
        tokens = np.where(CORRECT == 1, 2.0, 7.0)

        def rule(group):
            counted = tokens[group] if loss == "sequence" else tokens[group].mean()
            return estimator.advantages(CORRECT[group]) / counted

        table = length_weighted(estimator, correct=2, incorrect=7, loss=loss)
        np.testing.assert_allclose(
            update(rule, 4), table.weight(RATE, 4) * slope(lambda policy: policy @ CORRECT), rtol=1e-7
        )

    def test_equal_lengths_are_a_factor(self):
        for loss in ("sequence", "token"):
            table = length_weighted(MAXRL, correct=4, incorrect=4, loss=loss).table(8)
            np.testing.assert_allclose(table, MAXRL.table(8) / 4)

    def test_errors(self):
        with pytest.raises(ValueError, match=r"^loss must be 'sequence' or 'token', got 'batch'"):
            length_weighted(GRPO, correct=1, incorrect=1, loss="batch")
        with pytest.raises(ValueError, match=r"^correct must lie in"):
            length_weighted(GRPO, correct=0, incorrect=1)


class TestFilters:
    @pytest.mark.parametrize("first", [2, 3, 4])
    @every_centred
    def test_a_look_first_is_a_filter_by_chance(self, estimator, first):
        def rule(group):
            passed = len(set(CORRECT[group[:first]])) == 2
            return passed * estimator.advantages(CORRECT[group])

        want = filtered(estimator, screened(first)).weight(RATE, 4) * slope(lambda policy: policy @ CORRECT)
        np.testing.assert_allclose(update(rule, 4), want, rtol=1e-7)

    def test_a_look_at_all_is_dynamic_sampling(self):
        data = Beta(0.33, 0.49)
        assert rollouts_per_accepted_group(data, 8, keep=screened(8), first=8) == pytest.approx(
            rollouts_per_accepted_group(data, 8), rel=1e-12
        )
        np.testing.assert_allclose(accepted_pmf(data, 8, keep=screened(8)), accepted_pmf(data, 8), atol=1e-15)

    def test_what_a_look_costs(self):
        """Drawn: groups of 8 that end after 2 unless these differ."""
        rng = np.random.default_rng(0)
        p = rng.beta(0.33 * 0.51 / 0.49, 0.67 * 0.51 / 0.49, 400_000)
        rewards = rng.random((len(p), 2)) < p[:, None]
        passed = rewards[:, 0] != rewards[:, 1]
        drawn = (2 + 6 * passed).sum() / passed.sum()
        error = 2 / passed.mean() ** 2 * np.sqrt(passed.var() / len(p))
        assert abs(rollouts_per_accepted_group(Beta(0.33, 0.49), 8, keep=screened(2), first=2) - drawn) < 5 * error
        assert abs(rollouts_per_accepted_group(Beta(0.33, 0.49), 8, keep=screened(2)) - drawn) > 20 * error

    @every_centred
    @pytest.mark.parametrize("kept", [2, 3])
    def test_the_most_varied_rollouts(self, estimator, kept):
        g = 4

        def rule(group):
            """Correct ones first to the number that is kept, then incorrect ones: the first of each."""
            rewards = CORRECT[group]
            ones, zeros = np.flatnonzero(rewards), np.flatnonzero(rewards == 0)
            possible = range(max(0, kept - len(zeros)), min(kept, len(ones)) + 1)
            best = max(possible, key=lambda k: (k * (kept - k), -k))
            chosen = [*ones[:best], *zeros[: kept - best]]
            advantages = np.zeros(g)
            advantages[chosen] = estimator.advantages(rewards[chosen]) * g / kept
            return advantages

        want = down_sampled(estimator, kept).weight(RATE, g) * slope(lambda policy: policy @ CORRECT)
        np.testing.assert_allclose(update(rule, g), want, rtol=1e-7)

    def test_all_rollouts_kept_is_no_filter(self):
        np.testing.assert_allclose(down_sampled(RLOO, 8).table(8), RLOO.table(8))
        assert down_sampled(GRPO, 4).weight(0.0, 8) == pytest.approx(2 * np.sqrt(3))

    def test_the_top_of_a_large_batch(self):
        """Drawn: of 100,000 groups the 30% with most variance."""
        rng, data = np.random.default_rng(1), Beta(0.33, 0.49)
        successes = rng.choice(9, 100_000, p=data.pmf(8))
        order = np.argsort(successes * (8 - successes) + rng.random(len(successes)) / 2)[-30_000:]
        shares = np.bincount(successes[order], minlength=9) / 30_000
        want = accepted_pmf(data, 8, keep=top_variance(data, 8, 0.3))
        assert np.all(np.abs(shares - want) < 5 * np.sqrt(np.maximum(want * (1 - want), 1e-9) / 30_000) + 5e-3 * want)
        assert rollouts_per_accepted_group(data, 8, keep=top_variance(data, 8, 0.3)) == pytest.approx(8 / 0.3)

    def test_a_prompt_that_is_skipped_after_a_degenerate_group(self):
        """Of its visits a share 1/(1+D) is used, whatever it is."""
        rng, used, skip = np.random.default_rng(2), 0, np.zeros(4000, bool)
        for _ in range(400):
            successes = rng.binomial(4, 0.1, 4000)
            used += (~skip).sum()
            skip = ~skip & ((successes == 0) | (successes == 4))
        share, degenerate = used / (400 * 4000), degenerate_probability(0.1, 4)
        assert share == pytest.approx(1 / (1 + degenerate), abs=2e-3)
        assert abs(share - (1 - degenerate)) > 0.1

    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (lambda: screened(1), r"^first must be at least 2, got 1"),
            (lambda: filtered(GRPO, screened(8)).table(4), r"g must be at least 8, got 4"),
            (lambda: top_variance(Fixed([0.1, 0.2]), 8, 0.3), r"^p must be one population"),
            (lambda: top_variance(Fixed(0.1), 8, 1.3), r"^share must lie in \[0, 1\]"),
            (lambda: filtered(GRPO, lambda k, g: k / 3).table(8), r"keep must say of each K = 0\.\.8 whether"),
            (lambda: down_sampled(GRPO, 1), r"^kept must be at least 2"),
            (lambda: down_sampled(DR_GRPO, 9).table(8), r"^g must be at least 9, got 8"),
            (lambda: rollouts_per_accepted_group(0.3, 8, first=9), r"^first must be at most 8"),
        ],
    )
    def test_errors(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()
