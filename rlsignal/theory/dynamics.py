"""How p moves: the flow that an estimator's weight drives in a softmax policy, and what it can reach.

Exact for one softmax per prompt under plain ascent without noise. Time is learning rate times steps, and `collision`
is kappa_C + kappa_I, the chances that two correct responses are the same one, and two incorrect ones: 2 for a policy of
two responses, kappa_C = 1/m where m correct responses share their mass equally. Training moves it; here it is frozen.
"""

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.distributions import PassRate, group
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import known
from rlsignal.theory.pmf import answer


def learning_speed(
    p: ArrayLike | PassRate, g: int, estimator: Estimator, *, collision: float = 1.0, natural: bool = False
) -> float | Floats:
    """dp/dt, how fast training raises the pass rate (F1): w_g(p) (pq)^2 collision.

    A table times the pmf of K in groups of g + 3: of a population it is d(pass@1)/dt, and of an evaluation unbiased.

    Parameters
    ----------
    p : pass rate(s) or a distribution; a `Recorded` needs n >= g + 3 samples (g + 1 if natural).
    g : group size in [2, 4093].
    estimator : an Estimator such as GRPO.
    collision : kappa_C + kappa_I in [0, 2], the same for all prompts; of no effect if natural.
    natural : follow the natural gradient, dp/dt = w_g(p) pq.

    Returns
    -------
    float, or an array of p's shape; per unit of learning rate times steps.

    Raises
    ------
    ValueError : arguments out of range, g + 3 above the samples of a `Recorded`.

    Source: derived in docs/theory.md (F1).

    Examples
    --------
    >>> from rlsignal import RLOO
    >>> from rlsignal.theory import learning_speed
    >>> learning_speed(0.5, 8, RLOO, collision=2), learning_speed(0.5, 8, RLOO, natural=True)
    (0.125, 0.25)
    """
    rate = checked_collision(collision)
    gain, each = known(estimator).gain(_validate.group_size(g)), 1 if natural else 2  # correct and incorrect ones added
    what, more = group(p, g - 1 + 2 * each, name=f"g + {2 * each - 1}", summed=True)
    j, factor = np.arange(g), np.ones(g)
    for i in range(each):  # pq b(g-1, j) = b(g+1, j+1) (j+1)(g-j) / (g(g+1)), and once more
        factor *= (j + 1 + i) / (g + 2 * i) * ((g - j + i) / (g + 1 + 2 * i))
    return answer(what.pmf(more)[..., each:-each] @ (gain * factor) * (1.0 if natural else rate))


def reachable_pass_rate(g: int, estimator: Estimator, *, budget: float, collision: ArrayLike) -> float | Floats:
    """p_c, the pass rate below which a prompt does not take off within the budget (F1).

    In a tabular softmax policy under plain ascent dp/dt = w_g(p) (pq)^2 collision. A rare success grows as
    dp/dt = w_g(0) p^2 collision, which blows up at the time 1/(w_g(0) collision p): so
    p_c = 1/(w_g(0) collision budget), where w_g(0) is sqrt(g-1) for GRPO and 1 for RLOO.

    Parameters
    ----------
    g : group size, at least 2.
    estimator : an Estimator such as GRPO.
    budget : learning rate times steps, positive.
    collision : kappa_C + kappa_I, the chances that two correct responses are the same one, and two incorrect ones;
        in [0, 2], a number or an array. Taken from the start, though training moves it: this is a rule of thumb
        whose error the inversion map measures.

    Returns
    -------
    float, or an array of collision's shape; 1 where nothing takes off.

    Raises
    ------
    ValueError : arguments out of range.

    Source: derived in docs/theory.md (F1).

    Examples
    --------
    >>> from rlsignal.theory import reachable_pass_rate
    >>> from rlsignal import GRPO
    >>> round(reachable_pass_rate(8, GRPO, budget=400, collision=1.0), 6)
    0.000945
    """
    gain = float(known(estimator).gain(_validate.group_size(g))[0])
    budget = _validate.scalar("budget", _validate.within("budget", budget, 0, np.inf, open_ends=True))
    collision = _validate.within("collision", collision, 0, 2)
    if gain <= 0:  # the estimator does not lift a lone success
        return answer(np.ones_like(collision))
    with np.errstate(divide="ignore"):
        return answer(np.minimum(1.0, 1 / (gain * collision * budget)))


