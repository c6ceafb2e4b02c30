"""The one handler of the command line: every error that is the caller's is one line with advice, and nothing hangs."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rlsignal.__main__ import main
from rlsignal.commands import verify

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
        ("compare DATA DATA2 --group-size 4 --budgets 3 -1", "--budgets must lie in [0, inf], got -1."),
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
