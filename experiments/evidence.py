"""The long runs behind docs/: each writes docs/evidence/NAME.json with where it came from; interrupted, it resumes.

python -m experiments.evidence ladder            # the names: --help; `make evidence` runs all
"""

import argparse
import json
import platform
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from math import isfinite
from operator import methodcaller
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from rlsignal import store
from rlsignal.commands.terminal import Bar, prepare_jax
from rlsignal.results import Ladder

if TYPE_CHECKING:
    from rlsignal.sim import Runner

ROOT = Path(__file__).resolve().parent.parent
BLOCKS = ROOT / "ladder" / "evidence"


def ladder(runner: "Runner") -> dict[str, Any]:
    """Both ladders with ten seeds at three RL rates."""
    from rlsignal import sim

    found = [sim.depth_ladder(x, rates=(1e-4, 3e-4, 1e-3), seeds=10, runner=runner) for x in (sim.INVERTING, sim.SAFE)]
    return {"ladders": [{**x.summary, **_during(x, rate=1)} for x in found]}


def _during(found: Any, rate: int) -> dict[str, Any]:
    """What RL makes of the checkpoints at one rate: means over seeds, before and after, and the step of the peak."""
    trained, fresh = found.train, found.fresh

    def ends(curve: Any) -> dict[str, list[float]]:
        return {"before": curve[:, :, rate, 0].mean(0).tolist(), "after": curve[:, :, rate, -1].mean(0).tolist()}

    return {
        "rate_shown": found.rates[rate],
        "token_entropy": ends(trained.token_entropy),
        "informative": ends(trained.informative),
        "dispersion": ends(trained.dispersion),
        "fresh_pass_at_1": ends(fresh.pass_at_1),
        "fresh_pass_at_k": ends(fresh.pass_at_k),
        "peak_step": found.steps[fresh.pass_at_k[:, :, rate].argmax(-1)].mean(0).tolist(),
    }


