# %% [markdown]
# # 5. What entropy can and cannot tell
#
# **Question.** Over-trained checkpoints have little entropy and learn badly under RL. Is it the missing entropy that hurts
# them?
#
# You need lessons [3](03_prompts_differ.ipynb) and [4](04_what_estimators_optimise.ipynb). About 25 minutes.

# %%
import jax
import numpy as np

import rlsignal as rl
from rlsignal import plots, sim
from rlsignal.exercises import check

# %% [markdown]
# ## What it forbids
#
# ([N1](../docs/theory.md#N1)) Whether an answer is correct is a function of the answer, so the reward cannot have more entropy than the response:
# h(p) <= H. A prompt whose *whole responses* have little entropy is nearly always or nearly never solved.

# %%
# Pass rates that a response entropy allows lie outside of the shaded band; from ln 2 nats on, all of them.
plots.plot_entropy_cap();
# %% [markdown]
# **Predict.** A code model has 0.12 nats per token, and answers have 200 tokens. Does the cap bind?
#
# The response has about 24 nats, and from ln 2 = 0.69 on everything is possible. The bound binds below

# %%
f"{np.log(2) / 200:.4f} nats per token at 200 tokens"

# %% [markdown]
# So entropy per token of 0.1 or 0.4 forbids nothing. At best it is a *proxy*.
#
# ## What it is made of
#
# H = E[h(p)] + E[p H_C + (1-p) H_I]: is it correct, and which one of the correct (C) or incorrect (I) answers is it? Only
# the first part is about signal. Now the experiment that a ladder of checkpoints cannot make: move one part and hold
# everything else.
#
# ## Matched starts: same pass rates, different entropy

# %%
recipe = sim.Recipe(prompts=256, responses=32, correct=2, steps=300, record_every=30)
prompts, key = rl.Beta(0.3, 0.7), jax.random.key(0)
steps = np.arange(recipe.records) * recipe.interval
flow = jax.jit(sim.flow, static_argnums=1)  # compiled once, for all starts


def after(logits):
    """pass@1 over training by the mean field, and the start's entropy and dispersion."""
    metrics = flow(logits, recipe, recipe.setting())[1]
    return np.asarray(metrics.pass_at_1), float(metrics.entropy[0]), float(metrics.dispersion[0])


curves = {}
for inside in (0.1, 1.0, 2.3):
    curve, entropy, dispersion = after(sim.from_pass_rates(key, recipe, prompts, within_entropy=inside))
    curves[f"{entropy:.2f} nats, dispersion {dispersion:.2f}"] = curve
for name, curve in curves.items():
    print(f"{name}: pass@1 0.6 after {np.interp(0.6, curve, steps):.0f} steps, {curve[-1]:.3f} at the end")

# %%
# pass@1 over training from starts of the same pass rates and different entropy: more entropy is slower.
plots.plot_curves(steps, curves);
# %% [markdown]
# Two nats more, and it learns *slower*: it takes more than twice the steps to the same pass@1, and ends 0.06 lower. Each
# of many answers is reinforced apart. So missing entropy is not what hurts, at this start. At others it costs much more: with all
# pass rates at 0.001, just about the rate that the budget reaches, pass@1 ends at 0.14 instead of 0.83 ([other
# starts](../docs/inversion.md#what-this-does-not-show)). At none of those it helps.
#
# ## Matched starts: same entropy, different dispersion
#
# **Predict.** Same pass@1, same entropy, but prompts that differ more or less. Which curve ends highest?

# %%
curves = {}
for rho in (0.0, 0.4, 0.7, 0.9):
    population = rl.Beta(0.3, rho)
    start = sim.from_pass_rates(key, recipe, population, within_entropy=1.0)
    start = sim.temper(start, recipe, entropy=1.3)
    curve, entropy, dispersion = after(start)
    curves[f"dispersion {dispersion:.2f}, {entropy:.2f} nats"] = curve

# %%
# pass@1 over training from starts of the same pass@1 and entropy: prompts that differ more end lower.
plots.plot_curves(steps, curves);
# %% [markdown]
# That is where the outcome is decided: prompts that are nearly never solved stay as they are. What counts is how many
# prompts start within reach of the budget; entropy falls along with that number when a model is fine-tuned for longer, and
# that is why it *looks* like the cause. In the words of statistics, the share within reach is the cause here, dispersion sets it in these
# populations, and entropy is confounded with it.
#
# In networks, where prompts share parameters, pass rates decide too ([matched starts](../docs/ladder.md)); then it matters
# [which incorrect answers](../docs/what-decides.md) carry the mass, at the same pass rates and the same entropy.

# %% [markdown]
# ## Exercises
#
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** A prompt is solved half of the time. How many nats of entropy must its responses have at least?

# %% tags=["answer"]
check("5.1", ...)

# %% [markdown]
# **By code.** Write the entropy of a verdict, in nats, as a function of p.

# %% tags=["answer"]
def answer(p):
    return ...


check("5.2", ...)

# %% [markdown]
# **Open.** At which pass rate does a budget (learning rate 1, 300 steps, GRPO, g = 8) stop reaching? Compare the share of
# prompts above it with where the curve of dispersion 0.7 ends.
#
# ## Where this leads
#
# - Formulas: [N1](../docs/theory.md#N1), [N2](../docs/theory.md#N2), [N5](../docs/theory.md#N5); reach
#   [F1](../docs/theory.md#F1).
# - Measured: [the inversion map](../docs/inversion.md); entropy in RL,
#   [arXiv 2505.22617](https://arxiv.org/abs/2505.22617); [the paper](../docs/paper.md) that blames entropy collapse.
# - Next: [lesson 6](06_flow_and_sampling.ipynb), why the budget decides.

# %% tags=["solution"]
assert check("5.1", np.log(2)).verdict == "right"
assert check("5.2", lambda p: -p * np.log(p) - (1 - p) * np.log(1 - p)).verdict == "right"
# The bound, on a start of our own:
start = sim.from_pass_rates(key, recipe, prompts, within_entropy=0.5)
metrics = sim.measure_tabular(start, recipe)
assert float(metrics.reward_entropy) <= float(metrics.entropy)
# Open: lesson 6 derives p_c = 1 / (w(0) (kappa_C + kappa_I) rate steps).
start = sim.from_pass_rates(key, recipe, rl.Beta(0.3, 0.7), within_entropy=1.0)
collision = np.asarray(sum((jax.nn.softmax(x) ** 2).sum(-1) for x in (start[:, :2], start[:, 2:])))
p = np.asarray(jax.nn.softmax(start)[:, :2].sum(-1))
critical = rl.theory.reachable_pass_rate(8, rl.GRPO, budget=300.0, collision=collision)
reached, ended = float((p > critical).mean()), after(start)[0][-1]
print(f"above p_c: {reached:.3f}, pass@1 after: {ended:.3f}")
assert abs(reached - ended) < 0.05
