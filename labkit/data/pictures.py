"""Reading pictures of any size, mode and damage, one at a time or a whole folder or zip file."""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from labkit.data.errors import DamagedPicture, DataError
from labkit.data.notices import progress

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}
# Pillow would also try formats that start other programs (EPS) or that no camera writes.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
MAX_PIXELS = 50_000_000
MAX_BYTES = 64 * 2**20
MID_GREY = 128
CHUNK = 128


def read_picture(
    source: str | Path | bytes | BinaryIO, size: int | None = None
) -> np.ndarray:
    """Return any picture as RGB, uint8: (size, size, 3), stretched to a square, or its own (H, W, 3).

    Turned as its EXIF says; grey, palette, CMYK and 16-bit pictures become 8-bit RGB; transparent ones lie
    on white; of an animation the first frame. Raises DamagedPicture where it cannot be decoded, or holds
    over 50 million pixels.
    """
    if size is not None and size < 1:
        raise ValueError(
            f"size is {size}; expected at least 1 pixel, or None for the picture's own size"
        )
    name = (
        str(source)
        if isinstance(source, (str, Path))
        else getattr(source, "name", "picture")
    )
    with _no_warnings():
        return _read(source, name, size)


def _read(
    source: str | Path | bytes | BinaryIO, name: str, size: int | None
) -> np.ndarray:
    from PIL import Image

    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(stream, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DamagedPicture(
                    name,
                    f"{image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read",
                )
            return _to_rgb(image, size)
    except FileNotFoundError:
        raise DamagedPicture(name, "there is no such file") from None
    except Image.UnidentifiedImageError:
        raise DamagedPicture(name, _unknown(source)) from None
    except DamagedPicture:
        raise
    # a damaged file can make a decoder fail in any way, and none of them may stop the other pictures
    except Exception as error:
        reason = str(error) or type(error).__name__
        cut = "truncated" in reason.lower()
        raise DamagedPicture(
            name, f"the file is cut short ({reason})" if cut else reason
        ) from None


def _unknown(source: str | Path | bytes | BinaryIO) -> str:
    empty = not source if isinstance(source, bytes) else False
    if isinstance(source, (str, Path)):
        empty = Path(source).stat().st_size == 0
    return (
        "the file is empty"
        if empty
        else f"not a picture in a known format ({', '.join(FORMATS)})"
    )


def _to_rgb(image: Image.Image, size: int | None) -> np.ndarray:
    from PIL import Image, ImageOps

    if size:
        # a JPEG decoder can leave out detail that the resize would drop anyway
        image.draft(None, (2 * size, 2 * size))
    image.load()
    # a broken EXIF block is no reason to lose the picture
    with contextlib.suppress(Exception):
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    elif image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    image = image.convert("RGB")
    if size and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.array(image)


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """Return 16-bit or wider grey levels as 0..255; floats are taken to run from 0 to 1 where they do."""
    if grey.dtype.kind == "f":
        grey = np.nan_to_num(grey)
        return np.clip(grey * (255 if grey.max(initial=0) <= 1 else 1), 0, 255).astype(
            np.uint8
        )
    return np.clip(grey >> 8, 0, 255).astype(np.uint8)


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Silence Pillow, whose remarks on odd files would reach the student's screen in red."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class Pictures:
    """The picture files of a folder or a zip file by name; a zip is read in memory, never extracted.

    names: paths inside it, with "/", sorted. Raises DataError where the zip is unreadable or holds a name
    that leads out of it.
    """

    def __init__(self, path: Path):
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}
        if path.is_dir():
            found = (
                file.relative_to(path).as_posix()
                for file in path.rglob("*")
                if file.is_file()
            )
        else:
            self._open()
            found = iter(self._members)
        self.names = sorted(name for name in found if _is_picture(name))

    def _open(self) -> None:
        try:
            self._zip = zipfile.ZipFile(self.path)
        except (OSError, zipfile.BadZipFile) as error:
            raise DataError(
                f"{self.path} is not a readable zip file ({error}). Copy or download it again."
            ) from None
        for member in self._zip.infolist():
            name = member.filename.replace("\\", "/")
            if (
                name.startswith("/")
                or ".." in name.split("/")
                or re.match("[A-Za-z]:", name)
            ):
                self.close()
                raise DataError(
                    f"{self.path} holds {member.filename!r}, a name that leads out of the archive. "
                    "The file is not used. Get it again from its official page."
                )
            self._members[name] = member

    def read(self, name: str) -> bytes:
        """Return the file's bytes; DamagedPicture where they cannot be read or are over 64 MiB."""
        try:
            if self._zip is None:
                file = self.path / name
                self._check_size(name, file.stat().st_size)
                return file.read_bytes()
            self._check_size(name, self._members[name].file_size)
            return self._zip.read(self._members[name])
        except DamagedPicture:
            raise
        # cut, encrypted, an unknown compression, a wrong checksum: each has an exception of its own
        except Exception as error:
            raise DamagedPicture(name, str(error)) from None

    def _check_size(self, name: str, size: int) -> None:
        if size > MAX_BYTES:
            raise DamagedPicture(
                name, f"{size:,} bytes; at most {MAX_BYTES:,} are read"
            )

    def decode(
        self, names: Sequence[str], size: int, label: str
    ) -> tuple[np.ndarray, dict[int, str]]:
        """Return (N, size, size, 3) uint8 and {index: reason} of the damaged ones, which are mid-grey."""
        images = np.full((len(names), size, size, 3), MID_GREY, np.uint8)
        damaged: dict[int, str] = {}

        def decode_chunk(start: int) -> int:
            chunk = range(start, min(start + CHUNK, len(names)))
            for index in chunk:
                try:
                    images[index] = _read(self.read(names[index]), names[index], size)
                except DamagedPicture as error:
                    damaged[index] = error.reason
            return len(chunk)

        workers = min(8, os.cpu_count() or 1)
        bar = progress(total=len(names), desc=label, unit=" pictures")
        with _no_warnings(), bar, ThreadPoolExecutor(workers) as pool:
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


def _is_picture(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "__MACOSX")) for part in path.parts)
    return path.suffix.lower() in SUFFIXES and not hidden
