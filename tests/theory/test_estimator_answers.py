"""Idea 3: a flow says where it goes. Weights, objectives and moments against enumeration, closed forms and draws."""

from fractions import Fraction
from itertools import product
from math import comb, sqrt

import mpmath
import numpy as np
import pytest
from scipy.special import roots_legendre, roots_sh_jacobi

from rlsignal import (
    DR_GRPO,
    GRPO,
    MAXRL,
    RLOO,
    Beta,
    Estimator,
    Fixed,
    Recorded,
    informative_probability,
    pass_at_k,
)
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO, GRPO_OPENRLHF, GRPO_TRL, GRPO_VERL, standardised
from rlsignal.proofs import enumeration
from rlsignal.theory.frameworks import MAXRL_UNCENTRED, batch_standardised, pass_at_k_gradient, pass_at_k_training
from rlsignal.theory.signal import informative_group_bias

mp = mpmath.mp.clone()
mp.dps = 50  # every term is positive, so nothing cancels and 50 digits are plenty

HARD = (0.001, 0.01, 0.02, 0.05, 0.083, 0.1, 0.2, 0.5)
ODD = Estimator("odd", lambda K, g: np.cos(3 * K) + K**2, lambda K, g: np.sin(K + g))  # neither centred nor monotone
EVERY = (*ESTIMATORS, ODD)

every_estimator = pytest.mark.parametrize("estimator", EVERY, ids=lambda estimator: estimator.name)


def groups(g):
    """All 2^g groups of rewards [2^g, g]."""
    return np.array(list(product((0, 1), repeat=g)))


def chances(rewards, p):
    return np.prod(np.where(rewards == 1, p, 1 - p), axis=-1)


class TestFigures:
    @pytest.mark.parametrize("p", [0, 1e-300, 1e-3, 0.05, 0.3, 0.5, 0.97, 1])
    def test_std_normalising_has_no_difficulty_bias_at_two_and_three_rollouts(self, p):
        assert GRPO.weight(p, 2) == pytest.approx(1, rel=1e-14, abs=0)
        assert GRPO.weight(p, 3) == pytest.approx(sqrt(2), rel=1e-14, abs=0)

    @pytest.mark.parametrize(
        ("g", "row"),
        [
            (4, (1.732, 1.727, 1.723, 1.710, 1.697, 1.690, 1.658, 1.616)),
            (8, (2.642, 2.609, 2.573, 2.473, 2.374, 2.328, 2.107, 1.856)),
            (16, (3.859, 3.733, 3.603, 3.267, 2.974, 2.848, 2.346, 1.934)),
            (64, (7.798, 6.736, 5.864, 4.336, 3.520, 3.255, 2.469, 1.984)),
        ],
    )
    def test_grpo_weight_over_hard_prompts(self, g, row):
        assert GRPO.weight(HARD, g) == pytest.approx(row, abs=6e-4)

    def test_difficulty_bias(self):
        """w(.05) / w(.5): from none to nearly that of 1/sqrt(p(1-p))."""
        bias = [GRPO.weight(0.05, g) / GRPO.weight(0.5, g) for g in (2, 3, 4, 8, 16, 64)]
        assert bias == pytest.approx([1, 1, 1.06, 1.33, 1.69, 2.19], abs=5e-3)

    @pytest.mark.parametrize("g", [2, 3, 4, 8, 64, 4096])
    def test_the_hardest_prompts_weigh_sqrt_of_the_others_not_infinity(self, g):
        assert GRPO.weight(0, g) == pytest.approx(sqrt(g - 1), rel=1e-14, abs=0)
        assert GRPO.weight(1e-12, g) == pytest.approx(sqrt(g - 1), rel=1e-8, abs=0)  # w' is at most g^1.5

    def test_nemo_leans_the_other_way(self):
        """It favours easy prompts, and both ends weigh 1."""
        assert GRPO_NEMO.weight([0.9, 0.05], 8) == pytest.approx([1.765, 1.469], abs=5e-4)
        assert GRPO_NEMO.weight([0, 1e-12, 1 - 1e-12, 1], 8) == pytest.approx(np.ones(4), abs=1e-10)

    @pytest.mark.parametrize(
        ("g", "top"), [(2, 1), (3, 1.414), (4, 1.655), (8, 2.100), (16, 2.408), (64, 2.776), (4096, np.pi)]
    )
    def test_grpo_objective_rises_to_pi(self, g, top):
        """arcsin sqrt p, doubled, at p = 1; the approach is as slow as 1/sqrt(g)."""
        assert GRPO.objective(1, g) == pytest.approx(top, abs=6e-4 if g < 4096 else 3 / sqrt(g))

    @pytest.mark.parametrize(
        ("estimator", "row"),
        [
            (DR_GRPO, (0.0172, 0.0788, 0.2188, 0.0788)),
            (RLOO, (0.0224, 0.1029, 0.2857, 0.1029)),
            (GRPO_VERL, (0.1306, 0.4983, 0.8682, 0.4983)),
            (GRPO_OPENRLHF, (0.1306, 0.4983, 0.8682, 0.4983)),
            (GRPO, (0.1492, 0.5695, 0.9922, 0.5695)),
            (MAXRL, (1.003, 3.185, 1.357, 0.130)),
            (GRPO_NEMO, (0.0445, 0.3522, 1.186, 0.3522)),
        ],
        ids=lambda x: getattr(x, "name", ""),
    )
    def test_variance_inside_a_group_of_eight_as_measured_from_the_frameworks(self, estimator, row):
        measured = estimator.variance([0.02, 0.1, 0.5, 0.9], 8)
        assert measured == pytest.approx(row, abs=6e-5 if max(row) < 1 else 6e-4)


