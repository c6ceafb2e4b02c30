# %% [markdown]
# # 8. Your own evaluation: which checkpoint, which group size
#
# **Question.** You have 16 samples of each of 200 prompts from three checkpoints. Which one should RL start from, with
# which group size, and how sure can you be?
#
# You need lesson 3. About 15 minutes. Everything here also works from the command line: `rlsignal diagnose FILE`,
# `rlsignal group-size FILE`.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots

# %% [markdown]
# ## The data
#
# Three made-up checkpoints of one model, on the same prompts: deeper ones have more pass@1 and pass rates that are more
# extreme. Replace this cell by your own: `rl.read("evaluation.jsonl")`, or a mapping of columns.

# %%
rng = np.random.default_rng(0)
ability = rng.normal(size=200)
checkpoints = {}
for name, shift, scale in (("1 epoch", -1.7, 1.0), ("3 epochs", -1.5, 2.0), ("6 epochs", -1.2, 4.0)):
    p = 1 / (1 + np.exp(-(shift + scale * ability)))
    checkpoints[name] = {"prompt": list(range(200)), "n": [16] * 200, "c": rng.binomial(16, p).tolist()}

# %% [markdown]
# **Predict.** The deepest has the most pass@1. Is it the one to start RL from?
#
# ## One checkpoint

# %%
found = rl.diagnose(checkpoints["6 epochs"], group_size=8)
print(found)

# %%
plots.plot_degenerate(found);
# %% [markdown]
# Read it from the top: what is lost, why the mean hides it, and how far the samples reach. Up to g = 16 the figures are
# counted; beyond, the brackets are all that the samples allow.
#
# ## All three

# %%
compared = rl.compare(checkpoints, group_size=8)
print(compared)

# %%
plots.plot_comparison(compared);
# %% [markdown]
# ## Which group size

# %%
best = checkpoints[compared.best["informative"]]
print(rl.recommend_group_size(rl.Recorded(best["c"], 16), rollouts=512))

# %% [markdown]
# ## A run's log
#
# While it trains, the same question over time. A made-up log of a run whose groups degenerate:

# %%
steps = np.arange(200)
degenerate = np.clip(rng.binomial(64, 0.4 + 0.55 * steps / 200) / 64, 0, 1)
log = [{"step": int(t), "reward": 0.3, "frac_reward_zero_std": float(d)} for t, d in zip(steps, degenerate, strict=True)]
print(rl.track(log, 8, groups=64, window=25))

# %% [markdown]
# ## Exercises
#
# 1. How would the advice change if you trained with RLOO?
# 2. With only the first 4 samples of each prompt, what can be estimated about groups of 8?
# 3. What would dynamic sampling cost on the deepest checkpoint?

# %% tags=["solution"]
# 1. Not the size, which is chosen by counts; but hard prompts would weigh like the others.
rloo = rl.recommend_group_size(rl.Recorded(best["c"], 16), estimator=rl.RLOO)
assert {round(line.hard, 9) for line in rloo.lines} == {1.0}
# 2. Bounds instead of counts.
few = {**best, "n": [4] * 200, "c": rng.hypergeometric(best["c"], 16 - np.array(best["c"]), 4).tolist()}
print(rl.diagnose(few, 8).chosen.degenerate)
assert rl.diagnose(few, 8).chosen.degenerate.how == "bounds"
# 3.
deepest = rl.Recorded(checkpoints["6 epochs"]["c"], 16)
print(f"{rl.theory.rollouts_per_accepted_group(deepest, 8):.0f} rollouts for each accepted group of 8")
