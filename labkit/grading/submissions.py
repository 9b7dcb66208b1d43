"""Whose work lies where below submitted/: what is to be graded, and what lies elsewhere.

In its place is submitted/<student>/<lab>/. Of what is not, that is taken which can be
nobody else's and of no other lab; all else is told, with what to type.
"""

import os
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbgrader.preprocessors import ClearSolutions
from nbgrader.utils import parse_utc
from traitlets.config import Config

from labkit.course import Course, one_spelling
from labkit.grading.intake import IGNORED, Intake, LabCells, labs_in, take_in
from labkit.labs.lab import STUB, LabError, find_labs, grade_id
from labkit.labs.source import write_source
from labkit.times import TIMESTAMP

TIMESTAMP_BYTES = 1000
LINKED = (
    "The folder is a link to another place, and links are not followed. Hand in the "
    "files themselves."
)


@dataclass(frozen=True)
class Submission:
    """What a student handed in for a lab: a folder.

    Not `deep`: its own files alone, for it is the student's folder of all labs.
    """

    student: str
    lab: str
    folder: Path
    deep: bool = True


def find_submissions(
    course: Course, labs: Iterable[str] = (), students: Iterable[str] = ()
) -> list[Submission]:
    """The submissions of the labs and students named, or all, by student and lab."""
    labs = set(labs) or _assignments(course)
    students = {one_spelling(name) for name in students}
    in_place = [
        Submission(student, lab, course.submission(student, lab))
        for student, lab in course.submissions(labs, students)
    ]
    taken = [
        one
        for one in _Elsewhere.of(course).taken
        if one.lab in labs and (not students or one_spelling(one.student) in students)
    ]
    return sorted(in_place + taken, key=lambda one: (one.student, one.lab))


def read_submission(submission: Submission, labs: Mapping[str, LabCells]) -> Intake:
    """Find and read the notebook of a submission; `labs` as `take_in` has them."""
    one = submission
    if is_linked(one.folder):
        return Intake(reason=LINKED)
    found = take_in(one.folder, one.lab, labs, one.deep)
    fault = timestamp_fault(one.folder)
    if fault and not found.reason:
        found.notes.append(f"{fault} Your work counts as in time.")
    return found


def is_linked(folder: Path) -> bool:
    """Whether submitted/<student>/<lab>, or the student's folder, is a link."""
    return folder.is_symlink() or folder.parent.is_symlink()


def misplaced_work(course: Course) -> list[str]:
    """What lies below submitted/ and is not graded, each with what to type."""
    return _Elsewhere.of(course).lost


def taken_elsewhere(course: Course) -> list[str]:
    """What was graded though it does not lie in its place, and what has no time."""
    lines = [
        f"{_shown(course, one.folder)}: graded as {one.student}'s {one.lab}"
        for one in _Elsewhere.of(course).taken
    ]
    return lines + [
        f"{_shown(course, one.folder)}: {fault} It counts as in time"
        for one in find_submissions(course)
        if (fault := timestamp_fault(one.folder))
    ]


def no_submissions(course: Course) -> str:
    """What to say where there are none."""
    return (
        f"No submissions in {course.submitted}. Put each notebook where nbgrader has it: "
        "submitted/<student>/<lab>/<lab>.ipynb."
    )


def timestamp_fault(folder: Path) -> str:
    """Why the time at which a folder was handed in is none; empty where it is one."""
    path = folder / TIMESTAMP
    if path.is_symlink() or not path.is_file():
        return ""
    found = ""
    try:
        with path.open("rb") as stream:
            found = stream.read(TIMESTAMP_BYTES).decode().strip()
        if found:
            parse_utc(found)
    except OSError:
        return ""  # that is told of the whole submission
    except Exception:  # dateutil raises more than it says
        return (
            f"{TIMESTAMP} holds {found[:40]!r}, which is no time such as "
            "2030-01-31 23:59:00 UTC."
        )
    return ""


def lab_cells(course: Course) -> dict[str, LabCells]:
    """The cells of each lab that nbgrader knows: see `LabCells`.

    A lab with faults, as one that is being written, is left out.
    """
    found = {}
    for path in find_labs(course.solutions):
        with suppress(LabError):
            found[path.stem] = _cells(path)
    return found


def _cells(lab_path: Path) -> LabCells:
    notebook = nbformat.read(write_source(lab_path), as_version=4)
    config = Config(ClearSolutions={"code_stub": {"python": STUB}})
    released, _ = ClearSolutions(config=config).preprocess(notebook, {})
    return {
        name: cell.source if cell.metadata.nbgrader.solution else None
        for cell in released.cells
        if (name := grade_id(cell)) is not None
    }


