"""The inversion map: its parts against single runs, the published table, the controls, the law and the exchange rate."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from rlsignal import GRPO, RLOO, reachable_pass_rate
from rlsignal.results import Face
from rlsignal.sim import Recipe, cross, flow, inversion_map, measure, sweep, train
from rlsignal.sim.inversion import Build, Train
from rlsignal.sim.starts import sharpened_by, sharpened_logits, sharpening_knobs

TINY = Recipe(prompts=32, responses=8, correct=1, steps=20)
TINY_MAP = {  # the map of conftest.py, so that nothing compiles twice
    "group_sizes": (2, 4),
    "rollouts": 80,
    "pass_rates": (0.2, 0.4),
    "entropies": (0.3, 0.6, 1.0),
    "dispersions": (0.1, 0.6),
    "draws": 2,
}


class TestParts:
    """Shapes and bookkeeping, on the smallest map."""

    def test_shapes(self, small_map):
        face, spread = small_map.sharpening, small_map.spread
        assert face.outcome.shape == face.sampled.shape == face.reached.shape == (2, 2, 3, 2, 2)
        assert spread.outcome.shape == spread.outcome_at_k.shape == (2, 2, 2, 2, 2)
        assert (face.knob, spread.knob) == ("entropy", "dispersion")
        assert np.all(np.isfinite(face.outcome))
        assert np.all(np.isnan(spread.sampled))  # none was run
        assert [control.name for control in small_map.controls] == ["entropy", "dispersion", "natural gradient"]

    def test_starts_are_where_the_axes_say(self, small_map):
        face, spread = small_map.sharpening, small_map.spread
        np.testing.assert_allclose(face.entropy, np.repeat(face.rows[:, None], 2, 1), atol=1e-3)
        np.testing.assert_allclose(spread.dispersion, np.repeat(spread.rows[:, None], 2, 1), atol=1e-3)

    @pytest.mark.parametrize(("row", "column", "draw"), [(0, 1, 0), (2, 0, 1)])
    def test_a_cell_is_a_start_of_its_draw_trained_alone(self, small_map, row, column, draw):
        """Both group sizes, both budgets, by the flow and by sampling, from the draw's two keys."""
        face = small_map.sharpening
        start_keys, train_keys = jax.random.split(jax.random.key(small_map.seed), (2, small_map.draws))
        start = sharpened_logits(start_keys[draw], TINY, face.pass_rate[column], face.rows[row])
        for i, g in enumerate(small_map.group_sizes):
            for budget, steps in enumerate((small_map.steps, small_map.rollouts // g)):
                recipe = replace(TINY, group_size=g, steps=steps)
                field = jax.jit(lambda start, of=recipe: flow(start, of, of.setting())[1])(start)
                at = (i, budget, row, column, draw)
                assert face.outcome[at] == pytest.approx(float(field.pass_at_1[-1]), abs=1e-5)
                assert face.outcome_at_k[at] == pytest.approx(float(field.pass_at_k[-1, 0]), abs=1e-5)
            final = jax.jit(lambda key, start, of=recipe: train(key, start, of, of.setting())[1])(
                train_keys[draw], start
            )
            assert face.sampled[at] == pytest.approx(float(final.pass_at_1[-1]), abs=1e-5)

    def test_equal_steps_and_equal_rollouts_meet_where_they_are_equal(self, small_map):
        """80 rollouts are 20 steps at g = 4, and 40 at g = 2."""
        outcome = small_map.sharpening.outcome
        np.testing.assert_array_equal(outcome[1, 0], outcome[1, 1])
        assert np.all(outcome[0, 1] > outcome[0, 0])

    def test_inverted_share_and_noise_floor_by_hand(self, small_map):
        face = small_map.sharpening
        for i in range(2):
            for b in range(2):
                pairs, turned, floor = 0, 0, 0.0
                cells = [(p, face.outcome[i, b, y, x]) for y in range(3) for x, p in enumerate(face.pass_rate)]
                for p, ahead in cells:
                    for other, behind in cells:
                        if p > other:
                            loss = behind - ahead
                            error = loss.std(ddof=1) / np.sqrt(2)
                            pairs, floor = pairs + 1, max(floor, error)
                            turned += loss.mean() > max(error, 0.02)
                assert small_map.inverted_share[i, b] == pytest.approx(turned / pairs)
                assert small_map.noise_floor[i, b] == pytest.approx(floor)

    def test_errors_of_mean_field_and_law_by_hand(self, small_map):
        face = small_map.sharpening
        field, sampled = face.outcome.mean(-1), face.sampled.mean(-1)
        between = (sampled > 0.05) & (sampled < 0.95)
        assert small_map.mean_field_error == pytest.approx(
            (np.abs(field - sampled).max(), np.abs(field - sampled)[between].mean())
        )
        law = (face.reached - face.outcome).mean(-1)
        np.testing.assert_allclose(small_map.law_error, np.sqrt((law**2).mean((2, 3))))

    def test_the_same_seed_gives_the_same_map_and_progress_is_told(self, small_map):
        calls = []
        again = inversion_map(TINY, **TINY_MAP, progress=lambda *call: calls.append(call))
        np.testing.assert_array_equal(again.sharpening.outcome, small_map.sharpening.outcome)
        np.testing.assert_array_equal(again.sharpening.sampled, small_map.sharpening.sampled)
        assert again.explained == small_map.explained
        labels = [what for what, done, count in calls if done == count]
        assert len(labels) == len(set(labels))
        assert {"entropy: starts", "entropy: g=2, mean field", "entropy: g=4, sampled"} <= set(labels)
        assert all(0 < done <= count for _, done, count in calls)


class TestEdges:
    def test_a_map_where_everything_is_solved_is_still_a_map(self):
        """No cell ends between 0.05 and 0.95, so there is no mean error to speak of, and no warning either."""
        solved = inversion_map(TINY, **TINY_MAP, learning_rate=1000.0)
        assert solved.sharpening.outcome.min() > 0.95
        assert np.isnan(solved.mean_field_error[1])
        assert np.all(solved.inverted_share == 0)

    def test_a_map_without_a_single_start_is_nan(self):
        """Entropies above log 8."""
        empty = inversion_map(TINY, **{**TINY_MAP, "entropies": (3.0, 4.0)})
        assert np.all(np.isnan(empty.sharpening.outcome))
        assert np.all(np.isnan(empty.inverted_share))
        assert np.all(np.isnan(empty.law_error))
        assert np.all(np.isfinite(empty.spread.outcome))

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"draws": 1}, "draws must be at least 2, got 1. One draw says nothing of the noise."),
            (
                {"group_sizes": (2, 3)},
                "rollouts must be a multiple of every group size, got 80 and g = 3.",
            ),
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
            ({"pass_rates": (0.2, 1.2)}, "pass_rates must lie in [0, 1], got 1.2 at index 1."),
            ({"dispersions": (0.2, np.nan)}, "dispersions must lie in [0, 1], got nan at index 1."),
            ({"seed": -1}, "seed must be at least 0, got -1."),
            ({"learning_rate": 0.0}, "learning_rate must lie in (0, inf), got 0."),
        ],
        ids=lambda x: next(iter(x)) if isinstance(x, dict) else "",
    )
    def test_bad_arguments_are_refused(self, change, message):
        with pytest.raises(ValueError) as error:
            inversion_map(TINY, **{**TINY_MAP, **change})
        assert str(error.value) == message

    def test_no_group_sizes_are_refused_by_name(self):
        with pytest.raises(ValueError, match="group_sizes"):
            inversion_map(TINY, **{**TINY_MAP, "group_sizes": ()})

    def test_other_optimizers_are_refused(self):
        with pytest.raises(ValueError, match=r"^optimizer must be optax\.sgd, plain ascent, for the mean field"):
            inversion_map(replace(TINY, optimizer=optax.adam), **TINY_MAP)


