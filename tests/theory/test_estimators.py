"""Idea 2: a table says what it is worth. Every shipped table against the rollouts it summarises, in plain Python."""

import statistics
from fractions import Fraction
from itertools import combinations
from math import sqrt

import mpmath
import numpy as np
import pytest

from rlsignal import DR_GRPO, GRPO, RLOO, Beta, Estimator, Recorded
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO, GRPO_OPENRLHF, GRPO_TRL, GRPO_VERL, standardised
from rlsignal.inference import group_estimate
from rlsignal.proofs import enumeration
from rlsignal.theory.frameworks import (
    MAXRL_UNCENTRED,
    batch_standardised,
    pass_at_k_gradient,
    pass_at_k_training,
    posterior_baseline,
)

EPSILONS = {"GRPO_TRL": 1e-4, "GRPO_VERL": 1e-6, "GRPO_OPENRLHF": 1e-9}
CENTRED = [estimator for estimator in ESTIMATORS if estimator is not GRPO_NEMO]

every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)


def by_hand(name, rewards):
    """The advantages of one group as each paper or framework states them, rollout by rollout."""
    mean = statistics.fmean(rewards)
    others = [rewards[:i] + rewards[i + 1 :] for i in range(len(rewards))]
    leave_one_out = [statistics.fmean(x) for x in others]
    if name == "GRPO":
        deviation = statistics.pstdev(rewards)
        return [(r - mean) / deviation if deviation else 0 for r in rewards]
    if name in EPSILONS:
        deviation = statistics.stdev(rewards)
        return [(r - mean) / (deviation + EPSILONS[name]) for r in rewards]
    if name == "GRPO_NEMO":
        deviations = [statistics.stdev(x) if len(x) > 1 else 0 for x in others]
        return [
            (r - b) / (s + 1e-6) if s else r - b for r, b, s in zip(rewards, leave_one_out, deviations, strict=True)
        ]
    if name == "DR_GRPO":
        return [r - mean for r in rewards]
    if name == "RLOO":
        return [r - b for r, b in zip(rewards, leave_one_out, strict=True)]
    if name == "MAXRL":
        return [(r - mean) / mean if mean else 0 for r in rewards]
    raise KeyError(name)


@every_estimator
@pytest.mark.parametrize("g", [2, 3, 4, 8, 17])
def test_a_table_holds_what_its_definition_gives_every_rollout(estimator, g):
    for k in range(g + 1):
        rewards = [1] * k + [0] * (g - k)
        assert estimator.advantages(rewards) == pytest.approx(by_hand(estimator.name, rewards), rel=1e-13, abs=1e-15)