def inversion(runner: "Runner") -> dict[str, Any]:
    """The inversion map with its defaults, as `rlsignal map` makes it: what docs/inversion.md says."""
    from rlsignal import sim

    found = sim.inversion_map(runner=runner)
    face, middle = found.sharpening, (len(found.sharpening.rows) // 2, len(found.sharpening.pass_rate) // 2)
    return {
        **found.summary,
        "inverted_share_by_budget": found.inverted_share.tolist(),
        "sampled_share_by_budget": found.sampled_share.tolist(),
        "noise_by_size": found.noise_floor.max(1).tolist(),
        "worth": [float(face.exchange_rate[(i, 0, *middle)]) for i in range(len(found.group_sizes))],
        "outcomes": {x.name: [float(y) for y in x.outcome[[0, -1]].mean(-1)] for x in found.controls},
    }


def predictors(runner: "Runner") -> dict[str, Any]:
    """Three hundred random ladders, ninety of them for tuning."""
    from experiments.predictors import score_predictors

    return score_predictors(300, tuning=90, runner=runner).summary


def other_trainers(runner: "Runner") -> dict[str, Any]:
    """Fewer random ladders under other trainers than plain GRPO: what entropy knows there."""
    from experiments.predictors import KINDS, score_predictors
    from rlsignal import MAXRL

    trainers: dict[str, dict[str, Any]] = {
        "MaxRL": {"estimator": MAXRL},
        "entropy bonus 0.01": {"entropy": 0.01},
        "KL to the start 0.03": {"kl": 0.03},
    }
    shown = (
        "entropy per token",
        "pass@10",
        "informative",
        "informative, g = 64",
        "alignment number",
        "first speed of pass@1",
    )
    found = []
    for name, trainer in trainers.items():
        kinds = tuple(replace(x, grpo=replace(x.grpo, reference="kl" in trainer)) for x in KINDS)
        table = score_predictors(40, tuning=4, kinds=kinds, trainer=trainer, sizes=(64,), runner=runner).summary
        table["scores"] = [x for x in table["scores"] if x["name"] in shown]
        found.append({"trainer": name, **table})
    return {"trainers": found}


def larger_groups(runner: "Runner") -> dict[str, Any]:
    """The same random ladders trained in groups of 8 and of 64: does the informative fraction saturate?"""
    from experiments.predictors import KINDS, score_predictors

    shown = "entropy per token", "pass@1", "pass@10", "informative", "informative, g = 64"
    found = []
    for g in (8, 64):
        table = score_predictors(64, tuning=4, group_size=g, sizes=(64,), runner=runner).summary
        table["scores"] = [x for x in table["scores"] if x["name"] in shown]
        found.append({"group_size": g, **table})
    return {"depths": list(KINDS[0].sft.depths), "trained": found}


def mitigations(runner: "Runner") -> dict[str, Any]:
    """Sixteen mitigations of the deepest checkpoint of the inverting ladder, eight seeds each."""
    from experiments.mitigations import mitigate

    return mitigate(runner=runner).summary


def matched(runner: "Runner") -> dict[str, Any]:
    """Networks alike in all but entropy, or all but dispersion."""
    from experiments.matched_starts import matched_starts

    return matched_starts(runner=runner).summary


def deciding(runner: "Runner") -> dict[str, Any]:
    """Copies of a shallow and of a deep checkpoint, with each other's pass rates or other incorrect answers."""
    from experiments.what_decides import what_decides

    return what_decides(runner=runner)


def deciding_elsewhere(runner: "Runner") -> dict[str, Any]:
    """The swap, and other incorrect answers at equal pass rates, by five other trainers and in a recurrent policy."""
    from experiments.what_decides import ELSEWHERE, what_decides

    return what_decides(ELSEWHERE, seeds=4, distillation=1200, runner=runner)


def path(runner: "Runner") -> dict[str, Any]:
    """The inverting ladder's checkpoints, as its evidence has them, on the faces of a map with its sizes."""
    from experiments.path import ladder_path

    ladders = json.loads((ROOT / "docs" / "evidence" / "ladder.json").read_text(encoding="utf-8"))["ladders"]
    return ladder_path(ladders[0], runner=runner)


def boundary(runner: "Runner") -> dict[str, Any]:
    """Which starts look better than one and end lower, simulated on a fine grid and by the law; draws the picture."""
    from experiments.boundary import boundary

    return boundary(runner=runner, picture=ROOT / "docs" / "inversion-boundary.png")


def inside(runner: "Runner") -> dict[str, Any]:
    """Entropy inside the classes where successes are rare, and where many responses are correct."""
    from experiments.entropy_inside import entropy_inside

    return entropy_inside(runner=runner)


def swap(runner: "Runner") -> dict[str, Any]:
    """The best checkpoint and the deepest of the inverting ladder, and each with the other's entropy."""
    from rlsignal import sim

    found = sim.entropy_swap(seeds=8, runner=runner)
    return {
        "starts": ["shallow", "shallow sharpened", "deep", "deep flattened"],
        "entropy": found.entropy.mean(0).tolist(),
        "dispersion": found.dispersion.mean(0).tolist(),
        "informative": found.informative.mean(0).tolist(),
        "after": {name: row.mean(0).tolist() for name, row in zip(Ladder.outcomes, found.after, strict=True)},
        "shares": {name: found.shares(name) for name in Ladder.outcomes},
    }


def others(runner: "Runner") -> dict[str, Any]:
    """Ladders of other tasks: token sequences, several correct answers, and modular addition, the trap."""
    from rlsignal import sim

    teacher, policy = sim.Sequence(width=32), sim.Sequence(width=64)
    sequences = sim.LadderTask("token sequences", sim.Teacher(teacher, demonstrations=256, prompts=256), 0.3)
    many = sim.LadderTask("four correct answers", sim.Teacher(demonstrations=256, correct=4), 0.3)
    modular = sim.LadderTask("modular addition", sim.ModularAddition())
    plans = (
        (sequences, policy, (1e-3,)),
        (many, sim.Network(), (3e-4,)),
        (modular, sim.Network(features=46, tokens=1, choices=23), (1e-4, 3e-4, 1e-3)),
    )
    found = [
        sim.depth_ladder(task, sim.SFTRecipe(x), sim.GRPORecipe(x, record_every=50), rates=rates, runner=runner)
        for task, x, rates in plans
    ]
    return {"ladders": [{**x.summary, **_during(x, rate=0)} for x in found]}


def linear(runner: "Runner") -> dict[str, Any]:
    """The inverting ladder with a policy that is linear in the prompt, fine-tuned at two rates."""
    from rlsignal import sim

    policy = sim.Network(widths=())
    sft, grpo = sim.SFTRecipe(policy), sim.GRPORecipe(policy, record_every=50)
    found = []
    for rate in (1e-3, 1e-2):
        setting = sft.setting(learning_rate=rate)
        task = replace(sim.INVERTING, name=f"linear policy, SFT rate {rate:g}")
        x = sim.depth_ladder(task, sft, grpo, rates=(1e-3, 1e-2), seeds=8, sft_setting=setting, runner=runner)
        found.append({**x.summary, **_during(x, rate=1)})
    return {"ladders": found}


def budget(runner: "Runner") -> dict[str, Any]:
    """Group sizes under a budget of rollouts, three dispersions and two estimators."""
    from experiments.budget import BUDGETS, by_rule, under_a_budget

    found = under_a_budget(runner=runner)
    return {"rules": by_rule(found["mean"], 0.3, BUDGETS), **found}


def settings(runner: "Runner") -> dict[str, Any]:
    """The map's claims under fifteen settings; budgets of turning orders."""
    from experiments.settings import flips, under_settings

    return {
        "map": under_settings(runner=runner),
        "flips": flips(runner=runner),
    }


def checkpoints(runner: "Runner") -> dict[str, Any]:
    """How often what is stated of evaluated checkpoints is right: the order of their ends, and intervals."""
    from experiments.checkpoint_calibration import calibrate, coverage

    return {"calibration": calibrate().summary, "coverage": coverage()}


def axes(runner: "Runner") -> dict[str, Any]:
    """The map's claims along the axes that a user turns, from real pass rates, and under five estimators."""
    from experiments.settings import AXES, side_by_side, under_populations, under_settings

    return {
        "side_by_side": side_by_side(runner=runner),
        "populations": under_populations(runner=runner),
        "map": under_settings(AXES, runner=runner),
    }


RUNS: dict[str, Callable[["Runner"], dict[str, Any]]] = {
    "inversion": inversion,
    "ladder": ladder,
    "predictors": predictors,
    "other_trainers": other_trainers,
    "larger_groups": larger_groups,
    "mitigations": mitigations,
    "matched_starts": matched,
    "what_decides": deciding,
    "what_decides_elsewhere": deciding_elsewhere,
    "path": path,
    "boundary": boundary,
    "entropy_inside": inside,
    "swap": swap,
    "others": others,
    "linear": linear,
    "budget": budget,
    "settings": settings,
    "checkpoints": checkpoints,
    "axes": axes,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*RUNS, []], metavar="NAME", help=", ".join(RUNS) + "; default all")
    names = parser.parse_args().names or list(RUNS)
    prepare_jax()
    import jax

    from rlsignal.sim import Runner
    from rlsignal.sim.runner import device_name

    for name in names:
        tick, blocks = perf_counter(), store.BlockFolder(BLOCKS / name)
        with Bar(silent=not sys.stderr.isatty()) as bar:
            found = RUNS[name](Runner(store=blocks, progress=bar.update))
        found["provenance"] = {
            "command": f"python -m experiments.evidence {name}",
            "seconds": round(perf_counter() - tick),
            "device": f"{len(jax.devices())} x {device_name()}",
            "python": platform.python_version(),
            "versions": {x: version(x) for x in ("rlsignal", "numpy", "jax", "jaxlib", "optax")},
        }
        path = ROOT / "docs" / "evidence" / f"{name}.json"
        text = json.dumps(_short(found), indent=1, allow_nan=False) + "\n"
        store.writable_folder(path.parent)
        store.write_atomically(path, methodcaller("write", text.encode()))
        blocks.clear()
        print(f"Wrote {path.relative_to(ROOT)} in {found['provenance']['seconds']} s.")


def _short(value: Any) -> Any:
    """For JSON: floats to six digits, as more were never measured; null for what is no number, as JSON has none."""
    if isinstance(value, dict):
        return {key: _short(x) for key, x in value.items()}
    if isinstance(value, list | tuple):
        return [_short(x) for x in value]
    if isinstance(value, float):
        return float(f"{value:.6g}") if isfinite(value) else None
    return value


if __name__ == "__main__":
    main()
