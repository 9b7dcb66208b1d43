"""A course folder: where its labs, submissions, gradebook and reports lie, and course.toml."""

import difflib
import json
import os
import re
import secrets
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Annotated, Any

from filelock import FileLock
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
)

from labkit.errors import LabkitError
from labkit.files import write_text
from labkit.times import moment

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

# Where the course's folder lies on GitHub. Each released lab then has badges that open it
# on Colab, Kaggle and Binder.
# repository = "owner/name"
# branch = "main"

# What a submission may take. These are the defaults. A second counts while the
# submission computes (so two processes take two at once) or has nothing to compute,
# as when it sleeps; not while it waits for a CPU that other programs use. Where a
# machine trains slowly the limits grow: `labkit doctor` says how many times.
# [limits]
# cell_seconds = 120
# submission_seconds = 600
# memory_gib = 4

# The class's competition, for `labkit kaggle leaderboard`. The points are for private
# scores of at least so much, entered by `labkit kaggle leaderboard --enter`.
# [kaggle]
# truth = "truth.csv"
# public = 0.3
# deadline = 2030-01-31T23:59:00Z
# per_day = 5
# points = [[0.60, 1], [0.80, 2], [0.88, 3], [0.91, 4]]
"""
POINTS = "points = [[0.60, 1], [0.80, 2]]"


# TOML has lists only.
_Pair = Annotated[tuple[float, float], Strict(False)]


def _in_utc(found: datetime) -> datetime:
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _moment(found: Any) -> Any:
    if isinstance(found, date) and not isinstance(found, datetime):
        found = found.isoformat()  # a day of TOML's own: its first moment
    if not isinstance(found, str):
        return found
    try:
        return moment(found)
    except LabkitError as error:
        raise ValueError(str(error)) from None


def _scale(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The thresholds by rising score; more score never earns fewer points."""
    pairs = sorted(pairs)
    earned = [points for _, points in pairs]
    if not all(0 <= least <= 1 for least, _ in pairs):
        raise ValueError(f"scores from 0 to 1: {POINTS}")
    if earned != sorted(earned) or any(points < 0 for points in earned):
        raise ValueError(f"more points for more score: {POINTS}")
    return pairs


