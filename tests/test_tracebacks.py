"""What a student reads of an error, in real kernels: his own lines, the right one marked."""

import json
import re

import pytest

from labkit.checks.values import encode
from tests.steps import cells, run_all, shown

IMPORTS = "import numpy as np\nfrom labkit import check"
FUNCTION = """\
def sigmoid(z):
    \"\"\"Squash.\"\"\"
    small = []
    try:
        small.append(z)
    finally:
        large = 1
    # `math` was never imported:
    return 1 / (1 + math.exp(-z))"""
HELPER = """\
def exponential(z):
    power = -z
    return math.exp(power)

def sigmoid(z):
    a = 1
    return a / (a + exponential(z))"""
CHECK = """\
x = 3.0
check("one", 1.0)

check("two", sigmoid(x))
check("three", sigmoid(2 * x))"""


@pytest.fixture
def folder(tmp_path):
    checks = [
        {"name": name, "hidden": False, "value": encode(1.0), "rtol": 1e-4}
        for name in ("one", "two", "three")
    ]
    data = {"lab": "x", "cells": {"check-x": checks}}
    (tmp_path / "expected.json").write_text(json.dumps(data))
    return tmp_path


def plain(cell):
    return re.sub(r"\x1b\[\d+m", "", shown(cell))


def marked(text):
    """The lines that an arrow stands at."""
    return [
        " ".join(line[5:].split())
        for line in text.splitlines()
        if line.startswith("--->")
    ]


def test_an_error_in_the_function(folder):
    ran = run_all(cells(IMPORTS, FUNCTION, CHECK, "print('went on')"), folder)
    text = plain(ran.cells[2])
    assert "✓ one" in text
    assert text.count("✗") == 2
    assert marked(text) == [
        '4 check("two", sigmoid(x))',
        "9 return 1 / (1 + math.exp(-z))",
    ]
    assert "line 9, in sigmoid" in text
    assert text.rstrip().splitlines()[-1].startswith("NameError: name 'math'")
    assert "labkit" not in text
    assert len(text.splitlines()) < 25
    assert plain(ran.cells[3]) == "went on\n"


def test_an_error_in_a_helper_that_it_calls(folder):
    ran = run_all(cells(IMPORTS, HELPER, CHECK), folder)
    assert marked(plain(ran.cells[2])) == [
        '4 check("two", sigmoid(x))',
        "7 return a / (a + exponential(z))",
        "3 return math.exp(power)",
    ]


def test_an_error_in_the_arguments_of_the_check(folder):
    source = 'check("one", 1.0)\ncheck(\n    "two",\n    np.ones(3)[5],\n)'
    ran = run_all(cells(IMPORTS, source), folder)
    text = plain(ran.cells[1])
    assert marked(text) == ["4 np.ones(3)[5],"]
    assert "IndexError" in text


def test_an_error_deep_in_a_library_is_shown_at_the_students_line(folder):
    source = 'def f():\n    return np.linalg.inv(np.ones((2, 3)))\ncheck("one", f())'
    ran = run_all(cells(IMPORTS, source), folder)
    text = plain(ran.cells[1])
    assert marked(text) == [
        '3 check("one", f())',
        "2 return np.linalg.inv(np.ones((2, 3)))",
    ]
    assert "linalg.py" not in text


def test_an_error_in_a_cell_of_ones_own_stops_and_is_as_short(folder):
    notebook = cells(IMPORTS, HELPER, "x = 2\ny = sigmoid(x)", "print('on')")
    with pytest.raises(Exception, match="NameError"):
        run_all(notebook, folder)
    assert marked(plain(notebook.cells[2]))[-1] == "3 return math.exp(power)"
    assert notebook.cells[3].outputs == []


def test_a_syntax_error_is_shown_at_its_line(folder):
    notebook = cells(IMPORTS, "a = 1\ndef f(x)\n    return x", "print('on')")
    with pytest.raises(Exception, match="SyntaxError"):
        run_all(notebook, folder)
    text = plain(notebook.cells[1])
    assert "line 2" in text
    assert "def f(x)" in text
    assert len(text.splitlines()) < 8


def test_an_endless_recursion_is_told_in_a_few_lines(folder):
    source = 'def f(n):\n    return f(n + 1)\ncheck("one", f(0))'
    ran = run_all(cells(IMPORTS, source), folder)
    text = plain(ran.cells[1])
    assert "RecursionError" in text
    assert "more calls" in text
    assert len(text.splitlines()) < 45


def test_what_is_not_written_is_one_line(folder):
    blank = 'def f(x):\n    raise NotImplementedError("Write your code here.")'
    source = "\n".join(f'check("{name}", f(1))' for name in ("one", "two", "three"))
    ran = run_all(cells(IMPORTS, blank, source), folder)
    assert plain(ran.cells[2]).splitlines()[0] == "✗ f — not written yet"
    assert len(plain(ran.cells[2]).splitlines()) == 1


def test_nothing_is_forgiven_where_it_is_asked_to_be_strict(folder, monkeypatch):
    monkeypatch.setenv("LABKIT_STRICT", "1")
    for wrong, error in (
        ("2.0", "1 of 1 checks failed"),
        ("1 / 0", "ZeroDivisionError"),
    ):
        notebook = cells(IMPORTS, f'check("one", {wrong})')
        with pytest.raises(Exception, match=error):
            run_all(notebook, folder)
    assert marked(plain(notebook.cells[1])) == ['1 check("one", 1 / 0)']


def test_nbgrader_validates_as_strictly(folder, monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(Exception, match="1 of 1 checks failed"):
        run_all(cells(IMPORTS, 'check("one", 2.0)'), folder)
