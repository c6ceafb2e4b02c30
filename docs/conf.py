"""How the pages of docs/ become a site: `make docs`.

The pages are written to be read in a repository browser. Here anchors become targets, the executed lessons are copied
in, and the reference is written from the public names, so that none can be missing.
"""

import inspect
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

project, author = "rlsignal", "the rlsignal developers"
release = metadata.version("rlsignal")
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "rlsignal"
html_extra_path = ["explorer"]
exclude_patterns = ["_build", "evidence", "explorer", "jupyter_execute"]
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"  # the lessons come executed; `make notebooks` runs them
napoleon_use_rtype = False
napoleon_custom_sections = ["Shapes"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
suppress_warnings = ["misc.highlighting_failure", "ref.python"]  # plain text; names that several classes have


def setup(app: Any) -> None:
    """Copies the lessons, writes reference, gallery and explorer, and turns anchors into targets as pages are read."""
    lessons = DOCS / "lessons"
    shutil.rmtree(lessons, ignore_errors=True)
    lessons.mkdir()
    for notebook in sorted((DOCS.parent / "notebooks").glob("[0-9]*.ipynb")):
        shutil.copy(notebook, lessons)
    (DOCS / "reference.md").write_text(reference(), encoding="utf-8")
    import explorer
    import gallery

    (DOCS / "gallery.md").write_text(gallery.build(DOCS / "pictures"), encoding="utf-8")

    (DOCS / "explorer").mkdir(exist_ok=True)
    (DOCS / "explorer" / "explorer.html").write_text(explorer.page(), encoding="utf-8")
    app.connect("source-read", as_targets)
    app.connect("autodoc-process-docstring", as_plain)


def reference() -> str:
    """Every public name, by the module it is imported from; then the results, which are made and not called."""
    import rlsignal
    from rlsignal import _show, estimators, inference, plots, sim, theory

    lines = ["# Reference", "", "Every public name with shapes, units, errors, source and an executed example.", ""]
    shown: set[int] = set()
    for module in (rlsignal, estimators, theory, inference, sim, plots):
        lines += [f"## {module.__name__}", ""]
        for name in sorted(module.__all__, key=str.lower):
            value = getattr(module, name)
            if id(value) in shown:  # documented where it was named first
                continue
            shown.add(id(value))
            kind = "class" if isinstance(value, type) else "function" if inspect.isroutine(value) else "data"
            lines += ["```{eval-rst}", f".. auto{kind}:: {module.__name__}.{name}"]
            lines += ["   :members:", "   :undoc-members:"] if kind == "class" else []
            lines += ["```", ""]
    lines += [
        "## Results",
        "",
        "What functions hand back; each prints, shows itself in a notebook, and can be saved.",
        "",
    ]
    for kind in sorted(_show.Result.kinds.values(), key=lambda kind: kind.__name__.lower()):
        if id(kind) not in shown and kind.__module__.startswith("rlsignal"):
            lines += ["```{eval-rst}", f".. autoclass:: {kind.__module__}.{kind.__name__}", "```", ""]
    return "\n".join(lines)


def as_targets(app: Any, name: str, source: list[str]) -> None:
    """`<a id="V1"></a>` and links to it, in MyST's own words."""
    text = re.sub(r'<a id="(\w+)"></a>\n', r"(\1)=\n", source[0])
    source[0] = re.sub(r"\]\((?:\w+\.md)?#([A-Z]\d+)\)", r"](#\1)", text)


def as_plain(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are plain text: markup signs are escaped, and lists of fields (`name : what it is`) become lists."""
    if not getattr(thing, "__module__", "rlsignal").startswith("rlsignal"):
        lines.clear()  # a default that another library documents
    plain: list[str] = []
    example = field = False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if not example:
            line = re.sub(r"(?<!\\)([*|])", r"\\\1", re.sub(r"(?<=\w)_(?=\W|$)", r"\\_", line))
        found = re.match(r"(\w[\w, @\[\]]*) : (.*)", line)
        if found and not example:
            plain += [] if field else [""]
            line, field = f"- **{found[1]}**: {found[2]}", True
        elif field and line.startswith("    "):
            line = "  " + line.strip()
        elif field:
            plain, field = [*plain, ""], False
        plain.append(line)
    lines[:] = plain
