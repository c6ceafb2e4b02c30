"""Where data comes from: files, folders, globs, standard input, archives, and what is in memory already.

A file is recognised by its first bytes, whatever its name. Nothing is executed, unpickled or written.
"""

import codecs
import contextlib
import glob
import gzip
import io
import json
import lzma
import os
import re
import stat
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from rlsignal.data import syntax
from rlsignal.data.cells import number
from rlsignal.data.records import Note
from rlsignal.data.syntax import SCORES, chart, console, csv_table, is_console, json_lines, json_list, score_lines
from rlsignal.data.tables import NotRows, Table, Wanted

DATA = {
    *(".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".npy", ".npz", ".gz", ".log", ".txt", ".eval", ".zst"),
    *(".zip", ".bz2", ".xz", ".out"),
}
FOREIGN = re.compile(
    r"(config|requirements|README|pyproject|package|tokenizer.*|generation_config|special_tokens.*)\..*"
)
STEP_IN_NAME = re.compile(r"(?:|.*step[_-]?|completions_)(\d+)")  # verl 12.jsonl, TRL completions_00012.parquet
PICKLED = "is a pickle, which could run any code when opened, and is refused. Write JSONL, CSV or parquet instead."
ENOUGH = 64 << 10  # bytes that say what a file is
UNPACK = "Unpack it, and pass what it holds."
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError)  # what decompressors raise
DEEPEST = 3  # archives inside of archives
DENSEST = 500  # times that a file of more than `syntax.LARGEST` may grow when it is unpacked; rows of text grow tenfold
MLFLOW = re.compile(rb"\d{10,13} \S+ \d+\s")


def tables(source: Any, wanted: Wanted) -> tuple[Iterator[Table], bool]:
    """The tables of a source, and whether there may be several."""
    if isinstance(source, str | os.PathLike):
        files, inside = _listed(source)
        return _files(files, inside=inside, wanted=wanted), len(files) > 1
    if isinstance(source, list | tuple) and source and all(isinstance(x, str | os.PathLike) for x in source):
        found = [_listed(x) for x in source]
        files = [file for several, _ in found for file in several]
        return _files(files, inside=True, wanted=wanted), len(files) > 1
    return iter([in_memory(source, wanted=wanted)]), False


def _listed(source: str | os.PathLike[str]) -> tuple[list[Path | None], bool]:
    """The files that a path, a pattern or a folder names, and whether it is a folder; None is standard input."""
    if os.fspath(source) == "-":
        return [None], False
    if not os.fspath(source) or "\0" in os.fspath(source):
        raise ValueError(
            f"path must name a file or a folder, got {os.fspath(source)!r}. Give its name, or - for standard input."
        )
    if os.fspath(source).lstrip()[:1] in ("[", "{") and len(os.fspath(source)) > 60:
        raise ValueError("source must be a path, got the text of a file. Pass json.loads(text), or write it to a file.")
    path = Path(os.path.expanduser(source))  # unlike Path's, one of nobody is a name like any other
    if path.is_dir():
        return list(_of_folder(path)), True
    if path.exists():
        return [path], False
    matched = sorted(map(Path, glob.glob(os.fspath(path), recursive=True)), key=_natural)
    if matched:
        return [file for x in matched for file in (_of_folder(x) if x.is_dir() else [x])], True
    raise FileNotFoundError(f"path must name a file or a folder, got {os.fspath(source)!r}, which does not exist.")


def _of_folder(path: Path, depth: int = 0) -> list[Path]:
    """The data files of a folder in the order of the numbers in their names; a trainer's own state before all else."""
    state = path / "trainer_state.json"
    if state.is_file():
        return [state]
    inside = sorted((x for x in path.iterdir() if not x.name.startswith(".")), key=_natural)
    checkpoints = [x for x in inside if x.is_dir() and (x / "trainer_state.json").is_file()]
    if checkpoints:
        return [checkpoints[-1] / "trainer_state.json"]
    if (path / "metrics").is_dir() or path.name == "metrics":
        metrics = sorted(x for x in path.rglob("*") if x.is_file() and _is_mlflow(x))
        if metrics:
            return metrics
    files = [x for x in inside if x.is_file() and _is_data(x)]
    data = [x for x in files if not FOREIGN.fullmatch(x.name)]
    if not data and depth < 4:
        data = [file for x in inside if x.is_dir() for file in _of_folder(x, depth + 1)]
    if not data and depth == 0:
        data = [x for x in inside if x.is_file()]
        if not data:
            raise ValueError(f"{os.fspath(path)!r} holds no file named as data ({', '.join(sorted(DATA))}).")
    return data


