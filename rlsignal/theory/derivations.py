"""The proofs, step by step: sympy checks every identity, a notebook shows them as LaTeX.

A derivation is a list of steps. Definitions and assumptions are given; an identity must follow from what stands above
it: the given names are unfolded on both sides, and sympy must reduce the difference to 0 while g, p and the rest stay
symbols. sympy is loaded when a proof is asked for, not with this module.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

Expression = Any
"""A sympy expression."""

SIZES = (2, 3, 4, 5, 6)
"""The group sizes at which witnesses are heard."""


@dataclass(frozen=True)
class Step:
    """One line of a proof: a sentence and the equality lhs = rhs that it stands for.

    Parameters
    ----------
    sentence : why, in plain words.
    lhs, rhs : sympy expressions.
    kind : "definition" names something, "assumption" is taken for granted (the model, or a rule such as the linearity
        of the mean); neither is checked. An "identity" is.
    unfold : how the identities below use a given step; as a rule, rhs is put in the place of lhs.
    at : where an identity is checked, a symbol and its values; empty for everywhere. Checked at values it is a witness,
        and the proof for all others is its sentence.
    """

    sentence: str
    lhs: Expression
    rhs: Expression
    kind: Literal["definition", "assumption", "identity"] = "identity"
    unfold: Callable[[Expression], Expression] | None = None
    at: tuple[Expression, tuple[int, ...]] | tuple[()] = ()

    def used_in(self, expression: Expression) -> Expression:
        """`expression` with this given step put to use."""
        from sympy import Lambda
        from sympy.core.function import AppliedUndef

        if self.unfold:
            return self.unfold(expression)
        if isinstance(self.lhs, AppliedUndef):  # f(x) = ... holds for every x
            return expression.replace(self.lhs.func, Lambda(self.lhs.args, self.rhs))
        return expression.subs(self.lhs, self.rhs)

    @property
    def status(self) -> str:
        """The kind; of an identity checked at some values only, those."""
        return f"witness at {self.at[0]} = {', '.join(map(str, self.at[1]))}" if self.at else self.kind

    def _repr_latex_(self) -> str:
        from sympy import latex

        return f"$\\displaystyle {latex(self.lhs)} {self._sign} {latex(self.rhs)}$"

    def __str__(self) -> str:
        return f"{self.lhs} {self._sign} {self.rhs}"

    @property
    def _sign(self) -> str:
        if self.kind != "definition":
            return "="
        return ":=" if self.lhs.is_Symbol or self.lhs.is_Function else "=:"  # the colon is on the name's side


@dataclass(frozen=True)
class Derivation:
    """A proof: `check()` has sympy follow it, print() and notebooks show it.

    Parameters
    ----------
    label : its entry in docs/theory.md, such as V1.
    title : what it derives.
    steps : in order; what an identity may use stands above it.

    Examples
    --------
    >>> proof = within_group_variance().check()
    >>> print(proof.claim)
    E(v) = p*q*(g - 1)/g
    >>> proof.value(p=0.2, g=8), advantage_variance(0.2, 8)
    (0.14, 0.14)
    """

    label: str
    title: str
    steps: tuple[Step, ...]

    def check(self) -> "Derivation":
        """This derivation, once sympy has confirmed every identity in it.

        Raises
        ------
        ArithmeticError : an identity that sympy cannot confirm, with its number and what is left of lhs - rhs.

        Examples
        --------
        >>> import sympy
        >>> x = sympy.Symbol("x")
        >>> Derivation("X1", "A slip", (Step("A square has a middle term.", (x + 1)**2, x**2 + 1),)).check()
        Traceback (most recent call last):
        ArithmeticError: X1, step 1 is not confirmed: (x + 1)**2 = x**2 + 1 leaves 2*x.
        """
        for number, step in enumerate(self.steps, 1):
            if step.kind == "identity":
                gap = self._unfolded(step.lhs - step.rhs, self.steps[: number - 1])
                for here in [gap.subs(step.at[0], value) for value in step.at[1]] if step.at else [gap]:
                    if (rest := _reduced(here)) != 0:
                        raise ArithmeticError(f"{self.label}, step {number} is not confirmed: {step} leaves {rest}.")
        return self

    @property
    def claim(self) -> Step:
        """What is proven: the last step."""
        return self.steps[-1]

    def value(self, **numbers: float) -> float:
        """The right side of the claim at these numbers, given by the names of its symbols."""
        rhs = self._unfolded(self.claim.rhs, self.steps).doit()
        return float(rhs.subs({symbol: numbers[symbol.name] for symbol in rhs.free_symbols}))

    def _repr_markdown_(self) -> str:
        lines = (f"{n}. *{s.status}.* {s.sentence}\n\n    {s._repr_latex_()}" for n, s in enumerate(self.steps, 1))
        return "\n\n".join([f"**{self.label}. {self.title}**", *lines])

    def __str__(self) -> str:
        lines = (f"{n:>2}. {s.status}. {s.sentence}\n      {s}" for n, s in enumerate(self.steps, 1))
        return "\n".join([f"{self.label}. {self.title}", *lines])

    @staticmethod
    def _unfolded(expression: Expression, steps: Iterable[Step]) -> Expression:
        given = [step for step in steps if step.kind != "identity"]
        before = None
        while expression != before:
            before = expression
            for step in given:
                expression = step.used_in(expression)
        return expression


def within_group_variance() -> Derivation:
    """V1 by the generating function of K: E[v] = p(1-p)(g-1)/g for v = K(g-K)/g^2.

    Source: arXiv 2606.18487, Proposition 1; docs/theory.md (V1).

    Examples
    --------
    >>> print(within_group_variance().check().claim)
    E(v) = p*q*(g - 1)/g
    """
    from sympy import IndexedBase, Sum, Symbol

    (g, K, L, p, q, v, E), law = _one_prompt()
    i, r = Symbol("i", integer=True), IndexedBase("r")
    total, squares = Sum(r[i], (i, 1, g)), Sum(r[i] ** 2, (i, 1, g))
    steps = (
        Step("The variance (ddof 0) of the rewards of one group.", v, squares / g - (total / g) ** 2, "definition"),
        Step("K is the number of right rollouts.", total, K, "definition"),
        Step("Rewards are 0 or 1, so r^2 = r and the squares add up to K too.", squares, K, "assumption"),
        Step("L is the number of wrong ones.", L, g - K, "definition"),
        Step("So one integer says it all.", v, K * L / g**2),
        *law,
        Step("One derivative at z = 1.", E(K), g * p),
        Step("Two derivatives at z = 1.", E(K * (K - 1)), g * (g - 1) * p**2),
        Step("Write KL in these two.", K * L, (g - 1) * K - K * (K - 1)),
        Step("Subtract their means: p - p^2 = pq.", E(K * L), g * (g - 1) * p * q),
        Step("Divide by g^2.", E(v), (g - 1) / g * p * q),
    )
    return Derivation("V1", "The expected within-group variance", steps)


def within_group_variance_by_pairs() -> Derivation:
    """V1 by pairs that disagree: a variance is half the mean squared difference over ordered pairs.

    Source: docs/theory.md (V1).

    Examples
    --------
    >>> print(within_group_variance_by_pairs().check().claim)
    E(v) = p*q*(g - 1)/g
    """
    from sympy import IndexedBase, Sum, symbols

    (g, K, L, p, q, v, E), law = _one_prompt()
    (i, j), r = symbols("i j", integer=True), IndexedBase("r")
    variance = Sum(r[i] ** 2, (i, 1, g)) / g - (Sum(r[i], (i, 1, g)) / g) ** 2
    squares = Sum((r[i] - r[j]) ** 2, (i, 1, g), (j, 1, g))
    halved = "For any g numbers the variance is half the mean squared difference over all g^2 ordered pairs."
    disagree = "A squared difference is 1 where two rewards disagree: K right, L wrong ones, in two orders."
    chances = "Counted the other way: g(g-1) pairs of two different rollouts, each disagreeing with chance pq + qp."
    steps = (
        Step(halved, variance, squares / (2 * g**2), at=(g, SIZES)),
        Step("Call it v.", v, squares / (2 * g**2), "definition"),
        Step(disagree, squares, 2 * K * L, "assumption"),
        Step("The right and the wrong make g.", L, g - K, "definition"),
        *law,
        Step(chances, E(2 * K * L), g * (g - 1) * (p * q + q * p)),
        Step("Half of that, over g^2 pairs.", E(v), (g - 1) / g * p * q),
    )
    return Derivation("V1", "The expected within-group variance, by pairs that disagree", steps)


def variance_of_the_variance() -> Derivation:
    """V2: Var(v) = (g-1)/g^3 pq [(g-1)(1-2p)^2 + 2pq], from factorial moments up to the fourth.

    Source: docs/theory.md (V2).

    Examples
    --------
    >>> print(variance_of_the_variance().check().claim)
    Var(v) = p*q*(g - 1)*(2*p*q + (1 - 2*p)**2*(g - 1))/g**3
    """
    from sympy import Symbol

    (g, K, L, p, q, v, E), law = _one_prompt()
    variance, front = Symbol("Var(v)"), (g - 1) / g**3 * p * q
    one_one, two_two = K * L, K * (K - 1) * L * (L - 1)
    two_one, one_two = K * (K - 1) * L, K * L * (L - 1)
    steps = (
        Step("The within-group variance (V1): K right rollouts, L wrong ones.", v, K * L / g**2, "definition"),
        Step("The right and the wrong make g.", L, g - K, "definition"),
        *law,
        Step("Ordered picks of one right and one wrong rollout.", E(one_one), g * (g - 1) * p * q),
        Step("Two right, one wrong.", E(two_one), g * (g - 1) * (g - 2) * p**2 * q),
        Step("One right, two wrong.", E(one_two), g * (g - 1) * (g - 2) * p * q**2),
        Step("Two and two.", E(two_two), g * (g - 1) * (g - 2) * (g - 3) * p**2 * q**2),
        Step("The square in such picks.", (K * L) ** 2, two_two + two_one + one_two + one_one),
        Step("Its mean, where p + q = 1.", E(v**2), front * ((g - 2) * (g - 3) * p * q + (g - 2) + 1)),
        Step("A variance is the mean square less the squared mean.", variance, E(v**2) - E(v) ** 2, "definition"),
        Step("Insert both.", variance, front * ((g - 1) - (4 * g - 6) * p * q)),
        Step("And 1 - 4pq = (1-2p)^2.", variance, front * ((g - 1) * (1 - 2 * p) ** 2 + 2 * p * q)),
    )
    return Derivation("V2", "The variance of the within-group variance", steps)


def expected_update() -> Derivation:
    """W1: averaged over groups, (1/g) sum A_i s_i is w_g(p) times the slope of p, for any table of advantages.

    Source: docs/theory.md (W1).

    Examples
    --------
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
    right, wrong = (y, 1, c), (y, c + 1, n)
    up, down = (Derivative(Sum(chance, which), theta) for which in (right, wrong))
    scores = "Right responses, 1..c: weighted by chance, their scores add up to the slope of their chance."
    turning = "What a rollout's advantage gains by turning right beside j right ones: then j+1 are right."
    beside = "The mean of A_i s_i while j others are right."
    others = "The others are g-1 independent rollouts; b(g-1, j) is the chance that j of them are right."
    average = "Average over j; the g rollouts are alike, so their mean is what each of them has."
    steps = (
        Step(scores, Sum(chance * score, right), up),
        Step("Wrong ones, c+1..n: the same.", Sum(chance * score, wrong), down),
        Step("The pass rate is the chance of a right response.", Sum(chance, right), p(theta), "definition"),
        Step("All chances add up to 1.", Sum(chance, wrong), 1 - p(theta), "assumption"),
        Step("So wrong scores pull against the slope of p.", down, -slope),
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
        Step("The binomial law.", b(n, k, p), binomial(n, k) * p**k * (1 - p) ** (n - k), "definition"),
        Step("Its slope is a difference.", slope, g * (b(g - 1, k - 1, p) - before)),
        Step("The gains are the steps of S, times g.", d(k), g * (S(k + 1) - S(k)), "definition"),
        Step("The objective is the mean of S(K).", h(p), Sum(b(g, k, p) * S(k), (k, 0, g)), "definition"),
        Step("A term that will telescope.", T(k), g * S(k) * b(g - 1, k - 1, p), "definition"),
        Step("It is 0 at both ends: of g-1 rollouts never -1 nor g are right.", T(0) - T(g + 1), Integer(0)),
        Step("Each term of h' is one of w and a difference.", S(k) * slope, before * d(k) + T(k) - T(k + 1)),
        Step(together, Derivative(h(p), p), Sum(before * d(k), (k, 0, g - 1)), at=(g, SIZES)),
    )
    return Derivation("W2", "The objective of any estimator", steps)


