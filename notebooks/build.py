"""Runs the lessons and writes each executed notebook beside its source: `make notebooks`, or names of lessons.

The source is the .py file (jupytext's percent format); the .ipynb is what it becomes, with its pictures. A lesson runs
again only where it or the library has changed since it last ran here; `--all` runs every one.
"""

import argparse
import hashlib
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import jupytext
from nbclient import NotebookClient

HERE = Path(__file__).parent
STAMPS = Path(sys.prefix) / "lessons"
"""What each lesson was made from; it goes with the environment that made it."""

IN_THE_BROWSER = (
    "00_coins_and_policies",
    "01_one_group",
    "02_degenerate_groups",
    "03_prompts_differ",
    "04_what_estimators_optimise",
    "06_flow_and_sampling",
    "08_your_own_evaluation",
)
"""Lessons that run without jax, apart from cells with the tag jax."""

LONG = 60
"""Seconds after which a lesson is named as long: a class waits for it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="LESSON")
    parser.add_argument("--all", action="store_true", help="run also what has not changed")
    chosen = parser.parse_args()
    STAMPS.mkdir(exist_ok=True)
    for name in chosen.names or [path.stem for path in sorted(HERE.glob("[0-9]*.py"))]:
        stamp, made_from = STAMPS / name, digest(name)
        if not chosen.all and (HERE / f"{name}.ipynb").exists() and stamp.exists() and stamp.read_text() == made_from:
            print(f"{name}: as it was")
            continue
        tick = perf_counter()
        run(name)
        stamp.write_text(made_from)
        seconds = perf_counter() - tick
        print(f"{name}: {seconds:.0f} s{', long for a lesson' if seconds > LONG else ''}")


def run(name: str) -> None:
    """Execute one lesson and write its notebook; knobs wait for a hand and are skipped."""
    notebook = jupytext.read(HERE / f"{name}.py")
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{name}-{number}".replace("_", "-")
    client = NotebookClient(
        notebook, timeout=None, kernel_name="python3", record_timing=False, skip_cells_with_tag="slider"
    )
    client.execute(cwd=str(HERE))
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "solution" in cell.metadata.get("tags", ()):  # closed until somebody opens it
            cell.metadata["jupyter"] = {"source_hidden": True, "outputs_hidden": True}
        if cell.cell_type == "code":
            cell.outputs = merged(cell.outputs)
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    jupytext.write(notebook, HERE / f"{name}.ipynb", fmt="ipynb")


def merged(outputs: list[Any]) -> list[Any]:
    """What was printed in one piece: how a stream is cut into messages depends on the clock."""
    whole: list[Any] = []
    for output in outputs:
        last = whole[-1] if whole else {}
        if output["output_type"] == last.get("output_type") == "stream" and output["name"] == last["name"]:
            last["text"] += output["text"]
        else:
            whole.append(output)
    return whole


def digest(name: str) -> str:
    """Of the lesson's source and of the library's."""
    parts = [HERE / f"{name}.py", Path(__file__), *sorted((HERE.parent / "rlsignal").rglob("*.py"))]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


if __name__ == "__main__":
    main()
