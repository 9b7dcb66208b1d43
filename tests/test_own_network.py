"""Lab 08 takes the network that a student brings from lab 05, or says why it cannot."""

from pathlib import Path

import keras
import pytest
from keras import layers

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


@pytest.fixture(scope="module")
def loaded():
    return lab_functions(read_lab(find_labs(SOLUTIONS, ["08"])[0]))["loaded"]


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
