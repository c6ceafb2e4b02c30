# %% [markdown]
# # 3. Prompts differ: why the mean misleads
#
# **Question.** A log says: mean reward 0.28, group size 8, and 54% of the groups have zero standard deviation. By lesson 2 it should be
# 7%. Is the log wrong?
#
# You need [lesson 2](02_degenerate_groups.ipynb). About 20 minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots
from rlsignal.exercises import check

round(rl.degenerate_probability(0.28, 8), 3)

# %% [markdown]
# ## Two prompts
#
# **Predict.** One prompt has p = 0.01, another p = 0.55: their mean is 0.28 too. What is the mean share of degenerate groups?

# %%
round(float(np.mean(rl.degenerate_probability([0.01, 0.55], 8))), 3)

# %% [markdown]
# Nearly half. D as a curve over p bends upwards (it is convex), so the mean over prompts is never below D at the mean.
# A threshold such as p\*(8) = 0.083 is about *one* prompt; a data set can have a mean far above it and mostly
# degenerate groups.
#
# ## Dispersion
#
# One number says how much prompts differ: the
# [dispersion](../docs/glossary.md#term-dispersion) Var(p) / (m(1-m)), where m is the mean of p over prompts. It goes
# from 0 (all alike) to 1 (each always or never solved). The Beta distributions are a family of curves for p between 0
# and 1; mean and dispersion pick one of them. Here are four, drawn as what an evaluation with 20 samples of each prompt
# would show:

# %%
# How prompts differ at the same mean: more dispersion, more prompts that are never or always solved (the ends).
plots.plot_population(rl.Beta(0.28, 0.05), rl.Beta(0.28, 0.3), rl.Beta(0.28, 0.54), rl.Beta(0.28, 0.9));
# %%
# Share of degenerate groups over the group size, at the same mean pass rate 0.28 and five dispersions.
populations = {f"dispersion {rho}": rl.Beta(0.28, rho) for rho in (0.0, 0.1, 0.3, 0.54, 0.9)}
plots.plot_degenerate_groups(populations);

# %% explorer="rho=0.3" tags=["slider"]
# Turn the knobs yourself (needs a running notebook): which dispersion fits 54% degenerate at g = 8?
from ipywidgets import interact

knob = (0.0, 1.0, 0.02)
interact(lambda mean, dispersion: plots.plot_degenerate_groups({"here": rl.Beta(mean, dispersion)}), mean=knob, dispersion=knob);
# %% [markdown]
# At dispersion 0.54 the curve passes through the log's number, and it falls slowly: by a power of g, not geometrically ([D3](../docs/theory.md#D3)).
# Raising g is a weak lever on prompts that are nearly never or nearly always solved.
#
# ## From a log's two numbers to every other group size

# %%
rho = rl.dispersion_for(mean=0.28, degenerate=0.54, g=8)
population = rl.Beta(0.28, rho)
print(f"dispersion {rho:.2f}; degenerate at g = 32: {rl.degenerate_probability(population, 32):.2f}")

# %% [markdown]
# How sure is that? The log's numbers are averages over groups, here 512. Behind ± stands one standard error; in brackets, a
# 95% interval:

# %%
run = rl.inference.log_estimate(0.28, 0.54, 8, groups=512)
print(run)
print("degenerate at g = 32:", run.predict(rl.degenerate_probability, 32))

# %% [markdown]
# ## From an evaluation
#
# With n samples of each prompt nothing needs to be fitted: every group size up to n can be counted without bias, which is
# right on average ([L3](../docs/theory.md#L3) has the proof). Let us draw an evaluation of 400 prompts with 16 samples each. We know the truth,
# for we drew it; the estimate sees only how many of each prompt's 16 samples are correct:

# %%
rng = np.random.default_rng(1)
size = (1 - 0.4) / 0.4  # a Beta of mean m and dispersion rho is numpy's beta(m * size, (1-m) * size) with this size
correct = rng.binomial(16, rng.beta(0.3 * size, 0.7 * size, 400))
evaluation = rl.Recorded(correct, 16)
for g in (4, 8, 16):
    found = rl.inference.group_estimate(rl.degenerate_probability, evaluation, g)
    print(
        f"g = {g:2d}: {found.value:.3f} [{found.low:.3f}, {found.high:.3f}], truth {rl.degenerate_probability(rl.Beta(0.3, 0.4), g):.3f}"
    )

