"""Pictures that are nearly the same: neighbouring frames of a film, copies saved anew."""

from collections.abc import Sequence

import numpy as np

Images = np.ndarray | Sequence[np.ndarray]
BITS = 64
# Of 64 bits. On 8,000 frames of The Simpsons, pairs at most 8 bits apart show the same
# character in 99 of 100 cases, at 10 bits in 89, at 12 in 61, where strangers set in.
DISTANCE = 10
ROWS = 1024  # compared with all others at a time: bounds the memory


def near_duplicates(images: Images, distance: int = DISTANCE) -> np.ndarray:
    """Return a group number for each picture; near-duplicates share one.

    Pictures whose perceptual hashes differ in few bits belong together, and so do
    pictures joined by a chain of such pairs.

    Parameters
    ----------
    images : array or sequence of arrays
        N pictures (H, W) or (H, W, 3), uint8; sizes may differ.
    distance : int
        The most bits, of 64, in which the hashes of two near-duplicates differ.

    Returns
    -------
    groups : array (N,), int64
        Numbered from 0 as they first appear.

    Raises
    ------
    ValueError
        A picture is of another shape or type; the text says which.

    Examples
    --------
    A picture, the same one a little darker, and its mirror image:

    >>> from labkit import data, kaggle
    >>> flower = data.photograph("flower")
    >>> kaggle.near_duplicates([flower, flower - flower // 9, flower[:, ::-1]])
    array([0, 0, 1])
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    hashes = perceptual_hashes(images)
    first, second = _close_pairs(hashes, distance)
    links = coo_array(
        (np.ones(len(first), bool), (first, second)), shape=(len(images),) * 2
    )
    return connected_components(links, directed=False)[1].astype(np.int64)


def has_near_duplicate(images: Images, among: Images) -> np.ndarray:
    """Return for each of N pictures whether one of `among` is nearly the same, bool (N,)."""
    if not len(images) or not len(among):
        return np.zeros(len(images), bool)
    asked, known = perceptual_hashes(images), perceptual_hashes(among)
    return np.concatenate(
        [
            _apart(asked[start : start + ROWS], known).min(axis=1) <= DISTANCE
            for start in range(0, len(asked), ROWS)
        ]
    )


def perceptual_hashes(images: Images) -> np.ndarray:
    """Return each picture's perceptual hash, -1 or 1 for each of 64 bits, float32 (N, 64).

    The signs of a picture's lowest frequencies about their median, as ImageHash's `phash`.
    """
    from imagehash import phash
    from PIL import Image

    bits = np.empty((len(images), BITS), np.float32)
    for place, image in enumerate(images):
        image = np.asarray(image)
        if image.dtype != np.uint8 or image.ndim not in (2, 3):
            raise ValueError(
                f"picture {place} is {image.dtype} of shape {image.shape}; expected"
                " uint8 (H, W) or (H, W, 3), as data.load gives them."
            )
        bits[place] = phash(Image.fromarray(image).convert("RGB")).hash.ravel()
    return 2 * bits - 1


def _apart(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the number of bits that each of `some` differs in from each of `others`."""
    return (BITS - some @ others.T) / 2


def _close_pairs(hashes: np.ndarray, distance: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of all pairs of rows (N, 64) at most `distance` bits apart."""
    first, second = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for start in range(0, len(hashes), ROWS):
        near = _apart(hashes[start : start + ROWS], hashes[start:]) <= distance
        rows, columns = np.nonzero(near)
        first.append(rows + start)
        second.append(columns + start)
    return np.concatenate(first), np.concatenate(second)
