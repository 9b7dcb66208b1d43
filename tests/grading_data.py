"""The test data of the tests' courses, which all have one seed: drawn once a process."""

import os
import tempfile
from functools import cache
from pathlib import Path

from labkit.course import Course
from labkit.execution.grading_data import grading_data


def share_grading_data(course: Course) -> Course:
    """Give a new course the data that it would draw itself."""
    course.build.mkdir(parents=True, exist_ok=True)
    (course.build / "grading-data").symlink_to(Path(_drawn().name, "grading-data"))
    return course


@cache
def _drawn() -> tempfile.TemporaryDirectory:
    folder = tempfile.TemporaryDirectory(prefix="labkit-tests-")
    grading_data(Path(folder.name), os.environ["LABKIT_SEED"])
    return folder
