"""A training run that was killed goes on, and ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from labkit import training

EPOCHS, STEPS = 5, 4


def pictures(count=64):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, count)
    return rng.integers(0, 200, (count, 6, 6, 1)).astype("uint8") + np.uint8(50) * (
        labels[:, None, None, None].astype("uint8")
    ), labels


def network():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.layers.Input((6, 6, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(8),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3, seed=1),
            keras.layers.Dense(2, activation="softmax"),
        ]
    )


def train(checkpoint=None, augment=training.random_shift, **changes):
    images, labels = pictures()
    model = network()
    settings = {
        "epochs": EPOCHS,
        "batch_size": 64 // STEPS,
        "learning_rate": 0.02,
        "validation": (images[:20], labels[:20]),
        "patience": 3,
        "precision": "float32",
        "progress": "none",
    }
    history = training.fit(
        model,
        images,
        labels,
        augment=augment,
        checkpoint=checkpoint,
        **settings | changes,
    )
    return model, history


def kill_in_epoch(number):
    """An augmentation of the usual name that ends the process in an epoch."""
    calls = []

    def random_shift(images, rng):
        calls.append(1)
        if len(calls) > STEPS * (number - 1) + 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return training.random_shift(images, rng)

    return random_shift


def killed(path, epoch):
    """Run this file's training in a process of its own, and lose it in that epoch."""
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import test_training_checkpoint as t\n"
        f"t.train({str(path)!r}, augment=t.kill_in_epoch({epoch}))"
    )
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


def test_a_checkpoint_of_another_run_is_not_used(tmp_path):
    killed(tmp_path / "mine", 3)
    for change in ({"learning_rate": 0.01}, {"seed": 3}, {"epochs": 6}):
        _, history = train(tmp_path / "mine", **change, patience=None)
        assert "goes on" not in history.setup


@pytest.mark.parametrize("content", [b"", b"not a file of weights"])
def test_a_damaged_checkpoint_is_not_used(tmp_path, content):
    (tmp_path / "mine.weights.h5").write_bytes(content)
    _, history = train(tmp_path / "mine.weights.h5")
    assert len(history.rows) <= EPOCHS and "goes on" not in history.setup


def test_early_stopping_remembers_the_best_weights_of_before(tmp_path, monkeypatch):
    """The best epoch lies before the kill, the end behind it."""
    images, labels = pictures()
    # What it learns is wrong there, so the loss rises.
    rising = {"epochs": 8, "validation": (images[:20], 1 - labels[:20])}
    model, history = train(**rising)
    assert len(history.rows) == 4 and history.best_epoch == 1
    path = tmp_path / "mine"

    class Killed(Exception):
        pass

    from labkit.training.checkpoint import Checkpoint

    real = Checkpoint.on_epoch_end

    def dies(self, epoch, logs=None):
        real(self, epoch, logs)
        if epoch == 1:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Checkpoint, "on_epoch_end", dies)
        with pytest.raises(Killed):
            train(path, **rising)
    resumed, whole = train(path, **rising)
    assert len(whole.rows) == 4 and "stopped early" in whole.summary()
    for one, other in zip(resumed.weights, model.weights, strict=True):
        assert_same(one, other)
