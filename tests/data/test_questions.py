"""Where a choice would change the counts, reading asks; each answer that an error offers is tried to the letter here.

The population is 13 prompts with 8 samples each; `CORRECT` says how many of each are correct.
"""

import ast
import csv
import io
import json
import re
import shlex

import numpy as np
import pytest

import rlsignal
from rlsignal.__main__ import main
from rlsignal.data.read import read

CORRECT = [0, 0, 0, 1, 2, 3, 3, 5, 6, 7, 8, 8, 0]
N = 8
PROMPTS = range(len(CORRECT))
WHOLE = sorted(zip(CORRECT, [N] * len(CORRECT), strict=True))
OFFERED = re.compile(r"\b([a-z_]+)=('[^']*'|-?[\d.]*\d)")


def verdict(prompt, sample):
    return (sample + 3 * prompt) % N < CORRECT[prompt]


def each(row):
    return [row(i, k) for i in PROMPTS for k in range(N)]


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def as_csv(rows, delimiter=","):
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def pairs(data):
    return sorted(zip(data.correct.tolist(), data.samples.tolist(), strict=True))


QUESTIONS = {
    "minus one": (
        lambda: each(lambda i, k: {"prompt": i, "reward": int(verdict(i, k)) or -1}),
        {("threshold", 0): WHOLE, ("missing", -1): sorted((c, c) for c in CORRECT if c)},
    ),
    "two values": (
        lambda: each(lambda i, k: {"prompt": i, "reward": 10.0 * verdict(i, k)}),
        {("threshold", 5): WHOLE},
    ),
    "graded beside binary": (
        lambda: each(
            lambda i, k: {"prompt": i, "reward": 0.8 * verdict(i, k) + 0.1 * (k % 3) / 2, "solved": verdict(i, k)}
        ),
        {("reward", "solved"): WHOLE, ("threshold", 0.5): WHOLE, ("rate", "reward"): None},
    ),
    "verdicts that differ": (
        lambda: each(lambda i, k: {"prompt": i, "score": int(verdict(i, k)), "correct": 1}),
        {("reward", "score"): WHOLE, ("reward", "correct"): [(N, N)] * len(CORRECT)},
    ),
    "a repeat that stands several times": (
        lambda: each(lambda i, k: {"prompt": i, "seed": k % 2, "reward": int(verdict(i, k))}),
        {("repeat", "seed"): WHOLE, ("checkpoint", "seed"): None},
    ),
    "an epoch of training": (
        lambda: each(lambda i, k: {"prompt": i, "epoch": k % 2, "reward": int(verdict(i, k))}),
        {("step", "epoch"): None, ("repeat", "epoch"): WHOLE},
    ),
    "a label of rollouts": (
        lambda: each(lambda i, k: {"id": i, "category": "ok" if verdict(i, k) else "bad", "correct": verdict(i, k)}),
        {("repeat", "category"): WHOLE, ("dataset", "category"): None},
    ),
    "one id beside several texts": (
        lambda: each(lambda i, k: {"question_id": i % 7, "question": f"q{i}", "correct": verdict(i, k)}),
        {("prompt", "question"): WHOLE, ("prompt", "question_id"): None},
    ),
    "sections": (
        lambda: [{name: {f"p{i}": [verdict(i, k) for k in range(N)] for i in PROMPTS} for name in ("base", "rl")}],
        {
            ("filter", "base"): WHOLE,
            ("filter", "rl"): WHOLE,
            ("checkpoint", "section"): sorted(2 * WHOLE),
            ("dataset", "section"): sorted(2 * WHOLE),
        },
    ),
    "counts of an unsaid number": (
        lambda: [{"id": i, "correct": c} for i, c in enumerate(CORRECT)],
        {("samples", 8): WHOLE},
    ),
    "rounded shares": (
        lambda: [{"id": i, "pass_rate": round(c / N, 2)} for i, c in enumerate(CORRECT)],
        {
            ("samples", 8): WHOLE,
            ("samples", 100): sorted((round(100 * round(c / N, 2)), 100) for c in CORRECT),
            ("reward", "pass_rate"): None,
        },
    ),
    "several shares": (
        lambda: [{"id": i, "a_pass_rate": c / N, "b_pass_rate": 1.0} for i, c in enumerate(CORRECT)],
        {("rate", "a_pass_rate"): WHOLE, ("rate", "b_pass_rate"): None},
    ),
    "a column a test": (
        lambda: [{"problem": i, **{f"test_{k}": verdict(i, k) for k in range(N)}} for i in PROMPTS],
        {("reward", "test_*"): WHOLE},
    ),
    "nested columns": (
        lambda: each(lambda i, k: {"prompt": i, "result": {"passed": verdict(i, k), "seconds": 0.1}}),
        {("reward", "result.passed"): WHOLE},
    ),
    "a reward of an unknown name": (
        lambda: each(
            lambda i, k: {"prompt": i, "richtig": int(verdict(i, k)), "gts": 1, "pred": k % 2, "temperature": 1}
        ),
        {("reward", "richtig"): WHOLE},
    ),
    "an answer key called correct": (
        lambda: [{"id": i, "correct": i % 4, "is_correct": verdict(i, 0)} for i in PROMPTS],
        {("reward", "is_correct"): sorted((int(verdict(i, 0)), 1) for i in PROMPTS), ("threshold", 2.5): None},
    ),
    "a key of an unknown name": (
        lambda: each(lambda i, k: {"aufgabe": f"a{i}", "reward": int(verdict(i, k))}),
        {("prompt", "aufgabe"): WHOLE},
    ),
}


