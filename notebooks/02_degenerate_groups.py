# %% [markdown]
# # 2. Degenerate groups and the group size
#
# **Question.** When all rewards of a group are equal, it gives no gradient. How often does that happen, and is a larger
# group the cure?
#
# You need [lesson 1](01_one_group.ipynb). About 15 minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots
from rlsignal.exercises import check

# %% [markdown]
# A group of g is *degenerate* (it has zero variance) if all its rollouts are correct, with chance p^g, or all are incorrect,
# with chance (1-p)^g. So the share of degenerate groups is D = p^g + (1-p)^g; all others are *informative*.
#
# **Predict.** At p = 0.1 and g = 8, which share of groups is degenerate? 10%, 40%, 80%?

# %%
round(rl.degenerate_probability(0.1, 8), 3)

# %% [markdown]
# Below which pass rate are most groups of g degenerate? It is called p\*(g); in pairs (g, p\*(g)):

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
# Share of degenerate groups over the group size, for prompts of four pass rates.
plots.plot_degenerate_groups({"p = 0.5": 0.5, "p = 0.1": 0.1, "p = 0.02": 0.02, "p = 0.005": 0.005});
# %% [markdown]
# For one prompt the degenerate share falls geometrically, by a factor max(p, 1-p) with each rollout: at p = 0.02 that
# is 2% at a time, so groups larger than 1/p are needed. Which size makes 90% of the groups informative?

# %%
[(p, rl.group_size_for(p, informative=0.9)) for p in (0.5, 0.2, 0.1, 0.05, 0.02)]

# %% [markdown]
# ## What it costs
#
# At a fixed number of rollouts larger groups mean fewer prompts. The update that a group gives is noisy, and its own mean is
# one reason: the part of the noise that comes from single rollouts is g/(g-1) times what it would be if p itself could be
# subtracted from the rewards, for *any* p. Beside this noise the table counts the informative groups among 512 rollouts at
# p = 0.1:

# %%
for g in (2, 4, 8, 16, 64):
    noise = g / (g - 1)
    print(
        f"g = {g:2d}: noise {noise:.2f}, informative groups of 512 rollouts: {512 // g * rl.informative_probability(0.1, g):5.1f}"
    )

# %% [markdown]
# From g = 8 on this noise is at most 14% above its least ([S2](../docs/theory.md#S2)), and a larger g leaves fewer
# informative groups, for there are fewer groups. So the choice of g is about something else: which prompts get any signal
# (this lesson), how they are weighted (lesson 4), and how far the gradients of single rollouts scatter, which no count of
# rewards shows.
#
# A step of training takes many prompts at once, a *batch*, so degenerate groups are no disaster: the chance that *all*
# groups of a batch of 64 prompts are degenerate is D to the 64th. With p = 0.02 for every prompt, D and that chance are

# %%
rl.degenerate_probability(0.02, 8), rl.degenerate_probability(0.02, 8) ** 64

# %% [markdown]
# ## Exercises
#
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** Dynamic sampling ([DAPO](https://arxiv.org/abs/2503.14476)) drops degenerate groups and samples until the
# batch is full. How many rollouts does one accepted group of 8 cost at p = 0.02? (There D = 0.851.)

# %% tags=["answer"]
check("2.1", ...)

# %% [markdown]
# **By hand.** How many rollouts of one prompt does it take on average until two of them differ, at p = 0.2?

# %% tags=["answer"]
check("2.2", ...)

# %% [markdown]
# **By code.** Write the share of degenerate groups as a function of p and g.

# %% tags=["answer"]
def answer(p, g):
    return ...


check("2.3", ...)

# %% [markdown]
# **Open.** D = 1/2 holds at p\* and at a second pass rate, above 1/2. From which pass rate on is a prompt "too easy" at g = 8,
# and should a trainer drop such prompts?
#
# ## Where this leads
#
# - Formulas: [D1](../docs/theory.md#D1), [D6](../docs/theory.md#D6), dynamic sampling [B3](../docs/theory.md#B3),
#   [B5](../docs/theory.md#B5); the mistakes among the [claims](../docs/claims.md).
# - In the trainers: TRL logs `frac_reward_zero_std` in
#   [grpo_trainer.py](https://github.com/huggingface/trl/blob/main/trl/trainer/grpo_trainer.py); what other frameworks log is
#   in [logs](../docs/logs.md).
# - Next: [lesson 3](03_prompts_differ.ipynb), many prompts.

# %% tags=["solution"]
# g over the share of informative groups.
assert check("2.1", 8 / (1 - 0.851)).verdict == "right"
# 1/p + 1/(1-p) - 1: after the first rollout wait for the other outcome.
assert check("2.2", 1 / 0.2 + 1 / 0.8 - 1).verdict == "right"
assert check("2.3", lambda p, g: p**g + (1 - p) ** g).verdict == "right"
# Open: its mirror image, 1 - p*. Half of its groups are informative still: such a prompt is slow, not useless.
assert np.isclose(rl.degenerate_probability(1 - rl.critical_pass_rate(8), 8), 0.5)
