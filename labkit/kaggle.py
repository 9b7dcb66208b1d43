"""A competition's files: write a submission, check it, score it, rank a class.

A submission is the CSV that Kaggle takes: a header and one row for each test
picture, `id,character`. Rows are matched by id.
"""

import codecs
import csv
import difflib
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np

from labkit import files
from labkit.errors import LabkitError

HEADER = ("id", "character")
NAME_LIST = "character_name.lst"
_QUOTED = re.compile(r'"[^",]*"')
LARGEST = 50_000_000  # bytes; the largest real submission of the course has 100 kB


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a submission, and the lines of the file it is wrong in."""

    text: str
    lines: tuple[int, ...] = ()

    def __str__(self) -> str:
        if not self.lines:
            return self.text
        shown = ", ".join(str(line) for line in self.lines[:5])
        more = f" and {len(self.lines) - 5:,} more" if len(self.lines) > 5 else ""
        return (
            f"{'line' if len(self.lines) == 1 else 'lines'} {shown}{more}: {self.text}"
        )


@dataclass(frozen=True, repr=False)
class Report:
    """What `check` found: `faults` spoil the submission, `notes` do no harm."""

    path: Path
    rows: int
    faults: tuple[Fault, ...] = ()
    notes: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.faults

    def _heading(self) -> str:
        if self.ok:
            return f"{self.path.name}: fine, {self.rows:,} rows"
        count = len(self.faults)
        return f"{self.path.name}: {count} {'fault' if count == 1 else 'faults'} in {self.rows:,} rows"

    def __str__(self) -> str:
        faults = [f"  fault: {fault}" for fault in self.faults]
        return "\n".join(
            [self._heading(), *faults, *(f"  note: {n}" for n in self.notes)]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour = "#1a7f37" if self.ok else "#b42318"
        items = [f"<li>{escape(str(fault))}</li>" for fault in self.faults]
        items += [f"<li><i>Note:</i> {escape(str(note))}</li>" for note in self.notes]
        return (
            f"<div><b style='color:{colour}'>{escape(self._heading())}</b>"
            f"<ul>{''.join(items)}</ul></div>"
        )


class SubmissionError(LabkitError):
    """A submission with faults; `report` lists all of them."""

    def __init__(self, report: Report):
        super().__init__(str(report))
        self.report = report


# ---------------------------------------------------------------- read


@dataclass(frozen=True)
class _Table:
    """A CSV file as it stands: header, rows with their line numbers, what was odd."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]

    @property
    def answers(self) -> dict[str, str]:
        """Id -> class, of a table whose rows all have two cells."""
        return {row[0]: row[1] for _, row in self.rows}


def _table(content: bytes) -> _Table:
    """Read a CSV file; whatever can be read is, so that all faults show at once."""
    text, faults = _decode(content)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        faults.append(
            Fault("has a NUL character; save the file as plain text", (line,))
        )
        text = text.replace("\0", "")
    notes = _odd_form(text)
    header, rows = None, []
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if header is None:
                header = tuple(row)
            else:
                rows.append((reader.line_num, tuple(row)))
    except csv.Error as error:
        text = f"cannot be read as CSV from here on: {error}"
        faults.append(Fault(text, (reader.line_num,)))
    return _Table(header or (), tuple(rows), tuple(faults), tuple(notes))


