"""Grading a course with real nbgrader parts, a real gradebook, real kernels."""

import contextlib
import copy
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from sqlalchemy import text

from labkit.authoring.release import release
from labkit.errors import LabkitError
from labkit.execution.execute import execute
from labkit.grading.engine import Options, grade, read_grades
from labkit.grading.gradebook.database import back_up, only_grader
from labkit.grading.progress import Progress
from labkit.grading.results.export import write_grades
from labkit.grading.results.feedback import write_feedback
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import read_lab

LAB = "91_tiny"


@pytest.fixture
def course(released_course):
    """The tiny course, released."""
    return released_course


@pytest.fixture
def hand_in(course):
    """Hands in a notebook of the lab, solved but for what is given by cell id."""
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


def test_broken_submissions_get_a_reason_and_a_place_and_the_rest_is_graded(
    course, hand_in
):
    def broken(student, content):
        (hand_in(student) / f"{LAB}.ipynb").write_bytes(content)

    whole = nbformat.writes(solve(hand_in.blank, hand_in.lab))
    broken("no_json", b"not json")
    broken("empty", b"")
    broken("cut_off", whole[: len(whole) // 2].encode())
    broken("no_cells", b'{"nbformat": 4, "nbformat_minor": 5, "cells": []}')
    shutil.rmtree(hand_in("nothing"))
    (course.submitted / "nothing" / LAB).mkdir()
    (hand_in("misnamed") / f"{LAB}.ipynb").rename(
        course.submitted / "misnamed" / LAB / "Mine.ipynb"
    )
    broken("crlf", whole.replace("\n", "\r\n").encode())
    hand_in("perfect")
    found = {one.student: one for one in grade(course)}
    assert {found[s].score for s in ("perfect", "misnamed", "crlf")} == {7}
    assert found["misnamed"].reason == ""
    unread = ("no_json", "empty", "cut_off", "no_cells", "nothing")
    assert {found[s].score for s in unread} == {0}
    assert {found[s].max_score for s in unread} == {9}
    assert "is not a Jupyter notebook" in found["no_json"].reason
    assert "is empty" in found["empty"].reason
    assert "is cut off" in found["cut_off"].reason
    assert "has no cells" in found["no_cells"].reason
    assert "There is no notebook" in found["nothing"].reason
    write_feedback(course)
    for student, words in (("cut_off", "is cut off"), ("misnamed", "Mine.ipynb")):
        assert words in (course.feedback / student / f"{LAB}.html").read_text()


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
    own = "def double(x): return x + x"
    hand_in("one", double=own)
    hand_in("two", double=f"{own}  # two")
    ran = []

    def counted(notebook, *args, **options):
        ran.append(notebook)
        return execute(notebook, *args, **options)

    monkeypatch.setattr("labkit.execution.job.execute", counted)
    first = scores(course)
    assert len(ran) == 2
    assert scores(course) == first
    assert len(ran) == 2
    hand_in("two", double="def double(x): return 0")
    assert scores(course)["two"] == 4
    assert len(ran) == 3
    # The same code in a notebook with other damage: the run is taken, the rest is new.
    altered = {"check_double": "assert True", "manual_why": "In other words."}
    hand_in("one", double=own, **altered)
    assert scores(course)["one"] == 7
    assert len(ran) == 3
    write_feedback(course)
    page = (course.feedback / "one" / f"{LAB}.html").read_text()
    assert "had been changed" in page
    graded = course.autograded / "one" / LAB / f"{LAB}.ipynb"
    assert "In other words." in graded.read_text()
    assert scores(course, options=Options(force=True)) == {"one": 7, "two": 4}
    assert len(ran) == 5


def test_who_handed_in_the_same_takes_the_run_that_there_is(
    course, hand_in, monkeypatch
):
    ran = []

    def counted(notebook, *args, **options):
        ran.append(notebook)
        return execute(notebook, *args, **options)

    monkeypatch.setattr("labkit.execution.job.execute", counted)
    for student in ("one", "two", "three"):
        folder = hand_in(student, double="def double(x): return 0")
        (folder / "timestamp.txt").write_text(f"2026-01-1{len(student)} 12:00:00 UTC")
    hand_in("four", double="def double(x): return 2 * x  # mine")
    (hand_in("five", double="def double(x): return 0") / "mine.txt").write_text("")
    found = scores(course)
    assert found == {"one": 4, "two": 4, "three": 4, "four": 7, "five": 4}
    # Three share one; another file beside a notebook is something else to run.
    assert len(ran) == 3
    hand_in("six", double="def double(x): return 0")
    assert scores(course)["six"] == 4
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


def test_a_readable_submission_replaced_by_a_broken_one_scores_0(course, hand_in):
    hand_in("one")
    assert scores(course) == {"one": 7}
    (course.submitted / "one" / LAB / f"{LAB}.ipynb").write_text("damaged")
    assert scores(course) == {"one": 0}


def test_a_gradebook_that_lost_its_last_entries_gets_them_back(course, hand_in):
    hand_in("one")
    hand_in("two")
    first = scores(course)
    kept = back_up(course)
    hand_in("two", double="def double(x): return 0")
    scores(course)
    hand_in("two")
    shutil.copy(kept, course.gradebook_file)
    for extra in ("-wal", "-shm"):
        Path(f"{course.gradebook_file}{extra}").unlink(missing_ok=True)
    with Gradebook(course.gradebook_url) as gradebook:
        gradebook.remove_submission(LAB, "one")
    assert scores(course) == first


def test_a_changed_lab_is_graded_anew(course, hand_in):
    hand_in("one")
    assert scores(course) == {"one": 7}
    path = course.solutions / LAB / f"{LAB}.py"
    path.write_text(path.read_text().replace("half_of_ten = 5", "half_of_ten = 6"))
    assert scores(course) == {"one": 6}


def test_points_that_students_have_not_seen_are_told(course, hand_in, run_command):
    hand_in("one")
    assert (
        "labkit release"
        not in run_command("labkit", "grade", folder=course.root).stdout
    )
    path = course.lab(LAB)
    text = path.read_text()
    path.write_text(text.replace('check="double" points=3', 'check="double" points=5'))
    for _ in range(2):  # until it is released
        done = run_command("labkit", "grade", folder=course.root)
        said = " ".join((done.stdout + done.stderr).split())
        assert "check-double is worth 5 points instead of 3" in said
        assert f"labkit release {LAB}" in said
    assert scores(course) == {"one": 9}
    release(course)
    done = run_command("labkit", "grade", folder=course.root)
    assert "instead of" not in done.stdout + done.stderr


def test_badges_are_no_difference_to_the_lab_that_is_graded(
    course, hand_in, run_command
):
    course.settings_file.write_text('repository = "someone/a-course"\n')
    release(course)
    assert "colab" in course.released(LAB).read_text()
    hand_in("one")
    done = run_command("labkit", "grade", folder=course.root)
    assert done.returncode == 0
    assert "is not what" not in " ".join((done.stdout + done.stderr).split())


def test_the_gradebook_is_backed_up_before_a_regrade(course, hand_in):
    hand_in("one")
    scores(course)
    assert not (course.build / "backups").exists()
    hand_in("one", double="def double(x): return 0")
    scores(course)
    (copy_of_it,) = (course.build / "backups").glob("*.db")
    with Gradebook(f"sqlite:///{copy_of_it}") as gradebook:
        assert gradebook.find_submission(LAB, "one").score == 7


def test_two_graders_at_once_are_kept_apart(course, hand_in):
    hand_in("one")
    with only_grader(course.build), pytest.raises(LabkitError, match="graded already"):
        grade(course)
    assert scores(course) == {"one": 7}


def test_a_gradebook_of_another_schema_is_kept_and_said(course, hand_in):
    hand_in("one")
    scores(course)
    with Gradebook(course.gradebook_url) as gradebook:
        gradebook.db.execute(text("UPDATE alembic_version SET version_num = 'old'"))
        gradebook.db.commit()
    with pytest.raises(LabkitError, match="Type: nbgrader db upgrade"):
        grade(course)
    assert list((course.build / "backups").glob("*.db"))


def test_an_old_gradebook_without_a_version_is_kept_and_left_as_it_is(course, hand_in):
    hand_in("one")
    scores(course)
    with contextlib.closing(sqlite3.connect(course.gradebook_file)) as gradebook:
        gradebook.execute("DROP TABLE alembic_version")
        gradebook.execute("ALTER TABLE student DROP COLUMN lms_user_id")
        gradebook.commit()
    before = content(course.gradebook_file)
    with pytest.raises(LabkitError, match=r"without a version, .+ A copy is in"):
        grade(course)
    (kept,) = (course.build / "backups").glob("*.db")
    assert content(kept) == content(course.gradebook_file) == before


def content(gradebook):
    with contextlib.closing(sqlite3.connect(gradebook)) as database:
        return list(database.iterdump())


def test_the_gradebook_is_one_file_again_after_grading(course, hand_in):
    hand_in("one")
    scores(course)
    assert [path.name for path in course.root.glob("gradebook.db*")] == ["gradebook.db"]
    with course.gradebook_file.open("rb") as file:
        # 2 would mean that who reads it must be able to write beside it.
        assert file.read(20)[18:] == bytes([1, 1])


def test_readers_do_not_block_the_writer(course, hand_in):
    hand_in("one")
    scores(course)
    hand_in("two")
    reader = sqlite3.connect(course.gradebook_file)

    class Reads(Progress):
        def start(self, total, unchanged):
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM grade").fetchone()

    options = Options(progress=Reads())
    assert scores(course, options=options) == {"one": 7, "two": 7}
    reader.close()
    assert scores(course) == {"one": 7, "two": 7}
    assert not Path(f"{course.gradebook_file}-wal").exists()


@pytest.mark.timeout(300)
def test_a_grader_killed_at_any_moment_goes_on_where_it_was(course, hand_in):
    for number in range(6):
        hand_in(f"student_{number}", double=f"def double(x): return 2 * x  # {number}")
    hand_in("student_2", double="def double(x): return 0")
    states = [
        lambda: course.gradebook_file.is_file(),
        lambda: _count(course.build / "prepared", "student_*") >= 2,
        lambda: _count(course.build / "executed", f"{LAB}/student_*/*.ipynb") >= 1,
        lambda: _count(course.build / "graded", f"{LAB}/student_*.json") >= 1,
        lambda: _count(course.build / "graded", f"{LAB}/student_*.json") >= 4,
    ]
    kills = sum(_killed_when(reached, course) for reached in states)
    assert kills >= 3
    disturbed = scores(course)
    assert disturbed == {f"student_{n}": 4 if n == 2 else 7 for n in range(6)}
    assert _entries(course) == _entries_of_an_undisturbed_run(course)


def _killed_when(reached, course):
    """Start a grader and kill it once that is reached; False where it was done before."""
    grader = subprocess.Popen(
        ["labkit", "grade"],
        cwd=course.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while grader.poll() is None and not reached():
        time.sleep(0.01)
    killed = grader.poll() is None
    if killed:
        os.killpg(grader.pid, signal.SIGKILL)
    grader.wait()
    return killed


def _count(folder, pattern):
    return len(list(folder.glob(pattern)))


def _entries(course):
    """All that nbgrader holds of the grades, but its random ids and times."""
    with Gradebook(course.gradebook_url) as gradebook:
        return sorted(
            (s.student.id, g.name, g.auto_score, g.manual_score, g.needs_manual_grade)
            for s in gradebook.assignment_submissions(LAB)
            for g in s.notebooks[0].grades
        )


def _entries_of_an_undisturbed_run(course):
    course.gradebook_file.rename(course.root / "disturbed.db")
    for extra in ("-wal", "-shm"):
        Path(f"{course.gradebook_file}{extra}").unlink(missing_ok=True)
    shutil.rmtree(course.build / "executed")
    shutil.rmtree(course.autograded)
    grade(course)
    return _entries(course)


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
    page = (course.feedback / "adds" / f"{LAB}.html").read_text()
    assert "0.75 of 3" in page
    assert "You added 2 where you should multiply by it." in page
    assert "a table" in page
    assert "hidden check" in page
    assert "SECRET" not in page
    assert "np.ones" not in page


def test_the_export_is_a_table_of_four_columns(course, hand_in, tmp_path):
    hand_in("perfect")
    hand_in("blank", hand_in.blank)
    grade(course)
    write_grades(read_grades(course), tmp_path / "grades.csv")
    assert (tmp_path / "grades.csv").read_text() == (
        f"student,lab,score,max_score\nblank,{LAB},0,9\nperfect,{LAB},7,9\n"
    )
