"""The layers: which module may import which, and which may touch files, screens and generators.

The source is read, and nothing is imported, so the rules also hold for imports inside functions and under
TYPE_CHECKING. The table below is the whole architecture; everything else in this file makes sure that it bites.
"""

import ast
import subprocess
import sys
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "rlsignal"
ANYTHING = ("*",)


@dataclass(frozen=True)
class Layer:
    """What a module may import besides the standard library, and what it may not name even where imports allow it."""

    imports: tuple[str, ...]
    inside_functions: tuple[str, ...] = ()  # only there: loaded when asked for
    forbidden: tuple[str, ...] = ()  # dotted names, with everything below them
    files: bool = False  # may open files
    screen: bool = False  # may print


THEORY = ("numpy", "scipy", "rlsignal.theory", "rlsignal._show", "rlsignal._validate")
INFERENCE = (*THEORY, "rlsignal.inference")
RANDOM = ("scipy.stats", "numpy.random", "random", "secrets")
LAYERS = {  # the longest prefix decides
    "rlsignal._validate": Layer(("numpy",)),
    "rlsignal._show": Layer(("numpy",)),
    "rlsignal.theory": Layer(THEORY, inside_functions=("scipy.optimize",), forbidden=RANDOM),
    "rlsignal.estimators": Layer(("rlsignal.theory",)),
    "rlsignal.inference": Layer(INFERENCE, inside_functions=("scipy.optimize",), forbidden=RANDOM),
    "rlsignal.results": Layer(("numpy", "rlsignal.inference", "rlsignal._show")),
    "rlsignal.proofs": Layer(
        ("numpy", "rlsignal.theory", "rlsignal.inference", "rlsignal.proofs", "rlsignal._show", "rlsignal._validate")
    ),
    "rlsignal.exercises": Layer(("numpy", "rlsignal.theory", "rlsignal.proofs", "rlsignal._show")),
    "rlsignal.proofs.derivations": Layer(
        (*THEORY, "rlsignal.proofs.derivations", "sympy"),
        inside_functions=("scipy.optimize", "sympy"),
        forbidden=RANDOM,
    ),
    "rlsignal.data": Layer(
        ("numpy", "rlsignal.data", "rlsignal._show", "rlsignal._validate", "orjson"),
        inside_functions=("orjson",),
        forbidden=("rlsignal.data.read", "rlsignal.data.sources"),
    ),
    "rlsignal.data.read": Layer(("numpy", "rlsignal.data", "rlsignal._validate")),
    "rlsignal.data.sources": Layer(
        ("numpy", "rlsignal.data", "pyarrow", "zstandard", "compression", "tensorboard"),
        inside_functions=("pyarrow", "zstandard", "compression", "tensorboard"),
        files=True,
    ),
    "rlsignal.diagnosis": Layer((*INFERENCE, "rlsignal.diagnosis", "rlsignal.data"), forbidden=RANDOM),
    "rlsignal.integrations": Layer(("numpy", "rlsignal.diagnosis", "transformers")),
    "rlsignal.store": Layer(("numpy", "rlsignal.data", "rlsignal._show", "rlsignal._validate"), files=True),
    "rlsignal.saving": Layer(("numpy", "rlsignal.store", "rlsignal._show"), files=True),
    "rlsignal.plots": Layer(
        (*INFERENCE, "matplotlib", "rlsignal.plots", "rlsignal.results", "rlsignal.diagnosis"),
        forbidden=(
            *RANDOM,
            "matplotlib.use",
            "matplotlib.rc",
            "matplotlib.rcParams",
            "matplotlib.style.use",
            "matplotlib.pyplot.rc",
            "matplotlib.pyplot.rcParams",
            "matplotlib.pyplot.show",
            "matplotlib.pyplot.style.use",
            "matplotlib.pyplot.switch_backend",
        ),
    ),
    "rlsignal.sim": Layer(
        (*INFERENCE, "jax", "optax", "rlsignal.sim", "rlsignal.results"), forbidden=("jax.config.update", "jax.debug")
    ),
    "rlsignal.commands": Layer(ANYTHING, files=True, screen=True),
    "rlsignal.__main__": Layer(ANYTHING, files=True, screen=True),
    "rlsignal": Layer(
        (
            "rlsignal.theory",
            "rlsignal.estimators",
            "rlsignal.inference",
            "rlsignal.proofs",
            "rlsignal.results",
            "rlsignal.saving",
            "rlsignal.data",
            "rlsignal.diagnosis",
            "rlsignal.sim",
            "rlsignal.plots",
        ),
        inside_functions=("rlsignal.sim", "rlsignal.plots"),
    ),
}
PACKAGES = {name.split(".")[1] for name in LAYERS if "." in name}

