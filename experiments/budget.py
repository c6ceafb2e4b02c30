"""Where a budget of rollouts ends, by group size: simulated GRPO and RLOO beside the chain of docs/theory.md (F8).

python -m experiments.evidence budget            # simulates
python -m experiments.budget                     # draws docs/budget.png of it
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from scipy.special import betaincinv

from rlsignal.sim.runner import Runner
from rlsignal.sim.starts import from_pass_rates
from rlsignal.sim.sweep import sweep
from rlsignal.sim.tabular import Recipe, Setting, measure_tabular, sampled_gradient
from rlsignal.theory.budget import group_size_for_budget, pass_rate_after
from rlsignal.theory.distributions import Beta, Fixed
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO, MAXRL, RLOO

BUDGETS = (16, 64, 256, 1024, 4096)
"""Rollouts of each prompt in the whole run."""

SIZES = (2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Task:
    """The policies that are trained, an experiment for `sweep`: pass@1 at each record of a run.

    Logits are those of the start plus features @ weights, and the weights are trained. With no features each prompt
    has weights of its own; with few of them prompts share theirs, and a step on one moves all.
    """

    name: str
    recipe: Recipe
    within_entropy: float
    features: int = 0

    def __call__(self, key: Array, logits: Array, setting: Setting) -> Array:
        recipe, width = self.recipe, self.features or self.recipe.prompts
        shape = (recipe.prompts, width)
        features = jax.random.normal(jax.random.key(2), shape) / width**0.5 if self.features else jnp.eye(*shape)

        def step(weights: Array, t: Array) -> tuple[Array, None]:
            now = logits + features @ weights if self.features else logits + weights
            gradient, _ = sampled_gradient(jax.random.fold_in(key, t), now, recipe, setting)
            pull = features.T @ gradient if self.features else gradient
            return weights + setting.learning_rate * pull, None

        def until_next_record(weights: Array, start: Array) -> tuple[Array, Array]:
            weights, _ = lax.scan(step, weights, start + jnp.arange(recipe.interval))
            return weights, measure_tabular(logits + features @ weights, recipe).pass_at_1

        starts = jnp.arange(0, recipe.steps, recipe.interval)
        return lax.scan(until_next_record, jnp.zeros((width, recipe.responses)), starts)[1]


DISPERSIONS = (0.1, 0.3, 0.6)

TASKS = (
    (Task("two responses", Recipe(prompts=512, responses=2, correct=1), 0.0), DISPERSIONS),
    (Task("32 responses, 2 correct", Recipe(prompts=512, responses=32, correct=2), 1.5), DISPERSIONS[1:2]),
    (
        Task("32 responses, shared weights", Recipe(prompts=512, responses=32, correct=2), 1.5, features=64),
        DISPERSIONS[1:2],
    ),
)
"""Each with the dispersions of its starts."""


def under_a_budget(
    *,
    mean: float = 0.2,
    estimators: tuple[Estimator, ...] = (GRPO, RLOO),
    scaling: float = 0.5,
    step: float = 1.0,
    draws: int = 8,
    tasks: tuple[tuple[Task, tuple[float, ...]], ...] = TASKS,
    budgets: tuple[int, ...] = BUDGETS,
    sizes: tuple[int, ...] = SIZES,
    runner: Runner | None = None,
) -> dict[str, Any]:
    """pass@1 after each budget at each group size, simulated and by the chain; steps grow as (g/8)^scaling."""
    rows = []
    for task, dispersions in tasks:
        for rho in dispersions:
            p = quantiles(mean, rho, task.recipe.prompts)
            logits = from_pass_rates(jax.random.key(1), task.recipe, Fixed(p), within_entropy=task.within_entropy)
            kappa = collision(logits, task.recipe.correct)
            for estimator in estimators:
                for g in sizes:
                    rate = step * (g / 8) ** scaling
                    for rollouts, values in simulated(
                        task, rho, logits, estimator, g, rate, draws, budgets, runner
                    ).items():
                        chain = pass_rate_after(p, g, estimator, visits=rollouts // g, step=rate, collision=kappa)
                        error = float(values.std(ddof=1) / draws**0.5)
                        rows.append(
                            {
                                "task": task.name,
                                "collision": kappa,
                                "dispersion": rho,
                                "estimator": estimator.name,
                                "rollouts": rollouts,
                                "group_size": g,
                                "chain": float(np.mean(chain)),
                                "simulated": float(values.mean()),
                                "error": error,
                            }
                        )
    return {
        "mean": mean,
        "step": step,
        "scaling": scaling,
        "draws": draws,
        "best": best_sizes(rows),
        "rows": rows,
    }


def by_rule(mean: float, dispersion: float, budgets: tuple[int, ...]) -> list[dict[str, Any]]:
    """The chain's best sizes at each budget, for each way to set the learning rate and three sizes of the step."""
    rows = []
    for scaling in (0.0, 0.5, 1.0):
        for estimator in (RLOO, GRPO, MAXRL):
            for step in (0.25, 1.0, 4.0):
                options: dict[str, Any] = {"step": step, "scaling": scaling}
                best = [
                    group_size_for_budget(Beta(mean, dispersion), estimator, rollouts=n, **options).best
                    for n in budgets
                ]
                rows.append({**options, "estimator": estimator.name, "best": best})
    return rows


