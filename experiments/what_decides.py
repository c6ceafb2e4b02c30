"""What decides how a checkpoint ends: its pass rates, then which incorrect answers carry the mass.

Two checkpoints of one SFT run, a shallow and a deep one, are copied into new students on the trained and on the fresh
prompts. A copy can be changed in one respect: it gets the other checkpoint's pass rate on every prompt, or keeps its
own and shares the incorrect mass out otherwise. A network's tokens are independent given the prompt, and each is
changed by itself; of a policy whose tokens depend on those before them, the response is changed as a whole.
"""

import json
from collections.abc import Callable
from collections.abc import Sequence as Several
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax, nn

from experiments.alignment import alignment, pulls
from rlsignal.inference.ranking import paired_estimate, rank_correlation
from rlsignal.sim.grpo import GRPORecipe, GRPOSetting, train_policy
from rlsignal.sim.ladder import Prepare
from rlsignal.sim.policies import Measured, Network, Parameters, Policy, Prompts, Sequence, log_probabilities, spelled
from rlsignal.sim.runner import Runner
from rlsignal.sim.sft import SFTRecipe
from rlsignal.sim.sweep import alike, sweep
from rlsignal.sim.tasks import Task, Teacher
from rlsignal.theory.estimators import Estimator
from rlsignal.theory.frameworks import GRPO, RLOO

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
class Trainer:
    """How students are trained.

    name : of what differs from the others.
    rate, optimizer, estimator, group_size, epochs : of RL. times : how many times as many steps as the study says.
    """

    name: str = ""
    rate: float = 3e-4
    optimizer: Callable[[Any], optax.GradientTransformation] = optax.adamw
    estimator: Estimator = GRPO
    group_size: int = 8
    epochs: int = 1
    times: int = 1

    def recipe(self, policy: Policy, steps: int) -> GRPORecipe:
        """What is compiled for."""
        steps *= self.times
        return GRPORecipe(
            policy,
            attempts=(K,),
            optimizer=self.optimizer,
            group_size=self.group_size,
            epochs=self.epochs,
            steps=steps,
            record_every=steps // 12,
        )


@dataclass(frozen=True)
class Case:
    """One task with its students.

    name : of the task and the student.
    task : with one correct response; a third of the tokens that SFT imitates is incorrect.
    teacher : policy of the checkpoints; student : of what is trained.
    starts : which of `STARTS`.
    trainers : each trains the same students.
    """

    name: str
    task: Teacher
    teacher: Policy
    student: Policy
    starts: tuple[int, ...]
    trainers: tuple[Trainer, ...] = (Trainer(),)


def _case(name: str, tokens: int, choices: int, starts: tuple[int, ...]) -> Case:
    policy = Network(widths=(128, 128), tokens=tokens, choices=choices)
    task = Teacher(Network(widths=(32,), tokens=tokens, choices=choices), demonstrations=256, prompts=128)
    return Case(name, task, policy, policy, starts)


def _linear(case: Case) -> Case:
    """The same task and checkpoints, with students that are linear in 512 fixed features, under plain ascent."""
    student = Network(features=512, widths=(), tokens=1, choices=case.student.choices)
    starts = tuple(i for i in range(1, len(STARTS)))
    trainers = (Trainer(rate=10.0, optimizer=optax.sgd),)
    return replace(case, name="one token, linear policy", student=student, starts=starts, trainers=trainers)


ONE_TOKEN = _case("one token, network", 1, 64, (0, 1, 2, 3, 4, 5, 7))
TWO_TOKENS = _case("two tokens, network", 2, 16, (0, 1, 2, 3, 4, 5, 7))
CASES = (_linear(ONE_TOKEN), ONE_TOKEN, TWO_TOKENS)
"""What is run."""

