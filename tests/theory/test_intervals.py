"""From samples to a group statistic with an interval: unbiased, covering as often as it says, and warned elsewhere."""

import re
from fractions import Fraction
from functools import partial
from math import comb
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri, stdtrit

from rlsignal import (
    GRPO,
    Beta,
    Fixed,
    Recorded,
    advantage_magnitude,
    advantage_variance,
    degenerate_probability,
    gradient_weight,
    informative_probability,
    pass_at_k,
)
from rlsignal.theory.intervals import (
    _trials,
    bounded_interval,
    dispersion_estimate,
    exchangeability,
    group_estimate,
    group_table,
    per_prompt_estimate,
)

PAGE = Path(__file__).parents[2] / "docs" / "theory.md"
STATISTICS = {
    "pass@1": (pass_at_k, 1),
    "E p(1-p)": (advantage_variance, 2),  # half of it: the table's range does not matter
    "degenerate": (degenerate_probability, 8),
    "informative": (informative_probability, 8),
}
REPETITIONS = 8000


def counts(rng, mean, dispersion, samples, prompts, size=None):
    """Histograms of c over prompts: multinomial, so that thousands of evaluations are one draw."""
    return rng.multinomial(prompts, Beta(mean, dispersion).law(samples), size)


def coverage(rng, statistic, g, mean, dispersion, *, samples=16, prompts=100, repetitions=REPETITIONS):
    """How often the library's interval holds the truth."""
    table = group_table(statistic, g)
    kinds = np.stack([np.arange(samples + 1), np.full(samples + 1, samples)], 1)
    drawn = counts(rng, mean, dispersion, samples, prompts, repetitions).astype(float)
    values = drawn @ (Recorded(kinds[:, 0], samples).each(g) @ table) / prompts
    trials = _trials(drawn, kinds, table)
    low, high = bounded_interval(values, trials, (table.min(), table.max()), stdtrit(prompts - 1, 0.975))
    truth = statistic(Beta(mean, dispersion), g)
    return np.mean((low <= truth) & (truth <= high))


class TestUnbiased:
    @pytest.mark.parametrize("g", [2, 3, 6])
    @pytest.mark.parametrize(
        "statistic",
        [
            degenerate_probability,
            informative_probability,
            pass_at_k,
            advantage_variance,
            partial(gradient_weight, estimator=GRPO),
            partial(advantage_magnitude, estimator=GRPO),
        ],
    )
    def test_for_every_pass_rate(self, statistic, g):
        """Both sides are polynomials in p of degree at most n = 6: equal at n + 1 points, equal everywhere."""
        n = 6
        values = per_prompt_estimate(statistic, Recorded(np.arange(n + 1), n), g)
        for p in np.arange(1, n + 2) / (n + 2):
            assert Fixed(p).law(n) @ values == pytest.approx(statistic(p, g), rel=1e-12, abs=0)

    @pytest.mark.parametrize("n", [2, 3, 5, 8])
    def test_the_reward_variance_exactly(self, n):
        """E c(n-c)/(n(n-1)) = p(1-p) in rational arithmetic; the plug-in c(n-c)/n^2 is short by (n-1)/n."""
        for p in (Fraction(i, n + 2) for i in range(n + 3)):
            chances = [comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)]
            pairs = sum(chance * c * (n - c) for c, chance in enumerate(chances))
            assert pairs / (n * (n - 1)) == p * (1 - p)
            assert pairs / n**2 == p * (1 - p) * Fraction(n - 1, n)
        values = per_prompt_estimate(advantage_variance, Recorded(np.arange(n + 1), n), 2)
        np.testing.assert_allclose(values, [c * (n - c) / (n * (n - 1)) / 2 for c in range(n + 1)], rtol=1e-14)

    def test_the_plug_in_is_not(self):
        """16 samples at p = 0.2: the plug-in sees 0.242 of groups of 8 dead where 0.168 are."""
        law, c = Fixed(0.2).law(16), np.arange(17)
        assert law @ degenerate_probability(c / 16, 8) == pytest.approx(0.242, abs=5e-4)
        assert law @ per_prompt_estimate(degenerate_probability, Recorded(c, 16), 8) == pytest.approx(0.16777, abs=5e-6)

    def test_prompts_may_have_different_samples(self):
        data = Recorded([0, 3, 4, 9], [4, 6, 8, 12])
        values = per_prompt_estimate(degenerate_probability, data, 4)
        assert values.mean() == pytest.approx(degenerate_probability(data, 4), rel=1e-14)
        assert group_estimate(degenerate_probability, data, 4).value == values.mean()

    def test_what_is_no_mean_over_groups_is_refused(self):
        with pytest.raises(ValueError, match=r"^statistic must be a mean over groups, got 0\.\d+ for all prompts"):
            per_prompt_estimate(lambda p, g: pass_at_k(p, g) ** 2, Recorded([1, 3, 4], 8), 2)

    def test_larger_groups_are_refused(self):
        with pytest.raises(ValueError, match=r"^g must be at most 4, got 8\."):
            group_estimate(degenerate_probability, Recorded([1, 2], 4), 8)


