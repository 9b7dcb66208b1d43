"""A page for each lab: what students get, with the figures of its given cells.

Only what stands in a lab before anybody has written a line is run: no exercise is
solved, nothing is trained that needs one, and the data are stand-ins. The page says so.
"""

import base64
import re
import tempfile
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.course import Course
from labkit.execution.execute import execute, grading_environment
from labkit.formatting import duration
from labkit.grading.pipeline.skipping import names
from labkit.labs.lab import Lab, find_labs, grade_id, read_lab

REMARK = """\
```{{note}}
This is lab `{name}` as students get it: {summary} It takes about {time}. Work on it in
JupyterLab, with `labkit lab`. The figures here come from the cells that are given, on
stand-in data; what is drawn from your own answers appears when you have written them.
```
"""


def lab_page(course: Course, lab: Lab, folder: Path) -> str:
    """A lab's page, in Markdown; its figures are written into `folder`.

    Raises RuntimeError where the given cells cannot be run.
    """
    released = nbformat.read(course.released(lab.name), as_version=4)
    for path in course.released(lab.name).parent.iterdir():
        if path.suffix in (".svg", ".png", ".jpg"):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / path.name).write_bytes(path.read_bytes())
    figures = _figures(released, folder)
    parts = [
        _cell(cell, lab.name) + figures.get(cell.id, "") for cell in released.cells
    ]
    remark = REMARK.format(
        name=lab.name, summary=lab.summary, time=duration(60 * lab.minutes)
    )
    return "\n\n".join([parts[0], remark, *parts[1:]]) + "\n"


def index_page(course: Course) -> str:
    """The page that lists the labs in order."""
    labs = [read_lab(path) for path in find_labs(course.solutions)]
    rows = [
        f"| [{lab.title}]({lab.name}.md) | {lab.summary} | {duration(60 * lab.minutes)} |"
        for lab in labs
    ]
    names_of_all = "\n".join(lab.name for lab in labs)
    return "\n".join(
        [
            "# The labs\n",
            "Each builds on the one before. [How to work on one](../studying.md).\n",
            "| lab | what you will do | time |",
            "|---|---|---|",
            *rows,
            f"\n```{{toctree}}\n:hidden:\n\n{names_of_all}\n```\n",
        ]
    )


def given(notebook: NotebookNode) -> NotebookNode:
    """The cells of a released lab that need no answer, from first to last."""
    waiting: set[str] = set()  # names that only an answer, or what needs one, defines
    kept = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        found = names(cell.source)
        if grade_id(cell) is not None or found.used & waiting or found.reaches_anything:
            waiting |= found.defined
        else:
            kept.append(cell)
    return nbformat.v4.new_notebook(cells=kept, metadata=notebook.metadata)


def _figures(released: NotebookNode, folder: Path) -> dict[str, str]:
    """What stands below each given cell: its figures, as links to files in `folder`."""
    with tempfile.TemporaryDirectory(prefix="labkit-site-") as scratch:
        ran = execute(given(released), Path(scratch), grading_environment())
    if stopped := ran.metadata.get("labkit", {}).get("stopped"):
        raise RuntimeError(f"The given cells of a lab: {stopped}")
    found: dict[str, str] = {}
    for cell in ran.cells:
        for number, output in enumerate(cell.get("outputs", [])):
            picture = output.get("data", {}).get("image/png")
            if picture is None:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            name = f"{cell.id}-{number}.png"
            (folder / name).write_bytes(base64.b64decode(picture))
            text = " ".join(output.metadata["image/png"]["alt"].split())
            found[cell.id] = found.get(cell.id, "") + (
                f"\n\n```{{image}} {folder.name}/{name}\n:alt: {text}\n:class: figure\n```"
            )
    return found


def _cell(cell: NotebookNode, lab: str) -> str:
    if cell.cell_type == "markdown":
        return _page_links(cell.source, lab)
    return f"`````python\n{cell.source}\n`````"


def _page_links(text: str, lab: str) -> str:
    """Links to other labs lead to their pages, pictures to the lab's folder here."""
    text = re.sub(r"\(\.\./([\w.-]+)/\1\.ipynb", r"(\1.md", text)
    # JupyterLab keeps capitals in the name of a place, these pages do not.
    text = re.sub(r"(?<=\]\()(\S*?)(#[^)\s]+)", lambda m: m[1] + m[2].lower(), text)
    return re.sub(r"\]\(([\w.-]+\.(?:svg|png|jpg))\)", rf"]({lab}/\1)", text)
