"""Shuffled, augmented batches, and the augmentations that are ready-made."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]
# So many batches are made before they are needed.
AHEAD = 8


class Batches(keras.utils.PyDataset):
    """Shuffled, augmented batches (images, one-hot labels), in a new order every epoch.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    targets : array (N, classes)
    batch_size : int
        The last batch may be smaller.
    augment : function, optional
        `augment(images, rng)` -> images of the same shape.
    alternate_flips : bool
        Mirror each picture in every other epoch, half of them in the first.
    seed : int
        Of the order and the augmentation.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import training
    >>> batches = training.Batches(np.zeros((10, 8, 8)), np.eye(10), batch_size=4)
    >>> [len(targets) for images, targets in batches]
    [4, 4, 2]
    """

    def __init__(
        self,
        images: np.ndarray,
        targets: np.ndarray,
        batch_size: int,
        augment: Augment | None = None,
        alternate_flips: bool = False,
        seed: int = 0,
    ) -> None:
        # With more than one worker Keras fetches the batches itself. With one, tf.data does,
        # whose tuning of itself often misses that an epoch has ended, and sleeps on for up
        # to as long as the epoch took.
        super().__init__(workers=2)
        self.images, self.targets = images, targets
        self.batch_size, self.augment, self.seed = batch_size, augment, seed
        self.alternate_flips = alternate_flips
        # Which pictures begin mirrored, if they are mirrored in turns.
        self.sides = np.random.default_rng(seed).integers(0, 2, len(images))
        self.steps = -(-len(images) // batch_size)
        # An augmentation may keep something of its own between its calls.
        self.one_at_a_time = threading.Lock()
        self.begin(0)

    def __len__(self):
        return self.steps

    def first(self, steps: int) -> Batches:
        """Return the first batches of each epoch, at most so many, with an order of their own."""
        part = copy.copy(self)
        part.steps = min(steps, self.steps)
        return part

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images = self.images[chosen]
        if self.alternate_flips:
            mirrored = (self.sides[chosen] + self.epoch) % 2 == 1
            images[mirrored] = images[mirrored, :, ::-1]
        if self.augment is not None:
            # A generator of its own for each batch: the result does not depend on
            # which thread asks for which batch first.
            rng = np.random.default_rng([self.seed, self.epoch, index])
            with self.one_at_a_time:
                images = self.augment(images, rng)
        return images, self.targets[chosen]

    def on_epoch_end(self):
        self.begin(self.epoch + 1)

    def read_ahead(self) -> Any:
        """Return what `model.fit` takes the batches from: on TensorFlow, a dataset.

        With `EpochOrder`, since a dataset knows of no epochs. Keras's own reader waits for a
        tenth of a second at the end of each: with few pictures a third of the time.
        """
        if keras.backend.backend() != "tensorflow":
            return self
        import tensorflow as tf

        images, targets = self[0]
        dataset = tf.data.Dataset.from_generator(
            lambda: (self[index] for index in range(len(self))),
            output_signature=tuple(
                tf.TensorSpec((None, *array.shape[1:]), array.dtype)
                for array in (images, targets)
            ),
        )
        options = tf.data.Options()
        # What tunes itself sleeps on when an epoch has ended.
        options.autotune.enabled = False
        options.threading.private_threadpool_size = 1
        whole = tf.data.experimental.assert_cardinality(len(self))
        return dataset.apply(whole).prefetch(AHEAD).with_options(options)

    def begin(self, epoch: int) -> None:
        """Take the order of an epoch, from 0."""
        self.epoch = epoch
        rng = np.random.default_rng([self.seed, self.epoch])
        self.order = rng.permutation(len(self.images))


class EpochOrder(keras.callbacks.Callback):
    """Lets each epoch have its order of the batches."""

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch, logs=None):
        # Keras itself, with batches that are no dataset, ends an epoch before the first.
        self.batches.begin(epoch + 1)


def random_shift(
    images: np.ndarray, rng: np.random.Generator, pixels: int = 2
) -> np.ndarray:
    """Return every picture moved by up to `pixels` in each direction, edges mirrored.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    rng : numpy.random.Generator
    pixels : int
        The longest way, in rows and in columns.

    Returns
    -------
    array of the same shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import training
    >>> row = np.array([[[1, 2, 3, 4]]])
    >>> rng = np.random.default_rng(0)
    >>> moved = [training.random_shift(row, rng, pixels=1) for _ in range(9)]
    >>> np.unique(np.concatenate(moved)[:, 0], axis=0)
    array([[1, 2, 3, 4],
           [2, 1, 2, 3],
           [2, 3, 4, 3]])
    """
    count, height, width = images.shape[:3]
    shifts = rng.integers(-pixels, pixels + 1, (2, count))
    rows, columns = _mirrored(shifts[0], height), _mirrored(shifts[1], width)
    return images[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None]]


def _mirrored(shifts: np.ndarray, size: int) -> np.ndarray:
    """Return the index each of `size` places reads from, (len(shifts), size)."""
    places = np.abs(np.arange(size) + shifts[:, None])
    return size - 1 - np.abs(size - 1 - places)


def random_flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the pictures, about half of them mirrored left to right.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    rng : numpy.random.Generator

    Returns
    -------
    array of the same shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import training
    >>> rows = np.tile([1, 2, 3], (4, 1, 1))
    >>> training.random_flip(rows, np.random.default_rng(0))[:, 0].tolist()
    [[1, 2, 3], [3, 2, 1], [3, 2, 1], [3, 2, 1]]
    """
    flipped = rng.random(len(images)) < 0.5
    result = images.copy()
    result[flipped] = images[flipped, :, ::-1]
    return result


