"""How often does the seed of a course spoil a sound lab? Each lab is tried with many.

Hidden checks draw their inputs from the course's seed, and the release refuses a lab of
which a usual mistake passes, is seen by no drawn check, or shows no hint. Where that is
so for one seed in twenty, a sound lab is refused in one course of twenty. Printed is each
fault that some seeds bring, and how many of them do.
"""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from nbformat import NotebookNode

from labkit.authoring.gate import drawn_faults
from labkit.checks.protocol import SEED, messages
from labkit.checks.references import CheckReference, References
from labkit.course import Course
from labkit.execution.execute import execute, grading_environment
from labkit.execution.grading_data import reference_environment
from labkit.labs.cells import check_names, mistake_functions, visible_source
from labkit.labs.companions import scratch_folder
from labkit.labs.lab import Lab, cell_id, find_labs, read_lab
from labkit.labs.reference_run import (
    AS_BEFORE,
    KEEP,
    OTHER_SEEDS,
    REDRAW,
    SUBSTITUTE,
    Redraw,
    Trial,
    code_cell,
    with_mistakes,
    with_redraws,
)
from labkit.labs.script import Fault
from labkit.labs.source import source_notebook

Trials = dict[int, list[Trial]]  # by seed
Draws = dict[int, list[Redraw]]


def main(
    labs: Annotated[list[str] | None, typer.Argument(help="Labs; none: all.")] = None,
    seeds: Annotated[int, typer.Option(help="How many seeds to try.")] = 20,
) -> None:
    """Try the labs of the course in this folder, and print what some seeds spoil."""
    course = Course.at(Path.cwd())
    course.create_seed()
    environment = reference_environment(course.build, course.seed)
    # Those that a seed's draws are compared with are draws of other seeds that are tried.
    tried = range(1000, 1000 + max(seeds, len(OTHER_SEEDS) + 1))
    for path in find_labs(course.solutions, labs):
        lab = read_lab(path)
        notebook, trials, draws = trial_notebook(lab, tried)
        with scratch_folder(path) as folder:
            ran = execute(
                notebook,
                folder,
                {**grading_environment(), **environment},
                cell_seconds=None,
            )
        found = [faults(lab, ran, seed, trials, draws) for seed in tried]
        spoiled = sum(map(bool, found))
        print(f"{lab.name}: {spoiled} of {len(tried)} seeds spoil it", flush=True)
        counted = Counter(fault for of_seed in found for fault in of_seed)
        for fault, count in counted.most_common():
            print(f"    {count} times, line {fault.line}: {fault.text}", flush=True)


def trial_notebook(lab: Lab, seeds: range) -> tuple[NotebookNode, Trials, Draws]:
    """The solution; after each check, what it and each mistake draw from each seed."""
    source = source_notebook(lab)
    built: list[NotebookNode] = []
    trials: Trials = {seed: [] for seed in seeds}
    draws: Draws = {seed: [] for seed in seeds}
    for cell in source.cells:
        built.append(cell)
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        for mistakes in lab.cells("mistakes") if "check.rng()" in cell.source else []:
            exercise = mistakes.metadata["mistakes"]
            if cell_id("check", exercise) != grade_id:
                continue
            built.append(code_cell(mistakes.source))
            for seed in seeds:
                place = _add(built, seed, cell.source)
                draws[seed].append(Redraw(grade_id, place))
                for name, hint in mistake_functions(mistakes):
                    put = SUBSTITUTE.format(key=exercise, mistake=name)
                    place = _add(built, seed, cell.source, put)
                    trial = Trial(grade_id, name, hint, place, mistakes.line)
                    trials[seed].append(trial)
    source.cells = built
    return source, trials, draws


def _add(built: list[NotebookNode], seed: int, check: str, put: str = "") -> int:
    """Add a check cell with what it draws from a seed; returns the place of that cell."""
    redraw = REDRAW.format(variable=SEED, seed=seed)
    built += [code_cell(f"{KEEP}\n{redraw}\n{put}"), code_cell(check)]
    built.append(code_cell(AS_BEFORE))
    return len(built) - 2


def faults(
    lab: Lab, ran: NotebookNode, seed: int, trials: Trials, draws: Draws
) -> list[Fault]:
    """What the release would say of a lab in a course with this seed."""
    drawn = {one.cell: ran.cells[one.notebook_cell] for one in draws[seed]}
    checks = {}
    for grade_id, cell in drawn.items():
        visible = check_names(visible_source(cell.source))
        checks[grade_id] = [
            CheckReference.from_message(one, one.name not in visible)
            for one in messages(cell)
        ]
    checks, found = with_mistakes(checks, trials[seed], ran)
    others = [other for other in draws if other != seed][: len(OTHER_SEEDS)]
    redraws = [one for other in others for one in draws[other]]
    checks = with_redraws(checks, redraws, ran)
    return found + drawn_faults(lab, References(lab.name, "", 0, checks))


if __name__ == "__main__":
    typer.run(main)
