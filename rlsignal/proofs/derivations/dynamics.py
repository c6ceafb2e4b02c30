"""How p moves, derived: the flow of a softmax, its clocks, a chain of decisions, drift under Adam, and one visit."""

from rlsignal.proofs.derivations.steps import Derivation, Expression, Step


def tabular_flow() -> Derivation:
    """F1: in a softmax with a logit for each response, dp/dt = w (pq)^2 (kappa_C + kappa_I).

    Source: docs/theory.md (F1).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.dynamics import tabular_flow
    >>> print(tabular_flow().check().claim)
    Derivative(p(t), t) = p**2*q**2*w*(kappa_C + kappa_I)
    """
    from sympy import Derivative, Function, Sum, Symbol, symbols

    c, n = symbols("c n", integer=True, positive=True)
    y = Symbol("y", integer=True)
    t, w, p, q = symbols("t w p q")
    correct_kappa, incorrect_kappa = symbols("kappa_C kappa_I")
    policy, up, down, speed = Function("pi"), Function("s^+"), Function("s^-"), Derivative(Function("p")(t), t)
    correct, incorrect = (y, 1, c), (y, c + 1, n)
    by_correct, by_incorrect = (Sum(policy(y) ** 2, which) for which in (correct, incorrect))
    chain = "The chain rule: each logit moves by w times its slope, and moves p by its slope."
    squares = q**2 * by_correct + p**2 * by_incorrect
    steps = (
        Step("The chance of an incorrect response.", q, 1 - p, "definition"),
        Step("The slope of p in a logit is pi (r - p): a correct one's.", up(y), q * policy(y), "definition"),
        Step("And an incorrect one's.", down(y), -p * policy(y), "definition"),
        Step("Squared and added up.", Sum(up(y) ** 2, correct) + Sum(down(y) ** 2, incorrect), squares),
        Step(chain, speed, w * squares, "assumption"),
        Step("Two correct responses are the same one.", by_correct, p**2 * correct_kappa, "assumption"),
        Step("Two incorrect ones.", by_incorrect, q**2 * incorrect_kappa, "assumption"),
        Step("Both classes pull in the same direction.", speed, w * (p * q) ** 2 * (correct_kappa + incorrect_kappa)),
    )
    return Derivation("F1", "The flow of a tabular policy", steps)


def escape_clocks() -> Derivation:
    """F2: the clocks of RLOO, and in the limit of large groups of GRPO and MaxRL, tick 1 while p moves dp/dt.

    Source: docs/theory.md (F2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.dynamics import escape_clocks
    >>> print(escape_clocks().check().claim)
    p*q*Derivative(log(p/(1 - p)), p) = 1
    """
    from sympy import Derivative, Integer, Symbol, log, sqrt

    p, q = Symbol("p", positive=True), Symbol("q", positive=True)
    speed, odds = Symbol("V"), log(p / (1 - p))
    rloo, grpo, maxrl = (2 * p - 1) / (p * (1 - p)), 2 * (2 * p - 1) / sqrt(p * (1 - p)), 1 / (1 - p)
    steps = (
        Step("The chance of an incorrect response.", q, 1 - p, "definition"),
        Step("The speed at weight 1 and collision 1 (F1).", speed, (p * q) ** 2, "definition"),
        Step("RLOO, w = 1.", speed * Derivative(rloo + 2 * odds, p), Integer(1)),
        Step("GRPO, w = 1/sqrt(pq).", speed / sqrt(p * (1 - p)) * Derivative(grpo, p), Integer(1)),
        Step("MaxRL, w = 1/p.", speed / p * Derivative(odds + maxrl, p), Integer(1)),
        Step("Natural gradient, w = 1: dp/dt = pq.", p * q * Derivative(odds, p), Integer(1)),
    )
    return Derivation("F2", "Clocks of the flow", steps)


def chain_of_decisions() -> Derivation:
    """F4: a response of L decisions, each correct with chance u and with a logit of its own, moves at L p^2 (1-u)^2.

    Source: docs/theory.md (F4).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.dynamics import chain_of_decisions
    >>> print(chain_of_decisions().check().claim)
    S = L*u**(2*L)*w*(1 - u)**2
    """
    from sympy import Derivative, Symbol, exp, symbols

    x, L = symbols("x L", positive=True)
    u, p, s, w, S = Symbol("u", positive=True), Symbol("p"), Symbol("s"), Symbol("w"), Symbol("S")
    sigmoid = 1 / (1 + exp(-x))
    steps = (
        Step("A decision is correct with the sigmoid's chance.", Derivative(sigmoid, x), sigmoid * (1 - sigmoid)),
        Step("All of them must be.", p, u**L, "definition"),
        Step("So one logit's slope: that of its own factor, beside the others.", s, u ** (L - 1) * u * (1 - u),
             "definition"),
        Step("It is p(1-u).", s, p * (1 - u)),
        Step("Each of L logits moves by w s and moves p by s.", S, L * w * s**2, "definition"),
        Step("The speed.", S, w * L * u ** (2 * L) * (1 - u) ** 2),
    )  # fmt: skip
    return Derivation("F4", "A chain of decisions", steps)


