"""`rlsignal map`: where rank inversion occurs, and what causes it."""

import argparse
import json
import re
import shutil
from time import asctime, perf_counter
from typing import Any

import numpy as np

from rlsignal import saving, store
from rlsignal.commands.terminal import Bar, Several, add_seed, command, one_device_per_core, share


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(commands, "map", run, "simulate and draw where rank inversion occurs, and what causes it")
    add_seed(parser)
    parser.add_argument("--output", default="map", metavar="FOLDER", help="where to write (default %(default)s)")
    parser.add_argument(
        "--group-sizes",
        type=int,
        nargs="+",
        default=(4, 8, 32),
        metavar="G",
        help="rollouts per prompt (default 4 8 32)",
    )
    parser.add_argument("--steps", type=int, default=400, help="optimizer steps, the equal-steps budget")
    parser.add_argument("--rollouts", type=int, default=3200, help="per prompt, the equal-rollouts budget")
    parser.add_argument("--prompts", type=int, default=512, help="prompts in a draw (default %(default)s)")
    parser.add_argument(
        "--width", type=int, metavar="N", help="cells that run together on one device (default by its memory)"
    )
    parser.add_argument(
        "--share",
        type=share,
        metavar="I/N",
        help="be process I of N (0/N to N-1/N) that share the output folder; any that die are made up for",
    )
    parser.add_argument("--draws", type=int, default=8, help="draws of the prompts (default %(default)s)")
    parser.add_argument("--grid", type=int, metavar="N", help="N x N starts of the first face (default 7 x 6)")
    parser.add_argument("--no-sampling", action="store_true", help="the first face by the mean field alone")
    quick = {"group_sizes": (8,), "prompts": 64, "draws": 4, "grid": 5}
    parser.add_argument(
        "--quick",
        action=Several,
        values=quick,
        help="a first look: --group-sizes 8 --prompts 64 --draws 4 --grid 5",
    )


def run(chosen: argparse.Namespace) -> int:
    """Simulate, draw and say what it means."""
    tick = perf_counter()
    folder = store.writable_folder(chosen.output)  # before minutes of work, not after
    blocks = folder / "blocks"
    one_device_per_core()
    import jax

    from rlsignal import plots, sim

    grid: dict[str, Any] = {}
    if chosen.grid is not None:
        grid = {"pass_rates": np.linspace(0.05, 0.6, chosen.grid), "entropies": np.geomspace(0.1, 2.2, chosen.grid)}
    with Bar(silent=chosen.json) as bar:
        result = sim.inversion_map(
            sim.Recipe(prompts=chosen.prompts, steps=chosen.steps),
            group_sizes=chosen.group_sizes,
            rollouts=chosen.rollouts,
            draws=chosen.draws,
            sampled=not chosen.no_sampling,
            **grid,
            seed=chosen.seed,
            width=chosen.width,
            store=lambda name, recipe: store.BlockStore(blocks / re.sub(r"\W+", "-", name), recipe),
            share=chosen.share,
            progress=bar.update,
        )
    device = jax.devices()[0]
    seconds = round(perf_counter() - tick, 2)
    provenance = {"device": f"{device.platform} {device.device_kind}", "seconds": seconds, "time": asctime()}
    written = saving.save(result, folder / "inversion-map", provenance=provenance)
    picture = folder / "inversion-map.png"
    store.write_atomically(picture, lambda file: plots.plot_map(result).savefig(file, format="png", dpi=110))
    if chosen.share is None:
        shutil.rmtree(blocks, ignore_errors=True)  # the result holds all that they did
    names = [str(path) for path in (written, picture)]
    if chosen.json:
        print(json.dumps({**result.summary, "seconds": seconds, "files": names}))
    else:
        print(f"{result}\nWrote {', '.join(names)} in {seconds:.0f} s.")
    return 0
