"""What holds training back: the KL term, which also acts where every advantage is 0, and clipping.

Both are outside the tables. The KL term adds -kl_weight grad KL to every prompt's update, whether its group is
informative or not; in a degenerate group it is the whole update.
"""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, log_softmax

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import known
from rlsignal.theory.pmf import answer

Divergence = Literal["k1", "k2", "k3"]
"""Schulman's names: with x = log(policy / reference) of a drawn response, x, x^2/2 and exp(-x) - 1 + x."""


def kl_fixed_points(reference: float, g: int, estimator: Estimator, *, kl_weight: float) -> Floats:
    """The pass rates where the pull of the rewards and of the reference balance (K1).

    All solutions of logit p = logit p_ref + w_g(p)/kl_weight: the stationary points of h_g(p) - kl_weight KL among
    all policies of a prompt, and the fixed points of updating to the best policy under the last one's advantages.

    Parameters
    ----------
    reference : the reference policy's pass rate, in (0, 1).
    g : group size in [2, 4096].
    estimator : an Estimator such as GRPO.
    kl_weight : beta, positive.

    Returns
    -------
    [points] rising. From the reference, training with w_g > 0 rises to the first. The first, third, ... are local
    maxima, which attract training; those between divide their basins. One point if d w_g/d logit p < kl_weight
    everywhere, and so always for an estimator whose weight does not rise with p.

    Raises
    ------
    ValueError : arguments out of range.

    Notes
    -----
    Found by the changes of sign on a grid of 0.02 in logit p; two points closer than that may be missed together.

    Source: Mroueh (2503.06639) for the limit of large groups, where w = 1/sqrt(p(1-p)); derived in docs/theory.md (K1).

    Examples
    --------
    >>> from rlsignal import GRPO, RLOO
    >>> from rlsignal.theory import kl_fixed_points
    >>> [kl_fixed_points(0.1, 8, estimator, kl_weight=4).round(3) for estimator in (GRPO, RLOO)]
    [array([0.161]), array([0.125])]
    >>> kl_fixed_points(0.001, 16, GRPO, kl_weight=0.3).round(3)
    array([0.41 , 0.864, 0.997])
    """
    from scipy.optimize import brentq

    where = _validate.scalar("reference", _validate.within("reference", reference, 0, 1, open_ends=True))
    beta = _validate.scalar("kl_weight", _validate.within("kl_weight", kl_weight, 0, np.inf, open_ends=True))
    gain, start = known(estimator).gain(_validate.group_size(g)), np.log(where) - np.log1p(-where)

    def surplus(x: ArrayLike) -> Floats:
        return np.asarray(np.asarray(estimator.weight(expit(x), g)) / beta - (x - start))

    low, high = start + gain.min() / beta, start + gain.max() / beta  # a mean lies between the extremes
    margin = 1e-9 * (1 + np.abs([low, high]).max())
    bend = np.arange(-40, 40, 0.02)  # beyond, the weight is constant to 1e-17
    grid = np.concatenate([[low - margin], bend[(bend > low) & (bend < high)], [high + margin]])
    above = surplus(grid) > 0
    at = np.flatnonzero(above[:-1] != above[1:])
    roots = [brentq(lambda x: float(surplus(x)), grid[i], grid[i + 1], xtol=1e-14, rtol=1e-15) for i in at]
    return np.asarray(expit(np.array(roots)))


def kl_value(policy: ArrayLike, reference: ArrayLike, divergence: Divergence = "k3") -> float | Floats:
    """The mean over responses drawn from the policy of k1, k2 or k3 (K2): KL(policy || reference) for k1 and k3.

    Parameters
    ----------
    policy, reference : logits [..., responses], in nats, within 350 of 0.
    divergence : "k1", "k2" or "k3"; k2 has another mean, near it for policies that are near.

    Returns
    -------
    float, or an array [...]; nats.

    Raises
    ------
    ValueError : logits that are not finite or do not fit together, another divergence.

    Source: derived in docs/theory.md (K2).

    Examples
    --------
    >>> from rlsignal.theory import kl_value
    >>> [round(kl_value([1.0, 0, 0], [0.0, 0, 0], divergence), 4) for divergence in ("k1", "k2", "k3")]
    [0.1233, 0.1297, 0.1233]
    """
    chances, x = _compared(policy, reference)
    values = {"k1": x, "k2": x**2 / 2, "k3": np.expm1(-x) + x}
    return answer((chances * _chosen(values, divergence)).sum(-1))