def drift_under_adam() -> Derivation:
    """F7: dividing by the r.m.s. gradient, drift falls with the square root of the informative fraction.

    Source: docs/theory.md (F7).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.dynamics import drift_under_adam
    >>> from rlsignal.theory.dynamics import adam_drift
    >>> proof = drift_under_adam().check()
    >>> round(proof.value(f=0.01, s=0.1), 12) == round(adam_drift(0.1, 0.01)[1] ** 2, 12)
    True
    """
    from sympy import Function, expand, sqrt, symbols

    f, s, sigma = symbols("f s sigma", positive=True)
    G, v, drift, influence, walk, u = symbols("G v D I V u")
    E = Function("E")
    moments = {0: 1, 1: f * s * sigma, 2: f * (s**2 + 1) * sigma**2, 3: f * (s**3 + 3 * s) * sigma**3}
    moments[4] = f * (s**4 + 6 * s**2 + 3) * sigma**4

    def mean(polynomial: Expression) -> Expression:
        if polynomial.has(influence, v):
            return E(polynomial)  # names are left, to unfold first
        return sum(expand(polynomial).coeff(G, power) * moment for power, moment in moments.items())

    gaussian = (
        "A gradient comes in a fraction f of the steps, Gaussian of mean s sigma and variance sigma^2; else it is 0."
    )
    later = (
        "A squared gradient above v raises Adam's average in the steps that follow, by its excess in all of them "
        "together: each of them is then shorter, in proportion to -1/(2v)."
    )
    steps = (
        Step(gaussian, E(G**4), moments[4], "assumption", lambda e: e.replace(E, mean)),
        Step("Adam's average of squares settles at their mean.", v, E(G**2), "definition"),
        Step("The mean of a step, divided by the r.m.s. gradient.", drift, E(G) / sqrt(v), "definition"),
        Step("The scale cancels, and half of f's power.", drift, sqrt(f) * s / sqrt(1 + s**2)),
        Step(later, influence, G / sqrt(v) - E(G) * (G**2 - v) / (2 * v * sqrt(v)), "assumption"),
        Step("Its mean is the drift: the excess has mean 0.", E(influence), drift),
        Step("The variance of what one gradient does to the long run.", walk, E(influence**2) - E(influence) ** 2,
             "definition"),
        Step("Without that effect: one minus the drift squared.", E(G**2) / v - E(G) ** 2 / v, 1 - drift**2),
        Step("The noise's share of the mean square.", u, 1 / (1 + s**2), "definition"),
        Step("What the long run is left with.", walk, (1 - f) * (1 - u) / 4 + u**2 * (1 + u) / 2),
    )  # fmt: skip
    return Derivation("F7", "Drift under Adam", steps)


def jump_of_a_visit() -> Derivation:
    """F8: the log-odds of two responses jump by 2 s K A+(K)/g, on average as in the flow; two rollouts are fastest.

    Source: docs/theory.md (F8).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.dynamics import jump_of_a_visit
    >>> print(jump_of_a_visit().check().claim)
    -b**2/g**2 + 1/4 = (g - 2)**2/(4*g**2)
    """
    from sympy import Derivative, Rational, log, symbols

    g, s, w, b = symbols("g s w b", positive=True)
    K, correct, incorrect, p, q = symbols("K A+ A- p q")
    jump, pushed = symbols("J E(K*A+)")
    steps = (
        Step("The correct logit moves by s K A+/g, the incorrect one by s (g-K) A-/g.", jump,
             s * K * correct / g - s * (g - K) * incorrect / g, "definition"),
        Step("The group sums to zero.", incorrect, -K * correct / (g - K), "assumption"),
        Step("So both move alike.", jump, 2 * s * K * correct / g),
        Step("The mean of K A+ is g p q w (E3).", pushed, g * p * q * w, "assumption"),
        Step("The mean jump.", 2 * s * pushed / g, 2 * s * p * q * w),
        Step("A jump of log-odds moves p by pq of it.", Derivative(log(p / (1 - p)), p) * p * (1 - p), Rational(1)),
        Step("GRPO's weight is at most b.", b**2, g - 1, "definition", lambda e: e.subs(b, (g - 1) ** Rational(1, 2))),
        Step("Per rollout and at one learning rate that is at most the 1/2 of two rollouts.",
             Rational(1, 4) - b**2 / g**2, (g - 2) ** 2 / (4 * g**2)),
    )  # fmt: skip
    return Derivation("F8", "One visit, and groups of two", steps)


def transfer_between_prompts() -> Derivation:
    """F9: in a linear policy the update at one prompt moves another's log-odds by w pq <f, f'> <c - d, c' - d'>.

    Source: docs/theory.md (F9).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.dynamics import transfer_between_prompts
    >>> print(transfer_between_prompts().check().claim)
    S(y) = eta*k*p*q*w*(c(y) - d(y))*(c'(y) - d'(y))
    """
    from sympy import Function, symbols

    y, p, q, w, eta, k = symbols("y p q w eta k")
    c, d, of_correct, of_incorrect = (Function(name)(y) for name in ("c", "d", "c'", "d'"))
    slope, shift, correct, incorrect, added = (Function(name)(y) for name in ("s", "u", "pi^+", "pi^-", "S"))
    there = of_correct - of_incorrect
    steps = (
        Step("The chance of an incorrect response.", q, 1 - p, "definition"),
        Step("A correct response: its class, then the one inside; 0 for others.", correct, p * c, "definition"),
        Step("An incorrect one.", incorrect, q * d, "definition"),
        Step("The slope of p in a logit is pi (r - p).", slope, correct * (1 - p) - incorrect * p, "definition"),
        Step("So it is pq (c - d).", slope, p * q * (c - d)),
        Step("Linear logits move elsewhere by the product of features, k.", shift, eta * w * k * slope, "assumption"),
        Step("The slope of logit p there is c' - d'; what a response adds.", added, shift * there, "assumption"),
        Step("Summed over responses it is the alignment.", added, eta * w * k * p * q * (c - d) * there),
    )
    return Derivation("F9", "What the training of one prompt does to another", steps)
