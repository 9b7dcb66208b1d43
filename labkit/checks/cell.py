"""`check(name, value)`: what a student's check cell calls.

At home a check compares with the visible expected values that ship beside the
notebook and shows a line. At grading it only sends the value out; the grader
compares, in a process that the student's code cannot reach.
"""

import ast
import json
import os
import random
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from labkit import errors, profile
from labkit.checks import display, earned_points
from labkit.checks.display import in_points
from labkit.checks.expected import expected, expected_or_none, lab_folder
from labkit.checks.protocol import (
    MIME,
    SEED,
    CheckMessage,
    check_name,
    is_check,
    used_names,
)
from labkit.checks.references import CheckReference, References, judge_together
from labkit.checks.rescue import take
from labkit.checks.results import Result, score
from labkit.checks.values import MAX_BYTES, encode
from labkit.checks.waiting import Waiting
from labkit.errors import LabkitError
from labkit.files import content_hash
from labkit.machine.syntax import parse
from labkit.profile import strict


class CheckFailed(AssertionError):
    """Raised at the end of a check cell in which a check failed."""

    def _render_traceback_(self) -> list[str]:
        # The lines above it in the notebook say what is wrong; a traceback into
        # this package would only hide them.
        return [str(self)]


# A reference and what was sent for it; None where there is no reference.
_Compared = tuple[CheckReference, CheckMessage] | None


@dataclass
class _Cell:
    """What the check cell that is running has seen so far.

    `open` tells that its end will come: until then its results wait, for which hint a
    value deserves depends on the others.
    """

    open: bool = False
    waiting: list[tuple[Result, _Compared]] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    error: Exception | None = None
    # The exercises that were not written, one for each value that waits for one.
    awaited: list[str] = field(default_factory=list)
    problem: LabkitError | None = None
    hidden_inputs: bool = False
    given: dict[str, Any] = field(default_factory=dict)
    # By id; each value is kept as well, so that no other one can get its id.
    digests: dict[int, tuple[Any, str]] = field(default_factory=dict)

    def watch(self, values: dict[str, Any]) -> None:
        """Remember what the next check is about to be given."""
        self.given = {name: value for name, value in values.items() if _mutable(value)}
        for value in self.given.values():
            if id(value) not in self.digests:
                self.digests[id(value)] = value, _digest(value)

    def changed(self) -> list[str]:
        """The names of what was given and is not any more what it was."""
        return [
            name
            for name, value in self.given.items()
            if _digest(value) != self.digests[id(value)][1]
        ]