class TestCoverage:
    @pytest.mark.parametrize("name", STATISTICS)
    def test_within_the_region(self, name):
        """100 prompts, 16 samples: 93 to 97 of 100 intervals hold, for every mean and dispersion in the region."""
        rng, (statistic, g) = np.random.default_rng(0), STATISTICS[name]
        for mean in (0.1, 0.3, 0.5, 0.7, 0.9):
            for dispersion in (0.05, 0.1, 0.2, 0.4, 0.6):
                assert 0.93 <= coverage(rng, statistic, g, mean, dispersion) <= 0.97, (mean, dispersion)

    @pytest.mark.parametrize(("samples", "prompts"), [(8, 100), (64, 100), (16, 1000)])
    def test_with_other_samples_and_more_prompts(self, samples, prompts):
        """At worst three of a hundred too many: rare dead groups make Wilson's interval a little wide."""
        rng = np.random.default_rng(0)
        for mean, dispersion in ((0.1, 0.6), (0.5, 0.05), (0.9, 0.2), (0.3, 0.3)):
            for statistic, g in STATISTICS.values():
                found = coverage(rng, statistic, g, mean, dispersion, samples=samples, prompts=prompts)
                assert 0.93 <= found <= 0.98, (statistic.__name__, mean, dispersion)

    def test_of_students_interval_is_too_low_where_rare_counts_matter(self):
        """Why it is not what the library does: dead groups at mean 0.5, dispersion 0.05, hang on few prompts."""
        rng, n, prompts = np.random.default_rng(0), 16, 100
        worth = per_prompt_estimate(degenerate_probability, Recorded(np.arange(n + 1), n), 8)
        drawn = counts(rng, 0.5, 0.05, n, prompts, REPETITIONS)
        mean = drawn @ worth / prompts
        error = np.sqrt((drawn @ worth**2 / prompts - mean**2) / (prompts - 1))
        truth = degenerate_probability(Beta(0.5, 0.05), 8)
        assert np.mean(np.abs(mean - truth) <= stdtrit(prompts - 1, 0.975) * error) < 0.89

    def test_of_the_pooled_binomial_interval_is_nothing(self):
        """All rollouts in one pot: neither their number nor their mean is what dead groups depend on."""
        rng, n, prompts, law = np.random.default_rng(0), 16, 100, Beta(0.3, 0.3)
        drawn = counts(rng, 0.3, 0.3, n, prompts, REPETITIONS)
        pooled = drawn @ np.arange(n + 1) / (n * prompts)
        half = ndtri(0.975) * np.sqrt(pooled * (1 - pooled) / (n * prompts))
        holds = np.abs(pooled - 0.3) <= half
        assert np.mean(holds) < 0.7  # even for pass@1: rollouts of a prompt are no independent units
        low, high = degenerate_probability(pooled + half, 8), degenerate_probability(np.maximum(pooled - half, 0), 8)
        truth = degenerate_probability(law, 8)
        assert np.mean((low <= truth) & (truth <= high)) == 0

    def test_a_population_that_is_no_beta(self):
        """Half of the prompts never, half every second time: the sample variance overrules the fitted law."""
        rng, n, prompts = np.random.default_rng(0), 16, 100
        law = (Fixed(0.0).law(n) + Fixed(0.5).law(n)) / 2
        kinds, drawn = np.stack([np.arange(n + 1), np.full(n + 1, n)], 1), rng.multinomial(prompts, law, REPETITIONS)
        table = group_table(degenerate_probability, 8)
        worth = Recorded(np.arange(n + 1), n).each(8) @ table
        trials = _trials(drawn.astype(float), kinds, table)
        low, high = bounded_interval(drawn @ worth / prompts, trials, (0, 1), stdtrit(prompts - 1, 0.975))
        assert 0.93 <= np.mean((low <= law @ worth) & (law @ worth <= high)) <= 0.97

    def test_outside_is_as_the_page_says(self):
        """Every row of the page's table, to 0.012: four standard errors of a coverage and its rounding."""
        rows = re.findall(r"^\| (\d+) \| (\d+) \| ([\d.]+) \| ([\d.]+) \|(.*)\|$", PAGE.read_text(), re.MULTILINE)
        assert len(rows) == 8
        rng = np.random.default_rng(1)
        for prompts, samples, mean, dispersion, cells in rows:
            printed = [float(cell) for cell in cells.split("|")]
            for claimed, (statistic, g) in zip(printed, list(STATISTICS.values())[:3], strict=True):
                found = coverage(
                    rng, statistic, g, float(mean), float(dispersion), samples=int(samples), prompts=int(prompts)
                )
                assert found == pytest.approx(claimed, abs=0.012), (prompts, samples, mean, dispersion)


