"""A page for each command, made from its help: what it does, how it is typed, examples."""

import re
from collections.abc import Iterator
from typing import Any

import typer

from labkit.cli import app

Command = Any  # click's, which typer may bring under another name


def commands(
    command: Command | None = None, words: tuple[str, ...] = ("labkit",)
) -> Iterator[tuple[tuple[str, ...], Command]]:
    """Each command that does something, with the words that it is typed by."""
    command = command or typer.main.get_command(app)
    if not hasattr(command, "commands"):
        yield words, command
        return
    for name, inner in command.commands.items():
        if not inner.hidden:
            yield from commands(inner, (*words, name))


def page_name(words: tuple[str, ...]) -> str:
    """The page's name: `labkit data fetch` is on `data-fetch`."""
    return "-".join(words[1:])


def command_page(words: tuple[str, ...], command: Command) -> str:
    """A command's page, in Markdown."""
    context = command.make_context(" ".join(words), [], resilient_parsing=True)
    usage = " ".join([*words, *command.collect_usage_pieces(context)])
    parts = [f"# {' '.join(words)}", _plain(command.help), f"```text\n{usage}\n```"]
    for title, kind in (("Arguments", "argument"), ("Options", "option")):
        rows = [
            f"| `{left.strip()}` | {_code(' '.join(_unstyled(said).split()))} |"
            for one in command.params
            if one.param_type_name == kind and (record := one.get_help_record(context))
            for left, said in [(cell.replace("|", "\\|") for cell in record)]
        ]
        if rows:
            parts += [f"## {title}", "\n".join(["| | |", "|---|---|", *rows])]
    if shown := example_lines(command):
        parts += ["## Examples", "```sh\n" + "\n".join(shown) + "\n```"]
    return "\n\n".join(parts) + "\n"


def index_page() -> str:
    """The page that lists them all, by who types them."""
    panels: dict[str, list[str]] = {}
    top = typer.main.get_command(app).commands
    for words, command in commands():
        panel = getattr(top[words[1]], "rich_help_panel", None) or "Others"
        line = f"- [`{' '.join(words)}`]({page_name(words)}.md): "
        panels.setdefault(panel, []).append(
            line + _plain(command.help).split("\n\n")[0]
        )
    parts = ["# Commands", "What `labkit COMMAND --help` says, a page each."]
    for panel, lines in panels.items():
        parts += [f"## {panel}", "\n".join(lines)]
    names = "\n".join(page_name(words) for words, _ in commands())
    parts.append(f"```{{toctree}}\n:hidden:\n\n{names}\n```")
    return "\n\n".join(parts) + "\n"


def example_lines(command: Command) -> list[str]:
    """The lines of a command's examples, as they are typed."""
    lines = (command.epilog or "").splitlines()[1:]
    return [plain for line in lines if (plain := _unstyled(line).strip())]


def _plain(text: str | None) -> str:
    """A help text as Markdown: paragraphs of one line, what is typed as code."""
    paragraphs = re.split(r"\n\s*\n", (text or "").strip())
    return "\n\n".join(_code(" ".join(_unstyled(one).split())) for one in paragraphs)


def _code(text: str) -> str:
    """Characters that mean something in Markdown, as they are."""
    return re.sub(r"(?<!`)([<*])", r"\\\1", text)


def _unstyled(text: str) -> str:
    return re.sub(r"\[/?(?:bold|cyan|dim|green|red|yellow)?\]", "", text)
