"""A released notebook that lies somewhere alone finds the values that came with the package."""

import json
from collections import Counter

import pytest

from labkit.checks import released
from labkit.checks.cell import check
from labkit.checks.protocol import EXPECTED
from labkit.errors import LabkitError
from labkit.learning.check_notebook import _lay_beside
from tests.conftest import ROOT

FILES = sorted((ROOT / "notebooks").glob(f"*/{EXPECTED}"))


def names(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return [one["name"] for checks in cells.values() for one in checks]


def test_no_two_labs_share_a_name_of_a_check():
    """Or a check could be compared with another lab's value."""
    found = Counter(name for path in FILES for name in names(path))
    assert [name for name, count in found.items() if count > 1] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_any_of_its_names_tells_a_lab(path):
    for name in names(path):
        assert released.released_expected([name]) == path
    assert released.released_expected(["no such check", *names(path)]) == path


def test_names_of_no_lab_find_nothing():
    assert released.released_expected(["no such check"]) is None
    assert released.released_expected([]) is None


@pytest.fixture
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LABKIT_PROFILE", raising=False)


def test_a_check_compares_where_nothing_lies_beside_it(alone, capsys):
    check(names(FILES[0])[0], "not its value")
    assert "not known here" not in capsys.readouterr().out
    check("no such check", 1)
    lab = FILES[0].parent.name
    assert f"not known here, among those of {lab}" in capsys.readouterr().out


def test_a_check_of_no_lab_says_what_is_missing(alone):
    with pytest.raises(LabkitError, match=f"no {EXPECTED} is there"):
        check("no such check", 1)


def test_what_came_with_a_lab_lies_where_it_is_checked_but_for_what_is_there(tmp_path):
    lab, place = tmp_path / "lab", tmp_path / "place"
    for folder, names in {
        lab: ("lab.ipynb", EXPECTED, "rescues.dat", "table.csv"),
        place: ("rescues.dat",),
    }.items():
        folder.mkdir()
        for name in names:
            (folder / name).write_text(folder.name)
    _lay_beside(lab, place)
    found = {path.name: path.read_text() for path in place.iterdir()}
    assert found == {"rescues.dat": "place", "table.csv": "lab"}
