"""`rlsignal ladder`: fine-tune for longer and longer, run GRPO from every checkpoint, and see which order holds."""

import argparse
import re
from dataclasses import replace
from typing import Any

from rlsignal import _validate
from rlsignal.commands.study import Report, add_study, run_study
from rlsignal.commands.terminal import add_estimator, command, number, whole
from rlsignal.theory.frameworks import GRPO


def add(commands: Any) -> None:
    """Declare the command."""
    parser = command(
        commands,
        "ladder",
        run,
        "fine-tune for longer and longer, run GRPO from each checkpoint, compare the orders",
        example="--seeds 3 --rates 1e-4 3e-4",
    )
    add_study(parser, "ladder")
    parser.add_argument("--seeds", type=whole, default=5, metavar="N", help="tasks and runs (default %(default)s)")
    parser.add_argument(
        "--rates", type=number, nargs="+", default=(3e-4,), metavar="X", help="RL learning rates (default 3e-4)"
    )
    parser.add_argument(
        "--depths",
        type=whole,
        nargs="+",
        metavar="N",
        help="SFT steps of the checkpoints (default 0 30 100 300 1000 5000)",
    )
    parser.add_argument(
        "--noise", type=number, metavar="X", help="chance that a demonstrated token of the inverting task is incorrect"
    )
    parser.add_argument("--group-size", type=whole, default=8, metavar="G", help="of GRPO (default %(default)s)")
    add_estimator(parser, "of the policy gradient")
    parser.add_argument("--kl", type=number, default=0.0, metavar="X", help="weight of the KL to the start (default 0)")
    parser.add_argument("--steps", type=whole, default=1000, help="of RL, recorded 20 times (default %(default)s)")


def run(chosen: argparse.Namespace) -> int:
    """Train both ladders, draw them and say what happened."""

    def study(runner: Any) -> Report:
        from rlsignal import plots, sim

        policy = sim.Network()
        sft = sim.SFTRecipe(policy, depths=tuple(chosen.depths)) if chosen.depths else sim.SFTRecipe(policy)
        _validate.whole("steps", chosen.steps, 1, 10**7)
        every = next(x for x in range(max(1, chosen.steps // 20), chosen.steps + 1) if chosen.steps % x == 0)
        grpo = sim.GRPORecipe(
            policy, group_size=chosen.group_size, steps=chosen.steps, record_every=every, reference=chosen.kl != 0
        )
        setting = grpo.setting(chosen.estimator or GRPO, kl=chosen.kl)
        noisy = sim.INVERTING if chosen.noise is None else replace(sim.INVERTING, noise=chosen.noise)
        plan: dict[str, Any] = {"rates": chosen.rates, "seeds": chosen.seeds, "seed": chosen.seed, "runner": runner}
        ladders = [sim.depth_ladder(task, sft, grpo, grpo_setting=setting, **plan) for task in (noisy, sim.SAFE)]
        return Report(
            {"ladder-" + re.sub(r"\W+", "-", ladder.name): ladder for ladder in ladders},
            "\n\n".join(map(str, ladders)) + f"\n\n{_meaning(*ladders)}",
            {"ladders": [ladder.summary for ladder in ladders]},
            {"ladder.png": lambda: plots.plot_ladders(*ladders)},
            [row for ladder in ladders for row in ladder.records],
        )

    return run_study(chosen, study)


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
