"""The inversion map: its parts against single runs, a table, the controls, the law and the exchange rate."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rlsignal import GRPO, RLOO
from rlsignal.results import Face
from rlsignal.sim import (
    Recipe,
    Runner,
    cross,
    flow,
    inversion_map,
    leap,
    log_pass_rates,
    measure_tabular,
    sweep,
    train_tabular,
)
from rlsignal.sim.inversion import Build, Train, collision_of
from rlsignal.sim.starts import sharpened_by, sharpened_logits, sharpening_knobs
from rlsignal.theory import reachable_pass_rate

TINY = Recipe(prompts=16, steps=10)
TINY_MAP = {"group_sizes": (2, 4), "rollouts": 40, "draws": 2}
"""The sizes of conftest.py's map, so that what it has compiled is not compiled again."""


class TestParts:
    """Shapes and bookkeeping, on the smallest map."""

    def test_shapes(self, small_map):
        face, other = small_map.sharpening, small_map.dispersion
        for each in (face, other):
            shape = len(small_map.group_sizes), 2, len(each.rows), len(each.pass_rate), small_map.draws
            for values in (each.outcome, each.outcome_at_k, each.reached, each.sampled):
                assert values.shape == shape
            assert each.entropy.shape == each.dispersion.shape == shape[2:4]
        assert (face.knob, other.knob) == ("entropy", "dispersion")
        assert np.all(np.isnan(other.sampled))  # none was run
        assert [control.name for control in small_map.controls] == [
            "entropy",
            "dispersion",
            "reach",
            "natural gradient",
        ]

    def test_starts_are_where_the_axes_say(self, small_map):
        face, other = small_map.sharpening, small_map.dispersion
        for got, rows in ((face.entropy, face.rows), (other.dispersion, other.rows)):
            want = np.where(np.isnan(got), np.nan, rows[:, None])
            np.testing.assert_allclose(got, want, rtol=0, atol=1e-3)
            assert np.isfinite(got).mean() > 0.5

    def test_a_cell_is_a_start_of_its_draw_trained_alone(self, small_map):
        """Both budgets at g = 2, by the mean field and by sampling, from the draw's two keys."""
        face, draw, row, column = small_map.sharpening, 1, 4, 3
        build, learn = jax.random.split(jax.random.fold_in(jax.random.key(small_map.seed), draw))
        task = Recipe(prompts=small_map.prompts, responses=small_map.responses, correct=small_map.correct)
        budgets = small_map.steps, small_map.rollouts // 2
        assert budgets == (10, 20)
        recipe = replace(task, group_size=2, steps=20, record_every=10)
        start = sharpened_logits(build, task, face.pass_rate[column], face.rows[row])
        field = jax.jit(lambda start: leap(start, recipe, recipe.setting())[1])(start)
        drawn = jax.jit(lambda key, start: train_tabular(key, start, recipe, recipe.setting())[1])(learn, start)
        assert float(field.pass_at_1[0]) == pytest.approx(face.pass_rate[column], abs=1e-3)
        for budget in (0, 1):
            at = (small_map.group_sizes.index(2), budget, row, column, draw)
            assert face.outcome[at] == pytest.approx(float(field.pass_at_1[budget + 1]), abs=1e-5)
            assert face.outcome_at_k[at] == pytest.approx(float(field.pass_at_k[budget + 1, 0]), abs=1e-5)
            assert face.sampled[at] == pytest.approx(float(drawn.pass_at_1[budget + 1]), abs=1e-5)

    def test_equal_steps_and_equal_rollouts_meet_where_they_are_equal(self, small_map):
        """40 rollouts are 10 steps at g = 4, and 20 at g = 2."""
        two, four = small_map.sharpening.outcome[[small_map.group_sizes.index(g) for g in (2, 4)]]
        np.testing.assert_array_equal(four[0], four[1])
        fine = np.isfinite(two[0])
        assert np.all(two[1][fine] > two[0][fine])

    def test_inverted_shares_and_noise_floor_by_hand(self, small_map):
        """12.706 is the 97.5% quantile of Student's t for two draws."""
        face, shares = small_map.sharpening, {}
        for name in ("outcome", "outcome_at_k", "sampled"):
            by_draw = np.moveaxis(getattr(face, name), -1, 0)
            loss = by_draw[:, :, :, None, None] - by_draw[..., None, None]  # [D, G, B, Y, X, Y', X'], ahead first
            width = 12.7062047 * loss.std(0, ddof=1) / np.sqrt(2)
            order = face.pass_rate[:, None, None] > face.pass_rate
            order = np.broadcast_to(order, width.shape) & np.isfinite(width)
            with np.errstate(invalid="ignore"):
                turned = order & (loss.mean(0) > np.maximum(width, 0.02))
            shares[name] = turned.sum((2, 3, 4, 5)) / order.sum((2, 3, 4, 5))
            if name == "outcome":
                floor = np.where(order, width, 0).max((2, 3, 4, 5))
                np.testing.assert_allclose(small_map.noise_floor, floor, rtol=1e-6)
        np.testing.assert_allclose(small_map.inverted_share, shares["outcome"])
        np.testing.assert_allclose(small_map.share_at_k, shares["outcome_at_k"])
        np.testing.assert_allclose(small_map.sampled_share, shares["sampled"])

    def test_errors_of_mean_field_and_law_by_hand(self, small_map):
        face = small_map.sharpening
        field, sampled = face.outcome.mean(-1), face.sampled.mean(-1)
        distance, between = np.abs(field - sampled), (sampled > 0.05) & (sampled < 0.95)
        assert small_map.mean_field_error == pytest.approx((np.nanmax(distance), distance[between].mean()))
        law = (face.reached - face.outcome).mean(-1)
        np.testing.assert_allclose(small_map.law_error, np.sqrt(np.nanmean(law**2, axis=(2, 3))))


