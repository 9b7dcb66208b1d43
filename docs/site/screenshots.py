"""Make the pictures of pages that the docs show, from a small class graded now.

    python docs/site/screenshots.py

It needs Chromium. Commit what has changed in docs/images/.
"""

import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from browser import CHROMIUM, browser, jupyterlab
from playwright.sync_api import Browser

from labkit.authoring.new import init_course
from labkit.authoring.release import release
from labkit.course import Course
from labkit.grading import engine
from labkit.grading.results.feedback import write_feedback
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import read_lab

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"


def graded(root: Path) -> list[Path]:
    """Grade a class whose only student made a usual mistake; the pages of feedback."""
    text = init_course(root)[-1]
    course, lab = Course.at(root), read_lab(text)
    release(course)
    solved = solve(nbformat.read(course.released(lab.name), as_version=4), lab)
    name, exercise = next(iter(lab.mistakes.items()))
    place = course.submission("alice", lab.name)
    place.mkdir(parents=True)
    nbformat.write(mistake(solved, lab, exercise, name), place / f"{lab.name}.ipynb")
    engine.grade(course)
    return write_feedback(course)


def feedback(chromium: Browser, folder: Path) -> None:
    """A page of feedback: each check, and the hint to a usual mistake."""
    (page_file,) = graded(folder / "course")
    page = chromium.new_page(viewport={"width": 800, "height": 760})
    page.goto(page_file.as_uri())
    page.screenshot(path=IMAGES / "feedback.png")


def mistaken_check(chromium: Browser, folder: Path) -> None:
    """Lab 02 in JupyterLab, with a usual mistake in its exercise `response`."""
    (text,) = (ROOT / "solutions").glob("02*/02*.py")
    lab = read_lab(text)
    with jupyterlab(ROOT, folder / "work") as server:
        page = chromium.new_page(viewport={"width": 1100, "height": 800})
        student = server.begin(page)
        place = folder / "work" / lab.name / f"{lab.name}.ipynb"
        solved = solve(nbformat.read(place, as_version=4), lab)
        answer = next(cell for cell in solved.cells if cell.id == "response")
        answer.source = re.sub(
            r"return .*", "return np.sum(patch * kernel)", answer.source
        )
        nbformat.write(solved, place)
        student.open(f"{lab.name}/{lab.name}.ipynb")
        student.menu("Run", "Run All Cells")
        student.settle()
        student.select("check-response")
        page.wait_for_timeout(1000)  # until it has scrolled there
        page.screenshot(path=IMAGES / "jupyterlab.png")


def main() -> None:
    if CHROMIUM is None:
        sys.exit("This needs Chromium or Chrome: neither is on this machine.")
    os.environ["LABKIT_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        for picture in (feedback, mistaken_check):
            picture(chromium, Path(folder))
            print(picture.__doc__)


if __name__ == "__main__":
    main()
