"""Several students on one GPU: a limit for each kernel, and what to do where its memory is out."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from labkit.errors import LabkitError
from labkit.machine.diagnosis import memory_message
from labkit.machine.facts import Facts, driver_facts

if TYPE_CHECKING:
    import keras

# The environment variable with the MiB of each GPU that a kernel may take.
LIMIT = "LABKIT_GPU_MEMORY"
# What Keras, TensorFlow, JAX and PyTorch say; each has an exception class of its own.
_SAID = (
    "RESOURCE_EXHAUSTED",
    "ResourceExhausted",
    "OOM when allocating",
    "out of memory",
)
# Of the free memory, what activations may take: the rest is for work space and fragments.
_USABLE = 0.7
MIB = 2**20


class OutOfGpuMemory(LabkitError):
    """GPU memory is out; the text names who holds it, and the batch size that fits."""


def limit() -> int | None:
    """Return the MiB that LABKIT_GPU_MEMORY allows, None where it is not set; LabkitError where it is no number."""
    asked = os.environ.get(LIMIT, "").strip()
    if not asked:
        return None
    if not asked.isdecimal() or int(asked) < 1:
        raise LabkitError(
            f"{LIMIT} is {asked!r}; expected MiB, such as 4000. Or type: unset {LIMIT}"
        )
    return int(asked)


def apply_limit(backend: str) -> None:
    """Keep this process's memory on each GPU below the limit; to be called before anything runs on a GPU."""
    mib = limit()
    if mib is None:
        return
    if backend == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.list_physical_devices("GPU"):
            part = tf.config.LogicalDeviceConfiguration(memory_limit=mib)
            tf.config.set_logical_device_configuration(gpu, [part])
    elif backend == "torch":
        import torch

        for index in range(torch.cuda.device_count()):
            total = torch.cuda.get_device_properties(index).total_memory
            torch.cuda.set_per_process_memory_fraction(
                min(1.0, mib * MIB / total), index
            )
    else:
        # JAX reads it when it first looks for a GPU
        totals = [gpu.total for gpu in driver_facts().gpus]
        if totals:
            share = min(1.0, mib / min(totals))
            os.environ["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{share:.3f}"


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error of any backend says that memory is out."""
    text = f"{type(error).__name__}: {error}"
    return any(said in text for said in _SAID)


@contextlib.contextmanager
def explained(model: keras.Model, batch_size: int) -> Iterator[None]:
    """Turn an error that GPU memory is out, in the block, into one that says what to do."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfGpuMemory(_message(driver_facts(), model, batch_size)) from error


def _message(facts: Facts, model: keras.Model, batch_size: int) -> str:
    held = memory_message(facts.gpus, facts.holders) or "No GPU is seen by the driver"
    own = [h.mib for h in facts.holders if h.pid == os.getpid()]
    free = max((gpu.free for gpu in facts.gpus), default=0) + max(own, default=0)
    fits = min(batch_that_fits(model, free), batch_size // 2)
    advice = f"Try batch_size={fits}" if fits else "Not even one picture fits"
    return (
        f"Memory is out with batches of {batch_size}. {held}. {advice}, or shut down other notebooks "
        "(in JupyterLab: Running Terminals and Kernels)."
    )


def batch_that_fits(model: keras.Model, mib: int) -> int:
    """Return the largest power of two of pictures that can be trained on at once in `mib`; 0 where none can.

    An estimate: weights, their gradients and two moments in float32, and every layer's output twice, once
    forward and once backward, at the width it computes in.
    """
    fixed = 4 * 4 * model.count_params()
    each = 2 * sum(_output_bytes(layer) for layer in model.layers)
    pictures = (mib * MIB * _USABLE - fixed) / max(each, 1)
    return 2 ** int(math.log2(pictures)) if pictures >= 1 else 0


def _output_bytes(layer: keras.Layer) -> int:
    width = 2 if "16" in str(layer.compute_dtype) else 4
    outputs = (
        layer.output if isinstance(layer.output, (list, tuple)) else [layer.output]
    )
    return sum(width * math.prod(n or 1 for n in out.shape[1:]) for out in outputs)
