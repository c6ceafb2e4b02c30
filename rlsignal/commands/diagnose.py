"""`rlsignal diagnose`: how much signal an evaluation or a log promises, and which checkpoint to start from."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

import rlsignal
from rlsignal import store
from rlsignal.commands.data import add_data, reading
from rlsignal.commands.terminal import command
from rlsignal.data.records import Rollouts, TrainingLog


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "diagnose",
        run,
        "how much signal do these rollouts promise?",
        example="evaluation.jsonl --group-size 16",
    )
    add_data(parser)
    parser.add_argument("--group-size", type=int, default=8, metavar="G", help="of the run (default %(default)s)")
    parser.add_argument("--at", metavar="NAME", help="the checkpoint to diagnose (default the first)")
    parser.add_argument("--batch", type=int, default=64, metavar="N", help="groups in a step (default %(default)s)")
    parser.add_argument("--fewest", type=int, default=1, metavar="N", help="leave out prompts with fewer samples")
    parser.add_argument("--window", type=int, default=50, metavar="N", help="logged rows taken together over time")
    parser.add_argument("--html", metavar="PATH", help="write a page that needs no network")
    parser.add_argument("--counts", metavar="PATH", help="write {id, c, n} lines, which pass@k tools read")


def run(chosen: argparse.Namespace) -> int:
    """Print the findings, and compare the checkpoints where there are several."""
    data = rlsignal.read(chosen.data, **reading(chosen))
    if isinstance(data, TrainingLog) and not np.all(data.samples == chosen.group_size):
        trend = rlsignal.track(data, chosen.group_size, window=min(chosen.window, len(data.latest.step)))
        print(json.dumps(trend.summary) if chosen.json else trend)
        return 0
    several = isinstance(data, Rollouts) and len(data.checkpoints) > 1
    at = _checkpoint(data, chosen.at)
    found = rlsignal.diagnose(data, chosen.group_size, checkpoint=at, batch=chosen.batch, fewest=chosen.fewest)
    compared = rlsignal.compare(data, min(chosen.group_size, found.samples)) if several and found.samples > 1 else None
    written = []
    if chosen.counts:
        counts = data if isinstance(data, Rollouts) else None
        if counts is None:
            raise ValueError("counts are of rollouts, got a training log. It names no prompts.")
        written.append(store.save_counts(counts, chosen.counts))
    if chosen.html:
        from rlsignal.plots import page

        text = page.html(found, compared, source=Path(chosen.data).name)
        store.writable_folder(Path(chosen.html).parent)
        store.write_atomically(Path(chosen.html), lambda file: file.write(text.encode()))
        written.append(Path(chosen.html))
    if chosen.json:
        print(json.dumps({**found.summary, **({"comparison": compared.summary} if compared else {})}))
        return 0
    print(found)
    if data.step is not None and len(np.unique(data.step)) >= 2 * chosen.window:
        print(f"\n{rlsignal.track(data, chosen.group_size, window=chosen.window)}")
    if compared:
        print(f"\n{compared}")
    if written:
        print(f"\nWrote {', '.join(map(str, written))}.")
    return 0


def _checkpoint(data: Any, name: str | None) -> Any:
    """The checkpoint as it stands in the data, which may be a number."""
    known = {str(x): x for x in getattr(data, "checkpoints", ())}
    return known.get(name, name) if name is not None else None