class Check:
    """Compare a named value with what the reference solution gave."""

    def __init__(self) -> None:
        self._cell = _Cell()
        self._waiting = Waiting()
        # What was given for exercises, by name: none of it where it was written later.
        self._given: dict[str, dict[str, Any]] = {}

    def __call__(
        self,
        name: str,
        value: Any,
        *,
        rtol: float = 1e-4,
        atol: float = 1e-6,
        weight: float = 1.0,
    ) -> None:
        """Check `value`: right where `|value - expected| <= atol + rtol * |expected|`.

        `weight` is this check's share of its cell's points, against the others'.
        """
        self._record(
            CheckMessage(name, encode(value), rtol=rtol, atol=atol, weight=weight)
        )

    def predictions(
        self,
        name: str,
        predictions: Any,
        labels: Any,
        *,
        at_least: float,
        weight: float = 1.0,
    ) -> None:
        """Check that predictions reach an accuracy.

        `predictions`: class numbers (N,) or one score a class (N, C); `labels`: (N,).
        At grading the labels are those of the reference run.
        """
        self._record(
            CheckMessage(
                name,
                encode(predictions),
                labels=encode(labels),
                at_least=at_least,
                weight=weight,
            )
        )

    def rng(self) -> np.random.Generator:
        """Random numbers for hidden inputs, other ones for each course.

        Every call starts at the same number. The checks after it in its cell count as
        checks of hidden inputs.
        """
        self._cell.hidden_inputs = True
        return np.random.default_rng(int(os.environ.get(SEED, "0"), 16))

    def rescue(self, exercise: str) -> None:
        """Define a working version of an exercise, at the price of its points.

        For who is stuck: all later points can be earned with it. Its text is not shown.
        The line stands in a cell below the exercise's own; the grader reads it. Raises
        LabkitError for an exercise that has no rescue.
        """
        from IPython import get_ipython

        shell = get_ipython()
        if shell is None:
            raise LabkitError(
                "check.rescue(...) belongs in a cell of the lab's notebook."
            )
        rescue = take(exercise, lab_folder(), self._waiting.cell)
        self._given[exercise] = rescue.run(exercise, shell.user_ns)
        shell.user_ns.update(self._given[exercise])
        if profile.name() != "grading":
            self._tell_price(exercise, rescue.names)

    def points(self) -> None:
        """Show the points of the lab, exercise by exercise: what is in so far."""
        references = expected()
        folder, guide = Path.cwd(), references.guide
        kept = earned_points.read(folder)
        earned = dict(kept.cells) if kept and kept.lab == references.lab else {}
        questions = earned_points.unanswered(folder / f"{references.lab}.ipynb")
        rescued = self._rescued_cells(references)
        earned |= dict.fromkeys(rescued, 0.0)
        listed = earned_points.Points.of(guide.tasks, earned, questions, rescued)
        display.show(listed.display())

    def _tell_price(self, exercise: str, names: tuple[str, ...]) -> None:
        references = expected_or_none()
        price = 0.0
        if references is not None:
            price = references.guide.price(exercise)
            cells = self._rescued_cells(references)
            tasks = references.guide.tasks
            earned_points.record(
                Path.cwd(), references.lab, tasks, dict.fromkeys(cells, 0.0)
            )
        listed = ", ".join(f"`{name}`" for name in names)
        display.line(
            f"{listed}: a working version is here, for the {in_points(price)} of this "
            "exercise. All others can be earned. Take the line away to write your own."
        )

    def _rescued_cells(self, references: References) -> set[str]:
        """The check cells of the exercises that are rescued at the moment."""
        from IPython import get_ipython

        shell = get_ipython()
        names = shell.user_ns if shell else {}
        return {
            cell
            for exercise, given in self._given.items()
            if any(names.get(name) is one for name, one in given.items())
            for cell in references.guide.checks_of(exercise)
        }

    def _record(self, message: CheckMessage) -> None:
        message = replace(
            message,
            hidden_inputs=self._cell.hidden_inputs,
            changed=tuple(self._cell.changed()),
        )
        if profile.name() == "grading":
            _send(message)
        else:
            self._judge(message)

    def _judge(self, message: CheckMessage) -> None:
        """Compare at home; where nothing is there to compare with, its cell says so once."""
        try:
            self._note(*_compare_at_home(message))
        except LabkitError as problem:
            if not self._cell.open:
                raise
            self._cell.problem = problem

    def _note(self, result: Result, compared: _Compared = None) -> None:
        self._cell.waiting.append((result, compared))
        if not self._cell.open:
            self._show()

    # What `CheckCells` below writes around the checks of a notebook cell.

    def _begin(self) -> None:
        """Start a check cell: every run of it sees the same random numbers."""
        self._cell = _Cell(open=True)
        self._waiting.in_check = True
        _seed()

    def _watch(self, namespace: dict[str, Any], names: tuple[str, ...]) -> None:
        """A check is next, and its text uses these names."""
        self._cell.watch({n: namespace[n] for n in names if n in namespace})

    def _raised(self, name: str, error: Exception) -> None:
        """The value of a check could not be computed: go on with the next one."""
        cell = self._cell
        kind, text = type(error).__name__, str(error)[:500]
        if profile.name() == "grading":
            cell.error = cell.error or error
            _send(CheckMessage(name, error=kind, text=text))
            return
        exercise = None if strict() else self._waiting.exercise(error)
        if exercise is None:
            cell.error = cell.error or error
        else:
            kind = NotImplementedError.__name__
            cell.awaited.append(exercise)
        self._judge(CheckMessage(name, error=kind, text=text))

    def _show(self) -> None:
        """Show the results that wait, with the hints that all of them bear out."""
        cell = self._cell
        waiting, cell.waiting, cell.open = cell.waiting, [], False
        judged = iter(judge_together([pair for _, pair in waiting if pair]))
        results = [next(judged) if pair else result for result, pair in waiting]
        cell.results += results
        if waiting and cell.awaited and all(_not_written(pair) for _, pair in waiting):
            self._tell_awaited(results, cell.awaited[0])
            return
        for result in results:
            display.show(result.display())

    def _end(self) -> None:
        """End a check cell, after every check has been shown.

        What failed is raised at grading, and where nothing is forgiven.
        """
        cell, self._cell = self._cell, _Cell()
        failed = sum(not result.passed for result in cell.results)
        if strict():
            if error := cell.problem or cell.error:
                raise error
            if failed:
                raise CheckFailed(f"{failed} of {len(cell.results)} checks failed.")
        elif cell.problem is not None:
            display.line(str(cell.problem))
        else:
            self._tell_points(cell.results)
            if cell.error is not None:
                self._waiting.show(cell.error)

    def _tell_awaited(self, results: list[Result], exercise: str) -> None:
        """Say in one line what all checks of a cell wait for."""
        guide = expected().guide
        known = guide.exercises.get(exercise)
        if known and _cell_of(expected(), results) not in known.checks:
            self._waiting.tell(exercise)
            return
        blank = replace(results[0], name=exercise or results[0].name)
        display.show(blank.display())

    def _tell_points(self, results: list[Result]) -> None:
        """Keep what a check cell earns, and say it in a line."""
        references = expected_or_none()
        if references is None or not (cell := _cell_of(references, results)):
            return
        task = references.guide.task(cell)
        if task is None:
            return
        rescued = cell in self._rescued_cells(references)
        found = {result.name: result for result in results}
        judged = [
            found.get(check.name) or check.failed("it did not run")
            for check in references.cells[cell]
        ]
        points = 0.0 if rescued else score(judged, task.points)
        so_far = earned_points.record(
            Path.cwd(), references.lab, references.guide.tasks, {cell: points}
        )
        display.line(
            f"{points:g} of {in_points(task.points)} here{' (rescued)' * rescued}, "
            f"{so_far.earned:g} of {so_far.of:g} in this lab so far."
        )