def _answer(path, **options):
    """What was read, or asked."""
    try:
        return f"{read(path, **options).read_as}."
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_each_answer_that_is_offered_leads_where_it_says(tmp_path, kind):
    rows, answers = QUESTIONS[kind]
    path = tmp_path / "x.jsonl"
    path.write_text(lines(rows()))
    with pytest.raises(ValueError, match=r"\.$") as error:
        read(path)
    offered = {(name, ast.literal_eval(value)) for name, value in OFFERED.findall(str(error.value))}
    assert offered == set(answers), str(error.value)
    assert next(x for x in OFFERED.findall(str(error.value)))[0] == next(iter(answers))[0]
    for (name, value), right in answers.items():
        if right is not None:
            assert pairs(read(path, **{name: value})) == right
        else:  # another reading, or another question
            assert re.search(r"\.$", _answer(path, **{name: value}))


@pytest.mark.parametrize("kind", QUESTIONS)
def test_on_the_command_line_they_are_its_options(tmp_path, capsys, kind):
    rows, answers = QUESTIONS[kind]
    path = tmp_path / "x.jsonl"
    path.write_text(lines(rows()))
    assert main(["diagnose", str(path)]) == 2
    said = capsys.readouterr().err
    (name, value), right = next(iter(answers.items()))
    option = f"--{name.replace('_', '-')} {shlex.quote(str(value))}"
    assert option in said
    assert "=" not in re.sub(r"--\S+", "", said.replace("0=", ""))
    assert main(["diagnose", str(path), *shlex.split(option)]) == 0 or right is None
    capsys.readouterr()


