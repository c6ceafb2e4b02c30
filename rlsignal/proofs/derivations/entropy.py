"""What entropy allows, derived: its parts, their flows under two gradients, and its mean over a Beta population."""

from rlsignal.proofs.derivations.steps import Derivation, Expression, Step


def parts_of_entropy() -> Derivation:
    """N5: the entropy of a response is that of its verdict and those inside the two classes.

    Source: docs/theory.md (N5).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.entropy import parts_of_entropy
    >>> print(parts_of_entropy().check().claim)
    H = H_C*p + H_I*q + h
    """
    from sympy import Symbol, log

    (p, q, _), (lnc, H_C, _, _, correct), (lnd, H_I, _, _, incorrect), classes = two_classes()
    H, h = Symbol("H"), Symbol("h")
    steps = (
        *classes,
        Step("The entropy of the verdict.", h, -p * log(p) - q * log(q), "definition"),
        Step(
            "The entropy of the response is the mean of -ln pi: pi is pc of a correct one, qd of an incorrect one.",
            H,
            -p * correct(log(p) + lnc) - q * incorrect(log(q) + lnd),
            "definition",
        ),
        Step("Correct responses have this mean of ln pi.", correct(log(p) + lnc), log(p) - H_C),
        Step("Incorrect ones this.", incorrect(log(q) + lnd), log(q) - H_I),
        Step("Weigh them by their chances.", H, h + p * H_C + q * H_I),
    )
    return Derivation("N5", "The parts of entropy", steps)


def entropy_under_the_natural_gradient() -> Derivation:
    """N6: dH/dt = -w pq Delta, with nothing moving inside the classes.

    Source: docs/theory.md (N6).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.entropy import entropy_under_the_natural_gradient
    >>> print(entropy_under_the_natural_gradient().check().claim)
    p*q*w*Derivative(H(p), p) = -Delta*p*q*w
    """
    from sympy import Derivative, Function, Integer, Mul, Symbol, exp, log, symbols

    p, q, w, r, pi, H_C, H_I = symbols("p q w r pi H_C H_I", positive=True)
    gap, mean, H, rate = Symbol("Delta"), Function("M"), Function("H"), Function("dln_pi")
    balance = exp(H_C) / (exp(H_C) + exp(H_I))
    slope = (
        "The slope of p in a logit is pi (r - p); the Fisher matrix of a softmax takes a direction u to pi (u - M(u))."
    )
    solved = "So the direction r - p, of mean 0, is the natural gradient."
    steps = (
        Step("The chance of an incorrect response.", q, 1 - p, "definition"),
        Step(
            "The mean over responses of what depends on the reward only.",
            mean(r),
            p * 1 + q * 0,
            "definition",
            lambda e: e.replace(mean, lambda f: p * f.subs(r, 1) + q * f.subs(r, 0)),
        ),
        Step(slope + " " + solved, pi * ((r - p) - mean(r - p)), pi * (r - p)),
        Step("Along w times it, ln pi moves so.", rate(r), w * (r - p), "definition"),
        Step("The pass rate moves as if it were two responses.", mean(r * rate(r)), w * p * q),
        Step("A correct response keeps its share c = pi/p of the class.", rate(1) - w * p * q / p, Integer(0)),
        Step("An incorrect one keeps d = pi/q.", rate(0) + w * p * q / q, Integer(0)),
        Step(
            "So in H, of which N5 gives the parts, only p moves.",
            H(p),
            -p * log(p) - (1 - p) * log(1 - p) + p * H_C + (1 - p) * H_I,
            "assumption",
        ),
        Step(
            "How much likelier correct rollouts are than incorrect ones.",
            gap,
            log(p) - H_C - log(q) + H_I,
            "definition",
        ),
        Step(
            "It is 0 where p has these odds: that of e^H_C correct and e^H_I incorrect answers, all equally likely.",
            balance / (1 - balance),
            exp(H_C - H_I),
        ),
        Step("The slope in p, times the pace of p.", Mul(w, p, q, Derivative(H(p), p)), -w * p * q * gap),
    )
    return Derivation("N6", "Entropy under the natural gradient", steps)


