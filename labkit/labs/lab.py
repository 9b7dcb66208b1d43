"""Read a lab as its author wrote it: a percent script with short cell roles.

# %% solution="sigmoid"            the exercise; nbgrader clears its solution
# %% check="sigmoid" points=2      its graded checks
# %% [markdown] manual="explain" points=3    answered in words, graded by hand
# %% mistakes="sigmoid"            usual wrong answers; never released
"""

import ast
import difflib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext  # type: ignore[import-untyped]  # it ships none
from nbformat import NotebookNode

from labkit.checks.protocol import check_name, is_check, used_names
from labkit.errors import LabkitError

GRADING_SECONDS = 60
# What students find in the place of a solution.
STUB = '# YOUR CODE HERE\nraise NotImplementedError("Write your code here.")'
ROLES = ("solution", "check", "manual", "mistakes")
# What encloses that which only staff may see.
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
_LONGEST_LAB = 2**22  # bytes: what is larger is no lab's text
HIDDEN = re.compile(r"^[^\n]*BEGIN HIDDEN TESTS.*?END HIDDEN TESTS[^\n]*$", re.S | re.M)


class LabError(LabkitError):
    """A lab's text that cannot be released: one line a fault."""


@dataclass(frozen=True)
class Lab:
    """A lab: its name, its file, and its cells as the author wrote them."""

    name: str
    path: Path
    notebook: NotebookNode

    @property
    def _header(self) -> dict[str, Any]:
        """What the author wrote below `labkit:` at the top of the lab."""
        header: dict[str, Any] = self.notebook.metadata["labkit"]
        return header

    @property
    def title(self) -> str:
        return str(self._header["title"])

    @property
    def summary(self) -> str:
        return str(self._header["summary"])

    @property
    def minutes(self) -> int:
        """How long a student works on it."""
        return int(self._header["minutes"])

    @property
    def grading_seconds(self) -> float:
        """The CPU seconds that the whole solution may take at grading."""
        return float(self._header.get("grading_seconds", GRADING_SECONDS))

    @property
    def run_seconds(self) -> tuple[float, float] | None:
        """What its solution took on real data, where training takes time worth telling.

        By the clock of two cores: in bfloat16, and in float32 with AVX2 only.
        """
        found = self._header.get("run_seconds")
        return tuple(found) if found else None

    @property
    def shows(self) -> dict[str, str]:
        """Files that its solution writes and `labkit demo` shows, each with a caption."""
        return dict(self._header.get("shows", {}))

    @property
    def sample_mistakes(self) -> list[str]:
        """Those of its usual mistakes that somebody in the sample class has made.

        The first one, where the header names none.
        """
        return list(self._header.get("sample_mistakes", list(self.mistakes)[:1]))

    @property
    def study(self) -> dict[str, Any]:
        """What `labkit study` trains: the fields of `labkit.study.Plan`."""
        return dict(self._header.get("study", {}))

    @property
    def mistakes(self) -> dict[str, str]:
        """The usual mistakes in its exercises by name, each with its exercise."""
        exercises = {cell.metadata["solution"] for cell in self.cells("solution")}
        return {
            name: cell.metadata["mistakes"]
            for cell in self.cells("mistakes")
            if cell.metadata["mistakes"] in exercises
            for name, _ in mistake_functions(cell)
        }

    def cells(self, role: str) -> list[NotebookNode]:
        """The cells that carry a role, in order."""
        return [cell for cell in self.notebook.cells if role in cell.metadata]


def find_labs(solutions: Path, names: list[str] | None = None) -> list[Path]:
    """The lab files in a solutions folder, all or those named (a prefix will do)."""
    found = sorted(
        path for path in solutions.glob("*/*.py") if path.stem == path.parent.name
    )
    if not names:
        if not found:
            raise LabError(
                f"No labs in {solutions}: expected {solutions}/<lab>/<lab>.py."
            )
        return found
    chosen = []
    for name in names:
        matches = [path for path in found if path.stem.startswith(name)]
        if len(matches) != 1:
            known = ", ".join(path.stem for path in found)
            raise LabError(f"No single lab is named {name!r}. The labs: {known}.")
        chosen += matches
    return chosen


def staff_files(solutions: Path) -> list[str]:
    """The names of the files in the labs' folders that hold the text of a lab.

    Those are the labs themselves, under whatever name, and what editors leave of them: a
    copy, a backup. No student, and no submission that runs, gets to see one.
    """
    return sorted(
        {
            path.name
            for path in solutions.glob("*/**/*")
            if path.is_file() and path.suffix != ".ipynb"
            if path.name == f"{path.parent.name}.py" or _holds_lab(path)
        }
    )


