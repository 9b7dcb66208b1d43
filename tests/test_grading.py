"""Grading a course with real nbgrader parts, a real gradebook, real kernels."""

import copy

import nbformat
import pytest
from nbgrader.api import Gradebook

from labkit.authoring import read_lab
from labkit.errors import LabkitError
from labkit.grading.engine import grade, read_grades
from labkit.grading.execute import execute
from labkit.grading.export import write_grades
from labkit.grading.feedback import write_feedback
from labkit.release import release
from labkit.sample_class import mistake, solve

LAB = "91_tiny"


@pytest.fixture
def hand_in(course):
    """Released lab; hands in a notebook, solved but for what is given by cell id."""
    release(course)
    blank = nbformat.read(course.notebooks / LAB / f"{LAB}.ipynb", as_version=4)
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")

    def put(student, notebook=None, **sources):
        notebook = copy.deepcopy(notebook or solve(blank, lab))
        for cell in notebook.cells:
            cell.source = sources.get(cell.id.replace("-", "_"), cell.source)
        folder = course.submitted / student / LAB
        folder.mkdir(parents=True, exist_ok=True)
        nbformat.write(notebook, folder / f"{LAB}.ipynb")
        return folder

    put.blank, put.lab = blank, lab
    return put


def scores(course, **options):
    return {one.student: one.score for one in grade(course, **options)}


def test_the_class_gets_the_scores_it_earned(course, hand_in):
    hand_in("perfect")
    hand_in("blank", hand_in.blank)
    hand_in("half", solve(hand_in.blank, hand_in.lab, fraction=0.5))
    hand_in(
        "adds",
        mistake(solve(hand_in.blank, hand_in.lab), hand_in.lab, "double", "adds_two"),
    )
    hand_in(
        "halves",
        mistake(
            solve(hand_in.blank, hand_in.lab),
            hand_in.lab,
            "half_of_ten",
            "divides_twice",
        ),
    )
    # 7 points by checks, 2 for the answer in words that a person scores. Half of the
    # three exercises are two: 3 + 1. Doubling by adding spoils "an array" (weight 1) and
    # "a table" (2) but not 2 + 2 = 2 * 2: a quarter of 3 points is left.
    assert scores(course) == {
        "perfect": 7,
        "blank": 0,
        "half": 4,
        "adds": 4.75,
        "halves": 6,
    }
    assert {one.max_score for one in read_grades(course)} == {9}


def test_a_warning_never_costs_marks(course, hand_in):
    noisy = "import warnings\ndef double(x):\n    warnings.warn('old')\n    return 2 * np.asarray(x)"
    hand_in("noisy", double=noisy)
    assert scores(course)["noisy"] == 7


@pytest.mark.parametrize(
    "cheat",
    [
        "def double(x): print('3.0'); raise SystemExit",
        "from IPython.display import display\ndef double(x): display({'text/plain': '3.0'}, raw=True)",
        "check = lambda *a, **k: None\ndouble = None",
        "import numpy.testing, builtins\nclass Equal:\n    __eq__ = lambda s, o: True\n"
        "    __array__ = lambda s, *a, **k: s\ndef double(x): return Equal()",
        "from labkit import checks, compare\ncompare.difference = lambda *a, **k: None\ndef double(x): return 0",
        "import os\ndef double(x): os._exit(0)",
        "from IPython.display import publish_display_data as p\nfrom labkit.checks import MIME\n"
        "from labkit.values import encode\n"
        "def double(x):\n    p({MIME: {'name': 'a number', 'value': encode(4.0)}}); return 4.0",
    ],
    ids=[
        "prints",
        "displays",
        "patches check",
        "lying object",
        "patches compare",
        "exits",
        "forges twice",
    ],
)
def test_a_cheat_gains_nothing(course, hand_in, cheat):
    hand_in("cheat", hand_in.blank, double=cheat)
    hand_in("innocent")
    found = scores(course)
    assert found["cheat"] == 0
    assert found["innocent"] == 7


