"""How p moves: the flow against policies that are followed by hand, and what summarises it."""

from math import exp, log, sqrt

import numpy as np
import pytest
from scipy.special import expit, logit, roots_sh_jacobi, softmax

from rlsignal import DR_GRPO, GRPO, MAXRL, RLOO, Beta, Fixed, Recorded, pass_at_k
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO
from rlsignal.theory import reachable_pass_rate
from rlsignal.theory.clock import escape_time
from rlsignal.theory.dynamics import (
    adam_drift,
    discoverable_pass_rate,
    learning_speed,
    rollouts_to_success,
    transferred_speed,
)

every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)


class TestSpeed:
    @every_estimator
    def test_of_a_softmax_by_hand(self, estimator):
        """dp/dt = w |grad p|^2, at any policy; the natural gradient's is w grad p . F^-1 grad p."""
        right, policy = np.array([1, 1, 0, 0, 0]), softmax([0.2, -1.0, 1.5, 0.3, -0.4])
        p, weight = policy @ right, estimator.weight(policy @ right, 8)
        slope, fisher = policy * (right - p), np.diag(policy) - np.outer(policy, policy)
        chances = policy[:2] / p, policy[2:] / (1 - p)
        collision = sum(c @ c for c in chances)
        assert learning_speed(p, 8, estimator, collision=collision) == pytest.approx(weight * slope @ slope, rel=1e-12)
        natural = weight * slope @ np.linalg.pinv(fisher) @ slope
        assert learning_speed(p, 8, estimator, natural=True) == pytest.approx(natural, rel=1e-12)

    @every_estimator
    @pytest.mark.parametrize("g", [2, 8, 257])
    def test_a_table_times_a_law(self, estimator, g):
        p = np.array([0, 1e-12, 0.05, 0.5, 0.97, 1 - 2**-53, 1])
        weight = estimator.weight(p, g)
        np.testing.assert_allclose(learning_speed(p, g, estimator), weight * (p * (1 - p)) ** 2, rtol=1e-12, atol=0)
        natural = learning_speed(p, g, estimator, natural=True)
        np.testing.assert_allclose(natural, weight * (p * (1 - p)), rtol=1e-12, atol=0)

    @pytest.mark.parametrize("natural", [False, True])
    def test_of_a_population_and_of_an_evaluation(self, natural):
        """Gauss-Jacobi is exact for the polynomial; an evaluation is right on average over those that could be."""
        g, n, p = 5, 8, 0.3
        nodes, weights = roots_sh_jacobi(8, 2.0, 1.0)  # Beta(1, 2)
        want = weights @ learning_speed(nodes, g, GRPO, natural=natural) / weights.sum()
        assert learning_speed(Beta(1 / 3, 1 / 4), g, GRPO, natural=natural) == pytest.approx(want, rel=1e-10)
        seen = [learning_speed(Recorded([c], n), g, GRPO, natural=natural) for c in range(n + 1)]
        assert Fixed(p).pmf(n) @ seen == pytest.approx(learning_speed(p, g, GRPO, natural=natural), rel=1e-12)

    def test_an_evaluation_needs_three_samples_more(self):
        with pytest.raises(ValueError, match=r"g \+ 3 must be at most 8, got 9"):
            learning_speed(Recorded([4], 8), 6, GRPO)
        with pytest.raises(ValueError, match="collision must lie in"):
            learning_speed(0.5, 8, GRPO, collision=2.1)

    @pytest.mark.parametrize("m", [1, 2, 5])
    def test_splitting_correct_mass_divides_its_collision(self, m):
        right = np.array([1] * m + [0])
        p = 0.2
        policy = np.array([p / m] * m + [1 - p])
        slope = policy * (right - p)
        assert slope @ slope == pytest.approx(learning_speed(p, 8, RLOO, collision=1 / m + 1), rel=1e-13)

    @pytest.mark.parametrize("L", [1, 3, 40])
    def test_a_chain_of_decisions(self, L):
        """p = u^L with a logit for each decision: dp/dt = L p^2 (1-u)^2, against differences of p itself."""
        u, step = 0.9, 1e-5
        x = np.full(L, logit(u))
        moved = [(expit(x + step * e).prod() - expit(x - step * e).prod()) / (2 * step) for e in np.eye(L)]
        p = u**L
        assert np.square(moved).sum() == pytest.approx(L * p**2 * (1 - u) ** 2, rel=1e-8)


