"""Feedback pages: one HTML file a student and lab, with scores, results and hints.

What is in a page comes from the gradebook, from the judged checks and from what was
repaired. No source of a check cell and nothing that a student's code put out is.
"""

from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Comment as Remark
from nbgrader.api import Grade as Entry
from nbgrader.api import Gradebook, SubmittedNotebook

from labkit import pages
from labkit.checks.results import Result
from labkit.course import Course
from labkit.execution.run_metadata import RunMetadata
from labkit.grading.gradebook.database import require_gradebook
from labkit.grading.intake import Intake, LabCells
from labkit.grading.pipeline.visible_results import visible_results
from labkit.grading.submissions import (
    Submission,
    find_submissions,
    lab_cells,
    read_submission,
)
from labkit.labs.headings import exercise_title
from labkit.labs.lab import cell_id, grade_id, read_lab
from labkit.labs.names import names


@dataclass(frozen=True)
class Comment:
    """What a person wrote, and on which cell."""

    cell: str
    text: str


@dataclass
class CellFeedback:
    """One graded cell: its points and where they come from.

    `score` is None where a person has not scored it yet. `by_checks` is what the checks
    alone gave, where a person has given other points. `calls` names the exercises that
    this one uses and that are wrong themselves.
    """

    title: str
    score: float | None
    max_score: float
    results: list[Result] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    by_checks: float | None = None
    by_hand: bool = False
    again: bool = False
    extra: float = 0.0
    calls: list[str] = field(default_factory=list)

    @property
    def says_more_at_home(self) -> bool:
        """Whether a check failed that a student can run, and see values that are not here."""
        return any(not (result.passed or result.hidden) for result in self.results)


@dataclass
class Page:
    """What one feedback page says.

    `score` is after the late penalty; `late` is in seconds. `reason` says why a submission could not be
    graded; `stopped` why its run ended early.
    """

    student: str
    title: str
    max_score: float
    score: float = 0.0
    late: float = 0.0
    penalty: float = 0.0
    reason: str = ""
    stopped: str = ""
    repairs: list[str] = field(default_factory=list)
    cells: list[CellFeedback] = field(default_factory=list)

    @property
    def share(self) -> float:
        """The share of the points that were reached, 0 to 1."""
        return min(1.0, self.score / self.max_score) if self.max_score else 0.0

    @property
    def waiting(self) -> list[CellFeedback]:
        """The cells that a person has not scored yet."""
        return [cell for cell in self.cells if cell.score is None]


def write_feedback(course: Course, folder: Path | None = None) -> list[Path]:
    """Write `<folder>/<student>/<lab>.html` for each submission; returns the files.

    One that cannot be read gets a page that says why. One that is not graded yet gets
    none. Raises LabkitError where there is no gradebook.
    """
    folder = folder or course.feedback
    require_gradebook(course)
    written = []
    known = lab_cells(course)
    handed_in = {(one.student, one.lab): one for one in find_submissions(course, known)}
    with Gradebook(course.gradebook_url) as gradebook:
        for student, lab in _submissions(gradebook, handed_in, known):
            target = folder / student / f"{lab}.html"
            one = handed_in.get((student, lab))
            # Nothing is said of how it was read where it is not here.
            taken = read_submission(one, known) if one else Intake()
            found = page(course, gradebook, student, lab, taken)
            pages.write(target, "feedback.html", page=found)
            written.append(target)
    return written


def _submissions(
    gradebook: Gradebook,
    handed_in: dict[tuple[str, str], Submission],
    known: dict[str, LabCells],
) -> list[tuple[str, str]]:
    """Those in the gradebook, and those of its labs that could not be read."""
    labs = {assignment.name for assignment in gradebook.assignments}
    graded = {
        (submission.student.id, assignment.name)
        for assignment in gradebook.assignments
        for submission in assignment.submissions
    }
    unread = {
        key
        for key, one in handed_in.items()
        if one.lab in labs and key not in graded and read_submission(one, known).reason
    }
    return sorted(graded | unread) if labs else []


def page(
    course: Course,
    gradebook: Gradebook,
    student: str,
    lab: str,
    taken: Intake,
) -> Page:
    """The feedback on one submission, from the gradebook and its autograded notebook.

    `taken` says how it was read.
    """
    source = course.lab(lab)
    title = read_lab(source).title if source.is_file() else lab
    max_score = gradebook.find_assignment(lab).max_score
    graded = course.autograded_notebook(student, lab)
    reason = taken.reason
    if reason or not graded.is_file():
        reason = reason or "Something went wrong on our side. Ask your teacher."
        return Page(student, title, max_score, reason=reason)
    submission = gradebook.find_submission(lab, student)
    notebook = nbformat.read(graded, as_version=4)
    run = RunMetadata.of(notebook)
    penalty = submission.late_submission_penalty or 0.0
    return Page(
        student,
        title,
        max_score,
        score=max(0.0, submission.score - penalty),
        late=submission.total_seconds_late,
        penalty=penalty,
        stopped=run.stopped,
        repairs=list(dict.fromkeys([*taken.notes, *run.repairs])),
        cells=_cells(gradebook.find_submission_notebook(lab, lab, student), notebook),
    )


def _cells(submitted: SubmittedNotebook, notebook: NotebookNode) -> list[CellFeedback]:
    """The graded cells in the lab's order; a comment stands with the points it is about."""
    stopped = RunMetadata.of(notebook).stopped
    results = {
        grade_id(cell): visible_results(cell, stopped) for cell in notebook.cells
    }
    wrong = {name for name, told in results.items() if not all(r.passed for r in told)}
    calls = _wrong_calls(notebook, wrong)
    entries = {entry.name: entry for entry in submitted.grades}
    comments = {one.name: one for one in submitted.comments}
    found, waiting = [], []
    for source in submitted.notebook.source_cells:
        waiting += _comments(comments.get(source.name), source.name in entries)
        if source.name in entries:
            cell = _cell(entries[source.name], results.get(source.name, []))
            cell.calls = calls.get(source.name, [])
            cell.comments, waiting = waiting, []
            found.append(cell)
    if found:
        found[-1].comments += waiting
    return found


def _wrong_calls(
    notebook: NotebookNode, wrong: set[str | None]
) -> dict[str, list[str]]:
    """For each wrong check cell the wrong exercises before it that its exercise uses."""
    calls: dict[str, list[str]] = {}
    before: list[str] = []
    for cell in notebook.cells:
        exercise = grade_id(cell)
        if cell.cell_type != "code" or exercise is None:
            continue
        check = cell_id("check", exercise)
        if check in wrong:
            used = names(cell.source).used
            calls[check] = [one for one in before if one in used]
            before.append(exercise)
    return calls


def _comments(comment: Remark | None, graded: bool) -> list[Comment]:
    if comment is None:
        return []
    if comment.manual_comment:
        return [Comment(exercise_title(comment.name), comment.manual_comment)]
    # nbgrader's own remark on an untouched cell; on code, the checks say it better.
    if comment.auto_comment and graded:
        return [
            Comment(exercise_title(comment.name), "There is no answer in this cell.")
        ]
    return []


def _cell(entry: Entry, results: list[Result]) -> CellFeedback:
    by_hand = entry.manual_score is not None
    scored = by_hand or entry.auto_score is not None
    return CellFeedback(
        exercise_title(entry.name),
        score=entry.score if scored else None,
        max_score=entry.max_score,
        results=results,
        by_checks=entry.auto_score if by_hand else None,
        by_hand=by_hand,
        again=by_hand and entry.needs_manual_grade,
        extra=entry.extra_credit or 0.0,
    )
