"""The map's claims under other settings and pass rates, and predicted budgets of turning orders against simulated ones.

python -m experiments.settings                   # draws docs/estimators.png of the evidence
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.special import logit

from rlsignal import GRPO, Beta, Fixed, Mixture, estimators
from rlsignal.inference.ranking import inversions, paired_estimate
from rlsignal.sim import Recipe, Runner, alike, cross, flow, inversion_map, leap, prompts_pass_rates, sweep
from rlsignal.sim.checkpoints import draw_pass_rates, evenly_shaped
from rlsignal.sim.inversion import Build, Train, collision_of
from rlsignal.sim.starts import WITHIN, beta_log_odds, most_inside, shaped_logits
from rlsignal.theory import reachable_pass_rate
from rlsignal.theory.distributions import PassRate
from rlsignal.theory.flip import budget_to_flip

BASE = Recipe(prompts=128)

SETTINGS: dict[str, tuple[Recipe, dict[str, Any]]] = {
    "GRPO, g = 8, 400 steps": (BASE, {}),
    "RLOO": (BASE, {"estimator": estimators.RLOO}),
    "Dr. GRPO": (BASE, {"estimator": estimators.DR_GRPO}),
    "MaxRL": (BASE, {"estimator": estimators.MAXRL}),
    "GRPO of NeMo-RL": (BASE, {"estimator": estimators.GRPO_NEMO}),
    "pass@4 training": (BASE, {"estimator": estimators.pass_at_k_training(4)}),
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

AXES: dict[str, tuple[Recipe, dict[str, Any]]] = {
    "rollouts at temperature 0.7": (BASE, {"temperature": 0.7}),
    "rollouts at temperature 1.3": (BASE, {"temperature": 1.3}),
    "KL to the start, 0.1": (BASE, {"kl": 0.1}),
    "KL to the start, 1": (BASE, {"kl": 1.0}),
    "dynamic sampling, sampled": (replace(BASE, dynamic_sampling=True), {}),
    "Adam at rate 0.02, sampled": (replace(BASE, optimizer=optax.adam), {"learning_rate": 0.02}),
}

POPULATIONS: dict[str, PassRate] = {
    "One-Shot RLVR, first visit": Mixture([Fixed(0.0), Beta(0.375, 0.450)], [0.111, 0.889]),
    "One-Shot RLVR, sixth visit": Mixture([Fixed(1.0), Beta(0.350, 0.514)], [0.026, 0.974]),
    "CRUXEval input, CodeLlama 7B": Mixture([Fixed(0.0), Fixed(1.0), Beta(0.416, 0.409)], [0.469, 0.239, 0.292]),
    "AMC 2023, Llama 3B in RL": Beta(0.142, 0.306),
    "tau-bench airline, GPT-4o": Beta(0.428, 0.400),
    "GSM8K, Llama 8B base": Beta(0.120, 0.083),
}
"""Fitted to the counts of public evaluations by maximum likelihood: shares at 0 and at 1, and a Beta between; a share
whose best value is below 0.001 is left out."""

SIDE_BY_SIDE = (GRPO, estimators.DR_GRPO, estimators.RLOO, estimators.MAXRL, estimators.GRPO_NEMO)
RATES, ENTROPIES = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6), (0.1, 0.2, 0.4, 0.7, 1.1, 1.6, 2.2)


def under_settings(
    settings: dict[str, tuple[Recipe, dict[str, Any]]] = SETTINGS, *, runner: Runner | None = None
) -> dict[str, Any]:
    """For each setting: inverted share, the law's error, what the controls move; 4 draws."""
    rows = []
    for name, (recipe, options) in settings.items():
        g = options.get("group_sizes", (8,))[0]
        options = {"group_sizes": (g,), "rollouts": g * recipe.steps, **options}
        found = inversion_map(recipe, **options, draws=4, sampled=False, runner=_within(runner, name))
        effects = {control.name: control.effect.summary for control in found.controls}
        rows.append(
            {
                "setting": name,
                "inverted": float(found.inverted_share[0, 0]),
                "law_error": None if np.isnan(found.law_error).any() else float(found.law_error[0, 0]),
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
class FromRates:
    """The experiment that follows one start by the mean field: pass@1 before and after, and each prompt's collision."""

    recipe: Recipe

    def __call__(self, key: jax.Array, log_odds: jax.Array, share: jax.Array, setting: Any) -> Any:
        p = jax.nn.sigmoid(log_odds).mean()
        logits = shaped_logits(key, self.recipe, log_odds, share * most_inside(p, self.recipe))
        return leap(logits, self.recipe, setting)[1].pass_at_1, collision_of(logits, self.recipe.correct)


def under_populations(draws: int = 8, *, seed: int = 0, runner: Runner | None = None) -> dict[str, Any]:
    """Starts whose pass rates are as in real evaluations: their ends, by the law too, and what moves them."""
    recipe, rows, keys = Recipe(), [], jax.random.split(jax.random.key(seed), draws)
    beta = jax.jit(jax.vmap(beta_log_odds, (0, None, 0, 0)), static_argnums=1)
    for i, (name, rates) in enumerate(POPULATIONS.items()):
        p = draw_pass_rates(rates, np.random.default_rng([seed, i]), draws, recipe.prompts, name)
        x = logit(np.clip(p, 1e-12, 1 - 1e-7))
        at_mean = np.broadcast_to(logit(p.mean(1, keepdims=True)), p.shape)
        rho = p.var(1) / (p.mean(1) * (1 - p.mean(1)))
        shaped = np.asarray(beta(keys, recipe, jnp.asarray(p.mean(1), jnp.float32), jnp.asarray(rho, jnp.float32)))
        odds = np.stack([x, x, x, at_mean, shaped]).astype(np.float32)
        shares = np.array([WITHIN, 0.02, 0.98, WITHIN, WITHIN], np.float32)
        setting = alike(recipe.setting(), 5 * draws)
        cells = keys[np.tile(np.arange(draws), 5)], odds.reshape(-1, recipe.prompts), np.repeat(shares, draws), setting
        found = sweep(FromRates(recipe), cells, label=f"pass rates: {name}", runner=runner)
        before, after = np.moveaxis(found[0].reshape(5, draws, 2).astype(np.float64), -1, 0)
        collision = np.clip(found[1][:draws].astype(np.float64), 0, 2)
        critical = reachable_pass_rate(recipe.group_size, GRPO, budget=recipe.steps, collision=collision)
        moved = {"entropy": after[2] - after[1], "dispersion": after[0] - after[3], "shape": after[0] - after[4]}
        rows.append(
            {
                "population": name,
                "before": before[0].tolist(),
                "after": after[0].tolist(),
                "law": float((p > critical).mean()),
                "dispersion": float(rho.mean()),
                "effects": {what: paired_estimate(change).summary for what, change in moved.items()},
            }
        )
    turned = inversions(np.array([np.mean(row["before"]) for row in rows]), np.array([row["after"] for row in rows]))
    return {"prompts": recipe.prompts, "draws": draws, "rows": rows, "turned": int(turned.inverted.sum())}


def side_by_side(draws: int = 4, *, seed: int = 0, runner: Runner | None = None) -> dict[str, Any]:
    """The map's first face under five estimators at equal rollouts: outcomes [entropies, rates], and pairs inverted."""
    entropies, rates = (np.ravel(x).astype(np.float32) for x in np.meshgrid(ENTROPIES, RATES, indexing="ij"))
    keys = jax.random.split(jax.random.key(seed), draws)
    starts = sweep(Build(BASE, "sharpened"), cross(keys, rates, entropies), label="side by side: starts", runner=runner)
    faces = []
    for estimator in SIDE_BY_SIDE:
        setting = alike(BASE.setting(estimator), len(rates))
        keyed, settings = cross(keys, setting)
        label = f"side by side: {estimator.name}"
        found = sweep(Train(BASE, "mean field"), (keyed, starts.logits, settings), label=label, runner=runner)
        after = found.pass_at_1[:, -1].reshape(len(rates), draws).astype(np.float64)
        shape = len(ENTROPIES), len(RATES)
        faces.append(
            {
                "estimator": estimator.name,
                "inverted": inversions(rates, after).share,
                "outcome": np.nan_to_num(after.mean(1), nan=-1.0).reshape(shape).tolist(),
            }
        )
    return {"group_size": BASE.group_size, "steps": BASE.steps, "faces": faces}


def draw(found: dict[str, Any], path: Path) -> None:
    """The picture of docs/settings.md: the same starts under five estimators."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 3, figsize=(9.6, 6.2), sharex=True, sharey=True, layout="constrained")
    *panels, last = axes.flat
    colours = "#00204d", "#b07d00", "#d62728", "#2a9d8f", "#777777"
    for ax, face, colour in zip(panels, found["faces"], colours, strict=True):
        outcome = np.where(np.array(face["outcome"]) < 0, np.nan, face["outcome"]).T
        ax.set_facecolor("#dddddd")
        filled = ax.contourf(ENTROPIES, RATES, outcome, np.linspace(0, 1, 11), cmap="cividis")
        lines = ax.contour(
            ENTROPIES, RATES, outcome, (0.3, 0.5, 0.7, 0.9), colors=("white", "white", "#222222", "#222222")
        )
        ax.clabel(lines, fmt="%.1f", fontsize=9)
        ax.set_title(f"{face['estimator']}: {face['inverted']:.0%} inverted", fontsize=11)
        last.contour(ENTROPIES, RATES, outcome, (0.5, 0.9), colors=[colour])
        last.plot([], color=colour, label=face["estimator"])
    last.set_title("where each ends at 0.5 and at 0.9", fontsize=11)
    last.legend(fontsize=9, frameon=False, loc="upper right")
    figure.colorbar(filled, ax=axes, label=f"pass@1 after {found['steps']} steps")
    figure.supxlabel("response entropy of the start (nats)")
    figure.supylabel("pass@1 of the start")
    figure.savefig(path, dpi=80)


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
    generator = np.random.default_rng(seed)
    chosen: list[tuple[tuple[float, float], tuple[float, float]]] = []
    while len(chosen) < pairs:
        (m, r), (n, s) = generator.uniform((0.1, 0.2), (0.6, 0.9), (2, 2))
        if abs(m - n) > 0.02 and budget_to_flip(Beta(m, r), Beta(n, s), 8, GRPO, collision=1.2) < 150:
            chosen.append(((m, r), (n, s)))
    mean, rho = (jnp.asarray(np.array(chosen)[:, :, i].ravel(), jnp.float32) for i in (0, 1))
    setting = alike(recipe.setting(learning_rate=rate), 2 * pairs)
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


if __name__ == "__main__":
    docs = Path(__file__).resolve().parent.parent / "docs"
    made = json.loads((docs / "evidence" / "axes.json").read_text(encoding="utf-8"))
    draw(made["side_by_side"], docs / "estimators.png")
