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
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from labkit import errors, profile
from labkit.checks.protocol import (
    EXPECTED,
    MIME,
    SEED,
    CheckMessage,
    check_name,
    is_check,
    used_names,
)
from labkit.checks.references import CheckReference, References, judge_together
from labkit.checks.released import released_expected
from labkit.checks.results import Result, error_message
from labkit.checks.values import MAX_BYTES, encode
from labkit.errors import LabkitError
from labkit.files import content_hash


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
    done: int = 0
    failed: int = 0
    error: Exception | None = None
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

    def _record(self, message: CheckMessage) -> None:
        message = replace(
            message,
            hidden_inputs=self._cell.hidden_inputs,
            changed=tuple(self._cell.changed()),
        )
        if profile.name() == "grading":
            _send(message)
        else:
            self._note(*_compare_at_home(message))

    def _note(self, result: Result, compared: _Compared = None) -> None:
        self._cell.done += 1
        self._cell.failed += not result.passed
        self._cell.waiting.append((result, compared))
        if not self._cell.open:
            self._show()

    # What `CheckCells` below writes around the checks of a notebook cell.

    def _begin(self) -> None:
        """Start a check cell: every run of it sees the same random numbers."""
        self._cell = _Cell(open=True)
        _seed()

    def _watch(self, namespace: dict[str, Any], names: tuple[str, ...]) -> None:
        """A check is next, and its text uses these names."""
        self._cell.watch({n: namespace[n] for n in names if n in namespace})

    def _raised(self, name: str, error: Exception) -> None:
        """The value of a check could not be computed: go on with the next one."""
        self._cell.error = self._cell.error or error
        kind, text = type(error).__name__, str(error)[:500]
        message = CheckMessage(name, error=kind, text=text)
        if profile.name() == "grading":
            _send(message)
            return
        try:
            self._note(*_compare_at_home(message))
        except (FileNotFoundError, LabkitError):
            # No expected values: that is the error at hand.
            self._note(Result(name, passed=False, message=error_message(kind, text)))

    def _show(self) -> None:
        """Show the results that wait, with the hints that all of them bear out."""
        waiting, self._cell.waiting, self._cell.open = self._cell.waiting, [], False
        judged = iter(judge_together([pair for _, pair in waiting if pair]))
        for result, pair in waiting:
            _display(next(judged) if pair else result)

    def _end(self) -> None:
        """End a check cell: raise once, after every check has been shown."""
        cell, self._cell = self._cell, _Cell()
        if cell.error is not None:
            raise cell.error
        if cell.failed:
            raise CheckFailed(f"{cell.failed} of {cell.done} checks failed.")


check = Check()


def _seed() -> None:
    random.seed(0)
    np.random.seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


def _send(message: CheckMessage) -> None:
    _publish({MIME: message.to_json()})


def _display(result: Result) -> None:
    from IPython import get_ipython

    if get_ipython() is None:
        print(result.text())
    else:
        _publish(result.display())


def _publish(data: dict[str, Any]) -> None:
    from IPython.display import publish_display_data

    publish_display_data(data)


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
    reference = _expected(message.name).get(message.name)
    if reference is None:
        unknown = "this check is not known here"
        return Result(message.name, passed=False, message=unknown), None
    if reference.at_least is not None and message.labels is not None:
        # At home the notebook may run on other data than the reference run did.
        reference = CheckReference.from_message(message, hidden=False)
    return reference.judge(message), (reference, message)


def _expected(name: str) -> dict[str, CheckReference]:
    """The expected values beside the notebook, or those that LABKIT_EXPECTED names.

    Where there are none, those that came with the package for a check of this name.
    """
    path = Path(os.environ.get("LABKIT_EXPECTED", EXPECTED))
    if not path.is_file():
        path = released_expected([name]) or path
    if not path.is_file():
        raise FileNotFoundError(
            f"The expected values are missing: no file {path} in {Path.cwd()}. Put the "
            f"lab's {EXPECTED} beside the notebook (it comes with it), and run again."
        )
    return _checks_by_name(path.resolve(), path.stat().st_mtime_ns)


@lru_cache(maxsize=1)
def _checks_by_name(path: Path, _changed: int) -> dict[str, CheckReference]:
    return {check.name: check for check in References.load(path).checks()}


class CheckCells(ast.NodeTransformer):
    """Let every check of a notebook cell run, also after one that raised an error.

    IPython calls it on each cell before compiling it. A check's value is computed
    before `check` is called, so only the cell's own code can catch what it raises.
    """

    def visit_Module(self, module: ast.Module) -> ast.Module:
        if any(is_check(statement) for statement in module.body):
            body = [self._guarded(s) if is_check(s) else s for s in module.body]
            # Also what was found before the cell's own code raised an error is shown.
            shown = ast.Try(body, [], [], [_parse("check._show()")])
            module.body = [_parse("check._begin()"), shown, _parse("check._end()")]
            ast.fix_missing_locations(module)
        return module

    def _guarded(self, statement: ast.stmt) -> ast.stmt:
        name = check_name(statement)
        if name is None:
            return statement
        watch = _parse(f"check._watch(globals(), {used_names(statement)!r})")
        raised = _parse(f"check._raised({name!r}, _labkit_error)")
        any_error = ast.Name("Exception", ast.Load())
        handler = ast.ExceptHandler(any_error, "_labkit_error", [raised])
        guard = ast.Try([watch, statement], [handler], [], [])
        return ast.copy_location(guard, statement)


def _parse(source: str) -> ast.stmt:
    return ast.parse(source).body[0]


def _install() -> None:
    """Register `CheckCells` with the running IPython shell, once."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is not None and not any(
        isinstance(transformer, CheckCells) for transformer in shell.ast_transformers
    ):
        shell.ast_transformers.append(CheckCells())
        if profile.name() == "grading":
            _seed()


_install()
errors.install()
