"""A class of made-up students, from the solutions and their usual mistakes.

It shows what grading does, and it is what the grader is tested on.
"""

from dataclasses import dataclass
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

DUE = datetime(2030, 1, 15, 12, 0, tzinfo=timezone.utc)
LATE_BY = timedelta(days=2)


@dataclass(frozen=True)
class MistakenStudent:
    """A student who solved a lab but for one usual mistake."""

    student: str
    lab: str
    exercise: str
    mistake: str


# One student a kind of mistake.
MISTAKEN = (
    MistakenStudent("overflow", "01_neuron", "sigmoid", "overflows"),
    MistakenStudent(
        "forgotten_factor", "01_neuron", "squared_error", "forgets_the_half"
    ),
    MistakenStudent("wrong_sign", "01_neuron", "update", "climbs"),
    MistakenStudent("changed_input", "01_neuron", "update", "changes_w_in_place"),
    MistakenStudent(
        "off_by_one", "02_convolution", "output_size", "forgets_the_first_place"
    ),
    MistakenStudent(
        "rotated_kernel", "02_convolution", "convolve", "rotates_the_kernel"
    ),
    MistakenStudent(
        "forgotten_biases", "02_convolution", "shared_parameters", "without_the_biases"
    ),
    MistakenStudent("ignored_stride", "03_pooling", "pool", "ignores_the_stride"),
    MistakenStudent("zero_padding", "03_pooling", "pool", "pads_with_zeros"),
    MistakenStudent(
        "wrong_axis", "04_mnist_softmax", "softmax", "sums_down_the_columns"
    ),
    MistakenStudent("wrong_layout", "05_cifar10_cnn", "to_images", "plain_reshape"),
    MistakenStudent(
        "own_statistics", "05_cifar10_cnn", "standardise", "each_set_by_its_own"
    ),
    MistakenStudent(
        "swapped_axes", "06_simpsons_kaggle", "confusion", "swaps_rows_and_columns"
    ),
)


def write_class(course: Course, released: Path) -> list[str]:
    """Write the sample class into `course.submitted`; returns the students' names.

    `released` holds the released notebooks, one folder a lab. The due date that makes
    one student late goes into the gradebook.
    """
    labs = {path.stem: read_lab(path) for path in find_labs(course.solutions)}
    blanks = {
        name: nbformat.read(released / name / f"{name}.ipynb", as_version=4)
        for name in labs
    }
    for name, lab in labs.items():
        solved = solve(blanks[name], lab)
        _hand_in(course, "perfect", name, solved)
        _hand_in(course, "blank", name, blanks[name])
        _hand_in(course, "half_way", name, solve(blanks[name], lab, fraction=0.5))
    first, second, *_ = labs
    _hand_in(course, "late", first, solve(blanks[first], labs[first]), at=DUE + LATE_BY)
    _hand_in(
        course,
        "misses_a_cell",
        second,
        _without_a_check(solve(blanks[second], labs[second])),
    )
    for one in MISTAKEN:
        lab, blank = labs[one.lab], blanks[one.lab]
        _hand_in(
            course,
            one.student,
            one.lab,
            mistake(solve(blank, lab), lab, one.exercise, one.mistake),
        )
    _set_due_date(course, list(labs))
    return sorted({student for student, _ in course.submissions()})


def _without_a_check(notebook: NotebookNode) -> NotebookNode:
    """The notebook of a student who deleted a check cell."""
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
    folder = course.submitted / student / lab
    write_text(folder / f"{lab}.ipynb", nbformat.writes(notebook) + "\n")
    write_text(folder / "timestamp.txt", f"{at:%Y-%m-%d %H:%M:%S} UTC")


def _set_due_date(course: Course, labs: list[str]) -> None:
    prepare_gradebook(course)
    with Gradebook(course.gradebook_url) as gradebook:
        for lab in labs:
            gradebook.update_or_create_assignment(lab, duedate=DUE.replace(tzinfo=None))
