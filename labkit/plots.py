"""The figures of the labs: each function draws one figure and returns it.

Figures are made without pyplot, so nothing is drawn twice, nothing stays open
and no global setting changes: a figure shows where it is a cell's last
expression, or through `display(figure)`. `figure.savefig(path)` writes it.
"""

import base64
import io
import textwrap
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as _MatplotlibFigure
from matplotlib.ticker import MaxNLocator, PercentFormatter

WIDTH = 9.0  # inches: the text column of a notebook at 96 pixels an inch

# Okabe and Ito's palette, which people with any form of colour blindness can
# tell apart. (Okabe & Ito, "Color Universal Design", 2008.)
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
_TEXT_ORANGE = "#A94400"  # vermilion, dark enough for small type (contrast 6:1)
INK, MUTED, RULE = "#1f2328", "#59636e", "#d1d9e0"

# For figures that a lab draws itself: plt.rcParams.update(plots.STYLE).
STYLE = {
    "font.size": 9,
    "text.color": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": RULE,
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#eaeef2",
    "grid.linewidth": 0.8,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "figure.facecolor": "white",
    "image.interpolation": "nearest",
    "legend.frameon": False,
    "legend.fontsize": 8,
}
_styled = matplotlib.rc_context(STYLE)


class Figure(_MatplotlibFigure):
    """A matplotlib figure that notebooks show sharp, with its title as alt text."""

    @_styled  # ticks are made as late as here
    def draw(self, renderer):
        super().draw(renderer)

    def _repr_mimebundle_(self, include=None, exclude=None):
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=144)
        width, height = (round(96 * inches) for inches in self.get_size_inches())
        alt = " ".join(text.get_text() for text in self.texts)
        picture = base64.b64encode(buffer.getvalue()).decode("ascii")
        return (
            {"image/png": picture, "text/plain": alt or "figure"},
            {"image/png": {"width": width, "height": height, "alt": alt}},
        )


def _figure(height: float, title: str, subtitle: str = "") -> Figure:
    """Make an empty figure with its heading; `height` is the body's, in inches."""
    lines = textwrap.wrap(subtitle, 125)
    heading = 0.38 * bool(title) + 0.19 * len(lines) + 0.05 * bool(lines)
    total = height + heading
    figure = Figure(figsize=(WIDTH, total), layout="constrained")
    FigureCanvasAgg(figure)
    figure.get_layout_engine().set(
        rect=(0.005, 0.005, 0.99, height / total - 0.01), w_pad=0.03, h_pad=0.04
    )
    top = 1 - 0.1 / total
    if title:
        figure.text(0.012, top, title, va="top", size=12, weight="bold")
    if lines:
        below = top - 0.28 * bool(title) / total
        figure.text(
            0.012, below, "\n".join(lines), va="top", color=MUTED, linespacing=1.35
        )
    return figure