def _is_data(path: Path) -> bool:
    return path.suffix.lower() in DATA or "tfevents" in path.name


def _is_mlflow(path: Path) -> bool:
    if not path.is_file():  # a pipe would be waited on
        return False
    with open(path, "rb") as file:
        return MLFLOW.match(file.read(200)) is not None


def _natural(path: Path) -> list[Any]:
    return [(0, int(x), "") if x.isdecimal() else (1, 0, x) for x in re.split(r"(\d+)", path.name) if x]


def _files(files: list[Path | None], *, inside: bool, wanted: Wanted) -> Generator[Table, None, None]:
    """The tables of files, in their order; those of a folder that are not named as data are noted."""
    metrics = [x for x in files if x is not None and inside and not x.suffix and _is_mlflow(x)]
    if metrics and len(metrics) == len(files):
        yield _mlflow(metrics)
        return
    others = _left_out(files) if inside else []
    events = [x for x in files if x is not None and "tfevents" in x.name]
    if events:
        yield _tensorboard(events)
        files = [x for x in files if x not in events]
    for path in files:
        if path is None:
            yield from _tables(_held(sys.stdin.buffer, "standard input"), "standard input", wanted)
            continue
        with _opened(path) as opened:
            try:
                for table in _tables(opened, path.name, wanted):
                    stem = STEP_IN_NAME.fullmatch(path.name.split(".")[0])
                    if inside and stem:
                        table.step = int(stem[1])
                    if others:
                        text = f"{len(others)} files of the folder are no data by their name or kind and are left out."
                        table.notes.append(Note("left out", text, others[0], len(others)))
                        others = []
                    yield table
            except NotRows as error:
                if len(files) == 1:
                    raise
                yield _nothing(path.name, error)


def _opened(path: Path) -> IO[bytes]:
    """A file, or what a shell passes as one, /dev/fd/63; never what might be waited on for ever."""
    mode = path.stat().st_mode
    if stat.S_ISFIFO(mode) and re.fullmatch(r"/dev/(fd/\d+|stdin)|/proc/self/fd/\d+", os.fspath(path)):
        with open(path, "rb") as stream:
            return _held(stream, os.fspath(path))
    if not stat.S_ISREG(mode) or os.path.realpath(path).startswith(("/proc/", "/sys/")):  # the kernel's may block too
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"
        raise ValueError(
            f"path must name a file or a folder, got {os.fspath(path)!r}, which is {kind}. Copy what it gives to a "
            "file, or pass - and let it be standard input."
        )
    return open(path, "rb", buffering=1 << 20)


def _held(stream: IO[bytes], name: str) -> io.BytesIO:
    """A stream that cannot be read twice."""
    return io.BytesIO(syntax.whole(stream, name, "Write it to a file, and pass that."))


def _nothing(name: str, error: NotRows) -> Table:
    """A table of a file that holds none: it says so when it is read."""

    def items() -> Iterator[tuple[int, Any]]:
        raise error
        yield

    return Table(name, "line", items())


def _left_out(files: list[Path | None]) -> list[str]:
    """Files that lie beside the data and were not listed with it."""
    folders = {x.parent for x in files if x is not None}
    listed = {x for x in files if x is not None}
    beside = [x for folder in sorted(folders) for x in sorted(folder.iterdir()) if not x.is_dir()]
    return [x.name for x in beside if x not in listed and not x.name.startswith(".")] if len(folders) == 1 else []


