"""The reference run: what the solution, and each usual mistake, gives for every check."""

import ast
import copy
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import nbformat
from filelock import FileLock
from nbformat import NotebookNode

from labkit.checks.protocol import SEED, CheckMessage, messages
from labkit.checks.references import (
    CheckReference,
    Mistake,
    References,
    judge_together,
)
from labkit.checks.values import Encoded, encode
from labkit.errors import LabkitError
from labkit.execution.execute import execute, grading_environment
from labkit.execution.grading_data import reference_environment
from labkit.execution.keys import package_hash
from labkit.execution.run_metadata import RunMetadata
from labkit.execution.side_by_side import side_by_side
from labkit.files import content_hash, new_folder, write_text
from labkit.labs.cells import (
    check_names,
    mistake_functions,
    names_by_check,
    visible_source,
)
from labkit.labs.companions import companions, scratch_folder
from labkit.labs.lab import Lab, LabError, cell_id, read_lab
from labkit.labs.script import Fault
from labkit.labs.solution_files import SolutionFiles
from labkit.labs.source import source_notebook
from labkit.machine.syntax import parse

# Around what takes the solution's place for one run of the check cell: every name is bound
# again as it was, and an array that was changed in place is as it was.
KEEP = """\
def _labkit_copies(names):
    return {
        name: value.copy() if type(value).__name__ == "ndarray" else value
        for name, value in names.items()
        if not name.startswith("_labkit")
    }


_labkit_names = _labkit_copies(globals())"""
RESTORE = "globals().update(_labkit_copies(_labkit_names))"
SUBSTITUTE = """\
{key} = {mistake} if callable({key}) else {mistake}()"""
# What a check cell draws, once more from another seed. Several of them: a small whole
# number comes four times in a row by chance, and a sound lab would be refused in up to one
# course of twenty.
OTHER_SEEDS = (1, 2, 3, 4, 5, 6)
KEEP_SEED = f"""\
import os as _labkit_os
_labkit_seed = _labkit_os.environ.get("{SEED}")"""
OTHER_SEED = f'_labkit_os.environ["{SEED}"] = "{{seed:x}}"'
RESTORE_SEED = f"""\
_labkit_os.environ.pop("{SEED}")
if _labkit_seed is not None:
    _labkit_os.environ["{SEED}"] = _labkit_seed"""

_Checks = dict[str, list[CheckReference]]  # by the id of their check cell
_Sent = dict[str, CheckMessage]  # by the name of the check


@dataclass(frozen=True)
class Redraw:
    """One run of what a check cell draws, from another seed."""

    cell: str
    notebook_cell: int


@dataclass(frozen=True)
class Trial:
    """One run of a check cell with a mistake in place of the solution."""

    cell: str
    mistake: str
    hint: str
    notebook_cell: int
    line: int


def lab_references(
    lab_path: Path,
    build: Path,
    seed: str,
    announce: Callable[[str], None] = lambda _: None,
) -> References:
    """The references of a lab: those saved in `build`, or of a reference run made now.

    `seed` is the course's: hidden inputs come from it.
    """
    path = references_path(lab_path, build)
    key = _key(lab_path, seed)
    if (saved := _saved(path, key)) is not None:
        return saved
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):  # of two at once, one runs it
        if (saved := _saved(path, key)) is not None:
            return saved
        announce(f"{lab_path.stem}: reference run")
        lab, environment = read_lab(lab_path), reference_environment(build, seed)
        solution = solution_run_path(lab_path, build)
        with new_folder(solution) as folder:
            made = replace(record_references(lab, environment, folder), key=key)
            # Both are of one run: whoever is killed in between leaves none to be found.
            path.unlink(missing_ok=True)
            shutil.rmtree(solution, ignore_errors=True)
        made.save(path)
        return made


def prepare_references(
    lab_paths: Iterable[Path],
    build: Path,
    seed: str,
    announce: Callable[[str], None] = lambda _: None,
) -> dict[Path, LabkitError]:
    """Make ready what `lab_references` gives, one reference run beside the other.

    Returns the labs that have none, each with what is wrong with it.
    """

    def prepare(path: Path) -> tuple[Path, LabkitError | None]:
        try:
            lab_references(path, build, seed, announce)
        except LabkitError as error:
            return path, error
        return path, None

    outcome = side_by_side(prepare, lab_paths)
    return {path: error for path, error in outcome if error is not None}


