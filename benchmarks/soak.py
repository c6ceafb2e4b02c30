"""Kill, fill, race and interrupt `map` and `ladder`: nothing is lost, no number changes, and none crashes.

python benchmarks/soak.py 50        # kills of each command, on disk and on a tmpfs of 4 MB; `make soak`
"""

import glob
import json
import multiprocessing
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from rlsignal.store import BlockStore

COMMANDS = {
    "map": shlex.split("map --group-sizes 8 --prompts 32 --draws 2 --grid 3 --steps 60 --rollouts 480"),
    "ladder": shlex.split("ladder --seeds 2 --depths 0 10 --steps 20"),
}
ROOM = 4 << 20  # bytes of the small disk


def started(command: list[str], folder: Path, **environment: str) -> subprocess.Popen[str]:
    """The command, writing to this folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "rlsignal", *command, "--json", "--output", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def found(folder: Path) -> dict[str, Any]:
    """Everything in the results that a folder holds but when and where they were computed."""
    results: dict[str, Any] = {}
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as members:
            arrays = {name: members[name].tobytes() for name in members.files if name != "digest"}
        results[path.name] = {**arrays, "result": json.loads(arrays["result"])["result"]}
    return results


def blocks(folder: Path) -> dict[Path, tuple[int, bytes]]:
    """Finished blocks: when each was written, and what it holds."""
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.glob("blocks/*/block-*.npz")}


def _watched(
    run: subprocess.Popen[str], folder: Path, *, stop: int | None = None, after: float | None = None
) -> tuple[int, str]:
    """Wait until the run ends; kill it at once where it has `stop` blocks, or lasts longer than `after` seconds.

    Returns the most blocks that were seen, and what it said.
    """
    most, until = 0, time.monotonic() + after if after is not None else None
    while run.poll() is None:
        most = max(most, len(glob.glob(f"{folder}/blocks/*/block-*.npz")))  # unlike Path's, not of what goes meanwhile
        if (stop is not None and most >= stop) or (until is not None and time.monotonic() > until):
            time.sleep(random.uniform(0, 0.05))
            run.kill()
        time.sleep(0.005)
    return most, run.communicate()[1]


def killed(name: str, place: Path, kills: int, chance: random.Random, *, fill: bool = False) -> Counter[str]:
    """Kill the command again and again, resuming each run until it ends; with `fill`, on a disk that is at times full.

    An error where a block that was finished is lost or computed again, or where a result differs in any bit.
    """
    counts, command = Counter[str](), COMMANDS[name]
    with tempfile.TemporaryDirectory() as alone:
        most = _watched(started(command, Path(alone)), Path(alone))[0]
        right = found(Path(alone))
    assert right, f"{name} wrote nothing"
    while counts["killed"] < kills:
        folder, ballast = Path(tempfile.mkdtemp(dir=place)), place / "ballast"
        for _ in range(min(chance.randint(1, 6), kills - counts["killed"])):
            before = blocks(folder)
            if fill and chance.random() < 0.3:
                ballast.write_bytes(bytes(max(0, shutil.disk_usage(place).free - chance.randrange(4 << 10, 64 << 10))))
            run = started(command, folder)
            if chance.random() < 0.3:  # anywhere
                _, said = _watched(run, folder, after=chance.uniform(0.3, 8))
            else:  # around a block that is computed, written or renamed
                _, said = _watched(run, folder, stop=chance.randint(min(len(before), most) + 1, most + 1), after=60)
            if run.returncode == -signal.SIGKILL:
                counts["killed"] += 1
            else:
                full = run.returncode == 2 and said.count("\n") == 1 and "No space left" in said
                assert run.returncode == 0 or full, f"{name} ended with {run.returncode}: {said}"
                counts["disk full" if full else "ended before its kill"] += 1
            ballast.unlink(missing_ok=True)
            if not found(folder):  # else the run was done, and may have deleted its blocks
                after = blocks(folder)
                lost = [path for path in before if after.get(path) != before[path]]
                assert not lost, f"{name} lost {lost}"
                counts["blocks kept"] += len(before)
        run = started(command, folder)
        _, said = run.communicate()
        assert run.returncode == 0, f"{name} ended with {run.returncode}: {said}"
        assert found(folder) == right, f"{name}: a resumed run differs from the uninterrupted one"
        left = [path for path in folder.rglob("*") if path.name == "blocks" or path.suffix == ".tmp"]
        assert not [path for path in left if path.name == "blocks"], f"{name} left its blocks behind"
        counts["temporary files left by kills"] += len(left)
        counts["runs equal to the uninterrupted one"] += 1
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    return counts


def interrupted(name: str, times: int, chance: random.Random) -> Counter[str]:
    """Ctrl-C at random moments of start-up and compilation: status 130, or by the signal before our code begins."""
    counts, slowest = Counter[str](), 0.0
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            run = started(COMMANDS[name], Path(folder), JAX_ENABLE_COMPILATION_CACHE="false")
            time.sleep(chance.uniform(0.2, 8))
            run.send_signal(signal.SIGINT)
            tick = time.perf_counter()
            _, said = run.communicate(timeout=60)
            slowest = max(slowest, time.perf_counter() - tick)
            assert run.returncode in (130, -signal.SIGINT), f"{name} ended with {run.returncode}: {said}"
            assert "Segmentation" not in said, said
            assert "Fatal" not in said, said
            assert not list(Path(folder).rglob("*.tmp"))
            counts[f"status {run.returncode}"] += 1
    counts["slowest, in ms"] = round(1000 * slowest)
    return counts


def _race(folder: str, seed: int, barrier: Any, answers: Any) -> None:
    barrier.wait()
    try:
        kept = BlockStore(folder, {"seed": str(seed)})
        kept.put(0, [np.full(9, seed)])
        answers.put((seed, int(kept.get(0)[0][0])))  # type: ignore[index]
    except ValueError as error:
        answers.put((seed, str(error)))


def raced(times: int) -> Counter[str]:
    """Two recipes started at once in one folder: one is accepted and keeps its numbers, the other is refused."""
    counts, context = Counter[str](), multiprocessing.get_context("fork")
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            barrier, answers = context.Barrier(2), context.Queue()
            both = [context.Process(target=_race, args=(folder, seed, barrier, answers)) for seed in (1, 2)]
            for process in both:
                process.start()
            said = dict(answers.get(timeout=60) for _ in both)
            for process in both:
                process.join()
            refused = [seed for seed, x in said.items() if isinstance(x, str) and "another recipe" in x]
            accepted = [seed for seed, x in said.items() if x == seed]
            assert len(refused) == len(accepted) == 1, said
            counts["one accepted, one refused"] += 1
    return counts


def doubled(name: str, times: int) -> Counter[str]:
    """The same command started twice at once in one folder: one runs, and the other is refused."""
    counts = Counter[str]()
    for _ in range(times):
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            both = [started(COMMANDS[name], folder) for _ in range(2)]
            said = [run.communicate()[1] for run in both]
            assert sorted(run.returncode for run in both) == [0, 2], said
            assert "no other run writes to" in "".join(said), said
            counts["one ran, one refused"] += 1
            assert [x.name for x in folder.iterdir() if x.name == "blocks" or x.suffix == ".tmp"] == []
    return counts


def small_disk() -> Path | None:
    """A tmpfs of 4 MB, gone with this process; None where the system lets us mount none."""
    folder = Path(tempfile.mkdtemp())
    command = ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(folder)]
    return folder if subprocess.run(command, capture_output=True).returncode == 0 else None


def main(kills: int) -> None:
    """All of it, each with its counts."""
    chance, tick = random.Random(0), time.perf_counter()

    def say(what: str, counts: Counter[str]) -> None:
        print(f"{what}: {dict(counts)}; {time.perf_counter() - tick:.0f} s, load {os.getloadavg()[0]:.1f}", flush=True)

    small = small_disk()
    if small is None:
        print("No tmpfs can be mounted here: kills on a small disk are left out.")
    say("races", raced(2 * kills))
    for name in COMMANDS:
        say(f"{name}, interrupted in compilation", interrupted(name, max(1, kills // 2), chance))
        say(f"{name}, twice at once", doubled(name, max(1, kills // 10)))
        with tempfile.TemporaryDirectory() as folder:
            say(f"{name}, killed on disk", killed(name, Path(folder), kills, chance))
        if small is not None:
            say(f"{name}, killed on a tmpfs of 4 MB", killed(name, small, kills, chance, fill=True))


if __name__ == "__main__":
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # what a shell lets its background jobs ignore, children would
    own = ["unshare", "--map-root-user", "--mount"]  # so that the small disk needs no rights and leaves no trace
    if len(sys.argv) == 2 and subprocess.run([*own, "true"], capture_output=True).returncode == 0:
        os.execvp("unshare", [*own, sys.executable, *sys.argv, "apart"])
    main(int(sys.argv[1]))
