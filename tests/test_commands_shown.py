"""Every command that the pages and the commands' own help show: run, or said why not."""

import re
import shlex
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from labkit.authoring.new import new_lab
from labkit.authoring.release import release
from labkit.cli import authoring, data, grading, kaggle, learning
from labkit.course import Course
from labkit.grading import engine
from labkit.labs.answers import solve
from labkit.labs.lab import find_labs, read_lab
from labkit.labs.translation import update_translation
from tests.conftest import ROOT
from tests.test_docs import OF_TODAY, code, parts
from tests.test_new_course import first_lab_steps

# What a sentence names of these is asked, too, where it stands with its arguments; what
# it names of labkit is asked by test_docs.py.
IN_SENTENCES = (
    "bump-my-version|conda|dask|docker|git|jupyter|lint-imports|nbgrader|pre-commit|"
    "ruff|source|sudo|uv"
)
PROGRAMS = rf"{IN_SENTENCES}|labkit|make|pip|py|python3?|\.venv[\w-]*[/\\]\S+"
# Blocks hold other things than commands: each line is one or the other.
NO_COMMANDS = (
    r"#.*|",  # a header's lines
    r"[\w./]+/? {2,}\w.*",  # what a folder holds
    r"\w+ = .*",  # a setting
    r"07_mine\.py:.*|if x < 0:.*",  # a mutant, and its mark
    r"cd my_course",  # of the first lab
)
# The labs of the course in which they are run, as the pages name them.
LABS = [path.name for path in sorted((ROOT / "notebooks").glob("*/"))]
# Not run as they stand, and why.
NOT_RUN = {
    r"make (setup|student|demo|test|lab|docs)": "sets up an environment; the tests run in it",
    r"pip (install|wheel) .*": "installs, from the network",
    r"conda .*": "installs, from the network",
    r"uv .*": "makes the lock anew, from the network",
    r"python3? -m (venv|pip) .*": "makes an environment",
    r"source .*": "changes the shell that it is typed in",
    r"py -3\.12 -m venv .*|\.venv\\Scripts\\activate": "is typed on Windows",
    r"sudo .*": "changes the machine",
    r"jupyter lab|\.venv/bin/python -m jupyterlab .*": "ends when its user ends it",
    r"nbgrader (validate|generate_assignment)": "is named there, not typed",
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
    r"python -m build --no-isolation": (
        "test_wheel.py",
        '"-m", "build", "--no-isolation",',
    ),
    r"bump-my-version bump minor": ("test_setup.py", '"bump", "minor", "--dry-run"'),
    r"python \.ci/address\.py owner/name": ("test_setup.py", '".ci/address.py", name]'),
    r"ruff check \.": ("test_setup.py", '[*ruff, "check", "."]'),
    r"ruff format --check": ("test_setup.py", '[*ruff, "format", "--check",'),
    r"lint-imports": ("test_setup.py", '[BIN / "lint-imports", "--no-cache"]'),
    r"nbgrader export": (
        "test_export.py",
        '"nbgrader",\n        "export",',
    ),
    r"nbgrader zip_collect 02_convolution": ("test_nbgrader.py", '"zip_collect", lab'),
    r"labkit kaggle split \S+ --test \S+": (
        "test_kaggle_predict.py",
        '"labkit", "kaggle", "split", "train.zip", "--test", "train.zip"]',
    ),
    r"labkit kaggle predict \S+ \S+ --sample \S+": (
        "test_kaggle_predict.py",
        '"labkit", "kaggle", "predict", "model.keras", "test.zip", "--sample"]',
    ),
    r"labkit kaggle leaderboard": ("test_kaggle_contest.py", "run(*COMMAND)"),
    r"labkit kaggle leaderboard --enter": (
        "test_kaggle_contest.py",
        'run(*COMMAND, "--enter")',
    ),
    r"labkit kaggle leaderboard --pseudonyms names\.csv --out public/": (
        "test_kaggle_contest.py",
        'run(*COMMAND, "--pseudonyms", "names.csv", "--out", "public/")',
    ),
    r"labkit kaggle report": ("test_kaggle_contest.py", 'run("kaggle", "report")'),
    r"labkit kaggle report \S*run\.npz": (
        "test_kaggle_contest.py",
        'run("kaggle", "report", "run.npz")',
    ),
    r"labkit export --format canvas --roster \S+": (
        "test_export.py",
        '"labkit", "export", "--format", "canvas", "--roster", "roster.csv"]',
    ),
}
BLOCKS = [
    (page, line)
    for page in OF_TODAY
    for line in code(page, "code_block", "fence", languages=("",))
]


