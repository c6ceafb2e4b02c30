"""The one handler of the command line: every error that is the caller's is one line with advice, and nothing hangs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import pytest

from rlsignal import sim
from rlsignal.__main__ import _parser, main
from rlsignal.commands import verify
from rlsignal.commands.terminal import number, whole

ROOT = Path(__file__).parents[1]


def jax_error(text):
    return type("XlaRuntimeError", (RuntimeError,), {"__module__": "jaxlib._jax"})(text)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("group-size --mean 0.3 --dispersion 2", "--dispersion must lie in [0, 1], got 2."),
        ("group-size --mean 0.3 --degenerate 0.2 --logged-at 1", "--logged-at must be at least 2, got 1."),
        ("group-size --mean 0.3 --dispersion 0.2 --budget 0", "--budget must be at least 4, got 0."),
        ("diagnose DATA --group-size 1", "--group-size must be at least 2, got 1."),
        ("diagnose DATA --rollouts-per-group 1", "--rollouts-per-group must be at least 2, got 1."),
        ("compare DATA DATA2", "--group-size must be at most 4, "),
        ("compare DATA DATA2 --group-size 4 --budgets 3 -1", "--budgets must lie in [0, inf], got -1 at index 1."),
        ("ladder --output OUT --steps 0", "--steps must be at least 1, got 0."),
        ("map --output OUT --grid 0", "--grid must be at least 2, got 0."),
        ("map --output OUT --group-sizes 8 1", "--group-sizes must be at least 2, got 1."),
    ],
)
def test_an_error_names_the_option_that_was_typed(tmp_path, capsys, typed, said):
    for name in ("DATA", "DATA2"):
        (tmp_path / name).write_text("prompt,n,c\n" + "".join(f"p{i},4,{i % 5}\n" for i in range(9)))
    arguments = [str(tmp_path / x) if x.isupper() or x == "DATA2" else x for x in typed.split()]
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"rlsignal {arguments[0]}: {said}")


class Started(Exception):
    """The work has begun: what was typed is fine."""


def numeric_options():
    commands = _parser()._subparsers._group_actions[0].choices
    for command, parser in commands.items():
        for option in parser._actions:
            if option.option_strings and option.type in (whole, number):
                yield pytest.param(command, option, id=f"{command} {option.option_strings[-1]}")


class TestNumbers:
    """Every option that takes a number, with numbers that no option is for."""

    TYPED: ClassVar = {
        "diagnose": "FILE --group-size 2",
        "compare": "FILE OTHER --group-size 2",
        "track": "LOG --group-size 8",
        "group-size": "FILE",
        "verify": "",
        "map": "--prompts 8 --steps 4 --draws 2 --group-sizes 2 --rollouts 8 --grid 2 --output OUT",
        "ladder": "--seeds 2 --steps 2 --depths 0 2 --output OUT",
    }

    @pytest.fixture
    def files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        rows = [{"prompt": i, "n": 2, "c": i % 3} for i in range(9)]
        for name in ("FILE", "OTHER"):
            Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        steps = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5, "loss": 0.0} for t in range(60)]
        Path("LOG").write_text("".join(json.dumps(row) + "\n" for row in steps))

    @pytest.fixture
    def idle(self, files, monkeypatch):
        """No command works."""

        def begin(*_, **__):
            raise Started

        work = ("diagnosis.diagnose._diagnosis", "diagnosis.compare.group_estimate", "diagnosis.group_size._source")
        for name in (*work, "proofs.verify.check", "sim.Runner.run"):
            monkeypatch.setattr(f"rlsignal.{name}", begin)
        monkeypatch.setattr(sim.Runner, "hardware", "none")

    @pytest.mark.usefixtures("idle")
    @pytest.mark.parametrize(("command", "option"), [*numeric_options()])
    def test_what_is_refused_is_named_as_it_was_typed_with_a_reason_that_fits(self, capsys, command, option):
        name = option.option_strings[-1]
        for value in ("-1", "nan", "1e300", "1" + "0" * 20, "some"):
            more = ["10"] * (option.nargs - 1) if isinstance(option.nargs, int) else []
            context = ["--steps", "100"] if name == "--pool" else []
            try:
                status = main([command, *self.TYPED[command].split(), *context, name, value, *more])
            except Started:
                status = 0
            except SystemExit as end:  # argparse
                status = end.code
            error = capsys.readouterr().err
            assert status in (0, 2)
            if value == "some" or (value in ("nan", "1e300") and option.type is whole):
                kind = "a whole number" if option.type is whole else "a number"
                assert f"error: argument {name}: must be {kind}, got {value!r}" in error
            elif status:
                assert re.match(rf"rlsignal {command}: {name} (must |needs |cannot act )", error), error
                assert error.count("\n") == 1
                assert ("float32" in error) <= (value == "1e300" or value.startswith("10"))

    @pytest.mark.usefixtures("files")
    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("map --temperature -1", "--temperature must be above 0, got -1."),
            ("map --learning-rate 0", "--learning-rate must be above 0, got 0."),
            ("map --kl nan", "--kl must be at least 0, got nan."),
            ("map --kl 1e31", "--kl must lie in [0, 1e+30], got 1e+31. Outside of that float32 overflows or loses it."),
            (
                "map --seed 4294967296",
                "--seed must be at most 4294967295, got 4294967296. Beyond, random numbers repeat",
            ),
            ("map --correct 0", "--correct must be at least 1, got 0. Each prompt needs a correct and an incorrect"),
            ("ladder --noise -1", "--noise must lie in [0, 1], got -1."),
            ("ladder --kl -1", "--kl must lie in [0, 1e+30], got -1."),
            ("diagnose FILE --window 0", "--window must be at least 1, got 0."),
            ("diagnose FILE --require pass@1>=e", "--require must be a quantity ("),
            (
                "track LOG --threshold 0.5",
                "--threshold must have something to act on, got 0.5 for training log.",
            ),
            (
                "group-size NONE",
                "'NONE' must have a correct sample, got none of 320 over 40 prompts. Sample more, or take",
            ),
            ("group-size ALL", "'ALL' must have an incorrect sample, got none of 320 over 40 prompts."),
            ("group-size ONE", "'ONE' must have two samples of at least half of its 40 prompts, got fewer."),
            ("group-size --mean 0 --dispersion 0.2", "--mean must leave groups that are informative, got mean 0.000, "),
            ("group-size --mean 30 --dispersion 0.2", "--mean must lie in [0, 1], got 30. If these are percentages, "),
            ("group-size --mean 0.3 --dispersion 0.2 --steps 9", "--pool must be given with --steps, got none."),
            ("group-size FILE --pool 9", "--steps must be given with --pool, got none."),
        ],
    )
    def test_the_reason_and_the_way_out_fit_the_value(self, capsys, typed, said):
        for name, n, c in (("NONE", 8, 0), ("ALL", 8, 8), ("ONE", 1, 1)):
            rows = [{"prompt": i, "n": n, "c": c if n > 1 else i % 2} for i in range(40)]
            Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert main(typed.split()) == 2
        assert capsys.readouterr().err.startswith(f"rlsignal {typed.split()[0]}: {said}")


class TestOneLine:
    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (ValueError("p must lie in [0, 1],\n got 2."), "p must lie in [0, 1], got 2."),
            (OSError("output must be a regular file."), "output must be a regular file."),
            (MemoryError("Unable to allocate 1 TiB"), "out of memory (Unable to allocate 1 TiB). Give a smaller file"),
            (MemoryError(), "out of memory (no details)."),
            (
                OverflowError("int too large to convert to float"),
                "a number is too large to compute with (int too large",
            ),
            (jax_error("RESOURCE_EXHAUSTED: Out of memory"), "jax failed: RESOURCE_EXHAUSTED: Out of memory."),
            (
                RuntimeError("block 3 (cells 12 to 15) failed in a worker: ValueError('x')."),
                "block 3 (cells 12 to 15) failed in a worker: ValueError('x'). Finished blocks are kept: look at the",
            ),
            (RuntimeError("Unable to initialize backend 'cuda'"), "jax finds no such device: Unable to initialize"),
            (ValueError("checkpoint '\x1b[31mred\udcff'"), r"checkpoint '\x1b[31mred\udcff'"),
        ],
        ids=lambda x: type(x).__name__ if isinstance(x, Exception) else "",
    )
    def test_what_is_the_caller_s(self, monkeypatch, capsys, error, said):
        monkeypatch.setattr(verify.rlsignal, "verify", lambda **_: (_ for _ in ()).throw(error))
        assert main(["verify"]) == 2
        printed = capsys.readouterr().err
        assert printed.startswith(f"rlsignal verify: {said}")
        assert printed.count("\n") == 1
        assert printed.strip("\n").isprintable()

    @pytest.mark.parametrize("error", [RuntimeError("a slip"), KeyError("x"), AssertionError()])
    def test_what_is_ours_is_not_hidden(self, monkeypatch, error):
        monkeypatch.setattr(verify.rlsignal, "verify", lambda **_: (_ for _ in ()).throw(error))
        with pytest.raises(type(error)):
            main(["verify"])


def started(*arguments, program=("-m", "rlsignal"), **environment):
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        cwd=ROOT,
        text=True,
        errors="replace",
    )


SWALLOWED = """
import os, signal, sys
from rlsignal import __main__, store

