"""The Beta behind recorded counts: likeliest, judged, asked for other group sizes, filtered by a band."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from rlsignal import Beta, Recorded, degenerate_probability, informative_probability, pass_at_k
from rlsignal.inference.population import _goodness_of_fit, _Likelihood, band, beta_estimate, posterior


def evaluation(rng, mean, dispersion, samples, prompts):
    size = 1 / dispersion - 1
    return Recorded(rng.binomial(samples, rng.beta(mean * size, (1 - mean) * size, prompts)), samples)


def log_likelihood(data, mean, dispersion):
    """By the pmf itself, prompt by prompt."""
    pairs = zip(np.asarray(data.correct), np.asarray(data.samples), strict=True)
    return sum(np.log(Beta(mean, dispersion).pmf(int(n))[c]) for c, n in pairs)


MIXED_SIZES = Recorded([0, 1, 3, 5, 2, 0, 9, 4, 4, 1], [4, 2, 8, 5, 7, 1, 12, 4, 9, 3])
EVEN = Recorded([0] * 9 + [1, 1, 2, 3, 5, 6, 8, 8], 8)


@pytest.mark.parametrize("data", [MIXED_SIZES, EVEN], ids=["mixed sizes", "even"])
class TestTheFit:
    def test_no_other_population_is_likelier(self, data):
        """Over the whole square, not only nearby: the slope has the one root that was found."""
        fit = beta_estimate(data)
        best = log_likelihood(data, fit.mean, fit.dispersion)
        for mean in np.linspace(0.02, 0.98, 25):
            for rho in np.linspace(0, 0.98, 25):
                assert log_likelihood(data, mean, rho) <= best
        assert _Likelihood.of(data).slopes(fit.mean, fit.dispersion) == pytest.approx((0, 0), abs=1e-8)

    def test_slopes_and_information_are_those_of_the_likelihood(self, data):
        likelihood, (mean, rho), h = _Likelihood.of(data), (0.3, 0.2), 1e-5
        moved = [(mean + h, rho), (mean - h, rho), (mean, rho + h), (mean, rho - h)]
        up, down, right, left = (log_likelihood(data, *x) for x in moved)
        assert likelihood.slopes(mean, rho) == pytest.approx(((up - down) / 2 / h, (right - left) / 2 / h), rel=1e-6)
        up, down, right, left = (np.array(likelihood.slopes(*x)) for x in moved)
        curvature = np.stack([(up - down) / 2 / h, (right - left) / 2 / h])
        np.testing.assert_allclose(likelihood.information(mean, rho), -curvature, rtol=1e-6)

    def test_expected_information_is_the_mean_of_the_observed(self, data):
        """The sums of all outcomes of each prompt, weighed by their chances."""
        fitted, n = Beta(0.3, 0.2), np.asarray(data.samples)
        mean = sum(
            chance * _Likelihood.of(Recorded([c], [size])).information(0.3, 0.2)
            for size in n
            for c, chance in enumerate(fitted.pmf(int(size)))
        )
        np.testing.assert_allclose(_Likelihood.expected(fitted, n).information(0.3, 0.2), mean, rtol=1e-10)

    def test_correct_and_incorrect_are_mirrors(self, data):
        fit, mirror = beta_estimate(data), beta_estimate(Recorded(data.samples - data.correct, data.samples))
        assert mirror.mean == pytest.approx(1 - fit.mean, rel=1e-9)
        assert mirror.dispersion == pytest.approx(fit.dispersion, rel=1e-9)


class TestEnds:
    def test_prompts_more_alike_than_chance_have_no_dispersion(self):
        fit = beta_estimate(Recorded([4] * 50, 8))
        assert (fit.mean, fit.dispersion) == (pytest.approx(0.5), 0)
        assert "its end 0" in fit.warning
        assert np.all(np.isfinite(fit.standard_errors))

    def test_prompts_that_never_disagree_are_all_or_nothing(self):
        fit = beta_estimate(Recorded([0] * 30 + [8] * 10, 8))
        assert (fit.mean, fit.dispersion) == (0.25, 1)
        assert fit.standard_errors == (pytest.approx(np.sqrt(0.25 * 0.75 / 40)), 0)
        assert fit.predict(degenerate_probability, 64).value == 1

    def test_what_determines_no_dispersion_is_refused(self):
        with pytest.raises(ValueError, match=r"^correct must hold both correct and incorrect samples"):
            beta_estimate(Recorded([0, 0], 8))
        with pytest.raises(ValueError, match=r"^samples must be at least 2 on some prompts"):
            beta_estimate(Recorded([0, 1], 1))


class TestUncertainty:
    @pytest.mark.slow
    def test_errors_and_predictions(self):
        """Over 200 evaluations: z has mean 0 and s.d. 1, and intervals for g = 32 from n = 8 hold 95 of 100 times."""
        rng, truth, runs = np.random.default_rng(0), Beta(0.3, 0.5), 200
        fits = [beta_estimate(evaluation(rng, 0.3, 0.5, 8, 300)) for _ in range(runs)]
        for name, i, want in (("mean", 0, 0.3), ("dispersion", 1, 0.5)):
            z = [(getattr(fit, name) - want) / fit.standard_errors[i] for fit in fits]
            assert abs(np.mean(z)) < 5 / np.sqrt(runs)
            assert abs(np.std(z) - 1) < 5 / np.sqrt(2 * runs)
        asked = [fit.predict(degenerate_probability, 32) for fit in fits]
        share = degenerate_probability(truth, 32)
        assert np.mean([x.low <= share <= x.high for x in asked]) > 0.95 - 5 * np.sqrt(0.95 * 0.05 / runs)
        assert np.mean([x.high < 1 and x.standard_error < 0.1 for x in asked]) == 1
        assert np.mean([x.low <= degenerate_probability(0.3, 32) <= x.high for x in asked]) == 0  # the mean alone

    def test_a_dispersion_that_may_be_0_is_reported(self):
        fit = beta_estimate(evaluation(np.random.default_rng(0), 0.5, 0.02, 8, 100))
        assert "may as well be 0" in fit.predict(degenerate_probability, 32).warning

    def test_prediction_at_one_is_the_mean(self):
        fit = beta_estimate(EVEN)
        asked = fit.predict(pass_at_k, 1)
        assert asked.value == fit.mean
        assert asked.standard_error == pytest.approx(fit.standard_errors[0], rel=1e-6)

    def test_visits_of_a_prompt_are_one_unit(self):
        """40 prompts visited 8 times, 200 evaluations: z of mean and dispersion have s.d. 1 with clusters."""
        rng, runs, labels = np.random.default_rng(0), 200, np.repeat(np.arange(40), 8)
        z = []
        for _ in range(runs):
            data = Recorded(rng.binomial(8, np.repeat(rng.beta(0.3, 0.7, 40), 8)), 8)
            fits = [beta_estimate(data, clusters=x) for x in (None, labels)]
            z.append(
                [[(f.mean - 0.3) / f.standard_errors[0], (f.dispersion - 0.5) / f.standard_errors[1]] for f in fits]
            )
        alone, clustered = np.std(z, 0)
        assert (alone > 1.5).all()
        assert (abs(clustered - 1) < 5 / np.sqrt(2 * runs)).all()
        assert fits[1].units == 40

    def test_each_prompt_s_slope_sums_to_the_whole(self):
        likelihood, c, n = _Likelihood.of(MIXED_SIZES), np.asarray(MIXED_SIZES.correct), np.asarray(MIXED_SIZES.samples)
        each = likelihood.each_slope(c, n, 0.3, 0.2)
        assert [x.sum() for x in each] == pytest.approx(likelihood.slopes(0.3, 0.2), rel=1e-10)

    def test_ten_thousand_samples_of_a_prompt(self):
        """More than groups that are summed: the observed information takes over."""
        fit = beta_estimate(Recorded([100, 5000, 9000, 200, 4000] * 12, 10_000))
        assert np.isfinite(fit.standard_errors).all()
        assert fit.mean == pytest.approx(np.mean([0.01, 0.5, 0.9, 0.02, 0.4]), abs=0.02)


class TestGoodnessOfFit:
    def test_a_beta_is_rejected_as_rarely_as_it_should_be(self):
        rng, runs = np.random.default_rng(0), 200
        p = np.array([beta_estimate(evaluation(rng, 0.3, 0.4, 8, 300)).goodness_of_fit_p for _ in range(runs)])
        assert np.mean(p < 0.05) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs)
        assert abs(np.mean(p) - 0.5) < 5 / np.sqrt(12 * runs)

    def test_two_kinds_of_prompts_are_no_beta(self):
        rng = np.random.default_rng(0)
        fit = beta_estimate(Recorded(rng.binomial(8, rng.choice([0.0, 0.5], 300)), 8))
        assert fit.goodness_of_fit_p < 1e-6
        assert "not those of a Beta" in str(fit)

    def test_the_statistic_by_hand(self):
        """100 prompts of two samples: cells c = 0, 1, 2, and no freedom left after two parameters."""
        assert np.isnan(beta_estimate(Recorded([0] * 50 + [1] * 30 + [2] * 20, 2)).goodness_of_fit_p)
        found = np.array([40, 20, 20, 20])
        expected = 100 * Beta(0.4, 0.3).pmf(3)
        chi_square = ((found - expected) ** 2 / expected).sum()
        data = Recorded(np.repeat(np.arange(4), found), 3)
        assert _goodness_of_fit(data, Beta(0.4, 0.3)) == pytest.approx(_tail_of_chi_square_1(chi_square), rel=1e-12)

    def test_few_prompts_of_many_sizes_are_not_tested(self):
        assert np.isnan(beta_estimate(MIXED_SIZES).goodness_of_fit_p)


def _tail_of_chi_square_1(x):
    from math import erfc, sqrt

    return erfc(sqrt(x / 2))


class TestPosterior:
    def test_is_bayes(self):
        """The chance of k correct in g more rollouts after c of n: from the pmf of n + g by counting orders."""
        prior, n, c, g = Beta(0.3, 0.2), 6, 2, 4
        later = posterior(prior, c, n).pmf(g)
        for k in range(g + 1):
            both = prior.pmf(n + g)[c + k] * comb(n, c) * comb(g, k) / comb(n + g, c + k)
            assert later[k] == pytest.approx(both / prior.pmf(n)[c], rel=1e-12)

    def test_without_dispersion_samples_change_nothing(self):
        assert posterior(Beta(0.3, 0), [0, 8], 8).mean == pytest.approx([0.3, 0.3])

    def test_a_known_one_in_fractions(self):
        """A uniform prior after 3 of 4: Laplace's rule of succession, (3 + 1)/(4 + 2), and dispersion 1/7."""
        after = posterior(Beta(0.5, 1 / 3), 3, 4)
        assert (after.mean, after.dispersion) == (pytest.approx(Fraction(4, 6)), pytest.approx(Fraction(1, 7)))


