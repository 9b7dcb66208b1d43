"""Reading one picture of any size, mode and damage."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import math
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from labkit.data.errors import DamagedPicture

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

# Pillow would also try formats that start other programs (EPS) or that no camera writes.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM")
MAX_PIXELS = 50_000_000
# Of larger ones, threads decode one at a time: memory does not grow with the cores.
LARGE_PIXELS = 4_000_000
# Of 255: 16-bit colours of 12 bits or fewer come out of Pillow below this, for it drops the lower byte.
DARKEST = 16
_large = threading.Lock()


def read_picture(
    source: str | Path | bytes | BinaryIO, size: int | None = None
) -> np.ndarray:
    """Return any picture as 8-bit RGB.

    Turned as its EXIF says; grey, palette and CMYK pictures become RGB; transparent ones lie on white; of an
    animation the first frame. Grey levels of more than 8 bits are scaled by the bits that they use, since
    12-bit cameras write 16-bit files: 8, 12 or 16, as the brightest one needs; floats up to 1 by 255.

    Parameters
    ----------
    source : path, bytes or binary file
        A JPEG, PNG, GIF, BMP, TIFF, WEBP, AVIF, PPM or PGM.
    size : int, optional
        The side in pixels of the square that the picture is stretched to.

    Returns
    -------
    picture : array (size, size, 3) or (H, W, 3), uint8
        In its own size where none is asked for.

    Raises
    ------
    DamagedPicture
        It cannot be decoded, holds over 50 million pixels, or has 16-bit colours of which only the lowest
        bits are in use, so that it would be black.
    ValueError
        `size` is below 1.

    Examples
    --------
    >>> from PIL import Image
    >>> from labkit import data
    >>> Image.new("L", (40, 30), 200).save("grey.png")
    >>> data.read_picture("grey.png", size=1)
    array([[[200, 200, 200]]], dtype=uint8)
    >>> data.read_picture(b"<html>404</html>")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    labkit.data.errors.DamagedPicture: picture: not a picture in a known format (JPEG, PNG, ...
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
    with no_warnings():
        return decode(source, name, size)


def decode(
    source: str | Path | bytes | BinaryIO, name: str, size: int | None
) -> np.ndarray:
    """Return what `read_picture` returns; `name` is for errors. Pillow's warnings are the caller's."""
    from PIL import Image

    try:
        stream = io.BytesIO(source) if isinstance(source, bytes) else source
        with Image.open(stream, formats=FORMATS) as image:
            pixels = image.width * image.height
            if pixels > MAX_PIXELS:
                raise DamagedPicture(
                    name,
                    f"{image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read",
                )
            turn = _large if pixels > LARGE_PIXELS else contextlib.nullcontext()
            with turn, contextlib.closing(image):
                return _to_rgb(image, size)
    except FileNotFoundError:
        raise DamagedPicture(name, "there is no such file") from None
    except Image.UnidentifiedImageError:
        raise DamagedPicture(name, _unknown(_is_empty(source))) from None
    except DamagedPicture:
        raise
    # a damaged file can make a decoder fail in any way, and none of them may stop the other pictures
    except Exception as error:
        reason = str(error) or type(error).__name__
        cut = "truncated" in reason.lower()
        raise DamagedPicture(
            name, f"the file is cut short ({reason})" if cut else reason
        ) from None


def why_no_picture(content: bytes) -> str:
    """Return why a file's content is no picture; "" where it is one, be it damaged."""
    from PIL import Image

    with no_warnings():
        try:
            Image.open(io.BytesIO(content), formats=FORMATS).close()
        except Image.UnidentifiedImageError:
            return _unknown(empty=not content)
        # the beginning is a picture's; what is wrong with the rest is told as it is decoded
        except Exception:
            return ""
    return ""


def _is_empty(source: str | Path | bytes | BinaryIO) -> bool:
    if isinstance(source, (str, Path)):
        return Path(source).stat().st_size == 0
    return source == b""


def _unknown(empty: bool) -> str:
    if empty:
        return "the file is empty"
    return f"not a picture in a known format ({', '.join(FORMATS)})"


def _to_rgb(opened: ImageFile, size: int | None) -> np.ndarray:
    from PIL import Image, ImageOps

    if size:
        # a JPEG decoder can leave out detail that the resize would drop anyway
        opened.draft(None, (2 * size, 2 * size))
    wide = opened.format in ("PNG", "TIFF") and ";16" in str(opened.tile)
    opened.load()
    image: Image.Image = opened
    # a broken EXIF block is no reason to lose the picture
    with contextlib.suppress(Exception):
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    elif wide and np.asarray(image.convert("RGB")).max() < DARKEST:
        raise ValueError(
            "its 16-bit colours use the lowest bits only, so it would be black; save it with 8 bits a colour"
        )
    elif image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    if image.mode != "RGB":
        image = image.convert("RGB")
    if size and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    return np.array(image)


def _eight_bits(grey: np.ndarray) -> np.ndarray:
    """Return grey levels of any depth as 0..255: by the bits that the brightest one needs, or floats to 1."""
    levels = np.nan_to_num(grey.astype(np.float32), posinf=0, neginf=0)
    brightest = float(levels.max(initial=0))
    if grey.dtype.kind == "f" and brightest <= 1:
        scale = 255.0
    else:
        # in steps of four: a picture that is dark on purpose is seldom taken for one of fewer bits
        depth = max(8, math.ceil(int(brightest).bit_length() / 4) * 4)
        scale = 2.0 ** (8 - depth)
    return np.clip(levels * scale, 0, 255).astype(np.uint8)


@contextlib.contextmanager
def no_warnings() -> Iterator[None]:
    """Silence Pillow, whose remarks on odd files would reach the student's screen in red.

    For the whole process until the block ends: where threads decode, it goes around all of them.
    """
    _silence_libtiff()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def _silence_libtiff() -> None:
    """Take away the handlers by which Pillow's libtiff writes to the process's standard error itself."""
    from PIL import _imaging

    library = ctypes.CDLL(_imaging.__file__)
    # a libtiff that is built in, without names to find it by, keeps them
    with contextlib.suppress(AttributeError):
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
