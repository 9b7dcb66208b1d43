"""Grading: which submissions, each in order and run, judged into nbgrader's gradebook.

plan and intake read what was handed in, repairs puts it in order, execution runs it,
judging turns what its checks sent into points. pipeline holds our parts of nbgrader's
converters, gradebook its database, results what comes out: pages, tables, files.
"""

from pathlib import Path

from traitlets.config import Config


def configure(config: Config, folder: Path) -> None:
    """Let nbgrader's own commands work on the course in a folder, with our parts.

    This is what a course's `nbgrader_config.py` calls. It also writes nbgrader's source
    notebook of each lab whose text has changed, and a course.toml where there is none. Raises LabkitError where course.toml
    cannot be read.
    """
    # nbgrader and all that it imports takes a second: not for who imports a neighbour.
    from labkit.course import Course
    from labkit.grading.pipeline import configuration
    from labkit.labs.source import write_sources

    course = Course.at(folder)
    course.create_seed()
    write_sources(course)
    configuration.configure(config, course)