def is_command(line: str) -> bool:
    return bool(re.match(rf"\s*([A-Z_]+=\S+ )*({PROGRAMS}) ", f"{line} "))


def in_labs() -> list[str]:
    """What the labs' own texts show as code."""
    texts = [
        cell.source
        for path in find_labs(ROOT / "solutions")
        for cell in read_lab(path).script.cells
        if cell.cell_type == "markdown"
    ]
    return [
        line
        for text in texts
        for part in parts(text)
        if part.type in ("code_inline", "code_block", "fence")
        for line in part.content.splitlines()
    ]


def shown() -> list[str]:
    """Each command, without its remark, once; those of the first lab are run there."""
    apps = [room.app for room in (learning, grading, authoring, data, kaggle)]
    found = [line for _, line in BLOCKS if is_command(line)]
    for page in OF_TODAY:
        for words in code(page, "code_inline"):
            alone = words == "lint-imports"
            if alone or re.match(rf"({IN_SENTENCES}) ", words):
                found.append(words)
    found += [words for words in in_labs() if is_command(words)]
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


def write_competition(folder: Path) -> None:
    """The files that the pages name: pictures, a submission, entries, the truth."""
    rows = "".join(f"{i},{'homer' if i % 2 else 'lisa'}\n" for i in range(1, 21))
    for name in ("submission", "sampleSubmission", "truth", "entries/alice/submission"):
        path = folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"id,character\n{rows}")
    rng = np.random.default_rng(0)
    for character in ("homer", "lisa"):
        (folder / "train" / character).mkdir(parents=True)
        for number in range(20):
            picture = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
            place = folder / "train" / character / f"{number}.png"
            Image.fromarray(picture).save(place)


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
    update_translation(read_lab(course.lab(LABS[0])), "de")
    write_competition(root)
    with course.settings_file.open("a") as settings:
        settings.write(f'\n[kaggle]\nlab = "{LABS[5]}"\n')
    people = "alice,a@example.org\nbob,b@example.org\n"
    (root / "participants.csv").write_text(f"Username,Email address\n{people}")
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
    ours = words[0] in ("git", "python")  # they look at this folder
    folder = ROOT if ours else graded.root
    if (words[:2] == ["labkit", "check"]) and not (folder / words[2]).exists():
        folder = graded.notebooks
    done = run_command(*words, folder=folder)
    # A blank notebook passes no check, and that is what the code says.
    blank = words[1] == "check" and "0 of" in done.stdout
    assert done.returncode == (1 if blank else 0), done.stdout + done.stderr


def test_each_line_of_a_block_is_a_command_or_is_known_to_be_none():
    """So that no command is left out because nobody thought of its program."""
    unknown = [
        f"{page.name}: {line}"
        for page, line in BLOCKS
        if not is_command(line)
        and not any(re.fullmatch(one, line.strip()) for one in NO_COMMANDS)
    ]
    assert unknown == []


def test_the_ways_of_each_flow_are_run():
    wanted = {"labkit grade", "labkit report", "labkit doctor", "labkit release 02"}
    assert wanted <= set(TO_RUN)


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_what_is_run_elsewhere_stands_there(pattern):
    name, words = ELSEWHERE[pattern]
    assert words in Path(ROOT, "tests", name).read_text("utf-8")


@pytest.mark.parametrize("table", [NOT_RUN, ELSEWHERE], ids=["not run", "elsewhere"])
def test_no_reason_is_left_for_what_is_shown_no_more(table):
    left = [
        pattern
        for pattern in table
        if not any(matching(line, {pattern: True}) for line in COMMANDS)
    ]
    assert left == []