class TestFrameworkFigures:
    """A+ and A- as measured from the frameworks' own code, to the digits printed there."""

    @pytest.mark.parametrize(
        ("estimator", "right", "wrong"),
        [
            (GRPO_TRL, 2.4742, -0.3535),
            (GRPO_VERL, 2.4749, -0.3536),
            (GRPO_OPENRLHF, 2.4749, -0.3536),
            (GRPO, 2.6458, -0.3780),
            (GRPO_NEMO, 1.0000, -0.3780),
        ],
    )
    def test_one_of_eight_right_and_its_mirror(self, estimator, right, wrong):
        table = estimator.table(8)
        assert (table[1, 1], table[0, 1]) == pytest.approx((right, wrong), abs=5e-5)
        assert (table[1, 7], table[0, 7]) == pytest.approx((-wrong, -right), abs=5e-5)

    @pytest.mark.parametrize(
        ("estimator", "right"),
        [(GRPO_TRL, 0.707), (GRPO_VERL, 0.707), (GRPO_OPENRLHF, 0.707), (GRPO, 1.0), (GRPO_NEMO, 1.0), (RLOO, 1.0)],
    )
    def test_two_rollouts(self, estimator, right):
        assert estimator.advantages([1, 0]) == pytest.approx([right, -right], abs=5e-4)

    def test_nemo_does_not_sum_to_zero(self):
        assert GRPO_NEMO.advantages([1] + [0] * 7).sum() == pytest.approx(-1.646, abs=5e-4)
        assert GRPO_NEMO.advantages([1] * 7 + [0]).sum() == pytest.approx(1.646, abs=5e-4)

    @pytest.mark.parametrize("estimator", CENTRED, ids=lambda estimator: estimator.name)
    @pytest.mark.parametrize("g", [2, 3, 8, 64])
    def test_the_others_do_in_every_group(self, estimator, g):
        k, (wrong, right) = np.arange(g + 1), estimator.table(g)
        scale = np.abs(estimator.table(g)).max()
        np.testing.assert_allclose(k * right + (g - k) * wrong, 0, atol=1e-14 * g * scale)

    @pytest.mark.parametrize("g", [2, 8, 64, 4096])
    def test_largest_advantage_is_bounded_by_the_group_size(self, g):
        """A lone success earns sqrt(g-1) with ddof 0 and (g-1)/sqrt(g) with ddof 1."""
        assert GRPO.table(g).max() == pytest.approx(sqrt(g - 1), rel=1e-14, abs=0)
        assert standardised("ideal", ddof=1, epsilon=0).table(g).max() == pytest.approx(
            (g - 1) / sqrt(g), rel=1e-14, abs=0
        )

    @pytest.mark.parametrize("estimator", [GRPO_TRL, GRPO_VERL, GRPO_OPENRLHF], ids=lambda estimator: estimator.name)
    def test_epsilons_are_harmless_for_binary_rewards(self, estimator):
        """The smallest s.d. of an informative group is 1/sqrt(g), so the relative effect is at most epsilon sqrt(g)."""
        for g in (2, 8, 64):
            ideal = standardised("ideal", ddof=1, epsilon=0).table(g)
            loss = 1 - estimator.table(g)[ideal != 0] / ideal[ideal != 0]
            assert np.all(loss > 0)
            assert np.all(loss < EPSILONS[estimator.name] * sqrt(g) + 1e-15)  # the ratio's own rounding

    def test_ddof_is_one_factor_for_the_whole_table(self):
        one, zero = (standardised("ideal", ddof=ddof, epsilon=0).table(8) for ddof in (1, 0))
        np.testing.assert_allclose(one, zero * sqrt(7 / 8), rtol=1e-14)
        np.testing.assert_allclose(zero, GRPO.table(8), rtol=1e-14)


class TestTables:
    @every_estimator
    @pytest.mark.parametrize("g", [2, 3, 8, 4096])
    def test_finite_and_silent_in_unanimous_groups(self, estimator, g):
        """Unanimous groups teach nothing under any of them, and the two impossible cells hold 0."""
        table = estimator.table(g)
        assert table.shape == (2, g + 1)
        assert np.all(np.isfinite(table))
        assert table[0, 0] == table[1, -1] == table[0, -1] == table[1, 0] == 0

    @every_estimator
    def test_being_right_always_pays(self, estimator):
        """So every weight w_g is positive. At K = j against K = j+1: the one rollout turns, the others stay."""
        for g in (2, 3, 8, 64):
            gain, table = estimator.gain(g), estimator.table(g)
            assert gain.tolist() == [table[1, j + 1] - table[0, j] for j in range(g)]
            assert np.all(gain > 0)

    def test_gains_are_the_simplest_where_the_baseline_is_the_others(self):
        np.testing.assert_allclose(RLOO.gain(8), 1, rtol=1e-15)
        np.testing.assert_allclose(DR_GRPO.gain(8), 7 / 8, rtol=1e-15)

    def test_estimators_are_static(self):
        """They are hashed when a simulator compiles for them, and equal only to themselves."""
        assert len(set(ESTIMATORS)) == len(ESTIMATORS) == len({estimator.name for estimator in ESTIMATORS})
        assert all(hash(estimator) == hash(estimator) for estimator in ESTIMATORS)


