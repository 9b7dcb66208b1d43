"""A course folder: where its labs, submissions, gradebook and reports lie."""

import os
import secrets
import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path

from sqlalchemy.engine import make_url

from labkit.errors import LabkitError
from labkit.files import write_text

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CONFIG_FILE = "nbgrader_config.py"
COURSE_FILE = "course.toml"
COURSE_TEXT = """\
# This course's own settings.

# Hidden checks draw their inputs from this seed, and so do the labels that only the
# grader knows. Keep it from students. Choose another text for the next course, and
# keep this one until the last regrade.
seed = "{seed}"

# The gradebook, where it is not the file gradebook.db: any address of SQLAlchemy's.
# database = "postgresql://user@host/gradebook"

# What a submission may take. These are the defaults. A second counts while the
# submission computes (so two processes take two at once) or has nothing to compute,
# as when it sleeps; not while it waits for a CPU that other programs use. Where a
# machine trains slowly the limits grow: `labkit doctor` says how many times.
# [limits]
# cell_seconds = 120
# submission_seconds = 600
# memory_gib = 4

# The competition of lab 06, for `labkit kaggle leaderboard`. The points are for private
# scores of at least so much, entered by `labkit kaggle leaderboard --enter`.
# [kaggle]
# truth = "truth.csv"
# public = 0.3
# deadline = 2030-01-31T23:59:00Z
# per_day = 5
# points = [[0.60, 1], [0.80, 2], [0.88, 3], [0.91, 4]]
"""


@dataclass(frozen=True)
class Limits:
    """What a submission may take at grading: seconds for a cell and for all, GiB of memory.

    The seconds are those that `labkit.sandbox.meter` counts, of a machine as fast as
    `labkit.execution.speed.REFERENCE`; on a slower one there are more of them.
    """

    cell_seconds: int = 120
    submission_seconds: int = 600
    memory_gib: float = 4

    @property
    def memory(self) -> int:
        """Bytes."""
        return int(self.memory_gib * 2**30)


@dataclass(frozen=True)
class Course:
    """The folders of a course; by default all below `root`, as nbgrader lays them out.

    `root` holds submitted/, autograded/, feedback/ and gradebook.db. `solutions` and
    `notebooks` are nbgrader's source and release folders. `build` is for what can be
    made again: references, executed notebooks, reports. `database` is the address of
    the gradebook where it is not the file in `root`.
    """

    root: Path
    solutions: Path
    notebooks: Path
    build: Path
    database: str = ""

    @classmethod
    def at(cls, root: Path) -> "Course":
        """The course in a folder, in the usual layout."""
        root = root.resolve()
        database = str(_settings(root / COURSE_FILE).get("database", ""))
        folders = (root / name for name in ("solutions", "notebooks", "build"))
        return cls(root, *folders, database)

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
        return named or _kept_seed(self.settings_file)

    @property
    def settings_file(self) -> Path:
        """course.toml, beside the solutions folder."""
        return self.solutions.parent / COURSE_FILE

    def settings(self, table: str) -> dict:
        """A table of course.toml; empty where there is none."""
        found = _settings(self.settings_file).get(table, {})
        if not isinstance(found, dict):
            raise LabkitError(
                f"{self.settings_file}: found {table} = {found!r}, expected a table: [{table}]"
            )
        return found

    @property
    def limits(self) -> Limits:
        """What a submission may take, from the table [limits] of course.toml."""
        path = self.settings_file
        found = self.settings("limits")
        known = {field.name for field in fields(Limits)}
        wrong = [
            name
            for name, value in found.items()
            if name not in known or not isinstance(value, (int, float)) or value <= 0
        ]
        if wrong:
            raise LabkitError(
                f"{path}: [limits] has {wrong[0]} = {found[wrong[0]]!r}; expected numbers "
                f"above 0 for {', '.join(sorted(known))}."
            )
        return Limits(**found)

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
    def gradebook_url(self) -> str:
        return self.database or f"sqlite:///{self.root / 'gradebook.db'}"

    @property
    def gradebook_file(self) -> Path | None:
        """The gradebook's file; None where it is a database on a server."""
        address = make_url(self.gradebook_url)
        sqlite = address.get_backend_name() == "sqlite"
        return Path(address.database or "") if sqlite else None

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


def _kept_seed(path: Path) -> str:
    if not path.is_file():
        write_text(path, COURSE_TEXT.format(seed=secrets.token_hex(16)))
    seed = _settings(path).get("seed")
    if not isinstance(seed, str) or not seed.strip():
        raise LabkitError(
            f'{path}: found seed = {seed!r}, expected a text. Write: seed = "any text"'
        )
    return seed.strip()


def _settings(path: Path) -> dict:
    """What course.toml says; nothing where there is none."""
    try:
        return tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabkitError(
            f'{path}: not TOML: {error}. It should hold a line such as seed = "any text".'
        ) from None
