"""A working version for who is stuck, at the price of an exercise's points."""

import re
import shutil

import nbformat
import pytest
from nbgrader.api import Gradebook

from labkit.authoring.release import release
from labkit.checks.rescue import RESCUED, RESCUES, Rescue, asked, pack, unpack
from labkit.course import Course
from labkit.execution.run_metadata import CellMetadata
from labkit.grading.engine import grade
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from labkit.labs.rescues import lab_rescues
from tests.conftest import ROOT
from tests.grading_data import share_grading_data
from tests.steps import LAB, TEXT, cell_of, cells, course_of_steps, read, run_all, shown

LINE = 'check.rescue("step")'


@pytest.fixture(scope="module")
def once(environment, tmp_path_factory):
    """A course with the lab handed out: made once, never changed."""
    return course_of_steps(tmp_path_factory.mktemp("steps"))


@pytest.fixture
def course(once, tmp_path):
    shutil.copytree(once.root, tmp_path, dirs_exist_ok=True)
    return Course.at(tmp_path)


def rescued(course, line=LINE):
    """The solved notebook in which `step` is rescued below its blank."""
    blank = read(course)
    solved = solve(blank, read_lab(course.lab(LAB)))
    place = next(i for i, c in enumerate(solved.cells) if "def step" in c.source)
    solved.cells[place] = blank.cells[place]
    solved.cells.insert(place + 1, nbformat.v4.new_code_cell(line))
    return solved


def hand_in(course, student, notebook, lab=LAB):
    place = course.submission(student, lab) / f"{lab}.ipynb"
    place.parent.mkdir(parents=True)
    nbformat.write(notebook, place)


def earned(course, student, lab=LAB):
    with Gradebook(course.gradebook_url) as gradebook:
        found = gradebook.find_submission_notebook(lab, lab, student).grades
        return {one.name: one.auto_score for one in found if one.cell.name[:2] == "ch"}


def test_a_rescue_works_without_showing_its_text(course):
    notebook = rescued(course)
    folder = course.released(LAB).parent
    notebook.cells += cells("import inspect\nprint(inspect.getsource(step))").cells
    with pytest.raises(Exception, match="OSError"):
        run_all(notebook, folder)
    told = shown(cell_of(notebook, LINE))
    assert told.startswith("`step`: a working version is here, for the 2 points of")
    assert shown(cell_of(notebook, "taken = ")) == "taken 3.0\n"
    text = shown(cell_of(notebook, "from zero"))
    assert "✓ from zero" in text
    assert "0 of 2 points here (rescued), 0 of 7 in this lab so far." in text
    assert "4 of 4 points here, 4 of 7" in shown(cell_of(notebook, "two steps"))


def test_its_own_answer_later_earns_the_points(course):
    solved = solve(read(course), read_lab(course.lab(LAB)))
    place = next(i for i, c in enumerate(solved.cells) if "def step" in c.source)
    solved.cells.insert(place, nbformat.v4.new_code_cell(LINE))
    ran = run_all(solved, course.released(LAB).parent)
    assert "2 of 2 points here" in shown(cell_of(ran, "from zero"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('check.rescue("nothing")', "There is no rescue of 'nothing'"),
        ("check.rescue('go' + 'al')", "Write the line as it stands"),
    ],
)
def test_what_cannot_be_rescued_is_told_in_a_line(course, source, said):
    notebook = cells("from labkit import check", source)
    with pytest.raises(Exception, match=said):
        run_all(notebook, course.released(LAB).parent)
    text = shown(notebook.cells[1])
    assert len(text.splitlines()) == 1


def test_every_exercise_that_a_later_cell_uses_has_one():
    rescues = lab_rescues(read_lab(TEXT))
    assert set(rescues) == {"step", "goal"}
    assert rescues["goal"].run("goal", {}) == {"goal": 7}
    step = rescues["step"].run("step", {"length": 2.0})["step"]
    assert step(1.0) == 3.0


def test_a_rescue_is_packed_and_not_in_plain_sight():
    rescues = {"double": Rescue(("double",), "def double(x):\n    return 2 * x")}
    packed = pack(rescues)
    assert b"double" not in packed
    assert unpack(packed) == rescues
    for damaged in (b"", b"\xff", b"W10=", packed[:20]):
        with pytest.raises(ValueError, match="not packed rescues"):
            unpack(damaged)


