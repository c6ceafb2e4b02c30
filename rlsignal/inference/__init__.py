"""What samples and logs say, and how sure that is: intervals over prompts, fitted populations, bounds, ranks, tests."""

from rlsignal.inference.anchored import anchored_estimate
from rlsignal.inference.bounds import group_bounds
from rlsignal.inference.curves import exponential_fit, sigmoid_fit
from rlsignal.inference.intervals import Estimate, dispersion_estimate, group_estimate, per_prompt_estimate
from rlsignal.inference.noise import gradient_noise
from rlsignal.inference.plausible import plausible_populations
from rlsignal.inference.pooling import exchangeability
from rlsignal.inference.population import band, beta_estimate, log_estimate, posterior
from rlsignal.inference.ranking import (
    disagreement_probability,
    inversions,
    paired_estimate,
    rank_correlation,
    variance_explained,
)
from rlsignal.inference.sequential import log_e_process, overdispersion

__all__ = [
    "Estimate",
    "anchored_estimate",
    "band",
    "beta_estimate",
    "disagreement_probability",
    "dispersion_estimate",
    "exchangeability",
    "exponential_fit",
    "gradient_noise",
    "group_bounds",
    "group_estimate",
    "inversions",
    "log_e_process",
    "log_estimate",
    "overdispersion",
    "paired_estimate",
    "per_prompt_estimate",
    "plausible_populations",
    "posterior",
    "rank_correlation",
    "sigmoid_fit",
    "variance_explained",
]
