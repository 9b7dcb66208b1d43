"""What the commands show in the terminal in one way."""

from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

# Names and what others wrote are shown as they are: [x] is no markup, :x: no emoji.
_console = partial(Console, highlight=False, soft_wrap=True, markup=False, emoji=False)
console = _console()
errors = _console(stderr=True)
Labs = Annotated[
    list[str] | None,
    typer.Argument(help="Labs by name or number, such as 02. Default: all."),
]


def labelled(label: str, style: str, text: str) -> Text:
    """A line that begins with a word in colour."""
    return Text.assemble((label, style), f" {text}")


def examples(*lines: str) -> str:
    """A help text's examples, one a line."""
    return "[bold]Examples[/]\n\n" + "\n\n".join(f"  [cyan]{line}[/]" for line in lines)
