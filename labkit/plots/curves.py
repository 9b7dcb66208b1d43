"""A training's curves."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from labkit.plots.style import BLUE, VERMILION, Figure, new_figure, pretty, styled


@styled
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
    figure = new_figure(2.8 * rows, title, subtitle)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, name in zip(grid, panels, strict=False):
        _curve_panel(axes, name, history)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    return figure


def _curve_panel(axes: Axes, name: str, history: Mapping) -> None:
    """Draw one measure's training and validation curve, and mark the best epoch."""
    ratio = "accuracy" in name
    axes.set_title(pretty(name))
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
