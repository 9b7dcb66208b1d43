"""A course of any labs: one, two that are no part of ours, in a folder of their own."""

import csv
import re

import pytest

from labkit.authoring.sample_class import write_class
from labkit.course import Course
from labkit.labs.lab import LabError, read_lab
from tests.conftest import ROOT

LAB = "91_tiny"


@pytest.fixture
def two_labs(course):
    """The course with a second lab, a copy of the first under another name."""
    text = (course.solutions / LAB / f"{LAB}.py").read_text()
    other = course.solutions / "07_another" / "07_another.py"
    other.parent.mkdir()
    other.write_text(text.replace("A tiny lab", "Another lab"))
    return course


def header(course, line):
    """Put one more line into the header of the tiny lab."""
    path = course.solutions / LAB / f"{LAB}.py"
    path.write_text(
        path.read_text().replace("#     minutes:", f"{line}\n#     minutes:")
    )
    return path


@pytest.mark.parametrize(
    ("profile", "step"), [("", "Show the solutions"), ("quick", "Run the solutions")]
)
def test_the_demo_of_a_course_with_two_labs(two_labs, run_command, profile, step):
    path = header(two_labs, '#     shows: {table.txt: "Numbers, and what they are."}')
    path.write_text(path.read_text() + '\n# %%\nopen("table.txt", "w").write("1")\n')
    done = run_command("labkit", "demo", folder=two_labs.root, LABKIT_PROFILE=profile)
    assert done.returncode == 0, done.stderr
    folder = two_labs.build / "demo"
    before, after = done.stdout.split("Release the other labs (1)")
    (first,) = re.findall(r"A first page: (\S+)", before)
    assert "07_another" in first and (two_labs.root / first).is_file()
    assert step in after
    page = (folder / "index.html").read_text()
    assert "Numbers, and what they are." in page
    assert "with no data set. Open:" in done.stdout and "Real data" not in page
    for link in re.findall(r'(?:href|src)="([^"]+)"', page):
        assert (folder / link).is_file(), link
    assert f"build/demo/runs/{LAB}/table.txt" in done.stdout
    with (folder / "grades.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    students = {row["student"] for row in rows}
    assert {"perfect", "blank", "half_way", "late", "misses_a_cell"} < students
    assert set(read_lab(path).sample_mistakes) < students
    full = {
        row["lab"]: float(row["score"]) for row in rows if row["student"] == "perfect"
    }
    assert full == {"07_another": 7, LAB: 7}
    start = (folder / "course" / "notebooks" / "start.md").read_text()
    assert "labkit check\n   07_another/07_another.ipynb" in start


def test_a_quick_demo_ends_before_the_first_lab_that_trains(two_labs, run_command):
    header(two_labs, "#     run_seconds: [60, 300]")
    done = run_command("labkit", "demo", "--quick", folder=two_labs.root)
    assert done.returncode == 0, done.stderr
    with (two_labs.build / "demo" / "grades.csv").open(newline="") as stream:
        assert {row["lab"] for row in csv.DictReader(stream)} == {"07_another"}


def test_a_file_that_a_header_promises_and_no_cell_writes(course, run_command):
    header(course, "#     shows: {table.txt: Numbers.}")
    done = run_command("labkit", "demo", folder=course.root)
    assert done.returncode == 2
    assert f"{LAB}.py: its header shows table.txt, and its solution" in done.stderr


@pytest.mark.parametrize(
    "labs", [["01_neuron", "02_convolution"], ["04_mnist_softmax"]]
)
def test_the_sample_class_of_some_of_our_labs(tmp_path, labs):
    (tmp_path / "solutions").mkdir()
    for lab in labs:
        (tmp_path / "solutions" / lab).symlink_to(ROOT / "solutions" / lab)
    found = write_class(Course.at(tmp_path), ROOT / "notebooks")
    assert {"perfect", "late", "misses_a_cell"} < set(found)
    handed_in = {lab for _, lab in Course.at(tmp_path).submissions()}
    assert handed_in == set(labs)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("#     show: {a.txt: A.}", "unknown field 'show'; do you mean shows?"),
        ("#     shows: a.txt", "expected files with captions"),
        ("#     sample_mistakes: [nobody]", "sample_mistakes names 'nobody'"),
        ('#     grading_seconds: "ten"', "grading_seconds: 'ten'; expected a number"),
    ],
)
def test_a_wrong_header_is_refused(course, line, said):
    with pytest.raises(LabError, match=re.escape(said)):
        read_lab(header(course, line))
