"""nbgrader's configuration: its folders, and our parts in its pipelines."""

import glob
import math
from dataclasses import dataclass, replace
from typing import Literal

from jupyter_core.paths import jupyter_config_path
from nbconvert.preprocessors import ClearMetadataPreprocessor, CSSHTMLHeaderPreprocessor
from nbformat import NotebookNode
from nbgrader.apps.baseapp import NbGrader
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
    OverwriteCells,
    OverwriteKernelspec,
    SaveCells,
)
from traitlets.config import Application, Config

from labkit.course import CONFIG_FILE, COURSE_FILE, Course
from labkit.errors import LabkitError
from labkit.execution.execute import grading_environment
from labkit.execution.speed import stretch
from labkit.grading.gradebook.patches import names_taken_literally
from labkit.grading.pipeline import validating
from labkit.grading.pipeline.mending import (
    CurrentFormat,
    KeepOneOfEach,
    KeepSubmitted,
    PutBackCells,
    RestoreRoles,
    TellRepairs,
)
from labkit.grading.pipeline.parts import (
    JudgeChecks,
    RefuseLinks,
    RunSubmission,
    SaveGrades,
    ShipExpected,
    TakeRun,
)
from labkit.grading.pipeline.skipping import SkipUnneeded
from labkit.grading.pipeline.visible_results import ClearHiddenChecks, ShowOnlyResults
from labkit.grading.plan import prepared_folder
from labkit.labs.lab import STUB, staff_files
from labkit.sandbox.meter import BACKSTOP

# Of these, nothing that a course sets could count: other parts stand in their place.
_REPLACED = ("CourseDirectory", "Execute", "ExecutePreprocessor", "DeduplicateIds")

# What nbgrader does with a submission: all of it, as by its own commands; or, for our
# engine, the half that comes before the run (map) or the half behind it (record).
Stage = Literal["whole", "map", "record"]


# A student's file in what Canvas and Moodle download of an assignment, each with the number
# of the student in its name: doejane_LATE_7001_99012_sample-2.ipynb,
# Jane Doe_7001_assignsubmission_file_/sample.ipynb.
DOWNLOADED_FILE = (
    r".*[/\\][^/\\]*?_(?P<student_id>\d+)_(?:\d+_|assignsubmission_file_?[_/\\])"
    r"(?P<file_id>\w+?)(?:-\d+)?\.ipynb$"
)


def configure(config: Config, course: Course, stage: Stage = "whole") -> Config:
    """Point nbgrader at the course's folders and put our parts into its pipelines.

    In a stage of the engine's, submissions are taken as they are laid out for nbgrader.
    """
    names_taken_literally()
    submitted = course.submitted if stage == "whole" else prepared_folder(course)
    directory = config.CourseDirectory
    directory.root = str(course.root)
    # nbgrader's own default for the gradebook. Without one, databases that check
    # foreign keys refuse an assignment.
    directory.course_id = "default_course"
    directory.source_directory = str(course.solutions)
    directory.release_directory = str(course.notebooks)
    directory.submitted_directory = str(submitted)
    directory.autograded_directory = str(course.autograded)
    directory.feedback_directory = str(course.feedback)
    directory.db_url = course.gradebook_url
    # nbgrader hands out every other file of a source folder: never the lab's own text.
    directory.ignore = [
        ".ipynb_checkpoints",
        "*.pyc",
        "__pycache__",
        "feedback",
        *map(glob.escape, staff_files(course.solutions)),
    ]
    config.FileNameCollectorPlugin.named_regexp = DOWNLOADED_FILE
    config.CoursePart.solutions = str(course.solutions)
    config.SkipUnneeded.solutions = str(course.solutions)
    config.CoursePart.build = str(course.build)
    config.RefuseLinks.submitted = str(submitted)
    config.CoursePart.seed = course.seed
    config.CoursePart.limits = course.limits.model_dump()

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
    # CurrentFormat comes first: nbconvert validates the notebook behind every part.
    sanitize = [
        CurrentFormat,
        RefuseLinks,
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
    judge_and_save = [
        JudgeChecks,
        IgnorePattern,
        ClearMetadataPreprocessor,
        LimitOutput,
        SaveGrades,
        AssignLatePenalties,
        CheckCellMetadata,
    ]
    recorded = stage == "record"
    if recorded:
        # Once, and not behind each part: these are ours, or take nothing away.
        config.Exporter.optimistic_validation = True
    config.Autograde.sanitize_preprocessors = [TakeRun] if recorded else sanitize
    config.Autograde.autograde_preprocessors = (
        judge_and_save if recorded else [RunSubmission, *judge_and_save]
    )
    # The autograded notebook holds the hidden checks again, and what the student's code
    # put out; a student's page must not.
    config.GenerateFeedback.preprocessors = [
        ShowOnlyResults,
        ClearHiddenChecks,
        GetGrades,
        CSSHTMLHeaderPreprocessor,
    ]
    # Only `nbgrader validate` still uses nbgrader's Execute: as patient as the grader.
    config.Execute.timeout_func = _Patience(course.limits.cell_seconds)
    config.Execute.extra_arguments = ["--ext", validating.__name__]
    return config


# Compared by value: a setting of somebody's own is one that differs from ours.
@dataclass(frozen=True)
class _Patience:
    """The seconds on the clock that `nbgrader validate` gives a cell on this machine."""

    limit: float

    def __call__(self, _cell: NotebookNode) -> int:
        return math.ceil(self.limit * stretch(grading_environment()) * BACKSTOP)


def own_settings(course: Course) -> Config:
    """What is set where nbgrader reads it, in the course and on this machine.

    Late penalties, plugins, how much output is kept. Raises LabkitError where a file
    fails, and with the names of settings that could not count.
    """
    app = NbGrader(raise_config_file_errors=True)
    try:
        # Not NbGrader's own method, which reads the working directory's file, too.
        Application.load_config_file(
            app, CONFIG_FILE, path=[str(course.root), *jupyter_config_path()]
        )
    except (Exception, SystemExit) as error:
        raise LabkitError(f"{CONFIG_FILE}: {error}") from None
    # The course's own line sets the gradebook that a command's --db takes the place of.
    lasting = replace(course, database=Course.at(course.root).database)
    ours = [configure(Config(), one) for one in (course, lasting)]
    refused = _refused(app.config, ours)
    if refused:
        raise LabkitError(
            f"{CONFIG_FILE} sets {', '.join(refused)}, which labkit sets itself, so it "
            f"would not count. Take it out. Folders, limits and the gradebook are set in "
            f"{COURSE_FILE}."
        )
    return app.config


def _refused(settings: Config, ours: list[Config]) -> list[str]:
    """The names of settings that ours would replace, or that nothing reads."""

    def counts(section: str, name: str, value: object) -> bool:
        known = [one[section][name] for one in ours if name in one.get(section, {})]
        return value in known if known else section not in _REPLACED

    return sorted(
        f"{section}.{name}"
        for section, values in settings.items()
        for name, value in values.items()
        if not counts(section, name, value)
    )
