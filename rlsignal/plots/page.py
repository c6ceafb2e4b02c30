"""Results as one HTML page that needs no network: their words, their tables, their pictures."""

import base64
import io
import warnings
from collections.abc import Callable
from html import escape
from typing import Any

from rlsignal._show import Result, visible
from rlsignal.diagnosis.compare import Comparison
from rlsignal.diagnosis.diagnosed import Diagnosis
from rlsignal.diagnosis.track import Trend
from rlsignal.plots.diagnosis import plot_comparison, plot_degenerate
from rlsignal.plots.track import plot_trend

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.4rem; } section { margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #ccc; }
th:first-child, td:first-child { text-align: left; }
tr.marked { background: #eef2f8; }
img { max-width: 100%; }
"""

_PICTURES: dict[type[Result], tuple[Callable[[Any], Any], str]] = {
    Diagnosis: (plot_degenerate, "Share of degenerate groups over the group size; the table has the figures."),
    Comparison: (plot_comparison, "Checkpoints by pass@1 and by the share of informative groups."),
    Trend: (plot_trend, "Share of degenerate groups over the steps of the run; the table has the figures."),
}


def html(*results: Result, source: str = "") -> str:
    """The page.

    Parameters
    ----------
    results : what to show, in this order: a Diagnosis, a Comparison, a Trend, or any other result.
    source : what was read, for the heading.

    Returns
    -------
    str, a whole HTML document. Whatever came from the data is escaped; nothing is loaded from elsewhere.

    Examples
    --------
    >>> from rlsignal.plots.page import html
    >>> from rlsignal import diagnose
    >>> "<h1>&lt;mine&gt;: does it" in html(diagnose([[0, 1], [1, 1]] * 30, 2), source="<mine>")
    True
    """
    title = f"{escape(visible(source or 'rlsignal'))}: does it still give RL a signal?"
    sections = "\n".join(f"<section>\n{x._repr_html_()}\n{_image(x)}</section>" for x in results)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>{title}</h1>\n{sections}\n</body></html>\n"
    )


def _image(result: Result) -> str:
    """The picture of a result, inside the page, and its words for who cannot see it; empty where it has none."""
    from matplotlib import pyplot as plt

    if type(result) not in _PICTURES:
        return ""
    plot, words = _PICTURES[type(result)]
    figure, content = plot(result).figure, io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's own text shows such names
        figure.savefig(content, format="png", dpi=110)
    plt.close(figure)
    return f'<img alt="{escape(words)}" src="data:image/png;base64,{base64.b64encode(content.getvalue()).decode()}">\n'
