"""Training as the labs do it: Keras's `compile` and `fit`, with what a good recipe adds.

`fit` brings live curves and the time left, a learning-rate schedule, early stopping,
weight decay, gradient clipping, label smoothing, augmentation, and the arithmetic that
is fast on this machine. `predict` gives probabilities. Pictures stay uint8 all the way:
a model scales them in its own first layer.
"""

from __future__ import annotations

import contextlib
import html
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from labkit.devices import distribute as distribute

Augment = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Pair = tuple[np.ndarray, np.ndarray]


# ---------------------------------------------------------------- device


@dataclass(frozen=True)
class Device:
    """What this machine trains on: `kind` "CPU" or "GPU", how many, fast bfloat16 or not."""

    kind: str
    count: int
    bfloat16: bool

    def __str__(self) -> str:
        unit = "core" if self.kind == "CPU" else "device"
        return f"{self.kind}, {self.count} {unit}{'s' if self.count != 1 else ''}"


def device() -> Device:
    """Return the device Keras uses here; `bfloat16` is False wherever that is unknown."""
    gpus, fast = _gpus()
    if gpus:
        return Device("GPU", gpus, fast)
    # Only TensorFlow's CPU kernels were measured to gain from bfloat16.
    fast = keras.backend.backend() == "tensorflow" and _cpu_has_bfloat16()
    return Device("CPU", _cores(), fast)


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
    """Return whether Linux names a bfloat16 unit among the CPU's flags."""
    try:
        flags = cpuinfo.read_text().split()
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _arithmetic(model: keras.Model, precision: str) -> Iterator[None]:
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


# ---------------------------------------------------------------- learning rate

SCHEDULES = ("constant", "cosine", "triangular", "one-cycle")


def learning_rates(schedule: str, steps: int, peak: float) -> np.ndarray:
    """Return the learning rate of every step, float32 (steps,), at most `peak`.

    "constant"; "cosine": from the peak to 0 along half a cosine wave; "triangular": up from
    0 for a fifth of the steps, then down to 0; "one-cycle": up along a cosine wave for
    three tenths from peak/25, then down to 0 (Smith 2018, with two half waves for lines).
    """
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


def _half_wave(t: np.ndarray) -> np.ndarray:
    """Return 1 at t = 0 falling to 0 at t = 1 along a cosine wave."""
    return (1 + np.cos(np.pi * t)) / 2


class Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """`learning_rates` as an object that a Keras optimiser asks at every step."""

    def __init__(self, schedule: str, steps: int, peak: float):
        self.config = {"schedule": schedule, "steps": steps, "peak": peak}
        self.rates = learning_rates(**self.config)

    def __call__(self, step):
        last = len(self.rates) - 1
        step = keras.ops.minimum(keras.ops.cast(step, "int32"), last)
        return keras.ops.take(self.rates, step)

    def get_config(self):
        return self.config


# ---------------------------------------------------------------- batches


class Batches(keras.utils.PyDataset):
    """Shuffled, augmented batches (images, one-hot labels), in a new order every epoch."""

    def __init__(self, images, targets, batch_size, augment=None, seed=0):
        super().__init__()
        self.images, self.targets = images, targets
        self.batch_size, self.augment, self.seed = batch_size, augment, seed
        self.epoch = -1
        self.on_epoch_end()

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        images = self.images[chosen]
        if self.augment is not None:
            # A generator of its own for each batch: the result does not depend on
            # which thread asks for which batch first.
            rng = np.random.default_rng([self.seed, self.epoch, index])
            images = self.augment(images, rng)
        return images, self.targets[chosen]

    def on_epoch_end(self):
        self.epoch += 1
        rng = np.random.default_rng([self.seed, self.epoch])
        self.order = rng.permutation(len(self.images))


def random_shift(
    images: np.ndarray, rng: np.random.Generator, pixels: int = 2
) -> np.ndarray:
    """Return every picture moved by up to `pixels` in each direction, edges mirrored.

    images: (N, H, W) or (N, H, W, C); the same shape and dtype come back.
    """
    count, height, width = images.shape[:3]
    rows = _mirrored(rng.integers(-pixels, pixels + 1, count), height)
    columns = _mirrored(rng.integers(-pixels, pixels + 1, count), width)
    return images[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None]]


def _mirrored(shifts: np.ndarray, size: int) -> np.ndarray:
    """Return the index each of `size` places reads from, (len(shifts), size)."""
    places = np.abs(np.arange(size) + shifts[:, None])
    return size - 1 - np.abs(size - 1 - places)


