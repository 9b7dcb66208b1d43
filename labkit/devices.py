"""What a process may compute on: the cores of this machine, several devices at once."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from labkit.errors import LabkitError


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def distribute(devices: Sequence[str] | None = None) -> Iterator[Any]:
    """Let a model that is built and trained in the block use all devices, each a share of every batch.

        with training.distribute():
            model = models.tutorial_cnn()
            training.fit(model, ...)

    devices: such as ["GPU:0", "GPU:1"]; all GPUs where None. The batch is the whole one: with two devices each
    gets half of it. Yields tf.distribute.MirroredStrategy or keras.distribution.DataParallel. Raises
    LabkitError where the backend has neither.
    """
    import keras

    backend = keras.backend.backend()
    names = list(devices) if devices else None
    if backend == "tensorflow":
        import tensorflow as tf

        strategy = tf.distribute.MirroredStrategy(names)
        with strategy.scope():
            yield strategy
    elif backend == "jax":
        parallel = keras.distribution.DataParallel(devices=names)
        with parallel.scope():
            yield parallel
    else:
        raise LabkitError(
            f"Keras distributes training with TensorFlow and JAX, not with {backend}. "
            "Set KERAS_BACKEND=tensorflow before Keras is imported."
        )
