"""Grade a course: plan the submissions, run them side by side, record them one by one."""

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import nbformat
from nbformat.warnings import MissingIDFieldWarning
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.utils import find_all_files
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from labkit.authoring import find_labs
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.grading import reference
from labkit.grading.execute import executed, submission_key
from labkit.grading.nbgrader_api import generate_assignment, nbgrader_api
from labkit.grading.nbgrader_parts import stored_run, write_source
from labkit.grading.withheld import submission_environment


@dataclass(frozen=True)
class Grade:
    """A graded submission; `reason` says why it could not be graded (its score is then 0)."""

    student: str
    lab: str
    score: float
    max_score: float
    late_seconds: float = 0.0
    needs_manual: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Submission:
    """A submitted folder and where its notebook should be."""

    student: str
    lab: str
    folder: Path

    @property
    def notebook(self) -> Path:
        return self.folder / f"{self.lab}.ipynb"


class Progress:
    """What a caller may show while a course is graded. This one shows nothing."""

    def announce(self, text: str) -> None:
        """A step without a known length begins."""

    def start(self, what: str, total: int) -> None:
        """A step of `total` submissions begins."""

    def done(self, submission: Submission) -> None:
        """A submission of the step is done."""


def grade(
    course: Course,
    labs: list[str] | None = None,
    students: Iterable[str] = (),
    *,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> list[Grade]:
    """Grade the submissions of a course into its gradebook and return their scores.

    A submission that cannot be graded scores 0 with a reason; the others are graded. What
    ran already and has not changed is not run again.
    """
    with warnings.catch_warnings():
        # nbgrader provokes SQLAlchemy's advice on every new submission, and puts
        # deleted cells back without an id (NameRestoredCells gives it).
        warnings.simplefilter("ignore", SAWarning)
        warnings.simplefilter("ignore", MissingIDFieldWarning)
        return _grade(course, labs, students, jobs, progress or Progress())


def _grade(
    course: Course,
    labs: list[str] | None,
    students: Iterable[str],
    jobs: int | None,
    progress: Progress,
) -> list[Grade]:
    submissions = plan(course, labs, students)
    lab_paths = find_labs(course.solutions, sorted({s.lab for s in submissions}))
    for path in lab_paths:
        register(course, path, progress.announce)
    progress.start("run", len(submissions))
    reasons = run_all(course, submissions, jobs or os.cpu_count() or 1, progress.done)
    progress.start("record", len(submissions))
    grades = []
    api = nbgrader_api(course)
    for submission in submissions:
        reason = reasons.get(submission, "") or _autograde(api, submission)
        grades.append(read_grade(course, submission, reason))
        progress.done(submission)
    return grades


def plan(
    course: Course, labs: list[str] | None, students: Iterable[str]
) -> list[Submission]:
    """The submissions to grade; raises LabkitError where there are none."""
    known = {path.stem for path in find_labs(course.solutions)}
    chosen = (
        {path.stem for path in find_labs(course.solutions, labs)} if labs else known
    )
    unknown = set(students) - {student for student, _ in course.submissions()}
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
    return [Submission(s, lab, course.submitted / s / lab) for s, lab in found]


def register(course: Course, lab_path: Path, announce: Callable[[str], None]) -> None:
    """Enter a lab into the gradebook, and make its references ready."""
    write_source(lab_path)
    reference.references(lab_path, course.build, course.seed, announce)
    announce(f"{lab_path.stem}: into the gradebook")
    # nbgrader writes its release as it does so; the students' copy stays as it is.
    generate_assignment(
        replace(course, notebooks=course.build / "released"), lab_path.stem
    )


def run_all(
    course: Course,
    submissions: list[Submission],
    jobs: int,
    done: Callable[[Submission], None],
) -> dict[Submission, str]:
    """Run the submissions, `jobs` at a time; returns the reasons of those that cannot be."""
    reasons = {}
    config = course.configure(Config())
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        futures = {pool.submit(_run_one, course, config, s): s for s in submissions}
        try:
            for future in as_completed(futures):
                submission = futures[future]
                error = future.exception()
                if error is not None:
                    reasons[submission] = _reason(submission, error)
                done(submission)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return reasons


def _run_one(course: Course, config: Config, submission: Submission) -> None:
    key = submission_key(
        course.seed, submission.folder, course.solutions / submission.lab
    )
    stored = stored_run(
        course.build, submission.student, submission.lab, submission.lab
    )
    notebook = sanitise(course, config, submission)
    with tempfile.TemporaryDirectory(prefix="labkit-files-") as scratch:
        place = Path(scratch, submission.lab)
        shutil.copytree(
            submission.folder, place, ignore=shutil.ignore_patterns("*.ipynb")
        )
        _add_source_files(course, config, submission.lab, place)
        told = submission_environment(course.build, course.seed)
        executed(notebook, place, stored, key, told)


def sanitise(course: Course, config: Config, submission: Submission):
    """The submitted notebook after nbgrader's own repairs, as its autograder runs it."""
    if not submission.notebook.is_file():
        raise LabkitError(f"no file {submission.notebook.name} in {submission.folder}")
    notebook = nbformat.read(submission.notebook, as_version=4)
    resources = {
        "unique_key": submission.lab,
        "metadata": {"path": str(submission.folder)},
        "nbgrader": {
            "student": submission.student,
            "assignment": submission.lab,
            "notebook": submission.lab,
            "db_url": course.gradebook_url,
        },
    }
    for part in config.Autograde.sanitize_preprocessors:
        notebook, resources = part(config=config).preprocess(notebook, resources)
    return notebook


def _add_source_files(course: Course, config: Config, lab: str, place: Path) -> None:
    """What nbgrader copies beside a submission before it runs it: the lab's own files."""
    source = course.solutions / lab
    for name in find_all_files(
        str(source), [*config.CourseDirectory.ignore, "*.ipynb"]
    ):
        target = place / Path(name).relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(name, target)


def _autograde(api, submission: Submission) -> str:
    """Let nbgrader score a submission whose run is stored; returns why it could not."""
    answer = api.autograde(submission.lab, submission.student, force=True, create=True)
    if answer["success"]:
        return ""
    text = (answer.get("error") or answer.get("log") or "").strip()
    return text.splitlines()[-1] if text else "nbgrader could not grade it"


def _reason(submission: Submission, error: BaseException) -> str:
    if isinstance(error, LabkitError):
        return str(error)
    first = str(error).strip().splitlines()
    return f"{submission.notebook.name}: {type(error).__name__}: {first[0][:300] if first else ''}"


def read_grade(course: Course, submission: Submission, reason: str = "") -> Grade:
    """The score of a submission as the gradebook has it."""
    with Gradebook(course.gradebook_url) as gradebook:
        assignment = gradebook.find_assignment(submission.lab)
        try:
            entry = gradebook.find_submission(submission.lab, submission.student)
        except MissingEntry:
            return Grade(
                submission.student,
                submission.lab,
                0.0,
                assignment.max_score,
                reason=reason,
            )
        return Grade(
            submission.student,
            submission.lab,
            0.0 if reason else entry.score,
            assignment.max_score,
            late_seconds=entry.total_seconds_late,
            needs_manual=entry.needs_manual_grade,
            reason=reason,
        )


def read_grades(course: Course) -> list[Grade]:
    """Every submission that the gradebook holds, by student and lab."""
    if not course.gradebook.is_file():
        raise LabkitError(f"No gradebook at {course.gradebook}. Type: labkit grade")
    with Gradebook(course.gradebook_url) as gradebook:
        found = [
            (submission.student.id, assignment.name)
            for assignment in gradebook.assignments
            for submission in assignment.submissions
        ]
    return [
        read_grade(course, Submission(s, lab, course.submitted / s / lab))
        for s, lab in sorted(found)
    ]
