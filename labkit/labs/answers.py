"""Answers to a lab: its solutions, its mistakes, its rescues, in a released notebook."""

import copy
from collections.abc import Iterable

from nbformat import NotebookNode

from labkit.errors import LabkitError
from labkit.labs.cells import mistake_functions
from labkit.labs.lab import Lab, cell_id


def solve(blank: NotebookNode, lab: Lab, fraction: float = 1.0) -> NotebookNode:
    """The released notebook with the first exercises solved, and questions answered if all are."""
    notebook = copy.deepcopy(blank)
    exercises = lab.cells("solution")
    solved = exercises[: round(len(exercises) * fraction)]
    sources = {
        cell_id("solution", cell.metadata["solution"]): _without_markers(cell.source)
        for cell in solved
    }
    if fraction == 1.0:
        sources |= {
            cell_id("manual", cell.metadata["manual"]): cell.source
            for cell in lab.cells("manual")
        }
    return _with_sources(notebook, sources)


def rescue(solved: NotebookNode, exercises: Iterable[str]) -> NotebookNode:
    """A solved notebook in which some exercises are rescued in the place of an answer."""
    lines = {name: f'check.rescue("{name}")' for name in exercises}
    return _with_sources(copy.deepcopy(solved), lines)


def mistake(solved: NotebookNode, lab: Lab, exercise: str, name: str) -> NotebookNode:
    """A solved notebook in which one exercise is answered with one of its declared mistakes."""
    for cell in lab.cells("mistakes"):
        if cell.metadata["mistakes"] == exercise and name in dict(
            mistake_functions(cell)
        ):
            bind = f"{exercise} = {name} if callable({exercise}) else {name}()"
            right = {c.metadata["solution"]: c for c in lab.cells("solution")}[exercise]
            source = "\n\n".join([_without_markers(right.source), cell.source, bind])
            return _with_sources(
                copy.deepcopy(solved), {cell_id("solution", exercise): source}
            )
    raise LabkitError(
        f"{lab.path}: the exercise {exercise!r} declares no mistake {name!r}."
    )


def _with_sources(notebook: NotebookNode, sources: dict[str, str]) -> NotebookNode:
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in sources:
            cell.source = sources[name]
    return notebook


def _without_markers(source: str) -> str:
    return "\n".join(
        line
        for line in source.splitlines()
        if "### BEGIN" not in line and "### END" not in line
    )
