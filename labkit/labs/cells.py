"""What the cells of a lab's text hold: the roles, and what stands in each."""

import ast
import re

from nbformat import NotebookNode

from labkit.checks.protocol import check_name, is_check, used_names
from labkit.machine.syntax import parse

ROLES = ("solution", "check", "manual", "mistakes")
FOLDED_TAG = "folded"  # of a given cell whose code students open only if they want to
HIDDEN = re.compile(r"^[^\n]*BEGIN HIDDEN TESTS.*?END HIDDEN TESTS[^\n]*$", re.S | re.M)


def visible_source(source: str) -> str:
    """A check cell's source without its hidden part."""
    return HIDDEN.sub("", source)


def written_lines(source: str) -> list[str]:
    """The lines of a cell's source in which something stands, without what ends them."""
    return [line.rstrip() for line in source.splitlines() if line.strip()]


def check_names(source: str) -> list[str | None]:
    """The names of the checks in a cell's source; None for one without a literal name."""
    tree = parse(source)
    return [check_name(statement) for statement in tree.body if is_check(statement)]


def names_by_check(source: str) -> dict[str, tuple[str, ...]]:
    """For each check in a cell's source: the names that its text uses."""
    return {
        name: used_names(statement)
        for statement in parse(source).body
        if is_check(statement) and (name := check_name(statement)) is not None
    }


def one_line(text: str) -> str:
    """A text that was written over several lines; no-break spaces stay what they are."""
    return " ".join(re.findall(r"[^ \t\r\n]+", text))


def mistake_functions(cell: NotebookNode) -> list[tuple[str, str]]:
    """The functions of a mistakes cell: (name, hint), the hint being the docstring."""
    tree = parse(cell.source)
    return [
        (node.name, one_line(ast.get_docstring(node) or ""))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


def solution_lines(source: str) -> set[int]:
    """The numbers, from 1, of the lines between the markers of a solution."""
    inside, found = False, set()
    for number, line in enumerate(source.splitlines(), 1):
        if "### BEGIN SOLUTION" in line or "### END SOLUTION" in line:
            inside = "BEGIN" in line
        elif inside:
            found.add(number)
    return found
