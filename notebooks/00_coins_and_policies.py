# %% [markdown]
# # 0. Coins, policies, groups
#
# **Question.** A model answers, and a checker says 1 or 0. How can it learn from that, and why are answers sampled in
# groups?
#
# You need: the mean and the variance of a coin, derivatives of exp and log, and a little numpy. About 25 minutes. If you
# know softmax policy gradients, go on to [lesson 1](01_one_group.ipynb).

# %%
import numpy as np

from rlsignal import plots
from rlsignal.exercises import check

# %% [markdown]
# ## A coin
#
# A reward r that is 1 with chance p and 0 otherwise is a coin. Its mean is p. Its variance is the mean of (r - p)²: with
# chance p that is (1-p)², with chance 1-p it is p²:
#
# $$\mathrm{Var}(r) = p\,(1-p)^2 + (1-p)\,p^2 = p(1-p).$$
#
# **Predict.** Which coin is more uncertain, one with p = 0.5 or one with p = 0.9? By which factor does the variance differ?

# %%
[(p, round(p * (1 - p), 4)) for p in (0.5, 0.9, 0.99)]

# %%
# Variance of a coin over its chance p: most at 1/2, none where the outcome is certain.
p = np.linspace(0, 1, 101)
plots.plot_curves(p, {"p(1-p)": p * (1 - p)}, xlabel="chance p", ylabel="variance", top=0.3);
# %% [markdown]
# ## A policy
#
# A language model gives every possible answer a probability. Ours knows one question and three answers, of which the first
# is correct. The probabilities are a softmax of three numbers, the *logits*: exp of each, divided by the sum of the three.
# The model with these probabilities is called a *policy*; π(y) is its probability of answer y.

# %%
def softmax(logits):
    chances = np.exp(logits - logits.max())
    return chances / chances.sum()


logits = np.array([0.0, 1.0, 1.5])
correct = np.array([1, 0, 0])
policy = softmax(logits)
print("probabilities:", policy.round(3), " pass rate p:", round(policy @ correct, 3))

# %% [markdown]
# The *pass rate* p is the chance of a correct answer: so each answer's reward is a coin of chance p.
#
# ## Learning from a reward
#
# To raise p, change the logits along the *gradient* of p, written grad p or ∇p: the list of its three derivatives, one by
# each logit. But a model with a checker cannot see p; it can only sample an answer y and look at its reward r(y). A method
# called REINFORCE estimates the gradient from that: *reward times the gradient of log π(y)*. For a softmax log π(y) is
# logit y minus the log of the sum of exp over all logits, so
#
# $$\frac{\partial \log \pi(y)}{\partial \,\mathrm{logit}_z} = [z = y] - \pi(z),$$
#
# where [z = y] is 1 for the sampled answer and 0 for the others. So the logit of the sampled answer goes up, and all go down
# in proportion to their chance. On average this is exactly grad p, since π(y) grad log π(y) = grad π(y):
#
# $$\sum_y \pi(y)\, r(y)\, \nabla \log \pi(y) = \sum_y r(y)\, \nabla \pi(y) = \nabla p.$$

# %%
rng = np.random.default_rng(0)


def score(policy, y):
    """The gradient of log pi(y) by the logits: [answers, logits]."""
    return np.eye(3)[y] - policy


answers = rng.choice(3, size=100_000, p=policy)
updates = correct[answers][:, None] * score(policy, answers)
slope = policy[0] * score(policy, 0)  # grad p: here p is the chance of answer 0, and grad π = π grad log π
print("mean of 100,000 updates:", updates.mean(0).round(4))
print("grad p                 :", slope.round(4))

# %% [markdown]
# ## The same mean, less noise
#
# One update, from one sampled answer, is a rough guess. Subtract a number b, the *baseline*, from the reward: (r - b) grad log π(y). The mean does not
# change, because the mean of grad log π is 0: probabilities always add up to 1. The noise does; it is
# measured by the variance of an update, added up over the three logits.
#
# **Predict.** Is the noise least at b = 0, at b = p, or at b = 1?

# %%
for baseline in (0.0, policy[0], 1.0):
    updates = (correct[answers] - baseline)[:, None] * score(policy, answers)
    print(f"baseline {baseline:.2f}: mean {updates.mean(0).round(3)}, noise {updates.var(0).sum():.3f}")

