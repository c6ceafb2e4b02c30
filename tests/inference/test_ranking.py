"""When is one start worse than another? Pairs against plain loops, and what noise alone looks like."""

from fractions import Fraction
from itertools import permutations
from math import sqrt

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr, ndtri, stdtr

from rlsignal.inference import inversions, paired_estimate, ranking, variance_explained
from rlsignal.inference.ranking import LEAST_LOSS, _opposite, disagreement_probability, rank_correlation

STUDENT = {2: 12.7062047, 3: 4.30265273, 4: 3.18244631, 8: 2.36462425}
"""The 97.5% quantile of Student's t for so many draws, from a printed table."""


def by_hand(before, after, least=LEAST_LOSS):
    """R1 for one pair at a time: (inverted pairs, pairs with an order, largest half-width)."""
    found, pairs, widths = set(), 0, []
    for a in range(len(before)):
        for b in range(len(before)):
            if before[a] > before[b] and np.all(np.isfinite(after[[a, b]])):
                loss = after[b] - after[a]
                widths.append(STUDENT[len(loss)] * np.sqrt(loss.var(ddof=1) / len(loss)))
                pairs += 1
                if loss.mean() > widths[-1] and loss.mean() > least:
                    found.add((a, b))
    return found, pairs, max(widths)


class TestInversions:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("least", [0.0, LEAST_LOSS, 0.2])
    def test_every_pair_as_by_hand(self, seed, least):
        draw = np.random.default_rng(seed)
        before = draw.choice([0.1, 0.2, 0.3, 0.5], 9)  # with ties
        after = draw.normal(0.5, 0.1, (9, 1)) + draw.normal(0, 0.03, (9, 4)) + draw.normal(0, 0.3, 4)
        after[4, 1] = np.nan
        found = inversions(before, after, least=least)
        pairs, count, floor = by_hand(before, after, least)
        assert {(int(a), int(b)) for a, b in np.argwhere(found.inverted)} == pairs
        assert found.share == pytest.approx(len(pairs) / count)
        assert found.noise_floor == pytest.approx(floor, rel=1e-7)

    def test_noise_shared_by_the_pair_does_not_count(self):
        """A draw that lifts both starts alike leaves their difference exact, so a small loss is still seen."""
        shared = np.array([0.3, -0.2, 0.1, -0.1])
        found = inversions([0.1, 0.3], np.array([[0.53], [0.5]]) + shared)
        assert found.share == 1
        assert found.noise_floor < 1e-15
        broken = inversions([0.1, 0.3], [0.53 + shared, 0.5 - shared])  # the same means, not paired
        assert broken.share == 0

    def test_equal_outcomes_are_not_inverted(self):
        found = inversions(np.linspace(0.1, 0.9, 7), np.full((7, 8), 0.6))
        assert not found.inverted.any()
        assert (found.share, found.noise_floor) == (0, 0)

    def test_ties_before_have_no_order_to_turn(self):
        found = inversions([0.3, 0.3], [[0.2, 0.2], [0.9, 0.9]])
        assert not found.inverted.any()
        assert np.isnan(found.share)
        assert np.isnan(found.noise_floor)

    def test_a_smaller_loss_than_the_least_is_no_inversion(self):
        for loss, want in ((0.019, 0), (0.021, 1)):
            assert inversions([0.1, 0.3], [[0.5 + loss] * 4, [0.5] * 4]).share == want
            assert inversions([0.1, 0.3], [[0.5 + loss] * 4, [0.5] * 4], least=0.01).share == 1

    def test_small_noise_inverts_nothing(self):
        """Outcomes that do not depend on the start, noise of 0.005: a mean difference of 0.02 is 8 standard errors."""
        noise = np.random.default_rng(0).normal(0.6, 0.005, (60, 8))
        assert inversions(np.linspace(0.1, 0.9, 60), noise).share == 0

    @pytest.mark.parametrize("draws", [2, 8])
    def test_large_noise_inverts_one_pair_in_forty(self, draws):
        """The upper tail of a 95% interval; the least loss is nothing beside noise of 10. 8000 independent pairs."""
        noise = np.random.default_rng(draws).normal(0, 10, (8000, 2, draws))
        share = np.mean([inversions([0.1, 0.3], pair).share for pair in noise])
        assert abs(share - 0.025) < 5 * np.sqrt(0.025 * 0.975 / 8000)

    def test_one_standard_error_would_invert_one_in_six(self):
        """The tempting filter: P(t_7 > 1) = 0.175 of equal pairs pass it."""
        loss = np.diff(np.random.default_rng(8).normal(0, 10, (8000, 2, 8)), axis=1)[:, 0]
        share = (loss.mean(-1) > loss.std(-1, ddof=1) / np.sqrt(8)).mean()
        assert abs(share - 0.025) > 5 * np.sqrt(0.025 * 0.975 / 8000)
        assert share == pytest.approx(1 - stdtr(7, 1), abs=0.02)

    def test_missing_cells_are_left_out_and_do_not_spread(self):
        before, after = np.array([0.1, 0.3, 0.5]), np.array([[0.8, 0.9], [0.5, 0.6], [0.2, 0.1]])
        for gap in (0, 1, 2):
            holed = after.copy()
            holed[gap, 0] = np.nan
            keep = np.arange(3) != gap
            found, clean = inversions(before, holed), inversions(before[keep], after[keep])
            assert (found.share, found.noise_floor) == (clean.share, clean.noise_floor)
            np.testing.assert_array_equal(found.inverted[np.ix_(keep, keep)], clean.inverted)
            assert not found.inverted[gap].any()
            assert not found.inverted[:, gap].any()

    def test_nothing_to_compare(self):
        found = inversions([0.1, 0.3], np.full((2, 4), np.nan))
        assert np.isnan(found.share)
        assert not found.inverted.any()

    @pytest.mark.parametrize(
        ("before", "after", "shapes"),
        [
            ([0.1, 0.3], [[0.5], [0.6]], "(2,) and (2, 1)"),
            ([0.1, 0.3], [0.5, 0.6], "(2,) and (2,)"),
            ([0.1, 0.3, 0.5], [[0.5, 0.6], [0.6, 0.7]], "(3,) and (2, 2)"),
            (0.1, [[0.5, 0.6]], "() and (1, 2)"),
        ],
    )
    def test_shapes_that_do_not_match_are_refused(self, before, after, shapes):
        with pytest.raises(ValueError) as error:
            inversions(before, after)
        assert str(error.value) == (
            f"before and after must have shapes [cells] and [cells, draws] with at least 2 draws, got {shapes}. "
            "One draw does not show the noise."
        )

    def test_prints_what_matters(self):
        assert str(inversions([0.1, 0.3], [[0.5, 0.7], [0.4, 0.4]])) == (
            "0% of the pairs inverted; outcomes within 1.271 may be noise"
        )

    @pytest.mark.parametrize(
        ("least", "message"),
        [
            (-0.01, r"^least must lie in \[0, 1\], got -0.01\.$"),
            (np.nan, r"^least must lie in \[0, 1\], got nan\.$"),
            (2, r"^least must lie in \[0, 1\], got 2\.$"),
            ([0.1, 0.2], r"^least must be one number, got an array of shape \(2,\)\. Call once per entry\.$"),
            ("much", r"^least must be a number or an array of numbers, got 'much'\.$"),
        ],
    )
    def test_a_least_loss_out_of_range_is_refused(self, least, message):
        with pytest.raises(ValueError, match=message):
            inversions([0.1, 0.3], [[0.5, 0.6], [0.6, 0.7]], least=least)