def transferred_speed(
    p: ArrayLike, g: int, estimator: Estimator, *, kernel: ArrayLike, trained: ArrayLike, moved: ArrayLike
) -> Floats:
    """How fast training on some prompts moves the log-odds of others in a linear policy, per prompt trained on (F9).

    Where logits are linear in features f of a prompt, the mean update at prompt x moves logit p(x') by
    w_g(p) pq <f, f'> <c - d, c' - d'>, with c and d the distributions inside the correct and the incorrect class.

    Parameters
    ----------
    p : pass rates [prompts] of those that are trained on.
    g : group size, at least 2.
    estimator : an Estimator such as GRPO.
    kernel : <f, f'> [others, prompts].
    trained, moved : c - d of the prompts trained on [prompts, responses], and of the others [others, responses].

    Returns
    -------
    array [others], per unit of learning rate times steps; the mean over the prompts trained on.

    Raises
    ------
    ValueError : pass rates or a group size out of range, shapes that do not fit.

    Source: derived in docs/theory.md (F9).

    Examples
    --------
    Two prompts alike in their features, of answers 0 and 1. Of the second one's incorrect mass, all lies on answer 0,
    on answer 2 where the first one's lies too, or on answer 3:

    >>> from rlsignal import RLOO
    >>> from rlsignal.theory import transferred_speed
    >>> first, kernel = [[1.0, 0.0, -1.0, 0.0]], [[1.0]] * 3
    >>> second = [[-1.0, 1.0, 0.0, 0.0], [0.0, 1.0, -1.0, 0.0], [0.0, 1.0, 0.0, -1.0]]
    >>> transferred_speed([0.5], 8, RLOO, kernel=kernel, trained=first, moved=second).tolist()
    [-0.25, 0.25, 0.0]
    """
    p = np.atleast_1d(_validate.probability("p", p))
    kernel, trained, moved = (
        _validate.within(name, x, -np.inf, np.inf, open_ends=True)
        for name, x in (("kernel", kernel), ("trained", trained), ("moved", moved))
    )
    sizes = f"{kernel.shape}, {trained.shape} and {moved.shape} for {len(p)} pass rates"
    if p.ndim != 1 or trained.ndim != 2 or moved.ndim != 2 or trained.shape[1] != moved.shape[1]:
        raise ValueError(f"kernel, trained and moved must be [others, prompts] and two [..., responses], got {sizes}.")
    if len(trained) != len(p) or kernel.shape != (len(moved), len(p)):
        raise ValueError(f"kernel, trained and moved must have a row for each prompt, got {sizes}.")
    speed = np.asarray(known(estimator).weight(p, g)) * p * (1 - p)
    return np.asarray((kernel * (moved @ trained.T)) @ speed / len(p))


def rollouts_to_success(p: ArrayLike, *, confidence: float = 0.95) -> float | Floats:
    """Rollouts of a prompt until a first success is seen with this confidence (F3): ln(1-confidence) / ln(1-p).

    An estimator without advantages in degenerate groups has no update before; the first success takes
    1/pass@g groups on average.

    Parameters
    ----------
    p : pass rate(s) in [0, 1].
    confidence : in (0, 1).

    Returns
    -------
    float, or an array of p's shape, not rounded up; inf at p = 0.

    Raises
    ------
    ValueError : arguments out of range.

    Source: geometric waiting, textbook; docs/theory.md (F3).

    Examples
    --------
    >>> from rlsignal.theory import rollouts_to_success
    >>> round(rollouts_to_success(0.01), 1)
    298.1
    """
    p = _validate.probability("p", p)
    with np.errstate(divide="ignore"):
        return answer(np.log1p(-_confidence(confidence)) / np.log1p(-p))


