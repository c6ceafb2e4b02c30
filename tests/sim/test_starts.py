"""Starts: every builder reaches its targets or says what was reachable, and each knob moves only what it should."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import fsolve
from scipy.special import betainc, expit, logit, ndtr, ndtri

from rlsignal import Beta, Fixed, Recorded
from rlsignal.sim import (
    Recipe,
    from_pass_rates,
    log_pass_rates,
    measure_tabular,
    reachable_entropy,
    sharpened,
    temper,
)
from rlsignal.sim.starts import beta_log_odds, reward_entropy, shaped_logits, sharpened_logits, two_point_log_odds

KEY = jax.random.key(12)
TOLERANCE = 1e-3  # as promised, in pass rate, dispersion and nats
RECIPE = Recipe(prompts=200, responses=16, correct=4)
MOST = {p: reachable_entropy(p, RECIPE)[1] for p in (0.05, 0.3, 0.5, 0.9)}


def grid(*values):
    return np.stack([axis.ravel() for axis in np.meshgrid(*values, indexing="ij")])


def built(builder, targets):
    """The starts and Metrics of one builder over targets [numbers, cells], all with the same prompts."""

    def one(*numbers):
        logits = builder(KEY, RECIPE, *numbers)
        return logits, measure_tabular(logits, RECIPE)

    return jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(*jnp.asarray(targets, jnp.float32)))


def dispersed_logits(key, recipe, mean, dispersion, within_entropy):
    """What `from_pass_rates` of a Beta builds, for jit and vmap."""
    rates_key, shape_key = jax.random.split(key)
    return shaped_logits(shape_key, recipe, beta_log_odds(rates_key, recipe, mean, dispersion), within_entropy)


# Every builder is compiled once, for what can be reached and, last, what cannot.

SHARPENED = np.stack([(p, share * most) for p, most in MOST.items() for share in (0.05, 0.3, 0.6, 0.9, 0.999)], axis=1)
SHARPENED_LOST = np.array([(0.5, 3.2), (0.5, -1.0), (0.05, 1.02 * MOST[0.05]), (0.3, np.nan)]).T

_means, _dispersions, _shares = grid(list(MOST), [0.0, 0.05, 0.5, 0.9, 0.99], [0.0, 0.5, 1.0])
DISPERSED = np.stack([_means, _dispersions, _shares * (_means * np.log(4) + (1 - _means) * np.log(12))])
DISPERSED_LOST = np.array([(0.3, 1.0, 1.0), (0.3, 1.5, 1.0), (0.3, 0.5, 3.0), (0.3, 0.5, -0.1), (0.3, -0.1, 1.0)]).T

_means, _dispersions = grid([0.05, 0.3, 0.5], [0.0, 0.3, 0.6, 0.9])
MATCHED = np.stack([_means, _dispersions, 0.6 + 0.6 * _means])  # above the reward_entropy of identical prompts
MATCHED_LOST = np.array([(0.3, 0.0, 0.6), (0.3, 0.0, 3.0)]).T  # h_b(0.3) is 0.611


@pytest.fixture(scope="module")
def sharpening():
    return built(sharpened_logits, np.hstack([SHARPENED, SHARPENED_LOST]))


@pytest.fixture(scope="module")
def dispersed():
    return built(dispersed_logits, np.hstack([DISPERSED, DISPERSED_LOST]))


@pytest.fixture(scope="module")
def matched():
    """Given the response entropy: the classes take what reward_entropy leaves of it."""
    means, dispersions, entropies = np.hstack([MATCHED, MATCHED_LOST]).astype(np.float32)
    rates_key, _ = jax.random.split(KEY)
    odds = jax.vmap(lambda *of: beta_log_odds(rates_key, RECIPE, *of))(means, dispersions)
    return built(dispersed_logits, np.stack([means, dispersions, entropies - reward_entropy(odds)]))


def close(got, want):
    """`want` may be shorter: what is out of reach comes last."""
    np.testing.assert_allclose(got[: len(want)], want, rtol=0, atol=TOLERANCE)


def pass_rates_of(logits):
    return np.asarray(jnp.exp(log_pass_rates(logits, RECIPE.correct)[0]), np.float64)


class TestTargets:
    def test_sharpening_family(self, sharpening):
        rates, entropies = SHARPENED
        close(sharpening[1].pass_at_1, rates)
        close(sharpening[1].entropy, entropies)

    def test_spread_pass_rates(self, dispersed):
        """From identical prompts to almost all of them certain."""
        means, dispersions, within = DISPERSED
        close(dispersed[1].pass_at_1, means)
        close(dispersed[1].dispersion, dispersions)
        close(dispersed[1].within_entropy, within)

    def test_matched_keep_mean_and_entropy_whatever_the_dispersion(self, matched):
        means, dispersions, entropies = MATCHED
        close(matched[1].pass_at_1, means)
        close(matched[1].dispersion, dispersions)
        close(matched[1].entropy, entropies)
        assert np.ptp(matched[1].within_entropy[: len(means)]) > 0.3  # what makes up for it

    @pytest.mark.parametrize(
        ("family", "lost"), [("sharpening", SHARPENED_LOST), ("dispersed", DISPERSED_LOST), ("matched", MATCHED_LOST)]
    )
    def test_under_jit_what_is_out_of_reach_is_nan_and_nothing_else_is(self, family, lost, request):
        logits, metrics = request.getfixturevalue(family)
        missing = np.arange(len(logits)) >= len(logits) - lost.shape[1]
        np.testing.assert_array_equal(np.isnan(logits).all((1, 2)), missing)
        np.testing.assert_array_equal(np.isnan(logits).any((1, 2)), missing)
        for name, values in zip(metrics._fields, metrics, strict=True):
            np.testing.assert_array_equal(np.isnan(values.reshape(len(logits), -1)).all(-1), missing, err_msg=name)

    def test_what_is_out_of_reach_is_nan_however_it_is_compiled(self):
        """XLA's exp of a NaN that it knows of may be any number, so what reads logits has to say NaN itself."""
        metrics = jax.jit(lambda entropy: measure_tabular(sharpened_logits(KEY, RECIPE, 0.5, entropy), RECIPE))(3.2)
        for name, value in zip(metrics._fields, metrics, strict=True):
            assert np.all(np.isnan(value)), name

    def test_two_rates_keep_mean_dispersion_and_entropy_whatever_the_lower_one(self):
        """Fifty prompts cannot be split into any two shares, so the higher rate gives way. 0.28 would need one of 5."""
        recipe, lows = Recipe(prompts=50, responses=16, correct=4), np.array([1e-6, 1e-3, 0.0127, 0.05, 0.28])

        odds = np.stack([two_point_log_odds(recipe, low, 0.3, 0.5) for low in lows])

        def one(log_odds, within_entropy):
            logits = shaped_logits(KEY, recipe, log_odds, within_entropy)
            return logits, measure_tabular(logits, recipe)

        logits, metrics = jax.tree.map(np.asarray, jax.jit(jax.vmap(one))(odds, 1.0 - reward_entropy(odds)))
        np.testing.assert_array_equal(np.isnan(logits).all((1, 2)), lows == 0.28)
        for low, row in zip(lows[:-1], pass_rates_of(logits), strict=False):
            at_low = np.isclose(row, low, rtol=1e-4, atol=0)
            assert 0.4 < at_low.mean() < 0.8
            assert row[~at_low].min() > 0.35
        for got, want in ((metrics.pass_at_1, 0.3), (metrics.dispersion, 0.5), (metrics.entropy, 1.0)):
            close(got, np.full(4, want))

    def test_one_pass_rate_for_each_prompt(self):
        """A Beta's public door is tried in its docstring; here the other distribution."""
        p = np.geomspace(1e-6, 0.999, RECIPE.prompts)
        logits = from_pass_rates(KEY, RECIPE, Fixed(p), within_entropy=0.7)
        np.testing.assert_allclose(pass_rates_of(logits), p, rtol=1e-5)
        close([measure_tabular(logits, RECIPE).within_entropy], [0.7])

    def test_prompts_are_drawn_by_the_key(self):
        one, two = (np.asarray(sharpened_logits(jax.random.key(seed), RECIPE, 0.3, 1.0)) for seed in (1, 2))
        assert np.abs(one - two).max() > 0.1
        np.testing.assert_array_equal(one, sharpened_logits(jax.random.key(1), RECIPE, 0.3, 1.0))


