"""What a rollout buys: noise, group sizes, allocations, filters and faults, against every group of small policies."""

from dataclasses import replace
from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
import sympy

from rlsignal import (
    DR_GRPO,
    GRPO,
    MAXRL,
    RLOO,
    Beta,
    Estimator,
    Fixed,
    critical_pass_rate,
    degenerate_probability,
    informative_probability,
)
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO
from rlsignal.proofs import enumeration
from rlsignal.proofs.derivations import efficiency as proofs
from rlsignal.theory.efficiency import (
    Scores,
    allocate_rollouts,
    best_group_size,
    relative_efficiency,
    signal_to_noise,
    signal_to_noise_cap,
    update_variance,
)
from rlsignal.theory.filters import noisy_pass_rate, noisy_verifier_efficiency
from rlsignal.theory.frameworks import posterior_baseline

mp = mpmath.mp.clone()
mp.dps = 700

SIGN = Estimator("sign", lambda K, g: 1.0, lambda K, g: -1.0)
ODD = Estimator("odd", lambda K, g: np.cos(3 * K) + K**2, lambda K, g: np.sin(K + g))
CENTRED = [e for e in ESTIMATORS if e is not GRPO_NEMO]
EXTREMES = (1e-300, 1e-17, 1e-8, 0.02, 0.3, 0.5, 0.9, 1 - 1e-8, 1 - 1e-16)

by_name = {"ids": lambda estimator: estimator.name}


class Policy:
    """Responses with chances, rewards and score vectors [responses, parameters], all rational."""

    def __init__(self, chances, right, scores):
        self.chances, self.right = [Fraction(c) / sum(map(Fraction, chances)) for c in chances], right
        mean = [
            sum(c * Fraction(s[d]) for c, s in zip(self.chances, scores, strict=True)) for d in range(len(scores[0]))
        ]
        self.scores = [[Fraction(x) - m for x, m in zip(s, mean, strict=True)] for s in scores]  # scores average to 0
        self.p = self.chance_of(1)

    def chance_of(self, kind):
        return sum(c for c, r in zip(self.chances, self.right, strict=True) if r == kind)

    def moments(self, weights):
        """Mean vector and total variance of the scores under these weights, which are normalised."""
        total = sum(weights)
        mean = [
            sum(w * s[d] for w, s in zip(weights, self.scores, strict=True)) / total for d in range(len(self.scores[0]))
        ]
        square = sum(w * sum(x * x for x in s) for w, s in zip(weights, self.scores, strict=True)) / total
        return mean, square - sum(m * m for m in mean)

    @property
    def slope(self):
        return [
            sum(c * s[d] for c, r, s in zip(self.chances, self.right, self.scores, strict=True) if r)
            for d in range(len(self.scores[0]))
        ]

    @property
    def knows(self):
        """Scores, as the library takes them."""
        variances = [
            self.moments([c * (r == kind) for c, r in zip(self.chances, self.right, strict=True)])[1] for kind in (1, 0)
        ]
        return Scores(float(self.p), float(sum(x * x for x in self.slope)), *map(float, variances))

    def update(self, g, advantages_of):
        """Mean vector and total variance of (1/g) sum A_i s_i over all groups of g responses."""
        size, mean, square = len(self.scores[0]), [Fraction(0)] * len(self.scores[0]), Fraction(0)
        for group in product(range(len(self.chances)), repeat=g):
            chance = Fraction(1)
            for y in group:
                chance *= self.chances[y]
            a = advantages_of(tuple(self.right[y] for y in group))
            u = [sum(a[i] * self.scores[y][d] for i, y in enumerate(group)) / g for d in range(size)]
            mean = [m + chance * x for m, x in zip(mean, u, strict=True)]
            square += chance * sum(x * x for x in u)
        return mean, square - sum(m * m for m in mean)


def softmax(chances, right):
    """One logit for each response."""
    return Policy(chances, right, np.eye(len(chances), dtype=int).tolist())


