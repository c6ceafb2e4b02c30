"""`rlsignal ladder`: fine-tune for longer and longer, run GRPO from every checkpoint, and see which order holds."""

import argparse
import json
import re
import shutil
from pathlib import Path
from time import asctime, perf_counter
from typing import Any

from rlsignal import saving, store
from rlsignal.commands.terminal import Bar, add_seed, command, one_device_per_core, share


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(
        commands, "ladder", run, "fine-tune for longer and longer, run GRPO from each checkpoint, compare the orders"
    )
    add_seed(parser)
    parser.add_argument("--output", default="ladder", metavar="FOLDER", help="where to write (default %(default)s)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="tasks and runs (default %(default)s)")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=(3e-4,), metavar="X", help="RL learning rates (default 3e-4)"
    )
    parser.add_argument(
        "--depths", type=int, nargs="+", metavar="N", help="SFT steps of the rungs (default 0 30 100 300 1000 5000)"
    )
    parser.add_argument("--steps", type=int, default=1000, help="of RL, recorded 20 times (default %(default)s)")
    parser.add_argument(
        "--share",
        type=share,
        metavar="I/N",
        help="be process I of N (0/N to N-1/N) that share the output folder; any that die are made up for",
    )


def run(chosen: argparse.Namespace) -> int:
    """Climb both ladders, draw them and say what happened."""
    tick = perf_counter()
    folder = store.writable_folder(chosen.output)  # before minutes of work, not after
    blocks = folder / "blocks"
    one_device_per_core()
    import jax

    from rlsignal import plots, sim

    policy = sim.Network()
    sft = sim.SFTRecipe(policy, depths=tuple(chosen.depths)) if chosen.depths else sim.SFTRecipe(policy)
    every = next(x for x in range(max(1, chosen.steps // 20), chosen.steps + 1) if chosen.steps % x == 0)
    grpo = sim.GRPORecipe(policy, steps=chosen.steps, record_every=every)
    with Bar(silent=chosen.json) as bar:
        ladders = [
            sim.depth_ladder(
                course,
                sft,
                grpo,
                rates=chosen.rates,
                seeds=chosen.seeds,
                seed=chosen.seed,
                store=lambda name, recipe: store.BlockStore(blocks / re.sub(r"\W+", "-", name), recipe),
                share=chosen.share,
                progress=bar.update,
            )
            for course in (sim.INVERTING, sim.SAFE)
        ]
    device = jax.devices()[0]
    seconds = round(perf_counter() - tick, 2)
    provenance = {"device": f"{device.platform} {device.device_kind}", "seconds": seconds, "time": asctime()}
    written: list[Path] = []
    for ladder in ladders:
        name = "ladder-" + re.sub(r"\W+", "-", ladder.name)
        written.append(saving.save(ladder, folder / name, provenance=provenance))
    rows = "".join(json.dumps(row) + "\n" for ladder in ladders for row in ladder.records)
    store.write_atomically(folder / "records.jsonl", lambda file: file.write(rows.encode()))
    picture = folder / "ladder.png"
    store.write_atomically(picture, lambda file: plots.plot_ladders(*ladders).savefig(file, format="png", dpi=110))
    if chosen.share is None:
        shutil.rmtree(blocks, ignore_errors=True)  # the results hold all that they did
    names = [str(path) for path in (*written, folder / "records.jsonl", picture)]
    if chosen.json:
        print(json.dumps({"ladders": [x.summary for x in ladders], "seconds": seconds, "files": names}))
    else:
        print("\n\n".join(map(str, ladders)))
        print(f"\n{_meaning(*ladders)}\nWrote {', '.join(names)} in {seconds:.0f} s.")
    return 0


def _meaning(inverting: Any, safe: Any) -> str:
    """Both ladders in words."""
    lines = []
    for ladder in (inverting, safe):
        reading, pass_at_1 = ladder.reading(), ladder.reading("fresh final pass@1")
        best, deepest = ladder.depths[reading.optimum], ladder.depths[-1]
        if best == deepest:
            lines.append(f"{ladder.name}: the deepest checkpoint is the best to start from.")
            continue
        sure = reading.drop > 3 * reading.error
        lines.append(
            f"{ladder.name}: start from depth {best}, not {deepest}: peak pass@{ladder.k} after RL falls by "
            f"{reading.drop:.3f} (s.e. {reading.error:.3f}{'' if sure else ', no more than noise'}) while pass@1 "
            "before rises; pass@1 after RL "
            + (
                "is best at the deepest."
                if ladder.depths[pass_at_1.optimum] == deepest
                else f"falls by {pass_at_1.drop:.3f} (s.e. {pass_at_1.error:.3f}) from depth "
                f"{ladder.depths[pass_at_1.optimum]}."
            )
        )
    lines.append("A toy: small networks, binary rewards. What it does not show is in docs/inversion.md.")
    return "\n".join(lines)