def entropy_under_the_plain_gradient() -> Derivation:
    """N7: under the plain gradient of a softmax the classes move too: H_C falls, H_I rises.

    Source: docs/theory.md (N7).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.entropy import entropy_under_the_plain_gradient
    >>> print(entropy_under_the_plain_gradient().check().steps[7])
    p*E_C(c*p*q*w - m) = p**2*q**2*w*(kappa_C + kappa_I)
    """
    from sympy import log, symbols

    (p, q, w), (lnc, H_C, c, k_C, correct), (lnd, H_I, d, k_I, incorrect), classes = two_classes()
    drift, dp, dH, dH_C, dH_I = symbols("m dp/dt dH/dt dH_C/dt dH_I/dt")
    up, down, pace = w * p * q * c - drift, -w * p * q * d - drift, w * p * q
    rise = w * p**2 * q**2 * (k_C + k_I)
    variance_correct, variance_incorrect = correct(c * lnc) + k_C * H_C, incorrect(d * lnd) + k_I * H_I
    logit = "A logit moves by w times its slope of p, w pi (r - p): w pq c if correct, -w pq d if incorrect."
    total = "-sum of ln pi d(pi)/dt, as d(pi) = pi d(ln pi) and the chances add up to 1."
    steps = (
        *classes,
        Step(
            logit + " Their mean over the policy moves no chance.",
            drift,
            p * (w * p * q * k_C) - q * (w * p * q * k_I),
            "definition",
        ),
        Step("That is the mean.", p * correct(w * p * q * c) + q * incorrect(-w * p * q * d), drift),
        Step(
            "ln pi moves by its logit less the mean: what correct responses gain, incorrect ones lose.",
            p * correct(up),
            -q * incorrect(down),
        ),
        Step("The pass rate: collisions set the pace.", dp, rise, "definition"),
        Step("It is the sum of d(pi)/dt over correct responses.", p * correct(up), rise),
        Step("The share of a correct response: the larger ones grow.", up - dp / p, pace * (c - k_C)),
        Step("The share of an incorrect response: the larger ones shrink.", down + dp / q, -pace * (d - k_I)),
        Step("A class moves by its shares.", dH_C, -correct((lnc + 1) * pace * (c - k_C)), "definition"),
        Step("So does the other.", dH_I, incorrect((lnd + 1) * pace * (d - k_I)), "definition"),
        Step(
            "H_C falls: the covariance of c and ln c, both rising in c, is not negative.",
            dH_C,
            -pace * variance_correct,
        ),
        Step("H_I rises.", dH_I, pace * variance_incorrect),
        Step(total, dH, -p * correct(up * (log(p) + lnc)) - q * incorrect(down * (log(q) + lnd)), "definition"),
        Step(
            "What the pass rate moves, and what the classes move.",
            dH,
            -dp * (log(p) - H_C - log(q) + H_I) + p * dH_C + q * dH_I,
        ),
    )
    return Derivation("N7", "Entropy under the plain gradient", steps)


def reward_over_entropy() -> Derivation:
    """N8: how fast |dR/dH| grows in H under the natural gradient; 1 for R = -a exp(H) + b.

    Source: docs/theory.md (N8).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.entropy import reward_over_entropy
    >>> print(reward_over_entropy().check().claim)
    Derivative(log(slope(p)), p)/Derivative(H(p), p) = 1/(Delta**2*p*q)
    """
    from sympy import Derivative, Function, Integer, Symbol, exp, log, symbols

    p, q, gap, H_C, H_I, a, b, h = symbols("p q Delta H_C H_I a b h", positive=True)
    H, slope, law = Function("H"), Function("slope"), Symbol("law")
    steps = (
        Step("The chance of an incorrect response.", q, 1 - p, "definition"),
        Step("Entropy along the run (N5), its parts inside the classes standing still (N6).", H(p),
             -p * log(p) - (1 - p) * log(1 - p) + p * H_C + (1 - p) * H_I, "definition"),
        Step("The gap of the mean log chances.", gap, log(p) - log(1 - p) - H_C + H_I, "definition"),
        Step("Entropy falls by it as p rises.", Derivative(H(p), p), -gap),
        Step("So this is how steep reward is in entropy.", slope(p), 1 / gap, "definition"),
        Step("The law.", law, -a * exp(h) + b, "definition"),
        Step("It steepens by its own size.", Derivative(log(-Derivative(law, h)), h), Integer(1)),
        Step("The run by this.", Derivative(log(slope(p)), p) / Derivative(H(p), p), 1 / (p * q * gap**2)),
    )  # fmt: skip
    return Derivation("N8", "Reward as a function of entropy", steps)


