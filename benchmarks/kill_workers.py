"""Workers of Dask killed at random while they compute a sweep: nothing is lost and no bit differs. `make soak-workers`.

python benchmarks/kill_workers.py [KILLS]
"""

import os
import random
import signal
import sys
import threading
import time

import dask
import jax
import jax.numpy as jnp
import numpy as np
from distributed import Client, LocalCluster

from rlsignal import sim
from rlsignal.sim.inversion import Train

WORKERS, BLOCKS, WIDTH = 2, 120, 4

# Dask gives a block up after it has seen three of its workers die; here that is not the block's fault
dask.config.set({"distributed.scheduler.allowed-failures": 20})


def sweep(runner: sim.Runner) -> np.ndarray:
    """pass@1 of every cell after training: some seconds a block, so that most kills fall on a running one."""
    recipe = sim.Recipe(prompts=512, steps=1000)
    keys = jax.random.split(jax.random.key(0), BLOCKS * WIDTH)
    starts = jnp.broadcast_to(4 * jax.random.normal(jax.random.key(1), (512, 32)), (len(keys), 512, 32))
    settings = jax.tree.map(lambda x: jnp.broadcast_to(x, (len(keys), *x.shape)), recipe.setting())
    return sim.sweep(Train(recipe, "sampled"), (keys, np.asarray(starts), settings), runner=runner).pass_at_1


def killer(cluster: LocalCluster, kills: int, killed: list[int], over: threading.Event) -> None:
    """Kills a random worker every few seconds; its nanny starts another."""
    chance = random.Random(0)
    while len(killed) < kills and not over.wait(chance.uniform(1, 6)):
        pids = [nanny.pid for nanny in cluster.workers.values() if nanny.pid]
        if pids:
            killed.append(chance.choice(pids))
            os.kill(killed[-1], signal.SIGKILL)


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    tick, killed, over = time.perf_counter(), [], threading.Event()
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        thread = threading.Thread(target=killer, args=(cluster, kills, killed, over))
        thread.start()
        try:
            found = sweep(sim.Runner(executor=client.get_executor(pure=False), width=WIDTH))
        finally:
            over.set()
            thread.join()
    away = time.perf_counter() - tick
    same = np.array_equal(found, sweep(sim.Runner(width=WIDTH, devices=jax.local_devices()[:1])))
    print(f"{len(killed)} workers killed in {away:.0f} s; {BLOCKS} blocks, {'all' if same else 'NOT all'} bit for bit")
    sys.exit(0 if same and len(killed) == kills else 1)


if __name__ == "__main__":
    main()
