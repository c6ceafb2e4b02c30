"""Pictures show what the result holds: read back from the artists, not from pixels."""

import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

import rlsignal
from rlsignal import GRPO, RLOO, Beta, plots, track
from rlsignal.theory import forecast, reached_share


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
        with pytest.raises(
            ValueError, match=r"^start's mean must be below 0\.6, got 0\.6\. No start of the map has more"
        ):
            plots.plot_boundary(small_map, (0.6, 0.3))

    @pytest.mark.parametrize("start", [(0.05, 0.0), (0.05, 0.93), (0.45, 0.0), (0.45, 0.93)])
    def test_at_an_edge_of_the_grid_it_hatches_or_says_that_no_start_does(self, lawful, start):
        ax = plots.plot_boundary(lawful, start)
        label = ax.get_legend().get_texts()[0].get_text()
        face = lawful.dispersion
        ends = reached_share(Beta(*start), 4, GRPO, budget=100)
        after, better = face.outcome[1, 0].mean(-1), face.pass_rate > start[0]
        there = bool((after[:, better] < ends - 1e-9).any())
        assert label.endswith(": simulated") == there
        assert label.endswith("no start, simulated") != there


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


NAMES = [f"checkpoint-{i * 100} of a run that was given a long name" for i in range(8)]
STEPS = np.linspace(0, 200, 41)


def flow(*starts):
    return [forecast(np.array(starts), 8, GRPO, budget=float(t)) for t in STEPS]


def counts(n, correct):
    return {"prompt": range(len(correct)), "n": [n] * len(correct), "c": correct}


EXTREMES = {
    "one size": lambda: plots.plot_variance([1_000_000]),
    "p is 0, 1 and tiny": lambda: plots.plot_degenerate_groups({"0": 0.0, "1": 1.0, NAMES[0]: 1e-12}, (8,)),
    "groups of 2": lambda: plots.plot_weights(2),
    "large groups": lambda: plots.plot_objectives(1024),
    "ends of a population": lambda: plots.plot_population(Beta(0, 0.3), Beta(1, 0.3), Beta(0.5, 1), Beta(1e-12, 0.5)),
    "nothing to learn from": lambda: plots.plot_budget(0.0, GRPO, (2, 16)),
    "one point": lambda: plots.plot_curves([0], {"a": [0.3]}),
    "one run": lambda: plots.plot_curves([0, 1], {"a": [[0.3], [0.4]]}),
    "beyond the top": lambda: plots.plot_curves([0, 1], {"a": [-3, 100]}),
    "one prompt": lambda: plots.plot_prompts([0, 1], [[0.3], [0.6]], critical=0.2),
    "pass rates of 0 and 1": lambda: plots.plot_prompts([0, 1], [[0, 1, 1e-12, 1 - 1e-12]] * 2, critical=1e-12),
    "rates that never come": lambda: plots.plot_take_offs(STEPS, flow(1e-300, 1e-12, 1e-3, 0.1), 8),
    "none passed": lambda: plots.plot_take_offs([0, 10, 100], [[0.05, 0.06, 0.3]] * 3, 8),
    "passed at once": lambda: plots.plot_take_offs([0, 10, 1000], [[0.02, 0.0003], [0.999, 0.999], [0.999, 0.999]], 8),
    "one triangle": lambda: plots.plot_simplex(4096, [RLOO]),
    "no signal": lambda: plots.plot_degenerate(rlsignal.diagnose([[0, 0, 0, 0]] * 30, 4)),
    "one sample": lambda: plots.plot_degenerate(rlsignal.diagnose(counts(1, [0, 1] * 15), 4)),
    "equal checkpoints": lambda: plots.plot_comparison(rlsignal.compare(dict.fromkeys("ab", counts(8, [1, 2, 4] * 3)))),
    "never and always": lambda: plots.plot_comparison(
        rlsignal.compare({NAMES[0]: counts(8, [0] * 9), NAMES[1]: counts(8, [8] * 9)})
    ),
    "warned at once": lambda: plots.plot_trend(
        track([{"step": t, "reward": 0.01, "frac_reward_zero_std": 0.98} for t in range(60)], 8, groups=64)
    ),
}


class TestExtremes:
    """What is drawn stands on the picture, and no text leaves it."""

    @pytest.mark.parametrize("name", EXTREMES)
    def test_nothing_is_off_the_axes(self, name):
        drawn = EXTREMES[name]()
        figure = drawn if isinstance(drawn, Figure) else drawn.figure
        figure.canvas.draw()
        page = figure.bbox.padded(2)
        for ax in figure.axes:
            inside = ax.get_window_extent().padded(8)
            for line in ax.get_lines():
                if (
                    line.get_linestyle() == "None" or len(line.get_xdata()) == 1
                ):  # markers alone are points, all to be seen
                    points = line.get_transform().transform(np.column_stack(line.get_data()))
                    assert all(inside.contains(*point) for point in points), (name, line.get_label())
            for text in (*ax.texts, ax.title):
                box = text.get_window_extent()
                assert not text.get_text() or (page.contains(*box.min) and page.contains(*box.max)), text.get_text()
                assert not ax.axison or text is ax.title or box.x0 >= inside.x0, text.get_text()
            if ax.get_legend() is not None:
                assert ax.get_window_extent().width > figure.bbox.width / 3  # it leaves room for the axes

    @pytest.mark.parametrize(
        ("name", "plot"),
        [
            ("group_sizes", plots.plot_variance),
            ("populations", lambda x: plots.plot_degenerate_groups(dict.fromkeys(map(str, x), 0.3))),
            ("group_sizes", lambda x: plots.plot_degenerate_groups({"a": 0.3}, x * 20)),
            ("estimators", lambda x: plots.plot_weights(8, [RLOO] * len(x))),
            ("estimators", lambda x: plots.plot_objectives(8, [RLOO] * len(x))),
            ("estimators", lambda x: plots.plot_simplex(8, [RLOO] * len(x))),
            ("populations", lambda x: plots.plot_population(*[Beta(0.3, 0.3)] * len(x))),
            ("budgets", lambda x: plots.plot_budget(0.3, GRPO, x)),
            ("curves", lambda x: plots.plot_curves([0], {str(i): [0.3] for i in x})),
        ],
    )
    def test_no_line_and_more_lines_than_looks_are_refused(self, name, plot):
        for sizes, got in (((), "none"), ((2, 4, 8, 16, 32, 64), r"\d+")):
            with pytest.raises(ValueError, match=rf"^{name} must be 1 to \d+ in number, got {got}\. "):
                plot(sizes)


