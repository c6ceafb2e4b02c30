"""Mitigations: what is changed and nothing else, paired with the bare run."""

import jax
import numpy as np
import pytest

import rlsignal
from experiments.mitigations import MITIGATIONS, Mitigation, averaged, flattened, mitigate
from rlsignal.sim import GRPORecipe, LadderTask, Network, SFTRecipe, Teacher
from rlsignal.sim.policies import entropy, log_probabilities

POLICY = Network(features=4, widths=(12,), tokens=2, choices=3)
TEACHER = Network(features=4, widths=(6,), tokens=2, choices=3)
TASK = LadderTask("small", Teacher(TEACHER, features=4, demonstrations=24, prompts=16), 0.2)
SFT = SFTRecipe(POLICY, depths=(5, 200), batch=12)
RL = GRPORecipe(POLICY, batch=8, group_size=4, steps=20, record_every=10, attempts=(3,))


@pytest.fixture(scope="module")
def table():
    tried = (
        Mitigation("nothing"),
        Mitigation("more", {"group_size": 8}),
        MITIGATIONS[-1],
        Mitigation("decay", decay=9.0),
    )
    return mitigate(tried, TASK, SFT, RL, rate=0.01, seeds=2)


def test_a_rescue_that_changes_nothing_is_the_bare_run(table):
    nothing = table.mitigated[0]
    assert nothing.after == pytest.approx(table.deep, abs=1e-6)
    assert max(abs(gain.value) for gain in nothing.gain) < 1e-6
    assert nothing.before == pytest.approx(table.before[1], abs=1e-6)
    assert nothing.rollouts == 1


def test_the_gap_is_of_two_runs_that_are_trained_alike(table):
    """A change that is none leaves the bare gap; what changes more than RL has no gap."""
    nothing, more, *others = table.mitigated
    for same, bare, good, deep in zip(nothing.gap, table.gap, table.good, table.deep, strict=True):
        assert (same.value, same.low) == pytest.approx((bare.value, bare.low), abs=1e-6)
        assert same.value == pytest.approx(good - deep, abs=1e-6)
    assert [x.value for x in more.gap] != pytest.approx([x.value for x in table.gap], abs=1e-4)
    for wide, gap, bare in zip(more.widened, more.gap, table.gap, strict=True):
        assert wide.value == pytest.approx(gap.value - bare.value, abs=1e-6)
    assert [(x.gap, x.widened) for x in others] == [((), ()), ((), ())]


def test_cost_is_in_rollouts(table):
    assert table.mitigated[1].rollouts == 2


def test_weight_decay_is_of_fine_tuning(table):
    assert table.mitigated[3].rollouts == 1
    assert abs(table.mitigated[3].before - table.before[1]) > 1e-3


def test_share_is_of_the_way_to_the_good_rung(table):
    for one in table.mitigated:
        for gain, share, good, deep in zip(one.gain, one.share, table.good, table.deep, strict=True):
            assert share == pytest.approx(gain.value / (good - deep), rel=1e-6)


def test_prints_and_speaks_to_machines(table):
    assert "depth 200 with mitigations" in str(table)
    assert table.summary["mitigated"][1]["name"] == "more"


def test_every_rescue_is_a_recipe_that_stands():
    """Each of the shipped ones makes a valid recipe and setting."""
    from dataclasses import replace

    for one in MITIGATIONS:
        replace(RL, **one.recipe).setting(**one.setting)
    assert len({one.name for one in MITIGATIONS}) == len(MITIGATIONS)


def test_mends():
    keys = jax.random.split(jax.random.key(0), 2)
    shallow, deep = (POLICY.init(key) for key in keys)
    deep = POLICY.scaled(deep, 60.0)
    features = jax.random.normal(jax.random.key(1), (16, 4))
    mean = averaged(POLICY, shallow, deep, features)
    np.testing.assert_allclose(mean[0]["weight"], (shallow[0]["weight"] + deep[0]["weight"]) / 2, rtol=1e-6)
    flat = flattened(POLICY, shallow, deep, features)
    wanted, got = (entropy(log_probabilities(POLICY, x, features)) for x in (shallow, flat))
    assert float(got) == pytest.approx(float(wanted), abs=1e-3)
    np.testing.assert_array_equal(flat[0]["weight"], deep[0]["weight"])


def test_it_is_kept_and_shows_itself(table, tmp_path):
    for result in (table, table.mitigated[0]):
        assert str(rlsignal.load(rlsignal.save(result, tmp_path / "kept"))) == str(result)
        assert len(repr(result)) < 2000
        assert "<" in result._repr_html_()
        assert max(map(len, str(result).splitlines())) <= 100
