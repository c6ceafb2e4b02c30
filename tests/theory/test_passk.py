"""pass@k: one prompt, a population, an evaluation, and what pass@k has to do with the training signal."""

from dataclasses import replace
from fractions import Fraction
from itertools import combinations
from math import comb, gamma, inf

import mpmath
import numpy as np
import pytest
import sympy
from scipy.special import betainc, roots_sh_jacobi

from rlsignal import (
    DR_GRPO,
    GRPO,
    MAXRL,
    RLOO,
    Beta,
    Estimator,
    Fixed,
    Recorded,
    degenerate_probability,
    informative_probability,
    pass_at_k,
)
from rlsignal.estimators import ESTIMATORS
from rlsignal.proofs import enumeration
from rlsignal.proofs.derivations import passk as proofs
from rlsignal.theory import reachable_pass_rate
from rlsignal.theory.frameworks import pass_at_k_gradient
from rlsignal.theory.passk import (
    bernstein_product,
    failure_power_law,
    missed_mode_probability,
    pass_at_k_alignment,
    pass_at_k_weight,
)

mp = mpmath.mp.clone()
mp.dps = 700


@pytest.mark.parametrize("p", [1e-300, 1e-17, 1e-8, 0.02, 0.5, 1 - 1e-16])
def test_twelve_digits_up_to_a_million_attempts(p):
    for k in (1, 2, 64, 4097, 10**6):
        want = 1 - (1 - mp.mpf(p)) ** k
        assert abs(mp.mpf(pass_at_k(p, k)) / want - 1) < 1e-12, k


def test_one_attempt_is_the_mean():
    for population in (Fixed(0.3), Beta(0.3, 0.7), Recorded([1, 2], [4, 8]), Beta(0.3, 1)):
        assert pass_at_k(population, 1) == pytest.approx(float(population.mean), rel=1e-15, abs=0)


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


POPULATIONS = [Fixed(0.02), Fixed(0.9), Beta(0.2, 0.4), Beta(0.7, 0.9), Recorded([0, 3, 16, 9, 1], 16)]


@pytest.mark.parametrize("population", POPULATIONS, ids=repr)
class TestIdentities:
    """Evaluation curves that one already has, read as training signal; exact for every mixture of pass rates."""

    def test_reward_variance_is_the_first_step_of_the_curve(self, population):
        assert population.reward_variance == pytest.approx(
            pass_at_k(population, 2) - pass_at_k(population, 1), rel=1e-12, abs=0
        )

    @pytest.mark.parametrize("g", [2, 3, 8, 16])
    def test_informative_groups_are_pass_at_g_less_the_solved_ones(self, population, g):
        assert informative_probability(population, g) == pytest.approx(
            pass_at_k(population, g) - population.all_correct(g), rel=1e-12, abs=0
        )
        assert informative_probability(population, g) == pytest.approx(
            1 - degenerate_probability(population, g), rel=1e-12, abs=0
        )

    @pytest.mark.parametrize("g", [2, 3, 8, 16])
    def test_maxrl_moves_by_what_more_attempts_would_gain(self, population, g):
        want = 2 * (pass_at_k(population, g) - pass_at_k(population, 1))
        assert MAXRL.magnitude(population, g) == pytest.approx(want, rel=1e-12, abs=0)

    def test_more_attempts_never_hurt_and_help_less_and_less(self, population):
        curve = np.array([pass_at_k(population, k) for k in range(1, 17)])
        assert np.all(np.diff(curve) >= 0)
        assert np.all(np.diff(curve, 2) <= 1e-15)


def test_spread_prompts_pass_less_often_than_their_mean():
    """Jensen: 1 - (1-p)^k is concave."""
    for k in (2, 8, 64):
        curve = [pass_at_k(Beta(0.2, rho), k) for rho in (0, 0.1, 0.5, 0.9, 1)]
        assert curve == sorted(curve, reverse=True)
        assert curve[0] == pass_at_k(0.2, k)


