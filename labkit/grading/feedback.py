"""Feedback pages: one HTML file a student and lab, with scores, results and hints.

What is in a page comes from the gradebook and from the judged checks. No source of
a check cell and nothing that a student's code printed is.
"""

from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jinja2 import Environment, PackageLoader
from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry

from labkit.authoring import read_lab
from labkit.course import Course
from labkit.files import write_text
from labkit.grading.engine import Grade, read_grades


@dataclass
class CellFeedback:
    """One graded cell: its score (None: a person has not scored it yet) and its checks."""

    title: str
    score: float | None
    max_score: float
    checks: list[dict] = field(default_factory=list)
    comment: str = ""


@dataclass
class Page:
    """What one feedback page says."""

    student: str
    title: str
    score: float
    max_score: float
    waiting: float
    late: str
    cells: list[CellFeedback]


def write_feedback(course: Course, folder: Path | None = None) -> list[Path]:
    """Write `<folder>/<student>/<lab>.html` for all that is graded; returns the files."""
    folder = folder or course.feedback
    return [_write_page(course, grade, folder) for grade in read_grades(course)]


def _write_page(course: Course, grade: Grade, folder: Path) -> Path:
    target = folder / grade.student / f"{grade.lab}.html"
    write_text(target, _template().render(page=page(course, grade)))
    return target


def page(course: Course, grade: Grade) -> Page:
    """The feedback on one submission, from the gradebook and its autograded notebook."""
    cells = _cells(course, grade)
    waiting = sum(cell.max_score for cell in cells if cell.score is None)
    lab = course.solutions / grade.lab / f"{grade.lab}.py"
    title = read_lab(lab).title if lab.is_file() else grade.lab
    late = duration(grade.late_seconds) if grade.late_seconds > 0 else ""
    return Page(
        grade.student, title, grade.score, grade.max_score, waiting, late, cells
    )


def duration(seconds: float) -> str:
    """A span of time in words, in its largest unit."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds >= length:
            count = round(seconds / length)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return "0 seconds"


def _cells(course: Course, grade: Grade) -> list[CellFeedback]:
    judged = _judged_checks(
        course.autograded / grade.student / grade.lab / f"{grade.lab}.ipynb"
    )
    with Gradebook(course.gradebook_url) as gradebook:
        try:
            notebook = gradebook.find_submission_notebook(
                grade.lab, grade.lab, grade.student
            )
        except MissingEntry:
            return []
        comments = {c.name: c.comment or "" for c in notebook.comments}
        order = {
            cell.name: number
            for number, cell in enumerate(notebook.notebook.source_cells)
        }
        return [
            CellFeedback(
                title=_title(entry.name),
                score=None if entry.needs_manual_grade else entry.score,
                max_score=entry.max_score,
                checks=judged.get(entry.name, []),
                comment=comments.get(entry.name, ""),
            )
            for entry in sorted(
                notebook.grades, key=lambda entry: order.get(entry.name, 0)
            )
        ]


def _judged_checks(path: Path) -> dict[str, list[dict]]:
    if not path.is_file():
        return {}
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    return {
        cell.metadata.nbgrader.grade_id: cell.metadata.labkit.get("checks", [])
        for cell in notebook.cells
        if "labkit" in cell.metadata and "nbgrader" in cell.metadata
    }


def _title(grade_id: str) -> str:
    """`check-unit_norm` is shown as `unit_norm`, `manual-why_xor` as `why xor (in words)`."""
    role, _, key = grade_id.partition("-")
    if role == "manual":
        return f"{key.replace('_', ' ')} (in words)"
    return key if role == "check" else grade_id


def _template():
    environment = Environment(
        loader=PackageLoader("labkit.grading"), autoescape=True, trim_blocks=True
    )
    environment.filters["points"] = lambda value: f"{value:g}"
    return environment.get_template("feedback.html")
