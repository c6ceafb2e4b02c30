"""Other people's files: opened, told apart by what is in them, and handed to `formats` row by row. Nothing is written.

No file is executed or unpickled. `read` is the one door, for files and for what is in memory already.
"""

import codecs
import contextlib
import csv
import gzip
import os
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from rlsignal import _validate
from rlsignal.data.gather import Table, Wanted, gather
from rlsignal.data.records import Note, Rollouts, TrainingLog
from rlsignal.data.syntax import VERL_LINE, csv_table, json_lines, json_list, metric_lines

DATA = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".npy", ".npz", ".gz", ".log", ".txt"}
STEP_IN_NAME = re.compile(r"(?:|.*step[_-]?|completions_)(\d+)")  # verl 12.jsonl, TRL completions_00012.parquet
PICKLED = "is a pickle, which could run any code when opened, and is refused. Write JSONL, CSV or parquet instead."
ENOUGH = 64 << 10  # bytes that tell what a file is


def read(
    source: Any,
    *,
    prompt: str | None = None,
    reward: str | None = None,
    group: str | None = None,
    step: str | None = None,
    checkpoint: str | None = None,
    correct: str | None = None,
    samples: str | None = None,
    rate: str | None = None,
    group_size: int | None = None,
    threshold: float | None = None,
) -> Rollouts | TrainingLog:
    """Read an evaluation, a dump of rollouts or a training log, whatever wrote it, into counts.

    Recognised by content: CSV, JSON, JSONL (also gzipped), parquet, numpy arrays, verl's metric lines. A row is one
    rollout (prompt, reward), a prompt's counts (prompt, n, c), its share of correct samples, its list of 0 and 1, or
    a line of a log (step, mean reward). Rows are read one at a time; memory grows with the number of prompts. Only a
    JSON file that is one object, not a list or lines, is held whole.

    Parameters
    ----------
    source : a file, a folder of files, an array of 0 and 1 [prompts, samples], a pandas or polars frame, a mapping of
        columns, or an iterable of rows.
    prompt, reward, group, step, checkpoint, correct, samples, rate : names of columns, where they are not recognised.
        `rate` is a prompt's share of correct samples.
    group_size : rollouts per prompt. Where no column tells groups, so many consecutive rows are one.
    threshold : rewards above it count as correct; without it rewards must be 0 or 1.

    Returns
    -------
    Rollouts, or TrainingLog for a log. Both list in `notes` what is unusual.

    Raises
    ------
    ValueError : what cannot be counted without guessing, with its place and the option that settles it.
    FileNotFoundError : no such file.
    ModuleNotFoundError : parquet without the extra `parquet`.

    Examples
    --------
    >>> data = read([{"prompt": "2+2", "reward": 1}, {"prompt": "2+2", "reward": 0}, {"prompt": "6*7", "reward": 1}])
    >>> data.correct, data.samples
    (array([1, 1]), array([2, 1]))
    >>> print(data)
    2 prompts x 1 to 2 samples
      Groups are of unequal size: 1 to 2 samples, 1 of 2 below 2 (first: prompt '6*7').
    """
    named = {"prompt": prompt, "reward": reward, "group": group, "step": step, "checkpoint": checkpoint}
    named |= {"correct": correct, "samples": samples, "rate": rate}
    wanted = Wanted(
        {idea: name for idea, name in named.items() if name is not None},
        None if group_size is None else _validate.group_size(group_size),
        None
        if threshold is None
        else _validate.scalar("threshold", _validate.within("threshold", threshold, -np.inf, np.inf)),
    )
    limit = csv.field_size_limit(sys.maxsize)  # a completion may well be longer than csv's default of 128 kB
    try:
        if isinstance(source, str | os.PathLike):
            with contextlib.closing(_files(Path(source))) as tables:
                return gather(tables, wanted)
        return gather([_in_memory(source)], wanted)
    except RecursionError:
        raise ValueError(f"{source} is nested too deeply to be rollouts.") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{source} is damaged gzip: {error}. Copy it again.") from None
    finally:
        csv.field_size_limit(limit)


def _files(path: Path) -> Generator[Table, None, None]:
    """The tables of a file, or of every data file in a folder, in the order of the numbers in their names."""
    if not path.exists():
        raise FileNotFoundError(f"path must name a file or a folder, got {os.fspath(path)!r}, which does not exist.")
    if path.is_dir():
        files = sorted((x for x in path.iterdir() if x.is_file() and not x.name.startswith(".")), key=_natural)
        data = [x for x in files if x.suffix.lower() in DATA]
        others = [x.name for x in files if x.suffix.lower() not in DATA]
        if not data:
            raise ValueError(f"{os.fspath(path)!r} holds no file named as data ({', '.join(sorted(DATA))}).")
    else:
        data, others = [path], []
    for file in data:
        with open(file, "rb", buffering=1 << 20) as opened:
            table = _table(opened, file.name)
            stem = STEP_IN_NAME.fullmatch(file.name.split(".")[0])
            if path.is_dir() and stem:
                table.step = int(stem[1])
            if others:
                text = f"{len(others)} files of the folder are not named as data and are left out."
                table.notes.append(Note("left out", text, others[0], len(others)))
                others = []
            yield table


def _natural(path: Path) -> list[Any]:
    return [(0, int(x), "") if x.isdecimal() else (1, 0, x) for x in re.split(r"(\d+)", path.name) if x]


