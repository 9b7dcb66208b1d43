"""The cache folder: where downloads, decoded pictures and drawn images are kept."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import Literal

import numpy as np

from labkit.files import content_hash

Arrays = dict[str, np.ndarray]
# From a name, a shape and a dtype ("uint8" where left out) to a new array.
Allocate = Callable[..., np.ndarray]
_COMPLETE = "complete"
_MAPPED_FROM = 2**20
_SPARE = 64 * 2**20


def configured() -> Path:
    """Return the cache folder: LABKIT_CACHE, else the user's cache folder; it need not exist."""
    named = os.environ.get("LABKIT_CACHE", "").strip()
    if named:
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("labkit"))


@lru_cache
def _temporary() -> tempfile.TemporaryDirectory:
    """Return this process's own folder, removed at its end."""
    return tempfile.TemporaryDirectory(
        prefix="labkit-cache-", ignore_cleanup_errors=True
    )


def place(*parts: str) -> Path:
    """Return a path in the cache that can be written; its folder exists.

    Where the cache folder is read-only (a shared or confined machine) it is in a folder of this process.
    """
    path = configured().joinpath(*parts)
    if not _writable(path.parent):
        path = Path(_temporary().name).joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def find(*parts: str) -> Path | None:
    """Return the cached file or folder of that name, None where there is none that can be read."""
    for path in (configured().joinpath(*parts), place(*parts)):
        if _readable(path):
            return path
    return None


# Both try, because a confined process may be refused what the file's permissions allow.
def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _readable(path: Path) -> bool:
    try:
        if path.is_dir():
            next(path.iterdir(), None)
        else:
            path.open("rb").close()
        return True
    except OSError:
        return False


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Let one process at a time into the block for `path`, so that two do not do the same work at once."""
    from filelock import FileLock

    name = content_hash(str(path.resolve()))[:16]
    with contextlib.ExitStack() as held:
        # some network file systems have no locks: then both work, and the last one wins
        with contextlib.suppress(OSError, NotImplementedError):
            held.enter_context(FileLock(place("locks", name)))
        yield


def arrays(name: str, key: str, build: Callable[[Allocate], Arrays]) -> Arrays:
    """Return the cached arrays `name` of that `key` (16 hex digits), building and keeping them the first time.

    Large ones are mapped into memory: a page of the file is read when it is first looked at, and a value that
    is changed is changed for this process only. build: takes a function that makes an array of a name, shape
    and dtype in the cache's file itself, so that a large one need not fit into memory. Arrays of another key
    are outdated and removed.
    """
    folder = f"{name}-{key}"
    found = _read(find("arrays", folder))
    if found is not None:
        return found
    path = place("arrays", folder)
    with lock(path):
        found = _read(path)
        if found is None:
            _remove_outdated(path.parent, name)
            found = _build(path, build)
    return found


def _remove_outdated(folder: Path, name: str) -> None:
    """Remove the arrays of another key, and what a process that was killed had begun."""
    for begun in ("", "."):
        for old in folder.glob(f"{begun}{name}-{'[0-9a-f]' * 16}*"):
            # a process may still have them open
            with contextlib.suppress(OSError):
                shutil.rmtree(old) if old.is_dir() else old.unlink()


def _build(path: Path, build: Callable[[Allocate], Arrays]) -> Arrays:
    with tempfile.TemporaryDirectory(
        dir=path.parent, prefix=f".{path.name}.", ignore_cleanup_errors=True
    ) as scratch:
        built = build(partial(_allocate, Path(scratch)))
        # a full disk costs the next run time, never this one its data
        with contextlib.suppress(OSError):
            for name, array in built.items():
                _keep(Path(scratch, f"{name}.npy"), array)
            Path(scratch, _COMPLETE).write_text(" ".join(built))
            Path(scratch).chmod(0o755)
            Path(scratch).rename(path)
    found = _read(path)
    return built if found is None else found


def _allocate(
    folder: Path, name: str, shape: tuple[int, ...], dtype: str = "uint8"
) -> np.ndarray:
    """Return a new array that lies in the file `name`.npy, in memory where the disk has no room."""
    path = folder / f"{name}.npy"
    try:
        _reserve(path, math.prod(shape) * np.dtype(dtype).itemsize)
        return np.lib.format.open_memmap(path, "w+", dtype, shape)
    except OSError:
        path.unlink(missing_ok=True)
        return np.empty(shape, dtype)


def _reserve(path: Path, size: int) -> None:
    # writing to a mapped file on a full disk would end the process
    if shutil.disk_usage(path.parent).free < size + _SPARE:
        raise OSError(errno.ENOSPC, "no room", str(path))


def _keep(path: Path, array: np.ndarray) -> None:
    """Write an array to its file; one that begins in that file is there already."""
    if not (isinstance(array, np.memmap) and path == Path(str(array.filename))):
        np.save(path, array)
        return
    array.flush()
    with path.open("r+b") as file:
        fields = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, fields)
        # fewer rows than were asked for: the rest is cut off
        file.truncate(file.tell() + array.nbytes)


def _read(path: Path | None) -> Arrays | None:
    """Return the arrays of a folder, None where it is missing or a file was cut short."""
    if path is None:
        return None
    try:
        return {
            name: _read_array(path / f"{name}.npy")
            for name in (path / _COMPLETE).read_text().split()
        }
    except (OSError, ValueError, EOFError):
        return None


def _read_array(path: Path) -> np.ndarray:
    large = path.stat().st_size > _MAPPED_FROM
    mode: Literal["c"] | None = "c" if large else None
    return np.asarray(np.load(path, mmap_mode=mode, allow_pickle=False))


def fingerprint(*parts: object) -> str:
    """Return 16 hex digits that change with any part.

    Bytes count as such, a file by its size and mtime, a folder by those of all the files in it.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, bytes):
            digest.update(part)
            continue
        if isinstance(part, Path):
            part = [str(part.resolve()), *sorted(_stamps(part))]
        digest.update(repr(part).encode())
    return digest.hexdigest()[:16]


def code(*modules: ModuleType) -> list[bytes]:
    """Return the text of modules, for a fingerprint: what is kept must not outlive the code that made it."""
    return [Path(str(module.__file__)).read_bytes() for module in modules]


def _stamps(path: Path) -> Iterator[tuple[str, int, int]]:
    if not path.is_dir():
        stat = path.stat()
        yield path.name, stat.st_size, stat.st_mtime_ns
        return
    # os.scandir: tens of thousands of pictures take a fraction of a second
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False):
            yield from _stamps(Path(entry.path))
        else:
            stat = entry.stat(follow_symlinks=False)
            yield entry.path, stat.st_size, stat.st_mtime_ns
