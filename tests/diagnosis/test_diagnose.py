"""From recorded rollouts to findings: the figures are the theory's, the sentences report them."""

import json
import re

import numpy as np
import pytest

from rlsignal import Beta, Recorded, degenerate_probability, diagnose, pass_at_k, read
from rlsignal.diagnosis.diagnose import GROUP_SIZES
from rlsignal.inference import group_estimate
from rlsignal.inference.bounds import group_bounds


def counts(correct, n=8, **columns):
    return {"prompt": range(len(correct)), "n": [n] * len(correct), "c": list(correct), **columns}


def drawn(mean, dispersion, *, prompts=200, n=8, seed=0):
    rng, size = np.random.default_rng(seed), (1 - dispersion) / dispersion
    return rng.binomial(n, rng.beta(mean * size, (1 - mean) * size, prompts))


@pytest.fixture(scope="module")
def found():
    return diagnose(counts(drawn(0.3, 0.4)), 8)


class TestFigures:
    def test_are_the_unbiased_ones(self, found):
        data = Recorded(drawn(0.3, 0.4), 8)
        assert found.pass_at_1.value == pass_at_k(data, 1)
        assert found.pass_at_g.value == pass_at_k(data, 8)
        assert found.signal.value == pytest.approx(float(data.reward_variance), rel=1e-12)
        want = group_estimate(degenerate_probability, data, 4)
        here = next(size for size in found.sizes if size.group_size == 4)
        assert (here.degenerate.value, here.degenerate.low, here.degenerate.high) == (want.value, want.low, want.high)
        assert here.from_the_mean == degenerate_probability(float(data.mean), 4)

    def test_every_group_size_is_answered_and_says_from_what(self, found):
        assert [size.group_size for size in found.sizes] == list(GROUP_SIZES)
        assert [size.degenerate.how for size in found.sizes] == ["samples"] * 3 + ["bounds"] * 5
        assert [x.group_size for x in diagnose(counts([1, 2, 3] * 9), 6).sizes] == sorted({*GROUP_SIZES, 6})

    def test_beyond_the_samples_the_brackets_are_the_bounds_of_any_distribution(self, found):
        data, size = Recorded(drawn(0.3, 0.4), 8), found.sizes[4]
        allowed = group_bounds(degenerate_probability, data, 32)
        low, high = allowed.low, allowed.high
        assert (size.degenerate.low, size.degenerate.high) == (low, high)
        assert low < degenerate_probability(Beta(0.3, 0.4), 32) < high

    def test_a_batch_holds_so_many_informative_groups(self, found):
        share = found.chosen.degenerate.value
        assert found.chosen.informative == 64 * (1 - share)
        assert found.chosen.informative_sd == pytest.approx(np.sqrt(64 * share * (1 - share)), rel=1e-12)
        assert found.chosen.rollouts == 8 / (1 - share)

    def test_prompts_that_come_again_are_one_cluster(self):
        once = counts(drawn(0.3, 0.4))
        twice = {name: [*column, *column] for name, column in once.items()} | {"step": [0] * 200 + [1] * 200}
        wide, same = diagnose(once).chosen.degenerate, diagnose(twice).chosen.degenerate
        assert same.value == wide.value
        assert same.high - same.low > 0.9 * (wide.high - wide.low)

    def test_no_answer_changes_with_the_order_of_prompts(self, found):
        again = diagnose(counts(drawn(0.3, 0.4)[::-1]), 8)
        assert again.chosen.degenerate.value == pytest.approx(found.chosen.degenerate.value, rel=1e-14)
        assert [x.name for x in again.findings] == [x.name for x in found.findings]


