"""Idea 1: distributions. Exact values, edges, round trips, and draws that tell a distribution from its neighbours.

Referees never use the library's recurrences: binomials and hypergeometrics come from `math.comb`, beta-binomials from
rising factorials, all fed the very float that the library gets.
"""

import tracemalloc
from fractions import Fraction
from math import comb, prod

import mpmath
import numpy as np
import pytest

from rlsignal import Beta, Fixed, Recorded

mp = mpmath.mp.clone()
mp.dps = 700  # 1 - P(0) - P(g) may be 1e-300: 300 digits cancel, the rest is headroom

TINY = mp.mpf(10) ** -300  # relative accuracy is promised for true values down to here
MEANS = (1e-300, 1e-100, 1e-16, 1e-3, 0.1, 0.5, 0.9, 1 - 1e-8, 1 - 1e-16)
DISPERSIONS = (1e-12, 1e-3, 0.3, 0.7, 0.99, 1 - 1e-12)


def relative_error(got, want):
    return float(abs(mp.mpf(float(got)) / want - 1))


def alike_in_a_population(mean, dispersion, g):
    """(E[(1-p)^g], E[p^g]) for p ~ Beta, by rising factorials."""
    m, rho = mp.mpf(mean), mp.mpf(dispersion)
    a, b = m * (1 - rho) / rho, (1 - m) * (1 - rho) / rho
    return mp.rf(b, g) / mp.rf(a + b, g), mp.rf(a, g) / mp.rf(a + b, g)


def beta_binomial_pmf(mean, dispersion, g):
    """Beta-binomial pmf in exact rational arithmetic; dispersion 0 is the binomial."""
    m, rho = Fraction(mean), Fraction(dispersion)

    def rising(start, n):
        return prod((start * (1 - rho) + i * rho for i in range(n)), start=Fraction(1))

    return [comb(g, k) * rising(m, k) * rising(1 - m, g - k) / rising(Fraction(1), g) for k in range(g + 1)]


def hypergeometric_pmf(c, n, g):
    return [Fraction(comb(c, k) * comb(n - c, g - k), comb(n, g)) for k in range(g + 1)]


class TestFixed:
    @pytest.mark.parametrize("p", [1e-300, 1e-200, 1e-16, 1e-8, 0.02, 0.3, 0.4999999, 0.5, 0.8, 1 - 1e-8, 1 - 1e-16])
    def test_closed_forms_to_twelve_digits_up_to_a_million_rollouts(self, p):
        exact = mp.mpf(p)
        for g in (2, 3, 8, 64, 1000, 4096, 10**5, 10**6):
            right, wrong = exact**g, (1 - exact) ** g
            answers = {
                "all_correct": right,
                "all_incorrect": wrong,
                "any_correct": 1 - wrong,
                "informative": 1 - right - wrong,
            }
            for name, want in answers.items():
                if want >= TINY:
                    assert relative_error(getattr(Fixed(p), name)(g), want) < 1e-12, (name, g)

    @pytest.mark.parametrize("p", [1e-300, 1e-16, 0.02, 0.5, 0.9, 1 - 1e-16])
    @pytest.mark.parametrize("g", [1, 2, 3, 8, 64])
    def test_law_is_the_binomial_entry_by_entry(self, p, g):
        for got, want in zip(Fixed(p).pmf(g), beta_binomial_pmf(p, 0, g), strict=True):
            if want >= Fraction(1, 10**300):
                assert relative_error(got, mp.mpf(want.numerator) / want.denominator) < 1e-13

    def test_the_certain_ends(self):
        never, always = Fixed(0), Fixed(1)
        assert never.pmf(3).tolist() == [1, 0, 0, 0]
        assert always.pmf(3).tolist() == [0, 0, 0, 1]
        for population, right, wrong in ((never, 0, 1), (always, 1, 0)):
            assert (
                population.all_correct(5),
                population.all_incorrect(5),
                population.any_correct(5),
                population.informative(5),
            ) == (
                right,
                wrong,
                right,
                0,
            )
            assert population.reward_variance == 0
            assert (population.all_correct(0), population.all_incorrect(0)) == (
                1,
                1,
            )  # nothing was drawn, so nothing disagrees

    def test_one_answer_per_entry_of_any_shape(self):
        p = np.linspace(0, 1, 6).reshape(3, 2)
        assert Fixed(p).pmf(4).shape == (3, 2, 5)
        for name in ("all_incorrect", "all_correct", "any_correct", "informative"):
            together = getattr(Fixed(p), name)(4)
            apart = [[float(getattr(Fixed(x), name)(4)) for x in row] for row in p]
            np.testing.assert_array_equal(together, apart)


