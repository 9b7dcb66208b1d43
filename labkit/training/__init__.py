"""Training as the labs do it: Keras's `compile` and `fit`, with what a good recipe adds.

`fit` brings live curves and the time left, a budget in minutes, a learning-rate schedule,
early stopping, weight decay, gradient clipping, label smoothing, augmentation, and the
arithmetic that is fast on this machine. `predict` gives probabilities. Pictures stay uint8
all the way: a model scales them in its own first layer.
"""

from labkit.training.batches import (
    Batches,
    halved,
    random_affine,
    random_colour,
    random_cover,
    random_flip,
    random_shift,
)
from labkit.training.history import History
from labkit.training.loop import fit, predict
from labkit.training.machine import Device, device, distribute
from labkit.training.schedule import SCHEDULES, Schedule, learning_rates

__all__ = [
    "SCHEDULES",
    "Batches",
    "Device",
    "History",
    "Schedule",
    "device",
    "distribute",
    "fit",
    "halved",
    "learning_rates",
    "predict",
    "random_affine",
    "random_colour",
    "random_cover",
    "random_flip",
    "random_shift",
]
