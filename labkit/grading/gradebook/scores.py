"""The scores of a class as the gradebook has them, read in a few queries."""

from collections.abc import Iterable
from dataclasses import dataclass

from nbgrader.api import (
    Assignment,
    Gradebook,
    SubmittedAssignment,
)
from nbgrader.api import Student as GradebookStudent

from labkit.errors import LabkitError


@dataclass(frozen=True)
class Student:
    """A student of the gradebook; what is not known is empty."""

    id: str
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    lms_user_id: str = ""

    @property
    def sortable_name(self) -> str:
        """`Last, First`, or the id of a student without a name."""
        return ", ".join(filter(None, (self.last_name, self.first_name))) or self.id

    @property
    def label(self) -> str:
        """The name and the id, for messages."""
        name = self.sortable_name
        return name if name == self.id else f"{name} ({self.id})"


@dataclass(frozen=True)
class ClassScores:
    """Points by (student id, lab) after late penalties, and each lab's maximum.

    `waiting` holds the (student id, lab) with answers that no person has scored yet.
    """

    labs: dict[str, float]
    students: list[Student]
    points: dict[tuple[str, str], float]
    waiting: frozenset[tuple[str, str]] = frozenset()


def read_scores(
    gradebook: Gradebook, labs: Iterable[str] = (), students: Iterable[str] = ()
) -> ClassScores:
    """The scores of the labs and students named, or of all; raises LabkitError for unknown ones."""
    points_by_lab = dict(
        gradebook.db.query(Assignment.name, Assignment.max_score).order_by(
            Assignment.name
        )
    )
    people = _students(gradebook)
    labs = _known("lab", labs, list(points_by_lab))
    chosen = set(_known("student", students, [one.id for one in people]))
    points, waiting = _points(gradebook)
    return ClassScores(
        {lab: float(points_by_lab[lab]) for lab in labs},
        [one for one in people if one.id in chosen],
        {key: value for key, value in points.items() if key[1] in labs},
        frozenset(key for key in waiting if key[1] in labs),
    )


def _students(gradebook: Gradebook) -> list[Student]:
    columns = ("id", "first_name", "last_name", "email", "lms_user_id")
    rows = gradebook.db.query(
        *(getattr(GradebookStudent, name) for name in columns)
    ).order_by(GradebookStudent.id)
    return [Student(*(str(value or "") for value in row)) for row in rows]


def _points(gradebook: Gradebook) -> tuple[dict, set]:
    rows = gradebook.db.query(
        SubmittedAssignment.student_id,
        Assignment.name,
        SubmittedAssignment.score,
        SubmittedAssignment.late_submission_penalty,
        SubmittedAssignment.needs_manual_grade,
    ).join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
    points, waiting = {}, set()
    for student, lab, score, penalty, manual in rows:
        # As nbgrader's own exporter does: a penalty never takes more than there is.
        points[student, lab] = max(0.0, score - penalty)
        if manual:
            waiting.add((student, lab))
    return points, waiting


def _known(kind: str, named: Iterable[str], known: list[str]) -> list[str]:
    named = [str(name) for name in named]
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise LabkitError(
            f"The gradebook has no {kind} {', '.join(map(repr, unknown))}. "
            f"It has: {', '.join(known) or 'none'}. Type: labkit grade"
        )
    return [name for name in known if not named or name in named]
