"""A class of made-up students, from the solutions and their usual mistakes.

It shows what grading does, and it is what the grader is tested on.
"""

import copy
from datetime import datetime, timedelta, timezone
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from labkit.course import Course
from labkit.files import write_text
from labkit.grading.gradebook.database import prepare_gradebook
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import find_labs, read_lab
from labkit.times import TIMESTAMP

DUE = datetime(2030, 1, 15, 12, 0, tzinfo=timezone.utc)
LATE_BY = timedelta(days=2)


def write_class(
    course: Course, released: Path, names: list[str] | None = None
) -> list[str]:
    """Write the sample class into `course.submitted`; returns the students' names.

    It hands in all labs, or those named.

    `released` holds the released notebooks, one folder a lab. Who makes a mistake is
    named after it. The due date that makes one student late goes into the gradebook.
    """
    every = [read_lab(path) for path in find_labs(course.solutions)]
    labs = {lab.name: lab for lab in every if names is None or lab.name in names}
    blanks = {
        name: nbformat.read(released / name / f"{name}.ipynb", as_version=4)
        for name in labs
    }
    solved = {name: solve(blanks[name], lab) for name, lab in labs.items()}
    for name, lab in labs.items():
        _hand_in(course, "perfect", name, solved[name])
        _hand_in(course, "blank", name, blanks[name])
        _hand_in(course, "half_way", name, solve(blanks[name], lab, fraction=0.5))
        for one in lab.sample_mistakes:
            wrong = mistake(solved[name], lab, lab.mistakes[one], one)
            _hand_in(course, one, name, wrong)
    first = next(iter(labs))
    _hand_in(course, "late", first, solved[first], at=DUE + LATE_BY)
    # In the second lab, or the only one; a lab of questions alone has no check to miss.
    checked = [lab.name for lab in every if lab.cells("check")]
    for name in labs.keys() & checked[:2][-1:]:
        _hand_in(course, "misses_a_cell", name, _without_a_check(solved[name]))
    _set_due_date(course, list(labs))
    return sorted({student for student, _ in course.submissions()})


def _without_a_check(notebook: NotebookNode) -> NotebookNode:
    """The notebook of a student who deleted a check cell."""
    notebook = copy.deepcopy(notebook)
    checks = [
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("locked")
    ]
    notebook.cells.remove(checks[len(checks) // 2])
    return notebook


def _hand_in(
    course: Course, student: str, lab: str, notebook: NotebookNode, at: datetime = DUE
) -> None:
    folder = course.submission(student, lab)
    write_text(folder / f"{lab}.ipynb", nbformat.writes(notebook) + "\n")
    write_text(folder / TIMESTAMP, f"{at:%Y-%m-%d %H:%M:%S} UTC")


def _set_due_date(course: Course, labs: list[str]) -> None:
    prepare_gradebook(course)
    with Gradebook(course.gradebook_url) as gradebook:
        for lab in labs:
            gradebook.update_or_create_assignment(lab, duedate=DUE.replace(tzinfo=None))