class TestFirstSuccess:
    @pytest.mark.parametrize(("p", "groups"), [(0.01, 12.9), (0.002, 62.9)])
    def test_groups_of_eight(self, p, groups):
        assert 1 / pass_at_k(p, 8) == pytest.approx(groups, abs=0.05)

    def test_rollouts(self):
        assert rollouts_to_success(0.01) == pytest.approx(298, abs=0.5)
        assert rollouts_to_success([0, 1]).tolist() == [np.inf, 0]
        assert rollouts_to_success(1e-300) == pytest.approx(-log(0.05) * 1e300, rel=1e-13)

    @pytest.mark.parametrize("confidence", [1e-12, 0.5, 0.95, 1 - 1e-12])
    def test_round_trip(self, confidence):
        n = np.array([1, 10, 1e6])
        p = discoverable_pass_rate(n, confidence=confidence)
        np.testing.assert_allclose(rollouts_to_success(p, confidence=confidence), n, rtol=1e-11)
        np.testing.assert_allclose(pass_at_k(p, 1)[0], confidence, rtol=1e-12)

    def test_draws(self):
        """The share of runs that see a success; that of n p successes expected is refused."""
        n, runs = 20, 100_000
        p = discoverable_pass_rate(n, confidence=0.9)
        seen = (np.random.default_rng(0).binomial(n, p, runs) > 0).mean()
        error = sqrt(0.9 * 0.1 / runs)
        assert abs(seen - 0.9) < 5 * error
        assert abs(seen - (1 - exp(-n * p))) > 5 * error


class TestWhatCanFall:
    def test_nothing_in_a_table(self):
        assert np.all(learning_speed(np.linspace(0, 1, 101), 8, GRPO) >= 0)

    @pytest.mark.parametrize(("g", "lowest"), [(64, 0.263), (8, 0.275)])
    def test_with_shared_parameters_the_mean_can_but_the_objective_cannot(self, g, lowest):
        """Two prompts, p = .05 and .5, whose log-odds follow one parameter with slopes 1 and -.4."""
        start, slopes = logit(np.array([0.05, 0.5])), np.array([1, -0.4])
        theta, means, objectives, rates = 0.0, [], [], []
        for _ in range(600):
            p = expit(start + slopes * theta)
            rates.append(p)
            means.append(p.mean())
            objectives.append(GRPO.objective(p, g).mean())
            theta += 0.1 * np.mean(GRPO.weight(p, g) * p * (1 - p) * slopes)
        assert np.all(np.diff(objectives) > 0)
        assert np.any(np.diff(rates, axis=0) < 0)  # one of the prompts falls
        assert means[0] == 0.275
        assert min(means) == pytest.approx(lowest, abs=5e-4)
        assert means[-1] > 0.275


class TestAdam:
    def test_edges(self):
        assert adam_drift(0, 0.3) == (0, 1)
        assert adam_drift(3, 1) == pytest.approx((3 / sqrt(10), sqrt((1 + 9 / 2) / 10**3)), rel=1e-14)
        drift, walk = adam_drift(3, 0.5, steps=1, decay=1 - 1e-9)  # too short to change what it is divided by
        assert drift**2 + walk**2 == pytest.approx(1, abs=1e-8)
        assert adam_drift(1, 0.3, steps=1e9) == pytest.approx(adam_drift(1, 0.3), rel=1e-5)
        drift, walk = adam_drift([0.1, 1.0], [[0.01], [1.0]])
        assert drift.shape == walk.shape == (2, 2)
        with pytest.raises(ValueError, match="informative must lie in"):
            adam_drift(0.1, 0)

    @pytest.mark.parametrize("f", [1.0, 0.25])
    def test_adam_itself(self, f):
        """20000 parameters, 400 steps, 600 to settle. The average of the squares, over 2000 steps, leaves
        1/r.m.s. too large by a share under (3/8) (3/f)/4000; and momentum moves 1/(1-beta1) = 10 steps past the ends.
        """
        s, parameters, settle, steps = 0.2, 20_000, 600, 400
        generator, first, second, moved = np.random.default_rng(0), 0.0, np.full(parameters, f * (1 + s**2)), 0.0
        for step in range(settle + steps):
            gradient = (generator.random(parameters) < f) * (s + generator.standard_normal(parameters))
            first = 0.9 * first + 0.1 * gradient
            second = 0.9995 * second + 0.0005 * gradient**2
            moved = moved + (first / np.sqrt(second) if step >= settle else 0)
        drift, walk = adam_drift(s, f, steps=steps, decay=0.9995)
        error, bias = walk * sqrt(steps / parameters), 3 / 8 * 3 / f / 4000
        assert abs(moved.mean() - steps * drift) < 5 * error + bias * steps * drift
        assert moved.std() / (walk * sqrt(steps)) == pytest.approx(1, abs=5 / sqrt(2 * parameters) + 10 / steps)
        if f < 1:
            assert abs(moved.mean() - steps * f / sqrt(f) * drift) > 50 * error  # drift falling as f

    @pytest.mark.parametrize(("s", "f"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.05)])
    @pytest.mark.parametrize("steps", [50, 200, 4000])
    def test_the_walk_in_runs_of_any_length(self, s, f, steps):
        """2000 settled parameters at decay 0.995, whose terms of order (1 - decay) (3/f) / 4 are under 8%."""
        decay, parameters = 0.995, 2000
        generator, second, moved = np.random.default_rng(steps), np.full(2000, f * (1 + s**2)), np.zeros(2000)
        for step in range(1600 + steps):
            gradient = (generator.random(parameters) < f) * (s + generator.standard_normal(parameters))
            second = decay * second + (1 - decay) * gradient**2
            moved += (step >= 1600) * gradient / np.sqrt(second)
        walk = adam_drift(s, f, steps=steps, decay=decay)[1]
        slack = 5 / sqrt(2 * parameters) + (1 - decay) * 3 / f / 4
        assert moved.std() / sqrt(steps) / walk == pytest.approx(1, abs=slack)
        if steps == 4000 and f == 1:  # one minus the drift squared is refused
            assert abs(moved.std() / sqrt(steps) / sqrt(1 - adam_drift(s, f)[0] ** 2) - 1) > slack