class TestKnobs:
    def test_temper_changes_entropy_alone(self):
        start = sharpened(KEY, RECIPE, pass_rate=0.3, entropy=1.0)
        low, high = reachable_entropy(pass_rates_of(start), RECIPE)
        for entropy in (low, 0.9, 1.5, high):
            after = temper(start, RECIPE, entropy=entropy)
            close([measure_tabular(after, RECIPE).entropy], [entropy])
            np.testing.assert_allclose(pass_rates_of(after), pass_rates_of(start), rtol=1e-5, atol=1e-6)
            for part in (slice(0, 4), slice(4, None)):
                np.testing.assert_array_equal(np.argmax(start[:, part], -1), np.argmax(after[:, part], -1))

    def test_within_entropy_leaves_the_pass_rates_alone(self, dispersed):
        """The three entropies of each mean and dispersion."""
        rates = pass_rates_of(dispersed[0][: DISPERSED.shape[1]]).reshape(-1, 3, RECIPE.prompts)
        np.testing.assert_allclose(rates[:, 1:], np.repeat(rates[:, :1], 2, 1), rtol=1e-4, atol=1e-7)

    def test_sharpening_is_one_knob_as_in_fine_tuning(self, sharpening):
        """At equal pass@1 less entropy is more dispersion."""
        dispersion = sharpening[1].dispersion[: SHARPENED.shape[1]].reshape(len(MOST), -1)
        assert np.all(np.diff(dispersion) < -0.01)