def random_flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the pictures (N, H, W[, C]), about half of them mirrored left to right."""
    flipped = rng.random(len(images)) < 0.5
    result = images.copy()
    result[flipped] = images[flipped, :, ::-1]
    return result


# ---------------------------------------------------------------- history


@dataclass
class History:
    """What a training run did: one row an epoch, and how long it took.

    rows: epoch, loss, accuracy, learning_rate, seconds, and val_loss and val_accuracy where
    there were validation pictures. Losses hold label smoothing; accuracies are 0 to 1.
    """

    setup: str
    rows: list[dict[str, float]] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""

    def column(self, name: str) -> np.ndarray:
        """Return one column of the table, float64 (epochs,)."""
        return np.array([row[name] for row in self.rows], dtype=float)

    def curves(self) -> dict[str, np.ndarray]:
        """Return losses and accuracies by name, as `plots.curves` draws them."""
        names = self.rows[0] if self.rows else ()
        return {n: self.column(n) for n in names if n.endswith(("loss", "accuracy"))}

    @property
    def best_epoch(self) -> int:
        """The epoch, from 1, of the lowest validation loss (training loss without one)."""
        if not self.rows:
            return 0
        name = "val_loss" if "val_loss" in self.rows[0] else "loss"
        return int(np.argmin(self.column(name))) + 1

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        names = list(self.rows[0]) if self.rows else ["epoch"]
        text = {
            "epoch": "{:.0f}",
            "learning_rate": "{:.2g}",
            "seconds": "{:.1f}",
            "accuracy": "{:.2%}",
            "val_accuracy": "{:.2%}",
        }
        body = [
            [text.get(n, "{:.4f}").format(row[n]) for n in names] for row in self.rows
        ]
        return [n.replace("_", " ") for n in names], body

    def summary(self) -> str:
        """Return one line: epochs, time, best epoch, and what cut the run short, if so."""
        number = len(self.rows)
        parts = [f"{number} epoch{'s' * (number != 1)} in {clock(self.seconds)}"]
        if self.rows and "val_loss" in self.rows[0]:
            parts.append(f"lowest validation loss in epoch {self.best_epoch}")
        return "; ".join([*parts, self.note] if self.note else parts)

    def __str__(self) -> str:
        head, body = self._cells()
        widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
        lines = [
            "  ".join(cell.rjust(w) for cell, w in zip(cells, widths, strict=True))
            for cells in (head, *body)
        ]
        return "\n".join([self.setup, *lines, self.summary()])

    def _repr_html_(self) -> str:
        names, body = self._cells()
        rows = [f"<tr>{''.join(f'<th>{name}</th>' for name in names)}</tr>"]
        for number, cells in enumerate(body, start=1):
            cell = "th" if number == self.best_epoch else "td"
            rows.append(f"<tr>{''.join(f'<{cell}>{c}</{cell}>' for c in cells)}</tr>")
        head = f"<p>{html.escape(self.setup)}<br>{html.escape(self.summary())}</p>"
        return f"{head}<table>{''.join(rows)}</table>"


def clock(seconds: float) -> str:
    """Return a time as m:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


# ---------------------------------------------------------------- progress


class Progress(keras.callbacks.Callback):
    """Fills a `History` while a model trains, and shows it: curves, or lines of text."""

    def __init__(self, history: History, epochs: int, steps: int, rates, screen):
        super().__init__()
        self.history, self.epochs, self.steps = history, epochs, steps
        self.rates, self.screen = rates, screen
        self.done = 0

    def on_train_begin(self, logs=None):
        self.began = self.epoch_began = self.first_step = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        if self.done == 1:  # the first step also compiles the model
            self.first_step = time.perf_counter()
        self.screen.update(self.history, self.status())

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        row = {"epoch": epoch + 1} | {k: float(v) for k, v in logs.items()}
        row["learning_rate"] = float(self.rates[min(self.done, len(self.rates)) - 1])
        row["seconds"] = now - self.epoch_began
        self.history.rows.append({k: row[k] for k in _COLUMNS if k in row})
        self.epoch_began = now
        self.history.seconds = now - self.began
        if not np.isfinite(row["loss"]):
            self.history.note = (
                "stopped: the loss is no longer a number; lower learning_rate"
            )
            self.model.stop_training = True
        self.screen.epoch_end(self.history, self.status())

    def on_train_end(self, logs=None):
        self.history.seconds = time.perf_counter() - self.began
        if len(self.history.rows) < self.epochs and not self.history.note:
            self.history.note = "stopped early: the validation loss no longer fell"

    def status(self) -> str:
        """Return where the training is and how long it will still take."""
        total = self.epochs * self.steps
        pace = (time.perf_counter() - self.first_step) / max(self.done - 1, 1)
        # Rounded up: at an epoch's end still its own number, not the next one's.
        where = f"epoch {-(-self.done // self.steps)} of {self.epochs}"
        if self.done < 2:
            return where
        return f"{where}, {clock(pace * (total - self.done))} left"


