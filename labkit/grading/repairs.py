"""What was repaired in a submitted notebook, in sentences for the student.

Pure: the notebook as it was handed in, the one that was graded and the lab's cells go
in, sentences come out.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from nbformat import NotebookNode

from labkit.formatting import counted
from labkit.labs.cells import visible_source, written_lines
from labkit.labs.lab import grade_id

KINDS = {"code": "a code cell", "markdown": "a text cell", "raw": "a raw cell"}
PUT_BACK = "The one of the lab was put back, and it is what counted."


@dataclass(frozen=True)
class LabCell:
    """A cell of a lab that nbgrader knows, as the gradebook holds it.

    `source` holds hidden tests too. `points` is None where the cell has none.
    """

    name: str
    cell_type: str
    source: str
    checksum: str | None
    locked: bool
    grade: bool
    solution: bool
    task: bool
    points: float | None

    def role(self) -> dict:
        """The cell's nbgrader metadata."""
        role = {
            "schema_version": 3,
            "grade_id": self.name,
            "grade": self.grade,
            "solution": self.solution,
            "locked": self.locked,
            "task": self.task,
            "cell_type": self.cell_type,
        }
        if self.checksum:
            role["checksum"] = self.checksum
        if self.points is not None:
            role["points"] = self.points
        return role

    @property
    def title(self) -> str:
        """What students call it: its part in the lab, and its name."""
        if self.task:
            return f"task `{self.name}`"
        if not self.grade and not self.solution:
            return f"locked cell `{self.name}`"
        role = "answer" if self.solution else "check"
        return f"{role} cell `{self.key}`"

    @property
    def subject(self) -> str:
        """The title at the beginning of a sentence to a student."""
        return f"{'Your' if self.solution else 'The'} {self.title}"

    @property
    def key(self) -> str:
        """The name of the exercise: `double` for `check-double` and `manual-double`."""
        for prefix in ("check-", "manual-"):
            if self.name.startswith(prefix):
                return self.name.removeprefix(prefix)
        return self.name


def repairs(
    submitted: NotebookNode, graded: NotebookNode, lab: Iterable[LabCell]
) -> list[str]:
    """Say how the notebook that was graded differs from the one that was handed in.

    Both are in the current notebook format, with the same ids for the same cells. `lab`
    gives the lab's cells in their order. Outputs, blank lines and spaces at the end of
    a line make no difference.
    """
    lab = list(lab)
    told = _kernel(submitted, graded)
    handed_in, counted = _Cells(submitted.cells), _Cells(graded.cells)
    for cell in lab:
        told += _of_cell(cell, handed_in, counted, lab)
    # A function that is asked for together with others may stand in a cell of its own.
    known = {cell.name for cell in lab} | {cell.key for cell in lab}
    return told + _foreign(handed_in, known)


class _Cells:
    """A notebook's cells, with the name that each carries."""

    def __init__(self, cells: list[NotebookNode]) -> None:
        self.all = cells
        self.names = [grade_id(cell) for cell in cells]
        self.by_id = {cell.id: cell for cell in cells}

    def of(self, name: str) -> list[NotebookNode]:
        """The cells that carry a name."""
        pairs = zip(self.all, self.names, strict=True)
        return [cell for cell, carried in pairs if carried == name]


def _kernel(submitted: NotebookNode, graded: NotebookNode) -> list[str]:
    asked, ran = (nb.metadata.get("kernelspec") or {} for nb in (submitted, graded))
    if asked.get("name", "") in ("", ran.get("name")):
        return []
    return [
        f"Your notebook asked for the kernel `{_kernel_name(asked)}`. It was run with "
        f"the lab's, `{_kernel_name(ran)}`."
    ]


def _kernel_name(kernelspec: dict) -> str:
    return str(kernelspec.get("display_name") or kernelspec.get("name"))[:60]


def _of_cell(
    cell: LabCell, submitted: _Cells, graded: _Cells, lab: list[LabCell]
) -> list[str]:
    counted = next(iter(graded.of(cell.name)), None)
    if counted is None:
        return [f"{cell.subject} was missing. Your other cells were run all the same."]
    handed_in = submitted.by_id.get(counted.id)
    if handed_in is None:
        return _put_back(cell, graded, lab)
    marked = [one.id for one in submitted.of(cell.name)]
    if not marked:
        lost = f"{cell.subject} had lost its mark. It was graded all the same."
        return [lost, *_type(cell, handed_in), *_text(cell, handed_in)]
    if cell.locked and _split(cell, handed_in, submitted.all):
        return [f"{cell.subject} had been split. {PUT_BACK}"]
    return [
        *_several(cell, marked, counted.id),
        *_type(cell, handed_in),
        *_text(cell, handed_in),
        *_points(cell, handed_in),
        *_role(cell, handed_in),
        *_order(cell, graded.names, lab),
    ]


