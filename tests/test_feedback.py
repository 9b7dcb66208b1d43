"""What students receive: complete, readable, and without anything that is not theirs."""

import base64
import copy
import html
import io
import re
from datetime import datetime, timedelta

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from labkit.authoring.release import release
from labkit.checks.references import CheckReference
from labkit.grading.engine import grade
from labkit.grading.judging import judge
from labkit.grading.pipeline.visible_results import visible_results
from labkit.grading.results.feedback import write_feedback
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import read_lab
from labkit.labs.source import write_source
from tests.conftest import make_course
from tests.steps import LAB, cell_of, course_of_steps, read

TINY, SECRET_LAB = "91_tiny", "92_secret"
SECRET = "SECRET-31415"
NUMBERS = np.array([31415.9265, 27182.8125])
LAB_TEXT = '''\
# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   labkit:
#     title: A lab with secrets
#     summary: Its hidden inputs can be recognised.
#     minutes: 5
# ---

# %%
import numpy as np

from labkit import check

# %% solution="echo"
def echo(x):
    """x again."""
    ### BEGIN SOLUTION
    return x
    ### END SOLUTION


# %% check="echo" points=2
check("an empty text", echo(""))
### BEGIN HIDDEN TESTS
check("a hidden text", echo("SECRET-31415"))
check("hidden numbers", echo(np.array([31415.9265, 27182.8125])))
### END HIDDEN TESTS

# %% solution="one"
def one():
    """1."""
    ### BEGIN SOLUTION
    return 1
    ### END SOLUTION


# %% check="one" points=1
check("one", one())

# %% check="visible_assertion" points=1
assert one() == 1

# %% check="hidden_assertion" points=1
assert one() == 1
### BEGIN HIDDEN TESTS
assert len(echo("SECRET-31415")) == 12, "SECRET-31415"
### END HIDDEN TESTS
'''
KEEP = """\
import base64, io, sys
import ipywidgets
import numpy as np
from IPython.display import HTML, display
KEPT = []
def spell(x):
    stream = io.BytesIO()
    np.save(stream, x)
    return f"{x} {x!r} {base64.b64encode(stream.getvalue()).decode()}"
"""
# How a student's `echo` and `one` try to carry a hidden input out of the grading run.
TRICKS = {
    "prints": (
        "def echo(x):\n    KEPT.append(x)\n    print(spell(x))\n"
        "    print(spell(x), file=sys.stderr)\n    display(HTML(spell(x)))\n"
        "    display({'text/markdown': spell(x)}, raw=True, metadata={'k': spell(x)})\n"
        "    open('leak.txt', 'w').write(spell(x))\n"
        "    open('91_leak.html', 'w').write(spell(x))\n"
        "    display(HTML('a'), display_id='d')\n"
        "    display(HTML(spell(x)), display_id='d', update=True)\n"
        "    display(ipywidgets.HTML(spell(x)))\n"
        "    get_ipython().set_next_input(spell(x))\n"
        "    get_ipython().execution_count = 31400 + 15\n    return x",
        "def one():\n    print(KEPT)\n    return 1",
    ),
    "raises": (
        "def echo(x):\n    KEPT.append(x)\n    raise ValueError(spell(x))",
        "def one():\n    raise ValueError(spell(KEPT[1]))",
    ),
    "names_an_error": (
        "def echo(x):\n    KEPT.append(x)\n    raise type(str(x), (Exception,), {})(x)",
        "def one():\n    raise type(str(KEPT[1]), (AssertionError,), {})(KEPT)",
    ),
    "names_a_class": (
        "def echo(x):\n    KEPT.append(x)\n    return type(str(x), (), {})()",
        "def one():\n    return type(str(KEPT[1]), (), {})()",
    ),
    "returns": (
        "def echo(x):\n    KEPT.append(x)\n    return {str(x): spell(x)}",
        "def one():\n    return spell(KEPT[1])",
    ),
    "returns_other_kinds": (
        "def echo(x):\n    KEPT.append(x)\n    return [x, spell(x)]",
        "def one():\n    return KEPT[2]",
    ),
    "ends": (
        "def echo(x):\n    KEPT.append(x)\n    sys.exit(spell(x))",
        "def one():\n    sys.exit(spell(KEPT))",
    ),
}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A graded course: tricks in one lab, all kinds of feedback in the other."""
    made = make_course(tmp_path_factory.mktemp("course"))
    path = made.solutions / SECRET_LAB / f"{SECRET_LAB}.py"
    path.parent.mkdir()
    path.write_text(LAB_TEXT)
    release(made, [TINY])
    for student, sources in TRICKS.items():
        hand_in(made, student, SECRET_LAB, with_tricks(path, *sources))
    solved = solve(blank(made), tiny(made))
    hand_in(made, "perfect", TINY, solved)
    hand_in(made, "busy", TINY, busy(made, solved))
    for student, text in (("no_json", "not json"), ("empty", "")):
        hand_in(made, student, TINY, solved).write_text(text)
    path = hand_in(made, "misnamed", TINY, solved)
    path.rename(path.with_name("mine <1>.ipynb"))
    hand_in(made, "nothing", TINY, solved).rename(made.root / "kept at home.ipynb")
    grade(made)
    return made


def blank(course):
    return nbformat.read(course.notebooks / TINY / f"{TINY}.ipynb", as_version=4)


def tiny(course):
    return read_lab(course.solutions / TINY / f"{TINY}.py")


def hand_in(course, student, lab, notebook):
    path = course.submitted / student / lab / f"{lab}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return path


def with_tricks(path, echo, one):
    """The lab as a student hands it in: no hidden tests, answers that spy, cells that tell."""
    write_source(path)
    notebook = nbformat.read(path.with_suffix(".ipynb"), as_version=4)
    for cell in notebook.cells:
        cell.source = {"echo": KEEP + echo, "one": one}.get(
            cell.id,
            re.sub(r"### BEGIN HIDDEN.*END HIDDEN TESTS", "", cell.source, flags=re.S),
        )
    tell = "print(KEPT); display(HTML(spell(KEPT))); raise ValueError(spell(KEPT))"
    again = "print(In[-10:]); print(get_ipython().history_manager.input_hist_raw)"
    markers = "# BEGIN HIDDEN TESTS\n1"
    notebook.cells += [new_code_cell(text) for text in (tell, again, markers)]
    return notebook


def busy(course, solved):
    """A submission with a mistake, a repair and an answer in words; handed in late."""
    notebook = mistake(copy.deepcopy(solved), tiny(course), "double", "adds_two")
    notebook.cells = [c for c in notebook.cells if c.id != "check-noisy"]
    return notebook


@pytest.fixture(scope="module")
def received(course, run_command):
    """Every file of every student, as text; HTML as a reader sees it, too."""
    write_feedback(course)
    done = run_command("nbgrader", "generate_feedback", SECRET_LAB, folder=course.root)
    assert done.returncode == 0, done.stderr
    texts = {}
    for path in sorted(p for p in course.feedback.rglob("*") if p.is_file()):
        text = path.read_text("utf-8", errors="replace")
        shown = html.unescape(re.sub(r"<[^>]*>", "", text))
        texts[str(path.relative_to(course.feedback))] = text + shown
    return texts


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return base64.b64encode(stream.getvalue()).decode()


@pytest.mark.parametrize("student", TRICKS)
def test_no_file_of_a_student_holds_a_hidden_input(course, student, received):
    path = course.autograded / student / SECRET_LAB / f"{SECRET_LAB}.ipynb"
    graded = nbformat.read(path, as_version=4)
    # The trick works: the run did put it out.
    assert SECRET in str([cell.get("outputs") for cell in graded.cells])
    mine = {name: text for name, text in received.items() if name.startswith(student)}
    assert f"{student}/{SECRET_LAB}.html" in mine
    assert f"{student}/{SECRET_LAB}/{SECRET_LAB}.html" in mine
    secrets = {
        "the hidden text": SECRET,
        "a part of it": "31415",
        "the hidden numbers": "27182.8",
        "them as a file": npy(NUMBERS),
        "the head of such a file": npy(NUMBERS)[:40],
        "the hidden source": 'check("hidden numbers"',
        "the hidden assertion": "== 12",
    }
    found = [
        (name, what)
        for name, text in mine.items()
        for what, secret in secrets.items()
        if secret in text
    ]
    assert found == []


def test_nbgraders_page_keeps_the_results_and_the_students_own_text(received):
    text = received[f"prints/{SECRET_LAB}/{SECRET_LAB}.html"]
    assert "✓ a hidden text" in text
    assert "✓ the tests of this cell" in text
    assert "KEPT.append" in text
    assert "# BEGIN HIDDEN TESTS" in text  # the student's own remark
    text = received[f"raises/{SECRET_LAB}/{SECRET_LAB}.html"]
    assert "✗ a hidden text — ValueError" in text
    assert "stopped with ValueError" in text
    text = received[f"names_an_error/{SECRET_LAB}/{SECRET_LAB}.html"]
    assert "stopped with an error of its own" in text


def test_a_cell_that_was_stopped_is_told_by_which_limit():
    """And by nothing that its own code has raised."""
    errors = [
        nbformat.v4.new_output("error", ename=name, evalue="SECRET", traceback=[])
        for name in ("KeyboardInterrupt", "TimeLimit")
    ]
    role = {"grade": True, "solution": False, "points": 1, "grade_id": "check-a"}
    limit = "the cell took more than 120 s of computing and was stopped"
    metadata = {"nbgrader": role, "labkit": {"limit": limit}}
    cell = new_code_cell("", outputs=errors, metadata=metadata)
    check = CheckReference("a", hidden=False, value=None)
    for result in (*judge([check], cell), *visible_results(cell)):
        assert result.message == limit
    del cell.metadata["labkit"]
    for result in (*judge([check], cell), *visible_results(cell)):
        assert "SECRET" not in result.message and "s of" not in result.message


def the_page(course, student):
    write_feedback(course)
    return (course.feedback / student / f"{TINY}.html").read_text()


def shown(text):
    """The words of a page, without its markup."""
    words = re.sub(r"<style>.*?</style>|<[^>]*>", " ", text, flags=re.S)
    return " ".join(html.unescape(words).split())


def test_a_page_says_what_was_right_wrong_and_repaired(course):
    text = shown(the_page(course, "busy"))
    assert "A tiny lab" in text
    assert "double 0.75 of 3" in text
    assert "✗ wrong an array" in text
    assert "✗ wrong a table (hidden check)" in text
    assert "Hint: You added 2 where you should multiply by it." in text
    assert "✓ right half of ten" in text
    assert "plain 1 of 1 ✓ right the tests of this cell" in text
    assert "What was repaired in your notebook" in text
    assert "The check cell noisy was missing." in text


def test_before_a_person_has_read_it_says_which_points_wait(course):
    text = shown(the_page(course, "perfect"))
    assert "7 of 9 points" in text
    assert "2 of the points are not given yet." in text
    assert "why (in words), up to 2" in text
    assert "why (in words) not given yet, of 2" in text
    assert "repaired" not in text


@pytest.mark.parametrize(
    ("student", "reason"),
    [
        ("no_json", "The file 91_tiny.ipynb is not a Jupyter notebook"),
        ("empty", "The file 91_tiny.ipynb is empty."),
        ("nothing", "There is no notebook in what you handed in"),
    ],
)
def test_what_cannot_be_graded_gets_a_page_with_the_reason(course, student, reason):
    text = shown(the_page(course, student))
    assert "0 of 9 points This submission could not be graded." in text
    assert reason in text
    assert "not given yet" not in text
    assert str(course.root) not in text


def test_a_file_of_another_name_is_told(course):
    text = shown(the_page(course, "misnamed"))
    assert "7 of 9 points" in text
    assert "Your file is mine <1>.ipynb. It was graded as 91_tiny.ipynb." in text


@pytest.fixture(scope="module")
def graded_by_hand(course):
    """What a person does in the formgrader to one submission, which was late, too."""
    due = datetime(2030, 1, 1, 12, 0)
    with Gradebook(course.gradebook_url) as gradebook:
        gradebook.update_or_create_assignment(TINY, duedate=due)
        submission = gradebook.find_submission(TINY, "busy")
        submission.timestamp = due + timedelta(days=2)
        submission.notebooks[0].late_submission_penalty = 0.5
        words = gradebook.find_grade("manual-why", TINY, TINY, "busy")
        words.manual_score, words.extra_credit = 1.5, 1
        checks = gradebook.find_grade("check-double", TINY, TINY, "busy")
        checks.manual_score = 2
        words.needs_manual_grade = checks.needs_manual_grade = False
        for name, text in (
            ("manual-why", "Good.\n<b>But</b> why even?"),
            ("double", "Nearly: see the hint."),
        ):
            comment = gradebook.find_comment(name, TINY, TINY, "busy")
            comment.manual_comment = text
        gradebook.db.commit()
    return shown(the_page(course, "busy"))


def test_what_a_person_gave_and_wrote_is_shown(graded_by_hand):
    assert "double 2 of 3 A person gave these points. The checks alone gave 0.75." in (
        graded_by_hand
    )
    assert "Comment on double: Nearly: see the hint." in graded_by_hand
    assert "why (in words) 2.5 of 2 A person gave these points." in graded_by_hand
    assert "1 of them is extra credit." in graded_by_hand
    assert "Comment on why (in words): Good. <b>But</b> why even?" in graded_by_hand
    assert "not given yet" not in graded_by_hand


def test_a_late_penalty_is_told_and_taken_off(graded_by_hand):
    # 2 + 1 + 2 + 1 points by now, 2.5 for the words, less 0.5.
    assert "8 of 9 points" in graded_by_hand
    assert "Handed in 2 days late. 0.5 points are taken off for it" in graded_by_hand


def test_after_a_regrade_a_person_looks_again(course, graded_by_hand):
    path = course.submitted / "busy" / TINY / f"{TINY}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(new_code_cell("handed_in = 'again'"))
    nbformat.write(notebook, path)
    grade(course, [TINY], ["busy"])
    text = shown(the_page(course, "busy"))
    assert "double 2 of 3 A person gave these points." in text
    assert "once more" not in text
    # Now the checks' own points are others.
    for cell in notebook.cells:
        if cell.id == "double":
            cell.source = "def double(x): return x + 1"
    nbformat.write(notebook, path)
    grade(course, [TINY], ["busy"])
    text = shown(the_page(course, "busy"))
    assert "double 2 of 3 A person gave these points." in text
    assert "A person will look at these points once more." in text


@pytest.mark.parametrize("student", ["busy", "perfect", "no_json"])
def test_pages_are_accessible_and_fit_a_phone(
    course, graded_by_hand, student, assert_accessible
):
    write_feedback(course)
    assert_accessible(course.feedback / student / f"{TINY}.html")


def test_it_says_which_wrong_exercise_another_one_uses(tmp_path):
    course = course_of_steps(tmp_path)
    solved = solve(read(course), read_lab(course.lab(LAB)))
    cell_of(solved, "def step").source = "def step(x):\n    return np.asarray(x)"
    place = course.submission("anna", LAB) / f"{LAB}.ipynb"
    place.parent.mkdir(parents=True)
    nbformat.write(solved, place)
    grade(course)
    (page,) = write_feedback(course)
    parts = page.read_text().split("<section>")
    told = {part.split("<h2>")[1].split("<")[0]: part for part in parts[1:]}
    said = "Your code here uses <code>step</code>, which is not right itself."
    assert said in told["walk"]
    assert "Your code here uses" not in told["step"] + told["goal"]
