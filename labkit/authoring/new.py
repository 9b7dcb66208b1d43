"""A course folder of one's own, and a lab to begin with: each passes the gate as it is."""

import re
import secrets
from importlib.resources import files
from pathlib import Path

from labkit.course import CONFIG_FILE, COURSE_FILE, COURSE_TEXT, Course
from labkit.errors import PACKAGE, LabkitError
from labkit.files import write_text

# The lab that a new course begins with.
SAMPLE = "sample"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
# What is made as a course goes on, and what no student should find in a repository.
_IGNORED = """\
build/
work/
.labkit/
.ipynb_checkpoints/
downloaded/
submitted/
autograded/
feedback/
exchange/
gradebook.db*
course.toml
solutions/*/*.ipynb
grades*.csv
canvas*.csv
moodle*.csv
participants*.csv
# the true classes of a competition, and who is who on its leaderboard
truth*.csv
names*.csv
"""


def init_course(folder: Path) -> list[Path]:
    """Make a course folder with nbgrader's configuration, course.toml and one lab.

    Returns the files written. Raises LabkitError where the folder holds anything.
    """
    if folder.exists() and not folder.is_dir():
        raise LabkitError(
            f"{folder} is a file; expected the name of a folder that is not there yet, "
            "such as: labkit init my_course"
        )
    if folder.is_dir() and any(folder.iterdir()):
        raise LabkitError(
            f"{folder} is not empty, and a course begins in an empty folder. Type: "
            f"labkit init {folder / 'my_course'}"
        )
    course = Course(
        folder, folder / "solutions", folder / "notebooks", folder / "build"
    )
    texts = {
        folder / CONFIG_FILE: _template("nbgrader_config.txt"),
        folder / COURSE_FILE: COURSE_TEXT.format(seed=secrets.token_hex(16)),
        folder / ".gitignore": _IGNORED,
        folder / ".binder" / "requirements.txt": f"{PACKAGE}[train]\n",
    }
    for path, text in texts.items():
        write_text(path, text)
    return [*texts, new_lab(course, SAMPLE)]


def new_lab(course: Course, name: str) -> Path:
    """Write a small lab to be changed, under the next number; returns its text's path.

    name: what stands behind the number, letters, digits and _. Raises LabkitError for
    another one, and for one that a lab has already.
    """
    if not _NAME.fullmatch(name):
        words = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        near = re.sub(r"^[\d_]+", "", words) or "my_lab"
        raise LabkitError(
            f"{name!r} is no name for a lab: expected letters, digits and _, beginning "
            f"with a letter. Its number comes by itself. Type: labkit new {near}"
        )
    numbers = [0]
    for folder in course.solutions.glob("*/"):
        found = re.match(r"(\d+)_(.*)", folder.name)
        if (found[2] if found else folder.name).lower() == name.lower():
            raise LabkitError(
                f"{folder} is there already. Type another name, such as: "
                f"labkit new {name}_2"
            )
        numbers += [int(found[1])] if found else []
    number = max(numbers) + 1
    path = course.lab(f"{number:02}_{name}")
    title = name.replace("_", " ").capitalize()
    text = _template("lab.txt").replace("@number@", str(number))
    write_text(path, text.replace("@title@", title))
    return path


def _template(name: str) -> str:
    return (files("labkit") / "templates" / name).read_text("utf-8")
