"""The picture of a run: its degenerate groups over the steps, against two expectations."""

import numpy as np
from matplotlib.axes import Axes

from rlsignal.diagnosis.track import Trend
from rlsignal.plots.style import DARK, GREY, OCHRE, on_axes

_DATA, _GUESS, _FIRST = DARK, OCHRE, GREY


def plot_trend(trend: Trend, *, ax: Axes | None = None) -> Axes:
    """Degenerate groups over the steps of a run with their 95% intervals, two expectations, and where it warned.

    Parameters
    ----------
    trend : what `track` returned.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal.plots import plot_trend
    >>> from rlsignal import track
    >>> rows = [{"step": t, "reward": 0.3, "frac_reward_zero_std": 0.5 + t / 200} for t in range(80)]
    >>> plot_trend(track(rows, 8, groups=64)).get_ylabel()
    'share of degenerate groups of 8'
    """
    ax = on_axes(ax, height=4.8)
    ax.fill_between(trend.step, trend.low, trend.high, color=_DATA, alpha=0.15, linewidth=0, label="95% interval")
    ax.plot(trend.step, trend.degenerate, "o-", color=_DATA, markersize=4, label="logged")
    ax.plot(
        trend.step, trend.expected, "^--", color=_FIRST, markersize=4, label="dispersion as at first, mean as logged"
    )
    ax.plot(trend.step, trend.from_the_mean, "s:", color=_GUESS, markersize=4, label="if all prompts had the mean")
    if trend.rule and np.isfinite(trend.warned_at):
        ax.axvline(trend.warned_at, color=_DATA, linewidth=0.8)
        side = 1 if trend.warned_at < (trend.step[0] + trend.step[-1]) / 2 else -1  # where there is room
        ax.annotate(
            f"warned: {trend.rule}",
            (trend.warned_at, 0.25),
            xytext=(4 * side, 0),
            textcoords="offset points",
            fontsize=9,
            ha="left" if side > 0 else "right",
        )
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("training step")
    ax.set_ylabel(f"share of degenerate groups of {trend.group_size}")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, frameon=False, loc="best")
    return ax