def random_cover(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the pictures, each with a grey square a third as wide anywhere on it.

    DeVries and Taylor 2017 ("cutout").

    Parameters
    ----------
    images : uint8 array (N, H, W) or (N, H, W, C)
    rng : numpy.random.Generator

    Returns
    -------
    uint8 array of the same shape

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import training
    >>> covered = training.random_cover(np.zeros((1, 12, 12), "uint8"), np.random.default_rng(0))
    >>> np.unique(covered).tolist()
    [0, 128]
    """
    count, height, width = images.shape[:3]
    reach = height // 6
    rows, columns = (rng.integers(0, side, (count, 1)) for side in (height, width))
    covered = (np.abs(np.arange(height) - rows) <= reach)[:, :, None] & (
        np.abs(np.arange(width) - columns) <= reach
    )[:, None, :]
    result = images.copy()
    result[covered] = 128
    return result


def random_colour(
    images: np.ndarray, rng: np.random.Generator, strength: float = 0.1
) -> np.ndarray:
    """Return every picture with a little more or less of the colours that vary most.

    Section 4.1 of Krizhevsky et al. 2012, with pixels counted from 0 to 1. The components
    are those of a sixteenth of the batch's pixels.

    Parameters
    ----------
    images : uint8 array (N, H, W, 3)
    rng : numpy.random.Generator
    strength : float
        The standard deviation of the three factors, drawn anew for each picture.

    Returns
    -------
    uint8 array of the same shape

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import training
    >>> images = np.zeros((2, 8, 8, 3), "uint8")
    >>> images[:, :4] = 200
    >>> changed = training.random_colour(images, np.random.default_rng(0))
    >>> changed.shape, bool((changed != images).any())
    ((2, 8, 8, 3), True)
    """
    pixels = images[:, ::4, ::4].reshape(-1, 3).astype("float32") / 255
    variances, directions = np.linalg.eigh(np.cov(pixels, rowvar=False))
    factors = rng.normal(0, strength, (len(images), 3)) * variances
    moved = (255 * factors @ directions.T).astype("float32")[:, None, None]
    return (images + moved).round().clip(0, 255).astype("uint8")


def random_affine(
    images: np.ndarray,
    rng: np.random.Generator,
    rotation: float = 8,
    shift: float = 0.08,
    shear: float = 0.3,
    zoom: float = 0.08,
) -> np.ndarray:
    """Return every picture turned, moved, slanted and stretched a little, edges repeated.

    Each of the six numbers is drawn evenly, anew for each picture, as Keras's
    `ImageDataGenerator` draws them; so the zoom of rows and columns is not the same.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, C)
    rng : numpy.random.Generator
    rotation : float
        The widest turn to either side, in degrees.
    shift : float
        The longest way along rows and along columns, as a share of the side.
    shear : float
        The widest slant to either side, in degrees.
    zoom : float
        Rows and columns are each drawn from 1 - zoom to 1 + zoom times as far apart.

    Returns
    -------
    array of the same shape and dtype
        Between pixels the values are linear.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import training
    >>> images = np.eye(9, dtype="uint8")[None] * 200
    >>> turned = training.random_affine(images, np.random.default_rng(0), rotation=40)
    >>> turned.shape, turned.dtype, bool((turned != images).any())
    ((1, 9, 9), dtype('uint8'), True)
    """
    from scipy import ndimage

    count, height, width = images.shape[:3]
    turn, slant = np.deg2rad(rng.uniform(-1, 1, (2, count)) * [[rotation], [shear]])
    down, right = rng.uniform(-shift, shift, (2, count)) * [[height], [width]]
    rows, columns = rng.uniform(1 - zoom, 1 + zoom, (2, count))
    # Where each pixel is fetched from, about the picture's centre: zoomed, slanted, moved,
    # turned.
    row, column = np.indices((height, width), dtype="float32")[:, None]
    row, column = row - (height - 1) / 2, column - (width - 1) / 2
    row, column = row * _each(rows), column * _each(columns)
    row, column = row * _each(np.cos(slant)), column - row * _each(np.sin(slant))
    row, column = row + _each(down), column + _each(right)
    sine, cosine = _each(np.sin(turn)), _each(np.cos(turn))
    row, column = cosine * row + sine * column, cosine * column - sine * row
    places = (
        np.broadcast_to(np.arange(count)[:, None, None], row.shape),
        row + (height - 1) / 2,
        column + (width - 1) / 2,
    )
    channels = images.reshape(count, height, width, -1)
    result = np.empty_like(channels)
    whole = np.issubdtype(images.dtype, np.integer)
    for channel in range(channels.shape[3]):
        part = channels[..., channel].astype("float32")
        moved = ndimage.map_coordinates(part, places, order=1, mode="nearest")
        result[..., channel] = np.rint(moved) if whole else moved
    return result.reshape(images.shape)


def _each(values: np.ndarray) -> np.ndarray:
    """Return a number for each picture, to be multiplied with its pixels."""
    return values.astype("float32")[:, None, None]


def halved(images: np.ndarray) -> np.ndarray:
    """Return the pictures at half their size: means of 2x2 pixels each.

    A last row or column without a neighbour is left out. A network that ends in the mean
    of each feature map learns from small pictures first in a quarter of the time, and takes
    its weights along to the whole ones.

    Parameters
    ----------
    images : uint8 array (N, H, W) or (N, H, W, C)

    Returns
    -------
    uint8 array (N, H // 2, W // 2) or (N, H // 2, W // 2, C)

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import training
    >>> training.halved(np.array([[[0, 4, 9], [8, 8, 9]]], "uint8"))
    array([[[5]]], dtype=uint8)
    """
    height, width = (side // 2 * 2 for side in images.shape[1:3])
    total = np.full_like(images[:, :height:2, :width:2], 2, dtype="uint16")  # rounds
    for row in (0, 1):
        for column in (0, 1):
            total += images[:, row:height:2, column:width:2]
    return (total // 4).astype("uint8")


def one_hot(images: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return labels (N,) as float32 (N, classes), or say what is wrong with them."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels are {labels.dtype} of shape {labels.shape}; "
            "expected integers of shape (N,), one class number for each picture."
        )
    if len(images) != len(labels) or not len(labels):
        raise ValueError(f"there are {len(images)} pictures and {len(labels)} labels.")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels go from {labels.min()} to {labels.max()}, but the model's last layer "
            f"has {classes} outputs: expected 0 to {classes - 1}."
        )
    return np.eye(classes, dtype="float32")[labels]
