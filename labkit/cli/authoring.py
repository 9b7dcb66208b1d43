"""The author's commands: from a lab's text to what students get."""

import os
import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from labkit.cli.progress import CellProgress, CountProgress, GradingProgress
from labkit.cli.terminal import Labs, console, errors, examples, labelled
from labkit.formatting import counted

PANEL = "For authors"
app = typer.Typer()
command = partial(app.command, rich_help_panel=PANEL)


@command(epilog=examples("labkit init my_course"))
def init(
    folder: Annotated[
        Path, typer.Argument(help="The course's folder: a new one, or an empty one.")
    ],
) -> None:
    """Begin a course in a folder of its own: its settings, and one lab to look at."""
    from labkit.authoring.new import init_course

    written = init_course(folder)
    for path in written:
        console.print(f"  {path}")
    lab = written[-1].stem
    console.print(f"Type: cd {shlex.quote(str(folder))}, then: labkit release {lab}")


@command(epilog=examples("labkit new edges"))
def new(
    name: Annotated[
        str,
        typer.Argument(help="Its name, such as edges: letters, digits and _."),
    ],
) -> None:
    """Write a small lab to be changed: it takes the next number, and passes the gate."""
    from labkit.authoring.new import new_lab
    from labkit.course import Course

    path = new_lab(Course.here(), name)
    console.print(f"  {os.path.relpath(path)}")
    console.print(f"Change it, then type: labkit release {path.stem}")


