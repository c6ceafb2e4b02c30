"""Without TRL the door says what to install."""

import importlib.util
import subprocess
import sys

import pytest


def test_without_trl_the_error_says_what_to_install():
    if importlib.util.find_spec("transformers"):
        pytest.skip("TRL is there; its absence is what is tested")
    done = subprocess.run([sys.executable, "-c", "import rlsignal.integrations.trl"], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        "ModuleNotFoundError: rlsignal.integrations.trl needs TRL. Install it with: pip install 'rlsignal[trl]'."
    )