def kl_gradient(policy: ArrayLike, reference: ArrayLike, divergence: Divergence = "k3") -> Floats:
    """The mean gradient, in the policy's logits, of k1, k2 or k3 used as a loss on drawn responses (K2).

    As losses they differ: k1's is 0, k2's is the gradient of KL(policy || reference), and k3's that of the other
    way round, KL(reference || policy). (Taken off the reward instead, k1 has k2's gradient.)

    Parameters
    ----------
    policy, reference : logits [..., responses], in nats.
    divergence : "k1", "k2" or "k3".

    Returns
    -------
    [..., responses]; it does not depend on rewards, so a degenerate group has it too.

    Raises
    ------
    ValueError : as `kl_value`.

    Source: derived in docs/theory.md (K2).

    Examples
    --------
    >>> from rlsignal.theory import kl_gradient
    >>> [kl_gradient([1.0, 0, 0], [0.0, 0, 0], divergence).round(3) for divergence in ("k1", "k2", "k3")]
    [array([0., 0., 0.]), array([ 0.244, -0.122, -0.122]), array([ 0.243, -0.121, -0.121])]
    """
    chances, x = _compared(policy, reference)
    slopes = {"k1": np.ones_like(x), "k2": x, "k3": -np.expm1(-x)}
    slope = _chosen(slopes, divergence)
    return np.asarray(chances * (slope - (chances * slope).sum(-1, keepdims=True)) + 0.0)


def clipped_batches(start: ArrayLike, end: ArrayLike, *, clip: float) -> float | Floats:
    """Batches that a probability needs to rise from start to end, a factor 1 + clip each (K3).

    Within one batch a PPO-style loss stops pushing a ratio up once it is above 1 + clip, so a small probability has
    little room: clip times itself. Inert where the loss is on-policy (one update per batch), and soft: momentum and
    other responses move a probability past it.

    Parameters
    ----------
    start, end : probabilities of what the ratio is taken of (a response, or a token), start <= end, in (0, 1].
    clip : the upper clip range, such as 0.2 or 0.28; positive.

    Returns
    -------
    float, or an array: ln(end/start) / ln(1 + clip).

    Raises
    ------
    ValueError : arguments out of range.

    Source: derived in docs/theory.md (K3).

    Examples
    --------
    >>> from rlsignal.theory import clipped_batches
    >>> [round(clipped_batches(0.01, 0.5, clip=clip), 1) for clip in (0.2, 0.28)]
    [21.5, 15.8]
    """
    low, high = (_validate.probability(name, value) for name, value in (("start", start), ("end", end)))
    _validate.within("start", low, 0, np.inf, open_ends=True, way_out="What is never drawn is never raised.")
    clip = _validate.scalar("clip", _validate.within("clip", clip, 0, np.inf, open_ends=True))
    _validate.within("end - start", high - low, 0, 1, way_out="Clipping from above bounds what rises.")
    return answer((np.log(high) - np.log(low)) / np.log1p(clip))


def _compared(policy: ArrayLike, reference: ArrayLike) -> tuple[Floats, Floats]:
    """The policy's probabilities and the log ratios [..., responses]."""
    ours, theirs = (
        _validate.within(name, logits, -350, 350) for name, logits in (("policy", policy), ("reference", reference))
    )
    if not ours.ndim or not theirs.ndim or ours.shape[-1] != theirs.shape[-1]:
        raise ValueError(
            f"policy and reference must be logits of the same responses, got shapes {ours.shape} and {theirs.shape}."
        )
    logs = log_softmax(ours, -1)
    return np.exp(logs), logs - log_softmax(theirs, -1)


def _chosen(options: dict[str, Floats], divergence: str) -> Floats:
    if divergence not in options:
        raise ValueError(f"divergence must be one of {', '.join(options)}, got {divergence!r}.")
    return options[divergence]
