"""The gradebook while a course is graded: one connection, one writer, a copy to go back to."""

import contextlib
import os
import shlex
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import nbgrader.api
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, func, inspect, text

from labkit.course import Course
from labkit.errors import LabkitError
from labkit.files import held, replacing

BACKUPS_KEPT = 5
# Of the first versions of nbgrader, which wrote none.
UNVERSIONED = "without a version"
# What nbgrader makes last of a gradebook.
VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)"
)


def require_gradebook(course: Course) -> None:
    """Raise LabkitError where nothing has been graded yet."""
    file = course.gradebook_file
    if file is not None and not file.is_file():
        raise LabkitError(f"No gradebook at {file}. Type: labkit grade")


def only_grader(build: Path) -> contextlib.AbstractContextManager[None]:
    """Keep others from grading the course at the same time; raises LabkitError where one is."""

    def refuse(other: str) -> NoReturn:
        who = f" (process {other})" if other else ""
        raise LabkitError(
            f"This course is being graded already{who}. "
            "Wait until that has ended, then type: labkit grade"
        ) from None

    build.mkdir(parents=True, exist_ok=True)
    lock, holder = build / "grading.lock", build / "grading.pid"
    return held(lock, holder, str(os.getpid()), refuse)


def prepare_gradebook(course: Course) -> None:
    """Make the gradebook where there is none.

    Raises LabkitError where it is of another nbgrader; keeps a backup first.
    """
    scripts = Path(nbgrader.__file__).parent / "alembic"
    expected = ScriptDirectory(str(scripts)).get_current_head()
    with nbgrader.api.create_engine(course.gradebook_url).begin() as database:
        found = _schema(database)
        if found is None:
            # nbgrader would start a program to learn its own version.
            database.execute(text(VERSION_TABLE))
            write = text("INSERT INTO alembic_version VALUES (:version)")
            database.execute(write, {"version": expected})
            found = expected
    if found != expected:
        kept = back_up(course)
        where = f" A copy is in {kept}." if kept else ""
        raise LabkitError(
            f"The gradebook has the schema {found}, this nbgrader has {expected}.{where} "
            f"Type: nbgrader db upgrade {shlex.quote(f'--db={course.gradebook_url}')}"
        )


def _schema(database: Connection) -> str | None:
    """The version of a gradebook's schema; None where there is none yet.

    Who was to make it may have been killed half-way: its tables are today's then.
    """
    inspector = inspect(database)
    if inspector.has_table("alembic_version"):
        version = text("SELECT version_num FROM alembic_version")
        if found := database.execute(version).scalar():
            return str(found)
    for table in nbgrader.api.Base.metadata.sorted_tables:
        if inspector.has_table(table.name):
            there = {column["name"] for column in inspector.get_columns(table.name)}
            if not {column.name for column in table.columns} <= there:
                return UNVERSIONED
    return None


def back_up(course: Course) -> Path | None:
    """Copy an SQLite gradebook to build/backups; the newest few are kept.

    Returns the copy; None for another database, which has tools of its own.
    """
    if not _exists(course) or not course.gradebook_file:
        return None
    folder = course.build / "backups"
    target = folder / f"gradebook-{datetime.now():%Y%m%d-%H%M%S-%f}.db"
    with (
        replacing(target) as partial,
        contextlib.closing(sqlite3.connect(course.gradebook_file)) as source,
        contextlib.closing(sqlite3.connect(partial)) as copy,
    ):
        source.backup(copy)
    for old in sorted(folder.glob("gradebook-*.db"))[:-BACKUPS_KEPT]:
        old.unlink()
    return target


def automatic_points(
    course: Course, student: str | None = None, lab: str | None = None
) -> dict[tuple[str, str], float]:
    """The points that the checks gave, by (student, lab), in one query: of all, or of one."""
    if not _exists(course):
        return {}
    api = nbgrader.api
    named = {api.SubmittedAssignment.student_id: student, api.Assignment.name: lab}
    with api.Gradebook(course.gradebook_url) as gradebook:
        rows = (
            gradebook.db.query(
                api.SubmittedAssignment.student_id,
                api.Assignment.name,
                func.coalesce(func.sum(api.Grade.auto_score), 0.0),
            )
            .join(
                api.SubmittedNotebook,
                api.SubmittedNotebook.assignment_id == api.SubmittedAssignment.id,
            )
            .join(api.Grade, api.Grade.notebook_id == api.SubmittedNotebook.id)
            .join(
                api.Assignment,
                api.Assignment.id == api.SubmittedAssignment.assignment_id,
            )
            .filter(*(column == name for column, name in named.items() if name))
            .group_by(api.SubmittedAssignment.student_id, api.Assignment.name)
        )
        return {(student, lab): float(points) for student, lab, points in rows}


def due_dates(
    course: Course, submissions: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], datetime | None]:
    """When submissions, (student, lab), are due, with what a student was granted."""
    api = nbgrader.api
    with api.Gradebook(course.gradebook_url) as gradebook:
        usual = {one.name: one.duedate for one in gradebook.assignments}
        granted = gradebook.db.query(api.SubmittedAssignment).filter(
            api.SubmittedAssignment.extension.isnot(None)
        )
        own = {(one.student_id, one.assignment.name): one.duedate for one in granted}
    return {one: own.get(one, usual.get(one[1])) for one in submissions}


def _exists(course: Course) -> bool:
    return course.gradebook_file is None or course.gradebook_file.is_file()
