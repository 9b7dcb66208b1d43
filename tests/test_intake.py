"""Every way in which a notebook arrives broken: what is found, and what is said."""

import contextlib
import copy
import io
import json
import os
import random
import tracemalloc
import zipfile

import nbformat
import pytest

from labkit.grading import intake
from labkit.grading.current_format import OLD_FORMAT, REPLACED
from labkit.grading.intake import take_in

LAB = "02_filters"
STUB = "def blur(x):\n    # YOUR CODE HERE"
LABS = {
    LAB: {"blur": STUB, "check-blur": None},
    "03_other": {"pool": "", "check-pool": None},
}


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
    monkeypatch.setattr(intake, "MAX_UNPACKED", 10_000)
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
    assert taken(folder).notes == [
        f"Your file {LAB}.ipynb was graded; a.ipynb, b.ipynb were not."
    ]
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


def test_of_a_release_and_a_finished_copy_the_finished_one_is_taken(folder):
    blank, done = notebook("blur", "check-blur"), notebook("blur", "check-blur")
    blank.cells[0].source = STUB + "  \n\n"
    done.cells[0].source = STUB.replace("# YOUR CODE HERE", "return x")
    copy = f"{LAB} (1).ipynb"
    (folder / f"{LAB}.ipynb").write_text(nbformat.writes(blank))
    (folder / copy).write_text(nbformat.writes(done))
    (folder / f"{LAB}-Copy1.ipynb").write_text(nbformat.writes(blank))
    found = taken(folder)
    assert "return x" in found.notebook.cells[0].source
    assert found.notes == [
        f"Your file is {copy}. It was graded as {LAB}.ipynb; "
        f"{LAB}-Copy1.ipynb, {LAB}.ipynb were not."
    ]
    # With work in both, the one of the right name; with none in any, as well.
    for one in (done, blank):
        (folder / f"{LAB}.ipynb").write_text(nbformat.writes(one))
        (folder / copy).write_text(nbformat.writes(one))
        (told,) = taken(folder).notes
        assert told.startswith(f"Your file {LAB}.ipynb was graded; ")


@pytest.mark.parametrize(
    "begin",
    [b"\x1f\x8b\x08", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"x" * 257 + b"ustar"],
)
@pytest.mark.parametrize("name", [f"{LAB}.ipynb", "homework.tar.gz", "hw.rar", "a.7z"])
def test_another_archive_than_zip_is_told(folder, begin, name):
    (folder / name).write_bytes(begin + bytes(range(256)))
    assert taken(folder).reason == (
        f"The file {name} is an archive of another kind than zip. "
        "Hand in .ipynb or .zip."
    )


def test_an_archive_in_a_zip_and_half_a_zip_are_told(folder):
    with zipfile.ZipFile(folder / "hw.zip", "w") as archive:
        archive.writestr("inner.zip", zipped(a=GOOD))
    assert "inner.zip is a damaged zip file, or one in another" in taken(folder).reason
    (folder / "hw.zip").write_bytes(zipped(a=GOOD * 9)[:300])
    assert "hw.zip is a damaged zip file" in taken(folder).reason


def test_a_page_that_holds_no_notebook_is_not_called_cut_off(folder):
    (folder / f"{LAB}.html").write_text("<style>body {color: red}</style>")
    assert "is not a Jupyter notebook" in taken(folder).reason


def test_a_zip_is_unpacked_entry_by_entry_and_not_beyond_a_sum(folder, monkeypatch):
    monkeypatch.setattr(intake, "MAX_UNPACKED", 2**21)
    many = {f"n{i}": b" " * 2**20 for i in range(20)}
    (folder / "hw.zip").write_bytes(zipped(**many))
    tracemalloc.start()
    reason = taken(folder).reason
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "n0.ipynb is empty" in reason
    assert "n2.ipynb is larger than 2 MB, with what is before it" in reason
    assert peak < 6 * 2**20


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ('{"nbformat": 4, "cells": [%s]}', "more than 10,000 cells"),
        ('{"nbformat": 3, "worksheets": [{"cells": [%s]}]}', "more than 10,000 cells"),
        ('{"nbformat": 4, "cells": [{}], "x": [%s]}', "more than 5,000 values"),
    ],
)
def test_a_small_file_does_not_become_millions_of_objects(
    folder, monkeypatch, form, words
):
    if "values" in words:
        monkeypatch.setattr(intake, "MAX_VALUES", 5000)
    text = form % ",".join(["{}"] * 10_001)
    (folder / f"{LAB}.ipynb").write_text(text)
    assert words in taken(folder).reason


ON_DISK = {
    "nbformat": 3,
    "nbformat_minor": 0,
    "metadata": {"name": "", "signature": "sha256:0"},
    "worksheets": [
        {
            "metadata": {},
            "cells": [
                {
                    "cell_type": "heading",
                    "level": 2,
                    "metadata": {},
                    "source": ["A title"],
                },
                {"cell_type": "markdown", "metadata": {}, "source": ["one\n", "two"]},
                {
                    "cell_type": "code",
                    "collapsed": False,
                    "input": ["x = 1\n", "y = 2"],
                    "language": "python",
                    "metadata": {"nbgrader": {"grade_id": "blur"}},
                    "outputs": [
                        {"output_type": "stream", "stream": "stdout", "text": ["a\n"]}
                    ],
                    "prompt_number": 3,
                },
            ],
        }
    ],
}


