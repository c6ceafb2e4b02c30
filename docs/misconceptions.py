"""The page of misconceptions: what is often believed, what is true instead, and a picture. Built by `make docs`.

Where a claim of `rlsignal.proofs.claims` holds the belief as its tempting mistake, its row is the evidence.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes

import rlsignal as rl
from rlsignal import plots
from rlsignal.proofs.claims import CLAIMS, Claim
from rlsignal.theory.rewards import channel_weights, leave_one_out

DOCS = Path(__file__).parent
DATA = rl.Beta(0.33, 0.49)
MATCHED = json.loads((DOCS / "evidence" / "matched_starts.json").read_text(encoding="utf-8"))


def the_mean_into_d(ax: Axes) -> None:
    plots.plot_degenerate_groups({"prompts that differ": DATA, "the formula at their mean": 0.33}, ax=ax)


def larger_groups(ax: Axes) -> None:
    impossible = rl.Mixture([rl.Fixed(0.0), rl.Beta(0.5, 0.1)], weights=[0.25, 0.75])
    populations = {"one prompt, p = 0.1": 0.1, "prompts that differ": DATA, "a quarter is impossible": impossible}
    plots.plot_degenerate_groups(populations, (2, 8, 32, 128, 512, 2048), ax=ax)


def division(ax: Axes) -> None:
    p = np.linspace(0.01, 0.99, 99)
    curves = {f"GRPO, g = {g}": rl.GRPO.weight(p, g) for g in (2, 8, 64)} | {"1/sqrt(p(1-p))": 1 / np.sqrt(p * (1 - p))}
    plots.plot_curves(p, curves, xlabel="pass rate p", ylabel="weight of grad p", top=10.5, ax=ax)


def low_entropy(ax: Axes) -> None:
    more = {}
    for name in ("entropy", "dispersion"):
        values = [start[name] for start in MATCHED["starts"] if start["varied"] == name]
        more[name] = max(values) - min(values)
    names = (
        f"{more['entropy']:.1f} nats more,\nsame pass rates",
        f"{more['dispersion']:.2f} more dispersion,\nsame entropy",
    )
    found = [MATCHED["effects"][name] for name in more]
    values = [effect["estimate"] for effect in found]
    errors = [[x["estimate"] - x["low"] for x in found], [x["high"] - x["estimate"] for x in found]]
    ax.bar(names, values, yerr=errors, color=["#b07d00", "#00204d"], width=0.5, capsize=6)
    ax.axhline(0, color="#777777", linewidth=0.8)
    ax.set_ylabel("change of pass@1 after RL")


def cliff(ax: Axes) -> None:
    p = np.linspace(0, 1, 201)
    curves = {"signal, as a share of the most": 4 * p * (1 - p), "degenerate groups": rl.degenerate_probability(p, 8)}
    plots.plot_curves(p, curves, xlabel="pass rate p", ylabel="share, g = 8", ax=ax)
    critical = rl.critical_pass_rate(8)
    ax.axvline(critical, color="#8c2d04", linestyle=":")
    ax.annotate("p*(8)", (critical, 0.05), (6, 0), textcoords="offset points", color="#8c2d04")


def plugged_in(ax: Axes) -> None:
    p, n, g = np.linspace(0, 1, 101), 16, 8
    chances = np.array([rl.Fixed(x).pmf(n) for x in p])  # of c = 0..n
    curves = {
        "what it is": rl.degenerate_probability(p, g),
        "mean of what c/n gives, n = 16": chances @ rl.degenerate_probability(np.arange(n + 1) / n, g),
    }
    plots.plot_curves(p, curves, xlabel="pass rate p", ylabel="share of degenerate groups, g = 8", ax=ax)


def observations(ax: Axes) -> None:
    rho = np.linspace(0, 1, 51)
    curves = {"16 samples of each of 400 prompts": 6400 / (1 + 15 * rho), "believed": np.full(51, 6400.0)}
    ylabel = "independent rollouts they are worth"
    plots.plot_curves(rho, curves, xlabel="dispersion", ylabel=ylabel, top=6800, ax=ax)


def ranking(ax: Axes) -> None:
    budgets = [0, 1, 2, 5, 10, 20, 50, 100, 200]
    starts = {
        "start at 0.45, dispersion 0.85": rl.Beta(0.45, 0.85),
        "start at 0.30, dispersion 0.30": rl.Beta(0.3, 0.3),
    }
    curves = {
        name: [rl.theory.forecast(start, 8, rl.GRPO, budget=float(budget)) for budget in budgets]
        for name, start in starts.items()
    }
    plots.plot_curves(budgets, curves, xlabel="budget (learning rate x steps)", ylabel="pass@1, forecast", ax=ax)


def small_bonus(ax: Axes) -> None:
    sizes = np.geomspace(1e-4, 0.5, 25)
    curves = {
        "GRPO": [channel_weights(0.02, 0.5, 8, size=size).bonus for size in sizes],
        "RLOO": [channel_weights(0.02, 0.5, 8, size=size, rule=leave_one_out).bonus for size in sizes],
    }
    plots.plot_curves(sizes, curves, xlabel="format reward", ylabel="weight of the format", top=2, ax=ax)
    ax.set_xscale("log")


@dataclass(frozen=True)
class Belief:
    """What is believed; what is true; the picture and its caption; the claim that rejects it, as (label, name)."""

    belief: str
    truth: str
    draw: Callable[[Axes], None]
    caption: str
    claim: tuple[str, str] | None
    more: str


BELIEFS = (
    Belief(
        "The mean pass rate tells how many groups are degenerate",
        "D = p^g + (1-p)^g is convex in p: prompts that differ have more degenerate groups than D at their mean says, in "
        "public runs ten times more.",
        the_mean_into_d,
        "Share of degenerate groups over the group size: prompts that differ, and the formula at their mean.",
        ("D3", "degenerate groups of a population"),
        "[Lesson 3](../notebooks/03_prompts_differ.ipynb)",
    ),
    Belief(
        "A larger group cures degenerate groups",
        "For one prompt it does. For prompts that differ the share falls by a power of g, and impossible prompts stay "
        "degenerate at every g. What a larger group costs is prompts.",
        larger_groups,
        "Share of degenerate groups up to g = 2048: it reaches zero for one prompt only.",
        ("L4", "degenerate groups of a mixture"),
        "[Lesson 2](../notebooks/02_degenerate_groups.ipynb), [lesson 3](../notebooks/03_prompts_differ.ipynb)",
    ),
    Belief(
        "Dividing by the standard deviation favours hard prompts",
        "The weight of GRPO is symmetric: it favours easy prompts as much as hard ones. It does not grow without end but to "
        "sqrt(g-1), and at g = 2 and 3 it is flat.",
        division,
        "The weight of GRPO over the pass rate at three group sizes, and the limit that is often quoted.",
        ("W1", "weight of GRPO"),
        "[Lesson 4](../notebooks/04_what_estimators_optimise.ipynb)",
    ),
    Belief(
        "Low entropy kills the signal",
        "Only from below ln 2 nats per whole response does entropy forbid anything. Networks from matched starts with more "
        "entropy at the same pass rates do not end higher; with more dispersion at the same entropy they end lower. Copies of "
        "real checkpoints with more entropy at the same pass rates go either way.",
        low_entropy,
        "Networks from matched starts: the change of pass@1 after RL by more entropy alone, and by more dispersion alone.",
        None,
        "[Lesson 5](../notebooks/05_entropy.ipynb), [matched starts](ladder.md), [what decides](what-decides.md), [N1](theory.md#N1)",
    ),
    Belief(
        "p* is a cliff",
        "At p*(g) half of the groups are degenerate. Nothing else happens there: signal and degenerate groups pass through "
        "it smoothly. And for prompts that differ it is not at this pass rate.",
        cliff,
        "Signal and degenerate groups over the pass rate at g = 8: no corner at p*.",
        ("D4", "critical pass rate"),
        "[Lesson 2](../notebooks/02_degenerate_groups.ipynb)",
    ),
    Belief(
        "c/n can be put in the place of p",
        "0 of 16 is not p = 0. Plugged in, every prompt with no success is degenerate for sure, so the share comes out too "
        "large. Drawing g of the n samples without putting back has no bias.",
        plugged_in,
        "The share of degenerate groups, and what plugging in c/n gives on average with 16 samples.",
        ("L3", "degenerate groups from an evaluation"),
        "[Lesson 3](../notebooks/03_prompts_differ.ipynb)",
    ),
    Belief(
        "6,400 rollouts are 6,400 observations",
        "Rollouts of one prompt share its difficulty. With 16 samples each, the variance of the mean grows by "
        "1 + 15 times the dispersion; at one half, 6,400 rollouts are worth 753.",
        observations,
        "How many independent rollouts an evaluation of 400 prompts with 16 samples is worth, over the dispersion.",
        None,
        "[Lesson 8](../notebooks/08_your_own_evaluation.ipynb), [coverage](coverage.md), [I3](theory.md#I3)",
    ),
    Belief(
        "pass@1 ranks checkpoints",
        "It ranks them before RL. After it, what counts is how many prompts the budget reaches: a start with less pass@1 and "
        "less dispersion overtakes.",
        ranking,
        "The forecast of pass@1 over the budget for two starts: the one that is behind overtakes.",
        None,
        "[Lesson 7](../notebooks/07_over_training.ipynb), [the inversion map](inversion.md), [F5](theory.md#F5)",
    ),
    Belief(
        "A small format reward does little",
        "Under RLOO its weight is its size. Under GRPO it is divided by the group's standard deviation: where all answers "
        "are incorrect the format is all that differs, and its size cancels.",
        small_bonus,
        "The weight of a format that half of the rollouts have, on a prompt solved 2% of the time, over the format reward.",
        ("M2", "weight of a small bonus under GRPO"),
        "[M2](theory.md#M2)",
    ),
)


def build(folder: Path) -> str:
    """Draws the pictures into the folder; the page that shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = ["# Misconceptions", "", "What is often believed of groups and their signal, and what is true instead.", ""]
    for number, one in enumerate(BELIEFS, 1):
        figure, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
        one.draw(ax)
        figure.savefig(folder / f"misconception-{number}.png", dpi=110)
        plt.close(figure)
        lines += [f"## {number}. “{one.belief}”", "", one.truth, ""]
        lines += [f"![{one.caption}]({folder.name}/misconception-{number}.png)", ""]
        if one.claim:
            lines += [row(next(claim for claim in CLAIMS if (claim.label, claim.name) == one.claim)), ""]
        lines += [f"More: {one.more}.", ""]
    return "\n".join(lines)


def row(claim: Claim) -> str:
    """A claim in a sentence: what is true, what is tempting, and both numbers."""
    value = claim.library(claim.p, claim.g)
    value = value[-1] if isinstance(value, tuple) else value
    wrong = claim.wrong(claim.p, claim.g)
    return (
        f"Checked as [{claim.label}](theory.md#{claim.label}): at {claim.where} `{claim.formula}` is {float(value):.4g}; "
        f"the tempting `{claim.wrong_formula}` gives {float(wrong):.4g}, which drawn groups reject."
    )