def discoverable_pass_rate(rollouts: ArrayLike, *, confidence: float = 0.95) -> float | Floats:
    """The pass rate above which so many rollouts show a success with this confidence (F3): 1 - (1-confidence)^(1/n).

    Parameters
    ----------
    rollouts : of one prompt in the whole run, positive.
    confidence : in (0, 1).

    Returns
    -------
    float, or an array of rollouts' shape. The counterpart of `reachable_pass_rate`, which has no noise.

    Raises
    ------
    ValueError : arguments out of range.

    Source: inverts `rollouts_to_success`; docs/theory.md (F3).

    Examples
    --------
    >>> from rlsignal.theory import discoverable_pass_rate
    >>> round(discoverable_pass_rate(8 * 400), 6)
    0.000936
    """
    rollouts = _validate.within("rollouts", rollouts, 0, np.inf, open_ends=True)
    return answer(-np.expm1(np.log1p(-_confidence(confidence)) / rollouts))


def adam_drift(
    signal_to_noise: ArrayLike, informative: ArrayLike, *, steps: float | None = None, decay: float = 0.999
) -> tuple[float | Floats, float | Floats]:
    """How far a parameter drifts per step under Adam, and how far noise takes it, per root of the steps (F7).

    In learning rates. The drift is sqrt(f) s / sqrt(1 + s^2), where a fraction f of the steps has a gradient: Adam
    divides by the r.m.s. gradient, which the empty steps lower too, so drift falls as sqrt(f), not f. The noise is
    Gaussian. In a run much shorter than Adam's average of squares, 1/(1 - decay) steps, the walk is sqrt(1 - drift^2);
    in a long one it is shorter, since a large step forward also raises what later steps are divided by.

    Parameters
    ----------
    signal_to_noise : s >= 0, mean over s.d. of the gradient in the steps that have one.
    informative : f in (0, 1], the fraction of steps with any gradient.
    steps : length of the run, positive; None for the long run.
    decay : beta_2, in (0, 1).

    Returns
    -------
    drift, walk : floats or arrays. After n steps a parameter has moved n drift +- sqrt(n) walk, in learning rates.

    Raises
    ------
    ValueError : arguments out of range.

    Source: derived in docs/theory.md (F7).

    Examples
    --------
    A hundredth of the signal is a tenth of the drift, and all of the noise:

    >>> from rlsignal.theory import adam_drift
    >>> [tuple(round(x, 4) for x in adam_drift(0.1, f)) for f in (1, 0.01)]
    [(0.0995, 0.9876), (0.01, 0.9889)]
    >>> [round(adam_drift(1, 1, steps=n)[1], 3) for n in (10, 1000, None)]
    [0.706, 0.62, 0.433]
    """
    s = _validate.within("signal_to_noise", signal_to_noise, 0, 1e150)
    f = _validate.probability("informative", informative)
    _validate.within("informative", f, 0, 2, open_ends=True, way_out="Without any gradient nothing moves.")
    n = _validate.scalar("steps", _validate.within("steps", 1 if steps is None else steps, 0, np.inf, open_ends=True))
    beta = _validate.scalar("decay", _validate.within("decay", decay, 0, 1, open_ends=True))
    short = 0.0 if steps is None else beta * -np.expm1(n * np.log(beta)) / (n * (1 - beta))
    u = 1 / (1 + s**2)
    long_run = (1 - f) * (1 - u) / 4 + u**2 * (1 + u) / 2
    more = (1 - u) * (1 - f + 2 * u - (1 - f + 4 * u - 2 * u**2) / (2 * (1 + beta)))
    return answer(np.sqrt(f * (1 - u))), answer(np.sqrt(long_run + short * more))


def _confidence(confidence: float) -> float:
    return _validate.scalar("confidence", _validate.within("confidence", confidence, 0, 1, open_ends=True))


def checked_collision(collision: float) -> float:
    """kappa_C + kappa_I as a number in [0, 2]."""
    return _validate.scalar("collision", _validate.within("collision", collision, 0, 2))
