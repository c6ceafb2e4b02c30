"""Pictures of an evaluation: degenerate groups over the group size, and checkpoints by two scores."""

import numpy as np
from matplotlib.axes import Axes

from rlsignal.diagnosis.compare import Comparison
from rlsignal.diagnosis.diagnosed import Diagnosis
from rlsignal.plots.style import DARK, GREY, OCHRE, on_axes, over_group_sizes, short

_DATA, _GUESS, _BEYOND = DARK, OCHRE, GREY


def plot_degenerate(found: Diagnosis, *, ax: Axes | None = None) -> Axes:
    """Degenerate groups over the group size: from the samples, beyond them, and if all prompts had the mean.

    Parameters
    ----------
    found : a Diagnosis.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal.plots import plot_degenerate
    >>> from rlsignal import diagnose
    >>> plot_degenerate(diagnose([[0, 1, 1, 0], [0, 0, 0, 0], [1, 1, 1, 0]] * 20, 4)).get_xlabel()
    'group size (rollouts)'
    """
    ax = on_axes(ax, height=4.8)
    g = np.array([size.group_size for size in found.sizes])
    value, low, high = (
        np.array([getattr(x.degenerate, name) for x in found.sizes]) for name in ("value", "low", "high")
    )
    counted = np.array([size.degenerate.how == "samples" for size in found.sizes])
    ax.fill_between(
        g, low, high, color=_DATA, alpha=0.15, linewidth=0, label="95% interval; beyond the samples, bounds"
    )
    ax.plot(g[counted], value[counted], "o-", color=_DATA, label="these prompts, from their samples")
    if np.isfinite(value[~counted]).any():
        start = max(int(counted.sum()) - 1, 0)
        ax.plot(
            g[start:], value[start:], "o--", color=_BEYOND, markerfacecolor="white", label="by a fit anchored in a Beta"
        )
        if counted.any():
            ax.plot(g[start], value[start], "o", color=_DATA)
    ax.plot(g, [size.from_the_mean for size in found.sizes], "s:", color=_GUESS, label="if all prompts had the mean")
    ax.axvline(found.group_size, color=_DATA, linewidth=0.8, alpha=0.6)
    over_group_sizes(ax, g)
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("share of degenerate groups")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax


def plot_comparison(compared: Comparison, *, ax: Axes | None = None) -> Axes:
    """Checkpoints by pass@1 and by the share of informative groups, with 95% intervals.

    Parameters
    ----------
    compared : a Comparison.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal.plots import plot_comparison
    >>> from rlsignal import compare
    >>> shallow, deep = [{"prompt": range(9), "n": [8] * 9, "c": c} for c in ([1, 2, 4] * 3, [0, 4, 8] * 3)]
    >>> plot_comparison(compare({"shallow": shallow, "deep": deep})).get_xlabel()
    'pass@1'
    """
    ax = on_axes(ax, height=4.8)
    x, y = ([answer.value for answer in row] for row in (compared.pass_at_1, compared.informative))
    bars = [
        np.abs(np.array([[a.low, a.high] for a in row]).T - np.array([a.value for a in row]))
        for row in (compared.pass_at_1, compared.informative)
    ]
    ax.errorbar(x, y, yerr=bars[1], xerr=bars[0], fmt="o-", color=_DATA, ecolor=_BEYOND, elinewidth=1)
    there: dict[tuple[float, float], list[str]] = {}  # equal checkpoints share a label
    for name, *place in zip(compared.checkpoints, x, y, strict=True):
        there.setdefault((place[0], place[1]), []).append(short(name))
    for (at_x, at_y), names in there.items():
        label = ", ".join(names[:3]) + f" and {len(names) - 3} more" * (len(names) > 3)
        side = 1 if at_x <= (min(x) + max(x)) / 2 else -1  # towards the middle, where there is room
        ax.annotate(
            label,
            (at_x, at_y),
            xytext=(6 * side, 6),
            textcoords="offset points",
            ha="left" if side > 0 else "right",
            fontsize=9,
            parse_math=False,
        )
    ax.set_xlabel("pass@1")
    ax.set_ylabel(f"share of informative groups of {compared.group_size}")
    ax.grid(alpha=0.3)
    return ax
