# %% [markdown]
# # 8. Your own evaluation: which checkpoint, which group size
#
# **Question.** You have 16 samples of each of 200 prompts from three checkpoints. Which one should RL start from, with
# which group size, and how sure can you be?
#
# You need [lesson 3](03_prompts_differ.ipynb). About 15 minutes. Everything here also works from the command line: `rlsignal diagnose FILE`,
# `rlsignal group-size FILE`.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots
from rlsignal.exercises import check

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
# ## One checkpoint

# %%
found = rl.diagnose(checkpoints["6 epochs"], group_size=8)
print(found)

# %%
# Degenerate groups of this evaluation over the group size; the mean alone would promise far fewer.
plots.plot_degenerate(found);
# %% [markdown]
# Read it from the top: what is lost, why the mean hides it, and how far the samples reach. Up to g = 16 the figures are
# counted; beyond, the brackets are all that the samples allow.
#
# ## All three
#
# **Predict.** The deepest has the most pass@1. Is it the one to start RL from?

# %%
compared = rl.compare(checkpoints, group_size=8)
print(compared)

# %%
# The three checkpoints compared.
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
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** 400 prompts with 16 samples each, at dispersion 0.5. How many independent rollouts are they worth for the
# mean?

# %% tags=["answer"]
check("8.1", ...)

# %% [markdown]
# **By code.** Of n samples of a prompt c are correct. Write its unbiased pass@k.

# %% tags=["answer"]
def answer(c, n, k):
    return ...


check("8.2", ...)

# %% [markdown]
# **Open.** How would the advice change if you trained with RLOO? With only the first 4 samples of each prompt, what can be
# estimated about groups of 8? What would dynamic sampling cost on the deepest checkpoint?
#
# ## Where this leads
#
# - How to read every line: [diagnosis](../docs/diagnosis.md).
# - How often the intervals hold: [coverage](../docs/coverage.md); how often the decisions are right:
#   [decisions](../docs/decisions.md).
# - In the trainers: what each framework writes, and which of it is read, in [formats](../docs/formats.md) and
#   [logs](../docs/logs.md).
# - Formulas: [I3](../docs/theory.md#I3), [I8](../docs/theory.md#I8), [I10](../docs/theory.md#I10).

# %% tags=["solution"]
assert check("8.1", 6400 / (1 + 15 * 0.5)).verdict == "right"
from math import comb

assert check("8.2", lambda c, n, k: 1 - comb(n - c, k) / comb(n, k)).verdict == "right"
# Open. Not the size, which is chosen by counts; but hard prompts would weigh like the others.
rloo = rl.recommend_group_size(rl.Recorded(best["c"], 16), estimator=rl.RLOO)
assert {round(line.hard, 9) for line in rloo.lines} == {1.0}
# Bounds instead of counts.
few = {**best, "n": [4] * 200, "c": rng.hypergeometric(best["c"], 16 - np.array(best["c"]), 4).tolist()}
print(rl.diagnose(few, 8).chosen.degenerate)
assert rl.diagnose(few, 8).chosen.degenerate.how == "bounds"
deepest = rl.Recorded(checkpoints["6 epochs"]["c"], 16)
print(f"{rl.theory.rollouts_per_accepted_group(deepest, 8):.0f} rollouts for each accepted group of 8")
