"""Our parts of nbgrader's pipeline: what runs a notebook, and what judges its checks.

nbgrader goes on doing what it does: sanitising, scoring, the gradebook, the formgrader.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import BaseCell, Comment, Grade, Gradebook, SubmittedNotebook
from nbgrader.preprocessors import NbGraderPreprocessor, SaveAutoGrades
from traitlets import Dict, Unicode

from labkit.checks.protocol import EXPECTED
from labkit.checks.rescue import RESCUES, pack
from labkit.course import Limits
from labkit.errors import LabkitError
from labkit.execution.grading_data import submission_environment
from labkit.execution.job import (
    Job,
    accompanying_files,
    cache_run,
    cached_run,
    cached_run_path,
    run_job,
    with_outputs,
)
from labkit.execution.keys import run_key
from labkit.execution.run_metadata import RunMetadata, forget_claims
from labkit.files import content_hash, write_text
from labkit.grading.judging import judge_cell, judge_plain_cell
from labkit.labs.guides import lab_guide
from labkit.labs.lab import read_lab
from labkit.labs.reference_run import lab_references
from labkit.labs.rescues import lab_rescues, rescued_checks, with_rescues


class CoursePart(NbGraderPreprocessor):
    """A preprocessor that knows the course's folders."""

    solutions = Unicode(help="The folder of the labs' sources.").tag(config=True)
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

    def cached_run_path(self, resources: ResourcesDict) -> Path:
        """Where the cached run of the submission at hand lies."""
        names = resources["nbgrader"]
        return cached_run_path(
            Path(self.build), names["student"], names["assignment"], names["notebook"]
        )


class RefuseLinks(CoursePart):
    """Take no submission with a link in it, or that is one: it could lead to the solution.

    nbgrader reads and copies what links lead to; `labkit grade` leaves them out.
    """

    submitted = Unicode(help="The folder of what was handed in.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        names = resources["nbgrader"]
        folder = Path(self.submitted, names["student"], names["assignment"])
        for path in (folder.parent, folder, *folder.rglob("*")):
            if path.is_symlink():
                raise LabkitError(
                    f"{path} is a link to another place, and links are not followed. "
                    "Delete it, or type: labkit grade"
                )
        return nb, resources


class ShipExpected(CoursePart):
    """Write the visible expected values and the rescues beside a released notebook."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        path = self.lab_path(resources)
        if path is not None:
            references = lab_references(path, Path(self.build), self.seed)
            lab = read_lab(path)
            visible = replace(references.visible(), guide=lab_guide(lab))
            # nbconvert's writer writes these beside the notebook.
            files = resources.setdefault("outputs", {})
            files[EXPECTED] = visible.text().encode()
            if rescues := lab_rescues(lab):
                files[RESCUES] = pack(rescues)
        forget_claims(nb)  # what the source was made from
        return nb, resources


class RunSubmission(CoursePart):
    """Execute a submission, or take its cached run."""

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        files = accompanying_files(Path(resources["metadata"]["path"]))
        if lab := self.lab_path(resources):
            files = with_rescues(files, lab, nb)
        key = run_key(self.seed, nb, files)
        path = self.cached_run_path(resources)
        run = cached_run(key, path)
        if run is None:
            environment = submission_environment(Path(self.build), self.seed)
            limits = Limits(**self.limits)
            job = Job(nbformat.writes(nb), files, environment, limits)
            run = nbformat.reads(run_job(job), as_version=4)
        return cache_run(with_outputs(nb, run), key, path), resources


class TakeRun(CoursePart):
    """Put the cached run of a submission in the place of what was handed in.

    For who has put it in order and run it already.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        run = nbformat.read(self.cached_run_path(resources), as_version=4)
        return run, resources


class JudgeChecks(CoursePart):
    """Turn what a submission's check cells sent into points and messages.

    Must come after RunSubmission and before SaveAutoGrades. A cell with checks of
    ours ends with one output that nbgrader reads as its partial credit. In any other
    graded cell only standard error is taken out: a warning never costs marks.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        path, cells, rescued = self.lab_path(resources), {}, set()
        if path is not None:
            rescued = rescued_checks(path, nb)
            cells = lab_references(path, Path(self.build), self.seed).cells
        stopped = RunMetadata.of(nb).stopped
        for cell in nb.cells:
            if (
                cell.cell_type != "code"
                or not utils.is_grade(cell)
                or utils.is_solution(cell)
            ):
                continue
            name = cell.metadata.nbgrader.grade_id
            checks = cells.get(name)
            if checks:
                judge_cell(cell, checks, stopped, rescued=name in rescued)
            else:
                judge_plain_cell(cell, stopped)
        return nb, resources


class SaveGrades(CoursePart, SaveAutoGrades):
    """nbgrader's, but that a mark given by hand stands while what it is for is the same.

    nbgrader lets every one of them wait for a person again. An answer with another text
    does wait, with its old mark and comment; so do points given in place of a check's,
    where the check's own are others now. And it asks the gradebook for each cell's, and
    writes each by itself, which takes five times as long.
    """

    def preprocess(self, nb: NotebookNode, resources: ResourcesDict):
        names = resources["nbgrader"]
        folder = Path(self.build, "answers", names["assignment"])
        path = folder / f"{names['student']}.json"
        before = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        now: dict[str, str] = {}
        place = names["notebook"], names["assignment"], names["student"]
        with Gradebook(names["db_url"]) as gradebook:
            handed_in = gradebook.find_submission_notebook(*place)
            grades = _by_cell(gradebook, Grade, handed_in)
            comments = _by_cell(gradebook, Comment, handed_in)
            for cell in nb.cells:
                name = cell.metadata.get("nbgrader", {}).get("grade_id")
                if utils.is_grade(cell):
                    # What is not there, nbgrader says as it looks for it.
                    grade = grades.get(name) or gradebook.find_grade(name, *place)
                    marked = grade.manual_score is not None
                    waited = grade.needs_manual_grade
                    points, _ = utils.determine_grade(cell, self.log)
                    grade.auto_score = None if points is None else float(points)
                    now[name] = content_hash(f"{cell.source} {grade.auto_score}")
                    same = marked and not waited and before.get(name) == now[name]
                    grade.needs_manual_grade = not same and (marked or points is None)
                if utils.is_solution(cell) or utils.is_task(cell):
                    comment = comments.get(name) or gradebook.find_comment(name, *place)
                    comment.auto_comment = _no_response(cell)
            gradebook.db.commit()
        write_text(path, json.dumps(now))
        return nb, resources


def _by_cell(gradebook: Gradebook, kind: Any, handed_in: SubmittedNotebook) -> dict:
    """The grades or the comments of a notebook that was handed in, by their cells' names."""
    found = gradebook.db.query(BaseCell.name, kind).join(kind.cell)
    return dict(found.filter(kind.notebook_id == handed_in.id).all())


def _no_response(cell: NotebookNode) -> str | None:
    """nbgrader's words for an answer that is as it was handed out; None for any other."""
    untouched = cell.metadata.nbgrader.get("checksum") == utils.compute_checksum(cell)
    return "No response." if untouched and not utils.is_task(cell) else None
