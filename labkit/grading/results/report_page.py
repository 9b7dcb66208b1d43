"""The report of a class as tables for a terminal and as a page."""

from pathlib import Path

import numpy as np
from rich.table import Table

from labkit import pages
from labkit.grading.results.class_report import ClassReport

SHOWN = 10
BLOCKS = " ▁▂▃▄▅▆▇█"


def summary_tables(report: ClassReport) -> list[Table]:
    """The report's tables for a terminal: scores a lab, checks most failed, hints most given."""
    tables = [_score_table(report)]
    if report.checks:
        tables.append(_check_table(report))
    if report.hints:
        tables.append(_hint_table(report))
    return tables


def _score_table(report: ClassReport) -> Table:
    table = _table("Scores", "lab", "0 to full")
    numbers = ("handed in", "late", "not graded", "waiting", "quarter", "median")
    for name in (*numbers, "3 quarters", "of"):
        table.add_column(name, justify="right")
    for lab in report.labs:
        counts = (lab.handed_in, lab.late, len(lab.ungraded), lab.waiting)
        points = (*lab.quartiles(), lab.max_score)
        table.add_row(
            lab.name,
            _blocks(lab.histogram()),
            *(str(count) if count else "" for count in counts),
            *(f"{value:.4g}" for value in points),
        )
    return table


def _check_table(report: ClassReport) -> Table:
    table = _table("Checks most failed", "lab", "exercise", "check")
    table.add_column("failed", justify="right")
    for one in report.checks[:SHOWN]:
        name = f"{one.name} (hidden)" if one.hidden else one.name
        table.add_row(one.lab, one.exercise, name, f"{one.failed} of {one.judged}")
    return table


def _hint_table(report: ClassReport) -> Table:
    table = _table("Hints most given", "lab", "exercise", "hint")
    table.add_column("given", justify="right")
    for one in report.hints[:SHOWN]:
        table.add_row(one.lab, one.exercise, one.text, str(one.given))
    return table


def _table(title: str, *columns: str) -> Table:
    return Table(*columns, title=title, title_justify="left", box=None)


def _blocks(counts: list[int]) -> str:
    """A histogram as a line of block characters, the highest bar full."""
    highest = max(counts, default=0)
    scale = (len(BLOCKS) - 1) / highest if highest else 0
    # Rounded up: one student in a class of thousands is still seen.
    return "".join(BLOCKS[int(np.ceil(count * scale))] for count in counts)


def write_report(report: ClassReport, path: Path) -> None:
    """Write the report as one HTML file that needs no other."""
    from labkit.grading.results import figures

    pages.write(
        path,
        "report.html",
        report=report,
        shown=SHOWN,
        figures={lab.name: figures.of_lab(lab) for lab in report.labs if lab.scores},
    )
