"""Curves over time: a training's, and the scores of a competition."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, PercentFormatter

from labkit.formatting import counted
from labkit.plots.style import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    RULE,
    VERMILION,
    Figure,
    limit_shares,
    new_figure,
    pretty,
    styled,
)

NAMED = 8


@styled
def curves(
    history: Mapping[str, Sequence[float] | np.ndarray],
    *,
    title: str = "",
    subtitle: str = "",
) -> Figure:
    """Draw a training's curves.

    `loss` and `val_loss` share a panel, so do `accuracy` and `val_accuracy`; every other
    name gets its own. The best epoch of the validation is marked.

    Parameters
    ----------
    history : mapping of a name to one number an epoch
        As Keras records them.
    title, subtitle : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There is not one series.

    Examples
    --------
    >>> from labkit import plots
    >>> figure = plots.curves({"loss": [2.1, 1.4], "val_loss": [1.9, 1.6], "lr": [0.1, 0.0]})
    >>> [axes.get_title(loc="left") for axes in figure.axes]
    ['loss', 'lr']
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
    clip = not ratio  # a point at 100 % is whole
    series = {"training": name, "validation": "val_" + name}
    for (label, key), colour in zip(series.items(), (BLUE, VERMILION), strict=True):
        if key in history:
            epochs = np.arange(1, len(history[key]) + 1)
            style: Any = "-" if label == "training" else (0, (4, 1.5))
            axes.plot(
                epochs,
                history[key],
                color=colour,
                ls=style,
                marker=marker,
                label=label,
                clip_on=clip,
            )
    axes.legend(loc="best")
    values = np.asarray(history.get("val_" + name, ()), dtype=float)
    if np.isfinite(values).any():
        best = int(np.nanargmax(values) if ratio else np.nanargmin(values))
        axes.plot(best + 1, values[best], "o", color=VERMILION, ms=5, clip_on=clip)
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
            # Lines run through it otherwise.
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    if ratio:
        limit_shares(axes.yaxis)


@styled
def curve_sheet(
    panels: Mapping[str, Mapping[str, Sequence[Sequence[float]]]],
    *,
    title: str = "",
) -> Figure:
    """Draw learning curves of several networks on one sheet, a panel each, on one scale.

    Parameters
    ----------
    panels : mapping of a network to a mapping of a way of training to its runs
        A run is an accuracy for each epoch, from 0 to 1. Each is a thin line, and their
        mean, over the epochs that all have, a thick one; the legend says where it ends.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        There is no panel, or a run without an epoch.

    Examples
    --------
    >>> from labkit import plots
    >>> figure = plots.curve_sheet({"vgg": {"plain": [[0.7, 0.8], [0.6, 0.9]]}})
    >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    ['plain: 85.0%']
    """
    runs = [run for ways in panels.values() for found in ways.values() for run in found]
    if not runs or not all(map(len, runs)):
        raise ValueError(
            "curve_sheet needs panels of runs with an epoch or more, such as"
            " {'vgg': {'plain': [[0.7, 0.8]]}}."
        )
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = new_figure(2.3 * rows, title)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for axes, (name, ways) in zip(grid.flat, panels.items(), strict=False):
        axes.set_title(pretty(name))
        _runs_panel(axes, ways)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    # The first epochs would press all that matters into a corner.
    ends = [value for run in runs for value in run[len(run) // 3 :]]
    low = max(0.0, min(ends) - 0.02)
    grid[0, 0].set_ylim(low, min(1.0, max(map(max, runs)) + 0.01))
    grid[0, 0].yaxis.set_major_formatter(PercentFormatter(xmax=1))
    grid[0, 0].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    for axes in grid[-1]:
        axes.set_xlabel("epoch")
    return figure


def _runs_panel(axes: Axes, ways: Mapping[str, Sequence[Sequence[float]]]) -> None:
    """Draw one network's runs, thin, and the mean of each way of training."""
    axes.grid(axis="y")
    for (way, runs), colour in zip(
        ways.items(), (BLUE, VERMILION, GREEN), strict=False
    ):
        marker = "o" if max(map(len, runs)) == 1 else None
        for run in runs:
            epochs = range(1, len(run) + 1)
            axes.plot(epochs, run, color=colour, lw=0.7, alpha=0.5, marker=marker)
        common = min(map(len, runs))
        mean = np.mean([run[:common] for run in runs], axis=0)
        label = f"{way}: {mean[-1]:.1%}"
        axes.plot(range(1, common + 1), mean, color=colour, lw=1.8, label=label)
    axes.legend(loc="lower right")


@styled
def score_history(
    series: Mapping[str, Sequence[tuple[datetime, float]]],
    *,
    deadline: datetime | None = None,
    title: str = "",
) -> Figure:
    """Draw how each contestant's best score rose.

    The first eight names, taken to be the best, are drawn in colour and named; the others
    in grey.

    Parameters
    ----------
    series : mapping of a name to pairs (time, score)
        By time; scores from 0 to 1.
    deadline : datetime, optional
        Drawn as a dotted line.
    title : str
        The figure's heading.

    Returns
    -------
    Figure

    Examples
    --------
    >>> from datetime import datetime
    >>> from labkit import plots
    >>> scores = [(datetime(2024, 5, 1), 0.4), (datetime(2024, 5, 2), 0.6)]
    >>> figure = plots.score_history({"a": scores})
    >>> figure.axes[0].get_ylabel()
    'share right'
    """
    names = list(series)
    others = len(names) - NAMED
    subtitle = f"{counted(others, 'other')} in grey" if others > 0 else ""
    figure = new_figure(3.6, title, subtitle)
    axes = figure.subplots()
    times = [time for row in series.values() for time, _ in row]
    end = max([*times, *filter(None, [deadline])], default=None)
    colours = (BLUE, VERMILION, GREEN, ORANGE, INK, MUTED, "#56B4E9", "#CC79A7")
    for place, name in reversed(list(enumerate(names))):
        if not series[name]:
            continue
        when, scores = zip(*series[name], strict=True)
        best = np.maximum.accumulate(scores)
        named = place < NAMED
        axes.step(
            [*when, end],
            [*best, best[-1]],
            where="post",
            color=colours[place] if named else RULE,
            lw=1.6 if named else 0.8,
            zorder=3 if named else 2,
            label=pretty(name) if named else None,
        )
        if named:
            axes.plot(
                when, scores, "o", ms=3, color=colours[place], zorder=3, clip_on=False
            )
    if deadline is not None:
        # On an axis of dates a date is a place, which matplotlib's types do not know.
        axes.axvline(deadline, color=MUTED, ls=":", lw=1)  # type: ignore[arg-type]
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.yaxis.set_major_formatter(PercentFormatter(xmax=1))
    limit_shares(axes.yaxis)
    axes.set_ylabel("share right")
    axes.set_ylim(top=min(1.0, axes.get_ylim()[1]))  # nobody gets more than all right
    axes.grid(axis="y")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
