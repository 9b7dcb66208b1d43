"""Run a lab's solution, and run a student's notebook as the grader will."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.authoring import headings, read_lab, source_notebook
from labkit.checks import EXPECTED
from labkit.errors import LabkitError
from labkit.files import write_text
from labkit.grading import reference
from labkit.grading.execute import execute, grading_environment
from labkit.grading.withheld import inputs_environment
from labkit.references import Result, cells, score


@dataclass
class Run:
    """A solution that ran: its folder, the files it wrote, what went wrong."""

    lab: str
    folder: Path
    seconds: float
    files: list[Path] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass
class CheckedCell:
    """A check cell of a student's notebook: its checks and its points."""

    cell: str
    points: float
    max_points: float
    results: list[Result]
    changed: bool = False


def run_solution(
    lab_path: Path,
    folder: Path,
    build: Path,
    seed: str,
    on_cell: Callable[[int, int, str], None] = lambda *_: None,
) -> Run:
    """Execute a lab's solution in `folder`, in the profile and on the data of the user.

    `seed` is the course's, `build` where its references are kept. The executed notebook and whatever it writes stay in the folder.
    `on_cell(number, count, heading)` is called before each code cell.
    """
    lab = read_lab(lab_path)
    reference.references(lab_path, build, seed)
    notebook = source_notebook(lab)
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        **os.environ,
        **inputs_environment(seed),
        "LABKIT_EXPECTED": str(reference.references_path(lab_path, build).resolve()),
    }
    watch = _Watch(notebook, on_cell)
    ran = execute(notebook, folder, environment, cell_seconds=None, on_cell=watch)
    write_text(folder / f"{lab.name}.ipynb", nbformat.writes(ran) + "\n")
    return _summary(lab.name, folder, ran)


def check_notebook(
    path: Path, on_cell: Callable[[int, int, str], None] = lambda *_: None
) -> list[CheckedCell]:
    """Run a student's notebook in a fresh kernel and judge its visible checks."""
    notebook = _read_notebook(path)
    expected = path.parent / EXPECTED
    if not expected.is_file():
        raise LabkitError(
            f"{expected}: missing. It comes with the lab and belongs beside the notebook."
        )
    known = cells(_read_json(expected))
    changed = _changed_cells(notebook)
    with tempfile.TemporaryDirectory(prefix="labkit-check-") as scratch:
        place = Path(scratch, "notebook")
        shutil.copytree(
            path.parent,
            place,
            ignore=shutil.ignore_patterns("*.ipynb", ".ipynb_checkpoints"),
        )
        ran = execute(
            notebook, place, grading_environment(), on_cell=_Watch(notebook, on_cell)
        )
    found = {
        cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in ran.cells
    }
    return [
        _checked(name, checks, found.get(name), ran, name in changed)
        for name, checks in known.items()
    ]


class _Watch:
    """Tells which cell starts, under which heading."""

    def __init__(
        self, notebook: NotebookNode, on_cell: Callable[[int, int, str], None]
    ) -> None:
        self._on_cell = on_cell
        self._code = [
            i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"
        ]
        self._headings = headings(notebook)

    def __call__(self, cell: NotebookNode, cell_index: int) -> None:
        number = self._code.index(cell_index) + 1
        self._on_cell(number, len(self._code), self._headings[cell_index])


def _summary(name: str, folder: Path, ran: NotebookNode) -> Run:
    files = sorted(
        p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")
    )
    run = Run(name, folder, reference.run_seconds(ran), files)
    if "stopped" in ran.metadata.get("labkit", {}):
        run.failed.append(ran.metadata["labkit"]["stopped"])
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


def _read_notebook(path: Path) -> NotebookNode:
    if not path.is_file():
        raise LabkitError(
            f"{path}: no such file. Name a notebook, such as work/01_neuron/01_neuron.ipynb."
        )
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:
        reason = str(error).splitlines()[0][:200]
        raise LabkitError(
            f"{path}: not a notebook that can be read ({reason})."
        ) from None


def _read_json(path: Path) -> dict:
    import json

    try:
        return json.loads(path.read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise LabkitError(
            f"{path}: cannot be read ({error}). Copy it anew from the lab."
        ) from None


def _changed_cells(notebook: NotebookNode) -> set[str]:
    """Ids of check cells whose text is not the released one any more."""
    from nbgrader.utils import compute_checksum, is_grade, is_solution

    return {
        cell.metadata.nbgrader.grade_id
        for cell in notebook.cells
        if is_grade(cell)
        and not is_solution(cell)
        and cell.metadata.nbgrader.get("checksum") != compute_checksum(cell)
    }


def _checked(
    name: str, checks: list, cell: NotebookNode | None, ran: NotebookNode, changed: bool
) -> CheckedCell:
    from labkit.grading.nbgrader_parts import judge

    if cell is None:
        results = [
            check.failed("its check cell is missing from the notebook")
            for check in checks
        ]
        return CheckedCell(name, 0.0, 0.0, results, changed)
    stopped = ran.metadata.get("labkit", {}).get("stopped", "")
    results = judge(checks, cell, stopped, quote=True)
    points = float(cell.metadata.nbgrader.points)
    return CheckedCell(name, score(results, points), points, results, changed)
