"""The boundary of inversion over a fine grid of Beta starts: simulated, and by the law P(p > p_c); with its picture."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from rlsignal import GRPO, Beta
from rlsignal.results import InversionMap
from rlsignal.sim.inversion import collision_of, inversion_map
from rlsignal.sim.runner import Runner
from rlsignal.sim.starts import WITHIN, beta_log_odds, shaped_logits
from rlsignal.sim.tabular import Recipe
from rlsignal.theory.clock import forecast
from rlsignal.theory.flip import reached_share

START = (0.2, 0.4)
"""Mean and dispersion of the start that others are compared with."""
PASS_RATES = tuple(np.linspace(0.04, 0.6, 15).round(3))
DISPERSIONS = tuple(np.linspace(0, 0.95, 14).round(3))


def boundary(
    recipe: Recipe | None = None, *, draws: int = 4, runner: Runner | None = None, picture: Path | None = None
) -> dict[str, Any]:
    """The law's error at both budgets of a map, and how often it is wrong of a pair; JSON-ready.

    `picture` is where to draw the starts that look better than `START` and end lower.
    """
    recipe = recipe or Recipe()
    found = inversion_map(
        recipe,
        group_sizes=(recipe.group_size,),
        rollouts=recipe.steps,  # an eighth of the steps, at 8 rollouts
        pass_rates=PASS_RATES,
        dispersions=DISPERSIONS,
        entropies=(0.4, 0.7),
        draws=draws,
        sampled=False,
        runner=runner,
    )
    collision = mean_collision(recipe)
    if picture is not None:
        import matplotlib.pyplot as plt

        from rlsignal.plots import plot_boundary

        figure, ax = plt.subplots(layout="constrained")
        plot_boundary(found, START, collision=collision, ax=ax)
        figure.savefig(picture, dpi=100)
    steps = (recipe.steps, recipe.steps // recipe.group_size)
    budgets = [{"steps": n, **law_error(found, b, n, collision)} for b, n in enumerate(steps)]
    sizes = {"group_size": recipe.group_size, "draws": draws, "prompts": recipe.prompts}
    return {
        "start": START,
        "starts": len(PASS_RATES) * len(DISPERSIONS),
        **sizes,
        "collision": collision,
        "budgets": budgets,
    }


def law_error(found: InversionMap, budget: int, steps: int, collision: float) -> dict[str, Any]:
    """Of the law against the mean field: rms and largest over starts, and pairs whose order of ends it gets wrong."""
    face, g = found.dispersion, found.group_sizes[0]
    after = face.outcome[0, budget].mean(-1)
    law = np.array(
        [
            [reached_share(Beta(m, d), g, GRPO, budget=steps, collision=collision) for m in face.pass_rate]
            for d in face.rows
        ]
    )
    flow = [forecast(Beta(face.pass_rate, d), g, GRPO, budget=steps, collision=collision) for d in face.rows]
    before = np.broadcast_to(face.pass_rate, after.shape).ravel()
    pairs = np.nonzero(before[:, None] > before)
    by_run, by_law = (values.ravel()[pairs[0]] - values.ravel()[pairs[1]] for values in (after, law))
    sure = np.abs(by_run) > found.least
    turned = (by_run < 0) & sure
    return {
        "rms": float(np.sqrt(np.nanmean((law - after) ** 2))),
        "largest": float(np.nanmax(np.abs(law - after))),
        "forecast": float(np.sqrt(np.nanmean((np.array(flow) - after) ** 2))),
        "pairs": int(sure.sum()),
        "inverted": int(turned.sum()),
        "wrong": int((sure & ((by_law < 0) != (by_run < 0))).sum()),
    }


def mean_collision(recipe: Recipe) -> float:
    """kappa_C + kappa_I, averaged over the prompts of some starts of the face."""
    key, within = jax.random.key(0), WITHIN * np.log(recipe.responses - recipe.correct)
    starts = [
        shaped_logits(key, recipe, beta_log_odds(key, recipe, mean, rho), within)
        for mean in (0.1, 0.3, 0.5)
        for rho in (0.3, 0.7)
    ]
    return float(np.mean([collision_of(start, recipe.correct) for start in starts]))
