"""Reading one picture of any size, mode and damage."""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from labkit.data.errors import DamagedPicture

if TYPE_CHECKING:
    from PIL import Image

# Pillow would also try formats that start other programs (EPS) or that no camera writes.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP")
MAX_PIXELS = 50_000_000
# Of larger ones, threads decode one at a time: memory does not grow with the cores.
LARGE_PIXELS = 4_000_000
_large = threading.Lock()


def read_picture(
    source: str | Path | bytes | BinaryIO, size: int | None = None
) -> np.ndarray:
    """Return any picture as 8-bit RGB.

    Turned as its EXIF says; grey, palette, CMYK and 16-bit pictures become 8-bit RGB; transparent ones lie
    on white; of an animation the first frame.

    Parameters
    ----------
    source : path, bytes or binary file
        A JPEG, PNG, GIF, BMP, TIFF or WEBP.
    size : int, optional
        The side in pixels of the square that the picture is stretched to.

    Returns
    -------
    picture : array (size, size, 3) or (H, W, 3), uint8
        In its own size where none is asked for.

    Raises
    ------
    DamagedPicture
        It cannot be decoded, or holds over 50 million pixels.
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
        ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    elif image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    if image.mode != "RGB":
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
def no_warnings() -> Iterator[None]:
    """Silence Pillow, whose remarks on odd files would reach the student's screen in red."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
