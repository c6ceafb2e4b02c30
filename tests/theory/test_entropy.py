"""What entropy allows, and what it cannot say: caps, parts, flows, and the mean over a population."""

from dataclasses import replace
from itertools import product
from math import exp, inf, log

import mpmath
import numpy as np
import pytest
import sympy

from rlsignal import Beta, Fixed, Recorded, informative_probability
from rlsignal.estimators import ESTIMATORS, GRPO_NEMO
from rlsignal.inference import exponential_fit
from rlsignal.proofs.derivations import entropy as proofs
from rlsignal.theory.entropy import (
    LN2,
    Responses,
    binding_entropy,
    pass_rate_cap,
    reward_entropy,
    reward_variance_cap,
)

mp = mpmath.mp.clone()
mp.dps = 700

EXTREMES = (1e-300, 1e-17, 1e-8, 0.02, 0.3, 0.5, 0.9, 1 - 1e-8, 1 - 1e-16)


def h_b(p):
    q = 1 - p
    return -(p * mp.log(p) + q * mp.log(q))


class TestVerdictEntropy:
    @pytest.mark.parametrize("p", EXTREMES)
    def test_twelve_digits(self, p):
        assert abs(mp.mpf(reward_entropy(p)) / h_b(mp.mpf(p)) - 1) < 1e-12

    def test_edges(self):
        assert reward_entropy([0, 1]).tolist() == [0, 0]
        assert reward_entropy(0.5) == LN2
        assert reward_entropy(Fixed([0.1, 0.9])) == pytest.approx([reward_entropy(0.1)] * 2, rel=1e-15)

    @pytest.mark.parametrize("mean", EXTREMES)
    @pytest.mark.parametrize("rho", [1e-290, 1e-12, 1e-3, 0.1, 0.49, 0.9, 1 - 1e-12])
    def test_beta_population_to_twelve_digits(self, mean, rho):
        """Where mean (1-rho) is above 1e-300, as everywhere in Beta."""
        if mean * (1 - rho) < 1e-300:
            mean = 1e-280
        m, size = mp.mpf(mean), (1 - mp.mpf(rho)) / mp.mpf(rho)
        psi = [mp.psi(0, 1 + x) for x in (size, m * size, (1 - m) * size)]
        want = psi[0] - m * psi[1] - (1 - m) * psi[2]
        assert abs(mp.mpf(reward_entropy(Beta(mean, rho))) / want - 1) < 1e-12

    def test_population_limits(self):
        means = np.array([0, 0.02, 0.5, 1])
        np.testing.assert_array_equal(reward_entropy(Beta(means, 0)), reward_entropy(means))
        np.testing.assert_allclose(reward_entropy(Beta(means, 1e-14)), reward_entropy(means), rtol=1e-10)
        assert np.all(reward_entropy(Beta(means, 1)) == 0)
        assert reward_entropy(Beta(0.5, 1 / 3)) == pytest.approx(0.5, rel=1e-14)  # uniform on [0, 1]

    def test_population_against_draws(self):
        """The standard error is that of numbers in [0, ln 2]; the entropy at the mean, twice as large, is rejected."""
        population, draws = Beta(0.33, 0.49), 100_000
        size = 0.51 / 0.49
        p = np.random.default_rng(0).beta(0.33 * size, 0.67 * size, draws)
        seen, error = np.mean(reward_entropy(p)), LN2 / 2 / draws**0.5
        assert abs(seen - reward_entropy(population)) < 5 * error
        assert abs(seen - reward_entropy(0.33)) > 5 * error

    def test_counts_have_no_unbiased_estimate(self):
        with pytest.raises(ValueError, match=r"^p must be pass rates or a Beta, got a Recorded: .* Fit a Beta"):
            reward_entropy(Recorded([1], 4))


