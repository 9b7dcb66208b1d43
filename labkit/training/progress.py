"""What is seen of a training run while it goes on: curves in a notebook, lines elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass

import keras
import numpy as np

from labkit.training.history import History, clock


class Progress(keras.callbacks.Callback):
    """Fills a `History` while a model trains, and shows it: curves, or lines of text."""

    def __init__(
        self,
        history: History,
        epochs: int,
        steps: int,
        rates: np.ndarray,
        screen: Silent,
    ) -> None:
        super().__init__()
        self.history, self.epochs, self.steps = history, epochs, steps
        self.rates, self.screen = rates, screen
        self.done = self.before = 0

    def on_train_begin(self, logs=None):
        now = time.perf_counter()
        # A run that was interrupted goes on, and so does its time.
        self.began = now - self.history.seconds
        self.epoch_began = self.first_step = now
        self.done = self.before = len(self.history.rows) * self.steps

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        if self.done == self.before + 1:  # the first step also compiles the model
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
        steps = self.done - self.before
        pace = (time.perf_counter() - self.first_step) / max(steps - 1, 1)
        # Rounded up: at an epoch's end still its own number, not the next one's.
        where = f"epoch {-(-self.done // self.steps)} of {self.epochs}"
        if steps < 2:
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

    def plan(self, epochs: int, line: str) -> None: ...

    def update(self, history: History, status: str) -> None: ...

    def epoch_end(self, history: History, status: str) -> None: ...

    def finish(self, history: History) -> None: ...


class Text(Silent):
    """A screen of plain lines: about ten a training run."""

    def start(self, history):
        print(history.setup, flush=True)

    def plan(self, epochs, line):
        self.epochs, self.every = epochs, -(-epochs // 10)
        if line:
            print(line, flush=True)

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

    def __init__(self, title: str):
        self.title = title
        self.handle, self.next_draw = None, 0.0

    def start(self, history):
        print(history.setup, flush=True)

    def plan(self, epochs, line):
        if line:
            print(line, flush=True)
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


def screen_for(progress: str, epochs: int | None, title: str) -> Silent:
    """Return the screen for `progress`: "curves", "text", "none", or "auto" to choose.

    epochs: None where that is not known yet.
    """
    if progress == "auto":
        # One epoch has no curve worth drawing, and importing matplotlib takes a second.
        progress = "curves" if epochs != 1 and in_notebook() else "text"
    if progress == "curves":
        return Curves(title)
    if progress == "text":
        return Text()
    if progress == "none":
        return Silent()
    raise ValueError(f"progress is {progress!r}; expected auto, curves, text or none.")


def in_notebook() -> bool:
    """Return whether this runs in a Jupyter kernel."""
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    return getattr(get_ipython(), "kernel", None) is not None