EPOCHS = (1.0, 1.9, 2.9, 3.8, 5.8)
ENTROPY = (0.227, 0.163, 0.156, 0.171, 0.120)
PASS_AT_1 = (0.151, 0.163, 0.159, 0.173, 0.187)
PEAK = (0.806, 0.750, 0.671, 0.608, 0.481)
"""The five depth means that arXiv 2606.18487 publishes of its Qwen ladder; the outcome is peak pass@10."""


def places(values):
    """Ranks by counting, ties at the mean of their places."""
    return [sum(w < v for w in values) + Fraction(sum(w == v for w in values) + 1, 2) for v in values]


def rho_parts(x, y):
    """Numerator and squared denominator of Pearson's correlation of the ranks."""
    middle = Fraction(len(x) + 1, 2)
    a, b = ([place - middle for place in places(v)] for v in (x, y))
    return sum(i * j for i, j in zip(a, b, strict=True)), sum(i * i for i in a) * sum(j * j for j in b)


def tau_parts(x, y):
    """Concordant less discordant pairs, and (pairs untied in x) (pairs untied in y)."""
    pairs = [(x[i] - x[j], y[i] - y[j]) for i in range(len(x)) for j in range(i)]
    concordant, discordant = sum(a * b > 0 for a, b in pairs), sum(a * b < 0 for a, b in pairs)
    return concordant - discordant, sum(a != 0 for a, _ in pairs) * sum(b != 0 for _, b in pairs)


