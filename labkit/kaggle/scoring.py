"""How right a submission is: accuracy, macro F1, log loss, in public and in private."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import LabkitError
from labkit.files import content_hash
from labkit.kaggle.faults import Report, SubmissionError
from labkit.kaggle.rules import Form
from labkit.kaggle.submission import class_names_of, inspect, key_table
from labkit.kaggle.table import Table, parse, read_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

USAGE = "Usage"
# Of Kaggle's solution files; rows of another usage count nowhere.
PUBLIC, PRIVATE = "Public", "Private"
SMALLEST = 1e-15  # Kaggle's log loss takes the logarithm of no less


@dataclass(frozen=True)
class Measures:
    """Shares in 0..1 on so many rows; the log loss where probabilities were given."""

    rows: int
    accuracy: float
    macro_f1: float
    log_loss: float | None = None

    @classmethod
    def of(
        cls, true: np.ndarray, said: np.ndarray, likelihoods: np.ndarray | None = None
    ) -> "Measures":
        """Measure answers (N,) against the true classes (N,), all names or all numbers.

        Macro F1 is the mean of the F1 of the classes in either; one that is in one of them
        only counts 0. `likelihoods` (N,): the probability that each true class was given,
        none counted as below 1e-15.
        """
        from sklearn.metrics import f1_score

        loss = None
        if likelihoods is not None:
            loss = float(-np.mean(np.log(np.maximum(likelihoods, SMALLEST))))
        macro = f1_score(true, said, average="macro", zero_division=0)
        return cls(len(true), float(np.mean(true == said)), float(macro), loss)

    def __str__(self) -> str:
        right = round(self.accuracy * self.rows)
        loss = "" if self.log_loss is None else f", log loss {self.log_loss:.4f}"
        return (
            f"accuracy {self.accuracy:.2%} ({right:,} of {self.rows:,}),"
            f" macro F1 {self.macro_f1:.4f}{loss}"
        )


@dataclass(frozen=True, eq=False, repr=False)
class Score:
    """A submission's measures, on all rows and by part.

    Attributes
    ----------
    name : str
        The file's name, without its ending.
    all, public, private : Measures
        Each with `rows`, `accuracy` and `macro_f1` in 0..1, and `log_loss`, None where no
        probabilities were given. `public` and `private` are None where the truth is not
        split. The score's own `rows`, `accuracy`, `macro_f1` and `log_loss` are of `all`.
    confusion : array (C, C), int64
        Counts; rows true, columns predicted.
    class_names : tuple of str
        The C classes of truth and submission.
    """

    name: str
    all: Measures
    confusion: np.ndarray
    class_names: tuple[str, ...]
    public: Measures | None = None
    private: Measures | None = None

    @property
    def rows(self) -> int:
        return self.all.rows

    @property
    def accuracy(self) -> float:
        return self.all.accuracy

    @property
    def macro_f1(self) -> float:
        return self.all.macro_f1

    @property
    def log_loss(self) -> float | None:
        return self.all.log_loss

    def figure(self, **options: Any) -> "Figure":
        """Draw the confusion matrix; options as in `plots.confusion_matrix`."""
        from labkit import plots

        options = {"title": f"{self.name}: confusion matrix", **options}
        return plots.confusion_matrix(self.confusion, self.class_names, **options)

    def _lines(self) -> list[str]:
        parts = {"public": self.public, "private": self.private}
        shown = [f"{part}: {found}" for part, found in parts.items() if found]
        return [f"{self.name}: {self.all}", *shown]

    def __str__(self) -> str:
        return "\n  ".join(self._lines())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        first, *parts = map(escape, self._lines())
        return f"<b>{first}</b>" + "".join(f"<br>{part}" for part in parts)


Parts = tuple[tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True)
class Truth:
    """The true classes by id, the classes allowed, and the ids of the two parts.

    `public` and `private` are empty where the truth is not split.
    """

    id_name: str
    class_column: str
    classes: dict[str, str]
    class_names: tuple[str, ...] | None
    public: tuple[str, ...] = ()
    private: tuple[str, ...] = ()

    def form(self, header: tuple[str, ...]) -> Form:
        """Return what a submission must look like: class names, or probabilities."""
        names = self.class_names or tuple(sorted(set(self.classes.values())))
        ids = tuple(self.classes)
        if sorted(header[1:]) == sorted(names) and len(header) > 2:
            return Form((self.id_name, *header[1:]), ids, names)
        if len(header) > 3:  # meant as probabilities: its faults are told as such
            return Form((self.id_name, *names), ids, names)
        return Form((self.id_name, self.class_column), ids, self.class_names)


def read_truth(path: Path | str, public: float | None = None) -> Truth:
    """Read the true classes, `id,character` and, as Kaggle's solution files, `Usage`.

    The column Usage says which rows are Public and which Private. Without it `public` is
    the share of rows to be public; which ones is fixed by their ids, the same for
    everyone and on every machine. None: no parts. The classes allowed are those in
    character_name.lst beside the file; any where there is none.
    """
    table = key_table(path)
    with_usage = len(table.header) == 3 and table.header[2] == USAGE
    if len(table.header) != 2 and not with_usage:
        raise LabkitError(
            f"{path}: header is {','.join(table.header)!r}; expected id,character, or"
            f" id,character,{USAGE} with {PUBLIC} or {PRIVATE} in each row."
        )
    answers = table.answers
    parts: Parts = (), ()
    if with_usage:
        parts = _named_parts(path, answers)
    elif public is not None:
        parts = _drawn_parts(answers, public)
    return Truth(
        id_name=table.header[0],
        class_column=table.header[1],
        classes={item: row[0] for item, row in answers.items()},
        class_names=class_names_of(path),
        public=parts[0],
        private=parts[1],
    )


def _named_parts(path: Path | str, answers: dict[str, tuple[str, ...]]) -> Parts:
    public, private = (
        tuple(item for item, (_, usage) in answers.items() if usage == part)
        for part in (PUBLIC, PRIVATE)
    )
    if not (public and private):
        raise LabkitError(
            f"{path}: the column {USAGE} holds {len(public)} times {PUBLIC} and"
            f" {len(private)} times {PRIVATE}; expected both."
        )
    return public, private


def _drawn_parts(answers: dict[str, tuple[str, ...]], public: float) -> Parts:
    """Split the ids into a public and a private part, neither of them empty."""
    if not 0 < public < 1:
        raise LabkitError(f"public is {public}; expected a share between 0 and 1.")
    if len(answers) < 2:
        raise LabkitError("one test picture cannot be split into public and private.")
    shuffled = sorted(answers, key=content_hash)
    cut = min(max(1, round(public * len(shuffled))), len(shuffled) - 1)
    return tuple(shuffled[:cut]), tuple(shuffled[cut:])


def score(path: Path | str, truth: Path | str, public: float | None = None) -> Score:
    """Score a submission against the true classes, a CSV of the same form.

    Macro F1 is the mean of the F1 of the classes in the truth or the submission; the log
    loss is given where the submission holds probabilities, each row brought to a sum of
    1 and no true class's below 1e-15.

    Parameters
    ----------
    path : path
        The submission.
    truth : path
        The true classes. The classes allowed are those in character_name.lst beside it;
        any where there is none.
    public : float, optional
        The share of rows that are public, 0..1; a column Usage in the truth goes before.

    Returns
    -------
    score : Score
        On all rows and, where the truth is split, in public and in private.

    Raises
    ------
    SubmissionError
        The submission has faults, or the truth has.
    LabkitError
        A file cannot be read, or cannot be split so.

    Examples
    --------
    >>> from labkit import kaggle
    >>> said = kaggle.write([1, 2, 3], ["bart", "lisa", "lisa"], "submission.csv")
    >>> true = kaggle.write([1, 2, 3], ["bart", "lisa", "bart"], "truth.csv")
    >>> kaggle.score("submission.csv", "truth.csv")
    submission: accuracy 66.67% (2 of 3), macro F1 0.6667
    """
    path, key = Path(path), read_truth(truth, public)
    answers = read_answers(path, key)
    said = answers.said
    names = tuple(sorted(set(key.classes.values()) | set(said.values())))
    true = [key.classes[item] for item in key.classes]
    return Score(
        name=path.stem,
        all=_measures(key, answers, tuple(key.classes)),
        confusion=_confusion(true, [said[item] for item in key.classes], names),
        class_names=names,
        public=_measures(key, answers, key.public) if key.public else None,
        private=_measures(key, answers, key.private) if key.private else None,
    )


def _confusion(
    true: Sequence[str], said: Sequence[str], names: Sequence[str]
) -> np.ndarray:
    """Return how often each pair occurs, (C, C) int64; scikit-learn's warns of a single class."""
    number = {name: place for place, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)), np.int64)
    np.add.at(counts, ([number[one] for one in true], [number[one] for one in said]), 1)
    return counts


