"""One run of a submission: bytes go in, bytes come out, on this machine or on another."""

import io
import json
import tempfile
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.checks.earned_points import KERNEL_FOLDER
from labkit.course import Limits
from labkit.data import cache as data_cache
from labkit.data import standins
from labkit.execution.execute import execute, grading_environment, grading_policy
from labkit.execution.keys import package_hash
from labkit.execution.run_metadata import CellMetadata, RunMetadata
from labkit.files import content_hash, new_folder, own_files, write_bytes, write_text
from labkit.sandbox.confinement import require_full
from labkit.times import TIMESTAMP


@dataclass(frozen=True)
class Job:
    """All that the run of a submission depends on, besides this package.

    `notebook` is the sanitised notebook as JSON, `files` what lies beside it by name,
    `environment` the submission environment: what its kernel finds besides the usual.
    """

    notebook: str
    files: dict[str, bytes] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
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
            {**grading_environment(), **job.environment},
            cell_seconds=job.limits.cell_seconds,
            seconds=job.limits.submission_seconds,
            policy=grading_policy(job.environment, job.limits),
        )
    return nbformat.writes(run)


def run_job_elsewhere(job: Job, data: bytes, package: str, confined: bool) -> str:
    """Run a submission on a machine that has neither the course nor its grading data.

    `data` is what `pack_data` made; `package` is the hash of the sender's package. Raises
    RuntimeError where this machine has another version of it, and LabkitError where it
    must be `confined` and cannot be.
    """
    if confined:
        require_full()
    if package != package_hash():
        raise RuntimeError(
            "this worker has another version of labkit than the machine that grades. "
            "Install the same one on both and start the worker anew"
        )
    own_data = {standins.GRADING_DATA: str(_unpacked(data))}
    return run_job(replace(job, environment={**job.environment, **own_data}))


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
    root = data_cache.place("grading-data", content_hash(data)[:16])
    if not root.is_dir():
        with new_folder(root) as made, zipfile.ZipFile(io.BytesIO(data)) as archive:
            made.chmod(0o755)  # a confined kernel may be another user's
            archive.extractall(made)
    return root / "labels"


def accompanying_files(folder: Path) -> dict[str, bytes]:
    """What lies beside a notebook, by its path in the folder; links are left out.

    So are the time at which it was handed in and what a student's kernel keeps there: no
    run depends on those.
    """
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in own_files(folder)
        if path.suffix != ".ipynb"
        and path != folder / TIMESTAMP
        and KERNEL_FOLDER not in path.relative_to(folder).parts
    }


def with_outputs(notebook: NotebookNode, run: NotebookNode) -> NotebookNode:
    """A sanitised notebook with the outputs and times of its run, and what stopped it.

    What was handed in may claim anything of a run: all of it is the run's word. What was
    repaired is the sanitised notebook's, for a cached run may be of an earlier one.
    """
    for cell, done in zip(_code(notebook), _code(run), strict=True):
        cell.outputs, cell.execution_count = done.outputs, done.execution_count
        if "execution" in done.metadata:
            cell.metadata["execution"] = done.metadata["execution"]
        CellMetadata.of(done).write(cell)
    notebook.metadata["language_info"] = NotebookNode(name="python")
    repairs = RunMetadata.of(notebook).repairs
    replace(RunMetadata.of(run), repairs=repairs).write(notebook)
    return notebook


def cache_run(notebook: NotebookNode, key: str, path: Path) -> NotebookNode:
    """Keep an executed notebook as the cached run of its key; returns it with the key."""
    replace(RunMetadata.of(notebook), key=key).write(notebook)
    # Not by nbformat, which checks the whole notebook: it does so as it is read.
    write_text(path, json.dumps(notebook))
    if key:
        executed = path.parents[2]
        write_text(_last_run(executed, key), str(path.relative_to(executed)))
    return notebook


def cached_run(key: str, path: Path) -> NotebookNode | None:
    """The cached run of a key: that in the file, or another submission's of the same code.

    None where there is neither.
    """
    executed = path.parents[2]
    last = _last_run(executed, key)
    places = [path, executed / last.read_text("utf-8")] if last.is_file() else [path]
    for place in places:
        if place.is_file():
            run = nbformat.read(place, as_version=4)
            if RunMetadata.of(run).key == key:
                return run
    return None


def _last_run(executed: Path, key: str) -> Path:
    """The file that names the last submission whose run has this key."""
    return executed.parent / "runs" / key


def cached_run_path(build: Path, student: str, lab: str, notebook: str) -> Path:
    """Where the cached run of a submission lies: its executed notebook."""
    return build / "executed" / lab / student / f"{notebook}.ipynb"


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]
