"""What filters, lengths and faults of the verifier do, derived."""

from rlsignal.proofs.derivations.steps import Derivation, Step


def weight_under_lengths() -> Derivation:
    """W4: dividing by length changes the weight, and bends the direction where lengths differ inside a class.

    Source: docs/theory.md (W4).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.filters import weight_under_lengths
    >>> print(weight_under_lengths().check().claim.lhs)
    A^+*Derivative(u(theta), theta) + A^-*Derivative(v(theta), theta)
    """
    from sympy import Derivative, Function, symbols

    theta, w, up, down = symbols("theta w A^+ A^-")
    p, q = Function("p")(theta), 1 - Function("p")(theta)
    short, long = Function("m_C")(theta), Function("m_I")(theta)
    u, v = Function("u"), Function("v")
    bend = p * q * (Derivative(short, theta) - Derivative(long, theta))
    steps = (
        Step("E r/T: chance of a correct response times its mean of 1/T.", u(theta), p * short, "definition"),
        Step("The same of incorrect ones.", v(theta), q * long, "definition"),
        Step("A rollout's mean advantage if correct; groups sum to zero (E3, W1).", up, w * q, "assumption"),
        Step("And if incorrect.", down, -w * p, "assumption"),
        Step("Their difference is the weight.", up - down, w),
        Step(
            "Scores over lengths add up to the slopes of E r/T and E (1-r)/T: a weight, and what bends.",
            up * Derivative(u(theta), theta) + down * Derivative(v(theta), theta),
            w * ((q * short + p * long) * Derivative(p, theta) + bend),
        ),
    )
    return Derivation("W4", "Weights by length", steps)


def weight_of_a_small_bonus() -> Derivation:
    """M2: as the bonus vanishes, its advantage does in groups that differ in the first reward, and stays in the others.

    Source: docs/theory.md (M2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.filters import weight_of_a_small_bonus
    >>> print(weight_of_a_small_bonus().check().claim)
    d*e/s = d/s_f
    """
    from sympy import Integer, Limit, Symbol, sqrt, symbols

    size, gap, first, second, both, alone = symbols("e d s_c s_f C s", positive=True)
    together = Symbol("S", positive=True)
    variance = first**2 + 2 * size * both + size**2 * second**2
    steps = (
        Step("The s.d. of a sum of rewards, the bonus being e.", together, sqrt(variance), "definition"),
        Step("A bonus makes no difference in a group that differs in the first reward too.",
             Limit(size * gap / together, size, 0), Integer(0)),
        Step("In a group that is degenerate in it the s.d. is the bonus's own.", alone, size * second, "definition"),
        Step("The size cancels.", size * gap / alone, gap / second),
    )  # fmt: skip
    return Derivation("M2", "The bonus that division keeps", steps)


def kinds_of_prompts() -> Derivation:
    """L4: the dispersion of two kinds of prompts, inside them and between them.

    Source: docs/theory.md (L4).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.filters import kinds_of_prompts
    >>> print(kinds_of_prompts().check().claim.lhs)
    V - m**2
    """
    from sympy import Symbol, symbols

    share, first, second, rho, other = symbols("w m_1 m_2 rho_1 rho_2")
    m, squares = Symbol("m"), Symbol("V")
    inside = share * rho * first * (1 - first) + (1 - share) * other * second * (1 - second)
    steps = (
        Step("The mean, by total expectation.", m, share * first + (1 - share) * second, "definition"),
        Step("The mean of p^2: in each kind its variance and its squared mean.", squares,
             share * (rho * first * (1 - first) + first**2)
             + (1 - share) * (other * second * (1 - second) + second**2), "definition"),
        Step("The variance of p: inside the kinds, and between their means.", squares - m**2,
             inside + share * (1 - share) * (first - second) ** 2),
    )  # fmt: skip
    return Derivation("L4", "Two kinds of prompts", steps)


