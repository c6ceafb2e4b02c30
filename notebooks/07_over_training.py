# %% [markdown]
# # 7. Over-training and rank inversion
#
# **Question.** Fine-tune for longer: pass@1 rises. Then run GRPO from each checkpoint. Does the best one stay the best?
#
# You need lessons [3](03_prompts_differ.ipynb) and [5](05_entropy.ipynb). About 25 minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots, sim
from rlsignal.exercises import check

# %% [markdown]
# ## A ladder
#
# A random teacher decides which of 64 answers is correct. A small network is fine-tuned on 256 demonstrations, 30% of
# whose tokens are incorrect, for 0 to 1000 steps; GRPO then trains it on other prompts, and we also look at prompts that it
# has never seen. (The full ladder, `rlsignal ladder`, is larger and takes a minute; this one is small so that the page is
# quick.)

# %%
policy = sim.Network(widths=(64, 64), choices=8)
course = sim.LadderTask("small", sim.Teacher(sim.Network(widths=(32,), choices=8), demonstrations=256, prompts=256), 0.3)
sft = sim.SFTRecipe(policy, depths=(0, 30, 100, 300, 1000))
grpo = sim.GRPORecipe(policy, steps=200, record_every=20)
ladder = sim.depth_ladder(course, sft, grpo, rates=(1e-3,), seeds=3)

# %% [markdown]
# **Predict.** Before you look: pass@1 before RL rises with depth. Which checkpoint is the best to start RL from?

# %%
# Pass rates on fresh prompts over the depth of fine-tuning, before and after RL.
plots.plot_ladder(ladder);
# %%
# What fine-tuning for longer does to the signal: informative groups, dispersion, entropy.
plots.plot_signal(ladder);
# %%
print(ladder)

# %% [markdown]
# Read the two pictures together. While pass@1 rises, the dispersion of pass rates rises too, the share of informative
# groups passes its peak, and entropy falls all the way: it falls where RL gets better, and where it gets worse.
#
# ## Which number predicts the best start?

# %%
before = {
    "pass@1": ladder.train.pass_at_1,
    "entropy": ladder.train.token_entropy,
    "informative groups": ladder.train.informative,
}
outcome = ladder.reading().after.mean(0)  # peak pass@10 on fresh prompts, as in the first picture
for name, curve in before.items():
    print(f"{name:18}", rl.inference.rank_correlation(curve[:, :, 0, 0].mean(0), outcome))

# %% [markdown]
# One ladder of five checkpoints says little, and the p-values say so. Over hundreds of random ladders the answer is clear:
# [predictors](../docs/predictors.md).
#
# ## The swap
#
# Scale the deep checkpoint's logits until it has the shallow one's entropy, and the other way round:

# %%
swap = sim.entropy_swap(course, sim.SFTRecipe(policy, depths=(100, 1000)), grpo, rate=1e-3, seeds=3)
print(swap)

# %% [markdown]
# (Here entropy is per response, which is two tokens; the ladder above has it per token. The first of the three outcomes is
# that of the first picture.) Flattening helps. Is it the entropy? No: scaling logits moves pass rates and their dispersion as well (see the rows
# above). Only matched starts (lesson 5) separate the two, and there it is the dispersion. [Copies of the checkpoints
# themselves](../docs/what-decides.md), each with the other's pass rates, say the same of networks: pass rates first, and then which incorrect
# answers carry the mass.
#
# ## The map
#
# `rlsignal map` draws the outcome over pass@1 and entropy, and beside it the controls. A quick one:

# %%
recipe = sim.Recipe(prompts=64, steps=200)
inversion_map = sim.inversion_map(recipe, group_sizes=(8,), rollouts=1600, draws=2, sampled=False)

# %%
# pass@1 after GRPO over pass@1 and entropy of the start: A starts ahead of B and ends behind it.
plots.plot_sharpening(inversion_map, g=8);
# %% [markdown]
# ## Exercises
#
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** Three checkpoints have pass@1 of 0.2, 0.3 and 0.4 before RL, and 0.7, 0.6 and 0.65 after it. Which share of the
# pairs is inverted?

# %% tags=["answer"]
check("7.1", ...)

# %% [markdown]
# **By code.** Write the share of inverted pairs for two lists.

# %% tags=["answer"]
def answer(before, after):
    return ...


check("7.2", ...)

# %% [markdown]
# **Open.** Which share of the map's pairs of starts is inverted, and what does that share depend on? Which of its four controls
# moves the outcome most?
#
# ## Where this leads
#
# - Formulas: [R1](../docs/theory.md#R1), [R4](../docs/theory.md#R4).
# - Reports of rank inversion: [arXiv 2606.18487](https://arxiv.org/abs/2606.18487), read in [the paper](../docs/paper.md);
#   [2510.01624](https://arxiv.org/abs/2510.01624), [2602.01058](https://arxiv.org/abs/2602.01058).
# - Measured at full size: [ladders](../docs/ladder.md), [predictors](../docs/predictors.md),
#   [mitigations](../docs/mitigations.md), [the inversion map](../docs/inversion.md).
# - Next: [lesson 8](08_your_own_evaluation.ipynb), your own checkpoints.

# %% tags=["solution"]
# Of the pairs (1, 2), (1, 3), (2, 3) the first two turn over.
assert check("7.1", 2 / 3).verdict == "right"


def inverted(before, after):
    n = len(before)
    pairs = [(i, j) for i in range(n) for j in range(i)]
    return np.mean([(before[i] - before[j]) * (after[i] - after[j]) < 0 for i, j in pairs])


assert check("7.2", inverted).verdict == "right"
# Open: it depends on the grid of starts: never quote it without.
print(f"{inversion_map.inverted_share[0, 0]:.0%}")
face = inversion_map.sharpening
print(f"{face.exchange_rate[0, 0, len(face.rows) // 2, len(face.pass_rate) // 2]:.2f} pass@1 per nat at the middle of the grid")
effects = {control.name: abs(control.effect.value) for control in inversion_map.controls}
assert max(effects, key=effects.get) in ("dispersion", "reach")
print({name: round(effect, 3) for name, effect in effects.items()})
