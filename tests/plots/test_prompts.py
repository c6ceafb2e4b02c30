"""Pictures of single prompts say what their arrays hold: read back from the artists."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection

from rlsignal import GRPO, MAXRL, RLOO, plots
from rlsignal.plots.prompts import _flow
from rlsignal.theory import escape_time, forecast, learning_speed, reachable_pass_rate

STEPS = np.linspace(0, 200, 41)
STARTS = np.array([1e-6, 1e-3, 1.5e-3, 0.01, 0.1, 0.3, 0.7])
RATES = np.array([forecast(STARTS, 8, GRPO, budget=float(t)) for t in STEPS])


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


class TestPrompts:
    def test_every_prompt_is_a_line_of_its_kind(self):
        ax = plots.plot_prompts(STEPS, RATES)
        found = {x.get_label(): len(x.get_segments()) for x in ax.collections if isinstance(x, LineCollection)}
        assert found == {"above 1/2 from the start: 1": 1, "took off: 3": 3, "still below 1/2: 3": 3}

    def test_lines_are_log_odds_and_ends_stay_on_the_picture(self):
        waiting = plots.plot_prompts(STEPS, RATES).collections[-1].get_segments()
        np.testing.assert_allclose(waiting[1][:, 1], np.log(RATES[:, 1] / (1 - RATES[:, 1])))
        assert waiting[0][0, 1] == pytest.approx(np.log(2e-5), abs=1e-4)

    @pytest.mark.parametrize(("times", "wrong"), [(1, 0), (20, 1)])
    def test_the_critical_pass_rate_counts_its_errors(self, times, wrong):
        critical = times * reachable_pass_rate(8, GRPO, budget=200, collision=1.0)
        ax = plots.plot_prompts(STEPS, RATES, critical=critical)
        line = next(line for line in ax.get_lines() if line.get_label().startswith("p_c"))
        assert line.get_label() == f"p_c: wrong on {wrong} of 6"
        assert line.get_ydata()[0] == pytest.approx(np.log(critical / (1 - critical)))

    def test_one_for_each_prompt(self):
        each = np.full(7, 1.7e-3)
        each[3] = 0.5  # this one takes off from 0.01
        assert any("wrong on 1 of 6" in x.get_label() for x in plots.plot_prompts(STEPS, RATES, critical=each).lines)

    def test_shapes_that_do_not_fit_are_refused(self):
        with pytest.raises(ValueError, match=r"^rates must be \[records, prompts\] with 41 records, got \[7, 41\]\.$"):
            plots.plot_prompts(STEPS, RATES.T)
        with pytest.raises(ValueError, match=r"^steps must be at least two rising numbers, got \[2\.0, 1\.0\]\.$"):
            plots.plot_prompts([2, 1], RATES[:2])
        with pytest.raises(ValueError, match=r"^critical must be one number or 7, one for each prompt, got \[2\]\.$"):
            plots.plot_prompts(STEPS, RATES, critical=[0.1, 0.2])
        with pytest.raises(ValueError, match=r"^rates must lie in \[0, 1\]"):
            plots.plot_prompts([0, 1], [[0.5], [1.5]])


class TestTakeOffs:
    def test_prompts_on_the_flow_lie_on_the_line(self):
        ax = plots.plot_take_offs(STEPS, RATES, 8)
        passed = next(line for line in ax.get_lines() if line.get_label() == "passed 1/2")
        np.testing.assert_allclose(passed.get_xdata(), [escape_time(p, 8, GRPO) for p in (0.01, 0.1)])
        np.testing.assert_allclose(passed.get_ydata(), passed.get_xdata(), rtol=0.02)

    def test_those_that_wait_stand_at_the_end(self):
        waiting = plots.plot_take_offs(STEPS, RATES, 8).get_lines()[-1]
        assert waiting.get_label() == "not yet"
        assert waiting.get_ydata().tolist() == [200, 200, 200]

    @pytest.mark.parametrize(("given", "ratio"), [({}, 1.0), ({"collision": 0.5}, 0.5), ({"learning_rate": 2.0}, 2.0)])
    def test_the_title_states_the_error(self, given, ratio):
        steps, rates = STEPS[:, None] + 5, RATES  # of a run that began at step 5
        title = plots.plot_take_offs(steps[:, 0], rates[:, 3:5], 8, **given).get_title()
        assert float(re.search(r": ([\d.]+) ", title)[1]) == pytest.approx(ratio, rel=0.03)

    def test_another_estimator_misses(self):
        assert "observed / expected: 0.4" in plots.plot_take_offs(STEPS, RATES, 8, RLOO).get_title()

    def test_nothing_due_is_refused(self):
        with pytest.raises(ValueError, match=r"^rates must hold a prompt that should pass 1/2 by step 200, got none\."):
            plots.plot_take_offs(STEPS, RATES[:, :1], 8)


class TestSimplex:
    def test_arrows_are_the_flow_of_each_estimator(self):
        figure = plots.plot_simplex(8)
        assert [ax.get_title() for ax in figure.axes[:3]] == ["RLOO", "GRPO", "MAXRL"]
        for ax, estimator in zip(figure.axes, (RLOO, GRPO, MAXRL), strict=False):
            arrows = ax.collections[0]
            p = arrows.get_offsets()[:, 1] / np.sqrt(0.75)  # the height of a point is its pass rate
            share = (arrows.get_offsets()[:, 0] - p / 2) / (1 - p)  # of the incorrect mass, on the right corner
            speed = learning_speed(p, 8, estimator) * (1 + share**2 + (1 - share) ** 2)  # kappa_C = 1
            np.testing.assert_allclose(arrows.get_array(), np.maximum(speed, 1e-4))
            assert (arrows.V > 0).all()

    def test_the_flow_is_the_softmax_s(self):
        """Against a small step of the logits along w grad p."""
        policy, step = np.array([[0.2, 0.5, 0.3]]), 1e-6
        push = GRPO.weight(0.2, 8) * 0.2 * (np.array([1, 0, 0]) - policy)
        after = policy * np.exp(step * push)
        np.testing.assert_allclose(_flow(policy, GRPO, 8), (after / after.sum() - policy) / step, rtol=1e-5)
