"""nbgrader's own commands, on the same folder and gradebook, take our parts."""

import copy
import csv
import re
import shutil
import zipfile
from datetime import datetime

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from labkit.grading.engine import Options, grade, read_grades
from labkit.grading.gradebook.api import nbgrader_api
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import read_lab
from tests.conftest import make_course

LAB = "91_tiny"


@pytest.fixture
def nbgrader(course, run_command):
    """Run `nbgrader ...` in the course folder; it must succeed unless told otherwise."""

    def run(*words, succeeds=True, apart=False):
        done = run_command("nbgrader", *words, folder=course.root, apart=apart)
        assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def generated_once(environment, run_command, tmp_path_factory):
    """A course whose lab nbgrader's own command has released: to be copied."""
    course = make_course(tmp_path_factory.mktemp("generated"))
    words = ("nbgrader", "generate_assignment", LAB)
    done = run_command(*words, folder=course.root, apart=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return course


@pytest.fixture
def released(course, generated_once):
    """The lab that `course` has released then, as students get it."""
    shared = shutil.ignore_patterns("grading-data")
    shutil.copytree(generated_once.root, course.root, dirs_exist_ok=True, ignore=shared)
    return nbformat.read(course.notebooks / LAB / f"{LAB}.ipynb", as_version=4)


def hand_in(course, student, notebook):
    folder = course.submitted / student / LAB
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{LAB}.ipynb")


def test_generate_assignment_gives_what_labkit_release_gives(
    course, released, run_command
):
    assert "raise NotImplementedError" in nbformat.writes(released)
    assert (course.notebooks / LAB / "expected.json").is_file()
    assert not list(course.notebooks.rglob("*.py"))
    done = run_command("labkit", "release", folder=course.root)
    assert done.returncode == 0, done.stderr
    lab_line = next(line for line in done.stdout.splitlines() if line.startswith(LAB))
    assert lab_line.endswith("unchanged")


def test_autograde_feedback_and_export_agree_with_labkit(
    course, released, nbgrader, run_command
):
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    solved = solve(released, lab)
    hand_in(course, "perfect", solved)
    hand_in(course, "blank", released)
    hand_in(course, "adds", mistake(solved, lab, "double", "adds_two"))
    nbgrader("autograde", LAB, "--force")
    by_nbgrader = {one.student: one.score for one in read_grades(course)}
    assert by_nbgrader == {"perfect": 7, "blank": 0, "adds": 4.75}

    done = run_command("labkit", "grade", folder=course.root)
    assert done.returncode == 0, done.stderr
    assert {one.student: one.score for one in read_grades(course)} == by_nbgrader

    nbgrader("generate_feedback", LAB)
    page = (course.feedback / "adds" / LAB / f"{LAB}.html").read_text()
    assert "You added 2 where you should multiply by it." in page
    assert "np.ones" not in page
    assert "HIDDEN" not in page
    nbgrader("export", "--to", "table.csv")
    with (course.root / "table.csv").open() as stream:
        exported = {
            row["student_id"]: float(row["score"]) for row in csv.DictReader(stream)
        }
    assert exported == by_nbgrader


def test_validate_agrees_with_the_checks(course, released, nbgrader, monkeypatch):
    # Where ipykernel sees it, it leaves the standard error of C alone.
    monkeypatch.delenv("PYTEST_CURRENT_TEST")
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    path = course.notebooks / LAB / f"{LAB}.ipynb"
    solved = solve(released, lab)
    # A warning fails no check: neither Python's nor that of a library written in C.
    for cell in solved.cells:
        if cell.id == "noisy":
            cell.source = cell.source.replace(
                "return x", "import os\n    os.write(2, b'a warning\\n')\n    return x"
            )
    paths = []
    for name, notebook in (
        ("solved", solved),
        ("mistaken", mistake(solved, lab, "double", "adds_two")),
        ("blank", released),
    ):
        paths.append(path.with_name(f"{name}.ipynb"))
        nbformat.write(notebook, paths[-1])
    # Its validator says it where standard output was as that was imported.
    said = nbgrader("validate", *paths, apart=True)
    assert re.findall("Success|FAILED", said) == ["Success", "FAILED", "FAILED"]


def test_a_fault_in_the_settings_stops_nbgrader_before_anything_runs(
    released_course, run_command, tmp_path_factory
):
    """nbgrader's own answer is to go on without our parts: unconfined."""
    course = released_course
    done = run_command(
        "nbgrader", "generate_assignment", LAB, "--force", folder=course.root
    )
    assert done.returncode == 0, done.stderr
    notebook = nbformat.read(course.released(LAB), as_version=4)
    outside = tmp_path_factory.mktemp("outside") / "mark"
    code = f"open({str(outside)!r}, 'w').close()"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(code))
    hand_in(course, "eve", notebook)
    course.settings_file.write_text("[limit]\ncell_seconds = 9\n")
    words = ("nbgrader", "autograde", LAB)
    done = run_command(*words, folder=course.root, apart=True)
    assert done.returncode != 0
    assert "labkit: " in done.stderr and "Do you mean limits?" in done.stderr
    assert not outside.exists()


