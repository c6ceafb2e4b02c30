"""Workers of Dask killed at random while they compute a sweep: nothing is lost and no bit differs. `make soak-workers`.

python benchmarks/kill_workers.py [KILLS]
"""

import os
import random
import signal
import sys
import time

import dask
import jax
import jax.numpy as jnp
import numpy as np
from distributed import Client, LocalCluster

from rlsignal import sim
from rlsignal.sim.inversion import Train

WORKERS, BLOCKS, WIDTH = 2, 120, 4

# Dask gives a block up after it has seen three of its workers die, and a worker that takes 15 s to start again;
# here the first is not the block's fault, nor the second the worker's
dask.config.set({"distributed.scheduler.allowed-failures": 20, "distributed.deploy.lost-worker-timeout": "10 minutes"})


def sweep(runner: sim.Runner) -> np.ndarray:
    """pass@1 of every cell after training: a second or so a block, so that most kills fall on a running one."""
    recipe = sim.Recipe(prompts=512, steps=200)
    keys = jax.random.split(jax.random.key(0), BLOCKS * WIDTH)
    starts = jnp.broadcast_to(4 * jax.random.normal(jax.random.key(1), (512, 32)), (len(keys), 512, 32))
    settings = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(keys), *x.shape)), recipe.setting())
    return sim.sweep(Train(recipe, "sampled"), (keys, np.asarray(starts), settings), runner=runner).pass_at_1


class Killer:
    """Kills a random worker whenever some more blocks have finished; its nanny starts another.

    Counting blocks and not seconds: a slow machine finishes too.
    """

    def __init__(self, cluster: LocalCluster, kills: int) -> None:
        self.cluster, self.chance, self.killed = cluster, random.Random(0), 0
        most = BLOCKS // (kills + 1)
        self.at = [self.chance.randint(1, most) + most * kill for kill in range(kills)]

    def __call__(self, label: str, done: int, count: int) -> None:
        while self.killed < len(self.at) and done >= WIDTH * self.at[self.killed]:
            time.sleep(self.chance.uniform(0, 1))
            while not (pids := [nanny.pid for nanny in self.cluster.workers.values() if nanny.pid]):
                time.sleep(0.1)
            os.kill(self.chance.choice(pids), signal.SIGKILL)
            self.killed += 1


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    tick = time.perf_counter()
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        killer = Killer(cluster, kills)
        found = sweep(sim.Runner(executor=client.get_executor(pure=False), width=WIDTH, progress=killer))
    away = time.perf_counter() - tick
    same = np.array_equal(found, sweep(sim.Runner(width=WIDTH, devices=jax.local_devices()[:1])))
    print(
        f"{killer.killed} workers killed in {away:.0f} s; {BLOCKS} blocks, {'all' if same else 'NOT all'} bit for bit"
    )
    sys.exit(0 if same and killer.killed == kills else 1)


if __name__ == "__main__":
    main()
