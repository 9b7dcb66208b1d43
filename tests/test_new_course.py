"""A course from nothing: `labkit init` and `labkit new`, the real gate, the real grader."""

import re
import shlex
import shutil
from pathlib import Path

import nbformat
import pytest

from labkit.authoring.new import init_course, new_lab
from labkit.authoring.release import release
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.grading import engine
from labkit.grading.engine import read_grades
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import read_lab
from tests.conftest import ROOT
from tests.test_docs import tokens

LAB = "01_sample"


@pytest.fixture(scope="session")
def begun(environment, tmp_path_factory) -> Course:
    """A course of one's own, released: made once, to be copied, never changed."""
    root = tmp_path_factory.mktemp("begun") / "my_course"
    init_course(root)
    release(Course.at(root))
    return Course.at(root)


@pytest.fixture
def my_course(begun, tmp_path) -> Course:
    shutil.copytree(begun.root, tmp_path / "my_course")
    return Course.at(tmp_path / "my_course")


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_new_course_has_its_settings_and_one_lab(tmp_path, run_command, monkeypatch):
    monkeypatch.delenv("LABKIT_SEED")
    done = run_command("labkit", "init", "my course", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    root = tmp_path / "my course"
    found = {str(path.relative_to(root)) for path in everything(root)}
    lab = f"solutions/{LAB}/{LAB}.py"
    binder = ".binder/requirements.txt"
    assert found == {".gitignore", binder, "nbgrader_config.py", "course.toml", lab}
    assert (root / binder).read_text() == "cnn-labkit[train]\n"
    assert f"cd 'my course', then: labkit release {LAB}" in done.stdout
    text = (root / "course.toml").read_text()
    assert "# [limits]" in text and "# [kaggle]" in text
    other = init_course(tmp_path / "another")[1].read_text()
    assert len(Course.at(root).seed) == 32 and text != other


def test_what_is_a_student_s_or_secret_stays_out_of_a_repository(tmp_path, run_command):
    """Here as in a course of one's own."""
    init_course(tmp_path / "mine")
    run_command("git", "init", folder=tmp_path / "mine")
    names = (
        *("grades.csv", "canvas.csv", "canvas-unmatched.csv", "moodle.csv"),
        *("participants.csv", "truth.csv", "names.csv", "gradebook.db", "course.toml"),
        *("submitted/eve/01_sample/01_sample.ipynb", "build/report.html"),
        *("autograded/eve/a.ipynb", "feedback/eve/a.html", "exchange/a/b.ipynb"),
        *("work/01_sample/01_sample.ipynb", "solutions/01_sample/01_sample.ipynb"),
    )
    for folder in (tmp_path / "mine", ROOT):
        done = run_command("git", "check-ignore", "--no-index", *names, folder=folder)
        assert done.stdout.split() == list(names)


def test_its_configuration_is_ours():
    template = ROOT / "labkit" / "templates" / "nbgrader_config.txt"
    assert template.read_text() == (ROOT / "nbgrader_config.py").read_text()


def test_the_lab_is_graded_and_each_mistake_gets_its_hint(my_course, run_command):
    lab = read_lab(my_course.lab(LAB))
    blank = nbformat.read(my_course.released(LAB), as_version=4)
    solved = solve(blank, lab)
    handed_in = {"blank": blank, "solved": solved} | {
        name: mistake(solved, lab, exercise, name)
        for name, exercise in lab.mistakes.items()
    }
    assert len(lab.mistakes) >= 3
    for student, notebook in handed_in.items():
        folder = my_course.submission(student, LAB)
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{LAB}.ipynb")
    engine.grade(my_course)
    scores = {one.student: one.score for one in read_grades(my_course)}
    # The other two points are for the answer in words.
    assert scores.pop("solved") == 2 and scores.pop("blank") == 0
    assert max(scores.values()) < 2
    done = run_command("labkit", "feedback", folder=my_course.root)
    assert done.returncode == 0, done.stderr
    page = (my_course.feedback / "forgets_the_smallest" / f"{LAB}.html").read_text()
    assert "What does that do to the darkest pixel?" in page


def test_no_mutant_of_the_lab_gets_full_marks(my_course, run_command):
    done = run_command("labkit", "try", folder=my_course.root)
    assert "mutants, 0 get full marks" in done.stdout


def test_a_new_lab_takes_the_next_number_and_passes_the_gate(my_course, run_command):
    (my_course.solutions / "09_left").mkdir()
    done = run_command("labkit", "new", "edges_found", folder=my_course.solutions)
    assert done.returncode == 0, done.stderr
    assert "labkit release 10_edges_found" in done.stdout
    text = my_course.lab("10_edges_found").read_text()
    assert 'title: "10 · Edges found"' in text and "@" not in re.sub(" @ ", "", text)
    done = run_command("labkit", "release", "10", folder=my_course.root)
    assert done.returncode == 0, done.stderr
    assert my_course.released("10_edges_found").is_file()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sample", r"01_sample is there already.*labkit new sample_2"),
        ("Sample", r"01_sample is there already.*labkit new Sample_2"),
        ("02_edges", r"'02_edges' is no name for a lab.*labkit new edges"),
        ("my edges", r"'my edges' is no name for a lab.*labkit new my_edges"),
        ("../out", r"is no name for a lab.*labkit new out"),
        ("ü", r"is no name for a lab.*labkit new my_lab"),
        ("", r"is no name for a lab.*labkit new my_lab"),
    ],
)
def test_a_name_that_cannot_be_is_refused(my_course, name, said):
    before = everything(my_course.root)
    with pytest.raises(LabkitError, match=said):
        new_lab(my_course, name)
    assert everything(my_course.root) == before


