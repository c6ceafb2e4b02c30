"""From samples, derived: what recorded counts estimate without bias, and what they say of one prompt."""

from rlsignal.proofs.derivations.signal import one_prompt
from rlsignal.proofs.derivations.steps import Derivation, Expression, Step


def unbiased_reward_variance() -> Derivation:
    """I2 for the reward variance: E[c(n-c)] / (n(n-1)) = p(1-p), where the plug-in falls short by (n-1)/n.

    Source: docs/theory.md (I2).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.estimation import unbiased_reward_variance
    >>> print(unbiased_reward_variance().check().claim)
    E(K*L)/(g*(g - 1)) = p*q
    """
    (g, K, L, p, q, _, E), model = one_prompt()
    steps = (
        Step("Of the g samples of a prompt K are correct and L are incorrect.", L, g - K, "definition"),
        *model,
        Step("One derivative at z = 1.", E(K), g * p),
        Step("Two derivatives at z = 1.", E(K * (K - 1)), g * (g - 1) * p**2),
        Step("Write KL in these two.", K * L, (g - 1) * K - K * (K - 1)),
        Step("The plug-in K/g (1 - K/g) falls short.", E(K * L) / g**2, p * q * (g - 1) / g),
        Step("Pairs of two different samples do not.", E(K * L) / (g * (g - 1)), p * q),
    )
    return Derivation("I2", "The unbiased reward variance", steps)


def posterior_of_a_prompt() -> Derivation:
    """I7: c correct and d incorrect samples turn a Beta of mean m and dispersion rho into another Beta.

    Source: docs/theory.md (I7).

    Examples
    --------
    >>> from rlsignal.proofs.derivations.estimation import posterior_of_a_prompt
    >>> round(posterior_of_a_prompt().check().value(rho=0.3, c=0, d=8), 4)
    0.0882
    """
    from sympy import Function, beta, symbols

    E, given, seen = Function("E"), Function("given"), Function("E_seen")
    i, j, c, d = symbols("i j c d", integer=True, nonnegative=True)
    a, b, m, p, q, rho, after = symbols("a b m p q rho m_seen", positive=True)

    def moment(monomial: Expression) -> Expression:
        powers = monomial.as_powers_dict()
        return beta(a + powers[p], b + powers[q]) / beta(a, b)

    def weighed(expression: Expression) -> Expression:
        return expression.replace(seen, lambda f: E(f * p**c * q**d) / E(p**c * q**d))

    moments = "Moments of a Beta(a, b), with q = 1 - p: one Beta integral over another."
    bayes = "Bayes: c correct and d incorrect samples have chance p^c q^d, the same in every order, and weigh by it."
    steps = (
        Step(bayes, seen(given(p)), E(given(p) * p**c * q**d) / E(p**c * q**d), "definition", weighed),
        Step(moments, E(p**i * q**j), beta(a + i, b + j) / beta(a, b), "definition", lambda e: e.replace(E, moment)),
        Step("Write a by two numbers, m and rho.", a, m * (1 - rho) / rho, "definition"),
        Step("Write b by the same two.", b, (1 - m) * (1 - rho) / rho, "definition"),
        Step(
            "Moments are those of a + c and b + d.", seen(p**i * q**j), beta(a + c + i, b + d + j) / beta(a + c, b + d)
        ),
        Step("The mean, with n = c + d.", seen(p), (m * (1 - rho) + c * rho) / (1 - rho + (c + d) * rho)),
        Step("Call it m_seen.", after, seen(p), "definition"),
        Step("The dispersion left.", (seen(p**2) - after**2) / (after * (1 - after)), rho / (1 + (c + d) * rho)),
    )
    return Derivation("I7", "What samples say of one prompt", steps)