class TestClusters:
    def test_one_per_prompt_is_a_plain_standard_error(self):
        data = Recorded([0, 2, 5, 8, 3, 1] * 20, 8)
        labelled = group_estimate(pass_at_k, data, 1, clusters=np.arange(120))
        values = per_prompt_estimate(pass_at_k, data, 1)
        assert labelled.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(120), rel=1e-12)

    def test_repeated_prompts_are_one_unit(self):
        """Copies add nothing: the error stays that of the originals, but for their degrees of freedom."""
        correct = np.array([0, 2, 5, 8, 3, 1] * 20)
        one = group_estimate(degenerate_probability, Recorded(correct, 8), 4, clusters=np.arange(120))
        copies = Recorded(np.tile(correct, 3), 8)
        three = group_estimate(degenerate_probability, copies, 4, clusters=np.tile(np.arange(120), 3))
        assert three.clusters == one.clusters == 120
        assert three.standard_error == pytest.approx(one.standard_error, rel=1e-12)
        assert group_estimate(degenerate_probability, copies, 4).standard_error < 0.7 * one.standard_error

    def test_few_seeds_say_so(self):
        """Fifteen runs of five checkpoints are five units."""
        estimate = group_estimate(pass_at_k, Recorded([1, 2, 3, 5, 8] * 3, 8), 1, clusters=[0, 1, 2, 3, 4] * 3)
        assert estimate.clusters == 5
        assert "5 clusters, fewer than 100" in estimate.warning

    def test_labels_must_fit(self):
        with pytest.raises(ValueError, match=r"^clusters must be one label per prompt \[2\], got shape \(3,\)\."):
            group_estimate(pass_at_k, Recorded([1, 2], 4), 1, clusters=[0, 1, 2])
        with pytest.raises(ValueError, match=r"^clusters must be at least 2 to tell a spread, got 1\."):
            group_estimate(pass_at_k, Recorded([1, 2], 4), 1, clusters=[0, 0])


