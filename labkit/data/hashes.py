"""Whether a data set's files are the published ones, or those that came from Kaggle."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from labkit.data.errors import DataError
from labkit.data.registry import Entry, File
from labkit.files import content_hash, file_hash, write_text

# Beside files of which nobody publishes a hash: theirs when they came, as `sha256sum` writes them.
RECORDED = "SHA256SUMS"
MAX_CONTENT = 2**30


@dataclass(frozen=True)
class FileCheck:
    """Whether one file is the published one.

    Attributes
    ----------
    file : Path
        The file.
    ok : bool or None
        None where no hash is published.
    found, expected : str
        "sha256:..." or "md5:...".
    what : str
        What they are the hashes of: "file", or "uncompressed content".
    """

    file: Path
    ok: bool | None
    found: str
    expected: str
    what: str = "file"

    def __str__(self) -> str:
        if self.ok is None:
            return f"{self.file}: no published hash; found {self.found}"
        if self.ok:
            return f"{self.file}: ok, {self.found}"
        return f"{self.file} does not verify ({self.what}): found {self.found}, expected {self.expected}"


def check(path: Path, published: File) -> FileCheck:
    """Return whether a file's content is the published one, or the file itself where only that is known."""
    data = content(path) if published.content else None
    if data is not None:
        found, expected, what = sha256(data), published.content, "uncompressed content"
    else:
        expected, what = published.hash, "file"
        found = of(path, expected.partition(":")[0] or "sha256")
    return FileCheck(
        path, found == expected if expected else None, found, expected, what
    )


def mismatch(entry: Entry, result: FileCheck) -> DataError:
    """Return the error that says which file is not the published one, with both hashes."""
    return DataError(
        f"{result}. The file is not used. Remove it, then type `labkit data fetch {entry.name}`."
    )


def content(path: Path) -> bytes | None:
    """Return the uncompressed bytes of a file, None where it is cut or damaged."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return stream.read(MAX_CONTENT)
    except (OSError, EOFError, zlib.error):
        return None


def of(path: Path, algorithm: str = "sha256") -> str:
    """Return a file's hash as "sha256:..."."""
    return f"{algorithm}:{file_hash(path, algorithm)}"


def record(folder: Path, names: Iterable[str]) -> None:
    """Write the hashes of files that nobody publishes any of, so that later changes are noticed."""
    lines = [f"{of(folder / n).removeprefix('sha256:')}  {n}\n" for n in names]
    write_text(folder / RECORDED, "".join(lines))


def recorded(folder: Path) -> dict[str, str]:
    """Return {file name: "sha256:..."} of a folder's SHA256SUMS, as `sha256sum` writes it; empty without one."""
    path = folder / RECORDED
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    pairs = (line.split(maxsplit=1) for line in lines if len(line.split()) == 2)
    return {
        name.strip().removeprefix("*"): f"sha256:{digits}" for digits, name in pairs
    }


def sha256(data: bytes) -> str:
    """Return the hash of bytes as "sha256:..."."""
    return f"sha256:{content_hash(data)}"