@command(
    epilog=examples(
        "labkit release",
        "labkit release 02 05 --times",
        "labkit release --check",
        "labkit release 02 --watch",
        "labkit release 01 --lang de",
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
    watch: Annotated[
        bool,
        typer.Option(
            "--watch",
            help="Write nothing; at each save tell what is wrong with the exercise.",
        ),
    ] = False,
    lang: Annotated[
        str | None,
        typer.Option(
            help="Release the prose in another language, such as de: see `translate`."
        ),
    ] = None,
) -> None:
    """Make the students' notebooks from solutions/, through the release gate."""
    from labkit.authoring.release import release as make
    from labkit.course import Course

    if watch:
        _watch(labs)

    with console.status("release") as status:
        outcome = make(
            Course.here(),
            labs,
            check=check,
            language=lang,
            announce=lambda text: status.update(Text(text)),
        )
    for done in outcome:
        state = ", ".join(done.changed) if done.changed else "unchanged"
        counts = (
            f"{counted(done.checks, 'check')}, {counted(done.mistakes, 'mistake')},"
            f" {done.seconds:.1f} s"
            if done.checks
            else ""
        )
        console.print(f"{done.lab:24} {counts:38} {state}")
        if done.english:
            left = counted(done.english, "text is", "texts are")
            console.print(f"    {left} not translated: in English")
        _print_times(done.times, times)
    if check and any(done.changed for done in outcome):
        errors.print("notebooks/ is not what solutions/ gives. Type: labkit release")
        raise typer.Exit(1)


@command(epilog=examples("labkit translate 01 --lang de", "labkit translate --lang de"))
def translate(
    lang: Annotated[str, typer.Option(help="The language, such as de, fr or pt_BR.")],
    labs: Labs = None,
) -> None:
    """Bring the translation of a lab up to its text: a PO file beside it.

    Fill it in with any editor for PO files, then type: labkit release --lang de
    """
    from labkit.course import Course
    from labkit.labs.lab import find_labs, read_lab
    from labkit.labs.translation import texts, update_translation

    for path in find_labs(Course.here().solutions, labs):
        lab = read_lab(path)
        translation = update_translation(lab, lang)
        missing = translation.missing()
        count = len(texts(lab))
        console.print(
            f"{os.path.relpath(translation.path)}: {count - len(missing)} of {count}"
            " texts are translated"
        )
        for text in missing[:3]:
            console.print(f"  {os.path.relpath(path)}:{text.line}: {text.text[:60]}")
        for fault in translation.faults():
            errors.print(fault)


def _watch(labs: list[str] | None) -> None:
    """Print what each save shows, until it is interrupted."""
    from labkit.authoring.watch import Finding
    from labkit.authoring.watch import watch as begin
    from labkit.course import Course

    def tell(found: Finding) -> None:
        nothing = "its text" if found.faults else "no exercise has changed"
        names = ", ".join(found.exercises) or nothing
        state = f"{len(found.faults)} wrong" if found.faults else "nothing wrong"
        console.print(f"{found.path.name}: {names}: {state}")
        for fault in found.faults:
            console.print(f"  {fault}")

    begin(
        Course.here(),
        labs,
        lambda: console.print("Watching. Save a lab; Ctrl-C ends it."),
        tell,
    )


def _print_times(cells: list, every: bool) -> None:
    """The seconds of each cell at grading, or of the slow ones that matter."""
    shown = cells if every else [cell for cell in cells if cell.seconds >= 1]
    if not every:
        shown = sorted(shown, key=lambda cell: -cell.seconds)[:3]
    for cell in shown:
        line = f"    {cell.seconds:6.1f} s  {cell.heading[:32]:32}  {cell.first_line}"
        console.print(line)


@command(
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
        course.create_seed()
        done = run_solution(path, folder, course.build, course.seed, progress.cell)
    for warning in done.warnings:
        console.print(labelled("warning", "yellow", warning))
    for failure in done.failed:
        console.print(labelled("failed", "red", failure))
    console.print(f"{done.lab}: {done.seconds:.0f} s; wrote {folder}/")
    for file in done.files:
        console.print(f"  {file.name}")
    if done.failed:
        raise typer.Exit(1)


@command(
    epilog=examples("labkit study 07", "LABKIT_DATA=~/data labkit study 07 --out ~/07")
)
def study(
    lab: Annotated[str, typer.Argument(help="The lab, by name or number, such as 07.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Where its files go. Default: build/study/<lab>/."),
    ] = None,
) -> None:
    """Train the networks that a lab's header compares; the same command goes on.

    It takes as long as all these trainings: hours. Interrupt it when you like.
    """
    from labkit.course import Course
    from labkit.errors import LabkitError
    from labkit.labs.lab import find_labs, read_lab

    course = Course.here()
    found = read_lab(find_labs(course.solutions, [lab])[0])
    if not found.study:
        raise LabkitError(
            f"{found.path} compares no networks: its header has no study. Expected one,"
            " such as study: {dataset: mnist, networks: [two_layer, vgg]}"
        )
    from labkit import study
    from labkit.labs.functions import lab_functions

    builders = {
        name.removeprefix("build_"): build
        for name, build in lab_functions(found).items()
        if name.startswith("build_")
    }

    plan = study.Plan.of(found.study, f"{found.path}: the header's study")
    folder = out or course.build / "study" / found.name

    def announce(line: str) -> None:
        console.print(line)

    results = study.run(plan, folder, builders, announce=announce, progress="text")
    console.print(results.summary().to_string(index=False))
    for file in results.write(folder):
        console.print(f"  {os.path.relpath(file)}")


@command(
    "try",
    epilog=examples("labkit try 02", "labkit try 01 02 03"),
)
def try_labs(labs: Labs = None) -> None:
    """Try a lab: wrong answers by machine, its hints, its times, its blank page.

    Each solution is changed in one place: a number, a comparison, an operator, a
    conversion, what happens in place. Every change that no check notices is told, with
    its line. It is no fault as such: some are as right as the solution. Mark them where
    they stand, and they are not tried again:  # equivalent: < -> <=

    A page shows the rest: the hint of each usual mistake, the slowest cells at grading,
    how long a student works on it, and what one reads who hands in the blank lab.
    """
    from labkit.authoring.try_lab import try_mutants
    from labkit.authoring.try_page import write_try_page
    from labkit.course import Course
    from labkit.labs.lab import find_labs

    course = Course.here()
    for path in find_labs(course.solutions, labs):
        with CountProgress(console, path.stem) as progress:
            tried = try_mutants(course, path, progress.update)
        marked = f", {tried.equivalent} marked as equivalent" * bool(tried.equivalent)
        console.print(
            f"{tried.lab}: {counted(tried.count, 'mutant')},"
            f" {counted(len(tried.survivors), 'gets', 'get')} full marks{marked}"
        )
        for one in tried.survivors:
            console.print(
                f"  {path.name}:{one.line}  {one.exercise}  {one.change}  |  {one.code}"
            )
        for exercise in tried.unsure:
            console.print(
                f"  {exercise}: its mutants changed what other cells hold, so some of "
                "them may be missing here. Let its check cell make its own inputs."
            )
        with console.status("the release gate") as status:
            page = write_try_page(
                course,
                tried,
                course.build / "try" / tried.lab,
                lambda text: status.update(Text(text)),
            )
        console.print(f"  {os.path.relpath(page)}")


@command(
    epilog=examples(
        "labkit demo",
        "labkit demo --quick",
        "LABKIT_DATA=~/data labkit demo --out build/real",
    )
)
def demo(
    out: Annotated[
        Path | None, typer.Option(help="Where everything goes. Default: build/demo/.")
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Notebooks run side by side. Default: the cores."),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="Only the labs before the first that trains."),
    ] = False,
) -> None:
    """Run the course once: release, solutions, a sample class, grades, reports.

    One lab is graded first, and its page is named while the rest runs.
    """
    from labkit.authoring.demo import run_demo
    from labkit.course import Course
    from labkit.formatting import duration

    course = Course.here()
    with GradingProgress(console) as progress:
        done = run_demo(
            course,
            (out or course.build / "demo").resolve(),
            progress,
            jobs,
            quick=quick,
        )
    console.print(f"Done in {duration(done.seconds)}, {done.data}. Open:")
    for file in done.files:
        console.print(f"  {os.path.relpath(file)}{'/' if file.is_dir() else ''}")
