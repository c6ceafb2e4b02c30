"""The only module that opens a file: results are saved as arrays without pickle, with a JSON sidecar beside them.

`path` names both: map.npz holds the arrays, map.json the rest and where it came from. Both are written whole or not
at all.
"""

import hashlib
import io
import json
import math
import os
import platform
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np

from rlsignal._show import Result
from rlsignal.data.records import Rollouts

Pathlike = str | os.PathLike[str]


def save(result: Any, path: Pathlike, *, provenance: dict[str, Any] | None = None) -> tuple[Path, Path]:
    """Write a result to path.npz and path.json.

    Parameters
    ----------
    result : one of `rlsignal.results`.
    path : where, with or without a suffix; its folder is made if need be.
    provenance : facts to record beside those known here (versions, platform, command).

    Returns
    -------
    the two paths.

    Raises
    ------
    ValueError : not a result.
    OSError : the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from rlsignal.proofs.verify import verify
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(verify(groups=100_000), f"{folder}/checked")
    ...     print(load(f"{folder}/checked").passed)
    True
    """
    if not isinstance(result, Result):
        kinds = ", ".join(sorted(Result.kinds))
        raise ValueError(f"result must be something the library handed back ({kinds}), got {type(result).__name__}.")
    base = _base(path)
    writable_folder(base.parent)
    arrays: dict[str, np.ndarray] = {}
    encoded = _encode(result, "", arrays)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    document = {
        "result": encoded,
        "arrays": hashlib.sha256(content.getvalue()).hexdigest(),  # of the .npz that belongs to this sidecar
        "provenance": {**_provenance(), **(provenance or {})},
    }
    text = json.dumps(document, indent=1, allow_nan=False)
    write_atomically(base.with_name(base.name + ".npz"), lambda file: file.write(content.getvalue()))
    write_atomically(base.with_name(base.name + ".json"), lambda file: file.write(text.encode()))
    return base.with_name(base.name + ".npz"), base.with_name(base.name + ".json")


def load(path: Pathlike) -> Any:
    """Read what `save` wrote; needs neither jax nor matplotlib, and never unpickles.

    Parameters
    ----------
    path : as given to `save`, or either of its files.

    Returns
    -------
    the result.

    Raises
    ------
    FileNotFoundError : one of the two files is missing.
    ValueError : a file that is damaged, or not of this library.

    Examples
    --------
    >>> import tempfile
    >>> from rlsignal.diagnosis.group_size import compare_estimators
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(compare_estimators([1, 0]), f"{folder}/table")
    ...     load(f"{folder}/table").successes
    1
    """
    base = _base(path)
    arrays_path, text_path = base.with_name(base.name + ".npz"), base.with_name(base.name + ".json")
    for part in (arrays_path, text_path):
        if not part.is_file():
            raise FileNotFoundError(f"path must name a saved result, got {path}: {part.name} is missing beside it.")
    try:
        document = json.loads(text_path.read_text())
        content = arrays_path.read_bytes()
        if hashlib.sha256(content).hexdigest() != document["arrays"]:
            raise ValueError(f"{arrays_path.name} and {text_path.name} were not written together")
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return _decode(document["result"], arrays)
    except Exception as error:
        raise ValueError(
            f"path must name a result saved by rlsignal {version('rlsignal')}, got {path}: {error}. Make it again."
        ) from error


def save_counts(rollouts: Rollouts, path: Pathlike) -> Path:
    """Write a line {"id", "c", "n"} for each entry, which pass@k tools read; with "checkpoint" and "step" if there are.

    Parameters
    ----------
    rollouts : from `read`.
    path : of a JSONL file; its folder is made if need be.

    Raises
    ------
    OSError : the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from rlsignal import read
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(save_counts(read([[0, 1, 1], [0, 0, 0]]), f"{folder}/counts.jsonl").read_text().strip())
    {"id": 0, "c": 2, "n": 3}
    {"id": 1, "c": 0, "n": 3}
    """
    lines = []
    for i, prompt in enumerate(rollouts.prompt):
        row = {"id": prompt, "c": int(rollouts.correct[i]), "n": int(rollouts.samples[i])}
        if rollouts.checkpoint is not None:
            row["checkpoint"] = rollouts.checkpoint[i]
        if rollouts.step is not None:
            row["step"] = float(rollouts.step[i])
        lines.append(json.dumps(row, default=str) + "\n")
    place = Path(path)
    writable_folder(place.parent)
    write_atomically(place, lambda file: file.write("".join(lines).encode()))
    return place