def test_the_formgrader_grades_through_its_own_api(course, released):
    """What the formgrader's autograde button calls, in the process of the server."""
    hand_in(
        course,
        "perfect",
        solve(released, read_lab(course.solutions / LAB / f"{LAB}.py")),
    )
    api = nbgrader_api(course)
    assert api.autograde(LAB, "perfect")["success"]
    submission = api.get_submission(LAB, "perfect")
    assert (submission["score"], submission["max_score"]) == (7, 9)
    assert LAB in {one["name"] for one in api.get_assignments()}


def test_nbgrader_takes_the_run_that_labkit_has_made(course, released):
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    solved = solve(released, lab)
    solved.cells.append(new_code_cell("import time\ntime.time_ns()", id="now"))
    hand_in(course, "perfect", solved)

    def when():
        path = course.autograded / "perfect" / LAB / f"{LAB}.ipynb"
        (cell,) = (c for c in nbformat.read(path, as_version=4).cells if c.id == "now")
        return cell.outputs[0].data["text/plain"]

    grade(course)
    first = when()
    assert nbgrader_api(course).autograde(LAB, "perfect", force=True)["success"]
    assert when() == first
    assert {one.student: one.score for one in read_grades(course)} == {"perfect": 7}


def test_what_canvas_and_moodle_download_is_sorted_by_student(course, nbgrader):
    lab = "02_convolution"
    files = {
        "canvas.zip": {
            f"doejane_7001_99012_{lab}.ipynb": "7001",
            f"muellerana_LATE_7002_99013_{lab}-2.ipynb": "7002",
        },
        "moodle.zip": {
            f"Ana Müller_7003_assignsubmission_file/{lab}.ipynb": "7003",
            f"Ngọc Nguyễn_7004_assignsubmission_file_/{lab}.ipynb": "7004",
            f"Síle O'Dea_7005_assignsubmission_file_{lab}.ipynb": "7005",
        },
    }
    archive = course.root / "downloaded" / lab / "archive"
    archive.mkdir(parents=True)
    for name, members in files.items():
        with zipfile.ZipFile(archive / name, "w") as file:
            for member, student in members.items():
                file.writestr(member, student)
    nbgrader("zip_collect", lab)
    found = {
        path.parent.parent.name: path for path in course.submitted.rglob("*.ipynb")
    }
    assert {student: path.read_text() for student, path in found.items()} == {
        student: student for one in files.values() for student in one.values()
    }
    assert {path.name for path in found.values()} == {f"{lab}.ipynb"}


LATE = """
c.LateSubmissionPlugin.penalty_method = "zero"
"""


def _with_settings(course, text):
    config = course.root / "nbgrader_config.py"
    config.write_text(f"{config.read_text()}\nc = get_config()\n{text}")


