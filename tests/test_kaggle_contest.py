"""A class's competition in its course: points into a real gradebook, pages of the teams."""

import copy
import csv
import json
import shutil
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbgrader.api import Gradebook
from typer.testing import CliRunner

from labkit import kaggle
from labkit.cli import app
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.grading.competition.points import MARK
from labkit.grading.engine import Options, grade
from labkit.grading.results.export import export_scores
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from tests.conftest import ROOT

LAB, CELL = "91_tiny", "manual-why"
NAMES = ("bart", "homer", "lisa")
CLASS = {"also": 40, "best": 40, "good": 30, "poor": 0}
SETTINGS = """\
[kaggle]
lab = "91_tiny"
cell = "why"
truth = "truth.csv"
public = 0.5
deadline = {deadline}
points = [[0.5, 1], [0.9, 2]]
"""
COMMAND = ("kaggle", "leaderboard")
OVER, RUNNING = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


def settings(course, text=SETTINGS, deadline=OVER):
    course.settings_file.write_text(text.format(deadline=deadline))


def hand_in(course, student, right):
    """Write a submission with so many of 40 right, from before the end."""
    folder = course.submitted / student / LAB
    folder.mkdir(parents=True, exist_ok=True)
    rows = "".join(f"{i},{'a' if i < right else 'b'}\n" for i in range(40))
    name = "submission-2019-12-31T10-00.csv"
    (folder / name).write_text("id,character\n" + rows)


@pytest.fixture(scope="module")
def graded(released_once, tmp_path_factory):
    """The tiny course with a competition that is over, and a class that is graded."""
    root = tmp_path_factory.mktemp("graded")
    shutil.copytree(released_once.root, root, dirs_exist_ok=True)
    course = Course.at(root)
    settings(course)
    rows = "".join(f"{i},a\n" for i in range(40))
    (root / "truth.csv").write_text("id,character\n" + rows)
    blank = nbformat.read(course.notebooks / LAB / f"{LAB}.ipynb", as_version=4)
    solved = solve(blank, read_lab(course.solutions / LAB / f"{LAB}.py"))
    for student, right in CLASS.items():
        hand_in(course, student, right)
        path = course.submitted / student / LAB / f"{LAB}.ipynb"
        nbformat.write(copy.deepcopy(solved), path)
    grade(course)
    return course


@pytest.fixture
def course(graded, tmp_path):
    """A copy of that course."""
    shutil.copytree(graded.root, tmp_path, dirs_exist_ok=True)
    return Course.at(tmp_path)


@pytest.fixture
def run(course, monkeypatch):
    """Runs a command in the course's folder, in this process: starting one takes seconds."""
    monkeypatch.chdir(course.root)

    def invoke(*words):
        done = CliRunner().invoke(app, words)
        if isinstance(done.exception, LabkitError):  # as `main` answers it
            return SimpleNamespace(exit_code=2, output=str(done.exception))
        assert isinstance(done.exception, SystemExit | None), done.exception
        return done

    return invoke


def manual_score(course, student):
    with Gradebook(course.gradebook_url) as gradebook:
        found = gradebook.find_grade(CELL, LAB, LAB, student)
        comment = gradebook.find_comment(CELL, LAB, LAB, student)
        return found.manual_score, found.needs_manual_grade, comment.manual_comment


