"""Our parts of nbgrader's pipeline, and the configuration that puts them in place.

nbgrader goes on doing what it does: sanitising, scoring, the gradebook, the
formgrader. Only what runs a notebook and what judges its checks is ours.
"""

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbconvert.preprocessors import (
    ClearMetadataPreprocessor,
    CSSHTMLHeaderPreprocessor,
)
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    GetGrades,
    IgnorePattern,
    IncludeHeaderFooter,
    InstantiateTests,
    LimitOutput,
    LockCells,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
    SaveCells,
)
from traitlets import Dict, Unicode
from traitlets.config import Config

from labkit.authoring import find_labs, read_lab, source_notebook
from labkit.checks import EXPECTED, result_html
from labkit.course import Course, Limits
from labkit.files import write_text
from labkit.grading import reference, validating
from labkit.grading.job import (
    Job,
    keep,
    kept,
    read_files,
    run_job,
    submission_key,
    with_outputs,
)
from labkit.grading.mending import (
    CurrentFormat,
    KeepOneOfEach,
    KeepSubmitted,
    PutBackCells,
    RestoreRoles,
    TellRepairs,
)
from labkit.grading.needed import SkipUnneeded
from labkit.grading.shown import ClearHiddenChecks, ShowOnlyResults, limit_reached
from labkit.grading.withheld import submission_environment
from labkit.kernels.meter import BACKSTOP
from labkit.references import (
    KNOWN_ERRORS,
    CheckReference,
    Result,
    error_message,
    score,
)

STDERR_KEPT = 2000
MEMORISED = (
    "right for the input shown, but wrong for every input drawn at grading: "
    "it does not count"
)
STUB = '# YOUR CODE HERE\nraise NotImplementedError("Write your code here.")'


class CoursePart(NbGraderPreprocessor):
    """A preprocessor that knows the course's folders."""

    solutions = Unicode(help="The folder of the labs' sources.").tag(config=True)
    submitted = Unicode(help="The folder of submissions.").tag(config=True)
    build = Unicode(help="The folder of references and executed notebooks.").tag(
        config=True
    )

    limits = Dict(help="What a submission may take: fields of Limits.").tag(config=True)
    seed = Unicode(help="The course's seed: hidden inputs come from it.").tag(
        config=True
    )

    def lab_path(self, resources: ResourcesDict) -> Path | None:
        """The text of the notebook at hand; None for one that is not a lab of ours."""
        name = resources["nbgrader"]["notebook"]
        path = Path(self.solutions, resources["nbgrader"]["assignment"], f"{name}.py")
        return path if path.is_file() else None


class ShipExpected(CoursePart):
    """Write the visible expected values beside a released notebook."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        path = self.lab_path(resources)
        if path is not None:
            found = reference.references(path, Path(self.build), self.seed)
            # nbconvert's writer writes these beside the notebook.
            resources.setdefault("outputs", {})[EXPECTED] = expected_json(
                found
            ).encode()
        return nb, resources


class RunSubmission(CoursePart):
    """Execute a submission, or take the stored result of its execution."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        names = resources["nbgrader"]
        stored = stored_run(
            Path(self.build), names["student"], names["assignment"], names["notebook"]
        )
        key = submission_key(
            self.seed,
            Path(self.submitted, names["student"], names["assignment"]),
            Path(self.solutions, names["assignment"]),
        )
        run = kept(nb, stored, key)
        if run is None:
            told = submission_environment(Path(self.build), self.seed)
            files = read_files(Path(resources["metadata"]["path"]))
            limits = Limits(**self.limits)
            nb.metadata["labkit"]["key"] = key
            job = Job(nbformat.writes(nb), files, told, limits)
            run = keep(run_job(job), stored)
        return with_outputs(nb, run), resources


def stored_run(build: Path, student: str, lab: str, notebook: str) -> Path:
    """Where the executed notebook of a submission is kept."""
    return build / "executed" / lab / student / f"{notebook}.ipynb"


