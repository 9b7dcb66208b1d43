"""Exports for Canvas and Moodle: written, and read again as those systems would."""

import csv
import re
import shutil

import pytest
from nbgrader.api import Gradebook

from labkit.errors import LabkitError
from labkit.grading.results.export import export_scores

# nbgrader provokes this advice on every new submission.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

LABS = {"01_neuron": 10.0, "02_convolution": 20.0}
# id, first name, last name, email, and the score of each lab: None was not handed in.
CLASS = [
    ("0012", "Anna", "Müller", "anna1@x.org", 9.5, 20.0),
    ("0013", "Anna", "Müller", "anna2@x.org", 3.25, None),
    ("odea", 'Síle "Shay"', "O'Dea, PhD", "shay@x.org", 10.0, 0.0),
    ("evil", '=HYPERLINK("http://x")', "@sum", "evil@x.org", 1.0, 2.0),
    ("0014", "Ngọc", "Nguyễn", "ngoc@x.org", None, 7.0),
]
SCORES = {
    (row[0], lab): score
    for row in CLASS
    for lab, score in zip(LABS, row[4:], strict=True)
    if score is not None
}


@pytest.fixture(scope="module")
def empty_book(tmp_path_factory):
    """An empty gradebook; making one takes nbgrader seconds, so tests copy this one."""
    path = tmp_path_factory.mktemp("book") / "empty.db"
    with Gradebook(f"sqlite:///{path}"):
        return path


@pytest.fixture(scope="module")
def graded_book(empty_book):
    """The class above; 0012 lost half a point for being late in the first lab."""
    path = shutil.copy(empty_book, empty_book.with_name("graded.db"))
    with Gradebook(f"sqlite:///{path}") as book:
        for lab, points in LABS.items():
            book.add_assignment(lab)
            book.add_notebook(lab, lab)
            book.add_grade_cell("check-a", lab, lab, max_score=points, cell_type="code")
        for student, first, last, email, *scores in CLASS:
            book.add_student(student, first_name=first, last_name=last, email=email)
            for lab, score in zip(LABS, scores, strict=True):
                if score is not None:
                    enter(book, student, lab, score)
        enter(book, "0012", "01_neuron", 10.0)
        late = book.find_submission_notebook("01_neuron", "01_neuron", "0012")
        late.late_submission_penalty = 0.5
        book.db.commit()
    return path


@pytest.fixture
def graded(course, graded_book):
    shutil.copy(graded_book, course.gradebook_file)
    return course


def enter(book, student, lab, score, waiting=False):
    book.update_or_create_submission(lab, student)
    grade = book.find_grade("check-a", lab, lab, student)
    grade.auto_score, grade.needs_manual_grade = score, waiting
    book.db.commit()


def rows(path, separator=","):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream, delimiter=separator))


def as_canvas(path):
    """{(SIS login, lab): score} by Canvas's own reading of columns, after its source."""
    header, *body = rows(path)
    assert "Student" in header[0]
    assert "ID" in header[1]
    assert re.search(r"SIS\s+User\s+ID", header[2])
    assert re.search(r"SIS\s+Login\s+ID", header[3])
    assert "Section" in header[4]
    assert all(len(row) == len(header) for row in body)
    assert "Points Possible" in body[0][0]
    found = {}
    for row in body[1:]:
        for title, cell in zip(header[5:], row[5:], strict=True):
            name = re.sub(r"\s\(\d+\)\Z", "", title)
            if cell.strip():
                found[row[3], name] = cell.strip()
    return found, dict(zip(header, body[0], strict=True))


def as_moodle(path, identifier):
    """{(identifier, lab): score} as Moodle's import maps the columns; `-` is no grade."""
    header, *body = rows(path)
    found = {}
    for row in body:
        person = dict(zip(header, row, strict=True))
        assert person[identifier], "Moodle gives this row to the person above it"
        for lab in LABS:
            if person[lab] != "-":
                found[person[identifier], lab] = float(person[lab])
    return found


def numbers(cells):
    return {key: float(value) for key, value in cells.items()}


