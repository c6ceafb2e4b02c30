"""How much signal a group carries: figures, twelve digits, edges, thresholds that undo their formulas, draws."""

from fractions import Fraction
from math import comb, isnan, log, sqrt

import mpmath
import numpy as np
import pytest

from rlsignal import (
    GRPO,
    Beta,
    Fixed,
    Recorded,
    advantage_variance,
    critical_pass_rate,
    degenerate_probability,
    group_size_for,
    informative_probability,
)
from rlsignal.theory import advantage_variance_distribution, critical_dispersion, variance_of_advantage_variance

mp = mpmath.mp.clone()
mp.dps = 700  # 1 - p^g - (1-p)^g may be 1e-300

TINY = mp.mpf(10) ** -300
PASS_RATES = (1e-300, 1e-200, 1e-100, 1e-30, 1e-16, 1e-8, 1e-3, 0.02, 0.1, 0.2, 0.3)
PASS_RATES += (0.4999999, 0.5, 0.5000001, 0.6, 0.8, 0.9, 0.99, 1 - 1e-8, 1 - 1e-12, 1 - 1e-15, 1 - 1e-16)
GROUP_SIZES = (2, 3, 8, 17, 64, 1000, 4096, 10**5, 10**6)
MEANS, DISPERSIONS = (0.01, 0.2, 0.5, 0.9), (0.0, 1e-6, 0.05, 0.3, 0.7, 0.99)


def relative_error(got, want):
    return float(abs(mp.mpf(float(got)) / want - 1))


@pytest.mark.parametrize("p", PASS_RATES)
@pytest.mark.parametrize("g", GROUP_SIZES)
def test_one_prompt_to_twelve_digits_up_to_a_million_rollouts(p, g):
    """Against 700 digits fed the very float p, wherever the true value is at least 1e-300."""
    exact, other = mp.mpf(p), 1 - mp.mpf(p)
    pq, dead = exact * other, exact**g + other**g
    for quantity, want in (
        (degenerate_probability, dead),
        (informative_probability, 1 - dead),
        (advantage_variance, pq * (g - 1) / g),
        (variance_of_advantage_variance, pq * (g - 1) * (g - 1 - (4 * g - 6) * pq) / mp.mpf(g) ** 3),
    ):
        if want >= TINY:
            assert relative_error(quantity(p, g), want) < 1e-12, quantity.__name__


@pytest.mark.parametrize("mean", [1e-300, 1e-16, 0.1, 0.5, 1 - 1e-16])
@pytest.mark.parametrize("dispersion", [1e-12, 0.3, 0.99, 1 - 1e-12])
@pytest.mark.parametrize("g", [2, 8, 4096])
def test_a_population_to_twelve_digits(mean, dispersion, g):
    m, rho = mp.mpf(mean), mp.mpf(dispersion)
    a, b = m * (1 - rho) / rho, (1 - m) * (1 - rho) / rho
    dead = (mp.rf(a, g) + mp.rf(b, g)) / mp.rf(a + b, g)
    for quantity, want in (
        (degenerate_probability, dead),
        (informative_probability, 1 - dead),
        (advantage_variance, m * (1 - m) * (1 - rho) * (g - 1) / g),
    ):
        if want >= TINY:
            assert relative_error(quantity(Beta(mean, dispersion), g), want) < 1e-12, quantity.__name__


@pytest.mark.parametrize(("mean", "dispersion"), [(0.1, 0.3), (0.5, 1 - 1e-12), (1e-16, 0.9), (0.9, 1e-12)])
@pytest.mark.parametrize("g", [2, 8, 64, 4096])
def test_spread_of_the_variance_over_a_population_to_eleven_digits(mean, dispersion, g):
    """E[v^2] - E[v]^2 by factorial moments: g^2 v = K(g-K) and its square are sums over rollouts that disagree."""
    m, rho = mp.mpf(mean), mp.mpf(dispersion)
    a, b = m * (1 - rho) / rho, (1 - m) * (1 - rho) / rho

    def mixed_moment(i, j):
        """E[p^i (1-p)^j], times the ordered choices of i + j rollouts."""
        return mp.ff(g, i + j) * mp.rf(a, i) * mp.rf(b, j) / mp.rf(a + b, i + j)

    square = mixed_moment(2, 2) + mixed_moment(2, 1) + mixed_moment(1, 2) + mixed_moment(1, 1)
    want = (square - mixed_moment(1, 1) ** 2) / mp.mpf(g) ** 4
    assert relative_error(variance_of_advantage_variance(Beta(mean, dispersion), g), want) < 1e-11


