"""What brings a fine-tuned-for-too-long checkpoint back? Each mitigation against the same seeds without it.

The bar is the ladder's best checkpoint, which costs nothing: it was there before. A mitigation is judged by
the share of the way back to it, and by what it costs.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import jax
import numpy as np
import optax
from jax import Array

from rlsignal._show import Part, Result, Table
from rlsignal.inference.intervals import Estimate, signed
from rlsignal.inference.ranking import paired_estimate
from rlsignal.results import Ladder
from rlsignal.sim.grpo import GRPORecipe
from rlsignal.sim.ladder import INVERTING, Checkpoints, LadderTask, outcomes, plan
from rlsignal.sim.policies import Network, Parameters, Policy, entropy, log_probabilities, tempered
from rlsignal.sim.runner import Runner
from rlsignal.sim.sft import SFTRecipe
from rlsignal.theory.frameworks import MAXRL


@dataclass(frozen=True, repr=False)
class Mitigated(Result):
    """One mitigation of the deep checkpoint; tuples in the order of `Ladder.outcomes`.

    before : fresh pass@1 of the start.
    rollouts : a step, over those of the bare run.
    after : outcomes, means over seeds.
    gain : over the bare run from the deep checkpoint, 95% over seeds, paired.
    share : of the way from the deep checkpoint's outcome to the good one's.
    gap : the good checkpoint under the same change, less the deep one; widened : that, less the bare gap; both empty
        where the change is not one of RL alone.
    failed : seeds that diverged.
    """

    name: str
    before: float
    rollouts: float
    after: tuple[float, ...]
    gain: tuple[Estimate, ...]
    share: tuple[float, ...]
    gap: tuple[Estimate, ...]
    widened: tuple[Estimate, ...]
    failed: int

    def _parts(self) -> Iterable[Part]:
        gains = (f"{signed(x)} ({outcome})" for outcome, x in zip(Ladder.outcomes, self.gain, strict=True))
        yield f"{self.name}: gain {', '.join(gains)}."


@dataclass(frozen=True, repr=False)
class Mitigations(Result):
    """Mitigations of a checkpoint that was fine-tuned for too long. `print` it for the reading.

    depths : SFT steps of the good and of the deep checkpoint; before, good, deep, gap : their fresh pass@1 before RL,
        the outcomes of bare runs from them, in the order of `Ladder.outcomes`, and the first less the second.
    mitigated : one for each mitigation.
    """

    task: str
    depths: tuple[int, ...]
    seeds: int
    k: int
    before: tuple[float, ...]
    good: tuple[float, ...]
    deep: tuple[float, ...]
    gap: tuple[Estimate, ...]
    mitigated: tuple[Mitigated, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        mitigated = [
            {**asdict(x), **{name: [y.summary for y in getattr(x, name)] for name in ("gain", "gap", "widened")}}
            for x in self.mitigated
        ]
        gap = [x.summary for x in self.gap]
        return {"outcomes": list(Ladder.outcomes), **asdict(self), "gap": gap, "mitigated": mitigated}

    def _parts(self) -> Iterable[Part]:
        yield (
            f"{self.task}, depth {self.depths[1]} with mitigations, between bare runs from it and from depth "
            f"{self.depths[0]}; {self.seeds} seeds."
        )
        bare = [f"depth {depth}, bare" for depth in self.depths]
        starts = [(name, f"{before:.3f}", "1.0") for name, before in zip(bare, self.before, strict=True)]
        starts += [(x.name, f"{x.before:.3f}", f"{x.rollouts:.1f}") for x in self.mitigated]
        yield Table(("start and run", "pass@1 before", "rollouts a step"), starts)
        for i, outcome in enumerate(Ladder.outcomes):
            gaps = "", f"{self.gap[i].value:+.3f}"
            ends = [(bare[j], f"{x[i]:.3f}", "", "", gaps[j]) for j, x in enumerate((self.good, self.deep))]
            ends += [
                (
                    x.name,
                    f"{x.after[i]:.3f}",
                    signed(x.gain[i]),
                    f"{x.share[i]:.0%}",
                    f"{x.gap[i].value:+.3f}" if x.gap else "",
                )
                for x in self.mitigated
            ]
            yield Table((outcome.replace("@k", f"@{self.k}"), "after", "gain", "way back", "gap"), ends)
        yield (
            "Gain over the bare run from the deep checkpoint with its 95% interval, and share of the way back. "
            "Gap: how far the good checkpoint ends above the deep one where both are trained so."
        )


Mend = Callable[[Policy, Parameters, Parameters, Array], Parameters]
"""(policy, shallow checkpoint, deep checkpoint, features) -> where RL starts."""


def averaged(policy: Policy, shallow: Parameters, deep: Parameters, features: Array) -> Parameters:
    """The mean of both checkpoints' weights."""
    return jax.tree.map(lambda a, b: (a + b) / 2, shallow, deep)


