"""What a network has learned: weights, filters and feature maps."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import rgb_to_hsv

from labkit.formatting import counted
from labkit.plots.style import (
    WIDTH,
    Figure,
    colour_bar,
    columns_for,
    draw_picture,
    new_tiles,
    pretty,
    styled,
)


@styled
def weights(
    w: np.ndarray,
    shape: tuple[int, int] = (28, 28),
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw each class's weights as a picture, negative red and positive blue.

    All classes share one scale, symmetric about zero.

    Parameters
    ----------
    w : array (H * W, C)
    shape : (H, W)
        Of the pictures.
    class_names : C texts, optional
        Numbers where there are none.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        The weights are not those of pictures of this shape.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> figure = plots.weights(np.eye(16)[:, :3], shape=(4, 4))
    >>> figure.axes[0].images[0].get_array().shape
    (4, 4)
    """
    w = np.asarray(w, dtype=float)
    if w.ndim != 2 or w.shape[0] != int(np.prod(shape)):
        raise ValueError(
            f"weights needs w of shape ({int(np.prod(shape))}, C) for pictures of"
            f" {shape[0]}x{shape[1]}; found {w.shape}."
        )
    names = range(w.shape[1]) if class_names is None else class_names
    limit = float(np.abs(w).max()) or 1.0
    figure, tiles = new_tiles(
        w.shape[1],
        min(5, w.shape[1]),
        title,
        "Red: against the class. Blue: for it.",
        width=WIDTH - 0.8,
        above=0.25,
    )
    for axes, name, column in zip(tiles, names, w.T, strict=True):
        drawn = axes.imshow(column.reshape(shape), cmap="RdBu", vmin=-limit, vmax=limit)
        axes.set_title(pretty(name), loc="center", pad=2, size=8)
    colour_bar(figure, drawn, "weight")
    return figure


SORTS = ("hue", "orientation")


