"""Stand-in for Fashion-MNIST: silhouettes of ten kinds of clothes, drawn in grey."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from labkit.data.standins import drawing

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
SIZE = 28

Array = np.ndarray


def draw(seed: int, count: int) -> tuple[Array, Array]:
    """Return (count, 28, 28) uint8 images and (count,) int64 labels; the same seed gives the same bytes."""
    return drawing.in_blocks(_draw_block, seed, count, len(CLASS_NAMES))


class _Sheet:
    """One class's images while they are drawn: coordinates, generator, distance to the cloth so far."""

    def __init__(self, rng: np.random.Generator, count: int):
        self.rng, self.count = rng, count
        x, y = drawing.grid(count, SIZE)
        scale = rng.uniform(0.82, 1.05, count)
        self.x = (x - drawing.each(rng.uniform(-2, 2, count))) / drawing.each(scale)
        self.y = (y - drawing.each(rng.uniform(-1.5, 1.5, count))) / drawing.each(scale)
        self.distance = np.full(x.shape, 99, np.float32)
        self.dark = np.zeros(x.shape, np.float32)

    def vary(self, low: float, high: float) -> Array:
        return self.rng.uniform(low, high, self.count)

    def add(self, *points: tuple[Array | float, Array | float]) -> None:
        """Add a polygon of (x, y) corners, each a number or one number an image."""
        self.distance = np.minimum(self.distance, self._polygon(points))

    def cut(self, *points: tuple[Array | float, Array | float]) -> None:
        """Take a polygon out of the cloth."""
        self.distance = np.maximum(self.distance, -self._polygon(points))

    def mirrored(self, *points: tuple[Array | float, Array | float]) -> None:
        """Add a polygon and its mirror image."""
        self.add(*points)
        self.add(*[(-np.asarray(x), y) for x, y in points])

    def line(
        self, x: Array | float, top: float, bottom: float, width: float = 0.5
    ) -> None:
        """Darken the cloth along a vertical line: a seam or a row of buttons."""
        across = np.abs(self.x - drawing.each(np.broadcast_to(x, self.count))) - width
        along = np.maximum(top - self.y, self.y - bottom)
        self.dark = np.maximum(
            self.dark, np.clip(0.5 - np.maximum(across, along), 0, 1)
        )

    def _polygon(
        self, points: tuple[tuple[Array | float, Array | float], ...]
    ) -> Array:
        corners = [
            np.stack([np.broadcast_to(axis, self.count) for axis in point], axis=1)
            for point in points
        ]
        return drawing.polygon(np.stack(corners, axis=1), self.x, self.y)


def _top(
    s: _Sheet, length: Array, width: Array, sleeve: Array, flare: Array | float = 0
) -> None:
    """Add a body with two sleeves; lengths in pixels, `sleeve` from the shoulder along the arm."""
    shoulder = width + 1
    s.add(
        (-shoulder, -11), (-3, -12.5), (3, -12.5), (shoulder, -11), (width, -3),
        (width + flare, length), (-width - flare, length), (-width, -3),
    )  # fmt: skip
    spread = s.vary(0.1, 0.45)
    tip_x, tip_y = shoulder + sleeve * np.sin(spread), -11 + sleeve * np.cos(spread)
    cuff = s.vary(2.2, 3.2)
    s.mirrored(
        (shoulder - 1.5, -11.3), (shoulder, -11), (tip_x + 1, tip_y), (tip_x - cuff, tip_y + 0.8),
        (width - 1, -4),
    )  # fmt: skip


def _neck(s: _Sheet, depth: Array, half: float = 2.6) -> None:
    s.cut((-half, -14), (half, -14), (half * 0.7, -12 + depth * 0.6), (0, -12 + depth),
          (-half * 0.7, -12 + depth * 0.6))  # fmt: skip


def _t_shirt(s: _Sheet) -> None:
    _top(s, s.vary(9, 12), s.vary(5, 7), s.vary(4, 9))
    _neck(s, s.vary(1, 3))


def _trouser(s: _Sheet) -> None:
    waist, hem, gap = s.vary(3.5, 5), s.vary(1.8, 3), s.vary(0.6, 2)
    s.mirrored((0, -12.5), (waist, -12.5), (waist + 1, -5), (gap + hem, 12.5), (gap, 12.5),
               (0, s.vary(-6, -3)))  # fmt: skip


def _pullover(s: _Sheet) -> None:
    _top(s, s.vary(9, 12), s.vary(5.5, 7), s.vary(17, 22))
    _neck(s, s.vary(0.3, 1.6))


def _dress(s: _Sheet) -> None:
    shoulder, waist, hem = s.vary(2.5, 4), s.vary(2, 3.2), s.vary(4, 7.5)
    s.add((-shoulder, -12.5), (shoulder, -12.5), (waist, -4), (hem, 12.5), (-hem, 12.5),
          (-waist, -4))  # fmt: skip
    sleeve = s.vary(0, 4)
    s.mirrored(
        (shoulder - 1, -12.5), (shoulder + sleeve * 0.6, -12 + sleeve), (waist, -7)
    )
    _neck(s, s.vary(1, 3.5), 1.8)


