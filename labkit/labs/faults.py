"""Every fault in a lab's text, each with its line: its header, its cells, their roles."""

import difflib
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode

from labkit.checks.protocol import plain_python
from labkit.labs.cells import (
    FOLDED_TAG,
    ROLES,
    check_names,
    mistake_functions,
    visible_source,
)
from labkit.labs.script import Fault, Script
from labkit.machine.syntax import parse

# The kind of cell that a role needs, and its attributes beside those of all cells.
_KINDS = {"solution": "code", "check": "code", "manual": "markdown", "mistakes": "code"}
_HEADERS = {
    "code": "# %% {role}=...",
    "markdown": "# %% [markdown] {role}=...",
}
_POINTS = ("check", "manual")
_TAGS = ("needed", FOLDED_TAG)
# What nbgrader takes out between two lines, and the role of the cells that have it.
_REGIONS = {"SOLUTION": "solution", "HIDDEN TESTS": "check"}
# A line that Markdown takes for a list's first item, also in the middle of a paragraph.
_ITEM = re.compile(r"\s{0,3}(1[.)]|[-+*])\s")
_NUMBERED = re.compile(r"\s*(\d{1,9})[.)](\s|$)")
_FENCE = re.compile(r"```|~~~|\$\$")
# What a list item may follow: nothing, another item or what belongs to it, a heading, HTML.
_BEFORE_ITEM = re.compile(r"\s*$|\s*(\d+[.)]|[-+*#>|<])|\s{2,}")
_LOST_HEADER = re.compile(rf"\s*#?\s*%%\s*({'|'.join(ROLES)})\b")


def text_faults(script: Script) -> list[Fault]:
    """What is wrong with a lab's text, by line."""
    faults = script.faults + _header_faults(script) + _place_faults(script)
    checked = {str(cell.metadata["check"]) for cell in script.cells_of("check")}
    for cell in script.cells:
        if cell.readable:
            faults += _cell_faults(cell, checked)
    return sorted(faults + _name_faults(script) + _import_faults(script))


def _place_faults(script: Script) -> list[Fault]:
    """Names that stand twice, and checks above their solution."""
    faults = []
    first: dict[tuple[str, str], int] = {}
    for role in ("solution", "check", "manual"):
        for cell in script.cells_of(role):
            key = str(cell.metadata[role])
            if (role, key) in first:
                text = (
                    f"{role}={key!r} stands twice, first in line {first[role, key]}; "
                    f"each {role} needs its own name"
                )
                faults.append(Fault(cell.line, text))
            elif role == "check" and first.get(("solution", key), 0) > cell.line:
                line = first["solution", key]
                text = (
                    f"check={key!r} stands above its solution, which is in line {line}"
                )
                faults.append(Fault(cell.line, text))
            first.setdefault((role, key), cell.line)
    return faults


def _header_faults(script: Script) -> list[Fault]:
    header, lines = script.header, script.field_lines
    place = "the header's jupyter/labkit section"
    if header is None:
        return []
    if not isinstance(header, dict):
        fields = ", ".join(_FIELDS)
        return [Fault(1, f"{place} is {header!r}; expected fields: {fields}")]
    missing = [
        Fault(1, f"{place} has no {name}; expected {_FIELDS[name].expected}")
        for name in _REQUIRED
        if name not in header
    ]
    wrong = [
        Fault(
            lines[name],
            f"{place} has {name}: {header[name]!r}; expected {field.expected}",
        )
        for name, field in _FIELDS.items()
        if name in header and not field.fits(header[name])
    ]
    unknown = [
        Fault(lines.get(str(name), 1), _unknown(name))
        for name in header
        if name not in _FIELDS
    ]
    return missing + wrong + unknown