class TestWeight:
    @pytest.mark.parametrize("k", [1, 2, 3, 6])
    def test_is_the_slope_of_pass_at_k_exactly(self, k):
        """At k + 1 points, by enumeration."""
        for p in (Fraction(i + 1, 16) for i in range(k + 1)):
            assert pass_at_k_weight(float(p), k) == pytest.approx(float(enumeration.slope(any, p, k)), rel=1e-13, abs=0)

    @pytest.mark.parametrize("p", [1e-300, 1e-17, 0.02, 0.5, 1 - 1e-16])
    def test_twelve_digits_up_to_a_million_attempts(self, p):
        for k in (1, 2, 64, 4097, 10**6):
            want = k * (1 - mp.mpf(p)) ** (k - 1)
            if want > 1e-300:
                assert abs(mp.mpf(pass_at_k_weight(p, k)) / want - 1) < 1e-12, k

    def test_edges(self):
        assert [pass_at_k_weight(p, 1) for p in (0, 0.3, 1)] == [1, 1, 1]
        assert [pass_at_k_weight(p, 5) for p in (0, 1)] == [5, 0]
        assert pass_at_k_weight(Recorded([0, 1], 4), 5) == 2.5  # 5 E (1-p)^4 of 4 samples
        with pytest.raises(ValueError, match=r"^k must be at least 1, got 0"):
            pass_at_k_weight(0.5, 0)

    @pytest.mark.parametrize("k", [1, 2, 5, 8])
    @pytest.mark.parametrize("population", [0.02, 0.7, Beta(0.2, 0.4)], ids=repr)
    def test_is_the_weight_of_the_estimator_made_for_it(self, population, k):
        assert pass_at_k_gradient(k).weight(population, 8) == pytest.approx(
            pass_at_k_weight(population, k), rel=1e-12, abs=0
        )

    def test_maxrl_adds_them_up(self):
        """(1 - q^(g-1))/p = sum_{k<g} q^(k-1): of pass@k/k, k = 1..g-1."""
        for population in (0.05, Beta(0.2, 0.4)):
            want = sum(pass_at_k_weight(population, k) / k for k in range(1, 8))
            assert MAXRL.weight(population, 8) == pytest.approx(want, rel=1e-12)


class TestPowerLaw:
    @pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 0.5), (0.05, 0.8), (0.9, 0.3), (0.33, 0.05)])
    def test_the_urn_tends_to_it(self, mean, dispersion):
        """Polya's product of k factors against the power, whose error is a(a+2b-1)/(2k) to first order."""
        population, (factor, a) = Beta(mean, dispersion), failure_power_law(Beta(mean, dispersion))
        b = (1 - mean) * (1 - dispersion) / dispersion
        for k in (10**4, 10**5, 10**6):
            gap = float(population.all_incorrect(k)) / (factor * k**-a) - 1
            assert gap == pytest.approx(-a * (a + 2 * b - 1) / (2 * k), rel=1000 / k, abs=3e-10)
        wrong = gamma(a + b) / gamma(a) * 10**6**-a  # the factor of the other end
        assert abs(float(population.all_incorrect(10**6)) / wrong - 1) > 0.02

    @pytest.mark.parametrize("rho", [0.01, 0.05, 0.49, 0.9, 1 - 1e-12])
    @pytest.mark.parametrize("mean", [1e-300, 1e-12, 0.01, 0.33, 0.9])
    def test_factor_to_twelve_digits(self, mean, rho):
        with mp.workdps(50):
            size = (1 - mp.mpf(rho)) / mp.mpf(rho)
            want = mp.gamma(size) / mp.gamma((1 - mp.mpf(mean)) * size)
            assert abs(mp.mpf(failure_power_law(Beta(mean, rho)).factor) / want - 1) < 1e-12

    @pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 0.5), (0.05, 0.8)])
    @pytest.mark.parametrize("k", [1, 8, 64])
    def test_the_urn_is_the_ratio_of_gammas(self, mean, dispersion, k):
        with mp.workdps(50):
            size = (1 - mp.mpf(dispersion)) / mp.mpf(dispersion)
            b = (1 - mp.mpf(mean)) * size
            want = mp.gammaprod([b + k, size], [b, size + k])
            assert abs(mp.mpf(float(Beta(mean, dispersion).all_incorrect(k))) / want - 1) < 1e-12

    @pytest.mark.parametrize("mean", [0.02, 0.1, 0.3])
    @pytest.mark.parametrize("dispersion", [0.3, 0.5, 0.9])
    def test_failures_at_one_over_the_reach_are_the_prompts_out_of_reach(self, mean, dispersion):
        """Up to Gamma(a+1), in [0.885, 1] for a <= 1: a budget's outcome read off an evaluation."""
        reach = reachable_pass_rate(8, GRPO, budget=2000, collision=1.0)
        population, (_, a) = Beta(mean, dispersion), failure_power_law(Beta(mean, dispersion))
        b = (1 - mean) * (1 - dispersion) / dispersion
        failed = 1 - pass_at_k(population, round(1 / reach))
        assert a <= 1
        assert failed / betainc(a, b, reach) == pytest.approx(gamma(a + 1), rel=2e-3)

    def test_asks_for_a_population_with_a_tail(self):
        with pytest.raises(ValueError, match=r"^population must be a Beta, got Fixed\."):
            failure_power_law(Fixed(0.3))
        with pytest.raises(ValueError, match=r"^dispersion must lie in \(0, 1\), got 0\."):
            failure_power_law(Beta(0.3, 0))
        assert failure_power_law(Beta(0.3, 1e-5)).factor == inf  # the law starts far beyond any k