def _decode(content: bytes) -> tuple[str, list[Fault]]:
    """Return the text, and what is wrong with its encoding."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        fault = Fault("the file is UTF-16; save it as UTF-8, without a byte order mark")
        return content.decode("utf-16", errors="replace"), [fault]
    faults = []
    if content.startswith(codecs.BOM_UTF8):
        content = content[len(codecs.BOM_UTF8) :]
        text = "starts with a byte order mark, which becomes part of the header; save the file as UTF-8 without it"
        faults.append(Fault(text, (1,)))
    try:
        return content.decode("utf-8"), faults
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = f"0x{content[error.start]:02x}"
        faults.append(
            Fault(f"byte {byte} is not UTF-8; save the file as UTF-8", (line,))
        )
        return content.decode("utf-8", errors="replace"), faults


def _odd_form(text: str) -> list[Fault]:
    """Return the harmless differences from what `write` writes."""
    lines = text.split("\n")
    notes = []
    ends = [number for number, line in enumerate(lines[:-1], 1) if line.endswith("\r")]
    if "\r" in text:
        what = "end in CR LF (Windows)" if ends else "end in CR (old Macintosh)"
        mixed = ends and len(ends) < len(lines) - 1
        text = f"{'some ' * bool(mixed)}lines {what}; LF is the rule"
        notes.append(Fault(text, tuple(ends) if mixed else ()))
    quoted = [number for number, line in enumerate(lines, 1) if _QUOTED.search(line)]
    if quoted:
        notes.append(Fault("quotes around a value that needs none", tuple(quoted)))
    if lines[-1]:
        notes.append(Fault("no line end at the end of the file", (len(lines),)))
    return notes


def _read(path: Path) -> bytes:
    """Return a file's bytes, or say in one line why there are none."""
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise LabkitError(
                f"{path}: {size:,} bytes; a submission has at most {LARGEST:,}."
                " Is it the right file?"
            )
        return path.read_bytes()
    except OSError as error:
        raise LabkitError(
            f"{path}: cannot be read ({error.strerror}). Give the path of a CSV file."
        ) from error


def _key(path: Path | str) -> _Table:
    """Read the sample, or the true classes; such a file must be faultless."""
    path = Path(path)
    table = _table(_read(path))
    faults = list(table.faults)
    if len(table.header) != 2 or not table.rows:
        faults.append(Fault("needs a header of two columns and a row a picture", (1,)))
    faults += _row_faults(table)
    faults += _double_ids([row for row in table.rows if len(row[1]) == 2])
    if faults:
        raise SubmissionError(Report(path, len(table.rows), tuple(faults)))
    return table


def _names_beside(sample: Path) -> tuple[str, ...] | None:
    """Return the class names Kaggle ships beside its sample, None where it does not."""
    path = Path(sample).with_name(NAME_LIST)
    if not path.is_file():
        return None
    return tuple(path.read_text(encoding="utf-8").split())


# ---------------------------------------------------------------- check


def check(
    path: Path | str,
    sample: Path | str | None = None,
    class_names: Sequence[str] | None = None,
) -> Report:
    """Check a submission and report everything that is wrong with it at once.

    `sample`: the competition's sampleSubmission.csv, which gives header and ids;
    None checks the form alone. `class_names`: the classes allowed; by default
    those in character_name.lst beside the sample. Raises LabkitError where a
    file cannot be read.
    """
    path, key = Path(path), None
    if sample is not None:
        key = _key(sample)
        class_names = class_names or _names_beside(sample)
    return _inspect(path, _read(path), key, class_names)[0]


def _inspect(
    path: Path, content: bytes, key: _Table | None, class_names: Sequence[str] | None
) -> tuple[Report, _Table]:
    """Check the bytes of a submission against the sample or the true classes."""
    table = _table(content)
    faults, notes = list(table.faults), list(table.notes)
    faults += _header_faults(table.header, key.header if key else HEADER)
    faults += _row_faults(table)
    sound = [(line, row) for line, row in table.rows if len(row) == 2]
    faults += _double_ids(sound)
    if key is not None:
        expected, given = list(key.answers), [row[0] for _, row in sound]
        faults += _id_faults(sound, expected)
        if given != expected and sorted(given) == sorted(expected):
            text = "rows stand in another order than the sample's; ids decide"
            notes.append(Fault(text))
    if class_names is not None:
        faults += _class_faults(sound, class_names)
    return Report(path, len(table.rows), tuple(faults), tuple(notes)), table


def _header_faults(
    found: tuple[str, ...], expected: tuple[str, ...]
) -> Iterator[Fault]:
    if found == expected:
        return
    if not found:
        yield Fault(f"the file has no header; expected {','.join(expected)!r}")
        return
    text = f"header is {_short(','.join(found))}; expected {','.join(expected)!r}"
    if len(found) == 2 and found[0].isdecimal():
        text += "; the first row seems to stand in its place"
    yield Fault(text, (1,))


