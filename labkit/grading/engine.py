"""Grade a course: plan the submissions, run them side by side, record them one by one."""

import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from copy import deepcopy
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
from labkit.execution.execute import end_runs
from labkit.execution.grading_data import submission_environment
from labkit.execution.job import (
    Job,
    accompanying_files,
    cache_run,
    cached_run,
    cached_run_path,
    run_job,
    with_outputs,
)
from labkit.execution.keys import run_key
from labkit.execution.memory_gate import MemoryGate
from labkit.execution.run_metadata import RunMetadata
from labkit.files import write_text
from labkit.formatting import counted
from labkit.grading.gradebook.api import generate_assignment, nbgrader_api
from labkit.grading.gradebook.database import (
    automatic_points,
    back_up,
    due_dates,
    only_grader,
    prepare_gradebook,
    require_gradebook,
)
from labkit.grading.gradebook.patches import one_engine, schema_taken_as_right
from labkit.grading.pipeline.configuration import configure, own_settings
from labkit.grading.plan import (
    Record,
    Records,
    grade_key,
    plan,
    prepare,
    prepared_place,
)
from labkit.grading.progress import Progress
from labkit.grading.submissions import Submission, lab_cells
from labkit.labs.lab import find_labs
from labkit.labs.reference_run import lab_references, prepare_references
from labkit.labs.rescues import with_rescues
from labkit.labs.source import write_source
from labkit.machine.cores import cores

Runner = Callable[[Job], str]


@dataclass(frozen=True)
class Grade:
    """A graded submission; `reason` says why it could not be read (its score is then 0).

    A late penalty is taken off its score.
    """

    student: str
    lab: str
    score: float
    max_score: float
    late_seconds: float = 0.0
    needs_manual: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Options:
    """How a course is graded.

    `jobs` notebooks run side by side (None: as many as there are cores and memory for),
    by `runner`. `force` grades also what is graded and has not changed.
    """

    jobs: int | None = None
    force: bool = False
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
    stopped. Raises LabkitError where there is nothing to grade, and where somebody else is
    grading.
    """
    options = options or Options()
    with only_grader(course.build), fast_nbgrader():
        return _grade(course, labs, students, options)


@contextmanager
def fast_nbgrader() -> Iterator[None]:
    """Without what nbgrader does anew for each submission, and without its warnings."""
    with quiet_nbgrader(), one_engine(), schema_taken_as_right():
        yield


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
    settings = own_settings(course)
    course.create_seed()
    progress = options.progress
    prepare_gradebook(course)
    records = Records(course)
    labs_handed_in = find_labs(course.solutions, sorted({s.lab for s in submissions}))
    references = register(course, labs_handed_in, progress.announce)
    due = due_dates(course, ((s.student, s.lab) for s in submissions))
    keys = {
        s: grade_key(course, s, references[s.lab], due[s.student, s.lab])
        for s in submissions
    }
    todo = [s for s in submissions if options.force or not records.holds(s, keys[s])]
    if any(records.graded_before(submission) for submission in todo):
        back_up(course)
    progress.start(len(todo), len(submissions) - len(todo))
    recorder = _Recorder(course, records, settings)
    problems: dict[Submission, str] = {}
    with MapStage(course, options, settings) as stage:
        for outcome in stage.outcomes(todo):
            submission = outcome.submission
            problem = outcome.problem or recorder.record(outcome, keys[submission])
            progress.done(submission, problem or outcome.reason)
            if problem:
                problems[submission] = problem
    return [
        replace(one, reason=problems.get(submission, one.reason))
        for submission, one in zip(
            submissions, read_grades(course, submissions), strict=True
        )
    ]


def register(
    course: Course, lab_paths: list[Path], announce: Callable[[str], None]
) -> dict[str, str]:
    """Enter labs into the gradebook and make their references ready.

    Returns the keys of the references, by lab.
    """
    unready = prepare_references(lab_paths, course.build, course.seed, announce)
    if unready:
        raise LabkitError("\n".join(map(str, unready.values())))
    return {path.stem: _register(course, path, announce) for path in lab_paths}


def _register(course: Course, lab_path: Path, announce: Callable[[str], None]) -> str:
    write_source(lab_path)
    key = lab_references(lab_path, course.build, course.seed, announce).key
    registered = course.build / "registered" / f"{lab_path.stem}.txt"
    registration = f"{course.gradebook_url} {key}"
    known = registered.is_file() and registered.read_text("utf-8") == registration
    if not (known and _is_known(course, lab_path.stem)):
        announce(f"{lab_path.stem}: into the gradebook")
        # nbgrader writes its release as it does so; the students' copy stays as it is.
        released = replace(course, notebooks=_releases(course))
        generate_assignment(released, lab_path.stem)
        write_text(registered, registration)
    if difference := _unreleased(course, lab_path.stem):
        announce(f"{lab_path.stem}: {difference}")
    return key


def registered_release(course: Course, lab: str) -> Path:
    """The folder of nbgrader's release of a lab as it was entered into the gradebook."""
    return _releases(course) / lab