def entropy_of_a_population() -> Derivation:
    """N2: the mean of h_b(p) over a Beta, by slopes of its moments.

    Source: docs/theory.md (N2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.entropy import entropy_of_a_population
    >>> round(entropy_of_a_population().check().value(a=1, b=1), 6)  # the mean of h_b over [0, 1]
    0.5
    """
    from sympy import Derivative, Function, Subs, Symbol, beta, digamma, symbols

    a, b, s = symbols("a b s", positive=True)
    correct, incorrect, mean = Function("R"), Function("W"), Symbol("E(h_b)")
    slope = "The slope of p^s in s is p^s ln p: at s = 1, the mean of p ln p."
    steps = (
        Step("Moments of a Beta(a, b), of any order.", correct(s), beta(a + s, b) / beta(a, b), "definition"),
        Step("Those of 1 - p.", incorrect(s), beta(a, b + s) / beta(a, b), "definition"),
        Step(
            slope,
            Subs(Derivative(correct(s), s), s, 1),
            a / (a + b) * (digamma(a + 1) - digamma(a + b + 1)),
        ),
        Step(
            "The mean of (1-p) ln(1-p) in the same way.",
            Subs(Derivative(incorrect(s), s), s, 1),
            b / (a + b) * (digamma(b + 1) - digamma(a + b + 1)),
        ),
        Step(
            "h_b is minus both.",
            mean,
            -Subs(Derivative(correct(s), s), s, 1) - Subs(Derivative(incorrect(s), s), s, 1),
            "definition",
        ),
        Step(
            "Together.",
            mean,
            digamma(a + b + 1) - a / (a + b) * digamma(a + 1) - b / (a + b) * digamma(b + 1),
        ),
    )
    return Derivation("N2", "The entropy of a population of verdicts", steps)


def two_classes() -> tuple[tuple[Expression, ...], tuple[Expression, ...], tuple[Expression, ...], tuple[Step, ...]]:
    """(p, q, w), then (ln share, entropy, share, collision, mean) of correct and of incorrect ones, and their steps."""
    from sympy import Function, Poly, symbols

    p, q, w = symbols("p q w", positive=True)

    def one(letter: str, name: str, words: str) -> tuple[tuple[Expression, ...], Step]:
        share, log_share, entropy, collision, both = symbols(
            f"{letter} ln({letter}) H_{name} kappa_{name} E_{name}({letter}*ln({letter}))"
        )
        mean = Function(f"E_{name}")
        known = {(0, 0): 1, (0, 1): -entropy, (1, 0): collision, (1, 1): both}

        def unfold(expression: Expression) -> Expression:
            return expression.replace(
                mean, lambda f: sum(known[powers] * factor for powers, factor in Poly(f, share, log_share).terms())
            )

        sentence = (
            f"E_{name} is the mean over {words} responses, each drawn with its share {letter} of the class: "
            f"it is linear, H_{name} is the mean of -ln {letter}, and kappa_{name} that of {letter}."
        )
        return (log_share, entropy, share, collision, mean), Step(
            sentence, mean(-log_share), entropy, "definition", unfold
        )

    correct, of_correct = one("c", "C", "correct")
    incorrect, of_incorrect = one("d", "I", "incorrect")
    return (
        (p, q, w),
        correct,
        incorrect,
        (Step("The chance of an incorrect response.", q, 1 - p, "definition"), of_correct, of_incorrect),
    )
