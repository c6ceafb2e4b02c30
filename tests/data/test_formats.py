"""What rows look like in the wild, and what they count: recognised by columns, counted, refused or noted."""

import math
from decimal import Decimal

import numpy as np
import pytest

from rlsignal.data.cells import TOTALS, decimals, number
from rlsignal.data.names import SYNONYMS
from rlsignal.data.read import read
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.data.shares import smallest_count


def rows(**columns):
    return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def counts(result):
    return dict(zip(result.prompt, zip(result.correct.tolist(), result.samples.tolist(), strict=True), strict=True))


def kinds(result):
    return {note.kind: note.count for note in result.notes}


class TestOneRowPerRollout:
    @pytest.mark.parametrize(
        ("prompt", "reward"),
        [
            ("prompt", "reward"),
            ("task_id", "passed"),
            ("question", "score"),
            ("Problem ID", "Is Correct"),
            ("doc_id", "exact_match"),
            ("_ng_task_index", "reward"),
        ],
    )
    def test_by_any_name(self, prompt, reward):
        assert counts(read(rows(**{prompt: "aabbb", reward: [1, 0, 1, 1, 0]}))) == {"a": (1, 2), "b": (2, 3)}

    @pytest.mark.parametrize(
        "spelling", [(1, 0), (1.0, 0.0), (True, False), ("1", "0"), ("True", "false"), ("1.0", " 0")]
    )
    def test_in_any_spelling_of_a_reward(self, spelling):
        right, wrong = spelling
        assert counts(read(rows(prompt="aaa", reward=[right, wrong, right]))) == {"a": (2, 3)}

    def test_named_columns_come_first(self):
        data = rows(prompt="xxxx", other="aabb", reward=[0, 0, 0, 0], mine=[1, 0, 1, 1])
        assert counts(read(data, prompt="other", reward="mine")) == {"a": (1, 2), "b": (2, 2)}

    def test_an_unknown_name_is_refused_with_the_columns_there_are(self):
        with pytest.raises(ValueError, match=r"^prompt='q' is no column of the data; it has prompt, reward\.$"):
            read(rows(prompt="a", reward=[1]), prompt="q")

    def test_each_step_is_a_group_of_its_own(self):
        result = read(rows(step=[1, 1, 2, 2], input="aaaa", score=[1, 0, 1, 1]))
        assert result.prompts == 1
        np.testing.assert_array_equal(result.step, [1, 2])
        np.testing.assert_array_equal(result.correct, [1, 2])
        assert result.at(step=2).correct.tolist() == [2]

    def test_checkpoints_are_not_mixed(self):
        result = read(rows(model=["base", "rl"] * 2, prompt="aaaa", reward=[0, 1, 0, 1]))
        assert result.checkpoints == ("base", "rl")
        assert result.at(checkpoint="rl").correct.tolist() == [2]
        with pytest.raises(ValueError, match=r"^checkpoint must be one of \['base', 'rl'\], got 'sft'\.$"):
            result.at(checkpoint="sft")

    def test_a_group_id_goes_before_the_prompt(self):
        assert read(rows(uid="xxyy", prompt="aaaa", reward=[1, 0, 1, 1])).samples.tolist() == [2, 2]

    def test_an_id_that_differs_in_every_row_is_no_group(self):
        result = read(rows(uid="stuv", prompt="aabb", reward=[1, 0, 1, 1]))
        assert counts(result) == {"a": (1, 2), "b": (2, 2)}
        assert "group" in kinds(result)

    def test_group_numbers_that_start_anew_for_other_prompts_stay_apart(self):
        assert len(read(rows(group=[0, 0, 0, 0], prompt="aabb", reward=[1, 0, 1, 1])).correct) == 2

    def test_chat_messages_are_prompts(self):
        chat = [[{"role": "user", "content": text}] for text in "aab"]
        assert read(rows(prompt=chat, reward=[1, 0, 1])).samples.tolist() == [2, 1]

    def test_prompt_ids_of_two_datasets_stay_apart(self):
        assert read(rows(data_source="xxyy", task_id=[0] * 4, reward=[1, 0, 1, 1])).correct.tolist() == [1, 2]

    def test_a_prompt_of_two_files_is_one(self, tmp_path):
        for name in "ab":
            (tmp_path / f"{name}.csv").write_text("prompt,reward\nx,1\nx,0\n")
        result = read(tmp_path)
        assert counts(result) == {"x": (2, 4)}
        assert kinds(result)["files"] == 2

    def test_entropy_is_kept(self):
        result = read(rows(prompt="aab", reward=[1, 0, 1], entropy=[0.2, 0.4, None]))
        np.testing.assert_allclose(result.entropy, [0.3, math.nan])

    def test_a_threshold_makes_rewards_binary(self):
        assert counts(read(rows(prompt="aaa", reward=[-1.0, 1.0, 0.4]), threshold=0)) == {"a": (2, 3)}

    def test_a_lone_binary_column_beside_a_completion_is_the_reward(self):
        """As in TRL's completions, where a column has the name of its reward function."""
        result = read(rows(step="11", prompt="aa", completion="xy", math_reward=[1.0, 0.0], advantage=[0.7, -0.7]))
        assert result.correct.tolist() == [1]
        assert "reward `math_reward`" in result.read_as

    def test_of_two_binary_columns_one_must_be_named(self):
        data = rows(
            step="11", prompt="aa", completion="xy", accuracy=[1.0, 0.0], layout=[0.0, 1.0], advantage=[0.7, -0.7]
        )
        with pytest.raises(ValueError, match=r"Name one: reward='accuracy' or reward='layout'\.$"):
            read(data)
        assert read(data, reward="accuracy").correct.tolist() == [1]


