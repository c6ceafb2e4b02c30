"""What decides how a checkpoint ends: its pass rates, then which incorrect answers carry the mass.

Two checkpoints of one SFT run, a shallow and a deep one, are copied into new students on the trained and on the fresh
prompts. A copy can be changed in one respect: it gets the other checkpoint's pass rate on every prompt, or keeps its
own and shares the incorrect mass out otherwise. Tokens are independent given the prompt, and each is changed by itself.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax, nn
from scipy.special import comb

from rlsignal.inference.ranking import paired_estimate, rank_correlation
from rlsignal.sim.grpo import GRPORecipe, GRPOSetting, train_policy
from rlsignal.sim.ladder import Prepare
from rlsignal.sim.policies import Measured, Network, Parameters, Prompts, log_probabilities, spelled
from rlsignal.sim.runner import Runner
from rlsignal.sim.sft import SFTRecipe
from rlsignal.sim.sweep import sweep
from rlsignal.sim.tasks import Task, Teacher
from rlsignal.theory.frameworks import GRPO

STARTS = (
    "the checkpoint itself",
    "its copy",
    "the other's pass rates",
    "incorrect masses permuted",
    "incorrect answers even",
    "one incorrect answer for all prompts",
    "one incorrect answer for each, at random",
    "the answer of the nearest prompt",
)
"""What is trained from. All but the first are students; all from the fourth on have the copy's pass rates."""

PEAK = 0.95
"""Share of the incorrect mass on the one incorrect answer; the rest is even."""

SAME_PASS_RATES = (1, 3, 4, 5, 6, 7)
"""Starts with this checkpoint's pass rates; the first two have one entropy on every prompt, the last three too."""

OUTCOMES = ("fresh peak pass@k", "fresh final pass@1", "trained final pass@1")
NOISE, K = 0.3, 10


@dataclass(frozen=True)
class Case:
    """One task with its students.

    name : of the task and the student.
    task : with one correct response; a third of the tokens that SFT imitates is incorrect.
    teacher : policy of the checkpoints; student : of what is trained.
    starts : which of `STARTS`.
    rate, optimizer : of RL.
    """

    name: str
    task: Teacher
    teacher: Network
    student: Network
    starts: tuple[int, ...]
    rate: float
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.adamw


def _case(name: str, tokens: int, choices: int, starts: tuple[int, ...]) -> Case:
    policy = Network(widths=(128, 128), tokens=tokens, choices=choices)
    task = Teacher(Network(widths=(32,), tokens=tokens, choices=choices), demonstrations=256, prompts=128)
    return Case(name, task, policy, policy, starts, 3e-4)


def _linear(case: Case) -> Case:
    """The same task and checkpoints, with students that are linear in 512 fixed features, under plain ascent."""
    student = replace(case.student, features=512, widths=())
    starts = tuple(i for i in range(1, len(STARTS)))
    return replace(
        case, name="one token, linear policy", student=student, starts=starts, rate=10.0, optimizer=optax.sgd
    )


ONE_TOKEN = _case("one token, network", 1, 64, (0, 1, 2, 3, 4, 5, 7))
TWO_TOKENS = _case("two tokens, network", 2, 16, (0, 1, 2, 3, 4, 5, 7))
CASES = (_linear(ONE_TOKEN), ONE_TOKEN, TWO_TOKENS)
"""What is run."""


