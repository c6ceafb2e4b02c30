"""What is true of groups of binary rewards: numpy and scipy only, no randomness, no files, no statistics of samples.

distributions (how often) x estimators (what it is worth) -> weights and objectives; signal, passk, filters, efficiency,
entropy, dynamics and regularisation ask the questions. `rlsignal.proofs` checks the answers.
"""

from rlsignal.theory.budget import group_size_for_budget, pass_rate_after
from rlsignal.theory.clock import escape_time, forecast
from rlsignal.theory.distributions import Beta, Fixed, Mixture
from rlsignal.theory.dynamics import (
    adam_drift,
    discoverable_pass_rate,
    learning_speed,
    reachable_pass_rate,
    rollouts_to_success,
    transferred_speed,
)
from rlsignal.theory.efficiency import (
    Scores,
    allocate_rollouts,
    best_group_size,
    relative_efficiency,
    signal_to_noise,
    signal_to_noise_cap,
    update_variance,
)
from rlsignal.theory.entropy import Responses, binding_entropy, pass_rate_cap, reward_entropy, reward_variance_cap
from rlsignal.theory.filters import (
    accepted_pmf,
    degenerate_again_probability,
    noisy_pass_rate,
    noisy_verifier_efficiency,
    rollouts_per_accepted_group,
    rollouts_to_informative,
    screened,
    shortfall_probability,
    top_variance,
)
from rlsignal.theory.flip import budget_to_flip, reached_share
from rlsignal.theory.passk import (
    failure_power_law,
    missed_mode_probability,
    pass_at_k,
    pass_at_k_alignment,
    pass_at_k_weight,
)
from rlsignal.theory.recorded import Recorded
from rlsignal.theory.regularisation import clipped_batches, kl_fixed_points, kl_gradient, kl_value
from rlsignal.theory.rewards import Levels, channel_weights, level_weights
from rlsignal.theory.signal import (
    advantage_variance,
    advantage_variance_distribution,
    degenerate_probability,
    group_deviation,
    informative_group_bias,
    informative_probability,
    variance_of_advantage_variance,
)
from rlsignal.theory.thresholds import critical_dispersion, critical_pass_rate, dispersion_for, group_size_for

__all__ = [
    "Beta",
    "Fixed",
    "Levels",
    "Mixture",
    "Recorded",
    "Responses",
    "Scores",
    "accepted_pmf",
    "adam_drift",
    "advantage_variance",
    "advantage_variance_distribution",
    "allocate_rollouts",
    "best_group_size",
    "binding_entropy",
    "budget_to_flip",
    "channel_weights",
    "clipped_batches",
    "critical_dispersion",
    "critical_pass_rate",
    "degenerate_again_probability",
    "degenerate_probability",
    "discoverable_pass_rate",
    "dispersion_for",
    "escape_time",
    "failure_power_law",
    "forecast",
    "group_deviation",
    "group_size_for",
    "group_size_for_budget",
    "informative_group_bias",
    "informative_probability",
    "kl_fixed_points",
    "kl_gradient",
    "kl_value",
    "learning_speed",
    "level_weights",
    "missed_mode_probability",
    "noisy_pass_rate",
    "noisy_verifier_efficiency",
    "pass_at_k",
    "pass_at_k_alignment",
    "pass_at_k_weight",
    "pass_rate_after",
    "pass_rate_cap",
    "reachable_pass_rate",
    "reached_share",
    "relative_efficiency",
    "reward_entropy",
    "reward_variance_cap",
    "rollouts_per_accepted_group",
    "rollouts_to_informative",
    "rollouts_to_success",
    "screened",
    "shortfall_probability",
    "signal_to_noise",
    "signal_to_noise_cap",
    "top_variance",
    "transferred_speed",
    "update_variance",
    "variance_of_advantage_variance",
]
