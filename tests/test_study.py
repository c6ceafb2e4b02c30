"""What commands that simulate write, and that nothing is lost or taken away."""

import argparse
import json

import matplotlib.pyplot as plt
import numpy as np
import pytest

from rlsignal import Estimate, load
from rlsignal.commands.study import Report, run_study


def report(draw):
    return Report({"share": Estimate(0.5, 0.4, 0.6)}, "a share", {"share": 0.5}, {"share.png": draw}, [{"seed": 0}])


@pytest.fixture
def chosen(tmp_path):
    return argparse.Namespace(command="map", output=str(tmp_path / "out"), width=None, json=True, seed=0, dask=None)


def test_results_rows_and_picture_are_written(chosen, tmp_path, capsys):
    assert run_study(chosen, lambda runner: report(lambda: plt.subplots()[0])) == 0
    said = json.loads(capsys.readouterr().out)
    assert [path.rsplit("/", 1)[1] for path in said["files"]] == ["share.npz", "records.jsonl", "share.png"]
    assert load(said["files"][0]).value == 0.5


def test_a_run_is_not_lost_to_its_picture(chosen, tmp_path, capsys):
    def fail():
        raise TypeError("list indices must be integers\nor slices")

    assert run_study(chosen, lambda runner: report(fail)) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["share"] == 0.5
    assert printed.err.startswith(
        "rlsignal map: share.png could not be drawn (list indices must be integers or slices)"
    )
    assert printed.err.count("\n") == 1
    assert load(tmp_path / "out" / "share").value == 0.5


def test_what_a_user_keeps_in_blocks_stays(chosen, tmp_path):
    mine = tmp_path / "out" / "blocks"
    (mine / "chess").mkdir(parents=True)
    (mine / "chess" / "game.npz").write_text("mine")

    def study(runner):
        runner.store("a sweep", {"seed": "0"}).put(0, [np.arange(2)])
        return report(lambda: plt.subplots()[0])

    assert run_study(chosen, study) == 0
    assert [path.name for path in mine.rglob("*")] == ["chess", "game.npz"]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")