class TestCaps:
    @pytest.mark.parametrize(
        "entropy", [1e-300, 1e-100, 1e-10, 0.01, 0.1, 0.5, 0.593147, 0.594, 0.65, 0.6931, LN2 - 1e-12, LN2 - 2e-16]
    )
    def test_pass_rate_cap_inverts_the_entropy_to_twelve_digits(self, entropy):
        """One Newton step at 700 digits says how far the root is."""
        cap = mp.mpf(pass_rate_cap(entropy))
        step = (mp.mpf(entropy) - h_b(cap)) / (mp.log(1 - cap) - mp.log(cap))
        root = cap + step
        root += (mp.mpf(entropy) - h_b(root)) / (mp.log(1 - root) - mp.log(root))
        assert abs(cap / root - 1) < 1e-12

    @pytest.mark.parametrize("p", [1e-300, 1e-17, 1e-5, 0.02, 0.2, 0.28, 0.29, 0.4, 0.49])
    def test_round_trip(self, p):
        assert pass_rate_cap(reward_entropy(p)) == pytest.approx(p, rel=1e-12, abs=0)
        assert pass_rate_cap(reward_entropy(1 - p)) == pytest.approx(p, rel=1e-12, abs=1e-15)

    def test_rises_from_nothing_to_a_half(self):
        entropies = np.concatenate([[0, 5e-324, 1e-310], np.geomspace(1e-300, LN2, 300), [1, 24, inf]])
        caps = pass_rate_cap(entropies)
        assert np.all(np.diff(caps) >= 0)
        assert (caps[0], caps[-3:].tolist()) == (0, [0.5] * 3)
        assert pass_rate_cap(LN2) == pytest.approx(0.5, abs=1e-8)  # ln 2 rounded down is not quite ln 2

    def test_holds_for_random_policies_and_is_attained(self):
        generator = np.random.default_rng(1)
        for _ in range(200):
            n = generator.integers(2, 8)
            policy = Responses(generator.dirichlet(np.full(n, 0.1)), generator.integers(0, 2, n))
            p = policy.pass_rate
            assert min(p, 1 - p) <= pass_rate_cap(policy.entropy) * (1 + 1e-9)
            assert p * (1 - p) <= reward_variance_cap(policy.entropy) * (1 + 1e-9)
        coin = Responses([0.2, 0.8], [1, 0])
        assert pass_rate_cap(coin.entropy) == pytest.approx(coin.pass_rate, rel=1e-12)

    def test_the_population_cap_is_attained_and_no_population_passes_it(self):
        """Coins and certainties have E[pq] = E[h_b]/(4 ln 2); everybody else less. The one-prompt cap fails here."""
        share = 0.3
        entropy = share * LN2
        assert reward_variance_cap(entropy) == pytest.approx(share / 4, rel=1e-15)
        alike = pass_rate_cap(entropy) * (1 - pass_rate_cap(entropy))
        assert share / 4 > 1.3 * alike
        for mean in (0.01, 0.3, 0.5):
            for rho in (0, 0.1, 0.5, 0.99):
                population = Beta(mean, rho)
                assert population.reward_variance <= reward_variance_cap(reward_entropy(population)) * (1 + 1e-12)

    def test_the_variance_is_convex_in_the_entropy(self):
        """Which is why the chord is the cap of a population."""
        h = np.linspace(0, LN2, 400)
        variance = pass_rate_cap(h) * (1 - pass_rate_cap(h))
        assert np.all(np.diff(variance, 2) > -1e-12)
        assert np.all(variance <= reward_variance_cap(h) + 1e-15)

    def test_informative_groups_are_capped_with_the_pass_rate(self):
        for p in (0.001, 0.1, 0.7, 0.999):
            for g in (2, 8, 64):
                cap = informative_probability(pass_rate_cap(reward_entropy(p)), g)
                assert informative_probability(p, g) == pytest.approx(cap, rel=1e-11)

    def test_per_token(self):
        assert binding_entropy([100, 200, 500]) == pytest.approx([0.0069, 0.0035, 0.0014], abs=5e-5)
        for tokens in (1, 200, 1e6):
            assert reward_variance_cap(binding_entropy(tokens) * tokens) == pytest.approx(0.25, rel=1e-15)
            assert reward_variance_cap(binding_entropy(tokens) * tokens * 0.99) < 0.25
        assert pass_rate_cap(0.12 * 200) == 0.5  # what a low entropy per token says of a long response

    def test_a_response_is_as_entropic_as_its_tokens_together(self):
        """Two tokens, or one: the second's law is set by the first. Token entropies are summed, then averaged."""
        responses = np.array([0.2, 0.5 * 0.3, 0.5 * 0.7, 0.3 * 0.9, 0.3 * 0.1])
        first, after = np.array([0.2, 0.5, 0.3]), [reward_entropy(0.3), reward_entropy(0.9)]
        summed = -(first @ np.log(first)) + first[1:] @ after
        assert Responses(responses, [1, 0, 1, 0, 0]).entropy == pytest.approx(summed, rel=1e-14)
        length = 0.2 * 1 + 0.8 * 2
        pooled = summed / length  # all token entropies over all tokens
        assert pooled * length == pytest.approx(Responses(responses, [1, 0, 1, 0, 0]).entropy, rel=1e-14)
        own_means = 0.2 * -(first @ np.log(first)) + first[1:] @ ((-(first @ np.log(first)) + np.array(after)) / 2)
        assert own_means * length != pytest.approx(summed, rel=0.01)  # each response's mean first goes wrong


