"""`rlsignal diagnose`: how much signal an evaluation holds, or a training log over its steps."""

import argparse
import re
from dataclasses import replace
from typing import Any

import numpy as np

import rlsignal
from rlsignal import _validate, store
from rlsignal._show import Result, figure
from rlsignal.commands.data import (
    add_data,
    add_page,
    as_options,
    checkpoint_named,
    given,
    read,
    refuse_idle,
    show,
    write_page,
)
from rlsignal.commands.terminal import command, whole
from rlsignal.commands.track import tracked
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.diagnosis.diagnose import with_samples
from rlsignal.diagnosis.diagnosed import Diagnosis
from rlsignal.diagnosis.prompts import list_prompts


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "diagnose",
        run,
        "how much signal do these rollouts give groups of each size?",
        example="evaluation.jsonl --group-size 16",
    )
    add_data(parser)
    parser.add_argument(
        "--group-size", type=whole, metavar="G", help="rollouts per prompt (default 8, or what a log states)"
    )
    parser.add_argument("--at", metavar="NAME", help="diagnose this checkpoint (default the first)")
    parser.add_argument("--batch", type=whole, metavar="N", help="groups in a step (default 64)")
    parser.add_argument("--fewest", type=whole, metavar="N", help="leave out prompts with fewer samples than this")
    parser.add_argument("--window", type=whole, metavar="N", help="logged rows taken together over time (default 50)")
    add_page(parser)
    parser.add_argument("--counts", metavar="PATH", help="write {id, c, n} lines, which pass@k tools read")
    parser.add_argument("--ids", metavar="PATH", help="write a line a prompt: kind, and how likely it is of no use")
    parser.add_argument(
        "--keep", choices=("informative", "hopeless", "solved"), help="of --ids, only the prompts of this kind"
    )
    parser.add_argument(
        "--require",
        metavar="RULE",
        help='such as "informative>=0.3": exit status 0 if its interval meets that, 1 if not, 3 if undecided',
    )


def run(chosen: argparse.Namespace) -> int:
    """Print the findings, compare the checkpoints where there are several, and track what has steps."""
    store.check_outputs({"--html": chosen.html, "--counts": chosen.counts, "--ids": chosen.ids}, [chosen.data])
    if chosen.keep is not None and chosen.ids is None:
        raise ValueError("--keep must be given with --ids, the file that it writes to, got --keep alone.")
    rule = _rule(chosen.require) if chosen.require is not None else None
    window = 50 if chosen.window is None else _validate.whole("window", chosen.window, 1)
    data = read(chosen, chosen.data)
    g: int | None = chosen.group_size
    if isinstance(data, TrainingLog):
        g = data.group_size if g is None else g  # of another size its shares would be misread
        if g is None or not np.all(data.latest.samples == g):
            refuse_idle(chosen, "a training log whose rows are not one group each", "group_size", "window", "html")
            if g is None:
                raise ValueError(f"--group-size must be given, for the log does not state it: {_way_out(data)}.")
            return tracked(chosen, data, group_size=g, window=window, **given(chosen, "groups"))
    g = 8 if g is None else g
    over_time = data.step is not None and len(np.unique(data.step)) >= 2 * window
    acting = ["group_size", "batch", "html", "require", *["window"] * over_time]
    if isinstance(data, Rollouts):
        acting += ["fewest", "counts", "ids", "keep", *["at"] * bool(data.checkpoints)]
    steps = "a training log" if isinstance(data, TrainingLog) else "an evaluation" if data.step is None else "a dump"
    what = f"{steps}{'' if over_time else f' of fewer than {2 * window} steps'}"
    refuse_idle(
        chosen, what if isinstance(data, TrainingLog) or data.checkpoints else f"{what} without checkpoints", *acting
    )

    at = checkpoint_named(data, chosen.at) if isinstance(data, Rollouts) else None
    found = rlsignal.diagnose(data, g, checkpoint=at, **given(chosen, "batch", "fewest"))
    found = replace(found, notes=tuple(as_options(note, checkpoint="at") for note in found.notes))
    several = isinstance(data, Rollouts) and len(data.checkpoints) > 1 and found.samples > 1
    compared = rlsignal.compare(data, min(g, found.samples)) if several else None
    trend = rlsignal.track(data, g, window=window) if over_time else None
    results: list[Result] = [result for result in (found, trend, compared) if result is not None]
    written = write_page(chosen.html, results, chosen.data)
    if chosen.counts:
        written.append(store.save_counts(data, chosen.counts))
    if chosen.ids and isinstance(data, Rollouts):
        one = data.at(checkpoint=data.checkpoints[0] if at is None else at) if data.checkpoints else data
        listed = list_prompts(with_samples(one, chosen.fewest or 1), g)
        results.append(listed)
        written.append(store.save_rows(listed.rows(*filter(None, [chosen.keep])), chosen.ids))
    more = {"track": trend, "comparison": compared}
    gate = {"require": {"rule": chosen.require, "status": _status(rule, found)}} if rule else {}
    summary = {**found.summary, **{name: x.summary for name, x in more.items() if x is not None}, **gate}
    show(chosen, "\n\n".join(map(str, results)), summary, written)
    if rule and not chosen.json:
        said = {0: "met", 1: "not met", 3: "not decided by these samples"}[_status(rule, found)]
        low, high = _interval(rule[0], found)
        print(f"\nRequired: {chosen.require}: {said}, by the interval [{figure(low)}, {figure(high)}].")
    return _status(rule, found)


def _rule(text: str) -> tuple[str, bool, float]:
    """A quantity, whether it must be at least, and the limit."""
    parts = re.fullmatch(r"\s*([a-z@0-9]+)\s*(>=|<=)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*", text)
    if parts is None or parts[1] not in REQUIRED:
        raise ValueError(
            f"--require must be a quantity ({', '.join(REQUIRED)}), >= or <=, and a number, got {text!r}, as in "
            '"informative>=0.3".'
        )
    return parts[1], parts[2] == ">=", float(parts[3])


REQUIRED = ("informative", "degenerate", "pass@1", "signal", "dispersion")


def _status(rule: tuple[str, bool, float] | None, found: Diagnosis) -> int:
    """0 where the whole interval meets the rule, 1 where none of it does, 3 where it does not decide."""
    if rule is None:
        return 0
    name, at_least, limit = rule
    low, high = _interval(name, found)
    if not at_least:
        low, high, limit = -high, -low, -limit
    return 0 if low >= limit else 1 if high < limit else 3


def _interval(name: str, found: Diagnosis) -> tuple[float, float]:
    share = found.chosen.degenerate
    return {
        "informative": (1 - share.high, 1 - share.low),
        "degenerate": (share.low, share.high),
        "pass@1": (found.pass_at_1.low, found.pass_at_1.high),
        "signal": (found.signal.low, found.signal.high),
        "dispersion": (found.dispersion.low, found.dispersion.high),
    }[name]


def _way_out(log: TrainingLog) -> str:
    """Of a log that does not state its group size."""
    rows = set(log.latest.samples.tolist())
    one = len(rows) == 1 and 2 <= min(rows) <= 64 and not np.isfinite(log.degenerate).any()
    return f"--group-size {rows.pop()} if each row is one group" if one else "--group-size 8 if it is 8"
