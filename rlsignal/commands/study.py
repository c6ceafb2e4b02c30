"""What the commands that simulate share: a folder to write to, a runner that keeps its blocks there, and a report."""

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from time import asctime, perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from rlsignal import saving, store
from rlsignal._show import visible
from rlsignal.commands.terminal import Bar, add_seed, prepare_jax, whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rlsignal.sim import Runner


class Report(NamedTuple):
    """What a study found, and how it is shown."""

    results: dict[str, Any]  # by the name of the file that keeps each
    text: str
    summary: dict[str, Any]  # JSON-ready
    pictures: dict[str, Callable[[], "Figure"]]  # by the names of their files; drawn once all else is written
    records: Sequence[dict[str, Any]] = ()  # rows for records.jsonl, if any


def add_study(parser: argparse.ArgumentParser, folder: str) -> None:
    """Options of every study."""
    add_seed(parser)
    parser.add_argument("--output", default=folder, metavar="FOLDER", help="where to write (default %(default)s)")
    parser.add_argument(
        "--dask", metavar="ADDRESS", help="run on Dask's workers: tcp://HOST:8786, or local:N for N of this machine"
    )
    parser.add_argument(
        "--width", type=whole, metavar="N", help="cells that run together on one device (default by its memory)"
    )


@contextlib.contextmanager
def dask_executor(address: str | None) -> Iterator[Executor | None]:
    """Workers of Dask; None for the devices of this process.

    Raises
    ------
    ModuleNotFoundError : Dask is not installed.
    OSError : nobody answers at the address.
    """
    if address is None:
        yield None
        return
    try:
        import dask
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("--dask needs Dask. Install it with: pip install 'rlsignal[dask]'") from error
    with contextlib.ExitStack() as stack:
        local, place = re.fullmatch(r"local:([1-9]\d*)", address), address
        if local:
            # else a worker that died and takes over 15 s to start again is given up, and the last one with all its work
            dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})
            cluster = LocalCluster(n_workers=int(local[1]), threads_per_worker=1, dashboard_address=None)
            place = stack.enter_context(cluster).scheduler_address
        try:
            client = stack.enter_context(Client(place, timeout="8s"))
        except (OSError, ValueError) as error:
            raise OSError(
                f"--dask must be the address of a Dask scheduler that answers, or local:N, got {address!r} ({error})."
            ) from error
        yield client.get_executor(pure=False)


def run_study(chosen: argparse.Namespace, study: Callable[["Runner"], Report]) -> int:
    """Simulate, write, draw and say what was found. What an interrupted run has finished is kept, and then deleted."""
    folder = store.writable_folder(chosen.output)  # before minutes of work, not after
    with store.alone_in(folder):
        return _run_in(folder, chosen, study)


def _run_in(folder: Path, chosen: argparse.Namespace, study: Callable[["Runner"], Report]) -> int:
    tick = perf_counter()
    prepare_jax()
    from rlsignal.sim import Runner
    from rlsignal.sim.runner import device_name

    blocks = store.BlockFolder(folder / "blocks")
    with dask_executor(chosen.dask) as executor, Bar(silent=chosen.json) as bar:
        report = study(Runner(executor, blocks, chosen.width, bar.update))
    seconds = round(perf_counter() - tick, 2)
    provenance = {"device": device_name(), "seconds": seconds, "time": asctime()}
    written = [saving.save(found, folder / name, provenance=provenance) for name, found in report.results.items()]
    if report.records:
        written.append(store.save_rows(report.records, folder / "records.jsonl"))
    blocks.clear()  # the results hold all that they did
    failures = []
    for name, draw in report.pictures.items():
        try:
            store.write_atomically(folder / name, partial(draw().savefig, format="png", dpi=110))
            written.append(folder / name)
        except Exception as error:  # minutes of work are never lost to their picture
            failures.append(f"{name} could not be drawn ({error}); the results are saved, rlsignal.load reads them.")
    names = [str(path) for path in written]
    if chosen.json:
        print(json.dumps({**report.summary, "seconds": seconds, "files": names}))
    else:
        print(f"{report.text}\nWrote {visible(', '.join(names))} in {seconds:.0f} s.")
    for failure in failures:
        print(f"rlsignal {chosen.command}: {visible(' '.join(failure.split()))}", file=sys.stderr)
    return 2 if failures else 0
