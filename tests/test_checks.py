"""What a student sees when a check cell runs, in a real IPython shell."""

import atexit
import json

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from labkit.checks.cell import CheckCells, CheckFailed
from labkit.checks.protocol import MIME
from labkit.checks.values import encode
from labkit.errors import LabkitError


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """A shell in a notebook's folder, with expected values for three checks.

    It is strict, so that a cell raises what is wrong with it.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LABKIT_STRICT", "1")
    checks = [
        {
            "name": "one",
            "hidden": False,
            "names": ["f", "x"],
            "value": encode(1.0),
            "rtol": 1e-4,
            "atol": 1e-6,
            "mistakes": [
                {"name": "zero", "hint": "Start at one.", "value": encode(0.0)}
            ],
        },
        {
            "name": "two",
            "hidden": False,
            "names": ["f", "x"],
            "value": encode(np.array([1.0, 2.0])),
            "rtol": 1e-4,
            "atol": 1e-6,
            "mistakes": [
                {
                    "name": "zero",
                    "hint": "Start at one.",
                    "value": encode(np.array([0.0, 1.0])),
                }
            ],
        },
        {
            "name": "right often",
            "hidden": False,
            "value": encode(np.array([0, 1, 1, 0])),
            "at_least": 0.75,
        },
    ]
    (tmp_path / "expected.json").write_text(
        json.dumps({"lab": "x", "cells": {"check-x": checks}})
    )
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    made.run_cell("import numpy as np\nfrom labkit import check")
    if not any(isinstance(t, CheckCells) for t in made.ast_transformers):
        made.ast_transformers.append(
            CheckCells()
        )  # imported before this shell was there
    yield made
    # Else each collects the garbage of the whole process as that ends.
    atexit.unregister(made.atexit_operations)
    InteractiveShell.clear_instance()


def run(shell, source):
    """The lines that a cell shows, and the error it ends with."""
    with capture_output() as shown:
        result = shell.run_cell(source)
    lines = [output.data.get("text/plain") for output in shown.outputs]
    return lines, result.error_in_exec


def test_right_values_show_a_line_each_and_no_error(shell):
    lines, error = run(shell, "check('one', 1.0)\ncheck('two', [1.0, 2.0])")
    assert lines == ["✓ one", "✓ two"]
    assert error is None


def test_all_checks_of_a_cell_run_after_a_wrong_one(shell):
    lines, error = run(shell, "check('one', 3.0)\ncheck('two', np.array([1.0, 2.0]))")
    assert lines == ["✗ one — found 3, expected 1.", "✓ two"]
    assert isinstance(error, CheckFailed)
    assert str(error) == "1 of 2 checks failed."


def test_all_checks_of_a_cell_run_after_one_that_raises(shell):
    lines, error = run(shell, "check('one', 1 / 0)\ncheck('two', np.array([1.0, 2.0]))")
    assert lines == ["✗ one — ZeroDivisionError: division by zero", "✓ two"]
    assert isinstance(error, ZeroDivisionError)


def test_a_blank_exercise_says_so_and_raises_its_own_error(shell):
    shell.run_cell("def f(): raise NotImplementedError('Write your code here.')")
    lines, error = run(shell, "check('one', f())")
    assert lines == ["✗ one — not written yet"]
    assert isinstance(error, NotImplementedError)


def test_a_usual_mistake_gets_its_hint(shell):
    lines, _ = run(shell, "check('two', np.array([0.0, 1.0]))")
    assert lines[0].endswith("Hint: Start at one.")


def test_a_value_that_coincides_gets_its_hint_with_a_perhaps(shell):
    coincides = "check('two', np.array([0.0, 1.0]))"
    lines, _ = run(shell, f"check('one', 1.0)\n{coincides}")
    assert lines[1].endswith("\n  Perhaps: Start at one.")
    lines, _ = run(shell, f"check('one', 0.0)\n{coincides}")
    assert [line.split("\n")[1] for line in lines] == ["  Hint: Start at one."] * 2


def test_what_was_found_before_an_error_of_the_cell_is_shown(shell):
    lines, error = run(shell, "check('one', 3.0)\n1 / 0\ncheck('two', [1.0, 2.0])")
    assert lines == ["✗ one — found 3, expected 1."]
    assert isinstance(error, ZeroDivisionError)


def test_a_check_in_a_loop_of_ones_own_shows_at_once(shell):
    lines, _ = run(shell, "for value in (1.0, 0.0):\n    check('one', value)")
    assert lines[0] == "✓ one"
    assert lines[1].endswith("Hint: Start at one.")


def test_predictions_are_scored_by_accuracy(shell):
    source = "check.predictions('right often', np.array({}), np.array([0, 1, 1, 0]), at_least=0.75)"
    assert run(shell, source.format([0, 1, 1, 1]))[0] == ["✓ right often"]
    lines, error = run(shell, source.format([1, 0, 1, 1]))
    assert lines == ["✗ right often — accuracy 25.0%, expected at least 75.0%"]
    assert isinstance(error, CheckFailed)
    scores = "[[.9, .1], [.2, .8], [.3, .7], [.6, .4]]"
    assert run(shell, source.format(scores))[0] == ["✓ right often"]


def test_the_failed_cell_shows_one_line_and_no_traceback(shell):
    with capture_output() as shown:
        shell.run_cell("check('one', 3.0)")
    assert "labkit/checks/cell.py" not in shown.stdout + shown.stderr
    assert "1 of 1 checks failed." in shown.stdout + shown.stderr


def test_every_run_of_a_check_cell_draws_the_same_random_numbers(shell):
    shell.run_cell("check('one', 1.0)\na = np.random.random()")
    shell.run_cell("check('one', 1.0)\nb = np.random.random()")
    assert shell.user_ns["a"] == shell.user_ns["b"]


def test_missing_expected_values_say_what_to_do(shell, tmp_path):
    (tmp_path / "expected.json").unlink()
    lines, error = run(shell, "check('one', 1.0)\ncheck('two', 1 / 0)")
    assert lines == []
    assert isinstance(error, LabkitError)
    assert f"runs in {tmp_path}, and no expected.json is there" in str(error)


def test_damaged_expected_values_say_what_to_do(shell, tmp_path):
    for damage in ("{", "[]", '{"lab": "x", "cells": {"check-x": [{"nome": "one"}]}}'):
        (tmp_path / "expected.json").write_text(damage)
        lines, error = run(shell, "check('one', 1.0)")
        assert lines == []
        assert isinstance(error, LabkitError)
        assert "expected.json: cannot be read" in str(error)
        assert "Copy it anew from the lab." in str(error)


def test_a_cell_without_checks_is_left_as_it_is(shell):
    lines, error = run(shell, "x = 3\ny = x + 1")
    assert (lines, error, shell.user_ns["y"]) == ([], None, 4)


def test_at_grading_the_value_is_sent_and_nothing_is_compared(
    shell, monkeypatch, tmp_path
):
    monkeypatch.setenv("LABKIT_PROFILE", "grading")
    (tmp_path / "expected.json").unlink()
    with capture_output() as shown:
        result = shell.run_cell("check('one', 3.0)\ncheck('two', 1 / 0)")
    sent = [output.data[MIME] for output in shown.outputs]
    assert sent[0]["value"] == encode(3.0)
    assert sent[1]["error"] == "ZeroDivisionError"
    assert isinstance(result.error_in_exec, ZeroDivisionError)


def test_a_changed_argument_is_told_with_a_wrong_answer(shell):
    shell.run_cell("x = np.array([1.0, 2.0])\ndef f(x):\n    x += 1\n    return x")
    lines, _ = run(shell, "check('two', f(x))")
    assert lines[0].endswith("Your code changed `x`, which it was given to read.")


def test_an_argument_that_an_earlier_check_changed_is_told_too(shell):
    shell.run_cell("x = [1.0, 2.0]\ndef f(x):\n    return float(x.pop())")
    lines, _ = run(shell, "check('one', f(x))\ncheck('two', x)")
    assert "Your code changed `x`" in lines[0]
    assert "Your code changed `x`" in lines[1]


def test_a_name_that_is_bound_anew_was_not_changed(shell):
    lines, _ = run(shell, "x = [1.0]\ncheck('one', x)\nx = [2.0]\ncheck('two', x)")
    assert not any("changed" in line for line in lines)


def test_a_function_that_is_not_there_is_named(shell):
    lines, error = run(shell, "check('one', f(1))")
    assert lines == [
        "✗ one — `f` is not defined. Run its cell first, and keep its name."
    ]
    assert isinstance(error, NameError)


def test_hidden_inputs_follow_the_course(shell, monkeypatch):
    def drawn():
        shell.run_cell("check('one', 1.0)\na = check.rng().normal()")
        return shell.user_ns["a"]

    first = drawn()
    assert drawn() == first
    monkeypatch.setenv("LABKIT_INPUTS", "ff")
    assert drawn() != first


def test_what_is_checked_after_a_draw_is_sent_as_of_hidden_inputs(shell, monkeypatch):
    monkeypatch.setenv("LABKIT_PROFILE", "grading")
    with capture_output() as shown:
        shell.run_cell("check('one', 1.0)\nr = check.rng()\ncheck('two', r.normal())")
        shell.run_cell("check('three', 1.0)")
    sent = [output.data[MIME] for output in shown.outputs]
    assert [m.get("hidden_inputs", False) for m in sent] == [False, True, False]