def _row_faults(table: _Table) -> Iterator[Fault]:
    """Yield rows of the wrong width, empty cells and spaces around values."""
    blank = [line for line, row in table.rows if not any(cell.strip() for cell in row)]
    if blank:
        yield Fault("empty row", tuple(blank))
    rows = [(line, row) for line, row in table.rows if line not in set(blank)]
    widths = {}
    for line, row in rows:
        if len(row) != 2:
            widths.setdefault(len(row), []).append(line)
    for width, lines in sorted(widths.items()):
        columns = "1 column" if width == 1 else f"{width} columns"
        hint = ""
        if width == 1 and any(mark in row[0] for _, row in rows for mark in ";\t"):
            hint = "; separate them by a comma, not by a semicolon or a tab"
        yield Fault(f"{columns} instead of 2{hint}", tuple(lines))
    pairs = [(line, row) for line, row in rows if len(row) == 2]
    for place, name in enumerate(HEADER):
        empty = [line for line, row in pairs if not row[place].strip()]
        if empty:
            yield Fault(f"empty {'id' if name == 'id' else 'class'}", tuple(empty))
    spaced = [line for line, row in pairs if any(c and c != c.strip() for c in row)]
    if spaced:
        yield Fault("spaces around a value", tuple(spaced))


def _double_ids(rows: Sequence) -> Iterator[Fault]:
    counts = Counter(row[0] for _, row in rows if row[0])
    double = [(line, row[0]) for line, row in rows if counts[row[0]] > 1]
    if double:
        yield Fault(
            f"ids more than once: {_some(dict.fromkeys(i for _, i in double))}",
            tuple(line for line, _ in double),
        )


def _id_faults(rows: Sequence, expected: list[str]) -> Iterator[Fault]:
    """Yield missing and foreign ids, and a row count that they do not explain."""
    known, given = set(expected), {row[0] for _, row in rows}
    missing = [item for item in expected if item not in given]
    if missing:
        yield Fault(
            f"{len(missing):,} of {len(expected):,} ids are missing: {_some(missing)}"
        )
    foreign = [(line, row[0]) for line, row in rows if row[0] and row[0] not in known]
    if foreign:
        names = [name for _, name in foreign]
        text = f"ids that the competition does not have: {_some(names)}"
        if all(_bare(name) in known for name in names):
            text += f"; write {_bare(names[0])}, not {names[0]}"
        yield Fault(text, tuple(line for line, _ in foreign))
    if len(rows) != len(expected):
        yield Fault(f"{len(rows):,} rows; expected {len(expected):,}")


def _bare(name: str) -> str:
    """Return an id without what often clings to it: `7.jpg`, `test/7.jpg`, `7.0`, `0007`."""
    stem = name.strip().rsplit("/", 1)[-1].split(".", 1)[0]
    return stem.lstrip("0") or stem


def _class_faults(rows: Sequence, class_names: Sequence[str]) -> Iterator[Fault]:
    """Yield each unknown class once, with the names it may have been meant to be."""
    known, unknown = set(class_names), {}
    for line, (_, name) in rows:
        if name.strip() and name.strip() not in known:
            unknown.setdefault(name, []).append(line)
    listed = sorted(unknown.items(), key=lambda item: -len(item[1]))
    for name, lines in listed[:20]:
        yield Fault(
            f"unknown class {_short(name)}{_meant(name, class_names)}", tuple(lines)
        )
    if len(listed) > 20:
        rest = sorted(line for _, lines in listed[20:] for line in lines)
        yield Fault(f"{len(listed) - 20} more unknown classes", tuple(rest))


def _meant(name: str, class_names: Sequence[str]) -> str:
    if name.strip().isdecimal():
        return "; write the class's name, class_names[label], not its number"
    for first in class_names:
        if name.startswith(first) and name[len(first) :] in class_names:
            return f"; two names in one: {first!r} and {name[len(first) :]!r}"
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    near = (
        [known for known in class_names if known == plain]
        or [known for known in class_names if len(plain) > 2 and plain in known]
        or difflib.get_close_matches(plain, class_names, cutoff=0.7)
    )
    return f"; did you mean {' or '.join(map(repr, near[:2]))}?" if near else ""