@every_estimator
@pytest.mark.parametrize("g", [2, 3, 5, 8])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.9])
class TestEnumeration:
    """All 2^g groups, through `advantages` itself. 1e-12: sums of 256 terms, divided by p once."""

    def test_expected_update_of_a_two_response_policy(self, estimator, g, p):
        """The score of a reward r is (r - p) / (p(1-p)) per unit of p, so the expected update is w_g(p)."""
        rewards = groups(g)
        update = (estimator.advantages(rewards) * (rewards - p) / (p * (1 - p))).mean(-1)
        assert estimator.weight(p, g) == pytest.approx(chances(rewards, p) @ update, rel=1e-12, abs=0)

    def test_moments_of_the_advantages(self, estimator, g, p):
        rewards = groups(g)
        chance, advantage = chances(rewards, p), estimator.advantages(rewards)
        second, first = chance @ (advantage**2).mean(-1), chance @ np.abs(advantage).mean(-1)
        assert estimator.second_moment(p, g) == pytest.approx(second, rel=1e-12, abs=0)
        assert estimator.magnitude(p, g) == pytest.approx(first, rel=1e-12, abs=0)
        assert estimator.variance(p, g) == pytest.approx(chance @ advantage.var(-1), rel=1e-12, abs=0)


@pytest.mark.parametrize("g", [2, 3, 5])
def test_enumeration_holds_on_every_unit_table(g):
    """Weights are linear in the table, so equality on the 2g cells is equality for every estimator there can be."""
    rewards, p = groups(g), np.linspace(0.05, 0.95, g + 1)  # both sides have degree < g + 1 in p
    chance = np.stack([chances(rewards, x) for x in p])
    score = (rewards - p[:, None, None]) / (p * (1 - p))[:, None, None]
    for right in (True, False):
        for k in range(1 if right else 0, g + 1 if right else g):

            def cell(K, g, k=k):
                return 1.0 * (k == K)

            unit = Estimator("unit", cell, lambda K, g: 0) if right else Estimator("unit", lambda K, g: 0, cell)
            want = (chance * (unit.advantages(rewards) * score).mean(-1)).sum(-1)
            np.testing.assert_allclose(unit.weight(p, g), want, rtol=0, atol=1e-12)


