"""What must not gain a mark, and what must get them all, under both graders.

tests/cheats/answers: one attempt a file. tests/accepted: right answers, written
differently. The lab they are handed in to is tests/cheats/labs/92_target.
"""

import copy
import json
import shutil
from pathlib import Path

import nbformat
import pytest

from labkit.authoring.release import release
from labkit.course import Course
from labkit.execution.job import cached_run_path
from labkit.grading.engine import grade, read_grades
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from labkit.sandbox.confinement import strength
from tests.conftest import ROOT
from tests.grading_data import share_grading_data

LAB = "92_target"
CHEATS = sorted((ROOT / "tests" / "cheats" / "answers").glob("*.py"))
ACCEPTED = sorted((ROOT / "tests" / "accepted").glob("*.py"))
FORGE = ROOT / "tests" / "cheats" / "forge.py"
# They find the course's files where nothing keeps them from it: the machine's matter.
NEED_CONFINEMENT = {"course_folders", "environment"}
# Their own cell never answers any more.
HANGS = {"patched_display_hook", "stopped_heartbeat"}
# Whose runs nbgrader makes itself: some that work on the process, on its files, on the
# messages, and one that does nothing wrong. The others' are those that labkit kept.
RUN_BY_NBGRADER = [
    "an_innocent_student",
    "ends_with_os__exit",
    "environment",
    "forged_at_exit",
    "forged_messages",
    "patched_check",
    "visible_file",
]
OWNED = Path("/tmp/labkit-owned")  # what a forged pickle would write
FULL = 10


def _answered(blank, source):
    """The blank lab with a source in its first answer cell and nothing in the others."""
    if "forge(" in source:
        source = f"{FORGE.read_text()}\n\n{source}"
    notebook = copy.deepcopy(blank)
    answers = [c for c in notebook.cells if c.id in ("double", "label", "total")]
    for cell in answers:
        cell.source = source if cell is answers[0] else "pass"
    return notebook


def _more_points(notebook):
    """Every check cell claims to be worth a thousand points."""
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata.nbgrader.points = 1000


def _own_checks(notebook):
    """The check cells are other ones, in which everything is right."""
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = "assert True\n4.0"


def _no_checks(notebook):
    """The check cells are ordinary cells, and their ids those of cells that pass."""
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source, cell.cell_type = "All is right.", "markdown"
            cell.metadata.nbgrader |= {
                "grade": False,
                "locked": False,
                "solution": True,
            }
            for key in ("outputs", "execution_count"):
                cell.pop(key)


def _ready_made_outputs(notebook):
    """The outputs and the marks of a graded notebook are handed in with it."""
    output = nbformat.v4.new_output("execute_result", {"text/plain": "4.0"})
    notebook.metadata["labkit"] = {"stopped": "", "key": "0", "repairs": []}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [output], 7
            cell.metadata["labkit"] = {"checks": [{"name": "a number", "passed": True}]}


def _twice(notebook):
    """Every check cell stands there twice, once with a right value."""
    for index in reversed(range(len(notebook.cells))):
        cell = notebook.cells[index]
        if cell.metadata.get("nbgrader", {}).get("grade"):
            other = copy.deepcopy(cell)
            other["id"], other.source = (
                f"{cell.id}-too",
                'check("the sum of 0 to 99", 4950)',
            )
            notebook.cells.insert(index, other)


def _other_kernel(notebook):
    """The notebook asks for a kernel in which nothing can fail."""
    notebook.metadata.kernelspec = {
        "name": "bash",
        "display_name": "B",
        "language": "sh",
    }


EDITS = [
    _more_points,
    _own_checks,
    _no_checks,
    _ready_made_outputs,
    _twice,
    _other_kernel,
]


@pytest.fixture(scope="module")
def graded_by_labkit(tmp_path_factory):
    """A course in which `labkit grade` has graded the whole class."""
    OWNED.unlink(missing_ok=True)
    root = tmp_path_factory.mktemp("cheats")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    shutil.copytree(ROOT / "tests" / "cheats" / "labs", root / "solutions")
    # Some make a cell hang; that need not take two minutes each.
    (root / "course.toml").write_text("[limits]\ncell_seconds = 10\n")
    course = share_grading_data(Course.at(root))
    release(course)
    _hand_in_all(course)
    grade(course)
    return course


