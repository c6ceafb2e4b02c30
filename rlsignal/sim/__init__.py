"""The simulator: the only jax (and optax). The same code on CPU and GPU; no file is opened and nothing printed here.

tabular (policies, sampled GRPO) -> meanfield (the same without sampling) -> starts (where from) -> sweep (many at
once) -> inversion (the map). Beside them, policies that share parameters: tasks -> policies -> sft -> grpo -> ladder.
"""

from rlsignal.sim.grpo import GRPORecipe, GRPOSetting
from rlsignal.sim.inversion import inversion_map
from rlsignal.sim.ladder import INVERTING, SAFE, Course, depth_ladder, entropy_swap
from rlsignal.sim.meanfield import expected_gradient, flow
from rlsignal.sim.policies import Network, Sequence, Tabular
from rlsignal.sim.sft import SFTRecipe, SFTSetting, finetune
from rlsignal.sim.starts import from_pass_rates, reachable_entropy, sharpened, temper
from rlsignal.sim.sweep import Store, cross, fingerprint, sweep, width_for
from rlsignal.sim.tabular import Metrics, Recipe, Seen, Setting, log_pass_rates, measure, sampled_gradient, train
from rlsignal.sim.tasks import ModularAddition, Teacher

__all__ = [
    "INVERTING",
    "SAFE",
    "Course",
    "GRPORecipe",
    "GRPOSetting",
    "Metrics",
    "ModularAddition",
    "Network",
    "Recipe",
    "SFTRecipe",
    "SFTSetting",
    "Seen",
    "Sequence",
    "Setting",
    "Store",
    "Tabular",
    "Teacher",
    "cross",
    "depth_ladder",
    "entropy_swap",
    "expected_gradient",
    "finetune",
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
