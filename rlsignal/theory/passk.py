"""pass@k: the chance that at least one of k rollouts is correct."""

from numpy.typing import ArrayLike

from rlsignal._validate import Floats
from rlsignal.theory.passrates import PassRate, answer, group


def pass_at_k(p: ArrayLike | PassRate, k: int) -> float | Floats:
    """pass@k (P1): 1 - E[(1-p)^k].

    Parameters
    ----------
    p : pass rate(s) or a pass-rate object; for a `Recorded` it is the unbiased estimator
        1 - C(n-c, k)/C(n, k), averaged over prompts.
    k : attempts, at least 1; at most n for a `Recorded`.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], k not a whole number of at least 1, k above the samples of a `Recorded`.

    Source: Chen et al. 2021 (2107.03374), equation 1; docs/theory.md (P1).

    Examples
    --------
    >>> pass_at_k(0.5, 2), round(pass_at_k(Recorded([0, 1, 4], 4), 2), 12)
    (0.75, 0.5)
    """
    what, k = group(p, k, name="k", smallest=1)
    return answer(what.any_correct(k))