class TestGroupsWithoutAKey:
    def test_are_refused_and_the_options_named(self):
        with pytest.raises(
            ValueError, match=r"does not say which rollouts share a prompt.*prompt= or group=.*group_size="
        ):
            read(rows(reward=[1, 0, 1, 1]))

    def test_are_consecutive_rows_when_the_size_is_given(self):
        assert read(rows(reward=[1, 0, 1, 1]), group_size=2).correct.tolist() == [1, 2]

    def test_never_run_over_a_step(self):
        assert read(rows(reward=[1, 0, 1, 1], step=[1, 2, 1, 2]), group_size=2).correct.tolist() == [2, 1]

    def test_members_without_a_reward_still_count_as_members(self):
        data = [{"reward": 1}, {"other": 0}, {"reward": 0}, {"reward": 1}]
        assert read(data, group_size=2).samples.tolist() == [1, 2]

    def test_must_divide(self):
        with pytest.raises(ValueError, match=r"^5 rows do not divide into groups of 2 in the data\. Give "):
            read(rows(reward=[1, 0, 1, 1, 0]), group_size=2)


class TestDefects:
    def test_a_graded_reward_is_refused_with_its_place_and_the_binary_column(self):
        data = rows(prompt="aabb", reward=[1, 0, 0.37, 1], solved=[True, False, False, True])
        with pytest.raises(
            ValueError,
            match=r"^reward must be 0 or 1, got 0\.37 in record 2 of the data\. .* reward='solved' may be; give "
            r"threshold=, above which a reward counts as correct, such as threshold=0\.5; or rate='reward' if ",
        ):
            read(data)

    def test_missing_rewards_are_left_out_and_counted(self):
        result = read(rows(prompt="aaab", reward=[1, None, 0, math.nan]))
        assert counts(result) == {"a": (1, 2)}
        assert (kinds(result)["missing"], kinds(result)["nan"], kinds(result)["no samples"]) == (1, 1, 1)

    @pytest.mark.parametrize(
        ("rewards", "incorrect", "missing"), [([1, -1, 0], (1, 3), (1, 2)), ([1, -1], (1, 2), (1, 1))]
    )
    def test_minus_one_is_asked_about(self, rewards, incorrect, missing):
        data = rows(prompt="a" * len(rewards), reward=rewards)
        with pytest.raises(
            ValueError, match=r"^reward is -1 in record 1 of the data: it may .* threshold=0 if .* missing=-1 if it is"
        ):
            read(data)
        assert counts(read(data, threshold=0)) == {"a": incorrect}
        left = read(data, missing=-1)
        assert counts(left) == {"a": missing}
        assert kinds(left)["left out as asked"] == 1

    def test_nearly_1_is_1_and_said(self):
        result = read(rows(prompt="aa", reward=[0.99999999, 0]))
        assert counts(result) == {"a": (1, 2)}
        assert kinds(result)["rounded"] == 1

    def test_unequal_and_scattered_groups_are_said(self):
        result = read(rows(prompt="abab a".replace(" ", ""), reward=[1, 0, 1, 1, 0]), group_size=4)
        assert kinds(result).keys() == {"scattered", "unequal", "n < g"}
        assert "first: prompt 'b'" in str(result)

    def test_steps_that_go_back_are_said(self):
        result = read(rows(step=[1, 2, 1], prompt="aab", reward=[1, 0, 1]))
        assert kinds(result)["steps back"] == 1

    def test_other_numbers_are_not_taken_for_rewards(self):
        """A lone flag of 0 and 1 beside a graded reward of unknown name."""
        data = rows(step="11", prompt="aa", completion="xy", mine=[0.3, 0.7], cut=[0, 1], advantage=[0.7, -0.7])
        with pytest.raises(ValueError, match=r"^the data has 2 reward functions, mine, cut\. Name one: reward='cut'"):
            read(data)

    def test_one_sample_a_prompt_is_said(self):
        assert kinds(read(rows(prompt="abc", reward=[1, 0, 1])))["single"] == 3

    @pytest.mark.parametrize("prompt", [None, "", math.nan])
    def test_a_row_without_a_prompt_is_refused(self, prompt):
        with pytest.raises(ValueError, match=r"^prompt is missing in record 1 of the data\. Take the row out, or name"):
            read(rows(prompt=["a", prompt], reward=[1, 0]))

    def test_words_are_no_rewards(self):
        with pytest.raises(ValueError, match=r"^reward must be a number, got 'maybe' in record 1 of the data\.$"):
            read(rows(prompt="aa", reward=[1, "maybe"]))

    def test_rows_that_are_no_rows(self):
        with pytest.raises(
            ValueError, match=r"^a row must be an object with columns, got 7 in record 1 of the data\.$"
        ):
            read([{"prompt": "a", "reward": 1}, 7])

    @pytest.mark.parametrize("nothing", [[], {}, [1, 2], [{"a": 1}], {"a": {"b": "c"}}, [[]]])
    def test_nothing_is_no_evaluation(self, nothing):
        with pytest.raises(ValueError, match=r"no rows|no rollout|must be an object"):
            read(nothing)


