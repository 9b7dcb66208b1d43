"""Damaged submissions, graded by nbgrader's own command and by labkit."""

import copy
import html
import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from labkit.execution.run_metadata import RunMetadata
from labkit.grading.current_format import OLD_FORMAT, REPLACED
from labkit.grading.engine import grade, read_grades
from labkit.grading.repairs import LabCell, repairs
from labkit.grading.results.feedback import write_feedback
from labkit.grading.submissions import (
    find_submissions,
    lab_cells,
    read_submission,
)
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from tests.conftest import make_course

LAB = "91_tiny"
ALL, NOT_DOUBLE = 7, 4
DAMAGE = {}


def damage(score, *told):
    """Register a way to damage a solved notebook, its score and what is told of it."""

    def register(change):
        DAMAGE[change.__name__] = (change, score, list(told))
        return change

    return register


def cell(notebook, cell_id):
    return next(c for c in notebook.cells if c.get("id") == cell_id)


def delete(notebook, *cell_ids):
    notebook.cells = [c for c in notebook.cells if c.id not in cell_ids]


def again(notebook, cell_id, **changes):
    """Append a copy of a cell, as copy and paste do: with its metadata, under a new id."""
    one = copy.deepcopy(cell(notebook, cell_id))
    one.update(id="pasted", **changes)
    notebook.cells.append(one)


def become(notebook, cell_id, kind):
    one = cell(notebook, cell_id)
    one.cell_type = kind
    for name in ("outputs", "execution_count"):
        one.pop(name, None)


PUT_BACK = "The one of the lab was put back, and it is what counted."


@damage(ALL)
def nothing(nb): ...


@damage(ALL)
def only_blank_lines(nb):
    cell(nb, "check-double").source += "\n\n"
    cell(nb, "check-noisy").outputs = [nbformat.v4.new_output("stream", text="hi\n")]


@damage(
    ALL,
    "The cell `triple` is not one of this lab's. It did not count.",
    "The cell `check-triple` is not one of this lab's. It did not count.",
)
def handed_in_to_the_lab_before_an_exercise_left_it(nb):
    """The exercise `triple` and its checks have no place in the lab any more."""
    at = [c.id for c in nb.cells].index("check-double") + 1
    for name, source in (
        ("check-triple", "check('a triple', triple(2.0))"),
        ("triple", "def triple(x):\n    return 3 * x"),
    ):
        role = {**cell(nb, "check-double").metadata.nbgrader, "grade_id": name}
        if name == "triple":
            role |= {"grade": False, "solution": True, "locked": False}
            del role["points"]
        nb.cells.insert(at, new_code_cell(source, id=name, metadata={"nbgrader": role}))


@damage(
    ALL,
    "The check cell `double` was missing. The lab's own was put back below the answer cell `double`.",
)
def deleted_check(nb):
    delete(nb, "check-double")


@damage(
    NOT_DOUBLE,
    "Your answer cell `double` was missing. Your other cells were run all the same.",
)
def deleted_answer(nb):
    delete(nb, "double")


@damage(
    ALL,
    "Your answer cell `double` was missing. Your other cells were run all the same.",
    "The check cell `double` was missing. The lab's own was put back above the answer cell `half_of_ten`.",
)
def written_in_a_new_cell(nb):
    source = cell(nb, "double").source
    delete(nb, "double", "check-double")
    at = [c.id for c in nb.cells].index("half_of_ten")
    nb.cells.insert(at, new_code_cell(source))


@damage(ALL, "Your answer cell `why` was missing, so there was nothing to grade.")
def deleted_words(nb):
    delete(nb, "manual-why")


@damage(ALL, "The check cell `double` was there twice. Only the last one counted.")
def pasted_check(nb):
    again(nb, "check-double", source="check('a number', 4.0)")
    nb.cells.append(nb.cells.pop([c.id for c in nb.cells].index("check-double")))


@damage(
    ALL,
    "The check cell `double` was there twice. Only the last one counted.",
    f"The check cell `double` had been changed. {PUT_BACK}",
)
def pasted_and_changed_check(nb):
    again(nb, "check-double", source="check('a number', 4.0)")


@damage(
    NOT_DOUBLE,
    "Your answer cell `double` was there twice. Only the last one counted.",
    "The check cell `double` stood above your answer cell `double`, so it ran before it. It was left there.",
)
def pasted_answer(nb):
    again(nb, "double", source="def double(x):\n    return x")
    cell(nb, "double").source = "double = None"


@damage(ALL, "Your answer cell `why` was there twice. Only the first one counted.")
def untouched_copy_of_words(nb):
    again(nb, "manual-why", source="YOUR ANSWER HERE")


