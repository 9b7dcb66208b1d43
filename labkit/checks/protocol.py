"""What a check's text and its messages look like, for who writes and who reads them."""

import ast
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MIME = "application/vnd.labkit.check+json"
EXPECTED = "expected.json"
# The environment variable from which hidden inputs are drawn (hexadecimal).
SEED = "LABKIT_INPUTS"
# Python 3.11 raises SystemError where two threads make syntax trees at a time. Whoever
# reads what was handed in holds this meanwhile.
PARSING = threading.RLock()
_IPYTHON_LINE = re.compile(r"^([ \t]*)[%!].*$", re.MULTILINE)
_TERMS = ("rtol", "atol", "weight", "at_least")


def plain_python(source: str) -> str:
    """A cell's text with `pass` in place of the lines that are IPython's, `%time`, `!ls`."""
    return _IPYTHON_LINE.sub(r"\1pass", source)


@dataclass(frozen=True)
class CheckMessage:
    """What a check sends at grading: its encoded value, or the error in its place.

    `labels` are those of a check of predictions. `hidden_inputs` tells that the value
    was computed from hidden inputs, `changed` names the arguments that are not any more
    what they were. A student's code can send anything: whoever judges takes from a
    message no more than the value, the error, and names that the check itself uses.
    """

    name: str
    value: Any = None
    error: str | None = None
    text: str = ""
    labels: Any = None
    rtol: float = 0.0
    atol: float = 0.0
    weight: float = 1.0
    at_least: float | None = None
    hidden_inputs: bool = False
    changed: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: object) -> "CheckMessage | None":
        """The message that `to_json` wrote; None for what is no message of a check."""
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            return None
        changed = data.get("changed")
        terms = {name: data[name] for name in _TERMS if _is_number(data.get(name))}
        return cls(
            data["name"],
            data.get("value"),
            error=str(data["error"])[:80] if "error" in data else None,
            text=str(data.get("text", ""))[:500],
            labels=data.get("labels"),
            hidden_inputs=data.get("hidden_inputs") is True,
            changed=tuple(name for name in changed if isinstance(name, str))
            if isinstance(changed, list)
            else (),
            **terms,
        )

    def to_json(self) -> dict[str, Any]:
        """The message as JSON-ready data, without what has its usual value."""
        usual = {field.name: field.default for field in fields(self)}
        found = {name: v for name, v in vars(self).items() if v != usual[name]}
        if self.changed:
            found["changed"] = list(self.changed)
        return found


def messages(cell: Mapping[str, Any]) -> list[CheckMessage]:
    """The messages that the checks of a notebook cell sent while it ran."""
    found = [
        CheckMessage.from_json(output["data"][MIME])
        for output in cell.get("outputs", [])
        if output["output_type"] == "display_data" and MIME in output.get("data", {})
    ]
    return [message for message in found if message is not None]


def is_check(statement: ast.stmt) -> bool:
    """Whether a statement is `check("name", ...)` or `check.predictions("name", ...)`."""
    return _check_call(statement) is not None


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
    call = _check_call(statement)
    first = call.args[0] if call and call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    return None


def _check_call(statement: ast.stmt) -> ast.Call | None:
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return None
    called = statement.value.func
    if isinstance(called, ast.Attribute) and called.attr == "predictions":
        called = called.value
    named_check = isinstance(called, ast.Name) and called.id == "check"
    return statement.value if named_check else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
