"""From a log's two numbers back to the population that explains them."""

import numpy as np
import pytest

from rlsignal import Beta, Recorded, degenerate_probability, dispersion_for

MEANS = (0.01, 0.05, 0.2, 0.2812, 0.5, 0.7, 0.9)
GROUP_SIZES = (2, 3, 4, 8, 16, 64)


@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("g", GROUP_SIZES)
class TestUndoesTheDegenerateProbability:
    @pytest.mark.parametrize("dispersion", [1e-6, 0.05, 0.3, 0.5, 0.9])
    def test_explains_the_fraction_it_was_given(self, mean, g, dispersion):
        """To 1e-12 of the dead fraction, however rare dead groups are."""
        dead = degenerate_probability(Beta(mean, dispersion), g)
        fitted = dispersion_for(mean, dead, g)
        assert degenerate_probability(Beta(mean, fitted), g) == pytest.approx(dead, rel=1e-12, abs=0)

    @pytest.mark.parametrize("dispersion", [0.05, 0.3, 0.5, 0.9])
    def test_finds_the_dispersion(self, mean, g, dispersion):
        """The fraction is a float, whose rounding the slope of D in the dispersion magnifies to some 1e-13 at most."""
        fitted = dispersion_for(mean, degenerate_probability(Beta(mean, dispersion), g), g)
        assert fitted == pytest.approx(dispersion, rel=0, abs=1e-12)

    def test_identical_prompts_have_none(self, mean, g):
        """The very fraction that the library gives for one pass rate is explained by no spread, not refused."""
        assert dispersion_for(mean, degenerate_probability(mean, g), g) == pytest.approx(0, abs=1e-12)
        assert dispersion_for(mean, degenerate_probability(Beta(mean, 0), g), g) == pytest.approx(0, abs=1e-12)

    def test_only_all_or_nothing_kills_every_group(self, mean, g):
        assert dispersion_for(mean, 1.0, g) == 1


def test_figures_of_public_runs():
    assert dispersion_for(0.2812, 0.542, 8) == pytest.approx(0.542, abs=5e-4)
    others = [dispersion_for(mean, dead, 8) for mean, dead in ((0.3016, 0.542), (0.2708, 0.575))]
    assert all(0.53 < rho < 0.58 for rho in others)
    assert dispersion_for(0.1819, 0.767, 2) == pytest.approx(0.22, abs=5e-3)


def test_two_rollouts_in_closed_form():
    """D_2 = 1 - 2 m(1-m)(1-rho)."""
    for mean, dead in ((0.2, 0.75), (0.5, 0.5001), (0.9, 0.99)):
        want = 1 - (1 - dead) / (2 * mean * (1 - mean))
        assert dispersion_for(mean, dead, 2) == pytest.approx(want, rel=0, abs=1e-14)


def test_right_and_wrong_are_mirrors():
    assert dispersion_for(0.25, 0.5, 8) == pytest.approx(dispersion_for(0.75, 0.5, 8), rel=1e-12, abs=0)


def test_the_way_out_that_a_refused_evaluation_names():
    """Asked for g = 8 from 4 samples, the error proposes this fit; at g = n it gives the recorded fraction back."""
    data = Recorded([0, 0, 0, 1, 4, 4, 2, 3], 4)
    recorded = degenerate_probability(data, 4)
    law = Beta(data.mean, dispersion_for(data.mean, recorded, 4))
    assert degenerate_probability(law, 4) == pytest.approx(recorded, rel=1e-12, abs=0)
    assert 0 < degenerate_probability(law, 8) < recorded


def test_a_simulated_log():
    """The fit from 20 000 groups of 8 predicts groups of 32 within five standard errors; the mean alone does not.

    The s.e. of the observed fraction is carried through the fit by finite differences, the mean being known.
    """
    rng, mean, dispersion, prompts = np.random.default_rng(0), 0.3, 0.5, 20_000
    p = rng.beta(mean * (1 / dispersion - 1), (1 - mean) * (1 / dispersion - 1), prompts)
    observed = np.mean([(c in (0, 8)) for c in rng.binomial(8, p)])
    truth = degenerate_probability(Beta(mean, dispersion), 8)
    error = np.sqrt(truth * (1 - truth) / prompts)

    def prediction(dead):
        return degenerate_probability(Beta(mean, dispersion_for(mean, dead, 8)), 32)

    want = degenerate_probability(Beta(mean, dispersion), 32)
    slope = (prediction(truth + error) - prediction(truth - error)) / (2 * error)
    assert abs(prediction(observed) - want) < 5 * slope * error
    assert abs(degenerate_probability(mean, 32) - want) > 5 * slope * error
