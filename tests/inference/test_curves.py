"""Laws fitted to curves: what they find where they are true, how sure they are, and where they mislead."""

import numpy as np
import pytest

from rlsignal import GRPO, Beta
from rlsignal.inference import exponential_fit, sigmoid_fit
from rlsignal.theory import forecast, reward_entropy

COMPUTE = np.geomspace(1, 1000, 60)


def sigmoid(compute, start=0.2, ceiling=0.8, exponent=1.3, midpoint=40.0):
    return start + (ceiling - start) / (1 + (midpoint / compute) ** exponent)


def test_a_sigmoid_is_found():
    found = sigmoid_fit(COMPUTE, sigmoid(COMPUTE), start=0.2)
    assert [found.ceiling, found.exponent, found.midpoint] == pytest.approx([0.8, 1.3, 40], rel=1e-6)
    np.testing.assert_allclose(found.predict([10.0, 1e4]), sigmoid(np.array([10.0, 1e4])), rtol=1e-6)


@pytest.mark.slow
def test_its_errors_are_those_of_repeated_runs():
    """Standard errors against the scatter of 100 noisy runs, within a third; the truth within two of them as often."""
    rng = np.random.default_rng(0)
    truth = np.array([0.8, 1.3, 40.0])
    fits = [sigmoid_fit(COMPUTE, sigmoid(COMPUTE) + rng.normal(0, 0.01, 60), start=0.2) for _ in range(100)]
    values, errors = np.array([(f.ceiling, f.exponent, f.midpoint) for f in fits]), np.array([f.errors for f in fits])
    np.testing.assert_allclose(errors.mean(0), values.std(0), rtol=0.3)
    held = (np.abs(values - truth) < 2 * errors).mean(0)
    assert np.all(held > 0.9)


def test_an_early_part_of_another_kind_is_left_out():
    """Warm-up: nothing is learned before 5 units of compute."""
    late = np.where(COMPUTE < 5, 0.2, sigmoid(COMPUTE))
    assert sigmoid_fit(COMPUTE, late, skip=5, start=0.2).ceiling == pytest.approx(0.8, rel=1e-6)
    assert abs(sigmoid_fit(COMPUTE, late, start=0.2).ceiling - 0.8) > 1e-3


def test_a_curve_that_has_not_bent_fixes_no_ceiling():
    found = sigmoid_fit(COMPUTE[:12], sigmoid(COMPUTE[:12], midpoint=1e5) + 1e-4 * np.cos(np.arange(12)), start=0.2)
    assert found.errors == (np.inf, np.inf, np.inf)
    flat = sigmoid_fit(COMPUTE, 0.4 + 0.01 * np.cos(np.arange(60)))
    assert flat.errors[0] > 0.1 or np.isinf(flat.errors[0])


def test_the_ceiling_of_a_population_is_where_the_fit_ends():
    """Far outside of its own error: residuals are no noise."""
    budgets = np.geomspace(8, 4096, 40)
    curve = np.array([forecast(Beta(0.2, 0.6), 8, GRPO, budget=t) for t in budgets])
    early, whole = (sigmoid_fit(budgets[:n], curve[:n], start=0.2) for n in (18, 40))
    assert early.residual < 0.003
    assert curve[-1] - early.ceiling > 10 * early.errors[0]
    assert whole.ceiling > early.ceiling + 0.05


def test_an_exponential_law_is_found():
    h = np.linspace(0.2, 2, 30)
    found = exponential_fit(h, 1.1 - 0.2 * np.exp(h))
    assert (found.a, found.b) == pytest.approx((0.2, 1.1), rel=1e-10)
    assert found.explained == pytest.approx(1)
    assert found.predict(1.0) == pytest.approx(1.1 - 0.2 * np.e)


def test_the_law_fits_a_run_that_it_does_not_hold_for():
    p = np.linspace(0.1, 0.8, 100)
    run = exponential_fit(reward_entropy(p) + p * 2 + (1 - p) * 6, p)
    assert run.explained > 0.95
    assert run.predict(2.0) < 0.8


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: exponential_fit([1, 2], [1, 2]),
            r"^entropy and reward must be one number for each of at least 3 rows",
        ),
        (lambda: exponential_fit([1, 1, 1], [1, 2, 3]), r"^entropy must take different values, got 1 only"),
        (lambda: sigmoid_fit([1, 2, 3, 4], [1, 2, 3]), r"^compute and reward must be one number for each"),
        (lambda: sigmoid_fit([0, 2, 3, 4], [1, 2, 3, 4]), r"^compute must lie in"),
        (lambda: sigmoid_fit([1, 2, 3, 4, 5], np.arange(5), skip=4), r"^skip must leave at least 4 rows, got 2"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