class TestEdges:
    @pytest.mark.parametrize(("correct", "value"), [(0, 0), (8, 1)])
    def test_prompts_that_are_all_alike_are_not_certain(self, correct, value):
        """100 prompts without a success leave room for 3.8%: Wilson's interval at 100 trials."""
        estimate = group_estimate(pass_at_k, Recorded([correct] * 100, 8), 1)
        assert estimate.value == value
        assert estimate.high - estimate.low == pytest.approx(0.0379, abs=5e-5)
        assert "value as a share of its range" in estimate.warning
        assert 0 <= estimate.low <= estimate.high <= 1

    def test_alike_in_the_middle(self):
        estimate = group_estimate(degenerate_probability, Recorded([4] * 100, 8), 4)
        assert 0 < estimate.low < estimate.value < estimate.high < 1

    def test_one_sample_per_prompt_is_a_coin_each(self):
        estimate = group_estimate(pass_at_k, Recorded([0, 1] * 50, 1), 1)
        t = stdtrit(99, 0.975)
        half = t * np.sqrt(0.25 / 99 + (t / 99 / 2) ** 2) / (1 + t**2 / 99)
        assert estimate.high - estimate.value == pytest.approx(half, rel=1e-12)
        assert "prompts of one sample tell no dispersion" in estimate.warning

    def test_a_statistic_that_cannot_vary(self):
        estimate = group_estimate(lambda p, g: 0 * pass_at_k(p, g) + 2.0, Recorded([1, 2, 3], 4), 2)
        assert (estimate.low, estimate.high) == (2, 2)

    def test_inside_the_region_nothing_is_said(self):
        estimate = group_estimate(degenerate_probability, Recorded([0, 1, 2, 5, 8] * 40, 8), 8)
        assert estimate.warning == ""
        assert str(estimate) == "0.4 [0.3342, 0.4696], 95% from 200 clusters"

    def test_a_level_of_one_half_is_narrower(self):
        data = Recorded([0, 1, 2, 5, 8] * 40, 8)
        wide, narrow = (group_estimate(degenerate_probability, data, 8, level=level) for level in (0.95, 0.5))
        assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


class TestExchangeability:
    def visits(self, rng, prompts, first, second, *, moved=None, mean=0.3, dispersion=0.5):
        size = 1 / dispersion - 1
        p = rng.beta(mean * size, (1 - mean) * size, prompts)
        later = p if moved is None else moved(p)
        return Recorded(rng.binomial(first, p), first), Recorded(rng.binomial(second, later), second)

    @pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 5)])
    def test_moments_under_one_policy_exactly(self, first, second):
        """Two prompts' every outcome in rational arithmetic: the squared difference has the mean that is expected."""
        p, n = Fraction(1, 3), first + second
        squares = expected = Fraction(0)
        for a in range(first + 1):
            for b in range(second + 1):
                chance = comb(first, a) * comb(second, b) * p ** (a + b) * (1 - p) ** (n - a - b)
                squares += chance * (Fraction(b, second) - Fraction(a, first)) ** 2
                c = a + b  # hypergeometric variance of a given c, over the squared slope of the difference in a
                of_a = Fraction(first * second * c * (n - c), n * n * (n - 1))
                expected += chance * of_a * (Fraction(1, first) + Fraction(1, second)) ** 2
        assert squares == expected

    @pytest.mark.parametrize(("first", "second", "prompts"), [(8, 8, 100), (4, 8, 50)])
    def test_rejects_one_policy_as_rarely_as_it_should(self, first, second, prompts):
        rng, runs = np.random.default_rng(0), 300
        found = [exchangeability(*self.visits(rng, prompts, first, second)) for _ in range(runs)]
        for p in ("shift_p", "spread_p", "p_value"):
            rejected = np.mean([getattr(x, p) < 0.05 for x in found])
            assert rejected < 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs), p
        assert np.mean([x.shift_p < 0.05 for x in found]) > 0.01

    def test_sees_all_prompts_rise(self):
        rng = np.random.default_rng(0)
        risen = self.visits(rng, 300, 8, 8, moved=lambda p: p + 0.3 * p * (1 - p))
        found = exchangeability(*risen)
        assert found.shift > 0
        assert found.shift_p < 1e-3

    def test_sees_prompts_trade_places(self):
        """Half rise, half fall, the mean stays: only the spread tells."""
        rng = np.random.default_rng(0)
        sign = np.where(np.arange(300) % 2, 1, -1)
        found = exchangeability(*self.visits(rng, 300, 8, 8, moved=lambda p: p + sign * 0.9 * p * (1 - p)))
        assert found.shift_p > 0.01
        assert found.spread > 1
        assert found.spread_p < 1e-3
        assert found.p_value == 2 * min(found.shift_p, found.spread_p)

    def test_one_sample_each_tells_no_spread(self):
        found = exchangeability(Recorded([0, 1, 1, 0], 1), Recorded([1, 0, 1, 0], 1))
        assert found.spread_p == 1
        assert found.shift == 0

    def test_prompts_that_never_disagree_tell_nothing(self):
        found = exchangeability(Recorded([0, 8], 8), Recorded([0, 8], 8))
        assert found.p_value == 1
        assert np.isnan(found.spread)

    def test_the_same_prompts_are_needed(self):
        with pytest.raises(ValueError, match=r"^first and second must have the same prompts, got 2 and 3 of them\."):
            exchangeability(Recorded([0, 1], 2), Recorded([0, 1, 2], 2))