class TestAlignment:
    @pytest.mark.parametrize(("n", "m"), [(0, 2), (1, 1), (3, 5), (7, 2)])
    def test_products_of_tables(self, n, m):
        f, h, p = np.sin(np.arange(n + 1.0)), np.cos(np.arange(m + 1.0)) + 2, np.linspace(0, 1, n + m + 1)
        want = np.prod([Fixed(p).pmf(len(t) - 1) @ t if len(t) > 1 else t[0] + 0 * p for t in (f, h)], axis=0)
        np.testing.assert_allclose(Fixed(p).pmf(n + m) @ bernstein_product(f, h), want, rtol=1e-12, atol=1e-14)

    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
    @pytest.mark.parametrize(("k", "g"), [(1, 2), (4, 8), (32, 8), (8, 32)])
    def test_against_quadrature(self, estimator, k, g):
        """Gauss-Jacobi with enough nodes is exact for these polynomials."""
        data = Beta(0.33, 0.49)
        a, b = 0.33 * 0.51 / 0.49, 0.67 * 0.51 / 0.49
        p, share = roots_sh_jacobi(k + g + 4, a + b + 1, a + 1)  # p^a q^b: the density times pq
        u, w = pass_at_k_weight(p, k), estimator.weight(p, g)
        want = share @ (u * w) / np.sqrt((share @ u**2) * (share @ w**2))
        assert pass_at_k_alignment(data, k, g, estimator) == pytest.approx(want, rel=1e-10)

    def test_is_the_cosine_of_gradients_with_the_fisher_metric(self):
        """Three prompts of a softmax over four responses each, as one long parameter vector."""
        logits = np.array([[0.3, -1, 2, 0], [-2, 0, 0.5, 0.1], [2, 0.5, 0, -1]])
        right, g, k = np.array([1, 1, 0, 0]), 8, 4
        policies = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        p = policies @ right
        slopes = policies * (right - p[:, None])

        def inner(weights, others):
            total = 0.0
            for pi, slope, x, y in zip(policies, slopes, weights, others, strict=True):
                total += x * y * slope @ np.linalg.pinv(np.diag(pi) - np.outer(pi, pi)) @ slope
            return total

        u, w = pass_at_k_weight(p, k), GRPO.weight(p, g)
        want = inner(u, w) / np.sqrt(inner(u, u) * inner(w, w))
        degree = 2 * g  # the same mean over these prompts, from their exact laws

        class Prompts(Recorded):
            def pmf(self, n):
                return Fixed(p).pmf(n).mean(0)

        assert pass_at_k_alignment(Prompts([1], degree), k, g, GRPO) == pytest.approx(want, rel=1e-10)

    def test_one_where_it_climbs_pass_at_k_itself(self):
        data = Beta(0.2, 0.4)
        for k in (1, 3, 8):
            assert pass_at_k_alignment(data, k, 8, pass_at_k_gradient(k)) == pytest.approx(1, rel=1e-12)
        for estimator in (RLOO, DR_GRPO):
            assert pass_at_k_alignment(data, 1, 8, estimator) == pytest.approx(1, rel=1e-12)
        assert pass_at_k_alignment(data, 8, 8, RLOO) < 0.8

    def test_scale_is_nothing_and_sign_is_all(self):
        twice = Estimator("twice", lambda K, g: 2 * RLOO.correct(K, g), lambda K, g: 2 * RLOO.incorrect(K, g))
        against = Estimator("against", lambda K, g: -RLOO.correct(K, g), lambda K, g: -RLOO.incorrect(K, g))
        silent = Estimator("silent", lambda K, g: 0.0, lambda K, g: 0.0)
        data = Beta(0.2, 0.4)
        ours = pass_at_k_alignment(data, 4, 8, RLOO)
        assert pass_at_k_alignment(data, 4, 8, twice) == pytest.approx(ours, rel=1e-14)
        assert pass_at_k_alignment(data, 4, 8, against) == pytest.approx(-ours, rel=1e-14)
        assert np.isnan(pass_at_k_alignment(data, 4, 8, silent))

    def test_which_estimator_for_which_k(self):
        """At g = 8 RLOO is the closest to pass@1 and MAXRL to every other; GRPO lies between."""
        data = Beta(0.33, 0.49)
        table = [[pass_at_k_alignment(data, k, 8, e) for e in (RLOO, GRPO, MAXRL)] for k in (1, 2, 4, 8, 64)]
        assert np.argmax(table, axis=1).tolist() == [0, 2, 2, 2, 2]
        assert all(row[0] < row[1] < row[2] for row in table[1:])

    def test_an_evaluation_needs_twice_the_samples(self):
        assert type(pass_at_k_alignment(Recorded([1, 3, 9, 16], 16), 8, 8, GRPO)) is float
        with pytest.raises(ValueError, match=r"^2 max\(g, k\) must be at most 15, got 16\."):
            pass_at_k_alignment(Recorded([1, 3], 15), 8, 4, GRPO)
        with pytest.raises(ValueError, match=r"^p must be one population"):
            pass_at_k_alignment(0.3, 4, 8, GRPO)
        with pytest.raises(ValueError, match=r"^k must be at most 1024"):
            pass_at_k_alignment(Beta(0.3, 0.3), 2000, 8, GRPO)


