"""Stand-in for CIFAR-10: ten kinds of shape, drawn in colour over clutter."""

from __future__ import annotations

from functools import partial

import numpy as np

from labkit.data.standins import drawing

CLASS_NAMES = (
    "disc",
    "ring",
    "square",
    "triangle",
    "cross",
    "star",
    "heart",
    "crescent",
    "arrow",
    "bolt",
)
SIZE = 32


def draw(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (count, 32, 32, 3) uint8 images and (count,) int64 labels; the same seed gives the same bytes."""
    return drawing.in_blocks(_draw_block, seed, count, len(CLASS_NAMES))


def draw_easy(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the same with little clutter and telling colours: a network learns them in seconds."""
    block = partial(_draw_block, pieces=1, hues=0.08)
    return drawing.in_blocks(block, seed, count, len(CLASS_NAMES))


def _star_points() -> np.ndarray:
    angle = np.pi * np.arange(10) / 5
    radius = np.where(np.arange(10) % 2 == 0, 1.1, 1.1 * 0.45)
    return np.stack([radius * np.sin(angle), -radius * np.cos(angle)], axis=1)


def _heart_points() -> np.ndarray:
    t = 2 * np.pi * np.arange(28) / 28
    x = 16 * np.sin(t) ** 3
    y = -(13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t))
    return np.stack([x, y], axis=1) / 16


_OUTLINES = {
    "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
    "triangle": [(0, -1.05), (1.05, 0.85), (-1.05, 0.85)],
    "cross": [
        (-0.33, -1), (0.33, -1), (0.33, -0.33), (1, -0.33), (1, 0.33), (0.33, 0.33),
        (0.33, 1), (-0.33, 1), (-0.33, 0.33), (-1, 0.33), (-1, -0.33), (-0.33, -0.33),
    ],
    "star": _star_points(),
    "heart": _heart_points(),
    "arrow": [
        (1.1, 0), (0.1, -0.95), (0.1, -0.36), (-1, -0.36), (-1, 0.36), (0.1, 0.36),
        (0.1, 0.95),
    ],
    "bolt": [(0.3, -1.1), (-0.75, 0.2), (-0.05, 0.2), (-0.35, 1.1), (0.75, -0.25), (0.05, -0.25)],
}  # fmt: skip


def _distance(kind: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the signed distance to the shape of radius about 1 at (0, 0)."""
    if kind == "disc":
        return drawing.disc(x, y, 0.95)
    if kind == "ring":
        return np.abs(drawing.disc(x, y, 0.75)) - 0.25
    if kind == "crescent":
        return np.maximum(drawing.disc(x, y), -drawing.disc(x - 0.5, y + 0.1, 0.8))
    return drawing.polygon(np.array(_OUTLINES[kind]), x, y)


def _draw_block(
    rng: np.random.Generator, labels: np.ndarray, pieces: int = 3, hues: float = 0.15
) -> np.ndarray:
    canvas = _background(rng, len(labels))
    _clutter(rng, canvas, pieces)
    distance, x, y = _placed_shapes(rng, labels)
    # A class has a favourite colour, as skies and frogs have: some help for a linear model.
    hue = labels / len(CLASS_NAMES) + rng.normal(0, hues, len(labels))
    drawing.paint(canvas, distance, _texture(rng, hue, x, y))
    shade = drawing.smooth_noise(rng, len(labels), SIZE, 2)[..., None]
    canvas *= 1 + 0.25 * shade
    canvas += rng.normal(0, 1, canvas.shape) * rng.uniform(
        3, 10, (len(labels), 1, 1, 1)
    )
    return np.clip(np.rint(canvas), 0, 255).astype(np.uint8)


def _background(rng: np.random.Generator, count: int) -> np.ndarray:
    colour = drawing.hue_colour(
        rng.random(count), rng.uniform(0.1, 0.6, count), rng.uniform(0.2, 0.65, count)
    )
    canvas = np.tile(colour[:, None, None, :], (1, SIZE, SIZE, 1))
    for channel in range(3):
        canvas[..., channel] += 30 * drawing.smooth_noise(rng, count, SIZE, 3)
    return canvas


def _clutter(rng: np.random.Generator, canvas: np.ndarray, pieces: int) -> None:
    """Scatter small dots and bars behind the shape, in place."""
    count = len(canvas)
    x, y = drawing.grid(count, SIZE)
    for piece in range(pieces):
        place = rng.uniform(-15, 15, (2, count))
        turn = rng.uniform(0, np.pi, count)
        dx, dy = x - drawing.each(place[0]), y - drawing.each(place[1])
        u = dx * drawing.each(np.cos(turn)) + dy * drawing.each(np.sin(turn))
        v = dy * drawing.each(np.cos(turn)) - dx * drawing.each(np.sin(turn))
        if piece % 2:
            distance = drawing.disc(u, v, drawing.each(rng.uniform(1, 2.5, count)))
        else:
            length, width = rng.uniform(2, 7, count), rng.uniform(0.4, 1.2, count)
            distance = np.maximum(
                np.abs(u) - drawing.each(length), np.abs(v) - drawing.each(width)
            )
        colour = drawing.hue_colour(
            rng.random(count), rng.uniform(0.2, 1, count), rng.uniform(0.2, 1, count)
        )
        drawing.paint(canvas, distance, colour)


def _placed_shapes(
    rng: np.random.Generator, labels: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Return the distance in pixels to each image's shape, and its turned coordinates."""
    count = len(labels)
    radius = rng.uniform(8, 13, count)
    reach = 15 - radius
    x, y = drawing.grid(count, SIZE)
    x = x - drawing.each(rng.uniform(-1, 1, count) * reach)
    y = y - drawing.each(rng.uniform(-1, 1, count) * reach)
    turn = np.radians(rng.uniform(-15, 15, count))
    stretch = rng.uniform(0.85, 1.18, count)
    u = x * drawing.each(np.cos(turn)) + y * drawing.each(np.sin(turn))
    v = y * drawing.each(np.cos(turn)) - x * drawing.each(np.sin(turn))
    u, v = u / drawing.each(radius * stretch), v / drawing.each(radius / stretch)
    distance = np.empty(x.shape, np.float32)
    for label, kind in enumerate(CLASS_NAMES):
        mine = labels == label
        distance[mine] = _distance(kind, u[mine], v[mine]) * drawing.each(radius[mine])
    return distance, u, v


def _texture(
    rng: np.random.Generator, hue: np.ndarray, x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    """Return the shape's colours (N, H, W, 3): plain, striped or shaded."""
    count = len(hue)
    value = rng.uniform(0.75, 1, count)
    main = drawing.hue_colour(hue, rng.uniform(0.45, 1, count), value)
    other = drawing.hue_colour(
        hue + rng.normal(0, 0.05, count), np.full(count, 0.4), value * 0.7
    )
    direction = rng.uniform(0, np.pi, count)
    along = x * drawing.each(np.cos(direction)) + y * drawing.each(np.sin(direction))
    stripes = 0.5 + 0.5 * np.sign(
        np.sin(along * drawing.each(rng.uniform(5, 9, count)))
    )
    ramp = np.clip(0.5 + 0.5 * along, 0, 1)
    kind = drawing.each(rng.integers(0, 3, count))
    mix = np.where(kind == 0, 0, np.where(kind == 1, stripes, ramp))[..., None]
    return main[:, None, None, :] * (1 - mix) + other[:, None, None, :] * mix