def canvas_roster(path, *, drop=(), extra=(), separator=","):
    """What Canvas exports of the class: ids of its own, logins, sections, totals."""
    header = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Notes"]
    header += ["02 Convolution (881)", "Essay (882)", "Current Score", "Final Score"]
    table = [header, [""] * 6 + ["Manual Posting", "", "", ""]]
    table.append(
        ["    Points Possible", *[""] * 5, "20.00", "5.00", *["(read only)"] * 2]
    )
    for number, (student, first, last, *_) in enumerate(CLASS):
        if student not in drop:
            row = [f"{last}, {first}", str(7000 + number), f"S{student}", student]
            table.append([*row, "Tuesday, 10:00", "", "", "4.00", "80.00", "40.00"])
    table += extra
    table.append(["Student, Test", "7999", "", "f00d", "Tuesday, 10:00", *[""] * 5])
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        csv.writer(stream, delimiter=separator).writerows(table)
    return path


def test_canvas_reads_the_same_scores_for_the_same_people(graded, tmp_path):
    out = tmp_path / "canvas.csv"
    done = export_scores(graded, "canvas", out)
    found, possible = as_canvas(out)
    assert numbers(found) == SCORES
    assert possible["02_convolution"] == "20"
    assert (done.rows, done.complete) == (5, True)


@pytest.mark.parametrize("separator", [",", ";"])
def test_canvas_ids_sections_and_assignments_come_from_its_export(
    graded, tmp_path, separator
):
    roster = canvas_roster(tmp_path / "roster.csv", separator=separator)
    done = export_scores(graded, "canvas", tmp_path / "out.csv", roster)
    table = rows(tmp_path / "out.csv")
    assert table[0][5:] == ["01_neuron", "02 Convolution (881)"]
    assert table[1][5:] == ["10", "20.00"]
    assert [row[1] for row in table[2:]] == ["7000", "7001", "7002", "7003", "7004"]
    assert {row[4] for row in table[2:]} == {"Tuesday, 10:00"}
    found, _ = as_canvas(tmp_path / "out.csv")
    names = {"01_neuron": "01_neuron", "02 Convolution": "02_convolution"}
    assert numbers({(s, names[lab]): v for (s, lab), v in found.items()}) == SCORES
    assert done.complete
    assert not done.notes


def test_who_is_on_one_side_only_is_listed_and_no_score_is_lost(graded, tmp_path):
    stranger = ["Newman, Nell", "7100", "S99", "nell", "Friday", *[""] * 5]
    roster = canvas_roster(tmp_path / "roster.csv", drop=["0013"], extra=[stranger])
    done = export_scores(graded, "canvas", tmp_path / "out.csv", roster)
    assert done.unmatched == ["Müller, Anna (0013)"]
    assert done.absent == ["Newman, Nell (nell)"]
    assert rows(tmp_path / "out-unmatched.csv")[1:] == [
        ["0013", "01_neuron", "3.25", "10"]
    ]
    # The namesake keeps her own score, and the stranger has a row without one.
    found, _ = as_canvas(tmp_path / "out.csv")
    assert found["0012", "01_neuron"] == "9.5"
    assert not any(student == "nell" for student, _ in found)


def test_what_canvas_has_stays_where_the_gradebook_has_nothing(graded, tmp_path):
    roster = canvas_roster(tmp_path / "roster.csv")
    table = rows(roster)
    table[0][0] = "Student"
    for row in table[3:]:
        row[6] = {"0013": "11.00", "0014": "EX"}.get(row[3], "")
    with roster.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(table)
    done = export_scores(graded, "canvas", tmp_path / "out.csv", roster)
    cells = {row[3]: row[6] for row in rows(tmp_path / "out.csv")[2:]}
    assert (cells["0013"], cells["0014"]) == ("11.00", "EX")
    assert done.notes == ["EX in Canvas, left so: Nguyễn, Ngọc (0014), 02_convolution"]


def test_other_points_possible_in_canvas_are_kept_and_told(graded, tmp_path):
    roster = canvas_roster(tmp_path / "roster.csv")
    roster.write_text(roster.read_text("utf-8").replace("20.00", "100"), "utf-8")
    done = export_scores(graded, "canvas", tmp_path / "out.csv", roster)
    assert rows(tmp_path / "out.csv")[1][6] == "100"
    assert "100 points possible in Canvas, 20 here" in done.notes[0]


