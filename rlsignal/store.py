"""Our own files on disk: written whole or not at all, never over what is not theirs, and a store of finished blocks."""

import contextlib
import hashlib
import json
import os
import re
import stat
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import numpy as np

from rlsignal.data.records import Rollouts

Pathlike = str | os.PathLike[str]

_UNFINISHED: set[Path] = set()
"""Temporary files of this process."""


def write_atomically(path: Pathlike, write: Callable[[IO[bytes]], Any]) -> None:
    """Write through a temporary file beside it, synced and renamed: readers see the old file or the new one.

    A link is followed. The file has the permissions that the umask leaves, or those of the file that it replaces.

    Raises
    ------
    OSError : something that is no regular file stands there, or the place cannot be written.
    """
    place = Path(os.path.realpath(path))
    try:
        before: int | None = place.stat().st_mode
    except FileNotFoundError:
        before = None
    if before is not None and not stat.S_ISREG(before):
        raise OSError(f"output must be a regular file or a new one, got {os.fspath(path)!r}, which is {_kind(before)}.")
    with _temporary(place, write) as temporary:
        if before is not None:
            os.chmod(temporary, stat.S_IMODE(before))
        os.replace(temporary, place)
    _sync_folder(place.parent)


@contextlib.contextmanager
def _temporary(place: Path, write: Callable[[IO[bytes]], Any]) -> Iterator[Path]:
    """A file beside `place` with what is written, synced; gone in the end unless it was renamed."""
    temporary = place.with_name(f".{place.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    _UNFINISHED.add(temporary)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_NOFOLLOW", 0), 0o666)
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
        _UNFINISHED.discard(temporary)


def discard_unfinished() -> None:
    """Delete the temporary files of writes that are under way; for a process that is about to end."""
    for path in list(_UNFINISHED):
        with contextlib.suppress(OSError):
            path.unlink()