class TestFindings:
    def names(self, correct, n=8, g=8):
        return [x.name for x in diagnose(counts(correct, n), g).findings]

    def test_the_mean_misleads_where_prompts_differ_and_not_where_they_are_alike(self):
        assert "the mean misleads" in self.names(drawn(0.3, 0.5))
        assert "the mean misleads" not in self.names(np.random.default_rng(0).binomial(8, 0.3, 200))

    def test_prompts_without_a_gradient_are_named(self):
        assert "never correct" in self.names([0] * 60 + [4] * 60)
        assert "always correct" in self.names([8] * 60 + [4] * 60)
        assert not {"never correct", "always correct"} & set(self.names([3, 4, 5] * 40))

    def test_too_few_samples_are_reported(self):
        assert "few samples" in self.names(drawn(0.3, 0.4, n=4), n=4, g=8)
        assert "few samples" not in self.names(drawn(0.3, 0.4), g=8)

    def test_pass_rates_of_another_distribution_are_reported(self):
        assert "no Beta" in self.names([0] * 60 + [4] * 60)
        assert "no Beta" not in self.names(drawn(0.3, 0.4))

    def test_unsure_outside_of_where_coverage_was_simulated(self):
        assert "unsure" in self.names(drawn(0.3, 0.3, prompts=30))
        assert "unsure" not in self.names(drawn(0.3, 0.3, prompts=200))

    def test_the_weightiest_comes_first(self, found):
        weights = [x.weight for x in found.findings]
        assert weights == sorted(weights, reverse=True)
        assert found.findings[0].name == "degenerate groups"

    def test_where_nothing_is_informative_it_says_so(self):
        found = diagnose(counts([0] * 50), 8)
        assert found.chosen.degenerate.value == 1
        assert found.findings[0].action.startswith("No group is informative")
        assert np.isnan(found.dispersion.value)

    def test_all_incorrect_leaves_room_beyond_the_samples(self):
        found = diagnose(counts([0] * 100), 8)
        beyond = {x.group_size: x.degenerate for x in found.sizes}
        assert beyond[8].value == 1
        assert np.isnan(beyond[16].value)
        assert beyond[16].low == pytest.approx(0.929, abs=5e-4)
        assert beyond[16].high - beyond[16].low > beyond[8].high - beyond[8].low
        assert {"all incorrect"} <= {x.name for x in found.findings}
        assert "0.038" in next(x.text for x in found.findings if x.name == "all incorrect")
        assert not {"never correct", "few samples"} & {x.name for x in found.findings}

    def test_how_many_prompts_are_needed_is_said_where_these_tell(self):
        few, some = (
            next(x.text for x in diagnose(counts([0, 10, 4] * n, 16), 8).findings if x.name == "few prompts")
            for n in (1, 8)
        )
        assert few.endswith("take hundreds, but how many so few do not tell: 3 show little of how they differ.")
        assert re.search(r"take about [\d,]+ prompts like these\.$", some)

    def test_a_prompt_without_a_success_in_eight_is_not_hopeless(self):
        """The advice follows the posterior: 28% of the groups on such prompts are informative here."""
        found = next(x for x in diagnose(counts(drawn(0.28, 0.34)), 8).findings if x.name == "never correct")
        assert "of groups of 8 on them are informative" in found.text
        assert found.action.startswith("They are hard, not hopeless: leaving them out would lose about ")
        hopeless = next(x for x in diagnose(counts([0] * 60 + [32] * 60, 64), 8).findings if x.name == "never correct")
        assert "leave them out" in hopeless.action
        between = next(x for x in diagnose(counts([0, 10, 4], 16), 8).findings if x.name == "never correct")
        assert "by the anchored fit 3% of groups" in between.text
        assert between.action.startswith("Few of them are hard, not hopeless (`--ids FILE` tells them apart): ")

    def test_one_sample_of_each_prompt_gives_the_mean_and_says_what_it_cannot(self):
        found = diagnose(counts([0, 1, 1, 0] * 30, 1), 8)
        assert found.pass_at_1.value == 0.5
        assert np.isnan(found.chosen.degenerate.value)
        assert found.findings[0].text.startswith(
            "Between 1% and 100% of groups of 8 are degenerate (no gradient): one "
        )
        assert not any("leave them out" in x.action for x in found.findings)
        json.dumps(found.summary, allow_nan=False)
        assert found.dispersion.warning == "one sample of a prompt does not determine a dispersion."
        assert (found.chosen.degenerate.low, found.chosen.degenerate.high) == (pytest.approx(2 / 256, rel=0.02), 1)