def test_points_go_by_score_into_the_gradebook_and_stay(course, run):
    hand_in(course, "no_notebook", 40)
    (course.submitted / "poor" / LAB / "entries.csv").write_text("not a submission")
    with Gradebook(course.gradebook_url) as gradebook:
        mine = gradebook.find_grade(CELL, LAB, LAB, "good")
        mine.manual_score, mine.needs_manual_grade = 1.75, False
        gradebook.db.commit()
    done = run(*COMMAND, "--enter")
    assert done.exit_code == 0, done.output
    assert "Points of 3 students entered." in done.output
    assert "good: has 1.75 points that a person gave" in done.output
    assert "no_notebook: has not handed in 91_tiny" in done.output
    # Equal scores earn equal points, whoever is ahead.
    assert manual_score(course, "best") == manual_score(course, "also")
    points, waiting, comment = manual_score(course, "best")
    assert (points, waiting) == (2, False)
    assert comment == f"{MARK} private score 100.00%, 90% or more."
    assert manual_score(course, "poor")[0] == 0
    assert manual_score(course, "good")[0] == 1.75
    shutil.rmtree(course.submitted / "no_notebook")
    grade(course, students=["best"], options=Options(force=True))
    assert manual_score(course, "best")[0] == 2
    export_scores(course, "csv", course.root / "grades.csv")
    with (course.root / "grades.csv").open(newline="") as file:
        totals = {row["student"]: row["score"] for row in csv.DictReader(file)}
    assert (totals["best"], totals["poor"]) == ("9", "7")
    board = course.build / "leaderboard" / "leaderboard.csv"
    assert len(board.read_text().splitlines()) == 6


def test_new_thresholds_replace_points_of_ours(course, run):
    run(*COMMAND, "--enter")
    first = manual_score(course, "good")[0]
    settings(course, SETTINGS.replace("[0.5, 1], [0.9, 2]", "[0.3, 2]"))
    assert run(*COMMAND, "--enter").exit_code == 0
    assert (first, manual_score(course, "good")[0]) == (1, 2)


def test_before_the_deadline_there_are_no_points(course, run):
    settings(course, deadline=RUNNING)
    done = run(*COMMAND, "--enter")
    assert done.exit_code == 2
    assert "Points are for private scores: enter them after that" in done.output
    done = run(*COMMAND)
    assert done.exit_code == 0
    assert "private" not in done.output and "Public scores, on 20" in done.output


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ("[[0.5, 1], [0.9, 3]]", "has 2 points, the highest threshold earns 3"),
        ("[]", "No points are set"),
    ],
)
def test_points_that_do_not_fit_are_refused(course, run, points, told):
    settings(course, SETTINGS.replace("[[0.5, 1], [0.9, 2]]", points))
    done = run(*COMMAND, "--enter")
    assert done.exit_code == 2 and told in done.output
    assert manual_score(course, "best")[0] is None


def test_a_cell_that_the_gradebook_does_not_have(course, run):
    settings(course, SETTINGS.replace('"why"', '"leaderboard"'))
    done = run(*COMMAND, "--enter")
    assert done.exit_code == 2
    assert "no manually graded cell 'leaderboard' in 91_tiny" in done.output


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("points = [[0.9, 1], [0.95, 0.5]]", "more points for more score"),
        ("points = [[60, 1]]", "scores from 0 to 1"),
        ("points = 3", "pairs of score and points"),
        ("public = 30", "a share between 0 and 1"),
        ("per_day = 0", "a whole number above 0"),
        ('deadline = "soon"', "a date and time such as"),
        ("truth = 3", "a text"),
        ('trooth = "x"', "Do you mean truth"),
    ],
)
def test_settings_that_make_no_sense_are_told(course, line, told):
    settings(course, f"[kaggle]\n{line}\n")
    with pytest.raises(LabkitError, match=told):
        course.settings  # noqa: B018 - reading it refuses it


def test_without_the_truth_it_says_where_it_belongs(course, run):
    settings(course, "")
    done = run(*COMMAND)
    assert done.exit_code == 2
    assert 'truth = "truth.csv"' in done.output


# ---------------------------------------------------------------- the teams' pages


def evidence(team="", count=60):
    import keras

    rng = np.random.default_rng(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(16, 3),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    return kaggle.Evidence.of(
        model,
        rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8),
        rng.integers(0, 3, count),
        rng.dirichlet(np.ones(3), count),
        NAMES,
        history={"loss": [2, 1, 0.5], "accuracy": [0.3, 0.5, 0.8]},
        filters_before=rng.normal(size=(16, 3, 3, 3)),
        foretold="foretold: 90.0% ± 1.0%",
        data="<i>stand-in</i>",
        team=team,
    )


@pytest.fixture(scope="module")
def gathered():
    return evidence()


