"""Rung 1, proofs: formulas equal full enumeration in rational arithmetic.

Both sides are polynomials in p of degree at most g, so equality at g+1 points is equality for every p. Claims about
estimators are linear in the table, so equality on the unit tables is equality for every table, square roots included.
Then the floating-point library is held against the same enumeration.
"""

from fractions import Fraction
from itertools import pairwise
from math import comb, prod

import numpy as np
import pytest

from rlsignal import (
    Beta,
    Fixed,
    Recorded,
    advantage_variance,
    degenerate_probability,
    informative_probability,
    pass_at_k,
)
from rlsignal.estimators import ESTIMATORS
from rlsignal.proofs.enumeration import (
    beta,
    chance,
    every_group,
    expectation,
    fixed,
    mean,
    pmf,
    push,
    recorded,
    rise,
    score,
    slope,
    turn,
    variance,
)
from rlsignal.theory import advantage_variance_distribution, variance_of_advantage_variance

SIZES = range(2, 7)
POPULATIONS = [(Fraction(1, 3), Fraction(1, 2)), (Fraction(1, 20), Fraction(1, 7)), (Fraction(3, 5), Fraction(9, 10))]

every_size = pytest.mark.parametrize("g", SIZES)
every_population = pytest.mark.parametrize(("m", "rho"), POPULATIONS)


def points(g):
    """g+1 pass rates inside (0, 1): enough to tell polynomials of degree g apart."""
    return [Fraction(i, g + 2) for i in range(1, g + 2)]


def binomial(g, p):
    return [comb(g, k) * p**k * (1 - p) ** (g - k) for k in range(g + 1)]


def degenerate(rewards):
    return len(set(rewards)) == 1


def read(table):
    """The advantages that a table [2][g+1], indexed [reward][K], gives to a group."""
    return lambda rewards: [table[reward][sum(rewards)] for reward in rewards]


def unit_tables(g):
    """One table for each cell that can happen, 1 there and 0 elsewhere: they span all tables."""
    for reward, k in [(1, k) for k in range(1, g + 1)] + [(0, k) for k in range(g)]:
        yield [[Fraction((row, column) == (reward, k)) for column in range(g + 1)] for row in (0, 1)]


def gains(table):
    """A+(j+1) - A-(j)."""
    wrong, correct = table
    return [right - left for left, right in zip(wrong[:-1], correct[1:], strict=True)]


def rows(g, wrong, correct):
    """A table from A-(K) and A+(K), 0 in the two cells that cannot happen."""
    return [[Fraction(wrong(k)) if k < g else 0 for k in range(g + 1)], [0] + [correct(k) for k in range(1, g + 1)]]


def dr_grpo(g):
    return rows(g, lambda k: Fraction(-k, g), lambda k: 1 - Fraction(k, g))


def rloo(g):
    return rows(g, lambda k: Fraction(-k, g - 1), lambda k: Fraction(g - k, g - 1))


def maxrl(g):
    return rows(g, lambda k: -1 if k else 0, lambda k: Fraction(g - k, k))


# --- Laws


@every_size
def test_a_fixed_prompt_is_binomial(g):
    """L1"""
    assert all(pmf(fixed(p), g) == binomial(g, p) for p in points(g))


@every_size
@every_population
def test_a_beta_population_is_beta_binomial(m, rho, g):
    """L2: C(g,k) a^(k) b^(g-k) / (a+b)^(g) in rising factorials."""
    a, b = m * (1 - rho) / rho, (1 - m) * (1 - rho) / rho

    def rising(x, n):
        return prod((x + i for i in range(n)), start=Fraction(1))

    assert pmf(beta(m, rho), g) == [
        comb(g, k) * rising(a, k) * rising(b, g - k) / rising(a + b, g) for k in range(g + 1)
    ]


@pytest.mark.parametrize("urn", [beta(Fraction(1, 3), Fraction(1, 2)), recorded(3, 7)], ids=["beta", "recorded"])
def test_an_urn_does_not_care_about_order(urn):
    """Groups with equal K are equally likely, which is why K says all."""
    chances = {}
    for rewards in every_group(5):
        chances.setdefault(sum(rewards), set()).add(chance(rewards, urn))
    assert all(len(each) == 1 for each in chances.values())