_COLUMNS = (
    "epoch",
    "loss",
    "accuracy",
    "val_loss",
    "val_accuracy",
    "learning_rate",
    "seconds",
)


class Silent:
    """A screen that shows nothing."""

    def start(self, history: History) -> None: ...

    def update(self, history: History, status: str) -> None: ...

    def epoch_end(self, history: History, status: str) -> None: ...

    def finish(self, history: History) -> None: ...


class Text(Silent):
    """A screen of plain lines: about ten a training run."""

    def __init__(self, epochs: int):
        self.epochs, self.every = epochs, -(-epochs // 10)

    def start(self, history):
        print(history.setup, flush=True)

    def epoch_end(self, history, status):
        row = history.rows[-1]
        if row["epoch"] % self.every and row["epoch"] not in (1, self.epochs):
            return
        line = f"{status:26} loss {row['loss']:.3f}, accuracy {row['accuracy']:.1%}"
        if "val_loss" in row:
            line += f"; validation {row['val_loss']:.3f}, {row['val_accuracy']:.1%}"
        print(line, flush=True)

    def finish(self, history):
        print(history.summary(), flush=True)


class Curves(Silent):
    """A screen in a notebook: one output, redrawn in place; text until there are curves."""

    def __init__(self, epochs: int, title: str):
        self.title = title
        self.handle, self.next_draw = None, 0.0

    def start(self, history):
        print(history.setup, flush=True)
        self.next_draw = time.perf_counter() + 1

    def update(self, history, status):
        if time.perf_counter() >= self.next_draw:
            self._show(history, status)

    def epoch_end(self, history, status):
        self.update(history, status)

    def finish(self, history):
        self._show(history, history.summary())

    def _show(self, history: History, status: str) -> None:
        from IPython.display import display

        began = time.perf_counter()
        picture = self._picture(history, status)
        if self.handle is None:
            self.handle = display(picture, display_id=True)
        else:
            self.handle.update(picture)
        # At most once a second, and never more than a fiftieth of the time for drawing.
        cost = time.perf_counter() - began
        self.next_draw = time.perf_counter() + max(1.0, 49 * cost)

    def _picture(self, history: History, status: str):
        if not history.rows:
            return Status(status)
        from labkit import plots  # imports matplotlib, which a text screen does without

        return plots.curves(history.curves(), title=self.title, subtitle=status)


@dataclass(frozen=True)
class Status:
    """A line of text that a notebook shows as it is."""

    text: str

    def __repr__(self) -> str:
        return self.text


def _screen(progress: str, epochs: int, title: str) -> Silent:
    """Return the screen for `progress`: "curves", "text", "none", or "auto" to choose."""
    if progress == "auto":
        # One epoch has no curve worth drawing, and importing matplotlib takes a second.
        progress = "curves" if epochs > 1 and _in_notebook() else "text"
    if progress == "curves":
        return Curves(epochs, title)
    if progress == "text":
        return Text(epochs)
    if progress == "none":
        return Silent()
    raise ValueError(f"progress is {progress!r}; expected auto, curves, text or none.")


def _in_notebook() -> bool:
    """Return whether this runs in a Jupyter kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None


# ---------------------------------------------------------------- fit and predict


def fit(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int,
    validation: Pair | None = None,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    schedule: str = "one-cycle",
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    label_smoothing: float = 0.0,
    augment: Augment | None = None,
    patience: int | None = None,
    precision: str = "auto",
    seed: int = 0,
    progress: str = "auto",
    title: str = "",
) -> History:
    """Train `model` in place and return what happened, epoch by epoch.

    images: (N, H, W) or (N, H, W, C), as the model takes them; labels: (N,) integers from 0.
    validation: (images, labels) that are only measured, never trained on.
    optimizer: "adam" or "sgd" (Nesterov momentum 0.9); learning_rate: the schedule's peak.
    weight_decay: share of each kernel taken off at every step, times the learning rate.
    clip_norm: longest gradient allowed, over all weights together.
    augment: `augment(images, rng)` -> images of the same shape, called for each batch.
    patience: stop after so many epochs without a lower validation loss, and go back to the
    best weights. precision: "auto", "float32" or "bfloat16". seed: order and augmentation.
    progress: "auto", "curves", "text" or "none".
    """
    _require_probabilities(model)
    # The first call builds a model that was given no input shape.
    classes = model(images[:1], training=False).shape[-1]
    if patience is not None and validation is None:
        raise ValueError(
            "patience needs validation pictures: pass validation=(images, labels)."
        )
    batches = Batches(
        images, _one_hot(images, labels, classes), batch_size, augment, seed
    )
    if validation is not None:
        validation = (validation[0], _one_hot(*validation, classes))

    rates = Schedule(schedule, epochs * len(batches), learning_rate)
    screen = _screen(progress, epochs, title)
    precision, setup = _setup(model, precision)
    history = History(setup)
    callbacks = [Progress(history, epochs, len(batches), rates.rates, screen)]
    if patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                "val_loss", mode="min", patience=patience, restore_best_weights=True
            )
        )
    screen.start(history)
    with _arithmetic(model, precision):
        model.compile(
            optimizer=_optimizer(model, optimizer, rates, weight_decay, clip_norm),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing),
            metrics=["accuracy"],
        )
        try:
            model.fit(
                batches,
                epochs=epochs,
                shuffle=False,  # Batches does, and by `seed` alone
                validation_data=validation,
                validation_batch_size=500,
                callbacks=callbacks,
                verbose=0,
            )
        except KeyboardInterrupt:
            history.note = "stopped by hand: the model keeps what it has learned"
    screen.finish(history)
    return history


def predict(
    model: keras.Model, images: np.ndarray, flips: bool = False, batch_size: int = 500
) -> np.ndarray:
    """Return class probabilities, float32 (N, classes), for pictures (N, H, W[, C]).

    flips: the mean over each picture and its mirror image, which costs twice the time.
    """
    if flips:
        mirrored = predict(model, images[:, :, ::-1], batch_size=batch_size)
        return (predict(model, images, batch_size=batch_size) + mirrored) / 2
    return model.predict(images, batch_size=batch_size, verbose=0).astype("float32")


def _one_hot(images: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Return labels (N,) as float32 (N, classes), or say what is wrong with them."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(
            f"labels are {labels.dtype} of shape {labels.shape}; "
            "expected integers of shape (N,), one class number for each picture."
        )
    if len(images) != len(labels) or not len(labels):
        raise ValueError(f"there are {len(images)} pictures and {len(labels)} labels.")
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels go from {labels.min()} to {labels.max()}, but the model's last layer "
            f"has {classes} outputs: expected 0 to {classes - 1}."
        )
    return np.eye(classes, dtype="float32")[labels]


def _require_probabilities(model: keras.Model) -> None:
    """Raise ValueError where the last layer gives raw scores instead of probabilities."""
    last = model.layers[-1]
    if getattr(last, "activation", None) is keras.activations.linear:
        raise ValueError(
            f"the last layer, {last.name}, has no activation, so it gives raw scores; "
            'expected probabilities. Give it activation="softmax".'
        )


def _setup(model: keras.Model, precision: str) -> tuple[str, str]:
    """Return the arithmetic to use and the line that says so."""
    here = device()
    reason = ""
    if precision == "auto":
        precision = "bfloat16" if here.bfloat16 else "float32"
        known = "is fast" if here.bfloat16 else "is not known to be fast"
        reason = f" (bfloat16 {known} here)"
    elif precision not in ("float32", "bfloat16"):
        raise ValueError(
            f"precision is {precision!r}; expected auto, float32 or bfloat16."
        )
    line = (
        f"Training {model.name}, {model.count_params():,} parameters, on {here}, "
        f"in {precision}{reason}, Keras on {keras.backend.backend()}."
    )
    return precision, line


def _optimizer(model, name, rates, weight_decay, clip_norm) -> keras.Optimizer:
    """Return the Keras optimiser; weight decay leaves biases and normalisation alone."""
    common = {
        "learning_rate": rates,
        "weight_decay": weight_decay or None,
        "global_clipnorm": clip_norm,
    }
    if name == "adam":
        optimizer = keras.optimizers.Adam(**common)
    elif name == "sgd":
        optimizer = keras.optimizers.SGD(momentum=0.9, nesterov=True, **common)
    else:
        raise ValueError(f"optimizer is {name!r}; expected adam or sgd.")
    if weight_decay:
        optimizer.exclude_from_weight_decay(
            var_list=[v for v in model.trainable_variables if len(v.shape) < 2]
        )
    return optimizer
