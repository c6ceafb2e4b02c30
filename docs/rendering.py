"""What the site adds to its pages as they are built: formulas as MathML, links both ways, answers behind a click.

Nothing here runs in a reader's browser, and no page asks the network for anything.
"""

import ast
import json
import logging
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from fontTools import subset, ttLib
from latex2mathml.converter import convert

from rlsignal import plots

DOCS = Path(__file__).parent
ANCHOR = re.compile(r'<a id="(\w+)"></a>\n')
NO_PROSE = re.compile(r"(\$\$.*?\$\$|\$[^$\n]*\$|`[^`]*`|\[[^\]]*\]\([^)]*\)|^#.*?$)", re.M | re.S)
"""What of a lesson's text is no prose: formulas, code, links and headings."""
AMBIGUOUS = {"term-reach"}
"""Words that are mostly something else: here a verb."""
LABEL_LINK = re.compile(r"\]\((?:[\w./]+\.md)?#([A-Z]\d+)\)")

PICTURES = {
    "L2": "plot_population",
    "V1": "plot_variance",
    "D3": "plot_degenerate_groups",
    "W1": "plot_weights",
    "W2": "plot_objectives",
    "N1": "plot_entropy_cap",
}
"""Entries of the theory that open with a picture of the gallery."""


# Formulas -------------------------------------------------------------------------------------------------------------


def mathml(tex: str, display: str) -> str:
    """A formula as MathML."""
    tex = " ".join(tex.split()).replace("=:", "≕").replace(":=", "≔")
    bare = tex.removeprefix(r"\displaystyle")
    formula = convert(bare, display=display)
    return formula if bare == tex else formula.replace("<math ", '<math displaystyle="true" ', 1)


