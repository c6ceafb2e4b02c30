"""Pictures of an SFT depth ladder: what each checkpoint is worth before RL and after."""

from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rlsignal.plots.style import DARK, GREY, OCHRE, on_axes
from rlsignal.results import Ladder

_BEFORE, _AFTER, _TOO = OCHRE, DARK, GREY


def plot_ladder(result: Ladder, *, rate: float | None = None, ax: Axes | None = None) -> Axes:
    """Pass rates on fresh prompts over SFT depth, before RL (dashed) and after it (solid); bars are standard errors.

    Parameters
    ----------
    result : a Ladder.
    rate : RL learning rate of what is shown as after; default the best one of each checkpoint.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Raises
    ------
    ValueError : a rate that the ladder does not have.

    Examples
    --------
    >>> from rlsignal.plots import plot_ladder
    >>> from rlsignal.sim import GRPORecipe, LadderTask, Network, SFTRecipe, Teacher, depth_ladder
    >>> policy = Network(widths=(16,), choices=4)
    >>> task = LadderTask("small", Teacher(Network(widths=(8,), choices=4), demonstrations=32, prompts=32), 0.3)
    >>> sft, grpo = SFTRecipe(policy, depths=(0, 10)), GRPORecipe(policy, batch=16, steps=20, record_every=10)
    >>> result = depth_ladder(task, sft, grpo, seeds=2)
    >>> plot_ladder(result).get_xlabel()
    'SFT depth (steps)'
    """
    alone = ax is None
    ax = on_axes(ax, height=4.8)
    peak, final = (result.reading(outcome, rate).after for outcome in Ladder.outcomes[:2])
    x, optimum = np.arange(len(result.depths)), result.reading(rate=rate).optimum
    _mean(ax, x, peak, "o-", _AFTER, f"after RL: peak pass@{result.k}")
    _mean(ax, x, result.fresh.pass_at_k[:, :, 0, 0], "o--", _AFTER, f"before: pass@{result.k}", faint=True)
    _mean(ax, x, final, "s-", _BEFORE, "after RL: pass@1")
    _mean(ax, x, result.fresh.pass_at_1[:, :, 0, 0], "s--", _BEFORE, "before: pass@1", faint=True)
    ax.axvline(optimum, color=_TOO, linestyle=":", linewidth=1.5)
    ax.text(
        optimum,
        0.02,
        "best checkpoint ",
        transform=ax.get_xaxis_transform(),
        va="bottom",
        ha="right" if optimum else "left",
        fontsize=9,
        color=_TOO,
    )
    ax.set_xticks(x, [str(depth) for depth in result.depths])
    ax.set_ylim(0, 1)
    ax.set_xlabel("SFT depth (steps)")
    ax.set_ylabel("pass rate on fresh prompts")
    ax.set_title(f"{result.name}, {result.seeds} seeds", fontsize=11, parse_math=False)
    ax.grid(alpha=0.3)
    if alone:
        ax.legend(fontsize=8, frameon=False)
    return ax


def plot_signal(result: Ladder, *, ax: Axes | None = None) -> Axes:
    """What a checkpoint brings to RL, on the prompts that RL trains on: informative groups, dispersion, nats per token.

    Parameters
    ----------
    result : a Ladder.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal.plots import plot_signal
    >>> from rlsignal.sim import GRPORecipe, LadderTask, Network, SFTRecipe, Teacher, depth_ladder
    >>> policy = Network(widths=(16,), choices=4)
    >>> task = LadderTask("small", Teacher(Network(widths=(8,), choices=4), demonstrations=32, prompts=32), 0.3)
    >>> sft, grpo = SFTRecipe(policy, depths=(0, 10)), GRPORecipe(policy, batch=16, steps=20, record_every=10)
    >>> result = depth_ladder(task, sft, grpo, seeds=2)
    >>> plot_signal(result).get_ylabel()
    'share, or nats per token'
    """
    alone = ax is None
    ax = on_axes(ax, height=4.8)
    x, train = np.arange(len(result.depths)), result.train
    _mean(ax, x, train.informative[:, :, 0, 0], "o-", _AFTER, f"informative groups of {result.group_size}")
    _mean(ax, x, train.dispersion[:, :, 0, 0], "s--", _BEFORE, "dispersion of pass rates")
    _mean(ax, x, train.token_entropy[:, :, 0, 0], "^:", _TOO, "entropy (nats per token)")
    ax.set_xticks(x, [str(depth) for depth in result.depths])
    ax.update_datalim([(0, 0)])  # from 0 upwards, and as far as a neighbour that shares the axis needs
    ax.autoscale_view()
    ax.set_xlabel("SFT depth (steps)")
    ax.set_ylabel("share, or nats per token")
    ax.grid(alpha=0.3)
    if alone:
        ax.legend(fontsize=8, frameon=False)
    return ax


def plot_ladders(*ladders: Ladder) -> Figure:
    """A column for each ladder: pass rates before and after RL (top), and what the checkpoints brought to it (bottom).

    Parameters
    ----------
    ladders : at least one Ladder.

    Returns
    -------
    Figure.

    Raises
    ------
    ValueError : no ladders.

    Examples
    --------
    >>> from rlsignal.plots import plot_ladders
    >>> from rlsignal.sim import GRPORecipe, LadderTask, Network, SFTRecipe, Teacher, depth_ladder
    >>> policy = Network(widths=(16,), choices=4)
    >>> task = LadderTask("small", Teacher(Network(widths=(8,), choices=4), demonstrations=32, prompts=32), 0.3)
    >>> sft, grpo = SFTRecipe(policy, depths=(0, 10)), GRPORecipe(policy, batch=16, steps=20, record_every=10)
    >>> result = depth_ladder(task, sft, grpo, seeds=2)
    >>> len(plot_ladders(result).axes)
    2
    """
    if not ladders:
        raise ValueError("ladders must be at least one Ladder, got none.")
    figure = Figure(figsize=(1.5 + 5.2 * len(ladders), 8.4), layout="constrained")
    axes = figure.subplots(2, len(ladders), squeeze=False, sharex="col", sharey="row")
    for column, ladder in enumerate(ladders):
        plot_ladder(ladder, ax=axes[0, column]).set_xlabel("")
        plot_signal(ladder, ax=axes[1, column])
        for ax in axes[:, column]:
            ax.label_outer()
    for row in axes:
        row[-1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize=9, frameon=False)
    title = "Longer fine-tuning raises pass@1 before RL. Where more of it makes RL end lower, the order has turned."
    figure.suptitle(fill(title, int(11 * figure.get_figwidth())), fontsize=11)
    return figure


def _mean(
    ax: Axes, x: np.ndarray, values: np.ndarray, look: str, colour: str, label: str, *, faint: bool = False
) -> None:
    """Mean over seeds [seeds, checkpoints] with standard errors."""
    error = values.std(0, ddof=1) / np.sqrt(len(values))
    ax.errorbar(
        x,
        values.mean(0),
        yerr=error,
        fmt=look,
        color=colour,
        label=label,
        capsize=2,
        alpha=0.6 if faint else 1.0,
        linewidth=1.2 if faint else 2.0,
        markersize=4 if faint else 6,
    )
