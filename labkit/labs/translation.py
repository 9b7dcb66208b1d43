"""A lab's prose in another language: its texts in a PO file, put back into what students get.

The PO file of a language lies beside the lab's text, such as de.po.
What is translated is what a student reads: the paragraphs, headings and tables between the
code, and the hints of the usual mistakes. Code stays as it is. A text that is missing in the
PO file, or that has changed since, stays in English.
"""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import nbformat
from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po, write_po
from markdown_it import MarkdownIt
from nbformat import NotebookNode

from labkit.checks.protocol import EXPECTED
from labkit.checks.references import References
from labkit.files import write_bytes
from labkit.labs.cells import mistake_functions, one_line
from labkit.labs.headings import anchor, move_links
from labkit.labs.lab import TRANSLATION, Lab, LabError

_SUMMARY = re.compile(r"(?<=<summary>).+?(?=</summary>)", re.DOTALL)
_NUMBER = re.compile(r"[\d.]+")
# What the release says of points behind the author's own words in a heading.
_POINTS = tuple(
    f"{{}} {points}{words}"
    for points in ("point", "points")
    for words in ("", ", and {} in words", ", in words")
)
_WORTH = re.compile(r" \(([\d.]+ points?(?:, [^()]*)?)\)$")
# What a translation has to hold as it is: code, formulas, where links and pictures lead.
_LITERAL = re.compile(r"`[^`]+`|(?<=\]\()[^)\s]+(?=[)\s])")


class Text(NamedTuple):
    """A piece of prose, as a PO file names it, and where it stands in the lab's text."""

    text: str
    line: int
    about: str


@dataclass(frozen=True)
class Translation:
    """The catalog of one lab in one language."""

    lab: Lab
    language: str
    catalog: Catalog

    @property
    def path(self) -> Path:
        return po_file(self.lab, self.language)

    def __call__(self, text: str) -> str:
        """A text in the language; the text itself where it is not translated."""
        message = self.catalog.get(text)
        found = message.string if message and not message.fuzzy else ""
        return str(found) or text

    def missing(self) -> list[Text]:
        """The texts of the lab that stay in English, in order."""
        return [text for text in texts(self.lab) if not self._has(text.text)]

    def _has(self, text: str) -> bool:
        message = self.catalog.get(text)
        return bool(message and message.string and not message.fuzzy)

    def faults(self) -> list[str]:
        """What a translation has lost: code, or where a link leads; one line a fault."""
        found = []
        for message in self.catalog:
            text, told = str(message.id), str(message.string)
            if not text or not told or message.fuzzy:
                continue
            lost = _literals(text) - _literals(told)
            if lost:
                found.append(
                    f"{self.path}:{message.lineno}: the translation lacks"
                    f" {', '.join(sorted(lost))}; expected it as in {text[:40]!r}"
                )
        return found


def po_file(lab: Lab, language: str) -> Path:
    """Where the translation of a lab lies."""
    return lab.path.with_name(language + TRANSLATION)


def languages(lab_path: Path) -> list[str]:
    """The languages into which a lab is translated."""
    return sorted(path.stem for path in lab_path.parent.glob(f"*{TRANSLATION}"))


def texts(lab: Lab) -> list[Text]:
    """All that is translated of a lab: its header, its prose and its hints, in order."""
    found = [
        Text(str(lab.script.header[name]), lab.script.field_lines[name], f"the {name}")
        for name in ("title", "summary")
    ]
    for cell in lab.script.cells:
        if "mistakes" in cell.metadata:
            for name, hint in mistake_functions(cell):
                found.append(Text(hint, cell.line, f"hint for {name}"))
        elif cell.cell_type == "markdown" and not cell.metadata.get("manual"):
            for part in _parts(cell.source):
                found.append(Text(part.text, cell.source_line + part.line, part.about))
    return found + [Text(text, 1, "in headings, of points") for text in _POINTS]


def read_translation(lab: Lab, language: str) -> Translation | None:
    """The translation of a lab; None where it has none into this language.

    Raises LabError for a PO file that cannot be read.
    """
    path = po_file(lab, language)
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file:
            catalog = read_po(file, locale=language, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError, ValueError) as error:
        raise LabError(
            f"{path}: no PO file: {error}. `labkit translate {lab.name} --lang"
            f" {language}` writes one where there is none."
        ) from None
    return Translation(lab, language, catalog)


def update_translation(lab: Lab, language: str) -> Translation:
    """Bring a lab's PO file up to its text, and make it where it is missing.

    What is translated stays. A text that has changed a little keeps its translation,
    marked as fuzzy for a translator to look at; what no longer stands in the lab goes to
    the end of the file.

    Raises LabError for a language that nobody knows, and a PO file that cannot be read.
    """
    try:
        Locale.parse(language)
    except (ValueError, UnknownLocaleError):
        raise LabError(
            f"No language is called {language!r}. Expected a code such as de, fr or pt_BR."
        ) from None
    old = read_translation(lab, language)
    catalog = old.catalog if old else _empty(lab, language)
    catalog.update(_template(lab))
    written = io.BytesIO()
    write_po(written, catalog, width=88)
    path = po_file(lab, language)
    if not path.is_file() or _messages(path.read_bytes()) != _messages(
        written.getvalue()
    ):
        write_bytes(path, written.getvalue())
    return Translation(lab, language, catalog)


