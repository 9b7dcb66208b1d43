"""Run All goes on: a blank lab in a real kernel, a failed check, an error of one's own."""

import json
import re
import shutil

import nbformat
import pytest

from labkit.checks import earned_points
from labkit.execution.execute import execute, grading_environment
from labkit.labs.answers import solve
from labkit.labs.lab import cell_id, find_labs, read_lab
from labkit.learning.jupyterlab import copy_labs
from labkit.learning.start_page import start_page
from tests.conftest import ROOT
from tests.steps import LAB, cell_of, cells, course_of_steps, read, run_all, shown

LABS = find_labs(ROOT / "solutions")
# As at home, but what is given trains for seconds, as at grading.
AT_HOME = """\
from labkit import profile
profile.pick = lambda quick, full, grading=None: quick if grading is None else grading"""
# And what is trained by the clock is timed for a step, not for a second.
TRAINS = """
from labkit.training import budget
budget.SECONDS = 0"""


@pytest.fixture(scope="module")
def once(environment, tmp_path_factory):
    """A course with the lab handed out: made once, never changed."""
    course = course_of_steps(tmp_path_factory.mktemp("steps"))
    page = start_page([read_lab(course.lab(LAB))])
    (course.notebooks / earned_points.START_PAGE).write_text(page)
    return course


@pytest.fixture
def work(once, tmp_path):
    """A student's copy of the labs."""
    copy_labs(once.notebooks, tmp_path)
    return tmp_path


def write(work, source, part):
    """Run a notebook whose exercise, the cell with `part`, has another text."""
    notebook = nbformat.read(work / LAB / f"{LAB}.ipynb", as_version=4)
    cell_of(notebook, part).source = source
    return run_all(notebook, work / LAB)


