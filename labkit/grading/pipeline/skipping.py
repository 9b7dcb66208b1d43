"""Which cells the checks depend on: the others are skipped at grading.

A lab shows a lot: figures, explorers, races between optimisers. What they show at grading
is made from stand-ins, and nobody looks at it. So a cell of the lab's own is skipped
where no cell that counts uses a name that it defines. Every cell that a student has
written or changed counts.
"""

from functools import lru_cache
from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from labkit.checks.rescue import asked
from labkit.labs.names import names
from labkit.labs.rescues import asked_rescues

# Given to a cell of a lab that changes what others define: it always runs.
NEEDED_TAG = "needed"
# nbclient's own.
SKIP_TAG = "skip-execution"
LEFT_OUT = "Not run at grading: no check needs this cell.\n"


class SkipUnneeded(NbGraderPreprocessor):
    """Mark the cells that need not run, for whatever runs the notebook.

    Must come after OverwriteCells: the hidden checks use names, too.
    """

    solutions = Unicode(help="The folder of the labs' sources.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        names = resources["nbgrader"]
        lab = Path(self.solutions, names["assignment"], f"{names['notebook']}.ipynb")
        given = given_cells(lab) if lab.is_file() else frozenset()
        code = [cell for cell in nb.cells if cell.cell_type == "code"]
        run = cells_to_run(_with_rescues(lab.with_suffix(".py"), nb, code), given)
        for index, cell in enumerate(code):
            if index not in run:
                cell.metadata["tags"] = [SKIP_TAG]
                cell.outputs = [new_output("stream", name="stdout", text=LEFT_OUT)]
        return nb, resources


def _with_rescues(lab: Path, nb: NotebookNode, code: list[NotebookNode]) -> list[str]:
    """The text of code cells, below which stands what their rescues will run."""
    found = asked_rescues(lab, nb) if lab.is_file() else {}
    return [
        "\n".join(
            [
                c.source,
                *(found[name].source for name in asked([c.source]) if name in found),
            ]
        )
        for c in code
    ]


def given_cells(lab: Path) -> frozenset[str]:
    """The code of a lab's own cells that may be left out; `lab` is nbgrader's source notebook."""
    return _given_cells(lab, lab.stat().st_mtime_ns)


@lru_cache
def _given_cells(lab: Path, _changed: int) -> frozenset[str]:
    return frozenset(
        cell.source
        for cell in nbformat.read(lab, as_version=4).cells
        if cell.cell_type == "code"
        and "nbgrader" not in cell.metadata
        and NEEDED_TAG not in cell.metadata.get("tags", [])
        and not names(cell.source).reaches_anything
    )


def cells_to_run(code: list[str], given: frozenset[str]) -> set[int]:
    """Which of a notebook's code cells have to run, by their index.

    Those that are not `given`, and those that define a name which one that runs uses.
    """
    found = [names(source) for source in code]
    run = {index for index, source in enumerate(code) if source not in given}
    if any(found[index].reaches_anything for index in run):
        return set(range(len(code)))
    waiting = set(range(len(code))) - run
    while True:
        used = set().union(*(found[index].used for index in run))
        more = {index for index in waiting if found[index].defined & used}
        if not more:
            return run
        run |= more
        waiting -= more
