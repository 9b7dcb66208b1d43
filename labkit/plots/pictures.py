"""Pictures with their labels, predictions and probabilities."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from labkit.plots.classes import worst_pairs
from labkit.plots.style import (
    MUTED,
    TEXT_ORANGE,
    WIDTH,
    Figure,
    columns_for,
    draw_picture,
    new_figure,
    new_tiles,
    pretty,
    same_length,
    styled,
)


@styled
def image_grid(
    images: Sequence[np.ndarray],
    labels: Sequence | None = None,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
    columns: int | None = None,
) -> Figure:
    """Draw pictures in rows, each with its label below.

    Parameters
    ----------
    images : N pictures (H, W) or (H, W, 3)
        uint8 or floats in 0..1; sizes may differ.
    labels : N class numbers, optional
        Or N texts where `class_names` is not given.
    class_names : texts, optional
    title : str
        The figure's heading.
    columns : int, optional
        Pictures a row; else as many as fill the last row, or nearly.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        This is one picture, or there is not one label for each.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> figure = plots.image_grid(np.zeros((3, 8, 8), "uint8"), [0, 1, 1], ["cat", "dog"])
    >>> [axes.get_title() for axes in figure.axes[:3]]
    ['cat', 'dog', 'dog']
    """
    shape = getattr(images, "shape", (0,) * 4)  # a list of pictures has none
    if len(shape) < 3 or (len(shape) == 3 and shape[-1] in (1, 3)):
        raise ValueError(
            f"image_grid needs several pictures; found one array {shape}."
            " Put a single picture in a list: [image]."
        )
    same_length("image_grid", images=images, labels=labels)
    captions = [""] * len(images) if labels is None else list(labels)
    if labels is not None and class_names is not None:
        captions = [class_names[int(label)] for label in labels]
    columns = columns or columns_for(len(images))
    fits = int(WIDTH / columns / 0.075)
    captions = [textwrap.fill(pretty(text), max(8, fits)) for text in captions]
    lines = max((text.count("\n") + bool(text) for text in captions), default=0)
    figure, tiles = new_tiles(len(images), columns, title, below=0.15 * lines)
    for axes, image, text in zip(tiles, images, captions, strict=True):
        draw_picture(axes, image)
        axes.set_title(text, loc="center", y=0, pad=-3, va="top", size=8)
    return figure


@styled
def misclassified(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    count: int = 12,
    title: str = "",
) -> Figure:
    """Draw the wrong answers the model was surest of: what it said, and what is true.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, 3)
    labels : array (N,)
        Class numbers from 0.
    probabilities : array (N, C)
    class_names : C texts
    count : int
        At most so many pictures.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There is not one of each for every picture.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> images, said = np.zeros((3, 8, 8), "uint8"), np.eye(2)[[0, 1, 1]]
    >>> figure = plots.misclassified(images, np.array([0, 1, 0]), said, ["cat", "dog"])
    >>> figure.texts[0].get_text().split(";")[0]
    '1 of 3 are wrong'
    """
    same_length(
        "misclassified", images=images, labels=labels, probabilities=probabilities
    )
    predicted = np.argmax(probabilities, axis=1)
    sure = np.max(probabilities, axis=1)
    wrong = np.flatnonzero(predicted != np.asarray(labels))
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:count]
    subtitle = (
        f"{len(wrong):,} of {len(labels):,} are wrong"
        + "; the surest mistakes come first. Orange: what the model said."
        * bool(len(wrong))
    )
    figure, tiles = new_tiles(len(worst), 6, title, subtitle, above=0.1, below=0.34)
    for axes, row in zip(tiles, worst, strict=True):
        draw_picture(axes, images[row])
        said, true = (
            pretty(class_names[int(c)]) for c in (predicted[row], labels[row])
        )
        axes.set_title(f"{sure[row]:.0%}", loc="center", pad=2, color=TEXT_ORANGE)
        _below(axes, 0, said, color=TEXT_ORANGE, weight="bold")
        _below(axes, 1, f"is {true}", color=MUTED)
    return figure


def _below(axes: Axes, line: int, text: str, **options: Any) -> None:
    """Write one short line of text below a picture."""
    axes.annotate(
        text,
        (0.5, 0),
        (0, -3 - 11 * line),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="top",
        size=7.5,
        annotation_clip=False,
        **options,
    )


@styled
def top_k(
    images: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    labels: np.ndarray | None = None,
    *,
    k: int = 5,
    count: int = 8,
    title: str = "",
) -> Figure:
    """Draw pictures with the k likeliest classes as bars beneath, the true one orange.

    The form is that of Figure 4 in Krizhevsky et al., 2012 (the AlexNet paper).

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, 3)
    probabilities : array (N, C)
    class_names : C texts
    labels : array (N,), optional
        Class numbers, None where unknown.
    k : int
        Bars a picture.
    count : int
        At most so many pictures.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There is not one of each for every picture.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> images, said = np.zeros((2, 8, 8), "uint8"), np.array([[0.6, 0.4], [0.3, 0.7]])
    >>> figure = plots.top_k(images, said, ["cat", "dog"], np.array([0, 0]), k=1)
    >>> figure.texts[0].get_text()
    'Orange: the true class.'
    """
    same_length("top_k", images=images, probabilities=probabilities, labels=labels)
    probabilities = np.asarray(probabilities)
    if not len(images):
        return new_figure(0.05, title, "No pictures.")
    count, k = min(count, len(images)), min(k, probabilities.shape[1])
    columns, hits = min(4, count), ""
    if labels is not None:
        best = np.argsort(-probabilities, axis=1)[:, :k]
        among = np.mean(np.any(best == np.asarray(labels)[:, None], axis=1))
        hits = f"Orange: the true class. It is among the first {k} for {among:.1%} of {len(labels):,}."
        hits = hits if len(images) > count else "Orange: the true class."
    rows = -(-count // columns)
    figure = new_figure(rows * (1.8 + 0.19 * k), title, hits, pad=(0.1, 0.05))
    ratios = [1.3, 0.19 * k] * rows
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=ratios)
    for axes in grid.flat:
        axes.set_axis_off()
    for item in range(count):
        row, column = divmod(item, columns)
        true = None if labels is None else int(labels[item])
        draw_picture(grid[2 * row, column], images[item])
        if true is not None:
            grid[2 * row, column].set_title(
                pretty(class_names[true]), loc="center", weight="bold", pad=3
            )
        _bars(grid[2 * row + 1, column], probabilities[item], class_names, true, k)
    return figure


def _bars(
    axes: Axes, row: np.ndarray, names: Sequence[str], true: int | None, k: int
) -> None:
    """Draw one picture's k likeliest classes, likeliest on top, names inside."""
    best = np.argsort(-row, kind="stable")[:k]
    colours = ["#F0B27A" if c == true else "#A9CCE3" for c in best]
    axes.barh(np.arange(k), row[best], color=colours, height=0.82)
    axes.set(xlim=(0, 1), ylim=(k - 0.5, -0.5))
    axes.axvline(0, color=MUTED, lw=1)
    for place, index in enumerate(best):
        bold = "bold" if index == true else "normal"
        options: dict[str, Any] = {"va": "center", "size": 7.5, "weight": bold}
        axes.text(0.02, place, pretty(names[index]), **options)
        axes.text(1, place, f"{row[index]:.0%}", ha="right", **options)


