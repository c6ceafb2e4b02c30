"""Rewards of more than two levels, derived: the signal of a group, and the weights of the levels."""

from rlsignal.proofs.derivations.steps import Derivation, Expression, Step


def variance_of_any_rewards() -> Derivation:
    """M1: whatever the rewards, the variance inside a group is (g-1)/g of that of one reward.

    Source: docs/theory.md (M1).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.rewards import variance_of_any_rewards
    >>> print(variance_of_any_rewards().check().claim)
    E(v) = V*(g - 1)/g
    """
    from sympy import Function, Symbol, expand, symbols

    g = Symbol("g", integer=True, positive=True)
    m, V, v, total, squares = symbols("m V v T Q")
    E = Function("E")

    def mean(f: Expression) -> Expression:
        if f.has(v):
            return E(f)  # a name is left, to unfold first
        f = expand(f)
        one = m**2 + V
        return f.coeff(squares, 1) * g * one + f.coeff(total, 2) * (g * one + g * (g - 1) * m**2)

    independent = (
        "Of g independent rewards of mean m and variance V the squares, Q, have mean g(m^2 + V), and the squared sum, "
        "T^2, has g(g-1) products of two different ones of mean m^2 more."
    )
    steps = (
        Step("The variance (ddof 0) of the rewards of one group: Q over g less the squared mean.", v,
             squares / g - (total / g) ** 2, "definition"),
        Step(independent, E(total**2), g * (m**2 + V) + g * (g - 1) * m**2, "assumption", lambda e: e.replace(E, mean)),
        Step("The mean of the first part.", E(squares / g), m**2 + V),
        Step("And of the second.", E(total**2 / g**2), m**2 + V / g),
        Step("Their difference.", E(v), (g - 1) / g * V),
    )  # fmt: skip
    return Derivation("M1", "The expected variance of any rewards", steps)


def update_of_levels() -> Derivation:
    """M1: averaged over groups, (1/g) sum A_i s_i is the sum of w_l times the slope of level l's chance.

    Source: docs/theory.md (M1).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.rewards import update_of_levels
    >>> print(update_of_levels().check().claim.rhs)
    w_1*Derivative(pi_1(theta), theta) + w_2*Derivative(pi_2(theta), theta) + w_3*Derivative(pi_3(theta), theta)
    """
    from sympy import Derivative, Function, Sum, Symbol, log, symbols

    a, b, n, M = symbols("a b n M", integer=True, positive=True)
    y, N = symbols("y N", integer=True)
    theta = Symbol("theta")
    policy, P = Function("pi"), Function("P")
    levels = [(y, 1, a), (y, a + 1, b), (y, b + 1, n)]
    chances = [Function(f"pi_{i}")(theta) for i in (1, 2, 3)]
    advantages, weights = [Function(f"A_{i}") for i in (1, 2, 3)], symbols("w_1:4")
    chance = policy(y, theta)
    slopes = [Derivative(p, theta) for p in chances]
    ups = [Derivative(Sum(chance, which), theta) for which in levels]
    names = "Responses come in blocks of one level each; the chance of a level is the sum of its responses'."
    given = (
        "The mean of A_i s_i while the others have counts N: a rollout of level l has advantage A_l there, and its "
        "scores are weighted by the chances of its responses."
    )
    others = "The others are independent of rollout i; P(N) is the chance of their counts, the N-th of M."
    steps = (
        *(Step("Weighted by chance, the scores of a level add up to the slope of the sum of its chances.",
               Sum(chance * Derivative(log(chance), theta), which), up) for which, up in zip(levels, ups, strict=True)),
        *(Step(names, Sum(chance, which), p, "definition") for which, p in zip(levels, chances, strict=True)),
        Step(given, sum(A(N) * up for A, up in zip(advantages, ups, strict=True)),
             sum(A(N) * slope for A, slope in zip(advantages, slopes, strict=True))),
        *(Step(others, w, Sum(P(N) * A(N), (N, 1, M)), "definition") for w, A in zip(weights, advantages, strict=True)),
        Step("Average over the counts; the g rollouts have one distribution, so their mean is what each of them has.",
             Sum(P(N) * sum(A(N) * slope for A, slope in zip(advantages, slopes, strict=True)), (N, 1, M)),
             sum(w * slope for w, slope in zip(weights, slopes, strict=True))),
    )  # fmt: skip
    return Derivation("M1", "The expected update with levels", steps)