@dataclass(frozen=True)
class Answers:
    """A faultless submission: the class said for each id, and probabilities where given."""

    said: dict[str, str]
    probabilities: dict[str, tuple[float, ...]]
    columns: tuple[str, ...] = ()


def read_answers(path: Path, key: Truth) -> Answers:
    """Read a submission; raises SubmissionError where it has faults."""
    content = read_file(path)
    form = key.form(parse(content).header)
    report, table = inspect(path, content, form)
    if not report.ok:
        raise SubmissionError(_without_notes(report))
    if form.probabilities:
        return _likeliest(table)
    return Answers({item: row[0] for item, row in table.answers.items()}, {})


def _without_notes(report: Report) -> Report:
    return Report(report.path, report.rows, report.faults)


def _likeliest(table: Table) -> Answers:
    columns = table.header[1:]
    shares = {i: tuple(map(float, row)) for i, row in table.answers.items()}
    said = {item: columns[int(np.argmax(row))] for item, row in shares.items()}
    return Answers(said, shares, columns)


def _measures(key: Truth, answers: Answers, ids: Sequence[str]) -> Measures:
    true = np.array([key.classes[item] for item in ids])
    said = np.array([answers.said[item] for item in ids])
    likelihoods = _likelihoods(true, answers, ids) if answers.probabilities else None
    return Measures.of(true, said, likelihoods)


def _likelihoods(true: np.ndarray, answers: Answers, ids: Sequence[str]) -> np.ndarray:
    """Return the probability (N,) that each true class was given, rows brought to a sum of 1."""
    place = {name: number for number, name in enumerate(answers.columns)}
    rows = np.array([answers.probabilities[item] for item in ids])
    columns = [place[name] for name in true.tolist()]
    return rows[np.arange(len(ids)), columns] / rows.sum(axis=1)


def share_right(
    said: dict[str, str], classes: dict[str, str], ids: Sequence[str]
) -> float:
    """Return the share of `ids` whose class is said right, 0..1."""
    return sum(said[item] == classes[item] for item in ids) / len(ids)