def rational(estimator):
    """The advantages of a table, its floats taken as the rational numbers that they are."""
    return lambda rewards: [Fraction(float(a)) for a in estimator.advantages(rewards)]


def leave_one_out(rewards):
    g = len(rewards)
    return [Fraction(g * r - sum(rewards), g - 1) for r in rewards]


POLICIES = {
    "softmax": softmax((1, 2, 4), (1, 0, 0)),
    "softmax of four": softmax((3, 1, 5, 2), (1, 1, 0, 0)),
    "two responses": softmax((1, 5), (1, 0)),
    "shared parameters": Policy((3, 1, 2, 2), (1, 0, 1, 0), ((1, 2), (-3, 1), (4, 0), (0, -2))),
}
every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)


class TestNoise:
    @every_policy
    @pytest.mark.parametrize("g", [2, 3, 4, 5])
    def test_rloo_over_every_group(self, policy, g):
        """The rational truth against the closed form and the table; the mean is grad p itself."""
        mean, variance = policy.update(g, leave_one_out)
        assert mean == policy.slope
        assert update_variance(policy.knows, g) == pytest.approx(float(variance), rel=1e-13, abs=0)
        assert update_variance(policy.knows, g, RLOO) == pytest.approx(float(variance), rel=1e-13, abs=0)

    @every_policy
    def test_hoeffding_terms_are_variances_of_the_kernel(self, policy):
        """zeta_1 of the kernel (r1-r2)(s1-s2)/2 given one of the two, zeta_2 of the kernel; exactly."""
        size, n = len(policy.slope), len(policy.chances)

        def kernel(y, z, d):
            return (policy.right[y] - policy.right[z]) * (policy.scores[y][d] - policy.scores[z][d]) / 2

        first = second = Fraction(0)
        for d in range(size):
            given = [sum(policy.chances[z] * kernel(y, z, d) for z in range(n)) for y in range(n)]
            first += sum(c * x * x for c, x in zip(policy.chances, given, strict=True)) - policy.slope[d] ** 2
            second += sum(
                policy.chances[y] * policy.chances[z] * kernel(y, z, d) ** 2 for y in range(n) for z in range(n)
            )
            second -= policy.slope[d] ** 2
        assert float(policy.knows.oracle_noise) == pytest.approx(float(4 * first), rel=1e-13, abs=1e-16)
        assert float(policy.knows.baseline_noise) == pytest.approx(float(2 * second - 4 * first), rel=1e-13, abs=0)

    @every_policy
    @pytest.mark.parametrize("estimator", [GRPO, MAXRL, GRPO_NEMO, SIGN, ODD], **by_name)
    def test_any_table_over_every_group(self, policy, estimator):
        mean, variance = policy.update(3, rational(estimator))
        scores, weight = policy.knows, estimator.weight(float(policy.p), 3)
        assert [float(x) for x in mean] == pytest.approx(
            [weight * float(x) for x in policy.slope], rel=1e-12, abs=1e-14
        )
        assert update_variance(scores, 3, estimator) == pytest.approx(float(variance), rel=1e-12, abs=1e-15)

    def test_unit_tables(self):
        """Variance is quadratic in the table, so unit tables and sums of two prove it for every table of g = 2."""
        policy, cells = POLICIES["shared parameters"], [(1, 1), (1, 2), (0, 0), (0, 1)]
        for one, two in product(cells, repeat=2):

            def cell(side, K, chosen=(one, two)):
                return sum((np.asarray(K) == k) * 1.0 for s, k in chosen if s == side) + np.zeros_like(K)

            table = Estimator("cells", lambda K, g, c=cell: c(1, K), lambda K, g, c=cell: c(0, K))
            _, variance = policy.update(2, rational(table))
            assert update_variance(policy.knows, 2, table) == pytest.approx(float(variance), rel=1e-13, abs=1e-15)

    def test_a_softmax_is_told_by_its_collisions(self):
        policy = POLICIES["softmax of four"]
        p, q = policy.p, 1 - policy.p
        alike = [
            float(sum(c * c for c, r in zip(policy.chances, policy.right, strict=True) if r == kind) / s**2)
            for kind, s in ((1, p), (0, q))
        ]
        tabular, known = Scores.tabular(float(p), *alike), policy.knows
        for name in ("p", "slope_squared", "variance_correct", "variance_incorrect"):
            assert float(getattr(tabular, name)) == pytest.approx(float(getattr(known, name)), rel=1e-14, abs=0)

    @pytest.mark.parametrize("p", EXTREMES)
    @pytest.mark.parametrize("g", [2, 8, 4097, 10**6])
    def test_twelve_digits(self, p, g):
        """With a slope in the proportion to pq that the policies of a softmax have."""
        x = mp.mpf(p)
        slope = float(x * (1 - x)) * 0.7
        want = x * (1 - x) * ((1 - x) * 2 + x * 3) + slope * (1 / (x * (1 - x)) - 4)
        want = (want + (x * (1 - x) * (x * 2 + (1 - x) * 3) + 2 * mp.mpf(slope)) / (g - 1)) / g
        assert abs(mp.mpf(update_variance(Scores(p, slope, 2, 3), g)) / want - 1) < 1e-12
        if p > 1e-300:
            cap = g / (1 / (x * (1 - x)) - 4 + mp.mpf(2) / (g - 1))
            assert abs(mp.mpf(signal_to_noise_cap(p, g)) / cap - 1) < 1e-12

    @pytest.mark.parametrize("p", [1e-300, 1e-8, 0.3, 1 - 1e-16])
    def test_the_table_agrees_to_the_largest_law(self, p):
        scores = Scores(p, 0.7 * p * (1 - p), 2, 3)
        for g in (2, 64, 4096):
            assert update_variance(scores, g, RLOO) == pytest.approx(update_variance(scores, g), rel=1e-11, abs=0)
            ratio = ((g - 1) / g) ** 2
            assert update_variance(scores, g, DR_GRPO) == pytest.approx(
                ratio * update_variance(scores, g), rel=1e-10, abs=0
            )

    def test_a_sampled_policy(self):
        """40 000 groups of 8 from the 200 responses of the page; a baseline for free is rejected."""
        g, groups, rng = 8, 40_000, np.random.default_rng(0)
        chances, right, scores = zipf()
        drawn = rng.choice(200, p=chances, size=(groups, g))
        a = RLOO.advantages(right[drawn].astype(int))
        counts = np.zeros((groups, 200))
        np.add.at(counts, (np.arange(groups)[:, None], drawn), a / g)  # the update; sum A = 0, so e_y - pi is e_y
        slope = chances * (right - scores.p)
        square = ((counts - slope) ** 2).sum(1)
        error = square.std() / np.sqrt(groups)  # not a rare event: a third of the groups are mixed
        assert abs(square.mean() - update_variance(scores, g)) < 5 * error
        assert abs(square.mean() - float(scores.oracle_noise) / g) > 5 * error


