"""The reference: one page a package, written from the public names, so that none can be missing. Built by `make docs`.

Names stand by the question their module asks. A docstring's parts become parts of the page, and what it cites, labels
of formulas and other public names, becomes links.
"""

import ast
import importlib
import inspect
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from textwrap import fill
from types import ModuleType
from typing import Any

import rlsignal
from rlsignal import _show, estimators, exercises, inference, plots, sim, theory

ORDER = """
data diagnosis distributions recorded signal thresholds passk estimators frameworks filters rewards efficiency entropy
dynamics clock regularisation intervals evaluation population anchored plausible bounds pooling noise ranking sequential
proofs tabular meanfield starts sweep inversion tasks policies sft grpo ladder runner saving
"""
"""Modules by question: what do I have, how much signal, what follows, how sure is it, what happens."""
PACKAGES = (rlsignal, estimators, theory, inference, sim, plots, exercises)
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.M)
ITEM = re.compile(r"^(\w[\w, @.\[\]]*) : (.*)$")
LABEL = re.compile(r"(?<![\w`\[/#-])([A-Z]\d{1,2})(?![\w\]`])")


def build(folder: Path, labels: set[str]) -> dict[str, list[str]]:
    """Writes the pages; hands back which public names cite each label."""
    folder.mkdir(parents=True, exist_ok=True)
    places = _places()
    names = public_names()
    cited: dict[str, list[str]] = {}
    for name, thing in places.values():
        for label in set(LABEL.findall(_doc(thing, name))) & labels:
            cited.setdefault(label, []).append(name)
    writer = Writer(labels, names)
    index = ["# Reference", "", "Every public name: arguments, errors, source and an executed example.", ""]
    for module in PACKAGES:
        own = {}
        for name in module.__all__:
            if places[id(getattr(module, name))] is not None:
                own[name] = getattr(module, name)
                places[id(getattr(module, name))] = None  # documented where it is named first
        page = [f"# {module.__name__}", "", writer.text(_doc(module).split("\n>>>")[0]), ""]
        index += [f"- [{module.__name__}]({module.__name__}.md): " + ", ".join(f"[{n}](#ref-{n})" for n in own)]
        last = None
        for name, value in sorted(own.items(), key=lambda pair: (_rank(pair[1]), pair[0].lower())):
            home = _home(value)
            if home != last:
                page += [f"## {writer.escaped(_question(home))}" if home else "## Values", ""]
                last = home
            page += writer.entry(name, value)
        (folder / f"{module.__name__}.md").write_text("\n".join(page), encoding="utf-8")
    page = ["# Results", "", "What functions hand back; each prints, shows itself in a notebook, and can be saved.", ""]
    page += ["## By name", ""]
    for kind in sorted(_show.Result.kinds.values(), key=lambda kind: kind.__name__.lower()):
        if id(kind) not in places and kind.__module__.startswith("rlsignal"):
            page += writer.entry(kind.__name__, kind, called=False)
    (folder / "results.md").write_text("\n".join(page), encoding="utf-8")
    index += ["- [Results](results.md): what functions hand back.", "", "```{toctree}", ":hidden:", ""]
    index += [*(module.__name__ for module in PACKAGES), "results", "```", ""]
    (folder / "index.md").write_text("\n".join(index), encoding="utf-8")
    return cited


