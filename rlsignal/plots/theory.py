"""Pictures of the theory: signal, degenerate groups, weights, objectives, entropy, budgets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from rlsignal.plots.style import DARK, LOOKS, OCHRE, finished, in_legend, looks_of, on_axes, over_group_sizes, some
from rlsignal.theory.budget import group_size_for_budget
from rlsignal.theory.distributions import Beta, Mixture, PassRate
from rlsignal.theory.entropy import pass_rate_cap
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO, MAXRL, RLOO
from rlsignal.theory.signal import advantage_variance, degenerate_probability

_P = np.linspace(0, 1, 201)


def plot_variance(group_sizes: Sequence[int] = (2, 8, 64), *, top: float | None = None, ax: Axes | None = None) -> Axes:
    """Expected variance of the rewards inside a group over the pass rate, one line for each group size.

    Parameters
    ----------
    group_sizes : at most five.
    top : of the axis; give one where pictures are to be compared.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal.plots import plot_variance
    >>> plot_variance((2, 8)).get_xlabel()
    'pass rate p'
    """
    ax = on_axes(ax)
    for g, (colour, style) in zip(some("group_sizes", group_sizes), LOOKS, strict=False):
        ax.plot(_P, np.asarray(advantage_variance(_P, g)), linestyle=style, color=colour, label=f"g = {g}")
    ax.set_xlabel("pass rate p")
    ax.set_ylabel("E[variance inside a group]")
    ax.set_ylim(0, top)
    return finished(ax)


def plot_degenerate_groups(
    populations: Mapping[str, PassRate | float],
    group_sizes: Sequence[int] = (2, 4, 8, 16, 32, 64),
    *,
    ax: Axes | None = None,
) -> Axes:
    """Share of groups without a signal over the group size, one line for each population.

    Parameters
    ----------
    populations : name -> a pass rate or a distribution; at most five.
    group_sizes : where to look.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal import Beta
    >>> from rlsignal.plots import plot_degenerate_groups
    >>> plot_degenerate_groups({"one prompt": 0.3, "a data set": Beta(0.3, 0.5)}).get_ylabel()
    'share of degenerate groups'
    """
    ax = on_axes(ax)
    some("group_sizes", group_sizes, most=100)
    for (name, population), (colour, style) in zip(some("populations", populations.items()), LOOKS, strict=False):
        degenerate = [np.mean(degenerate_probability(population, g)) for g in group_sizes]
        ax.plot(group_sizes, degenerate, marker="o", linestyle=style, color=colour, label=in_legend(name, 24))
    over_group_sizes(ax, group_sizes)
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("share of degenerate groups")
    return finished(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def plot_weights(
    g: int = 8,
    estimators: Sequence[Estimator] = (RLOO, GRPO, MAXRL),
    *,
    top: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Weight that an estimator gives a prompt over its pass rate: the update is w_g(p) grad p.

    Parameters
    ----------
    g : group size.
    estimators : at most five.
    top : of the axis; give one where pictures are to be compared.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal import DR_GRPO, GRPO
    >>> from rlsignal.plots import plot_weights
    >>> plot_weights(8, (GRPO, DR_GRPO)).get_ylabel()
    'weight of grad p'
    """
    ax = on_axes(ax)
    for estimator, (colour, style) in zip(estimators, looks_of(estimators), strict=True):
        ax.plot(_P, estimator.weight(_P, g), linestyle=style, color=colour, label=in_legend(estimator.name, 40))
    ax.set_ylim(0, top)
    ax.set_xlabel("pass rate p")
    ax.set_ylabel("weight of grad p")
    ax.set_title(f"g = {g}", fontsize=11)
    return finished(ax)


def plot_objectives(
    g: int = 8, estimators: Sequence[Estimator] = (RLOO, GRPO, MAXRL), *, ax: Axes | None = None
) -> Axes:
    """Effective objective h_g(p) of each estimator, as a share of its value at p = 1: what it really optimises.

    Parameters, returns: as `plot_weights`.

    Examples
    --------
    >>> from rlsignal.plots import plot_objectives
    >>> plot_objectives(8).get_ylabel()
    'h(p) / h(1)'
    """
    ax = on_axes(ax)
    for estimator, (colour, style) in zip(estimators, looks_of(estimators), strict=True):
        height = np.asarray(estimator.objective(_P, g))
        ax.plot(_P, height / height[-1], linestyle=style, color=colour, label=in_legend(estimator.name, 40))
    ax.set_xlabel("pass rate p")
    ax.set_ylabel("h(p) / h(1)")
    ax.set_title(f"g = {g}", fontsize=11)
    return finished(ax)


