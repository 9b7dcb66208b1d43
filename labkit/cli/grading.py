"""The instructor's commands: grade a class, and what comes out of it."""

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from labkit.cli.progress import GradingProgress
from labkit.cli.terminal import Labs, console, errors, examples, labelled, show
from labkit.formatting import counted

if TYPE_CHECKING:
    from labkit.course import Course
    from labkit.grading.engine import Grade

PANEL = "For instructors"
app = typer.Typer()
command = partial(app.command, rich_help_panel=PANEL)

GRADES_SHOWN = 60


@command(
    epilog=examples(
        "labkit grade",
        "labkit grade 02 --student alice --student bob",
        "labkit grade --jobs 4 --require-confinement",
        "labkit grade --cluster tcp://10.0.0.1:8786",
    )
)
def grade(
    labs: Labs = None,
    student: Annotated[
        list[str] | None, typer.Option(help="Only this student; may be given again.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Notebooks run side by side. Default: the cores."),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Grade also what is graded and has not changed."),
    ] = False,
    db: Annotated[
        str | None,
        typer.Option(help="The gradebook's address, as nbgrader takes it."),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            help="A Dask scheduler: run on its workers, such as tcp://a:8786."
        ),
    ] = None,
    require_confinement: Annotated[
        bool,
        typer.Option(
            "--require-confinement",
            help="Refuse where submissions cannot be shut off from what runs them.",
        ),
    ] = False,
) -> None:
    """Grade submitted/<student>/<lab>/ into the gradebook.

    What is graded and has not changed is left as it is: type the command again after an
    interruption, or after some students have handed in anew.
    """
    from labkit.course import Course
    from labkit.execution.execute import warm_up

    course = Course.here()
    if not cluster:
        # On another core, while what grades is imported.
        warm_up(_code(course, labs or [""]))
    if db:
        course = replace(course, database=db)
    runner = _runner(course, cluster, require_confinement)
    grades = _graded(course, labs, student or (), runner, jobs, force)
    _tell(course, grades, confined_here=not cluster)
    if any(one.reason for one in grades):
        raise typer.Exit(1)


def _code(course: "Course", labs: list[str]) -> str:
    """The text of the labs whose names begin so; what cannot be read is told later."""
    return "\n".join(
        path.read_text("utf-8", "ignore")
        for path in course.solutions.glob("*/*.py")
        if path.is_file() and path.stem.startswith(tuple(labs))
    )


def _graded(
    course: "Course",
    labs: list[str] | None,
    students: Iterable[str],
    runner: AbstractContextManager,
    jobs: int | None,
    force: bool,
) -> "list[Grade]":
    from labkit.grading.engine import Options
    from labkit.grading.engine import grade as grade_course

    with GradingProgress(console) as progress, runner as (run, slots):
        options = Options(jobs or slots, force, run, progress)
        return grade_course(course, labs, students, options)


def _tell(course: "Course", grades: "list[Grade]", confined_here: bool) -> None:
    """Write the report, and say on the terminal what stands in it."""
    from labkit.grading.results.class_report import class_report
    from labkit.grading.results.report_page import summary_tables, write_report
    from labkit.grading.submissions import misplaced_work, taken_elsewhere
    from labkit.sandbox.confinement import strength

    # First of all: who reads the rest through a pipe may close it at any line.
    report = class_report(course)
    write_report(report, course.build / "report.html")
    _print_grades(grades)
    for line in (*taken_elsewhere(course), *misplaced_work(course)):
        errors.print(line, style="yellow", markup=False, soft_wrap=True)
    for table in summary_tables(report):
        show(table)
    console.print(f"More in {os.path.relpath(course.build / 'report.html')}")
    if confined_here and not strength().full:
        open_to = strength().explanation
        console.print(labelled(f"confinement {strength().name}:", "yellow", open_to))


def _runner(course, cluster: str | None, confined: bool):
    """What runs a notebook, and how many at a time: here, or on a cluster's workers."""
    from labkit.execution.job import run_job
    from labkit.sandbox.confinement import require_full

    if not cluster:
        if confined:
            require_full()
        return nullcontext((run_job, None))
    from labkit.execution.cluster import cluster_runner

    return cluster_runner(cluster, course, confined)


