"""The SFT depth ladder: curves during RL, ranks before and after, the entropy swap."""

from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np


@dataclass(frozen=True, eq=False)
class Curves:
    """One set of prompts during RL, exact; each field [seeds, rungs, rates, records], means over prompts.

    pass_at_1, greedy, pass_at_k : sampled at temperature 1; by the most likely tokens; in k tries.
    entropy, token_entropy : nats per response, and per token.
    dispersion : of the pass rates.
    informative : 1 - E[p^g + (1-p)^g], the share of groups that give a signal.
    """

    pass_at_1: np.ndarray
    greedy: np.ndarray
    pass_at_k: np.ndarray
    entropy: np.ndarray
    token_entropy: np.ndarray
    dispersion: np.ndarray
    informative: np.ndarray


@dataclass(frozen=True, eq=False)
class Reading:
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


@dataclass(frozen=True, eq=False)
class Ladder:
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


@dataclass(frozen=True, eq=False)
class EntropySwap:
    """GRPO from two rungs, and from each with its logits scaled to the entropy of the other.

    depths : SFT steps of the shallow and the deep rung.
    entropy, dispersion, informative : [seeds, 4], of the starts on the prompts that RL trains on (entropy in nats):
        shallow, shallow sharpened, deep, deep flattened.
    after : by outcome, in the order of `Ladder.outcomes`; [3, seeds, 4].
    """

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
