"""The alignment number: how fast GRPO on some prompts moves others at first, before any RL (F9)."""

from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax, nn

from rlsignal.sim.meanfield import weight
from rlsignal.sim.policies import Parameters, Policy, Prompts, log_probabilities

Values = TypeVar("Values", Array, np.ndarray[Any, Any])


def pulls(
    policy: Policy, parameters: Parameters, trained: Prompts, on: Prompts, table: Array | np.ndarray[Any, Any]
) -> tuple[Array, Array]:
    """How fast RL on the trained prompts moves log p/(1-p) of other prompts at first, and their p; each [prompts].

    Per unit of learning rate times steps, in the mean and under plain ascent: the derivative along the mean over
    trained prompts of w_g(p) grad p (F9), w_g of the estimator with this table [2, g+1]. For any policy and number of
    correct responses, by one forward-mode product.
    """
    weights = jax.vmap(partial(weight, table=jnp.asarray(table)))

    def log_p(theta: Parameters, prompts: Prompts) -> Array:
        log_pi = log_probabilities(policy, theta, prompts.features)
        return nn.logsumexp(jnp.take_along_axis(log_pi, prompts.answers, -1), -1)

    def objective(theta: Parameters) -> Array:
        at = log_p(theta, trained)
        p = jnp.exp(at)
        log_q = jnp.log(jnp.maximum(1 - p, jnp.finfo(p.dtype).tiny))
        return (lax.stop_gradient(weights(at, log_q)) * p).mean()

    along = jax.grad(objective)(parameters)
    at, speed = jax.jvp(lambda theta: log_p(theta, on), (parameters,), (along,))
    p = jnp.exp(at)
    return speed / jnp.maximum(1 - p, 1e-6), p


def alignment(pull: Values, p: Values, k: int = 10) -> Values:
    """The alignment number: the mean pull on prompts that k samples leave unsolved, weighted by (1-p)^k; last axis."""
    unsolved = (1 - p) ** k
    return (unsolved * pull).sum(-1) / unsolved.sum(-1)


def first_speed(pull: Values, p: Values) -> Values:
    """How fast pass@1 moves at first: the mean over prompts of p(1-p) times the pull; last axis."""
    return (p * (1 - p) * pull).mean(-1)