@pytest.fixture(scope="module")
def middling():
    """One group size; three starts of the grid cannot exist: high entropies at p0 = 0.5, and one dispersion."""
    return inversion_map(
        Recipe(prompts=128, responses=16, correct=2, steps=200),
        group_sizes=(8,),
        rollouts=800,
        pass_rates=(0.1, 0.3, 0.5),
        entropies=(0.3, 1.0, 2.5),
        dispersions=(0.0, 0.5, 0.85, 0.995),
        draws=6,
    )


class TestWhatItShows:
    def test_more_entropy_at_equal_pass_rate_ends_higher_and_turns_pairs(self, middling):
        outcome = middling.sharpening.outcome[0, 0].mean(-1)
        assert np.all(np.diff(outcome[:2], axis=0) > 0.1)
        assert outcome[1, 0] > outcome[0, 1] + 0.1  # p0 = 0.1 with 1 nat overtakes 0.3 with 0.3 nats
        assert middling.inverted_share[0, 0] > 0.2

    def test_dispersion_is_what_lowers_it(self, middling):
        outcome = middling.spread.outcome[0, 0].mean(-1)
        assert np.all(np.diff(outcome[:3], axis=0) < -0.01)
        assert outcome[0].min() > 0.99

    def test_controls(self, middling):
        """With pass rates held, entropy slows a little; dispersion with entropy held does the rest."""
        entropy, dispersion, natural = middling.controls
        np.testing.assert_allclose(entropy.dispersion, 0.7, atol=1e-3)
        np.testing.assert_allclose(dispersion.entropy, dispersion.entropy[0], atol=1e-3)
        assert np.ptp(entropy.entropy) > 1.9
        for effect in (entropy.effect, entropy.sampled_effect):
            mean, low, high = effect
            assert low < mean < high < 0
            assert -0.1 < mean < -0.01
        assert dispersion.effect[2] < -0.5
        assert dispersion.sampled_effect[2] < -0.5
        assert np.abs(natural.outcome - natural.outcome[:1]).max() < 1e-5  # exactly none, in every draw
        assert 0.35 < natural.outcome.mean() < 0.65  # not because nothing happened, or everything

    def test_dispersion_explains_what_entropy_does_not(self, middling):
        by_entropy, by_dispersion = middling.explained
        assert by_dispersion > 0.9
        assert by_entropy < 0.7

    def test_unreachable_cells_are_nan_and_leave_their_neighbours_alone(self, middling):
        lost = np.zeros((3, 3), bool)
        lost[2, 2] = True  # 2.5 nats at 0.5: the most is 2.36
        scattered = np.array([[False] * 3] * 3 + [[True, True, False]])  # 0.995 needs whole numbers of solved prompts
        for face, missing in ((middling.sharpening, lost), (middling.spread, scattered)):
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
        assert middling.mean_field_error[0] < 0.04  # six draws of 128 prompts: s.e. up to 0.015
        assert middling.mean_field_error[1] < 0.015