class Writer:
    """From docstrings to MyST. labels, names : what can be linked to."""

    def __init__(self, labels: set[str], names: set[str]) -> None:
        self.labels, self.names = labels, names

    def entry(self, name: str, value: Any, called: bool = True) -> list[str]:
        """A name and what its docstring says; for a class its methods too."""
        lines = [f"(ref-{name if called else f'result-{name}'})=", f"### {name}", ""]
        if called and (inspect.isroutine(value) or inspect.isclass(value)):
            lines += ["```python", fill(f"{name}{signature(value)}", 88, subsequent_indent="    "), "```", ""]
        lines += self.body(_doc(value, name))
        if inspect.isclass(value):
            for member, what in vars(value).items():
                doc = _doc(what)
                own = getattr(what, "__module__", "rlsignal").startswith("rlsignal")  # no default from elsewhere
                if not member.startswith("_") and doc and own:
                    shape = signature(getattr(value, member)) if inspect.isroutine(getattr(value, member)) else ""
                    lines += [f"#### {name}.{member}{self.escaped(shape)}", "", *self.body(doc)]
        return lines

    def body(self, doc: str) -> list[str]:
        """The sections of a docstring, each under its name."""
        first, *rest = SECTION.split(doc)
        lines: list[str] = []
        after: list[str] = []
        rest = ["", first, *rest]
        for title, text in zip(rest[::2], rest[1::2], strict=True):
            text, found, source = text.partition("\nSource: ")
            lines += [*([f"**{title}**", ""] if title else []), *self.blocks(text)]
            if found:
                after = ["**Source**", "", self.text(source.strip()), ""]
        return lines + after

    def blocks(self, text: str) -> list[str]:
        """Paragraphs, lists of fields and examples."""
        lines: list[str] = []
        for block in re.split(r"\n\s*\n", text.strip("\n")):
            if block.lstrip().startswith(">>>"):
                lines += ["```python", inspect.cleandoc(block), "```", ""]
                continue
            found = False
            for line in block.splitlines():
                item = ITEM.match(line)
                if item:
                    lines += [
                        *([] if found or not lines or not lines[-1] else [""]),
                        f"- `{item[1]}`: {self.text(item[2])}",
                    ]
                elif found and line.startswith("    "):
                    lines.append("  " + self.text(line.strip()))
                else:
                    lines.append(self.text(line.strip() if not re.match(r"\s*-\s", line) else line))
                found = found or bool(item)
            lines.append("")
        return lines

    def text(self, text: str) -> str:
        """Plain words with links: signs that mean something in Markdown are escaped, outside of `code`."""
        parts = re.split(r"(`[^`]*`|https?://\S+|arXiv \d{4}\.\d{5})", text)
        for i, part in enumerate(parts):
            if part.startswith("`") and i % 2:
                name = re.match(r"`(?:rlsignal\.|rl\.)?(?:\w+\.)??(\w+)(?:\.\w+)?(?:\(.*\))?`", part)
                parts[i] = f"[{part}](#ref-{name[1]})" if name and name[1] in self.names else part
            elif part.startswith("arXiv ") and i % 2:
                parts[i] = f"[{part}](https://arxiv.org/abs/{part[6:]})"
            elif i % 2 == 0:
                part = self.escaped(part).replace("docs/theory.md", "theory").replace("docs/", "")
                parts[i] = LABEL.sub(lambda m: f"[{m[1]}](#{m[1]})" if m[1] in self.labels else m[1], part)
        return "".join(parts)

    @staticmethod
    def escaped(text: str) -> str:
        return re.sub(r"([*_<>$|\[\]{}~\\])", r"\\\1", text)


def public_names() -> set[str]:
    """Every name that has an entry, and so the target #ref-NAME."""
    return {name for name, _ in _places().values()}


def _places() -> dict[int, Any]:
    """Of every public object the name under which it is documented: the one under which it is named first."""
    places: dict[int, Any] = {}
    for module in PACKAGES:
        for name in module.__all__:
            places.setdefault(id(getattr(module, name)), (name, getattr(module, name)))
    return places


def signature(value: Any) -> str:
    """The arguments, without their types: the docstring has these."""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    bare = [p.replace(annotation=p.empty) for p in found.parameters.values() if p.name != "self"]
    text = str(found.replace(parameters=bare, return_annotation=found.empty))
    return re.sub(r"<(?:function|class) '?(?:[\w.]*\.)?(\w+)'?[^>]*>", r"\1", text)


def _doc(thing: Any, name: str = "") -> str:
    """The docstring of a function, class or module; of a value, the string that stands below it in its source."""
    if inspect.isroutine(thing) or inspect.isclass(thing) or inspect.ismodule(thing) or isinstance(thing, property):
        return inspect.getdoc(thing) or ""
    return _values().get(name, "")


@cache
def _values() -> dict[str, str]:
    """The strings that stand below values, by the value's name."""
    found = {}
    for path in sorted(Path(rlsignal.__file__).parent.rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        for value, words in pairwise(body):
            if isinstance(value, ast.Assign) and isinstance(words, ast.Expr) and isinstance(words.value, ast.Constant):
                found[ast.unparse(value.targets[0])] = inspect.cleandoc(str(words.value.value))
    return found


def _home(thing: Any) -> ModuleType | None:
    name = getattr(thing, "__module__", None)
    return importlib.import_module(name) if name and name.startswith("rlsignal") else None


def _question(module: ModuleType) -> str:
    """What a module is about: the start of its docstring."""
    first = _doc(module).splitlines()[0]
    return re.split(r"[.:;] |[.:;]$| \(", re.sub(r"^Idea \d, ", "", first.replace("`", "")))[0].capitalize()


def _rank(thing: Any) -> tuple[int, str]:
    name = getattr(thing, "__module__", None) or "~"
    order = ORDER.split()
    places = [order.index(part) for part in name.split(".") if part in order]
    return (max(places, default=len(order)), name)