check = Check()


def _seed() -> None:
    random.seed(0)
    np.random.seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


def _send(message: CheckMessage) -> None:
    display.publish({MIME: message.to_json()})


def _mutable(value: Any) -> bool:
    return type(value) in (list, dict) or (
        type(value) is np.ndarray and value.nbytes < MAX_BYTES
    )


def _digest(value: Any) -> str:
    if isinstance(value, np.ndarray):
        described = f"{value.dtype} {value.shape}".encode() + value.tobytes()
    else:
        described = json.dumps(encode(value)).encode()
    return content_hash(described)


def _compare_at_home(message: CheckMessage) -> tuple[Result, _Compared]:
    references = expected([message.name])
    known = {check.name: check for check in references.checks()}
    reference = known.get(message.name)
    if reference is None:
        unknown = f"this check is not known here, among those of {references.lab}"
        return Result(message.name, passed=False, message=unknown), None
    if reference.at_least is not None and message.labels is not None:
        # At home the notebook may run on other data than the reference run did.
        reference = CheckReference.from_message(message, hidden=False)
    return reference.judge(message), (reference, message)


def _cell_of(references: References, results: list[Result]) -> str | None:
    """The id of the check cell that some results come from."""
    names = {result.name for result in results}
    for cell, checks in references.cells.items():
        if names & {check.name for check in checks}:
            return cell
    return None


def _not_written(compared: _Compared) -> bool:
    """Whether a check got nothing but the error of a blank, which it may have caught."""
    if compared is None:
        return False
    _, message = compared
    blank = NotImplementedError.__name__
    return message.error == blank or blank in json.dumps(message.value)


class CheckCells(ast.NodeTransformer):
    """Let every check of a notebook cell run, also after one that raised an error.

    IPython calls it on each cell before compiling it. A check's value is computed
    before `check` is called, so only the cell's own code can catch what it raises.
    """

    def visit_Module(self, module: ast.Module) -> ast.Module:
        if any(is_check(statement) for statement in module.body):
            body = [self._guarded(s) if is_check(s) else s for s in module.body]
            first, last = module.body[0], module.body[-1]
            # Also what was found before the cell's own code raised an error is shown.
            shown = ast.Try(body, [], [], [_parse("check._show()", last)])
            begin, end = _parse("check._begin()", first), _parse("check._end()", last)
            module.body = [begin, ast.copy_location(shown, first), end]
            ast.fix_missing_locations(module)
        return module

    def _guarded(self, statement: ast.stmt) -> ast.stmt:
        name = check_name(statement)
        if name is None:
            return statement
        used = used_names(statement)
        watch = _parse(f"check._watch(globals(), {used!r})", statement)
        raised = _parse(f"check._raised({name!r}, _labkit_error)", statement)
        any_error = ast.Name("Exception", ast.Load())
        handler = ast.ExceptHandler(any_error, "_labkit_error", [raised])
        guard = ast.Try([watch, statement], [handler], [], [])
        return ast.copy_location(guard, statement)


def _parse(source: str, place: ast.stmt) -> ast.stmt:
    """A statement of ours that stands, for a traceback, where one of the cell's does."""
    made = parse(source).body[0]
    for node in ast.walk(made):
        ast.copy_location(node, place)
    return made


def _install() -> None:
    """Register `CheckCells` with the running IPython shell, once."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and not any(
        isinstance(transformer, CheckCells) for transformer in shell.ast_transformers
    ):
        shell.ast_transformers.append(CheckCells())
        check._waiting.install(shell)
        if profile.name() == "grading":
            _seed()
            # IPython formats each error once more, for its history. Of a blank lab that
            # is most of the time that it takes, unless it leaves the code around out.
            shell.InteractiveTB.set_mode("Plain")


errors.install()
_install()  # it shows errors of all kinds, those of the line above too