@damage(ALL, f"The check cell `double` had been changed. {PUT_BACK}")
def changed_check(nb):
    cell(nb, "check-double").source = "check('a number', 4.0)"


@damage(ALL, f"The check cell `double` had been split. {PUT_BACK}")
def split_check(nb):
    one = cell(nb, "check-double")
    one.source, rest = one.source.split("\n", 1)
    nb.cells.insert(nb.cells.index(one) + 1, new_code_cell(rest))


@damage(ALL, "The check cell `double` was marked with 100 points. It is worth 3.")
def more_points(nb):
    cell(nb, "check-double").metadata.nbgrader.points = 100


@damage(ALL, "The check cell `double` had lost its points. It is worth 3.")
def points_in_words(nb):
    cell(nb, "check-double").metadata.nbgrader.points = "many"


ROLE = "was marked as another kind of cell. The lab's mark counted."


@damage(ALL, f"The check cell `double` {ROLE}")
def check_marked_as_answer(nb):
    cell(nb, "check-double").metadata.nbgrader.update(solution=True, locked=False)


@damage(ALL, f"Your answer cell `double` {ROLE}")
def answer_marked_as_check(nb):
    cell(nb, "double").metadata.nbgrader.update(grade=True, points=50)


@damage(ALL, "The check cell `double` had lost its mark. It was graded all the same.")
def lost_mark(nb):
    del cell(nb, "check-double").metadata["nbgrader"]


@damage(ALL)
def mark_of_another_version(nb):
    cell(nb, "check-double").metadata.nbgrader.update(schema_version=1, extra="key")


@damage(ALL, "The cell `convolve` is not one of this lab's. It did not count.")
def cell_of_another_lab(nb):
    again(nb, "double", source="1 + 1")
    nb.cells[-1].metadata.nbgrader.grade_id = "convolve"


@damage(
    ALL,
    "The check cell `double` had become a text cell. It was made a code cell again.",
    "Your answer cell `noisy` had become a raw cell. It was made a code cell again.",
    "Your answer cell `why` had become a code cell. It was made a text cell again.",
)
def other_cell_types(nb):
    become(nb, "check-double", "markdown")
    become(nb, "noisy", "raw")
    cell(nb, "manual-why").update(cell_type="code", outputs=[], execution_count=None)


@damage(ALL)
def check_that_is_not_to_run(nb):
    for one in ("check-double", "check-plain"):
        cell(nb, one).metadata["tags"] = ["skip-execution"]
    cell(nb, "noisy").source = "def noisy(x):\n    return x"


@damage(6)
def assertion_that_is_not_to_run(nb):
    cell(nb, "check-plain").metadata["tags"] = ["skip-execution"]
    cell(nb, "noisy").source = "def noisy(x):\n    return x if x is not 3 else 4"


@damage(
    ALL,
    "Your notebook asked for the kernel `R 4.4`. It was run with the lab's, `Python 3 (ipykernel)`.",
)
def another_kernel(nb):
    nb.metadata.kernelspec = {"name": "ir", "display_name": "R 4.4", "language": "R"}


@damage(ALL)
def saved_by_colab(nb):
    nb.update(nbformat_minor=0)
    nb.metadata.colab = {"provenance": []}
    for one in nb.cells:
        one.metadata.id = one.pop("id")[:12]


@damage(ALL)
def saved_by_vs_code(nb):
    nb.update(nbformat_minor=2)
    nb.metadata.orig_nbformat = 4
    for one in nb.cells:
        del one["id"]


@damage(ALL, REPLACED)
def half_an_emoji(nb):
    cell(nb, "manual-why").source = "Because \ud83d two is even."
    nb.cells.append(nbformat.v4.new_markdown_cell("and \ude00", id="more"))
    nb.metadata["title"] = "\ud83d"


def wrong(what):
    return (
        f"In your file, {what} is not as the notebook format has it. It was put right."
    )


@damage(ALL, wrong("the id of a cell"))
def ids_that_are_none(nb):
    for number, found in enumerate(["a.b", "x" * 65, "", None, 7, "ä"]):
        nb.cells.append({**new_code_cell(f"x{number} = 1"), "id": found})


@damage(ALL, wrong("attachments"))
def attachments_of_the_wrong_form(nb):
    cell(nb, "manual-why")["attachments"] = {
        "good.png": {"image/png": "iVBORw0KGgo="},
        "bad.png": {"image/png": 3},
    }


@damage(
    ALL,
    wrong("the type of a cell"),
    "The check cell `double` had lost its points. It is worth 3.",
)
def parts_of_wrong_types(nb):
    nb.metadata.kernelspec = ["python3"]
    nb.metadata.update(orig_nbformat="old", authors=3, labkit=[1])
    cell(nb, "check-double").metadata.nbgrader.points = 10**400
    heading = {"cell_type": "heading", "id": "h", "metadata": {}, "source": "A title"}
    nb.cells.append(heading)


