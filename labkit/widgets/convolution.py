"""Explorers: a window that slides over a table, a kernel editor, a kernel that learns.

What they compute stands inside their drawing: a function could be imported as an answer.
"""

import functools
from collections.abc import Callable, Sequence

import ipywidgets
import numpy as np
import traitlets
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextPath
from numpy.lib.stride_tricks import sliding_window_view

from labkit.formatting import counted
from labkit.plots import BLUE, INK, MUTED, VERMILION, Figure
from labkit.plots.style import styled
from labkit.widgets.explorer import Explorer, choice, whole

__all__ = ["explore_kernel", "explore_learning", "explore_sliding_window"]

MOST = 10  # rows or columns of which the numbers can still be read
WIDEST = 450  # pixels of a photograph that is filtered anew at each change
BRIGHTNESS, STRENGTH = "brightness 0 to 255", "strength |value|"


def explore_sliding_window(
    image: np.ndarray, kernel: np.ndarray, stride: int = 1, padding: int = 0
) -> Explorer:
    """Slide a kernel over a small image and see each sum as it is made.

    Parameters
    ----------
    image : array (H, W)
        At most 10 rows and 10 columns.
    kernel : array (k, k)
    stride, padding : int
        As they are at first; there is a control for each.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        Where the image is too large, or the kernel is not a square that fits into it.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit.widgets.convolution import explore_sliding_window
    >>> explorer = explore_sliding_window(np.arange(16).reshape(4, 4), np.eye(2))
    >>> explorer.controls["step"].value = 1
    >>> explorer.sentence.value
    '<b>Row 0, column 1: 1·1 + 6·1 = 7</b>'
    """
    image, kernel = np.asarray(image, float), np.asarray(kernel, float)
    _check_shapes(image, kernel)
    steps = whole("step", 0, 0, 1, interval=700)
    figure, show = _sliding_picture(kernel)

    def draw(step: int, stride: int, padding: int) -> str:
        padded = np.pad(image, padding)
        windows = sliding_window_view(padded, kernel.shape)[::stride, ::stride]
        sums = (windows * kernel).sum(axis=(2, 3))
        steps.max = sums.size - 1
        now = divmod(min(step, sums.size - 1), sums.shape[1])
        return show(padded, sums, now, stride, padding)

    return Explorer(
        figure,
        draw,
        step=steps,
        stride=whole("stride", stride, 1, 3),
        padding=whole("padding", padding, 0, 2),
    )


def _check_shapes(image: np.ndarray, kernel: np.ndarray) -> None:
    if image.ndim != 2 or max(image.shape) > MOST:
        raise ValueError(
            f"The image has the shape {image.shape}; expected (H, W) with at most"
            f" {MOST} rows and columns. Take a part of it: image[:8, :8]."
        )
    square = kernel.ndim == 2 and kernel.shape[0] == kernel.shape[1]
    if not square or len(kernel) > min(image.shape):
        raise ValueError(
            f"The kernel has the shape {kernel.shape}; expected a square (k, k) that"
            f" fits into the image {image.shape}."
        )


