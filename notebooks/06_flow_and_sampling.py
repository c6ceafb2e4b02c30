# %% [markdown]
# # 6. A policy learns: flow against sampling
#
# **Question.** Can we tell what GRPO will do without running it?
#
# You need [lesson 4](04_what_estimators_optimise.ipynb). About 20 minutes.

# %%
import numpy as np

import rlsignal as rl
from rlsignal import plots
from rlsignal.exercises import check
from rlsignal.proofs import derivations

# %% [markdown]
# ## The flow
#
# Replace every sampled gradient by its mean, w(p) grad p. For a softmax over the responses of one prompt the pass rate
# then moves as
#
# $$\dot p = w_g(p)\,(p(1-p))^2\,(\kappa_C + \kappa_I),$$
#
# where kappa is the chance that two answers of a class are the same. It never falls, and it is slow at both ends: by p²
# where success is rare. Rare prompts wait; then they take off.
#
# A logit moves by w times the slope of p in it, and moves p by that slope: so p moves by w times the *square* of grad p.
# For a softmax that square is (p(1-p))² times kappa. sympy follows it as it is shown:

# %%
derivations.tabular_flow()

# %% [markdown]
# A policy over three answers is a point in a triangle: a corner is an answer that is given for sure. The correct one is at
# the top. Everything rises, slowly near the bottom and near the top; of two incorrect answers the likelier one falls faster.

# %%
# The flow on policies over three answers, the correct one on top, at g = 8; colour: how fast p rises.
plots.plot_simplex(8);
# %% [markdown]
# **Predict.** From p = 0.01 to 1/2 at g = 8: which is fastest, RLOO, GRPO or MaxRL? By how much?

# %%
for estimator in (rl.RLOO, rl.GRPO, rl.MAXRL):
    times = [round(rl.theory.escape_time(p, 8, estimator), 1) for p in (0.1, 0.01, 0.001)]
    print(f"{estimator.name:6} from p = 0.1, 0.01, 0.001: {times}")

# %% [markdown]
# The factor between GRPO and RLOO is at most sqrt(g-1) = 2.6. With unlimited groups it would grow without end.
#
# ## Sampled runs on top
#
# From here on the simulator runs, which needs jax; in a browser these cells are left out.

# %% tags=["jax"]
import jax

from rlsignal import sim

recipe = sim.Recipe(prompts=128, responses=16, correct=2, group_size=8, steps=200, record_every=10)
start = sim.from_pass_rates(jax.random.key(1), recipe, rl.Beta(0.2, 0.5), within_entropy=0.8)
steps = np.arange(recipe.records) * recipe.interval
flow = jax.jit(sim.flow, static_argnums=1)(start, recipe, recipe.setting())[1].pass_at_1
train = jax.jit(sim.train_tabular, static_argnums=2, static_argnames="measure")  # compiled as a whole, which is quicker
runs = jax.vmap(lambda key: train(key, start, recipe, recipe.setting())[1].pass_at_1)(
    jax.random.split(jax.random.key(2), 16)
)

# %% tags=["jax"]
# pass@1 over training: the flow, and the mean of 16 sampled runs with two standard errors.
plots.plot_curves(steps, {"flow": flow, "sampled, 16 runs": np.asarray(runs).T});
# %% tags=["jax"]
print(f"largest distance of flow and mean of the runs: {np.abs(np.asarray(flow) - np.asarray(runs).mean(0)).max():.3f}")

# %% [markdown]
# They agree under plain ascent. Under Adam they do not, and the library refuses to try: Adam takes steps of the same
# length whether a gradient is signal or noise.

# %% tags=["jax"]
import optax

try:
    sim.flow(start, sim.Recipe(prompts=128, responses=16, optimizer=optax.adam), recipe.setting())
except ValueError as error:
    print(error)

# %% [markdown]
# ## Who takes off in time
#
# A rare success grows as p² · w(0) kappa, so within a budget T = rate x steps a prompt takes off if it starts above
# p_c = 1 / (w(0) kappa T). Everything above ends near 1, everything below stays: the outcome is the *share of prompts
# above p_c* ([F1](../docs/theory.md#F1)).

# %% tags=["jax"]
collision = np.asarray(sum((jax.nn.softmax(x) ** 2).sum(-1) for x in (start[:, :2], start[:, 2:])))
p = np.asarray(jax.nn.softmax(start)[:, :2].sum(-1))
for budget in (50, 100, 200):
    critical = rl.theory.reachable_pass_rate(8, rl.GRPO, budget=float(budget), collision=collision)
    print(f"{budget:3d} steps: share above p_c {np.mean(p > critical):.3f}, flow {float(flow[budget // 10]):.3f}")

