"""From samples to a group statistic with an interval: unbiased, covering as often as it says, and warned elsewhere."""

import json
import runpy
from fractions import Fraction
from math import comb
from pathlib import Path

import numpy as np
import pytest
from scipy.special import stdtrit

from rlsignal import (
    GRPO,
    Beta,
    Fixed,
    Recorded,
    advantage_variance,
    degenerate_probability,
    informative_probability,
    pass_at_k,
)
from rlsignal.inference import beta_estimate, group_bounds
from rlsignal.inference.intervals import (
    CHECKED_CLUSTERS,
    CHECKED_DISPERSIONS,
    CHECKED_MEANS,
    bounded_interval,
    dispersion_estimate,
    group_estimate,
    group_table,
    per_prompt_estimate,
    trials_over_prompts,
)

ROOT = Path(__file__).parents[2]
SIMULATION = runpy.run_path(str(ROOT / "experiments" / "coverage.py"))
RECORDED = json.loads((ROOT / "docs" / "evidence" / "coverage.json").read_text(encoding="utf-8"))


def recorded_at(statistic, mean, dispersion, prompts=100, samples=16):
    wanted = {"statistic": statistic, "mean": mean, "dispersion": dispersion, "prompts": prompts, "samples": samples}
    return [row for row in RECORDED["rows"] if wanted.items() <= row.items()]


def drawn_again(row, repetitions=4000):
    """A recorded row, simulated with other draws."""
    setting = row["prompts"], row["samples"], row["mean"], row["dispersion"]
    generator = np.random.default_rng([1, *map(int, (setting[0], setting[1], 1e4 * setting[2], 1e4 * setting[3]))])
    return SIMULATION["coverage"](generator, row["statistic"], setting, repetitions, spot_checks=5)


class TestUnbiased:
    @pytest.mark.parametrize("g", [2, 3, 6])
    @pytest.mark.parametrize(
        "statistic",
        [
            degenerate_probability,
            informative_probability,
            pass_at_k,
            advantage_variance,
            GRPO.weight,
            GRPO.magnitude,
        ],
    )
    def test_for_every_pass_rate(self, statistic, g):
        """Both sides are polynomials in p of degree at most n = 6: equal at n + 1 points, equal everywhere."""
        n = 6
        values = per_prompt_estimate(statistic, Recorded(np.arange(n + 1), n), g)
        for p in np.arange(1, n + 2) / (n + 2):
            assert Fixed(p).pmf(n) @ values == pytest.approx(statistic(p, g), rel=1e-12, abs=0)

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
        """16 samples at p = 0.2: the plug-in gives 0.242 of groups of 8 degenerate where 0.168 are."""
        pmf, c = Fixed(0.2).pmf(16), np.arange(17)
        assert pmf @ degenerate_probability(c / 16, 8) == pytest.approx(0.242, abs=5e-4)
        assert pmf @ per_prompt_estimate(degenerate_probability, Recorded(c, 16), 8) == pytest.approx(0.16777, abs=5e-6)

    def test_prompts_may_have_different_samples(self):
        data = Recorded([0, 3, 4, 9], [4, 6, 8, 12])
        values = per_prompt_estimate(degenerate_probability, data, 4)
        assert values.mean() == pytest.approx(degenerate_probability(data, 4), rel=1e-14)
        assert group_estimate(degenerate_probability, data, 4).value == values.mean()

    @pytest.mark.parametrize(
        "ask",
        [
            per_prompt_estimate,
            group_estimate,
            lambda statistic, data, g: group_bounds(statistic, data, 4 * g),
            lambda statistic, data, g: group_bounds(statistic, Beta(0.3, 0.3), g, samples=4),
            lambda statistic, data, g: beta_estimate(data).predict(statistic, g),
        ],
        ids=["prompts", "samples", "bounds", "bounds of a Beta", "Beta"],
    )
    def test_what_is_no_mean_over_groups_is_refused(self, ask):
        with pytest.raises(ValueError, match=r"^statistic must be a mean over groups, got 0\.\d+ of a population"):
            ask(lambda p, g: pass_at_k(p, g) ** 2, Recorded([1, 3, 4] * 9, 8), 4)

    def test_larger_groups_are_refused(self):
        with pytest.raises(ValueError, match=r"^g must be at most 4, got 8\."):
            group_estimate(degenerate_probability, Recorded([1, 2], 4), 8)