class TestYourOwn:
    def test_constants_and_arrays_are_both_functions_of_the_count(self):
        sign = Estimator("sign", lambda K, g: 1, lambda K, g: -1.0)
        assert sign.table(3).tolist() == [[-1, -1, -1, 0], [0, 1, 1, 1]]
        linear = Estimator("linear", lambda K, g: g - K, lambda K, g: -K)
        assert linear.table(3).tolist() == [[0, -1, -2, 0], [0, 2, 1, 0]]

    def test_cells_that_cannot_happen_may_be_anything(self):
        """No rollout is correct at K = 0, none wrong at K = g: 1/K and 1/(g-K) need no special case, nor a warning."""
        harmonic = Estimator("harmonic", lambda K, g: 1 / K, lambda K, g: -1 / (g - K))
        assert harmonic.table(2).tolist() == [[-0.5, -1, 0], [0, 1, 0.5]]

    def test_works_wherever_the_shipped_ones_do(self):
        mine = Estimator("mine", lambda K, g: 1 - K / g, lambda K, g: -K / g)
        np.testing.assert_array_equal(
            mine.advantages([[1, 0, 0], [1, 1, 0]]), DR_GRPO.advantages([[1, 0, 0], [1, 1, 0]])
        )


class TestAdvantages:
    @every_estimator
    def test_each_group_by_itself_in_any_shape(self, estimator):
        rewards = np.random.default_rng(0).integers(0, 2, (3, 4, 8))
        together = estimator.advantages(rewards)
        assert together.shape == (3, 4, 8)
        assert together.dtype == np.float64
        for i in np.ndindex(3, 4):
            np.testing.assert_array_equal(together[i], estimator.advantages(rewards[i]))

    @every_estimator
    def test_rollouts_are_exchangeable(self, estimator):
        rewards = np.array([1, 0, 0, 1, 0, 1, 0, 0])
        order = np.random.default_rng(1).permutation(8)
        np.testing.assert_array_equal(estimator.advantages(rewards[order]), estimator.advantages(rewards)[order])

    @pytest.mark.parametrize("kind", [bool, np.int8, np.uint8, np.int64, np.float32, np.float64])
    def test_rewards_of_any_number_type(self, kind):
        rewards = np.array([[1, 0, 0, 1], [0, 0, 0, 0]], kind)
        np.testing.assert_array_equal(GRPO.advantages(rewards), [[1, -1, -1, 1], [0, 0, 0, 0]])

    def test_no_groups_give_no_advantages(self):
        assert GRPO.advantages(np.zeros((0, 4))).shape == (0, 4)


def over_subsets(rewards, k):
    """Pass@k training as its paper states it: a rollout's advantage is the mean over the k-subsets that it is in."""
    subsets = list(combinations(range(len(rewards)), k))
    worth = [max(rewards[i] for i in subset) for subset in subsets]
    mean, deviation = statistics.fmean(worth), statistics.pstdev(worth)
    standard = [(w - mean) / deviation if deviation else 0 for w in worth]
    mine = [[s for s, subset in zip(standard, subsets, strict=True) if i in subset] for i in range(len(rewards))]
    return [statistics.fmean(s) for s in mine]


def unbiased_pass_at_k(rewards, k):
    """g times the score weights of the mean over k-subsets of (any right): what autodiff of log-probabilities gives."""
    subsets = list(combinations(range(len(rewards)), k))
    share = len(rewards) / len(subsets)
    return [share * sum(any(rewards[j] for j in s) for s in subsets if i in s) for i in range(len(rewards))]


