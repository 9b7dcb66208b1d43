"""The course's own labs: right answers that are written differently, and wrong ones.

(That the solutions get all marks and the blank labs none, the release gate proves.)
"""

import importlib.util
import json
import shutil
import tempfile
from dataclasses import replace
from functools import cache
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
from labkit.labs.reference_run import KEEP, RESTORE, lab_references
from labkit.labs.source import source_notebook
from tests.conftest import ROOT
from tests.grading_data import share_grading_data

SEED = "the seed of the tests"
LABS = find_labs(ROOT / "solutions")
pytestmark = pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)


# How well the solution's network does says nothing of another answer.
ONE_EPOCH = """\
from labkit import training as _training

_fit = _training.fit
_training.fit = lambda *args, **kwargs: _fit(*args, **{**kwargs, "epochs": 1})"""
# What is said of a wrong value where nothing more is known of it.
PLAIN = {"all values differ.", "some of the values differ.", "the value is wrong."}


def variants(path, kind="VARIANTS"):
    """The answers of tests/variants/<lab>.py: {exercise: [source, ...]}.

    `VARIANTS` are right. Those of `WRONG` break what the exercise's text asks for.
    """
    file = ROOT / "tests" / "variants" / path.name
    spec = importlib.util.spec_from_file_location("variants", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, kind)


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
def test_right_answers_written_differently_get_full_marks(path):
    wrong = [
        f"{answer}: {result.text()}"
        for answer, results in tried(path)["VARIANTS"].items()
        for result in results
        if not result.passed
    ]
    assert wrong == []


@pytest.mark.timeout(900)
def test_wrong_answers_lose_points_and_nine_in_ten_are_told_why(path):
    failed = {
        answer: [result for result in results if not result.passed]
        for answer, results in tried(path)["WRONG"].items()
    }
    assert [answer for answer, results in failed.items() if not results] == []
    untold = [
        answer
        for answer, results in failed.items()
        if not any(result.hint or _says_why(result) for result in results)
    ]
    assert len(untold) <= len(failed) / 10, untold


def _says_why(result):
    return result.message.split(": ")[-1] not in PLAIN


@cache
def tried(path):
    """The judged checks of each answer, tried in the solved lab: {kind: {answer: ...}}.

    But for those of accuracy: its network is trained above, by the solution.
    """
    answers = {kind: variants(path, kind) for kind in ("VARIANTS", "WRONG")}
    notebook = source_notebook(read_lab(path))
    with tempfile.TemporaryDirectory() as folder:
        write_text(Path(folder, "lab.ipynb"), nbformat.writes(notebook))
        given = given_cells(Path(folder, "lab.ipynb"))
        notebook, trials = _with_trials(notebook, answers, given)
        environment = reference_environment(ROOT / "build", SEED)
        ran = execute(notebook, folder, {**grading_environment(), **environment})
    expected = lab_references(path, ROOT / "build", SEED).cells
    judged = {kind: {} for kind in answers}
    for index, kind, exercise, number in trials:
        checks = expected[cell_id("check", exercise)]
        judged[kind][f"{exercise} {number}"] = [
            result
            for check, result in zip(
                checks, judge(checks, ran.cells[index]), strict=True
            )
            if check.at_least is None
        ]
    return judged


def _with_trials(notebook, answers, given):
    """The solution with each other answer tried right after the check of its exercise.

    Checks that no answer is tried with are left out, and given cells that neither a check
    nor an answer needs, as at grading.
    """
    answered = {
        cell_id("check", exercise) for of in answers.values() for exercise in of
    }
    notebook.cells = [
        cell
        for cell in notebook.cells
        if not cell.id.startswith("check-") or cell.id in answered
    ]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    others = [s for of in answers.values() for sources in of.values() for s in sources]
    run = cells_to_run([cell.source for cell in code] + others, given)
    for index, cell in enumerate(code):
        if index not in run:
            cell.metadata["tags"] = [SKIP_TAG]
    built, trials = [nbformat.v4.new_code_cell(ONE_EPOCH)], []
    for cell in notebook.cells:
        built.append(cell)
        exercise = cell.id.removeprefix("check-")
        if cell.id == exercise:
            continue
        code = nbformat.v4.new_code_cell
        built.append(code(KEEP))
        for kind, of in answers.items():
            for number, source in enumerate(of.get(exercise, ())):
                built.append(code(f"{RESTORE}\n{source}"))
                trials.append((len(built), kind, exercise, number))
                built.append(code(cell.source))
        built.append(code(RESTORE))
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
    course = Course(root, ROOT / "solutions", ROOT / "notebooks", build)
    return share_grading_data(course)


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
    return share_grading_data(replace(labkit_course, root=root, build=build))


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
    numbers = range(max(map(len, answers.values())))
    if path.stem >= "04":
        numbers = [2]  # with networks that learn fast
    students = [f"variant_{number}" for number in numbers]
    for number, student in zip(numbers, students, strict=True):
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
