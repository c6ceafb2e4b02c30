"""The proofs hold, and would not if a step were incorrect."""

import subprocess
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import sympy

from rlsignal import Beta, advantage_variance, degenerate_probability
from rlsignal.estimators import ESTIMATORS
from rlsignal.proofs.derivations import (
    PROOFS,
    Derivation,
    Step,
    beta_population,
    slope_of_the_objective,
    variance_of_the_variance,
    within_group_variance,
    within_group_variance_by_pairs,
)
from rlsignal.theory import variance_of_advantage_variance

pytestmark = pytest.mark.slow


def rebuilt(proof: Derivation, number: int, **changes: object) -> Derivation:
    """`proof` with its step `number` (counted from 1) changed."""
    steps = list(proof.steps)
    steps[number - 1] = replace(steps[number - 1], **changes)
    return replace(proof, steps=tuple(steps))


def symbols_of(step: Step, names: str) -> list[sympy.Symbol]:
    """A step's own symbols, by name: sympy tells g from a positive whole g."""
    known = {symbol.name: symbol for symbol in step.rhs.free_symbols}
    return [known[name] for name in names]


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.__name__)
def test_every_proof_holds(proof):
    whole = proof()
    assert whole.check() is whole


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.__name__)
def test_no_identity_survives_being_broken(proof):
    """Each by itself, among the given steps above it: identities use no other identities."""
    whole = proof()
    for number, step in enumerate(whole.steps):
        if step.kind == "identity":
            given = tuple(above for above in whole.steps[:number] if above.kind != "identity")
            broken = replace(whole, steps=(*given, replace(step, rhs=step.rhs + sympy.Symbol("slip"))))
            with pytest.raises(ArithmeticError, match=f"{whole.label}, step {len(given) + 1} is not confirmed"):
                broken.check()


def test_the_incorrect_ddof_is_caught_where_it_is_used():
    proof = within_group_variance()
    (g,) = symbols_of(proof.claim, "g")
    with pytest.raises(ArithmeticError, match="V1, step 5 is not confirmed"):
        rebuilt(proof, 1, rhs=proof.steps[0].rhs * g / (g - 1)).check()
    with pytest.raises(ArithmeticError, match=r"V1, step 14 is not confirmed: E\(v\) = p\*q leaves"):
        rebuilt(proof, 14, rhs=proof.claim.rhs * g / (g - 1)).check()


def test_independence_is_needed():
    """Rollouts that copy each other have the same E[K] and another E[K(K-1)]."""
    proof = within_group_variance()
    at = next(n for n, step in enumerate(proof.steps, 1) if str(step.lhs) == "G(z)")
    g, p, q, z = symbols_of(proof.steps[at - 1], "gpqz")
    with pytest.raises(ArithmeticError, match=r"V1, step 11 is not confirmed: E\(K\*\(K - 1\)\)"):
        rebuilt(proof, at, rhs=q + p * z**g).check()


def test_binary_rewards_are_needed():
    proof = within_group_variance()
    squares, K = proof.steps[2].lhs, proof.steps[2].rhs
    with pytest.raises(ArithmeticError, match="V1, step 5 is not confirmed"):
        rebuilt(proof, 3, lhs=squares, rhs=2 * K).check()


def test_a_gain_of_another_table_is_caught():
    proof = slope_of_the_objective()
    at = next(n for n, step in enumerate(proof.steps, 1) if str(step.lhs) == "d(k)")
    with pytest.raises(ArithmeticError, match="W2, step 8 is not confirmed"):
        rebuilt(proof, at, rhs=2 * proof.steps[at - 1].rhs).check()


def test_an_identity_may_be_checked_at_values():
    x = sympy.Symbol("x")
    at_roots = Step("Zero at both roots.", x**2, x, at=(x, (0, 1)))
    assert Derivation("X", "roots", (at_roots,)).check()
    assert at_roots.status == "checked at x = 0, 1"
    with pytest.raises(ArithmeticError, match="leaves 2"):
        Derivation("X", "roots", (replace(at_roots, at=(x, (0, 1, 2))),)).check()