def _sync_folder(folder: Path) -> None:
    """The new name survives a crash of the machine too, where the system lets a folder be synced."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _kind(mode: int) -> str:
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
    return next((words for is_kind, words in kinds.items() if is_kind(mode)), "a device")


def check_outputs(outputs: Mapping[str, Pathlike | None], inputs: Iterable[Pathlike] = ()) -> None:
    """Refuse outputs that would destroy an input or each other, before any work is done for them.

    Parameters
    ----------
    outputs : by the name of the option, such as {"--html": "report.html"}; those that are None were not asked for.
    inputs : files and folders that are read.

    Raises
    ------
    ValueError : an empty path, an output that is an input, two outputs in one place, or something that is no file.
    """
    taken = {os.path.realpath(path): "the input" for path in inputs}
    for name, path in outputs.items():
        if path is None:
            continue
        if not os.fspath(path):
            raise ValueError(f"{name} must name a file, got ''. Leave it out, or give a path.")
        place = os.path.realpath(path)
        if place in taken:
            raise ValueError(f"{name} must be a file of its own, got {os.fspath(path)!r}, which is {taken[place]}.")
        if os.path.exists(place) and not os.path.isfile(place):
            kind = _kind(os.stat(place).st_mode)
            raise ValueError(f"{name} must be a regular file or a new one, got {os.fspath(path)!r}, which is {kind}.")
        taken[place] = f"the output of {name}"


def writable_folder(folder: Pathlike) -> Path:
    """The folder, made if need be, or an error before any long work is spent on it."""
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise OSError(
            f"output must be in a folder that can be written, got {os.fspath(place)!r} ({error.strerror}). "
            "Choose another."
        ) from error
    return place


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """No other process is in here with this folder, where the system has locks; they end with the process.

    Raises
    ------
    OSError : another one is.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OSError(
                f"output must be a folder that no other run writes to, got {os.fspath(folder)!r}. Wait until that run "
                "ends, or choose another folder."
            ) from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


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
    >>> from rlsignal.store import save_counts
    >>> import tempfile
    >>> from rlsignal import read
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(save_counts(read([[0, 1, 1], [0, 0, 0]]), f"{folder}/counts.jsonl").read_text().strip())
    {"id": 0, "c": 2, "n": 3}
    {"id": 1, "c": 0, "n": 3}
    """
    rows = []
    for i, prompt in enumerate(rollouts.prompt):
        row = {"id": prompt, "c": int(rollouts.correct[i]), "n": int(rollouts.samples[i])}
        if rollouts.checkpoint is not None:
            row["checkpoint"] = rollouts.checkpoint[i]
        if rollouts.step is not None:
            row["step"] = float(rollouts.step[i])
        rows.append(row)
    return save_rows(rows, path)


def save_rows(rows: Iterable[Mapping[str, Any]], path: Pathlike) -> Path:
    """Write a line of JSON for each row; the folder is made if need be."""
    text = "".join(json.dumps(row, default=str) + "\n" for row in rows)
    place = Path(path)
    writable_folder(place.parent)
    write_atomically(place, lambda file: file.write(text.encode()))
    return place


class BlockFolder:
    """A folder in which a `rlsignal.sim.Runner` keeps finished blocks, with a folder for each sweep.

    Examples
    --------
    >>> import numpy as np
    >>> import os
    >>> from rlsignal.store import BlockFolder
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     kept = BlockFolder(f"{folder}/blocks")
    ...     kept("starts", {"seed": "0"}).put(3, [np.arange(2)])
    ...     kept.clear()
    ...     os.listdir(folder)
    []
    """

    def __init__(self, folder: Pathlike) -> None:
        self.folder, self.opened = Path(folder), dict[Path, BlockStore]()

    def __call__(self, label: str, recipe: Mapping[str, str]) -> "BlockStore":
        """The blocks of the sweep with this label."""
        blocks = BlockStore(self.folder / re.sub(r"\W+", "-", label), recipe)
        self.opened[blocks.folder] = blocks  # a sweep may be asked for twice
        return blocks

    def clear(self) -> None:
        """Delete the blocks of the sweeps that were opened here, and folders that are then empty; nothing else."""
        for blocks in self.opened.values():
            blocks.clear()
        with contextlib.suppress(OSError):  # not empty, or gone
            self.folder.rmdir()


class BlockStore:
    """A folder of the finished blocks of one sweep (see `rlsignal.sim.sweep`), and what they were computed from.

    Parameters
    ----------
    folder : where; made if need be.
    recipe : what the blocks' numbers depend on. Kept beside them with the versions of the libraries, and by its digest
        in each block.

    Raises
    ------
    ValueError : the folder holds blocks of another recipe or of other versions, or files that are no blocks.
    OSError : the folder cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from rlsignal.store import BlockStore
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     BlockStore(folder, {"seed": "0"}).put(3, [np.arange(2)])
    ...     BlockStore(folder, {"seed": "0"}).get(3)
    [array([0, 1])]
    """

    MANIFEST = "recipe.json"
    LIBRARIES = ("rlsignal", "numpy", "scipy", "jax", "jaxlib", "optax")
    OURS = re.compile(r"block-\d{6}\.npz|\.(block-\d{6}\.npz|recipe\.json)\.\d+-\d+\.tmp")

    def __init__(self, folder: Pathlike, recipe: Mapping[str, str]) -> None:
        self.folder = writable_folder(folder)
        wanted = {**recipe, **{f"version of {name}": version(name) for name in self.LIBRARIES}}
        text = json.dumps(wanted, indent=1, sort_keys=True).encode()
        self.digest = np.frombuffer(hashlib.sha256(text).digest(), np.uint8)
        manifest = self.folder / self.MANIFEST
        if not manifest.exists():
            foreign = [path.name for path in self.folder.iterdir() if not self.OURS.fullmatch(path.name)]
            if foreign and not manifest.exists():
                raise ValueError(
                    f"{os.fspath(folder)!r} holds files that are no finished blocks, such as {foreign[0]!r}. Choose "
                    "another folder, or move them."
                )
            self._claim(manifest, text)
        try:
            kept = json.loads(manifest.read_bytes())
        except ValueError:
            raise ValueError(f"{os.fspath(manifest)!r} is damaged. Delete its folder to start anew.") from None
        differing = sorted(key for key in wanted.keys() | kept.keys() if wanted.get(key) != kept.get(key))
        if differing:
            raise ValueError(
                f"{os.fspath(folder)!r} holds blocks of another recipe ({', '.join(differing)} differ). Choose "
                "another folder, or delete this one to start anew."
            )

    def _claim(self, manifest: Path, text: bytes) -> None:
        """Put the manifest there if none is; of two that try at once, one succeeds and the other reads its manifest."""
        with _temporary(manifest, lambda file: file.write(text)) as temporary:
            try:
                os.link(temporary, manifest)
            except FileExistsError:
                pass
            except OSError:  # a file system without links
                with contextlib.suppress(FileExistsError), open(manifest, "xb") as file:
                    file.write(text)

    def get(self, index: int) -> list[np.ndarray] | None:
        """The arrays of a finished block; None where there is none, or where the file is damaged or another's."""
        try:
            with open(self._path(index), "rb") as file, np.load(file, allow_pickle=False) as members:
                if not np.array_equal(members["recipe"], self.digest) or int(members["index"]) != index:
                    return None
                return [members[str(i)] for i in range(len(members.files) - 2)]  # reading checks each array's CRC
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error):
            return None  # what numpy raises of an archive that is damaged, or that another program wrote

    def put(self, index: int, arrays: list[np.ndarray]) -> None:
        """Keep a finished block, whole or not at all."""
        members: dict[str, Any] = {str(i): array for i, array in enumerate(arrays)}
        members |= {"recipe": self.digest, "index": np.int64(index)}
        try:
            write_atomically(self._path(index), lambda file: np.savez(file, allow_pickle=False, **members))
        except OSError as error:
            raise OSError(
                f"block {index} could not be written to {os.fspath(self.folder)!r} ({error.strerror or error}). "
                "Finished blocks are kept: make room and run the same command to go on."
            ) from error

    def clear(self) -> None:
        """Delete the blocks and their manifest, and the folder if it is then empty."""
        for path in self.folder.iterdir():
            if path.name == self.MANIFEST or self.OURS.fullmatch(path.name):
                path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty
            self.folder.rmdir()

    def _path(self, index: int) -> Path:
        return self.folder / f"block-{index:06d}.npz"
