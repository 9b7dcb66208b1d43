"""Pictures that are nearly the same: neighbouring frames of a film, copies saved anew."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

SIDE = 7  # a quarter of the 28 pixels that the course's small pictures have
ROWS = 1024  # compared with all others at a time: bounds the memory


def near_duplicates(images: Sequence[np.ndarray], distance: float = 12.0) -> np.ndarray:
    """Return a group number for each picture, int64 (N,); near-duplicates share one.

    `images`: N pictures (H, W) or (H, W, 3), uint8; sizes may differ. `distance`:
    pictures whose thumbnails of 7 by 7 pixels differ by at most so many grey
    levels (root mean square, of 255) belong together, and so do pictures joined
    by a chain of such pairs. Groups are numbered as they first appear.
    """
    first, second = _close_pairs(_thumbnails(images), distance)
    links = coo_array(
        (np.ones(len(first), bool), (first, second)), shape=(len(images),) * 2
    )
    return connected_components(links, directed=False)[1].astype(np.int64)


def _thumbnails(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return each picture's mean colour in 7 by 7 fields, float32 (N, 147)."""
    small = np.empty((len(images), SIDE, SIDE, 3), np.float32)
    for place, image in enumerate(images):
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise ValueError(
                f"picture {place} is {image.dtype} of shape {image.shape}; expected"
                " uint8 (H, W) or (H, W, 3), as data.load gives them."
            )
        colour = Image.fromarray(image).convert("RGB")
        small[place] = colour.resize((SIDE, SIDE), Image.Resampling.BOX)
    return small.reshape(len(images), SIDE * SIDE * 3)


def _close_pairs(points: np.ndarray, distance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of all pairs of rows (N, D) at most `distance` apart."""
    squares = (points**2).mean(axis=1)
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(points), ROWS):
        block = points[start : start + ROWS]
        products = block @ points[start:].T / points.shape[1]
        apart = squares[start : start + ROWS, None] + squares[start:] - 2 * products
        rows, columns = np.nonzero(apart <= distance**2)
        first.append(rows + start)
        second.append(columns + start)
    return np.concatenate(first), np.concatenate(second)
