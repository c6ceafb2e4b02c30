"""Every advantage estimator that ships, and the ways to make one: `rlsignal.estimators.GRPO_TRL`."""

from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import (
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
    EstimatorTable,
    batch_standardised,
    compare_estimators,
    pass_at_k_gradient,
    pass_at_k_training,
    posterior_baseline,
    standardised,
)
from rlsignal.theory.modified import down_sampled, filtered, length_weighted, under_noisy_verifier

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
    "Estimator",
    "EstimatorTable",
    "batch_standardised",
    "compare_estimators",
    "down_sampled",
    "filtered",
    "length_weighted",
    "pass_at_k_gradient",
    "pass_at_k_training",
    "posterior_baseline",
    "standardised",
    "under_noisy_verifier",
]
