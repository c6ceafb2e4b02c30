# %% [markdown]
# # 7. Over-training and rank inversion
#
# **Question.** Fine-tune for longer: pass@1 rises. Then run GRPO from each checkpoint. Does the best one stay the best?
#
# You need lessons 3 and 5. About 25 minutes.

# %%

import rlsignal as rl
from rlsignal import plots, sim

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
plots.plot_ladder(ladder).legend(fontsize=8);
# %%
plots.plot_signal(ladder).legend(fontsize=8);
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
# `docs/predictors.md`.
#
# ## The swap
#
# Scale the deep checkpoint's logits until it has the shallow one's entropy, and the other way round:

# %%
swap = sim.entropy_swap(course, sim.SFTRecipe(policy, depths=(100, 1000)), grpo, rate=1e-3, seeds=3)
print(swap)

# %% [markdown]
# Flattening helps. Is it the entropy? No: scaling logits moves pass rates and their dispersion as well (see the rows
# above). Only matched starts (lesson 5) separate the two, and there it is the dispersion.
#
# ## The map
#
# `rlsignal map` draws the outcome over pass@1 and entropy, and beside it the controls. A quick one:

# %%
recipe = sim.Recipe(prompts=64, steps=200)
inversion_map = sim.inversion_map(recipe, group_sizes=(8,), rollouts=1600, draws=2, sampled=False)
plots.plot_sharpening(inversion_map, g=8);
# %% [markdown]
# ## Exercises
#
# 1. Which share of the map's pairs of starts is inverted, and what does that share depend on?
# 2. How much pass@1 is one nat worth at the middle of the grid?
# 3. Which of the four controls moves the outcome most?

# %% tags=["solution"]
# 1. It depends on the grid of starts: never quote it without.
print(f"{inversion_map.inverted_share[0, 0]:.0%}")
# 2.
face = inversion_map.sharpening
print(f"{face.exchange_rate[0, 0, len(face.rows) // 2, len(face.pass_rate) // 2]:.2f} pass@1 per nat")
# 3.
effects = {control.name: abs(control.effect.value) for control in inversion_map.controls}
assert max(effects, key=effects.get) in ("dispersion", "reach")
print(effects)
