"""How long a student works on a lab, estimated from its text."""

import re
from dataclasses import dataclass

from labkit.labs.cells import solution_lines
from labkit.labs.lab import Lab

# Adults read English prose silently at 238 words a minute (M. Brysbaert, 2019,
# doi:10.1016/j.jml.2019.104047). Here formulas and figures stand between the words.
WORDS_A_MINUTE = 130
# What an exercise takes besides its lines: to understand it, and to mend a first try.
MINUTES_AN_EXERCISE = 5
MINUTES_A_LINE = 0.5
MINUTES_A_QUESTION = 6  # to think and to write


@dataclass(frozen=True)
class Workload:
    """The minutes that the parts of a lab take a student."""

    reading: float
    exercises: float
    questions: float
    waiting: float

    @property
    def minutes(self) -> float:
        return self.reading + self.exercises + self.questions + self.waiting


def workload(lab: Lab) -> Workload:
    """Estimate how long a student works on a lab, by its words, answers and trainings."""
    prose = [c.source for c in lab.script.cells if c.cell_type == "markdown"]
    solutions = lab.cells("solution")
    lines = sum(_answer_lines(cell.source) for cell in solutions)
    return Workload(
        reading=sum(len(re.findall(r"\w[\w'.-]*", text)) for text in prose)
        / WORDS_A_MINUTE,
        exercises=len(solutions) * MINUTES_AN_EXERCISE + lines * MINUTES_A_LINE,
        questions=len(lab.cells("manual")) * MINUTES_A_QUESTION,
        # On the slower class of machine, which most students have.
        waiting=max(lab.run_seconds or (0.0,)) / 60,
    )


def _answer_lines(source: str) -> int:
    """How many lines of code a student writes in the place of a solution."""
    lines = source.splitlines()
    written = (lines[number - 1].strip() for number in solution_lines(source))
    return sum(bool(line) and not line.startswith("#") for line in written)
