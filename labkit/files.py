"""Writing files so that a reader sees the old one or the new one, never a half."""

import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> bool:
    """Write a file in one step; returns False where it held just that already."""
    if path.is_file() and path.read_bytes() == content:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        # mkstemp makes files private; these are as readable as any other.
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return True


def write_text(path: Path, content: str) -> bool:
    """Write a text file in one step, as UTF-8; returns False where nothing changed."""
    return write_bytes(path, content.encode())


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


def own_files(folder: Path) -> Iterator[Path]:
    """The files of a folder and of the folders in it; links lead elsewhere and are left out."""
    for place, _, names in os.walk(folder, followlinks=False):
        for name in sorted(names):
            path = Path(place, name)
            if stat.S_ISREG(path.lstat().st_mode):
                yield path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