@damage(ALL, OLD_FORMAT)
def format_of_2013(nb):
    old = nbformat.convert(copy.deepcopy(nb), 3)
    del old["orig_nbformat"]  # it was never one of today's
    nb.clear()
    nb.update(old)


@damage(ALL, "The check cell `double` was there twice. Only the last one counted.")
def cells_with_the_same_id(nb):
    at = [c.id for c in nb.cells].index("check-double")
    nb.cells.insert(at, copy.deepcopy(nb.cells[at]))


@damage(ALL)
def our_own_name_in_the_metadata(nb):
    nb.metadata["labkit"] = "mine"
    cell(nb, "check-double").metadata["labkit"] = {"checks": ["all right"]}


@pytest.fixture(scope="module")
def course(tmp_path_factory, run_command):
    made = make_course(tmp_path_factory.mktemp("course"))
    done = run_command("nbgrader", "generate_assignment", LAB, folder=made.root)
    assert done.returncode == 0, done.stderr
    blank = nbformat.read(made.notebooks / LAB / f"{LAB}.ipynb", as_version=4)
    solved = solve(blank, read_lab(made.solutions / LAB / f"{LAB}.py"))
    for name, (change, _, _) in DAMAGE.items():
        notebook = copy.deepcopy(solved)
        change(notebook)
        folder = made.submitted / name / LAB
        folder.mkdir(parents=True)
        # As JSON: nbformat would repair some of the damage as it writes.
        (folder / f"{LAB}.ipynb").write_text(json.dumps(notebook))
    return made


def outcome(course):
    """Scores as the gradebook has them, and what the students' pages tell."""
    found, known = {}, lab_cells(course)
    handed_in = {one.student: one for one in find_submissions(course)}
    for one in read_grades(course):
        path = course.autograded / one.student / LAB / f"{LAB}.ipynb"
        said = RunMetadata.of(nbformat.read(path, as_version=4)).repairs
        notes = read_submission(handed_in[one.student], known).notes
        found[one.student] = (one.score, list(dict.fromkeys([*notes, *said])))
    return found


@pytest.fixture(scope="module")
def by_labkit(course):
    assert not any(one.reason for one in grade(course))
    return outcome(course)


@pytest.fixture(scope="module")
def by_nbgrader(course, by_labkit, run_command):
    """After labkit, so that it finds what has run; it repairs and scores anew."""
    done = run_command("nbgrader", "autograde", LAB, "--force", folder=course.root)
    assert done.returncode == 0, done.stderr
    return outcome(course)


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_ends_in_a_score_and_the_student_is_told(name, by_labkit, by_nbgrader):
    _, score, told = DAMAGE[name]
    assert by_labkit[name] == (score, told)
    assert by_nbgrader[name] == (score, told)


def test_the_page_tells_once_what_is_found_twice(course, by_nbgrader):
    """labkit reads a notebook at the intake, nbgrader as it sanitises."""
    write_feedback(course)
    text = (course.feedback / "format_of_2013" / f"{LAB}.html").read_text()
    assert html.unescape(text).count(OLD_FORMAT) == 1


def test_deleted_words_wait_for_nobody(course, by_labkit):
    waiting = {one.student for one in read_grades(course) if one.needs_manual}
    assert waiting == set(DAMAGE) - {"deleted_words"}


def test_points_of_a_lab_stay_the_labs(course, by_labkit):
    assert {one.max_score for one in read_grades(course)} == {9}


def test_a_locked_cell_without_points_is_called_one():
    text = LabCell("setup", "code", "x = 1", None, True, False, False, False, None)
    old = nbformat.v4.new_notebook(cells=[])
    new = nbformat.v4.new_notebook(
        cells=[new_code_cell("x = 1", metadata={"nbgrader": text.role()})]
    )
    assert repairs(old, new, [text]) == [
        "The locked cell `setup` was missing. The lab's own was put back at the end."
    ]


def test_answers_that_had_cells_of_their_own_before_are_nothing_to_be_told_of():
    def one(name, solution, points=None):
        grade = not solution
        return LabCell(
            name, "code", "", None, grade, grade, solution, False, points=points
        )

    lab = [
        one("both", True),
        one("check-single", False, 1),
        one("check-both", False, 1),
    ]
    before = [one("single", True), lab[1], lab[0], lab[2]]
    notebook = nbformat.v4.new_notebook(
        cells=[
            new_code_cell("", id=cell.name, metadata={"nbgrader": cell.role()})
            for cell in before
        ]
    )
    assert repairs(notebook, notebook, lab) == []