def one_scale(*kernels: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return arrays shifted and stretched together: the smallest of all values is 0, the largest 1.

    Parameters
    ----------
    *kernels : arrays of any shape

    Returns
    -------
    tuple of float arrays
        As many, of the same shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> plots.one_scale(np.array([-1, 0]), np.array([3]))
    (array([0.  , 0.25]), array([1.]))
    """
    low = min(float(np.min(array)) for array in kernels)
    high = max(float(np.max(array)) for array in kernels)
    return tuple((array - low) / ((high - low) or 1.0) for array in kernels)


@styled
def filters(
    kernels: np.ndarray,
    before: np.ndarray | None = None,
    *,
    sort: str | None = None,
    title: str = "",
) -> Figure:
    """Draw convolution kernels as tiles.

    Parameters
    ----------
    kernels : array (F, k, k, 3), in colour, or (F, k, k), in grey
        Values lie in 0..1; `one_scale` brings weights there.
    before : array of the same shape, optional
        The same filters before the training, drawn to the left, each at its filter's place.
    sort : None, "hue" or "orientation"
        What `kernels` are sorted by.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        A shape or `sort` is another one.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> figure = plots.filters(np.random.default_rng(0).random((4, 3, 3, 3)))
    >>> figure.texts[0].get_text()
    '4 filters of 3x3, numbered row by row'
    """
    kernels = np.asarray(kernels)
    if kernels.ndim not in (3, 4) or kernels.shape[1] != kernels.shape[2]:
        raise ValueError(
            "filters needs kernels of shape (F, k, k, 3) or (F, k, k); found"
            f" {kernels.shape}. Keras stores (k, k, C, F): move its last axis to the front."
        )
    if before is not None and np.shape(before) != kernels.shape:
        raise ValueError(
            f"before has the shape {np.shape(before)}, the kernels {kernels.shape};"
            " expected the same filters twice."
        )
    order = np.arange(len(kernels)) if sort is None else _filter_order(kernels, sort)
    count, size = kernels.shape[:2]
    subtitle = f"{counted(count, 'filter')} of {size}x{size}, " + (
        "numbered row by row" if sort is None else f"sorted by {sort}, one scale"
    )
    if before is not None:
        subtitle = f"Left: before training. Right: after. {subtitle}"
        return _side_by_side(np.asarray(before)[order], kernels[order], title, subtitle)
    figure, tiles = new_tiles(count, columns_for(count, 8, 16), title, subtitle)
    for axes, kernel in zip(tiles, kernels[order], strict=True):
        draw_picture(axes, kernel)
    return figure


def _side_by_side(
    left: np.ndarray, right: np.ndarray, title: str, subtitle: str
) -> Figure:
    """Draw two equally large sets of pictures as two blocks of tiles with a gap between."""
    columns = columns_for(len(left), 4, 8)
    rows = -(-len(left) // columns)
    across = 2 * columns + 1
    figure, tiles = new_tiles(rows * across, across, title, subtitle)
    tiles = tiles.reshape(rows, across)
    blocks = tiles[:, :columns], tiles[:, columns + 1 :]
    for block, pictures in zip(blocks, (left, right), strict=True):
        for axes, picture in zip(block.ravel(), pictures, strict=False):
            draw_picture(axes, picture)
    return figure


def _filter_order(kernels: np.ndarray, sort: str) -> np.ndarray:
    """Return the filters' numbers by what sets them apart, strongest pattern deciding."""
    if sort not in SORTS:
        raise ValueError(f"sort is {sort!r}; expected {', '.join(SORTS)} or None.")
    if sort == "hue":
        return np.argsort([_hue(kernel) for kernel in kernels], kind="stable")
    return np.argsort([_orientation(kernel) for kernel in kernels], kind="stable")


def _hue(kernel: np.ndarray) -> float:
    """Return the mean hue of a kernel's pixels, 0..1, each weighted by its saturation."""
    if kernel.ndim == 2:
        return 0.0
    hue, saturation, value = np.moveaxis(rgb_to_hsv(np.clip(kernel, 0, 1)), -1, 0)
    pointer = np.sum(saturation * value * np.exp(2j * np.pi * hue))
    return float(np.angle(pointer) / (2 * np.pi) % 1)


def _orientation(kernel: np.ndarray) -> float:
    """Return the direction across which a kernel changes most, in 0..pi.

    The angle of the structure tensor's first axis (Bigün & Granlund, 1987).
    """
    grey = kernel.mean(axis=-1) if kernel.ndim == 3 else kernel
    down, right = np.gradient(grey)
    angle = np.arctan2(2 * np.sum(down * right), np.sum(right**2) - np.sum(down**2))
    return float(angle / 2 % np.pi)


@styled
def feature_maps(
    maps: np.ndarray,
    image: np.ndarray | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw one picture's feature maps, all on one scale.

    Parameters
    ----------
    maps : array (H, W, F)
    image : array (H, W) or (H, W, 3), optional
        The picture, drawn first.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        These are not the maps of one picture.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> figure = plots.feature_maps(np.dstack([np.eye(4), np.zeros((4, 4))]))
    >>> figure.texts[0].get_text()
    '2 maps of 4x4, one scale; 1 silent (zero everywhere)'
    """
    maps = np.asarray(maps, dtype=float)
    if maps.ndim != 3:
        raise ValueError(
            f"feature_maps needs one picture's maps (H, W, F); found {maps.shape}."
            " Take one of the batch: maps[0]."
        )
    channels = list(np.moveaxis(maps, -1, 0))
    low, high = min(0.0, float(maps.min())), float(maps.max()) or 1.0
    silent = int(sum(not np.any(channel) for channel in channels))
    subtitle = (
        f"{counted(len(channels), 'map')} of {maps.shape[0]}x{maps.shape[1]}, one scale;"
        f" {silent or 'none'} silent (zero everywhere)"
    )
    # The picture has the first column to itself.
    first = int(image is not None)
    columns = min(8, len(channels)) + first
    rows = -(-len(channels) // (columns - first))
    figure, tiles = new_tiles(
        rows * columns, columns, title, subtitle, width=WIDTH - 0.8
    )
    if image is not None:
        draw_picture(tiles[0], image)
    tiles = tiles.reshape(rows, columns)[:, first:].ravel()[: len(channels)]
    for axes, channel in zip(tiles, channels, strict=True):
        drawn = axes.imshow(channel, cmap="viridis", vmin=low, vmax=high)
    colour_bar(figure, drawn, "activation")
    return figure
