"""How often verdicts are right: `make evidence-decisions` writes docs/evidence/decisions.json.

Situations with known truth, each drawn many times. A verdict is right, wrong, or withheld: it is wrong where it names a
checkpoint that another beats, a size that is worse than it says, or a warning of what does not come.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

import rlsignal
from rlsignal import GRPO, Fixed, Recorded, compare, informative_probability, recommend_group_size
from rlsignal.diagnosis.decision import LEAST
from rlsignal.diagnosis.group_size import FLAT
from rlsignal.diagnosis.track import DEGENERATE, first_warning
from rlsignal.theory import forecast

PLACE = Path(__file__).parents[1] / "docs" / "evidence" / "decisions.json"
REPETITIONS = {"compare": 40, "compare, equal": 100, "group-size": 40, "track": 400}
BUDGETS = (3.0, 30.0, 300.0)
PLACES = 1000
"""A checkpoint's true end point is that of so many pass rates at equal places of its distribution."""

Rates = Callable[[np.random.Generator, int], np.ndarray]


def beta(mean: float, dispersion: float) -> Rates:
    size = 1 / dispersion - 1
    return lambda rng, prompts: rng.beta(mean * size, (1 - mean) * size, prompts)


def same(rate: float) -> Rates:
    return lambda rng, prompts: np.full(prompts, rate)


def kinds(rates: tuple[float, ...], shares: tuple[float, ...]) -> Rates:
    return lambda rng, prompts: rng.choice(rates, prompts, p=shares)


COMPARED: dict[str, tuple[tuple[Rates, ...], int, int, bool]] = {
    # checkpoints, prompts, samples, and whether all checkpoints have the same pass rates prompt by prompt
    "two equal, 60 prompts": ((beta(0.3, 0.4),) * 2, 60, 8, True),
    "two equal, 500 prompts": ((beta(0.3, 0.4),) * 2, 500, 16, True),
    "two equal, 4,000 prompts": ((beta(0.5, 0.1),) * 2, 4000, 16, True),
    "six equal": ((beta(0.3, 0.4),) * 6, 100, 16, True),
    "equal, of two kinds": ((kinds((0.0, 0.5), (0.5, 0.5)),) * 2, 200, 16, True),
    "equal, nearly all or nothing": ((beta(0.3, 0.9),) * 2, 200, 16, True),
    "equal, rarely solved": ((beta(0.02, 0.2),) * 2, 300, 16, True),
    "same mean, one more dispersed": ((beta(0.3, 0.2), beta(0.3, 0.7)), 200, 16, False),
    "solved against fresh": ((same(0.97), same(0.3)), 200, 16, False),
    "collapsed against open": ((kinds((0.0, 1.0), (0.6, 0.4)), beta(0.25, 0.3)), 150, 16, False),
    "head start against breadth": ((kinds((0.0, 0.6), (0.5, 0.5)), same(0.06)), 400, 16, False),
    "a little better everywhere": ((beta(0.3, 0.3), beta(0.34, 0.3)), 200, 16, False),
    "twice as good, few samples": ((beta(0.1, 0.3), beta(0.2, 0.3)), 100, 4, False),
    "one of four is best": ((beta(0.3, 0.7), beta(0.3, 0.7), beta(0.3, 0.3), beta(0.3, 0.7)), 200, 16, False),
    "equal, hardly ever solved": ((beta(0.002, 0.05),) * 2, 200, 16, True),
    "hardly ever solved, one four times as good": ((beta(0.002, 0.05), beta(0.008, 0.05)), 200, 16, False),
}

