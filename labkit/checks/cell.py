"""`check(name, value)`: what a student's check cell calls.

At home a check compares with the visible expected values that ship beside the
notebook and shows a line. At grading it only sends the value out; the grader
compares, in a process that the student's code cannot reach.
"""

import ast
import hashlib
import json
import os
import random
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from labkit import profile
from labkit.checks.protocol import (
    EXPECTED,
    MIME,
    SEED,
    check_name,
    is_check,
    used_names,
)
from labkit.checks.references import (
    CheckReference,
    Result,
    checks_by_name,
    error_message,
    result_html,
)
from labkit.checks.values import MAX_BYTES, encode


class CheckFailed(AssertionError):
    """Raised at the end of a check cell in which a check failed."""

    def _render_traceback_(self) -> list[str]:
        # The lines above it in the notebook say what is wrong; a traceback into
        # this package would only hide them.
        return [str(self)]


@dataclass
class _Cell:
    """What the check cell that is running has seen so far."""

    done: int = 0
    failed: int = 0
    error: Exception | None = None
    drawn: bool = False
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
        """Check `value`: right where |value - expected| <= atol + rtol * |expected|.

        `weight` is this check's share of its cell's points, against the others'.
        """
        self._record(
            name, encode(value), {"rtol": rtol, "atol": atol, "weight": weight}
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
        scores = encode(predictions)
        terms = {"at_least": at_least, "weight": weight}
        self._record(name, scores, terms, labels=encode(labels))

    def rng(self) -> np.random.Generator:
        """Random numbers for the inputs of hidden checks, other ones for each course.

        Every call starts at the same number. The checks after it in its cell count as drawn.
        """
        self._cell.drawn = True
        return np.random.default_rng(int(os.environ.get(SEED, "0"), 16))

    def _record(
        self, name: str, value: dict, terms: dict, labels: dict | None = None
    ) -> None:
        message = {"name": name, "value": value, **terms}
        if labels is not None:
            message["labels"] = labels
        if self._cell.drawn:
            message["drawn"] = True
        changed = self._cell.changed()
        if changed:
            message["changed"] = changed
        if profile.name() == "grading":
            _send(message)
        else:
            self._show(_compare_at_home(message))

    def _show(self, result: Result) -> None:
        self._cell.done += 1
        self._cell.failed += not result.passed
        _display(result)

    # What `CheckCells` below writes around the checks of a notebook cell.

    def _begin(self) -> None:
        """Start a check cell: every run of it sees the same random numbers."""
        self._cell = _Cell()
        _seed()

    def _watch(self, namespace: dict[str, Any], names: tuple[str, ...]) -> None:
        """A check is next, and its text uses these names."""
        self._cell.watch({n: namespace[n] for n in names if n in namespace})

    def _raised(self, name: str, error: Exception) -> None:
        """The value of a check could not be computed: go on with the next one."""
        self._cell.error = self._cell.error or error
        kind, text = type(error).__name__, str(error)[:500]
        message = {"name": name, "error": kind, "text": text}
        if profile.name() == "grading":
            _send(message)
            return
        try:
            self._show(_compare_at_home(message))
        except FileNotFoundError:  # no expected values: that is the error at hand
            self._show(Result(name, passed=False, message=error_message(kind, text)))

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


def _send(message: dict) -> None:
    from IPython.display import publish_display_data

    publish_display_data({MIME: message})


def _display(result: Result) -> None:
    from IPython import get_ipython
    from IPython.display import publish_display_data

    if get_ipython() is None:
        print(result.text())
    else:
        publish_display_data(
            {"text/plain": result.text(), "text/html": result_html(result)}
        )


def _mutable(value: Any) -> bool:
    return type(value) in (list, dict) or (
        type(value) is np.ndarray and value.nbytes < MAX_BYTES
    )


def _digest(value: Any) -> str:
    if isinstance(value, np.ndarray):
        described = f"{value.dtype} {value.shape}".encode() + value.tobytes()
    else:
        described = json.dumps(encode(value)).encode()
    return hashlib.sha256(described).hexdigest()


def _compare_at_home(message: dict) -> Result:
    reference = _expected().get(message["name"])
    if reference is None:
        return Result(
            message["name"], passed=False, message="this check is not known here"
        )
    if reference.at_least is not None and "labels" in message:
        # At home the notebook may run on other data than the reference run did.
        reference = CheckReference.from_message(message, hidden=False)
    return reference.judge(message)


def _expected() -> dict[str, CheckReference]:
    """The expected values beside the notebook, or those that LABKIT_EXPECTED names."""
    path = Path(os.environ.get("LABKIT_EXPECTED", EXPECTED))
    if not path.is_file():
        raise FileNotFoundError(
            f"The expected values are missing: no file {path} in {Path.cwd()}. Put the "
            f"lab's {EXPECTED} beside the notebook (it comes with it), and run again."
        )
    stamp = (str(path.resolve()), path.stat().st_mtime_ns)
    if stamp not in _CACHE:
        _CACHE.clear()
        _CACHE[stamp] = checks_by_name(json.loads(path.read_text("utf-8")))
    return _CACHE[stamp]


_CACHE: dict[tuple, dict[str, CheckReference]] = {}


class CheckCells(ast.NodeTransformer):
    """Let every check of a notebook cell run, also after one that raised an error.

    IPython calls it on each cell before compiling it. A check's value is computed
    before `check` is called, so only the cell's own code can catch what it raises.
    """

    def visit_Module(self, module: ast.Module) -> ast.Module:
        if any(is_check(statement) for statement in module.body):
            body = [self._guarded(s) if is_check(s) else s for s in module.body]
            module.body = [_parse("check._begin()"), *body, _parse("check._end()")]
            ast.fix_missing_locations(module)
        return module

    def _guarded(self, statement: ast.Expr) -> ast.stmt:
        name = check_name(statement)
        if name is None:
            return statement
        guard = _parse(
            "try:\n    pass\n"
            "except Exception as _labkit_error:\n"
            f"    check._raised({name!r}, _labkit_error)"
        )
        watch = _parse(f"check._watch(globals(), {used_names(statement)!r})")
        guard.body = [watch, statement]
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
