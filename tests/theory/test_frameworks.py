"""One group as each estimator sees it."""

import numpy as np
import pytest

from rlsignal.estimators import ESTIMATORS, GRPO_NEMO, compare_estimators


class TestCompareEstimators:
    def test_every_row_is_what_the_estimator_assigns(self):
        group = [1, 1, 0, 0, 0, 0, 0, 0]
        table = compare_estimators(group)
        assert table.estimators == tuple(x.name for x in ESTIMATORS)
        for i, estimator in enumerate(ESTIMATORS):
            assigned = estimator.advantages(group)
            assert (table.correct[i], table.incorrect[i]) == (assigned[0], assigned[-1])
            assert table.total[i] == pytest.approx(assigned.sum(), abs=1e-12)

    def test_nemo_does_not_sum_to_zero(self):
        (total,) = compare_estimators([1, 0, 0, 0, 0, 0, 0, 0], (GRPO_NEMO,)).total
        assert total == pytest.approx(-1.646, abs=5e-4)

    def test_a_degenerate_group_has_one_kind(self):
        table = compare_estimators([1, 1, 1])
        assert np.isnan(table.incorrect).all()
        assert set(table.correct) == {0.0}
        assert "-" in str(table)

    def test_one_group_at_a_time(self):
        with pytest.raises(ValueError, match=r"^rewards must be one group \[g\], got shape \(2, 2\)"):
            compare_estimators([[0, 1], [1, 1]])
