"""Points by score: what the leaderboard's private scores earn, into nbgrader's gradebook."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.course import Competition, Course
from labkit.errors import LabkitError
from labkit.formatting import counted
from labkit.kaggle.ranking import Leaderboard

# Begins each comment of ours, so that a person's points are known and left alone.
MARK = "Leaderboard:"


@dataclass(frozen=True)
class Earned:
    """What one student's submissions earn, and why."""

    student: str
    points: float
    reason: str


@dataclass(frozen=True)
class Entered:
    """Points that are in the gradebook now, and students whose points were left alone."""

    entered: tuple[Earned, ...]
    left: tuple[tuple[str, str], ...]


def earned_points(board: Leaderboard, competition: Competition) -> list[Earned]:
    """Return each ranked student's points, by score alone; rank never decides."""
    if not competition.points:
        raise LabkitError(
            "No points are set. Write into course.toml, below [kaggle]:"
            " points = [[0.60, 1], [0.80, 2]]"
        )
    if not board.closed:
        raise LabkitError(
            f"The competition runs until {board.deadline:%Y-%m-%d %H:%M} UTC. Points are"
            " for private scores: enter them after that."
        )
    return [_earned(place.student, place.score, competition) for place in board.places]


def _earned(student: str, score: float, competition: Competition) -> Earned:
    points, least = competition.earned(score), competition.threshold(score)
    reached = "no threshold" if least is None else f"{least:.0%} or more"
    return Earned(student, points, f"{MARK} private score {score:.2%}, {reached}.")


def enter_points(
    course: Course, competition: Competition, earned: Iterable[Earned]
) -> Entered:
    """Enter points as the manual score of the competition's cell, with their reason.

    A score that a person gave is left alone. Raises LabkitError where the gradebook has no
    such lab or cell, or the cell has fewer points than a threshold earns.
    """
    from nbgrader.api import Gradebook, MissingEntry

    from labkit.grading.gradebook.database import require_gradebook

    require_gradebook(course)
    done, left = [], []
    with Gradebook(course.gradebook_url) as gradebook:
        name = _cell(gradebook, competition)
        for one in earned:
            where = (name, competition.lab, competition.lab, one.student)
            try:
                grade = gradebook.find_grade(*where)
            except MissingEntry:
                left.append((one.student, f"has not handed in {competition.lab}"))
                continue
            comment = gradebook.find_comment(*where)
            if _by_a_person(grade, comment):
                reason = (
                    f"has {counted(grade.manual_score, 'point')} that a person gave"
                )
                left.append((one.student, reason))
                continue
            grade.manual_score, grade.needs_manual_grade = one.points, False
            comment.manual_comment = one.reason
            done.append(one)
        gradebook.db.commit()
    return Entered(tuple(done), tuple(left))


def _by_a_person(grade, comment) -> bool:
    ours = (comment.manual_comment or "").startswith(MARK)
    return grade.manual_score is not None and not ours


def _cell(gradebook, competition: Competition) -> str:
    """Return the gradebook's name of the competition's cell, or say what is missing."""
    from nbgrader.api import MissingEntry

    name = f"manual-{competition.cell}"
    try:
        cell = gradebook.find_grade_cell(name, competition.lab, competition.lab)
    except MissingEntry:
        raise LabkitError(
            f"The gradebook has no manually graded cell {competition.cell!r} in"
            f" {competition.lab}. Type: labkit grade {shlex.quote(competition.lab)}"
        ) from None
    most = competition.points[-1][1]
    if cell.max_score < most:
        raise LabkitError(
            f"The cell {competition.cell!r} of {competition.lab} has"
            f" {counted(cell.max_score, 'point')}, the highest threshold earns {most:g}. Lower it in course.toml."
        )
    return name
