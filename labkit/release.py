"""Release a lab: from its solution to what a student gets, through the gate."""

import ast
import json
import logging
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.authoring import Lab, LabError, find_labs, read_lab, visible_source
from labkit.checks import EXPECTED
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.files import write_bytes
from labkit.grading import reference
from labkit.grading.nbgrader_parts import write_source

START_PAGE = "start.md"


@dataclass
class Released:
    """What the release of one lab did: the files that changed and how long it ran."""

    lab: str
    changed: list[str] = field(default_factory=list)
    checks: int = 0
    mistakes: int = 0
    seconds: float = 0.0


def release(
    course: Course,
    names: list[str] | None = None,
    *,
    check: bool = False,
    announce: Callable[[str], None] = lambda _: None,
) -> list[Released]:
    """Write notebooks/<lab>/ for each lab; with `check`, write nothing and only compare.

    Raises LabError with everything that is wrong with the labs, and writes none of them.
    """
    paths = find_labs(course.solutions, names)
    faults: list[str] = []
    with tempfile.TemporaryDirectory(prefix="labkit-release-") as scratch:
        made = Path(scratch, "notebooks")
        outcome = []
        for path in paths:
            try:
                outcome.append(_make(course, path, made, announce))
            except LabError as error:
                faults += str(error).splitlines()
        if faults:
            raise LabError("\n".join(faults))
        for done in outcome:
            done.changed = _install(
                made / done.lab, course.notebooks / done.lab, dry=check
            )
    page = start_page([read_lab(path) for path in find_labs(course.solutions)])
    target = course.notebooks / START_PAGE
    if not target.is_file() or target.read_text("utf-8") != page:
        outcome.append(Released("start page", [START_PAGE]))
        if not check:
            write_bytes(target, page.encode())
    return outcome


def _make(course: Course, path: Path, notebooks: Path, announce: Callable) -> Released:
    """Make one lab's release folder in `notebooks` with nbgrader's own converter."""
    lab = read_lab(path)
    write_source(path)
    found = reference.references(path, course.build, course.seed, announce)
    announce(f"{lab.name}: release")
    # A gradebook of its own: a release alone enters nothing into the course's.
    scratch = Course(notebooks.parent, course.solutions, notebooks, course.build)
    generate_assignment(scratch, lab.name)
    faults = gate(lab, notebooks / lab.name, found)
    if faults:
        raise LabError("\n".join(f"{lab.name}: {fault}" for fault in faults))
    checks = [check for cell in found["cells"].values() for check in cell]
    mistakes = {m["name"] for check in checks for m in check.get("mistakes", ())}
    return Released(
        lab.name, checks=len(checks), mistakes=len(mistakes), seconds=found["seconds"]
    )


def generate_assignment(course: Course, lab: str) -> None:
    """Run nbgrader's generate_assignment for one lab of a course."""
    answer = nbgrader_api(course).generate_assignment(lab)
    if not answer["success"]:
        raise LabkitError(
            f"nbgrader could not release {lab}:\n{answer.get('log') or answer.get('error')}"
        )


def nbgrader_api(course: Course):
    """nbgrader's API on a course, with our parts in its pipelines."""
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    config = course.configure(Config())
    # Its log goes into the answer of each call; alembic's would go to the terminal.
    logging.getLogger("alembic").setLevel(logging.ERROR)
    return NbGraderAPI(config=config)


def gate(lab: Lab, folder: Path, references: dict) -> list[str]:
    """Everything in a release folder that a student must not get, or cannot use."""
    notebook = nbformat.read(folder / f"{lab.name}.ipynb", as_version=4)
    faults = _notebook_faults(notebook)
    text = json.dumps(notebook.cells, ensure_ascii=False)
    faults += [f"the release holds {what}" for what in _leaks(lab, notebook, text)]
    expected = json.loads((folder / EXPECTED).read_text("utf-8"))
    if any(check["hidden"] for found in expected["cells"].values() for check in found):
        faults.append(f"{EXPECTED} holds a hidden check")
    allowed = {f"{lab.name}.ipynb", EXPECTED}
    extra = [
        p.name
        for p in folder.iterdir()
        if p.suffix in (".py", ".json", ".db") and p.name not in allowed
    ]
    return faults + [f"the release holds the staff file {name}" for name in extra]


