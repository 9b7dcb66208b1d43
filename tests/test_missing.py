"""A library that is not installed: one line that says what to type, wherever it is missed."""

import subprocess
import sys

import nbformat
import pytest

from labkit.errors import MissingLibraryError, missing_library, require_library
from tests.conftest import ROOT

INSTALL = f'pip install -e "{ROOT}[{{}}]"'


@pytest.mark.parametrize(
    ("library", "extra"),
    [("keras", "train"), ("nbgrader", "grade"), ("distributed", "cluster")],
)
def test_it_says_which_extra_brings_it(library, extra, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingLibraryError) as raised:
        require_library(library)
    assert INSTALL.format(extra) in str(raised.value)
    assert isinstance(raised.value, ModuleNotFoundError)


def test_what_is_installed_is_imported_and_other_errors_stay():
    assert require_library("nbgrader").__name__ == "nbgrader"
    with pytest.raises(ModuleNotFoundError, match=r"nbgrader\.nothing"):
        require_library("nbgrader.nothing")
    assert missing_library(ModuleNotFoundError("no extra's", name="nothing")) is None
    assert missing_library(ValueError()) is None


def test_a_command_answers_with_one_line(run_command, course, monkeypatch):
    for name in [*sys.modules]:
        if name.startswith(("labkit.labs.", "labkit.authoring.")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "yaml", None)
    done = run_command("labkit", "run", "91", folder=course.root)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("labkit: yaml is not installed.")
    assert INSTALL.format("grade") in line


CELL = """\
import sys
from labkit import check
sys.modules["optuna"] = None
import {library}
"""


def shown(library: str) -> str:
    """What IPython shows where a cell imports a library that is not there."""
    words = ["-m", "IPython", "--colors=NoColor", "-c", CELL.format(library=library)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    assert done.returncode == 1
    return done.stdout + done.stderr


def test_a_notebook_answers_with_one_line():
    (line,) = shown("optuna").splitlines()
    assert "optuna is not installed" in line and INSTALL.format("train") in line
    other = shown("no_such_library")
    assert "ModuleNotFoundError" in other and "Cell In[1]" in other


def test_a_student_needs_no_nbgrader_to_see_that_a_check_was_changed(released_course):
    from nbgrader.utils import compute_checksum

    from labkit.learning.check_notebook import checksum

    (path,) = released_course.notebooks.glob("*/*.ipynb")
    checks = [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if cell.metadata.get("nbgrader", {}).get("grade")
        and not cell.metadata.nbgrader.solution
    ]
    assert len(checks) > 2
    assert [checksum(cell) for cell in checks] == list(map(compute_checksum, checks))
