"""What a noisy verifier does. Its noise is shown in test_efficiency, over every group and every verdict."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from rlsignal import GRPO, RLOO, degenerate_probability
from rlsignal.estimators import ESTIMATORS, under_noisy_verifier
from rlsignal.theory import escape_time, learning_speed
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

    def mean(h):
        return sum(c * h(*cell) for cell, c in joint.items())

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


class TestUnderANoisyVerifier:
    """The averaged table moves the true pass rate as the run with that verifier does."""

    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
    @pytest.mark.parametrize(("fnr", "fpr"), [(0.1, 0.05), (0.5, 0.3), (0.7, 0.6), (0.0, 0.0), (1.0, 0.0)])
    def test_its_weight_is_that_of_the_verdicts_times_what_is_left(self, estimator, fnr, fpr):
        p = np.array([1e-6, 0.02, 0.3, 0.97])
        seen = (1 - fnr) * p + fpr * (1 - p)
        got = under_noisy_verifier(estimator, fnr=fnr, fpr=fpr).weight(p, 7)
        np.testing.assert_allclose(got, (1 - fnr - fpr) * estimator.weight(seen, 7), rtol=1e-11, atol=1e-14)

    def test_the_flow(self):
        """dp/dt = J w(p~) (pq)^2: 12 times slower than at p~; RLOO escapes in the old time over J."""
        p, noisy = 0.02, under_noisy_verifier(GRPO, fnr=0.1, fpr=0.05)
        seen = noisy_pass_rate(p, fnr=0.1, fpr=0.05)
        want = 0.85 * GRPO.weight(seen, 8) * (p * (1 - p)) ** 2
        assert learning_speed(p, 8, noisy) == pytest.approx(want, rel=1e-12)
        assert learning_speed(seen, 8, GRPO) / want == pytest.approx(12.0, abs=0.05)
        slow = escape_time(p, 8, under_noisy_verifier(RLOO, fnr=0.1, fpr=0.05))
        assert slow == pytest.approx(escape_time(p, 8, RLOO) / 0.85, rel=1e-9)

    def test_a_run_with_drawn_verdicts(self):
        """Of 200,000 groups the mean update, in units of grad p, within five standard errors; w(p~) is refused."""
        p, g, groups = 0.1, 8, 200_000
        generator = np.random.default_rng(0)
        truth = generator.random((groups, g)) < p
        verdicts = np.where(truth, generator.random((groups, g)) > 0.2, generator.random((groups, g)) < 0.1)
        update = (GRPO.advantages(verdicts) * (truth - p) / (p * (1 - p))).mean(-1)
        error = update.std() / np.sqrt(groups)
        assert abs(update.mean() - under_noisy_verifier(GRPO, fnr=0.2, fpr=0.1).weight(p, g)) < 5 * error
        assert abs(update.mean() - GRPO.weight(noisy_pass_rate(p, fnr=0.2, fpr=0.1), g)) > 20 * error

    def test_where_verdicts_mean_their_opposite_pass_rates_fall(self):
        assert learning_speed(0.3, 8, under_noisy_verifier(GRPO, fnr=0.7, fpr=0.6)) < 0
        with pytest.raises(ValueError, match="must reward success"):
            escape_time(0.3, 8, under_noisy_verifier(GRPO, fnr=0.7, fpr=0.6))
