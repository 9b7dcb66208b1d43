"""The `labkit` command: each command parses, calls one function, prints."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from labkit.errors import LabkitError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="The CNN lab kit: run, release, check and grade the labs of the course.",
)
console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

# Typer names only the last of its errors; this is the class of all wrong usage.
UsageError = typer.BadParameter.__base__

Labs = Annotated[
    list[str] | None,
    typer.Argument(help="Labs by name or number, such as 02. Default: all."),
]


def main() -> None:
    """Run the command; wrong input is answered with one clear message and exit code 2."""
    try:
        # Not standalone: typer would answer wrong usage with a box of six lines.
        sys.exit(app(standalone_mode=False))
    except LabkitError as error:
        _refuse(str(error))
    except UsageError as error:
        if not error.format_message().strip():
            sys.exit(2)  # a bare `labkit` or `labkit data`: its help is shown already
        command = error.ctx.command_path if error.ctx else "labkit"
        _refuse(f"{error.format_message().rstrip('.')}. Type: {command} --help")
    except (KeyboardInterrupt, typer.Abort):
        errors.print("labkit: interrupted. Nothing is lost: the same command goes on.")
        sys.exit(130)


def _refuse(text: str) -> None:
    errors.print(f"[bold red]labkit:[/] {_escape(text)}")
    sys.exit(2)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _example(*lines: str) -> str:
    """A help text's examples, one a line."""
    return "[bold]Examples[/]\n\n" + "\n\n".join(f"  [cyan]{line}[/]" for line in lines)


@app.command(
    epilog=_example(
        "labkit release",
        "labkit release 02 05 --times",
        "labkit release --check",
    )
)
def release(
    labs: Labs = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; fail where notebooks/ is out of date."
        ),
    ] = False,
    times: Annotated[
        bool,
        typer.Option(
            "--times", help="Show the time of every cell, not of the slowest."
        ),
    ] = False,
) -> None:
    """Make the students' notebooks from solutions/, through the release gate."""
    from labkit.course import Course
    from labkit.release import release as make

    with console.status("release") as status:
        outcome = make(Course.here(), labs, check=check, announce=status.update)
    for done in outcome:
        state = ", ".join(done.changed) if done.changed else "unchanged"
        counts = (
            f"{done.checks} checks, {done.mistakes} mistakes, {done.seconds:.1f} s"
            if done.checks
            else ""
        )
        console.print(f"{done.lab:24} {counts:38} {state}")
        _print_times(done.times, times)
    if check and any(done.changed for done in outcome):
        errors.print("notebooks/ is not what solutions/ gives. Type: labkit release")
        raise typer.Exit(1)


def _print_times(cells: list, every: bool) -> None:
    """The seconds of each cell at grading, or of the slow ones that matter."""
    shown = cells if every else [cell for cell in cells if cell.seconds >= 1]
    if not every:
        shown = sorted(shown, key=lambda cell: -cell.seconds)[:3]
    for cell in shown:
        line = f"    {cell.seconds:6.1f} s  {cell.heading[:32]:32}  {cell.first_line}"
        console.print(_escape(line))


@app.command(
    epilog=_example(
        "labkit run 04",
        "labkit run 06 --out build/mine",
        "LABKIT_DATA=~/data labkit run 05",
    )
)
def run(
    lab: Annotated[str, typer.Argument(help="The lab, by name or number, such as 04.")],
    out: Annotated[
        Path | None, typer.Option(help="Where its files go. Default: build/run/<lab>/.")
    ] = None,
) -> None:
    """Execute a lab's solution and keep the files it writes."""
    from labkit.authoring import find_labs
    from labkit.course import Course
    from labkit.running import run_solution

    course = Course.here()
    path = find_labs(course.solutions, [lab])[0]
    folder = out or course.build / "run" / path.stem
    with CellProgress(path.stem) as progress:
        done = run_solution(path, folder, course.build, course.seed, progress.cell)
    for warning in done.warnings:
        console.print(f"[yellow]warning[/] {_escape(warning)}")
    for failure in done.failed:
        console.print(f"[red]failed[/] {_escape(failure)}")
    console.print(f"{done.lab}: {done.seconds:.0f} s; wrote {folder}/")
    for file in done.files:
        console.print(f"  {file.name}")
    if done.failed:
        raise typer.Exit(1)


