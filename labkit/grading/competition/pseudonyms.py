"""Names that a public leaderboard shows in place of students' own."""

import csv
import io
import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from labkit import files
from labkit.errors import LabkitError
from labkit.kaggle.ranking import Leaderboard

HEADER = ["student", "pseudonym"]
FIRST = """
amber azure brave bright calm clever coral crisp deft eager early fair fast gentle
glad golden grand green happy honest jade jolly keen kind lively lucid lucky mellow
merry mild nimble noble opal patient proud quick quiet rapid ready rosy royal ruby
silver smart snowy solid spry steady sunny swift teal tidy true velvet vivid warm
wise witty young zesty
"""
SECOND = """
badger bear beaver bison camel crane deer dolphin dove eagle elk falcon finch fox
gecko goose hare hawk hedgehog heron ibex jackdaw jay koala lark lemur lion llama
lynx marmot marten mole moose moth newt octopus orca osprey otter owl panda pelican
penguin puffin quail rabbit raven robin salmon seal sparrow squirrel stork swan
tapir tiger toad trout turtle walrus weasel whale wolf wren yak
"""


def with_pseudonyms(board: Leaderboard, path: Path) -> Leaderboard:
    """Return the board with pseudonyms for students; `path` keeps who is who.

    A CSV file `student,pseudonym`, for the instructor alone. Who is in it keeps the name,
    others get a new one, drawn at random. File names are left out of what was refused.
    """
    known = _read(path) if path.is_file() else {}
    students = sorted({entry.student for entry in board.entries})
    names = known | _drawn([s for s in students if s not in known], known.values())
    _write(path, names)
    places = [replace(place, student=names[place.student]) for place in board.places]
    entries = [
        replace(entry, student=names[entry.student], file="") for entry in board.entries
    ]
    refused = tuple(("a file", reason) for _, reason in board.refused)
    return replace(board, places=tuple(places), entries=tuple(entries), refused=refused)


def _drawn(students: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    taken, drawn = set(taken), {}
    for student in students:
        name = _pair()
        while name in taken:
            name = f"{_pair()} {secrets.randbelow(1000)}"
        taken.add(name)
        drawn[student] = name
    return drawn


def _pair() -> str:
    return f"{secrets.choice(FIRST.split())} {secrets.choice(SECOND.split())}"


def _read(path: Path) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    if rows[:1] != [HEADER] or any(len(row) != 2 for row in rows):
        raise LabkitError(
            f"{path}: expected the header {','.join(HEADER)} and two cells a row. Name"
            " another file, or remove this one to draw new pseudonyms."
        )
    return dict(rows[1:])


def _write(path: Path, names: dict[str, str]) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(sorted(names.items()))
    files.write_text(path, stream.getvalue())
