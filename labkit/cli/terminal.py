"""What the commands show in the terminal in one way."""


def examples(*lines: str) -> str:
    """A help text's examples, one a line."""
    return "[bold]Examples[/]\n\n" + "\n\n".join(f"  [cyan]{line}[/]" for line in lines)