class TestTheThreshold:
    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
    @pytest.mark.parametrize("collision", [0.1, 1.0, 2.0])
    def test_from_the_threshold_the_flow_takes_just_the_budget(self, estimator, collision):
        """To leading order: corrections are p log p times 2 + |w'/w| at 0, which is under 10 at g = 8 (MAXRL: g/2)."""
        budget = 1e5 / collision
        p = reachable_pass_rate(8, estimator, budget=budget, collision=collision)
        bound = 12 * p * np.log(1 / p)
        assert p < 1e-4
        assert escape_time(p, 8, estimator, collision=collision) == pytest.approx(budget, rel=bound)

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
        reached = reachable_pass_rate(8, GRPO, budget=400, collision=np.array([2, 1, 0.5, 1e-300]))
        assert reached.shape == (4,)
        assert np.all(np.diff(reached) > 0)
        assert reached[-1] == 1


class TestTransfer:
    """Linear policies by hand: the mean update at some prompts, and the log-odds of others."""

    @pytest.fixture
    def by_hand(self):
        rng = np.random.default_rng(0)
        weight, features = rng.normal(size=(6, 4)), rng.normal(size=(5, 4))  # five prompts, six responses
        correct = np.array(
            [[1, 0, 0, 1, 0, 0], [0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1]]
        )

        def log_odds(weight):
            return logit((softmax(features @ weight.T, -1) * correct).sum(-1))

        return weight, features, correct, log_odds

    @every_estimator
    def test_is_the_slope_along_the_mean_update(self, by_hand, estimator):
        weight, features, correct, log_odds = by_hand
        policy = softmax(features @ weight.T, -1)
        p = (policy * correct).sum(-1)
        slopes = policy * (correct - p[:, None])  # of p in the logits
        update = (estimator.weight(p[:3], 8)[:, None] * slopes[:3]).T @ features[:3] / 3
        moved = (log_odds(weight + 1e-5 * update) - log_odds(weight - 1e-5 * update)) / 2e-5
        apart = policy * correct / p[:, None] - policy * (1 - correct) / (1 - p[:, None])
        given = {"kernel": features @ features[:3].T, "trained": apart[:3], "moved": apart}
        found = transferred_speed(p[:3], 8, estimator, **given)
        np.testing.assert_allclose(found, moved, rtol=1e-6)
        without = transferred_speed(p[:3], 8, estimator, **{**given, "moved": policy * (correct - p[:, None])})
        assert not np.allclose(without, moved, rtol=0.1)  # the slope of p in the place of that of logit p

    def test_of_a_prompt_by_itself_is_the_flow_of_a_table(self):
        c, d = np.array([0.3, 0.7, 0, 0, 0]), np.array([0, 0, 0.2, 0.2, 0.6])
        collision = c @ c + d @ d
        found = transferred_speed(0.1, 8, GRPO, kernel=[[1.0]], trained=[c - d], moved=[c - d])
        assert found[0] * 0.09 == pytest.approx(learning_speed(0.1, 8, GRPO, collision=collision), rel=1e-12)

    def test_shapes_must_fit(self):
        with pytest.raises(ValueError, match=r"^kernel, trained and moved must have a row for each prompt"):
            transferred_speed([0.1, 0.2], 8, GRPO, kernel=[[1.0]], trained=[[1.0, -1.0]], moved=[[1.0, -1.0]])
        with pytest.raises(ValueError, match=r"^kernel, trained and moved must be \[others, prompts\]"):
            transferred_speed(0.1, 8, GRPO, kernel=[[1.0]], trained=[[1.0, -1.0]], moved=[[1.0, -1.0, 0.0]])
