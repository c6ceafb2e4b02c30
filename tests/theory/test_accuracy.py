"""How many digits: the public functions at random and extreme inputs, against 700 digits fed the same floats exactly.

Closed forms to 1e-12 for p in [1e-300, 1 - 1e-16] and groups up to a million, sums over a law to 1e-11 up to 4096, both
wherever the true value is at least 1e-300.
"""

import mpmath
import numpy as np
import pytest

from rlsignal import (
    GRPO,
    MAXRL,
    RLOO,
    Beta,
    advantage_variance,
    degenerate_probability,
    informative_probability,
    pass_at_k,
)
from rlsignal.estimators import posterior_baseline
from rlsignal.theory import (
    forecast,
    informative_group_bias,
    learning_speed,
    noisy_pass_rate,
    pass_at_k_weight,
    rollouts_per_accepted_group,
    rollouts_to_informative,
    rollouts_to_success,
    signal_to_noise_cap,
    variance_of_advantage_variance,
)

mp = mpmath.mp.clone()
mp.dps = 700
TINY = mp.mpf("1e-300")
DRAWS = 300


def pass_rates(generator, size):
    """Rare, nearly certain, and in between; with the extremes themselves."""
    kinds = generator.integers(0, 3, size)
    rare, common = 10 ** -generator.uniform(0, 300, size), 1 - 10 ** -generator.uniform(0.3, 16, size)
    p = np.select([kinds == 0, kinds == 1], [rare, common], generator.uniform(0, 1, size))
    p[:4] = 1e-300, 1 - 1e-16, 0.5, 1e-16
    return np.clip(p, 1e-300, 1 - 1e-16)


def sizes(generator, largest, size):
    g = np.exp(generator.uniform(np.log(2), np.log(largest), size)).astype(int)
    g[:4] = largest, largest, 2, 3
    return g


def one_prompt(p, g):
    """What the closed forms should say, by name."""
    q, degenerate = 1 - p, p**g + (1 - p) ** g
    return {
        advantage_variance: p * q * (g - 1) / g,
        variance_of_advantage_variance: (g - 1) * p * q * ((g - 1) * (1 - 2 * p) ** 2 + 2 * p * q) / mp.mpf(g) ** 3,
        degenerate_probability: degenerate,
        informative_probability: 1 - degenerate,
        pass_at_k: 1 - q**g,
        pass_at_k_weight: g * q ** (g - 1),
        informative_group_bias: (p * q**g - q * p**g) / (1 - degenerate),
        rollouts_per_accepted_group: g / (1 - degenerate),
        signal_to_noise_cap: g / (1 / (p * q) - 4 + mp.mpf(2) / (g - 1)),
    }


def held(got, want, tolerance, *where):
    if abs(want) >= TINY:
        assert abs(mp.mpf(float(got)) / want - 1) < tolerance, where


def test_closed_forms_of_one_prompt():
    generator = np.random.default_rng(0)
    for p, g in zip(pass_rates(generator, DRAWS), sizes(generator, 10**6, DRAWS), strict=True):
        for function, want in one_prompt(mp.mpf(float(p)), int(g)).items():
            held(function(p, int(g)), want, 1e-12, function.__name__, p, g)


def test_closed_forms_without_a_group():
    generator = np.random.default_rng(1)
    for p in pass_rates(generator, DRAWS):
        x = mp.mpf(float(p))
        held(rollouts_to_informative(p), 1 / x + 1 / (1 - x) - 1, 1e-12, p)
        held(rollouts_to_success(p), mp.log(1 - mp.mpf(0.95)) / mp.log(1 - x), 1e-12, p)
        misses, alarms = generator.uniform(0, 0.5, 2)
        want = (1 - mp.mpf(misses)) * x + mp.mpf(alarms) * (1 - x)
        held(noisy_pass_rate(p, fnr=misses, fpr=alarms), want, 1e-12, p, misses, alarms)


