"""What nbgrader does for each submission anew, and is done once while a course is graded.

Why it stands here and not in `machine/patches.py` is said there.

nbgrader (`one_engine`): its Gradebook makes an SQLAlchemy engine for every step of every
submission, which connects, looks the schema up and compiles every statement again; and
it looks each time for each of its tables. Neither it nor its converters take an engine.
Without the patch recording a submission takes more than twice as long, and a reader of
the gradebook waits for the grader.

nbgrader (`schema_taken_as_right`): it checks the metadata of each cell by
`jsonschema.validate`, which checks nbgrader's own schema first. Its converters make their
validator themselves. Without the patch recording takes a quarter longer.

nbgrader (`names_taken_literally`): it looks for files by patterns into which it puts the
names of folders as they are. In a course `CNN [2026]` or for a student `a[b]` it finds
nothing; and nothing there is ignored, so that a lab's own text, its solution with it,
would be handed out. This one stays, for nbgrader's own commands as well:
`configure` calls it.
"""

import contextlib
import glob
import os
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import nbgrader.api
import nbgrader.apps.api
import nbgrader.converters.base
import nbgrader.utils
from jsonschema.exceptions import best_match
from jsonschema.validators import validator_for
from nbgrader.coursedir import CourseDirectory
from nbgrader.nbgraderformat import common
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.pool import QueuePool


@contextlib.contextmanager
def one_engine() -> Iterator[None]:
    """Let nbgrader open each database once, and SQLite so that readers do not wait."""
    engines: dict[str, Engine] = {}
    whole: set[Engine] = set()
    tables = nbgrader.api.Base.metadata
    make_tables = tables.create_all

    def create_all(bind: Engine) -> None:
        if bind not in whole:
            make_tables(bind=bind)
            whole.add(bind)

    def engine(url: str, **_: Any) -> Engine:
        if url not in engines:
            engines[url] = _open(url)
        return engines[url]

    try:
        with (
            _replaced(nbgrader.api, "create_engine", engine),
            _replaced(tables, "create_all", create_all),
        ):
            yield
    finally:
        for made in engines.values():
            cast(_KeptPool, made.pool).close()
            if made.url.get_backend_name() == "sqlite":
                _give_back(Path(made.url.database or ""))


class _KeptPool(QueuePool):
    """Connections that stay open: nbgrader disposes of them after each step."""

    def dispose(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """What `dispose` does elsewhere."""
        super().dispose()

    def recreate(self) -> "_KeptPool":
        """The same connections."""
        return self


def _open(url: str) -> Engine:
    engine = create_engine(url, poolclass=_KeptPool)
    if make_url(url).get_backend_name() == "sqlite":
        event.listen(engine, "connect", _let_readers_read)
    return engine


def _let_readers_read(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA busy_timeout = 30000")
    connection.execute("PRAGMA journal_mode = WAL")
    # A power cut can undo the last commits, but not damage the file. What they held
    # is then missing in the gradebook, and recorded again.
    connection.execute("PRAGMA synchronous = NORMAL")


def _give_back(gradebook: Path) -> None:
    """Leave one file, as nbgrader makes it, which can be read without writing beside it.

    Where somebody reads just now it stays as it is, for the next grader to give back.
    """
    if gradebook.is_file():
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(sqlite3.connect(gradebook, timeout=1)) as connection,
        ):
            connection.execute("PRAGMA journal_mode = DELETE")


@contextlib.contextmanager
def schema_taken_as_right() -> Iterator[None]:
    """Let nbgrader check the metadata of a cell without checking its own schema each time."""

    def validate(instance: dict, schema: dict) -> None:
        error = best_match(validator_for(schema)(schema).iter_errors(instance))
        if error is not None:
            raise error

    with _replaced(common, "jsonschema", SimpleNamespace(validate=validate)):
        yield


def names_taken_literally() -> None:
    """Let nbgrader find folders and files whose names hold characters of patterns."""
    modules = (nbgrader.apps.api, nbgrader.converters.base, nbgrader.utils)
    for module in modules:
        module.glob = SimpleNamespace(glob=_found)
    CourseDirectory.format_path = _format_path


def _found(pattern: str) -> list[str]:
    """The paths that match a pattern; what exists of it under just this name is no pattern."""
    known, rest = pattern, list[str]()
    while known and not os.path.lexists(known):
        known, name = os.path.split(known)
        rest.insert(0, name)
    # Not by pathlib: nbgrader compares paths as texts, with `/./` and all.
    return glob.glob(os.sep.join([glob.escape(known), *rest]))  # noqa: PTH118, PTH207


_original_format_path = CourseDirectory.format_path


def _format_path(
    self: CourseDirectory,
    nbgrader_step: str,
    student_id: str,
    assignment_id: str,
    escape: bool = False,
) -> str:
    """A path as nbgrader has it; `escape`: as a regular expression, all of it."""
    step = re.escape(nbgrader_step) if escape else nbgrader_step
    path: str = _original_format_path(self, step, student_id, assignment_id, escape)
    return path


@contextlib.contextmanager
def _replaced(place: object, name: str, value: object) -> Iterator[None]:
    """Have another value under a name of a module or an object for a while."""
    original = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, original)
