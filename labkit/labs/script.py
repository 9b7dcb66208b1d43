"""A lab's percent script: its header, its cells, and the line on which each begins."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from jupytext.cell_reader import (  # type: ignore[import-untyped]  # it ships none
    DoublePercentScriptCellReader,
)
from nbformat import NotebookNode

# What may stand behind `# %%`: a title or a kind in brackets, then attributes.
_CELL = re.compile(
    r"""\#\ ?%%
    (?P<title>(?:[ ][^][{}="\s]+(?=[ ]|$))*)
    (?:[ ](?P<kind>\[(?:markdown|md|raw)\]))?
    (?P<attributes>(?:[ ]\w+=(?:"[^"\\]*"|\[[^]]*\]|[^][{}",=\s]+))*)
    [ ]*""",
    re.VERBOSE,
)
# All that jupytext takes for the beginning of a cell.
_BEGINS_CELL = re.compile(r"\s*#\s*(%%+(\s|$)|<codecell>|In\[[0-9 ]*\])")
_ATTRIBUTE = re.compile(r"""(\w+)=("[^"]*"|\[[^]]*\]|\S+)""")
_EXPECTED = (
    "expected # %%, # %% [markdown], or one of them with attributes such as "
    'solution="sigmoid" or check="sigmoid" points=2'
)


class Fault(NamedTuple):
    """What is wrong with a lab's text, and on which line."""

    line: int
    text: str

    def at(self, path: Path) -> str:
        """The fault in a file, as editors and terminals can follow it."""
        return f"{path}:{self.line}: {self.text}"


@dataclass
class Script:
    """What a lab's text holds.

    Each cell has, beside what a notebook's cell has, `line`, that of its `# %%`,
    `source_line`, the first of its text, and `readable`, whether its attributes are.
    `header` is what stands below jupyter/labkit, None where it cannot be read, and
    `field_lines` where each of its fields stands. `faults` are those of the form.
    """

    header: Any
    field_lines: dict[str, int]
    cells: list[NotebookNode] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def cells_of(self, role: str) -> list[NotebookNode]:
        """The cells that carry a role, in order."""
        return [cell for cell in self.cells if role in cell.metadata]


def read_script(text: str) -> Script:
    """Read a percent script; what is wrong with its form is among its faults."""
    lines = text.splitlines()
    begin = _header_end(lines)
    script = _read_header(lines[:begin])
    while begin < len(lines) and not lines[begin].strip():
        begin += 1
    while begin < len(lines):
        begin += _read_cell(lines[begin:], begin + 1, script)
    return script


def _read_cell(lines: list[str], line: int, script: Script) -> int:
    """Read the cell that the lines begin with; returns how many of them it takes."""
    marked = _BEGINS_CELL.match(lines[0]) is not None
    kind, attributes, faults = _cell_header(lines[0]) if marked else ("", {}, [])
    script.faults += [Fault(line, fault) for fault in faults]
    # jupytext sees no attributes: some have a meaning of their own to it.
    plain = [f"# %% {kind}".rstrip(), *lines[1:]] if marked else lines
    reader = DoublePercentScriptCellReader(
        {"extension": ".py", "format_name": "percent"}, default_language="python"
    )
    cell, count = reader.read(plain)
    cell.metadata = NotebookNode(attributes)
    cell["line"], cell["source_line"] = line, line + marked
    cell["readable"] = not faults
    script.cells.append(cell)
    return int(count)


def _cell_header(header: str) -> tuple[str, dict[str, Any], list[str]]:
    """The kind of a cell, its attributes, and what is wrong with its header."""
    found = _CELL.fullmatch(header)
    if found is None:
        return "", {}, [f"{header.strip()!r} is no header of a cell; {_EXPECTED}"]
    attributes: dict[str, Any] = {}
    faults = []
    for name, text in _ATTRIBUTE.findall(found["attributes"]):
        if name in attributes:
            faults.append(f"{name}= stands twice in the header of a cell")
        try:
            attributes[name] = json.loads(text)
        except ValueError:
            faults.append(f'{name}={text} is no value; a text is written {name}="..."')
            attributes[name] = text
    if title := found["title"].strip():
        attributes["title"] = title
    return found["kind"] or "", attributes, faults


def _header_end(lines: list[str]) -> int:
    """How many lines the header takes; 0 where the text does not begin with one."""
    if not lines or lines[0].rstrip() != "# ---":
        return 0
    ends = [i for i, line in enumerate(lines) if i and line.rstrip() == "# ---"]
    return ends[0] + 1 if ends else 0


def _read_header(lines: list[str]) -> Script:
    if not lines:
        fault = "the lab does not begin with a header between two lines `# ---`"
        return Script(None, {}, faults=[Fault(1, fault)])
    text = "\n".join(line.removeprefix("#") for line in lines[1:-1])
    try:
        header = yaml.safe_load(text)
        found = _table(_table(header, "jupyter"), "labkit", missing={})
        script = Script(found, {})
        _find_fields(yaml.compose(text), ("jupyter", "labkit"), script)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        fault = f"the header is not YAML: {problem}"
        return Script(None, {}, faults=[Fault(mark.line + 2 if mark else 1, fault)])
    return script


def _table(value: Any, name: str, missing: Any = None) -> Any:
    return value.get(name, missing) if isinstance(value, dict) else missing


def _find_fields(node: yaml.Node | None, path: tuple[str, ...], script: Script) -> None:
    """Note where each field of a table stands, and which of them stands twice."""
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        line = key.start_mark.line + 2
        if key.value in seen:
            script.faults.append(
                Fault(line, f"{key.value}: stands twice in the header")
            )
        seen.add(key.value)
        if not path:
            script.field_lines[key.value] = line
        elif key.value == path[0]:
            _find_fields(value, path[1:], script)
