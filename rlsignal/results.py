"""What simulations hand back: the inversion map and the ladder, so that both are read and drawn without jax."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from rlsignal._show import COLUMNS, Part, Result, Table, figure, plain, signed_figure
from rlsignal.inference.intervals import Estimate, signed


@dataclass(frozen=True, eq=False, repr=False)
class Face(Result):
    """Outcomes over a grid of starts: one face of the inversion map.

    Letters of shapes: G group sizes, B the two budgets (equal steps, equal rollouts), Y rows, X columns, D draws.

    rows : [Y], what `knob` names: entropy in nats, or dispersion.
    pass_rate : [X], pass@1 of the start.
    entropy, dispersion : [Y, X], of the start, mean over draws; NaN where no such start exists.
    outcome, outcome_at_k : [G, B, Y, X, D], pass@1 and pass@k after the budget, by the mean field; sampled where the
        optimizer is not plain ascent.
    reached : [G, B, Y, X, D], what the reachability law predicts: the share of prompts with p above p_c; NaN likewise.
    sampled : [G, B, Y, X, D], pass@1 after sampled GRPO on the same starts; NaN where none was run.
    """

    axes: ClassVar = {
        **{"rows": "Y", "pass_rate": "X", "entropy": "Y X", "dispersion": "Y X"},
        **dict.fromkeys(("outcome", "outcome_at_k", "reached", "sampled"), "G B Y X D"),
    }

    knob: str
    rows: np.ndarray
    pass_rate: np.ndarray
    entropy: np.ndarray
    dispersion: np.ndarray
    outcome: np.ndarray
    outcome_at_k: np.ndarray
    reached: np.ndarray
    sampled: np.ndarray

    @property
    def missing(self) -> int:
        """How many starts of the grid do not exist in every draw, and are NaN."""
        return int(np.isnan(self.outcome[0, 0]).any(-1).sum())

    @property
    def exchange_rate(self) -> np.ndarray:
        """[G, B, Y, X], pass@1 per unit of the knob: (dV/d row) / (dV/d p0) by differences over the grid.

        In the sharpening family, in pass@1 per nat: an SFT step that gains less pass@1 for each nat that it spends
        lowers the outcome. NaN where the outcome no longer depends on the start's pass@1.
        """
        by_row, by_rate = np.gradient(self.outcome.mean(-1), self.rows, self.pass_rate, axis=(2, 3))
        return np.divide(by_row, by_rate, out=np.full_like(by_row, np.nan), where=np.abs(by_rate) > 0.05)

    def _parts(self) -> Iterable[Part]:
        yield (
            f"Outcomes over {len(self.rows)} {self.knob} rows in [{self.rows[0]:g}, {self.rows[-1]:g}] x "
            f"{len(self.pass_rate)} pass@1 in [{self.pass_rate[0]:g}, {self.pass_rate[-1]:g}]; "
            f"{self.missing} starts do not exist. pass@1 after the equal-steps budget, by the first group size:"
        )
        after = self.outcome[0, 0].mean(-1)
        rows = [(f"{row:g}", *map(figure, values)) for row, values in zip(self.rows, after, strict=True)]
        yield from _fitting((self.knob, *(f"{x:g}" for x in self.pass_rate)), rows)


@dataclass(frozen=True, eq=False, repr=False)
class Control(Result):
    """One thing varied and the rest held: what moves the outcome?

    values, entropy, dispersion : [V], the thing varied, and the start's response entropy (nats) and dispersion.
    outcome, sampled : [V, D], pass@1 after the equal-steps budget, by the mean field and by sampled GRPO.
    effect, sampled_effect : the last value's outcome minus the first's, 95% over paired draws.
    """

    axes: ClassVar = {"values": "V", "entropy": "V", "dispersion": "V", "outcome": "V D", "sampled": "V D"}

    name: str
    varied: str
    held: str
    values: np.ndarray
    entropy: np.ndarray
    dispersion: np.ndarray
    outcome: np.ndarray
    sampled: np.ndarray
    effect: Estimate
    sampled_effect: Estimate

    def _parts(self) -> Iterable[Part]:
        yield self._held
        yield Table(_CONTROL, [self._row])

    @property
    def _held(self) -> str:
        return f"{self.name}: varies {self.varied}; holds {self.held}."

    @property
    def _row(self) -> tuple[str, ...]:
        ends = (f"{self.values[0]:.2g}", f"{self.values[-1]:.2g}")
        after = f"{self.outcome[0].mean():.3f} -> {self.outcome[-1].mean():.3f}"
        return (self.name, *ends, after, signed(self.effect), signed(self.sampled_effect))


_CONTROL = ("varied", "from", "to", "pass@1 after", "effect", "effect, sampled")


@dataclass(frozen=True, eq=False, repr=False)
class CheckpointEnds(Result):
    """Where GRPO takes evaluated checkpoints in the model of the map. `print` it for the reading.

    before, dispersion, after : [C, D], of every draw of the pass rates: pass@1 and dispersion now, pass@1 afterwards.
        NaN where the counts leave the end open.
    notes : what to know of the data, a sentence each.
    """

    axes: ClassVar = dict.fromkeys(("before", "dispersion", "after"), "C D")
    ALIKE: ClassVar = 0.0005
    """Ends that are no further apart count as equal: they print alike."""

    names: tuple[str, ...]
    group_size: int
    steps: int
    estimator: str
    learning_rate: float
    responses: int
    correct: int
    before: np.ndarray
    dispersion: np.ndarray
    after: np.ndarray
    notes: tuple[str, ...] = ()

    @property
    def ahead(self) -> np.ndarray:
        """[C, C], the share of draws in which the first ends above the second; equal ends count half. NaN: unknown."""
        difference = self.after[:, None] - self.after
        above = (difference > self.ALIKE) + (np.abs(difference) <= self.ALIKE) / 2
        return np.where(np.isnan(difference), np.nan, above).mean(-1)

    @property
    def first(self) -> np.ndarray:
        """[C], the share of draws in which none ends above this one, which equal ends share. NaN if unknown."""
        known = np.isfinite(self.after[:, 0])
        found = np.full(len(self.names), np.nan)
        if known.any():
            top = self.after[known] >= self.after[known].max(0) - self.ALIKE
            found[known] = (top / top.sum(0)).mean(1)
        return found

    def interval(self, what: str) -> np.ndarray:
        """[C, 3], the median over draws of `before`, `dispersion` or `after`, and the middle 95%."""
        levels = (0.5, 0.025, 0.975)
        return np.asarray(np.quantile(getattr(self, what), levels, axis=1, method="weibull").T)

    @property
    def crossings(self) -> list[tuple[int, int, float]]:
        """Pairs (i, j, chance) of which j is ahead now, in nine draws of ten, and i likelier ends ahead."""
        now = (self.before[:, None] > self.before).mean(-1)
        i, j = np.nonzero((now.T > 0.9) & (self.ahead > 0.5))
        return [(int(a), int(b), float(self.ahead[a, b])) for a, b in zip(i, j, strict=True)]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        found = {what: self.interval(what).tolist() for what in ("before", "dispersion", "after")}
        return {
            "checkpoints": list(self.names),
            **{
                what: [dict(zip(("value", "low", "high"), map(plain, row), strict=True)) for row in rows]
                for what, rows in found.items()
            },
            "first": [plain(x) for x in self.first.tolist()],
            "ahead": [[plain(x) for x in row] for row in self.ahead.tolist()],
            "crossings": [[self.names[i], self.names[j], chance] for i, j, chance in self.crossings],
            "notes": list(self.notes),
        }

    def _parts(self) -> Iterable[Part]:
        several = len(self.names) > 1
        starts = f"{len(self.names)} checkpoints as starts" if several else "1 checkpoint as a start"
        yield (
            f"{starts} of the model: g = {self.group_size}, {self.steps} steps of plain ascent at rate "
            f"{self.learning_rate:g}, {self.estimator}."
        )
        columns = [[_in_interval(*row) for row in self.interval(x)] for x in ("before", "dispersion", "after")]
        columns += [[_share(x) for x in self.first]] * several
        head = ("checkpoint", "pass@1 now", "dispersion", "pass@1 after", *["ends first"] * several)
        yield Table(head, list(zip(self.names, *columns, strict=True)))
        for i, j, chance in self.crossings:
            little = ", by less than 0.02" * bool(np.median(self.after[i] - self.after[j]) < 0.02)
            yield f"{self.names[j]} is ahead now; {self.names[i]} ends ahead in {_share(chance)} of the draws{little}."
        if several and not self.crossings:
            yield "No checkpoint that is clearly ahead now ends behind another."
        yield from self.notes
        yield (
            f"Values are medians and intervals the middle 95% of {self.before.shape[1]} draws of the pass rates given "
            "the counts, for these prompts; ends first: a share of them. Pass rates are taken for those of a Beta and "
            "a share of prompts that are never solved: those of another shape, such as many prompts of one small "
            "pass rate, may end elsewhere."
        )
        yield (
            "What the model leaves out: what one prompt learns from another, and the chance of single rollouts. That a "
            f"prompt has {self.responses} responses of which {self.correct} are correct is assumed, not known."
        )


def _in_interval(value: float, low: float, high: float) -> str:
    return "not known" if np.isnan(value) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _share(x: float) -> str:
    """A share of draws, which are too few to call anything certain."""
    if np.isnan(x):
        return "not known"
    return "over 99%" if x > 0.99 else "under 1%" if x < 0.01 else f"{x:.0%}"


INDEPENDENT_STARTS = 160
"""Beta starts over which `InversionMap.explained` is measured."""


@dataclass(frozen=True, eq=False, repr=False)
class InversionMap(Result):
    """Where GRPO turns the order of checkpoints, and what causes it. `print` it for the reading.

    sharpening : Face over (entropy, pass@1), in which one knob moves entropy and dispersion together, as SFT does.
    dispersion : Face over (dispersion, pass@1) at a fixed entropy inside the classes.
    controls : entropy inside the classes; dispersion; where the hard prompts are, at one dispersion; of plain ascent
        also the first again under natural gradient.
    inverted_share, share_at_k, sampled_share, noise_floor, law_error : [G, B], over the sharpening face: the share of
        pairs of starts whose order turns, by pass@1 and by pass@k in the mean field, and by pass@1 sampled; the largest
        half-width of a paired 95% interval; the rms error of the reachability law.
    least : the smallest loss of pass@1 that counts as an inversion.
    mean_field_error : (max, mean) distance of mean field and sampling, per cell of the sharpening face; the mean is
        over cells that end between 0.05 and 0.95.
    explained : (entropy, dispersion), the share of the outcome's variance over independent starts that a quadratic in
        pass@1 and that quantity knows.
    """

    axes: ClassVar = dict.fromkeys(("inverted_share", "share_at_k", "sampled_share", "noise_floor", "law_error"), "G B")

    group_sizes: tuple[int, ...]
    steps: int
    rollouts: int
    estimator: str
    learning_rate: float
    prompts: int
    responses: int
    correct: int
    k: int
    draws: int
    seed: int
    sharpening: Face
    dispersion: Face
    controls: tuple[Control, ...]
    inverted_share: np.ndarray
    share_at_k: np.ndarray
    sampled_share: np.ndarray
    noise_floor: np.ndarray
    least: float
    law_error: np.ndarray
    mean_field_error: tuple[float, ...]
    explained: tuple[float, ...]
    optimizer: str = "sgd"
    temperature: float = 1.0
    kl: float = 0.0

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "group_sizes": list(self.group_sizes),
            "mean_field_error": dict(zip(("max", "mean"), map(plain, self.mean_field_error), strict=True)),
            "inverted_share": self._by_size(self.inverted_share[:, 0]),
            "inverted_share_at_equal_rollouts": self._by_size(self.inverted_share[:, 1]),
            "inverted_share_at_k": self._by_size(self.share_at_k[:, 0]),
            "inverted_share_sampled": self._by_size(self.sampled_share[:, 0]),
            "missing_starts": {"entropy": self.sharpening.missing, "dispersion": self.dispersion.missing},
            "noise_floor": float(self.noise_floor.max()),
            "law_error": self._by_size(self.law_error[:, 0]),
            "explained": dict(zip(("entropy", "dispersion"), self.explained, strict=True)),
            "controls": {
                control.name: {
                    "varied": control.varied,
                    "from": float(control.values[0]),
                    "to": float(control.values[-1]),
                    "effect": control.effect.summary,
                    "sampled_effect": control.sampled_effect.summary,
                }
                for control in self.controls
            },
        }

    @property
    def plain_ascent(self) -> bool:
        """Whether the optimizer is that of the mean field and the law."""
        return self.optimizer == "sgd"

    @property
    def way(self) -> str:
        """How outcomes are found: there is a mean field for plain ascent alone."""
        return "mean field" if self.plain_ascent else "sampled"

    def budgets(self, g: int) -> tuple[int, int]:
        """Steps of this group size at equal steps, and at equal rollouts."""
        return self.steps, self.rollouts // g

    def _by_size(self, values: np.ndarray) -> dict[str, float | None]:
        return {str(g): plain(float(value)) for g, value in zip(self.group_sizes, values, strict=True)}

    def _parts(self) -> Iterable[Part]:
        face, plain_ascent = self.sharpening, self.plain_ascent
        y, x = len(face.rows) // 2, len(face.pass_rate) // 2
        yield (
            f"Where the order turns. Starts on a grid of {len(face.pass_rate)} pass@1 in [{face.pass_rate[0]:g}, "
            f"{face.pass_rate[-1]:g}] x {len(face.rows)} entropies in [{face.rows[0]:g}, {face.rows[-1]:g}] nats "
            f"({self.draws} draws of {self.prompts} prompts, {self.responses} responses, {self.correct} correct); "
            f"{self.estimator}, {'plain ascent' if plain_ascent else self.optimizer} at rate "
            f"{self.learning_rate:g}"
            + (f", rollouts at temperature {self.temperature:g}" if self.temperature != 1 else "")
            + (f", KL to the start weighed {self.kl:g}." if self.kl else ".")
        )
        yield f"A pair is inverted when the start with more pass@1 ends lower, by more than noise and {self.least:g}."
        beside = " (sampled)" * plain_ascent  # where all is sampled a second figure would be the first again
        budgets = [f"inverted at {self.steps} steps{beside}", f"at {self.rollouts} rollouts{beside}"]
        if all(self.rollouts == g * self.steps for g in self.group_sizes):
            budgets = budgets[:1]  # the same run
        rows = []
        for i, g in enumerate(self.group_sizes):
            shares = [
                f"{share:.1%}" + (f" ({sampled:.1%})" if np.isfinite(sampled) else " (-)") * plain_ascent
                for share, sampled in zip(self.inverted_share[i], self.sampled_share[i], strict=True)
            ]
            worth = f"{face.exchange_rate[i, 0, y, x]:.2f}"
            rows.append((str(g), *shares[: len(budgets)], f"{self.noise_floor[i].max():.3f}", worth))
        yield Table(("g", *budgets, "noise floor", "worth of a nat"), rows)
        if face.missing:
            yield f"{face.missing} of the {len(face.rows) * len(face.pass_rate)} starts do not exist; left out."
        yield (
            f"Worth of a nat, in pass@1 at p0={face.pass_rate[x]:.3g}, H0={face.rows[y]:.3g}: an SFT step that gains "
            "less pass@1 for each nat it spends lowers the outcome. That is a price, not a cause: on this grid a start "
            "with less entropy also has pass rates further apart, and the controls below take the two apart."
        )
        fixed = "; reach has two fixed pass rates, the same in all draws, so by the mean field it has hardly a width"
        yield (
            "What causes it: each control varies one property of the start (95% intervals over paired draws"
            f"{fixed * plain_ascent})."
        )
        columns = len(_CONTROL) - (not plain_ascent)
        yield Table(_CONTROL[:columns], [control._row[:columns] for control in self.controls])
        yield from (f"- {control._held}" for control in self.controls)
        (entropy, dispersion), held = self.explained, self.controls[0]
        yield (
            f"Over {INDEPENDENT_STARTS} Beta starts that fill a box of means, dispersions and entropies, pass@1 and "
            f"entropy explain {entropy:.0%} of the outcome, pass@1 and dispersion {dispersion:.0%}."
        )
        errors = zip(self.group_sizes, self.law_error[:, 0], strict=True)
        largest, mean = self.mean_field_error
        if plain_ascent:
            so = "So what a nat is worth above is the pass rates that go with it."
            unsure = "More draws would tell whether a nat has a worth of its own."
            if self.kl:
                yield f"The law leaves out KL: a weight of {self.kl:g} sets fixed points that prompts do not pass."
            elif self.controls[2].effect.low > self.least:
                yield (
                    "What decides is the share of prompts that start above p_c; dispersion does, as long as it sets "
                    "that share."
                )
            yield (
                f"Entropy inside the classes{'' if self.kl else ' moves p_c alone'}: with {held.held} held, "
                f"{held.values[-1] - held.values[0]:.2g} nats more move pass@1 by {signed(held.effect)}. "
                f"{so if held.effect.high < self.least else unsure}"
            )
            if not self.kl:
                yield (
                    "The law, outcome = that share: rms error "
                    + ", ".join(f"{error:.3f} (g={g})" for g, error in errors)
                    + f" at {self.steps} steps."
                )
            if np.isfinite(largest):
                apart = f"at most {largest:.3f}, on average {mean:.3f}"
                yield f"Mean field against sampling, per cell of the first face: {apart}."
        else:
            yield f"All is sampled, by {self.optimizer}: mean field, law and natural gradient are of plain ascent."
        yield "A tabular policy: no prompt learns from another. What this does not show is in docs/inversion.md."


@dataclass(frozen=True, eq=False, repr=False)
class Curves(Result):
    """One set of prompts during RL, exact; each field [seeds, checkpoints, rates, records], means over prompts.

    pass_at_1, greedy, pass_at_k : sampled at temperature 1; by the most likely tokens; in k tries.
    entropy, token_entropy : nats per response, and per token.
    dispersion : of the pass rates.
    informative : 1 - E[p^g + (1-p)^g], the share of groups that give a signal.
    """

    axes: ClassVar = dict.fromkeys(
        ("pass_at_1", "greedy", "pass_at_k", "entropy", "token_entropy", "dispersion", "informative"), "S C R T"
    )

    pass_at_1: np.ndarray
    greedy: np.ndarray
    pass_at_k: np.ndarray
    entropy: np.ndarray
    token_entropy: np.ndarray
    dispersion: np.ndarray
    informative: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Reading(Result):
    """What RL does to the order of the checkpoints, by one outcome at one RL learning rate.

    outcome : which; one of `Ladder.outcomes`.
    rate : the RL learning rate; NaN for the best one of each checkpoint, by its mean over seeds.
    best : [checkpoints], the rate of each checkpoint.
    after : [seeds, checkpoints], the outcome.
    optimum : the checkpoint with the largest mean; what follows is about the checkpoints from there on.
    spearman : [seeds], rank correlation of pass@1 before with the outcome; NaN where it is constant or a run failed.
    p_value : of the rank correlation of the means over seeds, exact; the optimum was chosen on the same runs.
    drop, error : the outcome at the optimum less that at the deepest one, mean over seeds, and its standard error.
    inverted_share, noise_floor : pairs of checkpoints whose order turned, and the largest half-width of a paired 95%
        interval; over all checkpoints.
    """

    axes: ClassVar = {"best": "C", "after": "S C", "spearman": "S"}

    outcome: str
    rate: float
    best: np.ndarray
    after: np.ndarray
    optimum: int
    spearman: np.ndarray
    p_value: float
    drop: float
    error: float
    inverted_share: float
    noise_floor: float

    @property
    def interior(self) -> bool:
        """Whether the best checkpoint is neither the first nor the last."""
        return 0 < self.optimum < self.after.shape[1] - 1

    def _parts(self) -> Iterable[Part]:
        yield (
            f"{self.outcome}, {_rate(self)}: best at checkpoint {self.optimum + 1} of {self.after.shape[1]}, "
            f"{self.drop:.3f} (s.e. {self.error:.3f}) above the deepest."
        )
        yield from _fitting(
            ("checkpoint", *(str(i + 1) for i in range(self.after.shape[1]))),
            [("mean over seeds", *map(figure, self.after.mean(0)))],
        )


@dataclass(frozen=True, eq=False, repr=False)
class Ladder(Result):
    """GRPO from every checkpoint of an SFT depth ladder. `print` it for the reading.

    depths, rates : SFT steps of the checkpoints, and the RL learning rates.
    steps : of RL, at which `train` and `fresh` were recorded, [records].
    k : of pass@k.
    failed : cells (seed, checkpoint, rate) that ended as NaN; they stay NaN, and so does every mean that holds one.
    train, fresh : Curves on the prompts that RL trains on, and on prompts that neither stage saw.
    readings : one for each outcome at each rate, then at the best rate of each checkpoint.
    """

    name: str
    depths: tuple[int, ...]
    rates: tuple[float, ...]
    seeds: int
    seed: int
    group_size: int
    k: int
    steps: np.ndarray
    failed: int
    train: Curves
    fresh: Curves
    readings: tuple[Reading, ...]

    outcomes: ClassVar = ("fresh peak pass@k", "fresh final pass@1", "trained final pass@1")

    def reading(self, outcome: str = "fresh peak pass@k", rate: float | None = None) -> Reading:
        """The reading of this outcome at this rate; at the best rate of each checkpoint if None."""
        found = [
            x for x in self.readings if x.outcome == outcome and (np.isnan(x.rate) if rate is None else x.rate == rate)
        ]
        if not found:
            raise ValueError(f"outcome and rate must be among {self.outcomes} and {self.rates}, got {outcome}, {rate}.")
        return found[0]

    @property
    def records(self) -> list[dict[str, Any]]:
        """A flat row for every cell: before (record 0), after (final, peak over the records, and the peak's step)."""
        rows = []
        for seed, checkpoint, rate in np.ndindex(self.train.pass_at_1.shape[:3]):
            row: dict[str, Any] = {
                "ladder": self.name,
                "seed": self.seed + seed,
                "depth": self.depths[checkpoint],
                "rate": self.rates[rate],
            }
            for where, curves in (("train", self.train), ("fresh", self.fresh)):
                for field in fields(curves):
                    curve = getattr(curves, field.name)[seed, checkpoint, rate]
                    row[f"{where}_{field.name}_before"] = float(curve[0])
                    row[f"{where}_{field.name}_final"] = float(curve[-1])
                    if field.name.startswith("pass"):
                        row[f"{where}_{field.name}_peak"] = float(curve.max())
                        row[f"{where}_{field.name}_peak_step"] = int(self.steps[curve.argmax()])
            rows.append(row)
        return rows

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready. Before is fresh pass@1; after, fresh peak pass@k at the best rates."""
        headline = self.reading()
        return {
            "name": self.name,
            "seeds": self.seeds,
            "depths": list(self.depths),
            "rates": list(self.rates),
            "before": _plain(self.fresh.pass_at_1[..., 0, 0].mean(0)),
            "after": _plain(headline.after.mean(0)),
            "optimum": self.depths[headline.optimum],
            "spearman_median": _plain(np.median(headline.spearman)),
            "noise_floor": _plain(headline.noise_floor),
            "failed": self.failed,
            "k": self.k,
            "readings": [
                {
                    "outcome": x.outcome,
                    "rate": _plain(x.rate),
                    "after": _plain(x.after.mean(0)),
                    "optimum": self.depths[x.optimum],
                    "interior": x.interior,
                    "spearman": _plain(x.spearman),
                    "p_value": _plain(x.p_value),
                    "drop": _plain(x.drop),
                    "drop_error": _plain(x.error),
                    "inverted_share": _plain(x.inverted_share),
                    "noise_floor": _plain(x.noise_floor),
                }
                for x in self.readings
            ],
        }

    def _parts(self) -> Iterable[Part]:
        yield f"{self.name}: {self.seeds} seeds, g = {self.group_size}, {self.steps[-1]} RL steps."
        before = {
            "fresh pass@1": self.fresh.pass_at_1,
            "greedy": self.fresh.greedy,
            f"fresh pass@{self.k}": self.fresh.pass_at_k,
            "nats per token": self.train.token_entropy,
            "dispersion": self.train.dispersion,
            "informative": self.train.informative,
        }
        rows = [(f"before: {name}", *map(figure, x[:, :, 0, 0].mean(0))) for name, x in before.items()]
        rows += [(f"{self._named(x)}, {_rate(x)}", *map(figure, x.after.mean(0))) for x in self.readings]
        yield from _fitting(("SFT depth", *map(str, self.depths)), rows)
        if self.failed:
            yield f"{self.failed} of {self.train.pass_at_1[..., -1].size} runs diverged (NaN)."
        for x in (reading for reading in self.readings if np.isnan(reading.rate)):
            if x.optimum == len(self.depths) - 1:
                yield f"{self._named(x)}, best rates: the deepest checkpoint is the best."
                continue
            yield (
                f"{self._named(x)}, best rates: optimum at depth {self.depths[x.optimum]}; from there to the deepest "
                f"{signed_figure(-x.drop)} (s.e. {x.error:.3f}), rank correlation with pass@1 before "
                f"{signed_figure(np.median(x.spearman), 2)} (median)."
            )

    def _named(self, reading: Reading) -> str:
        return reading.outcome.replace("@k", f"@{self.k}")


@dataclass(frozen=True, eq=False, repr=False)
class EntropySwap(Result):
    """GRPO from two checkpoints, and from each with its logits scaled to the entropy of the other.

    depths : SFT steps of the shallow and the deep checkpoint.
    entropy, dispersion, informative : [seeds, 4], of the starts on the prompts that RL trains on (entropy in nats):
        shallow, shallow sharpened, deep, deep flattened.
    after : by outcome, in the order of `Ladder.outcomes`; [3, seeds, 4].
    """

    axes: ClassVar = {"entropy": "S F", "dispersion": "S F", "informative": "S F", "after": "O S F"}

    name: str
    depths: tuple[int, ...]
    rate: float
    k: int
    entropy: np.ndarray
    dispersion: np.ndarray
    informative: np.ndarray
    after: np.ndarray

    def shares(self, outcome: str = "fresh peak pass@k") -> dict[str, tuple[float, float]]:
        """(share, standard error) of the gap between the checkpoints that a swap closes; errors by leaving out a seed.

        recovered : by flattening the deep one; reproduced : by sharpening the shallow one. Dispersion moves too, so
        neither says what entropy alone does. NaN where the gap is within two standard errors of 0.
        """
        shallow, sharpened, deep, flattened = self.after[Ladder.outcomes.index(outcome)].T
        gap = shallow - deep
        return {
            "recovered": _ratio(flattened - deep, gap),
            "reproduced": _ratio(shallow - sharpened, gap),
        }

    def _parts(self) -> Iterable[Part]:
        yield (
            f"{self.name}: depth {self.depths[0]} against {self.depths[1]}, RL rate {self.rate:g}, "
            f"{self.after.shape[1]} seeds. Each checkpoint, and each with the other's entropy."
        )
        named = {"nats per response before": self.entropy, "dispersion before": self.dispersion}
        named |= {"informative": self.informative}
        named |= {x.replace("@k", f"@{self.k}"): y for x, y in zip(Ladder.outcomes, self.after, strict=True)}
        head = ("", "shallow", "shallow sharpened", "deep", "deep flattened")
        yield Table(head, [(name, *map(figure, values.mean(0))) for name, values in named.items()])
        for outcome in Ladder.outcomes:
            shares = self.shares(outcome)
            words = ", ".join(f"{x:.0%} (s.e. {e:.0%}) {name}" for name, (x, e) in shares.items())
            if np.isnan(shares["recovered"][0]):
                words = "the two checkpoints do not differ by more than noise, so there is no gap to close"
            yield f"{outcome.replace('@k', f'@{self.k}')}: {words}."


def _ratio(part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Ratio of means over seeds, and its standard error by the jackknife; NaN where the whole may be 0."""
    n = len(part)
    if n < 2 or abs(whole.mean()) <= 2 * whole.std(ddof=1) / np.sqrt(n):
        return float("nan"), float("nan")
    without = (part.sum() - part) / (whole.sum() - whole)
    return float(part.mean() / whole.mean()), float(np.sqrt((n - 1) * without.var()))


def _plain(values: Any) -> Any:
    """Numbers for JSON, arrays as lists."""
    return [_plain(x) for x in values] if np.ndim(values) else plain(values)


def _rate(reading: Reading) -> str:
    return "best rate" if np.isnan(reading.rate) else f"rate {reading.rate:g}"


def _fitting(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[Table]:
    """The table, or several of fewer columns that each fit the width of a printed line."""
    widths = [max(map(len, column)) + 2 for column in zip(head, *rows, strict=True)]
    each = max(1, (COLUMNS - widths[0]) // max(widths[1:], default=1))
    for at in range(1, len(head), each):
        yield Table((head[0], *head[at : at + each]), [(row[0], *row[at : at + each]) for row in rows])
