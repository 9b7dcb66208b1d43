"""Grading: which submissions, each in order and run, judged into nbgrader's gradebook.

plan and intake read what was handed in, repairs puts it in order, execution runs it,
judging turns what its checks sent into points. pipeline holds our parts of nbgrader's
converters, gradebook its database, results what comes out: pages, tables, files.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from traitlets.config import Config

from labkit.errors import LabkitError


def configure(config: Config, folder: Path) -> None:
    """Let nbgrader's own commands work on the course in a folder, with our parts.

    This is what a course's `nbgrader_config.py` calls. It also writes nbgrader's source
    notebook of each lab whose text has changed, and a course.toml where there is none.
    Raises SystemExit with the reason where the course cannot be read.
    """
    with or_stop():
        # nbgrader and all that it imports takes a second: not for who imports a neighbour.
        from labkit.course import Course
        from labkit.grading.pipeline import configuration
        from labkit.labs.source import write_sources

        course = Course.at(folder)
        course.create_seed()
        write_sources(course)
        configuration.configure(config, course)


@contextmanager
def or_stop() -> Iterator[None]:
    """End nbgrader with the reason where its configuration file fails.

    It would log any other exception and go on with its own defaults: submissions would
    run unconfined, and be scored without our judging.
    """
    try:
        yield
    except LabkitError as error:
        raise SystemExit(f"labkit: {error}") from None
    except Exception:
        traceback.print_exc()
        raise SystemExit(
            "labkit: nbgrader stops here: without this course's configuration it would "
            "run submissions unconfined."
        ) from None
