"""The simulator: the only jax (and optax). The same code on CPU and GPU; no file is opened and nothing printed here.

tabular (policies, sampled GRPO) -> meanfield (the same without sampling), jumping (past degenerate groups) -> starts
(where from) -> sweep (many at once) -> inversion (the map). Beside them, policies that share parameters: tasks ->
policies -> sft -> grpo -> ladder.
"""

from rlsignal.sim.checkpoints import simulate_checkpoints
from rlsignal.sim.grpo import GRPORecipe, GRPOSetting, PolicyStepMetrics, train_policy
from rlsignal.sim.inversion import inversion_map
from rlsignal.sim.jumping import jump
from rlsignal.sim.ladder import INVERTING, SAFE, LadderTask, depth_ladder, entropy_swap
from rlsignal.sim.meanfield import expected_gradient, flow, leap
from rlsignal.sim.policies import Measured, Network, Sequence, Tabular, measure_policy
from rlsignal.sim.runner import Runner
from rlsignal.sim.sft import SFTRecipe, SFTSetting, finetune
from rlsignal.sim.starts import from_pass_rates, reachable_entropy, sharpened, temper
from rlsignal.sim.sweep import alike, cross, fingerprint, sweep, width_for
from rlsignal.sim.tabular import (
    Metrics,
    Recipe,
    Setting,
    StepMetrics,
    log_pass_rates,
    measure_tabular,
    prompts_pass_rates,
    sampled_gradient,
    train_tabular,
)
from rlsignal.sim.tasks import ModularAddition, Teacher

__all__ = [
    "INVERTING",
    "SAFE",
    "GRPORecipe",
    "GRPOSetting",
    "LadderTask",
    "Measured",
    "Metrics",
    "ModularAddition",
    "Network",
    "PolicyStepMetrics",
    "Recipe",
    "Runner",
    "SFTRecipe",
    "SFTSetting",
    "Sequence",
    "Setting",
    "StepMetrics",
    "Tabular",
    "Teacher",
    "alike",
    "cross",
    "depth_ladder",
    "entropy_swap",
    "expected_gradient",
    "finetune",
    "fingerprint",
    "flow",
    "from_pass_rates",
    "inversion_map",
    "jump",
    "leap",
    "log_pass_rates",
    "measure_policy",
    "measure_tabular",
    "prompts_pass_rates",
    "reachable_entropy",
    "sampled_gradient",
    "sharpened",
    "simulate_checkpoints",
    "sweep",
    "temper",
    "train_policy",
    "train_tabular",
    "width_for",
]
