"""Training and prediction: Keras's `compile` and `fit`, with what a good recipe adds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np

from labkit.machine.gpu_memory import explained
from labkit.training.batches import Augment, Batches, EpochOrder, one_hot
from labkit.training.budget import VALIDATION_BATCH, Plan, planned, settled
from labkit.training.checkpoint import Checkpoint, Patience
from labkit.training.finished_trainings import FinishedTraining, in_turn
from labkit.training.history import History
from labkit.training.lookahead import Lookahead
from labkit.training.machine import arithmetic, device, is_distributed
from labkit.training.optimizers import SGD, Adam
from labkit.training.progress import Progress, Silent, screen_for
from labkit.training.recipe import Pair, Recipe
from labkit.training.schedule import Course, Schedule


@in_turn
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
    schedule: str | Course = "one-cycle",
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

    Parameters
    ----------
    model : keras.Model
        Uncompiled or compiled; its last layer gives probabilities.
    images : array (N, H, W) or (N, H, W, C)
        As the model takes them.
    labels : array (N,)
        Integers from 0.
    epochs : int, optional
        How often it sees every picture. At least one of `epochs` and `minutes` is given.
    minutes : float, optional
        As many epochs as fit, at most `epochs` where that is given too, and the learning
        rate's course follows; where not even one fits, it is a part of one. The minutes begin
        with the call. What the machine learns in a second is timed on some steps, which are
        then undone, so the training is the one of so many epochs. At grading no clock counts:
        there it is `epochs`, or 10 where only minutes are given.
    validation : (images, labels), optional
        Only measured, never trained on.
    batch_size : int
        Pictures a step.
    optimizer : "adam" or "sgd"
        "sgd" has Nesterov momentum 0.9.
    learning_rate : float
        The schedule's peak.
    schedule : "one-cycle", "cosine", "triangular" or "constant"; or a function
        The learning rate's course, see `learning_rates`. A function is called as
        `schedule(step, steps, peak)` and returns the rate.
    weight_decay : float
        Share of each kernel taken off at every step, times the learning rate.
    clip_norm : float, optional
        Longest gradient allowed, over all weights together.
    label_smoothing : float
        Share of each label that is spread over all classes, 0 to 1.
    augment : function, optional
        `augment(images, rng)` -> images of the same shape, called for each batch.
    alternate_flips : bool
        Mirror each picture in every other epoch, half of them in the first (Jordan 2024).
    lookahead : bool
        Draw the weights back to the mean of their past every few steps, the more the later
        (Zhang and others 2019).
    patience : int, optional
        Stop after so many epochs without a lower validation loss, and go back to the best
        weights.
    precision : "auto", "float32" or "bfloat16"
        The arithmetic; "auto" is what is fast on this machine.
    seed : int
        Of the order and the augmentation.
    progress : "auto", "curves", "text" or "none"
        What is shown meanwhile; "auto" is curves in a notebook and text elsewhere.
    title : str
        Above the curves.
    checkpoint : path, optional
        A file that is written after every epoch and removed at the end. The same call goes on
        from there if it was interrupted; with other pictures, labels or settings, or another
        augmentation, the training begins anew and says what is other.

    Returns
    -------
    History
        One row an epoch, and how long it took.

    Notes
    -----
    In a lab's notebook, one that came to its end is found again by the next kernel: it is
    kept beside the notebook, in `.labkit/trained`. Run in the same kernel again, it is
    trained anew. In the profile "quick", trainings of notebooks take turns.

    Raises
    ------
    ValueError
        Labels, a model or settings do not fit.
    OutOfGpuMemory
        With what to do about it.

    Examples
    --------
    >>> import keras, numpy as np
    >>> from labkit import training
    >>> images = np.zeros((8, 4, 4, 1), "uint8")
    >>> model = keras.Sequential(
    ...     [keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")]
    ... )
    >>> history = training.fit(
    ...     model, images, np.arange(8) % 2, epochs=2, progress="none"
    ... )
    >>> list(history.rows[0])
    ['epoch', 'loss', 'accuracy', 'learning_rate', 'seconds']
    """
    began = time.perf_counter()
    epochs, minutes = settled(epochs, minutes)
    _require_probabilities(model)
    if patience is not None and validation is None:
        raise ValueError(
            "patience needs validation pictures: pass validation=(images, labels)."
        )
    # The first call builds a model that was given no input shape.
    classes = model(images[:1], training=False).shape[-1]
    batches = Batches(
        images,
        one_hot(images, labels, classes),
        batch_size,
        augment,
        alternate_flips,
        seed,
    )
    measured = None
    if validation is not None:
        measured = validation[0], one_hot(*validation, classes)
    screen = screen_for(progress, epochs, title)
    precision, setup = _setup(model, precision)
    recipe = Recipe(
        model=model,
        images=images,
        labels=np.asarray(labels),
        validation=validation,
        epochs=epochs,
        minutes=minutes,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        schedule=schedule,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
        label_smoothing=label_smoothing,
        augment=augment,
        alternate_flips=alternate_flips,
        lookahead=lookahead,
        patience=patience,
        precision=precision,
        seed=seed,
    )
    history = History(setup)
    finished = FinishedTraining.of(recipe)
    if finished is not None and finished.restore(history):
        _compiled(recipe, len(history.rows))
        screen.start(history)
        screen.finish(history)
        return history
    path = Path(checkpoint) if checkpoint is not None else None
    with arithmetic(model, precision), explained(model, batch_size):
        _train(recipe, batches, measured, history, screen, path, began)
    screen.finish(history)
    if finished is not None:
        finished.keep(history)
    return history


