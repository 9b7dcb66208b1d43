"""Takes in what a student handed in: finds the notebook, and reads it however damaged.

Pure: files in, a notebook or the reason why there is none out. Nothing is executed,
nothing is unpacked to the disk, no link is followed, one file at a time is in memory.
"""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

import nbformat
from nbformat import NotebookNode

from labkit.files import own_files
from labkit.grading.current_format import REPLACED, in_current_format
from labkit.labs.cells import written_lines
from labkit.labs.lab import grade_id

MAX_BYTES = 256 * 2**20
# Of all that a zip file holds together: hardly a byte of it had to be sent.
MAX_UNPACKED = 64 * 2**20
# What a notebook consists of: each value takes up to a hundred times its text in memory.
MAX_VALUES = 5_000_000
MAX_CELLS = 10_000
MAX_FILES = 1000
# What systems and editors leave behind: copies that nobody means to hand in.
IGNORED = {".ipynb_checkpoints", "__MACOSX", "__pycache__"}
# What archives begin with, but for a zip.
ARCHIVES = (b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf", b"\xfd7zXZ", b"BZh", b"(\xb5/\xfd")
TAR = slice(257, 262), b"ustar"
ARCHIVE_SUFFIXES = {".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".xz", ".bz2", ".zst"}

# The names of a lab's cells; of an answer cell also its text as it was handed out.
LabCells = Mapping[str, str | None]


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
    """A file that may be the notebook: its name for people, and what reads its bytes."""

    name: str
    content: Callable[[], bytes]


@dataclass(frozen=True)
class _Found:
    """A notebook with cells of the lab. The least `rank` is the one to grade."""

    name: str
    rank: tuple
    notebook: NotebookNode
    notes: list[str]


class _Unreadable(Exception):
    """Why a file cannot be read, in words for a student."""


def take_in(
    folder: Path, lab: str, labs: Mapping[str, LabCells], deep: bool = True
) -> Intake:
    """Find and read the notebook of a submission.

    Parameters
    ----------
    folder : Path
        What the student handed in.
    lab : str
        The lab it is for.
    labs : Mapping[str, LabCells]
        The cells of every lab of the course.
    deep : bool
        Whether the folders in `folder` belong to it.
    """
    try:
        return _take_in(folder, lab, labs, deep)
    except FileNotFoundError as error:
        if error.filename == str(folder):
            return _nothing(lab)
        return Intake(reason=cannot_be_read(error, folder))
    except OSError as error:
        return Intake(reason=cannot_be_read(error, folder))


def cannot_be_read(error: OSError, folder: Path) -> str:
    """Which file of a folder cannot be read, why, and what helps."""
    path = Path(str(error.filename or folder))
    name = path.relative_to(folder) if path.is_relative_to(folder) else path.name
    what = "What you handed in" if name == Path() else f"The file {str(name)[-200:]}"
    closed = isinstance(error, PermissionError)
    help_ = " Who grades types: chmod -R u+rX submitted" if closed else ""
    return f"{what} cannot be read: {error.strerror}.{help_}"


def _nothing(lab: str) -> Intake:
    return Intake(
        reason=f"There is no notebook in what you handed in; expected {lab}.ipynb."
    )


def _take_in(
    folder: Path, lab: str, labs: Mapping[str, LabCells], deep: bool
) -> Intake:
    for path in own_files(folder, deep):
        path.open("rb").close()  # all of it is copied for the run
    best, others, reasons = None, [], []
    for candidate in _candidates(folder, [lab], deep):
        try:
            notebook, notes = _read(candidate)
        except _Unreadable as fault:
            reasons.append(f"The file {candidate.name} {fault}.")
            continue
        if not _ids(notebook) & labs[lab].keys():
            reasons.append(_foreign(candidate.name, notebook, labs))
            continue
        rank = _rank(candidate.name, notebook, lab, labs[lab])
        found = _Found(candidate.name, rank, notebook, notes)
        if best is not None:
            best, other = sorted((best, found), key=lambda one: one.rank)
            others.append(other.name)
        best = best or found
    if best is not None:
        return _chosen(best, others, lab)
    return Intake(reason=" ".join(reasons[:3])) if reasons else _nothing(lab)


def labs_in(
    path: Path, labs: Mapping[str, LabCells], deep: bool = True
) -> tuple[set[str], bool]:
    """The labs whose notebooks a file or folder holds, and whether there is any work in it.

    A notebook that cannot be read is of the lab that it is named after.
    """
    found, any_work = set(), False
    for candidate in _candidates(path, labs, deep):
        any_work = True
        try:
            ids = _ids(_read(candidate)[0])
        except (_Unreadable, OSError):
            name = PurePosixPath(candidate.name).name.lower()
            found |= {lab for lab in labs if name.startswith(lab.lower())}
        else:
            found |= {lab for lab, cells in labs.items() if ids & cells.keys()}
    return found, any_work


def _rank(name: str, notebook: NotebookNode, lab: str, cells: LabCells) -> tuple:
    """Work before none, then the right name, then the most cells of the lab."""
    released = {known: text for known, text in cells.items() if text is not None}
    written = {known: one.source for one in notebook.cells if (known := grade_id(one))}
    untouched = bool(released) and all(
        written_lines(written.get(known, "")) == written_lines(text)
        for known, text in released.items()
    )
    count = len(_ids(notebook) & cells.keys())
    return untouched, name != f"{lab}.ipynb", -count, name


def _chosen(best: _Found, others: list[str], lab: str) -> Intake:
    """The notebook to grade; told where it has another name or is not the only one."""
    if best.name == f"{lab}.ipynb":
        told = f"Your file {best.name} was graded" if others else ""
    else:
        told = f"Your file is {best.name}. It was graded as {lab}.ipynb"
    if others:
        few = ", ".join(sorted(others)[:3]) + (" and more" if others[3:] else "")
        told += f"; {few} {'was' if len(others) == 1 else 'were'} not"
    return Intake(best.notebook, notes=[*([f"{told}."] if told else []), *best.notes])


def _foreign(name: str, notebook: NotebookNode, labs: Mapping[str, LabCells]) -> str:
    found = _ids(notebook)
    for lab, cells in labs.items():
        if found & cells.keys():
            return f"The file {name} is the notebook of another lab, {lab}."
    return f"The file {name} holds no cell of this lab."


def _ids(notebook: NotebookNode) -> set[str]:
    """The names by which a lab's cells are known; a cell that lost its mark has its id."""
    return {
        name
        for cell in notebook.cells
        for name in (grade_id(cell), cell.get("id"))
        if isinstance(name, str)
    }


def _candidates(path: Path, labs: Iterable[str], deep: bool) -> Iterator[_Candidate]:
    """What may be a notebook of one of the labs; a folder's own files come first."""
    likely = (one for one in own_files(path, deep) if _is_likely(one, path, labs))
    for one in islice(likely, MAX_FILES):
        name = str(one.relative_to(path)) if one != path else path.name
        if zipfile.is_zipfile(one):
            yield from _zipped(name, one)
        else:
            yield _Candidate(name, partial(_content, one))


def _is_likely(path: Path, folder: Path, labs: Iterable[str]) -> bool:
    if path.name.startswith(".") or IGNORED & set(path.relative_to(folder).parts):
        return False
    name = path.name.lower()
    return path.suffix.lower() in {".ipynb", *ARCHIVE_SUFFIXES} or any(
        name.startswith(lab.lower()) for lab in labs
    )


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise _Unreadable(_too_large(MAX_BYTES))
    return path.read_bytes()


def _too_large(limit: int, where: str = "") -> str:
    return (
        f"is larger than {limit // 2**20} MB{where}. Clear its outputs (Edit, Clear "
        "Outputs of All Cells), save it and hand it in again"
    )


def _zipped(name: str, path: Path) -> Iterator[_Candidate]:
    """The notebooks in a zip file, to be unpacked in memory one by one."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError):
        yield _Candidate(name, _damaged_zip)
        return
    with archive:
        unpacker = _Unpacker(archive)
        for entry in archive.infolist()[:MAX_FILES]:
            inside = PurePosixPath(entry.filename)
            likely = inside.suffix.lower() in {".ipynb", *ARCHIVE_SUFFIXES}
            if likely and not IGNORED & set(inside.parts):
                yield _Candidate(
                    f"{name}/{inside.name}", partial(unpacker.content, entry)
                )


def _damaged_zip() -> bytes:
    raise _Unreadable("is a zip file that is cut off or damaged")


class _Unpacker:
    """Unpacks entries of a zip file, all together not more than MAX_UNPACKED bytes."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._left = MAX_UNPACKED

    def content(self, entry: zipfile.ZipInfo) -> bytes:
        # An entry never gives more than it says.
        if entry.file_size > self._left:
            raise _Unreadable(
                _too_large(MAX_UNPACKED, ", with what is before it in the zip file")
            )
        self._left -= entry.file_size
        try:
            return self._archive.read(entry)
        except Exception:  # a damaged or encrypted archive answers with any error
            raise _Unreadable(
                "is damaged, or locked with a password, in its zip file"
            ) from None


def _read(candidate: _Candidate) -> tuple[NotebookNode, list[str]]:
    """The notebook of a file, without outputs, and how it had to be read."""
    text, notes = _decoded(candidate.content())
    if not text or text.isspace():
        raise _Unreadable("is empty")
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        raise _Unreadable(
            f"holds more than {MAX_VALUES:,} values. Clear its outputs (Edit, Clear "
            "Outputs of All Cells), save it and hand it in again"
        )
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        cut_off = text[:100].lstrip().startswith("{")
        what = "is cut off" if cut_off else "is not a Jupyter notebook"
        at = (
            f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        )
        raise _Unreadable(f"{what}, or it is damaged{at}") from None
    notebook, more = _notebook(data)
    return notebook, list(dict.fromkeys([*notes, *more]))


def _decoded(content: bytes) -> tuple[str, list[str]]:
    where, mark = TAR
    if content.startswith(ARCHIVES) or content[where] == mark:
        raise _Unreadable(
            "is an archive of another kind than zip. Hand in .ipynb or .zip"
        )
    if content.startswith(b"PK\x03\x04"):
        raise _Unreadable("is a damaged zip file, or one in another. Hand in .ipynb")
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
    return content.decode("utf-8", "replace"), [REPLACED]


def _notebook(data: object) -> tuple[NotebookNode, list[str]]:
    if not isinstance(data, dict) or not isinstance(data.get("nbformat"), int | float):
        raise _Unreadable("is not a Jupyter notebook")
    if data["nbformat"] > 4:
        raise _Unreadable(
            f"is in the notebook format {data['nbformat']}, and the newest known is 4"
        )
    if data["nbformat"] < 4:
        data = _upgraded(data)
    if not isinstance(data.get("cells"), list):
        raise _Unreadable("is not a Jupyter notebook: it has no list of cells")
    _require_few(data["cells"])
    notebook, notes = in_current_format(data)
    if not notebook.cells:
        raise _Unreadable("has no cells")
    return notebook, notes


def _require_few(cells: list) -> None:
    if len(cells) > MAX_CELLS:
        raise _Unreadable(
            f"has more than {MAX_CELLS:,} cells. Delete those that are empty, save it "
            "and hand it in again"
        )


def _upgraded(data: dict) -> dict:
    """A notebook of format 1 to 3, as it lies on disks, in format 4."""
    try:
        sheets = data.get("worksheets", [data])
        _require_few([cell for sheet in sheets for cell in sheet["cells"]])
        old = nbformat.versions[data["nbformat"]].to_notebook_json(data)
        return nbformat.convert(old, 4)
    except _Unreadable:
        raise
    except Exception:  # nbformat raises nearly anything, depending on what it meets
        raise _Unreadable("is a notebook of an old format that is damaged") from None
