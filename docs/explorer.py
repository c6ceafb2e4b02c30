"""Builds the explorer: one HTML page that needs no network, with sliders over what the library computed.

python docs/explorer.py [FOLDER]    # default docs/explorer; `make docs` does it

The page holds one formula, the chances of the urn (docs/theory.md, L2); tables of estimators, courses of training and
the map are arrays of the library. A test compares what it shows with the library in a real browser.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import betainc, betaincinv, expit

import rlsignal as rl
from rlsignal.estimators import DR_GRPO, GRPO, GRPO_NEMO, MAXRL, RLOO

DOCS = Path(__file__).parent
GROUP_SIZES = (2, 3, 4, 8, 16, 32, 64)
ESTIMATORS = (RLOO, DR_GRPO, GRPO, GRPO_NEMO, MAXRL)
BUDGETS = (30, 100, 300)
TIMES = (0, 1, 2, 3, 5, 7, 10, 15, 20, 30, 40, 60, 80, 100, 130, 160, 200, 250, 300)
MEANS = np.round(np.linspace(0.02, 0.7, 18), 3)
DISPERSIONS = np.round(np.linspace(0, 0.95, 20), 3)
QUANTILES = (np.arange(40) + 0.5) / 40
LOGITS = np.linspace(-16, 8, 97)
FAR = 16.0
"""Logits of pass rates on the page stay within it."""


def arrays() -> dict[str, Any]:
    """What the page looks up; indices in the order of the names."""
    matched = json.loads((DOCS / "evidence" / "matched_starts.json").read_text(encoding="utf-8"))
    courses = [rl.theory.forecast(expit(LOGITS), 8, GRPO, budget=float(time)) for time in TIMES]
    return {
        "g": list(GROUP_SIZES),
        "estimators": [estimator.name for estimator in ESTIMATORS],
        "gain": [[_rounded(x.gain(g)) for g in GROUP_SIZES] for x in ESTIMATORS],  # [estimator][g][j]
        "times": list(TIMES),
        "logits": _rounded(LOGITS),
        "course": _rounded(courses),  # [time][logit of the start]: its pass rate then, GRPO at g = 8
        "means": MEANS.tolist(),
        "dispersions": DISPERSIONS.tolist(),
        "prompts": [[_rounded(_quantiles(mean, rho), 2) for mean in MEANS] for rho in DISPERSIONS],  # logits
        "budgets": list(BUDGETS),
        "reach": [float(f"{rl.theory.reachable_pass_rate(8, GRPO, budget=T, collision=1.0):.3g}") for T in BUDGETS],
        "map": [[[_outcome(mean, rho, T) for mean in MEANS] for rho in DISPERSIONS] for T in BUDGETS],
        "share": [[[_reached(mean, rho, T) for mean in MEANS] for rho in DISPERSIONS] for T in BUDGETS],
        "log": {"mean": 0.28, "degenerate": 0.54, "dispersion": round(rl.dispersion_for(0.28, 0.54, 8), 3)},
        "effects": matched["effects"],
    }


def _shape(mean: float, rho: float) -> tuple[float, float]:
    size = (1 - rho) / rho
    return mean * size, (1 - mean) * size


def _quantiles(mean: float, rho: float) -> np.ndarray:
    """Logits of 40 prompts that stand for the population."""
    p = np.full(len(QUANTILES), mean) if rho == 0 else betaincinv(*_shape(mean, rho), QUANTILES)
    with np.errstate(divide="ignore"):
        return np.clip(np.log(p) - np.log1p(-p), -FAR, FAR)


_EDGES = np.concatenate([[0.0], expit(np.linspace(-40, 30, 701)), [1.0]])
_ENDS = {T: rl.theory.forecast((_EDGES[1:] + _EDGES[:-1]) / 2, 8, GRPO, budget=float(T)) for T in BUDGETS}


def _outcome(mean: float, rho: float, budget: int) -> float:
    """pass@1 after the budget: every prompt's own flow, averaged over the Beta of the start."""
    if rho == 0:
        return round(float(rl.theory.forecast(mean, 8, GRPO, budget=float(budget))), 3)
    return round(float(np.diff(betainc(*_shape(mean, rho), _EDGES)) @ _ENDS[budget]), 3)


def _reached(mean: float, rho: float, budget: int) -> float:
    """Share of the prompts that start above the pass rate from which the budget takes off."""
    least = rl.theory.reachable_pass_rate(8, GRPO, budget=float(budget), collision=1.0)
    return float(mean > least) if rho == 0 else round(1 - float(betainc(*_shape(mean, rho), least)), 3)


def _rounded(values: Any, digits: int = 5) -> list[Any]:
    return np.round(np.asarray(values, np.float64), digits).tolist()


def page() -> str:
    """The HTML."""
    template = (DOCS / "explorer-template.html").read_text(encoding="utf-8")
    return template.replace("/*DATA*/{}", json.dumps(arrays(), separators=(",", ":")))


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else DOCS / "explorer"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explorer.html").write_text(page(), encoding="utf-8")
