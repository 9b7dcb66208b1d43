"""References: what the reference solution gave for every check of a lab.

The same format serves the instructor's references (every check, hidden ones
too) and the `expected.json` that ships beside a notebook (visible checks only).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from labkit.checks.compare import Difference, difference
from labkit.checks.guide import Guide
from labkit.checks.known import with_known_parts
from labkit.checks.protocol import CheckMessage
from labkit.checks.results import KNOWN_ERRORS, Result, error_message
from labkit.checks.values import Encoded, decode
from labkit.errors import LabkitError
from labkit.files import write_text

NOT_DEFINED = re.compile(r"name '(\w+)' is not defined")


@dataclass(frozen=True)
class Mistake:
    """What a usual wrong answer gives for a check, and the hint it deserves."""

    name: str
    hint: str
    value: Encoded

    @cached_property
    def expected(self) -> Any:
        """The wrong value; decoded once for a whole class."""
        return decode(self.value)


@dataclass(frozen=True)
class CheckReference:
    """What a check expects: a value with tolerances, or labels with an accuracy.

    `names` are those that the check's own text uses. `hidden_inputs` tells that its
    inputs were drawn with the course's seed, `fixed` that its value is the same for
    other seeds all the same. `mistakes` are those that give it another value, `caught`
    those that it does not let pass, be it by a value or by an error, and `evaded` those
    of them that differ only in what is the same for other seeds, such as a yes for a no.
    The visible checks that ship to students come without labels.
    """

    name: str
    hidden: bool
    value: Encoded | None
    weight: float = 1.0
    rtol: float = 0.0
    atol: float = 0.0
    at_least: float | None = None
    hidden_inputs: bool = False
    fixed: bool = False
    names: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    caught: tuple[str, ...] = ()
    evaded: tuple[str, ...] = ()

    @classmethod
    def from_message(
        cls, message: CheckMessage, hidden: bool, names: Iterable[str] = ()
    ) -> "CheckReference":
        """A reference from what `check` sent in the reference run."""
        value = message.value if message.labels is None else message.labels
        return cls(
            message.name,
            hidden,
            value,
            message.weight,
            message.rtol,
            message.atol,
            message.at_least,
            message.hidden_inputs,
            # What the author's own text changes between two checks is not a student's
            # doing.
            names=tuple(name for name in names if name not in message.changed),
        )

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "CheckReference":
        mistakes = tuple(Mistake(**one) for one in data.get("mistakes", ()))
        listed = {k: tuple(data.get(k, ())) for k in ("names", "caught", "evaded")}
        return cls(**{**data, **listed, "mistakes": mistakes})

    def to_json(self) -> dict[str, Any]:
        """The reference as JSON-ready data, without what has its usual value."""
        usual = {field.name: field.default for field in fields(self)}
        return {name: v for name, v in asdict(self).items() if v != usual[name]}

    def visible(self) -> "CheckReference":
        """The reference as it ships to students.

        Labels stay behind: at home a check of predictions takes the notebook's own.
        """
        value = self.value if self.at_least is None else None
        return replace(self, value=value, caught=(), evaded=())

    @property
    def drawn(self) -> bool:
        """Whether nobody can know a right value before the grading: the course draws it.

        That is so for what depends on hidden inputs, and for predictions, whose labels
        only the reference run has.
        """
        return self.at_least is not None or (self.hidden_inputs and not self.fixed)

    def catches(self, mistake: str) -> bool:
        """Whether it catches a mistake, by its name, that sends whatever others know."""
        return self.drawn and mistake in self.caught and mistake not in self.evaded

    def redrawn(self, others: Sequence[Encoded]) -> "CheckReference":
        """This check, told what the solution gives for it with other seeds."""
        if not self.hidden_inputs or self.at_least is not None:
            return self
        values = [decode(one) for one in others]

        def known(value: Any) -> bool:
            return self._difference(value, self.expected) is None

        evaded = tuple(
            mistake.name
            for mistake in self.mistakes
            if known(
                with_known_parts(
                    mistake.expected,
                    self.expected,
                    values,
                    rtol=self.rtol,
                    atol=self.atol,
                )
            )
        )
        return replace(self, fixed=all(map(known, values)), evaded=evaded)

    def fits(self, mistake: str, message: CheckMessage) -> bool:
        """Whether a mistake, by its name, gives what was sent for this check."""
        if mistake not in self.caught:
            return self.judge(message).passed
        wrong = [one for one in self.mistakes if one.name == mistake]
        if message.error is not None or not wrong:
            return message.error is not None and not wrong
        try:
            found = decode(message.value)
        except ValueError:
            return False
        return self._difference(found, wrong[0].expected) is None

    def same_as(self, other: "CheckReference") -> bool:
        """Whether both expect the same, within this one's tolerance."""
        if self._terms() != other._terms():
            return False
        if self.at_least is not None:
            return True
        return self.judge(CheckMessage(self.name, other.value)).passed

    def _terms(self) -> tuple[object, ...]:
        # Hints in any order: how many checks of hidden inputs a mistake spoils differs
        # by course.
        hints = sorted((mistake.name, mistake.hint) for mistake in self.mistakes)
        alike = replace(self, value=None, mistakes=(), evaded=())
        return alike, hints

    def judge(self, message: CheckMessage, *, quote: bool = True) -> Result:
        """Judge what a student's kernel sent for this check.

        With `quote=False` the text of the result holds nothing that the student's code
        has chosen: no values, no names of types or errors, only what kind of fault it is.
        """
        if message.error is not None:
            return self.failed(self._raised(message.error, message.text, quote))
        wrong = self._compare(message, quote)
        if wrong is not None:
            return self.failed(wrong + self._changed(message))
        return Result(self.name, True, hidden=self.hidden, weight=self.weight)

    def failed(self, message: str) -> Result:
        """This check without a value: it never arrived, or it raised an error."""
        return Result(self.name, False, message, hidden=self.hidden, weight=self.weight)

    def _compare(self, message: CheckMessage, quote: bool) -> str | None:
        """What is wrong with a value; None: nothing."""
        try:
            found = decode(message.value)
            if self.at_least is not None:
                labels = self.expected if self.value else decode(message.labels)
                return accuracy_shortfall(found, labels, self.at_least)
        except ValueError as error:
            return "the value could not be read" + (f": {error}" if quote else "")
        wrong = self._difference(found, self.expected)
        if wrong is None:
            return None
        return wrong.text if quote else wrong.general

    @cached_property
    def expected(self) -> Any:
        """The recorded value, or the labels; decoded once for a whole class."""
        return decode(self.value)

    def _difference(self, found: Any, expected: Any) -> Difference | None:
        return difference(found, expected, rtol=self.rtol, atol=self.atol)

    def mistakes_with(self, message: CheckMessage) -> tuple[Mistake, ...]:
        """The usual mistakes that give the same wrong value as a message holds."""
        if message.error is not None or self.at_least is not None:
            return ()
        try:
            found = decode(message.value)
        except ValueError:
            return ()
        return tuple(
            mistake
            for mistake in self.mistakes
            if self._difference(found, mistake.expected) is None
        )

    def _raised(self, kind: str, text: str, quote: bool) -> str:
        missing = NOT_DEFINED.search(text) if kind == "NameError" else None
        if missing and missing[1] in self.names:
            return (
                f"`{missing[1]}` is not defined. Run its cell first, and keep its name."
            )
        if quote:
            return error_message(kind, text)
        return error_message(kind if kind in KNOWN_ERRORS else "an error of its own")

    def _changed(self, message: CheckMessage) -> str:
        """A remark on the arguments that the student's code has changed."""
        changed = [name for name in self.names if name in message.changed]
        if not changed:
            return ""
        return (
            f" Your code changed `{'`, `'.join(changed)}`, which it was given to read."
        )


