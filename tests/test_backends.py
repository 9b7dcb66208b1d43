"""Training under each of Keras's backends: all parts of `fit`, and every cell of the solutions on few pictures.

(Under TensorFlow the release gate runs them.) A backend that is not installed is left out.
"""

import importlib.util
import sys

import pytest

from labkit.labs.lab import find_labs
from tests.conftest import ROOT

TRAINING = find_labs(ROOT / "solutions", ["04", "05", "06"])
EVERYTHING = """
from labkit import models, training
import keras
import numpy as np

rng = np.random.default_rng(0)
labels = np.arange(256) % 4
images = np.zeros((256, 32, 32, 3), "uint8") + rng.integers(0, 99, (256, 32, 32, 3), "uint8")
images += (40 * labels).astype("uint8")[:, None, None, None]
model = models.fast_cifar10_cnn(images, widths=(8, 8, 8))
history = training.fit(
    model,
    images,
    labels,
    epochs=4,
    minutes=60,
    validation=(images[:64], labels[:64]),
    batch_size=32,
    optimizer="sgd",
    learning_rate=0.1,
    schedule="triangular",
    weight_decay=0.01,
    clip_norm=1.0,
    label_smoothing=0.1,
    augment=training.random_cover,
    alternate_flips=True,
    lookahead=True,
    patience=4,
    checkpoint="run",
)
model.save("model.keras")
again = keras.saving.load_model("model.keras")
before, after = (
    training.predict(one, images, flips=True, shifts=1) for one in (model, again)
)
np.testing.assert_allclose(before, after, rtol=1e-4, atol=1e-5)
print("fell" if history.column("loss")[-1] < history.column("loss")[0] else history)
"""


def require(backend: str) -> None:
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; type: pip install {backend}")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_a_solution_trains(path, backend, run_command, tmp_path):
    require(backend)
    done = run_command(
        *("labkit", "run", path.stem, "--out", str(tmp_path)),
        folder=ROOT,
        timeout=1800,
        apart=True,
        KERAS_BACKEND=backend,
        LABKIT_PROFILE="grading",
        PYTHONWARNINGS="ignore",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_training_has_all_its_parts(backend, run_command, tmp_path):
    require(backend)
    done = run_command(
        *(sys.executable, "-c", EVERYTHING), folder=tmp_path, KERAS_BACKEND=backend
    )
    assert done.stdout.splitlines()[-1:] == ["fell"], done.stdout + done.stderr
