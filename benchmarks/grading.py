"""Grading a class: `labkit grade` against plain, serial `nbgrader autograde`.

Both grade the same submissions, with the same checks. nbgrader executes them as it does
by itself: one after the other, in cold kernels. Printed are submissions a minute, their
ratio, the peak memory of all processes together, and whether all scores agree.

With `--busy 8` the class is graded by labkit alone, once on the idle machine and once
beside eight processes that compute without end: every score must stay the same.
"""

import copy
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import nbformat
import psutil
import typer

from labkit.authoring.release import release
from labkit.course import Course
from labkit.execution.execute import grading_environment
from labkit.execution.grading_data import submission_environment
from labkit.files import write_text
from labkit.grading.engine import read_grades
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import Lab, find_labs, mistake_functions, read_lab
from labkit.sandbox.processes import memory, tree

ROOT = Path(__file__).resolve().parents[1]
LIGHT = ("01", "02", "03")
LOOK_SECONDS = 0.5

# nbgrader's own execution, of all cells, in the place of ours; all else is as in a course.
PLAIN = """
from nbgrader.preprocessors import Execute
from labkit.grading.pipeline.parts import RunSubmission
from labkit.grading.pipeline.skipping import SkipUnneeded
c.Autograde.sanitize_preprocessors.remove(SkipUnneeded)
parts = c.Autograde.autograde_preprocessors
c.Autograde.autograde_preprocessors = [
    Execute if part is RunSubmission else part for part in parts
]
c.Execute.timeout = 600
"""
# Asking for a kernel, and until its first cell has imported Keras.
READY = """
import tempfile, time, nbformat
from labkit.course import Limits
from pathlib import Path
from labkit.execution.execute import execute, grading_environment, grading_policy
cell = nbformat.v4.new_code_cell("import keras")
times = []
for _ in range(6):
    with tempfile.TemporaryDirectory() as folder:
        notebook = nbformat.v4.new_notebook(cells=[cell])
        begun = time.perf_counter()
        execute(notebook, Path(folder), grading_environment(), policy=grading_policy({}, Limits()))
        times.append(time.perf_counter() - begun)
print(times)
"""


@dataclass
class Timing:
    """One grading of a class: how many, how long, the largest memory, and the scores."""

    submissions: int
    seconds: float
    peak: int
    scores: dict[tuple[str, str], float] = field(default_factory=dict)

    @property
    def per_minute(self) -> float:
        return 60 * self.submissions / self.seconds

    def line(self, what: str) -> str:
        return (
            f"{what:34} {self.submissions:5} submissions {self.seconds:8.1f} s "
            f"{self.per_minute:8.1f} a minute {self.peak / 2**30:6.2f} GiB"
        )


def main(
    students: Annotated[int, typer.Option(help="Students in the class.")] = 20,
    baseline: Annotated[
        int, typer.Option(help="How many of them nbgrader grades, 0 for all.")
    ] = 0,
    labs: Annotated[
        list[str] | None, typer.Option(help="Labs by number; default all.")
    ] = None,
    growth: Annotated[
        list[int] | None,
        typer.Option(help="Also grade classes of so many light submissions."),
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="As of labkit grade.")] = None,
    busy: Annotated[
        int, typer.Option(help="Only labkit, alone and beside so many busy processes.")
    ] = 0,
) -> None:
    """Measure, and print ratios."""
    os.environ.update(LABKIT_OFFLINE="1", LABKIT_SEED="benchmark", COLUMNS="200")
    programs = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", "")])
    with tempfile.TemporaryDirectory(prefix="labkit-benchmark-") as folder:
        print(f"ready with Keras imported: {_ready():.2f} s (median of 5, confined)")
        course = _new_course(Path(folder, "labs"), ROOT / "solutions", labs)
        names = [path.stem for path in find_labs(course.solutions)]
        if busy:
            _compare_busy(course, names, students, jobs, busy)
            return
        _compare(course, names, students, baseline or students, jobs)
        tiny = _new_course(Path(folder, "light"), ROOT / "tests" / "labs", None)
        for count in growth or []:
            _hand_in(tiny, [p.stem for p in find_labs(tiny.solutions)], count)
            timing = _by_labkit(tiny, jobs)
            print(timing.line(f"labkit grade, {count} light"), flush=True)
            _forget_grades(tiny)


def _ready() -> float:
    done = subprocess.run(
        [sys.executable, "-c", READY], check=True, capture_output=True, text=True
    )
    # The first one also starts the warm parent.
    return statistics.median(eval(done.stdout.splitlines()[-1])[1:])


def _compare(
    course: Course, labs: list[str], students: int, baseline: int, jobs: int | None
) -> None:
    """The light labs, then all: by nbgrader lab by lab and once, by labkit together."""
    light = [name for name in labs if name.startswith(LIGHT)]
    _hand_in(course, labs, baseline)
    plain = {lab: _by_nbgrader(course, lab) for lab in labs}
    for lab, timing in plain.items():
        print(timing.line(f"nbgrader autograde {lab}"), flush=True)
    for group in [light, labs] if 0 < len(light) < len(labs) else [labs]:
        _forget_grades(course)
        _hand_in(course, group, students)
        ours = _by_labkit(course, jobs)
        theirs = _sum([plain[lab] for lab in group])
        print(theirs.line("nbgrader autograde"))
        print(ours.line("labkit grade"))
        different = {
            key: (score, ours.scores[key])
            for key, score in theirs.scores.items()
            if ours.scores[key] != score
        }
        print(
            f"{group[0][:2]} to {group[-1][:2]}: "
            f"{ours.per_minute / theirs.per_minute:.1f} times as fast; "
            f"{len(theirs.scores) - len(different)} of {len(theirs.scores)} scores equal",
            flush=True,
        )
        for key, (score, our_score) in different.items():
            print(f"  {key}: nbgrader {score:g}, labkit {our_score:g}")
    _forget_grades(course)


