"""How often the order of ends that `simulate_checkpoints` states is right, where the pass rates are known.

Pairs of checkpoints with Beta populations that are near each other; counts of 8, 16 and 64 samples for 100 prompts. The
truth is the model's own end from the true pass rates: what is tested is the uncertainty of counts, not the model.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import numpy as np

from rlsignal import Recorded
from rlsignal.sim import Recipe, simulate_checkpoints, sweep
from rlsignal.sim.checkpoints import FromPassRates

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
            _population(generator, mean + x, rho + y)
            for x, y in ((0, 0), generator.uniform((-0.08, -0.1), (0.08, 0.1)))
        ]
        first, second = _ends(recipe, np.stack(p))
        for i, n in enumerate(SAMPLES):
            counts = {name: Recorded(generator.binomial(n, x), n) for name, x in zip("AB", p, strict=True)}
            ahead = simulate_checkpoints(counts, recipe, seed=pair).ahead[0, 1]
            stated[i, pair], right[i, pair] = max(ahead, 1 - ahead), (first > second) == (ahead >= 0.5)
    return Calibration(stated, right)


def _population(generator: np.random.Generator, mean: float, rho: float) -> np.ndarray:
    size = (1 - rho) / rho
    return np.clip(generator.beta(mean * size, (1 - mean) * size, PROMPTS), 1e-9, 1 - 1e-7)


def _ends(recipe: Recipe, p: np.ndarray) -> np.ndarray:
    """The model's own pass@1 after training from these pass rates [checkpoints, prompts], over several class shapes."""
    shapes = 32
    log_odds = np.repeat(np.log(p) - np.log1p(-p), shapes, axis=0).astype(np.float32)
    settings = jax.tree.map(lambda x: np.broadcast_to(x, (len(log_odds), *x.shape)), recipe.setting())
    keys = jax.random.split(jax.random.key(1), shapes)[np.tile(np.arange(shapes), len(p))]  # the same for both
    ends: Any = sweep(FromPassRates(recipe), (keys, log_odds, settings), label="truth")
    return ends.pass_at_1[:, -1].reshape(len(p), shapes).mean(-1)
