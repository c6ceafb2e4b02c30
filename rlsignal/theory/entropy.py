"""What entropy allows, and what it cannot say.

A verdict is a function of the response, so it cannot be less predictable than the response: an entropy under ln 2
nats caps the signal, any other entropy caps nothing. Beyond that the pass rate has one part of the entropy, h_b(p),
and the rest is entropy inside the correct and inside the incorrect responses, which says nothing of the signal.
Entropies are in nats throughout.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlog1py, xlogy

from rlsignal import _validate
from rlsignal._show import Part, Shown, figure
from rlsignal._validate import Floats
from rlsignal.theory.distributions import Fixed, Mixture, PassRate, pass_rate
from rlsignal.theory.pmf import answer
from rlsignal.theory.recorded import Recorded

LN2 = float(np.log(2))
_LN2_BEYOND = 2.3190468138462996e-17  # ln 2 less its float: near ln 2 a cap depends on the difference


def reward_entropy(p: ArrayLike | PassRate) -> float | Floats:
    """Entropy of the verdict, correct or incorrect (N1): h_b(p) = -p ln p - (1-p) ln(1-p).

    Of a population it is the mean over prompts (N2). A Beta has E[h_b(p)] = psi(a+b+1) - m psi(a+1) - (1-m) psi(b+1),
    psi the digamma function.

    Parameters
    ----------
    p : pass rate(s), or a Fixed, Beta or Mixture. A `Recorded` is refused.

    Returns
    -------
    float, or an array of p's shape; nats, in [0, ln 2].

    Raises
    ------
    ValueError : p outside [0, 1]; a `Recorded`, since h_b is no polynomial in p and has no unbiased estimate (L3).

    Source: textbook for one prompt; the mean over a Beta derived in docs/theory.md (N2).

    Examples
    --------
    >>> from rlsignal import Beta
    >>> from rlsignal.theory import reward_entropy
    >>> round(reward_entropy(0.02), 4), round(reward_entropy(Beta(0.33, 0.49)), 4), round(reward_entropy(0.33), 4)
    (0.098, 0.3504, 0.6342)
    """
    what = pass_rate(p)
    if isinstance(what, Recorded):
        raise ValueError(
            "p must be pass rates or a Beta, got a Recorded: no function of counts estimates an entropy without bias. "
            "Fit a Beta to it."
        )
    if isinstance(what, Mixture):
        return what.average(reward_entropy)
    mean, one_prompt = np.asarray(what.mean), _coin_entropy(np.asarray(what.mean))
    if isinstance(what, Fixed):
        return answer(one_prompt)
    rho = np.asarray(what.dispersion)
    identical = rho < 1e-300
    size = (1 - rho) / np.where(identical, 1.0, rho)  # a + b
    a, b = mean * size, (1 - mean) * size
    return answer(np.where(identical, one_prompt, mean * _digamma_gain(a, b) + (1 - mean) * _digamma_gain(b, a)))


def pass_rate_cap(entropy: ArrayLike) -> float | Floats:
    """The pass rate that a prompt of this response entropy cannot exceed from below 1/2 (N1): h_b^{-1}(H).

    min(p, 1-p) is at most this, since h_b(p) <= H. Whatever grows towards p = 1/2 is capped by its value here: the
    reward variance p(1-p), `advantage_variance`, `informative_probability`. From ln 2 nats on it is 1/2: no cap.

    Parameters
    ----------
    entropy : H of one prompt's whole responses (not of a token) in nats, at least 0, a number or an array.

    Returns
    -------
    float in [0, 1/2], or an array of entropy's shape.

    Raises
    ------
    ValueError : entropy negative or NaN.

    Source: data processing, textbook; derived in docs/theory.md (N1).

    Examples
    --------
    At 0.1 nats a response no group of 8 is informative in more than 15% of cases; at 24 nats there is no bound:

    >>> from rlsignal import informative_probability
    >>> from rlsignal.theory import pass_rate_cap
    >>> [round(informative_probability(pass_rate_cap(nats), 8), 3) for nats in (0.1, 24)]
    [0.153, 0.992]
    """
    entropy = _validate.within("entropy", entropy, 0, np.inf)
    gap = np.maximum(LN2 - entropy + _LN2_BEYOND, 0)
    return answer(np.where(gap < 0.1, 0.5 - _tilt(np.minimum(gap, 0.1)) / 2, _rare(np.minimum(entropy, 0.6))))


def reward_variance_cap(entropy: ArrayLike) -> float | Floats:
    """The largest E[p(1-p)] of prompts whose mean response entropy is H (N3): min(1/4, H / (4 ln 2)).

    No better bound holds for a population: p = 1/2 on a share H/ln 2 of the prompts and 0 on the rest attains it. One
    prompt obeys the sharper c(1-c) with c = `pass_rate_cap(H)`.

    Parameters
    ----------
    entropy : H of whole responses in nats, mean over prompts, at least 0, a number or an array.

    Returns
    -------
    float in [0, 1/4], or an array of entropy's shape.

    Raises
    ------
    ValueError : entropy negative or NaN.

    Source: derived in docs/theory.md (N3).

    Examples
    --------
    >>> from rlsignal.theory import pass_rate_cap, reward_variance_cap
    >>> round(reward_variance_cap(0.1), 4), round(pass_rate_cap(0.1) * (1 - pass_rate_cap(0.1)), 4)
    (0.0361, 0.0201)
    """
    entropy = _validate.within("entropy", entropy, 0, np.inf)
    return answer(np.minimum(entropy / LN2, 1) / 4)


def binding_entropy(tokens: ArrayLike) -> float | Floats:
    """The largest entropy per token at which entropy bounds anything (N4): ln 2 / T.

    A response's entropy is the mean over rollouts of its summed token entropies: the mean entropy of all tokens times
    the mean length T. Above ln 2 in all, so above this per token, N1 and N3 are no bounds.

    Parameters
    ----------
    tokens : T, mean tokens per response, positive, a number or an array.

    Returns
    -------
    float in nats per token, or an array of tokens' shape.

    Raises
    ------
    ValueError : tokens not positive.

    Source: chain rule of entropy; derived in docs/theory.md (N4).

    Examples
    --------
    >>> from rlsignal.theory import binding_entropy
    >>> binding_entropy([100, 200, 500]).round(4)
    array([0.0069, 0.0035, 0.0014])
    """
    return answer(LN2 / _validate.within("tokens", tokens, 0, np.inf, open_ends=True))


class EntropyFlow(NamedTuple):
    """How fast a policy moves, per unit of learning rate x steps: its pass rate, and entropies in nats."""

    pass_rate: float
    entropy: float
    correct_entropy: float
    incorrect_entropy: float


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Responses(Shown):
    """One prompt's policy, response by response, and what its entropy consists of (N5).

    H = h_b(p) + p H_C + (1-p) H_I: of the verdict, and inside the correct and the incorrect responses.

    Parameters
    ----------
    chances : of each response, [n], adding up to 1.
    correct : 1 or True for each correct response, [n].

    Raises
    ------
    ValueError : negative chances, or a sum that is not 1 to 1e-9; correct other than 0 and 1, or of another shape.

    Source: grouping property of entropy, textbook; docs/theory.md (N5).

    Examples
    --------
    Four equal answers, one of them correct: ln 4 = h_b(1/4) + 0 + 3/4 ln 3.

    >>> from rlsignal.theory import Responses, reward_entropy
    >>> policy = Responses([0.25] * 4, [1, 0, 0, 0])
    >>> round(policy.entropy, 4), round(reward_entropy(0.25), 4), round(policy.incorrect_entropy, 4)
    (1.3863, 0.5623, 1.0986)
    """

    chances: Floats
    correct: NDArray[np.bool_]

    def __init__(self, chances: ArrayLike, correct: ArrayLike) -> None:
        policy = np.atleast_1d(_validate.within("chances", chances, 0, 1))
        total = float(policy.sum())
        if policy.ndim > 1 or abs(total - 1) > 1e-9:
            raise ValueError(
                f"chances must be one prompt's responses [n], adding up to 1, got shape {policy.shape} adding up to "
                f"{total:.6g}. Divide by the sum; call once per prompt."
            )
        verdicts = np.atleast_1d(_validate.within("correct", correct, 0, 1))
        if verdicts.shape != policy.shape or np.any(verdicts != np.floor(verdicts)):
            raise ValueError(f"correct must be 0 or 1 for each of the {policy.size} responses, got {correct!r:.60}.")
        object.__setattr__(self, "chances", policy / total)
        object.__setattr__(self, "correct", verdicts.astype(bool))

    def _parts(self) -> Iterator[Part]:
        yield f"{self.chances.size} responses, pass rate {figure(self.pass_rate)}, entropy {figure(self.entropy)} nats"

    @property
    def pass_rate(self) -> float:
        """p, the chance of a correct response."""
        return float(self._side(True).sum())

    @property
    def entropy(self) -> float:
        """H, of the whole response: the three parts together."""
        p, q = self.pass_rate, self._fail_rate
        coin = float(_coin_entropy(np.asarray(min(p, q))))
        return coin + p * self.correct_entropy + q * self.incorrect_entropy

    @property
    def correct_entropy(self) -> float:
        """H_C, inside the correct responses; 0 where none is possible."""
        return _entropy(self._shares(True))

    @property
    def incorrect_entropy(self) -> float:
        """H_I, inside the incorrect responses; 0 where none is possible."""
        return _entropy(self._shares(False))

    @property
    def correct_collision(self) -> float:
        """kappa_C, the chance that two correct responses are the same one; 0 where none is possible."""
        return float((self._shares(True) ** 2).sum())

    @property
    def incorrect_collision(self) -> float:
        """kappa_I, the chance that two incorrect responses are the same one; 0 where none is possible."""
        return float((self._shares(False) ** 2).sum())

    @property
    def log_gap(self) -> float:
        """Delta = E[ln pi | correct] - E[ln pi | incorrect] = ln(p/q) - H_C + H_I, in nats; rollout logs hold both."""
        with np.errstate(divide="ignore"):
            odds = float(np.log(self.pass_rate) - np.log(self._fail_rate))
        return odds - self.correct_entropy + self.incorrect_entropy

    @property
    def log_variance_between(self) -> float:
        """pq Delta^2, the part of Var(ln pi) that lies between correct and incorrect responses, nats squared (N8).

        Where it is 1 the reward falls in exp(entropy) as R = -a exp(H) + b does, under the natural gradient.
        """
        pq = self.pass_rate * self._fail_rate
        return pq * self.log_gap**2 if pq else 0.0

    def flow(self, *, weight: float = 1.0, natural: bool = False) -> EntropyFlow:
        """How p and the entropies move under the expected update w_g(p) grad p of a softmax over responses.

        Natural gradient (N6): dp/dt = w pq and dH/dt = -w pq Delta; inside the classes nothing moves. Plain gradient
        (N7): dp/dt = w (pq)^2 (kappa_C + kappa_I), H_C falls, H_I rises and dH/dt = -Delta dp/dt + p dH_C/dt +
        q dH_I/dt.

        Parameters
        ----------
        weight : w, such as `GRPO.weight(p, g)`.
        natural : precondition by the inverse Fisher matrix, as small steps with a KL limit do.

        Returns
        -------
        EntropyFlow, per unit of learning rate x steps.

        Raises
        ------
        ValueError : weight not finite.

        Source: derived in docs/theory.md (N6, N7).

        Examples
        --------
        A rare answer, split in two or not: the natural gradient does not notice, the plain one is slower.

        >>> from rlsignal.theory import Responses
        >>> whole, split = Responses([0.1, 0.9], [1, 0]), Responses([0.05, 0.05, 0.9], [1, 1, 0])
        >>> [round(policy.flow(natural=True).pass_rate, 4) for policy in (whole, split)]
        [0.09, 0.09]
        >>> [round(policy.flow().pass_rate, 5) for policy in (whole, split)]
        [0.0162, 0.01215]
        """
        weight = _validate.scalar("weight", _validate.within("weight", weight, -np.inf, np.inf, open_ends=True))
        p, q = self.pass_rate, self._fail_rate
        pace, correct, incorrect = weight * p * q, 0.0, 0.0
        rise = pace
        if not natural:
            rise *= p * q * (self.correct_collision + self.incorrect_collision)
            correct, incorrect = -pace * _gathering(self._shares(True)), pace * _gathering(self._shares(False))
        fall = rise * self.log_gap if pace else 0.0  # at p = 0 and 1 the gap is infinite and nothing moves
        return EntropyFlow(rise, -fall + p * correct + q * incorrect, correct, incorrect)

    @property
    def _fail_rate(self) -> float:
        return float(self._side(False).sum())

    def _side(self, correct: bool) -> Floats:
        return np.asarray(self.chances[self.correct == correct])

    def _shares(self, correct: bool) -> Floats:
        """c or d: the chances of one side's responses, given that side."""
        side = self._side(correct)
        return side / side.sum() if side.sum() > 0 else np.zeros_like(side)


