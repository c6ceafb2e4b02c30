"""How often 95% intervals hold the truth, by simulation: `make evidence-coverage` writes docs/evidence/coverage.json.

An evaluation is a histogram over prompts of how many of n samples are correct, so thousands of evaluations are one
multinomial draw. Three intervals are tried on each: the library's, Student's over prompts, and the binomial one of all
rollouts in one pot. The first hundred evaluations of a row also go through `group_estimate` itself, which must agree,
and whose warnings are counted.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from scipy.special import ndtri, stdtrit

import rlsignal
from rlsignal import Beta, Recorded, advantage_variance, degenerate_probability, informative_probability, pass_at_k
from rlsignal.inference.intervals import bounded_interval, group_estimate, group_table, trials_over_prompts

PLACE = Path(__file__).parents[1] / "docs" / "evidence" / "coverage.json"
REPETITIONS = 20_000
SPOT_CHECKS = 100
STATISTICS: dict[str, Any] = {
    "pass@1": (pass_at_k, 1),
    "E p(1-p)": (advantage_variance, 2),  # half of it: the table's range does not matter
    "degenerate": (degenerate_probability, 8),
    "informative": (informative_probability, 8),
}
MEANS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
DISPERSIONS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
REGION = [(100, 16, mean, dispersion) for dispersion in DISPERSIONS for mean in MEANS]
"""(prompts, samples, mean, dispersion) for which 0.93 to 0.97 is claimed."""

BEYOND = [
    *((100, 16, mean, dispersion) for mean in (0.01, 0.02, 0.05, 0.95) for dispersion in (0.05, 0.3, 0.6)),
    *((100, 16, mean, dispersion) for mean in (0.1, 0.3, 0.5) for dispersion in (0.01, 0.02, 0.8, 0.9)),
    *(
        (prompts, 16, *population)
        for prompts in (10, 30, 50, 1000)
        for population in ((0.3, 0.3), (0.1, 0.6), (0.5, 0.05))
    ),
    *((100, samples, *population) for samples in (8, 64) for population in ((0.3, 0.3), (0.1, 0.6), (0.5, 0.05))),
]
"""Where nothing is claimed: rarer, odder and fewer prompts; and more prompts, other numbers of samples."""


def coverage(
    generator: np.random.Generator,
    name: str,
    row: tuple[int, int, float, float],
    repetitions: int,
    spot_checks: int = SPOT_CHECKS,
) -> dict[str, float]:
    """Shares of evaluations whose interval holds the truth, by kind of interval, and of those that warn."""
    (statistic, g), (prompts, n, mean, dispersion) = STATISTICS[name], row
    population, c, table = Beta(mean, dispersion), np.arange(n + 1), group_table(statistic, g)
    drawn = generator.multinomial(prompts, population.pmf(n), repetitions).astype(float)
    worth, truth, quantile = Recorded(c, n).each(g) @ table, statistic(population, g), stdtrit(prompts - 1, 0.975)
    value = drawn @ worth / prompts
    error = np.sqrt(np.maximum(drawn @ worth**2 / prompts - value**2, 0) / (prompts - 1))
    trials = trials_over_prompts(drawn, np.stack([c, np.full(n + 1, n)], 1), table)
    low, high = bounded_interval(value, trials, (table.min(), table.max()), quantile)

    warned = 0
    for i, counts in enumerate(drawn[:spot_checks].astype(int)):
        found = group_estimate(statistic, Recorded(np.repeat(c, counts), n), g)
        np.testing.assert_allclose((found.low, found.high), (low[i], high[i]), rtol=1e-9, atol=1e-12)
        warned += bool(found.warning)

    pooled = drawn @ c / (n * prompts)
    half = ndtri(0.975) * np.sqrt(pooled * (1 - pooled) / (n * prompts))
    ends = np.clip(pooled + half * np.linspace(-1, 1, 9)[:, None], 0, 1)
    naive = np.asarray(statistic(ends, g))  # of one prompt: what plugging the pooled rate in amounts to
    slack = 1e-12
    return {
        "library": float(np.mean((low <= truth + slack) & (truth <= high + slack))),
        "student": float(np.mean(np.abs(value - truth) <= quantile * error + slack)),
        "pooled": float(np.mean((naive.min(0) <= truth + slack) & (truth <= naive.max(0) + slack))),
        "warned": warned / spot_checks,
    }


def simulated(repetitions: int, seed: int) -> Iterator[dict[str, Any]]:
    """Every row of the region and beyond it, for every statistic."""
    generator = np.random.default_rng(seed)
    for inside, rows in ((True, REGION), (False, BEYOND)):
        for row in rows:
            for name in STATISTICS:
                place = dict(zip(("prompts", "samples", "mean", "dispersion"), row, strict=True))
                found = coverage(generator, name, row, repetitions)
                yield {"region": inside, **place, "statistic": name, **found}


def main() -> None:
    started, seed = time.perf_counter(), 0
    rows = list(simulated(REPETITIONS, seed))
    provenance = {
        "command": "make evidence-coverage",
        "repetitions": REPETITIONS,
        "seed": seed,
        "nominal": 0.95,
        "seconds": round(time.perf_counter() - started),
        "load": round(os.getloadavg()[1], 1),
        "cores": os.cpu_count(),
        "rlsignal": rlsignal.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    PLACE.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(row) for row in rows)
    PLACE.write_text(f'{{"provenance": {json.dumps(provenance)},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
    inside = [row["library"] for row in rows if row["region"]]
    sys.stdout.write(f"{min(inside):.4f} to {max(inside):.4f} in the region, {provenance['seconds']} s\n")


if __name__ == "__main__":
    main()
