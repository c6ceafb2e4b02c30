"""Speed as ratios within one run: `make bench` prints a table and writes benchmarks/latest.json.

Each ratio is the median over paired runs, one after the other, so that a busy machine slows both sides. The NumPy
yardstick is looked for beside the project; without it that ratio is null.
"""

import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from rlsignal import sim
from rlsignal.sim.inversion import Build
from rlsignal.sim.runner import device_name

# before jax is first used: one virtual device for each core, or one core for everything
CORES = 1 if "--one-core" in sys.argv else os.cpu_count() or 1
if CORES == 1 and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={CORES}".strip()

ROOT = Path(__file__).resolve().parent.parent
YARDSTICK = ROOT.parent / "shared" / "yardstick" / "numpy_grpo.py"
PAIRS = 7
RECIPE = sim.Recipe()  # 512 prompts, 32 responses of which 2 correct, g = 8, 400 steps
KEYS, STARTS, SIZES = 16, 8, (4, 8, 32)


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


def yardstick(recipe: sim.Recipe) -> Callable[[np.ndarray, np.ndarray], Any] | None:
    if not YARDSTICK.is_file():
        return None
    spec = importlib.util.spec_from_file_location("yardstick", YARDSTICK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return partial(module.run, group_size=recipe.group_size, steps=recipe.steps, learning_rate=1.0)


def import_seconds() -> float:
    """What `import rlsignal` costs beyond numpy and scipy.special, with its bytecode kept; median of interpreters."""
    code = (
        "import numpy, scipy.special, time; tick = time.perf_counter(); import rlsignal; "
        "print(time.perf_counter() - tick)"
    )
    with tempfile.TemporaryDirectory() as kept:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": kept, "PYTHONDONTWRITEBYTECODE": ""}
        command = [sys.executable, "-c", code]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True, env=environment) for _ in range(6)]
    return statistics.median(float(run.stdout) for run in runs[1:])


def pinned() -> dict[str, float]:
    """The same comparison with both sides on one core, in a process of its own."""
    command = [sys.executable, __file__, "--one-core"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def sampled_over_others(recipe: sim.Recipe) -> dict[str, float | None]:
    """Sampled GRPO with 16 keys at once, against the NumPy yardstick and against bare random numbers."""
    setting, keys = recipe.setting(), jax.random.split(jax.random.key(0), KEYS)
    correct = (np.arange(recipe.responses) < recipe.correct).astype(np.float32)
    start = (4 * np.random.default_rng(1).standard_normal((recipe.prompts, recipe.responses)) + 2.5 * correct).astype(
        "f"
    )
    rollouts = KEYS * recipe.prompts * recipe.group_size * recipe.steps

    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("keys",))
    over_devices = partial(jax.shard_map, mesh=mesh, in_specs=jax.P("keys"), out_specs=jax.P("keys"), check_vma=False)
    ours = jax.jit(over_devices(jax.vmap(lambda key: sim.train_tabular(key, start, recipe, setting)[0])))
    draw = jax.jit(over_devices(lambda keys: jax.lax.map(lambda key: jax.random.uniform(key, (2**18,)).sum(), keys)))
    many = jax.random.split(keys[0], 128)

    mine, bare = paired(lambda: ours(keys), lambda: draw(many))
    found: dict[str, float | None] = {
        "million_rollouts_per_second": rollouts / statistics.median(mine) / 1e6,
        "sampled_over_rng": median_ratio([t / (len(many) * 2**18) for t in bare], [t / rollouts for t in mine]),
        "sampled_over_numpy": None,
    }
    numpy_run = yardstick(recipe)
    if numpy_run is not None:
        mine, theirs = paired(lambda: ours(keys), lambda: numpy_run(start, correct))
        found["sampled_over_numpy"] = median_ratio([KEYS * t for t in theirs], mine)
    return found


class Race(NamedTuple):
    """Sampling 8 starts with 8 keys each, every group, against following the mean field by leaps from each."""

    sampling: list[float]  # seconds, pair by pair
    following: list[float]
    error: np.ndarray  # [starts], pass@1 by the mean field less the mean over keys


