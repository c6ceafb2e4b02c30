"""Each lesson is a source and what became of it when it ran; the two stay a pair, and the lessons keep their form."""

import json
import re
import sys
import types
from pathlib import Path

import jupytext
import matplotlib.pyplot as plt
import pytest

import rlsignal
from rlsignal import plots
from rlsignal.exercises import EXERCISES

LESSONS = sorted((Path(__file__).parents[1] / "notebooks").glob("[0-9]*.py"))

every_lesson = pytest.mark.parametrize("source", LESSONS, ids=lambda path: path.stem)


def executed(source):
    return json.loads(source.with_suffix(".ipynb").read_text(encoding="utf-8"))


def is_slider(cell):
    return "slider" in cell["metadata"].get("tags", ())


def test_there_are_nine_in_order():
    assert [path.stem[:3] for path in LESSONS] == [f"{i:02d}_" for i in range(9)]


@every_lesson
def test_the_executed_notebook_is_of_this_source(source):
    wanted = [(cell.cell_type, cell.source) for cell in jupytext.read(source).cells]
    found = [(cell["cell_type"], "".join(cell["source"])) for cell in executed(source)["cells"]]
    assert found == wanted, "run: make notebooks"


@every_lesson
def test_every_cell_ran_in_order_and_none_failed(source):
    cells = [cell for cell in executed(source)["cells"] if cell["cell_type"] == "code" and not is_slider(cell)]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert "error" not in kinds
    assert any("image/png" in output.get("data", {}) for cell in cells for output in cell["outputs"])


@every_lesson
def test_a_lesson_asks_predicts_and_ends_with_solutions(source):
    notebook = jupytext.read(source)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert "**Question.**" in text
    assert "**Predict.**" in text
    assert "## Exercises" in text
    assert "**Open.**" in text
    assert notebook.cells[-1].metadata["tags"] == ["solution"]
    assert "assert " in notebook.cells[-1].source or "print(" in notebook.cells[-1].source


@every_lesson
def test_every_exercise_is_asked_and_solved(source):
    own = {name for name in EXERCISES if name[0] == source.stem[1]}
    cells = jupytext.read(source).cells
    asked = [cell.source for cell in cells if "answer" in cell.metadata.get("tags", ())]
    assert {re.search(r'check\("(\d\.\d)", \.\.\.\)', source)[1] for source in asked if "def " not in source} <= own
    assert own == {name for source in asked for name in re.findall(r'check\("([\d.]+)"', source)}
    assert own == set(re.findall(r'assert check\("([\d.]+)", .*\)\.verdict == "right"', cells[-1].source))


@every_lesson
def test_solutions_wait_to_be_opened(source):
    assert executed(source)["cells"][-1]["metadata"]["jupyter"] == {"source_hidden": True, "outputs_hidden": True}


@every_lesson
def test_every_picture_has_a_caption_and_every_link_an_end(source):
    for cell in executed(source)["cells"]:
        if any({"image/png", "image/gif"} & set(output.get("data", {})) for output in cell.get("outputs", ())):
            assert re.match(r"# \S.{20,}[.]\n", "".join(cell["source"])), "its first line is its caption"
    for link in re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", source.read_text(encoding="utf-8").replace(".ipynb", ".py")):
        assert link.startswith("https://") or (source.parent / link).exists(), link


def test_sliders_draw_at_both_ends_of_every_knob(monkeypatch):
    drawn = []

    def interact(draw, **knobs):
        for end in (0, 1):
            drawn.append(draw(**{name: knob[end] for name, knob in knobs.items()}))

    monkeypatch.setitem(sys.modules, "ipywidgets", types.SimpleNamespace(interact=interact))
    for source in LESSONS:
        for cell in jupytext.read(source).cells:
            if is_slider(cell):
                exec(cell.source, {"rl": rlsignal, "plots": plots})
    plt.close("all")
    assert len(drawn) == 6
    assert all(ax.get_ylabel() for ax in drawn)


@every_lesson
def test_nothing_of_the_machine_is_kept(source):
    notebook = executed(source)
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    text = source.with_suffix(".ipynb").read_text(encoding="utf-8")
    assert not re.search(r"/(home|root|work|tmp|usr)/", text)
    assert not re.search(r"\b0x[0-9a-f]{6,}", text), "an address in memory changes at every run"
    for cell in notebook["cells"]:
        streams = [x["name"] for x in cell.get("outputs", ()) if x["output_type"] == "stream"]
        assert len(streams) == len(set(streams)), "what is printed stands in one piece"
    assert len(text) < 600_000
