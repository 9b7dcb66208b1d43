"""Rosters: the CSV files that Canvas and Moodle export, and who in them is whom."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from labkit.course import one_spelling
from labkit.errors import LabkitError
from labkit.grading.gradebook.scores import Student

# The columns by which a student of the gradebook is found, the surest first.
CANVAS_KEYS = (
    ("lms_user_id", "ID"),
    ("id", "SIS Login ID"),
    ("id", "SIS User ID"),
    ("id", "ID"),
    ("email", "SIS Login ID"),
)
MOODLE_KEYS = (
    ("id", "Username"),
    ("id", "ID number"),
    ("lms_user_id", "ID number"),
    ("id", "Email address"),
    ("email", "Email address"),
)
# Moodle's names of these columns differ between its lists.
MOODLE_COLUMNS = {
    "first name": "First name",
    "firstname": "First name",
    "last name": "Last name",
    "lastname": "Last name",
    "surname": "Last name",
    "username": "Username",
    "id number": "ID number",
    "idnumber": "ID number",
    "email address": "Email address",
    "email": "Email address",
}
MOODLE_IDENTIFIERS = ("Username", "ID number", "Email address")
CANVAS_IDENTIFIERS = ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
# Canvas's own stand-in for a student stands at the end of what it exports.
TEST_STUDENT = "Student, Test"


@dataclass(frozen=True)
class Roster:
    """A roster: its columns, and its people as {column: value}.

    `points` holds Canvas's row of points possible, empty for Moodle.
    """

    path: Path
    columns: list[str]
    people: list[dict[str, str]]
    points: dict[str, str]

    def label(self, person: dict[str, str]) -> str:
        """A person's name and identifier, for messages."""
        name = person.get("Student") or ", ".join(
            person[column]
            for column in ("LastName", "FirstName", "Last name", "First name")
            if person.get(column)
        )
        keys = ("SIS Login ID", "SIS User ID", "ID", *MOODLE_IDENTIFIERS)
        key = next((person[column] for column in keys if person.get(column)), "")
        return f"{name} ({key})" if name and key else name or key


def read_canvas(path: Path) -> Roster:
    """Read the gradebook CSV that Canvas exported; raises LabkitError for another file."""
    columns, rows = _read_csv(path)
    if not {"ID", "Section"} <= set(columns) or not {
        "SIS Login ID",
        "SIS User ID",
    } & set(columns):
        raise LabkitError(
            f"{path}: found the columns {', '.join(columns[:8])}; expected Canvas's Student, "
            "ID, SIS User ID, SIS Login ID, Section. In Canvas: Grades, Export, "
            "Export Entire Gradebook."
        )
    points, people = {}, []
    for row in rows:
        person = dict(zip(columns, row, strict=True))
        if "Points Possible" in row[0]:
            points = person
        # Rows without a name hold "Manual Posting" and the like.
        elif row[0].strip() and row[0].strip() != TEST_STUDENT:
            people.append(person)
    return Roster(path, columns, people, points)


def read_moodle(path: Path) -> Roster:
    """Read a participants or grades CSV that Moodle exported; raises LabkitError for another."""
    columns, rows = _read_csv(path)
    known = [MOODLE_COLUMNS.get(column.casefold(), column) for column in columns]
    if not set(MOODLE_IDENTIFIERS) & set(known):
        raise LabkitError(
            f"{path}: found the columns {', '.join(columns[:8])}; expected at least one of "
            f"{', '.join(MOODLE_IDENTIFIERS)}. In Moodle, in English: Participants, select "
            "all, Download table data as CSV."
        )
    people = [dict(zip(known, row, strict=True)) for row in rows]
    return Roster(path, known, people, {})


def match(
    students: list[Student], roster: Roster, keys: tuple[tuple[str, str], ...]
) -> dict[str, int]:
    """The number of each student's person in the roster, by student id; one person a student."""
    found: dict[str, int] = {}
    for attribute, column in keys:
        numbers = _numbers(roster, column)
        taken = set(found.values())
        for student in students:
            value = one_spelling(getattr(student, attribute)).strip().casefold()
            number = numbers.get(value)
            if number is not None and student.id not in found and number not in taken:
                found[student.id] = number
                taken.add(number)
    return found


def _numbers(roster: Roster, column: str) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for number, person in enumerate(roster.people):
        value = one_spelling(person.get(column, "")).strip().casefold()
        if value in numbers:
            raise LabkitError(
                f"{roster.path}: two rows have the {column} {value!r}; expected one a "
                "person. Export it again."
            )
        if value:
            numbers[value] = number
    return numbers


def _read_csv(path: Path) -> tuple[list[str], list[list[str]]]:
    """The header and the rows of a CSV file, every row as long as the header."""
    try:
        text = path.read_text("utf-8-sig")
    except (FileNotFoundError, IsADirectoryError):
        raise LabkitError(f"{path}: no such file. --roster takes a CSV file.") from None
    except UnicodeDecodeError:
        raise LabkitError(
            f"{path}: is not UTF-8 text. Export it again, or save it as CSV UTF-8."
        ) from None
    first = re.split(r"[\r\n]", text, maxsplit=1)[0]
    # Both export with semicolons or tabs where commas stand in numbers.
    separator = max(",;\t", key=first.count)
    rows = [
        row
        for row in csv.reader(io.StringIO(text), delimiter=separator)
        if any(cell.strip() for cell in row)
    ]
    if not rows:
        raise LabkitError(f"{path}: is empty; expected a header and one row a person.")
    columns = [cell.strip() for cell in rows[0]]
    width = len(columns)
    return columns, [(row + [""] * width)[:width] for row in rows[1:]]
