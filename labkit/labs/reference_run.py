"""The reference run: what the solution, and each usual mistake, gives for every check."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace as with_changes
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from labkit.checks.protocol import MIME
from labkit.checks.references import CheckReference, Mistake, cells, to_json
from labkit.errors import LabkitError
from labkit.execution.execute import execute, grading_environment
from labkit.execution.grading_data import reference_environment
from labkit.execution.keys import package_hash
from labkit.files import write_text
from labkit.labs.lab import (
    Lab,
    LabError,
    cell_id,
    check_names,
    mistake_functions,
    names_by_check,
    read_lab,
    visible_source,
)
from labkit.labs.source import source_notebook

# The mistaken function takes the right one's place for one run of the check cell;
# then every name is bound again as it was.
SUBSTITUTE = """\
_labkit_names = dict(globals())
{key} = {mistake} if callable({key}) else {mistake}()"""
RESTORE = "globals().update(_labkit_names)"


@dataclass(frozen=True)
class Trial:
    """One run of a check cell with a mistake in place of the solution."""

    cell: str
    mistake: str
    hint: str
    notebook_cell: int


def references(
    lab_path: Path,
    build: Path,
    seed: str,
    announce: Callable[[str], None] = lambda _: None,
) -> dict:
    """The references of a lab: those kept in `build`, or of a reference run made now.

    `seed` is the course's: hidden inputs come from it.
    """
    path = references_path(lab_path, build)
    key = _key(lab_path, seed)
    if path.is_file():
        kept = _parsed(path, path.stat().st_mtime_ns)
        if kept["key"] == key:
            return kept
    announce(f"{lab_path.stem}: reference run")
    told = reference_environment(build, seed)
    made = {"lab": lab_path.stem, "key": key, **run_reference(read_lab(lab_path), told)}
    write_text(path, json.dumps(made, indent=1))
    return made


def check_references(
    lab_path: Path, build: Path, seed: str
) -> dict[str, list[CheckReference]]:
    """The checks of a lab's references, by the id of their check cell."""
    references(lab_path, build, seed)
    path = references_path(lab_path, build)
    return _check_references(path, path.stat().st_mtime_ns)


@lru_cache
def _parsed(path: Path, changed: int) -> dict:
    """A file of references, read once for a whole class; `changed` is its time."""
    return json.loads(path.read_text("utf-8"))


@lru_cache
def _check_references(path: Path, changed: int) -> dict[str, list[CheckReference]]:
    return cells(_parsed(path, changed))


def references_path(lab_path: Path, build: Path) -> Path:
    """Where the references of a lab are kept. Never beside a notebook: nbgrader copies
    every file of a lab's source folder to where the student's code runs."""
    return build / "references" / f"{lab_path.stem}.json"


def run_reference(lab: Lab, told: dict[str, str]) -> dict:
    """Run the solution and its mistakes; returns the checks by cell and the seconds.

    `told` is what the kernel finds in the environment besides the usual.

    Raises LabError where a cell of the solution fails, a check is not recorded, or a
    mistake is not caught by the checks of its exercise.
    """
    notebook, trials = _reference_notebook(lab)
    with tempfile.TemporaryDirectory(prefix="labkit-reference-") as folder:
        ran = execute(notebook, Path(folder), {**grading_environment(), **told})
    trial_cells = {trial.notebook_cell for trial in trials}
    faults = _run_faults(ran, trial_cells)
    if faults:
        raise LabError("\n".join(f"{lab.path}: {fault}" for fault in faults))
    checks, faults = _recorded(lab, ran, trial_cells)
    checks, missed = _with_mistakes(checks, trials, ran)
    if faults or missed:
        raise LabError("\n".join(f"{lab.path}: {fault}" for fault in faults + missed))
    return {
        "cells": {cell: [to_json(c) for c in found] for cell, found in checks.items()},
        "seconds": run_seconds(ran),
    }


