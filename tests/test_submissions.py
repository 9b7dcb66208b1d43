"""Where the work of a class lies below submitted/, and files that cannot be read."""

import json
import os
import shlex
import shutil
from pathlib import Path

import nbformat
import pytest

from labkit.grading.engine import grade, read_grades
from labkit.grading.results.export import export_scores
from labkit.grading.results.feedback import write_feedback
from labkit.grading.submissions import (
    find_submissions,
    misplaced_work,
    taken_elsewhere,
)
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab

LAB = "91_tiny"
FOREIGN = '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{}]}'
# A root that may not read what is closed: as any other user.
NO_CAPABILITY = "-dac_override,-dac_read_search"
AS_ANYBODY = [
    "setpriv",
    f"--inh-caps={NO_CAPABILITY}",
    f"--bounding-set={NO_CAPABILITY}",
]
if os.geteuid() != 0:
    AS_ANYBODY = []


@pytest.fixture
def course(released_course):
    return released_course


@pytest.fixture
def solved(course):
    blank = nbformat.read(course.released(LAB), as_version=4)
    return nbformat.writes(solve(blank, read_lab(course.lab(LAB))))


@pytest.fixture
def put(course, solved):
    """Puts a text, usually the solved lab, at a path below submitted/."""

    def write(path, text=solved):
        target = course.submitted / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        return target

    return write


def places(course):
    """(student, lab): where their work lies, below submitted/."""
    return {
        (one.student, one.lab): str(one.folder.relative_to(course.submitted))
        for one in find_submissions(course)
    }


def test_files_that_cannot_be_read_cost_nobody_else_a_grade(course, put, run_command):
    for student in ("closed", "shut", "open"):
        put(f"{student}/{LAB}/{LAB}.ipynb")
    data = put(f"closed/{LAB}/data.csv", "1,2")
    data.chmod(0)
    put(f"shut/{LAB}/pictures/a.txt", "a").parent.chmod(0)
    shut = course.submitted / "shut" / LAB / "pictures"
    put(f"locked/{LAB}/{LAB}.ipynb")
    (course.submitted / "locked").chmod(0o400)
    try:
        done = run_command(*AS_ANYBODY, "labkit", "grade", folder=course.root)
        assert "Traceback" not in done.stderr, done.stderr
        found = {one.student: one for one in read_grades(course)}
        assert {name: one.score for name, one in found.items()} == {
            "closed": 0,
            "open": 7,
            "shut": 0,
        }
        assert found["closed"].reason == (
            "The file data.csv cannot be read: Permission denied. "
            "Who grades types: chmod -R u+rX submitted"
        )
        assert "pictures cannot be read: Permission denied" in found["shut"].reason
        assert done.returncode == 1
        assert "submitted/locked cannot be read" in done.stderr.replace("\n", " ")
    finally:
        data.chmod(0o600)
        shut.chmod(0o700)
        (course.submitted / "locked").chmod(0o700)
    assert {one.score for one in grade(course)} == {7}


def test_a_time_that_is_none_is_told_and_costs_no_grade(course, put, run_command):
    strange = {
        "words": "yesterday evening",
        "far": "99999-01-01 00:00:00 UTC",
        "zone": "2030-01-01 00:00:00 99999999999999",
        "sound": "2030-01-01 12:00:00 UTC",
        "nothing": "\n",
        "bytes": "",
    }
    for student, text in strange.items():
        put(f"{student}/{LAB}/{LAB}.ipynb")
        put(f"{student}/{LAB}/timestamp.txt", text)
    (course.submitted / "bytes" / LAB / "timestamp.txt").write_bytes(b"\xff\x00")
    done = run_command("labkit", "grade", folder=course.root)
    assert done.returncode == 0, done.stdout
    assert {one.score for one in read_grades(course)} == {7}
    told = [line for line in done.stderr.splitlines() if "timestamp.txt" in line]
    assert [line.split("/")[1] for line in told] == ["bytes", "far", "words", "zone"]
    assert "timestamp.txt holds 'yesterday evening', which is no time" in told[2]
    write_feedback(course)
    page = (course.feedback / "words" / f"{LAB}.html").read_text()
    assert "Your work counts as in time." in page


