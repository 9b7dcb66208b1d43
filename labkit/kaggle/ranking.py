"""A class's leaderboard: one row a student, ranked as Kaggle ranks.

Until the deadline it shows public scores; after it private ones. Then the two
submissions of each student with the best public scores count, as on Kaggle where nobody
has chosen others, and the better of their private scores ranks. Of equal scores the
earlier submission is ahead. So many valid submissions a day count, by UTC.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timezone
from html import escape
from pathlib import Path

from labkit.errors import LabkitError
from labkit.kaggle.faults import one_line
from labkit.kaggle.scoring import Truth, read_answers, read_truth, share_right
from labkit.times import TIMESTAMP, moment, moment_in

COUNTED = 2

Submission = tuple[str, Path]  # a student's name and the file


@dataclass(frozen=True)
class Entry:
    """A valid submission: who, the file, when, and its two scores in 0..1."""

    student: str
    file: str
    time: datetime
    public: float
    private: float


@dataclass(frozen=True)
class Place:
    """One student's row. `score` ranks; `best` and `last` are of the part shown.

    `public` is the student's best public score and `public_rank` its rank; `private` is
    None until the deadline. `time` is that of the submission that ranks.
    """

    rank: int
    student: str
    score: float
    best: float
    last: float
    public: float
    public_rank: int
    private: float | None
    entries: int
    time: datetime


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """A class's ranking.

    Attributes
    ----------
    places : tuple of Place
        A row a student, best first: `rank`, `student`, `score`, and what it rests on.
    entries : tuple of Entry
        The submissions that count, by time.
    refused : tuple of (str, str)
        File and reason of each that does not.
    public_rows, private_rows : int
        The test pictures of each part.
    deadline : datetime or None
        Later submissions do not count.
    closed : bool
        Whether private scores are shown.
    """

    places: tuple[Place, ...]
    entries: tuple[Entry, ...]
    refused: tuple[tuple[str, str], ...]
    public_rows: int
    private_rows: int
    deadline: datetime | None
    closed: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """The heads of `rows`."""
        part = "private" if self.closed else "public"
        middle: tuple[str, ...] = ("best public",)
        if self.closed:
            middle = ("private", *middle, "public rank")
        return ("rank", "student", *middle, f"last {part}", "submissions", "time")

    def rows(self) -> list[tuple[str, ...]]:
        """Return the table's cells as texts, best first."""
        return [self._row(place) for place in self.places]

    def _row(self, place: Place) -> tuple[str, ...]:
        middle: tuple[str, ...] = (f"{place.public:.2%}",)
        if self.closed:
            middle = (f"{place.private:.2%}", *middle, str(place.public_rank))
        when = f"{place.time:%Y-%m-%d %H:%M}"
        tail = (f"{place.last:.2%}", str(place.entries), when)
        return (str(place.rank), place.student, *middle, *tail)

    @property
    def caption(self) -> str:
        """What the scores are measured on, and how the rank comes about."""
        if not self.closed:
            return (
                f"Public scores, on {self.public_rows:,} test pictures. After the deadline,"
                f" {self.deadline:%Y-%m-%d %H:%M} UTC, the other {self.private_rows:,} decide"
            )
        return (
            f"Public score on {self.public_rows:,} test pictures, private score and rank"
            f" on the other {self.private_rows:,}"
        )

    def __str__(self) -> str:
        table = [self.columns, *self.rows()]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = [
            "  ".join(
                cell.ljust(width) for cell, width in zip(row, widths, strict=True)
            )
            for row in table
        ]
        refused = [f"not counted: {name}: {reason}" for name, reason in self.refused]
        return "\n".join([*(line.rstrip() for line in lines), self.caption, *refused])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in self.columns)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>"
            for row in self.rows()
        )
        refused = "".join(
            f"<li>{escape(name)}: {escape(reason)}</li>"
            for name, reason in self.refused
        )
        refused = f"<p>Not counted:</p><ul>{refused}</ul>" if refused else ""
        return f"<table><tr>{head}</tr>{body}</table><p>{self.caption}</p>{refused}"


