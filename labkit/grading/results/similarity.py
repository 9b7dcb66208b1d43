"""Pairs of submissions with much code in common, for a person to look at.

Only what students wrote into answer cells is compared: lines that were handed out are
left out, and copydetect's fingerprints know neither names nor comments nor spaces
(winnowing: Schleimer, Wilkerson, Aiken, 2003, here with every fingerprint kept).
"""

import io
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
from markupsafe import Markup
from nbformat import NotebookNode
from scipy.sparse import csr_array

from labkit import pages
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.grading.submissions import (
    find_submissions,
    no_submissions,
    read_submission,
)
from labkit.labs.lab import find_labs, grade_id

if TYPE_CHECKING:
    from copydetect import CodeFingerprint

# Characters of a fingerprint, names shortened to one: about a line and a half.
LENGTH = 16
# With fewer fingerprints of their own two answers are alike by nature.
MINIMUM = 80
SHOWN = 100
BINS = 20
BLOCK = 256


@dataclass(frozen=True)
class Pair:
    """Two submissions: the share of each one's code that is in the other, and both codes.

    The codes are HTML, what they have in common in <mark>.
    """

    first: str
    second: str
    first_share: float
    second_share: float
    first_code: Markup
    second_code: Markup


@dataclass(frozen=True)
class LabSimilarity:
    """One lab: `pairs` are the most similar of `found`, those that share `at_least`.

    A pair's share is that of the answer of which more is in the other. `usual` counts all
    pairs by their share in steps of 1 / BINS; half of them share at most `median`, one in
    twenty at least `high`.
    """

    lab: str
    at_least: float
    compared: int
    found: int
    pairs: tuple[Pair, ...]
    usual: tuple[int, ...]
    median: float
    high: float
    short: tuple[str, ...]
    unreadable: dict[str, str]

    @property
    def total(self) -> int:
        return self.compared * (self.compared - 1) // 2

    def text(self) -> str:
        """One line for a terminal."""
        line = (
            f"{self.lab}: {self.found} of {self.total} pairs share {self.at_least:.0%} "
            f"or more; half of all share {self.median:.0%} or less"
        )
        if self.short:
            line += f"; {len(self.short)} too short to compare"
        if self.unreadable:
            line += (
                f"; {len(self.unreadable)} cannot be read: {', '.join(self.unreadable)}"
            )
        return line


def compare_class(
    course: Course,
    labs: list[str] | None = None,
    at_least: float = 0.8,
    announce: Callable[[str], None] = lambda _: None,
) -> list[LabSimilarity]:
    """Compare the submissions of each lab, those named or all that were handed in.

    Raises LabkitError for an unknown lab, without submissions, and where the release is
    missing that is to be left out.
    """
    names = [path.stem for path in find_labs(course.solutions, labs)]
    handed_in = {one.lab for one in find_submissions(course, names)}
    if not handed_in:
        raise LabkitError(no_submissions(course))
    return [
        compare_lab(course, lab, at_least, announce)
        for lab in names
        if lab in handed_in
    ]


@dataclass
class _Answers:
    """What the students wrote, by name, its fingerprints, and who is left out."""

    codes: dict[str, str] = field(default_factory=dict)
    fingerprints: dict[str, np.ndarray] = field(default_factory=dict)
    short: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def compare_lab(
    course: Course, lab: str, at_least: float, announce: Callable[[str], None]
) -> LabSimilarity:
    """Compare all submissions of one lab with each other."""
    read = _read(course, lab, announce)
    students = list(read.codes)
    announce(f"{lab}: compare {len(students)}")
    found, close, counts = _compare(list(read.fingerprints.values()), at_least)
    return LabSimilarity(
        lab,
        at_least,
        len(students),
        found,
        tuple(_pair(students[i], students[j], read) for _, i, j in close),
        tuple(int(n) for n in counts.reshape(BINS, -1).sum(axis=1)),
        _quantile(counts, 0.5),
        _quantile(counts, 0.95),
        tuple(read.short),
        read.unreadable,
    )


def _read(course: Course, lab: str, announce: Callable[[str], None]) -> _Answers:
    released = _released(course, lab)
    starter = {
        name: cell.source
        for cell in released.cells
        if (name := grade_id(cell))
        and cell.cell_type == "code"
        and cell.metadata["nbgrader"].get("solution")
    }
    names = (name for cell in released.cells if (name := grade_id(cell)))
    known = {lab: {name: starter.get(name) for name in names}}
    read = _Answers()
    submissions = find_submissions(course, [lab])
    for number, one in enumerate(submissions, 1):
        announce(f"{lab}: read {number} of {len(submissions)}")
        student, taken = one.student, read_submission(one, known)
        if taken.notebook is None:
            read.unreadable[student] = taken.reason
            continue
        code = own_code(_answers(taken.notebook, starter), starter)
        found = np.array(sorted(_fingerprint(code).hashes), dtype=np.int64)
        if len(found) < MINIMUM:
            read.short.append(student)
        else:
            read.codes[student], read.fingerprints[student] = code, found
    return read


