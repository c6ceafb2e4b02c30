"""The posterior of populations: against sums over a plain grid, at its ends, and where few prompts are never solved."""

import numpy as np
import pytest
from scipy.stats import betabinom

from rlsignal import Recorded
from rlsignal.inference.plausible import plausible_populations


def summary(data):
    found = plausible_populations(data)
    mean, dispersion, never = np.sin(found.angles.T) ** 2
    return found, mean, dispersion, never


def by_a_plain_grid(counts, samples, cells=120):
    """Posterior means of mean and dispersion where no prompt is never solved, by scipy's pmf on a grid of angles."""
    angles = (np.arange(cells) + 0.5) / cells * np.pi / 2
    mean, rho = np.meshgrid(np.sin(angles) ** 2, np.sin(angles) ** 2, indexing="ij")
    size = 1 / rho - 1
    logs = sum(betabinom.logpmf(c, samples, mean * size, (1 - mean) * size) for c in counts)
    weights = np.exp(logs - logs.max())
    return [(weights * x).sum() / weights.sum() for x in (mean, rho)]


@pytest.mark.parametrize("counts", [[0, 1, 3, 8, 5, 2, 0, 0], [8] * 6, [0, 8] * 3, [2] * 12], ids=str)
def test_it_is_the_posterior_of_a_plain_grid(counts):
    found, mean, dispersion, never = summary(Recorded(counts, 8))
    beta = never == 0
    weights = found.weights[beta] / found.weights[beta].sum()
    expected = by_a_plain_grid(counts, 8)
    np.testing.assert_allclose([weights @ mean[beta], weights @ dispersion[beta]], expected, atol=0.01)
    assert found.weights.sum() == pytest.approx(1)


def test_the_share_that_is_never_solved_has_the_odds_of_its_evidence():
    """Of two prompts, c = 0 and c = 1 of one sample: both likelihoods are integrals that can be done by hand.

    With even angles E[m] = 1/2, E[m^2] = 3/8, and one sample a prompt does not see the dispersion. The Beta's evidence
    is E[m(1-m)] = 1/8, that with a share z is E[(1-z) m (1 - (1-z) m)] = 1/4 - (3/8)^2.
    """
    found, _, _, never = summary(Recorded([0, 1], 1))
    with_share, without = 1 / 4 - 9 / 64, 1 / 8
    assert found.weights[never > 0].sum() == pytest.approx(with_share / (with_share + without), abs=2e-3)


def test_it_narrows_with_prompts_and_stays_around_the_truth():
    rng = np.random.default_rng(0)
    found, mean, dispersion, _ = summary(Recorded(rng.binomial(8, rng.beta(0.6, 1.4, 3000)), 8))
    for x, truth in ((mean, 0.3), (dispersion, 1 / 3)):
        middle = found.weights @ x
        error = np.sqrt(found.weights @ (x - middle) ** 2)
        assert error < 0.02
        assert abs(middle - truth) < 4 * error


@pytest.mark.parametrize("counts", [[0] * 10, [4] * 10, [0, 4] * 5, [2] * 10], ids=str)
def test_at_an_end_it_has_a_width(counts):
    found, mean, dispersion, _ = summary(Recorded(counts, 4))
    for x in (mean, dispersion):
        middle = found.weights @ x
        assert np.sqrt(found.weights @ (x - middle) ** 2) > 0.01


def test_many_samples_of_many_prompts_keep_it_finite():
    c = np.random.default_rng(0).binomial(100_000, 0.3, 50)
    found, mean, dispersion, _ = summary(Recorded(c, 100_000))
    assert found.weights @ mean == pytest.approx(0.3, abs=0.001)
    assert found.weights @ dispersion < 1e-5


def test_what_is_no_evaluation_is_refused():
    with pytest.raises(ValueError, match="data must be counts of an evaluation"):
        plausible_populations([0.1, 0.2])
