"""pass@k: the chance that at least one of k rollouts is correct, how it grows with k, and what training does to it."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from rlsignal import _validate
from rlsignal._validate import Floats
from rlsignal.theory.distributions import Beta, Fixed, Mixture, PassRate, group, question
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import known
from rlsignal.theory.pmf import answer
from rlsignal.theory.recorded import Recorded


@question
def pass_at_k(p: ArrayLike | PassRate, k: int) -> float | Floats:
    """pass@k (P1): 1 - E[(1-p)^k].

    Parameters
    ----------
    p : pass rate(s) or a distribution; for a `Recorded` it is the unbiased estimator
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
    >>> from rlsignal import Recorded, pass_at_k
    >>> pass_at_k(0.5, 2), round(pass_at_k(Recorded([0, 1, 4], 4), 2), 12)
    (0.75, 0.5)
    """
    what, k = group(p, k, name="k", smallest=1)
    return answer(what.any_correct(k))


@question
def pass_at_k_weight(p: ArrayLike | PassRate, k: int) -> float | Floats:
    """The slope of pass@k in p (P3): k E[(1-p)^(k-1)], the weight of a prompt where pass@k is the objective.

    Parameters
    ----------
    p : pass rate(s) or a distribution (then the mean weight over its prompts).
    k : attempts, at least 1; at most n + 1 for a `Recorded`.

    Returns
    -------
    float, or an array of p's shape.

    Raises
    ------
    ValueError : p outside [0, 1], k not a whole number of at least 1, k - 1 above the samples of a `Recorded`.

    Source: derived in docs/theory.md (P3).

    Examples
    --------
    Against rewarding single rollouts, whose weight is 1, pass@8 looks at hard prompts only:

    >>> from rlsignal.theory import pass_at_k_weight
    >>> pass_at_k_weight([0.02, 0.2, 0.5], 8).round(3)
    array([6.945, 1.678, 0.063])
    """
    what, others = group(p, _validate.whole("k", k, 1) - 1, name="k - 1", smallest=0)
    return answer((others + 1) * what.all_incorrect(others))


class PowerLaw(NamedTuple):
    """factor * k**-exponent."""

    factor: float | Floats
    exponent: float | Floats


def failure_power_law(population: Beta) -> PowerLaw:
    """How pass@k nears 1 over many attempts (P4): 1 - pass@k ~ Gamma(a+b)/Gamma(b) k^-a.

    The exponent a = mean (1-rho)/rho measures how many prompts there are near p = 0. One prompt fails geometrically;
    a population does not.

    Parameters
    ----------
    population : a Beta with mean and dispersion inside (0, 1).

    Returns
    -------
    PowerLaw(factor, exponent), floats or arrays of the population's shape. Its relative error is about
    a (a + 2b - 1) / (2k): good for k well above 1/dispersion.

    Raises
    ------
    ValueError : not a Beta; mean or dispersion 0 or 1, where there is no power law.

    Source: Schaeffer et al. (2502.17578) for the exponent; derived in docs/theory.md (P4).

    Examples
    --------
    >>> from rlsignal import Beta, pass_at_k
    >>> from rlsignal.theory import failure_power_law
    >>> factor, exponent = failure_power_law(Beta(0.33, 0.49))
    >>> round(exponent, 3), round(factor * 1000**-exponent, 4), round(1 - pass_at_k(Beta(0.33, 0.49), 1000), 4)
    (0.343, 0.07, 0.07)
    """
    if not isinstance(population, Beta):
        raise ValueError(
            f"population must be a Beta, got {type(population).__name__}. Fit one: the tail depends on it."
        )
    mean = _validate.within("mean", population.mean, 0, 1, open_ends=True)
    rho = _validate.within("dispersion", population.dispersion, 0, 1, open_ends=True)
    size = (1 - rho) / rho
    with np.errstate(over="ignore"):  # at dispersions so small that the power law starts beyond any k
        factor = np.exp(gammaln(size) - gammaln((1 - mean) * size))
    return PowerLaw(answer(factor), answer(mean * size))


def pass_at_k_alignment(p: Beta | Recorded | Mixture, k: int, g: int, estimator: Estimator) -> float:
    """The cosine between an estimator's expected update and the gradient of pass@k (P5), over a population of prompts.

    E[u w pq] / sqrt(E[u^2 pq] E[w^2 pq]) with u = k (1-p)^(k-1) and w = w_g(p): both gradients in the Fisher metric,
    where every prompt has parameters of its own and |grad p|^2 is pq. 1: the update is the steepest ascent of pass@k.
    A diagnostic of direction only; it knows neither noise nor shared parameters.

    Parameters
    ----------
    p : a Beta (scalar), a Mixture or a `Recorded`, which needs n >= 2 max(g, k) samples. Each of the three means is
        then unbiased, their ratio nearly so.
    k, g : attempts in [1, 1024] and group size in [2, 1024].
    estimator : an Estimator such as GRPO.

    Returns
    -------
    float in [-1, 1]; nan where nothing moves.

    Raises
    ------
    ValueError : not a population, k or g out of range or beyond the samples, not an estimator.

    Source: derived in docs/theory.md (P5).

    Examples
    --------
    RLOO ascends pass@1 and nothing else; MAXRL at 8 rollouts ascends pass@1 + pass@2/2 + .. + pass@7/7:

    >>> from rlsignal import MAXRL, RLOO, Beta
    >>> from rlsignal.theory import pass_at_k_alignment
    >>> data = Beta(0.33, 0.49)
    >>> [round(pass_at_k_alignment(data, k, 8, RLOO), 2) for k in (1, 4, 16)]
    [1.0, 0.72, 0.35]
    >>> [round(pass_at_k_alignment(data, k, 8, MAXRL), 2) for k in (1, 4, 16)]
    [0.89, 0.96, 0.64]
    """
    if not isinstance(p, Beta | Recorded | Mixture) or np.ndim(p.mean):
        raise ValueError(
            f"p must be one population, a Beta, Mixture or Recorded, got {p!r:.60}. One prompt has no direction."
        )
    k = _validate.whole("k", k, 1, 1024)
    g = _validate.group_size(g, 1024)
    group(p, 2 * max(g, k), name="2 max(g, k)", summed=True)
    ascended, wanted = known(estimator).gain(g), np.append(float(k), np.zeros(k - 1))  # degrees g-1 and k-1

    def inner(f: Floats, h: Floats) -> float:
        table = bernstein_product(bernstein_product(f, h), np.array([0, 0.5, 0]))
        return float(table @ p.pmf(len(table) - 1))

    norm = float(np.sqrt(inner(ascended, ascended)) * np.sqrt(inner(wanted, wanted)))
    return inner(ascended, wanted) / norm if norm > 0 else float("nan")


def missed_mode_probability(p: ArrayLike, mode: ArrayLike, g: int) -> float | Floats:
    """Chance that an informative group does not hold one given correct answer (P6): (1-t)^g - (p-t)^g - q^g.

    t is the answer's chance. Such a group moves the policy by other answers only. In g the chance may rise at first, as
    larger groups are more often informative; then it falls, as they see everything.

    Parameters
    ----------
    p : pass rate(s).
    mode : t, the chance of that correct answer, in [0, p], a number or an array that broadcasts with p.
    g : group size, at least 2.

    Returns
    -------
    float, or an array.

    Raises
    ------
    ValueError : p outside [0, 1], mode outside [0, p], g not a whole number of at least 2.

    Source: the question is that of F-GRPO (2602.06717); derived in docs/theory.md (P6).

    Examples
    --------
    >>> from rlsignal.theory import missed_mode_probability
    >>> [round(missed_mode_probability(0.3, 0.02, g), 3) for g in (2, 8, 32, 128)]
    [0.392, 0.793, 0.524, 0.075]
    """
    p, g = _validate.probability("p", p), _validate.group_size(g)
    mode = _validate.probability("mode", mode)
    if np.any(mode > p):
        raise ValueError("mode must be at most p, being one of the ways to be correct. Pass the chance of one answer.")
    left = np.where(mode < 1, 1 - mode, 1.0)
    others = Fixed(np.minimum(p - mode, 1 - p) / left)  # the rarer verdict once the mode is left out
    return answer(Fixed(mode).all_incorrect(g) * others.informative(g))


def bernstein_product(f: Floats, h: Floats) -> Floats:
    """The table of the product of two polynomials, each a table over its own rollouts: of n and m makes n + m.

    A polynomial of degree n is the mean of a table [n+1] over K ~ Binomial(n, p). Of n + m rollouts, K of them correct,
    the first n hold a hypergeometric number.

    Examples
    --------
    p times 1-p:

    >>> import numpy as np
    >>> from rlsignal.theory.passk import bernstein_product
    >>> bernstein_product(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    array([0. , 0.5, 0. ])
    """
    n, m = len(f) - 1, len(h) - 1
    if n == 0:
        return np.asarray(f[0] * h)
    K = np.arange(n + m + 1)
    rest = K[:, None] - np.arange(n + 1)
    beside = np.where((rest >= 0) & (rest <= m), h[np.clip(rest, 0, m)], 0.0)
    return (Recorded(K, n + m).each(n) * beside) @ f