class TestEdges:
    def test_a_map_on_which_nothing_happens_is_still_a_map(self):
        """No cell ends between 0.05 and 0.95, so there is no mean error to speak of, and no warning either."""
        still = inversion_map(TINY, **TINY_MAP, pass_rates=(0.01, 0.015, 0.02, 0.03), learning_rate=1e-6)
        assert np.nanmax(np.abs(still.sharpening.outcome.mean(-1) - still.sharpening.pass_rate)) < 1e-3
        assert np.isnan(still.mean_field_error[1])
        assert np.all(still.inverted_share == 0)

    def test_a_map_without_a_single_start_is_nan(self):
        """Entropies above log 32."""
        empty = inversion_map(TINY, **TINY_MAP, entropies=(4.0, 5.0, 6.0))
        assert np.all(np.isnan(empty.sharpening.outcome))
        assert np.all(np.isnan(empty.inverted_share))
        assert np.all(np.isnan(empty.law_error))
        assert np.isfinite(empty.dispersion.outcome).mean() > 0.5

    @pytest.mark.slow
    def test_kl_and_temperature_reach_every_cell(self):
        """Rollouts at the temperature, starts and outcomes at 1, and the law on the pass rates of the rollouts."""
        found = inversion_map(TINY, group_sizes=(2,), rollouts=20, draws=2, temperature=2.0, kl=0.1)
        build = jax.random.split(jax.random.fold_in(jax.random.key(0), 1))[0]
        start = sharpened_logits(build, TINY, 0.3, 0.7)
        recipe = replace(TINY, group_size=2)
        setting = recipe.setting(temperature=2.0, kl=0.1)
        final, _ = flow(start, recipe, setting)
        cell = found.sharpening.outcome[0, 0, 3, 3, 1]
        assert cell == pytest.approx(float(measure_tabular(final, recipe).pass_at_1), abs=1e-5)
        for other in (recipe.setting(temperature=2.0), recipe.setting(kl=0.1)):
            assert abs(cell - float(measure_tabular(flow(start, recipe, other)[0], recipe).pass_at_1)) > 1e-3
        assert found.sharpening.sampled[0, 0, 3, 3].mean() == pytest.approx(cell, abs=0.1)
        p = np.exp(log_pass_rates(start / 2.0, 2)[0])
        critical = reachable_pass_rate(2, GRPO, budget=10 / 4, collision=collision_of(start / 2.0, 2))
        assert found.sharpening.reached[0, 0, 3, 3, 1] == pytest.approx((p > critical).mean())

    @pytest.mark.slow
    @pytest.mark.usefixtures("mixed")
    def test_under_adam_and_dynamic_sampling_all_is_sampled_with_its_kl(self):
        recipe = replace(TINY, optimizer=optax.adam, dynamic_sampling=True)
        found = inversion_map(recipe, group_sizes=(2,), rollouts=20, draws=2, learning_rate=0.1, kl=0.5)
        build, learn = jax.random.split(jax.random.fold_in(jax.random.key(0), 1))
        recipe = replace(recipe, group_size=2)
        run = jax.jit(train_tabular, static_argnums=2)
        start = sharpened_logits(build, TINY, 0.3, 0.7)
        alone, free = (run(learn, start, recipe, recipe.setting(learning_rate=0.1, kl=x))[1] for x in (0.5, 1e-9))
        assert abs(alone.pass_at_1[-1] - free.pass_at_1[-1]) > 1e-3
        assert found.sharpening.outcome[0, 0, 3, 3, 1] == pytest.approx(float(alone.pass_at_1[-1]), abs=1e-4)
        assert alone.pass_at_1[-1] > 0.33
        np.testing.assert_array_equal(found.sharpening.sampled, found.sharpening.outcome)
        assert np.isnan(found.law_error).all()
        assert "GRPO, adam with dynamic sampling at rate 0.1" in " ".join(str(found).split())
        assert "All is sampled, by adam with dynamic sampling:" in str(found)
        assert [control.name for control in found.controls] == ["entropy", "dispersion", "reach"]
        assert "natural gradient  " not in str(found)  # a row of plain ascent would be another run's
        assert "sampled)" not in str(found)
        assert "effect, sampled" not in str(found)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"draws": 1}, "draws must be at least 2, got 1. One draw says nothing of the noise."),
            ({"group_sizes": (2, 3)}, "rollouts must be a multiple of every group size, got 40 and g = 3."),
            ({"group_sizes": (1,)}, "g must be at least 2, got 1."),
            ({"rollouts": 0}, "rollouts must be at least 2, got 0."),
            (
                {"pass_rates": (0.4, 0.2)},
                "pass_rates must be at least two rising numbers, got (0.4, 0.2). The map needs a grid.",
            ),
            (
                {"entropies": (0.3, 0.3)},
                "entropies must be at least two rising numbers, got (0.3, 0.3). The map needs a grid.",
            ),
            (
                {"dispersions": (0.3,)},
                "dispersions must be at least two rising numbers, got (0.3,). The map needs a grid.",
            ),
            ({"pass_rates": (0.2, 1.0)}, "pass_rates must lie in (0, 1), got 1 at index 1."),
            ({"entropies": (0.0, 1.0)}, "entropies must lie in (0, inf), got 0 at index 0."),
            ({"dispersions": (0.2, np.nan)}, "dispersions must lie in [0, 1], got nan at index 1."),
            ({"seed": -1}, "seed must be at least 0, got -1."),
        ],
        ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
    )
    def test_bad_arguments_are_refused(self, change, message):
        with pytest.raises(ValueError) as error:
            inversion_map(TINY, **{**TINY_MAP, **change})
        assert str(error.value) == message

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"group_sizes": ()}, "group_sizes"),
            ({"group_sizes": (4, 2, 4)}, r"^group_sizes must differ, got 4, 2, 4\. Name each once\."),
            ({"recipe": replace(TINY, prompts=1)}, r"^prompts must be at least 2, got 1\."),
            ({"learning_rate": 0.0}, r"^learning_rate must be above 0, got 0\."),
            ({"estimator": "GRPO"}, "^estimator must be an Estimator, got 'GRPO'"),
        ],
        ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
    )
    def test_what_no_cell_could_train_with_is_refused_before_any_start_is_built(self, change, message):
        calls = []
        runner = Runner(progress=lambda *call: calls.append(call))
        with pytest.raises(ValueError, match=message):
            inversion_map(**{"recipe": TINY, **TINY_MAP, **change}, runner=runner)
        assert calls == []


