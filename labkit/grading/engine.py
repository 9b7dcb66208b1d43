"""Grade a course: plan the submissions, run them side by side, record them one by one."""

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.warnings import DuplicateCellId, MissingIDFieldWarning
from nbgrader.api import Gradebook, SubmittedAssignment
from nbgrader.utils import find_all_files
from sqlalchemy.exc import SAWarning
from traitlets.config import Config

from labkit.course import Course
from labkit.errors import LabkitError
from labkit.execution.grading_data import submission_environment
from labkit.execution.job import Job, keep, kept, read_files, run_job, stored_run
from labkit.execution.keys import submission_key
from labkit.execution.memory_gate import MemoryGate
from labkit.grading.gradebook.api import (
    generate_assignment,
    nbgrader_api,
    schema_taken_as_right,
)
from labkit.grading.gradebook.database import (
    automatic_points,
    back_up,
    one_engine,
    only_grader,
    prepare_gradebook,
    require_gradebook,
)
from labkit.grading.pipeline.configuration import configure
from labkit.grading.pipeline.parts import RunSubmission, TakeRun
from labkit.grading.plan import (
    Record,
    Records,
    Submission,
    content_key,
    lab_cells,
    plan,
    prepare,
    prepared_folder,
)
from labkit.labs import reference_run
from labkit.labs.lab import find_labs
from labkit.labs.source import write_source
from labkit.machine.cores import cores
from labkit.sandbox.confinement import strength

Runner = Callable[[Job], str]


@dataclass(frozen=True)
class Grade:
    """A graded submission; `reason` says why it could not be read (its score is then 0)."""

    student: str
    lab: str
    score: float
    max_score: float
    late_seconds: float = 0.0
    needs_manual: bool = False
    reason: str = ""


class Progress:
    """What a caller may show while a course is graded. This one shows nothing."""

    def announce(self, text: str) -> None:
        """A step without a known length begins."""

    def start(self, total: int, unchanged: int) -> None:
        """`total` submissions are graded now; `unchanged` ones are graded already."""

    def running(self, submission: Submission) -> None:
        """A submission begins to run."""

    def done(self, submission: Submission, reason: str) -> None:
        """A submission is in the gradebook; `reason` says why it could not be read."""


@dataclass(frozen=True)
class Options:
    """How a course is graded.

    `jobs` notebooks run side by side (None: as many as there are cores and memory for),
    by `runner`. `force` grades also what is graded and has not changed.
    """

    jobs: int | None = None
    force: bool = False
    require_confinement: bool = False
    runner: Runner = run_job
    progress: Progress = field(default_factory=Progress)


def grade(
    course: Course,
    labs: list[str] | None = None,
    students: Iterable[str] = (),
    options: Options | None = None,
) -> list[Grade]:
    """Grade the submissions of a course into its gradebook and return their scores.

    A submission that cannot be read scores 0 with a reason; the others are graded. What
    is graded and has not changed stays as it is: a run that was killed goes on where it
    stopped. Raises LabkitError where there is nothing to grade, where somebody else is
    grading, and where submissions cannot be confined as required.
    """
    options = options or Options()
    if options.require_confinement and not strength().full:
        raise LabkitError(
            f"Submissions cannot be confined here as required ({strength().name}): "
            f"{'; '.join(strength().missing)}. {strength().advice}"
        )
    with (
        only_grader(course.build),
        quiet_nbgrader(),
        one_engine(),
        schema_taken_as_right(),
    ):
        return _grade(course, labs, students, options)


@contextmanager
def quiet_nbgrader() -> Iterator[None]:
    """Without the warnings that nbgrader provokes on sound submissions."""
    with warnings.catch_warnings():
        # SQLAlchemy's advice on every new submission; nbformat's on cells without an
        # id of their own, which they get as they are sanitised.
        warnings.simplefilter("ignore", SAWarning)
        warnings.simplefilter("ignore", MissingIDFieldWarning)
        warnings.simplefilter("ignore", DuplicateCellId)
        yield


