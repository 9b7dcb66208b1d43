"""Training by the clock: what fits is planned, and the timed steps leave no trace."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from labkit import training
from labkit.machine.facts import Facts, Gpu
from labkit.training import budget, machine
from labkit.training.budget import Pace

PICTURES, STEPS = 60, 4
# So slow that the seconds a test takes do not count: 380 s an epoch.
SLOW = Pace(step=95, ending=0, compiling=0)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch):
    monkeypatch.delenv("LABKIT_PROFILE", raising=False)
    monkeypatch.setattr(budget, "SECONDS", 0.05)
    monkeypatch.setattr(budget, "would_help", list)


@pytest.fixture
def slow(monkeypatch):
    """A machine that is timed as it is, and then taken for a slow one."""
    timed = budget._timed
    monkeypatch.setattr(budget, "_timed", lambda *given: timed(*given) and SLOW)


@pytest.fixture
def untimed(monkeypatch):
    def refuse(*given):
        raise AssertionError("it was timed")

    monkeypatch.setattr(budget, "_timed", refuse)


def minutes(steps):
    """The budget that so many steps of the slow machine need, and half a step more."""
    return (steps + 0.5) * SLOW.step / 60 / budget.USED


def pictures():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (PICTURES, 6, 6, 1)).astype("uint8")
    return images, rng.integers(0, 2, PICTURES)


def network():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            layers.Input((6, 6, 1)),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(8, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(2, activation="softmax"),
        ]
    )


def train(model=None, **changes):
    images, labels = pictures()
    model = model or network()
    settings = {
        "batch_size": 16,  # the last batch has 12
        "learning_rate": 0.02,
        "validation": (images[:20], labels[:20]),
        "augment": training.random_shift,
        "precision": "float32",
        "progress": "none",
    }
    return model, training.fit(model, images, labels, **settings | changes)


def state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def assert_same(model, history, other, expected):
    for one, two in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(one, two)
    for row, same in zip(history.rows, expected.rows, strict=True):
        assert row | {"seconds": 0} == same | {"seconds": 0}


# ---------------------------------------------------------------- what fits


@pytest.mark.parametrize(
    ("seconds", "most", "expected"),
    [
        (1000, 3, (3, 10)),  # at most what was asked for
        (36, 3, (3, 10)),  # exactly
        (36, None, (2, 10)),  # another schedule is compiled for 5 s
        (35, 3, (2, 10)),
        (17, 3, (1, 10)),
        (16.9, 3, (1, 9)),  # a part of an epoch
        (7, 1, (1, 1)),  # never nothing
        (-9, None, (1, 1)),
    ],
)
def test_what_fits(seconds, most, expected):
    # 10 steps and an ending: 12 s an epoch.
    pace = Pace(step=1, ending=2, compiling=5)
    assert pace.epoch(10) == 12
    assert pace.fitting(seconds, 10, most) == expected


def test_a_machine_is_timed_in_all_its_parts(monkeypatch):
    seen, timed = [], budget._timed
    monkeypatch.setattr(
        budget, "_timed", lambda *given: seen.append(timed(*given)) or SLOW
    )
    train(minutes=minutes(1))
    (pace,) = seen
    assert pace.step > 0 and pace.ending > 0 and pace.compiling > 0
    assert 0 <= pace.others <= 1


# ---------------------------------------------------------------- the run that follows


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"optimizer": "sgd", "lookahead": True, "alternate_flips": True},
        {"weight_decay": 0.1, "validation": None},
    ],
)
def test_a_budget_that_is_enough_is_the_run_of_all_epochs(changes):
    model, history = train(epochs=3, minutes=600, **changes)
    assert len(history.rows) == 3
    assert_same(model, history, *train(epochs=3, **changes))


@pytest.mark.parametrize(
    "changes", [{}, {"optimizer": "sgd", "lookahead": True, "epochs": 9}]
)
def test_a_budget_that_is_less_is_the_run_of_fewer(slow, changes):
    model, history = train(minutes=minutes(3 * STEPS), **changes)
    assert len(history.rows) == 3
    expected = training.learning_rates("one-cycle", 3 * STEPS, 0.02)
    np.testing.assert_allclose(
        history.column("learning_rate"), expected[STEPS - 1 :: STEPS], rtol=1e-5
    )
    assert_same(model, history, *train(**changes | {"epochs": 3}))


def test_where_no_epoch_fits_a_part_of_one_is_trained(slow):
    model, history = train(minutes=minutes(2))
    assert len(history.rows) == 1 and int(model.optimizer.iterations) == 2
    assert history.rows[0]["learning_rate"] == pytest.approx(
        training.learning_rates("one-cycle", 2, 0.02)[-1]
    )


def test_pictures_that_make_a_single_batch():
    model, history = train(epochs=2, minutes=600, batch_size=100)
    assert len(history.rows) == 2 and int(model.optimizer.iterations) == 2


def test_stopping_by_hand_while_it_is_timed_leaves_the_model_alone():
    model = network()
    before = [keras.ops.convert_to_numpy(weight) for weight in model.weights]

    def stop(self, batch, logs=None):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget._Watch, "on_train_batch_end", stop)
        _, history = train(model, minutes=1)
    assert not history.rows and "stopped by hand" in history.summary()
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight), value)


# ---------------------------------------------------------------- what is said


def test_a_fast_machine_says_how_long_all_epochs_take(capfd):
    _, history = train(epochs=2, minutes=600, progress="text")
    line = history.setup.splitlines()[1]
    assert line.startswith("This machine learns ") and "pictures a second: " in line
    assert line.endswith(("2 epochs will take less than a second.", " s."))
    assert capfd.readouterr().out.splitlines()[:2] == history.setup.splitlines()
    assert "<br>This machine learns" in history._repr_html_()


@pytest.mark.parametrize(
    ("steps", "epochs", "expected"),
    [
        (13, None, "3 epochs in 1425 s."),
        (
            13,
            8,
            "3 of 8 epochs in 1425 s. What would help: minutes=56.5, for 8 epochs.",
        ),
        (
            2,
            None,
            "32 of the 60 pictures, once, in 264 s. "
            "What would help: minutes=7.5, for 1 epoch.",
        ),
        (40, 3, "3 epochs will take about 1140 s."),
    ],
)
def test_a_slow_machine_says_what_fits_and_what_would_help(
    monkeypatch, steps, epochs, expected
):
    monkeypatch.setattr(budget, "_timed", lambda *given: SLOW)
    _, history = train(epochs=epochs, minutes=minutes(steps))
    start = "This machine learns 0.17 pictures a second: "
    assert history.setup.splitlines()[1] == start + expected


def test_what_would_help_is_said_where_it_is_true(monkeypatch):
    monkeypatch.setattr(budget, "would_help", lambda: ["plugging it in"])
    busy = replace(SLOW, others=0.4)
    monkeypatch.setattr(budget, "_timed", lambda *given: busy)
    _, history = train(epochs=9, minutes=minutes(4))
    assert history.setup.endswith(
        ", for 9 epochs; plugging it in; "
        "closing other programs: they take 40% of the processor."
    )


def test_helps_of_a_cpu(monkeypatch):
    monkeypatch.setattr(machine, "device", lambda: machine.Device("CPU", 2, False))
    monkeypatch.setattr(machine, "driver_facts", Facts)
    monkeypatch.setattr(machine.psutil, "sensors_battery", lambda: None, raising=False)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    assert machine.would_help() == []

    class Battery:
        power_plugged = False

    gpu = Facts(gpus=(Gpu(0, "A GPU", 8000, 8000),))
    monkeypatch.setattr(machine, "driver_facts", lambda: gpu)
    monkeypatch.setattr(machine.psutil, "sensors_battery", Battery)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    helps = " ".join(machine.would_help())
    assert "plugging it in" in helps and "labkit doctor" in helps
    assert ("ONEDNN" in helps) == (keras.backend.backend() == "tensorflow")
    monkeypatch.setattr(machine, "device", lambda: machine.Device("GPU", 1, True))
    assert machine.would_help() == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "Pass epochs=10, or minutes=2, or both"),
        ({"minutes": 0}, "minutes is 0; expected a number above 0"),
        ({"minutes": -1.5}, "minutes is -1.5"),
        ({"minutes": float("nan")}, "minutes is nan"),
        ({"minutes": float("inf")}, "minutes is inf"),
        ({"epochs": 0}, "epochs is 0; expected 1 or more"),
        ({"minutes": 1, "schedule": "steps"}, "expected one of constant, cosine"),
    ],
)
def test_mistakes_are_named(untimed, given, message):
    with pytest.raises(ValueError, match=message):
        train(**given)


# ---------------------------------------------------------------- grading


@pytest.mark.parametrize(
    ("given", "epochs"),
    [({"minutes": 0.001, "epochs": 3}, 3), ({"minutes": 99}, budget.GRADING_EPOCHS)],
)
def test_at_grading_no_clock_counts(monkeypatch, untimed, given, epochs):
    monkeypatch.setenv("LABKIT_PROFILE", "grading")
    model, history = train(**given)
    assert len(history.rows) == epochs
    assert_same(model, history, *train(epochs=epochs))


# ---------------------------------------------------------------- interruptions


def killed(path):
    """Train by a budget of 5 epochs in a process of its own, and lose it after the second."""
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import os, signal
import test_training_budget as t
from labkit.training.checkpoint import Checkpoint
timed, write = t.budget._timed, Checkpoint.on_epoch_end
t.budget._timed = lambda *given: timed(*given) and t.SLOW
def dies(self, epoch, logs=None):
    write(self, epoch, logs)
    if len(self._history.rows) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
Checkpoint.on_epoch_end = dies
t.train(minutes=t.minutes(5 * t.STEPS), checkpoint={str(path)!r})
"""
    clean = {name: v for name, v in os.environ.items() if name != "LABKIT_PROFILE"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=clean
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_a_killed_run_keeps_its_number_of_epochs(tmp_path, untimed):
    killed(tmp_path / "mine")
    model, history = train(minutes=minutes(5 * STEPS), checkpoint=tmp_path / "mine")
    assert len(history.rows) == 5
    assert history.setup.endswith("\nIt goes on after epoch 2.")
    assert not list(tmp_path.iterdir())
    assert_same(model, history, *train(epochs=5))


def test_a_run_of_other_minutes_is_timed_anew(tmp_path, slow):
    killed(tmp_path / "mine")
    _, history = train(minutes=minutes(3 * STEPS), checkpoint=tmp_path / "mine")
    assert len(history.rows) == 3 and "goes on" not in history.setup


def test_a_run_killed_while_it_was_timed_begins_again(tmp_path, monkeypatch, slow):
    class Killed(Exception):
        pass

    def dies(self, tests):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(budget._Watch, "pace", dies)
        with pytest.raises(Killed):
            train(minutes=minutes(9), checkpoint=tmp_path / "mine")
    assert list(tmp_path.iterdir())
    model, history = train(minutes=minutes(9), checkpoint=tmp_path / "mine")
    assert "goes on" not in history.setup
    assert_same(model, history, *train(epochs=2))