class TestTrainingForSeveralAttempts:
    @pytest.mark.parametrize("g", [2, 3, 5, 8])
    @pytest.mark.parametrize(
        ("constructor", "by_hand"), [(pass_at_k_training, over_subsets), (pass_at_k_gradient, unbiased_pass_at_k)]
    )
    def test_a_table_holds_what_all_subsets_give(self, constructor, by_hand, g):
        for k in range(1, g + 1):
            for right in range(g + 1):
                rewards = [1] * right + [0] * (g - right)
                got = constructor(k).advantages(rewards)
                assert got == pytest.approx(by_hand(rewards, k), rel=1e-12, abs=1e-13), (k, right)

    def test_one_attempt_is_plain_training(self):
        np.testing.assert_allclose(pass_at_k_training(1).table(8), GRPO.table(8), rtol=1e-13, atol=1e-15)
        np.testing.assert_array_equal(pass_at_k_gradient(1).gain(8), np.ones(8))

    def test_all_rollouts_as_one_attempt_teach_nothing(self):
        assert not pass_at_k_training(8).table(8).any()

    @pytest.mark.parametrize("k", [2, 8, 300])
    def test_it_pays_and_sums_to_zero(self, k):
        g, estimator = 600, pass_at_k_training(k)
        K, (wrong, right) = np.arange(g + 1), estimator.table(g)
        np.testing.assert_allclose(K * right + (g - K) * wrong, 0, atol=1e-13 * g * right.max())
        assert np.all(estimator.gain(g) >= 0)

    @pytest.mark.parametrize("g", [64, 4096])
    @pytest.mark.parametrize("k", [2, 32])
    def test_large_tables_against_fifty_digits(self, g, k):
        table = pass_at_k_training(k).table(g)
        with mpmath.workdps(50):
            for K in (1, 2, g // 2, g - k, g - k + 1, g):
                share = mpmath.binomial(g - K, k) / mpmath.binomial(g, k)
                assert table[1, K] == pytest.approx(float(mpmath.sqrt(share / (1 - share))), rel=1e-11, abs=0)

    @pytest.mark.parametrize("constructor", [pass_at_k_training, pass_at_k_gradient])
    def test_too_small_a_group_is_refused_by_name(self, constructor):
        message = rf"g must be at least 16, got 8. {constructor.__name__}\(16\) is not defined for smaller groups."
        with pytest.raises(ValueError, match=message):
            constructor(16).table(8)
        with pytest.raises(ValueError, match="k must be at least 1, got 0"):
            constructor(0)


class TestUncentred:
    def test_maxrl_without_its_mean_averages_the_successes(self):
        assert MAXRL_UNCENTRED.advantages([1, 1, 0, 0, 0, 0]).tolist() == [3, 3, 0, 0, 0, 0]
        assert not MAXRL_UNCENTRED.advantages([0, 0, 0]).any()

    def test_a_large_batch_is_standardised_by_its_mean_and_deviation(self):
        """The table against 10^5 rewards standardised together."""
        rewards = (np.arange(100_000) % 10 < 3).astype(float)
        whitened = (rewards - rewards.mean()) / rewards.std()
        table = batch_standardised(0.3).table(4)
        assert (whitened.max(), whitened.min()) == pytest.approx((table[1, 1], table[0, 1]), rel=1e-12)

    @pytest.mark.parametrize("mean", [0, 1, -0.1, np.nan])
    def test_a_batch_that_agrees_has_no_scale(self, mean):
        with pytest.raises(ValueError, match=r"mean must lie in \(0, 1\), got"):
            batch_standardised(mean)


class TestBaselines:
    @pytest.mark.parametrize("g", [2, 3, 6])
    @pytest.mark.parametrize(("mean", "rho"), [("1/3", "1/2"), ("1/10", "1/7"), ("3/4", "0"), ("1/2", "1")])
    def test_second_moments_over_every_group(self, g, mean, rho):
        """Posterior mean, batch mean, leave-one-out, exactly, in their own closed forms."""
        m, rho = Fraction(mean), Fraction(rho)
        urn = enumeration.beta(m, rho)

        def moment(baseline):
            def statistic(rewards):
                others = [rewards[:i] + rewards[i + 1 :] for i in range(g)]
                return enumeration.mean(
                    [(r - baseline(sum(o), g - 1)) ** 2 for r, o in zip(rewards, others, strict=True)]
                )

            return enumeration.expectation(statistic, urn, g)

        whole, fit = m * (1 - m), posterior_baseline(float(m), float(rho))
        posterior, batch, group = (moment(b) for b in (urn, lambda *_: m, lambda right, seen: Fraction(right, seen)))
        assert posterior == whole * (1 - rho) * (1 + (g - 1) * rho) / (1 + (g - 2) * rho)
        assert (batch, group) == (whole, whole * (1 - rho) * Fraction(g, g - 1))
        assert posterior <= min(batch, group)
        assert (group < batch) == (rho > Fraction(1, g))
        data = Beta(float(m), float(rho))
        assert fit.second_moment(data, g) == pytest.approx(float(posterior), rel=1e-13, abs=1e-16)
        assert RLOO.second_moment(data, g) == pytest.approx(float(group), rel=1e-13, abs=1e-16)

    def test_between_the_batch_and_the_others(self):
        assert posterior_baseline(0.3, 1).table(5) == pytest.approx(RLOO.table(5))
        table = posterior_baseline(0.3, 0).table(5)
        assert table[1, 1:] == pytest.approx(np.full(5, 0.7))
        assert table[0, :-1] == pytest.approx(np.full(5, -0.3))

    @pytest.mark.parametrize("rho", [0, 1e-12, 0.3, 1])
    def test_optimises_the_pass_rate_even_if_misinformed(self, rho):
        for g in (2, 8, 64):
            assert posterior_baseline(0.9, rho).gain(g) == pytest.approx(np.ones(g), rel=1e-13)

    def test_a_population_that_is_no_beta(self):
        """The baseline is a line in j, so two moments decide: the formula holds, and no other line is better."""
        rates, shares, g = [Fraction(1, 10), Fraction(9, 10)], [Fraction(3, 4), Fraction(1, 4)], 4
        m = sum(s * p for s, p in zip(shares, rates, strict=True))
        rho = sum(s * (p - m) ** 2 for s, p in zip(shares, rates, strict=True)) / (m * (1 - m))

        def moment(intercept, slope):
            def statistic(rewards):
                lines = [intercept + slope * (sum(rewards) - r) for r in rewards]
                return enumeration.mean([(r - line) ** 2 for r, line in zip(rewards, lines, strict=True)])

            return sum(
                s * enumeration.expectation(statistic, enumeration.fixed(p), g)
                for s, p in zip(shares, rates, strict=True)
            )

        intercept, slope = (x / (1 + (g - 2) * rho) for x in (m * (1 - rho), rho))
        best = moment(intercept, slope)
        assert best == m * (1 - m) * (1 - rho) * (1 + (g - 1) * rho) / (1 + (g - 2) * rho)
        step = Fraction(1, 1000)
        others = [moment(intercept + i * step, slope + j * step) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
        assert best < min(others)

    def test_unanimous_groups_teach(self):
        table = posterior_baseline(0.3, 0.2).table(8)
        assert table[1, 8] > 0 > table[0, 0]
        assert RLOO.table(8)[1, 8] == 0

    def test_bad_arguments_are_refused(self):
        with pytest.raises(ValueError, match=r"dispersion must lie in \[0, 1\], got 2"):
            posterior_baseline(0.3, 2)


class TestStatistics:
    """Bound methods are statistics for inference, and what is shown is the table."""

    @pytest.mark.parametrize("method", ["weight", "objective", "variance", "second_moment", "magnitude"])
    def test_an_evaluation_estimates_each(self, method):
        data, statistic = Recorded([0, 1, 2, 4, 8] * 20, 8), getattr(GRPO, method)
        found = group_estimate(statistic, data, 8)
        assert found.value == pytest.approx(statistic(data, 8), rel=1e-12)
        assert found.low < found.value < found.high

    def test_an_estimator_shows_its_table(self):
        assert repr(GRPO) == "<Estimator: GRPO>"
        head, *rows = str(GRPO).splitlines()[1:]
        assert head.split() == ["advantage", *(word for k in range(5) for word in ("K", "=", str(k)))]
        assert rows[0].split() == ["correct", "-", "1.732", "1.000", "0.577", "0.000"]
        assert "<td>incorrect</td><td>0.000</td><td>-0.577</td>" in GRPO._repr_html_()

    def test_one_size_at_a_time_says_how_to_loop(self):
        for sizes in ([4, 8], np.array([4, 8]), range(4, 8)):
            with pytest.raises(ValueError, match=r"Ask for each size: \[f\(p, g\) for g in sizes\]\.$"):
                GRPO.weight(0.1, sizes)
