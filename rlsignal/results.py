"""The inversion map: outcomes over grids of starts, the controls beside them, and the reading."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np

from rlsignal._show import Result
from rlsignal.inference.intervals import Estimate


@dataclass(frozen=True, eq=False, repr=False)
class Face(Result):
    """Outcomes over a grid of starts: one face of the inversion map.

    Letters of shapes: G group sizes, B the two budgets (equal steps, equal rollouts), Y rows, X columns, D draws.

    rows : [Y], what `knob` names: entropy in nats, or dispersion.
    pass_rate : [X], pass@1 of the start.
    entropy, dispersion : [Y, X], of the start, mean over draws; NaN where no such start exists.
    outcome, outcome_at_k : [G, B, Y, X, D], pass@1 and pass@k after the budget, by the mean field.
    reached : [G, B, Y, X, D], what the reachability law predicts: the share of prompts with p above p_c.
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

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.varied} {self.values[0]:.2g} -> {self.values[-1]:.2g}, {self.held}:\n"
            f"    pass@1 after {self.outcome[0].mean():.3f} -> {self.outcome[-1].mean():.3f}, {_signed(self.effect)}; "
            f"sampled {_signed(self.sampled_effect)}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class InversionMap(Result):
    """Where GRPO turns the order of checkpoints, and what causes it. `print` it for the reading.

    sharpening : Face over (entropy, pass@1), in which one knob moves entropy and dispersion together, as SFT does.
    spread : Face over (dispersion, pass@1) at a fixed entropy inside the classes.
    controls : entropy inside the classes; dispersion; where the hard prompts are, at one dispersion; the first again
        under natural gradient.
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
    spread: Face
    controls: tuple[Control, ...]
    inverted_share: np.ndarray
    share_at_k: np.ndarray
    sampled_share: np.ndarray
    noise_floor: np.ndarray
    least: float
    law_error: np.ndarray
    mean_field_error: tuple[float, ...]
    explained: tuple[float, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "group_sizes": list(self.group_sizes),
            "mean_field_error": dict(zip(("max", "mean"), self.mean_field_error, strict=True)),
            "inverted_share": self._by_size(self.inverted_share[:, 0]),
            "inverted_share_at_equal_rollouts": self._by_size(self.inverted_share[:, 1]),
            "inverted_share_at_k": self._by_size(self.share_at_k[:, 0]),
            "inverted_share_sampled": self._by_size(self.sampled_share[:, 0]),
            "missing_starts": {"entropy": self.sharpening.missing, "dispersion": self.spread.missing},
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

    def _by_size(self, values: np.ndarray) -> dict[str, float]:
        return {str(g): float(value) for g, value in zip(self.group_sizes, values, strict=True)}

    def __str__(self) -> str:
        face = self.sharpening
        y, x = len(face.rows) // 2, len(face.pass_rate) // 2
        lines = [
            f"Where. Starts on a grid of {len(face.pass_rate)} pass@1 in [{face.pass_rate[0]:g}, "
            f"{face.pass_rate[-1]:g}] x {len(face.rows)} entropies in [{face.rows[0]:g}, {face.rows[-1]:g}] nats "
            f"({self.draws} draws of {self.prompts} prompts, {self.responses} responses, {self.correct} correct); "
            f"{self.estimator}, plain ascent at rate {self.learning_rate:g}.",
            f"A pair is inverted when the start with more pass@1 ends lower, by more than noise and {self.least:g}.",
            f"   g   {f'inverted at {self.steps} steps (sampled)':>31}   {f'at {self.rollouts} rollouts (sampled)':>26}"
            f"   noise floor   worth of a nat at p0={face.pass_rate[x]:.3g}, H0={face.rows[y]:.3g}",
        ]
        for i, g in enumerate(self.group_sizes):
            steps, rollouts = (
                f"{share:.1%} ({sampled:.1%})"
                for share, sampled in zip(self.inverted_share[i], self.sampled_share[i], strict=True)
            )
            lines.append(
                f"{g:4d}   {steps:>31}   {rollouts:>26}   {self.noise_floor[i].max():11.4f}   "
                f"{face.exchange_rate[i, 0, y, x]:.3f} pass@1"
            )
        if face.missing:
            lines.append(f"{face.missing} of the {len(face.rows) * len(face.pass_rate)} starts do not exist; left out.")
        lines.append("Worth of a nat: an SFT step that gains less pass@1 for each nat it spends lowers the outcome.")
        lines += ["What causes it (95% intervals over paired draws).", *(f"  {control}" for control in self.controls)]
        entropy, dispersion = self.explained
        lines += [
            "Over 160 Beta starts that fill a box of means, dispersions and entropies, pass@1 and entropy explain "
            f"{entropy:.0%} of the outcome, pass@1 and dispersion {dispersion:.0%}.",
            "What decides is the share of prompts that start above p_c. Entropy inside the classes is not it; "
            "dispersion is, as long as it sets that share.",
            "The law, outcome = that share: rms error "
            + ", ".join(f"{error:.3f} (g={g})" for g, error in zip(self.group_sizes, self.law_error[:, 0], strict=True))
            + f" at {self.steps} steps.",
            "Mean field against sampling, per cell of the first face: at most {:.3f}, on average {:.3f}.".format(
                *self.mean_field_error
            ),
            "A tabular policy: no prompt learns from another. What this does not show is in docs/inversion.md.",
        ]
        return "\n".join(lines)


def _signed(effect: Estimate) -> str:
    """Mean and interval, to three digits; what rounds to nothing has no sign."""
    mean, low, high = (f"{round(x, 3) + 0.0:+.3f}" for x in (effect.value, effect.low, effect.high))
    return f"{mean} [{low}, {high}]"


@dataclass(frozen=True, eq=False, repr=False)
class Curves(Result):
    """One set of prompts during RL, exact; each field [seeds, rungs, rates, records], means over prompts.

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
    """What RL does to the order of the rungs, by one outcome at one RL learning rate.

    outcome : which; one of `Ladder.outcomes`.
    rate : the RL learning rate; NaN for the best one of each rung, by its mean over seeds.
    best : [rungs], the rate of each rung.
    after : [seeds, rungs], the outcome.
    optimum : the rung with the largest mean; what follows is about the rungs from there on.
    spearman : [seeds], rank correlation of pass@1 before with the outcome; NaN where it is constant or a rung failed.
    p_value : of the rank correlation of the rungs' means over seeds, exact; the optimum was chosen on the same runs.
    drop, error : the outcome at the optimum less that at the deepest rung, mean over seeds, and its standard error.
    inverted_share, noise_floor : pairs of rungs whose order turned, and the largest half-width of a paired 95%
        interval; over all rungs.
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
        """Whether the best rung is neither the first nor the last."""
        return 0 < self.optimum < self.after.shape[1] - 1


@dataclass(frozen=True, eq=False, repr=False)
class Ladder(Result):
    """GRPO from every rung of an SFT depth ladder. `print` it for the reading.

    depths, rates : SFT steps of the rungs, and the RL learning rates.
    steps : of RL, at which `train` and `fresh` were recorded, [records].
    k : of pass@k.
    failed : cells (seed, rung, rate) that ended as NaN; they stay NaN, and so does every mean that holds one.
    train, fresh : Curves on the prompts that RL trains on, and on prompts that neither stage saw.
    readings : one for each outcome at each rate, then at the best rate of each rung.
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
        """The reading of this outcome at this rate; at the best rate of each rung if None."""
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
        for seed, rung, rate in np.ndindex(self.train.pass_at_1.shape[:3]):
            row: dict[str, Any] = {
                "ladder": self.name,
                "seed": self.seed + seed,
                "depth": self.depths[rung],
                "rate": self.rates[rate],
            }
            for where, curves in (("train", self.train), ("fresh", self.fresh)):
                for field in fields(curves):
                    curve = getattr(curves, field.name)[seed, rung, rate]
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

    def __str__(self) -> str:
        before = {
            "fresh pass@1": self.fresh.pass_at_1,
            "greedy": self.fresh.greedy,
            f"fresh pass@{self.k}": self.fresh.pass_at_k,
            "nats per token": self.train.token_entropy,
            "dispersion": self.train.dispersion,
            "informative": self.train.informative,
        }
        rows = [("SFT depth", [f"{depth:d}" for depth in self.depths])]
        rows += [(f"before: {name}", _figures(x[:, :, 0, 0].mean(0))) for name, x in before.items()]
        for x in self.readings:
            rate = "best rate" if np.isnan(x.rate) else f"rate {x.rate:g}"
            rows.append((f"{x.outcome.replace('@k', f'@{self.k}')}, {rate}", _figures(x.after.mean(0))))
        width = max(len(name) for name, _ in rows)
        lines = [f"{self.name}: {self.seeds} seeds, g = {self.group_size}, {self.steps[-1]} RL steps."]
        lines += ["  ".join([name.ljust(width), *(x.rjust(6) for x in values)]) for name, values in rows]
        if self.failed:
            lines.append(f"{self.failed} of {self.train.pass_at_1[..., -1].size} runs diverged (NaN).")
        for x in (reading for reading in self.readings if np.isnan(reading.rate)):
            shown = f"{x.outcome.replace('@k', f'@{self.k}')}, best rates: "
            if x.optimum == len(self.depths) - 1:
                lines.append(f"{shown}the deepest rung is the best.")
                continue
            lines.append(
                f"{shown}optimum at depth {self.depths[x.optimum]}; from there to the deepest {-x.drop:+.3f} "
                f"(s.e. {x.error:.3f}), rank correlation with pass@1 before {np.median(x.spearman):+.2f} (median)."
            )
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class EntropySwap(Result):
    """GRPO from two rungs, and from each with its logits scaled to the entropy of the other.

    depths : SFT steps of the shallow and the deep rung.
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
        """(share, standard error) of the gap between the rungs that a swap closes; errors by leaving out a seed.

        recovered : by flattening the deep rung; reproduced : by sharpening the shallow one. Dispersion moves too, so
        neither says what entropy alone does.
        """
        shallow, sharpened, deep, flattened = self.after[Ladder.outcomes.index(outcome)].T
        gap = shallow - deep
        return {
            "recovered": _ratio(flattened - deep, gap),
            "reproduced": _ratio(shallow - sharpened, gap),
        }

    def __str__(self) -> str:
        head = f"{self.name}: depth {self.depths[0]} against {self.depths[1]}, RL rate {self.rate:g}"
        starts = ("shallow", "shallow sharpened", "deep", "deep flattened")
        lines = [f"{head}, {self.after.shape[1]} seeds.", f"{'':26}" + "".join(f"{x:>20}" for x in starts)]
        named = {"nats before": self.entropy, "dispersion before": self.dispersion, "informative": self.informative}
        named |= {x.replace("@k", f"@{self.k}"): y for x, y in zip(Ladder.outcomes, self.after, strict=True)}
        lines += [f"{name:26}" + "".join(f"{x:20.3f}" for x in values.mean(0)) for name, values in named.items()]
        for outcome in Ladder.outcomes:
            told = ", ".join(f"{x:.0%} (s.e. {e:.0%}) {name}" for name, (x, e) in self.shares(outcome).items())
            lines.append(f"{outcome.replace('@k', f'@{self.k}')}: {told}.")
        return "\n".join(lines)


def _ratio(part: np.ndarray, whole: np.ndarray) -> tuple[float, float]:
    """Ratio of means over seeds, and its standard error by the jackknife."""
    n = len(part)
    without = (part.sum() - part) / (whole.sum() - whole)
    return float(part.mean() / whole.mean()), float(np.sqrt((n - 1) * without.var()))


def _plain(values: Any) -> Any:
    """Numbers for JSON, which has no NaN: None."""
    if np.ndim(values):
        return [_plain(x) for x in values]
    return float(values) if np.isfinite(values) else None


def _figures(values: np.ndarray) -> list[str]:
    return [f"{x:.3f}" for x in values]
