"""Run All goes on: which errors of a cell are forgiven, and how the others are shown.

A cell that needs a missing answer says which exercise it waits for. A check cell whose
answer raises an error shows it and lets the cells below it run. Any other error stops,
as in every notebook. Nothing is forgiven at grading, and where LABKIT_STRICT is 1.
"""

import ast
import re
import sys
import traceback
from types import TracebackType
from typing import Any

from labkit.checks import display, tracebacks
from labkit.checks.expected import expected_or_none
from labkit.checks.guide import Guide
from labkit.checks.protocol import plain_python
from labkit.checks.references import NOT_DEFINED
from labkit.errors import LabkitError, missing_library
from labkit.machine.syntax import parse
from labkit.profile import strict


class Waiting:
    """What the cells of this kernel wait for, and which of their errors are forgiven."""

    def __init__(self) -> None:
        self.in_check = False
        self.cell: str | None = None
        self._forgiven: BaseException | None = None
        # Names and files that a waiting cell did not make, and the exercise it waits for.
        self._missing: dict[str, str] = {}

    def install(self, shell: Any) -> None:
        """Take over the errors of a notebook's cells."""
        shell.set_custom_exc((Exception, KeyboardInterrupt), self._failed)
        shell.events.register("pre_run_cell", self._begin)
        shell.events.register("post_run_cell", self._end)

    def exercise(self, error: BaseException) -> str | None:
        """The exercise that has to be written for an error to go away; None if none has.

        It is empty where an exercise is not written and its name is not known.
        """
        if isinstance(error, NotImplementedError):
            return _unwritten(error)
        missing = NOT_DEFINED.search(str(error)) if type(error) is NameError else None
        if missing is None:
            return None
        name = missing[1]
        if name in self._missing:
            return self._missing[name]
        exercise = _guide().exercise_of(name)
        return exercise if exercise and _is_variable(exercise) else None

    def show(self, error: BaseException, tb: TracebackType | None = None) -> None:
        """Show an error as a student reads it."""
        from IPython import get_ipython

        shell = get_ipython()
        if shell is None:
            traceback.print_exception(error)
            return
        tb = tb or error.__traceback__
        error = missing_library(error) or error
        shell._showtraceback(type(error), error, _lines(shell, error, tb))

    def _begin(self, info: Any) -> None:
        self.in_check, self._forgiven, self.cell = False, None, info.raw_cell

    def _end(self, result: Any) -> None:
        if result.error_in_exec is not None and result.error_in_exec is self._forgiven:
            result.error_in_exec = None
        elif self._missing and result.success:
            # What was written or made meanwhile is not waited for.
            made = _made(self.cell or "")
            self._missing = {
                name: exercise
                for name, exercise in self._missing.items()
                if not {name, exercise} & made
            }

    def _failed(
        self,
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        tb: TracebackType | None,
        tb_offset: int | None = None,
    ) -> None:
        """Show the error that a cell ended with; called by IPython."""
        sys.last_type, sys.last_value, sys.last_traceback = kind, error, tb
        exercise = None if strict() else self._awaited(error)
        if exercise is not None:
            self._wait(exercise)
        elif isinstance(error, SyntaxError):
            shell.showsyntaxerror()  # it has no frame of the cell, and shows its line
        else:
            self.show(error, tb)
        in_check = self.in_check and isinstance(error, Exception) and not strict()
        if exercise is not None or in_check:
            self._forgiven = error

    def _awaited(self, error: BaseException) -> str | None:
        """The exercise that the cell which raised an error waits for; None if for none.

        That is also what a cell above it waits for that was to make one of its names or
        files: half of a list may be there.
        """
        exercise = self.exercise(error)
        if exercise is not None or not isinstance(error, Exception):
            return exercise
        cell = self.cell or ""
        used = (_names(cell, ast.Load) - _names(cell, ast.Store)) | _files(cell)
        used &= set(self._missing)
        return self._missing[min(used)] if used else None

    def _wait(self, exercise: str) -> None:
        defined = _made(self.cell or "")
        own = not exercise or exercise in defined
        if own or self.in_check:
            display.line(f"Not written yet{f': `{exercise}`' if exercise else ''}.")
            return
        self._missing |= dict.fromkeys(defined, exercise)
        self.tell(exercise)

    def tell(self, exercise: str) -> None:
        """Say that a cell waits for an exercise, and how to go on without it."""
        known = _guide().exercises.get(exercise)
        price = display.in_points(_guide().price(exercise))
        stuck = (
            f' Stuck? `check.rescue("{exercise}")`, in a cell below the exercise, gives '
            f"you a working one for its {price}."
        )
        rescue = stuck if known and known.rescue else ""
        display.line(f"This cell waits for the exercise `{exercise}`.{rescue}")


def _unwritten(error: BaseException) -> str | None:
    """The exercise whose stub raised an error; None where something else did."""
    from IPython import get_ipython

    shell = get_ipython()
    frames = tracebacks.own_frames(shell, error.__traceback__) if shell else []
    if not frames:
        return None
    for frame in reversed(frames):
        if exercise := _guide().exercise_of(frame.function):
            return exercise
    inner = frames[-1].function
    return "" if inner.startswith("<") else inner


def _is_variable(exercise: str) -> bool:
    """Whether an exercise that is not there yet is a value, which its blank does not make.

    A function's blank makes a function: where its name is unknown, its cell did not run.
    """
    return _guide().exercises[exercise].value


def _guide() -> Guide:
    found = expected_or_none()
    return found.guide if found else Guide()


def _made(source: str) -> set[str]:
    """The names and files that a cell makes, as far as its text shows them."""
    return _names(source, ast.Store) | _files(source)


def _files(source: str) -> set[str]:
    """What reads like the name of a file between the quotes of a cell's text."""
    return set(re.findall(r"""["']([\w./-]+\.[a-z]\w{1,4})["']""", source))


def _names(source: str, context: type[ast.expr_context]) -> set[str]:
    """The names in a cell's text that are stored, with its definitions, or loaded."""
    try:
        tree = parse(plain_python(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and context is ast.Store:
            found.add(node.name)
    return found


def _lines(shell: Any, error: BaseException, tb: TracebackType | None) -> list[str]:
    """The lines of an error: one message of ours, or the student's own frames."""
    if hasattr(error, "_render_traceback_"):
        return list(error._render_traceback_())
    if isinstance(error, LabkitError):
        return [str(error)]
    found = tracebacks.lines(shell, error, tb)
    if not found:
        usual = shell.InteractiveTB.structured_traceback(type(error), error, tb)
        found = list(usual)
    missing = NOT_DEFINED.search(str(error)) if type(error) is NameError else None
    place = _guide().place_of(missing[1]) if missing else None
    if missing and place:
        found.append(
            f'`{missing[1]}` is made in a cell above, under "{place}". Run that cell '
            "first, or all of them: menu Run, Run All Above Selected Cell."
        )
    return found
