"""How often what `simulate_checkpoints` states is right where pass rates are known: orders of ends, and intervals.

Orders are of pairs of checkpoints with Beta populations that are near each other; counts of 8, 16 and 64 samples for
100 prompts. Intervals are of single checkpoints: few prompts, few samples, all alike, rare successes. The truth is the
model's own end from the true pass rates: what is tested is the uncertainty of counts, not the model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import jax
import numpy as np

from rlsignal import Recorded
from rlsignal.sim import Recipe, alike, simulate_checkpoints, sweep
from rlsignal.sim.checkpoints import FromPassRates, log_odds

SAMPLES, PROMPTS = (8, 16, 64), 100
STATED = (0.5, 0.7, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class Calibration:
    """Stated chances of the likelier order, and whether it was right: [samples, pairs]."""

    stated: np.ndarray
    right: np.ndarray

    @property
    def summary(self) -> dict[str, Any]:
        """Per number of samples and band of the stated chance: pairs, mean stated chance, share right."""
        rows = []
        for i, n in enumerate(SAMPLES):
            for low, high in pairwise(STATED):
                inside = (self.stated[i] >= low) & ((self.stated[i] < high) | (high == 1))
                if inside.any():
                    stated, right = float(self.stated[i, inside].mean()), float(self.right[i, inside].mean())
                    rows.append(
                        {
                            "samples": n,
                            "from": low,
                            "to": high,
                            "pairs": int(inside.sum()),
                            "stated": stated,
                            "right": right,
                        }
                    )
        return {"prompts": PROMPTS, "pairs": self.stated.shape[1], "rows": rows}


def calibrate(pairs: int = 120, *, seed: int = 0) -> Calibration:
    """Draw pairs, sample them, state the order, look.

    Examples
    --------
    >>> found = calibrate(2)
    >>> found.stated.shape, bool((found.stated >= 0.5).all())
    ((3, 2), True)
    """
    generator, recipe = np.random.default_rng(seed), Recipe(prompts=PROMPTS)
    stated, right = np.empty((len(SAMPLES), pairs)), np.empty((len(SAMPLES), pairs))
    for pair in range(pairs):
        mean, rho = generator.uniform(0.1, 0.6), generator.uniform(0.3, 0.9)
        p = [
            _beta(generator, mean + x, rho + y, PROMPTS)
            for x, y in ((0, 0), generator.uniform((-0.08, -0.1), (0.08, 0.1)))
        ]
        first, second = _ends(recipe, np.stack(p))
        for i, n in enumerate(SAMPLES):
            counts = {name: Recorded(generator.binomial(n, x), n) for name, x in zip("AB", p, strict=True)}
            ahead = simulate_checkpoints(counts, recipe, seed=pair).ahead[0, 1]
            stated[i, pair], right[i, pair] = max(ahead, 1 - ahead), (first > second) == (ahead >= 0.5)
    return Calibration(stated, right)


EVALUATIONS = ((5, 8), (20, 4), (20, 8), (100, 8))
"""Prompts and samples of each."""

Draw = Callable[[np.random.Generator, int], np.ndarray]


def _never(share: float, others: Draw) -> Draw:
    """So many prompts that are never solved, and others."""
    return lambda generator, prompts: np.where(np.arange(prompts) < share * prompts, 0.0, others(generator, prompts))


POPULATIONS: dict[str, Draw] = {
    "Beta, mean 0.3, dispersion 0.4": lambda generator, prompts: _beta(generator, 0.3, 0.4, prompts),
    "Beta, mean 0.5, dispersion 0.05": lambda generator, prompts: _beta(generator, 0.5, 0.05, prompts),
    "Beta, mean 0.02, dispersion 0.3": lambda generator, prompts: _beta(generator, 0.02, 0.3, prompts),
    "Beta, mean 0.98, dispersion 0.3": lambda generator, prompts: _beta(generator, 0.98, 0.3, prompts),
    "30% never, the rest a Beta": _never(0.3, lambda generator, prompts: _beta(generator, 0.4, 0.4, prompts)),
    "half never, half at 0.5": _never(0.5, lambda _, prompts: np.full(prompts, 0.5)),
    "60% never, 40% always": _never(0.6, lambda _, prompts: np.ones(prompts)),
    "all always": lambda _, prompts: np.ones(prompts),
    "all never": lambda _, prompts: np.zeros(prompts),
    "all at 0.01": lambda _, prompts: np.full(prompts, 0.01),
    "60% at 0.005, 40% at 0.99": lambda _, prompts: np.where(np.arange(prompts) < 0.6 * prompts, 0.005, 0.99),
}


def coverage(runs: int = 100, *, seed: int = 0) -> dict[str, Any]:
    """How often the intervals hold the truth, as they are printed, and how wide they are on average.

    Of the ends those that are known, whose share is given.

    Examples
    --------
    >>> from experiments.checkpoint_calibration import coverage
    >>> rows = coverage(1)["rows"]
    >>> len(rows), sorted(rows[0])[:4]
    (44, ['after', 'before', 'dispersion', 'known'])
    """
    rows = []
    for (name, draw), (prompts, samples) in product(POPULATIONS.items(), EVALUATIONS):
        generator, recipe = np.random.default_rng(seed), Recipe(prompts=prompts)
        found: dict[str, list[tuple[bool, float]]] = {"before": [], "dispersion": [], "after": []}
        for run in range(runs):
            p = draw(generator, prompts)
            most = p.mean() * (1 - p.mean())
            truth = p.mean(), p.var() / most if most else 0.0, _ends(recipe, p[None])[0]
            counts = {name: Recorded(generator.binomial(samples, p), samples)}
            ends = simulate_checkpoints(counts, recipe, draws=79, seed=run)
            for what, true in zip(found, truth, strict=True):
                _, low, high = ends.interval(what)[0]
                if np.isfinite(low):
                    found[what].append((low - ends.ALIKE <= true <= high + ends.ALIKE, high - low))
        row: dict[str, Any] = {"population": name, "prompts": prompts, "samples": samples}
        for what, each in found.items():
            held, width = np.mean(each, axis=0).tolist() if each else (None, None)
            row[what] = {"held": held, "width": width}
        rows.append({**row, "known": len(found["after"]) / runs})
    return {"runs": runs, "rows": rows}


def _beta(generator: np.random.Generator, mean: float, rho: float, prompts: int) -> np.ndarray:
    size = (1 - rho) / rho
    return generator.beta(mean * size, (1 - mean) * size, prompts)


def _ends(recipe: Recipe, p: np.ndarray) -> np.ndarray:
    """The model's own pass@1 after training from these pass rates [checkpoints, prompts], over several class shapes."""
    shapes = 32
    starts = np.repeat(log_odds(p), shapes, axis=0)
    settings = alike(recipe.setting(), len(starts))
    keys = jax.random.split(jax.random.key(1), shapes)[np.tile(np.arange(shapes), len(p))]  # the same for both
    ends: Any = sweep(FromPassRates(recipe), (keys, starts, settings), label="truth")
    return ends.pass_at_1[:, -1].reshape(len(p), shapes).mean(-1)