def test_closed_forms_of_a_population():
    generator = np.random.default_rng(2)
    dispersions = np.where(generator.random(60) < 0.5, 10 ** -generator.uniform(0, 12, 60), generator.uniform(0, 1, 60))
    for mean, rho, g in zip(pass_rates(generator, 60), dispersions, sizes(generator, 1000, 60), strict=True):
        m, r, population = mp.mpf(float(mean)), mp.mpf(float(rho)), Beta(mean, rho)

        def run(chance, n, r=r):
            return mp.fprod((chance * (1 - r) + i * r) / (1 - r + i * r) for i in range(n)) if n else mp.mpf(1)

        right, wrong, g = run(m, int(g)), run(1 - m, int(g)), int(g)
        answers = {
            advantage_variance: m * (1 - m) * (1 - r) * (g - 1) / g,
            degenerate_probability: right + wrong,
            informative_probability: 1 - right - wrong,
            pass_at_k: 1 - wrong,
            pass_at_k_weight: g * run(1 - m, g - 1),
        }
        for function, want in answers.items():
            held(function(population, g), want, 1e-12, function.__name__, mean, rho, g)


def test_sums_over_a_law():
    """Where a sum has a closed form, that is what it is held against."""
    generator = np.random.default_rng(3)
    for p, g in zip(pass_rates(generator, 80), sizes(generator, 4096, 80), strict=True):
        x, g = mp.mpf(float(p)), int(g)
        q, mean, rho = 1 - x, *generator.uniform(0.01, 0.99, 2)
        m, r = mp.mpf(mean), mp.mpf(rho)
        answers = [
            (RLOO.weight(p, g), mp.mpf(1)),
            (MAXRL.weight(p, g), (1 - q ** (g - 1)) / x),
            (RLOO.objective(p, g), x),
            (GRPO.second_moment(p, g), 1 - x**g - q**g),
            (RLOO.second_moment(p, g), x * q * g / (g - 1)),
            (
                posterior_baseline(mean, rho).second_moment(Beta(mean, rho), g),
                m * (1 - m) * (1 - r) * (1 + (g - 1) * r) / (1 + (g - 2) * r),
            ),
        ]
        for at, (got, want) in enumerate(answers):
            held(got, want, 1e-11, at, p, g, mean, rho)


@pytest.mark.parametrize("slip", [1e-11, -1e-11])
def test_a_lost_digit_would_be_seen(slip):
    with pytest.raises(AssertionError):
        held(advantage_variance(0.3, 8) * (1 + slip), mp.mpf(0.3) * (1 - mp.mpf(0.3)) * 7 / 8, 1e-12)


LIMITS = {
    "variance": advantage_variance,
    "degenerate": degenerate_probability,
    "informative": informative_probability,
    "pass@k": pass_at_k,
    "pass@k weight": pass_at_k_weight,
    "variance of variance": variance_of_advantage_variance,
    "accepted group": rollouts_per_accepted_group,
    **{
        f"{x.name} {name}": getattr(x, name)
        for x in (GRPO, RLOO, MAXRL)
        for name in ("weight", "objective", "variance")
    },
    "speed": lambda p, g: learning_speed(p, g, GRPO),
    "forecast": lambda p, g: forecast(p, g, GRPO, budget=1.0),
}


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("g", [2, 8, 1000])
def test_ends_are_the_limits_of_what_is_near_them(name, g):
    """At p = 0 and 1, alone and among others, no NaN and no warning, and the value is where the nearest floats lead."""
    ends, near = (np.asarray(LIMITS[name](np.array(p), g), float) for p in ([0.0, 1.0], [1e-300, 1 - 1e-16]))
    assert not np.isnan(ends).any()
    finite = np.isfinite(ends)
    np.testing.assert_allclose(ends[finite], near[finite], rtol=1e-9, atol=1e-9)
    assert (near[~finite] > 1e15).all()
    for p, value in zip((0.0, 1.0), ends, strict=True):
        assert float(LIMITS[name](p, g)) == value