def counted(parts, x, y):
    """The share of orders of y at least as far from no agreement, in whole numbers."""
    given = abs(parts(x, y)[0])
    far = [abs(parts(x, order)[0]) >= given for order in permutations(y)]
    return Fraction(sum(far), len(far))


class TestRankCorrelation:
    @pytest.mark.parametrize(
        ("predictor", "rho", "chance", "inverted"),
        [
            (ENTROPY, 0.7, Fraction(28, 120), 0.2),
            (PASS_AT_1, -0.9, Fraction(10, 120), 0.9),
            (EPOCHS, -1.0, Fraction(2, 120), 1.0),
        ],
    )
    def test_of_the_published_ladder(self, predictor, rho, chance, inverted):
        found = rank_correlation(predictor, PEAK)
        assert found.spearman == pytest.approx(rho, rel=1e-15)
        assert found.spearman_p == pytest.approx(float(chance), rel=1e-15)
        assert (found.inverted, found.units, found.exact) == (inverted, 5, True)

    @pytest.mark.parametrize("units", range(2, 7))
    @pytest.mark.parametrize("values", [2, 3, 50])
    def test_as_counted_by_hand_with_and_without_ties(self, units, values):
        draw = np.random.default_rng([units, values])
        for _ in range(5):
            x, y = draw.integers(0, values, (2, units)).tolist()
            if len(set(x)) > 1 and len(set(y)) > 1:
                found = rank_correlation(x, y)
                for parts, value, p_value in (
                    (rho_parts, found.spearman, found.spearman_p),
                    (tau_parts, found.kendall, found.kendall_p),
                ):
                    top, below = parts(x, y)
                    assert value == pytest.approx(top / sqrt(below), rel=1e-14, abs=1e-15)
                    assert p_value == pytest.approx(float(counted(parts, x, y)), rel=1e-14)

    def test_an_exact_p_value_is_as_rare_as_it_says(self):
        """Over all orders of five units a p-value of at most c comes in a share of c, for each c that occurs."""
        found = [rank_correlation(range(5), order) for order in permutations(range(5))]
        for p_values in ([x.spearman_p for x in found], [x.kendall_p for x in found]):
            for level in set(p_values):
                assert np.mean([p <= level for p in p_values]) == pytest.approx(level, rel=1e-14)
            assert min(p_values) == pytest.approx(2 / 120, rel=1e-14)

    def test_students_t_is_too_sure_of_a_few_units(self):
        """What is tempting on five units: t says .083 is .037, and .017 is 0."""
        assert stats.spearmanr(PASS_AT_1, PEAK).pvalue == pytest.approx(0.037, abs=5e-4)
        assert stats.spearmanr(EPOCHS, PEAK).pvalue < 1e-20
        assert rank_correlation(PASS_AT_1, PEAK).spearman_p == pytest.approx(1 / 12)

    @pytest.mark.parametrize("units", [4, 8, 9, 25, 60])
    @pytest.mark.parametrize("ties", [False, True])
    def test_against_scipy(self, units, ties):
        draw = np.random.default_rng(units)
        x = draw.integers(0, max(units // 3, 3), units) if ties else draw.normal(size=units)
        y = x + draw.integers(-3, 3, units) if ties else x + draw.normal(size=units)
        found, rho, tau = rank_correlation(x, y), stats.spearmanr(x, y), stats.kendalltau(x, y, method="asymptotic")
        assert (found.spearman, found.kendall) == pytest.approx((rho.statistic, tau.statistic), rel=1e-12)
        if units > 8:
            assert found.spearman_p == pytest.approx(rho.pvalue, rel=1e-10)
            pairs = tau_parts(x.tolist(), y.tolist())[0]
            shrunk = 1 - 1 / abs(pairs)  # scipy has the same variance, and no correction for continuity
            assert ndtri(found.kendall_p / 2) == pytest.approx(ndtri(tau.pvalue / 2) * shrunk, rel=1e-9)
        elif not ties:
            assert found.kendall_p == pytest.approx(stats.kendalltau(x, y, method="exact").pvalue, rel=1e-12)

    def test_the_approximations_are_close_where_they_begin(self, monkeypatch):
        """At eight units, p-values of .02 to .3: within 25% for rho, 20% for tau; not without the correction."""
        draw = np.random.default_rng(8)
        pairs = [(np.arange(8), draw.permutation(8)) for _ in range(20)]
        true = [rank_correlation(*pair) for pair in pairs]
        monkeypatch.setattr(ranking, "MOST_ENUMERATED", 7)
        near = [rank_correlation(*pair) for pair in pairs]
        plain = [stats.kendalltau(*pair, method="asymptotic").pvalue for pair in pairs]
        assert all(x.exact for x in true)
        assert not any(x.exact for x in near)
        for name, worst in (("spearman_p", 0.25), ("kendall_p", 0.2)):
            real, found = (np.array([getattr(x, name) for x in these]) for these in (true, near))
            asked = (real > 0.02) & (real < 0.3)
            assert np.abs(found / real - 1)[asked].max() < worst
        assert np.abs(plain / real - 1)[asked].max() > worst

    @pytest.mark.parametrize("units", [9, 12, 40])
    def test_no_p_value_is_below_that_of_the_best_order(self, units):
        found = rank_correlation(range(units), range(units))
        assert (found.spearman, found.kendall, found.exact) == (1, 1, False)
        assert found.spearman_p == pytest.approx(2 / np.prod(np.arange(1, units + 1), dtype=float))
        assert found.kendall_p >= found.spearman_p

    def test_only_the_order_matters(self):
        found = rank_correlation(ENTROPY, PEAK)
        assert rank_correlation(np.log(ENTROPY), np.exp(np.multiply(9, PEAK))) == found
        turned = rank_correlation(ENTROPY, np.negative(PEAK))
        assert turned.spearman == -found.spearman
        assert turned.kendall == -found.kendall
        assert turned.inverted == pytest.approx(1 - found.inverted)
        assert (turned.spearman_p, turned.kendall_p) == (found.spearman_p, found.kendall_p)

    @pytest.mark.parametrize("seed", range(5))
    def test_inverted_is_the_share_of_pairs_that_inversions_finds_without_noise(self, seed):
        draw = np.random.default_rng(seed)
        before, after = draw.choice([0.1, 0.2, 0.3, 0.4], 7), draw.choice([0.2, 0.5, 0.6, 0.9], 7)
        found = rank_correlation(before, after)
        assert found.inverted == inversions(before, np.stack([after, after], 1), least=0).share

    def test_without_ties_the_inverted_share_is_tau(self):
        found = rank_correlation(PASS_AT_1, PEAK)
        assert found.kendall == pytest.approx(1 - 2 * found.inverted)

    def test_a_constant_has_no_order(self):
        for found in (rank_correlation([1, 1, 1], [1, 2, 3]), rank_correlation(np.ones(20), np.arange(20))):
            numbers = (found.spearman, found.spearman_p, found.kendall, found.kendall_p, found.inverted)
            assert np.isnan(numbers).all()
        assert rank_correlation([1, 2, 3], [1, 1, 1]).inverted == 0

    def test_prints_what_matters(self):
        assert str(rank_correlation(PASS_AT_1, PEAK)) == (
            "Spearman -0.90 (p = 0.083), Kendall -0.80 (p = 0.083), 90% of the pairs inverted; 5 units, exact"
        )
        assert str(rank_correlation(range(9), range(9))).endswith("0% of the pairs inverted; 9 units,\napproximate")

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (([1, 2], [1, 2, 3]), "predictor and outcome must be [units] alike, got shapes (2,) and (3,)."),
            (([[1, 2]], [[1, 2]]), "predictor and outcome must be [units] alike, got shapes (1, 2) and (1, 2)."),
            (([1, np.nan], [1, 2]), "predictor must be finite, got nan at index 1. " + "{out}"),
            (([1, 2], [np.inf, 2]), "outcome must be finite, got inf at index 0. " + "{out}"),
            (([1], [1]), "predictor must have at least 2 units, got 1. One alone has no order."),
            (([], []), "predictor must have at least 2 units, got 0. One alone has no order."),
        ],
    )
    def test_what_cannot_be_ranked_is_refused(self, arguments, message):
        with pytest.raises(ValueError) as error:
            rank_correlation(*arguments)
        assert str(error.value) == message.format(out="Leave units without a number out.")