class TestFigures:
    def test_of_the_paper(self):
        assert advantage_variance(0.02, 8) == pytest.approx(0.01715, rel=1e-12, abs=0)
        assert critical_pass_rate(8) == pytest.approx(0.0829960, abs=5e-8)

    @pytest.mark.parametrize(
        ("g", "low", "of_maximum"),
        [
            (2, 0.5, 1.0),
            (3, 0.21132, 0.667),
            (4, 0.15937, 0.536),
            (8, 0.08300, 0.304),
            (16, 0.04240, 0.162),
            (32, 0.02143, 0.084),
            (64, 0.01077, 0.043),
        ],
    )
    def test_half_of_the_groups_dead_is_not_all_of_the_variance_gone(self, g, low, of_maximum):
        p = critical_pass_rate(g)
        assert p == pytest.approx(low, abs=6e-6)
        assert advantage_variance(p, g) / advantage_variance(0.5, g) == pytest.approx(of_maximum, abs=6e-4)

    @pytest.mark.parametrize(
        ("g", "row", "beyond"),
        [
            (4, (0.159, 0.172, 0.187, 0.221, 0.271, 0.360, None), 0.447),
            (8, (0.083, 0.097, 0.111, 0.140, 0.172, 0.215, 0.284), 0.595),
            (16, (0.042, 0.057, 0.071, 0.098, 0.128, 0.162, 0.209), 0.674),
            (32, (0.021, 0.036, 0.049, 0.074, 0.100, 0.131, 0.170), 0.725),
            (64, (0.011, 0.024, 0.036, 0.058, 0.082, 0.110, 0.144), 0.760),
        ],
    )
    def test_thresholds_of_a_population(self, g, row, beyond):
        for dispersion, want in zip((0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5), row, strict=True):
            got = critical_pass_rate(g, dispersion=dispersion)
            assert isnan(got) if want is None else got == pytest.approx(want, abs=6e-4)
        assert critical_dispersion(g) == pytest.approx(beyond, abs=6e-4)
        assert isnan(critical_pass_rate(g, dispersion=beyond + 0.005))
        assert not isnan(critical_pass_rate(g, dispersion=beyond - 0.005))

    @pytest.mark.parametrize(
        ("informative", "row"),
        [
            (0.5, (69, 35, 14, 8, 7, 5, 4, 3, 2, 7)),
            (0.8, (161, 80, 32, 19, 16, 10, 8, 5, 4, 16)),
            (0.9, (230, 114, 45, 27, 22, 15, 11, 7, 5, 22)),
            (0.95, (299, 149, 59, 35, 29, 19, 14, 9, 6, 29)),
        ],
    )
    def test_smallest_group_sizes(self, informative, row):
        pass_rates = (0.01, 0.02, 0.05, 0.083, 0.1, 0.15, 0.2, 0.3, 0.5, 0.9)
        assert tuple(group_size_for(p, informative=informative) for p in pass_rates) == row

    def test_of_a_public_run(self):
        """Mean 0.2812 and 54% degenerate groups of 8, with a = .2812 and b = .7188 times 1/.542 - 1; its mean: 7%."""
        run = Beta(0.2812, 0.542)
        assert degenerate_probability(run, 8) == pytest.approx(0.542, abs=5e-4)
        assert degenerate_probability(0.2812, 8) == pytest.approx(0.071, abs=5e-4)
        larger = [degenerate_probability(run, g) for g in (4, 16, 32, 64)]
        assert larger == pytest.approx([0.66, 0.445, 0.37, 0.305], abs=6e-3)  # raising g is a weak lever

    def test_batches_are_rarely_dead_altogether(self):
        dead = degenerate_probability(0.02, 8)
        assert [dead**prompts for prompts in (1, 8, 64)] == pytest.approx([0.851, 0.274, 3.2e-5], rel=0.01, abs=0)


