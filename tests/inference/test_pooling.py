"""May two visits be pooled? Rejected as rarely as stated under one policy, and found when the policy has moved."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from rlsignal import Recorded
from rlsignal.inference.pooling import exchangeability


def visits(rng, prompts, first, second, *, moved=None, mean=0.3, dispersion=0.5):
    size = 1 / dispersion - 1
    p = rng.beta(mean * size, (1 - mean) * size, prompts)
    later = p if moved is None else moved(p)
    return Recorded(rng.binomial(first, p), first), Recorded(rng.binomial(second, later), second)


@pytest.mark.parametrize(("first", "second"), [(2, 2), (3, 5)])
def test_moments_under_one_policy_exactly(first, second):
    """Two prompts' every outcome in rational arithmetic: the squared difference has the mean that is expected."""
    p, n = Fraction(1, 3), first + second
    squares = expected = Fraction(0)
    for a in range(first + 1):
        for b in range(second + 1):
            chance = comb(first, a) * comb(second, b) * p ** (a + b) * (1 - p) ** (n - a - b)
            squares += chance * (Fraction(b, second) - Fraction(a, first)) ** 2
            c = a + b  # hypergeometric variance of a given c, over the squared slope of the difference in a
            of_a = Fraction(first * second * c * (n - c), n * n * (n - 1))
            expected += chance * of_a * (Fraction(1, first) + Fraction(1, second)) ** 2
    assert squares == expected


@pytest.mark.parametrize(("first", "second", "prompts"), [(8, 8, 100), (4, 8, 50)])
def test_rejects_one_policy_as_rarely_as_it_should(first, second, prompts):
    rng, runs = np.random.default_rng(0), 300
    found = [exchangeability(*visits(rng, prompts, first, second)) for _ in range(runs)]
    for p in ("shift_p", "variance_p", "p_value"):
        rejected = np.mean([getattr(x, p) < 0.05 for x in found])
        assert rejected < 0.05 + 4 * np.sqrt(0.05 * 0.95 / runs), p
    assert np.mean([x.shift_p < 0.05 for x in found]) > 0.01


def test_sees_all_prompts_rise():
    rng = np.random.default_rng(0)
    risen = visits(rng, 300, 8, 8, moved=lambda p: p + 0.3 * p * (1 - p))
    found = exchangeability(*risen)
    assert found.shift > 0
    assert found.shift_p < 1e-3


def test_sees_prompts_trade_places():
    """Half rise, half fall, the mean stays: only the variance ratio shows it."""
    rng = np.random.default_rng(0)
    sign = np.where(np.arange(300) % 2, 1, -1)
    found = exchangeability(*visits(rng, 300, 8, 8, moved=lambda p: p + sign * 0.9 * p * (1 - p)))
    assert found.shift_p > 0.01
    assert found.variance_ratio > 1
    assert found.variance_p < 1e-3
    assert found.p_value == 2 * min(found.shift_p, found.variance_p)


def test_one_sample_each_gives_no_variance_ratio():
    found = exchangeability(Recorded([0, 1, 1, 0], 1), Recorded([1, 0, 1, 0], 1))
    assert found.variance_p == 1
    assert found.shift == 0


def test_prompts_that_never_vary_show_nothing():
    found = exchangeability(Recorded([0, 8], 8), Recorded([0, 8], 8))
    assert found.p_value == 1
    assert np.isnan(found.variance_ratio)


def test_the_same_prompts_are_needed():
    with pytest.raises(ValueError, match=r"^first and second must have the same prompts, got 2 and 3 of them\."):
        exchangeability(Recorded([0, 1], 2), Recorded([0, 1, 2], 2))
