"""How p moves: the take-off threshold against the flow that it summarises."""

from math import sqrt

import numpy as np
import pytest
from scipy.integrate import quad

from rlsignal import (
    DR_GRPO,
    ESTIMATORS,
    GRPO,
    GRPO_NEMO,
    MAXRL,
    RLOO,
    gradient_weight,
    reachable_pass_rate,
)


def escape_time(p, g, estimator, collision=1.0):
    """Time from p to 1/2 under dp/dt = w_g(p) (p(1-p))^2 collision; in log p, where the integrand is smooth."""

    def pace(x):
        rate = np.exp(x)
        return 1 / (gradient_weight(rate, g, estimator) * rate * (1 - rate) ** 2 * collision)

    return quad(pace, np.log(p), np.log(0.5), epsrel=1e-9)[0]


class TestTheFlow:
    @pytest.mark.parametrize(
        ("p", "rloo", "grpo"), [(0.1, 13.3, 6.4), (0.083, 15.8, 7.4), (0.02, 56.8, 23.8), (0.001, 1013, 387)]
    )
    def test_escape_times_as_tabulated(self, p, rloo, grpo):
        assert escape_time(p, 8, RLOO) == pytest.approx(rloo, rel=5e-3)
        assert escape_time(p, 8, GRPO) == pytest.approx(grpo, rel=5e-3)

    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
    @pytest.mark.parametrize("collision", [0.1, 1.0, 2.0])
    def test_from_the_threshold_the_flow_takes_just_the_budget(self, estimator, collision):
        """To leading order: corrections are p log p times 2 + |w'/w| at 0, which is under 10 at g = 8 (MAXRL: g/2)."""
        budget = 1e5 / collision
        p = reachable_pass_rate(8, estimator, budget=budget, collision=collision)
        bound = 12 * p * np.log(1 / p)
        assert p < 1e-4
        assert escape_time(p, 8, estimator, collision) == pytest.approx(budget, rel=bound)

    def test_it_is_a_threshold(self):
        """Half of it needs twice the budget, twice of it half."""
        p = reachable_pass_rate(8, GRPO, budget=1e4, collision=1)
        assert escape_time(p / 2, 8, GRPO) == pytest.approx(2e4, rel=0.01)
        assert escape_time(2 * p, 8, GRPO) == pytest.approx(5e3, rel=0.01)


class TestReachablePassRate:
    @pytest.mark.parametrize(
        ("estimator", "weight"),
        [(GRPO, sqrt(7)), (RLOO, 1), (DR_GRPO, 7 / 8), (MAXRL, 7), (GRPO_NEMO, 1)],
        ids=lambda x: getattr(x, "name", ""),
    )
    def test_is_the_reciprocal_of_weight_budget_and_collision(self, estimator, weight):
        assert reachable_pass_rate(8, estimator, budget=400, collision=0.5) == pytest.approx(
            1 / (weight * 400 * 0.5), rel=1e-14, abs=0
        )

    def test_larger_groups_reach_further_only_by_their_square_root(self):
        small, large = (reachable_pass_rate(g, GRPO, budget=400, collision=1) for g in (5, 65))
        assert small / large == pytest.approx(4, rel=1e-13)

    def test_is_a_pass_rate(self):
        """No budget to speak of reaches nothing short of what is solved already; splitting correct mass costs reach."""
        assert reachable_pass_rate(8, GRPO, budget=1e-6, collision=1) == 1
        spread = reachable_pass_rate(8, GRPO, budget=400, collision=np.array([2, 1, 0.5, 1e-300]))
        assert spread.shape == (4,)
        assert np.all(np.diff(spread) > 0)
        assert spread[-1] == 1
