"""Judge what the check cells of a submission sent: points, messages and hints."""

from dataclasses import replace

from nbformat import NotebookNode
from nbformat.v4 import new_output

from labkit.checks.protocol import CheckMessage, messages
from labkit.checks.references import CheckReference, judge_together
from labkit.checks.rescue import RESCUED
from labkit.checks.results import KNOWN_ERRORS, Result, error_message, score
from labkit.execution.run_metadata import CellMetadata

STDERR_KEPT = 2000
# Why a right value earns nothing, or less than its weight.
UNVOUCHED = "others know this value, and what was drawn at grading came out wrong"
NOT_COUNTED = f"{UNVOUCHED}: it does not count"
PARTLY_COUNTED = f"right, but {UNVOUCHED} in part: it counts for {{share:.0%}}"


def judge_cell(
    cell: NotebookNode,
    checks: list[CheckReference],
    stopped: str = "",
    *,
    rescued: bool = False,
) -> list[Result]:
    """Replace a check cell's outputs by its judged checks and its score.

    A `rescued` one earns nothing: its exercise was given away.
    """
    results = (
        [check.failed(RESCUED) for check in checks]
        if rescued
        else counted(checks, judge(checks, cell, stopped), cell)
    )
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
    sent = _sent(cell)
    once = [
        (check, sent[check.name][0])
        for check in checks
        if len(sent.get(check.name, ())) == 1
    ]
    judged = {one.name: one for one in judge_together(once, quote=quote)}
    why = stopped or _error_text(cell) or "it was never reached"
    return [
        judged.get(check.name)
        or check.failed("it was sent more than once" if check.name in sent else why)
        for check in checks
    ]


def _sent(cell: NotebookNode) -> dict[str, list[CheckMessage]]:
    sent: dict[str, list[CheckMessage]] = {}
    for message in messages(cell):
        sent.setdefault(message.name, []).append(message)
    return sent


def counted(
    checks: list[CheckReference], results: list[Result], cell: NotebookNode
) -> list[Result]:
    """Let the known values of a cell count as far as its drawn ones vouch for them.

    A value that others know is no evidence: the visible ones ship with the lab, the
    hidden ones with fixed inputs are those of last year, and whatever runs in the kernel
    can send them. What the course's seed draws has to be computed. So the drawn checks
    tell what the code does, and the known ones earn at most what such code gets right:

    - all of them, where all that was drawn is right;
    - those that a declared mistake gets right, where the drawn values are that mistake's;
    - else the share that the right ones have among the drawn, and no more than a
      declared mistake gets right that fails the same drawn checks.

    They can still fail, and cost what they weigh. Where nothing is drawn, nothing can be
    told apart, and they count.
    """
    pairs = list(zip(checks, results, strict=True))
    known = {check.name for check in checks if not check.drawn}
    earned = sum(one.weight for one in results if one.passed and one.name in known)
    if not earned or len(known) == len(checks):
        return results
    share = min(1.0, _vouched(pairs, _sent(cell)) / earned)
    return [
        _counting(one, share) if one.passed and one.name in known else one
        for one in results
    ]


def _counting(result: Result, share: float) -> Result:
    if share == 1:
        return result
    if share == 0:
        return replace(result, passed=False, message=NOT_COUNTED)
    return replace(result, counts=share, message=PARTLY_COUNTED.format(share=share))


def _vouched(
    pairs: list[tuple[CheckReference, Result]], sent: dict[str, list[CheckMessage]]
) -> float:
    """The weight of known checks that the drawn ones of their cell vouch for."""
    vouching = _vouching(pairs)
    known = [check for check, _ in pairs if not check.drawn]

    def got_right(mistakes: set[str]) -> float:
        """The most that one of these mistakes gets right of the known checks."""
        return max(
            sum(check.weight for check in known if mistake not in check.caught)
            for mistake in mistakes
        )

    if shown := _mistakes_shown(vouching, sent):
        return got_right(shown)
    passed = sum(check.weight for check, result in vouching if result.passed)
    drawn = sum(check.weight for check, _ in vouching)
    share = passed / drawn * sum(check.weight for check in known)
    alike = _mistakes_alike(vouching)
    return min(share, got_right(alike)) if alike else share


def _vouching(
    pairs: list[tuple[CheckReference, Result]],
) -> list[tuple[CheckReference, Result]]:
    """The drawn checks; of several goals for predictions the lowest, since a network
    that reaches one of them is a network."""
    drawn = [pair for pair in pairs if pair[0].drawn]
    goals = [one.at_least for one, _ in drawn if one.at_least is not None]
    return [pair for pair in drawn if pair[0].at_least in (None, min(goals, default=0))]


def _mistakes_alike(vouching: list[tuple[CheckReference, Result]]) -> set[str]:
    """The declared mistakes that fail the very drawn checks that have failed."""
    failed = {check.name for check, result in vouching if not result.passed}
    declared = {mistake for check, _ in vouching for mistake in check.caught}
    return {
        mistake
        for mistake in declared
        if {check.name for check, _ in vouching if mistake in check.caught} == failed
    }


def _mistakes_shown(
    vouching: list[tuple[CheckReference, Result]],
    sent: dict[str, list[CheckMessage]],
) -> set[str]:
    """The declared mistakes that give all the drawn values that a cell has sent."""
    arrived = [(check, sent.get(check.name, [])) for check, _ in vouching]
    if any(len(found) != 1 for _, found in arrived):
        return set()
    failed = {check.name for check, result in vouching if not result.passed}
    # An error alone tells nothing: one of these values must be the mistake's.
    shown = {
        mistake.name
        for check, (message,) in arrived
        for mistake in check.mistakes
        if check.name in failed and not message.error
    }
    return {
        name
        for name in shown
        if all(check.fits(name, message) for check, (message,) in arrived)
    }


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
    kept = [
        o
        for o in cell.outputs
        if not (o.output_type == "stream" and o.name == "stderr")
    ]
    # nbgrader takes the first that counts, and a cell that failed has earned no number.
    cell.outputs = sorted(kept, key=lambda output: output.output_type != "error")
    if stopped and cell.execution_count is None:
        cell.outputs.append(
            new_output("error", ename="NotRun", evalue=stopped, traceback=[stopped])
        )


def limit_reached(cell: NotebookNode) -> str:
    """Which limit of the grading run stopped a cell, in words; empty where none.

    It is not in the outputs, where a student's code could write what it likes.
    """
    return CellMetadata.of(cell).limit