def _grade(
    course: Course, labs: list[str] | None, students: Iterable[str], options: Options
) -> list[Grade]:
    submissions = plan(course, labs, students)
    progress = options.progress
    prepare_gradebook(course)
    records = Records(course)
    keys = {
        path.stem: register(course, path, progress.announce)
        for path in find_labs(course.solutions, sorted({s.lab for s in submissions}))
    }
    wanted = {s: content_key(course, s, keys[s.lab]) for s in submissions}
    todo = [s for s in submissions if options.force or not records.holds(s, wanted[s])]
    if any(records.graded_before(submission) for submission in todo):
        back_up(course)
    progress.start(len(todo), len(submissions) - len(todo))
    writer = _Writer(course, records)
    problems: dict[Submission, str] = {}
    with MapStage(course, options) as stage:
        for run in stage.run(todo):
            if not run.problem:
                run.problem = writer.record(run.submission, wanted[run.submission], run)
            progress.done(run.submission, run.problem or run.reason)
            if run.problem:
                problems[run.submission] = run.problem
    return [
        replace(one, reason=problems.get(submission, one.reason))
        for submission, one in zip(
            submissions, read_grades(course, submissions), strict=True
        )
    ]


def register(course: Course, lab_path: Path, announce: Callable[[str], None]) -> str:
    """Enter a lab into the gradebook, and make its references ready; returns their key."""
    write_source(lab_path)
    found = reference_run.references(lab_path, course.build, course.seed, announce)
    registered = course.build / "registered" / f"{lab_path.stem}.txt"
    told = f"{course.gradebook_url} {found['key']}"
    known = registered.is_file() and registered.read_text("utf-8") == told
    if not (known and _is_known(course, lab_path.stem)):
        announce(f"{lab_path.stem}: into the gradebook")
        # nbgrader writes its release as it does so; the students' copy stays as it is.
        released = replace(course, notebooks=course.build / "released")
        generate_assignment(released, lab_path.stem)
        registered.parent.mkdir(parents=True, exist_ok=True)
        registered.write_text(told, "utf-8")
    return found["key"]


def _is_known(course: Course, lab: str) -> bool:
    with Gradebook(course.gradebook_url) as gradebook:
        return any(one.name == lab and one.notebooks for one in gradebook.assignments)


@dataclass
class Run:
    """A submission that has run, or the reason why it cannot be read and has not.

    `problem` is what went wrong on our side: it is not graded then, and the next run
    tries again.
    """

    submission: Submission
    reason: str = ""
    problem: str = ""


class MapStage:
    """Runs submissions side by side: each is read, put in order, and executed."""

    def __init__(self, course: Course, options: Options) -> None:
        self._course = course
        self._options = options
        self._config = _config(course)
        self._labs = lab_cells(course)
        self._told = submission_environment(course.build, course.seed)
        self._gate = MemoryGate()
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(options.jobs or cores())

    def __enter__(self) -> "MapStage":
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def run(self, submissions: list[Submission]) -> Iterator[Run]:
        """Yield each submission once it has run."""
        futures: dict[Future, Submission] = {
            self._pool.submit(self._run_one, one): one for one in submissions
        }
        for future in as_completed(futures):
            submission = futures.pop(future)
            error = future.exception()
            yield Run(submission, problem=_why(error)) if error else future.result()

    def _run_one(self, submission: Submission) -> Run:
        course, lab = self._course, submission.lab
        found = prepare(course, submission, self._labs)
        place = prepared_folder(course) / submission.student / lab
        notebook = sanitise(course, self._config, submission.student, lab)
        key = submission_key(course.seed, place, course.solutions / lab)
        stored = stored_run(course.build, submission.student, lab, lab)
        known = notebook.metadata["labkit"]
        known["key"] = key
        if found.reason:
            known["stopped"] = found.reason
            keep(nbformat.writes(notebook), stored)
        elif self._options.force or kept(notebook, stored, key) is None:
            files = beside(course, self._config, lab, place)
            job = Job(nbformat.writes(notebook), files, self._told, course.limits)
            with self._gate.room_for_one(self._over):
                self._options.progress.running(submission)
                run = keep(self._options.runner(job), stored)
            self._gate.saw(run.metadata["labkit"]["peak_bytes"])
        return Run(submission, found.reason)


