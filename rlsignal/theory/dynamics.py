"""How p moves: the flow that an estimator's weight drives in a tabular softmax policy."""

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.estimators import Estimator, known
from rlsignal.theory.passrates import answer


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
    collision : kappa_C + kappa_I, the chances that two correct responses are the same one, and two wrong ones;
        in [0, 2], a number or an array. Taken from the start, though training moves it: this is a law of thumb
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
