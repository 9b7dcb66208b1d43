"""A training run that was killed goes on, and ends as if nothing had happened."""

import functools
import json
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from labkit import training
from labkit.training import recipe
from labkit.training.checkpoint import Checkpoint
from labkit.training.recipe import described, fingerprint

EPOCHS, STEPS = 5, 4


def pictures(count=64):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, count)
    return rng.integers(0, 200, (count, 6, 6, 1)).astype("uint8") + np.uint8(50) * (
        labels[:, None, None, None].astype("uint8")
    ), labels


def network(dropout=0.3):
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.layers.Input((6, 6, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(),
            *([keras.layers.Dropout(dropout, seed=1)] if dropout else []),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


def train(checkpoint=None, data=None, dropout=0.3, **changes):
    images, labels = data or pictures()
    model = network(dropout)
    validation = pictures()
    settings = {
        "epochs": EPOCHS,
        "batch_size": 64 // STEPS,
        "learning_rate": 0.02,
        "validation": (validation[0][:20], validation[1][:20]),
        "augment": training.random_shift,
        "patience": 3,
        "precision": "float32",
        "progress": "none",
    }
    history = training.fit(
        model, images, labels, checkpoint=checkpoint, **settings | changes
    )
    return model, history


class Interrupted(Exception):
    pass


def interrupted(path, **changes):
    """Train until the second epoch is written, and no further."""
    write = Checkpoint.on_epoch_end

    def ends(self, epoch, logs=None):
        write(self, epoch, logs)
        if epoch == 1:
            raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", ends)
        with pytest.raises(Interrupted):
            train(path, **changes)


@pytest.fixture(scope="module")
def unfinished(tmp_path_factory):
    """The content of a checkpoint after two epochs with a partial augmentation."""
    path = tmp_path_factory.mktemp("unfinished") / "run.weights.h5"
    interrupted(path, augment=functools.partial(training.random_shift, pixels=1))
    return path.read_bytes()


def killed(path, epoch):
    """Run this file's training in a process of its own, and lose it in that epoch."""
    code = f"""
import os, signal, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_training_checkpoint as t
from labkit.training.batches import Batches
make, asked = Batches.__getitem__, []
def dies(self, index):
    asked.append(index)
    if len(asked) > t.STEPS * ({epoch} - 1) + 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return make(self, index)
Batches.__getitem__ = dies
t.train({str(path)!r})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


def assert_same(one, other):
    numbers = (keras.ops.convert_to_numpy(variable) for variable in (one, other))
    np.testing.assert_allclose(*numbers, rtol=1e-5)


def without_times(history):
    return [
        {name: value for name, value in row.items() if name != "seconds"}
        for row in history.rows
    ]


def test_a_killed_run_ends_as_an_undisturbed_one(tmp_path):
    model, history = train()
    path = tmp_path / "deep" / "mine"
    killed(path, 3)
    (file,) = path.parent.iterdir()
    resumed, whole = train(path)
    # Batches are made a little ahead: which epoch it was is not exact.
    assert "goes on after epoch" in whole.setup
    for one, other in zip(resumed.weights, model.weights, strict=True):
        assert_same(one, other)
    for row, expected in zip(without_times(whole), without_times(history), strict=True):
        assert row == pytest.approx(expected, rel=1e-5)
    assert not file.exists()


def shifting(pixels):
    return functools.partial(training.random_shift, pixels=pixels)


def with_another_picture():
    images, labels = pictures()
    images[40, 2, 2] ^= 1
    return images, labels


def with_another_label():
    images, labels = pictures()
    labels[40] = 1 - labels[40]
    return images, labels


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"data": with_another_picture()}, "images"),
        ({"data": with_another_label()}, "labels"),
        ({"augment": shifting(2)}, "augment"),
        ({"learning_rate": 0.01, "seed": 3}, "learning_rate, seed"),
        # As many weights, and one state less of random layers.
        ({"dropout": 0}, "model"),
    ],
    ids=["images", "labels", "augment", "settings", "model"],
)
def test_a_checkpoint_of_another_run_is_not_used(tmp_path, unfinished, changes, names):
    path = tmp_path / "run.weights.h5"
    path.write_bytes(unfinished)
    _, history = train(path, **{"augment": shifting(1)} | changes)
    assert history.setup.endswith(
        f"\nrun.weights.h5 holds a run with other {names}. "
        "This training begins anew and replaces it."
    )
    assert history.rows[0]["epoch"] == 1 and not path.exists()


def test_the_same_pictures_labels_and_arguments_go_on(tmp_path, unfinished):
    path = tmp_path / "run.weights.h5"
    path.write_bytes(unfinished)
    images, labels = pictures()
    _, history = train(path, data=(images, labels.tolist()), augment=shifting(1))
    assert history.setup.endswith("\nIt goes on after epoch 2.")


def test_a_checkpoint_of_the_version_before_is_not_used(tmp_path, unfinished, capsys):
    path = tmp_path / "run.weights.h5"
    path.write_bytes(unfinished)
    with h5py.File(path, "a") as file:
        state = json.loads(file.attrs["labkit_state"])
        del state["identity"]
        file.attrs["labkit_state"] = json.dumps(state | {"run": "ab12", "shapes": []})
    train(path, augment=shifting(1), progress="text")
    line = "run.weights.h5 is of an earlier labkit. This training begins anew"
    assert line in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"not a file of weights"])
def test_a_damaged_checkpoint_is_not_used(tmp_path, content):
    (tmp_path / "mine.weights.h5").write_bytes(content)
    _, history = train(tmp_path / "mine.weights.h5")
    assert len(history.rows) <= EPOCHS
    assert "mine.weights.h5 cannot be read as a checkpoint." in history.setup


def test_early_stopping_remembers_the_best_weights_of_before(tmp_path):
    """The best epoch lies before the interruption, the end behind it."""
    images, labels = pictures()
    # What it learns is wrong there, so the loss rises.
    rising = {"epochs": 8, "validation": (images[:20], 1 - labels[:20])}
    model, history = train(**rising)
    assert len(history.rows) == 4 and history.best_epoch == 1
    path = tmp_path / "mine"
    interrupted(path, **rising)
    resumed, whole = train(path, **rising)
    assert len(whole.rows) == 4 and "stopped early" in whole.summary()
    for one, other in zip(resumed.weights, model.weights, strict=True):
        assert_same(one, other)


# ---------------------------------------------------------------- what is the same


PIXELS = 2


def twice(images, rng):
    return training.random_shift(helper(images, rng), rng, PIXELS)


def helper(images, rng):
    return images[:, ::-1]


def flipping(axis):
    return lambda images, rng: np.flip(images, axis)


def recursive(depth):
    def again(images, rng, left=depth):
        return again(images, rng, left - 1) if left else images

    return again


class Shift:
    def __init__(self, pixels):
        self.pixels = pixels

    def __call__(self, images, rng):
        return training.random_shift(images, rng, self.pixels)

    def turned(self, images, rng):
        return self(images, rng)[:, ::-1]


@pytest.mark.parametrize(
    ("make", "one", "other"),
    [
        (flipping, 1, 2),
        (recursive, 1, 2),
        (Shift, 1, 2),
        (lambda pixels: Shift(pixels).turned, 1, 2),
        (lambda pixels: functools.partial(shifting(pixels)), 1, 2),
        (lambda images: functools.partial(np.add, images), np.eye(2), np.ones(2)),
        (lambda kinds: functools.partial(flipping, kinds), {"a", "b"}, {"a", "c"}),
        (lambda numbers: functools.partial(np.add, **numbers), {"a": 1}, {"a": 2}),
    ],
)
def test_an_augmentation_is_its_code_and_what_it_was_given(make, one, other):
    first, again, changed = (
        json.dumps(described(make(given))) for given in (one, one, other)
    )
    assert first == again != changed


def test_an_augmentation_is_its_modules_values_and_functions_too(monkeypatch):
    before = described(twice)
    assert before == described(twice)
    monkeypatch.setattr(sys.modules[__name__], "PIXELS", 3)
    changed = described(twice)
    monkeypatch.setattr(sys.modules[__name__], "helper", lambda images, rng: images)
    assert before != changed != described(twice)


def test_lambdas_that_differ_in_a_number_differ():
    one, other = (lambda images, rng: images + 1), (lambda images, rng: images + 2)
    assert described(one) != described(other)


def test_an_array_is_known_by_type_shape_and_every_value():
    array = np.arange(24, dtype="uint8").reshape(6, 4)
    changed = array.copy()
    changed[5, 3] = 0
    others = [changed, array.reshape(4, 6), array.astype("int8"), array.T, array[:0]]
    known = {fingerprint(one) for one in (array, *others)}
    assert len(known) == 6
    assert fingerprint(array) == fingerprint(np.repeat(array, 2, axis=1)[:, ::2])


def test_of_a_large_array_rows_are_read_from_end_to_end(monkeypatch):
    monkeypatch.setattr(recipe, "HASHED_BYTES", 100)
    array = np.zeros((100, 10), "uint8")

    def noticed(row):
        changed = array.copy()
        changed[row] = 1
        return fingerprint(changed) != fingerprint(array)

    assert [row for row in range(100) if noticed(row)] == list(range(0, 100, 10))