class TestEdges:
    @pytest.mark.parametrize("p", [0, 1])
    @pytest.mark.parametrize("g", [2, 8, 10**6])
    def test_certain_prompts_teach_nothing(self, p, g):
        assert degenerate_probability(p, g) == 1
        assert informative_probability(p, g) == advantage_variance(p, g) == variance_of_advantage_variance(p, g) == 0

    @pytest.mark.parametrize("population", [Fixed(0.3), Beta(0.3, 0.4), Recorded([0, 1, 5, 8], 8)], ids=repr)
    def test_two_rollouts_are_one_coin(self, population):
        """At g = 2 every informative group has v = 1/4, so all four quantities are one."""
        mixed = informative_probability(population, 2)
        assert mixed == pytest.approx(2 * float(population.reward_variance), rel=1e-14, abs=0)
        assert degenerate_probability(population, 2) == pytest.approx(1 - mixed, rel=1e-14, abs=0)
        assert advantage_variance(population, 2) == pytest.approx(mixed / 4, rel=1e-14, abs=0)
        assert variance_of_advantage_variance(population, 2) == pytest.approx(
            mixed * (1 - mixed) / 16, rel=1e-14, abs=0
        )

    def test_three_rollouts(self):
        """D_3 = 1 - 3 E[p(1-p)] for every mixture."""
        for population in (Fixed(0.3), Beta(0.3, 0.4), Recorded([0, 1, 5, 8], 8)):
            assert informative_probability(population, 3) == pytest.approx(
                3 * float(population.reward_variance), rel=1e-14, abs=0
            )

    def test_right_and_wrong_are_mirrors(self):
        p = np.array([0.125, 0.25, 0.375])  # 1 - p is exact
        for quantity in (
            degenerate_probability,
            informative_probability,
            advantage_variance,
            variance_of_advantage_variance,
        ):
            np.testing.assert_allclose(quantity(1 - p, 8), quantity(p, 8), rtol=1e-14)
            np.testing.assert_allclose(quantity(Beta(1 - p, 0.3), 8), quantity(Beta(p, 0.3), 8), rtol=1e-13)

    def test_an_evaluation_tells_the_variance_above_its_own_n(self):
        """Two samples per prompt are enough for E[p(1-p)]; the degenerate fraction needs g of them."""
        data = Recorded([1, 3], 4)
        assert advantage_variance(data, 100) == pytest.approx(0.25 * 99 / 100, rel=1e-14, abs=0)
        with pytest.raises(ValueError, match=r"^g must be at most 4, got 8\."):
            degenerate_probability(data, 8)

    def test_shapes_and_types(self):
        p = np.full((3, 2), 0.1)
        for quantity in (
            degenerate_probability,
            informative_probability,
            advantage_variance,
            variance_of_advantage_variance,
        ):
            assert quantity(p, 4).shape == quantity(Beta(p, 0.3), 4).shape == (3, 2)
            for one in (0.1, np.float64(0.1), 0, Fixed(0.1), Beta(0.1, 0.3), Recorded([1, 2], 8)):
                assert type(quantity(one, 4)) is float
        values, chances = advantage_variance_distribution(p, 5)
        assert (values.shape, chances.shape) == ((3,), (3, 2, 3))