def moodle_roster(
    path, header=("First name", "Last name", "Username", "Email address")
):
    table = [list(header)]
    for student, first, last, email, *_ in CLASS:
        cells = {"username": student, "email address": email, "id number": ""}
        cells |= {"first name": first, "last name": last, "surname": last}
        table.append([cells[column.lower()] for column in header])
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(table)
    return path


@pytest.mark.parametrize("with_roster", [True, False])
def test_moodle_reads_the_same_scores_for_the_same_people(
    graded, tmp_path, with_roster
):
    roster = moodle_roster(tmp_path / "people.csv") if with_roster else None
    done = export_scores(graded, "moodle", tmp_path / "moodle.csv", roster)
    assert as_moodle(tmp_path / "moodle.csv", "Username") == SCORES
    emails = {row[0]: row[3] for row in CLASS}
    by_email = {(emails[student], lab): v for (student, lab), v in SCORES.items()}
    assert as_moodle(tmp_path / "moodle.csv", "Email address") == by_email
    assert done.complete


def test_moodles_grading_worksheet_finds_whom_its_files_are_named_after(
    graded, tmp_path
):
    table = [["Identifier", "Full name", "Email address", "Status", "Grade"]]
    for student, first, last, *_ in CLASS:
        mail = f"of-{student}@worksheet.org"
        table.append([f"Participant {student}", f"{first} {last}", mail, "", ""])
    _write(tmp_path / "sheet.csv", [*table[:3], table[5]])
    done = export_scores(
        graded, "moodle", tmp_path / "moodle.csv", tmp_path / "sheet.csv"
    )
    header, *written = rows(tmp_path / "moodle.csv")
    assert header == ["Email address", *LABS]
    assert [row[1:] for row in written] == [["9.5", "20"], ["3.25", "-"], ["-", "7"]]
    assert len(done.unmatched) == 2


def test_moodle_never_gets_an_identifier_that_somebody_lacks(graded, tmp_path):
    header = ("Surname", "First name", "ID number", "Email address")
    roster = moodle_roster(tmp_path / "people.csv", header)
    export_scores(graded, "moodle", tmp_path / "moodle.csv", roster)
    columns = rows(tmp_path / "moodle.csv")[0]
    assert columns == ["First name", "Last name", "Email address", *LABS]
    nobody = moodle_roster(tmp_path / "none.csv", ("First name", "ID number"))
    done = export_scores(graded, "moodle", tmp_path / "moodle.csv", nobody)
    assert len(done.unmatched) == len(done.absent) == 5
    assert len(rows(tmp_path / "moodle-unmatched.csv")) == 1 + len(SCORES)


@pytest.mark.parametrize("form", ["canvas", "moodle"])
def test_a_name_is_no_formula_and_an_identifier_is_never_changed(
    graded, tmp_path, form
):
    with Gradebook(graded.gradebook_url) as book:
        book.add_student("=cmd|'/c calc'!A1", first_name="-1+1", last_name="+2")
    done = export_scores(graded, form, tmp_path / "out.csv")
    cells = [cell for row in rows(tmp_path / "out.csv") for cell in row]
    risky = [cell for cell in cells if re.match(r"\s*[=+@]|-\w", cell)]
    assert risky == ["=cmd|'/c calc'!A1"]
    assert "do not open it in a spreadsheet" in done.notes[0]


@pytest.mark.parametrize("form", ["csv", "canvas", "moodle"])
def test_an_empty_gradebook_gives_a_header_only(course, empty_book, tmp_path, form):
    shutil.copy(empty_book, course.gradebook_file)
    done = export_scores(course, form, tmp_path / "out.csv")
    assert done.rows == 0
    assert len(rows(tmp_path / "out.csv")) == (2 if form == "canvas" else 1)


def test_the_plain_table_has_the_penalties_taken_off(graded, tmp_path):
    export_scores(graded, "csv", tmp_path / "out.csv")
    header, *body = rows(tmp_path / "out.csv")
    assert header == ["student", "lab", "score", "max_score"]
    assert {(row[0], row[1]): float(row[2]) for row in body} == SCORES