# %% [markdown]
# Watch it: every dot is one of the 128 prompts, in a sampled run. Which ones are still waiting at the end?

# %% tags=["jax"]
# Each prompt of a sampled run over 200 steps: blue ones start above their p_c and take off, grey ones wait.
from tempfile import NamedTemporaryFile

import matplotlib.pyplot as plt
from IPython.display import Image
from matplotlib.animation import FuncAnimation, PillowWriter

rates = train(jax.random.key(3), start, recipe, recipe.setting(), measure=sim.prompts_pass_rates)[1]
odds = np.clip(jax.scipy.special.logit(np.asarray(rates)), -9, 9)[:, np.argsort(p)]  # [records, prompts]
colours = np.where(np.sort(p) > critical[np.argsort(p)], "#00204d", "#999999")
figure, ax = plt.subplots(figsize=(6.4, 3.4), dpi=75, layout="constrained")
dots = ax.scatter(odds[0], np.arange(128), c=colours, s=12)
ticks = np.array([0.001, 0.01, 0.1, 0.5, 0.9, 0.99])
ax.set_xticks(np.log(ticks / (1 - ticks)), ticks)
ax.set_xlim(-9.5, 9.5)
ax.set_xlabel("pass rate of a prompt (log-odds)")
ax.set_ylabel("prompt, by its start")


def frame(i):
    dots.set_offsets(np.column_stack([odds[i], np.arange(128)]))
    ax.set_title(f"step {steps[i]}: pass@1 {rates[i].mean():.2f}", fontsize=11)


with NamedTemporaryFile(suffix=".gif") as file:
    FuncAnimation(figure, frame, len(odds)).save(file.name, PillowWriter(fps=3))
    plt.close(figure)
    moving = Image(file.read(), format="gif")
moving

# %% [markdown]
# And when? The clock says how long a prompt takes from where it starts to p = 1/2 ([F2](../docs/theory.md#F2)). A prompt on
# the line took off when it should; above it, later.

# %% tags=["jax"]
# The step at which each prompt of that run passed 1/2 over the step expected of its start; triangles: not yet.
plots.plot_take_offs(steps, rates, 8, collision=collision);
# %% [markdown]
# The title says how far off the clock is: the median of the ratio, and its middle 90%. The clock follows the mean update; a
# rare prompt waits for its first successes, and when they come is chance.
#
# ## A forecast from counts
#
# No policy, no simulation: pass rates of prompts alone.

# %%
[round(rl.theory.forecast(rl.Beta(0.2, rho), 8, rl.GRPO, budget=200.0), 3) for rho in (0.0, 0.3, 0.5, 0.8)]

# %% [markdown]
# ## Exercises
#
# Write an answer in place of the dots and run the cell: it says whether that is right, and names the common mistakes.
#
# **By hand.** How many rollouts does it take until the first success with 95% probability, at p = 0.001?

# %% tags=["answer"]
check("6.1", ...)

# %% [markdown]
# **By code.** Write the speed of p under RLOO as a function of p and kappa, the sum of both classes.

# %% tags=["answer"]
def answer(p, kappa):
    return ...


check("6.2", ...)

# %% [markdown]
# **Open.** In a tabular policy the exact gradient cannot lower any prompt's p. Why, and why can a network's? Which estimator's
# forecast is least hurt by dispersion?
#
# ## Where this leads
#
# - Formulas: [F1](../docs/theory.md#F1), the clock [F2](../docs/theory.md#F2), first successes [F3](../docs/theory.md#F3), the
#   forecast [F5](../docs/theory.md#F5), Adam [F7](../docs/theory.md#F7).
# - Others on how GRPO moves a pass rate: [arXiv 2503.06639](https://arxiv.org/abs/2503.06639), with KL and large groups.
# - Next: [lesson 7](07_over_training.ipynb), networks; [the inversion map](../docs/inversion.md), the same law at work.

# %% tags=["solution"]
assert check("6.1", np.log(0.05) / np.log(1 - 0.001)).verdict == "right"
assert check("6.2", lambda p, kappa: (p * (1 - p)) ** 2 * kappa).verdict == "right"
# Open: its speed is a product of squares and a positive weight. In a network the gradient of one prompt moves another.
# MaxRL loses least of its forecast.
for estimator in (rl.RLOO, rl.GRPO, rl.MAXRL):
    alike, apart = (rl.theory.forecast(rl.Beta(0.2, rho), 8, estimator, budget=200.0) for rho in (0.1, 0.7))
    print(f"{estimator.name:6} {alike:.3f} -> {apart:.3f}")