# %% [markdown]
# All three estimates are too high, and two of the intervals miss the truth. They are made of the same 400 prompts, of which
# chance put more than usual at the ends, so they miss together. A 95% interval does that in one evaluation of twenty: draw
# others with another seed.
#
# The tempting way is to plug c/n, the share of correct samples, into the formula of lesson 2. It is biased: a prompt with 0
# of 16 is not one with p = 0.

# %%
plugged = np.mean(rl.degenerate_probability(correct / 16, 8))
print(f"plugged in {plugged:.3f}, unbiased {rl.degenerate_probability(evaluation, 8):.3f}")

# %% [markdown]
# For groups larger than n there are two ways: a fitted Beta distribution (a guess about the shape), and bounds that assume no shape.

# %%
fit = rl.inference.beta_estimate(evaluation)
for g in (32, 64, 256):
    allowed = rl.inference.group_bounds(rl.degenerate_probability, evaluation, g)
    print(f"g = {g:3d}: Beta {fit.predict(rl.degenerate_probability, g).value:.3f}, any distribution [{allowed.low:.3f}, {allowed.high:.3f}]")

# %% [markdown]
# ## Exercises
#
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** Two prompts have p = 0.05 and p = 0.51. Which share of their groups of 4 is degenerate, on average?

# %% tags=["answer"]
check("3.1", ...)

# %% [markdown]
# **By hand.** Three prompts have 4 samples each, of which 0, 2 and 4 are correct. Estimate the mean of p(1-p) without bias.
# (Two different rollouts of a prompt differ with chance 2p(1-p): count pairs of samples.)

# %% tags=["answer"]
check("3.2", ...)

# %% [markdown]
# **By code.** Of n samples of a prompt c are correct. Write the unbiased share of degenerate groups of g. (`math.comb` counts
# subsets.)

# %% tags=["answer"]
def answer(c, n, g):
    return ...


check("3.3", ...)

# %% [markdown]
# **Open.** Somebody reports a binomial interval over all 6400 rollouts of the evaluation. Why is it too narrow? And at g = 8,
# above which dispersion does *no* mean make half of the groups informative?
#
# ## Where this leads
#
# - Formulas: [L2](../docs/theory.md#L2), [L3](../docs/theory.md#L3), [D3](../docs/theory.md#D3),
#   [D5](../docs/theory.md#D5), [I1](../docs/theory.md#I1); the bounds [I8](../docs/theory.md#I8); how often the intervals
#   hold: [coverage](../docs/coverage.md).
# - The unbiased pass@k (the chance that at least one of k samples is correct): [arXiv 2107.03374](https://arxiv.org/abs/2107.03374).
# - Next: [lesson 4](04_what_estimators_optimise.ipynb), what the estimators make of it; or straight to
#   [lesson 8](08_your_own_evaluation.ipynb), your own evaluation.

# %% tags=["solution"]
# D of each prompt, then the mean.
assert check("3.1", np.mean([p**4 + (1 - p) ** 4 for p in (0.05, 0.51)])).verdict == "right"
# Of the 6 pairs of samples of the middle prompt 4 differ; half of that is its p(1-p). The other two prompts have none.
assert check("3.2", (0 + 4 / 6 / 2 + 0) / 3).verdict == "right"
# The same is pass@2 - pass@1, where pass@k is the chance that at least one of k samples is correct.
assert np.isclose(rl.pass_at_k(evaluation, 2) - rl.pass_at_k(evaluation, 1), evaluation.reward_variance)
# Draws without putting back.
from math import comb

assert check("3.3", lambda c, n, g: (comb(c, g) + comb(n - c, g)) / comb(n, g)).verdict == "right"
# Open: rollouts of one prompt are not independent: 16 of them are worth 1 + 15 rho times fewer. Prompts are the units.
pooled = np.sqrt(0.3 * 0.7 / 6400)
honest = rl.inference.group_estimate(rl.pass_at_k, evaluation, 1).standard_error
assert 2 * pooled < honest
print(round(rl.theory.critical_dispersion(8), 3))
assert np.isnan(rl.critical_pass_rate(8, dispersion=0.6))
