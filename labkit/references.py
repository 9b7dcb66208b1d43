"""References: what the reference solution gave for every check of a lab.

The same format serves the instructor's references (every check, hidden ones
too) and the `expected.json` that ships beside a notebook (visible checks only).
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from labkit.compare import difference
from labkit.values import Opaque, decode


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


@dataclass(frozen=True)
class CheckReference:
    """What a check expects: a value with tolerances, or labels with an accuracy."""

    name: str
    hidden: bool
    value: dict
    weight: float = 1.0
    rtol: float = 0.0
    atol: float = 0.0
    at_least: float | None = None
    mistakes: tuple[Mistake, ...] = field(default=())

    @classmethod
    def from_message(cls, message: dict, hidden: bool) -> "CheckReference":
        """A reference from what `check` recorded in the reference run."""
        terms = {
            key: message[key]
            for key in ("weight", "rtol", "atol", "at_least")
            if key in message
        }
        value = message["labels"] if "labels" in message else message["value"]
        return cls(name=message["name"], hidden=hidden, value=value, **terms)

    @classmethod
    def from_json(cls, data: dict) -> "CheckReference":
        mistakes = tuple(Mistake(**one) for one in data.get("mistakes", ()))
        return cls(**{**data, "mistakes": mistakes})

    def judge(self, value: dict) -> Result:
        """Compare an encoded value that arrived from a student's kernel."""
        message = self._wrong(value)
        return Result(
            name=self.name,
            passed=message is None,
            message=message or "",
            hint=self._hint(value) if message else "",
            hidden=self.hidden,
            weight=self.weight,
        )

    def failed(self, message: str) -> Result:
        """This check without a value: it never arrived, or it raised an error."""
        return Result(self.name, False, message, hidden=self.hidden, weight=self.weight)

    def _wrong(self, value: dict) -> str | None:
        try:
            found = decode(value)
        except ValueError as error:
            return f"the value could not be read: {error}"
        expected = decode(self.value)
        if self.at_least is not None:
            return accuracy_shortfall(found, expected, self.at_least)
        return difference(found, expected, rtol=self.rtol, atol=self.atol)

    def _hint(self, value: dict) -> str:
        """The hint of the first declared mistake that gives the same wrong value."""
        for mistake in self.mistakes:
            found, wrong = decode(value), decode(mistake.value)
            if difference(found, wrong, rtol=self.rtol, atol=self.atol) is None:
                return mistake.hint
        return ""


def accuracy_shortfall(
    predictions: Any, labels: np.ndarray, at_least: float
) -> str | None:
    """None where the predictions reach the accuracy, else a sentence that says why not.

    `predictions`: class numbers (N,) or scores (N, C); `labels`: class numbers (N,).
    """
    expected = f"expected class numbers of shape {labels.shape} or scores {(*labels.shape, 'C')}"
    if isinstance(predictions, Opaque) or not isinstance(predictions, np.ndarray):
        return f"found no array of predictions; {expected}"
    if predictions.ndim == 2 and predictions.shape[0] == labels.shape[0]:
        if predictions.dtype.kind == "f" and not np.isfinite(predictions).all():
            return "the predictions hold nan or infinity: the training has diverged"
        predictions = predictions.argmax(axis=1)
    if predictions.shape != labels.shape:
        return f"found predictions of shape {predictions.shape}; {expected}"
    accuracy = float((predictions == labels).mean())
    if accuracy >= at_least:
        return None
    return f"accuracy {accuracy:.1%}, expected at least {at_least:.1%}"


def error_message(kind: str, text: str) -> str:
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
    usual = {"weight": 1.0, "rtol": 0.0, "atol": 0.0, "at_least": None, "mistakes": ()}
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
