"""Group-size advice: the rule, its reasons, and what counts do not determine."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest

from rlsignal import GRPO, RLOO, Beta, Fixed, Recorded, diagnose, informative_probability, read, recommend_group_size
from rlsignal.estimators import GRPO_NEMO
from rlsignal.inference.evaluation import Evaluation
from rlsignal.theory import (
    Scores,
    best_group_size,
    discoverable_pass_rate,
    group_size_for_budget,
    shortfall_probability,
)
from rlsignal.theory.filters import shortfall


class TestAdvice:
    @pytest.mark.parametrize(
        ("p", "size", "span"),
        [(0.3, 4, (4, 4)), (0.5, 4, (4, 4)), (0.05, 8, (4, 8)), (0.01, 16, (8, 32)), (Beta(0.28, 0.54), 4, (4, 4))],
    )
    def test_larger_groups_where_successes_are_rare(self, p, size, span):
        advice = recommend_group_size(p)
        assert (advice.group_size, advice.range) == (size, span)

    @pytest.mark.parametrize("p", [0.3, 0.05, 0.01, Beta(0.28, 0.54), Recorded([0, 1, 4, 8, 14, 16] * 20, 16)])
    @pytest.mark.parametrize("rollouts", [500, 512, 100])
    def test_no_line_of_the_table_is_worth_more_than_the_advice_and_it_says_so(self, p, rollouts):
        advice = recommend_group_size(p, rollouts=rollouts)
        best = max((x for x in advice.lines if x.prompts >= 8), key=lambda line: np.nan_to_num(line.score))
        assert best.group_size == advice.group_size
        assert "with a perfect baseline: the most of all sizes" in advice.reasons[0]
        assert ("[95%]" in str(advice)) == isinstance(p, Recorded)

    def test_sizes_that_are_not_told_apart_are_named_with_the_reason(self):
        low, high = (recommend_group_size(Beta(0.28, 0.54)).lines[i].score for i in (2, 1))
        assert low < 0.8 * high  # a fifth of a budget is worth naming a size for
        near = recommend_group_size(0.05)
        assert (near.group_size, near.range) == (8, (4, 8))
        assert near.reasons[1] == "g = 4 is within 10% of that, too little to choose by."
        drawn = np.random.default_rng(0).binomial(8, np.random.default_rng(1).beta(0.6, 1.4, 12))
        few = recommend_group_size(Recorded(drawn, 8))
        assert few.range == (min(few.similar), max(few.similar)) == (4, 16)
        assert "not shown by these samples to be worth 10% less: more of them would decide." in few.reasons[1]
        assert few.similar == (4, 16)  # 8 was compared prompt by prompt, and is shown to be worth less
        assert str(few).startswith("g = 4 (4 and 16 are not distinguished), for 512 rollouts")

    def test_where_a_step_must_keep_prompts_the_claim_is_about_sizes_that_do(self):
        advice = recommend_group_size(0.01, rollouts=512, prompts=64)
        assert advice.group_size == 8
        assert advice.reasons[0].endswith("the most of all sizes that leave 64 prompts.")
        none = recommend_group_size(Beta(0.05, 0.1), rollouts=12)  # no size leaves 8, and g = 4 has the higher score
        assert none.lines[1].score > none.lines[0].score
        assert none.reasons[0].endswith("worth 0.3 with a perfect baseline.")

    def test_and_about_sizes_with_an_estimate_where_another_may_be_worth_more(self):
        advice = recommend_group_size(Recorded([0] * 30 + [1] * 2, 4))
        assert max(x.informative.high * x.prompts / x.noise for x in advice.lines) > advice.lines[2].score
        assert advice.reasons[0].endswith("the most of the sizes with an estimate.")
        known = recommend_group_size(Recorded([0, 1, 4, 8, 14, 16] * 20, 16))
        assert np.isnan(known.lines[-1].score)  # of 64, whose upper end is not worth as much
        assert known.reasons[0].endswith("the most of all sizes.")

    def test_a_size_beyond_the_samples_is_said_to_be_one(self):
        said = (
            "Most prompts have fewer than 8 samples: the interval is what the samples allow; the value is that of a fit"
        )
        assert said in recommend_group_size(Recorded([0] * 30 + [1] * 2, 4)).reasons[1]
        within = recommend_group_size(Recorded([0, 1, 4, 8, 14, 16] * 20, 16))
        assert not any("Most prompts" in x for x in within.reasons)

    def test_the_score_is_informative_groups_over_their_noise(self):
        for line in recommend_group_size(Beta(0.28, 0.54), rollouts=512).lines:
            g, share = line.group_size, informative_probability(Beta(0.28, 0.54), line.group_size)
            assert line.informative.value == line.informative.low == line.informative.high == share
            assert line.informative_groups == 512 // g * share
            assert line.score == pytest.approx(512 // g * share * (g - 1) / g, rel=1e-12)
            assert line.noise == g / (g - 1)

    def test_it_does_not_double_for_nothing(self):
        """Half of the prompts impossible, half even: from g = 8 on nothing is gained, and no size above is advised."""
        rng = np.random.default_rng(0)
        data = Recorded(rng.binomial(64, np.repeat([0.0, 0.5], 100)), 64)
        advice = recommend_group_size(data, rollouts=2432)
        assert advice.group_size <= 8
        assert advice.range[1] <= 8

    def test_weights_are_the_estimator_s(self):
        for line in recommend_group_size(Beta(0.28, 0.54), estimator=GRPO).lines:
            weights = [GRPO.weight(p, line.group_size) for p in (0.05, 0.5)]
            assert line.hard == pytest.approx(weights[0] / weights[1], rel=1e-12)
        assert {round(x.hard, 12) for x in recommend_group_size(0.3, estimator=RLOO).lines} == {1.0}

    def test_an_evaluation_is_asked_itself_as_far_as_it_reaches(self):
        data = Recorded(np.repeat(np.arange(9), [70, 30, 20, 16, 14, 12, 12, 12, 14]), 8)
        lines = {x.group_size: x.informative for x in recommend_group_size(data).lines}
        assert lines[8].value == pytest.approx(informative_probability(data, 8), rel=1e-12)
        assert (lines[8].how, lines[16].how) == ("samples", "bounds")
        assert lines[16].low < lines[16].value < lines[16].high

    def test_one_short_prompt_does_not_decide(self):
        correct = np.repeat(np.arange(9), [70, 30, 20, 16, 14, 12, 12, 12, 14])
        one = recommend_group_size(Recorded([*correct, 1], [8] * 200 + [1]))
        two = recommend_group_size(Recorded(correct, 8))
        assert (one.group_size, one.range) == (two.group_size, two.range)

    def test_few_prompts_leave_a_wider_range(self):
        rng = np.random.default_rng(0)
        spans = []
        for prompts in (12, 3000):
            data = Recorded(rng.binomial(16, rng.beta(0.1 * 3, 0.9 * 3, prompts)), 16)
            spans.append(np.ptp(np.log2(recommend_group_size(data).range)))
        assert spans[0] >= spans[1]

    def test_a_log_is_its_mean_and_degenerate_share_and_not_a_prompt_a_row(self):
        rows = [{"step": t, "reward": 0.28, "frac_reward_zero_std": 0.5416, "loss": 0.0} for t in range(60)]
        advice = recommend_group_size(read(rows), logged_at=8, groups=64)
        eight = next(x for x in advice.lines if x.group_size == 8)
        assert eight.informative.value == pytest.approx(1 - 0.5416, abs=1e-6)
        assert eight.informative.how == "Beta"
        assert "The last 50 rows: mean reward 0.280, 54% of 3200 groups degenerate." in advice.notes

    def test_the_gradient_noise_decides_where_it_is_given(self):
        scores = Scores([0.05, 0.3], 0.001)
        advice = recommend_group_size(0.3, scores=scores, between=0.001)
        assert advice.group_size == best_group_size(scores, 0.001) == 12
        assert advice.range == (12, 12)
        assert advice.reasons[0].startswith("The gradient noise that you gave is least at g = 12")
        assert not any("the most of" in x or "within" in x for x in advice.reasons)
        assert not any("Counts alone" in x for x in advice.doubts)

    def test_budgets_that_are_tiny_or_do_not_divide_are_reported(self):
        assert any(
            "510 rollouts do not divide by 4: 2 of them" in x for x in recommend_group_size(0.3, rollouts=510).reasons
        )
        tiny = recommend_group_size(0.3, rollouts=8)
        assert tiny.group_size == 2
        assert any("The budget is below 8 prompts" in x for x in tiny.reasons)
        assert any("Raise the budget first" in x for x in recommend_group_size(0.01, rollouts=64).reasons)

    def test_with_tokens_the_budget_is_a_cost_and_no_number_of_rollouts_that_could_divide(self):
        advice = recommend_group_size(Beta(0.05, 0.02), rollouts=500, tokens=(4000, 100))
        assert (advice.group_size, advice.lines[4].prompts) == (32, int(500 * (1 + 40 / 8) / (32 + 40)))
        assert "With these tokens the budget is what 500 rollouts cost in groups of 8." in advice.reasons
        assert not any("left over" in x for x in advice.reasons)
        tight = recommend_group_size(Beta(0.3, 0.3), rollouts=16, tokens=(10000, 100))
        assert [x.prompts for x in tight.lines] == [
            2,
            2,
            2,
        ]  # a prompt costs more than its rollouts: the largest is free
        assert tight.group_size == 8
        with pytest.raises(
            ValueError, match=r"^rollouts must buy two groups of two at these tokens.*at least 16, got 15"
        ):
            recommend_group_size(Beta(0.3, 0.3), rollouts=15, tokens=(10000, 100))

    @pytest.mark.parametrize("tokens", [None, (10, 10), (70, 30), (1000, 10)])
    @pytest.mark.parametrize("rollouts", [16, 37, 100])
    def test_a_step_holds_the_size_that_the_noise_asks_for_or_the_largest_that_fits(self, tokens, rollouts):
        scores, between = Scores(0.3), 1e-9
        advice = recommend_group_size(0.3, rollouts=rollouts, scores=scores, between=between, tokens=tokens)
        said = (
            f"is least at g = {best_group_size(scores, between)}; g = {advice.group_size} is the largest that it buys."
        )
        assert said in advice.reasons[0]
        assert next(x.prompts for x in advice.lines if x.group_size == advice.group_size) == 1
        assert tokens or advice.group_size == rollouts

    def test_what_is_not_known_of_a_size_that_the_noise_asks_for_is_said_in_words(self):
        advice = recommend_group_size(Recorded([0] * 30 + [1, 2] * 5, 4), scores=Scores(0.3), between=1e-5)
        here = advice.lines[-1]
        low, high = (3 * x for x in (here.informative.low, here.informative.high))
        assert (here.group_size, here.prompts) == (146, 3)
        assert f"3 prompts and between {low:.1f} and {high:.1f} informative groups" in advice.reasons[1]
        assert f"{146 / here.informative.high:,.0f} to {146 / here.informative.low:,.0f} rollouts" in advice.sampling[0]
        most = next(n for n in range(1, 100) if shortfall(here.informative.low, kept=64, sampled=64 * n) <= 0.01)
        assert f"with at most 1 to {most} it would fill 99 of 100." in advice.sampling[1]
        assert "A step has 3 prompts, fewer than 8." in str(advice)
        assert "nan" not in str(advice)

    @pytest.mark.parametrize("correct", [[0] * 59 + [4], [0] * 50 + [8] * 8 + [4, 5], [0] * 30 + [8] * 30 + [3]])
    def test_the_informative_share_does_not_fall_with_the_size(self, correct):
        data, rows = Recorded(correct, 8), [{"prompt": i, "n": 8, "c": c} for i, c in enumerate(correct)]
        advice, rest = recommend_group_size(data), diagnose(read(rows), 8).sizes
        raw = [Evaluation(data).estimate(informative_probability, x.group_size) for x in advice.lines]
        assert any(b.low < a.low or b.value < a.value for a, b in pairwise(raw))
        for found in ([x.informative for x in advice.lines], [x.degenerate for x in rest[::-1]]):
            for part in ("value", "low", "high"):
                values = [getattr(x, part) for x in found if np.isfinite(getattr(x, part))]
                assert values == sorted(values)
            assert all(x.low <= x.value <= x.high for x in found if np.isfinite(x.value))

    def test_long_prompts_favour_large_groups(self):
        plain, long = (recommend_group_size(0.3, tokens=x) for x in (None, (4000, 500)))
        assert max(x.group_size for x in long.lines if x.score >= 0.99 * max(y.score for y in long.lines)) > max(
            x.group_size for x in plain.lines if x.score >= 0.99 * max(y.score for y in plain.lines)
        )

    def test_the_table_is_prompts_by_g_at_equal_rollouts_and_ends_where_nothing_is_gained(self):
        rng = np.random.default_rng(0)
        advice = recommend_group_size(Recorded(rng.binomial(64, np.repeat([0.0, 0.5], 100)), 64), rollouts=240)
        assert {x.group_size: x.prompts for x in advice.lines} == {2: 120, 4: 60, 8: 30, 16: 15}
        assert "> 60 x 4 " in str(advice)
        assert advice.lines[-1].informative.value - advice.lines[-2].informative.value < 0.02
        assert [x.group_size for x in recommend_group_size(0.01).lines] == [2, 4, 8, 16, 32, 64]

    def test_informative_groups_per_gpu_hour_follow_the_time_of_a_rollout_and_of_its_prompt(self):
        data = Recorded(np.repeat(np.arange(9), 25), 8)
        plain = recommend_group_size(data, rollout_seconds=4.0)
        long = recommend_group_size(data, rollout_seconds=4.0, tokens=(800, 400))
        for line in plain.lines:
            assert line.per_hour.low == pytest.approx(line.informative.low * 900 / line.group_size)
        for one, two in zip(plain.lines, long.lines, strict=False):
            assert two.per_hour.high == pytest.approx(one.per_hour.high * one.group_size / (one.group_size + 2))
        assert "in a GPU hour [95%]" in str(plain)
        assert "GPU hour" not in str(recommend_group_size(data))

    def test_every_number_beyond_the_samples_has_an_interval_and_far_beyond_there_is_the_interval_alone(self):
        rng = np.random.default_rng(0)
        advice = recommend_group_size(Recorded(rng.binomial(4, rng.beta(0.09, 8.91, 500)), 4))
        values = {x.group_size: x.informative for x in advice.lines}
        assert np.isfinite(values[8].value)
        assert all(np.isnan(values[g].value) for g in (16, 32, 64))
        assert all(0 < x.low < x.high < 1 for x in values.values())
        assert advice.range[1] == 64  # not ruled out, and not advised
        assert advice.group_size <= 8

    def test_dynamic_sampling_says_its_cost_and_when_it_gives_up(self):
        cost, chance = recommend_group_size(0.01, batch=64, draws=10).sampling
        share = informative_probability(0.01, 16)
        assert cost.startswith(f"it draws {16 / share:.0f} rollouts for each group of 16 that it keeps")
        gives_up = shortfall_probability(0.01, 16, kept=64, sampled=640)
        often = f"{gives_up:.1%}" if gives_up >= 0.001 else "<0.1%"
        assert f"gives up {often} of the time" in chance
        rng = np.random.default_rng(0)
        measured = recommend_group_size(Recorded(rng.binomial(8, rng.beta(0.6, 1.4, 200)), 8))
        low, high = (4 / x for x in (measured.lines[1].informative.high, measured.lines[1].informative.low))
        assert f"[{low:.0f}, {high:.0f}] rollouts for each group of 4" in measured.sampling[0]
        needed = int(re.search(r"at most (\d+) it would", chance)[1])
        assert shortfall_probability(0.01, 16, kept=64, sampled=64 * needed) <= 0.01
        assert shortfall_probability(0.01, 16, kept=64, sampled=64 * (needed - 1)) > 0.01

    def test_how_often_dynamic_sampling_gives_up_has_the_interval_of_the_informative_share(self):
        seen = recommend_group_size(Recorded([0, 10, 4], 16), batch=64, draws=10)
        share = seen.lines[1].informative
        at = [shortfall(x, kept=64, sampled=640) for x in (share.value, share.high, share.low)]
        assert at[0] < 0.001
        assert at[1] < 0.001
        assert at[2] > 0.999
        assert "gives up <0.1% [<0.1%, >99.9%] of the time" in seen.sampling[1]
        fewest, most = (
            next(n for n in range(1, 1000) if shortfall(x, kept=64, sampled=64 * n) <= 0.01)
            for x in (share.high, share.low)
        )
        assert f"[{fewest}, {most}] it would fill" in seen.sampling[1]

    def test_data_is_read_as_by_diagnose(self, tmp_path):
        data = {"prompt": list(range(40)), "n": [8] * 40, "c": [i % 9 for i in range(40)]}
        rows = [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]
        (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
        right = recommend_group_size(read(data))
        for given in (data, tmp_path / "x.jsonl", str(tmp_path / "x.jsonl")):
            assert recommend_group_size(given).reasons == right.reasons

    def test_a_log_is_read_with_what_it_does_not_state(self, tmp_path):
        rows = [{"step": i, "reward": 0.3, "frac_reward_zero_std": 0.45} for i in range(60)]
        (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
        right = recommend_group_size(read(rows), logged_at=8, groups=64)
        assert recommend_group_size(tmp_path / "log.jsonl", logged_at=8, groups=64).reasons == right.reasons
        with pytest.raises(ValueError, match="logged_at must be left out"):
            recommend_group_size({"prompt": [1, 2], "n": [4, 4], "c": [1, 2]}, logged_at=8)

    def test_says_what_counts_do_not_determine(self):
        advice = recommend_group_size(0.3)
        assert any("Counts alone do not fix the best g" in doubt for doubt in advice.doubts)
        assert "Counts alone" in str(advice)

    def test_for_machines(self):
        summary = json.loads(json.dumps(recommend_group_size(0.3).summary, allow_nan=False))
        assert {"group_size", "range", "lines", "informative", "reasons"} <= summary.keys()
        assert summary["range"] == [4, 4]

    @pytest.mark.parametrize(
        ("p", "arguments", "message"),
        [
            (0.3, {"rollouts": 3}, r"^rollouts must be at least 4, got 3\."),
            (0.3, {"prompts": 0}, r"^prompts must be at least 1, got 0\."),
            (0.3, {"largest": 1}, r"^largest must be at least 2, got 1\."),
            (0.3, {"tokens": (0, 100)}, r"^tokens must lie in \(0, inf\), got 0 at index 0\."),
            (0.3, {"rollout_seconds": -1}, r"^rollout_seconds must lie in \(0, inf\), got -1\."),
            (0.3, {"between": 0.1}, r"^scores and between must be given together"),
            (Recorded([0] * 50, 8), {}, r"^p must have a correct sample, got none of 400 over 50 prompts\. "),
            (Recorded([8] * 50, 8), {}, r"^p must have an incorrect sample, got none of 400 over 50 prompts\. "),
            (Recorded([0] * 50 + [8] * 50, 8), {}, r"^p must have a prompt with both correct and incorrect samples, "),
            (Recorded([0, 1] * 50, 1), {}, r"^p must have two samples of at least half of its 100 prompts, got fewer"),
            (
                Beta(0, 0.2),
                {},
                r"^p must leave groups that are informative, got mean 0\.000, dispersion 0\.200, under which",
            ),
            (Fixed(1.0), {}, r"^p must leave groups that are informative, got pass rate 1\.000, under which none is\."),
        ],
    )
    def test_bad_input_is_refused(self, p, arguments, message):
        with pytest.raises(ValueError, match=message):
            recommend_group_size(p, **arguments)


class TestTheWholeRun:
    def test_what_a_budget_reaches_does_not_depend_on_the_size(self):
        found = recommend_group_size(Beta(0.28, 0.54), rollouts=512, steps=400, pool=2000)
        assert found.run[0].startswith("400 steps of 512 rollouts are 102 of each of 2,000 prompts, whatever g;")
        assert f"above p = {discoverable_pass_rate(102):.3f}" in found.run[0]
        assert found.summary["run"] == list(found.run)
        assert "Over the run:" in str(found)

    def test_the_best_size_is_the_chain_s_for_each_rule(self):
        found = recommend_group_size(Beta(0.28, 0.54), steps=4000, pool=2000, largest=128)
        step = 8 * np.log(2) / np.sqrt(7)
        for scaling, rule in ((0, "one for all sizes"), (0.5, "grows as the root"), (1, "grows as g.")):
            best = group_size_for_budget(Beta(0.28, 0.54), GRPO, rollouts=1024, step=step, scaling=scaling).best
            part = next(x for x in found.run[1].split("; ") if rule in x)
            assert f"g = {best} " in part

    def test_an_evaluation_counts_its_prompts(self):
        evaluation = Recorded([0, 1, 2, 4] * 30, 4)
        assert "of each of 120 prompts" in recommend_group_size(evaluation, steps=40).run[0]
        small = recommend_group_size(evaluation, steps=40, largest=16).run[1]
        assert "of sizes up to 16 " in small
        assert max(map(int, re.findall(r"g = (\d+)", small))) <= 16
        assert "not computed for GRPO_NEMO" in recommend_group_size(evaluation, steps=40, estimator=GRPO_NEMO).run[1]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"steps": 10}, r"^pool must be given with `steps`, got none"),
            ({"pool": 10}, r"^steps must be given with `pool`, got none"),
            ({"steps": 1, "pool": 512}, r"^steps must be enough for 4 rollouts of each of 512 prompts, got 1"),
        ],
    )
    def test_errors(self, options, message):
        with pytest.raises(ValueError, match=message):
            recommend_group_size(Beta(0.28, 0.54), **options)
