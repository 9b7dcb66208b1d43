"""Stand-in for the cats and dogs: drawn heads, of many colours and in all positions, over clutter."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from labkit.data.standins import drawing

CLASS_NAMES = ("cat", "dog")
SIZE = 32

Array = np.ndarray


def draw(seed: int, count: int, size: int = SIZE) -> tuple[Array, Array]:
    """Return (count, size, size, 3) uint8 images and (count,) int64 labels; a seed gives the same bytes.

    Cats have pointed ears, whiskers and slit pupils; dogs have hanging ears, a long muzzle and a large nose.
    Colours and backgrounds are the same for both, so that only shape tells them apart.
    """
    return drawing.in_blocks(partial(_draw_block, size), seed, count, len(CLASS_NAMES))


def _draw_block(size: int, rng: np.random.Generator, labels: Array) -> Array:
    count = len(labels)
    canvas = _background(rng, count, size)
    x, y, scale = _placed(rng, count, size)
    fur = drawing.hue_colour(
        rng.uniform(0.02, 0.14, count),
        rng.uniform(0.05, 0.7, count),
        rng.uniform(0.25, 0.95, count),
    )
    for kind, parts in enumerate((_cat, _dog)):
        chosen = labels == kind
        head = canvas[chosen]
        parts(rng, head, x[chosen], y[chosen], scale[chosen], fur[chosen])
        canvas[chosen] = head
    canvas *= 1 + 0.2 * drawing.smooth_noise(rng, count, size, 3)[..., None]
    canvas += rng.normal(0, 6, canvas.shape)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator, count: int, size: int) -> Array:
    colour = drawing.hue_colour(
        rng.random(count), rng.uniform(0.1, 0.6, count), rng.uniform(0.2, 0.9, count)
    )
    canvas = np.tile(colour[:, None, None, :], (1, size, size, 1))
    for channel in range(3):
        canvas[..., channel] += 40 * drawing.smooth_noise(rng, count, size, 4)
    return canvas


def _placed(rng: np.random.Generator, count: int, size: int) -> tuple[Array, ...]:
    """Return coordinates in which a head has radius about 1, and the pixels of one unit, (N,)."""
    x, y = drawing.grid(count, size)
    scale = size * rng.uniform(0.2, 0.3, count)
    middle = rng.uniform(-0.14, 0.14, (2, count)) * size
    turn = rng.uniform(-0.5, 0.5, count)
    x, y = x - drawing.each(middle[0]), y - drawing.each(middle[1])
    cos, sin = drawing.each(np.cos(turn)), drawing.each(np.sin(turn))
    unit = drawing.each(scale)
    return (x * cos + y * sin) / unit, (y * cos - x * sin) / unit, scale


def _ellipse(x: Array, y: Array, at: tuple, radii: tuple) -> Array:
    """Return the signed distance, in units, to an ellipse (nearly, away from its edge)."""
    u, v = (x - at[0]) / radii[0], (y - at[1]) / radii[1]
    return drawing.disc(u, v) * min(radii)


# So many pixels at a time stay in a core's cache: a whole block at once takes half as long again.
_PIXELS = 2**16


class _Brush:
    """Paints parts of heads, each in its place and mirrored; distances in units of a head."""

    def __init__(self, canvas: Array, x: Array, y: Array, scale: Array):
        self.canvas, self.x, self.y, self.scale = canvas, x, y, drawing.each(scale)

    def ellipse(self, at: tuple, radii: tuple, colour: Array) -> None:
        box = np.array(at) - radii, np.array(at) + radii
        self._paint(
            lambda x, y: _ellipse(x, y, at, radii),
            box,
            max(radii) / min(radii),
            colour,
            (1, -1) if at[0] else (1,),
        )

    def polygon(self, points: list, colour: Array) -> None:
        corners = np.array(points)
        self._paint(
            lambda x, y: drawing.polygon(corners, x[None, None], y[None, None])[0, 0],
            (corners.min(axis=0), corners.max(axis=0)),
            1.0,
            colour,
            (1, -1),
        )

    def _paint(
        self,
        distance: Callable[[Array, Array], Array],
        box: tuple[Array, Array],
        stretch: float,
        colour: Array,
        sides: tuple[int, ...],
    ) -> None:
        """Paint where a part lies: most parts are small, and the rest stays as it is.

        box: its least and greatest (x, y). stretch: how many times a pixel beside the box
        can be further away than its `distance` says.
        """
        count, size = self.x.shape[:2]
        colour = np.broadcast_to(colour, (count, 3))
        step = max(1, _PIXELS // size**2)
        for part in (slice(i, i + step) for i in range(0, count, step)):
            scale, colours = self.scale[part], colour[part]
            edge = stretch / scale  # a pixel, of which half would be enough
            for side in sides:
                x, y = side * self.x[part], self.y[part]
                image, row, column = np.nonzero(
                    (x > box[0][0] - edge)
                    & (x < box[1][0] + edge)
                    & (y > box[0][1] - edge)
                    & (y < box[1][1] + edge)
                )
                place = image, row, column
                away = distance(x[place], y[place]) * scale[image, 0, 0]
                canvas = self.canvas[part]
                canvas[place] = drawing.blended(canvas[place], away, colours[image])


def _cat(rng, canvas: Array, x: Array, y: Array, scale: Array, fur: Array) -> None:
    """Paint cats' heads in place; fur: (N, 3)."""
    brush = _Brush(canvas, x, y, scale)
    dark = fur * 0.25
    brush.polygon([(0.2, -0.75), (0.85, -1.6), (0.98, -0.3)], fur)
    brush.polygon([(0.4, -0.8), (0.8, -1.35), (0.88, -0.5)], fur * 0.6)
    brush.ellipse((0, 0), (1.05, 0.92), fur)
    eyes = drawing.hue_colour(
        rng.uniform(0.15, 0.4, len(fur)), np.full(len(fur), 0.8), np.full(len(fur), 0.9)
    )
    brush.ellipse((0.42, -0.15), (0.22, 0.2), eyes)
    brush.ellipse((0.42, -0.15), (0.06, 0.19), dark)
    brush.polygon([(0, 0.22), (0.13, 0.22), (0, 0.36)], dark)
    for height in (0.3, 0.45):
        brush.polygon([(0.3, height), (1.5, height - 0.1), (1.5, height)], dark)


def _dog(rng, canvas: Array, x: Array, y: Array, scale: Array, fur: Array) -> None:
    """Paint dogs' heads in place; fur: (N, 3)."""
    brush = _Brush(canvas, x, y, scale)
    dark = fur * 0.2
    brush.ellipse((0, 0), (0.88, 1.0), fur)
    brush.ellipse((0.92, 0.05), (0.3, 0.85), fur * rng.uniform(0.4, 0.7))
    brush.ellipse((0, 0.55), (0.5, 0.55), np.minimum(fur * 1.25 + 15, 255))
    brush.ellipse((0.36, -0.25), (0.14, 0.15), dark)
    brush.ellipse((0, 0.35), (0.25, 0.18), dark)
    brush.ellipse((0, 0.95), (0.16, 0.2), np.array([[225, 110, 120]], np.float32))
