"""No function of the package answers an exercise: a student could import it."""

import json

import pytest

from labkit.execution.execute import execute, grading_environment
from labkit.execution.grading_data import reference_environment
from labkit.labs.lab import cell_id, find_labs, read_lab
from labkit.labs.source import source_notebook
from tests.conftest import ROOT

# The labs that train would take minutes.
LABS = find_labs(ROOT / "solutions", ["01", "02", "03"])
SEED = "the seed of the tests"
# Notes what the exercise's function is called with at its check, and what it gives.
RECORD = """\
import functools as _functools

def _recorded(function):
    @_functools.wraps(function)
    def call(*args, **kwargs):
        given = _copy.deepcopy((args, kwargs))
        result = function(*args, **kwargs)
        _calls.append((*given, result))
        return result
    return call

import copy as _copy
_calls = []
_right, {exercise} = {exercise}, _recorded({exercise})
"""
# Tries every function of the package on the same; a layer on a batch of one.
TRY = """\
{exercise} = _right
import contextlib as _contextlib, importlib as _importlib, inspect as _inspect
import io as _io, json as _json, pkgutil as _pkgutil
import keras as _keras, labkit as _labkit
from labkit.checks.compare import difference as _difference

def _functions():
    for room in ("models", "widgets", "training"):
        top = _importlib.import_module(f"labkit.{{room}}")
        inner = _pkgutil.walk_packages(getattr(top, "__path__", []), f"labkit.{{room}}.")
        for module in (top, *(_importlib.import_module(one.name) for one in inner)):
            for name, found in list(vars(module).items()):
                if callable(found) and (found.__module__ or "").startswith("labkit."):
                    yield f"{{found.__module__}}.{{name}}", found

def _gives(function, args, kwargs):
    if _inspect.isclass(function) and issubclass(function, _keras.layers.Layer):
        return _keras.ops.convert_to_numpy(
            function(*args[1:], **kwargs)(args[0][None].astype("float32"))[0]
        )
    signature = _inspect.signature(function)
    signature.bind(*args, **kwargs)
    if any(word in str(signature.return_annotation) for word in ("Model", "Explorer")):
        return None
    return function(*args, **kwargs)

def _answers(function):
    for args, kwargs, result in _calls:
        try:
            with _contextlib.redirect_stdout(_io.StringIO()):
                found = _gives(function, *_copy.deepcopy((args, kwargs)))
        except BaseException:
            continue
        if any(_same(result, one) for one in (*args, *kwargs.values())):
            continue
        if _same(found, result):
            return True
    return False

def _same(one, other):
    from labkit.checks.values import decode, encode
    one, other = decode(encode(one)), decode(encode(other))
    if "Opaque" in (type(one).__name__, type(other).__name__):
        return False
    return _difference(one, other, rtol=1e-4, atol=1e-5) is None

print(_json.dumps(sorted({{name for name, one in _functions() if _answers(one)}})))
"""


def with_attempts(notebook, lab):
    """The solution; around each check of a function, what is needed to try others."""
    from nbformat.v4 import new_code_cell

    exercises = {
        cell_id("check", name): name
        for cell in lab.cells("solution")
        if f"def {(name := cell.metadata['solution'])}(" in cell.source
    }
    built, attempts = [], {}
    for cell in notebook.cells:
        exercise = exercises.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if exercise:
            built.append(new_code_cell(RECORD.format(exercise=exercise)))
        built.append(cell)
        if exercise:
            attempts[exercise] = len(built)
            built.append(new_code_cell(TRY.format(exercise=exercise)))
    notebook.cells = built
    return notebook, attempts


@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_no_function_of_the_package_answers_an_exercise(path, tmp_path):
    lab = read_lab(path)
    notebook, attempts = with_attempts(source_notebook(lab), lab)
    environment = reference_environment(ROOT / "build", SEED)
    ran = execute(notebook, tmp_path, {**grading_environment(), **environment})
    found = {}
    for exercise, index in attempts.items():
        outputs = ran.cells[index].outputs
        printed = "".join(one.text for one in outputs if one.get("name") == "stdout")
        assert printed, (exercise, outputs)
        if names := json.loads(printed.splitlines()[-1]):
            found[exercise] = names
    assert found == {}
