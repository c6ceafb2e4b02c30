"""What a training log says of its groups over time."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from rlsignal.results.diagnosis import Answer, plain


@dataclass(frozen=True, eq=False)
class Trend:
    """Dead groups of a run, window by window. `print` it for the reading.

    group_size, window : rollouts per prompt, and logged rows in a window.
    groups : in a row, as stated or inferred; 1 where nothing tells, which makes the intervals wide.
    step : [windows], the last step of each.
    reward, degenerate, low, high : [windows], mean reward, share of groups that agree, and its 95% interval.
    from_the_mean : [windows], that share if all prompts had the mean pass rate.
    expected : [windows], that share if only the mean had moved and the first window's dispersion had stayed.
    dispersion : [windows], of the Beta population that explains both; NaN where the mean is 0 or 1.
    elsewhere : (g, share of dead groups) that the last window's population would give other group sizes.
    rule : what warned first: "dead", "dying", "" for neither; "unknown" where the log does not count dead groups.
    warned_at : the step at which it did; NaN if never.
    warning : one sentence; empty if there is nothing to warn of.
    notes : what was met while reading.
    """

    group_size: int
    window: int
    groups: int
    step: np.ndarray
    reward: np.ndarray
    degenerate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    from_the_mean: np.ndarray
    expected: np.ndarray
    dispersion: np.ndarray
    elsewhere: tuple[tuple[int, Answer], ...]
    rule: str
    warned_at: float
    warning: str
    notes: tuple[str, ...]

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        series = ("step", "reward", "degenerate", "low", "high", "from_the_mean", "expected", "dispersion")
        return {
            "group_size": self.group_size,
            "window": self.window,
            "groups": self.groups,
            **{name: [plain(x) for x in getattr(self, name)] for name in series},
            "elsewhere": {str(g): answer.summary for g, answer in self.elsewhere},
            "rule": self.rule,
            "warned_at": plain(self.warned_at),
            "warning": self.warning,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        lines = [self.warning or "Nothing to warn of.", ""]
        lines.append("  to step   reward   dead groups [95%]       from the mean   as spread at first   dispersion")
        for i in range(len(self.step)):
            dead = f"{self.degenerate[i]:.3f} [{self.low[i]:.3f}, {self.high[i]:.3f}]"
            if np.isnan(self.degenerate[i]):
                dead = f"at least {self.from_the_mean[i]:.3f}"
            lines.append(
                f"{self.step[i]:9g}   {self.reward[i]:6.3f}   {dead:<23} {self.from_the_mean[i]:13.3f}   "
                f"{self.expected[i]:18.3f}   {self.dispersion[i]:10.2f}"
            )
        lines.append(f"windows of {self.window} rows, groups of {self.group_size}, {self.groups} in a row.")
        if self.elsewhere:
            told = ", ".join(f"{share} at g = {g}" for g, share in self.elsewhere)
            lines.append(f"By a Beta law the last window's population would leave dead: {told}.")
        lines += ["", "Read with care:", *(f"  {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines)
