"""Explorers: from scores to probabilities, and digits that move."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from labkit.formatting import counted
from labkit.plots import BLUE, MUTED, VERMILION, Figure
from labkit.plots.style import styled
from labkit.widgets.explorer import Explorer, slider, whole

__all__ = ["explore_shift", "explore_softmax", "moved"]

PALE = "#A9CCE3"
MOST_SHIFT = 8  # pixels


def explore_softmax(scores: Sequence[float] = (2.0, 1.0, 0.0, -1.0)) -> Explorer:
    """Turn scores into probabilities, and see which changes of the scores matter.

    The control "add" is added to all of them, then "times" multiplies them.

    Parameters
    ----------
    scores : sequence of float
        2 to 6, one a class, from -4 to 4.

    Returns
    -------
    Explorer

    Raises
    ------
    ValueError
        Where there are fewer or more.

    Examples
    --------
    >>> from labkit.widgets.softmax import explore_softmax
    >>> explorer = explore_softmax([2.0, 1.0])
    >>> explorer.controls["add"].value = 3.0
    >>> explorer.sentence.value
    '<b>z0 leads z1 by 1.00, so it is exp(1.00) = 2.72 times as likely.</b>'
    """
    if not 2 <= len(scores) <= 6:
        raise ValueError(f"There are {counted(len(scores), 'score')}; expected 2 to 6.")
    names = [f"z{place}" for place in range(len(scores))]
    return Explorer(
        *_softmax_picture(names),
        **{n: slider(n, s, -4, 4) for n, s in zip(names, scores, strict=True)},
        add=slider("add", 0.0, -4, 4),
        times=slider("times", 1.0, 0, 4),
    )


@styled
def _softmax_picture(names: list[str]) -> tuple[Figure, Callable[..., str]]:
    figure = Figure(figsize=(9.0, 2.9))
    panels = figure.subplots(1, 3)
    figure.subplots_adjust(0.05, 0.1, 0.99, 0.88, 0.2)
    titles = (
        "scores z",
        "exp(z), the largest drawn as 1",
        "probabilities: exp(z) / sum",
    )
    bars = [_bars(*places, names) for places in zip(panels, titles, strict=True)]
    panels[0].axhline(0, color=MUTED, lw=1)
    for axes in panels[1:]:
        axes.set_ylim(0, 1.12)

    def draw(add: float, times: float, **scores: float) -> str:
        z = times * (np.array(list(scores.values())) + add)
        powers = np.exp(z - z.max())
        y = powers / powers.sum()
        limit = max(5, 1.2 * np.abs(z).max())
        panels[0].set_ylim(-limit, limit)
        for show, heights in zip(bars, (z, y / y.max(), y), strict=True):
            show(heights)
        first, second = np.argsort(-y, kind="stable")[:2]
        return (
            f"{names[first]} leads {names[second]} by {z[first] - z[second]:.2f}, so it is "
            f"exp({z[first] - z[second]:.2f}) = {y[first] / y[second]:,.3g} times as likely."
        )

    return figure, draw


def _bars(axes: Axes, title: str, names: Sequence[str], least: float = 0) -> Callable:
    """Upright bars, heights from `least` written on them; returns what changes them."""
    drawn = axes.bar(names, np.zeros(len(names)), width=0.7, color=PALE)
    written = [
        axes.annotate(
            "", (x, 0), (0, 0), textcoords="offset points", ha="center", size=8
        )
        for x in range(len(names))
    ]
    axes.set_title(title)
    axes.tick_params(length=0)

    def show(heights: np.ndarray, colour: str = BLUE) -> None:
        best = np.argmax(heights)
        for place, (bar, text) in enumerate(zip(drawn, written, strict=True)):
            height = float(heights[place])
            bar.set(height=height, color=colour if place == best else PALE)
            words = f"{height:.2f}" if abs(height) >= least else ""
            text.xy = (place, height)
            text.set_text(words)
            if height >= 0:
                text.set(y=1, va="bottom")
            else:
                text.set(y=-2, va="top")

    return show


def explore_shift(
    images: np.ndarray,
    labels: np.ndarray,
    models: Mapping[str, Callable],
    right: int = 0,
    title: str = "",
) -> Explorer:
    """Move a digit to and fro, and see what each model takes it for.

    A pixel that leaves on one side is gone, black comes in on the other. A wrong answer
    is orange.

    Parameters
    ----------
    images : uint8 array (N, H, W)
    labels : array (N,)
        Class numbers.
    models : mapping of str to function
        Each gives probabilities (1, 10) for an image (1, H, W).
    right : int
        How far it is moved at first, up to 8 pixels.
    title : str

    Returns
    -------
    Explorer

    Examples
    --------
    >>> import numpy as np
    >>> from labkit.widgets.softmax import explore_shift
    >>> models = {"always 1": lambda image: np.eye(10)[[1]]}
    >>> explore_shift(np.zeros((1, 9, 9), "uint8"), np.array([1]), models).sentence.value
    '<b>This is a 1. always 1 says 1 (100%).</b>'
    """
    most = MOST_SHIFT
    return Explorer(
        *_shift_picture(images, labels, models, title),
        digit=whole("digit", 0, 0, len(images) - 1),
        right=whole("right", right, -most, most),
        down=whole("down", 0, -most, most),
    )


def moved(images: np.ndarray, right: int, down: int) -> np.ndarray:
    """Return images moved by whole pixels; zeros come in.

    Parameters
    ----------
    images : array (N, H, W)
    right, down : int
        Less than W and H; below 0 to the left and up.

    Returns
    -------
    array of the same shape and dtype

    Examples
    --------
    >>> import numpy as np
    >>> from labkit.widgets.softmax import moved
    >>> moved(np.array([[[1, 2, 3]]]), right=1, down=0).tolist()
    [[[0, 1, 2]]]
    """
    height, width = images.shape[1:3]
    padded = np.pad(images, ((0, 0), (abs(down),) * 2, (abs(right),) * 2))
    top, left = abs(down) - down, abs(right) - right
    return padded[:, top : top + height, left : left + width]


@styled
def _shift_picture(
    images: np.ndarray, labels: np.ndarray, models: Mapping[str, Callable], title: str
) -> tuple[Figure, Callable[..., str]]:
    figure = Figure(figsize=(9.0, 2.9))
    picture, *panels = figure.subplots(
        1, 1 + len(models), width_ratios=[1] + [1.2] * len(models)
    )
    figure.subplots_adjust(0.01, 0.1, 0.99, 0.82, 0.15)
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    shown = picture.imshow(images[0], cmap="gray", vmin=0, vmax=255)
    picture.set_axis_off()
    picture.set_title("the model's input", loc="center")
    bars = [
        _bars(axes, name, [str(digit) for digit in range(10)], least=0.15)
        for axes, name in zip(panels, models, strict=True)
    ]
    for axes in panels:
        axes.set(ylim=(0, 1.12), yticks=[])
        axes.spines["left"].set_visible(False)

    def draw(digit: int, right: int, down: int) -> str:
        image = moved(images[digit : digit + 1], right, down)
        shown.set_data(image[0])
        told = []
        for show, (name, model) in zip(bars, models.items(), strict=True):
            y = np.asarray(model(image))[0]
            said = int(y.argmax())
            show(y, BLUE if said == labels[digit] else VERMILION)
            told.append(f"{name} says {said} ({y[said]:.0%})")
        return f"This is a {labels[digit]}. {'; '.join(told)}."

    return figure, draw