def _tables(file: IO[bytes], name: str, wanted: Wanted, depth: int = 0) -> Iterator[Table]:
    """What a file holds, by its first bytes; `depth` is of archives around it."""
    if depth > DEEPEST:
        raise ValueError(f"{name} is packed more than {DEEPEST} times over. {UNPACK}")
    start = file.read(ENOUGH)
    file.seek(0)
    if start.startswith(b"PAR1"):
        yield _parquet(file, name)
    elif (unpacked := _unpacked(file, name, start)) is not None:
        with contextlib.closing(unpacked):
            yield from _tables(unpacked, name, wanted, depth + 1)
    elif start.startswith(b"PK\x03\x04"):
        yield from _archive(file, name, wanted, depth)
    elif start.startswith(b"\x93NUMPY"):
        yield _numpy(file, name, wanted)
    else:
        yield _text(file, name, start, wanted)


def _text(file: IO[bytes], name: str, start: bytes, wanted: Wanted) -> Table:
    if (own := _own_binary(name, start)) is not None:
        raise NotRows(f"{name} {own}")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            content = syntax.whole(file, name, "Write it as UTF-8.")
            file = io.BytesIO(content.decode("utf-16").encode())
        except UnicodeError as error:
            raise ValueError(f"{name} begins as UTF-16 and is not: {error}. Write it as UTF-8.") from None
        start = file.read(ENOUGH)
        file.seek(0)
    if b"\0" in start:
        raise NotRows(f"{name} is binary, and neither parquet nor numpy. Write JSONL, CSV or parquet.")
    if not start.strip():
        if syntax.is_blank(file):
            raise NotRows(f"{name} is empty.")
        file.seek(0)
    if start.startswith(codecs.BOM_UTF8):
        file.read(len(codecs.BOM_UTF8))
        start = start[len(codecs.BOM_UTF8) :]
    first = start.lstrip()[:1]
    if first == b"[" and _lists_by_line(start):
        return _with_notes(Table(name, "line", iter(())), lambda table: json_lines(file, table))
    if first == b"[" and not _is_prose(start):
        return _with_notes(Table(name, "record", iter(())), lambda table: json_list(file, table))
    if first == b"{" and not start.lstrip().startswith((b"{'", b"{\"'")):
        return _with_notes(Table(name, "line", iter(())), lambda table: json_lines(file, table))
    if _is_prose(start):
        at = file.tell()
        if is_console(file, name):
            file.seek(at)
            return _with_notes(Table(name, "line", iter(())), lambda table: console(file, table))
        file.seek(at)
        if SCORES.search(start):
            return _with_notes(Table(name, "line", iter(())), lambda table: score_lines(file, table))
    table = csv_table(file, name, start)
    return chart(table, wanted.filter) if " - " in "".join(table.header or ()) else table


def _lists_by_line(start: bytes) -> bool:
    """Whether every line is a list of its own."""
    lines = start.split(b"\n")[:3]
    return len(lines) > 1 and all(x.strip()[:1] == b"[" and x.strip()[-1:] == b"]" for x in lines[:2])


def _is_prose(start: bytes) -> bool:
    """Whether text is no table and no JSON: its first lines do not have one number of fields."""
    lines = [line for line in start.split(b"\n")[:40] if line.strip()]
    lines = lines[:-1] if len(lines) > 1 and len(start) >= ENOUGH else lines
    if not lines:
        return True
    if lines[0].lstrip().startswith(b"["):
        return re.match(rb"\s*\[(?:\d{4}-|[A-Z]|\d+:\d\d|rank|\x1b)", lines[0]) is not None
    delimiter = max(b",\t;|", key=lambda x: lines[0].count(bytes([x])))
    width = lines[0].count(bytes([delimiter]))
    return (
        SCORES.search(start) is not None
        or width == 0
        or lines[0].lstrip().startswith((b"{'", b"("))
        or STEPPED.search(lines[0]) is not None
        or b": {'" in lines[0]
        or (b'"' not in start[:2000] and len({line.count(bytes([delimiter])) for line in lines[:5]}) > 2)
    )


STEPPED = re.compile(rb"step:\d+ - ")


def _with_notes(table: Table, items: Callable[[Table], Iterator[tuple[int, Any]]]) -> Table:
    table.items = items(table)
    return table


