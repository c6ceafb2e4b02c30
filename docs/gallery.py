"""The gallery: every plot_* drawn by the example of its own docstring. Built by `make docs`."""

import ast
import doctest
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import rlsignal
from rlsignal import plots, sim, theory


def build(folder: Path) -> str:
    """Writes a picture for each plot into the folder; the page that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    modules = theory, rlsignal, plots
    known = {name: getattr(module, name) for module in modules for name in module.__all__} | _results() | {"np": np}
    lines = ["# Gallery", "", "Each picture is what the example of its function draws; all take `ax=`.", ""]
    for name in plots.__all__:
        words = getattr(plots, name).__doc__
        call = _call(name, words)
        context = dict(known)
        for example in doctest.DocTestParser().get_examples(words):
            if (
                not any(isinstance(node, ast.Call) for node in ast.walk(ast.parse(example.source)))
                or name not in example.source
            ):
                exec(example.source, context)  # what the call needs: imports and data
        drawn = eval(call, context)
        (getattr(drawn, "figure", None) or drawn).savefig(folder / f"{name}.png", dpi=110)
        plt.close("all")
        first = words.strip().splitlines()[0]
        lines += [
            f"## {name}",
            "",
            first,
            "",
            "```python",
            call,
            "```",
            "",
            f"![{first}]({folder.name}/{name}.png)",
            "",
        ]
    return "\n".join(lines)


def _call(name: str, words: str) -> str:
    """The call of the function in its example, without what the example then asks of it."""
    for example in doctest.DocTestParser().get_examples(words):
        for node in ast.walk(ast.parse(example.source)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                return ast.unparse(node)
    raise ValueError(f"{name} must be called in its own example.")


def _results() -> dict[str, Any]:
    """The results that examples speak of, larger than in the tests: they are to be looked at."""
    recipe = sim.Recipe(prompts=64, steps=200)
    policy = sim.Network(widths=(64, 64), choices=8)
    ladder_task = sim.LadderTask(
        "small", sim.Teacher(sim.Network(widths=(32,), choices=8), demonstrations=256, prompts=256), 0.3
    )
    sft = sim.SFTRecipe(policy, depths=(0, 30, 100, 300, 1000))
    grpo = sim.GRPORecipe(policy, steps=200, record_every=20)
    return {
        "small_map": sim.inversion_map(recipe, group_sizes=(4, 8), rollouts=1600, draws=4),
        "small_ladder": sim.depth_ladder(ladder_task, sft, grpo, rates=(1e-3,), seeds=2),
    }