def translate_release(folder: Path, translation: Translation) -> None:
    """Put a translation into a released folder: the notebook, and the hints beside it."""
    notebook_file = folder / f"{translation.lab.name}.ipynb"
    notebook = nbformat.read(notebook_file, as_version=4)
    translate_cells(notebook.cells, translation)
    nbformat.write(notebook, notebook_file)
    expected = References.load(folder / EXPECTED)
    expected.with_hints(translation).save(folder / EXPECTED)


def translate_cells(cells: list[NotebookNode], translate: Callable[[str], str]) -> None:
    """Put a translation into the prose of released cells; links follow their headings."""
    prose = [
        cell
        for cell in cells
        if cell.cell_type == "markdown" and "nbgrader" not in cell.metadata
    ]
    found = [part for cell in prose for part in _parts(cell.source)]
    told = [part.text for part in found if part.about == "heading"]
    # As the author wrote them: what the release says of points is in no PO file.
    move_links(prose, {anchor(text): anchor(_heading(text)[0]) for text in told})
    for cell in prose:
        lines = cell.source.splitlines()
        for part in reversed(list(_parts(cell.source))):
            new = _translated(part, translate)
            if new != part.text:
                new = lines[part.line][: part.start] + new
                new += lines[part.end - 1][part.stop :]
                lines[part.line : part.end] = [new]
        cell.source = "\n".join(lines)
    moved = {
        anchor(_heading(text)[0]): anchor(_translated_heading(text, translate))
        for text in told
    }
    move_links(prose, moved)


def _heading(text: str) -> tuple[str, str]:
    """A heading's own words, and what the release says behind them of points."""
    worth = _WORTH.search(text)
    return (text[: worth.start()], worth[1]) if worth else (text, "")


def _translated_heading(text: str, translate: Callable[[str], str]) -> str:
    words, worth = _heading(text)
    if not worth:
        return translate(words)
    points = translate(_NUMBER.sub("{}", worth)).format(*_NUMBER.findall(worth))
    return f"{translate(words)} ({points})"


def _translated(part: "_Part", translate: Callable[[str], str]) -> str:
    if part.about == "heading":
        return _translated_heading(part.text, translate)
    return translate(part.text)


class _Part(NamedTuple):
    """A piece of prose within a cell.

    It goes from column `start` of line `line` to column `stop` of the line before `end`.
    """

    text: str
    line: int
    end: int
    start: int
    stop: int
    about: str


def _parts(source: str) -> Iterator[_Part]:
    """The pieces of prose in a cell's Markdown, in order."""
    lines = source.splitlines()
    row: list[int] | None = None
    column, about = 0, ""
    for token in MarkdownIt("commonmark").enable("table").parse(source):
        if token.type == "tr_open":
            row, column = token.map, 0
        elif token.type in ("tr_close", "heading_close"):
            row, about = None, ""
        elif token.type == "heading_open":
            about = "heading"
        elif token.type == "inline" and _is_prose(token.content):
            begin = (row or token.map or [0])[0]
            kind = "a cell of a table" if row else about
            part = _part(lines, token.content, begin, column if row else 0, kind)
            if part is not None:
                column = part.stop
                yield part
        elif token.type == "html_block" and token.map:
            for found in _SUMMARY.finditer(token.content):
                begin = token.map[0] + token.content[: found.start()].count("\n")
                part = _part(lines, found[0], begin, 0, "what opens a nudge")
                if part is not None:
                    yield part


def _part(
    lines: list[str], content: str, begin: int, column: int, about: str
) -> _Part | None:
    """Where a piece of prose stands; None for one that stands otherwise in the lines."""
    first, *_, last = content.split("\n") * 2
    end = begin + content.count("\n") + 1
    start = lines[begin].find(first, column)
    stop = lines[end - 1].find(last, start if end == begin + 1 else 0) + len(last)
    if start < 0 or stop < len(last):
        return None
    return _Part(one_line(content), begin, end, start, stop, about)


def _is_prose(content: str) -> bool:
    """Whether there is something to translate: a formula on its own has nothing."""
    formula = content.startswith("$$") and content.endswith("$$")
    words = re.sub(r"`[^`]*`|\$[^$]*\$", "", content)
    return not formula and re.search(r"[^\W\d_]{2}", words) is not None


def _template(lab: Lab) -> Catalog:
    catalog = Catalog(project=lab.name)
    for text in texts(lab):
        catalog.add(text.text, auto_comments=[text.about] if text.about else [])
    return catalog


def _empty(lab: Lab, language: str) -> Catalog:
    name = Locale.parse(language).english_name
    return Catalog(
        language,
        header_comment=f"# The prose of {lab.path.name} in {name}.",
        project=lab.name,
        version="1",
        fuzzy=False,
    )


def _literals(text: str) -> Counter[str]:
    return Counter(_LITERAL.findall(text))


def _messages(content: bytes) -> bytes:
    """A PO file without the dates in its header."""
    return re.sub(rb'^"(POT-Creation|PO-Revision)-Date:.*\n', b"", content, flags=re.M)