@every_estimator
class TestObjective:
    @pytest.mark.parametrize("g", [2, 3, 8, 17, 64])
    def test_objective_is_the_integral_of_the_weight(self, estimator, g):
        """Gauss-Legendre with g nodes is exact for the weight, a polynomial of degree g - 1: no approximation here."""
        nodes, weights = roots_legendre(g)
        for low, high in ((0, 0.02), (0, 0.5), (0.1, 0.9), (0.98, 1)):
            middle, half = (low + high) / 2, (high - low) / 2
            area = half * (weights @ estimator.weight(middle + half * nodes, g))
            rise = estimator.objective(high, g) - estimator.objective(low, g)
            scale = np.abs(estimator.table(g)).max()  # what the two ends of `rise` may lose by rounding
            assert rise == pytest.approx(area, rel=1e-12, abs=1e-14 * g * scale), (low, high)

    def test_objective_climbs_at_the_rate_of_the_weight(self, estimator):
        """The same by central differences: h^2 h'''/6 < 1e-6 of the weight at h = 1e-4, g = 8."""
        p, step = np.array([0.2, 0.5, 0.8]), 1e-4
        rise = estimator.objective(p + step, 8) - estimator.objective(p - step, 8)
        np.testing.assert_allclose(rise / (2 * step), estimator.weight(p, 8), rtol=1e-6)

    def test_objective_starts_at_zero(self, estimator):
        assert all(estimator.objective(0, g) == 0 for g in (2, 8, 4096))

    @pytest.mark.parametrize("g", [2, 8, 64])
    def test_weight_in_the_form_that_divides(self, estimator, g):
        """w = E[K A+ / p - (g-K) A- / (1-p)] / g: the score-function form of the same number."""
        p, k, (wrong, right) = np.array([0.05, 0.3, 0.8]), np.arange(g + 1), estimator.table(g)
        population = Fixed(p).pmf(g)
        divided = (population @ (k * right) / p - population @ ((g - k) * wrong) / (1 - p)) / g
        scale = np.abs(estimator.table(g)).max() / 0.05
        np.testing.assert_allclose(estimator.weight(p, g), divided, rtol=1e-12, atol=1e-15 * g * scale)