SPELLINGS = {
    "percent": lambda: as_csv([{"id": i, "pass_rate": f"{100 * c / N:g}%", "n": N} for i, c in enumerate(CORRECT)]),
    "decimal comma": lambda: as_csv(
        [{"id": i, "pass_rate": f"{c / N}".replace(".", ","), "n": N} for i, c in enumerate(CORRECT)], ";"
    ),
    "k of n": lambda: as_csv([{"id": i, "score": f"{c}/{N}"} for i, c in enumerate(CORRECT)]),
    "words": lambda: as_csv(
        each(lambda i, k: {"id": i, "status": "Pass" if verdict(i, k) else ("fail", "timeout", "Error")[k % 3]})
    ),
    "letters": lambda: as_csv(each(lambda i, k: {"id": i, "epoch": k, "score": "C" if verdict(i, k) else "I"})),
    "yes and no": lambda: as_csv(each(lambda i, k: {"item": i, "solved": "yes" if verdict(i, k) else "no"})),
    "numbers in strings": lambda: lines(each(lambda i, k: {"prompt": i, "reward": f"{float(verdict(i, k))}"})),
    "lists as text": lambda: as_csv(
        [{"prompt": i, "rewards": str([verdict(i, k) for k in range(N)])} for i in PROMPTS]
    ),
    "a total": lambda: as_csv(
        [{"id": f"p{i}", "n": N, "c": c} for i, c in enumerate(CORRECT)]
        + [{"id": "TOTAL", "n": 8 * 13, "c": sum(CORRECT)}]
    ),
    "a column a sample": lambda: as_csv(
        [{"problem": i, **{f"run {k}": verdict(i, k) for k in range(N)}, "avg": 0.5} for i in PROMPTS]
    ),
    "a list of answers": lambda: lines(
        [{"problem": i, "answers": ["1"] * N, "n_correct": c} for i, c in enumerate(CORRECT)]
    ),
    "a row a prompt": lambda: as_csv(
        [{"frage": i, **{f"response_{k}_correct": verdict(i, k) for k in range(N)}} for i in PROMPTS]
    ),
    "sep=": lambda: "sep=;\n" + as_csv([{"id": i, "n": N, "c": c} for i, c in enumerate(CORRECT)], ";"),
    "tokens": lambda: lines(
        each(lambda i, k: {"prompt": i, "response": "r", "rewards": [0.0] * (k + 1) + [float(verdict(i, k))]})
    ),
    "columns of pandas": lambda: json.dumps(
        {
            "prompt": {str(j): j % 13 for j in range(104)},
            "reward": {str(j): int(verdict(j % 13, j // 13)) for j in range(104)},
        }
    ),
    "ids of rows": lambda: lines(
        [{"id": j, **row} for j, row in enumerate(each(lambda i, k: {"question": f"q{i}", "correct": verdict(i, k)}))]
    ),
    "nested metadata": lambda: lines(
        each(
            lambda i, k: {
                "id": i,
                "reward": int(verdict(i, k)),
                "metadata": {"reward": 0.3, "id": k},
                "turns": [{"reward": 0}],
            }
        )
    ),
}


@pytest.mark.parametrize("kind", SPELLINGS)
def test_tables_as_people_write_them(tmp_path, kind):
    path = tmp_path / "x"
    path.write_text(SPELLINGS[kind]())
    assert pairs(read(path)) == WHOLE


@pytest.mark.parametrize("name", ["epoch", "trial", "run", "seed", "iteration", "attempt", "sample"])
def test_repeats_in_a_column_are_counted_together(tmp_path, name):
    path = tmp_path / "x.csv"
    path.write_text(as_csv(each(lambda i, k: {"problem_id": i, name: k, "correct": int(verdict(i, k))})))
    data = read(path)
    assert pairs(data) == WHOLE
    assert (data.step, data.checkpoint) == (None, None)
    assert f"repeat `{name}`" in data.read_as


@pytest.mark.parametrize("name", ["source", "task", "domain", "category", "data_source", "dataset"])
def test_equal_ids_of_two_data_sets_are_two_prompts(tmp_path, name):
    path = tmp_path / "x.csv"
    path.write_text(as_csv(each(lambda i, k: {name: "ab"[i % 2], "id": i // 2, "correct": int(verdict(i, k))})))
    data = read(path)
    assert pairs(data) == WHOLE
    assert data.prompts == len(CORRECT)
    assert ("a", "0") in data.prompt


def test_two_files_of_two_tasks_are_two_data_sets(tmp_path):
    for task in "ab":
        rows = [
            {"doc_id": i, "doc": {}, "target": "t", "metrics": ["acc"], "acc": float(task == "a")} for i in range(3)
        ]
        (tmp_path / f"samples_{task}_2025-01-01T00-00-00.jsonl").write_text(lines(rows))
    assert read(tmp_path).prompt == (("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("b", 2))


class TestSources:
    ROWS = each(lambda i, k: {"prompt": f"p{i}", "reward": int(verdict(i, k))})

    def packed(self):
        import bz2
        import gzip
        import lzma
        import zipfile

        content, archive = lines(self.ROWS).encode(), io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("run/rollouts.jsonl", content)
            file.writestr("run/notes.md", "no data")
        return {
            "gz": gzip.compress(content),
            "bz2": bz2.compress(content),
            "xz": lzma.compress(content),
            "zip": archive.getvalue(),
        }

    @pytest.mark.parametrize("kind", ["gz", "bz2", "xz", "zip"])
    def test_compressed(self, tmp_path, kind):
        (tmp_path / "x").write_bytes(self.packed()[kind])
        assert pairs(read(tmp_path / "x")) == WHOLE

    def test_zstandard(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow", reason="the test extra installs it")
        (tmp_path / "x").write_bytes(pyarrow.compress(lines(self.ROWS).encode(), "zstd", asbytes=True))
        assert pairs(read(tmp_path / "x")) == WHOLE

    def test_standard_input(self, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines(self.ROWS).encode())))
        assert pairs(read("-")) == WHOLE

    def test_patterns_lists_and_folders_with_foreign_files(self, tmp_path):
        for j in range(3):
            (tmp_path / f"part-{j}.jsonl").write_text(lines(self.ROWS[j::3]))
        (tmp_path / "config.json").write_text('{"lr": 0.1}')
        (tmp_path / "summary.json").write_text('{"accuracy": 0.5}')
        (tmp_path / "requirements.txt").write_text("numpy\n")
        assert pairs(read(f"{tmp_path}/part-*.jsonl")) == WHOLE
        assert pairs(read([tmp_path / f"part-{j}.jsonl" for j in range(3)])) == WHOLE
        data = read(tmp_path)
        assert pairs(data) == WHOLE
        left = [note for note in data.notes if note.kind == "left out"]
        assert [(note.count, note.where) for note in left] == [(2, "config.json"), (1, "summary.json")]

    def test_the_last_checkpoint_of_a_trainer_s_folder(self, tmp_path):
        for step in (500, 1000):
            history = [
                {"step": t, "reward": 0.5, "frac_reward_zero_std": 0.25, "loss": 0.0} for t in range(1, step // 100)
            ]
            (tmp_path / f"checkpoint-{step}").mkdir()
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(json.dumps({"log_history": history}))
        assert len(read(tmp_path).step) == 9
        assert len(read(tmp_path / "checkpoint-500").step) == 4

    def test_in_memory(self):
        matrix = np.array([[verdict(i, k) for k in range(N)] for i in PROMPTS])
        assert pairs(read(list(matrix))) == WHOLE
        assert pairs(read({"prompt": range(13), "n": 8, "c": CORRECT})) == WHOLE
        assert pairs(read({"prompt": range(13), "c": CORRECT}, samples=8)) == WHOLE
        assert pairs(read(rlsignal.Recorded(CORRECT, 8))) == WHOLE
        assert read(read(matrix)).correct.tolist() == CORRECT
        with pytest.raises(ValueError, match=r"more samples than prompts\. Transpose it .* or give samples=13"):
            read(matrix.T)
        assert read(matrix.T, samples=13).samples.tolist() == [13] * 8

    def test_frames(self):
        pandas, polars, pyarrow = map(pytest.importorskip, ("pandas", "polars", "pyarrow"))
        for frame in (
            pandas.DataFrame(self.ROWS),
            polars.DataFrame(self.ROWS).lazy(),
            pyarrow.Table.from_pylist(self.ROWS),
        ):
            assert pairs(read(frame)) == WHOLE


class TestLogs:
    def test_a_mean_of_1_in_every_row_says_that_all_groups_are_degenerate(self):
        log = read([{"step": t, "reward": 1.0, "loss": 0.0} for t in range(5)])
        assert log.degenerate.tolist() == [1] * 5
        trend = rlsignal.track(log, 8, window=5)
        assert trend.warning.startswith("Every group of the 5 rows so far is degenerate.")

    def test_degenerate_groups_of_a_sum_are_kept(self):
        rows = [
            {"step": t, "reward": 1.4, "rewards/a/mean": 0.5, "rewards/b/mean": 0.9, "frac_reward_zero_std": 0.25}
            for t in range(9)
        ]
        log = read(rows)
        assert np.isnan(log.reward).all()
        assert log.degenerate.tolist() == [0.25] * 9
        named = read(rows, reward="rewards/a/mean")
        assert (named.reward.tolist(), named.degenerate_of) == ([0.5] * 9, "reward")
        assert np.isnan(rlsignal.track(named, 8, window=9).dispersion).all()

    def test_metrics_of_a_step_that_were_written_one_by_one_are_one_row(self):
        rows = [
            row
            for t in range(5)
            for row in ({"_step": t, "train/reward": 0.5}, {"_step": t, "train/frac_reward_zero_std": 0.25})
        ]
        log = read(rows)
        assert (log.reward.tolist(), log.degenerate.tolist()) == ([0.5] * 5, [0.25] * 5)

    def test_of_several_sets_one_is_named(self):
        rows = [
            {
                "step": t,
                **{
                    f"env/{name}/by_group/frac_{kind}": 0.25
                    for name in "ab"
                    for kind in ("mixed", "all_good", "all_bad")
                },
            }
            for t in range(5)
        ]
        with pytest.raises(ValueError, match=r"logs 2 sets, a, b\. Name one: scorer='a' or scorer='b'\.$"):
            read(rows)
        assert read(rows, scorer="b").degenerate.tolist() == [0.5] * 5

    def test_deviations_below_those_of_binary_rewards_are_said(self):
        rows = [
            {"step": t, "reward": 0.5, "group_reward_std": 0.1, "frac_reward_zero_std": 0.25, "num_generations": 8}
            for t in range(9)
        ]
        assert "graded" in {note.kind for note in read(rows).notes}

    def test_a_column_of_degenerate_groups_may_be_named(self):
        rows = [{"step": t, "reward": 0.5, "loss": 0.0, "nothing_learnt": 0.5} for t in range(9)]
        assert read(rows, degenerate="nothing_learnt").degenerate.tolist() == [0.5] * 9

    def test_rounded_fractions_count_no_groups(self):
        rows = [
            {"step": t, "reward": 0.05, "loss": 0.0, "frac_reward_zero_std": (0.88, 0.75, 0.62, 0.38)[t % 4]}
            for t in range(40)
        ]
        trend = rlsignal.track(rows, 8)
        assert trend.groups == 1
        assert "groups= says how many" in trend.notes[-1]
        assert rlsignal.track(rows, 8, groups=8).groups == 8


class TestListsThatAreNoRollouts:
    def test_lists_of_lists(self):
        with pytest.raises(ValueError, match=r"^reward holds lists of lists"):
            read([{"prompt": i, "reward": [[1, 0], [0]]} for i in range(3)])

    def test_lists_of_another_length_than_the_responses(self):
        with pytest.raises(ValueError, match="does not list one value for each of 'responses'"):
            read([{"prompt": i, "responses": ["a", "b"], "rewards": [0, 0, 1]} for i in range(3)])

    def test_lists_of_several_lengths_in_rows_of_one_prompt(self):
        with pytest.raises(ValueError, match="rewards of rollouts, or of the tokens of one"):
            read([{"prompt": i % 2, "score": [0] * (i + 1) + [1]} for i in range(6)])

    def test_an_empty_list_is_missing(self):
        data = read([{"prompt": i, "rewards": [1, 0] if i else []} for i in range(3)])
        assert data.samples.tolist() == [2, 2]
        assert {"missing", "no samples"} <= {note.kind for note in data.notes}


def test_an_evaluation_has_no_steps():
    rows = [{"input": f"p{i}", "output": "o", "score": 1, "step": k} for i in range(3) for k in range(4)]
    assert read(rows).samples.tolist() == [1] * 12
    assert read(rows, kind="evaluation").samples.tolist() == [4] * 3


def test_an_archive_member_of_zstandard(tmp_path):
    """As newer Inspect logs are: zip's method 93, which the standard library cannot open before Python 3.14."""
    pyarrow = pytest.importorskip("pyarrow", reason="the test extra installs it")
    import struct
    import zipfile
    import zlib

    content = json.dumps({"id": 1, "epoch": 1, "scores": {"match": {"value": "C"}}}).encode()
    packed = pyarrow.compress(content, "zstd", asbytes=True)
    path = tmp_path / "a.eval"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("samples/1_epoch_1.json", packed)
    raw = bytearray(path.read_bytes())
    for signature, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = raw.index(signature)
        struct.pack_into("<H", raw, at + method, 93)
        struct.pack_into("<III", raw, at + method + 6, zlib.crc32(content), len(packed), len(content))
    path.write_bytes(raw)
    assert read(path).correct.tolist() == [1]
