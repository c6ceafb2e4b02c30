"""The inversion map's pictures, and its page as one Figure."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from rlsignal import _validate
from rlsignal.inference.ranking import inversions, paired_estimate
from rlsignal.plots.style import DARK, GREY, INK, OCHRE, as_names, in_legend, on_axes
from rlsignal.results import CheckpointEnds, Control, InversionMap
from rlsignal.theory.distributions import Beta
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.flip import reached_share
from rlsignal.theory.frameworks import GRPO

_COLOURS = "cividis"
_FILLED = np.linspace(0, 1, 11)
_LINES = {0.3: "white", 0.5: "white", 0.7: INK, 0.9: INK}
_LAW = "#d62728"
_ROOM = 0.07
"""From the edge to the middle of a label that is not cut, as a share of the axes."""


def plot_sharpening(
    result: InversionMap, *, g: int | None = None, budget: str = "steps", ax: Axes | None = None
) -> Axes:
    """Outcome over the entropy and the pass@1 of the start, in the family where one knob moves both.

    Filled and labelled contours: the mean field. Dots: sampled runs, in the same colours. Dotted lines: where the
    reachability law puts the labelled contours. An arrow leads from B to A, the steepest inverted pair: more pass@1
    before, less after.

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
    >>> from rlsignal.plots import plot_sharpening
    >>> from rlsignal.sim import Recipe, inversion_map
    >>> result = inversion_map(Recipe(prompts=16, steps=10), group_sizes=(2, 4), rollouts=40, draws=2)
    >>> plot_sharpening(result, g=4).get_ylabel()
    'pass@1 of the start'
    """
    i, b = _chosen(result, g, budget)
    face, alone = result.sharpening, ax is None
    ax = _outcome(face.rows, face.pass_rate, face.outcome[i, b].mean(-1).T, ax)
    law = face.reached[i, b].mean(-1).T
    _contours(ax, face.rows, face.pass_rate, law, dict.fromkeys(_LINES, _LAW), linestyles=":", linewidths=2)
    sampled = face.sampled[i, b].mean(-1)
    x, y = np.meshgrid(face.rows, face.pass_rate, indexing="ij")
    ran = np.isfinite(sampled)
    ax.scatter(
        x[ran], y[ran], c=sampled[ran], cmap=_COLOURS, vmin=0, vmax=1, s=26, edgecolors="white", clip_on=False, zorder=3
    )
    _striking_pair(result, i, b, ax)
    middle = len(face.rows) // 2, len(face.pass_rate) // 2
    worth = f"1 nat is worth {face.exchange_rate[(i, b, *middle)]:.2f} pass@1\n"
    start = f"at {face.rows[middle[0]]:.3g} nats, pass@1 {face.pass_rate[middle[1]]:.3g}"
    ax.text(0.97, 0.96, worth + start, transform=ax.transAxes, ha="right", va="top", fontsize=9, color=INK)
    ax.set_xlabel("response entropy of the start (nats)")
    ax.set_ylabel("pass@1 of the start")
    if alone:
        keys = [
            (Line2D([], [], color=INK, label=result.way), True),
            (Line2D([], [], color=_LAW, ls=":", lw=2, label="the law: prompts above p_c"), np.isfinite(law).any()),
            (Line2D([], [], color=GREY, ls="", marker="o", mec="white", label="sampled GRPO"), ran.any()),
        ]
        shown = [key for key, there in keys if there]
        ax.legend(handles=shown, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, fontsize=9, frameon=False)
    return ax


def plot_dispersion(
    result: InversionMap, *, g: int | None = None, budget: str = "steps", ax: Axes | None = None
) -> Axes:
    """Outcome over the dispersion and the mean pass rate of the start; entropy as dash-dotted contours, in nats.

    Parameters, returns, raises: as `plot_sharpening`.

    Examples
    --------
    >>> from rlsignal.plots import plot_dispersion
    >>> from rlsignal.sim import Recipe, inversion_map
    >>> result = inversion_map(Recipe(prompts=16, steps=10), group_sizes=(2, 4), rollouts=40, draws=2)
    >>> plot_dispersion(result).get_ylabel()
    'pass@1 of the start'
    """
    i, b = _chosen(result, g, budget)
    face = result.dispersion
    ax = _outcome(face.rows, face.pass_rate, face.outcome[i, b].mean(-1).T, ax)
    at = len(face.pass_rate) * 3 // 4  # the column in which labels stand
    across = face.entropy[:, at]
    levels = np.linspace(across.min(), across.max(), 6)[1:-1]
    order = np.argsort(across)
    lines = _contours(
        ax,
        face.rows,
        face.pass_rate,
        face.entropy.T,
        dict.fromkeys(levels, _LAW),
        linestyles="-.",
        linewidths=1.5,
    )
    if lines is not None:
        places = [(np.interp(level, across[order], face.rows[order]), face.pass_rate[at]) for level in lines.levels]
        inside = [place for place in places if _from_edge(ax, [place])[0] > _ROOM]
        ax.clabel(lines, fmt="%.1f nats", fontsize=8, manual=inside)
    ax.set_xlabel("dispersion of the start")
    ax.set_ylabel("pass@1 of the start")
    return ax


def plot_boundary(
    result: InversionMap,
    start: tuple[float, float],
    *,
    estimator: Estimator = GRPO,
    collision: float = 1.0,
    g: int | None = None,
    budget: str = "steps",
    ax: Axes | None = None,
) -> Axes:
    """The starts that look better than one start and end lower: simulated, filled, and by the law, a line.

    All are Beta starts of the map's face over dispersion. By the law the outcome is P(p > p_c), the tail of a Beta
    (F1), so the boundary is its contour through the start, above the start's pass@1. The title says how often the law
    is wrong: over pairs of the map's grid whose simulated ends differ by more than `result.least`.

    Parameters
    ----------
    result : an InversionMap.
    start : mean and dispersion, inside the face's grid; the mean below its highest.
    estimator : the map's.
    collision : kappa_C + kappa_I of the starts.
    g, budget, ax : as for `plot_sharpening`.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError : another estimator than the map's, a temperature other than 1, a start outside of the grid; as
        `plot_sharpening` and `reached_share`.

    Examples
    --------
    >>> from rlsignal.plots import plot_boundary
    >>> from rlsignal.sim import Recipe, inversion_map
    >>> result = inversion_map(Recipe(prompts=16, steps=10), group_sizes=(2, 4), rollouts=40, draws=2)
    >>> plot_boundary(result, (0.1, 0.3)).get_xlabel()
    'dispersion of the start'
    """
    i, b = _chosen(result, g, budget)
    if estimator.name != result.estimator:
        raise ValueError(f"estimator must be the map's, {result.estimator}, got {estimator.name}.")
    if not result.plain_ascent or result.kl:
        got = f"{result.optimizer} and KL weighed {result.kl:g}"
        raise ValueError(f"result must be of plain ascent without KL, as the law is, got {got}. See its faces.")
    if result.temperature != 1:
        raise ValueError(
            f"result must have rollouts at temperature 1, got {result.temperature:g}, where pass rates are no Beta's. "
            "See `reached` of its faces."
        )
    size, face = result.group_sizes[i], result.dispersion
    steps = result.budgets(size)[b]

    def law(mean: float, dispersion: float) -> float:
        start, time = Beta(mean, dispersion), result.learning_rate * steps
        return reached_share(start, size, estimator, budget=time, collision=collision)

    axes = (("mean", face.pass_rate), ("dispersion", face.rows))
    mean, rho = (
        _validate.scalar(f"start's {name}", _validate.within(f"start's {name}", value, *axis[[0, -1]]))
        for value, (name, axis) in zip(start, axes, strict=True)
    )
    if mean >= face.pass_rate[-1]:
        top = f"{face.pass_rate[-1]:g}"
        raise ValueError(
            f"start's mean must be below {top}, got {mean:g}. No start of the map has more pass@1 than that."
        )
    after = face.outcome[i, b].mean(-1)

    def simulated(x: Any, y: Any) -> np.ndarray:  # [y, x], between the grid's starts
        across = [np.interp(y, face.pass_rate, row) for row in after]
        return np.array([np.interp(x, face.rows, column) for column in np.transpose(across)])

    x, y = (np.linspace(low, axis[-1], 41) for low, axis in ((face.rows[0], face.rows), (mean, face.pass_rate)))
    ax = _outcome(face.rows, face.pass_rate, after.T, ax)
    lower = simulated(x, y) - simulated([rho], [mean])
    hatched = ax.contourf(x, y, lower, [-1, 0], colors="none", hatches=["////"])
    hatched.set_edgecolor("white")
    line = np.array([[law(m, d) for d in x] for m in y]) - law(mean, rho)
    _contours(ax, x, y, line, {0.0: _LAW}, linewidths=2.5)
    ax.axhline(mean, color=_LAW, linewidth=1, linestyle="--")
    ax.plot(rho, mean, "o", color="white", markeredgecolor=INK, markersize=8, zorder=4, clip_on=False)

    ends = np.array([[law(m, d) for m in face.pass_rate] for d in face.rows])
    ahead = np.tile(face.pass_rate, (len(face.rows), 1)).ravel()
    pair = ahead[:, None] > ahead
    by_law, by_run = (np.subtract.outer(v.ravel(), v.ravel())[pair] for v in (ends, after))
    sure = np.abs(by_run) > result.least
    wrong, rms = ((by_law < 0) != (by_run < 0))[sure].sum(), np.sqrt(np.nanmean((ends - after) ** 2))
    ax.set_title(f"the law: rms error {rms:.3f}, wrong on {wrong:,} of {sure.sum():,} pairs", fontsize=11)
    found = "simulated" if (lower < 0).any() else "no start, simulated"
    keys = [
        Patch(facecolor=GREY, edgecolor="white", hatch="////", label=f"looks better, ends lower: {found}"),
        Line2D([], [], color=_LAW, linewidth=2.5, label="by the law"),
    ]
    ax.legend(handles=keys, loc="lower center", bbox_to_anchor=(0.5, 1.08), ncols=2, fontsize=9, frameon=False)
    ax.set_xlabel("dispersion of the start")
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
    >>> from rlsignal.plots import plot_controls
    >>> from rlsignal.sim import Recipe, inversion_map
    >>> result = inversion_map(Recipe(prompts=16, steps=10), group_sizes=(2, 4), rollouts=40, draws=2)
    >>> plot_controls(result.controls[1]).get_ylabel()
    'pass@1 after GRPO'
    """
    if not controls:
        raise ValueError("controls must be at least one Control, got none. Pass result.controls[0].")
    ax = on_axes(ax, height=4.8)
    looks = cycle(((DARK, "-", "o"), (OCHRE, "--", "s"), (GREY, ":", "^")))
    for control, (colour, style, marker) in zip(controls, looks, strict=False):
        ends = [paired_estimate(outcome) for outcome in control.outcome]
        band = np.clip([(end.low, end.high) for end in ends], 0, 1)
        ax.fill_between(control.values, band[:, 0], band[:, 1], color=colour, alpha=0.2, linewidth=0)
        if not np.array_equal(control.outcome, control.sampled):  # equal where there is no mean field
            ax.plot(control.values, control.outcome.mean(-1), style, color=colour, label=f"{control.name}: mean field")
        ax.plot(control.values, control.sampled.mean(-1), marker, color=colour, label=f"{control.name}: sampled")
    ax.set_ylim(0, 1.02)
    ax.set_xlabel(f"{controls[0].varied} of the start" if controls[0].name != "entropy" else controls[0].varied)
    if np.ptp(controls[0].values) > 100 * controls[0].values.min() > 0:
        ax.set_xscale("log")
    ax.set_ylabel("pass@1 after GRPO")
    ax.grid(alpha=0.3)
    ax.legend(loc="best", fontsize=8, frameon=False)
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
    >>> from rlsignal.plots import plot_map
    >>> from rlsignal.sim import Recipe, inversion_map
    >>> result = inversion_map(Recipe(prompts=16, steps=10), group_sizes=(2, 4), rollouts=40, draws=2)
    >>> len(plot_map(result).axes) > 5
    True
    """
    sizes = result.group_sizes
    figure = Figure(figsize=(max(9.6, 3.2 * len(sizes)), 11.2), layout="constrained")
    top, bottom = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.9))[:, 0]
    faces, causes = top.subplots(1, len(sizes), squeeze=False, sharey=True)[0], bottom.subplots(2, 2).ravel()
    for i, (g, ax) in enumerate(zip(sizes, faces, strict=True)):
        plot_sharpening(result, g=g, ax=ax).label_outer()
        title = f"g = {g}, {result.steps} steps:\n{result.inverted_share[i, 0]:.0%} of pairs inverted"
        ax.set_title(title, fontsize=11)
    by_entropy, by_dispersion, by_reach, *natural = result.controls  # natural gradient: of plain ascent alone
    plot_dispersion(result, ax=causes[0])
    plot_controls(by_entropy, *natural, ax=causes[1])
    plot_controls(by_dispersion, ax=causes[2])
    plot_controls(by_reach, ax=causes[3])
    titles = "Outcome over dispersion", "Entropy varied inside the classes", "Dispersion varied (Beta)"
    for ax, title in zip(causes, (*titles, "Hardest prompts varied, dispersion held"), strict=True):
        ax.set_title(title, fontsize=11)
    outcome = ScalarMappable(Normalize(0, 1), _COLOURS)
    top.colorbar(outcome, ax=faces.tolist(), label="pass@1 after GRPO")
    dots = " Dots: sampled GRPO." * bool(np.isfinite(result.sharpening.sampled).any())
    law = " Dotted: the law, the share of\nprompts that start above p_c." * bool(np.isfinite(result.law_error).any())
    figure.suptitle(
        "Where GRPO turns the order of checkpoints: A starts ahead of B and ends behind it.\n"
        f"Colour and solid lines: {result.way}.{dots}{law} Dash-dotted: entropy of the start.",
        fontsize=11,
    )
    return figure


def plot_checkpoints(ends: CheckpointEnds, result: InversionMap | None = None) -> Figure:
    """Evaluated checkpoints on the map's face over dispersion, and where training takes each.

    Left: pass@1 and dispersion now with their 95% intervals, over the outcome of Beta starts where a map is given, at
    the group size of the map that is nearest. Right: pass@1 now and after; lines that cross are order that turns.

    Examples
    --------
    >>> from rlsignal.plots import plot_checkpoints
    >>> from rlsignal import Beta, sim
    >>> ends = sim.simulate_checkpoints({"a": Beta(0.3, 0.2), "b": Beta(0.4, 0.9)}, sim.Recipe(prompts=32), draws=39)
    >>> len(plot_checkpoints(ends).axes)
    2
    """
    figure, (where, path) = plt.subplots(1, 2, figsize=(9.2, 4.6), layout="constrained")
    if result is not None:
        i = int(np.argmin(np.abs(np.array(result.group_sizes) - ends.group_size)))
        face = result.dispersion
        _outcome(face.rows, face.pass_rate, face.outcome[i, 0].mean(-1).T, where)
        where.set_title(f"over the outcome of Beta starts, g = {result.group_sizes[i]}", fontsize=11)
    now, dispersion, after = (ends.interval(what) for what in ("before", "dispersion", "after"))
    aside = np.linspace(-0.06, 0.06, len(ends.names)) if len(ends.names) > 1 else np.zeros(1)
    for j, name in enumerate(ends.names):
        x, y, colour = dispersion[j], now[j], f"C{j}"
        style = {"color": colour, "mec": "white", "ecolor": colour, "capsize": 3, "label": in_legend(name, 40)}
        where.errorbar(x[0], y[0], np.abs(y[1:, None] - y[0]), np.abs(x[1:, None] - x[0]), fmt="o", **style)
        known = np.array([y, after[j]])[: 1 + bool(np.isfinite(after[j, 0]))].T  # an open end is not drawn
        path.errorbar(aside[j] + np.arange(known.shape[1]), known[0], np.abs(known[1:] - known[0]), marker="o", **style)
    where.use_sticky_edges = False
    where.margins(0.03)  # what lies on an edge shows
    where.set(xlabel="dispersion now", ylabel="pass@1 now")
    path.set(xlim=(-0.25, 1.25), ylim=(-0.03, 1.03), ylabel="pass@1")
    path.set_xticks((0, 1), ("now", f"after {ends.steps} steps"))
    path.set_title(f"in the model, g = {ends.group_size}: no transfer between prompts", fontsize=11)
    path.grid(axis="x", visible=False)
    as_names(figure.legend(*path.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9))
    return figure


def _outcome(x: np.ndarray, y: np.ndarray, outcome: np.ndarray, ax: Axes | None) -> Axes:
    """Filled contours of an outcome [y, x]; starts that do not exist stay grey."""
    if ax is None:
        ax = on_axes(None, height=4.8)
        ax.figure.colorbar(ScalarMappable(Normalize(0, 1), _COLOURS), ax=ax, label="pass@1 after GRPO")
    ax.set_facecolor("#dddddd")
    ax.contourf(x, y, outcome, _FILLED, cmap=_COLOURS, vmin=0, vmax=1)
    lines = _contours(ax, x, y, outcome, _LINES, linewidths=1.3)
    if lines is not None:
        ax.clabel(lines, fmt="%.1f", fontsize=9, manual=_inside(ax, lines))
    return ax


def _inside(ax: Axes, lines: Any) -> list[np.ndarray]:
    """For each contour its lowest point where a label is not cut, below what is marked on the map; none if all are."""
    places = []
    for segments in lines.allsegs:
        points = np.concatenate([part for part in segments if len(part)] or [np.empty((0, 2))])
        points = points[_from_edge(ax, points) > _ROOM]
        if len(points):
            places.append(points[points[:, 1].argmin()])
    return places


def _from_edge(ax: Axes, points: Any) -> np.ndarray:
    """How far points [n, 2] are from the nearest edge of the axes, as a share of their width or height."""
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    share = (np.asarray(points) - (left, bottom)) / (right - left, top - bottom)
    return np.minimum(share, 1 - share).min(-1)


def _contours(ax: Axes, x: Any, y: Any, values: np.ndarray, colours: Mapping[Any, str], **style: Any) -> Any:
    """Contours at the levels that the values cross, in their colours; None where they cross none."""
    known = values[np.isfinite(values)]
    crossed = [level for level in colours if known.size and known.min() < level < known.max()]
    if not crossed:
        return None
    lines = ax.contour(x, y, values, crossed, colors=[colours[level] for level in crossed], **style)
    return lines if any(map(len, lines.allsegs)) else None


def _striking_pair(result: InversionMap, i: int, b: int, ax: Axes) -> None:
    """Mark an inverted pair that is close in entropy, for the lead that it had and lost."""
    face = result.sharpening
    entropy, before = (x.ravel() for x in np.meshgrid(face.rows, face.pass_rate, indexing="ij"))
    after = face.outcome[i, b].reshape(len(before), -1)
    inverted, end = inversions(before, after).inverted, after.mean(-1)
    if not inverted.any():
        return
    apart = np.abs(entropy[:, None] - entropy) + np.ptp(face.rows) / len(face.rows)
    strength = np.where(inverted, (before[:, None] - before) * (end - end[:, None]) / apart**2, -np.inf)
    ahead, behind = np.unravel_index(np.argmax(strength), strength.shape)
    tip, tail = (entropy[ahead], before[ahead]), (entropy[behind], before[behind])
    ax.annotate("", tip, tail, arrowprops={"arrowstyle": "->", "color": "white", "linewidth": 2}, zorder=4)
    for name, at in (("A", ahead), ("B", behind)):
        side = -1 if entropy[at] > face.rows.mean() else 1
        edge = {before.max(): "top", before.min(): "bottom"}.get(before[at], "center")  # inside the axes
        ax.annotate(
            f"{name}: {before[at]:.2f} → {end[at]:.2f}",
            (entropy[at], before[at]),
            xytext=(9 * side, 0),
            textcoords="offset points",
            verticalalignment=edge,
            horizontalalignment="left" if side > 0 else "right",
            fontsize=9,
            color="white",
            bbox={"boxstyle": "round,pad=0.25", "facecolor": INK, "edgecolor": "none"},
            zorder=5,
        )


def _chosen(result: InversionMap, g: int | None, budget: str) -> tuple[int, int]:
    sizes = result.group_sizes
    g = sorted(sizes)[len(sizes) // 2] if g is None else g
    if g not in sizes:
        raise ValueError(f"g must be one of the map's group sizes {sizes}, got {g}. Simulate it with group_sizes=.")
    if budget not in ("steps", "rollouts"):
        raise ValueError(f"budget must be 'steps' or 'rollouts', got {budget!r}.")
    return sizes.index(g), ("steps", "rollouts").index(budget)
