"""What the release tells students beside a lab's text: points, names, how long it runs."""

import re
from collections.abc import Iterator, Sequence

from nbformat import NotebookNode

from labkit import __version__
from labkit.checks.display import in_points
from labkit.checks.guide import Exercise, Guide, Task
from labkit.labs.headings import anchor, exercise_title, headings, move_links
from labkit.labs.lab import Lab, cell_id
from labkit.labs.names import names

_HEADING = re.compile(r"^#{1,6} +(?P<text>.*\S)")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
# What stands above the line that fails in a kernel without labkit.
KERNEL_HINT = (
    "# No module named 'labkit'? This is another Python's kernel: menu Kernel,\n"
    "# Change Kernel. In a terminal, `labkit kernel install` makes the right one."
)


def lab_guide(lab: Lab) -> Guide:
    """The guide of a lab, as it ships."""
    cells = [cell for cell in lab.script.cells if "mistakes" not in cell.metadata]
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    used = {name for source in code for name in names(source).used}
    places: dict[str, str] = {}
    notebook = NotebookNode(cells=cells)
    for cell, heading in zip(cells, headings(notebook), strict=True):
        if cell.cell_type == "code" and "check" not in cell.metadata:
            for name in sorted(names(cell.source).defined & used):
                places.setdefault(name, heading.replace("`", ""))
    tasks, exercises = tuple(_tasks(lab)), _exercises(lab, cells)
    return Guide(__version__, tasks, exercises, places, lab.run_seconds)


def _tasks(lab: Lab) -> Iterator[Task]:
    for cell in lab.script.cells:
        for role in ("check", "manual"):
            if role in cell.metadata:
                name = cell_id(role, cell.metadata[role])
                points = float(cell.metadata["points"])
                yield Task(name, exercise_title(name), points, role == "manual")


def _exercises(lab: Lab, cells: Sequence[NotebookNode]) -> dict[str, Exercise]:
    checked = [str(cell.metadata["check"]) for cell in lab.cells("check")]
    found = {}
    for index, cell in enumerate(cells):
        if "solution" not in cell.metadata:
            continue
        key = str(cell.metadata["solution"])
        defined = exercise_names(cell)
        checks = tuple(cell_id("check", one) for one in checked if one in defined)
        later = [one for one in cells[index + 1 :] if one.cell_type == "code"]
        others = [one for one in later if one.metadata.get("check") not in defined]
        used = any(names(one.source).used & set(defined) for one in others)
        value = f"def {key}" not in cell.source and f"class {key}" not in cell.source
        found[key] = Exercise(defined, checks, used, value)
    return found


def exercise_names(solution: NotebookNode) -> tuple[str, ...]:
    """The names that the cell of an exercise defines, its own first."""
    key = str(solution.metadata["solution"])
    others = names(solution.source).defined - {key}
    return (key, *sorted(name for name in others if not name.startswith("_")))


def tell_points(cells: list[NotebookNode]) -> None:
    """Write the points of graded cells into the headings above them.

    Links in the text that lead to such a heading follow it.
    """
    place: tuple[int, int] | None = None
    points: dict[tuple[int, int], list[float]] = {}
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata:
            place = next(((index, line) for line in _last_heading(cell.source)), place)
        role = cell.metadata.get("nbgrader", {})
        if place is not None and role.get("grade"):
            earned = points.setdefault(place, [0.0, 0.0])
            earned[cell.cell_type == "markdown"] += role["points"]
    moved = {}
    for (index, number), earned in points.items():
        lines = cells[index].source.splitlines()
        told = f" ({_worth(*earned)})"
        heading = lines[number].lstrip("#").strip()
        moved[anchor(heading)] = anchor(heading + told)
        lines[number] = lines[number].rstrip() + told
        cells[index].source = "\n".join(lines)
    move_links(cells, moved)


def _worth(checked: float, in_words: float) -> str:
    """Points in words: `2 points`, `4 points, and 2 in words`, `3 points, in words`."""
    points = in_points(checked or in_words)
    if not in_words:
        return points
    return f"{points}, and {in_words:g} in words" if checked else f"{points}, in words"


def _last_heading(text: str) -> list[int]:
    """The number of the last line of a text that is a heading; none where none is."""
    found: list[int] = []
    inside = False
    for number, line in enumerate(text.splitlines()):
        inside ^= _FENCE.match(line) is not None
        if not inside and _HEADING.match(line):
            found = [number]
    return found


def tell_kernel(cells: list[NotebookNode]) -> None:
    """Say above the first import of labkit what to do where it fails."""
    for cell in cells:
        if cell.cell_type == "code" and "nbgrader" not in cell.metadata:
            found = re.search(r"^(from|import) labkit\b", cell.source, re.MULTILINE)
            if found:
                at = found.start()
                cell.source = f"{cell.source[:at]}{KERNEL_HINT}\n{cell.source[at:]}"
                return
