"""Builds the lessons as pages that run in the browser, with JupyterLite: `make lite`.

python notebooks/lite.py [FOLDER]    # default docs/_build/lite

The folder is static and can be served by anything (`python -m http.server`). In it are JupyterLite, the lessons, this
library and the knobs; Pyodide with IPython, numpy, scipy, matplotlib, sympy and tqdm comes from cdn.jsdelivr.net when a
lesson is run. To serve it without a network, set PYODIDE to the archive of a full Pyodide release, and that lies in it
too.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from build import IN_THE_BROWSER

HERE = Path(__file__).parent
ROOT = HERE.parent
NOT_IN_PYODIDE = ("ipywidgets", "jupyterlab-widgets", "comm")
"""What a kernel would ask PyPI for; they lie in the folder."""
INSTALL = "# In a browser: this library, once.\n%pip install -q rlsignal ipywidgets"


def main() -> None:
    folder = Path(sys.argv[1] if sys.argv[1:] else ROOT / "docs" / "_build" / "lite").resolve()
    with tempfile.TemporaryDirectory() as work:
        contents, wheels = Path(work, "contents"), Path(work, "wheels")
        contents.mkdir()
        for name in IN_THE_BROWSER:
            jupytext.write(in_the_browser(HERE / f"{name}.py"), contents / f"{name}.ipynb", fmt="ipynb")
        pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels]
        subprocess.run([*pip, ROOT, *NOT_IN_PYODIDE], check=True)
        config = Path(work, "jupyter_lite_config.json")
        config.write_text(
            json.dumps({"PipliteAddon": {"piplite_urls": [str(wheel) for wheel in wheels.glob("*.whl")]}})
        )
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "jupyterlite_core", "build", "--contents", contents, "--output-dir", folder]
        command += ["--config", config, "--no-sourcemaps", "--lite-dir", work]
        command += ["--pyodide", os.environ["PYODIDE"]] if "PYODIDE" in os.environ else []
        subprocess.run(command, check=True, cwd=work)  # it leaves a file where it runs
    print(f"Serve it: {sys.executable} -m http.server -d {folder}")


def in_the_browser(source: Path) -> Any:
    """The lesson with this library installed first and without cells that need jax."""
    lesson = jupytext.read(source)
    cells = [cell for cell in lesson.cells if "jax" not in cell.metadata.get("tags", ())]
    for cell in cells:
        if cell.cell_type == "markdown":  # the pages of docs/ are not in the folder
            cell.source = re.sub(r"\[([^\]]+)\]\(\.\./docs/[^)]*\)", r"\1", cell.source)
        if "solution" in cell.metadata.get("tags", ()):
            cell.metadata["jupyter"] = {"source_hidden": True}
    install = nbformat.v4.new_code_cell(INSTALL)
    lesson.cells = [cells[0], install, *cells[1:]]
    lesson.metadata = {
        "kernelspec": {"display_name": "Python (Pyodide)", "language": "python", "name": "python"},
        "language_info": {"name": "python"},
    }
    return lesson


if __name__ == "__main__":
    main()
