"""The inverting ladder's checkpoints as a path on the inversion map's two faces, of a map with the ladder's sizes.

The path is read from the evidence of the ladder. The map is of tables, so it leaves out what one prompt learns from
another; its budget is a free number, for that of a network under AdamW has no counterpart in it: two are drawn.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import RegularGridInterpolator

from rlsignal.sim.inversion import inversion_map
from rlsignal.sim.runner import Runner
from rlsignal.sim.tabular import Recipe

PASS_RATES = (0.002, 0.02, 0.06, 0.1, 0.14, 0.18, 0.22)
ENTROPIES = (0.5, 1.0, 1.75, 2.5, 3.25, 4.0, 4.75, 5.5)
DISPERSIONS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8)
SHORT = 50
"""Steps of the short budget, within which the untrained policy's pass rates are out of reach."""


def ladder_path(
    ladder: dict[str, Any], recipe: Recipe | None = None, *, draws: int = 2, runner: Runner | None = None
) -> dict[str, Any]:
    """A ladder's checkpoints, from its JSON, on two faces of a map, at a long and a short budget; JSON-ready.

    By default the map has the responses of the ladder that inverts: 256, of which one is correct.
    """
    found = inversion_map(
        recipe or Recipe(prompts=128, responses=256, correct=1),
        group_sizes=(8,),
        rollouts=8 * SHORT,
        pass_rates=PASS_RATES,
        entropies=ENTROPIES,
        dispersions=DISPERSIONS,
        draws=draws,
        sampled=False,
        runner=runner,
    )
    faces = {
        face.knob: {
            "rows": face.rows.tolist(),
            "pass_rates": face.pass_rate.tolist(),
            "outcome": np.nan_to_num(face.outcome[0].mean(-1), nan=-1.0).tolist(),
            "dispersion": np.nan_to_num(face.dispersion, nan=-1.0).tolist(),
        }
        for face in (found.sharpening, found.dispersion)
    }
    sizes = {"steps": [found.steps, SHORT], "group_size": 8, "draws": draws, "prompts": found.prompts}
    return {**sizes, **faces, **placed(faces, ladder)}


def placed(faces: dict[str, Any], ladder: dict[str, Any], tokens: int = 2) -> dict[str, Any]:
    """Where the checkpoints [depths] lie, and what each face says of them at both budgets [2, depths]."""
    path = {
        "pass_at_1": ladder["fresh_pass_at_1"]["before"],
        "entropy": [tokens * x for x in ladder["token_entropy"]["before"]],
        "dispersion": ladder["dispersion"]["before"],
        "after": ladder["after"],
        "depths": ladder["depths"],
    }
    said = {}
    for name, face in faces.items():
        at = np.array(path[name]), np.array(path["pass_at_1"])
        said[name] = [read_off(face, outcome, *at).tolist() for outcome in face["outcome"]]
    face, at = faces["entropy"], (np.array(path["entropy"]), np.array(path["pass_at_1"]))
    return {"path": path, "on_map": said, "family_dispersion": read_off(face, face["dispersion"], *at).tolist()}


def read_off(face: dict[str, Any], values: Any, rows: np.ndarray, pass_rates: np.ndarray) -> np.ndarray:
    """Values on a face's grid at these points between; at its edge for those beyond, NaN where no start exists."""
    values = np.where(np.array(values) < 0, np.nan, values)
    grid = np.array(face["rows"]), np.array(face["pass_rates"])
    inside = [np.clip(x, axis[0], axis[-1]) for x, axis in zip((rows, pass_rates), grid, strict=True)]
    return RegularGridInterpolator(grid, values)(np.stack(inside, -1))


def draw(found: dict[str, Any], path: Path) -> None:
    """The picture of docs/ladder.md: the path on both faces, and both orders beside them."""
    import matplotlib.pyplot as plt

    at = found["path"]
    depths = at["depths"]
    figure = plt.figure(figsize=(9.6, 8.4), layout="constrained")
    (upper,), (lower,) = figure.subfigures(2, 1, squeeze=False)
    axes, last = upper.subplots(1, 2, sharey=True), lower.subplots()
    planes = (("entropy", "response entropy (nats)"), ("dispersion", "dispersion"))
    for ax, (name, label) in zip(axes, planes, strict=True):
        face = found[name]
        outcome = np.where(np.array(face["outcome"][1]) < 0, np.nan, face["outcome"][1]).T
        ax.set_facecolor("#dddddd")
        filled = ax.contourf(face["rows"], face["pass_rates"], outcome, np.linspace(0, 1, 11), cmap="cividis")
        ax.plot(at[name], at["pass_at_1"], "o-", color="white", markeredgecolor="#222222", linewidth=2, clip_on=False)
        for i, (depth, x, y) in enumerate(zip(depths, at[name], at["pass_at_1"], strict=True)):
            ax.annotate(
                str(depth),
                (x, y),
                xytext=(0, -16 if i % 2 else 8),  # deep checkpoints lie close together
                textcoords="offset points",
                ha="center",
                fontsize=9,
                color="white",
                bbox={"boxstyle": "round,pad=0.2", "facecolor": "#222222", "edgecolor": "none"},
            )
        ax.set_xlabel(f"{label} before RL")
        ax.set_ylabel("pass@1 before RL")
        ax.label_outer()
        ax.set_title(f"the path on (pass@1, {name})", fontsize=11)
    upper.colorbar(filled, ax=axes.tolist(), label=f"pass@1 after {SHORT} steps, in the map")
    for name, _ in planes:
        for steps, values, line in zip(found["steps"], found["on_map"][name], (":", "--"), strict=True):
            colour = "#b07d00" if name == "entropy" else "#3b5b92"
            last.plot(values, line, marker="s", markersize=4, color=colour, label=f"map over {name}, {steps} steps")
    last.plot(at["after"], "o-", color="#222222", label="the ladder: fresh peak pass@10")
    last.plot(at["pass_at_1"], "o-", color="#aaaaaa", label="the ladder before RL: pass@1")
    last.set_xticks(range(len(depths)), [str(x) for x in depths])
    last.set_xlabel("SFT depth")
    last.set_ylim(0, 1.02)
    last.set_ylabel("pass rate")
    last.grid(alpha=0.3)
    last.legend(fontsize=9, frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    last.set_title("what the map says of the path, and what came", fontsize=11)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    docs = Path(__file__).resolve().parent.parent / "docs"
    draw(json.loads((docs / "evidence" / "path.json").read_text(encoding="utf-8")), docs / "ladder-path.png")
