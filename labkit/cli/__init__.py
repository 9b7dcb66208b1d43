"""The `labkit` command: each command parses, calls one function, prints."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from labkit import __version__
from labkit.cli import authoring, data, grading, kaggle, learning
from labkit.cli.terminal import console, errors, labelled
from labkit.errors import LabkitError
from labkit.machine.patches import skip_address_grammar

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="The CNN lab kit: run, release, check and grade the labs of the course.",
)
# In the order in which somebody meets them; each room's commands have a panel of their own.
for room in (learning.app, grading.app, authoring.app):
    app.add_typer(room)
app.add_typer(learning.kernel_app, name="kernel", rich_help_panel=learning.PANEL)
app.add_typer(data.app, name="data", rich_help_panel=learning.PANEL)
app.add_typer(kaggle.app, name="kaggle", rich_help_panel=learning.PANEL)

# Typer names only the last of its errors; this is the class of all wrong usage.
UsageError: Any = typer.BadParameter.__base__


def _show_version(asked: bool) -> None:
    if asked:
        console.print(f"labkit {__version__}")
        raise typer.Exit()


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_show_version,
            is_eager=True,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command; wrong input is answered with one clear message and exit code 2."""
    # nbgrader calls alembic by its name, also where this environment is not activated.
    programs = str(Path(sys.executable).parent)
    os.environ["PATH"] = os.pathsep.join([programs, os.environ.get("PATH", "")])
    skip_address_grammar()
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
    errors.print(labelled("labkit:", "bold red", text))
    sys.exit(2)
