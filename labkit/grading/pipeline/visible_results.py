"""What a student may see of a graded notebook: results, and nothing that the run put out.

A function that a hidden check called can keep its inputs, and any later cell of the
student's own can print them. So all that was printed, displayed or raised at the grading
run stays with the graders; what is shown are the checks as they were judged.
"""

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import ClearHiddenTests, NbGraderPreprocessor

from labkit.checks.results import KNOWN_ERRORS, Result
from labkit.execution.run_metadata import CellMetadata, RunMetadata
from labkit.grading.judging import limit_reached

TESTS = "the tests of this cell"


def visible_results(cell: NotebookNode, stopped: str = "") -> list[Result]:
    """The results of a cell that was graded by running it; none for any other cell.

    `stopped` is why the run ended early, if it did.
    """
    if cell.cell_type != "code" or not utils.is_grade(cell) or utils.is_solution(cell):
        return []
    judged = CellMetadata.of(cell).checks
    return list(judged) or [_assertions(cell, stopped)]


def _assertions(cell: NotebookNode, stopped: str) -> Result:
    """An instructor's own cell of assertions, without the text of its error."""
    points, max_points = utils.determine_grade(cell)
    errors = [o.ename for o in cell.outputs if o.output_type == "error"]
    if points == max_points and not errors:
        return Result(TESTS, passed=True)
    if not errors:
        return Result(TESTS, passed=False, message="some of them failed")
    if stopped and cell.execution_count is None:
        return Result(TESTS, passed=False, message=stopped)
    if limit_reached(cell):
        return Result(TESTS, passed=False, message=limit_reached(cell))
    # An error's name can be of the student's making, and so hold anything.
    kind = errors[0] if errors[0] in KNOWN_ERRORS else "an error of its own"
    return Result(TESTS, passed=False, message=f"stopped with {kind}")


class ShowOnlyResults(NbGraderPreprocessor):
    """Replace whatever the grading run left in a notebook by the results of its checks.

    Must come before GetGrades, which writes scores and comments into the metadata that
    this part empties.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        stopped = RunMetadata.of(nb).stopped
        for cell in nb.cells:
            if cell.cell_type == "code":
                results = visible_results(cell, stopped)
                cell.outputs = [_output(result) for result in results]
                cell.execution_count = None  # a student's code can set it, too
            cell.metadata = _only(cell.metadata, "nbgrader")
        nb.metadata = _only(nb.metadata, "kernelspec", "language_info")
        return nb, resources


def _only(metadata: NotebookNode, *names: str) -> NotebookNode:
    return NotebookNode({name: metadata[name] for name in names if name in metadata})


def _output(result: Result) -> NotebookNode:
    return new_output("display_data", result.display())


class ClearHiddenChecks(ClearHiddenTests):
    """Take hidden tests out of check cells; in other cells their markers are mere text."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: ResourcesDict, cell_index: int
    ):
        if not utils.is_grade(cell):
            return cell, resources
        return super().preprocess_cell(cell, resources, cell_index)
