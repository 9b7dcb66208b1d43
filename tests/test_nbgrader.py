"""nbgrader's own commands, on the same folder and gradebook, take our parts."""

import csv

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from labkit.grading.engine import grade, read_grades
from labkit.grading.gradebook.api import nbgrader_api
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import read_lab

LAB = "91_tiny"


@pytest.fixture
def nbgrader(course, run_command):
    """Run `nbgrader ...` in the course folder; it must succeed unless told otherwise."""

    def run(*words, succeeds=True):
        done = run_command("nbgrader", *words, folder=course.root)
        assert (done.returncode == 0) == succeeds, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture
def released(course, nbgrader):
    nbgrader("generate_assignment", LAB)
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
    nbformat.write(solved, path)
    assert "Success" in nbgrader("validate", path)
    nbformat.write(mistake(solved, lab, "double", "adds_two"), path)
    assert "FAILED" in nbgrader("validate", path)
    nbformat.write(released, path)
    assert "FAILED" in nbgrader("validate", path)


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
    done = run_command("nbgrader", "autograde", LAB, folder=course.root)
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