def _compare_busy(
    course: Course, labs: list[str], students: int, jobs: int | None, busy: int
) -> None:
    """The same class on the idle machine and beside busy processes."""
    _hand_in(course, labs, students)
    alone = _by_labkit(course, jobs)
    print(alone.line("labkit grade, alone"), flush=True)
    _forget_grades(course)
    words = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(words) for _ in range(busy)]
    try:
        beside = _by_labkit(course, jobs)
    finally:
        for process in others:
            process.kill()
            process.wait()
    print(beside.line(f"labkit grade beside {busy} busy"))
    equal = [key for key, score in alone.scores.items() if beside.scores[key] == score]
    print(f"{len(equal)} of {len(alone.scores)} scores equal")
    for key in sorted(alone.scores.keys() - set(equal)):
        print(f"  {key}: alone {alone.scores[key]:g}, beside {beside.scores[key]:g}")


def _sum(timings: list[Timing]) -> Timing:
    """One after the other."""
    return Timing(
        sum(one.submissions for one in timings),
        sum(one.seconds for one in timings),
        max(one.peak for one in timings),
        {key: score for one in timings for key, score in one.scores.items()},
    )


def _new_course(root: Path, solutions: Path, labs: list[str] | None) -> Course:
    """A course folder of its own with the labs released."""
    root.mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", root)
    for path in find_labs(solutions, labs):
        ignored = shutil.ignore_patterns("*.ipynb")
        shutil.copytree(path.parent, root / "solutions" / path.stem, ignore=ignored)
    for page in solutions.glob("*.md"):  # the labs link to them
        shutil.copy(page, root / "solutions")
    course = Course.at(root)
    release(course)
    return course


def _hand_in(course: Course, labs: list[str], students: int) -> None:
    """A class in which everybody makes one usual mistake, most of them another one."""
    shutil.rmtree(course.submitted, ignore_errors=True)
    for name in labs:
        lab = read_lab(course.solutions / name / f"{name}.py")
        blank = course.notebooks / name / f"{name}.ipynb"
        solved = solve(nbformat.read(blank, as_version=4), lab)
        mistakes = _mistakes(lab)
        for number in range(students):
            notebook = copy.deepcopy(solved)
            if number and mistakes:
                notebook = mistake(solved, lab, *mistakes[number % len(mistakes)])
            place = course.submitted / f"student_{number:04}" / name / f"{name}.ipynb"
            write_text(place, nbformat.writes(notebook))


def _mistakes(lab: Lab) -> list[tuple[str, str]]:
    return [
        (cell.metadata["mistakes"], name)
        for cell in lab.cells("mistakes")
        for name, _ in mistake_functions(cell)
    ]


def _by_nbgrader(course: Course, lab: str) -> Timing:
    config = course.root / "nbgrader_config.py"
    own = config.read_text()
    config.write_text(own + PLAIN)
    submission = submission_environment(course.build, course.seed)
    environment = {**os.environ, **grading_environment(), **submission}
    environment["LABKIT_SEED"] = os.environ["LABKIT_SEED"]
    count = len(course.submissions([lab]))
    try:
        _run(course, "nbgrader", "generate_assignment", lab, "--force")
        command = ["nbgrader", "autograde", lab]
        seconds, peak = _measure(course, command, environment)
    finally:
        config.write_text(own)
    return Timing(count, seconds, peak, _scores(course, lab))


def _by_labkit(course: Course, jobs: int | None) -> Timing:
    count = len(course.submissions())
    options = ["--jobs", str(jobs)] if jobs else []
    seconds, peak = _measure(course, ["labkit", "grade", *options], dict(os.environ))
    return Timing(count, seconds, peak, _scores(course))


def _measure(
    course: Course, command: list[str], environment: dict[str, str]
) -> tuple[float, int]:
    """The seconds that a command takes, and the peak memory of all its processes."""
    begun = time.perf_counter()
    with (course.root / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command, cwd=course.root, env=environment, stdout=log, stderr=log
        )
    look = _Look(process.pid)
    look.start()
    code = process.wait()
    seconds, peak = time.perf_counter() - begun, look.end()
    if code:
        print((course.root / "log.txt").read_text()[-3000:])
        raise SystemExit(f"{' '.join(command)} ended with {code}")
    return seconds, peak


class _Look(threading.Thread):
    """Looks at the memory of a process and all below it."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._peak = 0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            if psutil.pid_exists(self._pid):
                limit = 2**62
                self._peak = max(self._peak, memory(tree(self._pid), limit))

    def end(self) -> int:
        self._over.set()
        self.join()
        return self._peak


def _run(course: Course, *words: str) -> None:
    subprocess.run(words, cwd=course.root, check=True, capture_output=True)


def _scores(course: Course, lab: str = "") -> dict[tuple[str, str], float]:
    return {
        (one.student, one.lab): one.score
        for one in read_grades(course)
        if lab in ("", one.lab)
    }


def _forget_grades(course: Course) -> None:
    """So that nothing of one run helps the next one."""
    for folder in (course.autograded, course.build / "executed"):
        shutil.rmtree(folder, ignore_errors=True)
    for file in course.root.glob("gradebook.db*"):
        file.unlink()


if __name__ == "__main__":
    typer.run(main)