class TestClusters:
    def test_count_once_each(self):
        """Three seeds that agree are no more evidence than one."""
        seeds = [np.repeat(x, 3) for x in (ENTROPY, PEAK, EPOCHS)]
        assert rank_correlation(*seeds[:2], clusters=seeds[2]) == rank_correlation(ENTROPY, PEAK)
        pooled = rank_correlation(*seeds[:2])
        assert pooled.spearman == pytest.approx(0.7)
        assert pooled.spearman_p == pytest.approx(0.0037, abs=5e-5)

    def test_are_ranked_by_their_means(self):
        """Of unequal sizes: sums would put a before b."""
        x, y, depth = [1, 11, 2, 9, 4, 0, 0], [5, 6, 1, 1, 1, 7, 9], ["b", "b", "a", "a", "a", "c", "c"]
        assert rank_correlation(x, y, clusters=depth) == rank_correlation([6, 5, 0], [5.5, 1, 8])

    def test_rounding_of_means_breaks_no_ties(self):
        """Ten times 0.1, added up in floating point, is not 1."""
        assert np.cumsum([0.1] * 10)[-1] / 10 != 0.1
        x = [0.1] * 10 + [0.1] * 3 + [0.2]
        found = rank_correlation(x, range(14), clusters=[0] * 10 + [1] * 3 + [2])
        assert found == rank_correlation([0.1, 0.1, 0.2], [1, 2, 3])
        assert found.spearman < 1

    def test_keep_false_alarms_where_pooling_multiplies_them(self):
        """Five depths that do not matter, three seeds each, half of the variance between depths: 2000 ladders."""
        draw = np.random.default_rng(5)
        depth = np.repeat(np.arange(5), 3)
        outcomes = draw.normal(size=(2000, 5))[:, depth] + draw.normal(size=(2000, 15))
        clustered = np.mean([rank_correlation(depth, y, clusters=depth).spearman_p <= 0.05 for y in outcomes])
        pooled = np.mean([rank_correlation(depth, y).spearman_p <= 0.05 for y in outcomes])
        assert abs(clustered - 2 / 120) < 5 * sqrt(2 / 120 * (1 - 2 / 120) / len(outcomes))
        assert pooled - 0.05 > 5 * sqrt(0.05 * 0.95 / len(outcomes))

    def test_need_a_label_for_each_unit(self):
        with pytest.raises(ValueError, match=r"^clusters must be one label per unit \[3\], got shape \(2,\)\.$"):
            rank_correlation([1, 2, 3], [1, 2, 3], clusters=[0, 1])
        with pytest.raises(ValueError, match=r"^predictor must have at least 2 units, got 1\."):
            rank_correlation([1, 2, 3], [1, 2, 3], clusters=[0, 0, 0])