@pytest.mark.parametrize("g", [2, 3, 8])
@pytest.mark.parametrize("p", [0.02, 0.3, 0.5, 0.9])
def test_claims_are_what_the_library_computes(p, g):
    for proof in (within_group_variance, within_group_variance_by_pairs):
        assert proof().value(p=p, g=g) == pytest.approx(advantage_variance(p, g), rel=1e-12)
    assert variance_of_the_variance().value(p=p, g=g) == pytest.approx(variance_of_advantage_variance(p, g), rel=1e-12)
    assert beta_population().value(m=p, rho=0.4, g=g) == pytest.approx(
        degenerate_probability(Beta(p, 0.4), g), rel=1e-12
    )


@pytest.mark.parametrize("g", [2, 3, 4, 5])
def test_v1_and_v2_against_every_group(g):
    """All 2^g groups, by exact polynomials in p."""
    p = sympy.Symbol("p")
    mean = square = 0
    for rewards in product((0, 1), repeat=g):
        chance = sympy.prod(p if r else 1 - p for r in rewards)
        v = sympy.Rational(g * sum(r * r for r in rewards) - sum(rewards) ** 2, g * g)
        mean, square = mean + chance * v, square + chance * v**2
    q = 1 - p
    variance = sympy.Rational(g - 1, g**3) * p * q * ((g - 1) * (1 - 2 * p) ** 2 + 2 * p * q)
    assert sympy.expand(mean - p * q * sympy.Rational(g - 1, g)) == 0
    assert sympy.expand(square - mean**2 - variance) == 0


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
def test_w1_against_every_group_of_a_small_policy(estimator):
    """Five responses, two of them correct, groups of three: the update averaged over all 125 groups."""
    g, correct = 3, np.array([1, 0, 0, 1, 0])
    policy = np.exp([0.3, -0.4, 1.1, -1.0, 0.2])
    policy /= policy.sum()
    p = policy @ correct
    scores = np.eye(5) - policy
    update = np.zeros(5)
    for group in map(list, product(range(5), repeat=g)):
        update += policy[group].prod() * estimator.advantages(correct[group]) @ scores[group] / g
    slope = policy * (correct - p)
    np.testing.assert_allclose(update, estimator.weight(p, g) * slope, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
def test_w2_against_the_library(estimator):
    g, p = 5, sympy.Symbol("p")
    heights = np.concatenate([[0.0], np.cumsum(estimator.gain(g))]) / g
    h = sum(sympy.binomial(g, k) * p**k * (1 - p) ** (g - k) * heights[k] for k in range(g + 1))
    for at in (0.0, 0.1, 0.6, 1.0):
        assert float(h.subs(p, at)) == pytest.approx(estimator.objective(at, g), abs=1e-12)
        assert float(sympy.diff(h, p).subs(p, at)) == pytest.approx(estimator.weight(at, g), abs=1e-12)


def test_a_notebook_shows_the_steps_as_latex():
    proof = within_group_variance()
    shown = proof._repr_markdown_()
    assert shown.startswith("**V1. The expected within-group variance**\n\n1. *definition.*")
    assert r"$\displaystyle E{\left(v \right)} = \frac{p q \left(g - 1\right)}{g}$" in shown
    assert shown.count("$") == 2 * len(proof.steps)
    assert r"\sum_{i=1}^{g} {r}_{i} =: K" in shown
    assert r"$\displaystyle q := 1 - p$" in shown
    assert shown.endswith("*sympy confirmed every identity as this was shown.*")


def test_a_proof_with_a_slip_does_not_show():
    x = sympy.Symbol("x")
    slip = Derivation("X1", "A slip", (Step("A square has a middle term.", (x + 1) ** 2, x**2 + 1),))
    with pytest.raises(ArithmeticError, match="step 1 is not confirmed"):
        slip._repr_markdown_()


def test_print_tells_what_is_checked_from_what_is_given():
    lines = str(within_group_variance()).splitlines()
    assert lines[0] == "V1. The expected within-group variance"
    assert lines[-2:] == ["14. identity. Divide by g^2.", "      E(v) = p*q*(g - 1)/g"]
    assert any(line.startswith(" 8. assumption.") for line in lines)


def test_importing_the_proofs_does_not_load_sympy():
    code = "import sys, rlsignal.proofs.derivations; sys.exit('sympy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.__name__)
def test_a_repr_is_short_and_the_same_in_every_run(proof):
    made = proof()
    assert repr(made).startswith(f"<Derivation: {made.label}. ")
    for text in (repr(made), *map(repr, made.steps)):
        assert len(text) < 160
        assert " at 0x" not in text
