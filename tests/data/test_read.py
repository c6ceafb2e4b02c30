"""Files are recognised by what is in them, read row by row, and never executed; damage is named with its place.

Recorded data of others is looked for in `../shared/data` from the project's root, and skipped where it is not at hand.
"""

import csv
import gzip
import io
import json
import os
import pickle
import re
import runpy
import subprocess
import sys
import tracemalloc
import types
from pathlib import Path

import numpy as np
import pytest

from rlsignal import Recorded, degenerate_probability
from rlsignal.data.read import read
from rlsignal.data.records import Note, Rollouts, TrainingLog

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
MUTATE = runpy.run_path(str(ROOT / "benchmarks" / "mutate.py"))
ROWS = [{"prompt": f"p{i // 4}", "reward": int(i % 3 == 0), "text": 'a, "b"\nc'} for i in range(12)]
CORRECT = [2, 1, 1]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def kinds(result):
    return {note.kind for note in result.notes}


def as_csv(path, rows, **how):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), **how)
        writer.writeheader()
        writer.writerows(rows)
    return path


class TestByContent:
    """Every name here is a lie."""

    @pytest.mark.parametrize(
        "content",
        [
            lines(ROWS).encode(),
            b"\xef\xbb\xbf" + lines(ROWS).encode(),
            lines(ROWS).replace("\n", "\r\n").encode(),
            b"\n\n" + lines(ROWS).replace("}\n", "}\n\n").encode(),
            lines(ROWS).rstrip().encode(),
            json.dumps(ROWS).encode(),
            json.dumps(ROWS, indent=2).encode(),
            json.dumps({"results": ROWS}, indent=2).encode(),
            gzip.compress(lines(ROWS).encode()),
        ],
        ids=["jsonl", "bom", "crlf", "blank lines", "no last newline", "list", "pretty", "object", "gzip"],
    )
    def test_json(self, tmp_path, content):
        assert read(write(tmp_path / "data.csv", content)).correct.tolist() == CORRECT

    @pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_csv(self, tmp_path, delimiter, end):
        path = as_csv(tmp_path / "data.jsonl", ROWS, delimiter=delimiter, lineterminator=end)
        assert read(path).correct.tolist() == CORRECT

    def test_numpy(self, tmp_path):
        np.save(tmp_path / "a.npy", np.array([[1, 0], [1, 1]]))
        np.savez(tmp_path / "b.npz", prompt=np.array(["a", "a", "b"]), reward=np.array([1, 0, 1]))
        assert read(tmp_path / "a.npy").correct.tolist() == [1, 2]
        assert read(tmp_path / "b.npz").samples.tolist() == [2, 1]

    def test_parquet(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow", reason="the test extra installs it")
        from pyarrow import parquet

        parquet.write_table(pyarrow.Table.from_pylist(ROWS), tmp_path / "data.json")
        assert read(tmp_path / "data.json").correct.tolist() == CORRECT

    def test_lists_longer_than_a_chunk(self, tmp_path, monkeypatch):
        monkeypatch.setattr("rlsignal.data.syntax.CHUNK", 7)
        assert read(write(tmp_path / "a", json.dumps(ROWS, indent=1))).correct.tolist() == CORRECT
        assert read(write(tmp_path / "b", "[[1, 0], [1.0, 1.0]]")).correct.tolist() == [1, 2]

    def test_long_completions(self, tmp_path):
        path = as_csv(tmp_path / "a.csv", [{**row, "text": "x" * 200_000} for row in ROWS])
        assert read(path).correct.tolist() == CORRECT
        assert csv.field_size_limit() == 131072

    def test_nan_and_lone_surrogates_as_python_writes_them(self, tmp_path):
        text = lines([*ROWS, {"prompt": "p9", "reward": float("nan"), "text": "\ud83d"}])
        result = read(write(tmp_path / "a", text))
        assert result.correct.tolist() == CORRECT
        assert "nan" in kinds(result)


class TestTrainers:
    def test_verl_rollouts(self, tmp_path):
        """A folder of <step>.jsonl; the rows of a prompt are apart, and the step may stand in the name only."""
        for step in (2, 10):
            rows = [{"input": x, "output": "o", "score": float(x == "a"), "gts": "1"} for x in "abab"]
            write(tmp_path / f"{step}.jsonl", lines(rows))
        write(tmp_path / "notes.md", "no data")
        result = read(tmp_path)
        assert (result.step.tolist(), result.correct.tolist()) == ([2, 2, 10, 10], [2, 0, 2, 0])
        assert kinds(result) == {"scattered", "left out", "files"}

    def test_verl_metric_lines(self, tmp_path):
        text = (
            "starting\n"
            "\x1b[36m(TaskRunner pid=7)\x1b[0m step:1 - critic/score/mean:0.25 - actor/entropy:1.5\n"
            "step:2 - critic/score/mean:np.float64(0.5) - actor/entropy:nan - time/s:1.2e-05\n"
        )
        log = read(write(tmp_path / "run.log", text))
        assert isinstance(log, TrainingLog)
        assert log.reward.tolist() == [0.25, 0.5]
        np.testing.assert_array_equal(log.entropy, [1.5, np.nan])
        assert "other lines" in kinds(log)

    def test_verl_metric_objects(self, tmp_path):
        rows = [{"step": s, "data": {"critic/score/mean": s / 8, "actor/entropy": 1.0}} for s in range(3)]
        assert read(write(tmp_path / "m.jsonl", lines(rows))).reward.tolist() == [0, 0.125, 0.25]

    def test_trl_trainer_state(self, tmp_path):
        history = [
            {"step": 1, "reward": 0.5, "reward_std": 0.2, "frac_reward_zero_std": 0.25, "entropy": 0.7, "loss": 0.0},
            {"step": 2, "reward": 0.75, "reward_std": 0.2, "frac_reward_zero_std": 0.5, "entropy": 0.6, "loss": 0.0},
            {"step": 2, "train_runtime": 12.0, "train_loss": 0.1},
        ]
        state = {"global_step": 2, "epoch": 1.0, "log_history": history, "best_metric": None}
        log = read(write(tmp_path / "trainer_state.json", json.dumps(state, indent=2)))
        assert (log.degenerate.tolist(), log.entropy.tolist()) == ([0.25, 0.5], [0.7, 0.6])
        assert log.reward_std_of == "groups"
        assert "no reward" in kinds(log)

    def test_trl_completions(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow", reason="the test extra installs it")
        from pyarrow import parquet

        for step in (5, 10):
            rows = {"step": [step] * 4, "prompt": ["a", "a", "b", "b"], "completion": ["x"] * 4}
            table = pyarrow.table({**rows, "accuracy_reward": [1.0, 0, 1, 1], "advantage": [0.7, -0.7, 0, 0]})
            parquet.write_table(table, tmp_path / f"completions_{step:05d}.parquet")
        result = read(tmp_path)
        assert (result.step.tolist(), result.correct.tolist()) == ([5, 5, 10, 10], [1, 2, 1, 2])

    def test_open_instruct(self, tmp_path):
        rows = [
            {"step": 1, "sample_idx": i, "prompt_idx": i // 2, "reward": float(i % 2), "advantage": 0.0, "dataset": "d"}
            for i in range(6)
        ]
        assert read(write(tmp_path / "run_rollouts_000000.jsonl", lines(rows))).correct.tolist() == [1, 1, 1]

    def test_nemo_rl(self, tmp_path):
        rows = [{"content": "c", "rewards": float(i % 2), "advantages": 0.0, "idx": i} for i in range(4)]
        path = write(tmp_path / "train_data_step3.jsonl", lines(rows))
        with pytest.raises(ValueError, match="group_size="):
            read(path)
        assert read(path, group_size=2).correct.tolist() == [1, 1]

    def test_headers_of_appended_runs(self, tmp_path):
        text = "step,reward,loss\n1,0.5,1\n2,0.25,1\n" * 2
        log = read(write(tmp_path / "log.csv", text))
        assert log.latest.reward.tolist() == [0.5, 0.25]
        assert kinds(log) >= {"header", "restart"}


class TestDamage:
    @pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
    def test_a_cut_end_is_left_out_and_said(self, tmp_path, name):
        text = lines(ROWS) if name == "a.jsonl" else json.dumps(ROWS)
        result = read(write(tmp_path / name, text[:-9]))
        assert result.samples.sum() == 11
        assert "truncated" in kinds(result)

    def test_a_cut_last_row_of_csv(self, tmp_path):
        result = read(write(tmp_path / "a.csv", "prompt,reward\na,1\na,0\na"))
        assert result.samples.tolist() == [2]
        assert "truncated" in kinds(result)

    @pytest.mark.parametrize("back", [1, 2, 4, 5])
    @pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.csv"])
    def test_a_file_may_be_cut_inside_a_character(self, tmp_path, name, back):
        rows = [{"id": i // 4, "reward": int(i % 3 == 0), "text": "日本"} for i in range(9)]
        items = [json.dumps(row, ensure_ascii=False) for row in rows]
        whole = {
            "a.jsonl": "\n".join(items),
            "a.json": f"[{', '.join(items)}]",
            "a.csv": "id,reward,text\n" + "".join(f"{row['id']},{row['reward']},日本\n" for row in rows),
        }[name].encode()
        cut = whole[: whole.rindex("本".encode()) + 3 - back]
        result = read(write(tmp_path / name, cut))
        assert result.samples.tolist() == [4, 4]
        assert "truncated" in kinds(result)
        for wrong in (
            whole.replace("日".encode(), b"\xff", 1),
            cut + b"\xff\n",
            whole.replace("本".encode(), b"\xe6", 1),
        ):
            with pytest.raises(ValueError, match=r"utf-8"):
                read(write(tmp_path / name, wrong))

    def test_a_list_that_ends_is_followed_by_nothing(self, tmp_path):
        with pytest.raises(ValueError, match="goes on after its list ends"):
            read(write(tmp_path / "a.json", b'[{"id": 1, "reward": 1}]\xe6'))

    @pytest.mark.parametrize(("content", "at"), [(b"\x93NUMPY", "numpy.load"), (b"PAR1", "pyarrow.parquet.ParquetFile"),
        (b"\x28\xb5\x2f\xfd", "rlsignal.data.sources._zstd")])  # fmt: skip
    def test_a_lack_of_memory_is_not_called_damage(self, tmp_path, monkeypatch, content, at):
        pyarrow = pytest.importorskip("pyarrow.lib", reason="the test extra installs it")

        def fails(*args, **kwargs):
            raise (pyarrow.ArrowMemoryError if content == b"PAR1" else MemoryError)("full")

        monkeypatch.setattr(at, fails)
        with pytest.raises(MemoryError, match=r"^full$"):
            read(write(tmp_path / "x", content))

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ('{"prompt": "a", "reward": 1}\n{"prompt"\n{"prompt": "a", "reward": 0}\n', "^line 2 of x is not JSON: "),
            ('{"prompt": "a", "reward": 1}\n"b"\n', '^a row must be an object with columns, got \'b\' in line 2 of x'),
            ('[{"prompt": "a", "reward": 1} {"prompt": "a"}]', "^record 2 of x is not JSON: ',' expected, got '{'"),
            ('[{"prompt": "a", "reward": 1}] 7', "^x goes on after its list ends"),
            ("prompt,reward\na,1\nb,1,2\nc,1\n", r"^line 3 of x has 3 fields, and the header names 2\. Mend"),
            ('prompt,reward\n"a,1\nb,1\n', "^line 3 of x is not CSV: unexpected end of data"),
            (b"prompt,reward\na,1\n\xff,1\n", "^x is not UTF-8 after line 2: "),
            ("prompt,reward\na,1\na,0.37\n", r"^reward must be 0 or 1, got 0\.37 in line 3 of x\."),
            ("prompt,reward,reward\na,1,1\n", "^column 'reward' stands twice in x"),
            ("1,0\n0,0\n", "^x begins with numbers and no header"),
            ("prompt,reward\n", "^x holds no rows"),
            ("", "^x is empty"),
            (b"a\0b", "^x is binary, and neither parquet nor numpy"),
            (b"PAR1", r"^x is (damaged )?parquet"),
            (b"PK\x03\x04", "^x is a damaged archive"),
            (b"\x93NUMPY", "^x is damaged"),
            (b"\x1f\x8b123", "x is damaged: Compressed file ended"),
            ("[" * 100_000, "nested too deeply"),
            ('{"a": ' * 100_000, "nested too deeply|is not JSON"),
        ],
    )  # fmt: skip
    def test_is_named(self, tmp_path, content, said):
        if content == b"PAR1":
            pytest.importorskip("pyarrow", reason="the test extra installs it")
        with pytest.raises(ValueError, match=said):
            read(write(tmp_path / "x", content))

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(
            FileNotFoundError, match=r"^path must name a file or a folder, got '.*nowhere', which does not"
        ):
            read(tmp_path / "nowhere")

    def test_a_folder_without_data(self, tmp_path):
        with pytest.raises(ValueError, match="holds no file named as data"):
            read(tmp_path)

    def test_a_folder_of_two_kinds(self, tmp_path):
        write(tmp_path / "1.jsonl", lines(ROWS))
        write(tmp_path / "2.csv", "step,reward,loss\n1,0.5,1\n")
        with pytest.raises(ValueError, match=r"^2\.csv and what was read before it are of two kinds"):
            read(tmp_path)


class Trap:
    def __reduce__(self):
        return os.mkdir, ("trapped",)


class TestNothingIsExecuted:
    @pytest.mark.parametrize("protocol", [2, 4, 5])
    def test_pickles_are_refused(self, tmp_path, monkeypatch, protocol):
        monkeypatch.chdir(tmp_path)
        path = write(tmp_path / "rollouts.jsonl", pickle.dumps(Trap(), protocol))
        with pytest.raises(ValueError, match=r"^rollouts\.jsonl is a pickle, .* refused"):
            read(path)
        assert not Path("trapped").exists()

    def test_in_arrays_too(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        np.save("a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
        np.savez("b.npz", prompt=np.array([Trap()], dtype=object), allow_pickle=True)
        for name in ("a.npy", "b.npz"):
            with pytest.raises(ValueError, match=r"is a pickle, .* refused"):
                read(name)
        assert not Path("trapped").exists()

    def test_archives_of_other_things(self, tmp_path):
        import zipfile

        with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
            archive.writestr("archive/data.pkl", b"")
        with pytest.raises(ValueError, match="torch checkpoints are pickles"):
            read(tmp_path / "model.pt")


def test_extras_are_named_where_they_are_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        ModuleNotFoundError, match=r"needs pyarrow\. Install it with: pip install 'rlsignal\[parquet\]'\.$"
    ):
        read(write(tmp_path / "x", b"PAR1"))


def test_with_and_without_the_fast_parser_counts_are_the_same(tmp_path, monkeypatch):
    pytest.importorskip("orjson", reason="the test extra installs it")
    path = write(tmp_path / "x", lines(ROWS))
    fast = read(path)
    monkeypatch.setitem(sys.modules, "orjson", None)
    assert read(path).correct.tolist() == fast.correct.tolist()


def test_memory_does_not_grow_with_the_rows(tmp_path):
    """2 MB and 8 MB of the same 4 prompts."""
    row, peaks = '{"prompt": "p%d", "reward": %d, "text": "' + "x" * 1000 + '"}\n', []
    for size in (2_000, 8_000):
        path = write(tmp_path / str(size), "".join(row % (i % 4, i % 2) for i in range(size)))
        tracemalloc.start()
        assert read(path).samples.sum() == size
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000


def test_reading_loads_nothing_heavy():
    heavy = ("jax", "scipy.optimize", "matplotlib", "pandas", "polars", "pyarrow")
    code = (
        f"import sys; from rlsignal.data.read import read; read([[1, 0]]); print(*({{*{heavy}}} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == []


class TestMutations:
    @pytest.mark.slow
    def test_a_thousand(self):
        """The seed is fixed; `python benchmarks/mutate.py 20000` goes on."""
        seen = MUTATE["survive"](1000)
        assert seen["read"] > 150
        assert seen["refused"] > 150

    def test_sound_files_are_read(self, tmp_path):
        import random

        for name, content in MUTATE["samples"](random.Random(0)).items():
            result = read(write(tmp_path / name, content))
            assert MUTATE["_wrong"](name, content, result) == ""

    @pytest.mark.parametrize(
        ("correct", "samples", "notes"),
        [
            ([2, 1, 1], [4, 4, 3], ()),
            ([2, 2, 1], [4, 4, 4], ()),
            ([2, 1, 1], [4, 4, 4], ("missing",)),
            ([5, 0, 0], [4, 4, 4], ()),
        ],
    )
    def test_a_reader_that_loses_a_row_or_a_success_is_caught(self, correct, samples, notes):
        result = Rollouts(
            ("a", "b", "c"), np.array(correct), np.array(samples), notes=tuple(Note(x, "") for x in notes)
        )
        assert MUTATE["_wrong"]("rollouts.jsonl", lines(ROWS).encode(), result) != ""


def found(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"recorded data not at hand: {name}")
    return path


class TestRecordedData:
    @pytest.mark.parametrize(
        ("name", "prompts", "samples", "mean", "variance", "g", "dead"),
        [
            ("one_shot_rlvr_acc_first6visits.json", 1209, 8, 0.335, 0.1136, 8, 0.439),
            ("rgeval_llama3b_step400_amc23.json", 40, 50, 0.144, 0.0850, 8, 0.566),
            ("cruxeval_codellama7b_input.json", 800, 10, 0.360, 0.0419, 8, 0.799),
            ("taubench_airline_gpt4o.json", 50, 4, 0.420, 0.1467, 4, 0.480),
        ],
    )
    def test_evaluations_without_options(self, name, prompts, samples, mean, variance, g, dead):
        data = read(found(name))
        if data.checkpoints:
            assert data.checkpoints == (1, 2, 3, 4, 5, 6)
            assert "inferred" in kinds(data)
            data = data.at(checkpoint=1)
        assert data.prompts == len(data.correct) == prompts
        assert set(data.samples) == {samples}
        recorded = Recorded(data.correct, data.samples)
        assert recorded.mean == pytest.approx(mean, abs=5.1e-4)
        assert recorded.reward_variance == pytest.approx(variance, abs=5e-5)
        assert degenerate_probability(recorded, g) == pytest.approx(dead, abs=5e-4)

    def test_a_log_with_a_restart(self):
        log = read(found("rasbt_7_3_plus_tracking.csv"))
        assert (len(log.step), len(log.latest.step)) == (505, 500)
        assert kinds(log) == {"restart", "superseded", "inferred"}
        assert next(note.where for note in log.notes if note.kind == "restart").startswith("line 7 of rasbt")
        for part, mean, dead in [(log, 0.498, 0.535), (log.latest, 0.5005, 0.538)]:
            recorded = Recorded(part.correct, part.samples)
            assert recorded.mean == pytest.approx(mean, abs=5e-4)
            assert degenerate_probability(recorded, 8) == pytest.approx(dead, abs=5e-4)

    def test_a_log_without(self):
        log = read(found("rasbt_7_4_plus_clip_ratio.csv"))
        assert (len(log.step), set(log.samples), kinds(log)) == (500, {8}, {"inferred"})

    def test_a_log_whose_reward_is_not_binary(self):
        path = found("beibeizzz_grpo_trl_metrics.jsonl")
        log = read(path)
        assert np.isnan(log.reward).all()
        assert log.degenerate.mean() == pytest.approx(0.4286, abs=5e-5)
        assert log.group_size == 5
        assert "reward='accuracy'" in next(note.text for note in log.notes if note.kind == "graded")
        log = read(path, reward="accuracy", group_size=5)
        assert log.degenerate_of == "reward"
        assert log.correct[:3].tolist() == [13, 29, 34]
        assert log.samples[:3].tolist() == [20, 40, 40]
        assert not np.isnan(log.entropy).any()
        assert "other reward" in kinds(log)

    def test_rollouts_without_a_group_key(self):
        path = found("nemo_gym_xlam_fc_rollouts.jsonl")
        with pytest.raises(ValueError, match=r"does not say which rollouts share a prompt; .* group_size="):
            read(path)
        assert read(path, group_size=5).correct.tolist() == [3]


class TestWhatCannotBeRead:
    def test_an_empty_path_is_not_the_current_folder(self):
        with pytest.raises(ValueError, match=r"^path must name a file or a folder, got ''\."):
            read("")

    def test_a_date_that_python_does_not_have_is_named_with_its_place(self, tmp_path):
        pyarrow = pytest.importorskip("pyarrow", reason="parquet is read with pyarrow")
        from pyarrow import parquet

        days = pyarrow.array([0, 1, 2**30], pyarrow.int32()).cast(pyarrow.date32())
        table = pyarrow.table({"prompt": ["a", "a", "a"], "reward": [0, 1, 1], "day": days})
        parquet.write_table(table, tmp_path / "dates.parquet")
        with pytest.raises(ValueError, match=r"^column 'day' must hold .* in row 3 of dates\.parquet"):
            read(tmp_path / "dates.parquet")


class TestLargeIds:
    """Integers above 2^64 are ids too; the fastest JSON parser makes floats of them, and several prompts of one."""

    @pytest.fixture(params=["with orjson", "without orjson"])
    def parser(self, request, monkeypatch):
        if request.param == "without orjson":
            monkeypatch.setitem(sys.modules, "orjson", None)
        else:
            pytest.importorskip("orjson", reason="orjson is missing: the test extra installs it")

    @pytest.mark.parametrize("start", [2**53 - 2, 2**63 - 2, 2**64 - 2, 2**70, -(2**65), 10**30], ids=str)
    def test_every_prompt_is_its_own(self, parser, tmp_path, start):
        path = tmp_path / "ids.jsonl"
        rows = [{"prompt_id": start + i, "reward": j} for i in range(5) for j in (0, 1, 1)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        found = read(path)
        assert found.prompt == tuple(start + i for i in range(5))
        assert (found.correct.tolist(), found.samples.tolist()) == ([2] * 5, [3] * 5)

    def test_fractions_are_no_large_ids(self, parser, tmp_path):
        path = tmp_path / "ids.jsonl"
        path.write_text('{"prompt_id": 0.5, "reward": 1}\n{"prompt_id": 1.5, "reward": 0}\n')
        assert read(path).prompt == (0.5, 1.5)

    def test_what_cannot_be_read_twice_is_asked_for_as_text(self, monkeypatch):
        pytest.importorskip("orjson", reason="orjson is missing: the test extra installs it")
        lines = "".join(json.dumps({"prompt_id": 2**70 + i, "reward": 1}) + "\n" for i in range(3))
        monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(lines.encode())))
        with pytest.raises(ValueError, match=r"has an id of more than 19 digits, .* Write ids as text\.$"):
            read("-")


class TestMatricesInLists:
    """No row of a list of lists is passed over: what is neither 0 nor 1 in it is asked about."""

    @pytest.fixture(params=["in memory", "JSON", "JSON lines"])
    def source(self, request, tmp_path):
        def given(rows):
            if request.param == "in memory":
                return rows
            path = tmp_path / "rows.json"
            lines = (json.dumps(row) for row in rows)
            path.write_text("\n".join(lines) + "\n" if request.param == "JSON lines" else json.dumps(rows))
            return path

        return given

    def test_minus_one_is_asked_about(self, source):
        with pytest.raises(ValueError, match=r"-1"):
            read(source([[-1, 1, 1, -1], [-1, -1, -1, -1], [1, 1, 1, 1]]))

    @pytest.mark.parametrize("odd", [0.3, 2, 7.5])
    def test_other_numbers_are_refused(self, source, odd):
        with pytest.raises(ValueError, match=rf"{odd}"):
            read(source([[0, 1, 0, 1], [odd, 1, 1, 0], [1, 1, 1, 1]]))

    def test_a_threshold_settles_all_rows(self, source):
        found = read(source([[0.3, 0.9], [0.2, 0.1], [1, 1]]), threshold=0.5)
        assert (found.correct.tolist(), found.samples.tolist()) == ([1, 0, 2], [2, 2, 2])

    def test_zeros_and_ones_are_counted(self, source):
        found = read(source([[0, 1, 0], [1, 1, 1]]))
        assert (found.correct.tolist(), found.samples.tolist()) == ([1, 3], [3, 3])


COUNTED = [{"prompt": i, "n": 8, "c": i % 9} for i in range(20)]
SHARED = [{"prompt": i, "pass_rate": (i % 9) / 8} for i in range(20)]
ROLLED = [{"prompt": i // 8, "reward": i % 2} for i in range(160)]
LOGGED = [{"step": i, "reward": 0.5, "frac_reward_zero_std": 0.25, "loss": 0.0} for i in range(20)]


@pytest.mark.parametrize(
    ("rows", "options"),
    [
        (COUNTED, {"threshold": 0.3, "missing": 0, "groups": 4, "filter": "none", "scorer": "none", "degenerate": "n"}),
        (
            SHARED,
            {"threshold": 0.3, "missing": 0, "groups": 4, "filter": "none", "scorer": "none", "degenerate": "prompt"},
        ),
        (ROLLED, {"groups": 4, "degenerate": "reward"}),
        (LOGGED, {"threshold": 0.3, "missing": 0, "prompt": "loss", "correct": "loss", "rate": "loss"}),
    ],
)
def test_an_option_that_has_nothing_to_act_on_is_an_error(rows, options):
    for name, value in options.items():
        with pytest.raises(ValueError, match=rf"^{name} must have something to act on, got .*Leave it out\.$"):
            read(rows, **{name: value})
    read(rows, **dict(read(rows).options))  # what it states of itself acts


@pytest.mark.parametrize("slip", ["l2", "?", "1 of 8"])
@pytest.mark.parametrize("at", [0, 7, 19])
def test_a_slip_in_a_column_of_counts_is_named_with_its_place(slip, at):
    rows = [{**row, "c": slip} if i == at else row for i, row in enumerate(COUNTED)]
    with pytest.raises(ValueError, match=rf"^c must be a number, got '{re.escape(slip)}' in record {at} of the data"):
        read(rows)
