"""`rlsignal group-size`: a group size for a budget, from two numbers or a file."""

import argparse
import json
from typing import Any

import rlsignal
from rlsignal.commands.data import add_data, reading
from rlsignal.commands.terminal import command
from rlsignal.data.records import Rollouts


def add(commands: Any) -> None:
    """Declare the command."""
    example = "--mean 0.28 --degenerate 0.54 --logged-at 8 --budget 512"
    parser = command(commands, "group-size", run, "which group size for a budget of rollouts?", example=example)
    add_data(parser, required=False)
    numbers = parser.add_argument_group("instead of a file")
    numbers.add_argument("--mean", type=float, help="mean binary reward")
    numbers.add_argument("--dispersion", type=float, help="of the pass rates over prompts; 0 if they are all alike")
    numbers.add_argument("--degenerate", type=float, help="logged fraction of groups with equal rewards")
    numbers.add_argument("--logged-at", type=int, metavar="G", help="the group size of that log")
    parser.add_argument("--budget", type=int, default=512, metavar="N", help="rollouts a step (default %(default)s)")
    parser.add_argument(
        "--informative", type=float, default=0.5, metavar="X", help="share that should teach (default %(default)s)"
    )
    parser.add_argument("--estimator", default="GRPO", choices=[x.name for x in rlsignal.estimators.ESTIMATORS])
    parser.add_argument("--largest", type=int, default=64, metavar="G", help="largest looked at (default %(default)s)")


def run(chosen: argparse.Namespace) -> int:
    """Print the advice."""
    advice = rlsignal.recommend_group_size(
        _population(chosen),
        rollouts=chosen.budget,
        informative=chosen.informative,
        estimator=next(x for x in rlsignal.estimators.ESTIMATORS if x.name == chosen.estimator),
        largest=chosen.largest,
    )
    print(json.dumps(advice.summary) if chosen.json else advice)
    return 0


def _population(chosen: argparse.Namespace) -> Any:
    """The law of pass rates that the numbers or the file tell."""
    if chosen.data is not None:
        if chosen.mean is not None:
            raise ValueError("FILE or --mean must be given, got both.")
        data = rlsignal.read(chosen.data, **reading(chosen))
        if not isinstance(data, Rollouts):
            data = rlsignal.diagnosis.diagnose.grouped(data, int(data.samples.max()))
        if len(data.checkpoints) > 1:
            data = data.at(checkpoint=data.checkpoints[0])
        return rlsignal.Recorded(data.correct, data.samples)
    if chosen.mean is None:
        raise ValueError("FILE or --mean must be given, got neither. With --mean give --dispersion or --degenerate.")
    if chosen.degenerate is not None:
        if chosen.logged_at is None:
            raise ValueError("--logged-at must be given with --degenerate: the group size of the log.")
        return rlsignal.Beta(chosen.mean, rlsignal.dispersion_for(chosen.mean, chosen.degenerate, chosen.logged_at))
    if chosen.dispersion is None:
        raise ValueError(
            "--dispersion or --degenerate must be given with --mean: a mean alone does not tell how many groups agree."
        )
    return rlsignal.Beta(chosen.mean, chosen.dispersion)