@dataclass
class _Elsewhere:
    """What lies below submitted/, but not at <student>/<lab>/."""

    course: Course
    taken: list[Submission] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    _labs: dict[str, LabCells] | None = None

    @classmethod
    def of(cls, course: Course) -> "_Elsewhere":
        found, assignments = cls(course), _assignments(course)
        with found._closed_is_told(course.submitted):
            for place in _entries(course.submitted):
                with found._closed_is_told(place):
                    found._look_into(place, assignments)
        return found

    @contextmanager
    def _closed_is_told(self, folder: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            shown = shlex.quote(_shown(self.course, folder))
            self.lost.append(
                f"not graded: {shown} cannot be read: {error.strerror}. "
                f"Type: chmod -R u+rX {shown}"
            )

    def _look_into(self, place: Path, assignments: set[str]) -> None:
        shown = _shown(self.course, place)
        if shown != str(place.relative_to(self.course.root)):
            self.lost.append(
                f"not graded: {shown}, whose name is not UTF-8. Rename it."
            )
        elif not place.is_dir():
            self._whose(place)
        elif place.name in assignments:
            for inner in _entries(place):
                self._turned_round(inner, place.name)
        else:
            self._of_student(place, assignments)

    def _labs_in(self, path: Path, deep: bool = True) -> tuple[set[str], bool]:
        """Which labs' notebooks are there, and whether there may be any."""
        if self._labs is None:
            self._labs = lab_cells(self.course)
        return labs_in(path, self._labs, deep)

    def _of_student(self, folder: Path, assignments: set[str]) -> None:
        """Take what is of one lab, where the student has nothing else for it."""
        found: dict[str, dict[Submission, list[Path]]] = {}
        for path in _entries(folder):
            if path.is_dir() and path.name in assignments:
                continue
            labs, any_work = self._labs_in(path)
            lab = next(iter(labs)) if len(labs) == 1 else "LAB"
            if len(labs) == 1 and (path.is_file() or self._is_of(path, lab)):
                place = path if path.is_dir() else folder
                one = Submission(folder.name, lab, place, deep=path.is_dir())
                found.setdefault(lab, {}).setdefault(one, []).append(path)
            elif any_work:
                # A folder may be a student's, and the one above it a group's.
                student = "STUDENT" if path.is_dir() else folder.name
                self._tell(path, "whose place is not clear", student, lab)
        for lab, places in found.items():
            in_place = self.course.submission(folder.name, lab)
            if len(places) == 1 and not in_place.is_dir():
                self.taken += places
                continue
            why = "which is not the only work for this lab"
            for path in (path for paths in places.values() for path in paths):
                self._tell(path, why, folder.name, lab)

    def _is_of(self, folder: Path, lab: str) -> bool:
        """Whether a folder is called as the lab, or by its number, and holds it itself."""
        number = re.match(r"\d+", lab)
        named = rf"(lab)?[\W_]*0*{int(number[0])}(\D.*)?" if number else re.escape(lab)
        called = re.fullmatch(named, folder.name, re.IGNORECASE) is not None
        return called and self._labs_in(folder, deep=False)[0] == {lab}

    def _whose(self, path: Path) -> None:
        labs, any_work = self._labs_in(path)
        if any_work:
            lab = next(iter(labs)) if len(labs) == 1 else "LAB"
            self._tell(path, "whose student is not known", "STUDENT", lab)

    def _turned_round(self, path: Path, lab: str) -> None:
        if path.is_dir():
            self._tell(path, "which is a student in a lab", path.name, lab)
        elif self._labs_in(path)[1]:
            self._tell(path, "whose student is not known", "STUDENT", lab)

    def _tell(self, path: Path, why: str, student: str, lab: str) -> None:
        shown = _shown(self.course, path)
        folder = f"submitted/{student}/{lab}"
        move = f"mv {shlex.quote(shown)} {shlex.quote(folder)}/"
        self.lost.append(
            f"not graded: {shown}, {why}. "
            f"Type: mkdir -p {shlex.quote(folder)} && {move}"
        )


def _assignments(course: Course) -> set[str]:
    """The course's labs, and what else nbgrader hands out here."""
    return {one.name for one in _entries(course.solutions) if one.is_dir()}


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, but links and what systems leave behind; none without it."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return []
    return [
        Path(entry)
        for entry in entries
        if not (entry.is_symlink() or entry.name.startswith("."))
        and entry.name not in IGNORED
    ]


def _shown(course: Course, path: Path) -> str:
    """A path for people, with `?` for what is not UTF-8 in it."""
    return str(path.relative_to(course.root)).encode(errors="replace").decode()
