"""Files are written whole or not at all, and never over what is not theirs."""

import os
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rlsignal import read
from rlsignal.store import (
    BlockFolder,
    BlockStore,
    alone_in,
    check_outputs,
    save_counts,
    writable_folder,
    write_atomically,
)


def hello(file):
    file.write(b"hello")


class TestAtomicWrites:
    def test_a_failed_write_leaves_the_old_file(self, tmp_path):
        path = tmp_path / "kept"
        path.write_text("old")

        def fail(file):
            file.write(b"half")
            raise OSError("disk full")

        with pytest.raises(OSError, match="disk full"):
            write_atomically(path, fail)
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["kept"]

    def test_a_failed_rename_leaves_nothing(self, tmp_path, monkeypatch):
        monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("no rename")))
        with pytest.raises(OSError, match="no rename"):
            write_atomically(tmp_path / "new", hello)
        assert os.listdir(tmp_path) == []

    def test_links_are_followed(self, tmp_path):
        (tmp_path / "real").write_text("old")
        (tmp_path / "link").symlink_to("real")
        write_atomically(tmp_path / "link", hello)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real").read_text() == "hello"

    def test_a_dangling_link_makes_its_target(self, tmp_path):
        (tmp_path / "link").symlink_to("later")
        write_atomically(tmp_path / "link", hello)
        assert (tmp_path / "later").read_text() == "hello"

    @pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
    def test_the_umask_decides_who_may_read(self, tmp_path, umask, mode):
        before = os.umask(umask)
        try:
            write_atomically(tmp_path / "new", hello)
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == mode

    def test_a_file_that_is_replaced_keeps_its_permissions(self, tmp_path):
        (tmp_path / "old").write_text("")
        (tmp_path / "old").chmod(0o640)
        write_atomically(tmp_path / "old", hello)
        assert stat.S_IMODE((tmp_path / "old").stat().st_mode) == 0o640

    @pytest.mark.parametrize("kind", ["a pipe", "a folder", "a device"])
    def test_what_is_no_file_stays(self, tmp_path, kind):
        path = tmp_path / "it"
        {"a pipe": lambda: os.mkfifo(path), "a folder": path.mkdir, "a device": lambda: path.symlink_to("/dev/null")}[
            kind
        ]()
        with pytest.raises(OSError, match=rf"^output must be a regular file or a new one, got '.*it', which is {kind}"):
            write_atomically(path, hello)
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


class TestOutputs:
    def test_the_input_is_never_an_output(self, tmp_path):
        data = tmp_path / "data.jsonl"
        data.write_text("{}")
        (tmp_path / "link").symlink_to("data.jsonl")
        for path in (data, tmp_path / "link", tmp_path / "x" / ".." / "data.jsonl"):
            with pytest.raises(
                ValueError, match=r"^--counts must be a file of its own, got '.*', which is the input\.$"
            ):
                check_outputs({"--html": None, "--counts": path}, [data])

    def test_two_outputs_are_two_files(self, tmp_path):
        with pytest.raises(
            ValueError, match=r"^--counts must be a file of its own, .* which is the output of --html\.$"
        ):
            check_outputs({"--html": tmp_path / "x", "--counts": f"{tmp_path}/./x"})

    def test_an_empty_path_is_asked_about(self):
        with pytest.raises(ValueError, match=r"^--html must name a file, got ''\. Leave it out, or give a path\.$"):
            check_outputs({"--html": ""})

    def test_devices_and_folders_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"^--html must be a regular file or a new one, .* which is a device\.$"):
            check_outputs({"--html": "/dev/null"})
        with pytest.raises(ValueError, match=r"which is a folder\.$"):
            check_outputs({"--html": tmp_path})

    def test_what_is_fine_passes(self, tmp_path):
        (tmp_path / "old").write_text("")
        check_outputs({"--html": tmp_path / "new", "--counts": tmp_path / "old"}, [tmp_path / "data"])


@pytest.mark.skipif(sys.platform == "win32", reason="no locks there")
def test_of_two_runs_in_a_folder_the_second_is_refused(tmp_path):
    with (
        alone_in(tmp_path),
        pytest.raises(OSError, match=r"^output must be a folder that no other run writes to, got '.*'\. Wait until"),
        alone_in(tmp_path),
    ):
        pass
    with alone_in(tmp_path):
        assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"^output must be in a folder that can be written, got .* Choose another\.$"):
        writable_folder(tmp_path / "file" / "folder")


