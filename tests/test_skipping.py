"""Cells that no check needs are left out at grading; all that could matter runs."""

import copy
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest

from labkit.authoring.release import release
from labkit.errors import LabkitError
from labkit.execution.job import cached_run_path
from labkit.grading.engine import grade
from labkit.grading.pipeline.skipping import LEFT_OUT, cells_to_run
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from labkit.labs.names import names

IMPORTS = "import numpy as np\nimport matplotlib.pyplot as plt"
DATA = "data = np.arange(5)"
FIGURE = "fig, axes = plt.subplots()\nfor value in data:\n    axes.plot(value)"
TITLE = "title = 'five'"
PEAK = "peak = title.upper()"
GIVEN = [IMPORTS, DATA, FIGURE, TITLE, PEAK]


@pytest.mark.parametrize(
    ("answer", "left_out"),
    [
        ("def answer():\n    total = 0\n    return total", GIVEN),
        ("def answer():\n    return data.sum()", [FIGURE, TITLE, PEAK]),
        ("def answer():\n    return lambda: peak", [IMPORTS, DATA, FIGURE]),
        ("answer = [d for d in data]", [FIGURE, TITLE, PEAK]),
        ("class answer:\n    size = data.size", [FIGURE, TITLE, PEAK]),
        ("def answer(title=title):\n    return 1", [IMPORTS, DATA, FIGURE, PEAK]),
        ("def answer() -> title:\n    return 1", [IMPORTS, DATA, FIGURE, PEAK]),
        ("@peak\ndef answer():\n    return 1", [IMPORTS, DATA, FIGURE]),
        ("data += 1\nanswer = int", [FIGURE, TITLE, PEAK]),
        ("if answers:\n    data = 1\nanswer = data", [FIGURE, TITLE, PEAK]),
        ("try:\n    answer = int\nexcept title:\n    pass", [IMPORTS, DATA, FIGURE, PEAK]),
        ("def answer():\n    global title\n    title += 'y'", [IMPORTS, DATA, FIGURE, PEAK]),
        ("data[0] = 1\nanswer = int", [FIGURE, TITLE, PEAK]),
        # Names of its own, though the lab has them too.
        ("def answer(data):\n    title = data\n    return title", GIVEN),
        ("answer = [data for data in (1, 2)]", GIVEN),
        ("data = [1]\ndef answer():\n    return data", GIVEN),
        ("for title in (1, 2):\n    answer = title", GIVEN),
        ("with open('f') as data:\n    answer = data.read()", GIVEN),
        ("import sys\nanswer = sys.maxsize", GIVEN),
        ("answer = np.stack([sys.float_info.max])", [DATA, FIGURE, TITLE, PEAK]),
        # What may reach any name.
        ("def answer():\n    return globals()['data']", []),
        ("answer = eval('data')", []),
        ("import sys\nanswer = sys.modules['__main__'].data", []),
        ("from sys import modules as found\nanswer = found['__main__'].data", []),
        ("import __main__ as lab\nanswer = lab.data", []),
        ("import inspect\nanswer = inspect.currentframe().f_globals['data']", []),
        ("answer = (lambda: 1).__globals__['data']", []),
        ("%time answer = int", []),
        ("def answer(:", []),
    ],
)  # fmt: skip
def test_a_given_cell_runs_where_a_cell_that_counts_may_use_its_names(answer, left_out):
    code = [*GIVEN, answer, "check('it', answer)"]
    run = cells_to_run(code, frozenset(GIVEN))
    assert [code[i] for i in range(len(code)) if i not in run] == left_out


def test_a_given_cell_that_a_student_changed_counts():
    changed = FIGURE + "\nplt.show()"
    code = [IMPORTS, DATA, changed, TITLE, PEAK]
    assert cells_to_run(code, frozenset(GIVEN)) == {0, 1, 2}


def test_many_threads_may_ask_at_once():
    """They make syntax trees, which Python 3.11 does not do in two threads at a time."""

    def ask(thread):
        found = []
        for number in range(300):
            source = f"answer_{thread}_{number} = [peak for _ in range(2)]"
            found.append(names(source).used)
        return found

    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(ask, range(8)):
            assert set(found) == {frozenset({"peak", "range"})}


# A lab whose given cells matter in three ways: by a name, not at all, by what they change.
LAB = '''# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   labkit:
#     title: "Given cells"
#     summary: Some are needed.
#     minutes: 5
# ---

# %%
from labkit import check

numbers = [1, 2, 3]

# %%
shown = "a figure"
print(shown)

# %% tags=["needed"]
numbers.append(4)


# %% solution="total"
def total():
    """The sum of the numbers."""
    ### BEGIN SOLUTION
    return sum(numbers)
    ### END SOLUTION


# %% check="total" points=2
check("the sum", total())


# %% mistakes="total"
def counts():
    """You counted the numbers."""
    return len(numbers)
'''
NAME = "92_given"


@pytest.fixture
def course(course):
    """A course of that lab, released."""
    shutil.rmtree(course.solutions)
    path = course.solutions / NAME / f"{NAME}.py"
    path.parent.mkdir(parents=True)
    path.write_text(LAB, "utf-8")
    release(course)
    return course


def test_scores_are_those_of_a_whole_run_and_the_page_says_what_did_not_run(course):
    lab = read_lab(course.solutions / NAME / f"{NAME}.py")
    blank = nbformat.read(course.notebooks / NAME / f"{NAME}.ipynb", as_version=4)
    solved = solve(blank, lab)
    asks = copy.deepcopy(solved)
    answer = next(cell for cell in asks.cells if cell.id == "total")
    answer.source = "def total():\n    return sum(numbers) if shown else 0"
    skips = copy.deepcopy(solved)
    for cell in skips.cells:
        cell.metadata["tags"] = ["skip-execution"]
    odd = copy.deepcopy(solved)
    for cell in odd.cells:
        cell.metadata["tags"] = "no list"
    handed_in = {"solved": solved, "asks": asks, "skips": skips, "odd": odd}
    for student, notebook in handed_in.items():
        place = course.submitted / student / NAME
        place.mkdir(parents=True)
        (place / f"{NAME}.ipynb").write_text(json.dumps(notebook), "utf-8")
    assert {one.student: one.score for one in grade(course)} == {
        "solved": 2,
        "asks": 2,
        "skips": 2,
        "odd": 2,
    }
    for student, text in (("solved", LEFT_OUT), ("asks", "a figure\n")):
        ran = nbformat.read(
            cached_run_path(course.build, student, NAME, NAME), as_version=4
        )
        figure = next(cell for cell in ran.cells if "shown" in cell.source)
        assert figure.outputs[0].text == text


def test_the_gate_names_the_tag_where_a_lab_lacks_it(course):
    path = course.solutions / NAME / f"{NAME}.py"
    path.write_text(LAB.replace(' tags=["needed"]', ""), "utf-8")
    shutil.rmtree(course.build)
    with pytest.raises(LabkitError, match=r'the sum(.|\n)*tags=\["needed"\]'):
        release(course)
