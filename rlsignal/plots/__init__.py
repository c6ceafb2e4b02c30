"""The only matplotlib: plot_*(result, *, ax=None) -> Axes.

One colour scale for every outcome (cividis: even in grey, and the same to all eyes); nothing is set globally, nothing
is shown, nothing is simulated here.
"""

from rlsignal.plots.diagnosis import plot_comparison, plot_degenerate
from rlsignal.plots.inversion import (
    plot_boundary,
    plot_checkpoints,
    plot_controls,
    plot_dispersion,
    plot_map,
    plot_sharpening,
)
from rlsignal.plots.ladder import plot_ladder, plot_ladders, plot_signal
from rlsignal.plots.prompts import plot_prompts, plot_simplex, plot_take_offs
from rlsignal.plots.theory import (
    plot_budget,
    plot_curves,
    plot_degenerate_groups,
    plot_entropy_cap,
    plot_objectives,
    plot_population,
    plot_variance,
    plot_weights,
)
from rlsignal.plots.track import plot_trend

__all__ = [
    "plot_boundary",
    "plot_budget",
    "plot_checkpoints",
    "plot_comparison",
    "plot_controls",
    "plot_curves",
    "plot_degenerate",
    "plot_degenerate_groups",
    "plot_dispersion",
    "plot_entropy_cap",
    "plot_ladder",
    "plot_ladders",
    "plot_map",
    "plot_objectives",
    "plot_population",
    "plot_prompts",
    "plot_sharpening",
    "plot_signal",
    "plot_simplex",
    "plot_take_offs",
    "plot_trend",
    "plot_variance",
    "plot_weights",
]
