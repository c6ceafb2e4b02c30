"""What waste costs. That filtering turns no direction is shown in test_efficiency, on every group of small policies."""

from math import comb

import mpmath
import numpy as np
import pytest

from rlsignal import GRPO, Beta, Fixed, Mixture, Recorded, degenerate_probability, informative_probability
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO, filtered
from rlsignal.theory.filters import (
    accepted_pmf,
    degenerate_again_probability,
    rollouts_per_accepted_group,
    rollouts_to_informative,
    shortfall_probability,
)

mp = mpmath.mp.clone()
mp.dps = 700

EXTREMES = (1e-300, 1e-17, 1e-8, 0.02, 0.3, 0.5, 0.9, 1 - 1e-8, 1 - 1e-16)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
def test_every_table_that_ships_is_silent_in_the_groups_that_are_dropped(estimator):
    table = estimator.table(8)
    assert (table[0, 0], table[1, 8]) == (0, 0)


def test_cost():
    assert rollouts_per_accepted_group(0.5, 2) == 4
    assert rollouts_per_accepted_group([0.0, 0.5], 2).tolist() == [np.inf, 4]
    assert rollouts_per_accepted_group(1e-300, 8) == pytest.approx(1e300, rel=1e-12)
    data = Recorded([0, 1, 4], 4)
    assert rollouts_per_accepted_group(data, 2) == pytest.approx(2 / informative_probability(data, 2), rel=1e-14)


@pytest.mark.parametrize("population", [Fixed(0.2), Beta(0.33, 0.49), Recorded([1, 3, 0, 6], 6)], ids=repr)
def test_accepted_pmf(population):
    kept, whole = accepted_pmf(population, 5), population.pmf(5)
    assert kept[[0, -1]].tolist() == [0, 0]
    assert kept.sum() == pytest.approx(1, rel=1e-14)
    assert kept[1:-1] == pytest.approx(whole[1:-1] / informative_probability(population, 5), rel=1e-13)


def test_kept_law_of_the_rarest_success_is_one_success():
    assert accepted_pmf(1e-300, 8) == pytest.approx(np.eye(9)[1], abs=1e-15)
    with pytest.raises(ValueError, match="must leave a chance of informative groups"):
        accepted_pmf([0.5, 1.0], 8)


@pytest.mark.parametrize(("kept", "sampled"), [(1, 1), (1, 5), (3, 5), (5, 5), (6, 5), (64, 640)])
def test_unfilled(kept, sampled):
    for p in (0.01, 0.083, 0.5):
        mixed = 1 - mp.mpf(p) ** 8 - (1 - mp.mpf(p)) ** 8
        want = mp.fsum(
            comb(sampled, k) * mixed**k * (1 - mixed) ** (sampled - k) for k in range(min(kept, sampled + 1))
        )
        got = shortfall_probability(p, 8, kept=kept, sampled=sampled)
        assert abs(mp.mpf(got) - want) < 1e-12 * max(want, mp.mpf(1e-290))


def test_unfilled_edges():
    assert shortfall_probability([0.0, 1.0], 8, kept=1, sampled=100).tolist() == [1, 1]
    assert shortfall_probability(1e-300, 8, kept=1, sampled=100) == 1


@pytest.mark.parametrize("p", EXTREMES)
def test_rollouts_to_informative(p):
    x = mp.mpf(p)
    assert abs(mp.mpf(rollouts_to_informative(p)) / (1 / x + 1 / (1 - x) - 1) - 1) < 1e-12


def test_rollouts_to_mixed_by_the_degenerate_law():
    """A waiting time's mean is the sum of the chances to be still waiting: 1 + sum of D_n."""
    assert 1 + sum(degenerate_probability(0.2, n) for n in range(2, 400)) + 1 == pytest.approx(
        rollouts_to_informative(0.2), rel=1e-12
    )


