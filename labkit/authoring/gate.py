"""The release gate: everything that keeps a lab from its students.

It looks at the files that students would get, and it grades submissions with the real
grader: the solution, which must get full marks, the blank lab, which must get none, and
one in which every exercise that has a rescue is rescued: it must get all other points.
(That every usual mistake is caught and gets its hint is for the reference run.)
"""

import copy
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import nbformat
from markdown_it import MarkdownIt
from nbformat import NotebookNode
from nbgrader.api import Gradebook

from labkit.authoring.mutations import MARK
from labkit.checks.protocol import EXPECTED, CheckMessage, messages
from labkit.checks.references import CheckReference, References
from labkit.course import Course
from labkit.execution.execute import execute, grading_environment
from labkit.execution.grading_data import submission_environment
from labkit.execution.job import cached_run_path
from labkit.execution.run_metadata import CellMetadata, RunMetadata
from labkit.execution.speed import stretch
from labkit.files import write_text
from labkit.grading import engine
from labkit.grading.pipeline.skipping import NEEDED_TAG
from labkit.grading.progress import Progress
from labkit.labs.answers import rescue, solve
from labkit.labs.cells import mistake_functions, visible_source
from labkit.labs.companions import scratch_folder
from labkit.labs.guides import lab_guide
from labkit.labs.headings import anchor, headings
from labkit.labs.lab import MARKERS, Lab, cell_id
from labkit.labs.reference_run import cell_duration, lab_references
from labkit.labs.rescues import lab_rescues
from labkit.labs.script import Fault
from labkit.labs.source import source_notebook
from labkit.machine.syntax import parse

SOLUTION, BLANK, RESCUED = "the_solution", "the_blank_lab", "the_rescued_lab"
# Shorter texts of a reference can stand in a notebook by chance.
TELLING_LENGTH = 120
# "jupyter" says which cells are folded.
RELEASED_METADATA = {"nbgrader", "tags", "deletable", "editable", "jupyter"}


@dataclass(frozen=True)
class CellTime:
    """How long a cell of the solution took at grading."""

    heading: str
    first_line: str
    seconds: float


def file_faults(
    lab: Lab, folder: Path, references: References, labs: set[str]
) -> list[str]:
    """What is wrong with the files of a release: `labs` are the course's, for links."""
    notebook = nbformat.read(folder / f"{lab.name}.ipynb", as_version=4)
    text = json.dumps(notebook.cells, ensure_ascii=False)
    return (
        _notebook_faults(notebook)
        + [f"the release holds {what}" for what in _leaks(lab, notebook, text)]
        + _expected_faults(folder)
        + _reference_faults(folder, references)
        + _staff_files(lab, folder)
        + _link_faults(notebook, folder, labs)
    )


def grading_faults(
    course: Course, labs: list[Lab], progress: Progress
) -> dict[str, tuple[list[str], list[CellTime]]]:
    """Grade the solution, the blank and the rescued form of a scratch course's labs.

    Returns for each lab what is wrong, and how long each cell of the solution took.
    """
    for lab in labs:
        _hand_in(course, lab)
    options = engine.Options(progress=progress)
    grades = engine.grade(course, [lab.name for lab in labs], options=options)
    unread: dict[str, list[str]] = {}
    for one in grades:
        if one.reason:
            unread.setdefault(one.lab, []).append(f"{one.student}: {one.reason}")
    return {
        lab.name: (unread[lab.name], []) if lab.name in unread else _graded(course, lab)
        for lab in labs
    }


def _hand_in(course: Course, lab: Lab) -> None:
    blank = nbformat.read(course.released(lab.name), as_version=4)
    solved = solve(copy.deepcopy(blank), lab)
    handed_in = {SOLUTION: solved, BLANK: blank}
    if rescues := lab_rescues(lab):
        handed_in[RESCUED] = rescue(solved, rescues)
    for student, notebook in handed_in.items():
        place = course.submission(student, lab.name) / f"{lab.name}.ipynb"
        write_text(place, nbformat.writes(notebook) + "\n")


def _graded(course: Course, lab: Lab) -> tuple[list[str], list[CellTime]]:
    ran = _cached_run(course, lab, SOLUTION)
    times = _times(ran)
    faults = (
        _solution_faults(course, lab)
        + _blank_faults(course, lab)
        + (_rescue_faults(course, lab) if lab_rescues(lab) else [])
        + _budget_faults(ran, times, lab.grading_seconds)
    )
    return faults, times


