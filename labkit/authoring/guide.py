"""What the guide for authors asks of an exercise, as far as its text shows it."""

import ast

from nbformat import NotebookNode

from labkit.checks.protocol import is_check
from labkit.labs.lab import Lab
from labkit.labs.script import Fault
from labkit.machine.syntax import parse


def exercise_faults(lab: Lab) -> list[Fault]:
    """The exercises of a lab that lack what each of them should have."""
    checks = {cell.metadata["check"]: cell for cell in lab.cells("check")}
    mistaken = {cell.metadata["mistakes"] for cell in lab.cells("mistakes")}
    faults = []
    for cell in lab.cells("solution"):
        name = cell.metadata["solution"]
        defined = _function(cell)
        faults += _text_faults(cell, defined)
        check = checks.get(name)
        if check is None:
            faults.append(
                Fault(cell.line, f'{name} has no # %% check="{name}" points=1')
            )
            continue
        if _predictions_only(check):
            continue  # no hint and no drawn input could show there
        if name not in mistaken:
            text = f'{name} has no # %% mistakes="{name}" with a usual wrong answer'
            faults.append(Fault(cell.line, text))
        if _arguments(defined) and "check.rng()" not in check.source:
            text = f"{name} has no drawn check; put one behind check.rng() in its hidden tests"
            faults.append(Fault(check.line, text))
    return faults


def _text_faults(cell: NotebookNode, defined: ast.FunctionDef | None) -> list[Fault]:
    """What is wrong with what a student sees of the exercise."""
    name = cell.metadata["solution"]
    if defined is None:
        if name in _assigned(cell):
            return []
        return [Fault(cell.line, f"{name} is neither defined nor assigned in its cell")]
    line = cell.source_line + defined.lineno - 1
    if _in_solution(cell, defined.lineno):
        text = (
            f"the signature of {name} stands inside its solution, so no student sees it"
        )
        return [Fault(line, text)]
    if ast.get_docstring(defined) is None:
        return [Fault(line, f"{name} has no docstring: it is what a student reads")]
    if _in_solution(cell, defined.body[0].lineno):
        text = (
            f"the docstring of {name} stands inside its solution, so no student sees it"
        )
        return [Fault(line, text)]
    return []


def _in_solution(cell: NotebookNode, line: int) -> bool:
    """Whether a line of the cell is cut out; a cell may define several functions."""
    above = "\n".join(cell.source.splitlines()[:line])
    return above.count("BEGIN SOLUTION") > above.count("END SOLUTION")


def _function(cell: NotebookNode) -> ast.FunctionDef | None:
    """The function of an exercise's name; None where it is a variable."""
    for node in parse(cell.source).body:
        if isinstance(node, ast.FunctionDef) and node.name == cell.metadata["solution"]:
            return node
    return None


def _assigned(cell: NotebookNode) -> set[str]:
    return {
        node.id
        for node in ast.walk(parse(cell.source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    } | {
        node.name for node in parse(cell.source).body if isinstance(node, ast.ClassDef)
    }


def _arguments(defined: ast.FunctionDef | None) -> bool:
    """Whether an exercise takes what could be drawn."""
    if defined is None:
        return False
    given = defined.args
    return bool(given.posonlyargs or given.args or given.kwonlyargs or given.vararg)


def _predictions_only(check: NotebookNode) -> bool:
    """Whether all checks of a cell ask for what a model predicts."""
    statements = [one for one in parse(check.source).body if is_check(one)]
    return bool(statements) and all(
        "check.predictions(" in ast.unparse(one) for one in statements
    )
