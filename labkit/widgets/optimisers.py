"""Explorer: optimisers race down a long valley."""

from collections.abc import Callable

import numpy as np

from labkit.plots import INK, VERMILION, Figure
from labkit.plots.style import styled
from labkit.widgets.explorer import Explorer, choice, loss_axes, rate, whole

__all__ = ["explore_optimisers"]

STEEPNESS = np.array([1.0, 25.0])  # the valley is 25 times as steep across as along
START = np.array([-2.5, 1.1])
FAR = 1e3


def loss(w: np.ndarray) -> np.ndarray:
    """Return the height of the valley at weights (..., 2)."""
    return 0.5 * (STEEPNESS * w**2).sum(axis=-1)


# Each rule: (gradient, memory, step number from 1, learning rate) -> the step to take.
# The constants are those of the papers and of Keras.


def _sgd(g, memory, t, lr):
    return -lr * g


def _momentum(g, memory, t, lr):
    memory["v"] = 0.9 * memory.get("v", 0) - lr * g
    return memory["v"]


def _nesterov(g, memory, t, lr):
    return 0.9 * _momentum(g, memory, t, lr) - lr * g


def _adagrad(g, memory, t, lr):
    memory["s"] = memory.get("s", 0) + g**2
    return -lr * g / (np.sqrt(memory["s"]) + 1e-7)


def _rmsprop(g, memory, t, lr):
    memory["s"] = 0.9 * memory.get("s", 0) + 0.1 * g**2
    return -lr * g / (np.sqrt(memory["s"]) + 1e-7)


def _adadelta(g, memory, t, lr):
    memory["s"] = 0.95 * memory.get("s", 0) + 0.05 * g**2
    step = -np.sqrt(memory.get("d", 0) + 1e-7) / np.sqrt(memory["s"] + 1e-7) * g
    memory["d"] = 0.95 * memory.get("d", 0) + 0.05 * step**2
    return lr * step


def _adam(g, memory, t, lr):
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g**2
    m, v = memory["m"] / (1 - 0.9**t), memory["v"] / (1 - 0.999**t)
    return -lr * m / (np.sqrt(v) + 1e-7)


def _adamax(g, memory, t, lr):
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["u"] = np.maximum(0.999 * memory.get("u", 0), np.abs(g))
    return -lr * memory["m"] / (1 - 0.9**t) / (memory["u"] + 1e-7)


RULES: dict[str, Callable] = {
    "momentum": _momentum,
    "Nesterov momentum": _nesterov,
    "Adagrad": _adagrad,
    "RMSprop": _rmsprop,
    "Adadelta": _adadelta,
    "Adam": _adam,
    "Adamax": _adamax,
}


def path(rule: Callable, lr: float, steps: int) -> np.ndarray:
    """Return the weights (steps + 1, 2) of an optimiser; fewer where it diverges."""
    memory: dict[str, np.ndarray] = {}
    way = [START]
    while len(way) <= steps and np.abs(way[-1]).max() < FAR:
        way.append(way[-1] + rule(STEEPNESS * way[-1], memory, len(way), lr))
    return np.array(way)


def explore_optimisers(
    optimiser: str = "momentum", lr: float = 0.02, steps: int = 40
) -> Explorer:
    """Let an optimiser race against plain gradient descent down a long valley.

    Left, both paths over the two weights; right, the loss after each step.

    Parameters
    ----------
    optimiser : str
        One of `labkit.widgets.optimisers.RULES`.
    lr : float
        The learning rate at first, from 0.001 to 3.2.
    steps : int
        At first, from 1 to 200.

    Returns
    -------
    Explorer

    Examples
    --------
    >>> from labkit.widgets.optimisers import explore_optimisers
    >>> explore_optimisers("momentum", lr=0.02).sentence.value
    '<b>Loss at the end: gradient descent 0.621, momentum 0.00986.</b>'
    """
    return Explorer(
        *_race_picture(),
        optimiser=choice("optimiser", list(RULES), optimiser),
        lr=rate(lr),
        steps=whole("steps", steps, 1, 200),
    )


@styled
def _race_picture() -> tuple[Figure, Callable[..., str]]:
    figure = Figure(figsize=(9.0, 3.2))
    left, right = figure.subplots(1, 2, width_ratios=(1.4, 1))
    figure.subplots_adjust(0.07, 0.15, 0.98, 0.9, 0.24)
    w = np.stack(np.meshgrid(np.linspace(-3, 3, 121), np.linspace(-1.6, 1.6, 81)), -1)
    heights = np.sqrt(loss(w))
    left.contourf(*np.moveaxis(w, -1, 0), heights, levels=16, cmap="Blues_r", alpha=0.6)
    left.set(xlim=(-3, 3), ylim=(-1.6, 1.6), xlabel="w1", ylabel="w2")
    left.set_title("the paths over the two weights")
    loss_axes(right, "loss after each step")
    ways, lines = (
        [
            axes.plot([], [], "o-", color=colour, mec="white", mew=0.4, lw=1.5, ms=5)[0]
            for colour in (INK, VERMILION)
        ]
        for axes in (left, right)
    )
    legend = right.legend(lines, ("gradient descent", "-"), loc="lower left")

    def draw(optimiser: str, lr: float, steps: int) -> str:
        ends = []
        for rule, way, line in zip((_sgd, RULES[optimiser]), ways, lines, strict=True):
            points = path(rule, lr, steps)
            way.set_data(*points.T)
            line.set_data(np.arange(len(points)), np.clip(loss(points), 1e-6, 1e3))
            ends.append(
                "diverges" if len(points) <= steps else f"{loss(points[-1]):.3g}"
            )
        right.set_xlim(-0.5, steps + 0.5)
        legend.get_texts()[1].set_text(optimiser)
        return f"Loss at the end: gradient descent {ends[0]}, {optimiser} {ends[1]}."

    return figure, draw