def leaderboard(
    submissions: Path | str,
    truth: Path | str,
    public: float = 0.3,
    *,
    deadline: datetime | None = None,
    now: datetime | None = None,
    per_day: int | None = None,
    pattern: str = "*.csv",
    progress: Callable[[list[Submission]], Iterable[Submission]] = iter,
) -> Leaderboard:
    """Rank a folder of submissions, `<student>.csv` or `<student>/**/<pattern>`.

    A submission's time is in its name (2026-05-31T14-05, UTC or with a zone such as
    +0200), or in nbgrader's timestamp.txt beside it, or the file's own.

    Parameters
    ----------
    submissions : path
        The folder.
    truth : path
        The true classes, as in `score`.
    public : float
        The share of test pictures whose score students may see meanwhile, 0..1; a column
        Usage in `truth` goes before.
    deadline : datetime, optional
        With a time zone. Later files do not count, and until then only public scores are
        shown. Without one the competition is closed.
    now : datetime, optional
        By default the present.
    per_day : int, optional
        So many valid submissions of a student count, by UTC day.
    pattern : str
        The submissions' names in a student's folder.
    progress : callable
        Wraps the files as they are read, to show how far it is.

    Returns
    -------
    board : Leaderboard
        What does not count is in `refused`, with the reason.

    Raises
    ------
    LabkitError
        There is no such folder, or the truth cannot be read or split.

    Examples
    --------
    >>> from pathlib import Path
    >>> from labkit import kaggle
    >>> names, ids = ["bart", "lisa", "bart", "lisa"], [1, 2, 3, 4]
    >>> true = kaggle.write(ids, names, "truth.csv")
    >>> said = kaggle.write(ids, names, "entries/ann.csv")
    >>> said = kaggle.write(ids, ["lisa"] * 4, "entries/ben.csv")
    >>> board = kaggle.leaderboard("entries", "truth.csv", public=0.5)
    >>> [(place.rank, place.student) for place in board.places]
    [(1, 'ann'), (2, 'ben')]
    """
    folder, key = Path(submissions), read_truth(truth, public)
    if not folder.is_dir():
        raise LabkitError(
            f"{folder}: not a folder. Give the one with <student>.csv files, or one"
            " folder a student."
        )
    now = now or datetime.now(timezone.utc)
    found: list[Entry] = []
    refused: list[tuple[str, str]] = []
    files = list(_files(folder, pattern))
    for student, path in progress(files):
        try:
            found.append(_entry(student, path, folder, key, deadline))
        except LabkitError as error:
            refused.append((path.relative_to(folder).as_posix(), one_line(error)))
    for path, reason in _passed_over(folder, pattern, {path for _, path in files}):
        refused.append((path.relative_to(folder).as_posix(), reason))
    found.sort(key=lambda entry: (entry.time, entry.student, entry.file))
    counted, surplus = _within_days(found, per_day)
    closed = deadline is None or now >= deadline
    return Leaderboard(
        _places(counted, closed),
        tuple(counted),
        tuple(refused + surplus),
        len(key.public),
        len(key.private),
        deadline,
        closed,
    )


def _files(folder: Path, pattern: str) -> Iterator[Submission]:
    """Yield (student, file): of the folder itself, and of each student's folder."""
    for path in sorted(folder.iterdir()):
        if _is_csv(path):
            yield path.stem, path
        elif path.is_dir() and not path.is_symlink():
            yield from ((path.name, file) for file in sorted(path.rglob(pattern)))


