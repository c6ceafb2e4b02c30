"""How the pages of docs/ become a site: `make docs`.

The pages are written to be read in a repository browser. Here anchors become targets, the executed lessons are copied
in, and the reference is written from the public names, so that none can be missing.
"""

import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import explorer
import gallery
import misconceptions
import reference
import rendering
import slides

from rlsignal.proofs.claims import CLAIMS
from rlsignal.proofs.derivations import PROOFS

project, author = "rlsignal", "the rlsignal developers"
release = metadata.version("rlsignal")
extensions = ["myst_nb"]
html_theme = "furo"
html_title = "rlsignal"
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["explorer"]
html_math_renderer = "mathml"
html_show_sourcelink = html_copy_source = html_use_index = False
exclude_patterns = ["_build", "evidence", "explorer", "jupyter_execute", "static"]
myst_enable_extensions = ["dollarmath", "amsmath", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the lessons come executed; `make notebooks` runs them
nb_render_markdown_format = "myst"
nb_merge_streams = True
nb_mime_priority_overrides = [("html", "image/gif", 35)]
nb_ipywidgets_js: dict[str, Any] = {}  # a page asks nobody for scripts
suppress_warnings = ["misc.highlighting_failure"]  # plain text

USES: dict[str, list[str]] = {}
"""Label -> links to where it is computed, checked and taught."""


def setup(app: Any) -> None:
    """Writes reference, gallery and explorer, copies the lessons, and has pages rendered as `rendering` says."""
    theory = (DOCS / "theory.md").read_text(encoding="utf-8")
    labels = set(rendering.ANCHOR.findall(theory))
    for made in ("lessons", "reference"):
        shutil.rmtree(DOCS / made, ignore_errors=True)
        (DOCS / made).mkdir()
    taught = {
        path.stem: rendering.lesson(path, DOCS / "lessons", reference.public_names())
        for path in sorted((DOCS.parent / "notebooks").glob("[0-9]*.ipynb"))
    }
    computed = reference.build(DOCS / "reference", labels)
    claimed, proven = {claim.label for claim in CLAIMS}, {proof().label for proof in PROOFS}
    for label in labels:
        USES[label] = [f"[`{name}`](#ref-{name})" for name in computed.get(label, ())]
        USES[label] += ["[claims](claims.md)"] * (label in claimed) + ["a proof that sympy checks"] * (label in proven)
        USES[label] += [
            f"[lesson {int(name[:2])}](lessons/{name}.ipynb)" for name, words in taught.items() if f"#{label})" in words
        ]
    (DOCS / "gallery.md").write_text(gallery.build(DOCS / "pictures"), encoding="utf-8")
    (DOCS / "misconceptions.md").write_text(misconceptions.build(DOCS / "pictures"), encoding="utf-8")
    slides.build(DOCS / "explorer")
    (DOCS / "explorer" / "explorer.html").write_text(explorer.page(), encoding="utf-8")
    app.add_html_math_renderer("mathml", (rendering.visit_inline, None), (rendering.visit_block, None))
    app.connect("source-read", source_read)
    app.connect("doctree-read", rendering.captions)
    app.connect("doctree-read", rendering.hide_answers)
    app.connect("build-finished", finished)


def source_read(app: Any, name: str, source: list[str]) -> None:
    """Anchors become targets; the theory says where each entry is used."""
    source[0] = rendering.as_targets(rendering.with_uses(source[0], USES) if name == "theory" else source[0])


def finished(app: Any, error: Exception | None) -> None:
    """What lies beside the pages: the lessons to download, and the font that their formulas need."""
    if error:
        return
    out, used = Path(app.outdir), set()
    for path in out.rglob("*.html"):
        for formula in re.findall(r"<math .*?</math>", path.read_text(encoding="utf-8"), re.S):
            used |= set(re.sub(r"<[^>]*>|&\w+;", "", formula))
    rendering.font(out / "_static", used)
    for path in sorted((DOCS.parent / "notebooks").glob("[0-9]*.ipynb")):
        shutil.copy(path, out / "lessons")
    for path in out.rglob("*.html"):  # a picture leads to itself at full size
        page = path.read_text(encoding="utf-8")
        linked = re.sub(r'(<figure[^>]*>\s*)(<img [^>]*src="([^"]+)"[^>]*>)', r'\1<a href="\3">\2</a>', page)
        if linked != page:
            path.write_text(linked, encoding="utf-8")
