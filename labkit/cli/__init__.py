"""The `labkit` command: each command parses, calls one function, prints."""

import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from labkit.cli.kaggle import app as kaggle_app
from labkit.cli.progress import CellProgress, GradingProgress
from labkit.cli.terminal import examples
from labkit.errors import LabkitError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="The CNN lab kit: run, release, check and grade the labs of the course.",
)
GRADES_SHOWN = 60
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
    # nbgrader calls alembic by its name, also where this environment is not activated.
    programs = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", "")])
    # jsonschema, which reads notebooks, would compile a grammar of web addresses as it is
    # imported: half a second, for a check that no notebook asks for.
    sys.modules.setdefault("rfc3987_syntax", None)
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


@app.command(
    epilog=examples(
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
    from labkit.authoring.release import release as make
    from labkit.course import Course

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
    epilog=examples(
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
    from labkit.authoring.run import run_solution
    from labkit.course import Course
    from labkit.labs.lab import find_labs

    course = Course.here()
    path = find_labs(course.solutions, [lab])[0]
    folder = out or course.build / "run" / path.stem
    with CellProgress(console, path.stem) as progress:
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


@app.command(epilog=examples("labkit check work/01_neuron/01_neuron.ipynb"))
def check(
    notebook: Annotated[Path, typer.Argument(help="A notebook of yours.")],
) -> None:
    """Run a whole notebook in a fresh kernel, the way the grader will."""
    from labkit.learning.check_notebook import check_notebook

    with CellProgress(console, notebook.stem) as progress:
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
            help="Refuse where submissions cannot be shut off from this machine.",
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
        warm_up()  # on another core, while the rest is imported

    from labkit.grading.engine import Options
    from labkit.grading.engine import grade as grade_course
    from labkit.grading.results.class_report import class_report
    from labkit.grading.results.report_page import summary_tables, write_report
    from labkit.sandbox.confinement import strength

    if db:
        course = replace(course, database=db)
    with GradingProgress(console) as progress, _runner(course, cluster) as (run, slots):
        options = Options(jobs or slots, force, require_confinement, run, progress)
        grades = grade_course(course, labs, student or (), options)
    _print_grades(grades)
    report = class_report(course)
    for table in summary_tables(report):
        console.print(table)
    write_report(report, course.build / "report.html")
    console.print(f"More in {os.path.relpath(course.build / 'report.html')}")
    if not strength().full:
        open_to = "; ".join(strength().missing)
        console.print(f"[yellow]confinement {strength().name}:[/] {_escape(open_to)}")
    if any(one.reason for one in grades):
        raise typer.Exit(1)


def _runner(course, cluster: str | None):
    """What runs a notebook, and how many at a time: here, or on a cluster's workers."""
    from labkit.execution.job import run_job

    if not cluster:
        return nullcontext((run_job, None))
    from labkit.execution.cluster import cluster_runner

    return cluster_runner(cluster, course)


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
        table.add_row(one.student, one.lab, score, highest, _escape("; ".join(notes)))
    if shown:
        console.print(table)
    if len(shown) < len(grades):
        console.print(f"{len(grades)} submissions graded, {len(shown)} not readable.")


@app.command(epilog=examples("labkit feedback", "labkit feedback --out build/feedback"))
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
    console.print(f"{len(pages)} pages in {out or course.feedback}/")


@app.command(
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
    console.print(f"{done.rows} rows in {done.path}")
    for line in done.messages():
        errors.print(f"[yellow]{_escape(line)}[/]")
    if not done.complete:
        raise typer.Exit(1)


@app.command(epilog=examples("labkit report", "labkit report --out report.html"))
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
        console.print(table)
    path = out or course.build / "report.html"
    write_report(found, path)
    console.print(f"The whole report: {os.path.relpath(path)}")


@app.command(
    epilog=examples("labkit similarity", "labkit similarity 02 --at-least 0.9")
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
    from labkit.grading.results.similarity import compare_class, write_similarity

    course = Course.here()
    path = out or course.build / "similarity.html"
    with console.status("similarity") as status:
        found = compare_class(course, [lab] if lab else None, at_least, status.update)
        write_similarity(found, path)
    for one in found:
        console.print(_escape(one.text()))
    console.print(f"Side by side: {os.path.relpath(path)}")


@app.command(
    epilog=examples("labkit demo", "LABKIT_DATA=~/data labkit demo --out build/real")
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
    from labkit.authoring.demo import run_demo
    from labkit.course import Course
    from labkit.grading.results.feedback import duration

    course = Course.here()
    with GradingProgress(console) as progress:
        done = run_demo(
            course, (out or course.build / "demo").resolve(), progress, jobs
        )
    console.print(
        f"Done in {duration(done.seconds)}, {'on stand-in data' if done.stand_in else 'on real data'}. Open:"
    )
    for file in done.files:
        console.print(f"  {os.path.relpath(file)}{'/' if file.is_dir() else ''}")


@app.command(epilog=examples("labkit doctor"))
def doctor() -> None:
    """Say what is installed, what Keras runs on, which data are here, and what to type."""
    from labkit.learning.doctor import examine

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
    epilog=examples("labkit lab", "labkit lab --dir ~/cnn --no-browser --port 8890")
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
    from labkit.learning.jupyterlab import copy_labs, lab_command, lab_environment

    new = copy_labs(Course.here().notebooks, folder)
    console.print(
        f"{new} new files in {folder}/. What is there already is never overwritten."
    )
    command = lab_command(folder, browser=browser, port=port)
    os.execve(command[0], command, lab_environment())


kernel_app = typer.Typer(
    no_args_is_help=True, help="The kernel that Jupyter runs notebooks in."
)
app.add_typer(kernel_app, name="kernel")


@kernel_app.command(
    "install",
    epilog=examples(
        "labkit kernel install",
        "labkit kernel install --gpu",
        "labkit kernel install --gpu --memory 4000 --backend jax",
    ),
)
def kernel_install(
    gpu: Annotated[
        bool, typer.Option("--gpu", help="A kernel that finds an NVIDIA GPU.")
    ] = False,
    backend: Annotated[
        str, typer.Option(help="Keras's backend: tensorflow, jax or torch.")
    ] = "tensorflow",
    memory: Annotated[
        int | None,
        typer.Option(help="MiB of each GPU that one kernel may take. Default: all."),
    ] = None,
    prefix: Annotated[
        Path | None,
        typer.Option(help="An environment's folder, for all who use it. Default: you."),
    ] = None,
) -> None:
    """Let JupyterLab run notebooks in this environment, without activating it.

    With --gpu the kernel knows where pip put the CUDA libraries, takes GPU
    memory as it needs it, and runs the labs in their full version.
    """
    from labkit.kernels import kernelspec
    from labkit.machine.diagnosis import diagnose
    from labkit.machine.facts import gather

    folder, spec = kernelspec.install(
        gpu=gpu, backend=backend, memory=memory, prefix=prefix
    )
    console.print(f"{spec['display_name']}: {folder}/kernel.json")
    console.print("Choose it in JupyterLab under Kernel, Change Kernel.")
    if gpu:
        with console.status("looking for a GPU with it"):
            seen = kernelspec.gpus_seen(spec)
            found = diagnose(replace(gather(backend), seen=seen))
        colour = "green" if seen and found.good else "yellow"
        console.print(f"[{colour}]accelerator:[/] {_escape(found.found)}")
        if found.advice:
            console.print(_escape(found.advice))
        if not seen:
            raise typer.Exit(1)


data_app = typer.Typer(
    no_args_is_help=True, help="The data sets: what is here, fetch it, verify it."
)
app.add_typer(data_app, name="data")


@data_app.command("list", epilog=examples("labkit data list"))
def data_list() -> None:
    """Show every data set and whether it is on this machine."""
    from rich.table import Table

    from labkit import data

    table = Table("data set", "what", "where", box=None)
    table.add_column("MB", justify="right")
    table.add_column("licence")
    for one in data.inventory():
        where = one.present or f"{one.lacks} (stand-in: {one.stand_in})"
        size = f"{one.size / 1e6:.0f}" if one.size else ""
        table.add_row(one.name, one.title, _escape(where), size, one.licence)
    console.print(table)
    console.print("Where a data set is absent: labkit data fetch NAME")


@data_app.command(
    "fetch",
    epilog=examples(
        "labkit data fetch mnist",
        "labkit data fetch --to /media/stick/data",
        "labkit data fetch simpsons --competition our-class-2027",
    ),
)
def data_fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets, such as mnist. Default: all.")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="A folder to use as LABKIT_DATA. Default: the cache."),
    ] = None,
    competition: Annotated[
        str,
        typer.Option(
            help="A Kaggle competition that has the files, such as a class's."
        ),
    ] = "",
) -> None:
    """Download official files, verified; an interrupted download goes on.

    For a class without a network: fetch with --to where there is one, copy
    the folder, and set LABKIT_DATA to it. What is on this machine is copied,
    not downloaded. Proxies are taken from HTTP_PROXY and HTTPS_PROXY.
    """
    from labkit import data

    failed = 0
    for name in names or [one.name for one in data.inventory()]:
        try:
            for path in data.fetch(name, to, competition):
                console.print(f"[green]verified[/] {_escape(str(path))}")
        except data.DataError as error:
            if len(names or ()) == 1:
                raise
            failed += 1
            errors.print(f"[bold red]{name}:[/] {_escape(str(error))}")
    if to:
        console.print(f"Copy {_escape(str(to))} where you need it, and type there:")
        console.print("  export LABKIT_DATA=<the folder>")
    if failed:
        raise typer.Exit(1)


@data_app.command(
    "verify", epilog=examples("labkit data verify", "labkit data verify mnist")
)
def data_verify(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Data sets, such as mnist. Default: all that are here."),
    ] = None,
) -> None:
    """Hash the files again and compare with the published hashes."""
    from labkit import data

    present = [one.name for one in data.inventory() if one.present or one.partial]
    results = [result for name in names or present for result in data.verify(name)]
    for result in results:
        console.print(_escape(str(result)))
    if not results:
        console.print("No data set is on this machine. Type: labkit data fetch")
    if any(result.ok is False for result in results):
        raise typer.Exit(1)


app.add_typer(kaggle_app, name="kaggle")


if __name__ == "__main__":
    main()
