"""Pictures show what the result holds: read back from the artists, not from pixels."""

import re
from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import rlsignal
from rlsignal import GRPO, RLOO, Beta, plots, track
from rlsignal.theory import reached_share


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.mark.parametrize(
    "plot", [plots.plot_sharpening, plots.plot_dispersion, lambda m, ax: plots.plot_controls(*m.controls[:1], ax=ax)]
)
def test_each_draws_on_the_axes_it_is_given(small_map, plot):
    ax = Figure().subplots()
    assert plot(small_map, ax=ax) is ax
    assert ax.get_xlabel()
    assert ax.get_ylabel().startswith("pass@1")


@pytest.mark.parametrize(
    "plot", [plots.plot_sharpening, plots.plot_dispersion, lambda m: plots.plot_controls(m.controls[1])]
)
def test_each_makes_axes_where_none_are_given(small_map, plot):
    assert plot(small_map).figure is plt.gcf()


def test_the_dots_are_the_sampled_runs(small_map):
    ax = plots.plot_sharpening(small_map, g=4, budget="rollouts")
    face = small_map.sharpening
    dots = next(
        artist for artist in ax.collections if len(artist.get_offsets()) == face.rows.size * face.pass_rate.size
    )
    assert np.allclose(np.sort(dots.get_array()), np.sort(face.sampled[1, 1].mean(-1).ravel()))


def test_the_lines_are_the_mean_field_and_the_points_sampling(small_map):
    control = small_map.controls[1]
    ax = plots.plot_controls(control)
    line, points = ax.get_lines()
    assert np.allclose(line.get_ydata(), control.outcome.mean(-1))
    assert np.allclose(points.get_ydata(), control.sampled.mean(-1))


def test_the_page_has_every_group_size(small_map):
    titles = [ax.get_title() for ax in plots.plot_map(small_map).axes]
    assert [f"g = {g}, 10 steps" in "".join(titles) for g in small_map.group_sizes] == [True, True]


@pytest.mark.parametrize("sizes", [1, 2])
def test_the_page_stands_with_fewer_group_sizes(small_map, sizes):
    few = replace(small_map, group_sizes=small_map.group_sizes[:sizes])
    plots.plot_map(few).canvas.draw()


def test_starts_that_do_not_exist_are_left_out(small_map):
    outcome = small_map.sharpening.outcome.copy()
    outcome[:, :, 0, 0] = np.nan
    holes = replace(small_map, sharpening=replace(small_map.sharpening, outcome=outcome))
    assert holes.summary["missing_starts"]["entropy"] == small_map.summary["missing_starts"]["entropy"] + 1
    assert "starts do not exist; left out." in str(holes)
    plots.plot_map(holes).canvas.draw()


class TestBoundary:
    """The line is the law's, P(p > p_c) of a Beta, and its stated error the distance from the simulated ends."""

    START = (0.1, 0.3)

    @pytest.fixture
    def lawful(self, small_map):
        """A map whose simulation is the law itself, at 100 steps and collision 1."""
        face = small_map.dispersion
        ends = [[reached_share(Beta(m, d), 4, GRPO, budget=100) for m in face.pass_rate] for d in face.rows]
        outcome = np.broadcast_to(np.array(ends)[..., None], face.outcome.shape)
        return replace(small_map, steps=100, dispersion=replace(face, outcome=outcome))

    def test_the_title_states_the_law_s_error(self, lawful):
        right, wrong = (
            [
                float(x)
                for x in re.findall(r"\d[\d.]*", plots.plot_boundary(lawful, self.START, collision=c).get_title())
            ]
            for c in (1.0, 0.1)
        )
        assert right[:2] == [0, 0]
        assert wrong[0] > 0.05
        assert 0 < wrong[1] < wrong[2] == right[2]

    def test_on_the_line_the_law_gives_what_it_gives_the_start(self, lawful):
        ax = plots.plot_boundary(lawful, self.START)
        law = next(c for c in ax.collections if any((c.get_edgecolor() == to_rgba("#d62728")).all(-1)))
        line = max((path.vertices for path in law.get_paths()), key=len)
        assert line[:, 1].min() == pytest.approx(0.1, abs=0.01)
        shares = [reached_share(Beta(mean, rho), 4, GRPO, budget=100) for rho, mean in line[::5]]
        np.testing.assert_allclose(shares, reached_share(Beta(*self.START), 4, GRPO, budget=100), atol=5e-3)

    def test_what_the_map_does_not_have_is_refused(self, small_map):
        with pytest.raises(ValueError, match=r"^estimator must be the map's, GRPO, got RLOO\.$"):
            plots.plot_boundary(small_map, self.START, estimator=RLOO)
        with pytest.raises(ValueError, match=r"^result must have rollouts at temperature 1, got 0\.5, where"):
            plots.plot_boundary(replace(small_map, temperature=0.5), self.START)
        with pytest.raises(ValueError, match=r"^start's mean must lie in \[0\.05, 0\.6\], got 0\.9"):
            plots.plot_boundary(small_map, (0.9, 0.3))


