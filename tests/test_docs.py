"""The texts for people: links lead somewhere, commands exist, the README stays small."""

import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import typer
from markdown_it import MarkdownIt
from markdown_it.token import Token

from labkit.cli import UsageError, app
from tests.conftest import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        ROOT / "solutions" / "README.md",
        ROOT / "benchmarks" / "README.md",
    ]
)
# What has changed names what was there before.
OF_TODAY = [page for page in PAGES if page.name != "CHANGELOG.md"]
FOLDERS = "labkit|solutions|notebooks|datasets|docs|benchmarks|tests"
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
each_page_of_today = pytest.mark.parametrize(
    "page", OF_TODAY, ids=lambda page: str(page.relative_to(ROOT))
)


def tokens(page: Path) -> list[Token]:
    return parts(page.read_text("utf-8"))


@cache
def parts(text: str) -> list[Token]:
    """The parts of a text, those within paragraphs and tables too."""
    blocks = MarkdownIt().enable("table").parse(text)
    return [token for block in blocks for token in (block, *(block.children or ()))]


def anchors(page: Path) -> set[str]:
    """The names of a page's headings in addresses, as GitHub makes them."""
    found = tokens(page)
    texts = [
        following.content
        for token, following in pairwise(found)
        if token.type == "heading_open"
    ]
    kept = [re.sub(r"[^\w\- ]", "", text.lower()) for text in texts]
    return {text.strip().replace(" ", "-") for text in kept}


def code(
    page: Path, *kinds: str, languages: tuple[str, ...] | None = None
) -> Iterator[str]:
    """The lines of code on a page, of blocks or of `code_inline`; one that goes on is one.

    With `languages` only of blocks that name one of them; "" is a block that names none.
    """
    for token in tokens(page):
        if token.type in kinds and (languages is None or token.info in languages):
            yield from token.content.replace("\\\n", " ").splitlines()


def command_lines(page: Path, program: str, *kinds: str) -> Iterator[list[str]]:
    """The words behind a program's name on each line of code that runs it."""
    for line in code(page, *kinds):
        if program not in line:
            continue
        words = shlex.split(line, comments=True)
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words and words[0] == program:
            yield words[1:]


@each_page
def test_links_lead_to_files_and_headings(page):
    nowhere = []
    for token in tokens(page):
        target = str(token.attrs.get("href") or token.attrs.get("src") or "")
        if not target or re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        place = (page.parent / name).resolve() if name else page
        found = place.exists() and (not anchor or anchor in anchors(place))
        nowhere += [] if found else [target]
    assert nowhere == []


@each_page_of_today
def test_commands_in_blocks_parse(page):
    """Each is parsed as labkit would, with all its options and arguments."""
    for words in command_lines(page, "labkit", "code_block", "fence"):
        command, context = typer.main.get_command(app), None
        name, rest = "labkit", words
        try:
            while hasattr(command, "commands"):
                assert rest and rest[0] in command.commands, f"labkit {words}"
                name, *rest = rest
                command = command.commands[name]
            context = command.make_context(name, list(rest))
        except UsageError as error:
            pytest.fail(f"labkit {' '.join(words)}: {error.format_message()}")
        assert context is not None


@each_page_of_today
def test_commands_named_in_a_sentence_exist(page):
    for words in command_lines(page, "labkit", "code_inline"):
        command = typer.main.get_command(app)
        rest = [word for word in words if word != "..."]
        if rest and rest[0].startswith("<"):
            continue
        while rest and hasattr(command, "commands") and not rest[0].startswith("-"):
            assert rest[0] in command.commands, f"labkit {words}"
            command, rest = command.commands[rest[0]], rest[1:]
        known = {"--help", *(name for one in command.params for name in one.opts)}
        asked = {word for word in rest if word.startswith("-")}
        assert asked <= known, f"labkit {words}"


@each_page_of_today
def test_make_targets_exist(page):
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M)
    kinds = ("code_block", "fence", "code_inline")
    for words in command_lines(page, "make", *kinds):
        assert set(words) <= {*rules}, f"make {words}"


@each_page_of_today
def test_files_named_in_a_sentence_exist(page):
    named = [
        text
        for text in code(page, "code_inline")
        if re.fullmatch(rf"({FOLDERS})/[\w./-]*", text)
    ]
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_readme_is_small():
    assert (ROOT / "README.md").stat().st_size <= 5 * 1024


def test_the_architecture_names_every_layer():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    (contract,) = settings["tool"]["importlinter"]["contracts"]
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    first_cells = re.findall(r"^\| (`[^|]*) \|", text, re.M)
    told = {name for cell in first_cells for name in re.findall(r"`(\w+)`", cell)}
    layers = {name for layer in contract["layers"] for name in layer.split(" | ")}
    assert layers - told == set()
