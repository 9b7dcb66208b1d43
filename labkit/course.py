"""A course folder: where its labs, submissions, gradebook and reports lie."""

import os
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from traitlets.config import Config

from labkit.errors import LabkitError
from labkit.files import write_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG_FILE = "nbgrader_config.py"
COURSE_FILE = "course.toml"
COURSE_TEXT = """\
# Hidden checks draw their inputs from this seed, and so do the labels that only the
# grader knows. Keep it from students. Choose another text for the next course, and
# keep this one until the last regrade.
seed = "{seed}"
"""


@dataclass(frozen=True)
class Course:
    """The folders of a course; by default all below `root`, as nbgrader lays them out.

    `root` holds submitted/, autograded/, feedback/ and gradebook.db. `solutions` and
    `notebooks` are nbgrader's source and release folders. `build` is for what can be
    made again: references, executed notebooks, reports.
    """

    root: Path
    solutions: Path
    notebooks: Path
    build: Path

    @classmethod
    def at(cls, root: Path) -> "Course":
        """The course in a folder, in the usual layout."""
        root = root.resolve()
        return cls(root, root / "solutions", root / "notebooks", root / "build")

    @classmethod
    def here(cls) -> "Course":
        """The course of the working directory or the nearest folder above it."""
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / CONFIG_FILE).is_file() and (folder / "solutions").is_dir():
                return cls.at(folder)
        raise LabkitError(
            f"No course here: {here} and the folders above it hold no {CONFIG_FILE} beside "
            "a solutions/ folder. Change to the course folder and try again."
        )

    @property
    def seed(self) -> str:
        """The course's seed, from the variable LABKIT_SEED or from course.toml.

        course.toml lies beside the solutions folder; it is made with a seed of its own
        where there is none yet.
        """
        named = os.environ.get("LABKIT_SEED", "").strip()
        return named or _kept_seed(self.solutions.parent / COURSE_FILE)

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        return self.root / "autograded"

    @property
    def feedback(self) -> Path:
        return self.root / "feedback"

    @property
    def gradebook(self) -> Path:
        return self.root / "gradebook.db"

    @property
    def gradebook_url(self) -> str:
        return f"sqlite:///{self.gradebook}"

    def submissions(
        self, labs: Iterable[str] = (), students: Iterable[str] = ()
    ) -> list[tuple[str, str]]:
        """(student, lab) of the submitted folders, those named or all, in order."""
        labs, students = set(labs), set(students)
        found = sorted(
            (folder.parent.name, folder.name)
            for folder in self.submitted.glob("*/*")
            if folder.is_dir() and not folder.name.startswith(".")
        )
        return [
            (student, lab)
            for student, lab in found
            if (not labs or lab in labs) and (not students or student in students)
        ]

    def configure(self, config: Config) -> Config:
        """Set nbgrader's options so that its commands work on this course with our parts."""
        from labkit.grading.nbgrader_parts import configure

        return configure(config, self)


def _kept_seed(path: Path) -> str:
    if not path.is_file():
        write_text(path, COURSE_TEXT.format(seed=secrets.token_hex(16)))
    try:
        seed = tomllib.loads(path.read_text("utf-8")).get("seed")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabkitError(
            f'{path}: not TOML: {error}. Write: seed = "any text"'
        ) from None
    if not isinstance(seed, str) or not seed.strip():
        raise LabkitError(
            f'{path}: found seed = {seed!r}, expected a text. Write: seed = "any text"'
        )
    return seed.strip()