def test_a_lab_needs_a_course(tmp_path, run_command):
    done = run_command("labkit", "new", "edges", folder=tmp_path)
    assert done.returncode == 2 and list(tmp_path.iterdir()) == []
    assert "No course here" in done.stderr and "labkit init my_course" in done.stderr


def test_a_course_begins_in_an_empty_folder(my_course, tmp_path, run_command):
    before = everything(tmp_path)
    done = run_command("labkit", "init", "my_course", folder=tmp_path)
    assert done.returncode == 2 and everything(tmp_path) == before
    assert "my_course is not empty" in done.stderr
    assert f"labkit init {Path('my_course', 'my_course')}" in done.stderr
    done = run_command("labkit", "init", "course.toml", folder=my_course.root)
    assert done.returncode == 2 and "course.toml is a file" in done.stderr


def first_lab_steps() -> list[str]:
    """The commands of "your first lab" in docs/authoring.md, in order."""
    found = tokens(ROOT / "docs" / "authoring.md")
    begin = next(
        i for i, token in enumerate(found) if token.content == "Your first lab"
    )
    steps = []
    for token in found[begin + 1 :]:
        if token.type == "heading_open" and token.tag == "h2":
            break
        if token.type in ("code_block", "fence"):
            steps += token.content.splitlines()
    return steps


def test_the_steps_of_the_first_lab_are_as_the_page_says(tmp_path, run_command):
    """Each as it stands there, in order. Only the blank lab's check is to fail."""
    folder, failed, done = tmp_path, [], []
    for step in first_lab_steps():
        words = shlex.split(step, comments=True)
        done.append(words[:2])
        if words[0] == "cd":
            folder = folder / words[1]
            continue
        ran = run_command(*words, folder=folder)
        failed += [step] if ran.returncode else []
        if words[:2] == ["labkit", "new"]:  # step 3 changes it
            (text,) = folder.glob("solutions/02_*/*.py")
            changed = text.read_text().replace("taken in fog", "taken through steam")
            text.write_text(changed)
    assert failed == ["labkit check notebooks/02_edges/02_edges.ipynb"]
    wanted = ("init", "new", "run", "release", "try", "check", "demo")
    assert [["labkit", name] for name in wanted if ["labkit", name] not in done] == []
    released = (folder / "notebooks" / "02_edges" / "02_edges.ipynb").read_text()
    assert "taken through steam" in released
    assert (folder / "build" / "demo" / "index.html").is_file()
