"""The report on a class: real grading of the tiny lab, then what the instructor sees."""

import copy
import io
import re
from datetime import datetime
from html.parser import HTMLParser

import nbformat
import pytest
from nbgrader.api import Gradebook
from rich.console import Console

from labkit.authoring.release import release
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.grading.engine import grade
from labkit.grading.results.class_report import class_report, judged_cells
from labkit.grading.results.report_page import summary_tables, write_report
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import read_lab
from tests.conftest import make_course

LAB = "91_tiny"
ADDS = "You added 2 where you should multiply by it."


@pytest.fixture(scope="module")
def graded(tmp_path_factory, environment) -> Course:
    """Seven students: two right, two who add, one late and blank, two that cannot be read."""
    course = make_course(tmp_path_factory.mktemp("class"))
    release(course)
    blank = nbformat.read(course.notebooks / LAB / f"{LAB}.ipynb", as_version=4)
    lab = read_lab(course.solutions / LAB / f"{LAB}.py")
    solved = solve(blank, lab)
    adds = mistake(solved, lab, "double", "adds_two")
    guesses = copy.deepcopy(solved)
    next(c for c in guesses.cells if c.id == "half_of_ten").source = "half_of_ten = 6"
    for student, notebook in {
        "right": solved,
        "guesses": guesses,
        "adds": adds,
        "adds_too": adds,
        "blank": blank,
    }.items():
        folder = course.submitted / student / LAB
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{LAB}.ipynb")
    late = course.submitted / "blank" / LAB / "timestamp.txt"
    late.write_text("2030-01-02 12:00:00 UTC")
    for student in ("<i>torn", "nothing"):
        (course.submitted / student / LAB).mkdir(parents=True)
    torn = course.submitted / "<i>torn" / LAB / f"{LAB}.ipynb"
    torn.write_text('{"cells": [')
    with Gradebook(course.gradebook_url) as gradebook:
        gradebook.update_or_create_assignment(LAB, duedate=datetime(2030, 1, 1))
    grade(course)
    return course


@pytest.fixture(scope="module")
def report(graded):
    return class_report(graded)


@pytest.fixture(scope="module")
def page_path(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(report, path)
    return path


@pytest.fixture
def page(page_path):
    return page_path.read_text("utf-8")


def test_it_counts_what_was_handed_in(report):
    (lab,) = report.labs
    assert (lab.handed_in, len(lab.scores), lab.late, lab.waiting) == (7, 5, 1, 4)
    assert sorted(lab.scores) == [0, 4.75, 4.75, 6, 7]
    assert lab.quartiles() == (4.75, 4.75, 6)
    assert lab.histogram() == [1, 0, 0, 0, 0, 2, 1, 1, 0, 0]
    assert sum(lab.histogram()) == report.graded == 5


def test_what_could_not_be_graded_has_its_reason(report):
    reasons = {one.student: one.reason for one in report.labs[0].ungraded}
    assert set(reasons) == {"<i>torn", "nothing"}
    assert "There is no notebook" in reasons["nothing"]
    assert "91_tiny.ipynb is cut off" in reasons["<i>torn"]


def test_the_exercise_that_cost_most_comes_first(report):
    first = report.exercises[0]
    # Two who add keep a quarter of 3 points, and the blank one has none.
    assert (first.title, first.lost) == ("double", 2.25 + 2.25 + 3)
    assert (first.right, first.partly, first.wrong, first.not_tried) == (2, 2, 0, 1)
    assert first.lost_share == pytest.approx(7.5 / 15)
    assert [one.lost for one in report.exercises] == sorted(
        (one.lost for one in report.exercises), reverse=True
    )


def test_exercises_of_a_lab_stand_as_in_the_notebook(report):
    titles = [one.title for one in report.labs[0].exercises]
    assert titles == ["double", "half_of_ten", "noisy", "plain", "why (in words)"]


def test_wrong_is_not_the_same_as_not_tried(report):
    half = next(one for one in report.exercises if one.title == "half_of_ten")
    assert (half.right, half.wrong, half.not_tried) == (3, 1, 1)
    words = next(one for one in report.exercises if one.title == "why (in words)")
    assert (words.waiting, words.not_tried, words.lost) == (4, 1, 2)


def test_checks_and_hints_are_counted_by_submission(report):
    first = report.checks[0]
    assert (first.name, first.failed, first.judged) == ("an array", 3, 5)
    assert any(one.hidden and one.name == "a table" for one in report.checks)
    assert [(one.text, one.given) for one in report.hints] == [(ADDS, 2)]


def test_each_notebook_is_read_once(graded, monkeypatch):
    read = []

    def counted(path):
        read.append(path)
        return judged_cells(path)

    monkeypatch.setattr("labkit.grading.results.class_report.judged_cells", counted)
    class_report(graded)
    assert len(read) == len(set(read)) == 5


def test_the_terminal_tables_hold_the_same(report):
    console = Console(width=200, record=True, file=io.StringIO())
    for table in summary_tables(report):
        console.print(table)
    text = console.export_text()
    assert [table.title for table in summary_tables(report)] == [
        "Scores",
        "Checks most failed",
        "Hints most given",
    ]
    assert "█" in text
    assert "3 of 5" in text
    assert ADDS in text


class Outline(HTMLParser):
    """What a reader's software sees of a page: headings, pictures, tables, addresses."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.headings, self.pictures, self.addresses = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append((tag, attributes))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "img":
            self.pictures.append(attributes)
        self.addresses += [attributes[k] for k in ("src", "href") if k in attributes]


def test_the_page_needs_no_other_and_can_be_read_aloud(page):
    outline = Outline(page)
    assert all(address.startswith(("data:", "#")) for address in outline.addresses)
    assert not {"script", "link"} & {tag for tag, _ in outline.tags}
    steps = zip(outline.headings, outline.headings[1:], strict=False)
    assert outline.headings[0] == 1
    assert all(after - before <= 1 for before, after in steps)
    assert len(outline.pictures) == 2
    assert all(len(picture["alt"]) > 40 for picture in outline.pictures)
    tables = sum(tag == "table" for tag, _ in outline.tags)
    assert tables == sum(tag == "caption" for tag, _ in outline.tags) > 0
    assert all("scope" in attributes for tag, attributes in outline.tags if tag == "th")


def test_the_page_passes_axe_and_fits_a_phone(page_path, assert_accessible):
    assert_accessible(page_path)


def test_the_page_names_what_was_not_understood(page):
    assert page.index("double") < page.index("half_<wbr>of_<wbr>ten")
    assert ADDS in page
    assert "(hidden)" in page
    assert "91_tiny.ipynb is cut off" in page
    # A folder's name is a student's text.
    assert "&lt;i&gt;torn" in page
    assert "<i>torn" not in page


def test_without_grades_it_says_what_to_type(course, tmp_path):
    with pytest.raises(LabkitError, match="Type: labkit grade"):
        class_report(course)
    with Gradebook(course.gradebook_url):
        pass
    write_report(class_report(course), tmp_path / "report.html")
    assert "Nothing is graded yet" in (tmp_path / "report.html").read_text()


def test_labkit_report_writes_the_page_and_prints_the_tables(graded, run_command):
    done = run_command("labkit", "report", folder=graded.root)
    assert done.returncode == 0, done.stderr
    assert "Checks most failed" in done.stdout
    assert (graded.build / "report.html").is_file()
