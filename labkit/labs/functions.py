"""The functions of a lab's text, its exercises solved, for what runs outside a notebook."""

import ast
from collections.abc import Callable
from types import FunctionType
from typing import Any

from labkit.checks.protocol import plain_python
from labkit.labs.lab import Lab
from labkit.machine.syntax import parse


def lab_functions(lab: Lab) -> dict[str, Callable[..., Any]]:
    """The functions that a lab's text defines, by name.

    Its imports and its definitions of functions run, nothing else: no data are loaded,
    nothing is trained. Checks and mistakes are left out.
    """
    kept: list[ast.stmt] = []
    for cell in lab.script.cells:
        if cell.cell_type == "code" and not {"check", "mistakes"} & set(cell.metadata):
            kept += [
                statement
                for statement in parse(plain_python(cell.source)).body
                if isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef))
            ]
    names: dict[str, Any] = {"__name__": lab.name}
    exec(compile(ast.Module(kept, []), str(lab.path), "exec"), names)
    return {name: one for name, one in names.items() if isinstance(one, FunctionType)}
