"""What the commands show in the terminal in one way."""

from typing import Annotated

import typer
from rich.console import Console

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
Labs = Annotated[
    list[str] | None,
    typer.Argument(help="Labs by name or number, such as 02. Default: all."),
]


def examples(*lines: str) -> str:
    """A help text's examples, one a line."""
    return "[bold]Examples[/]\n\n" + "\n\n".join(f"  [cyan]{line}[/]" for line in lines)
