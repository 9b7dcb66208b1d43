"""The labs that train, under Keras's other backends: every cell of their solutions, on few pictures.

(Under TensorFlow the release gate runs them.) A backend that is not installed is left out.
"""

import importlib.util

import pytest

from labkit.authoring import find_labs
from tests.conftest import ROOT

TRAINING = find_labs(ROOT / "solutions", ["04", "05", "06"])


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("backend", ["jax", "torch"])
@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_a_solution_trains(path, backend, run_command, tmp_path):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed; type: pip install {backend}")
    done = run_command(
        *("labkit", "run", path.stem, "--out", str(tmp_path)),
        folder=ROOT,
        timeout=1800,
        KERAS_BACKEND=backend,
        LABKIT_PROFILE="grading",
        PYTHONWARNINGS="ignore",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed" not in done.stdout