def references_path(lab_path: Path, build: Path) -> Path:
    """Where the references of a lab are saved. Never beside a notebook: nbgrader copies
    every file of a lab's source folder to where the student's code runs."""
    return build / "references" / f"{lab_path.stem}.json"


def solution_run_path(lab_path: Path, build: Path) -> Path:
    """Where what its solution showed and wrote in the reference run of a lab is saved."""
    return build / "references" / lab_path.stem


def _saved(path: Path, key: str) -> References | None:
    """The saved references of a key; None where there are none, or only others."""
    try:
        found = _loaded(path, path.stat().st_mtime_ns)
    except (OSError, LabkitError):
        return None
    return found if found.key == key else None


@lru_cache
def _loaded(path: Path, _changed: int) -> References:
    """A file of references, read once for a whole class; `_changed` is its time."""
    return References.load(path)


def record_references(
    lab: Lab, environment: dict[str, str], solution: Path | None = None
) -> References:
    """Run the solution and its mistakes; returns what they gave, without a key.

    `environment` is what the kernel finds besides the usual. Into the folder `solution` go
    the solution's own cells as they ran, and the files that they wrote.

    Raises LabError where a cell of the solution fails, a check is not recorded, or a
    mistake is not caught by the checks of its exercise.
    """
    notebook, own, trials, redraws = _reference_notebook(lab)
    with scratch_folder(lab.path) as folder:
        files = SolutionFiles(folder, own)
        whole = {**grading_environment(), **environment}
        ran = execute(notebook, folder, whole, on_cell=files.before_cell)
        files.end()
    trial_cells = {trial.notebook_cell for trial in trials}
    trial_cells |= {redraw.notebook_cell for redraw in redraws}
    if faults := _run_faults(lab, ran, trial_cells):
        raise LabError.of(lab.path, faults)
    checks, faults = _recorded(lab, ran, trial_cells)
    checks, missed = with_mistakes(checks, trials, ran)
    if faults or missed:
        raise LabError.of(lab.path, faults + missed)
    checks = with_redraws(checks, redraws, ran)
    if solution is not None:
        files.write(solution)
        write_text(solution / f"{lab.name}.ipynb", nbformat.writes(_alone(ran, own)))
    return References(lab.name, "", run_duration(ran), checks)


def _alone(ran: NotebookNode, own: set[int]) -> NotebookNode:
    """The solution's cells of a reference run, numbered as if nothing else had run."""
    alone = copy.copy(ran)
    alone.cells = [ran.cells[index] for index in sorted(own)]
    code = (cell for cell in alone.cells if cell.cell_type == "code")
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number
    return alone


def _key(lab_path: Path, seed: str) -> str:
    try:
        brought = b"".join(
            str(place).encode() + (lab_path.parent / place).read_bytes()
            for place in companions(lab_path)
        )
        text = content_hash(seed.encode() + lab_path.read_bytes() + brought)
    except OSError as error:
        raise LabkitError(f"{lab_path}: cannot be read: {error}") from None
    return f"{text[:16]}-{package_hash()[:16]}"


def _reference_notebook(
    lab: Lab,
) -> tuple[NotebookNode, set[int], list[Trial], list[Redraw]]:
    """The solution; after each check, what it draws from other seeds, and its mistakes.

    Second, which of the cells are the solution's own.
    """
    source = source_notebook(lab)
    own: set[int] = set()
    built: list[NotebookNode] = []
    trials, redraws = [], []
    for cell in source.cells:
        own.add(len(built))
        built.append(cell)
        role = cell.metadata.get("nbgrader", {})
        if not (role.get("grade") and role.get("locked")):
            continue
        redraws += _add_redraws(built, cell)
        for mistakes in lab.cells("mistakes"):
            key = mistakes.metadata["mistakes"]
            if cell_id("check", key) == role["grade_id"]:
                trials += _add_trials(built, cell, mistakes, key)
    source.cells = built
    return source, own, trials, redraws


