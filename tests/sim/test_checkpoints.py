"""Evaluated checkpoints as starts: known pass rates end where the model says, counts carry their uncertainty along."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.special import expit

from rlsignal import Beta, Fixed, Mixture, Recorded
from rlsignal.inference.plausible import plausible_populations
from rlsignal.plots import plot_checkpoints
from rlsignal.results import CheckpointEnds
from rlsignal.sim import Recipe, checkpoints, simulate_checkpoints
from rlsignal.sim.checkpoints import _dispersion, _followed, draw_pass_rates

RECIPE = Recipe(prompts=48, responses=8, correct=2, steps=60)


@pytest.fixture(scope="module")
def ends():
    rng = np.random.default_rng(0)
    p = rng.beta(0.7, 1.4, 48)
    evaluated = {f"{n} samples": Recorded(rng.binomial(n, p), n) for n in (8, 512)}
    return p, simulate_checkpoints(
        {**evaluated, "collapsed": Recorded(np.where(p > 0.55, 512, 0), 512)}, RECIPE, draws=39
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
        found = simulate_checkpoints(checkpoints, RECIPE, draws=39)
        assert found.crossings == [(0, 1, 1.0)]
        assert "late is ahead now; early ends ahead in over 99% of the draws." in str(found)
        assert "assumed, not known" in str(found)
        assert found.summary["crossings"] == [["early", "late", 1.0]]

    def test_any_name_has_a_legend_entry(self, ends):
        names = "cost $x^^$", "", "_a"
        figure = plot_checkpoints(replace(ends[1], names=names))
        figure.draw_without_rendering()
        assert [text.get_text().strip() for text in figure.legends[0].get_texts()] == list(names)
        plt.close(figure)

    def test_the_picture_shows_every_checkpoint_and_its_legend_covers_none(self, ends, small_map):
        figure = plot_checkpoints(ends[1], small_map)
        where, path = figure.axes
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == list(ends[1].names)
        assert where.get_title() == "over the outcome of Beta starts, g = 4"
        figure.draw_without_rendering()
        assert not any(legend.get_window_extent().overlaps(x.get_tightbbox()) for x in (where, path))


HOSTILE = {
    "two prompts": {"a": Recorded([1, 0], 2), "b": Recorded([1, 1], 2)},
    "all alike": {"a": Recorded([4] * 10, 4), "b": Recorded([0] * 10, 4), "c": Recorded([0, 4] * 5, 4)},
    "hardly solved": {"a": Recorded([1] + [0] * 19, 8), "b": Recorded([7] + [8] * 19, 8)},
    "unequal samples": {"a": Recorded([1, 50, 8, 0, 3], [1, 100_000, 8, 4, 9]), "b": Recorded([1, 5, 0, 0, 3], 9)},
    "very many samples": {"a": Recorded([10, 99_999, 100_000], 100_000)},
}


@pytest.fixture
def ends_now(monkeypatch):
    """Checkpoints end where they start: for what does not hang on the model, which takes seconds to compile."""

    def sweep(experiment, cells, **_):
        p = expit(cells[1].astype(float)).mean(1)
        return SimpleNamespace(pass_at_1=np.stack([p, p], 1))

    monkeypatch.setattr(checkpoints, "sweep", sweep)


@pytest.mark.usefixtures("ends_now")
@pytest.mark.parametrize("counts", HOSTILE.values(), ids=HOSTILE)
def test_hostile_counts_are_printed_and_drawn(counts):
    found = simulate_checkpoints(counts, RECIPE, draws=39)
    for what in ("before", "dispersion", "after"):
        x = found.interval(what)
        x = x[np.isfinite(x[:, 0])]
        assert ((x >= 0) & (x <= 1)).all()
        assert ((x[:, 1] <= x[:, 0]) & (x[:, 0] <= x[:, 2])).all()
    assert "-0.0" not in str(found)
    assert "nan" not in str(found)
    json.dumps(found.summary, allow_nan=False)
    figure = plot_checkpoints(found)
    figure.draw_without_rendering()
    plt.close(figure)


@pytest.mark.usefixtures("ends_now")
class TestCountsThatAreAllAlike:
    """The likeliest population is at an end, and its standard error there 0; the counts allow more."""

    def test_no_interval_is_without_width(self):
        ends = simulate_checkpoints(HOSTILE["all alike"], RECIPE)
        for what in ("before", "dispersion"):
            assert (np.diff(ends.interval(what)[:, 1:]) > 0.01).all()
        _, low, high = ends.interval("before")[0]
        assert low < 0.99 < high  # of which all of 40 samples are correct in 2 of 3

    def test_more_samples_narrow_them(self):
        ends = simulate_checkpoints({"few": Recorded([4] * 10, 4), "many": Recorded([64] * 10, 64)}, RECIPE)
        wide, narrow = np.diff(ends.interval("before")[:, 1:]).ravel()
        assert narrow < wide / 4

    def test_without_a_correct_sample_the_end_is_not_known(self):
        ends = simulate_checkpoints(HOSTILE["all alike"], RECIPE, draws=39)
        assert np.isnan(ends.after[1]).all()
        assert np.isnan(ends.ahead[1]).all()
        assert "b: none of its 40 samples is correct" in str(ends)
        assert ends.summary["after"][1] == {"value": None, "low": None, "high": None}
        np.testing.assert_allclose(np.nansum(ends.first), 1)

    def test_also_where_it_is_so_of_all(self):
        ends = simulate_checkpoints({"a": Recorded([0] * 5, 4), "b": Recorded([0] * 5, 8)}, RECIPE)
        assert str(ends).count("not known   not known") == 2
        assert np.diff(ends.interval("before")[:, 1:]).min() > 0.005

    def test_few_solved_prompts_are_named(self):
        few = simulate_checkpoints(HOSTILE["hardly solved"], RECIPE, draws=39)
        assert few.notes == (
            "a: its correct samples are of 1 of 20 prompts. How rarely the others are solved decides its end, and "
            "so few hardly show it: sample more prompts, or more of each.",
        )


def test_many_unsolved_prompts_are_said_to_be_assumed():
    counts = {"a": Recorded([0] * 9 + [4] * 11, 8), "b": Recorded([0] + [4] * 19, 8)}
    notes = simulate_checkpoints(counts, RECIPE, draws=39).notes
    assert len(notes) == 1
    assert notes[0].startswith("Prompts without a correct sample: 45% in a. Ends hang on")


def test_few_solved_prompts_leave_the_end_open():
    ends = simulate_checkpoints({"a": Recorded([1, 1] + [0] * 46, 8)}, RECIPE, draws=39)
    assert np.diff(ends.interval("after")[0, 1:]) > 0.5


class TestOrder:
    def test_ends_that_print_alike_are_equal(self):
        x = np.array([[0.9, 0.9], [0.9001, 0.9001], [0.1, 0.95]])
        ends = CheckpointEnds(("a", "b", "c"), 8, 400, "GRPO", 1.0, 32, 2, x, x, x)
        np.testing.assert_allclose(ends.ahead, [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]])
        np.testing.assert_allclose(ends.first, [0.25, 0.25, 0.5])

    @pytest.mark.usefixtures("ends_now")
    def test_one_checkpoint_has_none(self):
        said = str(simulate_checkpoints({"a": Recorded([1, 3, 4], 4)}, RECIPE, draws=39))
        assert said.startswith("1 checkpoint as a start of the model")
        assert "ends first  " not in said
        assert "ahead" not in said


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

    def test_each_follows_other_prompts_of_many_the_same_of_every_checkpoint(self, monkeypatch):
        monkeypatch.setattr(checkpoints, "MOST_PROMPTS", 20)
        p = np.tile(np.linspace(0, 1, 60), (2, 1))
        first, second = _followed(p, 0)
        assert first.shape == (20,)
        assert set(first) != set(second)
        np.testing.assert_array_equal(_followed(p, 0), [first, second])

    def test_a_prompt_that_is_never_solved_has_none_solved(self):
        """Half of the prompts at 0 and half at 1/2, which 64 samples tell: draws hold zeros where none is solved."""
        c = np.random.default_rng(1).binomial(64, np.repeat([0.0, 0.5], 40))
        found = draw_pass_rates(Recorded(c, 64), self.RNG(), 50, 0, "p")
        assert (found[:, :40] == 0).mean() > 0.9
        assert (found[:, 40:] > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize(("prompts", "samples"), [(5, 4), (20, 2), (20, 8)])
def test_intervals_hold_populations_of_the_prior_as_often_as_they_say(prompts, samples):
    """A posterior's intervals hold 95% of the truths that its prior draws, exactly; those of one population do not.

    What they hold of single populations is simulated in docs/settings.md.
    """
    rng, runs, held = np.random.default_rng(0), 400, np.zeros((2, 2))
    for run in range(runs):
        mean, dispersion, never = np.sin(rng.random(3) * np.pi / 2) ** 2
        size = 1 / dispersion - 1
        p = np.where(rng.random(prompts) < never * (run % 2), 0, rng.beta(mean * size, (1 - mean) * size, prompts))
        data = Recorded(rng.binomial(samples, p), samples)
        found = plausible_populations(data)
        likeliest = found._replace(weights=np.eye(1, len(found.weights), found.weights.argmax())[0])
        for j, populations in enumerate((found, likeliest)):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(checkpoints, "plausible_populations", lambda _, found=populations: found)
                drawn = draw_pass_rates(data, rng, 199, 0, "p")
            for i, of in enumerate((lambda x: x.mean(1), _dispersion)):
                low, high = np.quantile(of(drawn), (0.025, 0.975), method="weibull")
                held[j, i] += low <= of(p[None])[0] <= high
    least = 0.95 - 3 * np.sqrt(0.95 * 0.05 / runs)
    assert (held[0] / runs > least).all()
    assert (held[1] / runs < least).all()


@pytest.mark.parametrize(
    ("checkpoints", "options", "message"),
    [
        ([Beta(0.3, 0.2)], {}, "checkpoints must be a mapping of names"),
        ({}, {}, "checkpoints must be a mapping of names"),
        ({"a": Beta(0.3, 0.2)}, {"draws": 38}, "draws must be .* 39"),
        ({"a": Recorded([0, 1, 1], 1)}, {}, "checkpoint a: samples must be at least 2 on some prompts"),
        ({"a": Recorded([3], 8)}, {}, "checkpoint a: it must hold at least two prompts, got 1"),
        (
            {"a": Recorded([3, 2], 8), "b": Recorded([3], 8)},
            {},
            "the same prompts in the same order, got 2 in a, 1 in b",
        ),
        ({"a": "A.jsonl"}, {}, "A.jsonl"),
        ({"a": [0.1, 1.2]}, {}, "must lie in .*1.2"),
        ({"a": Beta([0.3, 0.4], 0.2)}, {}, "a must be one distribution, got an array of 2"),
    ],
)
def test_what_cannot_be_simulated_says_why(checkpoints, options, message):
    with pytest.raises(ValueError, match=message):
        simulate_checkpoints(checkpoints, RECIPE, **options)