@app.command(epilog=_example("labkit check work/01_neuron/01_neuron.ipynb"))
def check(
    notebook: Annotated[Path, typer.Argument(help="A notebook of yours.")],
) -> None:
    """Run a whole notebook in a fresh kernel, the way the grader will."""
    from labkit.running import check_notebook

    with CellProgress(notebook.stem) as progress:
        checked = check_notebook(notebook, progress.cell)
    for cell in checked:
        passed = sum(result.passed for result in cell.results)
        console.print(f"[bold]{cell.cell}[/]  {passed} of {len(cell.results)} checks")
        if cell.changed:
            console.print(
                "  [yellow]This check cell was changed. The grader puts the released one back.[/]"
            )
        for result in cell.results:
            console.print(
                f"  [{'green' if result.passed else 'red'}]{_escape(result.text())}[/]"
            )
    results = [result for cell in checked for result in cell.results]
    failed = sum(not result.passed for result in results)
    console.print(f"{len(results) - failed} of {len(results)} visible checks passed.")
    console.print(
        "At grading there are hidden checks too: other inputs to the same functions."
    )
    if failed:
        raise typer.Exit(1)


@app.command(
    epilog=_example(
        "labkit grade",
        "labkit grade 02 --student alice --student bob",
        "labkit grade --jobs 4",
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
    require_confinement: Annotated[
        bool,
        typer.Option(
            "--require-confinement",
            help="Refuse where submissions cannot be shut off from this machine.",
        ),
    ] = False,
) -> None:
    """Grade submitted/<student>/<lab>/ into the gradebook."""
    from labkit.course import Course
    from labkit.grading.engine import grade as grade_course
    from labkit.kernels.confinement import strength

    with GradingProgress() as progress:
        grades = grade_course(
            Course.here(),
            labs,
            student or (),
            jobs=jobs,
            progress=progress,
            require_confinement=require_confinement,
        )
    _print_grades(grades)
    if not strength().full:
        open_to = "; ".join(strength().missing)
        console.print(f"[yellow]confinement {strength().name}:[/] {_escape(open_to)}")
    if any(one.reason for one in grades):
        raise typer.Exit(1)


def _print_grades(grades: list) -> None:
    from rich.table import Table

    table = Table("student", "lab", box=None)
    table.add_column("score", justify="right")
    table.add_column("of", justify="right")
    table.add_column("")
    for one in grades:
        notes = [one.reason] if one.reason else []
        notes += ["late"] if one.late_seconds > 0 else []
        notes += ["answers in words wait for a person"] if one.needs_manual else []
        table.add_row(
            one.student,
            one.lab,
            f"{one.score:g}",
            f"{one.max_score:g}",
            _escape("; ".join(notes)),
        )
    console.print(table)


@app.command(epilog=_example("labkit feedback", "labkit feedback --out build/feedback"))
def feedback(
    out: Annotated[
        Path | None, typer.Option(help="Where the pages go. Default: feedback/.")
    ] = None,
) -> None:
    """Write one HTML page a student and lab: scores, checks, hints."""
    from labkit.course import Course
    from labkit.grading.feedback import write_feedback

    course = Course.here()
    pages = write_feedback(course, out)
    console.print(f"{len(pages)} pages in {out or course.feedback}/")


@app.command(
    epilog=_example(
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
    from labkit.authoring import find_labs
    from labkit.course import Course
    from labkit.grading.export import export_scores

    course = Course.here()
    chosen = [path.stem for path in find_labs(course.solutions, labs)] if labs else ()
    done = export_scores(course, form, out, roster, chosen)
    console.print(f"{done.rows} rows in {done.path}")
    for line in done.messages():
        errors.print(f"[yellow]{_escape(line)}[/]")
    if not done.complete:
        raise typer.Exit(1)


@app.command(epilog=_example("labkit report", "labkit report --out report.html"))
def report(
    out: Annotated[
        Path | None, typer.Option(help="The page. Default: build/report.html.")
    ] = None,
) -> None:
    """Write one page about the class: scores, and what was not understood."""
    from labkit.course import Course
    from labkit.grading.report import class_report, summary_tables, write_report

    course = Course.here()
    found = class_report(course)
    for table in summary_tables(found):
        console.print(table)
    path = out or course.build / "report.html"
    write_report(found, path)
    console.print(f"The whole report: {os.path.relpath(path)}")


@app.command(
    epilog=_example("labkit similarity", "labkit similarity 02 --at-least 0.9")
)
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
    from labkit.grading.similarity import compare_class, write_similarity

    course = Course.here()
    path = out or course.build / "similarity.html"
    with console.status("similarity") as status:
        found = compare_class(course, [lab] if lab else None, at_least, status.update)
        write_similarity(found, path)
    for one in found:
        console.print(_escape(one.text()))
    console.print(f"Side by side: {os.path.relpath(path)}")


@app.command(
    epilog=_example("labkit demo", "LABKIT_DATA=~/data labkit demo --out build/real")
)
def demo(
    out: Annotated[
        Path | None, typer.Option(help="Where everything goes. Default: build/demo/.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Notebooks run side by side. Default: the cores."),
    ] = None,
) -> None:
    """Run the course once: release, solutions, a sample class, grades, reports."""
    from labkit.course import Course
    from labkit.demo import run_demo
    from labkit.grading.feedback import duration

    course = Course.here()
    with GradingProgress() as progress:
        done = run_demo(
            course, (out or course.build / "demo").resolve(), progress, jobs
        )
    console.print(
        f"Done in {duration(done.seconds)}, {'on stand-in data' if done.stand_in else 'on real data'}. Open:"
    )
    for file in done.files:
        console.print(f"  {os.path.relpath(file)}{'/' if file.is_dir() else ''}")


@app.command(epilog=_example("labkit doctor"))
def doctor() -> None:
    """Say what is installed, what Keras runs on, which data are here, and what to type."""
    from labkit.doctor import examine

    short = []
    with console.status("looking (Keras takes a few seconds to start)"):
        for finding in examine():
            mark = (
                "[green]✓[/]"
                if finding.good
                else "[red]✗[/]"
                if finding.needed
                else "[yellow]![/]"
            )
            console.print(f"{mark} {finding.topic:20} {_escape(finding.found)}")
            if finding.advice:
                console.print(f"  {'':20} {_escape(finding.advice)}")
            short += [finding] if finding.needed and not finding.good else []
    if short:
        raise typer.Exit(1)


@app.command(
    epilog=_example("labkit lab", "labkit lab --dir ~/cnn --no-browser --port 8890")
)
def lab(
    folder: Annotated[Path, typer.Option("--dir", help="Your working folder.")] = Path(
        "work"
    ),
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8888,
) -> None:
    """Open JupyterLab on your copy of the labs, at the start page."""
    from labkit.course import Course
    from labkit.lab import copy_labs, lab_command, lab_environment

    new = copy_labs(Course.here().notebooks, folder)
    console.print(
        f"{new} new files in {folder}/. What is there already is never overwritten."
    )
    command = lab_command(folder, browser=browser, port=port)
    os.execve(command[0], command, lab_environment())


data_app = typer.Typer(
    no_args_is_help=True, help="The data sets: what is here, fetch it, verify it."
)
app.add_typer(data_app, name="data")


@data_app.command("list", epilog=_example("labkit data list"))
def data_list() -> None:
    """Show every data set and whether it is on this machine."""
    from rich.table import Table

    from labkit import data

    table = Table("data set", "what", "where", box=None)
    table.add_column("MB", justify="right")
    table.add_column("licence")
    for one in data.inventory():
        where = one.present or f"absent (stand-in: {one.stand_in})"
        table.add_row(
            one.name,
            one.title,
            _escape(where),
            f"{one.size / 1e6:.0f}" if one.size else "",
            one.licence,
        )
    console.print(table)


@data_app.command(
    "fetch",
    epilog=_example("labkit data fetch mnist", "labkit data fetch cifar10 --to ~/data"),
)
def data_fetch(
    name: Annotated[str, typer.Argument(help="The data set, such as mnist.")],
    to: Annotated[
        Path | None,
        typer.Option(help="A folder to use as LABKIT_DATA. Default: the cache."),
    ] = None,
) -> None:
    """Download a data set's official files, verified; an interrupted download goes on."""
    from labkit import data

    for path in data.fetch(name, to):
        console.print(f"{path}")


@data_app.command("verify", epilog=_example("labkit data verify mnist"))
def data_verify(
    name: Annotated[str, typer.Argument(help="The data set, such as mnist.")],
) -> None:
    """Hash a data set's files again and compare with the published hashes."""
    from labkit import data

    results = data.verify(name)
    for result in results:
        console.print(_escape(str(result)))
    if any(result.ok is False for result in results):
        raise typer.Exit(1)


kaggle_app = typer.Typer(no_args_is_help=True, help="Submissions to the Kaggle task.")
app.add_typer(kaggle_app, name="kaggle")


@kaggle_app.command(
    "check",
    epilog=_example("labkit kaggle check submission.csv --sample sampleSubmission.csv"),
)
def kaggle_check(
    file: Annotated[Path, typer.Argument(help="The submission.")],
    sample: Annotated[
        Path | None, typer.Option(help="The competition's sampleSubmission.csv.")
    ] = None,
) -> None:
    """List everything that is wrong with a submission, with its rows."""
    from labkit import kaggle

    report = kaggle.check(file, sample)
    console.print(_escape(str(report)))
    if not report.ok:
        raise typer.Exit(1)


@kaggle_app.command(
    "score", epilog=_example("labkit kaggle score submission.csv --truth truth.csv")
)
def kaggle_score(
    file: Annotated[Path, typer.Argument(help="The submission.")],
    truth: Annotated[
        Path, typer.Option(help="The true classes, a CSV of the same form.")
    ],
) -> None:
    """Score a submission against the true classes."""
    from labkit import kaggle

    try:
        console.print(_escape(str(kaggle.score(file, truth))))
    except kaggle.SubmissionError as error:
        console.print(_escape(str(error)))
        raise typer.Exit(1) from None


class GradingProgress:
    """Progress lines for grading and the demo: steps, submissions done, time left."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description:38}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._task = None

    def __enter__(self) -> "GradingProgress":
        self._bars.start()
        return self

    def __exit__(self, *_) -> None:
        self._close()
        self._bars.stop()

    def step(self, title: str) -> None:
        self._close()
        self._bars.console.print(f"[bold]{title}[/]")

    def announce(self, text: str) -> None:
        self._bars.console.print(f"  {text}")

    def start(self, what: str, total: int) -> None:
        self._close()
        self._task = self._bars.add_task(f"  {what} submissions", total=total)

    def done(self, submission) -> None:
        self._bars.advance(self._task)

    def cell(self, lab: str, number: int, count: int, heading: str) -> None:
        if number == 1:
            self._close()
            self._task = self._bars.add_task(f"  {lab}", total=count)
        self._bars.update(
            self._task,
            completed=number - 1,
            description=f"  {lab}: {heading[:28]}"[:38],
        )

    def _close(self) -> None:
        """The bar at hand is complete: its step is over."""
        if self._task is not None:
            task = self._bars.tasks[self._task]
            self._bars.update(self._task, completed=task.total)
            self._task = None


class CellProgress:
    """A progress line for a notebook that runs: cells done, heading, time."""

    def __init__(self, name: str) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn(f"{name:24}"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed}/{task.total} cells"),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
        )

    def __enter__(self) -> "CellProgress":
        self._progress.start()
        self._task = self._progress.add_task("starting the kernel", total=None)
        return self

    def __exit__(self, *_) -> None:
        self._progress.stop()

    def cell(self, number: int, count: int, heading: str) -> None:
        self._progress.update(
            self._task, completed=number - 1, total=count, description=heading[:40]
        )


if __name__ == "__main__":
    main()
