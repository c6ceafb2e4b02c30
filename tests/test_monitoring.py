"""Training logs over time: dead groups against what the mean says, and warnings that mean something."""

import json

import numpy as np
import pytest

from rlsignal import Beta, degenerate_probability, dispersion_for, read, track
from rlsignal.monitoring import by_step


def log(dead, reward=0.3):
    dead = np.asarray(dead, float)
    rewards = np.broadcast_to(reward, dead.shape)
    return [
        {"step": t, "reward": float(m), "frac_reward_zero_std": float(d)}
        for t, (m, d) in enumerate(zip(rewards, dead, strict=True))
    ]


class TestWindows:
    def test_are_means_of_their_rows(self):
        trend = track(log(np.linspace(0.5, 0.7, 60)), 8, groups=64)
        np.testing.assert_allclose(trend.degenerate, np.linspace(0.5, 0.7, 60).reshape(3, 20).mean(1))
        np.testing.assert_array_equal(trend.step, [19, 39, 59])
        np.testing.assert_allclose(trend.from_the_mean, degenerate_probability(0.3, 8))

    def test_a_short_last_one_joins_its_neighbour(self):
        assert [len(track(log(np.full(n, 0.5)), 8).step) for n in (60, 69, 70)] == [3, 3, 4]

    def test_dispersion_explains_mean_and_dead_groups_together(self):
        trend = track(log(np.full(20, 0.54), 0.28), 8)
        assert trend.dispersion[0] == pytest.approx(dispersion_for(0.28, 0.54, 8))
        law = Beta(0.28, trend.dispersion[0])
        assert trend.elsewhere == {str(g): pytest.approx(degenerate_probability(law, g)) for g in (4, 16, 32)}

    def test_a_dump_of_rollouts_tells_the_same_as_its_log(self):
        rng = np.random.default_rng(0)
        correct = rng.binomial(8, rng.beta(0.5, 1.2, (40, 16)))
        steps, prompts = np.indices(correct.shape)
        dump = read(
            {"step": steps.ravel(), "prompt": prompts.ravel(), "n": np.full(correct.size, 8), "c": correct.ravel()}
        )
        dead = ((correct == 0) | (correct == 8)).mean(1)
        rows = [
            {"step": t, "reward": float(m), "frac_reward_zero_std": float(d)}
            for t, (m, d) in enumerate(zip(correct.mean(1) / 8, dead, strict=True))
        ]
        one, two = track(dump, groups=16), track(rows, 8)
        assert two.groups == 16  # inferred: all fractions are whole sixteenths
        np.testing.assert_allclose(one.degenerate, two.degenerate)
        np.testing.assert_allclose(one.dispersion, two.dispersion)
        assert by_step(dump).group_size == 8

    def test_intervals_hold(self):
        """A steady population, 400 logs: the first window's interval holds the truth as often as it says."""
        rng, truth = np.random.default_rng(1), degenerate_probability(Beta(0.3, 0.4), 8)
        dead = rng.binomial(32, truth, (400, 20)) / 32
        trends = [track(log(row), 8, groups=32) for row in dead]
        holds = np.mean([t.low[0] <= truth <= t.high[0] for t in trends])
        assert abs(holds - 0.95) < 4 * np.sqrt(0.95 * 0.05 / 400)
        alone = [track(log(row), 8, groups=1) for row in dead[:50]]
        assert all(t.high[0] - t.low[0] > 0.3 for t in alone)  # unknown sizes claim little

    def test_means_alone_bound_dead_groups_from_below(self):
        trend = track([{"step": t, "reward_mean": 0.5, "loss": 0.1} for t in range(20)], 8)
        assert np.isnan(trend.degenerate).all()
        assert "at least 0.008" in str(trend)
        assert trend.warning.startswith("This log does not tell how many groups agree")


class TestWarnings:
    def test_none_for_a_steady_run(self):
        rng = np.random.default_rng(0)
        for truth in (0.1, 0.5, 0.8):
            assert track(log(rng.binomial(64, truth, 400) / 64), 8, groups=64).warning == ""

    def test_a_dead_run(self):
        trend = track(log(np.full(40, 0.97), 0.01), 8, groups=64)
        assert trend.warned_at == 19
        assert trend.warning.startswith(
            "The run is dead: 97% of groups agree up to step 19 (mean reward 0.01, mostly all"
        )

    def test_a_dying_run_is_told_before_it_is_dead(self):
        dead = np.linspace(0.4, 1.0, 200)
        trend = track(log(dead), 8, groups=64)
        assert "going dead" in trend.warning
        assert trend.warned_at < np.argmax(dead > 0.9)

    def test_a_rise_that_noise_explains_warns_of_nothing(self):
        assert track(log([0.6] * 20 + [0.8] * 20), 8, groups=1).warning == ""
        assert "going dead" in track(log([0.6] * 20 + [0.8] * 20), 8, groups=64).warning

    def test_a_restart_is_judged_by_what_counts_in_the_end(self):
        rows = [*log(np.full(40, 0.97), 0.01), *log(np.full(40, 0.4))]
        assert track(rows, 8, groups=64).warning == ""


class TestSaying:
    def test_prints_and_speaks_to_machines(self):
        trend = track(log(np.full(40, 0.97), 0.0), 8, groups=64)
        assert "dead groups [95%]" in str(trend)
        assert json.loads(json.dumps(trend.summary, allow_nan=False))["warned_at"] == 19

    @pytest.mark.parametrize(
        ("data", "arguments", "message"),
        [
            (log([0.5] * 5), {"group_size": 8}, r"^window must be at most the rows with a reward, got 20 and 5 such"),
            (log([0.5] * 30), {}, r"^group_size must be given, for the data does not state it\.$"),
            ([[0, 1], [1, 1]], {}, r"^data must have steps, got rollouts without any\."),
        ],
    )
    def test_what_cannot_be_tracked_is_refused(self, data, arguments, message):
        with pytest.raises(ValueError, match=message):
            track(data, **arguments)
