"""Grading into a gradebook on a real PostgreSQL server."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import nbformat
import pytest

from labkit.course import Course
from labkit.grading.engine import read_grades
from labkit.grading.gradebook.database import back_up
from labkit.labs.answers import solve
from labkit.labs.lab import read_lab

LAB = "91_tiny"
PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
pytest.importorskip("psycopg", reason="psycopg is not installed")
pytestmark = pytest.mark.skipif(
    not PROGRAMS or (os.geteuid() == 0 and not shutil.which("runuser")),
    reason="no PostgreSQL server on this machine (Debian: apt-get install postgresql)",
)


@pytest.fixture
def database(request):
    """The address of a server of this test's own, on a socket in its folder."""
    # Not below pytest's own folder: the server runs as another user. And the path of
    # its socket must be short.
    folder = tempfile.mkdtemp(prefix="labkit-postgres-")
    request.addfinalizer(lambda: shutil.rmtree(folder, ignore_errors=True))
    place = Path(folder)
    # The server refuses to run as root.
    other = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if other:
        shutil.chown(place, "postgres")

    def run(program, *words):
        command = [*other, str(PROGRAMS[-1] / program), *words]
        subprocess.run(command, check=True, cwd=place, capture_output=True, timeout=60)

    data = place / "cluster"
    run("initdb", "-D", data, "--username=grader", "--auth=trust")
    options = f"-k {place} -c listen_addresses=''"
    run("pg_ctl", "-D", data, "-w", "-l", place / "log", "-o", options, "start")
    try:
        run("createdb", "-h", place, "-U", "grader", "gradebook")
        yield f"postgresql+psycopg://grader@/gradebook?host={place}"
    finally:
        run("pg_ctl", "-D", data, "-m", "immediate", "stop")


def test_a_class_is_graded_into_postgresql(released_course, database, run_command):
    course = released_course
    blank = nbformat.read(course.notebooks / LAB / f"{LAB}.ipynb", as_version=4)
    solved = solve(blank, read_lab(course.solutions / LAB / f"{LAB}.py"))
    for student, notebook in (("perfect", solved), ("blank", blank)):
        folder = course.submitted / student / LAB
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / f"{LAB}.ipynb")
    done = run_command("labkit", "grade", "--db", database, folder=course.root)
    assert done.returncode == 0, done.stderr
    assert not course.gradebook_file.exists()
    there = Course(
        course.root, course.solutions, course.notebooks, course.build, database
    )
    assert {g.student: g.score for g in read_grades(there)} == {
        "perfect": 7,
        "blank": 0,
    }
    again = run_command("labkit", "grade", "--db", database, folder=course.root)
    assert "2 graded already and unchanged" in again.stdout
    assert back_up(there) is None

    # The same in the course's settings: nbgrader's own commands then use it, too.
    (course.root / "course.toml").write_text(
        f'seed = "kept"\ndatabase = "{database}"\n'
    )
    table = course.root / "table.csv"
    done = run_command("nbgrader", "export", "--to", table, folder=course.root)
    assert done.returncode == 0, done.stderr
    assert "perfect" in table.read_text()