def policies(count=40):
    generator = np.random.default_rng(2)
    for _ in range(count):
        n = int(generator.integers(3, 9))
        correct = np.append([1, 0], generator.integers(0, 2, n - 2))
        yield generator.normal(0, 2, n), correct


def softmax(logits):
    return np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()


class TestParts:
    def test_they_make_the_whole(self):
        for logits, correct in policies():
            policy, chances = Responses(softmax(logits), correct), softmax(logits)
            parts = (
                reward_entropy(policy.pass_rate)
                + policy.pass_rate * policy.correct_entropy
                + (1 - policy.pass_rate) * policy.incorrect_entropy
            )
            assert policy.entropy == pytest.approx(-(chances @ np.log(chances)), rel=1e-12)
            assert parts == pytest.approx(policy.entropy, rel=1e-12)

    def test_log_gap_is_the_gap_of_the_mean_log_chances(self):
        for logits, correct in policies():
            chances, right = softmax(logits), correct == 1
            means = [chances[side] @ np.log(chances[side]) / chances[side].sum() for side in (right, ~right)]
            assert Responses(chances, correct).log_gap == pytest.approx(means[0] - means[1], rel=1e-10, abs=1e-12)

    @pytest.mark.parametrize("rare", [1e-300, 1e-20, 1e-9])
    @pytest.mark.parametrize("right", [True, False])
    def test_rare_classes_keep_their_digits(self, rare, right):
        """Also the entropy, all of which comes from a rare response."""
        policy = Responses([rare / 4, rare * 3 / 4, 1 - rare], [right, right, not right])
        x = mp.mpf(rare / 4), mp.mpf(rare * 3 / 4)
        want = -sum(c * mp.log(c) for c in x) - (1 - sum(x)) * mp.log(1 - sum(x))
        assert abs(mp.mpf(policy.entropy) / want - 1) < 1e-12
        assert (policy.correct_entropy if right else policy.incorrect_entropy) == pytest.approx(reward_entropy(0.25))
        assert (policy.correct_collision if right else policy.incorrect_collision) == pytest.approx(10 / 16)

    def test_a_dominant_response_keeps_the_digits_of_the_rest(self):
        policy = Responses([1e-30, 1 - 1e-30], [0, 0])
        assert abs(mp.mpf(policy.entropy) / h_b(mp.mpf(1e-30)) - 1) < 1e-12

    def test_edges(self):
        certain = Responses([1.0, 0.0, 0.0], [1, 1, 0])
        assert (certain.pass_rate, certain.entropy, certain.log_gap) == (1, 0, inf)
        assert (certain.incorrect_entropy, certain.incorrect_collision, certain.correct_collision) == (0, 0, 1)
        for natural in (True, False):
            assert certain.flow(natural=natural) == (0, 0, 0, 0)
        assert Responses([0.5, 0.5], [0, 0]).log_gap == -inf

    def test_says_what_is_wrong(self):
        with pytest.raises(
            ValueError, match=r"^chances must be one prompt's responses \[n\], adding up to 1, .* 0.9\."
        ):
            Responses([0.5, 0.4], [1, 0])
        with pytest.raises(ValueError, match=r"^chances must be one prompt's responses"):
            Responses([[0.5, 0.5]], [[1, 0]])
        with pytest.raises(ValueError, match=r"^chances must lie in \[0, 1\], got -0.5 at index 1"):
            Responses([1.5 - 0.5, -0.5, 0.5], [1, 0, 0])
        for correct in ([1], [1, 0.5]):
            with pytest.raises(ValueError, match=r"^correct must be 0 or 1 for each of the 2 responses"):
                Responses([0.5, 0.5], correct)
        with pytest.raises(ValueError, match=r"^weight must be finite, got inf\.$"):
            Responses([0.5, 0.5], [1, 0]).flow(weight=inf)
        with pytest.raises(ValueError, match=r"^entropy must lie in"):
            pass_rate_cap(-0.1)
        with pytest.raises(ValueError, match=r"^tokens must lie in"):
            binding_entropy(0)