def _own_binary(name: str, start: bytes) -> str | None:
    """What a program's own file is, and the export that can be read."""
    low = name.lower()
    if re.match(rb"\x80[\x02-\x05]", start) or low.endswith((".pkl", ".pickle", ".pt", ".pth")):
        return PICKLED
    if start.startswith(b":W&B") or low.endswith(".wandb"):
        return (
            "is the binary log of Weights & Biases. Export the run's history: "
            "wandb.Api().run('entity/project/id').history(samples=10**6).to_csv('history.csv'), or the CSV of a chart."
        )
    if start.startswith(b"SQLite format 3"):
        return "is an SQLite database. Export its table of metrics or of rollouts as CSV."
    if start[:6] in (b"ARROW1",) or low.endswith((".arrow", ".feather")):
        return (
            "is an Arrow file. Write parquet: Dataset.to_parquet('data.parquet'), or pass the data set itself to read."
        )
    if low.endswith(".safetensors") or re.match(rb".{4}\0{4}\{\"", start, re.S):
        return "holds tensors and no rollouts."
    if start.startswith(b"\x89HDF"):
        return "is HDF5. Write CSV or parquet instead."
    if start.startswith((b"\xd0\xcf\x11\xe0",)) or low.endswith((".xlsx", ".xls")):
        return "is a spreadsheet. Save it as CSV."
    return None


def _unpacked(file: IO[bytes], name: str, start: bytes) -> Any:
    """A compressed file as what it holds."""
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return io.BytesIO(_unzstd(syntax.whole(file, name, UNPACK), name))
    packed = _decompressor(file, start)
    return packed if packed is None else io.BufferedReader(_Unpacked(packed, _densest(file), name), 1 << 20)


def _decompressor(file: IO[bytes], start: bytes) -> Any:
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(file)
    if start.startswith(b"BZh"):
        import bz2

        return bz2.open(file)
    if start.startswith(b"\xfd7zXZ\x00"):
        return lzma.open(file)
    return None


class _Unpacked(io.RawIOBase):
    """What a packed file holds, until it grows as no rows of text do."""

    def __init__(self, packed: Any, limit: int, name: str) -> None:
        self.packed, self.limit, self.name = packed, limit, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            count = int(self.packed.readinto(buffer))
        except DAMAGED as error:
            raise damaged(self.name, error) from None
        if self.packed.tell() > self.limit:
            raise _too_dense(self.name)
        return count

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        return int(self.packed.seek(place, whence))

    def tell(self) -> int:
        return int(self.packed.tell())

    def close(self) -> None:
        self.packed.close()
        super().close()


def _too_dense(name: str) -> ValueError:
    return syntax.TooLarge(
        f"{name} unpacks to more than {syntax.LARGEST >> 20:,} MB and {DENSEST} times its size, as no rows do. If "
        "that is what you want, unpack it, and pass what it holds."
    )


def _densest(file: IO[bytes]) -> int:
    """The bytes that a packed file may unpack to; the same for one that is packed twice."""
    outer = getattr(file, "raw", None)
    if isinstance(outer, _Unpacked):
        return outer.limit
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    return max(syntax.LARGEST, DENSEST * size)


def _zstd() -> Callable[[IO[bytes]], Any] | None:
    """A decompressor of streams: the standard library's from Python 3.14 on, or whichever is installed."""
    with contextlib.suppress(ImportError):
        from compression import zstd

        return lambda packed: zstd.open(packed)
    with contextlib.suppress(ImportError):
        import zstandard

        return lambda packed: zstandard.ZstdDecompressor().stream_reader(packed)
    with contextlib.suppress(ImportError):
        import pyarrow

        return lambda packed: pyarrow.CompressedInputStream(packed, "zstd")
    return None


def _unzstd(content: bytes, name: str) -> bytes:
    """Zstandard by whatever reads it."""
    try:
        if (decompress := _zstd()) is not None:
            return syntax.whole(decompress(io.BytesIO(content)), name, UNPACK)
    except syntax.TooLarge:
        raise
    except Exception as error:
        raise ValueError(f"{name} is damaged Zstandard: {_brief(error)}. Copy it again.") from None
    raise ModuleNotFoundError(f"{name} is compressed by Zstandard. Install a reader: pip install zstandard.")