def _notebook_faults(notebook: NotebookNode) -> list[str]:
    ids = [cell.id for cell in notebook.cells]
    faults = ["two cells have the same id"] if len(set(ids)) < len(ids) else []
    for cell in notebook.cells:
        if cell.get("outputs") or cell.get("execution_count"):
            faults.append(f"cell {cell.id} has outputs")
        foreign = set(cell.metadata) - {"nbgrader", "tags", "deletable", "editable"}
        if foreign:
            faults.append(
                f"cell {cell.id} has staff metadata: {', '.join(sorted(foreign))}"
            )
        if cell.cell_type == "code":
            try:
                ast.parse(re.sub(r"^%.*$", "", cell.source, flags=re.M))
            except SyntaxError as error:
                faults.append(f"cell {cell.id} does not parse: {error.msg}")
    return faults


def _leaks(lab: Lab, notebook: NotebookNode, text: str) -> list[str]:
    markers = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
    leaks = [f"the marker {marker}" for marker in markers if marker in text]
    released = "\n".join(cell.source for cell in notebook.cells)
    for cell in lab.cells("mistakes"):
        leaks += [
            f"the mistake {line}"
            for line in _definitions(cell.source)
            if line in released
        ]
    for cell in lab.cells("check"):
        hidden = set(cell.source.splitlines()) - set(
            visible_source(cell.source).splitlines()
        )
        leaks += [
            f"the hidden line {line!r}"
            for line in hidden
            if _telling(line) and line in released
        ]
    return leaks


def _definitions(source: str) -> list[str]:
    return [line for line in source.splitlines() if line.startswith("def ")]


def _telling(line: str) -> bool:
    """Whether a line names a check, in one line or as the first argument below `check(`."""
    return line.strip().startswith(("check(", '"')) and line.strip() != "check("


def _install(made: Path, target: Path, dry: bool) -> list[str]:
    """Bring a release folder up to date; returns the files that differ(ed)."""
    changed = []
    for path in sorted(p for p in made.rglob("*") if p.is_file()):
        place = target / path.relative_to(made)
        if _same(path, place):
            continue
        changed.append(str(path.relative_to(made)))
        if not dry:
            write_bytes(place, path.read_bytes())
    for path in (
        sorted(p for p in target.rglob("*") if p.is_file()) if target.is_dir() else []
    ):
        if (
            ".ipynb_checkpoints" not in path.parts
            and not (made / path.relative_to(target)).exists()
        ):
            changed.append(f"{path.relative_to(target)} (not of the lab)")
            if not dry:
                path.unlink()
    return changed


def _same(made: Path, kept: Path) -> bool:
    """Same bytes; for expected values, the same within each check's tolerance, since
    the last digits of a sum differ between machines."""
    if not kept.is_file():
        return False
    if made.name == EXPECTED:
        try:
            return reference.same_values(
                *(json.loads(p.read_text("utf-8")) for p in (made, kept))
            )
        except (ValueError, KeyError, TypeError):
            return False
    return made.read_bytes() == kept.read_bytes()


def start_page(labs: list[Lab]) -> str:
    """The page that JupyterLab opens first: the labs in order, one line each."""
    rows = [
        f"| [{lab.title}]({lab.name}/{lab.name}.ipynb) | {lab.summary} | {_duration(lab.minutes)} |"
        for lab in labs
    ]
    return START_TEXT.format(rows="\n".join(rows))


def _duration(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return " ".join(
        part
        for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "")
        if part
    )


START_TEXT = """\
# Convolutional neural networks: the labs

Work through them in this order. Each builds on the one before.

| lab | what you will do | time |
|---|---|---|
{rows}

## How a lab works

1. Read a section, run its cells with **Shift+Enter**, play with its pictures.
2. Write your code where it says `# YOUR CODE HERE`. Delete the line
   `raise NotImplementedError(...)`.
3. Run the check cell below it. ✓ means right. ✗ tells you what was found,
   what was expected and, for the usual mistakes, what to think about.
4. When a whole lab is done: **Kernel → Restart Kernel and Run All Cells**.
   Then open a terminal (**File → New → Terminal**). There, `labkit check
   01_neuron/01_neuron.ipynb` runs the whole notebook as the grader will.

You can run a check as often as you like. Nothing is sent anywhere.
"""