class TestCurves:
    @pytest.mark.parametrize("runs", [[[3.0, 4.0], [5.0, 6.0]], [[-3.0, -4.0], [0.1, 0.3]], [[0.1, 0.3], [0.2, 0.9]]])
    def test_a_band_is_two_standard_errors_about_its_line(self, runs):
        ax = plots.plot_curves([0, 1], {"a": runs})
        (line,), (band,) = ax.get_lines(), ax.collections
        for step, values in enumerate(np.array(runs)):
            edges = band.get_paths()[0].vertices
            half = abs(values[0] - values[1])  # of two runs: twice |a - b| / sqrt(2) / sqrt(2)
            y = edges[edges[:, 0] == step, 1]
            assert line.get_ydata()[step] == pytest.approx(values.mean())
            assert (y.min(), y.max()) == pytest.approx((values.mean() - half, values.mean() + half))
        low, high = ax.get_ylim()
        if np.abs(runs).max() > 1:
            assert low <= edges[:, 1].min()
            assert high >= edges[:, 1].max() or high == 1.02
        else:
            assert (low, high) == (0, 1.02)

    def test_what_is_not_finite_is_a_gap(self):
        curves = {"a": [0.1, np.inf, 0.3], "b": [[0.1, 0.2], [np.nan, -np.inf], [0.2, 0.3]], "c": [np.nan] * 3}
        ax = plots.plot_curves([0, 1, 2], curves)
        ax.figure.canvas.draw()
        assert ax.get_ylim() == (0, 1.02)
        assert [np.isfinite(x.get_ydata()).tolist() for x in ax.get_lines()] == [[True, False, True]] * 2 + [
            [False] * 3
        ]

    def test_any_name_is_plain_text_with_a_legend_entry(self):
        names = ["cost $x^^$", "", "_a", "b"]
        for ax in (
            plots.plot_curves([0], {name: [0.3] for name in names}),
            plots.plot_degenerate_groups(dict.fromkeys(names, 0.3), (2, 8)),
            plots.plot_weights(8, [replace(GRPO, name=name) for name in names]),
        ):
            ax.figure.canvas.draw()
            assert [text.get_text().strip() for text in ax.get_legend().get_texts()] == names


@pytest.mark.parametrize("across", [True, False])
def test_labels_of_contours_are_not_cut(small_map, across):
    """The contour at 0.3 runs along an edge: it has no label, and that at 0.9 has one inside."""
    face = small_map.dispersion
    axis = face.rows[:, None] if across else face.pass_rate[None]
    along = 0.29 + 0.7 * (axis - axis.min()) / np.ptp(axis) + 0 * face.entropy
    outcome = np.broadcast_to(along[..., None], face.outcome.shape)
    changed = replace(face, outcome=outcome, entropy=np.ones_like(face.entropy))
    ax = plots.plot_dispersion(replace(small_map, dispersion=changed))
    ax.figure.canvas.draw()
    inside = ax.get_window_extent()
    assert sorted(text.get_text() for text in ax.texts) == ["0.5", "0.7", "0.9"][: len(ax.texts)]
    assert len(ax.texts) >= 2
    for text in ax.texts:
        box = text.get_window_extent()
        assert inside.contains(*box.min), text
        assert inside.contains(*box.max), text


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


def test_a_colour_of_the_palette_and_new_axes_have_one_home():
    folder = Path(plots.__file__).parent
    written = {path.name: path.read_text() for path in folder.glob("*.py")}
    palette = set(re.findall(r"#[0-9a-f]{6}", written.pop("style.py")))
    assert {"#00204d", "#b07d00", "#777777"} <= palette
    written["page.py"] = ""  # a style sheet
    assert [name for name, text in written.items() if palette & set(re.findall(r"#[0-9a-f]{6}", text))] == []
    assert [name for name, text in written.items() if "[1]\n" in text and "plt.subplots(layout" in text] == []
    assert [name for name, text in written.items() if 'set_xscale("log", base=2)' in text] == []


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: plots.plot_degenerate_groups({"one": 0.3}, (8, 2, 4)),
        lambda: plots.plot_budget(Beta(0.2, 0.3), GRPO, (64,)),
        lambda: plots.plot_degenerate(rlsignal.diagnose([[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0]] * 20, 4)),
    ],
    ids=["populations", "budget", "evaluation"],
)
def test_group_sizes_are_marked_on_a_logarithmic_axis(drawn):
    ax = drawn()
    marked = [int(label.get_text()) for label in ax.get_xticklabels()]
    assert marked == sorted(ax.get_xticks())
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "group size (rollouts)"
    assert {2, 4, 8} <= set(marked)
