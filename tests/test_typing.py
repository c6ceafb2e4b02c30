"""A user's typed script checks against the installed package, and a wrong one does not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import rlsignal as rl

data = rl.Recorded(correct=[0, 1, 8], samples=8)
share: float = rl.advantage_variance(0.2, 8) + rl.degenerate_probability(data, 4)
table = rl.GRPO.table(4)
weight: float = rl.GRPO.weight(0.05, 8)
shown = round(rl.degenerate_probability(rl.Beta(0.33, 0.49), 8), 2)
weights: rl.Estimate = rl.inference.group_estimate(rl.GRPO.weight, data, 8)
first: float = table[0, 0]
found = rl.diagnose([[0, 1], [1, 1]] * 30, 2)
low: float = found.chosen.degenerate.low
passed: bool = rl.verify().passed
estimate: rl.Estimate = rl.inference.group_estimate(rl.degenerate_probability, data, 4)
"""


def checked(script, folder):
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--follow-imports",
            "silent",
            "--cache-dir",
            os.fspath(folder / "cache"),
            "script.py",
        ],
        cwd=folder,
        env={**os.environ, "MYPYPATH": os.fspath(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
def test_a_script_is_checked(tmp_path):
    assert checked(SCRIPT, tmp_path) == (0, "Success: no issues found in 1 source file\n")


@pytest.mark.slow
def test_mistakes_are_seen(tmp_path):
    code, text = checked(SCRIPT + '\nrl.advantage_variance(0.2, "8")\nrl.GRPO.tables(4)\n', tmp_path)
    assert code == 1
    assert 'No overload variant of "__call__" of "Question" matches argument types "float", "str"' in text
    assert 'has no attribute "tables"' in text
