"""The claims of the theory, each with its witnesses."""

from dataclasses import asdict, dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Check:
    """One claim against its witnesses.

    label, name : which claim; the label is its anchor in docs/theory.md.
    formula, where : the claim in plain text, and the population and rollouts it was tried on.
    closed : the library's value.
    exact : the mean over every possible group, in rational arithmetic.
    estimate, standard_error : the mean over drawn groups, and its error by the exact second moment.
    z : (estimate - closed) / standard_error.
    wrong_formula, wrong : the nearest tempting formula, and its value here.
    wrong_rejected : whether the drawn groups tell that formula apart.
    passed : closed equals exact, the estimate agrees, and the wrong formula is rejected.
    """

    label: str
    name: str
    formula: str
    where: str
    closed: float
    exact: float
    estimate: float
    standard_error: float
    z: float
    wrong_formula: str
    wrong: float
    wrong_rejected: bool
    passed: bool

    @property
    def verdict(self) -> str:
        """Either "holds" or what to look at."""
        if self.passed:
            return "holds"
        return f"FAILS: library says {self.closed:.6g}" if self.wrong_rejected else "FAILS: wrong form not rejected"


@dataclass(frozen=True)
class Verification:
    """Every claim of the theory against its witnesses; prints as a table.

    checks : one per claim.
    groups, seed : how many groups were drawn for each claim, and the seed of the draws.
    """

    checks: tuple[Check, ...]
    groups: int
    seed: int

    @property
    def passed(self) -> bool:
        """Whether every claim holds."""
        return all(check.passed for check in self.checks)

    @property
    def summary(self) -> dict[str, Any]:
        """The figures for machines; JSON-ready."""
        return {
            "passed": self.passed,
            "claims": [asdict(check) for check in self.checks],
            "groups": self.groups,
            "seed": self.seed,
        }

    def __str__(self) -> str:
        head = ("claim", "closed form", "where", "exact", "estimate", "s.e.", "z", "tempting, and wrong", "verdict")
        rows = [
            (
                check.label,
                check.formula,
                check.where,
                f"{check.exact:.6f}",
                f"{check.estimate:.6f}",
                f"{check.standard_error:.1e}",
                f"{check.z:+.1f}",
                f"{check.wrong_formula}: {check.wrong:.6f}",
                check.verdict,
            )
            for check in self.checks
        ]
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
        held = sum(check.passed for check in self.checks)
        last = f"{held} of {len(rows)} claims hold: {self.groups} groups each, seed {self.seed}."
        return "\n".join([*map(str.rstrip, lines), last])

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"
