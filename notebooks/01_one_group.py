# %% [markdown]
# # 1. One group, one prompt
#
# **Question.** GRPO samples a group of g answers to one prompt, rewards each with 1 or 0, and learns from what differs
# *inside* the group. How much is there to learn from, on average?
#
# You need: expectation and variance of a coin. About 20 minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots
from rlsignal.proofs import derivations

# %% [markdown]
# ## A group
#
# A prompt is solved with probability p, its *pass rate*. Eight rollouts of a prompt with p = 0.3:

# %%
rng = np.random.default_rng(0)
group = (rng.random(8) < 0.3).astype(int)
group

# %% [markdown]
# The simplest advantage is the reward minus the group's mean. Correct answers are pushed up, incorrect ones down:

# %%
group - group.mean()

# %% [markdown]
# Its size is measured by the variance inside the group, `mean((r - mean(r))**2)`. If all rewards are equal, it is 0
# and the group gives no gradient: it is *degenerate*.
#
# **Predict.** Over many groups, what is the mean of that variance? The variance of a coin is p(1-p) = 0.21. Is the mean
# more, less, or the same? Write a number down before you go on.

# %%
groups = (rng.random((100_000, 8)) < 0.3).astype(int)
inside = groups.var(axis=1)
print(f"mean variance inside a group: {inside.mean():.4f}")
print(f"p(1-p)                      : {0.3 * 0.7:.4f}")

# %% [markdown]
# Less, by a factor: 7/8. The group's own mean sits closer to its members than the true p does. The formula is
#
# $$E[v] = p(1-p)\,\frac{g-1}{g}.$$

# %%
rl.advantage_variance(0.3, 8)

# %% [markdown]
# ## Derived
#
# With K correct answers of g the variance is K(g-K)/g². Its mean needs only E[K] and E[K²]. `check()` has a computer
# algebra system follow every step; a step that does not follow raises an error.

# %%
derivations.within_group_variance().check()

# %% [markdown]
# ## Verified
#
# Three witnesses that do not know the formula: all 2^8 groups in exact arithmetic, random draws, and a tempting wrong
# formula that the draws must *reject* (a test that cannot fail proves nothing).

# %%
checks = [check for check in rl.verify().checks if check.label == "V1"]
for check in checks:
    print(
        f"{check.formula} at {check.where}: exact {check.exact:.6f}, drawn {check.estimate:.6f} ± {check.standard_error:.1e}"
    )
    print(f"    tempting, and wrong: {check.wrong_formula} = {check.wrong:.6f}, rejected: {check.wrong_rejected}")

# %% [markdown]
# ## A picture

# %%
plots.plot_variance((2, 8, 64));

# %% tags=["slider"]
# Turn the knob yourself (needs a running notebook): where is the signal, and how much of it is lost at small g?
from ipywidgets import interact

interact(lambda g: plots.plot_variance((g,)), g=(2, 64));
# %% [markdown]
# Most signal at p = 1/2, none at the ends, and nothing special anywhere between. Larger groups raise the whole curve,
# from half of p(1-p) at g = 2 to nearly all of it; most of that is gained by g = 8.
#
# ## What an estimator makes of it
#
# This variance is the mean square of *mean-centred* advantages, those of Dr. GRPO. GRPO divides by the group's standard
# deviation; then every informative group has mean square 1, and the mean over groups is the chance of an informative group:

# %%
for estimator in (rl.DR_GRPO, rl.RLOO, rl.GRPO, rl.estimators.GRPO_TRL):
    row = [round(estimator.variance(p, 8), 3) for p in (0.02, 0.1, 0.5)]
    print(f"{estimator.name:9} at p = 0.02, 0.1, 0.5: {row}")

# %% [markdown]
# ## Exercises
#
# 1. What is the mean variance at g = 2? Say it in words before you compute it.
# 2. By which factor does a group of 2 have less of it than one of 64, at any p?
# 3. A framework rewards correct answers with +2 instead of +1. What happens to E[v], and what to GRPO's advantages?

# %% tags=["solution"]
# 1. Two rollouts differ with probability 2p(1-p), and then their variance is 1/4.
assert np.isclose(rl.advantage_variance(0.3, 2), 2 * 0.3 * 0.7 / 4)
# 2. (1/2) / (63/64), whatever p is.
assert np.isclose(rl.advantage_variance(0.3, 2) / rl.advantage_variance(0.3, 64), (1 / 2) / (63 / 64))
# 3. E[v] is multiplied by 4. GRPO divides by the standard deviation, which doubles too: its advantages do not change.
doubled = 2 * groups
assert np.isclose(doubled.var(axis=1).mean(), 4 * inside.mean())