@styled
def confused_pairs(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    *,
    pairs: int = 4,
    title: str = "",
) -> Figure:
    """Draw the pictures of the pairs most confused, one pair a row, most errors first.

    Parameters
    ----------
    images : array (N, H, W) or (N, H, W, 3)
    labels, predicted : array (N,)
        Class numbers from 0.
    class_names : C texts
    pairs : int
        At most so many rows, of eight pictures each.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There is not one of each for every picture.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import plots
    >>> images, true, said = np.zeros((3, 8, 8), "uint8"), [0, 0, 1], [0, 1, 1]
    >>> figure = plots.confused_pairs(images, true, said, ["cat", "dog"])
    >>> figure.axes[0].texts[0].get_text().splitlines()[:2]
    ['cat', '→ dog']
    """
    same_length("confused_pairs", images=images, labels=labels, predicted=predicted)
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    size = len(class_names)
    matrix = np.bincount(labels * size + predicted, minlength=size**2).reshape(size, -1)
    worst = worst_pairs(matrix, pairs)
    if not worst:
        return new_figure(0.05, title, f"All {len(labels):,} are right.")
    figure = new_figure(1.0 * len(worst), title)
    grid = figure.subplots(len(worst), 8 + 2, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for (true, said), row in zip(worst, grid, strict=True):
        names = f"{pretty(class_names[true])}\n→ {pretty(class_names[said])}\n"
        share = f"{matrix[true, said]} of {matrix[true].sum()}"
        row[0].text(0, 0.5, names, va="center", weight="bold", linespacing=1.5)
        row[0].text(0, 0.5, "\n\n" + share, va="center", color=MUTED, linespacing=1.5)
        found = np.flatnonzero((labels == true) & (predicted == said))[:8]
        for axes, index in zip(row[2:], found, strict=False):
            draw_picture(axes, images[index])
    return figure