def _parquet(file: IO[bytes], name: str) -> Table:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise ModuleNotFoundError(
            f"{name} is parquet, which needs pyarrow. Install it with: pip install 'rlsignal[parquet]'."
        ) from None
    try:
        opened = parquet.ParquetFile(file)
        header = opened.schema_arrow.names
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise ValueError(f"{name} is damaged parquet: {_brief(error)}. Write it again.") from None

    def items() -> Iterator[tuple[int, tuple[Any, ...]]]:
        place = 0
        try:
            for batch in opened.iter_batches(batch_size=4096):
                columns = [cells(column, x, place) for column, x in zip(header, batch.columns, strict=True)]
                for row in zip(*columns, strict=True):
                    place += 1
                    yield place, row
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{name} is damaged parquet after row {place}: {_brief(error)}. Write it again.") from None

    def cells(column: str, batch: Any, before: int) -> list[Any]:
        """A column as Python values; one that Python cannot hold, such as a date in the year 10000, is named."""
        try:
            return list(batch.to_pylist())
        except (pyarrow.ArrowException, ValueError, OverflowError):
            for row, cell in enumerate(batch, before + 1):
                try:
                    cell.as_py()
                except (pyarrow.ArrowException, ValueError, OverflowError) as error:
                    raise ValueError(
                        f"column {column!r} must hold values that Python can, got one that it cannot in row {row} of "
                        f"{name} ({_brief(error)}). Leave the column out of the file, or write it as text."
                    ) from None
            raise

    return Table(name, "row", items(), header)


