"""Which checkpoint to start from."""

from dataclasses import dataclass
from typing import Any

from rlsignal.results.diagnosis import Answer, Finding, numbered, plain


@dataclass(frozen=True)
class Comparison:
    """Checkpoints on the same prompts, by four predictors of what RL makes of them. `print` it for the reading.

    checkpoints : names, in the order given.
    group_size, prompts : how they were asked; how many prompts all of them share.
    pass_at_1, informative, pass_at_g : one Answer each.
    budgets, forecasts : learning rate times steps, and [budget][checkpoint], pass@1 after it by the mean field.
    disagree : (first, second, probability) for every pair: that informative fraction and pass@1 order them
        differently, given the noise of both.
    entropy : of each checkpoint in the data's own unit, NaN where missing.
    best : by each predictor, the checkpoint it would start from.
    findings : what to know, the weightiest first.
    """

    checkpoints: tuple[str, ...]
    group_size: int
    prompts: int
    pass_at_1: tuple[Answer, ...]
    informative: tuple[Answer, ...]
    pass_at_g: tuple[Answer, ...]
    budgets: tuple[float, ...]
    forecasts: tuple[tuple[float, ...], ...]
    disagree: tuple[tuple[str, str, float], ...]
    entropy: tuple[float, ...]
    best: dict[str, str]
    findings: tuple[Finding, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        named = {"pass_at_1": self.pass_at_1, "informative": self.informative, "pass_at_g": self.pass_at_g}
        return {
            "checkpoints": list(self.checkpoints),
            "group_size": self.group_size,
            "prompts": self.prompts,
            **{
                name: {x: answer.summary for x, answer in zip(self.checkpoints, answers, strict=True)}
                for name, answers in named.items()
            },
            "forecast": {
                f"{budget:g}": dict(zip(self.checkpoints, row, strict=True))
                for budget, row in zip(self.budgets, self.forecasts, strict=True)
            },
            "entropy": {name: plain(x) for name, x in zip(self.checkpoints, self.entropy, strict=True)},
            "disagree": [{"first": a, "second": b, "probability": x} for a, b, x in self.disagree],
            "best": dict(self.best),
            "findings": [
                {"kind": x.kind, "text": x.text, "way_out": x.way_out, "weight": x.weight} for x in self.findings
            ],
        }

    def __str__(self) -> str:
        width = max(10, *(len(name) for name in self.checkpoints))
        head = ["pass@1", "informative", f"pass@{self.group_size}"]
        lines = [f"{len(self.checkpoints)} checkpoints, {self.prompts} shared prompts, g = {self.group_size}", ""]
        lines += numbered(self.findings)
        forecasts = "".join(f"{f'at {x:g}':>9}" for x in self.budgets)
        lines += ["", f"{'':{width}}  " + "".join(f"{name:<24}" for name in head) + forecasts]
        for i, name in enumerate(self.checkpoints):
            answers = "".join(f"{x[i]!s:<24}" for x in (self.pass_at_1, self.informative, self.pass_at_g))
            lines.append(f"{name:{width}}  {answers}" + "".join(f"{row[i]:9.3f}" for row in self.forecasts))
        lines += [
            "",
            f"at {', '.join(f'{x:g}' for x in self.budgets)}: forecast of pass@1 after this learning rate times steps, "
            "by the mean field of independent prompts.",
            f"best by {', by '.join(f'{by}: {name}' for by, name in self.best.items())}.",
        ]
        return "\n".join(lines)
