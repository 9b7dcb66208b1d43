"""Parts of nbgrader's pipeline that put a submitted notebook in order before it runs.

nbgrader restores the text of locked cells. It stops at most other damage: at a cell that
was copied, at one of another lab, at changed roles, at two cells deleted in a row. Here
every cell gets back what the gradebook knows of it, and the student is told.
"""

import copy

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.preprocessors import NbGraderPreprocessor
from nbgrader.utils import compute_checksum

from labkit.errors import LabkitError
from labkit.execution.run_metadata import RunMetadata
from labkit.grading.current_format import (
    cell_in_format,
    free_id,
    in_current_format,
)
from labkit.grading.repairs import LabCell, repairs
from labkit.labs.lab import grade_id

LOCKED = {"deletable": False, "editable": False}


class CurrentFormat(NbGraderPreprocessor):
    """Bring a notebook to today's format: whole cells, each with an id of its own.

    Must come first: all others, nbgrader's too, take metadata and ids for granted.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        if not isinstance(nb.get("cells"), list):
            raise LabkitError("The file is not a notebook: it has no list of cells.")
        nb, notes = in_current_format(nb)
        resources["labkit"] = {"notes": notes}
        return nb, resources


class KeepSubmitted(NbGraderPreprocessor):
    """Keep the notebook as it was handed in, and the lab's cells, for the parts below.

    Must come after CurrentFormat and ClearOutput and before whatever repairs.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        resources["labkit"] |= {"submitted": copy.deepcopy(nb), "lab": _lab(resources)}
        return nb, resources


def _lab(resources: ResourcesDict) -> dict[str, LabCell]:
    names = resources["nbgrader"]
    with Gradebook(names["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(names["notebook"], names["assignment"])
        points = {
            cell.name: float(cell.max_score)
            for cell in (*notebook.grade_cells, *notebook.task_cells)
        }
        grades, solutions, tasks = (
            {cell.name for cell in cells}
            for cells in (
                notebook.grade_cells,
                notebook.solution_cells,
                notebook.task_cells,
            )
        )
        return {
            cell.name: LabCell(
                cell.name,
                cell.cell_type,
                cell.source,
                cell.checksum,
                cell.locked,
                cell.name in grades,
                cell.name in solutions,
                cell.name in tasks,
                points.get(cell.name),
            )
            for cell in notebook.source_cells
        }


class RestoreRoles(NbGraderPreprocessor):
    """Give each cell of the lab the role, points and type that the gradebook has for it.

    A cell that lost its mark is known by its id. One that is not of this lab is an
    ordinary cell. Must come after KeepSubmitted and before OverwriteCells, which fails
    on other roles and believes the tags of a check cell ("skip-execution" would give it
    full points).
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        lab = resources["labkit"]["lab"]
        marked = {grade_id(cell) for cell in nb.cells}
        for index, cell in enumerate(nb.cells):
            name = grade_id(cell)
            if name is None and cell.id not in marked:
                name = cell.id
            cell.metadata.pop("nbgrader", None)
            if name in lab:
                nb.cells[index] = _with_role(cell, lab[name])
        return nb, resources


def _with_role(cell: NotebookNode, known: LabCell) -> NotebookNode:
    if known.cell_type != cell.cell_type:
        cell = cell_in_format(known.cell_type, cell.source, cell.metadata, cell.id)
    if known.locked:
        cell.metadata = NotebookNode(LOCKED)
    cell.metadata["nbgrader"] = nbformat.from_dict(known.role())
    return cell


class KeepOneOfEach(NbGraderPreprocessor):
    """Leave one cell of each name; the others become ordinary cells.

    The last one counts, as in nbgrader and in Python; of answers that a person reads,
    the last that was written in. Must come after RestoreRoles. nbgrader's
    DeduplicateIds leaves marks behind at which its own CheckCellMetadata stops.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        by_name: dict[str, list[NotebookNode]] = {}
        for cell in nb.cells:
            if (name := grade_id(cell)) is not None:
                by_name.setdefault(name, []).append(cell)
        for cells in by_name.values():
            counting = _counting(cells)
            for cell in cells:
                if cell is not counting:
                    del cell.metadata["nbgrader"]
        return nb, resources


def _counting(cells: list[NotebookNode]) -> NotebookNode:
    role = cells[-1].metadata.nbgrader
    if role.solution and role.grade:
        written = [c for c in cells if compute_checksum(c) != role.get("checksum")]
        return (written or cells)[-1]
    return cells[-1]


class PutBackCells(NbGraderPreprocessor):
    """Put the lab's missing cells back, each behind the cell it belongs to.

    Must come after KeepOneOfEach. OverwriteCells has an option for it, but stops where
    the cell in front is missing too, and takes a deleted answer for a written one. An
    answer that is code and has no points stays away: its stub would undo code that the
    student wrote elsewhere.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        lab = list(resources["labkit"]["lab"].values())
        taken = {cell.id for cell in nb.cells}
        for index, known in enumerate(lab):
            present = {grade_id(cell): i for i, cell in enumerate(nb.cells)}
            ungraded = known.solution and not known.grade
            if known.name not in present and not ungraded:
                place = _place(present, lab, index, len(nb.cells))
                nb.cells.insert(place, _new_cell(known, free_id(known.name, taken)))
        return nb, resources


def _place(
    present: dict[str | None, int], lab: list[LabCell], index: int, end: int
) -> int:
    """Right behind the cell in front of it in the lab, else in front of the next one."""
    if index and lab[index - 1].name in present:
        return present[lab[index - 1].name] + 1
    later = (present[one.name] for one in lab[index + 1 :] if one.name in present)
    return next(later, end)


def _new_cell(known: LabCell, cell_id: str) -> NotebookNode:
    cell = cell_in_format(known.cell_type, known.source, NotebookNode(), cell_id)
    return _with_role(cell, known)


class TellRepairs(NbGraderPreprocessor):
    """Write into the notebook's metadata, for its feedback, what was repaired.

    Must come last of those that repair.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        before = resources.pop("labkit")
        found = repairs(before["submitted"], nb, before["lab"].values())
        RunMetadata(repairs=(*before["notes"], *found)).write(nb)
        return nb, resources
