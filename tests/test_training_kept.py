"""In a lab's notebook trainings take turns, and a restarted kernel finds finished ones."""

import os

import pytest

from tests.steps import cells, run_all, shown

IMPORTS = """\
import keras
import numpy as np
from labkit import training
from labkit.training import finished_trainings
finished_trainings.SECONDS = 0
images = np.random.default_rng(0).integers(0, 255, (64, 6, 6, 1)).astype("uint8")
labels = np.arange(64) % 2"""
TRAIN = """\
keras.utils.set_random_seed(1)
layers = keras.layers
model = keras.Sequential(
    [layers.Input((6, 6, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")]
)
history = training.fit(model, images, labels, epochs={epochs}, progress="text")
print("sum", float(abs(model.get_weights()[0]).sum()), len(history.rows))
print("loss", model.evaluate(images, keras.utils.to_categorical(labels), verbose=0)[0])"""


@pytest.fixture
def lab(tmp_path):
    (tmp_path / "expected.json").write_text('{"lab": "x", "cells": {}}')
    return tmp_path


def sums(cell):
    return [line for line in shown(cell).splitlines() if line[:4] in ("sum ", "loss")]


def test_a_restarted_kernel_finds_its_trained_weights_again(lab):
    train = TRAIN.format(epochs=3)
    first = run_all(cells(IMPORTS, train), lab).cells[1]
    assert "found again" not in shown(first)
    notebook = cells(IMPORTS, train, train, TRAIN.format(epochs=2))
    second, anew, other = run_all(notebook, lab).cells[1:]
    assert "It was trained before, in 0:0" in shown(second)
    assert sums(second) == sums(first)
    for cell in (anew, other):
        assert "found again" not in shown(cell)


def test_nothing_is_kept_outside_of_a_lab(tmp_path):
    run_all(cells(IMPORTS, TRAIN.format(epochs=1)), tmp_path)
    assert not (tmp_path / ".labkit").exists()


def test_a_damaged_file_is_trained_anew(lab):
    train = TRAIN.format(epochs=1)
    first = run_all(cells(IMPORTS, train), lab).cells[1]
    (path,) = (lab / ".labkit" / "trained").glob("*.npz")
    path.write_bytes(path.read_bytes()[:100])
    again = run_all(cells(IMPORTS, train), lab).cells[1]
    assert "found again" not in shown(again)
    assert sums(again) == sums(first)


def test_a_second_training_waits_for_the_first_and_says_so(lab, tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    place = tmp_path / "cache" / "locks" / f"training-{os.getuid()}"
    place.parent.mkdir(parents=True)
    place.with_name(f"{place.name}.txt").write_text("work/another")
    held = f"""\
import threading
from filelock import FileLock
held, waiting = threading.Event(), threading.Event()
def hold():
    with FileLock({str(place)!r}):
        held.set()
        waiting.wait()
threading.Thread(target=hold, daemon=True).start()
held.wait()
acquire = FileLock.acquire
def acquiring(lock, **options):
    if lock.lock_file == {str(place)!r} and not options:  # it has tried without waiting
        waiting.set()
    return acquire(lock, **options)
FileLock.acquire = acquiring
"""
    text = shown(run_all(cells(IMPORTS, held + TRAIN.format(epochs=1)), lab).cells[1])
    assert text.startswith("Another training goes on, in work/another. This one begins")
    assert "sum" in text
