"""Runs cells in confined kernels for the tests, an innocent notebook beside them."""

import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

from labkit.execution.execute import execute, grading_environment
from labkit.execution.run_metadata import RunMetadata
from labkit.sandbox.policy import MIB, Policy

SMALL = Policy(memory=2048 * MIB, disk=64 * MIB, processes=64)
INNOCENT = (
    "import keras, numpy as np\nkeras.utils.set_random_seed(1)",
    "model = keras.Sequential([keras.layers.Dense(8, 'relu'), keras.layers.Dense(1)])\n"
    "model.compile('adam', 'mse')\n"
    "x = np.random.default_rng(0).normal(size=(200, 4))\n"
    "print(model.fit(x, x[:, :1], verbose=0).history['loss'])",
)


@dataclass
class Ran:
    """What became of a notebook: each cell's text and error, why it stopped."""

    texts: list[str]
    errors: list[str]
    stopped: str
    cells: list


def run(*sources: str, folder: Path | None = None, **options) -> Ran:
    """Run cells in a confined kernel, in a copy of `folder`."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    options = {"policy": SMALL, "cell_seconds": 30, **options}
    with tempfile.TemporaryDirectory() as empty:
        done = execute(
            notebook, folder or Path(empty), grading_environment(), **options
        )
    return Ran(
        texts=[_text(cell) for cell in done.cells],
        errors=[_errors(cell) for cell in done.cells],
        stopped=RunMetadata.of(done).stopped,
        cells=done.cells,
    )


def run_beside_innocent(*sources: str, **options) -> Ran:
    """Run cells while an innocent notebook runs, whose result must be as it always is."""
    with ThreadPoolExecutor(2) as pool:
        hostile = pool.submit(run, *sources, **options)
        innocent = pool.submit(run, *INNOCENT, policy=Policy())
        assert innocent.result().texts == _expected_of_innocent()
        assert innocent.result().stopped == ""
        return hostile.result()


def _expected_of_innocent() -> list[str]:
    with _once:
        if not _expected:
            _expected.extend(run(*INNOCENT, policy=Policy()).texts)
    return _expected


_expected: list[str] = []
_once = threading.Lock()


def _text(cell) -> str:
    outputs = [out for out in cell.outputs if out.output_type != "error"]
    shown = [out.get("text") or out.data.get("text/plain", "") for out in outputs]
    return "".join(shown).strip()


def _errors(cell) -> str:
    errors = [out for out in cell.outputs if out.output_type == "error"]
    return " ".join(f"{out.ename}: {out.evalue}" for out in errors)