class TestBand:
    def test_of_everything_changes_nothing(self):
        prior = Beta(0.2, 0.4)
        kept = band(prior, 16, 0, 16)
        assert kept.share == pytest.approx(1, rel=1e-12)
        assert kept.filter_mean == pytest.approx(0.2, rel=1e-12)
        for statistic in (degenerate_probability, informative_probability, pass_at_k):
            assert kept.expected(statistic, 8) == pytest.approx(statistic(prior, 8), rel=1e-11)

    def test_against_draws(self):
        """A million prompts, filtered and rolled out again; their mean on the filter is rejected."""
        rng, prior, prompts = np.random.default_rng(0), Beta(0.15, 0.4), 1_000_000
        p = rng.beta(0.15 * 1.5, 0.85 * 1.5, prompts)
        c = rng.binomial(16, p)
        through = (c >= 1) & (c <= 14)
        kept, n = band(prior, 16, 1, 14), through.sum()
        again = rng.binomial(8, p[through])
        assert abs(through.mean() - kept.share) < 5 * np.sqrt(kept.share * (1 - kept.share) / prompts)
        error = np.sqrt(0.25 / n)
        assert abs(again.mean() / 8 - kept.expected(pass_at_k, 1)) < 5 * error
        assert abs(again.mean() / 8 - kept.filter_mean) > 5 * error
        share = ((again == 0) | (again == 8)).mean()
        assert abs(share - kept.expected(degenerate_probability, 8)) < 5 * error
        assert abs(share - degenerate_probability(prior, 8)) > 5 * error

    def test_nothing_kept_is_refused(self):
        with pytest.raises(ValueError, match=r"^lowest and highest must keep some prompts, got \[1, 3\]"):
            band(Beta(0.5, 1), 4, 1, 3)
        with pytest.raises(ValueError, match=r"^highest must be at least 3, got 2"):
            band(Beta(0.5, 0.5), 4, 3, 2)


