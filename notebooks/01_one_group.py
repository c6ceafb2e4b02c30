# %% [markdown]
# # 1. One group, one prompt
#
# **Question.** GRPO (group relative policy optimization) samples a group of g answers to one prompt, rewards each with 1 or
# 0, and learns from what differs *inside* the group. How much is there to learn from, on average?
#
# You need: the variance of a coin, p(1-p); [lesson 0](00_coins_and_policies.ipynb) has it, and what a policy is. About
# 20 minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots
from rlsignal.exercises import check
from rlsignal.proofs import derivations

# %% [markdown]
# ## A group
#
# A *prompt* is a question, and a *rollout* one sampled answer to it. It is correct with probability p, the prompt's *pass
# rate*. The rewards of eight rollouts at p = 0.3:

# %%
rng = np.random.default_rng(0)
group = (rng.random(8) < 0.3).astype(int)
group

# %% [markdown]
# Training makes a rollout more likely, or less, in proportion to a number, its *advantage*. The simplest is the reward minus
# the group's mean: correct answers are pushed up, incorrect ones down.

# %%
group - group.mean()

# %% [markdown]
# Its size is measured by the variance inside the group, `mean((r - mean(r))**2)`. If all rewards are equal, it is 0
# and the group gives no gradient: it is [degenerate](../docs/glossary.md#term-degenerate-group).
#
# **Predict.** Over many groups, what is the mean of that variance? The variance of a coin is p(1-p) = 0.21. Is the mean
# more, less, or the same? Write a number down before you go on.

# %%
groups = (rng.random((100_000, 8)) < 0.3).astype(int)
inside = groups.var(axis=1)
print(f"mean variance inside a group: {inside.mean():.4f}")
print(f"p(1-p)                      : {0.3 * 0.7:.4f}")

# %% [markdown]
# Less, by a factor: 7/8. The group's own mean sits closer to its members than the true p does. With v for the variance
# inside a group and E for the mean over groups the formula is
#
# $$E[v] = p(1-p)\,\frac{g-1}{g}.$$

# %%
rl.advantage_variance(0.3, 8)

# %% [markdown]
# ## Derived
#
# Three steps, and all that they need is the chance that two coins differ.
#
# 1. The variance of any numbers is half the mean squared difference of two of them, over all g² ordered pairs (i, j).
# 2. Two *different* rollouts differ with chance p(1-p) + (1-p)p = 2p(1-p), and then the squared difference is 1. A rollout
#    does not differ from itself.
# 3. Of the g² pairs g(g-1) are of different rollouts. So the mean is half of 2p(1-p) times g(g-1)/g².
#
# The same for a computer: sympy, a program for algebra, follows every step as the proof is shown, with g and p as symbols. A proof with a step
# that does not follow does not show; it raises an error. Here K is the number of correct rollouts. Steps 2 and 3 above are
# its steps 9 and 10. Skip its steps 6 to 8 at a first reading: there it finds the mean of K(g-K) by derivatives, a way
# that gives everything about K that comes later.

# %%
derivations.within_group_variance_by_pairs()

# %% [markdown]
# ## Verified
#
# Three witnesses that do not know the formula: all 2^8 groups in exact arithmetic, random draws, and a tempting wrong
# formula that the draws must *reject* (a test that cannot fail proves nothing). Here q stands for 1-p, E v for the mean
# variance, and ± for one standard error: how far chance typically puts the mean of this many draws from the truth. The
# second check is for prompts that differ in p, which is [lesson 3](03_prompts_differ.ipynb).

# %%
for row in rl.verify().checks:
    if row.label == "V1":
        print(f"{row.formula} at {row.where}: exact {row.exact:.6f}, drawn {row.estimate:.6f} ± {row.standard_error:.1e}")
        print(f"    tempting, and wrong: {row.wrong_formula} = {row.wrong:.6f}, rejected: {row.wrong_rejected}")

# %% [markdown]
# ## A picture

# %%
# Expected variance inside a group over the pass rate: most at 1/2, and larger for larger groups.
plots.plot_variance((2, 8, 64));

# %% explorer="p=0.5" tags=["slider"]
# Turn the knob yourself (needs a running notebook): where is the signal, and how much of it is lost at small g?
from ipywidgets import interact

interact(lambda g: plots.plot_variance((2, g, 64), top=0.26), g=(2, 64));
# %% [markdown]
# Most signal at p = 1/2, none at the ends, and nothing special anywhere between. Larger groups raise the whole curve,
# from half of p(1-p) at g = 2 to nearly all of it; most of that is gained by g = 8.
#
# ## What an estimator makes of it
#
# A rule that makes advantages of rewards is an *advantage estimator*. Reward minus the group's mean is the one of Dr. GRPO;
# the variance above is the mean square of its advantages. RLOO subtracts the mean of the *other* rollouts instead, which
# makes every advantage g/(g-1) times as large. GRPO divides Dr. GRPO's by the group's standard deviation. Then every group
# that is not degenerate (an *informative* group) has mean square 1, and the mean over groups is the chance of an informative
# group. GRPO_TRL is GRPO as the library TRL computes it: its standard deviation divides by g-1 in place of g.
#
# The mean square of each one's advantages:

# %%
for estimator in (rl.DR_GRPO, rl.RLOO, rl.GRPO, rl.estimators.GRPO_TRL):
    row = [round(estimator.variance(p, 8), 3) for p in (0.02, 0.1, 0.5)]
    print(f"{estimator.name:9} at p = 0.02, 0.1, 0.5: {row}")

# %% [markdown]
# ## Exercises
#
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** What is the mean variance at g = 2 and p = 0.3? Say it in words before you compute it.

# %% tags=["answer"]
check("1.1", ...)

# %% [markdown]
# **By hand.** A group of 2 has how many times the mean variance of a group of 64, at any p?

# %% tags=["answer"]
check("1.2", ...)

# %% [markdown]
# **By code.** Write the mean variance as a function of p and g, without the library.

# %% tags=["answer"]
def answer(p, g):
    return ...


check("1.3", ...)

# %% [markdown]
# **Open.** A framework rewards correct answers with +2 instead of +1, and incorrect ones with 0. What happens to E[v], and what to GRPO's
# advantages?
#
# ## Where this leads
#
# - Formulas: [V1](../docs/theory.md#V1), [V2](../docs/theory.md#V2) (how much one group's variance varies),
#   [V4](../docs/theory.md#V4) (other estimators); each with its tempting mistake among the [claims](../docs/claims.md).
# - Where it comes from: GRPO, [arXiv 2402.03300](https://arxiv.org/abs/2402.03300); Dr. GRPO,
#   [2503.20783](https://arxiv.org/abs/2503.20783).
# - Next: [lesson 2](02_degenerate_groups.ipynb), groups without any variance.

# %% tags=["solution"]
# Two rollouts differ with chance 2p(1-p), and then their variance is 1/4.
assert check("1.1", 2 * 0.3 * 0.7 / 4).verdict == "right"
# (1/2) / (63/64), whatever p is.
assert check("1.2", (1 / 2) / (63 / 64)).verdict == "right"
assert check("1.3", lambda p, g: p * (1 - p) * (g - 1) / g).verdict == "right"
# Open: E[v] is multiplied by 4. GRPO divides by the standard deviation, which doubles too: its advantages do not change.
doubled = 2 * groups
assert np.isclose(doubled.var(axis=1).mean(), 4 * inside.mean())