class TestCounts:
    @pytest.mark.parametrize(
        "names", [("prompt", "n", "c"), ("task_id", "total", "correct"), ("id", "samples", "passes")]
    )
    def test_by_any_name(self, names):
        result = read([dict(zip(names, row, strict=True)) for row in [("a", 8, 3), ("b", 4, 4)]])
        assert list(zip(result.correct, result.samples, strict=True)) == [(3, 8), (4, 4)]

    def test_shares_of_a_stated_number(self):
        assert counts(read(rows(prompt="ab", n=[8, 6], pass_rate=[0.375, 0.333333]))) == {"a": (3, 8), "b": (2, 6)}

    def test_shares_that_are_no_whole_count(self):
        with pytest.raises(ValueError, match=r"^pass_rate must be a whole number of 8 samples, got 0\.3 in record 0"):
            read(rows(prompt="a", n=[8], pass_rate=[0.3]))

    def test_shares_that_were_rounded_to_several_counts(self):
        with pytest.raises(
            ValueError,
            match=r"^pass_rate must have more than 2 digits, for 1000 samples have several counts that round to 0\.33",
        ):
            read(rows(prompt="ab", n=[1000, 1000], pass_rate=[0.33, 0.5]))

    @pytest.mark.parametrize("n", [100, 120, 125, 128, 200, 1000, 4096])
    def test_exact_shares_of_any_number(self, n):
        """Few digits are enough where another share of the column has more, or where no count of n has more."""
        correct = [*range(0, n + 1, n // 20), 1, n - 1]
        shares = [c / n for c in correct]
        for given in (shares, [float(f"{x:.6g}") for x in shares]):
            table = [{"prompt": str(i), "n": n, "pass_rate": x} for i, x in enumerate(given)]
            assert read(table).correct.tolist() == correct
            assert read([{**row, "n": None} for row in table], samples=n).correct.tolist() == correct

    @pytest.mark.parametrize("n", [8, 16, 32])
    def test_percent_are_read_as_they_are_written(self, n):
        """43.8% is 0.438, which is 7 of 16."""
        shares = [f"{100 * c / n:.1f}%" for c in range(n + 1)]
        result = read([{"prompt": str(i), "accuracy": x} for i, x in enumerate(shares)], rate="accuracy", samples=n)
        assert result.correct.tolist() == list(range(n + 1))

    def test_percent_without_a_sign_are_asked_about_and_the_way_out_works(self):
        rows = [{"prompt": str(i), "accuracy": 100 * (i % 17) / 16} for i in range(34)]
        with pytest.raises(
            ValueError, match=r"write a % sign and give rate='accuracy' if each is a prompt's percentage"
        ):
            read(rows)
        marked = [{**row, "accuracy": f"{row['accuracy']}%"} for row in rows]
        assert read(marked, rate="accuracy").samples.tolist() == [16] * 34

    def test_checkpoints_of_one_file_have_samples_of_their_own(self):
        """Where their shares show it; a few shares that would do for fewer samples are a coincidence."""
        table = [
            {"checkpoint": f"of {n}", "prompt": str(i), "pass_rate": (i % (n + 1)) / n}
            for n in (8, 16, 32)
            for i in range(2 * n)
        ]
        few = [{"checkpoint": "few", "prompt": str(i), "pass_rate": x} for i, x in enumerate((0, 0.25, 0.5, 1))]
        result = read(table + few)
        for name, n in (("of 8", 8), ("of 16", 16), ("of 32", 32), ("few", 32)):
            assert set(result.at(checkpoint=name).samples.tolist()) == {n}
        assert "a whole count are 8 of 'of 8', 16 of 'of 16', 32 of 'of 32', 32 of 'few'." in result.notes[0].text

    def test_a_prompt_counted_twice_is_refused(self):
        with pytest.raises(
            ValueError, match=r"^prompt 'a' has counts twice, in record 0 .* and in record 1 .*checkpoint="
        ):
            read(rows(prompt="aa", n=[8, 8], c=[1, 2]))

    @pytest.mark.parametrize(("c", "n"), [(9, 8), (-2, 8), (1.5, 8), (1, 2.5)])
    def test_counts_that_cannot_be(self, c, n):
        with pytest.raises(ValueError, match=r"in record 0 of the data\.$"):
            read(rows(prompt="a", n=[n], c=[c]))

    def test_a_number_of_samples_that_is_not_stated_is_inferred_and_said(self):
        result = read(rows(prompt="abc", pass_rate=[0.125, 0.5, 1]))
        assert counts(result) == {"a": (1, 8), "b": (4, 8), "c": (8, 8)}
        assert "8 is the smallest that makes every share a whole count" in str(result)

    @pytest.mark.parametrize(
        ("shares", "n"),
        [
            ([0.5, 0.25], 4),
            ([1 / 3, 0.5], 6),
            ([float(np.float32(0.1)), 0.7], 10),
            ([0.1, 0.2, 0.5], 10),
            ([k / 50 for k in range(51)], 50),
            ([0.33, 0.67], None),  # thirds, rounded, or hundredths
            ([0.1834567, 0.7123421], None),
        ],
    )
    def test_inference(self, shares, n):
        assert smallest_count(np.array(shares)) == n

    @pytest.mark.parametrize(
        ("value", "said"),
        [
            (0.5, 1),
            (0.25, 2),
            (0.0, 0),
            (1.0, 0),
            (0.00015, 5),
            (5e-05, 5),
            (1.5625e-05, 9),
            (1e16, -16),
            (math.nan, 0),
        ],
    )
    def test_decimals_are_those_that_are_written(self, value, said):
        assert decimals(value) == said
        assert said < 0 or math.isnan(value) or float(f"{value:.{said}f}") == value

    def test_every_kind_of_number_is_a_number_or_none(self):
        for text in ("sNaN", "NaN", "Infinity", "1e400"):
            assert number(Decimal(text)) is None
        assert number(Decimal("0.5")) == 0.5

    def test_what_cannot_be_inferred_is_refused(self):
        with pytest.raises(
            ValueError, match=r"They fit 3 if they are rounded and 100 if they are exact: give samples=3 or s"
        ):
            read(rows(prompt="ab", pass_rate=[0.33, 0.67]))
        assert counts(read(rows(prompt="ab", pass_rate=[0.33, 0.67]), samples=3)) == {"a": (1, 3), "b": (2, 3)}


class TestTotals:
    """Last rows that sum up the others, and columns that use the same words for something else."""

    @pytest.mark.parametrize("word", sorted(TOTALS))
    @pytest.mark.parametrize("spelled", ["{}", "{}:", " {} "])
    def test_a_last_row_is_left_out_of_counts_and_of_logs(self, tmp_path, word, spelled):
        total = spelled.format(word.upper())
        for header, lines in (("id,n,c", ["a,8,3", "b,8,0", "c,8,8"]), ("step,reward,loss", ["1,0.5,0", "2,0.25,0"])):
            path = tmp_path / "x.csv"
            path.write_text("\n".join([header, *lines, f"{total},0.5,0"]) + "\n")
            result = read(path)
            assert kinds(result)["total"] == 1
            assert len(result.samples) == len(lines)

    @pytest.mark.parametrize("word", [*sorted(TOTALS), "train"])
    @pytest.mark.parametrize("column", ["split", "prediction", "note"])
    def test_a_column_that_always_says_so_changes_nothing(self, tmp_path, word, column):
        rows = "".join(f"t{i},q{i % 4},{int(i // 4 < i % 4)},{word}\n" for i in range(16))
        path = tmp_path / "x.csv"
        path.write_text(f"task_id,question,reward,{column}\n{rows}")
        assert sorted(counts(read(path)).values()) == [(0, 4), (1, 4), (2, 4), (3, 4)]

    def test_a_prompt_may_be_called_so(self, tmp_path):
        path = tmp_path / "x.csv"
        path.write_text("prompt,reward\nsum,1\nmean,0\nlen,1\nsum,0\nmean,0\nlen,1\nlen,1\nmean,1\nsum,1\n")
        assert counts(read(path)) == {"sum": (2, 3), "mean": (1, 3), "len": (3, 3)}


class TestNesting:
    @pytest.mark.parametrize(
        "name", sorted({x.replace("*", part) for x in SYNONYMS["rate"] for part in ("8", "mine_64")})
    )
    def test_shares_are_read_inside_a_report_as_they_are_without(self, name):
        data = [{"id": i, name: share} for i, share in enumerate((0.25, 0.5, 0.125, 1.0))]
        bare, inside = read(data), read({"meta": {"date": 1}, name: 0.47, "rows": data})
        assert counts(inside) == counts(bare) == {0: (2, 8), 1: (4, 8), 2: (1, 8), 3: (8, 8)}

    @pytest.mark.parametrize("name", ["pass_rate", "solve_rate_64", "avg@8"])
    def test_a_share_beside_rows_is_their_average(self, name):
        inner = [{"prompt": "a", "reward": 1}, {"prompt": "a", "reward": 0}]
        assert counts(read({"runs": [{"id": "r1", name: 0.5, "rows": inner}]})) == {"a": (1, 2)}

    def test_of_several_shares_one_is_named_unless_counts_are_there(self):
        data = rows(id=range(4), **{"pass@1": [0.25, 0.5, 0, 1], "avg@8": [0.5, 0.5, 0, 1]})
        with pytest.raises(ValueError, match=r"several shares .* rate='pass@1' or rate='avg@8'\.$"):
            read(data)
        assert counts(read(data, rate="avg@8"))[0] == (4, 8)
        assert counts(read([{**row, "n": 8, "c": 3} for row in data]))[0] == (3, 8)

    def test_lists_of_booleans(self):
        assert counts(read({"a": [True, False], "b": [True, True]})) == {"a": (1, 2), "b": (2, 2)}
        assert counts(read({"made": {"a": [1, 0], "b": [1, 1]}, "pass@1": 75.0})) == {"a": (1, 2), "b": (2, 2)}
        assert counts(read([{"prompt": "a", "graded_list": [True, False]}])) == {"a": (1, 2)}
        assert read([[1, 0, 1], [0, 0, 0]]).correct.tolist() == [2, 0]

    def test_lists_of_shares_are_visits(self):
        result = read({"a": [0.5, 1.0], "b": [0.25, 0.0]})
        assert result.checkpoints == (1, 2)
        assert counts(result.at(checkpoint=2)) == {"a": (4, 4), "b": (0, 4)}

    def test_rows_inside_a_report(self):
        report = {"accuracy": 0.5, "results": [{"question": "a", "tries": [{"score": 1}, {"score": 0}]}]}
        assert counts(read(report)) == {"a": (1, 2)}

    def test_parts_of_a_rollout_are_no_rollouts(self):
        data = [{"prompt": "a", "reward": x, "turns": [{"score": 0}, {"score": 0}]} for x in (1, 0, 1)]
        assert counts(read(data)) == {"a": (2, 3)}

    def test_columns_by_name(self):
        assert counts(read({"prompt": ["a", "a", "b"], "reward": [1, 0, 1]})) == {"a": (1, 2), "b": (1, 1)}


class TestTrainingLogs:
    LOG = {"loss": [0.1] * 4, "entropy": [1.0, 0.9, -1.0, 0.7]}  # noqa: RUF012

    def test_is_known_by_its_columns(self):
        log = read(rows(step=[1, 2, 3, 4], reward=[0, 0.125, 0.25, 0.5], **self.LOG))
        assert isinstance(log, TrainingLog)
        assert log.correct.tolist() == [0, 1, 2, 4]
        assert set(log.samples) == {8}
        np.testing.assert_array_equal(log.entropy, [1.0, 0.9, math.nan, 0.7])
        assert kinds(log)["marked missing"] == 1

    def test_restarts_supersede_what_they_repeat(self):
        log = read(rows(step=[1, 2, 1, 2], reward=[0, 0.5, 0.5, 1], **self.LOG))
        assert len(log.step) == 4
        assert log.latest.reward.tolist() == [0.5, 1]
        assert kinds(log)["restart"] == 1
        assert kinds(log)["superseded"] == 2

    def test_a_resumed_run_keeps_its_beginning(self):
        log = read(rows(step=[1, 2, 3, 3], reward=[0, 0.5, 0.5, 1], **self.LOG))
        assert log.latest.step.tolist() == [1, 2, 3]
        assert log.latest.reward.tolist() == [0, 0.5, 1]
        assert kinds(log)["duplicate"] == 1

    def test_a_mean_outside_of_0_and_1_is_refused_and_the_other_column_offered(self):
        data = rows(
            step=[1, 2, 3, 4], reward=[0.9, 1.2, 1, 1], accuracy=[0, 0.5, 0.5, 1], reward_std=[1] * 4, **self.LOG
        )
        with pytest.raises(
            ValueError, match=r"^reward must be in \[0, 1\], got 1\.2 in record 1 .*reward='accuracy' may be"
        ):
            read(data)
        log = read(data, reward="accuracy")
        assert log.reward.tolist() == [0, 0.5, 0.5, 1]
        assert np.isnan(log.reward_std).all()
        assert kinds(log)["other reward"] == 1

    def test_a_threshold_is_for_single_rewards(self):
        with pytest.raises(ValueError, match=r"^threshold must have something to act on, got 0\.5 for training log"):
            read(rows(step=[1, 2, 3, 4], reward=[0.5] * 4, **self.LOG), threshold=0.5)

    @pytest.mark.parametrize("mean", [0.015, 0.00015, 9e-05, 5e-05, 5e-06])
    def test_a_mean_that_is_no_whole_count_is_said_however_it_is_written(self, mean):
        log = read(rows(step=[1, 2, 3, 4], reward=[mean] * 4, samples=[64] * 4, **self.LOG))
        assert kinds(log)["not whole"] == 4
        assert log.samples.tolist() == [0] * 4

    def test_a_mean_that_is_a_small_whole_count_is_one(self):
        log = read(
            rows(step=[1, 2, 3, 4], reward=[1 / 40_000, 0, 1, 6.1e-05], samples=[40_000] * 3 + [16384], **self.LOG)
        )
        assert log.correct.tolist() == [1, 0, 40_000, 1]

    def test_rows_without_a_mean_are_said(self):
        log = read(rows(step=[1, 1, 2, 2], reward=[0.5, None, 0.5, None], **self.LOG))
        assert len(log.step) == 2
        assert kinds(log)["no reward"] == 2

    @pytest.mark.parametrize("of", ["groups", "batch"])
    def test_whose_spread_is_logged_is_told_by_its_size(self, of):
        """The mean of the groups' s.d., or the s.d. of the batch, by the same name in two versions of one trainer."""
        rewards = (np.random.default_rng(0).random((30, 16, 8)) < np.linspace(0.02, 0.9, 16)[:, None]).astype(float)
        batch = rewards.reshape(30, -1).std(1, ddof=1)
        std = batch if of == "batch" else rewards.std(2, ddof=1).mean(1)
        log = read(rows(step=range(30), reward=rewards.mean((1, 2)), reward_std=std, loss=[0] * 30))
        assert log.reward_std_of == of

    def test_a_group_size_that_is_logged_is_known(self):
        log = read(rows(step=[1, 2, 3, 4], reward=[0.5] * 4, num_generations=[8] * 4, **self.LOG))
        assert log.group_size == 8
        assert read(rows(step=[1, 2, 3, 4], reward=[0.5] * 4, **self.LOG), group_size=4).group_size == 4


class TestArraysAndFrames:
    def test_an_array_is_prompts_by_samples(self):
        result = read(np.array([[1, 0, 1], [0, 0, 0]]))
        assert isinstance(result, Rollouts)
        assert result.correct.tolist() == [2, 0]

    def test_columns(self):
        data = {"prompt": np.array(["a", "a", "b"]), "reward": np.array([1.0, 0, 1])}
        assert counts(read(data)) == {"a": (1, 2), "b": (1, 1)}

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_frames(self, library):
        frame = pytest.importorskip(library, reason="the test extra installs it").DataFrame(
            {"prompt": ["a", "a", "b"], "reward": [1, None, 1]}
        )
        assert counts(read(frame)) == {"a": (1, 1), "b": (1, 1)}

    def test_frames_with_a_name_twice(self):
        frame = pytest.importorskip("pandas", reason="the test extra installs it").DataFrame(
            [[1, 0, 1]], columns=["prompt", "reward", "reward"]
        )
        with pytest.raises(ValueError, match=r"^columns of the data must have different names"):
            read(frame)

    @pytest.mark.parametrize("bad", [np.zeros(3), np.array([["a"]]), np.array([[None]]), 7])
    def test_other_things_are_refused(self, bad):
        with pytest.raises(
            ValueError, match=r"^(an array must be rewards of 0 and 1 \[prompts, samples\]|source must be)"
        ):
            read(bad)

    def test_columns_of_one_length(self):
        with pytest.raises(ValueError, match=r"^columns of the data must have one length"):
            read({"prompt": np.arange(3), "reward": np.zeros(2)})
