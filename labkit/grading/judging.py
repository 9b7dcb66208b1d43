"""Judge what the check cells of a submission sent: points, messages and hints."""

from dataclasses import replace

from nbformat import NotebookNode
from nbformat.v4 import new_output

from labkit.checks.protocol import CheckMessage, messages
from labkit.checks.references import CheckReference, judge_together
from labkit.checks.results import KNOWN_ERRORS, Result, error_message, score
from labkit.execution.run_metadata import CellMetadata

STDERR_KEPT = 2000
MEMORISED = (
    "right for the input shown, but wrong for every input drawn at grading: "
    "it does not count"
)


def judge_cell(
    cell: NotebookNode, checks: list[CheckReference], stopped: str = ""
) -> list[Result]:
    """Replace a check cell's outputs by its judged checks and its score."""
    results = judge(checks, cell, stopped)
    points = score(results, float(cell.metadata.nbgrader.points))
    CellMetadata(checks=tuple(results), stderr=_stderr(cell)).write(cell)
    cell.outputs = [_result_output(result) for result in results]
    cell.outputs.append(
        new_output(
            "execute_result",
            {"text/plain": repr(points)},
            execution_count=cell.execution_count,
        )
    )
    return results


def judge(
    checks: list[CheckReference],
    cell: NotebookNode,
    stopped: str = "",
    *,
    quote: bool = False,
) -> list[Result]:
    """Judge the checks that the reference run recorded for a cell against what it sent.

    A check that did not arrive from this cell, or arrived twice, fails. With
    `quote=False` no text of a result holds anything that the student's code has chosen,
    such as a hidden input that it was given earlier.
    """
    sent: dict[str, list[CheckMessage]] = {}
    for message in messages(cell):
        sent.setdefault(message.name, []).append(message)
    once = [
        (check, sent[check.name][0])
        for check in checks
        if len(sent.get(check.name, ())) == 1
    ]
    judged = {one.name: one for one in judge_together(once, quote=quote)}
    why = stopped or _error_text(cell) or "it was never reached"
    results = [
        judged.get(check.name)
        or check.failed("it was sent more than once" if check.name in sent else why)
        for check in checks
    ]
    return _without_memorised(checks, results)


def _without_memorised(
    checks: list[CheckReference], results: list[Result]
) -> list[Result]:
    """Fail the visible checks of code that knows their answers and no others.

    Their expected values are in every student's hands. Code that fails on all hidden
    inputs, and not by a usual mistake, has not computed them.
    """
    pairs = zip(checks, results, strict=True)
    hidden_inputs = [result for check, result in pairs if check.hidden_inputs]
    if not hidden_inputs or any(one.passed or one.hint for one in hidden_inputs):
        return results
    return [
        replace(result, passed=False, message=MEMORISED)
        if result.passed and not result.hidden
        else result
        for result in results
    ]


def _error_text(cell: NotebookNode) -> str:
    if limit := limit_reached(cell):
        return limit
    for output in cell.outputs:
        if output.output_type == "error":
            if output.ename == "NotImplementedError":
                return error_message(output.ename)
            kind = output.ename if output.ename in KNOWN_ERRORS else "an error"
            return f"the cell stopped before it with {kind}"
    return ""


def _stderr(cell: NotebookNode) -> str:
    texts = [
        o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stderr"
    ]
    return "".join(texts)[:STDERR_KEPT]


def _result_output(result: Result) -> NotebookNode:
    # Not nbformat's own maker: it checks each output against the schema, which takes
    # longer than judging it. The notebook is checked as a whole.
    return NotebookNode(
        output_type="display_data",
        data=NotebookNode(result.display()),
        metadata=NotebookNode(),
    )


def judge_plain_cell(cell: NotebookNode, stopped: str) -> None:
    """An instructor's own assert cell: as in nbgrader, less the penalty for warnings."""
    CellMetadata(limit=limit_reached(cell), stderr=_stderr(cell)).write(cell)
    cell.outputs = [
        o
        for o in cell.outputs
        if not (o.output_type == "stream" and o.name == "stderr")
    ]
    if stopped and cell.execution_count is None:
        cell.outputs.append(
            new_output("error", ename="NotRun", evalue=stopped, traceback=[stopped])
        )


def limit_reached(cell: NotebookNode) -> str:
    """Which limit of the grading run stopped a cell, in words; empty where none.

    It is not in the outputs, where a student's code could write what it likes.
    """
    return CellMetadata.of(cell).limit