def _entropy(shares: Floats) -> float:
    """-sum c ln c; the largest share by way of what it leaves, which keeps the digits of small entropies."""
    rest = np.delete(shares, np.argmax(shares)) if shares.size else shares
    return float(-xlog1py(1 - rest.sum(), -rest.sum()) - xlogy(rest, rest).sum()) + 0.0 if shares.any() else 0.0


def _gathering(shares: Floats) -> float:
    """Cov(ln c, c) over a class, never negative: how unequal its responses are."""
    return float(xlogy(shares * (shares - (shares**2).sum()), shares).sum())


def _coin_entropy(p: Floats) -> Floats:
    """h_b(p), from whichever of p and 1 - p is small."""
    rarer = np.minimum(p, 1 - p)
    return np.asarray(-xlogy(rarer, rarer) - xlog1py(1 - rarer, -rarer))


def _rare(entropy: Floats) -> Floats:
    """h_b^{-1} up to 0.6 nats: Newton's steps of ln h_b in ln p, a concave function, so they cannot go astray."""
    level = np.maximum(entropy, 1e-300)
    logs = np.log(level) - np.log1p(np.maximum(-np.log(level), 0)) - 1
    for _ in range(10):
        p = np.exp(logs)
        height = _coin_entropy(p)
        logs = logs - np.log(height / level) * height / (p * (np.log1p(-p) - logs))
    return np.asarray(np.exp(logs) * (entropy / level))  # under 1e-300 nats a chord, which is above


def _tilt(gap: Floats) -> Floats:
    """1 - 2p where h_b(p) = ln 2 - gap, for gaps up to 0.1: Newton's steps on the convex x atanh x + ln(1-x^2)/2."""
    x = np.sqrt(2 * np.where(gap > 0, gap, 0.1))
    for _ in range(6):
        x = x - (x * np.arctanh(x) + np.log1p(-x * x) / 2 - gap) / np.arctanh(x)
    return np.where(gap > 0, x, 0.0)


def _digamma_gain(x: Floats, y: Floats) -> Floats:
    """psi(1+x+y) - psi(1+x) for x, y >= 0: positive terms only, so no digit is lost when it is small.

    The first 20 terms of sum_n y/((n+x)(n+x+y)), and the asymptotic series of the rest.
    """
    n = 1 + np.arange(20) + x[..., None]
    first: NDArray[np.float64] = (y[..., None] / n / (n + y[..., None])).sum(-1)
    z = 21 + x
    u, v = 1 / z, 1 / (z + y)
    bend = 1 / 12 - (u**2 + v**2) / 120 + (u**4 + u**2 * v**2 + v**4) / 252
    return first + np.log1p(y / z) + y * u * v * (1 / 2 + (u + v) * bend)
