"""How long the flow takes and where it leads: against closed forms, policies followed by hand, and the simulator."""

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from scipy.special import betaincinv, expit, logit, softmax

from rlsignal import DR_GRPO, GRPO, MAXRL, RLOO, Beta, Estimator, Recorded, pass_at_k
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO
from rlsignal.sim import meanfield, tabular
from rlsignal.theory import reachable_pass_rate
from rlsignal.theory.clock import escape_time, forecast
from rlsignal.theory.frameworks import pass_at_k_training

every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
PUNISHING = Estimator("punishing", lambda K, g: -1.0, lambda K, g: 1.0)


def ascend(logits, right, g, estimator, time, steps=300):
    """Softmaxes [..., responses] under dl/dt = w_g(p) grad p, by fourth-order steps: good to 1e-7 here."""

    def velocity(x):
        policy = softmax(x, -1)
        p = (policy @ right)[..., None]
        return estimator.weight(p, g) * policy * (right - p)

    h = time / steps
    for _ in range(steps):
        one = velocity(logits)
        two = velocity(logits + h / 2 * one)
        three = velocity(logits + h / 2 * two)
        logits = logits + h / 6 * (one + 2 * two + 2 * three + velocity(logits + h * three))
    return softmax(logits, -1) @ right


class TestEscape:
    TABLE = (  # RLOO, GRPO at 8 and in the limit, MaxRL in the limit, natural: 0.1 to 1/2 takes ... at collision 1
        (0.1, 13.3, 6.4, 5.3, 3.1, 2.2),
        (0.083, 15.8, 7.4, 6.0, 3.3, 2.4),
        (0.02, 56.8, 23.7, 13.7, 4.9, 3.9),
        (0.01, 108, 43.6, 19.7, 5.6, 4.6),
        (0.001, 1013, 387, 63.2, 7.9, 6.9),
    )

    @pytest.mark.parametrize("row", TABLE, ids=lambda row: str(row[0]))
    def test_as_tabulated(self, row):
        p = row[0]
        cells = ((8, RLOO), (8, GRPO), (None, GRPO), (None, MAXRL))
        times = [escape_time(p, g, estimator) for g, estimator in cells] + [escape_time(p, 8, RLOO, natural=True)]
        for time, printed in zip(times, row[1:], strict=True):
            assert abs(time - printed) <= (0.5 if printed > 100 else 0.05), (time, printed)

    def test_two_responses_take_half(self):
        assert escape_time(0.1, 8, GRPO, collision=2) == pytest.approx(escape_time(0.1, 8, GRPO) / 2, rel=1e-14)
        assert escape_time(0.1, None, GRPO, collision=2) == pytest.approx(escape_time(0.1, None, GRPO) / 2, rel=1e-14)

    @pytest.mark.parametrize("start", [1e-300, 1e-9, 0.03, 0.4])
    @pytest.mark.parametrize("end", [0.5, 0.9, 1 - 1e-9])
    @pytest.mark.parametrize("natural", [False, True])
    def test_the_clock_against_closed_forms(self, start, end, natural):
        """RLOO weighs 1 at every g, so the sum over panels must be its closed form."""
        for estimator, weight in ((RLOO, 1), (DR_GRPO, 7 / 8)):
            closed = escape_time(start, None, estimator, end=end, natural=natural) / weight
            assert escape_time(start, 8, estimator, end=end, natural=natural) == pytest.approx(closed, rel=1e-12, abs=0)

    @pytest.mark.parametrize(("estimator", "weight"), [(GRPO, lambda p: 1 / mpmath.sqrt(p * (1 - p))),
                                                       (MAXRL, lambda p: 1 / p), (RLOO, lambda p: 1)],
                             ids=["GRPO", "MAXRL", "RLOO"])  # fmt: skip
    @pytest.mark.parametrize("natural", [False, True])
    def test_closed_forms_against_mpmath(self, estimator, weight, natural):
        def pace(x):
            p = 1 / (1 + mpmath.exp(-x))
            return 1 / weight(p) / (1 if natural else p * (1 - p))

        with mpmath.workdps(30):
            for start, end in ((1e-9, 0.5), (0.02, 0.97)):
                ends = [mpmath.log(p) - mpmath.log(1 - p) for p in map(mpmath.mpf, (start, end))]
                want = mpmath.quad(pace, mpmath.linspace(*ends, 30))
                got = escape_time(start, None, estimator, end=end, natural=natural)
                assert got == pytest.approx(float(want), rel=1e-12, abs=0)

    @pytest.mark.parametrize("estimator", [GRPO, MAXRL], ids=lambda estimator: estimator.name)
    def test_large_groups_come_to_the_limit_from_above(self, estimator):
        gaps = [escape_time(0.05, g, estimator) / escape_time(0.05, None, estimator) - 1 for g in (64, 512, 4096)]
        assert gaps == sorted(gaps, reverse=True)
        assert 0 <= gaps[-1] < 1e-3 < gaps[0]

    @every_estimator
    def test_a_policy_gets_there_in_that_time(self, estimator):
        time = escape_time(0.1, 8, estimator, end=0.8, collision=2)
        assert ascend(np.array([logit(0.1), 0.0]), np.array([1, 0]), 8, estimator, time) == pytest.approx(0.8, abs=1e-7)

    def test_refusals(self):
        with pytest.raises(ValueError, match="estimator must reward success"):
            escape_time(0.1, 8, PUNISHING)
        with pytest.raises(ValueError, match="estimator must reward success"):
            escape_time(0.1, 8, pass_at_k_training(8))
        with pytest.raises(ValueError, match="g may be None for RLOO"):
            escape_time(0.1, None, GRPO_NEMO)
        with pytest.raises(ValueError, match="end - start must lie in"):
            escape_time(0.5, 8, GRPO, end=0.1)
        with pytest.raises(ValueError, match="collision must be positive"):
            escape_time(0.1, 8, GRPO, collision=0)