@styled
def _sliding_picture(kernel: np.ndarray) -> tuple[Figure, Callable[..., str]]:
    """The figure of four tables, and a function that brings them up to date."""
    figure = Figure(figsize=(9.0, 3.5))
    small = (0.125, 0.33)
    source = _Table(figure, (0.005, 0.02, 0.335, 0.86))
    weights = _Table(figure, (0.37, 0.33, *small), signed=True)
    products = _Table(figure, (0.53, 0.33, *small), signed=True)
    result = _Table(figure, (0.69, 0.06, 0.305, 0.78), signed=True)
    for x, sign in ((0.355, "x"), (0.5125, "="), (0.6725, "→")):
        figure.text(x, 0.495, sign, size=13, ha="center", va="center", color=MUTED)
    k = len(kernel)

    @styled
    def show(
        padded: np.ndarray,
        sums: np.ndarray,
        now: tuple[int, int],
        stride: int,
        padding: int,
    ) -> str:
        row, column = (stride * index for index in now)
        window = padded[row : row + k, column : column + k]
        number = np.ravel_multi_index(now, sums.shape)
        made = np.where(
            np.arange(sums.size).reshape(sums.shape) <= number, sums, np.nan
        )
        rings = f" in {counted(padding, 'ring')} of zeros" * bool(padding)
        source.show(padded, f"image{rings}", np.ptp(padded), (row, column, k))
        weights.show(kernel, "kernel", np.abs(kernel).max())
        products.show(
            window * kernel, "products", np.abs(padded).max() * np.abs(kernel).max()
        )
        shape = "{} x {} sums".format(*sums.shape)
        result.show(made, shape, np.abs(sums).max(), (*now, 1), every=sums)
        return f"Row {now[0]}, column {now[1]}: {_addition(window, kernel)} = {sums[now]:.4g}"

    return figure, show


def _addition(window: np.ndarray, kernel: np.ndarray) -> str:
    """The products that are not zero, written out; their number where they are many."""
    pairs = [
        f"{pixel:.4g}·{weight:.4g}" if weight >= 0 else f"{pixel:.4g}·({weight:.4g})"
        for pixel, weight in zip(window.flat, kernel.flat, strict=True)
        if pixel and weight
    ]
    if len(pairs) > 9:
        return f"the sum of {kernel.size} products"
    return " + ".join(pairs) or "every product is 0, the sum"


