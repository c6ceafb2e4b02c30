"""The claims of the theory against enumeration, draws and one tempting mistake.

The mean of a claim's statistic is taken over every possible group in rational arithmetic, and over groups that are
drawn; the library's value must equal the first and agree with the second, and the nearest wrong formula must not.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import sqrt
from textwrap import shorten
from typing import Any, overload

import numpy as np

from rlsignal import _validate
from rlsignal._show import Part, Result, Table, signed_figure
from rlsignal.proofs import enumeration
from rlsignal.proofs.certificate import Certificate, certify
from rlsignal.proofs.claims import CLAIMS, Claim
from rlsignal.theory.distributions import Beta, Fixed, Mixture
from rlsignal.theory.estimators import Estimator


@dataclass(frozen=True, repr=False)
class Check(Result):
    """One claim against enumeration, draws and its tempting mistake.

    label, name : which claim; the label is its anchor in docs/theory.md.
    formula, where : the claim in plain text, and the population and rollouts it was tried on.
    closed : the library's value.
    exact : the mean over every possible group, in rational arithmetic.
    estimate, standard_error : the mean over drawn groups, and its error by the exact second moment.
    z : (estimate - closed) / standard_error.
    wrong_formula, wrong : the nearest tempting formula, and its value here.
    wrong_rejected : whether the drawn groups reject that formula.
    passed : closed equals exact, the estimate agrees, and the wrong formula is rejected.
    """

    label: str
    name: str
    formula: str
    where: str
    closed: float
    exact: float
    estimate: float
    standard_error: float
    z: float
    wrong_formula: str
    wrong: float
    wrong_rejected: bool
    passed: bool

    @property
    def verdict(self) -> str:
        """Either "holds" or what to look at."""
        if self.passed:
            return "holds"
        if not self.wrong_rejected:
            return f"FAILS: the mistake ({self.wrong_formula}) is not rejected"
        return f"FAILS: the library gives {self.closed:.6g}, exact is {self.exact:.6g}"

    @property
    def row(self) -> tuple[str, ...]:
        """Its line in the table: label and formula, exact mean, drawn mean, z, and what the tempting mistake gives."""
        numbers = f"{self.exact:.5f}", f"{self.estimate:.5f}", f"{signed_figure(self.z, 1)}", f"{self.wrong:.5f}"
        return (f"{self.label:2} {shorten(self.formula, 54)}", *numbers, "holds" if self.passed else "FAILS")


@dataclass(frozen=True, repr=False)
class Verification(Result):
    """Every claim of the theory, checked; prints as a table.

    checks : one per claim.
    groups, seed : how many groups were drawn for each claim, and the seed of the draws.
    """

    checks: tuple[Check, ...]
    groups: int
    seed: int

    @property
    def passed(self) -> bool:
        """Whether every claim holds."""
        return all(check.passed for check in self.checks)

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "passed": self.passed,
            "claims": [asdict(check) for check in self.checks],
            "groups": self.groups,
            "seed": self.seed,
        }

    def _parts(self) -> Iterator[Part]:
        head = ("claim", "exact", "estimate", "z", "mistake", "")
        yield Table(head, [check.row for check in self.checks])
        held = sum(check.passed for check in self.checks)
        yield f"{held} of {len(self.checks)} claims hold: {self.groups} groups each, seed {self.seed}."
        for check in self.checks:
            if not check.passed:
                yield f"- {check.label}, {check.name}: {check.verdict}."


RELATIVE_ERROR = 1e-12
"""How far the library may be from the exact mean."""

STANDARD_ERRORS = 5.0
"""How far the drawn mean may be from the library's value, and must be from the wrong one."""

FEWEST_GROUPS, MOST_GROUPS = 100_000, 10_000_000
"""With the fewest, every wrong value is twice STANDARD_ERRORS from the truth; the most take about a gigabyte."""


