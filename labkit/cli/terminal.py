"""What the commands show in the terminal in one way."""

import codecs
import io
import os
import sys
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Names and what others wrote are shown as they are: [x] is no markup, :x: no emoji.
_console = partial(Console, highlight=False, soft_wrap=True, markup=False, emoji=False)
console = _console()
errors = _console(stderr=True)
LOG_WIDTH = 1000
Labs = Annotated[
    list[str] | None,
    typer.Argument(help="Labs by name or number, such as 02. Default: all."),
]


# For files and terminals whose encoding has not these.
_INSTEAD = {"✓": "+", "✗": "x", "—": "-", "…": "~", "▰": "#", "▱": "."} | dict(
    zip("▁▂▃▄▅▆▇█", "12345678", strict=True)
)


def show_anywhere() -> None:
    """Let standard output take every text, in whatever encoding it is."""
    codecs.register_error("labkit", _instead)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="labkit")


def _instead(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    unknown = error.object[error.start : error.end]
    return "".join(_INSTEAD.get(one, "?") for one in unknown), error.end


def show(table: Table) -> None:
    """Print a table; where it is too wide its texts are folded, and nothing is left out.

    A file has no edge: there, each row is one line, which a search finds whole.
    """
    for column in table.columns:
        column.overflow = "fold"
    has_edge = console.is_terminal or os.environ.get("COLUMNS")
    (console if has_edge else _console(width=LOG_WIDTH)).print(table)


def labelled(label: str, style: str, text: str) -> Text:
    """A line that begins with a word in colour."""
    return Text.assemble((label, style), f" {text}")


def examples(*lines: str) -> str:
    """A help text's examples, one a line."""
    return "[bold]Examples[/]\n\n" + "\n\n".join(f"  [cyan]{line}[/]" for line in lines)