def _unknown(name: object) -> str:
    near = difflib.get_close_matches(str(name), _FIELDS, n=1)
    meant = f"; do you mean {near[0]}?" if near else "."
    return (
        f"the header's jupyter/labkit section has an unknown field {name!r}{meant}"
        f" The fields: {', '.join(_FIELDS)}"
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_amount(value: Any) -> bool:
    """Whether a value is a number above 0."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value < math.inf


@dataclass(frozen=True)
class _Field:
    """A field of a header: which values fit, and what to say of one that does not."""

    fits: Callable[[Any], bool]
    expected: str


_REQUIRED = ("title", "summary", "minutes")
_FIELDS = {
    "title": _Field(_is_text, "a text"),
    "summary": _Field(_is_text, "a text"),
    "minutes": _Field(
        lambda value: type(value) is int and value > 0, "a whole number above 0"
    ),
    "grading_seconds": _Field(_is_amount, "a number above 0"),
    "run_seconds": _Field(
        lambda value: (
            isinstance(value, list) and len(value) == 2 and all(map(_is_amount, value))
        ),
        "two numbers above 0, such as [67, 135]",
    ),
    "shows": _Field(
        lambda value: (
            isinstance(value, dict) and all(map(_is_text, [*value, *value.values()]))
        ),
        "files with captions, such as {scores.png: How it went.}",
    ),
    "study": _Field(
        lambda value: isinstance(value, dict) and all(map(_is_text, value)),
        "settings by name, such as {dataset: mnist, networks: [two_layer, vgg]}",
    ),
    "sample_mistakes": _Field(
        lambda value: isinstance(value, list) and all(map(_is_text, value)),
        "names of mistakes, such as [overflows]",
    ),
}


def _cell_faults(cell: NotebookNode, checked: set[str]) -> list[Fault]:
    """What is wrong with a cell: with its header, its text, or what its role asks for."""
    roles = [role for role in ROLES if role in cell.metadata]
    if len(roles) > 1:
        text = f"a cell has the roles {' and '.join(roles)}; a cell has one"
        return [Fault(cell.line, text)]
    role = roles[0] if roles else None
    faults = [Fault(cell.line, text) for text in _attribute_faults(cell, role)]
    if not faults:  # else it may well be a cell of another role
        for name, owner in _REGIONS.items():
            faults += _region_faults(cell, name, owner, role)
    unparsed = _syntax_faults(cell)
    faults += _lost_headers(cell) + unparsed + _list_faults(cell)
    if role is None or unparsed or cell.cell_type != _KINDS[role]:
        return faults
    wrong = _ROLE_FAULTS[role](cell, checked)
    return faults + [Fault(cell.line, text) for text in wrong]


def _attribute_faults(cell: NotebookNode, role: str | None) -> list[str]:
    faults = _tag_faults(cell)
    title = cell.metadata.get("title", "").split()
    if title and title[0] in ROLES:
        faults.append(f'{title[0]} names nothing; write {title[0]}="..."')
    points = ["points"] if role in _POINTS else []
    for name in sorted(set(cell.metadata) - {"title", "tags", role, *points}):
        near = difflib.get_close_matches(name, {*ROLES, "points", "tags"}, n=1)
        meant = f"; do you mean {near[0]}?" if near and near[0] != name else "."
        faults.append(
            f"unknown attribute {name!r}{meant} The attributes are "
            f"{', '.join(ROLES)}, tags, and points where there is check or manual"
        )
    if role is None:
        return faults
    key = cell.metadata[role]
    if not (isinstance(key, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key)):
        faults.append(f"{role}={key!r} is not a name (letters, digits, _)")
    if points and not _is_amount(found := cell.metadata.get("points")):
        faults.append(f"points={found!r}; expected a number above 0")
    if cell.cell_type != _KINDS[role]:
        header = _HEADERS[_KINDS[role]].format(role=role)
        faults.append(
            f"{role}={key!r} is a {cell.cell_type} cell; expected {header}, "
            f"a {_KINDS[role]} cell"
        )
    return faults


def _tag_faults(cell: NotebookNode) -> list[str]:
    tags = cell.metadata.get("tags", [])
    if not (isinstance(tags, list) and all(map(_is_text, tags))):
        return [f'tags={tags!r}; expected a list of texts, such as tags=["needed"]']
    faults = [
        f'unknown tag {tag!r}; do you mean tags=["{near[0]}"]?'
        for tag in tags
        if tag not in _TAGS and (near := difflib.get_close_matches(tag, _TAGS))
    ]
    if FOLDED_TAG in tags and (
        cell.cell_type != "code" or any(role in cell.metadata for role in ROLES)
    ):
        faults.append(f'tags=["{FOLDED_TAG}"] is for given code cells')
    return faults


def _region_faults(
    cell: NotebookNode, name: str, owner: str, role: str | None
) -> list[Fault]:
    """Markers of what nbgrader takes out: not in pairs, or in a cell of another role."""
    marks = [
        (number, word)
        for number, line in enumerate(cell.source.splitlines(), cell.source_line)
        for word in ("BEGIN", "END")
        if f"{word} {name}" in line
    ]
    if marks and role != owner:
        text = f"### {marks[0][1]} {name} belongs in a cell with {owner}="
        return [Fault(marks[0][0], text)]
    if [word for _, word in marks] == ["BEGIN", "END"] * (len(marks) // 2):
        return []
    text = f"### BEGIN {name} and ### END {name} take turns, and each BEGIN has its END"
    return [Fault(marks[0][0], text)]


def _lost_headers(cell: NotebookNode) -> list[Fault]:
    """Lines that would be the header of a cell, had they a blank behind the `%%`."""
    return [
        Fault(number, f'{line.strip()!r} begins no cell; write "# %% {found[1]}=..."')
        for number, line in enumerate(cell.source.splitlines(), cell.source_line)
        if (found := _LOST_HEADER.match(line))
    ]


def _list_faults(cell: NotebookNode) -> list[Fault]:
    """Lines within a paragraph that would begin a list: a wrapped "1)", a minus sign."""
    if cell.cell_type != "markdown":
        return []
    faults, before, fenced, last = [], "", False, 0
    for number, line in enumerate(cell.source.splitlines(), cell.source_line):
        begins = bool(_ITEM.match(line)) and not _BEFORE_ITEM.match(before)
        if count := _NUMBERED.match(line):
            # Some renderers begin a list with any number, as with a year in a source.
            begins |= bool(before.strip()) and int(count[1]) not in (1, last + 1)
            last = int(count[1])
        if begins and not fenced:
            text = (
                f"{line.strip()[:20]!r} begins a list within a paragraph; break the "
                "line elsewhere, or leave a blank line above a list"
            )
            faults.append(Fault(number, text))
        fenced ^= len(_FENCE.findall(line)) % 2 == 1
        before = line
    return faults


def _syntax_faults(cell: NotebookNode) -> list[Fault]:
    if cell.cell_type != "code" or cell.source.startswith("%%"):
        return []
    # IPython's own lines are no Python, and stand in cells without a role alone.
    given = not set(ROLES) & set(cell.metadata)
    try:
        parse(plain_python(cell.source) if given else cell.source)
    except SyntaxError as error:
        line = cell.source_line + (error.lineno or 1) - 1
        return [Fault(line, f"is not Python: {error.msg}")]
    except (ValueError, RecursionError, MemoryError) as error:
        return [Fault(cell.line, f"is not Python: {error or type(error).__name__}")]
    return []


def _solution_faults(cell: NotebookNode, checked: set[str]) -> list[str]:
    if "BEGIN SOLUTION" in cell.source:
        return []
    return ["has no ### BEGIN SOLUTION ... ### END SOLUTION around the solution"]


def _check_faults(cell: NotebookNode, checked: set[str]) -> list[str]:
    faults = []
    names = check_names(cell.source)
    if not names and "assert" not in cell.source:
        faults.append("calls neither check(...) nor assert at its top level")
    if "check.rng" in visible_source(cell.source):
        # Its numbers differ from course to course; what students get does not.
        faults.append("draws from check.rng() outside its hidden tests")
    if None in names:
        faults.append('a check without a literal name; write check("its name", value)')
    return faults


def _manual_faults(cell: NotebookNode, checked: set[str]) -> list[str]:
    return []


def _mistakes_faults(cell: NotebookNode, checked: set[str]) -> list[str]:
    key, functions = cell.metadata["mistakes"], mistake_functions(cell)
    faults = []
    if str(key) not in checked:
        faults.append(f"no check={key!r} that could catch these mistakes")
    if not functions:
        faults.append("defines no function; each function is one usual wrong answer")
    return faults + [
        f"{name}() has no docstring: it is the hint"
        for name, hint in functions
        if not hint
    ]


_ROLE_FAULTS = {
    "solution": _solution_faults,
    "check": _check_faults,
    "manual": _manual_faults,
    "mistakes": _mistakes_faults,
}


def _name_faults(script: Script) -> list[Fault]:
    """Expected values are looked up by name, so a name stands once in a lab."""
    names = [
        (name, cell.line)
        for cell in script.cells_of("check")
        if not _syntax_faults(cell)
        for name in check_names(cell.source)
        if name is not None
    ]
    lines = dict(names)
    return [
        Fault(lines[name], f"the check name {name!r} stands {count} times")
        for name, count in Counter(name for name, _ in names).items()
        if count > 1
    ]


def _import_faults(script: Script) -> list[Fault]:
    """labkit keeps TensorFlow's start-up lines out of the notebook, if it is there first."""
    for cell in script.cells:
        imports = re.findall(
            r"^(?:import|from) (keras|tensorflow|labkit)\b",
            cell.source if cell.cell_type == "code" else "",
            flags=re.MULTILINE,
        )
        if imports and imports[0] == "labkit":
            return []
        if imports:
            text = (
                f"imports {imports[0]} before labkit; import from labkit first, in a "
                "cell above"
            )
            return [Fault(cell.line, text)]
    return []