class BlockStore:
    """A folder of the finished blocks of one sweep (see `rlsignal.sim.sweep`), and what they were computed from.

    Parameters
    ----------
    folder : where; made if need be.
    recipe : what the blocks' numbers depend on. Kept beside them with the versions of the libraries.

    Raises
    ------
    ValueError : the folder holds blocks of another recipe or of other versions.
    OSError : the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     BlockStore(folder, {"seed": "0"}).put(3, [np.arange(2)])
    ...     BlockStore(folder, {"seed": "0"}).get(3)
    [array([0, 1])]
    """

    def __init__(self, folder: Pathlike, recipe: dict[str, str]) -> None:
        self.folder = writable_folder(folder)
        wanted = {**recipe, **{f"version of {name}": version(name) for name in ("rlsignal", "numpy", "jax", "jaxlib")}}
        manifest = self.folder / "recipe.json"
        if manifest.is_file():
            kept = json.loads(manifest.read_text())
            differing = sorted(key for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key))
            if differing:
                raise ValueError(
                    f"{os.fspath(folder)!r} holds blocks of another recipe ({', '.join(differing)} differ). Choose "
                    "another folder, or delete this one to start anew."
                )
        else:
            write_atomically(manifest, lambda file: file.write(json.dumps(wanted, indent=1).encode()))

    def get(self, index: int) -> list[np.ndarray] | None:
        """The arrays of a finished block; None where there is none, or where the file is damaged."""
        try:
            with open(self._path(index), "rb") as file, np.load(file, allow_pickle=False) as arrays:
                return [arrays[str(i)] for i in range(len(arrays.files))]  # reading checks each array's CRC
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
            return None

    def put(self, index: int, arrays: list[np.ndarray]) -> None:
        """Keep a finished block, whole or not at all."""
        named = {str(i): array for i, array in enumerate(arrays)}
        try:
            write_atomically(self._path(index), lambda file: np.savez(file, allow_pickle=False, **named))
        except OSError as error:
            raise OSError(
                f"block {index} could not be written to {os.fspath(self.folder)!r} ({error.strerror}). Finished blocks "
                "are kept: make room and run the same command to go on."
            ) from error

    def _path(self, index: int) -> Path:
        return self.folder / f"block-{index:06d}.npz"


def writable_folder(folder: Pathlike) -> Path:
    """The folder, made if need be, or an error before any long work is spent on it."""
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise OSError(
            f"output must be a folder that can be written, got {os.fspath(place)!r} ({error.strerror}). Choose another."
        ) from error
    return place


def write_atomically(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Write through a temporary file beside it, synced and renamed: readers see the old file or the new one."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        except BaseException:
            os.unlink(file.name)
            raise
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _base(path: Pathlike) -> Path:
    place = Path(path)
    return place.with_suffix("") if place.suffix in (".npz", ".json") else place


def _encode(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        inner = {f.name: _encode(getattr(value, f.name), f"{name}.{f.name}", arrays) for f in fields(value)}
        return {"type": type(value).__name__, "fields": inner}
    if isinstance(value, np.ndarray):
        arrays[name.lstrip(".")] = value
        return {"array": name.lstrip(".")}
    if isinstance(value, dict):
        return {"dict": {str(key): _encode(item, f"{name}.{key}", arrays) for key, item in value.items()}}
    if isinstance(value, tuple | list):
        return [_encode(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _decode(value: Any, arrays: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item, arrays) for item in value)
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return arrays[value["array"]]
    if "float" in value:
        return float(value["float"])
    if "dict" in value:
        return {key: _decode(item, arrays) for key, item in value["dict"].items()}
    if value["type"] not in Result.kinds:
        raise ValueError(f"no result is called {value['type']!r}; one of your own or of a study is known once imported")
    inner = {name: _decode(item, arrays) for name, item in value["fields"].items()}
    return Result.kinds[value["type"]](**inner)


def _provenance() -> dict[str, Any]:
    return {
        "versions": {name: version(name) for name in ("rlsignal", "numpy", "scipy", "jax", "optax")},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