def zipf():
    """The page's example: 200 responses with chances in proportion to 1/rank, every eleventh right."""
    rank = np.arange(1, 201)
    chances, right = (1 / rank) / (1 / rank).sum(), rank % 11 == 0
    p = chances[right].sum()
    collisions = [(chances[kind] ** 2).sum() / chances[kind].sum() ** 2 for kind in (right, ~right)]
    return chances, right, Scores.tabular(p, *collisions)


class TestSignalToNoise:
    def test_three_readings_of_group_size(self):
        """As tabulated on the page: degenerate groups fall, informative groups fall, signal to noise rises."""
        *_, scores = zipf()
        p, sizes = float(scores.p), (2, 4, 8, 16, 32, 64)
        assert p == pytest.approx(0.054, abs=5e-4)
        assert [degenerate_probability(p, g) for g in sizes] == pytest.approx(
            [0.898, 0.801, 0.641, 0.411, 0.169, 0.029], abs=6e-4
        )
        mixed = [64 / g * informative_probability(p, g) for g in sizes]
        assert mixed == pytest.approx([3.27, 3.19, 2.87, 2.36, 1.66, 0.97], abs=6e-3)
        rloo = [signal_to_noise(scores, g, rollouts=64) for g in sizes]
        grpo = [signal_to_noise(scores, g, GRPO, rollouts=64) for g in sizes]
        assert rloo == pytest.approx([0.302, 0.447, 0.517, 0.552, 0.570, 0.578], abs=6e-4)
        assert grpo == pytest.approx([0.302, 0.446, 0.516, 0.552, 0.576, 0.603], abs=6e-4)

    def test_budgets(self):
        scores = Scores.tabular(0.2, 0.3, 0.1)
        one = signal_to_noise(scores, 8)
        assert signal_to_noise(scores, 8, rollouts=8) == one
        assert signal_to_noise(scores, 8, rollouts=1) == pytest.approx(one / 8, rel=1e-15, abs=0)

    @pytest.mark.parametrize("p", [0.01, 0.3, 0.5, 0.99])
    def test_where_noise_dominates_group_size_costs_the_same_at_every_pass_rate(self, p):
        best = update_variance(Scores(p), 10**6) * 10**6
        waste = [g * update_variance(Scores(p), g) / best for g in (2, 4, 8, 16, 32)]
        assert waste == pytest.approx([2, 4 / 3, 8 / 7, 16 / 15, 32 / 31], rel=2e-6)

    @pytest.mark.parametrize("p", [0.02, 0.3])
    def test_but_not_where_right_scores_spread_unlike_wrong_ones(self, p):
        scores, g = Scores(p, 0, 3, 1), 4
        cost = g * update_variance(scores, g) / float(scores.oracle_noise)
        assert cost == pytest.approx(1 + (p * 3 + 1 - p) / ((1 - p) * 3 + p) / 3, rel=1e-14)
        assert abs(cost - 4 / 3) > 0.04

    @every_policy
    @pytest.mark.parametrize("g", [2, 3, 8])
    def test_caps(self, policy, g):
        """No policy is above; one with two responses attains it. Nor is any table that is 0 in degenerate groups."""
        p = float(policy.p)
        got, cap = signal_to_noise(policy.knows, g), signal_to_noise_cap(p, g)
        attained = len(policy.chances) == 2
        assert got == pytest.approx(cap, rel=1e-12) if attained else got < cap
        for estimator in ESTIMATORS:
            assert signal_to_noise(policy.knows, g, estimator) <= informative_probability(
                p, g
            ) / degenerate_probability(p, g) * (1 + 1e-12)

    def test_the_cap_of_silent_tables_is_attained(self):
        """By the table with the same pull in every informative group; at the critical pass rate it is 1."""
        even = Estimator("even", lambda K, g: np.where(g > K, 1 / K, 0), lambda K, g: np.where(K > 0, -1 / (g - K), 0))
        for g in (4, 8, 16):
            p = critical_pass_rate(g)
            assert signal_to_noise(Scores(p, 1, 0, 0), g, even) == pytest.approx(1, rel=1e-11)

    @pytest.mark.parametrize(("g", "p"), [(4, 0.163), (8, 0.094), (16, 0.053), (32, 0.029)])
    def test_the_cap_is_one_near_but_not_at_the_critical_pass_rate(self, g, p):
        assert signal_to_noise_cap(p - 6e-4, g) < 1 < signal_to_noise_cap(p + 6e-4, g)
        assert critical_pass_rate(g) < p - 6e-4