class TestCoverage:
    """The recorded rows are of 20,000 evaluations each; a few are simulated anew, which takes seconds."""

    def test_as_claimed_in_the_region(self):
        """100 prompts, 16 samples: 93 to 97 of 100 intervals hold, for every statistic, mean and dispersion."""
        rows = [row for row in RECORDED["rows"] if row["region"]]
        assert RECORDED["provenance"]["repetitions"] >= 8000
        assert {row["statistic"] for row in rows} == SIMULATION["STATISTICS"].keys()
        for bounds, key in ((CHECKED_MEANS, "mean"), (CHECKED_DISPERSIONS, "dispersion")):
            assert (min(row[key] for row in rows), max(row[key] for row in rows)) == bounds
        assert {(row["prompts"], row["samples"]) for row in rows} == {(CHECKED_CLUSTERS, 16)}
        assert all(0.93 <= row["library"] <= 0.97 for row in rows)

    def test_outside_the_output_warns(self):
        """Every row that covers too rarely, and all few prompts, nearly always say so."""
        outside = [row for row in RECORDED["rows"] if not row["region"]]
        assert all(row["warned"] >= 0.99 for row in outside if row["library"] < 0.93 or row["prompts"] < 100)
        assert min(row["library"] for row in outside) < 0.9  # there is something to warn of

    @pytest.mark.parametrize("name", SIMULATION["STATISTICS"])
    def test_what_is_recorded_is_what_the_library_does(self, name):
        """Corners and middle of the region, and the odd places: within 5 standard errors, all three intervals."""
        places = [(0.1, 0.05), (0.9, 0.05), (0.1, 0.6), (0.9, 0.6), (0.5, 0.3), (0.02, 0.6), (0.5, 0.02)]
        rows = [row for row in RECORDED["rows"] if (row["mean"], row["dispersion"]) in places and row["prompts"] <= 100]
        for row in (row for row in rows if row["statistic"] == name):
            found = drawn_again(row)
            for kind in ("library", "student", "pooled"):
                share = np.clip(row[kind], 0.002, 0.998)
                error = np.sqrt(share * (1 - share) * (1 / 4000 + 1 / RECORDED["provenance"]["repetitions"]))
                assert abs(found[kind] - row[kind]) < 5 * error, (kind, row)

    def test_of_students_interval_is_too_low_where_rare_counts_matter(self):
        """Why it is not what the library does: degenerate groups at mean 0.5, dispersion 0.05 are few."""
        (row,) = recorded_at("degenerate", 0.5, 0.05)
        assert row["student"] < 0.89 < 0.93 < row["library"]

    @pytest.mark.parametrize("name", SIMULATION["STATISTICS"])
    def test_of_the_pooled_binomial_interval_is_too_low_everywhere(self, name):
        """All rollouts in one pot: never enough in the region, and next to nothing for real dispersions."""
        rows = [row for row in RECORDED["rows"] if row["region"] and row["statistic"] == name]
        assert max(row["pooled"] for row in rows) < 0.88
        if name == "degenerate":
            assert max(row["pooled"] for row in rows if row["dispersion"] >= 0.3) < 0.01

    def test_a_population_that_is_no_beta(self):
        """Half of the prompts never, half every second time: the sample variance overrules the fitted Beta."""
        rng, n, prompts = np.random.default_rng(0), 16, 100
        pmf = (Fixed(0.0).pmf(n) + Fixed(0.5).pmf(n)) / 2
        kinds, drawn = np.stack([np.arange(n + 1), np.full(n + 1, n)], 1), rng.multinomial(prompts, pmf, 8000)
        table = group_table(degenerate_probability, 8)
        worth = Recorded(np.arange(n + 1), n).each(8) @ table
        trials = trials_over_prompts(drawn.astype(float), kinds, table)
        low, high = bounded_interval(drawn @ worth / prompts, trials, (0, 1), stdtrit(prompts - 1, 0.975))
        assert 0.93 <= np.mean((low <= pmf @ worth) & (pmf @ worth <= high)) <= 0.97


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
        assert three.standard_error == pytest.approx(one.standard_error, rel=1e-12)
        assert group_estimate(degenerate_probability, copies, 4).standard_error < 0.7 * one.standard_error

    def test_few_seeds_say_so(self):
        """Fifteen runs of five checkpoints are five units."""
        estimate = group_estimate(pass_at_k, Recorded([1, 2, 3, 5, 8] * 3, 8), 1, clusters=[0, 1, 2, 3, 4] * 3)
        assert "at least 100 independent prompts, here 5" in estimate.warning

    def test_unequal_clusters_count_as_fewer(self):
        """One prompt visited 91 times and nine once: (100)^2 / (91^2 + 9) = 1.2 effective units, which are too few."""
        data, labels = Recorded([1, 2, 3, 5] * 25, 8), np.concatenate([np.zeros(91), np.arange(1, 10)])
        with pytest.raises(ValueError, match=r"^clusters must be at least 2 for an interval, got 1\.21\."):
            group_estimate(pass_at_k, data, 1, clusters=labels)
        half = np.concatenate([np.zeros(40), np.repeat(np.arange(1, 7), 10)])
        assert (
            "at least 100 independent prompts, here 4.545" in group_estimate(pass_at_k, data, 1, clusters=half).warning
        )

    def test_labels_must_fit(self):
        with pytest.raises(ValueError, match=r"^clusters must be one label per prompt \[2\], got shape \(3,\)\."):
            group_estimate(pass_at_k, Recorded([1, 2], 4), 1, clusters=[0, 1, 2])
        with pytest.raises(ValueError, match=r"^clusters must be at least 2 for an interval, got 1\."):
            group_estimate(pass_at_k, Recorded([1, 2], 4), 1, clusters=[0, 0])