class TestBeta:
    @pytest.mark.parametrize("dispersion", DISPERSIONS)
    @pytest.mark.parametrize("mean", MEANS)
    def test_closed_forms_to_twelve_digits(self, mean, dispersion):
        for g in (2, 8, 64, 4096):
            wrong, right = alike_in_a_population(mean, dispersion, g)
            answers = {
                "all_correct": right,
                "all_incorrect": wrong,
                "any_correct": 1 - wrong,
                "informative": 1 - right - wrong,
            }
            for name, want in answers.items():
                if want >= TINY:
                    assert relative_error(getattr(Beta(mean, dispersion), name)(g), want) < 1e-12, (name, g)

    @pytest.mark.parametrize(("mean", "dispersion"), [(0.1, 0.5), (1e-3, 1e-3), (1e-100, 1 - 1e-12)])
    def test_closed_forms_to_twelve_digits_at_a_million_rollouts(self, mean, dispersion):
        wrong, right = alike_in_a_population(mean, dispersion, 10**6)
        population = Beta(mean, dispersion)
        assert relative_error(population.any_correct(10**6), 1 - wrong) < 1e-12
        assert relative_error(population.informative(10**6), 1 - right - wrong) < 1e-12

    @pytest.mark.parametrize(
        ("mean", "dispersion"), [(0.1, 0.3), (0.5, 1 / 3), (0.9, 1e-12), (0.02, 0.9), (1e-200, 0.5), (0.5, 1 - 1e-12)]
    )
    @pytest.mark.parametrize("g", [2, 3, 8, 64])
    def test_law_is_the_beta_binomial_entry_by_entry(self, mean, dispersion, g):
        for got, want in zip(Beta(mean, dispersion).pmf(g), beta_binomial_pmf(mean, dispersion, g), strict=True):
            if want >= Fraction(1, 10**300):
                assert relative_error(got, mp.mpf(want.numerator) / want.denominator) < 1e-12

    @pytest.mark.parametrize(("mean", "dispersion"), [(0.1, 0.3), (0.5, 1 - 1e-12), (1e-200, 0.5), (1 - 1e-16, 0.9)])
    def test_law_of_the_largest_group(self, mean, dispersion):
        """Every product runs over 4096 ratios at most: 1e-11 is what sums over it may rely on."""
        g, m, rho = 4096, mp.mpf(mean), mp.mpf(dispersion)
        a, b, population = m * (1 - rho) / rho, (1 - m) * (1 - rho) / rho, Beta(mean, dispersion).pmf(g)
        for k in (0, 1, 2, 100, 2048, 4000, 4095, 4096):
            want = comb(g, k) * mp.rf(a, k) * mp.rf(b, g - k) / mp.rf(a + b, g)
            if want >= TINY:
                assert relative_error(population[k], want) < 1e-11, k

    def test_dispersion_zero_is_one_prompt_repeated(self):
        p = np.array([0, 1e-300, 0.02, 0.5, 1 - 1e-16, 1])
        np.testing.assert_array_equal(Beta(p, 0).pmf(16), Fixed(p).pmf(16))
        np.testing.assert_array_equal(Beta(p, 0).informative(16), Fixed(p).informative(16))
        for name in ("all_incorrect", "all_correct", "any_correct", "reward_variance"):
            population, prompt = (getattr(x, name) for x in (Beta(p, 0), Fixed(p)))
            got, want = (x(16) if callable(x) else x for x in (population, prompt))
            np.testing.assert_allclose(got, want, rtol=1e-14)  # 16 factors against one power

    def test_dispersion_one_is_all_or_nothing(self):
        population = Beta(0.3, 1)
        assert population.pmf(4).tolist() == [0.7, 0, 0, 0, 0.3]
        assert (population.informative(4), population.reward_variance) == (0, 0)
        assert population.all_correct(4) == pytest.approx(0.3, rel=1e-15, abs=0)
        assert population.any_correct(4) == pytest.approx(0.3, rel=1e-15, abs=0)
        assert population.all_incorrect(4) == pytest.approx(0.7, rel=1e-15, abs=0)

    @pytest.mark.parametrize("mean", [0.0, 1.0])
    @pytest.mark.parametrize("dispersion", [0.0, 1e-12, 0.5, 1.0])
    def test_certain_prompts_are_certain_however_dispersed(self, mean, dispersion):
        population = Beta(mean, dispersion)
        assert population.pmf(3)[-1] == mean
        assert population.pmf(3)[0] == 1 - mean
        assert (population.informative(3), population.any_correct(3), population.all_correct(3)) == (0, mean, mean)

    def test_uniform_pass_rates_give_uniform_counts(self):
        """Bayes' billiard table: Beta(1, 1) has mean 1/2 and dispersion 1/(1+1+1)."""
        np.testing.assert_allclose(Beta(0.5, 1 / 3).pmf(9), np.full(10, 0.1), rtol=1e-14)

    def test_sets_broadcast(self):
        mean, dispersion = np.array([[0.1], [0.4]]), np.array([0.0, 0.3, 1.0])
        grid = Beta(mean, dispersion)
        assert grid.pmf(4).shape == (2, 3, 5)
        assert grid.reward_variance.shape == grid.informative(4).shape == (2, 3)
        np.testing.assert_array_equal(grid.pmf(4)[1, 1], Beta(0.4, 0.3).pmf(4))