def expected_values(references: dict) -> dict:
    """What ships beside the notebook: the visible checks of a lab's references.

    Labels stay behind: at home a check of predictions takes the notebook's own.
    """
    visible = {
        cell: [
            {**check, "value": None} if "at_least" in check else check
            for check in checks
            if not check["hidden"]
        ]
        for cell, checks in references["cells"].items()
    }
    return {
        "lab": references["lab"],
        "cells": {c: found for c, found in visible.items() if found},
    }


def same_values(one: dict, other: dict) -> bool:
    """Whether two references files expect the same, within each check's tolerance."""
    one, other = cells(one), cells(other)
    if [(c, [x.name for x in found]) for c, found in one.items()] != [
        (c, [x.name for x in found]) for c, found in other.items()
    ]:
        return False
    pairs = zip(
        (check for found in one.values() for check in found),
        (check for found in other.values() for check in found),
        strict=True,
    )
    return all(_same_check(*pair) for pair in pairs)


def messages(cell: NotebookNode) -> list[dict]:
    """The check messages that a cell sent while it ran."""
    return [
        output["data"][MIME]
        for output in cell.get("outputs", [])
        if output.output_type == "display_data" and MIME in output.get("data", {})
    ]


def _key(lab_path: Path, seed: str) -> str:
    try:
        text = hashlib.sha256(seed.encode() + lab_path.read_bytes()).hexdigest()
    except OSError as error:
        raise LabkitError(f"{lab_path}: cannot be read: {error}") from None
    return f"{text[:16]}-{package_hash()[:16]}"


def _reference_notebook(lab: Lab) -> tuple[NotebookNode, list[Trial]]:
    """The solution with a trial of each mistake right after the check that should catch it."""
    source = source_notebook(lab)
    built, trials = [], []
    for cell in source.cells:
        built.append(cell)
        role = cell.metadata.get("nbgrader", {})
        if not (role.get("grade") and role.get("locked")):
            continue
        for mistakes in lab.cells("mistakes"):
            key = mistakes.metadata["mistakes"]
            if cell_id("check", key) == role["grade_id"]:
                trials += _add_trials(built, cell, mistakes, key)
    source.cells = built
    return source, trials


def _add_trials(
    built: list, check: NotebookNode, mistakes: NotebookNode, key: str
) -> list[Trial]:
    code = nbformat.v4.new_code_cell
    built.append(code(mistakes.source))
    trials = []
    for name, hint in mistake_functions(mistakes):
        built.append(code(SUBSTITUTE.format(key=key, mistake=name)))
        trials.append(Trial(cell_id("check", key), name, hint, len(built)))
        built += [code(check.source), code(RESTORE)]
    return trials


def _run_faults(ran: NotebookNode, trial_cells: set[int]) -> list[str]:
    faults = []
    stopped = ran.metadata.get("labkit", {}).get("stopped")
    if stopped:
        faults.append(stopped)
    for index, cell in enumerate(ran.cells):
        errors = [o for o in cell.get("outputs", []) if o.output_type == "error"]
        if errors and index not in trial_cells:
            first = cell.source.strip().splitlines()[0]
            faults.append(
                f"the cell {first!r} of the solution raises {errors[0].ename}: {errors[0].evalue}"
            )
    return faults


def _recorded(
    lab: Lab, ran: NotebookNode, trial_cells: set[int]
) -> tuple[dict, list[str]]:
    sources = {
        cell_id("check", cell.metadata["check"]): cell.source
        for cell in lab.cells("check")
    }
    checks: dict[str, list[CheckReference]] = {}
    faults = []
    for index, cell in enumerate(ran.cells):
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name not in sources or index in trial_cells:
            continue
        visible = check_names(visible_source(sources[name]))
        sent = messages(cell)
        names = names_by_check(sources[name])
        checks[name] = [
            CheckReference.from_message(
                m, m["name"] not in visible, names.get(m["name"], ())
            )
            for m in sent
        ]
        faults += [
            f"{name}: the visible check {check.name!r} would count as drawn; it stands "
            "after check.rng(). Put the hidden tests last in their cell"
            for check in checks[name]
            if check.drawn and not check.hidden
        ]
        if [m["name"] for m in sent] != check_names(sources[name]):
            faults.append(
                f"{name}: the run recorded {[m['name'] for m in sent]}, the cell has {check_names(sources[name])}"
            )
    return {cell: found for cell, found in checks.items() if found}, faults


