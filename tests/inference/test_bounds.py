"""Beyond the samples without a shape: bounds that hold for every distribution of pass rates with the same counts."""

import time

import numpy as np
import pytest

from rlsignal import Beta, Fixed, Recorded, degenerate_probability, pass_at_k
from rlsignal.inference.bounds import _prices, group_bounds
from rlsignal.inference.intervals import group_estimate


@pytest.mark.parametrize(
    ("samples", "g", "low", "high"), [(8, 16, 0.362, 0.3636), (8, 64, 0.139, 0.275), (16, 64, 0.209, 0.213)]
)
def test_figures(samples, g, low, high):
    """Beta(0.4, 1.6) seen through n samples: twice n is nearly free, eight times is not."""
    population = Beta(0.2, 1 / 3)
    found = group_bounds(degenerate_probability, population, g, samples=samples)
    assert (found.low, found.high) == pytest.approx((low, high), abs=6e-4)
    assert found.low < degenerate_probability(population, g) < found.high


@pytest.mark.parametrize("g", [2, 4, 8])
def test_within_the_samples_nothing_is_unknown(g):
    population = Beta(0.3, 0.4)
    found = group_bounds(degenerate_probability, population, g, samples=8)
    assert (found.low, found.high) == pytest.approx((degenerate_probability(population, g),) * 2, abs=1e-6)


def test_within_the_samples_it_is_the_interval_of_the_unbiased_estimate():
    data = Recorded(np.repeat(np.arange(9), [70, 30, 20, 16, 14, 12, 12, 12, 14]), 8)
    found = group_bounds(degenerate_probability, data, 8)
    estimate = group_estimate(degenerate_probability, data, 8)
    assert (found.low, found.high) == pytest.approx((estimate.low, estimate.high), abs=2e-3)


def test_prices_and_slack_bound_every_pass_rate():
    """Weak duality, point by point, on pass rates that no grid has."""
    target = Beta(0.2, 1 / 3).pmf(8)
    p = np.random.default_rng(0).random(20_000) ** 3
    for sign in (-1, 1):
        prices, slack = _prices(degenerate_probability, sign, 32, target, np.zeros(9))
        assert np.all(sign * degenerate_probability(p, 32) <= Fixed(p).pmf(8) @ prices + slack + 1e-5)


def test_the_bounds_are_reached():
    """Distributions on a coarse grid with the same chances of c differ by nearly what is claimed, and by no more."""
    population = Beta(0.2, 1 / 3)
    found = group_bounds(degenerate_probability, population, 16, samples=4)
    low, high = found.low, found.high
    grid = np.sin(np.linspace(0, np.pi / 2, 200)) ** 2
    from scipy.optimize import linprog

    worth, chances = degenerate_probability(grid, 16), Fixed(grid).pmf(4).T
    reached = [sign * linprog(sign * worth, A_eq=chances, b_eq=population.pmf(4)).fun for sign in (1, -1)]
    assert reached == pytest.approx((low, high), abs=2e-3)
    assert low <= reached[0] + 1e-6
    assert high >= reached[1] - 1e-6


@pytest.mark.parametrize(
    ("rates", "shares"), [((0.0, 0.3, 0.9), (0.5, 0.3, 0.2)), ((0.02, 0.6), (0.5, 0.5))], ids=["three", "two"]
)
def test_counts_of_prompts_that_are_no_beta_are_covered(rates, shares):
    """60 evaluations of 200 prompts: the truth at g = 16 lies inside at least 95 of 100 times, less chance."""
    rng, runs = np.random.default_rng(0), 60
    truth = np.dot(shares, degenerate_probability(np.array(rates), 16))
    drawn = rng.multinomial(200, np.array(shares) @ Fixed(np.array(rates)).pmf(8), runs)
    found = [group_bounds(degenerate_probability, Recorded(np.repeat(np.arange(9), x), 8), 16) for x in drawn]
    assert np.mean([x.low <= truth <= x.high for x in found]) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)
    assert np.mean([x.high - x.low for x in found]) < 0.25