def _holds_lab(path: Path) -> bool:
    if path.stat().st_size > _LONGEST_LAB:
        return False
    content = path.read_bytes()
    return any(marker.encode() in content for marker in MARKERS)


def read_lab(path: Path) -> Lab:
    """Read a lab's percent script; raises LabError with every fault in it."""
    try:
        notebook = jupytext.read(path, fmt="py:percent")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise LabError(f"{path}: cannot be read: {error}") from None
    lab = Lab(path.stem, path, notebook)
    faults = _faults(lab)
    if faults:
        raise LabError("\n".join(f"{path}: {fault}" for fault in faults))
    return lab


def cell_id(role: str, key: str) -> str:
    """The grade id of a role: `sigmoid` for its solution, `check-sigmoid` for its check."""
    return key if role == "solution" else f"{role}-{key}"


def exercise_title(grade_id: str) -> str:
    """`check-unit_norm` is shown as `unit_norm`, `manual-why_xor` as `why xor (in words)`."""
    role, _, key = grade_id.partition("-")
    if role == "manual":
        return f"{key.replace('_', ' ')} (in words)"
    return key if role == "check" else grade_id


def visible_source(source: str) -> str:
    """A check cell's source without its hidden part."""
    return HIDDEN.sub("", source)


def check_names(source: str) -> list[str | None]:
    """The names of the checks in a cell's source; None for one without a literal name."""
    tree = ast.parse(source)
    return [check_name(statement) for statement in tree.body if is_check(statement)]


def names_by_check(source: str) -> dict[str, tuple[str, ...]]:
    """For each check in a cell's source: the names that its text uses."""
    return {
        name: used_names(statement)
        for statement in ast.parse(source).body
        if is_check(statement) and (name := check_name(statement)) is not None
    }


def mistake_functions(cell: NotebookNode) -> list[tuple[str, str]]:
    """The functions of a mistakes cell: (name, hint), the hint being the docstring."""
    tree = ast.parse(cell.source)
    return [
        (node.name, " ".join((ast.get_docstring(node) or "").split()))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]


def _faults(lab: Lab) -> list[str]:
    faults = _header_faults(lab)
    keys = {role: [cell.metadata[role] for cell in lab.cells(role)] for role in ROLES}
    for role in ("solution", "check", "manual"):
        twice = [key for key, count in Counter(keys[role]).items() if count > 1]
        faults += [
            f"{role}={key!r} stands twice; each {role} needs its own name"
            for key in twice
        ]
    for cell in lab.notebook.cells:
        faults += [f"{_where(cell)}: {fault}" for fault in _cell_faults(cell, keys)]
    if not faults:  # only what can be read has mistakes to be named
        faults = _mistake_name_faults(lab)
    return faults + _name_faults(lab) + _import_faults(lab)


def _header_faults(lab: Lab) -> list[str]:
    header = lab.notebook.metadata.get("labkit", {})
    place = "the header's jupyter/labkit section"
    if not isinstance(header, dict):
        return [f"{place} is {header!r}; expected fields: {', '.join(_FIELDS)}"]
    missing = [
        f"{place} has no {name}; expected {_FIELDS[name].expected}"
        for name in _REQUIRED
        if name not in header
    ]
    wrong = [
        f"{place} has {name}: {header[name]!r}; expected {field.expected}"
        for name, field in _FIELDS.items()
        if name in header and not field.fits(header[name])
    ]
    return missing + wrong + [_unknown(name) for name in header if name not in _FIELDS]


