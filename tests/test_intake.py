"""Every way in which a notebook arrives broken: what is found, and what is said."""

import io
import json
import zipfile

import nbformat
import pytest

from labkit.grading import intake
from labkit.grading.intake import take_in

LAB = "02_filters"
LABS = {LAB: {"blur", "check-blur"}, "03_other": {"pool", "check-pool"}}


def notebook(*names, minor=5, **metadata):
    cells = [
        nbformat.v4.new_code_cell(
            f"# {name}\r\nx = 1", metadata={"nbgrader": {"grade_id": name}}
        )
        for name in names
    ]
    made = nbformat.v4.new_notebook(cells=cells, metadata=metadata)
    made.nbformat_minor = minor
    return made


GOOD = nbformat.writes(notebook("blur", "check-blur"))


@pytest.fixture
def folder(tmp_path):
    return tmp_path


def taken(folder):
    return take_in(folder, LAB, LABS)


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/") + ".ipynb", content)
    return buffer.getvalue()


def test_a_sound_notebook_is_taken_as_it_is(folder):
    (folder / f"{LAB}.ipynb").write_text(GOOD)
    found = taken(folder)
    assert (found.reason, found.notes) == ("", [])
    assert [cell.source for cell in found.notebook.cells] == [
        "# blur\nx = 1",
        "# check-blur\nx = 1",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"  \n ", "is empty"),
        (b"not a notebook", "is not a Jupyter notebook"),
        (GOOD[: len(GOOD) // 2].encode(), r"is cut off, or it is damaged \(line"),
        (b"\x00\x01\x02" * 100, "is not a Jupyter notebook"),
        (b"[" * 100_000, "is not a Jupyter notebook"),
        (b"[1, 2]", "is not a Jupyter notebook"),
        (b"{}", "is not a Jupyter notebook"),
        (b'{"nbformat": "4", "cells": []}', "is not a Jupyter notebook"),
        (b'{"nbformat": 4, "cells": 3}', "it has no list of cells"),
        (b'{"nbformat": 4, "cells": []}', "has no cells"),
        (b'{"nbformat": 4, "cells": [1, null]}', "has no cells"),
        (b'{"nbformat": 9, "cells": []}', "format 9, and the newest known is 4"),
        (b'{"nbformat": 3, "worksheets": 3}', "of an old format that is damaged"),
        (nbformat.writes(notebook("mine")).encode(), "holds no cell of this lab"),
        (nbformat.writes(notebook("pool")).encode(), "of another lab, 03_other"),
    ],
)
def test_what_cannot_be_read_gets_its_reason(folder, content, words):
    (folder / f"{LAB}.ipynb").write_bytes(content)
    found = taken(folder)
    assert found.notebook is None
    import re

    assert re.search(words, found.reason), found.reason
    assert found.reason.startswith(f"The file {LAB}.ipynb ")


def test_an_empty_folder_says_what_was_expected(folder):
    assert "expected 02_filters.ipynb" in taken(folder).reason
    assert "expected 02_filters.ipynb" in taken(folder / "missing").reason


@pytest.mark.parametrize(
    "name",
    [
        "mine.ipynb",
        "02_FILTERS.ipynb",
        "02_filters (1).ipynb",
        "02_filters.IPYNB",
        "02_filters.ipynb.txt",
        "02_filters.json",
        "02_filters",
        "nested/folder/02_filters.ipynb",
    ],
)
def test_a_wrong_name_or_place_is_repaired_and_told(folder, name):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GOOD)
    found = taken(folder)
    assert len(found.notebook.cells) == 2
    assert found.notes == [f"Your file is {name}. It was graded as {LAB}.ipynb."]


@pytest.mark.parametrize("name", [f"{LAB}.ipynb", f"{LAB}.zip", "homework.zip"])
def test_a_zip_in_place_of_the_notebook_is_opened(folder, name):
    files = {"__MACOSX__._02_filters": "junk", "deep__02_filters": GOOD}
    (folder / name).write_bytes(zipped(**files))
    found = taken(folder)
    assert len(found.notebook.cells) == 2
    assert found.notes == [
        f"Your file is {name}/{LAB}.ipynb. It was graded as {LAB}.ipynb."
    ]