class TestBestGroupSize:
    @pytest.mark.parametrize("between", [1e-5, 1e-3, 0.01, 0.1, 10])
    def test_no_other_size_is_better(self, between):
        """The variance at 1 rollout, g/N [between + mean noise], for prompts that differ."""
        scores = Scores([0.05, 0.3, 0.7], [0.001, 0.02, 0.01], [1, 2, 0.5], [1, 0.3, 1])
        total = [g * (between + np.mean(update_variance(scores, g))) for g in range(2, 400)]
        assert best_group_size(scores, between) == 2 + int(np.argmin(total))

    def test_the_formula(self):
        scores = Scores(0.3, 0.02, 2, 1)
        for between in (1e-8, 1e-4, 1e-2):
            c = float(scores.baseline_noise)
            assert c == pytest.approx(0.21 * (0.3 * 2 + 0.7 * 1) + 2 * 0.02, rel=1e-14)
            assert abs(best_group_size(scores, between) - (1 + np.sqrt(c / between))) < 1

    def test_pass_rates_do_not_decide_it(self):
        assert best_group_size(Scores(0.1, 0.001, 1, 1), 0.01) == 4
        assert best_group_size(Scores(0.1, 0.001, 100, 100), 0.01) == 31
        assert best_group_size(Scores(0.1, 0.001, 1, 1), 1) == 2

    def test_hoeffdings_cost_is_not_the_noise(self):
        """Tempting: all of a rollout's noise in the place of what finding its baseline costs."""
        scores, between = Scores(0.05, 0.04, 3, 0.1), 1e-3
        total = [g * (between + update_variance(scores, g)) for g in range(2, 100)]
        wrong = round(1 + np.sqrt(float(scores.oracle_noise) / between))
        assert best_group_size(scores, between) == 2 + int(np.argmin(total)) != wrong


