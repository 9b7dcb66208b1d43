"""What this machine trains on, and the arithmetic that is fast there."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import psutil

from labkit.errors import LabkitError
from labkit.formatting import counted
from labkit.machine.cores import cores
from labkit.machine.facts import driver_facts

# TensorFlow takes several small networks, each of which is traced once, for one function
# that is traced again and again, and warns of it.
logging.getLogger("tensorflow").addFilter(
    lambda record: "retracing" not in record.getMessage()
)

# oneDNN's names of the instruction sets that have no arithmetic in bfloat16.
_NO_BFLOAT16 = (
    "SSE41",
    "AVX",
    "AVX2",
    "AVX2_VNNI",
    "AVX2_VNNI_2",
    "AVX512_CORE",
    "AVX512_CORE_VNNI",
)


@dataclass(frozen=True)
class Device:
    """What this machine trains on: `kind` "CPU" or "GPU", how many, fast bfloat16 or not."""

    kind: str
    count: int
    bfloat16: bool

    def __str__(self) -> str:
        unit = "core" if self.kind == "CPU" else "device"
        return f"{self.kind}, {counted(self.count, unit)}"


def device() -> Device:
    """Return the device Keras uses here.

    Returns
    -------
    Device
        `bfloat16` is False wherever that is unknown.

    Examples
    --------
    >>> from labkit import training
    >>> training.device().kind in ("CPU", "GPU")
    True
    """
    gpus, fast = _gpus()
    if gpus:
        return Device("GPU", gpus, fast)
    # Only TensorFlow's CPU kernels were measured to gain from bfloat16.
    fast = keras.backend.backend() == "tensorflow" and _cpu_has_bfloat16()
    return Device("CPU", cores(), fast)


def _gpus() -> tuple[int, bool]:
    """Return how many GPUs the Keras backend sees, and whether they do bfloat16 fast."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        # Nvidia: tensor cores take bfloat16 from compute capability 8.0 (Ampere) on.
        return len(gpus), all(
            d.get("compute_capability", (0, 0)) >= (8, 0) for d in details
        )
    if backend == "torch":
        import torch

        count = torch.cuda.device_count()
        return count, count > 0 and torch.cuda.is_bf16_supported()
    if backend == "jax":
        import jax

        gpus = [d for d in jax.devices() if d.platform == "gpu"]
        return len(gpus), all(
            float(getattr(d, "compute_capability", 0)) >= 8 for d in gpus
        )
    return 0, False


def _cpu_has_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether Linux names a bfloat16 unit among the CPU's flags, and oneDNN may use it."""
    # oneDNN's own setting: so a server can be held to what a laptop's CPU can do.
    if os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in _NO_BFLOAT16:
        return False
    try:
        flags = cpuinfo.read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def would_help() -> list[str]:
    """Return what would let this machine train faster, each as "doing so"; nothing on a GPU."""
    if device().kind == "GPU":
        return []
    helps = []
    battery = getattr(psutil, "sensors_battery", lambda: None)()
    if battery is not None and battery.power_plugged is False:
        helps.append("plugging it in")
    tensorflow = keras.backend.backend() == "tensorflow"
    if tensorflow and os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        helps.append("taking TF_ENABLE_ONEDNN_OPTS=0 out of the environment")
    if driver_facts().gpus:
        helps.append("training on its GPU: `labkit doctor` says how")
    return helps


@contextlib.contextmanager
def arithmetic(model: keras.Model, precision: str) -> Iterator[None]:
    """Let `model` compute in `precision` inside the block; its weights stay float32.

    The last layer keeps float32, so that its probabilities add up to one. Afterwards every
    layer has its old policy again, and Keras's global setting is never touched.
    """
    policies = {}
    if precision == "bfloat16":
        policies = {layer: layer.dtype_policy for layer in model.layers[:-1]}
    for layer in policies:
        layer.dtype_policy = "mixed_bfloat16"
    try:
        yield
    finally:
        for layer, policy in policies.items():
            layer.dtype_policy = policy


@contextlib.contextmanager
def distribute(devices: Sequence[str] | None = None) -> Iterator[Any]:
    """Let a model that is built and trained in the block use all devices, each a share of every batch.

    The batch is the whole one: with two devices each gets half of it.

    Parameters
    ----------
    devices : sequence of str, optional
        Such as ["GPU:0", "GPU:1"]; all GPUs where None.

    Yields
    ------
    tf.distribute.MirroredStrategy or keras.distribution.DataParallel

    Raises
    ------
    LabkitError
        The backend has neither.

    Examples
    --------
    >>> from labkit import models, training
    >>> with training.distribute():  # doctest: +SKIP
    ...     model = models.fashion_mnist_cnn()
    ...     history = training.fit(model, images, labels, epochs=3)
    """
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


def is_distributed(model: keras.Model) -> bool:
    """Return whether a model was built for several devices, in the block of `distribute`."""
    if keras.backend.backend() != "tensorflow":
        return keras.distribution.distribution() is not None
    import tensorflow as tf

    return any(
        isinstance(one.value, tf.distribute.DistributedValues)
        for one in model.variables
    )