def _table(file: IO[bytes], name: str) -> Table:
    """What a file is, by its first bytes."""
    start = file.read(ENOUGH)
    file.seek(0)
    if start.startswith(b"PAR1"):
        return _parquet(file, name)
    if start.startswith(b"\x1f\x8b"):
        return _table(gzip.open(file), name)  # type: ignore[arg-type]
    if start.startswith((b"\x93NUMPY", b"PK\x03\x04")):
        return _numpy(file, name)
    if re.match(rb"\x80[\x02-\x05]", start) or name.lower().endswith((".pkl", ".pickle", ".pt", ".pth")):
        raise ValueError(f"{name} {PICKLED}")
    if b"\0" in start:
        raise ValueError(f"{name} is binary, and neither parquet nor numpy (UTF-16 text, perhaps). Write UTF-8 text.")
    if not start.strip():
        raise ValueError(f"{name} is empty.")
    if start.startswith(codecs.BOM_UTF8):
        file.read(len(codecs.BOM_UTF8))
        start = start[len(codecs.BOM_UTF8) :]
    if VERL_LINE.search(start):
        return _with_notes(Table(name, "line", iter(())), lambda table: metric_lines(file, table))
    first = start.lstrip()[:1]
    if first == b"[":
        return _with_notes(Table(name, "record", iter(())), lambda table: json_list(file, table))
    if first == b"{":
        return _with_notes(Table(name, "line", iter(())), lambda table: json_lines(file, table))
    return csv_table(file, name, start)


def _with_notes(table: Table, items: Callable[[Table], Iterator[tuple[int, Any]]]) -> Table:
    table.items = items(table)
    return table


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
                for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    place += 1
                    yield place, row
        except (pyarrow.ArrowException, OSError) as error:
            raise ValueError(f"{name} is damaged parquet after row {place}: {_brief(error)}. Write it again.") from None

    return Table(name, "row", items(), header)


def _numpy(file: IO[bytes], name: str) -> Table:
    if file.read(2) == b"PK":
        file.seek(0)
        try:
            members = zipfile.ZipFile(file).namelist()
        except (zipfile.BadZipFile, ValueError) as error:
            raise ValueError(f"{name} is a damaged archive: {_brief(error)}. Write it again.") from None
        if not members or not all(x.endswith(".npy") for x in members):
            raise ValueError(f"{name} is an archive and not of numpy arrays; torch checkpoints are pickles. Refused.")
    file.seek(0)
    try:
        loaded = np.load(file, allow_pickle=False)
        data = {key: loaded[key] for key in loaded.files} if hasattr(loaded, "files") else loaded
    except Exception as error:
        pickled = "allow_pickle" in str(error)
        raise ValueError(
            f"{name} {PICKLED}" if pickled else f"{name} is damaged: {_brief(error)}. Write it again."
        ) from None
    return _in_memory(data, name)


def _in_memory(data: Any, name: str = "the data") -> Table:
    """Arrays, frames and rows in memory; frames of any library are recognised by their methods."""
    if isinstance(data, np.ndarray):
        if data.ndim != 2 or data.dtype.kind not in "biuf":
            raise ValueError(f"an array must be rewards of 0 and 1 [prompts, samples], got {data.dtype} {data.shape}.")
        return Table(name, "row", ((i, {"prompt": i, "reward": row.tolist()}) for i, row in enumerate(data)))
    if hasattr(data, "columns") and hasattr(data, "__getitem__"):
        header = [str(x) for x in data.columns]
        if len(set(header)) < len(header):
            raise ValueError(f"columns of {name} must have different names, got {', '.join(header)}. Rename them.")
        cells = [_cells(data[x]) for x in data.columns]
        return Table(name, "row", iter(enumerate(zip(*cells, strict=True))), header)
    if isinstance(data, Mapping) and data and all(hasattr(x, "tolist") for x in data.values()):
        columns = {str(key): np.asarray(x) for key, x in data.items()}
        if len({x.shape[:1] for x in columns.values()}) != 1 or any(x.ndim == 0 for x in columns.values()):
            raise ValueError(f"columns of {name} must have one length, got {[x.shape for x in columns.values()]}.")
        rows = zip(*(x.tolist() for x in columns.values()), strict=True)
        return Table(name, "row", iter(enumerate(rows)), list(columns))
    if isinstance(data, Mapping):
        return Table(name, "record", iter([(0, {key: _listed(x) for key, x in data.items()})]))
    try:
        return Table(name, "record", iter(enumerate(data)))
    except TypeError:
        raise ValueError(f"source must be a path, an array, a frame or rows, got {type(data).__name__}.") from None


def _cells(column: Any) -> list[Any]:
    for manner in ("to_list", "tolist", "to_pylist"):
        if hasattr(column, manner):
            return list(getattr(column, manner)())
    return list(column)


def _listed(value: Any) -> Any:
    """Sequences as lists of plain values, the rest as it is."""
    if isinstance(value, list | tuple | range) or hasattr(value, "tolist"):
        return [x.item() if isinstance(x, np.generic) else x for x in _cells(value)]
    return value


def _brief(error: Exception) -> str:
    """What another library says, in a line."""
    return str(error).partition("\n")[0][:200].rstrip(".")