def test_a_blank_lab_runs_to_its_end_without_a_traceback(once, work):
    ran = run_all(read(once), work / LAB, warm=False)
    code = [cell for cell in ran.cells if cell.cell_type == "code"]
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]
    for name, part in (("step", "from zero"), ("walk", "two steps"), ("goal", "goal)")):
        assert f"✗ {name} — not written yet" in shown(cell_of(ran, part)), name
    waits = "This cell waits for the exercise `step`."
    assert shown(cell_of(ran, "taken = ")).startswith(waits)
    assert 'check.rescue("step")' in shown(cell_of(ran, "taken = "))
    assert shown(cell_of(ran, "twice taken")).startswith(waits)
    goal = shown(cell_of(ran, 'print("goal"'))
    assert goal.startswith("This cell waits for the exercise `goal`.")


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_every_blank_lab_runs_to_its_end(path, tmp_path):
    folder = shutil.copytree(ROOT / "notebooks" / path.stem, tmp_path / path.stem)
    blank = nbformat.read(folder / f"{path.stem}.ipynb", as_version=4)
    trains = any("training.fit(" in cell.source for cell in blank.cells)
    begin = AT_HOME + TRAINS if trains else AT_HOME
    blank.cells.insert(0, nbformat.v4.new_code_cell(begin))
    ran = run_all(blank, folder)
    code = {cell.id: cell for cell in ran.cells if cell.cell_type == "code"}
    errors = [
        (name, output.ename, output.evalue)
        for name, cell in code.items()
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert errors == []
    for check in read_lab(path).cells("check"):
        text = shown(code[cell_id("check", check.metadata["check"])])
        text = text.lower()
        assert "not written yet" in text or "waits for the exercise" in text


def test_a_check_cell_that_waits_for_another_exercise_names_it(work):
    source = "def walk(x, steps):\n    return step(step(x))"
    ran = write(work, source, "def walk")
    text = shown(cell_of(ran, "two steps"))
    assert text.startswith("This cell waits for the exercise `step`.")


def test_a_wrong_answer_lets_the_others_run(work):
    ran = write(work, "def step(x):\n    return np.asarray(x)", "def step")
    text = shown(cell_of(ran, "from zero"))
    assert "Hint: You did not move." in text
    assert "0 of 2 points here, 0 of 7 in this lab so far." in text
    assert shown(cell_of(ran, "taken = ")) == "taken 1.0\n"


def test_an_error_for_want_of_what_a_waiting_cell_should_have_made_waits(work):
    notebook = nbformat.read(work / LAB / f"{LAB}.ipynb", as_version=4)
    place = notebook.cells.index(cell_of(notebook, "twice taken"))
    half = cells(
        "found = []\nfound.append(step(1))\nopen('found.csv', 'w').close()",
        "print(max(found))\nx = 1",
        "1 + x",
        "open('found.csv')",
    )
    notebook.cells[place + 1 : place + 1] = half.cells
    ran = run_all(notebook, work / LAB)
    for cell in half.cells:
        assert shown(cell).startswith("This cell waits for the exercise `step`."), cell
    assert "not written yet" in shown(cell_of(ran, "two steps"))


def test_a_cell_waits_no_longer_for_what_was_written_meanwhile(once, work):
    notebook = read(once)
    step = cell_of(read(once), "def step")
    step.source = "def step(x):\n    return x + 2"
    again = cell_of(read(once), "twice taken")
    notebook.cells += [step, again]
    for number, cell in enumerate(notebook.cells):
        cell["id"] = str(number)
    with pytest.raises(Exception, match="NameError"):
        run_all(notebook, work / LAB)
    text = shown(notebook.cells[-1])
    assert '`taken` is made in a cell above, under "What a step does".' in text


def test_what_is_half_written_gets_its_hints(work):
    source = """\
def step(x):
    if x == 0:
        return 0.0
    raise NotImplementedError("Write your code here.")"""
    text = shown(cell_of(write(work, source, "def step"), "from zero"))
    assert "Hint: You did not move." in text or "Perhaps: You did not move." in text
    assert "✗ from three — not written yet" in text


def test_an_error_of_the_students_own_stops(work):
    notebook = cells("from labkit import check", "1 / 0", "print('on')")
    with pytest.raises(Exception, match="ZeroDivisionError"):
        run_all(notebook, work / LAB)
    assert notebook.cells[2].outputs == []


def test_at_grading_an_error_shows_the_students_own_lines_too(tmp_path):
    source = "def half(x):\n    return np.ones(x) @ np.ones(4)"
    notebook = cells("import numpy as np\nfrom labkit import check", source, "half(3)")
    ran = execute(notebook, tmp_path, grading_environment())
    (error,) = ran.cells[2].outputs
    text = re.sub(r"\x1b\[\d*m", "", "\n".join(error.traceback))
    assert text.startswith("ValueError in your code, the last call at the end\n")
    assert "Cell In[2], line 2, in half" in text
    assert "--->   2     return np.ones(x) @ np.ones(4)" in text


def test_an_error_before_a_check_in_its_cell_does_not_stop(work):
    source = 'x = 1 / 0\ncheck("from zero", x)'
    notebook = cells("from labkit import check", source, "print('on')")
    ran = run_all(notebook, work / LAB)
    assert "ZeroDivisionError" in shown(ran.cells[1])
    assert shown(ran.cells[2]) == "on\n"


def test_points_are_told_and_kept_and_shown_on_the_start_page(once, work):
    page = work / earned_points.START_PAGE
    assert "▱▱▱▱▱▱▱▱▱▱ 0\u00a0of\u00a07" in page.read_text()
    solved = solve(read(once), read_lab(once.lab(LAB)), fraction=0.4)
    assert "step(1.0)" in cell_of(solved, "taken").source
    solved.cells.append(nbformat.v4.new_code_cell("check.points()"))
    nbformat.write(solved, work / LAB / f"{LAB}.ipynb")
    ran = run_all(solved, work / LAB)
    first = shown(cell_of(ran, "from zero"))
    assert "2 of 2 points here, 2 of 7 in this lab so far." in first
    listed = shown(ran.cells[-1]).splitlines()
    assert [line.split() for line in listed[:2]] == [
        ["step", "2", "of", "2"],
        [
            "why",
            "(in",
            "words)",
            "-",
            "of",
            "3",
            "still",
            "reads",
            "YOUR",
            "ANSWER",
            "HERE",
        ],
    ]
    assert "2 of 7 points are in; 3 more are for answers in words." in listed[-1]
    assert "1 question, 3 points, still reads YOUR ANSWER HERE" in listed[-1]
    assert "▰▰▱▱▱▱▱▱▱▱ 2\u00a0of\u00a07" in page.read_text()
    # In another kernel, and after the labs were copied anew.
    copy_labs(once.notebooks, work)
    assert "▰▰▱▱▱▱▱▱▱▱ 2\u00a0of\u00a07" in page.read_text()
    again = run_all(cells("from labkit import check", "check.points()"), work / LAB)
    assert "2 of 7 points are in" in shown(again.cells[1])


def test_progress_that_is_damaged_or_cannot_be_kept_stops_nobody(tmp_path):
    task = earned_points.Task("check-a", "a", 2.0)
    kept = earned_points.record(tmp_path, "x", [task], {"check-a": 1.0})
    assert earned_points.read(tmp_path) == kept
    (tmp_path / ".labkit" / "progress.json").write_text("{")
    assert earned_points.read(tmp_path) is None
    shutil.rmtree(tmp_path / ".labkit")
    (tmp_path / ".labkit").write_text("a file")
    assert earned_points.record(tmp_path, "x", [task], {"check-a": 2.0}).earned == 2.0


def test_headings_say_their_points_and_links_follow(once):
    text = "\n".join(c.source for c in read(once).cells if c.cell_type == "markdown")
    assert "### Exercise: `step` (2 points)\n" in text
    assert "### What a step does (3 points, in words)" in text
    assert "### Exercise: `walk` (5 points)" in text
    assert "(#What-a-step-does-(3-points,-in-words))" in text


def test_another_folder_is_told_once(tmp_path):
    source = 'check("one", 1.0)\ncheck("two", 2.0)'
    ran = run_all(cells("from labkit import check", source), tmp_path)
    text = shown(ran.cells[1])
    assert text.startswith(f"This notebook runs in {tmp_path}, and no expected.json")
    assert len(text.splitlines()) == 1


def test_a_lab_of_a_later_labkit_is_told(work):
    path = work / LAB / "expected.json"
    data = json.loads(path.read_text())
    data["guide"]["version"] = "99.0"
    path.write_text(json.dumps(data))
    source = 'check("from zero", 1.0)'
    ran = run_all(cells("from labkit import check", source), work / LAB)
    assert shown(ran.cells[1]).startswith("This lab was made with labkit 99.0")


def test_a_cell_that_did_not_run_is_named(work):
    notebook = cells("from labkit import check", "print(length)")
    with pytest.raises(Exception, match="NameError"):
        run_all(notebook, work / LAB)
    text = shown(notebook.cells[1])
    assert '`length` is made in a cell above, under "Steps". Run that cell' in text


def test_data_that_cannot_be_had_are_told_in_one_message(work):
    source = "from labkit import data\nphotos = data.load('no such set')"
    notebook = cells("from labkit import check", source)
    with pytest.raises(Exception, match="no such set"):
        run_all(notebook, work / LAB)
    text = shown(notebook.cells[1])
    assert "no such set" in text
    assert "File" not in text and "--->" not in text


def test_the_first_cell_says_what_a_kernel_without_labkit_means(once):
    first = cell_of(read(once), "import numpy").source.splitlines()
    place = first.index("from labkit import check")
    assert first[place - 2].startswith("# No module named 'labkit'?")
