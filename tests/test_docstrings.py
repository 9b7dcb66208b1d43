"""The examples in the docstrings of what notebooks import run, and give what they say."""

import doctest
import importlib
import inspect
import os
import re
import sys
from unittest.mock import patch

import pytest

from tests.conftest import ROOT

# Those that the site has pages for.
sys.path.append(str(ROOT / "docs" / "site"))
MODULES = importlib.import_module("api_pages").MODULES


def public(name: str) -> dict[str, object]:
    """The functions and classes that a module offers, without their decorators."""
    module = importlib.import_module(name)
    names = getattr(module, "__all__", None) or [
        one
        for one, value in vars(module).items()
        if not one.startswith("_") and getattr(value, "__module__", "") == name
    ]
    offered = {f"{name}.{one}": inspect.unwrap(getattr(module, one)) for one in names}
    return {
        one: value
        for one, value in offered.items()
        if inspect.isfunction(value) or inspect.isclass(value)
    }


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_give_what_they_say(module, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("LABKIT_PROFILE", "quick")
    monkeypatch.chdir(tmp_path)
    finder, runner = doctest.DocTestFinder(), doctest.DocTestRunner()
    with patch.dict(os.environ):  # an example may set a variable, for itself alone
        for name, value in public(module).items():
            for example in finder.find(value, name, inspect.getmodule(value), globs={}):
                runner.run(example)
    assert runner.tries and not runner.failures, capsys.readouterr().out


def lacking(function) -> set[str]:
    """The sections that a function's docstring should have and has not."""
    signature = inspect.signature(function)
    wanted = {"Examples"} | ({"Parameters"} if signature.parameters else set())
    if signature.return_annotation not in (None, "None", "NoReturn"):
        wanted.add("Returns")
    sections = re.findall(r"^(\w+)\n-+$", inspect.getdoc(function) or "", re.M)
    return wanted - set(sections) - ({"Returns"} if "Yields" in sections else set())


@pytest.mark.parametrize("module", MODULES)
def test_each_function_says_what_it_takes_and_gives_with_an_example(module):
    functions = {n: v for n, v in public(module).items() if inspect.isfunction(v)}
    found = {name: lacking(value) for name, value in functions.items()}
    assert not {name: sections for name, sections in found.items() if sections}


@pytest.mark.parametrize("module", MODULES)
def test_the_parameters_described_are_those_there_are(module):
    for name, value in public(module).items():
        text = inspect.getdoc(value) or ""
        section = re.search(r"^Parameters\n-+\n(.*?)(?=^\S+\n--|\Z)", text, re.M | re.S)
        if section is None:
            continue
        lines = re.findall(r"^(\S.*?)(?: : .*)?$", section[1], re.M)
        described = [one.lstrip("*") for line in lines for one in line.split(", ")]
        assert described == list(inspect.signature(value).parameters), name