@pytest.fixture(scope="module")
def graded_by_nbgrader(graded_by_labkit, tmp_path_factory, run_command):
    """That course with a gradebook of its own, in which nbgrader's command has graded.

    It takes the runs that are kept, but for some students, whom it runs itself.
    """
    root = tmp_path_factory.mktemp("cheats-nbgrader")
    no_results = shutil.ignore_patterns("gradebook.db*", "autograded", "graded")
    shutil.copytree(graded_by_labkit.root, root, dirs_exist_ok=True, ignore=no_results)
    course = Course.at(root)
    shutil.rmtree(course.build / "runs")  # nobody takes another's
    for student in RUN_BY_NBGRADER:
        cached_run_path(course.build, student, LAB, LAB).unlink()
    for step in ("generate_assignment", "autograde"):
        done = run_command("nbgrader", step, LAB, "--force", folder=root, timeout=900)
        assert done.returncode == 0, done.stderr[-3000:]
    return course


@pytest.fixture(params=["labkit", "nbgrader"])
def graded(request):
    """A course in which the whole class is graded by one of the two."""
    return request.getfixturevalue(f"graded_by_{request.param}")


@pytest.fixture
def scores(graded):
    """The scores of the class: {student: score}."""
    return {one.student: one.score for one in read_grades(graded)}


def _hand_in_all(course):
    blank = nbformat.read(course.notebooks / LAB / f"{LAB}.ipynb", as_version=4)
    solved = solve(blank, read_lab(course.solutions / LAB / f"{LAB}.py"))
    for path in CHEATS + ACCEPTED:
        _hand_in(course, path.stem, _answered(blank, path.read_text()))
    for edit in EDITS:
        for prefix, start in (("blank", blank), ("solved", solved)):
            notebook = copy.deepcopy(start)
            edit(notebook)
            _hand_in(course, prefix + edit.__name__, notebook)
    # One innocent before all others, one after them.
    for name in ("an_innocent_student", "zoe_innocent"):
        _hand_in(course, name, solved)


def _hand_in(course, student, notebook):
    folder = course.submitted / student / LAB
    folder.mkdir(parents=True)
    # As labkit lays it out for nbgrader, which so finds the runs that are kept.
    (folder / f"{LAB}.ipynb").write_text(json.dumps(notebook))


def test_no_cheat_gains_a_mark(scores):
    cheats = [p.stem for p in CHEATS] + [f"blank{edit.__name__}" for edit in EDITS]
    if strength().name == "plain":
        cheats = [name for name in cheats if name not in NEED_CONFINEMENT]
    gained = {name: scores[name] for name in cheats if scores.get(name)}
    assert gained == {}
    assert not OWNED.exists()


def test_every_cheat_is_really_tried(graded):
    """Its own cell raises nothing: it is the grader that it fails at."""
    failed = {}
    for path in CHEATS:
        run = cached_run_path(graded.build, path.stem, LAB, LAB)
        cell = next(
            c for c in nbformat.read(run, as_version=4).cells if c.id == "double"
        )
        errors = [
            output.evalue
            for output in cell.outputs
            # A cell may well have ended its kernel.
            if output.output_type == "error" and output.ename != "NoReply"
        ]
        if errors and path.stem not in HANGS:
            failed[path.stem] = errors
    assert failed == {}


def test_right_answers_written_differently_get_all_marks(scores):
    assert {p.stem: scores[p.stem] for p in ACCEPTED} == {
        p.stem: FULL for p in ACCEPTED
    }


def test_a_right_answer_beside_a_needless_cheat_keeps_its_marks(scores):
    names = [f"solved{edit.__name__}" for edit in EDITS]
    assert {name: scores[name] for name in names} == dict.fromkeys(names, FULL)


def test_the_innocent_are_not_harmed(scores):
    for name in ("an_innocent_student", "zoe_innocent"):
        assert scores[name] == FULL
