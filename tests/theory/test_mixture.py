"""Mixtures: exact against enumeration and rationals, and accepted by every question."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from rlsignal import GRPO, RLOO, Beta, Fixed, Mixture, Recorded, degenerate_probability, pass_at_k
from rlsignal.proofs import enumeration
from rlsignal.theory import (
    accepted_pmf,
    advantage_variance,
    forecast,
    group_size_for,
    informative_group_bias,
    informative_probability,
    learning_speed,
    pass_at_k_alignment,
    reward_entropy,
    variance_of_advantage_variance,
)

IMPOSSIBLE = Mixture([Fixed(0.0), Beta(0.3, 0.4)], weights=[0.25, 0.75])
SEVERAL = Mixture([Fixed(0.5), Beta(0.1, 0.25), Beta(0.9, 0.5)], weights=[0.125, 0.5, 0.375])
MIXTURES = pytest.mark.parametrize("data", [IMPOSSIBLE, SEVERAL], ids=["impossible", "several"])


def urn(data):
    parts = [
        enumeration.beta(part.mean, part.dispersion) if isinstance(part, Beta) else enumeration.fixed(part.p)
        for part in data.parts
    ]
    return enumeration.mixture(parts, data.weights.tolist())


class TestExact:
    @MIXTURES
    @pytest.mark.parametrize("g", [1, 2, 5])
    def test_every_answer_is_the_enumerated_one(self, data, g):
        want = enumeration.pmf(urn(data), g)
        np.testing.assert_allclose(data.pmf(g), [float(x) for x in want], rtol=1e-13)
        assert data.all_incorrect(g) == pytest.approx(float(want[0]), rel=1e-13)
        assert data.all_correct(g) == pytest.approx(float(want[-1]), rel=1e-13)
        assert data.any_correct(g) == pytest.approx(float(1 - want[0]), rel=1e-13)
        if g > 1:
            assert data.informative(g) == pytest.approx(float(1 - want[0] - want[-1]), rel=1e-13)

    @MIXTURES
    def test_moments_are_those_of_two_rollouts(self, data):
        """By rationals: the mean of one reward, and the covariance of two, over the variance of one."""
        mean = enumeration.pmf(urn(data), 1)[1]
        both = enumeration.pmf(urn(data), 2)[2]
        assert data.mean == pytest.approx(float(mean), rel=1e-14)
        assert data.dispersion == pytest.approx(float((both - mean**2) / (mean * (1 - mean))), rel=1e-13)
        assert data.reward_variance == pytest.approx(float(mean - both), rel=1e-13)

    def test_kinds_that_hardly_differ_keep_their_digits(self):
        """Var(p) is w (1-w) d^2 for two fixed pass rates d apart: 1e-20 beside 0.2."""
        low, high = 0.3, 0.3 + 1e-10
        mp = mpmath.mp.clone()
        mp.dps = 60
        m = (mp.mpf(low) + mp.mpf(high)) / 2
        want = (mp.mpf(high) - mp.mpf(low)) ** 2 / 4 / (m * (1 - m))
        got = Mixture([Fixed(low), Fixed(high)], [0.5, 0.5]).dispersion
        assert abs(mp.mpf(got) / want - 1) < 1e-12

    def test_rare_kinds_keep_theirs(self):
        data = Mixture([Fixed(0.0), Fixed(1e-200)], [0.5, 0.5])
        assert informative_probability(data, 8) == pytest.approx(4e-200, rel=1e-12)
        assert pass_at_k(data, 8) == pytest.approx(4e-200, rel=1e-12)

    def test_of_always_and_never_it_is_all_dispersion(self):
        data = Mixture([Fixed(0.0), Fixed(1.0)], [0.5, 0.5])
        assert (data.mean, data.dispersion, data.reward_variance) == (0.5, 1.0, 0.0)
        assert Mixture([Fixed(0.0)], [1.0]).dispersion == 0

    def test_mixtures_of_mixtures_are_flat(self):
        inner = Mixture([Fixed(0.0), Fixed(0.5)], [0.5, 0.5])
        outer = Mixture([inner, Beta(0.3, 0.4)], [0.5, 0.5])
        assert outer.weights.tolist() == [0.25, 0.25, 0.5]
        assert [type(part) for part in outer.parts] == [Fixed, Fixed, Beta]


class TestQuestions:
    @MIXTURES
    @pytest.mark.parametrize(
        "question",
        [
            lambda p: degenerate_probability(p, 8),
            lambda p: advantage_variance(p, 8),
            lambda p: pass_at_k(p, 3),
            lambda p: GRPO.weight(p, 8),
            lambda p: GRPO.objective(p, 8),
            lambda p: GRPO.second_moment(p, 8),
            lambda p: GRPO.magnitude(p, 8),
            lambda p: learning_speed(p, 8, GRPO),
            lambda p: forecast(p, 8, GRPO, budget=20),
            lambda p: reward_entropy(p),
        ],
    )
    def test_a_mean_over_prompts_is_the_mean_of_the_parts(self, data, question):
        want = sum(weight * question(part) for weight, part in zip(data.weights, data.parts, strict=True))
        assert question(data) == pytest.approx(want, rel=1e-12)

    @MIXTURES
    def test_what_is_no_mean_over_prompts_uses_the_pmf(self, data):
        np.testing.assert_allclose(accepted_pmf(data, 8)[1:-1], data.pmf(8)[1:-1] / data.informative(8), rtol=1e-12)
        lone = data.all_incorrect(8) - data.all_incorrect(9) - data.all_correct(8) + data.all_correct(9)
        assert informative_group_bias(data, 8) == pytest.approx(lone / data.informative(8), rel=1e-9)
        v = np.arange(9) * np.arange(8, -1, -1) / 64
        want = data.pmf(8) @ v**2 - (data.pmf(8) @ v) ** 2
        assert variance_of_advantage_variance(data, 8) == pytest.approx(want, rel=1e-12)
        assert pass_at_k_alignment(data, 1, 8, RLOO) == pytest.approx(1, rel=1e-12)
        g = group_size_for(data, informative=0.4)
        assert informative_probability(data, g) >= 0.4 > informative_probability(data, g - 1)


class TestErrors:
    @pytest.mark.parametrize(
        ("parts", "weights", "message"),
        [
            ([Fixed(0.1)], [0.5], r"^weights must add up to 1, got 0\.5\. Divide by the sum\."),
            (
                [Fixed(0.1), Fixed(0.2)],
                [1.0],
                r"^weights must be one number for each part, got shape \(1,\) for 2 parts\.",
            ),
            ([Fixed(0.1), Fixed(0.2)], [1.5, -0.5], r"^weights must lie in \[0, 1\], got 1\.5 at index 0\."),
            ([Recorded([1], 4)], [1.0], r"^parts must each be one Fixed or Beta, got .* at index 0\. Fit a Beta"),
            ([Fixed([0.1, 0.2])], [1.0], r"^parts must each be one Fixed or Beta, got .* at index 0\."),
            ([0.1], [1.0], r"^parts must each be one Fixed or Beta, got 0\.1 at index 0\."),
            (Fixed(0.1), [1.0], r"^weights must be one number for each part"),
            ([], [], r"^weights must add up to 1, got 0\."),
        ],
    )
    def test_say_what_to_do(self, parts, weights, message):
        with pytest.raises(ValueError, match=message):
            Mixture(parts, weights)


def test_it_shows_its_parts():
    assert repr(IMPOSSIBLE) == "<Mixture: 2 parts, mean 0.225, dispersion 0.458>"
    assert "<td>Fixed</td><td>0.250</td>" in IMPOSSIBLE._repr_html_()
    many = Mixture([Fixed(x) for x in np.linspace(0, 1, 50)], np.full(50, 0.02))
    assert str(many).endswith("and 42 more")


def test_enumeration_of_a_mixture_learns_which_part_it_is():
    half = Fraction(1, 2)
    draw = enumeration.mixture([enumeration.fixed(half), enumeration.fixed(1)], [half, half])
    assert draw(0, 0) == Fraction(3, 4)
    assert draw(2, 2) == Fraction(9, 10)  # (1/4 1/2 + 1) / (1/4 + 1)
    assert draw(0, 1) == half
