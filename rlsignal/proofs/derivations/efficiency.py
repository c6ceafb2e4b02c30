"""What a rollout buys, derived: the noise of RLOO, the best group size, a baseline that shrinks, noisy verdicts."""

from rlsignal.proofs.derivations.signal import one_prompt
from rlsignal.proofs.derivations.steps import Derivation, Expression, Step


def noise_of_rloo() -> Derivation:
    """S2: the total variance of RLOO's update, by what its rewards explain and what they leave.

    Source: docs/theory.md (S2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.efficiency import noise_of_rloo
    >>> from rlsignal.theory.efficiency import Scores, update_variance
    >>> scores = Scores(0.2, 1.5, 3.0, 0.7)
    >>> proof = noise_of_rloo().check()
    >>> round(proof.value(p=0.2, n2=1.5, S_C=3.0, S_I=0.7, g=8), 12) == round(update_variance(scores, 8), 12)
    True
    """
    from sympy import Integer, symbols

    (g, K, L, p, q, _, E), model = one_prompt()
    correct, incorrect, slope = symbols("S_C S_I n2", nonnegative=True)
    plus, minus, pull, rest, total = symbols("A^+ A^- c R Var(U)")
    one, two = symbols("zeta_1 zeta_2")
    seen = (
        "Given the rewards, correct scores have mean grad p / p and incorrect ones -grad p / q: the pull along grad p."
    )
    left = "And they vary independently around these means, S_C for each correct one, S_I for each incorrect one."
    parts = "A total variance is the mean of what the rewards leave, and the variance of what they explain."
    left_over = (correct * E(K * L**2) + incorrect * E(K**2 * L)) / (g * (g - 1)) ** 2
    explained = slope * (E(K**2 * L**2) - E(K * L) ** 2) / (g * (g - 1) * p * q) ** 2
    steps = (
        Step("K rollouts are correct and L are incorrect.", L, g - K, "definition"),
        Step("RLOO's advantage of a correct one, beside L incorrect ones.", plus, L / (g - 1), "definition"),
        Step("And of an incorrect one, beside K correct ones.", minus, -K / (g - 1), "definition"),
        *model,
        Step(seen, pull, (K * plus / p - L * minus / q) / g, "assumption"),
        Step("It is the pairs that differ, over those expected.", pull, K * L / (g * (g - 1) * p * q)),
        Step("So its mean is 1: RLOO is unbiased.", E(K * L) / (g * (g - 1) * p * q), Integer(1)),
        Step(left, rest, (K * plus**2 * correct + L * minus**2 * incorrect) / g**2, "assumption"),
        Step("By pairs and one more.", rest, (correct * K * L**2 + incorrect * K**2 * L) / (g * (g - 1)) ** 2),
        Step(parts, total, left_over + explained, "definition"),
        Step(
            "Hoeffding's first term, of what a single rollout says.",
            one,
            (p * q * (q * correct + p * incorrect) + slope * (1 / (p * q) - 4)) / 4,
            "definition",
        ),
        Step(
            "His second, of a pair.", two, p * q / 2 * (correct + incorrect) + slope / (2 * p * q) - slope, "definition"
        ),
        Step(
            "All of it is the variance of a U-statistic of pairs.",
            total,
            4 * (g - 2) / (g * (g - 1)) * one + 2 / (g * (g - 1)) * two,
        ),
        Step(
            "Sorted by g: the noise beside the true baseline, and what finding it costs.",
            total,
            (4 * one + (2 * two - 4 * one) / (g - 1)) / g,
        ),
    )
    return Derivation("S2", "The noise of RLOO", steps)


def best_group() -> Derivation:
    """S4: at a fixed number of rollouts the noise is least at g = 1 + sqrt(c)/tau.

    Source: docs/theory.md (S4).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.efficiency import best_group
    >>> print(best_group().check().claim)
    f(g) - f(sqrt(c)/tau + 1) = tau**2*(-sqrt(c)/tau + g - 1)**2/(g - 1)
    """
    from sympy import Function, Symbol, sqrt, symbols

    g, N, B = symbols("g N B", positive=True)
    tau, oracle, c = symbols("tau o c", positive=True)
    noise, total = Symbol("Var(U)"), Symbol("V")
    f, best = Function("f"), 1 + sqrt(c) / tau
    group = "RLOO's noise within a prompt (S2): o beside the true baseline, c for finding it."
    batch = "A batch of B prompts adds what their gradients differ."
    steps = (
        Step(group, noise, (oracle + c / (g - 1)) / g, "assumption"),
        Step(batch, total, (tau**2 + noise) / B, "assumption"),
        Step("N rollouts are N/g prompts.", B, N / g, "definition"),
        Step("What depends on g.", f(g), tau**2 * g + oracle + c / (g - 1), "definition"),
        Step("The budget is only a factor.", total, f(g) / N),
        Step("One more rollout a group pays while g(g-1) < c/tau^2.", f(g + 1) - f(g), tau**2 - c / (g * (g - 1))),
        Step(
            "The excess over the noise at that g is a square: nothing is below it.",
            f(g) - f(best),
            tau**2 * (g - best) ** 2 / (g - 1),
        ),
    )
    return Derivation("S4", "The best group size", steps)


