"""Results in a file of their own: one .npz that numpy can read too, without pickle, whole or not at all.

Arrays are members of the archive under the names of their fields; everything else is JSON in the member `result`, with
a format number, where it came from, and a digest over all of it. What is loaded is checked against its fields' types.
"""

import hashlib
import io
import json
import math
import os
import platform
import sys
import types
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from rlsignal import store
from rlsignal._show import Result

FORMAT = 1
"""Raised when an older reader would misread what is written."""

DOCUMENT = "result"
MOST_VALUES = 1_000_000
"""Values outside of arrays that one result may have: far more than any, and few enough to build."""


def save(result: Result, path: store.Pathlike, *, provenance: Mapping[str, Any] | None = None) -> Path:
    """Write a result to a file.

    Parameters
    ----------
    result : anything that the library handed back, such as a Diagnosis, a Ladder or the counts that were read.
    path : where; ".npz" is added where it is missing. Its folder is made if need be.
    provenance : facts to record beside those known here (versions, platform, command).

    Returns
    -------
    the path of the file.

    Raises
    ------
    ValueError : not a result, or one that holds what no file can, such as a function.
    OSError : the file cannot be written.

    Examples
    --------
    >>> from rlsignal import Estimate, load, save
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     written = save(Estimate(0.5, 0.4, 0.6), f"{folder}/share")
    ...     print(written.name, load(written))
    share.npz 0.500 [0.400, 0.600]
    """
    if not isinstance(result, Result):
        kinds = ", ".join(sorted(Result.kinds))
        raise ValueError(f"result must be something that the library handed back ({kinds}), got {_kind(result)}.")
    arrays: dict[str, np.ndarray] = {}
    document = {
        "format": FORMAT,
        "result": _encoded(result, "", arrays),
        "provenance": {**_provenance(), **(provenance or {})},
    }
    text = json.dumps(document, indent=1, allow_nan=False).encode()
    members = {**arrays, DOCUMENT: np.frombuffer(text, np.uint8), "digest": _digest(text, arrays)}
    place = _file(path)
    store.writable_folder(place.parent)
    store.write_atomically(place, lambda file: np.savez(file, allow_pickle=False, **members))
    return place


def load(path: store.Pathlike) -> Any:
    """Read what `save` wrote; needs neither jax nor matplotlib, and never unpickles.

    Parameters
    ----------
    path : as given to `save`.

    Returns
    -------
    the result, of the type that was saved.

    Raises
    ------
    FileNotFoundError : no such file.
    ValueError : a file that is damaged or was changed, is not of this library, or was written by a newer version of it.

    Examples
    --------
    >>> from rlsignal import diagnose, load, save
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = save(diagnose([[0, 1], [1, 1]] * 30, 2), f"{folder}/found")
    ...     load(f"{folder}/found").prompts
    60
    """
    place = _file(path)
    if not place.is_file():
        raise FileNotFoundError(f"path must name a saved result, got {os.fspath(path)!r}; {place} is no file.")
    try:
        text, arrays = _read(place)
        document = json.loads(text)
        if document["format"] > FORMAT:
            writer = document["provenance"]["versions"]["rlsignal"]
            raise ValueError(f"it was written by rlsignal {writer}, in a newer format; update rlsignal to read it")
        result = _decoded(document["result"], arrays)
        if not isinstance(result, Result):
            raise ValueError(f"it holds no result, but {_kind(result)}")
        return result
    except RecursionError:
        why = "it is nested too deeply"
    except Exception as error:  # whatever a damaged file leads to
        why = str(error) or type(error).__name__
    raise ValueError(f"path must name a result that rlsignal saved, got {os.fspath(path)!r}: {why}.")


def _read(place: Path) -> tuple[bytes, dict[str, np.ndarray]]:
    """The document and the arrays, each read once; nothing is unpacked to more than the file's size."""
    with zipfile.ZipFile(place) as archive:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("it holds packed members, which rlsignal does not write")
    with np.load(io.BytesIO(place.read_bytes()), allow_pickle=False) as members:
        arrays = {name: members[name] for name in members.files}
    text, digest = arrays.pop(DOCUMENT).tobytes(), arrays.pop("digest")
    if not np.array_equal(digest, _digest(text, arrays)):
        raise ValueError("it was changed after it was written, or is damaged")
    return text, arrays


