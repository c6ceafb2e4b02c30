# %% [markdown]
# # 4. What each estimator really optimises
#
# **Question.** GRPO, RLOO, Dr. GRPO and MaxRL are four advantage estimators. They see the same rewards. Do they climb the same hill?
#
# You need [lesson 1](01_one_group.ipynb) and the policy gradient of [lesson 0](00_coins_and_policies.ipynb). About 20
# minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots
from rlsignal.exercises import check
from rlsignal.proofs import derivations

# %% [markdown]
# ## An estimator is a table
#
# With rewards of 0 and 1 a group is one number K, how many are correct. So an advantage estimator is two rows: the advantage
# A⁻(K) of an incorrect rollout and, below it, A⁺(K) of a correct one, for K = 0 to g. GRPO at g = 4:

# %%
rl.GRPO.table(4).round(3)

# %% [markdown]
# Lesson 1 has GRPO, Dr. GRPO and RLOO. MaxRL divides Dr. GRPO's advantages by the group's mean reward. Training frameworks
# (TRL, verl, OpenRLHF, NeMo RL) compute GRPO with differences in detail, and it shows. With 1 correct rollout of 8:

# %%
print(rl.estimators.compare_estimators([1, 0, 0, 0, 0, 0, 0, 0]))

# %% [markdown]
# ## The weight
#
# Averaged over groups, *any* such table pushes the policy along w(p) · grad p, a *weight* times the gradient of the pass rate:
#
# $$w_g(p) = E\,[A^+(J+1) - A^-(J)], \qquad J \sim \mathrm{Bin}(g-1, p).$$
#
# J is how many of the other g-1 rollouts are correct. The weight is what a rollout's advantage gains on average when it
# turns from incorrect to correct beside them; the section *Proven, and drawn* below shows why. Estimators
# differ in nothing but this weight, as far as the mean goes.
#
# **Predict.** GRPO divides by the group's standard deviation, which is small where p is small. As p goes to 0, does its
# weight go to infinity?

# %%
# Weight that each estimator gives a prompt over its pass rate, at g = 8.
plots.plot_weights(8, (rl.RLOO, rl.DR_GRPO, rl.GRPO, rl.MAXRL));

# %% explorer="view=estimators" tags=["slider"]
# Turn the knob yourself (needs a running notebook): from which g on does GRPO lean towards hard prompts?
from ipywidgets import interact

interact(lambda g: plots.plot_weights(g, (rl.RLOO, rl.GRPO, rl.MAXRL), top=10), g=(2, 64));
# %%
(
    [round(rl.GRPO.weight(1e-6, g), 3) for g in (2, 3, 4, 8, 64)],
    [round(float(np.sqrt(g - 1)), 3) for g in (2, 3, 4, 8, 64)],
)

# %% [markdown]
# No: the first list is its weight at p = 0.000001 for g = 2, 3, 4, 8 and 64, the second is sqrt(g-1). A degenerate group has
# no standard deviation to divide by, and gets advantage 0. Dividing by the true standard deviation of a coin would give
# 1/sqrt(p(1-p)), which does go to infinity; GRPO comes near that only where g is far above 1/p. And at
# g = 2 and 3 GRPO's weight is *flat*, the same at every p: there is no bias towards hard prompts at all.
#
# ## The hill
#
# A weight that depends on p alone is the slope of a function h of p, for w(p) · grad p is grad h(p) if h' = w. So the
# estimator climbs the mean of h(p) over prompts.

# %%
# What each estimator climbs, as a share of its height at p = 1: a steeper start favours hard prompts.
plots.plot_objectives(8, (rl.RLOO, rl.GRPO, rl.MAXRL));
# %% [markdown]
# RLOO climbs the mean pass rate. As g grows, MaxRL leans towards log p (its slope is 1/p) and GRPO towards arcsin sqrt(p)
# (its slope is half of 1/sqrt(p(1-p))). On hard prompts
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
# ## Proven, and drawn
#
# Why is it *any* table? A rollout's advantage multiplies the gradient of its log-probability, its *score*. Correct rollouts together pull
# along grad p, incorrect ones against it, with the same strength, since all chances add up to 1. So what counts is what an
# advantage gains by being correct. sympy follows the steps as the proof is shown:

# %%
derivations.expected_update()