class TestUnequalSamples:
    def test_one_short_prompt_does_not_set_what_is_known(self):
        correct = drawn(0.3, 0.4, n=16)
        data = {"prompt": range(201), "n": [16] * 200 + [1], "c": [*correct, 1]}
        found, without = diagnose(data, 8), diagnose(counts(correct, 16), 8)
        assert (found.samples, found.fewest, found.prompts) == (16, 1, 201)
        assert found.chosen.degenerate.value == without.chosen.degenerate.value
        assert (found.chosen.degenerate.low, found.chosen.degenerate.high) == pytest.approx(
            (without.chosen.degenerate.low, without.chosen.degenerate.high), abs=1e-3
        )
        assert "without the 1 of 201 prompts that have fewer than 8 samples" in found.chosen.degenerate.warning
        assert found.pass_at_1.value == pytest.approx((correct / 16).sum() / 201 + 1 / 201)

    def test_half_of_the_prompts_are_enough(self):
        correct = [*drawn(0.3, 0.4, n=8)[:100], *drawn(0.3, 0.4, n=16)[:100]]
        found = diagnose({"prompt": range(200), "n": [8] * 100 + [16] * 100, "c": correct}, 16)
        assert (found.samples, found.chosen.degenerate.how) == (16, "samples")
        found = diagnose({"prompt": range(199), "n": [8] * 100 + [16] * 99, "c": correct[:-1]}, 16)
        assert (found.samples, found.chosen.degenerate.how) == (8, "bounds")

    def test_ten_thousand_samples_of_a_prompt(self):
        found = diagnose(counts([100, 5000, 9000, 200, 4000] * 12, 10_000), 8)
        assert found.chosen.degenerate.how == "samples"
        assert 0 < found.dispersion.low < found.dispersion.high < 1


class TestShown:
    def test_prints_what_matters(self, found):
        text = str(found)
        assert text.splitlines()[:2] == [
            "read as: counts per prompt; prompt `prompt`, correct `c`, samples `n`.",
            "evaluation: 200 prompts x 8 samples",
        ]
        assert "\n1. " in text
        assert "\n> 8 " in text

    def test_for_machines(self, found):
        summary = json.loads(json.dumps(found.summary, allow_nan=False))
        needed = {"prompts", "samples", "pass_at_1", "signal", "dispersion", "degenerate", "findings"}
        assert needed <= summary.keys()
        assert {"estimate", "low", "high"} <= summary["degenerate"]["8"].keys()
        json.dumps(diagnose(counts([0] * 50), 8).summary, allow_nan=False)


class TestChoosing:
    DATA = counts([0, 4, 8, 1] * 2, checkpoint=["a"] * 4 + ["b"] * 4) | {"prompt": [0, 1, 2, 3] * 2}

    def test_a_checkpoint_without_a_name_is_one(self):
        rows = [{"checkpoint": x, "prompt": i, "n": 8, "c": i % 9} for x in ("", "b") for i in range(20)]
        found = diagnose(rows)
        assert "evaluation, checkpoint '':" in str(found)
        assert found.notes[-1].startswith("1 other checkpoints are left out")

    def test_the_first_checkpoint_unless_another_is_named(self):
        assert diagnose(self.DATA).checkpoint == "a"
        assert diagnose(self.DATA, checkpoint="b").checkpoint == "b"
        assert "1 other checkpoints are left out" in diagnose(self.DATA).notes[-1]

    def test_one_that_is_not_there_is_refused(self):
        with pytest.raises(ValueError, match=r"^checkpoint must be one of \['a', 'b'\], got 'c'\.$"):
            diagnose(self.DATA, checkpoint="c")
        with pytest.raises(ValueError, match=r"^checkpoint must be left out, got 'c': the data names none\.$"):
            diagnose(counts([1, 2]), checkpoint="c")

    def test_prompts_of_few_samples_may_be_left_out_and_are_counted(self):
        data = {"prompt": range(40), "n": [2] * 10 + [8] * 30, "c": [1] * 40}
        found = diagnose(data, fewest=8)
        assert (found.prompts, found.samples) == (30, 8)
        assert found.notes[-1] == "10 prompts with fewer than 8 samples are left out."
        with pytest.raises(ValueError, match=r"^fewest must leave some prompt, got 9 and at most 8 samples\.$"):
            diagnose(data, fewest=9)

    def test_one_prompt_has_no_interval(self):
        with pytest.raises(ValueError, match=r"^data must hold at least two prompts, got one"):
            diagnose([{"prompt": 0, "n": 8, "c": 3}])

    def test_a_log_of_means_counts_no_groups(self):
        log = read([{"step": t, "reward_mean": 0.5, "loss": 0.0} for t in range(4)])
        with pytest.raises(
            ValueError, match=r"^the log must count one group of 8 in each row, got rows of .* track\(\)"
        ):
            diagnose(log)

    def test_a_log_with_a_group_in_each_row_is_an_evaluation(self):
        log = read([{"step": t, "reward_mean": t % 9 / 8, "loss": 0.0} for t in range(90)])
        assert diagnose(log).chosen.degenerate.value == pytest.approx(2 / 9)