def _passed_over(
    folder: Path, pattern: str, taken: set[Path]
) -> Iterator[tuple[Path, str]]:
    """Yield the files that may have been meant as submissions, and why they are none."""
    lab, name = Path(pattern).parent, Path(pattern).name
    for path in sorted(set(folder.iterdir()) - taken):
        if path.is_dir() and not path.is_symlink():
            others = set((path / lab).rglob("*")) - taken
            yield from ((f, f"not named {name}") for f in sorted(others) if _is_csv(f))
        elif not path.name.startswith("."):
            yield path, "neither a .csv file nor a student's folder"


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _entry(
    student: str, path: Path, folder: Path, key: Truth, deadline: datetime | None
) -> Entry:
    # A link could point at the true classes.
    if path.is_symlink() or not path.is_file():
        raise LabkitError("not a plain file")
    time = submission_time(path)
    if deadline is not None and time > deadline:
        raise LabkitError(f"after the deadline, on {time:%Y-%m-%d %H:%M} UTC")
    said = read_answers(path, key).said
    return Entry(
        student=student,
        file=path.relative_to(folder).as_posix(),
        time=time,
        public=share_right(said, key.classes, key.public),
        private=share_right(said, key.classes, key.private),
    )


def submission_time(path: Path) -> datetime:
    """Return when a file was handed in: by its name, nbgrader's note, or its own time.

    Raises LabkitError where the note is none that can be read.
    """
    named, note = moment_in(path.stem), path.with_name(TIMESTAMP)
    if named:
        return named
    if note.is_file() and not note.is_symlink():
        text = note.read_text("utf-8-sig", errors="replace")[:100].strip()
        try:
            return moment(text)
        except LabkitError as error:
            raise LabkitError(f"{TIMESTAMP} beside it: {error}") from None
    return datetime.fromtimestamp(path.stat().st_mtime, timezone.utc)


def _within_days(
    entries: list[Entry], per_day: int | None
) -> tuple[list[Entry], list[tuple[str, str]]]:
    """Split entries, by time, into those within the daily number and the others."""
    counted: list[Entry] = []
    surplus: list[tuple[str, str]] = []
    used: Counter[tuple[str, date]] = Counter()
    for entry in entries:
        day = entry.student, entry.time.date()
        used[day] += 1
        if per_day is not None and used[day] > per_day:
            reason = f"number {used[day]} of {day[1]}; {per_day} a day count"
            surplus.append((entry.file, reason))
        else:
            counted.append(entry)
    return counted, surplus


def _places(entries: Sequence[Entry], closed: bool) -> tuple[Place, ...]:
    by_student: dict[str, list[Entry]] = {}
    for entry in entries:
        by_student.setdefault(entry.student, []).append(entry)
    best_public = {name: _best(own, "public")[0] for name, own in by_student.items()}
    public_ranks = _ranks({n: (e.public, e.time) for n, e in best_public.items()})
    deciding = best_public
    if closed:
        deciding = {
            name: _best(_best(own, "public")[:COUNTED], "private")[0]
            for name, own in by_student.items()
        }
    part = "private" if closed else "public"
    ranks = _ranks({n: (getattr(e, part), e.time) for n, e in deciding.items()})
    places = [
        Place(
            rank=ranks[name],
            student=name,
            score=getattr(deciding[name], part),
            best=max(getattr(entry, part) for entry in own),
            last=getattr(own[-1], part),
            public=best_public[name].public,
            public_rank=public_ranks[name],
            private=deciding[name].private if closed else None,
            entries=len(own),
            time=deciding[name].time,
        )
        for name, own in by_student.items()
    ]
    return tuple(sorted(places, key=lambda place: (place.rank, place.student)))


def _best(entries: Sequence[Entry], part: str) -> list[Entry]:
    """Return entries by score, best first; of equal ones the earlier is ahead."""
    return sorted(entries, key=lambda entry: (-getattr(entry, part), entry.time))


def _ranks(scores: dict[str, tuple[float, datetime]]) -> dict[str, int]:
    """Return each name's rank: the better score, then the earlier time; else it is shared."""
    order = sorted({(-value, time) for value, time in scores.values()})
    many = Counter((-value, time) for value, time in scores.values())
    ranks: dict[tuple[float, datetime], int] = {}
    ahead = 0
    for item in order:
        ranks[item] = ahead + 1
        ahead += many[item]
    return {name: ranks[-value, time] for name, (value, time) in scores.items()}
