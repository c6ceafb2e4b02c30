"""From a log's two numbers back to the population that explains them."""

from itertools import product

import numpy as np
import pytest

from rlsignal import Beta, Recorded, degenerate_probability, dispersion_for
from rlsignal.inference.population import log_estimate
from rlsignal.theory.signal import group_deviation

MEANS = (0.01, 0.05, 0.2, 0.2812, 0.5, 0.7, 0.9)
GROUP_SIZES = (2, 3, 4, 8, 16, 64)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("g", GROUP_SIZES)
class TestUndoesTheDegenerateProbability:
    @pytest.mark.parametrize("dispersion", [1e-6, 0.05, 0.3, 0.5, 0.9])
    def test_explains_the_fraction_it_was_given(self, mean, g, dispersion):
        """To 1e-12 of the degenerate fraction, however rare such groups are."""
        degenerate = degenerate_probability(Beta(mean, dispersion), g)
        fitted = dispersion_for(mean, degenerate, g)
        assert degenerate_probability(Beta(mean, fitted), g) == pytest.approx(degenerate, rel=1e-12, abs=0)

    @pytest.mark.parametrize("dispersion", [0.05, 0.3, 0.5, 0.9])
    def test_finds_the_dispersion(self, mean, g, dispersion):
        """The fraction is a float, whose rounding the slope of D in the dispersion magnifies to some 1e-13 at most."""
        fitted = dispersion_for(mean, degenerate_probability(Beta(mean, dispersion), g), g)
        assert fitted == pytest.approx(dispersion, rel=0, abs=1e-12)

    def test_identical_prompts_have_none(self, mean, g):
        """The very fraction that the library gives for one pass rate is explained by no dispersion, not refused."""
        assert dispersion_for(mean, degenerate_probability(mean, g), g) == pytest.approx(0, abs=1e-12)
        assert dispersion_for(mean, degenerate_probability(Beta(mean, 0), g), g) == pytest.approx(0, abs=1e-12)

    def test_only_all_or_nothing_leaves_no_informative_group(self, mean, g):
        assert dispersion_for(mean, 1.0, g) == 1


def test_figures_of_public_runs():
    assert dispersion_for(0.2812, 0.542, 8) == pytest.approx(0.542, abs=5e-4)
    others = [dispersion_for(mean, degenerate, 8) for mean, degenerate in ((0.3016, 0.542), (0.2708, 0.575))]
    assert all(0.53 < rho < 0.58 for rho in others)
    assert dispersion_for(0.1819, 0.767, 2) == pytest.approx(0.22, abs=5e-3)


def test_two_rollouts_in_closed_form():
    """D_2 = 1 - 2 m(1-m)(1-rho)."""
    for mean, degenerate in ((0.2, 0.75), (0.5, 0.5001), (0.9, 0.99)):
        want = 1 - (1 - degenerate) / (2 * mean * (1 - mean))
        assert dispersion_for(mean, degenerate, 2) == pytest.approx(want, rel=0, abs=1e-14)


def test_right_and_wrong_are_mirrors():
    assert dispersion_for(0.25, 0.5, 8) == pytest.approx(dispersion_for(0.75, 0.5, 8), rel=1e-12, abs=0)


def test_the_way_out_that_a_refused_evaluation_names():
    """Asked for g = 8 from 4 samples, the error proposes this fit; at g = n it gives the recorded fraction back."""
    data = Recorded([0, 0, 0, 1, 4, 4, 2, 3], 4)
    recorded = degenerate_probability(data, 4)
    population = Beta(data.mean, dispersion_for(data.mean, recorded, 4))
    assert degenerate_probability(population, 4) == pytest.approx(recorded, rel=1e-12, abs=0)
    assert 0 < degenerate_probability(population, 8) < recorded


def test_a_simulated_log():
    """The fit from 20 000 groups of 8 predicts groups of 32 within five standard errors; the mean alone does not.

    The s.e. of the observed fraction is carried through the fit by finite differences, the mean being known.
    """
    rng, mean, dispersion, prompts = np.random.default_rng(0), 0.3, 0.5, 20_000
    p = rng.beta(mean * (1 / dispersion - 1), (1 - mean) * (1 / dispersion - 1), prompts)
    observed = np.mean([(c in (0, 8)) for c in rng.binomial(8, p)])
    truth = degenerate_probability(Beta(mean, dispersion), 8)
    error = np.sqrt(truth * (1 - truth) / prompts)

    def prediction(degenerate):
        return degenerate_probability(Beta(mean, dispersion_for(mean, degenerate, 8)), 32)

    want = degenerate_probability(Beta(mean, dispersion), 32)
    slope = (prediction(truth + error) - prediction(truth - error)) / (2 * error)
    assert abs(prediction(observed) - want) < 5 * slope * error
    assert abs(degenerate_probability(mean, 32) - want) > 5 * slope * error


