"""The result of a check, in words and as a line of HTML, and what it is worth."""

import builtins
import html
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.formatting import GROUNDS, mark

NOT_WRITTEN = "not written yet"
# Other names of errors can be made up by a student's code, of what it has seen.
KNOWN_ERRORS = {name for name in dir(builtins) if name[0].isupper()} | {
    "AxisError",
    "InvalidArgumentError",
    "LinAlgError",
    "ResourceExhaustedError",
}


@dataclass(frozen=True)
class Result:
    """One check, judged: its message says why it failed, its hint how to go on.

    A hint is `certain` where its mistake explains all that the cell gave, and not this
    value alone. `counts` is the share of its weight that it earns where it passed.
    """

    name: str
    passed: bool
    message: str = ""
    hint: str = ""
    certain: bool = True
    hidden: bool = False
    weight: float = 1.0
    counts: float = 1.0

    @property
    def hint_word(self) -> str:
        """What stands before the hint."""
        return "Hint" if self.certain else "Perhaps"

    def text(self) -> str:
        """The result as text for a terminal."""
        line = f"{'✓' if self.passed else '✗'} {self.name}"
        line += f" — {self.message}" if self.message else ""
        return f"{line}\n  {self.hint_word}: {self.hint}" if self.hint else line

    def html(self) -> str:
        """The result as HTML: a mark, a word and a colour, never colour alone."""
        text = html.escape(self.name)
        if self.message:
            text += f" — {html.escape(self.message)}"
        if self.hint:
            hint = html.escape(self.hint)
            text += f'<div style="margin-left:1.4em">{self.hint_word}: {hint}</div>'
        return (
            f'<div style="border-left:4px solid {GROUNDS[self.passed]};padding:2px 8px;'
            f'margin:2px 0">{mark(self.passed)} {text}</div>'
        )

    def display(self) -> dict[str, str]:
        """The result as Jupyter displays it, by MIME type."""
        return {"text/plain": self.text(), "text/html": self.html()}


def error_message(kind: str, text: str = "") -> str:
    """Why a check has no value: its code raised an error of that kind."""
    if kind == "NotImplementedError":
        return NOT_WRITTEN
    return f"{kind}: {text}" if text else kind


def score(results: Iterable[Result], points: float) -> float:
    """The points of a cell: shared over its checks by their weights."""
    results = list(results)
    total = sum(result.weight for result in results)
    earned = sum(one.weight * one.counts for one in results if one.passed)
    return points if earned == total else round(points * earned / total, 2)
