"""What a figure shows, in words: the alternative text of its picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.container import BarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, PercentFormatter, StrMethodFormatter

MOST = 600  # characters: who listens to more has lost the beginning
NAMED = 8  # items of a kind that are named one by one


def describe(figure: Figure) -> str:
    """Return what a figure shows: its heading, then each panel's title, axes and content.

    Of a line both ends are told, of bars each or their range, of pictures how many and
    their captions.

    Parameters
    ----------
    figure : Figure
        Of Matplotlib, such as every function of `plots` returns.

    Returns
    -------
    text : str
        At most 600 characters.

    Examples
    --------
    >>> from labkit import plots
    >>> plots.describe(plots.curves({"loss": [2.0, 0.5]}, title="Training"))
    'Training. loss: line training from 2 at 1 to 0.5 at 2; across epoch.'
    """
    parts = [*_heading(figure), *_panels(figure)]
    text = " ".join(part if part[-1] in ".?!" else f"{part}." for part in parts if part)
    return text if len(text) <= MOST else text[: MOST - 1].rsplit(" ", 1)[0] + "…"


def _heading(figure: Figure) -> Iterator[str]:
    for text in figure.texts:  # the suptitle is one of them
        if text.get_visible() and text.get_text().strip():
            yield _line(text.get_text())


def _panels(figure: Figure) -> Iterator[str]:
    shown = [axes for axes in figure.axes if axes.get_visible() and axes.has_data()]
    pictures = [axes for axes in shown if axes.images and not _is_table(axes)]
    pictures = [axes for axes in pictures if not _is_bar(axes)]
    if len(pictures) > 1:
        yield _pictures(pictures)
    for axes in shown:
        if not _is_bar(axes) and (len(pictures) <= 1 or axes not in pictures):
            yield _panel(axes)


def _pictures(panels: Sequence[Axes]) -> str:
    captions = [caption for axes in panels if (caption := _caption(axes))]
    text = f"{len(panels)} pictures"
    return f"{text}: {_listed(captions)}" if captions else text


def _panel(axes: Axes) -> str:
    content = [*_images(axes)]
    if axes.axison:
        content += [*_lines(axes), *_bars(axes), *_points(axes)]
    elif axes.texts and not _is_table(axes):  # labels of its own in place of an axis
        content.append(_listed([_line(text.get_text()) for text in axes.texts]))
    axis = _line(axes.get_xlabel())
    if axis and content:
        content.append(f"across {axis}")
    return ": ".join(filter(None, [_title(axes), "; ".join(content)]))


def _images(axes: Axes) -> Iterator[str]:
    for image in axes.images:
        rows, columns = image.get_size()
        yield f"{'table' if _is_table(axes) else 'picture'} of {rows} by {columns}"


def _lines(axes: Axes) -> Iterator[str]:
    lines = [line for line in axes.lines if len(np.atleast_1d(line.get_ydata())) > 1]
    named = [line for line in lines if not str(line.get_label()).startswith("_")]
    if not named and len(lines) > NAMED:
        yield f"{len(lines)} lines"
        return
    for line in (named or lines)[:NAMED]:
        yield _ends(line, axes)


def _ends(line: Line2D, axes: Axes) -> str:
    """One line by its first and its last point."""
    name = str(line.get_label())
    label = "" if name.startswith("_") else f" {_line(name)}"
    x, y = np.atleast_1d(line.get_xdata()), np.atleast_1d(line.get_ydata())
    first, last = (
        f"{_number(y[place], axes.yaxis)} at {_number(x[place], axes.xaxis)}"
        for place in (0, -1)
    )
    return f"line{label} from {first} to {last}"


def _bars(axes: Axes) -> Iterator[str]:
    for bars in axes.containers:
        if not isinstance(bars, BarContainer) or not len(bars):
            continue
        upright = bars.orientation != "horizontal"
        axis, names = (axes.yaxis, axes.xaxis) if upright else (axes.xaxis, axes.yaxis)
        sizes = [b.get_height() if upright else b.get_width() for b in bars.patches]
        labels = [_line(label.get_text()) for label in names.get_ticklabels()]
        if len(labels) == len(sizes) <= NAMED and all(labels):
            pairs = zip(labels, sizes, strict=True)
            yield "bars: " + ", ".join(f"{n} {_number(s, axis)}" for n, s in pairs)
        else:
            low, high = _number(min(sizes), axis), _number(max(sizes), axis)
            yield (
                f"1 bar of {high}"
                if len(sizes) == 1
                else f"{len(sizes)} bars from {low} to {high}"
            )


def _points(axes: Axes) -> Iterator[str]:
    for collection in axes.collections:
        count = len(np.atleast_2d(collection.get_offsets()))
        if count > 1:
            yield f"{count} points"


def _number(value: Any, axis: Axis) -> str:
    """A value as its axis writes it: in percent, as a date, or with three digits."""
    formatter = axis.get_major_formatter()
    if isinstance(formatter, PercentFormatter):
        return f"{value / formatter.xmax:.0%}"
    if isinstance(formatter, (StrMethodFormatter, FuncFormatter)):
        return _line(formatter(value))
    try:
        return f"{float(value):.3g}"
    except (TypeError, ValueError):
        return str(value)


def _title(axes: Axes) -> str:
    return _line(
        " ".join(axes.get_title(where) for where in ("left", "center", "right"))
    )


def _caption(axes: Axes) -> str:
    """What stands above and below a picture."""
    return " ".join(
        filter(None, [_title(axes), *(_line(t.get_text()) for t in axes.texts)])
    )


def _is_table(axes: Axes) -> bool:
    """Whether each cell of the axes' picture has its number."""
    return any(len(axes.texts) >= np.prod(image.get_size()) for image in axes.images)


def _is_bar(axes: Axes) -> bool:
    """Whether these axes are the colour bar of others."""
    return axes.get_label() == "<colorbar>"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _line(text: object) -> str:
    """A text on one line, without the dollar signs of a formula."""
    return " ".join(str(text).replace("$", "").split())