class _Table:
    """An array of numbers as shaded cells; nan is an empty cell."""

    def __init__(
        self,
        figure: Figure,
        place: tuple[float, float, float, float],
        signed: bool = False,
    ) -> None:
        self._axes = figure.add_axes(place)
        self._signed = signed
        self._shape: tuple[int, ...] | None = None

    def show(
        self,
        numbers: np.ndarray,
        title: str,
        limit: float,
        frame: tuple[int, int, int] | None = None,
        every: np.ndarray | None = None,
    ) -> None:
        """Show `numbers` (H, W) up to `limit`; `frame` (row, column, size) marks a part.

        All are of one size, in which the longest of `every` that will be shown fits.
        """
        if numbers.shape != self._shape:
            self._build(numbers.shape)
        self._numbers.set_path(_written(numbers, numbers if every is None else every))
        # Pale shades: black figures stay readable on all of them.
        limit = limit or 1.0
        low = -2 * limit if self._signed else np.nanmin(numbers) - 2 * limit
        self._shades.set_data(numbers)
        self._shades.set_clim(low, low + (4 if self._signed else 3) * limit)
        self._axes.set_title(title, loc="center")
        if frame is not None:
            row, column, size = frame
            self._frame.set(x=column - 0.5, y=row - 0.5, width=size, height=size)

    def _build(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._axes.clear()
        self._axes.set(xticks=[], yticks=[])
        self._axes.spines[:].set_visible(True)
        cmap = "RdBu" if self._signed else "gray"
        self._shades = self._axes.imshow(np.zeros(shape), cmap=cmap)
        self._numbers = PathPatch(Outline(np.zeros((0, 2))), color=INK, lw=0)
        self._axes.add_patch(self._numbers)
        self._frame = Rectangle(
            (0, 0), 0, 0, fill=False, ec=VERMILION, lw=2.5, zorder=3
        )
        self._axes.add_patch(self._frame)


def _written(numbers: np.ndarray, every: np.ndarray) -> Outline:
    """All numbers of a table as one outline: drawn ten times as fast as that many texts."""
    longest = max((_glyphs(text)[1] for text in _texts(every)), default=0.0)
    size = min(0.46, 0.84 / longest) if longest else 0.46
    outlines = []
    for place, text in zip(np.ndindex(numbers.shape), _texts(numbers), strict=True):
        if text:
            outline, _ = _glyphs(text)
            vertices = np.multiply(outline.vertices, (size, -size)) + place[::-1]
            outlines.append(Outline(vertices, outline.codes))
    return Outline.make_compound_path(*outlines)


def _texts(numbers: np.ndarray) -> list[str]:
    return ["" if np.isnan(number) else f"{number:.4g}" for number in numbers.flat]


@functools.cache
def _glyphs(text: str) -> tuple[Outline, float]:
    """A text's outline of size 1, centred on (0, 0), and its width."""
    outline = TextPath((0, 0), text or "0", size=1)
    width = float(np.max(outline.vertices, axis=0)[0]) if text else 0.0
    centred = np.subtract(outline.vertices, (width / 2, 0.365))
    return Outline(centred, outline.codes), width


class KernelBoxes(ipywidgets.VBox):
    """Nine number boxes and a menu that fills them; `value` is the kernel as nine numbers."""

    value = traitlets.Tuple()

    def __init__(self, kernels: dict[str, np.ndarray], name: str) -> None:
        self._kernels = {key: np.asarray(k, float) for key, k in kernels.items()}
        self.menu = choice("kernel", list(kernels), name)
        self.menu.style.description_width = "50px"
        # Their labels are for screen readers alone.
        self.boxes = [
            ipywidgets.FloatText(
                description=f"row {row}, column {column}",
                style={"description_width": "0px"},
                layout={"width": "80px"},
            )
            for row, column in np.ndindex(3, 3)
        ]
        grid = ipywidgets.GridBox(
            self.boxes, layout={"grid_template_columns": "repeat(3, 88px)"}
        )
        super().__init__([self.menu, grid])
        self._fill()
        self.menu.observe(self._fill, "value")
        for box in self.boxes:
            box.observe(self._read, "value")

    def _fill(self, _change: object = None) -> None:
        # Set before the boxes: each of them then finds nothing new to tell.
        self._filling = True
        for box, weight in zip(
            self.boxes, self._kernels[self.menu.value].flat, strict=True
        ):
            box.value = round(float(weight), 4)
        self._filling = False
        self.value = tuple(self._kernels[self.menu.value].ravel().tolist())

    def _read(self, _change: object = None) -> None:
        if not self._filling:
            self.value = tuple(box.value for box in self.boxes)


def explore_kernel(
    photograph: np.ndarray, kernels: dict[str, np.ndarray], name: str = "sharpen"
) -> Explorer:
    """Edit a 3x3 kernel and see at once what it makes of a photograph.

    Parameters
    ----------
    photograph : array (H, W) or (H, W, 3)
        0 to 255; shown in grey and at most 450 pixels wide.
    kernels : dict of str to array (3, 3)
        What can be begun with.
    name : str
        The kernel that is there at first.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> import numpy as np
    >>> from labkit.widgets.convolution import explore_kernel
    >>> photograph = np.tile(np.arange(40) * 6, (30, 1))
    >>> explorer = explore_kernel(photograph, {"mean": np.full((3, 3), 1 / 9)}, "mean")
    >>> explorer.sentence.value
    '<b>The weights sum to 1: flat areas keep their brightness. The values run from 6 to 228.</b>'
    """
    grey = _grey(photograph)
    figure, show = _kernel_picture(grey)

    def draw(kernel: tuple[float, ...], view: str) -> str:
        weights = np.reshape(kernel, (3, 3))
        windows = sliding_window_view(grey, weights.shape)
        response = (windows * weights).sum(axis=(2, 3))
        show(np.abs(response) if view == STRENGTH else response)
        return (
            f"The weights sum to {weights.sum():.3g}: {_on_flat_areas(weights.sum())}."
            f" The values run from {response.min():.0f} to {response.max():.0f}."
        )

    return Explorer(
        figure,
        draw,
        kernel=KernelBoxes(kernels, name),
        view=choice("show as", [BRIGHTNESS, STRENGTH], BRIGHTNESS),
    )


def _grey(photograph: np.ndarray) -> np.ndarray:
    grey = np.asarray(photograph, np.float32)
    grey = grey.mean(axis=2) if grey.ndim == 3 else grey
    shrink = -(-grey.shape[1] // WIDEST)
    height, width = (size // shrink * shrink for size in grey.shape)
    tiles = grey[:height, :width].reshape(
        height // shrink, shrink, width // shrink, shrink
    )
    return tiles.mean(axis=(1, 3))


def _on_flat_areas(total: float) -> str:
    if abs(total - 1) < 0.005:
        return "flat areas keep their brightness"
    if abs(total) < 0.005:
        return "flat areas become 0, black"
    return f"flat areas become {total:.3g} times as bright"


@styled
def _kernel_picture(grey: np.ndarray) -> tuple[Figure, Callable[..., None]]:
    """The figure, photograph left and result right, and a function that shows a result."""
    figure = Figure(figsize=(9.0, 3.3))
    for x, title in ((0.0, "the photograph, in grey"), (0.505, "filtered")):
        axes = figure.add_axes((x, 0.02, 0.495, 0.9))
        axes.set_axis_off()
        axes.set_title(title)
        drawn = axes.imshow(grey, cmap="gray", vmin=0, vmax=255)
    return figure, drawn.set_data


def explore_learning(
    image: np.ndarray, kernels: Sequence[np.ndarray], errors: Sequence[float]
) -> Explorer:
    """See a kernel learn: its weights at each step, its feature map, and the error.

    Parameters
    ----------
    image : array (H, W)
    kernels : sequence of arrays (k, k)
        One a step.
    errors : sequence of float
        One above 0 a step.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        Where there is not one error for each kernel, or there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit.widgets.convolution import explore_learning
    >>> kernels = [np.zeros((3, 3)), np.ones((3, 3))]
    >>> explorer = explore_learning(np.ones((6, 6)), kernels, errors=[1.0, 0.1])
    >>> explorer.sentence.value
    '<b>Step 1: the error is 0.1.</b>'
    """
    image, tables = np.asarray(image, float), np.asarray(kernels, float)
    if len(tables) != len(errors) or not len(tables):
        raise ValueError(
            f"Found {counted(len(tables), 'kernel')} and {counted(len(errors), 'error')};"
            " expected one of each for every step, and one step or more."
        )
    last = len(tables) - 1
    # At its end: a page without widgets shows what was learned.
    steps = whole("step", last, 0, last, interval=150)
    windows = sliding_window_view(image, tables[0].shape)
    maps = np.tensordot(tables, windows, axes=([1, 2], [2, 3]))
    show = _learning_picture(tables, maps, np.asarray(errors, float))
    return Explorer(*show, step=steps)


@styled
def _learning_picture(
    kernels: np.ndarray, maps: np.ndarray, errors: np.ndarray
) -> tuple[Figure, Callable[..., str]]:
    """The figure of a kernel, its map and the error, and a function that shows a step."""
    figure = Figure(figsize=(9.0, 2.9))
    weights = _Table(figure, (0.005, 0.03, 0.27, 0.84), signed=True)
    picture = figure.add_axes((0.3, 0.03, 0.27, 0.84))
    picture.set(title="its feature map", xticks=[], yticks=[])
    limit = np.abs(maps).max() or 1.0
    drawn = picture.imshow(maps[0], cmap="RdBu", vmin=-limit, vmax=limit)
    curve = figure.add_axes((0.66, 0.16, 0.33, 0.71))
    curve.plot(errors, color=BLUE)
    (dot,) = curve.plot([0], errors[:1], "o", color=VERMILION)
    curve.set(title="error", xlabel="step", yscale="log")
    curve.grid(True)
    largest, written = np.abs(kernels).max(), kernels.round(2) + 0.0

    @styled
    def draw(step: int) -> str:
        weights.show(
            written[step], f"the kernel at step {step}", largest, every=written
        )
        drawn.set_data(maps[step])
        dot.set_data([step], [errors[step]])
        return f"Step {step}: the error is {errors[step]:.2g}."

    return figure, draw
