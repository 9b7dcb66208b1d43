"""The gate's findings while an author writes: of the exercise that was just saved."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.authoring.gate import drawn_faults
from labkit.authoring.guide import exercise_faults
from labkit.course import Course
from labkit.execution.grading_data import reference_environment
from labkit.labs.cells import ROLES
from labkit.labs.lab import Lab, LabError, find_labs, read_lab
from labkit.labs.reference_run import record_references

_EXERCISE = ("solution", "check", "mistakes")
_PAUSE = 0.3  # seconds between two looks at the files


@dataclass(frozen=True)
class Finding:
    """What a save of a lab's text showed: the exercises looked at, and what is wrong."""

    path: Path
    exercises: list[str]
    faults: list[str]


def watch(
    course: Course,
    names: list[str] | None,
    begun: Callable[[], None],
    found: Callable[[Finding], None],
) -> None:
    """Tell `found` what each save of a lab's text shows, until it is interrupted.

    `begun` is called once, when every save from then on will be noticed.
    """
    course.create_seed()
    paths = find_labs(course.solutions, names)
    stamps = {path: _stamp(path) for path in paths}
    known = {path: _read(path) for path in paths}
    begun()
    for path in _saved(stamps):
        lab = _read(path)
        found(look(course, path, known[path]))
        known[path] = lab or known[path]


def look(course: Course, path: Path, before: Lab | None) -> Finding:
    """What is wrong with the exercises of a lab that have changed since `before`.

    All of them, where what is given has changed, or `before` is None. Nothing below
    their checks is run, and no other exercise's checks.
    """
    changed: list[str] = []
    try:
        lab = read_lab(path)
        changed = changed_exercises(before, lab)
        faults = [one.at(path) for one in exercise_faults(lab)]
        part = _part(lab, changed)
        if part.cells("check"):
            environment = reference_environment(course.build, course.seed)
            references = record_references(part, environment)
            faults += [one.at(path) for one in drawn_faults(part, references)]
    except LabError as error:
        return Finding(path, changed, str(error).splitlines())
    return Finding(path, changed, faults)


def changed_exercises(before: Lab | None, after: Lab) -> list[str]:
    """The exercises whose solution, check or mistakes have changed, in order."""
    names = [cell.metadata["solution"] for cell in after.cells("solution")]
    if before is None or _given(before) != _given(after):
        return names
    return [name for name in names if _texts(before, name) != _texts(after, name)]


def _given(lab: Lab) -> list[str]:
    return [
        cell.source
        for cell in lab.script.cells
        if cell.cell_type == "code" and not set(ROLES) & set(cell.metadata)
    ]


def _texts(lab: Lab, name: str) -> list[str]:
    return [
        f"{role} {cell.metadata.get('points')} {cell.source}"
        for role in _EXERCISE
        for cell in lab.cells(role)
        if cell.metadata[role] == name
    ]


def _part(lab: Lab, exercises: list[str]) -> Lab:
    """The lab down to the last check of some exercises, without the checks of others."""
    kept, end = [], 0
    for cell in lab.script.cells:
        role = next((one for one in ROLES if one in cell.metadata), None)
        own = role is None or cell.metadata[role] in exercises
        if own or role == "solution":
            kept.append(cell)
        if role in ("check", "mistakes") and own:
            end = len(kept)
    return replace(lab, script=replace(lab.script, cells=kept[:end]))


def _read(path: Path) -> Lab | None:
    """A lab as it is saved; None where its text has faults."""
    try:
        return read_lab(path)
    except LabError:
        return None


def _saved(stamps: dict[Path, tuple[int, int] | None]) -> Iterator[Path]:
    """Each file as it is saved, without an end; also where no file system tells of it."""
    while True:
        time.sleep(_PAUSE)
        for path, before in stamps.items():
            if (now := _stamp(path)) not in (before, None):
                stamps[path] = now
                yield path


def _stamp(path: Path) -> tuple[int, int] | None:
    """When a file was written; None while an editor replaces it."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size
