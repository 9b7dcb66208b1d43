"""The leaderboard as a web page and as a table."""

import csv
import io
from datetime import datetime
from pathlib import Path

from labkit import files, pages
from labkit.kaggle.ranking import Leaderboard, Place
from labkit.pages import Picture, embedded


def write_leaderboard(board: Leaderboard, folder: Path) -> list[Path]:
    """Write a leaderboard into a folder: index.html, which needs no other file, and leaderboard.csv."""
    pages.write(
        folder / "index.html",
        "leaderboard.html",
        board=board,
        history=_history(board) if board.entries else None,
    )
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([name.replace(" ", "_") for name in board.columns])
    writer.writerows(_row_of_numbers(board, place) for place in board.places)
    files.write_text(folder / "leaderboard.csv", stream.getvalue())
    return [folder / "index.html", folder / "leaderboard.csv"]


def _row_of_numbers(board: Leaderboard, place: Place) -> list[str | int]:
    """Return a place's row, scores as shares in 0..1."""
    middle: list[str | int] = [f"{place.public:.6f}"]
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
    series: dict[str, list[tuple[datetime, float]]] = {}
    for place in board.places:  # best first: they are named in the plot
        series[place.student] = []
    for entry in board.entries:
        series[entry.student].append((entry.time, getattr(entry, part)))
    figure = plots.score_history(
        series,
        deadline=board.deadline,
        title=f"Best {part} score so far",
    )
    return embedded(figure, form="png")