def test_scores_that_wait_for_a_person_are_told(graded, tmp_path):
    with Gradebook(graded.gradebook_url) as book:
        enter(book, "0012", "02_convolution", 20.0, waiting=True)
    done = export_scores(graded, "canvas", tmp_path / "out.csv")
    assert "1 of the scores lacks the points" in done.notes[0]
    assert done.complete


def test_what_was_handed_in_and_not_graded_is_told(graded, tmp_path):
    for student, lab in (("0013", "02_convolution"), ("0013", "01_neuron")):
        (graded.submitted / student / lab).mkdir(parents=True)
    done = export_scores(graded, "moodle", tmp_path / "out.csv")
    assert done.notes == [
        "handed in, but not graded, so without a score: 0013, 02_convolution"
    ]


def test_only_the_labs_named_are_written(graded, tmp_path):
    export_scores(graded, "canvas", tmp_path / "out.csv", labs=["02_convolution"])
    assert rows(tmp_path / "out.csv")[0][5:] == ["02_convolution"]
    with pytest.raises(LabkitError, match="no lab '03_pooling'"):
        export_scores(graded, labs=["03_pooling"])


@pytest.mark.parametrize(
    ("form", "text", "message"),
    [
        ("canvas", "name,score\na,1\n", "expected Canvas's Student, ID"),
        ("moodle", "Priezvisko,Meno\na,b\n", "expected at least one of Username"),
        ("canvas", "", "is empty"),
        ("csv", "Username\nanna\n", "--format canvas or --format moodle"),
        ("xml", "Username\nanna\n", "expected one of csv, canvas, moodle"),
    ],
)
def test_a_roster_that_is_none_gets_a_clear_answer(
    graded, tmp_path, form, text, message
):
    (tmp_path / "roster.csv").write_text(text)
    with pytest.raises(LabkitError, match=message):
        export_scores(graded, form, tmp_path / "out.csv", tmp_path / "roster.csv")


def test_canvas_without_the_right_to_see_sis_columns_matches_by_name(graded, tmp_path):
    roster = canvas_roster(tmp_path / "full.csv")
    table = [row[:2] + row[4:] for row in rows(roster)]
    _write(tmp_path / "roster.csv", table)
    done = export_scores(
        graded, "canvas", tmp_path / "out.csv", tmp_path / "roster.csv"
    )
    header, _, *people = rows(tmp_path / "out.csv")
    column = header.index("02 Convolution (881)")
    scores = {row[1]: row[column] for row in people}
    # Two are called Anna Müller: nobody can say whose score is whose.
    assert {key: value for key, value in scores.items() if value} == {
        "7002": "0",
        "7003": "2",
        "7004": "7",
    }
    assert len(done.unmatched) == 2


def test_who_stands_twice_in_a_roster_gets_one_row_and_the_rest_theirs(
    graded, tmp_path
):
    roster = moodle_roster(tmp_path / "people.csv")
    table = rows(roster)
    _write(roster, [*table, table[1], ["Some", "Body", "other", "anna1@x.org"]])
    done = export_scores(graded, "moodle", tmp_path / "moodle.csv", roster)
    assert as_moodle(tmp_path / "moodle.csv", "Username") == SCORES
    assert "twice in the roster, taken once: Müller, Anna (0012)" in done.notes
    assert done.absent == ["Body, Some (other)"]


@pytest.mark.parametrize("there", [["ODEA"], ["ODEA", "odea"], ["Odea", "ODEA"]])
def test_a_score_goes_to_the_very_name_before_one_in_other_capitals(
    graded, tmp_path, there
):
    table = [["Username"], *([name] for name in there)]
    _write(tmp_path / "people.csv", table)
    export_scores(graded, "moodle", tmp_path / "moodle.csv", tmp_path / "people.csv")
    owners = {row[0] for row in rows(tmp_path / "moodle.csv")[1:]}
    assert owners == {("ODEA",): {"ODEA"}, ("ODEA", "odea"): {"odea"}}.get(
        tuple(there), set()
    )


