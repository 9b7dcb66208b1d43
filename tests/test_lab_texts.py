"""The prose and the given cells of the course's own labs."""

import re

import pytest

from labkit.grading.pipeline.skipping import cells_to_run
from labkit.labs.cells import FOLDED_TAG, ROLES
from labkit.labs.headings import anchor
from labkit.labs.lab import find_labs, read_lab
from tests.conftest import ROOT

LABS = find_labs(ROOT / "solutions")
ENTRY = re.compile(r"^### (.+?)\n\n(.+?)(?=\n### |\Z)", re.S | re.M)
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
