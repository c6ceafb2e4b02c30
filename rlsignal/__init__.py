"""Does this checkpoint, with this group size, still give reinforcement learning a signal?

Start with one prompt, a data set, or your own evaluation; each is a law of how many rollouts of a group succeed:

>>> import rlsignal as rl
>>> rl.advantage_variance(0.2, 8)
0.14
>>> data = rl.Beta(mean=0.33, dispersion=0.49)
>>> round(rl.degenerate_probability(data, 8), 2)
0.45
>>> rl.informative_probability(rl.Recorded(correct=[0, 1, 8], samples=8), 4)
0.16666666666666666

Where to go on, by question:

- What do I have? `read` a file, then `diagnose` it, `compare` checkpoints, ask `recommend_group_size`, `track` a log.
- How much signal? `advantage_variance`, `degenerate_probability`, `critical_pass_rate`, `group_size_for`, `pass_at_k`.
- What does an estimator do? `advantages`, `compare_estimators`, `gradient_weight`, `effective_objective`, `Estimator`.
- What does a rollout buy? `signal_to_noise`, `best_group_size`, `rollouts_per_accepted_group`, `allocate_rollouts`.
- Where does training go? `escape_time`, `reachable_pass_rate`, `forecast`, `kl_fixed_points`.
- How sure is it? `group_estimate`, `beta_estimate`, `group_bounds`, `exchangeability`, `log_estimate`.
- Is it true? `verify`, and the proofs in `rlsignal.theory.derivations`.
- What happens in a run? `from rlsignal import sim, plots`; these load jax and matplotlib, this module does not.
"""

from importlib.metadata import version

from rlsignal.data.read import read
from rlsignal.data.records import Rollouts, TrainingLog
from rlsignal.diagnosis.compare import compare
from rlsignal.diagnosis.diagnose import diagnose, grouped
from rlsignal.diagnosis.group_size import compare_estimators, recommend_group_size
from rlsignal.diagnosis.track import track
from rlsignal.inference.bounds import group_bounds
from rlsignal.inference.intervals import Estimate, dispersion_estimate, group_estimate, per_prompt_estimate
from rlsignal.inference.pooling import exchangeability
from rlsignal.inference.population import band, beta_estimate, log_estimate, posterior
from rlsignal.inference.ranking import (
    disagreement_probability,
    inversions,
    paired_estimate,
    rank_correlation,
    variance_explained,
)
from rlsignal.inference.sequential import log_e_process
from rlsignal.proofs.verify import verify
from rlsignal.store import load, save, save_counts
from rlsignal.theory.clock import escape_time, forecast
from rlsignal.theory.distributions import Beta, Fixed, Recorded
from rlsignal.theory.dynamics import (
    adam_drift,
    discoverable_pass_rate,
    learning_speed,
    reachable_pass_rate,
    rollouts_to_success,
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
from rlsignal.theory.estimators import (
    DR_GRPO,
    ESTIMATORS,
    GRPO,
    GRPO_NEMO,
    GRPO_OPENRLHF,
    GRPO_TRL,
    GRPO_VERL,
    MAXRL,
    MAXRL_UNCENTRED,
    RLOO,
    Estimator,
    advantages,
    batch_standardised,
    pass_at_k_gradient,
    pass_at_k_training,
    posterior_baseline,
    standardised,
)
from rlsignal.theory.filters import (
    accepted_pmf,
    noisy_pass_rate,
    noisy_verifier_efficiency,
    rollouts_per_accepted_group,
    rollouts_to_informative,
    shortfall_probability,
)
from rlsignal.theory.objective import (
    advantage_magnitude,
    advantage_second_moment,
    effective_objective,
    gradient_weight,
    informative_group_bias,
)
from rlsignal.theory.passk import (
    failure_power_law,
    missed_mode_probability,
    pass_at_k,
    pass_at_k_alignment,
    pass_at_k_weight,
)
from rlsignal.theory.regularisation import clipped_batches, kl_fixed_points, kl_gradient, kl_value
from rlsignal.theory.signal import (
    advantage_variance,
    advantage_variance_distribution,
    critical_dispersion,
    critical_pass_rate,
    degenerate_probability,
    dispersion_for,
    group_deviation,
    group_size_for,
    informative_probability,
    variance_of_advantage_variance,
)

__version__ = version("rlsignal")

__all__ = [
    "DR_GRPO",
    "ESTIMATORS",
    "GRPO",
    "GRPO_NEMO",
    "GRPO_OPENRLHF",
    "GRPO_TRL",
    "GRPO_VERL",
    "MAXRL",
    "MAXRL_UNCENTRED",
    "RLOO",
    "Beta",
    "Estimate",
    "Estimator",
    "Fixed",
    "Recorded",
    "Responses",
    "Rollouts",
    "Scores",
    "TrainingLog",
    "adam_drift",
    "advantage_magnitude",
    "advantage_second_moment",
    "advantage_variance",
    "advantage_variance_distribution",
    "advantages",
    "allocate_rollouts",
    "band",
    "batch_standardised",
    "best_group_size",
    "beta_estimate",
    "binding_entropy",
    "clipped_batches",
    "compare",
    "critical_dispersion",
    "critical_pass_rate",
    "degenerate_probability",
    "diagnose",
    "disagreement_probability",
    "discoverable_pass_rate",
    "dispersion_estimate",
    "dispersion_for",
    "effective_objective",
    "escape_time",
    "exchangeability",
    "failure_power_law",
    "log_e_process",
    "forecast",
    "gradient_weight",
    "group_bounds",
    "group_deviation",
    "group_estimate",
    "recommend_group_size",
    "group_size_for",
    "grouped",
    "informative_probability",
    "inversions",
    "accepted_pmf",
    "kl_fixed_points",
    "kl_gradient",
    "kl_value",
    "learning_speed",
    "load",
    "log_estimate",
    "missed_mode_probability",
    "informative_group_bias",
    "paired_estimate",
    "pass_at_k",
    "pass_at_k_alignment",
    "pass_at_k_gradient",
    "pass_at_k_training",
    "pass_at_k_weight",
    "pass_rate_cap",
    "per_prompt_estimate",
    "posterior",
    "posterior_baseline",
    "rank_correlation",
    "reachable_pass_rate",
    "read",
    "relative_efficiency",
    "reward_variance_cap",
    "rollouts_per_accepted_group",
    "rollouts_to_informative",
    "rollouts_to_success",
    "compare_estimators",
    "save",
    "save_counts",
    "signal_to_noise",
    "signal_to_noise_cap",
    "standardised",
    "track",
    "shortfall_probability",
    "update_variance",
    "variance_explained",
    "variance_of_advantage_variance",
    "noisy_verifier_efficiency",
    "reward_entropy",
    "noisy_pass_rate",
    "verify",
]