def _notebook_faults(notebook: NotebookNode) -> list[str]:
    ids = [cell.id for cell in notebook.cells]
    faults = ["two cells have the same id"] if len(set(ids)) < len(ids) else []
    for cell in notebook.cells:
        if cell.get("outputs") or cell.get("execution_count"):
            faults.append(f"cell {cell.id} has outputs")
        foreign = set(cell.metadata) - RELEASED_METADATA
        if foreign:
            faults.append(
                f"cell {cell.id} has staff metadata: {', '.join(sorted(foreign))}"
            )
        if cell.cell_type == "code":
            try:
                parse(re.sub(r"^%.*$", "", cell.source, flags=re.M))
            except SyntaxError as error:
                faults.append(f"cell {cell.id} does not parse: {error.msg}")
    return faults


def _leaks(lab: Lab, notebook: NotebookNode, text: str) -> list[str]:
    leaks = [f"the marker {marker}" for marker in MARKERS if marker in text]
    leaks += [
        f"the mark {mark[0]!r}: put it inside the solution"
        for cell in notebook.cells
        if cell.cell_type == "code"
        for mark in MARK.finditer(cell.source)
    ]
    released = "\n".join(cell.source for cell in notebook.cells)
    for cell in lab.cells("mistakes"):
        leaks += [
            f"the mistake {line}"
            for line in _definitions(cell.source)
            if line in released
        ]
    for cell in lab.cells("check"):
        hidden = set(cell.source.splitlines()) - set(
            visible_source(cell.source).splitlines()
        )
        leaks += [
            f"the hidden line {line!r}"
            for line in hidden
            if _telling(line) and line in released
        ]
    return leaks


def _definitions(source: str) -> list[str]:
    return [line for line in source.splitlines() if line.startswith("def ")]


def _telling(line: str) -> bool:
    """Whether a line names a check, in one line or as the first argument below `check(`."""
    return line.strip().startswith(("check(", '"')) and line.strip() != "check("


def _expected_faults(folder: Path) -> list[str]:
    checks = list(References.load(folder / EXPECTED).checks())
    faults = []
    if any(check.hidden for check in checks):
        faults.append(f"{EXPECTED} holds a hidden check")
    if any(check != check.visible() for check in checks):
        faults.append(f"{EXPECTED} holds labels that only the grader may know")
    return faults


def _reference_faults(folder: Path, references: References) -> list[str]:
    """Hidden values that found their way into a file that students get."""
    checks = list(references.checks())
    visible = json.dumps([check.to_json() for check in checks if not check.hidden])
    hidden = {
        check.name: value
        for check in checks
        if check.hidden and len(value := _array_text(check)) > TELLING_LENGTH
    }
    faults = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        text = path.read_bytes().decode("utf-8", "ignore")
        faults += [
            f"{path.name} holds the value of the hidden check {name!r}"
            for name, value in hidden.items()
            if value in text and value not in visible
        ]
    return faults


def drawn_faults(lab: Lab, references: References) -> list[Fault]:
    """What is wrong with a lab's drawn checks: known before, or blind to a mistake."""
    return _drawing_faults(lab, references) + _undrawn_mistakes(lab, references)


def _drawing_faults(lab: Lab, references: References) -> list[Fault]:
    """Drawn checks of which everybody knows the right value before the course draws."""
    return [
        Fault(
            lab.line(name),
            f"the drawn check {check.name!r} expects the same for every seed, so it can be "
            "known before. Check a value that depends on what check.rng() gives",
        )
        for name, checks in references.cells.items()
        for check in checks
        if check.fixed
    ]


def _undrawn_mistakes(lab: Lab, references: References) -> list[Fault]:
    """Mistakes with which full marks can be had, by sending what is known."""
    faults = []
    declared = [
        (mistake, cell.metadata["mistakes"])
        for cell in lab.cells("mistakes")
        for mistake, _ in mistake_functions(cell)
    ]
    for mistake, exercise in declared:
        name = cell_id("check", exercise)
        drawn = [check for check in references.cells.get(name, []) if check.drawn]
        if not drawn or any(check.catches(mistake) for check in drawn):
            continue
        which = f"the mistake {mistake} of {exercise}"
        noticed = [check.name for check in drawn if mistake in check.caught]
        text = (
            f"the drawn check {noticed[0]!r} catches {which} only by what is the same for "
            "every seed, such as a no for a yes, which others know. Let what is drawn "
            "depend on it: `check(name, number if yes else 'no')`"
            if noticed
            else f"no drawn check catches {which}, so the values that others know hide "
            "it. Put what it gets wrong among the drawn inputs (or, where it is there and "
            "this course's seed alone draws nothing of it, choose another seed)"
        )
        faults.append(Fault(lab.line(name), text))
    return faults


def _array_text(check: CheckReference) -> str:
    """The text by which an expected array would be known; empty for other values."""
    return (check.value or {}).get("npy", "")


