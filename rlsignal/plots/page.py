"""A diagnosis as one HTML page that needs no network: its words, its table, its pictures."""

import base64
import io
from html import escape
from typing import Any

from rlsignal.diagnosis.compare import Comparison
from rlsignal.diagnosis.diagnose import Diagnosis

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ccc; }
th:first-child, td:first-child { text-align: left; }
tr.chosen { font-weight: bold; background: #eef2f8; }
img { max-width: 100%; } .out { color: #555; }
"""


def html(found: Diagnosis, compared: Comparison | None = None, *, source: str = "") -> str:
    """The page.

    Parameters
    ----------
    found : a Diagnosis.
    compared : a Comparison to go with it.
    source : what was read, for the heading.

    Returns
    -------
    str, a whole HTML document. Whatever came from the data is escaped; nothing is loaded from elsewhere.

    Examples
    --------
    >>> from rlsignal import diagnose
    >>> "<h1>&lt;mine&gt;: does it" in html(diagnose([[0, 1], [1, 1]] * 30, 2), source="<mine>")
    True
    """
    from rlsignal import plots

    at = f", checkpoint {found.checkpoint}" if found.checkpoint else ""
    parts = [
        f"<h1>{escape(source or found.source)}{escape(at)}: does it still give RL a signal?</h1>",
        f"<p>{found.prompts} prompts, {found.samples} samples each, groups of {found.group_size}.</p>",
        _findings(found.findings),
        _image(
            plots.plot_degenerate(found), "Share of dead groups over the group size; the table below has the figures."
        ),
        "<h2>Group sizes</h2>",
        _table(
            ("g", "dead groups", "95% from", "to", "from the mean", f"informative of {found.chosen.batch}", "from"),
            [
                (
                    str(x.group_size),
                    f"{x.degenerate.value:.3f}",
                    f"{x.degenerate.low:.3f}",
                    f"{x.degenerate.high:.3f}",
                    f"{x.from_the_mean:.3f}",
                    f"{x.informative:.0f} ± {x.spread:.0f}",
                    x.degenerate.how,
                )
                for x in found.sizes
            ],
            chosen=[x.group_size for x in found.sizes].index(found.group_size),
        ),
        "<h2>The policy</h2>",
        _table(
            ("", "estimate", "95% from", "to"),
            [
                (name, f"{x.value:.3f}", f"{x.low:.3f}", f"{x.high:.3f}")
                for name, x in (
                    ("pass@1", found.pass_at_1),
                    (f"pass@{found.group_size}", found.pass_at_g),
                    ("signal E[p(1-p)]", found.signal),
                    ("dispersion", found.dispersion),
                )
            ],
        ),
    ]
    if compared:
        parts += [
            "<h2>Checkpoints</h2>",
            _findings(compared.findings),
            _image(plots.plot_comparison(compared), "Checkpoints by pass@1 and by the share of groups that teach."),
            _table(
                ("checkpoint", "pass@1", "informative", f"pass@{compared.group_size}"),
                [
                    (
                        name,
                        *(
                            f"{row[i].value:.3f}"
                            for row in (compared.pass_at_1, compared.informative, compared.pass_at_g)
                        ),
                    )
                    for i, name in enumerate(compared.checkpoints)
                ],
            ),
        ]
    if found.notes:
        parts += ["<h2>Read with care</h2>", f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in found.notes)}</ul>"]
    title = escape(source or found.source)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _findings(findings: Any) -> str:
    rows = (f'<li>{escape(x.text)} <span class="out">{escape(x.way_out)}</span></li>' for x in findings)
    return f"<ol>{''.join(rows)}</ol>"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]], *, chosen: int | None = None) -> str:
    lines = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    body = (f'<tr class="chosen">{x}</tr>' if i == chosen else f"<tr>{x}</tr>" for i, x in enumerate(lines))
    return f"<table><tr>{''.join(f'<th>{escape(x)}</th>' for x in head)}</tr>{''.join(body)}</table>"


def _image(ax: Any, words: str) -> str:
    """A picture inside the page, and its words for who cannot see it."""
    from matplotlib import pyplot as plt

    content = io.BytesIO()
    ax.figure.savefig(content, format="png", dpi=110)
    plt.close(ax.figure)
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}">'