def own_code(answers: dict[str, str], starter: dict[str, str]) -> str:
    """The lines of the answer cells that were not handed out, under their cells' names."""
    parts = []
    for name, released in starter.items():
        handed_out = {line.strip() for line in released.splitlines()}
        lines = [
            line
            for line in answers.get(name, "").splitlines()
            if line.strip() not in handed_out
        ]
        if lines:
            parts.append("\n".join([f"# {name}", *lines]))
    return "\n\n".join(parts)


def _released(course: Course, lab: str) -> NotebookNode:
    path = course.released(lab)
    if not path.is_file():
        raise LabkitError(
            f"No release of {lab} in {course.notebooks}, so what was handed out is not "
            f"known. Type: labkit release {shlex.quote(lab)}"
        )
    return nbformat.read(path, as_version=4)


def _answers(notebook: NotebookNode, starter: dict[str, str]) -> dict[str, str]:
    """The answer cells' sources; a cell that lost its mark is known by its id."""
    return {
        name: cell.source
        for cell in notebook.cells
        for name in (cell.get("id"), grade_id(cell))
        if isinstance(name, str) and name in starter
    }


def _fingerprint(code: str) -> "CodeFingerprint":
    from copydetect import CodeFingerprint

    # A window of 1 keeps every fingerprint: which ones a wider window keeps depends on
    # Python's string hashes, which differ from run to run.
    return CodeFingerprint("answers.py", LENGTH, 1, fp=io.StringIO(code))


def _compare(
    fingerprints: list[np.ndarray], at_least: float
) -> tuple[int, list[tuple[float, int, int]], np.ndarray]:
    """The number of close pairs, the closest of them, and all pairs counted by percent."""
    counts, found = np.zeros(100, dtype=int), 0
    close: list[tuple[float, int, int]] = []
    if len(fingerprints) < 2:
        return found, close, counts
    sizes = np.array([len(one) for one in fingerprints])
    table = _table(fingerprints, sizes)
    for start in range(0, len(sizes), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(sizes)))
        common = (table[rows] @ table.T).toarray()
        shares = common / np.minimum(sizes[rows, None], sizes[None, :])
        first, second = np.nonzero(np.arange(len(sizes))[None, :] > rows[:, None])
        values = shares[first, second]
        counts += np.histogram(values, bins=100, range=(0, 1))[0]
        hits = np.flatnonzero(values >= at_least)
        found += len(hits)
        hits = hits[np.argsort(-values[hits], kind="stable")][:SHOWN]
        close += [
            (float(values[hit]), int(rows[first[hit]]), int(second[hit]))
            for hit in hits
        ]
        close = sorted(close, key=lambda one: (-one[0], *one[1:]))[:SHOWN]
    return found, close, counts


def _table(fingerprints: list[np.ndarray], sizes: np.ndarray) -> csr_array:
    """Which submission has which fingerprint, as a sparse table of ones."""
    kinds, columns = np.unique(np.concatenate(fingerprints), return_inverse=True)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    ones = np.ones(len(columns), dtype=np.int32)
    return csr_array((ones, columns, starts), shape=(len(sizes), len(kinds)))


def _quantile(counts: np.ndarray, share: float) -> float:
    """The percent up to which that share of the pairs lies, as a number from 0 to 1."""
    if not counts.sum():
        return 0.0
    return (int(np.searchsorted(np.cumsum(counts), share * counts.sum())) + 1) / 100


def _pair(first: str, second: str, read: _Answers) -> Pair:
    from copydetect import compare_files
    from copydetect.utils import highlight_overlap

    sizes = [len(read.fingerprints[student]) for student in (first, second)]
    common = len(np.intersect1d(read.fingerprints[first], read.fingerprints[second]))
    both = [_fingerprint(read.codes[student]) for student in (first, second)]
    marked = [
        Markup(
            highlight_overlap(
                one.raw_code, slices, "<mark>", "</mark>", escape_html=True
            )[0]
        )
        for one, slices in zip(both, compare_files(*both)[2], strict=True)
    ]
    return Pair(first, second, common / sizes[0], common / sizes[1], *marked)


def write_similarity(found: Iterable[LabSimilarity], path: Path) -> None:
    """Write the pairs side by side as one HTML file that needs no other."""
    from labkit.grading.results import figures

    labs = list(found)
    edges = [100 * number / BINS for number in range(BINS + 1)]
    baselines = {
        one.lab: figures.histogram(
            list(one.usual),
            edges,
            "shared code, percent",
            f"Histogram of {one.total} pairs: half of them share {one.median:.0%} or less, "
            f"one in twenty {one.high:.0%} or more.",
        )
        for one in labs
        if one.total
    }
    pages.write(path, "similarity.html", labs=labs, baselines=baselines, shown=SHOWN)
