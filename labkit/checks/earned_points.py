"""What a student has in so far: kept beside the notebook, shown there and on the start page.

Only what the visible checks say; the hidden ones come at grading.
"""

import html
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.checks.guide import Task
from labkit.files import write_text
from labkit.formatting import counted

# In a lab's folder, what its student's kernel keeps. No part of what is handed in.
KERNEL_FOLDER = ".labkit"
START_PAGE = "start.md"
UNANSWERED = "YOUR ANSWER HERE"
_FILE = "progress.json"
_BLOCKS = 10


@dataclass(frozen=True)
class Progress:
    """The points of a lab's check cells as they last ran, and of how many there are."""

    lab: str
    of: float
    cells: Mapping[str, float]

    @property
    def earned(self) -> float:
        return round(sum(self.cells.values()), 2)

    def bar(self) -> str:
        """Blocks and words: `▰▰▰▱▱▱▱▱▱▱ 9 of 29`."""
        full = int(_BLOCKS * self.earned / self.of) if self.of else 0
        blocks = "▰" * full + "▱" * (_BLOCKS - full)
        # Nothing but the gap behind the blocks is broken in a narrow column.
        return f"{blocks} {self.earned:g}\u00a0of\u00a0{self.of:g}"


def read(folder: Path) -> Progress | None:
    """The progress kept in a lab's folder; None where there is none, or a damaged one."""
    try:
        kept = json.loads((folder / KERNEL_FOLDER / _FILE).read_text("utf-8"))
        cells = {str(name): float(points) for name, points in kept["cells"].items()}
        return Progress(str(kept["lab"]), float(kept["of"]), cells)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def record(
    folder: Path, lab: str, tasks: Iterable[Task], points: Mapping[str, float]
) -> Progress:
    """Keep the points of some cells of a lab, and show its bar on the start page above."""
    checks = [task for task in tasks if not task.in_words]
    before = read(folder)
    cells = dict(before.cells) if before and before.lab == lab else {}
    cells |= points
    kept = {task.cell: cells[task.cell] for task in checks if task.cell in cells}
    progress = Progress(lab, sum(task.points for task in checks), kept)
    try:
        write_text(folder / KERNEL_FOLDER / _FILE, json.dumps(vars(progress)))
        refresh(folder.parent)
    except OSError:
        pass  # a folder that cannot be written: the line in the notebook is all there is
    return progress


def refresh(folder: Path) -> None:
    """Bring the bars of a start page up to date, where the folder has one."""
    page = folder / START_PAGE
    if page.is_file():
        write_text(page, with_bars(page.read_text("utf-8"), folder))


def with_bars(page: str, folder: Path) -> str:
    """The text of a start page with the bars of the labs below a folder."""
    for place in sorted(folder.glob(f"*/{KERNEL_FOLDER}/{_FILE}")):
        progress = read(place.parent.parent)
        if progress is not None:
            begin, end = _marks(progress.lab)
            before, found, rest = page.partition(begin)
            if found:
                page = before + bar_cell(progress) + rest.partition(end)[2]
    return page


def bar_cell(progress: Progress) -> str:
    """A bar between marks by which it is found again; the page does not show them."""
    begin, end = _marks(progress.lab)
    return f"{begin}{progress.bar()}{end}"


def _marks(lab: str) -> tuple[str, str]:
    return f"<!--{lab}-->", f"<!--/{lab}-->"


def unanswered(notebook: Path) -> set[str]:
    """The ids of the questions in words that a notebook, as it is saved, leaves open."""
    try:
        cells = json.loads(notebook.read_text("utf-8"))["cells"]
        return {
            str(cell["metadata"]["nbgrader"]["grade_id"])
            for cell in cells
            if cell["cell_type"] == "markdown"
            and UNANSWERED in "".join(cell["source"])
            and "nbgrader" in cell["metadata"]
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return set()


@dataclass(frozen=True)
class Points:
    """The points of a lab, task by task: `rows` of title, what is in, and how it stands."""

    rows: tuple[tuple[str, str, str], ...]
    summary: str

    @classmethod
    def of(
        cls,
        tasks: Iterable[Task],
        earned: Mapping[str, float],
        open_questions: Collection[str],
        rescued: Collection[str] = (),
    ) -> "Points":
        """The list: `earned` by cell, where it ran; questions and rescues by cell."""
        tasks = list(tasks)
        rows = [_row(task, earned, open_questions, rescued) for task in tasks]
        checks = [task for task in tasks if not task.in_words]
        known = sum(earned.get(task.cell, 0.0) for task in checks)
        left = [task for task in tasks if task.cell in open_questions]
        there = counted(sum(task.points for task in checks), "point")
        said = f"{known:g} of {there} {'is' if known == 1 else 'are'} in"
        if words := sum(task.points for task in tasks if task.in_words):
            said += f"; {words:g} more are for answers in words"
        if left:
            points = sum(task.points for task in left)
            said += f". {counted(len(left), 'question')}, {counted(points, 'point')}, "
            said += f"still read{'s' * (len(left) == 1)} {UNANSWERED}"
        return cls(tuple(rows), f"{said}.")

    def text(self) -> str:
        """The list as text."""
        widths = [max((len(row[i]) for row in self.rows), default=0) for i in (0, 1)]
        lines = [
            f"{title:{widths[0]}}  {points:>{widths[1]}}  {note}".rstrip()
            for title, points, note in self.rows
        ]
        return "\n".join([*lines, self.summary])

    def display(self) -> dict[str, str]:
        """The list as Jupyter displays it, by MIME type."""
        head = "<tr><th>exercise</th><th>points</th><th></th></tr>"
        body = "".join(
            f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>"
            for row in self.rows
        )
        page = f"<table>{head}{body}</table><p>{html.escape(self.summary)}</p>"
        return {"text/plain": self.text(), "text/html": page}


def _row(
    task: Task,
    earned: Mapping[str, float],
    open_questions: Collection[str],
    rescued: Collection[str],
) -> tuple[str, str, str]:
    if task.in_words:
        still = task.cell in open_questions
        note = f"still reads {UNANSWERED}" if still else "answered: a person reads it"
        return task.title, f"- of {task.points:g}", note
    note = "rescued" if task.cell in rescued else ""
    if task.cell not in earned:
        return task.title, f"- of {task.points:g}", note or "its check has not run yet"
    return task.title, f"{earned[task.cell]:g} of {task.points:g}", note