class TestDispersion:
    def test_moments_are_unbiased_exactly(self):
        """Above and below the line, over every outcome of three prompts with four samples each."""
        p, n, laws = (0.2, 0.5, 0.9), 4, [Fixed(x).law(4) for x in (0.2, 0.5, 0.9)]
        inside = whole = 0.0
        for counts_ in np.ndindex(5, 5, 5):
            chance, c = np.prod([law[k] for law, k in zip(laws, counts_, strict=True)]), np.array(counts_)
            share = c / n
            inside += chance * np.mean(c * (n - c) / (n * (n - 1)))
            whole += chance * (share.mean() * (1 - share.mean()) + share.var(ddof=1) / 3)
        assert inside == pytest.approx(np.mean([x * (1 - x) for x in p]), rel=1e-12)
        fixed = np.var(p, ddof=1) / 3  # the three prompts are no draw: their own spread is counted as error
        assert whole == pytest.approx(np.mean(p) * (1 - np.mean(p)) + fixed, rel=1e-12)

    @pytest.mark.parametrize(("mean", "rho"), [(0.1, 0.6), (0.3, 0.3), (0.5, 0.05), (0.9, 0.2)])
    def test_intervals_hold(self, mean, rho):
        rng, size, held = np.random.default_rng(0), (1 - rho) / rho, []
        for _ in range(600):
            c = rng.binomial(16, rng.beta(mean * size, (1 - mean) * size, 100))
            found = dispersion_estimate(Recorded(c, 16))
            held.append(found.low <= rho <= found.high)
        assert 0.95 - 5 * np.sqrt(0.95 * 0.05 / 600) < np.mean(held) <= 0.985

    def test_the_plug_in_takes_sampling_noise_for_dispersion(self):
        """Identical prompts: c/n differs all the same."""
        c = np.random.default_rng(0).binomial(8, 0.3, 2000)
        assert dispersion_estimate(Recorded(c, 8)).high < 0.1
        assert np.var(c / 8) / (np.mean(c / 8) * (1 - np.mean(c / 8))) > 0.1

    def test_clusters_count_once(self):
        c = np.random.default_rng(0).binomial(8, np.random.default_rng(1).beta(1, 2, 60))
        one = dispersion_estimate(Recorded(c, 8))
        two = dispersion_estimate(Recorded(np.tile(c, 2), 8), clusters=np.tile(np.arange(60), 2))
        assert two.standard_error == pytest.approx(one.standard_error, rel=0.05)

    def test_what_tells_none(self):
        assert np.isnan(dispersion_estimate(Recorded([4, 4, 4], 4)).value)
        with pytest.raises(ValueError, match=r"^samples must be at least 2 to tell a dispersion, got 1 at index 1"):
            dispersion_estimate(Recorded([1, 1, 2], [4, 1, 4]))
        with pytest.raises(ValueError, match=r"^clusters must be at least 3 to tell how sure a dispersion is, got 2"):
            dispersion_estimate(Recorded([1, 2], 4))
