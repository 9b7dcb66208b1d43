"""Every command that the pages and the commands' own help show: run, or said why not."""

import re
import shlex
import shutil
from pathlib import Path

import nbformat
import pytest

from labkit.authoring.new import new_lab
from labkit.authoring.release import release
from labkit.cli import authoring, data, grading, kaggle, learning
from labkit.course import Course
from labkit.grading import engine
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab
from tests.conftest import ROOT
from tests.test_docs import OF_TODAY, code
from tests.test_new_course import first_lab_steps

PROGRAMS = "labkit|python3?|pip|make|nbgrader|jupyter|dask|uv|git|pre-commit|docker"
# The labs of the course in which they are run, as the pages name them.
LABS = [path.name for path in sorted((ROOT / "notebooks").glob("*/"))]
# Not run as they stand, and why.
NOT_RUN = {
    r"make (setup|student|demo|test|lab|docs)": "sets up an environment; the tests run in it",
    r"pip(x)? (install|wheel) .*|pip install .*": "installs, from the network",
    r"uv .*": "makes the lock anew, from the network",
    r"python3? -m (venv|pip) .*": "makes an environment",
    r"pre-commit install": "changes the repository's hooks",
    r"docker .*": "needs Docker",
    r"dask (scheduler|worker).*": "ends when its user ends it",
    r"python benchmarks/.*": "measures for minutes; what it gave is in the pages",
    r"labkit .*LABKIT_DATA.*": "needs the real data sets",
    r"labkit data fetch .*|labkit data fetch": "needs the network",
    r"labkit data verify.*": "needs the real data sets",
    r"labkit kaggle submit .*": "needs an account at Kaggle",
    r"labkit kernel install --gpu.*": "needs a GPU",
    r"labkit lab.*": "ends when its user ends it",
    r"labkit study .*": "trains for hours",
    r"labkit grade .*--cluster .*": "needs a scheduler",
    r"labkit demo.*": "runs all labs",
    r"labkit release .*--watch.*": "ends when its user ends it",
}
# Run by another test with files of its own: the words that stand there.
ELSEWHERE = {
    r"labkit release .*--lang .*": ("test_translation.py", 'language="de"'),
    r"python -m build .*": ("test_wheel.py", "build"),
    r"python -m pytest .*": ("test_compare.py", "def test_"),
    r"labkit kaggle check .*": ("test_kaggle_predict.py", '"kaggle", "check"'),
    r"labkit kaggle split .*": ("test_kaggle_predict.py", '"kaggle", "split"'),
    r"labkit kaggle predict .*": ("test_kaggle_predict.py", '"kaggle", "predict"'),
    r"labkit kaggle score .*": ("test_kaggle.py", "kaggle"),
    r"labkit kaggle leaderboard.*": ("test_kaggle_contest.py", '"leaderboard"'),
    r"labkit kaggle report.*": ("test_kaggle.py", "report"),
    r"labkit export .*--roster .*": ("test_export.py", '"--roster"'),
}


def shown() -> list[str]:
    """Each command, without its remark, once; those of the first lab are run there."""
    apps = [room.app for room in (learning, grading, authoring, data, kaggle)]
    found = [
        line
        for page in OF_TODAY
        for line in code(page, "code_block", "fence")
        if re.match(rf"\s*([A-Z_]+=\S+ )*({PROGRAMS}) ", f"{line} ")
        and "-->" not in line
        and "labkit/ " not in line
    ]
    for room in [*apps, learning.kernel_app]:
        for command in room.registered_commands:
            found += re.findall(r"\[cyan\](.*?)\[/\]", command.epilog or "")
    plain = {" ".join(re.sub(r"\s#.*", "", line).split()) for line in found}
    return sorted(plain - set(first_lab_steps()))


def matching(line: str, table: dict) -> object:
    variables = re.match(r"((?:[A-Z_]+=\S+ )*)(.*)", line)
    said = " ".join(filter(None, [variables[2], variables[1].strip()]))
    return next((v for k, v in table.items() if re.fullmatch(k, said)), None)


COMMANDS = shown()
TO_RUN = [
    line
    for line in COMMANDS
    if not matching(line, NOT_RUN) and not matching(line, ELSEWHERE)
]


@pytest.fixture(scope="module")
def graded(environment, tmp_path_factory) -> Course:
    """A course of small labs under the names of ours, one of them handed in."""
    root = tmp_path_factory.mktemp("shown")
    shutil.copy(ROOT / "nbgrader_config.py", root)
    (root / "solutions").mkdir()
    course = Course.at(root)
    small = new_lab(course, "small")
    for lab in LABS:
        course.lab(lab).parent.mkdir()
        shutil.copy(small, course.lab(lab))
    shutil.rmtree(small.parent)
    release(course)
    shutil.copytree(course.notebooks, root / "work")
    lab = "02_convolution"
    solved = solve(
        nbformat.read(course.released(lab), as_version=4), read_lab(course.lab(lab))
    )
    for student in ("alice", "bob"):
        place = course.submission(student, lab)
        place.mkdir(parents=True)
        nbformat.write(solved, place / f"{lab}.ipynb")
    engine.grade(course)
    return course


@pytest.mark.parametrize("line", TO_RUN)
def test_a_command_does_what_it_is_shown_for(graded, run_command, line):
    words = shlex.split(line.replace("<lab>", LABS[0]))
    folder = graded.root
    if (words[:2] == ["labkit", "check"]) and not (folder / words[2]).exists():
        folder = graded.notebooks
    done = run_command(*words, folder=folder)
    # A blank notebook passes no check, and that is what the code says.
    blank = words[1] == "check" and "0 of" in done.stdout
    assert done.returncode == (1 if blank else 0), done.stdout + done.stderr


def test_the_ways_of_each_flow_are_run():
    wanted = {"labkit grade", "labkit report", "labkit doctor", "labkit release 02"}
    assert wanted <= set(TO_RUN)


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_what_is_run_elsewhere_stands_there(pattern):
    name, words = ELSEWHERE[pattern]
    assert words in Path(ROOT, "tests", name).read_text("utf-8")


@pytest.mark.parametrize("table", [NOT_RUN, ELSEWHERE], ids=["not run", "elsewhere"])
def test_no_reason_is_left_for_what_is_shown_no_more(table):
    keep = {"docker .*", "labkit release --watch.*"}
    left = [
        pattern
        for pattern in set(table) - keep
        if not any(matching(line, {pattern: True}) for line in COMMANDS)
    ]
    assert left == []