SIZED: dict[str, tuple[Rates, int, int]] = {
    "even prompts": (same(0.5), 200, 16),
    "mean 0.3": (beta(0.3, 0.3), 200, 16),
    "mean 0.3, few prompts": (beta(0.3, 0.3), 20, 16),
    "mean 0.3, few samples": (beta(0.3, 0.3), 200, 4),
    "dispersed": (beta(0.3, 0.7), 200, 16),
    "rarely solved": (beta(0.05, 0.2), 300, 16),
    "hardly ever solved": (beta(0.01, 0.1), 500, 16),
    "hardly ever solved, few samples": (beta(0.01, 0.1), 500, 4),
    "nearly solved": (beta(0.9, 0.3), 200, 16),
    "half impossible": (kinds((0.0, 0.5), (0.5, 0.5)), 200, 16),
    "half impossible, few samples": (kinds((0.0, 0.3), (0.5, 0.5)), 200, 8),
    "three kinds": (kinds((0.02, 0.5, 0.97), (0.4, 0.3, 0.3)), 200, 8),
    "one sample": (beta(0.3, 0.3), 200, 1),
    "all or nothing": (kinds((0.0, 1.0), (0.6, 0.4)), 200, 8),
}

ROWS = 300
TRACKED: dict[str, tuple[np.ndarray, int, float]] = {
    # true share of degenerate groups by row, groups in a row, standard deviation of a row's share
    "steady at 50%": (np.full(ROWS, 0.5), 64, 0.0),
    "steady at 85%": (np.full(ROWS, 0.85), 64, 0.0),
    "steady at 90%": (np.full(ROWS, 0.9), 64, 0.0),
    "steady at 90%, one group a row": (np.full(ROWS, 0.9), 1, 0.0),
    "steady at 80%, rows differ": (np.full(ROWS, 0.8), 64, 0.08),
    "steady at 90%, rows differ": (np.full(ROWS, 0.9), 64, 0.05),
    "rises to 70% and stays": (np.minimum(np.linspace(0.3, 1.1, ROWS), 0.7), 64, 0.0),
    "rises to 80% and stays": (np.minimum(np.linspace(0.3, 1.3, ROWS), 0.8), 64, 0.03),
    "falls from 80%": (np.linspace(0.8, 0.3, ROWS), 64, 0.0),
    "degenerate from the start": (np.full(ROWS, 0.99), 64, 0.0),
    "degenerate from the start, 8 groups": (np.full(ROWS, 0.98), 8, 0.0),
    "degenerates slowly": (np.linspace(0.4, 1.0, ROWS), 64, 0.0),
    "degenerates within 50 rows": (np.clip(0.5 + (np.arange(ROWS) - 150) / 100, 0.5, 0.99), 64, 0.03),
}


Counts = dict[str, int]


def compared(name: str, rng: np.random.Generator) -> Counts:
    """Verdicts of `compare`, against end points of the true pass rates."""
    checkpoints, prompts, samples, shared = COMPARED[name]
    places = (np.arange(PLACES) + 0.5) / PLACES
    known = {rates: np.quantile(rates(rng, 400_000), places) for rates in dict.fromkeys(checkpoints)}
    true = {
        rates: [float(np.mean(forecast(Fixed(p), 4, GRPO, budget=b))) for b in BUDGETS] for rates, p in known.items()
    }
    ends = [[true[rates][i] for rates in checkpoints] for i in range(len(BUDGETS))]
    found = {"right": 0, "wrong": 0, "withheld": 0}
    for _ in range(REPETITIONS["compare, equal" if shared else "compare"]):
        first = checkpoints[0](rng, prompts)
        drawn = [rng.binomial(samples, first if shared else rates(rng, prompts)) for rates in checkpoints]
        named = {
            str(i): {"prompt": range(prompts), "n": [samples] * prompts, "c": c.tolist()} for i, c in enumerate(drawn)
        }
        decision = compare(named, 4, budgets=BUDGETS).decision
        found[_of_compare(decision.verdict, decision.checkpoint, ends)] += 1
    return found


