"""What a faulty verifier does. Its noise is shown in test_efficiency, over every group and every verdict."""

from fractions import Fraction

import mpmath
import pytest

from rlsignal import degenerate_probability
from rlsignal.theory.filters import noisy_pass_rate, noisy_verifier_efficiency

mp = mpmath.mp.clone()
mp.dps = 700

EXTREMES = (1e-300, 1e-17, 1e-8, 0.02, 0.3, 0.5, 0.9, 1 - 1e-8, 1 - 1e-16)


@pytest.mark.parametrize("p", EXTREMES)
@pytest.mark.parametrize(("negatives", "positives"), [(0, 0), (0.1, 0.05), (0.5, 0), (0, 0.3), (0.9, 0.1 - 1e-9)])
def test_twelve_digits(p, negatives, positives):
    x, n, f = mp.mpf(p), mp.mpf(negatives), mp.mpf(positives)
    seen = (1 - n) * x + f * (1 - x)
    faults = {"fnr": negatives, "fpr": positives}
    assert abs(mp.mpf(noisy_pass_rate(p, **faults)) / seen - 1) < 1e-12
    want = (1 - n - f) ** 2 * x * (1 - x) / (seen * (1 - seen))
    tolerance = 1e-12 if n + f < 0.9 else 1e-6  # 1 - FN - FP is 1e-9, from rates of order one
    assert abs(mp.mpf(noisy_verifier_efficiency(p, **faults)) / want - 1) < tolerance


def test_is_the_squared_correlation_of_truth_and_verdict():
    p, n, f = Fraction(1, 10), Fraction(1, 5), Fraction(1, 20)
    joint = {(1, 1): p * (1 - n), (1, 0): p * n, (0, 1): (1 - p) * f, (0, 0): (1 - p) * (1 - f)}
    mean = lambda h: sum(c * h(*cell) for cell, c in joint.items())
    r, v, both = mean(lambda r, v: r), mean(lambda r, v: v), mean(lambda r, v: r * v)
    square = (both - r * v) ** 2 / (r * (1 - r) * v * (1 - v))
    faults = {"fnr": float(n), "fpr": float(f)}
    assert noisy_verifier_efficiency(float(p), **faults) == pytest.approx(float(square), rel=1e-13)
    assert noisy_pass_rate(float(p), **faults) == pytest.approx(float(v), rel=1e-15)


def test_looks_healthier_and_is_worse():
    faults = {"fnr": 0.1, "fpr": 0.05}
    dead = [degenerate_probability(p, 8) for p in (0.02, noisy_pass_rate(0.02, **faults))]
    assert dead == pytest.approx([0.85, 0.57], abs=5e-3)
    assert noisy_verifier_efficiency(0.02, **faults) == pytest.approx(0.23, abs=5e-3)


def test_a_verdict_by_coin_is_worth_nothing():
    assert noisy_verifier_efficiency([0.1, 0.5], fnr=1, fpr=0).tolist() == [0, 0]
    assert noisy_verifier_efficiency(0.3, fnr=0.5, fpr=0.5) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: noisy_pass_rate(0.5, fnr=0.6, fpr=0.5),
            r"fnr \+ fpr must lie in",
        ),
        (lambda: noisy_verifier_efficiency(0.0, fnr=0, fpr=0), r"p must lie in \(0, 1\), got 0"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
