"""Scores as tables for other programs: a plain CSV, and files that Canvas and Moodle import.

A name that a spreadsheet would run as a formula gets an apostrophe in front: names are
for people to read, both systems find a student by the identifiers. Identifiers and
scores are never changed.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nbgrader.api import Gradebook
from nbgrader.plugins import ExportPlugin
from traitlets import Unicode

from labkit.course import Course, one_spelling
from labkit.errors import LabkitError
from labkit.files import write_text
from labkit.formatting import points
from labkit.grading.engine import Grade
from labkit.grading.gradebook.database import require_gradebook
from labkit.grading.gradebook.scores import ClassScores, Student, read_scores
from labkit.grading.results.roster import (
    CANVAS_IDENTIFIERS,
    CANVAS_KEYS,
    MOODLE_IDENTIFIERS,
    MOODLE_KEYS,
    Roster,
    match,
    read_canvas,
    read_moodle,
)
from labkit.grading.submissions import find_submissions, misplaced_work

PLAIN_COLUMNS = ["student", "lab", "score", "max_score"]
# What Canvas writes for a student who is excused, or to whom a lab is not given.
KEPT_IN_CANVAS = ("EX", "N/A")
NO_GRADE_IN_MOODLE = "-"
FORMULA = re.compile(r"\s*[=+\-@]|[\t\r]")


@dataclass
class Export:
    """A written file, its number of rows, and what a person should look at.

    `unmatched`: students of the gradebook who are not in the roster; their scores are in
    `rest`. `absent`: people of the roster who are not in the gradebook.
    """

    path: Path
    rows: int
    unmatched: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rest: Path | None = None

    @property
    def complete(self) -> bool:
        return not self.unmatched and not self.absent

    def messages(self) -> list[str]:
        """What a person should look at, one line each."""
        lines = [
            f"not in the roster, scores in {self.rest}: {who}" for who in self.unmatched
        ]
        lines += [
            f"in the roster, but not in the gradebook: {who}" for who in self.absent
        ]
        return lines + self.notes


def write_grades(grades: Iterable[Grade], path: Path) -> None:
    """Write `student,lab,score,max_score`, one row a submission, by student and lab."""
    rows = [
        [grade.student, grade.lab, f"{grade.score:g}", f"{grade.max_score:g}"]
        for grade in sorted(grades, key=lambda g: (g.student, g.lab))
    ]
    _write(path, [PLAIN_COLUMNS, *rows])


def write_plain(scores: ClassScores, path: Path) -> Export:
    """Write `student,lab,score,max_score`, one row a submission, by student and lab."""
    rows = _plain_rows(scores, scores.students)
    _write(path, [PLAIN_COLUMNS, *rows])
    return Export(path, len(rows), notes=_notes(scores, [row[:1] for row in rows]))


def write_canvas(scores: ClassScores, path: Path, roster: Path | None = None) -> Export:
    """Write a gradebook CSV as Canvas imports it.

    A lab that was not handed in stays empty: Canvas has no grade then, and its own rules
    for missing work apply. With a roster the file has its rows and its assignments' ids,
    and keeps what Canvas has where the gradebook has nothing, and who is excused.
    """
    if roster is not None:
        return _canvas_from_roster(scores, path, read_canvas(roster))
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *scores.labs]
    maximum = [points(value) for value in scores.labs.values()]
    rows = [
        [_safe(one.sortable_name), one.lms_user_id, "", one.id, ""]
        + [_cell(scores, one, lab, "") for lab in scores.labs]
        for one in scores.students
    ]
    _write(path, [header, ["    Points Possible", "", "", "", "", *maximum], *rows])
    notes = _notes(scores, [[row[1], row[3]] for row in rows])
    return Export(path, len(rows), notes=notes)


def _canvas_from_roster(scores: ClassScores, path: Path, roster: Roster) -> Export:
    found = match(scores.students, roster, CANVAS_KEYS)
    by_id = {student.id: student for student in scores.students}
    students = {number: by_id[student] for student, number in found.items()}
    about = roster.columns[: roster.columns.index("Section") + 1]
    export = _matched(scores, path, roster, found)
    columns = {lab: _canvas_column(roster, lab, export) for lab in scores.labs}
    possible = ["    Points Possible"] + [""] * (len(about) - 1)
    possible += _possible(scores, roster, columns, export)
    rows = [
        _about(person, about, CANVAS_IDENTIFIERS)
        + _canvas_cells(scores, students.get(number), person, columns, export)
        for number, person in enumerate(roster.people)
    ]
    _write(path, [[*about, *columns.values()], possible, *rows])
    export.rows = len(rows)
    export.notes += _notes(
        scores, [[p.get(c, "") for c in CANVAS_IDENTIFIERS] for p in roster.people]
    )
    return export


def _canvas_cells(
    scores: ClassScores,
    student: Student | None,
    person: dict[str, str],
    columns: dict[str, str],
    export: Export,
) -> list[str]:
    """A person's cells: the score, else what Canvas has; who is excused stays so."""
    cells = []
    for lab, column in columns.items():
        there = person.get(column, "").strip()
        score = _cell(scores, student, lab, there)
        if student and there.upper() in KEPT_IN_CANVAS and score != there:
            export.notes.append(f"{there} in Canvas, left so: {student.label}, {lab}")
            score = there
        cells.append(score)
    return cells