@pytest.fixture(scope="module")
def calls():
    """What the runner's `progress` was called with."""
    return []


@pytest.fixture(scope="module")
def middling(calls):
    """One group size; some starts of the grid cannot exist: 2.5 nats at p0 = 0.5, and dispersions of 0.995."""
    return inversion_map(
        Recipe(prompts=128, responses=16, correct=2, steps=200),
        group_sizes=(8,),
        rollouts=800,
        pass_rates=(0.1, 0.3, 0.5),
        entropies=(0.3, 1.0, 2.5),
        dispersions=(0.0, 0.5, 0.85, 0.995),
        runner=Runner(progress=lambda *call: calls.append(call)),
    )


@pytest.mark.slow
class TestWhatItShows:
    def test_more_entropy_at_equal_pass_rate_ends_higher_and_turns_pairs(self, middling):
        outcome = middling.sharpening.outcome[0, 0].mean(-1)
        assert np.all(np.diff(outcome[:2], axis=0) > 0.1)
        assert outcome[1, 0] > outcome[0, 1] + 0.1  # p0 = 0.1 with 1 nat overtakes 0.3 with 0.3 nats
        assert middling.inverted_share[0, 0] > 0.2

    def test_dispersion_is_what_lowers_it(self, middling):
        outcome = middling.dispersion.outcome[0, 0].mean(-1)
        assert np.all(np.diff(outcome[:3], axis=0) < -0.01)
        assert outcome[0].min() > 0.99

    def test_progress_hears_of_every_part(self, middling, calls):
        assert all(0 < done <= count for _, done, count in calls)
        finished = [what for what, done, count in calls if done == count]
        assert len(finished) == len(set(finished))
        assert {what for what, *_ in calls} == set(finished)
        assert {"entropy face: g=8, mean field", "entropy face: g=8, sampled"} <= set(finished)

    def test_entropy_inside_the_classes_is_not_the_cause(self, middling):
        """With every pass rate held it slows training a little."""
        control = middling.controls[0]
        np.testing.assert_allclose(control.dispersion, 0.7, atol=1e-3)
        assert np.ptp(control.entropy) > 1.9
        for effect in (control.effect, control.sampled_effect):
            assert effect.low < effect.value < effect.high < 0
            assert -0.1 < effect.value < -0.01

    @pytest.mark.parametrize(("which", "sign"), [(1, -1), (2, 1)], ids=["dispersion", "reach"])
    def test_what_moves_the_outcome_at_equal_entropy(self, middling, which, sign):
        """The dispersion of a Beta lowers it; at one dispersion it is whether the hard prompts are within reach."""
        control = middling.controls[which]
        np.testing.assert_allclose(control.entropy, control.entropy[0], atol=2e-3)
        assert np.all(sign * np.diff(control.outcome.mean(-1)) > -1e-3)
        for effect in (control.effect, control.sampled_effect):
            assert effect.low <= effect.value <= effect.high
            assert min(sign * effect.low, sign * effect.high) > 0.5
        if control.name == "reach":
            np.testing.assert_allclose(control.dispersion, 0.7, atol=1e-3)

    def test_under_natural_gradient_entropy_has_exactly_no_effect(self, middling):
        """In every draw, and not because nothing happened, or everything."""
        control = middling.controls[3]
        assert np.abs(control.outcome - control.outcome[:1]).max() < 1e-5
        assert 0.35 < control.outcome.mean() < 0.65

    def test_dispersion_explains_what_entropy_does_not(self, middling):
        by_entropy, by_dispersion = middling.explained
        assert by_dispersion > 0.9
        assert by_entropy < 0.7

    def test_unreachable_cells_are_nan_and_leave_their_neighbours_alone(self, middling):
        lost = np.zeros((3, 3), bool)
        lost[2, 2] = True  # 2.5 nats at 0.5: the most is 2.36
        scattered = np.array([[False] * 3] * 3 + [[True, True, False]])  # 0.995 needs whole numbers of solved prompts
        for face, missing in ((middling.sharpening, lost), (middling.dispersion, scattered)):
            for values in (face.outcome, face.outcome_at_k, face.reached):
                np.testing.assert_array_equal(np.isnan(values).all(-1), np.broadcast_to(missing, values.shape[:-1]))
                np.testing.assert_array_equal(np.isnan(values).any(-1), np.broadcast_to(missing, values.shape[:-1]))
            np.testing.assert_array_equal(np.isnan(face.entropy), missing)
        np.testing.assert_array_equal(
            np.isnan(middling.sharpening.sampled).any(-1), np.broadcast_to(lost, (1, 2, 3, 3))
        )
        assert np.all(np.isfinite(middling.inverted_share))
        assert np.all(np.isfinite(middling.noise_floor))
        assert np.all(np.isfinite(middling.law_error))
        assert np.all(np.isfinite(middling.mean_field_error))

    def test_the_law_and_the_mean_field_are_close(self, middling):
        assert middling.law_error.max() < 0.03
        assert middling.mean_field_error[0] < 0.04  # eight draws of 128 prompts: s.e. up to 0.013
        assert middling.mean_field_error[1] < 0.015


