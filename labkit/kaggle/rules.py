"""What the rows of a submission must hold; each rule yields the faults that it finds."""

import difflib
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.formatting import counted
from labkit.kaggle.faults import Fault, short, some

HEADER = ("id", "character")
INDEX = (
    "the first column is pandas' index; write the file with to_csv(..., index=False)"
)
# Six decimals of twenty probabilities add up to 1 within 0.00001.
SUM_TOLERANCE = 1e-3

Row = tuple[int, tuple[str, ...]]


@dataclass(frozen=True)
class Form:
    """What a competition asks for: the header, the ids, the classes; None where unknown.

    A header of two columns asks for a class name; a longer one for a probability for
    each class, whose name heads its column.
    """

    header: tuple[str, ...] = HEADER
    ids: tuple[str, ...] | None = None
    class_names: tuple[str, ...] | None = None

    @property
    def probabilities(self) -> bool:
        return len(self.header) > 2


def has_index(header: tuple[str, ...]) -> bool:
    """Return whether a table's first column is the nameless one that pandas writes by itself."""
    # read and written again, it has a name
    return len(header) > 2 and header[0] in ("", "Unnamed: 0")


def header_faults(found: tuple[str, ...], expected: tuple[str, ...]) -> Iterator[Fault]:
    """Yield a header that is not the expected one."""
    if found == expected:
        return
    if not found:
        yield Fault(f"the file has no header; expected {','.join(expected)!r}")
        return
    text = f"header is {short(','.join(found))}; expected {short(','.join(expected))}"
    if has_index(found):
        text += f"; {INDEX}"
    elif len(found) == len(expected) and found[0].isdecimal():
        text += "; the first row seems to stand in its place"
    elif sorted(found) == sorted(expected):
        text += "; the columns stand in another order"
    yield Fault(text, (1,))


def row_faults(rows: Sequence[Row], width: int) -> Iterator[Fault]:
    """Yield rows of the wrong width, empty cells and spaces around values."""
    blank = [line for line, row in rows if not any(cell.strip() for cell in row)]
    if blank:
        yield Fault("empty row", tuple(blank))
    empty_lines = set(blank)
    rows = [(line, row) for line, row in rows if line not in empty_lines]
    widths: dict[int, list[int]] = {}
    for line, row in rows:
        if len(row) != width:
            widths.setdefault(len(row), []).append(line)
    for found, lines in sorted(widths.items()):
        hint = ""
        if found == 1 and any(mark in row[0] for _, row in rows for mark in ";\t"):
            hint = "; separate them by a comma, not by a semicolon or a tab"
        yield Fault(
            f"{counted(found, 'column')} instead of {width}{hint}", tuple(lines)
        )
    whole = [(line, row) for line, row in rows if len(row) == width]
    value = "class" if width == 2 else "probability"
    for name, cells in (("id", slice(0, 1)), (value, slice(1, None))):
        empty = [line for line, row in whole if not all(c.strip() for c in row[cells])]
        if empty:
            yield Fault(f"empty {name}", tuple(empty))
    spaced = [line for line, row in whole if any(c and c != c.strip() for c in row)]
    if spaced:
        yield Fault("spaces around a value", tuple(spaced))


def double_ids(rows: Sequence[Row]) -> Iterator[Fault]:
    """Yield ids that occur more than once."""
    counts = Counter(row[0] for _, row in rows if row[0])
    double = [(line, row[0]) for line, row in rows if counts[row[0]] > 1]
    if double:
        yield Fault(
            f"ids more than once: {some(dict.fromkeys(i for _, i in double))}",
            tuple(line for line, _ in double),
        )


