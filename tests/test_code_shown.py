"""The code that the pages show, beside commands: exercises, checks, settings, settings of a
training. What it calls is there and takes it so."""

import ast
import inspect

import numpy as np
import pytest

from labkit import training
from labkit.authoring.new import new_lab
from labkit.authoring.watch import look
from labkit.course import COURSE_TEXT, read_settings
from labkit.labs.functions import lab_functions
from labkit.labs.lab import read_lab
from tests.conftest import ROOT
from tests.test_docs import OF_TODAY, tokens


def fences(language):
    return [
        (page, token.content)
        for page in OF_TODAY
        for token in tokens(page)
        if token.type == "fence" and token.info == language
    ]


EXERCISES = [code for _, code in fences("python") if "# %% solution=" in code]
OTHERS = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for number, (page, code) in enumerate(fences("python"))
    if code not in EXERCISES
]


class Sent:
    """Stands where `check` does in a cell, and keeps what it is given."""

    def __init__(self):
        self.values = []

    def __call__(self, name, value):
        self.values.append(value)

    def rng(self):
        return np.random.default_rng(0)


def test_every_language_shown_is_asked_here_or_drawn():
    shown = {
        token.info
        for page in OF_TODAY
        for token in tokens(page)
        if token.type == "fence"
    }
    assert shown <= {"", "python", "toml", "mermaid"}


def test_the_exercise_shown_passes_the_gate_as_it_stands(course):
    (exercise,) = EXERCISES
    (imports,) = (code for _, code in fences("python") if "import check" in code)
    path = new_lab(course, "shown")
    header, _, _ = path.read_text().partition("# %% [markdown]")
    solution = exercise.replace("    ...\n", "    return 1 / (1 + np.exp(-z))\n")
    assert solution != exercise
    path.write_text(f"{header}# %%\n{imports}\n{solution}")
    found = look(course, path, None)
    assert (found.exercises, found.faults) == (["sigmoid"], [])


@pytest.mark.parametrize("code", OTHERS)
def test_what_other_code_calls_is_there(code):
    check = Sent()
    given = lab_functions(read_lab(ROOT / "solutions" / "01_neuron" / "01_neuron.py"))
    if "    ...,\n" in code:
        (call,) = (
            one
            for one in ast.walk(ast.parse(code))
            if isinstance(one, ast.Call) and ast.unparse(one.func) == "training.fit"
        )
        names = {keyword.arg for keyword in call.keywords}
        assert names <= set(inspect.signature(training.fit).parameters)
        return
    exec(code, {**given, "np": np, "check": check})
    assert len(check.values) == code.count("\ncheck(") + code.startswith("check(")


@pytest.mark.parametrize("code", [code for _, code in fences("toml")])
def test_settings_shown_are_settings(code, tmp_path):
    path = tmp_path / "course.toml"
    path.write_text(COURSE_TEXT.format(seed="0" * 32) + code)
    assert read_settings(path).kaggle.per_day == 5
