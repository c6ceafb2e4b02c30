"""Builds the explorer: one HTML page that needs no network, with sliders over arrays that the library computed.

python docs/explorer.py [FOLDER]    # default docs/explorer; `make docs` does it

The mathematics stays here; the page looks up and interpolates.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from rlsignal import (
    DR_GRPO,
    GRPO,
    MAXRL,
    RLOO,
    Beta,
    advantage_variance,
    critical_pass_rate,
    degenerate_probability,
    dispersion_for,
)
from rlsignal.estimators import GRPO_NEMO

DOCS = Path(__file__).parent
PASS_RATES = np.round(np.linspace(0, 1, 101), 2)
DISPERSIONS = np.round(np.linspace(0, 1, 41), 3)
GROUP_SIZES = (2, 3, 4, 8, 16, 32, 64)
ESTIMATORS = (RLOO, DR_GRPO, GRPO, GRPO_NEMO, MAXRL)


def arrays() -> dict[str, Any]:
    """What the page looks up; indices in the order of the names."""
    mean, rho = np.meshgrid(PASS_RATES, DISPERSIONS)
    populations = Beta(mean, rho)
    matched = json.loads((DOCS / "evidence" / "matched_starts.json").read_text(encoding="utf-8"))
    return {
        "p": PASS_RATES.tolist(),
        "rho": DISPERSIONS.tolist(),
        "g": list(GROUP_SIZES),
        "estimators": [estimator.name for estimator in ESTIMATORS],
        "degenerate": [_rounded(degenerate_probability(populations, g)) for g in GROUP_SIZES],  # [g][rho][p]
        "signal": [_rounded(advantage_variance(populations, g)) for g in GROUP_SIZES],
        "weight": [[_rounded(x.weight(PASS_RATES, g)) for g in GROUP_SIZES] for x in ESTIMATORS],
        "objective": [[_rounded(x.objective(PASS_RATES, g)) for g in GROUP_SIZES] for x in ESTIMATORS],
        "critical": [round(critical_pass_rate(g), 4) for g in GROUP_SIZES],
        "log": {"mean": 0.28, "degenerate": 0.54, "dispersion": round(dispersion_for(0.28, 0.54, 8), 3)},
        "effects": matched["effects"],
    }


def _rounded(values: Any) -> list[Any]:
    return np.round(np.asarray(values, np.float64), 5).tolist()


def page() -> str:
    """The HTML."""
    template = (DOCS / "explorer-template.html").read_text(encoding="utf-8")
    return template.replace("/*DATA*/{}", json.dumps(arrays(), separators=(",", ":")))


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if sys.argv[1:] else DOCS / "explorer"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "explorer.html").write_text(page(), encoding="utf-8")
