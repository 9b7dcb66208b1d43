"""Explorer: pooling on a small picture, number by number, and on a photograph."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from labkit.plots import INK, MUTED, VERMILION, Figure
from labkit.plots.style import styled
from labkit.widgets.explorer import Explorer, choice, whole

__all__ = ["explore_pooling"]

SMALL = np.random.default_rng(3).integers(0, 10, (7, 7))
MODES: dict[str, Callable] = {"max": np.max, "average": np.mean, "sum": np.sum}


def explore_pooling(
    photograph: np.ndarray,
    size: int = 2,
    stride: int = 2,
    mode: str = "max",
) -> Explorer:
    """Pool a 7x7 picture of digits, window by window, and a photograph.

    Windows that do not fit whole are left out; pixels that no window reaches are struck
    out. Sums of the photograph are drawn divided by the largest.

    Parameters
    ----------
    photograph : array (H, W) or (H, W, 3)
        uint8, or floats from 0 to 1.
    size, stride : int
        At first, from 1 to 4.
    mode : str
        One of `labkit.widgets.pooling.MODES`.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> import numpy as np
    >>> from labkit.widgets.pooling import explore_pooling
    >>> explore_pooling(np.zeros((30, 40)), size=3, stride=2).sentence.value
    '<b>Window 1 of 9: the max of 8, 0, 1, 5, 0, 0, 2, 1, 6 is 8. Of the photograph&#x27;s pixels 22% are left.</b>'
    """
    photograph = np.asarray(photograph)
    if photograph.dtype == np.uint8:
        photograph = photograph / 255
    return Explorer(
        *_picture(photograph),
        size=whole("size", size, 1, 4),
        stride=whole("stride", stride, 1, 4),
        mode=choice("mode", list(MODES), mode),
        window=whole("window", 1, 1, SMALL.size),
    )


@styled
def _picture(photograph: np.ndarray) -> tuple[Figure, Callable[..., str]]:
    figure = Figure(figsize=(9.0, 2.6))
    digits, result, before, after = figure.subplots(1, 4)
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.89, 0.08)
    _show(before, photograph, "photograph")

    # Not a function of the module: it could be imported as an answer to an exercise.
    def pooled(image: np.ndarray, size: int, stride: int, mode: str) -> np.ndarray:
        """Return (H', W', ...) of an image (H, W, ...), pooled where windows fit whole."""
        for axis in (0, 1):
            starts = np.arange(0, image.shape[axis] - size + 1, stride)
            # A rectangle's max, mean and sum are those of its columns' and its rows'.
            parts = [np.take(image, starts + offset, axis) for offset in range(size)]
            image = MODES[mode](parts, axis=0)
        return image

    @styled
    def draw(size: int, stride: int, mode: str, window: int) -> str:
        small, large = (
            pooled(image, size, stride, mode) for image in (SMALL, photograph)
        )
        row, column = divmod((window - 1) % small.size, small.shape[1])
        top, left = stride * row, stride * column
        values = SMALL[top : top + size, left : left + size]
        _numbers(digits, SMALL, "picture", _reached(size, stride))
        _outline(digits, top, left, size)
        _numbers(result, small, f"{mode}, {size}x{size}, stride {stride}")
        _outline(result, row, column, 1)
        _show(after, large / max(1.0, large.max()), "photograph, pooled")
        share = np.prod(large.shape[:2]) / np.prod(photograph.shape[:2])
        return (
            f"Window {small.shape[1] * row + column + 1} of {small.size}: the {mode} of "
            f"{', '.join(map(str, values.ravel()))} is {small[row, column]:.3g}. Of the photograph's "
            f"pixels {share:.0%} are left."
        )

    return figure, draw


def _reached(size: int, stride: int) -> np.ndarray:
    """Which cells of the small picture lie in some window."""
    lines = np.zeros(len(SMALL), dtype=bool)
    for start in range(0, len(SMALL) - size + 1, stride):
        lines[start : start + size] = True
    return np.outer(lines, lines)


def _show(
    axes: Axes, image: np.ndarray, title: str, cmap: str = "gray", top: float = 1
) -> None:
    """Draw an image in the place of what the axes held."""
    # Clearing the axes would make all ticks anew, the slowest part of a change.
    for artist in (*axes.images, *axes.texts, *axes.patches):
        artist.remove()
    axes.imshow(image, cmap=cmap, vmin=0, vmax=top)
    shape = "x".join(map(str, image.shape[:2]))
    axes.set_title(f"{title}: {shape}", loc="center", y=1.01)
    axes.set_axis_off()


def _numbers(
    axes: Axes, grid: np.ndarray, title: str, reached: np.ndarray | None = None
) -> None:
    """Draw a grid of numbers, each on its shade; cells that are not reached struck out."""
    _show(axes, grid, title, cmap="Blues", top=1.6 * grid.max())
    for (row, column), value in np.ndenumerate(grid):
        lost = reached is not None and not reached[row, column]
        text, colour = ("x", MUTED) if lost else (f"{value:.3g}", INK)
        axes.text(column, row, text, ha="center", va="center", size=8, color=colour)
    # Both grids at one scale: pooling makes the picture smaller.
    axes.set(xlim=(-0.5, len(SMALL) - 0.5), ylim=(len(SMALL) - 0.5, -0.5))


def _outline(axes: Axes, top: int, left: int, size: int) -> None:
    corner = (left - 0.5, top - 0.5)
    axes.add_patch(Rectangle(corner, size, size, fill=False, ec=VERMILION, lw=2.5))