RATES, ENTROPIES = (0.1, 0.3, 0.5), (0.2, 0.5, 1.0, 1.5)
DRAWS = 48
TABLE = np.array([[0.199, 0.479, 0.703], [0.375, 0.703, 0.892], [0.670, 0.923, 0.990], [0.882, 0.989, 0.999]])
"""Sampled pass@1 after training in the sharpening family, rows ENTROPIES, columns RATES, when first tried."""


@pytest.fixture(scope="module")
def family():
    """Starts, and pass@1 after sampled training and by the mean field [entropies, rates, draws]; the default recipe."""
    recipe, (start_keys, train_keys) = Recipe(), jax.random.split(jax.random.key(0), (2, DRAWS))
    entropies, rates = (x.ravel() for x in np.meshgrid(ENTROPIES, RATES, indexing="ij"))
    columns = jnp.asarray(rates, jnp.float32), jnp.asarray(entropies, jnp.float32)
    starts = sweep(Build(recipe, "sharpened"), cross(start_keys, *columns))
    settings = jax.tree.map(lambda x: jnp.broadcast_to(x, (12, *x.shape)), recipe.setting())
    keys, settings = cross(train_keys, settings)
    outcomes = [
        sweep(Train(recipe, way), (keys, starts.logits, settings)).pass_at_1[:, -1].reshape(4, 3, DRAWS)
        for way in ("jumping", "mean field")
    ]
    return starts, *outcomes