def what_decides(
    cases: Sequence[Case] = CASES,
    *,
    depths: tuple[int, int] = (100, 5000),
    steps: int = 600,
    distillation: int = 2000,
    seeds: int = 8,
    seed: int = 0,
    runner: Runner | None = None,
) -> dict[str, Any]:
    """GRPO from copies of a shallow and of a deep checkpoint, each changed in one respect; JSON-ready.

    Parameters
    ----------
    cases : tasks with their students.
    depths : SFT steps of the two checkpoints.
    steps : of RL, 64 prompts each, g = 8. distillation : of making a student.
    seeds, seed, runner : as for `depth_ladder`; all starts of a seed share task, checkpoints and keys.

    Returns
    -------
    dict with a row for each case.

    Source: docs/what-decides.md.
    """
    keys = jnp.stack([jax.random.key(seed + i) for i in range(seeds)])
    found = []
    for case in cases:
        sft = SFTRecipe(case.teacher, depths=depths)
        alike = jax.tree.map(lambda x: np.broadcast_to(x, (seeds, *np.shape(x))), sft.setting())
        noise, label = np.full(seeds, NOISE, np.float32), f"{case.name}: "
        cells = keys, noise, alike
        prepared = sweep(Prepare(case.task, sft), cells, label=label + "SFT", runner=runner, on_cpu=1)
        task = prepared.task._replace(demonstrations=jax.tree.map(lambda x: x[:, :0], prepared.task.demonstrations))
        pair = jax.tree.map(lambda x: x[:, -2:], prepared.parameters)
        grpo = GRPORecipe(case.student, steps=steps, record_every=steps // 12, attempts=(K,), optimizer=case.optimizer)
        setting = grpo.setting(learning_rate=case.rate)
        deep, start, of = (x.ravel() for x in np.indices((2, len(case.starts), seeds)))
        each = jax.tree.map(lambda x, of=of: np.broadcast_to(x, (len(of), *x.shape)), setting)
        drawn = jax.tree.map(lambda x, of=of: x[of], (pair, task))
        cells = keys[of], *drawn, deep, np.array(case.starts)[start], each
        experiment = Copied(case.teacher, grpo, distillation)
        curves = sweep(experiment, cells, label=label + "students", runner=runner, on_cpu=1)
        shape = 2, len(case.starts), seeds
        found.append(_row(case, jax.tree.map(lambda x, s=shape: np.float64(x).reshape(*s, *x.shape[1:]), curves)))
    return {"depths": list(depths), "seeds": seeds, "steps": steps, "k": K, "outcomes": list(OUTCOMES), "cases": found}


def _row(case: Case, curves: Any) -> dict[str, Any]:
    """A case's figures, from curves [2 checkpoints, starts, seeds, ...]."""
    trained, fresh = curves["trained"], curves["fresh"]
    after = np.stack([fresh["pass_at_k"].max(-1), fresh["pass_at_1"][..., -1], trained["pass_at_1"][..., -1]])
    half = curves["p"].shape[-1] // 2
    number = np.stack(
        [alignment(curves["pull"][..., x], curves["p"][..., x], K) for x in (slice(half, None), slice(half))]
    )
    copy, swap = (case.starts.index(i) for i in (1, 2))
    same = [i for i, start in enumerate(case.starts) if start in SAME_PASS_RATES]
    rows = []
    for i, deep in np.ndindex(len(case.starts), 2):
        rows.append(
            {
                "start": STARTS[case.starts[i]],
                "deep": bool(deep),
                "pass_at_1": trained["pass_at_1"][deep, i, :, 0].mean(),
                "fresh_pass_at_1": fresh["pass_at_1"][deep, i, :, 0].mean(),
                "fresh_pass_at_k": fresh["pass_at_k"][deep, i, :, 0].mean(),
                "entropy": trained["entropy"][deep, i, :, 0].mean(),
                "dispersion": trained["dispersion"][deep, i, :, 0].mean(),
                "informative": trained["informative"][deep, i, :, 0].mean(),
                "miss": np.abs(curves["p"] - curves["asked"])[deep, i].mean() if case.starts[i] else 0.0,
                "alignment": number[:, deep, i].mean(-1).tolist(),
                "after": after[:, deep, i].mean(-1).tolist(),
                "over_copy": [paired_estimate(x).summary for x in after[:, deep, i] - after[:, deep, copy]],
            }
        )
    outcome = after[[0, 2]]  # the fresh outcome goes with the fresh number, the trained one with the trained
    shared, near = case.starts.index(5), case.starts.index(7)
    entropy = np.broadcast_to(trained["entropy"][..., 0], number.shape)
    return {
        "name": case.name,
        "rate": case.rate,
        "starts": rows,
        "gap": [paired_estimate(x[1, copy] - x[0, copy]).summary for x in after],
        "left": [[paired_estimate(x[d, copy] - x[1 - d, swap]).summary for d in (0, 1)] for x in after],
        "one_or_nearest": [[paired_estimate(x[d, shared] - x[d, near]).summary for d in (0, 1)] for x in after],
        "rank_of_alignment": _ranks(number[:, :, same], outcome[:, :, same]),
        "rank_of_entropy": _ranks(entropy[:, :, same], outcome[:, :, same]),
    }


def _ranks(predictor: np.ndarray, outcome: np.ndarray) -> list[Any]:
    """Spearman's rho over starts within a seed, mean with its 95% interval over seeds; from [2, 2, starts, seeds]."""
    return [
        [
            paired_estimate([rank_correlation(*x).spearman for x in zip(a.T, b.T, strict=True)]).summary
            for a, b in zip(*of, strict=True)
        ]
        for of in zip(predictor, outcome, strict=True)
    ]


@dataclass(frozen=True)
class Copied:
    """The experiment: a student of one of two checkpoints, then GRPO from it. Hashable by value.

    teacher : policy of the checkpoints.
    grpo : of the student. A student without hidden layers is linear in as many fixed random features as it has, and is
        solved for; any other is distilled.
    steps : of Adam at rate 3e-3, on the cross-entropy to the policy that is copied, over all prompts at once.
    """

    teacher: Network
    grpo: GRPORecipe
    steps: int

    def __call__(
        self, key: Array, checkpoints: Parameters, task: Task, deep: Array, start: Array, setting: GRPOSetting
    ) -> dict[str, Any]:
        shape_key, student_key, rl_key, feature_key = (jax.random.fold_in(key, i) for i in range(10, 14))
        teacher, student = self.teacher, self.grpo.policy
        mine, other = (jax.tree.map(lambda x, i=i: x[i], checkpoints) for i in (deep, 1 - deep))
        both = Prompts(*(jnp.concatenate(x) for x in zip(task.train, task.fresh, strict=True)))
        tokens = spelled(teacher, both.answers[:, 0])
        correct = nn.one_hot(tokens, teacher.choices)
        policies = (nn.softmax(teacher.read(x, both.features)) for x in (mine, other))
        wanted = changed(shape_key, start, *policies, correct, nearest(both.features, tokens))
        if student.widths:
            copy = distilled(student, student.init(student_key), both.features, wanted, self.steps)
            begin = jax.tree.map(lambda a, b: jnp.where(start == 0, a, b), mine, copy)
        else:
            features = random_features(feature_key, both.features, student.features)
            both, count = both._replace(features=features), len(task.train.features)
            train, fresh = features[:count], features[count:]
            task = task._replace(train=task.train._replace(features=train), fresh=task.fresh._replace(features=fresh))
            begin = solved(features, wanted)
        pull, p = pulls(self.grpo, begin, task.train, both)
        trained, fresh = train_policy(rl_key, begin, task, self.grpo, setting)[1]
        asked = jnp.where(correct > 0, wanted, 1.0).prod((-1, -2))
        return {"trained": kept(trained), "fresh": kept(fresh), "p": p, "asked": asked, "pull": pull}


def kept(found: Measured) -> dict[str, Array]:
    """The curves that the study reads, each [records]."""
    metrics = found.metrics
    return {
        "pass_at_1": metrics.pass_at_1,
        "pass_at_k": metrics.pass_at_k[..., 0],
        "entropy": metrics.entropy,
        "dispersion": metrics.dispersion,
        "informative": 1 - metrics.degenerate,
    }


def changed(key: Array, start: Array, mine: Array, other: Array, correct: Array, near: Array) -> Array:
    """The policy [prompts, tokens, choices] that a start of `STARTS` copies.

    mine, other : this checkpoint's and the other one's probabilities [prompts, tokens, choices].
    correct : 1 where a token is correct, else 0; near : the tokens [prompts, tokens] of the nearest prompt's answer.
    """
    choices = mine.shape[-1]
    p, theirs = ((x * correct).sum(-1, keepdims=True) for x in (mine, other))
    even = (1 - correct) / (choices - 1)
    own = mine * (1 - correct) + 1e-12 * even  # where the checkpoint is so sure that nothing else has any mass
    own = own / own.sum(-1, keepdims=True)
    order = jnp.argsort(correct, -1, stable=True)  # the incorrect ones first, the correct one last
    draw = jax.random.uniform(key, correct.shape)
    mixed = jnp.take_along_axis(order, jnp.argsort(draw.at[..., -1].set(2.0), -1), -1)
    permuted = jnp.put_along_axis(own, mixed, jnp.take_along_axis(own, order, -1), -1, inplace=False)
    first = nn.one_hot(order[..., 0], choices)  # token 0 of every prompt, or 1 where 0 is correct
    at_random = nn.one_hot(mixed[..., 0], choices)
    # a nearest prompt's answer may share a token with the correct one: there the random incorrect token stands
    close = nn.one_hot(near, choices)
    close = jnp.where((close * correct).sum(-1, keepdims=True) > 0, at_random, close)
    peaked = [PEAK * x + (1 - PEAK) * even for x in (first, at_random, close)]
    inside = jnp.stack([own, own, own, permuted, even, *peaked])[start]
    rate = jnp.where(start == 2, theirs, p)
    return rate * correct + (1 - rate) * inside


def nearest(features: Array, tokens: Array) -> Array:
    """The correct tokens [prompts, tokens] of the nearest prompt whose answer is another one."""
    apart = ((features[:, None] - features[None]) ** 2).sum(-1)
    same = (tokens[:, None] == tokens[None]).all(-1)
    return tokens[jnp.where(same, jnp.inf, apart).argmin(-1)]


def random_features(key: Array, features: Array, count: int) -> Array:
    """max(0, W x) [prompts, count] of a random W, of squared length about 1."""
    weight = jax.random.normal(key, (features.shape[-1], count))
    return nn.relu(features @ weight) * jnp.sqrt(2 / (count * features.shape[-1]))


def solved(features: Array, wanted: Array) -> Parameters:
    """The linear policy of least weight with these probabilities [prompts, tokens, choices]; as a `Network`'s."""
    logits = jnp.log(jnp.maximum(wanted, 1e-9))
    logits = (logits - logits.mean(-1, keepdims=True)).reshape(len(wanted), -1)
    gram = features @ features.T
    ridge = 1e-6 * jnp.trace(gram) / len(gram) * jnp.eye(len(gram))
    weight = features.T @ jnp.linalg.solve(gram + ridge, logits)
    return [{"weight": weight, "bias": jnp.zeros(weight.shape[-1])}]


def distilled(policy: Network, blank: Parameters, features: Array, wanted: Array, steps: int) -> Parameters:
    """A network that imitates these probabilities [prompts, tokens, choices]."""

    def miss(parameters: Parameters) -> Array:
        return -(wanted * nn.log_softmax(policy.read(parameters, features))).sum((-1, -2)).mean()

    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, steps))

    def step(_: Array, state: tuple[Parameters, Any]) -> tuple[Parameters, Any]:
        updates, memory = optimizer.update(jax.grad(miss)(state[0]), state[1], state[0])
        return optax.apply_updates(state[0], updates), memory

    return lax.fori_loop(0, steps, step, (blank, optimizer.init(blank)))[0]


