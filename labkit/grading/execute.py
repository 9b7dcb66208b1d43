"""Run one notebook in a fresh kernel, in a folder of its own."""

import copy
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from traitlets.config import Config

from labkit.files import write_text

CELL_SECONDS = 120
STARTUP_SECONDS = 120

# One thread a kernel: several run side by side, and sums come out the same.
GRADING_ENVIRONMENT = {
    "LABKIT_PROFILE": "grading",
    "LABKIT_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
}
NOT_FOR_GRADING = ("LABKIT_DATA", "LABKIT_EXPECTED", "LABKIT_SEED")


def grading_environment() -> dict[str, str]:
    """The environment of a kernel that grades: this process's, less the student's choices."""
    kept = {
        name: value for name, value in os.environ.items() if name not in NOT_FOR_GRADING
    }
    return {**kept, **GRADING_ENVIRONMENT}


def execute(
    notebook: NotebookNode,
    folder: Path,
    environment: dict[str, str],
    *,
    cell_seconds: int | None = CELL_SECONDS,
    stop_on_error: bool = False,
    on_cell: Callable[..., None] | None = None,
) -> NotebookNode:
    """Return the notebook with the outputs of a run in a fresh kernel started in `folder`.

    A kernel that dies or cannot be interrupted ends the run: the reason is kept in the
    notebook's metadata (`labkit.stopped`) and the cells after it have no outputs.
    `on_cell(cell=..., cell_index=...)` is called before each code cell.
    """
    notebook = copy.deepcopy(notebook)
    with tempfile.TemporaryDirectory(prefix="labkit-") as sockets:
        client = _client(
            notebook, folder, sockets, cell_seconds, stop_on_error, on_cell
        )
        try:
            client.execute(env=environment)
        except (DeadKernelError, CellTimeoutError) as error:
            if stop_on_error:
                raise
            notebook.metadata.setdefault("labkit", {})["stopped"] = _reason(error)
    return notebook


def _client(
    notebook, folder, sockets, cell_seconds, stop_on_error, on_cell
) -> NotebookClient:
    return NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=cell_seconds,
        startup_timeout=STARTUP_SECONDS,
        interrupt_on_timeout=not stop_on_error,
        allow_errors=not stop_on_error,
        error_on_timeout={
            "ename": "CellTimeoutError",
            "evalue": f"the cell ran for more than {cell_seconds} s",
            "traceback": [
                f"The cell ran for more than {cell_seconds} s and was stopped."
            ],
        },
        resources={"metadata": {"path": str(folder)}},
        config=_transport(sockets),
        on_cell_execute=on_cell,
    )


def _transport(sockets: str) -> Config:
    """Unix sockets where the system has them: out of reach of the network and of others."""
    if os.name == "nt":
        return Config()
    return Config(KernelManager={"transport": "ipc", "ip": f"{sockets}/kernel"})


def executed(
    notebook: NotebookNode,
    folder: Path,
    stored: Path,
    key: str,
    told: dict[str, str],
) -> NotebookNode:
    """Return a sanitised submission as it ran at grading: as stored, or run now and stored.

    `folder` holds the files beside the notebook; the run works on a copy of them. A
    result stored under another `key` (`submission_key`) is of other content: run again.
    `told` is what its kernel finds in the environment besides the usual.
    """
    run = _stored(notebook, stored, key)
    if run is None:
        with tempfile.TemporaryDirectory(prefix="labkit-grading-") as scratch:
            place = Path(scratch, "submission")
            shutil.copytree(folder, place, ignore=shutil.ignore_patterns("*.ipynb"))
            run = execute(notebook, place, {**grading_environment(), **told})
        run.metadata.setdefault("labkit", {})["key"] = key
        write_text(stored, nbformat.writes(run))
    for cell, done in zip(notebook.cells, run.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
    notebook.metadata["labkit"] = run.metadata["labkit"]
    return notebook


def submission_key(seed: str, *folders: Path) -> str:
    """A hash of all that a run depends on: the course's seed, every file of the folders,
    and this package."""
    digest = hashlib.sha256(f"{seed} {package_hash()}".encode())
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            digest.update(str(path.relative_to(folder)).encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:32]


@cache
def package_hash() -> str:
    """A hash of this package's code: a result made by other code is made again."""
    digest = hashlib.sha256()
    package = Path(__file__).parent.parent
    for path in sorted(package.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _stored(notebook: NotebookNode, path: Path, key: str) -> NotebookNode | None:
    if not path.is_file():
        return None
    run = nbformat.read(path, as_version=4)
    same_cells = [cell.source for cell in run.cells] == [
        cell.source for cell in notebook.cells
    ]
    return run if same_cells and run.metadata["labkit"]["key"] == key else None


def _reason(error: Exception) -> str:
    if isinstance(error, DeadKernelError):
        return "The kernel died: the notebook crashed Python or ended it."
    return "A cell ran too long and could not be interrupted."
