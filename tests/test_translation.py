"""A lab's prose in another language: what translators get, and what students read."""

import shutil

import nbformat
import pytest
from babel.messages.pofile import read_po, write_po

from labkit.authoring.release import release
from labkit.checks.references import References
from labkit.labs.lab import LabError, find_labs, read_lab
from labkit.labs.translation import (
    languages,
    read_translation,
    texts,
    translate_cells,
    update_translation,
)
from tests.conftest import ROOT
from tests.grading_data import share_grading_data

LAB = "91_tiny"
PROSE = """\
# %% [markdown]
# # A tiny lab
#
# See [twice](#Twice), [a page](page.md)
# and `double(x)`.
#
# | name | rate |
# |---|---|
# | learning rate | 2 |
#
# $$y = 2x \\text{ for all}$$
#
# <details><summary>A nudge</summary>
#
# - Add it
#   twice.
# </details>
#
# ## Twice
"""
GERMAN = {
    "A tiny lab": "Ein winziges Lab",
    "See [twice](#Twice), [a page](page.md) and `double(x)`.": (
        "Siehe [zweimal](#Twice), [eine Seite](page.md) und `double(x)`."
    ),
    "rate": "Rate",
    "name": "Name",
    "learning rate": "Name der Rate",
    "A nudge": "Ein Schubs",
    "Add it twice.": "Zähle es zweimal zusammen.",
    "Twice": "Das Doppelte",
    "{} points, and {} in words": "{} Punkte, und {} in Worten",
    "You added 2 where you should multiply by it.": "Du hast 2 addiert.",
}


def lab_text(course):
    return course.solutions / LAB / f"{LAB}.py"


def tiny(course):
    return read_lab(lab_text(course))


def translated(course, told, language="de"):
    """Fill a lab's PO file in as a translator does, and save it."""
    update_translation(tiny(course), language)
    path = course.solutions / LAB / f"{language}.po"
    with path.open("rb") as file:
        catalog = read_po(file)
    for text, words in told.items():
        catalog[text].string = words
    with path.open("wb") as file:
        write_po(file, catalog)


@pytest.fixture
def prose(course):
    """The tiny lab, with a table, a formula, a nudge and a link to a heading."""
    path = lab_text(course)
    path.write_text(
        path.read_text().replace("# %% [markdown]\n# # A tiny lab\n", PROSE)
    )
    (course.solutions / LAB / "page.md").write_text("# A page\n")
    return course


def test_translators_get_prose_and_hints_and_nothing_of_the_staff(prose):
    found = [text.text for text in texts(tiny(prose))]
    assert found[:2] == ["A tiny lab", "Enough of a lab to try everything on."]
    assert set(GERMAN) <= set(found)
    everything = " ".join(found)
    assert "Because two is even" not in everything  # the rubric
    assert "Twice x, a number" not in everything  # code
    assert "for all" not in everything  # a formula


def test_a_no_break_space_stays_where_a_text_goes_into_one_line(prose):
    path = lab_text(prose)
    text = path.read_text().replace("You added 2", "You added 2\u00a0%\n    more")
    path.write_text(text.replace("Add it\n", "Add 4\u00a0% of it\n"))
    found = [one.text for one in texts(tiny(prose))]
    assert "Add 4\u00a0% of it twice." in found
    assert any("You added 2\u00a0% more where" in hint for hint in found)


def test_the_place_of_each_text_is_told(prose):
    lines = lab_text(prose).read_text().splitlines()
    for text in texts(tiny(prose)):
        if not text.about.startswith(("hint", "in headings")):
            assert text.text.split()[0].strip("[*`") in lines[text.line - 1]


def test_students_get_the_language_asked_for(prose):
    translated(prose, GERMAN)
    done = release(prose, language="de")
    notebook = nbformat.read(prose.notebooks / LAB / f"{LAB}.ipynb", as_version=4)
    first = notebook.cells[0].source
    assert first.startswith(
        "# Ein winziges Lab\n\n"
        "Siehe [zweimal](#Das-Doppelte-(7-Punkte,-und-2-in-Worten)), [eine Seite](page.md) und `double(x)`."
        "\n\n| Name | Rate |\n|---|---|\n| Name der Rate | 2 |\n\n$$y = 2x"
    )
    assert (
        "<summary>Ein Schubs</summary>\n\n- Zähle es zweimal zusammen.\n</details>"
        in first
    )
    expected = References.load(prose.notebooks / LAB / "expected.json")
    hints = {m.hint for check in expected.checks() for m in check.mistakes}
    assert "Du hast 2 addiert." in hints
    assert "Ein winziges Lab" in (prose.notebooks / "start.md").read_text()
    missing = read_translation(tiny(prose), "de").missing()
    assert done[0].english == len(missing) > 0
    assert not (prose.notebooks / LAB / "de.po").exists()