def flattened(policy: Policy, shallow: Parameters, deep: Parameters, features: Array) -> Parameters:
    """The deep checkpoint with its logits scaled to the shallow one's entropy."""
    return tempered(policy, deep, features, entropy(log_probabilities(policy, shallow, features)))


@dataclass(frozen=True, eq=False)
class Mitigation:
    """One change to the run from the deep checkpoint.

    name : of the change.
    recipe, setting : what differs in RL, by field of `GRPORecipe` and keyword of its `setting`.
    smoothing, decay : of the labels and of the weights in SFT; 0 for SFT as it is.
    mend : what is done to the checkpoint.
    """

    name: str
    recipe: dict[str, Any] = field(default_factory=dict)
    setting: dict[str, Any] = field(default_factory=dict)
    smoothing: float = 0.0
    decay: float = 0.0
    mend: Mend | None = None

    @property
    def in_rl(self) -> bool:
        """Whether nothing but RL changes."""
        return self.mend is None and not self.smoothing and not self.decay


MITIGATIONS = (
    Mitigation("KL to the start, 0.01", {"reference": True}, {"kl": 0.01}),
    Mitigation("KL to the start, 0.1", {"reference": True}, {"kl": 0.1}),
    Mitigation("MaxRL", {}, {"estimator": MAXRL}),
    Mitigation("entropy bonus, 0.01", {}, {"entropy": 0.01}),
    Mitigation("entropy bonus, 0.1", {}, {"entropy": 0.1}),
    Mitigation("temperature 1.5", {}, {"temperature": 1.5}),
    Mitigation("groups of 32", {"group_size": 32}),
    Mitigation("groups of 32, a quarter of the prompts", {"group_size": 32, "batch": 16}),
    Mitigation("dynamic sampling, 4 candidates", {"candidates": 4}),
    Mitigation("two epochs", {"epochs": 2}),
    Mitigation("two epochs, clip-high 0.28", {"epochs": 2}, {"clip": (0.2, 0.28)}),
    Mitigation("32 demonstrations mixed in, 0.1", {"demonstrations": 32}, {"imitation": 0.1}),
    Mitigation("label smoothing 0.2 in SFT", smoothing=0.2),
    Mitigation("weight decay 0.3 in SFT", decay=0.3),
    Mitigation("weights averaged with the best checkpoint", mend=averaged),
    Mitigation("logits flattened to the best checkpoint's entropy", mend=flattened),
)
"""What is tried; one strength or two each, fixed beforehand and not tuned."""


@dataclass(frozen=True)
class _Mended:
    """The experiment that makes a start of two checkpoints; hashable by value."""

    policy: Policy
    mend: Mend

    def __call__(self, pair: Parameters, features: Array) -> Parameters:
        shallow, deep = (jax.tree.map(lambda x, i=i: x[i], pair) for i in range(2))
        return jax.tree.map(lambda x: x[None], self.mend(self.policy, shallow, deep, features))