def _releases(course: Course) -> Path:
    return course.build / "released"


def _unreleased(course: Course, lab: str) -> str:
    """How the notebook that students have differs from the lab that is graded; "" if not."""
    given = course.released(lab)
    current = registered_release(course, lab) / given.name
    if not (given.is_file() and current.is_file()):
        return ""
    if _graded_part(given) == _graded_part(current):
        return ""
    before, now = (_points(path) for path in (given, current))
    other = [
        f"{name} is worth {counted(points, 'point')} instead of {before[name]:g}"
        for name, points in now.items()
        if before.get(name, points) != points
    ]
    return (
        f"{given} is not what {course.lab(lab)} gives now"
        f"{': ' if other else ''}{', '.join(other)}. "
        f"It is graded by the latter. For students to get it, type: labkit release {lab}"
    )


def _graded_part(notebook: Path) -> list[tuple[str, object]]:
    """The code of a notebook, and the cells that nbgrader knows, with what it knows.

    Other prose does not count: students' has badges, or is in another language.
    """
    return [
        (cell.source, cell.metadata.get("nbgrader"))
        for cell in nbformat.read(notebook, as_version=4).cells
        if cell.cell_type == "code" or "nbgrader" in cell.metadata
    ]


def _points(notebook: Path) -> dict[str, float]:
    """What the graded cells of a notebook are worth, by name."""
    return {
        cell.metadata.nbgrader.grade_id: cell.metadata.nbgrader.points
        for cell in nbformat.read(notebook, as_version=4).cells
        if "points" in cell.metadata.get("nbgrader", {})
    }


def _is_known(course: Course, lab: str) -> bool:
    with Gradebook(course.gradebook_url) as gradebook:
        return any(one.name == lab and one.notebooks for one in gradebook.assignments)


@dataclass(frozen=True)
class Outcome:
    """What became of a submission: `reason` says why it could not be read, if so.

    `problem` is what went wrong on our side: it is not graded then, and the next run
    tries again.
    """

    submission: Submission
    reason: str = ""
    problem: str = ""


