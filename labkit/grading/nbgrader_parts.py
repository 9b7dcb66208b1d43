"""For the nbgrader_config.py of courses made with version 0.1; `labkit.grading` has it now."""

from traitlets.config import Config

from labkit.course import Course
from labkit.grading.pipeline import configuration
from labkit.labs.source import write_sources

__all__ = ["configure", "write_sources"]


def configure(config: Config, course: Course) -> None:
    """Let nbgrader's own commands work on the course, with our parts."""
    course.create_seed()
    configuration.configure(config, course)
