"""Checkpoints on the same prompts: orders, how sure they are, and what cannot be compared."""

import json
import re

import numpy as np
import pytest

from rlsignal import compare, diagnose, read


def counts(correct, n=8, **columns):
    return {"prompt": range(len(correct)), "n": [n] * len(correct), "c": list(correct), **columns}


def drawn(rng, rates, n=16):
    return counts(rng.binomial(n, rates).tolist(), n)


class TestDecision:
    """Verdicts against known truth; `experiments/decisions.py` has more situations and the rates."""

    @pytest.mark.slow
    def test_two_equal_checkpoints_are_not_told_apart(self):
        """The same pass rates, sampled twice, 40 times: the paired test starts from one of them in one of 20."""
        rng, verdicts = np.random.default_rng(0), []
        for _ in range(40):
            rates = rng.beta(0.6, 1.4, 150)
            verdicts.append(
                compare({"a": drawn(rng, rates), "b": drawn(rng, rates)}, budgets=(30, 300)).decision.verdict
            )
        assert np.mean(np.array(verdicts) == "start from") <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 40)
        assert set(verdicts) <= {"start from", "tie", "sample more"}

    def test_a_large_sample_of_equals_is_a_tie(self):
        rng = np.random.default_rng(0)
        rates = rng.beta(2, 2, 4000)
        found = compare({"a": drawn(rng, rates), "b": drawn(rng, rates)}, budgets=(300,)).decision
        assert found.verdict == "tie"
        assert str(found).startswith("A tie: no end point differs by as much as 0.02.")

    def test_a_solved_task_is_not_left_for_one_with_more_signal(self):
        """p = .97 has few informative groups, p = .3 many; after training the first is no lower."""
        rng = np.random.default_rng(0)
        found = compare({"solved": drawn(rng, np.full(200, 0.97)), "fresh": drawn(rng, np.full(200, 0.3))})
        assert found.best["informative"] == "fresh"
        assert found.decision.checkpoint != "fresh" or found.decision.verdict == "tie"

    def test_a_collapsed_checkpoint_is_settled(self):
        """Every prompt always or never solved: nothing moves, and 0.4 stays 0.4."""
        rng = np.random.default_rng(0)
        collapsed = counts([0] * 90 + [16] * 60, 16)
        found = compare({"collapsed": collapsed, "open": drawn(rng, rng.beta(1, 3, 150))}).decision
        assert (found.verdict, found.checkpoint) == ("start from", "open")
        assert found.probability > 0.999

    def test_what_wins_early_may_lose_late(self):
        """More pass@1 and half of the prompts out of reach, against little everywhere."""
        rng = np.random.default_rng(0)
        head = counts([0] * 300 + rng.binomial(16, 0.6, 300).tolist(), 16)
        broad = drawn(rng, np.full(600, 0.06))
        found = compare({"head": head, "broad": broad}, budgets=(2, 3000)).decision
        assert found.verdict == "depends on the budget"
        assert [("head" in x, "broad" in x) for x in found.reasons] == [(True, False), (False, True)]

    def test_sampling_more_says_how_much(self):
        rng = np.random.default_rng(0)
        found = compare({"a": drawn(rng, rng.beta(0.6, 1.4, 60)), "b": drawn(rng, rng.beta(0.6, 1.4, 60))}).decision
        assert found.verdict == "sample more"
        assert "The least difference that these samples detect is 0." in found.reasons[1]
        assert " prompts like these, " in found.reasons[1]

    @pytest.mark.slow
    def test_many_checkpoints_share_the_level(self):
        """Six equal ones, 20 times: none is started from more often than two would be."""
        rng, started = np.random.default_rng(0), 0
        for _ in range(20):
            rates = rng.beta(0.6, 1.4, 100)
            named = {str(i): drawn(rng, rates) for i in range(6)}
            started += compare(named, budgets=(100,)).decision.verdict == "start from"
        assert started <= 3


class TestPassAtK:
    @pytest.mark.slow
    def test_the_band_holds_for_all_k_at_once(self):
        """Equal checkpoints, 100 times: all of the band's intervals hold 0 in 95 of them, less chance."""
        rng, held = np.random.default_rng(0), []
        for _ in range(100):
            rates = rng.beta(0.6, 1.4, 100)
            found = compare({"a": drawn(rng, rates), "b": drawn(rng, rates)}, budgets=(1,))
            held.append(all(row[0].low <= 0 <= row[0].high for _, row in found.gains))
        assert np.mean(held) >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / 100)
        assert [k for k, _ in found.gains] == [1, 2, 4, 8, 16]

    def test_the_coverage_ratio_is_that_of_pass_at_the_most_samples(self):
        found = compare({"a": counts([1, 2, 3, 0] * 20), "b": counts([0, 2, 0, 0] * 20)})
        assert found.coverage[0].value == pytest.approx(1 / 3)
        assert found.coverage[0].low < 1 / 3 < found.coverage[0].high < 1


