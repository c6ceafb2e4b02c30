"""Idea 1, a distribution says how often: what is known of the pass rate p, and the pmf of K.

With binary rewards a group of g rollouts is described by one integer, its number of successes K. A distribution gives
the pmf of K as g+1 probabilities, and the few expectations that have closed forms of their own. The closed forms never
go through the pmf, so that each can be checked against the other.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, Protocol, cast, overload

import numpy as np
from numpy.typing import ArrayLike

from rlsignal import _validate
from rlsignal._show import Part, Shown, Table, figure
from rlsignal._validate import Floats
from rlsignal.theory.pmf import answer, beta_binomial_pmf, log1p, log_run_factors, summed_size
from rlsignal.theory.recorded import Recorded

_SHOWN = 8
"""Parts of a mixture that are shown."""


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Fixed(Shown):
    """One prompt whose pass rate is known: K is binomial.

    Parameters
    ----------
    p : pass rate in [0, 1], a number or an array [...]; every answer then has one entry per prompt.

    Raises
    ------
    ValueError : p outside [0, 1] or NaN.

    Source: textbook binomial; docs/theory.md (L1).

    Examples
    --------
    >>> from rlsignal import Fixed
    >>> Fixed(0.5).pmf(2)
    array([0.25, 0.5 , 0.25])
    """

    p: float | Floats

    def __init__(self, p: ArrayLike) -> None:
        object.__setattr__(self, "p", answer(_validate.probability("p", p)))

    @property
    def mean(self) -> float | Floats:
        """E[p], which is pass@1."""
        return self.p

    @property
    def dispersion(self) -> float | Floats:
        """Var(p) / (mean (1-mean)), which is 0: one prompt has one pass rate."""
        return answer(np.zeros_like(self._p))

    @property
    def reward_variance(self) -> float | Floats:
        """E[p(1-p)], the variance of one reward given its prompt."""
        return answer(self._p * (1 - self._p))

    def all_incorrect(self, n: int) -> float | Floats:
        """E[(1-p)^n], the chance that n rollouts of one prompt all fail."""
        return answer(np.exp(_times(n, log1p(-self._p))))

    def all_correct(self, n: int) -> float | Floats:
        """E[p^n], the chance that n rollouts of one prompt all succeed."""
        return answer(self._p**n)

    def any_correct(self, n: int) -> float | Floats:
        """1 - E[(1-p)^n], which is pass@n."""
        return answer(-np.expm1(_times(n, log1p(-self._p))))

    def informative(self, n: int) -> float | Floats:
        """1 - E[p^n] - E[(1-p)^n], the chance that the rewards of n rollouts of one prompt differ."""
        rarer = np.minimum(self._p, 1 - self._p)
        return answer(-np.expm1(_times(n, log1p(-rarer))) - rarer**n)

    def pmf(self, g: int) -> Floats:
        """P(K = k) for k = 0..g, shape [..., g+1]."""
        return beta_binomial_pmf(self._p, np.zeros_like(self._p), summed_size(g))

    @property
    def _p(self) -> Floats:
        return np.asarray(self.p)

    def _parts(self) -> Iterator[Part]:
        yield f"pass rate {figure(float(self.p))}" if np.ndim(self.p) == 0 else _several("prompts", self._p)


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Beta(Shown):
    """A set of prompts whose pass rates follow a Beta distribution: K is beta-binomial.

    Parameters
    ----------
    mean : pass@1 over the prompts, in [0, 1].
    dispersion : intra-class correlation rho = Var(p) / (mean (1-mean)) in [0, 1]; 1/(a+b+1) in the Beta's own
        letters. 0: all prompts have the same pass rate. 1: every prompt is always or never solved. Arrays broadcast:
        one set per entry.

    Raises
    ------
    ValueError : mean or dispersion outside [0, 1] or NaN.

    Notes
    -----
    Everything is written in (mean, rho): the next rollout of a prompt with i successes so far in i tries succeeds
    with probability (mean (1-rho) + i rho) / (1-rho + i rho), so that rho = 0 and rho = 1 need no limits. The pmf is
    accurate while mean (1-rho) is above 1e-300.

    Source: beta-binomial as a Pólya urn; docs/theory.md (L2).

    Examples
    --------
    Pass rates uniform over [0, 1]:

    >>> from rlsignal import Beta
    >>> Beta(0.5, 1/3).pmf(2)
    array([0.33333333, 0.33333333, 0.33333333])
    """

    mean: float | Floats
    dispersion: float | Floats

    def __init__(self, mean: ArrayLike, dispersion: ArrayLike) -> None:
        way_out = "A Beta takes mean and dispersion; of one with the letters a and b they are a/(a+b) and 1/(a+b+1)."
        checked = (
            _validate.probability("mean", mean, way_out=way_out),
            _validate.probability("dispersion", dispersion, way_out=way_out),
        )
        try:
            means, dispersions = np.broadcast_arrays(*checked)
        except ValueError:
            shapes = " and ".join(str(values.shape) for values in checked)
            raise ValueError(f"mean and dispersion must have shapes that broadcast, got {shapes}.") from None
        object.__setattr__(self, "mean", answer(means))
        object.__setattr__(self, "dispersion", answer(dispersions))

    @property
    def _parameters(self) -> tuple[Floats, Floats]:
        return np.asarray(self.mean), np.asarray(self.dispersion)

    @property
    def reward_variance(self) -> float | Floats:
        """E[p(1-p)] = mean (1-mean) (1-rho), the variance of one reward given its prompt."""
        mean, rho = self._parameters
        return answer(mean * (1 - mean) * (1 - rho))

    def all_incorrect(self, n: int) -> float | Floats:
        """E[(1-p)^n], the chance that n rollouts of one prompt all fail."""
        mean, rho = self._parameters
        return answer(np.exp(log_run_factors(1 - mean, mean, rho, n).sum(-1)))

    def all_correct(self, n: int) -> float | Floats:
        """E[p^n], the chance that n rollouts of one prompt all succeed."""
        mean, rho = self._parameters
        return answer(np.exp(log_run_factors(mean, 1 - mean, rho, n).sum(-1)))

    def any_correct(self, n: int) -> float | Floats:
        """1 - E[(1-p)^n], which is pass@n."""
        mean, rho = self._parameters
        return answer(-np.expm1(log_run_factors(1 - mean, mean, rho, n).sum(-1)))

    def informative(self, n: int) -> float | Floats:
        """1 - E[p^n] - E[(1-p)^n], the chance that the rewards of n rollouts of one prompt differ.

        Summed over the rollout that is the first to differ: every term is positive, so nothing cancels however close
        rho is to 1.
        """
        mean, rho = self._parameters
        i, apart = np.arange(1, n), 1 - rho[..., None]
        after_incorrect = np.exp(np.cumsum(log_run_factors(1 - mean, mean, rho, n - 1)[..., 1:], -1))
        after_correct = np.exp(np.cumsum(log_run_factors(mean, 1 - mean, rho, n - 1)[..., 1:], -1))
        runs = np.ones((*mean.shape, n - 1))  # of i the same, given the first; its own chance is the pq outside
        runs[..., :1] *= 2
        runs[..., 1:] = after_incorrect + after_correct
        surprise = runs * apart / (apart + i * rho[..., None])
        return answer(np.where(rho == 0, Fixed(mean).informative(n), mean * (1 - mean) * surprise.sum(-1)))

    def pmf(self, g: int) -> Floats:
        """P(K = k) for k = 0..g over prompts and rollouts together, shape [..., g+1]."""
        mean, rho = self._parameters
        return beta_binomial_pmf(mean, rho, summed_size(g))

    def _parts(self) -> Iterator[Part]:
        mean, _ = self._parameters
        yield _moments(self) if mean.ndim == 0 else _several("populations", mean)


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Mixture(Shown):
    """Several kinds of prompts, each with its share: 30% impossible, the rest a Beta.

    The pmf of K and every expectation are those of the parts, averaged with the weights.

    Parameters
    ----------
    parts : distributions `Fixed` or `Beta` of one pass rate or population each; a Mixture counts by its own parts.
    weights : share of each part in the prompts, at least 0; they add up to 1.

    Raises
    ------
    ValueError : no parts, a part that is not one Fixed, Beta or Mixture; weights that are negative, that do not add up
        to 1 to 1e-9, or that are not one for each part.

    Source: total expectation, textbook; docs/theory.md (L4).

    Examples
    --------
    Impossible prompts are degenerate at every group size; the mean alone would not show it:

    >>> from rlsignal import Beta, Fixed, Mixture, degenerate_probability
    >>> data = Mixture([Fixed(0.0), Beta(0.3, 0.4)], weights=[0.3, 0.7])
    >>> round(data.mean, 12), round(data.dispersion, 3)
    (0.21, 0.468)
    >>> [round(degenerate_probability(data, g), 2) for g in (8, 64)], round(degenerate_probability(0.21, 8), 2)
    ([0.57, 0.4], 0.15)
    """

    parts: tuple["Fixed | Beta", ...]
    weights: Floats

    def __init__(self, parts: Sequence["Fixed | Beta | Mixture"], weights: ArrayLike) -> None:
        shares = np.atleast_1d(_validate.within("weights", weights, 0, 1))
        if not isinstance(parts, Sequence) or shares.shape != (len(parts),):
            number = len(parts) if isinstance(parts, Sequence) else repr(parts)[:60]
            raise ValueError(
                f"weights must be one number for each part, got shape {shares.shape} for {number} parts. "
                "Write Mixture([Fixed(0.0), Beta(0.3, 0.4)], weights=[0.3, 0.7])."
            )
        if abs(float(shares.sum()) - 1) > 1e-9:
            raise ValueError(f"weights must add up to 1, got {float(shares.sum()):.6g}. Divide by the sum.")
        flat: list[tuple[Fixed | Beta, float]] = []
        for at, (part, share) in enumerate(zip(parts, shares / shares.sum(), strict=True)):
            if not isinstance(part, Fixed | Beta | Mixture) or np.ndim(part.mean):
                raise ValueError(
                    f"parts must each be one Fixed or Beta, got {part!r:.60} at index {at}. Fit a Beta to recorded "
                    "counts; give each entry of an array as a part of its own."
                )
            inner = zip(part.parts, part.weights, strict=True) if isinstance(part, Mixture) else ((part, 1.0),)
            flat += [(each, float(share * of)) for each, of in inner]
        object.__setattr__(self, "parts", tuple(part for part, _ in flat))
        object.__setattr__(self, "weights", np.array([share for _, share in flat]))

    @property
    def mean(self) -> float:
        """E[p], which is pass@1."""
        return self.average(lambda part: part.mean)

    @property
    def dispersion(self) -> float:
        """Var(p) / (mean (1-mean)): the variance inside the parts and that between their means; 0 at mean 0 or 1."""
        means = np.array([float(part.mean) for part in self.parts])
        inside = self.average(lambda part: part.dispersion * part.mean * (1 - part.mean))
        between = float(self.weights @ (means[:, None] - means) ** 2 @ self.weights) / 2
        whole = self.mean * self.average(lambda part: 1 - part.mean)
        return min((inside + between) / whole, 1.0) if whole > 0 else 0.0

    @property
    def reward_variance(self) -> float:
        """E[p(1-p)], the variance of one reward given its prompt."""
        return self.average(lambda part: part.reward_variance)

    def all_incorrect(self, n: int) -> float:
        """E[(1-p)^n], the chance that n rollouts of one prompt all fail."""
        return self.average(lambda part: part.all_incorrect(n))

    def all_correct(self, n: int) -> float:
        """E[p^n], the chance that n rollouts of one prompt all succeed."""
        return self.average(lambda part: part.all_correct(n))

    def any_correct(self, n: int) -> float:
        """1 - E[(1-p)^n], which is pass@n."""
        return self.average(lambda part: part.any_correct(n))

    def informative(self, n: int) -> float:
        """1 - E[p^n] - E[(1-p)^n], the chance that the rewards of n rollouts of one prompt differ."""
        return self.average(lambda part: part.informative(n))

    def pmf(self, g: int) -> Floats:
        """P(K = k) for k = 0..g over prompts and rollouts together, shape [g+1]."""
        return np.asarray(self.weights @ [part.pmf(g) for part in self.parts])

    def average(self, question: Callable[["Fixed | Beta"], float | Floats]) -> float:
        """The weighted mean of a question that is a mean over prompts, asked of each part.

        Examples
        --------
        >>> from rlsignal import Fixed, Mixture
        >>> from rlsignal.theory import reward_entropy
        >>> round(Mixture([Fixed(0.0), Fixed(0.5)], weights=[0.5, 0.5]).average(reward_entropy), 4)  # ln 2 / 2
        0.3466
        """
        return float(self.weights @ [float(question(part)) for part in self.parts]) + 0.0

    def _parts(self) -> Iterator[Part]:
        yield f"{len(self.parts)} parts, {_moments(self)}"
        some = list(zip(self.weights, self.parts, strict=True))[:_SHOWN]
        rows = [(type(x).__name__, figure(w), figure(float(x.mean)), figure(float(x.dispersion))) for w, x in some]
        yield Table(("part", "weight", "mean", "dispersion"), rows)
        if len(self.parts) > _SHOWN:
            yield f"and {len(self.parts) - _SHOWN} more"


PassRate = Fixed | Beta | Recorded | Mixture


Rest = ParamSpec("Rest")


class Question(Protocol[Rest]):
    """To a type checker, a function of p and more: of one number a float, of an array one entry for each."""

    __name__: str

    @overload
    def __call__(self, p: float | Recorded | Mixture, *args: Rest.args, **kwargs: Rest.kwargs) -> float: ...
    @overload
    def __call__(self, p: ArrayLike | PassRate, *args: Rest.args, **kwargs: Rest.kwargs) -> Any: ...


class Method(Protocol):
    """A method of (p, g), which is a question once it is bound."""

    def __get__(self, instance: Any, owner: Any = None, /) -> Question[[int]]: ...


def question(function: "Callable[Concatenate[ArrayLike | PassRate, Rest], float | Floats]") -> Question[Rest]:
    """The function itself; a type checker learns that one number in is one number out."""
    return cast(Question[Rest], _named(function))


def asked(method: Callable[[Any, ArrayLike | PassRate, int], float | Floats]) -> Method:
    """The method itself, likewise."""
    return cast(Method, _named(method))


def _named(function: Any) -> Any:
    """The function with annotations that `help` shows by their names, and not by what they stand for."""
    names = {"p": "ArrayLike | PassRate", "return": "float | Floats"}
    function.__annotations__ |= {name: text for name, text in names.items() if name in function.__annotations__}
    return function


def pass_rate(p: ArrayLike | PassRate) -> PassRate:
    """`p` itself if it is a distribution, else `Fixed(p)`: every public function of the theory reads p by it."""
    return p if isinstance(p, PassRate) else Fixed(p)


def group(
    p: ArrayLike | PassRate, g: int, *, name: str = "g", smallest: int = 2, summed: bool = False
) -> tuple[PassRate, int]:
    """The distribution and the checked group size that a question is about.

    `summed` questions go through the pmf of K, so g ends at 4096; a `Recorded` ends at its smallest n.
    """
    what = pass_rate(p)
    g = summed_size(g, name, smallest) if summed else _validate.whole(name, g, smallest, 10**9)
    return what, what.at_most(g, name, smallest) if isinstance(what, Recorded) else g


def _moments(what: Beta | Mixture) -> str:
    return f"mean {figure(float(what.mean))}, dispersion {figure(float(what.dispersion))}"


def _several(things: str, means: Floats) -> str:
    """An array of prompts or populations in a few words."""
    if not means.size:
        return f"no {things}"
    return f"{means.size} {things}, mean from {figure(float(means.min()))} to {figure(float(means.max()))}"


def _times(n: int, logs: Floats) -> Floats:
    return n * logs if n else np.zeros_like(logs)  # 0 * -inf is 0 here: an empty run always happens
