"""Training logs over time: degenerate groups against what the mean says, and warnings that mean something."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from rlsignal import Beta, degenerate_probability, dispersion_for, load, read, save, track
from rlsignal.diagnosis.track import DEGENERATE, _mostly, by_step, degenerate_rows, degenerating_rows


def log(degenerate, reward=0.3):
    degenerate = np.asarray(degenerate, float)
    rewards = np.broadcast_to(reward, degenerate.shape)
    return [
        {"step": t, "reward": float(m), "frac_reward_zero_std": float(d)}
        for t, (m, d) in enumerate(zip(rewards, degenerate, strict=True))
    ]


class TestWindows:
    def test_are_means_of_their_rows(self):
        trend = track(log(np.linspace(0.5, 0.7, 60)), 8, groups=64)
        np.testing.assert_allclose(trend.degenerate, np.linspace(0.5, 0.7, 60).reshape(3, 20).mean(1))
        np.testing.assert_array_equal(trend.step, [19, 39, 59])
        np.testing.assert_allclose(trend.from_the_mean, degenerate_probability(0.3, 8))

    def test_a_short_last_one_joins_its_neighbour(self):
        assert [len(track(log(np.full(n, 0.5)), 8).step) for n in (60, 69, 70)] == [3, 3, 4]

    def test_dispersion_explains_mean_and_degenerate_groups_together(self):
        trend = track(log(np.full(20, 0.54), 0.28), 8)
        assert trend.dispersion[0] == pytest.approx(dispersion_for(0.28, 0.54, 8))
        population = Beta(0.28, trend.dispersion[0])
        assert {g: answer.value for g, answer in trend.elsewhere} == {
            g: pytest.approx(degenerate_probability(population, g)) for g in (4, 16, 32)
        }
        assert all(answer.low < answer.value < answer.high for _, answer in trend.elsewhere)

    def test_what_the_mean_explains_and_what_dispersion_explains(self):
        """The mean falls and the dispersion stays: nothing unexpected. The dispersion rises alone: it is."""
        means = np.repeat([0.4, 0.2], 20)
        moved = [degenerate_probability(Beta(m, 0.3), 8) for m in means]
        trend = track(log(moved, means), 8)
        np.testing.assert_allclose(trend.expected, trend.degenerate)
        moved = [degenerate_probability(Beta(0.4, r), 8) for r in np.repeat([0.3, 0.6], 20)]
        trend = track(log(moved, 0.4), 8)
        np.testing.assert_allclose(trend.expected, trend.degenerate[0])

    def test_a_dump_of_rollouts_gives_the_same_as_its_log(self):
        rng = np.random.default_rng(0)
        correct = rng.binomial(8, rng.beta(0.5, 1.2, (40, 16)))
        steps, prompts = np.indices(correct.shape)
        dump = read(
            {"step": steps.ravel(), "prompt": prompts.ravel(), "n": np.full(correct.size, 8), "c": correct.ravel()}
        )
        degenerate = ((correct == 0) | (correct == 8)).mean(1)
        rows = [
            {"step": t, "reward": float(m), "frac_reward_zero_std": float(d)}
            for t, (m, d) in enumerate(zip(correct.mean(1) / 8, degenerate, strict=True))
        ]
        one, two = track(dump), track(rows, 8)
        assert one.groups == 16  # counted
        assert two.groups == 16  # inferred: all fractions are whole sixteenths
        np.testing.assert_allclose(one.degenerate, two.degenerate)
        np.testing.assert_allclose(one.dispersion, two.dispersion)
        assert by_step(dump).group_size == 8

    @pytest.mark.slow
    def test_intervals_hold(self):
        """A steady population, 150 logs: the first window's interval holds the truth as often as it says."""
        rng, truth = np.random.default_rng(1), degenerate_probability(Beta(0.3, 0.4), 8)
        degenerate = rng.binomial(32, truth, (150, 20)) / 32
        trends = [track(log(row), 8, groups=32) for row in degenerate]
        holds = np.mean([t.low[0] <= truth <= t.high[0] for t in trends])
        assert abs(holds - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 150)
        alone = [track(log(row), 8, groups=1) for row in degenerate[:50]]
        assert all(t.high[0] - t.low[0] > 0.3 for t in alone)  # unknown sizes claim little

    def test_means_alone_bound_degenerate_groups_from_below(self):
        trend = track([{"step": t, "reward_mean": 0.5, "loss": 0.1} for t in range(20)], 8)
        assert np.isnan(trend.degenerate).all()
        assert "at least 0.008" in str(trend)
        assert trend.warning.startswith("This log does not count degenerate groups")


