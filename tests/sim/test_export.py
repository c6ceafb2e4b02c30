"""Ready for accelerators without one: every experiment lowers for CUDA and TPU, and no draw hangs on a fast product."""

from functools import partial

import jax
import jax.numpy as jnp
import pytest

from rlsignal import sim
from rlsignal.sim.inversion import Build, Odds, Train
from rlsignal.sim.ladder import Prepare, Swap, TrainPolicy

pytestmark = pytest.mark.usefixtures("mixed")  # optax's Adam

RECIPE = sim.Recipe(prompts=8, responses=6, steps=4)
LOGITS = jnp.zeros((8, 6))
NETWORK = sim.Network(features=4, widths=(8,), tokens=2, choices=3)
SEQUENCE = sim.Sequence(features=4, width=6, tokens=2, choices=3)


def ladder(policy):
    """A seed's SFT, and RL from its first checkpoint."""
    teacher = sim.Teacher(policy, features=4, demonstrations=12, prompts=8)
    sft = sim.SFTRecipe(policy, depths=(0, 2), batch=4)
    grpo = sim.GRPORecipe(policy, batch=4, group_size=4, steps=2, epochs=2, candidates=2)
    task, start = teacher(jax.random.key(0)), policy.init(jax.random.key(1))
    pair = jax.tree.map(lambda x: jnp.stack([x, x]), start)
    return {
        "SFT": (Prepare(teacher, sft), (jnp.float32(0.3), sft.setting())),
        "RL": (TrainPolicy(grpo), (start, task, grpo.setting())),
        "swap": (lambda key, *cell: Swap(policy)(*cell), (pair, task.train.features)),
    }


EXPERIMENTS = {
    "sampled": (Train(RECIPE, "sampled"), (LOGITS, RECIPE.setting())),
    "jumping": (Train(RECIPE, "jumping"), (LOGITS, RECIPE.setting())),
    "mean field": (Train(RECIPE, "mean field"), (LOGITS, RECIPE.setting())),
    "sharpened": (Build(RECIPE, "sharpened"), (jnp.float32(0.3), jnp.float32(1.0))),
    "shaped": (Build(RECIPE, "shaped"), (jnp.zeros(8), jnp.float32(1.0))),
    "odds": (Odds(RECIPE), (jnp.float32(0.3), jnp.float32(0.5))),
    **{f"network, {name}": x for name, x in ladder(NETWORK).items()},
    **{f"sequence, {name}": x for name, x in ladder(SEQUENCE).items()},
}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_lowers_for_cuda_and_tpu(name):
    experiment, cell = EXPERIMENTS[name]

    def of_key_data(data, *cell):
        return experiment(jax.random.wrap_key_data(data), *cell)

    cells = jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((2, *x.shape), x.dtype), (jax.random.key_data(jax.random.key(0)), *cell)
    )
    exported = jax.export.export(jax.jit(jax.vmap(of_key_data)), platforms=("cuda", "tpu"))(*cells)
    assert exported.platforms == ("cuda", "tpu")


@pytest.mark.parametrize(
    "draw",
    [
        partial(sim.sampled_gradient, recipe=RECIPE, setting=RECIPE.setting()),
        partial(sim.jump, recipe=RECIPE, setting=RECIPE.setting()),
        lambda key, logits: sim.policies.sample(key, sim.Tabular(8, 6), logits, jnp.arange(8), 4),
    ],
    ids=["tabular", "jumping", "policies"],
)
def test_cumulative_sums_are_exact_products(draw):
    """In TF32 a cumulative sum would be off by 5e-4, and draws would move."""
    lowered = jax.jit(draw).lower(jax.random.key(0), LOGITS).as_text()
    found = [line for line in lowered.splitlines() if "dot_general" in line]
    assert found
    assert all("precision = [HIGHEST, HIGHEST]" in line for line in found)