class TestReachableEntropy:
    def test_design_case(self):
        assert reachable_entropy(0.5, RECIPE) == pytest.approx((0.693, 2.629), abs=5e-4)

    def test_is_the_mean_over_prompts_of_decided_and_even_classes(self):
        p = np.array([0.1, 0.5, 0.8])
        undecided = -(p * np.log(p) + (1 - p) * np.log(1 - p))
        even = np.hstack([np.repeat(p[:, None] / 4, 4, 1), np.repeat((1 - p)[:, None] / 12, 12, 1)])
        low, high = reachable_entropy(p, RECIPE)
        assert low == pytest.approx(undecided.mean(), rel=1e-12)
        assert high == pytest.approx(-(even * np.log(even)).sum(-1).mean(), rel=1e-12)

    @pytest.mark.parametrize("p", [0.0, 1.0, [0.0, 1.0]])
    def test_certain_prompts_have_no_reward_entropy(self, p):
        low, high = reachable_entropy(p, RECIPE)
        assert low == 0
        assert high == pytest.approx(np.mean(np.where(np.asarray(p) == 1, np.log(4), np.log(12))))


WITH = "with 4 correct and 12 incorrect responses"
WAY_OUT = (
    "Move it inside, off the edge, or change the responses; shares that are equal cannot be sharpened, and few prompts "
    "leave gaps."
)


class TestErrors:
    @pytest.mark.parametrize(
        ("call", "message"),
        [
            (
                lambda: sharpened(KEY, RECIPE, pass_rate=0.5, entropy=3.2),
                f"entropy must lie in (0, 2.629] nats at pass@1 0.5 {WITH}, got 3.2. {WAY_OUT}",
            ),
            (
                lambda: sharpened(KEY, RECIPE, pass_rate=0.5, entropy=-1),
                f"entropy must lie in (0, 2.629] nats at pass@1 0.5 {WITH}, got -1. {WAY_OUT}",
            ),
            (
                lambda: from_pass_rates(KEY, RECIPE, Fixed(0.3), within_entropy=3.2),
                f"within_entropy must lie in [0, 2.155] nats at pass@1 0.3 {WITH}, got 3.2. {WAY_OUT}",
            ),
            (
                lambda: temper(from_pass_rates(KEY, RECIPE, Fixed(0.5), within_entropy=1), RECIPE, entropy=3.2),
                f"entropy must lie in [0.6931, 2.629] nats at pass@1 0.5 {WITH}, got 3.2. {WAY_OUT}",
            ),
            (
                lambda: temper(from_pass_rates(KEY, RECIPE, Fixed(0.5), within_entropy=1), RECIPE, entropy=0.6),
                f"entropy must lie in [0.6931, 2.629] nats at pass@1 0.5 {WITH}, got 0.6. {WAY_OUT}",
            ),
            (lambda: sharpened(KEY, RECIPE, pass_rate=1, entropy=1), "pass_rate must lie in (0, 1), got 1."),
            (
                lambda: from_pass_rates(KEY, RECIPE, Fixed(0.0), within_entropy=1),
                "pass rates must lie in (0, 1), got 0. No finite logits give 0 or 1.",
            ),
            (
                lambda: from_pass_rates(KEY, RECIPE, Fixed([0.5, 1.0]), within_entropy=1),
                "pass rates must lie in (0, 1), got 1 at index 1. No finite logits give 0 or 1.",
            ),
            (
                lambda: from_pass_rates(KEY, RECIPE, Fixed([0.5, 0.6]), within_entropy=1),
                "distribution must be one Beta, or Fixed with one pass rate or 200, got shape (2,). "
                "Change the distribution or Recipe(prompts=...).",
            ),
            (
                lambda: from_pass_rates(KEY, RECIPE, Beta([0.5, 0.6], 0.1), within_entropy=1),
                "distribution must be one Beta, or Fixed with one pass rate or 200, got shape (2,). "
                "Change the distribution or Recipe(prompts=...).",
            ),
            (
                lambda: from_pass_rates(KEY, Recipe(prompts=2), Beta(0.3, 0.9), within_entropy=1),
                "dispersion must be one that 2 prompts of mean 0.3 can have, got 0.9. "
                "Take more prompts or less dispersion.",
            ),
            (
                lambda: from_pass_rates(KEY, RECIPE, Recorded([1, 2], 4), within_entropy=1),
                "distribution must be Fixed or Beta, got Recorded. Counts do not say how pass rates lie between them: "
                "fit Beta(mean, dispersion_for(mean, degenerate, g)) first.",
            ),
        ],
    )
    def test_out_of_reach(self, call, message):
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value) == message

    @pytest.mark.parametrize("distribution", [0.3, np.full(RECIPE.prompts, 0.3)], ids=["number", "array"])
    def test_bare_pass_rates_are_not_a_distribution(self, distribution):
        with pytest.raises(ValueError, match=r"^distribution must be Fixed or Beta, got (float|ndarray)\."):
            from_pass_rates(KEY, RECIPE, distribution, within_entropy=1)

    @pytest.mark.parametrize(
        ("call", "why"),
        [
            (
                lambda: sharpened(KEY, Recipe(prompts=4, responses=16, correct=4), pass_rate=0.3, entropy=0.05),
                "few prompts leave gaps",
            ),
            (
                lambda: temper(jnp.zeros((RECIPE.prompts, 16)), RECIPE, entropy=1.5),
                "shares that are equal cannot be sharpened",
            ),
        ],
        ids=["four prompts cannot all be decided", "equal logits stay equal"],
    )
    def test_a_target_refused_inside_the_region_is_told_why(self, call, why):
        with pytest.raises(ValueError, match=why):
            call()

    @pytest.mark.parametrize("shape", [(2, 16), (200, 5)])
    def test_temper_refuses_logits_of_another_shape(self, shape):
        with pytest.raises(ValueError, match=r"logits must have shape \[prompts, responses\] = \[200, 16\]"):
            temper(jax.random.normal(KEY, shape), RECIPE, entropy=1.5)


