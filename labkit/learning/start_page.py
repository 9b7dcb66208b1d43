"""The page that JupyterLab opens first."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING
from urllib.parse import quote

from labkit.checks.earned_points import Progress, bar_cell
from labkit.formatting import duration

if TYPE_CHECKING:  # whoever opens the labs needs none of what reads their texts
    from labkit.labs.lab import Lab


def start_page(labs: list[Lab]) -> str:
    """The page that JupyterLab opens first: the labs in order, one line each."""
    first = f"{labs[0].name}/{labs[0].name}.ipynb"
    return START_TEXT.format(
        rows="\n".join(map(_row, labs)), notebook=shlex.quote(first)
    )


def _row(lab: Lab) -> str:
    place = quote(f"{lab.name}/{lab.name}.ipynb")
    checked = sum(float(cell.metadata["points"]) for cell in lab.cells("check"))
    cells = (
        f"[{lab.title}]({place})",
        lab.summary,
        duration(60 * lab.minutes).replace(" ", "\u00a0"),
        bar_cell(Progress(lab.name, checked, {})),
    )
    # A line in a title would begin another column.
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


START_TEXT = """\
# Convolutional neural networks: the labs

Work through them in this order. Each builds on the one before.

| lab | what you will do | time | points so far |
|---|---|---|---|
{rows}

## How a lab works

1. Read a section, run its cells with **Shift+Enter**, play with its pictures.
2. Write your code where it says `# YOUR CODE HERE`. Delete the line
   `raise NotImplementedError(...)`.
3. Run the check cell below it. ✓ means right. ✗ tells you what was found,
   what was expected and, for the usual mistakes, what to think about. A line
   below says how many points are in so far, and so does this page when you
   open it again. `check.points()` in a cell of your own lists them all.
4. Stuck? Go on: a cell that needs a missing answer says which one.
   `check.rescue("its_name")` in a cell below an exercise gives you a working
   version, for the points of that exercise; all others can still be earned.
5. When a whole lab is done: **Kernel → Restart Kernel and Run All Cells**.
   Then open a terminal (**File → New → Terminal**). There, `labkit check
   {notebook}` runs the whole notebook as the grader will.

You can run a check as often as you like. Nothing is sent anywhere.
"""
