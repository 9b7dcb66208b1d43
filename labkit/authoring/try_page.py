"""The page of `labkit try`: all that an author wants to see of a lab before students do."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from labkit import pages
from labkit.authoring.gate import BLANK, CellTime
from labkit.authoring.release import make_labs, scratch_course
from labkit.authoring.try_lab import Tried
from labkit.checks.references import References
from labkit.course import Course
from labkit.grading.results.feedback import write_feedback
from labkit.labs.cells import mistake_functions
from labkit.labs.lab import Lab, LabError, cell_id, read_lab
from labkit.labs.reference_run import lab_references
from labkit.labs.workload import workload

PAGE = "index.html"


@dataclass(frozen=True)
class MistakeHint:
    """A usual mistake, the hint that a student gets for it, and the checks that catch it."""

    exercise: str
    name: str
    hint: str
    checks: list[str]


def write_try_page(
    course: Course,
    tried: Tried,
    folder: Path,
    announce: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write `folder`/index.html on a lab whose mutants were tried, and return it.

    The lab goes through the release gate for it: what it finds is told, and the times are
    those at grading. Beside it lies what somebody reads who hands in the blank lab.

    Raises LabError where no lab for students can be made of it.
    """
    path = course.lab(tried.lab)
    lab = read_lab(path)
    references = lab_references(path, course.build, course.seed)
    shutil.rmtree(folder, ignore_errors=True)
    with scratch_course(course) as scratch:
        made, faults = make_labs(scratch, [path], announce=announce)
        if not made:
            raise LabError("\n".join(faults))
        write_feedback(scratch, folder)
    page = folder / PAGE
    pages.write(
        page,
        "try.html",
        lab=lab,
        tried=tried,
        hints=mistake_hints(lab, references),
        faults=faults,
        times=_slowest(made[0].times),
        seconds=made[0].seconds,
        workload=workload(lab),
        blank=f"{BLANK}/{lab.name}.html",
    )
    return page


def mistake_hints(lab: Lab, references: References) -> list[MistakeHint]:
    """The usual mistakes of a lab, each with the hint that shows for it."""
    return [
        MistakeHint(
            exercise,
            name,
            hint,
            [
                check.name
                for check in references.cells[cell_id("check", exercise)]
                if name in check.caught
            ],
        )
        for cell in lab.cells("mistakes")
        for exercise in [cell.metadata["mistakes"]]
        for name, hint in mistake_functions(cell)
    ]


def _slowest(times: list[CellTime]) -> list[CellTime]:
    """The cells that take a tenth of a second or more at grading, the slowest first."""
    shown = [cell for cell in times if cell.seconds >= 0.1]
    return sorted(shown, key=lambda cell: -cell.seconds)
