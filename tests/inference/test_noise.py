"""Gradient noise from gradient norms: given back exactly, and from batches of a policy with shared parameters."""

import numpy as np
import pytest

from rlsignal.inference.noise import GradientNoise, gradient_noise
from rlsignal.theory import Scores, best_group_size

SHAPES = [(64, 16), (32, 16), (64, 8), (64, 4)]
TRUTH = GradientNoise(0.04, 0.5, 3.0, 12.0, (0.0,) * 4)


class Policy:
    """40 prompts of four answers, a softmax over features: five parameters for all."""

    def __init__(self):
        generator = np.random.default_rng(0)
        self.features = generator.standard_normal((40, 4, 5))
        self.correct = np.arange(4) == 0
        logits = self.features @ (0.3 * generator.standard_normal(5)) - 1.0 * self.correct
        self.chances = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        self.scores = self.features - (self.chances[..., None] * self.features).sum(1, keepdims=True)
        self.p = self.chances[:, 0]
        self.slopes = self.p[:, None] * self.scores[:, 0]

    @property
    def truth(self):
        """The four parts, from the scores themselves."""
        q, mean = 1 - self.p, self.slopes.mean(0)
        slope = (self.slopes**2).sum(-1)
        variances = np.zeros((2, 40))
        shares = self.chances[:, 1:] / q[:, None]
        centre = (shares[..., None] * self.scores[:, 1:]).sum(1, keepdims=True)
        variances[1] = (shares * ((self.scores[:, 1:] - centre) ** 2).sum(-1)).sum(-1)
        scores = Scores(self.p, slope, 0.0, variances[1])
        between = float(slope.mean() - mean @ mean)
        parts = float(mean @ mean), between, float(scores.oracle_noise.mean()), float(scores.baseline_noise.mean())
        return GradientNoise(*parts, errors=(0.0,) * 4), best_group_size(scores, between)

    def updates(self, generator, steps, prompts, g):
        """[steps, prompts, g, parameters], each rollout's score, and its reward [steps, prompts, g]."""
        which = generator.integers(40, size=(steps, prompts))
        u = generator.random((steps, prompts, g, 1))
        y = (u > np.cumsum(self.chances[which], -1)[:, :, None]).sum(-1)
        return self.scores[which[..., None], y], (y == 0).astype(float)


def squared_norm(scores, rewards):
    """Of the mean RLOO gradient of batches [steps, prompts, g]."""
    g = rewards.shape[-1]
    advantages = (rewards - rewards.mean(-1, keepdims=True)) * g / (g - 1)
    return ((advantages[..., None] * scores).mean((1, 2)) ** 2).sum(-1)


@pytest.fixture(scope="module")
def recorded():
    policy, prompts, g = Policy(), 16, 8
    scores, rewards = policy.updates(np.random.default_rng(1), 6000, prompts, g)
    halves = [slice(0, 8), slice(8, 16)]
    norms = {
        (16, 8): squared_norm(scores, rewards),
        (8, 8): np.mean([squared_norm(scores[:, h], rewards[:, h]) for h in halves], 0),
        (16, 4): np.mean([squared_norm(scores[:, :, h], rewards[:, :, h]) for h in (slice(0, 4), slice(4, 8))], 0),
        (16, 2): np.mean([squared_norm(scores[:, :, i : i + 2], rewards[:, :, i : i + 2]) for i in range(0, 8, 2)], 0),
    }
    return policy, norms


def test_exact_norms_give_the_parts_back():
    found = gradient_noise({shape: TRUTH.squared_norm(*shape) for shape in SHAPES})
    for name in ("slope_squared", "between", "oracle", "baseline"):
        assert getattr(found, name) == pytest.approx(getattr(TRUTH, name), rel=1e-9)
    assert found.best_group_size == TRUTH.best_group_size == 6
    assert np.isnan(found.errors).all()
    assert TRUTH.squared_norm(round(TRUTH.critical_prompts(8)), 8) == pytest.approx(2 * 0.04, rel=0.05)


def test_predicted_norms_of_a_simulated_policy(recorded):
    policy, norms = recorded
    truth, _ = policy.truth
    for shape, drawn in norms.items():
        assert drawn.mean() == pytest.approx(truth.squared_norm(*shape), rel=0.05)
        assert abs(drawn.mean() - truth.squared_norm(*shape)) < 5 * drawn.std() / np.sqrt(len(drawn))


def test_the_parts_are_found_within_their_errors(recorded):
    policy, norms = recorded
    truth, best = policy.truth
    found = gradient_noise(norms)
    for name, error in zip(("slope_squared", "between", "oracle", "baseline"), found.errors, strict=True):
        assert abs(getattr(found, name) - getattr(truth, name)) < 5 * error, name
    ends = [1 + np.sqrt(max(found.baseline + s * 5 * found.errors[3], 0) / found.between) for s in (-1, 1)]
    assert ends[0] - 1 <= best <= ends[1] + 2


@pytest.mark.parametrize(
    ("norms", "message"),
    [
        ({(8, 4): 1.0, (4, 4): 1.0}, r"^norms must be of shapes that determine four parts"),
        ({(8, 4): 1.0, (4, 4): 1.0, (2, 4): 1.0, (1, 4): 1.0}, r"^norms must be of shapes that determine four parts"),
        ({(8, 4): [1.0, 2.0], (4, 4): 1.0}, r"^norms must have one value for each step"),
        ({(8, 1): 1.0}, r"^g must be at least 2, got 1"),
        ({(8, 4): -1.0}, r"^norms must lie in \[0, inf\], got -1"),
    ],
)
def test_errors(norms, message):
    with pytest.raises(ValueError, match=message):
        gradient_noise(norms)


def test_parts_without_a_sign_give_no_group_size():
    assert np.isnan(GradientNoise(0.1, -0.1, 1.0, 1.0, (0.0,) * 4).best_group_size)
    assert np.isnan(GradientNoise(-0.1, 0.1, 1.0, 1.0, (0.0,) * 4).critical_prompts(8))
