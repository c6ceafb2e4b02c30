# %% [markdown]
# # 4. What each estimator really optimises
#
# **Question.** GRPO, RLOO, Dr. GRPO and MaxRL see the same rewards. Do they climb the same hill?
#
# You need lesson 1 and the policy gradient. About 20 minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots

# %% [markdown]
# ## An estimator is a table
#
# With binary rewards a group is one number K, how many are correct. So an advantage estimator is two rows: the advantage
# of an incorrect and of a correct rollout, for each K. GRPO at g = 4:

# %%
rl.GRPO.table(4).round(3)

# %% [markdown]
# Frameworks differ in details, and it shows:

# %%
print(rl.estimators.compare_estimators([1, 0, 0, 0, 0, 0, 0, 0]))

# %% [markdown]
# ## The weight
#
# Averaged over groups, *any* such table pushes the policy along w(p) · grad p, where
#
# $$w_g(p) = E\,[A^+(J+1) - A^-(J)], \qquad J \sim \mathrm{Bin}(g-1, p):$$
#
# what a rollout's advantage gains when it turns from incorrect to correct, given how many of the others are correct. Estimators
# differ in nothing but this weight, as far as the mean goes.
#
# **Predict.** GRPO divides by the group's standard deviation, which is small where p is small. As p goes to 0, does its
# weight go to infinity?

# %%
plots.plot_weights(8, (rl.RLOO, rl.DR_GRPO, rl.GRPO, rl.MAXRL));

# %% tags=["slider"]
# Turn the knob yourself (needs a running notebook): from which g on does GRPO lean towards hard prompts?
from ipywidgets import interact

interact(lambda g: plots.plot_weights(g, (rl.RLOO, rl.GRPO, rl.MAXRL)), g=(2, 64));
# %%
(
    [round(rl.GRPO.weight(1e-6, g), 3) for g in (2, 3, 4, 8, 64)],
    [round(np.sqrt(g - 1), 3) for g in (2, 3, 4, 8, 64)],
)

# %% [markdown]
# No: to sqrt(g-1). A degenerate group has no standard deviation to divide by. The familiar 1/sqrt(p(1-p)) needs g far above
# 1/p. And at g = 2 and 3 GRPO's weight is *flat*: there is no bias towards hard prompts at all.
#
# ## The hill
#
# A weight that depends on p alone is the slope of a function of p: the estimator climbs the mean of h(p) over prompts.

# %%
plots.plot_objectives(8, (rl.RLOO, rl.GRPO, rl.MAXRL));
# %% [markdown]
# RLOO climbs the mean pass rate. MaxRL leans towards log p, and GRPO towards arcsin sqrt(p) as g grows. On hard prompts
# GRPO's weight lies between those two; from a little above p = 1/2 it is the largest of the three, for it favours easy
# prompts too. So a larger g under GRPO changes *what* is optimised, not only how noisily.
#
# ## Your own
#
# An estimator of your own is one line: the advantages of a correct and of an incorrect rollout as functions of (K, g).

# %%
mine = rl.Estimator("rare successes", lambda K, g: (g - K) / g, lambda K, g: 0.0)
[round(mine.weight(p, 8), 3) for p in (0.01, 0.1, 0.5, 0.9)]

# %% [markdown]
# ## In a simulation
#
# The claim is about means. Averaged over many sampled groups of a softmax policy, the gradient must be w(p) grad p:

# %%
import jax
import jax.numpy as jnp

from rlsignal import sim

recipe = sim.Recipe(prompts=1, responses=3, correct=1, group_size=8)
logits = jnp.array([[-1.0, 0.5, 1.0]])
keys = jax.random.split(jax.random.key(0), 20_000)
sampled = jax.vmap(lambda key: sim.sampled_gradient(key, logits, recipe, recipe.setting(rl.GRPO))[0])(keys)
p = float(jax.nn.softmax(logits)[0, 0])
slope = jax.grad(lambda x: jax.nn.softmax(x)[0, 0])(logits)
print("sampled :", sampled.mean(0)[0].round(4))
print("w grad p:", (rl.GRPO.weight(p, 8) * slope)[0].round(4))

# %% [markdown]
# ## Exercises
#
# 1. Show that TRL's GRPO (sample standard deviation) is GRPO at another learning rate.
# 2. NeMo-RL leaves the rollout itself out of mean and deviation. Do its advantages sum to zero in a group? Is its mean
#    update still along grad p?
# 3. Which estimator's weight is closest to what pass@8 asks for, 8 (1-p)^7?

# %% tags=["solution"]
# 1. The ratio of the weights is sqrt((g-1)/g) at every p, up to the epsilon of 1e-4.
ratio = rl.estimators.GRPO_TRL.weight(np.linspace(0.01, 0.99, 9), 8) / rl.GRPO.weight(np.linspace(0.01, 0.99, 9), 8)
assert np.allclose(ratio, np.sqrt(7 / 8), rtol=1e-3)
# 2. They do not; and it is, for it is a table like any other.
print(rl.estimators.compare_estimators([1, 0, 0, 0, 0, 0, 0, 0], (rl.estimators.GRPO_NEMO,)))
# 3. By the cosine of the two weights over a population, as the library measures it:
population = rl.Beta(0.3, 0.4)
alignments = {e.name: round(rl.theory.pass_at_k_alignment(population, 8, 8, e), 3) for e in (rl.RLOO, rl.GRPO, rl.MAXRL)}
print(alignments)
assert max(alignments, key=alignments.get) == "MAXRL"
