"""Where an estimator pushes, derived: the expected update, and the objective behind it."""

from rlsignal.proofs.derivations.steps import SIZES, Derivation, Expression, Step


def expected_update() -> Derivation:
    """W1: averaged over groups, (1/g) sum A_i s_i is w_g(p) times the slope of p, for any table of advantages.

    Source: docs/theory.md (W1).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.objective import expected_update
    >>> print(expected_update().check().claim)
    Sum(b(g - 1, j)*d(j)*Derivative(p(theta), theta), (j, 0, g - 1)) = w*Derivative(p(theta), theta)
    """
    from sympy import Derivative, Function, Sum, Symbol, log, symbols

    g, c, n = symbols("g c n", integer=True, positive=True)
    j, y = symbols("j y", integer=True)
    theta, w = Symbol("theta"), Symbol("w")
    p, policy, b, d, plus, minus = (Function(name) for name in ("p", "pi", "b", "d", "A^+", "A^-"))
    chance, slope = policy(y, theta), Derivative(p(theta), theta)
    score = Derivative(log(chance), theta)
    correct, incorrect = (y, 1, c), (y, c + 1, n)
    up, down = (Derivative(Sum(chance, which), theta) for which in (correct, incorrect))
    scores = "Correct responses, 1..c: weighted by chance, their scores add up to the slope of their chance."
    turning = "What a rollout's advantage gains by being correct beside j correct ones: then j+1 are correct."
    beside = "The mean of advantage times score while j others are correct."
    others = "The others are g-1 independent rollouts; b(g-1, j) is the chance that j of them are correct."
    average = "Average over j; the g rollouts have the same distribution, so their mean is what each of them has."
    steps = (
        Step(scores, Sum(chance * score, correct), up),
        Step("Incorrect ones, c+1..n: the same.", Sum(chance * score, incorrect), down),
        Step("The pass rate is the chance of a correct response.", Sum(chance, correct), p(theta), "definition"),
        Step("All chances add up to 1.", Sum(chance, incorrect), 1 - p(theta), "assumption"),
        Step("So incorrect scores pull against the slope of p.", down, -slope),
        Step(turning, d(j), plus(j + 1) - minus(j), "definition"),
        Step(beside, plus(j + 1) * up + minus(j) * down, d(j) * slope),
        Step(others, w, Sum(b(g - 1, j) * d(j), (j, 0, g - 1)), "definition"),
        Step(average, Sum(b(g - 1, j) * d(j) * slope, (j, 0, g - 1)), w * slope),
    )
    return Derivation("W1", "The expected update of any estimator", steps)


def slope_of_the_objective() -> Derivation:
    """W2: h_g' = w_g, the derivative of a Bernstein polynomial, for every table S.

    Source: docs/theory.md (W2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.objective import slope_of_the_objective
    >>> print(slope_of_the_objective().check().claim)
    Derivative(h(p), p) = Sum(b(g - 1, k, p)*d(k), (k, 0, g - 1))
    """
    from sympy import Derivative, Function, Integer, Sum, Symbol, binomial, symbols

    g, p = Symbol("g", integer=True, positive=True), Symbol("p", positive=True)
    n, k = symbols("n k", integer=True)
    b, d, h, S, T = (Function(name) for name in ("b", "d", "h", "S", "T"))
    slope, before = Derivative(b(g, k, p), p), b(g - 1, k, p)
    together = "Sum over k: the differences vanish, so does b(g-1, g), and w is left."
    steps = (
        Step("A telescoping sum keeps its ends.", Sum(T(k) - T(k + 1), (k, 0, g)), T(0) - T(g + 1)),
        Step("The binomial pmf.", b(n, k, p), binomial(n, k) * p**k * (1 - p) ** (n - k), "definition"),
        Step("Its slope is a difference.", slope, g * (b(g - 1, k - 1, p) - before)),
        Step("The gains are the steps of S, times g.", d(k), g * (S(k + 1) - S(k)), "definition"),
        Step("The objective is the mean of S(K).", h(p), Sum(b(g, k, p) * S(k), (k, 0, g)), "definition"),
        Step("A term that will telescope.", T(k), g * S(k) * b(g - 1, k - 1, p), "definition"),
        Step("It is 0 at both ends: of g-1 rollouts never -1 nor g are correct.", T(0) - T(g + 1), Integer(0)),
        Step("Each term of h' is one of w and a difference.", S(k) * slope, before * d(k) + T(k) - T(k + 1)),
        Step(together, Derivative(h(p), p), Sum(before * d(k), (k, 0, g - 1)), at=(g, SIZES)),
    )
    return Derivation("W2", "The objective of any estimator", steps)