@pytest.mark.parametrize(
    "header",
    [
        ("Vorname", "Nachname", "Anmeldename", "E-Mail-Adresse"),
        ("Prénom", "Nom de famille", "Nom d\u2019utilisateur", "Adresse de courriel"),
        ("Nombre", "Apellido(s)", "Nombre de usuario", "Dirección de correo"),
        ("Nome", "Cognome", "Nome utente", "Indirizzo email"),
        ("Voornaam", "Achternaam", "Gebruikersnaam", "E-mailadres"),
    ],
)
def test_moodles_headings_are_known_in_other_languages(graded, tmp_path, header):
    roster = moodle_roster(tmp_path / "people.csv")
    _write(roster, [list(header), *rows(roster)[1:]])
    done = export_scores(graded, "moodle", tmp_path / "moodle.csv", roster)
    assert as_moodle(tmp_path / "moodle.csv", "Username") == SCORES
    assert done.complete


@pytest.mark.parametrize(
    ("title", "taken"),
    [
        ("Lab 1: Neuron (880001)", True),
        ("LAB 01 - neuron (880001)", True),
        ("Lab 1 (880001)", True),
        ("01_neuron (880001)", True),
        ("Lab 11: Neuron (880001)", False),
        ("Neuron quiz 1 (880001)", False),
        ("Lab 1: Neuron, resit (880001)", False),
    ],
)
def test_a_lab_goes_into_canvas_own_assignment(graded, tmp_path, title, taken):
    roster = canvas_roster(tmp_path / "roster.csv")
    table = [[title if c == "Essay (882)" else c for c in row] for row in rows(roster)]
    _write(roster, table)
    done = export_scores(graded, "canvas", tmp_path / "out.csv", roster)
    header = rows(tmp_path / "out.csv")[0]
    assert (title in header, "01_neuron" in header) == (taken, not taken)
    told = [note for note in done.notes if note.startswith("01_neuron")]
    assert any(title in note for note in told) == (title != "01_neuron (880001)")


def _write(path, table):
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(table)


def test_a_missing_roster_and_one_in_another_encoding_are_told(graded, tmp_path):
    with pytest.raises(LabkitError, match="no such file"):
        export_scores(graded, "moodle", tmp_path / "out.csv", tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("Username\nmüller\n".encode("latin-1"))
    with pytest.raises(LabkitError, match="not UTF-8"):
        export_scores(graded, "moodle", tmp_path / "out.csv", tmp_path / "latin.csv")


@pytest.mark.parametrize("form", ["canvas", "moodle"])
def test_the_roster_itself_is_never_overwritten(graded, tmp_path, form):
    path = tmp_path / "same.csv"
    before = (canvas_roster if form == "canvas" else moodle_roster)(path).read_bytes()
    with pytest.raises(LabkitError, match="is the roster itself"):
        export_scores(graded, form, path, path)
    assert path.read_bytes() == before


def test_labkit_export_exits_with_1_where_somebody_is_unmatched(
    graded, tmp_path, run_command
):
    roster = canvas_roster(tmp_path / "roster.csv", drop=["evil"])
    words = ["labkit", "export", "--format", "canvas", "--roster", "roster.csv"]
    done = run_command(*words, folder=graded.root)
    assert done.returncode == 1
    assert "not in the roster, scores in canvas-unmatched.csv" in done.stderr
    assert (graded.root / "canvas.csv").is_file()
    canvas_roster(roster)
    assert run_command(*words, folder=graded.root).returncode == 0
    assert not (graded.root / "canvas-unmatched.csv").exists()
    moodle_roster(tmp_path / "participants.csv")
    words = ["labkit", "export", "--format", "moodle", "--roster", "participants.csv"]
    assert run_command(*words, folder=graded.root).returncode == 0
    assert (graded.root / "moodle.csv").is_file()


@pytest.mark.parametrize(
    ("exporter", "words", "code"),
    [
        ("CanvasExport", ["--CanvasExport.roster=roster.csv"], 0),
        ("MoodleExport", ["--assignment=['01_neuron']"], 0),
        ("CanvasExport", ["--CanvasExport.roster=none.csv"], 1),
    ],
)
def test_nbgrader_export_takes_the_exporters(
    graded, run_command, exporter, words, code
):
    canvas_roster(graded.root / "roster.csv")
    done = run_command(
        "nbgrader",
        "export",
        f"--exporter=labkit.grading.results.export.{exporter}",
        "--to=out.csv",
        *words,
        folder=graded.root,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert (graded.root / "out.csv").is_file() == (code == 0)