OPENING = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "touch", "unlink", "mkdir", "tofile"}
OPENING_NUMPY = {"load", "save", "savez", "savez_compressed", "loadtxt", "savetxt", "genfromtxt", "fromfile", "memmap"}
BUILTINS = {"open", "print", "__import__"}
HIDDEN_IMPORTS = {"__import__", "importlib.import_module", "importlib.__import__"}


def layer_of(module):
    """The rules of a module, or an error that asks for them."""
    parts = module.split(".")
    for size in range(len(parts), 1, -1):
        if ".".join(parts[:size]) in LAYERS:
            return LAYERS[".".join(parts[:size])]
    if module == "rlsignal":
        return LAYERS[module]
    raise LookupError(
        f"{module} has no layer: give it one in LAYERS of tests/test_layers.py, and in docs/architecture.md"
    )


def below(name, roots):
    return any(name == root or name.startswith(root + ".") for root in roots)


class Use(NamedTuple):
    """A dotted name that the source imports or reaches through what it imported."""

    name: str
    line: int
    inside_function: bool
    imported: bool
    called: bool = False
    written: bool = False


class Reader(ast.NodeVisitor):
    """Collects the uses of one module; local names are followed back to what they were imported as."""

    def __init__(self, module, is_package):
        self.package = module if is_package else module.rpartition(".")[0]
        self.known, self.uses, self.depth = {}, [], 0

    def add(self, name, node, **how):
        self.uses.append(Use(name, node.lineno, self.depth > 0, **how))

    def visit_FunctionDef(self, node):
        for outside in (*node.decorator_list, node.args, *([node.returns] if node.returns else [])):
            self.visit(outside)
        self.depth += 1
        for statement in node.body:
            self.visit(statement)
        self.depth -= 1

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Import(self, node):
        for alias in node.names:
            self.add(alias.name, node, imported=True)
            self.known[alias.asname or alias.name.split(".")[0]] = (
                alias.name if alias.asname else alias.name.split(".")[0]
            )

    def visit_ImportFrom(self, node):
        base = node.module or ""
        if node.level:
            parts = self.package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
        for alias in node.names:
            whole = f"{base}.{alias.name}"
            inner = base == "rlsignal" and alias.name in PACKAGES
            self.add(whole if inner or base != "rlsignal" else base, node, imported=True)
            self.known[alias.asname or alias.name] = whole

    def dotted(self, node):
        """`np.random.default_rng` as numpy.random.default_rng; .path.open where it starts from a local name."""
        if isinstance(node, ast.Name):
            return self.known.get(node.id, node.id if node.id in BUILTINS else f".{node.id}")
        if isinstance(node, ast.Attribute):
            start = self.dotted(node.value)
            return f"{start}.{node.attr}" if start else f".{node.attr}"
        return None

    def visit_Attribute(self, node):
        self.add(self.dotted(node), node, imported=False, written=not isinstance(node.ctx, ast.Load))
        self.generic_visit(node)

    def visit_Name(self, node):
        if node.id in self.known or node.id in BUILTINS:  # `progress=print` prints as well
            self.add(self.known.get(node.id, node.id), node, imported=False, called=node.id in BUILTINS)

    def visit_Subscript(self, node):
        if not isinstance(node.ctx, ast.Load) and self.dotted(node.value):
            self.add(self.dotted(node.value), node, imported=False, written=True)
        self.generic_visit(node)

    def visit_Call(self, node):
        name = self.dotted(node.func)
        if name:
            self.add(name, node, imported=False, called=True)
        self.generic_visit(node)


