"""What holds training back: fixed points of a KL term, the losses that estimate it, the room that clipping leaves."""

import mpmath
import numpy as np
import pytest
from scipy.special import expit, logit, softmax

from rlsignal import DR_GRPO, GRPO, MAXRL, RLOO
from rlsignal.estimators import ESTIMATORS
from rlsignal.theory.regularisation import clipped_batches, kl_fixed_points, kl_gradient, kl_value

RNG = np.random.default_rng(0)
POLICY, REFERENCE = RNG.normal(0, 2, (2, 3, 6))


def divergence(policy, reference):
    ours, theirs = softmax(policy, -1), softmax(reference, -1)
    return (ours * np.log(ours / theirs)).sum(-1)


def slopes(function, x, step=1e-5):
    """Central differences in each coordinate of the last axis."""
    moves = step * np.eye(x.shape[-1])
    return np.stack([(function(x + m) - function(x - m)) / (2 * step) for m in moves], -1)


class TestFixedPoints:
    @pytest.mark.parametrize(
        ("g", "estimator", "point"),
        [(4096, GRPO, 0.176), (8, GRPO, 0.161), (4096, DR_GRPO, 0.125), (8, DR_GRPO, 0.121)],
    )
    def test_as_tabulated(self, g, estimator, point):
        """Where training from the reference ends; at g = 4096 GRPO has another beyond 0.99999."""
        points = kl_fixed_points(0.1, g, estimator, kl_weight=4)
        assert points[0] == pytest.approx(point, abs=5e-4)
        assert len(points) == (3 if (g, estimator) == (4096, GRPO) else 1)

    @pytest.mark.parametrize("reference", [1e-300, 1e-3, 0.5, 0.999])
    @pytest.mark.parametrize("beta", [0.02, 1, 50])
    def test_rloo_in_closed_form(self, reference, beta):
        """Odds times exp(1/beta)."""
        with mpmath.workdps(50):
            odds = mpmath.mpf(reference) / (1 - mpmath.mpf(reference)) * mpmath.exp(1 / mpmath.mpf(beta))
            want = float(odds / (1 + odds))
        assert kl_fixed_points(reference, 8, RLOO, kl_weight=beta) == pytest.approx([want], rel=1e-11, abs=0)

    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.name)
    @pytest.mark.parametrize("beta", [0.05, 0.3, 4])
    def test_they_are_stationary_and_alternate(self, estimator, beta):
        """At each, h' = beta KL'; the first, third, ... are local maxima of h - beta KL, and their number is odd."""
        g, reference = 16, 0.001
        points = kl_fixed_points(reference, g, estimator, kl_weight=beta)
        residual = estimator.weight(points, g) - beta * (logit(points) - logit(reference))
        inner = points < 1 - 1e-9  # beyond, the logit of a float knows too little
        np.testing.assert_allclose(residual[inner], 0, atol=1e-6)
        assert len(points) % 2 == 1

        def value(x):
            p, q = expit(x), expit(-x)
            penalty = p * (x - logit(reference)) - (np.logaddexp(0, x) + np.log1p(-reference))
            return estimator.objective(p, g) - beta * penalty, q

        for number, point in enumerate(points[inner]):
            here, step = logit(point), 0.02
            around = (
                min(value(here - step)[0], value(here + step)[0]),
                max(value(here - step)[0], value(here + step)[0]),
            )
            if number % 2 == 0:
                assert value(here)[0] > around[1]
            else:
                assert value(here)[0] < around[0]

    def test_there_can_be_several(self):
        """GRPO favours easy prompts too, so past the middle the pull grows as p does."""
        assert len(kl_fixed_points(0.001, 16, GRPO, kl_weight=0.3)) == 3
        x = np.linspace(-40, 40, 4001)
        steepest = np.diff(GRPO.weight(expit(x), 16)).max() / (x[1] - x[0])
        assert all(
            len(kl_fixed_points(p, 16, GRPO, kl_weight=1.001 * steepest)) == 1 for p in (1e-6, 1e-3, 0.1, 0.5, 0.9)
        )

    def test_one_where_the_weight_does_not_rise(self):
        for estimator in (RLOO, DR_GRPO, MAXRL):
            for beta in (0.01, 0.3, 4):
                assert all(len(kl_fixed_points(p, 16, estimator, kl_weight=beta)) == 1 for p in (1e-6, 0.1, 0.9))

    def test_one_exact_update_of_a_table(self):
        """The best policy under the last one's mean advantages and a KL term: the sigmoid that is iterated."""
        reference, last, right = softmax(RNG.normal(size=6)), softmax(RNG.normal(size=6)), np.array([1, 0, 0, 1, 0, 0])
        g, beta, p = 3, 0.7, last @ right
        groups = np.stack(np.meshgrid(*[range(6)] * (g - 1), indexing="ij"), -1).reshape(-1, g - 1)
        chances = last[groups].prod(-1)
        worth = np.array(
            [chances @ GRPO.advantages(np.column_stack([np.full(len(groups), r), right[groups]]))[:, 0] for r in right]
        )
        best = reference * np.exp(worth / beta)
        best /= best.sum()
        want = expit(logit(reference @ right) + GRPO.weight(p, g) / beta)
        assert best @ right == pytest.approx(want, rel=1e-12)

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"reference": 0}, "reference must lie in"),
            ({"kl_weight": 0}, "kl_weight must lie in"),
            ({"g": 1}, "g must"),
        ],
    )
    def test_bad_arguments_are_refused(self, changes, message):
        arguments = {"reference": 0.1, "g": 8, "estimator": GRPO, "kl_weight": 1.0} | changes
        with pytest.raises(ValueError, match=message):
            kl_fixed_points(**arguments)


