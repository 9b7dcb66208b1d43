"""References: what the reference solution gave for every check of a lab.

The same format serves the instructor's references (every check, hidden ones
too) and the `expected.json` that ships beside a notebook (visible checks only).
"""

import builtins
import html
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from labkit.checks.compare import Difference, difference
from labkit.checks.values import decode

NOT_DEFINED = re.compile(r"name '(\w+)' is not defined")
# Other names of errors can be made up by a student's code, of what it has seen.
KNOWN_ERRORS = {name for name in dir(builtins) if name[0].isupper()} | {
    "AxisError",
    "InvalidArgumentError",
    "LinAlgError",
    "ResourceExhaustedError",
}


@dataclass(frozen=True)
class Result:
    """One check, judged: its message says why it failed, its hint how to go on."""

    name: str
    passed: bool
    message: str = ""
    hint: str = ""
    hidden: bool = False
    weight: float = 1.0

    def text(self) -> str:
        """The result as text for a terminal."""
        line = f"✓ {self.name}" if self.passed else f"✗ {self.name} — {self.message}"
        return f"{line}\n  Hint: {self.hint}" if self.hint else line


@dataclass(frozen=True)
class Mistake:
    """What a usual wrong answer gives for a check, and the hint it deserves."""

    name: str
    hint: str
    value: dict

    @cached_property
    def expected(self) -> Any:
        """The wrong value; decoded once for a whole class."""
        return decode(self.value)


@dataclass(frozen=True)
class CheckReference:
    """What a check expects: a value with tolerances, or labels with an accuracy.

    `names` are those that the check's own text uses. `drawn` tells that its inputs
    were drawn with the course's seed. The visible checks that ship to students come
    without labels.
    """

    name: str
    hidden: bool
    value: dict | None
    weight: float = 1.0
    rtol: float = 0.0
    atol: float = 0.0
    at_least: float | None = None
    drawn: bool = False
    names: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = field(default=())

    @classmethod
    def from_message(
        cls, message: dict, hidden: bool, names: Iterable[str] = ()
    ) -> "CheckReference":
        """A reference from what `check` recorded in the reference run."""
        terms = {
            key: message[key]
            for key in ("weight", "rtol", "atol", "at_least", "drawn")
            if key in message
        }
        value = message["labels"] if "labels" in message else message["value"]
        # What the author's own text changes between two checks is not a student's doing.
        names = tuple(n for n in names if n not in message.get("changed", ()))
        return cls(message["name"], hidden, value, names=names, **terms)

    @classmethod
    def from_json(cls, data: dict) -> "CheckReference":
        mistakes = tuple(Mistake(**one) for one in data.get("mistakes", ()))
        names = tuple(data.get("names", ()))
        return cls(**{**data, "mistakes": mistakes, "names": names})

    def judge(self, message: dict, *, quote: bool = True) -> Result:
        """Judge what a student's kernel sent for this check.

        With `quote=False` the text of the result holds nothing that the student's code
        has chosen: no values, no names of types or errors, only what kind of fault it is.
        """
        if "error" in message:
            return self.failed(self._raised(message, quote))
        wrong, hint = self._compare(message, quote)
        if wrong is not None:
            wrong += self._changed(message)
        return Result(
            name=self.name,
            passed=wrong is None,
            message=wrong or "",
            hint=hint,
            hidden=self.hidden,
            weight=self.weight,
        )

    def failed(self, message: str) -> Result:
        """This check without a value: it never arrived, or it raised an error."""
        return Result(self.name, False, message, hidden=self.hidden, weight=self.weight)

    def _compare(self, message: dict, quote: bool) -> tuple[str | None, str]:
        """What is wrong with a value (None: nothing), and the hint that it deserves."""
        try:
            found = decode(message.get("value"))
            if self.at_least is not None:
                labels = self.expected if self.value else decode(message.get("labels"))
                return accuracy_shortfall(found, labels, self.at_least), ""
        except ValueError as error:
            return "the value could not be read" + (f": {error}" if quote else ""), ""
        wrong = self._difference(found, self.expected)
        if wrong is None:
            return None, ""
        return (wrong.text if quote else wrong.general), self._hint(found)

    @cached_property
    def expected(self) -> Any:
        """The recorded value, or the labels; decoded once for a whole class."""
        return decode(self.value)

    def _difference(self, found: Any, expected: Any) -> Difference | None:
        return difference(found, expected, rtol=self.rtol, atol=self.atol)

    def _hint(self, found: Any) -> str:
        """The hint of the first declared mistake that gives the same wrong value."""
        for mistake in self.mistakes:
            if self._difference(found, mistake.expected) is None:
                return mistake.hint
        return ""

    def _raised(self, message: dict, quote: bool) -> str:
        kind, text = str(message["error"])[:80], str(message.get("text", ""))[:500]
        missing = NOT_DEFINED.search(text) if kind == "NameError" else None
        if missing and missing[1] in self.names:
            return (
                f"`{missing[1]}` is not defined. Run its cell first, and keep its name."
            )
        if quote:
            return error_message(kind, text)
        return error_message(kind if kind in KNOWN_ERRORS else "an error of its own")

    def _changed(self, message: dict) -> str:
        """A remark on the arguments that the student's code has changed."""
        told = message.get("changed")
        changed = [
            name for name in self.names if isinstance(told, list) and name in told
        ]
        if not changed:
            return ""
        return (
            f" Your code changed `{'`, `'.join(changed)}`, which it was given to read."
        )