def judge_together(
    sent: Sequence[tuple[CheckReference, CheckMessage]], *, quote: bool = True
) -> list[Result]:
    """Judge what the checks of one cell sent, each as `CheckReference.judge` does.

    A wrong value that a usual mistake gives too gets that mistake's hint. A single value
    can coincide: the hint is certain only where the mistake explains every value of the
    cell, the right ones too.
    """
    results = [check.judge(message, quote=quote) for check, message in sent]
    alike = [
        () if one.passed else check.mistakes_with(message)
        for (check, message), one in zip(sent, results, strict=True)
    ]
    evidence = [
        (one.passed, {m.name for m in (check.mistakes if one.passed else same)})
        for (check, message), one, same in zip(sent, results, alike, strict=True)
        if message.error is None and check.at_least is None
    ]

    def explained(mistake: Mistake) -> int:
        return sum((mistake.name in names) != right for right, names in evidence)

    for index, same in enumerate(alike):
        if same:
            best = max(same, key=explained)
            certain = explained(best) == len(evidence)
            results[index] = replace(results[index], hint=best.hint, certain=certain)
    return results


def accuracy_shortfall(predictions: Any, labels: Any, at_least: float) -> str | None:
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


@dataclass(frozen=True)
class References:
    """What the reference solution gave for every check of a lab, by check cell.

    `key` says what they were made from, and `seconds` how long the reference run took;
    the visible ones, which ship with the lab, have neither, but a `guide`.
    """

    lab: str
    key: str
    seconds: float
    cells: dict[str, list[CheckReference]]
    guide: Guide = field(default_factory=Guide)

    @classmethod
    def load(cls, path: Path) -> "References":
        """Read a references file; raises LabkitError where it cannot be read."""
        try:
            data = json.loads(path.read_text("utf-8"))
            cells = {
                cell: [CheckReference.from_json(check) for check in checks]
                for cell, checks in data["cells"].items()
            }
            key, seconds = data.get("key", ""), data.get("seconds", 0.0)
            guide = Guide.from_json(data.get("guide", {}))
            return cls(data["lab"], key, seconds, cells, guide)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise LabkitError(
                f"{path}: cannot be read ({error!r:.200}). Copy it anew from the lab."
            ) from None

    def save(self, path: Path) -> None:
        """Write a references file in one step."""
        write_text(path, self.text())

    def text(self) -> str:
        """The text of a references file."""
        made = {"key": self.key, "seconds": self.seconds} if self.key else {}
        cells = {c: [check.to_json() for check in one] for c, one in self.cells.items()}
        guide = {"guide": self.guide.to_json()} if self.guide.tasks else {}
        data = {"lab": self.lab, **made, **guide, "cells": cells}
        return json.dumps(data, indent=1, ensure_ascii=False) + "\n"

    def checks(self) -> Iterator[CheckReference]:
        """The checks of all cells, in order."""
        for checks in self.cells.values():
            yield from checks

    def visible(self) -> "References":
        """What ships beside the notebook as expected.json: the visible checks."""
        cells = {
            cell: [check.visible() for check in checks if not check.hidden]
            for cell, checks in self.cells.items()
        }
        return References(
            self.lab, "", 0.0, {c: one for c, one in cells.items() if one}
        )

    def with_hints(self, translate: Callable[[str], str]) -> "References":
        """The same references with the hints of all mistakes in other words."""

        def told(check: CheckReference) -> CheckReference:
            mistakes = (replace(m, hint=translate(m.hint)) for m in check.mistakes)
            return replace(check, mistakes=tuple(mistakes))

        cells = {cell: [*map(told, checks)] for cell, checks in self.cells.items()}
        return replace(self, cells=cells)

    def same_as(self, other: "References") -> bool:
        """Whether both expect the same, within each check's tolerance."""
        if (self._names(), self.guide) != (other._names(), other.guide):
            return False
        pairs = zip(self.checks(), other.checks(), strict=True)
        return all(one.same_as(another) for one, another in pairs)

    def _names(self) -> list[tuple[str, list[str]]]:
        return [(c, [check.name for check in one]) for c, one in self.cells.items()]
