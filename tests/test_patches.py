"""What is changed in other projects: quiet and quick, and nothing else about them."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import nbgrader.api
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from nbgrader.nbgraderformat import MetadataValidator, ValidationError, common

from labkit.grading.gradebook.database import VERSION_TABLE
from labkit.grading.gradebook.patches import one_engine, schema_taken_as_right

ROOT = Path(__file__).parents[1]


def python(code: str, *places: Path) -> subprocess.CompletedProcess:
    path = os.pathsep.join(map(str, [*places, ROOT]))
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )


def test_tensorflow_is_imported_in_silence_and_otherwise_as_usual(tmp_path):
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow" / "__init__.py").write_text(
        "import os, sys\nos.write(2, b'from C++')\nloader = type(__loader__).__name__\n"
    )
    done = python(
        "import os, sys, labkit, tensorflow as tf\n"
        "os.write(2, b'later')\n"
        "print(tf.loader, type(tf.__spec__.loader).__name__)",
        tmp_path,
    )
    assert done.stderr == "later"
    assert done.stdout.split() == ["SourceFileLoader"] * 2


def test_a_broken_tensorflow_says_so(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('broken')")
    assert "ImportError: broken" in python("import labkit, tensorflow", tmp_path).stderr


def test_notebooks_are_read_without_a_grammar_of_addresses():
    done = python(
        "import sys\nfrom labkit.machine.patches import skip_address_grammar\n"
        "skip_address_grammar()\n"
        "import nbformat\nfrom nbformat.v4 import new_code_cell, new_notebook\n"
        "nbformat.validate(new_notebook(cells=[new_code_cell('1')]))\n"
        "print('lark' in sys.modules)"
    )
    assert done.stdout.strip() == "False", done.stderr


def test_nbgrader_opens_a_gradebook_once(tmp_path):
    original = nbgrader.api.create_engine
    url = f"sqlite:///{tmp_path}/gradebook.db"
    with sqlite3.connect(tmp_path / "gradebook.db") as database:
        database.execute(VERSION_TABLE)  # or nbgrader starts a program to learn it
    with one_engine():
        with nbgrader.api.Gradebook(url) as first:
            first.add_student("ada")
        with nbgrader.api.Gradebook(url) as second:
            assert [student.id for student in second.students] == ["ada"]
            assert second.engine is first.engine
        assert first.engine.pool.checkedin() == 1  # it is kept open
    assert first.engine.pool.checkedin() == 0
    assert nbgrader.api.create_engine is original
    with nbgrader.api.Gradebook(url) as third:
        assert third.engine is not first.engine


def test_nbgrader_still_refuses_metadata_that_its_schema_does_not_know():
    right = {"grade_id": "a", "grade": False, "locked": False, "schema_version": 3}
    right |= {"solution": True, "task": False}
    wrong = {**right, "solution": "yes"}
    cells = [new_code_cell("", metadata={"nbgrader": one}) for one in (right, wrong)]
    original, validator = common.jsonschema, MetadataValidator()
    with schema_taken_as_right():
        validator.validate_cell(cells[0])
        with pytest.raises(ValidationError, match="'yes' is not of type 'boolean'"):
            validator.validate_nb(new_notebook(cells=cells))
    assert common.jsonschema is original
