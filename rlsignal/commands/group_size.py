"""`rlsignal group-size`: a group size for a budget, from two numbers or a file."""

import argparse
import json
from typing import Any

import rlsignal
from rlsignal import _validate
from rlsignal.commands.data import add_data, checkpoint_named, given, read, refuse_idle
from rlsignal.commands.terminal import add_estimator, command, number, whole
from rlsignal.data.records import TrainingLog

ADVICE = ("budget", "prompts", "estimator", "largest", "tokens", "rollout_seconds", "batch", "draws", "steps", "pool")


def add(commands: Any) -> None:
    """Declare the command."""
    example = "--mean 0.28 --degenerate 0.54 --logged-at 8 --budget 512"
    parser = command(commands, "group-size", run, "which group size for a budget of rollouts?", example=example)
    add_data(parser, "?", logs=False)
    numbers = parser.add_argument_group("instead of a file")
    numbers.add_argument("--mean", type=number, metavar="X", help="mean binary reward")
    numbers.add_argument("--dispersion", type=number, metavar="X", help="of pass rates over prompts; 0: all are alike")
    numbers.add_argument("--degenerate", type=number, metavar="X", help="logged fraction of groups with equal rewards")
    numbers.add_argument("--logged-at", type=whole, metavar="G", help="the group size behind --degenerate, or of a log")
    parser.add_argument("--at", metavar="NAME", help="the checkpoint to advise, where FILE has several")
    parser.add_argument("--budget", type=whole, metavar="N", help="rollouts in a step (default 512)")
    parser.add_argument("--prompts", type=whole, metavar="N", help="a step must have so many at least (default 8)")
    parser.add_argument(
        "--tokens",
        type=number,
        nargs=2,
        metavar=("P", "C"),
        help="tokens of a prompt, read once a group, and a completion",
    )
    parser.add_argument(
        "--rollout-seconds",
        type=number,
        metavar="S",
        help="GPU seconds of a rollout, for informative groups per GPU hour",
    )
    parser.add_argument("--batch", type=whole, metavar="N", help="groups that dynamic sampling keeps (default 64)")
    parser.add_argument("--draws", type=whole, metavar="N", help="batches that it may draw for them (default 10)")
    parser.add_argument(
        "--steps", type=whole, metavar="N", help="of the whole run: what it reaches, which g ends highest"
    )
    parser.add_argument(
        "--pool", type=whole, metavar="N", help="with --steps: prompts in the data set (default FILE's)"
    )
    add_estimator(parser, "whose weights of hard prompts are shown")
    parser.add_argument("--largest", type=whole, metavar="G", help="the largest group looked at (default 64)")


def run(chosen: argparse.Namespace) -> int:
    """Print the advice."""
    source = _from_file(chosen) if chosen.data is not None else _from_numbers(chosen)
    options = given(
        chosen, "prompts", "largest", "estimator", "tokens", "rollout_seconds", "batch", "draws", "steps", "pool"
    )
    if isinstance(source, TrainingLog):
        options |= given(chosen, "logged_at", "groups")
    if chosen.budget is not None:
        options["rollouts"] = chosen.budget
    advice = rlsignal.recommend_group_size(source, **options)
    print(json.dumps(advice.summary) if chosen.json else advice)
    return 0


def _from_file(chosen: argparse.Namespace) -> Any:
    """One checkpoint's rollouts, or a log."""
    refuse_idle(chosen, "a file, which replaces the numbers", *ADVICE, "at", "logged_at", "groups")
    data = read(chosen, chosen.data)
    if isinstance(data, TrainingLog):
        refuse_idle(chosen, "a training log, which names no checkpoints", *ADVICE, "logged_at", "groups")
        return data
    refuse_idle(chosen, "data that is no training log", *ADVICE, "at")
    if not data.checkpoints:
        refuse_idle(chosen, "data that names no checkpoints", *ADVICE)
    elif len(data.checkpoints) > 1 and chosen.at is None:
        named = ", ".join(str(name) or "''" for name in data.checkpoints)
        raise ValueError(f"--at must name one of the checkpoints {named}, got none.")
    return data.at(checkpoint=checkpoint_named(data, chosen.at)) if data.checkpoints else data


def _from_numbers(chosen: argparse.Namespace) -> Any:
    """The Beta that the numbers determine."""
    if chosen.mean is None:
        raise ValueError("FILE or --mean must be given, got neither. With --mean give --dispersion or --degenerate.")
    for name, value in given(chosen, "mean", "dispersion", "degenerate").items():
        _validate.probability(name, value)
    if chosen.degenerate is not None:
        if chosen.logged_at is None:
            raise ValueError("--logged-at must be given with --degenerate: the group size of the log.")
        refuse_idle(chosen, "--mean and --degenerate", *ADVICE, "mean", "degenerate", "logged_at")
        dispersion = rlsignal.dispersion_for(chosen.mean, chosen.degenerate, chosen.logged_at)
        return rlsignal.Beta(chosen.mean, dispersion)
    if chosen.dispersion is None:
        raise ValueError(
            "--dispersion or --degenerate must be given with --mean: a mean alone does not determine how many groups "
            "are degenerate."
        )
    refuse_idle(chosen, "--mean and --dispersion", *ADVICE, "mean", "dispersion")
    return rlsignal.Beta(chosen.mean, chosen.dispersion)
