"""Policies alike in all but one respect, and what RL makes of them."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Twin:
    """One start, means over seeds.

    varied : "entropy" or "dispersion".
    pass_at_1, dispersion, entropy : before RL, on the prompts that it trains on; entropy of the response, nats.
    after, error : pass@1 on them after RL, and its standard error.
    fresh_peak : highest pass@k on fresh prompts.
    """

    varied: str
    pass_at_1: float
    dispersion: float
    entropy: float
    after: float
    error: float
    fresh_peak: float


@dataclass(frozen=True)
class TwinTable:
    """Twins of entropy, then twins of dispersion. `print` it for the reading.

    effects : by what is varied, (mean, low, high) of the last twin's outcome less the first's; 95%, paired by seed.
    """

    twins: tuple[Twin, ...]
    effects: dict[str, tuple[float, ...]]
    seeds: int
    steps: int
    group_size: int

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.seeds} seeds, g = {self.group_size}, {self.steps} steps of RL.",
            "varied       entropy   dispersion   pass@1 before   pass@1 after",
        ]
        lines += [
            f"{x.varied:<10}   {x.entropy:7.2f}   {x.dispersion:10.2f}   {x.pass_at_1:13.3f}   "
            f"{x.after:.3f} ± {x.error:.3f}"
            for x in self.twins
        ]
        for name, (mean, low, high) in self.effects.items():
            lines.append(f"{name}, from the first to the last: {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
        return "\n".join(lines)
