"""How much signal a group carries, derived: the within-group variance, and a population of prompts."""

from rlsignal.proofs.derivations.steps import SIZES, Derivation, Expression, Step


def within_group_variance() -> Derivation:
    """V1 by the generating function of K: E[v] = p(1-p)(g-1)/g for v = K(g-K)/g^2.

    Source: arXiv 2606.18487, Proposition 1; docs/theory.md (V1).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.signal import within_group_variance
    >>> print(within_group_variance().check().claim)
    E(v) = p*q*(g - 1)/g
    """
    from sympy import IndexedBase, Sum, Symbol

    (g, K, L, p, q, v, E), model = one_prompt()
    i, r = Symbol("i", integer=True), IndexedBase("r")
    total, squares = Sum(r[i], (i, 1, g)), Sum(r[i] ** 2, (i, 1, g))
    steps = (
        Step("The variance (ddof 0) of the rewards of one group.", v, squares / g - (total / g) ** 2, "definition"),
        Step("K is the number of correct rollouts.", total, K, "definition"),
        Step("Rewards are 0 or 1, so r^2 = r and the squares add up to K too.", squares, K, "assumption"),
        Step("L is the number of incorrect ones.", L, g - K, "definition"),
        Step("So one integer says it all.", v, K * L / g**2),
        *model,
        Step("One derivative at z = 1.", E(K), g * p),
        Step("Two derivatives at z = 1.", E(K * (K - 1)), g * (g - 1) * p**2),
        Step("Write KL in these two.", K * L, (g - 1) * K - K * (K - 1)),
        Step("Subtract their means: p - p^2 = pq.", E(K * L), g * (g - 1) * p * q),
        Step("Divide by g^2.", E(v), (g - 1) / g * p * q),
    )
    return Derivation("V1", "The expected within-group variance", steps)


def within_group_variance_by_pairs() -> Derivation:
    """V1 by pairs that differ: a variance is half the mean squared difference over ordered pairs.

    Source: docs/theory.md (V1).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.signal import within_group_variance_by_pairs
    >>> print(within_group_variance_by_pairs().check().claim)
    E(v) = p*q*(g - 1)/g
    """
    from sympy import IndexedBase, Sum, symbols

    (g, K, L, p, q, v, E), model = one_prompt()
    (i, j), r = symbols("i j", integer=True), IndexedBase("r")
    variance = Sum(r[i] ** 2, (i, 1, g)) / g - (Sum(r[i], (i, 1, g)) / g) ** 2
    squares = Sum((r[i] - r[j]) ** 2, (i, 1, g), (j, 1, g))
    halved = "For any g numbers the variance is half the mean squared difference over all g^2 ordered pairs."
    disagree = "A squared difference is 1 where two rewards differ: K correct, L incorrect ones, in two orders."
    chances = "Counted the other way: g(g-1) pairs of two different rollouts, each differing with chance pq + qp."
    steps = (
        Step(halved, variance, squares / (2 * g**2), at=(g, SIZES)),
        Step("Call it v.", v, squares / (2 * g**2), "definition"),
        Step(disagree, squares, 2 * K * L, "assumption"),
        Step("The correct and the incorrect make g.", L, g - K, "definition"),
        *model,
        Step(chances, E(2 * K * L), g * (g - 1) * (p * q + q * p)),
        Step("Half of that, over g^2 pairs.", E(v), (g - 1) / g * p * q),
    )
    return Derivation("V1", "The expected within-group variance, by pairs that differ", steps)


def variance_of_the_variance() -> Derivation:
    """V2: Var(v) = (g-1)/g^3 pq [(g-1)(1-2p)^2 + 2pq], from factorial moments up to the fourth.

    Source: docs/theory.md (V2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.signal import variance_of_the_variance
    >>> print(variance_of_the_variance().check().claim)
    Var(v) = p*q*(g - 1)*(2*p*q + (1 - 2*p)**2*(g - 1))/g**3
    """
    from sympy import Symbol

    (g, K, L, p, q, v, E), model = one_prompt()
    variance, front = Symbol("Var(v)"), (g - 1) / g**3 * p * q
    one_one, two_two = K * L, K * (K - 1) * L * (L - 1)
    two_one, one_two = K * (K - 1) * L, K * L * (L - 1)
    steps = (
        Step("The within-group variance (V1): K correct rollouts, L incorrect ones.", v, K * L / g**2, "definition"),
        Step("The correct and the incorrect make g.", L, g - K, "definition"),
        *model,
        Step("Ordered picks of one correct and one incorrect rollout.", E(one_one), g * (g - 1) * p * q),
        Step("Two correct, one incorrect.", E(two_one), g * (g - 1) * (g - 2) * p**2 * q),
        Step("One correct, two incorrect.", E(one_two), g * (g - 1) * (g - 2) * p * q**2),
        Step("Two and two.", E(two_two), g * (g - 1) * (g - 2) * (g - 3) * p**2 * q**2),
        Step("The square in such picks.", (K * L) ** 2, two_two + two_one + one_two + one_one),
        Step("Its mean, where p + q = 1.", E(v**2), front * ((g - 2) * (g - 3) * p * q + (g - 2) + 1)),
        Step("A variance is the mean square less the squared mean.", variance, E(v**2) - E(v) ** 2, "definition"),
        Step("Insert both.", variance, front * ((g - 1) - (4 * g - 6) * p * q)),
        Step("And 1 - 4pq = (1-2p)^2.", variance, front * ((g - 1) * (1 - 2 * p) ** 2 + 2 * p * q)),
    )
    return Derivation("V2", "The variance of the within-group variance", steps)


