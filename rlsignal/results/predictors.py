"""How well what is known before RL ranks the rungs of random ladders."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class PredictorScore:
    """One predictor over the test ladders, by outcome: "trained", pass@1 on what RL trains on; "fresh", peak pass@k.

    correlation : (mean, low, high) over ladders of Spearman's rho within a ladder; 95%, ladders being the units.
    loss : (mean, low, high), how far below the best rung the one that it would choose ends.
    wrong : share of ladders in which that is more than 0.02.
    """

    name: str
    correlation: dict[str, tuple[float, ...]]
    loss: dict[str, tuple[float, ...]]
    wrong: dict[str, float]


@dataclass(frozen=True)
class PredictorTable:
    """Predictors of which rung to start RL from. `print` it for the reading.

    ladders, tuning : tested on, and used to set the time scale of the forecast alone.
    failed : of all, with a run that diverged.
    samples : of each prompt, for the rows that say so.
    time_scale : learning rate times steps at which the forecast ranked the tuning ladders best.
    inverted : by outcome, share of test ladders whose rung of best pass@1 ends more than 0.02 below another.
    scores : one for each predictor.
    entropy_given_informative, informative_given_entropy : by outcome, mean partial rank correlation within a ladder
        and its 95% interval: what one of them knows once the other is known.
    by_rate : mean rank correlation of the informative fraction with "trained" at slow and at fast RL rates.
    """

    ladders: int
    tuning: int
    failed: int
    samples: int
    time_scale: float
    inverted: dict[str, float]
    scores: tuple[PredictorScore, ...]
    entropy_given_informative: dict[str, tuple[float, ...]]
    informative_given_entropy: dict[str, tuple[float, ...]]
    by_rate: tuple[float, ...]

    @property
    def best(self) -> str:
        """The predictor whose choices lose least on "trained", of those known before RL."""
        before = [score for score in self.scores if "RL steps" not in score.name and "samples" not in score.name]
        return min(before, key=lambda score: score.loss["trained"][0]).name

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "ladders": self.ladders,
            "tuning": self.tuning,
            "failed": self.failed,
            "samples": self.samples,
            "time_scale": self.time_scale,
            "inverted": self.inverted,
            "best": self.best,
            "scores": [
                {"name": x.name, "correlation": x.correlation, "loss": x.loss, "wrong": x.wrong} for x in self.scores
            ],
            "entropy_given_informative": self.entropy_given_informative,
            "informative_given_entropy": self.informative_given_entropy,
            "by_rate": list(self.by_rate),
        }

    def __str__(self) -> str:
        width = max(len(score.name) for score in self.scores)
        lines = [
            f"{self.ladders} random ladders. The rung with the best pass@1 is a wrong choice in "
            f"{self.inverted['trained']:.0%} (pass@1 on trained prompts) and {self.inverted['fresh']:.0%} (peak pass@k "
            "on fresh ones).",
            f"{'':{width}}   trained: correlation        loss   wrong   fresh: correlation          loss   wrong",
        ]
        for x in self.scores:
            cells = []
            for outcome in ("trained", "fresh"):
                mean, low, high = x.correlation[outcome]
                cells.append(
                    f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]   {x.loss[outcome][0]:8.3f}   {x.wrong[outcome]:5.0%}"
                )
            lines.append(f"{x.name:{width}}   " + "   ".join(cells))
        for what, told in (
            ("Entropy, once the informative fraction is known", self.entropy_given_informative),
            ("The informative fraction, once entropy is known", self.informative_given_entropy),
        ):
            parts = (f"{mean:+.2f} [{low:+.2f}, {high:+.2f}] ({name})" for name, (mean, low, high) in told.items())
            lines.append(f"{what}: partial rank correlation {', '.join(parts)}.")
        return "\n".join(lines)