class TestPairedInterval:
    def test_is_the_textbook_one(self):
        """t_{0.975} of 4 degrees of freedom is 2.776445."""
        x = np.array([0.1, -0.2, 0.4, 0.3, 0.15])
        found = paired_estimate(x)
        low, high = found.low, found.high
        half = 2.7764451 * np.sqrt(((x - x.mean()) ** 2).sum() / 4) / np.sqrt(5)
        assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), rel=1e-7)

    @pytest.mark.parametrize(("draws", "level"), [(2, 0.95), (4, 0.95), (8, 0.5)])
    def test_covers_as_often_as_it_says_and_the_normal_one_does_not(self, draws, level):
        x = np.random.default_rng(draws).normal(0.3, 1, (4000, draws))
        ends = [paired_estimate(row, level=level) for row in x]
        bounds = np.array([(end.low, end.high) for end in ends])
        covered = ((bounds[:, 0] < 0.3) & (bounds[:, 1] > 0.3)).mean()
        error = np.sqrt(level * (1 - level) / len(x))
        assert abs(covered - level) < 5 * error
        normal = ndtri((1 + level) / 2) * x.std(-1, ddof=1) / np.sqrt(draws)
        if level > 0.5:
            assert (np.abs(x.mean(-1) - 0.3) < normal).mean() < level - 5 * error

    def test_a_constant_difference_is_certain(self):
        found = paired_estimate([0.25, 0.25, 0.25])
        assert (found.value, found.low, found.high) == (0.25, 0.25, 0.25)

    @pytest.mark.parametrize("differences", [[0.1], [], 0.1, [[0.1, 0.2]]])
    def test_fewer_than_two_are_refused(self, differences):
        shape = np.shape(differences)
        with pytest.raises(ValueError) as error:
            paired_estimate(differences)
        assert str(error.value) == f"differences must be at least 2 numbers on one axis, got shape {shape}."

    @pytest.mark.parametrize("level", [0, 1, 1.5, np.nan])
    def test_levels_out_of_range_are_refused(self, level):
        with pytest.raises(ValueError, match=r"^level must lie in \(0, 1\), got "):
            paired_estimate([0.1, 0.2], level=level)


