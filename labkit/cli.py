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

Labs = Annotated[list[str] | None, typer.Argument(help="Labs by name or number, such as 02. Default: all.")]


def main() -> None:
    """Run the command; wrong input is answered with one clear message and exit code 2."""
    try:
        app()
    except LabkitError as error:
        errors.print(f"[bold red]labkit:[/] {_escape(str(error))}")
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("labkit: interrupted. Nothing is lost: the same command goes on.")
        sys.exit(130)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _example(*lines: str) -> str:
    """A help text's examples, one a line."""
    return "[bold]Examples[/]\n\n" + "\n\n".join(f"  [cyan]{line}[/]" for line in lines)


@app.command(epilog=_example("labkit release", "labkit release 02 05", "labkit release --check"))
def release(
    labs: Labs = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail where notebooks/ is out of date.")] = False,
) -> None:
    """Make the students' notebooks from solutions/, through the release gate."""
    from labkit.course import Course
    from labkit.release import release as make

    with console.status("release") as status:
        outcome = make(Course.here(), labs, check=check, announce=status.update)
    for done in outcome:
        state = ", ".join(done.changed) if done.changed else "unchanged"
        counts = f"{done.checks} checks, {done.mistakes} mistakes, {done.seconds:.1f} s" if done.checks else ""
        console.print(f"{done.lab:24} {counts:38} {state}")
    if check and any(done.changed for done in outcome):
        errors.print("notebooks/ is not what solutions/ gives. Type: labkit release")
        raise typer.Exit(1)


@app.command(epilog=_example("labkit run 04", "labkit run 06 --out build/mine", "LABKIT_DATA=~/data labkit run 05"))
def run(
    lab: Annotated[str, typer.Argument(help="The lab, by name or number, such as 04.")],
    out: Annotated[Path | None, typer.Option(help="Where its files go. Default: build/run/<lab>/.")] = None,
) -> None:
    """Execute a lab's solution and keep the files it writes."""
    from labkit.authoring import find_labs
    from labkit.course import Course
    from labkit.running import run_solution

    course = Course.here()
    path = find_labs(course.solutions, [lab])[0]
    folder = out or course.build / "run" / path.stem
    with CellProgress(path.stem) as progress:
        done = run_solution(path, folder, course.build, progress.cell)
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
def check(notebook: Annotated[Path, typer.Argument(help="A notebook of yours.")]) -> None:
    """Run a whole notebook in a fresh kernel, the way the grader will."""
    from labkit.running import check_notebook

    with CellProgress(notebook.stem) as progress:
        checked = check_notebook(notebook, progress.cell)
    for cell in checked:
        passed = sum(result.passed for result in cell.results)
        console.print(f"[bold]{cell.cell}[/]  {passed} of {len(cell.results)} checks")
        if cell.changed:
            console.print("  [yellow]This check cell was changed. The grader puts the released one back.[/]")
        for result in cell.results:
            console.print(f"  [{'green' if result.passed else 'red'}]{_escape(result.text())}[/]")
    results = [result for cell in checked for result in cell.results]
    failed = sum(not result.passed for result in results)
    console.print(f"{len(results) - failed} of {len(results)} visible checks passed.")
    console.print("At grading there are hidden checks too: other inputs to the same functions.")
    if failed:
        raise typer.Exit(1)


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
        self._progress.update(self._task, completed=number - 1, total=count, description=heading[:40])


if __name__ == "__main__":
    main()