class TestDivergences:
    def test_values(self):
        np.testing.assert_allclose(kl_value(POLICY, REFERENCE, "k1"), divergence(POLICY, REFERENCE), rtol=1e-12)
        np.testing.assert_allclose(kl_value(POLICY, REFERENCE, "k3"), divergence(POLICY, REFERENCE), rtol=1e-12)
        assert abs(kl_value(POLICY[0], REFERENCE[0], "k2") / divergence(POLICY[0], REFERENCE[0]) - 1) > 0.1

    def test_near_by_all_three_agree(self):
        """x^2/2 differs from the divergence in third order."""
        near = POLICY + 1e-4 * REFERENCE
        ratio = kl_value(near, POLICY, "k2") / kl_value(near, POLICY, "k3")
        np.testing.assert_allclose(ratio, 1, atol=1e-3)

    def test_what_the_losses_follow(self):
        """k1 nothing, k2 the divergence, k3 the other one. Central differences are good to 1e-9 here."""
        np.testing.assert_allclose(kl_gradient(POLICY, REFERENCE, "k1"), 0, atol=1e-16)
        forward = slopes(lambda x: divergence(x, REFERENCE[0]), POLICY[0])
        backward = slopes(lambda x: divergence(REFERENCE[0], x), POLICY[0])
        np.testing.assert_allclose(kl_gradient(POLICY, REFERENCE, "k2")[0], forward, atol=1e-8)
        np.testing.assert_allclose(kl_gradient(POLICY, REFERENCE, "k3")[0], backward, atol=1e-8)
        assert np.abs(forward - backward).max() > 0.01

    def test_off_the_reward_k1_follows_the_divergence(self):
        """E[k1 s], s the score, with no gradient through k1."""
        ours = softmax(POLICY[0])
        x = np.log(ours / softmax(REFERENCE[0]))
        rewarded = (ours * x) @ (np.eye(6) - ours)
        np.testing.assert_allclose(rewarded, kl_gradient(POLICY[0], REFERENCE[0], "k2"), atol=1e-14)

    def test_drawn_losses_average_to_it(self):
        """Sampled gradients of k3 within five standard errors; k2's are refused."""
        draws, ours = 200_000, softmax(POLICY[0])
        ratio = softmax(REFERENCE[0]) / ours
        sampled = (1 - ratio)[:, None] * (np.eye(6) - ours)  # the loss' gradient at each response
        mean = np.bincount(np.random.default_rng(1).choice(6, draws, p=ours), minlength=6) / draws @ sampled
        error = np.sqrt((ours @ sampled**2 - (ours @ sampled) ** 2) / draws)
        assert np.all(np.abs(mean - kl_gradient(POLICY[0], REFERENCE[0], "k3")) < 5 * error)
        assert np.any(np.abs(mean - kl_gradient(POLICY[0], REFERENCE[0], "k2")) > 5 * error)

    def test_it_is_all_that_a_dead_group_has(self):
        assert not GRPO.advantages(np.zeros(8)).any()
        assert np.abs(kl_gradient(POLICY, REFERENCE)).max() > 0.01
        np.testing.assert_allclose(kl_gradient(POLICY, POLICY), 0, atol=1e-15)

    def test_bad_arguments_are_refused(self):
        with pytest.raises(ValueError, match="divergence must be one of k1, k2, k3, got 'k4'"):
            kl_value([0, 0], [0, 0], "k4")
        with pytest.raises(ValueError, match="logits of the same responses"):
            kl_gradient([0, 0], [0, 0, 0])


class TestClipping:
    @pytest.mark.parametrize(("clip", "batches"), [(0.2, 21.5), (0.28, 15.8)])
    def test_from_a_hundredth_to_a_half(self, clip, batches):
        assert clipped_batches(0.01, 0.5, clip=clip) == pytest.approx(batches, abs=0.05)

    def test_undoes_compounding(self):
        n = np.array([0, 1, 7.5])
        assert clipped_batches(1e-3, 1e-3 * 1.2**n, clip=0.2) == pytest.approx(n, rel=1e-12, abs=1e-14)

    @pytest.mark.parametrize(("start", "end"), [(0, 0.5), (0.5, 0.1)])
    def test_only_upwards_and_from_somewhere(self, start, end):
        with pytest.raises(ValueError, match="start must lie in"):
            clipped_batches(start, end, clip=0.2)


@pytest.mark.parametrize("weight", [0.8, 2.0])
def test_an_entropy_bonus_is_a_kl_term_to_even_responses(weight):
    """Ascent on h_g(p) + weight H from a skewed policy of 2 correct and 6 incorrect responses ends at K4's point."""
    logits, correct = np.array([0.0, -2.0, 2.0, 0.0, -1.0, 0.5, 0.0, 1.0]), np.arange(8) < 2
    for _ in range(3_000):
        policy = np.exp(logits - logits.max())
        policy /= policy.sum()
        p, surprise = policy @ correct, -np.log(policy)
        logits += 0.5 * policy * (GRPO.weight(p, 8) * (correct - p) + weight * (surprise - policy @ surprise))
    (point,) = kl_fixed_points(2 / 8, 8, GRPO, kl_weight=weight)
    assert policy @ correct == pytest.approx(point, abs=1e-6)
    assert np.ptp(policy[:2]) < 1e-6
    (other,) = kl_fixed_points(0.5, 8, GRPO, kl_weight=weight)
    assert abs(policy @ correct - other) > 1e-3