@pytest.mark.slow
class TestSharpeningFamily:
    """512 prompts, 32 responses of which 2 correct, g = 8, 400 steps of plain ascent at rate 1."""

    def test_sampled_outcomes_are_those_of_the_table(self, family):
        """In eleven of twelve cells to 0.02. The first trial reads high at (1.0 nats, 0.1): 0.670, with s.e. 0.006.

        96 draws give 0.6506 there, with s.e. 0.0027; so that cell is held to this, at five combined standard errors.
        """
        _, sampled, _ = family
        found, error = sampled.mean(-1), sampled.std(-1, ddof=1) / np.sqrt(DRAWS)
        corrected = np.zeros(TABLE.shape, bool)
        corrected[2, 0] = True
        np.testing.assert_allclose(found[~corrected], TABLE[~corrected], atol=0.02)
        assert abs(found[2, 0] - 0.6506) < 5 * np.hypot(error[2, 0], 0.0027)

    def test_the_mean_field_agrees_with_sampling(self, family):
        _, sampled, field = family
        error = np.abs(sampled.mean(-1) - field.mean(-1))
        undecided = (sampled.mean(-1) > 0.05) & (sampled.mean(-1) < 0.95)
        assert error.max() < 0.03
        assert error[undecided].mean() < 0.01

    def test_the_outcome_is_the_share_of_prompts_within_reach(self, family):
        """Share of p above 1 / (sqrt(g-1) (kappa_C + kappa_I) rate steps); not with one collision or RLOO's weight."""
        starts, _, field = family

        def law(estimator, collision):
            critical = reachable_pass_rate(8, estimator, budget=400.0, collision=collision)
            return (starts.pass_rate > critical).mean(-1).reshape(4, 3, DRAWS).mean(-1)

        collision = np.asarray(starts.collision, np.float64)
        outcome = field.mean(-1)
        assert np.abs(law(GRPO, collision) - outcome).max() < 0.03
        assert np.abs(law(RLOO, collision) - outcome).max() > 0.05
        assert np.abs(law(GRPO, collision / 2) - outcome).max() > 0.03


KNOBS = Recipe(prompts=128, steps=100)
AT = tuple((entropy, rate) for entropy in (0.4, 0.7, 1.0) for rate in (0.1, 0.2, 0.3))


def knobs_for(z, entropy, rate):
    return [x.astype(float) for x in sharpening_knobs(z, KNOBS, rate, entropy)]


def value_of(z, s, b):
    return flow(sharpened_by(z, KNOBS, s, b), KNOBS, KNOBS.setting())[1].pass_at_1[-1]


def targets_of(z, s, b):
    metrics = measure_tabular(sharpened_by(z, KNOBS, s, b), KNOBS)
    return jnp.stack([metrics.entropy, metrics.pass_at_1])


@jax.jit
def outcomes(z, entropies, rates):
    """V at many targets."""
    return jax.vmap(lambda entropy, rate: value_of(z, *knobs_for(z, entropy, rate)))(entropies, rates)


