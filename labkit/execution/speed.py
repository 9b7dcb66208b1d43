"""How fast this machine trains, and so how many times the limits of time count on it.

Training a small network for digits is timed in CPU seconds, once for a machine and the
packages on it: other programs that run meanwhile hardly change the answer. Keras and
its backend are imported in a process of its own, `python -m labkit.execution.speed`.
"""

import contextlib
import importlib.metadata
import json
import platform
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from labkit.data import cache
from labkit.files import write_text
from labkit.machine.cores import cores
from labkit.sandbox.meter import BACKSTOP

# Pictures a CPU second on the machines for which the limits were set: server CPUs that
# train in bfloat16. They learn 6,400 to 7,500 alone and no fewer than 5,000 beside other
# programs.
REFERENCE = 5000
# And on the two classes of machine on which whole labs were timed: in bfloat16, and a
# server's CPU held to AVX2 and float32. A laptop's own, with AVX2, learns 2,170 pictures
# of another network where that one learns 2,470: docs/benchmarks.md.
FAST, SLOW = 7500, 3900
BATCH = 128
_BATCHES, _ROUNDS = 20, 4
_MEASURE_SECONDS = 900
_PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch")
# Settings that change the arithmetic, or how many threads share it.
_SETTINGS = ("KERAS_BACKEND", "OMP_", "ONEDNN_", "TF_", "XLA_")


def stretch(environment: Mapping[str, str]) -> float:
    """How many times the limits count here: at least once, and at most BACKSTOP times.

    `environment` is that of the kernels. Once where the speed cannot be measured.
    """
    found = speed(environment)
    return min(max(1.0, REFERENCE / found), BACKSTOP) if found else 1.0


def speed(environment: Mapping[str, str]) -> float | None:
    """Pictures that training learns in a CPU second; None where it does not train here.

    The first call measures it, which takes some ten seconds; the cache keeps it.
    `environment` is that of the kernels.
    """
    path = place(environment)
    found = _kept(path)
    if found is None:
        with cache.lock(path):  # one of those that grade side by side measures
            found = _kept(path) or _measured(environment)
            if found is not None:
                with contextlib.suppress(OSError):  # a full disk: the next one measures
                    write_text(path, json.dumps({"pictures_per_cpu_second": found}))
    return found


def between(fast: float, slow: float, speed: float) -> float:
    """The seconds that something takes at a speed, from those at FAST and at SLOW.

    In a straight line over the time that a picture takes, and never below `fast`.
    """
    share = (1 / speed - 1 / FAST) / (1 / SLOW - 1 / FAST)
    return max(fast, fast + share * (slow - fast))


def place(environment: Mapping[str, str]) -> Path:
    """Where the speed is kept: under another name for all that it depends on."""
    settings = sorted(
        item for item in environment.items() if item[0].startswith(_SETTINGS)
    )
    key = cache.fingerprint(_processor(), cores(), _versions(), settings)
    return cache.place("speed", f"{key}.json")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    # The flags as well: one name stands for many CPUs in virtual machines.
    named = [line for line in lines if line.startswith(("model name", "flags"))]
    return "\n".join(named[:2]) or platform.machine()


def _versions() -> list[str]:
    found = [platform.python_version()]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _kept(path: Path) -> float | None:
    try:
        found = json.loads(path.read_text("utf-8"))["pictures_per_cpu_second"]
        return float(found) if found > 0 else None
    except (OSError, ValueError, TypeError, KeyError):  # not there, or damaged
        return None


def _measured(environment: Mapping[str, str]) -> float | None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "labkit.execution.speed"],
            cwd="/",  # a folder of the user's may hold modules of any name
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_MEASURE_SECONDS,
        )
        return float(done.stdout.split()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def main() -> None:
    """Train a network as a lab does; print the pictures it learns a CPU second."""
    import keras
    import numpy as np
    from keras import layers

    from labkit.training.machine import arithmetic, device

    rng = np.random.default_rng(0)
    count = BATCH * _BATCHES
    pictures = rng.integers(0, 256, (count, 28, 28, 1), dtype=np.uint8)
    labels = rng.integers(0, 10, count)
    # Not a function of the module: it could be imported as an answer to an exercise.
    model = keras.Sequential(
        [layers.Input((28, 28, 1)), layers.Rescaling(1 / 127.5, offset=-1)]
    )
    for filters, size in ((16, 5), (32, 3), (48, 3)):
        model.add(layers.Conv2D(filters, size, padding="same", use_bias=False))
        model.add(layers.MaxPooling2D(2))
        model.add(layers.BatchNormalization(momentum=0.9, scale=False))
        model.add(layers.ReLU())
    model.add(layers.Flatten())
    model.add(layers.Dense(10, activation="softmax"))
    with arithmetic(model, "bfloat16" if device().bfloat16 else "float32"):
        model.compile("adam", "sparse_categorical_crossentropy")
        times = []
        for _ in range(_ROUNDS):
            start = time.process_time()
            model.fit(pictures, labels, batch_size=BATCH, verbose=0)
            times.append(time.process_time() - start)
    # The first round compiles; of the others the fastest was disturbed least.
    print(count / min(times))


if __name__ == "__main__":
    main()
