"""What is true of one estimator, your own included: its weight by enumeration, and which beliefs about it hold."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, figure
from rlsignal.proofs.enumeration import Advantages, Rewards, expectation, fixed, mean, push
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import known

RATES = (Fraction(1, 50), Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))
"""The pass rates at which every group is listed."""

LARGEST = 10
"""Groups of more rollouts take seconds to list."""


@dataclass(frozen=True, repr=False)
class Belief(Result):
    """One sentence that is often believed of estimators, and whether it is true of this one.

    belief : the sentence.
    holds : whether it is true in groups of this size.
    because : the number that decides it.
    """

    belief: str
    holds: bool
    because: str


@dataclass(frozen=True, repr=False)
class Certificate(Result):
    """What `verify(estimator)` finds of one estimator; prints as two tables.

    estimator, group_size : its name, and the size of the groups that were listed.
    pass_rates : where it was enumerated.
    weights, exact : w_g(p) by the library, and the mean update over every possible group in rational arithmetic.
    rare : w_g(0), the weight of a prompt whose successes are rare.
    beliefs : what is often believed, and whether it is true here.
    """

    estimator: str
    group_size: int
    pass_rates: tuple[float, ...]
    weights: tuple[float, ...]
    exact: tuple[float, ...]
    rare: float
    beliefs: tuple[Belief, ...]

    @property
    def passed(self) -> bool:
        """Whether the library's weight is the enumerated one, to 1e-12 of the largest."""
        scale = max(map(abs, self.exact)) or 1.0
        return all(abs(w - x) <= 1e-12 * scale for w, x in zip(self.weights, self.exact, strict=True))

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {**asdict(self), "passed": self.passed}

    def _parts(self) -> Iterator[Part]:
        agreed = (
            "the library's weight is the enumerated one"
            if self.passed
            else "FAILS, the library's weight is not the enumerated one"
        )
        yield f"{self.estimator} in groups of {self.group_size}: {agreed}; rare successes weigh {figure(self.rare)}."
        yield Table(
            ("pass rate", *(f"{p:g}" for p in self.pass_rates)),
            [("weight", *map(figure, self.weights)), ("over every group", *map(figure, self.exact))],
        )
        for belief in self.beliefs:
            yield f"- {'True' if belief.holds else 'False'}: {belief.belief} ({belief.because})"


def certify(estimator: Estimator, g: int = 8) -> Certificate:
    """The weight of an estimator by enumeration, and which common beliefs are true of it.

    Parameters
    ----------
    estimator : one of the library's, or your own.
    g : group size in [2, 10].

    Returns
    -------
    Certificate.

    Raises
    ------
    ValueError : not an estimator, g out of range or below the estimator's smallest.

    Source: docs/theory.md (W1, W2, E2, E3, B3).

    Examples
    --------
    >>> from rlsignal import Estimator
    >>> from rlsignal.proofs.certificate import certify
    >>> found = certify(Estimator("hits", lambda K, g: 1.0, lambda K, g: 0.0), 4)
    >>> print(found)
    hits in groups of 4: the library's weight is the enumerated one; rare successes weigh 1.000.
    pass rate          0.02    0.1    0.5    0.9
    weight            1.000  1.000  1.000  1.000
    over every group  1.000  1.000  1.000  1.000
    - True: it optimises the mean pass rate: every prompt has the same weight. (the gain of a success
      lies in [1.000, 1.000])
    - False: its advantages sum to 0 in every group. (the largest sum is 4.000, at K = 4)
    - False: degenerate groups give no update, so dynamic sampling keeps its direction. (advantages
      there are 0.000 and 1.000)
    - True: success never costs, so no pass rate falls under it, with a table for a policy. (the least
      gain of a success is 1.000)
    - False: its mean squared advantage is the share of informative groups. (0.100 and 0.344 at p = 0.1)
    - False: its mean absolute advantage is 2 p (1-p) times its weight. (0.100 and 0.180 at p = 0.1)
    """
    g = _validate.whole("g", g, 2, LARGEST, way_out="All 2^g groups are listed.")
    table, gain = known(estimator).table(g), estimator.gain(g)
    rational = [[Fraction(float(a)) for a in row] for row in table]

    def advantages(rewards: Rewards) -> list[Fraction]:
        return [rational[reward][sum(rewards)] for reward in rewards]

    weights = tuple(float(estimator.weight(float(p), g)) for p in RATES)
    exact = tuple(float(expectation(push(advantages, p), fixed(p), g)) for p in RATES)
    beliefs = tuple(_beliefs(estimator, g, table, gain, advantages))
    rates = tuple(float(p) for p in RATES)
    return Certificate(estimator.name, g, rates, weights, exact, float(gain[0]), beliefs)


def _beliefs(
    estimator: Estimator, g: int, table: np.ndarray, gain: np.ndarray, advantages: Advantages
) -> Iterator[Belief]:
    k, p = np.arange(g + 1), Fraction(1, 10)
    tolerance = 1e-12 * max(1.0, float(np.abs(table).max()))
    sums = k * table[1] + (g - k) * table[0]
    ends = table[0, 0], table[1, g]

    def mean_of(statistic: Any) -> float:
        return float(expectation(lambda rewards: statistic(advantages(rewards)), fixed(p), g))

    square, size = mean_of(lambda a: mean([x * x for x in a])), mean_of(lambda a: mean([abs(x) for x in a]))
    share = float(1 - p**g - (1 - p) ** g)
    push_size = 2 * float(p * (1 - p)) * float(estimator.weight(float(p), g))
    at = int(np.argmax(np.abs(sums)))
    yield Belief(
        "it optimises the mean pass rate: every prompt has the same weight.",
        bool(np.ptp(gain) <= tolerance),
        f"the gain of a success lies in [{figure(float(gain.min()))}, {figure(float(gain.max()))}]",
    )
    yield Belief(
        "its advantages sum to 0 in every group.",
        bool(np.abs(sums).max() <= tolerance),
        f"the largest sum is {figure(float(abs(sums[at])))}, at K = {at}",
    )
    yield Belief(
        "degenerate groups give no update, so dynamic sampling keeps its direction.",
        bool(np.abs(ends).max() <= tolerance),
        f"advantages there are {figure(float(ends[0]))} and {figure(float(ends[1]))}",
    )
    yield Belief(
        "success never costs, so no pass rate falls under it, with a table for a policy.",
        bool(gain.min() >= -tolerance),
        f"the least gain of a success is {figure(float(gain.min()))}",
    )
    yield Belief(
        "its mean squared advantage is the share of informative groups.",
        abs(square - share) <= 1e-9,
        f"{figure(square)} and {figure(share)} at p = 0.1",
    )
    yield Belief(
        "its mean absolute advantage is 2 p (1-p) times its weight.",
        abs(size - push_size) <= 1e-9,
        f"{figure(size)} and {figure(push_size)} at p = 0.1",
    )
