"""Training and prediction: Keras's `compile` and `fit`, with what a good recipe adds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from labkit.machine.gpu_memory import explained
from labkit.training.batches import Augment, Batches, one_hot
from labkit.training.budget import VALIDATION_BATCH, Plan, planned, settled
from labkit.training.checkpoint import Checkpoint, Patience
from labkit.training.history import History
from labkit.training.lookahead import Lookahead
from labkit.training.machine import arithmetic, device
from labkit.training.progress import Progress, screen_for
from labkit.training.schedule import Schedule

Pair = tuple[np.ndarray, np.ndarray]


def fit(
    model: keras.Model,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int | None = None,
    minutes: float | None = None,
    validation: Pair | None = None,
    batch_size: int = 128,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    schedule: str = "one-cycle",
    weight_decay: float = 0.0,
    clip_norm: float | None = None,
    label_smoothing: float = 0.0,
    augment: Augment | None = None,
    alternate_flips: bool = False,
    lookahead: bool = False,
    patience: int | None = None,
    precision: str = "auto",
    seed: int = 0,
    progress: str = "auto",
    title: str = "",
    checkpoint: str | Path | None = None,
) -> History:
    """Train `model` in place and return what happened, epoch by epoch.

    images: (N, H, W) or (N, H, W, C), as the model takes them; labels: (N,) integers from 0.
    epochs: how often it sees every picture. minutes: as many epochs as fit, at most `epochs`
    where that is given too, and the learning rate's course follows; where not even one fits,
    it is a part of one. The minutes begin with the call. What the machine learns in a second
    is timed on some steps, which are then undone, so the training is the one of so many
    epochs. At grading no clock counts: there it is `epochs`, or 10 where only minutes are given.
    validation: (images, labels) that are only measured, never trained on.
    optimizer: "adam" or "sgd" (Nesterov momentum 0.9); learning_rate: the schedule's peak.
    weight_decay: share of each kernel taken off at every step, times the learning rate.
    clip_norm: longest gradient allowed, over all weights together.
    augment: `augment(images, rng)` -> images of the same shape, called for each batch.
    alternate_flips: mirror each picture in every other epoch, half of them in the first
    (Jordan 2024). lookahead: draw the weights back to the mean of their past every few
    steps, the more the later (Zhang and others 2019).
    patience: stop after so many epochs without a lower validation loss, and go back to the
    best weights. precision: "auto", "float32" or "bfloat16". seed: order and augmentation.
    progress: "auto", "curves", "text" or "none". checkpoint: a file that is written after
    every epoch; the same call goes on from there if it was interrupted. Raises ValueError on
    labels, a model or settings that do not fit, OutOfGpuMemory with what to do about it.
    """
    began = time.perf_counter()
    epochs, minutes = settled(epochs, minutes)
    _require_probabilities(model)
    # The first call builds a model that was given no input shape.
    classes = model(images[:1], training=False).shape[-1]
    if patience is not None and validation is None:
        raise ValueError(
            "patience needs validation pictures: pass validation=(images, labels)."
        )
    batches = Batches(
        images,
        one_hot(images, labels, classes),
        batch_size,
        augment,
        alternate_flips,
        seed,
    )
    if validation is not None:
        validation = (validation[0], one_hot(*validation, classes))

    screen = screen_for(progress, epochs, title)
    precision, setup = _setup(model, precision)
    history = History(setup)
    stopping = Patience(patience) if patience is not None else None
    saved = None
    if checkpoint is not None:
        # What makes it the same run, besides the model and the pictures.
        call = [epochs, minutes, batch_size, optimizer, learning_rate, schedule]
        call += [weight_decay, clip_norm, label_smoothing, patience, precision, seed]
        call += [alternate_flips, lookahead]
        numbers = np.asarray(labels).tolist()
        run = [call, getattr(augment, "__name__", ""), images.shape, numbers]
        saved = Checkpoint(Path(checkpoint), run, history, stopping)

    def compiled(steps: int) -> tuple[Schedule, Lookahead | None]:
        """Compile the model for so many steps; return what depends on their number."""
        rates = Schedule(schedule, steps, learning_rate)
        model.compile(
            optimizer=_optimizer(model, optimizer, rates, weight_decay, clip_norm),
            loss=keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing),
            metrics=["accuracy"],
        )
        return rates, Lookahead(steps) if lookahead else None

    with arithmetic(model, precision), explained(model, batch_size):
        plan = Plan(epochs or 1, len(batches))
        rates, averaging = compiled(plan.total)
        screen.start(history)
        try:
            if minutes is not None:
                plan = saved.planned(model) if saved is not None else None
                plan = plan or planned(
                    model,
                    batches,
                    validation,
                    _present(averaging, saved),
                    epochs=epochs,
                    minutes=minutes,
                    began=began,
                )
                batches = batches.first(plan.steps)
                if plan.total != len(rates.rates):
                    rates, averaging = compiled(plan.total)
                history.seconds = time.perf_counter() - began
            line = plan.line
            if saved is not None:
                saved.plan = plan
                batches.begin(saved.resume(model))
                if history.rows:
                    line = f"It goes on after epoch {len(history.rows)}."
            history.setup += f"\n{line}" if line else ""
            screen.plan(plan.epochs, line)
            shown = Progress(history, plan.epochs, plan.steps, rates.rates, screen)
            model.fit(
                batches,
                epochs=plan.epochs,
                initial_epoch=len(history.rows),
                shuffle=False,  # Batches does, and by `seed` alone
                validation_data=validation,
                validation_batch_size=VALIDATION_BATCH,
                callbacks=_present(averaging, shown, stopping, saved),
                verbose=0,
            )
        except KeyboardInterrupt:
            history.note = "stopped by hand: the model keeps what it has learned"
        else:
            if saved is not None:
                saved.remove()
    screen.finish(history)
    return history


def predict(
    model: keras.Model,
    images: np.ndarray,
    flips: bool = False,
    shifts: int = 0,
    batch_size: int = 500,
) -> np.ndarray:
    """Return class probabilities, float32 (N, classes), for pictures (N, H, W[, C]).

    flips: the mean over each picture and its mirror image, which costs twice the time.
    shifts: the mean over the picture where it is and moved by so many pixels up, down,
    left and right, edges mirrored, which costs five times the time. Raises OutOfGpuMemory.
    """
    total, looks = 0.0, 0
    with explained(model, batch_size):
        for moved in _moved(images, shifts):
            for view in [moved, moved[:, :, ::-1]] if flips else [moved]:
                total += model.predict(view, batch_size=batch_size, verbose=0)
                looks += 1
    return (total / looks).astype("float32")


def _moved(images: np.ndarray, shifts: int) -> Iterator[np.ndarray]:
    """Yield the pictures where they are and, for shifts above 0, moved to four sides."""
    yield images
    if not shifts:
        return
    height, width = images.shape[1:3]
    margins = [(0, 0), (shifts, shifts), (shifts, shifts)]
    margins += [(0, 0)] * (images.ndim - 3)
    wide = np.pad(images, margins, mode="reflect")
    for row, column in ((0, 1), (2, 1), (1, 0), (1, 2)):
        top, left = row * shifts, column * shifts
        yield wide[:, top : top + height, left : left + width]


def _present(*callbacks: keras.callbacks.Callback | None) -> list:
    """Return those that are there."""
    return [callback for callback in callbacks if callback is not None]


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