class TestForecast:
    @every_estimator
    def test_two_responses_by_hand(self, estimator):
        p = np.array([0.02, 0.3, 0.9])
        want = ascend(np.stack([logit(p), np.zeros(3)], 1), np.array([1, 0]), 8, estimator, 10)
        assert forecast(p, 8, estimator, budget=10, collision=2) == pytest.approx(want, abs=1e-6)

    @pytest.mark.slow
    def test_against_the_mean_field_of_the_simulator(self):
        """Two responses, small steps: Euler's error is of order step^2 times the steps, here under 1e-4."""
        p = np.array([0.02, 0.1, 0.4])
        recipe = tabular.Recipe(prompts=3, responses=2, correct=1, steps=4000, group_size=8, attempts=(4,))
        with jax.enable_x64(True):
            logits = jnp.stack([jnp.array(logit(p)), jnp.zeros(3)], 1)
            _, metrics = meanfield.flow(logits, recipe, recipe.setting(GRPO, learning_rate=0.005))
            ours = [forecast(p, 8, GRPO, budget=20, collision=2, k=k).mean() for k in (1, 4)]
            assert ours[0] == pytest.approx(float(metrics.pass_at_1[-1]), abs=1e-4)
            assert ours[1] == pytest.approx(float(metrics.pass_at_k[-1, 0]), abs=1e-4)

    @pytest.mark.parametrize("natural", [False, True])
    def test_undoes_the_escape_time(self, natural):
        for start, end in ((1e-9, 1e-3), (0.01, 0.5), (0.2, 0.999)):
            time = escape_time(start, 8, GRPO, end=end, natural=natural)
            # where p takes off a relative error of the time is one of 1/start, times start/end
            assert forecast(start, 8, GRPO, budget=time, natural=natural) == pytest.approx(end, rel=1e-14 * end / start)

    def test_natural_rloo_is_logistic(self):
        p = np.array([1e-300, 1e-5, 0.3, 0.99])
        want = expit(logit(p) + 7)
        np.testing.assert_allclose(forecast(p, 8, RLOO, budget=7, natural=True), want, rtol=1e-12)

    def test_the_ends_stay_and_no_budget_is_no_training(self):
        assert forecast([0, 1], 8, GRPO, budget=1e6).tolist() == [0, 1]
        p = np.array([[1e-300, 1e-9], [0.3, 0.9]])
        np.testing.assert_allclose(forecast(p, 8, GRPO, budget=0, k=3), pass_at_k(p, 3), rtol=1e-12)
        for data in (Beta(0.2, 0.3), Beta(0.01, 0.9), Beta(0.5, 1e-6), Beta(0.3, 0), Beta(0.3, 1)):
            assert forecast(data, 8, GRPO, budget=0, k=5) == pytest.approx(pass_at_k(data, 5), rel=1e-11)

    @pytest.mark.parametrize(
        ("mean", "rho", "budget", "k"), [(0.1, 0.3, 100, 1), (0.1, 0.6, 1000, 8), (0.3, 1e-4, 3, 1), (0.05, 0.9, 50, 1)]
    )
    def test_a_population_is_its_prompts(self, mean, rho, budget, k):
        """The middles of 20000 equal shares of prompts: off by less than a share where the flow is steep."""
        a, b = mean * (1 - rho) / rho, (1 - mean) * (1 - rho) / rho
        prompts = betaincinv(a, b, (np.arange(20_000) + 0.5) / 20_000)
        one_by_one = pass_at_k(forecast(prompts, 8, GRPO, budget=budget), k).mean()
        assert forecast(Beta(mean, rho), 8, GRPO, budget=budget, k=k) == pytest.approx(one_by_one, abs=2e-7)

    def test_population_shapes(self):
        many = forecast(Beta([[0.1, 0.3]], [[0.2], [0.5], [1.0]]), 8, GRPO, budget=30)
        assert many.shape == (3, 2)
        assert many[1, 0] == forecast(Beta(0.1, 0.5), 8, GRPO, budget=30)

    def test_an_evaluation_is_read_as_a_beta(self):
        """With its mean and unbiased dispersion; c/n in the place of p would freeze what was never solved."""
        data = Recorded([0, 0, 1, 2, 8, 3], 8)
        same = Beta(data.mean, data.dispersion)
        ours = forecast(data, 8, GRPO, budget=100)
        assert ours == forecast(same, 8, GRPO, budget=100)
        assert forecast(np.array([0, 0, 1, 2, 8, 3]) / 8, 8, GRPO, budget=1e9).mean() < 0.67 < ours
        assert forecast(Recorded([0, 0], 8), 8, GRPO, budget=100) == 0
        assert forecast(Recorded([8, 8], 8), 8, GRPO, budget=100) == 1

    def test_the_reachability_law_is_its_share(self):
        """V is about P(p > p_c): for U-shaped prompts to a few hundredths."""
        budget, population = 400, Beta(0.2, 0.7)
        p_c = reachable_pass_rate(8, GRPO, budget=budget, collision=1)
        nodes = betaincinv(0.2 * 3 / 7, 0.8 * 3 / 7, (np.arange(20_000) + 0.5) / 20_000)
        assert forecast(population, 8, GRPO, budget=budget) == pytest.approx(np.mean(nodes > p_c), abs=0.03)

    def test_refusals(self):
        with pytest.raises(ValueError, match="estimator must reward success"):
            forecast(0.1, 8, PUNISHING, budget=1)
        with pytest.raises(ValueError, match="budget must lie in"):
            forecast(0.1, 8, GRPO, budget=-1)
