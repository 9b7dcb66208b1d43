"""The student's commands: work on the labs, check them, see what this machine has."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labkit.cli.progress import CellProgress
from labkit.cli.terminal import console, examples, labelled
from labkit.formatting import counted

if TYPE_CHECKING:
    from labkit.learning.doctor import Finding

PANEL = "For students"
app = typer.Typer()
command = partial(app.command, rich_help_panel=PANEL)


@command(epilog=examples("labkit check work/<lab>/<lab>.ipynb"))
def check(
    notebook: Annotated[Path, typer.Argument(help="A notebook of yours.")],
) -> None:
    """Run a whole notebook in a fresh kernel, the way the grader will."""
    from labkit.checks.results import NOT_WRITTEN
    from labkit.learning.check_notebook import check_notebook

    with CellProgress(console, notebook.stem) as progress:
        checked = check_notebook(notebook, progress.cell)
    for cell in checked.cells:
        passed = sum(result.passed for result in cell.results)
        counted = f" {passed} of {len(cell.results)} checks"
        console.print(labelled(cell.cell, "bold", counted))
        if cell.changed:
            console.print(
                "  This check cell was changed. The grader puts the released one back.",
                style="yellow",
            )
        if cell.rescued:
            console.print("  Rescued: it earns nothing.", style="yellow")
        if cell.unwritten:
            console.print(f"  ✗ {NOT_WRITTEN}", style="red")
            continue
        for result in cell.results:
            colour = "green" if result.passed else "red"
            console.print(f"  {result.text()}", style=colour)
    results = [result for cell in checked.cells for result in cell.results]
    failed = sum(not result.passed for result in results)
    console.print(f"\n{checked.points.text()}\n")
    for line in checked.missing:
        console.print(line, style="yellow", markup=False)
    console.print(f"{len(results) - failed} of {len(results)} visible checks passed.")
    console.print(
        "At grading there are hidden checks too: other inputs to the same functions."
    )
    if failed:
        raise typer.Exit(1)


@command(epilog=examples("labkit doctor"))
def doctor() -> None:
    """Say what is installed, what Keras runs on, which data are here, and what to type."""
    from labkit.learning.doctor import examine

    short = []
    with console.status("looking (Keras takes a few seconds to start)"):
        for finding in examine():
            mark = labelled(*_mark(finding), f"{finding.topic:20} {finding.found}")
            console.print(mark)
            if finding.advice:
                console.print(f"  {'':20} {finding.advice}")
            short += [finding] if finding.needed and not finding.good else []
    if short:
        raise typer.Exit(1)


def _mark(finding: "Finding") -> tuple[str, str]:
    """A finding's sign and its colour."""
    if finding.good:
        return "✓", "green"
    return ("✗", "red") if finding.needed else ("!", "yellow")


@command(
    epilog=examples("labkit lab", "labkit lab --dir ~/cnn --no-browser --port 8890")
)
def lab(
    folder: Annotated[Path, typer.Option("--dir", help="Your working folder.")] = Path(
        "work"
    ),
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
    port: Annotated[int, typer.Option(help="The port to listen on.")] = 8888,
) -> None:
    """Open JupyterLab on your copy of the labs, at the start page.

    The labs are those of the course that you are in; elsewhere those that came with
    this package.
    """
    from labkit.learning.jupyterlab import (
        begin_layout,
        copy_labs,
        lab_command,
        lab_environment,
        labs_here,
    )

    new = copy_labs(labs_here(), folder)
    console.print(
        f"{counted(new, 'new file')} in {folder}/. What is there already is never overwritten."
    )
    begin_layout(folder)
    command = lab_command(folder, browser=browser, port=port)
    os.execve(command[0], command, lab_environment())


kernel_app = typer.Typer(
    no_args_is_help=True, help="The kernel that Jupyter runs notebooks in."
)


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
        console.print(labelled("accelerator:", colour, found.found))
        if found.advice:
            console.print(found.advice)
        if not seen:
            raise typer.Exit(1)