def violations(module, source, is_package=False):
    """What the source of a module does that its layer forbids, one sentence each."""
    layer, reader = layer_of(module), Reader(module, is_package)
    reader.visit(ast.parse(source))
    said = []
    for use in reader.uses:
        top, last = use.name.split(".")[0], use.name.split(".")[-1]
        outside = top not in sys.stdlib_module_names
        if use.imported and outside and layer.imports != ANYTHING and not below(use.name, layer.imports):
            said.append((use.line, f"imports {use.name}; it may import {', '.join(layer.imports)}"))
        if use.imported and not use.inside_function and below(use.name, layer.inside_functions):
            said.append((use.line, f"imports {use.name} outside a function, where everybody pays for it"))
        if below(use.name, layer.forbidden):
            said.append((use.line, f"uses {use.name}"))
        if use.called and not layer.screen and (use.name == "print" or below(use.name, ("sys.stdout", "sys.stderr"))):
            said.append((use.line, "prints; only __main__ does"))
        numpy_file = top == "numpy" and last in OPENING_NUMPY
        if use.called and not layer.files and (last in OPENING or numpy_file):
            said.append((use.line, f"opens a file with {use.name.lstrip('.')}; only files, reading and __main__ do"))
        if use.called and layer.imports != ANYTHING and use.name in HIDDEN_IMPORTS:
            said.append((use.line, f"hides an import behind {use.name}"))
        if use.written and below(use.name, ("jax.config", "matplotlib.rcParams", "matplotlib.pyplot.rcParams")):
            said.append((use.line, f"changes {use.name}, which belongs to the user"))
        if use.called and below(module, ["rlsignal.plots"]) and last == "show":
            said.append((use.line, "shows a figure; it returns Axes instead"))
    return [f"{module}:{line} {sentence}." for line, sentence in sorted(set(said))]


def modules():
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield ".".join(parts[:-1] if is_package else parts), path, is_package


@pytest.mark.parametrize(("module", "path", "is_package"), list(modules()), ids=[module for module, _, _ in modules()])
def test_every_module_stays_in_its_layer(module, path, is_package):
    assert violations(module, path.read_text(encoding="utf-8"), is_package) == []


def test_the_walk_finds_the_library():
    """An empty walk would pass everything."""
    found = {module for module, _, _ in modules()}
    assert {"rlsignal", "rlsignal._validate", "rlsignal.theory", "rlsignal.theory.signal"} <= found


RANKS = (
    ("_validate", "_show"),
    ("theory", "data"),
    ("inference", "estimators"),
    ("results", "proofs"),
    ("diagnosis", "sim", "exercises"),
    ("plots", "store", "integrations"),
    ("saving",),
)
"""From the bottom up; `__init__` and `commands` stand above all."""


def upward(layers):
    """Every permission to import from one's own rank or from above it, other than from oneself."""
    rank = {f"rlsignal.{name}": i for i, names in enumerate(RANKS) for name in names}
    arrows = (
        (module, target, ".".join(module.split(".")[:2]), ".".join(target.split(".")[:2]))
        for module, layer in layers.items()
        for target in layer.imports
    )
    return [
        (module, target)
        for module, target, here, there in arrows
        if here in rank and there in rank and here != there and rank[there] >= rank[here]
    ]


