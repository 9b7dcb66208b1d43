"""A class's competition as its course is laid out: the leaderboard, the points, the reports."""

import contextlib
import glob
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from rich.progress import track

from labkit.course import Competition, Course
from labkit.errors import LabkitError
from labkit.grading.competition.leaderboard_page import write_leaderboard
from labkit.grading.competition.points import Entered, earned_points, enter_points
from labkit.grading.competition.pseudonyms import with_pseudonyms
from labkit.kaggle.evidence import RUN_FILE, Evidence
from labkit.kaggle.page import report
from labkit.kaggle.ranking import Leaderboard, leaderboard
from labkit.kaggle.scoring import Score, score
from labkit.labs.lab import find_labs, read_lab
from labkit.times import moment

SUBMISSION = "submission.csv"
Item = TypeVar("Item")


@dataclass(frozen=True)
class Contest:
    """A leaderboard, the files written, and the points entered, if they were asked for."""

    board: Leaderboard
    files: list[Path]
    points: Entered | None


@dataclass(frozen=True)
class Reports:
    """The pages written, and why others were not."""

    pages: list[Path]
    failed: list[str]


def run_contest(
    *,
    submissions: Path | None,
    truth: Path | None,
    public: float | None,
    deadline: str | None,
    per_day: int | None,
    pseudonyms: Path | None,
    enter: bool,
    out: Path | None,
) -> Contest:
    """Rank the submissions, write page and CSV, enter points; None comes from the course."""
    course = _course(needed=submissions is None or truth is None or enter)
    ends = moment(deadline) if deadline else None
    if truth is None and course and (named := course.settings.kaggle.truth):
        truth = course.settings_file.parent / named
    if truth is None:
        raise LabkitError(
            "No true classes. Give --truth FILE, or write into course.toml, below"
            ' [kaggle]: truth = "truth.csv"'
        )
    rules = _rules(course)
    given: dict[str, Any] = {
        "public": public,
        "deadline": ends,
        "per_day": per_day,
    }
    rules = rules.model_copy(update={k: v for k, v in given.items() if v is not None})
    own = f"{glob.escape(rules.lab)}/{rules.submissions}"
    board = leaderboard(
        submissions or _certain(course).submitted,
        truth,
        rules.public,
        deadline=rules.deadline,
        per_day=rules.per_day,
        pattern="*.csv" if submissions else own,
        progress=_progress,
    )
    # Points are by students' own names, and before the page shows others.
    points = None
    if enter:
        points = enter_points(_certain(course), rules, earned_points(board, rules))
    if pseudonyms:
        board = with_pseudonyms(board, pseudonyms)
    folder = out or (course.build if course else Path("build")) / "leaderboard"
    return Contest(board, write_leaderboard(board, folder), points)


def write_reports(
    runs: Sequence[Path] | None,
    truth: Path | None,
    public: float | None,
    out: Path | None,
) -> Reports:
    """Write a page for each run file, those named or the class's; a bad file stops no other."""
    course = _course(needed=not runs)
    lab = course.settings.kaggle.lab if course else ""
    if not runs:
        submitted = _certain(course).submitted
        runs = sorted(submitted.glob(f"*/{glob.escape(lab) or '*'}/{RUN_FILE}"))
        if not runs:
            place = f"{lab or '<lab>'}/{RUN_FILE}"
            raise LabkitError(
                f"No {submitted}/<student>/{place}. Name a file:"
                f" labkit kaggle report build/run/{place}"
            )
    folder = out or (course.build if course else Path("build")) / "teams"
    pages, failed = [], []
    for path in _progress(list(runs)):
        try:
            if path.is_symlink():
                raise LabkitError(f"{path}: not a plain file")
            evidence = Evidence.load(path)
            name = _team_of(path, lab)
            team, page = evidence.team or name, folder / f"{name}.html"
            pages.append(report(evidence, page, team, _handed_in(path, truth, public)))
        except LabkitError as error:
            failed.append(str(error))
    return Reports(pages, failed)


def _team_of(run: Path, lab: str) -> str:
    """Return whose run file this is: its folder's name, or the one above the lab's folder."""
    folder = run.resolve().parent
    in_a_lab = folder.name == lab if lab else re.match(r"\d\d_", folder.name)
    return folder.parent.name if in_a_lab else folder.name


def _handed_in(run: Path, truth: Path | None, public: float | None) -> Score | None:
    """Return the score of the submission beside a run, where both it and the truth are there."""
    submission = run.with_name(SUBMISSION)
    if truth is None or not submission.is_file() or submission.is_symlink():
        return None
    return score(submission, truth, public=public)


def _rules(course: Course | None) -> Competition:
    """What [kaggle] says; the lab is the one that shows a submission, if it names none."""
    rules = course.settings.kaggle if course else Competition()
    if course is None or rules.lab:
        return rules
    labs = [read_lab(path) for path in find_labs(course.solutions)]
    found = [lab.name for lab in labs if SUBMISSION in lab.shows]
    if len(found) != 1:
        raise LabkitError(
            f"{course.settings_file}: which lab is the competition's? Write below "
            f'[kaggle]: lab = "{(found or [labs[0].name])[0]}"'
        )
    return rules.model_copy(update={"lab": found[0]})


def _course(needed: bool) -> Course | None:
    with contextlib.nullcontext() if needed else contextlib.suppress(LabkitError):
        return Course.here()
    return None


def _certain(course: Course | None) -> Course:
    return course or Course.here()


def _progress(items: list[Item]) -> Iterable[Item]:
    """Show how far it is, where that takes long enough to look at."""
    return track(items, "reading", transient=True) if len(items) > 20 else items
