"""What all explorers share: controls above one picture, which is drawn anew at a change.

An explorer of a lab is a function that makes a figure, some controls and a
`draw` function, and returns an `Explorer` of them:

    def explore_line(slope=1.0):
        figure = Figure(figsize=(4, 3))
        (line,) = figure.subplots().plot([-1, 1], [0, 0])

        def draw(slope):
            line.set_ydata([-slope, slope])
            return f"The line rises by {2 * slope:.2f}."

        return Explorer(figure, draw, slope=slider("slope", slope, -2, 2))

The figures belong to no pyplot state, so none stays open.
"""

import base64
import html
import io
from collections.abc import Callable
from typing import Any

import ipywidgets
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from labkit.plots import describe
from labkit.widgets.slider import Slider

DPI = 100


class Picture(ipywidgets.HTML):
    """A picture with an alternative text, for which `ipywidgets.Image` has no place."""

    png = b""

    def show(self, png: bytes, alt: str) -> None:
        self.png = png
        source = base64.b64encode(png).decode("ascii")
        self.value = (
            f'<img class="labkit-figure" style="max-width: 100%" alt="{html.escape(alt)}"'
            f' src="data:image/png;base64,{source}">'
        )


class Explorer(ipywidgets.VBox):
    """Controls, the picture that they change, and one sentence that says what it shows.

    `draw` gets each control's value by its name, changes the figure and returns the
    sentence. Where no widgets can be shown, a notebook shows the picture as it is.
    """

    def __init__(
        self, figure: Figure, draw: Callable[..., str], **controls: ipywidgets.Widget
    ) -> None:
        self._figure, self._draw = figure, draw
        self.controls = controls
        self.picture = Picture()
        self.sentence = ipywidgets.HTML()
        row = ipywidgets.HBox(list(controls.values()), layout={"flex_flow": "row wrap"})
        super().__init__([row, self.picture, self.sentence])
        for control in controls.values():
            control.observe(self._refresh, "value")
        self._refresh()

    def _refresh(self, _change: object = None) -> None:
        text = self._draw(**{name: c.value for name, c in self.controls.items()})
        buffer = io.BytesIO()
        # A slider is dragged: speed counts for more than bytes.
        self._figure.savefig(
            buffer, format="png", dpi=DPI, pil_kwargs={"compress_level": 1}
        )
        self._words = f"{describe(self._figure)} {text}"
        self.picture.show(buffer.getvalue(), self._words)
        self.sentence.value = f"<b>{html.escape(text)}</b>"

    def _repr_mimebundle_(
        self, **options: Any
    ) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
        bundle = super()._repr_mimebundle_(**options)
        still = base64.b64encode(self.picture.png).decode("ascii")
        return {**bundle, "image/png": still}, {"image/png": {"alt": self._words}}


def loss_axes(axes: Axes, title: str) -> None:
    """Make axes ready for a loss from 0.000001 to 1000 after each step."""
    axes.set(yscale="log", ylim=(1e-6, 1e3), xlabel="step")
    # Plain texts: powers of ten as formulas take longer than all the rest.
    axes.set_yticks([1e-6, 1e-3, 1, 1e3], labels=["0.000001", "0.001", "1", "1000"])
    axes.minorticks_off()
    axes.set_title(title)
    axes.grid(True)


def slider(label: str, value: float, low: float, high: float) -> Slider:
    """A slider for a decimal number, in steps of 0.1."""
    return Slider(label=label, value=value, min=low, max=high, step=0.1)


def whole(
    label: str, value: int, low: int, high: int, step: int = 1, interval: int = 0
) -> Slider:
    """A slider for a whole number; played by a button, `interval` milliseconds a step."""
    return Slider(
        label=label, value=value, min=low, max=high, step=step, interval=interval
    )


def rate(value: float) -> Slider:
    """A slider for a learning rate, from 0.001 to 3.2."""
    return Slider(
        label="rate", value=value, min=-3, max=0.5, step=0.02, logarithmic=True
    )


def choice(label: str, options: list[str], value: str) -> ipywidgets.Dropdown:
    """A menu of which one is chosen."""
    return ipywidgets.Dropdown(options=options, value=value, description=label)
