"""The anchored fit: it climbs its objective, keeps to the Beta where that is true, and leaves it where it is not."""

import numpy as np
import pytest

from rlsignal import Beta, Fixed, Recorded, degenerate_probability
from rlsignal.inference import anchored_estimate, beta_estimate
from rlsignal.inference.anchored import _chances, _grid, _masses, anchored_weights


def objective(data, fit, weights, strength=0.05):
    chances, prompts, _ = _chances(data)
    return prompts @ np.log(chances @ weights) + strength * prompts.sum() * _masses(fit) @ np.log(weights + 1e-300)


def drawn(rng, rates, n=8):
    return Recorded(rng.binomial(n, rates), n)


class TestTheFit:
    DATA = drawn(np.random.default_rng(0), np.repeat([0.0, 0.5], 100))

    def test_no_other_weights_are_better(self):
        fit = beta_estimate(self.DATA)
        weights = anchored_weights(self.DATA, fit)
        best, rng = objective(self.DATA, fit, weights), np.random.default_rng(1)
        for _ in range(50):
            other = weights * np.exp(rng.normal(0, 0.3, len(weights)))
            assert objective(self.DATA, fit, other / other.sum()) < best + 1e-3

    def test_a_strong_anchor_is_the_beta_and_a_weak_one_is_not(self):
        fit = beta_estimate(self.DATA)
        np.testing.assert_allclose(anchored_weights(self.DATA, fit, 1e6), _masses(fit), atol=1e-5)
        assert np.abs(anchored_weights(self.DATA, fit, 0.05) - _masses(fit)).sum() > 0.3

    def test_it_is_a_distribution_with_about_the_mean_of_the_data(self):
        found = anchored_estimate(self.DATA)
        assert found.weights.sum() == pytest.approx(1, abs=1e-12)
        assert found.mean == pytest.approx(float(self.DATA.mean), abs=0.01)

    def test_masses_are_the_beta_s(self):
        fit = beta_estimate(drawn(np.random.default_rng(0), np.random.default_rng(1).beta(0.7, 1.6, 400)))
        shares = _masses(fit) @ np.asarray(degenerate_probability(Fixed(_grid()), 8))
        assert shares == pytest.approx(degenerate_probability(fit.distribution, 8), abs=2e-3)

    def test_prompts_may_have_different_samples(self):
        rng = np.random.default_rng(0)
        n = rng.integers(2, 12, 300)
        data = Recorded(rng.binomial(n, rng.beta(1, 2, 300)), n)
        assert degenerate_probability(anchored_estimate(data), 16) == pytest.approx(
            degenerate_probability(Beta(1 / 3, 0.25), 16), abs=0.1
        )


class TestError:
    """Root mean squared error of the degenerate share at g = 32 from 8 samples of 400 prompts, 20 evaluations."""

    @staticmethod
    def errors(rates, truth):
        rng, off = np.random.default_rng(0), []
        for _ in range(20):
            data = drawn(rng, rates(rng))
            fit = beta_estimate(data)
            found = (fit.distribution, anchored_estimate(data, fit))
            off.append([degenerate_probability(p, 32) - truth for p in found])
        return np.sqrt(np.mean(np.square(off), 0))

    def test_where_no_beta_fits_it_is_half_or_less(self):
        beta, anchored = self.errors(lambda rng: rng.choice([0.0, 0.5], 400), 0.5)
        assert anchored < 0.5 * beta

    def test_where_a_beta_is_true_it_costs_little(self):
        truth = degenerate_probability(Beta(0.3, 0.3), 32)
        beta, anchored = self.errors(lambda rng: rng.beta(0.7, 0.7 * 7 / 3, 400), truth)
        assert anchored < 1.5 * beta
