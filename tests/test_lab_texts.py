"""The prose and the given cells of the course's own labs."""

import re
from xml.etree import ElementTree

import pytest

from labkit import plots
from labkit.grading.pipeline.skipping import cells_to_run
from labkit.labs.cells import FOLDED_TAG, ROLES, mistake_functions
from labkit.labs.headings import anchor
from labkit.labs.lab import find_labs, read_lab
from labkit.labs.translation import languages, read_translation
from tests.conftest import ROOT

LABS = find_labs(ROOT / "solutions")
ENTRY = re.compile(r"^### (.+?)\n\n(.+?)(?=\n### |\Z)", re.S | re.M)
PERCENT_APART = re.compile(r"\S*[\d)][ \t\n]+%\S*")  # a line may end between them
FIGURE = re.compile(r"\bplt\.(subplots|subplot_mosaic|figure)\(")


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_a_given_cell_that_only_draws_is_folded(path):
    code = [cell for cell in read_lab(path).script.cells if cell.cell_type == "code"]
    given = [cell for cell in code if not set(ROLES) & set(cell.metadata)]
    used = cells_to_run(
        [cell.source for cell in code], frozenset(cell.source for cell in given)
    )
    unfolded = [
        cell.source.splitlines()[0]
        for index, cell in enumerate(code)
        if index not in used
        and FIGURE.search(cell.source)
        and FOLDED_TAG not in cell.metadata.get("tags", [])
    ]
    assert unfolded == []


def test_a_word_of_the_glossary_is_linked_from_the_lab_that_explains_it():
    texts = {path.stem[:2]: path.read_text("utf-8") for path in LABS}
    glossary = (ROOT / "solutions" / "glossary.md").read_text("utf-8")
    entries = ENTRY.findall(glossary)
    assert len(entries) > 60
    missing = [
        (word, lab)
        for word, meaning in entries
        for lab in re.findall(r"\((\d)\)", meaning)
        if f"(../glossary.md#{anchor(word)})" not in texts[f"0{lab}"]
    ]
    assert missing == []


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_a_number_and_its_percent_sign_stay_on_one_line(path):
    lab = read_lab(path)
    cells = [cell for cell in lab.script.cells if cell.cell_type == "markdown"]
    read = [(cell.line, cell.source) for cell in cells]
    read += [
        (cell.line, hint)
        for cell in lab.cells("mistakes")
        for _, hint in mistake_functions(cell)
    ]
    for language in languages(path):
        catalog = read_translation(lab, language).catalog
        read += [(m.lineno, text) for m in catalog for text in (m.id, m.string)]
    read += [(1, (ROOT / "solutions" / "glossary.md").read_text("utf-8"))]
    apart = [
        (line, found) for line, text in read for found in PERCENT_APART.findall(text)
    ]
    assert apart == []


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_every_lab_begins_and_ends_alike(path):
    cells = read_lab(path).script.cells
    prose = [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert re.search(r"^\*\*Time\*\*: about ", prose[0], re.M)
    last = re.findall(r"^## (.+)", prose[-1], re.M)
    assert last in (
        ["Summary", "Going further", "Sources"],
        ["Summary", "Going further", "Footnotes", "Sources"],
    )


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_a_model_answer_comes_behind_its_rubric(path):
    for cell in read_lab(path).cells("manual"):
        rubric, answer = cell.source.split("**Model answer.**")
        assert re.search(r"\bpoint", rubric) and answer.strip()
        assert "point:" not in answer


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("solutions/*/*.svg")), ids=lambda path: path.stem
)
def test_a_drawing_is_as_wide_as_a_figure(path):
    drawing = ElementTree.parse(path).getroot()
    width, height = (float(drawing.get(name)) for name in ("width", "height"))
    *_, across, down = map(float, drawing.get("viewBox").split())
    assert width == 96 * plots.WIDTH
    assert height / width == pytest.approx(down / across)
