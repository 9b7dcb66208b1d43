"""The `labkit` command: each command parses, calls one function, prints."""

import contextlib
import errno
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from labkit import __version__
from labkit.cli import authoring, data, grading, kaggle, learning
from labkit.cli.terminal import console, errors, labelled, show_anywhere
from labkit.errors import LabkitError, missing_library
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

_ENDING = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]
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
    show_anywhere()
    try:
        with ended_by_signal() as received:
            # Not standalone: typer would answer wrong usage with a box of six lines.
            code = app(standalone_mode=False)
        if received:
            _end(received[0])
        sys.exit(code)
    except LabkitError as error:
        _refuse(str(error))
    except UsageError as error:
        if not error.format_message().strip():
            sys.exit(2)  # a bare `labkit` or `labkit data`: its help is shown already
        command = error.ctx.command_path if error.ctx else "labkit"
        _refuse(f"{error.format_message().rstrip('.')}. Type: {command} --help")
    except (KeyboardInterrupt, typer.Abort):
        _end(signal.SIGINT)
    except OSError as error:
        if error.errno is None:
            raise
        where = f"{error.filename}: " if error.filename else ""
        _fail(f"{where}{error.strerror}.", error.errno == errno.ENOSPC)
    except ModuleNotFoundError as error:
        missing = missing_library(error)
        if missing is None:
            raise
        _refuse(str(missing))
    except Exception as error:
        # SQLAlchemy's, which few commands import.
        if not isinstance(error.__cause__, sqlite3.OperationalError):
            raise
        full = "full" in str(error.__cause__)
        _fail(f"the gradebook: {error.__cause__}.", full)


@contextlib.contextmanager
def ended_by_signal() -> Iterator[list[int]]:
    """Let what ends a command end it as Ctrl-C does; yields a list of what was received."""
    received: list[int] = []

    def end(number: int, _: object) -> None:
        received.append(number)
        raise KeyboardInterrupt

    # What is ignored, as under nohup, stays so.
    heeded = [n for n in _ENDING if signal.getsignal(n) != signal.SIG_IGN]
    known = {number: signal.signal(number, end) for number in heeded}
    try:
        yield received
    finally:
        for number, handler in known.items():
            signal.signal(number, handler)


def _end(number: int) -> None:
    errors.print("labkit: interrupted. Nothing is lost: the same command goes on.")
    sys.exit(128 + number)


def _fail(text: str, full: bool) -> None:
    advice = "Make room" if full else "Mend that"
    errors.print(
        labelled("labkit:", "bold red", f"{text} {advice}, and type the command again.")
    )
    sys.exit(1)


def _refuse(text: str) -> None:
    errors.print(labelled("labkit:", "bold red", text))
    sys.exit(2)
