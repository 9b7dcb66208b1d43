"""Files: their hashes, locks that say who holds them, and writing so that a reader sees the
old or the new, never a half."""

import contextlib
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

_BLOCK = 2**20


def content_hash(content: bytes | str) -> str:
    """Return the SHA-256 of bytes, or of a text as UTF-8: 64 hex digits."""
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()


def file_hash(path: Path, algorithm: str = "sha256") -> str:
    """Return the hash of a file of any size, in hex digits, by one of hashlib's algorithms."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a file beside `path`, to be written in the block.

    It becomes `path` in one step when the block ends without an error.
    """
    temporary = _beside(path)
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def held(
    lock: Path, holder: Path, words: str, taken: Callable[[str], None]
) -> Iterator[None]:
    """Hold a lock for the block, with `words` on who holds it in the file `holder`.

    Where another process has it, `taken` is given that one's words, "" where there are
    none; this one waits then, unless `taken` raises an error.
    """
    from filelock import FileLock, Timeout  # slow to import

    one = FileLock(lock)
    try:
        one.acquire(timeout=0)
    except Timeout:
        taken(holder.read_text("utf-8") if holder.is_file() else "")
        one.acquire()
    try:
        write_text(holder, words)
        yield
    finally:
        one.release()


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`, to be filled in the block.

    It becomes `path` in one step when the block ends without an error. Where another
    process was first, its folder stays and this one is thrown away.
    """
    temporary = _beside(path)
    temporary.mkdir()
    try:
        yield temporary
        try:
            temporary.rename(path)
        except OSError:
            if not path.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _beside(path: Path) -> Path:
    """Return a hidden name beside `path` that nobody can guess; their folder exists then."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{secrets.token_hex(12)}")


def write_bytes(path: Path, content: bytes) -> bool:
    """Write a file in one step; returns False where it held just that already."""
    if path.is_file() and path.read_bytes() == content:
        return False
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return True


def write_text(path: Path, content: str) -> bool:
    """Write a text file in one step, as UTF-8; returns False where nothing changed.

    What UTF-8 has no bytes for becomes `?`: parts of names that are in another encoding.
    """
    return write_bytes(path, content.encode(errors="replace"))


def copy_files(source: Path, target: Path, without: Collection[str] = ()) -> None:
    """Copy a folder's files and folders, but those with a suffix of `without`.

    Links are left out, so nothing from outside the folder comes along.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(os.scandir(source), key=lambda entry: entry.name):
        kind = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISDIR(kind):
            copy_files(Path(entry), target / entry.name, without)
        elif stat.S_ISREG(kind) and Path(entry).suffix not in without:
            shutil.copyfile(entry, target / entry.name, follow_symlinks=False)


def own_files(path: Path, deep: bool = True) -> Iterator[Path]:
    """The files of a folder, then those of the folders in it unless not `deep`; or a file.

    Links lead elsewhere and are left out. Raises OSError where a folder cannot be read.
    """
    waiting = [path]
    if stat.S_ISREG(path.lstat().st_mode):
        yield waiting.pop()
    for folder in waiting:  # grows as folders are found
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            kind = entry.stat(follow_symlinks=False).st_mode
            if stat.S_ISREG(kind):
                yield Path(entry)
            elif deep and stat.S_ISDIR(kind):
                waiting.append(Path(entry))
