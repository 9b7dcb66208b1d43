"""How every figure of the course looks, and the parts that they are built of."""

from __future__ import annotations

import base64
import html
import io
import math
import os
import re
import textwrap
from collections.abc import Sized
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure as _MatplotlibFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogFormatterMathtext, LogFormatterSciNotation
from PIL import Image

from labkit.plots.words import describe
from labkit.profile import ALT_TEXT

if TYPE_CHECKING:  # matplotlib has this name from 3.11 on
    from matplotlib.typing import RcKeyType

Bundle = tuple[dict[str, str], dict[str, dict[str, Any]]]

WIDTH = 9.0  # inches: the text column of a notebook at 96 pixels an inch
DPI = 192  # twice as dense, as most screens of today are

# Okabe and Ito's palette, which people with any form of colour blindness can
# tell apart. (Okabe & Ito, "Color Universal Design", 2008.)
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
TEXT_ORANGE = "#A94400"  # vermilion, dark enough for small type (contrast 6:1)
INK, MUTED, RULE = "#1f2328", "#59636e", "#d1d9e0"

# For figures that a lab draws itself: plt.rcParams.update(plots.STYLE).
STYLE: dict[RcKeyType, Any] = {
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
# Names come from files and folders: a dollar sign in one is no formula.
styled = matplotlib.rc_context({**STYLE, "text.parse_math": False})


class Figure(_MatplotlibFigure):
    """A matplotlib figure that notebooks show sharp, with what it shows as alt text."""

    @styled  # ticks are made as late as here
    def draw(self, renderer: RendererBase) -> None:
        for axes in self.axes:
            for axis in (axes.xaxis, axes.yaxis):
                if isinstance(axis.get_major_formatter(), LogFormatterMathtext):
                    axis.set_major_formatter(PowerFormatter())
                if isinstance(axis.get_minor_formatter(), LogFormatterMathtext):
                    axis.set_minor_formatter(PowerFormatter(minor_thresholds=(1, 0.4)))
        super().draw(renderer)


class PowerFormatter(LogFormatterSciNotation):
    """The ticks of a logarithmic axis in plain text, such as 10² or 2·10³."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        text = str(super().__call__(x, pos))
        text = re.sub(r"\$\\mathdefault\{(.*)\}\$", r"\1", text).replace(r"\times", "·")
        return re.sub(r"\^\{(.*?)\}", lambda power: power[1].translate(RAISED), text)


RAISED = str.maketrans("-\N{MINUS SIGN}0123456789", "⁻⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def bundle(figure: _MatplotlibFigure) -> Bundle:
    """Return a figure as Jupyter displays it: sharp, and with what it shows in words.

    A figure of pyplot's is cut to what is drawn, as Jupyter does by itself.
    """
    buffer = io.BytesIO()
    pixels = _pixels(figure, cut=not isinstance(figure, Figure))
    pixels.save(buffer, "PNG", dpi=(DPI, DPI))
    width, height = (round(96 * size / DPI) for size in pixels.size)
    try:
        alt = describe(figure)
    except Exception:  # a figure of somebody's own is shown, whatever is in it
        alt = "A figure that could not be put in words."
    picture = base64.b64encode(buffer.getvalue()).decode("ascii")
    shown = {"image/png": picture, "text/plain": alt or "figure"}
    told = {"width": width, "height": height, "alt": alt}
    if os.environ.get(ALT_TEXT):
        shown["text/html"] = (
            f'<img class="labkit-figure" width="{width}" height="{height}" '
            f'alt="{html.escape(alt)}" src="data:image/png;base64,{picture}">'
        )
    return shown, {"image/png": told}


def _pixels(figure: _MatplotlibFigure, cut: bool) -> Image.Image:
    """Return a figure as it is drawn, at DPI; `cut` to what is drawn, and a margin.

    Drawn once: `savefig` draws all of it twice, first to lay it out.
    """
    canvas, dpi = figure.canvas, figure.dpi
    try:
        once = FigureCanvasAgg(figure)  # which remembers the figure's own dpi
        figure.dpi = DPI
        once.draw()
        drawn = figure.get_tightbbox(once.get_renderer()) if cut else None
    finally:
        figure.dpi = dpi
        figure.set_canvas(canvas)
    pixels = Image.fromarray(np.array(once.buffer_rgba()))
    if drawn is None:
        return pixels
    edges = np.array([drawn.x0, drawn.y0, drawn.x1, drawn.y1]) * DPI  # from below
    if edges.min() < -1 or (edges[2:] > np.array(pixels.size) + 1).any():
        return _with_what_is_outside(figure)
    margin = matplotlib.rcParams["savefig.pad_inches"] * DPI
    left, low = (math.floor(edge - margin) for edge in edges[:2])
    right, high = (math.ceil(edge + margin) for edge in edges[2:])
    paper = tuple(round(255 * part) for part in to_rgba(figure.get_facecolor()))
    whole = Image.new("RGBA", (right - left, high - low), paper)
    whole.paste(pixels, (-left, high - pixels.height))
    return whole


def _with_what_is_outside(figure: _MatplotlibFigure) -> Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
    return Image.open(buffer)


def show_in_notebooks() -> None:
    """Let notebooks show all figures, pyplot's too, as `bundle` gives them.

    By a method of the class: a kernel that was forked after this import has no shell yet.
    """

    def shown(
        figure: _MatplotlibFigure, include: Any = None, exclude: Any = None
    ) -> Bundle:
        _forget_jupyters_own()
        return bundle(figure)

    _MatplotlibFigure._repr_mimebundle_ = shown  # type: ignore[attr-defined]


def _forget_jupyters_own() -> None:
    """Take away what Jupyter's backend for pyplot has told IPython of figures.

    It would draw each figure once more, half as dense, and show that in place of ours. It
    tells it with the first figure, so this is done as each one is shown.
    """
    from IPython.core.getipython import get_ipython  # whoever shows a figure has it

    shell = get_ipython()
    if shell is not None and shell.display_formatter is not None:
        shell.display_formatter.formatters["image/png"].pop(_MatplotlibFigure, None)


def limit_shares(axis: Axis) -> None:
    """Let an axis of shares end at 100 %, and begin at no less than 0."""
    low, high = axis.get_view_interval()
    low, high = max(0.0, low), min(1.0, high)
    axis.set_view_interval(low, high, ignore=True)


def new_figure(
    height: float,
    title: str,
    subtitle: str = "",
    pad: tuple[float, float] = (0.03, 0.04),
) -> Figure:
    """Make an empty figure with its heading.

    `height` is the body's, `pad` the space beside and above axes; both in inches.
    """
    lines = textwrap.wrap(subtitle, 125)
    heading = 0.38 * bool(title) + 0.19 * len(lines) + 0.05 * bool(lines)
    total = height + heading
    body = (0.005, 0.005, 0.99, height / total - 0.01)
    layout = ConstrainedLayoutEngine(rect=body, w_pad=pad[0], h_pad=pad[1])
    figure = Figure(figsize=(WIDTH, total), layout=layout)
    FigureCanvasAgg(figure)
    top = 1 - 0.1 / total
    if title:
        figure.text(0.012, top, title, va="top", size=12, weight="bold")
    if lines:
        below = top - 0.28 * bool(title) / total
        figure.text(
            0.012, below, "\n".join(lines), va="top", color=MUTED, linespacing=1.35
        )
    return figure


def new_tiles(
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
        return new_figure(0.05, title, subtitle), np.array([])
    columns = min(columns, count)
    rows = -(-count // columns)
    side = min(width / columns, 1.6)
    figure = new_figure(rows * (side + above + below) + 0.1, title, subtitle)
    # Few tiles keep their size: empty places fill the row.
    across = max(columns, int(width // side))
    grid = figure.subplots(rows, across, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid[:, :columns].ravel()[:count]


def columns_for(count: int, least: int = 6, most: int = 12) -> int:
    """Choose how many tiles stand in a row so that the last row is full, or nearly."""
    if count <= most:
        return count
    return min(range(most, least - 1, -1), key=lambda columns: -count % columns)


def colour_bar(figure: Figure, drawn: ScalarMappable, label: str) -> None:
    """Add a colour bar for the whole figure."""
    bar = figure.colorbar(drawn, ax=figure.axes, shrink=0.8, pad=0.01, aspect=30)
    bar.set_label(label)
    bar.outline.set_visible(False)


def draw_picture(axes: Axes, image: np.ndarray) -> None:
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
    axes.imshow(image, cmap="gray", vmin=0, vmax=top)


def pretty(name: object) -> str:
    """Write a class name as a reader would: `ned_flanders` -> `ned flanders`."""
    return str(name).replace("_", " ")


def same_length(what: str, **arrays: Sized | None) -> None:
    """Raise ValueError where arrays that are there are not equally long."""
    sizes = {name: len(array) for name, array in arrays.items() if array is not None}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{size} {name}" for name, size in sizes.items())
        raise ValueError(f"{what} needs one of each for every picture; found {found}.")