def observed(logits, correct):
    """(p, H, H_C, H_I) at these logits, to 60 digits."""
    with mp.workdps(60):
        z = [mp.exp(x) for x in logits]
        chances = [x / sum(z) for x in z]
        classes = [[c for c, r in zip(chances, correct, strict=True) if r == side] for side in (1, 0)]
        inside = [-sum(c / sum(side) * mp.log(c / sum(side)) for c in side) for side in classes]
        return np.array([sum(classes[0]), -sum(c * mp.log(c) for c in chances), *inside])


def rates(logits, correct, direction):
    """Central differences of `observed` along `direction`: h^2 at 60 digits leaves 1e-30."""
    step = mp.mpf(10) ** -15
    ends = [
        observed([mp.mpf(float(x)) + s * step * d for x, d in zip(logits, direction, strict=True)], correct)
        for s in (1, -1)
    ]
    return [float(x) for x in (ends[0] - ends[1]) / (2 * step)]


class TestFlow:
    @pytest.mark.parametrize("weight", [1.0, 2.6])
    def test_plain_gradient_against_differences(self, weight):
        """Logits move by w dp/dlogit = w pi (r - p), itself by differences."""
        for logits, correct in policies(12):
            z = [mp.exp(mp.mpf(float(x))) for x in logits]
            p = sum(x for x, r in zip(z, correct, strict=True) if r) / sum(z)
            direction = [weight * x / sum(z) * (int(r) - p) for x, r in zip(z, correct, strict=True)]
            flow = Responses(softmax(logits), correct).flow(weight=weight)
            assert flow == pytest.approx(rates(logits, correct, direction), rel=1e-9, abs=1e-13)

    def test_natural_gradient_against_differences(self):
        """The direction solves F u = w grad p with the Fisher matrix of the softmax itself, not by the rule."""
        for logits, correct in policies(12):
            chances = softmax(logits)
            fisher = np.diag(chances) - np.outer(chances, chances)
            slope = chances * (correct - chances @ correct)
            direction = 1.7 * np.linalg.lstsq(fisher, slope, rcond=1e-14)[0]
            flow = Responses(chances, correct).flow(weight=1.7, natural=True)
            assert flow == pytest.approx(rates(logits, correct, [float(x) for x in direction]), rel=1e-6, abs=1e-9)

    def test_entropy_falls_exactly_where_right_responses_are_likelier(self):
        for logits, correct in policies():
            policy = Responses(softmax(logits), correct)
            assert np.sign(policy.flow(natural=True).entropy) == -np.sign(policy.log_gap)

    def test_the_sign_rule_is_not_the_plain_gradients(self):
        """There H_C and H_I have their say: of 400 policies some gain entropy at a positive gap, or lose it."""
        pairs = [(p.flow().entropy, p.log_gap) for p in (Responses(softmax(x), r) for x, r in policies(400))]
        assert any(rate * gap > 0 for rate, gap in pairs)

    def test_plain_gradient_sharpens_right_answers_and_flattens_wrong_ones(self):
        for logits, correct in policies():
            flow = Responses(softmax(logits), correct).flow()
            assert flow.pass_rate > 0
            assert flow.correct_entropy <= 1e-16
            assert flow.incorrect_entropy >= -1e-16
        flat = Responses([0.2, 0.2, 0.3, 0.3], [1, 1, 0, 0]).flow()  # equals stay equal
        assert flat[2:] == pytest.approx((0, 0), abs=1e-16)

    def test_entropy_inside_the_classes_does_not_raise_the_speed(self):
        """Same p = 0.1; correct and incorrect mass split over ever more equal responses."""
        speeds = {natural: [] for natural in (True, False)}
        for m in (1, 2, 8, 64):
            policy = Responses(np.repeat([0.1 / m, 0.9 / m], m), np.repeat([1, 0], m))
            assert policy.entropy == pytest.approx(reward_entropy(0.1) + log(m), rel=1e-12)
            for natural, seen in speeds.items():
                seen.append(policy.flow(natural=natural).pass_rate)
        assert speeds[True] == pytest.approx([0.09] * 4, rel=1e-12)
        assert speeds[False] == pytest.approx([2 * 0.09**2 / m for m in (1, 2, 8, 64)], rel=1e-12)

    def test_along_a_natural_run_entropy_is_a_function_of_the_pass_rate(self):
        """h_b(p) + p H_C + q H_I of the start, with its peak ln(e^H_C + e^H_I) where p has odds e^(H_C - H_I)."""
        start = Responses([0.01, 0.03, 0.5, 0.36, 0.1], [1, 1, 0, 0, 0])
        right, wrong = start.correct_entropy, start.incorrect_entropy
        peak = exp(right) / (exp(right) + exp(wrong))
        for p in (0.01, 0.2, peak, 0.8, 0.999):
            moved = np.array([*np.array([0.25, 0.75]) * p, *np.array([0.5, 0.36, 0.1]) / 0.96 * (1 - p)])
            policy = Responses(moved, start.correct)
            assert policy.entropy == pytest.approx(reward_entropy(p) + p * right + (1 - p) * wrong, rel=1e-12)
            assert np.sign(round(policy.flow(natural=True).entropy, 12)) == np.sign(round(peak - p, 12))
        assert reward_entropy(peak) + peak * right + (1 - peak) * wrong == pytest.approx(log(exp(right) + exp(wrong)))

    @pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda e: e.name)
    def test_a_batch_measures_it(self, estimator):
        """E[-mean A ln pi] is dH/dt of the natural gradient wherever groups sum to zero: all 256 groups of 4."""
        g, policy = 4, Responses([0.02, 0.08, 0.6, 0.3], [1, 1, 0, 0])
        drawn = np.array(list(product(range(4), repeat=g)))
        seen = -(estimator.advantages(np.asarray(policy.correct, int)[drawn]) * np.log(policy.chances)[drawn]).mean(-1)
        mean = np.prod(np.asarray(policy.chances)[drawn], -1) @ seen
        want = policy.flow(weight=estimator.weight(policy.pass_rate, g), natural=True).entropy
        assert (mean == pytest.approx(want, rel=1e-12)) == (estimator is not GRPO_NEMO)