class _Table(BaseModel):
    """A table of course.toml. A field's description says what is expected of it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class Limits(_Table):
    """What a submission may take at grading: seconds for a cell and for all, GiB of memory.

    The seconds are those that `labkit.sandbox.meter` counts, of a machine as fast as
    `labkit.execution.speed.REFERENCE`; on a slower one there are more of them.
    """

    cell_seconds: float = Field(default=120, gt=0, description="a number above 0")
    submission_seconds: float = Field(default=600, gt=0, description="a number above 0")
    memory_gib: float = Field(default=4, gt=0, description="a number above 0")

    @property
    def memory(self) -> int:
        """Bytes."""
        return int(self.memory_gib * 2**30)


class Competition(_Table):
    """What decides a class's leaderboard, and the points that scores earn.

    lab, cell: where the points go, a manually graded cell; the lab is the one that shows
    a submission.csv, where it is not named. truth: the true classes,
    beside course.toml. submissions: names of the files in submitted/<student>/<lab>/.
    public: the public share of the test pictures. deadline: None for none. per_day: None
    for any number. points: (least private score in 0..1, points), by rising score.
    """

    lab: str = Field(default="", description="a text")
    cell: str = Field(default="leaderboard", description="a text")
    truth: str | None = Field(default=None, description="a text")
    submissions: str = Field(default="submission*.csv", description="a text")
    public: float = Field(
        default=0.3, gt=0, lt=1, description="a share between 0 and 1"
    )
    deadline: (
        Annotated[datetime, AfterValidator(_in_utc), BeforeValidator(_moment)] | None
    ) = Field(default=None, description="a date and time such as 2030-01-31T23:59:00Z")
    per_day: int | None = Field(
        default=None, gt=0, description="a whole number above 0"
    )
    points: Annotated[list[_Pair], AfterValidator(_scale)] = Field(
        default=[], description=f"pairs of score and points: {POINTS}"
    )

    def earned(self, score: float) -> float:
        """The points for a score in 0..1; 0 below the first threshold."""
        return max(
            (points for least, points in self.points if score >= least), default=0
        )

    def threshold(self, score: float) -> float | None:
        """The highest threshold that a score reaches, None below the first."""
        return max((least for least, _ in self.points if score >= least), default=None)


class Settings(_Table):
    """All of course.toml."""

    seed: str = Field(default="", description='a text: seed = "any text"')
    database: str = Field(default="", description="an address of SQLAlchemy's")
    repository: str = Field(
        default="",
        pattern=r"^[\w.-]+/[\w.-]+$|^$",
        description='owner/name on GitHub: repository = "owner/name"',
    )
    branch: str = Field(default="main", description="a branch of the repository")
    limits: Limits = Field(default=Limits(), description="a table: [limits]")
    kaggle: Competition = Field(default=Competition(), description="a table: [kaggle]")


def read_settings(path: Path) -> Settings:
    """What a course.toml says; the defaults where there is none.

    Raises LabkitError with the first thing in it that is not as expected.
    """
    try:
        found = tomllib.loads(path.read_text("utf-8")) if path.is_file() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise LabkitError(
            f'{path}: not TOML: {error}. It should hold a line such as seed = "any text".'
        ) from None
    except OSError as error:
        raise LabkitError(f"{path}: cannot be read: {error.strerror}.") from None
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        raise LabkitError(f"{path}: {_first_fault(error, found)}") from None


def _first_fault(error: ValidationError, found: dict[str, Any]) -> str:
    """The first fault in words: where, what was found, what was expected."""
    fault = error.errors()[0]
    model: type[_Table] = Settings
    table, name, value = "", str(fault["loc"][0]), found
    if len(fault["loc"]) > 1:
        table, value, model = f"[{name}] has ", found[name], _TABLES[name]
        name = str(fault["loc"][1])
    said = f"{table}{name} = {value[name]!r}"
    if fault["type"] == "extra_forbidden":
        return f"{said}, a name that is not known. {_known(name, model)}"
    field = model.model_fields[name]
    expected = field.description
    if fault["type"] == "value_error" and name == "points":
        expected = str(fault["ctx"]["error"])
    usual = field.default if isinstance(field.default, (float, int, str)) else None
    write = f" Write: {name} = {json.dumps(usual)}" if usual else ""
    return f"{said}; expected {expected}.{write}"


_TABLES: dict[str, type[_Table]] = {"limits": Limits, "kaggle": Competition}


def _known(name: str, model: type[_Table]) -> str:
    """What may have been meant by a name, and what is known where it stands."""
    for table, other in _TABLES.items():
        if model is Settings and name in other.model_fields:
            return f"It belongs below [{table}]."
    known = list(model.model_fields)
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"Do you mean {near[0]}? " if near else ""
    return f"{meant}Expected one of {', '.join(known)}."


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

    def __post_init__(self) -> None:
        if self.database:
            _dialect(self.database)

    @classmethod
    def at(cls, root: Path) -> "Course":
        """The course in a folder, in the usual layout."""
        root = root.resolve()
        database = read_settings(root / COURSE_FILE).database
        return cls(
            root, root / "solutions", root / "notebooks", root / "build", database
        )

    @classmethod
    def here(cls) -> "Course":
        """The course of the working directory or the nearest folder above it."""
        here = Path.cwd()
        for folder in (here, *here.parents):
            if (folder / CONFIG_FILE).is_file() and (folder / "solutions").is_dir():
                return cls.at(folder)
        raise LabkitError(
            f"No course here: {here} and the folders above it hold no {CONFIG_FILE} beside "
            "a solutions/ folder. Change to the course folder and try again, or begin a "
            "course: labkit init my_course"
        )

    @property
    def settings_file(self) -> Path:
        """course.toml, beside the solutions folder."""
        return self.solutions.parent / COURSE_FILE

    @property
    def settings(self) -> Settings:
        """What course.toml says."""
        return read_settings(self.settings_file)

    @property
    def seed(self) -> str:
        """The course's seed, from the variable LABKIT_SEED or from course.toml.

        Raises LabkitError where neither has one: `create_seed` makes it.
        """
        found = os.environ.get("LABKIT_SEED", "").strip() or self.settings.seed.strip()
        if not found:
            raise LabkitError(
                f"{self.settings_file}: there is no seed, from which hidden checks draw "
                'their inputs. Write: seed = "any text"'
            )
        return found

    def create_seed(self) -> None:
        """Write a course.toml with a seed of its own, where there is no course.toml."""
        named = os.environ.get("LABKIT_SEED", "").strip()
        if named or self.settings_file.is_file():
            return
        self.build.mkdir(parents=True, exist_ok=True)
        with FileLock(self.build / "seed.lock"):  # of two at once, one writes
            if not self.settings_file.is_file():
                text = COURSE_TEXT.format(seed=secrets.token_hex(16))
                write_text(self.settings_file, text)

    @property
    def limits(self) -> Limits:
        """What a submission may take."""
        return self.settings.limits

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    def lab(self, name: str) -> Path:
        """The text of a lab."""
        return self.solutions / name / f"{name}.py"

    def released(self, lab: str) -> Path:
        """The notebook that students get."""
        return self.notebooks / lab / f"{lab}.ipynb"

    def submission(self, student: str, lab: str) -> Path:
        """The folder that a student handed in."""
        return self.submitted / student / lab

    def autograded_notebook(self, student: str, lab: str) -> Path:
        """A submission's notebook as it was graded."""
        return self.autograded / student / lab / f"{lab}.ipynb"

    @property
    def autograded(self) -> Path:
        return self.root / "autograded"

    @property
    def feedback(self) -> Path:
        return self.root / "feedback"

    @property
    def gradebook_url(self) -> str:
        """The gradebook's address, as SQLAlchemy and nbgrader take it."""
        from sqlalchemy.engine import URL, make_url

        if self.database:
            return self.database
        file = str(self.root / "gradebook.db")
        plain = f"sqlite:///{file}"
        # Quoted only where it must be: `nbgrader db` takes what follows for the file.
        if make_url(plain).database == file:
            return plain
        return URL.create("sqlite", database=file).render_as_string()

    @property
    def gradebook_file(self) -> Path | None:
        """The gradebook's file; None where it is a database on a server."""
        from sqlalchemy.engine import make_url

        if _dialect(self.gradebook_url) != "sqlite":
            return None
        return Path(make_url(self.gradebook_url).database or "")

    def submissions(
        self, labs: Iterable[str] = (), students: Iterable[str] = ()
    ) -> list[tuple[str, str]]:
        """(student, lab) of the submitted folders, those named or all, in order.

        A student may be named in either way that Unicode has for an umlaut. Raises
        LabkitError for a folder whose name no gradebook can hold.
        """
        labs, students = set(labs), {one_spelling(name) for name in students}
        found = sorted(
            (folder.parent.name, folder.name)
            for folder in self.submitted.glob("*/*")
            # Path.is_dir raises where a student's folder is closed.
            if os.path.isdir(folder)  # noqa: PTH112
            and not folder.name.startswith(".")
        )
        for student, _ in found:
            _require_unicode(self.submitted / student)
        return [
            (student, lab)
            for student, lab in found
            if (not labs or lab in labs)
            and (not students or one_spelling(student) in students)
        ]


def one_spelling(name: str) -> str:
    """A name as it is compared: a Mac writes the umlauts of files as two characters each."""
    return unicodedata.normalize("NFC", name)


def _require_unicode(folder: Path) -> None:
    try:
        folder.name.encode()
    except UnicodeEncodeError:
        shown = str(folder).encode(errors="replace").decode()
        raise LabkitError(
            f"{shown}: the name is not in UTF-8, as from a zip file of an old Windows. "
            "Rename the folder."
        ) from None


def _dialect(address: str) -> str:
    """The kind of database at an address; raises LabkitError where it is no address."""
    # It takes longer to import than all the rest, and few commands open a gradebook.
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return str(make_url(address).get_dialect().name)
    except ArgumentError:
        shown = re.sub(r":[^:@/]+@", ":***@", address)  # a password is not for a log
        raise LabkitError(
            f"database = {shown!r} is no address, or of no kind of database, that "
            'SQLAlchemy knows. Write: database = "postgresql://user@host/gradebook"'
        ) from None
