"""Run a student's notebook in a fresh kernel, as the grader will, and judge its checks."""

import contextlib
import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.checks.earned_points import KERNEL_FOLDER, Points, unanswered
from labkit.checks.guide import Task
from labkit.checks.protocol import EXPECTED, check_name
from labkit.checks.references import CheckReference, References
from labkit.checks.released import released_expected
from labkit.checks.rescue import RESCUES, asked, pack, unpack
from labkit.checks.results import NOT_WRITTEN, Result, score
from labkit.errors import LabkitError, MissingLibraryError
from labkit.execution.execute import execute, grading_environment
from labkit.execution.run_metadata import RunMetadata
from labkit.files import write_bytes
from labkit.grading.judging import judge
from labkit.labs.headings import CellWatch, exercise_title
from labkit.machine.syntax import parse


@dataclass
class CheckedCell:
    """A check cell of a student's notebook: its checks and its points."""

    cell: str
    points: float
    max_points: float
    results: list[Result]
    changed: bool = False
    rescued: bool = False

    @property
    def unwritten(self) -> bool:
        """Whether every check of it waits for an answer that is not begun."""
        return {result.message for result in self.results} == {NOT_WRITTEN}


@dataclass
class Checked:
    """A student's notebook that ran as at grading: its check cells, and all its points.

    `missing` says of each library that a cell did not find what to type.
    """

    cells: list[CheckedCell]
    points: Points
    missing: list[str]


def check_notebook(
    path: Path, on_cell: Callable[[int, int, str], None] = lambda *_: None
) -> Checked:
    """Run a student's notebook in a fresh kernel and judge its visible checks."""
    notebook = _read_notebook(path)
    expected = _expected(path, notebook)
    references = References.load(expected)
    changed = _changed_cells(notebook)
    with tempfile.TemporaryDirectory(prefix="labkit-check-") as scratch:
        place = Path(scratch, "notebook")
        shutil.copytree(
            path.parent,
            place,
            ignore=shutil.ignore_patterns(
                "*.ipynb", ".ipynb_checkpoints", KERNEL_FOLDER
            ),
        )
        _lay_beside(expected.parent, place)
        rescued = _leave_asked(place / RESCUES, notebook, references)
        ran = execute(
            notebook, place, grading_environment(), on_cell=CellWatch(notebook, on_cell)
        )
    found = {
        cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in ran.cells
    }
    cells = [
        _checked(name, checks, found.get(name), ran, name in changed)
        for name, checks in references.cells.items()
    ]
    for cell in cells:
        if cell.cell in rescued:
            cell.rescued, cell.points = True, 0.0
    return Checked(cells, _points(path, notebook, cells), _missing_libraries(ran))


def _missing_libraries(ran: NotebookNode) -> list[str]:
    told = [
        output.evalue
        for cell in ran.cells
        for output in cell.get("outputs", [])
        if output.get("ename") == MissingLibraryError.__name__
    ]
    return list(dict.fromkeys(told))


def _lay_beside(lab: Path, place: Path) -> None:
    """Put what came with a lab where its notebook runs, if it is not there: its tables."""
    for file in sorted(lab.iterdir()):
        target = place / file.name
        known = file.suffix == ".ipynb" or file.name == EXPECTED
        if file.is_file() and not known and not target.exists():
            shutil.copy(file, target)


def _leave_asked(
    path: Path, notebook: NotebookNode, references: References
) -> set[str]:
    """Leave those rescues that the notebook's text asks for, as the grader does.

    Returns the ids of the check cells that earn nothing for it.
    """
    wanted = asked(cell.source for cell in notebook.cells if cell.cell_type == "code")
    with contextlib.suppress(OSError, ValueError):  # the run then says what is wrong
        known = unpack(path.read_bytes())
        write_bytes(path, pack({n: one for n, one in known.items() if n in wanted}))
    return {cell for name in wanted for cell in references.guide.checks_of(name)}


def _points(path: Path, notebook: NotebookNode, cells: list[CheckedCell]) -> Points:
    """The points of all graded cells of a notebook; of older labs, too."""
    tasks = []
    for cell in notebook.cells:
        role = cell.metadata.get("nbgrader", {})
        if role.get("grade") and "points" in role:
            name = str(role["grade_id"])
            in_words = cell.cell_type == "markdown"
            points = float(role["points"])
            tasks.append(Task(name, exercise_title(name), points, in_words))
    earned = {cell.cell: cell.points for cell in cells}
    rescued = {cell.cell for cell in cells if cell.rescued}
    return Points.of(tasks, earned, unanswered(path), rescued)


def _expected(path: Path, notebook: NotebookNode) -> Path:
    """The expected values beside a notebook, or those that came with the package."""
    beside = path.parent / EXPECTED
    found = beside if beside.is_file() else released_expected(_check_names(notebook))
    if found is None:
        raise LabkitError(
            f"{beside}: missing. It comes with the lab and belongs beside the notebook."
        )
    return found


def _check_names(notebook: NotebookNode) -> set[str]:
    """The names of a notebook's checks."""
    names: set[str] = set()
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            with contextlib.suppress(SyntaxError):
                found = map(check_name, parse(cell.source).body)
                names.update(name for name in found if name is not None)
    return names


def _read_notebook(path: Path) -> NotebookNode:
    if not path.is_file():
        raise LabkitError(
            f"{path}: no such file. Name a notebook, such as work/<lab>/<lab>.ipynb."
        )
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:
        reason = str(error).splitlines()[0][:200]
        raise LabkitError(
            f"{path}: not a notebook that can be read ({reason})."
        ) from None


def _changed_cells(notebook: NotebookNode) -> set[str]:
    """Ids of check cells whose text is not the released one any more."""
    return {
        cell.metadata.nbgrader.grade_id
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade")
        and not cell.metadata.nbgrader.get("solution")
        and cell.metadata.nbgrader.get("checksum") != checksum(cell)
    }


def checksum(cell: NotebookNode) -> str:
    """The sum that nbgrader writes into a check cell when it is released.

    As `nbgrader.utils.compute_checksum`, which a student does not need to have: of the
    text and of what is graded, locked and worth how much.
    """
    about = cell.metadata.nbgrader
    graded, solution, locked = "True", "False", "True"
    parts = [cell.source, cell.cell_type, graded, solution, locked, about.grade_id]
    text = "".join([*parts, str(float(about.points))])
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _checked(
    name: str,
    checks: list[CheckReference],
    cell: NotebookNode | None,
    ran: NotebookNode,
    changed: bool,
) -> CheckedCell:
    if cell is None:
        results = [
            check.failed("its check cell is missing from the notebook")
            for check in checks
        ]
        return CheckedCell(name, 0.0, 0.0, results, changed)
    results = judge(checks, cell, RunMetadata.of(ran).stopped, quote=True)
    points = float(cell.metadata.nbgrader.points)
    return CheckedCell(name, score(results, points), points, results, changed)
