"""pass@k, derived: the power law of a population, and the answer that a group misses."""

from rlsignal.proofs.derivations.steps import Derivation, Step


def power_law_of_failures() -> Derivation:
    """P4: in a Beta population 1 - pass@k falls as Gamma(a+b)/Gamma(b) k^-a.

    Source: docs/theory.md (P4).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.passk import power_law_of_failures
    >>> print(power_law_of_failures().check().claim)
    F*a*beta(a, b) = gamma(a + 1)
    """
    from sympy import Function, Limit, Symbol, beta, gamma, oo, symbols

    a, b, k = symbols("a b k", positive=True)
    F = Symbol("F")
    fail, leading = Function("f"), gamma(a + b) / gamma(b)
    read = (
        "Prompts below 1/k are a share k^-a / (a B(a, b)) for large k. Failures at k attempts are Gamma(a+1) times it."
    )
    steps = (
        Step("All of k attempts fail: the mean of (1-p)^k.", fail(k), beta(a, b + k) / beta(a, b), "definition"),
        Step("In gamma functions.", fail(k), leading * gamma(b + k) / gamma(a + b + k)),
        Step("One more failure, as in Polya's urn.", fail(k + 1) / fail(k), (b + k) / (a + b + k)),
        Step("Call this F.", F, leading, "definition"),
        Step(
            "For large k the ratio of gammas is k^-a; where a is whole it is a product of a factors 1/(b+k+i).",
            Limit(k**a * fail(k), k, oo),
            F,
            at=(a, (1, 2, 3)),
        ),
        Step(read, F * a * beta(a, b), gamma(a + 1)),
    )
    return Derivation("P4", "The power law of failures", steps)


def missed_mode() -> Derivation:
    """P6: an informative group without a given correct answer is an informative group of a poorer policy.

    Source: docs/theory.md (P6).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.passk import missed_mode
    >>> from rlsignal.theory.passk import missed_mode_probability
    >>> round(missed_mode().check().value(x=0.28, q=0.7, g=8), 6), round(missed_mode_probability(0.3, 0.02, 8), 6)
    (0.793077, 0.793077)
    """
    from sympy import symbols

    x, q, g = symbols("x q g", positive=True)
    left, poorer, chance = symbols("s p' P")
    steps = (
        Step("A rollout is another correct answer (x = p - t), or incorrect.", left, x + q, "definition"),
        Step("Among those, correct ones have this share.", poorer, x / left, "definition"),
        Step("And incorrect ones the rest.", 1 - poorer, q / left),
        Step(
            "All g rollouts avoid the answer, and then differ.",
            chance,
            left**g * (1 - poorer**g - (q / left) ** g),
            "definition",
        ),
        Step("None is the answer, minus all correct, minus all incorrect.", chance, (x + q) ** g - x**g - q**g),
    )
    return Derivation("P6", "The answer that a group misses", steps)
