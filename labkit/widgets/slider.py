"""A slider that a screen reader can name; those of ipywidgets have no name, nor has their Play."""

from pathlib import Path

import anywidget
import traitlets

HERE = Path(__file__).parent


class Slider(anywidget.AnyWidget):
    """A slider with its label and its value, and a button that plays its steps.

    `value` is from `min` to `max`; of a logarithmic slider these two and `step` are powers
    of ten. `interval`: milliseconds a step where there is a button, else 0.
    """

    _esm = HERE / "slider.js"
    _css = HERE / "slider.css"

    label = traitlets.Unicode().tag(sync=True)
    value = traitlets.Union([traitlets.Int(), traitlets.Float()]).tag(sync=True)
    min = traitlets.Float().tag(sync=True)
    max = traitlets.Float().tag(sync=True)
    step = traitlets.Float(1).tag(sync=True)
    logarithmic = traitlets.Bool(False).tag(sync=True)
    interval = traitlets.Int(0).tag(sync=True)

    @traitlets.validate("value")
    def _within(self, proposal: traitlets.Bunch) -> float:
        return self._clamped(proposal["value"])

    @traitlets.observe("min", "max")
    def _moved(self, _change: traitlets.Bunch) -> None:
        self.value = self._clamped(self.value)

    def _clamped(self, value: float) -> float:
        """The nearest value between the ends; a whole number stays one."""
        low, high = self.min, self.max
        if self.logarithmic:
            low, high = 10**low, 10**high
        return type(value)(min(max(value, low), high))