def test_a_translation_is_no_difference_to_the_lab_that_is_graded(prose, run_command):
    translated(prose, GERMAN)
    release(prose, language="de")
    (prose.submission("one", LAB)).mkdir(parents=True)
    shutil.copy(prose.released(LAB), prose.submission("one", LAB))
    done = run_command("labkit", "grade", folder=prose.root)
    assert done.returncode == 0, done.stderr
    assert "is not what" not in " ".join((done.stdout + done.stderr).split())


def test_a_language_that_no_lab_has_is_refused(prose):
    translated(prose, {}, "fr")
    with pytest.raises(
        LabError, match=r"'de'; there is fr\. Type: labkit translate 91"
    ):
        release(prose, language="de")


def test_no_language_is_made_up(course):
    with pytest.raises(LabError, match="No language is called 'klingon'"):
        update_translation(tiny(course), "klingon")


def test_a_translation_that_loses_code_is_not_released(prose):
    text = "See [twice](#Twice), [a page](page.md) and `double(x)`."
    translated(prose, {text: "Siehe [zweimal](#Twice) und `doppelt(x)`."})
    with pytest.raises(
        LabError, match=r"de.po:\d+: the translation lacks .*double"
    ) as told:
        release(prose, language="de")
    assert "page.md" in str(told.value)


def test_a_damaged_file_is_named(prose):
    (prose.solutions / LAB / "de.po").write_text("<<<<<<< ours\n")
    with pytest.raises(LabError, match=r"de\.po: no PO file"):
        release(prose, language="de")


def test_a_text_that_changed_stays_in_english_until_a_translator_saw_it(prose):
    translated(prose, {"Add it twice.": "Zähle es zweimal zusammen."})
    path = lab_text(prose)
    path.write_text(path.read_text().replace("Add it\n", "Add all of it\n"))
    text = "Add all of it twice."
    before = read_translation(tiny(prose), "de")
    assert text in [one.text for one in before.missing()]
    after = update_translation(tiny(prose), "de")
    assert after.catalog[text].fuzzy
    assert after.catalog[text].string == "Zähle es zweimal zusammen."
    assert after(text) == text


def test_an_update_without_a_change_writes_nothing(prose):
    translated(prose, GERMAN)
    update_translation(tiny(prose), "de")
    path = prose.solutions / LAB / "de.po"
    before = path.stat().st_mtime_ns
    update_translation(tiny(prose), "de")
    assert path.stat().st_mtime_ns == before


TRANSLATED = [
    (path, language)
    for path in find_labs(ROOT / "solutions")
    for language in languages(path)
]


@pytest.mark.parametrize(
    ("path", "language"), TRANSLATED, ids=[f"{p.stem}-{lang}" for p, lang in TRANSLATED]
)
def test_the_course_s_translations_are_up_to_date(path, language):
    translation = read_translation(read_lab(path), language)
    missing = [
        f"{path.name}:{text.line}: {text.text}" for text in translation.missing()
    ]
    assert not missing, f"Type: labkit translate {path.stem} --lang {language}"
    assert not translation.faults()
    stale = [message.id for message in translation.catalog.obsolete.values()]
    known = {text.text for text in texts(read_lab(path))}
    stale += [
        message.id for message in translation.catalog if message.id not in known | {""}
    ]
    assert not stale


@pytest.mark.parametrize(
    "path", find_labs(ROOT / "solutions"), ids=lambda path: path.stem
)
def test_all_prose_of_a_released_lab_can_be_translated(path):
    released = ROOT / "notebooks" / path.stem / f"{path.stem}.ipynb"
    cells = nbformat.read(released, as_version=4).cells
    before = [cell.source for cell in cells]
    asked = set()

    def same(text):
        asked.add(text)
        return text

    translate_cells(cells, same)
    assert [cell.source for cell in cells] == before
    assert asked <= {text.text for text in texts(read_lab(path))}


def test_a_copy_of_the_course_is_released_in_german(tmp_path):
    from labkit.course import Course

    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    for name in ("01_neuron", "glossary.md"):
        source, target = ROOT / "solutions" / name, tmp_path / "solutions" / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        target.parent.mkdir(exist_ok=True)
        copy(source, target)
    course = share_grading_data(Course.at(tmp_path))
    done = release(course, language="de")
    assert done[0].english == 0
    text = (course.notebooks / "01_neuron" / "01_neuron.ipynb").read_text("utf-8")
    assert "Aufgabe: `sigmoid` (2 Punkte)" in text
    assert "# YOUR CODE HERE" in text