class TestRecorded:
    @pytest.mark.parametrize("n", [2, 5, 16])
    def test_law_is_the_hypergeometric_of_every_count(self, n):
        for g in range(1, n + 1):
            want = [[float(x) for x in hypergeometric_pmf(c, n, g)] for c in range(n + 1)]
            np.testing.assert_allclose(Recorded(np.arange(n + 1), n).each(g), want, rtol=1e-13, atol=0)

    @pytest.mark.parametrize("c", [0, 1, 37, 2048, 4095, 4096])
    def test_law_of_many_samples(self, c):
        n, g = 4096, 300
        for got, want in zip(Recorded([c], n).pmf(g), hypergeometric_pmf(c, n, g), strict=True):
            if want >= Fraction(1, 10**300) or want == 0:
                assert got == pytest.approx(float(want), rel=1e-11, abs=0)

    @pytest.mark.parametrize("c", [0, 1, 2, 333, 999, 1000])
    def test_closed_forms_are_the_hypergeometric_ends(self, c):
        n, data = 1000, Recorded([c], 1000)
        for g in (2, 8, 500, 1000):
            right, wrong = Fraction(comb(c, g), comb(n, g)), Fraction(comb(n - c, g), comb(n, g))
            answers = {
                "all_correct": right,
                "all_incorrect": wrong,
                "any_correct": 1 - wrong,
                "informative": 1 - right - wrong,
            }
            for name, want in answers.items():
                if want >= Fraction(1, 10**300) or want == 0:
                    assert float(getattr(data, name)(g)) == pytest.approx(float(want), rel=1e-12, abs=0), (name, g)

    @pytest.mark.parametrize("p", [0.0, 0.03, 0.5, 0.9, 1.0])
    @pytest.mark.parametrize(("n", "g"), [(8, 1), (8, 4), (8, 8), (16, 8), (50, 32)])
    def test_unbiased_for_every_group_size_up_to_n(self, p, n, g):
        """Averaged over the evaluations that could have been, it is the law of fresh groups: no bias at all."""
        outcomes = Recorded(np.arange(n + 1), n)
        np.testing.assert_allclose(Fixed(p).pmf(n) @ outcomes.each(g), Fixed(p).pmf(g), rtol=0, atol=1e-14)

    def test_groups_of_all_samples_are_the_histogram(self):
        correct = [0, 0, 3, 8, 8, 8, 5]
        np.testing.assert_array_equal(Recorded(correct, 8).pmf(8) * 7, np.bincount(correct, minlength=9))

    def test_a_data_set_is_the_average_of_its_prompts_also_when_n_differs(self):
        correct, samples = np.array([0, 3, 7, 7, 50, 2]), np.array([4, 4, 7, 9, 100, 4])
        data = Recorded(correct, samples)
        alone = [Recorded([c], n) for c, n in zip(correct, samples, strict=True)]
        assert data.each(4).shape == (6, 5)
        np.testing.assert_array_equal(data.each(4), [one.pmf(4) for one in alone])
        np.testing.assert_allclose(data.pmf(4), data.each(4).mean(0), rtol=1e-15)
        for name in ("all_incorrect", "all_correct", "any_correct", "informative"):
            mean_of_prompts = np.mean([getattr(one, name)(4) for one in alone])
            assert getattr(data, name)(4) == pytest.approx(mean_of_prompts, rel=1e-15, abs=0), name
        assert data.mean == pytest.approx(np.mean(correct / samples), rel=1e-15, abs=0)
        assert data.reward_variance == pytest.approx(np.mean([one.reward_variance for one in alone]), rel=1e-15, abs=0)

    def test_counts_of_any_size(self):
        """Products of counts outgrow 64-bit integers before counts do."""
        assert Recorded([10**9], 4 * 10**9).reward_variance == pytest.approx(3 / 16, rel=1e-9)

    def test_the_order_of_prompts_does_not_matter_but_each_keeps_it(self):
        assert Recorded([4, 0, 4], 4).each(2)[:, 0].tolist() == [0, 1, 0]
        np.testing.assert_array_equal(Recorded([4, 0, 1], 4).pmf(2), Recorded([0, 1, 4], 4).pmf(2))

    def test_a_large_evaluation_is_as_cheap_as_its_distinct_counts(self):
        """100 000 prompts by 4097 counts would be 3.3 GB; nine distinct counts are nothing."""
        data = Recorded(np.arange(100_000) % 9 * 512, 4096)
        tracemalloc.start()
        population = data.pmf(4096)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert population.sum() == pytest.approx(1, abs=1e-12)
        assert peak < 50e6