def test_prompts_may_have_different_samples():
    found = group_bounds(degenerate_probability, Recorded([0, 3, 1, 9, 4, 0] * 20, [8, 8, 10, 12, 8, 9] * 20), 16)
    assert 0 < found.low < found.high < 1


def test_bounds_stay_in_the_range_of_the_statistic():
    found = group_bounds(pass_at_k, Recorded([0, 1, 0, 2, 4] * 4, 4), 512)
    assert 0 <= found.low < found.high <= 1


class TestAllAlike:
    """100 prompts x 8 without a success."""

    DATA = Recorded([0] * 100, 8)

    def test_the_low_end_is_what_is_likely_enough_to_show_nothing(self):
        """One in 40 such data sets comes from p = 0.0046 on all prompts, which is the least degenerate."""
        p = 1 - 0.025 ** (1 / 800)
        found = group_bounds(degenerate_probability, self.DATA, 16)
        assert (found.low, found.high) == (pytest.approx(degenerate_probability(p, 16), abs=1e-5), 1)
        assert found.low == pytest.approx(0.929, abs=5e-4)

    def test_beyond_is_never_narrower_than_within(self):
        within = group_estimate(degenerate_probability, self.DATA, 8)
        widths = [group_bounds(degenerate_probability, self.DATA, g) for g in (16, 32, 64)]
        assert within.high - within.low < widths[0].high - widths[0].low
        assert [x.low for x in widths] == sorted((x.low for x in widths), reverse=True)

    def test_all_correct_is_the_mirror(self):
        other = group_bounds(degenerate_probability, Recorded([8] * 100, 8), 16)
        assert other.low == pytest.approx(group_bounds(degenerate_probability, self.DATA, 16).low, abs=1e-6)
        assert group_bounds(pass_at_k, Recorded([8] * 100, 8), 1).low == pytest.approx(0.025**0.01, abs=1e-5)


def test_one_sample_of_each_prompt_shows_the_mean_alone():
    """All that has a mean of 1/2, less noise: identical prompts at one end, all or nothing at the other."""
    found = group_bounds(degenerate_probability, Recorded([0, 1] * 100, 1), 8)
    assert found.low == pytest.approx(2 / 256, rel=0.01)
    assert found.high == 1


def test_one_short_prompt_does_not_decide_what_is_known():
    correct = np.repeat(np.arange(17), 30)
    whole = group_bounds(degenerate_probability, Recorded(correct, 16), 32)
    short = group_bounds(degenerate_probability, Recorded([*correct, 1], [16] * len(correct) + [1]), 32)
    assert (short.low, short.high) == pytest.approx((whole.low, whole.high), abs=0.005)


def test_visits_of_a_prompt_are_one_unit():
    """40 prompts visited 8 times: 60 evaluations, of which the bounds that ignore it hold too few."""
    rng, truth, runs = np.random.default_rng(0), degenerate_probability(Beta(0.3, 0.5), 16), 60
    labels, held = np.repeat(np.arange(40), 8), []
    for _ in range(runs):
        data = Recorded(rng.binomial(8, np.repeat(rng.beta(0.3, 0.7, 40), 8)), 8)
        found = [group_bounds(degenerate_probability, data, 16, clusters=x) for x in (None, labels)]
        held.append([x.low <= truth <= x.high for x in found])
    ignored, honest = np.mean(held, 0)
    assert ignored < 0.9
    assert honest >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / runs)


@pytest.mark.slow
def test_groups_of_a_thousand_take_a_second():
    """Pass rates at equal steps of their angle: the programme grows as the root of g."""
    for data in (Recorded(np.repeat(np.arange(9), 20), 8), Recorded(np.repeat(np.arange(65), 5), 64)):
        started = time.process_time()
        found = group_bounds(degenerate_probability, data, 1024)
        assert time.process_time() - started < 5
        assert 0 <= found.low < found.high < 1
