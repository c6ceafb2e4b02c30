"""The command line: `rlsignal verify`, `rlsignal map`; each with --json for machines.

Everything that prints, shows progress, or reads the command line is here.
"""

import argparse
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from time import asctime, perf_counter
from typing import Any

import numpy as np

import rlsignal
from rlsignal import files


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 1 where a claim failed, 2 for bad input, 130 when interrupted."""
    chosen = _parser().parse_args(arguments)
    try:
        return chosen.run(chosen)
    except (ValueError, OSError) as error:
        print(f"rlsignal {chosen.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        resume = " Finished blocks are kept: run the same command to go on." if chosen.command == "map" else ""
        print(f"rlsignal {chosen.command}: interrupted.{resume}", file=sys.stderr)
        return 130


def _verify(chosen: argparse.Namespace) -> int:
    tick = perf_counter()
    result = rlsignal.verify(seed=chosen.seed, groups=chosen.groups)
    seconds = round(perf_counter() - tick, 2)
    print(json.dumps({**result.summary, "seconds": seconds}) if chosen.json else f"{result} {seconds:.1f} s.")
    return 0 if result.passed else 1


def _map(chosen: argparse.Namespace) -> int:
    tick = perf_counter()
    folder = files.writable_folder(chosen.output)  # before minutes of work, not after
    blocks = folder / "blocks"
    _one_device_per_core()
    import jax

    from rlsignal import plots, sim

    grid: dict[str, Any] = {}
    if chosen.grid is not None:
        grid = {"pass_rates": np.linspace(0.05, 0.6, chosen.grid), "entropies": np.geomspace(0.1, 2.2, chosen.grid)}
    with _Bar(silent=chosen.json) as bar:
        result = sim.inversion_map(
            sim.Recipe(prompts=chosen.prompts, steps=chosen.steps),
            group_sizes=chosen.group_sizes,
            rollouts=chosen.rollouts,
            draws=chosen.draws,
            sampled=not chosen.no_sampling,
            **grid,
            seed=chosen.seed,
            store=lambda name, recipe: files.BlockStore(blocks / re.sub(r"\W+", "-", name), recipe),
            share=chosen.share,
            progress=bar.update,
        )
    device = jax.devices()[0]
    seconds = round(perf_counter() - tick, 2)
    provenance = {"device": f"{device.platform} {device.device_kind}", "seconds": seconds, "time": asctime()}
    written = files.save(result, folder / "inversion-map", provenance=provenance)
    picture = folder / "inversion-map.png"
    files.write_atomically(picture, lambda file: plots.plot_map(result).savefig(file, format="png", dpi=110))
    if chosen.share is None:
        shutil.rmtree(blocks, ignore_errors=True)  # the result holds all that they did
    names = [str(path) for path in (*written, picture)]
    if chosen.json:
        print(json.dumps({**result.summary, "seconds": seconds, "files": names}))
    else:
        print(f"{result}\nWrote {', '.join(names)} in {seconds:.0f} s.")
    return 0


def _one_device_per_core() -> None:
    """XLA keeps all cores busy only with one virtual device for each; settled before jax is first imported."""
    if "jax" not in sys.modules and "device_count" not in os.environ.get("XLA_FLAGS", ""):
        flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={os.cpu_count()}"
        os.environ["XLA_FLAGS"] = flags.strip()


class _Bar:
    """A tqdm bar for each part of a long run."""

    def __init__(self, *, silent: bool) -> None:
        self.silent, self.part, self.bar = silent, "", None

    def __enter__(self) -> "_Bar":
        return self

    def update(self, part: str, done: int, total: int) -> None:
        from tqdm import tqdm

        if part != self.part:
            self.__exit__()
            self.part, self.bar = part, tqdm(total=total, desc=part, unit="cell", disable=self.silent, leave=False)
        if self.bar is not None:
            self.bar.update(done - self.bar.n)

    def __exit__(self, *_: Any) -> None:
        if self.bar is not None:
            self.bar.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="rlsignal", description="Does this checkpoint, with this group size, still give RL a signal?"
    )
    parser.add_argument("--version", action="version", version=f"rlsignal {rlsignal.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    verify = _command(commands, "verify", _verify, "check every formula: closed form, exact enumeration, Monte Carlo")
    verify.add_argument("--groups", type=int, default=200_000, help="groups drawn for each claim (default %(default)s)")

    inversion = _command(commands, "map", _map, "simulate and draw where rank inversion occurs, and what causes it")
    inversion.add_argument("--output", default="map", metavar="FOLDER", help="where to write (default %(default)s)")
    inversion.add_argument("--group-sizes", type=int, nargs="+", default=(4, 8, 32), metavar="G")
    inversion.add_argument("--steps", type=int, default=400, help="optimizer steps, the equal-steps budget")
    inversion.add_argument("--rollouts", type=int, default=3200, help="per prompt, the equal-rollouts budget")
    inversion.add_argument("--prompts", type=int, default=512, help="prompts in a draw (default %(default)s)")
    inversion.add_argument(
        "--share",
        type=_share,
        metavar="I/N",
        help="be process I of N (0/N to N-1/N) that share the output folder; any that die are made up for",
    )
    inversion.add_argument("--draws", type=int, default=8, help="draws of the prompts (default %(default)s)")
    inversion.add_argument("--grid", type=int, metavar="N", help="N x N starts of the first face (default 7 x 6)")
    inversion.add_argument("--no-sampling", action="store_true", help="the first face by the mean field alone")
    quick = {"group_sizes": (8,), "prompts": 64, "draws": 4, "grid": 5}
    inversion.add_argument(
        "--quick",
        action=_Several,
        values=quick,
        help="a first look: --group-sizes 8 --prompts 64 --draws 4 --grid 5",
    )
    return parser


class _Several(argparse.Action):
    """A flag that stands for several options."""

    def __init__(self, *, values: dict[str, Any], **keywords: Any) -> None:
        super().__init__(nargs=0, default=argparse.SUPPRESS, **keywords)
        self.values = values

    def __call__(self, parser: Any, chosen: argparse.Namespace, *_: Any) -> None:
        for name, value in self.values.items():
            setattr(chosen, name, value)


def _share(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d+)/(\d+)", text)
    if not found or int(found[1]) >= int(found[2]):
        raise argparse.ArgumentTypeError(f"share must be I/N with 0 <= I < N, got {text!r}. The first of four is 0/4.")
    return int(found[1]), int(found[2])


def _command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    example = f"example: rlsignal {name} --seed 1 --json"
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".", epilog=example)
    parser.set_defaults(run=run)
    parser.add_argument("--seed", type=int, default=0, help="of every random number (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON for machines and no progress")
    return parser


if __name__ == "__main__":
    sys.exit(main())