def test_broken_submissions_get_a_reason_and_the_rest_is_graded(course, hand_in):
    (hand_in("no_json") / f"{LAB}.ipynb").write_text("not json")
    (hand_in("empty") / f"{LAB}.ipynb").write_text("")
    folder = hand_in("misnamed")
    (folder / f"{LAB}.ipynb").rename(folder / "mine.ipynb")
    hand_in("perfect")
    found = {one.student: one for one in grade(course)}
    assert found["perfect"].score == 7
    assert "no file 91_tiny.ipynb" in found["misnamed"].reason
    assert "91_tiny.ipynb" in found["no_json"].reason
    assert found["empty"].reason
    assert {found[s].score for s in ("no_json", "empty", "misnamed")} == {0}


def test_a_deleted_check_cell_is_put_back(course, hand_in):
    notebook = solve(hand_in.blank, hand_in.lab)
    notebook.cells = [cell for cell in notebook.cells if cell.id != "check-double"]
    hand_in("deleter", notebook)
    assert scores(course)["deleter"] == 7


def test_an_edited_check_cell_is_put_back(course, hand_in):
    hand_in(
        "editor",
        hand_in.blank,
        check_double="check('a number', 4.0)\ncheck('an array', [0., 2., 4., 6.])",
    )
    assert scores(course)["editor"] == 0


def test_what_has_run_is_not_run_again_and_a_changed_submission_is(
    course, hand_in, monkeypatch
):
    hand_in("one")
    hand_in("two")
    ran = []

    def counted(notebook, *args, **options):
        ran.append(notebook)
        return execute(notebook, *args, **options)

    monkeypatch.setattr("labkit.grading.execute.execute", counted)
    first = scores(course)
    assert len(ran) == 2
    assert scores(course) == first
    assert len(ran) == 2
    hand_in("two", double="def double(x): return 0")
    assert scores(course)["two"] == 4
    assert len(ran) == 3


def test_a_late_submission_is_marked_late(course, hand_in):
    from datetime import datetime

    (hand_in("late") / "timestamp.txt").write_text("2030-01-02 12:00:00 UTC")
    grade(course)
    with Gradebook(course.gradebook_url) as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate=datetime(2030, 1, 1, 12, 0))
    assert grade(course)[0].late_seconds == 86400
    write_feedback(course)
    assert "1 day late" in (course.feedback / "late" / f"{LAB}.html").read_text()


def test_a_manual_grade_survives_a_regrade(course, hand_in):
    hand_in("perfect")
    grade(course)
    with Gradebook(course.gradebook_url) as gradebook:
        entry = gradebook.find_grade("manual-why", LAB, LAB, "perfect")
        entry.manual_score = 1.5
        entry.needs_manual_grade = False
        gradebook.db.commit()
    assert scores(course)["perfect"] == 8.5


def test_only_those_named_are_graded(course, hand_in):
    hand_in("one")
    hand_in("two")
    assert set(scores(course, students=["two"])) == {"two"}
    with pytest.raises(LabkitError, match="No submissions of three"):
        grade(course, students=["three"])


def test_without_submissions_it_says_where_they_belong(course):
    with pytest.raises(LabkitError, match=r"submitted/<student>/<lab>/<lab>\.ipynb"):
        grade(course)


def test_feedback_has_scores_and_hints_and_no_hidden_source(course, hand_in):
    hand_in(
        "adds",
        mistake(solve(hand_in.blank, hand_in.lab), hand_in.lab, "double", "adds_two"),
        noisy="def noisy(x):\n    print('SECRET', x)\n    return x",
    )
    grade(course)
    write_feedback(course)
    text = (course.feedback / "adds" / f"{LAB}.html").read_text()
    assert "0.75 of 3" in text
    assert "You added 2 where you should multiply by it." in text
    assert "a table" in text
    assert "hidden check" in text
    assert "SECRET" not in text
    assert "np.ones" not in text


def test_the_export_is_a_table_of_four_columns(course, hand_in, tmp_path):
    hand_in("perfect")
    hand_in("blank", hand_in.blank)
    grade(course)
    write_grades(read_grades(course), tmp_path / "grades.csv")
    assert (tmp_path / "grades.csv").read_text() == (
        f"student,lab,score,max_score\nblank,{LAB},0,9\nperfect,{LAB},7,9\n"
    )
