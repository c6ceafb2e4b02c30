"""The moving pictures of docs/inversion.md, of what the library forecasts: `python docs/moving.py` draws them anew."""

import json
from collections.abc import Callable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.figure import Figure
from scipy.special import betaincinv, logit

from rlsignal import GRPO, Beta
from rlsignal.theory import forecast, reachable_pass_rate

DOCS = Path(__file__).parent
COLLISION = json.loads((DOCS / "evidence" / "boundary.json").read_text(encoding="utf-8"))["collision"]
STEPS = (0, 1, 2, 3, 5, 7, 10, 14, 20, 28, 40, 56, 80, 113, 160, 226, 320, 400)
HOLD = 6
"""Frames for which the last one stays."""
STARTS = {"A": Beta(0.4, 0.8), "B": Beta(0.3, 0.3)}
COLOURS = {"A": "#b07d00", "B": "#00204d"}


def after(p: Beta | np.ndarray, steps: float) -> np.ndarray:
    """pass@1 after so many steps of the map's training, by the forecast."""
    return np.asarray(forecast(p, 8, GRPO, budget=float(steps), collision=COLLISION))


PASS_AT_1 = {name: [float(after(start, t)) for t in STEPS] for name, start in STARTS.items()}


def forming(path: Path) -> None:
    """The outcome over the face as the budget grows, and which starts look better than B and end lower."""
    x, y = np.linspace(0, 0.95, 20), np.linspace(0.02, 0.6, 30)
    figure, ax = plt.subplots(figsize=(6.4, 4.4), dpi=90, layout="constrained")
    scale = matplotlib.cm.ScalarMappable(matplotlib.colors.Normalize(0, 1), "cividis")
    figure.colorbar(scale, ax=ax, label="pass@1 after GRPO")

    def frame(i: int) -> None:
        ended = after(Beta(y[:, None], x), STEPS[i])
        ax.clear()
        ax.contourf(x, y, ended, np.linspace(0, 1, 21), cmap="cividis", vmin=0, vmax=1)
        lower = np.where(y[:, None] > STARTS["B"].mean - 1e-9, ended - PASS_AT_1["B"][i], np.nan)
        ax.contourf(x, y, lower, [-1, -1e-9], colors="none", hatches=["///"]).set_edgecolor("white")
        for name, start in STARTS.items():
            ax.plot(start.dispersion, start.mean, "o", color="white", markeredgecolor="#222222", markersize=8)
            box = {"boxstyle": "round,pad=0.25", "facecolor": "#222222", "edgecolor": "none"}
            words = f"{name}: {start.mean:.2f} → {PASS_AT_1[name][i]:.2f}"
            at = (start.dispersion, start.mean + 0.035)
            ax.text(*at, words, ha="center", color="white", fontsize=10, bbox=box)
        ax.set(xlabel="dispersion of the start", ylabel="pass@1 of the start")
        ax.set_title(f"after {STEPS[i]} steps; hatched: ahead of B now, behind it then", fontsize=11)

    written(figure, frame, path)


def walking(path: Path) -> None:
    """Sixty prompts of each start on the axis of p, and their means, from the first step to the last."""
    share = (np.arange(60) + 0.5) / 60
    critical = reachable_pass_rate(8, GRPO, budget=STEPS[-1], collision=COLLISION)
    figure, (axis, curve) = plt.subplots(1, 2, figsize=(8, 3.8), dpi=90, layout="constrained", width_ratios=(1.6, 1))
    ticks = (1e-5, 1e-3, 0.1, 0.5, 0.9, 0.99)
    prompts = {}
    for name, start in STARTS.items():
        size = 1 / start.dispersion - 1
        prompts[name] = np.maximum(betaincinv(start.mean * size, (1 - start.mean) * size, share), 1e-6)

    def frame(i: int) -> None:
        axis.clear()
        curve.clear()
        for below, (name, p) in enumerate(prompts.items()):
            now = logit(np.clip(after(p, STEPS[i]), 1e-6, 0.9995))
            axis.scatter(now, share - 1.15 * below, s=12, c=np.where(p > critical, COLOURS[name], "#aaaaaa"))
            words = f"{name}: pass@1 {PASS_AT_1[name][i]:.2f}"
            axis.text(
                logit(3e-6),
                0.9 - 1.15 * below,
                words,
                color=COLOURS[name],
                fontsize=11,
                backgroundcolor="white",
                zorder=1.5,
            )
            line = (STEPS[: i + 1], PASS_AT_1[name][: i + 1])
            curve.plot(*line, "-" if below else "--", color=COLOURS[name], marker="o", markevery=[-1], label=name)
        axis.axvline(logit(critical), color="#8c2d04", linestyle=":", linewidth=1.5, zorder=1)
        axis.text(logit(critical), -1.27, " p_c", color="#8c2d04", fontsize=10)
        axis.set(xlim=(logit(5e-7), logit(0.9998)), ylim=(-1.3, 1.15), yticks=[], xlabel="pass rate of a prompt")
        axis.set_xticks(logit(ticks), [f"{x:g}" for x in ticks])
        axis.set_title(f"step {STEPS[i]}: every prompt", fontsize=11)
        curve.set_xscale("symlog", linthresh=1)
        curve.set(xlim=(0, STEPS[-1]), ylim=(0, 1.02), xlabel="step", ylabel="pass@1")
        curve.set_xticks((0, 1, 10, 100, 400), ("0", "1", "10", "100", "400"))
        curve.minorticks_off()
        curve.grid(alpha=0.3)
        curve.legend(loc="upper left", fontsize=9, frameon=False)

    written(figure, frame, path)


def written(figure: Figure, frame: Callable[[int], None], path: Path) -> None:
    """All frames as a GIF; the last one stays for a while."""
    order = [*range(len(STEPS)), *[len(STEPS) - 1] * HOLD]
    FuncAnimation(figure, lambda i: frame(i), order).save(path, PillowWriter(fps=2))
    plt.close(figure)


if __name__ == "__main__":
    forming(DOCS / "inversion-forming.gif")
    walking(DOCS / "inversion-walking.gif")