def circles(graph):
    """The modules of an import circle, empty if there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def imported_at_load(module, source, is_package, known):
    """The modules of the library that loading this one loads; packages count as the modules that they name."""
    reader = Reader(module, is_package)
    reader.visit(ast.parse(source))
    names = (use.name for use in reader.uses if use.imported and not use.inside_function)
    return {x if x in known else x.rpartition(".")[0] for x in names if x.startswith("rlsignal.")} & known - {module}


class TestTheWhole:
    def test_no_permission_points_up(self):
        assert upward(LAYERS) == []

    def test_one_that_does_is_seen(self):
        assert upward({"rlsignal.theory": Layer(("numpy", "rlsignal.inference"))}) == [
            ("rlsignal.theory", "rlsignal.inference")
        ]
        assert upward({"rlsignal.sim": Layer(("rlsignal.diagnosis",))}) != []

    def test_every_ranked_name_is_in_the_table(self):
        assert {name.split(".")[1] for name in LAYERS if "." in name} == {
            *(name for names in RANKS for name in names),
            "commands",
            "__main__",
        }

    def test_no_import_circle(self):
        known = {module for module, _, _ in modules()} - {"rlsignal"}
        graph = {
            module: imported_at_load(module, path.read_text(encoding="utf-8"), is_package, known)
            for module, path, is_package in modules()
            if module != "rlsignal"
        }
        assert sum(map(len, graph.values())) > 100
        assert circles(graph) == []

    def test_a_circle_is_seen(self):
        known = {"rlsignal.theory", "rlsignal.data"}
        sources = {"rlsignal.theory": "from rlsignal import data", "rlsignal.data": "from rlsignal.theory import Beta"}
        graph = {name: imported_at_load(name, source, False, known) for name, source in sources.items()}
        assert set(circles(graph)) == known


class TestItBites:
    """One deliberately bad line for every rule, in every layer that has it."""

    @pytest.mark.parametrize(
        ("module", "source", "said"),
        [
            # imports, in every spelling
            ("rlsignal.theory.signal", "import jax", "imports jax"),
            ("rlsignal.theory.signal", "import jax.numpy as jnp", "imports jax.numpy"),
            ("rlsignal.theory.signal", "from jax import numpy as np", "imports jax.numpy"),
            ("rlsignal.theory.signal", "def f():\n    import matplotlib.pyplot as plt", "imports matplotlib.pyplot"),
            ("rlsignal.theory.signal", "if TYPE_CHECKING:\n    from jax import Array", "imports jax.Array"),
            ("rlsignal.theory.signal", "try:\n    import numba\nexcept ImportError:\n    pass", "imports numba"),
            ("rlsignal.theory.signal", "class A:\n    import pandas", "imports pandas"),
            ("rlsignal.theory.signal", "from rlsignal.results import Check", "imports rlsignal.results.Check"),
            ("rlsignal.theory.signal", "from rlsignal import results", "imports rlsignal.results"),
            ("rlsignal.theory.signal", "from rlsignal import GRPO", "imports rlsignal;"),
            ("rlsignal.theory.signal", "import rlsignal", "imports rlsignal;"),
            ("rlsignal.theory.signal", "from .. import sim", "imports rlsignal.sim"),
            ("rlsignal.theory.signal", "from ..sim.tabular import Recipe", "imports rlsignal.sim.tabular.Recipe"),
            ("rlsignal.theory.signal", "import importlib\nimportlib.import_module('jax')", "hides an import"),
            ("rlsignal.theory.signal", "__import__('jax')", "hides an import"),
            ("rlsignal._validate", "import scipy", "imports scipy"),
            ("rlsignal._validate", "from rlsignal.theory import signal", "imports rlsignal.theory.signal"),
            ("rlsignal.results", "from rlsignal.theory.signal import advantage_variance", "imports rlsignal.theory"),
            ("rlsignal.proofs.verify", "from rlsignal import sim", "imports rlsignal.sim"),
            ("rlsignal.proofs.verify", "import scipy.stats", "imports scipy.stats"),
            ("rlsignal.diagnosis", "from rlsignal.store import save", "imports rlsignal.store.save"),
            ("rlsignal.store", "from rlsignal.theory import Recorded", "imports rlsignal.theory.Recorded"),
            ("rlsignal.data", "from rlsignal.data.read import read", "uses rlsignal.data.read.read"),
            ("rlsignal.data.counts", "from rlsignal.theory import Recorded", "imports rlsignal.theory.Recorded"),
            ("rlsignal.data.syntax", "import orjson", "outside a function"),
            ("rlsignal.data.sources", "import pandas", "imports pandas"),
            ("rlsignal.data.sources", "import pyarrow", "outside a function"),
            ("rlsignal.data.read", "print('read')", "prints"),
            ("rlsignal.plots", "from rlsignal.sim import sweep", "imports rlsignal.sim.sweep"),
            ("rlsignal.plots", "import jax", "imports jax"),
            ("rlsignal.sim.tabular", "import matplotlib", "imports matplotlib"),
            ("rlsignal.sim.tabular", "import tqdm", "imports tqdm"),
            ("rlsignal.sim.tabular", "from rlsignal import plots", "imports rlsignal.plots"),
            ("rlsignal.sim", "from rlsignal.proofs.verify import verify", "imports rlsignal.proofs.verify.verify"),
            ("rlsignal", "from rlsignal import sim", "imports rlsignal.sim"),
            ("rlsignal", "from rlsignal.plots import plot_map", "imports rlsignal.plots.plot_map"),
            ("rlsignal", "import numpy", "imports numpy"),
            # what the imports would allow
            ("rlsignal.theory.signal", "from scipy import stats", "uses scipy.stats"),
            ("rlsignal.theory.signal", "from scipy.stats import binom", "uses scipy.stats.binom"),
            ("rlsignal.theory.signal", "import scipy\nscipy.stats.norm", "uses scipy.stats"),
            ("rlsignal.theory.signal", "import numpy as np\nnp.random.default_rng(0)", "uses numpy.random.default_rng"),
            ("rlsignal.theory.signal", "from numpy import random as dice", "uses numpy.random"),
            ("rlsignal.theory.signal", "from numpy.random import default_rng", "uses numpy.random.default_rng"),
            ("rlsignal.theory.signal", "def f():\n    import random", "uses random"),
            ("rlsignal.proofs.derivations", "import random", "uses random"),
            ("rlsignal.plots", "import matplotlib.pyplot as plt\nplt.show()", "uses matplotlib.pyplot.show"),
            ("rlsignal.plots", "def f(ax):\n    ax.figure.show()", "shows a figure"),
            ("rlsignal.plots", "import matplotlib as mpl\nmpl.rcParams['font.size'] = 9", "uses matplotlib.rcParams"),
            ("rlsignal.plots", "from matplotlib.pyplot import rcParams", "uses matplotlib.pyplot.rcParams"),
            ("rlsignal.plots", "import matplotlib\nmatplotlib.use('Agg')", "uses matplotlib.use"),
            ("rlsignal.plots", "import matplotlib.pyplot as p\np.style.use('x')", "uses matplotlib.pyplot.style.use"),
            ("rlsignal.sim.grpo", "import jax\njax.config.update('jax_enable_x64', True)", "uses jax.config.update"),
            ("rlsignal.sim.grpo", "from jax import config\nconfig.update('a', 1)", "uses jax.config.update"),
            ("rlsignal.sim.grpo", "import jax\njax.config.jax_enable_x64 = True", "changes jax.config"),
            # laziness
            ("rlsignal.theory.signal", "from scipy.optimize import brentq", "outside a function"),
            ("rlsignal.proofs.derivations", "import sympy", "outside a function"),
            ("rlsignal.proofs.derivations", "class A:\n    from sympy import Symbol", "outside a function"),
            ("rlsignal.proofs.derivations", "if TYPE_CHECKING:\n    import sympy", "outside a function"),
            ("rlsignal.theory.signal", "def f():\n    import sympy", "imports sympy"),
            # files and screens
            ("rlsignal.theory.signal", "open('x')", "opens a file with open"),
            ("rlsignal.theory.signal", "import io\nio.open('x')", "opens a file with io.open"),
            ("rlsignal.theory.signal", "from pathlib import Path\nPath('x').read_text()", "opens a file with"),
            ("rlsignal.theory.signal", "def f(path):\n    return path.open()", "opens a file with path.open"),
            ("rlsignal.theory.signal", "import numpy as np\nnp.load('x')", "opens a file with numpy.load"),
            ("rlsignal.theory.signal", "from numpy import savez as keep\nkeep('x')", "opens a file with numpy.savez"),
            ("rlsignal.data", "def f(path):\n    with open(path) as rows:\n        pass", "opens a file with open"),
            ("rlsignal.sim.sweep", "def f(path):\n    open(path, 'wb')", "opens a file with open"),
            ("rlsignal.plots", "def f(path):\n    path.write_bytes(b'')", "opens a file with path.write_bytes"),
            ("rlsignal.sim.sweep", "def f():\n    print('step')", "prints"),
            ("rlsignal.sim.sweep", "def f(progress=print):\n    pass", "prints"),
            ("rlsignal.sim.sweep", "import jax\njax.debug.print('x')", "uses jax.debug.print"),
            ("rlsignal.store", "print('saved')", "prints"),
            ("rlsignal.proofs.verify", "import sys\nsys.stdout.write('x')", "prints"),
            ("rlsignal.proofs.verify", "from sys import stderr as e\ne.write('x')", "prints"),
        ],
        ids=lambda x: x.replace("\n", "; "),
    )
    def test_on(self, module, source, said):
        assert any(said in sentence for sentence in violations(module, source, module == "rlsignal"))

    @pytest.mark.parametrize(
        ("module", "source"),
        [
            ("rlsignal.theory.signal", "import numpy as np\nfrom rlsignal import _validate\nfrom . import passk"),
            ("rlsignal.theory.signal", "def f():\n    from scipy.optimize import brentq\n    return brentq"),
            ("rlsignal.proofs.derivations", "def f():\n    import sympy\n    return sympy.Symbol('p')"),
            ("rlsignal.theory.signal", "def f(random, stats):\n    return random.choice(stats.norm)"),  # its arguments
            ("rlsignal.theory.signal", "'''open() and print() in words'''\nimport json, functools"),
            ("rlsignal.store", "import numpy as np\nopen('x')\nnp.savez('x')"),
            ("rlsignal.data.sources", "def f():\n    import pyarrow\n    return open('x')"),
            ("rlsignal.proofs.verify", "import numpy as np\nnp.random.default_rng(0)"),
            ("rlsignal.sim.sweep", "import jax\nx64 = jax.config.jax_enable_x64\nstore.save(jax.random.key(0))"),
            ("rlsignal.plots", "import matplotlib.pyplot as plt\nplt.subplots()"),
            ("rlsignal.__main__", "import tqdm, jax, matplotlib\nfrom rlsignal import sim, plots\nprint(open('x'))"),
            ("rlsignal", "from rlsignal.theory.signal import advantage_variance\nfrom rlsignal.saving import load"),
        ],
        ids=lambda x: x.replace("\n", "; "),
    )
    def test_only_on_what_is_wrong(self, module, source):
        assert violations(module, source, module == "rlsignal") == []

    def test_on_a_module_nobody_thought_of(self):
        with pytest.raises(LookupError, match=r"^rlsignal\.utils has no layer: give it one"):
            violations("rlsignal.utils", "")

    def test_sentences_say_where(self):
        source = "import numpy as np\n\n\ndef f():\n    import jax\n"
        assert violations("rlsignal._show", source) == ["rlsignal._show:5 imports jax; it may import numpy."]


def test_importing_the_library_loads_nothing_heavy():
    """What it takes beyond numpy and scipy.special is what every reader of a figure waits for."""
    heavy = ("jax", "jaxlib", "optax", "matplotlib", "sympy", "tqdm", "mpmath", "scipy.stats", "scipy.optimize")
    code = f"import sys, rlsignal; print(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.split() == []