PROOFS = (
    proofs.parts_of_entropy,
    proofs.entropy_under_the_natural_gradient,
    proofs.entropy_under_the_plain_gradient,
    proofs.entropy_of_a_population,
)


class TestRewardOverEntropy:
    """N8, by differences along a natural run whose parts inside the classes stand still."""

    @pytest.mark.parametrize(("correct", "incorrect"), [(0.0, 0.0), (1.0, 3.0), (2.0, 0.5)])
    @pytest.mark.parametrize("p", [0.2, 0.45, 0.9])
    def test_how_fast_it_steepens(self, correct, incorrect, p):
        h = 1e-4
        x = p + h * np.arange(-2, 3)
        entropy = reward_entropy(x) + x * correct + (1 - x) * incorrect
        slope = np.log(np.abs(np.gradient(x, entropy)))
        steepening = (slope[3] - slope[1]) / (entropy[3] - entropy[1])
        gap = np.log(p / (1 - p)) - correct + incorrect
        assert steepening == pytest.approx(1 / (p * (1 - p) * gap**2), rel=1e-3)

    def test_it_is_the_variance_between_verdicts(self):
        chances, right = np.array([0.05, 0.15, 0.5, 0.2, 0.1]), np.array([1, 1, 0, 0, 0])
        policy = Responses(chances, right)
        means = [np.average(np.log(chances), weights=chances * (right == side)) for side in (1, 0)]
        whole = np.average(np.log(chances), weights=chances)
        between = sum(chances @ (right == side) * (mean - whole) ** 2 for side, mean in zip((1, 0), means, strict=True))
        assert policy.log_variance_between == pytest.approx(between, rel=1e-12)
        assert Responses([1.0, 0.0], [1, 0]).log_variance_between == 0


