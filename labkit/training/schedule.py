"""The learning rate of every step."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np

SCHEDULES = ("constant", "cosine", "triangular", "one-cycle")
Course = Callable[[float, int, float], float]


def learning_rates(schedule: str | Course, steps: int, peak: float) -> np.ndarray:
    """Return the learning rate of every step.

    Parameters
    ----------
    schedule : "constant", "cosine", "triangular" or "one-cycle"; or a function
        "cosine": from the peak to 0 along half a cosine wave; "triangular": up from 0 for a
        fifth of the steps, then down to 0; "one-cycle": up along a cosine wave for three
        tenths from peak/25, then down to 0 (Smith 2018, with two half waves for lines).
        A function of one's own is called as `schedule(step, steps, peak)` in the middle of
        each step, at 0.5, 1.5 and so on, and returns the rate there.
    steps : int
        Of the whole training.
    peak : float
        The highest rate.

    Returns
    -------
    float32 array (steps,)

    Raises
    ------
    ValueError
        There is no schedule of this name, or the function gives no rate.

    Examples
    --------
    >>> from labkit import training
    >>> training.learning_rates("triangular", 5, 1.0)
    array([0.5  , 0.875, 0.625, 0.375, 0.125], dtype=float32)
    >>> training.learning_rates(lambda step, steps, peak: peak * step / steps, 2, 1.0)
    array([0.25, 0.75], dtype=float32)
    """
    if callable(schedule):
        return np.array(
            [_rate(schedule, i + 0.5, steps, peak) for i in range(steps)], "float32"
        )
    if schedule not in SCHEDULES:
        raise ValueError(
            f"schedule is {schedule!r}; expected one of {', '.join(SCHEDULES)}."
        )
    t = (np.arange(steps) + 0.5) / steps
    if schedule == "constant":
        shape = np.ones(steps)
    elif schedule == "cosine":
        shape = _half_wave(t)
    elif schedule == "triangular":
        shape = np.interp(t, [0, 0.2, 1], [0, 1, 0])
    else:
        rise = 0.3
        up = 1 / 25 + (1 - 1 / 25) * _half_wave(1 - t / rise)
        shape = np.where(t < rise, up, _half_wave((t - rise) / (1 - rise)))
    return (peak * shape).astype("float32")


def _rate(course: Course, step: float, steps: int, peak: float) -> float:
    """Return what a function of one's own gives for a step; refuse what is no rate."""
    found = np.asarray(course(step, steps, peak))
    if (
        found.size != 1
        or found.dtype.kind not in "iuf"
        or not 0 <= found.item() < np.inf
    ):
        raise ValueError(
            f"schedule, called with ({step}, {steps}, {peak}), gave"
            f" {found.tolist()!r}; expected one learning rate, a number from 0 up."
        )
    return float(found.item())


def _half_wave(t: np.ndarray) -> np.ndarray:
    """Return 1 at t = 0 falling to 0 at t = 1 along a cosine wave."""
    return (1 + np.cos(np.pi * t)) / 2


@keras.saving.register_keras_serializable("labkit")
class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """`learning_rates` as an object that a Keras optimiser asks at every step.

    A saved model cannot hold a function, so it keeps its rates, a list in its place.
    """

    def __init__(
        self, schedule: str | Course | list[float], steps: int, peak: float
    ) -> None:
        if isinstance(schedule, list):
            self.rates = np.array(schedule, "float32")
        else:
            self.rates = learning_rates(schedule, steps, peak)
        kept = schedule if isinstance(schedule, str) else self.rates.tolist()
        self.config = {"schedule": kept, "steps": steps, "peak": peak}

    def __call__(self, step):
        last = len(self.rates) - 1
        step = keras.ops.minimum(keras.ops.cast(step, "int32"), last)
        return keras.ops.take(self.rates, step)

    def get_config(self):
        return self.config