def test_dispersion_runs_from_one_prompt_to_all_or_nothing():
    m = Fraction(1, 3)
    assert pmf(beta(m, 0), 4) == pmf(fixed(m), 4)
    assert pmf(beta(m, 1), 4) == [1 - m, 0, 0, 0, m]


@every_size
def test_an_evaluation_estimates_every_law_without_bias(g):
    """L3: drawing g of n recorded samples, c binomial, is drawing g fresh ones; so also pass@k (P1) and D."""
    n = 7
    estimates = [pmf(recorded(c, n), g) for c in range(n + 1)]
    for p in points(n):
        means = [sum(w * e[k] for w, e in zip(binomial(n, p), estimates, strict=True)) for k in range(g + 1)]
        assert means == binomial(g, p)


@every_size
def test_an_evaluation_is_hypergeometric(g):
    """L3 as binomial coefficients; its ends are the estimators of D and of pass@k."""
    n = 7
    for c in range(n + 1):
        assert pmf(recorded(c, n), g) == [
            Fraction(comb(c, k) * comb(n - c, g - k), comb(n, g)) if k <= c else 0 for k in range(g + 1)
        ]


# --- The rewards' own variance


@every_size
def test_mean_of_the_variance(g):
    """V1"""
    for p in points(g):
        assert expectation(variance, fixed(p), g) == p * (1 - p) * Fraction(g - 1, g)
        assert expectation(lambda rewards: variance(rewards, ddof=1), fixed(p), g) == p * (1 - p)


@every_size
def test_variance_of_the_variance(g):
    """V2, of degree 4 where g is smaller."""
    for p in points(max(g, 4)):
        q = 1 - p
        second = expectation(lambda rewards: variance(rewards) ** 2, fixed(p), g)
        closed = Fraction(g - 1, g**3) * p * q * ((g - 1) * (1 - 2 * p) ** 2 + 2 * p * q)
        assert second - expectation(variance, fixed(p), g) ** 2 == closed