class TestClosedForms:
    P = np.array([0.0, 1e-12, 0.02, 0.3, 0.5, 0.9, 1.0])

    @pytest.mark.parametrize("g", [2, 3, 8, 64])
    def test_what_each_estimator_optimises(self, g):
        np.testing.assert_allclose(RLOO.objective(self.P, g), self.P, rtol=1e-13)
        np.testing.assert_allclose(DR_GRPO.objective(self.P, g), self.P * (g - 1) / g, rtol=1e-13)
        truncated_log = sum((1 - (1 - self.P) ** k) / k for k in range(1, g))  # log p, expanded in pass@k
        np.testing.assert_allclose(MAXRL.objective(self.P, g), truncated_log, rtol=1e-12, atol=1e-16 * g)

    @pytest.mark.parametrize("g", [2, 3, 8, 64])
    def test_maxrl_weight(self, g):
        p = self.P[1:]
        np.testing.assert_allclose(MAXRL.weight(p, g), pass_at_k(p, g - 1) / p, rtol=1e-13)

    @pytest.mark.parametrize("g", [2, 3, 8, 64])
    def test_ddof_is_a_learning_rate(self, g):
        """ddof 1 shrinks every GRPO update by the same sqrt((g-1)/g)."""
        sample = standardised("sample s.d.", ddof=1, epsilon=0)
        ratio = sample.weight(self.P, g) / GRPO.weight(self.P, g)
        np.testing.assert_allclose(ratio, sqrt((g - 1) / g), rtol=1e-13)

    @pytest.mark.parametrize("g", [2, 3, 8, 64])
    def test_second_moments(self, g):
        p, q = self.P, 1 - self.P
        np.testing.assert_allclose(GRPO.second_moment(p, g), informative_probability(p, g), rtol=1e-13, atol=0)
        np.testing.assert_allclose(DR_GRPO.second_moment(p, g), p * q * (g - 1) / g, rtol=1e-13)
        np.testing.assert_allclose(RLOO.second_moment(p, g), p * q * g / (g - 1), rtol=1e-13)

    @pytest.mark.parametrize("estimator", [GRPO, GRPO_TRL, DR_GRPO, RLOO, MAXRL], ids=lambda x: x.name)
    def test_update_mass_of_centred_estimators(self, estimator):
        p = self.P
        want = 2 * p * (1 - p) * estimator.weight(p, 8)
        np.testing.assert_allclose(estimator.magnitude(p, 8), want, rtol=1e-13)

    def test_update_mass_of_an_uncentred_one_differs(self):
        centred_formula = 2 * 0.2 * 0.8 * GRPO_NEMO.weight(0.2, 8)
        assert GRPO_NEMO.magnitude(0.2, 8) > 1.01 * centred_formula

    @pytest.mark.parametrize("estimator", EVERY, ids=lambda estimator: estimator.name)
    def test_second_moment_is_variance_inside_groups_plus_what_their_means_leave(self, estimator):
        """The two are equal for centred estimators only; NeMo's group means and the odd one's are not zero."""
        p, g, k, (wrong, right) = 0.2, 8, np.arange(9), estimator.table(8)
        of_means = Fixed(p).pmf(g) @ ((k * right + (g - k) * wrong) / g) ** 2
        gap = estimator.second_moment(p, g) - estimator.variance(p, g)
        assert gap == pytest.approx(of_means, rel=1e-12, abs=1e-14)
        assert (gap > 0.01) == (estimator in (GRPO_NEMO, ODD))


def exact_pmf(mean, dispersion, g):
    """The pmf of K by its ratios from K = 0 upward, in 50 digits."""
    m, rho, population = mp.mpf(mean), mp.mpf(dispersion), [mp.mpf(1)]
    for k in range(g):
        rising, falling = m * (1 - rho) + k * rho, (1 - m) * (1 - rho) + (g - 1 - k) * rho
        population.append(population[-1] * (g - k) * rising / ((k + 1) * falling))
    total = mp.fsum(population)
    return [x / total for x in population]


def exact_weight(population, g):
    """GRPO: A+(j+1) - A-(j) = sqrt((g-j-1)/(j+1)) + sqrt(j/(g-j)) under the law of g - 1 others."""
    return mp.fsum(
        x * (mp.sqrt(mp.mpf(g - j - 1) / (j + 1)) + mp.sqrt(mp.mpf(j) / (g - j))) for j, x in enumerate(population)
    )


@pytest.mark.parametrize("g", [2, 8, 257, 4096])
@pytest.mark.parametrize(
    ("mean", "dispersion"), [(1e-300, 0), (0.02, 0), (1 - 1e-16, 0), (0.1, 0.3), (1e-16, 0.9), (0.5, 1 - 1e-12)]
)
def test_sums_over_a_law_to_eleven_digits_up_to_the_largest_group(mean, dispersion, g):
    """Promised while mean (1 - dispersion) is at least 1e-300."""
    population = Fixed(mean) if dispersion == 0 else Beta(mean, dispersion)
    others, k = exact_pmf(mean, dispersion, g - 1), range(g + 1)
    assert abs(GRPO.weight(population, g) / exact_weight(others, g) - 1) < 1e-11
    group = exact_pmf(mean, dispersion, g)
    second = mp.fsum(x * i * (g - i) / mp.mpf(g - 1) ** 2 for i, x in zip(k, group, strict=True))  # RLOO's E[A^2]
    assert abs(RLOO.second_moment(population, g) / second - 1) < 1e-11
    assert abs(RLOO.objective(population, g) / mp.mpf(mean) - 1) < 1e-11