class Swallows:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)  # an exception of __del__ is printed and forgotten

def write(file):
    file.write(b"half")
    file.flush()
    Swallows()

__main__.main = lambda: store.write_atomically(sys.argv[2], write)
__main__.entry()
"""


@pytest.fixture
def heard():
    """An interrupt reaches children, also where a shell that runs the tests in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
class TestInterrupts:
    @pytest.mark.parametrize(
        ("command", "resume"), [("verify", ""), ("map", " Finished blocks are kept: run the same")]
    )
    def test_none_is_swallowed_and_no_half_file_stays(self, tmp_path, command, resume):
        run = started(command, str(tmp_path / "output"), program=("-c", SWALLOWED))
        _, err = run.communicate(timeout=60)
        assert run.returncode == 130
        assert err.startswith(f"\nrlsignal: interrupted.{resume}")
        assert err.count("\n") == 2
        assert os.listdir(tmp_path) == []

    def test_one_that_the_shell_had_ignored_stays_ignored(self, tmp_path):
        ignored = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{SWALLOWED}"
        run = started("map", str(tmp_path / "output"), program=("-c", ignored))
        _, err = run.communicate(timeout=60)
        assert (run.returncode, err, os.listdir(tmp_path)) == (0, "", ["output"])

    @pytest.mark.slow
    @pytest.mark.parametrize("after", [1.5, 2.5, 4.0])
    def test_one_in_compilation_ends_cleanly(self, tmp_path, after):
        run = started("map", "--quick", "--output", str(tmp_path / "map"))
        time.sleep(after)
        run.send_signal(signal.SIGINT)
        _, err = run.communicate(timeout=60)
        assert run.returncode in (130, -signal.SIGINT)  # before the handler stands, Python itself ends by the signal
        assert "Segmentation" not in err
        assert "Fatal" not in err


def test_a_terminal_without_unicode_gets_escapes(tmp_path):
    data = tmp_path / "data.jsonl"
    row = '{{"prompt": {}, "n": 2, "c": 1, "checkpoint": "\\ud83d"}}\n'
    data.write_text("".join(row.format(prompt) for prompt in range(9)))
    run = started("diagnose", str(data), "--group-size", "2", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    out, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (0, "")
    assert re.search(r"checkpoint \\ud83d", out)
    assert out.isascii()