class TestRelativeEfficiency:
    @pytest.mark.parametrize(("g", "least"), [(8, 0.975), (16, 0.955), (32, 0.944), (64, 0.937), (128, 0.934)])
    def test_least_efficiency_of_dividing_by_the_deviation(self, g, least):
        p = np.concatenate([np.geomspace(1e-6, 0.01, 500), np.linspace(0.01, 0.5, 2000)])
        efficiency = relative_efficiency(p, g, GRPO)
        assert efficiency.min() == pytest.approx(least, abs=6e-4)
        assert efficiency.max() <= 1 + 1e-12

    @pytest.mark.parametrize("p", EXTREMES)
    def test_free_at_two_and_three_rollouts(self, p):
        for g in (2, 3):
            assert relative_efficiency(p, g, GRPO) == pytest.approx(1, rel=1e-12)
        assert relative_efficiency(p, 8, RLOO) == pytest.approx(1, rel=1e-12)
        assert relative_efficiency(p, 8, DR_GRPO) == pytest.approx(1, rel=1e-12)

    @pytest.mark.parametrize("estimator", CENTRED, **by_name)
    def test_is_the_ratio_of_signal_to_noise_where_noise_dominates(self, estimator):
        scores, p = Scores(0.1, 1e-12, 1, 1), 0.1
        for g in (2, 5, 16):
            ratio = signal_to_noise(scores, g, estimator) / signal_to_noise(scores, g)
            assert relative_efficiency(p, g, estimator) == pytest.approx(ratio, rel=1e-9)
            assert ratio <= 1 + 1e-9

    @pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
    @pytest.mark.parametrize("g", [2, 4, 9])
    def test_without_centring_the_true_baseline_is_the_limit(self, p, g):
        oracle = Estimator("oracle", lambda K, g: 1 - p, lambda K, g: -p)
        assert relative_efficiency(p, g, oracle) == pytest.approx(g / (g - 1), rel=1e-12)
        assert relative_efficiency(p, g, SIGN) == pytest.approx(4 * p * (1 - p) * g / (g - 1), rel=1e-12)
        for estimator in (*ESTIMATORS, ODD):
            assert relative_efficiency(p, g, estimator) < g / (g - 1)

    def test_by_the_mass_of_each_group(self):
        """(E M)^2 / (E K(g-K) E M^2/(K(g-K))) for GRPO, exactly: M = sqrt(K(g-K))."""
        g, p = 6, 0.2
        population, k = Fixed(p).pmf(g), np.arange(g + 1)
        want = (population @ np.sqrt(k * (g - k))) ** 2 / (population[1:-1].sum() * (population @ (k * (g - k))))
        assert relative_efficiency(p, g, GRPO) == pytest.approx(want, rel=1e-13)