def _possible(
    scores: ClassScores, roster: Roster, columns: dict[str, str], export: Export
) -> list[str]:
    """The points possible: what Canvas has, so that an import does not change them."""
    cells = []
    for lab, maximum in scores.labs.items():
        there = roster.points.get(columns[lab], "").strip()
        if there and _as_number(there) != maximum:
            export.notes.append(
                f"{lab}: {there} points possible in Canvas, {points(maximum)} here; "
                "the scores are written as they are"
            )
        cells.append(there or points(maximum))
    return cells


def _canvas_column(roster: Roster, lab: str, export: Export) -> str:
    """The roster's column of a lab, `Title (id)`; the lab's name for a new assignment.

    An assignment is a lab's where it has its number and words, whatever stands between
    them, or its number alone.
    """
    titles = {
        column: _words(title[1])
        for column in roster.columns
        if (title := re.fullmatch(r"(.*)\s\(\d+\)", column))
    }
    words = _words(lab)
    for wanted in (words, [word for word in words if word.isdigit()][:1]):
        matches = [column for column, title in titles.items() if wanted == title]
        if len(matches) > 1:
            raise LabkitError(
                f"{roster.path}: the assignments {' and '.join(matches)} have the same "
                "title; expected one a lab. Rename one in Canvas and export again."
            )
        if wanted and matches:
            if wanted != words or _plain_title(matches[0]) != _plain_title(lab):
                export.notes.append(f"{lab} goes into Canvas's {matches[0]}")
            return matches[0]
    near = [column for column, title in titles.items() if set(words) & set(title)]
    if near:
        export.notes.append(
            f"{lab}: no assignment of this name in Canvas, so the import makes one; "
            f"there is {', '.join(near[:3])}"
        )
    return lab


def _plain_title(text: str) -> str:
    title = re.sub(r"\s\(\d+\)$", "", text)
    return " ".join(title.replace("_", " ").split()).casefold()


def _words(title: str) -> list[str]:
    """The words and numbers of a title, as they are compared; "lab" is none."""
    found = re.findall(r"\d+|[^\W\d_]+", one_spelling(title).casefold())
    return [
        str(int(word)) if word.isdigit() else word for word in found if word != "lab"
    ]


def write_moodle(scores: ClassScores, path: Path, roster: Path | None = None) -> Export:
    """Write a grade CSV as Moodle imports it; a lab that was not handed in is `-`, no grade.

    Raises LabkitError where no identifier is known of everybody: Moodle gives the grades
    of a row without one to the person of the row above.
    """
    people = [
        {
            "First name": one.first_name,
            "Last name": one.last_name,
            "Username": one.id,
            "ID number": one.lms_user_id,
            "Email address": one.email,
        }
        for one in scores.students
    ]
    students, export = scores.students, Export(path, 0)
    if roster is not None:
        table = read_moodle(roster)
        found = match(scores.students, table, MOODLE_KEYS)
        students = [one for one in scores.students if one.id in found]
        people = [table.people[found[one.id]] for one in students]
        export = _matched(scores, path, table, found)
    about = _moodle_columns(people)
    rows = [
        _about(person, about, MOODLE_IDENTIFIERS)
        + [_cell(scores, one, lab, NO_GRADE_IN_MOODLE) for lab in scores.labs]
        for one, person in zip(students, people, strict=True)
    ]
    _write(path, [[*about, *scores.labs], *rows])
    export.rows = len(rows)
    export.notes += _notes(
        scores,
        [[p[c] for c in about if c in MOODLE_IDENTIFIERS] for p in people],
    )
    return export


def _moodle_columns(people: list[dict[str, str]]) -> list[str]:
    """The columns about a person: every identifier that all have, and the names."""
    whole = [
        column
        for column in MOODLE_IDENTIFIERS
        if all(person.get(column, "").strip() for person in people)
    ]
    if not whole:
        raise LabkitError(
            f"None of {', '.join(MOODLE_IDENTIFIERS)} is filled in for everybody, and Moodle "
            "needs one. Fill one in in the roster and type the same command again."
        )
    names = [
        column
        for column in ("First name", "Last name")
        if any(person.get(column) for person in people)
    ]
    return names + whole