def filtered_groups() -> Derivation:
    """B6: a filter is a table; dropped at K = 1 too, rare successes weigh nothing.

    Source: docs/theory.md (B6).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.filters import filtered_groups
    >>> print(filtered_groups().check().claim)
    A^+_1*f_1 - A^-_0*f_0 = 0
    """
    from sympy import Integer, symbols

    keep_none, keep_one, share = symbols("f_0 f_1 P")
    up, down, update, kept = symbols("A^+_1 A^-_0 E(U) E(U|kept)")
    steps = (
        Step("Dropped groups have no update, so the mean of kept ones is the mean of all over their share.",
             kept, update / share, "definition"),
        Step("Refilled or not, the direction is that of all groups under the filtered table.", kept * share, update),
        Step("NeMo's rows: a lone success has peers without variance and is dropped.", keep_one, Integer(0),
             "assumption"),
        Step("And so is each rollout of a group without success.", keep_none, Integer(0), "assumption"),
        Step("The weight of rare successes, d(0) of the filtered table.", keep_one * up - keep_none * down, Integer(0)),
    )  # fmt: skip
    return Derivation("B6", "Filters are tables", steps)


def degenerate_twice() -> Derivation:
    """B7: two groups of a prompt are both degenerate with chances of 2g rollouts.

    Source: docs/theory.md (B7).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.filters import degenerate_twice
    >>> print(degenerate_twice().check().claim)
    D**2 = p**(2*g) + q**(2*g) + 2*P(g)/binomial(2*g, g)
    """
    from sympy import Function, Symbol, binomial, symbols

    g = Symbol("g", integer=True, positive=True)
    p, q = symbols("p q", positive=True)
    D, P = Symbol("D"), Function("P")
    steps = (
        Step("One group (D1).", D, p**g + q**g, "definition"),
        Step("g correct ones among 2g rollouts (L1).", P(g), binomial(2 * g, g) * p**g * q**g, "definition",
             lambda e: e.subs(P(g), binomial(2 * g, g) * p**g * q**g)),
        Step("Given the prompt, its groups are independent.", D**2,
             p ** (2 * g) + q ** (2 * g) + 2 * P(g) / binomial(2 * g, g)),
    )  # fmt: skip
    return Derivation("B7", "Degenerate twice", steps)


def more_filters() -> Derivation:
    """B8: a look first, kept groups only, rollouts that vary most, and prompts that are skipped once.

    Source: docs/theory.md (B8).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.filters import more_filters
    >>> print(more_filters().check().claim)
    1 - a = D*a
    """
    from sympy import Sum, Symbol, binomial, symbols

    f, g, B, n = symbols("f g B n", integer=True, positive=True)
    D, update, used, kept = symbols("D E(U) a M")
    lone = Symbol("P(pass|K=1)")
    steps = (
        Step("A look at f of g rollouts sees the lone success of K = 1 with chance.", lone,
             1 - binomial(g - 1, f) / binomial(g, f), "definition"),
        Step("So rare successes keep the share f/g of their weight.", lone, f / g),
        Step("If n of B groups are kept, their mean update is E(U)/(1-D); there is one unless all are degenerate.",
             kept, update / (1 - D) * (1 - D**B), "assumption"),
        Step("Of two groups it is this times their mean.", kept, (1 + D) * update, at=(B, (2,))),
        Step("Of any number of groups a geometric sum.", kept, update * Sum(D**n, (n, 0, B - 1)), at=(B, (2, 3, 4, 5))),
        Step("The share of visits that is used where a degenerate group costs its prompt the next one.", used,
             1 / (1 + D), "definition"),
        Step("The others are skipped, each after a used and degenerate one.", 1 - used, D * used),
    )  # fmt: skip
    return Derivation("B8", "More filters", steps)


def flow_under_a_noisy_verifier() -> Derivation:
    """S7: verdicts of J make the true pass rate move J w(p~) (pq)^2 kappa.

    Source: docs/theory.md (S7).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.filters import flow_under_a_noisy_verifier
    >>> print(flow_under_a_noisy_verifier().check().claim)
    W*dp = J*kappa*p**2*q**2*w
    """
    from sympy import Symbol, symbols

    p, q, kappa, w, J = symbols("p q kappa w J")
    pull, square, moved = Symbol("W"), Symbol("|grad p|^2"), Symbol("dp")
    steps = (
        Step("The update is w(p~) grad p~, and grad p~ = J grad p: a weight of grad p.", pull, J * w, "definition"),
        Step("|grad p|^2 of a softmax over responses (F1).", square, (p * q) ** 2 * kappa, "assumption"),
        Step("Moving along grad p by one raises p by its square.", moved, square, "definition"),
        Step("The flow of the true pass rate.", pull * moved, J * w * (p * q) ** 2 * kappa),
    )
    return Derivation("S7", "The flow under a noisy verifier", steps)