class TestPopulations:
    @every_estimator
    @pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 0.3), (0.1, 0.5), (0.7, 0.05)])
    def test_a_population_is_the_average_over_its_prompts(self, estimator, mean, dispersion):
        """Gauss-Jacobi with g nodes averages a polynomial in p over a Beta exactly; its nodes are good to 1e-11."""
        g, a, b = 8, mean * (1 / dispersion - 1), (1 - mean) * (1 / dispersion - 1)
        nodes, weights = roots_sh_jacobi(g, a + b - 1, a)
        population = Beta(mean, dispersion)
        for quantity in (estimator.weight, estimator.objective, estimator.second_moment, estimator.magnitude):
            want = weights @ quantity(nodes, g) / weights.sum()
            assert quantity(population, g) == pytest.approx(want, rel=1e-10, abs=0), quantity.__name__

    @every_estimator
    def test_an_evaluation_is_unbiased(self, estimator):
        """Averaged over the evaluations of n = 12 samples that could have been."""
        p, n, g = 0.2, 12, 8
        outcomes = [Recorded([c], n) for c in range(n + 1)]
        for quantity, size in ((estimator.weight, n), (estimator.objective, g), (estimator.second_moment, g)):
            mean = Fixed(p).pmf(n) @ [quantity(outcome, size) for outcome in outcomes]
            assert mean == pytest.approx(quantity(p, size), rel=1e-12, abs=0), quantity.__name__

    def test_shapes(self):
        p = np.full((3, 2), 0.1)
        for quantity in (GRPO.weight, GRPO.objective, GRPO.variance, GRPO.second_moment, GRPO.magnitude):
            assert quantity(p, 4).shape == (3, 2)
            assert quantity(Beta(p, 0.3), 4).shape == (3, 2)
            assert type(quantity(0.1, 4)) is type(quantity(Recorded([1], 8), 4)) is float


class TestDraws:
    """Sampled updates within five standard errors, the error from the table and the law; a neighbour is refused."""

    GROUPS = 100_000

    def sampled(self, p, g, estimator):
        rewards = (np.random.default_rng(g).random((self.GROUPS, g)) < p).astype(int)
        return (estimator.advantages(rewards) * (rewards - p) / (p * (1 - p))).mean()

    def standard_error(self, p, g, estimator):
        k, (wrong, right) = np.arange(g + 1), estimator.table(g)
        update = (k * right / p - (g - k) * wrong / (1 - p)) / g
        population = Fixed(p).pmf(g)
        return np.sqrt((population @ update**2 - (population @ update) ** 2) / self.GROUPS)

    @pytest.mark.parametrize(
        ("estimator", "p", "g", "tempting"),
        [
            (GRPO, 0.05, 8, 1 / sqrt(0.05 * 0.95)),  # the large-group weight
            (GRPO, 0.05, 8, sqrt(7)),  # the limit p -> 0
            (GRPO_NEMO, 0.2, 8, GRPO.weight(0.2, 8)),
            (MAXRL, 0.2, 8, pass_at_k(0.2, 8) / 0.2),  # g terms of the logarithm instead of g - 1
            (DR_GRPO, 0.2, 8, 1.0),  # RLOO
        ],
        ids=["GRPO-large-g", "GRPO-small-p", "NEMO", "MAXRL", "DR_GRPO"],
    )
    def test_weight(self, estimator, p, g, tempting):
        sampled, error = self.sampled(p, g, estimator), self.standard_error(p, g, estimator)
        assert abs(sampled - estimator.weight(p, g)) < 5 * error
        assert abs(sampled - tempting) > 5 * error