def _train(
    recipe: Recipe,
    batches: Batches,
    validation: Pair | None,
    history: History,
    screen: Silent,
    path: Path | None,
    began: float,
) -> None:
    """Train as the recipe says; fill the history.

    validation: (images, one-hot targets). path: of the checkpoint. began: when the minutes
    began, of perf_counter.
    """
    model = recipe.model
    stopping = Patience(recipe.patience) if recipe.patience is not None else None
    saved = None
    if path is not None:
        saved = Checkpoint(path, recipe.identity(), history, stopping)
    plan = Plan(recipe.epochs or 1, len(batches))
    rates, averaging = _compiled(recipe, plan.total)
    screen.start(history)
    try:
        if recipe.minutes is not None:
            known = saved.planned() if saved is not None else None
            plan = known or planned(
                model,
                batches,
                validation,
                _present(averaging, saved),
                epochs=recipe.epochs,
                minutes=recipe.minutes,
                began=began,
            )
            batches = batches.first(plan.steps)
            if plan.total != len(rates):
                rates, averaging = _compiled(recipe, plan.total)
            history.seconds = time.perf_counter() - began
        lines = [plan.line]
        if saved is not None:
            saved.plan = plan
            saved.resume(model)
            lines.append(saved.line)
        line = "\n".join(filter(None, lines))
        history.setup += f"\n{line}" if line else ""
        screen.plan(plan.epochs, line)
        shown = Progress(history, plan.epochs, plan.steps, rates, screen)
        model.fit(
            batches.read_ahead(),
            epochs=plan.epochs,
            initial_epoch=len(history.rows),
            shuffle=False,  # EpochOrder does, and by `seed` alone
            validation_data=validation,
            validation_batch_size=VALIDATION_BATCH,
            callbacks=_present(EpochOrder(batches), averaging, shown, stopping, saved),
            verbose=0,
        )
    except KeyboardInterrupt:
        history.note = "stopped by hand: the model keeps what it has learned"
    else:
        if saved is not None:
            saved.remove()


