"""A lab whose exercises build on one another, and a notebook run as Jupyter runs it."""

import os
import shutil
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from labkit.course import Course
from labkit.grading.gradebook.api import generate_assignment
from labkit.kernels.provisioner import kernel_manager
from labkit.labs.source import write_source
from tests.grading_data import share_grading_data

LAB = "93_steps"
TEXT = Path(__file__).parent / f"{LAB}.py"
CONFIG = Path(__file__).parents[2] / "nbgrader_config.py"


def course_of_steps(folder: Path) -> Course:
    """A course with the lab, handed out to `notebooks`, and nothing handed in."""
    course = share_grading_data(Course.at(folder))
    shutil.copy(CONFIG, folder)
    course.lab(LAB).parent.mkdir(parents=True)
    shutil.copy(TEXT, course.lab(LAB))
    write_source(course.lab(LAB))
    generate_assignment(course, LAB)
    return course


def read(course: Course) -> NotebookNode:
    """The notebook that students get."""
    return nbformat.read(course.released(LAB), as_version=4)


def run_all(notebook: NotebookNode, folder: Path, *, warm: bool = True) -> NotebookNode:
    """Run a notebook's cells in a kernel of its own, until one of them stops it.

    The kernel is as in `labkit lab`, or as any other Jupyter starts it, with imports that
    take seconds. Raises CellExecutionError where a cell does, as Jupyter's Run All stops.
    """
    resources = {"metadata": {"path": str(folder)}}
    manager = kernel_manager(dict(os.environ), folder) if warm else None
    client = NotebookClient(notebook, manager, resources=resources, timeout=300)
    client.execute(cleanup_kc=True)
    return notebook


def cells(*sources: str) -> NotebookNode:
    """A notebook of code cells."""
    made = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=made)


def shown(cell: NotebookNode) -> str:
    """All that a cell shows, as text."""
    texts = []
    for output in cell.outputs:
        if output.output_type == "stream":
            texts.append(output.text)
        elif output.output_type == "error":
            texts.append("\n".join(output.traceback))
        else:
            texts.append(output.data.get("text/plain", ""))
    return "\n".join(texts)


def cell_of(notebook: NotebookNode, part: str) -> NotebookNode:
    """The first code cell whose text holds a part."""
    return next(c for c in notebook.cells if c.cell_type == "code" and part in c.source)