class TestAllocation:
    @pytest.mark.parametrize("rollouts", [6, 9, 16])
    def test_no_other_shares_are_better(self, rollouts):
        """100 sets of three prompts, whose noise is that of scores, of baselines, or of both."""
        rng, prompts = np.random.default_rng(0), np.arange(3)
        shares = np.array([s for s in product(range(2, rollouts - 3), repeat=3) if sum(s) == rollouts])
        for _ in range(100):
            p, slope, right, wrong = rng.random((4, 3)) ** 3
            scores = Scores(np.clip(p, 1e-3, 1), slope, right, wrong)
            noise = np.stack([update_variance(scores, n) for n in range(2, rollouts)])  # [size - 2, prompts]
            total = noise[shares - 2, prompts].sum(-1)
            got = allocate_rollouts(scores, rollouts)
            assert got.sum() == rollouts
            assert noise[got - 2, prompts].sum() == pytest.approx(total.min(), rel=1e-12)

    def test_many_rollouts_come_near_neymans_shares(self):
        p, rollouts = np.array([0.03, 0.1, 0.3, 0.5, 0.9]), 4000
        root = np.sqrt(p * (1 - p))
        neyman = 1 + (rollouts - 5) * root / root.sum()
        shares = allocate_rollouts(Scores(p), rollouts)
        assert np.all(np.abs(shares - neyman) <= 1)
        assert np.abs(shares - rollouts * p * (1 - p) / (p * (1 - p)).sum()).max() > 100  # not by p(1-p) itself

    def test_the_gain_is_bounded(self):
        p, rollouts = np.array([0.03, 0.1, 0.3, 0.5, 0.9]), 5000
        noise = p * (1 - p)
        gain = noise.mean() / np.sqrt(noise).mean() ** 2
        shares = allocate_rollouts(Scores(p), rollouts)
        assert (noise / (rollouts / 5 - 1)).sum() / (noise / (shares - 1)).sum() == pytest.approx(gain, rel=1e-5)
        assert gain == pytest.approx(1.12, abs=5e-3)
        low, high = np.sqrt(noise.min()), 0.5
        assert gain < (low + high) ** 2 / (4 * low * high) == pytest.approx(1.32, abs=5e-3)


class TestDynamicSampling:
    @pytest.mark.parametrize("g", [2, 3, 4])
    def test_direction_is_unchanged(self, g):
        """Two prompts, drawn evenly, sharing their parameters: E[U | mixed] (1-D) = E[U], exactly.

        The tempting mean over prompts of each prompt's own kept groups points elsewhere: it forgets who is kept.
        """
        prompts = (POLICIES["shared parameters"], Policy((1, 7, 2), (1, 0, 0), ((3, 1), (0, -2), (1, 1))))
        kept, mixed = [], []
        for policy in prompts:
            update, _ = policy.update(g, lambda rewards: leave_one_out(rewards) if 0 < sum(rewards) < g else [0] * g)
            kept.append(update)
            mixed.append(enumeration.expectation(lambda rewards: 0 < sum(rewards) < g, enumeration.fixed(policy.p), g))
        whole = [(x + y) / 2 for x, y in zip(*(policy.slope for policy in prompts), strict=True)]
        given_mixed = [(x + y) / sum(mixed) for x, y in zip(*kept, strict=True)]
        assert [x * sum(mixed) / 2 for x in given_mixed] == whole
        assert sum(mixed) / 2 == pytest.approx(np.mean(informative_probability([float(x.p) for x in prompts], g)))
        own = [x / mixed[0] + y / mixed[1] for x, y in zip(*kept, strict=True)]
        assert own[0] * whole[1] != own[1] * whole[0]

    @every_policy
    def test_noise_against_as_many_rollouts_unfiltered(self, policy):
        """Relative to the squared mean, B kept groups have the variance of B/(1-D) unfiltered ones, less D/B."""
        g, B = 3, 7
        mean, variance = policy.update(g, leave_one_out)
        signal, dead = sum(x * x for x in mean), policy.p**g + (1 - policy.p) ** g
        second = variance + signal
        kept = (second / (1 - dead) - signal / (1 - dead) ** 2) / (signal / (1 - dead) ** 2) / B
        assert kept == variance / signal * (1 - dead) / B - dead / B

    def test_a_table_that_teaches_unanimous_groups_would_turn(self):
        policy = Policy((3, 1, 2, 2), (1, 0, 1, 0), ((1, 2), (-3, 1), (4, 0), (0, -2)))
        table = rational(posterior_baseline(0.5, 0.5))
        kept, _ = policy.update(3, lambda rewards: table(rewards) if 0 < sum(rewards) < 3 else [0] * 3)
        whole, _ = policy.update(3, table)
        dead = policy.p**3 + (1 - policy.p) ** 3
        assert max(abs(k / (1 - dead) - w) for k, w in zip(kept, whole, strict=True)) > 0.05