def _put_back(cell: LabCell, graded: _Cells, lab: list[LabCell]) -> list[str]:
    if cell.solution:
        return [f"{cell.subject} was missing, so there was nothing to grade."]
    place = _place(cell, graded.names, {one.name: one.title for one in lab})
    return [f"{cell.subject} was missing. The lab's own was put back {place}."]


def _place(
    cell: LabCell, names: list[str | None], titles: dict[str | None, str]
) -> str:
    index = names.index(cell.name)
    if index and names[index - 1] in titles:
        return f"below the {titles[names[index - 1]]}"
    if index + 1 < len(names) and names[index + 1] in titles:
        return f"above the {titles[names[index + 1]]}"
    return "at the end" if index + 1 == len(names) else "at the beginning"


def _several(cell: LabCell, marked: list[str], counted: str) -> list[str]:
    if len(marked) == 1:
        return []
    times = "twice" if len(marked) == 2 else f"{len(marked)} times"
    number = marked.index(counted) + 1
    which = {len(marked): "the last one", 1: "the first one"}.get(
        number, f"number {number} of them"
    )
    return [f"{cell.subject} was there {times}. Only {which} counted."]


def _split(cell: LabCell, handed_in: NotebookNode, cells: list[NotebookNode]) -> bool:
    """Whether the cell's text is all there, but in several cells one after the other."""
    wanted = written_lines(visible_source(cell.source))
    index = next(i for i, one in enumerate(cells) if one.id == handed_in.id)
    # Each piece has a line at least, so those that count are near.
    return any(
        start + _pieces(wanted, cells[start : start + len(wanted)]) > index
        for start in range(max(0, index - len(wanted)), index + 1)
    )


def _pieces(wanted: list[str], cells: list[NotebookNode]) -> int:
    """How many of the first cells, at least two, make up the lines; 0 where none do."""
    found: list[str] = []
    for count, one in enumerate(cells, start=1):
        lines = written_lines(one.source)
        found += lines
        if found == wanted:
            return count if len(lines) < len(wanted) else 0
        if not lines or found != wanted[: len(found)]:
            return 0
    return 0


def _type(cell: LabCell, handed_in: NotebookNode) -> list[str]:
    if handed_in.cell_type == cell.cell_type:
        return []
    was, made = KINDS[handed_in.cell_type], KINDS[cell.cell_type]
    return [f"{cell.subject} had become {was}. It was made {made} again."]


def _text(cell: LabCell, handed_in: NotebookNode) -> list[str]:
    released = visible_source(cell.source)
    if not cell.locked or written_lines(handed_in.source) == written_lines(released):
        return []
    return [f"{cell.subject} had been changed. {PUT_BACK}"]


def _points(cell: LabCell, handed_in: NotebookNode) -> list[str]:
    found = handed_in.metadata.nbgrader.get("points")
    if cell.points is None or found == cell.points:
        return []
    number = isinstance(found, int | float)
    said = (
        f"was marked with {counted(found, 'point')}"
        if number
        else "had lost its points"
    )
    return [f"{cell.subject} {said}. It is worth {cell.points:g}."]


def _role(cell: LabCell, handed_in: NotebookNode) -> list[str]:
    found = handed_in.metadata.nbgrader
    parts = ("grade", "solution", "task")
    if all(bool(found.get(part)) == getattr(cell, part) for part in parts):
        return []
    return [
        f"{cell.subject} was marked as another kind of cell. The lab's mark counted."
    ]


def _order(cell: LabCell, names: list[str | None], lab: list[LabCell]) -> list[str]:
    """A check cell above the answer it checks: it stays there, but it ran too early."""
    answers = [one for one in lab[: lab.index(cell)] if one.solution]
    if cell.solution or not answers or answers[-1].name not in names:
        return []
    if cell.key in names[: names.index(cell.name)]:  # an answer in a cell of its own
        return []
    if names.index(answers[-1].name) < names.index(cell.name):
        return []
    return [
        f"{cell.subject} stood above your {answers[-1].title}, so it ran before it. "
        "It was left there."
    ]


def _foreign(submitted: _Cells, known: set[str]) -> list[str]:
    names = (name for name in submitted.names if name)
    foreign = dict.fromkeys(name for name in names if name not in known)
    return [
        f"The cell `{name[:60]}` is not one of this lab's. It did not count."
        for name in foreign
    ]