def _with_mistakes(
    checks: dict, trials: list[Trial], ran: NotebookNode
) -> tuple[dict, list[str]]:
    """Add to each check what the mistakes give for it; also the mistakes that are of no use."""
    missed = []
    messages_of: dict[Trial, dict[str, dict]] = {}
    wrong: list[tuple[Trial, dict[str, dict]]] = []
    for trial in trials:
        sent = {
            m["name"]: m
            for m in messages(ran.cells[trial.notebook_cell])
            if "value" in m
        }
        failed = [
            c
            for c in checks[trial.cell]
            if c.name not in sent or not c.judge(sent[c.name]).passed
        ]
        if not failed:
            missed.append(
                f"{trial.cell} does not catch the mistake {trial.mistake}: all its checks pass"
            )
        elif not any(check.name in sent for check in failed):
            missed.append(
                f"the hint of {trial.mistake} can never show: it gives no value to any check of {trial.cell}"
            )
        wrong.append(
            (trial, {c.name: sent[c.name]["value"] for c in failed if c.name in sent})
        )
        messages_of[trial] = sent
    # Two mistakes can give the same value for a check. The one that spoils fewer
    # checks explains it better.
    for trial, values in sorted(wrong, key=lambda pair: len(pair[1])):
        checks[trial.cell] = [
            _and_mistake(check, trial, values) for check in checks[trial.cell]
        ]
    return checks, missed or _unshown(checks, messages_of)


def _unshown(checks: dict, messages_of: dict[Trial, dict[str, dict]]) -> list[str]:
    """Mistakes whose hint does not show, because another one has the same values."""
    faults = []
    for trial, sent in messages_of.items():
        results = [
            check.judge(sent[check.name])
            for check in checks[trial.cell]
            if check.name in sent
        ]
        hints = {result.hint for result in results if result.hint}
        if trial.hint not in hints:
            faults.append(
                f"the hint of {trial.mistake} does not show in {trial.cell}: other mistakes "
                "give the same values. Add a check that tells them apart, or join them"
            )
    return faults


def _and_mistake(
    check: CheckReference, trial: Trial, values: dict[str, dict]
) -> CheckReference:
    if check.name not in values:
        return check
    mistake = Mistake(trial.mistake, trial.hint, values[check.name])
    return with_changes(check, mistakes=(*check.mistakes, mistake))


def run_seconds(ran: NotebookNode) -> float:
    """How long the cells of a run took in all, trials included."""
    return round(sum(cell_seconds(cell) for cell in ran.cells), 2)


def cell_seconds(cell: NotebookNode) -> float:
    """How long a cell of a run took; 0 where it did not run."""
    times = cell.metadata.get("execution", {})
    start, end = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    if not (start and end):
        return 0.0
    took = datetime.fromisoformat(end[:26]) - datetime.fromisoformat(start[:26])
    return took.total_seconds()


def _same_check(one: CheckReference, other: CheckReference) -> bool:
    def terms(check: CheckReference) -> tuple:
        # In any order: how many drawn checks a mistake spoils differs by course.
        hints = sorted((mistake.name, mistake.hint) for mistake in check.mistakes)
        return (
            check.hidden,
            check.weight,
            check.rtol,
            check.atol,
            check.at_least,
            check.drawn,
            check.names,
            hints,
        )

    if terms(one) != terms(other):
        return False
    if one.at_least is not None:
        return True
    return one.judge({"value": other.value}).passed


def expected_json(references: dict) -> str:
    """The text of the expected.json that ships with a lab."""
    return json.dumps(expected_values(references), indent=1, ensure_ascii=False) + "\n"