def _coat(s: _Sheet) -> None:
    _top(s, s.vary(11.5, 13), s.vary(5, 6.5), s.vary(18, 22), s.vary(0.3, 1.5))
    _neck(s, s.vary(2, 5))
    s.line(s.vary(-0.8, 0.8), -10, 13)


def _shirt(s: _Sheet) -> None:
    _top(s, s.vary(9, 12.5), s.vary(5, 6.8), s.vary(6, 22))
    _neck(s, s.vary(1, 3))
    s.line(0, -10, 13, 0.2)


def _sole(s: _Sheet, thick: Array | float) -> None:
    s.add((-12.5, 6), (12.5, 6), (12, 6 + thick), (-12, 6 + thick))


def _sandal(s: _Sheet) -> None:
    heel = s.vary(0, 5)
    s.add((-12.5, 5 - heel), (-7, 5 - heel), (2, 5.2), (12.5, 5.5), (12, 7.5), (0, 7), (-8, 6.5 - heel),
          (-11, 7.5), (-12.5, 7.5))  # fmt: skip
    toe, top = s.vary(2, 5), s.vary(-2, 1.5)
    s.add((toe - 2, 6), (toe + 1, top), (toe + 3.2, top), (toe + 0.2, 6))
    s.add((toe + 5, 6.3), (toe + 1, top), (toe + 3.2, top), (toe + 7.2, 6.3))
    ankle = 5 - heel - s.vary(6, 10)
    s.add((-11.8, 5 - heel), (-10.5, ankle), (-2.5, ankle + 1), (-2.2, ankle + 2.8), (-8.8, ankle + 2.2),
          (-9.8, 5 - heel))  # fmt: skip


def _sneaker(s: _Sheet) -> None:
    ankle, tongue = s.vary(-2, 0.5), s.vary(-3, 0)
    s.add((-12.5, ankle), (-9, ankle + 0.5), (-5, ankle + 2), (tongue, ankle - 1.5), (4, 2), (11, 3.5),
          (12.8, 6.2), (-12.5, 6.2))  # fmt: skip
    _sole(s, s.vary(1, 2.2))
    s.line(s.vary(-1, 3), 0, 5, 0.4)
    s.line(s.vary(4, 6), 0, 5, 0.4)


def _bag(s: _Sheet) -> None:
    half, top, bottom = s.vary(8, 12.5), s.vary(-5, 0), s.vary(8, 11)
    s.add((-half * 0.9, top), (half * 0.9, top), (half, bottom), (-half, bottom))
    reach, rise = half * s.vary(0.4, 0.75), top - s.vary(3, 7)
    s.add((-reach, top + 1), (-reach * 0.8, rise), (reach * 0.8, rise), (reach, top + 1),
          (reach - 1.6, top + 1), (reach * 0.8 - 1.6, rise + 1.5), (-reach * 0.8 + 1.6, rise + 1.5),
          (-reach + 1.6, top + 1))  # fmt: skip


def _ankle_boot(s: _Sheet) -> None:
    shaft, heel = s.vary(-2.5, 0.5), s.vary(0.5, 3)
    s.add((-12, s.vary(-12, -8)), (shaft, s.vary(-12, -8)), (shaft + 0.5, -2), (6, 1), (12, 4), (12.8, 7),
          (-12.3, 7))  # fmt: skip
    s.add((-12.3, 6), (-6, 6), (-6.5, 7 + heel), (-12, 7 + heel))
    _sole(s, 1.5)


_CUTS: tuple[Callable[[_Sheet], None], ...] = (
    _t_shirt, _trouser, _pullover, _dress, _coat, _sandal, _shirt, _sneaker, _bag, _ankle_boot,
)  # fmt: skip


def _draw_block(rng: np.random.Generator, labels: Array) -> Array:
    canvas = np.zeros((len(labels), SIZE, SIZE), np.float32)
    for label, cut in enumerate(_CUTS):
        mine = np.flatnonzero(labels == label)
        sheet = _Sheet(rng, len(mine))
        cut(sheet)
        canvas[mine] = _cloth(sheet)
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _cloth(s: _Sheet) -> Array:
    """Return the grey levels: a base tone, soft folds, sometimes stripes, a darker edge, noise."""
    tone = drawing.each(s.vary(60, 235))
    folds = 22 * drawing.smooth_noise(s.rng, s.count, SIZE, 5)
    pitch, strength = (
        drawing.each(s.vary(0.8, 2.2)),
        drawing.each(s.vary(-40, 25)).clip(0),
    )
    across = np.where(drawing.each(s.rng.random(s.count)) < 0.5, s.x, s.y)
    stripes = strength * np.sign(np.sin(across * pitch))
    edge = 35 * np.clip(1 + s.distance / 2, 0, 1)
    grain = s.rng.normal(0, 7, s.x.shape)
    grey = tone + folds + stripes - edge + grain - 60 * s.dark
    return np.clip(grey, 12, 255) * np.clip(0.5 - s.distance, 0, 1)