def _tiles(
    count: int,
    columns: int,
    title: str,
    subtitle: str = "",
    *,
    width: float = WIDTH,
    above: float = 0.0,
    below: float = 0.0,
) -> tuple[Figure, np.ndarray]:
    """Make a figure of `count` bare square axes, `columns` a row.

    `width`: what the tiles share; `above`, `below`: room for text; all in inches.
    """
    if not count:
        return _figure(0.05, title, subtitle), np.array([])
    columns = min(columns, count)
    rows = -(-count // columns)
    side = min(width / columns, 1.6)
    figure = _figure(rows * (side + above + below) + 0.1, title, subtitle)
    # Few tiles keep their size: empty places fill the row.
    across = max(columns, int(width // side))
    grid = figure.subplots(rows, across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid[:, :columns].ravel()[:count]


def _columns(count: int, least: int = 6, most: int = 12) -> int:
    """Choose how many tiles stand in a row so that the last row is full, or nearly."""
    if count <= most:
        return count
    return min(range(most, least - 1, -1), key=lambda columns: -count % columns)


def _scale(figure: Figure, drawn, label: str) -> None:
    """Add a colour bar for the whole figure."""
    bar = figure.colorbar(drawn, ax=figure.axes, shrink=0.8, pad=0.01, aspect=30)
    bar.set_label(label)
    bar.outline.set_visible(False)


def _picture(axes: Axes, image: np.ndarray, **options) -> None:
    """Draw one picture: uint8, or floats in 0..1; (H, W), (H, W, 1) or (H, W, 3)."""
    image = np.asarray(image)
    if image.ndim == 3 and image.shape[-1] == 1:
        image = image[..., 0]
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[-1] not in (3, 4)):
        raise ValueError(
            f"A picture has the shape (H, W), (H, W, 1) or (H, W, 3); found {image.shape}."
        )
    if image.dtype != np.uint8:
        low, high = float(np.min(image)), float(np.max(image))
        if not (low >= -1e-6 and high <= 1 + 1e-6):
            raise ValueError(
                "A picture holds uint8 values, or floats from 0 to 1; found"
                f" {image.dtype} from {low:.3g} to {high:.3g}. Draw the pictures as they"
                " were before you standardised them, or rescale them first."
            )
        image = np.clip(image.astype(np.float32), 0, 1)
    top = 255 if image.dtype == np.uint8 else 1
    axes.imshow(image, cmap="gray", vmin=0, vmax=top, **options)


def _pretty(name) -> str:
    """Write a class name as a reader would: `ned_flanders` -> `ned flanders`."""
    return str(name).replace("_", " ")


def _same_length(what: str, **arrays) -> None:
    sizes = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{size} {name}" for name, size in sizes.items())
        raise ValueError(f"{what} needs one of each for every picture; found {found}.")


@_styled
def image_grid(
    images: Sequence[np.ndarray],
    labels: Sequence | None = None,
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
    columns: int | None = None,
) -> Figure:
    """Draw pictures in rows, each with its label below.

    `images`: N pictures (H, W) or (H, W, 3), uint8 or floats in 0..1; sizes may
    differ. `labels`: N class numbers, or N texts where `class_names` is not given.
    """
    shape = getattr(images, "shape", (0,) * 4)  # a list of pictures has none
    if len(shape) < 3 or (len(shape) == 3 and shape[-1] in (1, 3)):
        raise ValueError(
            f"image_grid needs several pictures; found one array {shape}."
            " Put a single picture in a list: [image]."
        )
    _same_length("image_grid", images=images, labels=labels)
    captions = [""] * len(images) if labels is None else list(labels)
    if labels is not None and class_names is not None:
        captions = [class_names[int(label)] for label in labels]
    columns = columns or _columns(len(images))
    fits = int(WIDTH / columns / 0.075)
    captions = [textwrap.fill(_pretty(text), max(8, fits)) for text in captions]
    lines = max((text.count("\n") + bool(text) for text in captions), default=0)
    figure, tiles = _tiles(len(images), columns, title, below=0.15 * lines)
    for axes, image, text in zip(tiles, images, captions, strict=True):
        _picture(axes, image)
        axes.set_title(text, loc="center", y=0, pad=-3, va="top", size=8)
    return figure


@_styled
def weights(
    w: np.ndarray,
    shape: tuple[int, int] = (28, 28),
    class_names: Sequence[str] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw each class's weights as a picture, negative red and positive blue.

    `w`: (H*W, C). All classes share one scale, symmetric about zero.
    """
    w = np.asarray(w, dtype=float)
    if w.ndim != 2 or w.shape[0] != int(np.prod(shape)):
        raise ValueError(
            f"weights needs w of shape ({int(np.prod(shape))}, C) for pictures of"
            f" {shape[0]}x{shape[1]}; found {w.shape}."
        )
    names = range(w.shape[1]) if class_names is None else class_names
    limit = float(np.abs(w).max()) or 1.0
    figure, tiles = _tiles(
        w.shape[1],
        min(5, w.shape[1]),
        title,
        "Red: against the class. Blue: for it.",
        width=WIDTH - 0.8,
        above=0.25,
    )
    for axes, name, column in zip(tiles, names, w.T, strict=True):
        drawn = axes.imshow(column.reshape(shape), cmap="RdBu", vmin=-limit, vmax=limit)
        axes.set_title(_pretty(name), loc="center", pad=2, size=8)
    _scale(figure, drawn, "weight")
    return figure


@_styled
def filters(
    kernels: np.ndarray, *, title: str = "", columns: int | None = None
) -> Figure:
    """Draw convolution kernels as tiles: (F, k, k, 3) in colour or (F, k, k) in grey.

    Values lie in 0..1.
    """
    kernels = np.asarray(kernels)
    if kernels.ndim not in (3, 4) or kernels.shape[1] != kernels.shape[2]:
        raise ValueError(
            "filters needs kernels of shape (F, k, k, 3) or (F, k, k); found"
            f" {kernels.shape}. Keras stores (k, k, C, F): move its last axis to the front."
        )
    count, size = kernels.shape[:2]
    subtitle = f"{count} filters of {size}x{size}, numbered row by row"
    figure, tiles = _tiles(count, columns or _columns(count, 8, 16), title, subtitle)
    for axes, kernel in zip(tiles, kernels, strict=True):
        _picture(axes, kernel)
    return figure


@_styled
def feature_maps(
    maps: np.ndarray,
    image: np.ndarray | None = None,
    *,
    title: str = "",
    columns: int = 8,
) -> Figure:
    """Draw one picture's feature maps (H, W, F), all on one scale; `image` stands first."""
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
        f"{len(channels)} maps of {maps.shape[0]}x{maps.shape[1]}, one scale;"
        f" {silent or 'none'} silent (zero everywhere)"
    )
    # The picture has the first column to itself.
    first = int(image is not None)
    columns = min(columns, len(channels)) + first
    rows = -(-len(channels) // (columns - first))
    figure, tiles = _tiles(rows * columns, columns, title, subtitle, width=WIDTH - 0.8)
    if image is not None:
        _picture(tiles[0], image)
    tiles = tiles.reshape(rows, columns)[:, first:].ravel()[: len(channels)]
    for axes, channel in zip(tiles, channels, strict=True):
        drawn = axes.imshow(channel, cmap="viridis", vmin=low, vmax=high)
    _scale(figure, drawn, "activation")
    return figure


def _worst_pairs(matrix: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Return the (true, predicted) pairs with the most errors, most first."""
    errors = np.where(np.eye(len(matrix), dtype=bool), 0, matrix)
    order = np.argsort(-errors, axis=None, kind="stable")[:count]
    pairs = [divmod(int(cell), len(matrix)) for cell in order]
    return [pair for pair in pairs if errors[pair] > 0]


@_styled
def confusion_matrix(
    matrix: np.ndarray,
    class_names: Sequence[str],
    *,
    normalise: bool = False,
    title: str = "",
) -> Figure:
    """Draw a confusion matrix (C, C) of counts: rows true, columns predicted.

    `normalise=True` shows each row in percent of that class's pictures.
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(class_names), len(class_names)):
        raise ValueError(
            f"confusion_matrix needs one row and one column for each of the"
            f" {len(class_names)} classes; found {matrix.shape}."
        )
    totals = matrix.sum(axis=1, keepdims=True)
    shown = 100 * matrix / np.maximum(totals, 1) if normalise else matrix.astype(float)
    unit = " %" if normalise else ""
    worst = ", ".join(
        f"{_pretty(class_names[i])} → {_pretty(class_names[j])} {shown[i, j]:.0f}{unit}"
        for i, j in _worst_pairs(shown, 3)
    )
    right = np.trace(matrix) / max(1, matrix.sum())
    subtitle = f"{right:.1%} on the diagonal." + f" Most confused: {worst}." * bool(
        worst
    )
    figure = _figure(1.6 + 0.36 * max(8, len(matrix)), title, subtitle)
    axes = figure.subplots()
    _heat(axes, shown, np.eye(len(matrix), dtype=bool))
    names = [_pretty(name) for name in class_names]
    middle = np.arange(len(names)) + 0.5
    axes.set_xticks(middle, names, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(middle, names, rotation=0)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true" + ", rows in percent" * normalise)
    return figure


def _heat(axes: Axes, shown: np.ndarray, diagonal: np.ndarray) -> None:
    """Draw hits blue and errors orange, each on its own scale, so that errors show."""
    text = np.array(
        [[f"{cell:.0f}" if cell >= 0.5 else "" for cell in row] for row in shown]
    )
    for part, palette in ((diagonal, "Blues"), (~diagonal, "Oranges")):
        seaborn.heatmap(
            shown,
            mask=~part,
            annot=text,
            fmt="",
            cmap=palette,
            vmin=0,
            # Without errors the scale must not be empty.
            vmax=max(1.0, float(shown[part].max(initial=0))) * 1.15,
            cbar=False,
            linewidths=1,
            annot_kws={"size": 8 if len(shown) <= 12 else 7},
            ax=axes,
        )


@_styled
def curves(
    history: Mapping[str, Sequence[float]], *, title: str = "", subtitle: str = ""
) -> Figure:
    """Draw a training's curves from name -> one value an epoch, as Keras records them.

    `loss` and `val_loss` share a panel, so do `accuracy` and `val_accuracy`;
    every other name gets its own.
    """
    panels = list(dict.fromkeys(name.removeprefix("val_") for name in history))
    if not panels:
        raise ValueError("curves needs at least one series, such as {'loss': [...]}.")
    columns = min(len(panels), 2 if len(panels) in (2, 4) else 3)
    rows = -(-len(panels) // columns)
    figure = _figure(2.8 * rows, title, subtitle)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid, panels, strict=False):
        _curve_panel(axes, name, history)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


def _curve_panel(axes: Axes, name: str, history: Mapping) -> None:
    """Draw one measure's training and validation curve, and mark the best epoch."""
    ratio = "accuracy" in name
    axes.set_title(_pretty(name))
    axes.set_xlabel("epoch")
    axes.grid(axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(x=0.08, y=0.12)
    if ratio:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    marker = "o" if max(len(v) for v in history.values()) == 1 else None
    series = {"training": name, "validation": "val_" + name}
    for (label, key), colour in zip(series.items(), (BLUE, VERMILION), strict=True):
        if key in history:
            epochs = np.arange(1, len(history[key]) + 1)
            style = "-" if label == "training" else (0, (4, 1.5))
            axes.plot(
                epochs, history[key], color=colour, ls=style, marker=marker, label=label
            )
    axes.legend(loc="best")
    values = np.asarray(history.get("val_" + name, ()), dtype=float)
    if np.isfinite(values).any():
        best = int(np.nanargmax(values) if ratio else np.nanargmin(values))
        axes.plot(best + 1, values[best], "o", color=VERMILION, ms=5)
        text = f"{values[best]:.1%}" if ratio else f"{values[best]:.3g}"
        axes.annotate(
            text,
            (best + 1, values[best]),
            # On the side where the training curve is not.
            (0, -7 if ratio else 7),
            textcoords="offset points",
            ha="center",
            va="top" if ratio else "bottom",
            color=VERMILION,
            weight="bold",
        )


@_styled
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

    `images` (N, H, W[, 3]), `labels` (N,) class numbers, `probabilities` (N, C).
    """
    _same_length(
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
    figure, tiles = _tiles(len(worst), 6, title, subtitle, above=0.1, below=0.34)
    for axes, row in zip(tiles, worst, strict=True):
        _picture(axes, images[row])
        said, true = (
            _pretty(class_names[int(c)]) for c in (predicted[row], labels[row])
        )
        axes.set_title(f"{sure[row]:.0%}", loc="center", pad=2, color=_TEXT_ORANGE)
        _below(axes, 0, said, color=_TEXT_ORANGE, weight="bold")
        _below(axes, 1, f"is {true}", color=MUTED)
    return figure


def _below(axes: Axes, line: int, text: str, **options) -> None:
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


@_styled
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

    `probabilities` (N, C); `labels` (N,) class numbers or None where unknown. The
    form is that of Figure 4 in Krizhevsky et al., 2012 (the AlexNet paper).
    """
    _same_length("top_k", images=images, probabilities=probabilities, labels=labels)
    probabilities = np.asarray(probabilities)
    if not len(images):
        return _figure(0.05, title, "No pictures.")
    count, k = min(count, len(images)), min(k, probabilities.shape[1])
    columns, hits = min(4, count), ""
    if labels is not None:
        best = np.argsort(-probabilities, axis=1)[:, :k]
        among = np.mean(np.any(best == np.asarray(labels)[:, None], axis=1))
        hits = f"Orange: the true class. It is among the first {k} for {among:.1%} of {len(labels):,}."
        hits = hits if len(images) > count else "Orange: the true class."
    rows = -(-count // columns)
    figure = _figure(rows * (1.8 + 0.19 * k), title, hits)
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.05)
    ratios = [1.3, 0.19 * k] * rows
    grid = figure.subplots(2 * rows, columns, squeeze=False, height_ratios=ratios)
    for axes in grid.flat:
        axes.set_axis_off()
    for item in range(count):
        row, column = divmod(item, columns)
        true = None if labels is None else int(labels[item])
        _picture(grid[2 * row, column], images[item])
        if true is not None:
            grid[2 * row, column].set_title(
                _pretty(class_names[true]), loc="center", weight="bold", pad=3
            )
        _bars(grid[2 * row + 1, column], probabilities[item], class_names, true, k)
    return figure


def _bars(axes: Axes, row: np.ndarray, names: Sequence[str], true, k: int) -> None:
    """Draw one picture's k likeliest classes, likeliest on top, names inside."""
    best = np.argsort(-row, kind="stable")[:k]
    colours = ["#F0B27A" if c == true else "#A9CCE3" for c in best]
    axes.barh(np.arange(k), row[best], color=colours, height=0.82)
    axes.set(xlim=(0, 1), ylim=(k - 0.5, -0.5))
    axes.axvline(0, color=MUTED, lw=1)
    for place, index in enumerate(best):
        bold = "bold" if index == true else "normal"
        options = {"va": "center", "size": 7.5, "weight": bold}
        axes.text(0.02, place, _pretty(names[index]), **options)
        axes.text(1, place, f"{row[index]:.0%}", ha="right", **options)


@_styled
def confused_pairs(
    images: np.ndarray,
    labels: np.ndarray,
    predicted: np.ndarray,
    class_names: Sequence[str],
    *,
    pairs: int = 4,
    each: int = 8,
    title: str = "",
) -> Figure:
    """Draw the pictures of the pairs most confused, one pair a row, most errors first.

    `labels` and `predicted` (N,) class numbers.
    """
    _same_length("confused_pairs", images=images, labels=labels, predicted=predicted)
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    size = len(class_names)
    matrix = np.bincount(labels * size + predicted, minlength=size**2).reshape(size, -1)
    worst = _worst_pairs(matrix, pairs)
    if not worst:
        return _figure(0.05, title, f"All {len(labels):,} are right.")
    figure = _figure(1.0 * len(worst), title)
    grid = figure.subplots(len(worst), each + 2, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for (true, said), row in zip(worst, grid, strict=True):
        names = f"{_pretty(class_names[true])}\n→ {_pretty(class_names[said])}\n"
        share = f"{matrix[true, said]} of {matrix[true].sum()}"
        row[0].text(0, 0.5, names, va="center", weight="bold", linespacing=1.5)
        row[0].text(0, 0.5, "\n\n" + share, va="center", color=MUTED, linespacing=1.5)
        found = np.flatnonzero((labels == true) & (predicted == said))[:each]
        for axes, index in zip(row[2:], found, strict=False):
            _picture(axes, images[index])
    return figure


@_styled
def class_scores(
    scores: Mapping[str, Sequence[float]],
    class_names: Sequence[str],
    *,
    title: str = "",
) -> Figure:
    """Draw scores in 0..1 for each class, such as precision, recall and F1.

    `scores`: name -> (C,). Classes are sorted by the last score, best on top.
    """
    for name, values in scores.items():
        if len(values) != len(class_names):
            raise ValueError(
                f"class_scores needs {len(class_names)} values of {name!r}, one a"
                f" class; found {len(values)}."
            )
    names = list(scores)
    values = np.array([scores[name] for name in names], dtype=float)
    order = np.argsort(values[-1], kind="stable")
    values, rows = values[:, order], np.arange(len(order))
    means = ", ".join(
        f"{n} {np.nanmean(v):.1%}" for n, v in zip(names, values, strict=True)
    )
    figure = _figure(0.7 + 0.27 * len(order), title, f"Mean over classes: {means}")
    axes = figure.subplots()
    axes.hlines(rows, np.nanmin(values, axis=0), np.nanmax(values, axis=0), color=RULE)
    markers = zip("<>ods^", (BLUE, VERMILION, INK, GREEN, ORANGE, MUTED), strict=True)
    for name, line, (marker, colour) in zip(names, values, markers, strict=False):
        axes.plot(line, rows, marker, color=colour, ms=6, label=name)
    axes.set_yticks(rows, [_pretty(class_names[c]) for c in order])
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.set_xlim(max(0, np.floor(10 * np.nanmin(values) - 0.3) / 10) - 0.01, 1.01)
    axes.xaxis.set_major_formatter(PercentFormatter(xmax=1, decimals=0))
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=len(names))
    return figure


@_styled
def class_counts(
    labels: np.ndarray, class_names: Sequence[str], *, title: str = ""
) -> Figure:
    """Draw how many pictures each class has, most on top; `labels` (N,) class numbers."""
    counts = np.bincount(np.asarray(labels), minlength=len(class_names))
    order = np.argsort(counts, kind="stable")
    rows = np.arange(len(order))
    ratio = counts.max() / max(1, counts.min())
    uneven = f"the largest class has {ratio:.1f} times the smallest"
    even = f"{counts[0]:,} of each class"
    subtitle = f"{counts.sum():,} pictures; {uneven if ratio > 1 else even}"
    figure = _figure(0.4 + 0.25 * len(order), title, subtitle)
    axes = figure.subplots()
    axes.barh(rows, counts[order], color=BLUE, height=0.7)
    axes.bar_label(axes.containers[0], fmt="{:,.0f}", padding=3, size=8)
    axes.set_yticks(rows, [_pretty(class_names[c]) for c in order])
    axes.tick_params(length=0)
    axes.xaxis.set_visible(False)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.margins(x=0.08)
    return figure