def _short(text: str) -> str:
    """Quote a value of a file, cut where it is long, control characters visible."""
    return repr(text if len(text) <= 60 else text[:60] + "...")


def _some(items: Iterable[str]) -> str:
    """List a few items and count the others."""
    items = list(items)
    more = f" and {len(items) - 5:,} more" if len(items) > 5 else ""
    return ", ".join(map(_short, items[:5])) + more


# ---------------------------------------------------------------- write


def write(
    ids: Iterable,
    labels: Iterable[str],
    path: Path | str,
    sample: Path | str | None = None,
    class_names: Sequence[str] | None = None,
) -> Report:
    """Write a submission, once it is known to be without fault, and return its report.

    `ids` (N,) and `labels` (N,), class names. The rows keep their order, the
    header is the sample's. The same answers give the same bytes. Raises
    SubmissionError with every fault, and then writes nothing.
    """
    path, ids, labels = Path(path), list(ids), list(labels)
    if len(ids) != len(labels):
        fault = Fault(f"{len(ids):,} ids but {len(labels):,} labels; give one of each")
        raise SubmissionError(Report(path, len(ids), (fault,)))
    key = None
    if sample is not None:
        key = _key(sample)
        class_names = class_names or _names_beside(sample)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(key.header if key else HEADER)
    writer.writerows(zip(ids, labels, strict=True))
    content = text.getvalue().encode("utf-8")
    report, _ = _inspect(path, content, key, class_names)
    if not report.ok:
        raise SubmissionError(report)
    files.write_bytes(path, content)
    return report


# ---------------------------------------------------------------- score


@dataclass(frozen=True, eq=False, repr=False)
class Score:
    """How right a submission is: shares in 0..1, confusion counts (C, C), rows true."""

    name: str
    accuracy: float
    macro_f1: float
    confusion: np.ndarray
    class_names: tuple[str, ...]

    @property
    def rows(self) -> int:
        return int(self.confusion.sum())

    def __str__(self) -> str:
        right = int(np.trace(self.confusion))
        return (
            f"{self.name}: accuracy {self.accuracy:.2%} ({right:,} of {self.rows:,}),"
            f" macro F1 {self.macro_f1:.4f}"
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f"<b>{escape(str(self))}</b>"


def score(
    path: Path | str, truth: Path | str, class_names: Sequence[str] | None = None
) -> Score:
    """Score a submission against the true classes, a CSV of the same form.

    Macro F1 is the mean of the F1 of the classes in the truth or the submission.
    `class_names`: the classes allowed; by default those in character_name.lst
    beside `truth`. Raises SubmissionError where the file has faults.
    """
    from sklearn.metrics import confusion_matrix, f1_score

    key = _key(truth)
    answers = _answers(Path(path), key, class_names or _names_beside(truth))
    true = list(key.answers.values())
    said = [answers[item] for item in key.answers]
    names = tuple(sorted(set(true) | set(said)))
    return Score(
        name=Path(path).stem,
        accuracy=float(np.mean(np.array(true) == np.array(said))),
        macro_f1=float(
            f1_score(true, said, labels=names, average="macro", zero_division=0)
        ),
        confusion=confusion_matrix(true, said, labels=names),
        class_names=names,
    )


def _answers(path: Path, key: _Table, class_names) -> dict[str, str]:
    """Return id -> class of a submission, which must be without faults."""
    report, table = _inspect(path, _read(path), key, class_names)
    if not report.ok:
        raise SubmissionError(report)
    return table.answers


# ---------------------------------------------------------------- leaderboard


@dataclass(frozen=True)
class Place:
    """One student's line: rank on the private rows, both scores, rank on the public ones."""

    rank: int
    student: str
    private: float
    public: float
    public_rank: int


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """A class's ranking, best first, and the files that could not be ranked, with the reason."""

    places: tuple[Place, ...]
    refused: tuple[tuple[str, str], ...]
    public_rows: int
    private_rows: int

    _HEADS = ("rank", "student", "private", "public", "public rank")

    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                str(p.rank),
                p.student,
                f"{p.private:.2%}",
                f"{p.public:.2%}",
                str(p.public_rank),
            )
            for p in self.places
        ]

    def _caption(self) -> str:
        return (
            f"Public score on {self.public_rows:,} test pictures, private score and rank"
            f" on the other {self.private_rows:,}"
        )

    def __str__(self) -> str:
        table = [self._HEADS, *self._cells()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            )
            for row in table
        ]
        refused = [f"not ranked: {name}: {reason}" for name, reason in self.refused]
        return "\n".join(
            [*(line.rstrip() for line in lines), self._caption(), *refused]
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in self._HEADS)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in self._cells()
        )
        refused = "".join(
            f"<li>{escape(name)}: {escape(reason)}</li>"
            for name, reason in self.refused
        )
        refused = f"<p>Not ranked:</p><ul>{refused}</ul>" if refused else ""
        return f"<table><tr>{head}</tr>{body}</table><p>{self._caption()}</p>{refused}"


