"""Make the pictures of pages that the docs show, from a small class graded now.

    python docs/site/screenshots.py

It needs Chromium. Commit what has changed in docs/images/.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
from playwright.sync_api import sync_playwright

from labkit.authoring.new import init_course
from labkit.authoring.release import release
from labkit.course import Course
from labkit.grading import engine
from labkit.grading.results.feedback import write_feedback
from labkit.labs.answers import mistake, solve
from labkit.labs.lab import read_lab

IMAGES = Path(__file__).resolve().parents[1] / "images"


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


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("This needs Chromium or Chrome: neither is on this machine.")
    os.environ["LABKIT_OFFLINE"] = "1"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        (page_file,) = graded(Path(folder, "course"))
        browser = driver.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 800, "height": 760})
        page.goto(page_file.as_uri())
        page.screenshot(path=IMAGES / "feedback.png")
        browser.close()
    print(IMAGES / "feedback.png")


if __name__ == "__main__":
    main()
