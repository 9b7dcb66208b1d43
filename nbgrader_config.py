"""nbgrader's configuration: its commands work in this folder and take our parts."""

from pathlib import Path

from labkit.grading import configure

configure(get_config(), Path(__file__).parent)  # noqa: F821 - nbgrader defines it
