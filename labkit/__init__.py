"""The CNN lab kit: what the labs import, and what grades them.

Importing this package is cheap on purpose: no TensorFlow, no matplotlib. Each
room is loaded when it is first used.
"""

import importlib
import os
import platform

from labkit.machine import patches

__version__ = "0.1.0"
__all__ = [
    "check",
    "data",
    "kaggle",
    "models",
    "plots",
    "profile",
    "study",
    "training",
    "widgets",
]

# Read by TensorFlow and Keras when they are first imported.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if platform.machine() in ("x86_64", "AMD64"):
    # By itself TensorFlow uses oneDNN only on servers (AVX-512 VNNI, BF16 or AMX). On a
    # CPU with AVX2 only, as most laptops have, it trains the labs' networks 1.3 to 2
    # times as fast.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
patches.install()


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module 'labkit' has no attribute {name!r}")
    if name == "check":  # the callable; its module has another name, lest it hide it
        return importlib.import_module("labkit.checks.cell").check
    return importlib.import_module(f"labkit.{name}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
