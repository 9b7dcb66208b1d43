"""The course's own labs: right answers that are written differently.

(That the solutions get all marks and the blank labs none, the release gate proves.)
"""

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from labkit.course import Course
from labkit.execution.execute import execute, grading_environment
from labkit.execution.grading_data import reference_environment
from labkit.files import write_text
from labkit.grading.engine import grade
from labkit.grading.gradebook.api import generate_assignment, nbgrader_api
from labkit.grading.judging import judge
from labkit.grading.pipeline.skipping import SKIP_TAG, cells_to_run, given_cells
from labkit.labs.answers import solve
from labkit.labs.lab import cell_id, find_labs, read_lab
from labkit.labs.reference_run import RESTORE, lab_references
from labkit.labs.source import source_notebook
from tests.conftest import ROOT

SEED = "the seed of the tests"
LABS = find_labs(ROOT / "solutions")
pytestmark = pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)


def variants(path):
    """The right answers of tests/variants/<lab>.py: {exercise: [source, ...]}."""
    file = ROOT / "tests" / "variants" / path.name
    spec = importlib.util.spec_from_file_location("variants", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.VARIANTS


def test_every_exercise_has_three_other_right_answers(path):
    exercises = {cell.metadata["solution"] for cell in read_lab(path).cells("solution")}
    found = variants(path)
    assert {name for name in exercises if len(found.get(name, [])) < 3} == set()


def test_every_check_cell_has_something_drawn(path):
    """Else all its values could be known before, and would count."""
    known = [
        cell.metadata["check"]
        for cell in read_lab(path).cells("check")
        if not any(
            word in cell.source for word in ("check.rng()", "check.predictions(")
        )
    ]
    assert known == []


@pytest.mark.timeout(900)
def test_right_answers_written_differently_get_full_marks(path, tmp_path):
    notebook = source_notebook(read_lab(path))
    write_text(tmp_path / "lab.ipynb", nbformat.writes(notebook))
    given = given_cells(tmp_path / "lab.ipynb")
    notebook, trials = _with_trials(notebook, variants(path), given)
    environment = reference_environment(ROOT / "build", SEED)
    ran = execute(notebook, tmp_path, {**grading_environment(), **environment})
    expected = lab_references(path, ROOT / "build", SEED).cells
    wrong = []
    for index, exercise, number in trials:
        results = judge(expected[cell_id("check", exercise)], ran.cells[index])
        wrong += [
            f"{exercise} {number}: {result.text()}"
            for result in results
            if not result.passed
        ]
    assert wrong == []


def _with_trials(notebook, answers, given):
    """The solution with each other answer tried right after the check of its exercise.

    Given cells that neither a check nor an answer needs are left out, as at grading.
    """
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    others = [source for sources in answers.values() for source in sources]
    run = cells_to_run([cell.source for cell in code] + others, given)
    for index, cell in enumerate(code):
        if index not in run:
            cell.metadata["tags"] = [SKIP_TAG]
    built, trials = [], []
    for cell in notebook.cells:
        built.append(cell)
        exercise = cell.id.removeprefix("check-")
        if cell.id == exercise or exercise not in answers:
            continue
        for number, source in enumerate(answers[exercise]):
            code = nbformat.v4.new_code_cell
            trials.append((len(built) + 2, exercise, number))
            built += [
                code("_names = dict(globals())"),
                code(source),
                code(cell.source),
                code(RESTORE.replace("_labkit_names", "_names")),
            ]
    notebook.cells = built
    return notebook, trials


@pytest.fixture(scope="module")
def labkit_course(tmp_path_factory):
    """A course with the released labs, whose submissions `labkit grade` grades."""
    root = tmp_path_factory.mktemp("variants")
    build = root / "build"
    for path in LABS:
        lab_references(path, ROOT / "build", SEED)
    shutil.copytree(ROOT / "build" / "references", build / "references")
    return Course(root, ROOT / "solutions", ROOT / "notebooks", build)


@pytest.fixture(scope="module")
def nbgrader_course(labkit_course, tmp_path_factory):
    """The same course with a gradebook of its own, for nbgrader's autograder.

    It takes the runs that are kept, but for those of the first lab: it runs them itself.
    """
    root = tmp_path_factory.mktemp("variants-nbgrader")
    build = root / "build"
    shutil.copytree(labkit_course.build / "references", build / "references")
    for path in LABS[1:]:
        runs = Path("executed", path.stem)
        if (labkit_course.build / runs).is_dir():
            shutil.copytree(labkit_course.build / runs, build / runs)
    return replace(labkit_course, root=root, build=build)


@pytest.fixture(params=["labkit", "nbgrader"], scope="module")
def graded_by(request):
    """A course, and the function that grades a lab of some students there."""

    def by_labkit(lab, students):
        grade(course, [lab], students)

    def by_nbgrader(lab, students):
        released = replace(course, notebooks=course.root / "released")
        generate_assignment(released, lab)
        for student in students:
            answer = nbgrader_api(course).autograde(lab, student)
            assert answer["success"], answer

    course = request.getfixturevalue(f"{request.param}_course")
    return course, {"labkit": by_labkit, "nbgrader": by_nbgrader}[request.param]


@pytest.mark.timeout(900)
def test_whole_notebooks_of_other_right_answers_get_full_marks(path, graded_by):
    course, grade_lab = graded_by
    lab = read_lab(path)
    blank = nbformat.read(
        course.notebooks / lab.name / f"{lab.name}.ipynb", as_version=4
    )
    answers = variants(path)
    # Labs that train take long: one notebook, each exercise with another one's number.
    count = 1 if path.stem >= "04" else max(map(len, answers.values()))
    students = [f"variant_{n}" for n in range(count)]
    for number, student in enumerate(students):
        notebook = solve(blank, lab)
        exercises = [cell for cell in notebook.cells if cell.id in answers]
        for place, cell in enumerate(exercises, start=number):
            cell.source = answers[cell.id][place % len(answers[cell.id])]
        place = course.submitted / student / lab.name / f"{lab.name}.ipynb"
        # As labkit lays it out for nbgrader, which so finds the runs that are kept.
        write_text(place, json.dumps(notebook))
    grade_lab(lab.name, students)
    with Gradebook(course.gradebook_url) as gradebook:
        short = {
            (entry.student.id, one.name): (one.auto_score, one.max_score)
            for entry in gradebook.assignment_submissions(lab.name)
            for one in entry.notebooks[0].grades
            if one.cell.cell_type == "code" and one.auto_score != one.max_score
        }
        assert len(gradebook.assignment_submissions(lab.name)) == len(students)
    assert short == {}
