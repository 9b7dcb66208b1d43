"""`labkit try`: which wrong answers get full marks?"""

import re

import pytest

from labkit.authoring.mutations import mutants
from labkit.authoring.try_lab import try_mutants
from labkit.labs.lab import find_labs, read_lab
from labkit.labs.workload import workload
from tests.conftest import ROOT

LAB = "91_tiny"
# A solution with an `if` that no check looks at closely, and one that ends the kernel.
WEAK = '''

# %% solution="positive"
def positive(x):
    """x, or 0 where it is negative."""
    ### BEGIN SOLUTION
    x = np.asarray(x, dtype=float)
    if x < 0:
        return np.zeros(())
    return x
    ### END SOLUTION


# %% check="positive" points=1
check("three", positive(3))
### BEGIN HIDDEN TESTS
check("below", positive(-4.5))
check("drawn", positive(check.rng().uniform(1, 2)))
### END HIDDEN TESTS


# %% mistakes="positive"
def forgets_the_sign(x):
    """You left negative numbers as they are."""
    return np.asarray(x, dtype=float)


# %% solution="careful"
def careful(x):
    """x; it ends the kernel on what is far below 0."""
    ### BEGIN SOLUTION
    if x < -50:
        sys.modules["os"]._exit(1)
    return x + 1 - 1
    ### END SOLUTION


# %% check="careful" points=1
check("seven", careful(7))
### BEGIN HIDDEN TESTS
check("another", careful(check.rng().uniform(1, 2)))
### END HIDDEN TESTS


# %% mistakes="careful"
def adds_one(x):
    """You added 1."""
    return x + 1
'''


@pytest.fixture
def weak(course):
    path = course.lab(LAB)
    path.write_text(path.read_text() + WEAK)
    return path


def cell(path, exercise):
    cells = read_lab(path).cells("solution")
    return next(one for one in cells if one.metadata["solution"] == exercise)


def test_a_solution_is_changed_in_one_place_at_a_time(weak):
    lines = weak.read_text().splitlines()
    found = mutants(cell(weak, "positive"))
    changes = {one.change: one for one in found}
    assert {"< -> <=", "< -> >=", "0 -> 1", "0 -> -1"} < set(changes)
    assert "np.zeros(()) -> np.zeros((), int)" in changes
    assert "np.asarray(x, dtype=float) -> np.asarray(x)" in changes
    assert "np.asarray(x, dtype=float) -> x" in changes
    assert "x[...] = 0 at the end" in changes
    assert changes["< -> <="].code == "if x <= 0:"
    assert lines[changes["< -> <="].line - 1].strip() == "if x < 0:"
    assert len({one.source for one in found}) == len(found)
    assert all("or 0 where it is negative" in one.source for one in found)


@pytest.mark.parametrize("place", ["    ### BEGIN SOLUTION\n", "    if x < 0:\n"])
def test_what_changes_a_whole_function_is_marked_anywhere_in_its_solution(weak, place):
    text = weak.read_text()
    mark = "    # equivalent: x[...] = 0 at the end\n"
    start, end = text.split("def positive(x):")
    weak.write_text(
        f"{start}def positive(x):{end.replace(place, place + '    ' * (':' in place) + mark, 1)}"
    )
    marked = [one.change for one in mutants(cell(weak, "positive")) if one.equivalent]
    assert marked == ["x[...] = 0 at the end"]


def test_what_is_outside_the_solution_stays_as_it_is(weak):
    text = weak.read_text()
    weak.write_text(text.replace("def positive(x):", "def positive(x, unused=17):"))
    assert not [one for one in mutants(cell(weak, "positive")) if "17 ->" in one.change]


def test_mutants_with_full_marks_are_told_and_a_marked_one_is_not(weak, run_command):
    course = weak.parents[2]
    done = run_command("labkit", "try", LAB, folder=course)
    assert done.returncode == 0, done.stderr
    line = 1 + weak.read_text().splitlines().index("    if x < 0:")
    told = f"{LAB}.py:{line}  positive  < -> <=  |  if x <= 0:"
    assert told in done.stdout
    # The one that ends the kernel is caught, and those behind it are tried.
    assert "careful  < -> >=" not in done.stdout
    assert "careful  50 -> 51  |  if x < -51:" in done.stdout
    assert "careful  1 -> 2  |  return" not in done.stdout
    page = (course / "build" / "try" / LAB / "index.html").read_text()
    assert "The release gate keeps it from students" in page
    text = weak.read_text()
    weak.write_text(
        text.replace("if x < 0:", "if x < 0:  # equivalent: < -> <=").replace(
            "    if x < -50:",
            "    # equivalent: 50 -> 51; 50 -> 49\n    if x < -50:",
        )
    )
    again = run_command("labkit", "try", LAB, folder=course)
    assert "positive  < -> <=" not in again.stdout and "50 -> 51" not in again.stdout
    assert "3 marked as equivalent" in again.stdout


def test_a_page_shows_the_hints_the_times_and_the_blank_lab(
    course, run_command, assert_accessible
):
    done = run_command("labkit", "try", LAB, folder=course.root)
    assert done.returncode == 0, done.stderr
    page = course.build / "try" / LAB / "index.html"
    assert f"build/try/{LAB}/index.html" in done.stdout
    text = page.read_text()
    lab = read_lab(course.lab(LAB))
    for name, exercise in lab.mistakes.items():
        assert f"<code>{exercise}</code>" in text
        assert name.replace("_", "_<wbr>") in text
    assert "You added 2 where you should multiply by it." in text
    assert f"Its header\nsays {lab.minutes}." in text
    (link,) = re.findall(r'href="([^"]+)">What a student reads', text)
    blank = (page.parent / link).read_text()
    assert "0 of 9 points" in blank
    # Nothing of it has come into the course's own gradebook.
    assert not course.submitted.exists() and not course.gradebook_file.exists()
    assert_accessible(page)


def test_the_time_of_a_lab_is_estimated_from_its_text(course):
    path = course.lab(LAB)
    before = workload(read_lab(path))
    path.write_text(
        path.read_text() + "\n# %% [markdown]\n# " + "word " * 260 + "\n" + WEAK
    )
    after = workload(read_lab(path))
    assert after.reading - before.reading == pytest.approx(2)
    # Two exercises of 4 and 3 lines.
    assert after.exercises - before.exercises == pytest.approx(2 * 5 + 7 / 2)
    assert (after.questions, after.waiting) == (before.questions, 0)
    assert after.minutes > before.minutes


@pytest.mark.parametrize(
    "path", find_labs(ROOT / "solutions"), ids=lambda path: path.stem
)
def test_the_course_s_labs_say_how_long_they_take(path):
    lab = read_lab(path)
    assert lab.minutes == pytest.approx(workload(lab).minutes, abs=25)


def test_what_a_mutant_spoils_is_whole_for_the_next(course):
    path = course.lab(LAB)
    text = path.read_text().replace(
        "import numpy as np", "import numpy as np\nGIVEN = np.ones(3)"
    )
    path.write_text(text.replace("double(2.0)", "double(GIVEN)"))
    seen = []
    tried = try_mutants(course, path, lambda *what: seen.append(what))
    assert tried.unsure == []
    changes = {one.change for one in tried.survivors if one.exercise == "double"}
    assert changes == {"x[...] = 0 at the end", "np.asarray(x) -> x"}
    assert seen[0][:2] == (0, seen[0][1]) and seen[-1][0] == seen[-1][1] - 1
