"""What somebody installs: the built wheel, in an environment of its own for each extra.

The environments are made without a network, of hard links to what is installed here: of
those distributions, and of no others, that the wheel and its extra ask for. pip installs
the wheel in the first of them; the others get links to those files.
"""

import email
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections import defaultdict
from functools import cache
from pathlib import Path

import nbformat
import pytest
from packaging.requirements import Requirement

from labkit.authoring.release import release
from labkit.labs.answers import solve
from labkit.labs.lab import find_labs, read_lab
from tests.conftest import ROOT, make_course

NAME = "cnn-labkit"
WINDOWS = os.name == "nt"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> dict[str, Path]:
    """The sdist, and the wheel that is built from it, by their kinds."""
    folder = tmp_path_factory.mktemp("built")
    words = ["-m", "build", "--no-isolation", "--outdir", folder, ROOT]
    subprocess.run([sys.executable, *map(str, words)], check=True)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def test_the_wheel_holds_the_labs_and_nothing_of_the_staff_s(built):
    with zipfile.ZipFile(built["wheel"]) as wheel:
        names = set(wheel.namelist())
    for path in find_labs(ROOT / "solutions"):
        for file in (f"{path.stem}.ipynb", "expected.json"):
            assert f"labkit/notebooks/{path.stem}/{file}" in names
    assert {"labkit/py.typed", "labkit/data/registry.toml"} <= names
    with tarfile.open(built["sdist"]) as sdist:
        names |= {name.partition("/")[2] for name in sdist.getnames()}
    folders = {name.split("/")[0] for name in names}
    assert folders & {"solutions", "tests", "benchmarks", "work", "build"} == set()
    assert not [name for name in names if re.search(r"\d\d_\w+\.py$", name)]


def test_the_shelf_takes_both(built):
    files = list(map(str, built.values()))
    for words in (
        ["twine", "check", "--strict", *files],
        ["check_wheel_contents", str(built["wheel"])],
    ):
        subprocess.run([sys.executable, "-m", *words], check=True)


@cache
def wheel_requirements(wheel: Path) -> tuple[str, ...]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        about = email.message_from_bytes(archive.read(name))
    return tuple(about.get_all("Requires-Dist"))


# What each extra asks for beyond the base, on any system.
NETWORKS = {"imagehash", "keras", "optuna", "pandas", "seaborn"}
TRAIN = {*NETWORKS, "tensorflow", "tensorflow-cpu"}
GRADE = {*NETWORKS, "alembic", "babel", "copydetect", "jupytext", "markdown-it-py"}
GRADE |= {"nbgrader", "pyyaml", "sqlalchemy"}
KAGGLE = {"kaggle", "kagglehub"}
CLUSTER = {*GRADE, "distributed"}
EXTRAS = {
    "networks": NETWORKS,
    "train": TRAIN,
    "gpu": {*NETWORKS, "tensorflow"},
    "grade": GRADE,
    "kaggle": KAGGLE,
    "cluster": CLUSTER,
    "all": TRAIN | CLUSTER | KAGGLE,
}


@pytest.mark.parametrize("extra", EXTRAS)
def test_the_wheel_s_metadata_ask_for_what_an_extra_brings_and_no_more(built, extra):
    asked = map(Requirement, wheel_requirements(built["wheel"]))
    found = {one.name for one in asked if f'extra == "{extra}"' in str(one.marker)}
    assert found == EXTRAS[extra]


def test_tensorflow_comes_with_train_and_gpu_alone(built):
    for extra in ("", "networks", "grade", "kaggle", "cluster"):
        asked = needed(built["wheel"], extra)
        assert not [name for name in asked if name.startswith("tensorflow")], extra


def needed(wheel: Path, extra: str) -> set[str]:
    """The distributions that the wheel asks for with an extra, and what those ask for."""
    waiting, seen = [(NAME, ""), (NAME, extra)], set()
    while waiting:
        name, wanted = waiting.pop()
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        asked = (
            wheel_requirements(wheel)
            if name == NAME
            else importlib.metadata.requires(name) or ()
        )
        for one in map(Requirement, asked):
            if one.marker is None or one.marker.evaluate({"extra": wanted}):
                waiting += [(one.name, each) for each in ("", *one.extras)]
    return {name for name, _ in seen} - {NAME}


def link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except (FileExistsError, FileNotFoundError):
        pass  # a file that two distributions share; one that is listed and not there
    except OSError:  # another disk
        shutil.copyfile(source, target)