RATES, ENTROPIES = (0.1, 0.3, 0.5), (0.2, 0.5, 1.0, 1.5)
DRAWS = 8
TABLE = np.array([[0.199, 0.479, 0.703], [0.375, 0.703, 0.892], [0.670, 0.923, 0.990], [0.882, 0.989, 0.999]])
"""Sampled pass@1 after training in the sharpening family, rows ENTROPIES, columns RATES, when first tried."""


@pytest.fixture(scope="module")
def family():
    """Starts, and pass@1 after sampled training and by the flow [entropies, rates, draws]; the default recipe."""
    recipe, (start_keys, train_keys) = Recipe(), jax.random.split(jax.random.key(2), (2, DRAWS))
    entropies, rates = (x.ravel() for x in np.meshgrid(ENTROPIES, RATES, indexing="ij"))
    columns = jnp.asarray(rates, jnp.float32), jnp.asarray(entropies, jnp.float32)
    starts = sweep(Build(recipe, sharpened_logits), cross(start_keys, *columns))
    settings = jax.tree.map(lambda x: jnp.broadcast_to(x, (12, *x.shape)), recipe.setting())
    keys, settings = cross(train_keys, settings)
    outcomes = [
        sweep(Train(recipe, sampled), (keys, starts.logits, settings)).pass_at_1[:, -1].reshape(4, 3, DRAWS)
        for sampled in (True, False)
    ]
    return starts, *outcomes


@pytest.mark.slow
class TestSharpeningFamily:
    """512 prompts, 32 responses of which 2 correct, g = 8, 400 steps of plain ascent at rate 1."""

    def test_sampled_outcomes_are_those_of_the_table(self, family):
        """0.02: the table is good to 0.006, eight draws to 0.011 at worst."""
        _, sampled, _ = family
        np.testing.assert_allclose(sampled.mean(-1), TABLE, atol=0.02)

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


