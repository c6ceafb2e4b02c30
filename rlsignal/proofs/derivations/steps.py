"""What a proof is: steps that sympy follows, and that a notebook shows as LaTeX.

A derivation is a list of steps. Definitions and assumptions are given; an identity must follow from what stands above
it: the given names are unfolded on both sides, and sympy must reduce the difference to 0 while g, p and the rest stay
symbols. sympy is loaded when a proof is asked for, not with this module.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from textwrap import shorten
from typing import Any, Literal

Expression = Any
"""A sympy expression."""

SIZES = (2, 3, 4, 5, 6)
"""The group sizes at which such identities are checked."""


@dataclass(frozen=True, repr=False)
class Step:
    """One line of a proof: a sentence and the equality lhs = rhs that it stands for.

    Parameters
    ----------
    sentence : why, in plain words.
    lhs, rhs : sympy expressions.
    kind : "definition" names something, "assumption" is taken for granted (the model, or a rule such as the linearity
        of the mean); neither is checked. An "identity" is.
    unfold : how the identities below use a given step; as a rule, rhs is put in the place of lhs.
    at : where an identity is checked, a symbol and its values; empty for everywhere. For other values the proof is its
        sentence.
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
        return f"checked at {self.at[0]} = {', '.join(map(str, self.at[1]))}" if self.at else self.kind

    def _repr_latex_(self) -> str:
        from sympy import latex

        return f"$\\displaystyle {latex(self.lhs)} {self._sign} {latex(self.rhs)}$"

    def __str__(self) -> str:
        return f"{self.lhs} {self._sign} {self.rhs}"

    def __repr__(self) -> str:
        return f"<Step: {self.status}. {shorten(self.sentence, 80)}>"

    @property
    def _sign(self) -> str:
        if self.kind != "definition":
            return "="
        return ":=" if self.lhs.is_Symbol or self.lhs.is_Function else "=:"  # the colon is on the name's side


@dataclass(frozen=True, repr=False)
class Derivation:
    """A proof: `check()` has sympy follow it, print() and notebooks show it.

    Parameters
    ----------
    label : its entry in docs/theory.md, such as V1.
    title : what it derives.
    steps : in order; what an identity may use stands above it.

    Examples
    --------
    >>> from rlsignal import advantage_variance
    >>> from rlsignal.proofs.derivations import within_group_variance
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
        >>> from rlsignal.proofs.derivations.steps import Derivation, Step
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
        self.check()  # what does not follow is not shown
        lines = (f"{n}. *{s.status}.* {s.sentence}\n\n    {s._repr_latex_()}" for n, s in enumerate(self.steps, 1))
        confirmed = "*sympy confirmed every identity as this was shown.*"
        return "\n\n".join([f"**{self.label}. {self.title}**", *lines, confirmed])

    def __repr__(self) -> str:
        return f"<Derivation: {self.label}. {self.title}, {len(self.steps)} steps>"

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


def _reduced(gap: Expression) -> Expression:
    """`gap` evaluated and simplified; by way of gamma functions, where powers and binomials cancel."""
    from sympy import expand, gamma, gammasimp, powsimp, simplify

    gap = expand(gap.doit())
    return gap and simplify(gammasimp(expand(powsimp(gap.rewrite(gamma)))))
