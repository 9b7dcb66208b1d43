"""Folders, students, labs and files with names that mean something elsewhere: in a
pattern, a shell, an address, a page, a terminal, a database."""

import csv
import os
import shlex
import shutil
from pathlib import Path
from urllib.parse import unquote

import nbformat
import pytest
from markdown_it import MarkdownIt

from labkit.course import Course
from labkit.files import write_text
from labkit.grading.engine import read_grades, register
from labkit.grading.gradebook.api import generate_assignment
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from labkit.labs.source import write_source
from labkit.learning.start_page import start_page

LAB = "91_tiny"
ODD = "CNN [2026] (b) {a}*?%41&;#'\"<b>ü"
DECOMPOSED, COMPOSED = "Mu\u0308ller", "M\u00fcller"
STUDENTS = ("*", "[bold]", "a[b]", "x#y?z%41 <i>&", DECOMPOSED)
NOT_UTF_8 = os.fsdecode(b"l\xf6sung.txt")


@pytest.fixture
def odd_course(released_once, tmp_path) -> Course:
    """A released course in a folder of an odd name, handed in by students of odd names."""
    shutil.copytree(released_once.root, tmp_path / ODD)
    course = Course.at(tmp_path / ODD)
    blank = nbformat.read(course.released(LAB), as_version=4)
    solved = solve(blank, read_lab(course.lab(LAB)))
    for student in STUDENTS:
        folder = course.submission(student, LAB)
        folder.mkdir(parents=True)
        nbformat.write(solved, folder / f"{LAB}.ipynb")
    return course


def test_a_course_and_students_of_any_name_are_graded(odd_course, run_command):
    course = odd_course
    beside = course.submission("a[b]", LAB)
    for name in ("da[ta] *?.txt", "ü" * 125, NOT_UTF_8):
        (beside / name).write_text("1")
    words = ["grade", "--student", COMPOSED]
    done = run_command("labkit", *words, folder=course.root)
    assert done.returncode == 0, done.stderr
    assert [one.student for one in read_grades(course)] == [DECOMPOSED]
    done = run_command("labkit", "grade", folder=course.root)
    assert done.returncode == 0, done.stderr
    assert {one.student: one.score for one in read_grades(course)} == dict.fromkeys(
        STUDENTS, 7
    )
    for student in STUDENTS:
        assert f" {student} " in done.stdout
        # The lab's own text, with its solution, comes near no student.
        assert not list((course.autograded / student).rglob("*.py"))
    assert course.gradebook_file == course.root / "gradebook.db"
    assert course.gradebook_file.is_file()
    for command in ("feedback", "export", "report", "similarity"):
        done = run_command("labkit", command, folder=course.root)
        assert done.returncode == 0, done.stderr
    for student in STUDENTS:
        assert (course.feedback / student / f"{LAB}.html").is_file()
    with (course.root / "grades.csv").open(newline="", encoding="utf-8") as stream:
        assert {row["student"] for row in csv.DictReader(stream)} == set(STUDENTS)


def test_nbgraders_own_command_finds_a_course_of_any_name(odd_course, run_command):
    register(odd_course, [odd_course.lab(LAB)], print)
    words = ["nbgrader", "autograde", LAB, "--student=a[b]", "--create"]
    done = run_command(*words, folder=odd_course.root)
    assert done.returncode == 0, done.stderr
    (found,) = read_grades(odd_course)
    assert (found.student, found.score) == ("a[b]", 7)


@pytest.mark.parametrize("name", ["neuron", "07 [x] {y} ü#%41"])
def test_the_text_of_a_lab_of_any_name_stays_here(course, name):
    (course.solutions / LAB).rename(course.solutions / name)
    (course.solutions / name / f"{LAB}.py").rename(course.lab(name))
    write_source(course.lab(name))
    generate_assignment(course, name)
    found = {path.name for path in (course.notebooks / name).iterdir()}
    assert found == {f"{name}.ipynb", "expected.json", "rescues.dat"}


def test_a_student_whose_name_no_gradebook_can_hold_is_told(odd_course, run_command):
    course = odd_course
    course.submission("*", LAB).parent.rename(course.submitted / NOT_UTF_8)
    done = run_command("labkit", "grade", folder=course.root)
    assert done.returncode == 2
    assert "l?sung.txt: the name is not in UTF-8" in done.stderr


def test_a_notebook_of_any_name_is_checked(odd_course, run_command):
    folder = odd_course.released(LAB).parent
    shutil.copy(odd_course.released(LAB), folder / "{a} [b].ipynb")
    words = ["check", "notebooks/91_tiny/{a} [b].ipynb"]
    done = run_command("labkit", *words, folder=odd_course.root)
    assert done.returncode == 1, done.stderr
    assert "hidden checks" in done.stdout


def test_the_start_page_leads_to_labs_of_any_name(course, tmp_path):
    name = "07 (x) [y] #%41 ü"
    place = tmp_path / name / f"{name}.py"
    text = course.lab(LAB).read_text().replace("A tiny lab", "This | that")
    write_text(place, text)
    page = start_page([read_lab(place)])
    tokens = MarkdownIt("commonmark").enable("table").parse(page)
    found = [part for token in tokens for part in token.children or []]
    (link,) = [part.attrs["href"] for part in found if part.type == "link_open"]
    assert unquote(link) == f"{name}/{name}.ipynb"
    assert sum(token.type == "td_open" for token in tokens) == 4
    command = page.partition("`labkit check")[2].partition("`")[0]
    assert shlex.split(command) == [f"{name}/{name}.ipynb"]


def test_what_has_no_bytes_in_utf_8_spoils_no_page(tmp_path):
    write_text(tmp_path / "page.html", f"<p>{NOT_UTF_8}</p>")
    assert Path(tmp_path, "page.html").read_text("utf-8") == "<p>l?sung.txt</p>"
