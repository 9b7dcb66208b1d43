"""Takes in what a student handed in: finds the notebook, and reads it however damaged.

Pure: files in, a notebook or the reason why there is none out. Nothing is executed,
nothing is unpacked to the disk, no link is followed.
"""

import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode

from labkit.grading.repairs import OLD_FORMAT
from labkit.labs.lab import grade_id

MAX_BYTES = 256 * 2**20
MAX_FILES = 1000
MAX_DEPTH = 4
# What systems and editors leave behind: copies that nobody means to hand in.
IGNORED = {".ipynb_checkpoints", "__MACOSX", "__pycache__"}


@dataclass(frozen=True)
class Intake:
    """A submission as it was found: its notebook without outputs, or why there is none.

    `notes` tell the student how the notebook was found.
    """

    notebook: NotebookNode | None = None
    reason: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    """A file that may be the notebook: its name for people, and its bytes or None.

    None: it is too large to be read.
    """

    name: str
    content: bytes | None
    exact: bool


class _Unreadable(Exception):
    """Why a file cannot be read, in words for a student."""


def take_in(folder: Path, lab: str, labs: dict[str, set[str]]) -> Intake:
    """Find and read the notebook of a submission.

    `labs` gives the ids of the cells of every lab of the course, by name.
    """
    candidates = list(_candidates(folder, lab))
    if not candidates:
        return Intake(
            reason=f"There is no notebook in what you handed in; expected {lab}.ipynb."
        )
    read, faults = [], []
    for candidate in candidates:
        try:
            read.append((candidate, *_read(candidate)))
        except _Unreadable as fault:
            faults.append(f"The file {candidate.name} {fault}.")
    own = [one for one in read if _ids(one[1]) & labs[lab]]
    if own:
        return _best(own, lab, labs[lab])
    strange = [_foreign(candidate, notebook, labs) for candidate, notebook, _ in read]
    return Intake(reason=" ".join((faults + strange)[:3]))


def _best(
    found: list[tuple[_Candidate, NotebookNode, list[str]]], lab: str, ids: set[str]
) -> Intake:
    """The file of the right name, else the one that holds most of the lab."""
    found = sorted(
        found, key=lambda one: (not one[0].exact, -len(_ids(one[1]) & ids), one[0].name)
    )
    candidate, notebook, notes = found[0]
    if not candidate.exact:
        told = f"Your file is {candidate.name}. It was graded as {lab}.ipynb"
        others = [other.name for other, *_ in found[1:]]
        also = f"; {', '.join(others[:3])} was not" if others else ""
        notes = [f"{told}{also}.", *notes]
    return Intake(notebook, notes=notes)


def _foreign(
    candidate: _Candidate, notebook: NotebookNode, labs: dict[str, set[str]]
) -> str:
    found = _ids(notebook)
    for name, ids in labs.items():
        if found & ids:
            return f"The file {candidate.name} is the notebook of another lab, {name}."
    return f"The file {candidate.name} holds no cell of this lab."


def _ids(notebook: NotebookNode) -> set[str]:
    """The names by which a lab's cells are known; a cell that lost its mark has its id."""
    return {
        name
        for cell in notebook.cells
        for name in (grade_id(cell), cell.get("id"))
        if isinstance(name, str)
    }


def _candidates(folder: Path, lab: str) -> Iterator[_Candidate]:
    for path in _files(folder):
        name = str(path.relative_to(folder))
        exact = name == f"{lab}.ipynb"
        likely = path.name.lower().startswith(lab.lower())
        if not (exact or likely or path.suffix.lower() in (".ipynb", ".zip")):
            continue
        content = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
        if content is not None and zipfile.is_zipfile(io.BytesIO(content)):
            yield from _zipped(name, content)
        else:
            yield _Candidate(name, content, exact)