def beta_population() -> Derivation:
    """D3: of prompts whose pass rates follow a Beta law, E[p(1-p)] and the chances of a group that agrees.

    Source: docs/theory.md (D3).

    Examples
    --------
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

    again_right, again_wrong = ((mean * (1 - rho) + i * rho) / (1 - rho + i * rho) for mean in (m, 1 - m))
    moments = "Moments of a Beta(a, b) law, with q = 1 - p: one Beta integral over another."
    agree = Product(again_right, (i, 0, g - 1)) + Product(again_wrong, (i, 0, g - 1))
    steps = (
        Step(moments, E(p**i * q**j), beta(a + i, b + j) / beta(a, b), "definition", lambda e: e.replace(E, moment)),
        Step("Write a by two numbers, m and rho.", a, m * (1 - rho) / rho, "definition"),
        Step("Write b by the same two.", b, (1 - m) * (1 - rho) / rho, "definition"),
        Step("Then m is the mean.", E(p), m),
        Step("And rho is the variance over m(1-m), the dispersion.", E(p**2), m**2 + rho * m * (1 - m)),
        Step("What that leaves to one prompt's rewards.", E(p * q), m * (1 - m) * (1 - rho)),
        Step("After i right rollouts, the chance of another.", E(p ** (i + 1)) / E(p**i), again_right),
        Step("After i wrong ones, the same with 1 - m.", E(q ** (i + 1)) / E(q**i), again_wrong),
        Step("Chain g of either kind: the group agrees.", E(p**g) + E(q**g), agree, at=(g, SIZES)),
    )
    return Derivation("D3", "A population of prompts", steps)


PROOFS = (
    within_group_variance,
    within_group_variance_by_pairs,
    variance_of_the_variance,
    beta_population,
    expected_update,
    slope_of_the_objective,
)
"""All proofs, in the order in which they are best read: `for proof in PROOFS: proof().check()`."""


def _one_prompt() -> tuple[tuple[Expression, ...], tuple[Step, ...]]:
    """The symbols (g, K, L, p, q, v, E) of one prompt's group, and its law: K counts g independent successes."""
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
    law = (
        Step("The chance of a wrong rollout.", q, 1 - p, "definition"),
        Step("Equal factors make a power.", Product(q + p * z, (Symbol("i", integer=True), 1, g)), (q + p * z) ** g),
        Step(independent, G(z), (q + p * z) ** g, "assumption"),
        Step(linear, E(ff(K, m)), derivative(m), "assumption", lambda e: e.replace(E, mean)),
    )
    return (g, K, L, p, q, v, E), law


def _reduced(gap: Expression) -> Expression:
    """`gap` evaluated and simplified; by way of gamma functions, where powers and binomials cancel."""
    from sympy import expand, gamma, gammasimp, powsimp, simplify

    gap = expand(gap.doit())
    return gap and simplify(gammasimp(expand(powsimp(gap.rewrite(gamma)))))