def test_a_notebook_shows_nothing_where_evidence_is_gathered():
    source = """
from tests.test_kaggle_contest import evidence
found = evidence()
assert "conv2d" in found.summary
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    resources = {"metadata": {"path": str(ROOT)}}
    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources=resources
    ).execute()
    assert notebook.cells[0].outputs == []


def test_what_is_saved_is_read_back(gathered, tmp_path):
    found = kaggle.Evidence.load(gathered.save(tmp_path / "run.npz"))
    assert found.class_names == NAMES and found.history == gathered.history
    for name in ("labels", "probabilities", "mistakes", "pictures", "filters_after"):
        np.testing.assert_array_equal(getattr(found, name), getattr(gathered, name))
    said = found.probabilities.argmax(axis=1)
    assert (said != found.labels)[found.mistakes].all()
    sure = found.probabilities.max(axis=1)[found.mistakes]
    assert list(sure) == sorted(sure, reverse=True)


def test_the_page_shows_everything_and_escapes_it(
    gathered, tmp_path, assert_accessible
):
    path = kaggle.report(gathered, tmp_path / "team.html", team="<b>Us</b>")
    page = path.read_text()
    accuracy = np.mean(gathered.probabilities.argmax(axis=1) == gathered.labels)
    assert f"{accuracy:.2%}" in page
    assert page.count("data:image/png") == 7
    assert "conv2d" in page and "90.0% ± 1.0%" in page
    assert "<b>Us" not in page and "<i>stand-in" not in page
    assert_accessible(path)


def test_a_page_for_each_team_and_bad_files_stop_none(gathered, course, run, tmp_path):
    for student in ("abe", "bea"):
        folder = course.submitted / student / LAB
        folder.mkdir(parents=True, exist_ok=True)
        gathered.save(folder / "run.npz")
    (course.submitted / "bea" / LAB / "submission.csv").write_text("id,character\n")
    bad = course.submitted / "cleo" / LAB
    bad.mkdir(parents=True)
    (bad / "run.npz").write_bytes(b"PK nothing")
    done = run("kaggle", "report")
    assert done.exit_code == 1
    assert "not what `kaggle.Evidence.save` writes" in done.output
    pages = sorted(path.name for path in (course.build / "teams").iterdir())
    assert pages == ["abe.html", "bea.html"]
    truth = str(course.root / "truth.csv")
    done = run("kaggle", "report", "--truth", truth)
    assert "40 of 40 ids are missing" in done.output


def test_a_run_file_that_carries_objects_or_lies_is_refused(gathered, tmp_path):
    path = tmp_path / "run.npz"
    np.savez(path, labels=np.array([object()], dtype=object), texts=np.array("{}"))
    with pytest.raises(LabkitError, match="not what `kaggle"):
        kaggle.Evidence.load(path)
    gathered.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    for name, value in (("labels", np.full(60, 9)), ("mistakes", np.full(24, 10**6))):
        np.savez(path, **{**arrays, name: value})
        with pytest.raises(LabkitError, match=r"do not belong together|dimensions"):
            kaggle.Evidence.load(path)
    texts = json.loads(str(arrays["texts"]))
    texts["class_names"] = ["$\\frac$"] * 3
    np.savez(path, **{**arrays, "texts": np.array(json.dumps(texts))})
    assert kaggle.report(kaggle.Evidence.load(path), tmp_path / "page.html").is_file()


def test_the_page_of_one_run_and_a_board_to_be_shown(gathered, course, run):
    gathered.save(course.root / "run.npz")
    done = run("kaggle", "report", "run.npz")
    assert done.exit_code == 0, done.output
    done = run(*COMMAND)
    assert done.exit_code == 0, done.output
    done = run(*COMMAND, "--pseudonyms", "names.csv", "--out", "public/")
    assert done.exit_code == 0, done.output
    with (course.root / "public" / "leaderboard.csv").open(newline="") as file:
        shown = {row["student"] for row in csv.DictReader(file)}
    assert len(shown) == len(CLASS) and not shown & CLASS.keys()
    assert (course.root / "names.csv").is_file()


def test_no_run_files_are_told(course, run):
    done = run("kaggle", "report")
    assert done.exit_code == 2
    assert "labkit kaggle report build/run/91_tiny/run.npz" in done.output
