"""nbgrader's own Python API on a course, with our parts in its pipelines."""

import logging

from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from labkit.course import Course
from labkit.errors import LabkitError
from labkit.grading.gradebook.database import prepare_gradebook
from labkit.grading.pipeline.configuration import configure


def nbgrader_api(course: Course, config: Config | None = None) -> NbGraderAPI:
    """nbgrader's API on a course, with its usual configuration or another."""
    # Its log goes into the answer of each call; alembic's would go to the terminal.
    logging.getLogger("alembic").setLevel(logging.ERROR)
    return NbGraderAPI(config=config or configure(Config(), course))


def generate_assignment(course: Course, lab: str) -> None:
    """Run nbgrader's generate_assignment for one lab of a course."""
    # nbgrader would start a program to make a gradebook: a second.
    prepare_gradebook(course)
    answer = nbgrader_api(course).generate_assignment(lab)
    if not answer["success"]:
        raise LabkitError(
            f"nbgrader could not release {lab}:\n{answer.get('log') or answer.get('error')}"
        )
