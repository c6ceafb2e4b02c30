"""The map's claims under other settings, and predicted budgets of turning orders against simulated ones."""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlsignal import GRPO, Beta, estimators
from rlsignal.sim import Recipe, Runner, flow, inversion_map, prompts_pass_rates, sweep
from rlsignal.sim.checkpoints import evenly_shaped
from rlsignal.sim.inversion import collision_of
from rlsignal.sim.starts import beta_log_odds
from rlsignal.theory.flip import budget_to_flip

BASE = Recipe(prompts=128)

SETTINGS: dict[str, tuple[Recipe, dict[str, Any]]] = {
    "GRPO, g = 8, 400 steps": (BASE, {}),
    "RLOO": (BASE, {"estimator": estimators.RLOO}),
    "Dr. GRPO": (BASE, {"estimator": estimators.DR_GRPO}),
    "MaxRL": (BASE, {"estimator": estimators.MAXRL}),
    "GRPO of NeMo-RL": (BASE, {"estimator": estimators.GRPO_NEMO}),
    "g = 2": (BASE, {"group_sizes": (2,)}),
    "g = 64": (BASE, {"group_sizes": (64,)}),
    "learning rate 0.1": (BASE, {"learning_rate": 0.1}),
    "learning rate 5": (BASE, {"learning_rate": 5.0}),
    "100 steps": (replace(BASE, steps=100), {}),
    "3200 steps": (replace(BASE, steps=3200), {}),
    "1 of 32 correct": (replace(BASE, correct=1), {}),
    "8 of 32 correct": (replace(BASE, correct=8), {}),
    "64 of 256 correct": (replace(BASE, responses=256, correct=64), {}),
}


def under_settings(*, runner: Runner | None = None) -> dict[str, Any]:
    """For each setting: inverted share, the law's error, what the controls move; 4 draws."""
    rows = []
    for name, (recipe, options) in SETTINGS.items():
        g = options.get("group_sizes", (8,))[0]
        options = {"group_sizes": (g,), "rollouts": g * recipe.steps, **options}
        found = inversion_map(recipe, **options, draws=4, sampled=False, runner=_within(runner, name))
        effects = {control.name: control.effect.summary for control in found.controls}
        rows.append(
            {
                "setting": name,
                "inverted": float(found.inverted_share[0, 0]),
                "law_error": float(found.law_error[0, 0]),
                "explained": list(found.explained),
                "missing": found.sharpening.missing,
                "effects": {x: effects[x] for x in ("entropy", "dispersion", "reach")},
            }
        )
    return {"prompts": BASE.prompts, "draws": 4, "rows": rows}


def _within(runner: Runner | None, name: str) -> Runner | None:
    """The runner with the blocks of one map among many kept apart."""
    if runner is None or runner.store is None:
        return runner
    store = runner.store
    return replace(runner, store=lambda label, recipe: store(f"{name}: {label}", recipe))


@dataclass(frozen=True)
class Followed:
    """The experiment that follows one Beta start: pass@1 at every record, and the start's mean collision."""

    recipe: Recipe

    def __call__(self, key: jax.Array, mean: jax.Array, dispersion: jax.Array, setting: Any) -> Any:
        of_rates, of_shapes = jax.random.split(key)
        logits = evenly_shaped(of_shapes, self.recipe, beta_log_odds(of_rates, self.recipe, mean, dispersion))
        curve = flow(logits, self.recipe, setting, measure=lambda *of: prompts_pass_rates(*of).mean())[1]
        return curve, collision_of(logits, self.recipe.correct).mean()


def flips(pairs: int = 60, *, seed: int = 0, runner: Runner | None = None) -> dict[str, Any]:
    """Pairs of Beta starts whose order turns within a budget of 150: when, predicted and simulated; to 0.4."""
    recipe, rate = Recipe(prompts=256, steps=1000, record_every=2), 0.2
    resolution = rate * recipe.interval
    generator, chosen = np.random.default_rng(seed), []
    while len(chosen) < pairs:
        (m, r), (n, s) = generator.uniform((0.1, 0.2), (0.6, 0.9), (2, 2))
        if abs(m - n) > 0.02 and budget_to_flip(Beta(m, r), Beta(n, s), 8, GRPO, collision=1.2) < 150:
            chosen.append(((m, r), (n, s)))
    mean, rho = (jnp.asarray(np.array(chosen)[:, :, i].ravel(), jnp.float32) for i in (0, 1))
    setting = jax.tree.map(lambda x: np.broadcast_to(x, (2 * pairs, *x.shape)), recipe.setting(learning_rate=rate))
    keys = jax.random.split(jax.random.key(seed), pairs)[np.repeat(np.arange(pairs), 2)]  # a pair shares its draw
    found = sweep(Followed(recipe), (keys, np.asarray(mean), np.asarray(rho), setting), label="flips", runner=runner)
    curves, collision = found[0].reshape(pairs, 2, -1), found[1].reshape(pairs, 2)
    rows = []
    for (first, second), (a, b), kappa in zip(chosen, curves, collision, strict=True):
        predicted = budget_to_flip(Beta(*first), Beta(*second), 8, GRPO, collision=float(kappa.mean()))
        turned = np.nonzero(np.sign(a - b) == -np.sign(a[0] - b[0]))[0]
        simulated = float(turned[0]) * resolution if len(turned) else np.inf
        rows.append({"predicted": predicted, "simulated": simulated})
    return {"group_size": 8, "resolution": resolution, "rows": rows}
