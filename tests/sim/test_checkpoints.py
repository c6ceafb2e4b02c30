"""Evaluated checkpoints as starts: known pass rates end where the model says, counts carry their uncertainty along."""

import numpy as np
import pytest

from rlsignal import Beta, Fixed, Mixture, Recorded
from rlsignal.plots import plot_checkpoints
from rlsignal.sim import Recipe, checkpoints, simulate_checkpoints
from rlsignal.sim.checkpoints import draw_pass_rates

RECIPE = Recipe(prompts=48, responses=8, correct=2, steps=60)


@pytest.fixture(scope="module")
def ends():
    rng = np.random.default_rng(0)
    p = rng.beta(0.7, 1.4, 48)
    evaluated = {f"{n} samples": Recorded(rng.binomial(n, p), n) for n in (8, 512)}
    return p, simulate_checkpoints(
        {**evaluated, "collapsed": Recorded(np.where(p > 0.55, 64, 0), 64)}, RECIPE, draws=32
    )


class TestEnds:
    def test_more_samples_know_better_where_they_start_and_end(self, ends):
        p, found = ends
        for what in ("before", "after"):
            few, many, _ = np.diff(found.interval(what)[:, 1:]).ravel()
            assert many < few / 2
        _, low, high = found.interval("before")[1]
        assert low - 1e-3 < p.mean() < high + 1e-3

    def test_solved_and_hopeless_prompts_stay_what_they_are(self, ends):
        p, found = ends
        np.testing.assert_allclose(found.after[2].mean(), (p > 0.55).mean(), atol=0.03)
        assert found.ahead[1, 2] == 1
        assert found.ahead[2, 1] == 0

    def test_a_crossing_is_named_with_its_chance(self):
        checkpoints = {"early": Beta(0.2, 0.1), "late": Beta(0.5, 0.97)}
        found = simulate_checkpoints(checkpoints, RECIPE, draws=8)
        assert found.crossings == [(0, 1, 1.0)]
        assert "late is ahead now; early ends ahead in 100% of the draws." in str(found)
        assert "assumed, not known" in str(found)
        assert found.summary["crossings"] == [["early", "late", 1.0]]

    def test_the_picture_shows_every_checkpoint(self, ends, small_map):
        figure = plot_checkpoints(ends[1], small_map)
        where, path = figure.axes
        assert [text.get_text() for text in path.get_legend().get_texts()] == list(ends[1].names)
        assert where.get_title() == "over the outcome of Beta starts, g = 4"


class TestDraws:
    RNG = staticmethod(lambda: np.random.default_rng(3))

    MIXED = Mixture([Fixed(0.0), Beta(0.6, 0.2)], [2 / 3, 1 / 3])

    @pytest.mark.parametrize("rates", [Beta(0.2, 0.4), Beta(0.2, 0.0), Beta(0.2, 1.0), Fixed([0.1, 0.3]), MIXED])
    def test_have_the_distribution_s_moments(self, rates):
        found = draw_pass_rates(rates, self.RNG(), 400, 500, "p")
        mean, dispersion = np.mean(rates.mean), getattr(rates, "dispersion", 0)
        variance = np.var(rates.mean) if isinstance(rates, Fixed) else dispersion * mean * (1 - mean)
        assert found.shape == (400, 500)
        assert abs(found.mean() - mean) < 5 * np.sqrt(variance / found.size) + 1e-12
        assert found.var() == pytest.approx(variance, rel=0.02, abs=1e-12)

    def test_of_counts_are_each_prompt_s_own(self):
        """With many samples the posterior is c/n; neither the mean of all prompts, nor the same for c = 0 and c = n."""
        found = draw_pass_rates(Recorded([0, 300, 500, 1000], 1000), self.RNG(), 2000, 0, "p")
        np.testing.assert_allclose(found.mean(0), [0, 0.3, 0.5, 1], atol=0.01)
        np.testing.assert_allclose(found.std(0)[1:3], np.sqrt([0.21e-3, 0.25e-3]), rtol=0.15)

    def test_of_many_prompts_are_some(self, monkeypatch):
        monkeypatch.setattr(checkpoints, "MOST_PROMPTS", 20)
        assert draw_pass_rates(Recorded(np.arange(60) % 5, 4), self.RNG(), 8, 0, "p").shape == (8, 20)


@pytest.mark.parametrize(
    ("checkpoints", "options", "message"),
    [
        ([Beta(0.3, 0.2)], {}, "checkpoints must be a mapping of names"),
        ({}, {}, "checkpoints must be a mapping of names"),
        ({"a": Beta(0.3, 0.2)}, {"draws": 2}, "draws must be .* 8"),
        ({"a": Recorded([0, 1, 1], 1)}, {}, "checkpoint a: samples must be at least 2 on some prompts"),
        ({"a": "A.jsonl"}, {}, "A.jsonl"),
        ({"a": [0.1, 1.2]}, {}, "must lie in .*1.2"),
        ({"a": Beta([0.3, 0.4], 0.2)}, {}, "a must be one distribution, got an array of 2"),
    ],
)
def test_what_cannot_be_simulated_says_why(checkpoints, options, message):
    with pytest.raises(ValueError, match=message):
        simulate_checkpoints(checkpoints, RECIPE, **options)
