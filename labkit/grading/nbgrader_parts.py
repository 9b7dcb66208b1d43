"""For the nbgrader_config.py of courses made with version 0.1; `labkit.grading` has it now."""

from labkit.grading.pipeline.configuration import configure
from labkit.labs.source import write_sources

__all__ = ["configure", "write_sources"]