def test_a_zip_bomb_and_a_damaged_zip_have_a_reason(folder, monkeypatch):
    monkeypatch.setattr(intake, "MAX_BYTES", 10_000)
    (folder / f"{LAB}.zip").write_bytes(zipped(bomb=b" " * 10**7))
    assert "is larger than" in taken(folder).reason
    whole = zipped(good=GOOD)
    (folder / f"{LAB}.zip").write_bytes(whole[:40] + b"\x00" * 40 + whole[80:])
    assert taken(folder).notebook is None
    assert taken(folder).reason


def test_a_notebook_that_is_too_large_has_a_reason(folder, monkeypatch):
    monkeypatch.setattr(intake, "MAX_BYTES", 100)
    (folder / f"{LAB}.ipynb").write_text(GOOD)
    assert "is larger than 0 MB" in taken(folder).reason


def test_of_several_notebooks_the_right_one_is_taken(folder):
    (folder / "a.ipynb").write_text(nbformat.writes(notebook("blur")))
    (folder / "b.ipynb").write_text(GOOD)
    (folder / "c.ipynb").write_text(nbformat.writes(notebook("pool")))
    found = taken(folder)
    assert len(found.notebook.cells) == 2
    assert found.notes == [
        f"Your file is b.ipynb. It was graded as {LAB}.ipynb; a.ipynb was not."
    ]
    (folder / f"{LAB}.ipynb").write_text(nbformat.writes(notebook("blur")))
    assert taken(folder).notes == []
    (folder / f"{LAB}.ipynb").write_text("damaged")
    assert len(taken(folder).notebook.cells) == 2


def test_links_are_not_followed(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / f"{LAB}.ipynb"
    outside.write_text(GOOD)
    (folder / f"{LAB}.ipynb").symlink_to(outside)
    (folder / "all").symlink_to(outside.parent)
    assert "no notebook" in taken(folder).reason


@pytest.mark.parametrize(
    ("content", "notes"),
    [
        (b"\xef\xbb\xbf" + GOOD.encode(), 0),
        (GOOD.encode("utf-16"), 0),
        (GOOD.replace("\n", "\r\n").encode(), 0),
        (GOOD.replace("x = 1", "x = 'BYTE'").encode().replace(b"BYTE", b"\xff"), 1),
    ],
)
def test_encodings_and_line_ends_make_no_difference(folder, content, notes):
    (folder / f"{LAB}.ipynb").write_bytes(content)
    found = taken(folder)
    assert len(found.notebook.cells) == 2
    assert len(found.notes) == notes


def test_a_hundred_megabytes_of_outputs_are_left_behind(folder):
    made = notebook("blur")
    text = nbformat.v4.new_output("stream", text="x" * 100_000_000)
    made.cells[0].outputs = [text]
    (folder / f"{LAB}.ipynb").write_text(json.dumps(made))
    assert taken(folder).notebook.cells[0].outputs == []


def test_old_formats_are_read(folder):
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {
                "metadata": {},
                "cells": [
                    {
                        "cell_type": "code",
                        "collapsed": False,
                        "input": ["x = 1\n", "y = 2"],
                        "language": "python",
                        "metadata": {"nbgrader": {"grade_id": "blur"}},
                        "outputs": [],
                    }
                ],
            }
        ],
    }
    (folder / f"{LAB}.ipynb").write_text(json.dumps(old))
    assert taken(folder).notebook.cells[0].source == "x = 1\ny = 2"


def test_cells_of_any_form_are_made_whole(folder):
    strange = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": None,
        "cells": [
            {"cell_type": "code", "id": "blur", "metadata": 3, "source": ["a", 1]},
            {"cell_type": "code", "source": {"a": 1}, "outputs": "none"},
            {},
        ],
    }
    (folder / f"{LAB}.ipynb").write_text(json.dumps(strange))
    assert [cell.source for cell in taken(folder).notebook.cells] == ["a", "", ""]