class Environment:
    """An environment with the wheel and one extra, and commands that run in it."""

    def __init__(
        self, folder: Path, wheel: Path, extra: str, base: "Environment | None"
    ) -> None:
        venv.create(folder, symlinks=not WINDOWS)
        self.folder = folder
        self.bin = folder / ("Scripts" if WINDOWS else "bin")
        self.python = self.bin / ("python.exe" if WINDOWS else "python")
        asked = self.run(
            "python", "-c", "import site; print(site.getsitepackages()[-1])"
        )
        self.packages = Path(asked.stdout.strip())
        for name in needed(wheel, extra):
            self._link(importlib.metadata.distribution(name))
        if base is not None:
            (found,) = importlib.metadata.distributions(
                name=NAME, path=[str(base.packages)]
            )
            self._link(found)
            return
        words = ["-m", "pip", "--python", self.python, "install", "--no-index"]
        words += ["--no-deps", "--quiet", wheel]
        subprocess.run([sys.executable, *words], check=True)

    def _link(self, installed: importlib.metadata.Distribution) -> None:
        """Give it the files of a distribution: tens of thousands, so by folders."""
        folders = defaultdict(list)
        for path in map(str, installed.files or ()):
            folder, _, name = path.rpartition("/")
            folders[folder].append(name)
        for folder, names in folders.items():
            source = installed.locate_file(folder)
            target = Path(os.path.normpath(self.packages / folder))
            # Programs name the Python that they were made for.
            if target != self.bin:
                target.mkdir(parents=True, exist_ok=True)
                for name in names:
                    link(f"{source}/{name}", f"{target}/{name}")

    def run(self, *words: str | Path, folder: Path | None = None, **environment: str):
        """Run a command in it, in a folder that holds no course."""
        names = {"python": [self.python], "labkit": [self.python, "-m", "labkit"]}
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        return subprocess.run(
            [str(word) for word in (*names[words[0]], *words[1:])],
            cwd=folder or self.folder,
            capture_output=True,
            text=True,
            env={**inherited, **environment},
        )


@pytest.fixture(scope="module")
def environment_with(tmp_path_factory, built):
    """Return a function: the environment with an extra, made once, never changed."""
    folder = tmp_path_factory.mktemp("environments")
    base = Environment(folder / "base", built["wheel"], "", None)

    @cache
    def with_extra(extra: str) -> Environment:
        if not extra:
            return base
        return Environment(folder / extra, built["wheel"], extra, base)

    return with_extra


def alone(name: str, folder: Path) -> Path:
    """A lab's released notebook, solved, in a folder with nothing beside it."""
    lab = read_lab(ROOT / "solutions" / name / f"{name}.py")
    blank = nbformat.read(ROOT / "notebooks" / name / f"{name}.ipynb", as_version=4)
    folder.mkdir()
    nbformat.write(solve(blank, lab), folder / "mine.ipynb")
    return folder / "mine.ipynb"