class TakeRun(CoursePart):
    """Put the stored run of a submission in the place of what was handed in.

    For who has put it in order and run it already.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        names = resources["nbgrader"]
        stored = stored_run(
            Path(self.build), names["student"], names["assignment"], names["notebook"]
        )
        return nbformat.read(stored, as_version=4), resources


class JudgeChecks(CoursePart):
    """Turn what a submission's check cells sent into points and messages.

    Must come after RunSubmission and before SaveAutoGrades. A cell with checks of
    ours ends with one output that nbgrader reads as its partial credit. In any other
    graded cell only standard error is taken out: a warning never costs marks.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        path, build = self.lab_path(resources), Path(self.build)
        expected = reference.check_references(path, build, self.seed) if path else {}
        stopped = nb.metadata.get("labkit", {}).get("stopped", "")
        for cell in nb.cells:
            if (
                cell.cell_type != "code"
                or not utils.is_grade(cell)
                or utils.is_solution(cell)
            ):
                continue
            checks = expected.get(cell.metadata.nbgrader.grade_id)
            if checks:
                judge_cell(cell, checks, stopped)
            else:
                _judge_plain_cell(cell, stopped)
        return nb, resources


def judge_cell(
    cell: NotebookNode, checks: list[CheckReference], stopped: str = ""
) -> list[Result]:
    """Replace a check cell's outputs by its judged checks and its score."""
    results = judge(checks, cell, stopped)
    points = score(results, float(cell.metadata.nbgrader.points))
    kept = {"checks": [vars(result) for result in results], "stderr": _stderr(cell)}
    cell.metadata["labkit"] = kept
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
    sent: dict[str, list[dict]] = {}
    for message in reference.messages(cell):
        if isinstance(message, dict) and isinstance(message.get("name"), str):
            sent.setdefault(message["name"], []).append(message)
    why = stopped or _error_text(cell)
    results = [
        _judge_one(check, sent.get(check.name, []), why, quote) for check in checks
    ]
    return _without_memorised(checks, results)


def _judge_one(
    check: CheckReference, arrived: list[dict], why: str, quote: bool
) -> Result:
    if len(arrived) > 1:
        return check.failed("it was sent more than once")
    if not arrived:
        return check.failed(why or "it was never reached")
    return check.judge(arrived[0], quote=quote)


def _without_memorised(
    checks: list[CheckReference], results: list[Result]
) -> list[Result]:
    """Fail the visible checks of code that knows their answers and no others.

    Their expected values are in every student's hands. Code that fails on every drawn
    input, and not by a usual mistake, has not computed them.
    """
    drawn = [r for check, r in zip(checks, results, strict=True) if check.drawn]
    if not drawn or any(result.passed or result.hint for result in drawn):
        return results
    return [
        replace(result, passed=False, message=MEMORISED)
        if result.passed and not result.hidden
        else result
        for result in results
    ]


def _error_text(cell: NotebookNode) -> str:
    if limit_reached(cell):
        return limit_reached(cell)
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
    data = {"text/plain": result.text(), "text/html": result_html(result)}
    # Not nbformat's own maker: it checks each output against the schema, which takes
    # longer than judging it. The notebook is checked as a whole.
    return NotebookNode(
        output_type="display_data", data=NotebookNode(data), metadata=NotebookNode()
    )


def _judge_plain_cell(cell: NotebookNode, stopped: str) -> None:
    """An instructor's own assert cell: as in nbgrader, less the penalty for warnings."""
    cell.metadata["labkit"] = {"stderr": _stderr(cell), "limit": limit_reached(cell)}
    cell.outputs = [
        o
        for o in cell.outputs
        if not (o.output_type == "stream" and o.name == "stderr")
    ]
    if stopped and cell.execution_count is None:
        cell.outputs.append(
            new_output("error", ename="NotRun", evalue=stopped, traceback=[stopped])
        )