class TestCompare:
    SHALLOW, DEEP = counts([1, 2, 3, 4, 6, 8] * 15, 16), counts([0, 0, 0, 4, 14, 16] * 15, 16)

    def test_orders_that_differ_are_found_with_their_probability(self):
        found = compare({"shallow": self.SHALLOW, "deep": self.DEEP})
        assert (found.best["pass@1"], found.best["informative"]) == ("deep", "shallow")
        assert found.disagree[0][:2] == ("shallow", "deep")
        assert found.disagree[0][2] > 0.95
        assert found.findings[0].name == "early signals differ"

    def test_a_checkpoint_and_itself_have_no_order(self):
        """All differences are certain zeros: no order, so half of a chance."""
        assert compare({"a": self.DEEP, "b": self.DEEP}).disagree[0][2] == 0.5

    def test_any_name_is_a_name(self):
        """ "c" and "prompt" are columns of one data set and names of others: what they hold decides."""
        named = compare({"c": self.SHALLOW, "prompt": self.DEEP, "reward": self.DEEP})
        assert named.checkpoints == ("c", "prompt", "reward")
        matrices = compare({"c": [[0, 1, 1, 1]] * 30, "n": [[0, 0, 1, 1], [1, 1, 0, 1]] * 15}, 4)
        assert matrices.checkpoints == ("c", "n")

    def test_one_short_prompt_is_left_out_and_counted(self):
        short = {**self.DEEP, "n": [*self.DEEP["n"][:-1], 2], "c": [*self.DEEP["c"][:-1], 1]}
        found = compare({"shallow": self.SHALLOW, "short": short})
        assert found.prompts == 89
        assert found.findings[-1].text == "1 prompts with fewer than 8 samples are left out."

    def test_prompts_are_paired_by_id_and_those_that_miss_are_counted(self):
        part = {name: list(column)[10:] for name, column in self.DEEP.items()}
        found = compare({"shallow": self.SHALLOW, "part": part})
        assert found.prompts == 80
        assert found.findings[-1].text == "10 prompts that some checkpoint lacks, or has no counts of, are left out."
        alone = diagnose({name: list(column)[10:] for name, column in self.SHALLOW.items()})
        assert found.pass_at_1[0].value == alone.pass_at_1.value

    def test_one_file_may_hold_all_checkpoints(self):
        both = {name: [*self.SHALLOW[name], *self.DEEP[name]] for name in self.SHALLOW} | {
            "checkpoint": ["shallow"] * 90 + ["deep"] * 90
        }
        together, apart = compare(both).summary, compare({"shallow": self.SHALLOW, "deep": self.DEEP}).summary
        assert "checkpoint `checkpoint`" in together.pop("read_as")
        del apart["read_as"]
        assert together == apart

    def test_entropy_is_shown_with_its_limits(self):
        named = {name: read(x | {"entropy": [0.1] * 90}) for name, x in (("a", self.SHALLOW), ("b", self.DEEP))}
        found = compare(named)
        assert found.entropy == pytest.approx((0.1, 0.1))
        assert "for the record" in next(x for x in found.findings if x.name == "entropy").action

    def test_equal_counts_are_no_tie_and_nobody_is_ahead(self):
        """20 prompts without a correct sample: RL may reach all of them, or none."""
        found = compare({"a": counts([0] * 20), "b": counts([0] * 20)})
        assert (found.decision.verdict, found.decision.checkpoint) == ("sample more", "")
        assert found.decision.reasons[1].startswith("So few prompts of a and b have a correct sample")
        assert set(found.best.values()) == {""}
        assert "forecast at 3000: none is ahead." in str(found).replace("\n", " ")
        assert not [x for x in found.findings if x.name == "early signals differ"]

    def test_the_end_of_a_checkpoint_without_a_correct_sample_is_not_known(self):
        found = compare({"a": self.SHALLOW, "zero": counts([0] * 90, 16), "one": counts([0] * 89 + [1], 16)})
        text = str(found)
        assert re.search(r"^zero  +not known  not known  not known$", text, re.M)
        assert text.count("not known: none of its samples is correct") == 1
        ends = json.loads(json.dumps(found.summary, allow_nan=False))["forecast"]["300"]
        assert ends["zero"] is None
        assert ends["one"] > 0  # one sample is an estimate, if a poor one
        assert found.best["forecast at 300"] == max(("a", "one"), key=ends.get)

    def test_a_sentence_states_no_end_that_is_not_known(self):
        named = {"a": self.SHALLOW, "zero": counts([0] * 90, 16), "none": counts([0] * 90, 16)}
        one, both = (
            compare({name: named[name] for name in pair}).decision.reasons[0]
            for pair in (("a", "zero"), ("zero", "none"))
        )
        assert re.search(
            r"a ends at 0\.\d{3} in the forecast, and the end of zero is not known: the difference lies", one
        )
        assert "the ends of zero and none are not known: the difference lies in [-1.000, +1.000]." in both
        assert "ends at" not in both

    @pytest.mark.parametrize("given", [np.array([1.0, 10.0]), [1, 10], (x for x in (1, 10))], ids=type)
    def test_budgets_are_any_numbers_in_a_row(self, given):
        found = compare({"shallow": self.SHALLOW, "deep": self.DEEP}, budgets=given)
        assert found.summary == compare({"shallow": self.SHALLOW, "deep": self.DEEP}, budgets=(1.0, 10.0)).summary

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (10, r"a list of numbers, got 10\. Give one as \[30\]\.$"),
            (np.array(10.0), r"a list of numbers, got array\(10\.\)\. Give"),
            ([[1, 10]], r"a list of numbers, got an array of shape \(1, 2\)\.$"),
            ([], "at least one, got none"),
            ([1, np.inf], r"finite, got inf\. Give a large number\.$"),
            ([-1], r"lie in \[0, .*\], got -1 at index 0\.$"),
            (["a"], r"a number or an array of numbers, got \['a'\]\.$"),
        ],
    )
    def test_other_budgets_are_refused(self, given, message):
        with pytest.raises(ValueError, match=f"^budgets must (be )?{message}"):
            compare({"shallow": self.SHALLOW, "deep": self.DEEP}, budgets=given)

    def test_a_default_that_was_not_asked_for_is_called_one(self):
        few = dict.fromkeys("ab", counts([1, 2] * 20, 4))
        with pytest.raises(
            ValueError, match=r"^group_size must be at most 4, .*, got the default 8\. Compare at 4, or"
        ):
            compare(few)
        with pytest.raises(ValueError, match=r"got 8\. Compare at 4, or"):
            compare(few, 8)
        with pytest.raises(ValueError, match=r"at most 1, .*, got 2\. Sample more\.$"):  # no group is of 1
            compare(dict.fromkeys("ab", counts([0, 1] * 20, 1)), 2)
        assert compare(few, 4).group_size == 4

    def test_nothing_may_end_anywhere(self):
        found = compare({"none": counts([0] * 20), "all": counts([8] * 20)})
        assert (found.decision.verdict, found.decision.checkpoint) == ("sample more", "all")
        assert found.gains[0][1][0].low < 0.7
        assert not [x for x in found.findings if x.name == "early signals differ"]  # no group is informative in either

    @pytest.mark.slow
    @pytest.mark.parametrize(("rate", "prompts"), [(0.005, 20), (0.0005, 200)])
    def test_rare_successes_decide_nothing_between_equal_checkpoints(self, rate, prompts):
        """Slopes called one of two equals the better in 17 to 49 of 100."""
        rng = np.random.default_rng(0)
        verdicts = [
            compare({name: drawn(rng, np.full(prompts, rate), 8) for name in "ab"}).decision.verdict for _ in range(12)
        ]
        assert verdicts == ["sample more"] * 12

    def test_what_is_equal_but_for_rounding_has_no_best(self):
        correct = [3, 4, 5] * 30
        found = compare({"a": counts(correct, 64), "b": counts([64 - c for c in correct], 64)})
        assert found.best["informative"] == ""
        assert found.disagree[0][2] == pytest.approx(0.5)

    def test_prints_and_has_a_summary(self):
        found = compare({"shallow": self.SHALLOW, "deep": self.DEEP})
        assert "best by pass@1: deep; by informative, pass@8" in str(found)
        assert json.loads(json.dumps(found.summary, allow_nan=False))["best"]["informative"] == "shallow"

    @pytest.mark.parametrize(
        ("checkpoints", "g", "message"),
        [
            ({"a": counts([1, 2])}, 8, r"^checkpoints must be at least two, got a\. Give another"),
            (counts([1, 2]), 8, r"^checkpoints must be at least two, got one evaluation\. Give another"),
            (
                {"a": counts([1, 2]), "b": counts([1, 2]) | {"prompt": ["x", "y"]}},
                8,
                r"^checkpoints must share at least two",
            ),
            (
                {"a": counts([1, 2]), "b": counts([1, 2])},
                16,
                r"^group_size must be at most 8, the samples that half of the shared prompts",
            ),
            ({"a": counts([1, 2]), "b": counts([1, 2]) | {"step": [0, 1], "prompt": [0, 0]}}, 8, "each prompt once"),
        ],
        ids=["one", "no column", "apart", "few samples", "repeated"],
    )
    def test_what_cannot_be_compared_is_refused(self, checkpoints, g, message):
        with pytest.raises(ValueError, match=message):
            compare(checkpoints, g)