def bias_of_informative_groups() -> Derivation:
    """W3: the mean reward of informative groups is off by (p q^g - q p^g)/(1 - D), though that of all groups is p.

    Source: docs/theory.md (W3).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.objective import bias_of_informative_groups
    >>> from rlsignal.theory import informative_group_bias
    >>> proof = bias_of_informative_groups().check()
    >>> round(proof.value(p=0.05, g=8), 12) == round(informative_group_bias(0.05, 8), 12)
    True
    """
    from sympy import Sum, Symbol, binomial, symbols

    g, k = Symbol("g", integer=True, positive=True), Symbol("k", integer=True)
    p, q, bias, informative, rewards = symbols("p q bias M R")
    model = binomial(g, k) * p**k * q ** (g - k)
    steps = (
        Step("The chance of an incorrect rollout.", q, 1 - p, "definition"),
        Step("Over all groups the mean reward is p.", Sum(k / g * model, (k, 0, g)), p, at=(g, SIZES)),
        Step("Informative groups are those that are not degenerate.", informative, 1 - p**g - q**g, "definition"),
        Step(
            "Degenerate groups have mean reward 1 and 0; the rest is in informative ones.",
            rewards,
            p - p**g,
            "definition",
        ),
        Step("Divide by their chance, and compare with p.", bias, rewards / informative - p, "definition"),
        Step("Over one denominator.", bias * informative, p - p**g - p * (1 - p**g - q**g)),
        Step(
            "What is left: a lone success too many, a lone failure too many.", bias * informative, p * q**g - q * p**g
        ),
        Step("The claim.", bias, (p * q**g - q * p**g) / (1 - p**g - q**g)),
    )
    return Derivation("W3", "The mean reward of informative groups", steps)


def gradients_of_kl_losses() -> Derivation:
    """K2: with three responses, what k1, k2 and k3 have as gradients when they are losses on drawn responses.

    Source: docs/theory.md (K2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.objective import gradients_of_kl_losses
    >>> [str(step.rhs) for step in gradients_of_kl_losses().check().steps if "As a loss" in step.sentence]
    ['0', 'Derivative(F, a)', 'Derivative(B, a)']
    """
    from sympy import Derivative, Integer, Symbol, exp, log, symbols

    logits, others = symbols("a b c", real=True), symbols("rho_1:4", positive=True)
    ours = [exp(logit) / sum(map(exp, logits)) for logit in logits]
    x, a = [log(p) - log(r) for p, r in zip(ours, others, strict=True)], logits[0]
    forward, backward = Symbol("F"), Symbol("B")

    def loss(values: list[Expression]) -> Expression:
        """The mean over drawn responses of the slope in a: the chance of drawing is not differentiated."""
        return sum(p * Derivative(value, a) for p, value in zip(ours, values, strict=True))

    steps = (
        Step("The reference's chances add up to 1.", others[2], 1 - others[0] - others[1], "assumption"),
        Step("The divergence of the policy.", forward, sum(p * z for p, z in zip(ours, x, strict=True)), "definition"),
        Step("And the other way round.", backward, sum(-r * z for r, z in zip(others, x, strict=True)), "definition"),
        Step("As a value k3 is k1 and a mean of 0.", sum(p * (exp(-z) - 1) for p, z in zip(ours, x, strict=True)),
             Integer(0)),
        Step("As a loss k1 = x has no gradient.", loss(x), Integer(0)),
        Step("As a loss k2 = x^2/2 has that of the policy's.", loss([z**2 / 2 for z in x]), Derivative(forward, a)),
        Step("As a loss k3 has that of the other.", loss([exp(-z) - 1 + z for z in x]), Derivative(backward, a)),
    )  # fmt: skip
    return Derivation("K2", "What the KL losses follow", steps)


def fixed_point_of_an_entropy_bonus() -> Derivation:
    """K4: an entropy bonus balances the rewards where a KL term towards the uniform policy does.

    Source: docs/theory.md (K4).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.objective import fixed_point_of_an_entropy_bonus
    >>> print(fixed_point_of_an_entropy_bonus().check().claim)
    beta*Derivative(H(p), p) + w = -beta*(log(p) - log(1 - p)) + beta*(log(p_ref) - log(1 - p_ref)) + w
    """
    from sympy import Derivative, Function, log, symbols

    p, q, correct, incorrect, w, beta, reference = symbols("p q n_C n_I w beta p_ref", positive=True)
    H, kl = Function("H"), Function("KL")
    steps = (
        Step("The chance of an incorrect response.", q, 1 - p, "definition"),
        Step("The most entropy at this pass rate: even inside both classes (N5).", H(p),
             -p * log(p) - (1 - p) * log(1 - p) + p * log(correct) + (1 - p) * log(incorrect), "definition"),
        Step("The pass rate of even responses.", reference, correct / (correct + incorrect), "definition"),
        Step("KL from even responses, even inside the classes: that of two coins.", kl(p),
             p * (log(p) - log(reference)) + (1 - p) * (log(1 - p) - log(1 - reference)), "definition"),
        Step("Entropy is what KL lacks to the logarithm of all responses.", H(p), log(correct + incorrect) - kl(p)),
        Step("The objective is level where this is 0; its slope is w (W2).", w + beta * Derivative(H(p), p),
             w - beta * (log(p) - log(1 - p)) + beta * (log(reference) - log(1 - reference))),
    )  # fmt: skip
    return Derivation("K4", "Fixed points under an entropy bonus", steps)
