"""The page that JupyterLab opens first."""

from labkit.formatting import duration
from labkit.labs.lab import Lab

START_PAGE = "start.md"


def start_page(labs: list[Lab]) -> str:
    """The page that JupyterLab opens first: the labs in order, one line each."""
    rows = [
        f"| [{lab.title}]({lab.name}/{lab.name}.ipynb) | {lab.summary} | {duration(60 * lab.minutes)} |"
        for lab in labs
    ]
    return START_TEXT.format(rows="\n".join(rows), first=labs[0].name)


START_TEXT = """\
# Convolutional neural networks: the labs

Work through them in this order. Each builds on the one before.

| lab | what you will do | time |
|---|---|---|
{rows}

## How a lab works

1. Read a section, run its cells with **Shift+Enter**, play with its pictures.
2. Write your code where it says `# YOUR CODE HERE`. Delete the line
   `raise NotImplementedError(...)`.
3. Run the check cell below it. ✓ means right. ✗ tells you what was found,
   what was expected and, for the usual mistakes, what to think about.
4. When a whole lab is done: **Kernel → Restart Kernel and Run All Cells**.
   Then open a terminal (**File → New → Terminal**). There, `labkit check
   {first}/{first}.ipynb` runs the whole notebook as the grader will.

You can run a check as often as you like. Nothing is sent anywhere.
"""
