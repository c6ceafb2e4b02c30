"""Counts behind shares: any number of samples, rounded or not, stated or not."""

import json

import numpy as np
import pytest

from rlsignal import read
from rlsignal.data.shares import check_shares, infer_samples


@pytest.mark.parametrize("digits", [2, 3, 4, 6])
def test_a_share_that_rounds_several_counts_is_refused_and_no_other(digits):
    """Of n samples all counts have different shares of so many digits as long as n is below 10^digits, and no more."""
    for n in (3, 7, 64, 99, 100, 150, 999, 1000, 3000, 9999, 10000, 20000):
        counts = np.unique(np.linspace(0, n, 41).round())
        stated = [(round(c / n, digits), n, f"row {i}") for i, c in enumerate(counts.tolist())]
        written = max(len(f"{share!r}".partition(".")[2]) for share, _, _ in stated)
        if n <= 10**written:
            check_shares("rate", stated)
        else:
            with pytest.raises(ValueError, match=rf"^rate must have more than {written} digits, for {n} samples have"):
                check_shares("rate", stated)


def test_columns_that_are_read_together_are_each_taken_as_they_are_written(tmp_path):
    """Full digits in one file do not make the two digits of another one exact."""
    exact, rounded = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    exact.write_text("\n".join(json.dumps({"id": f"a{i}", "pass_rate": i / 7, "n": 7}) for i in range(8)))
    rounded.write_text("\n".join(json.dumps({"id": f"b{i}", "pass_rate": i / 100, "n": 1000}) for i in range(30, 40)))
    assert read(exact).correct.tolist() == list(range(8))
    for several in ([exact, rounded], [rounded, exact]):
        with pytest.raises(ValueError, match=r"^pass_rate must have more than 2 digits, .* in line 1 of b\.jsonl\."):
            read(several)


def test_a_checkpoint_s_own_number_needs_more_than_a_coincidence():
    """At 32 samples for all, three shares that would do for 4 are no evidence, twenty are."""
    rng = np.random.default_rng(0)
    most = rng.integers(1, 32, 60) / 32
    for count, right in ((3, 32), (20, 4)):
        few = np.resize([0.25, 0.5, 0.75], count)
        names = ["most"] * 60 + ["few"] * count
        samples, text = infer_samples(np.concatenate([most, few]), names, "x.csv", "rate")
        assert samples[:60].tolist() == [32] * 60
        assert samples[60:].tolist() == [right] * count
        assert ("32 is the smallest" in text) == (right == 32)


def test_shares_of_one_number_are_hardly_ever_taken_for_fewer():
    """10 prompts of one checkpoint beside 200 of another, all of 16 samples: at most one of a thousand is misread."""
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(400):
        shares = rng.binomial(16, rng.beta(0.6, 1.2, 210)) / 16
        samples, _ = infer_samples(shares, ["a"] * 200 + ["b"] * 10, "x.csv", "rate")
        wrong += bool((samples != samples[0]).any())
    assert wrong <= 3