# %% [markdown]
# Of the three, at p: it makes what is left, r - p, small. (The very best is a little off p; see
# [S2](../docs/theory.md#S2).) What is left of the reward is called the *advantage*.
#
# ## A group
#
# Nobody knows p. So sample g answers to the same question, a *group*, and use the mean of their rewards: each advantage is
# the reward minus the group's mean. That is the core of GRPO (group relative policy optimization) and of all its relatives.
# They call the question a *prompt* and each sampled answer a *rollout*. But look at what happens if all rollouts of the
# group are incorrect, or all correct:

# %%
def advantages(rewards):
    return rewards - rewards.mean()


for rewards in ([1, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]):
    print(rewards, "->", advantages(np.array(rewards)))

# %% [markdown]
# Nothing: such a group is [degenerate](../docs/glossary.md#term-degenerate-group), and teaches nothing. How often that
# happens, and what follows from it, is what this whole course is about.
#
# ## One prompt, trained
#
# 300 steps with groups of 8, from a start where a correct answer is rare. A step adds to the logits the mean over the group
# of advantage times the gradient of log π, times `rate`, the *learning rate*:

# %%
def train(logits, g, steps, rate=0.5):
    """The pass rate over training, and whether each group was degenerate."""
    rates, degenerate = [], []
    for _ in range(steps):
        policy = softmax(logits)
        answers = rng.choice(3, size=g, p=policy)
        advantage = advantages(correct[answers])
        logits = logits + rate * (advantage[:, None] * score(policy, answers)).mean(0)
        rates.append(policy[0])
        degenerate.append(not advantage.any())
    return np.array(rates), np.array(degenerate)


rare = np.array([-3.0, 0.0, 0.0])
runs = [train(rare, 8, 300) for _ in range(4)]
print("share of degenerate groups:", [round(float(degenerate.mean()), 2) for _, degenerate in runs])

# %%
# Four runs of one prompt from p = 0.02: it waits for a success, then takes off. The moment is chance.
plots.plot_curves(np.arange(300), {f"run {i}": rates for i, (rates, _) in enumerate(runs, 1)}, ylabel="pass rate p");
# %% [markdown]
# Most groups were degenerate, yet every run learned. Early on most groups are all incorrect, and from about step 100 on most
# are all correct: then there is nothing left to learn.

# %% [markdown]
# ## Exercises
#
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** A reward is 1 with chance 0.2. What is its variance?

# %% tags=["answer"]
check("0.1", ...)

# %% [markdown]
# **By code.** Write `answer(pi, y)`: the gradient of log pi(y) by the logits, for a list of probabilities `pi` and the index
# `y` of the sampled answer. Then give its name to the check.

# %% tags=["answer"]
def answer(pi, y):
    return ...


check("0.2", ...)

# %% [markdown]
# **Open.** A baseline that does not depend on y leaves the mean alone. The group's mean contains the rollout's own reward. Is
# the mean of the group's update still grad p, or a multiple of it? (Lesson 4 has the answer for every estimator.)
#
# ## Where this leads
#
# - Formulas: the best baseline [S2](../docs/theory.md#S2), groups whose mean contains the rollout itself
#   [W1](../docs/theory.md#W1), how a softmax policy moves [F1](../docs/theory.md#F1).
# - Where it comes from: GRPO, [arXiv 2402.03300](https://arxiv.org/abs/2402.03300); REINFORCE with a baseline for language
#   models, [2402.14740](https://arxiv.org/abs/2402.14740).
# - Next: [lesson 1](01_one_group.ipynb), how much there is to learn from in one group.

# %% tags=["solution"]
# By hand: 0.2 * 0.8.
assert check("0.1", 0.2 * 0.8).verdict == "right"
# By code: one at y, minus the probabilities.
assert check("0.2", lambda pi, y: np.eye(len(pi))[y] - np.array(pi)).verdict == "right"
# Open: a multiple, (g-1)/g: 1/g of each rollout's own reward is taken off again.
groups = rng.choice(3, size=(100_000, 8), p=policy)
rewards = correct[groups]
update = ((rewards - rewards.mean(1, keepdims=True))[..., None] * score(policy, groups)).mean((0, 1))
print(update.round(3), (7 / 8 * slope).round(3))
