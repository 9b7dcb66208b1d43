"""Scores as a table for other programs."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from labkit.files import write_text
from labkit.grading.engine import Grade


def write_grades(grades: Iterable[Grade], path: Path) -> None:
    """Write `student,lab,score,max_score`, one row a submission, by student and lab."""
    stream = io.StringIO()
    rows = csv.writer(stream, lineterminator="\n")
    rows.writerow(["student", "lab", "score", "max_score"])
    for grade in sorted(grades, key=lambda g: (g.student, g.lab)):
        rows.writerow(
            [grade.student, grade.lab, f"{grade.score:g}", f"{grade.max_score:g}"]
        )
    write_text(path, stream.getvalue())
