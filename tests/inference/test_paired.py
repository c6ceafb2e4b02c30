"""Differences and ratios of two checkpoints on the same prompts, where prompts differ and where none does."""

import numpy as np
import pytest

from rlsignal import GRPO, Recorded
from rlsignal.inference.paired import Score, part_difference, score_difference, score_ratio, unseen_share
from rlsignal.theory import forecast


def scores(values):
    return Score.of_mean(np.asarray(values, float))


class TestScoreDifference:
    def test_is_students_interval_over_prompts(self):
        x, y = np.array([0.9, 0.4, 0.7, 0.2]), np.array([0.5, 0.5, 0.1, 0.1])
        found = score_difference(scores(x), scores(y))
        apart = x - y
        half = 3.182446305284263 * apart.std(ddof=1) / 2  # Student's quantile with 3 degrees
        assert (found.value, found.high - found.value) == pytest.approx((apart.mean(), half), rel=1e-12)

    @pytest.mark.parametrize(("first", "second"), [(1, 0), (0, 1), (0.3, 0.3)])
    def test_prompts_that_agree_leave_room_for_those_that_nobody_saw(self, first, second):
        found = score_difference(scores([first] * 20), scores([second] * 20))
        share = 1 - 0.025 ** (1 / 20)
        assert share == pytest.approx(unseen_share(20), rel=1e-12)
        value = first - second
        assert (found.low, found.high) == pytest.approx(((1 - share) * value - share, (1 - share) * value + share))
        assert np.isnan(found.standard_error)

    def test_coverage_where_most_prompts_agree(self):
        """3% of the prompts differ by 1, so that half of the draws of 20 show none: a width of 0 held .45 of 1000."""
        draws, share = np.random.default_rng(0).random((1000, 20)), 0.03
        found = [score_difference(scores(x), scores(np.zeros(20))) for x in (draws < share).astype(float)]
        held = np.mean([x.low <= share <= x.high for x in found])
        assert held > 0.95
        assert held - np.mean([np.isnan(x.standard_error) for x in found]) < 0.5  # without the mend

    def test_the_unseen_share_is_missed_as_often_as_its_level_says(self):
        units, share = 12, unseen_share(12)
        missed = (np.random.default_rng(1).random((20_000, units)) >= share).all(1).mean()
        error = (0.025 * 0.975 / 20_000) ** 0.5
        assert abs(missed - 0.025) < 4 * error
        assert abs(missed - 0.05) > 4 * error  # the one-sided share


class TestOfPopulation:
    def test_few_solved_prompts_span_all_that_their_counts_allow(self):
        def answer(data):
            return np.asarray(forecast(data, 8, GRPO, budget=300))

        one, none = (Score.of_population(Recorded([0] * 19 + [c], 8), answer) for c in (1, 0))
        assert one.value > 0.99  # a slope there is 0, and yet all hangs on one sample
        for score in (one, none):
            assert score.span[0] < 0.01
            assert score.span[1] > 0.99
        apart = score_difference(one, none)
        assert apart.low < 0 < apart.high <= 1

    def test_many_solved_prompts_have_slopes(self):
        correct = np.array([0, 1, 2, 4] * 30)
        score = Score.of_population(Recorded(correct, 4), lambda data: np.asarray(data.mean))
        half = 1.980099876 * (correct / 4).std(ddof=1) / 120**0.5  # Student's quantile with 119 degrees
        assert score.span is None
        assert score.within(0.95) == pytest.approx((score.value - half, score.value + half), rel=1e-6)


class TestScoreRatio:
    def test_is_students_interval_of_the_logarithm(self):
        x, y = np.array([0.9, 0.4, 0.7, 0.2]), np.array([0.5, 0.5, 0.1, 0.1])
        found = score_ratio(scores(x), scores(y))
        assert found.value == pytest.approx(x.mean() / y.mean())
        assert found.low * found.high == pytest.approx(found.value**2)

    def test_prompts_that_agree_leave_room_for_those_that_nobody_saw(self):
        found, share = score_ratio(scores([1.0] * 30), scores([0.5] * 30)), unseen_share(30)
        assert found.value == 2
        assert found.low == pytest.approx((1 - share) / (0.5 * (1 - share) + share))
        assert found.high == pytest.approx(1 / (0.5 * (1 - share)))

    def test_nothing_over_nothing_is_open(self):
        found = score_ratio(scores([0.0] * 9), scores([0.5] * 9))
        assert np.isnan(found.value)
        assert (found.low, found.high) == (0, np.inf)


def test_parts_that_agree_inside_are_not_certain():
    values, labels = np.repeat([0.0, 1.0], 6), np.arange(12)
    found = part_difference(values, labels < 6, labels >= 6, labels)
    assert found.value == 1
    assert found.low == pytest.approx(1 - 2 * unseen_share(6, 0.975))  # each part may have missed some


@pytest.mark.parametrize(("before", "after", "share"), [(95, 5, 0.2), (20, 20, 0.1), (180, 20, 0.05)])
def test_a_small_part_has_missed_more_than_a_large_one(before, after, share):
    """First all 0, then rarely 1; the share missed by all units together held 34 to 89 of 100."""
    draws = np.random.default_rng(0).random((600, after)) < share
    first = np.arange(before + after) < before
    held = 0
    for draw in draws:
        found = part_difference(np.r_[np.zeros(before), draw], first, ~first, np.arange(before + after))
        held += found.low <= share <= found.high or draw.any()
    assert held == 600