def _matched(
    scores: ClassScores, path: Path, roster: Roster, found: dict[str, int]
) -> Export:
    """The export so far: who is on one side only, and the scores of those in a file."""
    if path.resolve() == roster.path.resolve():
        raise LabkitError(f"{path} is the roster itself. Type another --out FILE")
    unmatched = [one for one in scores.students if one.id not in found]
    numbers = set(found.values())
    rest = path.with_name(f"{path.stem}-unmatched.csv")
    rest.unlink(missing_ok=True)
    if unmatched:
        _write(rest, [PLAIN_COLUMNS, *_plain_rows(scores, unmatched)])
    return Export(
        path,
        0,
        [one.label for one in unmatched],
        [
            roster.label(person)
            for number, person in enumerate(roster.people)
            if number not in numbers
        ],
        list(roster.notes),
        rest=rest if unmatched else None,
    )


def _about(
    person: dict[str, str], columns: list[str], exact: tuple[str, ...]
) -> list[str]:
    values = ((column, person.get(column, "")) for column in columns)
    return [value if column in exact else _safe(value) for column, value in values]


def _safe(text: str) -> str:
    """A text that no spreadsheet runs as a formula."""
    return f"'{text}" if FORMULA.match(text) else text


def _notes(scores: ClassScores, identifiers: Iterable[list[str]]) -> list[str]:
    notes = []
    risky = sorted({key for keys in identifiers for key in keys if FORMULA.match(key)})
    if risky:
        notes.append(
            f"begins like a formula: {', '.join(risky)}. Import the file; do not open it "
            "in a spreadsheet"
        )
    if scores.waiting:
        count = len(scores.waiting)
        notes.append(
            f"{count} of the scores {'lacks' if count == 1 else 'lack'} the points of "
            "answers in words that no person has read yet"
        )
    return notes


def _cell(scores: ClassScores, student: Student | None, lab: str, missing: str) -> str:
    score = scores.points.get((student.id, lab)) if student else None
    return missing if score is None else points(score)


def _as_number(text: str) -> float | None:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def _plain_rows(scores: ClassScores, students: list[Student]) -> list[list[str]]:
    return [
        [one.id, lab, points(scores.points[one.id, lab]), points(maximum)]
        for one in students
        for lab, maximum in scores.labs.items()
        if (one.id, lab) in scores.points
    ]


def _write(path: Path, rows: Iterable[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    write_text(path, stream.getvalue())


PLAIN = "csv"
# Those of learning management systems, which may come with a roster of theirs.
WITH_ROSTER = {"canvas": write_canvas, "moodle": write_moodle}
FILES = {PLAIN: "grades.csv", "canvas": "canvas.csv", "moodle": "moodle.csv"}


def export_scores(
    course: Course,
    form: str = "csv",
    out: Path | None = None,
    roster: Path | None = None,
    labs: Iterable[str] = (),
) -> Export:
    """Write the scores of a course's gradebook, in a format that FILES names.

    Raises LabkitError where there is no gradebook, for an unknown format or lab, and for
    a roster that cannot be read.
    """
    if form not in FILES:
        raise LabkitError(
            f"Unknown format {form!r}; expected one of {', '.join(FILES)}."
        )
    if roster is not None and form == PLAIN:
        raise LabkitError(
            "A roster belongs to a format. Type: --format canvas or --format moodle"
        )
    require_gradebook(course)
    with Gradebook(course.gradebook_url) as gradebook:
        scores = read_scores(gradebook, labs)
    path = out or Path(FILES[form])
    if form == PLAIN:
        done = write_plain(scores, path)
    else:
        done = WITH_ROSTER[form](scores, path, roster)
    done.notes += [
        f"handed in, but not graded, so without a score: {one.student}, {one.lab}"
        for one in find_submissions(course, scores.labs)
        if (one.student, one.lab) not in scores.points
    ]
    done.notes += misplaced_work(course)
    return done


class LmsExport(ExportPlugin):
    """What nbgrader's exporters for learning management systems share."""

    form = ""
    roster = Unicode("", help="The CSV file that the system exported.").tag(config=True)

    def export(self, gradebook: Gradebook) -> None:
        """Write the gradebook; exit with 1 where somebody is unmatched or the input is wrong."""
        try:
            scores = read_scores(gradebook, self.assignment, self.student)
            done = WITH_ROSTER[self.form](
                scores,
                Path(self.to or FILES[self.form]),
                Path(self.roster) if self.roster else None,
            )
        except LabkitError as error:
            self.log.error("%s", error)
            raise SystemExit(1) from None
        self.log.info("%d rows in %s", done.rows, done.path)
        for line in done.messages():
            self.log.warning("%s", line)
        if not done.complete:
            raise SystemExit(1)


class CanvasExport(LmsExport):
    """nbgrader export --exporter=labkit.grading.results.export.CanvasExport"""

    form = "canvas"


class MoodleExport(LmsExport):
    """nbgrader export --exporter=labkit.grading.results.export.MoodleExport"""

    form = "moodle"