class MapStage:
    """Runs submissions side by side: each is read, put in order, and executed."""

    def __init__(self, course: Course, options: Options, settings: Config) -> None:
        self._course = course
        self._options = options
        self._config = configure(deepcopy(settings), course, "map")
        self._labs = lab_cells(course)
        self._seed = course.seed
        self._environment = submission_environment(course.build, course.seed)
        self._limits = course.limits
        self._gate = MemoryGate()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._pool = ThreadPoolExecutor(options.jobs or cores())

    def __enter__(self) -> "MapStage":
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._pool.shutdown(wait=False, cancel_futures=True)
        end_runs()  # of an interrupted grading: the interpreter waits for its threads

    def outcomes(self, submissions: list[Submission]) -> Iterator[Outcome]:
        """Yield what became of each submission, once its run is cached."""
        futures: dict[Future[Outcome], Submission] = {
            self._pool.submit(self._map, one): one for one in submissions
        }
        for future in as_completed(futures):
            submission = futures.pop(future)
            error = future.exception()
            yield Outcome(submission, problem=_why(error)) if error else future.result()

    def _map(self, submission: Submission) -> Outcome:
        """Prepare, sanitise, and run a submission, unless its cached run is of its key."""
        taken = prepare(self._course, submission, self._labs)
        notebook = sanitised(self._course, self._config, submission)
        student, lab = submission.student, submission.lab
        path = cached_run_path(self._course.build, student, lab, lab)
        if taken.reason:
            replace(RunMetadata.of(notebook), stopped=taken.reason).write(notebook)
            # Without a key: it has not run, so no run of the same code may take it.
            cache_run(notebook, "", path)
            return Outcome(submission, taken.reason)
        beside = submission_files(self._course, self._config, submission)
        files = with_rescues(beside, self._course.lab(lab), notebook)
        key = run_key(self._seed, notebook, files)
        with self._alone(key):
            run = None if self._options.force else cached_run(key, path)
            if run is None:
                run = self._run(submission, notebook, files)
            cache_run(with_outputs(notebook, run), key, path)
        return Outcome(submission)

    def _alone(self, key: str) -> threading.Lock:
        """Held by the one who runs this code: whoever handed in the same takes its run."""
        with self._lock:
            return self._locks.setdefault(key, threading.Lock())

    def _run(
        self, submission: Submission, notebook: NotebookNode, files: dict[str, bytes]
    ) -> NotebookNode:
        """The executed notebook of a submission, as soon as there is memory for one more."""
        job = Job(nbformat.writes(notebook), files, self._environment, self._limits)
        with self._gate.room_for_one(self._over):
            if self._over.is_set():
                raise CancelledError
            self._options.progress.running(submission)
            run = nbformat.reads(self._options.runner(job), as_version=4)
        self._gate.saw(RunMetadata.of(run).peak_bytes)
        return run


class _Recorder:
    """The one who writes into the gradebook."""

    def __init__(self, course: Course, records: Records, settings: Config) -> None:
        self._course = course
        self._records = records
        config = configure(deepcopy(settings), course, "record")
        self._api = nbgrader_api(course, config)

    def record(self, outcome: Outcome, key: str) -> str:
        """Let nbgrader score a submission that has run; returns why it could not."""
        student, lab = outcome.submission.student, outcome.submission.lab
        answer = self._api.autograde(lab, student, force=True, create=True)
        if not answer["success"]:
            text = (answer.get("error") or answer.get("log") or "").strip()
            return text.splitlines()[-1] if text else "nbgrader could not grade it"
        points = automatic_points(self._course, student, lab).get((student, lab), 0.0)
        self._records.write(outcome.submission, Record(key, outcome.reason, points))
        return ""


def sanitised(course: Course, config: Config, submission: Submission) -> NotebookNode:
    """The prepared notebook of a submission after the repairs, ready to run.

    `config` is that of the map stage. Its parts are called here one after the other:
    nbconvert, which calls them for nbgrader, checks the whole notebook behind each.
    """
    place, lab = prepared_place(course, submission), submission.lab
    notebook = nbformat.read(place / f"{lab}.ipynb", as_version=4)
    resources = {
        "unique_key": lab,
        "metadata": {"path": str(place)},
        "nbgrader": {
            "student": submission.student,
            "assignment": lab,
            "notebook": lab,
            "db_url": course.gradebook_url,
        },
    }
    for part in config.Autograde.sanitize_preprocessors:
        notebook, resources = part(config=config).preprocess(notebook, resources)
    return notebook


def submission_files(
    course: Course, config: Config, submission: Submission
) -> dict[str, bytes]:
    """What lies beside a submission as it runs: its own files, and the lab's over them."""
    source = course.lab(submission.lab).parent
    ignored = [*config.CourseDirectory.ignore, "*.ipynb"]
    lab_files = {
        str(Path(name).relative_to(source)): Path(name).read_bytes()
        for name in find_all_files(str(source), ignored)
    }
    return {**accompanying_files(prepared_place(course, submission)), **lab_files}


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
    record = records.read(Submission(student, lab, course.submission(student, lab)))
    reason = record.reason if record else ""
    if entry is None:
        reason = reason or "it could not be graded. Type: labkit grade"
        return Grade(student, lab, 0.0, highest.get(lab, 0.0), reason=reason)
    return Grade(
        student,
        lab,
        max(0.0, entry.score - (entry.late_submission_penalty or 0.0)),
        highest[lab],
        late_seconds=entry.total_seconds_late,
        needs_manual=entry.needs_manual_grade,
        reason=reason,
    )