POPULATIONS = [
    *(Fixed(p) for p in (1e-300, 0.02, 0.5, 0.97, 1 - 1e-16)),
    *(Beta(m, rho) for m in (1e-100, 0.1, 0.5, 0.97) for rho in (1e-12, 0.3, 0.9, 1 - 1e-12)),
    Recorded([0, 1, 2000, 4096], 4096),
    Recorded([1, 4096, 9000], [4096, 5000, 10_000]),
]


@pytest.mark.parametrize("population", POPULATIONS, ids=repr)
@pytest.mark.parametrize("g", [1, 2, 8, 513, 4096])
class TestEveryLaw:
    def test_sums_to_one_with_the_right_mean_and_variance(self, population, g):
        """E[K] = g E[p]; E[K(g-K)] = g(g-1) E[p(1-p)], since any two rollouts disagree with chance 2 E[p(1-p)]."""
        chances, k = population.pmf(g), np.arange(g + 1)
        assert np.all(chances >= 0)
        assert chances.sum() == pytest.approx(1, rel=1e-13, abs=0)
        assert chances @ k == pytest.approx(g * population.mean, rel=1e-11, abs=0)
        assert chances @ (k * (g - k)) == pytest.approx(g * (g - 1) * population.reward_variance, rel=1e-11, abs=0)

    def test_its_ends_are_the_closed_forms(self, population, g):
        """Two roads that share no code, so each is a witness of the other."""
        chances = population.pmf(g)
        assert chances[0] == pytest.approx(population.all_incorrect(g), rel=1e-11, abs=1e-300)
        assert chances[-1] == pytest.approx(population.all_correct(g), rel=1e-11, abs=1e-300)
        assert chances[1:].sum() == pytest.approx(population.any_correct(g), rel=1e-11, abs=0)
        assert chances[1:-1].sum() == pytest.approx(population.informative(g), rel=1e-11, abs=0)


@pytest.mark.parametrize(
    ("build", "numbers"),
    [(Fixed, [0.1, 0.2]), (lambda mean: Beta(mean, 0.3), [0.1, 0.2]), (lambda c: Recorded(c, 4), [1, 2])],
    ids=["Fixed", "Beta", "Recorded"],
)
def test_a_law_keeps_its_own_numbers(build, numbers):
    """Inputs are checked once, at the door; so what was checked must not change behind it."""
    mine = np.array(numbers)
    population = build(mine)
    before = population.pmf(3).copy()
    mine[0] = 0
    np.testing.assert_array_equal(population.pmf(3), before)