def _staff_files(lab: Lab, folder: Path) -> list[str]:
    allowed = {f"{lab.name}.ipynb", EXPECTED}
    extra = [
        p.name
        for p in folder.iterdir()
        if p.suffix in (".py", ".json", ".db") and p.name not in allowed
    ]
    return [f"the release holds the staff file {name}" for name in extra]


def _link_faults(notebook: NotebookNode, folder: Path, labs: set[str]) -> list[str]:
    """Links and images that lead nowhere: no such file, no such heading."""
    texts = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    anchors = set().union(*map(_anchors, texts))
    found = []
    for text in texts:
        for target in _targets(text):
            if not _resolves(target, folder, labs, anchors):
                found.append(
                    f"the link {target!r} leads nowhere" + _why(target, anchors)
                )
    return found


def _why(target: str, anchors: set[str]) -> str:
    """JupyterLab compares a link as the browser encodes it with the heading as written."""
    heading = unquote(target.removeprefix("#"))
    if heading.isascii() or heading not in anchors:
        return ""
    return (
        ": JupyterLab follows a link within a notebook only to a heading of plain "
        f"letters (a to z). Give {heading!r} another name"
    )


def _anchors(text: str) -> set[str]:
    """What JupyterLab calls the headings of a text in links."""
    return {
        anchor(line.lstrip("#").strip())
        for line in text.splitlines()
        if line.startswith("#")
    }