def mitigate(
    mitigations: Sequence[Mitigation] = MITIGATIONS,
    task: LadderTask = INVERTING,
    sft: SFTRecipe | None = None,
    grpo: GRPORecipe | None = None,
    *,
    rate: float = 3e-4,
    seeds: int = 8,
    seed: int = 0,
    runner: Runner | None = None,
) -> Mitigations:
    """GRPO from the last checkpoint with each mitigation, between the bare run and the run from the one before it.

    Parameters
    ----------
    mitigations : what is tried.
    task, grpo, rate, seeds, seed, runner : as for `depth_ladder`.
    sft : its last two depths are the good checkpoint and the collapsed one. Default 100 and 5000.

    Returns
    -------
    Mitigations, paired by seed.

    Raises
    ------
    ValueError : as for `depth_ladder`.

    Source: docs/mitigations.md.

    Examples
    --------
    >>> from rlsignal.sim.tasks import Teacher
    >>> policy = Network(widths=(16,), choices=4)
    >>> task = LadderTask("small", Teacher(Network(widths=(8,), choices=4), demonstrations=32, prompts=32), 0.3)
    >>> sft, grpo = SFTRecipe(policy, depths=(5, 100)), GRPORecipe(policy, batch=16, steps=20)
    >>> mitigate(MITIGATIONS[4:5], task, sft, grpo, seeds=2).mitigated[0].name
    'temperature 1.5'
    """
    sft = sft or SFTRecipe(Network(), depths=(100, 5000))
    grpo = grpo or GRPORecipe(sft.policy, record_every=50)
    speed = np.array([rate])

    def run(what: Mitigation | None) -> tuple[np.ndarray, np.ndarray, float]:
        """Outcomes [3, seeds, starts], fresh pass@1 before [seeds, starts], rollouts a step."""
        changed = replace(grpo, **what.recipe) if what else grpo
        setting = changed.setting(learning_rate=rate, **(what.setting if what else {}))
        smoothing = sft.setting(smoothing=what.smoothing) if what else None
        of, tuned = task, sft
        if what and (what.smoothing or what.decay):
            of = replace(task, name=f"{task.name}, {what.name}")
        if what and what.decay:
            tuned = replace(sft, optimizer=partial(optax.adamw, weight_decay=what.decay))
        this = plan(of, tuned, changed, seeds, seed, smoothing, setting, runner)
        prepared = this.prepared()
        pair = jax.tree.map(lambda x: x[:, -2:], prepared.parameters)
        name = what.name if what else "bare"
        if what is None:
            starts = pair
        elif what.mend is None:  # a change of RL is also tried from the good checkpoint
            starts = pair if what.in_rl else jax.tree.map(lambda x: x[:, 1:], pair)
        else:
            mended = _Mended(sft.policy, what.mend)
            starts = this.run(f"{name}, start", mended, (pair, prepared.task.train.features))
        trained, fresh = this.trained(name, Checkpoints(prepared.task, starts), speed)
        rollouts = changed.batch * changed.group_size * changed.candidates
        return np.stack(outcomes(trained, fresh))[..., 0], fresh.pass_at_1[:, :, 0, 0], rollouts

    bare, before, rollouts = run(None)
    good, deep = bare[:, :, 0], bare[:, :, 1]
    mitigated = []
    for what in mitigations:
        after, start, cost = run(what)
        mended = after[:, :, -1]
        gain, gap = mended - deep, after[:, :, 0] - mended
        mitigated.append(
            Mitigated(
                name=what.name,
                before=float(start[:, -1].mean()),
                rollouts=cost / rollouts,
                after=tuple(float(x) for x in mended.mean(-1)),
                gain=tuple(paired_estimate(x) for x in gain),
                share=tuple(float(x.mean() / gap.mean()) for x, gap in zip(gain, good - deep, strict=True)),
                gap=tuple(paired_estimate(x) for x in gap) if what.in_rl else (),
                widened=tuple(paired_estimate(x) for x in gap - (good - deep)) if what.in_rl else (),
                failed=int(np.isnan(after).any((0, 2)).sum()),
            )
        )
    return Mitigations(
        task=task.name,
        depths=sft.depths[-2:],
        seeds=len(before),
        k=grpo.attempts[0],
        before=(float(before[:, 0].mean()), float(before[:, 1].mean())),
        good=tuple(float(x) for x in good.mean(-1)),
        deep=tuple(float(x) for x in deep.mean(-1)),
        gap=tuple(paired_estimate(x) for x in good - deep),
        mitigated=tuple(mitigated),
    )
