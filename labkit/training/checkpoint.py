"""A training run that was interrupted goes on from the end of its last whole epoch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from labkit.training.budget import Plan
from labkit.training.history import History

_STATE, _BEST, _RANDOM = "labkit_state", "labkit_best", "labkit_random"


class Checkpoint(keras.callbacks.Callback):
    """Writes everything that the next epoch depends on into one file, and reads it again.

    It holds the weights, the states of the optimiser and of random layers, the table of
    epochs, and the best weights so far. (Under PyTorch a Dropout without a seed has no such
    state: there a run that goes on drops other values.) `identity`, from a `Recipe`, tells
    the run from another one: a file of another run is not used, and `line` says what is
    other there. The file is replaced as a whole, so a kill at any moment leaves a whole
    one; it is removed at the end of the training.
    """

    def __init__(
        self,
        path: Path,
        identity: dict[str, Any],
        history: History,
        patience: Patience | None,
    ) -> None:
        super().__init__()
        named = path.suffixes[-2:] == [".weights", ".h5"]  # as Keras wants it
        self.path = path if named else path.with_name(f"{path.name}.weights.h5")
        self._identity, self._history, self._patience = identity, history, patience
        self.plan: Plan | None = None
        # Read now: what is timed before the training already writes into the file.
        self._state, self.line = self._found()

    def planned(self) -> Plan | None:
        """Return the plan that an interrupted run was timed for; None where there was none."""
        plan = self._state and self._state["plan"]
        return Plan(*plan) if plan else None

    def resume(self, model: keras.Model) -> None:
        """Put a compiled model and the history where the file of this run left off."""
        state = self._state
        if state is None:
            return
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.path)
        for variable, value in zip(_random(model), self._list(_RANDOM), strict=True):
            variable.assign(value)
        history = self._history
        history.rows += state["rows"]
        history.seconds = state["seconds"]
        if self._patience is not None:
            self._patience.resume(history, self._list(_BEST) or None)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".partial-{self.path.name}")
        self.model.save_weights(partial, overwrite=True)
        state = {
            "identity": self._identity,
            "rows": self._history.rows,
            "seconds": self._history.seconds,
            "plan": self.plan and [self.plan.epochs, self.plan.steps],
        }
        best = self._patience.best_weights if self._patience is not None else None
        with h5py.File(partial, "a") as file:
            file.attrs[_STATE] = json.dumps(state)
            for number, weights in enumerate(best or ()):
                file[f"{_BEST}/{number}"] = weights
            for number, variable in enumerate(_random(self.model)):
                file[f"{_RANDOM}/{number}"] = keras.ops.convert_to_numpy(variable)
        partial.replace(self.path)

    def remove(self) -> None:
        """Remove the file: the training has come to its end."""
        self.path.unlink(missing_ok=True)

    def _found(self) -> tuple[dict[str, Any] | None, str]:
        """Return the state of this run that the file holds, if so, and what to say of it."""
        if not self.path.exists():
            return None, ""
        anew = "This training begins anew and replaces it."
        try:
            with h5py.File(self.path) as file:
                state = json.loads(file.attrs[_STATE])
            rows, identity = state["rows"], state.get("identity")
        except (OSError, KeyError, TypeError, ValueError):
            return None, f"{self.path.name} cannot be read as a checkpoint. {anew}"
        if not rows:  # written while the first steps were timed
            return None, ""
        if identity is None:
            return None, f"{self.path.name} is of an earlier labkit. {anew}"
        other = [
            name
            for name, value in self._identity.items()
            if name not in identity or identity[name] != value
        ]
        if other:
            names = ", ".join(other)
            return None, f"{self.path.name} holds a run with other {names}. {anew}"
        return state, f"It goes on after epoch {len(rows)}."

    def _list(self, group: str) -> list[np.ndarray]:
        with h5py.File(self.path) as file:
            return [file[f"{group}/{n}"][()] for n in range(len(file.get(group, ())))]


def _random(model: keras.Model) -> list[keras.Variable]:
    """The states of a model's random layers, such as dropout: no weights, so not saved as such."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


class Patience(keras.callbacks.EarlyStopping):
    """Early stopping that can go on where an interrupted run left it."""

    def __init__(self, epochs: int) -> None:
        super().__init__(
            "val_loss", mode="min", patience=epochs, restore_best_weights=True
        )
        self._resumed: tuple[History, list[np.ndarray] | None] | None = None

    def resume(self, history: History, best: list[np.ndarray] | None) -> None:
        """Take over what earlier epochs have shown, once the training begins."""
        self._resumed = history, best

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin(logs)
        if self._resumed is not None:
            history, self.best_weights = self._resumed
            self.best_epoch = history.best_epoch - 1
            self.best = float(history.column("val_loss").min())
            self.wait = len(history.rows) - history.best_epoch
