"""Evidence that informative groups have become rare: valid at every length, by enumeration."""

from itertools import product

import numpy as np
import pytest

from rlsignal.inference import log_e_process, overdispersion


@pytest.mark.parametrize("spacing", [1, 3])
@pytest.mark.parametrize(("share", "level"), [(0.1, 0.1), (0.3, 0.3), (0.5, 0.3)])
def test_the_mean_evidence_is_the_weight_of_the_beginnings_so_far(share, level, spacing):
    """Over all 2^8 runs: equal at the level, less above it; so it and the weight to come start at 1 and never gain."""
    runs = np.array(list(product((0.0, 1.0), repeat=8)))
    chance = np.prod(np.where(runs == 1, share, 1 - share), axis=1)
    mean = chance @ np.exp(log_e_process(runs, 1, level=level, spacing=spacing))
    begun = np.arange(8) // spacing + 1
    weight = 1 - 1 / (begun + 1)
    if share == level:
        np.testing.assert_allclose(mean, weight, rtol=1e-12)
    else:
        assert (mean < weight).all()


def test_it_is_ever_high_as_rarely_as_stated():
    """By enumeration: the chance that 1/a is reached within 12 groups is at most a. Unweighted, it is not."""
    runs = np.array(list(product((0.0, 1.0), repeat=12)))
    chance = np.prod(np.where(runs == 1, 0.5, 0.5), axis=1)
    evidence = log_e_process(runs, 1, level=0.5)
    for a in (0.05, 0.2, 0.5):
        assert chance[(evidence >= -np.log(a)).any(-1)].sum() <= a
    unweighted = evidence + np.log(np.arange(1, 13) * np.arange(2, 14.0))
    assert chance[(unweighted >= -np.log(0.5)).any(-1)].sum() > 0.5


def test_rows_of_several_groups_are_so_many_groups():
    one = log_e_process([0, 0, 1, 0, 0, 0], 1, spacing=3)[2::3]
    rows = log_e_process([1 / 3, 0], 3)
    np.testing.assert_allclose(one, rows)


def test_fewer_groups_than_true_are_safe():
    """A row's mean taken for one group: the mean evidence is no larger than the weight."""
    rng = np.random.default_rng(0)
    share = rng.binomial(4, 0.1, (4000, 30)) / 4
    assert np.exp(log_e_process(share, 1)).mean(0).max() < 1


def test_leading_axes_are_runs():
    share = np.random.default_rng(0).random((2, 3, 7))
    np.testing.assert_array_equal(log_e_process(share, 2)[1, 2], log_e_process(share[1, 2], 2))


class TestOverdispersion:
    def test_rows_that_differ_are_not_taken_for_a_fall(self):
        """A tenth of 64 groups informative on average, rows with a s.d. of 0.054: 400 runs of 300 rows."""
        rng, runs = np.random.default_rng(0), 400
        size = 0.1 * 0.9 / 0.054**2 - 1
        share = rng.binomial(64, rng.beta(0.1 * size, 0.9 * size, (runs, 300))) / 64
        alarms = [
            (log_e_process(share, groups, spacing=20) > np.log(20)).any(-1).mean()
            for groups in (64, 64 / overdispersion(share, 64))
        ]
        assert alarms[0] > 0.4
        assert alarms[1] <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)

    def test_it_looks_only_back(self):
        share = np.random.default_rng(0).random(50)
        np.testing.assert_array_equal(overdispersion(share, 8)[:30], overdispersion(share[:30], 8))
        changed = np.append(share[:29], 0.0)
        assert overdispersion(changed, 8)[29] == overdispersion(share[:30], 8)[29]

    def test_independent_groups_come_to_one(self):
        share = np.random.default_rng(0).binomial(64, 0.3, (50, 2000)) / 64
        assert overdispersion(share, 64)[:, -1].mean() == pytest.approx(1.02, abs=0.03)

    def test_a_trend_is_no_overdispersion(self):
        share = np.random.default_rng(0).binomial(64, np.linspace(0.6, 0.1, 400)) / 64
        assert overdispersion(share, 64)[-1] < 1.2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"informative": [1.2], "groups": 1}, r"^informative must lie in \[0, 1\], got 1\.2 at index 0\."),
        ({"informative": [0.5], "groups": 0}, r"^groups must lie in \(0, inf\), got 0\."),
        ({"informative": [0.5], "groups": 1, "level": 1.0}, r"^level must lie in \(0, 1\), got 1\."),
        ({"informative": [0.5], "groups": 1, "spacing": 0}, r"^spacing must be at least 1, got 0\."),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        log_e_process(**arguments)