def pulls(recipe: GRPORecipe, parameters: Parameters, trained: Prompts, on: Prompts) -> tuple[Array, Array]:
    """How fast GRPO on the trained prompts moves log p/(1-p) of other prompts at first, and their p; each [prompts].

    Per unit of learning rate times steps, in the mean and under plain ascent: the derivative along the mean over
    trained prompts of w_g(p) grad p (F9). For any policy, by one forward-mode product.
    """
    g = recipe.group_size
    j, gain = np.arange(g), np.asarray(GRPO.gain(g) * comb(g - 1, np.arange(g)), np.float32)

    def log_p(theta: Parameters, prompts: Prompts) -> Array:
        log_pi = log_probabilities(recipe.policy, theta, prompts.features)
        return jnp.take_along_axis(log_pi, prompts.answers, -1)[:, 0]

    def objective(theta: Parameters) -> Array:
        p = jnp.exp(log_p(theta, trained))
        rate = lax.stop_gradient(p)[:, None]
        return (lax.stop_gradient((gain * rate**j * (1 - rate) ** (g - 1 - j)).sum(-1)) * p).mean()

    along = jax.grad(objective)(parameters)
    at, speed = jax.jvp(lambda theta: log_p(theta, on), (parameters,), (along,))
    p = jnp.exp(at)
    return speed / jnp.maximum(1 - p, 1e-6), p


