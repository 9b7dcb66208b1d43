"""In a lab's notebook: trainings take turns, and after a restart a finished one is found again."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import keras
import numpy as np

from labkit import profile
from labkit.data import cache
from labkit.files import content_hash, held, replacing
from labkit.training.history import History, clock
from labkit.training.progress import in_notebook
from labkit.training.recipe import Recipe, fingerprint

# Beside a lab's notebook, in the folder of what its kernel keeps.
FOLDER = Path(".labkit", "trained")
# A shorter training is done again sooner than it is explained.
SECONDS = 2.0
# Of the trainings of a lab, so many are kept: the latest.
COUNT = 20
_LAB = Path("expected.json")
_ROWS = "rows"
# What this kernel has trained or found: asked for again, it is trained anew.
_seen: set[str] = set()

P = ParamSpec("P")
R = TypeVar("R")


def in_turn(train: Callable[P, R]) -> Callable[P, R]:
    """Let a training of a notebook wait until no other one of this user goes on.

    Two at a time on two cores would take twice as long each, and what a machine learns in
    a minute could not be timed.
    """

    @functools.wraps(train)
    def waiting(*args: P.args, **kwargs: P.kwargs) -> R:
        alone = _at_home() and profile.name() == "quick"
        with _turn() if alone else contextlib.nullcontext():
            return train(*args, **kwargs)

    return waiting


def _at_home() -> bool:
    """Whether this is a student's notebook, and no run of a command's."""
    return in_notebook() and not profile.strict()


def _turn() -> contextlib.AbstractContextManager[None]:
    def wait(other: str) -> None:
        print(
            f"Another training goes on, in {other or 'another notebook'}. This one begins "
            "when it ends. Not to wait: interrupt that one, in its notebook's menu Kernel.",
            flush=True,
        )

    user = getattr(os, "getuid", int)()
    lock = cache.place("locks", f"training-{user}")
    return held(lock, lock.with_name(f"{lock.name}.txt"), str(Path.cwd()), wait)


class FinishedTraining:
    """The end of a training, in a file beside the lab's notebook.

    It is of the very same training: of a model with the same weights at its beginning, the
    same pictures and the same settings.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._model = recipe.model
        self._key = _key(recipe)
        self._path = FOLDER / f"{self._key}.npz"

    @classmethod
    def of(cls, recipe: Recipe) -> FinishedTraining | None:
        """The place of a training; None outside of a lab's notebook."""
        return cls(recipe) if _at_home() and _LAB.is_file() else None

    def restore(self, history: History) -> bool:
        """Give the model and the history the end of this training, where an earlier kernel
        kept it; returns whether it did."""
        first = self._key not in _seen
        _seen.add(self._key)
        if not (first and self._path.is_file()):
            return False
        try:
            with np.load(self._path, allow_pickle=False) as kept:
                told = json.loads(str(kept[_ROWS]))
                weights = [kept[str(n)] for n in range(len(self._model.weights))]
            self._model.set_weights(weights)
            history.rows, history.seconds = told["rows"], told["seconds"]
        except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile):
            return False
        history.setup += (
            f"\nIt was trained before, in {clock(history.seconds)}, and is found again. "
            "To train it anew, run this cell once more."
        )
        return True

    def keep(self, history: History) -> None:
        """Keep the end of this training, where it came to its end and took a while."""
        if history.note or history.seconds < SECONDS:
            return
        told = {"rows": history.rows, "seconds": history.seconds}
        arrays: dict[str, Any] = {_ROWS: np.array(json.dumps(told))}
        arrays |= {str(n): _array(w) for n, w in enumerate(self._model.weights)}
        with (
            contextlib.suppress(OSError),
            replacing(self._path) as temporary,
            temporary.open("wb") as stream,
        ):
            np.savez(stream, **arrays)
        files = sorted(FOLDER.glob("*.npz"), key=lambda path: path.stat().st_mtime)
        for path in files[:-COUNT]:
            path.unlink(missing_ok=True)


def _key(recipe: Recipe) -> str:
    begins = [[fingerprint(_array(w)), w.trainable] for w in recipe.model.weights]
    text = json.dumps([recipe.identity(), begins])
    return content_hash(text)[:24]


def _array(weight: keras.Variable) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(weight))
