"""A course folder made with version 0.1: it is graded on, by labkit and by nbgrader."""

import json
import shutil

import nbformat
import pytest
from nbgrader.api import Gradebook

from labkit.course import Course
from labkit.grading.engine import read_grades
from labkit.grading.gradebook.api import generate_assignment
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from labkit.labs.reference_run import references_path
from labkit.labs.source import source_notebook

LAB = "91_tiny"
CONFIG = """\
from pathlib import Path

from labkit.course import Course
from labkit.grading.nbgrader_parts import configure, write_sources

c = get_config()
course = Course.at(Path(__file__).parent)
write_sources(course)
configure(c, course)
"""
SETTINGS = 'seed = "the seed of a former course"\n'
BY_CHECKS, BY_HAND = 7, 1.5


def hand_in(course, student):
    lab = read_lab(course.lab(LAB))
    blank = nbformat.read(course.released(LAB), as_version=4)
    folder = course.submission(student, LAB)
    folder.mkdir(parents=True)
    nbformat.write(solve(blank, lab), folder / f"{LAB}.ipynb")


@pytest.fixture(scope="module")
def former(released_once, tmp_path_factory):
    """A course as version 0.1 left it: one student graded, and scored by a person."""
    root = tmp_path_factory.mktemp("former")
    shutil.copytree(released_once.root, root, dirs_exist_ok=True)
    course = Course.at(root)
    generate_assignment(course, LAB)
    hand_in(course, "ada")
    shutil.rmtree(course.build)
    (root / "nbgrader_config.py").write_text(CONFIG)
    course.settings_file.write_text(SETTINGS)
    source = nbformat.writes(source_notebook(read_lab(course.lab(LAB))))
    course.lab(LAB).with_suffix(".ipynb").write_text(source)
    references = references_path(course.lab(LAB), course.build)
    references.parent.mkdir(parents=True)
    check = {"name": "a number", "hidden": False, "value": None, "drawn": False}
    kept = {"lab": LAB, "key": "0-0", "cells": {"check-double": [check]}, "seconds": 1}
    references.write_text(json.dumps(kept))
    with Gradebook(course.gradebook_url) as gradebook:
        gradebook.add_student("ada")
        gradebook.add_submission(LAB, "ada")
        grade = gradebook.find_grade("manual-why", LAB, LAB, "ada")
        grade.manual_score, grade.needs_manual_grade = BY_HAND, False
        gradebook.db.commit()
    return course


@pytest.fixture
def course(former, tmp_path, monkeypatch):
    """A copy of that course, which has its seed from course.toml."""
    monkeypatch.delenv("LABKIT_SEED")
    shutil.copytree(former.root, tmp_path, dirs_exist_ok=True)
    return Course.at(tmp_path)


def scores(course):
    return {one.student: one.score for one in read_grades(course)}


def by_hand(course):
    with Gradebook(course.gradebook_url) as gradebook:
        return gradebook.find_grade("manual-why", LAB, LAB, "ada").manual_score


def test_labkit_grades_on(course, run_command):
    hand_in(course, "bob")
    assert scores(course) == {"ada": BY_HAND}
    done = run_command("labkit", "grade", folder=course.root)
    assert done.returncode == 0, done.stderr
    assert by_hand(course) == BY_HAND
    assert scores(course) == {"ada": BY_CHECKS + BY_HAND, "bob": BY_CHECKS}
    assert course.settings_file.read_text() == SETTINGS


def test_nbgrader_grades_on(course, run_command):
    hand_in(course, "bob")
    # One of them in a process that has imported nothing of ours before this configuration.
    for words, apart in (
        (["generate_assignment", LAB, "--force"], False),
        (["autograde", LAB], True),
    ):
        done = run_command("nbgrader", *words, folder=course.root, apart=apart)
        assert done.returncode == 0, done.stderr
    assert by_hand(course) == BY_HAND
    assert scores(course) == {"ada": BY_CHECKS + BY_HAND, "bob": BY_CHECKS}
    graded = nbformat.read(course.autograded_notebook("bob", LAB), as_version=4)
    assert any("labkit" in cell.metadata for cell in graded.cells)


def test_a_fault_in_its_settings_stops_nbgrader(course, run_command):
    course.settings_file.write_text("[limit]\ncell_seconds = 9\n")
    words = ("nbgrader", "autograde", LAB)
    done = run_command(*words, folder=course.root, apart=True)
    assert done.returncode != 0
    assert "labkit: " in done.stderr and "Do you mean limits?" in done.stderr
    assert not course.autograded.exists()