def _of_compare(verdict: str, checkpoint: str, ends: list[list[float]]) -> str:
    """Right, wrong or withheld, by the true end points; a difference below `LEAST` is none."""
    if verdict == "sample more":
        return "withheld"
    worst = [max(max(row) - row[i] for row in ends) for i in range(len(ends[0]))]  # what a checkpoint lacks at most
    if verdict == "depends on the budget":
        return "right" if min(worst) > LEAST / 2 else "wrong"
    if verdict == "tie":
        return "right" if worst[int(checkpoint)] <= 2 * LEAST else "wrong"
    other = max(max(row[int(checkpoint)] - min(row) for row in ends), 0.0)
    return "right" if worst[int(checkpoint)] <= LEAST and other > 0 else "wrong"


def sized(name: str, rng: np.random.Generator) -> Counts:
    """Advice of `recommend_group_size`: wrong where the size's true score is below what the range promises."""
    rates, prompts, samples = SIZED[name]
    truth = rates(rng, 200_000)
    sizes = (2, 4, 8, 16, 32, 64)
    score = {g: float(np.mean(informative_probability(truth, g))) * (g - 1) / g**2 for g in sizes}
    best = max(sizes, key=lambda g: score[g])
    found = {"right": 0, "wrong": 0, "withheld": 0}
    for _ in range(REPETITIONS["group-size"]):
        data = Recorded(rng.binomial(samples, rates(rng, prompts)), samples)
        try:
            advice = recommend_group_size(data)
        except ValueError:
            found["withheld"] += 1
            continue
        low, high = advice.range
        fine = low <= best <= high and score[advice.group_size] >= (1 - FLAT - 0.05) * score[best]
        found["right" if fine else "wrong"] += 1
    return found


def tracked(name: str, rng: np.random.Generator) -> Counts:
    """Warnings of `track`: wrong where the run never passes 90% degenerate groups."""
    truth, groups, differing = TRACKED[name]
    found = {"right": 0, "wrong": 0, "withheld": 0}
    passes = bool((truth > DEGENERATE + 0.005).any())
    for _ in range(REPETITIONS["track"]):
        shares = truth
        if differing:
            size = np.maximum(truth * (1 - truth) / differing**2 - 1, 1.0)
            shares = rng.beta(truth * size, (1 - truth) * size)
        _, rule = first_warning(rng.binomial(groups, shares) / groups, groups)
        found[("right" if passes else "wrong") if rule else ("withheld" if passes else "right")] += 1
    return found


QUESTIONS: dict[str, tuple[Callable[[str, np.random.Generator], Counts], tuple[str, ...]]] = {
    "compare": (compared, tuple(COMPARED)),
    "group-size": (sized, tuple(SIZED)),
    "track": (tracked, tuple(TRACKED)),
}


def drawn(seed: int, question: str, name: str) -> dict[str, Any]:
    """One situation, with random numbers of its own."""
    count, names = QUESTIONS[question]
    found = count(name, np.random.default_rng([seed, list(QUESTIONS).index(question), names.index(name)]))
    return {"question": question, "situation": name, **found}


def main() -> None:
    """All questions, or those that are named; the others keep what they have."""
    seed, rows, made = 0, [], {}
    if PLACE.is_file():
        before = json.loads(PLACE.read_text(encoding="utf-8"))
        rows, made = before["rows"], before["provenance"].get("questions", {})
    for question in sys.argv[1:] or QUESTIONS:
        started, (_, names) = time.perf_counter(), QUESTIONS[question]
        with ProcessPoolExecutor() as pool:
            found = list(pool.map(drawn, repeat(seed), repeat(question), names))
        rows = [row for row in rows if row["question"] != question] + found
        made[question] = {"seconds": round(time.perf_counter() - started), "load": round(os.getloadavg()[1], 1)}
        provenance = {
            "command": "make evidence-decisions",
            "questions": made,
            "cores": os.cpu_count(),
            "seed": seed,
            "rlsignal": rlsignal.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
        }
        lines = ",\n".join(json.dumps(row) for row in rows)
        PLACE.write_text(f'{{"provenance": {json.dumps(provenance)},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")
        for row in found:
            counts = "".join(f"{row[kind]:5d}" for kind in ("right", "wrong", "withheld"))
            sys.stdout.write(f"{question:<12}{row['situation']:<38}{counts}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
