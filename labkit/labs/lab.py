"""Read a lab as its author wrote it: a percent script with short cell roles.

# %% solution="sigmoid"            the exercise; nbgrader clears its solution
# %% check="sigmoid" points=2      its graded checks
# %% [markdown] manual="explain" points=3    answered in words, graded by hand
# %% mistakes="sigmoid"            usual wrong answers; never released
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from labkit.errors import LabkitError
from labkit.labs.cells import mistake_functions
from labkit.labs.faults import text_faults
from labkit.labs.script import Fault, Script, read_script

GRADING_SECONDS = 60
# What students find in the place of a solution.
STUB = '# YOUR CODE HERE\nraise NotImplementedError("Write your code here.")'
# What encloses that which only staff may see.
MARKERS = ("BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS", "MARK SCHEME")
TRANSLATION = ".po"  # of a file that holds a lab's prose in another language
_LONGEST_LAB = 2**22  # bytes: what is larger is no lab's text


class LabError(LabkitError):
    """A lab's text that cannot be released: one line a fault."""

    @classmethod
    def of(cls, path: Path, faults: Iterable[Fault]) -> "LabError":
        """The error that tells the faults of a lab, each with file and line."""
        return cls("\n".join(one.at(path) for one in faults))


@dataclass(frozen=True)
class Lab:
    """A lab: its name, its file, and its cells as the author wrote them."""

    name: str
    path: Path
    script: Script

    @property
    def title(self) -> str:
        return str(self.script.header["title"])

    @property
    def summary(self) -> str:
        return str(self.script.header["summary"])

    @property
    def minutes(self) -> int:
        """How long a student works on it."""
        return int(self.script.header["minutes"])

    @property
    def grading_seconds(self) -> float:
        """The CPU seconds that the whole solution may take at grading."""
        return float(self.script.header.get("grading_seconds", GRADING_SECONDS))

    @property
    def run_seconds(self) -> tuple[float, float] | None:
        """What its solution took on real data, where training takes time worth telling.

        By the clock of two cores: in bfloat16, and in float32 with AVX2 only.
        """
        found = self.script.header.get("run_seconds")
        return tuple(found) if found else None

    @property
    def shows(self) -> dict[str, str]:
        """Files that its solution writes and `labkit demo` shows, each with a caption."""
        return dict(self.script.header.get("shows", {}))

    @property
    def sample_mistakes(self) -> list[str]:
        """Those of its usual mistakes that somebody in the sample class has made.

        The first one, where the header names none.
        """
        return list(self.script.header.get("sample_mistakes", list(self.mistakes)[:1]))

    @property
    def study(self) -> dict[str, Any]:
        """What `labkit study` trains: the fields of `labkit.study.Plan`."""
        return dict(self.script.header.get("study", {}))

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
        return self.script.cells_of(role)

    def line(self, grade_id: str) -> int:
        """Where the cell with a grade id begins in the lab's text; 1 for an unknown one."""
        lines = {
            cell_id(role, cell.metadata[role]): cell.line
            for role in ("solution", "check", "manual")
            for cell in self.cells(role)
        }
        return int(lines.get(grade_id, 1))


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

    Those are the labs themselves, under whatever name, what editors leave of them (a copy,
    a backup), and their translations, which hold every hint. No student, and no submission
    that runs, gets to see one.
    """
    return sorted(
        {
            path.name
            for path in solutions.glob("*/**/*")
            if path.is_file() and path.suffix != ".ipynb"
            if path.name == f"{path.parent.name}.py"
            or path.suffix == TRANSLATION
            or _holds_lab(path)
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
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(f"{path}: cannot be read: {error}") from None
    return _lab_of(path, text)


@lru_cache
def _lab_of(path: Path, text: str) -> Lab:
    """The lab that a text gives. It is read once: nobody changes the cells of a lab."""
    lab = Lab(path.stem, path, read_script(text))
    faults = text_faults(lab.script) or _unknown_mistakes(lab)
    if faults:
        raise LabError.of(path, faults)
    return lab


def _unknown_mistakes(lab: Lab) -> list[Fault]:
    """What the header says of mistakes that no exercise of the lab declares."""
    return [
        Fault(
            lab.script.field_lines["sample_mistakes"],
            f"sample_mistakes names {name!r}, and no exercise declares such a mistake."
            f" Known: {', '.join(lab.mistakes)}",
        )
        for name in lab.sample_mistakes
        if name not in lab.mistakes
    ]


def cell_id(role: str, key: str) -> str:
    """The grade id of a role: `sigmoid` for its solution, `check-sigmoid` for its check."""
    return key if role == "solution" else f"{role}-{key}"


def grade_id(cell: NotebookNode) -> str | None:
    """The grade id that a cell carries; None where it carries none that is text."""
    role = cell.metadata.get("nbgrader")
    name = role.get("grade_id") if isinstance(role, dict) else None
    return name if isinstance(name, str) else None
