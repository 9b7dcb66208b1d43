"""Our parts of nbgrader's pipeline, and the configuration that puts them in place.

nbgrader goes on doing what it does: sanitising, scoring, the gradebook, the
formgrader. Only what runs a notebook and what judges its checks is ours.
"""

from pathlib import Path

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.preprocessors import (
    NbGraderPreprocessor,
)
from traitlets import Dict, Unicode

from labkit.checks.protocol import EXPECTED
from labkit.course import Limits
from labkit.execution.grading_data import submission_environment
from labkit.execution.job import (
    Job,
    keep,
    kept,
    read_files,
    run_job,
    stored_run,
    with_outputs,
)
from labkit.execution.keys import submission_key
from labkit.grading.judging import judge_cell, judge_plain_cell
from labkit.labs import reference_run
from labkit.labs.reference_run import expected_json


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
            found = reference_run.references(path, Path(self.build), self.seed)
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
        expected = (
            reference_run.check_references(path, build, self.seed) if path else {}
        )
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
                judge_plain_cell(cell, stopped)
        return nb, resources