class TestMissedMode:
    @pytest.mark.parametrize("g", [2, 3, 5])
    def test_against_every_group_of_three_kinds(self, g):
        """Each rollout shows the answer, another right one, or a wrong one; g + 1 values of p prove each mode."""
        for t in (Fraction(1, 50), Fraction(1, 7)):
            for p in (t + (1 - t) * Fraction(i, g) for i in range(g + 1)):
                want = Fraction(0)
                for rewards in enumeration.every_group(g):  # of the two right kinds only the other one may come
                    if len(set(rewards)) == 2:
                        want += (p - t) ** sum(rewards) * (1 - p) ** (g - sum(rewards))
                assert missed_mode_probability(float(p), float(t), g) == pytest.approx(
                    float(want), rel=1e-12, abs=1e-15
                )

    @pytest.mark.parametrize("p", [1e-300, 1e-17, 0.02, 0.5, 1 - 1e-16])
    @pytest.mark.parametrize("share", [0, 1e-3, 0.5, 0.999])
    def test_twelve_digits(self, p, share):
        t = p * share
        for g in (2, 64, 10**6):
            q, x = 1 - mp.mpf(p), mp.mpf(p) - mp.mpf(t)
            want = (1 - mp.mpf(t)) ** g - x**g - q**g
            if want > 1e-300:
                assert abs(mp.mpf(missed_mode_probability(p, t, g)) / want - 1) < 1e-12

    def test_rises_and_falls_with_the_group(self):
        chances = [missed_mode_probability(0.3, 0.02, g) for g in range(2, 400)]
        peak = int(np.argmax(chances))
        assert 2 < peak + 2 < 20
        assert np.all(np.diff(chances[: peak + 1]) > 0)
        assert np.all(np.diff(chances[peak:]) < 0)

    def test_edges(self):
        assert missed_mode_probability(0.3, 0, 8) == pytest.approx(informative_probability(0.3, 8), rel=1e-15)
        assert missed_mode_probability([0.3, 1, 0], [0.3, 1, 0], 8).tolist() == [0, 0, 0]
        with pytest.raises(ValueError, match=r"^mode must be at most p"):
            missed_mode_probability(0.3, 0.4, 8)


@pytest.mark.parametrize("proof", [proofs.power_law_of_failures, proofs.missed_mode], ids=lambda proof: proof.__name__)
def test_proofs_hold_and_break(proof):
    whole = proof().check()
    for number, step in enumerate(whole.steps, 1):
        if step.kind == "identity":
            steps = list(whole.steps)
            steps[number - 1] = replace(step, rhs=step.rhs + sympy.Symbol("slip"))
            with pytest.raises(ArithmeticError, match=f"{whole.label}, step {number} is not confirmed"):
                replace(whole, steps=tuple(steps)).check()