def _add_redraws(built: list[NotebookNode], check: NotebookNode) -> list[Redraw]:
    drawing = _drawing_part(check.source)
    if not drawing:
        return []
    redraws = []
    built.append(code_cell(f"{KEEP}\n{KEEP_SEED}"))
    for seed in OTHER_SEEDS:
        redraws.append(Redraw(check.metadata.nbgrader.grade_id, len(built)))
        built.append(code_cell(f"{RESTORE}\n{OTHER_SEED.format(seed=seed)}\n{drawing}"))
    built.append(code_cell(f"{RESTORE}\n{RESTORE_SEED}"))
    return redraws


def _drawing_part(source: str) -> str:
    """The text of a check cell from its first `check.rng()` on; empty where it has none."""
    for statement in parse(source).body:
        if any(
            isinstance(node, ast.Attribute) and ast.unparse(node) == "check.rng"
            for node in ast.walk(statement)
        ):
            return "\n".join(source.splitlines()[statement.lineno - 1 :])
    return ""


def _add_trials(
    built: list[NotebookNode], check: NotebookNode, mistakes: NotebookNode, key: str
) -> list[Trial]:
    built += [code_cell(mistakes.source), code_cell(KEEP)]
    trials = []
    for name, hint in mistake_functions(mistakes):
        substitute = SUBSTITUTE.format(key=key, mistake=name)
        trials.append(
            Trial(cell_id("check", key), name, hint, len(built), mistakes.line)
        )
        built.append(code_cell(f"{RESTORE}\n{substitute}\n{check.source}"))
    built.append(code_cell(RESTORE))
    return trials


def code_cell(source: str) -> NotebookNode:
    cell: NotebookNode = nbformat.v4.new_code_cell(source)
    return cell


def _run_faults(lab: Lab, ran: NotebookNode, trial_cells: set[int]) -> list[Fault]:
    faults = []
    if stopped := RunMetadata.of(ran).stopped:
        faults.append(Fault(1, stopped))
    lines = {cell.source: cell.line for cell in lab.script.cells}
    for index, cell in enumerate(ran.cells):
        errors = [o for o in cell.get("outputs", []) if o.output_type == "error"]
        if errors and index not in trial_cells:
            first = cell.source.strip().splitlines()[0]
            text = (
                f"the cell {first!r} of the solution raises {errors[0].ename}: "
                f"{errors[0].evalue}"
            )
            faults.append(Fault(lines.get(cell.source, 1), text))
        if index not in trial_cells and any(map(_is_wordless, cell.get("outputs", []))):
            text = (
                "draws a picture without alternative text. Matplotlib's figures and those "
                "of labkit.plots have it; else: display(Image(..., alt='what it shows'))"
            )
            faults.append(Fault(lines.get(cell.source, 1), text))
    return faults


def _is_wordless(output: NotebookNode) -> bool:
    """Whether an output is a picture that says nothing to those who cannot see it."""
    told = output.get("metadata", {})
    return any(
        kind.startswith("image/") and not told.get(kind, {}).get("alt")
        for kind in output.get("data", {})
    )


def _recorded(
    lab: Lab, ran: NotebookNode, trial_cells: set[int]
) -> tuple[_Checks, list[Fault]]:
    sources = {
        cell_id("check", cell.metadata["check"]): cell.source
        for cell in lab.cells("check")
    }
    checks: _Checks = {}
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
                one, one.name not in visible, names.get(one.name, ())
            )
            for one in sent
        ]
        faults += [
            Fault(
                lab.line(name),
                f"{name}: the visible check {check.name!r} would count as one of hidden "
                "inputs; it stands after check.rng(). Put the hidden tests last in "
                "their cell",
            )
            for check in checks[name]
            if check.hidden_inputs and not check.hidden
        ]
        recorded, written = [one.name for one in sent], check_names(sources[name])
        if recorded != written:
            text = f"{name}: the run recorded {recorded}, the cell has {written}"
            faults.append(Fault(lab.line(name), text))
    return {cell: found for cell, found in checks.items() if found}, faults