POINTS = np.array([1e-6, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99])
DRAWS = 160


@pytest.fixture(scope="module")
def drawn():
    """(mean, dispersion) -> pass rates [draws, prompts]."""
    keys = jax.random.split(KEY, DRAWS)
    many = jax.jit(lambda *of: jax.vmap(lambda key: beta_log_odds(key, RECIPE, *of))(keys))
    return lambda mean, dispersion: expit(np.asarray(many(mean, dispersion), np.float64))


class TestBetaLogOdds:
    """Prompts as from a Beta, with its mean and dispersion exactly."""

    @pytest.mark.parametrize(("mean", "dispersion"), [(0.3, 0.5), (0.1, 0.3), (0.3, 0.85), (0.5, 0.2)])
    def test_every_draw_has_the_moments_and_all_of_them_the_quantiles(self, drawn, mean, dispersion):
        """The distance from the Beta's distribution function, as in a Kolmogorov-Smirnov test, at a few points.

        Five standard errors of a share of 32000 prompts are at most 0.014; the map that fixes each draw's moments
        biases a share by up to one over its 200 prompts.
        """
        p = drawn(mean, dispersion)
        np.testing.assert_allclose(p.mean(-1), mean, atol=1e-5)
        np.testing.assert_allclose(p.var(-1) / (p.mean(-1) * (1 - p.mean(-1))), dispersion, atol=1e-5)
        share = (p.ravel()[:, None] <= POINTS).mean(0)
        allowed = 2.5 / np.sqrt(p.size) + 1 / RECIPE.prompts
        size = (1 - dispersion) / dispersion
        assert np.abs(share - betainc(mean * size, (1 - mean) * size, POINTS)).max() < allowed
        size *= 1.3  # a Beta of less dispersion
        assert np.abs(share - betainc(mean * size, (1 - mean) * size, POINTS)).max() > allowed

    def test_logit_normal_pass_rates_would_be_seen(self, drawn):
        """The other common distribution on (0, 1) with two parameters, at the same mean and dispersion."""
        p, normal = drawn(0.3, 0.5), ndtri((np.arange(2000) + 0.5) / 2000)

        def misses(parameters):
            rates = expit(parameters[0] + parameters[1] * normal)
            return rates.mean() - 0.3, rates.var() / (rates.mean() * (1 - rates.mean())) - 0.5

        centre, scale = fsolve(misses, (-2.0, 4.0))
        share = (p.ravel()[:, None] <= POINTS).mean(0)
        assert np.abs(share - ndtr((logit(POINTS) - centre) / scale)).max() > 2.5 / np.sqrt(p.size) + 1 / RECIPE.prompts