def _targets(text: str) -> list[str]:
    """Where the links and images of a text cell lead to."""
    tokens = [
        token
        for block in MarkdownIt().parse(text)
        for token in (block, *(block.children or ()))
    ]
    links = [token.attrs.get("href") or token.attrs.get("src") for token in tokens]
    html = "".join(t.content for t in tokens if t.type.startswith("html_"))
    links += re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)""", html)
    return [str(link) for link in links if link]


def _resolves(target: str, folder: Path, labs: set[str], anchors: set[str]) -> bool:
    if re.match(r"(https?|mailto):", target):
        return re.match(r"https?://[\w.-]+\.\w+(/|$|\?|#)", target) is not None
    if target.startswith(("data:", "attachment:")):
        return True
    path, _, place = target.partition("#")
    if not path:
        return place.replace("%20", "-") in anchors
    if place and path.endswith(".md") and (folder / path).is_file():
        return place in _anchors((folder / path).read_text(encoding="utf-8"))
    other = re.fullmatch(r"\.\./([^/]+)/\1\.ipynb", path)
    return (folder / path).is_file() or (other is not None and other[1] in labs)


def _solution_faults(course: Course, lab: Lab) -> list[str]:
    """Each cell in which the solution does not get all the points."""
    with Gradebook(course.gradebook_url) as gradebook:
        cells = gradebook.find_submission_notebook(lab.name, lab.name, SOLUTION).grades
        short = {
            cell.name: f"{cell.auto_score:g} of {cell.max_score:g} points"
            for cell in cells
            if cell.cell.cell_type == "code" and cell.auto_score != cell.max_score
        }
    graded = _graded_cells(course, lab, SOLUTION)
    faults, all_failed = [], []
    for name, points in short.items():
        checks = CellMetadata.of(graded[name]).checks
        failed = [one for one in checks if not one.passed]
        told = ", ".join(f"{one.name!r} ({one.message})" for one in failed)
        faults.append(
            f"the solution gets {points} in {name} (line {lab.line(name)}): "
            f"{told or 'see its cell'}"
        )
        all_failed += [one.name for one in failed]
    return faults + (_reasons(course, lab, all_failed) if faults else [])


def _reasons(course: Course, lab: Lab, failed: list[str]) -> list[str]:
    """Why checks that the reference run passes fail at grading.

    Two runs of the solution tell it, in which no cell is left out.
    """
    first, second = _whole_run(course, lab), _whole_run(course, lab)
    references = lab_references(lab.path, course.build, course.seed)
    expected = {check.name: check for check in references.checks()}
    changing, wrong, right = [], [], []
    for name in failed:
        if not (name in first and name in second):
            wrong.append(name)
        elif not _alike(expected[name], first[name], second[name]):
            changing.append(name)
        elif expected[name].judge(first[name]).passed:
            right.append(name)
        else:
            wrong.append(name)
    reasons = {
        "is not repeatable: it gives another value in each run. Seed what it draws, and "
        "let it depend on no time and no order": changing,
        "gives the same value in each run at grading, but another in the reference run: "
        "it may depend on test labels, which are shuffled at grading": wrong,
        "is right where all cells run. At grading, given cells that define nothing a "
        "check uses are left out; the one that changes what another defines needs "
        f'tags=["{NEEDED_TAG}"]': right,
    }
    return [
        f"{', '.join(map(repr, names))} {reason}"
        for reason, names in reasons.items()
        if names
    ]


def _whole_run(course: Course, lab: Lab) -> dict[str, CheckMessage]:
    """What the solution sends for each check where no cell is left out, as at grading."""
    environment = submission_environment(course.build, course.seed)
    with scratch_folder(lab.path) as folder:
        ran = execute(
            source_notebook(lab),
            folder,
            {**grading_environment(), **environment},
        )
    return {sent.name: sent for cell in ran.cells for sent in messages(cell)}


def _alike(check: CheckReference, first: CheckMessage, second: CheckMessage) -> bool:
    """Whether two runs sent the same for a check, within its tolerance."""
    if check.at_least is not None:
        return check.judge(first).passed == check.judge(second).passed
    return replace(check, value=first.value).judge(second).passed


def _blank_faults(course: Course, lab: Lab) -> list[str]:
    """What the blank lab earns, and what stops it before its first exercise."""
    with Gradebook(course.gradebook_url) as gradebook:
        cells = gradebook.find_submission_notebook(lab.name, lab.name, BLANK).grades
        earned = {c.name: c.score for c in cells if c.score}
    faults = [f"the blank lab gets {score:g} in {n}" for n, score in earned.items()]
    ran = _cached_run(course, lab, BLANK)
    errors = [
        (cell.id, output)
        for cell in ran.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    if errors and errors[0][1].ename != "NotImplementedError":
        where, error = errors[0]
        faults.append(
            f"the blank lab stops at cell {where} with {error.ename}: {error.evalue}; "
            "expected the NotImplementedError of an exercise"
        )
    if not errors and lab.cells("solution"):
        faults.append(
            "the blank lab runs without the NotImplementedError of an exercise"
        )
    return faults


def _rescue_faults(course: Course, lab: Lab) -> list[str]:
    """Each cell in which a lab whose exercises are rescued does not get what is left."""
    exercises = lab_guide(lab).exercises.values()
    paid = {cell for one in exercises if one.rescue for cell in one.checks}
    graded = _graded_cells(course, lab, RESCUED)
    faults = []
    for name, cell in graded.items():
        failed = [one for one in CellMetadata.of(cell).checks if not one.passed]
        if failed and name not in paid:
            told = ", ".join(f"{one.name!r} ({one.message})" for one in failed)
            faults.append(
                f"beside rescued exercises the solution fails in {name} "
                f"(line {lab.line(name)}): {told}"
            )
    return faults + _rescue_errors(course, lab)


def _rescue_errors(course: Course, lab: Lab) -> list[str]:
    """The rescues that raise an error, or whose exercise fails as it is checked."""
    faults = []
    for cell in _cached_run(course, lab, RESCUED).cells:
        wrong = [
            output.ename
            for output in cell.get("outputs", [])
            if output.output_type == "error"
        ]
        if wrong or any(message.error for message in messages(cell)):
            why = wrong[0] if wrong else "a check that gets no value"
            faults.append(f"with rescued exercises the cell {cell.id} ends with {why}")
    return faults


def _graded_cells(course: Course, lab: Lab, student: str) -> dict[str, NotebookNode]:
    path = course.autograded_notebook(student, lab.name)
    cells = nbformat.read(path, as_version=4).cells
    return {
        cell.metadata.nbgrader.grade_id: cell
        for cell in cells
        if "nbgrader" in cell.metadata
    }


def _cached_run(course: Course, lab: Lab, student: str) -> NotebookNode:
    """The notebook of a submission as it ran."""
    path = cached_run_path(course.build, student, lab.name, lab.name)
    return nbformat.read(path, as_version=4)


def _budget_faults(
    ran: NotebookNode, times: list[CellTime], budget: float
) -> list[str]:
    spent = RunMetadata.of(ran).cpu_seconds
    if spent <= budget:
        return []
    times_more = stretch(grading_environment())
    if spent <= budget * times_more:
        return []
    here = (
        f", {budget * times_more:.3g} on this slower machine" if times_more > 1 else ""
    )
    slowest = max(times, key=lambda cell: cell.seconds)
    return [
        f"the solution takes {spent:.0f} CPU seconds at grading, its budget is {budget:g}{here}; "
        f"the slowest cell ({slowest.first_line!r}, under {slowest.heading!r}) takes "
        f"{slowest.seconds:.0f} s"
    ]


def _times(ran: NotebookNode) -> list[CellTime]:
    return [
        CellTime(heading, cell.source.strip().splitlines()[0][:60], cell_duration(cell))
        for cell, heading in zip(ran.cells, headings(ran), strict=True)
        if cell.cell_type == "code" and cell.source.strip()
    ]
