"""One run of a submission: bytes go in, bytes come out, on this machine or on another."""

import contextlib
import hashlib
import io
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.course import Limits
from labkit.data import cache as data_cache
from labkit.data import standins
from labkit.execution.execute import execute, grading_environment, grading_policy
from labkit.execution.keys import package_hash
from labkit.files import own_files, write_bytes, write_text


@dataclass(frozen=True)
class Job:
    """All that the run of a submission depends on, besides this package.

    `notebook` is the sanitised notebook as JSON, `files` what lies beside it by name,
    `told` what its kernel finds in the environment besides the usual.
    """

    notebook: str
    files: dict[str, bytes] = field(default_factory=dict)
    told: dict[str, str] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)


def run_job(job: Job) -> str:
    """Run a submission in a confined kernel; returns the executed notebook as JSON."""
    notebook = nbformat.reads(job.notebook, as_version=4)
    with tempfile.TemporaryDirectory(prefix="labkit-grading-") as scratch:
        place = Path(scratch, "submission")
        place.mkdir()
        for name, content in job.files.items():
            write_bytes(place / name, content)
        run = execute(
            notebook,
            place,
            {**grading_environment(), **job.told},
            cell_seconds=job.limits.cell_seconds,
            seconds=job.limits.submission_seconds,
            policy=grading_policy(job.told, job.limits),
        )
    return nbformat.writes(run)


def run_job_elsewhere(job: Job, data: bytes, package: str) -> str:
    """Run a submission on a machine that has neither the course nor its grading data.

    `data` is what `pack_data` made; `package` is the hash of the sender's package. Raises
    RuntimeError where this machine has another version of it.
    """
    if package != package_hash():
        raise RuntimeError(
            "this worker has another version of labkit than the machine that grades. "
            "Install the same one on both and start the worker anew"
        )
    told = {**job.told, standins.GRADING_DATA: str(_unpacked(data))}
    return run_job(Job(job.notebook, job.files, told, job.limits))


def pack_data(chosen: Path) -> bytes:
    """The grading data that submissions may read, as a zip file."""
    buffer = io.BytesIO()
    folders = {"labels": chosen, "faces": standins.grading_pictures(chosen)}
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, folder in folders.items():
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                archive.write(path, f"{name}/{path.relative_to(folder)}")
    return buffer.getvalue()


def _unpacked(data: bytes) -> Path:
    """The folder of labels of a packed data set, unpacked the first time."""
    root = data_cache.place("grading-data", hashlib.sha256(data).hexdigest()[:16])
    if not root.is_dir():
        made = Path(tempfile.mkdtemp(dir=root.parent, prefix=".unpacked-"))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(made)
        made.chmod(0o755)
        with contextlib.suppress(OSError):  # another run on this machine was first
            made.rename(root)
    return root / "labels"


def read_files(folder: Path) -> dict[str, bytes]:
    """What lies beside a notebook, by its path in the folder; links are left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in own_files(folder)
        if path.suffix != ".ipynb"
    }


def with_outputs(notebook: NotebookNode, run: NotebookNode) -> NotebookNode:
    """A sanitised notebook with the outputs of its run."""
    for cell, done in zip(notebook.cells, run.cells, strict=True):
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = done.outputs, done.execution_count
            # The run's word alone: what was handed in may claim anything.
            cell.metadata.pop("labkit", None)
            if "labkit" in done.metadata:
                cell.metadata["labkit"] = done.metadata["labkit"]
    notebook.metadata["labkit"] = run.metadata["labkit"]
    return notebook


def keep(run: str, stored: Path) -> NotebookNode:
    """Keep an executed notebook; `labkit.key` in its metadata says what it was made from."""
    write_text(stored, run)
    return nbformat.reads(run, as_version=4)


def kept(notebook: NotebookNode, stored: Path, key: str) -> NotebookNode | None:
    """The kept run of a notebook; None where there is none of the same content."""
    if not stored.is_file():
        return None
    run = nbformat.read(stored, as_version=4)
    same_cells = [cell.source for cell in run.cells] == [
        cell.source for cell in notebook.cells
    ]
    return run if same_cells and run.metadata["labkit"]["key"] == key else None


def stored_run(build: Path, student: str, lab: str, notebook: str) -> Path:
    """Where the executed notebook of a submission is kept."""
    return build / "executed" / lab / student / f"{notebook}.ipynb"
