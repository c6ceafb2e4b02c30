"""Speed as ratios within one run: `make bench` prints a table and writes benchmarks/latest.json.

Each ratio is the median over paired runs, one after the other, so that a busy machine slows both sides. The NumPy
yardstick is looked for beside the project; without it that ratio is null.
"""

import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rlsignal import sim

ROOT = Path(__file__).resolve().parent.parent
YARDSTICK = ROOT.parent / "shared" / "yardstick" / "numpy_grpo.py"
PAIRS = 7
RECIPE = sim.Recipe()  # 512 prompts, 32 responses of which 2 correct, g = 8, 400 steps
KEYS, STARTS = 16, 8
ROLLOUTS = RECIPE.prompts * RECIPE.group_size * RECIPE.steps


def seconds(work: Callable[[], Any]) -> float:
    tick = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - tick


def paired(first: Callable[[], Any], second: Callable[[], Any]) -> tuple[list[float], list[float]]:
    """Seconds of both, alternating; the first of each, which compiles, is not counted."""
    seconds(first), seconds(second)
    times = [(seconds(first), seconds(second)) for _ in range(PAIRS)]
    return [a for a, _ in times], [b for _, b in times]


def median_ratio(numerator: list[float], denominator: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


def yardstick() -> Callable[[np.ndarray, np.ndarray], Any] | None:
    if not YARDSTICK.is_file():
        return None
    spec = importlib.util.spec_from_file_location("yardstick", YARDSTICK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return partial(module.run, group_size=RECIPE.group_size, steps=RECIPE.steps, learning_rate=1.0)


def import_seconds() -> float:
    """What `import rlsignal` costs beyond numpy and scipy.special; median of new interpreters."""
    code = (
        "import numpy, scipy.special, time; tick = time.perf_counter(); import rlsignal; "
        "print(time.perf_counter() - tick)"
    )
    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(5)]
    return statistics.median(float(run.stdout) for run in runs)


def main() -> None:
    load = os.getloadavg()
    setting = RECIPE.setting()
    correct = (np.arange(RECIPE.responses) < RECIPE.correct).astype(np.float32)
    z = np.random.default_rng(1).standard_normal((STARTS, RECIPE.prompts, RECIPE.responses))
    starts = jnp.asarray(4 * z + 2.5 * correct, jnp.float32)
    keys = jax.random.split(jax.random.key(0), KEYS)

    one_start = jax.jit(jax.vmap(lambda key: sim.train(key, starts[0], RECIPE, setting)[0]))
    draws = jax.jit(
        lambda key: jax.lax.map(lambda k: jax.random.uniform(k, (2**18,)).sum(), jax.random.split(key, 100))
    )
    ours, random_numbers = paired(lambda: one_start(keys), lambda: draws(keys[0]))
    rollouts_a_second = KEYS * ROLLOUTS / statistics.median(ours)
    over_rng = median_ratio([100 * 2**18 / (KEYS * ROLLOUTS) * t for t in ours], random_numbers)

    numpy_run = yardstick()
    over_numpy = None
    if numpy_run is not None:
        ours_again, theirs = paired(lambda: one_start(keys), lambda: numpy_run(np.asarray(starts[0]), correct))
        over_numpy = median_ratio([KEYS * t for t in theirs], ours_again)

    eight = jnp.tile(keys[:8], STARTS).reshape(-1)
    repeated = jnp.repeat(starts, 8, axis=0)
    sampled = jax.jit(jax.vmap(lambda key, start: sim.train(key, start, RECIPE, setting)[0]))
    field = jax.jit(jax.vmap(lambda start: sim.flow(start, RECIPE, setting)[0]))
    slow, fast = paired(lambda: sampled(eight, repeated), lambda: field(starts))

    report = {
        "sampled_over_numpy": over_numpy,
        "sampled_over_rng": 1 / over_rng,
        "mean_field_over_sampled": median_ratio(slow, fast),
        "million_rollouts_per_second": rollouts_a_second / 1e6,
        "import_seconds": import_seconds(),
        "setting": f"{RECIPE.prompts} prompts x {RECIPE.responses} responses, g={RECIPE.group_size}, "
        f"{RECIPE.steps} steps; {KEYS} keys at once; mean field of {STARTS} starts against sampling each with 8 keys",
        "pairs": PAIRS,
        "load_average": [load[0], os.getloadavg()[0]],
        "cores": os.cpu_count(),
        "device": f"{jax.devices()[0].platform} {jax.devices()[0].device_kind}",
        "versions": {name: version(name) for name in ("rlsignal", "numpy", "jax", "jaxlib")},
        "python": sys.version.split()[0],
    }
    (ROOT / "benchmarks" / "latest.json").write_text(json.dumps(report, indent=1))
    for name, value in report.items():
        print(f"{name:28}  {value:.3g}" if isinstance(value, float) else f"{name:28}  {value}")
    if over_numpy is None:
        print("No yardstick beside the project (shared/yardstick/numpy_grpo.py): that ratio was left out.")


if __name__ == "__main__":
    main()