class TestDraws:
    """Simulated counts within five standard errors of the population, and the nearest tempting wrong law refused.

    The standard error of a share is sqrt(P(1-P)/N) with P from the law under test.
    """

    DRAWS = 200_000

    def surprise(self, counts, population):
        """The largest deviation of the shares of K from `law`, in standard errors."""
        shares = np.bincount(counts, minlength=len(population)) / len(counts)
        return np.max(np.abs(shares - population) / np.sqrt(population * (1 - population) / len(counts)))

    def test_one_prompt(self):
        counts = (np.random.default_rng(1).random((self.DRAWS, 4)) < 0.3).sum(-1)
        assert self.surprise(counts, Fixed(0.3).pmf(4)) < 5
        assert self.surprise(counts, Fixed(0.7).pmf(4)) > 5  # K counts the incorrect ones

    def test_a_set_of_prompts(self):
        """Two temptations: the mean alone, and a + b = 1/dispersion instead of 1/dispersion - 1."""
        rng, mean, dispersion = np.random.default_rng(2), 0.3, 0.4
        size = 1 / dispersion - 1
        p = rng.beta(mean * size, (1 - mean) * size, self.DRAWS)
        counts = (rng.random((self.DRAWS, 8)) < p[:, None]).sum(-1)
        assert self.surprise(counts, Beta(mean, dispersion).pmf(8)) < 5
        assert self.surprise(counts, Fixed(mean).pmf(8)) > 5
        assert self.surprise(counts, Beta(mean, 1 / (size + 2)).pmf(8)) > 5

    def test_groups_drawn_from_an_evaluation(self):
        """With replacement (the plug-in c/n) is the wrong law of groups of recorded samples."""
        rng, recorded = np.random.default_rng(3), np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0])
        groups = rng.permuted(np.broadcast_to(recorded, (self.DRAWS, 10)), axis=-1)[:, :4]
        population = Recorded([3], 10).pmf(4)
        assert population[4] == 0
        assert self.surprise(groups.sum(-1), population[:4]) < 5
        assert self.surprise(groups.sum(-1), Fixed(0.3).pmf(4)) > 5

    def test_an_evaluation_of_fresh_samples_against_the_plug_in(self):
        """D_8 from 16 samples at p = 0.03: plugging c/n in says 0.822 where the truth is 0.784."""
        p, n, g = 0.03, 16, 8
        correct = np.random.default_rng(4).binomial(n, p, 20_000)
        each = Recorded(np.arange(n + 1), n).each(g)[:, [0, -1]].sum(-1)
        truth = Fixed(p).pmf(n) @ each
        error = np.sqrt((Fixed(p).pmf(n) @ each**2 - truth**2) / len(correct))
        data = Recorded(correct, n)
        estimate = data.all_incorrect(g) + data.all_correct(g)
        assert truth == pytest.approx(Fixed(p).all_incorrect(g) + Fixed(p).all_correct(g), rel=1e-12, abs=0)
        assert abs(estimate - truth) < 5 * error
        plug_in = np.mean((correct / n) ** g + (1 - correct / n) ** g)
        assert abs(plug_in - truth) > 5 * error


class TestShown:
    def test_scalars_are_floats_and_arrays_stay_arrays(self):
        for what in (Fixed(0.3), Beta(0.28, 0.3), Recorded([1, 2], 4)):
            names = ("mean", "dispersion", "reward_variance")
            assert all(type(getattr(what, name)) is float for name in names)
            assert type(what.informative(2)) is type(what.any_correct(2)) is type(what.all_correct(2)) is float
        assert Beta([0.1, 0.2], 0.3).dispersion.tolist() == [0.3, 0.3]
        assert Fixed([0.1, 0.2]).dispersion.tolist() == [0, 0]

    @pytest.mark.parametrize(
        ("what", "shown"),
        [
            (Fixed(0.3), "<Fixed: pass rate 0.300>"),
            (Fixed(np.linspace(0, 1, 5000)), "<Fixed: 5000 prompts, mean from 0.000 to 1.000>"),
            (Beta(0.3, 0.4), "<Beta: mean 0.300, dispersion 0.400>"),
            (Beta([0.1, 0.2], 0.4), "<Beta: 2 populations, mean from 0.100 to 0.200>"),
            (Recorded([1, 2, 3], [4, 4, 5]), "<Recorded: 3 prompts x 4 to 5 samples, mean 0.450, dispersion 0.000>"),
            (Recorded([1, 0], 1), "<Recorded: 2 prompts x 1 samples, mean 0.500>"),
        ],
    )
    def test_in_a_few_words(self, what, shown):
        assert repr(what) == shown
        assert what._repr_html_().startswith("<p>")
