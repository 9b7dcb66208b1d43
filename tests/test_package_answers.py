"""No function of the package answers an exercise: a student could import it."""

import json

import pytest
from nbformat.v4 import new_code_cell

from labkit.execution.execute import execute, grading_environment
from labkit.execution.grading_data import reference_environment
from labkit.grading.pipeline.skipping import cells_to_run
from labkit.labs.lab import cell_id, find_labs, read_lab
from labkit.labs.source import source_notebook
from tests.conftest import ROOT

LABS = find_labs(ROOT / "solutions")
SEED = "the seed of the tests"
# How well a network does is not asked here, so none has to learn.
NO_TRAINING = """\
import labkit.training as _training
_training.fit = lambda *args, **kwargs: None
"""
# Notes what the exercise's function is called with at its check, and what it gives.
RECORD = """\
import functools as _functools

def _recorded(function):
    @_functools.wraps(function)
    def call(*args, **kwargs):
        given = _copied((args, kwargs))
        result = function(*args, **kwargs)
        _calls.append((*given, result))
        return result
    return call

import copy as _copy

def _copied(value):
    # Networks are not copied: that takes long.
    if isinstance(value, (tuple, list)):
        return type(value)(map(_copied, value))
    if isinstance(value, dict):
        return {{name: _copied(one) for name, one in value.items()}}
    network = hasattr(value, "layers") and hasattr(value, "get_config")
    return value if network else _copy.deepcopy(value)

_calls = []
_right, {exercise} = {exercise}, _recorded({exercise})
"""
# Tries every function of the package that takes what the exercise's takes, without an
# error: on the same, a layer on a batch of one, where half of the results count; and in the
# exercise's place, through the whole check cell, where all values do.
TRY = """\
{exercise} = _right
import contextlib as _contextlib, importlib as _importlib, inspect as _inspect
import io as _io, json as _json, pkgutil as _pkgutil, signal as _signal
import keras as _keras, labkit as _labkit
from labkit.checks.cell import _seed
from labkit.checks.compare import difference as _difference
from labkit.checks.values import decode as _decode, encode as _encode

_ROOMS = (
    "data", "kaggle", "models", "plots", "study", "training", "widgets",
)
# What draws pictures, waits for others or goes to the network, and takes long.
_LEFT_OUT = ("labkit.data.cache", "labkit.data.download", "labkit.data.kaggle",
             "labkit.data.standins", "labkit.kaggle.upload")

def _functions():
    found = {{}}
    for room in _ROOMS:
        top = _importlib.import_module(f"labkit.{{room}}")
        inner = _pkgutil.walk_packages(getattr(top, "__path__", []), f"labkit.{{room}}.")
        for module in (top, *(_importlib.import_module(one.name) for one in inner)):
            for name, one in list(vars(module).items()):
                where = (callable(one) and one.__module__) or ""
                if where.startswith("labkit.") and not where.startswith(_LEFT_OUT):
                    found[f"{{where}}.{{name}}"] = one
    return found

def _takes(function, args, kwargs):
    try:
        signature = _inspect.signature(function)
        given = signature.bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        return _inspect.isclass(function) and issubclass(function, _keras.layers.Layer)
    # A number in the place of a path is an open file: the kernel's own would be closed.
    return not any(
        isinstance(value, int) and "Path" in str(signature.parameters[name].annotation)
        for name, value in given.items()
    )

def _gives(function, args, kwargs):
    if _inspect.isclass(function) and issubclass(function, _keras.layers.Layer):
        return _keras.ops.convert_to_numpy(
            function(*args[1:], **kwargs)(args[0][None].astype("float32"))[0]
        )
    made = str(_inspect.signature(function).return_annotation)
    if any(word in made for word in ("Explorer", "matplotlib")):
        raise TypeError("it draws")
    if "Model" in made:
        if not _networks:
            raise TypeError("it gives a network")
        return None
    return function(*args, **kwargs)

def _fits(function):
    try:
        with _contextlib.redirect_stdout(_io.StringIO()):
            _gives(function, *_copied(_calls[0][:2]))
    except BaseException:
        return False
    return True

def _answers(function):
    right = wrong = 0
    for args, kwargs, result in _telling[:3]:
        try:
            with _contextlib.redirect_stdout(_io.StringIO()):
                found = _gives(function, *_copied((args, kwargs)))
        except BaseException:
            continue
        right, wrong = (right + 1, wrong) if _same(found, result) else (right, wrong + 1)
    return right > wrong

def _same(one, other):
    one, other = _decode(_encode(one)), _decode(_encode(other))
    if "Opaque" in (type(one).__name__, type(other).__name__):
        return False
    return _difference(one, other, rtol=1e-4, atol=1e-5) is None

class _Checks:
    rng = staticmethod(check.rng)

    def __init__(self, expected=None):
        self.expected, self.values = expected, {{}}

    def __call__(self, name, value, *, rtol=1e-4, atol=1e-6, weight=1.0):
        self.values[name] = _decode(_encode(value))
        if self.expected is not None:
            pair = self.values[name], self.expected[name]
            assert _difference(*pair, rtol=rtol, atol=atol) is None

    def predictions(self, *args, **kwargs):
        pass

def _checked(function, expected=None):
    checks = _Checks(expected)
    _seed()
    exec({check!r}, {{**globals(), "check": checks, {exercise!r}: function}})
    return checks.values

def _passes(function, expected):
    try:
        with _contextlib.redirect_stdout(_io.StringIO()):
            _checked(function, expected)
    except BaseException:
        return False
    return True

_expected, _found = _checked(_right), set()
assert _passes(_right, _expected)
_telling = [
    (args, kwargs, result)
    for args, kwargs, result in _calls
    if not any(_same(result, one) for one in (None, *args, *kwargs.values()))
]
_networks = any(hasattr(result, "layers") for _, _, result in _calls)
_signal.signal(_signal.SIGALRM, lambda *_: 1 / 0)
for _name, _one in _functions().items():
    if any(_takes(_one, args, kwargs) for args, kwargs, _ in _calls[:1]):
        # Some wait for what never comes.
        _signal.setitimer(_signal.ITIMER_REAL, 20, 5)
        if _fits(_one) and (_answers(_one) or _passes(_one, _expected)):
            _found.add(_name)
        _signal.setitimer(_signal.ITIMER_REAL, 0)
print(_json.dumps(sorted(_found)))
"""


def with_attempts(notebook, lab):
    """What the checks of functions need; around each, what is needed to try others."""
    exercises = {
        cell_id("check", name): name
        for cell in lab.cells("solution")
        if f"def {(name := cell.metadata['solution'])}(" in cell.source
    }
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    graded = [exercises.get(role(cell).get("grade_id")) for cell in code]
    others = [cell.source for cell, name in zip(code, graded, strict=True) if not name]
    run = cells_to_run([cell.source for cell in code], frozenset(others))
    built, attempts = [new_code_cell(NO_TRAINING)], {}
    for index, (cell, exercise) in enumerate(zip(code, graded, strict=True)):
        if exercise:
            built.append(new_code_cell(RECORD.format(exercise=exercise)))
        if index in run:
            built.append(cell)
        if exercise:
            attempts[exercise] = len(built)
            trying = TRY.format(exercise=exercise, check=cell.source)
            built.append(new_code_cell(trying))
    notebook.cells = built
    return notebook, attempts


def role(cell):
    return cell.metadata.get("nbgrader", {})


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