@jax.jit
def derivatives(z, entropies, rates):
    """(dV/dH0, dV/dp0) at many targets."""

    def at(entropy, rate):
        s, b = knobs_for(z, entropy, rate)
        jacobian = jnp.stack(jax.jacfwd(targets_of, (1, 2))(z, s, b), -1)
        return jnp.stack(jax.grad(value_of, (1, 2))(z, s, b)) @ jnp.linalg.inv(jacobian)

    return jax.vmap(at)(entropies, rates)


def face_of(values, rows, columns):
    """A face with one group size and budget, from outcomes [rows, columns, draws]."""
    flat, rest = np.full(values.shape[:2], np.nan), np.full((1, 1, *values.shape), np.nan)
    return Face("entropy", rows, columns, flat, flat, values[None, None], rest, rest, rest)


def by_differences(draws, width):
    """At the nine points, by differences of `width` in entropy and half of it in pass rate to either side:
    (dV/dH0, dV/dp0) of each draw [points, 2, draws], and the exchange rate of a Face of these draws [points].
    """
    away = width * np.array([-1, 0, 1])
    entropies, rates = np.array(AT).T
    shape = len(AT), 3, 3
    points = np.broadcast_to(entropies[:, None, None] + away[:, None], shape).ravel()
    columns = np.broadcast_to(rates[:, None, None] + away / 2, shape).ravel()
    values = np.stack([outcomes(z, points, columns) for z in draws], -1).reshape(*shape, -1)
    slopes = (values[:, 2, 1] - values[:, 0, 1]) / (2 * width), (values[:, 1, 2] - values[:, 1, 0]) / width
    faces = [face_of(part, h + away, p + away / 2) for part, (h, p) in zip(values, AT, strict=True)]
    return np.stack(slopes, 1), np.array([face.exchange_rate[0, 0, 1, 1] for face in faces])


class TestExchangeRate:
    """The map's differences against derivatives, at nine points.

    V and the targets (H0, p0) are functions of the family's knobs (s, b); by the implicit function theorem
    (dV/dH0, dV/dp0) = (dV/ds, dV/db) times the inverse of d(H0, p0)/d(s, b).
    """

    @pytest.fixture(autouse=True)
    def _double_precision(self, mixed):
        with jax.enable_x64(True):
            yield

    def draws(self, count):
        return [jax.random.normal(jax.random.key(1 + i), (KNOBS.prompts, KNOBS.responses)) for i in range(count)]

    def test_differences_tend_to_the_derivatives(self):
        """One draw is a stair of 128 soft steps, each some thousandths wide, so only narrower differences see slopes.

        They are of second order: half the width leaves a quarter of the error.
        """
        (z,) = self.draws(1)
        want = np.asarray(derivatives(z, *np.array(AT).T))
        (wide, _), (narrow, rates) = (by_differences([z], width) for width in (5e-4, 2.5e-4))
        errors = [np.abs(got[..., 0] - want).max() for got in (wide, narrow)]
        assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
        np.testing.assert_allclose(narrow[..., 0], want, rtol=0.02)
        np.testing.assert_allclose(rates, want[:, 0] / want[:, 1], rtol=0.01)
        assert np.all(rates > 0.1)  # a nat is worth something everywhere here

    def test_a_map_of_eight_draws_reads_the_rate_off_a_coarse_grid(self):
        """Differences of 0.1 nats and 0.05 of pass@1, averaged over the stairs of eight draws: 0.02 of noise."""
        draws = self.draws(8)
        want = np.mean([derivatives(z, *np.array(AT).T) for z in draws], 0)
        _, rates = by_differences(draws, 0.1)
        np.testing.assert_allclose(rates, want[:, 0] / want[:, 1], atol=0.08)
        one = np.array([by_differences([z], 0.1)[1] for z in draws[:3]])
        assert np.abs(one - want[:, 0] / want[:, 1]).max() > 0.08  # one draw alone does not


def test_no_exchange_rate_where_the_outcome_does_not_depend_on_the_start():
    rows, columns = np.array([0.5, 1.0, 1.5]), np.array([0.2, 0.3, 0.4])
    plane = np.repeat((0.4 * rows[:, None] + 0.8 * columns)[..., None], 2, -1)
    np.testing.assert_allclose(face_of(plane, rows, columns).exchange_rate, 0.5)
    assert np.all(np.isnan(face_of(0.9 + plane / 20, rows, columns).exchange_rate))
    plane[0, 0, 1] = np.nan
    np.testing.assert_allclose(face_of(plane, rows, columns).exchange_rate[0, 0, 1:, 1:], 0.5)
