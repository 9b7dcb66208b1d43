"""What a check's text and its messages look like, for who writes and who reads them."""

import ast

MIME = "application/vnd.labkit.check+json"
EXPECTED = "expected.json"
# The environment variable from which hidden checks draw their inputs (hexadecimal).
SEED = "LABKIT_INPUTS"


def is_check(statement: ast.stmt) -> bool:
    """Whether a statement is `check("name", ...)` or `check.predictions("name", ...)`."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    called = statement.value.func
    if isinstance(called, ast.Attribute):
        called = called.value
    return isinstance(called, ast.Name) and called.id == "check"


def used_names(statement: ast.stmt) -> tuple[str, ...]:
    """The names that a check statement reads, in order; `check` itself left out."""
    found = [
        node.id
        for node in ast.walk(statement)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
    ]
    return tuple(name for name in dict.fromkeys(found) if name != "check")


def check_name(statement: ast.stmt) -> str | None:
    """The name that a check statement gives as literal text; None where it gives none."""
    arguments = statement.value.args
    literal = arguments and isinstance(arguments[0], ast.Constant)
    return (
        arguments[0].value if literal and isinstance(arguments[0].value, str) else None
    )
