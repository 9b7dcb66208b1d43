"""The competition's HTML pages: one a team with everything it did, one of the class."""

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader

from labkit import files
from labkit.kaggle.evidence import Evidence
from labkit.kaggle.ranking import Leaderboard
from labkit.kaggle.scoring import Score

PAGE_MISTAKES = 12


@dataclass(frozen=True)
class Picture:
    """A figure as the address of an <img>, its alternative text and size in pixels."""

    source: str
    text: str
    width: int
    height: int


def report(
    evidence: Evidence,
    path: Path | str,
    team: str = "",
    submission: Score | None = None,
) -> Path:
    """Write a team's page: score, curves, matrix, filters, worst mistakes, model.

    One file that needs no other. `submission`: the score of what was handed in, where its
    truth is known.
    """
    path = Path(path)
    page = _environment().get_template("team.html")
    text = page.render(
        team=team or evidence.team or "Our team",
        evidence=evidence,
        measures=_measures(evidence),
        submission=submission,
        figures=_figures(evidence),
        made=datetime.now(),
    )
    files.write_text(path, text)
    return path


def write_leaderboard(
    board: Leaderboard, folder: Path, title: str = "Leaderboard"
) -> list[Path]:
    """Write a leaderboard into a folder: index.html, which needs no other file, and leaderboard.csv."""
    page = _environment().get_template("leaderboard.html")
    text = page.render(
        board=board,
        title=title,
        history=_history(board) if board.entries else None,
        made=datetime.now(),
    )
    files.write_text(folder / "index.html", text)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([name.replace(" ", "_") for name in board.columns])
    writer.writerows(_row_of_numbers(board, place) for place in board.places)
    files.write_text(folder / "leaderboard.csv", stream.getvalue())
    return [folder / "index.html", folder / "leaderboard.csv"]


def _row_of_numbers(board: Leaderboard, place) -> list:
    """Return a place's row, scores as shares in 0..1."""
    middle = [f"{place.public:.6f}"]
    if board.closed:
        middle = [f"{place.private:.6f}", *middle, place.public_rank]
    return [
        place.rank,
        place.student,
        *middle,
        f"{place.last:.6f}",
        place.entries,
        f"{place.time:%Y-%m-%dT%H:%M:%SZ}",
    ]


def _history(board: Leaderboard) -> Picture:
    from labkit import plots

    part = "private" if board.closed else "public"
    series: dict[str, list] = {}
    for place in board.places:  # best first: they are named in the plot
        series[place.student] = []
    for entry in board.entries:
        series[entry.student].append((entry.time, getattr(entry, part)))
    figure = plots.score_history(
        series,
        deadline=board.deadline,
        title=f"Best {part} score so far",
    )
    return _picture(figure)


def _measures(evidence: Evidence) -> list[tuple[str, str]]:
    from sklearn.metrics import f1_score

    labels, shares = evidence.labels, evidence.probabilities
    said = shares.argmax(axis=1)
    count = min(5, shares.shape[1])
    best = np.argsort(-shares, axis=1)[:, :count]
    top = np.mean(np.any(best == labels[:, None], axis=1))
    true = np.maximum(shares[np.arange(len(labels)), labels], 1e-15)
    macro = f1_score(labels, said, average="macro", zero_division=0)
    return [
        ("held-out pictures", f"{len(labels):,}"),
        ("accuracy", f"{np.mean(said == labels):.2%}"),
        ("macro F1", f"{macro:.4f}"),
        (f"right within {count} guesses", f"{top:.2%}"),
        ("log loss", f"{-np.mean(np.log(true)):.4f}"),
    ]


def _figures(evidence: Evidence) -> dict[str, Picture]:
    from sklearn.metrics import confusion_matrix

    from labkit import plots

    names, shares = evidence.class_names, evidence.probabilities
    labels, said = evidence.labels, shares.argmax(axis=1)
    matrix = confusion_matrix(labels, said, labels=range(len(names)))
    before, after = plots.one_scale(evidence.filters_before, evidence.filters_after)
    drawn = {
        "recall": plots.confusion_matrix(
            matrix,
            names,
            normalise="true",
            order="similarity",
            title="Of each character's pictures, who is named",
        ),
        "precision": plots.confusion_matrix(
            matrix,
            names,
            normalise="predicted",
            order="similarity",
            title="Of each name given, who it is",
        ),
        "counts": plots.confusion_matrix(matrix, names, title="Counts, by class"),
        "hue": plots.filters(after, before, sort="hue", title="First-layer filters"),
        "orientation": plots.filters(
            after, before, sort="orientation", title="First-layer filters"
        ),
    }
    if evidence.history:
        drawn["curves"] = plots.curves(evidence.history, title="Training")
    if len(evidence.mistakes):
        drawn["mistakes"] = plots.top_k(
            evidence.pictures[:PAGE_MISTAKES],
            shares[evidence.mistakes[:PAGE_MISTAKES]],
            names,
            labels[evidence.mistakes[:PAGE_MISTAKES]],
            count=PAGE_MISTAKES,
            title="The surest mistakes, and the five likeliest names for each",
        )
    return {name: _picture(figure) for name, figure in drawn.items()}


def _picture(figure) -> Picture:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=144)
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    text = " ".join(text.get_text() for text in figure.texts)
    return Picture(f"data:image/png;base64,{data}", text, width, height)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("labkit.kaggle"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def team_of(path: Path, known: Sequence[str] = ()) -> str:
    """Return whose run file this is: its folder's name, or the one above a lab's folder."""
    folder = path.resolve().parent
    return folder.parent.name if folder.name in known else folder.name