class TestWarnings:
    def test_none_for_a_steady_run(self):
        rng = np.random.default_rng(0)
        for truth in (0.1, 0.5, 0.8):
            assert track(log(rng.binomial(64, truth, 400) / 64), 8, groups=64).warning == ""

    def test_a_degenerate_run(self):
        trend = track(log(np.full(40, 0.97), 0.01), 8, groups=64)
        assert (trend.rule, trend.warned_at) == ("degenerate", 5)  # the sixth row: rows may differ
        assert trend.warning.startswith(
            "The run is degenerate from the start: 97% of 384 groups are degenerate in the 6 rows up to step 5 (mean "
        )

    @pytest.mark.parametrize(
        ("reward", "cause"), [(0.01, "a reward"), (0.99, "prompts"), (0.5, "rollouts of a prompt")]
    )
    def test_a_run_that_is_degenerate_from_the_start_is_reported_at_once_with_its_likeliest_cause(self, reward, cause):
        trend = track(log(np.full(40, 1.0), reward), 8, groups=64)
        assert (trend.rule, trend.warned_at) == ("degenerate", 3)
        assert f"Usual causes, the likeliest first: {cause} " in trend.warning
        assert trend.warning.count(";") == 2
        later = track(log([0.4] * 60 + [1.0] * 40, reward), 8, groups=64)
        assert "from the start" not in later.warning

    def test_rows_that_differ_are_no_cause_for_alarm(self):
        """The share of informative groups has mean 0.1 and s.d. 0.054: one run in 20 warns, not three in four."""
        rng, size = np.random.default_rng(0), 0.1 * 0.9 / 0.054**2 - 1
        shares = 1 - rng.binomial(64, rng.beta(0.1 * size, 0.9 * size, (400, 300))) / 64
        assert degenerate_rows(shares, 64, 20).any(-1).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)

    def test_a_degenerating_run_is_warned_of_before_it_is_degenerate(self):
        degenerate = np.linspace(0.4, 1.0, 200)
        trend = track(log(degenerate), 8, groups=256)
        assert trend.rule == "degenerating"
        assert "rising by 6% every 20 rows" in trend.warning
        assert trend.warned_at < np.argmax(degenerate > 0.9)

    def test_the_first_row_of_a_run_without_signal_is_answered_with_its_causes(self):
        trend = track(log([1.0], 0.0), 8, groups=64)
        assert trend.warning.startswith("Every group of the 1 rows so far is degenerate. Usual causes, the likeliest ")
        assert trend.rule == ""

    def test_a_course_that_the_run_has_left_is_reported_as_left(self):
        turned = np.concatenate([np.linspace(0.3, 0.88, 60), np.full(60, 0.6)])
        assert (
            "It has left that course: 60% are degenerate in the last 20 rows."
            in track(log(turned), 8, groups=256).warning
        )
        assert "It has left" not in track(log(np.linspace(0.4, 1.0, 200)), 8, groups=256).warning

    def test_a_run_that_rises_to_80_percent_and_stays_is_warned_of_at_most_one_time_in_20(self):
        """Its course leads to 87%; one standard error at every look, the glance at a line, is wrong more often."""
        truth = np.minimum(np.linspace(0.3, 1.3, 300), 0.8)
        size = np.maximum(truth * (1 - truth) / 0.03**2 - 1, 1.0)
        rng = np.random.default_rng(0)
        shares = rng.binomial(64, rng.beta(truth * size, (1 - truth) * size, (400, 300))) / 64
        warned = (degenerating_rows(shares, 64, 20) | degenerate_rows(shares, 64, 20)).any(-1)
        assert warned.mean() <= 0.05
        glance = np.zeros(400, bool)
        for last in range(40, 301, 2):
            rows = shares[:, last - 40 : last].T
            slope, start = np.polyfit(np.arange(40), rows, 1)
            off = (rows - start - np.arange(40)[:, None] * slope).std(0, ddof=2)
            glance |= start + slope * 59 - off * np.sqrt(1 / 40 + 39.5**2 * 12 / 40**3) > DEGENERATE
        assert glance.mean() > 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)

    def test_a_rise_that_ended_warns_of_nothing(self):
        """The course of a run is where it goes now, not how far it has come."""
        degenerate = np.concatenate([np.linspace(0.3, 0.7, 60), np.full(100, 0.7)])
        assert track(log(degenerate), 8, groups=64).rule == ""

    def test_a_rise_that_noise_explains_warns_of_nothing(self):
        assert track(log([0.6] * 20 + [0.85] * 20), 8, groups=1).warning == ""
        assert track(log([0.6] * 20 + [0.85] * 20), 8, groups=64).rule == "degenerating"

    def test_runs_at_the_border_are_warned_of_at_most_one_time_in_20(self):
        """400 runs of 300 steps in which a tenth of 8 groups is informative throughout: the worst there is."""
        degenerate = np.random.default_rng(2).binomial(8, DEGENERATE, (400, 300)) / 8
        wrong = degenerate_rows(degenerate, 8, 20).any(-1).mean()
        assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)
        each_window = degenerate.reshape(400, 15, 20).mean(-1) > DEGENERATE + 1.96 * np.sqrt(
            DEGENERATE * (1 - DEGENERATE) / 160
        )
        assert each_window.any(-1).mean() > 0.2  # a test of 2.5% asked after every window

    def test_rules_look_only_back(self):
        degenerate = np.random.default_rng(3).binomial(8, np.linspace(0.5, 1, 120)) / 8
        for rule in (degenerate_rows, degenerating_rows):
            np.testing.assert_array_equal(rule(degenerate, 8, 10)[:70], rule(degenerate[:70], 8, 10))

    def test_a_restart_is_judged_by_what_counts_in_the_end(self):
        rows = [*log(np.full(40, 0.97), 0.01), *log(np.full(40, 0.4))]
        assert track(rows, 8, groups=64).warning == ""


