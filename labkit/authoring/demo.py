"""The course once from end to end: release, run, a sample class, grades, reports."""

import json
import os
import shutil
import time
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from labkit import data, pages
from labkit.authoring import sample_class
from labkit.authoring.release import release
from labkit.authoring.run import Run, reference_solution_run, run_solution
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.grading.engine import Grade, Options, grade
from labkit.grading.progress import Progress
from labkit.grading.results.export import write_grades
from labkit.grading.results.feedback import write_feedback
from labkit.labs.lab import Lab, find_labs, read_lab

FACTS = "scores.json"


@dataclass
class Demo:
    """What the demo made: its folder, the files to open, the grades, the solutions' facts."""

    folder: Path
    files: list[Path]
    grades: list[Grade]
    runs: list[Run]
    for_seconds: bool  # whether the solutions trained for seconds only, as at grading
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def stand_in(self) -> bool:
        return any(fact.get("stand_in") for fact in self.facts.values())

    @property
    def data(self) -> str:
        """What the solutions ran on, in words."""
        if self.stand_in:
            return "on stand-in data" + (", trained for seconds" * self.for_seconds)
        return "on real data" if self.facts else "with no data set"


def run_demo(
    course: Course,
    folder: Path,
    progress: Progress,
    jobs: int | None = None,
    *,
    quick: bool = False,
) -> Demo:
    """Run the course once in `folder`, away from the course's own gradebook.

    The first lab is graded first, so that there is something to open while the rest
    runs. `quick` takes the labs before the first that trains a network. Where no data
    set is on this machine the solutions train for seconds, as at grading: minutes on the
    stand-ins would show no more.
    Raises LabkitError where a solution fails. Killed at any point, it may be started
    again: references and executed submissions are kept.
    """
    start = time.monotonic()
    # The demo never starts a download of hundreds of megabytes by itself.
    os.environ.setdefault("LABKIT_OFFLINE", "1")
    # Here and not in the course folder: a demo must not touch a real class's grades.
    place = Course(
        folder / "course",
        course.solutions,
        folder / "course" / "notebooks",
        course.build,
    )
    options = Options(jobs=jobs, progress=progress)
    labs = [read_lab(path) for path in find_labs(course.solutions)]
    if quick:
        labs = list(takewhile(lambda lab: not lab.run_seconds, labs)) or labs[:1]
    first, *others = [lab.name for lab in labs]

    progress.step("Grade a first lab")
    _forget_class(place)
    release(place, [first], announce=progress.announce)
    _grade_class(place, [first], options)
    write_feedback(place, folder / "feedback")
    progress.announce(f"A first page: {_first_page(folder, labs[0])}")

    progress.step(f"Release the other labs ({len(others)})")
    if others:
        release(place, others, announce=progress.announce)

    for_seconds = _trains_for_seconds()
    # Those have run by now, for the references: once is enough.
    progress.step("Show the solutions" if for_seconds else "Run the solutions")
    runs = [
        _run(lab, folder / "runs" / lab.name, course, for_seconds, progress)
        for lab in labs
    ]

    progress.step("Grade a sample class")
    grades = _grade_class(place, [first, *others], options)

    progress.step("Write the reports")
    write_grades(grades, folder / "grades.csv")
    write_feedback(place, folder / "feedback")
    pages = [folder / name for name in ("index.html", "grades.csv", "feedback")]
    shown = [folder / "runs" / lab.name / name for lab in labs for name in lab.shows]
    demo = Demo(folder, pages + shown, grades, runs, for_seconds, _facts(runs))
    demo.seconds = time.monotonic() - start
    _write_index(demo, labs)
    return demo


def _trains_for_seconds() -> bool:
    """Whether solutions train as at grading: on stand-ins, where nobody chose otherwise."""
    chosen = os.environ.get("LABKIT_PROFILE")
    return not chosen and not any(one.present for one in data.inventory())


def _run(
    lab: Lab, folder: Path, course: Course, for_seconds: bool, progress: Progress
) -> Run:
    shutil.rmtree(folder, ignore_errors=True)
    if for_seconds:
        run = reference_solution_run(lab.path, folder, course.build, course.seed)
    else:

        def cell(number: int, count: int, heading: str) -> None:
            progress.cell(lab.name, number, count, heading)

        run = run_solution(lab.path, folder, course.build, course.seed, cell)
        progress.ran(lab.name, run.seconds)
    if run.failed:
        raise LabkitError(f"The solution of {lab.name} failed: {'; '.join(run.failed)}")
    for name in lab.shows:
        if not (folder / name).is_file():
            raise LabkitError(
                f"{lab.path}: its header shows {name}, and its solution wrote no such "
                f"file. It wrote: {', '.join(file.name for file in run.files)}."
            )
    return run


def _forget_class(course: Course) -> None:
    """Take away a class from an earlier run, which may have had other students."""
    shutil.rmtree(course.submitted, ignore_errors=True)
    shutil.rmtree(course.autograded, ignore_errors=True)
    if course.gradebook_file:  # a demo's is always a file
        course.gradebook_file.unlink(missing_ok=True)
    course.root.mkdir(parents=True, exist_ok=True)


def _grade_class(course: Course, labs: list[str], options: Options) -> list[Grade]:
    sample_class.write_class(course, course.notebooks, labs)
    return grade(course, labs, options=options)


def _first_page(folder: Path, lab: Lab) -> str:
    """What a student reads who made a mistake in a lab, or who solved half of it."""
    student = next(iter(lab.sample_mistakes), "half_way")
    return os.path.relpath(folder / "feedback" / student / f"{lab.name}.html")


def _facts(runs: list[Run]) -> dict[str, dict[str, Any]]:
    """What each solution says of its results and its data, by lab."""
    found = {}
    for run in runs:
        path = run.folder / FACTS
        if path.is_file():
            found[run.lab] = json.loads(path.read_text("utf-8"))
    return found


def _write_index(demo: Demo, labs: list[Lab]) -> None:
    pages.write(
        demo.folder / "index.html",
        "demo.html",
        demo=demo,
        labs=labs,
        students=_by_student(demo.grades),
        fact=_fact_text,
    )


def _by_student(grades: list[Grade]) -> dict[str, dict[str, Grade]]:
    table: dict[str, dict[str, Grade]] = {}
    for one in grades:
        table.setdefault(one.student, {})[one.lab] = one
    return table


def _fact_text(name: str, value: object) -> str:
    """An accuracy as a percentage, another number plainly."""
    if isinstance(value, float) and "accuracy" in name:
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