def mean_field_race(recipe: sim.Recipe) -> Race:
    setting = recipe.setting()
    z = np.random.default_rng(1).standard_normal((STARTS, recipe.prompts, recipe.responses))
    starts = jnp.asarray(4 * z + 2.5 * (np.arange(recipe.responses) < recipe.correct), jnp.float32)
    keys = jax.random.split(jax.random.key(0), 8 * STARTS)
    repeated = jnp.repeat(starts, 8, axis=0)
    sampled = partial(sim.sweep, lambda key, start: sim.train_tabular(key, start, recipe, setting)[1].pass_at_1)
    field = partial(sim.sweep, lambda start: sim.leap(start, recipe, setting)[1].pass_at_1)
    wide, narrow = sim.Runner(width=16), sim.Runner(width=4)
    times = paired(lambda: sampled((keys, repeated), runner=wide), lambda: field((starts,), runner=narrow))
    drawn = sampled((keys, repeated), runner=wide)[:, -1].reshape(STARTS, 8).mean(-1)
    return Race(*times, field((starts,), runner=narrow)[:, -1] - drawn)


H100 = {"operations": 67e12, "bytes": 3.35e12}
"""Published peaks a second of an NVIDIA H100 SXM: float32 outside tensor cores, and memory."""


def cost_of_a_rollout(recipe: sim.Recipe) -> dict[str, float]:
    """Of a sampled step, as the compiler counts it here; and the rate that an H100's peaks would allow, estimated.

    The bytes are those of one pass that keeps nothing in a cache, so the estimate is low where logits stay in one.
    """
    logits, setting = jnp.zeros((recipe.prompts, recipe.responses)), recipe.setting()
    step = jax.jit(partial(sim.sampled_gradient, recipe=recipe, setting=setting))
    cost: Any = step.lower(jax.random.key(0), logits).compile().cost_analysis()
    each = {
        name: cost[key] / recipe.prompts / recipe.group_size
        for name, key in (("operations", "flops"), ("bytes", "bytes accessed"))
    }
    rate = min(H100[name] / each[name] for name in each)
    return {
        "operations_per_rollout": each["operations"],
        "bytes_per_rollout": each["bytes"],
        "estimated_million_rollouts_per_second_on_an_h100": rate / 1e6,
    }