def test_a_format_of_2013_is_read_as_it_lies_on_disks(folder, caplog, capsys):
    (folder / f"{LAB}.ipynb").write_text(json.dumps(ON_DISK))
    found = taken(folder)
    assert [cell.source for cell in found.notebook.cells] == [
        "## A title",
        "one\ntwo",
        "x = 1\ny = 2",
    ]
    assert found.notes == [OLD_FORMAT]
    assert (caplog.text, *capsys.readouterr()) == ("", "", "")


# A value of each type that JSON has, and those at which a check may stumble.
VALUES = [
    None, True, 0, -1, 10**30, 1.5, float("nan"), "", "text", "a.b", "x" * 65, "\ud83d",
    [], [1], ["\ude00"], [[]], {}, {"a": 1}, {"\ud83d": "\ude00"}, {"name": {"a": []}},
    {"grade_id": ["blur"], "points": {}}, {"a.png": {"image/png": 3}},
]  # fmt: skip


def places(node, path=()):
    """The path of every value in a notebook."""
    if path:
        yield path
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in items if isinstance(node, dict | list) else ():
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))
        else:
            yield (*path, key)


def full_notebook():
    """A notebook that has every field of the notebook format."""
    made = notebook("blur", "check-blur", title="A title", authors=[{"name": "A"}])
    made.metadata.update(
        kernelspec={
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        },
        language_info={"name": "python", "codemirror_mode": "python"},
        orig_nbformat=4,
    )
    code = made.cells[0]
    code.metadata.update(
        collapsed=False, scrolled="auto", tags=["a"], name="n", jupyter={}, execution={}
    )
    code.outputs = [
        nbformat.v4.new_output("stream", text="a"),
        nbformat.v4.new_output("display_data", data={"text/plain": "a"}),
        nbformat.v4.new_output("error", ename="E", evalue="v", traceback=["t"]),
    ]
    words = nbformat.v4.new_markdown_cell(["one\n", "two"], metadata={"format": "a/b"})
    words["attachments"] = {"a.png": {"image/png": ["iVBO", "Rw0="]}}
    made.cells += [words, nbformat.v4.new_raw_cell("raw")]
    return json.loads(json.dumps(made))


def put(notebook, path, value):
    """The notebook with another value in a place, or without the place."""
    changed = copy.deepcopy(notebook)
    node = changed
    for key in path[:-1]:
        node = node[key]
    if value is ...:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return changed


@pytest.mark.parametrize("path", list(places(full_notebook())), ids=str)
def test_a_field_of_any_wrong_type_ends_as_a_sound_notebook_or_with_a_reason(
    folder, path
):
    """Whatever stands in a field, what is passed on fits the schema and UTF-8."""
    for value in (..., *VALUES):
        changed = put(full_notebook(), path, value)
        (folder / f"{LAB}.ipynb").write_text(json.dumps(changed))
        found = taken(folder)
        assert (found.notebook is None) == bool(found.reason), value
        if found.notebook is not None:
            text = json.dumps(found.notebook, ensure_ascii=False).encode()
            again = json.loads(text)
            nbformat.validate(again, relax_add_props=False)
            assert len({cell["id"] for cell in again["cells"]}) == len(again["cells"])


def test_fields_that_are_wrong_together_end_so_as_well(folder):
    draw = random.Random(1)
    every = list(places(full_notebook()))
    for _ in range(200):
        changed = full_notebook()
        for path in draw.sample(every, 6):
            with contextlib.suppress(KeyError, IndexError, TypeError):
                changed = put(changed, path, draw.choice(VALUES))
        (folder / f"{LAB}.ipynb").write_text(json.dumps(changed))
        found = taken(folder)
        assert (found.notebook is None) == bool(found.reason)
        if found.notebook is not None:
            nbformat.validate(json.loads(json.dumps(found.notebook)))


def test_what_was_replaced_in_a_file_is_told_and_what_was_right_stays(folder):
    strange = full_notebook()
    strange["cells"][0]["source"] = "x = '\ud83d' + '😀'"
    strange["cells"][1]["id"] = "a.b"
    (folder / f"{LAB}.ipynb").write_text(json.dumps(strange))
    found = taken(folder)
    assert found.notebook.cells[0].source == "x = '�' + '😀'"
    assert found.notebook.cells[2].attachments["a.png"]["image/png"] == ["iVBO", "Rw0="]
    assert found.notes == [
        REPLACED,
        "In your file, the id of a cell is not as the notebook format has it. "
        "It was put right.",
    ]


def too_long_for_the_system(folder):
    """A file whose path is longer than the system reads: an OSError for everybody."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(20):
        os.mkdir("d" * 220, dir_fd=here)
        inner = os.open("d" * 220, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("data.csv", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def test_a_file_that_the_system_does_not_read_is_the_reason(folder):
    (folder / f"{LAB}.ipynb").write_text(GOOD)
    too_long_for_the_system(folder)
    assert "cannot be read: File name too long." in taken(folder).reason


def test_a_pipe_is_no_file_and_nobody_waits_for_it(folder):
    (folder / f"{LAB}.ipynb").write_text(GOOD)
    os.mkfifo(folder / "data.csv")
    os.mkfifo(folder / f"{LAB} (1).ipynb")
    assert taken(folder).reason == ""
