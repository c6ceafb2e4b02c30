"""Pages that the library computes: `python docs/generate.py` writes them anew, and a test holds them to it.

Numbers in them are computed, never typed.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlsignal import verify

DOCS = Path(__file__).parent


def claims() -> str:
    """docs/claims.md: every claim that `rlsignal verify` checks."""
    found = verify()
    head = f"""# Claims

What `rlsignal verify` checks: {len(found.checks)} claims, each against the mean over *every* possible group in rational
arithmetic (equal to 1e-12), and against {found.groups:,} drawn groups (within 5 standard errors), which must also tell
the nearest tempting mistake apart. The last column says by how many standard errors they can. Each label leads to its
derivation.

| claim | formula | where | value | tempting, and wrong | apart |
|---|---|---|---|---|---|
"""
    rows = [
        f"| [{check.label}](theory.md#{check.label}) {check.name} | {_cell(check.formula)} | {check.where} "
        f"| {check.exact:.6g} | {_cell(check.wrong_formula)} = {check.wrong:.6g} "
        f"| {abs(check.wrong - check.exact) / check.standard_error:.0f} s.e. |"
        for check in found.checks
    ]
    return head + "\n".join(rows) + "\n"


def coverage() -> str:
    """docs/coverage.md: how often intervals hold the truth, as simulated into docs/evidence/coverage.json."""
    found = json.loads((DOCS / "evidence" / "coverage.json").read_text(encoding="utf-8"))
    made, rows = found["provenance"], found["rows"]
    names = list(dict.fromkeys(row["statistic"] for row in rows))
    inside, beyond = ([row for row in rows if row["region"] is where] for where in (True, False))
    means, dispersions = (sorted({row[key] for row in inside}) for key in ("mean", "dispersion"))
    error = (made["nominal"] * (1 - made["nominal"]) / made["repetitions"]) ** 0.5

    by_statistic = [
        [name, *(_span(inside, kind, statistic=name) for kind in ("library", "student", "pooled"))] for name in names
    ]
    by_population = [
        [rho, *(_span(inside, "library", dispersion=rho, mean=mean) for mean in means)] for rho in dispersions
    ]
    outside = []
    for at in range(0, len(beyond), len(names)):
        here = beyond[at : at + len(names)]
        setting = [here[0][key] for key in ("prompts", "samples", "mean", "dispersion")]
        warned = min(row["warned"] for row in here)
        outside.append([*setting, *(f"{row['library']:.3f}" for row in here), f"{warned:.0%}"])

    return f"""# Coverage

How often a {made["nominal"]:.0%} interval of `group_estimate` ([I3](theory.md#I3)) holds the truth, in
{made["repetitions"]:,} simulated evaluations a row, which leaves a standard error of {error:.4f}.
`{made["command"]}` simulated them in {made["seconds"]} s with seed {made["seed"]} (rlsignal {made["rlsignal"]}, numpy
{made["numpy"]}, scipy {made["scipy"]}, Python {made["python"]}, {made["machine"]}), and keeps the rows in
[evidence/coverage.json](evidence/coverage.json).

## The region

{inside[0]["prompts"]} prompts of a Beta population, {inside[0]["samples"]} samples each, means in
[{means[0]}, {means[-1]}], dispersions in [{dispersions[0]}, {dispersions[-1]}]. The library's intervals hold in
**{_span(inside, "library")}** of the evaluations. Lowest and highest of {len(means) * len(dispersions)} populations:

{_table(["statistic", "library", "Student's, over prompts", "binomial, all rollouts in one pot"], by_statistic)}

The last kind plugs the ends of the pooled pass rate's interval into the formula of one prompt, as if all prompts were
alike. It is wrong twice: rollouts of a prompt are not independent, and the mean is not all that a statistic hangs on.
Student's fails where few prompts carry the value, just when it has missed them.

Lowest and highest of the {len(names)} statistics, by dispersion and mean:

{_table(["dispersion", *(f"mean {mean}" for mean in means)], by_population)}

## Beyond it

Nothing is claimed there, and `Estimate.warning` says so. The last column is how often it did, at the statistic for
which it did least. Mean and dispersion are judged as they are measured, so near the edge some evaluations from outside
look as if from inside, and the other way round. More prompts and other numbers of samples are no ground for a warning.

{_table(["prompts", "samples", "mean", "dispersion", *names, "warned"], outside)}
"""


def _span(rows: list[dict[str, Any]], kind: str, **where: object) -> str:
    """Lowest and highest share of the rows that agree with `where`."""
    shares = [row[kind] for row in rows if all(row[key] == value for key, value in where.items())]
    ends = dict.fromkeys(f"{share:.3f}" for share in (min(shares), max(shares)))
    return " to ".join(ends)


def _table(head: list[str], rows: list[list[Any]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (head, ["---"] * len(head), *rows))


def _cell(formula: str) -> str:
    """Plain text as code, with the bars that would end a cell escaped."""
    return f"`{formula}`".replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {"claims.md": claims, "coverage.md": coverage}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