class TestExchangeRate:
    """The map's differences against derivatives, at nine points.

    V and the targets (H0, p0) are functions of the family's knobs (s, b); by the implicit function theorem
    (dV/dH0, dV/dp0) = (dV/ds, dV/db) times the inverse of d(H0, p0)/d(s, b). With 128 prompts the surface is a stair
    of 128 soft steps, each a few thousandths wide in the targets, so that only narrower differences are derivatives.
    """

    RECIPE = Recipe(prompts=128, steps=100)
    AT = tuple((h, p) for h in (0.6, 1.0, 1.4) for p in (0.15, 0.3, 0.45))

    @pytest.fixture
    def surface(self):
        """(entropies, pass rates) -> outcomes, and -> (dV/dH0, dV/dp0), in double precision."""
        recipe, setting = self.RECIPE, self.RECIPE.setting()
        z = jax.random.normal(jax.random.key(0), (recipe.prompts, recipe.responses))

        def knobs(entropy, rate):
            return (x.astype(float) for x in sharpening_knobs(z, recipe, rate, entropy))

        def value(s, b):
            return flow(sharpened_by(z, recipe, s, b), recipe, setting)[1].pass_at_1[-1]

        def targets(s, b):
            metrics = measure(sharpened_by(z, recipe, s, b), recipe)
            return jnp.stack([metrics.entropy, metrics.pass_at_1])

        def slopes(entropy, rate):
            s, b = knobs(entropy, rate)
            jacobian = jnp.stack(jax.jacfwd(targets, (0, 1))(s, b), -1)
            return jnp.stack(jax.grad(value, (0, 1))(s, b)) @ jnp.linalg.inv(jacobian)

        return jax.jit(jax.vmap(lambda h, p: value(*knobs(h, p)))), jax.jit(jax.vmap(slopes))

    @staticmethod
    def face(outcome, rows, columns):
        """A face with one group size, budget and draw."""
        empty = np.full((1, 1, *outcome.shape, 1), np.nan)
        flat = np.full(outcome.shape, np.nan)
        values = outcome[None, None, :, :, None]
        return Face("entropy", rows, columns, flat, flat, values, empty, empty, empty)

    def by_differences(self, outcome, width):
        """dV/dH0, dV/dp0 and the Face's exchange rate at the nine points, by differences of `width` to either side."""
        steps = np.array([-1, 0, 1])
        rows, columns = (x.ravel() for x in np.meshgrid(steps, steps, indexing="ij"))
        points = np.array([(h + width * i, p + width / 2 * j) for h, p in self.AT for i, j in zip(rows, columns)])
        values = np.asarray(outcome(points[:, 0], points[:, 1])).reshape(-1, 3, 3)
        slopes = (values[:, 2, 1] - values[:, 0, 1]) / (2 * width), (values[:, 1, 2] - values[:, 1, 0]) / width
        rates = [
            self.face(part, h + width * steps, p + width / 2 * steps).exchange_rate[0, 0, 1, 1]
            for part, (h, p) in zip(values, self.AT, strict=True)
        ]
        return np.stack(slopes, -1), np.array(rates)

    def test_differences_tend_to_the_derivatives(self, surface):
        """Central differences are of second order: half the width leaves a quarter of the error."""
        with jax.enable_x64(True):
            outcome, slopes = surface
            want = np.asarray(slopes(*np.array(self.AT).T))
            (wide, _), (narrow, rates) = (self.by_differences(outcome, width) for width in (1e-3, 5e-4))
        errors = [np.abs(got - want).max() for got in (wide, narrow)]
        assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)
        np.testing.assert_allclose(narrow, want, rtol=0.015, atol=1e-4)
        assert np.all(np.abs(want[:, 1]) > 0.05)
        np.testing.assert_allclose(rates, want[:, 0] / want[:, 1], rtol=0.02)
        assert np.all(rates > 0.1)  # a nat is worth something everywhere here

    def test_no_rate_where_the_outcome_does_not_depend_on_the_start(self):
        rows, columns = np.array([0.5, 1.0, 1.5]), np.array([0.2, 0.3, 0.4])
        plane = 0.4 * rows[:, None] + 0.8 * columns
        np.testing.assert_allclose(self.face(plane, rows, columns).exchange_rate, 0.5)
        solved = self.face(0.98 + 0.01 * rows[:, None] + 0.04 * columns, rows, columns).exchange_rate
        assert np.all(np.isnan(solved))
        plane[0, 0] = np.nan
        assert np.isfinite(self.face(plane, rows, columns).exchange_rate[0, 0, 1:, 1:]).all()