def quantiles(mean: float, dispersion: float, prompts: int) -> np.ndarray:
    """Pass rates [prompts] in the middle of equal shares of a Beta; what float32 cannot hold is raised to it."""
    a, b = mean * (1 - dispersion) / dispersion, (1 - mean) * (1 - dispersion) / dispersion
    return np.clip(betaincinv(a, b, (np.arange(prompts) + 0.5) / prompts), 1e-7, 1 - 1e-7)


def collision(logits: Array, correct: int) -> float:
    """kappa_C + kappa_I, mean over prompts."""
    sides = jax.nn.softmax(logits[:, :correct]), jax.nn.softmax(logits[:, correct:])
    return float(sum((side**2).sum(-1).mean() for side in sides))


def simulated(
    task: Task,
    rho: float,
    logits: Array,
    estimator: Estimator,
    g: int,
    rate: float,
    draws: int,
    budgets: tuple[int, ...],
    runner: Runner | None,
) -> dict[int, np.ndarray]:
    """pass@1 of each draw after each budget that holds a group, [draws]."""
    visits = [budget // g for budget in budgets if budget >= g]
    recipe = replace(task.recipe, group_size=g, steps=visits[-1], record_every=int(np.gcd.reduce(visits)))
    setting = recipe.setting(estimator, learning_rate=rate)
    cells = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], draws, 0), (logits, setting))
    keys = jax.random.split(jax.random.key(g), draws)
    label = f"{task.name}, dispersion {rho:g}, {estimator.name}, g = {g}"
    curves = sweep(replace(task, recipe=recipe), (keys, *cells), label=label, runner=runner)
    return {visit * g: curves[:, visit // recipe.interval - 1] for visit in visits}


def best_sizes(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each kind of run and budget the best size of the chain, the simulated one, and the sizes within two errors."""
    kinds = ("task", "estimator", "dispersion", "rollouts")
    found = []
    for kind in dict.fromkeys(tuple(row[key] for key in kinds) for row in rows):
        here = [row for row in rows if tuple(row[key] for key in kinds) == kind]
        chain, best = (max(here, key=lambda row: row[by]) for by in ("chain", "simulated"))
        alike = [
            row["group_size"]
            for row in here
            if best["simulated"] - row["simulated"] <= 2 * float(np.hypot(best["error"], row["error"]))
        ]
        sizes = {"chain": chain["group_size"], "simulated": best["group_size"], "low": min(alike), "high": max(alike)}
        found.append({**dict(zip(kinds, kind, strict=True)), **sizes})
    return found


def draw(found: dict[str, Any], path: Path) -> None:
    """The picture of docs/budget.md: pass@1 over the group size, and the best size over the budget."""
    import matplotlib.pyplot as plt

    from rlsignal.plots import plot_budget

    colours = {0.1: "#00204d", 0.3: "#b07d00", 0.6: "#8c2d04"}
    figure = plt.figure(figsize=(9.6, 10), layout="constrained")
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(2, 1))
    axes, lasts = upper.subplots(2, 3, sharex=True, sharey=True), lower.subplots(1, 2, sharey=True)
    for estimator, each, last in zip((GRPO, RLOO), axes, lasts, strict=True):
        of = [row for row in found["rows"] if row["estimator"] == estimator.name]
        for rho, ax in zip(DISPERSIONS, each, strict=True):
            data = Beta(found["mean"], rho)
            plot_budget(data, estimator, BUDGETS, step=found["step"], scaling=found["scaling"], collision=2.0, ax=ax)
            rows = [row for row in of if row["task"] == TASKS[0][0].name and row["dispersion"] == rho]
            x, y, error = ([row[key] for row in rows] for key in ("group_size", "simulated", "error"))
            ax.errorbar(x, y, yerr=2 * np.array(error), fmt="o", markersize=4, color="#555555", capsize=2)
            ax.set_title(f"{estimator.name}, dispersion {rho:g}", fontsize=11)
            keys = ax.get_legend_handles_labels()
            ax.get_legend().remove()
            ax.label_outer()
            name = TASKS[0][0].name, estimator.name, rho
            best = [row for row in found["best"] if (row["task"], row["estimator"], row["dispersion"]) == name]
            shift = 1 + 0.12 * (DISPERSIONS.index(rho) - 1)
            at = np.array([row["rollouts"] for row in best]) * shift
            chain, drawn, low, high = (
                np.array([row[key] for row in best]) for key in ("chain", "simulated", "low", "high")
            )
            last.plot(at, chain, color=colours[rho], label=f"dispersion {rho:g}")
            last.errorbar(at, drawn, yerr=[drawn - low, high - drawn], fmt="o", capsize=3, color=colours[rho])
        last.set_xscale("log", base=2)
        last.set_xticks(BUDGETS, [str(n) for n in BUDGETS])
        last.minorticks_off()
        last.set_yscale("log", base=2)
        last.set_yticks(SIZES, [str(g) for g in SIZES])
        last.set_ylim(1.6, 160)
        last.set_xlabel("rollouts of each prompt")
        last.set_ylabel("best group size")
        last.set_title(f"{estimator.name}: the best size", fontsize=11)
        last.grid(alpha=0.3)
        last.label_outer()
        last.legend(fontsize=9, frameon=False, loc="upper left")
    upper.legend(*keys, loc="outside upper center", ncols=3, fontsize=9, frameon=False)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    docs = Path(__file__).resolve().parent.parent / "docs"
    draw(json.loads((docs / "evidence" / "budget.json").read_text(encoding="utf-8")), docs / "budget.png")
