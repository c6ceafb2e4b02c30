"""The proofs, step by step: sympy checks every identity, a notebook shows them as LaTeX.

One module for each theme of the theory. sympy is loaded when a proof is asked for, not with these modules.
"""

from rlsignal.proofs.derivations.dynamics import (
    chain_of_decisions,
    drift_under_adam,
    escape_clocks,
    jump_of_a_visit,
    tabular_flow,
    transfer_between_prompts,
)
from rlsignal.proofs.derivations.efficiency import (
    best_group,
    best_group_with_steps,
    noise_from_norms,
    noise_of_rloo,
    noisy_verdicts,
    shrinking_baseline,
)
from rlsignal.proofs.derivations.entropy import (
    entropy_of_a_population,
    entropy_under_the_natural_gradient,
    entropy_under_the_plain_gradient,
    parts_of_entropy,
    reward_over_entropy,
)
from rlsignal.proofs.derivations.estimation import posterior_of_a_prompt, unbiased_reward_variance
from rlsignal.proofs.derivations.filters import (
    degenerate_twice,
    filtered_groups,
    flow_under_a_noisy_verifier,
    kinds_of_prompts,
    more_filters,
    weight_of_a_small_bonus,
    weight_under_lengths,
)
from rlsignal.proofs.derivations.objective import (
    bias_of_informative_groups,
    expected_update,
    fixed_point_of_an_entropy_bonus,
    gradients_of_kl_losses,
    slope_of_the_objective,
)
from rlsignal.proofs.derivations.passk import missed_mode, power_law_of_failures
from rlsignal.proofs.derivations.rewards import update_of_levels, variance_of_any_rewards
from rlsignal.proofs.derivations.signal import (
    beta_population,
    variance_of_the_variance,
    within_group_variance,
    within_group_variance_by_pairs,
)
from rlsignal.proofs.derivations.steps import Derivation, Step

PROOFS = (
    kinds_of_prompts,
    within_group_variance,
    within_group_variance_by_pairs,
    variance_of_the_variance,
    beta_population,
    expected_update,
    slope_of_the_objective,
    bias_of_informative_groups,
    weight_under_lengths,
    tabular_flow,
    escape_clocks,
    chain_of_decisions,
    drift_under_adam,
    jump_of_a_visit,
    transfer_between_prompts,
    gradients_of_kl_losses,
    fixed_point_of_an_entropy_bonus,
    noise_of_rloo,
    best_group,
    noise_from_norms,
    best_group_with_steps,
    shrinking_baseline,
    noisy_verdicts,
    flow_under_a_noisy_verifier,
    filtered_groups,
    degenerate_twice,
    more_filters,
    unbiased_reward_variance,
    posterior_of_a_prompt,
    power_law_of_failures,
    missed_mode,
    parts_of_entropy,
    entropy_under_the_natural_gradient,
    entropy_under_the_plain_gradient,
    reward_over_entropy,
    entropy_of_a_population,
    variance_of_any_rewards,
    update_of_levels,
    weight_of_a_small_bonus,
)
"""All proofs, in the order in which they are best read: `for proof in PROOFS: proof().check()`."""

__all__ = ["PROOFS", "Derivation", "Step", *(proof.__name__ for proof in PROOFS)]
