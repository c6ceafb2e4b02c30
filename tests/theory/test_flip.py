"""When orders turn: the law's share against quadrature, and the budget against the forecasts it stands between."""

import numpy as np
import pytest
from scipy import stats

from rlsignal import GRPO, MAXRL, Beta, Fixed, Mixture, Recorded
from rlsignal.theory import budget_to_flip, forecast, reachable_pass_rate, reached_share

AHEAD, BEHIND = Beta(0.4, 0.8), Beta(0.3, 0.3)


@pytest.mark.parametrize("budget", [3.0, 100.0, 1e4])
def test_the_share_is_the_survival_function_at_the_critical_pass_rate(budget):
    critical = reachable_pass_rate(8, GRPO, budget=budget, collision=1.2)
    want = stats.beta(0.4 * 0.25, 0.6 * 0.25).sf(critical)
    assert reached_share(AHEAD, 8, GRPO, budget=budget, collision=1.2) == pytest.approx(want, rel=1e-10)
    mixed = Mixture([Fixed(0.0), AHEAD], [0.25, 0.75])
    assert reached_share(mixed, 8, GRPO, budget=budget, collision=1.2) == pytest.approx(0.75 * want, rel=1e-10)


@pytest.mark.parametrize(
    ("p", "share"), [(Fixed([1e-9, 0.2, 0.9]), 2 / 3), (Beta(0.3, 0.0), 1.0), (Beta(0.3, 1.0), 0.3)]
)
def test_the_share_of_atoms(p, share):
    assert reached_share(p, 8, GRPO, budget=100) == pytest.approx(share)


@pytest.mark.parametrize("estimator", [GRPO, MAXRL], ids=lambda x: x.name)
@pytest.mark.parametrize("order", [1, -1])
def test_the_order_holds_before_the_budget_and_turns_after(estimator, order):
    pair = (AHEAD, BEHIND)[::order]
    turn = budget_to_flip(*pair, 8, estimator)
    leads = [
        order * np.subtract(*(forecast(p, 8, estimator, budget=turn * x) for p in pair)) for x in (0.5, 0.99, 1.01, 2)
    ]
    assert (np.sign(leads) == [1, 1, -1, -1]).all()
    assert budget_to_flip(*pair, 8, estimator, collision=0.5) == pytest.approx(2 * turn, rel=1e-4)


def test_an_order_that_holds_is_never_turned():
    assert budget_to_flip(Beta(0.4, 0.3), Beta(0.3, 0.3), 8, GRPO) == np.inf


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ((Beta(0.3, 0.2), Beta(0.3, 0.5)), "must differ in pass@1, got 0.3 of both"),
        ((Recorded([1, 2], 8), BEHIND), "p must be a distribution, got counts"),
        ((Beta([0.1, 0.3], 0.2), BEHIND), "p must be one distribution, got an array of 2"),
    ],
)
def test_what_has_no_answer_says_why(pair, message):
    with pytest.raises(ValueError, match=message):
        budget_to_flip(*pair, 8, GRPO)