def with_mistakes(
    checks: _Checks, trials: list[Trial], ran: NotebookNode
) -> tuple[_Checks, list[Fault]]:
    """Add to each check what the mistakes give for it; also the mistakes that are of no use."""
    missed = []
    caught: dict[str, list[str]] = {}
    sent_in: dict[Trial, _Sent] = {}
    wrong: list[tuple[Trial, _Sent]] = []
    for trial in trials:
        sent = {
            message.name: message
            for message in messages(ran.cells[trial.notebook_cell])
            if message.error is None
        }
        failed = [
            check
            for check in checks[trial.cell]
            if check.name not in sent or not check.judge(sent[check.name]).passed
        ]
        for check in failed:
            caught.setdefault(check.name, []).append(trial.mistake)
        if not failed:
            text = f"{trial.cell} does not catch the mistake {trial.mistake}: all its checks pass"
            missed.append(Fault(trial.line, text))
        elif not any(check.name in sent for check in failed):
            text = (
                f"the hint of {trial.mistake} can never show: it gives no value to any "
                f"check of {trial.cell}{_raised(ran.cells[trial.notebook_cell])}"
            )
            missed.append(Fault(trial.line, text))
        wrong.append((trial, {c.name: sent[c.name] for c in failed if c.name in sent}))
        sent_in[trial] = sent
    # Two mistakes can give the same value for a check. The one that spoils fewer
    # checks explains it better.
    for trial, spoiled in sorted(wrong, key=lambda pair: len(pair[1])):
        checks[trial.cell] = [
            _and_mistake(check, trial, spoiled) for check in checks[trial.cell]
        ]
    checks = {
        cell: [replace(one, caught=tuple(caught.get(one.name, ()))) for one in found]
        for cell, found in checks.items()
    }
    return checks, missed or _unshown(checks, sent_in)


def _raised(cell: NotebookNode) -> str:
    """What a trial raised, to stand behind a message; empty where it ran to its end."""
    errors = [message.error for message in messages(cell) if message.error]
    errors += [
        f"{output.ename}: {output.evalue}"
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    return f", and raises {errors[0]}" if errors else ""


def with_redraws(checks: _Checks, redraws: list[Redraw], ran: NotebookNode) -> _Checks:
    """Tell each drawn check what it expects for other seeds."""
    sent: dict[str, list[Encoded]] = {}
    for redraw in redraws:
        for message in messages(ran.cells[redraw.notebook_cell]):
            sent.setdefault(message.name, []).append(message.value or encode(None))
    return {
        cell: [check.redrawn(sent.get(check.name, [])) for check in found]
        for cell, found in checks.items()
    }


def _unshown(checks: _Checks, sent_in: dict[Trial, _Sent]) -> list[Fault]:
    """Mistakes whose hint does not show, because another one has the same values."""
    faults = []
    for trial, sent in sent_in.items():
        results = judge_together(
            [
                (check, sent[check.name])
                for check in checks[trial.cell]
                if check.name in sent
            ]
        )
        hints = {result.hint for result in results if result.certain}
        if trial.hint not in hints:
            text = (
                f"the hint of {trial.mistake} does not show in {trial.cell}: other mistakes "
                "give the same values. Add a check that tells them apart, or join them"
            )
            faults.append(Fault(trial.line, text))
    return faults


def _and_mistake(check: CheckReference, trial: Trial, spoiled: _Sent) -> CheckReference:
    if check.name not in spoiled:
        return check
    mistake = Mistake(trial.mistake, trial.hint, spoiled[check.name].value)
    return replace(check, mistakes=(*check.mistakes, mistake))


def run_duration(ran: NotebookNode) -> float:
    """How many seconds the cells of a run took in all, trials included."""
    return round(sum(cell_duration(cell) for cell in ran.cells), 2)


def cell_duration(cell: NotebookNode) -> float:
    """How many seconds a cell of a run took; 0 where it did not run."""
    times = cell.metadata.get("execution", {})
    start, end = times.get("iopub.execute_input"), times.get("shell.execute_reply")
    if not (start and end):
        return 0.0
    took = datetime.fromisoformat(end[:26]) - datetime.fromisoformat(start[:26])
    return took.total_seconds()