def test_drawn():
    """Rollouts to the first mixed pair of one prompt, within five s.e.; 1/p, the first success, is rejected."""
    p, draws, rng = 0.2, 20_000, np.random.default_rng(0)
    first = rng.random(draws) < p
    waits = 1 + rng.geometric(np.where(first, 1 - p, p))
    variance = p * p / (1 - p) ** 2 + (1 - p) * (1 - p) / p**2 + p * (1 - p) * (1 / (1 - p) - 1 / p) ** 2
    error = np.sqrt(variance / draws)
    assert abs(waits.mean() - rollouts_to_informative(p)) < 5 * error
    assert abs(waits.mean() - 1 / p) > 5 * error


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: shortfall_probability(0.5, 8, kept=0, sampled=1), "kept must be at least 1, got 0"),
        (lambda: shortfall_probability(0.5, 8, kept=1, sampled=0), "sampled must be at least 1, got 0"),
        (lambda: rollouts_per_accepted_group(0.5, 1), "g must be at least 2, got 1"),
        (lambda: rollouts_to_informative(1.0), r"p must lie in \(0, 1\), got 1"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def in_a_band(k, g):
    return (k >= 0.2 * g) & (k <= 0.8 * g)


class TestFiltersAsTables:
    def test_dynamic_sampling_changes_nothing(self):
        for estimator in ESTIMATORS:
            kept = filtered(estimator, lambda k, g: (k > 0) & (k < g))
            np.testing.assert_array_equal(kept.table(8), estimator.table(8))

    def test_rows_of_nemo(self):
        rows = filtered(GRPO_NEMO, lambda k, g: (k > 1) & (k < g - 1))
        p = [0.01, 0.02, 0.05, 0.1]
        np.testing.assert_allclose(rows.weight(p, 8), [0.154, 0.297, 0.674, 1.146], atol=5e-4)
        np.testing.assert_allclose(GRPO_NEMO.weight(p, 8), [1.111, 1.212, 1.469, 1.765], atol=5e-4)
        assert rows.weight(0.0, 8) == 0

    def test_a_run_with_a_band(self):
        """Drawn groups: the cost, the mean reward of the kept, and the weight; those without the filter are refused."""
        p, g, groups = 0.1, 8, 200_000
        rewards = (np.random.default_rng(0).random((groups, g)) < p).astype(int)
        kept = in_a_band(rewards.sum(-1), g)
        cost, share = rollouts_per_accepted_group(p, g, keep=in_a_band), kept.mean()
        assert abs(share - g / cost) < 5 * np.sqrt(share * (1 - share) / groups)
        logged = rewards[kept].mean(-1)
        want = accepted_pmf(p, g, keep=in_a_band) @ np.arange(g + 1) / g
        assert abs(logged.mean() - want) < 5 * logged.std() / np.sqrt(kept.sum())
        updates = kept * (GRPO.advantages(rewards) * (rewards - p) / (p * (1 - p))).mean(-1)
        error = updates.std() / np.sqrt(groups)
        assert abs(updates.mean() - filtered(GRPO, in_a_band).weight(p, g)) < 5 * error
        assert abs(updates.mean() - GRPO.weight(p, g)) > 20 * error

    def test_errors(self):
        with pytest.raises(ValueError, match=r"^keep must be a function of \(K, g\)"):
            filtered(GRPO, 0.5)
        with pytest.raises(ValueError, match=r"keep must say of each K = 0\.\.4 whether its group is kept"):
            filtered(GRPO, lambda k, g: k).table(4)
        with pytest.raises(ValueError, match=r"^keep must leave a chance of kept groups"):
            accepted_pmf(0.0, 4, keep=lambda k, g: k > 0)


class TestDegenerateAgain:
    def test_of_one_prompt_it_is_d(self):
        p = np.array([0.02, 0.5, 0.9])
        np.testing.assert_allclose(degenerate_again_probability(p, 8), degenerate_probability(p, 8), rtol=1e-12)

    def test_of_kinds_it_is_their_mean_square(self):
        data = Mixture([Fixed(0.0), Fixed(0.5), Fixed(0.9)], [0.2, 0.5, 0.3])
        d = degenerate_probability(np.array([0.0, 0.5, 0.9]), 4)
        assert degenerate_again_probability(data, 4) == pytest.approx(
            data.weights @ d**2 / (data.weights @ d), rel=1e-12
        )

    def test_an_evaluation_needs_twice_the_samples(self):
        with pytest.raises(ValueError, match=r"^2 g must be at most 4"):
            degenerate_again_probability(Recorded([1, 2], 4), 4)
