"""What brings a collapsed checkpoint back, at what cost."""

from dataclasses import asdict, dataclass
from typing import Any

from rlsignal.results.ladder import Ladder


@dataclass(frozen=True)
class Rescued:
    """One rescue of the deep checkpoint; tuples in the order of `Ladder.outcomes`.

    before : fresh pass@1 of the start.
    rollouts : a step, over those of the bare run.
    after : outcomes, means over seeds.
    gain : (mean, low, high) over the bare run from the deep checkpoint, 95% over seeds, paired.
    share : of the way from the deep checkpoint's outcome to the good one's.
    failed : seeds that diverged.
    """

    name: str
    before: float
    rollouts: float
    after: tuple[float, ...]
    gain: tuple[tuple[float, ...], ...]
    share: tuple[float, ...]
    failed: int


@dataclass(frozen=True)
class RescueTable:
    """Rescues of a checkpoint that was fine-tuned for too long. `print` it for the reading.

    depths : SFT steps of the good and of the deep checkpoint; before, good, deep : their fresh pass@1 before RL, and
        the outcomes of bare runs from them, in the order of `Ladder.outcomes`.
    rescued : one for each rescue.
    """

    course: str
    depths: tuple[int, ...]
    seeds: int
    k: int
    before: tuple[float, ...]
    good: tuple[float, ...]
    deep: tuple[float, ...]
    rescued: tuple[Rescued, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {"outcomes": list(Ladder.outcomes), **asdict(self)}

    def __str__(self) -> str:
        width = max(len(x.name) for x in self.rescued)
        names = [name.replace("@k", f"@{self.k}") for name in Ladder.outcomes]
        lines = [
            f"{self.course}, depth {self.depths[1]} with rescues, between bare runs from it and from depth "
            f"{self.depths[0]}; {self.seeds} seeds.",
            f"{'':{width}}   before   rollouts   " + "   ".join(f"{name:>32}" for name in names),
        ]
        for name, before, after in (
            (f"depth {self.depths[0]}, bare", self.before[0], self.good),
            (f"depth {self.depths[1]}, bare", self.before[1], self.deep),
        ):
            lines.append(f"{name:{width}}   {before:6.3f}   {1:8.1f}   " + "   ".join(f"{x:32.3f}" for x in after))
        for x in self.rescued:
            cells = (
                f"{after:.3f} {mean:+.3f} [{low:+.3f}, {high:+.3f}] {share:4.0%}"
                for after, (mean, low, high), share in zip(x.after, x.gain, x.share, strict=True)
            )
            lines.append(f"{x.name:{width}}   {x.before:6.3f}   {x.rollouts:8.1f}   " + "   ".join(cells))
        lines.append(
            "After each outcome: gain over the bare deep run with its 95% interval, and share of the way back."
        )
        return "\n".join(lines)