def test_only_what_stands_in_the_text_is_asked_for():
    told = [
        'check.rescue("a")\n',
        "%matplotlib inline\nif x:\n    check.rescue('b')",
        '# check.rescue("c")\n"check.rescue(\'d\')"',
        "check.rescue(name)",
        'check.rescue("e"',
    ]
    assert asked(told) == ["a", "b"]


def test_graded_it_costs_its_own_points_and_no_others(course):
    hand_in(course, "stuck", rescued(course))
    hand_in(course, "blank", read(course))
    # One that names nothing in its line gets nothing, whatever lies beside it.
    sly = rescued(course, "name = 'st' + 'ep'\ncheck.rescue(name)")
    hand_in(course, "sly", sly)
    shutil.copy(
        course.released(LAB).parent / RESCUES, course.submission("sly", LAB) / RESCUES
    )
    grade(course)
    assert earned(course, "stuck") == {
        "check-step": 0,
        "check-walk": 4,
        "check-goal": 1,
    }
    assert sum(earned(course, "blank").values()) == 0
    assert earned(course, "sly")["check-walk"] == 0
    graded = nbformat.read(course.autograded_notebook("stuck", LAB), as_version=4)
    results = CellMetadata.of(cell_of(graded, "from zero")).checks
    assert {one.message for one in results} == {RESCUED}


def test_a_lab_of_an_earlier_release_keeps_its_points(course):
    """Before there were points in headings, hints at kernels, guides and rescues."""
    solved = solve(read(course), read_lab(course.lab(LAB)))
    for cell in solved.cells:
        lines = cell.source.splitlines()
        kept = [line for line in lines if not line.startswith(("# No mod", "# Change"))]
        told = r" \(\d+ points?(, (and \d+ )?in words)?\)$"
        cell.source = "\n".join(re.sub(told, "", line) for line in kept)
    text = "\n".join(cell.source for cell in solved.cells)
    assert "(2 points)" not in text and "Change Kernel" not in text
    hand_in(course, "early", solved)
    grade(course)
    full = {"check-step": 2, "check-walk": 4, "check-goal": 1}
    assert earned(course, "early") == full


def test_labkit_check_says_the_same_as_the_grader(course, run_command, tmp_path):
    folder = course.released(LAB).parent
    notebook = rescued(course)
    why = next(
        c
        for c in notebook.cells
        if c.metadata.get("nbgrader", {}).get("grade_id") == "manual-why"
    )
    why.source = "YOUR ANSWER HERE"
    nbformat.write(notebook, folder / f"{LAB}.ipynb")
    done = run_command("labkit", "check", folder / f"{LAB}.ipynb", folder=tmp_path)
    assert "Rescued: it earns nothing." in done.stdout
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["step", "0", "of", "2", "rescued"] in lines
    assert ["walk", "4", "of", "4"] in lines
    assert "still reads YOUR ANSWER HERE" in done.stdout
    assert "5 of 7 points are in; 3 more are for answers in words." in done.stdout


def test_the_release_ships_rescues_and_passes_its_gate(course):
    release(course)
    shipped = unpack((course.released(LAB).parent / RESCUES).read_bytes())
    assert set(shipped) == {"step", "goal"}


def test_a_whole_lab_with_one_exercise_rescued_earns_all_other_points(tmp_path):
    """One that many later exercises build on, in a lab of the course."""
    name, exercise = "02_convolution", "output_size"
    course = share_grading_data(Course.at(tmp_path))
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copytree(ROOT / "solutions" / name, course.lab(name).parent)
    lab = read_lab(course.lab(name))
    released = ROOT / "notebooks" / name / f"{name}.ipynb"
    blank = nbformat.read(released, as_version=4)
    stuck = solve(blank, lab)
    place = next(i for i, c in enumerate(stuck.cells) if c.id == exercise)
    stuck.cells[place] = blank.cells[place]
    line = nbformat.v4.new_code_cell(f'check.rescue("{exercise}")')
    stuck.cells.insert(place + 1, line)
    hand_in(course, "stuck", stuck, name)
    grade(course)
    points = {
        f"check-{c.metadata['check']}": c.metadata["points"] for c in lab.cells("check")
    }
    points[f"check-{exercise}"] = 0
    assert earned(course, "stuck", name) == points


def test_the_line_is_found_beside_ipythons_own_lines():
    cell = '!ls\nif True:\n    %time 1 + 1\n\ncheck.rescue("goal")'
    assert asked([cell]) == ["goal"]
