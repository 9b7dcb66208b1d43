"""Trains what a study lacks: one file a training, written when it is done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from labkit import data, training
from labkit.data import Dataset
from labkit.errors import LabkitError
from labkit.files import content_hash, replacing
from labkit.formatting import counted, duration
from labkit.study.plan import Plan, Training
from labkit.study.results import Outcome, Results
from labkit.training.batches import Augment
from labkit.training.recipe import described, fingerprint

Builder = Callable[[], keras.Model]

_LATER = {"optimizer": "adam", "schedule": "one-cycle", "views": 0}


def run(
    plan: Plan,
    folder: str | Path,
    builders: Mapping[str, Builder],
    *,
    dataset: Dataset | None = None,
    announce: Callable[[str], None] = print,
    progress: str = "none",
) -> Results:
    """Train what the plan asks for and the folder does not hold; return all of it.

    Each training that is done is a file in the folder, so a study that was interrupted goes
    on where it stopped, within a training at its last whole epoch. A file of other
    settings, pictures or networks is not taken: that training is done anew.

    Parameters
    ----------
    plan : Plan
    folder : path
        Where its files lie; made where it is missing.
    builders : mapping of a network's name to a function
        Each function gives an untrained network, with the seed set before it is called.
    dataset : Dataset, optional
        In place of the one that the plan names.
    announce : function
        Gets a line for each training: what it reached, and how long the rest may take.
    progress : "auto", "curves", "text" or "none"
        What is shown of a training while it goes on, as in `training.fit`.

    Returns
    -------
    Results

    Raises
    ------
    LabkitError
        The plan names a network or an augmentation that is not there, or leaves no picture
        to train or to measure with.

    Examples
    --------
    >>> import keras
    >>> from labkit import study
    >>> def linear():
    ...     last = keras.layers.Dense(10, activation="softmax")
    ...     return keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), last])
    >>> plan = study.Plan("garments", ("linear",), epochs=1, pictures=120)
    >>> def quiet(line): ...
    >>> results = study.run(plan, "trainings", {"linear": linear}, announce=quiet)
    >>> [str(outcome.training) for outcome in results.outcomes]
    ['linear, plain, seed 0']
    """
    pictures = dataset or data.load(plan.dataset)
    study = _Study(plan, Path(folder), builders, pictures, progress)
    return Results(plan, study.dataset, list(study.outcomes(announce)))


class _Study:
    """A plan with its pictures, and the folder of what is trained."""

    def __init__(
        self,
        plan: Plan,
        folder: Path,
        builders: Mapping[str, Builder],
        dataset: Dataset,
        progress: str,
    ) -> None:
        self.plan, self.folder, self.progress = plan, folder, progress
        self.dataset = dataset
        for name in map(plan.builds, plan.networks):
            if name not in builders:
                raise LabkitError(
                    f"the study names the network {name!r}, and nothing builds it; known:"
                    f" {', '.join(builders) or 'none'}."
                )
        self._builders = {name: builders[plan.builds(name)] for name in plan.networks}
        self._plans = {name: plan.of_network(name) for name in plan.networks}
        self._augments = {
            name: _augmentation(one.augment) for name, one in self._plans.items()
        }
        images = dataset.train_images[: plan.pictures]
        labels = dataset.train_labels[: plan.pictures]
        cut = len(images) - round(plan.held_out * len(images))
        test_labels = dataset.test_labels
        if not 0 < cut < len(images) or test_labels is None:
            raise LabkitError(
                f"{dataset.name} gives {counted(len(images), 'picture')}, {len(images) - cut} of"
                " them held out; expected some to train with, some held out, and a test"
                " set with labels."
            )
        self._train = images[:cut], labels[:cut]
        self._valid = images[cut:], labels[cut:]
        self._test = dataset.test_images, test_labels
        self._pictures = [fingerprint(array) for array in (images, labels, *self._test)]

    def outcomes(self, announce: Callable[[str], None]) -> Iterator[Outcome]:
        """Yield every training's outcome, in the plan's order; train those that are missing."""
        trainings = list(self.plan.trainings())
        kept = {one: self._kept(one) for one in trainings}
        there = sum(outcome is not None for outcome in kept.values())
        if there:
            are = "is" if there == 1 else "are"
            announce(
                f"{there} of {counted(len(trainings), 'training')} {are} there already."
            )
        for number, one in enumerate(trainings, start=1):
            outcome = kept[one]
            if outcome is None:
                if self.progress != "none":
                    announce(f"{number} of {len(trainings)}: {one}")
                outcome = kept[one] = self._trained(one)
                announce(
                    f"{number} of {len(trainings)}: {one}: {outcome.accuracy:.2%} of the"
                    f" test pictures in {duration(outcome.seconds)}{_left(kept)}"
                )
            yield outcome

    def _key(self, one: Training, model: keras.Model) -> str:
        """Return a hash of all that decides what a training gives."""
        settings = {
            name: value
            for name, value in asdict(self._plans[one.network]).items()
            if name not in ("networks", "seeds", "augment", "dataset", "own")
            # What came later counts where it is used: what was trained before stays.
            and (name not in _LATER or value != _LATER[name])
        }
        augment = described(self._augment(one))
        # A model counts by the shapes of its weights; its text tells the rest.
        network = [described(model), described(self._builders[one.network])]
        parts = [settings, asdict(one), network, augment, self._pictures]
        return content_hash(json.dumps(parts, default=repr))

    def _augment(self, one: Training) -> Augment | None:
        return self._augments[one.network] if one.augmented else None

    def _model(self, one: Training) -> keras.Model:
        keras.utils.set_random_seed(one.seed)
        return self._builders[one.network]()

    def _place(self, one: Training) -> Path:
        return self.folder / "trainings" / f"{one.file_name}.npz"

    def _kept(self, one: Training) -> Outcome | None:
        """Return a training that is done already, or None."""
        try:
            with np.load(self._place(one), allow_pickle=False) as file:
                facts = json.loads(str(file["facts"]))
                found = {name: file[name] for name in file.files if name != "facts"}
        except (OSError, EOFError, KeyError, ValueError, BadZipFile):
            return None  # not there, or not a whole one
        if facts.pop("key", None) != self._key(one, self._model(one)):
            return None
        return self._outcome(one, facts, **found)

    def _trained(self, one: Training) -> Outcome:
        plan = self._plans[one.network]
        model = self._model(one)
        key = self._key(one, model)
        place = self._place(one)
        place.parent.mkdir(parents=True, exist_ok=True)
        history = training.fit(
            model,
            *self._train,
            validation=self._valid,
            epochs=plan.epochs,
            minutes=plan.minutes,
            batch_size=plan.batch_size,
            optimizer=plan.optimizer,
            learning_rate=plan.learning_rate,
            schedule=plan.schedule,
            augment=self._augment(one),
            seed=one.seed,
            progress=self.progress,
            title=self.dataset.title(str(one)),
            checkpoint=place.with_suffix(".weights.h5"),
        )
        if history.note.startswith("stopped by hand"):
            raise KeyboardInterrupt  # what is half trained is no outcome
        if not np.isfinite(history.rows[-1]["loss"]):
            raise LabkitError(
                f"{one}: the loss is no longer a number. Lower the study's learning_rate,"
                f" {plan.learning_rate:g}."
            )
        facts = {
            "parameters": int(model.count_params()),
            "seconds": history.seconds,
            "rows": history.rows,
        }
        # Together and in many steps: TensorFlow warns of models that it traces for few.
        measured = np.concatenate([self._test[0], self._valid[0]])
        shares = training.predict(model, measured, batch_size=plan.batch_size)
        found: dict[str, Any] = dict(
            zip(
                ("test", "held_out"),
                np.split(shares, [len(self._test[0])]),
                strict=True,
            )
        )
        if plan.views:
            found["views"] = training.predict(
                model, self._test[0], flips=True, corners=plan.views
            )
        with replacing(place) as temporary, temporary.open("wb") as stream:
            text = json.dumps({"key": key, **facts})
            np.savez_compressed(stream, facts=text, **found)
        return self._outcome(one, facts, **found)

    def _outcome(
        self,
        one: Training,
        facts: dict[str, Any],
        test: np.ndarray,
        held_out: np.ndarray,
        views: np.ndarray | None = None,
    ) -> Outcome:
        return Outcome(
            training=one,
            labels=self._test[1],
            probabilities=test,
            held_out_labels=self._valid[1],
            held_out_probabilities=held_out,
            views_probabilities=views,
            **facts,
        )


def _augmentation(names: str | tuple[str, ...]) -> Augment | None:
    """Return what a plan names of `labkit.training`, one after the other; None for ""."""
    found = []
    for name in filter(None, [names] if isinstance(names, str) else names):
        one = getattr(training, name, None)
        if not callable(one) or name.startswith("_"):
            raise LabkitError(
                f"the study names the augmentation {name!r}, and {training.__name__} has"
                " no such function."
            )
        found.append(one)
    if len(found) < 2:
        return found[0] if found else None

    def in_order(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        for one in found:
            images = one(images, rng)
        return images

    return in_order


def _left(kept: dict[Training, Outcome | None]) -> str:
    """Return how long the trainings that are missing may take, by those of their kind."""
    missing = [one for one, outcome in kept.items() if outcome is None]
    if not missing:
        return ""
    done = [outcome for outcome in kept.values() if outcome is not None]
    total = 0.0
    for one in missing:
        same = [d.seconds for d in done if d.training.network == one.network]
        # Until each network was trained once, another's time has to stand in.
        total += np.mean(same or [d.seconds for d in done])
    return f"; about {duration(float(total))} left"
