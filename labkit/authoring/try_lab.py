"""Try a lab as wrong answers do: which mutants of its solutions get full marks?"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from labkit.authoring.mutations import Mutant, mutants
from labkit.checks.references import References
from labkit.course import Course
from labkit.execution.execute import execute, grading_environment
from labkit.execution.grading_data import reference_environment
from labkit.execution.run_metadata import RunMetadata
from labkit.grading.judging import judge
from labkit.labs.companions import scratch_folder
from labkit.labs.lab import Lab, cell_id, read_lab
from labkit.labs.reference_run import KEEP, RESTORE, code_cell, lab_references
from labkit.labs.source import source_notebook

# What any cell of a lab may take here: as long as its whole reference run, and this.
SECONDS = 10


@dataclass(frozen=True)
class Tried:
    """What the mutants of a lab showed.

    `survivors` get full marks; `equivalent` are those that the author has marked, which
    were not tried. `unsure` names the exercises whose own solution did not get full
    marks any more after their mutants: those had changed what other cells hold.
    """

    lab: str
    count: int
    survivors: list[Mutant]
    equivalent: int
    unsure: list[str]


@dataclass(frozen=True)
class _Trial:
    """One run of a check cell: with a mutant, or with the solution again where None."""

    exercise: str
    mutant: Mutant | None


def try_mutants(
    course: Course,
    path: Path,
    on_mutant: Callable[[int, int, str], None] = lambda *_: None,
) -> Tried:
    """Run every mutant of a lab's solutions against the checks of its exercise.

    `on_mutant(number, count, exercise)` is called before each.
    """
    lab = read_lab(path)
    course.create_seed()
    references = lab_references(path, course.build, course.seed)
    made = [one for cell in lab.cells("solution") for one in mutants(cell)]
    waiting = _trials(lab, [one for one in made if not one.equivalent])
    count = len(waiting)
    passed: list[_Trial] = []
    unsure: list[str] = []
    while waiting:
        done, full = _run(course, lab, references, waiting, count, on_mutant)
        passed += [trial for trial in full if trial.mutant]
        unsure += [
            trial.exercise
            for trial in waiting[:done]
            if not trial.mutant and trial not in full
        ]
        waiting = waiting[done:]
    survivors = [trial.mutant for trial in passed if trial.mutant]
    equivalent = sum(one.equivalent for one in made)
    return Tried(lab.name, len(made), survivors, equivalent, unsure)


def _trials(lab: Lab, found: list[Mutant]) -> list[_Trial]:
    """The trials in the order of the lab: of each exercise its mutants, then itself."""
    checked = {cell.metadata["check"] for cell in lab.cells("check")}
    trials = []
    for cell in lab.cells("solution"):
        name = cell.metadata["solution"]
        own = [_Trial(name, one) for one in found if one.exercise == name]
        if own and name in checked:
            trials += [*own, _Trial(name, None)]
    return trials


def _run(
    course: Course,
    lab: Lab,
    references: References,
    trials: list[_Trial],
    count: int,
    on_mutant: Callable[[int, int, str], None],
) -> tuple[int, list[_Trial]]:
    """Run trials in one kernel; returns how many of them it did, and those that passed.

    Not all are done where one ends the kernel. That one is done, and has not passed.
    """
    notebook, places = _notebook(lab, trials)

    def on_cell(cell: NotebookNode, cell_index: int) -> None:
        if cell_index in places:
            place = places.index(cell_index)
            on_mutant(count - len(trials) + place, count, trials[place].exercise)

    with scratch_folder(lab.path) as folder:
        ran = execute(
            notebook,
            folder,
            {
                **grading_environment(),
                **reference_environment(course.build, course.seed),
            },
            cell_seconds=SECONDS + references.seconds,
            on_cell=on_cell,
        )
    tried = [ran.cells[place] for place in places]
    done = len(trials)
    if RunMetadata.of(ran).stopped:
        done = next((i for i, one in enumerate(tried, 1) if not _ended(one)), done)
    pairs = zip(trials[:done], tried, strict=False)
    return done, [one for one, cell in pairs if _full_marks(references, one, cell)]


def _notebook(lab: Lab, trials: list[_Trial]) -> tuple[NotebookNode, list[int]]:
    """The solution with the trials right after their check cell, and where they stand."""
    source = source_notebook(lab)
    built: list[NotebookNode] = []
    places = []
    for cell in source.cells:
        built.append(cell)
        own = [one for one in trials if cell.id == cell_id("check", one.exercise)]
        if not own:
            continue
        built.append(code_cell(KEEP))
        for trial in own:
            answer = trial.mutant.source if trial.mutant else ""
            places.append(len(built))
            # One cell: an answer that fails as it is defined never gets to the checks.
            built.append(code_cell("\n".join([RESTORE, answer, cell.source])))
        built.append(code_cell(RESTORE))
    source.cells = built
    return source, places


def _ended(cell: NotebookNode) -> bool:
    """Whether a cell has run to its end, be it an error."""
    return "shell.execute_reply" in cell.metadata.get("execution", {})


def _full_marks(references: References, trial: _Trial, ran: NotebookNode) -> bool:
    """Whether an answer passes all the checks of its exercise."""
    expected = references.cells.get(cell_id("check", trial.exercise))
    if expected is None:  # a cell of plain assertions
        return not any(output.output_type == "error" for output in ran.outputs)
    return all(result.passed for result in judge(expected, ran))