def _files(folder: Path, depth: int = 0) -> Iterator[Path]:
    """The files of a submission, those of its folders after its own; links are left out."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)[:MAX_FILES]
    except OSError:
        return
    folders = []
    for entry in entries:
        kind = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISREG(kind) and not entry.name.startswith("."):
            yield Path(entry)
        elif stat.S_ISDIR(kind) and entry.name not in IGNORED and depth < MAX_DEPTH:
            folders.append(Path(entry))
    for one in folders:
        yield from _files(one, depth + 1)


def _zipped(name: str, content: bytes) -> Iterator[_Candidate]:
    """The notebooks in a zip file, read in memory."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = archive.infolist()[:MAX_FILES]
    except (zipfile.BadZipFile, OSError, ValueError):
        yield _Candidate(name, b"", exact=False)
        return
    for entry in entries:
        inside = PurePosixPath(entry.filename)
        if inside.suffix.lower() != ".ipynb" or IGNORED & set(inside.parts):
            continue
        yield _Candidate(f"{name}/{inside.name}", _unzipped(archive, entry), False)


def _unzipped(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes | None:
    """The content of an entry, not more of it than a notebook may hold."""
    try:
        with archive.open(entry) as stream:
            content = stream.read(MAX_BYTES + 1)
    except Exception:  # a damaged or encrypted archive answers with any error
        return b""
    return content if len(content) <= MAX_BYTES else None


def _read(candidate: _Candidate) -> tuple[NotebookNode, list[str]]:
    """The notebook of a file, without outputs, and how it had to be read."""
    if candidate.content is None:
        raise _Unreadable(f"is larger than {MAX_BYTES // 2**20} MB")
    text, notes = _decoded(candidate.content)
    if not text.strip():
        raise _Unreadable("is empty")
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        what = "is cut off" if "{" in text[:100] else "is not a Jupyter notebook"
        at = (
            f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        )
        raise _Unreadable(f"{what}, or it is damaged{at}") from None
    notebook = _notebook(data)
    # nbformat forgets, when it writes, what a notebook of today's format was before.
    return notebook, notes + [OLD_FORMAT] * (data["nbformat"] < 4)


def _decoded(content: bytes) -> tuple[str, list[str]]:
    for encoding, mark in (
        ("utf-8-sig", b""),
        ("utf-16", b"\xff\xfe"),
        ("utf-16", b"\xfe\xff"),
    ):
        if content.startswith(mark):
            try:
                return content.decode(encoding), []
            except UnicodeDecodeError:
                continue
    return content.decode("utf-8", "replace"), [
        "Your file holds characters that are not UTF-8. They were replaced by �."
    ]


def _notebook(data: object) -> NotebookNode:
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int):
        raise _Unreadable("is not a Jupyter notebook")
    if data["nbformat"] > 4:
        raise _Unreadable(
            f"is in the notebook format {data['nbformat']}, and the newest known is 4"
        )
    if data["nbformat"] < 4:
        data = _upgraded(data)
    if not isinstance(data.get("cells"), list):
        raise _Unreadable("is not a Jupyter notebook: it has no list of cells")
    cells = [_without_outputs(cell) for cell in data["cells"] if isinstance(cell, dict)]
    if not cells:
        raise _Unreadable("has no cells")
    return nbformat.from_dict({**data, "cells": cells})


def _upgraded(data: dict) -> dict:
    try:
        return nbformat.convert(nbformat.from_dict(data), 4)
    except Exception:  # nbformat raises nearly anything, depending on what it meets
        raise _Unreadable("is a notebook of an old format that is damaged") from None


def _without_outputs(cell: dict) -> dict:
    """A cell in the form that all that follows takes for granted."""
    source = cell.get("source", "")
    if isinstance(source, list):
        source = "".join(part for part in source if isinstance(part, str))
    source = source if isinstance(source, str) else ""
    kept = {**cell, "source": source.replace("\r\n", "\n")}
    if not isinstance(kept.get("metadata"), dict):
        kept["metadata"] = {}
    if kept.get("cell_type") == "code":
        kept |= {"outputs": [], "execution_count": None}
    return kept
