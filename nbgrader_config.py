"""nbgrader's configuration: its commands work in this folder and take our parts."""

from pathlib import Path

from labkit.course import Course
from labkit.grading.pipeline.configuration import (configure)
from labkit.labs.source import (write_sources)

c = get_config()  # noqa: F821 - nbgrader defines it
course = Course.at(Path(__file__).parent)
write_sources(course)
configure(c, course)