def test_work_that_can_be_nobody_elses_is_taken_where_it_lies(course, put, run_command):
    put(f"flat/{LAB}.ipynb")
    put("flat/data.csv", "1,2")
    put("other_name/homework.ipynb")
    put(f"by_number/lab91/{LAB}.ipynb")
    put(f"by_name/{LAB}_final/mine.ipynb")
    put(f"damaged/{LAB}.ipynb", "{")
    put(f"in_place/{LAB}/{LAB}.ipynb")
    assert places(course) == {
        ("by_name", LAB): f"by_name/{LAB}_final",
        ("by_number", LAB): "by_number/lab91",
        ("damaged", LAB): "damaged",
        ("flat", LAB): "flat",
        ("in_place", LAB): f"in_place/{LAB}",
        ("other_name", LAB): "other_name",
    }
    assert misplaced_work(course) == []
    done = run_command("labkit", "grade", folder=course.root)
    scores = {one.student: one.score for one in read_grades(course)}
    assert scores.pop("damaged") == 0
    assert set(scores.values()) == {7}
    assert len(scores) == 5
    assert f"submitted/flat: graded as flat's {LAB}" in done.stderr
    prepared = course.build / "prepared" / "flat" / LAB
    assert {one.name for one in prepared.iterdir()} == {f"{LAB}.ipynb", "data.csv"}
    assert export_scores(course, out=course.root / "out.csv").notes[1:] == []
    write_feedback(course)
    assert "is cut off" in (course.feedback / "damaged" / f"{LAB}.html").read_text()
    again = run_command("labkit", "grade", folder=course.root)
    assert "6 graded already and unchanged" in again.stdout


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (f"{LAB}.ipynb", f"STUDENT/{LAB}"),
        ("notes.ipynb", "STUDENT/LAB"),
        ("class.zip", "STUDENT/LAB"),
        (f"{LAB}/ann/{LAB}.ipynb", f"ann/{LAB}"),
        (f"{LAB}/ann.ipynb", f"STUDENT/{LAB}"),
        (f"group 1/ann/{LAB}.ipynb", f"STUDENT/{LAB}"),
        (f"group 1/ann/{LAB}/{LAB}.ipynb", f"STUDENT/{LAB}"),
        (f"ann/homework/{LAB}/{LAB}.ipynb", f"STUDENT/{LAB}"),
        ("ann/notes.ipynb", "ann/LAB"),
        ("ann/homework.rar", "ann/LAB"),
    ],
)
def test_what_is_not_clear_is_listed_and_what_is_typed_then_grades_it(
    course, put, solved, run_command, path, target
):
    lies_at = put(path) if LAB in path else put(path, FOREIGN)
    (told,) = misplaced_work(course)
    top = "/".join(path.split("/")[:2])
    assert told.startswith(f"not graded: submitted/{top}, ")
    assert places(course) == {}
    command = told.partition("Type: ")[2]
    assert shlex.quote(f"submitted/{target}") in command
    done = run_command("labkit", "grade", folder=course.root)
    assert told in done.stderr
    # A person fills in what nobody else knows, and types it.
    command = command.replace("STUDENT", "ann").replace("LAB", LAB)
    assert run_command("sh", "-c", command, folder=course.root).returncode == 0
    assert not lies_at.exists()
    assert list(places(course)) == [("ann", LAB)]
    assert misplaced_work(course) == []


def test_work_beside_the_place_of_the_lab_is_listed(course, put):
    put(f"ann/{LAB}/{LAB}.ipynb")
    put(f"ann/{LAB} (1).ipynb")
    put(f"bob/{LAB}.ipynb")
    put(f"bob/lab 91/{LAB}.ipynb")
    assert list(places(course)) == [("ann", LAB)]
    told = misplaced_work(course)
    assert [line.split(",")[0] for line in told] == [
        f"not graded: submitted/ann/{LAB} (1).ipynb",
        f"not graded: submitted/bob/{LAB}.ipynb",
        "not graded: submitted/bob/lab 91",
    ]
    assert all("not the only work for this lab" in line for line in told)


def test_a_name_that_is_not_utf_8_is_listed(course, solved):
    folder = os.path.join(os.fsencode(course.submitted), b"M\xfcller")  # noqa: PTH118
    os.makedirs(folder)  # noqa: PTH103
    Path(os.fsdecode(folder), f"{LAB}.ipynb").write_text(solved)
    assert places(course) == {}
    assert misplaced_work(course) == [
        "not graded: submitted/M?ller, whose name is not UTF-8. Rename it."
    ]


def test_what_is_no_work_is_not_listed(course, put):
    put(f"ann/{LAB}/{LAB}.ipynb")
    put("roster.csv", "name")
    put("ann/photo.png", "")
    put("ann/.ipynb_checkpoints/a.ipynb")
    put("ann/ps1/ps1.ipynb")
    (course.solutions / "ps1").mkdir()  # another assignment of this nbgrader course
    assert misplaced_work(course) == taken_elsewhere(course) == []


def test_a_folder_of_the_lab_that_vanishes_has_its_reason(course, put):
    put(f"ann/{LAB}/{LAB}.ipynb")
    put(f"bob/{LAB}/{LAB}.ipynb")
    first = find_submissions(course)
    shutil.rmtree(course.submitted / "ann" / LAB)
    assert len(first) == 2
    assert {one.student: one.score for one in grade(course)} == {"bob": 7}


def test_a_notebook_of_which_much_has_a_wrong_type_is_graded_and_told(
    course, put, solved
):
    """nbformat itself stops at some of it."""
    notebook = json.loads(solved)
    notebook["nbformat_minor"] = "5"
    notebook["metadata"] = {"kernelspec": ["python3"], "language_info": 3, "title": []}
    words, *_ = (c for c in notebook["cells"] if c["cell_type"] == "markdown")
    words |= {"attachments": ["a.png"], "metadata": [1], "source": {"a": "\ud83d"}}
    notebook["cells"] += ["a cell", {"cell_type": "heading", "source": "\ude00"}, {}]
    put(f"ann/{LAB}/{LAB}.ipynb", json.dumps(notebook))
    assert [(one.score, one.reason) for one in grade(course)] == [(7, "")]
    write_feedback(course)
    page = (course.feedback / "ann" / f"{LAB}.html").read_text()
    for what in ("metadata", "attachments", "the text of a cell", "a cell"):
        assert f"In your file, {what} is not as the notebook format has it." in page
