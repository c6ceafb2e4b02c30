"""Matched starts: networks that imitate a chosen policy, alike in what is held and different in what is varied."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import rlsignal
from experiments.matched_starts import matched_starts, placed, reward_entropy
from rlsignal.sim import GRPORecipe, Network, Teacher

POLICY = Network(features=4, widths=(48,), tokens=1, choices=8)
TASK = Teacher(Network(features=4, widths=(6,), tokens=1, choices=8), features=4, demonstrations=1, prompts=24)
RL = GRPORecipe(POLICY, batch=8, group_size=4, steps=20, record_every=10, attempts=(3,))


@pytest.fixture(scope="module")
def table():
    return matched_starts(
        mean=0.3,
        entropies=(0.8, 1.4),
        dispersions=(0.1, 0.6),
        task=TASK,
        grpo=RL,
        distillation=1500,
        rate=0.01,
        seeds=2,
    )


def test_what_is_held_is_alike_and_what_is_varied_is_not(table):
    low, high = table.starts[:2]
    assert high.entropy - low.entropy == pytest.approx(0.6, abs=0.1)
    assert abs(high.pass_at_1 - low.pass_at_1) < 0.02
    assert abs(high.dispersion - low.dispersion) < 0.05
    alike, apart = table.starts[2:]
    assert apart.dispersion - alike.dispersion == pytest.approx(0.5, abs=0.1)
    assert abs(apart.entropy - alike.entropy) < 0.1
    assert abs(apart.pass_at_1 - alike.pass_at_1) < 0.02


def test_dispersion_costs(table):
    assert table.effects["dispersion"].value < 0


def test_answers_are_put_where_the_task_has_them():
    task = TASK(jax.random.key(0))
    correct_first = jnp.log(jnp.tile(jnp.arange(1.0, 9), (24, 1)) / 36)
    log_pi = placed(correct_first, task)
    np.testing.assert_allclose(jnp.exp(log_pi[jnp.arange(24), task.train.answers[:, 0]]), 1 / 36, rtol=1e-5)
    np.testing.assert_allclose(jnp.sort(log_pi), jnp.sort(correct_first), rtol=1e-6)


def test_undecidedness_is_the_entropy_of_a_coin():
    assert float(reward_entropy(jnp.zeros(3))) == pytest.approx(np.log(2), rel=1e-6)
    assert float(reward_entropy(jnp.array([50.0, -50.0]))) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"entropies": (1.0,)}, r"^entropies and dispersions must be at least two each"),
        ({"grpo": GRPORecipe(Network(tokens=2))}, r"^policy and task must have responses of one token"),
        ({"seeds": 1}, r"^seeds must be at least 2, got 1\. One seed says nothing of the noise\.$"),
    ],
)
def test_bad_input_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        matched_starts(**arguments)


def test_it_is_kept_and_shows_itself(table, tmp_path):
    for result in (table, table.starts[0]):
        assert str(rlsignal.load(rlsignal.save(result, tmp_path / "kept"))) == str(result)
        assert len(repr(result)) < 2000
        assert "<" in result._repr_html_()
        assert max(map(len, str(result).splitlines())) <= 100