@overload
def verify(estimator: None = None, *, seed: int = 0, groups: int = 200_000) -> Verification: ...
@overload
def verify(estimator: Estimator, *, seed: int = 0, groups: int = 200_000) -> Certificate: ...
def verify(estimator: Estimator | None = None, *, seed: int = 0, groups: int = 200_000) -> Verification | Certificate:
    """Hold every claim of the theory against exact enumeration, Monte Carlo and its nearest wrong formula.

    With an estimator, your own included: what is true of that one, by enumeration (`rlsignal.proofs.certify`).

    A claim holds if the library's value equals the exact mean to 1e-12 relative, the mean over drawn groups agrees
    with it within 5 standard errors, and the wrong formula is more than 5 away from that same mean. The standard
    error comes from the exact second moment: one estimated from the draws is too small for rare events.

    Parameters
    ----------
    estimator : None for the claims, else the estimator to certify, in groups of 8.
    seed : of the draws, a whole number of at least 0.
    groups : drawn for each claim, in [100000, 10000000].

    Raises
    ------
    ValueError : seed or groups out of range.

    Source: docs/theory.md, where each label is an anchor.

    Examples
    --------
    >>> from rlsignal import Estimator, verify
    >>> verify().passed
    True
    >>> verify(Estimator("sign", lambda K, g: 1.0, lambda K, g: -1.0)).beliefs[0].holds  # the same weight everywhere
    True
    """
    if estimator is not None:
        return certify(estimator)
    seed = _validate.whole("seed", seed, 0)
    way_out = "Fewer cannot reject every wrong formula, more do not fit in memory."
    groups = _validate.whole("groups", groups, FEWEST_GROUPS, MOST_GROUPS, way_out=way_out)
    generators = np.random.default_rng(seed).spawn(len(CLAIMS))
    checks = tuple(check(claim, generator, groups) for claim, generator in zip(CLAIMS, generators, strict=True))
    return Verification(checks, groups, seed)


def check(claim: Claim, generator: np.random.Generator, groups: int) -> Check:
    """One claim, checked by both from one list: the value of the statistic for each of the 2^g strings."""
    cases = list(enumeration.cases(claim.statistic, urn(claim.p), claim.g))
    truth = sum(share * value for share, value in cases)
    variance = sum(share * value**2 for share, value in cases) - truth**2
    worth = [float(value) for _, value in cases]

    true, standard_error = float(truth), sqrt(variance / groups)
    estimate = float(_frequencies(claim, generator, groups) @ worth)
    answers = np.atleast_1d(np.asarray(claim.library(claim.p, claim.g), np.float64))
    closed = float(answers[np.argmax(np.abs(answers - true))])  # of several ways, the one furthest off
    wrong = float(claim.wrong(claim.p, claim.g))

    z = (estimate - closed) / standard_error
    wrong_rejected = abs(estimate - wrong) > STANDARD_ERRORS * standard_error
    equal = abs(closed - true) <= RELATIVE_ERROR * abs(true)
    return Check(
        label=claim.label,
        name=claim.name,
        formula=claim.formula,
        where=claim.where,
        closed=closed,
        exact=true,
        estimate=estimate,
        standard_error=standard_error,
        z=z,
        wrong_formula=claim.wrong_formula,
        wrong=wrong,
        wrong_rejected=wrong_rejected,
        passed=equal and abs(z) <= STANDARD_ERRORS and wrong_rejected,
    )


def _frequencies(claim: Claim, generator: np.random.Generator, groups: int) -> np.ndarray:
    """Draw groups; how often each string of rewards comes up, [2^g] in the order of `every_group`."""
    prompts = _prompts(claim.p, generator, groups)
    rewards = generator.random((groups, claim.g)) < prompts
    strings = rewards @ (1 << np.arange(claim.g)[::-1])
    return np.bincount(strings, minlength=2**claim.g) / groups


def urn(p: float | Fixed | Beta | Mixture) -> enumeration.Urn:
    """The population of a claim as an urn."""
    if isinstance(p, Mixture):
        return enumeration.mixture([urn(part) for part in p.parts], p.weights.tolist())
    if isinstance(p, Beta):
        return enumeration.beta(float(p.mean), float(p.dispersion))
    return enumeration.fixed(float(p.mean if isinstance(p, Fixed) else p))


def _prompts(p: float | Fixed | Beta | Mixture, generator: np.random.Generator, groups: int) -> Any:
    """The pass rate of each group's prompt: one number, or [groups, 1]."""
    if isinstance(p, Mixture):
        parts = [np.broadcast_to(_prompts(part, generator, groups), (groups, 1)) for part in p.parts]
        kind = generator.choice(len(parts), (groups, 1), p=p.weights).astype(np.intp)  # 32 bits in a browser
        return np.choose(kind, parts)
    if isinstance(p, Beta):
        mean, size = float(p.mean), (1 - float(p.dispersion)) / float(p.dispersion)  # a + b
        return generator.beta(mean * size, (1 - mean) * size, (groups, 1))
    return p.mean if isinstance(p, Fixed) else p
