"""The course from end to end on the stand-ins: what `make demo` leaves behind."""

import csv
import html
import json
import re
import shutil
import subprocess

import nbformat
import pytest

from labkit.authoring.release import _install
from labkit.course import Course
from labkit.execution.job import cached_run_path
from labkit.grading.engine import Options, grade
from labkit.labs.lab import find_labs, read_lab
from labkit.labs.reference_run import run_duration
from labkit.sandbox.processes import KNOWN
from tests.busy import crowded_core
from tests.conftest import BIN, ROOT

LABS = [path.stem for path in find_labs(ROOT / "solutions")]
# The lab that is graded once more, beside other work.
BESIDE = "01_neuron"
# A bound on a hang, not on the speed: on a CPU with AVX2 only it takes several times as long.
pytestmark = pytest.mark.timeout(5400)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The folder of one demo, and what the command printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [BIN / "labkit", "demo", "--out", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder, done.stdout


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_it_names_files_that_are_there(demo):
    named = demo[1].split("Open:")[1].split()
    labs = [read_lab(path) for path in find_labs(ROOT / "solutions")]
    shown = {name for lab in labs for name in lab.shows}
    assert {"submission.csv", "confusion_matrix.png", "three_curves.png"} <= shown
    assert {name.rstrip("/").split("/")[-1] for name in named} == {
        *("index.html", "grades.csv", "feedback"),
        *shown,
    }
    for name in named:
        assert (ROOT / name).exists(), name


def test_the_sample_class_gets_the_scores_it_earned(demo):
    found = {
        (row["student"], row["lab"]): (row["score"], row["max_score"])
        for row in rows(demo[0] / "grades.csv")
    }
    expected = {
        (row["student"], row["lab"]): (row["score"], row["max_score"])
        for row in rows(ROOT / "tests" / "sample_class.csv")
    }
    assert found == expected


def test_every_submission_has_its_feedback(demo):
    folder, _ = demo
    for row in rows(folder / "grades.csv"):
        page = (folder / "feedback" / row["student"] / f"{row['lab']}.html").read_text()
        assert f"of {row['max_score']} points" in page
        assert "BEGIN HIDDEN" not in page


def test_a_mistaken_student_reads_the_hint(demo):
    from labkit.labs.cells import mistake_functions
    from labkit.labs.lab import read_lab

    made = [
        (read_lab(path), name)
        for path in find_labs(ROOT / "solutions")
        for name in read_lab(path).sample_mistakes
    ]
    assert len(made) >= 8
    for lab, name in made:
        cells = lab.cells("mistakes")
        hint = next(
            hints[name]
            for cell in cells
            if name in (hints := dict(mistake_functions(cell)))
        )
        page = (demo[0] / "feedback" / name / f"{lab.name}.html").read_text()
        text = html.unescape(re.sub(r"</?code>", "", page))
        assert hint.replace("`", "") in text, (lab.name, name)


def test_the_solutions_run_without_a_warning_and_every_check_passes(demo):
    for lab in LABS:
        notebook = nbformat.read(demo[0] / "runs" / lab / f"{lab}.ipynb", as_version=4)
        outputs = [
            output for cell in notebook.cells for output in cell.get("outputs", [])
        ]
        assert [o for o in outputs if o.output_type == "error"] == []
        assert [
            o.text for o in outputs if o.output_type == "stream" and o.name == "stderr"
        ] == []
        lines = [
            o.data.get("text/plain", "")
            for o in outputs
            if o.output_type == "display_data"
        ]
        assert any(line.startswith("✓") for line in lines)
        assert [line for line in lines if line.startswith("✗")] == []


def test_the_submission_is_one_that_kaggle_accepts(demo, monkeypatch):
    from labkit import data, kaggle

    monkeypatch.setenv("LABKIT_PROFILE", "grading")
    faces = data.load("faces")
    report = kaggle.check(
        demo[0] / "runs" / "06_simpsons_kaggle" / "submission.csv",
        faces.sample_submission,
    )
    assert report.ok, str(report)


def test_the_page_shows_everything_and_says_which_data(demo):
    folder, _ = demo
    page = (folder / "index.html").read_text()
    assert "Stand-in data." in page and "trained for seconds only" in page
    assert "on stand-in data, trained for seconds." in demo[1]
    for link in re.findall(r'(?:href|src)="([^"]+)"', page):
        assert (folder / link).is_file(), link
    for lab in LABS[3:]:
        facts = json.loads((folder / "runs" / lab / "scores.json").read_text())
        assert facts["stand_in"] is True
        assert facts["data"] in page.replace("&#39;", "'").replace("&amp;", "&")


def test_the_released_notebooks_are_what_the_solutions_give(demo):
    made, released = demo[0] / "course" / "notebooks", ROOT / "notebooks"
    assert sorted(one.name for one in made.iterdir()) == sorted(
        one.name for one in released.iterdir() if not one.name.startswith(".")
    )
    for one in made.iterdir():
        if one.is_dir():
            assert _install(one, released / one.name, dry=True) == []
        else:
            assert one.read_bytes() == (released / one.name).read_bytes()


@pytest.mark.skipif(not KNOWN, reason="needs /proc, to tell computing from waiting")
def test_a_busy_machine_takes_no_marks(demo, tmp_path):
    """A light lab, with limits that the clock would exceed there.

    (All labs beside eight busy processes: `benchmarks/grading.py --busy 8`.)
    """
    shutil.copytree(ROOT / "solutions", tmp_path / "solutions")
    limits = "[limits]\ncell_seconds = 1\nsubmission_seconds = 1\n"
    (tmp_path / "course.toml").write_text(limits)
    place = demo[0] / "course"
    course = Course(place, tmp_path / "solutions", place / "notebooks", ROOT / "build")
    options = Options(jobs=1, force=True)
    # Once before: what kernels are forked from begins alone, which is not the point.
    grade(course, [BESIDE], ["perfect"], options)
    with crowded_core(8):
        grades = grade(course, [BESIDE], ["perfect"], options)
    assert {one.lab: one.score for one in grades} == {
        row["lab"]: float(row["score"])
        for row in rows(ROOT / "tests" / "sample_class.csv")
        if row["student"] == "perfect" and row["lab"] == BESIDE
    }
    path = cached_run_path(course.build, "perfect", BESIDE, BESIDE)
    assert run_duration(nbformat.read(path, as_version=4)) > 1  # on the clock