@pytest.mark.parametrize("between", [1 / 8, 1 / 2, 7 / 8])
def test_which_degenerate_groups_are_the_most_is_said_where_it_follows(between):
    """From mean and degenerate share alone, whatever the informative groups are: never the others."""
    for solved, hopeless in itertools.product(np.linspace(0, 1, 11), repeat=2):
        degenerate = solved + hopeless
        if degenerate < 1 + 1e-9:
            found = _mostly(solved + between * (1 - degenerate), degenerate)
            right = ", mostly all correct" if solved > hopeless else ", mostly all incorrect"
            assert found in ("", right), (solved, hopeless)
            assert found or abs(solved - hopeless) < 2 * (1 - degenerate) + 1e-9, (solved, hopeless)


class TestShown:
    def test_is_kept_and_loaded(self, tmp_path):
        trend = track(log(np.linspace(0.5, 0.7, 60)), 8, groups=64)
        save(trend, tmp_path / "trend.npz")
        again = load(tmp_path / "trend.npz")
        assert again.elsewhere == trend.elsewhere
        assert str(again) == str(trend)

    def test_what_is_given_is_not_noted_as_inferred(self):
        """A mean of 3/10 is a whole count of ten, and says nothing of 64 groups of 8."""
        rows = log(np.tile([0.25, 0.5, 0.75], 10))
        assert any("Rollouts per row are not stated" in note for note in track(rows, 8).notes)
        assert not track(rows, 8, groups=64).notes

    def test_prints_and_has_a_summary(self):
        trend = track(log(np.full(40, 0.97), 0.0), 8, groups=64)
        assert "degenerate [95%]" in str(trend)
        assert json.loads(json.dumps(trend.summary, allow_nan=False))["warned_at"] == 5

    @pytest.mark.parametrize(
        ("data", "arguments", "message"),
        [
            (
                [
                    {"step": t, "reward": float("nan"), "frac_reward_zero_std": float("nan"), "loss": 0.1}
                    for t in range(5)
                ],
                {"group_size": 8},
                r"^the data has no row with a mean reward\.$",
            ),
            (
                log([0.5] * 30),
                {},
                r"^group_size must be given, for the data does not state it: group_size=8 if it is 8\.$",
            ),
            ([[0, 1], [1, 1]], {}, r"^data must have steps, got rollouts without any\."),
        ],
    )
    def test_what_cannot_be_tracked_is_refused(self, data, arguments, message):
        with pytest.raises(ValueError, match=message):
            track(data, **arguments)


@pytest.mark.parametrize(
    ("name", "degenerate"), [("rasbt_7_3_plus_tracking.csv", 0.538), ("rasbt_7_4_plus_clip_ratio.csv", 0.656)]
)
def test_recorded_runs_that_go_on_learning_are_not_warned_of(name, degenerate):
    path = Path(__file__).parents[3] / "shared" / "data" / name
    if not path.is_file():
        pytest.skip(f"recorded data not at hand: {name}")
    trend = track(path, 8)
    assert (trend.groups, trend.rule, len(trend.step)) == (1, "", 25)
    assert trend.degenerate.mean() == pytest.approx(degenerate, abs=5e-4)


def test_rows_without_a_reward_at_first_are_passed_over():
    """As when a verifier was not up yet: the windows' means are those of the rows that have a reward."""
    rows = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5} for t in range(40)]
    late = [{**row, "reward": float("nan") if row["step"] < 3 else 0.3} for row in rows]
    found = track(late, 8, groups=64)
    np.testing.assert_allclose(found.reward, 0.3)
    np.testing.assert_allclose(found.degenerate, 0.5)
    nothing = [{**row, "reward": float("nan") if row["step"] < 20 else 0.3} for row in rows]
    assert np.isnan(track(nothing, 8, groups=64).expected).tolist() == [True, False]
