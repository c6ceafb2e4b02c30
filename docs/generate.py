"""Pages that the library computes: `python docs/generate.py` writes them anew, and a test holds them to it.

Numbers in them are computed, never typed.
"""

from collections.abc import Callable
from pathlib import Path

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


def _cell(formula: str) -> str:
    """Plain text as code, with the bars that would end a cell escaped."""
    return f"`{formula}`".replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {"claims.md": claims}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