class TestVarianceExplained:
    X, Y = np.random.default_rng(3).uniform(-1, 1, (2, 200))

    def test_a_quadratic_is_known_entirely(self):
        """Squares, products and both slopes, shifted; without the product there would be a rest."""
        outcome = 3 + 2 * self.X - self.Y + 0.5 * self.X**2 + 4 * self.X * self.Y
        assert variance_explained(outcome, self.X, self.Y) == pytest.approx(1, abs=1e-12)
        assert variance_explained(outcome, self.X) < 0.8

    def test_one_predictor_is_a_parabola(self):
        outcome = np.sin(3 * self.X) + 0.1 * self.Y
        rest = outcome - np.polyval(np.polyfit(self.X, outcome, 2), self.X)
        assert variance_explained(outcome, self.X) == pytest.approx(1 - rest.var() / outcome.var(), rel=1e-10)

    def test_units_do_not_matter(self):
        outcome = np.exp(self.X + self.Y)
        shifted = variance_explained(7 - 100 * outcome, 5 + 2 * self.X, -3 * self.Y + 0.1)
        assert shifted == pytest.approx(variance_explained(outcome, self.X, self.Y), rel=1e-9)

    def test_more_predictors_never_lower_it(self):
        outcome = np.exp(self.X) + self.Y**3
        assert variance_explained(outcome, self.X) <= variance_explained(outcome, self.X, self.Y) < 1

    def test_unrelated_predictors_know_nothing(self):
        """Two useless terms among 200 cells: about 2/199."""
        noise = np.random.default_rng(4).normal(size=(300, 200))
        known = np.mean([variance_explained(row, self.X) for row in noise])
        assert known == pytest.approx(2 / 199, rel=0.3)

    def test_copies_of_a_predictor_add_nothing(self):
        outcome = np.exp(self.X) + self.Y
        assert variance_explained(outcome, self.X, 2 * self.X) == pytest.approx(
            variance_explained(outcome, self.X), abs=1e-12
        )

    @pytest.mark.parametrize(
        ("outcome", "predictors", "shapes"),
        [
            (np.zeros(3), (np.zeros(2),), "[(3,), (2,)]"),
            (np.zeros((2, 2)), (np.zeros((2, 2)),), "[(2, 2), (2, 2)]"),
            (np.zeros(3), (np.zeros(3), 1.0), "[(3,), (3,), ()]"),
        ],
    )
    def test_lengths_that_differ_are_refused(self, outcome, predictors, shapes):
        with pytest.raises(ValueError) as error:
            variance_explained(outcome, *predictors)
        assert str(error.value) == f"outcome and predictors must be [cells] alike, got {shapes}."

    @pytest.mark.parametrize(
        "outcome",
        [np.full(9, 0.6), np.array([0.5] * 8 + [np.nan]), np.linspace(0, 1, 3), np.zeros(0)],
        ids=["constant", "missing", "as many cells as terms", "none"],
    )
    def test_outcomes_without_anything_to_explain_are_refused(self, outcome):
        """Three cells are fitted exactly by three terms, whatever they are."""
        with pytest.raises(ValueError) as error:
            variance_explained(outcome, np.arange(len(outcome)))
        assert str(error.value) == (
            f"outcome must be finite, vary, and have more than 3 cells for 1 predictors, got {len(outcome)} cells. "
            "Leave NaN out, or add cells."
        )


