"""Nothing that is read takes memory or time without bound, and nothing is waited on without a word."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import random
import socket
import subprocess
import time
import zipfile
from pathlib import Path

import pytest

from rlsignal import read
from rlsignal.data import syntax

ROWS = "".join(json.dumps({"prompt": f"p{i % 50}", "reward": i % 3 % 2}) + "\n" for i in range(4000))


@pytest.fixture
def small(monkeypatch):
    """Bounds that a test reaches: 64 kB instead of a gigabyte."""
    monkeypatch.setattr(syntax, "LARGEST", 1 << 16)


def zipped(**members):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


@pytest.mark.usefixtures("small")
class TestSize:
    LONG = "x" * (1 << 17)

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("first.jsonl", f'{{"prompt": "{LONG}", "reward": 1}}\n{ROWS}'),
            ("later.jsonl", f'{ROWS}{{"prompt": "{LONG}", "reward": 1}}\n'),
            ("table.csv", f"prompt,reward\na,1\n{LONG},1\n"),
            ("console.log", f"step:1 - critic/score/mean:0.5\n{LONG}\n"),
            ("scores.log", f"filtered scores=[1.0, 0.0]\n{LONG}\n"),
        ],
        ids=lambda x: x if "." in x[:20] else "",
    )
    def test_a_line(self, tmp_path, name, text):
        (tmp_path / name).write_text(text)
        with pytest.raises(ValueError, match=rf"^a line of {name} is longer than 0 MB\. Write one row a line\.$"):
            read(tmp_path / name)

    def test_an_object_over_many_lines(self, tmp_path):
        (tmp_path / "report.json").write_text(
            json.dumps({"rows": json.loads(f"[{ROWS.strip().replace(chr(10), ',')}]")}, indent=1)
        )
        with pytest.raises(ValueError, match=r"held at once\. Write a JSON list, or one row a line\.$"):
            read(tmp_path / "report.json")

    def test_an_item_of_a_list(self, tmp_path, monkeypatch):
        monkeypatch.setattr(syntax, "CHUNK", 1 << 12)
        (tmp_path / "list.json").write_text(
            f'[{{"prompt": "a", "reward": 1}}, {{"prompt": "{self.LONG}", "reward": 1}}]'
        )
        with pytest.raises(ValueError, match=r"^record 2 of list\.json is not JSON: it is longer than 0 MB"):
            read(tmp_path / "list.json")

    def test_many_rows_are_no_matter(self, tmp_path):
        assert len(ROWS) > syntax.LARGEST
        items = ROWS.strip().replace("\n", ",")
        for name, text in (("rows.jsonl", ROWS), ("list.json", f"[{items}]")):
            (tmp_path / name).write_text(text)
            assert read(tmp_path / name).samples.sum() == 4000


@pytest.mark.usefixtures("small")
class TestPacked:
    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
    def test_a_bomb_is_refused_and_what_it_holds_is_read(self, tmp_path, pack):
        chance = random.Random(0)
        real = "".join(f'{{"prompt": "p{i % 99}", "reward": {chance.randint(0, 1)}}}\n' for i in range(20_000)).encode()
        (tmp_path / "real.gz").write_bytes(pack(real))
        assert read(tmp_path / "real.gz").samples.sum() == 20_000
        (tmp_path / "blank.gz").write_bytes(pack(b"\n" * 8_000_000))
        (tmp_path / "twice.gz").write_bytes(pack(gzip.compress(b"\n" * 8_000_000)))
        for name in ("blank.gz", "twice.gz"):
            with pytest.raises(ValueError, match=rf"^{name} unpacks to more .* unpack it, and pass what it holds\.$"):
                read(tmp_path / name)

    def test_zipped(self, tmp_path):
        (tmp_path / "bomb.zip").write_bytes(zipped(**{"a.jsonl": b"\n" * 10_000_000}))
        (tmp_path / "large.zip").write_bytes(zipped(**{"a.jsonl": ROWS.encode()}))
        with pytest.raises(ValueError, match=r"^bomb\.zip unpacks to more than"):
            read(tmp_path / "bomb.zip")
        with pytest.raises(
            ValueError, match=r"^a\.jsonl of large\.zip holds more .* Unpack it, and pass what it holds\.$"
        ):
            read(tmp_path / "large.zip")

    def test_archives_in_archives(self, tmp_path):
        content, name = b'{"prompt": "a", "n": 8, "c": 3}\n{"prompt": "b", "n": 8, "c": 0}\n', "rows.jsonl"
        for depth in range(6):
            (tmp_path / f"{depth}.zip").write_bytes(content := zipped(**{name: content}))
            name = f"{depth}.zip"
        assert read(tmp_path / "2.zip").correct.tolist() == [3, 0]
        for depth in (3, 5):
            with pytest.raises(ValueError, match=r"is packed more than 3 times over\. Unpack it, and pass what"):
                read(tmp_path / f"{depth}.zip")


class TestWaiting:
    @pytest.mark.parametrize("kind", ["a pipe", "a socket", "a device"])
    def test_what_may_never_end_is_refused(self, tmp_path, monkeypatch, kind):
        path = tmp_path / "it"
        if kind == "a pipe":
            os.mkfifo(path)
        elif kind == "a socket":
            monkeypatch.chdir(tmp_path)  # a socket's name is short
            with socket.socket(socket.AF_UNIX) as it:
                it.bind("it")
        else:
            path.symlink_to("/dev/zero")
        with pytest.raises(
            ValueError, match=rf"^path must name a file or a folder, got .*, which is {kind}\. Copy what"
        ):
            read(path)
        if kind == "a pipe":
            with pytest.raises(ValueError, match=r"which is a pipe"):
                read(tmp_path / "i*")

    @pytest.mark.skipif(not Path("/dev/fd").exists(), reason="/dev/fd is missing")
    def test_what_a_shell_passes_as_a_file_is_read(self, tmp_path):
        (tmp_path / "rows.jsonl").write_text(ROWS)
        ours, theirs = os.pipe()
        with subprocess.Popen(["cat", tmp_path / "rows.jsonl"], stdout=theirs):
            os.close(theirs)
            assert read(f"/dev/fd/{ours}").samples.sum() == 4000
        os.close(ours)

    def test_pipes_and_dangling_links_in_a_folder_are_named(self, tmp_path):
        (tmp_path / "rows.jsonl").write_text(ROWS)
        (tmp_path / "gone.jsonl").symlink_to("nowhere")
        os.mkfifo(tmp_path / "pipe")
        note = next(note for note in read(tmp_path).notes if note.kind == "left out")
        assert (note.count, note.where) == (2, "gone.jsonl")
        assert note.text == "2 files of the folder are no data by their name or kind and are left out."


@pytest.mark.parametrize(
    "line",
    [
        "step:1 - " + "a" * 100_000,
        "step:1 - " + "a:1-" * 10_000 + "!",
        "step:1 - a/b:1\n" + "a/b:1-" * 10_000 + "!",
        "step:1 - a/b:1\n" + "a/b:" + "1" * 100_000 + "!",
        "step:1 - a:0.5\n" + "{'reward': " * 20_000,
        "step:1 - a:0.5\n} " + "{'reward': " * 20_000,
        "{'reward': tensor(" + "x" * 100_000 + "}",
        "{'reward': " + "[" * 100_000 + "}",
        "scores=[" + "1," * 100_000,
        "(" * 100_000,
        "[" * 100_000,
        " \n" * 100_000 + "{'reward': 0.5}",
    ],
    ids=range(12),
)
def test_no_line_takes_time_with_its_square(tmp_path, line):
    (tmp_path / "run.log").write_text(line + "\nstep:2 - critic/score/mean:0.5\n")
    tick = time.perf_counter()
    with contextlib.suppress(ValueError):
        read(tmp_path / "run.log")
    assert time.perf_counter() - tick < 2
