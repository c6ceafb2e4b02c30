"""What is saved is loaded again, whole; what is not is said to be so, and nothing is left half written."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from rlsignal import load, save, store, verify
from rlsignal.results import Control, Face, InversionMap


def same(one, two):
    if isinstance(one, np.ndarray):
        return np.array_equal(one, two, equal_nan=True) and one.dtype == two.dtype
    if isinstance(one, tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, Face | Control | InversionMap):
        return type(one) is type(two) and all(same(getattr(one, f.name), getattr(two, f.name)) for f in fields(one))
    return one == two or (one != one and two != two)


@pytest.mark.parametrize("suffix", ["", ".npz", ".json"])
def test_a_map_comes_back(small_map, tmp_path, suffix):
    save(small_map, tmp_path / "new" / "folder" / "map")
    assert same(small_map, load(tmp_path / "new" / "folder" / f"map{suffix}"))


def test_a_dot_in_the_name_is_no_suffix(small_map, tmp_path):
    written = save(small_map, tmp_path / "map.v1.2")
    assert [path.name for path in written] == ["map.v1.2.npz", "map.v1.2.json"]
    assert same(small_map, load(tmp_path / "map.v1.2"))


def test_a_verification_comes_back(tmp_path):
    result = verify(groups=100_000)
    save(result, tmp_path / "checked")
    assert load(tmp_path / "checked") == result


def test_the_sidecar_says_where_it_came_from(small_map, tmp_path):
    save(small_map, tmp_path / "map", provenance={"device": "toaster"})
    provenance = json.loads((tmp_path / "map.json").read_text())["provenance"]
    assert provenance["device"] == "toaster"
    assert {"rlsignal", "numpy", "jax"} <= provenance["versions"].keys()
    assert provenance["command"]


def test_a_saved_map_plots_without_jax(small_map, tmp_path):
    save(small_map, tmp_path / "map")
    code = (
        "import sys; sys.modules['jax'] = None; import matplotlib; matplotlib.use('Agg'); import rlsignal; "
        f"from rlsignal import plots; plots.plot_map(rlsignal.load({str(tmp_path / 'map')!r})).savefig("
        f"{str(tmp_path / 'map.png')!r})"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    assert (tmp_path / "map.png").stat().st_size > 10_000


def test_half_a_result_is_named(small_map, tmp_path):
    save(small_map, tmp_path / "map")
    (tmp_path / "map.npz").unlink()
    with pytest.raises(FileNotFoundError, match=r"path must name a saved result, .*map\.npz is missing beside it\."):
        load(tmp_path / "map")


@pytest.mark.parametrize("part", ["map.npz", "map.json"])
@pytest.mark.parametrize("keep", [0, 100])
def test_a_damaged_file_is_named(small_map, tmp_path, part, keep):
    save(small_map, tmp_path / "map")
    file = tmp_path / part
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(ValueError, match=r"^path must name a result saved by rlsignal .* Make it again\.$"):
        load(tmp_path / "map")


def test_pickles_are_never_loaded(small_map, tmp_path):
    save(small_map, tmp_path / "map")
    old = hashlib.sha256((tmp_path / "map.npz").read_bytes()).hexdigest()
    np.savez(tmp_path / "map.npz", **{"sharpening.rows": np.array([{}], dtype=object)})
    new = hashlib.sha256((tmp_path / "map.npz").read_bytes()).hexdigest()
    (tmp_path / "map.json").write_text((tmp_path / "map.json").read_text().replace(old, new))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load(tmp_path / "map")


def test_arrays_of_another_result_are_refused(small_map, tmp_path):
    """As after a kill between the two renames of a second save."""
    save(small_map, tmp_path / "old")
    save(replace(small_map, seed=1, least=0.5, inverted_share=small_map.inverted_share + 1), tmp_path / "new")
    (tmp_path / "new.npz").rename(tmp_path / "old.npz")
    with pytest.raises(ValueError, match=r"old\.npz and old\.json were not written together"):
        load(tmp_path / "old")


def test_only_result_types_are_made(small_map, tmp_path):
    save(small_map, tmp_path / "map")
    text = (tmp_path / "map.json").read_text().replace('"InversionMap"', '"Path"')
    (tmp_path / "map.json").write_text(text)
    with pytest.raises(ValueError, match="no result type 'Path'"):
        load(tmp_path / "map")


def test_only_results_are_saved(tmp_path):
    with pytest.raises(ValueError, match=r"^result must be one of .*InversionMap.*, got dict\."):
        save({}, tmp_path / "map")


def test_a_folder_that_cannot_be_written_is_named(small_map, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"^output must be a folder that can be written, got .* Choose another\.$"):
        save(small_map, tmp_path / "file" / "map")


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "kept"
    path.write_text("old")

    def fail(file):
        file.write(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.write_atomically(path, fail)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["kept"]