class _Writer:
    """The one who writes into the gradebook."""

    def __init__(self, course: Course, records: Records) -> None:
        self._course = course
        self._records = records
        config = _config(course)
        # The map stage has put it in order and run it.
        config.Autograde.sanitize_preprocessors = [TakeRun]
        config.Autograde.autograde_preprocessors.remove(RunSubmission)
        self._api = nbgrader_api(course, config)

    def record(self, submission: Submission, key: str, run: Run) -> str:
        """Let nbgrader score a submission that has run; returns why it could not."""
        answer = self._api.autograde(
            submission.lab, submission.student, force=True, create=True
        )
        if not answer["success"]:
            text = (answer.get("error") or answer.get("log") or "").strip()
            return text.splitlines()[-1] if text else "nbgrader could not grade it"
        points = automatic_points(self._course, submission.student, submission.lab)
        found = points.get((submission.student, submission.lab), 0.0)
        self._records.write(submission, Record(key, run.reason, found))
        return ""


def _config(course: Course) -> Config:
    """nbgrader's configuration on the submissions as they are laid out for it."""
    config = configure(Config(), course)
    config.CourseDirectory.submitted_directory = str(prepared_folder(course))
    config.CoursePart.submitted = str(prepared_folder(course))
    return config


def sanitise(course: Course, config: Config, student: str, lab: str) -> NotebookNode:
    """The submitted notebook after the repairs, as nbgrader's autograder runs it."""
    place = prepared_folder(course) / student / lab
    notebook = nbformat.read(place / f"{lab}.ipynb", as_version=4)
    resources = {
        "unique_key": lab,
        "metadata": {"path": str(place)},
        "nbgrader": {
            "student": student,
            "assignment": lab,
            "notebook": lab,
            "db_url": course.gradebook_url,
        },
    }
    for part in config.Autograde.sanitize_preprocessors:
        notebook, resources = part(config=config).preprocess(notebook, resources)
    return notebook


def beside(course: Course, config: Config, lab: str, place: Path) -> dict[str, bytes]:
    """What lies beside a submission as it runs: its own files, and the lab's over them."""
    source = course.solutions / lab
    ignored = [*config.CourseDirectory.ignore, "*.ipynb"]
    files = read_files(place)
    for name in find_all_files(str(source), ignored):
        files[str(Path(name).relative_to(source))] = Path(name).read_bytes()
    return files


def _why(error: BaseException) -> str:
    if isinstance(error, LabkitError):
        return str(error)
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0][:300] if first else ''}"


def read_grades(
    course: Course, submissions: Iterable[Submission] | None = None
) -> list[Grade]:
    """The scores that the gradebook holds, of all submissions or of those named."""
    require_gradebook(course)
    with Gradebook(course.gradebook_url) as gradebook:
        found = {
            (entry.student_id, entry.assignment.name): entry
            for entry in gradebook.db.query(SubmittedAssignment)
        }
        highest = {one.name: one.max_score for one in gradebook.assignments}
        wanted = (
            sorted(found)
            if submissions is None
            else [(one.student, one.lab) for one in submissions]
        )
        records = Records(course)
        return [
            _grade_of(course, records, student, lab, found.get((student, lab)), highest)
            for student, lab in wanted
        ]


def _grade_of(
    course: Course,
    records: Records,
    student: str,
    lab: str,
    entry: SubmittedAssignment | None,
    highest: dict[str, float],
) -> Grade:
    record = records.read(Submission(student, lab, course.submitted / student / lab))
    reason = record.reason if record else ""
    if entry is None:
        reason = reason or "it could not be graded. Type: labkit grade"
        return Grade(student, lab, 0.0, highest.get(lab, 0.0), reason=reason)
    return Grade(
        student,
        lab,
        entry.score,
        highest[lab],
        late_seconds=entry.total_seconds_late,
        needs_manual=entry.needs_manual_grade,
        reason=reason,
    )
