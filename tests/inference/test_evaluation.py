"""A statistic at any group size: the samples', then a fit's within bounds, then the bounds alone."""

import numpy as np
import pytest

from rlsignal import Beta, Estimate, Recorded, degenerate_probability, informative_probability, pass_at_k
from rlsignal.inference import anchored_estimate, beta_estimate, group_estimate
from rlsignal.inference.bounds import group_bounds
from rlsignal.inference.evaluation import Evaluation, monotone


def drawn(prompts=200, n=8, seed=0, mean=0.3, dispersion=0.3):
    rng, size = np.random.default_rng(seed), 1 / dispersion - 1
    return Recorded(rng.binomial(n, rng.beta(mean * size, (1 - mean) * size, prompts)), n)


DATA = drawn()


def test_within_the_samples_it_is_the_unbiased_one():
    assert Evaluation(DATA).estimate(degenerate_probability, 8) == group_estimate(degenerate_probability, DATA, 8)


def test_beyond_it_is_the_anchored_fit_s_and_from_four_times_the_samples_none():
    """A fit has an answer at any size; from 32 on it is that of its shape, which 8 samples do not show."""
    seen, fit = Evaluation(DATA), anchored_estimate(DATA)
    for g in (9, 16, 31):
        assert seen.estimate(degenerate_probability, g).value == pytest.approx(degenerate_probability(fit, g))
    for g in (32, 64, 1024):
        found, allowed = seen.estimate(degenerate_probability, g), group_bounds(degenerate_probability, DATA, g)
        assert np.isnan(found.value)
        assert (found.low, found.high) == (allowed.low, allowed.high)
        assert found.warning == "8 samples of a prompt do not show groups of 32 or more."


@pytest.mark.parametrize("statistic", [degenerate_probability, informative_probability, pass_at_k])
@pytest.mark.parametrize("data", [DATA, drawn(40), drawn(200, 4, 1, 0.5, 0.1)], ids=["200", "40", "alike"])
def test_beyond_no_prompt_counts_for_more_than_within(statistic, data):
    """The interval is at least that of as many effective prompts as at the largest group that was sampled."""
    seen = Evaluation(data)
    n = seen.reach
    within, beyond = seen.estimate(statistic, n), seen.estimate(statistic, n + 1)

    def effective(found):
        half = (found.high - found.low) / 2
        return found.value * (1 - found.value) / half**2

    assert effective(beyond) <= 1.05 * effective(within)
    assert beyond.low < beyond.value < beyond.high


def test_of_each_prompt_is_the_posterior_mean():
    """With a Beta for a population and many samples it is c/n; the mean over prompts is the fit's own."""
    data = drawn(400, 64)
    rates = Evaluation(data).of_each_prompt(lambda p: np.asarray(p.mean))
    np.testing.assert_allclose(rates, np.asarray(data.correct) / 64, atol=0.05)
    fit = beta_estimate(DATA)
    assert Evaluation(DATA).of_each_prompt(lambda p: np.asarray(p.mean)).mean() == pytest.approx(fit.mean, abs=0.01)
    assert isinstance(fit.distribution, Beta)


def test_what_cannot_fall_is_held_to_the_sizes_before_it_and_what_cannot_rise_alike():
    raw = [Estimate(*x) for x in [(0.3, 0.2, 0.5), (0.2, 0.1, 0.4), (np.nan, 0.25, 0.45), (0.4, 0.1, 0.9)]]
    mirrored = [Estimate(1 - x.value, 1 - x.high, 1 - x.low) for x in raw]
    expected = [(0.3, 0.2, 0.5), (0.3, 0.2, 0.5), (np.nan, 0.25, 0.5), (0.4, 0.25, 0.9)]
    np.testing.assert_allclose([(x.value, x.low, x.high) for x in monotone(raw, max)], expected)
    np.testing.assert_allclose([(1 - x.value, 1 - x.high, 1 - x.low) for x in monotone(mirrored, min)], expected)