def _unknown(name: object) -> str:
    near = difflib.get_close_matches(str(name), _FIELDS, n=1)
    meant = f"; do you mean {near[0]}?" if near else "."
    return (
        f"the header's jupyter/labkit section has an unknown field {name!r}{meant}"
        f" The fields: {', '.join(_FIELDS)}"
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


@dataclass(frozen=True)
class _Field:
    """A field of a header: which values fit, and what to say of one that does not."""

    fits: Callable[[Any], bool]
    expected: str


_REQUIRED = ("title", "summary", "minutes")
_FIELDS = {
    "title": _Field(_is_text, "a text"),
    "summary": _Field(_is_text, "a text"),
    "minutes": _Field(lambda value: type(value) is int, "a whole number"),
    "grading_seconds": _Field(_is_number, "a number"),
    "run_seconds": _Field(
        lambda value: (
            isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))
        ),
        "two numbers, such as [67, 135]",
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


def _mistake_name_faults(lab: Lab) -> list[str]:
    """What the header says of mistakes that no exercise of the lab declares."""
    return [
        f"sample_mistakes names {name!r}, and no exercise declares such a mistake."
        f" Known: {', '.join(lab.mistakes)}"
        for name in lab.sample_mistakes
        if name not in lab.mistakes
    ]


def _cell_faults(cell: NotebookNode, keys: dict[str, list[str]]) -> list[str]:
    roles = [role for role in ROLES if role in cell.metadata]
    if len(roles) > 1:
        return [f"has the roles {' and '.join(roles)}; a cell has one"]
    if not roles:
        unknown = set(cell.metadata) - {
            "tags",
            "title",
            "lines_to_next_cell",
            "region_name",
        }
        return [
            f"unknown attribute {name!r}; roles are {', '.join(ROLES)}"
            for name in sorted(unknown)
        ]
    role, key = roles[0], cell.metadata[roles[0]]
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", str(key)):
        return [f"{role}={key!r} is not a name (letters, digits, _)"]
    if cell.cell_type == "code":
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            return [f"line {error.lineno} is not Python: {error.msg}"]
    return _ROLE_FAULTS[role](cell, keys)


def _solution_faults(cell: NotebookNode, keys: dict[str, list[str]]) -> list[str]:
    begins, ends = (
        cell.source.count(f"### {word} SOLUTION") for word in ("BEGIN", "END")
    )
    if begins == ends and begins > 0:
        return []
    return ["has no ### BEGIN SOLUTION ... ### END SOLUTION around the solution"]


def _check_faults(cell: NotebookNode, keys: dict[str, list[str]]) -> list[str]:
    faults = _points_faults(cell)
    if not check_names(cell.source) and "assert" not in cell.source:
        faults.append("calls neither check(...) nor assert at its top level")
    if "check.rng" in visible_source(cell.source):
        # Its numbers differ from course to course; what students get does not.
        faults.append("draws from check.rng() outside its hidden tests")
    if None in check_names(cell.source):
        faults.append('a check without a literal name; write check("its name", value)')
    return faults


def _manual_faults(cell: NotebookNode, keys: dict[str, list[str]]) -> list[str]:
    return _points_faults(cell)


def _mistakes_faults(cell: NotebookNode, keys: dict[str, list[str]]) -> list[str]:
    key, functions = cell.metadata["mistakes"], mistake_functions(cell)
    faults = (
        []
        if key in keys["check"]
        else [f"no check={key!r} that could catch these mistakes"]
    )
    if not functions:
        faults.append("defines no function; each function is one usual wrong answer")
    return faults + [
        f"{name}() has no docstring: it is the hint"
        for name, hint in functions
        if not hint
    ]


def _points_faults(cell: NotebookNode) -> list[str]:
    points = cell.metadata.get("points")
    right = _is_number(points) and points > 0
    return [] if right else [f"points={points!r}; expected a number above 0"]


_ROLE_FAULTS = {
    "solution": _solution_faults,
    "check": _check_faults,
    "manual": _manual_faults,
    "mistakes": _mistakes_faults,
}


def _name_faults(lab: Lab) -> list[str]:
    """Expected values are looked up by name, so a name stands once in a lab."""
    names = Counter(
        name
        for cell in lab.cells("check")
        if cell.cell_type == "code" and _parses(cell.source)
        for name in check_names(cell.source)
        if name is not None
    )
    return [
        f"the check name {name!r} stands {count} times"
        for name, count in names.items()
        if count > 1
    ]


def _import_faults(lab: Lab) -> list[str]:
    """labkit keeps TensorFlow's start-up lines out of the notebook, if it is there first."""
    code = "\n".join(
        cell.source for cell in lab.notebook.cells if cell.cell_type == "code"
    )
    heavy = re.search(r"^(?:import|from) (keras|tensorflow)\b", code, re.M)
    ours = re.search(r"^(?:import|from) labkit\b", code, re.M)
    if heavy and (ours is None or heavy.start() < ours.start()):
        return [
            f"imports {heavy[1]} before labkit; import from labkit first, in a cell above"
        ]
    return []


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def _where(cell: NotebookNode) -> str:
    first = cell.source.strip().splitlines()[0] if cell.source.strip() else "(empty)"
    return f"the cell that begins with {first[:50]!r}"


def grade_id(cell: NotebookNode) -> str | None:
    """The grade id that a cell carries; None where it carries none that is text."""
    role = cell.metadata.get("nbgrader")
    name = role.get("grade_id") if isinstance(role, dict) else None
    return name if isinstance(name, str) else None
