"""What the long runs write: JSON that every reader takes."""

import json

import numpy as np

from experiments.evidence import _short
from rlsignal.results import EntropySwap


def test_what_is_no_number_is_written_as_null():
    found = _short({"a": float("nan"), "b": [np.float64("inf"), 1.23456789, 3], "c": (None, "nan", True)})
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "a": None,
        "b": [None, 1.23457, 3],
        "c": [None, "nan", True],
    }


def test_a_share_of_no_gap_is_null():
    """Two seeds whose checkpoints do not differ: there is no gap that a swap could close."""
    after = np.full((3, 2, 4), 0.5)
    each = np.zeros((2, 4))
    swap = EntropySwap("x", (1, 2), 1e-3, 10, entropy=each, dispersion=each, informative=each, after=after)
    assert np.isnan(swap.shares()["recovered"]).all()
    assert _short(swap.shares()) == {"recovered": [None, None], "reproduced": [None, None]}
