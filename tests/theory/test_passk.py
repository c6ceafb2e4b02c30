"""pass@k: one prompt, a population, an evaluation, and what pass@k has to do with the training signal."""

from itertools import combinations
from math import comb, log

import mpmath
import numpy as np
import pytest

from rlsignal import (
    MAXRL,
    Beta,
    Fixed,
    Recorded,
    advantage_magnitude,
    degenerate_probability,
    informative_probability,
    pass_at_k,
)

mp = mpmath.mp.clone()
mp.dps = 700


@pytest.mark.parametrize("p", [1e-300, 1e-17, 1e-8, 0.02, 0.5, 1 - 1e-16])
def test_twelve_digits_up_to_a_million_attempts(p):
    for k in (1, 2, 64, 4097, 10**6):
        want = 1 - (1 - mp.mpf(p)) ** k
        assert abs(mp.mpf(pass_at_k(p, k)) / want - 1) < 1e-12, k


def test_one_attempt_is_the_mean():
    for law in (Fixed(0.3), Beta(0.3, 0.7), Recorded([1, 2], [4, 8]), Beta(0.3, 1)):
        assert pass_at_k(law, 1) == pytest.approx(float(law.mean), rel=1e-15, abs=0)


def test_edges():
    assert (pass_at_k(0, 5), pass_at_k(1, 5)) == (0, 1)
    assert pass_at_k([0.0, 0.5, 1.0], 2).tolist() == [0, 0.75, 1]
    assert type(pass_at_k(0.5, 2)) is type(pass_at_k(Recorded([1], 4), 2)) is float


@pytest.mark.parametrize(("correct", "samples"), [(0, 6), (1, 6), (3, 6), (5, 6), (6, 6)])
def test_an_evaluation_is_the_average_over_all_choices_of_k_samples(correct, samples):
    """Chen et al.'s estimator, by counting every subset."""
    rewards = [1] * correct + [0] * (samples - correct)
    for k in range(1, samples + 1):
        choices = list(combinations(rewards, k))
        want = sum(any(chosen) for chosen in choices) / len(choices)
        assert pass_at_k(Recorded([correct], samples), k) == pytest.approx(want, rel=1e-14, abs=0)


def test_an_evaluation_is_not_the_plug_in():
    """1 - (1 - c/n)^k is biased: at c = 3 of n = 10, k = 5 it says 0.832 where the estimator says 0.917."""
    estimate = pass_at_k(Recorded([3], 10), 5)
    assert estimate == pytest.approx(1 - comb(7, 5) / comb(10, 5), rel=1e-14, abs=0)
    assert abs(estimate - pass_at_k(0.3, 5)) > 0.08


LAWS = [Fixed(0.02), Fixed(0.9), Beta(0.2, 0.4), Beta(0.7, 0.9), Recorded([0, 3, 16, 9, 1], 16)]


@pytest.mark.parametrize("law", LAWS, ids=repr)
class TestIdentities:
    """Evaluation curves that one already has, read as training signal; exact for every mixture of pass rates."""

    def test_reward_variance_is_the_first_step_of_the_curve(self, law):
        assert law.reward_variance == pytest.approx(pass_at_k(law, 2) - pass_at_k(law, 1), rel=1e-12, abs=0)

    @pytest.mark.parametrize("g", [2, 3, 8, 16])
    def test_informative_groups_are_pass_at_g_less_the_solved_ones(self, law, g):
        assert informative_probability(law, g) == pytest.approx(
            pass_at_k(law, g) - law.all_correct(g), rel=1e-12, abs=0
        )
        assert informative_probability(law, g) == pytest.approx(1 - degenerate_probability(law, g), rel=1e-12, abs=0)

    @pytest.mark.parametrize("g", [2, 3, 8, 16])
    def test_maxrl_moves_by_what_more_attempts_would_gain(self, law, g):
        want = 2 * (pass_at_k(law, g) - pass_at_k(law, 1))
        assert advantage_magnitude(law, g, MAXRL) == pytest.approx(want, rel=1e-12, abs=0)

    def test_more_attempts_never_hurt_and_help_less_and_less(self, law):
        curve = np.array([pass_at_k(law, k) for k in range(1, 17)])
        assert np.all(np.diff(curve) >= 0)
        assert np.all(np.diff(curve, 2) <= 1e-15)


def test_spread_prompts_pass_less_often_than_their_mean():
    """Jensen: 1 - (1-p)^k is concave."""
    for k in (2, 8, 64):
        curve = [pass_at_k(Beta(0.2, rho), k) for rho in (0, 0.1, 0.5, 0.9, 1)]
        assert curve == sorted(curve, reverse=True)
        assert curve[0] == pass_at_k(0.2, k)


@pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 0.5), (0.05, 0.8)])
def test_populations_fail_by_a_power_law(mean, dispersion):
    """fail@k ~ Gamma(a+b)/Gamma(b) k^-a: more attempts are a weak lever where a = mean (1-rho)/rho is small."""
    a, k = mean * (1 - dispersion) / dispersion, 10**6
    slope = log(Beta(mean, dispersion).all_wrong(2 * k) / Beta(mean, dispersion).all_wrong(k)) / log(2)
    assert slope == pytest.approx(-a, rel=1e-5, abs=0)  # corrections are O(1/k)
