"""What is wrong with a submission, and how it is told."""

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from labkit.errors import LabkitError
from labkit.formatting import counted, mark

SHOWN = 5


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a submission.

    Attributes
    ----------
    text : str
        What is wrong.
    lines : tuple of int
        The lines of the file that it is wrong in, the header being line 1; empty where it
        is the whole file.

    Examples
    --------
    >>> from labkit import kaggle
    >>> print(kaggle.Fault("empty class", (3, 8)))
    lines 3, 8: empty class
    """

    text: str
    lines: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.lines:
            return self.text
        shown = ", ".join(str(line) for line in self.lines[:SHOWN])
        rest = len(self.lines) - SHOWN
        more = f" and {rest:,} more" if rest > 0 else ""
        return (
            f"{'line' if len(self.lines) == 1 else 'lines'} {shown}{more}: {self.text}"
        )


@dataclass(frozen=True, repr=False)
class Report:
    """What `check` found.

    Attributes
    ----------
    path : Path
        The submission.
    rows : int
        Its rows, without the header.
    faults, notes : tuple of Fault
        Faults spoil the submission, notes do no harm.
    ok : bool
        Whether there is no fault.
    """

    path: Path
    rows: int
    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.faults

    def _heading(self) -> str:
        if self.ok:
            return f"{self.path.name}: fine, {counted(self.rows, 'row')}"
        found = counted(len(self.faults), "fault")
        return f"{self.path.name}: {found} in {counted(self.rows, 'row')}"

    def __str__(self) -> str:
        faults = [f"  fault: {fault}" for fault in self.faults]
        return "\n".join(
            [self._heading(), *faults, *(f"  note: {n}" for n in self.notes)]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        items = [f"<li>{escape(str(fault))}</li>" for fault in self.faults]
        items += [f"<li><i>Note:</i> {escape(str(note))}</li>" for note in self.notes]
        return (
            f"<div>{mark(self.ok)} <b>{escape(self._heading())}</b>"
            f"<ul>{''.join(items)}</ul></div>"
        )


class SubmissionError(LabkitError):
    """A submission with faults.

    Attributes
    ----------
    report : Report
        All of them.
    """

    def __init__(self, report: Report):
        super().__init__(str(report))
        self.report = report


def short(text: str) -> str:
    """Quote a value of a file, cut where it is long, control characters visible."""
    return repr(text if len(text) <= 60 else text[:60] + "...")


def some(items: Iterable[str]) -> str:
    """List a few items and count the others."""
    items = list(items)
    more = f" and {len(items) - SHOWN:,} more" if len(items) > SHOWN else ""
    return ", ".join(map(short, items[:SHOWN])) + more


def one_line(error: LabkitError) -> str:
    """Say in one line why a file does not count."""
    if isinstance(error, SubmissionError):
        return "; ".join(map(str, error.report.faults))
    return str(error)
