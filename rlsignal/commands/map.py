"""`rlsignal map`: where rank inversion occurs, and what causes it."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import rlsignal
from rlsignal import _validate
from rlsignal.commands.data import as_options, short_names
from rlsignal.commands.study import Report, add_study, run_study
from rlsignal.commands.terminal import Several, add_estimator, command, number, whole
from rlsignal.data.records import Rollouts
from rlsignal.diagnosis.compare import dropped, evaluations, left_out, on_prompts, shared_prompts
from rlsignal.theory.frameworks import GRPO
from rlsignal.theory.recorded import Recorded


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "map",
        run,
        "simulate and draw where rank inversion occurs, and what causes it",
        example="--quick --output first-look",
    )
    add_study(parser, "map")
    parser.add_argument(
        "--group-sizes", type=whole, nargs="+", default=(4, 8, 32), metavar="G", help="of each map (default 4 8 32)"
    )
    parser.add_argument(
        "--steps", type=whole, default=400, help="optimizer steps, the equal-steps budget (default 400)"
    )
    parser.add_argument(
        "--rollouts", type=whole, default=3200, help="per prompt, the equal-rollouts budget (default %(default)s)"
    )
    parser.add_argument("--prompts", type=whole, default=512, help="prompts in a draw (default %(default)s)")
    parser.add_argument(
        "--responses", type=whole, default=32, help="of a prompt, all that there are (default %(default)s)"
    )
    parser.add_argument("--correct", type=whole, default=2, help="of these responses (default %(default)s)")
    add_estimator(parser, "whose updates are simulated")
    parser.add_argument("--optimizer", choices=("sgd", "adam"), default="sgd", help="adam is sampled throughout")
    parser.add_argument("--learning-rate", type=number, metavar="X", help="default 1 of plain ascent, 0.02 of adam")
    parser.add_argument("--dynamic-sampling", action="store_true", help="steps are means over informative groups")
    parser.add_argument("--temperature", type=number, default=1.0, metavar="T", help="of the rollouts (default 1)")
    parser.add_argument("--kl", type=number, default=0.0, metavar="B", help="weight of the KL to the start (default 0)")
    parser.add_argument("--draws", type=whole, default=8, help="draws of the prompts (default %(default)s)")
    parser.add_argument("--grid", type=whole, metavar="N", help="N x N starts of the first face (default 7 x 6)")
    parser.add_argument("--no-sampling", action="store_true", help="the first face by the mean field alone")
    parser.add_argument(
        "--checkpoints",
        nargs="+",
        metavar="FILE",
        help="evaluations of your checkpoints on the same prompts: where they stand on the map, and where the model "
        "takes them; not with --kl, --temperature, --dynamic-sampling or --optimizer",
    )
    quick = {"group_sizes": (8,), "prompts": 64, "draws": 4, "grid": 5}
    parser.add_argument(
        "--quick",
        action=Several,
        values=quick,
        help="a first look: --group-sizes 8 --prompts 64 --draws 4 --grid 5",
    )


def run(chosen: argparse.Namespace) -> int:
    """Simulate the map, draw it and say what it means."""
    if chosen.checkpoints and (
        chosen.kl or chosen.temperature != 1 or chosen.dynamic_sampling or chosen.optimizer != "sgd"
    ):
        raise ValueError(
            "--checkpoints are followed by plain ascent at temperature 1 alone. "
            "Leave out --kl, --temperature, --dynamic-sampling and --optimizer."
        )
    own, missing = _evaluated(chosen.checkpoints or ())  # read before minutes of work, not after

    def study(runner: Any) -> Report:
        import optax

        from rlsignal import plots, sim

        grid: dict[str, Any] = {}
        if chosen.grid is not None:
            _validate.whole("grid", chosen.grid, 2, 100)
            grid = {"pass_rates": np.linspace(0.05, 0.6, chosen.grid), "entropies": np.geomspace(0.1, 2.2, chosen.grid)}
        usual = {"sgd": 1.0, "adam": 0.02}[chosen.optimizer]
        rate = usual if chosen.learning_rate is None else chosen.learning_rate
        training: dict[str, Any] = {"estimator": chosen.estimator or GRPO, "learning_rate": rate}
        training |= {"seed": chosen.seed, "runner": runner}
        recipe = sim.Recipe(
            prompts=chosen.prompts,
            responses=chosen.responses,
            correct=chosen.correct,
            steps=chosen.steps,
            optimizer=optax.adam if chosen.optimizer == "adam" else optax.sgd,
            dynamic_sampling=chosen.dynamic_sampling,
        )
        middle = replace(recipe, group_size=sorted(chosen.group_sizes)[len(chosen.group_sizes) // 2])
        # before the map: it refuses what has no answer
        ends = sim.simulate_checkpoints(own, middle, **training) if own else None
        ends = replace(ends, notes=(*missing, *ends.notes)) if ends else None
        result = sim.inversion_map(
            recipe,
            group_sizes=chosen.group_sizes,
            rollouts=chosen.rollouts,
            draws=chosen.draws,
            sampled=not chosen.no_sampling,
            temperature=chosen.temperature,
            kl=chosen.kl,
            **grid,
            **training,
        )
        results: dict[str, Any] = {"inversion-map": result}
        text, summary = str(result), result.summary
        pictures = {"inversion-map.png": lambda: plots.plot_map(result)}
        if ends is not None:
            results["checkpoints"], text = ends, f"{text}\n\n{ends}"
            summary |= {"checkpoints": ends.summary}
            pictures["checkpoints.png"] = lambda: plots.plot_checkpoints(ends, result)
        return Report(results, text, summary, pictures)

    return run_study(chosen, study)


def _evaluated(paths: Sequence[str]) -> tuple[dict[str, Recorded], tuple[str, ...]]:
    """Name -> counts of every checkpoint in these files, on the prompts that all hold; and what was left out."""
    sources: dict[str, Any] = {}
    try:
        for name, path in zip(short_names(paths), paths, strict=True):
            data = rlsignal.read(path)
            if isinstance(data, Rollouts) and len(data.checkpoints) > 1:
                sources |= {f"{name}: {x}": data.at(checkpoint=x) for x in data.checkpoints}
            else:
                sources[name] = data
        named = evaluations(sources)
        shared = shared_prompts(named) if named else []
    except ValueError as error:
        text = as_options(str(error), group_size="rollouts-per-group")
        if text != str(error):  # a way out that this command does not have
            text += " map has no options of reading: give files with a row of prompt, n and c for each prompt."
        raise ValueError(text) from error
    missing = dropped(named, shared) if named else 0
    return {name: on_prompts(shared, x) for name, x in named.items()}, (left_out(missing),) * (missing > 0)