@pytest.mark.slow
@pytest.mark.parametrize("natural", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_exponential_law_along_a_run(seed, natural):
    """The figures of N8: it fits most of a run, and misses where the run leads."""
    logits, right = np.random.default_rng(seed).normal(0, 1.5, 64), np.arange(64) < 4
    chances = np.exp(logits)
    chances[right] *= 0.05 / chances[right].sum()
    chances[~right] *= 0.95 / chances[~right].sum()
    logits, rates, entropies = np.log(chances), [], []
    while not rates or rates[-1] < 0.96:
        for _ in range(10):
            policy = np.exp(logits - logits.max())
            policy /= policy.sum()
            p = policy @ right
            logits = logits + (0.004 * (right - p) if natural else 0.04 * policy * (right - p))
        rates.append(p)
        entropies.append(Responses(policy, right).entropy)
    rates, entropies = np.array(rates), np.array(entropies)
    law = exponential_fit(entropies[rates <= 0.8], rates[rates <= 0.8])
    low, high = (0.965, 0.985) if natural else (0.91, 0.97)
    assert low < law.explained < high
    low, high = (0.915, 0.955) if natural else (0.795, 0.825)
    assert low < law.predict(entropies[-1]) < high


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.__name__)
class TestProofs:
    def test_holds(self, proof):
        assert proof().check().label.startswith("N")

    def test_breaks_with_any_of_its_steps(self, proof):
        whole = proof()
        for number, step in enumerate(whole.steps, 1):
            if step.kind == "identity":
                steps = list(whole.steps)
                steps[number - 1] = replace(step, rhs=step.rhs + sympy.Symbol("slip"))
                with pytest.raises(ArithmeticError, match=f"step {number} is not confirmed"):
                    replace(whole, steps=tuple(steps)).check()


def test_proofs_say_what_the_library_computes():
    policy = Responses([0.05, 0.15, 0.5, 0.3], [1, 1, 0, 0])
    parts = {"p": policy.pass_rate, "H_C": policy.correct_entropy, "H_I": policy.incorrect_entropy}
    assert proofs.parts_of_entropy().value(**parts) == pytest.approx(policy.entropy, rel=1e-12)
    slope = proofs.entropy_under_the_natural_gradient().value(**parts, w=1.3)
    assert slope == pytest.approx(policy.flow(weight=1.3, natural=True).entropy, rel=1e-12)
    c, d = np.array([0.25, 0.75]), np.array([0.625, 0.375])
    both = {"E_C(c*ln(c))": c**2 @ np.log(c), "E_I(d*ln(d))": d**2 @ np.log(d)}
    kappas = {"kappa_C": policy.correct_collision, "kappa_I": policy.incorrect_collision}
    slope = proofs.entropy_under_the_plain_gradient().value(**parts, **both, **kappas, w=1.3)
    assert slope == pytest.approx(policy.flow(weight=1.3).entropy, rel=1e-12)
    mean = proofs.entropy_of_a_population().value(a=0.4, b=1.6)
    assert mean == pytest.approx(reward_entropy(Beta(0.2, 1 / 3)), rel=1e-12)
