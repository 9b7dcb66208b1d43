"""What a notebook imports loads nothing of what only an instructor or an author needs."""

import subprocess
import sys

FORBIDDEN = """
labkit.grading labkit.authoring labkit.cli labkit.labs labkit.execution labkit.course
nbgrader sqlalchemy typer pydantic
"""
USES_ALL = f"""
import sys
from labkit import check, data, kaggle, models, plots, profile, study, training
from labkit.models import pretrained
from labkit import widgets

assert callable(check)
for room in (data, kaggle, models, plots, pretrained, profile, study, training, widgets):
    for name in getattr(room, "__all__", dir(room)):
        getattr(room, name)
for forbidden in {FORBIDDEN.split()}:
    if any(f"{{name}}.".startswith(f"{{forbidden}}.") for name in sys.modules):
        print(forbidden)
"""


def test_notebooks_load_nothing_of_an_instructor_s():
    done = subprocess.run(
        [sys.executable, "-c", USES_ALL], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
