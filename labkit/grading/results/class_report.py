"""The class at a glance: what was handed in, the scores, and what was not understood.

`class_report` computes it from the gradebook and from the judged checks in the autograded
notebooks; `report_page` shows it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from nbgrader.api import (
    Assignment,
    BaseCell,
    Grade,
    Gradebook,
    Notebook,
    SubmittedAssignment,
    SubmittedNotebook,
)

from labkit.checks.results import Result
from labkit.course import Course
from labkit.execution.run_metadata import CellMetadata
from labkit.grading.gradebook.database import require_gradebook
from labkit.grading.gradebook.scores import ClassScores, read_scores
from labkit.grading.intake import LabCells
from labkit.grading.plan import Records
from labkit.grading.submissions import find_submissions, read_submission
from labkit.labs.headings import exercise_title
from labkit.labs.lab import read_lab

BINS = 10
# What a check says of an exercise that is as released, or whose name stands nowhere.
NOT_TRIED = re.compile(r"not written yet|`\w+` is not defined")


@dataclass(frozen=True)
class Exercise:
    """How a class did in one graded cell; counts are submissions, `lost` is points in all.

    `waiting` answers have no score yet and count nowhere else.
    """

    lab: str
    title: str
    max_score: float
    right: int
    partly: int
    wrong: int
    not_tried: int
    waiting: int
    lost: float

    @property
    def scored(self) -> int:
        return self.right + self.partly + self.wrong + self.not_tried

    @property
    def lost_share(self) -> float:
        """The share of the points that were lost, 0 to 1."""
        possible = self.scored * self.max_score
        return self.lost / possible if possible else 0.0


@dataclass(frozen=True)
class FailedCheck:
    """A check, and how many of the submissions failed it."""

    lab: str
    exercise: str
    name: str
    hidden: bool
    failed: int
    judged: int


@dataclass(frozen=True)
class GivenHint:
    """A hint, and how many submissions got it."""

    lab: str
    exercise: str
    text: str
    given: int


@dataclass(frozen=True)
class Ungraded:
    """A submission that is not in the gradebook, and why."""

    student: str
    reason: str


@dataclass(frozen=True)
class LabReport:
    """One lab: its scores in points after late penalties, and what needs a look."""

    name: str
    title: str
    max_score: float
    scores: tuple[float, ...]
    late: int
    waiting: int
    ungraded: tuple[Ungraded, ...]
    exercises: tuple[Exercise, ...]

    @property
    def handed_in(self) -> int:
        return len(self.scores) + len(self.ungraded)

    def quartiles(self) -> tuple[float, float, float]:
        """The lower quartile, the median and the upper quartile in points; 0 without scores."""
        if not self.scores:
            return (0.0, 0.0, 0.0)
        low, middle, high = np.percentile(self.scores, [25, 50, 75])
        return float(low), float(middle), float(high)

    def histogram(self) -> list[int]:
        """How many scores are in each tenth of the points, the full score in the last."""
        counts, _ = np.histogram(
            self.scores, bins=BINS, range=(0, max(self.max_score, 1e-9))
        )
        return [int(count) for count in counts]


@dataclass(frozen=True)
class ClassReport:
    """A class: its labs, then exercises, checks and hints, those that cost most first."""

    students: int
    labs: tuple[LabReport, ...]
    exercises: tuple[Exercise, ...]
    checks: tuple[FailedCheck, ...]
    hints: tuple[GivenHint, ...]

    @property
    def graded(self) -> int:
        return sum(len(lab.scores) for lab in self.labs)


@dataclass
class _Judged:
    """What the notebooks of a class say: counts of (lab, cell id, name of a check, hidden),
    of (lab, cell id, hint), and (student, lab, cell id).
    """

    failed: Counter[tuple[str, str, str, bool]] = field(default_factory=Counter)
    judged: Counter[tuple[str, str, str, bool]] = field(default_factory=Counter)
    hints: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    # Those of whom every check of the cell says that nothing is there.
    not_tried: set[tuple[str, str, str]] = field(default_factory=set)


class _CellScore(NamedTuple):
    """A submission's points for one cell. Untouched is an answer in words as released."""

    student: str
    score: float
    possible: float
    waiting: bool
    untouched: bool