def alignment(pull: np.ndarray, p: np.ndarray, k: int = 10) -> np.ndarray:
    """The alignment number: the mean pull on prompts that k samples leave unsolved, weighted by (1-p)^k; last axis."""
    unsolved = (1 - p) ** k
    return (unsolved * pull).sum(-1) / unsolved.sum(-1)


def draw(found: dict[str, Any], path: Path) -> None:
    """The picture of docs/what-decides.md: starts of equal pass rates, over their entropy and over their number."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(found["cases"]), figsize=(9.6, 6.6), layout="constrained", sharey="col")
    same = [STARTS[i] for i in SAME_PASS_RATES]
    colours = dict(zip(same, plt.colormaps["tab10"].colors, strict=False))
    for (above, below), case in zip(axes.T, found["cases"], strict=True):
        for x in (x for x in case["starts"] if x["start"] in same):
            look = {"color": colours[x["start"]], "marker": "s" if x["deep"] else "o", "linestyle": "", "markersize": 8}
            label = None if x["deep"] else x["start"]
            above.plot(x["entropy"], x["after"][0], label=label, **look)
            below.plot(x["alignment"][0], x["after"][0], **look)
        numbers = [abs(x["alignment"][0]) for x in case["starts"]]
        below.set_xscale("symlog", linthresh=max(numbers) / 10)
        below.set_xticks([x for x in below.get_xticks() if x >= 0])  # those below 0 would stand in each other's way
        below.axvline(0, color="#bbbbbb", linewidth=1, zorder=0)
        above.set_title(case["name"], fontsize=11)
        above.set_xlabel("response entropy before RL (nats)")
        below.set_xlabel("alignment number before RL")
        for ax in (above, below):
            ax.set_ylabel(f"fresh peak pass@{found['k']}")
            ax.grid(alpha=0.3)
    shallow, deep = found["depths"]
    handles = axes[0, 0].get_legend_handles_labels()
    title = f"circles: pass rates of depth {shallow}; squares: of depth {deep}"
    figure.legend(*handles, loc="outside lower center", ncols=3, fontsize=9, frameon=False, title=title)
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    docs = Path(__file__).resolve().parent.parent / "docs"
    draw(json.loads((docs / "evidence" / "what_decides.json").read_text(encoding="utf-8")), docs / "what-decides.png")
