"""A submitted notebook in today's notebook format, whatever form its parts had.

Pure. What says only how a notebook looks is left out; what the format or nbgrader would
refuse is put right, and told in sentences for the student.
"""

import re

import nbformat
from nbformat import NotebookNode

CELL_TYPES = ("code", "markdown", "raw")
ID_LENGTH = 64  # of the notebook format
ID = re.compile(rf"[A-Za-z0-9_-]{{1,{ID_LENGTH}}}")
# What nbgrader's mark of a cell consists of: texts, numbers, yes or no.
MARK = ("grade_id", "schema_version", "grade", "solution", "locked", "task", "points")
LARGEST_NUMBER = 2**53

OLD_FORMAT = "Your notebook was saved in an old format. It was read as one of today's."
REPLACED = "Your file holds characters that are not UTF-8. They were replaced by �."


def in_current_format(notebook: dict) -> tuple[NotebookNode, list[str]]:
    """A notebook of format 4 with whole cells, each with an id of its own.

    Parameters
    ----------
    notebook : dict
        What a file of format 4 holds; its cells are a list, all else may be anything.

    Returns
    -------
    tuple
        The notebook, without outputs, and what was put right.
    """
    notes: dict[str, None] = {}  # as a set, in order
    metadata = _dict(notebook, "metadata", notes)
    if metadata.get("orig_nbformat") in (1, 2, 3):  # nbformat's own note
        notes[OLD_FORMAT] = None
    cells = [_cell(cell, notes) for cell in notebook["cells"] if isinstance(cell, dict)]
    if len(cells) < len(notebook["cells"]):
        _wrong("a cell", notes)
    _give_ids(cells, notes)
    return _notebook(cells, _kernelspec(metadata)), list(notes)


def cell_in_format(
    kind: str, source: str, metadata: NotebookNode, cell_id: str
) -> NotebookNode:
    """A cell without outputs. nbformat's own makers check each one against the schema,
    which costs more than all the rest; nbconvert checks the whole notebook anyway."""
    code: dict = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return NotebookNode(
        id=cell_id, cell_type=kind, source=source, metadata=metadata, **code
    )


def free_id(wanted: str, taken: set[str]) -> str:
    """`wanted`, or with a number behind it where it is taken; it is taken then."""
    name, number = wanted[:ID_LENGTH], 2
    while name in taken:
        end = f"-{number}"
        name, number = wanted[: ID_LENGTH - len(end)] + end, number + 1
    taken.add(name)
    return name


def _notebook(cells: list[NotebookNode], kernelspec: dict) -> NotebookNode:
    metadata = {"kernelspec": kernelspec} if kernelspec else {}
    return NotebookNode(
        nbformat=4,
        nbformat_minor=nbformat.v4.nbformat_minor,
        metadata=nbformat.from_dict(metadata),
        cells=cells,
    )


def _kernelspec(metadata: dict) -> dict:
    """Which kernel the notebook asks for; empty where that is not clear."""
    found = metadata.get("kernelspec")
    asked = found if isinstance(found, dict) else {}
    name = asked.get("name")
    if not isinstance(name, str):
        return {}
    shown = asked.get("display_name")
    shown = shown if isinstance(shown, str) else name
    return {"name": _whole(name, {}), "display_name": _whole(shown, {})}


def _cell(cell: dict, notes: dict[str, None]) -> NotebookNode:
    kind = cell.get("cell_type")
    if kind not in CELL_TYPES:
        _wrong("the type of a cell", notes)
        kind = "raw"
    mark = _mark(_dict(cell, "metadata", notes).get("nbgrader"))
    metadata = nbformat.from_dict({"nbgrader": mark} if mark else {})
    made = cell_in_format(kind, _source(cell, notes), metadata, cell.get("id", ""))
    if kind != "code" and "attachments" in cell:
        made["attachments"] = nbformat.from_dict(_attachments(cell, notes))
    return made


def _mark(found: object) -> dict:
    if not isinstance(found, dict):
        return {}
    kept = {name: found[name] for name in MARK if _is_plain(found.get(name))}
    return {n: _whole(v, {}) if isinstance(v, str) else v for n, v in kept.items()}


def _is_plain(value: object) -> bool:
    if isinstance(value, int | float):
        return abs(value) <= LARGEST_NUMBER
    return isinstance(value, str)


def _source(cell: dict, notes: dict[str, None]) -> str:
    """The text of a cell, which a file may hold as a list of lines."""
    found = cell.get("source", "")
    parts = found if isinstance(found, list) else [found]
    texts = [part for part in parts if isinstance(part, str)]
    if len(texts) < len(parts):
        _wrong("the text of a cell", notes)
    return _whole("".join(texts), notes).replace("\r\n", "\n")


def _attachments(cell: dict, notes: dict[str, None]) -> dict:
    """The pictures in a text cell: by name and by kind, a text or a list of texts."""
    bundles = _dict(cell, "attachments", notes)
    kept = {
        _whole(name, notes): {_whole(kind, notes): data for kind, data in one.items()}
        for name, one in bundles.items()
        if isinstance(one, dict) and all(map(_is_text, one.values()))
    }
    if len(kept) < len(bundles):
        _wrong("attachments", notes)
    return kept


def _is_text(value: object) -> bool:
    parts = value if isinstance(value, list) else [value]
    return all(isinstance(part, str) and part.isascii() for part in parts)


def _whole(text: str, notes: dict[str, None]) -> str:
    """A text without the halves of characters that JSON lets through (half an emoji)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        notes[REPLACED] = None
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _dict(node: dict, name: str, notes: dict[str, None]) -> dict:
    found = node.get(name, {})
    if isinstance(found, dict):
        return found
    _wrong(name, notes)
    return {}


def _give_ids(cells: list[NotebookNode], notes: dict[str, None]) -> None:
    """An id of its own for each cell: the one it has, where it is the first to have it."""
    taken = {cell["id"] for cell in cells if _is_id(cell["id"])}
    seen = set()
    for number, cell in enumerate(cells):
        if cell["id"] != "" and not _is_id(cell["id"]):
            _wrong("the id of a cell", notes)
        if not _is_id(cell["id"]) or cell["id"] in seen:
            cell["id"] = free_id(f"cell-{number}", taken)
        seen.add(cell["id"])


def _is_id(found: object) -> bool:
    return isinstance(found, str) and ID.fullmatch(found) is not None


def _wrong(what: str, notes: dict[str, None]) -> None:
    told = (
        f"In your file, {what} is not as the notebook format has it. It was put right."
    )
    notes[told] = None