def class_report(course: Course) -> ClassReport:
    """The report on all that is graded; raises LabkitError where there is no gradebook.

    Each autograded notebook is read once, and none is kept.
    """
    require_gradebook(course)
    with Gradebook(course.gradebook_url) as gradebook:
        scores = read_scores(gradebook)
        late = _late(gradebook)
        cells = _cell_scores(gradebook)
        known = {
            one.name: dict.fromkeys(_source_names(one)) for one in gradebook.assignments
        }
    ungraded = _ungraded(course, scores, known)
    # Those that could not be read have their zero, and say nothing of an exercise.
    unread = {(one.student, lab) for lab, found in ungraded.items() for one in found}
    scores = _without(scores, unread)
    judged = _count(course, scores.points)
    exercises = _exercises(cells, judged.not_tried, unread)
    labs = tuple(
        LabReport(
            lab,
            _lab_title(course, lab),
            points,
            tuple(value for (_, of), value in scores.points.items() if of == lab),
            late[lab],
            sum(of == lab for _, of in scores.waiting),
            tuple(ungraded[lab]),
            tuple(one for one in exercises if one.lab == lab),
        )
        for lab, points in scores.labs.items()
    )
    return ClassReport(
        len(scores.students),
        labs,
        tuple(sorted(exercises, key=lambda one: -one.lost)),
        _failed_checks(judged),
        _given_hints(judged),
    )


def judged_cells(notebook: Path) -> Iterator[tuple[str, tuple[Result, ...]]]:
    """The judged checks in an autograded notebook, by the id of their cell.

    Its own JSON reading, not nbformat's: that validates megabytes of pictures.
    """
    for cell in json.loads(notebook.read_bytes())["cells"]:
        checks = CellMetadata.of(cell).checks
        if checks and "nbgrader" in cell["metadata"]:
            yield cell["metadata"]["nbgrader"]["grade_id"], checks


def _count(course: Course, submissions: Iterable[tuple[str, str]]) -> _Judged:
    found = _Judged()
    for student, lab in submissions:
        path = course.autograded_notebook(student, lab)
        if path.is_file():
            for cell, checks in judged_cells(path):
                _count_cell(found, student, lab, cell, checks)
    return found


def _count_cell(
    found: _Judged, student: str, lab: str, cell: str, checks: tuple[Result, ...]
) -> None:
    for check in checks:
        key = (lab, cell, check.name, check.hidden)
        found.judged[key] += 1
        found.failed[key] += not check.passed
    certain = {one.hint for one in checks if one.hint and one.certain}
    found.hints.update((lab, cell, hint) for hint in certain)
    if all(NOT_TRIED.match(check.message) for check in checks):
        found.not_tried.add((student, lab, cell))


def _cell_scores(gradebook: Gradebook) -> dict[tuple[str, str], list[_CellScore]]:
    """The points of each submission, by (lab, cell)."""
    rows = (
        gradebook.db.query(
            SubmittedAssignment.student_id,
            Assignment.name,
            BaseCell.name,
            Grade.score,
            Grade.max_score,
            Grade.needs_manual_grade,
            # nbgrader gives an answer in words that was not touched 0 points by itself.
            (Grade.cell_type == "markdown") & Grade.manual_score.is_(None),
        )
        .select_from(Grade)
        .join(BaseCell, Grade.cell_id == BaseCell.id)
        .join(SubmittedNotebook, Grade.notebook_id == SubmittedNotebook.id)
        .join(
            SubmittedAssignment,
            SubmittedNotebook.assignment_id == SubmittedAssignment.id,
        )
        .join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
    )
    found: dict[tuple[str, str], list[_CellScore]] = {
        key: [] for key in _cell_order(gradebook)
    }
    for student, lab, cell, *score in rows:
        found.setdefault((lab, cell), []).append(_CellScore(student, *score))
    return found


