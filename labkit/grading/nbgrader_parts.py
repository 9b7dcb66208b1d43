"""For the nbgrader_config.py of courses made with version 0.1; `labkit.grading` has it now.

That file says `course = Course.at(folder); write_sources(course); configure(c, course)`.
"""

from pathlib import Path

from traitlets.config import Config

from labkit.course import COURSE_FILE, Course, read_settings
from labkit.grading import or_stop
from labkit.grading.pipeline import configuration
from labkit.labs import source

__all__ = ["configure", "write_sources"]

# `Course.at` reads it next, where nothing of ours can stop nbgrader.
with or_stop():
    read_settings(Path(COURSE_FILE).resolve())


def write_sources(course: Course) -> None:
    """Write nbgrader's source notebook of each lab whose text has changed."""
    with or_stop():
        source.write_sources(course)


def configure(config: Config, course: Course) -> None:
    """Let nbgrader's own commands work on the course, with our parts."""
    with or_stop():
        course.create_seed()
        configuration.configure(config, course)
