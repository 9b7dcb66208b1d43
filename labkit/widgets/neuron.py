"""Explorers: one neuron, and gradient descent on a loss surface."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.contour import ContourSet
from matplotlib.text import Annotation

from labkit.plots import BLUE, INK, VERMILION, Figure
from labkit.plots.style import styled
from labkit.widgets.explorer import Explorer, choice, loss_axes, rate, slider, whole

__all__ = ["explore_learning_rate", "explore_neuron"]

WIDE = (9.0, 3.5)  # inches


ACTIVATIONS = ("sigmoid", "tanh", "ReLU", "leaky ReLU")
CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
EDGE = np.linspace(-0.5, 1.5, 41)
PLANE = np.stack(np.meshgrid(EDGE, EDGE), axis=-1)
Z = np.linspace(-8, 8, 321)


def explore_neuron(
    activation: str = "sigmoid",
    w: tuple[float, float] = (4.0, 4.0),
    b: float = -2.0,
) -> Explorer:
    """One neuron with two inputs: what it answers where, and where on its curve.

    Left, its output over the plane of its inputs, and the line z = 0. Right, the
    activation function (blue) and its slope (orange), with the z of the four corners.

    Parameters
    ----------
    activation : str
        One of `labkit.widgets.neuron.ACTIVATIONS`.
    w : pair of float
        The weights at first, from -8 to 8.
    b : float
        The bias at first, likewise.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> from labkit.widgets.neuron import explore_neuron
    >>> explore_neuron(w=(8.0, 8.0), b=-4.0).sentence.value
    '<b>Inputs on flat ground (slope below 0.02), which teach next to nothing: 4 of 4.</b>'
    """
    return Explorer(
        *_neuron_picture(),
        activation=choice("activation", list(ACTIVATIONS), activation),
        w1=slider("w1", w[0], -8, 8),
        w2=slider("w2", w[1], -8, 8),
        b=slider("b", b, -8, 8),
    )


@styled
def _neuron_picture() -> tuple[Figure, Callable[..., str]]:
    figure = Figure(figsize=WIDE)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.6))
    figure.subplots_adjust(0.06, 0.14, 0.98, 0.9, 0.16)
    extent = (EDGE[0], EDGE[-1]) * 2
    plane = left.imshow(
        np.zeros((2, 2)),
        extent=extent,
        origin="lower",
        cmap="RdBu",
        interpolation="bilinear",
    )
    (border,) = left.plot([], [], color=INK, lw=2)
    left.scatter(*CORNERS.T, s=50, color="white", edgecolor=INK, zorder=3)
    answers = [_answer(left, corner) for corner in CORNERS]
    left.set(xlim=extent[:2], ylim=extent[:2], xlabel="x1", ylabel="x2")
    left.set(xticks=(0, 1), yticks=(0, 1), title="output over the inputs")
    (curve,) = right.plot(Z, Z, color=BLUE, lw=2.5, label="activation f(z)")
    (slope,) = right.plot(Z, Z, color=VERMILION, lw=1.8, label="slope f '(z)")
    (on_curve,) = right.plot([], [], "o", color=BLUE, ms=7, mec="white")
    (on_slope,) = right.plot([], [], "o", color=VERMILION, ms=6, mec="white")
    right.set(xlim=(Z[0], Z[-1]), xlabel="z = w1·x1 + w2·x2 + b")
    right.set_title("the four inputs on the curve, and the slope there")
    right.grid(True)
    right.legend(loc="upper left")

    # Each activation with its slope. They stand here, where no lab can import them as an
    # answer to its exercise.
    def sigmoid(z: np.ndarray) -> np.ndarray:
        return 0.5 * (1 + np.tanh(z / 2))

    curves: dict[str, tuple[Callable, Callable]] = {
        "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
        "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
        "ReLU": (lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0),
        "leaky ReLU": (
            lambda z: np.where(z > 0, z, 0.01 * z),
            lambda z: np.where(z > 0, 1, 0.01),
        ),
    }

    def draw(activation: str, w1: float, w2: float, b: float) -> str:
        f, df = curves[activation]
        weights = np.array([w1, w2])
        z = CORNERS @ weights + b
        plane.set_data(f(PLANE @ weights + b))
        # White lies where z is 0: 0.5 of a sigmoid, 0 of the others.
        top = max(1.0, abs(f(z)).max())
        plane.set_clim(0 if activation == "sigmoid" else -top, top)
        border.set_data(*_line(w1, w2, b))
        for text, value in zip(answers, f(z), strict=True):
            text.set_text(f"{value:.2f}")
        curve.set_ydata(f(Z))
        slope.set_ydata(df(Z))
        shown = np.clip(z, Z[0], Z[-1])
        on_curve.set_data(shown, f(shown))
        on_slope.set_data(shown, df(shown))
        right.set_ylim(min(-0.1, f(Z).min() * 1.1), min(f(Z).max(), 4) * 1.15)
        flat = int((df(z) < 0.02).sum())
        return f"Inputs on flat ground (slope below 0.02), which teach next to nothing: {flat} of 4."

    return figure, draw


def _answer(axes: Axes, corner: np.ndarray) -> Annotation:
    """An empty label over a corner, readable on any colour."""
    return axes.annotate(
        "",
        (corner[0], corner[1]),
        (0, 10),
        textcoords="offset points",
        ha="center",
        bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85},
    )


def _line(w1: float, w2: float, b: float) -> tuple[np.ndarray, np.ndarray]:
    """Two far points of the line w1*x1 + w2*x2 + b = 0; none where both weights are 0."""
    length = w1**2 + w2**2
    if length == 0:
        return np.array([]), np.array([])
    along = np.array([-5.0, 5.0]) / np.sqrt(length)
    return -b * w1 / length - along * w2, -b * w2 / length + along * w1


@dataclass(frozen=True)
class Surface:
    """A loss over two weights: its height, its slope, how low it gets."""

    height: Callable
    slope: Callable
    lowest: float = 0.0


SURFACES = {
    "round bowl": Surface(
        lambda w: 0.5 * (w[0] ** 2 + w[1] ** 2),
        lambda w: np.array([w[0], w[1]]),
    ),
    "long valley": Surface(
        lambda w: 0.5 * (w[0] ** 2 + 10 * w[1] ** 2),
        lambda w: np.array([w[0], 10 * w[1]]),
    ),
    "two hollows": Surface(
        lambda w: 0.25 * w[0] ** 4 - 0.5 * w[0] ** 2 - 0.15 * w[0] + w[1] ** 2,
        lambda w: np.array([w[0] ** 3 - w[0] - 0.15, 2 * w[1]]),
        lowest=-0.40526,
    ),
}
START = (-1.8, 1.2)
FAR = 1e4  # a path that comes here has diverged


def explore_learning_rate(surface: str = "long valley", lr: float = 0.01) -> Explorer:
    """Gradient descent on a loss surface: too small a learning rate, right, diverging.

    Left, the path over the two weights; right, the loss after each step.

    Parameters
    ----------
    surface : str
        One of `labkit.widgets.neuron.SURFACES`.
    lr : float
        The learning rate at first, from 0.001 to 3.2.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> from labkit.widgets.neuron import explore_learning_rate
    >>> explore_learning_rate("round bowl", lr=0.25).sentence.value
    '<b>Right: under 0.1% of the loss is left after 30 steps.</b>'
    """
    return Explorer(
        *_descent_picture(),
        surface=choice("surface", list(SURFACES), surface),
        lr=rate(lr),
        steps=whole("steps", 30, 1, 100),
    )


@styled
def _descent_picture() -> tuple[Figure, Callable[..., str]]:
    figure = Figure(figsize=WIDE)
    left, right = figure.subplots(1, 2, width_ratios=(1.2, 1))
    figure.subplots_adjust(0.07, 0.14, 0.98, 0.9, 0.24)
    loss_axes(right, "loss above the lowest point")
    (path_line,) = left.plot([], [], "o-", color=VERMILION, lw=1.5, ms=4, zorder=3)
    (loss_line,) = right.plot([], [], "o-", color=VERMILION, lw=1.5, ms=4)
    left.set(xlim=(-2.4, 2.4), ylim=(-1.8, 1.8), xlabel="w1", ylabel="w2")
    left.set_title("the path over the two weights")
    drawn: dict[str, Any] = {}

    def draw(surface: str, lr: float, steps: int) -> str:
        if drawn.get("surface") != surface:
            if drawn:
                drawn["contours"].remove()
            drawn.update(surface=surface, contours=_contours(left, SURFACES[surface]))
        path = descend(SURFACES[surface], lr, steps)
        losses = SURFACES[surface].height(path.T) - SURFACES[surface].lowest
        path_line.set_data(*path.T)
        loss_line.set_data(np.arange(len(path)), np.clip(losses, 1e-6, 1e3))
        right.set_xlim(-0.5, steps + 0.5)
        return verdict(SURFACES[surface], path, losses, steps)

    return figure, draw


def _contours(axes: Axes, surface: Surface) -> ContourSet:
    w = np.meshgrid(np.linspace(-2.4, 2.4, 121), np.linspace(-1.8, 1.8, 91))
    above = surface.height(np.array(w)) - surface.lowest
    return axes.contourf(*w, np.sqrt(above), levels=16, cmap="Blues_r", zorder=0)


def descend(surface: Surface, lr: float, steps: int) -> np.ndarray:
    """The weights (steps + 1, 2) of gradient descent; fewer where it diverges."""
    path = [np.array(START)]
    while len(path) <= steps and np.abs(path[-1]).max() < FAR:
        path.append(path[-1] - lr * surface.slope(path[-1]))
    return np.array(path)


def verdict(surface: Surface, path: np.ndarray, losses: np.ndarray, steps: int) -> str:
    """One sentence on a path of gradient descent."""
    left = losses[-1] / losses[0]
    if len(path) <= steps or left > 1:
        return "Diverging: the steps are so large that the loss grows."
    if left < 0.01:
        share = "under 0.1%" if left < 0.001 else f"{left:.1%}"
        return f"Right: {share} of the loss is left after {steps} steps."
    if np.abs(surface.slope(path[-1])).max() < 0.01:
        return "Stuck: it rests in the shallower hollow, where the slope is zero too."
    if (np.diff(np.sign(path), axis=0) != 0).sum() > 2:
        return f"Too large: it leaps to and fro; {left:.0%} of the loss is left."
    return f"Too small: {left:.0%} of the loss is left after {steps} steps."