def leaderboard(
    submissions: Path | str,
    truth: Path | str,
    public: float = 0.3,
    class_names: Sequence[str] | None = None,
) -> Leaderboard:
    """Rank the submissions <student>.csv of a folder; equal private scores share a rank.

    `public`: the share of test pictures whose score students may see meanwhile.
    Which ones is fixed by their ids, the same for everyone and on every machine.
    `class_names` as in `score`.
    """
    if not 0 < public < 1:
        raise LabkitError(f"public is {public}; expected a share between 0 and 1.")
    folder, key = Path(submissions), _key(truth)
    if not folder.is_dir():
        raise LabkitError(
            f"{folder}: not a folder. Give the one with <student>.csv files."
        )
    class_names = class_names or _names_beside(truth)
    shown, hidden = _parts(key, public)
    private_scores, public_scores, refused = {}, {}, []
    for path in sorted(folder.glob("*.csv")):
        try:
            # A link could point at the true classes.
            if path.is_symlink() or not path.is_file():
                raise LabkitError("not a plain file")
            answers = _answers(path, key, class_names)
        except LabkitError as error:
            refused.append((path.name, _reason(error)))
        else:
            private_scores[path.stem] = _share_right(answers, hidden)
            public_scores[path.stem] = _share_right(answers, shown)
    ranks, public_ranks = _ranks(private_scores), _ranks(public_scores)
    places = tuple(
        Place(
            ranks[name],
            name,
            private_scores[name],
            public_scores[name],
            public_ranks[name],
        )
        for name in sorted(ranks, key=lambda name: (ranks[name], name))
    )
    return Leaderboard(places, tuple(refused), len(shown), len(hidden))


def _parts(key: _Table, public: float) -> tuple[dict[str, str], dict[str, str]]:
    """Split the true classes into a public and a private part, neither of them empty."""
    answers = key.answers
    if len(answers) < 2:
        raise LabkitError("one test picture cannot be split into public and private.")
    shuffled = sorted(answers, key=lambda item: hashlib.sha256(item.encode()).digest())
    cut = min(max(1, round(public * len(shuffled))), len(shuffled) - 1)
    shown, hidden = shuffled[:cut], shuffled[cut:]
    return {i: answers[i] for i in shown}, {i: answers[i] for i in hidden}


def _reason(error: LabkitError) -> str:
    """Write in one line why a submission was not ranked."""
    if isinstance(error, SubmissionError):
        return "; ".join(map(str, error.report.faults))
    return str(error)


def _share_right(answers: dict[str, str], key: dict[str, str]) -> float:
    return sum(answers[item] == name for item, name in key.items()) / len(key)


def _ranks(scores: dict[str, float]) -> dict[str, int]:
    """Return 1 + how many are better, for each name."""
    better, ranks = Counter(scores.values()), {}
    ahead = 0
    for value in sorted(better, reverse=True):
        ranks[value] = ahead + 1
        ahead += better[value]
    return {name: ranks[value] for name, value in scores.items()}