def test_a_plan_never_asks_for_one_sample_of_a_prompt():
    """Least noise at its cost is no use where a forecast needs to know how prompts differ."""
    rng = np.random.default_rng(0)
    found = compare({name: counts(rng.binomial(16, rng.beta(0.5, 1.0, 60)), 16) for name in "ab"})
    assert found.decision.verdict == "sample more"
    assert "prompts like these, and more samples of each add little." in found.decision.reasons[1]


SMALL = {
    "one prompt of two": [[1, 2], [3, 2]],
    "never and always": [[8] * 3, [0] * 3],
    "neither": [[0] * 30, [0] * 30],
    "one success": [[0] * 30, [0] * 29 + [1]],
    "always": [[8] * 30, [8] * 30],
    "swapped": [[0, 8] * 15, [8, 0] * 15],
}


class TestSmallInputs:
    @pytest.mark.parametrize("name", SMALL)
    def test_what_is_printed_agrees_with_itself(self, name):
        decision = compare({str(i): counts(x) for i, x in enumerate(SMALL[name])}).decision
        assert decision.verdict == "sample more"
        low, high = (float(x) for x in re.search(r"\[([+-][\d.]+), ([+-][\d.]+)\]", decision.reasons[0]).groups())
        assert -1 <= low <= 0 <= high <= 1
        assert 0.5 <= decision.probability < 0.99  # no surer than an interval that holds 0

    def test_a_guess_from_few_prompts_is_called_one(self):
        few, more = (compare({"a": counts([1, 2] * k), "b": counts([3, 2] * k)}) for k in (1, 8))
        assert few.decision.reasons[-1].endswith("no more than a guess: 2 prompts hardly show how prompts differ.")
        assert not any("guess" in reason for reason in more.decision.reasons)

    def test_the_rival_that_is_open_for_another_reason_does_not_count_prompts(self):
        near = [drawn(rng := np.random.default_rng(seed), rng.beta(0.93, 1.4, 60), 8) for seed in (1, 2)]
        reasons = compare({"a": near[0], "b": near[1], "c": counts([0] * 60)}).decision.reasons
        assert reasons[1].startswith("So few prompts of c have a correct sample")
        least = float(re.search(r"samples detect is ([\d.]+);", reasons[2])[1])
        assert least < 0.5

    def test_budgets_that_agree_are_one_line_in_their_order(self):
        head = {"a": counts([2] * 60, 16), "b": counts([0] * 30 + [14] * 30, 16)}
        reasons = compare(head, budgets=(1e5, 1.0, 1e3)).decision.reasons
        assert [x.split(" (")[0] for x in reasons] == ["After 1", "After 1000 to 100000"]
        assert "b ends highest" in reasons[0]
        assert "a ends highest" in reasons[1]


def test_notes_on_the_data_are_said_once_with_the_checkpoints_that_they_concern():
    whole = [{"prompt": i, "pass_rate": (i % 9) / 8} for i in range(40)]
    marked = [{**row, "pass_rate": -1} if i == 5 else row for i, row in enumerate(whole)]
    found = compare({"a": whole, "b": marked})
    both, one = found.notes
    assert both == "The number of samples is not stated; 8 is the smallest that makes every share a whole count."
    assert one == "b: 1 row has no counts and is left out (first: record 5 of the data)."
    assert found.summary["notes"] == [both, one]
    assert str(found).count("Notes on the data:") == 1
    assert found.findings[-1].text == "1 prompt that some checkpoint lacks, or has no counts of, is left out."