class TestLog:
    @pytest.mark.parametrize(("mean", "dispersion", "g"), [(0.3, 0.4, 4), (0.7, 0.05, 8), (0.1, 0.9, 16)])
    def test_covariance_from_the_law_itself(self, mean, dispersion, g):
        """Mean and degenerate fraction of one group, moment by moment over K, through numerical slopes."""
        population, k = Beta(mean, dispersion).pmf(g), np.arange(g + 1)
        degenerate = degenerate_probability(Beta(mean, dispersion), g)
        both = np.stack([k / g - mean, np.isin(k, (0, g)) - degenerate])
        noise, h = (population * both) @ both.T / 1000, 1e-6
        in_mean, in_rho = (
            (
                degenerate_probability(Beta(mean + x, dispersion + y), g)
                - degenerate_probability(Beta(mean - x, dispersion - y), g)
            )
            / (2 * h)
            for x, y in ((h, 0), (0, h))
        )
        back = np.linalg.inv([[1, 0], [in_mean, in_rho]])
        fit = log_estimate(mean, degenerate, g, 1000)
        np.testing.assert_allclose(fit.covariance, back @ noise @ back.T, rtol=1e-5, atol=1e-12)
        assert (fit.mean, fit.dispersion) == (mean, pytest.approx(dispersion, rel=1e-9))

    @pytest.mark.slow
    def test_intervals_for_another_group_size_hold(self):
        """300 logs of 512 groups of 8, each asked for groups of 32; the mean alone is never inside."""
        rng, runs, groups = np.random.default_rng(0), 300, 512
        drawn = rng.multinomial(groups, Beta(0.3, 0.5).pmf(8), runs)
        asked = [
            log_estimate(x @ np.arange(9) / 8 / groups, (x[0] + x[8]) / groups, 8, groups).predict(
                degenerate_probability, 32
            )
            for x in drawn
        ]
        truth = degenerate_probability(Beta(0.3, 0.5), 32)
        held = np.mean([x.low <= truth <= x.high for x in asked])
        assert abs(held - 0.95) < 4 * np.sqrt(0.95 * 0.05 / runs)
        assert not any(x.low <= degenerate_probability(0.3, 32) <= x.high for x in asked)

    def test_fewer_dead_groups_than_of_identical_prompts(self):
        """Within noise it is no dispersion, said so; beyond it is refused."""
        alike = degenerate_probability(0.3, 8)
        fit = log_estimate(0.3, alike - 0.01, 8, 100)
        assert fit.dispersion == 0
        assert "dispersion set to 0" in fit.warning
        with pytest.raises(ValueError, match=r"^degenerate must lie in \[0\.0577"):
            log_estimate(0.3, 0.0, 8, 10_000)

    def test_all_groups_degenerate(self):
        fit = log_estimate(0.3, 1.0, 8, 100)
        assert fit.dispersion == 1
        assert fit.predict(degenerate_probability, 64).value == 1

    def test_errors_shrink_with_groups(self):
        few, many = (log_estimate(0.3, 0.5, 8, groups).standard_errors for groups in (100, 400))
        np.testing.assert_allclose(np.divide(few, many), 2, rtol=1e-12)


class TestGroupDeviation:
    @pytest.mark.parametrize("g", [2, 3, 5])
    def test_is_the_mean_standard_deviation(self, g):
        for p in (0.1, 0.5, 0.8):
            mean = sum(
                np.prod([p if r else 1 - p for r in rewards]) * np.std(rewards, ddof=1)
                for rewards in product((0, 1), repeat=g)
            )
            assert group_deviation(p, g) == pytest.approx(mean, rel=1e-12)

    def test_is_not_the_batch(self):
        """a = 0.238, b = 0.608: 0.204 inside groups of 8, and 0.450 over the batch."""
        mean, dispersion = 0.238 / 0.846, 1 / 1.846
        assert group_deviation(Beta(mean, dispersion), 8) == pytest.approx(0.204, abs=1e-3)
        assert np.sqrt(mean * (1 - mean)) == pytest.approx(0.450, abs=5e-4)

    def test_tells_a_wrong_shape(self):
        """Prompts at 0 and 1/2: the Beta with their mean and degenerate fraction has another third number."""
        degenerate = (1 + degenerate_probability(0.5, 8)) / 2
        fit = log_estimate(0.25, degenerate, 8, 10_000)
        third = fit.predict(group_deviation, 8)
        assert not third.low <= group_deviation(0.5, 8) / 2 <= third.high