def expected_json(references: dict) -> str:
    """The text of the expected.json that ships with a lab."""
    return (
        json.dumps(reference.expected_values(references), indent=1, ensure_ascii=False)
        + "\n"
    )


def write_sources(course: Course) -> None:
    """Write nbgrader's source notebook beside each lab whose text has changed.

    A lab with faults is left for `labkit release` to report.
    """
    for path in find_labs(course.solutions):
        write_source(path)


def write_source(lab_path: Path) -> Path:
    """Write nbgrader's source notebook of one lab, where its text has changed; returns it."""
    target = lab_path.with_suffix(".ipynb")
    if not target.is_file() or target.stat().st_mtime < lab_path.stat().st_mtime:
        text = nbformat.writes(source_notebook(read_lab(lab_path)))
        write_text(target, text + "\n")
        target.touch()
    return target


def configure(config: Config, course: Course) -> Config:
    """Point nbgrader at the course's folders and put our parts into its pipelines."""
    directory = config.CourseDirectory
    directory.root = str(course.root)
    # nbgrader's own default for the gradebook. Without one, databases that check
    # foreign keys refuse an assignment.
    directory.course_id = "default_course"
    directory.source_directory = str(course.solutions)
    directory.release_directory = str(course.notebooks)
    directory.submitted_directory = str(course.submitted)
    directory.autograded_directory = str(course.autograded)
    directory.feedback_directory = str(course.feedback)
    directory.db_url = course.gradebook_url
    # nbgrader hands out every other file of a source folder: never the lab's own text.
    directory.ignore = [
        ".ipynb_checkpoints",
        "*.pyc",
        "__pycache__",
        "feedback",
        "[0-9][0-9]_*.py",
    ]
    config.CoursePart.solutions = str(course.solutions)
    config.SkipUnneeded.solutions = str(course.solutions)
    config.CoursePart.submitted = str(course.submitted)
    config.CoursePart.build = str(course.build)
    config.CoursePart.seed = course.seed
    config.CoursePart.limits = asdict(course.limits)

    config.ClearSolutions.code_stub = {"python": STUB}
    # ShipExpected comes last: the notebook is as the student will get it.
    config.GenerateAssignment.preprocessors = [
        IncludeHeaderFooter,
        InstantiateTests,
        LockCells,
        ClearSolutions,
        ClearOutput,
        CheckCellMetadata,
        ComputeChecksums,
        SaveCells,
        ClearHiddenTests,
        ClearMarkScheme,
        ComputeChecksums,
        CheckCellMetadata,
        ShipExpected,
    ]
    # nbgrader's own lists. In the first, what puts each cell in order stands in front of
    # its own and replaces its DeduplicateIds; in the second, two parts replace its Execute.
    config.Autograde.sanitize_preprocessors = [
        CurrentFormat,
        ClearOutput,
        KeepSubmitted,
        RestoreRoles,
        KeepOneOfEach,
        PutBackCells,
        OverwriteKernelspec,
        OverwriteCells,
        CheckCellMetadata,
        TellRepairs,
        SkipUnneeded,
    ]
    config.Autograde.autograde_preprocessors = [
        RunSubmission,
        JudgeChecks,
        IgnorePattern,
        ClearMetadataPreprocessor,
        LimitOutput,
        SaveAutoGrades,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    # The autograded notebook holds the hidden checks again, and what the student's code
    # put out; a student's page must not.
    config.GenerateFeedback.preprocessors = [
        ShowOnlyResults,
        ClearHiddenChecks,
        GetGrades,
        CSSHTMLHeaderPreprocessor,
    ]
    # Only `nbgrader validate` still uses nbgrader's Execute: as patient as the grader.
    config.Execute.timeout = math.ceil(course.limits.cell_seconds * BACKSTOP)
    config.Execute.extra_arguments = ["--ext", validating.__name__]
    return config
