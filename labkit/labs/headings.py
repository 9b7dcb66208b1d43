"""What each cell of a notebook is called by, also while it runs."""

from collections.abc import Callable, Iterable, Mapping

from nbformat import NotebookNode


def headings(notebook: NotebookNode) -> list[str]:
    """For each cell the heading that it stands under."""
    heading, found = "", []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines = [line for line in cell.source.splitlines() if line.startswith("#")]
            heading = lines[-1].lstrip("# ") if lines else heading
        found.append(heading)
    return found


def exercise_title(grade_id: str) -> str:
    """`check-unit_norm` is shown as `unit_norm`, `manual-why_xor` as `why xor (in words)`."""
    role, _, key = grade_id.partition("-")
    if role == "manual":
        return f"{key.replace('_', ' ')} (in words)"
    return key if role == "check" else grade_id


def anchor(heading: str) -> str:
    """What JupyterLab calls a heading in links."""
    return heading.replace(" ", "-")


def move_links(cells: Iterable[NotebookNode], moved: Mapping[str, str]) -> None:
    """Let the links in prose follow headings that changed: old anchors to new ones."""
    for cell in cells:
        if cell.cell_type == "markdown":
            for old, new in moved.items():
                cell.source = cell.source.replace(f"](#{old})", f"](#{new})")


class CellWatch:
    """Tells which cell starts, under which heading."""

    def __init__(
        self, notebook: NotebookNode, on_cell: Callable[[int, int, str], None]
    ) -> None:
        self._on_cell = on_cell
        self._code = [
            i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"
        ]
        self._headings = headings(notebook)

    def __call__(self, cell: NotebookNode, cell_index: int) -> None:
        number = self._code.index(cell_index) + 1
        self._on_cell(number, len(self._code), self._headings[cell_index])
