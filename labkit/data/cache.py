"""The cache folder: where downloads, decoded pictures and drawn images are kept."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

try:
    import fcntl
except ImportError:  # Windows: writes stay atomic, two processes may do the same work
    fcntl = None

Arrays = dict[str, np.ndarray]


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
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary file beside `path`; it becomes `path` in one step when the block ends without error."""
    handle, name = tempfile.mkstemp(
        dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp makes files private; a shared cache must stay readable to others
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Let one process at a time into the block for `path`, so that two do not do the same work at once."""
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    with contextlib.ExitStack() as held:
        # some network file systems have no locks: then both work, and the last one wins
        with contextlib.suppress(OSError):
            handle = held.enter_context(place("locks", name).open("a"))
            if fcntl:
                fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def arrays(name: str, key: str, build: Callable[[], Arrays]) -> Arrays:
    """Return the cached arrays `name` of that `key` (16 hex digits), building and keeping them the first time.

    Those of another key are outdated and removed.
    """
    file = f"{name}-{key}.npz"
    found = _read(find("arrays", file))
    if found is not None:
        return found
    path = place("arrays", file)
    with lock(path):
        found = _read(path)
        if found is None:
            found = build()
            # a full disk costs the next run time, never this one its data
            with contextlib.suppress(OSError):
                _keep(path, found)
                for old in set(path.parent.glob(f"{name}-{'[0-9a-f]' * 16}.npz")) - {
                    path
                }:
                    old.unlink()
    return found


def _keep(path: Path, arrays: Arrays) -> None:
    with replacing(path) as temporary:
        np.savez(temporary, **arrays)


def _read(path: Path | None) -> Arrays | None:
    """Return the arrays of a .npz file, None where it is missing or was cut short."""
    if path is None or not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def fingerprint(*parts: object) -> str:
    """Return 16 hex digits that change with any part: bytes count as such, a path by its size and mtime."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            stat = part.stat()
            part = f"{part.resolve()}:{stat.st_size}:{stat.st_mtime_ns}"
        digest.update(part if isinstance(part, bytes) else repr(part).encode())
    return digest.hexdigest()[:16]