def _archive(file: IO[bytes], name: str, wanted: Wanted, depth: int) -> Iterator[Table]:
    """A zip: numpy's arrays, an Inspect log, or data files."""
    try:
        archive = zipfile.ZipFile(file)
        members = [x for x in archive.infolist() if not x.is_dir()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ValueError(f"{name} is a damaged archive: {_brief(error)}. Write it again.") from None
    if sum(x.file_size for x in members) > _densest(file):
        raise _too_dense(name)
    names = [x.filename for x in members]
    if members and all(x.endswith(".npy") for x in names):
        file.seek(0)
        yield _numpy(file, name, wanted)
        return
    if any(x.endswith("data.pkl") for x in names):
        raise NotRows(f"{name} is a torch checkpoint, and torch checkpoints are pickles. Refused.")
    if any(x.startswith("xl/") for x in names):
        raise NotRows(f"{name} is a spreadsheet. Save it as CSV.")
    if any(re.fullmatch(r"samples/.*\.json", x) for x in names) or name.endswith(".eval"):
        yield _inspect(archive, file, members, name)
        return
    data = [x for x in members if Path(x.filename).suffix.lower() in DATA and not x.filename.startswith("__MACOSX")]
    if not data:
        raise NotRows(f"{name} is an archive and holds neither numpy arrays nor data files. Refused.")
    for member in data:
        content = io.BytesIO(_member(archive, file, member, name))
        yield from _tables(content, Path(member.filename).name, wanted, depth + 1)


def _member(archive: zipfile.ZipFile, file: IO[bytes], member: zipfile.ZipInfo, name: str) -> bytes:
    """The content of an archive's member, also where it is compressed by Zstandard (zip's method 93)."""
    try:
        if member.compress_type != 93:
            with archive.open(member) as packed:
                return syntax.whole(packed, f"{member.filename} of {name}", UNPACK)
        file.seek(member.header_offset)
        header = file.read(30)
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
        return _unzstd(file.read(member.compress_size), name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, *DAMAGED) as error:
        raise ValueError(f"{name} is a damaged archive: {_brief(error)}. Write it again.") from None


def _inspect(archive: zipfile.ZipFile, file: IO[bytes], members: list[zipfile.ZipInfo], name: str) -> Table:
    """The samples of an Inspect log, one at a time, as its JSON has them."""

    def value(member: zipfile.ZipInfo) -> Any:
        try:
            return json.loads(_member(archive, file, member, name))
        except ValueError as error:
            if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
                raise ValueError(f"{member.filename} of {name} is not JSON: {_brief(error)}. Copy it again.") from None
            raise

    by_name = {x.filename: x for x in members}
    begun = next((by_name[x] for x in ("header.json", "_journal/start.json") if x in by_name), None)
    header = value(begun) if begun is not None else {}
    about = header.get("eval") if isinstance(header, dict) else None
    about = {key: x for key, x in about.items() if key in ("model", "task")} if isinstance(about, dict) else {}
    samples = sorted(
        (x for x in members if re.fullmatch(r"samples/.*\.json", x.filename)), key=lambda x: _natural(Path(x.filename))
    )
    if not samples:
        raise NotRows(f"{name} is an Inspect log without samples: it ended before any was written.")

    def items() -> Iterator[tuple[int, Any]]:
        for place, member in enumerate(samples, 1):
            yield place, {"eval": about, "samples": [value(member)]}

    return Table(name, "sample", items(), of="Inspect log")


def _tensorboard(files: list[Path]) -> Table:
    """The scalars of event files, through TensorBoard's own reader."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise ModuleNotFoundError(
            f"{files[0].name} is a TensorBoard event file. Install its reader: pip install tensorboard; or download "
            "the scalars as CSV."
        ) from None
    series: dict[str, dict[float, float]] = {}
    for path in files:
        events = EventAccumulator(os.fspath(path), size_guidance={"scalars": 0})
        events.Reload()
        for tag in events.Tags()["scalars"]:
            series.setdefault(tag, {}).update({event.step: event.value for event in events.Scalars(tag)})
    return _of_series(series, files[0].name, "TensorBoard log")


def _mlflow(files: list[Path]) -> Table:
    """The metrics of an MLflow run: a file each, named as the metric."""
    series: dict[str, dict[float, Any]] = {}
    for path in files:
        parts = path.parts
        start = len(parts) - 1 - parts[::-1].index("metrics") + 1 if "metrics" in parts else len(parts) - 1
        cells = series.setdefault("/".join(parts[start:]), {})
        for place, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            fields = line.split()
            if len(fields) >= 3:
                if (step := number(fields[2])) is None:
                    raise ValueError(
                        f"the step must be a number, got {fields[2][:60]!r} in line {place} of {path.name}. Mend "
                        "or remove the line."
                    )
                value = number(fields[1])
                cells[step] = fields[1] if value is None else value  # asked about where it is read
    return _of_series(series, "the run", "MLflow metrics")


def _of_series(series: Mapping[str, Mapping[float, Any]], name: str, of: str) -> Table:
    """Rows of metrics that were written one by one, joined by their step."""
    steps = sorted({step for cells in series.values() for step in cells})
    rows = [{"step": step, **{tag: cells[step] for tag, cells in series.items() if step in cells}} for step in steps]
    return Table(name, "row", iter(enumerate(rows, 1)), of=of)


def _numpy(file: IO[bytes], name: str, wanted: Wanted) -> Table:
    try:
        loaded = np.load(file, allow_pickle=False)
        data = {key: loaded[key] for key in loaded.files} if hasattr(loaded, "files") else loaded
    except Exception as error:
        pickled = "Object arrays" in str(error)
        raise NotRows(
            f"{name} {PICKLED}" if pickled else f"{name} is damaged: {_brief(error)}. Write it again."
        ) from None
    return in_memory(data, name, wanted=wanted)


def in_memory(data: Any, name: str = "the data", *, wanted: Wanted) -> Table:
    """Arrays, frames and rows in memory; frames of any library are recognised by their methods."""
    if hasattr(data, "correct") and hasattr(data, "samples") and not hasattr(data, "columns"):  # Recorded
        pairs = zip(np.atleast_1d(data.correct).tolist(), np.atleast_1d(data.samples).tolist(), strict=True)
        return Table(name, "row", iter(enumerate({"prompt": i, "c": c, "n": n} for i, (c, n) in enumerate(pairs))))
    if isinstance(data, np.ndarray):
        return _matrix(data, name, wanted)
    if hasattr(data, "collect_schema") and hasattr(data, "collect"):  # a lazy frame
        data = data.collect()
    if hasattr(data, "column_names") and hasattr(data, "to_pylist"):  # an arrow table
        cells = [column.to_pylist() for column in data.columns]
        return Table(name, "row", iter(enumerate(zip(*cells, strict=True))), list(data.column_names))
    if hasattr(data, "column_names") and hasattr(data, "features"):  # a data set of Hugging Face
        return Table(name, "row", iter(enumerate(data)))
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        header = [str(x) for x in data.columns]
        if len(set(header)) < len(header):
            raise ValueError(f"columns of {name} must have different names, got {', '.join(header)}. Rename them.")
        if hasattr(data, "reset_index") and getattr(data.index, "name", None) not in (None, *header):
            data, header = data.reset_index(), [str(data.index.name), *header]
        cells = [_cells(data[x]) for x in data.columns]
        return Table(name, "row", iter(enumerate(zip(*cells, strict=True))), header)
    if isinstance(data, Mapping) and data and all(hasattr(x, "column_names") for x in data.values()):
        rows = ({"section": key, **row} for key, part in data.items() for row in part)
        return Table(name, "row", iter(enumerate(rows)))
    if isinstance(data, Mapping):
        data = {str(key): _plain(x) for key, x in data.items()}
        columns = {key: x for key, x in data.items() if isinstance(x, list)}
        sizes = {len(x) for x in columns.values()}
        if all(isinstance(x, list) for x in data.values()) and len(sizes) > 1 and _named_columns(data):
            raise ValueError(f"columns of {name} must have one length, got {[len(x) for x in columns.values()]}.")
        return Table(name, "record", iter([(0, data)]))
    try:
        items = None if isinstance(data, str | bytes) else iter(data)
    except TypeError:
        items = None
    if items is None:
        raise ValueError(f"source must be a path, an array, a frame or rows, got {type(data).__name__}.")
    return Table(name, "record", ((i, _plain(x)) for i, x in enumerate(items)))


def _named_columns(data: Mapping[str, Any]) -> bool:
    return bool({"prompt", "reward", "n", "c", "correct", "samples"} & {key.lower() for key in data})


def _matrix(data: Any, name: str, wanted: Wanted) -> Table:
    """Rewards of 0 and 1, [prompts, samples]."""
    if data.ndim != 2 or data.dtype.kind not in "biuf":
        raise ValueError(
            f"an array must be rewards of 0 and 1 [prompts, samples], got {data.dtype} {data.shape}. Reshape it, or "
            "pass columns: {'prompt': ids, 'reward': rewards}."
        )
    rows, columns = data.shape
    said = wanted.samples if wanted.samples is not None else wanted.group_size
    if columns > max(rows, 8) and said != columns:
        raise ValueError(
            f"an array must be [prompts, samples], got {list(data.shape)}, more samples than prompts. Transpose it if "
            f"it is [samples, prompts]: read(x.T); or give samples={columns} if it is not."
        )
    return Table(name, "row", ((i, {"prompt": i, "reward": row.tolist()}) for i, row in enumerate(data)))


def _cells(column: Any) -> list[Any]:
    for method in ("to_list", "tolist", "to_pylist"):
        if hasattr(column, method):
            return list(getattr(column, method)())
    return list(column)


def _plain(value: Any) -> Any:
    """Sequences as lists of plain values, the rest as it is."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and not value.ndim:
        return value.item()
    if isinstance(value, list | tuple | range) or hasattr(value, "tolist") or hasattr(value, "to_list"):
        return [_plain(x) if not isinstance(x, dict | str) else x for x in _cells(value)]
    return value


def _brief(error: Exception) -> str:
    """What another library says of a damaged file, in a line; a lack of memory is no damage, and is raised again."""
    if isinstance(error, MemoryError):
        raise error
    return str(error).partition("\n")[0][:200].rstrip(".")


def damaged(name: str, error: Exception) -> ValueError:
    """What to say of a compressed file that ends too soon."""
    return ValueError(f"{name} is damaged: {_brief(error) or 'it ends too soon'}. Copy it again.")
