"""All pictures of a folder or a zip file: found, read and decoded in parallel, the damaged ones left out."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath

import numpy as np

from labkit.data.errors import DamagedPicture, DataError
from labkit.data.notices import progress
from labkit.data.pictures import decode, no_warnings, why_no_picture
from labkit.machine.cores import cores

# A file of such a name is a picture, and a damaged one where it cannot be read; of others the content decides.
SUFFIXES = {".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpe", ".jpeg", ".jpg"}
SUFFIXES |= {".jxl", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# What systems put beside pictures by themselves, besides hidden files.
LITTER = {"thumbs.db", "ehthumbs.db", "desktop.ini"}
MAX_BYTES = 64 * 2**20
# A zip file's member that unpacks to more than this, and to this many times its size, is a bomb.
BOMB_BYTES, BOMB_RATIO = 16 * 2**20, 200
MID_GREY = 128
CHUNK = 32


class Pictures:
    """The picture files of a folder or a zip file by name; a zip is read in memory, never extracted.

    names: paths inside it, with "/", sorted. others: the reason of each file that is no picture, by name.
    Raises DataError where the zip is unreadable, holds a name that leads out of it, or members that overlap.
    """

    def __init__(self, path: Path):
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}
        if not path.is_dir():
            self._open()
        found = self._members if self._zip else _files(path)
        files = sorted(name for name in found if not _is_litter(name))
        reasons = {name: self._why_no_picture(name) for name in files}
        self.others = {name: reason for name, reason in reasons.items() if reason}
        self.names = [name for name in files if name not in self.others]

    def _open(self) -> None:
        try:
            self._zip = zipfile.ZipFile(self.path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{self.path} is not a readable zip file ({error}). Copy or download it again."
            ) from None
        packed = 0
        for member in self._zip.infolist():
            packed += member.compress_size
            name = member.filename.replace("\\", "/")
            if _leads_out(name):
                self._refuse(
                    f"{member.filename!r}, a name that leads out of the archive"
                )
            if not name.endswith("/"):
                self._members[name] = member
        if packed > self.path.stat().st_size:
            self._refuse("members that overlap, as zip bombs do")

    def _why_no_picture(self, name: str) -> str:
        """Return why a file is no picture, "" where its name or its content says that it is one."""
        if PurePosixPath(name).suffix.lower() in SUFFIXES:
            return ""
        try:
            return why_no_picture(self.read(name))
        except DamagedPicture as error:
            return error.reason

    def _refuse(self, what: str) -> None:
        self.close()
        raise DataError(
            f"{self.path} holds {what}. The file is not used. Get it again from its official page."
        )

    def read(self, name: str) -> bytes:
        """Return the file's bytes; DamagedPicture where it is a link in a zip, a bomb, or cannot be read."""
        try:
            if self._zip is None:
                return _read_file(self.path / name, name)
            _check_member(self._members[name], name)
            return self._zip.read(self._members[name])
        except DamagedPicture:
            raise
        except FileNotFoundError:
            raise DamagedPicture(name, "there is no such file") from None
        # cut, encrypted, an unknown compression, a wrong checksum: each has an exception of its own
        except Exception as error:
            raise DamagedPicture(name, str(error) or type(error).__name__) from None

    def decode(
        self,
        names: Sequence[str],
        size: int,
        label: str,
        into: np.ndarray | None = None,
    ) -> tuple[np.ndarray, dict[int, str]]:
        """Return (N, size, size, 3) uint8 and {index: reason} of the damaged ones, which are mid-grey.

        into: the array to fill, made where None. Shows a progress bar; memory beyond the result does not grow
        with the number of pictures.
        """
        images = into
        if images is None:
            images = np.empty((len(names), size, size, 3), np.uint8)
        damaged: dict[int, str] = {}

        def decode_chunk(start: int) -> int:
            chunk = range(start, min(start + CHUNK, len(names)))
            for index in chunk:
                try:
                    images[index] = decode(self.read(names[index]), names[index], size)
                except DamagedPicture as error:
                    images[index] = MID_GREY
                    damaged[index] = error.reason
            return len(chunk)

        bar = progress(total=len(names), desc=label, unit=" pictures")
        with no_warnings(), bar, ThreadPoolExecutor(cores()) as pool:
            for done in pool.map(decode_chunk, range(0, len(names), CHUNK)):
                bar.update(done)
        return images, dict(sorted(damaged.items()))

    def close(self) -> None:
        """Close the zip file."""
        if self._zip is not None:
            self._zip.close()

    def __enter__(self) -> Pictures:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def without(images: np.ndarray, rows: Sequence[int]) -> np.ndarray:
    """Return the images but those rows, in their order, in the same memory."""
    keep = np.setdiff1d(np.arange(len(images)), rows)
    first = min(rows, default=len(images))
    for target, source in enumerate(keep[first:], start=first):
        images[target] = images[source]
    return images[: len(keep)]


def _files(folder: Path) -> Iterator[str]:
    """Yield the files below a folder, and links to folders: those are not followed, they may lead in a circle."""
    for place, folders, names in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        inside = Path(place).relative_to(folder)
        yield from ((inside / name).as_posix() for name in (*links, *names))


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
    return hidden or parts[-1].lower() in LITTER


def _leads_out(name: str) -> bool:
    return (
        name.startswith("/")
        or ".." in name.split("/")
        or bool(re.match("[A-Za-z]:", name))
    )


def _read_file(path: Path, name: str) -> bytes:
    found = path.stat()
    # opening a pipe would wait for ever
    if stat.S_ISDIR(found.st_mode):
        raise DamagedPicture(name, "a link to a folder; put the folder itself there")
    if not stat.S_ISREG(found.st_mode):
        raise DamagedPicture(name, "not a file, but a pipe or a device")
    _check_size(name, found.st_size)
    return path.read_bytes()


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise DamagedPicture(name, "a link; links in a zip file are not followed")
    _check_size(name, member.file_size)
    if (
        member.file_size > BOMB_BYTES
        and member.file_size > BOMB_RATIO * member.compress_size
    ):
        raise DamagedPicture(
            name, f"{member.compress_size:,} bytes unpack to {member.file_size:,}"
        )


def _check_size(name: str, size: int) -> None:
    if size > MAX_BYTES:
        raise DamagedPicture(name, f"{size:,} bytes; at most {MAX_BYTES:,} are read")
