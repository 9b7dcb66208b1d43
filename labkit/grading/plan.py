"""What there is to grade: the submissions, what is new about them, and their notebooks."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat

from labkit.course import Course, one_spelling
from labkit.errors import LabkitError
from labkit.execution.keys import package_hash
from labkit.files import copy_files, file_hash, write_text
from labkit.grading.gradebook.database import automatic_points
from labkit.grading.intake import Intake, take_in
from labkit.labs.lab import find_labs, grade_id
from labkit.labs.source import write_source


@dataclass(frozen=True)
class Submission:
    """What a student handed in for a lab: a folder."""

    student: str
    lab: str
    folder: Path


@dataclass(frozen=True)
class Record:
    """That a submission is graded: by which key, why not better, and the checks' points."""

    key: str
    reason: str
    points: float


def plan(
    course: Course, labs: list[str] | None, students: Iterable[str]
) -> list[Submission]:
    """The submissions to look at; raises LabkitError where there are none."""
    known = {path.stem for path in find_labs(course.solutions)}
    chosen = (
        {path.stem for path in find_labs(course.solutions, labs)} if labs else known
    )
    students = list(students)
    known_students = {one_spelling(student) for student, _ in course.submissions()}
    unknown = [name for name in students if one_spelling(name) not in known_students]
    if unknown:
        raise LabkitError(
            f"No submissions of {', '.join(sorted(unknown))} in {course.submitted}."
        )
    found = course.submissions(chosen, students)
    if not found:
        raise LabkitError(
            f"No submissions in {course.submitted}. Put each notebook where nbgrader has it: "
            "submitted/<student>/<lab>/<lab>.ipynb."
        )
    return [Submission(s, lab, course.submission(s, lab)) for s, lab in found]


def lab_cells(course: Course) -> dict[str, set[str]]:
    """The names of the cells of each lab that nbgrader knows."""
    return {
        path.stem: {
            name
            for cell in nbformat.read(write_source(path), as_version=4).cells
            if (name := grade_id(cell)) is not None
        }
        for path in find_labs(course.solutions)
    }


def grade_key(course: Course, submission: Submission, references_key: str) -> str:
    """A hash of all that a grade depends on: change any of it, and it is graded anew.

    `references_key` is that of the lab's references. Links count by their names alone.
    """
    config = course.root / "nbgrader_config.py"
    settings = file_hash(config) if config.is_file() else ""
    known = f"{course.seed} {package_hash()} {references_key} {settings}"
    digest = hashlib.sha256(known.encode())
    for folder in (submission.folder, course.lab(submission.lab).parent):
        for path in sorted(folder.rglob("*")):
            digest.update(os.fsencode(path.relative_to(folder)))
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as stream:
                    while block := stream.read(2**20):
                        digest.update(block)
    return digest.hexdigest()[:32]


def prepared_folder(course: Course) -> Path:
    """Where submissions lie as nbgrader wants them: one notebook of the right name."""
    return course.build / "prepared"


def prepared_place(course: Course, submission: Submission) -> Path:
    """The folder of one submission as nbgrader wants it."""
    return prepared_folder(course) / submission.student / submission.lab


def prepare(
    course: Course, submission: Submission, labs: dict[str, set[str]]
) -> Intake:
    """Lay a submission out for nbgrader, repaired where it can be.

    One that cannot be read is laid out as an empty notebook: it then gets its zero, and
    its place in the gradebook, as any other.
    """
    found = take_in(submission.folder, submission.lab, labs)
    place = prepared_place(course, submission)
    shutil.rmtree(place, ignore_errors=True)
    copy_files(submission.folder, place, without={".ipynb"})
    notebook = found.notebook or nbformat.v4.new_notebook()
    write_text(place / f"{submission.lab}.ipynb", json.dumps(notebook))
    return found


class Records:
    """What has been graded, as far as the gradebook still agrees."""

    def __init__(self, course: Course) -> None:
        self._folder = course.build / "graded"
        self._notebook = course.autograded_notebook
        self._points = automatic_points(course)

    def read(self, submission: Submission) -> Record | None:
        """The record of a submission; None where there is none."""
        try:
            return Record(**json.loads(self._path(submission).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def holds(self, submission: Submission, key: str) -> bool:
        """Whether a submission of this key is graded, and the gradebook has it."""
        record = self.read(submission)
        student, lab = submission.student, submission.lab
        return (
            record is not None
            and record.key == key
            and self._points.get((student, lab)) == record.points
            and self._notebook(student, lab).is_file()
        )

    def graded_before(self, submission: Submission) -> bool:
        """Whether the gradebook has anything of a submission."""
        return (submission.student, submission.lab) in self._points

    def write(self, submission: Submission, record: Record) -> None:
        write_text(self._path(submission), json.dumps(asdict(record)))

    def _path(self, submission: Submission) -> Path:
        return self._folder / submission.lab / f"{submission.student}.json"
