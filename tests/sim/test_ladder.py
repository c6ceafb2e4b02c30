"""The ladder: what it holds, how it is read, and a small one trained."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rlsignal
from rlsignal import results
from rlsignal.results import Curves
from rlsignal.sim.grpo import GRPORecipe
from rlsignal.sim.ladder import INVERTING, SAFE, LadderTask, Prepare, depth_ladder, entropy_swap, readings
from rlsignal.sim.policies import Network, measure_policy
from rlsignal.sim.runner import _run
from rlsignal.sim.sft import SFTRecipe
from rlsignal.sim.sweep import sweep
from rlsignal.sim.tasks import Teacher

pytestmark = pytest.mark.usefixtures("mixed")

POLICY = Network(features=4, widths=(12,), tokens=2, choices=3)
TEACHER = Teacher(Network(features=4, widths=(6,), tokens=2, choices=3), features=4, demonstrations=24, prompts=16)
TASK = LadderTask("small", TEACHER, 0.2)
SFT = SFTRecipe(POLICY, depths=(0, 5, 40), batch=12)
FAST = SFT.setting(learning_rate=0.02)
RL = GRPORecipe(POLICY, batch=8, group_size=4, steps=20, record_every=10, attempts=(3,))


@pytest.fixture(scope="module")
def trained(small_ladder):
    """The ladder below, trained by conftest.py."""
    return small_ladder


class TestLadder:
    def test_shapes(self, trained):
        """Seeds, checkpoints, rates, records."""
        for curves in (trained.train, trained.fresh):
            assert {x.shape for x in vars(curves).values()} == {(2, 3, 2, 3)}
        np.testing.assert_array_equal(trained.steps, [0, 10, 20])
        assert (trained.depths, trained.rates, trained.k, trained.failed) == ((0, 5, 40), (0.001, 0.01), 3, 0)

    def test_rates_share_their_start_and_rungs_do_not(self, trained):
        before = trained.fresh.pass_at_1[..., 0]
        np.testing.assert_allclose(before[..., 0], before[..., 1], rtol=1e-6)
        assert np.ptp(before[..., 0], axis=1).min() > 0.01

    def test_fine_tuning_raises_pass_at_1_and_spends_entropy(self, trained):
        assert np.all(np.diff(trained.fresh.pass_at_1[..., 0].mean((0, 2))) > 0)
        assert np.all(np.diff(trained.fresh.entropy[..., 0].mean((0, 2))) < 0)

    def test_rl_raises_pass_at_1_on_what_it_trains_on(self, trained):
        assert trained.train.pass_at_1[:, :, 1, -1].mean() > trained.train.pass_at_1[:, :, 1, 0].mean() + 0.05

    def test_a_seed_is_its_own(self, trained):
        """Seed 8 of one ladder is the first seed of a ladder that starts there, by itself too."""
        again = depth_ladder(TASK, SFT, RL, seeds=2, seed=8, rates=(0.001, 0.01), sft_setting=FAST)
        np.testing.assert_allclose(again.fresh.pass_at_1[0], trained.fresh.pass_at_1[1], rtol=1e-4)

    def test_rungs_are_the_checkpoints_of_the_course(self, trained):
        cells = jax.tree.map(lambda x: jnp.stack([x]), (jax.random.key(7), jnp.float32(0.2), FAST))
        prepared = jax.tree.map(lambda x: x[0], sweep(Prepare(TEACHER, SFT), cells, on_cpu=1))
        known = jax.jit(partial(measure_policy, POLICY, group_size=4, attempts=(3,)))
        for checkpoint in range(3):
            found = known(jax.tree.map(lambda x, i=checkpoint: x[i], prepared.parameters), prepared.task.train)
            for name, want in (
                ("pass_at_1", found.metrics.pass_at_1),
                ("greedy", found.greedy),
                ("token_entropy", found.token_entropy),
                ("informative", 1 - found.metrics.degenerate),
            ):
                np.testing.assert_allclose(getattr(trained.train, name)[0, checkpoint, 0, 0], want, rtol=1e-4)

    def test_records_are_flat(self, trained):
        assert len(trained.records) == 2 * 3 * 2
        row = trained.records[7]  # seed 8, the first checkpoint, the second rate
        assert (row["ladder"], row["seed"], row["depth"], row["rate"]) == ("small", 8, 0, 0.01)
        curve = trained.fresh.pass_at_k[1, 0, 1]
        assert (row["fresh_pass_at_k_before"], row["fresh_pass_at_k_final"]) == (curve[0], curve[-1])
        assert (row["fresh_pass_at_k_peak"], row["fresh_pass_at_k_peak_step"]) == (curve.max(), 10 * curve.argmax())
        assert all(isinstance(x, str | int | float) for x in row.values())

    def test_it_is_kept_and_printed(self, trained, tmp_path):
        rlsignal.save(trained, tmp_path / "ladder")
        again = rlsignal.load(tmp_path / "ladder")
        assert str(again) == str(trained)
        assert again.summary == trained.summary
        assert "fresh peak pass@3, best rate" in str(trained)

    def test_runs_that_diverge_are_counted_and_never_averaged_in(self):
        wild = depth_ladder(TASK, SFT, RL, seeds=2, rates=(0.01, 1e30))
        assert wild.failed == 2 * 3
        assert np.isfinite(wild.fresh.pass_at_1[:, :, 0]).all()
        assert "6 of 12 runs diverged" in str(wild)
        assert np.isnan(wild.reading(rate=1e30).after).all()
        assert np.isnan(wild.reading(rate=1e30).spearman).all()
        np.testing.assert_allclose(wild.reading().best, 0.01)  # the best rate is never one that failed
        assert wild.summary["readings"][1]["after"] == [None] * 3

    def test_ladders_that_differ_in_demonstrations_share_the_compilation_of_rl(self, trained):
        before = _run._cache_size()
        depth_ladder(LadderTask("more", replace(TEACHER, demonstrations=30)), SFT, RL, seeds=2, rates=(0.02,))
        assert _run._cache_size() == before + 1  # of SFT

    def test_what_ships(self):
        assert (INVERTING.draw.demonstrations, INVERTING.noise) == (256, 0.3)
        assert (SAFE.draw.demonstrations, SAFE.noise) == (4096, 0.0)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"seeds": 1}, "seeds must be at least 2, got 1. One seed says nothing of the noise."),
            ({"rates": ()}, "rates must be one or more learning rates, got ()."),
            ({"sft": replace(SFT, depths=())}, "depths must be at least two, got (0,). A ladder compares checkpoints."),
        ],
        ids=["seeds", "rates", "depths"],
    )
    def test_impossible_ladders_are_refused(self, arguments, message):
        with pytest.raises(ValueError) as error:
            depth_ladder(TASK, **({"sft": SFT, "grpo": RL} | arguments))
        assert str(error.value) == message

    def test_two_policies_are_refused(self):
        with pytest.raises(ValueError, match="sft and grpo must train the same policy"):
            depth_ladder(TASK, SFT, replace(RL, policy=Network()))


def curves(pass_at_1, pass_at_k):
    """Curves with these [seeds, checkpoints, rates, records], and nothing else in them."""
    empty = np.full(pass_at_1.shape, np.nan)
    return Curves(pass_at_1, empty, pass_at_k, empty, empty, empty, empty)


class TestReadings:
    """Two rates, two seeds, four checkpoints: pass@1 before rises, and the outcome peaks at the second checkpoint."""

    before = np.array([0.1, 0.2, 0.3, 0.4])
    peak = np.array([[[0.5, 0.8, 0.7, 0.6], [0.6, 0.7, 0.5, 0.65]], [[0.5, 0.9, 0.7, 0.7], [0.6, 0.8, 0.7, 0.7]]])

    @pytest.fixture
    def found(self):
        outcome = np.moveaxis(self.peak, 1, 2)  # [seeds, checkpoints, rates]
        start = np.broadcast_to(self.before[:, None], outcome.shape)
        low = np.full(outcome.shape, 0.05)
        fresh = curves(np.stack([start, outcome - 0.3], -1), np.stack([low, outcome, low], -1))
        return readings(curves(np.stack([start, outcome - 0.2], -1), fresh.pass_at_k), fresh, np.array([0.1, 1.0]))

    def test_one_for_each_outcome_and_rate_and_the_best_of_each_rung(self, found):
        assert [x.outcome for x in found[::3]] == list(results.Ladder.outcomes)
        np.testing.assert_array_equal([x.rate for x in found], [0.1, 1.0, np.nan] * 3)

    def test_outcomes_are_peaks_and_ends(self, found):
        np.testing.assert_allclose(found[0].after, self.peak[:, 0])
        np.testing.assert_allclose(found[3].after, self.peak[:, 0] - 0.3)
        np.testing.assert_allclose(found[6].after, self.peak[:, 0] - 0.2)

    def test_best_rates_are_chosen_rung_by_rung_on_average(self, found):
        np.testing.assert_array_equal(found[2].best, [1.0, 0.1, 0.1, 1.0])
        np.testing.assert_allclose(found[2].after, [[0.6, 0.8, 0.7, 0.65], [0.6, 0.9, 0.7, 0.7]])

    def test_ranks_from_the_optimum_on(self, found):
        """By hand: 3 2 1 against 1 2 3; and 3 1.5 1.5, ties at their mean rank."""
        assert found[0].optimum == 1
        assert found[0].interior
        np.testing.assert_allclose(found[0].spearman, [-1, -np.sqrt(3) / 2])

    def test_drop_is_paired_by_seed(self, found):
        assert found[0].drop == pytest.approx(0.2)
        assert found[0].error == pytest.approx(0, abs=1e-12)
        assert found[1].drop == pytest.approx(0.075)
        assert found[1].error == pytest.approx(0.025)

    def test_inverted_pairs(self, found):
        """Only the last ends below the second in every seed alike; from two seeds other losses may be noise."""
        assert found[0].inverted_share == pytest.approx(1 / 6)


@pytest.fixture(scope="module")
def swapped():
    return entropy_swap(TASK, SFT, RL, seeds=3, seed=7, rate=0.01, sft_setting=FAST)


class TestEntropySwap:
    def test_each_rung_gets_the_entropy_of_the_other(self, swapped):
        shallow, sharpened, deep, flattened = swapped.entropy.T
        assert np.all(shallow > deep + 0.05)
        np.testing.assert_allclose(sharpened, deep, atol=1e-3)
        np.testing.assert_allclose(flattened, shallow, atol=1e-3)

    def test_unswapped_starts_are_the_rungs_of_the_ladder(self, swapped, trained):
        for outcome, after in zip(results.Ladder.outcomes, swapped.after, strict=True):
            np.testing.assert_allclose(after[:2, [0, 2]], trained.reading(outcome, 0.01).after[:, 1:], rtol=1e-3)

    def test_it_is_kept_and_printed(self, swapped, tmp_path):
        rlsignal.save(swapped, tmp_path / "swap")
        assert str(rlsignal.load(tmp_path / "swap")) == str(swapped)

    def test_shares_of_the_gap(self):
        """A gap of 0.4 and 0.6: flattening closes half of it on average, sharpening opens all of it."""
        after = np.array([[0.8, 0.4, 0.4, 0.5], [0.9, 0.3, 0.3, 0.7]])
        empty = np.zeros((2, 4))
        swap = results.EntropySwap("by hand", (1, 2), 0.1, 10, empty, empty, empty, np.stack([after] * 3))
        assert swap.shares()["reproduced"] == pytest.approx((1.0, 0.0))
        share, error = swap.shares()["recovered"]
        assert share == pytest.approx(0.5)
        assert error == pytest.approx(abs(0.4 / 0.6 - 0.1 / 0.4) / 2)  # leaving out either seed

    def test_no_share_of_a_gap_that_is_noise(self):
        after = np.array([[0.8, 0.4, 0.7, 0.5], [0.6, 0.3, 0.7, 0.7]])  # gaps of 0.1 and -0.1
        empty = np.zeros((2, 4))
        swap = results.EntropySwap("by hand", (1, 2), 0.1, 10, empty, empty, empty, np.stack([after] * 3))
        assert np.isnan(list(swap.shares().values())).all()
        assert "do not differ by more than noise" in str(swap)
        assert "%" not in str(swap)