def test_a_late_penalty_counts_as_in_nbgrader(course, released, nbgrader):
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    solved = solve(released, lab)
    for student, day in (("late", 17), ("in_time", 14)):
        hand_in(course, student, solved)
        stamp = course.submission(student, LAB) / "timestamp.txt"
        stamp.write_text(f"2030-01-{day} 12:00:00 UTC")
    with Gradebook(course.gradebook_url) as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate=datetime(2030, 1, 15))
    assert {one.student: one.score for one in grade(course)} == {
        "late": 7,
        "in_time": 7,
    }
    # A penalty of later is taken off what is graded already.
    _with_settings(course, LATE)
    by_labkit = {one.student: one.score for one in grade(course)}
    assert by_labkit == {"late": 0, "in_time": 7}
    # So is one of another due date, of all or of one student.
    for hours, score in ((60, 7), (1, 0)):
        with Gradebook(course.gradebook_url) as gradebook:
            gradebook.grant_extension(LAB, "late", hours=hours)
        assert {one.student: one.score for one in grade(course)}["late"] == score
    for day, scores in ((18, (7, 7)), (13, (0, 0)), (15, (0, 7))):
        with Gradebook(course.gradebook_url) as gradebook:
            due = datetime(2030, 1, day)
            gradebook.update_or_create_assignment(LAB, duedate=due)
        by_labkit = {one.student: one.score for one in grade(course)}
        assert (by_labkit["late"], by_labkit["in_time"]) == scores
    nbgrader("autograde", LAB, "--force")
    assert {one.student: one.score for one in read_grades(course)} == by_labkit


def test_what_instructors_plug_into_nbgrader_counts(course, released):
    (course.root / "our_penalty.py").write_text(
        "from nbgrader.plugins import BasePlugin\n"
        "class Half(BasePlugin):\n"
        "    def late_submission_penalty(self, student, score, seconds):\n"
        "        return score / 2\n"
    )
    _with_settings(
        course,
        "import sys; sys.path.insert(0, str(Path(__file__).parent))\n"
        'c.AssignLatePenalties.plugin_class = "our_penalty.Half"\n'
        "c.LimitOutput.max_lines = 5\n",
    )
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    solved = solve(released, lab)
    solved.cells.append(new_code_cell("print('line\\n' * 50)", id="many"))
    hand_in(course, "late", solved)
    (course.submission("late", LAB) / "timestamp.txt").write_text(
        "2030-01-16 12:00:00 UTC"
    )
    with Gradebook(course.gradebook_url) as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate=datetime(2030, 1, 15))
    (one,) = grade(course)
    assert one.score == 3.5
    graded = nbformat.read(course.autograded_notebook("late", LAB), as_version=4)
    (cell,) = (cell for cell in graded.cells if cell.id == "many")
    assert len(cell.outputs[0].text.splitlines()) < 10


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ('c.CourseDirectory.db_url = "sqlite:///other.db"', "CourseDirectory.db_url"),
        ('c.CourseDirectory.student_id = "anna"', "CourseDirectory.student_id"),
        ("c.Execute.timeout = 7", "Execute.timeout"),
        ("c.ExecutePreprocessor.timeout = 7", "ExecutePreprocessor.timeout"),
        (
            "c.Autograde.sanitize_preprocessors = []",
            "Autograde.sanitize_preprocessors",
        ),
    ],
)
def test_a_setting_that_would_not_count_is_refused(
    released_course, run_command, setting, name
):
    course = released_course
    blank = nbformat.read(course.released(LAB), as_version=4)
    hand_in(course, "one", blank)
    _with_settings(course, setting)
    done = run_command("labkit", "grade", folder=course.root)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"nbgrader_config.py sets {name}," in " ".join(done.stderr.split())