class TestVerdicts:
    @pytest.mark.parametrize("g", [2, 3])
    def test_over_every_group_and_every_verdict(self, g):
        """Each response split in two, passed and failed; scores scatter widely, so noise dominates."""
        n, f, wide = Fraction(1, 10), Fraction(1, 5), 1000
        chances, right = (1, 1, 2, 2), (1, 1, 0, 0)
        scores = ((2, wide), (2, -wide), (-1, wide), (-1, -wide))
        honest = Policy(chances, right, scores)
        rates = [n if r else 1 - f for r in right]  # of being failed
        noisy = Policy(
            [c * x for c, fail in zip(chances, rates, strict=True) for x in (1 - fail, fail)],
            [1, 0] * 4,
            [s for s in scores for _ in (1, 0)],
        )
        assert noisy.slope == [(1 - n - f) * x for x in honest.slope]
        faults = {"fnr": float(n), "fpr": float(f)}
        assert float(noisy.p) == pytest.approx(noisy_pass_rate(float(honest.p), **faults), rel=1e-14)
        snr = [sum(x * x for x in policy.slope) / policy.update(g, leave_one_out)[1] for policy in (honest, noisy)]
        assert float(snr[1] / snr[0]) == pytest.approx(noisy_verifier_efficiency(float(honest.p), **faults), rel=1e-5)


