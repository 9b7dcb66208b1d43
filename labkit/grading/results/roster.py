"""Rosters: the CSV files that Canvas and Moodle export, and who in them is whom."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
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
    ("sortable_name", "Student"),  # all there is without the right to see SIS columns
)
MOODLE_KEYS = (
    ("id", "Username"),
    ("id", "ID number"),
    ("lms_user_id", "ID number"),
    ("id", "Email address"),
    ("email", "Email address"),
    ("id", "Identifier"),  # of a grading worksheet, and of the files that come with it
)
# Moodle's names of these columns differ between its lists, and with the language of who
# exports: English, German, French, Spanish, Italian, Portuguese, Dutch.
MOODLE_HEADINGS = {
    "First name": "First name, Firstname, Vorname, Prénom, Nombre, Nome, Voornaam",
    "Last name": "Last name, Lastname, Surname, Nachname, Nom, Nom de famille, "
    "Apellido, Apellidos, Apellido(s), Cognome, Sobrenome, Apelido, Achternaam",
    "Username": "Username, Anmeldename, Benutzername, Nom d'utilisateur, "
    "Nombre de usuario, Nome utente, Nome de utilizador, Nome de usuário, "
    "Identificação de usuário, Gebruikersnaam",
    "ID number": "ID number, Idnumber, ID-Nummer, Matrikelnummer, "
    "Numéro d'identification, Número de ID, Número de identificación, Codice ID, "
    "Codice identificativo, Número de identificação, ID-nummer",
    "Email address": "Email address, Email, E-Mail, E-Mail-Adresse, "
    "Adresse de courriel, Adresse e-mail, Courriel, Dirección de correo, "
    "Dirección de correo electrónico, Dirección Email, Correo electrónico, "
    "Indirizzo email, Endereço de email, Endereço de e-mail, E-mailadres",
    "Identifier": "Identifier",
}
MOODLE_COLUMNS = {
    heading.casefold(): column
    for column, headings in MOODLE_HEADINGS.items()
    for heading in headings.split(", ")
}
MOODLE_IDENTIFIERS = ("Username", "ID number", "Email address")
CANVAS_IDENTIFIERS = ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
# Canvas's own stand-in for a student stands at the end of what it exports.
TEST_STUDENT = "Student, Test"


@dataclass(frozen=True)
class Roster:
    """A roster: its columns, and its people as {column: value}.

    `points` holds Canvas's row of points possible, empty for Moodle. `notes` says who
    stands there more than once.
    """

    path: Path
    columns: list[str]
    people: list[dict[str, str]]
    points: dict[str, str]
    notes: list[str] = field(default_factory=list)

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
    if not {"Student", "ID", "Section"} <= set(columns):
        raise LabkitError(
            f"{path}: found the columns {', '.join(columns[:8])}; expected Canvas's "
            "Student, ID and Section. In Canvas, in English: Grades, Export, Export "
            "Entire Gradebook."
        )
    points, people = {}, []
    for row in rows:
        person = dict(zip(columns, row, strict=True))
        if "Points Possible" in row[0]:
            points = person
        # Rows without a name hold "Manual Posting" and the like.
        elif row[0].strip() and row[0].strip() != TEST_STUDENT:
            people.append(person)
    return _without_repeats(Roster(path, columns, people, points), CANVAS_IDENTIFIERS)


def read_moodle(path: Path) -> Roster:
    """Read a participants or grades CSV that Moodle exported; raises LabkitError for another."""
    columns, rows = _read_csv(path)
    known = [
        MOODLE_COLUMNS.get(column.casefold().replace("\u2019", "'"), column)
        for column in columns
    ]
    if not set(MOODLE_IDENTIFIERS) & set(known):
        raise LabkitError(
            f"{path}: found the columns {', '.join(columns[:8])}; expected at least one of "
            f"{', '.join(MOODLE_IDENTIFIERS)}. In Moodle: Participants, select all, "
            "Download table data as CSV; in English where your language is not known here."
        )
    people = [dict(zip(known, row, strict=True)) for row in rows]
    for person in people:
        if worksheet := re.search(r"\d+$", person.get("Identifier", "")):
            person["Identifier"] = worksheet[0]  # of "Participant 7001"
    return _without_repeats(Roster(path, known, people, {}), MOODLE_IDENTIFIERS)


def _without_repeats(roster: Roster, identifiers: tuple[str, ...]) -> Roster:
    """The roster with each person once: somebody in two groups stands there twice."""
    first: dict[tuple[str, ...], dict[str, str]] = {}
    notes = list(roster.notes)
    for number, person in enumerate(roster.people):
        known = tuple(person.get(column, "").strip() for column in identifiers)
        key = known if any(known) else (str(number),)
        if key in first:
            notes.append(f"twice in the roster, taken once: {roster.label(person)}")
        first.setdefault(key, person)
    return replace(roster, people=list(first.values()), notes=notes)


def match(
    students: list[Student], roster: Roster, keys: tuple[tuple[str, str], ...]
) -> dict[str, int]:
    """The number of each student's person in the roster, by student id; one person a student.

    By the surest column first, and by the very same value before one in other capitals.
    """
    found: dict[str, int] = {}
    for attribute, column in keys:
        for spelling in (_exactly, _in_any_case):
            rows = _numbers(
                spelling(person.get(column, "")) for person in roster.people
            )
            owners = _numbers(spelling(getattr(one, attribute)) for one in students)
            taken = set(found.values())
            for value, mine in owners.items():
                theirs = rows.get(value, [])
                # Where one value stands for two, nobody can say whose the score is.
                if len(mine) == len(theirs) == 1 and theirs[0] not in taken:
                    found.setdefault(students[mine[0]].id, theirs[0])
    return found


def _exactly(value: str) -> str:
    return one_spelling(value).strip()


def _in_any_case(value: str) -> str:
    return _exactly(value).casefold()


def _numbers(values: Iterable[str]) -> dict[str, list[int]]:
    """Where each value stands that is none of nothing."""
    numbers: dict[str, list[int]] = {}
    for number, value in enumerate(values):
        if value:
            numbers.setdefault(value, []).append(number)
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
