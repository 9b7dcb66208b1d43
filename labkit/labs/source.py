"""nbgrader's source notebook of a lab, made from its text."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_raw_cell,
)

from labkit.course import Course
from labkit.execution.keys import package_hash
from labkit.execution.run_metadata import made_from, write_made_from
from labkit.files import content_hash, write_text
from labkit.labs.cells import FOLDED_TAG, ROLES
from labkit.labs.guides import tell_kernel, tell_points
from labkit.labs.lab import Lab, LabError, cell_id, find_labs, read_lab

KERNELSPEC = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}


def source_notebook(lab: Lab) -> NotebookNode:
    """The lab as nbgrader's source notebook: full metadata, no mistakes."""
    cells = [
        _nbgrader_cell(cell)
        for cell in lab.script.cells
        if "mistakes" not in cell.metadata
    ]
    tell_points(cells)
    tell_kernel(cells)
    _number_ids(cells)
    metadata = {"kernelspec": KERNELSPEC, "language_info": {"name": "python"}}
    notebook: NotebookNode = new_notebook(cells=cells, metadata=metadata)
    return notebook


def _nbgrader_cell(cell: NotebookNode) -> NotebookNode:
    make: Callable[..., NotebookNode] = {
        "code": new_code_cell,
        "markdown": new_markdown_cell,
        "raw": new_raw_cell,
    }[cell.cell_type]
    role = next((role for role in ROLES if role in cell.metadata), None)
    metadata: dict[str, Any] = {}
    if tags := [tag for tag in cell.metadata.get("tags", []) if tag != FOLDED_TAG]:
        metadata["tags"] = tags
    if FOLDED_TAG in cell.metadata.get("tags", []):
        metadata["jupyter"] = {"source_hidden": True}
    if role is not None:
        metadata["nbgrader"] = _nbgrader_metadata(role, cell)
    return make(cell.source, metadata=metadata)


def _nbgrader_metadata(role: str, cell: NotebookNode) -> dict[str, Any]:
    metadata = {
        "schema_version": 3,
        "grade_id": cell_id(role, cell.metadata[role]),
        "grade": role in ("check", "manual"),
        "solution": role in ("solution", "manual"),
        "locked": role == "check",
        "task": False,
    }
    if metadata["grade"]:
        metadata["points"] = cell.metadata["points"]
    return metadata


def _number_ids(cells: list[NotebookNode]) -> None:
    """Stable ids: a role's own, else made from the text, so that order does not matter."""
    seen: Counter[str] = Counter()
    for cell in cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name is None:
            name = content_hash(cell.source)[:12]
        seen[name] += 1
        cell["id"] = name if seen[name] == 1 else f"{name}-{seen[name]}"


def write_sources(course: Course) -> None:
    """Write nbgrader's source notebook beside each lab whose text has changed.

    A lab with faults is left for `labkit release` to report.
    """
    for path in find_labs(course.solutions):
        with contextlib.suppress(LabError):
            write_source(path)


def write_source(lab_path: Path) -> Path:
    """Write nbgrader's source notebook of one lab, where its text has changed; returns it.

    What it was made from stands in its metadata: an older text that is put back is as
    much of a change as a newer one. Students do not get this metadata.
    """
    target = lab_path.with_suffix(".ipynb")
    key = content_hash(f"{content_hash(lab_path.read_bytes())} {package_hash()}")
    if _made_from(target) != key:
        notebook = source_notebook(read_lab(lab_path))
        write_made_from(notebook, key)
        write_text(target, nbformat.writes(notebook) + "\n")
    return target


def _made_from(source: Path) -> str:
    """The key of a source notebook; empty where there is none that can be read."""
    try:
        return made_from(json.loads(source.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""
