"""The rescues of a lab: for each exercise that later cells use, code that stands alone."""

import ast
from functools import lru_cache
from pathlib import Path

from nbformat import NotebookNode

from labkit.checks.guide import Guide
from labkit.checks.protocol import PARSING, plain_python
from labkit.checks.rescue import RESCUES, Rescue, asked, pack
from labkit.labs.guides import exercise_names, lab_guide
from labkit.labs.lab import Lab, read_lab
from labkit.labs.names import names
from labkit.machine.syntax import parse

_Definition = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef


def lab_rescues(lab: Lab) -> dict[str, Rescue]:
    """The rescue of each exercise of a lab that later cells use.

    Each brings along the imports, functions and classes that it uses, other exercises
    among them, so that it works beside unwritten ones.
    """
    rescued = {name for name, one in lab_guide(lab).exercises.items() if one.rescue}
    definitions = _definitions(lab)
    return {
        key: Rescue(exercise_names(cell), _standing_alone(cell, definitions))
        for cell in lab.cells("solution")
        if (key := str(cell.metadata["solution"])) in rescued
    }


def asked_rescues(lab_path: Path, notebook: NotebookNode) -> dict[str, Rescue]:
    """The rescues of a lab that the text of a submission asks for."""
    wanted = asked(c.source for c in notebook.cells if c.cell_type == "code")
    if not wanted:
        return {}
    known, _ = _known(lab_path, lab_path.stat().st_mtime_ns)
    return {name: known[name] for name in wanted if name in known}


@lru_cache
def _known(lab_path: Path, _changed: int) -> tuple[dict[str, Rescue], Guide]:
    """The rescues and the guide of a lab, made once for a whole class."""
    with PARSING:
        lab = read_lab(lab_path)
        return lab_rescues(lab), lab_guide(lab)


def with_rescues(
    files: dict[str, bytes], lab_path: Path, notebook: NotebookNode
) -> dict[str, bytes]:
    """What lies beside a submission as it runs: the rescues that its text asks for, alone."""
    others = {name: content for name, content in files.items() if name != RESCUES}
    found = asked_rescues(lab_path, notebook)
    return {**others, RESCUES: pack(found)} if found else others


def rescued_checks(lab_path: Path, notebook: NotebookNode) -> set[str]:
    """The ids of the check cells that earn nothing in a submission: it asks for rescues."""
    found = asked_rescues(lab_path, notebook)
    if not found:
        return set()
    _, guide = _known(lab_path, lab_path.stat().st_mtime_ns)
    return {cell for name in found for cell in guide.checks_of(name)}


def _definitions(lab: Lab) -> dict[str, str]:
    """The text of every import, function and class of a lab, by each name it defines."""
    found: dict[str, str] = {}
    for cell in lab.script.cells:
        if cell.cell_type == "code" and not {"check", "mistakes"} & set(cell.metadata):
            for statement in parse(plain_python(cell.source)).body:
                if isinstance(statement, _Definition):
                    text = ast.unparse(statement)
                    found |= dict.fromkeys(names(text).defined, text)
    return found


def _standing_alone(cell: NotebookNode, definitions: dict[str, str]) -> str:
    """The code of an exercise below all definitions that it needs."""
    own = ast.unparse(parse(cell.source))
    needed: dict[str, None] = {}
    waiting = set(names(own).used)
    seen: set[str] = set(names(own).defined)
    while waiting:
        name = waiting.pop()
        seen.add(name)
        if name in definitions:
            text = definitions[name]
            needed[text] = None
            waiting |= names(text).used - seen
    # In the order of the lab: a default value or a decorator is used where it stands.
    ordered = [text for text in dict.fromkeys(definitions.values()) if text in needed]
    return "\n\n".join([*ordered, own])