def map_recipe(g: int) -> sim.Recipe:
    """The map's longer budget at this group size: 400 steps or 3200 rollouts per prompt."""
    return replace(RECIPE, group_size=g, steps=max(400, 3200 // g))


def map_starts(recipe: sim.Recipe) -> tuple[jax.Array, Any]:
    """Keys and logits of nine starts of the map."""
    rates, nats = (0.1, 0.3, 0.6), (0.2, 0.7, 1.6)
    rate, entropy = (jnp.asarray(x.ravel(), jnp.float32) for x in np.meshgrid(rates, nats))
    keys = jax.random.split(jax.random.key(0), len(rate))
    return keys, sim.sweep(Build(recipe, "sharpened"), (keys, rate, entropy)).logits


def leaps_over_steps(recipe: sim.Recipe) -> float:
    """The mean field by leaps against step by step, from starts of the map; the ratio of seconds."""
    setting, (_, starts), runner = recipe.setting(), map_starts(recipe), sim.Runner(width=8)
    steps, leaps = (
        partial(sim.sweep, lambda start, way=way: way(start, recipe, setting)[1].pass_at_1, (starts,), runner=runner)
        for way in (sim.flow, sim.leap)
    )
    return median_ratio(*paired(steps, leaps))


def jumps_over_steps(recipe: sim.Recipe) -> float:
    """Sampling every group against jumping past degenerate ones, from starts of the map; the ratio of seconds."""
    setting, (keys, starts) = recipe.setting(), map_starts(recipe)
    cells = np.repeat(starts, 8, axis=0), jax.random.split(keys[0], 8 * len(starts))
    runner = sim.Runner(width=32)
    plain, jumping = (
        partial(sim.sweep, lambda x, key, way=way: way(key, x, recipe, setting)[1].pass_at_1, cells, runner=runner)
        for way in (sim.train_tabular, sim.jump)
    )
    return median_ratio(*paired(plain, jumping))


def linearity() -> dict[str, float]:
    """Time (over proportional) and peak memory of sweeps of 4, 16 and 64 times 64 cells, each in a new process."""
    runs = {}
    for times in (1, 4, 16, 64):
        command = [sys.executable, __file__, "--cells", str(times)]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        runs[times] = json.loads(run.stdout.splitlines()[-1])
    return {
        "time_of_16x_over_4x": runs[16]["seconds"] / runs[4]["seconds"] / 4,
        "time_of_64x_over_4x": runs[64]["seconds"] / runs[4]["seconds"] / 16,
        "memory_of_64x_over_4x": runs[64]["peak"] / runs[4]["peak"],
    }


def sweep_of(times: int) -> dict[str, float]:
    """A sweep of 64 cells times `times`, after compiling; peak resident memory in bytes."""
    recipe = sim.Recipe(steps=200)
    setting = recipe.setting()

    def experiment(key: jax.Array) -> jax.Array:
        start = 4 * jax.random.normal(key, (recipe.prompts, recipe.responses))
        return sim.train_tabular(key, start, recipe, setting)[1].pass_at_1

    keys = jax.random.split(jax.random.key(0), 64 * times)
    sim.sweep(experiment, (keys[:64],))
    took = seconds(lambda: sim.sweep(experiment, (keys,)))
    return {"seconds": took, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0}


def main() -> None:
    load = os.getloadavg()
    races = {g: mean_field_race(replace(RECIPE, group_size=g)) for g in SIZES}
    sampling, following = (
        [sum(times) for times in zip(*sides, strict=True)]
        for sides in zip(*((race.sampling, race.following) for race in races.values()), strict=True)
    )
    error = np.abs([race.error for race in races.values()])
    one_core = pinned()
    at_64 = sampled_over_others(replace(RECIPE, group_size=64, steps=50))
    report = {
        **sampled_over_others(RECIPE),
        "million_rollouts_per_second_on_one_core": one_core["million_rollouts_per_second"],
        "sampled_over_numpy_on_one_core": one_core["sampled_over_numpy"],
        "sampled_over_rng_at_g64": at_64["sampled_over_rng"],
        "million_rollouts_per_second_at_g64": at_64["million_rollouts_per_second"],
        "mean_field_over_sampled": median_ratio(sampling, following),  # all group sizes together
        **{
            f"mean_field_over_sampled_at_g{g}": median_ratio(race.sampling, race.following) for g, race in races.items()
        },
        **{f"leaps_over_steps_at_g{g}": leaps_over_steps(map_recipe(g)) for g in SIZES},
        **{f"jumps_over_steps_at_g{g}": jumps_over_steps(map_recipe(g)) for g in SIZES},
        "mean_field_error_max": float(error.max()),  # of pass@1, over starts and group sizes
        "mean_field_error_mean": float(error.mean()),
        **cost_of_a_rollout(RECIPE),
        **linearity(),
        "import_seconds": import_seconds(),
        "setting": f"{RECIPE.prompts} prompts x {RECIPE.responses} responses, g={RECIPE.group_size}, "
        f"{RECIPE.steps} steps, {KEYS} keys at once; mean field of {STARTS} starts against sampling each with 8 keys; "
        f"together: g = {', '.join(map(str, SIZES))}",
        "pairs": PAIRS,
        "load_average": [load[0], os.getloadavg()[0]],
        "cores": os.cpu_count(),
        "device": f"{len(jax.devices())} x {device_name()}",
        "versions": {name: version(name) for name in ("rlsignal", "numpy", "jax", "jaxlib")},
        "python": sys.version.split()[0],
    }
    (ROOT / "benchmarks" / "latest.json").write_text(json.dumps(report, indent=1))
    for name, value in report.items():
        print(f"{name:34}  {value:.3g}" if isinstance(value, float) else f"{name:34}  {value}")
    if report["sampled_over_numpy"] is None:
        print("No yardstick beside the project (shared/yardstick/numpy_grpo.py): those ratios were left out.")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one-core"]:
        print(json.dumps(sampled_over_others(RECIPE)))
    elif sys.argv[1:2] == ["--cells"]:
        print(json.dumps(sweep_of(int(sys.argv[2]))))
    else:
        main()