def test_a_fault_in_the_settings_stops_the_grader_with_its_reason(
    released_course, run_command
):
    course = released_course
    hand_in(course, "one", nbformat.read(course.released(LAB), as_version=4))
    _with_settings(course, "c.LateSubmissionPlugin.penalty_method = zero")
    done = run_command("labkit", "grade", folder=course.root)
    assert done.returncode == 2
    assert "nbgrader_config.py: name 'zero' is not defined" in done.stderr


PLAIN = """# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   labkit:
#     title: "Plain asserts"
#     summary: As an instructor writes them for nbgrader.
#     minutes: 10
# ---

# %% solution="double"
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% check="double" points=3
assert double(2) == 4
### BEGIN HIDDEN TESTS
assert double(3) == 6
### END HIDDEN TESTS
"""
SILENCED = {
    "no_traceback": "from IPython.core.interactiveshell import InteractiveShell\n"
    "InteractiveShell.showtraceback = lambda *args, **kwargs: None",
    "no_error_message": "shell = get_ipython()\n"
    "shell._showtraceback = lambda *args, **kwargs: None",
    "own_handler": "get_ipython().set_custom_exc(\n"
    "    (BaseException,), lambda *args, **kwargs: None)",
    "muted": "get_ipython().display_pub.publish = lambda *args, **kwargs: None\n"
    "get_ipython().kernel.session.send = (lambda send: lambda stream, kind, *a, **k:\n"
    "    None if kind == 'error' else send(stream, kind, *a, **k))(\n"
    "        get_ipython().kernel.session.send)",
    "not_run": "get_ipython().kernel._aborting = True",
}
AS_IT_RUNS = {
    "shows_a_number": "get_ipython().displayhook(3)",
    "ends_its_kernel": "import os, time; time.sleep(1); os._exit(0)",
}


def test_a_failing_assert_scores_0_whatever_is_shown_of_it(course, nbgrader):
    path = course.solutions / "93_plain" / "93_plain.py"
    path.parent.mkdir()
    path.write_text(PLAIN)
    nbgrader("generate_assignment", "93_plain")
    released = nbformat.read(course.released("93_plain"), as_version=4)
    answers = {
        **{name: f"{text}\ndef double(x): return 0" for name, text in SILENCED.items()},
        **{name: f"def double(x): {text}" for name, text in AS_IT_RUNS.items()},
        "honest": "def double(x): return x + x",
    }
    for student, answer in answers.items():
        notebook = copy.deepcopy(released)
        next(c for c in notebook.cells if c.id == "double").source = answer
        folder = course.submission(student, "93_plain")
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "93_plain.ipynb")
    scores = {one.student: one.score for one in grade(course)}
    assert scores == {**dict.fromkeys(SILENCED | AS_IT_RUNS, 0), "honest": 3}


@pytest.fixture(params=["labkit", "nbgrader"])
def grade_again(request, course, nbgrader):
    """Grade all submissions anew, by one of the two."""
    if request.param == "labkit":
        return lambda: grade(course, options=Options(force=True))
    return lambda: nbgrader("autograde", LAB, "--force")


def test_a_mark_given_by_hand_stands_until_the_answer_changes(
    course, released, grade_again
):
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    solved = solve(released, lab)
    hand_in(course, "anna", solved)
    grade_again()
    with Gradebook(course.gradebook_url) as gradebook:
        mark = gradebook.find_grade("manual-why", LAB, LAB, "anna")
        assert mark.needs_manual_grade
        mark.manual_score, mark.needs_manual_grade = 1.5, False
        comment = gradebook.find_comment("manual-why", LAB, LAB, "anna")
        comment.manual_comment = "Nearly."
        points = gradebook.find_grade("check-double", LAB, LAB, "anna")
        points.manual_score, points.needs_manual_grade = 2.0, False
        gradebook.db.commit()

    def waiting():
        with Gradebook(course.gradebook_url) as gradebook:
            entry = gradebook.find_submission_notebook(LAB, LAB, "anna")
            comment = gradebook.find_comment("manual-why", LAB, LAB, "anna")
            mark = gradebook.find_grade("manual-why", LAB, LAB, "anna")
            assert (mark.manual_score, comment.manual_comment) == (1.5, "Nearly.")
            return {one.name for one in entry.grades if one.needs_manual_grade}

    grade_again()
    assert waiting() == set()
    shutil.rmtree(course.submission("anna", LAB))
    answer = next(cell for cell in solved.cells if cell.id == "manual-why")
    answer.source += " And more."
    hand_in(course, "anna", solved)
    for _ in range(2):  # until somebody has read it
        grade_again()
        assert waiting() == {"manual-why"}
    shutil.rmtree(course.submission("anna", LAB))
    for cell in solved.cells:
        if cell.id == "double":
            cell.source = "def double(x): return 0"
    hand_in(course, "anna", solved)
    grade_again()
    assert waiting() == {"manual-why", "check-double"}


