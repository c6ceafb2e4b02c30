"""The command line: what it prints, what it writes, and how it fails."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

import rlsignal
from rlsignal.__main__ import _parser, entry, main
from rlsignal.commands.map import _evaluated
from rlsignal.commands.terminal import Bar

COMMANDS = ("diagnose", "compare", "track", "group-size", "verify", "map", "ladder")


def test_verify_prints_a_table_and_succeeds(capsys):
    assert main(["verify", "--groups", "100000"]) == 0
    assert "claims hold" in capsys.readouterr().out


def test_verify_for_machines(capsys):
    assert main(["verify", "--groups", "100000", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["passed"] is True
    assert said["seconds"] > 0
    assert {"label", "name", "passed", "z", "wrong_rejected"} <= said["claims"][0].keys()


def test_verify_fails_where_a_claim_fails(capsys, monkeypatch):
    from dataclasses import replace

    honest = rlsignal.verify(groups=100_000)
    broken = replace(honest, checks=(replace(honest.checks[0], passed=False), *honest.checks[1:]))
    monkeypatch.setattr(rlsignal, "verify", lambda **_: broken)
    assert main(["verify"]) == 1
    assert "FAILS" in capsys.readouterr().out


def test_map_for_machines(mapped):
    assert mapped["group_sizes"] == [2, 4]
    assert mapped["mean_field_error"].keys() == {"max", "mean"}
    assert mapped["inverted_share"].keys() == {"2", "4"}
    assert mapped["controls"].keys() == {"entropy", "dispersion", "reach", "natural gradient"}
    assert mapped["noise_floor"] > 0
    assert mapped["seconds"] > 0


def test_map_writes_what_it_says(mapped):
    assert sorted(os.path.splitext(path)[1] for path in mapped["files"]) == [".npz", ".png"]
    assert all(os.path.getsize(path) > 1000 for path in mapped["files"])
    result = rlsignal.load(mapped["files"][0])
    assert json.loads(json.dumps(result.summary))["inverted_share"] == mapped["inverted_share"]
    assert "What causes it" in str(result)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["verify", "--groups", "10"], "rlsignal verify: --groups must be at least 100000, got 10."),
        (["map", "--draws", "1"], "rlsignal map: --draws must be at least 2, got 1."),
        (["map", "--group-sizes", "1", "8"], "rlsignal map: --group-sizes must be at least 2, got 1."),
        (["map", "--group-sizes", "7"], "rlsignal map: --rollouts must be a multiple of every group size, got 3200"),
        (["map", "--steps", "0"], "rlsignal map: --steps must be at least 1, got 0."),
        (
            ["map", "--checkpoints", "a.jsonl", "--kl", "0.1"],
            "rlsignal map: --checkpoints are followed by plain ascent at temperature 1 alone. Leave out --kl, ",
        ),
        (["map", "--kl", "-1"], "rlsignal map: --kl must be at least 0, got -1."),
        (["map", "--seed", "-1"], "rlsignal map: --seed must be at least 0, got -1."),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_line_and_status_2(capsys, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert error.count("\n") == 1


def test_an_unwritable_folder_is_reported_before_the_work(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["map", "--output", str(tmp_path / "file" / "map")]) == 2
    assert "output must be in a folder that can be written" in capsys.readouterr().err


def test_progress_is_shown_to_people_only(capsys):
    """tqdm writes to stderr; the bar of each part ends where the next begins."""
    with Bar(silent=False) as bar:
        for part in ("one", "two"):
            bar.update(part, 1, 2)
            bar.update(part, 2, 2)
    shown = capsys.readouterr().err
    assert "one" in shown
    with Bar(silent=True) as bar:
        bar.update("three", 1, 2)
    assert capsys.readouterr().err == ""


def test_it_is_installed_as_a_program():
    (script,) = entry_points(group="console_scripts", name="rlsignal")
    assert script.load() is entry


def test_every_command_shows_an_example(capsys):
    for command in COMMANDS:
        with pytest.raises(SystemExit, match="0"):
            main([command, "--help"])
        text = capsys.readouterr().out
        assert f"example: rlsignal {command}" in text
        assert "?." not in text
        assert "--json" in text


@pytest.mark.parametrize("command", COMMANDS)
def test_no_option_s_help_repeats_its_name_or_is_missing(command):
    options = [x for x in _parser()._subparsers._group_actions[0].choices[command]._actions if x.option_strings]
    for option in options:
        name = option.option_strings[-1].lstrip("-").replace("-", " ")
        assert option.help, name
        assert option.help.lower().removeprefix("the ").strip(".") != name


class TestData:
    """The commands that read data: what a person reads, and what a machine does."""

    @pytest.fixture
    def evaluation(self, tmp_path):
        rows = [{"id": i, "prompt": f"p{i}", "n": 8, "c": c} for i, c in enumerate([0, 0, 1, 5, 8, 3] * 20)]
        path = tmp_path / "evaluation.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    @pytest.fixture
    def both(self, tmp_path):
        path = tmp_path / "both.jsonl"
        rows = [{"prompt": i % 40, "n": 8, "c": (i * 7) % 9, "checkpoint": i // 40} for i in range(80)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    @pytest.fixture
    def log(self, tmp_path):
        path = tmp_path / "log.jsonl"
        rows = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5, "loss": 0.0} for t in range(60)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    def test_diagnose_says_what_the_library_says(self, capsys, evaluation):
        assert main(["diagnose", str(evaluation), "--group-size", "4"]) == 0
        assert capsys.readouterr().out == f"{rlsignal.diagnose(evaluation, 4)}\n"
        assert main(["diagnose", str(evaluation), "--group-size", "4", "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == rlsignal.diagnose(evaluation, 4).summary

    def test_diagnose_writes_a_page_and_counts(self, capsys, evaluation, tmp_path):
        page, counts = tmp_path / "new" / "page.html", tmp_path / "counts.jsonl"
        assert main(["diagnose", str(evaluation), "--html", str(page), "--counts", str(counts)]) == 0
        assert page.read_text().startswith("<!doctype html>")
        assert json.loads(counts.read_text().splitlines()[3]) == {"id": "p3", "c": 5, "n": 8}
        assert rlsignal.diagnose(counts).chosen == rlsignal.diagnose(evaluation).chosen

    def test_diagnose_writes_the_prompts_to_keep(self, capsys, evaluation, both, tmp_path):
        ids = tmp_path / "new" / "ids.jsonl"
        assert main(["diagnose", str(evaluation), "--ids", str(ids)]) == 0
        rows = [json.loads(line) for line in ids.read_text().splitlines()]
        assert [row["id"] for row in rows] == list(rlsignal.read(evaluation).prompt)
        assert {"c", "n", "kind", "informative", "hopeless", "solved"} <= rows[0].keys()
        assert main(["diagnose", str(evaluation), "--ids", str(ids), "--keep", "informative"]) == 0
        kept = [json.loads(line) for line in ids.read_text().splitlines()]
        assert kept == [row for row in rows if row["kind"] == "informative"]
        assert f"Wrote {ids}." in capsys.readouterr().out
        assert main(["diagnose", str(both), "--at", "1", "--ids", str(ids), "--json"]) == 0
        assert len(ids.read_text().splitlines()) == rlsignal.read(both).at(checkpoint=1).prompts

    def test_keep_needs_a_file_to_write_to(self, capsys, evaluation):
        assert main(["diagnose", str(evaluation), "--keep", "informative"]) == 2
        assert "--keep must be given with --ids" in capsys.readouterr().err

    def test_diagnose_compares_the_checkpoints_of_a_file(self, capsys, both):
        assert main(["diagnose", str(both), "--at", "1"]) == 0
        said = capsys.readouterr().out
        assert said.splitlines()[1].startswith("evaluation, checkpoint 1: ")
        assert "2 checkpoints, 40 shared prompts" in said

    def test_diagnose_tracks_a_log(self, capsys, log):
        assert main(["diagnose", str(log), "--group-size", "8", "--window", "20", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["degenerate"] == [0.5, 0.5, 0.5]
        assert said["read_as"].startswith("TRL log; step `step`")

    def test_the_group_size_of_a_log_is_never_made_up(self, capsys, log):
        assert main(["diagnose", str(log)]) == 2
        assert "--group-size must be given, for the log does not state it" in capsys.readouterr().err

    def test_the_reading_is_said_first_and_its_call_on_request(self, capsys, evaluation):
        assert main(["diagnose", str(evaluation), "--explain"]) == 0
        call, first = capsys.readouterr().out.splitlines()[:2]
        assert first == "read as: counts per prompt; prompt `prompt`, correct `c`, samples `n`."
        assert eval(call, {"rlsignal": rlsignal}).correct.tolist() == rlsignal.read(evaluation).correct.tolist()

    def test_group_size_from_two_numbers_or_a_file(self, capsys, evaluation):
        assert main(["group-size", "--mean", "0.28", "--degenerate", "0.54", "--logged-at", "8", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        population = rlsignal.Beta(0.28, rlsignal.dispersion_for(0.28, 0.54, 8))
        assert said == rlsignal.recommend_group_size(population).summary
        assert [line["group_size"] for line in said["lines"]] == [2, 4, 8, 16, 32, 64]
        assert main(["group-size", str(evaluation), "--budget", "128"]) == 0
        assert "for 128 rollouts a step" in capsys.readouterr().out

    def test_group_size_of_a_file_with_several_checkpoints_asks_for_one(self, capsys, both):
        assert main(["group-size", str(both)]) == 2
        assert "--at must name one of the checkpoints 0, 1, got none." in capsys.readouterr().err
        assert main(["group-size", str(both), "--at", "1", "--json"]) == 0
        rows = rlsignal.read(both).at(checkpoint=1)
        assert json.loads(capsys.readouterr().out) == rlsignal.recommend_group_size(rows).summary

    def test_group_size_of_a_log(self, capsys, log):
        assert main(["group-size", str(log), "--logged-at", "8", "--groups", "64", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["lines"][2]["informative"]["estimate"] == pytest.approx(0.5)
        assert said["range"][0] <= said["group_size"] <= said["range"][1]

    def test_what_dynamic_sampling_costs(self, capsys, evaluation):
        assert main(["group-size", str(evaluation), "--batch", "32", "--draws", "2"]) == 0
        assert "with at most 2 batches of 32 it gives up" in capsys.readouterr().out

    def test_group_size_passes_the_notes_of_the_reader_on(self, capsys, tmp_path):
        path = tmp_path / "uneven.jsonl"
        path.write_text("".join(json.dumps({"prompt": i, "n": 4 + i % 2, "c": i % 4}) + "\n" for i in range(60)))
        assert main(["group-size", str(path)]) == 0
        assert "- Groups are of unequal size: 4 to 5 samples" in capsys.readouterr().out
        assert main(["group-size", str(path), "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["notes"][0].startswith("Groups are of unequal size")

    def test_compare_of_two_files_or_of_one_with_checkpoints(self, capsys, both, tmp_path):
        parts = []
        for name in ("base", "later"):
            rows = rlsignal.read(both).at(checkpoint=len(parts))
            path = tmp_path / name / f"{name}.jsonl"
            path.parent.mkdir()
            lines = zip(rows.prompt, rows.correct.tolist(), rows.samples.tolist(), strict=True)
            path.write_text("".join(json.dumps({"prompt": p, "c": c, "n": n}) + "\n" for p, c, n in lines))
            parts.append(str(path))
        assert main(["compare", *parts, "--json"]) == 0
        two = json.loads(capsys.readouterr().out)
        assert two["checkpoints"] == ["base", "later"]
        assert two == rlsignal.compare(dict(zip(("base", "later"), parts, strict=True))).summary
        assert main(["compare", str(both), "--group-size", "4"]) == 0
        assert capsys.readouterr().out == f"{rlsignal.compare(both, 4)}\n"
        assert main(["compare", parts[0], parts[0]]) == 2
        assert "FILE must name different files" in capsys.readouterr().err
        assert main(["compare", parts[0]]) == 2

    def test_track_says_what_the_library_says(self, capsys, log, tmp_path):
        assert main(["track", str(log), "--group-size", "8", "--groups", "64"]) == 0
        assert capsys.readouterr().out == f"{rlsignal.track(log, 8, groups=64)}\n"
        page = tmp_path / "page.html"
        assert main(["track", str(log), "--group-size", "8", "--window", "10", "--html", str(page), "--json"]) == 0
        assert len(json.loads(capsys.readouterr().out)["degenerate"]) == 6
        assert page.read_text().startswith("<!doctype html>")

    def test_diagnose_writes_a_page_of_a_log(self, capsys, log, tmp_path):
        page = tmp_path / "page.html"
        assert main(["diagnose", str(log), "--group-size", "8", "--html", str(page)]) == 0
        assert f"Wrote {page}." in capsys.readouterr().out
        assert "degenerate [95%]" in page.read_text()

    def test_diagnose_tracks_a_dump_too(self, capsys, tmp_path):
        path = tmp_path / "dump.jsonl"
        rows = [{"step": t, "prompt": f"{t}.{i}", "n": 8, "c": (3 * t + i) % 9} for t in range(20) for i in range(4)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert main(["diagnose", str(path), "--window", "10", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["track"] == rlsignal.track(path, 8, window=10).summary

    @pytest.mark.parametrize(
        ("rule", "status"),
        [
            ("informative>=0.3", 0),  # 0.5 [0.41, 0.59] at g = 8
            ("informative >= 0.5", 3),
            ("informative>=0.7", 1),
            ("degenerate<=0.7", 0),
            ("degenerate<=0.3", 1),
            ("pass@1>=0.35", 3),
        ],
    )
    def test_a_requirement_decides_the_exit_status_by_the_interval(self, capsys, evaluation, rule, status):
        assert main(["diagnose", str(evaluation), "--require", rule]) == status
        words = {0: "met", 1: "not met", 3: "not decided by these samples"}[status]
        assert f"Required: {rule}: {words}, by the interval [" in capsys.readouterr().out
        assert main(["diagnose", str(evaluation), "--require", rule, "--json"]) == status
        assert json.loads(capsys.readouterr().out)["require"] == {"rule": rule, "status": status}

    @pytest.mark.parametrize("rule", ["informative", "luck>=1", "informative>0.3", "informative>=x"])
    def test_a_rule_that_cannot_be_read_is_an_error(self, capsys, evaluation, rule):
        assert main(["diagnose", str(evaluation), "--require", rule]) == 2
        assert "--require must be a quantity" in capsys.readouterr().err

    def test_the_input_is_never_overwritten(self, capsys, evaluation, log):
        for command, path, option in (
            ("diagnose", evaluation, "--counts"),
            ("diagnose", evaluation, "--ids"),
            ("diagnose", log, "--html"),
            ("track", log, "--html"),
        ):
            before = path.read_text()
            assert main([command, str(path), option, str(path)]) == 2
            assert f"{option} must be a file of its own" in capsys.readouterr().err
            assert path.read_text() == before

    @pytest.mark.parametrize(
        ("file", "option", "what"),
        [
            ("log", ["--counts", "c.jsonl"], "a training log whose rows are not one group each"),
            ("log", ["--at", "base"], "a training log whose rows are not one group each"),
            ("log", ["--batch", "32"], "a training log whose rows are not one group each"),
            ("log", ["--fewest", "4"], "a training log whose rows are not one group each"),
            ("evaluation", ["--at", "base"], "an evaluation of fewer than 100 steps without checkpoints"),
            ("evaluation", ["--window", "5"], "an evaluation of fewer than 10 steps without checkpoints"),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else None,
    )
    def test_an_option_that_cannot_act_is_an_error(self, capsys, request, tmp_path, monkeypatch, file, option, what):
        monkeypatch.chdir(tmp_path)
        before = sorted(tmp_path.iterdir())
        assert main(["diagnose", str(request.getfixturevalue(file)), *option]) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"rlsignal diagnose: {option[0]} cannot act on {what}: leave it out.")
        assert len(set(tmp_path.iterdir()) - set(before)) <= 1  # the data itself

    @pytest.mark.parametrize(
        ("arguments", "what"),
        [
            (["FILE", "--mean", "0.3"], "--mean cannot act on a file"),
            (["FILE", "--logged-at", "8"], "--logged-at cannot act on data that is no training log"),
            (["FILE", "--at", "base"], "--at cannot act on data that names no checkpoints"),
            (["--mean", "0.3", "--dispersion", "0.2", "--at", "x"], "--at cannot act on --mean and --dispersion"),
            (["--mean", "0.3", "--dispersion", "0.2", "--logged-at", "8"], "--logged-at cannot act on --mean"),
            (["--mean", "0.3", "--dispersion", "0", "--degenerate", "0.5", "--logged-at", "8"], "--dispersion cannot"),
        ],
        ids=lambda value: " ".join(value) if isinstance(value, list) else None,
    )
    def test_nor_one_of_group_size(self, capsys, evaluation, arguments, what):
        assert main(["group-size", *(str(evaluation) if x == "FILE" else x for x in arguments)]) == 2
        assert capsys.readouterr().err.startswith(f"rlsignal group-size: {what}")

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (
                ["diagnose", "nowhere.jsonl"],
                "rlsignal diagnose: path must name a file or a folder, got 'nowhere.jsonl'",
            ),
            (["group-size"], "rlsignal group-size: FILE or --mean must be given, got neither."),
            (["group-size", "--mean", "0.3"], "rlsignal group-size: --dispersion or --degenerate must be given with"),
            (["group-size", "--mean", "0.3", "--degenerate", "0.5"], "rlsignal group-size: --logged-at must be given"),
            (["group-size", "--mean", "1.3", "--dispersion", "0"], "rlsignal group-size: --mean must lie in [0, 1]"),
        ],
        ids=" ".join,
    )
    def test_bad_input_is_one_line_and_status_2(self, capsys, tmp_path, monkeypatch, arguments, said):
        monkeypatch.chdir(tmp_path)
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert error.startswith(said)
        assert error.count("\n") == 1

    def test_neither_loads_jax_nor_matplotlib(self, evaluation):
        for command in (["diagnose", str(evaluation)], ["group-size", str(evaluation)]):
            code = (
                "import sys; from rlsignal.__main__ import main; main(sys.argv[1:]); "
                "assert not {'jax', 'matplotlib'} & set(sys.modules)"
            )
            subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True)


class TestLadder:
    @pytest.fixture
    def ran(self, small_ladder, tmp_path, monkeypatch, capsys):
        """The command, with small ladders in the place of those that take minutes."""
        from dataclasses import replace

        from rlsignal import sim

        asked = []

        def train(task, sft, grpo, **options):
            asked.append((task, sft, grpo, options))
            return replace(small_ladder, name=task.name)

        monkeypatch.setattr(sim, "depth_ladder", train)
        arguments = ["--seeds", "3", "--rates", "1e-4", "1e-3", "--steps", "100", "--output", str(tmp_path)]
        assert main(["ladder", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out), asked

    def test_trains_both_ladders_as_asked(self, ran):
        _, asked = ran
        assert [task.name for task, *_ in asked] == ["inverting", "safe control"]
        for _, sft, grpo, options in asked:
            assert sft.policy == grpo.policy
            assert (grpo.steps, grpo.records) == (100, 21)
            assert (options["seeds"], options["rates"], options["seed"]) == (3, [1e-4, 1e-3], 0)

    def test_for_machines(self, ran):
        said, _ = ran
        assert said["seconds"] >= 0
        needed = {"name", "seeds", "depths", "before", "after", "spearman_median", "noise_floor"}
        assert all(needed <= ladder.keys() for ladder in said["ladders"])

    def test_writes_what_it_says(self, ran):
        said, _ = ran
        assert [os.path.basename(path) for path in said["files"]] == [
            "ladder-inverting.npz",
            "ladder-safe-control.npz",
            "records.jsonl",
            "ladder.png",
        ]
        assert rlsignal.load(said["files"][0]).name == "inverting"
        with open(said["files"][2]) as rows:
            assert len(rows.readlines()) == 2 * 12

    def test_says_what_happened(self, small_ladder):
        from rlsignal.commands.ladder import _meaning

        text = _meaning(small_ladder, small_ladder)
        assert "docs/inversion.md" in text
        assert "small: " in text


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [{"step": 1, "reward": 1.5, "accuracy": 0.5, "loss": 0}],
            "--reward accuracy may be; name one with --reward.",
        ),
        (
            [{"reward": 1, "text": "a"}, {"reward": 0, "text": "b"}],
            "with --prompt or --group, or give --rollouts-per-group if",
        ),
    ],
    ids=["column", "group"],
)
def test_errors_of_the_reader_name_options_of_the_command_line(capsys, tmp_path, rows, said):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["diagnose", str(path)]) == 2
    assert said in capsys.readouterr().err


def test_output_that_nobody_reads_to_its_end_is_no_error(tmp_path):
    path = tmp_path / "counts.jsonl"
    path.write_text("".join(json.dumps({"prompt": i, "n": 8, "c": i % 9}) + "\n" for i in range(60)))
    command = f"{sys.executable} -m rlsignal diagnose {path} | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""


class TestLongWork:
    """What map and ladder settle before jax is loaded, and Dask."""

    @pytest.fixture
    def settled(self, monkeypatch):
        """The environment that a fresh process would have after `prepare_jax`, given some of its variables."""
        from rlsignal.commands import terminal

        def settle(**given):
            environment = {"HOME": "/home/me", **given}
            monkeypatch.setattr(terminal.sys, "modules", {})
            monkeypatch.setattr(terminal.os, "environ", environment)
            terminal.prepare_jax()
            monkeypatch.undo()
            return environment

        return settle

    def test_what_was_compiled_is_kept_even_if_it_compiled_quickly(self, settled):
        found = settled(XDG_CACHE_HOME="/cache")
        assert found["JAX_COMPILATION_CACHE_DIR"] == "/cache/rlsignal/jax"
        assert found["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] == "0"
        assert "device_count" in found["XLA_FLAGS"]

    def test_what_the_user_set_stays(self, settled):
        chosen = {"JAX_COMPILATION_CACHE_DIR": "/mine", "XLA_FLAGS": "--xla_force_host_platform_device_count=1"}
        assert chosen.items() <= settled(**chosen).items()

    def test_dask_that_is_not_installed_is_named(self, monkeypatch, tmp_path, capsys):
        monkeypatch.setitem(sys.modules, "distributed", None)
        assert main(["map", "--quick", "--dask", "local:2", "--output", str(tmp_path / "map")]) == 2
        assert "--dask needs Dask. Install it with: pip install 'rlsignal[dask]'" in capsys.readouterr().err


ANSWERS = {
    "Which group size?": r"\ng = \d+.* for 512 rollouts a step",
    "Which checkpoint to start from?": r"\n(Start from step200|Sample more|A tie|It depends)",
    "Is my run without a signal?": r"\nThe run is degenerat",
    "What does dynamic sampling cost?": r"for each group of \d+ that it keeps[\s\S]*gives up [\s\S]* of the time",
    "Which prompts to drop?": r"Wrote keep.jsonl\.",
    "Are 30 prompts x 8 samples enough?": r"30 prompts leave the share of degenerate groups open by ±\d+ points",
}


@pytest.mark.slow
def test_each_question_of_the_guide_is_answered_by_its_command(capsys, tmp_path, monkeypatch):
    guide = (Path(rlsignal.__file__).parents[1] / "docs" / "diagnosis.md").read_text(encoding="utf-8")
    commands = dict(re.findall(r"^\| ([^|]+\?) \| `rlsignal ([^`]+)` \|", guide, re.M))
    assert commands.keys() == ANSWERS.keys()
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rates = rng.beta(0.6, 1.4, 30)
    for name, shift in (("evaluation", 0.0), ("base", 0.0), ("step200", 0.4)):
        c = rng.binomial(8, np.clip(rates + shift, 0, 1)).tolist()
        rows = [{"prompt": i, "n": 8, "c": x} for i, x in enumerate(c)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    history = [{"step": t, "reward": 0.01, "frac_reward_zero_std": 1 - t % 2 / 16} for t in range(60)]
    (tmp_path / "trainer_state.json").write_text(json.dumps({"log_history": history}))
    for question, command in commands.items():
        assert main(command.split()) == 0, question
        assert re.search(ANSWERS[question], capsys.readouterr().out), question


def test_a_checkpoint_that_shows_no_dispersion_is_refused_before_the_map_is_simulated(capsys, tmp_path, monkeypatch):
    (tmp_path / "once.jsonl").write_text(
        "".join(json.dumps({"prompt": i, "n": 1, "c": i % 2}) + "\n" for i in range(40))
    )
    monkeypatch.setattr("rlsignal.sim.inversion_map", lambda *_, **__: pytest.fail("simulated"))
    options = ["--quick", "--output", str(tmp_path / "map"), "--checkpoints", str(tmp_path / "once.jsonl")]
    assert main(["map", *options]) == 2
    assert "checkpoint once: samples must be at least 2" in capsys.readouterr().err


def evaluated(path, prompts, c, n=8):
    path.write_text("".join(json.dumps({"prompt": i, "n": n, "c": x}) + "\n" for i, x in zip(prompts, c, strict=True)))
    return str(path)


class TestCheckpointsOfTheMap:
    """The rules and words of compare."""

    @pytest.fixture
    def refused(self, capsys, tmp_path, monkeypatch):
        monkeypatch.setattr("rlsignal.sim.inversion_map", lambda *_, **__: pytest.fail("simulated"))

        def message(*paths):
            assert main(["map", "--quick", "--output", str(tmp_path / "map"), "--checkpoints", *paths]) == 2
            return capsys.readouterr().err.removeprefix("rlsignal map: ").removeprefix("--")

        return message

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            (([1, 2, 3], [1, 2, 3]), ([4, 5, 6], [1, 2, 3])),  # none in common
            (([1, 2, 3], [1, 2, 3]), ([3, 4, 5], [1, 2, 3])),  # one
            (([1, 1, 2], [1, 2, 3]), ([1, 2, 3], [1, 2, 3])),  # twice
        ],
    )
    def test_prompts_that_do_not_match_are_refused_as_by_compare(self, refused, capsys, tmp_path, first, second):
        paths = evaluated(tmp_path / "a.jsonl", *first), evaluated(tmp_path / "b.jsonl", *second)
        said = refused(*paths)
        assert main(["compare", *paths, "--group-size", "2"]) == 2
        assert said.startswith(capsys.readouterr().err.removeprefix("rlsignal compare: ").rstrip("\n"))

    def test_a_way_out_that_the_map_lacks_comes_with_one_that_it_has(self, refused, tmp_path):
        said = refused(*(evaluated(tmp_path / f"{x}.jsonl", range(x, x + 2), [1, 2]) for x in (1, 5)))
        assert "map has no options of reading: give files with a row of prompt, n and c for each prompt." in said

    def test_a_log_is_refused(self, refused, tmp_path):
        rows = [{"step": t, "reward": 0.3 + t / 100, "frac_reward_zero_std": 0.5} for t in range(20)]
        (tmp_path / "run.json").write_text(json.dumps({"log_history": rows}))
        assert "checkpoints must be evaluations, got a training log for 'run'" in refused(str(tmp_path / "run.json"))

    def test_shared_prompts_are_matched_by_id_and_the_others_counted(self, tmp_path):
        first = evaluated(tmp_path / "a.jsonl", range(10), [8, 7, 6, 5, 4, 3, 2, 1, 0, 0])
        second = evaluated(tmp_path / "b.jsonl", [*range(9, 1, -1), 20], [0, 0, 1, 2, 3, 4, 5, 6, 8])
        counts, notes = _evaluated([first, second])
        assert notes == ("3 prompts that some checkpoint lacks, or has no counts of, are left out.",)
        np.testing.assert_array_equal(counts["a"].correct, counts["b"].correct)  # the same prompts in the same order

    def test_one_file_may_hold_several_checkpoints(self, tmp_path):
        rows = [{"prompt": i, "checkpoint": x, "n": 8, "c": i % 8} for x in ("base", "step 200") for i in range(12)]
        (tmp_path / "both.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert list(_evaluated([str(tmp_path / "both.jsonl")])[0]) == ["both: base", "both: step 200"]

    def test_help_tells_what_cannot_be_asked_with_them(self, capsys):
        with pytest.raises(SystemExit):
            main(["map", "--help"])
        said = " ".join(capsys.readouterr().out.split())
        assert "not with --kl, --temperature, --dynamic-sampling or --optimizer" in said
