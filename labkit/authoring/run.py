"""Run a lab's solution as its author does: on the data and the machine at hand."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.checks.protocol import messages
from labkit.checks.references import References
from labkit.execution.execute import execute
from labkit.execution.grading_data import reference_environment
from labkit.execution.run_metadata import RunMetadata
from labkit.files import write_text
from labkit.grading.judging import judge
from labkit.labs.companions import companions, copy_companions
from labkit.labs.headings import CellWatch
from labkit.labs.lab import read_lab
from labkit.labs.reference_run import (
    lab_references,
    references_path,
    run_duration,
    solution_run_path,
)
from labkit.labs.source import source_notebook
from labkit.profile import STRICT


@dataclass
class Run:
    """A solution that ran: its folder, the files it wrote, what went wrong."""

    lab: str
    folder: Path
    seconds: float
    files: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def run_solution(
    lab_path: Path,
    folder: Path,
    build: Path,
    seed: str,
    on_cell: Callable[[int, int, str], None] = lambda *_: None,
) -> Run:
    """Execute a lab's solution in `folder`, on the data of the user.

    What a lab brings along lies beside it, as for a student. `seed` is the course's,
    `build` where its references are saved. The executed notebook and whatever it writes
    stay in the folder. `on_cell(number, count, heading)` is called before each code cell.
    """
    lab = read_lab(lab_path)
    references = lab_references(lab_path, build, seed)
    notebook = source_notebook(lab)
    copy_companions(lab_path, folder)
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        **reference_environment(build, seed),
        STRICT: "1",
        "LABKIT_EXPECTED": str(references_path(lab_path, build).resolve()),
    }
    watch = CellWatch(notebook, on_cell)
    # The kernel's parent may have begun in another folder.
    place = folder.resolve()
    ran = execute(notebook, place, environment, cell_seconds=None, on_cell=watch)
    return _finished(lab_path, folder, ran, references)


def reference_solution_run(lab_path: Path, folder: Path, build: Path, seed: str) -> Run:
    """What `run_solution` gives at grading, in seconds: the solution in its reference run."""
    references = lab_references(lab_path, build, seed)
    shutil.copytree(solution_run_path(lab_path, build), folder, dirs_exist_ok=True)
    ran = nbformat.read(folder / f"{lab_path.stem}.ipynb", as_version=4)
    return _finished(lab_path, folder, ran, references)


def _finished(
    lab_path: Path, folder: Path, ran: NotebookNode, references: References
) -> Run:
    """Write the executed notebook, and sum up its run."""
    failed = _show_judged(ran, references)
    write_text(folder / f"{lab_path.stem}.ipynb", nbformat.writes(ran) + "\n")
    brought = companions(lab_path)
    files = sorted(
        path
        for path in folder.iterdir()
        if path.is_file()
        and not path.name.startswith(".")
        and path.relative_to(folder) not in brought
    )
    run = _summary(lab_path.stem, folder, files, ran)
    run.failed += failed
    return run


def _show_judged(ran: NotebookNode, references: References) -> list[str]:
    """Show what the checks gave where the kernel only sent values; returns what failed.

    So it is in the profile "grading": there the grader judges.
    """
    failed = []
    for cell in ran.cells:
        if not messages(cell):
            continue
        checks = references.cells[cell.metadata.nbgrader.grade_id]
        for result in judge(checks, cell, quote=True):
            shown = nbformat.v4.new_output("display_data", data=result.display())
            cell.outputs.append(shown)
            if not result.passed:
                failed.append(result.text())
    return failed


def _summary(name: str, folder: Path, files: list[Path], ran: NotebookNode) -> Run:
    run = Run(name, folder, run_duration(ran), files)
    if stopped := RunMetadata.of(ran).stopped:
        run.failed.append(stopped)
    for cell in ran.cells:
        for output in cell.get("outputs", []):
            where = cell.source.strip().splitlines()[0][:60]
            if output.output_type == "error":
                run.failed.append(
                    f"the cell {where!r} raised {output.ename}: {output.evalue}"
                )
            elif output.output_type == "stream" and output.name == "stderr":
                run.warnings.append(
                    f"the cell {where!r} wrote to standard error: {output.text.strip()[:200]}"
                )
    return run
