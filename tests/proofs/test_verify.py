"""Every claim holds, and every claim is able to fail."""

import json
from dataclasses import replace

import numpy as np
import pytest

import rlsignal.proofs.verify as verification
from rlsignal.estimators import ESTIMATORS
from rlsignal.proofs.claims import CLAIMS, DATA
from rlsignal.proofs.verify import FEWEST_GROUPS, STANDARD_ERRORS, check, verify

SEED = 1
VARIANCE = next(claim for claim in CLAIMS if claim.name == "advantage variance of a population")

every_claim = pytest.mark.parametrize("claim", CLAIMS, ids=[f"{claim.label} {claim.name}" for claim in CLAIMS])


@pytest.fixture(scope="module")
def verified():
    return verify()


def checked(claim):
    return check(claim, np.random.default_rng(SEED), FEWEST_GROUPS)


@pytest.mark.slow
def test_every_claim_holds(verified):
    assert verified.passed, str(verified)
    assert len(verified.checks) == len(CLAIMS)


@pytest.mark.slow
def test_another_seed_draws_other_groups_and_agrees(verified):
    other = verify(seed=7)
    assert other.passed, str(other)
    assert all(one.estimate != two.estimate for one, two in zip(verified.checks, other.checks, strict=True))


@every_claim
def test_a_wrong_library_fails(claim):
    """The wrong formula in the library's place is caught by the enumeration, and by the draws alone."""
    caught = checked(replace(claim, library=claim.wrong))
    assert not caught.passed
    assert abs(caught.closed - caught.exact) > 1e-3 * abs(caught.exact)
    assert abs(caught.z) > STANDARD_ERRORS
    assert "FAILS" in caught.verdict


def test_no_draw_can_agree_with_right_and_wrong(verified):
    """Not even with the fewest groups allowed."""
    for measured in verified.checks:
        error = measured.standard_error * np.sqrt(verified.groups / FEWEST_GROUPS)
        assert abs(measured.wrong - measured.exact) > 2 * STANDARD_ERRORS * error, measured.name


def test_one_wrong_way_among_several_fails():
    for odd in (VARIANCE.wrong(DATA, 8), np.nan):
        assert not checked(replace(VARIANCE, library=lambda p, g, odd=odd: (*VARIANCE.library(p, g), odd))).passed


def test_a_slip_too_small_for_the_draws_fails():
    caught = checked(replace(VARIANCE, library=lambda p, g: VARIANCE.library(p, g)[0] * (1 + 1e-10)))
    assert abs(caught.z) <= STANDARD_ERRORS
    assert not caught.passed


def test_a_wrong_formula_that_is_right_fails():
    """A row that cannot tell its two formulas apart proves nothing."""
    caught = checked(replace(VARIANCE, wrong=lambda p, g: VARIANCE.library(p, g)[0]))
    assert not caught.wrong_rejected
    assert not caught.passed
    assert caught.verdict == f"FAILS: the mistake ({VARIANCE.wrong_formula}) is not rejected"


def test_draws_from_elsewhere_fail(monkeypatch):
    """The enumeration and the draws are two witnesses: what bends one is seen by the other."""
    honest = verification._frequencies
    monkeypatch.setattr(verification, "_frequencies", lambda claim, *rest: honest(replace(claim, at=0.21), *rest))
    caught = checked(VARIANCE)
    assert caught.closed == pytest.approx(caught.exact, rel=1e-12)
    assert not caught.passed


def test_the_same_seed_draws_the_same_groups():
    assert checked(VARIANCE) == checked(VARIANCE)


def test_the_standard_error_is_that_of_the_draws():
    """Over 200 repeats the z of a claim has mean 0 and s.d. 1."""
    claim = next(claim for claim in CLAIMS if claim.label == "P2")
    z = [check(claim, generator, 2_000).z for generator in np.random.default_rng(SEED).spawn(200)]
    assert abs(np.mean(z)) < 5 / np.sqrt(200)
    assert abs(np.std(z) - 1) < 5 / np.sqrt(2 * 200)


def test_claims_are_told_apart_by_label_and_name():
    assert len({(claim.label, claim.name) for claim in CLAIMS}) == len(CLAIMS)


def test_every_estimator_has_its_weight_verified():
    named = {claim.name.removeprefix("weight of ") for claim in CLAIMS if claim.label == "W1"}
    assert {estimator.name for estimator in ESTIMATORS} <= named


def test_for_machines(verified):
    read = json.loads(json.dumps(verified.summary))
    assert read["passed"] is True
    assert len(read["claims"]) == len(CLAIMS)
    for claim in read["claims"]:
        assert {"label", "name", "passed", "z", "wrong_rejected"} <= claim.keys()
        assert claim["passed"] is claim["wrong_rejected"] is True


def test_for_readers(verified):
    *rows, last = str(verified).splitlines()
    assert rows[0].split() == ["claim", "exact", "estimate", "z", "mistake"]
    assert [row.split()[0] for row in rows[1:]] == [claim.label for claim in CLAIMS]
    assert all(row.endswith("holds") for row in rows[1:])
    assert len({row.rindex("holds") for row in rows[1:]}) == 1
    assert last.startswith(f"{len(CLAIMS)} of {len(CLAIMS)} claims hold: 200000 groups each, seed 0.")
    assert max(map(len, rows)) <= 100
    assert verified._repr_html_().startswith("<table><tr><th>claim")
    assert len(repr(verified)) < 100


def test_a_failure_is_named(verified):
    wrong = replace(verified.checks[0], closed=0.25, passed=False)
    failed = replace(verified, checks=(wrong, *verified.checks[1:]))
    assert not failed.passed
    assert "FAILS: the library gives 0.25, exact is 0.293601" in str(failed)
    assert f"{len(CLAIMS) - 1} of {len(CLAIMS)} claims hold" in str(failed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"seed": 0.5}, "seed must be a whole number of at least 0, got 0.5"),
        ({"groups": 1000}, "groups must be at least 100000, got 1000. Fewer cannot reject every wrong formula"),
        ({"groups": 10**9}, "groups must be at most 10000000, got 1000000000"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        verify(**arguments)