def test_nothing_of_a_labs_source_lies_beside_a_run(course, nbgrader):
    folder = course.solutions / "plain"
    folder.mkdir()
    text = PLAIN.replace("2 * x", "2 * x  # the answer")
    for name in ("plain.py", "plain.py~", "copy of plain.txt", "[old] plain.py"):
        (folder / name).write_text(text)
    (folder / "points.csv").write_text("1,2\n")
    nbgrader("generate_assignment", "plain")
    handed_out = {path.name for path in (course.notebooks / "plain").iterdir()}
    assert handed_out == {"plain.ipynb", "expected.json", "points.csv"}
    notebook = nbformat.read(course.released("plain"), as_version=4)
    next(c for c in notebook.cells if c.id == "double").source = (
        "import pathlib\n"
        "found = [p for p in pathlib.Path('.').rglob('*') if p.is_file()]\n"
        "print(sorted(p.name for p in found))\n"
        "exec(''.join(p.read_text() for p in found if 'plain' in p.name))"
    )
    hand_in_as = course.submission("eve", "plain")
    hand_in_as.mkdir(parents=True)
    nbformat.write(notebook, hand_in_as / "plain.ipynb")
    assert [one.score for one in grade(course)] == [0]
    ran = nbformat.read(course.autograded_notebook("eve", "plain"), as_version=4)
    (cell,) = (cell for cell in ran.cells if cell.id == "double")
    assert cell.outputs[0].text == "['points.csv']\n"
    nbgrader("autograde", "plain", "--force")
    assert [one.score for one in read_grades(course)] == [0]


def test_no_link_below_submitted_is_followed(course, released, run_command):
    """Each student has a link in another place."""
    solved = solve(released, read_lab(course.solutions / LAB / f"{LAB}.py"))
    elsewhere = course.root / "elsewhere" / LAB
    elsewhere.mkdir(parents=True)
    nbformat.write(solved, elsewhere / f"{LAB}.ipynb")
    (elsewhere / "answer.py").write_text("def double(x): return 2 * x\n")

    def link(place, target):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(target)

    hand_in(course, "adam", released)
    link(course.submitted / "student", elsewhere.parent)
    link(course.submission("lab", LAB), elsewhere)
    link(
        course.submission("notebook", LAB) / f"{LAB}.ipynb", elsewhere / f"{LAB}.ipynb"
    )
    thief = copy.deepcopy(released)
    cell = next(cell for cell in thief.cells if cell.id == "double")
    cell.source = "exec(open('taken.py').read())"
    hand_in(course, "file", thief)
    link(course.submission("file", LAB) / "taken.py", elsewhere / "answer.py")

    run_command("nbgrader", "autograde", LAB, folder=course.root)
    with Gradebook(course.gradebook_url) as gradebook:
        assert sum(one.score for one in gradebook.assignment_submissions(LAB)) == 0
    found = {one.student: one for one in grade(course)}
    assert {name: one.score for name, one in found.items()} == dict.fromkeys(
        ("adam", "student", "lab", "notebook", "file"), 0
    )
    for student in ("student", "lab"):
        assert "is a link to another place" in found[student].reason
    assert not list((course.build / "prepared").rglob("elsewhere"))