class TestAdvantageVarianceLaw:
    @pytest.mark.parametrize("g", [2, 3, 4, 7, 8])
    def test_by_counting_groups(self, g):
        """Exact shares of each value of K(g-K)/g^2, K and g - K together."""
        p = Fraction(3, 8)
        want = dict.fromkeys((Fraction(k * (g - k), g * g) for k in range(g // 2 + 1)), Fraction(0))
        for k in range(g + 1):
            want[Fraction(k * (g - k), g * g)] += comb(g, k) * p**k * (1 - p) ** (g - k)
        values, chances = advantage_variance_distribution(float(p), g)
        assert values == pytest.approx([float(v) for v in want], rel=1e-15, abs=0)
        assert chances == pytest.approx([float(x) for x in want.values()], rel=1e-14, abs=0)

    @pytest.mark.parametrize("population", [Fixed(0.02), Beta(0.3, 0.5), Recorded([0, 9, 64], 64)], ids=repr)
    @pytest.mark.parametrize("g", [2, 3, 16, 63])
    def test_its_moments_are_the_closed_forms(self, population, g):
        values, chances = advantage_variance_distribution(population, g)
        mean = chances @ values
        assert chances.sum() == pytest.approx(1, rel=1e-13, abs=0)
        assert chances[0] == pytest.approx(degenerate_probability(population, g), rel=1e-12, abs=0)
        assert mean == pytest.approx(advantage_variance(population, g), rel=1e-12, abs=0)
        assert chances @ (values - mean) ** 2 == pytest.approx(
            variance_of_advantage_variance(population, g), rel=1e-12, abs=0
        )

    def test_spread_between_prompts_counts(self):
        """Half of the prompts at p = 1/2, half at p = 0: total variance, not the mean of variances."""
        g, inside = 8, variance_of_advantage_variance(0.5, 8)
        values, one = advantage_variance_distribution(0.5, g)
        between = (one @ values) ** 2 / 4
        half = (one + (values == 0)) / 2
        assert half @ values**2 - (half @ values) ** 2 == pytest.approx(inside / 2 + between, rel=1e-13, abs=0)
        assert variance_of_advantage_variance(Beta(0.5, 0.9), g) > variance_of_advantage_variance(0.5, g)


class TestOrder:
    """Inequalities that hold for every mixture. Slack of 1e-15 of the value where two roundings meet."""

    POPULATIONS = (*(Fixed(p) for p in MEANS), *(Beta(m, rho) for m in MEANS for rho in DISPERSIONS))

    @pytest.mark.parametrize("population", [*POPULATIONS, Recorded([0, 1, 30, 63, 64], 64)], ids=repr)
    def test_larger_groups_are_never_less_often_informative(self, population):
        """So group_size_for may halve its interval; equality at every step counts as never less."""
        share = np.array([informative_probability(population, g) for g in range(2, 65)])
        assert np.all(np.diff(share) >= -1e-15)
        assert share[-1] > share[0]

    @pytest.mark.parametrize("g", [2, 3, 8, 64, 512])
    @pytest.mark.parametrize("mean", MEANS)
    def test_prompts_that_differ_have_more_dead_groups_than_their_mean_says(self, mean, g):
        """Jensen: p^g + (1-p)^g is convex, and more dispersion is a wider mixture."""
        dead = [degenerate_probability(Beta(mean, rho), g) for rho in (*DISPERSIONS, 1.0)]
        assert dead[0] == pytest.approx(degenerate_probability(mean, g), rel=1e-12, abs=0)  # as promised of both
        assert dead == sorted(dead)
        assert dead[-1] == pytest.approx(1, rel=1e-15, abs=0)

    def test_an_evaluation_too(self):
        correct = np.array([0, 0, 1, 3, 8, 16, 16])
        for g in (2, 4, 8):
            assert degenerate_probability(Recorded(correct, 16), g) > degenerate_probability(np.mean(correct / 16), g)


class TestCriticalPassRate:
    @pytest.mark.parametrize("g", [2, 3, 8, 64, 4096])
    @pytest.mark.parametrize("level", [1e-9, 1e-6, 0.01, 0.1, 0.5, 0.51, 0.9, 0.99, 1 - 1e-9])
    @pytest.mark.parametrize("dispersion", [0, 0.1, 0.3])
    def test_undoes_the_degenerate_probability(self, g, level, dispersion):
        """Measured on the rarer side, dead or mixed, so that a level of 1e-9 means 1e-9 and not 1e-9 +- 1e-16."""
        mean = critical_pass_rate(g, level=level, dispersion=dispersion)
        best = Beta(0.5, dispersion)
        if isnan(mean):
            assert degenerate_probability(best, g) > level
            return
        assert 0 < mean <= 0.5
        if level < 0.5:
            assert degenerate_probability(Beta(mean, dispersion), g) == pytest.approx(level, rel=1e-12, abs=0)
        else:
            assert informative_probability(Beta(mean, dispersion), g) == pytest.approx(1 - level, rel=1e-12, abs=0)

    @pytest.mark.parametrize("level", [0.5, 0.6, 0.75, 0.9, 0.999])
    @pytest.mark.parametrize("dispersion", [0, 0.1, 0.2])
    def test_closed_forms_at_two_and_three_rollouts(self, level, dispersion):
        """D_2 = 1 - 2 m(1-m)(1-rho) and D_3 = 1 - 3 m(1-m)(1-rho) are quadratics."""
        for g in (2, 3):
            inside = 1 - 4 * (1 - level) / (g * (1 - dispersion))
            got = critical_pass_rate(g, level=level, dispersion=dispersion)
            assert isnan(got) if inside < 0 else got == pytest.approx((1 - sqrt(inside)) / 2, rel=1e-9, abs=0)

    def test_four_rollouts(self):
        """D_4 = 1/2 at p(1-p) = 1 - sqrt(3)/2."""
        p = critical_pass_rate(4)
        assert p * (1 - p) == pytest.approx(1 - sqrt(3) / 2, rel=1e-13, abs=0)

    def test_is_the_low_root_and_the_high_one_mirrors_it(self):
        p = critical_pass_rate(8)
        assert degenerate_probability(1 - p, 8) == pytest.approx(0.5, rel=1e-13, abs=0)
        assert degenerate_probability(0.99 * p, 8) > 0.5 > degenerate_probability(1.01 * p, 8)

    def test_for_large_groups_it_is_ln_2_over_g(self):
        """The success term p^g has vanished, and 1 - 2^(-1/g) = ln 2/g - O(1/g^2)."""
        for g in (10**4, 10**5):
            assert critical_pass_rate(g) == pytest.approx(-np.expm1(-log(2) / g), rel=1e-13, abs=0)
            assert critical_pass_rate(g) == pytest.approx(log(2) / g, rel=1 / g, abs=0)

    def test_is_not_the_root_without_the_success_term(self):
        """1 - 2^(-1/g) is 0.293 at g = 2, where every p has at least half of its groups dead."""
        assert critical_pass_rate(2) == 0.5
        assert critical_pass_rate(3) > 1.02 * (1 - 2 ** (-1 / 3))

    def test_nan_where_no_mean_works(self):
        assert isnan(critical_pass_rate(8, dispersion=0.6))
        assert isnan(critical_pass_rate(8, dispersion=1))
        assert isnan(critical_pass_rate(2, level=0.499))
        assert isnan(critical_pass_rate(8, level=2.0**-8))  # half of the best there is

    def test_the_best_there_is_is_found(self):
        """A double root at p = 1/2, where D_g = 2^(1-g) exactly."""
        for g in (2, 3, 8, 16):
            assert critical_pass_rate(g, level=2.0 ** (1 - g)) == 0.5


class TestCriticalDispersion:
    @pytest.mark.parametrize("g", [3, 8, 64, 4096])
    @pytest.mark.parametrize("level", [0.1, 0.3, 0.5, 0.9, 0.99])
    def test_undoes_the_degenerate_probability_at_the_best_mean(self, g, level):
        """The distance of the answer to 1 is what counts; it holds 1e-13 down to 1 - rho = 1e-3."""
        rho = critical_dispersion(g, level=level)
        if isnan(rho):
            assert degenerate_probability(0.5, g) > level
            return
        assert 0 <= rho < 1
        assert degenerate_probability(Beta(0.5, rho), g) == pytest.approx(level, rel=1e-12, abs=0)

    def test_small_levels(self):
        """Measured on degenerate groups themselves: 1e-6 of them are not 1 less a rounded 0.999999."""
        assert degenerate_probability(Beta(0.5, critical_dispersion(64, level=1e-6)), 64) == pytest.approx(
            1e-6, rel=1e-12, abs=0
        )

    def test_closed_forms(self):
        """At g = 3, D = 1 - 3/4 (1-rho); at g = 2 nothing is left to spare."""
        assert critical_dispersion(3) == pytest.approx(1 / 3, rel=1e-14, abs=0)
        assert critical_dispersion(2) == 0
        assert isnan(critical_dispersion(2, level=0.4))

    def test_is_where_the_critical_pass_rate_ends(self):
        """The two roots meet at 1/2 there; a distance d below it they are about sqrt(d) apart."""
        for g in (3, 8, 64):
            edge = critical_dispersion(g)
            assert critical_pass_rate(g, dispersion=edge - 1e-8) == pytest.approx(0.5, abs=1e-3)
            assert isnan(critical_pass_rate(g, dispersion=edge + 1e-8))


class TestGroupSizeFor:
    @pytest.mark.parametrize("informative", [0.01, 0.3, 0.5, 0.9, 0.99])
    @pytest.mark.parametrize(
        "population",
        [0.001, 0.05, 0.5, 0.97, Beta(0.3, 0.2), Beta(0.1, 0.05), Recorded(np.arange(1, 65), 64)],
        ids=repr,
    )
    def test_reaches_the_target_and_one_fewer_does_not(self, population, informative):
        try:
            g = group_size_for(population, informative=informative, largest=10**4)
        except ValueError:
            largest = 64 if isinstance(population, Recorded) else 10**4
            assert informative_probability(population, largest) < informative
            return
        assert informative_probability(population, g) >= informative
        assert g == 2 or informative_probability(population, g - 1) < informative

    def test_targets_that_are_met_exactly(self):
        """At p = 1/2 the informative probability is 1 - 2^(1-g), a float."""
        for g in range(2, 40):
            assert group_size_for(0.5, informative=1 - 2.0 ** (1 - g)) == g

    def test_undoes_the_informative_probability(self):
        """Asked for what g reaches, it answers g. Targets are rounded up by their own spacing where they round down."""
        for p in (0.02, 0.3, 0.9):
            for g in (2, 3, 8, 40):
                assert group_size_for(p, informative=informative_probability(p, g)) == g

    def test_one_prompt_in_closed_form_when_it_is_hard(self):
        """(1-p)^g <= 1 - t, the success term being out of sight: also beyond the law's 4096."""
        p, wanted = 1e-5, 0.9
        want = int(np.ceil(np.log1p(-wanted) / np.log1p(-p)))
        assert group_size_for(p, informative=wanted, largest=10**6) == want == 230258

    def test_a_population_needs_larger_groups(self):
        assert group_size_for(0.3) == 7
        assert group_size_for(Beta(0.3, 0.2)) > 2 * group_size_for(0.3)


class TestDraws:
    """Sampled groups within five standard errors, the error in closed form; the nearest tempting formula refused."""

    GROUPS = 200_000

    def groups(self, p, g, seed):
        rng = np.random.default_rng(seed)
        return rng.random((self.GROUPS, g)) < np.broadcast_to(p, self.GROUPS)[:, None]

    @pytest.mark.parametrize(("p", "g"), [(0.2, 8), (0.5, 2), (0.02, 8), (0.9, 4)])
    def test_variance_inside_a_group(self, p, g):
        """Not p(1-p): that is what ddof 1 estimates."""
        variance = self.groups(p, g, seed=1).var(-1)
        error = sqrt(variance_of_advantage_variance(p, g) / self.GROUPS)
        assert abs(variance.mean() - advantage_variance(p, g)) < 5 * error
        assert abs(variance.mean() - p * (1 - p)) > 5 * error

    def test_its_own_variance(self):
        """Not that of a normal sample, 2 sigma^4 (g-1)/g^2. The error is from the fourth moment of v."""
        p, g = 0.2, 8
        values, chances = advantage_variance_distribution(p, g)
        squared = (values - advantage_variance(p, g)) ** 2
        truth = variance_of_advantage_variance(p, g)
        error = sqrt((chances @ squared**2 - truth**2) / self.GROUPS)
        sampled = np.mean((self.groups(p, g, seed=2).var(-1) - advantage_variance(p, g)) ** 2)
        assert abs(sampled - truth) < 5 * error
        assert abs(sampled - 2 * (p * (1 - p)) ** 2 * (g - 1) / g**2) > 5 * error

    def test_dead_groups_of_a_population(self):
        """Not those of the mean, and not those of the fit that takes dispersion for 1/(a+b)."""
        mean, dispersion, g = 0.3, 0.4, 8
        size = 1 / dispersion - 1
        p = np.random.default_rng(3).beta(mean * size, (1 - mean) * size, self.GROUPS)
        dead = np.mean(self.groups(p, g, seed=4).var(-1) == 0)
        truth = degenerate_probability(Beta(mean, dispersion), g)
        error = sqrt(truth * (1 - truth) / self.GROUPS)
        assert abs(dead - truth) < 5 * error
        assert abs(dead - degenerate_probability(mean, g)) > 5 * error
        assert abs(dead - degenerate_probability(Beta(mean, 1 / size), g)) > 5 * error

    def test_variance_of_standardised_advantages(self):
        """Not the closed form (V1): an informative group's is 1 whatever its K."""
        p, g = 0.1, 8
        mixed = self.groups(p, g, seed=5).var(-1) > 0
        truth = GRPO.variance(p, g)
        error = sqrt(truth * (1 - truth) / self.GROUPS)
        assert abs(mixed.mean() - truth) < 5 * error
        assert abs(mixed.mean() - advantage_variance(p, g)) > 5 * error
