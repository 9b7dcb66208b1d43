"""A competition's CSV file as it stands: its header, its rows by line, what is odd about it."""

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from labkit.errors import LabkitError
from labkit.kaggle.faults import Fault

LARGEST = 50_000_000  # bytes; the largest real submission of the course has 100 kB
_QUOTED = re.compile(r'"[^",]*"')


@dataclass(frozen=True)
class Table:
    """A CSV file: header, rows with their line numbers, what was wrong and what was odd."""

    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    faults: tuple[Fault, ...]
    notes: tuple[Fault, ...]

    @property
    def answers(self) -> dict[str, tuple[str, ...]]:
        """Id -> the other cells of its row, of a table without faults."""
        return {row[0]: row[1:] for _, row in self.rows}


def read_file(path: Path) -> bytes:
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


def parse(content: bytes) -> Table:
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
    return Table(header or (), tuple(rows), tuple(faults), tuple(notes))


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