def noise_from_norms() -> Derivation:
    """S8: squared norms of batches of four shapes give the four parts of the noise.

    Source: docs/theory.md (S8).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.efficiency import noise_from_norms
    >>> print(noise_from_norms().check().claim)
    P*(-n2 + N(P, g)) - c/(g*(g - 1)) - o/g = tau^2
    """
    from sympy import Function, symbols

    P, g = symbols("P g", positive=True)
    slope, tau2, o, c = symbols("n2 tau^2 o c", positive=True)
    x, y = symbols("x y", positive=True)
    N = Function("N")
    half, quarter = N(P, g / 2), N(P, g / 4)
    shape = "The mean of G^ is the mean gradient; prompts are independent; each adds its distance and its noise (S2)."
    steps = (
        Step(shape, N(x, y), slope + (tau2 + o / y + c / (y * (y - 1))) / x, "assumption"),
        Step("Half of the prompts: what does not fall with P.", 2 * N(P, g) - N(P / 2, g), slope),
        Step("Halves and quarters of groups: two differences of three sizes leave c.",
             P * g * (quarter - 3 * half + 2 * N(P, g)), c * (4 / (g / 4 - 1) - 6 / (g / 2 - 1) + 2 / (g - 1))),
        Step("One of them then gives o.", P * g * (half - N(P, g)), o + c * (2 / (g / 2 - 1) - 1 / (g - 1))),
        Step("And what is left is tau^2.", P * (N(P, g) - slope) - o / g - c / (g * (g - 1)), tau2),
    )  # fmt: skip
    return Derivation("S8", "Gradient noise from gradient norms", steps)


def shrinking_baseline() -> Derivation:
    """B2: the second moment of a reward less its posterior mean given the other rollouts, in a Beta population.

    Source: docs/theory.md (B2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.efficiency import shrinking_baseline
    >>> round(shrinking_baseline().check().value(m=0.3, rho=0.2, g=4), 6)
    0.192
    """
    from sympy import Function, expand, symbols

    g = symbols("g", integer=True, positive=True)
    m, rho, p, J, b, V = symbols("m rho p J b V")
    E, M = Function("E"), Function("M")
    one_pq = m * (1 - m) * (1 - rho)

    def over_rollouts(f: Expression) -> Expression:
        f = expand(f)
        first, second = f.coeff(J, 1), f.coeff(J, 2)
        return f.coeff(J, 0) + first * (g - 1) * p + second * ((g - 1) * p * (1 - p) + ((g - 1) * p) ** 2)

    def over_prompts(f: Expression) -> Expression:
        f = expand(f)
        return f.coeff(p, 0) + f.coeff(p, 1) * m + f.coeff(p, 2) * (m**2 + rho * m * (1 - m))

    of_others = (
        "M is the mean over the g-1 other rollouts of a prompt: J are correct, of mean (g-1)p and variance (g-1)pq."
    )
    of_prompts = "E is the mean over prompts: p has mean m and variance rho m(1-m) (D3)."
    apart = "The reward is independent of the others: its own variance, and the distance of b from p."
    steps = (
        Step(
            "The baseline: the next rollout's chance in Polya's urn.",
            b,
            (m * (1 - rho) + J * rho) / (1 + (g - 2) * rho),
            "definition",
        ),
        Step(
            of_others,
            M(J**2),
            (g - 1) * p * (1 - p) + ((g - 1) * p) ** 2,
            "assumption",
            lambda e: e.replace(M, over_rollouts),
        ),
        Step(of_prompts, E(p**2), m**2 + rho * m * (1 - m), "assumption", lambda e: e.replace(E, over_prompts)),
        Step(apart, V, E(p * (1 - p)) + E(M((b - p) ** 2)), "definition"),
        Step("The first part is what a prompt leaves to chance.", E(p * (1 - p)), one_pq),
        Step(
            "The second, what g-1 rollouts leave unknown of p.", E(M((b - p) ** 2)), one_pq * rho / (1 + (g - 2) * rho)
        ),
        Step(
            "Less than m(1-m), that of a baseline fixed at m.",
            m * (1 - m) - V,
            m * (1 - m) * (g - 1) * rho**2 / (1 + (g - 2) * rho),
        ),
        Step("Together.", V, one_pq * (1 + (g - 1) * rho) / (1 + (g - 2) * rho)),
    )
    return Derivation("B2", "A baseline that shrinks", steps)


