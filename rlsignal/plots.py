"""The only matplotlib: plot_*(result, *, ax=None) -> Axes, and the map's page as one Figure.

One colour scale for every outcome (cividis: even in grey, and the same to all eyes); nothing is set globally, nothing
is shown, nothing is simulated here.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rlsignal.results import Control, InversionMap
from rlsignal.theory.ranking import inversions, paired_interval

_LEVELS = np.linspace(0, 1, 11)
_COLOURS = "cividis"
_INK = "#222222"


def plot_sharpening(
    result: InversionMap, *, g: int | None = None, budget: str = "steps", ax: Axes | None = None
) -> Axes:
    """Outcome over the entropy and the pass@1 of the start, in the family where one knob moves both.

    Filled contours: the mean field. Dots: sampled runs, in the same colours. Dashed: where the reachability law puts
    the labelled contours. An arrow joins the most striking inverted pair.

    Parameters
    ----------
    result : an InversionMap.
    g : which of its group sizes; default the middle one.
    budget : "steps" or "rollouts", equal over group sizes.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError : a group size or budget that the map does not have.

    Examples
    --------
    >>> plot_sharpening(small_map, g=4).get_ylabel()
    'pass@1 of the start'
    """
    i, b = _chosen(result, g, budget)
    face = result.sharpening
    ax = _outcome(result, face.rows, face.pass_rate, face.outcome[i, b].mean(-1).T, ax)
    law = face.reached[i, b].mean(-1).T
    ax.contour(face.rows, face.pass_rate, law, [0.3, 0.5, 0.7, 0.9], colors="white", linestyles="--", linewidths=1.2)
    sampled = face.sampled[i, b].mean(-1)
    x, y = np.meshgrid(face.rows, face.pass_rate, indexing="ij")
    done = np.isfinite(sampled)
    ax.scatter(
        x[done],
        y[done],
        c=sampled[done],
        cmap=_COLOURS,
        vmin=0,
        vmax=1,
        s=22,
        edgecolors="white",
        linewidths=0.8,
        zorder=3,
    )
    _striking_pair(result, i, b, ax)
    ax.set_xlabel("response entropy of the start (nats)")
    ax.set_ylabel("pass@1 of the start")
    return ax


def plot_spread(result: InversionMap, *, g: int | None = None, budget: str = "steps", ax: Axes | None = None) -> Axes:
    """Outcome over the dispersion and the mean pass rate of the start; entropy as dotted contours, in nats.

    Parameters, returns, raises: as `plot_sharpening`.

    Examples
    --------
    >>> plot_spread(small_map).get_ylabel()
    'pass@1 of the start'
    """
    i, b = _chosen(result, g, budget)
    face = result.spread
    ax = _outcome(result, face.rows, face.pass_rate, face.outcome[i, b].mean(-1).T, ax)
    lines = ax.contour(face.rows, face.pass_rate, face.entropy.T, 5, colors="white", linestyles=":", linewidths=1.4)
    ax.clabel(lines, fmt="%.1f nats", fontsize=7, colors="white")
    ax.set_xlabel("dispersion of the start (0: prompts alike, 1: all or nothing)")
    ax.set_ylabel("pass@1 of the start")
    return ax


def plot_controls(*controls: Control, ax: Axes | None = None) -> Axes:
    """Outcome against the one thing that a control varies; lines: mean field with its 95% band, dots: sampled.

    Parameters
    ----------
    controls : of an InversionMap, with a common unit of what they vary.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError : no controls.

    Examples
    --------
    >>> plot_controls(small_map.controls[1]).get_ylabel()
    'pass@1 after GRPO'
    """
    if not controls:
        raise ValueError("controls must be at least one Control, got none. Pass result.controls[0].")
    ax = ax if ax is not None else plt.subplots()[1]
    for control, colour, style, marker in zip(controls, ("#00336f", "#b8860b"), ("-", "--"), ("o", "s"), strict=False):
        band = np.array([paired_interval(outcome) for outcome in control.outcome])
        ax.fill_between(control.values, band[:, 0], band[:, 1], color=colour, alpha=0.2, linewidth=0)
        ax.plot(control.values, control.outcome.mean(-1), style, color=colour, label=control.name)
        ax.plot(control.values, control.sampled.mean(-1), marker, color=colour, markersize=5, markeredgecolor="white")
    ax.set_ylim(0, 1.02)
    ax.set_xlabel(
        {"dispersion": "dispersion of the start"}.get(controls[0].varied, "entropy inside the classes (nats)")
    )
    ax.set_ylabel("pass@1 after GRPO")
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left", fontsize=8, frameon=False)
    return ax


def plot_map(result: InversionMap) -> Figure:
    """The whole page: where inversion occurs (top), and what causes it (bottom).

    Parameters
    ----------
    result : an InversionMap.

    Returns
    -------
    Figure.

    Examples
    --------
    >>> len(plot_map(small_map).axes) > 5
    True
    """
    columns = max(3, len(result.group_sizes))
    figure = Figure(figsize=(4.4 * columns, 8.6), layout="constrained")
    axes = figure.subplots(2, columns)
    for ax in axes.flat:
        ax.set_visible(False)
    for i, (g, ax) in enumerate(zip(result.group_sizes, axes[0], strict=False)):
        ax.set_visible(True)
        plot_sharpening(result, g=g, ax=ax)
        ax.set_title(f"g = {g}, {result.steps} steps: {result.inverted_share[i, 0]:.0%} of pairs inverted", fontsize=10)
    for ax in axes[1, :3]:
        ax.set_visible(True)
    plot_spread(result, ax=axes[1, 0])
    by_entropy, by_dispersion, natural = result.controls
    plot_controls(by_entropy, natural, ax=axes[1, 1])
    plot_controls(by_dispersion, ax=axes[1, 2])
    middle = sorted(result.group_sizes)[len(result.group_sizes) // 2]
    axes[1, 0].set_title(f"The same outcome over dispersion, g = {middle}", fontsize=10)
    axes[1, 1].set_title(f"Shadow: entropy varied, pass rates held, g = {middle}", fontsize=10)
    axes[1, 2].set_title(f"Cause: dispersion varied, entropy held, g = {middle}", fontsize=10)
    filled = axes[0, 0].collections[0]
    figure.colorbar(filled, ax=axes[0, : len(result.group_sizes)].tolist(), label="pass@1 after GRPO", shrink=0.9)
    figure.colorbar(filled, ax=axes[1, :3].tolist(), label="pass@1 after GRPO (left panel)", shrink=0.9)
    figure.suptitle(
        "Where GRPO turns the order of checkpoints: B starts behind A and ends ahead of it.   "
        "Filled: mean field.  Dots: sampled.  Dashed: law p > p_c.",
        fontsize=11,
    )
    return figure


def _outcome(result: InversionMap, x: np.ndarray, y: np.ndarray, outcome: np.ndarray, ax: Axes | None) -> Axes:
    """Filled contours of an outcome [y, x]; starts that do not exist stay hatched."""
    ax = ax if ax is not None else plt.subplots()[1]
    filled = ax.contourf(x, y, outcome, _LEVELS, cmap=_COLOURS, vmin=0, vmax=1, extend="neither")
    ax.set_facecolor("#dddddd")
    lines = ax.contour(x, y, outcome, [0.3, 0.5, 0.7, 0.9], colors=_INK, linewidths=1.2)
    ax.clabel(lines, fmt="%.1f", fontsize=8)
    del filled
    return ax


def _striking_pair(result: InversionMap, i: int, b: int, ax: Axes) -> None:
    """Mark the inverted pair with the largest product of lead before and loss after."""
    face = result.sharpening
    outcome = face.outcome[i, b]
    entropy, before = (x.ravel() for x in np.meshgrid(face.rows, face.pass_rate, indexing="ij"))
    after = outcome.reshape(-1, outcome.shape[-1])
    found = inversions(before, after).inverted
    if not found.any():
        return
    end = after.mean(-1)
    gain = np.where(found, (before[:, None] - before) * (end - end[:, None]), -np.inf)
    ahead, behind = np.unravel_index(np.argmax(gain), gain.shape)
    for name, at in (("A", ahead), ("B", behind)):
        ax.annotate(
            f"{name}: {before[at]:.2f} → {end[at]:.2f}",
            (entropy[at], before[at]),
            xytext=(8, 6),
            textcoords="offset points",
            fontsize=8,
            color="white",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": _INK, "edgecolor": "none", "alpha": 0.85},
            zorder=5,
        )
    ax.add_line(Line2D(entropy[[ahead, behind]], before[[ahead, behind]], color=_INK, linewidth=1.5, zorder=4))


def _chosen(result: InversionMap, g: int | None, budget: str) -> tuple[int, int]:
    sizes = result.group_sizes
    g = sorted(sizes)[len(sizes) // 2] if g is None else g
    if g not in sizes:
        raise ValueError(f"g must be one of the map's group sizes {sizes}, got {g}. Simulate it with group_sizes=.")
    if budget not in ("steps", "rollouts"):
        raise ValueError(f"budget must be 'steps' or 'rollouts', got {budget!r}.")
    return sizes.index(g), ("steps", "rollouts").index(budget)