class TestManySamples:
    """10,000 samples of a prompt are a public format; a thousand million are a mistake that must not cost memory."""

    def test_ten_thousand_of_each_prompt(self):
        rng = np.random.default_rng(0)
        p = rng.beta(0.6, 1.4, 300)  # mean 0.3, dispersion 1/3
        fit = beta_estimate(Recorded(rng.binomial(10_000, p), 10_000))
        errors = fit.standard_errors
        assert abs(fit.mean - 0.3) < 4 * errors[0]
        assert abs(fit.dispersion - 1 / 3) < 4 * errors[1]
        assert np.isnan(fit.goodness_of_fit_p)

    def test_a_thousand_million_are_refused_at_once(self):
        with pytest.raises(ValueError, match=r"^samples must be at most 1,000,000 of a prompt .* 1000000000 at"):
            beta_estimate(Recorded([3, 5 * 10**8], [8, 10**9]))

    def test_the_likelihood_counts_each_prompt_as_often_as_it_reaches(self):
        rng = np.random.default_rng(1)
        n = rng.integers(1, 40, 500)
        c = rng.binomial(n, 0.3)
        found = _Likelihood.of(Recorded(c, n))
        for counts, x in zip(found, (c, n - c, n), strict=True):
            np.testing.assert_array_equal(counts, (x[:, None] > np.arange(n.max())).sum(0))
