"""The simulator: the only jax (and optax). The same code on CPU and GPU; no file is opened and nothing printed here.

tabular (policies, sampled GRPO) -> meanfield (the same without sampling) -> starts (where from) -> sweep (many at
once) -> inversion (the map).
"""

from rlsignal.sim.inversion import inversion_map
from rlsignal.sim.meanfield import expected_gradient, flow
from rlsignal.sim.starts import from_pass_rates, reachable_entropy, sharpened, temper
from rlsignal.sim.sweep import Store, cross, fingerprint, sweep, width_for
from rlsignal.sim.tabular import Metrics, Recipe, Seen, Setting, log_pass_rates, measure, sampled_gradient, train

__all__ = [
    "Metrics",
    "Recipe",
    "Seen",
    "Setting",
    "Store",
    "cross",
    "expected_gradient",
    "fingerprint",
    "flow",
    "from_pass_rates",
    "inversion_map",
    "log_pass_rates",
    "measure",
    "reachable_entropy",
    "sampled_gradient",
    "sharpened",
    "sweep",
    "temper",
    "train",
    "width_for",
]