def _cell_order(gradebook: Gradebook) -> list[tuple[str, str]]:
    """The graded cells of every lab, as they stand in its notebook."""
    return [
        (assignment.name, cell.name)
        for assignment in gradebook.assignments
        for notebook in assignment.notebooks
        for cell in _in_order(notebook)
    ]


def _in_order(notebook: Notebook) -> list[BaseCell]:
    order = {cell.name: number for number, cell in enumerate(notebook.source_cells)}
    graded = [*notebook.grade_cells, *notebook.task_cells]
    return sorted(graded, key=lambda cell: order.get(cell.name, 0))


def _without(scores: ClassScores, unread: set[tuple[str, str]]) -> ClassScores:
    points = {key: value for key, value in scores.points.items() if key not in unread}
    return replace(scores, points=points, waiting=scores.waiting - unread)


def _exercises(
    cells: dict[tuple[str, str], list[_CellScore]],
    not_tried: set[tuple[str, str, str]],
    unread: set[tuple[str, str]],
) -> list[Exercise]:
    found = []
    for (lab, cell), rows in cells.items():
        kinds: Counter[str] = Counter()
        lost = 0.0
        rows = [row for row in rows if (row.student, lab) not in unread]
        for row in rows:
            if row.waiting:
                kinds["waiting"] += 1
                continue
            lost += max(0.0, row.possible - row.score)
            nothing = row.untouched or (row.student, lab, cell) in not_tried
            kinds[_kind(row.score, row.possible, nothing)] += 1
        if rows:
            found.append(
                Exercise(
                    lab,
                    exercise_title(cell),
                    max_score=rows[0].possible,
                    right=kinds["right"],
                    partly=kinds["partly"],
                    wrong=kinds["wrong"],
                    not_tried=kinds["not tried"],
                    waiting=kinds["waiting"],
                    lost=lost,
                )
            )
    return found


def _kind(score: float, possible: float, not_tried: bool) -> str:
    if score >= possible:
        return "right"
    if score > 0:
        return "partly"
    return "not tried" if not_tried else "wrong"


def _failed_checks(judged: _Judged) -> tuple[FailedCheck, ...]:
    return tuple(
        FailedCheck(lab, exercise_title(cell), name, hidden, count, judged.judged[key])
        for key, count in judged.failed.most_common()
        for lab, cell, name, hidden in [key]
        if count
    )


def _given_hints(judged: _Judged) -> tuple[GivenHint, ...]:
    return tuple(
        GivenHint(lab, exercise_title(cell), text, count)
        for (lab, cell, text), count in judged.hints.most_common()
    )


def _late(gradebook: Gradebook) -> Counter[str]:
    """How many submissions of each lab came after their due date and extension."""
    late: Counter[str] = Counter()
    rows = gradebook.db.query(
        Assignment.name,
        Assignment.duedate,
        SubmittedAssignment.timestamp,
        SubmittedAssignment.extension,
    ).join(Assignment, SubmittedAssignment.assignment_id == Assignment.id)
    for lab, due, handed_in, extension in rows:
        if due and handed_in:
            late[lab] += handed_in > (due + extension if extension else due)
    return late


def _source_names(assignment: Assignment) -> set[str]:
    return {
        cell.name for notebook in assignment.notebooks for cell in notebook.source_cells
    }


def _ungraded(
    course: Course, scores: ClassScores, known: Mapping[str, LabCells]
) -> dict[str, list[Ungraded]]:
    found = defaultdict(list)
    records = Records(course)
    for one in find_submissions(course, scores.labs):
        record = records.read(one)
        if record is not None and record.reason:
            found[one.lab].append(Ungraded(one.student, record.reason))
        elif (one.student, one.lab) not in scores.points:
            taken = read_submission(one, known)
            reason = taken.reason or "not graded yet. Type: labkit grade"
            found[one.lab].append(Ungraded(one.student, reason))
    return found


def _lab_title(course: Course, lab: str) -> str:
    path = course.lab(lab)
    return read_lab(path).title if path.is_file() else lab