class TestEdges:
    @pytest.mark.parametrize(("correct", "value"), [(0, 0), (8, 1)])
    def test_prompts_that_are_all_alike_are_not_certain(self, correct, value):
        """100 prompts without a success leave room for 3.8%: Wilson's interval at 100 trials."""
        estimate = group_estimate(pass_at_k, Recorded([correct] * 100, 8), 1)
        assert estimate.value == value
        assert estimate.high - estimate.low == pytest.approx(0.0379, abs=5e-5)
        assert "value, as a share of its range," in estimate.warning
        assert 0 <= estimate.low <= estimate.high <= 1

    def test_alike_in_the_middle(self):
        estimate = group_estimate(degenerate_probability, Recorded([4] * 100, 8), 4)
        assert 0 < estimate.low < estimate.value < estimate.high < 1

    def test_one_sample_per_prompt_is_a_coin_each(self):
        estimate = group_estimate(pass_at_k, Recorded([0, 1] * 50, 1), 1)
        t = stdtrit(99, 0.975)
        half = t * np.sqrt(0.25 / 99 + (t / 99 / 2) ** 2) / (1 + t**2 / 99)
        assert estimate.high - estimate.value == pytest.approx(half, rel=1e-12)
        assert "a dispersion, which one sample of a prompt does not determine" in estimate.warning

    def test_a_statistic_that_cannot_vary(self):
        estimate = group_estimate(lambda p, g: 0 * pass_at_k(p, g) + 2.0, Recorded([1, 2, 3], 4), 2)
        assert (estimate.low, estimate.high) == (2, 2)

    def test_inside_the_region_nothing_is_warned_of(self):
        estimate = group_estimate(degenerate_probability, Recorded([0, 1, 2, 5, 8] * 40, 8), 8)
        assert estimate.warning == ""
        assert str(estimate) == "0.400 [0.334, 0.470]"

    def test_a_level_of_one_half_is_narrower(self):
        data = Recorded([0, 1, 2, 5, 8] * 40, 8)
        wide, narrow = (group_estimate(degenerate_probability, data, 8, level=level) for level in (0.95, 0.5))
        assert wide.low < narrow.low < narrow.value < narrow.high < wide.high