def test_counts_are_written_as_lines(tmp_path):
    rows = [{"prompt": "a", "reward": x, "step": 3, "checkpoint": "c"} for x in (0, 1, 1)]
    text = save_counts(read(rows), tmp_path / "new" / "counts.jsonl").read_text()
    assert text == '{"id": "a", "c": 2, "n": 3, "checkpoint": "c", "step": 3.0}\n'


class TestBlocks:
    def test_of_two_recipes_that_start_at_once_one_is_accepted(self, tmp_path):
        def start(folder, recipe, barrier):
            barrier.wait()
            try:
                BlockStore(folder, {"seed": str(recipe)})
            except ValueError as error:
                return str(error)
            return "accepted"

        with ThreadPoolExecutor(2) as pool:
            for attempt in range(100):
                barrier, folder = threading.Barrier(2), tmp_path / str(attempt)
                first, second = sorted(pool.map(start, (folder,) * 2, (0, 1), (barrier,) * 2), reverse=True)
                assert first == "accepted"
                assert "holds blocks of another recipe (seed differ)" in second
                assert os.listdir(folder) == ["recipe.json"]

    def test_a_block_of_another_recipe_is_no_block(self, tmp_path):
        BlockStore(tmp_path / "a", {"seed": "0"}).put(0, [np.arange(3)])
        kept = BlockStore(tmp_path / "b", {"seed": "1"})
        os.replace(tmp_path / "a" / "block-000000.npz", tmp_path / "b" / "block-000000.npz")
        assert kept.get(0) is None

    def test_a_block_in_the_place_of_another_is_no_block(self, tmp_path):
        kept = BlockStore(tmp_path, {"seed": "0"})
        kept.put(0, [np.arange(3)])
        os.replace(tmp_path / "block-000000.npz", tmp_path / "block-000001.npz")
        assert kept.get(1) is None

    def test_a_folder_of_somebody_else_is_refused(self, tmp_path):
        (tmp_path / "thesis.txt").write_text("mine")
        with pytest.raises(ValueError, match=r"holds files that are no finished blocks, such as 'thesis\.txt'"):
            BlockStore(tmp_path, {"seed": "0"})
        assert os.listdir(tmp_path) == ["thesis.txt"]

    def test_a_damaged_manifest_is_named(self, tmp_path):
        (tmp_path / "recipe.json").write_text("{")
        with pytest.raises(ValueError, match=r"recipe\.json' is damaged\. Delete its folder to start anew\.$"):
            BlockStore(tmp_path, {"seed": "0"})

    def test_only_own_files_are_cleared(self, tmp_path):
        folder = BlockFolder(tmp_path / "blocks")
        one, two = folder("map: g=8", {}), folder("map: g=32", {})
        for kept in (one, two):
            kept.put(0, [np.arange(3)])
        (one.folder / "block-of-mine.npz").write_text("mine")
        (one.folder / ".block-000007.npz.99-7.tmp").write_text("left by a kill")
        (tmp_path / "blocks" / "notes").write_text("mine")
        folder.clear()
        assert sorted(path.relative_to(tmp_path / "blocks").as_posix() for path in tmp_path.glob("blocks/**/*")) == [
            "map-g-8",
            "map-g-8/block-of-mine.npz",
            "notes",
        ]

    def test_a_sweep_that_was_asked_for_twice_is_cleared_once(self, tmp_path):
        folder = BlockFolder(tmp_path / "blocks")
        folder("SFT", {}).put(0, [np.arange(3)])
        assert folder("SFT", {}).get(0) is not None
        folder.clear()
        assert os.listdir(tmp_path) == []

    def test_the_libraries_that_change_numbers_are_in_the_recipe(self, tmp_path):
        BlockStore(tmp_path, {})
        text = (tmp_path / "recipe.json").read_text()
        assert all(f"version of {name}" in text for name in ("numpy", "scipy", "jax", "jaxlib", "optax", "rlsignal"))