# %% [markdown]
# And drawn: 20,000 groups of 8 from a softmax over three answers, of which the first is correct.

# %%
rng = np.random.default_rng(0)
logits = np.array([-1.0, 0.5, 1.0])
policy = np.exp(logits) / np.exp(logits).sum()
answers = rng.choice(3, size=(20_000, 8), p=policy)
advantages = rl.GRPO.advantages(answers == 0)  # [groups, 8]
updates = (advantages[..., None] * (np.eye(3)[answers] - policy)).mean(1)  # the gradient of log pi is one-hot minus pi
p = policy[0]
slope = p * (np.array([1, 0, 0]) - policy)
print("sampled :", updates.mean(0).round(4), "±", (updates.std(0) / np.sqrt(len(updates))).round(4))
print("w grad p:", (rl.GRPO.weight(p, 8) * slope).round(4))

# %% [markdown]
# ## Exercises
#
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** To which number does GRPO's weight go as p goes to 0, at g = 10?

# %% tags=["answer"]
check("4.1", ...)

# %% [markdown]
# **By code.** Write GRPO's weight as a function of p and g. (`rl.Fixed(p).pmf(g)` has the chances of K = 0..g.)

# %% tags=["answer"]
def answer(p, g):
    return ...


check("4.2", ...)

# %% [markdown]
# **By hand.** TRL's standard deviation divides the sum of squares by g-1 (numpy's ddof=1), GRPO's here by g. At g = 8, its weight is which multiple of GRPO's?

# %% tags=["answer"]
check("4.3", ...)

# %% [markdown]
# **Open.** NeMo RL leaves the rollout itself out of mean and deviation. Do its advantages sum to zero in a group? Is its mean
# update still along grad p? And which estimator's weight is closest to
# 8 (1-p)^7, the slope of pass@8 = 1 - (1-p)^8 (the chance that at least one of 8 rollouts is correct)?
#
# ## Where this leads
#
# - Formulas: the tables [E1](../docs/theory.md#E1), the weight [W1](../docs/theory.md#W1), the objective
#   [W2](../docs/theory.md#W2), pass@k [P5](../docs/theory.md#P5).
# - Papers: RLOO [2402.14740](https://arxiv.org/abs/2402.14740), Dr. GRPO [2503.20783](https://arxiv.org/abs/2503.20783),
#   MaxRL [2602.02710](https://arxiv.org/abs/2602.02710).
# - In the trainers: TRL's [grpo_trainer.py](https://github.com/huggingface/trl/blob/main/trl/trainer/grpo_trainer.py),
#   verl's [core_algos.py](https://github.com/volcengine/verl/blob/main/verl/trainer/ppo/core_algos.py), OpenRLHF's
#   [experience_maker.py](https://github.com/OpenRLHF/OpenRLHF/blob/main/openrlhf/trainer/ppo_utils/experience_maker.py);
#   the versions that were read stand in [E1](../docs/theory.md#E1), what each logs in [logs](../docs/logs.md).
# - Next: [lesson 5](05_entropy.ipynb), entropy; [lesson 6](06_flow_and_sampling.ipynb), where the weights lead.

# %% tags=["solution"]
# A lone success has advantage sqrt(g-1).
assert check("4.1", np.sqrt(10 - 1)).verdict == "right"


def weight(p, g):
    k = np.arange(g + 1)
    return rl.Fixed(p).pmf(g) @ np.sqrt(k * (g - k)) / (g * p * (1 - p))


assert check("4.2", weight).verdict == "right"
# sqrt((g-1)/g) at every p, up to TRL's epsilon of 1e-4: another learning rate.
assert check("4.3", np.sqrt(7 / 8)).verdict == "right"
# Open: NeMo's do not sum to zero; and its update is along grad p, for it is a table like any other.
print(rl.estimators.compare_estimators([1, 0, 0, 0, 0, 0, 0, 0], (rl.estimators.GRPO_NEMO,)))
# By the cosine of the two weights over a population, as the library measures it:
population = rl.Beta(0.3, 0.4)
alignments = {e.name: round(rl.theory.pass_at_k_alignment(population, 8, 8, e), 3) for e in (rl.RLOO, rl.GRPO, rl.MAXRL)}
print(alignments)
assert max(alignments, key=alignments.get) == "MAXRL"
