"""What there is to grade: the submissions, what is new about them, and their notebooks."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import nbformat

from labkit.course import CONFIG_FILE, Course, one_spelling
from labkit.errors import LabkitError
from labkit.execution.keys import package_hash
from labkit.files import file_hash, own_files, write_text
from labkit.grading.gradebook.database import automatic_points
from labkit.grading.intake import Intake, LabCells
from labkit.grading.submissions import (
    Submission,
    find_submissions,
    is_linked,
    misplaced_work,
    no_submissions,
    read_submission,
    timestamp_fault,
)
from labkit.labs.lab import find_labs
from labkit.times import TIMESTAMP


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
    everybody = {one_spelling(one.student) for one in find_submissions(course)}
    unknown = [name for name in students if one_spelling(name) not in everybody]
    if unknown:
        raise LabkitError(
            f"No submissions of {', '.join(sorted(unknown))} in {course.submitted}."
        )
    found = find_submissions(course, chosen, students)
    if not found:
        raise LabkitError(
            "\n".join([no_submissions(course), *misplaced_work(course)[:10]])
        )
    return found


def grade_key(
    course: Course,
    submission: Submission,
    references_key: str,
    due: datetime | None,
) -> str:
    """A hash of all that a grade depends on: change any of it, and it is graded anew.

    `references_key` is that of the lab's references; late is what comes after `due`.
    Links do not count.
    """
    config = course.root / CONFIG_FILE
    settings = file_hash(config) if config.is_file() else ""
    known = f"{course.seed} {package_hash()} {references_key} {settings} {due}"
    digest = hashlib.sha256(known.encode())
    lab = course.lab(submission.lab).parent
    for folder, deep in ((submission.folder, submission.deep), (lab, True)):
        try:
            for path in own_files(folder, deep):
                digest.update(os.fsencode(path.relative_to(folder)))
                digest.update(file_hash(path).encode())
        except OSError as error:  # it is graded anew once all of it can be read
            digest.update(f"cannot be read: {error.errno}".encode())
    return digest.hexdigest()[:32]


def prepared_folder(course: Course) -> Path:
    """Where submissions lie as nbgrader wants them: one notebook of the right name."""
    return course.build / "prepared"


def prepared_place(course: Course, submission: Submission) -> Path:
    """The folder of one submission as nbgrader wants it."""
    return prepared_folder(course) / submission.student / submission.lab


def prepare(
    course: Course, submission: Submission, labs: Mapping[str, LabCells]
) -> Intake:
    """Lay a submission out for nbgrader, repaired where it can be.

    One that cannot be read is laid out as an empty notebook: it then gets its zero, and
    its place in the gradebook, as any other.
    """
    found = read_submission(submission, labs)
    place = prepared_place(course, submission)
    shutil.rmtree(place, ignore_errors=True)
    try:
        if not is_linked(submission.folder):
            _copy_beside(submission, place)
    except OSError:
        if not found.reason:
            raise
    notebook = found.notebook or nbformat.v4.new_notebook()
    write_text(place / f"{submission.lab}.ipynb", json.dumps(notebook))
    return found


def _copy_beside(submission: Submission, place: Path) -> None:
    """Copy what lies beside the notebook, but a time of handing in that is none."""
    untimely = timestamp_fault(submission.folder)
    for path in own_files(submission.folder, submission.deep):
        name = path.relative_to(submission.folder)
        if path.suffix == ".ipynb" or (untimely and name == Path(TIMESTAMP)):
            continue
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target, follow_symlinks=False)


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