def visit_inline(self: Any, node: nodes.math) -> None:
    if node.astext().startswith(r"\displaystyle"):  # a step of a proof: wide, and a paragraph of its own
        self.body.append(f'<span class="formula" tabindex="0">{mathml(node.astext(), "block")}</span>')
    else:
        self.body.append(mathml(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="formula" tabindex="0">{mathml(node.astext(), "block")}</div>\n')
    raise nodes.SkipNode


def font(folder: Path, characters: set[str]) -> None:
    """The part of STIX Two Math (SIL Open Font License) that the formulas use, so that brackets and roots stretch."""
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    path = Path(find_spec("ziamath").origin).with_name("fonts") / "STIXTwoMath-Regular.ttf"
    with ttLib.TTFont(path) as whole:
        options = subset.Options(flavor="woff", layout_features=["ssty", "dtls"], notdef_outline=True)
        part = subset.Subsetter(options)
        italic = {
            0x1D434 + ord(c) - 65 if c.isupper() else 0x1D44E + ord(c) - 97
            for c in characters
            if c.isascii() and c.isalpha()
        }
        greek = range(0x1D6E2, 0x1D71C)
        part.populate(unicodes={*range(0x20, 0x7F), *map(ord, characters), *italic, 0x210E, *greek})
        part.subset(whole)
        subset.save_font(whole, folder / "math.woff", options)


# Links ----------------------------------------------------------------------------------------------------------------


def as_targets(text: str) -> str:
    """`<a id="V1"></a>` and links to it, in MyST's own words."""
    text = text.replace("](../notebooks/", "](lessons/")
    text = re.sub(r'<a id="(term-[\w-]+)"></a>([^|]+?) \|', r"[\2]{#\1} |", text)  # of the glossary's table
    text = re.sub(r"\]\((?:\.\./)?glossary\.md#(term-[\w-]+)\)", r"](#\1)", text)
    return LABEL_LINK.sub(r"](#\1)", ANCHOR.sub(r"(\1)=\n", text))


def with_uses(theory: str, uses: dict[str, list[str]]) -> str:
    """The theory with a line below each entry, where it is computed, checked and taught, and pictures of some."""
    parts = re.split(r'(?=<a id="\w+"></a>\n|^## )', theory, flags=re.M)
    for i, part in enumerate(parts):
        label = ANCHOR.match(part)
        if label and label[1] in PICTURES:
            name = PICTURES[label[1]]
            words = (getattr(plots, name).__doc__ or "").splitlines()[0]
            part = re.sub(r"^(### .*\n)", rf"\1\n![{words}](pictures/{name}.png)\n", part, count=1, flags=re.M)
            parts[i] = part
        if label and uses.get(label[1]):
            parts[i] = f"{part.rstrip()}\n\n*Used in:* {' · '.join(uses[label[1]])}\n\n"
    return "".join(parts)


# Lessons --------------------------------------------------------------------------------------------------------------


def lesson(path: Path, folder: Path, names: set[str]) -> str:
    """Copies an executed lesson: captions from the first line of a cell that draws. Hands back its words.

    names : of the reference; to those that the lesson's code uses its last section links.
    """
    notebook = nbformat.read(path, as_version=4)
    linked = {anchor for cell in notebook.cells for anchor in re.findall(r"glossary\.md#([\w-]+)", cell.source)}
    glossary = terms((DOCS / "glossary.md").read_text(encoding="utf-8"), linked)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    words = []
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            cell.source = with_terms(with_titles(cell.source), glossary)
            if "## Where this leads" in cell.source:
                used = [f"[`{name}`](#ref-{name})" for name in used_names(code) if name in names]
                cell.source += f"\n- In the reference: {', '.join(used)}."
            cell.source = as_targets(cell.source.replace("](../docs/", "](../"))
            words.append(cell.source)
            continue
        tags = cell.metadata.get("tags", [])
        if "slider" in tags:  # a knob needs a kernel; the explorer has it too
            state = cell.metadata["explorer"]
            link = f'<a href="../explorer.html#{state}">Move it yourself in the explorer</a>'
            notebook.cells[number] = nbformat.v4.new_markdown_cell(link, id=cell.id)
            continue
        if "answer" in tags:
            tags.append("remove-output")  # nothing can answer on a page
        if any({"image/png", "image/gif"} & set(output.get("data", {})) for output in cell.get("outputs", ())):
            caption = re.match(r"# (.*)", cell.source)
            if not caption:
                raise ValueError(f"{path.name}: cell {number} draws, so its first line must be a comment, its caption.")
            cell.source = cell.source.split("\n", 1)[1]
            cell.metadata["mystnb"] = {"figure": {"caption": caption[1]}, "image": {"alt": caption[1].replace("`", "")}}
        cell.metadata["tags"] = tags
    first = notebook.cells[0]
    download = f'<a class="download" href="{path.name}" download>Download this lesson (.ipynb)</a>'
    first.source = re.sub(r"\n", f"\n\n{download}\n", first.source, count=1)
    nbformat.write(notebook, folder / path.name)
    return "\n".join(words)


def terms(glossary: str, linked: set[str]) -> dict[str, str]:
    """Terms of the glossary and their anchors, without those that are linked already."""
    found = re.findall(r'<a id="(term-[\w-]+)"></a>([^|]+?) \|', glossary)
    return {name: anchor for anchor, names in found for name in names.split(", ") if anchor not in linked | AMBIGUOUS}


def with_terms(text: str, anchors: dict[str, str]) -> str:
    """The first mention of a term leads to the glossary, and takes the term out of anchors."""
    for name, anchor in sorted(anchors.items(), key=lambda item: -len(item[0])):
        parts = NO_PROSE.split(text)
        for i in range(0, len(parts), 2):
            link = rf"[\g<0>](../docs/glossary.md#{anchor})"
            parts[i], found = re.subn(rf"(?<![\w-]){re.escape(name)}s?(?![\w-])", link, parts[i], count=1, flags=re.I)
            if found:
                text = "".join(parts)
                anchors.pop(name)
                break
    return text


def with_titles(text: str) -> str:
    """A paper shows its title under the pointer; one that docs/references.json lacks is an error."""
    papers = json.loads((DOCS / "references.json").read_text(encoding="utf-8"))
    return re.sub(
        r"\]\((https://arxiv\.org/abs/([\d.]+))\)",
        lambda paper: f"]({paper[1]} {json.dumps(papers[paper[2]]['title'], ensure_ascii=False)})",
        text,
    )


def used_names(code: str) -> list[str]:
    """What a lesson's code takes from this library, by name, in the order of its first use."""
    tree = ast.parse(re.sub(r"^%.*$", "", code, flags=re.M))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    ours = [
        alias
        for node in imports
        for alias in node.names
        if (node.module or "" if isinstance(node, ast.ImportFrom) else alias.name).startswith("rlsignal")
    ]
    modules = {alias.asname or alias.name for alias in ours}
    found = [alias.name for alias in ours]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node).split(".")[0] in modules:
            found.append(node.attr)
    return list(dict.fromkeys(found))


def hide_answers(app: Any, tree: nodes.document) -> None:
    """What follows a prediction, and every solution, waits for a click."""
    for paragraph in list(tree.findall(nodes.paragraph)):
        if paragraph.astext().startswith("Predict. "):
            after = paragraph.parent[paragraph.parent.index(paragraph) + 1 :]
            rest = [node for node in after if not isinstance(node, nodes.section)]
            if rest:
                _fold(rest, "My prediction is made: show the answer")
    for cell in list(tree.findall(nodes.container)):
        if "tag_solution" in cell.get("classes", ()):
            _fold([cell], "Show the solutions", "answer solutions")


def _fold(some: list[Any], words: str, kind: str = "answer") -> None:
    parent = some[0].parent
    opening = f'<details class="{kind}"><summary>{words}</summary>'
    parent.insert(parent.index(some[-1]) + 1, nodes.raw("", "</details>", format="html"))
    parent.insert(parent.index(some[0]), nodes.raw("", opening, format="html"))


def captions(app: Any, tree: nodes.document) -> None:
    """A picture that stands alone is a figure; its caption is an emphasised paragraph below it, or its alt text."""
    for image in list(tree.findall(nodes.image)):
        paragraph = image.parent
        if not isinstance(paragraph, nodes.paragraph) or len(paragraph.children) != 1:
            continue
        parent, at = paragraph.parent, paragraph.parent.index(paragraph)
        below = parent[at + 1] if at + 1 < len(parent) else None
        figure = nodes.figure("", image)
        if isinstance(below, nodes.paragraph) and isinstance(below[0], nodes.emphasis):
            parent.remove(below)
            figure += nodes.caption("", "", *(part.deepcopy() for part in below.children))
        else:
            figure += nodes.caption("", image["alt"])
        parent[at] = figure
        tree.set_id(figure)