class TestDispersion:
    def test_moments_are_unbiased_exactly(self):
        """Above and below the line, over every outcome of three prompts with four samples each."""
        p, n, pmfs = (0.2, 0.5, 0.9), 4, [Fixed(x).pmf(4) for x in (0.2, 0.5, 0.9)]
        inside = whole = 0.0
        for counts_ in np.ndindex(5, 5, 5):
            chance, c = np.prod([pmf[k] for pmf, k in zip(pmfs, counts_, strict=True)]), np.array(counts_)
            share = c / n
            inside += chance * np.mean(c * (n - c) / (n * (n - 1)))
            whole += chance * (share.mean() * (1 - share.mean()) + share.var(ddof=1) / 3)
        assert inside == pytest.approx(np.mean([x * (1 - x) for x in p]), rel=1e-12)
        fixed = np.var(p, ddof=1) / 3  # the three prompts are no draw: their own variance is counted as error
        assert whole == pytest.approx(np.mean(p) * (1 - np.mean(p)) + fixed, rel=1e-12)

    @pytest.mark.parametrize(("mean", "rho"), [(0.1, 0.6), (0.3, 0.3), (0.5, 0.05), (0.9, 0.2)])
    def test_intervals_hold(self, mean, rho):
        rng, size, held = np.random.default_rng(0), (1 - rho) / rho, []
        for _ in range(600):
            c = rng.binomial(16, rng.beta(mean * size, (1 - mean) * size, 100))
            found = dispersion_estimate(Recorded(c, 16))
            held.append(found.low <= rho <= found.high)
        assert 0.95 - 5 * np.sqrt(0.95 * 0.05 / 600) < np.mean(held) <= 0.985

    @pytest.mark.parametrize(("mean", "n"), [(0.3, 8), (0.1, 16), (0.5, 4)])
    def test_identical_prompts_are_called_different_as_rarely_as_stated(self, mean, n):
        """Dispersion 0: in 600 data sets the interval leaves 0 out in one of 40, and not in half of them."""
        rng = np.random.default_rng(0)
        lows = [dispersion_estimate(Recorded(rng.binomial(n, mean, 100), n)).low for _ in range(600)]
        assert np.mean(np.array(lows) > 0) < 0.025 + 3 * np.sqrt(0.025 * 0.975 / 600)

    @pytest.mark.parametrize(
        ("prompts", "n", "mean", "rho"), [(500, 16, 0.005, 0.1), (200, 8, 0.01, 0.15), (200, 8, 0.02, 0.1)]
    )
    def test_intervals_hold_where_successes_are_sparse(self, prompts, n, mean, rho):
        rng, size, held = np.random.default_rng(0), (1 - rho) / rho, []
        for _ in range(400):
            found = dispersion_estimate(Recorded(rng.binomial(n, rng.beta(mean * size, (1 - mean) * size, prompts)), n))
            held.append(found.low <= rho <= found.high)
        assert np.mean(held) > 0.95 - 3 * np.sqrt(0.05 * 0.95 / 400)

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

    def test_what_determines_none(self):
        assert np.isnan(dispersion_estimate(Recorded([4, 4, 4], 4)).value)
        with pytest.raises(ValueError, match=r"^samples must be at least 2 for a dispersion, got 1 at index 1"):
            dispersion_estimate(Recorded([1, 1, 2], [4, 1, 4]))
        with pytest.raises(ValueError, match=r"^clusters must be at least 3 for the interval of a dispersion, got 2"):
            dispersion_estimate(Recorded([1, 2], 4))

    def test_one_formula_and_the_least_biased(self):
        """Dispersion 0.30, 12 prompts of 8 samples: 0.294 on average. Without the variance of the mean it would be
        0.272, and with m (1-m) times prompts/(prompts - 1) 0.333: both are further from the truth."""
        rng, runs, prompts, truth = np.random.default_rng(0), 4000, 12, 0.3
        size = 1 / truth - 1
        share = rng.binomial(8, rng.beta(0.33 * size, 0.67 * size, (runs, prompts))) / 8
        found = np.array([Recorded(8 * row, 8).dispersion for row in share])
        error = np.nanstd(found) / np.sqrt(runs)
        inside, mean = (share * (1 - share) * 8 / 7).mean(1), share.mean(1)
        plain, scaled = (
            np.nanmean(np.clip(1 - inside / (mean * (1 - mean) * x), 0, 1)) for x in (1, prompts / (prompts - 1))
        )
        assert np.nanmean(found) == pytest.approx(0.294, abs=3 * error)
        assert (plain, scaled) == (pytest.approx(0.272, abs=3 * error), pytest.approx(0.333, abs=3 * error))
        assert abs(np.nanmean(found) - truth) < 0.5 * min(abs(plain - truth), abs(scaled - truth))
        for row in share[:20]:
            assert dispersion_estimate(Recorded(8 * row, 8)).value == Recorded(8 * row, 8).dispersion