def test_the_base_runs_the_first_lab_alone_in_a_folder(environment_with, tmp_path):
    environment = environment_with("")
    notebook = alone("01_neuron", tmp_path / "alone")
    done = environment.run("labkit", "check", "mine.ipynb", folder=notebook.parent)
    passed = re.search(r"(\d+) of (\d+) visible checks passed", done.stdout)
    assert passed, done.stdout + done.stderr
    assert passed[1] == passed[2] and int(passed[1]) > 10
    # The labs lie in it, for `labkit lab`; `labkit` does what `python -m labkit` does.
    copy = (
        "from labkit.learning.jupyterlab import copy_labs, labs_here; import pathlib\n"
    )
    copy += "print(copy_labs(labs_here(), pathlib.Path('labs')))"
    done = environment.run("python", "-c", copy, folder=tmp_path)
    assert int(done.stdout) > 8 and (tmp_path / "labs" / "start.md").is_file()
    done = subprocess.run(
        [environment.bin / "labkit", "--version"], capture_output=True, text=True
    )
    assert done.stdout.startswith("labkit "), done.stderr

    make_course(tmp_path / "course")
    submission = tmp_path / "submission.csv"
    submission.write_text("id,character\n1,homer_simpson\n")
    kaggle = ("labkit", "kaggle", "submit", submission, "--competition", "x", "-m", "y")
    for extra, words in {
        "grade": ("labkit", "release", "91"),
        "kaggle": kaggle,
    }.items():
        done = environment.run(*words, folder=tmp_path / "course")
        assert f'pip install "{NAME}[{extra}]"' in done.stderr, (
            done.stdout + done.stderr
        )
    done = environment.run("labkit", "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for extra in ("train", "grade", "kaggle", "cluster"):
        assert f"{NAME}[{extra}]" in done.stdout


def test_the_base_runs_what_compares_with_no_library(environment_with, tmp_path):
    notebook = alone("03_pooling", tmp_path / "alone")
    done = environment_with("").run("labkit", "check", notebook)
    passed = re.search(r"(\d+) of (\d+) visible checks passed", done.stdout)
    assert passed, done.stdout + done.stderr
    (failed,) = re.findall(r"✗ (.*?) —", done.stdout)
    assert failed == "LeNet-5: your count less Keras's"
    assert int(passed[2]) == int(passed[1]) + 1
    told = " ".join(done.stdout.split())
    assert (
        f'keras is not installed. Type in a terminal: pip install "{NAME}[train]"'
        in told
    )


def test_all_lacks_nothing(environment_with, tmp_path):
    course = make_course(tmp_path / "course")
    environment = environment_with("all")
    done = environment.run("labkit", "release", "91", folder=course.root)
    assert done.returncode == 0, done.stdout + done.stderr
    done = environment.run("labkit", "doctor")
    assert f"{NAME}[" not in done.stdout, done.stdout


def test_train_runs_a_lab_with_tensorflow(environment_with, tmp_path):
    notebook = alone("03_pooling", tmp_path / "alone")
    done = environment_with("train").run("labkit", "check", notebook)
    passed = re.search(r"(\d+) of (\d+) visible checks passed", done.stdout)
    assert passed and passed[1] == passed[2], done.stdout + done.stderr


def test_train_says_how_long_the_labs_take(environment_with, tmp_path):
    """A student has no jupytext, and no text of a lab."""
    course = make_course(tmp_path / "course")
    text = course.lab("91_tiny").read_text()
    timed = text.replace("minutes: 75", "minutes: 75\n#     run_seconds: [60, 300]")
    course.lab("91_tiny").write_text(timed)
    release(course)
    handed_out = tmp_path / "handed_out"
    shutil.copytree(course.notebooks, handed_out)
    done = environment_with("train").run("labkit", "doctor", folder=handed_out)
    assert re.search(r"Run All takes about .* for 91_tiny", done.stdout), done.stdout


def test_networks_says_in_one_line_what_brings_tensorflow(environment_with, tmp_path):
    cell = nbformat.v4.new_code_cell("from labkit import check\nimport tensorflow")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(notebook, tmp_path / "mine.ipynb")
    run = (
        "import nbformat\n"
        "from nbclient import NotebookClient\n"
        "notebook = nbformat.read('mine.ipynb', as_version=4)\n"
        "NotebookClient(notebook, allow_errors=True).execute()\n"
        "(error,) = notebook.cells[0].outputs\n"
        "print(*error.traceback, sep='\\n')\n"
    )
    done = environment_with("networks").run("python", "-c", run, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert (
        f'tensorflow is not installed. Type in a terminal: pip install "{NAME}[train]"'
        == line
    )


def test_grade_releases_a_lab(environment_with, tmp_path):
    course = make_course(tmp_path / "course")
    done = environment_with("grade").run("labkit", "release", "91", folder=course.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert course.released("91_tiny").is_file()


def test_cluster_asks_for_a_scheduler(environment_with, tmp_path):
    course = make_course(tmp_path / "course")
    words = ("labkit", "grade", "--cluster", "tcp://127.0.0.1:1")
    done = environment_with("cluster").run(*words, folder=course.root)
    assert "No Dask scheduler at" in done.stderr, done.stdout + done.stderr


@pytest.mark.skipif(sys.version_info < (3, 11), reason="its client needs Python 3.11")
def test_kaggle_asks_who_you_are(environment_with, tmp_path):
    submission = tmp_path / "submission.csv"
    submission.write_text("id,character\n1,homer_simpson\n")
    words = ("kaggle", "submit", submission, "--competition", "x", "-m", "y")
    done = environment_with("kaggle").run("labkit", *words, HOME=str(tmp_path))
    assert "no valid credentials" in done.stderr, done.stdout + done.stderr
