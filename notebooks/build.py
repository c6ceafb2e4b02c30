"""Runs every lesson and writes the executed notebook beside its source: `make notebooks`, or names of lessons.

The source is the .py file (jupytext's percent format); the .ipynb is what it becomes, with its pictures.
"""

import sys
from pathlib import Path
from time import perf_counter

import jupytext
from nbclient import NotebookClient

HERE = Path(__file__).parent
LIMIT = 60
"""Seconds a lesson may take."""


def main() -> None:
    names = sys.argv[1:] or [path.stem for path in sorted(HERE.glob("[0-9]*.py"))]
    for name in names:
        tick = perf_counter()
        notebook = jupytext.read(HERE / f"{name}.py")
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"{name}-{number}".replace("_", "-")
        options = {"timeout": LIMIT, "kernel_name": "python3", "record_timing": False}
        NotebookClient(notebook, **options, skip_cells_with_tag="slider").execute(cwd=str(HERE))  # a knob needs a hand
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
        notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
        jupytext.write(notebook, HERE / f"{name}.ipynb", fmt="ipynb")
        seconds = perf_counter() - tick
        print(f"{name}: {seconds:.0f} s")
        if seconds > LIMIT:
            sys.exit(f"{name} took {seconds:.0f} s; a lesson may take {LIMIT}.")


if __name__ == "__main__":
    main()