def plot_population(*populations: Beta | Mixture, samples: int = 20, ax: Axes | None = None) -> Axes:
    """How prompts differ: the share of them with each number of correct samples; the ends are never and always.

    Parameters
    ----------
    populations : a Beta or Mixture each; at most five.
    samples : of each prompt.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal import Beta
    >>> from rlsignal.plots import plot_population
    >>> plot_population(Beta(0.3, 0.1), Beta(0.3, 0.7)).get_ylabel()
    'share of prompts'
    """
    ax = on_axes(ax)
    correct = np.arange(samples + 1)
    for population, (colour, style) in zip(some("populations", populations), LOOKS, strict=False):
        label = f"mean {population.mean:.3g}, dispersion {population.dispersion:.3g}"
        pmf = population.pmf(samples)
        ax.plot(correct, pmf, linestyle=style, color=colour, label=label)
        ax.plot([0, samples], pmf[[0, -1]], "o", color=colour)
    ax.set_ylim(0)
    ax.set_xticks(range(0, samples + 1, max(1, samples // 5)))
    ax.set_xlabel(f"correct of {samples} samples (0: never, {samples}: always solved)")
    ax.set_ylabel("share of prompts")
    return finished(ax)


def plot_entropy_cap(*, ax: Axes | None = None) -> Axes:
    """What response entropy allows: the pass rates that are possible at each entropy lie outside of the shaded band.

    Parameters
    ----------
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal.plots import plot_entropy_cap
    >>> plot_entropy_cap().get_xlabel()
    'response entropy (nats)'
    """
    ax = on_axes(ax)
    entropy = np.linspace(0, np.log(2), 201)
    low = np.asarray(pass_rate_cap(entropy))
    ax.fill_between(entropy, low, 1 - low, color=DARK, alpha=0.25, label="impossible")
    ax.axvline(np.log(2), color=OCHRE, linestyle="--", label="ln 2: from here on anything is possible")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    ax.set_xlabel("response entropy (nats)")
    ax.set_ylabel("pass rate p")
    return finished(ax, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)


def plot_budget(
    p: PassRate | float,
    estimator: Estimator = GRPO,
    budgets: Sequence[int] = (16, 64, 256, 1024, 4096),
    *,
    step: float = 1.0,
    scaling: float = 0.5,
    collision: float = 1.0,
    ax: Axes | None = None,
) -> Axes:
    """pass@1 after a budget over the group size, a line for each number of rollouts of a prompt; a star at its best.

    Parameters
    ----------
    p : a pass rate or a distribution.
    estimator, step, scaling, collision : as for `group_size_for_budget`.
    budgets : rollouts of each prompt in the whole run; at most five.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal import GRPO, Beta
    >>> from rlsignal.plots import plot_budget
    >>> plot_budget(Beta(0.2, 0.3), GRPO, (64, 1024)).get_xlabel()
    'group size (rollouts)'
    """
    ax, ticks = on_axes(ax), {2}
    for budget, (colour, style) in zip(some("budgets", budgets), LOOKS, strict=False):
        found = group_size_for_budget(p, estimator, rollouts=budget, step=step, scaling=scaling, collision=collision)
        label = f"{budget} rollouts a prompt"
        ax.plot(found.sizes, found.pass_rates, linestyle=style, color=colour, label=label)
        ax.plot(found.best, found.pass_rates.max(), marker="*", markersize=11, color=colour)
        ticks |= set(found.sizes.tolist())
    over_group_sizes(ax, ticks)
    ax.set_ylim(0, 1.02)
    ax.set_ylabel("pass@1 after the budget")
    return finished(ax)


def plot_curves(
    steps: Any,
    curves: Mapping[str, Any],
    *,
    xlabel: str = "step",
    ylabel: str = "pass@1",
    top: float = 1.02,
    ax: Axes | None = None,
) -> Axes:
    """Training curves: values [records] are a line, [records, runs] a mean with a band of two standard errors.

    Parameters
    ----------
    steps : [records].
    curves : name -> values; at most five. Where one is not finite the line has a gap.
    xlabel, ylabel : what steps and values are.
    top : of the axis, which begins at 0; lines beyond stretch it, and then hold their bands too. Runs are one or more.
    ax : axes to draw on; default a new figure's.

    Returns
    -------
    Axes.

    Examples
    --------
    >>> from rlsignal.plots import plot_curves
    >>> plot_curves([0, 10, 20], {"flow": [0.1, 0.2, 0.3]}).get_xlabel()
    'step'
    """
    ax = on_axes(ax)
    bottom, highest = 0.0, top
    for (name, values), (colour, style) in zip(some("curves", curves.items()), LOOKS, strict=False):
        y = np.asarray(values, np.float64)
        y, error = np.where(np.isfinite(y), y, np.nan), np.zeros(len(y))
        if y.ndim == 2:
            if y.shape[-1] > 1:
                error = 2 * y.std(-1, ddof=1) / np.sqrt(y.shape[-1])
            y = y.mean(-1)
            ax.fill_between(steps, y - error, y + error, color=colour, alpha=0.2, linewidth=0)
        ax.plot(steps, y, linestyle=style, marker="o" if len(y) == 1 else "", color=colour, label=in_legend(name, 40))
        if (y < 0).any():
            bottom = np.nanmin([bottom, *(y - error)])
        if (y > top).any():
            highest = np.nanmax([highest, *(y + error)])
    ax.set_ylim(bottom, highest)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    return finished(ax)
