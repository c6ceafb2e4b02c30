"""How early `track` warns and how often for nothing, on simulated logs whose truth is known; `make evidence-warnings`.

Each run has 400 rows of 1, 8 or 64 groups, drawn from a true share of degenerate groups in each row. Runs that never
pass 90% give false alarms, runs that do give lead times. Beside the two rules stands the reading that people act on:
one row above 90%.
"""

import json
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri

import rlsignal
from rlsignal import Beta, degenerate_probability
from rlsignal.diagnosis.track import DEGENERATE, degenerate_rows, degenerating_rows
from rlsignal.inference.intervals import bounded_interval

PLACE = Path(__file__).parents[1] / "docs" / "evidence" / "warnings.json"
RUNS, ROWS, WINDOW, GROUP = 1000, 400, 20, 8
RULES = {
    "one row above 90%": lambda share, groups, window: share > DEGENERATE,
    "degenerating": degenerating_rows,
    "degenerate": degenerate_rows,
}


DIFFERING = {"at 90%, rows differ by 2.5%": 0.025, "at 90%, rows differ by 5.4%": 0.054}
"""Standard deviation of the share of degenerate groups over the rows of these runs."""


def runs() -> dict[str, np.ndarray]:
    """True share of degenerate groups in each row, by what the run does."""
    row = np.arange(ROWS)

    def turn(centre: float, width: float) -> np.ndarray:
        return 1 / (1 + np.exp(-(row - centre) / width))

    def of(mean: np.ndarray | float, dispersion: np.ndarray | float) -> np.ndarray:
        pairs = zip(*np.broadcast_arrays(mean, dispersion, row)[:2], strict=True)
        return np.array([float(degenerate_probability(Beta(m, r), GROUP)) for m, r in pairs])

    return {
        **{f"steady at {share:.0%}": np.full(ROWS, share) for share in (0.3, 0.5, 0.7, 0.85)},
        "steady at 90%, the border": np.full(ROWS, DEGENERATE),
        "at 90%, rows differ by 2.5%": np.full(ROWS, DEGENERATE),
        "at 90%, rows differ by 5.4%": np.full(ROWS, DEGENERATE),
        **{
            f"rises from 40% to {end:.0%} and stays": 0.4 + (end - 0.4) * turn(150, 30) for end in (0.6, 0.7, 0.8, 0.85)
        },
        "rises in a line to 85%, its course past 90%, and stays": np.minimum(0.4 + row / 300, 0.85),
        "tabular GRPO that keeps informative groups": tabular(0.3, 0.3, 0.01),
        "tabular GRPO that solves its prompts": tabular(0.3, 0.3, 0.15),
        "mean falls from 0.3 to 0, slowly": of(0.3 * (1 - turn(200, 30)) + 0.003, 0.4),
        "mean falls from 0.3 to 0, within 30 rows": of(0.3 * (1 - turn(200, 8)) + 0.003, 0.4),
        "dispersion rises from 0.4 to 0.97": of(0.4, 0.4 + 0.57 * turn(200, 40)),
        "degenerate groups rise in a line from 40% to 100%": np.linspace(0.4, 1, ROWS),
    }


def tabular(mean: float, dispersion: float, rate: float) -> np.ndarray:
    """GRPO on 512 prompts of two responses, from a Beta population: the exact share of degenerate groups by step."""
    import jax
    import jax.numpy as jnp

    from rlsignal import sim

    scale = (1 - dispersion) / dispersion
    p = np.random.default_rng(0).beta(mean * scale, (1 - mean) * scale, 512).clip(1e-6, 1 - 1e-6)
    recipe = sim.Recipe(prompts=512, responses=2, correct=1, group_size=GROUP, steps=ROWS, record_every=1)
    logits = jnp.stack([jnp.log(p / (1 - p)), jnp.zeros(512)], -1).astype(jnp.float32)
    _, metrics, _ = jax.jit(sim.train_tabular, static_argnums=2)(
        jax.random.key(0), logits, recipe, recipe.setting(learning_rate=rate)
    )
    return np.asarray(metrics.degenerate, np.float64)[:ROWS]


def simulated(repetitions: int, seed: int) -> Iterator[dict[str, Any]]:
    """One row for every run, number of groups and rule."""
    chance = np.random.default_rng(seed)
    for run, truth in runs().items():
        at = int(np.argmax(truth > DEGENERATE)) if (truth > DEGENERATE).any() else None
        for groups in (1, 8, 64):
            shares = np.broadcast_to(np.clip(truth, 0, 1), (repetitions, ROWS))
            if run in DIFFERING:  # prompts of a row are alike: its share is a Beta's draw
                size = DEGENERATE * (1 - DEGENERATE) / DIFFERING[run] ** 2 - 1
                shares = chance.beta(DEGENERATE * size, (1 - DEGENERATE) * size, shares.shape)
            degenerate = chance.binomial(groups, shares) / groups
            for rule, rows in RULES.items():
                warns = rows(degenerate, groups, WINDOW)
                warned, first = warns.any(-1), warns.argmax(-1)
                counted = warned if at is None else warned & (first < at)
                share = float(counted.mean())
                low, high = (float(x) for x in bounded_interval(share, repetitions, (0.0, 1.0), float(ndtri(0.975))))
                lead = (
                    [] if at is None or not warned.any() else np.quantile(at - first[warned], (0.5, 0.1, 0.9)).tolist()
                )
                yield {
                    "run": run,
                    "degenerate_at": at,
                    "groups": groups,
                    "rule": rule,
                    "warned": float(warned.mean()),
                    "share": share,
                    "low": low,
                    "high": high,
                    "lead": lead,
                }


def main() -> None:
    started, seed = time.perf_counter(), 0
    rows = list(simulated(RUNS, seed))
    provenance = {
        "command": "make evidence-warnings",
        "runs": RUNS,
        "rows": ROWS,
        "window": WINDOW,
        "seed": seed,
        "seconds": round(time.perf_counter() - started),
        "rlsignal": rlsignal.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    lines = ",\n".join(json.dumps(row) for row in rows)
    PLACE.write_text(f'{{"provenance": {json.dumps(provenance)},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    sys.stdout.write(f"{len(rows)} rows, {provenance['seconds']} s\n")


if __name__ == "__main__":
    main()
