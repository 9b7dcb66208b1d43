"""Pictures that are nearly the same: neighbouring frames of a film, copies saved anew."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def near_duplicates(images: Sequence[np.ndarray], distance: int = 8) -> np.ndarray:
    """Return a group number for each picture, int64 (N,); near-duplicates share one.

    `images`: N pictures (H, W) or (H, W, 3), uint8; sizes may differ. `distance`:
    pictures whose difference hashes differ in at most so many of 64 bits belong
    together, and so do pictures joined by a chain of such pairs. Groups are
    numbered in the order in which they first appear.
    """
    hashes = difference_hashes(images)
    first, second = _close_pairs(hashes, distance)
    links = coo_array(
        (np.ones(len(first), bool), (first, second)), shape=(len(hashes),) * 2
    )
    return connected_components(links, directed=False)[1].astype(np.int64)


def difference_hashes(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return each picture's difference hash, uint64 (N,).

    The picture, grey and shrunk to 9 by 8, gives one bit for each neighbouring
    pair in a row: is it getting brighter? (N. Krawetz, "Kind of Like That", 2013.)
    """
    small = np.empty((len(images), 8, 9), np.uint8)
    for place, image in enumerate(images):
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise ValueError(
                f"picture {place} is {image.dtype} of shape {image.shape}; expected uint8"
                " (H, W) or (H, W, 3), as data.load gives them."
            )
        grey = Image.fromarray(image).convert("L")
        small[place] = grey.resize((9, 8), Image.Resampling.BOX)
    brighter = small[:, :, 1:] > small[:, :, :-1]
    return np.packbits(brighter.reshape(-1, 64), axis=1).view(np.uint64).ravel()


def _close_pairs(hashes: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of all pairs at most `distance` bits apart."""
    first, second = [], []
    for start in range(0, len(hashes), 1024):  # 1,024 rows at a time bound the memory
        block = hashes[start : start + 1024, None] ^ hashes[None, start:]
        rows, columns = np.nonzero(np.bitwise_count(block) <= distance)
        first.append(rows + start)
        second.append(columns + start)
    empty = np.zeros(0, np.int64)
    return np.concatenate([empty, *first]), np.concatenate([empty, *second])
