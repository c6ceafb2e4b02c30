"""When is one start worse than another? Pairs against plain loops, and what noise alone looks like."""

import numpy as np
import pytest
from scipy.special import ndtri, stdtr

from rlsignal import inversions, paired_interval, variance_explained
from rlsignal.theory.ranking import LEAST_LOSS

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
            "One draw says nothing of the noise."
        )


class TestPairedInterval:
    def test_is_the_textbook_one(self):
        """t_{0.975} of 4 degrees of freedom is 2.776445."""
        x = np.array([0.1, -0.2, 0.4, 0.3, 0.15])
        low, high = paired_interval(x)
        half = 2.7764451 * np.sqrt(((x - x.mean()) ** 2).sum() / 4) / np.sqrt(5)
        assert (low, high) == pytest.approx((x.mean() - half, x.mean() + half), rel=1e-7)

    @pytest.mark.parametrize(("draws", "level"), [(2, 0.95), (4, 0.95), (8, 0.5)])
    def test_covers_as_often_as_it_says_and_the_normal_one_does_not(self, draws, level):
        x = np.random.default_rng(draws).normal(0.3, 1, (4000, draws))
        bounds = np.array([paired_interval(row, level=level) for row in x])
        covered = ((bounds[:, 0] < 0.3) & (bounds[:, 1] > 0.3)).mean()
        error = np.sqrt(level * (1 - level) / len(x))
        assert abs(covered - level) < 5 * error
        normal = ndtri((1 + level) / 2) * x.std(-1, ddof=1) / np.sqrt(draws)
        if level > 0.5:
            assert (np.abs(x.mean(-1) - 0.3) < normal).mean() < level - 5 * error

    def test_a_constant_difference_is_certain(self):
        assert paired_interval([0.25, 0.25, 0.25]) == (0.25, 0.25)

    @pytest.mark.parametrize("differences", [[0.1], [], 0.1, [[0.1, 0.2]]])
    def test_fewer_than_two_are_refused(self, differences):
        shape = np.shape(differences)
        with pytest.raises(ValueError) as error:
            paired_interval(differences)
        assert str(error.value) == f"differences must be at least 2 numbers on one axis, got shape {shape}."

    @pytest.mark.parametrize("level", [0, 1, 1.5, np.nan])
    def test_levels_out_of_range_are_refused(self, level):
        with pytest.raises(ValueError, match=r"^level must lie in \(0, 1\), got "):
            paired_interval([0.1, 0.2], level=level)


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
