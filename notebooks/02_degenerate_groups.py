# %% [markdown]
# # 2. Degenerate groups and the group size
#
# **Question.** When all rewards of a group are equal, it gives no gradient. How often does that happen, and is a larger
# group the cure?
#
# You need lesson 1. About 15 minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots

# %% [markdown]
# A group of g is *degenerate* (it has zero variance) if all its rollouts are correct or all are incorrect: D = p^g + (1-p)^g.
#
# **Predict.** At p = 0.1 and g = 8, which share of groups is degenerate? 10%, 40%, 80%?

# %%
round(rl.degenerate_probability(0.1, 8), 3)

# %% [markdown]
# Below which pass rate are most groups of 8 degenerate? The paper behind this library calls it p\*(8):

# %%
[(g, round(rl.critical_pass_rate(g), 4)) for g in (2, 3, 4, 8, 16, 32)]

# %% [markdown]
# Two things to notice. At g = 2 it is 1/2: two rewards are equal at least half of the time, whatever p is. And nothing breaks
# *at* p\*: the variance there is still a good share of its largest.

# %%
round(rl.advantage_variance(rl.critical_pass_rate(8), 8) / rl.advantage_variance(0.5, 8), 2)

# %% [markdown]
# ## Larger groups

# %%
plots.plot_degenerate_groups({"p = 0.5": 0.5, "p = 0.1": 0.1, "p = 0.02": 0.02, "p = 0.005": 0.005});
# %% [markdown]
# For one prompt the degenerate share falls geometrically, by a factor max(p, 1-p) with each rollout: at p = 0.02 that
# is 2% at a time, so groups far larger than 1/p are needed. Which size makes 90% of the groups informative?

# %%
[(p, rl.group_size_for(p, informative=0.9)) for p in (0.5, 0.2, 0.1, 0.05, 0.02)]

# %% [markdown]
# ## What it costs
#
# At a fixed number of rollouts larger groups mean fewer prompts. Where the noise of single rollouts dominates, the
# variance of an update is g/(g-1) times what it would be with a perfect baseline, for *any* p:

# %%
for g in (2, 4, 8, 16, 64):
    noise = g / (g - 1)
    print(
        f"g = {g:2d}: noise {noise:.2f}, informative groups of 512 rollouts: {512 // g * rl.informative_probability(0.1, g):5.1f}"
    )

# %% [markdown]
# From g = 8 on there is at most 14% left to win there. So the choice of g is about something else: which prompts get any
# signal (this lesson), how they are weighted (lesson 4), and the gradient noise, which no count of rewards shows.
#
# Degenerate groups are no disaster for a batch: the chance that *all* groups of a batch of 64 prompts are degenerate
# is D to the 64th.

# %%
rl.degenerate_probability(0.02, 8), rl.degenerate_probability(0.02, 8) ** 64

# %% [markdown]
# ## Exercises
#
# 1. Dynamic sampling (DAPO) drops degenerate groups and samples until the batch is full. How many rollouts does one accepted
#    group cost at p = 0.02, g = 8?
# 2. And how many rollouts of one prompt until two of them differ, at p = 0.02?
# 3. D has a second root above 1/2. Which pass rate is "too easy" at g = 8?

# %% tags=["solution"]
# 1. g over the share of informative groups.
assert np.isclose(rl.theory.rollouts_per_accepted_group(0.02, 8), 8 / rl.informative_probability(0.02, 8))
print(round(rl.theory.rollouts_per_accepted_group(0.02, 8), 1))
# 2. 1/p + 1/q - 1: wait for the rarer outcome.
assert np.isclose(rl.theory.rollouts_to_informative(0.02), 1 / 0.02 + 1 / 0.98 - 1)
# 3. Its mirror image, 1 - p*.
assert np.isclose(rl.degenerate_probability(1 - rl.critical_pass_rate(8), 8), 0.5)