def _print_grades(grades: list) -> None:
    """The scores: all where they fit on a screen or two, else those with a reason."""
    from rich.table import Table

    shown = grades if len(grades) <= GRADES_SHOWN else [g for g in grades if g.reason]
    table = Table("student", "lab", box=None)
    table.add_column("score", justify="right")
    table.add_column("of", justify="right")
    table.add_column("")
    for one in shown:
        notes = [one.reason] if one.reason else []
        notes += ["late"] if one.late_seconds > 0 else []
        notes += ["answers in words wait for a person"] if one.needs_manual else []
        score, highest = f"{one.score:g}", f"{one.max_score:g}"
        table.add_row(one.student, one.lab, score, highest, "; ".join(notes))
    if shown:
        show(table)
    if len(shown) < len(grades):
        console.print(
            f"{counted(len(grades), 'submission')} graded, {len(shown)} not readable."
        )


@command(epilog=examples("labkit feedback", "labkit feedback --out build/feedback"))
def feedback(
    out: Annotated[
        Path | None, typer.Option(help="Where the pages go. Default: feedback/.")
    ] = None,
) -> None:
    """Write one HTML page a student and lab: scores, checks, hints."""
    from labkit.course import Course
    from labkit.grading.results.feedback import write_feedback

    course = Course.here()
    pages = write_feedback(course, out)
    console.print(f"{counted(len(pages), 'page')} in {out or course.feedback}/")


@command(
    epilog=examples(
        "labkit export",
        "labkit export --format canvas --roster canvas-gradebook.csv",
        "labkit export 02 --format moodle --roster participants.csv --out grades.csv",
    )
)
def export(
    labs: Labs = None,
    form: Annotated[
        str, typer.Option("--format", help="csv, canvas or moodle.")
    ] = "csv",
    roster: Annotated[
        Path | None,
        typer.Option(
            help="What the system exported: Canvas's gradebook CSV, Moodle's "
            "participants CSV. Identifiers come from it."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file. Default: grades.csv or <format>.csv.")
    ] = None,
) -> None:
    """Write the scores, late penalties taken off, for a spreadsheet, Canvas or Moodle.

    A lab that was not handed in has no row in csv, an empty cell for Canvas and `-` for
    Moodle: no grade, so that the system's own rules for missing work apply. With its own
    gradebook file as roster, what Canvas has there stays, and who is excused.

    Who is in the gradebook or in the roster only is listed, with exit code 1. A name that
    a spreadsheet would run as a formula gets an apostrophe in front; identifiers are
    never changed.
    """
    from labkit.course import Course
    from labkit.grading.results.export import export_scores
    from labkit.labs.lab import find_labs

    course = Course.here()
    chosen = [path.stem for path in find_labs(course.solutions, labs)] if labs else ()
    done = export_scores(course, form, out, roster, chosen)
    console.print(f"{counted(done.rows, 'row')} in {done.path}")
    for line in done.messages():
        errors.print(line, style="yellow")
    if not done.complete:
        raise typer.Exit(1)


@command(epilog=examples("labkit report", "labkit report --out report.html"))
def report(
    out: Annotated[
        Path | None, typer.Option(help="The page. Default: build/report.html.")
    ] = None,
) -> None:
    """Write one page about the class: scores, and what was not understood."""
    from labkit.course import Course
    from labkit.grading.results.class_report import class_report
    from labkit.grading.results.report_page import summary_tables, write_report

    course = Course.here()
    found = class_report(course)
    for table in summary_tables(found):
        show(table)
    path = out or course.build / "report.html"
    write_report(found, path)
    console.print(f"The whole report: {os.path.relpath(path)}")


@command(epilog=examples("labkit similarity", "labkit similarity 02 --at-least 0.9"))
def similarity(
    lab: Annotated[
        str | None, typer.Argument(help="A lab by name or number. Default: all.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="The page. Default: build/similarity.html.")
    ] = None,
    at_least: Annotated[
        float, typer.Option(min=0, max=1, help="List pairs from this share on.")
    ] = 0.8,
) -> None:
    """List pairs of submissions with much code in common, side by side, to be looked at."""
    from labkit.course import Course
    from labkit.grading.results.similarity import compare_class, write_similarity

    course = Course.here()
    path = out or course.build / "similarity.html"
    with console.status("similarity") as status:
        found = compare_class(
            course,
            [lab] if lab else None,
            at_least,
            lambda text: status.update(Text(text)),
        )
        write_similarity(found, path)
    for one in found:
        console.print(one.text())
    console.print(f"Side by side: {os.path.relpath(path)}")