def accuracy_shortfall(
    predictions: Any, labels: np.ndarray, at_least: float
) -> str | None:
    """None where the predictions reach the accuracy, else a sentence that says why not.

    `predictions`: class numbers (N,) or scores (N, C); `labels`: class numbers (N,).
    """
    if not isinstance(labels, np.ndarray):
        return "the labels are not an array of class numbers"
    expected = f"expected class numbers of shape {labels.shape} or scores {(*labels.shape, 'C')}"
    if not isinstance(predictions, np.ndarray) or predictions.dtype.kind not in "iuf":
        return f"found no array of predictions; {expected}"
    if predictions.ndim == 2 and predictions.shape[0] == labels.shape[0]:
        if predictions.dtype.kind == "f" and not np.isfinite(predictions).all():
            return "the predictions hold nan or infinity: the training has diverged"
        predictions = predictions.argmax(axis=1)
    if predictions.shape != labels.shape:
        return f"found predictions of another shape; {expected}"
    accuracy = float((predictions == labels).mean())
    if accuracy >= at_least:
        return None
    return f"accuracy {accuracy:.1%}, expected at least {at_least:.1%}"


def error_message(kind: str, text: str = "") -> str:
    """Why a check has no value: its code raised an error of that kind."""
    if kind == "NotImplementedError":
        return "not written yet"
    return f"{kind}: {text}" if text else kind


def checks_by_name(data: dict) -> dict[str, CheckReference]:
    """All checks of a references file by name."""
    return {check.name: check for checks in cells(data).values() for check in checks}


def cells(data: dict) -> dict[str, list[CheckReference]]:
    """The checks of a references file, by the id of their check cell."""
    return {
        cell: [CheckReference.from_json(check) for check in checks]
        for cell, checks in data["cells"].items()
    }


def to_json(check: CheckReference) -> dict:
    """A reference as JSON-ready data, without what has its usual value."""
    usual = {
        "weight": 1.0,
        "rtol": 0.0,
        "atol": 0.0,
        "at_least": None,
        "drawn": False,
        "names": (),
        "mistakes": (),
    }
    data = asdict(check)
    return {
        key: value
        for key, value in data.items()
        if key not in usual or value != usual[key]
    }


def score(results: Iterable[Result], points: float) -> float:
    """The points of a cell: shared over its checks by their weights."""
    results = list(results)
    total = sum(result.weight for result in results)
    earned = sum(result.weight for result in results if result.passed)
    return points if earned == total else round(points * earned / total, 2)


def result_html(result: Result) -> str:
    """One check as a line of HTML: a mark, a word and a colour, never colour alone."""
    colour = "#1a7f37" if result.passed else "#b42318"
    mark = "✓" if result.passed else "✗"
    text = html.escape(result.name)
    if not result.passed:
        text += f" — {html.escape(result.message)}"
    if result.hint:
        text += f'<div style="margin-left:1.4em">Hint: {html.escape(result.hint)}</div>'
    return (
        f'<div style="border-left:4px solid {colour};padding:2px 8px;margin:2px 0">'
        f'<b style="color:{colour}">{mark}</b> {text}</div>'
    )