class TestDisagreement:
    @pytest.mark.parametrize(
        ("h", "k", "r"),
        [(0.5, 0.3, 0.2), (-1, 0.7, -0.6), (2, 1, 0.9), (0, 0, 0.3), (0, 1, 0.5), (1, 1, -1), (1, -1, 1)],
    )
    def test_against_draws_from_the_normal_law(self, h, k, r):
        rng, draws = np.random.default_rng(0), 400_000
        z = rng.standard_normal((2, draws))
        x, y = h + z[0], k + r * z[0] + np.sqrt(1 - r * r) * z[1]
        seen, error = (x * y < 0).mean(), np.sqrt(0.25 / draws)
        assert abs(_opposite(h, k, r) - seen) < 5 * error
        if 0 < abs(r) < 1:
            independent = ndtr(h) * ndtr(-k) + ndtr(-h) * ndtr(k)
            assert abs(independent - seen) > 5 * error  # what forgets that both come from the same prompts

    def test_is_calibrated(self):
        """Pairs whose true differences are known: those called 0.8 to 0.9 do disagree that often."""
        rng, prompts = np.random.default_rng(1), 60
        truth = rng.normal(0, 0.1, (4000, 2))
        noise = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], (4000, prompts)) * 0.8
        x, y = truth[:, None, 0] + noise[..., 0], truth[:, None, 1] + noise[..., 1]
        called = np.array([disagreement_probability(a, b) for a, b in zip(x, y, strict=True)])
        apart = truth[:, 0] * truth[:, 1] < 0
        among = (called > 0.4) & (called < 0.6)
        assert abs(apart[among].mean() - called[among].mean()) < 0.12  # the prior here is not flat
        assert apart[called > 0.9].mean() > 0.8

    def test_certain_differences(self):
        one, zero = np.full(5, 0.2), np.zeros(5)
        assert disagreement_probability(one, -one) == 1
        assert disagreement_probability(one, one) == 0
        assert disagreement_probability(one, zero) == 0.5
        third = np.array([0.1, 0.2, -0.3])  # of mean 0
        for alike in (np.full(3, 0.1), np.full(3, 1 / 3)):  # whose variance is no exact 0
            assert disagreement_probability(alike, third) == pytest.approx(0.5)
            assert disagreement_probability(alike, alike + 1e-13 * third) == 0  # nearly certain

    def test_differences_of_rounding_are_none(self):
        rounding = np.array([0.1 + 0.2 - 0.3] * 65 + [0.0] * 65)
        assert disagreement_probability(rounding, np.linspace(0, 1, 130)) == 0.5

    @pytest.mark.parametrize("scale", [1.0, 1e9])
    def test_a_mean_of_zero_beside_one_far_from_it(self, scale):
        far, even = scale * np.array([1, 1 + 1e-9, 1 - 1e-9]), np.array([0.1, 0.2, -0.3])
        with np.errstate(all="raise"):
            assert disagreement_probability(far, even) == pytest.approx(0.5)

    def test_lengths_that_differ_are_refused(self):
        with pytest.raises(ValueError, match=r"^first and second must be \[prompts\] with at least 2, got shapes"):
            disagreement_probability([0.1, 0.2], [0.1])