TRAINERS = (
    Trainer("plain ascent", rate=0.1, optimizer=optax.sgd),
    Trainer("RLOO", estimator=RLOO),
    Trainer("groups of 64", group_size=64),
    Trainer("4 epochs", epochs=4),
    Trainer("3000 steps", times=5),
)
_RECURRENT = Sequence(width=96, tokens=2, choices=8, ends=False)
SEQUENCE = Case(
    "two tokens, recurrent",
    Teacher(replace(_RECURRENT, width=32), demonstrations=256, prompts=64),
    teacher=_RECURRENT,
    student=_RECURRENT,
    starts=(0, 1, 2, 3),
)
ELSEWHERE = (replace(ONE_TOKEN, starts=(1, 2, 3), trainers=TRAINERS), SEQUENCE)
"""What is run with fewer seeds: other trainers, and a policy whose second token depends on the first."""


def what_decides(
    cases: Several[Case] = CASES,
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
    dict with a row for each case and trainer.

    Source: docs/what-decides.md.
    """
    keys = jnp.stack([jax.random.key(seed + i) for i in range(seeds)])
    found = []
    for case in cases:
        sft = SFTRecipe(case.teacher, depths=depths)
        every = alike(sft.setting(), seeds)
        noise, label = np.full(seeds, NOISE, np.float32), f"{case.name}: "
        cells = keys, noise, every
        prepared = sweep(Prepare(case.task, sft), cells, label=label + "SFT", runner=runner, on_cpu=1)
        task = prepared.task._replace(demonstrations=jax.tree.map(lambda x: x[:, :0], prepared.task.demonstrations))
        pair = jax.tree.map(lambda x: x[:, -2:], prepared.parameters)
        grpo = tuple(trainer.recipe(case.student, steps) for trainer in case.trainers)
        numbers = zip(grpo, case.trainers, strict=True)
        setting = tuple(recipe.setting(x.estimator, learning_rate=x.rate) for recipe, x in numbers)
        shape = 2, len(case.starts), seeds
        deep, start, of = (x.ravel() for x in np.indices(shape))
        each = alike(setting, len(of))
        drawn = jax.tree.map(lambda x, of=of: x[of], (pair, task))
        cells = keys[of], *drawn, deep, np.array(case.starts)[start], each
        experiment = Copied(case.teacher, grpo, distillation)
        curves = sweep(experiment, cells, label=label + "students", runner=runner, on_cpu=1)
        curves = jax.tree.map(lambda x, s=shape: np.float64(x).reshape(*s, *x.shape[1:]), curves)
        found += [_row(case, *x) for x in zip(case.trainers, curves, strict=True)]
    return {"depths": list(depths), "seeds": seeds, "steps": steps, "k": K, "outcomes": list(OUTCOMES), "cases": found}


def _row(case: Case, trainer: Trainer, curves: Any) -> dict[str, Any]:
    """A case's figures under a trainer, from curves [2 checkpoints, starts, seeds, ...]."""
    trained, fresh = curves["trained"], curves["fresh"]
    after = np.stack([fresh["pass_at_k"].max(-1), fresh["pass_at_1"][..., -1], trained["pass_at_1"][..., -1]])
    half = curves["p"].shape[-1] // 2
    number = np.stack(
        [alignment(curves["pull"][..., x], curves["p"][..., x], K) for x in (slice(half, None), slice(half))]
    )
    copy, swap = (case.starts.index(i) for i in (1, 2))
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
    found = {
        "name": case.name,
        "trainer": trainer.name,
        "rate": trainer.rate,
        "starts": rows,
        "gap": [paired_estimate(x[1, copy] - x[0, copy]).summary for x in after],
        "left": [[paired_estimate(x[d, copy] - x[1 - d, swap]).summary for d in (0, 1)] for x in after],
    }
    if not {5, 7} <= set(case.starts):
        return found
    same = [i for i, start in enumerate(case.starts) if start in SAME_PASS_RATES]
    outcome = after[[0, 2]]  # the fresh outcome goes with the fresh number, the trained one with the trained
    shared, near = case.starts.index(5), case.starts.index(7)
    entropy = np.broadcast_to(trained["entropy"][..., 0], number.shape)
    return {
        **found,
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
    grpo : of the student, one for each way to train it. A student without hidden layers is linear in as many fixed
        random features as it has, and is solved for; any other is distilled.
    steps : of Adam at rate 3e-3, on the cross-entropy to the policy that is copied, over all prompts at once.
    """

    teacher: Policy
    grpo: tuple[GRPORecipe, ...]
    steps: int

    def __call__(
        self,
        key: Array,
        checkpoints: Parameters,
        task: Task,
        deep: Array,
        start: Array,
        settings: tuple[GRPOSetting, ...],
    ) -> list[dict[str, Any]]:
        shape_key, student_key, rl_key, feature_key = (jax.random.fold_in(key, i) for i in range(10, 14))
        teacher, student = self.teacher, self.grpo[0].policy
        mine, other = (jax.tree.map(lambda x, i=i: x[i], checkpoints) for i in (deep, 1 - deep))
        both = Prompts(*(jnp.concatenate(x) for x in zip(task.train, task.fresh, strict=True)))
        here, there = (jnp.exp(log_parts(teacher, x, both.features)) for x in (mine, other))
        parts, choices = here.shape[1:]
        tokens = spelled(teacher, both.answers[:, 0]) if parts > 1 else both.answers
        correct = nn.one_hot(tokens, choices)
        wanted = changed(shape_key, start, here, there, correct, nearest(both.features, tokens))
        if linear(student):
            features = random_features(feature_key, both.features, student.features)
            both, count = both._replace(features=features), len(task.train.features)
            task = task._replace(
                train=task.train._replace(features=features[:count]),
                fresh=task.fresh._replace(features=features[count:]),
            )
            begin = solved(features, wanted)
        else:
            copy = distilled(student, student.init(student_key), both.features, wanted, self.steps)
            begin = jax.tree.map(lambda a, b: jnp.where(start == 0, a, b), mine, copy)
        asked = jnp.where(correct > 0, wanted, 1.0).prod((-1, -2))
        found = []
        for recipe, setting in zip(self.grpo, settings, strict=True):
            pull, p = pulls(student, begin, task.train, both, setting.table)
            trained, fresh = train_policy(rl_key, begin, task, recipe, setting)[1]
            found.append({"trained": kept(trained), "fresh": kept(fresh), "p": p, "asked": asked, "pull": pull})
        return found


def linear(policy: Policy) -> TypeGuard[Network]:
    """Whether it is a network without hidden layers."""
    return isinstance(policy, Network) and not policy.widths


def log_parts(policy: Policy, parameters: Parameters, features: Array) -> Array:
    """Log-probabilities [prompts, parts, choices] of what is independent given the prompt: tokens, or the response."""
    if isinstance(policy, Network):
        return nn.log_softmax(policy.read(parameters, features))
    return log_probabilities(policy, parameters, features)[:, None]


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


def distilled(policy: Policy, blank: Parameters, features: Array, wanted: Array, steps: int) -> Parameters:
    """A policy that imitates these probabilities [prompts, tokens, choices]."""

    def miss(parameters: Parameters) -> Array:
        return -(wanted * log_parts(policy, parameters, features)).sum((-1, -2)).mean()

    optimizer = optax.adam(optax.cosine_decay_schedule(3e-3, steps))

    def step(_: Array, state: tuple[Parameters, Any]) -> tuple[Parameters, Any]:
        updates, memory = optimizer.update(jax.grad(miss)(state[0]), state[1], state[0])
        return optax.apply_updates(state[0], updates), memory

    return lax.fori_loop(0, steps, step, (blank, optimizer.init(blank)))[0]


def draw(found: dict[str, Any], path: Path) -> None:
    """The picture of docs/what-decides.md: starts of equal pass rates, over their entropy and over their number."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(found["cases"]), figsize=(9.6, 6.6), layout="constrained", sharey="col")
    same = [STARTS[i] for i in SAME_PASS_RATES]
    colours = dict(zip(same, ("#222222", "#b07d00", "#31688e", "#d62728", "#2a9d8f", "#aaaaaa"), strict=True))
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