def test_nothing_is_set_globally(small_map):
    before = dict(matplotlib.rcParams)
    plots.plot_map(small_map).canvas.draw()
    assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []


def test_unknown_choices_are_refused(small_map):
    with pytest.raises(ValueError, match=r"^g must be one of the map's group sizes \(2, 4\), got 16\."):
        plots.plot_sharpening(small_map, g=16)
    with pytest.raises(ValueError, match=r"^budget must be 'steps' or 'rollouts', got 'money'\.$"):
        plots.plot_dispersion(small_map, budget="money")
    with pytest.raises(ValueError, match=r"^controls must be at least one Control, got none\."):
        plots.plot_controls()


class TestLadder:
    def test_lines_are_means_over_seeds(self, small_ladder):
        ax = plots.plot_ladder(small_ladder, rate=0.01)
        peak = small_ladder.reading(rate=0.01).after.mean(0)
        drawn = [line.get_ydata() for line in ax.get_lines()]
        assert any(len(y) == 3 and np.allclose(y, peak) for y in drawn)
        assert any(len(y) == 3 and np.allclose(y, small_ladder.fresh.pass_at_1[:, :, 0, 0].mean(0)) for y in drawn)

    def test_a_rate_that_was_not_run_is_refused(self, small_ladder):
        with pytest.raises(ValueError, match=r"^outcome and rate must be among"):
            plots.plot_ladder(small_ladder, rate=0.5)

    def test_the_page_has_a_column_for_each(self, small_ladder):
        assert len(plots.plot_ladders(small_ladder, small_ladder).axes) == 4
        with pytest.raises(ValueError, match=r"^ladders must be at least one Ladder, got none\.$"):
            plots.plot_ladders()


class TestDiagnosis:
    FOUND = rlsignal.diagnose([[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]] * 20, 4)

    def test_points_are_the_answers(self):
        ax = plots.plot_degenerate(self.FOUND)
        values = np.concatenate([line.get_ydata() for line in ax.get_lines()[:2]])
        known = {size.degenerate.value for size in self.FOUND.sizes if np.isfinite(size.degenerate.value)}
        assert known <= set(values)

    def test_names_of_checkpoints_are_no_formulas(self):
        one = {"prompt": list(range(9)), "n": [8] * 9, "c": [1, 2, 4] * 3}
        ax = plots.plot_comparison(rlsignal.compare({"$\\frac{": one, "b": one | {"c": [0, 4, 8] * 3}}))
        ax.figure.canvas.draw()
        assert [text.get_text() for text in ax.texts] == ["$\\frac{", "b"]


def test_a_trend_shows_what_was_tracked():
    rows = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5 + t / 200} for t in range(80)]
    trend = track(rows, 8, groups=64)
    ax = plots.plot_trend(trend)
    logged, expected, mean, warned = ax.get_lines()
    np.testing.assert_array_equal(logged.get_ydata(), trend.degenerate)
    np.testing.assert_array_equal(expected.get_ydata(), trend.expected)
    np.testing.assert_array_equal(mean.get_ydata(), trend.from_the_mean)
    assert warned.get_xdata()[0] == trend.warned_at


class TestMapsWithNothingToLabel:
    """A run is not lost to its picture: surfaces that cross no contour, or hardly exist, are drawn all the same."""

    def test_flat_surfaces(self, small_map):
        def flat(face, outcome):
            return replace(
                face,
                outcome=np.full_like(face.outcome, outcome),
                reached=np.zeros_like(face.reached),
                entropy=np.ones_like(face.entropy),
            )

        for outcome in (0.0, 0.2, 1.0):
            changed = replace(
                small_map,
                sharpening=flat(small_map.sharpening, outcome),
                dispersion=flat(small_map.dispersion, outcome),
            )
            figure = plots.plot_map(changed)
            figure.canvas.draw()

    def test_few_starts_that_exist(self, small_map):
        def thinned(face):
            outcome = face.outcome.copy()
            outcome[..., 1:, :, :] = np.nan
            return replace(face, outcome=outcome)

        changed = replace(small_map, sharpening=thinned(small_map.sharpening), dispersion=thinned(small_map.dispersion))
        plots.plot_map(changed).canvas.draw()
