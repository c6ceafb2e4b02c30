"""Kill a sweep at random moments, again and again, and hold every resumed run against one that was left alone.

python benchmarks/soak.py 50        # kills; `make soak`
"""

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BLOCKS = 24


def work(folder: str, answer: str) -> None:
    """What is killed: a sweep of 24 blocks of sampled GRPO, kept in `folder`, its result written to `answer`."""
    import jax
    import jax.numpy as jnp

    from rlsignal import sim
    from rlsignal.sim.inversion import Train
    from rlsignal.store import BlockFolder, write_atomically

    recipe = sim.Recipe(prompts=64, responses=16, steps=150)
    keys = jax.random.split(jax.random.key(0), 4 * BLOCKS)
    settings = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(keys), *x.shape)), recipe.setting())
    logits = 3 * jax.random.normal(jax.random.key(1), (len(keys), recipe.prompts, recipe.responses))
    experiment, cells = Train(recipe, sampled=True), (keys, logits, settings)
    metrics = sim.sweep(experiment, cells, runner=sim.Runner(store=BlockFolder(folder), width=4))
    write_atomically(Path(answer), lambda file: np.save(file, metrics.pass_at_1))


def kill_and_resume(kills: int, seed: int) -> dict[str, int]:
    """Kill `kills` runs in all, resuming each until it ends; an error where an end differs in any bit.

    Returns counts: kills, runs that ended, blocks kept from one attempt to the next.
    """
    chance = random.Random(seed)
    counts = {"kills": 0, "ended": 0, "kept": 0}
    with tempfile.TemporaryDirectory() as place:
        reference = _answer(place, "alone", kills=0, chance=chance, counts=counts)
        while counts["kills"] < kills:
            several = min(chance.randint(1, 4), kills - counts["kills"])
            resumed = _answer(place, f"killed-{counts['ended']}", kills=several, chance=chance, counts=counts)
            assert resumed == reference, "a resumed run differs from the uninterrupted one"
    return counts


def _answer(place: str, name: str, *, kills: int, chance: random.Random, counts: dict[str, int]) -> bytes:
    """The bytes of the result of one sweep, whose first attempts are killed when a random block appears."""
    folder, answer = Path(place, name), Path(place, f"{name}.npy")
    stops = sorted(chance.sample(range(1, BLOCKS), kills))
    for stop in [*stops, None]:
        process = subprocess.Popen([sys.executable, __file__, "--work", str(folder), str(answer)])
        while process.poll() is None:
            if stop is not None and len(list(folder.rglob("block-*.npz"))) >= stop:
                time.sleep(chance.uniform(0, 0.05))  # anywhere in the next blocks: computing, writing, renaming
                process.kill()
                counts["kills"] += 1
                break
            time.sleep(0.002)
        process.wait()
        counts["kept"] += len(list(folder.rglob("block-*.npz"))) if stop is not None else 0
    assert process.returncode == 0, f"the last attempt ended with {process.returncode}"
    counts["ended"] += 1
    return answer.read_bytes()


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        work(*sys.argv[2:])
    else:
        tick = time.perf_counter()
        done = kill_and_resume(int(sys.argv[1]), seed=0)
        print(
            f"{done['kills']} kills, {done['ended']} runs of {BLOCKS} blocks ended, each equal to the uninterrupted one"
        )
        print(f"{done['kept']} blocks were kept from one attempt to the next; {time.perf_counter() - tick:.0f} s")