def _compiled(recipe: Recipe, steps: int) -> tuple[np.ndarray, Lookahead | None]:
    """Compile the model for so many steps; return their learning rates and what averages."""
    schedule = Schedule(recipe.schedule, steps, recipe.learning_rate)
    smoothing = recipe.label_smoothing
    recipe.model.compile(
        optimizer=_optimizer(recipe, schedule),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=smoothing),
        metrics=["accuracy"],
    )
    _make_variables(recipe.model, recipe.images)
    return schedule.rates, Lookahead(steps) if recipe.lookahead else None


def _make_variables(model: keras.Model, images: np.ndarray) -> None:
    """Make the variables of a compiled model's optimiser and metrics.

    TensorFlow traces a step a second time where the first one makes variables: in a short
    training that is half of all its work.
    """
    if is_distributed(model):
        return  # Keras does it on each device
    probabilities = model(images[:1], training=False)
    model.compute_metrics(
        images[:1], keras.ops.zeros_like(probabilities), probabilities
    )
    model.reset_metrics()
    model.optimizer.build(model.trainable_variables)


def _optimizer(recipe: Recipe, schedule: Schedule) -> keras.Optimizer:
    """Return the Keras optimiser; weight decay leaves biases and normalisation alone."""
    common = {
        "learning_rate": schedule,
        "weight_decay": recipe.weight_decay or None,
        "global_clipnorm": recipe.clip_norm,
    }
    if recipe.optimizer == "adam":
        optimizer = Adam(**common)
    elif recipe.optimizer == "sgd":
        optimizer = SGD(momentum=0.9, nesterov=True, **common)
    else:
        raise ValueError(f"optimizer is {recipe.optimizer!r}; expected adam or sgd.")
    if recipe.weight_decay:
        thin = [v for v in recipe.model.trainable_variables if len(v.shape) < 2]
        optimizer.exclude_from_weight_decay(var_list=thin)
    return optimizer


def predict(
    model: keras.Model,
    images: np.ndarray,
    flips: bool = False,
    shifts: int = 0,
    batch_size: int = 500,
    corners: int = 0,
) -> np.ndarray:
    """Return class probabilities for pictures.

    Parameters
    ----------
    model : keras.Model
        Its last layer gives probabilities.
    images : array (N, H, W) or (N, H, W, C)
        As the model takes them.
    flips : bool
        The mean over each picture and its mirror image, which costs twice the time.
    shifts : int
        The mean over the picture where it is and moved by so many pixels up, down, left and
        right, edges mirrored, which costs five times the time.
    batch_size : int
        Pictures at a time.
    corners : int
        As `shifts`, but moved to the four corners; of the two only one is given.

    Returns
    -------
    float32 array (N, classes)

    Raises
    ------
    OutOfGpuMemory
        With what to do about it.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import models, training
    >>> training.predict(models.fashion_mnist_cnn(), np.zeros((3, 28, 28, 1), "uint8")).shape
    (3, 10)
    """
    total: np.ndarray | float = 0.0
    looks = 0
    with explained(model, batch_size):
        sides = _CORNERS if corners else _SIDES
        for moved in _moved(images, corners or shifts, sides):
            for view in [moved, moved[:, :, ::-1]] if flips else [moved]:
                total += model.predict(view, batch_size=batch_size, verbose=0)
                looks += 1
    return np.asarray(total / looks, dtype="float32")


_SIDES = ((0, 1), (2, 1), (1, 0), (1, 2))
_CORNERS = ((0, 0), (0, 2), (2, 0), (2, 2))


def _moved(
    images: np.ndarray, shifts: int, places: tuple[tuple[int, int], ...]
) -> Iterator[np.ndarray]:
    """Yield the pictures where they are and, for shifts above 0, moved to four places.

    Each place: a row and a column, of 0, 1 and 2, where 1 is the middle.
    """
    yield images
    if not shifts:
        return
    height, width = images.shape[1:3]
    margins = [(0, 0), (shifts, shifts), (shifts, shifts)]
    margins += [(0, 0)] * (images.ndim - 3)
    wide = np.pad(images, margins, mode="reflect")
    for row, column in places:
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
