"""Entropy inside the classes at other starts than the map's control: rare successes, and many correct responses."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlsignal import GRPO
from rlsignal.inference.ranking import paired_estimate
from rlsignal.sim.inversion import Build, Odds, Train, Way
from rlsignal.sim.runner import Runner
from rlsignal.sim.sweep import alike, cross, sweep
from rlsignal.sim.tabular import Recipe
from rlsignal.theory import reachable_pass_rate

STARTS = (  # mean, dispersion, responses, correct, steps of GRPO
    (0.3, 0.7, 32, 2, 400),
    (0.3, 0.0, 32, 2, 400),
    (0.01, 0.0, 32, 2, 400),
    (0.01, 0.0, 32, 2, 40),
    (0.001, 0.0, 32, 2, 400),
    (0.05, 0.3, 32, 2, 400),
    (0.3, 0.7, 256, 64, 400),
    (0.05, 0.3, 256, 64, 400),
    (0.01, 0.0, 256, 64, 400),
)
ENDS = (0.02, 0.98)
"""Of the most entropy that there can be inside the classes: from nearly none to nearly all."""


def entropy_inside(
    starts: Sequence[tuple[float, float, int, int, int]] = STARTS,
    *,
    draws: int = 8,
    prompts: int = 128,
    ways: Sequence[Way] = ("mean field", "jumping"),
    runner: Runner | None = None,
) -> dict[str, Any]:
    """pass@1 after GRPO, g = 8, plain ascent at rate 1, from little and from much entropy at equal pass rates.

    Beside it the law: the share of prompts above p_c, at each prompt's own collision. `miss` is the control: how far
    the pass rate of any prompt differs between the two ends.
    """
    keys = jnp.stack([jax.random.split(jax.random.key(draw), 3) for draw in range(draws)], 1)
    rows = []
    for mean, dispersion, responses, correct, steps in starts:
        recipe = Recipe(prompts=prompts, responses=responses, correct=correct, group_size=8, steps=steps)
        label = f"mean {mean:g}, dispersion {dispersion:g}, {correct} of {responses}, {steps} steps: "
        most = mean * np.log(correct) + (1 - mean) * np.log(responses - correct)
        inside = np.array(ENDS, np.float32) * np.float32(most)
        columns = (np.full(draws, x, np.float32) for x in (mean, dispersion))
        odds = sweep(Odds(recipe), (keys[0], *columns), label=label + "pass rates", runner=runner)
        which = np.tile(np.arange(draws), len(inside))
        cells = keys[1][which], odds[which], np.repeat(inside, draws)
        built = sweep(Build(recipe, "shaped"), cells, label=label + "starts", runner=runner)
        setting = recipe.setting(learning_rate=1.0)
        settings = alike(setting, len(ENDS))
        training, settings = cross(keys[2], settings)
        shape = len(inside), draws, prompts
        p, collision = (x.astype(np.float64).reshape(shape) for x in (built.pass_rate, built.collision))
        critical = reachable_pass_rate(recipe.group_size, GRPO, budget=steps, collision=np.clip(collision, 0, 2))
        row = {
            "mean": mean,
            "dispersion": dispersion,
            "responses": responses,
            "correct": correct,
            "steps": steps,
            "nats": inside.tolist(),
            "miss": float(np.abs(p[-1] - p[0]).max()),
            "law": (p > critical).mean((1, 2)).tolist(),
        }
        for way in ways:
            cells = training, built.logits, settings
            found = sweep(Train(recipe, way), cells, label=label + way, runner=runner)
            after = np.asarray(found.pass_at_1, np.float64)[:, -1].reshape(len(inside), draws)
            name = "sampled" if way == "jumping" else way
            row[name] = {"after": after.mean(-1).tolist(), "effect": paired_estimate(after[-1] - after[0]).summary}
        rows.append(row)
    return {"draws": draws, "prompts": prompts, "starts": rows}