class TestProofs:
    """Their steps are followed where all proofs are."""

    def test_say_what_the_library_computes(self):
        got = proofs.noise_of_rloo().value(p=0.2, n2=1.5, S_C=3, S_I=0.7, g=8)
        assert got == pytest.approx(update_variance(Scores(0.2, 1.5, 3, 0.7), 8), rel=1e-13)
        got = proofs.shrinking_baseline().value(m=0.3, rho=0.2, g=4)
        assert got == pytest.approx(posterior_baseline(0.3, 0.2).second_moment(Beta(0.3, 0.2), 4), rel=1e-13)
        got = proofs.noisy_verdicts().value(p=0.02, n=0.1, f=0.05)
        assert got == pytest.approx(noisy_verifier_efficiency(0.02, fnr=0.1, fpr=0.05), rel=1e-12)

    def test_a_baseline_of_another_population_breaks_the_proof(self):
        whole = proofs.shrinking_baseline()
        steps = list(whole.steps)
        steps[0] = replace(steps[0], rhs=steps[0].rhs * sympy.Rational(1, 2))
        with pytest.raises(ArithmeticError, match="B2, step 6 is not confirmed"):
            replace(whole, steps=tuple(steps)).check()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Scores(0), r"p must lie in \(0, 1\), got 0\."),
        (lambda: Scores([0.5, 1.0]), r"p must lie in \(0, 1\), got 1 at index 1\."),
        (lambda: Scores(0.5, -1), r"slope_squared must lie in \[0, inf\], got -1\."),
        (lambda: Scores([0.5, 0.2], [1, 2, 3]), r"must have shapes that broadcast, got \(2,\), \(3,\), \(\), \(\)\."),
        (lambda: Scores.tabular(0.5, 1.5, 0), r"collision_correct must lie in \[0, 1\], got 1\.5\."),
        (lambda: update_variance(0.5, 8), r"scores must be Scores, got 0\.5. Where only pass rates are known"),
        (lambda: update_variance(Scores(0.5), 1), "g must be at least 2, got 1"),
        (lambda: update_variance(Scores(0.5), 5000, RLOO), "g must be at most 4096, got 5000"),
        (lambda: signal_to_noise(Scores(0.5), 2), "slope_squared must be positive, got 0"),
        (lambda: signal_to_noise(Scores(0.5, 1), 2, rollouts=0), r"rollouts must lie in \(0, inf\), got 0"),
        (lambda: best_group_size(Scores(0.5), 0), "between must lie in .* the largest group is best"),
        (lambda: best_group_size(Scores(0.5), [1, 2]), "between must be one number"),
        (lambda: allocate_rollouts(Scores(0.5), 4), r"one entry per prompt \[prompts\], got shape \(\)"),
        (lambda: allocate_rollouts(Scores([0.5, 0.5]), 3), "rollouts must be at least 4, got 3. Each prompt needs"),
        (lambda: relative_efficiency(0, 8, GRPO), r"p must lie in \(0, 1\), got 0"),
        (lambda: relative_efficiency(Beta(0.2, 0.1), 8, GRPO), "p must be a number or an array of numbers"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


class TestWhereStepsCount:
    """S9: the gain of the best step per rollout, over all sizes and by drawn steps on a curved objective."""

    SCORES = Scores([0.02, 0.1, 0.4], [0.001, 0.004, 0.02], [1.0, 0.6, 0.8], [0.3, 0.7, 0.5])

    def squared_norm(self, g, prompts, slope, between):
        noise = float(np.mean(np.asarray(update_variance(self.SCORES, g))))
        return slope + (between + noise) / prompts

    @pytest.mark.parametrize("slope", [0.0, 1e-4, 2e-3])
    @pytest.mark.parametrize("prompts", [1, 16, 512])
    def test_the_best_size_among_all(self, prompts, slope):
        between = 0.002
        per_rollout = {g: 1 / (g * prompts * self.squared_norm(g, prompts, slope, between)) for g in range(2, 200)}
        best = best_group_size(self.SCORES, between + prompts * slope)
        assert per_rollout[best] == pytest.approx(max(per_rollout.values()), rel=1e-12)

    def test_the_laws_cross_where_noise_between_prompts_is_the_signal(self):
        between, slope = 0.002, 1e-4
        crossing = between / slope
        few, many = (best_group_size(self.SCORES, between + p * slope) for p in (0.01 * crossing, 100 * crossing))
        assert few == best_group_size(self.SCORES, between)
        assert many <= few / 3

    def test_what_the_best_step_gains(self):
        """Noisy gradients of c x - L|x|^2/2 at 0: the best step beats its neighbours, and gains what S9 says."""
        rng, c, curvature = np.random.default_rng(0), np.array([1.0, -0.5, 0.2]), 3.0
        gradients = c + rng.normal(0, 0.7, (200_000, 3))
        squared = c @ c + 3 * 0.7**2
        best = c @ c / (curvature * squared)

        def gained(eta):
            steps = eta * gradients
            return (steps @ c - curvature / 2 * (steps**2).sum(-1)).mean()

        assert gained(best) == pytest.approx((c @ c) ** 2 / (2 * curvature * squared), rel=0.02)
        assert gained(best) > max(gained(0.8 * best), gained(1.2 * best))