class TestTrainingForSeveralAttempts:
    P = np.array([0.0, 1e-12, 0.02, 0.3, 0.5])

    @pytest.mark.parametrize("g", [2, 3, 8, 64])
    def test_the_pass_at_k_gradient_optimises_pass_at_k(self, g):
        for k in {1, 2, g // 2 + 1, g}:
            estimator = pass_at_k_gradient(k)
            weight = estimator.weight(self.P, g)
            # 1e-12 absolute: A+ and A- are of size k, and their difference is what is left
            np.testing.assert_allclose(weight, k * (1 - self.P) ** (k - 1), rtol=1e-12, atol=1e-13 * k)
            np.testing.assert_allclose(estimator.objective(self.P, g), pass_at_k(self.P, k), rtol=1e-12, atol=1e-14 * k)

    @pytest.mark.parametrize("g", [4, 8, 16])
    def test_its_weight_in_every_digit(self, g):
        """Both sides are polynomials in p of degree g - 1: equal at g points, equal everywhere."""
        for k in range(1, g + 1):
            for at in range(g):
                p = Fraction(at, g)
                weight = Fraction(0)
                for j in range(g):
                    chance = comb(g - 1, j) * p**j * (1 - p) ** (g - 1 - j)
                    weight += chance * k * Fraction(comb(g - 1 - j, k - 1), comb(g - 1, k - 1))
                assert weight == k * (1 - p) ** (k - 1)

    @pytest.mark.parametrize("g", [2, 3, 8, 64])
    def test_uncentred_maxrl_has_one_more_term(self, g):
        weight = MAXRL_UNCENTRED.weight(self.P[1:], g)
        np.testing.assert_allclose(weight, pass_at_k(self.P[1:], g) / self.P[1:], rtol=1e-13)
        series = sum((1 - (1 - self.P) ** k) / k for k in range(1, g + 1))
        np.testing.assert_allclose(MAXRL_UNCENTRED.objective(self.P, g), series, rtol=1e-12, atol=1e-16 * g)

    def test_pass_at_k_training_turns_to_hard_prompts(self):
        """From the bias of GRPO at k = 1 on; and what is solved anyway weighs nothing."""
        bias = [np.divide(*pass_at_k_training(k).weight([0.05, 0.5], 8)) for k in (1, 2, 4, 6)]
        assert bias[0] == pytest.approx(1.33, abs=5e-3)
        assert np.all(np.diff(bias) > 0)
        assert pass_at_k_training(2).weight(1, 8) == 0


class TestALargeBatch:
    @pytest.mark.parametrize("g", [2, 8, 64])
    def test_every_prompt_has_one_weight_whatever_the_group(self, g):
        weight = batch_standardised(0.3).weight([0.01, 0.5, 0.99], g)
        np.testing.assert_allclose(weight, 1 / sqrt(0.3 * 0.7), rtol=1e-13)

    def test_second_moment_of_a_prompt_and_of_the_batch(self):
        p, m = np.array([0.01, 0.3, 0.9]), 0.3
        want = (p * (1 - p) + (p - m) ** 2) / (m * (1 - m))
        np.testing.assert_allclose(batch_standardised(m).second_moment(p, 8), want, rtol=1e-13)
        assert batch_standardised(m).second_moment(Beta(m, 0.4), 8) == pytest.approx(1, rel=1e-13)

    def test_between_prompts_its_advantages_vary_by_the_dispersion(self):
        """(p - m)/s is a prompt's mean advantage; its variance over prompts is rho."""
        m, rho = 0.3, 0.4
        between = 1 - Beta(m, rho).reward_variance / (m * (1 - m))
        assert between == pytest.approx(rho, rel=1e-13)


class TestMixedGroups:
    @pytest.mark.parametrize("g", [2, 3, 5, 8])
    def test_against_every_group(self, g):
        """Rational arithmetic over all 2^g groups, at g + 1 pass rates."""
        for at in range(1, g + 2):
            p = Fraction(at, g + 2)
            urn = enumeration.fixed(p)
            share = enumeration.expectation(lambda rewards: len(set(rewards)) == 2, urn, g)
            inside = enumeration.expectation(
                lambda rewards: (len(set(rewards)) == 2) * enumeration.mean(rewards), urn, g
            )
            q, bias = 1 - p, inside / share - p
            assert bias == (p * q**g - q * p**g) / (1 - p**g - q**g)
            assert informative_group_bias(float(p), g) == pytest.approx(float(bias), rel=1e-12, abs=1e-16)

    @pytest.mark.parametrize("g", [2, 3, 8, 1000, 10**6])
    @pytest.mark.parametrize("p", [1e-300, 1e-16, 1e-3, 0.3, 0.4999999, 0.5000001, 0.7, 0.999, 1 - 2**-53])
    def test_in_every_digit(self, p, g):
        with mpmath.workdps(700):
            x = mpmath.mpf(p)
            want = (x * (1 - x) ** g - (1 - x) * x**g) / (1 - x**g - (1 - x) ** g)
            if abs(want) > 1e-300:
                assert abs(informative_group_bias(p, g) / want - 1) < 1e-12
            else:
                assert abs(informative_group_bias(p, g)) < 1e-299

    def test_it_is_no_bias_of_the_gradient(self):
        """With degenerate groups, which have no update but count, every prompt has the same weight."""
        assert informative_group_bias(0.05, 8) > 0.09
        np.testing.assert_allclose(DR_GRPO.weight([0.05, 0.5], 8), 7 / 8, rtol=1e-14)
        kept = DR_GRPO.weight([0.05, 0.5], 8) / informative_probability([0.05, 0.5], 8)
        assert kept[0] > 2 * kept[1]  # per informative group hard prompts are pushed more, not less

    def test_populations(self):
        p, g = 0.2, 6
        assert informative_group_bias(Beta(p, 0), g) == pytest.approx(informative_group_bias(p, g), rel=1e-12)
        nodes, weights = roots_sh_jacobi(8, 0.3 / 0.7 * 0 + 2.0, 1.0)
        mixed = informative_probability(nodes, g)
        want = weights @ (mixed * informative_group_bias(nodes, g)) / (weights @ mixed)
        assert informative_group_bias(Beta(1 / 3, 1 / 4), g) == pytest.approx(want, rel=1e-10)  # Beta(1, 2)

    def test_an_evaluation_needs_one_sample_more(self):
        """Its numerator and denominator are unbiased each, averaged over the evaluations of n = 9 that could be."""
        p, n, g = 0.3, 9, 8
        outcomes = [Recorded([c], n) for c in range(n + 1)]
        population = Fixed(p).pmf(n)
        tops = [0 if c in (0, n) else informative_group_bias(o, g) * o.informative(g) for c, o in enumerate(outcomes)]
        assert population @ tops == pytest.approx(
            informative_group_bias(p, g) * informative_probability(p, g), rel=1e-12
        )
        with pytest.raises(ValueError, match=r"g \+ 1 must be at most 9, got 10"):
            informative_group_bias(Recorded([3], 9), 9)

    @pytest.mark.parametrize("p", [0, 1, Beta(0.3, 1), Recorded([0, 9], 9)], ids=["never", "always", "either", "data"])
    def test_no_mixed_groups_have_no_mean(self, p):
        with pytest.raises(ValueError, match="p must leave a chance of informative groups"):
            informative_group_bias(p, 4)

    def test_draws(self):
        """Among drawn informative groups; the formula for all groups, 0, is refused."""
        p, g, groups = 0.1, 8, 200_000
        means = (np.random.default_rng(0).random((groups, g)) < p).mean(-1)
        kept = means[(means > 0) & (means < 1)]
        k, population = np.arange(g + 1) / g, Fixed(p).pmf(g)
        population[[0, -1]] = 0
        population /= population.sum()
        error = np.sqrt((population @ k**2 - (population @ k) ** 2) / len(kept))
        assert abs(kept.mean() - p - informative_group_bias(p, g)) < 5 * error
        assert abs(kept.mean() - p) > 5 * error