@every_size
def test_law_of_the_variance(g):
    """V3: K and g - K look alike."""
    for p in points(g):
        terms = binomial(g, p)
        for k in range(g // 2 + 1):
            value = Fraction(k * (g - k), g**2)
            share = expectation(lambda rewards, v=value: variance(rewards) == v, fixed(p), g)
            assert share == (terms[k] + terms[g - k] if k < g - k else terms[k])


@every_size
def test_variance_of_a_table(g):
    """V4, group by group, on a table without any structure."""
    table = [[Fraction(1, 2 + k) for k in range(g + 1)], [Fraction(3 * k * k - 7, 5) for k in range(g + 1)]]
    for rewards in every_group(g):
        k = sum(rewards)
        assert variance(read(table)(rewards)) == Fraction(k * (g - k), g**2) * (table[1][k] - table[0][k]) ** 2


# --- Degenerate groups and pass@k


@every_size
def test_degenerate_and_informative_groups(g):
    """D1, D2"""
    for p in points(g):
        dead = expectation(degenerate, fixed(p), g)
        assert dead == p**g + (1 - p) ** g
        assert 1 - dead == expectation(any, fixed(p), g) - p**g


@every_size
@every_population
def test_populations_average_the_closed_forms(m, rho, g):
    """V1, D3, P2 with the moments of p: E p^n is the chance of n successes in a row."""

    def moment(n):
        return prod(((m * (1 - rho) + i * rho) / (1 - rho + i * rho) for i in range(n)), start=Fraction(1))

    def pass_at(k):
        return expectation(any, beta(m, rho), k)

    reward_variance = m * (1 - m) * (1 - rho)
    assert reward_variance == moment(1) - moment(2) == pass_at(2) - pass_at(1)
    assert expectation(variance, beta(m, rho), g) == reward_variance * Fraction(g - 1, g)
    assert expectation(degenerate, beta(m, rho), g) == moment(g) + 1 - pass_at(g)


# --- Where a table goes


@every_size
def test_weight_of_any_table(g):
    """W1: the mean update is E[A+(J+1) - A-(J)], J ~ Binomial(g-1, p), times grad p."""
    for table in unit_tables(g):
        for p in points(g):
            weight = sum(chance * d for chance, d in zip(binomial(g - 1, p), gains(table), strict=True))
            assert expectation(push(read(table), p), fixed(p), g) == weight
            assert expectation(turn(read(table)), fixed(p), g) == weight


@every_size
def test_objective_of_any_table(g):
    """W2: E S(K) vanishes at p = 0, and its slope is the weight."""
    for table in unit_tables(g):
        steps = [sum(gains(table)[:k], Fraction(0)) / g for k in range(g + 1)]
        objective = rise(read(table))
        assert expectation(objective, fixed(0), g) == 0
        for p in points(g):
            height = sum(chance * step for chance, step in zip(binomial(g, p), steps, strict=True))
            assert expectation(objective, fixed(p), g) == height
            assert slope(objective, p, g) == expectation(push(read(table), p), fixed(p), g)


@every_size
def test_moments_of_any_table(g):
    """E1, E2, E3: whatever is put in the cells, its mean per rollout is E[K T+(K) + (g-K) T-(K)] / g."""
    for table in unit_tables(g):
        for p in points(g):
            cells = [Fraction(k, g) * table[1][k] + Fraction(g - k, g) * table[0][k] for k in range(g + 1)]
            total = sum(chance * cell for chance, cell in zip(binomial(g, p), cells, strict=True))
            assert expectation(lambda rewards, t=table: mean(read(t)(rewards)), fixed(p), g) == total


@every_size
def test_second_moment_of_grpo(g):
    """E2: its squares are rational, and add to 1 - D."""
    squares = rows(g, lambda k: Fraction(k, g - k), lambda k: Fraction(g - k, k))
    for p in points(g):
        assert expectation(lambda rewards: mean(read(squares)(rewards)), fixed(p), g) == 1 - p**g - (1 - p) ** g


@every_size
def test_rational_estimators(g):
    """W1, W2, E2, E3 of DR_GRPO, RLOO and MAXRL in closed form."""

    def moments(table, p):
        squares = expectation(lambda rewards: mean([a**2 for a in read(table)(rewards)]), fixed(p), g)
        return squares, expectation(lambda rewards: mean([abs(a) for a in read(table)(rewards)]), fixed(p), g)

    def flow(table, p):
        return expectation(push(read(table), p), fixed(p), g), expectation(rise(read(table)), fixed(p), g)

    for p in points(g):
        q, shrink = 1 - p, Fraction(g - 1, g)
        assert flow(dr_grpo(g), p) == (shrink, shrink * p)
        assert moments(dr_grpo(g), p) == (p * q * shrink, 2 * p * q * shrink)
        assert flow(rloo(g), p) == (1, p)
        assert moments(rloo(g), p) == (p * q / shrink, 2 * p * q)
        assert flow(maxrl(g), p) == ((1 - q ** (g - 1)) / p, sum((1 - q**k) / k for k in range(1, g)))
        inverse = sum((q ** (g - k) - q**g) / k for k in range(1, g + 1))  # E[1/K; K > 0]
        assert moments(maxrl(g), p) == (g * inverse - (1 - q**g), 2 * (1 - q**g - p))


# --- The library in floating point


@pytest.mark.parametrize("g", [2, 3, 6])
@pytest.mark.parametrize("p", [1e-3, 0.1, 0.5, 0.83])
class TestLibraryOnOnePrompt:
    def test_signal(self, p, g):
        urn = fixed(p)
        second = expectation(lambda rewards: variance(rewards) ** 2, urn, g)
        close(Fixed(p).pmf(g), pmf(urn, g))
        close(advantage_variance(p, g), expectation(variance, urn, g))
        close(variance_of_advantage_variance(p, g), second - expectation(variance, urn, g) ** 2)
        close(degenerate_probability(p, g), expectation(degenerate, urn, g))
        close(informative_probability(p, g), 1 - expectation(degenerate, urn, g))
        close(pass_at_k(p, g), expectation(any, urn, g))
        values, chances = advantage_variance_distribution(p, g)
        for value, share in zip(values, chances, strict=True):
            nearest = Fraction(round(value * g**2), g**2)
            close(share, expectation(lambda rewards, v=nearest: variance(rewards) == v, urn, g))

    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
    def test_estimators(self, p, g, estimator):
        """Their square roots stand for the rational numbers that the floats in the table are."""
        advantages = read([[Fraction(a) for a in row] for row in estimator.table(g)])
        urn = fixed(p)
        close(estimator.weight(p, g), expectation(push(advantages, p), urn, g))
        close(estimator.objective(p, g), expectation(rise(advantages), urn, g))
        close(estimator.variance(p, g), expectation(lambda r: variance(advantages(r)), urn, g))
        close(estimator.second_moment(p, g), expectation(lambda r: mean([a**2 for a in advantages(r)]), urn, g))
        close(estimator.magnitude(p, g), expectation(lambda r: mean([*map(abs, advantages(r))]), urn, g))


@pytest.mark.parametrize("g", [2, 3, 6])
@pytest.mark.parametrize(("m", "rho"), [(0.33, 0.49), (0.01, 0.05), (0.9, 0.97), (0.2, 1.0), (0.2, 0.0)])
def test_library_on_populations(m, rho, g):
    data, urn = Beta(m, rho), beta(m, rho)
    second = expectation(lambda rewards: variance(rewards) ** 2, urn, g)
    close(data.pmf(g), pmf(urn, g))
    close(advantage_variance(data, g), expectation(variance, urn, g))
    close(variance_of_advantage_variance(data, g), second - expectation(variance, urn, g) ** 2)
    close(degenerate_probability(data, g), expectation(degenerate, urn, g))
    close(informative_probability(data, g), 1 - expectation(degenerate, urn, g))
    close(pass_at_k(data, g), expectation(any, urn, g))
    for estimator in ESTIMATORS:
        advantages = read([[Fraction(a) for a in row] for row in estimator.table(g)])
        close(estimator.weight(data, g), expectation(turn(advantages), urn, g))
        close(estimator.objective(data, g), expectation(rise(advantages), urn, g))


@every_size
def test_library_on_evaluations(g):
    n = 7
    data = Recorded(range(n + 1), n)
    close(data.each(g), [pmf(recorded(c, n), g) for c in range(n + 1)])
    for c in range(n + 1):
        one, urn = Recorded([c], n), recorded(c, n)
        close(degenerate_probability(one, g), expectation(degenerate, urn, g))
        close(informative_probability(one, g), 1 - expectation(degenerate, urn, g))
        close(pass_at_k(one, g), expectation(any, urn, g))
        close(advantage_variance(one, g), expectation(variance, urn, g))


def close(value, exact):
    """Equal to 1e-12 relative; zeros to 1e-15."""
    np.testing.assert_allclose(value, np.array(exact, dtype=np.float64), rtol=1e-12, atol=1e-15)


# --- The referee itself


def test_all_groups_are_listed_once_and_weigh_one():
    groups = list(every_group(6))
    assert len(set(groups)) == 2**6
    assert all(left < right for left, right in pairwise(groups))
    for urn in (fixed(0.3), beta(0.3, 0.2), recorded(3, 8)):
        assert sum(chance(rewards, urn) for rewards in groups) == 1


def test_slope_is_the_derivative():
    """d/dp p^3 = 3 p^2"""
    assert slope(all, Fraction(2, 5), 3) == 3 * Fraction(2, 5) ** 2


def test_floats_are_taken_as_they_are():
    assert expectation(any, fixed(0.1), 1) == Fraction(0.1) != Fraction(1, 10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fixed(1.2), r"p must lie in \[0, 1\], got 1.2"),
        (lambda: beta(0.5, -1), r"dispersion must lie in \[0, 1\], got -1"),
        (lambda: recorded(5, 4), r"correct must lie in \[0, samples\] = \[0, 4\], got 5"),
        (lambda: pmf(recorded(1, 2), 3), "g must be at most 2, got 3"),
        (lambda: every_group(17), "g must be at most 16, got 17. All 2\\^g groups are listed."),
        (lambda: score((0, 1), 0), r"p must lie in \(0, 1\), got 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
