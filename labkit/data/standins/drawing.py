"""Anti-aliased drawing of many small images at once, by signed distances."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from labkit.machine.cores import cores

Array = np.ndarray


def grid(count: int, size: int) -> tuple[Array, Array]:
    """Return pixel centres x, y, each (count, size, size) float32, from the image's centre in pixels."""
    axis = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    x, y = np.meshgrid(axis, axis)
    shape = (count, size, size)
    return np.broadcast_to(x, shape), np.broadcast_to(y, shape)


def each(values: Array) -> Array:
    """Return (N,) as (N, 1, 1) float32, so that it applies to each image of (N, H, W)."""
    return np.asarray(values, np.float32)[:, None, None]


def polygon(points: Array, x: Array, y: Array) -> Array:
    """Return the signed distance (N, H, W) to a closed polygon, negative inside.

    points: (V, 2) for all images or (N, V, 2); distance to the nearest edge, sign by the even-odd rule.
    """
    points = np.asarray(points, np.float32)
    if points.ndim == 2:
        points = points[None]
    nearest = np.full(x.shape, np.inf, np.float32)
    inside = np.zeros(x.shape, bool)
    for start, end in zip(
        np.moveaxis(points, 1, 0),
        np.moveaxis(np.roll(points, -1, 1), 1, 0),
        strict=True,
    ):
        x0, y0 = each(start[:, 0]), each(start[:, 1])
        dx, dy = each(end[:, 0]) - x0, each(end[:, 1]) - y0
        px, py = x - x0, y - y0
        along = np.clip((px * dx + py * dy) / (dx * dx + dy * dy + 1e-9), 0, 1)
        nearest = np.minimum(nearest, (px - along * dx) ** 2 + (py - along * dy) ** 2)
        crosses = (py < 0) != (py < dy)
        inside ^= crosses & ((px * dy < py * dx) == (dy > 0))
    return np.where(inside, -1, 1) * np.sqrt(nearest)


def disc(x: Array, y: Array, radius: Array | float = 1.0) -> Array:
    """Return the signed distance to a circle about (0, 0), negative inside."""
    return np.hypot(x, y) - radius


def paint(canvas: Array, distance: Array, colour: Array) -> None:
    """Lay `colour` (N, C) or (N, H, W, C) over `canvas` (N, H, W, C), in place, where distance < 0.

    distance: pixels; the edge is blended over one pixel.
    """
    if colour.ndim == 2:
        colour = colour[:, None, None, :]
    canvas[:] = blended(canvas, distance, colour)


def blended(canvas: Array, distance: Array, colour: Array) -> Array:
    """Return `canvas` (..., C) with `colour` over it where distance (...) < 0, as `paint` lays it."""
    cover = np.clip(0.5 - distance, 0, 1)[..., None]
    return canvas + cover * (colour - canvas)


def smooth_noise(rng: np.random.Generator, count: int, size: int, cells: int) -> Array:
    """Return noise (count, size, size) in about -1..1, smooth over size / cells pixels."""
    knots = rng.uniform(-1, 1, (count, cells + 1, cells + 1)).astype(np.float32)
    position = np.linspace(0, cells, size, dtype=np.float32)
    weights = np.clip(1 - np.abs(position[:, None] - np.arange(cells + 1)), 0, 1)
    weights = weights.astype(np.float32)
    return weights @ knots @ weights.T


def hue_colour(hue: Array, saturation: Array, value: Array) -> Array:
    """Return RGB (N, 3) in 0..255 of hue, saturation and value in 0..1 (hue wraps).

    Formula: A. R. Smith, Color gamut transform pairs, SIGGRAPH 1978.
    """
    hue, saturation, value = (
        np.asarray(a, np.float32)[:, None] for a in (hue, saturation, value)
    )
    sector = (np.array([5, 3, 1], np.float32) + hue * 6) % 6
    fall = np.clip(np.minimum(sector, 4 - sector), 0, 1)
    return 255 * value * (1 - saturation * fall)


def balanced_labels(rng: np.random.Generator, count: int, classes: int) -> Array:
    """Return (count,) int64 labels in random order, each class equally often."""
    return rng.permutation(np.arange(count) % classes).astype(np.int64)


BLOCK = 200


def in_blocks(
    draw: Callable[[np.random.Generator, Array], Array],
    seed: int,
    count: int,
    classes: int,
) -> tuple[Array, Array]:
    """Return images and labels drawn block by block, so that a smaller set is the larger one's beginning.

    draw: from a generator and labels (B,) to uint8 images (B, H, W) or (B, H, W, 3).
    """

    def block(number: int) -> tuple[Array, Array]:
        rng = np.random.default_rng([seed, number])
        labels = balanced_labels(rng, BLOCK, classes)
        return draw(rng, labels), labels

    with ThreadPoolExecutor(cores()) as pool:
        images, labels = zip(*pool.map(block, range(-(-count // BLOCK))), strict=True)
    return np.concatenate(images)[:count], np.concatenate(labels)[:count]
