"""A certificate is the enumeration's, and its beliefs are those of the theory."""

import json
from dataclasses import replace

import pytest

from rlsignal import DR_GRPO, GRPO, MAXRL, RLOO, Estimator
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO, batch_standardised, pass_at_k_gradient
from rlsignal.proofs import certify

SUBJECTS = [*ESTIMATORS, batch_standardised(0.3), pass_at_k_gradient(2)]
HITS = Estimator("hits", lambda K, g: 1.0, lambda K, g: 0.0)
AGAINST = Estimator("against", lambda K, g: -RLOO.correct(K, g), lambda K, g: -RLOO.incorrect(K, g))


def true(estimator, g=6):
    """Which of the beliefs hold, by a word of each."""
    words = ("optimises", "sum to 0", "degenerate", "never costs", "squared", "absolute")
    return {
        word for word in words for belief in certify(estimator, g).beliefs if word in belief.belief and belief.holds
    }


@pytest.mark.parametrize("estimator", SUBJECTS, ids=lambda estimator: estimator.name)
def test_the_weight_is_the_enumerated_one(estimator):
    found = certify(estimator, 6)
    assert found.passed
    assert found.exact == pytest.approx(found.weights, rel=1e-12)
    assert found.rare == pytest.approx(float(estimator.weight(0.0, 6)), rel=1e-12)


def test_beliefs():
    rest = {"sum to 0", "degenerate", "never costs", "absolute"}
    assert true(GRPO) == rest | {"squared"}
    assert true(RLOO) == true(DR_GRPO) == rest | {"optimises"}
    assert true(MAXRL) == rest
    assert true(GRPO_NEMO) == {"degenerate", "never costs"}
    assert true(HITS) == {"optimises", "never costs"}
    assert true(AGAINST) == {"optimises", "sum to 0", "degenerate"}
    assert "squared" in true(GRPO, 2)
    assert true(GRPO, 3) >= {"optimises"}  # its weight is the square root of 2 everywhere


def test_a_wrong_weight_would_be_seen():
    found = certify(GRPO, 4)
    assert not replace(found, weights=tuple(w * (1 + 1e-9) for w in found.weights)).passed


def test_for_machines_and_readers():
    found = certify(GRPO, 4)
    assert json.loads(json.dumps(found.summary))["passed"] is True
    assert repr(found) == (
        "<Certificate: GRPO in groups of 4: the library's weight is the enumerated one; rare successes weigh 1.732.>"
    )
    assert max(map(len, str(found).splitlines())) <= 100


def test_errors():
    with pytest.raises(ValueError, match=r"^g must be at most 10, got 16\. All 2\^g groups are listed\."):
        certify(GRPO, 16)
    with pytest.raises(ValueError, match=r"^estimator must be an Estimator"):
        certify("grpo")
