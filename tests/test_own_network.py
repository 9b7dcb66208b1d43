"""Lab 08 takes the network that a student brings from lab 05, or says why it cannot."""

import re
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest
from keras import layers

from labkit.data import cache
from labkit.labs.functions import lab_functions
from labkit.labs.lab import find_labs, read_lab

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"


def network(size=32, classes=10, *behind):
    return keras.Sequential(
        [
            layers.Input((size, size, 3)),
            layers.Conv2D(2, 3, strides=4),
            layers.GlobalAveragePooling2D(),
            layers.Dense(classes, activation=None if behind else "softmax"),
            *behind,
        ]
    )


def lab(number):
    return read_lab(find_labs(SOLUTIONS, [number])[0])


@pytest.fixture(scope="module")
def functions():
    return lab_functions(lab("08"))


@pytest.fixture(scope="module")
def loaded(functions):
    return functions["loaded"]


def test_the_network_that_lab_05_keeps_is_taken(
    functions, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path))
    monkeypatch.setenv("LABKIT_PROFILE", "quick")
    kept = [
        cell.source for cell in lab("05").script.cells if "best.save(" in cell.source
    ]
    (place,) = re.findall(r"best\.save\((.*)\)", kept[0])
    cifar = SimpleNamespace(name="small")
    network().save(eval(place, {"cache": cache, "d": cifar}))
    assert functions["known_network"](cifar).output_shape == (None, 10)
    assert "comes from" in capsys.readouterr().out


def test_a_network_that_fits_is_taken(loaded, tmp_path, capsys):
    network().save(tmp_path / "best_cnn.keras")
    assert loaded(tmp_path / "best_cnn.keras").output_shape == (None, 10)
    assert "comes from" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (lambda: network(size=28), "expected (None, 32, 32, 3)"),
        (lambda: network(classes=2), "expected (None, 10)"),
        (lambda: network(32, 10, layers.Softmax()), "expected a Dense layer"),
        (lambda: network(32, 10, layers.Lambda(lambda x: x)), "Lambda"),
    ],
    ids=["another size", "other classes", "another end", "code in it"],
)
def test_another_one_is_left_aside_and_told_why(
    loaded, tmp_path, capsys, other, reason
):
    other().save(tmp_path / "best_cnn.keras")
    assert loaded(tmp_path / "best_cnn.keras") is None
    assert reason in capsys.readouterr().out


def test_a_damaged_file_is_left_aside(loaded, tmp_path, capsys):
    (tmp_path / "best_cnn.keras").write_bytes(b"PK damaged")
    assert loaded(tmp_path / "best_cnn.keras") is None
    assert "left aside" in capsys.readouterr().out