def beta_population() -> Derivation:
    """D3: of prompts whose pass rates follow a Beta, E[p(1-p)] and the chance of a degenerate group.

    Source: docs/theory.md (D3).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.signal import beta_population
    >>> round(beta_population().check().value(m=0.33, rho=0.49, g=8), 4)
    0.4488
    """
    from sympy import Function, Product, Symbol, beta, symbols

    E, g = Function("E"), Symbol("g", integer=True, positive=True)
    i, j = symbols("i j", integer=True, nonnegative=True)
    a, b, m, p, q, rho = symbols("a b m p q rho", positive=True)

    def moment(monomial: Expression) -> Expression:
        powers = monomial.as_powers_dict()
        return beta(a + powers[p], b + powers[q]) / beta(a, b)

    again_correct, again_incorrect = ((mean * (1 - rho) + i * rho) / (1 - rho + i * rho) for mean in (m, 1 - m))
    moments = "Moments of a Beta(a, b), with q = 1 - p: one Beta integral over another."
    agree = Product(again_correct, (i, 0, g - 1)) + Product(again_incorrect, (i, 0, g - 1))
    steps = (
        Step(moments, E(p**i * q**j), beta(a + i, b + j) / beta(a, b), "definition", lambda e: e.replace(E, moment)),
        Step("Write a by two numbers, m and rho.", a, m * (1 - rho) / rho, "definition"),
        Step("Write b by the same two.", b, (1 - m) * (1 - rho) / rho, "definition"),
        Step("Then m is the mean.", E(p), m),
        Step("And rho is the variance over m(1-m), the dispersion.", E(p**2), m**2 + rho * m * (1 - m)),
        Step("What that leaves to one prompt's rewards.", E(p * q), m * (1 - m) * (1 - rho)),
        Step("After i correct rollouts, the chance of another.", E(p ** (i + 1)) / E(p**i), again_correct),
        Step("After i incorrect ones, the same with 1 - m.", E(q ** (i + 1)) / E(q**i), again_incorrect),
        Step("Chain g of either kind: the group is degenerate.", E(p**g) + E(q**g), agree, at=(g, SIZES)),
    )
    return Derivation("D3", "A population of prompts", steps)


def one_prompt() -> tuple[tuple[Expression, ...], tuple[Step, ...]]:
    """The symbols (g, K, L, p, q, v, E) of one prompt's group, and its model: K counts g independent successes."""
    from sympy import Derivative, Function, Product, Subs, Symbol, degree, expand, factorial, ff, symbols

    g, m = symbols("g m", integer=True, positive=True)
    p, q, z, K, L, v = symbols("p q z K L v")
    E, G = Function("E"), Function("G")

    def derivative(order: Expression) -> Expression:
        return Subs(Derivative(G(z), (z, order)), z, 1)

    def mean(f: Expression) -> Expression:
        """E[f(K)] of a polynomial f, written in falling factorials by its differences at 0."""
        if f.free_symbols - {K, g}:
            return E(f)  # names are left, to unfold first
        total = 0
        for order in range(degree(f, K) + 1):
            total += f.subs(K, 0) / factorial(order) * derivative(order)
            f = expand(f.subs(K, K + 1) - f)
        return total

    independent = "G(z) is the mean of z^K: rollouts are independent, so it is a product of g means q z^0 + p z^1."
    linear = "m derivatives of z^K leave K(K-1)...(K-m+1) at z = 1, and the mean is linear."
    model = (
        Step("The chance of an incorrect rollout.", q, 1 - p, "definition"),
        Step("Equal factors make a power.", Product(q + p * z, (Symbol("i", integer=True), 1, g)), (q + p * z) ** g),
        Step(independent, G(z), (q + p * z) ** g, "assumption"),
        Step(linear, E(ff(K, m)), derivative(m), "assumption", lambda e: e.replace(E, mean)),
    )
    return (g, K, L, p, q, v, E), model