def _digest(text: bytes, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    found = hashlib.sha256(text)
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        found.update(f"{name} {array.dtype.str} {arrays[name].shape}".encode())
        found.update(array.tobytes())
    return np.frombuffer(found.digest(), np.uint8)


def _encoded(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """JSON for everything but arrays; what JSON has no word for is an object with one key, which says what it is."""
    if isinstance(value, Result):
        inner = {
            field.name: _encoded(getattr(value, field.name), f"{name}.{field.name}", arrays) for field in _kept(value)
        }
        return {"type": type(value).__name__, "fields": inner}
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biufU":
            raise ValueError(f"result must hold numbers and text, got an array of {value.dtype} in {name.lstrip('.')}.")
        arrays[name.lstrip(".")] = value
        return {"array": name.lstrip(".")}
    if isinstance(value, Mapping):
        pairs = enumerate(value.items())
        return {"mapping": [[_encoded(x, f"{name}.{i}", arrays) for x in pair] for i, pair in pairs]}
    if isinstance(value, tuple | list):
        return [_encoded(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 2**53:
        return {"int": str(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"result must hold numbers and text, got {_kind(value)} in {name.lstrip('.') or 'it'}.")


def _decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    left = MOST_VALUES

    def decoded(value: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError(f"it holds more than {MOST_VALUES:,} values")
        if isinstance(value, list):
            return tuple(map(decoded, value))
        if not isinstance(value, dict):
            return value
        if "array" in value:
            return arrays[value["array"]]
        if "mapping" in value:
            return {decoded(key): decoded(item) for key, item in value["mapping"]}
        if "float" in value:
            return float(value["float"])
        if "int" in value:
            return int(value["int"])
        return made(value["type"], value["fields"])

    def made(name: str, given: Mapping[str, Any]) -> Result:
        if name not in Result.kinds:
            raise ValueError(f"no result is called {name!r}; one of a study is known once its module is imported")
        kind = Result.kinds[name]
        hints = get_type_hints(kind)
        wanted = {field.name: hints[field.name] for field in _kept(kind)}
        needed = {field.name for field in _kept(kind) if field.default is MISSING}  # others came later
        if differing := (given.keys() - wanted.keys()) | (needed - given.keys()):
            raise ValueError(
                f"{name} has other fields here ({', '.join(sorted(differing))}); it was saved by another version"
            )
        values = {field: decoded(item) for field, item in given.items()}
        wrong = [field for field, item in values.items() if not _fits(item, wanted[field])]
        if wrong:
            raise ValueError(f"{name}.{wrong[0]} is not what it should be, got {_kind(values[wrong[0]])}")
        _check_shapes(kind, values)
        return kind(**values)

    return decoded(value)


def _kept(kind: Any) -> Iterable[Any]:
    """The fields of a dataclass that its constructor takes."""
    if not is_dataclass(kind):
        raise ValueError(f"result must be a dataclass, got {_kind(kind)}.")
    return (field for field in fields(kind) if field.init)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a field's type; what a type does not say is not asked."""
    origin, inner = get_origin(hint), get_args(hint)
    if hasattr(origin, "__value__"):  # an alias, as numpy's NDArray is from 2.5 on
        origin = get_origin(origin.__value__)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is tuple:
        each = inner[:1] * len(value) if len(inner) == 2 and inner[1] is ... and isinstance(value, tuple) else inner
        return isinstance(value, tuple) and len(value) == len(each) and all(map(_fits, value, each))
    if origin is dict:
        return isinstance(value, dict) and all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in value.items())
    if hint is float:
        return isinstance(value, float | int) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    kind = origin or hint
    if kind is Any:
        return True
    return not isinstance(kind, type) or isinstance(value, kind)


def _check_shapes(kind: type[Result], values: Mapping[str, Any]) -> None:
    """Arrays have the axes that their class declares; a letter is one length throughout."""
    sizes: dict[str, int] = {}
    for name, axes in kind.axes.items():
        if values.get(name) is None:
            continue
        shape, letters = np.shape(values[name]), axes.split()
        if len(shape) != len(letters) or any(sizes.setdefault(x, n) != n for x, n in zip(letters, shape, strict=True)):
            raise ValueError(f"{kind.__name__}.{name} has the shape {list(shape)}, which is not [{', '.join(letters)}]")


def _file(path: store.Pathlike) -> Path:
    place = Path(path)
    return place if place.suffix == ".npz" else place.with_name(place.name + ".npz")


def _kind(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else f"{type(value).__name__}"


def _provenance() -> dict[str, Any]:
    return {
        "versions": {name: version(name) for name in ("rlsignal", "numpy", "scipy", "jax", "optax")},
        "python": platform.python_version(),
        "machine": platform.machine(),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
    }