def noisy_verdicts() -> Derivation:
    """S7: what false negatives (n) and false positives (f) do to the slope, and to the correlation with the truth.

    Source: docs/theory.md (S7).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.efficiency import noisy_verdicts
    >>> from rlsignal.theory.filters import noisy_verifier_efficiency
    >>> proof = noisy_verdicts().check()
    >>> round(proof.value(p=0.02, n=0.1, f=0.05), 6) == round(
    ...     noisy_verifier_efficiency(0.02, fnr=0.1, fpr=0.05), 6)
    True
    """
    from sympy import Derivative, Function, Symbol, symbols

    theta, n, f = symbols("theta n f")
    p, seen = Symbol("p"), Symbol("p~")
    rate, passed = Function("r"), Function("s")
    J, both, square = symbols("J E(r*v) corr^2")
    steps = (
        Step(
            "A verdict passes correct responses but n of them, and f of the incorrect ones.",
            passed(theta),
            (1 - n) * rate(theta) + f * (1 - rate(theta)),
            "assumption",
        ),
        Step("What is left of the difference that being correct makes.", J, 1 - n - f, "definition"),
        Step("So the slope shrinks by J.", Derivative(passed(theta), theta), J * Derivative(rate(theta), theta)),
        Step("At a pass rate of p the verdicts' is.", seen, (1 - n) * p + f * (1 - p), "definition"),
        Step("Correct and passed at once.", both, (1 - n) * p, "assumption"),
        Step("The covariance of verdict and truth.", both - p * seen, J * p * (1 - p)),
        Step(
            "A squared correlation is that squared, over both variances.",
            square,
            (both - p * seen) ** 2 / (p * (1 - p) * seen * (1 - seen)),
            "definition",
        ),
        Step(
            "It is the slope squared over the noise, as a share of what it was.",
            square,
            J**2 * p * (1 - p) / (seen * (1 - seen)),
        ),
    )
    return Derivation("S7", "A noisy verifier", steps)


def best_group_with_steps() -> Derivation:
    """S9: where steps count too, what prompts agree on is added to what they differ in.

    Source: docs/theory.md (S9).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.efficiency import best_group_with_steps
    >>> print(best_group_with_steps().check().claim)
    f(g) - f(sqrt(c)/t + 1) = t**2*(-sqrt(c)/t + g - 1)**2/(g - 1)
    """
    from sympy import Derivative, Function, Integer, Symbol, sqrt, symbols

    g, P, L, tau, oracle, c, slope, t = symbols("g P L tau o c G t", positive=True)
    eta, squared, step = Symbol("eta", positive=True), Symbol("E|G^|^2", positive=True), Symbol("eta*", positive=True)
    gain, f, best = Function("gain"), Function("f"), 1 + sqrt(c) / t
    curved = "What a step gains on average on an objective of curvature L."
    norm = "A batch's mean squared norm (S8)."
    steps = (
        Step(curved, gain(eta), eta * slope**2 - L * eta**2 * squared / 2, "assumption"),
        Step("The best step.", step, slope**2 / (L * squared), "definition"),
        Step("There the gain is level.", Derivative(gain(eta), eta).doit().subs(eta, step), Integer(0)),
        Step("What it gains.", gain(step), slope**4 / (2 * L * squared)),
        Step(norm, squared, slope**2 + (tau**2 + oracle / g + c / (g * (g - 1))) / P, "assumption"),
        Step("What prompts differ in, and what they agree on.", tau**2, t**2 - P * slope**2, "definition"),
        Step("What depends on g.", f(g), g * t**2 + oracle + c / (g - 1), "definition"),
        Step("The gain per rollout is in proportion to 1/f.", gain(step) / (g * P), slope**4 / (2 * L * f(g))),
        Step("The excess over f at that g is a square.", f(g) - f(best), t**2 * (g - best) ** 2 / (g - 1)),
    )
    return Derivation("S9", "The best group size where steps count", steps)
