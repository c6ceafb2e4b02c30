"""What pictures share: looks of lines, names of other people as labels, axes."""

from collections.abc import Iterable, Sequence
from itertools import cycle
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.legend import Legend

from rlsignal._show import visible
from rlsignal.theory.estimators import Estimator

DARK, OCHRE, GREY, RED, BLUE = "#00204d", "#b07d00", "#777777", "#8c2d04", "#31688e"
INK = "#222222"
LOOKS = ((DARK, "-"), (OCHRE, "--"), (GREY, ":"), (RED, "-."), (BLUE, (0, (6, 1))))

_ESTIMATORS = {"RLOO": 1, "DR_GRPO": 2, "GRPO": 0, "MAXRL": 3}
"""One look for an estimator in every picture; others take the one that is left, or the next."""


def looks_of(estimators: Sequence[Estimator]) -> list[tuple[str, Any]]:
    """Colour and line of each: its own in every picture where it has one, else one that no other here has."""
    own = [_ESTIMATORS.get(estimator.name) for estimator in estimators]
    some("estimators", estimators)
    free = cycle([i for i in range(len(LOOKS)) if i not in own] or range(len(LOOKS)))
    return [LOOKS[next(free) if i is None else i] for i in own]


def some(name: str, what: Iterable[Any], *, most: int = len(LOOKS)) -> list[Any]:
    """What is drawn, a line each: at least one, and no more than there are looks."""
    drawn = list(what)
    if not 1 <= len(drawn) <= most:
        way_out = "Give one." if not drawn else "Draw the others on axes of their own."
        raise ValueError(f"{name} must be 1 to {most} in number, got {len(drawn) or 'none'}. {way_out}")
    return drawn


def short(name: Any) -> str:
    """A name that leaves room for the axes."""
    label = visible(str(name))
    return label if len(label) <= 40 else f"{label[:19]}…{label[-20:]}"


def in_legend(name: Any, columns: int) -> str:
    """A name in the legend, which leaves out those that are empty or begin with _."""
    label = fill(short(name), columns)
    return label if label and label[0] != "_" else f" {label}"


def on_axes(ax: Axes | None, height: float = 4.0) -> Axes:
    """These, or those of a new figure, of this height in inches."""
    return ax if ax is not None else plt.subplots(figsize=(6.4, height), layout="constrained")[1]


def over_group_sizes(ax: Axes, sizes: Iterable[int]) -> None:
    """The axis of group sizes: logarithmic, with these marked."""
    ticks = sorted({int(g) for g in sizes})
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [str(g) for g in ticks])
    ax.minorticks_off()
    ax.set_xlabel("group size (rollouts)")


def finished(ax: Axes, **legend: Any) -> Axes:
    """With a grid and a legend."""
    ax.grid(alpha=0.3)
    as_names(ax.legend(fontsize=9, frameon=False, **legend))
    return ax


def as_names(legend: Legend) -> None:
    """No name is a formula."""
    for text in legend.get_texts():
        text.set_parse_math(False)