def id_faults(rows: Sequence[Row], expected: Sequence[str]) -> Iterator[Fault]:
    """Yield missing and foreign ids, and a row count that they do not explain."""
    known, given = set(expected), {row[0] for _, row in rows}
    missing = [item for item in expected if item not in given]
    if missing:
        lack = "id is" if len(expected) == 1 else "ids are"
        lack = "ids is" if len(missing) == 1 < len(expected) else lack
        yield Fault(
            f"{len(missing):,} of {len(expected):,} {lack} missing: {some(missing)}"
        )
    foreign = [(line, row[0]) for line, row in rows if row[0] and row[0] not in known]
    if foreign:
        names = [name for _, name in foreign]
        text = f"ids that the competition does not have: {some(names)}"
        if all(_bare(name) in known for name in names):
            text += f"; write {_bare(names[0])}, not {names[0]}"
        yield Fault(text, tuple(line for line, _ in foreign))
    if len(rows) != len(expected):
        yield Fault(f"{counted(len(rows), 'row')}; expected {len(expected):,}")


def order_notes(rows: Sequence[Row], expected: Sequence[str]) -> Iterator[Fault]:
    """Yield the line from which on the right ids stand in another order."""
    given = [row[0] for _, row in rows]
    if given != list(expected) and sorted(given) == sorted(expected):
        pairs = zip(rows, expected, strict=True)
        first = next(line for (line, row), item in pairs if row[0] != item)
        text = "from here on rows stand in another order than the sample's; ids decide"
        yield Fault(text, (first,))


def _bare(name: str) -> str:
    """Return an id without what often clings to it: `7.jpg`, `test/7.jpg`, `7.0`, `0007`."""
    stem = name.strip().rsplit("/", 1)[-1].split(".", 1)[0]
    return stem.lstrip("0") or stem


def class_faults(rows: Sequence[Row], class_names: Sequence[str]) -> Iterator[Fault]:
    """Yield each unknown class once, with the names it may have been meant to be."""
    known = set(class_names)
    unknown: dict[str, list[int]] = {}
    for line, (_, name) in rows:
        if name.strip() and name.strip() not in known:
            unknown.setdefault(name, []).append(line)
    listed = sorted(unknown.items(), key=lambda item: -len(item[1]))
    for name, lines in listed[:20]:
        yield Fault(
            f"unknown class {short(name)}{_meant(name, class_names)}", tuple(lines)
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
    plain, known = _plain(name), {_plain(known): known for known in class_names}
    near = (
        [plain] * (plain in known)
        or [one for one in known if len(plain) > 2 and plain in one]
        or difflib.get_close_matches(plain, known, cutoff=0.7)
    )
    meant = " or ".join(repr(known[one]) for one in near[:2])
    return f"; did you mean {meant}?" if near else ""


def _plain(name: str) -> str:
    """Return a name without what is easily mistaken in one: case, spaces, hyphens."""
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def probability_faults(rows: Sequence[Row]) -> Iterator[Fault]:
    """Yield cells that are no probabilities, and rows that do not add up to 1."""
    words, outside, sums = [], [], []
    for line, row in rows:
        found = {cell: _number(cell) for cell in row[1:]}
        values = [v for cell in row[1:] if (v := found[cell]) is not None]
        if len(values) < len(row) - 1:
            wrong = [c for c, value in found.items() if c.strip() and value is None]
            words += [(line, cell) for cell in wrong[:1]]
        elif not all(0 <= value <= 1 for value in values):
            outside.append((line, next(v for v in values if not 0 <= v <= 1)))
        elif abs(sum(values) - 1) > SUM_TOLERANCE:
            sums.append((line, sum(values)))
    if words:
        text = f"not a number: {some(dict.fromkeys(cell for _, cell in words))}"
        yield Fault(text, tuple(line for line, _ in words))
    if outside:
        text = f"probabilities outside 0 to 1, the first {outside[0][1]:g}"
        yield Fault(text, tuple(line for line, _ in outside))
    if sums:
        text = f"probabilities of a row should add up to 1; the first add up to {sums[0][1]:.4g}"
        yield Fault(text, tuple(line for line, _ in sums))


def _number(cell: str) -> float | None:
    """Return a cell's value, None where it is no number, or is infinite or `nan`."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
